//! One layer's files, shown to the extractors.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::Hash;
use std::io::BufRead;
use std::panic::{self, AssertUnwindSafe};
use std::sync::atomic::{AtomicUsize, Ordering};

use super::extractor::rpm::WithLog;
use super::extractor::{ExtractError, Extractor, File, extractor_for};
use super::fact::{Fact, FileFacts, SqliteLog};
use crate::image::overlay::path_hash;
use crate::image::{Content, Entry, Image, LayerError, LayerTree, NoProgress, Progress, Visitor};
use crate::model::{Code, Gap, GapKind, Limits};

/// What the walk over one layer brought.
#[derive(Debug, Default)]
pub(super) struct LayerFacts {
    /// Its shape.
    pub(super) tree: LayerTree,
    /// What its files say, by path. Files that say nothing are here too: they were read.
    pub(super) files: HashMap<String, FileFacts>,
    /// Why it was not read to its end.
    pub(super) gap: Option<Gap>,
}

/// Takes so many bytes of those that all may take, if they are left.
fn fits(held: &AtomicUsize, size: usize, most: usize) -> bool {
    let within = |held: usize| held.checked_add(size).filter(|held| *held <= most);
    held.fetch_update(Ordering::Relaxed, Ordering::Relaxed, within).is_ok()
}

/// Leaves out what files say that were read once more, where it does not fit into what `most` bytes hold of all layers, and
/// says so.
pub(super) fn bound_files<K: Eq + Hash>(
    files: HashMap<K, FileFacts>,
    held: &AtomicUsize,
    most: usize,
) -> HashMap<K, FileFacts> {
    let bound = |facts: FileFacts| match fits(held, NAME + facts.weight(), most) {
        true => facts,
        false => too_much(),
    };
    files.into_iter().map(|(key, facts)| (key, bound(facts))).collect()
}

/// What a file says for which there is no room.
fn too_much() -> FileFacts {
    let reason = "the files of this image say more than is held; what this one says was left out".to_owned();
    FileFacts { facts: Vec::new(), trouble: Some((GapKind::LimitMet, reason)) }
}

/// Bytes around a name that is kept.
const NAME: usize = 64;
/// Bytes that the facts of one layer may take. Those of the largest real ones take a tenth.
const MOST_FACTS: usize = 128 << 20;

/// Paths in one layer whose content is wanted under other, visible paths, because hard links lead there.
pub(super) type Targets = BTreeMap<String, BTreeSet<String>>;

impl LayerFacts {
    /// Leaves out databases' logs once those of all layers hold more than `most` bytes, and says so.
    pub(super) fn bound_logs(&mut self, held: &AtomicUsize, most: usize) {
        for fact in self.files.values_mut().flat_map(|file| &mut file.facts) {
            let Fact::SqliteLog(log) = fact else { continue };
            let size = log.page_size.saturating_mul(log.content.len());
            if held.fetch_add(size, Ordering::Relaxed).saturating_add(size) > most {
                *fact = Fact::LimitMet("logs of databases hold too much; the changes in it were not read".to_owned());
            }
        }
    }

    /// Leaves out everything if it does not fit into what `most` bytes hold of all layers, and says so.
    pub(super) fn bound(self, image: &Image, index: usize, held: &AtomicUsize, most: usize) -> Self {
        let tree = &self.tree;
        let links = tree.hard_links.iter().chain(&tree.symlinks).map(|(path, target)| path.len() + target.len());
        let names = tree.files.iter().chain(&tree.whiteouts).chain(&tree.opaque).map(String::len).chain(links);
        let hashes = size_of_val(&tree.non_directories[..]) + size_of_val(&tree.directories[..]);
        let size = names.map(|length| length + NAME).sum::<usize>()
            + hashes
            + self.files.values().map(|file| NAME + file.weight()).sum::<usize>();
        if fits(held, size, most) {
            return self;
        }
        let reason = format!("the layers say more than {} MiB hold; this one was left out", most >> 20);
        Self {
            gap: Some(Gap::new(GapKind::LimitMet, subject(image, index), reason).in_layer(index)),
            ..Self::default()
        }
    }
}

/// What files say under the paths of hard links, by (layer, target, visible path).
pub(super) type LinkedFacts = HashMap<(usize, String, String), FileFacts>;

