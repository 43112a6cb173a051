//! What an extractor is, and the table of all of them.

use crate::image::Entry;
use crate::model::{Distribution, Package};

use super::extractors::{apk, apk_repositories, deb_files, dpkg, go_binary, npm, os_release, python, rpm, rust_binary};

/// Turns one file into facts. It sees nothing but the file: no other file, no distribution, no network.
pub trait Extractor: Sync {
    /// Its name, for gaps and documentation.
    fn name(&self) -> &'static str;

    /// The paths that it claims, for documentation.
    fn claims(&self) -> &'static [&'static str];

    /// Whether it wants a file, from path, size and mode alone.
    fn wants(&self, entry: &Entry<'_>) -> bool;

    /// Whether a wanted file is worth reading, from its first bytes (16 or more, or the whole file).
    fn accepts(&self, _beginning: &[u8]) -> bool {
        true
    }

    /// Reads a file.
    ///
    /// # Errors
    /// The file is malformed. What can be read of it is lost to this extractor only.
    fn extract(&self, path: &str, content: &[u8]) -> Result<Vec<Fact>, ExtractError>;

    /// Whether the files are package databases of a distribution, without which an image cannot be judged.
    fn is_package_database(&self) -> bool {
        false
    }
}

/// All extractors, in the order of documentation.
pub static EXTRACTORS: &[&dyn Extractor] = &[
    &os_release::OsRelease,
    &dpkg::Dpkg,
    &deb_files::DebFiles,
    &apk::Apk,
    &apk_repositories::ApkRepositories,
    &rpm::Rpm,
    &npm::Npm,
    &python::Python,
    &go_binary::GoBinary,
    &rust_binary::RustBinary,
];

/// What one file says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fact {
    /// The distribution; the file with the lowest rank decides.
    Distribution {
        /// 0 for `os-release`, more for older files that say less.
        rank: u8,
        /// What it says.
        distribution: Distribution,
    },
    /// The release whose packages `/etc/apk/repositories` installs from.
    RepositoryRelease(String),
    /// An installed package. Locations are filled in by the merge.
    Package(Box<Package>),
    /// Files that belong to an OS package.
    Files(InstalledFiles),
}

/// Files that belong to an OS package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InstalledFiles {
    /// The package's name.
    pub package: String,
    /// Paths without a leading `/`, those only that can be a language package's metadata.
    pub paths: Vec<String>,
}

/// A file is malformed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ExtractError(pub String);

impl ExtractError {
    /// With what is wrong, as a lower-case fragment.
    pub fn new(reason: impl Into<String>) -> Self {
        Self(reason.into())
    }
}
