//! Entries that are kept, damaged, too large or too many; and what an entry's name has to follow.

#[path = "../../../fuzz/support/entries.rs"]
mod entries;
#[path = "../../../fuzz/support/files.rs"]
mod files;
#[path = "../../../fuzz/support/images.rs"]
mod images;
#[path = "../../../tests/support/programs.rs"]
mod programs;

use std::collections::BTreeMap;

use super::super::extractor::extract_bytes;
use super::super::layer;
use super::*;
use crate::image::{self, NoProgress, Source};
use crate::model::Platform;

fn facts() -> LayerFacts {
    let path = "app/node_modules/x/package.json";
    let facts = extract_bytes(path, br#"{"name":"x","version":"1.0.0"}"#).expect("a package");
    let tree = LayerTree { files: vec![path.into()], non_directories: vec![1, u64::MAX], ..LayerTree::default() };
    LayerFacts { tree, files: HashMap::from([(path.into(), FileFacts { facts, trouble: None })]), gap: None }
}

fn digest(byte: u8) -> Digest {
    Digest::from_sha256(&[byte; 32])
}

fn entries(cache: &LayerCache) -> Vec<PathBuf> {
    let folders = fs::read_dir(&cache.directory).expect("a directory").flatten();
    folders.flat_map(|folder| fs::read_dir(folder.path()).expect("a folder").flatten()).map(|e| e.path()).collect()
}

#[test]
fn what_is_kept_comes_back_for_the_same_reader_only() {
    let directory = tempfile::tempdir().expect("a directory");
    let (cache, limits) = (LayerCache::new(directory.path()), Limits::default());
    assert!(cache.layer(&digest(1), &limits).is_none());
    let facts = facts();
    cache.keep_layer(&digest(1), &limits, &facts);
    let back = cache.layer(&digest(1), &limits).expect("an entry");
    assert_eq!((back.tree, back.files), (facts.tree, facts.files));
    assert!(cache.layer(&digest(2), &limits).is_none());
    assert!(cache.layer(&digest(1), &Limits { file_size: 1, ..limits }).is_none());
}

#[test]
fn facts_under_the_paths_of_hard_links_are_kept_too() {
    let directory = tempfile::tempdir().expect("a directory");
    let (cache, limits) = (LayerCache::new(directory.path()), Limits::default());
    let targets = |path: &str| Targets::from([("store/a".to_owned(), [path.to_owned()].into())]);
    let linked = LinkedFacts::from([((3, "store/a".into(), "p".into()), FileFacts::default())]);
    cache.keep_linked(&digest(1), &limits, &targets("p"), &linked);
    let back = cache.linked(&digest(1), &limits, &targets("p"), 7).expect("an entry");
    assert!(back.contains_key(&(7, "store/a".to_owned(), "p".to_owned())), "{back:?}");
    assert!(cache.linked(&digest(1), &limits, &targets("q"), 7).is_none());
}

#[test]
fn damage_counts_as_absence() {
    let directory = tempfile::tempdir().expect("a directory");
    let (cache, limits) = (LayerCache::new(directory.path()), Limits::default());
    cache.keep_layer(&digest(1), &limits, &facts());
    let path = entries(&cache).pop().expect("an entry");
    let sound = fs::read(&path).expect("it can be read");
    for at in 0..sound.len() {
        let mut damaged = sound.clone();
        damaged[at] ^= 1;
        fs::write(&path, &damaged).expect("it can be written");
        // A damaged length may leave the parts as they are.
        assert!(cache.layer(&digest(1), &limits).is_none(), "byte {at}");
        fs::write(&path, &sound[..at]).expect("it can be written");
        assert!(cache.layer(&digest(1), &limits).is_none(), "cut at {at}");
    }
}

#[test]
fn what_could_not_be_read_back_is_not_written() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut cache = LayerCache::new(directory.path());
    let limits = Limits::default();
    // Packed it is far below what it is.
    let mut facts = facts();
    facts.files.insert("a".repeat(10_000), FileFacts::default());
    let size = serde_json::to_vec(&facts.files).expect("JSON").len() as u64;
    for (largest, is_kept) in [(size, false), (size + 1, true)] {
        cache.largest = largest;
        cache.keep_layer(&digest(1), &limits, &facts);
        assert_eq!(cache.layer(&digest(1), &limits).is_some(), is_kept, "{largest} of {size}");
        assert_eq!(directory.path().join("layers").exists(), is_kept);
    }
}

