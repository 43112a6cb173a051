//! What was found for packages, kept for the next image that holds the same ones.
//!
//! Packages that share a look-up are judged together, so they are kept together: an image is answered from memory for those
//! of its units of which every package is the same in all that matching looks at, in the same distribution. Nothing is judged
//! by parts of a unit, and what depends on the rest of an image (suppression, coverage) is never kept. So a result with a
//! memo is the result without.

use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasher, Hash, Hasher, RandomState};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{Judged, distribution, java};
use crate::model::{Distribution, Finding, Gap, Inventory, Package, PackageKind, ShardName, Suppressed};

/// A memory of bounded size, for one database. Threads may share it.
#[derive(Debug)]
pub struct Memo {
    most_bytes: usize,
    hasher: RandomState,
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    places: Vec<Arc<Place>>,
    units: HashMap<u64, Arc<Unit>>,
    bytes: usize,
}

/// Whose advisories were asked for which system.
#[derive(Debug, PartialEq, Eq)]
struct Place {
    shard: ShardName,
    distribution: Option<Distribution>,
}

/// Packages and what was found; numbers are positions among these packages.
#[derive(Debug)]
struct Unit {
    place: Arc<Place>,
    packages: Vec<Package>,
    findings: Vec<(usize, Finding)>,
    doubtful: Vec<(usize, Suppressed)>,
    gaps: Vec<(usize, Gap)>,
}

impl Memo {
    /// A memory of about so many bytes.
    #[must_use]
    pub fn new(most_bytes: usize) -> Self {
        Self { most_bytes, hasher: RandomState::new(), kept: Mutex::default() }
    }

    /// Judges packages of a shard, by `judge` those that are not known.
    pub(super) fn judge<E>(
        &self,
        inventory: &Inventory,
        shard: &ShardName,
        indexes: &[usize],
        judge: impl FnOnce(&[usize]) -> Result<Judged, E>,
    ) -> Result<Judged, E> {
        let place = self.place(shard, inventory.distribution.as_ref());
        let units = units(inventory, indexes);
        let keys: Vec<u64> = units.iter().map(|unit| self.key(&place, unit)).collect();
        let known: Vec<Option<Arc<Unit>>> = {
            let kept = self.kept();
            keys.iter().map(|key| kept.units.get(key).cloned()).collect()
        };
        let mut judged = Judged::default();
        let mut unknown = Vec::new();
        for ((unit, key), known) in units.into_iter().zip(keys).zip(known) {
            match known.filter(|known| known.is_of(&place, &unit)) {
                Some(known) => known.tell(&unit, &mut judged),
                None => unknown.push((key, unit)),
            }
        }
        let mut indexes: Vec<usize> =
            unknown.iter().flat_map(|(_, unit)| unit.iter().map(|(index, _)| *index)).collect();
        indexes.sort_unstable();
        let found = judge(&indexes)?;
        self.keep(&place, unknown, &found);
        judged.findings.extend(found.findings);
        judged.doubtful.extend(found.doubtful);
        judged.gaps.extend(found.gaps);
        Ok(judged)
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn place(&self, shard: &ShardName, distribution: Option<&Distribution>) -> Arc<Place> {
        let mut kept = self.kept();
        let is_same = |place: &&Arc<Place>| place.shard == *shard && place.distribution.as_ref() == distribution;
        if let Some(place) = kept.places.iter().find(is_same) {
            return Arc::clone(place);
        }
        if kept.places.len() >= MOST_PLACES {
            *kept = Kept::default();
        }
        let place = Arc::new(Place { shard: shard.clone(), distribution: distribution.cloned() });
        kept.places.push(Arc::clone(&place));
        place
    }

    fn key(&self, place: &Arc<Place>, unit: &[(usize, &Package)]) -> u64 {
        let mut hasher = self.hasher.build_hasher();
        Arc::as_ptr(place).hash(&mut hasher);
        for (_, package) in unit {
            let Package { name, version, arch, source, .. } = package;
            let source = source.as_ref().map(|source| (&source.name, &source.version));
            (name, version, arch, source).hash(&mut hasher);
        }
        hasher.finish()
    }

    fn keep(&self, place: &Arc<Place>, units: Vec<(u64, Vec<(usize, &Package)>)>, found: &Judged) {
        let mut kept: Vec<Unit> = Vec::with_capacity(units.len());
        let mut positions: HashMap<usize, (usize, usize)> = HashMap::new();
        let mut keys = Vec::with_capacity(units.len());
        for (number, (key, unit)) in units.into_iter().enumerate() {
            positions.extend(unit.iter().enumerate().map(|(position, (index, _))| (*index, (number, position))));
            keys.push(key);
            kept.push(Unit {
                place: Arc::clone(place),
                packages: unit.iter().map(|(_, package)| bare(package)).collect(),
                findings: Vec::new(),
                doubtful: Vec::new(),
                gaps: Vec::new(),
            });
        }
        for finding in &found.findings {
            if let Some((position, unit)) = at(&positions, &mut kept, finding.package.index) {
                unit.findings.push((position, finding.clone()));
            }
        }
        for suppressed in &found.doubtful {
            if let Some((position, unit)) = at(&positions, &mut kept, suppressed.finding.package.index) {
                unit.doubtful.push((position, suppressed.clone()));
            }
        }
        for (index, gap) in &found.gaps {
            if let Some((position, unit)) = at(&positions, &mut kept, *index) {
                unit.gaps.push((position, gap.clone()));
            }
        }
        let mut all = self.kept();
        for (key, unit) in keys.into_iter().zip(kept) {
            let bytes = unit.bytes();
            if all.bytes + bytes > self.most_bytes {
                // Images of one system come after each other; what comes now is more likely to come again.
                *all = Kept { places: std::mem::take(&mut all.places), ..Kept::default() };
            }
            if bytes <= self.most_bytes {
                all.bytes += bytes;
                if let Some(old) = all.units.insert(key, Arc::new(unit)) {
                    all.bytes = all.bytes.saturating_sub(old.bytes());
                }
            }
        }
    }
}

impl Unit {
    fn is_of(&self, place: &Arc<Place>, unit: &[(usize, &Package)]) -> bool {
        Arc::ptr_eq(&self.place, place)
            && self.packages.len() == unit.len()
            && self.packages.iter().zip(unit).all(|(known, (_, package))| is_same(known, package))
    }

