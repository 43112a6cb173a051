//! Lays the layers over each other: facts → packages, each with the layer that introduced it.
//!
//! A package that is in the same file with the same version since layer 2 was introduced by layer 2, however often later
//! layers wrote the file again: package databases are compared layer by layer.

use std::collections::{BTreeMap, HashMap, HashSet};

use crate::image::{Image, Overlay};
use crate::model::{Distribution, Gap, GapKind, Inventory, Location, Package, PackageKind};

use super::collect::LayerFacts;
use super::ownership::Owners;
use super::{EXTRACTORS, Fact};

/// Makes an inventory of what is visible.
pub(super) fn merge(image: &Image, layers: Vec<LayerFacts>) -> Inventory {
    let mut overlay = Overlay::new();
    let mut introduced: HashMap<Installed, usize> = HashMap::new();
    for (index, layer) in layers.iter().enumerate() {
        overlay.apply(index, &layer.tree);
        let now = installed(&overlay, &layers);
        introduced.retain(|package, _| now.contains(package));
        for package in now {
            introduced.entry(package).or_insert(index);
        }
    }
    let distribution = distribution(&overlay, &layers);
    let packages = packages(&overlay, &layers, &introduced);
    let mut gaps: Vec<Gap> = visible_gaps(&overlay, &layers);
    let has_os_packages = packages.iter().any(|package| package.kind.is_os());
    if distribution.is_none() && (has_os_packages || packages.is_empty()) {
        let subject = if has_os_packages { "package database" } else { "image" };
        let reason = "neither os-release nor an older release file says which distribution this is";
        gaps.push(Gap::new(GapKind::UnknownDistribution, subject, reason));
    } else if let (Some(distribution), false) = (&distribution, has_os_packages) {
        let unread = gaps.iter().any(|gap| super::is_package_database(&gap.subject));
        if !unread {
            let reason = "there is no package database of a kind that can be read: its packages are not known";
            gaps.push(Gap::new(GapKind::UnknownDistribution, &distribution.name, reason));
        }
    }
    Inventory { image: image.identity.clone(), distribution, layers: image.layers.clone(), packages, gaps }
}

/// A package in a file: path, kind, name, version, architecture.
type Installed = (String, PackageKind, String, String, Option<String>);

fn identity(path: &str, package: &Package) -> Installed {
    (path.to_owned(), package.kind, package.name.clone(), package.version.clone(), package.arch.clone())
}

/// The facts of the visible files, with the path in the image's view.
fn visible_facts<'a>(overlay: &'a Overlay, layers: &'a [LayerFacts]) -> impl Iterator<Item = (&'a str, &'a Fact)> {
    overlay.visible().flat_map(move |(path, layer, source)| {
        let facts = layers.get(layer).and_then(|layer| layer.facts.get(source));
        facts.into_iter().flatten().map(move |fact| (path, fact))
    })
}

fn installed(overlay: &Overlay, layers: &[LayerFacts]) -> HashSet<Installed> {
    let packages = visible_facts(overlay, layers).filter_map(|(path, fact)| match fact {
        Fact::Package(package) => Some(identity(path, package)),
        _ => None,
    });
    packages.collect()
}

fn distribution(overlay: &Overlay, layers: &[LayerFacts]) -> Option<Distribution> {
    let mut best: Option<(u8, &Distribution)> = None;
    let mut release = None;
    for (_, fact) in visible_facts(overlay, layers) {
        match fact {
            Fact::Distribution { rank, distribution } if best.is_none_or(|(known, _)| *rank < known) => {
                best = Some((*rank, distribution))
            }
            Fact::RepositoryRelease(found) => release = Some(found.clone()),
            _ => {}
        }
    }
    let mut distribution = best?.1.clone();
    if distribution.id == "alpine" {
        distribution.repository_release = release;
    }
    Some(distribution)
}

fn packages(overlay: &Overlay, layers: &[LayerFacts], introduced: &HashMap<Installed, usize>) -> Vec<Package> {
    let lists = visible_facts(overlay, layers).filter_map(|(_, fact)| match fact {
        Fact::Files(files) => Some(files),
        _ => None,
    });
    let owners = Owners::new(lists, overlay);
    let versions: HashMap<&str, &str> = visible_facts(overlay, layers)
        .filter_map(|(_, fact)| match fact {
            Fact::Package(package) if package.kind.is_os() => Some((package.name.as_str(), package.version.as_str())),
            _ => None,
        })
        .collect();
    let mut merged: BTreeMap<_, Package> = BTreeMap::new();
    for (path, fact) in visible_facts(overlay, layers) {
        let Fact::Package(package) = fact else { continue };
        let owner = if package.kind.is_os() { None } else { owners.of(path) };
        let owned_by = owner.and_then(|name| Some(format!("{name} {}", versions.get(name)?)));
        let layer = introduced.get(&identity(path, package)).copied().unwrap_or_default();
        let key = (package.kind, package.name.clone(), package.version.clone(), package.arch.clone(), owned_by.clone());
        let known = merged.entry(key).or_insert_with(|| Package { owned_by, ..(**package).clone() });
        let location = Location { path: path.to_owned(), layer };
        if !known.locations.contains(&location) {
            known.locations.push(location);
        }
    }
    merged.into_values().collect()
}

/// Gaps about files that the finished image shows; those of files that a later layer hides do not matter.
fn visible_gaps(overlay: &Overlay, layers: &[LayerFacts]) -> Vec<Gap> {
    let mut gaps = Vec::new();
    let visible: HashSet<(usize, &str)> = overlay.visible().map(|(_, layer, source)| (layer, source)).collect();
    for (index, layer) in layers.iter().enumerate() {
        let about_file = |gap: &Gap| {
            matches!(gap.kind, GapKind::UnreadableFile | GapKind::ExtractorFailed)
                && layer.tree.files.contains(&gap.subject)
        };
        gaps.extend(
            layer
                .gaps
                .iter()
                .filter(|gap| !about_file(gap) || visible.contains(&(index, gap.subject.as_str())))
                .cloned(),
        );
    }
    gaps
}

/// A table of what is read, in Markdown: `docs/coverage.md`.
#[must_use]
pub fn coverage_table() -> String {
    let mut text = String::from("| extractor | files | package database |\n|---|---|---|\n");
    for extractor in EXTRACTORS {
        let claims = extractor.claims().iter().map(|claim| format!("`{claim}`")).collect::<Vec<_>>().join(", ");
        let database = if extractor.is_package_database() { "yes" } else { "" };
        text.push_str(&format!("| {} | {} | {database} |\n", extractor.name(), claims.replace('|', "\\|")));
    }
    text
}
