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

/// Changes whenever an extractor says something else about the same file; a test compares what they say with a record.
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
    /// What one may take, packed or not.
    largest: u64,
    written: AtomicUsize,
}

impl LayerCache {
    /// A cache in `directory`, which is made when the first entry is written.
    #[must_use]
    pub fn new(directory: &Path) -> Self {
        Self { directory: directory.join("layers"), most: MOST, largest: LARGEST, written: AtomicUsize::new(0) }
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
        (&mut file).take(self.largest).read_to_end(&mut bytes).ok()?;
        let (header, body) = bytes.split_at_checked(HEADER)?;
        let checksum = u32::from_le_bytes(*header.get(8..)?.first_chunk()?);
        let length = usize::try_from(u64::from_le_bytes(*header.get(12..)?.first_chunk()?)).ok()?;
        if !header.starts_with(MAGIC) || crc32fast::hash(body) != checksum {
            return None;
        }
        let (first, second) = body.split_at_checked(length)?;
        let mut json = Vec::new();
        zstd::stream::read::Decoder::with_buffer(second).ok()?.take(self.largest).read_to_end(&mut json).ok()?;
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
        let second = serde_json::to_vec(second).ok()?;
        // It would be cut off when it is read, however small it is when packed.
        if second.len() as u64 >= self.largest {
            return None;
        }
        let second = zstd::encode_all(second.as_slice(), 1).ok()?;
        let body = [first.as_slice(), second.as_slice()].concat();
        let mut entry = MAGIC.to_vec();
        entry.extend(crc32fast::hash(&body).to_le_bytes());
        entry.extend((first.len() as u64).to_le_bytes());
        entry.extend(body);
        if entry.len() as u64 >= self.largest {
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
mod tests;
