//! The name and tag of an image for formats that want both.
//!
//! GitLab takes everything after the last colon of `location.image` for the tag, so a name without one loses its
//! registry port or becomes empty, and with it the identity of every vulnerability. So there always is a tag:
//!
//! | the image was given as | becomes |
//! |---|---|
//! | `registry/name:tag`, with or without digest | `registry/name:tag` |
//! | `registry/name@sha256:0123456789ab…` | `registry/name:sha256-0123456789ab` |
//! | `registry/name` | `registry/name:latest` |
//! | `oci:build/shop:v2`, `oci-archive:…` | `shop:v2` |
//! | `oci:build/shop`, `dir:…`, `archive://shop.tar.gz`, … | `shop:local` |
//! | `oci:shop/oci`, `oci-archive:shop/image.tar` | `shop-oci:local`, `shop-image:local` |
//! | `dir:/` | `rootfs:local` |
//! | `registry/name:tag (linux/arm64)`, one of several platforms | `registry/name:tag-linux-arm64` |
//!
//! None of the made-up tags looks like a version, because GitLab makes such tags part of the identity.

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;

use crate::model::{ImageReference, ImageScan, Platform};

/// An image's name without and with its tag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ImageName {
    /// `registry/name`, or the last part of a path.
    pub(super) repository: String,
    /// The tag, never empty.
    pub(super) tag: String,
    /// The platform, where it is a part of the name.
    platform: Option<Platform>,
}

impl ImageName {
    pub(super) fn of(image: &ImageScan) -> Self {
        Self::read(&image.name)
    }

    fn read(name: &str) -> Self {
        let (name, platform) = Platform::split_name(name);
        Self { platform, ..Self::of_source(name) }
    }

    fn of_source(name: &str) -> Self {
        if let Some((path, may_have_tag)) = local_path(name) {
            return Self::of_path(path, may_have_tag);
        }
        match name.parse::<ImageReference>() {
            Ok(reference) => Self {
                repository: reference.name(),
                tag: match (&reference.tag, &reference.digest) {
                    (Some(tag), _) => tag.clone(),
                    (None, Some(digest)) => format!("sha256-{}", digest.short()),
                    (None, None) => "latest".into(),
                },
                platform: None,
            },
            Err(_) => Self { repository: sanitised(name, "image"), tag: LOCAL.into(), platform: None },
        }
    }

    fn of_path(path: &str, may_have_tag: bool) -> Self {
        let (path, tag) = match path.rsplit_once(':') {
            Some((path, tag)) if may_have_tag && !tag.contains('/') => (path, sanitised(tag, LOCAL)),
            _ => (path, LOCAL.into()),
        };
        let mut parts = path.trim_end_matches(['/', '.']).rsplit('/');
        let last = parts.next().unwrap_or("");
        let stem = ARCHIVE_SUFFIXES.iter().find_map(|suffix| last.strip_suffix(suffix)).unwrap_or(last);
        let parent = parts.next().map(|parent| sanitised(parent, "")).filter(|parent| !parent.is_empty());
        let name = match parent {
            Some(parent) if SAYS_NOTHING.contains(&stem) => format!("{parent}-{stem}"),
            _ => stem.to_owned(),
        };
        Self { repository: sanitised(&name, "rootfs"), tag, platform: None }
    }

    /// The tag, with the platform where that is a part of the name.
    pub(super) fn full_tag(&self) -> String {
        let Some(platform) = &self.platform else { return self.tag.clone() };
        let platform = sanitised(&platform.to_string(), LOCAL);
        let room = LONGEST_TAG.saturating_sub(platform.len() + 1);
        format!("{}-{platform}", self.tag.chars().take(room).collect::<String>())
    }

    /// What names the image whatever its tag: the repository, with the platform where that is a part of the name.
    pub(super) fn identity(&self) -> Cow<'_, str> {
        match &self.platform {
            None => Cow::Borrowed(&self.repository),
            Some(platform) => platform.name_of(&self.repository).into(),
        }
    }

    /// Lower-case letters, digits and `-`, for file names: `registry-gitlab-com-group-shop-v2`.
    pub(super) fn slug(&self) -> String {
        let text: String = self
            .to_string()
            .chars()
            .map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' })
            .collect();
        let words: Vec<&str> = text.split('-').filter(|word| !word.is_empty()).collect();
        words.join("-").chars().take(LONGEST_SLUG).collect::<String>().trim_end_matches('-').to_owned()
    }
}

/// The tag of an image, if GitLab takes it for a version and thus for a part of the identity of findings: then all of
/// them are new with every new tag.
#[must_use]
pub fn version_tag(image: &ImageScan) -> Option<String> {
    let tag = ImageName::of(image).full_tag();
    let is_digest = (32..=128).contains(&tag.len()) && tag.bytes().all(|b| b.is_ascii_hexdigit());
    (is_version(&tag) && !is_digest).then_some(tag)
}

