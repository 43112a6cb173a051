//! Layers put on top of each other.
//!
//! The rules are those of the OCI image specification ("image layer filesystem changeset") and, where it is silent, of
//! containerd's applier on a plain directory: an entry below a symbolic link is written where the link leads, an entry
//! replaces whatever lies at its path unless both are directories, whiteouts and opaque markers touch lower layers only.
//! One thing cannot be known: an entry that nobody wanted and that is written through a symbolic link of another layer is
//! kept as a hash of its own path only, so it hides nothing where the link leads.

use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasherDefault, DefaultHasher, Hasher};
use std::ops::Bound;
use std::sync::Arc;

use super::{LayerTree, path};

/// Symbolic links followed for one path, as in Linux.
const MOST_LINKS: usize = 40;
/// Components walked for one path, those of link targets included.
const MOST_STEPS: usize = 1024;

/// The files that extractors wanted, as seen from the top of the layers applied so far.
#[derive(Debug, Default)]
pub struct Overlay {
    files: BTreeMap<Arc<str>, Source>,
    symlinks: BTreeMap<Arc<str>, Arc<str>>,
    /// Paths of files and links, and of the directories above them, by hash: a path that begins with it, and its
    /// length. May name some that are gone.
    known: PathMap<(Arc<str>, usize)>,
    /// The topmost layer that has something other than a directory at a path, by hash: where a hard link leads.
    layers: PathMap<usize>,
}

/// A file as the image shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Visible<'a> {
    /// Its path in the image's view.
    pub path: &'a str,
    /// The layer that its content lies in.
    pub layer: usize,
    /// Its path in that layer, which may have led here through symbolic links.
    pub at: &'a str,
    /// Whether it is another name of the file there.
    pub is_hard_link: bool,
}

/// Where a visible file's content lies.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Source {
    layer: usize,
    path: Arc<str>,
    is_hard_link: bool,
}

impl Overlay {
    /// No layers yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Puts the next layer on top.
    pub fn apply(&mut self, layer: usize, tree: &LayerTree) {
        let own: PathMap<()> = tree.hard_links.iter().map(|(_, target)| (path_hash(target), ())).collect();
        let own = self.hide_replaced(tree, own);
        for path in &tree.whiteouts {
            let path = self.resolve_directory_of(path);
            self.remove(&path);
        }
        for directory in &tree.opaque {
            let directory = self.resolve(directory);
            self.remove_below(&directory);
        }
        for (path, target) in &tree.symlinks {
            let path = self.resolve_directory_of(path);
            self.insert_symlink(&path, target);
        }
        for file in &tree.files {
            let path = self.resolve_directory_of(file);
            self.insert_file(&path, Source { layer, path: file.as_str().into(), is_hard_link: false });
        }
        for (path, target) in &tree.hard_links {
            let in_this_layer = own.contains_key(&path_hash(target));
            let path = self.resolve_directory_of(path);
            self.link(&path, target, layer, in_this_layer);
        }
        for &hash in &tree.non_directories {
            self.layers.insert(hash, layer);
        }
    }

