//! The facts of all layers together: what is visible from the top, since when, and what belongs to what.

mod distribution;
mod history;
mod links;
mod ownership;
pub(super) mod third_party;

use std::collections::{BTreeMap, BTreeSet, HashSet};

use super::extractor::copyright;
use super::extractor::is_package_database;
use super::extractor::python::{DIRECT_URL, METADATA};
use super::extractor::rpm::{LOG, SQLITE};
use super::fact::{Fact, FileFacts};
use super::layer::{LayerFacts, Logs, Reread};
use crate::image::Overlay;
use crate::image::overlay::{Visible, path_hash};
use crate::model::{Distribution, Gap, GapKind, Location, Package, PackageKind};
use history::History;
pub(super) use links::missing_targets;
use links::{Known, Links};
use ownership::Owners;

/// Gaps about files that are reported one by one; the others are counted.
const MOST_FILE_GAPS: usize = 1000;

/// Namespaces of one package; an archive has fewer.
const MOST_NAMESPACES: usize = 32;

/// The part of an inventory that comes from facts.
pub(super) struct Merged {
    pub(super) distribution: Option<Distribution>,
    pub(super) packages: Vec<Package>,
    pub(super) gaps: Vec<Gap>,
}

/// A file as it is seen from the top of the image.
#[derive(Clone, Copy)]
struct VisibleFile<'p, 'f> {
    path: &'p str,
    /// The layer that its content lies in.
    layer: usize,
    /// It is a hard link to another path.
    is_link: bool,
    facts: &'f FileFacts,
}

/// Puts the layers on top of each other, base first.
pub(super) fn merge(layers: &[LayerFacts], reread: &Reread) -> Merged {
    let mut overlay = Overlay::new();
    let known = Known::default();
    let mut history = History::default();
    for (index, layer) in layers.iter().enumerate() {
        overlay.apply(index, &layer.tree);
        history.record(index, visible(&overlay, layers, reread, &known));
    }
    let files: Vec<VisibleFile<'_, '_>> = visible(&overlay, layers, reread, &known).collect();

    let mut gaps: Vec<Gap> = layers.iter().filter_map(|layer| layer.gap.clone()).collect();
    gaps.extend(file_gaps(layers, &files));
    let mut distribution = distribution::distribution(&overlay, &files);
    distribution::apply_repositories(distribution.as_mut(), &files);
    distribution::apply_content_sets(distribution.as_mut(), &files);
    let mut packages = packages(distribution.as_ref(), &overlay, &files, &history);
    licenses(&mut packages, &overlay, &files);
    gaps.extend(distribution_gap(distribution.as_ref(), &packages, layers));
    Merged { distribution, packages, gaps }
}

fn visible<'p, 'f>(
    overlay: &'p Overlay,
    layers: &'f [LayerFacts],
    reread: &'f Reread,
    known: &'f Known,
) -> impl Iterator<Item = VisibleFile<'p, 'f>> {
    let mut links = Links::new(layers, reread, known);
    overlay.visible().filter_map(move |file| {
        let Visible { path, layer, at, is_hard_link } = file;
        let facts = links.facts(file)?;
        let facts = replayed(overlay, reread, path, (layer, at)).unwrap_or(facts);
        Some(VisibleFile { path, layer, is_link: is_hard_link, facts })
    })
}

/// What a database says with the log that is visible beside it.
fn replayed<'f>(overlay: &Overlay, reread: &'f Reread, path: &str, at: (usize, &str)) -> Option<&'f FileFacts> {
    if reread.replayed.is_empty() || !at.1.ends_with(SQLITE) {
        return None;
    }
    let log = format!("{path}{LOG}");
    let Visible { layer, at: log, .. } = overlay.at(&log)?;
    reread.replayed.get(&((at.0, at.1.to_owned()), (layer, log.to_owned())))
}

