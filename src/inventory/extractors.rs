//! One file per source of packages.

pub(super) mod apk;
pub(super) mod apk_repositories;
mod berkeley;
pub(super) mod deb_files;
pub(super) mod dpkg;
mod executable;
pub(super) mod go_binary;
mod ndb;
pub(super) mod npm;
pub(super) mod os_release;
pub(super) mod python;
pub(super) mod rpm;
mod rpm_header;
pub(super) mod rust_binary;
mod sqlite;

/// Whether a path may be a language package's own metadata: only these are kept of the file lists of OS packages.
pub(super) fn is_language_metadata(path: &str) -> bool {
    path.ends_with("/package.json")
        || path.ends_with(".egg-info")
        || path.ends_with("/PKG-INFO")
        || path.ends_with(".dist-info/METADATA")
}