/// A layer and a path in it.
pub(super) type Place = (usize, String);

/// Databases in one layer, by path, and the logs that some view of the image has beside them.
pub(super) type Logs<'a> = BTreeMap<String, Vec<(Place, &'a SqliteLog)>>;

/// What a second walk brought.
#[derive(Debug, Default)]
pub(super) struct Reread {
    pub(super) linked: LinkedFacts,
    /// What databases say once a log is applied, by the places of the database and of the log.
    pub(super) replayed: HashMap<(Place, Place), FileFacts>,
}

/// Walks a layer. A layer that breaks off leaves what was read until then, and a gap; of a layer that is not what its
/// digest promises nothing is left.
pub(super) fn read(image: &Image, index: usize, limits: &Limits, progress: &dyn Progress) -> LayerFacts {
    let mut collector = Collector { limits, files: HashMap::new(), left: MOST_FACTS, buffer: Vec::new() };
    match image.walk_layer(index, &mut collector, limits, progress) {
        Ok(tree) => LayerFacts { tree, files: collector.files, gap: None },
        Err(error) => {
            let gap = Gap::new(error.gap_kind(), subject(image, index), error.to_string()).in_layer(index);
            let is_other = error.diagnosis().code == Code::DigestMismatch;
            let files = if is_other { HashMap::new() } else { collector.files };
            LayerFacts { tree: tree_of(&files), files, gap: Some(gap) }
        }
    }
}

/// What people know a layer by.
fn subject(image: &Image, index: usize) -> String {
    let digest = image.layers.get(index).and_then(|layer| layer.digest.as_ref().or(layer.diff_id.as_ref()));
    digest.map_or_else(|| format!("layer {index}"), ToString::to_string)
}

/// What is known of the shape of a layer that broke off.
fn tree_of(files: &HashMap<String, FileFacts>) -> LayerTree {
    let mut paths: Vec<String> = files.keys().cloned().collect();
    paths.sort_unstable();
    LayerTree {
        non_directories: paths.iter().map(|path| path_hash(path)).collect(),
        files: paths,
        ..LayerTree::default()
    }
}

/// Walks a layer once more for files that hard links make visible under paths that extractors want.
pub(super) fn read_targets(image: &Image, index: usize, targets: &Targets, limits: &Limits) -> LinkedFacts {
    let left = limits.file_size.saturating_mul(LINKED_FILES);
    let mut found = LinkedFacts::new();
    let mut collector = TargetCollector {
        layer: index,
        targets: Targets::new(),
        limits,
        left,
        facts_left: MOST_FACTS,
        files: LinkedFacts::new(),
        content: Vec::new(),
    };
    // A target may be a hard link itself, which nobody wanted: then it is read where that one leads.
    let mut asked: Vec<(&str, &str, String)> =
        targets.iter().flat_map(|(at, paths)| paths.iter().map(|path| (&**at, &**path, at.clone()))).collect();
    for _ in 0..MOST_LINKS {
        collector.targets = Targets::new();
        for (_, path, at) in &asked {
            collector.targets.entry(at.clone()).or_default().insert((*path).to_owned());
        }
        let links: HashMap<String, String> = match image.walk_layer(index, &mut collector, limits, &NoProgress) {
            Ok(tree) => tree.hard_links.into_iter().collect(),
            Err(error) => {
                // What came was not verified, and no other gap says so: the first walk has reached its end.
                let all = asked.iter().map(|(at, path, _)| key(index, at, path));
                found.extend(all.map(|key| (key, not_read(&error))));
                return found;
            }
        };
        let mut further = Vec::new();
        for (first, path, at) in asked {
            let target = links.get(&at);
            match (collector.files.remove(&key(index, &at, path)), target) {
                (Some(facts), _) => drop(found.insert(key(index, first, path), facts)),
                (None, Some(target)) => further.push((first, path, target.clone())),
                (None, None) => drop(found.insert(key(index, first, path), not_there(&at))),
            }
        }
        asked = further;
        if asked.is_empty() {
            return found;
        }
    }
    found.extend(asked.into_iter().map(|(first, path, at)| (key(index, first, path), not_there(&at))));
    found
}