#[test]
fn the_directory_is_bounded() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut cache = LayerCache::new(directory.path());
    let limits = Limits::default();
    for byte in 0..4 {
        cache.keep_layer(&digest(byte), &limits, &facts());
        let path = cache.directory.join(name(&digest(byte), &limits));
        let used = SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(u64::from(byte));
        File::options().write(true).open(path).and_then(|file| file.set_modified(used)).expect("a time");
    }
    let size = entries(&cache).iter().map(|path| fs::metadata(path).expect("an entry").len()).max().expect("four");
    cache.most = 2 * size;
    assert!(cache.layer(&digest(0), &limits).is_some(), "this one is used now");
    cache.prune();
    let left: Vec<bool> = (0..4).map(|byte| cache.layer(&digest(byte), &limits).is_some()).collect();
    assert_eq!(left, [true, false, false, true]);
}

/// Digests of what the layers of each image in the test data say, and files made by hand.
fn said() -> BTreeMap<String, String> {
    let short = |digest: &[u8]| digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect::<String>();
    let made = files::single().into_iter().map(|(path, content)| {
        let said = extract_bytes(path, &content).map_err(|error| error.to_string());
        (path.to_owned(), short(&Sha256::digest(format!("{said:?}"))))
    });
    let mut said: BTreeMap<String, String> = made.collect();
    let data = std::env::var_os("PLIMSOLL_TEST_DATA").map_or_else(|| PathBuf::from("../shared"), PathBuf::from);
    for folder in fs::read_dir(data.join("images")).into_iter().flatten().flatten() {
        let path = folder.path().join("oci");
        let Ok(source) = format!("oci:{}", path.display()).parse::<Source>() else { continue };
        let limits = Limits::default();
        let platforms =
            ["linux/amd64", "linux/arm64"].map(|platform| platform.parse::<Platform>().expect("a platform"));
        let Some(image) = platforms.iter().find_map(|platform| image::open(&source, platform, &limits, None).ok())
        else {
            continue;
        };
        let mut hash = Sha256::new();
        for index in 0..image.layers.len() {
            let LayerFacts { tree, files, gap } = layer::read(&image, index, &limits, &NoProgress);
            let files: BTreeMap<_, _> = files.into_iter().collect();
            hash.update(serde_json::to_vec(&(tree, files, gap)).expect("JSON"));
        }
        said.insert(format!("images/{}", folder.file_name().display()), short(&hash.finalize()));
    }
    said
}

/// Otherwise layers that were read by another version would go on saying what it made of them.
#[test]
fn another_revision_goes_with_another_output() {
    const RECORD: &str = "tests/snapshots/facts.txt";
    let said = said();
    let kept = fs::read_to_string(RECORD).unwrap_or_default();
    let (revision, lines) = kept.split_once('\n').unwrap_or_default();
    let kept: BTreeMap<String, String> =
        lines.lines().filter_map(|line| line.split_once(' ')).map(|(digest, of)| (of.into(), digest.into())).collect();
    let changed: Vec<&String> = said
        .iter()
        .filter(|(of, digest)| kept.get(*of).is_some_and(|kept| kept != *digest))
        .map(|(of, _)| of)
        .collect();
    let is_raised = revision != format!("revision {REVISION}");
    assert!(
        changed.is_empty() || is_raised,
        "extractors say something else about {changed:?} than at revision {REVISION}. If that is meant, raise REVISION in \
         src/inventory/cache.rs, so that caches read these layers again, and run this test with PLIMSOLL_UPDATE=1."
    );
    let has_data = said.keys().any(|of| of.starts_with("images/"));
    if !has_data {
        assert!(std::env::var("CI").as_deref() != Ok("true"), "the test data is missing");
        eprintln!("ignored: no test data, only files made by hand were compared");
        return;
    }
    if std::env::var_os("PLIMSOLL_UPDATE").is_some() {
        let lines: String = said.iter().map(|(of, digest)| format!("{digest} {of}\n")).collect();
        fs::write(RECORD, format!("revision {REVISION}\n{lines}")).expect("the record can be written");
        return;
    }
    assert!(!is_raised && kept == said, "{RECORD} is out of date: run this test with PLIMSOLL_UPDATE=1");
}
