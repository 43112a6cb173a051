//! Named files that images are made of, in a directory or in an archive.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::ImageError;
use super::blob::{Promise, read_whole};
use super::manifest::Descriptor;
use crate::model::Limits;

/// A set of files.
pub(super) trait Files: std::fmt::Debug + Send + Sync {
    /// Opens one.
    fn open(&self, name: &str) -> io::Result<Box<dyn Read + Send>>;

    /// Whether there is such a file.
    fn contains(&self, name: &str) -> bool;

    /// The directory or archive, for messages.
    fn location(&self) -> &Path;
}

/// The files of a directory. Names are never taken from an image but for digests.
#[derive(Debug)]
pub(super) struct Directory(pub(super) PathBuf);

impl Files for Directory {
    fn open(&self, name: &str) -> io::Result<Box<dyn Read + Send>> {
        Ok(Box::new(File::open(self.0.join(name))?))
    }

    fn contains(&self, name: &str) -> bool {
        self.0.join(name).is_file()
    }

    fn location(&self) -> &Path {
        &self.0
    }
}

/// Reads a small file: a manifest, an index, a configuration.
pub(super) fn read_document(
    files: &dyn Files,
    name: &str,
    promise: Option<&Promise>,
    limits: &Limits,
) -> Result<Vec<u8>, ImageError> {
    let unreadable = |cause| ImageError::unreadable(&files.location().join(name), cause);
    let mut reader = files.open(name).map_err(unreadable)?;
    let limit = limits.manifest_size;
    match read_whole(&mut reader, promise, limit).map_err(unreadable)? {
        Some(verdict) => Ok(verdict?),
        None => Err(ImageError::Limit { what: format!("the size of `{name}`"), limit }),
    }
}

impl From<&Descriptor> for Promise {
    fn from(descriptor: &Descriptor) -> Self {
        Self { digest: descriptor.digest.clone(), size: descriptor.size }
    }
}
