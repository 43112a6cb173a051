//! Collects a [`LayerTree`] entry by entry.

use super::overlay::{PathMap, path_hash};
use super::{LayerError, LayerTree};

/// What all the names that are kept of one layer may take together. Real layers need a few MiB.
const MOST_TEXT: usize = 64 << 20;
/// Notes on unreadable files that are kept.
const MOST_NOTES: usize = 1000;
/// A note's path is cut to this many bytes.
const NOTE_PATH: usize = 512;

/// The tree of a layer that is being read.
#[derive(Default)]
pub(super) struct TreeBuilder {
    tree: LayerTree,
    /// Where the entry of a path was kept, by the path's hash.
    kept: PathMap<(List, usize)>,
    superseded: Vec<(List, usize)>,
    text: usize,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum List {
    Files,
    HardLinks,
    Symlinks,
}

impl TreeBuilder {
    pub(super) fn directory(&mut self, path: &str) {
        let hash = self.supersede(path);
        self.tree.directories.push(hash);
    }

    /// Something that is no directory and not kept.
    pub(super) fn other(&mut self, path: &str) {
        let hash = self.supersede(path);
        self.tree.non_directories.push(hash);
    }

    pub(super) fn file(&mut self, path: &str) -> Result<(), LayerError> {
        self.count(path.len())?;
        let hash = self.supersede(path);
        self.tree.non_directories.push(hash);
        self.kept.insert(hash, (List::Files, self.tree.files.len()));
        self.tree.files.push(path.to_owned());
        Ok(())
    }

    pub(super) fn hard_link(&mut self, path: &str, target: &str) -> Result<(), LayerError> {
        self.count(path.len() + target.len())?;
        let hash = self.supersede(path);
        self.tree.non_directories.push(hash);
        self.kept.insert(hash, (List::HardLinks, self.tree.hard_links.len()));
        self.tree.hard_links.push((path.to_owned(), target.to_owned()));
        Ok(())
    }

    pub(super) fn symlink(&mut self, path: &str, target: &str) -> Result<(), LayerError> {
        self.count(path.len() + target.len())?;
        let hash = self.supersede(path);
        self.tree.non_directories.push(hash);
        self.kept.insert(hash, (List::Symlinks, self.tree.symlinks.len()));
        self.tree.symlinks.push((path.to_owned(), target.to_owned()));
        Ok(())
    }

    pub(super) fn whiteout(&mut self, path: String) -> Result<(), LayerError> {
        self.count(path.len())?;
        self.tree.whiteouts.push(path);
        Ok(())
    }

    pub(super) fn opaque(&mut self, directory: &str) -> Result<(), LayerError> {
        self.count(directory.len())?;
        self.tree.opaque.push(directory.to_owned());
        Ok(())
    }

    pub(super) fn unreadable(&mut self, path: &str, reason: impl Into<String>) {
        if self.tree.unreadable.len() < MOST_NOTES {
            let path = path.get(..path.floor_char_boundary(NOTE_PATH)).unwrap_or(path);
            self.tree.unreadable.push((path.to_owned(), reason.into()));
        } else {
            self.tree.unreadable_more += 1;
        }
    }

    /// What was collected; entries that later ones of the same path replaced are left out.
    pub(super) fn finish(mut self) -> LayerTree {
        self.superseded.sort_unstable();
        let superseded = |wanted: List| {
            let mut indices =
                self.superseded.iter().filter(move |(list, _)| *list == wanted).map(|&(_, index)| index).peekable();
            let mut at = 0;
            move || {
                at += 1;
                indices.next_if_eq(&(at - 1)).is_some()
            }
        };
        let (mut files, mut hard_links, mut symlinks) =
            (superseded(List::Files), superseded(List::HardLinks), superseded(List::Symlinks));
        self.tree.files.retain(|_| !files());
        self.tree.hard_links.retain(|_| !hard_links());
        self.tree.symlinks.retain(|_| !symlinks());
        self.tree
    }

    fn supersede(&mut self, path: &str) -> u64 {
        let hash = path_hash(path);
        if let Some(old) = self.kept.remove(&hash) {
            self.superseded.push(old);
        }
        hash
    }

    fn count(&mut self, text: usize) -> Result<(), LayerError> {
        // The strings and vectors around the text count too.
        self.text += text + 64;
        if self.text > MOST_TEXT {
            return Err(LayerError::Limit { what: "length of all names in bytes", limit: MOST_TEXT as u64 });
        }
        Ok(())
    }
}
