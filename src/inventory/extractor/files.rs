//! The files that packages own, as hashes of their paths, as many as a database may name.

use std::borrow::Cow;

use super::Fact;
use crate::image::overlay::path_hash;

/// Ten times what the largest real databases name.
const MOST: usize = 4_000_000;
/// No file is known under a longer path: Linux' `PATH_MAX`.
const LONGEST: usize = 4096;

/// Counts what one database or list names.
pub(super) struct Files {
    left: usize,
    is_cut: bool,
}

impl Files {
    pub(super) fn new() -> Self {
        Self { left: MOST, is_cut: false }
    }

    /// The hash of the path that the parts make together, without the first `/`.
    pub(super) fn hash(&mut self, parts: &[&[u8]]) -> Option<u64> {
        if parts.iter().map(|part| part.len()).sum::<usize>() > LONGEST {
            return None;
        }
        if self.left == 0 {
            self.is_cut = true;
            return None;
        }
        self.left -= 1;
        let path = match parts {
            [path] => Cow::Borrowed(*path),
            parts => Cow::Owned(parts.concat()),
        };
        Some(path_hash(&String::from_utf8_lossy(path.strip_prefix(b"/").unwrap_or(&path))))
    }

    /// The same of several paths, as long as there may be more.
    pub(super) fn hashes<'p>(&mut self, paths: impl Iterator<Item = &'p [u8]>) -> Vec<u64> {
        let mut hashes = Vec::new();
        for path in paths {
            hashes.extend(self.hash(&[path]));
            if self.is_cut {
                break;
            }
        }
        hashes
    }

    /// What is to be said if some were left out.
    pub(super) fn note(&self) -> Option<Fact> {
        let reason = || format!("it names more than {MOST} files; whose the others are is unknown");
        self.is_cut.then(|| Fact::LimitMet(reason()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_put_together_and_bounded() {
        let mut files = Files::new();
        assert_eq!(files.hash(&[b"/usr/", b"lib/x"]), Some(path_hash("usr/lib/x")));
        assert_eq!(files.hash(&[b"", b"/", b"x"]), Some(path_hash("x")));
        assert_eq!(files.hash(&[&[b'a'; LONGEST], b"a"]), None);
        assert_eq!(files.note(), None);
        files.left = 1;
        assert_eq!(files.hashes([&b"a"[..], b"b", b"c"].into_iter()), [path_hash("a")]);
        assert!(files.note().is_some());
    }
}