/// The logs that are visible beside their databases, by the databases' layers. Also those that only lower layers show.
pub(super) fn logs(layers: &[LayerFacts]) -> BTreeMap<usize, Logs<'_>> {
    let mut logs: BTreeMap<usize, Logs<'_>> = BTreeMap::new();
    let log_of = |layer: usize, at: &str| {
        layers.get(layer)?.files.get(at)?.facts.iter().find_map(|fact| match fact {
            Fact::SqliteLog(log) => Some(log),
            _ => None,
        })
    };
    if !layers
        .iter()
        .flat_map(|layer| layer.files.values())
        .any(|file| file.facts.iter().any(|fact| matches!(fact, Fact::SqliteLog(_))))
    {
        return logs;
    }
    let mut overlay = Overlay::new();
    for (index, layer) in layers.iter().enumerate() {
        overlay.apply(index, &layer.tree);
        for Visible { path, layer, at, .. } in overlay.visible() {
            let Some((database, log)) = path.strip_suffix(LOG).zip(log_of(layer, at)) else { continue };
            let Some(database) = overlay.at(database) else { continue };
            let of_database = logs.entry(database.layer).or_default().entry(database.at.to_owned()).or_default();
            let place = (layer, at.to_owned());
            if of_database.iter().all(|(known, _)| *known != place) {
                of_database.push((place, log));
            }
        }
    }
    logs
}

/// The packages of all visible files: those that are the same become one with several locations.
fn packages(
    distribution: Option<&Distribution>,
    overlay: &Overlay,
    files: &[VisibleFile<'_, '_>],
    history: &History<'_>,
) -> Vec<Package> {
    let third_party = third_party::Judge::of(distribution, files.iter().flat_map(|file| file.facts.packages()));
    let owners = Owners::of(files, overlay);
    let mut merged: BTreeMap<Identity<'_>, (Package, BTreeSet<Location>)> = BTreeMap::new();
    for file in files {
        let owner = owners.owner(file.path);
        let origin = origin(files, file.path);
        for (package, inside) in file.facts.places() {
            // A program that a package installed is known as that package; one that has many names by hard links is
            // known under its own.
            let is_named = !file.is_link || file_name(file.path).starts_with(&package.name);
            if package.kind == PackageKind::Generic && (owner.is_some() || !is_named) {
                continue;
            }
            let owned_by = owner.filter(|_| !package.kind.is_os());
            let layer = history.introduced(file.path, package).unwrap_or(file.layer);
            let path = inside.map_or_else(|| file.path.to_owned(), |inside| format!("{}!/{inside}", file.path));
            let location = Location { path, layer };
            let (known, locations) = merged.entry(Identity::of(package, owned_by, origin)).or_insert_with(|| {
                let third_party = package.third_party || third_party.is_third_party(package);
                let owned = |text: Option<&str>| text.map(str::to_owned);
                let package =
                    Package { owned_by: owned(owned_by), origin: owned(origin), third_party, ..package.clone() };
                (package, BTreeSet::new())
            });
            // Of several places the one that says most surely what it is.
            known.known_by = known.known_by.min(package.known_by);
            unite(&mut known.namespaces, &package.namespaces);
            locations.insert(location);
        }
    }
    merged
        .into_values()
        .map(|(package, locations)| Package { locations: locations.into_iter().collect(), ..package })
        .collect()
}

/// Of several places all that they say of where their code lies, as far as it is not much.
fn unite(known: &mut Vec<String>, more: &[String]) {
    for name in more {
        if let Err(at) = known.binary_search(name)
            && known.len() < MOST_NAMESPACES
        {
            known.insert(at, name.clone());
        }
    }
}

/// Licences of Debian's packages, which lie apart; packages of one source may share a file by a symbolic link.
fn licenses(packages: &mut [Package], overlay: &Overlay, files: &[VisibleFile<'_, '_>]) {
    for package in packages.iter_mut().filter(|package| package.kind == PackageKind::Deb && package.licenses.is_empty())
    {
        let path = overlay.resolve(&copyright::path_of(&package.name));
        let Ok(index) = files.binary_search_by(|file| file.path.cmp(&path)) else { continue };
        let facts = files.get(index).map(|file| file.facts.facts.as_slice()).unwrap_or_default();
        let stated = facts.iter().find_map(|fact| match fact {
            Fact::Licenses(licenses) => Some(licenses),
            _ => None,
        });
        package.licenses = stated.cloned().unwrap_or_default();
    }
}

/// Where the package that a file describes was installed from, as the file beside it says.
fn origin<'f>(files: &[VisibleFile<'_, 'f>], path: &str) -> Option<&'f str> {
    let beside = format!("{}{DIRECT_URL}", path.strip_suffix(METADATA).filter(|folder| folder.ends_with('/'))?);
    let index = files.binary_search_by(|file| file.path.cmp(&beside)).ok()?;
    files.get(index)?.facts.facts.iter().find_map(|fact| match fact {
        Fact::Origin(origin) => Some(origin.as_str()),
        _ => None,
    })
}

