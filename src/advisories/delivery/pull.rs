//! Brings what a scan needs of an artifact into the cache, and nothing else.
//!
//! First the manifest's digest is asked for: one request without a body, which is all when nothing has changed. A new
//! catalogue takes the place of the old one only when its signature holds, and of one that is signed too only when it
//! is not older: a signature does not age, so whoever may write to the registry could bring an old database back. Then
//! come the files that are not in the cache yet: of a shard that was here before usually one small delta.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::advisories::cache::Cache;
use crate::advisories::catalogue::{Catalogue, LARGEST, Layer, ShardEntry};
use crate::advisories::database::{CVE_SHARD, Database};
use crate::advisories::parallel;
use crate::advisories::signature::{PublicKeys, Trust, judge};
use crate::model::{Digest, ImageReference, ShardName};
use crate::registry::{Registry, RegistryError};

use super::artifact::{Manifest, decompress};
use super::{DeliveryError, LARGEST_FILE, Moved, read_catalogue_of};

/// Where a database comes from.
#[derive(Debug, Clone, Copy)]
pub struct Source<'a> {
    /// The artifact.
    pub reference: &'a ImageReference,
    /// `None`: the network may not be used, the cache must do.
    pub registry: Option<&'a Registry>,
    /// If given, one of them must have signed the database.
    pub keys: Option<&'a PublicKeys>,
}

/// Which shards are to be there.
#[derive(Debug, Clone, Copy)]
pub enum Wanted<'a> {
    /// Every one.
    All,
    /// These, as far as the database has them, and the facts about CVEs.
    Shards(&'a BTreeSet<ShardName>),
    /// None: the catalogue only.
    Catalogue,
}

/// What an update did.
#[derive(Debug, Clone, Default)]
pub struct Update {
    /// Whether the registry has still what it had.
    pub unchanged: bool,
    /// What was brought, the catalogue included.
    pub moved: Moved,
    /// Why the registry could not be asked; what is in the cache was used.
    pub outdated: Option<String>,
    /// When the database was built that the registry has now, where it is older than the one in the cache, which was
    /// used.
    pub rolled_back: Option<Timestamp>,
}

/// What an artifact was when it was last asked for.
#[derive(Serialize, Deserialize)]
pub(super) struct Note {
    pub(super) reference: String,
    pub(super) manifest: Digest,
    pub(super) catalogue: Layer,
    /// Base64.
    pub(super) signature: Option<String>,
    pub(super) checked: Timestamp,
}

/// An artifact whose catalogue is here, and whose shards can be brought.
#[derive(Debug)]
pub struct Artifact<'a> {
    source: Source<'a>,
    cache: &'a Cache,
    catalogue: Catalogue,
    trust: Trust,
    update: Update,
}

/// Brings the cache up to date and opens the database.
///
/// # Errors
/// The registry fails and the cache does not hold what is wanted; what is there is no database, or not signed by one of
/// the keys.
pub fn update(source: Source<'_>, cache: &Cache, wanted: Wanted<'_>) -> Result<(Database, Update), DeliveryError> {
    find(source, cache)?.bring(wanted)
}

/// The first half of [`update`]: what the registry has now, else what the cache has.
///
/// # Errors
/// As [`update`].
pub fn find<'a>(source: Source<'a>, cache: &'a Cache) -> Result<Artifact<'a>, DeliveryError> {
    let mut update = Update::default();
    let name = note_name(source.reference);
    let known: Option<Note> = cache.note(&name).filter(|note: &Note| cache.has(&note.catalogue));
    let note = match ask(source, cache, known.as_ref(), &mut update) {
        Ok(Some(note)) => match known.filter(|known| is_rollback(source, cache, known, &note, &mut update)) {
            Some(newer) => newer,
            None => note,
        },
        Ok(None) => known.ok_or_else(|| not_cached(source, Vec::new()))?,
        Err(error) if error.is_absence() => {
            update.outdated = Some(error.to_string());
            known.ok_or(error)?
        }
        Err(error) => return Err(error),
    };
    let (catalogue, trust) = open_note(source, cache, &note)?;
    // Also when nothing has changed: what is asked for is not cleaned away.
    if source.registry.is_some() {
        cache
            .write_note(&name, &Note { checked: Timestamp::now(), ..note })
            .map_err(|cause| DeliveryError::File { path: name.into(), cause })?;
    }
    Ok(Artifact { source, cache, catalogue, trust, update })
}

