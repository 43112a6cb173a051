//! Inventory × advisory index → findings, suppressions, coverage. Pure but for reading the index.
//!
//! For each package the records under its look-up names are collected, each is judged by constraints and version
//! (`judge`), the judgements are grouped into alias sets and each set is decided by rank (`decide`); what must not count
//! is set aside with its reason (`suppress`). What makes distributions differ lives in `distribution`. [`explain`] tells
//! the same way backwards, for one vulnerability.

mod amazon;
mod content_sets;
mod decide;
mod distribution;
mod explain;
mod identity;
mod java;
mod judge;
mod memo;
mod suppress;

use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;

use crate::advisories::{Database, DatabaseError, Shard, lookup_key};
use crate::model::{
    Advisory, Coverage, CoverageStatus, Distribution, Finding, Gap, GapKind, Inventory, KnownBy, Package, PackageKind,
    PackageRef, ShardName, Suppressed, SuppressionReason,
};
use crate::version;

use content_sets::System;
use distribution::Subject;
use judge::{Judgement, Opinion};

pub use content_sets::{ContentSet, Product};
pub use explain::{Case, Consulted, Explanation, Lookup, Said, Verdict, explain};
pub use memo::Memo;

/// What matching one inventory yields.
#[derive(Debug, Default)]
pub struct Matched {
    /// What counts, most severe first.
    pub findings: Vec<Finding>,
    /// What does not, with reasons, in the same order.
    pub suppressed: Vec<Suppressed>,
    /// What there was data for.
    pub coverage: Vec<Coverage>,
    /// What could not be judged.
    pub gaps: Vec<Gap>,
}

/// Matches an inventory with the advisories of `database`.
///
/// # Errors
/// The index cannot be read; what it holds must then not be trusted for any package.
pub fn match_inventory(inventory: &Inventory, database: &Database) -> Result<Matched, DatabaseError> {
    match_with(inventory, database, None)
}

/// The same for one of many inventories: what was found for the same packages before is found again, in the `memo` of this
/// database.
///
/// # Errors
/// As [`match_inventory`].
pub fn match_with(inventory: &Inventory, database: &Database, memo: Option<&Memo>) -> Result<Matched, DatabaseError> {
    let mut matched = Matched::default();
    let system = System::of(inventory.distribution.as_ref(), database)?;
    matched.gaps.extend(unknown_system(inventory));
    for (shard_name, indexes) in by_shard(inventory, database)? {
        let kind = indexes.first().and_then(|&index| inventory.packages.get(index)).map(|package| package.kind);
        let Some(kind) = kind else { continue };
        let shard = database.shard(&shard_name)?;
        matched.coverage.push(Coverage {
            kind,
            shard: shard_name.clone(),
            packages: indexes.len(),
            status: if shard.is_some() { CoverageStatus::Covered } else { CoverageStatus::NoData },
            date: shard.as_ref().and_then(Shard::date),
        });
        let Some(shard) = shard else {
            let reason = format!(
                "the database has no advisories for {shard_name}: nothing can be said about {} packages",
                indexes.len()
            );
            matched.gaps.push(Gap::new(GapKind::NoAdvisories, shard_name.as_str(), reason));
            continue;
        };
        if kind.is_os() {
            matched.gaps.extend(unlisted(&system));
        }
        let judge = |indexes: &[usize]| judge_packages(inventory, &system, database, &shard, indexes);
        let mut judged = match memo {
            None => judge(&indexes)?,
            Some(memo) => memo.judge(inventory, &shard_name, &indexes, judge)?,
        };
        judged.gaps.sort_by_key(|(index, _)| *index);
        matched.gaps.extend(judged.gaps.into_iter().map(|(_, gap)| gap));
        matched.findings.extend(judged.findings);
        matched.suppressed.extend(judged.doubtful);
    }
    suppress::suppress(inventory, &system, database, &mut matched)?;
    matched.findings.sort_by(|a, b| order(a).cmp(&order(b)));
    matched.suppressed.sort_by(|a, b| order(&a.finding).cmp(&order(&b.finding)));
    Ok(matched)
}

/// An image of programs without a package has a system too, or is built with something: nothing is known of it.
fn unknown_system(inventory: &Inventory) -> Option<Gap> {
    let is_program = |package: &Package| package.kind == PackageKind::Generic;
    let is_known = inventory.distribution.is_some()
        || inventory.gaps.iter().any(|gap| gap.kind == GapKind::UnknownDistribution)
        || !inventory.packages.iter().all(is_program);
    let reason = "no operating system and no package database were recognised, only programs by the versions that they \
                  print: nothing is said about what they are built with";
    (!is_known && !inventory.packages.is_empty())
        .then(|| Gap::new(GapKind::UnknownDistribution, "operating system", reason))
}

