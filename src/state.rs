//! The project's memory: inventories and verdicts by image configuration, and an index of tags, kept between pipelines.
//!
//! Where it lies is a [`Store`] of folders and files: the generic package registry of the project, or a directory. What
//! is written about an image is written once under a name of its own and never changed, except the index. That has no
//! compare-and-swap, so it is a set of *revisions*: every writer adds files with names of its own, a reader merges all that
//! it finds, and only who has stored the merger of revisions removes them. Nothing that was written is lost, whoever is
//! killed when. `docs/retest.md` describes the files.

mod directory;
mod memory;
mod merge;
mod overlay;
mod packages;
mod packing;
mod revisions;
mod store;

pub use directory::Directory;
pub use memory::{Finish, State, folder, inventory_file, verdict_file};
pub use merge::{day_counts, merge, retain};
pub use overlay::Overlay;
pub use packages::Packages;
pub use revisions::StateError;
pub use store::{Item, Store, StoreError};
