//! A vulnerability in a package of an image.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Cvss, Epss, Factor, FeedId, FixState, Kev, PackageKind, Purl, Reference, Severity};

/// One vulnerability in one package: one per alias set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// The primary id: the CVE where there is one, else the ecosystem's own.
    pub id: String,
    /// All ids of the vulnerability and of the advisories about it, primary first, then in a stable order.
    pub identifiers: Vec<String>,
    /// The package.
    pub package: PackageRef,
    /// What to do.
    pub fix: Fix,
    /// How bad, as it counts.
    pub severity: Severity,
    /// What the source said, where the project lets [`Finding::factors`] decide and they say otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub original_severity: Option<Severity>,
    /// Who says how bad: `debian-tracker`, `osv`, `CVSS:3.1 (nvd)`, or `none`.
    pub severity_source: String,
    /// CVSS vectors, best source first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cvss: Vec<Cvss>,
    /// One line; empty where no feed has one.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub title: String,
    /// Markdown from the feed: untrusted text.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// Links; http, https or ftp only.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub references: Vec<Reference>,
    /// Weaknesses, `CWE-79`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cwes: Vec<String>,
    /// When the vulnerability was published, UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub published: Option<Timestamp>,
    /// When it was last changed, UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub modified: Option<Timestamp>,
    /// Whether it is known to be exploited.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kev: Option<Kev>,
    /// How likely it is to be exploited.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub epss: Option<Epss>,
    /// Why it is a finding: the statements that were compared.
    pub statements: Vec<Statement>,
    /// How it stands to the baseline; absent where the scan was compared with none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub change: Option<Change>,
    /// What speaks for more or less attention.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub factors: Vec<Factor>,
    /// Its place among all: the higher, the sooner it wants attention; 0 where nobody has judged that.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub score: u32,
}

impl Finding {
    /// What the id of a finding about a distribution without support begins with.
    pub const END_OF_LIFE: &'static str = "EOL-";

    /// The severity with all factors considered, whether or not it counts.
    #[must_use]
    pub fn weighed(&self) -> Severity {
        Factor::weigh(self.original_severity.unwrap_or(self.severity), &self.factors)
    }

    /// Whether it is about a distribution without support, not about a vulnerability.
    #[must_use]
    pub fn is_end_of_life(&self) -> bool {
        self.id.starts_with(Self::END_OF_LIFE)
    }
}

fn is_zero(score: &u32) -> bool {
    *score == 0
}

/// How a finding stands to the baseline, the image that this one is to replace.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Change {
    /// Not in the baseline: this image brought it.
    Introduced,
    /// In the baseline too, but not known when that was scanned: the advisories are new, not the package.
    Disclosed,
    /// In the baseline, and known then.
    Existing,
}

/// A package of the inventory, with what readers of a finding need at hand.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PackageRef {
    /// Index into [`super::Inventory::packages`].
    pub index: usize,
    /// Its kind.
    pub kind: PackageKind,
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Its package URL.
    pub purl: Purl,
}

/// What a finding's fix is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fix {
    /// The state that the deciding feed gives.
    pub state: FixState,
    /// The version of the *installed* package's kind to upgrade to, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// The source package that `version` belongs to, where its packages have versions of their own and theirs cannot be
    /// derived: the fix is in what was built from that version of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
}

impl Fix {
    /// Whether an upgrade removes the finding.
    #[must_use]
    pub fn is_available(&self) -> bool {
        self.version.is_some()
    }

    /// The version in words, with the source package that it is of where it is not the installed package's own.
    #[must_use]
    pub fn version_in_words(&self) -> Option<String> {
        let version = self.version.as_ref()?;
        Some(self.source.as_ref().map_or_else(|| version.clone(), |source| format!("{version} (of source {source})")))
    }
}

/// One feed's statement that made a finding, and the comparison that was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Statement {
    /// The feed.
    pub feed: FeedId,
    /// The advisory's id there.
    pub advisory: String,
    /// The name that was looked up: source or binary package.
    pub name: String,
    /// The comparison in words: `1.1.1n-0+deb11u4 < 1.1.1n-0+deb11u5 (deb)`.
    pub comparison: String,
}

/// A finding that is kept out of the counts, with the reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Suppressed {
    /// What was found.
    pub finding: Finding,
    /// Why it does not count.
    pub reason: SuppressionReason,
    /// The evidence in a sentence.
    pub explanation: String,
}

/// Why a finding does not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SuppressionReason {
    /// The files belong to an OS package and the distribution's data covers it.
    OwnedByOsPackage,
    /// The package comes from a third-party repository, which the distribution's data does not judge.
    ThirdPartyPackage,
    /// Headers of the kernel: no kernel runs from them.
    KernelHeaders,
    /// The installed version has no order with the advisory's, so nothing is known.
    NotComparable,
    /// A VEX statement says that it is not affected.
    Vex,
    /// An ignore rule of the project.
    IgnoreRule,
    /// A setting leaves it out: a severity threshold, or the status of its fix.
    Setting,
    /// The report was made of other findings only.
    Filter,
}

impl SuppressionReason {
    /// All reasons, in the order in which they are told.
    pub const ALL: [Self; 8] = [
        Self::OwnedByOsPackage,
        Self::ThirdPartyPackage,
        Self::KernelHeaders,
        Self::NotComparable,
        Self::Vex,
        Self::IgnoreRule,
        Self::Setting,
        Self::Filter,
    ];
}