    /// Says again what was found, of the packages at other places.
    fn tell(&self, unit: &[(usize, &Package)], judged: &mut Judged) {
        let index = |position: &usize| unit.get(*position).map_or(usize::MAX, |(index, _)| *index);
        judged.findings.extend(self.findings.iter().map(|(position, finding)| moved(finding, index(position))));
        judged.doubtful.extend(self.doubtful.iter().map(|(position, one)| Suppressed {
            finding: moved(&one.finding, index(position)),
            reason: one.reason,
            explanation: one.explanation.clone(),
        }));
        judged.gaps.extend(self.gaps.iter().map(|(position, gap)| (index(position), gap.clone())));
    }

    /// About what it takes.
    fn bytes(&self) -> usize {
        let doubtful = self.doubtful.iter().map(|(_, one)| &one.finding);
        let findings = self.findings.iter().map(|(_, finding)| finding).chain(doubtful);
        let text = |finding: &Finding| {
            let references: usize = finding.references.iter().map(|one| one.url.len() + EACH).sum();
            let package =
                finding.package.name.len() + finding.package.version.len() + finding.package.purl.as_str().len();
            package + finding.description.len() + finding.title.len() + references + finding.statements.len() * 4 * EACH
        };
        let findings: usize = findings.map(|finding| size_of::<Finding>() + 10 * EACH + text(finding)).sum();
        let long = |text: &Option<String>| text.as_ref().map_or(0, String::len);
        let package = |one: &Package| {
            let source = one.source.as_ref().map_or(0, |source| source.name.len() + source.version.len());
            let others = [&one.arch, &one.vendor, &one.module, &one.section, &one.owned_by, &one.origin];
            size_of::<Package>()
                + 6 * EACH
                + one.name.len()
                + one.version.len()
                + source
                + others.map(long).iter().sum::<usize>()
                + one.namespaces.iter().map(|name| EACH + name.len()).sum::<usize>()
        };
        let packages: usize = self.packages.iter().map(package).sum();
        let explained: usize = self.doubtful.iter().map(|(_, one)| one.explanation.len()).sum();
        let gaps: usize = self.gaps.iter().map(|(_, gap)| 2 * EACH + gap.subject.len() + gap.reason.len()).sum();
        packages + gaps + explained + findings + 2 * EACH
    }
}

/// The unit of a package, and its position there.
fn at<'u>(
    positions: &HashMap<usize, (usize, usize)>,
    units: &'u mut [Unit],
    index: usize,
) -> Option<(usize, &'u mut Unit)> {
    let (number, position) = positions.get(&index)?;
    Some((*position, units.get_mut(*number)?))
}

