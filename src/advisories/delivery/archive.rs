//! A database as one file, to be carried where no network is: an archive of an OCI layout (`oci-archive:`), so that other
//! tools can put it into a registry too.

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read};
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::json;

use crate::advisories::cache::Cache;
use crate::advisories::catalogue::{Layer, ShardEntry};
use crate::advisories::signature::{PublicKeys, Trust, judge};
use crate::model::{DatabaseInfo, Digest, ImageReference};

use super::artifact::{MANIFEST, Manifest, compress, decompress};
use super::pull::{Note, note_name, unwritable};
use super::{DeliveryError, LARGEST_FILE, Moved, Source, Wanted, directory, read_catalogue_of, tar, update};

/// What was imported.
#[derive(Debug, Clone)]
pub struct Imported {
    /// What the database says of itself.
    pub info: DatabaseInfo,
    /// Its files.
    pub files: Moved,
    /// What is known of its signature.
    pub trust: Trust,
    /// The reference under which it is in the cache.
    pub reference: Option<ImageReference>,
}

/// Where an exported database comes from.
#[derive(Debug, Clone, Copy)]
pub enum Exported<'a> {
    /// A directory.
    Directory(&'a Path),
    /// An artifact, which is brought into the cache as a whole.
    Artifact(Source<'a>),
}

/// Writes a whole database into one file.
///
/// # Errors
/// It cannot be read as a whole, or the file cannot be written.
pub fn export(from: Exported<'_>, to: &Path, cache: &Cache) -> Result<Moved, DeliveryError> {
    let (bytes, signature, catalogue, reference) = match from {
        Exported::Directory(path) => {
            let read = directory::read(path)?;
            for entry in &read.catalogue.shards {
                for layer in entry.layers() {
                    directory::into_cache(path, entry, &layer, cache)?;
                }
            }
            (read.bytes, read.signature, read.catalogue, None)
        }
        Exported::Artifact(source) => {
            update(source, cache, Wanted::All)?;
            let missing = || DeliveryError::NotCached { origin: source.reference.to_string(), missing: Vec::new() };
            let note: Note = cache.note(&note_name(source.reference)).ok_or_else(missing)?;
            let bytes = cache.read(&note.catalogue).ok_or_else(missing)?;
            let catalogue = read_catalogue_of(&source.reference.to_string(), &bytes)?;
            let signature = note.signature.as_deref().and_then(|text| STANDARD.decode(text).ok());
            (bytes, signature, catalogue, Some(source.reference))
        }
    };
    let failed = |cause| DeliveryError::File { path: to.to_owned(), cause };
    let blob = compress(&bytes).map_err(failed)?;
    let config = cache.put(&blob).map_err(|cause| unwritable(cache, cause))?;
    let mut files: Vec<Layer> = catalogue.shards.iter().flat_map(ShardEntry::layers).collect();
    files.sort_unstable_by(|a, b| a.digest.cmp(&b.digest));
    files.dedup();
    let manifest = Manifest { catalogue: config.clone(), files: files.clone(), signature }.to_bytes(&catalogue);
    let kept = cache.put(&manifest).map_err(|cause| unwritable(cache, cause))?;
    files.extend([config, kept.clone()]);
    let temporary = to.with_extension(format!("{}.part", std::process::id()));
    let write = || {
        let mut out = BufWriter::new(File::create(&temporary)?);
        tar::write(&mut out, "oci-layout", br#"{"imageLayoutVersion":"1.0.0"}"#)?;
        tar::write(&mut out, INDEX, index(&kept, reference).as_bytes())?;
        let mut moved = Moved::default();
        for layer in &files {
            let content = cache.read(layer).ok_or(io::ErrorKind::NotFound)?;
            tar::write(&mut out, &format!("{BLOBS}{}", layer.digest.hex()), &content)?;
            moved.add(layer.size);
        }
        tar::finish(&mut out)?;
        out.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()?;
        std::fs::rename(&temporary, to)?;
        Ok(moved)
    };
    write().map_err(|cause| {
        let _ = std::fs::remove_file(&temporary);
        failed(cause)
    })
}

fn index(manifest: &Layer, reference: Option<&ImageReference>) -> String {
    let name = reference.map_or_else(|| "database".to_owned(), |reference| reference.selector().to_owned());
    let mut annotations = json!({ "org.opencontainers.image.ref.name": name });
    if let Some(reference) = reference {
        annotations[REFERENCE] = json!(reference);
    }
    let descriptor = json!({
        "mediaType": MANIFEST, "digest": manifest.digest, "size": manifest.size, "annotations": annotations,
    });
    json!({ "schemaVersion": 2, "manifests": [descriptor] }).to_string()
}

/// Reads such a file, into the cache under the reference that it names or `reference`, and into a directory if one is
/// given. Every file is compared with its digest; what is too large is refused before it is read.
///
/// # Errors
/// The file is no archive of a database, damaged, incomplete, or not signed by one of the keys.
pub fn import(
    from: &Path,
    to: Option<&Path>,
    reference: Option<&ImageReference>,
    cache: &Cache,
    keys: Option<&PublicKeys>,
) -> Result<Imported, DeliveryError> {
    let file = File::open(from).map_err(|cause| DeliveryError::File { path: from.to_owned(), cause })?;
    let invalid = |reason: String| DeliveryError::NotADatabase { origin: from.display().to_string(), reason };
    let index = unpack(&mut BufReader::new(file), cache).map_err(|error| invalid(error.to_string()))?;
    let index = index.ok_or_else(|| invalid(format!("there is no {INDEX} in it")))?;
    let Index { manifests } = serde_json::from_slice(&index).map_err(|error| invalid(format!("{INDEX}: {error}")))?;
    let [Entry { digest, size, annotations }] = <[Entry; 1]>::try_from(manifests)
        .map_err(|manifests| invalid(format!("it holds {} artifacts, one is wanted", manifests.len())))?;
    let part = |layer: &Layer| cache.read(layer).ok_or_else(|| invalid(format!("{} is not in it", layer.digest)));
    let manifest_layer = Layer { digest, size };
    let manifest = Manifest::read(&part(&manifest_layer)?).map_err(invalid)?;
    let bytes = decompress(&part(&manifest.catalogue)?).map_err(invalid)?;
    let trust = judge(keys, &bytes, manifest.signature.as_deref())
        .map_err(|reason| DeliveryError::Untrusted { origin: from.display().to_string(), reason })?;
    let catalogue = read_catalogue_of(&from.display().to_string(), &bytes)?;
    let mut files = Moved::default();
    for layer in catalogue.shards.iter().flat_map(ShardEntry::layers) {
        if !cache.has(&layer) {
            return Err(invalid(format!("{} is not in it", layer.digest)));
        }
        files.add(layer.size);
    }
    if let Some(to) = to {
        directory::write(to, &catalogue, &bytes, manifest.signature.as_deref(), cache)?;
    }
    let named = annotations.reference.and_then(|text| text.parse().ok());
    let reference = reference.cloned().or(named);
    if let Some(reference) = &reference {
        let failed = |cause| unwritable(cache, cause);
        let note = Note {
            reference: reference.to_string(),
            manifest: manifest_layer.digest,
            catalogue: cache.put(&bytes).map_err(failed)?,
            signature: manifest.signature.map(|signature| STANDARD.encode(signature)),
            checked: Timestamp::now(),
        };
        cache.write_note(&note_name(reference), &note).map_err(failed)?;
    }
    let info = catalogue.info(from.display().to_string());
    Ok(Imported { info, files, trust, reference })
}

/// Puts the blobs of an archive into the cache and returns its index.
fn unpack(archive: &mut impl Read, cache: &Cache) -> io::Result<Option<Vec<u8>>> {
    let mut index = None;
    let mut total = 0_u64;
    let refuse = |reason: String| io::Error::new(io::ErrorKind::InvalidData, reason);
    tar::each(archive, |name, size, content| {
        let limit = if name.starts_with(BLOBS) { LARGEST_FILE } else { LARGEST_INDEX };
        total = total.saturating_add(size);
        if size > limit || total > LARGEST_ARCHIVE {
            return Err(refuse(format!("`{name}` has {size} bytes, which is too large")));
        }
        let mut bytes = Vec::new();
        if name == INDEX {
            content.read_to_end(&mut bytes)?;
            index = Some(bytes);
        } else if let Some(hex) = name.strip_prefix(BLOBS) {
            content.read_to_end(&mut bytes)?;
            if bytes.len() as u64 != size {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            let digest: Digest = format!("sha256:{hex}").parse().map_err(|_| refuse(format!("a file `{name}`")))?;
            let kept = cache.put_as(&bytes, &digest)?;
            if !kept {
                return Err(refuse(format!("`{name}` does not have its digest")));
            }
        }
        Ok(())
    })?;
    Ok(index)
}

#[derive(Deserialize)]
struct Index {
    manifests: Vec<Entry>,
}

#[derive(Deserialize)]
struct Entry {
    digest: Digest,
    size: u64,
    #[serde(default)]
    annotations: Annotations,
}

#[derive(Default, Deserialize)]
struct Annotations {
    #[serde(rename = "dev.plimsoll.database.reference")]
    reference: Option<String>,
}

const BLOBS: &str = "blobs/sha256/";
const INDEX: &str = "index.json";
const REFERENCE: &str = "dev.plimsoll.database.reference";
const LARGEST_INDEX: u64 = 4 << 20;
const LARGEST_ARCHIVE: u64 = 4 << 30;
