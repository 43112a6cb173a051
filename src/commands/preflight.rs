//! Before the first layer of several images is read: whether each of them can be had at all.
//!
//! One image needs none of this, as opening it asks the same.

use tracing::info;

use super::connection::Connection;
use super::{parallel, scan, terminal};
use crate::image::Source;
use crate::model::{Diagnosis, ImageReference, ImageScan};
use crate::registry::{Registry, RegistryError};
use crate::report;

/// The images that can be had, and a failure for each that cannot: wrong names, credentials, certificates and hosts are
/// told within seconds, before anything is downloaded.
pub(super) fn images(names: Vec<String>, connection: &mut Connection<'_>) -> (Vec<String>, Vec<ImageScan>) {
    let references: Vec<Option<ImageReference>> = names.iter().map(|name| reference(name)).collect();
    let Some(first) = references.iter().flatten().next().filter(|_| references.iter().flatten().count() > 1) else {
        return (names, Vec::new());
    };
    // Without a client no image can be had, which the first that is read tells.
    let Ok(registry) = connection.registry(first) else { return (names, Vec::new()) };
    let limits = &connection.limits;
    let asked = parallel::map(&references, AT_A_TIME, |reference| {
        let reference = reference.as_ref().filter(|_| !limits.is_out_of_time());
        reference.and_then(|reference| obstacle(reference, &registry))
    });
    let (mut reachable, mut refused) = (Vec::new(), Vec::new());
    for (name, obstacle) in names.into_iter().zip(asked) {
        match obstacle {
            None => reachable.push(name),
            Some(diagnosis) => {
                terminal::error(&diagnosis.to_string());
                refused.push(scan::failure(name, diagnosis, None));
            }
        }
    }
    let all = references.iter().flatten().count();
    info!("{} of {} can be read", all.saturating_sub(refused.len()), report::count(all, "image"));
    (reachable, refused)
}

fn reference(name: &str) -> Option<ImageReference> {
    match name.parse() {
        Ok(Source::Registry(reference)) => Some(reference),
        _ => None,
    }
}

/// What keeps us from an image. Asking for the digest alone counts against no limit of pulls; only where that fails is
/// asked for the manifest too, because only then does a registry say what is wrong.
fn obstacle(image: &ImageReference, registry: &Registry) -> Option<Diagnosis> {
    let error = registry.digest(image).err()?;
    // Nobody answers twice within seconds.
    if matches!(error, RegistryError::Unreachable { .. } | RegistryError::TokenServiceUnreachable { .. }) {
        return Some(error.diagnosis(image));
    }
    registry.manifest(image).err().map(|error| error.diagnosis(image))
}

/// Polite to a registry, and quick all the same.
const AT_A_TIME: usize = 4;
