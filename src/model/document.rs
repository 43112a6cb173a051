//! The scan document: everything a scan learnt, the input of every report, of the gate and of `explain`.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{
    Diagnosis, Distinct, Dockerfile, Finding, Inventory, PackageKind, Platform, RuleUse, ShardName, Summary,
    Suppressed, Totals,
};

/// `plimsoll.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScanDocument {
    /// [`ScanDocument::FORMAT`]; readers refuse others.
    pub format: String,
    /// Who wrote it.
    pub tool: Tool,
    /// When the scan began, UTC.
    pub started: Timestamp,
    /// When it ended, UTC.
    pub finished: Timestamp,
    /// Whether all images were scanned.
    pub outcome: Outcome,
    /// The advisory database; absent where none could be opened.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub database: Option<DatabaseInfo>,
    /// The images, in the order asked for.
    pub images: Vec<ImageScan>,
    /// What the images were compared with; absent where there was no baseline.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comparison: Option<Comparison>,
    /// Failures that belong to no single image.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub diagnoses: Vec<Diagnosis>,
    /// What became of the project's ignore rules and VEX statements.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<RuleUse>,
    /// What reports need to know of the project.
    #[serde(default, skip_serializing_if = "Project::is_empty")]
    pub project: Project,
}

/// What is known of the project whose images were scanned.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Project {
    /// Its Dockerfile.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dockerfile: Option<Dockerfile>,
    /// The default branch's image, by which GitLab knows the findings of other branches again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default_branch_image: Option<String>,
}

impl Project {
    /// Whether nothing is known.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// The program that wrote a document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tool {
    /// `plimsoll`.
    pub name: String,
    /// Its version.
    pub version: String,
}

/// Whether a scan or one image of it is complete.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// Done.
    Success,
    /// Could not be completed; a diagnosis says why.
    Failure,
}

/// Which advisory data was used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DatabaseInfo {
    /// Where it was opened from.
    pub origin: String,
    /// When it was built, UTC.
    pub built: Timestamp,
    /// Whether it is the small set of examples, not real data. Every report says so.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub example: bool,
    /// The feeds in it and the date of each.
    pub sources: Vec<SourceDate>,
}

/// A feed and the date of its data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceDate {
    /// The feed's name, with its part: `osv/npm`.
    pub source: String,
    /// The newest change in its data, UTC, where it can be told.
    pub date: Option<Timestamp>,
    /// Number of records.
    pub records: u64,
}

/// One image's result.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageScan {
    /// The image as the reports name it: `registry/repository:tag`, or the source as given (`oci:DIR`). Where several
    /// platforms of an image were scanned, [`super::Platform::name_of`] that.
    pub name: String,
    /// Whether it could be scanned.
    pub outcome: Outcome,
    /// Why not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub diagnosis: Option<Diagnosis>,
    /// What it holds; absent where nothing could be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inventory: Option<Inventory>,
    /// What is wrong with it, most severe first.
    pub findings: Vec<Finding>,
    /// What does not count, with reasons.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub suppressed: Vec<Suppressed>,
    /// What there was advisory data for, and what not.
    pub coverage: Vec<Coverage>,
    /// How many packages it holds, where not all are listed: a retest lists those with findings.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub packages: Option<usize>,
    /// What it has in all, where only the most severe findings are listed: reports of many images have an end.
    /// `plimsoll.json` has none, so this is no part of it.
    #[serde(skip)]
    pub summary: Option<Box<Summary>>,
}

/// What a scan was compared with, both sides judged by the same advisories.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Comparison {
    /// The baseline in words: `branch main`, a file, an image.
    pub baseline: String,
    /// When the baseline was scanned, UTC; absent where it was read for this scan.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scanned: Option<Timestamp>,
    /// The images that have a counterpart in the baseline. In others everything is introduced.
    pub images: Vec<ImageChange>,
}

/// What an image has no longer; what is new in it says each finding's [`super::Change`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageChange {
    /// [`ImageScan::name`].
    pub name: String,
    /// The name of its counterpart.
    pub baseline: String,
    /// Findings of the counterpart that this image does not have, most severe first.
    pub fixed: Vec<Finding>,
}

/// Whether the packages of one distribution or ecosystem could be judged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Coverage {
    /// The kind of packages.
    pub kind: PackageKind,
    /// The shard that was, or would have been, asked.
    pub shard: ShardName,
    /// How many packages of it the image holds.
    pub packages: usize,
    /// What came of it.
    pub status: CoverageStatus,
    /// The newest change in the shard's data, UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub date: Option<Timestamp>,
}

/// What [`Coverage`] says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CoverageStatus {
    /// There was data.
    Covered,
    /// The database has none: nothing may be concluded from the absence of findings.
    NoData,
}

impl ScanDocument {
    /// The format that this version writes and reads.
    pub const FORMAT: &'static str = "plimsoll-scan-1";

    /// All findings of all images.
    pub fn findings(&self) -> impl Iterator<Item = &Finding> {
        self.images.iter().flat_map(|image| &image.findings)
    }

    /// The numbers of all images together.
    #[must_use]
    pub fn totals(&self) -> Totals {
        self.images.iter().fold(Totals::default(), |sum, image| sum.and(&image.totals()))
    }
}

impl ImageScan {
    /// What was read of an image, before anything was found in it.
    #[must_use]
    pub fn of(name: String, inventory: Inventory) -> Self {
        Self {
            name,
            outcome: Outcome::Success,
            diagnosis: None,
            inventory: Some(inventory),
            findings: Vec::new(),
            suppressed: Vec::new(),
            coverage: Vec::new(),
            packages: None,
            summary: None,
        }
    }

    /// [`ImageScan::name`] without a platform: the source that was scanned.
    #[must_use]
    pub fn source_name(&self) -> &str {
        Platform::split_name(&self.name).0
    }

    /// What it has in all, whether or not it is listed.
    #[must_use]
    pub fn totals(&self) -> Totals {
        self.summary.as_ref().map_or_else(|| Totals::listed(self), |summary| summary.totals)
    }

    /// What its findings are about, whether or not they are listed.
    #[must_use]
    pub fn distinct(&self) -> Distinct {
        self.summary.as_ref().map_or_else(|| Distinct::listed(self), |summary| summary.distinct)
    }

    /// Whether it has findings, whether or not they are listed.
    #[must_use]
    pub fn has_findings(&self) -> bool {
        !self.findings.is_empty() || self.summary.as_ref().is_some_and(|summary| summary.totals.findings() > 0)
    }

    /// The number of its packages, whether or not they are listed.
    #[must_use]
    pub fn package_count(&self) -> usize {
        let listed = || self.inventory.as_ref().map_or(0, |inventory| inventory.packages.len());
        self.packages.unwrap_or_else(listed)
    }

    /// Whether everything that was found could be judged: no finding then means clean.
    #[must_use]
    pub fn is_fully_covered(&self) -> bool {
        self.outcome == Outcome::Success
            && self.coverage.iter().all(|c| c.status == CoverageStatus::Covered)
            && self.inventory.as_ref().is_some_and(|inventory| inventory.gaps.is_empty())
    }
}
