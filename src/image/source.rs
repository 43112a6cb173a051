//! Where an image is, as people write it on the command line.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use crate::model::{ImageReference, InvalidReference};

/// The source of an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// `oci:DIR[:TAG]`: an OCI image layout.
    OciLayout {
        /// The directory.
        path: PathBuf,
        /// The name within it (`org.opencontainers.image.ref.name`).
        tag: Option<String>,
    },
    /// `oci-archive:FILE[:TAG]`: an OCI image layout in a tar file, which may be compressed.
    OciArchive {
        /// The file.
        path: PathBuf,
        /// The name within it.
        tag: Option<String>,
    },
    /// `docker-archive:FILE`: what `docker save` writes.
    DockerArchive {
        /// The file.
        path: PathBuf,
    },
    /// `archive://FILE`, as GitLab writes it: either of the two, told by its content.
    Archive {
        /// The file.
        path: PathBuf,
    },
    /// `dir:PATH`: a root file system, or what `skopeo copy … dir:PATH` wrote.
    Directory {
        /// The directory.
        path: PathBuf,
    },
    /// `sbom:FILE`: what another scan wrote of an image, in place of the image.
    Sbom {
        /// The file.
        path: PathBuf,
    },
    /// Anything else: an image in a registry.
    Registry(ImageReference),
}

/// The text names no source.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidSource {
    /// A prefix without a path.
    #[error("`{0}` names no file or directory")]
    NoPath(String),
    /// A prefix of other tools.
    #[error(
        "`{0}`: images cannot be read from there; save the image to a file and give oci-archive:FILE or docker-archive:FILE"
    )]
    Unsupported(String),
    /// Not an image reference either.
    #[error(transparent)]
    Reference(#[from] InvalidReference),
}

/// Transports of other tools that must not be taken for repository names.
const UNSUPPORTED: [&str; 5] = ["docker-daemon:", "containers-storage:", "ostree:", "podman:", "sif:"];

impl FromStr for Source {
    type Err = InvalidSource;

    fn from_str(text: &str) -> Result<Self, InvalidSource> {
        let path = |path: &str| {
            if path.is_empty() { Err(InvalidSource::NoPath(text.to_owned())) } else { Ok(PathBuf::from(path)) }
        };
        if let Some(rest) = text.strip_prefix("oci:") {
            let (rest, tag) = split_tag(rest);
            return Ok(Self::OciLayout { path: path(rest)?, tag });
        }
        if let Some(rest) = text.strip_prefix("oci-archive:") {
            let (rest, tag) = split_tag(rest);
            return Ok(Self::OciArchive { path: path(rest)?, tag });
        }
        if let Some(rest) = text.strip_prefix("docker-archive:") {
            return Ok(Self::DockerArchive { path: path(rest)? });
        }
        if let Some(rest) = text.strip_prefix("archive://") {
            return Ok(Self::Archive { path: path(rest)? });
        }
        if let Some(rest) = text.strip_prefix("dir:") {
            return Ok(Self::Directory { path: path(rest)? });
        }
        if let Some(rest) = text.strip_prefix("sbom:") {
            return Ok(Self::Sbom { path: path(rest)? });
        }
        if UNSUPPORTED.iter().any(|prefix| text.starts_with(prefix)) {
            return Err(InvalidSource::Unsupported(text.to_owned()));
        }
        Ok(Self::Registry(text.parse()?))
    }
}

/// Splits `PATH:TAG`. What follows the last colon is a tag unless it has a slash in it.
fn split_tag(text: &str) -> (&str, Option<String>) {
    match text.rsplit_once(':') {
        Some((path, tag)) if !tag.contains('/') => (path, Some(tag.to_owned()).filter(|tag| !tag.is_empty())),
        _ => (text, None),
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (prefix, path, tag) = match self {
            Self::OciLayout { path, tag } => ("oci:", path, tag.as_ref()),
            Self::OciArchive { path, tag } => ("oci-archive:", path, tag.as_ref()),
            Self::DockerArchive { path } => ("docker-archive:", path, None),
            Self::Archive { path } => ("archive://", path, None),
            Self::Directory { path } => ("dir:", path, None),
            Self::Sbom { path } => ("sbom:", path, None),
            Self::Registry(reference) => return reference.fmt(f),
        };
        write!(f, "{prefix}{}", path.display())?;
        tag.map_or(Ok(()), |tag| write!(f, ":{tag}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_people_write() {
        let tag = |tag: &str| Some(tag.to_owned());
        for (text, expected) in [
            ("oci:build/image", Source::OciLayout { path: "build/image".into(), tag: None }),
            ("oci:build/image:1.0", Source::OciLayout { path: "build/image".into(), tag: tag("1.0") }),
            ("oci:/a:b/c", Source::OciLayout { path: "/a:b/c".into(), tag: None }),
            ("oci-archive:a.tar:x", Source::OciArchive { path: "a.tar".into(), tag: tag("x") }),
            ("docker-archive:a.tar.gz", Source::DockerArchive { path: "a.tar.gz".into() }),
            ("archive:///tmp/a.tar", Source::Archive { path: "/tmp/a.tar".into() }),
            ("archive://a.tar", Source::Archive { path: "a.tar".into() }),
            ("dir:/", Source::Directory { path: "/".into() }),
            ("sbom:a.cdx.json", Source::Sbom { path: "a.cdx.json".into() }),
            ("alpine:3", Source::Registry("docker.io/library/alpine:3".parse().expect("a reference"))),
            ("docker://r.io/a", Source::Registry("r.io/a".parse().expect("a reference"))),
        ] {
            assert_eq!(text.parse::<Source>().as_ref(), Ok(&expected), "{text}");
            assert_eq!(expected.to_string().parse::<Source>().as_ref(), Ok(&expected), "{text} written again");
        }
        for text in ["oci:", "oci-archive::x", "dir:", "sbom:", "archive://", "docker-daemon:a:b", "Bad Name"] {
            assert!(text.parse::<Source>().is_err(), "{text} was accepted");
        }
    }
}
