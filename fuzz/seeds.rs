//! Where the fuzzers start: files made by hand and, out of a folder of test data, real ones, cut small; one corpus per
//! target.
//!
//! `PLIMSOLL_TEST_DATA=DATA PLIMSOLL_CORPORA=CORPORA seeds -runs=0` reads `DATA/images/*/oci`, `DATA/feeds` and
//! `DATA/versions` and writes `CORPORA/<target>/`; without `PLIMSOLL_TEST_DATA` only what is made by hand. It is a fuzz
//! target without anything to fuzz, because a program that is built with their coverage needs libFuzzer's runtime.

#![no_main]

#[path = "support/entries.rs"]
mod entries;
#[path = "support/files.rs"]
mod files;
#[path = "support/images.rs"]
mod images;
#[path = "support/kept.rs"]
mod kept;
#[path = "../tests/support/programs.rs"]
mod programs;

use std::collections::HashMap;
use std::fs;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io::{self, BufRead as _, Read as _};
use std::path::{Path, PathBuf};

use libfuzzer_sys::fuzz_target;
use plimsoll::advisories::{FEEDS, Sink};
use plimsoll::image::{self, Content, Entry, NoProgress, Source, Visitor};
use plimsoll::inventory::extractor::extractor_for;
use plimsoll::model::{Limits, Platform};
use plimsoll::version::Scheme;

use images::Packing;

/// Larger files make a fuzzer slow.
const LARGEST: u64 = 64 * 1024;
/// Seeds of one folder for one feed: more of a kind teach a fuzzer nothing.
const OF_A_KIND: usize = 4;

fuzz_target!(init: { write_all().expect("the corpora can be written") }, |_data: &[u8]| {});

fn write_all() -> io::Result<()> {
    let Some(corpora) = std::env::var_os("PLIMSOLL_CORPORA") else {
        return Err(io::Error::other("PLIMSOLL_CORPORA is to be set"));
    };
    let corpora = Corpora(corpora.into());
    made(&corpora)?;
    match std::env::var_os("PLIMSOLL_TEST_DATA") {
        Some(data) => of_data(Path::new(&data), &corpora),
        None => Ok(()),
    }
}

/// Real files.
fn of_data(data: &Path, corpora: &Corpora) -> io::Result<()> {
    for image in children(&data.join("images")) {
        from_image(&image.join("oci"), corpora)?;
    }
    let feeds = data.join("feeds");
    let mut kinds = HashMap::new();
    for file in files_below(&feeds) {
        from_feed(&feeds, &file, &mut kinds, corpora)?;
    }
    for table in children(&data.join("versions")) {
        from_versions(&table, corpora)?;
    }
    Ok(())
}

/// The corpora, by the name of their target.
struct Corpora(PathBuf);

impl Corpora {
    fn add(&self, target: &str, seed: &[u8]) -> io::Result<()> {
        let mut hasher = DefaultHasher::new();
        seed.hash(&mut hasher);
        let folder = self.0.join(target);
        fs::create_dir_all(&folder)?;
        fs::write(folder.join(format!("{:016x}", hasher.finish())), seed)
    }
}

/// What is made by hand: files of every form, images of every difficulty, entries of the cache.
fn made(corpora: &Corpora) -> io::Result<()> {
    for (path, content) in files::single() {
        corpora.add("extractors", &[path.as_bytes(), b"\n", content.as_slice()].concat())?;
    }
    for (choice, entries) in (0..).zip(files::images()) {
        let layers = entries::archives(&entries);
        for packing in Packing::ALL {
            corpora.add("archive", &images::docker_archive(&layers, packing))?;
            corpora.add("archive", &images::oci_archive(&layers, packing))?;
        }
        let written = entries::written(&entries);
        // Each through the cache, and each in another form.
        corpora.add("layers", &[&[8_u8], written.as_slice()].concat())?;
        corpora.add("layers", &[&[choice], written.as_slice()].concat())?;
    }
    let folder = std::env::temp_dir().join(format!("plimsoll-seeds-{}", std::process::id()));
    for (choice, (_, entry)) in (0..).zip(kept::fill(&folder).entries) {
        let (first, second) = kept::parts(&entry);
        let length = u16::try_from(first.len()).unwrap_or(u16::MAX).to_le_bytes();
        corpora.add("kept", &[&[choice], length.as_slice(), &first, &second].concat())?;
    }
    fs::remove_dir_all(folder)
}

