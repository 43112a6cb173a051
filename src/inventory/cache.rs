//! Facts of layers, and inventories of whole images, in a directory, so that a layer that was read once, for whatever image, is neither downloaded nor
//! unpacked again.
//!
//! An entry's name is the digest that the layer's bytes were checked against, below a folder for what reads them. (Not
//! the `diff_id`: an image may claim another one's.) Entries are written once and renamed into place, so that any number
//! of jobs may share the directory without a lock; one that is damaged counts as absent. What did not read to its end is
//! not kept.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::SystemTime;

use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::{Digest as _, Sha256};

use super::coverage;
use super::fact::FileFacts;
use super::layer::{LayerFacts, LinkedFacts, Targets};
use crate::image::{Image, LayerTree};
use crate::model::{Digest, GapKind, Inventory, Limits};

/// Changes whenever an extractor says something else about the same file.
const REVISION: u32 = 6;
const MAGIC: &[u8; 8] = b"PLIMLYR1";
/// Magic, checksum of all that follows, length of the first part.
const HEADER: usize = 8 + 4 + 8;
/// An entry; those of real layers have up to some MB.
const LARGEST: u64 = 256 << 20;
/// All entries together, in bytes. Beyond it, those that were not used for the longest time go.
const MOST: u64 = 512 << 20;

/// A directory of layers' facts.
#[derive(Debug)]
pub struct LayerCache {
    directory: PathBuf,
    /// What all entries may take together.
    most: u64,
    written: AtomicUsize,
}

impl LayerCache {
    /// A cache in `directory`, which is made when the first entry is written.
    #[must_use]
    pub fn new(directory: &Path) -> Self {
        Self { directory: directory.join("layers"), most: MOST, written: AtomicUsize::new(0) }
    }

    /// What is known of a layer.
    pub(super) fn layer(&self, digest: &Digest, limits: &Limits) -> Option<LayerFacts> {
        let (tree, files): (LayerTree, HashMap<String, FileFacts>) = self.read(&name(digest, limits))?;
        Some(LayerFacts { tree, files, gap: None })
    }

    /// Keeps what a layer says, if it was read to its end. That it cannot be kept is no reason to fail.
    pub(super) fn keep_layer(&self, digest: &Digest, limits: &Limits, facts: &LayerFacts) {
        if facts.gap.is_none() {
            self.write(&name(digest, limits), &facts.tree, &facts.files);
        }
    }

    /// What is known of files of a layer under the paths of hard links to them; `index` is the layer's in this image.
    pub(super) fn linked(
        &self,
        digest: &Digest,
        limits: &Limits,
        targets: &Targets,
        index: usize,
    ) -> Option<LinkedFacts> {
        let (kept, facts): (Targets, Vec<(String, String, FileFacts)>) =
            self.read(&linked_name(digest, limits, targets))?;
        let of_index = |(target, path, facts)| ((index, target, path), facts);
        (kept == *targets).then(|| facts.into_iter().map(of_index).collect())
    }

    /// Keeps what [`LayerCache::linked`] returns.
    pub(super) fn keep_linked(&self, digest: &Digest, limits: &Limits, targets: &Targets, facts: &LinkedFacts) {
        let facts: Vec<_> = facts.iter().map(|((_, target, path), facts)| (target, path, facts)).collect();
        self.write(&linked_name(digest, limits, targets), targets, &facts);
    }

    /// What is known of an image of these layers and this configuration, whatever image has them.
    pub(super) fn image(&self, image: &Image, limits: &Limits) -> Option<Inventory> {
        let ((), known): ((), Inventory) = self.read(&image_name(image, limits)?)?;
        Some(Inventory { image: image.identity.clone(), layers: image.layers.clone(), ..known })
    }

    /// Keeps what an image holds, if all of it could be read.
    pub(super) fn keep_image(&self, image: &Image, limits: &Limits, inventory: &Inventory) {
        let is_whole = inventory.gaps.iter().all(|gap| gap.layer.is_none() && gap.kind == GapKind::UnknownDistribution);
        if let Some(name) = image_name(image, limits).filter(|_| is_whole) {
            self.write(&name, &(), inventory);
        }
    }