fn file_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// What makes two packages the same; also the order in which they are reported.
#[derive(PartialEq, Eq, PartialOrd, Ord, Clone, Copy)]
struct Identity<'a> {
    kind: PackageKind,
    name: &'a str,
    version: &'a str,
    arch: Option<&'a str>,
    owned_by: Option<&'a str>,
    origin: Option<&'a str>,
}

impl<'a> Identity<'a> {
    fn of(package: &'a Package, owned_by: Option<&'a str>, origin: Option<&'a str>) -> Self {
        let Package { kind, name, version, arch, .. } = package;
        Self { kind: *kind, name, version, arch: arch.as_deref(), owned_by, origin }
    }
}

/// What could not be read of files that are visible, and of those that could not even be listed; package databases first,
/// because the others may be more than are reported.
fn file_gaps(layers: &[LayerFacts], files: &[VisibleFile<'_, '_>]) -> Vec<Gap> {
    let unlisted = layers.iter().enumerate().flat_map(|(layer, facts)| {
        let gap =
            move |(path, reason): &(String, String)| Gap::new(GapKind::UnreadableFile, path, reason).in_layer(layer);
        facts.tree.unreadable.iter().map(gap)
    });
    let unread = files.iter().flat_map(|file| {
        let trouble = file.facts.trouble.iter().map(|(kind, reason)| (*kind, reason));
        let incomplete = file.facts.facts.iter().filter_map(|fact| match fact {
            Fact::Incomplete(reason) => Some((GapKind::UnreadableFile, reason)),
            Fact::LimitMet(reason) => Some((GapKind::LimitMet, reason)),
            _ => None,
        });
        trouble.chain(incomplete).map(|(kind, reason)| Gap::new(kind, file.path, reason).in_layer(file.layer))
    });
    let mut gaps: Vec<Gap> = unlisted.chain(unread).collect();
    let listed = gaps.len();
    if listed > MOST_FILE_GAPS {
        gaps.sort_by_key(|gap| !is_package_database(&gap.subject));
        gaps.truncate(MOST_FILE_GAPS);
    }
    let unnamed: usize = layers.iter().map(|layer| layer.tree.unreadable_more).sum();
    let more = (listed - gaps.len()).saturating_add(unnamed);
    if more > 0 {
        gaps.push(Gap::new(GapKind::UnreadableFile, "further files", format!("{more} more could not be read")));
    }
    gaps
}

/// An operating system whose name or packages cannot be told. An image without any is none.
fn distribution_gap(distribution: Option<&Distribution>, packages: &[Package], layers: &[LayerFacts]) -> Option<Gap> {
    let has_packages = packages.iter().any(|package| package.kind.is_os());
    let gap = |subject: &str, reason: &str| Some(Gap::new(GapKind::UnknownDistribution, subject, reason));
    match (distribution, has_packages) {
        (Some(_), true) => None,
        (Some(found), false) => {
            gap(&found.name, "no package database was found, so its operating system packages are unknown")
        }
        (None, true) => gap(
            "operating system",
            "there are operating system packages, but no os-release file says which distribution they belong to",
        ),
        (None, false) => {
            let marks: HashSet<u64> = MARKS_OF_A_SYSTEM.iter().map(|path| path_hash(path)).collect();
            let is_system =
                layers.iter().any(|layer| layer.tree.non_directories.iter().any(|hash| marks.contains(hash)));
            let reason = "there is a shell or C library, but neither an os-release file nor a package database; \
                          what it was built from is unknown";
            if is_system { gap("operating system", reason) } else { None }
        }
    }
}

/// Files of which a system without a package database has at least one.
const MARKS_OF_A_SYSTEM: &[&str] = &[
    "bin/sh",
    "usr/bin/sh",
    "bin/busybox",
    "usr/bin/busybox",
    "bin/bash",
    "usr/bin/bash",
    "lib/libc.so.6",
    "lib64/libc.so.6",
    "usr/lib/libc.so.6",
    "usr/lib64/libc.so.6",
    "lib/x86_64-linux-gnu/libc.so.6",
    "usr/lib/x86_64-linux-gnu/libc.so.6",
    "lib/aarch64-linux-gnu/libc.so.6",
    "usr/lib/aarch64-linux-gnu/libc.so.6",
    "lib/ld-musl-x86_64.so.1",
    "lib/ld-musl-aarch64.so.1",
];

#[cfg(test)]
mod tests;
