//! A database as a scan uses it: a directory or files in the cache, opened in place, read where asked.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::model::{Advisory, AdvisoryDetails, CveFacts, DatabaseInfo, Distribution, EndOfLife, FeedId, ShardName};

use super::cache::{Cache, digest_of};
use super::catalogue::{Catalogue, CatalogueError, FILE_NAME, LARGEST, Layer, SIGNATURE_NAME, ShardEntry};
use super::feed::REPOSITORIES;
use super::index::{Blocks, IndexError, IndexFile, Stack, Table, VERSION};
use super::signature::{PublicKeys, SignatureError, Trust, judge};

/// An open database. Look-ups may come from any thread.
#[derive(Debug)]
pub struct Database {
    store: Store,
    trust: Trust,
    info: DatabaseInfo,
    entries: BTreeMap<ShardName, ShardEntry>,
    open: Mutex<BTreeMap<ShardName, Shard>>,
    /// What is kept of all shards.
    blocks: Arc<Blocks>,
}

/// Where the files are.
#[derive(Debug)]
enum Store {
    Directory(PathBuf),
    /// Whoever put them there has verified them.
    Cache(Cache),
}

impl Store {
    fn path(&self, entry: &ShardEntry, layer: &Layer) -> PathBuf {
        match self {
            Self::Directory(path) => path.join(entry.file_name(layer)),
            Self::Cache(cache) => cache.path(&layer.digest),
        }
    }
}

/// One shard: the advisories of a distribution release or an ecosystem.
#[derive(Debug, Clone)]
pub struct Shard {
    index: Arc<Stack>,
    path: Arc<Path>,
    date: Option<Timestamp>,
    artifacts: Arc<OnceLock<Artifacts>>,
}

/// Names such as `group:artifact` by what stands behind the colon.
type Artifacts = BTreeMap<String, Vec<String>>;

/// A shard as `db status` shows it.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct ShardStatus {
    /// Its name.
    pub name: ShardName,
    /// Bytes, of all its files.
    pub size: u64,
    /// How many of the files are deltas.
    pub deltas: usize,
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
    /// It was made by another version of this program, in another format.
    #[error("`{origin}` cannot be read by this version of plimsoll: {reason}")]
    Format {
        /// The file or reference.
        origin: String,
        /// Which format it has.
        reason: String,
        /// Whether it is the program that is too old, not the database.
        is_newer: bool,
    },
    /// A file is damaged, or not the one that the catalogue names.
    #[error("`{}` cannot be used: {reason}", .path.display())]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// Its signature does not hold.
    #[error("`{origin}` is not trusted: {reason}")]
    Untrusted {
        /// The directory or reference.
        origin: String,
        /// Why.
        #[source]
        reason: SignatureError,
    },
}

impl DatabaseError {
    /// Of a catalogue in another format.
    pub(super) fn of_format(origin: &str, error: &CatalogueError) -> Self {
        let is_newer = matches!(error, CatalogueError::Format { is_newer: true, .. });
        Self::Format { origin: origin.to_owned(), reason: error.to_string(), is_newer }
    }
}

impl Database {
    /// Opens a directory that `db build` has made.
    ///
    /// # Errors
    /// There is no catalogue, or it cannot be used.
    pub fn open(directory: &Path) -> Result<Self, DatabaseError> {
        Self::open_trusted(directory, None)
    }

    /// The same; where there are keys, one of them must have signed the catalogue, and shards are compared with the
    /// digests that it names.
    ///
    /// # Errors
    /// There is no catalogue, it cannot be used, or its signature does not hold.
    pub fn open_trusted(directory: &Path, keys: Option<&PublicKeys>) -> Result<Self, DatabaseError> {
        let (bytes, signature) = read_catalogue(directory)?;
        let origin = directory.display().to_string();
        let trust = judge(keys, &bytes, signature.as_deref())
            .map_err(|reason| DatabaseError::Untrusted { origin: origin.clone(), reason })?;
        let catalogue = Catalogue::read(&bytes).map_err(|error| {
            let path = directory.join(FILE_NAME);
            match error {
                CatalogueError::Invalid(reason) => DatabaseError::Corrupt { path, reason },
                error => DatabaseError::of_format(&path.display().to_string(), &error),
            }
        })?;
        Ok(Self::of(Store::Directory(directory.to_owned()), catalogue, origin, trust))
    }

