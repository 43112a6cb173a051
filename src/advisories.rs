//! Advisories: from the upstreams' feeds to an index that a scan asks, package by package.
//!
//! `feeds` turn bytes into records, `build` gathers them into shards, `index` is the file format of a shard, and
//! [`Database`] is what a scan opens; `delivery` brings databases from registries and files into the [`Cache`]. `docs/database.md` specifies the format.

mod build;
mod cache;
mod catalogue;
mod compressed;
mod database;
pub mod delivery;
mod feed;
mod feeds;
mod fetch;
mod index;
mod parallel;
mod signature;
mod tarball;
mod text;
mod vector;
mod xml;
mod zip;

pub use build::{BuildError, BuildOptions, BuildReport, ShardSize, SourceReport, build};
pub use cache::{Cache, Collected};
pub use database::{Database, DatabaseError, Shard, ShardStatus};
pub use feed::{FEEDS, Feed, FeedError, Sink, address, base_variable};
pub use fetch::{Fetch, FetchError, Folder, Outdated};
pub use signature::{PublicKeys, SignatureError, SigningKey, Trust};

use crate::model::PackageKind;

/// The name under which a package's advisories are kept: names that an ecosystem takes for the same are the same.
#[must_use]
pub fn lookup_key(kind: PackageKind, name: &str) -> String {
    match kind {
        PackageKind::Pypi => python_name(name),
        PackageKind::Nuget | PackageKind::Composer => name.to_ascii_lowercase(),
        _ => name.to_owned(),
    }
}

/// PEP 503: lower case, runs of `-`, `_` and `.` are one `-`.
fn python_name(name: &str) -> String {
    let mut normal = String::with_capacity(name.len());
    for c in name.chars() {
        if matches!(c, '-' | '_' | '.') {
            if !normal.ends_with('-') {
                normal.push('-');
            }
        } else {
            normal.push(c.to_ascii_lowercase());
        }
    }
    normal
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_normalised_per_ecosystem() {
        for (kind, name, key) in [
            (PackageKind::Pypi, "Flask__Login.x", "flask-login-x"),
            (PackageKind::Nuget, "Newtonsoft.Json", "newtonsoft.json"),
            (PackageKind::Npm, "@Babel/core", "@Babel/core"),
        ] {
            assert_eq!(lookup_key(kind, name), key, "{kind:?} {name}");
        }
    }
}
