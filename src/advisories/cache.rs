//! The cache directory: files named by content that never change, and small notes of what a source last was.
//!
//! Any number of processes may use one directory at once, also over a network file system: a file is written under a
//! name of its own and renamed, so it is there as a whole or not at all; two that write the same file write the same
//! bytes; nobody waits for a lock. Clean-up takes only what nobody has used for a while, and whoever has opened a file
//! keeps it.
//!
//! ```text
//! blobs/sha256/<64 digits>    shards, deltas, catalogues, files of feeds
//! notes/<name>.json           what a source was when it was last asked
//! ```

use std::collections::BTreeSet;
use std::collections::hash_map::RandomState;
use std::fs::{self, File};
use std::hash::{BuildHasher, Hasher};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::{Digest as _, Sha256};

use crate::model::Digest;

use super::catalogue::Layer;

/// A cache directory; it is made when something is put into it.
#[derive(Debug, Clone)]
pub struct Cache {
    root: PathBuf,
}

/// What a clean-up took away.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Collected {
    /// Files.
    pub files: u64,
    /// Bytes.
    pub bytes: u64,
}

impl Cache {
    /// The cache in a directory.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// The directory.
    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    /// Where the content of a digest is, if it is there.
    pub(super) fn path(&self, digest: &Digest) -> PathBuf {
        self.root.join(BLOBS).join(digest.hex())
    }

    /// Whether a file is there with the right content; one with another content is removed. What is asked for counts as
    /// used.
    pub(super) fn has(&self, layer: &Layer) -> bool {
        let path = self.path(&layer.digest);
        let Ok(file) = File::open(&path) else { return false };
        let used = file.metadata().and_then(|metadata| metadata.modified());
        if digest_of(&file, layer.size).is_ok_and(|digest| digest == layer.digest) {
            touch(&file, used);
            return true;
        }
        tracing::warn!("`{}` does not have its digest and is removed", path.display());
        let _ = fs::remove_file(&path);
        false
    }

    /// The content of a file, if it is there and right. What is read counts as used.
    pub(super) fn read(&self, layer: &Layer) -> Option<Vec<u8>> {
        let file = File::open(self.path(&layer.digest)).ok()?;
        let used = file.metadata().and_then(|metadata| metadata.modified());
        let mut bytes = Vec::new();
        (&file).take(layer.size.saturating_add(1)).read_to_end(&mut bytes).ok()?;
        let is_right = Digest::from_sha256(&Sha256::digest(&bytes).into()) == layer.digest;
        is_right.then(|| touch(&file, used))?;
        Some(bytes)
    }

    /// Keeps content under its digest.
    pub(super) fn put(&self, bytes: &[u8]) -> io::Result<Layer> {
        let digest = Digest::from_sha256(&Sha256::digest(bytes).into());
        let layer = Layer { digest, size: bytes.len() as u64 };
        if !self.has(&layer) {
            replace(&self.path(&layer.digest), bytes)?;
        }
        Ok(layer)
    }

    /// Keeps content if it has the digest.
    pub(super) fn put_as(&self, bytes: &[u8], digest: &Digest) -> io::Result<bool> {
        let fits = Digest::from_sha256(&Sha256::digest(bytes).into()) == *digest;
        if fits {
            self.put(bytes)?;
        }
        Ok(fits)
    }

    /// A note; `None` where there is none that can be read.
    pub(super) fn note<T: DeserializeOwned>(&self, name: &str) -> Option<T> {
        let file = File::open(self.note_path(name)).ok()?;
        let mut bytes = Vec::new();
        file.take(LONGEST_NOTE).read_to_end(&mut bytes).ok()?;
        serde_json::from_slice(&bytes).ok()
    }

    /// Writes a note, in the place of an older one.
    pub(super) fn write_note<T: Serialize>(&self, name: &str, note: &T) -> io::Result<()> {
        replace(&self.note_path(name), &serde_json::to_vec_pretty(note)?)
    }

    /// Removes a note, if it is there; one that cannot be removed is there the next time too.
    pub(super) fn remove_note(&self, name: &str) {
        let _ = fs::remove_file(self.note_path(name));
    }

    /// A directory of its own for work in progress; whoever asks removes it.
    pub(super) fn scratch(&self) -> io::Result<PathBuf> {
        let path = self.root.join(format!("{TEMPORARY}{}", unique()));
        fs::create_dir_all(&path)?;
        Ok(path)
    }

    /// Removes what nobody has used for `unused`, notes included, and what writers that died have left.
    pub fn collect_garbage(&self, unused: Duration) -> Collected {
        let mut collected = Collected::default();
        for (folder, limit) in [(BLOBS, unused), (NOTES, unused)] {
            for entry in fs::read_dir(self.root.join(folder)).into_iter().flatten().flatten() {
                let Ok(metadata) = entry.metadata() else { continue };
                let limit = if is_temporary(&entry.path()) { ABANDONED } else { limit };
                if metadata.is_file() && metadata.modified().is_ok_and(|used| age(used) > limit) {
                    // Somebody else may be cleaning up as well.
                    if fs::remove_file(entry.path()).is_ok() {
                        collected.files += 1;
                        collected.bytes += metadata.len();
                    }
                }
            }
        }
        for entry in fs::read_dir(&self.root).into_iter().flatten().flatten() {
            let old = entry.metadata().and_then(|metadata| metadata.modified()).is_ok_and(|used| age(used) > ABANDONED);
            if old && is_temporary(&entry.path()) {
                let _ = fs::remove_dir_all(entry.path());
            }
        }
        collected
    }

