//! `plimsoll retest --merge`: the documents of several retests made one, as the last job of a plan does.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use tracing::{info, warn};

use super::collect::{Collector, Rules};
use super::log::{Entry, ImportLog, Result as LogResult};
use super::sbom;
use crate::cli::{OutputArgs, RetestArgs};
use crate::commands::{output, terminal};
use crate::context::Environment;
use crate::exit::Exit;
use crate::model::{Code, Diagnosis, Outcome, ScanDocument, SnapshotChanges};

pub(super) fn run(
    args: &RetestArgs,
    out: &Path,
    output: &OutputArgs,
    environment: &Environment,
) -> Result<Exit, Diagnosis> {
    let shards = shards(&args.merge)?;
    let collector = Collector::new(out)?;
    let mut whole: Option<ScanDocument> = None;
    let mut changes: Option<SnapshotChanges> = None;
    let mut import: Option<ImportLog> = None;
    let mut rules = Rules::default();
    let mut diagnoses = Vec::new();
    let mut seen = BTreeSet::new();
    let mut files = BTreeSet::new();
    let mut place = 0;
    for shard in &shards {
        match shard_of(shard) {
            Ok((document, shard_changes, log)) => {
                info!("{}: {} images", shard.display(), document.images.len());
                rules.add(document.rules.clone());
                diagnoses.extend(document.diagnoses.iter().cloned());
                let mut document = document;
                for image in document.images.drain(..) {
                    if seen.insert(image.name.clone()) {
                        collector.add(place, image)?;
                        place += 1;
                    } else {
                        warn!("{} is in two shards; the first counts", image.name);
                    }
                }
                for name in sboms(shard) {
                    let free = free_name(&name, &files);
                    copy(&shard.join(&name), &out.join(&free))?;
                    files.insert(free);
                }
                merge_documents(&mut whole, document);
                merge_changes(&mut changes, shard_changes);
                merge_logs(&mut import, log);
            }
            Err(diagnosis) => {
                terminal::error(&diagnosis.to_string());
                diagnoses.push(diagnosis);
            }
        }
    }
    let Some(mut document) = whole else {
        return Err(diagnoses.into_iter().next().unwrap_or_else(|| nothing(&args.merge)));
    };
    document.rules = rules.all();
    if !diagnoses.is_empty() {
        document.outcome = Outcome::Failure;
    }
    document.diagnoses = diagnoses;
    let failed = document.outcome == Outcome::Failure;
    let exit = collector.write(document, args, output, environment, out)?;
    if let Some(changes) = changes {
        output::write_json(&out.join(SnapshotChanges::FILE), &changes)?;
    }
    let mut any = false;
    if let Some(import) = import {
        import.write(out)?;
        import.tell();
        any = !import.images.is_empty();
    }
    Ok(match exit {
        _ if failed && !args.keep_going => Exit::Incomplete,
        Exit::Incomplete if args.keep_going => Exit::Done,
        // All have vanished, or were left out.
        Exit::NothingToScan if any => Exit::Done,
        other => other,
    })
}

/// Directories that hold a document: those that are named, and those directly below them.
fn shards(named: &[PathBuf]) -> Result<Vec<PathBuf>, Diagnosis> {
    let mut found = Vec::new();
    for directory in named {
        if directory.join(DOCUMENT).is_file() {
            found.push(directory.clone());
            continue;
        }
        let entries = fs::read_dir(directory).map_err(|error| {
            let what = format!("cannot read the directory `{}`", directory.display());
            let fix = "name the directories that other retests wrote with --out";
            Diagnosis::new(Code::InvalidInput, what, error.to_string(), fix)
        })?;
        let mut below: Vec<PathBuf> =
            entries.flatten().map(|entry| entry.path()).filter(|path| path.is_dir()).collect();
        below.sort();
        // A shard without a document is a job that failed early; that is told when it is read.
        found.extend(below);
    }
    if found.is_empty() { Err(nothing(named)) } else { Ok(found) }
}

fn shard_of(directory: &Path) -> Result<(ScanDocument, SnapshotChanges, ImportLog), Diagnosis> {
    let document: ScanDocument = read(&directory.join(DOCUMENT))?;
    let changes: SnapshotChanges = read(&directory.join(SnapshotChanges::FILE))?;
    let log: ImportLog = read(&directory.join(ImportLog::FILE))?;
    for (found, expected) in [
        (&document.format, ScanDocument::FORMAT),
        (&changes.format, SnapshotChanges::FORMAT),
        (&log.format, ImportLog::FORMAT),
    ] {
        if found != expected {
            let why = format!("its format is `{found}`, this version reads `{expected}`");
            return Err(unreadable(directory, &why));
        }
    }
    Ok((document, changes, log))
}