/// Ruby's `Gem::Version.correct?`.
fn is_version(text: &str) -> bool {
    let (release, pre) = text.split_once('-').map_or((text, None), |(release, pre)| (release, Some(pre)));
    let mut parts = release.split('.');
    let is_number = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    let is_word = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric());
    let is_pre = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    parts.next().is_some_and(is_number) && parts.all(is_word) && pre.is_none_or(|pre| pre.split('.').all(is_pre))
}

impl fmt::Display for ImageName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.repository, self.full_tag())
    }
}

/// The path of a source that is no registry reference, and whether a tag may follow it.
fn local_path(name: &str) -> Option<(&str, bool)> {
    LOCAL_SOURCES.iter().find_map(|(prefix, may_have_tag)| Some((name.strip_prefix(prefix)?, *may_have_tag)))
}

/// What the grammar of image names allows, in lower case and of bounded length.
fn sanitised(text: &str, default: &str) -> String {
    let allowed =
        |c: char| if c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-') { c.to_ascii_lowercase() } else { '-' };
    let text: String = text.chars().take(100).map(allowed).collect();
    let text = text.trim_matches(['.', '_', '-']);
    if text.is_empty() { default.to_owned() } else { text.to_owned() }
}

const LOCAL: &str = "local";

const LOCAL_SOURCES: [(&str, bool); 6] = [
    ("oci:", true),
    ("oci-archive:", true),
    ("docker-archive:", false),
    ("archive://", false),
    ("dir:", false),
    ("sbom:", false),
];

/// Names that many images share.
const SAYS_NOTHING: [&str; 5] = ["oci", "image", "layout", "rootfs", "out"];

const ARCHIVE_SUFFIXES: [&str; 9] =
    [".tar.gz", ".tar.zst", ".tar.bz2", ".tar.xz", ".tar", ".tgz", ".oci", ".cdx.json", ".json"];

const LONGEST_SLUG: usize = 100;

/// What registries allow.
const LONGEST_TAG: usize = 128;

/// A file name for each image, made of its name; numbered where two would be the same.
pub(super) fn file_names<'a>(
    images: impl Iterator<Item = &'a ImageScan>,
    beginning: &str,
    ending: &str,
) -> Vec<String> {
    let mut used = HashSet::new();
    let names = images.map(|image| {
        let slug = ImageName::of(image).slug();
        let mut name = format!("{beginning}{slug}{ending}");
        let mut number = 2;
        while !used.insert(name.clone()) {
            name = format!("{beginning}{slug}-{number}{ending}");
            number += 1;
        }
        name
    });
    names.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_always_is_a_tag() {
        let digest = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        for (name, expected) in [
            ("reg.io:5000/g/p:main", "reg.io:5000/g/p:main"),
            ("reg.io:5000/g/p", "reg.io:5000/g/p:latest"),
            ("alpine", "docker.io/library/alpine:latest"),
            (&format!("reg.io/g/p@{digest}"), "reg.io/g/p:sha256-e3b0c44298fc"),
            (&format!("reg.io/g/p:1@{digest}"), "reg.io/g/p:1"),
            ("oci:build/Shop:v2", "shop:v2"),
            ("oci:/work/images/debian-12-minbase", "debian-12-minbase:local"),
            ("oci:/images/shop/oci/", "shop-oci:local"),
            ("oci:../oci:v2", "oci:v2"),
            ("oci:.", "rootfs:local"),
            ("oci-archive:out/shop.tar.gz:edge", "shop:edge"),
            ("docker-archive:/tmp/a:b/shop.tar", "shop:local"),
            ("archive://shop.tgz", "shop:local"),
            ("dir:/", "rootfs:local"),
            ("reg.io/g/p:main (linux/arm/v7)", "reg.io/g/p:main-linux-arm-v7"),
            ("oci:build/shop (linux/arm64)", "shop:local-linux-arm64"),
            ("dir:./../", "rootfs:local"),
            ("oci:dir:", "dir:local"),
            ("", "image:local"),
            ("\x1b[31m not a reference", "31m-not-a-reference:local"),
        ] {
            assert_eq!(ImageName::read(name).to_string(), expected, "{name}");
        }
    }

    #[test]
    fn tags_that_gitlab_takes_for_versions() {
        for (tag, expected) in [
            ("1.2.3", true),
            ("1.2.3-alpine", true),
            ("3.19", true),
            ("4711", true),
            ("20261121", true),
            ("latest", false),
            ("main", false),
            ("v1.2.3", false),
            ("a1b2c3d4", false),
            ("1a2b3c4d", false),
            ("1_2", false),
        ] {
            assert_eq!(is_version(tag), expected, "{tag}");
        }
    }

    #[test]
    fn slugs_are_file_names() {
        assert_eq!(ImageName::read("reg.io:5000/g_p/p--x:1.2").slug(), "reg-io-5000-g-p-p-x-1-2");
        assert!(ImageName::read(&format!("oci:{}", "x".repeat(5000))).slug().len() <= LONGEST_SLUG);
    }
}
