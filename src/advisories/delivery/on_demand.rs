//! Without an artifact: the shards that a scan needs, made from the upstreams and kept for some hours.
//!
//! Each shard is kept by itself, so that two images that share a distribution share its shard. The shard `cve` is
//! shared by all of them: it is made again when a language is asked for whose names of CVEs it does not have, and then
//! holds those of all that were asked for lately, so that the order of scans does not matter. When the upstreams cannot
//! be reached, the shards of the last time are used, and the caller is told.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::advisories::build::{BuildError, BuildOptions, BuildReport, build};
use crate::advisories::cache::Cache;
use crate::advisories::catalogue::{Catalogue, FORMAT};
use crate::advisories::database::{CVE_SHARD, Database};
use crate::advisories::fetch::{Fetch, Outdated};
use crate::advisories::signature::Trust;
use crate::model::{PackageKind, ShardName};

use super::pull::unwritable;
use super::{DeliveryError, directory};

/// What was made.
#[derive(Debug, Clone, Default)]
pub struct OnDemand {
    /// The shards that were built now; of others there were fresh ones.
    pub built: Vec<ShardName>,
    /// Why they could not be, and older ones were used.
    pub outdated: Option<String>,
    /// Files of feeds that could not be used, with the reason.
    pub failures: Vec<(String, String)>,
}

/// The catalogue of one shard; without an entry where the upstreams have nothing about it.
#[derive(Serialize, Deserialize)]
struct Note {
    catalogue: Catalogue,
    /// Files of feeds could not be used, so it is not kept for long.
    #[serde(default)]
    incomplete: bool,
    /// Of the shard `cve`: the languages whose names of CVEs it has.
    #[serde(default)]
    languages: BTreeSet<ShardName>,
}

/// Opens a database of the wanted shards, building those that are not there or older than `fresh`.
///
/// # Errors
/// The upstreams give nothing, and there is nothing older either.
pub fn on_demand(
    fetch: &dyn Fetch,
    wanted: &BTreeSet<ShardName>,
    cache: &Cache,
    fresh: Duration,
) -> Result<(Database, OnDemand), DeliveryError> {
    let cve = ShardName::new(CVE_SHARD);
    let mut wanted = wanted.clone();
    wanted.insert(cve.clone());
    let mut notes = read_notes(&wanted, cache);
    let fresh = SignedDuration::try_from(fresh).unwrap_or(SignedDuration::MAX);
    let is_fresh = |note: &Note| !note.incomplete && Timestamp::now().duration_since(note.catalogue.built) < fresh;
    let mut old: BTreeSet<ShardName> =
        wanted.iter().filter(|name| !notes.get(*name).is_some_and(is_fresh)).cloned().collect();
    let languages: BTreeSet<ShardName> = wanted.iter().filter(|name| is_language(name)).cloned().collect();
    let known = notes.get(&cve).filter(|note| is_fresh(note)).map(|note| note.languages.clone());
    if !known.as_ref().is_some_and(|known| languages.is_subset(known)) {
        // The names come from the same files as the records.
        old.extend(languages.into_iter().chain(known.unwrap_or_default()));
        old.insert(cve);
    }
    let mut report = OnDemand::default();
    if !old.is_empty() {
        match make(fetch, &old, cache, &mut notes, &mut report) {
            Ok(()) => report.built = old.into_iter().collect(),
            Err(DeliveryError::Build(BuildError::Unreachable(error)))
                if wanted.iter().all(|name| notes.contains_key(name)) =>
            {
                report.outdated = Some(error.to_string());
            }
            Err(error) => return Err(error),
        }
    }
    let database = Database::of_cache(cache.clone(), joined(&notes), fetch.origin(), Trust::Unsigned);
    Ok((database, report))
}

/// The database of all shards that were made on demand so far; `None` where there are none.
#[must_use]
pub fn stored(cache: &Cache) -> Option<Database> {
    let names = cache.notes(PREFIX).into_iter().filter_map(|name| Some(ShardName::new(name.strip_prefix(PREFIX)?)));
    let notes = read_notes(&names.collect(), cache);
    let origin = format!("{} (built on demand)", cache.root().display());
    (!notes.is_empty()).then(|| Database::of_cache(cache.clone(), joined(&notes), origin, Trust::Unsigned))
}

