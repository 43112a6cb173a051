//! Inventory × advisory index → findings, suppressions, coverage. Pure but for reading the index.
//!
//! For each package the records under its look-up names are collected, each is judged by constraints and version
//! (`judge`), the judgements are grouped into alias sets and each set is decided by rank (`decide`); what must not count
//! is set aside with its reason (`suppress`). What makes distributions differ lives in `distribution`. [`explain`] tells
//! the same way backwards, for one vulnerability.

mod content_sets;
mod decide;
mod distribution;
mod explain;
mod identity;
mod judge;
mod suppress;

use std::collections::BTreeMap;
use std::rc::Rc;

use crate::advisories::{Database, DatabaseError, Shard, lookup_key};
use crate::model::{
    Advisory, Coverage, CoverageStatus, Distribution, Finding, Gap, GapKind, Inventory, Package, PackageKind,
    PackageRef, ShardName, Suppressed, SuppressionReason,
};
use crate::version;

use decide::AliasSet;
use distribution::Subject;
use judge::{Judgement, Opinion};

pub use explain::{Case, Consulted, Explanation, Lookup, Said, Verdict, explain};

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
    let mut matched = Matched::default();
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
        match_shard(inventory, database, &shard, &indexes, &mut matched)?;
    }
    suppress::suppress(inventory, database, &mut matched)?;
    matched.findings.sort_by(|a, b| order(a).cmp(&order(b)));
    matched.suppressed.sort_by(|a, b| order(&a.finding).cmp(&order(&b.finding)));
    Ok(matched)
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

/// Matches the packages of one shard, in the order of its keys: what lies together is read together, and binaries of
/// one source share what was read.
fn match_shard(
    inventory: &Inventory,
    database: &Database,
    shard: &Shard,
    indexes: &[usize],
    matched: &mut Matched,
) -> Result<(), DatabaseError> {
    let distribution = inventory.distribution.as_ref();
    let mut candidates = Vec::with_capacity(indexes.len());
    for &index in indexes {
        let Some(package) = inventory.packages.get(index) else { continue };
        for subject in distribution::subjects(package, distribution) {
            candidates.push((lookup_key(package.kind, subject.name), index, package, subject));
        }
    }
    candidates.sort_by(|a, b| a.0.cmp(&b.0));
    let mut last: Option<(String, Rc<Vec<Advisory>>)> = None;
    let mut packages: BTreeMap<usize, Vec<Found<'_>>> = BTreeMap::new();
    for (key, index, _, subject) in candidates {
        let records = match &last {
            Some((known, records)) if *known == key => Rc::clone(records),
            _ => Rc::new(shard.lookup(&key)?),
        };
        if !records.is_empty() {
            packages.entry(index).or_default().push((subject, Rc::clone(&records)));
        }
        last = Some((key, records));
    }
    for (index, found) in packages {
        if let Some(package) = inventory.packages.get(index) {
            match_package(inventory, database, shard, (index, package), &found, matched)?;
        }
    }
    Ok(())
}

fn match_package(
    inventory: &Inventory,
    database: &Database,
    shard: &Shard,
    (index, package): (usize, &Package),
    found: &[Found<'_>],
    matched: &mut Matched,
) -> Result<(), DatabaseError> {
    let judgements = judge_all(package, found, inventory.distribution.as_ref());
    note_incomparable(package, &judgements, matched);
    let of_interest = |opinion: &Opinion| matches!(opinion, Opinion::Affected { .. } | Opinion::NotComparable { .. });
    if !judgements.iter().any(|judgement| of_interest(&judgement.opinion)) {
        return Ok(());
    }
    let package_ref = PackageRef {
        index,
        kind: package.kind,
        name: package.name.clone(),
        version: package.version.clone(),
        purl: package.purl(inventory.distribution.as_ref()),
    };
    let links = links(&judgements, database)?;
    for set in decide::alias_sets(&judgements, &links, package.kind) {
        decide_set(&set, package, &package_ref, shard, database, matched)?;
    }
    Ok(())
}

fn judge_all<'a>(package: &Package, found: &'a [Found<'a>], distribution: Option<&Distribution>) -> Vec<Judgement<'a>> {
    let records = found.iter().flat_map(|(subject, records)| records.iter().map(move |record| (subject, record)));
    records.map(|(subject, record)| judge::judge(record, package, *subject, distribution)).collect()
}

fn decide_set(
    set: &AliasSet<'_>,
    package: &Package,
    package_ref: &PackageRef,
    shard: &Shard,
    database: &Database,
    matched: &mut Matched,
) -> Result<(), DatabaseError> {
    if !decide::is_of_interest(set) {
        return Ok(());
    }
    let Some(decision) = decide::decide(set, package, package_ref, shard, database)? else { return Ok(()) };
    match decision.doubt {
        None => matched.findings.push(decision.finding),
        Some(explanation) => matched.suppressed.push(Suppressed {
            finding: decision.finding,
            reason: SuppressionReason::NotComparable,
            explanation,
        }),
    }
    Ok(())
}

/// One gap for a package whose version could not be compared: what it would have is suppressed, not absent.
fn note_incomparable(package: &Package, judgements: &[Judgement<'_>], matched: &mut Matched) {
    let mut reasons = judgements.iter().filter_map(|judgement| match &judgement.opinion {
        Opinion::NotComparable { reason } => Some((judgement, reason)),
        _ => None,
    });
    let Some((first, reason)) = reasons.next() else { return };
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
    matched.gaps.push(Gap::new(GapKind::NotComparable, format!("{} {}", package.name, package.version), reason));
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
