//! What an image changes against its baseline, for the formats that tell people.

use crate::model::{Change, Finding, ImageScan, ScanDocument};

use super::text::count;

/// The findings of an image by how they stand to the baseline.
#[derive(Debug, Default)]
pub(super) struct Changes<'a> {
    pub(super) introduced: Vec<&'a Finding>,
    pub(super) disclosed: Vec<&'a Finding>,
    pub(super) existing: Vec<&'a Finding>,
    /// Findings of the baseline that are gone.
    pub(super) fixed: &'a [Finding],
}

impl<'a> Changes<'a> {
    /// `None` where nothing was compared.
    pub(super) fn of(document: &'a ScanDocument, image: &'a ImageScan) -> Option<Self> {
        let comparison = document.comparison.as_ref()?;
        let mut changes = Self::default();
        for finding in &image.findings {
            match finding.change {
                Some(Change::Introduced) | None => changes.introduced.push(finding),
                Some(Change::Disclosed) => changes.disclosed.push(finding),
                Some(Change::Existing) => changes.existing.push(finding),
            }
        }
        if let Some(change) = comparison.images.iter().find(|change| change.name == image.name) {
            changes.fixed = &change.fixed;
        }
        Some(changes)
    }

    /// How many findings the image shares with its baseline.
    pub(super) fn remaining(&self) -> usize {
        self.disclosed.len() + self.existing.len()
    }

    /// `2 new, 3 fixed, 41 remaining (5 newly disclosed)`.
    pub(super) fn sentence(&self) -> String {
        let mut text =
            format!("{} new, {} fixed, {} remaining", self.introduced.len(), self.fixed.len(), self.remaining());
        if !self.disclosed.is_empty() {
            text.push_str(&format!(" ({} newly disclosed)", self.disclosed.len()));
        }
        text
    }
}

/// The sums over all images; `None` where nothing was compared.
pub(super) fn total(document: &ScanDocument) -> Option<Changes<'_>> {
    document.comparison.as_ref()?;
    let mut total = Changes::default();
    for changes in document.images.iter().filter_map(|image| Changes::of(document, image)) {
        total.introduced.extend(changes.introduced);
        total.disclosed.extend(changes.disclosed);
        total.existing.extend(changes.existing);
    }
    Some(total)
}

/// All that is fixed, over all images.
pub(super) fn fixed(document: &ScanDocument) -> usize {
    document.comparison.iter().flat_map(|comparison| &comparison.images).map(|image| image.fixed.len()).sum()
}

/// `2 new findings`, or `nothing new`.
pub(super) fn news(introduced: usize) -> String {
    if introduced == 0 { "nothing new".into() } else { count(introduced, "new finding") }
}