    /// The names of all notes that begin with `prefix`.
    pub(super) fn notes(&self, prefix: &str) -> BTreeSet<String> {
        let entries = fs::read_dir(self.root.join(NOTES)).into_iter().flatten().flatten();
        let names = entries.filter_map(|entry| Some(entry.file_name().to_str()?.strip_suffix(".json")?.to_owned()));
        names.filter(|name| name.starts_with(prefix)).collect()
    }

    fn note_path(&self, name: &str) -> PathBuf {
        self.root.join(NOTES).join(format!("{name}.json"))
    }
}

/// Marks a file as used, where that was long ago. Only the clean-up looks at it; a cache that cannot be written is none
/// that is cleaned up.
fn touch(file: &File, used: io::Result<SystemTime>) {
    if used.is_ok_and(|used| age(used) > TOUCH_AFTER) {
        let _ = file.set_modified(SystemTime::now());
    }
}

/// The digest of a file of `size` bytes.
pub(super) fn digest_of(file: &File, size: u64) -> io::Result<Digest> {
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 64 << 10];
    let mut rest = file.take(size.saturating_add(1));
    let mut read = 0;
    loop {
        let count = rest.read(&mut buffer)?;
        if count == 0 {
            break;
        }
        read += count as u64;
        hash.update(buffer.get(..count).unwrap_or_default());
    }
    if read != size {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "it has another size"));
    }
    Ok(Digest::from_sha256(&hash.finalize().into()))
}

/// Writes beside the target and renames, so that readers see the old file, the new one, or none.
pub(super) fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder)?;
    let temporary = folder.join(format!("{TEMPORARY}{}", unique()));
    let write = || {
        let mut file = File::options().write(true).create_new(true).open(&temporary)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&temporary, path)
    };
    write().inspect_err(|_| {
        let _ = fs::remove_file(&temporary);
    })
}

/// Process ids repeat where several containers share a directory.
fn unique() -> String {
    format!("{}-{:016x}", std::process::id(), RandomState::new().build_hasher().finish())
}

fn is_temporary(path: &Path) -> bool {
    path.file_name().and_then(|name| name.to_str()).is_some_and(|name| name.starts_with(TEMPORARY))
}

/// A time in the future is not old.
fn age(time: SystemTime) -> Duration {
    time.elapsed().unwrap_or_default()
}

const BLOBS: &str = "blobs/sha256";
const NOTES: &str = "notes";
const TEMPORARY: &str = ".writing-";
const LONGEST_NOTE: u64 = 1 << 20;
const TOUCH_AFTER: Duration = Duration::from_secs(3600);
const ABANDONED: Duration = Duration::from_secs(24 * 3600);

#[cfg(test)]
mod tests {
    use super::*;

    fn age_file(path: &Path, hours: u64) {
        let file = File::options().write(true).open(path).unwrap();
        file.set_modified(SystemTime::now() - Duration::from_secs(hours * 3600)).unwrap();
    }

    #[test]
    fn content_is_kept_and_damage_is_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::new(folder.path().join("not/yet"));
        let layer = cache.put(b"content").unwrap();
        assert!(cache.has(&layer));
        assert_eq!(cache.read(&layer).as_deref(), Some(&b"content"[..]));
        for damage in [&b"other!!"[..], b"", b"content and more"] {
            fs::write(cache.path(&layer.digest), damage).unwrap();
            assert_eq!(cache.read(&layer), None);
            assert!(!cache.has(&layer), "{damage:?}");
            assert!(!cache.path(&layer.digest).exists(), "{damage:?}");
        }
    }

    #[test]
    fn notes_are_replaced_and_bad_ones_are_none() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::new(folder.path());
        cache.write_note("a-1", &1).unwrap();
        cache.write_note("a-1", &2).unwrap();
        assert_eq!(cache.note::<u32>("a-1"), Some(2));
        assert_eq!(cache.note::<String>("a-1"), None);
        assert_eq!(cache.notes("a-"), BTreeSet::from(["a-1".to_owned()]));
    }

    #[test]
    fn only_what_nobody_uses_is_removed() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::new(folder.path());
        let [old, used, fresh] = [b"old", b"use", b"new"].map(|bytes| cache.put(bytes).unwrap());
        age_file(&cache.path(&old.digest), 1000);
        age_file(&cache.path(&used.digest), 1000);
        assert!(cache.has(&used), "asking for it is using it");
        let leftover = folder.path().join(BLOBS).join(".writing-1");
        fs::write(&leftover, "half").unwrap();
        age_file(&leftover, 30);
        let collected = cache.collect_garbage(Duration::from_secs(3600 * 24 * 7));
        assert_eq!(collected, Collected { files: 2, bytes: 7 });
        assert!(cache.has(&used) && cache.has(&fresh) && !cache.has(&old) && !leftover.exists());
    }
}