impl Artifact<'_> {
    /// The shards that it has.
    #[must_use]
    pub fn shards(&self) -> BTreeSet<ShardName> {
        self.catalogue.shards.iter().map(|entry| entry.name.clone()).collect()
    }

    /// The second half of [`update`].
    ///
    /// # Errors
    /// As [`update`].
    pub fn bring(self, wanted: Wanted<'_>) -> Result<(Database, Update), DeliveryError> {
        let Self { source, cache, catalogue, trust, mut update } = self;
        fetch_missing(source, cache, &catalogue, wanted, &mut update)?;
        let origin = source.reference.to_string();
        Ok((Database::of_cache(cache.clone(), catalogue, origin, trust), update))
    }
}

/// Whether both are signed by one of the keys and what the registry has now is older than what the cache knows.
fn is_rollback(source: Source<'_>, cache: &Cache, known: &Note, now: &Note, update: &mut Update) -> bool {
    let built = |note| match open_note(source, cache, note) {
        Ok((catalogue, Trust::Verified)) => Some(catalogue.built),
        _ => None,
    };
    update.rolled_back = built(now).zip(built(known)).filter(|(now, known)| now < known).map(|(now, _)| now);
    update.rolled_back.is_some()
}

/// What the registry has now; `None` where the cache knows it already or nobody may be asked.
fn ask(
    source: Source<'_>,
    cache: &Cache,
    known: Option<&Note>,
    update: &mut Update,
) -> Result<Option<Note>, DeliveryError> {
    let Some(registry) = source.registry else { return Ok(None) };
    let failed = |error| registry_error(error, source.reference);
    let known_digest = known.map(|note| &note.manifest);
    let now = match &source.reference.digest {
        // What a digest names cannot change.
        Some(pinned) if Some(pinned) == known_digest => Some(pinned.clone()),
        _ if known.is_some() => registry.digest(source.reference).map_err(failed)?,
        _ => None,
    };
    if now.is_some() && now.as_ref() == known_digest {
        update.unchanged = true;
        return Ok(None);
    }
    let (digest, manifest) = read_manifest(registry, source.reference)?;
    let bytes = read_catalogue(registry, source.reference, &manifest)?;
    update.moved.add(manifest.catalogue.size);
    let origin = || source.reference.to_string();
    judge(source.keys, &bytes, manifest.signature.as_deref())
        .map_err(|reason| DeliveryError::Untrusted { origin: origin(), reason })?;
    read_catalogue_of(&origin(), &bytes)?;
    let catalogue = cache.put(&bytes).map_err(|cause| unwritable(cache, cause))?;
    let signature = manifest.signature.map(|signature| STANDARD.encode(signature));
    Ok(Some(Note { reference: origin(), manifest: digest, catalogue, signature, checked: Timestamp::now() }))
}

/// The manifest that a reference names, and its digest.
pub(super) fn read_manifest(
    registry: &Registry,
    reference: &ImageReference,
) -> Result<(Digest, Manifest), DeliveryError> {
    let manifest = registry.manifest(reference).map_err(|error| registry_error(error, reference))?;
    let invalid = |reason| DeliveryError::NotADatabase { origin: reference.to_string(), reason };
    Ok((manifest.digest, Manifest::read(&manifest.bytes).map_err(invalid)?))
}

