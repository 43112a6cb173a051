//! `scan-log.json`: what became of each image of a scan or a retest, and every failure with its diagnosis.

use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tracing::{info, warn};

use super::output;
use crate::model::{Diagnosis, Digest, ImageScan, SeverityCounts};

/// `scan-log.json`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct ImportLog {
    pub(super) format: String,
    pub(super) started: Timestamp,
    pub(super) finished: Timestamp,
    pub(super) images: Vec<Entry>,
    #[serde(default)]
    pub(super) notices: Vec<String>,
}

/// One image.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Entry {
    pub(super) name: String,
    pub(super) result: Result,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) digest: Option<Digest>,
    /// Why it is so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) reason: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) diagnosis: Option<Diagnosis>,
    /// Findings that count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) counts: Option<SeverityCounts>,
    /// What a scan took to read it, and a retest to judge it.
    #[serde(default)]
    pub(super) milliseconds: u64,
}

/// What became of an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Result {
    /// Its stored inventory was judged.
    Retested,
    /// It was read and judged.
    Read,
    /// It was left out.
    Skipped,
    /// It is not in the registry any more.
    Gone,
    /// It could not be judged, or in part only.
    Failed,
}

impl ImportLog {
    pub(super) const FORMAT: &'static str = "plimsoll-scan-log-1";
    pub(super) const FILE: &'static str = "scan-log.json";

    pub(super) fn new(started: Timestamp) -> Self {
        Self { format: Self::FORMAT.into(), started, finished: started, images: Vec::new(), notices: Vec::new() }
    }

    /// Writes it beside the reports.
    pub(super) fn write(&self, out: &Path) -> std::result::Result<(), Diagnosis> {
        output::write_json(&out.join(Self::FILE), self)
    }

    /// The end of the job's log: numbers, and failures again, so that nobody has to look for them.
    pub(super) fn tell(&self) {
        let count = |result: Result| self.images.iter().filter(|entry| entry.result == result).count();
        info!(
            "{} judged without pulling, {} read, {} left out, {} gone, {} failed",
            count(Result::Retested),
            count(Result::Read),
            count(Result::Skipped),
            count(Result::Gone),
            count(Result::Failed)
        );
        for entry in self.images.iter().filter(|entry| entry.result == Result::Failed) {
            match &entry.diagnosis {
                Some(diagnosis) => warn!("{}: failed: {diagnosis}", entry.name),
                None => warn!("{}: failed", entry.name),
            }
        }
    }
}

impl Entry {
    pub(super) fn new(name: &str, result: Result) -> Self {
        Self {
            name: name.to_owned(),
            result,
            digest: None,
            reason: None,
            diagnosis: None,
            counts: None,
            milliseconds: 0,
        }
    }

    /// What a scan found; `took` is what reading it took.
    pub(super) fn scanned(image: &ImageScan, took: Duration) -> Self {
        let digest = image.inventory.as_ref().and_then(|inventory| inventory.image.manifest_digest.clone());
        let is_read = image.inventory.is_some();
        let counts = is_read.then(|| SeverityCounts::of(image.findings.iter().map(|finding| finding.severity)));
        let result = if image.diagnosis.is_some() { Result::Failed } else { Result::Read };
        let milliseconds = took.as_millis().try_into().unwrap_or(u64::MAX);
        Self { digest, diagnosis: image.diagnosis.clone(), counts, milliseconds, ..Self::new(&image.name, result) }
    }

    pub(super) fn failed(name: &str, digest: Option<&Digest>, diagnosis: &Diagnosis) -> Self {
        Self { digest: digest.cloned(), diagnosis: Some(diagnosis.clone()), ..Self::new(name, Result::Failed) }
    }

    pub(super) fn skipped(name: &str, reason: String) -> Self {
        Self { reason: Some(reason), ..Self::new(name, Result::Skipped) }
    }
}
