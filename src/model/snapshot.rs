//! What is remembered of an image between two retests, and the documents that hold it.
//!
//! [`StateIndex`] is the project's memory (`index.json`); [`SnapshotChanges`] is what one retest changed in it
//! (`plimsoll-snapshots.json`), the input of alerts.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::{
    Diagnosis, Digest, FixState, GapKind, Kev, Outcome, PackageKind, Platform, Severity, ShardName, SuppressionReason,
    Tool,
};

/// One tag and what was last known of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageSnapshot {
    /// `registry/repository:tag`.
    pub name: String,
    /// `registry/repository`.
    pub repository: String,
    /// The tag.
    pub tag: String,
    /// What the tag points to: the digest of a manifest or of an index.
    pub digest: Digest,
    /// Digest of the image's configuration: what its inventory is filed under.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config_digest: Option<Digest>,
    /// The platform that was taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform: Option<Platform>,
    /// When the tag was first seen, UTC.
    pub first_seen: Timestamp,
    /// When the registry last had it, UTC.
    pub last_seen: Timestamp,
    /// When it was last judged, UTC; absent where that never worked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_scanned: Option<Timestamp>,
    /// When the advisories were put together that it was last judged by, UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub advisories: Option<Timestamp>,
    /// The policy that a gate enforced on it then; absent where there was none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<String>,
    /// When it was first missed in the registry, UTC; absent while it is there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gone: Option<Timestamp>,
    /// Why the last attempt failed; the verdict is then an older one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<Diagnosis>,
    /// Whether nobody was told of that yet.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub failure_untold: bool,
    /// When the image was built, UTC, as it says itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created: Option<Timestamp>,
    /// Its distribution in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub distribution: Option<String>,
    /// Labels that hint at who owns it and where it comes from (`org.opencontainers.image.*`, `maintainer`, …).
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// The shards of advisories that its packages need.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub shards: Vec<ShardName>,
    /// What was found. In `index.json` without the findings, which are in a file of their own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verdict: Option<Verdict>,
    /// [`Verdict::hash`] of the verdict that was last handed over to alerts, and of the image that it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub told: Option<Told>,
}

/// Which verdict alerts know of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Told {
    /// What the tag pointed to.
    pub digest: Digest,
    /// [`ImageSnapshot::config_digest`] of that image.
    pub config_digest: Digest,
    /// [`Verdict::hash`].
    pub verdict: String,
    /// When it was handed over, UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Timestamp>,
}

/// The result of judging one image, as short as telling news from it later allows.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    /// Names the content: equal for verdicts that say the same.
    pub hash: String,
    /// Whether everything essential could be read and judged.
    pub outcome: Option<Outcome>,
    /// Findings that count, by severity.
    pub counts: SeverityCounts,
    /// How many of those an upgrade removes.
    pub fixable: usize,
    /// How many of those are known to be exploited.
    pub kev: usize,
    /// How many are suppressed.
    pub suppressed: usize,
    /// What could not be seen or judged.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub gaps: Vec<KnownGap>,
    /// The findings, suppressed ones too, sorted by their identity.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub findings: Vec<KnownFinding>,
}

/// A finding in a [`Verdict`]. `package`, `id` and `path` are its identity, which outlives rebuilds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KnownFinding {
    /// The package URL without version and qualifiers: `pkg:deb/debian/openssl`.
    pub package: String,
    /// The primary id: [`super::Finding::id`].
    pub id: String,
    /// Where a language package lies, with its version replaced by `*`; empty for OS packages.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub path: String,
    /// The package's kind.
    pub kind: PackageKind,
    /// The package's name.
    pub name: String,
    /// The installed version.
    pub version: String,
    /// How bad.
    pub severity: Severity,
    /// What its fix is.
    pub fix: FixState,
    /// The version that fixes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fixed_in: Option<String>,
    /// Whether it is known to be exploited.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kev: Option<Kev>,
    /// Why it does not count; absent where it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suppressed: Option<SuppressionReason>,
}

/// A gap in a [`Verdict`]: its words may change from day to day, this does not.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct KnownGap {
    /// What sort of gap.
    pub kind: GapKind,
    /// What it is about.
    pub subject: String,
}

/// Numbers of findings.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SeverityCounts {
    /// [`Severity::Critical`].
    pub critical: usize,
    /// [`Severity::High`].
    pub high: usize,
    /// [`Severity::Medium`].
    pub medium: usize,
    /// [`Severity::Low`].
    pub low: usize,
    /// [`Severity::Info`].
    pub info: usize,
    /// [`Severity::Unknown`].
    pub unknown: usize,
}

/// `index.json`: all images that a project remembers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StateIndex {
    /// [`StateIndex::FORMAT`]; readers refuse others.
    pub format: String,
    /// Who wrote it.
    pub tool: Tool,
    /// When, UTC.
    pub written: Timestamp,
    /// The images by [`ImageSnapshot::name`].
    pub images: BTreeMap<String, ImageSnapshot>,
    /// Counts per day (UTC) and repository, for trends.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub history: BTreeMap<Date, BTreeMap<String, DayCounts>>,
}

