//! Many statements about one vulnerability → at most one finding.
//!
//! Statements are grouped into alias sets. In a set the feed of the highest rank decides ([`FeedId`]'s order: a
//! distribution's own tracker before its advisories); among statements of equal rank one that says "affected" wins
//! (the worst-case rule), and the fix is the highest of the fixed versions, so that installing it satisfies them all.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use crate::advisories::{Database, DatabaseError, Shard};
use crate::model::{
    AdvisoryDetails, CveFacts, Cvss, Finding, Fix, FixState, PackageKind, PackageRef, Severity, Statement,
};
use crate::version::{self, Scheme};

use super::identity;
use super::judge::Judgement;

/// All statements about one vulnerability.
#[derive(Debug)]
pub(super) struct AliasSet<'a> {
    /// All ids, primary first.
    ids: Vec<String>,
    statements: Vec<&'a Judgement<'a>>,
}

/// Groups judgements into alias sets. An advisory that covers several vulnerabilities speaks in each of their sets.
pub(super) fn alias_sets<'a>(judgements: &'a [Judgement<'a>], kind: PackageKind) -> Vec<AliasSet<'a>> {
    let mut sets = DisjointSets::default();
    for judgement in judgements {
        let record = judgement.record;
        if record.covers.is_empty() {
            for alias in &record.aliases {
                sets.join(&record.id, alias);
            }
            sets.find(&record.id);
        } else {
            for covered in &record.covers {
                sets.find(covered);
            }
        }
    }
    let mut groups: BTreeMap<String, AliasSet<'a>> = BTreeMap::new();
    for judgement in judgements {
        let record = judgement.record;
        let own = [record.id.clone()];
        let vulnerabilities: &[String] = if record.covers.is_empty() { &own } else { &record.covers };
        for vulnerability in vulnerabilities {
            let group = groups
                .entry(sets.find(vulnerability))
                .or_insert_with(|| AliasSet { ids: Vec::new(), statements: Vec::new() });
            group.ids.push(vulnerability.clone());
            group.ids.push(record.id.clone());
            if record.covers.is_empty() {
                group.ids.extend(record.aliases.iter().cloned());
            }
            if !group.statements.iter().any(|known| std::ptr::eq(*known, judgement)) {
                group.statements.push(judgement);
            }
        }
    }
    let mut groups: Vec<_> = groups.into_values().collect();
    for group in &mut groups {
        identity::sort(&mut group.ids, kind);
        group.statements.sort_by_key(|judgement| judgement.record.feed);
    }
    groups
}

/// Decides an alias set: a finding where the deciding statements say "affected".
pub(super) fn decide(
    set: &AliasSet<'_>,
    package: &PackageRef,
    scheme: Scheme,
    shard: &Shard,
    database: &Database,
) -> Result<Option<Finding>, DatabaseError> {
    let Some(deciding_feed) = set.statements.first().map(|judgement| judgement.record.feed) else { return Ok(None) };
    let deciding: Vec<_> = set
        .statements
        .iter()
        .filter(|judgement| judgement.record.feed == deciding_feed && judgement.affected)
        .collect();
    let (Some(first), Some(id)) = (deciding.first(), set.ids.first()) else { return Ok(None) };

    let fixed = deciding
        .iter()
        .filter_map(|judgement| judgement.fixed.as_deref())
        .max_by(|a, b| version::compare(scheme, a, b).unwrap_or(Ordering::Equal));
    let fix = Fix {
        state: if fixed.is_some() { FixState::Fixed } else { first.record.fix },
        version: fixed.map(ToOwned::to_owned),
    };
    let mut details = AdvisoryDetails::default();
    for judgement in &set.statements {
        if let Some(more) = shard.details(&judgement.record.id)? {
            complete(&mut details, more);
        }
    }
    let facts = match set.ids.iter().find(|id| id.starts_with("CVE-")) {
        Some(cve) => database.cve_facts(cve)?.unwrap_or_default(),
        None => CveFacts::default(),
    };
    let mut cvss = details.cvss;
    cvss.extend(
        facts.cvss.iter().filter(|c| !cvss.iter().any(|known| known.vector == c.vector)).cloned().collect::<Vec<_>>(),
    );
    let (severity, severity_source) = severity(&deciding, &cvss);
    Ok(Some(Finding {
        id: id.clone(),
        identifiers: set.ids.clone(),
        package: package.clone(),
        fix,
        severity,
        severity_source,
        cvss,
        title: details.summary,
        description: details.description,
        references: details.references,
        cwes: details.cwes,
        published: details.published,
        modified: details.modified,
        kev: facts.kev,
        epss: facts.epss,
        change: None,
        statements: deciding
            .iter()
            .map(|judgement| Statement {
                feed: judgement.record.feed,
                advisory: judgement.record.id.clone(),
                name: judgement.name.to_owned(),
                comparison: judgement.comparison.clone(),
            })
            .collect(),
    }))
}

/// Fills what is still empty; statements come in order of rank.
fn complete(details: &mut AdvisoryDetails, more: AdvisoryDetails) {
    fn text(have: &mut String, more: String) {
        if have.is_empty() {
            *have = more;
        }
    }
    text(&mut details.summary, more.summary);
    text(&mut details.description, more.description);
    if details.references.is_empty() {
        details.references = more.references;
    }
    if details.cwes.is_empty() {
        details.cwes = more.cwes;
    }
    for vector in more.cvss {
        if !details.cvss.iter().any(|known| known.vector == vector.vector) {
            details.cvss.push(vector);
        }
    }
    details.published = details.published.or(more.published);
    details.modified = details.modified.max(more.modified);
}

/// The upstream's own word first, the worst of equals; else CVSS v4, v3, v2, in this order.
fn severity(deciding: &[&&Judgement<'_>], cvss: &[Cvss]) -> (Severity, String) {
    let stated = deciding
        .iter()
        .filter_map(|judgement| judgement.record.severity.map(|severity| (severity, judgement.record.feed.name())))
        .filter(|(severity, _)| *severity != Severity::Unknown)
        .max_by_key(|(severity, _)| *severity);
    if let Some((severity, feed)) = stated {
        return (severity, feed.to_owned());
    }
    let version = |vector: &Cvss| match vector.vector.as_bytes() {
        [b'C', b'V', b'S', b'S', b':', major, ..] => major.wrapping_sub(b'0'),
        _ => 2,
    };
    let mut best: Option<&Cvss> = None;
    for candidate in cvss {
        if best.is_none_or(|known| version(candidate) > version(known)) {
            best = Some(candidate);
        }
    }
    best.map_or((Severity::Unknown, "none".into()), |vector| {
        (Severity::from_score(vector.score), format!("CVSS v{} ({})", version(vector), vector.source))
    })
}

/// Union-find over ids.
#[derive(Debug, Default)]
struct DisjointSets {
    parents: BTreeMap<String, String>,
}

impl DisjointSets {
    fn find(&mut self, id: &str) -> String {
        let mut root = id.to_owned();
        while let Some(parent) = self.parents.get(&root) {
            if *parent == root {
                return root;
            }
            root.clone_from(parent);
        }
        self.parents.insert(root.clone(), root.clone());
        root
    }

    fn join(&mut self, a: &str, b: &str) {
        let (a, b) = (self.find(a), self.find(b));
        let (low, high) = if a <= b { (a, b) } else { (b, a) };
        self.parents.insert(high, low);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Advisory, FeedId};

    fn record(id: &str, aliases: &[&str], covers: &[&str], feed: FeedId) -> Advisory {
        let owned = |ids: &[&str]| ids.iter().map(|&id| id.to_owned()).collect();
        Advisory {
            id: id.into(),
            aliases: owned(aliases),
            covers: owned(covers),
            ranges: vec![],
            versions: vec![],
            fix: FixState::NotFixed,
            severity: None,
            constraints: vec![],
            feed,
        }
    }

    fn judgements(records: &[Advisory]) -> Vec<Judgement<'_>> {
        records
            .iter()
            .map(|record| Judgement { record, name: "p", affected: true, comparison: String::new(), fixed: None })
            .collect()
    }

    #[test]
    fn aliases_make_one_set_and_covered_vulnerabilities_one_each() {
        let records = [
            record("GHSA-1", &["CVE-1"], &[], FeedId::Osv),
            record("PYSEC-1", &["CVE-1", "GHSA-1"], &[], FeedId::Osv),
            record("DSA-1", &[], &["CVE-2", "CVE-3"], FeedId::Osv),
            record("CVE-3", &[], &[], FeedId::DebianTracker),
            record("RUSTSEC-9", &[], &[], FeedId::Osv),
        ];
        let judgements = judgements(&records);
        let sets = alias_sets(&judgements, PackageKind::Pypi);
        let ids: Vec<Vec<&str>> = sets.iter().map(|set| set.ids.iter().map(String::as_str).collect()).collect();
        assert_eq!(
            ids,
            [vec!["CVE-1", "PYSEC-1", "GHSA-1"], vec!["CVE-2", "DSA-1"], vec!["CVE-3", "DSA-1"], vec!["RUSTSEC-9"]]
        );
        // The tracker outranks the advisory.
        assert_eq!(sets.get(2).and_then(|set| set.statements.first()).map(|j| j.record.id.as_str()), Some("CVE-3"));
    }

    #[test]
    fn severity_is_the_upstreams_word_before_cvss() {
        let mut stated = record("X", &[], &[], FeedId::Osv);
        let vector = |text: &str, score| Cvss { vector: text.into(), score, source: "nvd".into() };
        let vectors =
            [vector("AV:N/AC:L/Au:N/C:P/I:P/A:P", 7.5), vector("CVSS:3.1/AV:N", 9.8), vector("CVSS:4.0/AV:N", 6.0)];
        let records = [stated.clone()];
        let unstated = judgements(&records);
        let deciding: Vec<_> = unstated.iter().collect();
        assert_eq!(
            severity(&deciding.iter().collect::<Vec<_>>(), &vectors),
            (Severity::Medium, "CVSS v4 (nvd)".into())
        );
        assert_eq!(severity(&deciding.iter().collect::<Vec<_>>(), &[]), (Severity::Unknown, "none".into()));
        stated.severity = Some(Severity::Low);
        let records = [stated];
        let judged = judgements(&records);
        let deciding: Vec<_> = judged.iter().collect();
        assert_eq!(severity(&deciding.iter().collect::<Vec<_>>(), &vectors), (Severity::Low, "osv".into()));
    }
}
