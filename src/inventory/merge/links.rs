//! What hard links show: whether the facts of a file hold under another name of it, and which files have to be read once
//! more because they do not.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::sync::LazyLock;

use super::super::extractor::extractor_for;
use super::super::fact::FileFacts;
use super::super::layer::{LayerFacts, Reread, Targets};
use crate::image::overlay::{Visible, path_hash};
use crate::image::{Entry, Overlay};
use crate::model::GapKind;

/// Bytes that facts may take which are seen under other names too, once for each: one small file can have very many.
const MOST_LINKED: usize = 64 << 20;

static TOO_MUCH: LazyLock<FileFacts> = LazyLock::new(|| {
    let reason = "too much is seen through hard links; this one was left out".to_owned();
    FileFacts { facts: Vec::new(), trouble: Some((GapKind::LimitMet, reason)) }
});

/// Whether what was read of a file in its layer holds where it is visible: the path decides what reads a file, and with
/// some extractors what they say.
fn is_alike(file: Visible<'_>, facts: &FileFacts) -> bool {
    let Visible { path, at, is_hard_link, .. } = file;
    if !is_hard_link || path == at {
        return true;
    }
    // By its mode, what was read under the one name would be under the other.
    let extractor = |path| extractor_for(&Entry { path, size: 0, mode: 0o755 });
    match (extractor(path), extractor(at)) {
        (Some(own), Some(of_target)) => own.name() == of_target.name() && own.reads_alike(path, at, &facts.facts),
        _ => false,
    }
}

/// The targets of hard links that are visible under a path which extractors want, and whose facts do not hold there, by
/// layer. Also those that only lower layers show: they tell since when a package is there.
pub(in crate::inventory) fn missing_targets(layers: &[LayerFacts]) -> BTreeMap<usize, Targets> {
    let known = Known::default();
    let mut missing: BTreeMap<usize, Targets> = BTreeMap::new();
    if layers.iter().all(|layer| layer.tree.hard_links.is_empty()) {
        return missing;
    }
    let mut overlay = Overlay::new();
    for (index, layer) in layers.iter().enumerate() {
        overlay.apply(index, &layer.tree);
        for file in overlay.visible() {
            let Visible { path, layer: source, at, .. } = file;
            let Some(layer) = layers.get(source) else { continue };
            if !layer.files.get(at).is_some_and(|facts| known.is_alike(file, facts)) {
                missing.entry(source).or_default().entry(at.to_owned()).or_default().insert(path.to_owned());
            }
        }
    }
    missing
}

/// The hard links that were asked about, by layer and paths: each layer above shows them again.
#[derive(Debug, Default)]
pub(super) struct Known(RefCell<HashMap<(usize, u64, u64), bool>>);

impl Known {
    fn is_alike(&self, file: Visible<'_>, facts: &FileFacts) -> bool {
        if !file.is_hard_link {
            return true;
        }
        let key = (file.layer, path_hash(file.at), path_hash(file.path));
        *self.0.borrow_mut().entry(key).or_insert_with(|| is_alike(file, facts))
    }
}

/// What visible files say, asked for one after the other.
pub(super) struct Links<'f> {
    known: &'f Known,
    layers: &'f [LayerFacts],
    reread: &'f Reread,
    left: usize,
}

impl<'f> Links<'f> {
    pub(super) fn new(layers: &'f [LayerFacts], reread: &'f Reread, known: &'f Known) -> Self {
        Self { known, layers, reread, left: MOST_LINKED }
    }

    /// What a file says.
    pub(super) fn facts(&mut self, file: Visible<'_>) -> Option<&'f FileFacts> {
        let Visible { path, layer, at, is_hard_link } = file;
        let facts = self.layers.get(layer)?.files.get(at).filter(|facts| self.known.is_alike(file, facts));
        let facts = facts.or_else(|| self.reread.linked.get(&(layer, at.to_owned(), path.to_owned())))?;
        if !is_hard_link || facts.facts.is_empty() {
            return Some(facts);
        }
        // Weighing takes time too: once there was too much, it is.
        self.left = if self.left == 0 { 0 } else { self.left.saturating_sub(facts.weight()) };
        Some(if self.left == 0 { &TOO_MUCH } else { facts })
    }
}
