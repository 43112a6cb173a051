//! A database directory as a scan uses it: opened in place, read where asked.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;

use crate::model::{Advisory, AdvisoryDetails, CveFacts, DatabaseInfo, ShardName};

use super::catalogue::{Catalogue, FILE_NAME, FORMAT, Format, ShardEntry};
use super::index::{IndexError, IndexFile, Table};

/// An open database. Look-ups may come from any thread.
#[derive(Debug)]
pub struct Database {
    directory: PathBuf,
    info: DatabaseInfo,
    entries: BTreeMap<ShardName, ShardEntry>,
    open: Mutex<BTreeMap<ShardName, Shard>>,
}

/// One shard: the advisories of a distribution release or an ecosystem.
#[derive(Debug, Clone)]
pub struct Shard {
    index: Arc<IndexFile>,
    path: Arc<Path>,
    date: Option<Timestamp>,
}

/// A shard as `db status` shows it.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct ShardStatus {
    /// Its name.
    pub name: ShardName,
    /// Bytes.
    pub size: u64,
    /// Statements about packages.
    pub records: u64,
    /// The newest change in its data, UTC.
    pub newest: Option<Timestamp>,
}

/// A database cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DatabaseError {
    /// There is no database in the directory.
    #[error("there is no advisory database in `{}`", .0.display())]
    Missing(PathBuf),
    /// A file cannot be read.
    #[error("`{}` cannot be read: {cause}", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        cause: io::Error,
    },
    /// A file is damaged, of another format, or not the one that the catalogue names.
    #[error("`{}` cannot be used: {reason}", .path.display())]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
}

impl Database {
    /// Opens a directory that `db build` has made.
    ///
    /// # Errors
    /// There is no catalogue, or it cannot be used.
    pub fn open(directory: &Path) -> Result<Self, DatabaseError> {
        let path = directory.join(FILE_NAME);
        let file = File::open(&path).map_err(|cause| match cause.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => DatabaseError::Missing(directory.to_owned()),
            _ => DatabaseError::Read { path: path.clone(), cause },
        })?;
        let mut bytes = Vec::new();
        file.take(LARGEST_CATALOGUE)
            .read_to_end(&mut bytes)
            .map_err(|cause| DatabaseError::Read { path: path.clone(), cause })?;
        let corrupt = |reason: String| DatabaseError::Corrupt { path: path.clone(), reason };
        // First: another format need not have the members of this one.
        let Format { format } = serde_json::from_slice(&bytes).map_err(|error| corrupt(error.to_string()))?;
        if format != FORMAT {
            return Err(corrupt(format!("its format is `{format}`, this program reads `{FORMAT}`")));
        }
        let catalogue: Catalogue = serde_json::from_slice(&bytes).map_err(|error| corrupt(error.to_string()))?;
        let info = DatabaseInfo {
            origin: directory.display().to_string(),
            built: catalogue.built,
            example: catalogue.example,
            sources: catalogue.sources,
        };
        let entries = catalogue.shards.into_iter().map(|entry| (entry.name.clone(), entry)).collect();
        Ok(Self { directory: directory.to_owned(), info, entries, open: Mutex::default() })
    }

    /// What is known of the database as a whole.
    #[must_use]
    pub fn info(&self) -> &DatabaseInfo {
        &self.info
    }

    /// All shards, by name.
    #[must_use]
    pub fn shards(&self) -> Vec<ShardStatus> {
        let status = |entry: &ShardEntry| ShardStatus {
            name: entry.name.clone(),
            size: entry.size,
            records: entry.records,
            newest: entry.newest,
        };
        self.entries.values().map(status).collect()
    }

    /// A shard; `None` where the database has none of that name.
    ///
    /// # Errors
    /// Its file is missing, damaged, or not the one that the catalogue names.
    pub fn shard(&self, name: &ShardName) -> Result<Option<Shard>, DatabaseError> {
        let Some(entry) = self.entries.get(name) else { return Ok(None) };
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(shard) = open.get(name) {
            return Ok(Some(shard.clone()));
        }
        // The name is a key of ours, but the catalogue is a file that somebody may have changed.
        if entry.file.is_empty() || entry.file.contains(['/', '\\']) || entry.file.starts_with('.') {
            let reason = format!("it names the shard file `{}`", entry.file);
            return Err(DatabaseError::Corrupt { path: self.directory.join(FILE_NAME), reason });
        }
        let path = self.directory.join(&entry.file);
        let read = |cause| DatabaseError::Read { path: path.clone(), cause };
        let file = File::open(&path).map_err(read)?;
        let size = file.metadata().map_err(read)?.len();
        let corrupt = |reason: String| DatabaseError::Corrupt { path: path.clone(), reason };
        if size != entry.size {
            return Err(corrupt(format!("it has {size} bytes, the catalogue says {}", entry.size)));
        }
        let index = IndexFile::open(file).map_err(|error| corrupt(error.to_string()))?;
        if index.header().name != *name {
            return Err(corrupt(format!("it is the shard `{}`", index.header().name)));
        }
        let shard = Shard { index: Arc::new(index), path: path.clone().into(), date: entry.newest };
        open.insert(name.clone(), shard.clone());
        Ok(Some(shard))
    }

    /// What is known about a CVE whatever the package.
    ///
    /// # Errors
    /// The shard `cve` cannot be read.
    pub fn cve_facts(&self, cve: &str) -> Result<Option<CveFacts>, DatabaseError> {
        match self.shard(&ShardName::new(CVE_SHARD))? {
            Some(shard) => shard.value(Table::Records, cve),
            None => Ok(None),
        }
    }
}

impl Shard {
    /// The statements about a package, by its [`super::lookup_key`].
    ///
    /// # Errors
    /// The file is damaged.
    pub fn lookup(&self, key: &str) -> Result<Vec<Advisory>, DatabaseError> {
        Ok(self.value(Table::Records, key)?.unwrap_or_default())
    }

    /// What people read about an advisory.
    ///
    /// # Errors
    /// The file is damaged.
    pub fn details(&self, advisory: &str) -> Result<Option<AdvisoryDetails>, DatabaseError> {
        self.value(Table::Details, advisory)
    }

    /// The newest change in its data, UTC.
    #[must_use]
    pub fn date(&self) -> Option<Timestamp> {
        self.date
    }

    fn value<T: serde::de::DeserializeOwned>(&self, table: Table, key: &str) -> Result<Option<T>, DatabaseError> {
        let corrupt = |reason: String| DatabaseError::Corrupt { path: self.path.to_path_buf(), reason };
        let bytes = self.index.get(table, key).map_err(|error: IndexError| corrupt(error.to_string()))?;
        let value = bytes.map(|bytes| postcard::from_bytes(&bytes)).transpose();
        value.map_err(|error| corrupt(format!("the entry `{key}`: {error}")))
    }
}

/// The shard of facts per CVE.
pub(super) const CVE_SHARD: &str = "cve";

const LARGEST_CATALOGUE: u64 = 16 << 20;
