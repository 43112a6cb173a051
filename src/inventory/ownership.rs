//! Which OS package a language package's metadata file belongs to.

use std::collections::HashMap;

use crate::image::Overlay;

use super::InstalledFiles;

/// Paths that OS packages own, as they are in the image's view.
#[derive(Debug, Default)]
pub(super) struct Owners(HashMap<String, String>);

impl Owners {
    /// From the file lists. Each path is noted as written and with the image's symbolic links followed, as
    /// distributions that merged `/usr` list files under `/lib`.
    pub(super) fn new<'a>(lists: impl Iterator<Item = &'a InstalledFiles>, overlay: &Overlay) -> Self {
        let mut owners = HashMap::new();
        for list in lists {
            for path in &list.paths {
                for path in [path.clone(), overlay.resolve(path)] {
                    owners.insert(path, list.package.clone());
                }
            }
        }
        Self(owners)
    }

    /// The owner of a language package's metadata file. A directory of metadata (`x.egg-info/PKG-INFO`) counts as owned
    /// where the list names the directory only.
    pub(super) fn of(&self, path: &str) -> Option<&str> {
        let directory = path.rsplit_once('/').map_or("", |(directory, _)| directory);
        self.0.get(path).or_else(|| self.0.get(directory)).map(String::as_str)
    }
}
