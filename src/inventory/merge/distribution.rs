//! Which distribution the image is, and which release its packages come from.

use std::collections::BTreeSet;

use super::super::extractor::RELEASE_FILES;
use super::super::fact::Fact;
use super::VisibleFile;
use crate::image::Overlay;
use crate::model::Distribution;

/// What the most trusted of the visible release files says; the files may be symbolic links.
pub(super) fn distribution(overlay: &Overlay, files: &[VisibleFile<'_, '_>]) -> Option<Distribution> {
    let says = |path: &str| -> Option<&Distribution> {
        let resolved = overlay.resolve(path);
        let index = files.binary_search_by(|file| file.path.cmp(&resolved)).ok()?;
        files.get(index)?.facts.facts.iter().find_map(|fact| match fact {
            Fact::Distribution(distribution) => Some(distribution),
            _ => None,
        })
    };
    let mut found = RELEASE_FILES.iter().find_map(|path| says(path)).cloned()?;
    if found.id == "debian" && found.version.is_empty() {
        // Before a release, os-release names only the code name; a released one with a stripped file is told by this.
        if let Some(debian) = says("etc/debian_version") {
            found.version.clone_from(&debian.version);
            found.codename = found.codename.or_else(|| debian.codename.clone());
        }
    }
    Some(found)
}

/// Alpine: the repositories decide which release's packages are installed, not `os-release`. Of several, `apk` takes
/// the newest version, so `edge` decides, then the highest release. Repositories that are only used on demand, and those
/// that Alpine publishes no security data for (`testing`), decide nothing.
pub(super) fn apply_repositories(distribution: Option<&mut Distribution>, files: &[VisibleFile<'_, '_>]) {
    let Some(distribution) = distribution.filter(|distribution| distribution.id == "alpine") else { return };
    let release = files
        .iter()
        .flat_map(|file| &file.facts.facts)
        .filter_map(|fact| match fact {
            Fact::ApkRepositories(repositories) => Some(repositories),
            _ => None,
        })
        .flatten()
        .filter(|repository| !repository.tagged && repository.name == "main")
        .max_by_key(|repository| rank(&repository.release));
    if let Some(repository) = release
        && repository.release != distribution.release()
    {
        distribution.repository_release = Some(repository.release.clone());
    }
}

/// Red Hat's content sets, of all layers together.
pub(super) fn apply_content_sets(distribution: Option<&mut Distribution>, files: &[VisibleFile<'_, '_>]) {
    let Some(distribution) = distribution else { return };
    let sets: BTreeSet<&String> = files
        .iter()
        .flat_map(|file| &file.facts.facts)
        .filter_map(|fact| match fact {
            Fact::ContentSets(sets) => Some(sets),
            _ => None,
        })
        .flatten()
        .collect();
    distribution.content_sets = sets.into_iter().cloned().collect();
}

fn rank(release: &str) -> (bool, Vec<u32>) {
    (release == "edge", release.split('.').map(|part| part.parse().unwrap_or(0)).collect())
}
