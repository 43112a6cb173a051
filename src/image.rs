//! Images as bytes: manifest, configuration, layers, and the walk over a layer's entries.
//!
//! A layer is read once, as a stream: `source` → decompression → tar (`walk`) → a [`Visitor`], which says from path,
//! size and mode alone whether it wants a file. Nothing of an image is written to disk and no path of it is opened on
//! this machine. [`Overlay`] puts the layers on top of each other as the OCI image specification ("image layer
//! filesystem changeset") says.

mod archive;
mod archive_walk;
mod blob;
mod config;
mod directory;
mod error;
mod files;
pub mod gzip;
pub mod inflate;
mod input;
mod layout;
mod manifest;
pub mod overlay;
mod path;
mod plain;
mod remote;
mod source;
mod stream;
mod tar;
mod tree;
pub mod walk;
mod zstandard;

use std::collections::BTreeMap;
use std::io;
use std::num::NonZero;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use bytes::Bytes;
use sha2::{Digest as _, Sha256};

pub use config::Config;
pub use error::{ImageError, LayerError, Mismatch};
pub use manifest::{Descriptor, Document, Manifest};
pub use overlay::Overlay;
pub use source::{InvalidSource, Source};
pub use walk::{Content, Entry, LayerTree, NoProgress, Progress, Visitor};

use crate::hashing::HashGroup;
use crate::model::{Digest, ImageIdentity, Layer, Limits, Platform};
use archive::{Archive, Form};
use blob::{BlobChunks, Promise};
use files::Files;
use input::Chunks;
use remote::{Registry, Remote};
use stream::LayerStream;

/// An image whose manifest and configuration were read; its layers are read when they are walked.
#[derive(Debug)]
pub struct Image {
    /// Which image it is.
    pub identity: ImageIdentity,
    /// Its layers, base first.
    pub layers: Vec<Layer>,
    /// The manifest's annotations.
    pub annotations: BTreeMap<String, String>,
    /// Names that the source gives it (`docker save`).
    pub references: Vec<String>,
    /// The platforms to choose from where it was found; empty without an index.
    pub offered: Vec<Platform>,
    blobs: Vec<Blob>,
    storage: Storage,
    /// Of the layers that are read at the same time.
    hashes: HashGroup,
    /// How many layers are being walked.
    walks: AtomicUsize,
}

/// Where the layers are.
#[derive(Debug)]
enum Storage {
    Files(Box<dyn Files>),
    Remote(Remote),
    Root(PathBuf),
}

/// A layer's blob.
#[derive(Debug)]
struct Blob {
    /// In its storage.
    name: String,
    media_type: String,
    promise: Option<Promise>,
}

/// An image without its storage.
struct Parts {
    identity: ImageIdentity,
    layers: Vec<Layer>,
    annotations: BTreeMap<String, String>,
    references: Vec<String>,
    offered: Vec<Platform>,
    blobs: Vec<Blob>,
}

/// Opens an image: reads its manifest and configuration. Without a `registry` only local sources can be opened.
///
/// # Errors
/// There is no such image, it is for other platforms, or its documents are unusable.
pub fn open(
    source: &Source,
    platform: &Platform,
    limits: &Limits,
    registry: Option<&Arc<Registry>>,
) -> Result<Image, ImageError> {
    let in_archive = |path: &PathBuf, form, tag: Option<&str>| {
        let archive = Archive::open(path, limits)?;
        let parts = archive::open(&archive, form, tag, platform, limits)?;
        Ok(parts.stored_in(Storage::Files(Box::new(archive))))
    };
    match source {
        Source::OciLayout { path, tag } => {
            let files = files::Directory(path.clone());
            std::fs::read_dir(path).map_err(|cause| ImageError::unreadable(path, cause))?;
            let parts = layout::open_oci(&files, tag.as_deref(), platform, limits)?;
            Ok(parts.stored_in(Storage::Files(Box::new(files))))
        }
        Source::OciArchive { path, tag } => in_archive(path, Form::Oci, tag.as_deref()),
        Source::DockerArchive { path } => in_archive(path, Form::Docker, None),
        Source::Archive { path } => in_archive(path, Form::Either, None),
        Source::Directory { path } => {
            std::fs::read_dir(path).map_err(|cause| ImageError::unreadable(path, cause))?;
            let files = files::Directory(path.clone());
            if layout::is_skopeo(&files) {
                let parts = layout::open_skopeo(&files, platform, limits)?;
                return Ok(parts.stored_in(Storage::Files(Box::new(files))));
            }
            Ok(Parts::of_directory().stored_in(Storage::Root(path.clone())))
        }
        Source::Sbom { path } => Err(ImageError::NotAnImage {
            path: path.clone(),
            expected: "an image",
            reason: "a bill of materials has no layers".to_owned(),
        }),
        Source::Registry(reference) => {
            let registry = registry.ok_or_else(|| ImageError::Offline(reference.to_string()))?;
            let (remote, parts) = Remote::open(registry, reference, platform, limits)?;
            Ok(parts.stored_in(Storage::Remote(remote)))
        }
    }
}

