//! Since which layer a package is there in its present version.
//!
//! After each layer the visible files are compared with those before: a layer that writes a package database anew
//! introduces only what was not in it. Packages of an operating system are followed wherever their database lies, those
//! of languages by their path.

use std::collections::HashMap;
use std::ptr;

use super::super::fact::FileFacts;
use super::VisibleFile;
use crate::model::{Package, PackageKind};

/// What is visible as of the last layer recorded.
#[derive(Default)]
pub(super) struct History<'f> {
    /// Sorted by path.
    files: Vec<Known<'f>>,
    system: HashMap<Key<'f>, usize>,
}

/// A file that names packages of a language and, for each, the layer since which it does so without a break.
struct Known<'f> {
    path: String,
    facts: &'f FileFacts,
    /// Sorted by package.
    since: Vec<(Key<'f>, usize)>,
}

type Key<'f> = (PackageKind, &'f str, &'f str, Option<&'f str>);

fn key(package: &Package) -> Key<'_> {
    (package.kind, &package.name, &package.version, package.arch.as_deref())
}

impl<'f> History<'f> {
    /// Records what is visible, sorted by path, once `layer` lies on top.
    pub(super) fn record<'p>(&mut self, layer: usize, visible: impl Iterator<Item = VisibleFile<'p, 'f>>) {
        let mut before = std::mem::take(&mut self.files).into_iter().peekable();
        let system_before = std::mem::take(&mut self.system);
        for file in visible {
            while before.next_if(|known| known.path.as_str() < file.path).is_some() {}
            let known = before.next_if(|known| known.path == file.path);
            let known = match known {
                Some(known) if ptr::eq(known.facts, file.facts) => {
                    self.files.push(known);
                    continue;
                }
                known => known,
            };
            let mut since: Vec<(Key<'f>, usize)> = Vec::new();
            for package in file.facts.packages() {
                let key = key(package);
                if package.kind.is_os() {
                    self.system.insert(key, system_before.get(&key).copied().unwrap_or(layer));
                } else {
                    let earlier = known.as_ref().and_then(|known| known.since(key));
                    since.push((key, earlier.unwrap_or(layer)));
                }
            }
            since.sort_unstable();
            if !since.is_empty() {
                self.files.push(Known { path: file.path.to_owned(), facts: file.facts, since });
            }
        }
    }

    /// The layer that introduced a visible package.
    pub(super) fn introduced(&self, path: &str, package: &Package) -> Option<usize> {
        if package.kind.is_os() {
            return self.system.get(&key(package)).copied();
        }
        let index = self.files.binary_search_by(|known| known.path.as_str().cmp(path)).ok()?;
        self.files.get(index)?.since(key(package))
    }
}

impl Known<'_> {
    fn since(&self, key: Key<'_>) -> Option<usize> {
        let index = self.since.binary_search_by(|(known, _)| known.cmp(&key)).ok()?;
        self.since.get(index).map(|(_, layer)| *layer)
    }
}
