//! Which OS package installed a file.

use std::borrow::Cow;
use std::collections::HashMap;

use super::super::fact::Fact;
use super::VisibleFile;
use crate::image::Overlay;
use crate::image::overlay::path_hash;
use crate::model::PackageKind;

/// Directories that merged systems have as links to others (`bin` to `usr/bin`, `usr/sbin` to `bin`): packages may list
/// files under either path. Those of layers that were not read are taken to lead to `usr/`.
const MERGED: &[&str] = &["bin/", "sbin/", "lib/", "lib32/", "lib64/", "libx32/"];

/// Package managers that keep the files of a package apart from its description.
const LISTED_APART: &[PackageKind] = &[PackageKind::Deb, PackageKind::Opkg, PackageKind::Alpm];

/// The owners of files, by the files' paths.
pub(super) struct Owners {
    /// `name version`.
    owners: Vec<String>,
    files: HashMap<u64, usize>,
    /// Directories (`usr/bin/`), and a link that leads there (`usr/sbin/`).
    links: Vec<(String, String)>,
}

impl Owners {
    pub(super) fn of(files: &[VisibleFile<'_, '_>], overlay: &Overlay) -> Self {
        let facts = || files.iter().flat_map(|file| &file.facts.facts);
        let is_merged = |path: &str| {
            let name = path.strip_prefix("usr/").unwrap_or(path);
            MERGED.iter().any(|directory| directory.strip_suffix('/') == Some(name))
        };
        let links = overlay.symlinks().filter(|(path, _)| is_merged(path));
        let links = links.map(|(path, _)| (overlay.resolve(path) + "/", format!("{path}/"))).collect();
        let mut owners = Self { owners: Vec::new(), files: HashMap::new(), links };
        // Versions of packages whose file lists have none.
        let mut versions: HashMap<(&str, Option<&str>), &str> = HashMap::new();
        for fact in facts() {
            let Fact::Database { kind, packages } = fact else { continue };
            for installed in packages {
                let package = &installed.package;
                if LISTED_APART.contains(kind) {
                    versions.insert((&package.name, package.arch.as_deref()), &package.version);
                    versions.insert((&package.name, None), &package.version);
                }
                owners.add(&package.name, &package.version, &installed.files);
            }
        }
        for fact in facts() {
            let Fact::OwnedFiles { package, arch, files } = fact else { continue };
            // A list without its package is what a removed one left behind.
            if let Some(version) = versions.get(&(package.as_str(), arch.as_deref())) {
                owners.add(package, version, files);
            }
        }
        owners
    }

    fn add(&mut self, name: &str, version: &str, files: &[u64]) {
        if files.is_empty() {
            return;
        }
        let owner = self.owners.len();
        self.owners.push(format!("{name} {version}"));
        for &file in files {
            self.files.entry(file).or_insert(owner);
        }
    }

    /// The owner of a visible file, under any of its paths on a merged system.
    pub(super) fn owner(&self, path: &str) -> Option<&str> {
        if self.files.is_empty() {
            return None;
        }
        let other: Option<Cow<'_, str>> = match path.strip_prefix("usr/") {
            Some(rest) => MERGED.iter().any(|directory| rest.starts_with(directory)).then_some(rest.into()),
            None => MERGED.iter().any(|directory| path.starts_with(directory)).then(|| format!("usr/{path}").into()),
        };
        let owner = |path: &str| self.files.get(&path_hash(path));
        let linked = || {
            let others =
                self.links.iter().filter_map(|(directory, link)| Some((link, path.strip_prefix(&**directory)?)));
            others.map(|(link, rest)| format!("{link}{rest}")).find_map(|path| owner(&path))
        };
        let index = owner(path).or_else(|| owner(&other?)).or_else(linked)?;
        self.owners.get(*index).map(String::as_str)
    }
}
