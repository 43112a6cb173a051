//! Inventory × advisory index → findings, suppressions, coverage. Pure but for reading the index.
//!
//! For each package the records under its look-up name are collected (`select`), each is judged by constraints and
//! version (`judge`), the verdicts are grouped into alias sets and each set is decided by rank (`decide`). What makes
//! distributions differ lives in `distribution`.

mod decide;
mod distribution;
mod identity;
mod judge;

use std::collections::BTreeMap;

use crate::advisories::{Database, DatabaseError, Shard, lookup_key};
use crate::model::{
    Coverage, CoverageStatus, Finding, Gap, GapKind, Inventory, Package, PackageRef, ShardName, Suppressed,
    SuppressionReason,
};
use crate::version::{self, Scheme};

use judge::Judgement;

/// What matching one inventory yields.
#[derive(Debug, Default)]
pub struct Matched {
    /// What counts, most severe first.
    pub findings: Vec<Finding>,
    /// What does not, with reasons.
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
    for (shard_name, indexes) in by_shard(inventory) {
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
        for index in indexes {
            if let Some(package) = inventory.packages.get(index) {
                match_package(inventory, database, &shard, index, package, &mut matched)?;
            }
        }
    }
    suppress(inventory, database, &mut matched)?;
    matched.findings.sort_by(|a, b| {
        (b.severity, &a.package.name, &a.package.version, &a.id).cmp(&(
            a.severity,
            &b.package.name,
            &b.package.version,
            &b.id,
        ))
    });
    Ok(matched)
}

/// The packages that can be looked up, by shard, in the order of the inventory.
fn by_shard(inventory: &Inventory) -> BTreeMap<ShardName, Vec<usize>> {
    let mut shards: BTreeMap<ShardName, Vec<usize>> = BTreeMap::new();
    for (index, package) in inventory.packages.iter().enumerate() {
        let shard = if package.kind.is_os() {
            // Packages without a distribution are a gap that the inventory names already.
            inventory.distribution.as_ref().map(crate::model::Distribution::shard)
        } else {
            package.kind.shard()
        };
        if let Some(shard) = shard {
            shards.entry(shard).or_default().push(index);
        }
    }
    shards
}

fn match_package(
    inventory: &Inventory,
    database: &Database,
    shard: &Shard,
    index: usize,
    package: &Package,
    matched: &mut Matched,
) -> Result<(), DatabaseError> {
    let Some(scheme) = Scheme::of(package.kind) else { return Ok(()) };
    let subject = distribution::subject(package, inventory.distribution.as_ref());
    let records = shard.lookup(&lookup_key(package.kind, subject.name))?;
    if records.is_empty() {
        return Ok(());
    }
    if !version::is_valid(scheme, subject.version) {
        let reason = format!(
            "`{}` is not a version that {scheme} can order; {} advisories about it were not compared",
            subject.version,
            records.len()
        );
        matched.gaps.push(Gap::new(GapKind::NotComparable, format!("{} {}", package.name, subject.version), reason));
        return Ok(());
    }
    let mut judgements = Vec::with_capacity(records.len());
    for record in &records {
        match judge::judge(record, package, &subject, scheme) {
            Ok(Some(judgement)) => judgements.push(judgement),
            Ok(None) => {}
            Err(reason) => {
                matched.gaps.push(Gap::new(GapKind::NotComparable, format!("{} {}", package.name, record.id), reason))
            }
        }
    }
    if !judgements.iter().any(Judgement::is_affected) {
        return Ok(());
    }
    let package_ref = PackageRef {
        index,
        kind: package.kind,
        name: package.name.clone(),
        version: package.version.clone(),
        purl: package.purl(inventory.distribution.as_ref()),
    };
    for group in decide::alias_sets(&judgements, package.kind) {
        if let Some(finding) = decide::decide(&group, &package_ref, scheme, shard, database)? {
            matched.findings.push(finding);
        }
    }
    Ok(())
}

/// Sets aside the findings that the distribution answers for, and those that its data must not judge.
fn suppress(inventory: &Inventory, database: &Database, matched: &mut Matched) -> Result<(), DatabaseError> {
    let os_shard = match &inventory.distribution {
        Some(distribution) => database.shard(&distribution.shard())?,
        None => None,
    };
    let mut kept = Vec::with_capacity(matched.findings.len());
    for finding in std::mem::take(&mut matched.findings) {
        let Some(package) = inventory.packages.get(finding.package.index) else { continue };
        let verdict = if package.kind.is_os() && package.third_party {
            let maker = package.vendor.as_deref().unwrap_or("a third party");
            Some((
                SuppressionReason::ThirdPartyPackage,
                format!("{} comes from {maker}; the distribution's data does not judge it", package.name),
            ))
        } else {
            covered_owner(inventory, os_shard.as_ref(), package)?
                .map(|explanation| (SuppressionReason::OwnedByOsPackage, explanation))
        };
        match verdict {
            Some((reason, explanation)) => matched.suppressed.push(Suppressed { finding, reason, explanation }),
            None => kept.push(finding),
        }
    }
    matched.findings = kept;
    Ok(())
}

/// Says why a language package is the distribution's business: an OS package owns its files, and the distribution's
/// data knows that package's name.
fn covered_owner(
    inventory: &Inventory,
    os_shard: Option<&Shard>,
    package: &Package,
) -> Result<Option<String>, DatabaseError> {
    let (Some(owner), Some(shard)) = (&package.owned_by, os_shard) else { return Ok(None) };
    let owner_name = owner.split_once(' ').map_or(owner.as_str(), |(name, _)| name);
    let Some(os_package) = inventory.packages.iter().find(|p| p.kind.is_os() && p.name == owner_name) else {
        return Ok(None);
    };
    if os_package.third_party {
        return Ok(None);
    }
    let subject = distribution::subject(os_package, inventory.distribution.as_ref());
    if shard.lookup(&lookup_key(os_package.kind, subject.name))?.is_empty() {
        return Ok(None);
    }
    Ok(Some(format!("its files belong to {owner}, for which the distribution's own advisories are used")))
}