    /// Removes entries that were not used for the longest time, if all together are too large and some are new.
    pub(super) fn prune(&self) {
        if self.written.load(Ordering::Relaxed) == 0 {
            return;
        }
        let mut entries: Vec<(SystemTime, u64, PathBuf)> = Vec::new();
        for folder in fs::read_dir(&self.directory).into_iter().flatten().flatten() {
            for entry in fs::read_dir(folder.path()).into_iter().flatten().flatten() {
                if let Ok(metadata) = entry.metadata() {
                    let used = metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH);
                    entries.push((used, metadata.len(), entry.path()));
                }
            }
        }
        entries.sort();
        let mut total: u64 = entries.iter().map(|(_, size, _)| size).sum();
        for (_, size, path) in entries {
            if total <= self.most {
                break;
            }
            total -= size;
            // Another job may have done so already.
            let _ = fs::remove_file(path);
        }
    }

    /// An entry has a first part that is large and binary, and one that may leave fields out.
    fn read<A: DeserializeOwned, B: DeserializeOwned>(&self, name: &str) -> Option<(A, B)> {
        let mut file = File::open(self.directory.join(name)).ok()?;
        let mut bytes = Vec::new();
        (&mut file).take(LARGEST).read_to_end(&mut bytes).ok()?;
        let (header, body) = bytes.split_at_checked(HEADER)?;
        let checksum = u32::from_le_bytes(*header.get(8..)?.first_chunk()?);
        let length = usize::try_from(u64::from_le_bytes(*header.get(12..)?.first_chunk()?)).ok()?;
        if !header.starts_with(MAGIC) || crc32fast::hash(body) != checksum {
            return None;
        }
        let (first, second) = body.split_at_checked(length)?;
        let mut json = Vec::new();
        zstd::stream::read::Decoder::with_buffer(second).ok()?.take(LARGEST).read_to_end(&mut json).ok()?;
        let entry = (postcard::from_bytes(first).ok()?, serde_json::from_slice(&json).ok()?);
        // The time of its last use decides how long an entry stays.
        let _ = file.set_modified(SystemTime::now());
        Some(entry)
    }

    fn write<A: Serialize, B: Serialize>(&self, name: &str, first: &A, second: &B) {
        let path = self.directory.join(name);
        if self.try_write(&path, first, second).is_some() {
            self.written.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn try_write<A: Serialize, B: Serialize>(&self, path: &Path, first: &A, second: &B) -> Option<()> {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let first = postcard::to_allocvec(first).ok()?;
        let second = zstd::encode_all(serde_json::to_vec(second).ok()?.as_slice(), 1).ok()?;
        let body = [first.as_slice(), second.as_slice()].concat();
        let mut entry = MAGIC.to_vec();
        entry.extend(crc32fast::hash(&body).to_le_bytes());
        entry.extend((first.len() as u64).to_le_bytes());
        entry.extend(body);
        if entry.len() as u64 >= LARGEST {
            return None;
        }
        fs::create_dir_all(path.parent()?).ok()?;
        let unfinished =
            path.with_extension(format!("{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed)));
        let done = fs::write(&unfinished, entry).and_then(|()| fs::rename(&unfinished, path));
        if done.is_err() {
            let _ = fs::remove_file(&unfinished);
        }
        done.ok()
    }
}

/// The folder for what reads the layers, and the layer's digest in it.
fn name(digest: &Digest, limits: &Limits) -> String {
    let limits = limits.of_content();
    let reader = format!("{} {REVISION} {} {limits:?}", env!("CARGO_PKG_VERSION"), coverage::document());
    format!("{:08x}/{}", crc32fast::hash(reader.as_bytes()), digest.hex())
}

/// Names what takes inventories: with another name, the same image may have another one.
#[must_use]
pub fn revision(limits: &Limits) -> String {
    let limits = limits.of_content();
    let reader = format!("{REVISION} {} {limits:?}", coverage::document());
    format!("{:08x}", crc32fast::hash(reader.as_bytes()))
}

fn linked_name(digest: &Digest, limits: &Limits, targets: &Targets) -> String {
    // Two sets of targets with the same checksum replace each other's entries, which say whose they are.
    let checksum = crc32fast::hash(format!("{targets:?}").as_bytes());
    format!("{}-{checksum:08x}", name(digest, limits))
}

/// The name of an image's entry; none where a layer's bytes are checked against nothing. The configuration's digest alone
/// would not do: an image may claim another one's.
fn image_name(image: &Image, limits: &Limits) -> Option<String> {
    let mut hash = Sha256::new();
    hash.update(image.identity.config_digest.as_ref()?.as_str());
    for index in 0..image.layers.len() {
        hash.update([b' ']);
        hash.update(image.verified_digest(index)?.as_str());
    }
    let digest = Digest::from_sha256(&hash.finalize().into());
    Some(format!("{}-image", name(&digest, limits)))
}

#[cfg(test)]
mod tests {
    use super::super::extractor::extract_bytes;
    use super::*;

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
}
