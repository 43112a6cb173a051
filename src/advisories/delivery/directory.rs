//! Directories of databases as `db build` makes them: read to be sent, written from what was brought.

use std::fs;
use std::path::Path;

use crate::advisories::cache::{Cache, replace};
use crate::advisories::catalogue::{Catalogue, EXTENSION, FILE_NAME, Layer, SIGNATURE_NAME, ShardEntry};
use crate::advisories::database::read_catalogue;

use super::{DeliveryError, LARGEST_FILE, read_catalogue_of};

/// A catalogue and its signature, as they lie on disk.
pub(super) struct Directory {
    pub(super) bytes: Vec<u8>,
    pub(super) signature: Option<Vec<u8>>,
    pub(super) catalogue: Catalogue,
}

pub(super) fn read(directory: &Path) -> Result<Directory, DeliveryError> {
    let (bytes, signature) = read_catalogue(directory)?;
    let catalogue = read_catalogue_of(&directory.display().to_string(), &bytes)?;
    Ok(Directory { bytes, signature, catalogue })
}

/// Copies a file of a shard into the cache, where it is not yet.
pub(super) fn into_cache(
    directory: &Path,
    entry: &ShardEntry,
    layer: &Layer,
    cache: &Cache,
) -> Result<(), DeliveryError> {
    if cache.has(layer) {
        return Ok(());
    }
    let name = entry.file_name(layer);
    let origin = directory.display().to_string();
    let invalid = |reason: String| DeliveryError::NotADatabase { origin: origin.clone(), reason };
    if name.contains(['/', '\\']) || name.starts_with('.') || layer.size > LARGEST_FILE {
        return Err(invalid(format!("it names the file `{name}` with {} bytes", layer.size)));
    }
    let path = directory.join(&name);
    let bytes = fs::read(&path).map_err(|cause| DeliveryError::File { path, cause })?;
    let kept = cache.put(&bytes).map_err(|cause| DeliveryError::File { path: cache.path(&layer.digest), cause })?;
    if kept == *layer { Ok(()) } else { Err(invalid(format!("`{name}` does not have its digest"))) }
}

/// Writes a database from the cache into a directory, the catalogue last, and removes the shards of an older one.
pub(super) fn write(
    to: &Path,
    catalogue: &Catalogue,
    bytes: &[u8],
    signature: Option<&[u8]>,
    cache: &Cache,
) -> Result<(), DeliveryError> {
    let mut names = Vec::new();
    for entry in &catalogue.shards {
        for layer in entry.layers() {
            let name = entry.file_name(&layer);
            let unsafe_name = || DeliveryError::NotADatabase {
                origin: entry.name.to_string(),
                reason: format!("it names the file `{name}`"),
            };
            if name.contains(['/', '\\']) || name.starts_with('.') || !name.ends_with(EXTENSION) {
                return Err(unsafe_name());
            }
            let content = cache.read(&layer).ok_or_else(|| DeliveryError::NotCached {
                origin: to.display().to_string(),
                missing: vec![entry.name.to_string()],
            })?;
            put(&to.join(&name), &content)?;
            names.push(name);
        }
    }
    // Between these two a reader with a key sees a signature that does not fit, and refuses: never a wrong content.
    match signature {
        Some(signature) => put(&to.join(SIGNATURE_NAME), signature)?,
        None => {
            let _ = fs::remove_file(to.join(SIGNATURE_NAME));
        }
    }
    put(&to.join(FILE_NAME), bytes)?;
    for entry in fs::read_dir(to).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.ends_with(&format!(".{EXTENSION}")) && !names.contains(&name) {
            // One that cannot be removed only takes room.
            let _ = fs::remove_file(entry.path());
        }
    }
    Ok(())
}

pub(super) fn put(path: &Path, bytes: &[u8]) -> Result<(), DeliveryError> {
    replace(path, bytes).map_err(|cause| DeliveryError::File { path: path.to_owned(), cause })
}
