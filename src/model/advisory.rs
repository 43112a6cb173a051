//! What feeds say: one record model for all of them.

use std::fmt;

use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::Severity;

/// One upstream's statement about one package: the part that matching reads. [`AdvisoryDetails`] holds the rest.
///
/// Stored in the advisory index in the order of its fields; a change here is a change of the index format.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Advisory {
    /// The upstream's id: `GHSA-…`, `PYSEC-…`, `DSA-5532-1`, `ALSA-2024:3339`, `CVE-…`.
    pub id: String,
    /// Other ids of the *same* vulnerability.
    pub aliases: Vec<String>,
    /// Vulnerabilities that this advisory covers (a DSA fixes many CVEs): one finding for each. Empty: the
    /// advisory is itself the vulnerability.
    pub covers: Vec<String>,
    /// Affected version ranges, in the order of the package's version scheme. Empty with `versions` empty too:
    /// all versions.
    pub ranges: Vec<Range>,
    /// Affected versions that the ranges do not contain already.
    pub versions: Vec<String>,
    /// What the upstream says about a fix.
    pub fix: FixState,
    /// The upstream's own severity for this package.
    pub severity: Option<Severity>,
    /// What must hold besides the version.
    pub constraints: Vec<Constraint>,
    /// The feed that says so.
    pub feed: FeedId,
}

/// Affected versions as events in ascending order (OSV schema, "affected[].ranges[].events").
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Range {
    /// The events.
    pub events: Vec<Event>,
}

/// One event of a [`Range`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Event {
    /// Affected from this version on; `0` is before all versions.
    Introduced(String),
    /// No longer affected from this version on.
    Fixed(String),
    /// The last version that is affected.
    LastAffected(String),
    /// Versions from here on are not described by the range.
    Limit(String),
}

/// What an upstream says about a fix in this distribution release or ecosystem.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FixState {
    /// There is a fixed version.
    Fixed,
    /// Affected, no fix yet.
    NotFixed,
    /// The vendor will not fix it in this release.
    WillNotFix,
    /// The vendor has put it off.
    Deferred,
    /// The vendor is looking into it.
    UnderInvestigation,
    /// Not affected; such a record overrules others of lower rank.
    NotAffected,
    /// The release or package gets no fixes any more.
    EndOfLife,
    /// Nothing is said.
    Unknown,
}

/// What must hold besides the version for an [`Advisory`] to concern a package.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Constraint {
    /// One of these architectures.
    Arch(Vec<String>),
    /// The rpm module `name:stream` that the package must belong to.
    Module(String),
    /// One of these CPEs must be among the image's content sets or products.
    Cpe(Vec<String>),
    /// The repository or channel that the package must come from (`esm-apps`, `ksplice`, `fips`, `amazon2-extras`).
    Repository(String),
}

/// The feeds. The order is the rank among statements about the same distribution: the earlier one decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FeedId {
    /// Debian's security tracker.
    DebianTracker,
    /// Alpine's secdb and the same format of Wolfi and Chainguard.
    AlpineSecdb,
    /// Red Hat's VEX documents.
    RedHat,
    /// Red Hat's OVAL, of older releases.
    RedHatOval,
    /// Oracle Linux's errata.
    Oracle,
    /// SUSE's and openSUSE's OVAL.
    Suse,
    /// Amazon Linux's errata.
    Amazon,
    /// Fedora's updates.
    Fedora,
    /// Photon OS's errata.
    Photon,
    /// OVAL of Azure Linux and CBL-Mariner.
    AzureLinux,
    /// AlmaLinux's errata.
    AlmaLinux,
    /// Rocky Linux's errata.
    Rocky,
    /// The Go vulnerability database.
    GoVulndb,
    /// An OSV export.
    Osv,
    /// Ubuntu's OVAL; its OSV says more.
    UbuntuOval,
    /// CISA's catalogue of known exploited vulnerabilities.
    Kev,
    /// FIRST's exploit prediction scores.
    Epss,
    /// endoflife.date.
    EndOfLife,
    /// CVSS vectors per CVE.
    Cvss,
}

