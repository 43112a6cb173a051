//! What a feed is, the table of all feeds, and where their records go.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use crate::model::{Advisory, AdvisoryDetails, CveFacts, FeedId, ShardName, SourceDate};

use super::Fetch;
use super::feeds::{alpine_secdb, cvss, debian_tracker, epss, kev, osv};

/// One upstream: which files it has, and how their bytes become records. Fetching is done for it.
pub trait Feed: Sync {
    /// Which feed it is.
    fn id(&self) -> FeedId;

    /// The licence of the data, for documentation.
    fn license(&self) -> &'static str;

    /// The upstream's own address of a path in the common layout; `None` where there is no public one.
    fn upstream(&self, path: &str) -> Option<String>;

    /// The files to read, of those shards only that are wanted (`None`: all).
    fn files(&self, fetch: &dyn Fetch, wanted: Option<&BTreeSet<ShardName>>) -> Vec<String>;

    /// Reads one file. A malformed record is told to the sink and skipped.
    ///
    /// # Errors
    /// The file as a whole is malformed.
    fn read(&self, path: &str, bytes: &[u8], sink: &mut Sink) -> Result<(), FeedError>;
}

/// All feeds.
pub static FEEDS: &[&dyn Feed] =
    &[&osv::Osv, &debian_tracker::DebianTracker, &alpine_secdb::AlpineSecdb, &kev::Kev, &epss::Epss, &cvss::Cvss];

/// A feed's file is malformed.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct FeedError(pub String);

impl FeedError {
    /// With what is wrong, as a lower-case fragment.
    pub fn new(reason: impl ToString) -> Self {
        Self(reason.to_string())
    }
}

/// Takes the records of all feeds, sorted into shards.
#[derive(Debug, Default)]
pub struct Sink {
    pub(super) shards: BTreeMap<ShardName, Records>,
    pub(super) cves: BTreeMap<String, CveFacts>,
    wanted: Option<BTreeSet<ShardName>>,
    /// Of the file that is being read.
    pub(super) source: SourceState,
}

/// The records of one shard.
#[derive(Debug, Default)]
pub(super) struct Records {
    pub(super) advisories: BTreeMap<String, Vec<Advisory>>,
    pub(super) details: BTreeMap<String, AdvisoryDetails>,
    pub(super) newest: Option<Timestamp>,
    pub(super) sources: BTreeMap<String, SourceDate>,
}

/// What is known of the file that is being read.
#[derive(Debug, Default)]
pub(super) struct SourceState {
    pub(super) name: String,
    pub(super) records: u64,
    pub(super) newest: Option<Timestamp>,
    pub(super) skipped: BTreeMap<String, Skipped>,
}

/// Records that were left out for one reason.
#[derive(Debug, Default, Clone)]
pub(super) struct Skipped {
    pub(super) count: u64,
    /// The first few.
    pub(super) named: Vec<String>,
}

impl Sink {
    pub(super) fn new(wanted: Option<BTreeSet<ShardName>>) -> Self {
        Self { wanted, ..Self::default() }
    }

    /// Whether records of a shard are kept: feeds can spare themselves the work otherwise.
    #[must_use]
    pub fn wants(&self, shard: &ShardName) -> bool {
        self.wanted.as_ref().is_none_or(|wanted| wanted.contains(shard))
    }

    /// A statement about the package `key` ([`super::lookup_key`]).
    pub fn advisory(&mut self, shard: &ShardName, key: String, advisory: Advisory) {
        if !self.wants(shard) {
            return;
        }
        let records = self.shards.entry(shard.clone()).or_default();
        let source = records.sources.entry(self.source.name.clone()).or_insert_with(|| SourceDate {
            source: self.source.name.clone(),
            date: None,
            records: 0,
        });
        source.records += 1;
        self.source.records += 1;
        records.advisories.entry(key).or_default().push(advisory);
    }

    /// What people read about an advisory of that shard; the first statement stays.
    pub fn details(&mut self, shard: &ShardName, id: &str, details: AdvisoryDetails) {
        if !self.wants(shard) {
            return;
        }
        let records = self.shards.entry(shard.clone()).or_default();
        records.newest = records.newest.max(details.modified);
        if let Some(source) = records.sources.get_mut(&self.source.name) {
            source.date = source.date.max(details.modified);
        }
        self.source.newest = self.source.newest.max(details.modified);
        records.details.entry(id.to_owned()).or_insert(details);
    }

    /// The date of the whole file, where its records have none.
    pub fn dated(&mut self, date: Timestamp) {
        self.source.newest = self.source.newest.max(Some(date));
    }

    /// What is known about a CVE.
    pub fn cve(&mut self, id: &str) -> &mut CveFacts {
        self.source.records += 1;
        self.cves.entry(id.to_owned()).or_default()
    }

    /// A record that is left out, and why.
    pub fn skip(&mut self, record: &str, reason: &str) {
        let skipped = self.source.skipped.entry(reason.to_owned()).or_default();
        skipped.count += 1;
        if skipped.named.len() < 3 {
            skipped.named.push(record.chars().take(80).collect());
        }
    }
}
