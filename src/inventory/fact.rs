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
    /// Where the package that another file beside this one describes was installed from.
    Origin(String),
    /// The licences of the package that the file's path names.
    Licenses(Vec<String>),
    /// Part of what the file holds could not be read; the other facts of the file are sound.
    Incomplete(String),
    /// The file holds more than is read of one; the other facts of the file are sound.
    LimitMet(String),
}

/// The committed content of an SQLite write-ahead log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SqliteLog {
    /// Bytes of a page.
    pub page_size: usize,
    /// Pages of the database once the log is applied.
    pub pages: u32,
    /// The pages that change, by number, the first being 1. Kept as text, of which a list of numbers would take thrice as
    /// much.
    #[serde(with = "pages")]
    pub content: BTreeMap<u32, Vec<u8>>,
}

/// Pages in Base64.
mod pages {
    use std::collections::BTreeMap;

    use base64::Engine as _;
    use base64::prelude::BASE64_STANDARD;
    use serde::de::Error as _;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(pages: &BTreeMap<u32, Vec<u8>>, out: S) -> Result<S::Ok, S::Error> {
        out.collect_map(pages.iter().map(|(number, page)| (number, BASE64_STANDARD.encode(page))))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(input: D) -> Result<BTreeMap<u32, Vec<u8>>, D::Error> {
        let pages = BTreeMap::<u32, String>::deserialize(input)?;
        let decoded =
            |(number, page): (u32, String)| Ok((number, BASE64_STANDARD.decode(page).map_err(D::Error::custom)?));
        pages.into_iter().map(decoded).collect()
    }
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

    /// What the facts take of memory, in bytes and roughly, but for databases' logs.
    #[must_use]
    pub fn weight(&self) -> usize {
        /// A name or a hash, and what lies around it.
        const SMALL: usize = 64;
        let text = |text: &Option<String>| text.as_ref().map_or(0, String::len);
        let package = |package: &Package| {
            let lists = package.licenses.iter().chain(&package.namespaces);
            let licenses: usize = lists.map(|text| text.len() + SMALL).sum();
            let texts = [&package.arch, &package.vendor, &package.module, &package.section, &package.origin];
            let source = package.source.as_ref().map_or(0, |source| source.name.len() + source.version.len());
            let names = package.name.len() + package.version.len() + source + texts.map(text).iter().sum::<usize>();
            size_of::<Package>() + names + licenses
        };
        let weight = |fact: &Fact| match fact {
            Fact::Package(of) => package(of),
            Fact::Nested { inside, package: of } => inside.len() + package(of),
            Fact::Database { packages, .. } => {
                packages.iter().map(|installed| package(&installed.package) + size_of_val(&installed.files[..])).sum()
            }
            Fact::ApkRepositories(list) => list.iter().map(|one| one.release.len() + one.name.len() + SMALL).sum(),
            Fact::ContentSets(texts) | Fact::Licenses(texts) => texts.iter().map(|text| text.len() + SMALL).sum(),
            Fact::OwnedFiles { package, files, .. } => package.len() + size_of_val(&files[..]),
            Fact::Origin(text) | Fact::Incomplete(text) | Fact::LimitMet(text) => text.len(),
            Fact::Distribution(_) | Fact::SqliteLog(_) => 0,
        };
        self.facts.iter().map(|fact| SMALL + weight(fact)).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logs_are_kept_compactly() {
        let page: Vec<u8> = (0..4096_u32).map(|at| (at * 37 % 251) as u8).collect();
        let log = SqliteLog { page_size: 4096, pages: 9, content: BTreeMap::from([(1, page), (7, vec![255; 4096])]) };
        let fact = Fact::SqliteLog(log);
        let text = serde_json::to_string(&fact).expect("JSON");
        assert!(text.len() < 2 * 4096 * 3 / 2, "{} bytes for two pages", text.len());
        assert_eq!(serde_json::from_slice::<Fact>(text.as_bytes()).expect("the same"), fact);
        assert!(serde_json::from_slice::<Fact>(text.replace("//", "!!").as_bytes()).is_err());
    }
}
