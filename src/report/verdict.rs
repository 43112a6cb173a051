//! What may be said about an image as a whole. Only one of the answers is "clean".

use crate::model::{Coverage, CoverageStatus, Diagnosis, ImageScan, Outcome, ScanDocument};

use super::text::count;

/// The verdict on an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict<'a> {
    /// The scan broke off.
    Failed(Option<&'a Diagnosis>),
    /// There was no advisory data for any of its packages.
    NotJudged,
    /// There are findings.
    Vulnerable,
    /// No findings, but something could not be read or judged.
    Incomplete,
    /// No findings, and everything was judged.
    Clean,
}

impl<'a> Verdict<'a> {
    pub(super) fn of(document: &ScanDocument, image: &'a ImageScan) -> Self {
        let covered = image.coverage.iter().any(|coverage| coverage.status == CoverageStatus::Covered);
        if image.outcome == Outcome::Failure {
            Self::Failed(image.diagnosis.as_ref())
        } else if image.has_findings() {
            Self::Vulnerable
        } else if document.database.is_none() || image.inventory.is_none() || !covered {
            Self::NotJudged
        } else if image.is_fully_covered() {
            Self::Clean
        } else {
            Self::Incomplete
        }
    }

    /// The verdict in a sentence.
    pub(super) fn sentence(self, image: &ImageScan) -> String {
        let packages = count(image.package_count(), "package");
        let unjudged = uncovered(image).map(|coverage| coverage.packages).sum::<usize>();
        match self {
            Self::Failed(_) => "the scan could not be completed".into(),
            Self::NotJudged => format!("there is no advisory data for its {packages}"),
            Self::Vulnerable => {
                let (totals, distinct) = (image.totals(), image.distinct());
                let total = format!(
                    "{} ({} in {})",
                    count(totals.findings(), "finding"),
                    count(distinct.vulnerabilities, "vulnerability"),
                    count(distinct.packages, "package")
                );
                match totals.fixable {
                    0 => format!("{total}, none has a fix yet"),
                    all if all == totals.findings() => format!("{total}, upgrading removes all"),
                    some => format!("{total}, upgrading removes {some}"),
                }
            }
            Self::Incomplete if unjudged > 0 => {
                format!("nothing found in what could be judged; {} could not be", count(unjudged, "package"))
            }
            Self::Incomplete => "nothing found in what could be read; see the gaps".into(),
            Self::Clean => format!("no known vulnerabilities in {packages}"),
        }
    }

    /// Whether a number of findings says anything about the image.
    pub(super) fn is_judged(self) -> bool {
        !matches!(self, Self::Failed(_) | Self::NotJudged)
    }

    /// One word, for classes and tables.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Failed(_) => "failed",
            Self::NotJudged => "not judged",
            Self::Vulnerable => "vulnerable",
            Self::Incomplete => "incomplete",
            Self::Clean => "clean",
        }
    }
}

/// The parts of an image that there was no data for.
pub(super) fn uncovered(image: &ImageScan) -> impl Iterator<Item = &Coverage> {
    image.coverage.iter().filter(|coverage| coverage.status == CoverageStatus::NoData)
}
