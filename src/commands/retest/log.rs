//! What the import log says of images that a retest looked at.

use tracing::{info, warn};

use super::known::{Known, Looked};
use crate::model::{Diagnosis, ImageScan, ImageSnapshot, SeverityCounts};

pub(super) use crate::commands::import_log::{Entry, ImportLog, Result};

impl Entry {
    pub(super) fn judged(
        known: &Known<'_>,
        looked: &Looked,
        scan: &ImageScan,
        counts: SeverityCounts,
        told: bool,
        same: bool,
    ) -> Self {
        let result = match looked {
            _ if scan.diagnosis.is_some() => Result::Failed,
            Looked::Unchanged { .. } => Result::Retested,
            _ => Result::Read,
        };
        let before = known.before;
        let reason = match looked {
            _ if before.is_none() => "NEW",
            _ if before.is_some_and(|before| Some(&before.digest) != looked.digest()) => "CHANGED",
            _ if !told => "first verdict",
            _ if same => "no news",
            _ => "judged differently",
        };
        Self {
            digest: looked.digest().cloned(),
            reason: Some(reason.to_owned()),
            diagnosis: scan.diagnosis.clone(),
            counts: Some(counts),
            ..Self::new(&known.name, result)
        }
    }

    pub(super) fn vanished(name: &str, diagnosis: &Diagnosis) -> Self {
        let reason = format!("it has vanished since it was listed ({})", diagnosis.code);
        Self { reason: Some(reason), ..Self::new(name, Result::Gone) }
    }

    pub(super) fn gone(snapshot: &ImageSnapshot) -> Self {
        let reason = Some("it is not in the registry any more".to_owned());
        Self { reason, digest: Some(snapshot.digest.clone()), ..Self::new(&snapshot.name, Result::Gone) }
    }

    /// The image's line in the job's log: the `number`th that is done, of all.
    pub(super) fn line(&self, number: usize, all: usize) {
        let reason = self.reason.as_deref().unwrap_or_default();
        match (&self.diagnosis, &self.counts) {
            (Some(diagnosis), _) => warn!("{}: {diagnosis} ({number} of {all})", self.name),
            (None, Some(counts)) => {
                info!("{}: {reason}: {} ({number} of {all})", self.name, super::in_words(counts));
            }
            (None, None) => info!("{}: {reason} ({number} of {all})", self.name),
        }
    }
}
