//! The catalogue: which shards a database holds, and of which files each is made.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::model::{DatabaseInfo, Digest, ShardName, SourceDate};

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
    /// What changed since `file`, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) deltas: Vec<Layer>,
    /// With deltas: the digest of the file that they make of `file`, had it been written as a whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) whole: Option<Digest>,
}

/// One file of a shard.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Layer {
    pub(super) digest: Digest,
    /// Bytes.
    pub(super) size: u64,
}

/// A catalogue cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum CatalogueError {
    /// It is of another version of the format.
    #[error("its format is `{found}`, this program reads `{FORMAT}`")]
    Format {
        /// What it says of itself.
        found: String,
        /// Whether the version is one that came after ours.
        is_newer: bool,
    },
    /// It is no catalogue, or a damaged one.
    #[error("{0}")]
    Invalid(String),
}

impl Catalogue {
    /// Reads `catalogue.json`.
    pub(super) fn read(bytes: &[u8]) -> Result<Self, CatalogueError> {
        let invalid = |error: serde_json::Error| CatalogueError::Invalid(error.to_string());
        // First: another format need not have the members of this one.
        let Format { format: found } = serde_json::from_slice(bytes).map_err(invalid)?;
        if found != FORMAT {
            let version = |format: &str| format.strip_prefix(FORMATS)?.parse::<u32>().ok();
            let is_newer = version(&found) > version(FORMAT);
            return Err(CatalogueError::Format { found: found.chars().take(80).collect(), is_newer });
        }
        let catalogue: Self = serde_json::from_slice(bytes).map_err(invalid)?;
        let files = catalogue.shards.iter().map(|shard| 1 + shard.deltas.len()).max().unwrap_or(0);
        if catalogue.shards.len() > MOST_SHARDS || files > MOST_FILES {
            let reason = format!("it names {} shards, or {files} files for one", catalogue.shards.len());
            return Err(CatalogueError::Invalid(reason));
        }
        Ok(catalogue)
    }

    /// `catalogue.json`, as it is signed.
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        // Plain data with string keys: encoding cannot fail.
        let mut json = serde_json::to_vec_pretty(self).unwrap_or_default();
        json.push(b'\n');
        json
    }

    /// What the database says of itself, opened from `origin`.
    pub(super) fn info(&self, origin: String) -> DatabaseInfo {
        DatabaseInfo { origin, built: self.built, example: self.example, sources: self.sources.clone() }
    }
}

impl ShardEntry {
    /// All files, the base first.
    pub(super) fn layers(&self) -> impl Iterator<Item = Layer> {
        let base = Layer { digest: self.digest.clone(), size: self.size };
        std::iter::once(base).chain(self.deltas.iter().cloned())
    }

    /// Bytes of all files.
    pub(super) fn total(&self) -> u64 {
        self.layers().fold(0, |sum, layer| sum.saturating_add(layer.size))
    }

    /// The digest of the shard as one file.
    pub(super) fn whole(&self) -> &Digest {
        self.whole.as_ref().unwrap_or(&self.digest)
    }

    /// The name in a directory of one of its files.
    pub(super) fn file_name(&self, layer: &Layer) -> String {
        if layer.digest == self.digest { self.file.clone() } else { file_name(&self.name, &layer.digest) }
    }
}

/// `debian-12-f4f7cf997e63.shard`.
pub(super) fn file_name(shard: &ShardName, digest: &Digest) -> String {
    format!("{shard}-{}.{EXTENSION}", digest.short())
}

#[derive(Deserialize)]
struct Format {
    format: String,
}

/// The version of the catalogue's format.
pub(super) const FORMAT: &str = "plimsoll-database-1";
const FORMATS: &str = "plimsoll-database-";

/// Its name in the directory.
pub(super) const FILE_NAME: &str = "catalogue.json";

/// The name of its signature.
pub(super) const SIGNATURE_NAME: &str = "catalogue.json.sig";

/// What shard files end with.
pub(super) const EXTENSION: &str = "shard";

/// No catalogue is longer, in bytes.
pub(super) const LARGEST: u64 = 16 << 20;

const MOST_SHARDS: usize = 10_000;
const MOST_FILES: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_versions_are_told_from_damage() {
        for (format, expected) in [
            ("plimsoll-database-2", Some(true)),
            ("plimsoll-database-0", Some(false)),
            ("something-else", Some(false)),
            (FORMAT, None),
        ] {
            let found = Catalogue::read(format!(r#"{{"format":"{format}"}}"#).as_bytes());
            let is_newer = match found {
                Err(CatalogueError::Format { is_newer, .. }) => Some(is_newer),
                Err(CatalogueError::Invalid(_)) | Ok(_) => None,
            };
            assert_eq!(is_newer, expected, "{format}");
        }
    }
}
