//! Signs a database and sends it to a registry: what changed since the database that is there, as deltas.
//!
//! A shard whose records are the same keeps the files that it has. One that changed gets a delta on top of them; after
//! some deltas they are made into one, and when that is a good part of the shard, the shard is sent as a whole. Who holds
//! any earlier state fetches the deltas that it lacks; nobody has to know what it holds.

use std::path::Path;

use crate::advisories::cache::Cache;
use crate::advisories::catalogue::{Catalogue, FILE_NAME, LARGEST, Layer, SIGNATURE_NAME, ShardEntry};
use crate::advisories::index::{DeltaError, IndexFile, Stack, delta};
use crate::advisories::parallel;
use crate::advisories::signature::{SigningKey, judge};
use crate::model::{Digest, ImageReference};
use crate::registry::{Registry, RegistryError};

use super::artifact::{MANIFEST, Manifest, compress};
use super::pull::{fetch, read_catalogue, read_manifest, registry_error, unwritable};
use super::{DeliveryError, Moved, directory, read_catalogue_of};

/// What was pushed.
#[derive(Debug, Clone)]
pub struct PushReport {
    /// Of the manifest.
    pub digest: Digest,
    /// How many shards the database has.
    pub shards: usize,
    /// How many of them are as they were.
    pub unchanged: usize,
    /// How many got a delta.
    pub deltas: usize,
    /// Bytes of all files of the database.
    pub total: u64,
    /// What was sent.
    pub sent: Moved,
    /// Whether it is signed.
    pub signed: bool,
    /// Why the deltas could not build on what was there.
    pub replaced: Option<String>,
}

/// Signs a directory's catalogue in place; without a key an older signature, which cannot fit any more, is removed.
///
/// # Errors
/// There is no catalogue, or the signature cannot be written.
pub fn sign(directory: &Path, key: Option<&SigningKey>) -> Result<(), DeliveryError> {
    let path = directory.join(SIGNATURE_NAME);
    match key {
        Some(key) => directory::put(&path, &key.sign(&directory::read(directory)?.bytes)),
        None => match std::fs::remove_file(&path) {
            Err(cause) if cause.kind() != std::io::ErrorKind::NotFound => Err(DeliveryError::File { path, cause }),
            _ => Ok(()),
        },
    }
}

/// Pushes a directory's database. Without a key a database that is signed goes as it is, as deltas would change its
/// catalogue; an unsigned one stays so. `whole`: no deltas.
///
/// # Errors
/// The directory cannot be read, or the registry does not take it.
pub fn push(
    registry: &Registry,
    to: &ImageReference,
    directory: &Path,
    cache: &Cache,
    key: Option<&SigningKey>,
    whole: bool,
) -> Result<PushReport, DeliveryError> {
    let built = directory::read(directory)?;
    let mut replaced = None;
    let previous = match previous(registry, to, key) {
        Ok(previous) => previous,
        Err(error) if error.is_absence() || matches!(error, DeliveryError::Registry(..)) => return Err(error),
        Err(error) => {
            replaced = Some(error.to_string());
            None
        }
    };
    let there: Vec<Layer> = previous.iter().flat_map(|p| &p.shards).flat_map(ShardEntry::layers).collect();
    let as_it_is = key.is_none() && built.signature.is_some();
    let base = previous.filter(|_| !whole && !as_it_is);
    let prepared = prepare(registry, to, directory, cache, &built.catalogue, base.as_ref());
    let mut catalogue = built.catalogue.clone();
    catalogue.shards = prepared.into_iter().collect::<Result<_, _>>()?;
    let bytes = if as_it_is { built.bytes } else { catalogue.to_bytes() };
    let signature = key.map(|key| key.sign(&bytes)).or(built.signature.filter(|_| as_it_is));

    let mut files: Vec<Layer> = catalogue.shards.iter().flat_map(ShardEntry::layers).collect();
    files.sort_unstable_by(|a, b| a.digest.cmp(&b.digest));
    files.dedup();
    let sent = send(registry, to, &files, &there, cache)?;
    let blob = compress(&bytes).map_err(|cause| DeliveryError::File { path: FILE_NAME.into(), cause })?;
    if bytes.len() as u64 > LARGEST {
        let reason = format!("its catalogue has {} bytes", bytes.len());
        return Err(DeliveryError::NotADatabase { origin: directory.display().to_string(), reason });
    }
    let config = cache.put(&blob).map_err(|cause| unwritable(cache, cause))?;
    let mut moved = sent;
    let of_config = send(registry, to, std::slice::from_ref(&config), &[], cache)?;
    moved.files += of_config.files;
    moved.bytes += of_config.bytes;

    let signed = signature.is_some();
    let manifest = Manifest { catalogue: config, files, signature }.to_bytes(&catalogue);
    let digest = cache.put(&manifest).map_err(|cause| unwritable(cache, cause))?.digest;
    registry.push_manifest(to, MANIFEST, manifest).map_err(|error| registry_error(error, to))?;
    let same = |entry: &&ShardEntry| {
        base.as_ref().is_some_and(|base| {
            base.shards
                .iter()
                .any(|old| old.name == entry.name && old.deltas == entry.deltas && old.digest == entry.digest)
        })
    };
    let unchanged = catalogue.shards.iter().filter(same).count();
    Ok(PushReport {
        digest,
        shards: catalogue.shards.len(),
        unchanged,
        deltas: catalogue.shards.iter().filter(|entry| !entry.deltas.is_empty() && !same(entry)).count(),
        total: catalogue.shards.iter().map(ShardEntry::total).sum(),
        sent: moved,
        signed,
        replaced,
    })
}