/// The bytes of the catalogue, as they were signed.
pub(super) fn read_catalogue(
    registry: &Registry,
    reference: &ImageReference,
    manifest: &Manifest,
) -> Result<Vec<u8>, DeliveryError> {
    let invalid = |reason| DeliveryError::NotADatabase { origin: reference.to_string(), reason };
    let Layer { digest, size } = &manifest.catalogue;
    if *size > LARGEST {
        return Err(invalid(format!("its catalogue has {size} bytes")));
    }
    let blob = registry.blob(reference, digest, *size).map_err(|error| registry_error(error, reference))?;
    decompress(&blob).map_err(invalid)
}

/// The catalogue that a note is about; who signed it is asked anew, since the keys may be others now.
fn open_note(source: Source<'_>, cache: &Cache, note: &Note) -> Result<(Catalogue, Trust), DeliveryError> {
    let origin = || source.reference.to_string();
    let bytes = cache.read(&note.catalogue).ok_or_else(|| not_cached(source, Vec::new()))?;
    let signature = note.signature.as_deref().and_then(|text| STANDARD.decode(text).ok());
    let trust = judge(source.keys, &bytes, signature.as_deref())
        .map_err(|reason| DeliveryError::Untrusted { origin: origin(), reason })?;
    Ok((read_catalogue_of(&origin(), &bytes)?, trust))
}

/// Fetches the files of wanted shards that are not here.
fn fetch_missing(
    source: Source<'_>,
    cache: &Cache,
    catalogue: &Catalogue,
    wanted: Wanted<'_>,
    update: &mut Update,
) -> Result<(), DeliveryError> {
    let is_wanted = |entry: &&ShardEntry| match wanted {
        Wanted::All => true,
        Wanted::Shards(names) => entry.name.as_str() == CVE_SHARD || names.contains(&entry.name),
        Wanted::Catalogue => false,
    };
    let mut missing: Vec<(String, Layer)> = Vec::new();
    for entry in catalogue.shards.iter().filter(is_wanted) {
        for layer in entry.layers().filter(|layer| !cache.has(layer)) {
            missing.push((entry.name.to_string(), layer));
        }
    }
    if missing.is_empty() {
        return Ok(());
    }
    let Some(registry) = source.registry else {
        let mut names: Vec<String> = missing.into_iter().map(|(name, _)| name).collect();
        names.dedup();
        return Err(not_cached(source, names));
    };
    let results = parallel::map(&missing, |(_, layer)| fetch(registry, source.reference, layer, cache));
    for ((name, layer), result) in missing.iter().zip(results) {
        result?;
        tracing::debug!("brought {} bytes of {name}", layer.size);
        update.moved.add(layer.size);
    }
    Ok(())
}

/// Brings one file into the cache.
pub(super) fn fetch(
    registry: &Registry,
    reference: &ImageReference,
    layer: &Layer,
    cache: &Cache,
) -> Result<(), DeliveryError> {
    if layer.size > LARGEST_FILE {
        let reason = format!("a file of it has {} bytes", layer.size);
        return Err(DeliveryError::NotADatabase { origin: reference.to_string(), reason });
    }
    let failed = |error| registry_error(error, reference);
    let bytes = registry.blob(reference, &layer.digest, layer.size).map_err(failed)?;
    cache.put(&bytes).map_err(|cause| unwritable(cache, cause))?;
    Ok(())
}

/// The name of the note about a reference.
pub(super) fn note_name(reference: &ImageReference) -> String {
    let digest = Digest::from_sha256(&Sha256::digest(reference.to_string().as_bytes()).into());
    format!("artifact-{}", digest.short())
}

pub(super) fn registry_error(error: RegistryError, reference: &ImageReference) -> DeliveryError {
    DeliveryError::Registry(error, Box::new(reference.clone()))
}

pub(super) fn unwritable(cache: &Cache, cause: std::io::Error) -> DeliveryError {
    DeliveryError::File { path: cache.root().to_owned(), cause }
}

fn not_cached(source: Source<'_>, missing: Vec<String>) -> DeliveryError {
    DeliveryError::NotCached { origin: source.reference.to_string(), missing }
}