    /// The visible files, by path. A hard link appears under its own path with the layer and path of its target.
    pub fn visible(&self) -> impl Iterator<Item = Visible<'_>> {
        self.files.iter().map(|(path, source)| Visible {
            path,
            layer: source.layer,
            at: &source.path,
            is_hard_link: source.is_hard_link,
        })
    }

    /// The visible file at a path.
    #[must_use]
    pub fn at(&self, path: &str) -> Option<Visible<'_>> {
        let (path, source) = self.files.get_key_value(path)?;
        Some(Visible { path, layer: source.layer, at: &source.path, is_hard_link: source.is_hard_link })
    }

    /// The symbolic links that are visible, by path, with their targets as written.
    pub fn symlinks(&self) -> impl Iterator<Item = (&str, &str)> {
        self.symlinks.iter().map(|(path, target)| (&**path, &**target))
    }

    /// Where a path of the image's view leads when symbolic links are followed, as far as they are known. A loop ends
    /// where it began.
    #[must_use]
    pub fn resolve(&self, path: &str) -> String {
        let mut links = MOST_LINKS;
        let mut resolved = String::new();
        // What is still to be walked, the next component last.
        let mut pending: Vec<&str> = path.rsplit('/').collect();
        let mut steps = MOST_STEPS;
        while let Some(component) = pending.pop() {
            if steps == 0 {
                return path.to_owned();
            }
            steps -= 1;
            path::append(component, &mut resolved);
            let Some(target) = self.symlinks.get(resolved.as_str()) else { continue };
            if links == 0 {
                return path.to_owned();
            }
            links -= 1;
            if target.starts_with('/') {
                resolved.clear();
            } else {
                resolved.truncate(path::split(&resolved).0.len());
            }
            pending.extend(target.rsplit('/'));
        }
        resolved
    }

    /// The path with symbolic links followed in all but its last component.
    fn resolve_directory_of<'p>(&self, path: &'p str) -> std::borrow::Cow<'p, str> {
        let (directory, name) = path::split(path);
        if directory.is_empty()
            || !path::with_ancestors(directory).any(|directory| self.symlinks.contains_key(directory))
        {
            return path.into();
        }
        let mut resolved = self.resolve(directory);
        path::append(name, &mut resolved);
        resolved.into()
    }

    /// Removes what the layer's own entries replace. Says which of the hashes asked for the layer has itself.
    fn hide_replaced(&mut self, tree: &LayerTree, asked: PathMap<()>) -> PathMap<()> {
        let mut found = PathMap::default();
        for hash in &tree.non_directories {
            if asked.contains_key(hash) {
                found.insert(*hash, ());
            }
            if let Some((path, length)) = self.known.get(hash).cloned() {
                self.remove(path.get(..length).unwrap_or_default());
            }
        }
        for hash in &tree.directories {
            if let Some(path) = self.known.get(hash).and_then(|(path, length)| path.get(..*length)) {
                self.files.remove(path);
                self.symlinks.remove(path);
            }
        }
        found
    }

    fn remove(&mut self, path: &str) {
        self.files.remove(path);
        self.symlinks.remove(path);
        self.remove_below(path);
    }

    fn remove_below(&mut self, directory: &str) {
        if directory.is_empty() {
            self.files.clear();
            self.symlinks.clear();
            return;
        }
        remove_below(&mut self.files, directory);
        remove_below(&mut self.symlinks, directory);
    }

    fn insert_file(&mut self, path: &str, source: Source) {
        let path = self.make_way(path);
        self.files.insert(path, source);
    }

    fn insert_symlink(&mut self, path: &str, target: &str) {
        let path = self.make_way(path);
        self.symlinks.insert(path, target.into());
    }

    /// Removes what lies at a path, and files where the path has directories; makes the path known.
    fn make_way(&mut self, path: &str) -> Arc<str> {
        self.remove(path);
        let path: Arc<str> = path.into();
        for ancestor in path::with_ancestors(&path).skip(1) {
            self.files.remove(ancestor);
        }
        for ancestor in path::with_ancestors(&path) {
            if self.known.insert(path_hash(ancestor), (path.clone(), ancestor.len())).is_some() {
                break; // what lies above a known path is known
            }
        }
        path
    }

    /// Makes `path` another name of `target`, which may lie in this layer, in a lower one or nowhere.
    fn link(&mut self, path: &str, target: &str, layer: usize, in_this_layer: bool) {
        let resolved = self.resolve_directory_of(target);
        let source = if let Some(source) = self.files.get(&*resolved) {
            Some(Source { is_hard_link: true, ..source.clone() })
        } else if let Some(link) = self.symlinks.get(&*resolved).cloned() {
            // A hard link to a symbolic link is the same symbolic link.
            self.insert_symlink(path, &link);
            return;
        } else if in_this_layer {
            Some(Source { layer, path: target.into(), is_hard_link: true })
        } else {
            let below = self.layers.get(&path_hash(&resolved)).copied();
            below.map(|layer| Source { layer, path: (*resolved).into(), is_hard_link: true })
        };
        self.remove(path);
        if let Some(source) = source {
            self.insert_file(path, source);
        }
    }
}

/// Removes the keys that begin with `directory/`.
fn remove_below<V>(map: &mut BTreeMap<Arc<str>, V>, directory: &str) {
    let first = format!("{directory}/");
    let below: Vec<Arc<str>> = map
        .range::<str, _>((Bound::Included(first.as_str()), Bound::Unbounded))
        .map(|(path, _)| path.clone())
        .take_while(|path| path.starts_with(&first))
        .collect();
    for path in below {
        map.remove(&path);
    }
}

/// The hash of a normalised path in [`LayerTree`]. The same within one build of this program, not between releases: what
/// is stored with it must carry the program's version.
#[must_use]
pub fn path_hash(path: &str) -> u64 {
    // SipHash with fixed keys: nobody can write a path that collides with a given one on purpose.
    let mut hasher = DefaultHasher::new();
    hasher.write(path.as_bytes());
    hasher.finish()
}

/// A map by [`path_hash`], which is not hashed once more.
pub(super) type PathMap<V> = HashMap<u64, V, BuildHasherDefault<Unhashed>>;

#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Unhashed(u64);

impl Hasher for Unhashed {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(byte);
        }
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }
}

#[cfg(test)]
mod tests;