/// The database that is there now. Who signs builds on their own databases only.
fn previous(
    registry: &Registry,
    at: &ImageReference,
    key: Option<&SigningKey>,
) -> Result<Option<Catalogue>, DeliveryError> {
    let manifest = match read_manifest(registry, at) {
        Ok((_, manifest)) => manifest,
        Err(DeliveryError::Registry(RegistryError::NotFound { .. }, _)) => return Ok(None),
        Err(error) => return Err(error),
    };
    let bytes = read_catalogue(registry, at, &manifest)?;
    let keys = key.map(SigningKey::public);
    judge(keys.as_ref(), &bytes, manifest.signature.as_deref())
        .map_err(|reason| DeliveryError::Untrusted { origin: at.to_string(), reason })?;
    read_catalogue_of(&at.to_string(), &bytes).map(Some)
}

/// The entries of all shards, with their files in the cache as far as they are not in the registry.
fn prepare(
    registry: &Registry,
    to: &ImageReference,
    directory: &Path,
    cache: &Cache,
    built: &Catalogue,
    base: Option<&Catalogue>,
) -> Vec<Result<ShardEntry, DeliveryError>> {
    parallel::map(&built.shards, |entry| {
        let old = base.and_then(|base| base.shards.iter().find(|old| old.name == entry.name));
        if let Some(old) = old.filter(|old| old.whole() == entry.whole()) {
            let (records, newest) = (entry.records, entry.newest);
            return Ok(ShardEntry { records, newest, ..old.clone() });
        }
        for layer in entry.layers() {
            directory::into_cache(directory, entry, &layer, cache)?;
        }
        // A shard that comes with deltas already was pushed before, by somebody else.
        let Some(old) = old.filter(|_| entry.deltas.is_empty() && entry.size >= SMALLEST) else {
            return Ok(entry.clone());
        };
        for layer in old.layers().filter(|layer| !cache.has(layer)) {
            fetch(registry, to, &layer, cache)?;
        }
        match stacked(old, entry, cache) {
            Ok(Some(stacked)) => Ok(stacked),
            Ok(None) => Ok(entry.clone()),
            Err(reason) => {
                tracing::warn!("{}: sent as a whole, as the one that is there cannot be read: {reason}", entry.name);
                Ok(entry.clone())
            }
        }
    })
}

/// The old shard with a delta that makes the new one of it; `None` where the shard had better be sent as a whole.
fn stacked(old: &ShardEntry, new: &ShardEntry, cache: &Cache) -> Result<Option<ShardEntry>, String> {
    let open = |layer: &Layer| {
        let file = std::fs::File::open(cache.path(&layer.digest)).map_err(|error| error.to_string())?;
        IndexFile::open(file).map_err(|error| error.to_string())
    };
    let base = Layer { digest: new.digest.clone(), size: new.size };
    let file = open(&base)?;
    // One on top of all deltas is small; when they have become many, one takes the place of them all.
    let kept = if old.deltas.len() < MOST_DELTAS { old.deltas.len() } else { 0 };
    let layers: Result<Vec<_>, _> = old.layers().take(1 + kept).map(|layer| open(&layer)).collect();
    let stack = Stack::new(layers?).map_err(|error| error.to_string())?;
    let bytes = delta(&stack, &file).map_err(|error: DeltaError| error.to_string())?;
    let layer = cache.put(&bytes).map_err(|error| error.to_string())?;
    let mut deltas: Vec<Layer> = old.deltas.iter().take(kept).cloned().collect();
    deltas.push(layer);
    let weight: u64 = deltas.iter().map(|delta| delta.size).sum();
    let entry = ShardEntry {
        file: old.file.clone(),
        digest: old.digest.clone(),
        size: old.size,
        deltas,
        whole: Some(new.digest.clone()),
        ..new.clone()
    };
    Ok((weight < new.size / 3).then_some(entry))
}

/// Sends the files that are not there yet.
fn send(
    registry: &Registry,
    to: &ImageReference,
    files: &[Layer],
    there: &[Layer],
    cache: &Cache,
) -> Result<Moved, DeliveryError> {
    let new: Vec<&Layer> = files.iter().filter(|layer| !there.contains(layer)).collect();
    let failed = |error| registry_error(error, to);
    let results = parallel::map(&new, |layer| -> Result<Option<u64>, DeliveryError> {
        if registry.has_blob(to, &layer.digest).map_err(failed)? {
            return Ok(None);
        }
        let missing = || DeliveryError::NotCached { origin: to.to_string(), missing: vec![layer.digest.to_string()] };
        let bytes = cache.read(layer).ok_or_else(missing)?;
        registry.push_blob(to, &layer.digest, bytes).map_err(failed)?;
        Ok(Some(layer.size))
    });
    let mut moved = Moved::default();
    for result in results {
        result?.into_iter().for_each(|size| moved.add(size));
    }
    Ok(moved)
}

/// Deltas on one shard: a scan looks into each of them.
const MOST_DELTAS: usize = 6;

/// Shards below are sent as a whole, in bytes: a request costs more.
const SMALLEST: u64 = 16 << 10;

#[cfg(test)]
mod tests;