/// Names of the SBOMs in a directory.
fn sboms(directory: &Path) -> Vec<String> {
    let names = fs::read_dir(directory).into_iter().flatten().flatten().map(|entry| entry.file_name());
    let mut names: Vec<String> =
        names.filter_map(|name| name.into_string().ok()).filter(|name| sbom::is_one(name)).collect();
    names.sort();
    names
}

/// Copies what another job wrote; nothing where it is the same place.
fn copy(from: &Path, to: &Path) -> Result<(), Diagnosis> {
    if fs::canonicalize(from).ok().is_some_and(|from| fs::canonicalize(to).is_ok_and(|to| from == to)) {
        return Ok(());
    }
    output::write_file(to, |out| io::copy(&mut fs::File::open(from)?, out).map(drop))
        .map_err(|error| output::not_written(to, &error))
}

/// The name of a file, with a number where a shard before had one of that name: of another image whose name differs only in
/// characters that names of files do not have.
fn free_name(name: &str, taken: &BTreeSet<String>) -> String {
    let (stem, suffix) = [".cdx.json", ".spdx.json"]
        .into_iter()
        .find_map(|suffix| Some((name.strip_suffix(suffix)?, suffix)))
        .unwrap_or((name, ""));
    let numbered = (2..).map(|number| format!("{stem}-{number}{suffix}"));
    std::iter::once(name.to_owned()).chain(numbered).find(|name| !taken.contains(name)).unwrap_or_default()
}

fn merge_documents(whole: &mut Option<ScanDocument>, other: ScanDocument) {
    let Some(known) = whole else {
        *whole = Some(other);
        return;
    };
    known.started = known.started.min(other.started);
    known.finished = known.finished.max(other.finished);
    if other.outcome == Outcome::Failure {
        known.outcome = Outcome::Failure;
    }
    if known.database.is_none() {
        known.database = other.database;
    }
}

/// Takes the changes of another job. It is a first run if it is one for all of them: nothing of a first run is compared, so
/// that of the others no news gets lost.
pub(in crate::commands) fn merge_changes(whole: &mut Option<SnapshotChanges>, other: SnapshotChanges) {
    let Some(known) = whole else {
        *whole = Some(other);
        return;
    };
    known.started = known.started.min(other.started);
    known.first_run &= other.first_run;
    let names: BTreeSet<String> = known.after.iter().map(|one| one.name.clone()).collect();
    known.before.extend(other.before.into_iter().filter(|one| !names.contains(&one.name)));
    known.after.extend(other.after.into_iter().filter(|one| !names.contains(&one.name)));
    known.unchanged.extend(other.unchanged);
}

fn merge_logs(whole: &mut Option<ImportLog>, other: ImportLog) {
    let Some(known) = whole else {
        *whole = Some(other);
        return;
    };
    known.started = known.started.min(other.started);
    known.finished = known.finished.max(other.finished);
    let gone: BTreeSet<String> = known.images.iter().map(|entry| entry.name.clone()).collect();
    let new = |entry: &Entry| entry.result != LogResult::Gone || !gone.contains(&entry.name);
    known.images.extend(other.images.into_iter().filter(new));
    known.notices.extend(other.notices);
}

fn read<T: DeserializeOwned>(path: &Path) -> Result<T, Diagnosis> {
    let json = fs::read(path).map_err(|error| unreadable(path, &error))?;
    serde_json::from_slice(&json).map_err(|error| unreadable(path, &error))
}

fn unreadable(path: &Path, why: &dyn std::fmt::Display) -> Diagnosis {
    Diagnosis::new(
        Code::InvalidInput,
        format!("cannot read what a retest wrote: `{}`", path.display()),
        why.to_string(),
        "look at the log of that job; its images are missing in the result",
    )
}

fn nothing(named: &[PathBuf]) -> Diagnosis {
    let places: Vec<String> = named.iter().map(|path| format!("`{}`", path.display())).collect();
    let why = format!("there is no plimsoll.json in {} or directly below", places.join(", "));
    Diagnosis::new(Code::NothingToScan, "there is nothing to merge", why, "name the directories of the shards")
}

const DOCUMENT: &str = "plimsoll.json";
