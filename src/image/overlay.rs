//! Layers put on top of each other.

use super::LayerTree;

/// The files that extractors wanted, as seen from the top of the layers applied so far.
#[derive(Debug, Default)]
pub struct Overlay {}

impl Overlay {
    /// No layers yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Puts the next layer on top.
    pub fn apply(&mut self, _layer: usize, _tree: &LayerTree) {}

    /// The visible files: (path in the image's view, layer that it comes from, its path in that layer). A hard link
    /// appears under its own path with the layer and path of its target.
    pub fn visible(&self) -> impl Iterator<Item = (&str, usize, &str)> {
        std::iter::empty()
    }
}

/// The hash of a normalised path in [`LayerTree`].
#[must_use]
pub fn path_hash(_path: &str) -> u64 {
    0
}
