//! Walks the layers of an image and keeps what the extractors say.

use std::collections::{BTreeMap, HashMap};
use std::io::BufRead;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::image::{Content, Entry, Image, LayerError, LayerTree, NoProgress, Overlay, Progress, Visitor};
use crate::model::{Gap, GapKind, Limits};

use super::{EXTRACTORS, Extractor, Fact};

/// What was read of one layer.
#[derive(Debug, Default)]
pub(super) struct LayerFacts {
    /// How the layer changes the tree. Empty where the layer could not be read to its end.
    pub(super) tree: LayerTree,
    /// What each wanted file says, by its path in the layer.
    pub(super) facts: HashMap<String, Vec<Fact>>,
    /// What could not be read.
    pub(super) gaps: Vec<Gap>,
}

/// Reads all layers.
pub(super) fn collect(image: &Image, limits: &Limits, progress: &dyn Progress) -> Vec<LayerFacts> {
    let mut order: Vec<usize> = (0..image.layers.len()).collect();
    order.sort_by_key(|&index| std::cmp::Reverse(image.layers.get(index).map_or(0, |layer| layer.size)));
    let slots: Vec<Mutex<LayerFacts>> = order.iter().map(|_| Mutex::default()).collect();
    let next = AtomicUsize::new(0);
    let work = || {
        while let Some(&index) = order.get(next.fetch_add(1, Ordering::Relaxed)) {
            let facts = read_layer(image, index, limits, progress);
            if let Some(slot) = slots.get(index) {
                *slot.lock().unwrap_or_else(PoisonError::into_inner) = facts;
            }
        }
    };
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(order.len());
    std::thread::scope(|scope| {
        for _ in 1..threads {
            scope.spawn(work);
        }
        work();
    });
    let mut layers: Vec<LayerFacts> =
        slots.into_iter().map(|slot| slot.into_inner().unwrap_or_else(PoisonError::into_inner)).collect();
    read_hard_links(image, limits, &mut layers);
    layers
}

fn read_layer(image: &Image, index: usize, limits: &Limits, progress: &dyn Progress) -> LayerFacts {
    let mut files = Files { layer: index, limits, found: LayerFacts::default(), buffer: Vec::new() };
    let walked = image.walk_layer(index, &mut files, limits, progress);
    let mut found = files.found;
    match walked {
        Ok(tree) => {
            let unreadable =
                tree.unreadable.iter().map(|(path, reason)| Gap::new(GapKind::UnreadableFile, path, reason));
            found.gaps.extend(unreadable.map(|gap| gap.in_layer(index)));
            found.tree = tree;
        }
        Err(error) => {
            let digest =
                image.layers.get(index).and_then(|layer| layer.digest.as_ref()).map_or("", |digest| digest.as_str());
            let subject = format!("layer {} {digest}", index + 1);
            found.gaps.push(Gap::new(error.gap_kind(), subject.trim_end(), error.to_string()).in_layer(index));
            // Content with a wrong digest is somebody else's; of a damaged layer what came before the damage counts.
            if matches!(error, LayerError::Mismatch(_)) {
                found.facts.clear();
            }
            found.tree.files = found.facts.keys().cloned().collect();
            found.tree.files.sort_unstable();
        }
    }
    found
}

/// Shows the files of one layer to the extractors.
struct Files<'a> {
    layer: usize,
    limits: &'a Limits,
    found: LayerFacts,
    buffer: Vec<u8>,
}

impl Visitor for Files<'_> {
    fn wants(&mut self, entry: &Entry<'_>) -> bool {
        EXTRACTORS.iter().any(|extractor| extractor.wants(entry))
    }

    fn file(&mut self, entry: &Entry<'_>, content: &mut Content<'_>) {
        // A layer that breaks here is reported by the walk.
        let Ok(beginning) = content.fill_buf() else { return };
        if beginning.len() >= 16
            && !EXTRACTORS.iter().any(|extractor| extractor.wants(entry) && extractor.accepts(beginning))
        {
            return;
        }
        if let Some(gap) = read(entry, content, self.limits, &mut self.buffer) {
            self.found.gaps.push(gap.in_layer(self.layer));
            return;
        }
        let (facts, gaps) = extract(entry, &self.buffer);
        self.found.gaps.extend(gaps.into_iter().map(|gap| gap.in_layer(self.layer)));
        self.found.facts.insert(entry.path.to_owned(), facts);
    }
}

