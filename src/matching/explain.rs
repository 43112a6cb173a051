//! Why an image has a vulnerability, or why it has not: the way of matching, told for one id.

use std::collections::BTreeSet;
use std::rc::Rc;

use crate::advisories::{Database, DatabaseError, Shard, lookup_key};
use crate::model::{
    Advisory, AdvisoryDetails, CveFacts, FeedId, Finding, FixState, Inventory, PackageRef, ShardName, Suppressed,
};

use super::content_sets::{ContentSet, System};
use super::judge::{self, Opinion};
use super::{Matched, by_shard, decide, java, judge_all, links, reference};

/// All that is known about one vulnerability in one image.
#[derive(Debug)]
pub struct Explanation {
    /// What was asked for.
    pub id: String,
    /// Other names of it, sorted.
    pub aliases: Vec<String>,
    /// What is known of it whatever the package.
    pub facts: CveFacts,
    /// What a feed says of it in general; absent where no feed that was asked describes it.
    pub details: Option<AdvisoryDetails>,
    /// The packages that a record about it names, those with findings first.
    pub cases: Vec<Case>,
    /// What was asked.
    pub lookups: Vec<Lookup>,
    /// What the image's content sets stand for, where a record about it speaks of Red Hat's products.
    pub content_sets: Vec<ContentSet>,
}

/// A shard and what the image has for it.
#[derive(Debug)]
pub struct Lookup {
    /// The shard.
    pub shard: ShardName,
    /// The packages that were looked up in it.
    pub packages: usize,
    /// Whether the database has it; without, nothing may be concluded about these packages.
    pub has_data: bool,
    /// Whether it describes the vulnerability, for whatever package.
    pub describes_it: bool,
}

/// One package that a record about the vulnerability names.
#[derive(Debug)]
pub struct Case {
    /// The package.
    pub package: PackageRef,
    /// The shard that was asked.
    pub shard: ShardName,
    /// The records, those that decide first.
    pub records: Vec<Consulted>,
    /// What came of them.
    pub verdict: Verdict,
}

/// What a case came to.
#[derive(Debug)]
pub enum Verdict {
    /// Findings, by more than one name where the id is an advisory about several vulnerabilities.
    Found(Vec<Finding>),
    /// Set aside.
    Suppressed(Vec<Suppressed>),
    /// No finding.
    NotFound,
}

/// One record about the vulnerability.
#[derive(Debug)]
pub struct Consulted {
    /// The feed that has it.
    pub feed: FeedId,
    /// Its id.
    pub advisory: String,
    /// The name and version that were compared.
    pub name: String,
    /// The version that was compared.
    pub version: String,
    /// What it says.
    pub said: Said,
    /// The comparison, or why there was none.
    pub comparison: String,
    /// What it says about a fix.
    pub fix: FixState,
    /// The fixed version that it names for the installed one.
    pub fixed: Option<String>,
    /// Whether it is of those that decide.
    pub decides: bool,
}

/// What a record says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Said {
    /// Affected.
    Affected,
    /// Not affected.
    NotAffected,
    /// Nothing: the versions have no order.
    NotComparable,
    /// Nothing: it is about other packages of this name.
    NotConcerned,
}

/// Explains what is known about `id` in an inventory that `matched` was made of.
///
/// # Errors
/// The index cannot be read.
pub fn explain(
    id: &str,
    inventory: &Inventory,
    matched: &Matched,
    database: &Database,
) -> Result<Explanation, DatabaseError> {
    let mut names = BTreeSet::from([id.to_owned()]);
    names.extend(database.cve_facts(id)?.and_then(|facts| facts.alias_of));
    let system = System::of(inventory.distribution.as_ref(), database)?;
    let mut consulted = Vec::new();
    let mut lookups = Vec::new();
    let mut details = None;
    for (name, indexes) in by_shard(inventory, database)? {
        let shard = database.shard(&name)?;
        let mut lookup =
            Lookup { shard: name.clone(), packages: indexes.len(), has_data: shard.is_some(), describes_it: false };
        if let Some(shard) = &shard {
            let about = shard.details(id)?;
            lookup.describes_it = about.is_some();
            details = details.or(about);
            for index in indexes {
                consulted.extend(consult(&mut names, inventory, &system, index, &name, (shard, database))?);
            }
        }
        lookups.push(lookup);
    }
    // A name that only a later record gave may be in an earlier finding.
    let mut cases: Vec<Case> = consulted
        .into_iter()
        .map(|(package, shard, records)| {
            let verdict = verdict(&package, &names, matched);
            Case { package, shard, records, verdict }
        })
        .collect();
    cases.sort_by_key(|case| match case.verdict {
        Verdict::Found(_) => 0,
        Verdict::Suppressed(_) => 1,
        Verdict::NotFound => 2,
    });
    let mut facts = CveFacts::default();
    for name in names.iter().filter(|name| name.starts_with("CVE-")) {
        facts = database.cve_facts(name)?.unwrap_or(facts);
    }
    names.remove(id);
    let aliases = names.into_iter().collect();
    let is_red_hats = |case: &Case| case.records.iter().any(|record| record.feed == FeedId::RedHat);
    let content_sets = if cases.iter().any(is_red_hats) { system.content_sets } else { Vec::new() };
    Ok(Explanation { id: id.to_owned(), aliases, facts, details, cases, lookups, content_sets })
}

