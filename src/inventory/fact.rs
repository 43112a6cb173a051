//! What one file of a layer says, before anybody knows whether the file is visible from the top of the image.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::model::{Distribution, GapKind, Package, PackageKind};

/// One statement of one file. Facts are plain data: they can be kept per layer and used for every image that has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Fact {
    /// The file describes an installed package of a language ecosystem. Its locations are filled in by the merge.
    Package(Package),
    /// The same of something that lies within the file.
    Nested {
        /// The path inside the file, `BOOT-INF/lib/x.jar`; archives within archives are parted by `!/`.
        inside: String,
        /// The package.
        package: Package,
    },
    /// The file is a package database, or a part of one, of an operating system. An empty one is a statement too.
    Database {
        /// Whose.
        kind: PackageKind,
        /// What is installed according to it.
        packages: Vec<Installed>,
    },
    /// Changes to an SQLite database beside the file that are committed, but not in the database yet.
    SqliteLog(SqliteLog),
    /// The file says which distribution this is.
    Distribution(Distribution),
    /// The package sources of `apk`.
    ApkRepositories(Vec<ApkRepository>),
    /// The repositories that packages of Red Hat's came from.
    ContentSets(Vec<String>),
    /// The file lists what a package of an operating system installed.
    OwnedFiles {
        /// The package's name.
        package: String,
        /// Its architecture, where the file's name has it.
        arch: Option<String>,
        /// The files, as [`crate::image::overlay::path_hash`].
        files: Vec<u64>,
    },
    /// Part of what the file holds could not be read; the other facts of the file are sound.
    Incomplete(String),
}

/// The committed content of an SQLite write-ahead log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SqliteLog {
    /// Bytes of a page.
    pub page_size: usize,
    /// Pages of the database once the log is applied.
    pub pages: u32,
    /// The pages that change, by number, the first being 1.
    pub content: BTreeMap<u32, Vec<u8>>,
}

/// A package of an operating system's database.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Installed {
    /// The package, without locations.
    pub package: Package,
    /// The files it installed, as [`crate::image::overlay::path_hash`], where the database says so.
    pub files: Vec<u64>,
}

/// One line of `/etc/apk/repositories`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApkRepository {
    /// `3.20` or `edge`.
    pub release: String,
    /// `main`, `community`, `testing`, ….
    pub name: String,
    /// Whether packages come from it only on demand (`@tag`).
    pub tagged: bool,
}

/// What came of one file.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileFacts {
    /// What it says.
    pub facts: Vec<Fact>,
    /// Why it says nothing, or less than it should.
    pub trouble: Option<(GapKind, String)>,
}

impl FileFacts {
    /// The packages that the file names.
    pub fn packages(&self) -> impl Iterator<Item = &Package> {
        self.places().map(|(package, _)| package)
    }

    /// The packages that the file names and where inside the file they are.
    pub fn places(&self) -> impl Iterator<Item = (&Package, Option<&str>)> {
        self.facts.iter().flat_map(|fact| {
            let (one, many): (_, &[Installed]) = match fact {
                Fact::Package(package) => (Some((package, None)), &[]),
                Fact::Nested { inside, package } => (Some((package, Some(inside.as_str()))), &[]),
                Fact::Database { packages, .. } => (None, packages),
                _ => (None, &[]),
            };
            one.into_iter().chain(many.iter().map(|installed| (&installed.package, None)))
        })
    }
}
