//! The results of many images on their way into one document, without all being in memory at once.
//!
//! Each image is written to a file as soon as it is done, with only those packages that have findings. At the end
//! `plimsoll.json` is put together from that file; the other reports are written too unless there are too many findings
//! for anybody to read.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use serde::Serialize;
use tracing::info;

use super::sbom;
use crate::cli::{OutputArgs, RetestArgs, ScanArgs};
use crate::commands::output::{Reports, not_written, replace};
use crate::commands::scan;
use crate::context::Environment;
use crate::exit::Exit;
use crate::model::{Diagnosis, ImageScan, ImageSnapshot, Inventory, RuleState, RuleUse, ScanDocument, SnapshotChanges};
use crate::report::RENDERERS;

/// Results of images, in a file.
#[derive(Debug)]
pub(super) struct Collector {
    path: PathBuf,
    spill: Mutex<Spill>,
}

#[derive(Debug)]
struct Spill {
    file: File,
    end: u64,
    /// Where each image is: its place in the document, start and length.
    places: Vec<(usize, u64, u64)>,
    findings: usize,
    /// Images of which there is a result.
    images: usize,
}

impl Collector {
    /// A collector for results that go into `out`.
    pub(super) fn new(out: &Path) -> Result<Self, Diagnosis> {
        let path = out.join(format!(".plimsoll-{}.tmp", std::process::id()));
        let file = nameless(out, &path).map_err(|error| not_written(&path, &error))?;
        let spill = Spill { file, end: 0, places: Vec::new(), findings: 0, images: 0 };
        Ok(Self { path, spill: Mutex::new(spill) })
    }

    /// How many images there are results of.
    pub(super) fn count(&self) -> usize {
        self.spill.lock().unwrap_or_else(PoisonError::into_inner).images
    }

    /// Adds an image's result at a place of the document.
    pub(super) fn add(&self, order: usize, mut image: ImageScan) -> Result<(), Diagnosis> {
        keep_affected(&mut image);
        let failed = |error: &io::Error| not_written(&self.path, error);
        if self.spill.lock().unwrap_or_else(PoisonError::into_inner).end > MOST_BYTES {
            // No report will be written that shows it.
            shorten(&mut image);
        }
        let json = serde_json::to_vec(&image).map_err(|error| failed(&error.into()))?;
        let mut spill = self.spill.lock().unwrap_or_else(PoisonError::into_inner);
        let start = spill.end;
        spill.file.seek(SeekFrom::Start(start)).map_err(|error| failed(&error))?;
        spill.file.write_all(&json).map_err(|error| failed(&error))?;
        spill.end += json.len() as u64;
        spill.findings += image.findings.len() + image.suppressed.len();
        spill.images += 1;
        spill.places.push((order, start, json.len() as u64));
        Ok(())
    }

    /// Writes the document and, unless it is too large, the reports.
    pub(super) fn write(
        &self,
        mut document: ScanDocument,
        args: &RetestArgs,
        output: &OutputArgs,
        environment: &Environment,
        out: &Path,
    ) -> Result<Exit, Diagnosis> {
        let mut spill = self.spill.lock().unwrap_or_else(PoisonError::into_inner);
        spill.places.sort_unstable();
        let places = spill.places.clone();
        let findings = spill.findings;
        if findings <= MOST_FINDINGS && spill.end <= MOST_BYTES {
            for (_, start, length) in places {
                let json = read(&mut spill.file, start, length).map_err(|error| not_written(&self.path, &error))?;
                let image = serde_json::from_slice(&json).map_err(|error| not_written(&self.path, &error.into()))?;
                document.images.push(image);
            }
            let scan = ScanArgs { formats: formats(), out: Some(out.to_owned()), ..args.scan() };
            Reports::chosen(&scan, output, environment)?.write(&document)?;
            return Ok(scan::exit(&document));
        }
        info!(
            "{findings} findings in {} images are more than a report can show: all are in plimsoll.json",
            places.len()
        );
        let path = out.join("plimsoll.json");
        replace(&path, |file| {
            // The document ends with a list of images that is empty here.
            let shell = serde_json::to_string(&document)?;
            let (before, after) =
                shell.split_once(IMAGES).ok_or_else(|| io::Error::other("the document has no list of images"))?;
            file.write_all(before.as_bytes())?;
            file.write_all(IMAGES.trim_end_matches(']').as_bytes())?;
            for (index, (_, start, length)) in places.iter().enumerate() {
                if index > 0 {
                    file.write_all(b",\n")?;
                }
                spill.file.seek(SeekFrom::Start(*start))?;
                io::copy(&mut (&mut spill.file).take(*length), file)?;
            }
            file.write_all(b"]")?;
            file.write_all(after.as_bytes())
        })
        .map_err(|error| not_written(&path, &error))?;
        Ok(scan::exit(&document))
    }
}

/// What a retest changes, on its way into one document without being in memory.
#[derive(Debug)]
pub(super) struct Changes {
    before: Mutex<List>,
    after: Mutex<List>,
}

/// Documents in a file, with commas between them.
#[derive(Debug)]
struct List {
    path: PathBuf,
    file: File,
    any: bool,
}