/// Hard links to hard links that are followed, each for the price of one walk.
const MOST_LINKS: usize = 4;

fn key(layer: usize, at: &str, path: &str) -> (usize, String, String) {
    (layer, at.to_owned(), path.to_owned())
}

/// Walks a layer once more for databases to which logs are to be applied.
pub(super) fn read_with_logs(
    image: &Image,
    index: usize,
    logs: &Logs<'_>,
    limits: &Limits,
) -> HashMap<(Place, Place), FileFacts> {
    let mut collector = LogCollector { layer: index, logs, limits, files: HashMap::new(), content: Vec::new() };
    let Err(error) = image.walk_layer(index, &mut collector, limits, &NoProgress) else { return collector.files };
    let all = logs.iter().flat_map(|(path, logs)| logs.iter().map(move |(log, _)| (path, log)));
    all.map(|(database, log)| (((index, database.clone()), log.clone()), not_read(&error))).collect()
}

/// What a hard link says that leads to nothing that can be read.
fn not_there(target: &str) -> FileFacts {
    let reason = format!("it is a hard link to `{target}`, which is no file of its layer");
    FileFacts { facts: Vec::new(), trouble: Some((GapKind::UnreadableFile, reason)) }
}

/// What a file says whose layer was not read to its end the second time. The first walk may have been spared by the
/// cache, so that nobody has said it yet.
fn not_read(error: &LayerError) -> FileFacts {
    FileFacts { facts: Vec::new(), trouble: Some((error.gap_kind(), format!("reading its layer again: {error}"))) }
}

struct Collector<'l> {
    limits: &'l Limits,
    files: HashMap<String, FileFacts>,
    /// Bytes that facts may still take.
    left: usize,
    buffer: Vec<u8>,
}

impl Visitor for Collector<'_> {
    fn wants(&mut self, entry: &Entry<'_>) -> bool {
        extractor_for(entry).is_some()
    }

    fn file(&mut self, entry: &Entry<'_>, content: &mut Content<'_>) {
        let Some(extractor) = extractor_for(entry) else { return };
        let facts = facts_of(extractor, entry, content, &mut self.buffer, self.limits);
        let facts = within(facts, &mut self.left);
        self.files.insert(entry.path.to_owned(), facts);
    }
}

/// What files under all paths that hard links give them may take of one layer, in files of the largest size.
const LINKED_FILES: u64 = 4;

struct TargetCollector<'l> {
    layer: usize,
    targets: Targets,
    limits: &'l Limits,
    /// Bytes that extractors may still be shown.
    left: u64,
    /// Bytes that facts may still take.
    facts_left: usize,
    files: LinkedFacts,
    content: Vec<u8>,
}

impl Visitor for TargetCollector<'_> {
    fn wants(&mut self, entry: &Entry<'_>) -> bool {
        self.targets.contains_key(entry.path)
    }

    fn file(&mut self, entry: &Entry<'_>, content: &mut Content<'_>) {
        let Some(paths) = self.targets.get(entry.path) else { return };
        // For several extractors it is held; for one, as a rule the only one, it is read as it comes.
        let (is_one, is_small) = (paths.len() == 1, entry.size <= self.limits.file_size);
        let is_read = is_small && (is_one || content.read_all(&mut self.content).is_ok());
        for path in paths {
            let entry_there = Entry { path, ..*entry };
            let Some(extractor) = extractor_for(&entry_there) else { continue };
            let left = self.left.checked_sub(entry.size);
            self.left = left.unwrap_or(0);
            let facts = if left.is_none() {
                let reason = "too much is hard-linked in this layer".to_owned();
                FileFacts { facts: Vec::new(), trouble: Some((GapKind::LimitMet, reason)) }
            } else if is_read && is_one {
                facts_of(extractor, &entry_there, content, &mut Vec::new(), self.limits)
            } else if is_read {
                facts_of(extractor, &entry_there, &mut self.content.as_slice(), &mut Vec::new(), self.limits)
            } else {
                let reason = "the file that the hard link leads to could not be read".to_owned();
                FileFacts { facts: Vec::new(), trouble: Some((GapKind::UnreadableFile, reason)) }
            };
            let facts = within(facts, &mut self.facts_left);
            self.files.insert(key(self.layer, entry.path, path), facts);
        }
    }
}

