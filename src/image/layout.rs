//! OCI image layouts (image specification, "image layout") and the directories that `skopeo copy … dir:` writes, both as
//! sets of files.

use super::files::{Files, read_document};
use super::manifest::{DEEPEST_INDEX, Descriptor, Document, Manifest, choose, platforms};
use super::{ImageError, Parts, blob::Promise};
use crate::model::{Digest, Limits, Platform};

const REF_NAME: &str = "org.opencontainers.image.ref.name";
const CONTAINERD_NAME: &str = "io.containerd.image.name";
/// How blobs are named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Naming {
    /// `blobs/sha256/…`.
    Oci,
    /// The digest's digits alone; manifests below an index end in `.manifest.json`.
    Skopeo,
}

impl Naming {
    pub(super) fn blob(self, digest: &Digest) -> String {
        match self {
            Self::Oci => format!("blobs/sha256/{}", digest.hex()),
            Self::Skopeo => digest.hex().to_owned(),
        }
    }

    fn manifest(self, digest: &Digest) -> String {
        match self {
            Self::Oci => self.blob(digest),
            Self::Skopeo => format!("{}.manifest.json", digest.hex()),
        }
    }
}

/// Opens the image of a layout: the one named `tag`, or the only one there is for the platform.
pub(super) fn open_oci(
    files: &dyn Files,
    tag: Option<&str>,
    platform: &Platform,
    limits: &Limits,
) -> Result<Parts, ImageError> {
    if !files.contains("index.json") {
        return Err(ImageError::NotAnImage {
            path: files.location().to_owned(),
            expected: "an OCI image layout",
            reason: "there is no index.json".into(),
        });
    }
    let bytes = read_document(files, "index.json", None, limits)?;
    let index = match Document::parse(&bytes, "index.json", limits)? {
        Document::Index(index) => index,
        Document::Manifest(_) => return Err(ImageError::manifest("index.json", "it is a manifest, not an index")),
    };
    let (descriptor, mut offered) = select(&index, tag, platform)?;
    let (digest, manifest) = follow(files, Naming::Oci, descriptor, platform, limits, &mut offered)?;
    Ok(Parts { offered, ..parts(files, Naming::Oci, digest, &manifest, limits)? })
}

/// Opens the image that skopeo wrote into a directory.
pub(super) fn open_skopeo(files: &dyn Files, platform: &Platform, limits: &Limits) -> Result<Parts, ImageError> {
    let bytes = read_document(files, "manifest.json", None, limits)?;
    let mut offered = Vec::new();
    let (digest, manifest) = match Document::parse(&bytes, "manifest.json", limits)? {
        Document::Manifest(manifest) => (super::digest_of(&bytes), manifest),
        Document::Index(index) => {
            offered = platforms(&index);
            follow(files, Naming::Skopeo, choose(&index, platform)?, platform, limits, &mut offered)?
        }
    };
    Ok(Parts { offered, ..parts(files, Naming::Skopeo, digest, &manifest, limits)? })
}

/// Whether a directory is one that skopeo wrote.
pub(super) fn is_skopeo(files: &dyn Files) -> bool {
    let mut version = String::new();
    files.contains("manifest.json")
        && files.open("version").is_ok_and(|reader| {
            use std::io::Read;
            reader.take(100).read_to_string(&mut version).is_ok() && version.starts_with("Directory Transport Version")
        })
}

/// The image that is meant, and the platforms to choose from if the layout has several under the name.
fn select<'d>(
    index: &'d [Descriptor],
    tag: Option<&str>,
    platform: &Platform,
) -> Result<(&'d Descriptor, Vec<Platform>), ImageError> {
    let names = |descriptor: &'d Descriptor| {
        [REF_NAME, CONTAINERD_NAME].into_iter().filter_map(|key| descriptor.annotations.get(key).map(String::as_str))
    };
    let not_selected = |reason: String| {
        let mut available: Vec<String> = index.iter().flat_map(names).map(Into::into).collect();
        available.truncate(40);
        ImageError::NotSelected { reason, available }
    };
    let candidates: Vec<&Descriptor> = match tag {
        // Some tools write the whole reference where others write the tag.
        Some(tag) => {
            let is_named = |name: &str| name == tag || name.strip_suffix(tag).is_some_and(|rest| rest.ends_with(':'));
            index.iter().filter(|descriptor| names(descriptor).any(is_named)).collect()
        }
        None => index.iter().collect(),
    };
    match candidates[..] {
        [] if tag.is_some() => Err(not_selected(format!("there is no image named `{}`", tag.unwrap_or_default()))),
        [] => Err(not_selected("the layout holds no image".into())),
        [only] => Ok((only, Vec::new())),
        [first, ref others @ ..] if others.iter().all(|other| other.digest == first.digest) => Ok((first, Vec::new())),
        _ if candidates.iter().all(|descriptor| descriptor.platform.is_some()) => {
            let owned: Vec<Descriptor> = candidates.iter().map(|&descriptor| descriptor.clone()).collect();
            let digest = choose(&owned, platform)?.digest.clone();
            candidates
                .into_iter()
                .find(|descriptor| descriptor.digest == digest)
                .map(|descriptor| (descriptor, platforms(&owned)))
                .ok_or_else(|| not_selected("the layout holds no image".into()))
        }
        _ => Err(not_selected("there are several images and none was named".into())),
    }
}

/// From a descriptor through indexes to the manifest for the platform. The first index of several platforms says what is
/// `offered`.
fn follow(
    files: &dyn Files,
    naming: Naming,
    descriptor: &Descriptor,
    platform: &Platform,
    limits: &Limits,
    offered: &mut Vec<Platform>,
) -> Result<(Digest, Manifest), ImageError> {
    let mut descriptor = descriptor.clone();
    for _ in 0..DEEPEST_INDEX {
        let bytes =
            read_document(files, &naming.manifest(&descriptor.digest), Some(&Promise::from(&descriptor)), limits)?;
        match Document::parse(&bytes, descriptor.digest.as_str(), limits)? {
            Document::Manifest(manifest) => return Ok((descriptor.digest, manifest)),
            Document::Index(index) => {
                if offered.is_empty() {
                    *offered = platforms(&index);
                }
                descriptor = choose(&index, platform)?.clone();
            }
        }
    }
    Err(ImageError::manifest(descriptor.digest.as_str(), "indexes lie too deep in each other"))
}

fn parts(
    files: &dyn Files,
    naming: Naming,
    digest: Digest,
    manifest: &Manifest,
    limits: &Limits,
) -> Result<Parts, ImageError> {
    let config = &manifest.config;
    let bytes = read_document(files, &naming.blob(&config.digest), Some(&Promise::from(config)), limits)?;
    Parts::assemble(Some(digest), manifest, &bytes, limits, |layer| naming.blob(&layer.digest))
}
