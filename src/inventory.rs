//! From the files of layers to an [`Inventory`]: which packages an image holds, in which layer each was introduced, and
//! what could not be read.
//!
//! Each layer is walked once, several at a time; an [`extractor::Extractor`] turns one file into [`fact::Fact`]s. What
//! the facts of all layers mean together is decided in one place, [`merge`]. Nothing here fails: what cannot be read is
//! a [`crate::model::Gap`].

pub mod bom;
mod bounded;
mod cache;
pub mod coverage;
pub mod extractor;
pub mod fact;
mod layer;
mod merge;
mod purl;

use std::num::NonZero;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

use crate::image::{Image, Progress};
use crate::model::{Inventory, Limits};
pub use cache::{LayerCache, revision};
pub use extractor::is_package_database;
use layer::{LayerFacts, LinkedFacts, Reread, Targets};

/// Takes the inventory of an image: walks all layers, the largest first, on as many threads as there are cores.
#[must_use]
pub fn take(image: &Image, limits: &Limits, progress: &dyn Progress) -> Inventory {
    take_cached(image, limits, progress, None)
}

/// The same, without reading layers that the `cache` knows.
#[must_use]
pub fn take_cached(image: &Image, limits: &Limits, progress: &dyn Progress, cache: Option<&LayerCache>) -> Inventory {
    if let Some(known) = cache.and_then(|cache| cache.image(image, limits)) {
        for (index, layer) in image.layers.iter().enumerate() {
            progress.read(index, layer.size);
        }
        return known;
    }
    let mut order: Vec<usize> = (0..image.layers.len()).collect();
    order.sort_by_key(|&index| std::cmp::Reverse(image.layers.get(index).map_or(0, |layer| layer.size)));
    let (logged, held) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let layers: Vec<LayerFacts> = in_parallel(&order, |index| {
        let mut facts = layer_facts(image, index, limits, progress, cache);
        facts.bound_logs(&logged, MOST_LOGGED);
        facts.bound(image, index, &held, MOST_FACTS)
    });

    // Hard links whose files say nothing, or something else, under their own names: their layers are walked once more.
    let missing = merge::missing_targets(&layers);
    let order: Vec<usize> = missing.keys().copied().collect();
    let linked = in_parallel(&order, |index| {
        let targets = missing.get(&index);
        let facts = targets.map(|targets| linked_facts(image, index, targets, limits, cache));
        layer::bound_files(facts.unwrap_or_default(), &held, MOST_FACTS)
    });
    let linked = linked.into_iter().flatten().collect();

    // Databases that have changes in a file beside them: theirs too.
    let logs = merge::logs(&layers);
    let order: Vec<usize> = logs.keys().copied().collect();
    let replayed = in_parallel(&order, |index| {
        let facts = logs.get(&index).map(|logs| layer::read_with_logs(image, index, logs, limits));
        layer::bound_files(facts.unwrap_or_default(), &held, MOST_FACTS)
    });
    let reread = Reread { linked, replayed: replayed.into_iter().flatten().collect() };
    extractor::give_back_memory();
    let merged = merge::merge(&layers, &reread);
    let inventory = Inventory {
        image: image.identity.clone(),
        distribution: merged.distribution,
        layers: image.layers.clone(),
        packages: merged.packages,
        gaps: merged.gaps,
        base: None,
    };
    if let Some(cache) = cache {
        cache.keep_image(image, limits, &inventory);
        cache.prune();
    }
    inventory
}

/// Bytes that the facts and the shapes of all layers may take. Those of the largest real images take a tenth.
const MOST_FACTS: usize = 256 << 20;
/// Bytes of databases' logs that are held in memory, of all layers together.
const MOST_LOGGED: usize = 256 << 20;

/// What a layer says, from the cache or from the layer.
fn layer_facts(
    image: &Image,
    index: usize,
    limits: &Limits,
    progress: &dyn Progress,
    cache: Option<&LayerCache>,
) -> LayerFacts {
    let Some((cache, digest)) = cache.zip(image.verified_digest(index)) else {
        return layer::read(image, index, limits, progress);
    };
    if let Some(known) = cache.layer(digest, limits) {
        progress.read(index, image.layers.get(index).map_or(0, |layer| layer.size));
        return known;
    }
    let facts = layer::read(image, index, limits, progress);
    cache.keep_layer(digest, limits, &facts);
    facts
}

/// The same for files that hard links lead to.
fn linked_facts(
    image: &Image,
    index: usize,
    targets: &Targets,
    limits: &Limits,
    cache: Option<&LayerCache>,
) -> LinkedFacts {
    let Some((cache, digest)) = cache.zip(image.verified_digest(index)) else {
        return layer::read_targets(image, index, targets, limits);
    };
    if let Some(known) = cache.linked(digest, limits, targets, index) {
        return known;
    }
    let facts = layer::read_targets(image, index, targets, limits);
    // Files that the walk did not come to would be missing for ever.
    let is_whole = targets
        .iter()
        .all(|(target, paths)| paths.iter().all(|path| facts.contains_key(&(index, target.clone(), path.clone()))));
    if is_whole && facts.values().all(|file| file.trouble.is_none()) {
        cache.keep_linked(digest, limits, targets, &facts);
    }
    facts
}

/// Does the work for each of `items`, which are taken in their order; the results come sorted by item.
fn in_parallel<T: Send>(items: &[usize], work: impl Fn(usize) -> T + Sync) -> Vec<T> {
    let threads = thread::available_parallelism().map_or(1, NonZero::get).min(items.len());
    if threads < 2 {
        let mut items = items.to_vec();
        items.sort_unstable();
        return items.into_iter().map(work).collect();
    }
    let next = AtomicUsize::new(0);
    let results = Mutex::new(Vec::with_capacity(items.len()));
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some(&item) = items.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let result = work(item);
                    results.lock().unwrap_or_else(PoisonError::into_inner).push((item, result));
                }
            });
        }
    });
    let mut results = results.into_inner().unwrap_or_else(PoisonError::into_inner);
    results.sort_by_key(|(item, _)| *item);
    results.into_iter().map(|(_, result)| result).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_come_in_the_order_of_the_items() {
        for count in [0, 1, 2, 37] {
            let items: Vec<usize> = (0..count).rev().collect();
            let expected: Vec<usize> = (0..count).map(|item| item * 2).collect();
            assert_eq!(in_parallel(&items, |item| item * 2), expected);
        }
    }
}
