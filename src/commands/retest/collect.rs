//! The results of many images on their way into one document, without all being in memory at once.
//!
//! Each image is written to a file as soon as it is done, with only those packages that have findings. At the end
//! `plimsoll.json` is put together from that file. The other reports are made of a document with the most severe findings and
//! the numbers of all.

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
use crate::report::{RENDERERS, Selection};

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
    /// All findings.
    selection: Selection,
    /// Images of which there is a result.
    images: usize,
}

impl Collector {
    /// A collector for results that go into `out`.
    pub(super) fn new(out: &Path) -> Result<Self, Diagnosis> {
        let path = out.join(format!(".plimsoll-{}.tmp", std::process::id()));
        let file = nameless(out, &path).map_err(|error| not_written(&path, &error))?;
        let spill = Spill { file, end: 0, places: Vec::new(), selection: Selection::default(), images: 0 };
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
        if self.spill.lock().unwrap_or_else(PoisonError::into_inner).end > LARGEST_SPILL {
            shorten(&mut image);
        }
        let json = serde_json::to_vec(&image).map_err(|error| failed(&error.into()))?;
        let mut spill = self.spill.lock().unwrap_or_else(PoisonError::into_inner);
        let start = spill.end;
        spill.file.seek(SeekFrom::Start(start)).map_err(|error| failed(&error))?;
        spill.file.write_all(&json).map_err(|error| failed(&error))?;
        spill.end += json.len() as u64;
        spill.selection.count(&image);
        spill.images += 1;
        spill.places.push((order, start, json.len() as u64));
        Ok(())
    }

    /// Writes the document and the reports.
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
        let path = out.join(DOCUMENT);
        let mut listed = Vec::new();
        let written = replace(&path, |file| {
            listed = spill.write_document(&document, file)?;
            Ok(())
        });
        written.map_err(|error| not_written(&path, &error))?;
        document.images = listed;
        let scan = ScanArgs { formats: formats(), out: Some(out.to_owned()), ..args.scan() };
        Reports::chosen(&scan, output, environment)?.write(&document)?;
        Ok(scan::exit(&document))
    }
}