impl FeedId {
    /// The name that people and files use.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::DebianTracker => "debian-tracker",
            Self::AlpineSecdb => "alpine-secdb",
            Self::RedHat => "redhat",
            Self::RedHatOval => "redhat-oval",
            Self::Oracle => "oracle",
            Self::Suse => "suse",
            Self::Amazon => "amazon",
            Self::Fedora => "fedora",
            Self::Photon => "photon",
            Self::AzureLinux => "azure-linux",
            Self::AlmaLinux => "almalinux",
            Self::Rocky => "rocky",
            Self::GoVulndb => "govulndb",
            Self::Osv => "osv",
            Self::UbuntuOval => "ubuntu-oval",
            Self::Kev => "kev",
            Self::Epss => "epss",
            Self::EndOfLife => "endoflife",
            Self::Cvss => "cvss",
        }
    }
}

impl fmt::Display for FeedId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// The part of an advisory that people read, looked up by id for findings only.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AdvisoryDetails {
    /// One line.
    pub summary: String,
    /// Markdown, cut to 1,500 characters when the index is built.
    pub description: String,
    /// CVSS vectors as the feed gives them.
    pub cvss: Vec<Cvss>,
    /// Links, at most 20.
    pub references: Vec<Reference>,
    /// Weaknesses, `CWE-79`.
    pub cwes: Vec<String>,
    /// When it was published, UTC.
    pub published: Option<Timestamp>,
    /// When it was last changed, UTC.
    pub modified: Option<Timestamp>,
}

/// A CVSS vector and its score.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Cvss {
    /// The vector string; versions 2 (without prefix), 3.x and 4.0.
    pub vector: String,
    /// The base score that the vector yields, 0.0–10.0.
    pub score: f64,
    /// Who gave it.
    pub source: String,
}

impl Eq for Cvss {}

/// A link.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reference {
    /// OSV's type: `ADVISORY`, `FIX`, `WEB`, ….
    pub kind: String,
    /// The address; http, https or ftp.
    pub url: String,
}

/// What is known about a CVE whatever the package: the index's shard `cve`, by CVE id, or by another name of it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct CveFacts {
    /// Its entry in CISA's catalogue.
    pub kev: Option<Kev>,
    /// Its exploit prediction.
    pub epss: Option<Epss>,
    /// CVSS vectors, best source first.
    pub cvss: Vec<Cvss>,
    /// The CVE, where the entry is kept under another name of the vulnerability (`GHSA-…`, `GO-…`).
    pub alias_of: Option<String>,
}

/// An entry of CISA's catalogue of known exploited vulnerabilities.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kev {
    /// When it was added.
    pub added: Date,
    /// When United States agencies must have dealt with it.
    pub due: Option<Date>,
    /// Whether ransomware is known to use it.
    pub ransomware: bool,
}

/// FIRST's exploit prediction for the next 30 days.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Epss {
    /// Probability, 0–1.
    pub score: f64,
    /// Share of CVEs with a lower score, 0–1.
    pub percentile: f64,
    /// The day of the score. Databases keep it once, as the date of the source `epss`.
    pub date: Option<Date>,
}

impl Eq for Epss {}

/// The name of a shard of the index: a distribution release (`debian-12`), a language ecosystem (`npm`, `crates.io`,
/// by OSV's name in lower case), or `cve`. Lower-case letters, digits, `.` and `-`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ShardName(String);

impl ShardName {
    /// The name, with every character that shard names do not allow replaced by `-`.
    pub fn new(text: impl AsRef<str>) -> Self {
        let allowed = |c: char| if c.is_ascii_alphanumeric() || c == '.' { c.to_ascii_lowercase() } else { '-' };
        Self(text.as_ref().chars().map(allowed).collect())
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ShardName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}
