//! Images in a registry.

use std::io;
use std::sync::Arc;

use bytes::Bytes;

use super::blob::Promise;
use super::input::Chunks;
use super::manifest::{DEEPEST_INDEX, Document, Manifest, choose, platforms};
use super::{ImageError, LayerError, Parts};
use crate::model::{Digest, ImageReference, Limits, Platform};
pub(super) use crate::registry::Registry;
use crate::registry::{BlobReader, RegistryError};

/// A repository and the registry to ask for its blobs.
#[derive(Debug)]
pub(super) struct Remote {
    registry: Arc<Registry>,
    reference: ImageReference,
}

impl Remote {
    /// Opens the image that a reference names, for a platform.
    pub(super) fn open(
        registry: &Arc<Registry>,
        reference: &ImageReference,
        platform: &Platform,
        limits: &Limits,
    ) -> Result<(Self, Parts), ImageError> {
        let remote = Self { registry: Arc::clone(registry), reference: reference.clone() };
        let mut offered = Vec::new();
        let (digest, manifest) = remote.manifest(platform, limits, &mut offered)?;
        let config = &manifest.config;
        if config.size > limits.manifest_size {
            return Err(ImageError::Limit {
                what: format!("the size of the configuration, {} bytes,", config.size),
                limit: limits.manifest_size,
            });
        }
        let bytes = registry.blob(reference, &config.digest, config.size).map_err(|error| remote.failed(&error))?;
        let parts = Parts::assemble(Some(digest), &manifest, &bytes, limits, |layer| layer.digest.to_string())?;
        Ok((remote, Parts { offered, ..parts }))
    }

    fn manifest(
        &self,
        platform: &Platform,
        limits: &Limits,
        offered: &mut Vec<Platform>,
    ) -> Result<(Digest, Manifest), ImageError> {
        let mut reference = self.reference.clone();
        for _ in 0..DEEPEST_INDEX {
            let document = self.registry.manifest(&reference).map_err(|error| self.failed(&error))?;
            match Document::parse(&document.bytes, &reference.to_string(), limits)? {
                Document::Manifest(manifest) => return Ok((document.digest, manifest)),
                Document::Index(index) => {
                    if offered.is_empty() {
                        *offered = platforms(&index);
                    }
                    reference = reference.at(choose(&index, platform)?.digest.clone());
                }
            }
        }
        Err(ImageError::manifest(self.reference.to_string(), "indexes lie too deep in each other"))
    }

    /// Starts to download a layer. Its digest and size are verified on the way.
    pub(super) fn layer(&self, promise: &Promise) -> impl Chunks + use<> {
        let reader = self.registry.open_blob(&self.reference, &promise.digest, promise.size);
        Download { reader, reference: self.reference.clone() }
    }

    fn failed(&self, error: &RegistryError) -> ImageError {
        ImageError::Registry(Box::new(error.diagnosis(&self.reference)))
    }
}

/// A layer on its way. The registry's errors become the layer's, with the registry's own diagnosis.
struct Download {
    reader: BlobReader,
    reference: ImageReference,
}

impl Chunks for Download {
    fn next_chunk(&mut self) -> io::Result<Option<Bytes>> {
        self.reader.next_chunk().map_err(|error| {
            match error.get_ref().and_then(|inner| inner.downcast_ref::<RegistryError>()) {
                Some(cause) => LayerError::Registry(Box::new(cause.diagnosis(&self.reference))).into(),
                None => error,
            }
        })
    }
}