    /// The database of a catalogue whose files are in the cache, as far as they are needed.
    pub(super) fn of_cache(cache: Cache, catalogue: Catalogue, origin: String, trust: Trust) -> Self {
        Self::of(Store::Cache(cache), catalogue, origin, trust)
    }

    fn of(store: Store, catalogue: Catalogue, origin: String, trust: Trust) -> Self {
        let info = catalogue.info(origin);
        let entries = catalogue.shards.into_iter().map(|entry| (entry.name.clone(), entry)).collect();
        Self { store, trust, info, entries, open: Mutex::default(), blocks: Arc::default() }
    }

    /// Keeps up to so many bytes of what was read, which pays where many images are judged.
    pub fn keep(&self, bytes: usize) {
        self.blocks.allow(bytes);
    }

    /// What is known of the database as a whole.
    #[must_use]
    pub fn info(&self) -> &DatabaseInfo {
        &self.info
    }

    /// What is known of its signature.
    #[must_use]
    pub fn trust(&self) -> Trust {
        self.trust
    }

    /// All shards, by name.
    #[must_use]
    pub fn shards(&self) -> Vec<ShardStatus> {
        let status = |entry: &ShardEntry| ShardStatus {
            name: entry.name.clone(),
            size: entry.total(),
            deltas: entry.deltas.len(),
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
        let files: Result<Vec<_>, _> = entry.layers().map(|layer| self.file(entry, &layer)).collect();
        let base = Layer { digest: entry.digest.clone(), size: entry.size };
        let path = self.store.path(entry, &base);
        let corrupt = |reason: String| DatabaseError::Corrupt { path: path.clone(), reason };
        let index = Stack::new(files?).map_err(|error| corrupt(error.to_string()))?;
        if index.header().name != *name {
            return Err(corrupt(format!("it is the shard `{}`", index.header().name)));
        }
        let shard = Shard { index: Arc::new(index), path: path.into(), date: entry.newest, artifacts: Arc::default() };
        open.insert(name.clone(), shard.clone());
        Ok(Some(shard))
    }

    /// One file of a shard, with the size and, where the database is signed, the digest of the catalogue.
    fn file(&self, entry: &ShardEntry, layer: &Layer) -> Result<IndexFile, DatabaseError> {
        // The name is a key of ours, but the catalogue is a file that somebody may have changed.
        if let Store::Directory(directory) = &self.store
            && (entry.file.is_empty() || entry.file.contains(['/', '\\']) || entry.file.starts_with('.'))
        {
            let reason = format!("it names the shard file `{}`", entry.file);
            return Err(DatabaseError::Corrupt { path: directory.join(FILE_NAME), reason });
        }
        let path = self.store.path(entry, layer);
        let read = |cause| DatabaseError::Read { path: path.clone(), cause };
        let file = File::open(&path).map_err(read)?;
        let size = file.metadata().map_err(read)?.len();
        let corrupt = |reason: String| DatabaseError::Corrupt { path: path.clone(), reason };
        if size != layer.size {
            return Err(corrupt(format!("it has {size} bytes, the catalogue says {}", layer.size)));
        }
        if matches!(self.store, Store::Directory(_)) && self.trust == Trust::Verified {
            let digest = digest_of(&file, size).map_err(read)?;
            if digest != layer.digest {
                return Err(corrupt(format!("it has the digest {digest}, the signed catalogue says {}", layer.digest)));
            }
        }
        IndexFile::open_with(file, &self.blocks).map_err(|error| match error {
            IndexError::Version(version) => DatabaseError::Format {
                origin: path.display().to_string(),
                reason: error.to_string(),
                is_newer: version > VERSION,
            },
            error => corrupt(error.to_string()),
        })
    }

    /// What is known about a CVE whatever the package.
    ///
    /// # Errors
    /// The shard `cve` cannot be read.
    pub fn cve_facts(&self, cve: &str) -> Result<Option<CveFacts>, DatabaseError> {
        let Some(shard) = self.shard(&ShardName::new(CVE_SHARD))? else { return Ok(None) };
        let mut facts: Option<CveFacts> = shard.value(Table::Records, cve)?;
        // The day is the same for all of them, and kept once.
        if let Some(epss) = facts.as_mut().and_then(|facts| facts.epss.as_mut()) {
            let sources = &shard.index.header().sources;
            let day = sources.iter().find(|source| source.source == FeedId::Epss.name()).and_then(|source| source.date);
            epss.date = epss.date.or_else(|| day.map(|day| day.to_zoned(TimeZone::UTC).date()));
        }
        Ok(facts)
    }

    /// When support of a distribution's release ends, where that is known.
    ///
    /// # Errors
    /// The shard `cve`, which holds it, cannot be read.
    pub fn end_of_life(&self, distribution: &Distribution) -> Result<Option<EndOfLife>, DatabaseError> {
        match self.shard(&ShardName::new(CVE_SHARD))? {
            Some(shard) => shard.value(Table::Details, distribution.lifecycle().as_str()),
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

    /// The names that advisories have for Java's artifacts of this name, whatever the group, in order. The first one who asks
    /// reads all records.
    ///
    /// # Errors
    /// The file is damaged.
    pub fn names_of_artifact(&self, artifact: &str) -> Result<&[String], DatabaseError> {
        let all = match self.artifacts.get() {
            Some(all) => all,
            None => {
                let all = self.artifacts()?;
                self.artifacts.get_or_init(|| all)
            }
        };
        Ok(all.get(artifact).map(Vec::as_slice).unwrap_or_default())
    }

    fn artifacts(&self) -> Result<Artifacts, DatabaseError> {
        let mut all = Artifacts::new();
        let read = self.index.each_file(|file| {
            file.each(Table::Records, |key, _| {
                if let Some((_, artifact)) = key.split_once(':') {
                    all.entry(artifact.to_owned()).or_default().push(key.to_owned());
                }
                Ok::<(), IndexError>(())
            })
        });
        read.map_err(|error| DatabaseError::Corrupt { path: self.path.to_path_buf(), reason: error.to_string() })?;
        for names in all.values_mut() {
            names.sort_unstable();
            names.dedup();
        }
        Ok(all)
    }

    /// What people read about an advisory.
    ///
    /// # Errors
    /// The file is damaged.
    pub fn details(&self, advisory: &str) -> Result<Option<AdvisoryDetails>, DatabaseError> {
        self.value(Table::Details, advisory)
    }

    /// The products, as CPEs, that packages of one of Red Hat's repositories belong to; `None` where the list that the
    /// shard was built with does not name it.
    ///
    /// # Errors
    /// The file is damaged.
    pub fn products_of(&self, repository: &str) -> Result<Option<Vec<String>>, DatabaseError> {
        self.value(Table::Details, &repository_key(repository))
    }

    /// Whether the shard was built with a list of repositories.
    #[must_use]
    pub fn lists_repositories(&self) -> bool {
        self.index.header().sources.iter().any(|source| source.source == REPOSITORIES && source.records > 0)
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

/// The bytes of a directory's catalogue and those of its signature.
pub(super) fn read_catalogue(directory: &Path) -> Result<(Vec<u8>, Option<Vec<u8>>), DatabaseError> {
    let path = directory.join(FILE_NAME);
    let bytes = read_bounded(&path, LARGEST).map_err(|cause| match cause.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => DatabaseError::Missing(directory.to_owned()),
        _ => DatabaseError::Read { path, cause },
    })?;
    let path = directory.join(SIGNATURE_NAME);
    match read_bounded(&path, LARGEST_SIGNATURE) {
        Ok(signature) => Ok((bytes, Some(signature))),
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => Ok((bytes, None)),
        Err(cause) => Err(DatabaseError::Read { path, cause }),
    }
}

/// The beginning of a file; what is cut off fails to parse.
fn read_bounded(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(limit).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// What a repository is kept by, beside the advisories that people read about.
pub(super) fn repository_key(name: &str) -> String {
    format!("repository:{name}")
}

/// The shard of facts per CVE.
pub(super) const CVE_SHARD: &str = "cve";

const LARGEST_SIGNATURE: u64 = 1 << 10;