/// Fills the buffer with a file, or says why not.
fn read(entry: &Entry<'_>, content: &mut Content<'_>, limits: &Limits, buffer: &mut Vec<u8>) -> Option<Gap> {
    if entry.size > limits.file_size {
        let reason = format!("{} bytes are more than the limit of {} for one file", entry.size, limits.file_size);
        return Some(Gap::new(GapKind::LimitMet, entry.path, reason));
    }
    let error = content.read_all(buffer).err()?;
    Some(Gap::new(GapKind::UnreadableFile, entry.path, format!("the layer ends or breaks inside it: {error}")))
}

/// What the extractors say about one file. A failure of one costs the others nothing.
fn extract(entry: &Entry<'_>, content: &[u8]) -> (Vec<Fact>, Vec<Gap>) {
    let (mut facts, mut gaps) = (Vec::new(), Vec::new());
    for extractor in EXTRACTORS.iter().filter(|extractor| extractor.wants(entry) && extractor.accepts(content)) {
        match run(*extractor, entry.path, content) {
            Ok(found) => facts.extend(found),
            Err(gap) => gaps.push(gap),
        }
    }
    (facts, gaps)
}

/// Runs one extractor; a panic in it is a gap, not the end of the scan.
fn run(extractor: &dyn Extractor, path: &str, content: &[u8]) -> Result<Vec<Fact>, Gap> {
    match catch_unwind(AssertUnwindSafe(|| extractor.extract(path, content))) {
        Ok(Ok(facts)) => Ok(facts),
        Ok(Err(error)) => Err(Gap::new(GapKind::UnreadableFile, path, format!("{error} ({})", extractor.name()))),
        Err(_) => {
            Err(Gap::new(GapKind::ExtractorFailed, path, format!("the extractor `{}` failed on it", extractor.name())))
        }
    }
}

/// Reads, in a second walk over the layers concerned, the targets of visible hard links that nobody wanted under their
/// own name (package stores link their files into place).
fn read_hard_links(image: &Image, limits: &Limits, layers: &mut [LayerFacts]) {
    if layers.iter().all(|layer| layer.tree.hard_links.is_empty()) {
        return;
    }
    let mut overlay = Overlay::new();
    for (index, layer) in layers.iter().enumerate() {
        overlay.apply(index, &layer.tree);
    }
    let mut missing: BTreeMap<usize, HashMap<String, Vec<String>>> = BTreeMap::new();
    for (path, layer, source) in overlay.visible() {
        let known = layers.get(layer).is_some_and(|layer| {
            layer.facts.contains_key(source) || layer.gaps.iter().any(|gap| gap.subject == source)
        });
        if path != source && !known {
            missing.entry(layer).or_default().entry(source.to_owned()).or_default().push(path.to_owned());
        }
    }
    for (index, targets) in missing {
        let mut links = Links { targets, limits, found: Vec::new(), gaps: Vec::new(), buffer: Vec::new() };
        // The first walk has reported what is wrong with the layer.
        let _ = image.walk_layer(index, &mut links, limits, &NoProgress);
        if let Some(layer) = layers.get_mut(index) {
            layer.facts.extend(links.found);
            layer.gaps.extend(links.gaps.into_iter().map(|gap| gap.in_layer(index)));
        }
    }
}

/// Reads the targets of hard links as if they lay where the links are.
struct Links<'a> {
    targets: HashMap<String, Vec<String>>,
    limits: &'a Limits,
    found: Vec<(String, Vec<Fact>)>,
    gaps: Vec<Gap>,
    buffer: Vec<u8>,
}

impl Visitor for Links<'_> {
    fn wants(&mut self, entry: &Entry<'_>) -> bool {
        self.targets.contains_key(entry.path)
    }

    fn file(&mut self, entry: &Entry<'_>, content: &mut Content<'_>) {
        let Some(link) = self.targets.get(entry.path).and_then(|links| links.first()) else { return };
        let linked = Entry { path: link, ..*entry };
        if !EXTRACTORS.iter().any(|extractor| extractor.wants(&linked)) {
            return;
        }
        if let Some(gap) = read(&linked, content, self.limits, &mut self.buffer) {
            self.gaps.push(gap);
            return;
        }
        let (facts, gaps) = extract(&linked, &self.buffer);
        self.gaps.extend(gaps);
        self.found.push((entry.path.to_owned(), facts));
    }
}
