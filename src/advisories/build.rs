//! Builds a database: all feeds → shards → files.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;
use sha2::{Digest as _, Sha256};

use crate::model::{Digest, ShardName, SourceDate};

use super::catalogue::{Catalogue, FILE_NAME, FORMAT, ShardEntry};
use super::database::CVE_SHARD;
use super::feed::{FEEDS, Records, Sink, SourceState};
use super::fetch::{Fetch, FetchError};
use super::index::{self, TableWriter};

/// How to build.
#[derive(Debug, Clone, Default)]
pub struct BuildOptions {
    /// The shards to build (facts per CVE come always); `None`: all.
    pub only: Option<BTreeSet<ShardName>>,
}

/// What was built.
#[derive(Debug, Clone, Default)]
pub struct BuildReport {
    /// Every file that was read, or could not be.
    pub sources: Vec<SourceReport>,
    /// Every shard.
    pub shards: Vec<ShardSize>,
}

/// What came of one file of a feed.
#[derive(Debug, Clone)]
pub struct SourceReport {
    /// `osv/npm/all.zip`.
    pub source: String,
    /// Records taken.
    pub records: u64,
    /// Records left out: reason, number, the first few.
    pub skipped: Vec<(String, u64, Vec<String>)>,
    /// Why the file as a whole could not be used.
    pub failure: Option<String>,
}

/// A shard that was written.
#[derive(Debug, Clone)]
pub struct ShardSize {
    /// Its name.
    pub name: ShardName,
    /// Bytes.
    pub size: u64,
    /// Statements about packages, or CVEs.
    pub records: u64,
}

/// A database could not be built.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// The place of the feeds cannot be reached at all.
    #[error(transparent)]
    Unreachable(FetchError),
    /// There was not one record.
    #[error("no advisories were found in {0}")]
    NothingFound(String),
    /// A file cannot be written.
    #[error("`{}` cannot be written: {cause}", .path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        cause: io::Error,
    },
}

/// Reads all feeds and writes a database into `to`. A file that cannot be read is reported and costs nothing else. The
/// new catalogue takes the place of the old one in one step; shards that it does not name are removed after that.
///
/// # Errors
/// There is nothing to read, or the directory cannot be written.
pub fn build(fetch: &dyn Fetch, to: &Path, options: &BuildOptions) -> Result<BuildReport, BuildError> {
    let mut sink = Sink::new(options.only.clone());
    let mut report = BuildReport::default();
    let mut sources = Vec::new();
    for feed in FEEDS {
        for path in feed.files(fetch, options.only.as_ref()) {
            sink.source = SourceState { name: source_name(&path), ..SourceState::default() };
            let failure = match fetch.get(&path) {
                Ok(Some(bytes)) => feed.read(&path, &bytes, &mut sink).err().map(|error| error.to_string()),
                Ok(None) => continue,
                Err(error) if error.unreachable => return Err(BuildError::Unreachable(error)),
                Err(error) => Some(error.reason),
            };
            let state = std::mem::take(&mut sink.source);
            if state.records > 0 {
                sources.push(SourceDate { source: state.name, date: state.newest, records: state.records });
            }
            report.sources.push(SourceReport {
                source: path,
                records: state.records,
                skipped: state
                    .skipped
                    .into_iter()
                    .map(|(reason, skipped)| (reason, skipped.count, skipped.named))
                    .collect(),
                failure,
            });
        }
    }
    if sink.shards.is_empty() {
        return Err(BuildError::NothingFound(fetch.origin()));
    }
    let example = fetch.get("EXAMPLE").ok().flatten().is_some();
    report.shards = write(sink, merged(sources), example, to)?;
    Ok(report)
}

/// `osv/npm/all.zip` is the source `osv/npm`, a loose `osv/x.json` is one of `osv`.
fn source_name(path: &str) -> String {
    path.rsplit_once('/').map_or(path, |(folder, _)| folder).to_owned()
}

fn merged(sources: Vec<SourceDate>) -> Vec<SourceDate> {
    let mut merged: Vec<SourceDate> = Vec::new();
    for source in sources {
        match merged.iter_mut().find(|known| known.source == source.source) {
            Some(known) => {
                known.records += source.records;
                known.date = known.date.max(source.date);
            }
            None => merged.push(source),
        }
    }
    merged
}

