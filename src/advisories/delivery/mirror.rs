//! Copies an artifact from one repository to another, byte for byte, so that its digest and signature hold there too.

use crate::advisories::parallel;
use crate::advisories::signature::{PublicKeys, judge};
use crate::model::{Digest, ImageReference};
use crate::registry::Registry;

use super::artifact::MANIFEST;
use super::pull::{read_catalogue, read_manifest, registry_error};
use super::{DeliveryError, LARGEST_FILE, Moved};

/// Copies what the destination lacks; blobs of the same registry are mounted, not sent. Returns the manifest's digest
/// and what was sent.
///
/// # Errors
/// One of the registries fails, the source is no database, or not signed by one of the keys where there are some.
pub fn mirror(
    registry: &Registry,
    from: &ImageReference,
    to: &ImageReference,
    keys: Option<&PublicKeys>,
) -> Result<(Digest, Moved), DeliveryError> {
    let (digest, manifest) = read_manifest(registry, from)?;
    let catalogue = read_catalogue(registry, from, &manifest)?;
    judge(keys, &catalogue, manifest.signature.as_deref())
        .map_err(|reason| DeliveryError::Untrusted { origin: from.to_string(), reason })?;
    let mut layers: Vec<_> = manifest.files.iter().chain([&manifest.catalogue]).collect();
    layers.sort_unstable_by_key(|layer| &layer.digest);
    layers.dedup_by_key(|layer| &layer.digest);
    let results = parallel::map(&layers, |layer| -> Result<Option<u64>, DeliveryError> {
        if layer.size > LARGEST_FILE {
            let reason = format!("a file of it has {} bytes", layer.size);
            return Err(DeliveryError::NotADatabase { origin: from.to_string(), reason });
        }
        let there = |error| registry_error(error, to);
        if registry.has_blob(to, &layer.digest).map_err(there)? {
            return Ok(None);
        }
        if from.registry == to.registry && registry.mount_blob(to, from, &layer.digest).map_err(there)? {
            return Ok(None);
        }
        let bytes = registry.blob(from, &layer.digest, layer.size).map_err(|error| registry_error(error, from))?;
        registry.push_blob(to, &layer.digest, bytes).map_err(there)?;
        Ok(Some(layer.size))
    });
    let mut moved = Moved::default();
    for result in results {
        result?.into_iter().for_each(|size| moved.add(size));
    }
    // The same bytes that were judged, not what the tag may name by now.
    let pinned = ImageReference { digest: Some(digest.clone()), ..from.clone() };
    let bytes = registry.manifest(&pinned).map_err(|error| registry_error(error, from))?.bytes;
    registry.push_manifest(to, MANIFEST, bytes).map_err(|error| registry_error(error, to))?;
    Ok((digest, moved))
}