/// What is known of shards whose files are all there.
fn read_notes(names: &BTreeSet<ShardName>, cache: &Cache) -> BTreeMap<ShardName, Note> {
    let read = |name: &ShardName| {
        let note: Note = cache.note(&note_name(name))?;
        let known = note.catalogue.format == FORMAT
            && note.catalogue.shards.iter().all(|entry| entry.layers().all(|layer| cache.has(&layer)));
        known.then_some((name.clone(), note))
    };
    names.iter().filter_map(read).collect()
}

/// Builds shards and keeps each by itself.
fn make(
    fetch: &dyn Fetch,
    names: &BTreeSet<ShardName>,
    cache: &Cache,
    notes: &mut BTreeMap<ShardName, Note>,
    report: &mut OnDemand,
) -> Result<(), DeliveryError> {
    let scratch = cache.scratch().map_err(|cause| unwritable(cache, cause))?;
    let mut built = BuildReport::default();
    let result = last_good(&scratch, names, cache, notes)
        .and_then(|()| {
            let options = BuildOptions { only: Some(names.clone()), keep_last_good: true };
            Ok(build(fetch, &scratch, &options)?)
        })
        .and_then(|report| {
            built = report;
            let made = directory::read(&scratch)?.catalogue;
            for entry in &made.shards {
                for layer in entry.layers() {
                    directory::into_cache(&scratch, entry, &layer, cache)?;
                }
            }
            Ok(made)
        });
    // What cannot be removed is cleaned up some other day.
    let _ = fs::remove_dir_all(&scratch);
    let made = result?;
    for source in built.sources {
        if let Some(Outdated { since, reason }) = source.outdated {
            let since = since.strftime("%Y-%m-%d %H:%M UTC");
            report
                .outdated
                .get_or_insert_with(|| format!("the copy of {since} is used of {}: {reason}", source.source));
        }
        report.failures.extend(source.failure.map(|failure| (source.source, failure)));
    }
    for name in names.difference(&built.kept.into_iter().collect()) {
        let entry = made.shards.iter().find(|entry| entry.name == *name);
        // As old as the oldest copy in it, so that news are asked for again soon.
        let date = built.outdated.get(name).copied().unwrap_or(made.built);
        let shards = entry.cloned().into_iter().collect();
        let catalogue = Catalogue { shards, built: date, ..made.clone() };
        let languages = match name.as_str() {
            CVE_SHARD => names.iter().filter(|name| is_language(name)).cloned().collect(),
            _ => BTreeSet::new(),
        };
        let note = Note { catalogue, incomplete: !report.failures.is_empty(), languages };
        cache.write_note(&note_name(name), &note).map_err(|cause| unwritable(cache, cause))?;
        notes.insert(name.clone(), note);
    }
    Ok(())
}

/// Lays the shards of the last time where the build finds them, which keeps those that would lose too much.
fn last_good(
    scratch: &Path,
    names: &BTreeSet<ShardName>,
    cache: &Cache,
    notes: &BTreeMap<ShardName, Note>,
) -> Result<(), DeliveryError> {
    let mut catalogue = joined(notes);
    catalogue.shards.retain(|entry| names.contains(&entry.name));
    directory::write(scratch, &catalogue, &catalogue.to_bytes(), None, cache)
}

/// One catalogue of several; as old as the oldest of them.
fn joined(notes: &BTreeMap<ShardName, Note>) -> Catalogue {
    let mut joined = Catalogue {
        format: FORMAT.to_owned(),
        built: notes.values().map(|note| note.catalogue.built).min().unwrap_or_else(Timestamp::now),
        example: notes.values().any(|note| note.catalogue.example),
        sources: Vec::new(),
        shards: Vec::new(),
    };
    for note in notes.values() {
        joined.shards.extend(note.catalogue.shards.iter().cloned());
        for source in &note.catalogue.sources {
            if !joined.sources.iter().any(|known| known.source == source.source) {
                joined.sources.push(source.clone());
            }
        }
    }
    joined
}

/// Whether a shard is one of a language: advisories about these go by several names.
fn is_language(shard: &ShardName) -> bool {
    PackageKind::ALL.iter().any(|kind| kind.shard().as_ref() == Some(shard))
}

fn note_name(shard: &ShardName) -> String {
    format!("{PREFIX}{shard}")
}

const PREFIX: &str = "upstream-";