/// Without Red Hat's list, products other than the plain release are told by the names of repositories, or not at all.
fn unlisted(system: &System<'_>) -> Option<Gap> {
    let untold: Vec<&str> = system.untold().map(|set| set.name.as_str()).collect();
    let first = untold.first()?;
    let more = if untold.len() > 1 { format!(" and {} more", untold.len() - 1) } else { String::new() };
    let reason = format!(
        "the database was built without Red Hat's list of repositories: which products {first}{more} stand for is told \
         by the name, and may be wrong"
    );
    Some(Gap::new(GapKind::StaleAdvisories, "repository-to-cpe", reason))
}

/// Most severe first.
fn order(finding: &Finding) -> impl Ord {
    let package = &finding.package;
    (std::cmp::Reverse(finding.severity), &package.name, &package.version, &finding.id, package.index)
}

/// The packages by the shard that would know of them, in the order of the inventory. Kinds that nobody publishes
/// advisories for get a name of their own, so that nobody takes them for judged.
///
/// Programs without a package are judged by Bitnami's records about the same upstream; one that these never speak of is
/// not judged.
fn by_shard(inventory: &Inventory, database: &Database) -> Result<Vec<(ShardName, Vec<usize>)>, DatabaseError> {
    let mut shards: BTreeMap<(ShardName, bool), Vec<usize>> = BTreeMap::new();
    let has_programs = inventory.packages.iter().any(|package| package.kind == PackageKind::Generic);
    let of_programs = PackageKind::Bitnami.shard().filter(|_| has_programs);
    let programs = match &of_programs {
        Some(name) => database.shard(name)?,
        None => None,
    };
    for (index, package) in inventory.packages.iter().enumerate() {
        let is_program = package.kind == PackageKind::Generic;
        let shard = if package.kind.is_os() {
            // Packages without a distribution are a gap that the inventory names already.
            inventory.distribution.as_ref().map(Distribution::shard)
        } else if let (true, Some(shard), Some(name)) = (is_program, &programs, &of_programs) {
            let is_known = !shard.lookup(&lookup_key(package.kind, &package.name))?.is_empty();
            is_known.then(|| name.clone()).or_else(|| Some(of_kind(package.kind)))
        } else {
            Some(of_kind(package.kind))
        };
        if let Some(shard) = shard {
            shards.entry((shard, is_program)).or_default().push(index);
        }
    }
    Ok(shards.into_iter().map(|((shard, _), indexes)| (shard, indexes)).collect())
}

fn of_kind(kind: PackageKind) -> ShardName {
    kind.shard().unwrap_or_else(|| ShardName::new(kind.purl_type()))
}

/// What was looked up for a package, and the records under that name.
type Found<'a> = (Subject<'a>, Rc<Vec<Advisory>>);

/// Packages that are judged alike: binaries of one source, of the same version, architecture and module.
struct Group<'a> {
    found: Vec<Found<'a>>,
    /// Positions in the inventory.
    packages: Vec<(usize, &'a Package)>,
}

/// What the advisories of one shard say of packages, in no particular order.
#[derive(Debug, Default)]
struct Judged {
    findings: Vec<Finding>,
    /// What would be found if it could be compared.
    doubtful: Vec<Suppressed>,
    /// With the place of the package in the inventory.
    gaps: Vec<(usize, Gap)>,
}

/// Matches packages of one shard.
fn judge_packages(
    inventory: &Inventory,
    system: &System<'_>,
    database: &Database,
    shard: &Shard,
    indexes: &[usize],
) -> Result<Judged, DatabaseError> {
    let distribution = system.distribution;
    let groups = groups(inventory, shard, indexes)?;
    let mut judged = Vec::new();
    let mut found = Judged::default();
    for group in &groups {
        let Some((_, first)) = group.packages.first() else { continue };
        let judgements = judge_all(first, &group.found, system);
        if judgements.iter().any(|judgement| judgement.opinion.is_of_interest()) {
            let noted = group.packages.iter().map(|(index, package)| (*index, incomparable(package, &judgements)));
            found.gaps.extend(noted.filter_map(|(index, gap)| Some((index, gap?))));
            let links = links(&judgements, database)?;
            judged.push((first.kind, group.packages.as_slice(), judgements, links));
        }
    }
    let decided: Vec<_> = judged
        .iter()
        .map(|(kind, packages, judgements, links)| {
            let mut sets = decide::alias_sets(judgements, links, *kind, Opinion::is_of_interest);
            sets.retain(decide::is_of_interest);
            (*packages, sets)
        })
        .collect();
    let known = decide::Known::read(decided.iter().flat_map(|(_, sets)| sets), shard, database)?;
    for (packages, sets) in &decided {
        let packages: Vec<_> = packages
            .iter()
            .map(|(index, package)| (*package, reference(*index, package, distribution)))
            .filter(|_| !sets.is_empty())
            .collect();
        for decision in sets.iter().flat_map(|set| decide::decide(set, &packages, &known)) {
            match decision.doubt {
                None => found.findings.push(decision.finding),
                Some(explanation) => found.doubtful.push(Suppressed {
                    finding: decision.finding,
                    reason: SuppressionReason::NotComparable,
                    explanation,
                }),
            }
        }
    }
    Ok(found)
}

