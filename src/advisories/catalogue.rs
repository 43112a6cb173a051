//! The catalogue: which shards a database directory holds.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::model::{Digest, ShardName, SourceDate};

/// `catalogue.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Catalogue {
    /// [`FORMAT`].
    pub(super) format: String,
    /// When it was built, UTC.
    pub(super) built: Timestamp,
    /// Whether the advisories are examples.
    #[serde(default)]
    pub(super) example: bool,
    /// The feeds.
    pub(super) sources: Vec<SourceDate>,
    /// The shards, by name.
    pub(super) shards: Vec<ShardEntry>,
}

/// The member of `catalogue.json` that says how to read the others.
#[derive(Deserialize)]
pub(super) struct Format {
    pub(super) format: String,
}

/// One shard of the catalogue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct ShardEntry {
    pub(super) name: ShardName,
    /// `<name>-<first 12 digits of the digest>.shard`.
    pub(super) file: String,
    pub(super) digest: Digest,
    /// Bytes.
    pub(super) size: u64,
    /// Statements about packages.
    pub(super) records: u64,
    /// The newest change in its data, UTC.
    pub(super) newest: Option<Timestamp>,
}

/// The version of the catalogue's format.
pub(super) const FORMAT: &str = "plimsoll-database-1";

/// Its name in the directory.
pub(super) const FILE_NAME: &str = "catalogue.json";