type Found = (PackageRef, ShardName, Vec<Consulted>);

/// What the records about a package say of the vulnerability; `None` where there are none.
fn consult(
    names: &mut BTreeSet<String>,
    inventory: &Inventory,
    system: &System<'_>,
    index: usize,
    shard_name: &ShardName,
    (shard, database): (&Shard, &Database),
) -> Result<Option<Found>, DatabaseError> {
    let Some(package) = inventory.packages.get(index) else { return Ok(None) };
    let distribution = system.distribution;
    let mut found = Vec::new();
    for subject in java::subjects(package, distribution, shard)? {
        found.push((subject, Rc::new(shard.lookup(&lookup_key(package.kind, subject.name))?)));
    }
    let judgements = judge_all(package, &found, system);
    let links = links(&judgements, database)?;
    // The sets that the vulnerability is in: through one of its names, or through the advisory that was asked for.
    let mut decides = Vec::new();
    for set in decide::alias_sets(&judgements, &links, package.kind, |_| true) {
        if set.ids.iter().any(|id| names.contains(id)) {
            decides.extend(decide::deciding(&set).map(|judgement| std::ptr::from_ref(*judgement)));
            // An advisory about several vulnerabilities is no other name of one of them.
            names.extend(set.ids.iter().filter(|id| !is_collective(id, &judgements)).cloned());
        }
    }
    let about = |record: &Advisory| {
        std::iter::once(&record.id).chain(&record.aliases).chain(&record.covers).any(|id| names.contains(id))
    };
    let mut records: Vec<(_, Consulted)> = Vec::new();
    for judgement in judgements.iter().filter(|judgement| about(judgement.record)) {
        let decides = decides.contains(&std::ptr::from_ref(judgement));
        let (said, fixed) = match &judgement.opinion {
            Opinion::Affected { fixed, .. } => (Said::Affected, fixed.clone()),
            Opinion::NotAffected => (Said::NotAffected, None),
            Opinion::NotComparable { .. } => (Said::NotComparable, None),
            Opinion::NotConcerned { .. } => (Said::NotConcerned, None),
        };
        let consulted = Consulted {
            feed: judgement.record.feed,
            advisory: judgement.record.id.clone(),
            name: judgement.subject.name.to_owned(),
            version: judgement.subject.version.to_owned(),
            said,
            comparison: judge::comparison(judgement),
            fix: judgement.record.fix,
            fixed,
            decides,
        };
        records.push(((!decides, judgement.record.feed), consulted));
    }
    if records.is_empty() {
        return Ok(None);
    }
    records.sort_by_key(|(rank, _)| *rank);
    let package = reference(index, package, distribution);
    Ok(Some((package, shard_name.clone(), records.into_iter().map(|(_, consulted)| consulted).collect())))
}

fn is_collective(id: &str, judgements: &[judge::Judgement<'_>]) -> bool {
    judgements.iter().any(|judgement| judgement.record.id == id && !judgement.record.covers.is_empty())
}

/// What matching made of a package and the vulnerability.
fn verdict(package: &PackageRef, names: &BTreeSet<String>, matched: &Matched) -> Verdict {
    let is_it = |finding: &&Finding| {
        finding.package.index == package.index && finding.identifiers.iter().any(|id| names.contains(id))
    };
    let found: Vec<Finding> = matched.findings.iter().filter(is_it).cloned().collect();
    if !found.is_empty() {
        return Verdict::Found(found);
    }
    let suppressed: Vec<Suppressed> =
        matched.suppressed.iter().filter(|suppressed| is_it(&&suppressed.finding)).cloned().collect();
    if suppressed.is_empty() { Verdict::NotFound } else { Verdict::Suppressed(suppressed) }
}