/// The packages that records name, with these, in the order of the inventory. Records are read in the order of the
/// shard's keys: what lies together is read together, and binaries of one source share what was read.
fn groups<'a>(inventory: &'a Inventory, shard: &'a Shard, indexes: &[usize]) -> Result<Vec<Group<'a>>, DatabaseError> {
    let mut candidates = Vec::with_capacity(indexes.len());
    for &index in indexes {
        let Some(package) = inventory.packages.get(index) else { continue };
        for subject in java::subjects(package, inventory.distribution.as_ref(), shard)? {
            candidates.push((lookup_key(package.kind, subject.name), index, subject));
        }
    }
    candidates.sort_by(|a, b| a.0.cmp(&b.0));
    let mut last: Option<(String, Rc<Vec<Advisory>>)> = None;
    let mut packages: BTreeMap<usize, Vec<Found<'a>>> = BTreeMap::new();
    for (key, index, subject) in candidates {
        let records = match last.take() {
            Some((known, records)) if known == key => records,
            _ => Rc::new(shard.lookup(&key)?),
        };
        if !records.is_empty() {
            packages.entry(index).or_default().push((subject, Rc::clone(&records)));
        }
        last = Some((key, records));
    }
    let mut groups: Vec<Group<'a>> = Vec::new();
    let mut numbers = HashMap::new();
    for (index, found) in packages {
        let Some(package) = inventory.packages.get(index) else { continue };
        let subjects: Vec<Subject<'a>> = found.iter().map(|(subject, _)| *subject).collect();
        let is_commit = package.known_by == Some(KnownBy::Commit);
        let facts =
            (package.kind, package.version.as_str(), package.arch.as_deref(), package.module.as_deref(), is_commit);
        let number = *numbers.entry((subjects, facts)).or_insert(groups.len());
        match groups.get_mut(number) {
            Some(group) => group.packages.push((index, package)),
            None => groups.push(Group { found, packages: vec![(index, package)] }),
        }
    }
    Ok(groups)
}

fn judge_all<'a>(package: &Package, found: &'a [Found<'a>], system: &System<'_>) -> Vec<Judgement<'a>> {
    let records =
        found.iter().flat_map(|(subject, records)| records.iter().map(move |record| (subject, records, record)));
    records.map(|(subject, siblings, record)| judge::judge(record, siblings, package, *subject, system)).collect()
}

fn reference(index: usize, package: &Package, distribution: Option<&Distribution>) -> PackageRef {
    PackageRef {
        index,
        kind: package.kind,
        name: package.name.clone(),
        version: package.version.clone(),
        purl: package.purl(distribution),
    }
}

/// One gap for a package whose version could not be compared: what it would have is suppressed, not absent.
fn incomparable(package: &Package, judgements: &[Judgement<'_>]) -> Option<Gap> {
    let mut reasons = judgements.iter().filter_map(|judgement| match &judgement.opinion {
        Opinion::NotComparable { reason } => Some((judgement, reason)),
        _ => None,
    });
    let (first, reason) = reasons.next()?;
    let records: Vec<&str> =
        std::iter::once(first).chain(reasons.map(|(j, _)| j)).map(|j| j.record.id.as_str()).collect();
    let number = records.len();
    let named = records.get(..MOST_NAMED.min(number)).unwrap_or_default().join(", ");
    let more = number.saturating_sub(MOST_NAMED);
    let named = if more > 0 { format!("{named} and {more} more") } else { named };
    let subject = first.subject;
    let reason = if version::is_valid(subject.scheme, subject.version) {
        format!("{number} advisories about it were not compared ({named}): {reason}")
    } else {
        let (version, scheme) = (subject.version, subject.scheme);
        format!(
            "`{version}` is not a version that {scheme} can order; {number} advisories about it were not compared ({named})"
        )
    };
    Some(Gap::new(GapKind::NotComparable, format!("{} {}", package.name, package.version), reason))
}

/// Records that a gap names; the others are counted.
const MOST_NAMED: usize = 5;

/// What the database knows of names that stand for a CVE, where the records about a package do not say it.
fn links(judgements: &[Judgement<'_>], database: &Database) -> Result<Vec<(String, String)>, DatabaseError> {
    let mut links = Vec::new();
    for Judgement { record, .. } in judgements {
        let said = record.aliases.iter().any(|alias| alias.starts_with("CVE-"));
        for id in std::iter::once(&record.id).chain(&record.covers).filter(|_| !said) {
            if !["GHSA-", "GO-"].iter().any(|prefix| id.starts_with(prefix)) {
                continue;
            }
            if let Some(cve) = database.cve_facts(id)?.and_then(|facts| facts.alias_of) {
                links.push((id.clone(), cve));
            }
        }
    }
    Ok(links)
}