struct LogCollector<'l> {
    layer: usize,
    logs: &'l Logs<'l>,
    limits: &'l Limits,
    files: HashMap<(Place, Place), FileFacts>,
    content: Vec<u8>,
}

impl Visitor for LogCollector<'_> {
    fn wants(&mut self, entry: &Entry<'_>) -> bool {
        self.logs.contains_key(entry.path) && entry.size <= self.limits.file_size
    }

    fn file(&mut self, entry: &Entry<'_>, content: &mut Content<'_>) {
        let Some(logs) = self.logs.get(entry.path) else { return };
        let mut insert = |log: &Place, facts| {
            self.files.insert(((self.layer, entry.path.to_owned()), log.clone()), facts);
        };
        if let [(log, changes)] = &logs[..] {
            return insert(log, facts_of(&WithLog(changes), entry, content, &mut Vec::new(), self.limits));
        }
        if content.read_all(&mut self.content).is_err() {
            return;
        }
        for (log, changes) in logs {
            let mut content = self.content.as_slice();
            insert(log, facts_of(&WithLog(changes), entry, &mut content, &mut Vec::new(), self.limits));
        }
    }
}

/// The facts of one more file, or that there is no room for them.
fn within(facts: FileFacts, left: &mut usize) -> FileFacts {
    match left.checked_sub(facts.weight()) {
        Some(rest) => {
            *left = rest;
            facts
        }
        None => too_much(),
    }
}

/// Runs an extractor; its failures become part of the result, its panics too.
fn facts_of(
    extractor: &dyn Extractor,
    entry: &Entry<'_>,
    content: &mut dyn BufRead,
    buffer: &mut Vec<u8>,
    limits: &Limits,
) -> FileFacts {
    let mut file = File::new(entry.path, entry.size, limits, content, buffer);
    // Nothing that a panic leaves half-done is used afterwards: the file is skipped, the buffer is cleared.
    let outcome = panic::catch_unwind(AssertUnwindSafe(|| extractor.extract(&mut file)));
    let trouble = match outcome {
        Ok(Ok(facts)) => return FileFacts { facts, trouble: None },
        Ok(Err(error @ (ExtractError::TooLarge { .. } | ExtractError::LimitMet(_)))) => {
            (GapKind::LimitMet, error.to_string())
        }
        Ok(Err(error)) => (GapKind::UnreadableFile, error.to_string()),
        Err(panic) => {
            let said = panic.downcast_ref::<String>().map(String::as_str).or(panic.downcast_ref::<&str>().copied());
            let reason = format!("extractor `{}` failed: {}", extractor.name(), said.unwrap_or("it panicked"));
            (GapKind::ExtractorFailed, reason)
        }
    };
    FileFacts { facts: Vec::new(), trouble: Some(trouble) }
}

#[cfg(test)]
mod tests {
    use super::super::fact::Fact;
    use super::*;

    struct Panics;

    impl Extractor for Panics {
        fn name(&self) -> &'static str {
            "panics"
        }

        fn claims(&self) -> &'static [&'static str] {
            &["nothing"]
        }

        fn wants(&self, _: &Entry<'_>) -> bool {
            true
        }

        fn extract(&self, file: &mut File<'_>) -> Result<Vec<Fact>, ExtractError> {
            let first = file.whole()?.first().copied().unwrap_or_default();
            assert_eq!(first, b'x', "an unexpected byte");
            Ok(Vec::new())
        }
    }

    #[test]
    fn failures_become_part_of_the_result() {
        let limits = Limits { file_size: 4, ..Limits::default() };
        for (content, size, expected) in [
            (&b"xyz"[..], 3, None),
            (b"abc", 3, Some(GapKind::ExtractorFailed)),
            (b"xyzuvw", 6, Some(GapKind::LimitMet)),
            (b"xy", 3, Some(GapKind::UnreadableFile)),
        ] {
            let entry = Entry { path: "f", size, mode: 0 };
            let found = facts_of(&Panics, &entry, &mut &*content, &mut Vec::new(), &limits);
            assert_eq!(found.trouble.map(|(kind, _)| kind), expected, "{content:?}");
        }
    }
}