fn moved(finding: &Finding, index: usize) -> Finding {
    let mut finding = finding.clone();
    finding.package.index = index;
    finding
}

/// A package without what matching does not look at.
fn bare(package: &Package) -> Package {
    Package { licenses: Vec::new(), locations: Vec::new(), ..package.clone() }
}

/// Whether matching can tell them apart. All fields are named, so that a new one is not forgotten.
fn is_same(one: &Package, other: &Package) -> bool {
    let Package {
        kind,
        name,
        version,
        arch,
        source,
        licenses: _,
        vendor,
        module,
        section,
        third_party,
        owned_by,
        origin,
        namespaces,
        known_by,
        locations: _,
    } = one;
    *kind == other.kind
        && *name == other.name
        && *version == other.version
        && *arch == other.arch
        && *source == other.source
        && *vendor == other.vendor
        && *module == other.module
        && *section == other.section
        && *third_party == other.third_party
        && *owned_by == other.owned_by
        && *origin == other.origin
        && *namespaces == other.namespaces
        && *known_by == other.known_by
}

/// Packages that share a look-up, directly or through others, in the order of the inventory. Those that are never looked up
/// are in none.
fn units<'a>(inventory: &'a Inventory, indexes: &[usize]) -> Vec<Vec<(usize, &'a Package)>> {
    let mut numbers = HashMap::new();
    // For each unit the one that it became a part of, or itself.
    let mut parents: Vec<usize> = Vec::new();
    let mut members = Vec::new();
    for &index in indexes {
        let Some(package) = inventory.packages.get(index) else { continue };
        let mut own = None;
        // Java's archives that do not say their group are looked up under several.
        let names: Vec<&str> = if package.kind == PackageKind::Maven {
            java::artifacts(package).collect()
        } else {
            let subjects = distribution::subjects(package, inventory.distribution.as_ref());
            subjects.iter().map(|subject| subject.name).collect()
        };
        for name in names {
            let number = *numbers.entry((package.kind, name)).or_insert_with(|| {
                parents.push(parents.len());
                parents.len() - 1
            });
            let number = root(&mut parents, number);
            match own {
                None => own = Some(number),
                Some(first) if first == number => {}
                Some(first) => {
                    if let Some(parent) = parents.get_mut(number) {
                        *parent = first;
                    }
                }
            }
        }
        members.extend(own.map(|number| (number, index, package)));
    }
    let mut units: BTreeMap<usize, Vec<(usize, &Package)>> = BTreeMap::new();
    for (number, index, package) in members {
        units.entry(root(&mut parents, number)).or_default().push((index, package));
    }
    units.into_values().collect()
}

/// The unit that one has become a part of. Halves the way there for whoever asks next.
fn root(parents: &mut [usize], mut number: usize) -> usize {
    while let Some(parent) = parents.get(number).copied().filter(|parent| *parent != number) {
        let above = parents.get(parent).copied().unwrap_or(parent);
        if let Some(known) = parents.get_mut(number) {
            *known = above;
        }
        number = above;
    }
    number
}

/// Systems that are told apart at a time.
const MOST_PLACES: usize = 256;
/// A short text, with what it takes to hold it.
const EACH: usize = 48;