impl Spill {
    /// Writes a document, whose list of images is empty, with all images, and gives them with their most severe findings.
    fn write_document(&mut self, document: &ScanDocument, out: &mut impl Write) -> io::Result<Vec<ImageScan>> {
        let shell = serde_json::to_string(document)?;
        let (before, after) =
            shell.split_once(IMAGES).ok_or_else(|| io::Error::other("the document has no list of images"))?;
        out.write_all(before.as_bytes())?;
        out.write_all(IMAGES.trim_end_matches(']').as_bytes())?;
        let mut selection = self.selection;
        selection.shrink(MOST_FINDINGS);
        let is_cut = selection.taken() < self.selection.taken();
        let (mut images, mut written) = (Vec::new(), 0);
        for (index, (_, start, length)) in self.places.iter().enumerate() {
            if index > 0 {
                out.write_all(b",\n")?;
            }
            let mut json = read(&mut self.file, *start, *length)?;
            let mut image: ImageScan = serde_json::from_slice(&json)?;
            if written > MOST_BYTES {
                let mut short = image.clone();
                shorten(&mut short);
                json = serde_json::to_vec(&short)?;
            }
            out.write_all(&json)?;
            written += json.len();
            if is_cut {
                selection.cut(&mut image);
                keep_affected(&mut image);
            }
            images.push(image);
        }
        if written > MOST_BYTES {
            info!("{DOCUMENT} would be large: descriptions, links and weaknesses are left out of its last images");
        }
        out.write_all(b"]")?;
        out.write_all(after.as_bytes())?;
        out.write_all(b"\n")?;
        Ok(images)
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
    let number = image.package_count();
    let Some(inventory) = &mut image.inventory else { return };
    image.packages = Some(number);
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
    packages.shrink_to_fit();
}

/// Leaves out what is long and no policy asks for.
fn shorten(image: &mut ImageScan) {
    let suppressed = image.suppressed.iter_mut().map(|one| &mut one.finding);
    for finding in image.findings.iter_mut().chain(suppressed) {
        finding.description = String::new();
        finding.references = Vec::new();
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

/// All reports but the document, and those that list all packages, which each image has of its own.
fn formats() -> Vec<String> {
    let names = RENDERERS.iter().map(|renderer| renderer.format());
    names.filter(|name| *name != "json" && !sbom::FORMATS.contains(name)).map(str::to_owned).collect()
}

fn read(file: &mut File, start: u64, length: u64) -> io::Result<Vec<u8>> {
    file.seek(SeekFrom::Start(start))?;
    let mut bytes = Vec::new();
    file.take(length).read_to_end(&mut bytes)?;
    Ok(bytes)
}

const IMAGES: &str = "\"images\":[]";
const DOCUMENT: &str = "plimsoll.json";
/// Findings that the reports list; in memory they take some 2 kB each.
const MOST_FINDINGS: usize = 20_000;
/// Bytes of the document up to which it has what is long.
const MOST_BYTES: usize = 24 << 20;
/// Bytes of results on the disk from which on they are shortened as they come.
const LARGEST_SPILL: u64 = 512 << 20;

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::cli::Color;
    use crate::commands::scan::empty_document;

    fn image(number: usize, findings: usize) -> ImageScan {
        let package = |name: &str| {
            json!({ "kind": "deb", "name": name, "version": "1", "purl": format!("pkg:deb/debian/{name}@1"),
                "locations": [{ "path": format!("usr/share/doc/{name}"), "layer": 0 }] })
        };
        let finding = |index: usize| {
            let severity = ["low", "medium", "high", "critical"][index * 4 / findings.max(1)];
            let (place, name) = if index * 4 / findings.max(1) < 2 { (1, "mild") } else { (2, "severe") };
            json!({
                "id": format!("CVE-2026-{index:05}"), "identifiers": [format!("CVE-2026-{index:05}")],
                "package": { "index": place, "kind": "deb", "name": name, "version": "1", "purl": format!("pkg:deb/debian/{name}@1") },
                "fix": { "state": "fixed", "version": "2" }, "severity": severity, "severity_source": "osv",
                "statements": [], "description": "What is wrong. ".repeat(100),
            })
        };
        serde_json::from_value(json!({
            "name": format!("reg.example.com/shop/app:{number:03}"), "outcome": "success",
            "findings": (0..findings).rev().map(finding).collect::<Vec<_>>(),
            "coverage": [{ "kind": "deb", "shard": "debian-12", "packages": 3, "status": "covered" }],
            "inventory": { "image": {}, "layers": [], "packages": [
                package("first"), package("mild"), package("severe"),
            ] },
        }))
        .unwrap()
    }

    fn collected(images: usize, findings: usize) -> tempfile::TempDir {
        let out = tempfile::tempdir().unwrap();
        let collector = Collector::new(out.path()).unwrap();
        // They come as they are done.
        (0..images).rev().for_each(|number| collector.add(number, image(number, findings)).unwrap());
        let output = OutputArgs { log_level: None, quiet: true, color: Color::Never };
        let document = empty_document("2026-11-21T07:00:00Z".parse().unwrap());
        let environment = Environment::default();
        collector.write(document, &RetestArgs::default(), &output, &environment, out.path()).unwrap();
        out
    }

    fn text(out: &tempfile::TempDir, name: &str) -> String {
        fs::read_to_string(out.path().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    fn value(out: &tempfile::TempDir, name: &str) -> Value {
        serde_json::from_slice(text(out, name).as_bytes()).unwrap()
    }

    #[test]
    fn reports_have_the_most_severe_findings_and_the_numbers_of_all() {
        let out = collected(300, 100);
        let document: ScanDocument = serde_json::from_slice(text(&out, DOCUMENT).as_bytes()).unwrap();
        let is_whole = |image: &ImageScan| image.findings.iter().all(|finding| !finding.description.is_empty());
        assert!(is_whole(&document.images[0]) && !is_whole(&document.images[299]), "there is an end to what is long");
        assert_eq!(document.findings().count(), 30_000);
        let names: Vec<&str> = document.images.iter().map(|image| image.name.as_str()).collect();
        assert!(names.is_sorted() && names.len() == 300, "{names:?}");
        let variables = text(&out, "plimsoll.env");
        for line in ["IMAGES=300", "FINDINGS=30000", "CRITICAL=7500", "LOW=7500", "FIXABLE=30000"] {
            assert!(variables.lines().any(|one| one.strip_prefix("PLIMSOLL_") == Some(line)), "{line}: {variables}");
        }
        let report = value(&out, "gl-container-scanning-report.json");
        let severity = |wanted: &str| {
            report["vulnerabilities"].as_array().unwrap().iter().filter(|one| one["severity"] == wanted).count()
        };
        assert_eq!(["Critical", "High", "Medium", "Low"].map(severity), [7500, 7500, 5000, 0]);
        let said = "the 20,000 most severe of 30,000 findings are listed; plimsoll.json has all";
        for name in ["gl-container-scanning-report.json", "gl-code-quality-report.json", "index.html", "summary.md"] {
            assert!(text(&out, name).contains(said), "{name}");
        }
        for name in ["plimsoll.sarif", "plimsoll-junit.xml"] {
            assert!(text(&out, name).contains(" most severe of 30000 findings are here"), "{name}");
        }
        // The last image lists no medium ones, which count all the same.
        let page = text(&out, "index.html");
        assert!(
            page.contains("and 100 more images") && page.contains("100 findings (100 vulnerabilities in 2 packages)")
        );
        assert!(page.contains("what follows is about 75 of these 100 findings"));
        // Packages are known by their places, which change when others go.
        let places = |name: &str| -> BTreeSet<String> {
            let all = report["vulnerabilities"].as_array().unwrap().iter();
            let of = all.filter(|one| one["location"]["dependency"]["package"]["name"] == name);
            of.map(|one| one["details"]["path"]["value"].as_str().unwrap().to_owned()).collect()
        };
        for name in ["severe", "mild"] {
            assert_eq!(places(name), BTreeSet::from([format!("usr/share/doc/{name}")]));
        }
        assert!(
            text(&out, "summary.md").contains("| `reg.example.com/shop/app:299` | 🔶 vulnerable | 25 | 25 | 25 | 25 |")
        );
    }

    #[test]
    fn few_findings_are_all_there() {
        let out = collected(3, 4);
        assert!(!text(&out, "summary.md").contains("SHORTENED"));
        assert_eq!(value(&out, "gl-container-scanning-report.json")["vulnerabilities"].as_array().unwrap().len(), 12);
        // Packages without findings are not listed; that an image has none would be wrong all the same.
        assert!(text(&collected(2, 0), "summary.md").contains("there is no advisory data for its 3 packages"));
    }
}
