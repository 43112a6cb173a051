//! From the files of an image to its packages.
//!
//! `collect` walks the layers, shows wanted files to the extractors of [`EXTRACTORS`] and keeps what they say as
//! [`Fact`]s per layer; `merge` lays the layers over each other and makes packages of what is visible. Facts depend on
//! nothing but a file's path and bytes, so they are the same in any order and on any machine.

mod collect;
mod extractor;
mod extractors;
mod merge;
mod ownership;
mod vendor;

pub use extractor::{EXTRACTORS, ExtractError, Extractor, Fact, InstalledFiles};
pub use merge::coverage_table;

use crate::image::{Image, Progress};
use crate::model::{Inventory, Limits};

/// Reads an image: all layers, as many at a time as there are cores, the largest first. What cannot be read is a
/// [`crate::model::Gap`] of the inventory.
#[must_use]
pub fn take(image: &Image, limits: &Limits, progress: &dyn Progress) -> Inventory {
    let layers = collect::collect(image, limits, progress);
    merge::merge(image, layers)
}

/// Whether a path is a package database of a distribution: one that cannot be read hides packages.
#[must_use]
pub fn is_package_database(path: &str) -> bool {
    let entry = crate::image::Entry { path, size: 1, mode: 0o644 };
    EXTRACTORS.iter().any(|extractor| extractor.is_package_database() && extractor.wants(&entry))
}
