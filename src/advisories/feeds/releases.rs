//! Which releases of a distribution a build asks its upstream about: those that are wanted; else those that a folder of feeds
//! holds; else those that endoflife.date lists as supported, with those that were known when this was written, so that
//! neither a new release nor that site being away loses one.

use std::collections::BTreeSet;

use crate::advisories::Fetch;
use crate::model::ShardName;

use super::endoflife;

/// A distribution whose files are in a folder per release.
pub(super) struct Family {
    /// The folder of the common layout that holds the folders of the releases.
    pub(super) folder: &'static str,
    /// What shards begin with: `rocky`.
    pub(super) id: &'static str,
    /// The name of the product at endoflife.date.
    pub(super) product: &'static str,
    /// Asked for in any case.
    pub(super) known: &'static [&'static str],
}

impl Family {
    /// The releases, by name.
    pub(super) fn releases(&self, fetch: &dyn Fetch, wanted: Option<&BTreeSet<ShardName>>) -> BTreeSet<String> {
        let mut releases: BTreeSet<String> = match (wanted, fetch.list(self.folder)) {
            (Some(wanted), _) => wanted.iter().filter_map(|shard| self.release(shard)).map(str::to_owned).collect(),
            (None, Some(listed)) => listed.into_iter().collect(),
            (None, None) => {
                let supported = endoflife::supported(self.product, fetch).into_iter().map(|listed| listed.version);
                supported.chain(self.known.iter().map(|known| (*known).to_owned())).collect()
            }
        };
        // They become parts of addresses, and come from a site or an image.
        releases.retain(|release| is_plain(release));
        releases
    }

    fn release<'a>(&self, shard: &'a ShardName) -> Option<&'a str> {
        shard.as_str().strip_prefix(self.id)?.strip_prefix('-')
    }
}

/// `9`, `24.04`.
fn is_plain(release: &str) -> bool {
    let is_digits = |part: &str| !part.is_empty() && part.len() <= 4 && part.bytes().all(|byte| byte.is_ascii_digit());
    release.split('.').count() <= 2 && release.split('.').all(is_digits)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::advisories::feeds::samples::Files;
    use crate::advisories::{Folder, feeds::samples};

    const FAMILY: Family = Family { folder: "rocky", id: "rocky", product: "rocky-linux", known: &["8", "9"] };

    fn names(releases: BTreeSet<String>) -> Vec<String> {
        releases.into_iter().collect()
    }

    #[test]
    fn new_releases_are_learnt() {
        let listed = r#"[{"cycle":"11","eol":"2999-01-01"},{"cycle":"7","eol":"2020-01-01"},{"cycle":"6","eol":true},
            {"cycle":"12","eol":false},{"cycle":"5","eol":"2020-01-01","extendedSupport":"2999-01-01"},
            {"cycle":"4","eol":"2020-01-01","extendedSupport":false},{"cycle":"../x","eol":false},{"cycle":7}]"#;
        let path = "endoflife/api/rocky-linux.json";
        assert_eq!(names(FAMILY.releases(&Files(&[(path, listed)]), None)), ["11", "12", "5", "8", "9"]);
        for nothing in ["", "{", "[]", "[[[["] {
            assert_eq!(names(FAMILY.releases(&Files(&[(path, nothing)]), None)), ["8", "9"], "{nothing}");
        }
        // What an image has is asked for, whether anybody has heard of it or not.
        let wanted = ["rocky-13", "rocky-", "rocky-x", "rockyx-9", "debian-12"].iter().map(ShardName::new).collect();
        assert_eq!(names(FAMILY.releases(&Files(&[]), Some(&wanted))), ["13"]);
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(folder.path().join("rocky/14")).unwrap();
        std::fs::create_dir_all(folder.path().join("rocky/notes")).unwrap();
        assert_eq!(names(FAMILY.releases(&Folder::new(folder.path()), None)), ["14"]);
    }

    #[test]
    fn the_real_list_is_read() {
        let Some(list) = samples::shared("endoflife/api/ubuntu.json") else { return };
        let list = String::from_utf8(list).unwrap();
        let found = endoflife::supported("ubuntu", &Files(&[("endoflife/api/ubuntu.json", &list)]));
        assert!(
            found.iter().any(|one| one.version == "24.04" && one.codename.as_deref() == Some("noble")),
            "{found:?}"
        );
        assert!(!found.iter().any(|one| one.version == "4.10"), "{found:?}");
    }
}