impl Changes {
    pub(super) fn new(out: &Path) -> Result<Self, Diagnosis> {
        let list = |name: &str| {
            let path = out.join(format!(".plimsoll-{name}-{}.tmp", std::process::id()));
            let file = nameless(out, &path).map_err(|error| not_written(&path, &error))?;
            Ok(Mutex::new(List { path, file, any: false }))
        };
        Ok(Self { before: list("before")?, after: list("after")? })
    }

    /// Adds an image as alerts knew it, and as it is.
    pub(super) fn add(&self, before: Option<&ImageSnapshot>, after: &ImageSnapshot) -> Result<(), Diagnosis> {
        if let Some(before) = before {
            self.before.lock().unwrap_or_else(PoisonError::into_inner).push(before)?;
        }
        self.after.lock().unwrap_or_else(PoisonError::into_inner).push(after)
    }

    /// Writes the document: `shell`, whose lists are empty, with the lists.
    pub(super) fn write(&self, path: &Path, shell: &SnapshotChanges) -> Result<(), Diagnosis> {
        replace(path, |file| {
            let shell = serde_json::to_string(shell)?;
            let none = || io::Error::other("the document has no such list");
            let (head, rest) = shell.split_once("\"before\":[]").ok_or_else(none)?;
            let (middle, tail) = rest.split_once("\"after\":[]").ok_or_else(none)?;
            for (text, name, list) in [(head, "before", &self.before), (middle, "after", &self.after)] {
                write!(file, "{text}\"{name}\":[")?;
                let mut list = list.lock().unwrap_or_else(PoisonError::into_inner);
                list.file.rewind()?;
                io::copy(&mut list.file, file)?;
                write!(file, "]")?;
            }
            file.write_all(tail.as_bytes())
        })
        .map_err(|error| not_written(path, &error))
    }
}

impl List {
    fn push(&mut self, document: &impl Serialize) -> Result<(), Diagnosis> {
        let mut json = if self.any { b",\n".to_vec() } else { Vec::new() };
        let written = serde_json::to_writer(&mut json, document).map_err(io::Error::from);
        let written = written.and_then(|()| self.file.write_all(&json));
        self.any = true;
        written.map_err(|error| not_written(&self.path, &error))
    }
}

/// What the project's rules did, over all images.
#[derive(Debug, Default)]
pub(super) struct Rules {
    order: Vec<(String, String)>,
    uses: BTreeMap<(String, String), RuleUse>,
}

impl Rules {
    pub(super) fn add(&mut self, rules: Vec<RuleUse>) {
        for rule in rules {
            let key = (rule.origin.clone(), rule.rule.clone());
            match self.uses.get_mut(&key) {
                Some(known) => {
                    known.findings += rule.findings;
                    if rule.state == RuleState::Applied {
                        known.state = RuleState::Applied;
                    }
                }
                None => {
                    self.order.push(key.clone());
                    self.uses.insert(key, rule);
                }
            }
        }
    }

    pub(super) fn all(mut self) -> Vec<RuleUse> {
        self.order.iter().filter_map(|key| self.uses.remove(key)).collect()
    }
}

/// Leaves packages out that have no findings: a retest is about what is wrong, and the inventories are stored.
fn keep_affected(image: &mut ImageScan) {
    let Some(inventory) = &mut image.inventory else { return };
    let suppressed = image.suppressed.iter_mut().map(|one| &mut one.finding);
    let mut findings: Vec<_> = image.findings.iter_mut().chain(suppressed).collect();
    let affected: BTreeSet<usize> = findings.iter().map(|finding| finding.package.index).collect();
    let Inventory { packages, .. } = inventory;
    let kept: BTreeMap<usize, usize> = affected.iter().enumerate().map(|(new, old)| (*old, new)).collect();
    for finding in &mut findings {
        if let Some(new) = kept.get(&finding.package.index) {
            finding.package.index = *new;
        }
    }
    let mut index = 0;
    packages.retain(|_| {
        index += 1;
        kept.contains_key(&(index - 1))
    });
}

/// Leaves out what is long and can be asked for again.
fn shorten(image: &mut ImageScan) {
    let suppressed = image.suppressed.iter_mut().map(|one| &mut one.finding);
    for finding in image.findings.iter_mut().chain(suppressed) {
        finding.description = String::new();
        finding.references = Vec::new();
        finding.cvss = Vec::new();
        finding.cwes = Vec::new();
    }
}

/// A file without a name: the process may be killed at any time, and its file must not stay.
fn nameless(out: &Path, path: &Path) -> io::Result<File> {
    fs::create_dir_all(out)?;
    let file = File::options().read(true).write(true).create(true).truncate(true).open(path)?;
    let _ = fs::remove_file(path);
    Ok(file)
}

/// All reports but those that list all packages, which each image has of its own.
fn formats() -> Vec<String> {
    let names = RENDERERS.iter().map(|renderer| renderer.format());
    names.filter(|name| !sbom::FORMATS.contains(name)).map(str::to_owned).collect()
}

fn read(file: &mut File, start: u64, length: u64) -> io::Result<Vec<u8>> {
    file.seek(SeekFrom::Start(start))?;
    let mut bytes = Vec::new();
    file.take(length).read_to_end(&mut bytes)?;
    Ok(bytes)
}

const IMAGES: &str = "\"images\":[]";
/// Findings up to which all reports are written.
const MOST_FINDINGS: usize = 20_000;
const MOST_BYTES: u64 = 24 << 20;