/// The platforms of an image, each once, in the order of its index; none where there is nothing to choose from.
///
/// # Errors
/// As for [`open`], but for a platform.
pub fn platforms(
    source: &Source,
    limits: &Limits,
    registry: Option<&Arc<Registry>>,
) -> Result<Vec<Platform>, ImageError> {
    match open(source, &Platform::linux_amd64(), limits, registry) {
        Ok(image) => Ok(image.offered),
        Err(ImageError::PlatformMissing { available, .. }) if !available.is_empty() => Ok(available),
        Err(error) => Err(error),
    }
}

impl Image {
    /// The digest that a layer's bytes are checked against when they are read.
    #[must_use]
    pub fn verified_digest(&self, index: usize) -> Option<&Digest> {
        self.blobs.get(index)?.promise.as_ref().map(|promise| &promise.digest)
    }

    /// Reads a layer from its first byte to its last and shows its files to `visitor`.
    ///
    /// # Errors
    /// The layer could not be read to its end, is not what its digest promises, or exceeds a limit. What the visitor saw
    /// until then is as it is in the layer only if the cause is not a wrong digest.
    pub fn walk_layer(
        &self,
        index: usize,
        visitor: &mut dyn Visitor,
        limits: &Limits,
        progress: &dyn Progress,
    ) -> Result<LayerTree, LayerError> {
        let Some(blob) = self.blobs.get(index) else {
            return Err(LayerError::Unsupported(format!("there is no layer {index}")));
        };
        let walk = Walk::begin(&self.walks);
        let source: Box<dyn Chunks> = match (&self.storage, &blob.promise) {
            (Storage::Root(root), _) => return directory::walk(root, visitor, limits, progress),
            _ if !is_supported(&blob.media_type) => {
                return Err(LayerError::Unsupported(format!("media type `{}`", blob.media_type)));
            }
            (Storage::Files(files), promise) => {
                let chunks = BlobChunks::new(files.open(&blob.name)?, promise.clone(), &self.hashes);
                if walk.leaves_a_core() { Box::new(chunks.ahead()?) } else { Box::new(chunks) }
            }
            (Storage::Remote(remote), Some(promise)) => Box::new(remote.layer(promise)),
            (Storage::Remote(_), None) => return Err(LayerError::Unsupported("a blob without a digest".into())),
        };
        let stream = LayerStream::open(Box::new(Told { source, layer: index, progress }), limits)?;
        archive_walk::walk(stream, visitor, limits)
    }
}

/// Media types of layers that can be read: how they are compressed is told by their content. Layers that may not be
/// distributed ("foreign") are not in the registry, encrypted ones not readable.
fn is_supported(media_type: &str) -> bool {
    let has = |part| media_type.contains(part);
    media_type.is_empty()
        || (has("tar") || has("octet-stream")) && !has("nondistributable") && !has("foreign") && !has("encrypted")
}