fn write(sink: Sink, sources: Vec<SourceDate>, example: bool, to: &Path) -> Result<Vec<ShardSize>, BuildError> {
    fs::create_dir_all(to).map_err(|cause| BuildError::Write { path: to.to_owned(), cause })?;
    let mut entries = write_shards(sink.shards, &sources, to)?;
    if !sink.cves.is_empty() {
        let name = ShardName::new(CVE_SHARD);
        let count = sink.cves.len() as u64;
        let mut table = TableWriter::new(RECORDS_BLOCK);
        for (cve, facts) in &sink.cves {
            table.add(cve, &postcard::to_stdvec(facts).unwrap_or_default());
        }
        let bytes = index::file(name.clone(), Vec::new(), vec![table]);
        entries.push(write_shard(&name, bytes, count, None, to)?);
    }
    entries.sort_by(|a, b| a.name.cmp(&b.name));
    let sizes = entries.iter().map(|e| ShardSize { name: e.name.clone(), size: e.size, records: e.records }).collect();
    let keep: BTreeSet<String> = entries.iter().map(|entry| entry.file.clone()).collect();
    let catalogue = Catalogue { format: FORMAT.to_owned(), built: Timestamp::now(), example, sources, shards: entries };
    let mut json = serde_json::to_vec_pretty(&catalogue).unwrap_or_default();
    json.push(b'\n');
    write_file(&to.join(FILE_NAME), &json)?;
    remove_others(to, &keep);
    Ok(sizes)
}

/// Compresses and writes shards, as many at a time as there are cores: compression takes most of a build.
fn write_shards(
    shards: BTreeMap<ShardName, Records>,
    sources: &[SourceDate],
    to: &Path,
) -> Result<Vec<ShardEntry>, BuildError> {
    let queue = Mutex::new(shards.into_iter());
    let next = || queue.lock().unwrap_or_else(PoisonError::into_inner).next();
    let work = || {
        let mut entries = Vec::new();
        while let Some((name, records)) = next() {
            // Feeds without dates per record are as new as their file.
            let of_file = |source: &SourceDate| {
                sources.iter().find(|known| known.source == source.source).and_then(|known| known.date)
            };
            let newest = records.newest.max(records.sources.values().filter_map(of_file).max());
            let count = records.advisories.values().map(|advisories| advisories.len() as u64).sum();
            entries.push(write_shard(&name, shard_file(&name, records), count, newest, to)?);
        }
        Ok(entries)
    };
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        let others: Vec<_> = (1..threads).map(|_| scope.spawn(work)).collect();
        let mut entries = work()?;
        for other in others {
            entries.extend(other.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))?);
        }
        Ok(entries)
    })
}

fn shard_file(name: &ShardName, records: Records) -> Vec<u8> {
    let mut table = TableWriter::new(RECORDS_BLOCK);
    for (key, mut advisories) in records.advisories {
        // The order of the feeds' files must not show.
        advisories.sort_by(|a, b| (a.feed, &a.id).cmp(&(b.feed, &b.id)));
        advisories.dedup();
        table.add(&key, &postcard::to_stdvec(&advisories).unwrap_or_default());
    }
    let mut details = TableWriter::new(DETAILS_BLOCK);
    for (id, text) in records.details {
        details.add(&id, &postcard::to_stdvec(&text).unwrap_or_default());
    }
    index::file(name.clone(), records.sources.into_values().collect(), vec![table, details])
}

fn write_shard(
    name: &ShardName,
    bytes: Vec<u8>,
    records: u64,
    newest: Option<Timestamp>,
    to: &Path,
) -> Result<ShardEntry, BuildError> {
    let digest = Digest::from_sha256(&Sha256::digest(&bytes).into());
    let file = format!("{name}-{}.{EXTENSION}", digest.short());
    write_file(&to.join(&file), &bytes)?;
    Ok(ShardEntry { name: name.clone(), file, digest, size: bytes.len() as u64, records, newest })
}

/// Beside the target, then renamed: readers see the old file or the new one.
fn write_file(path: &Path, bytes: &[u8]) -> Result<(), BuildError> {
    let temporary = path.with_extension(format!("{}.tmp", std::process::id()));
    let written = fs::write(&temporary, bytes).and_then(|()| fs::rename(&temporary, path));
    written.map_err(|cause| {
        let _ = fs::remove_file(&temporary);
        BuildError::Write { path: path.to_owned(), cause }
    })
}

/// Removes shards of earlier builds. One that cannot be removed only takes room.
fn remove_others(directory: &Path, keep: &BTreeSet<String>) {
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.ends_with(&format!(".{EXTENSION}")) && !keep.contains(&name) {
            let _ = fs::remove_file(entry.path());
        }
    }
}

const EXTENSION: &str = "shard";

/// Bytes of a block before compression: small for look-ups by many names, large for text that compresses together.
const RECORDS_BLOCK: usize = 32 << 10;
const DETAILS_BLOCK: usize = 128 << 10;