/// What all images of a repository had together on a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct DayCounts {
    /// When it was counted, UTC; the last count of a day stays.
    pub at: Timestamp,
    /// Number of images, those that share a configuration counted once.
    pub images: usize,
    /// Findings that count, over those images.
    pub counts: SeverityCounts,
    /// How many of those an upgrade removes.
    pub fixable: usize,
    /// How many of those are known to be exploited.
    pub kev: usize,
}

/// `plimsoll-snapshots.json`: what a retest changed, with all findings on both sides.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SnapshotChanges {
    /// [`SnapshotChanges::FORMAT`]; readers refuse others.
    pub format: String,
    /// When the retest began, UTC.
    pub started: Timestamp,
    /// Whether nothing was remembered before: nothing is news then.
    pub first_run: bool,
    /// As alerts last heard of them: those of `after` that were known, under the same names.
    pub before: Vec<ImageSnapshot>,
    /// Images that are new, moved, gone, failed or judged differently, as they are now.
    pub after: Vec<ImageSnapshot>,
    /// Names of the images of which there is no news.
    pub unchanged: Vec<String>,
}

impl StateIndex {
    /// The format that this version writes and reads.
    pub const FORMAT: &'static str = "plimsoll-state-1";

    /// An index that knows nothing.
    #[must_use]
    pub fn new(written: Timestamp) -> Self {
        Self {
            format: Self::FORMAT.into(),
            tool: Tool { name: env!("CARGO_PKG_NAME").into(), version: env!("CARGO_PKG_VERSION").into() },
            written,
            images: BTreeMap::new(),
            history: BTreeMap::new(),
        }
    }
}

impl SnapshotChanges {
    /// The format that this version writes and reads.
    pub const FORMAT: &'static str = "plimsoll-snapshots-1";

    /// The name of the file, beside `plimsoll.json`.
    pub const FILE: &'static str = "plimsoll-snapshots.json";
}

impl SeverityCounts {
    /// Counts findings.
    #[must_use]
    pub fn of(severities: impl IntoIterator<Item = Severity>) -> Self {
        let mut counts = Self::default();
        for severity in severities {
            *counts.of_mut(severity) += 1;
        }
        counts
    }

    /// The number of one severity.
    #[must_use]
    pub fn get(&self, severity: Severity) -> usize {
        match severity {
            Severity::Critical => self.critical,
            Severity::High => self.high,
            Severity::Medium => self.medium,
            Severity::Low => self.low,
            Severity::Info => self.info,
            Severity::Unknown => self.unknown,
        }
    }

    /// All of them.
    #[must_use]
    pub fn total(&self) -> usize {
        Severity::ALL.into_iter().map(|severity| self.get(severity)).sum()
    }

    /// Adds the numbers of another.
    pub fn add(&mut self, other: &Self) {
        for severity in Severity::ALL {
            *self.of_mut(severity) += other.get(severity);
        }
    }

    fn of_mut(&mut self, severity: Severity) -> &mut usize {
        match severity {
            Severity::Critical => &mut self.critical,
            Severity::High => &mut self.high,
            Severity::Medium => &mut self.medium,
            Severity::Low => &mut self.low,
            Severity::Info => &mut self.info,
            Severity::Unknown => &mut self.unknown,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_by_severity() {
        let mut counts = SeverityCounts::of([Severity::High, Severity::Unknown, Severity::High]);
        counts.add(&SeverityCounts::of([Severity::Critical]));
        assert_eq!(Severity::ALL.map(|severity| counts.get(severity)), [1, 2, 0, 0, 0, 1]);
        assert_eq!(counts.total(), 4);
    }

    #[test]
    fn an_index_is_read_back() {
        let now: Timestamp = "2026-11-21T12:00:00Z".parse().unwrap();
        let digest = Digest::from_sha256(&[1; 32]);
        let mut index = StateIndex::new(now);
        let snapshot = ImageSnapshot {
            name: "reg.io/g/p:1".into(),
            repository: "reg.io/g/p".into(),
            tag: "1".into(),
            digest: digest.clone(),
            config_digest: Some(digest.clone()),
            platform: Some(Platform::linux_amd64()),
            first_seen: now,
            last_seen: now,
            last_scanned: Some(now),
            advisories: None,
            policy: None,
            gone: None,
            failure: None,
            failure_untold: false,
            created: None,
            distribution: None,
            labels: BTreeMap::new(),
            shards: vec![ShardName::new("debian-12")],
            verdict: Some(Verdict { hash: "x".into(), ..Verdict::default() }),
            told: Some(Told { digest: digest.clone(), config_digest: digest, verdict: "x".into(), at: Some(now) }),
        };
        index.images.insert(snapshot.name.clone(), snapshot);
        let day = DayCounts { at: now, images: 1, counts: SeverityCounts::default(), fixable: 0, kev: 0 };
        index.history.entry(jiff::civil::date(2026, 11, 21)).or_default().insert("reg.io/g/p".into(), day);
        let json = serde_json::to_string(&index).unwrap();
        assert_eq!(serde_json::from_slice::<StateIndex>(json.as_bytes()).unwrap(), index);
    }
}