impl Parts {
    /// From a manifest and its configuration. `name` says what a layer's blob is called.
    fn assemble(
        manifest_digest: Option<Digest>,
        manifest: &Manifest,
        config: &[u8],
        limits: &Limits,
        name: impl Fn(&Descriptor) -> String,
    ) -> Result<Self, ImageError> {
        let config = Config::parse(config, limits)?;
        let count = manifest.layers.len();
        if config.diff_ids.len() != count {
            let reason = format!("it names {} layers, the manifest {count}", config.diff_ids.len());
            return Err(ImageError::manifest("the image configuration", reason));
        }
        let has_history = config.created_by.len() == count;
        let layers = manifest.layers.iter().zip(&config.diff_ids).enumerate();
        Ok(Self {
            layers: layers
                .map(|(index, (descriptor, diff_id))| Layer {
                    digest: Some(descriptor.digest.clone()),
                    diff_id: Some(diff_id.clone()),
                    size: descriptor.size,
                    created_by: config.created_by.get(index).filter(|_| has_history).cloned().flatten(),
                })
                .collect(),
            blobs: manifest
                .layers
                .iter()
                .map(|descriptor| Blob {
                    name: name(descriptor),
                    media_type: descriptor.media_type.clone(),
                    promise: Some(Promise::from(descriptor)),
                })
                .collect(),
            identity: ImageIdentity {
                manifest_digest,
                config_digest: Some(manifest.config.digest.clone()),
                platform: config.platform,
                config: config.image,
            },
            annotations: manifest.annotations.clone(),
            references: Vec::new(),
            offered: Vec::new(),
        })
    }

    /// One layer, nothing else.
    fn of_directory() -> Self {
        Self {
            identity: ImageIdentity::default(),
            layers: vec![Layer { digest: None, diff_id: None, size: 0, created_by: None }],
            annotations: BTreeMap::new(),
            references: Vec::new(),
            offered: Vec::new(),
            blobs: vec![Blob { name: String::new(), media_type: String::new(), promise: None }],
        }
    }

    fn stored_in(self, storage: Storage) -> Image {
        let Self { identity, layers, annotations, references, offered, blobs } = self;
        Image {
            identity,
            layers,
            annotations,
            references,
            offered,
            blobs,
            storage,
            hashes: HashGroup::default(),
            walks: AtomicUsize::new(0),
        }
    }
}

fn digest_of(bytes: &[u8]) -> Digest {
    Digest::from_sha256(&Sha256::digest(bytes).into())
}

/// A layer that is being walked.
struct Walk<'i> {
    all: &'i AtomicUsize,
    /// How many layers were being walked when it began, with it.
    count: usize,
}

impl<'i> Walk<'i> {
    fn begin(all: &'i AtomicUsize) -> Self {
        Self { all, count: 1 + all.fetch_add(1, Ordering::Relaxed) }
    }

    /// Whether not every core has a layer to walk: where each has, another thread costs more than it saves.
    fn leaves_a_core(&self) -> bool {
        self.count < thread::available_parallelism().map_or(1, NonZero::get)
    }
}

impl Drop for Walk<'_> {
    fn drop(&mut self) {
        self.all.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Tells how much of a layer was read.
struct Told<'p> {
    source: Box<dyn Chunks>,
    layer: usize,
    progress: &'p dyn Progress,
}

impl Chunks for Told<'_> {
    fn next_chunk(&mut self) -> io::Result<Option<Bytes>> {
        let chunk = self.source.next_chunk()?;
        self.progress.read(self.layer, chunk.as_ref().map_or(0, |chunk| chunk.len() as u64));
        Ok(chunk)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_the_media_types_of_layers() {
        let oci = |suffix: &str| format!("application/vnd.oci.image.layer.{suffix}");
        for (media_type, expected) in [
            (String::new(), true),
            (oci("v1.tar"), true),
            (oci("v1.tar+gzip"), true),
            (oci("v1.tar+zstd"), true),
            ("application/vnd.docker.image.rootfs.diff.tar.gzip".into(), true),
            ("application/vnd.docker.image.rootfs.foreign.diff.tar.gzip".into(), false),
            (oci("nondistributable.v1.tar+gzip"), false),
            (oci("v1.tar+gzip+encrypted"), false),
            ("application/vnd.in-toto+json".into(), false),
        ] {
            assert_eq!(is_supported(&media_type), expected, "{media_type}");
        }
    }

    #[test]
    fn an_image_is_shared_between_threads() {
        fn shared<T: Send + Sync>() {}
        shared::<Image>();
    }
}