/// The files that an extractor wants, and the small layers and images as they are.
fn from_image(layout: &Path, corpora: &Corpora) -> io::Result<()> {
    let files = files_below(layout);
    let size: u64 = files.iter().filter_map(|file| fs::metadata(file).ok()).map(|file| file.len()).sum();
    if !files.is_empty() && size <= LARGEST / 2 {
        let mut tar = images::Tar::default();
        for path in &files {
            let name = path.strip_prefix(layout).unwrap_or(path).to_string_lossy();
            images::file(&mut tar, &name, &fs::read(path)?);
        }
        corpora.add("archive", &tar.finish())?;
    }
    for blob in files_below(&layout.join("blobs")) {
        let bytes = fs::read(&blob)?;
        let deflated = bytes.strip_prefix(b"\x1f\x8b\x08\0").and_then(|rest| rest.get(6..));
        if let Some(deflated) = deflated.filter(|bytes| bytes.len() as u64 <= LARGEST) {
            corpora.add("inflate", deflated)?;
        }
    }
    let Ok(source) = format!("oci:{}", layout.display()).parse::<Source>() else { return Ok(()) };
    let limits = Limits::default();
    let Ok(image) = image::open(&source, &Platform::linux_amd64(), &limits, None) else { return Ok(()) };
    let mut seeds = Seeds::default();
    for layer in 0..image.layers.len() {
        // A layer that cannot be read to its end has shown its beginning.
        let _ = image.walk_layer(layer, &mut seeds, &limits, &NoProgress);
    }
    for seed in seeds.0 {
        corpora.add("extractors", &seed)?;
    }
    Ok(())
}

/// Path, line feed, content.
#[derive(Default)]
struct Seeds(Vec<Vec<u8>>);

impl Visitor for Seeds {
    fn wants(&mut self, entry: &Entry<'_>) -> bool {
        extractor_for(entry).is_some()
    }

    fn file(&mut self, entry: &Entry<'_>, content: &mut Content<'_>) {
        let mut seed = format!("{}\n", entry.path).into_bytes();
        if content.take(LARGEST).read_to_end(&mut seed).is_ok() {
            self.0.push(seed);
        }
    }
}

/// A file, for every feed that can read it.
fn from_feed(root: &Path, file: &Path, kinds: &mut HashMap<(u8, PathBuf), usize>, corpora: &Corpora) -> io::Result<()> {
    if fs::metadata(file)?.len() > LARGEST {
        return Ok(());
    }
    let bytes = fs::read(file)?;
    let path = file.strip_prefix(root).unwrap_or(file).to_string_lossy();
    for (choice, feed) in (0u8..).zip(FEEDS) {
        let count = kinds.entry((choice, file.parent().unwrap_or(root).to_owned())).or_default();
        if *count == OF_A_KIND {
            continue;
        }
        if feed.read(&path, &bytes, &mut Sink::new(None, path.to_string())).is_ok() {
            *count += 1;
            corpora.add("feeds", &[&[choice], path.as_bytes(), b"\n", &bytes].concat())?;
        }
    }
    Ok(())
}

/// A table of versions: the first two columns of some lines.
fn from_versions(table: &Path, corpora: &Corpora) -> io::Result<()> {
    let name = table.file_stem().unwrap_or_default().to_string_lossy();
    let Some(choice) = Scheme::ALL.iter().position(|scheme| scheme.to_string() == name) else { return Ok(()) };
    let lines = io::BufReader::new(fs::File::open(table)?).lines().step_by(40).take(100);
    for line in lines {
        let line = line?;
        let mut columns = line.split('\t');
        let (Some(a), Some(b)) = (columns.next(), columns.next()) else { continue };
        corpora.add("versions", format!("{}{a}\t{b}", char::from(choice as u8)).as_bytes())?;
    }
    Ok(())
}

fn children(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut children: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
    children.sort();
    children
}

fn files_below(folder: &Path) -> Vec<PathBuf> {
    let (folders, mut files): (Vec<_>, Vec<_>) = children(folder).into_iter().partition(|path| path.is_dir());
    files.extend(folders.iter().flat_map(|folder| files_below(folder)));
    files
}
