//! Many statements about one vulnerability → at most one finding.
//!
//! Statements are grouped into alias sets. In a set the feed of the highest rank decides ([`FeedId`]'s order: a
//! distribution's own tracker before its advisories), and in it what it says of the package's own line before what it
//! says in general, and that before what it says of all that a source is built to. Among statements of equal rank one
//! that says "affected" wins (the worst-case rule). The fix is the lowest version that none of them calls affected;
//! where there is none, the highest fixed version that they name. A fix that only a feed of lower rank knows is a fix
//! too, whatever the deciding one plans.
//!
//! What people read about a vulnerability is looked up for those that become findings only, all at once ([`Known`]).
//!
//! [`FeedId`]: crate::model::FeedId

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::advisories::{Database, DatabaseError, Shard};
use crate::model::{
    Advisory, AdvisoryDetails, CveFacts, Cvss, FeedId, Finding, Fix, FixState, Package, PackageKind, PackageRef,
    Severity, Statement,
};
use crate::version;

use super::distribution;
use super::identity;
use super::judge::{Judgement, Opinion, Precedence};

/// All statements about one vulnerability.
#[derive(Debug)]
pub(super) struct AliasSet<'a> {
    /// All ids, primary first.
    pub(super) ids: Vec<String>,
    /// By rank.
    pub(super) statements: Vec<&'a Judgement<'a>>,
}

/// What an alias set comes to.
#[derive(Debug)]
pub(super) struct Decision {
    pub(super) finding: Finding,
    /// Why the versions could not be compared; the finding is then only what would be one.
    pub(super) doubt: Option<String>,
}

/// Groups judgements into alias sets, those that one of the `wanted` is in. An advisory that covers several
/// vulnerabilities speaks in each of their sets. `links` are pairs of ids that are known to be the same from elsewhere.
pub(super) fn alias_sets<'a>(
    judgements: &'a [Judgement<'a>],
    links: &'a [(String, String)],
    kind: PackageKind,
    wanted: impl Fn(&Opinion) -> bool,
) -> Vec<AliasSet<'a>> {
    let judgements =
        || judgements.iter().filter(|judgement| !matches!(judgement.opinion, Opinion::NotConcerned { .. }));
    let mut sets = DisjointSets::default();
    for judgement in judgements() {
        let record = judgement.record;
        if record.covers.is_empty() {
            for alias in &record.aliases {
                sets.join(&record.id, alias);
            }
        }
    }
    for (a, b) in links {
        sets.join(a, b);
    }
    let mut groups: BTreeMap<usize, AliasSet<'a>> = BTreeMap::new();
    // Most records are about versions that are not installed, and nobody asks what sets they are in.
    for judgement in judgements().filter(|judgement| wanted(&judgement.opinion)) {
        for vulnerability in vulnerabilities(judgement.record) {
            groups
                .entry(sets.find(vulnerability))
                .or_insert_with(|| AliasSet { ids: Vec::new(), statements: Vec::new() });
        }
    }
    for judgement in judgements() {
        let record = judgement.record;
        for vulnerability in vulnerabilities(record) {
            let Some(group) = groups.get_mut(&sets.find(vulnerability)) else { continue };
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
    for (a, b) in links {
        if let Some(group) = groups.get_mut(&sets.find(a)) {
            group.ids.extend([a.clone(), b.clone()]);
        }
    }
    let mut groups: Vec<_> = groups.into_values().collect();
    for group in &mut groups {
        identity::sort(&mut group.ids, kind);
        group.statements.sort_by_key(|judgement| rank(judgement));
    }
    groups.sort_by(|a, b| a.ids.cmp(&b.ids));
    groups
}

/// What a record is about: itself, or those that it covers.
fn vulnerabilities(record: &Advisory) -> &[String] {
    if record.covers.is_empty() { std::slice::from_ref(&record.id) } else { &record.covers }
}

/// Who speaks first: the better feed, and in it the statement about the package's own line.
fn rank(judgement: &Judgement<'_>) -> (FeedId, Precedence) {
    (judgement.record.feed, judgement.precedence)
}

/// The statements that decide: all of the highest rank.
pub(super) fn deciding<'s, 'a>(set: &'s AliasSet<'a>) -> impl Iterator<Item = &'s &'a Judgement<'a>> {
    let highest = set.statements.first().map(|judgement| rank(judgement));
    set.statements.iter().filter(move |judgement| Some(rank(judgement)) == highest)
}

/// Whether an alias set may come to anything.
pub(super) fn is_of_interest(set: &AliasSet<'_>) -> bool {
    deciding(set).any(|judgement| judgement.opinion.is_of_interest())
}

/// What the database has for people about the vulnerabilities of alias sets.
#[derive(Debug, Default)]
pub(super) struct Known {
    details: HashMap<String, AdvisoryDetails>,
    facts: HashMap<String, CveFacts>,
}

impl Known {
    /// Reads it in the order of the keys, so that what lies together is read together.
    pub(super) fn read<'s, 'a: 's>(
        sets: impl Iterator<Item = &'s AliasSet<'a>> + Clone,
        shard: &Shard,
        database: &Database,
    ) -> Result<Self, DatabaseError> {
        let mut known = Self::default();
        let advisories: BTreeSet<&str> =
            sets.clone().flat_map(|set| &set.statements).map(|judgement| judgement.record.id.as_str()).collect();
        for id in advisories {
            if let Some(details) = shard.details(id)? {
                known.details.insert(id.to_owned(), details);
            }
        }
        for cve in sets.filter_map(cve).collect::<BTreeSet<&str>>() {
            if let Some(facts) = database.cve_facts(cve)? {
                known.facts.insert(cve.to_owned(), facts);
            }
        }
        Ok(known)
    }
}

fn cve<'s>(set: &'s AliasSet<'_>) -> Option<&'s str> {
    set.ids.iter().map(String::as_str).find(|id| id.starts_with("CVE-"))
}

/// Decides an alias set for packages that are judged alike: a finding for each where the deciding statements say
/// "affected".
pub(super) fn decide(set: &AliasSet<'_>, packages: &[(&Package, PackageRef)], known: &Known) -> Vec<Decision> {
    let affected: Vec<_> = deciding(set).filter(|j| matches!(j.opinion, Opinion::Affected { .. })).copied().collect();
    let (said, doubt) = if affected.is_empty() {
        let doubtful: Vec<_> =
            deciding(set).filter(|j| matches!(j.opinion, Opinion::NotComparable { .. })).copied().collect();
        let doubt = doubtful.first().map(|judgement| super::judge::comparison(judgement));
        (doubtful, doubt)
    } else {
        (affected, None)
    };
    let Some(id) = set.ids.first().filter(|_| !said.is_empty()) else { return Vec::new() };
    let mut details = AdvisoryDetails::default();
    for more in set.statements.iter().filter_map(|judgement| known.details.get(&judgement.record.id)) {
        complete(&mut details, more);
    }
    let facts = cve(set).and_then(|cve| known.facts.get(cve)).cloned().unwrap_or_default();
    let mut cvss = details.cvss;
    let own = cvss.len();
    for vector in facts.cvss {
        if !cvss.iter().take(own).any(|known| known.vector == vector.vector) {
            cvss.push(vector);
        }
    }
    let (severity, severity_source) = severity(&said, &set.ids, &cvss);
    let best = fix(set, &said);
    let statements: Vec<Statement> = said
        .iter()
        .chain(best.iter().filter(|best| best.is_of_lower_rank).map(|best| &best.judgement))
        .map(|judgement| Statement {
            feed: judgement.record.feed,
            advisory: judgement.record.id.clone(),
            name: judgement.subject.name.to_owned(),
            comparison: super::judge::comparison(judgement),
        })
        .collect();
    let state = said.first().map_or(FixState::Unknown, |judgement| judgement.record.fix);
    let fix = |package: &Package| match &best {
        Some(best) => {
            let (version, source) = distribution::installed_fix(package, &best.judgement.subject, best.version);
            Fix { state: FixState::Fixed, version: Some(version), source }
        }
        None => Fix { state, version: None, source: None },
    };
    let finding = |(package, package_ref): &(&Package, PackageRef)| Finding {
        id: id.clone(),
        identifiers: set.ids.clone(),
        package: package_ref.clone(),
        fix: fix(package),
        severity,
        severity_source: severity_source.clone(),
        cvss: cvss.clone(),
        title: details.summary.clone(),
        description: details.description.clone(),
        references: details.references.clone(),
        cwes: details.cwes.clone(),
        published: details.published,
        modified: details.modified,
        kev: facts.kev.clone(),
        epss: facts.epss.clone(),
        change: None,
        original_severity: None,
        factors: Vec::new(),
        score: 0,
        statements: statements.clone(),
    };
    packages.iter().map(|package| Decision { finding: finding(package), doubt: doubt.clone() }).collect()
}

/// A fixed version and the statement that names it.
struct BestFix<'a, 'j> {
    judgement: &'j Judgement<'a>,
    version: &'j str,
    /// Whether it is none of the statements that decide.
    is_of_lower_rank: bool,
}

/// The fix that the deciding statements name; else that of the first statement of lower rank that names one: a version
/// that is there overrules what is planned, also the end of support, before which it may have come.
fn fix<'a>(set: &AliasSet<'a>, said: &[&'a Judgement<'a>]) -> Option<BestFix<'a, 'a>> {
    let of = |said: &[&'a Judgement<'a>], is_of_lower_rank| {
        best_fix(said).map(|(judgement, version)| BestFix { judgement, version, is_of_lower_rank })
    };
    let mut lower = set.statements.iter().filter(|judgement| !said.iter().any(|s| std::ptr::eq(*s, **judgement)));
    of(said, false).or_else(|| lower.find_map(|judgement| of(&[judgement], true)))
}

/// The lowest fixed version that none of the statements calls affected; else the highest that they name.
fn best_fix<'j, 'a>(said: &[&'j Judgement<'a>]) -> Option<(&'j Judgement<'a>, &'j str)> {
    let order = |scheme, a: &str, b: &str| version::compare(scheme, a, b).unwrap_or(Ordering::Equal);
    let mut fixes: Vec<(&Judgement<'_>, &str)> = said
        .iter()
        .filter_map(|judgement| match &judgement.opinion {
            Opinion::Affected { fixed: Some(fixed), .. } => Some((*judgement, fixed.as_str())),
            _ => None,
        })
        .collect();
    fixes.sort_by(|a, b| order(a.0.subject.scheme, a.1, b.1));
    let is_free = |version: &str| {
        said.iter().all(|judgement| {
            let (record, scheme) = (judgement.record, judgement.subject.scheme);
            version::is_affected(scheme, &record.ranges, &record.versions, version) == Some(false)
        })
    };
    fixes.iter().find(|(_, version)| is_free(version)).or(fixes.last()).copied()
}

/// Fills what is still empty; statements come in order of rank.
fn complete(details: &mut AdvisoryDetails, more: &AdvisoryDetails) {
    fn text(have: &mut String, more: &str) {
        if have.is_empty() {
            more.clone_into(have);
        }
    }
    text(&mut details.summary, &more.summary);
    text(&mut details.description, &more.description);
    if details.references.is_empty() {
        details.references.clone_from(&more.references);
    }
    if details.cwes.is_empty() {
        details.cwes.clone_from(&more.cwes);
    }
    for vector in &more.cvss {
        if !details.cvss.iter().any(|known| known.vector == vector.vector) {
            details.cvss.push(vector.clone());
        }
    }
    details.published = details.published.or(more.published);
    details.modified = details.modified.max(more.modified);
}

/// The upstream's own word first, the worst of equals; else CVSS v4, v3, v2, in this order. Malicious packages are
/// critical, whatever anybody says.
fn severity(said: &[&Judgement<'_>], ids: &[String], cvss: &[Cvss]) -> (Severity, String) {
    if ids.iter().any(|id| id.starts_with("MAL-")) {
        return (Severity::Critical, "malicious package".to_owned());
    }
    let stated = said
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
struct DisjointSets<'a> {
    numbers: HashMap<&'a str, usize>,
    parents: Vec<usize>,
}

impl<'a> DisjointSets<'a> {
    /// The number of the set that an id is in, its own where it is alone.
    fn find(&mut self, id: &'a str) -> usize {
        let next = self.parents.len();
        let mut root = *self.numbers.entry(id).or_insert(next);
        if root == next {
            self.parents.push(next);
        }
        while let Some(parent) = self.parents.get(root).copied().filter(|parent| *parent != root) {
            root = parent;
        }
        root
    }

    fn join(&mut self, a: &'a str, b: &'a str) {
        let (a, b) = (self.find(a), self.find(b));
        if let Some(parent) = self.parents.get_mut(a.max(b)) {
            *parent = a.min(b);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::matching::content_sets::System;
    use crate::matching::distribution::Subject;
    use crate::model::{Advisory, Event, Range};
    use crate::version::Scheme;

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

    fn fixed_in(id: &str, feed: FeedId, events: &[(&str, &str)]) -> Advisory {
        let event = |(word, version): &(&str, &str)| match *word {
            "introduced" => Event::Introduced((*version).to_owned()),
            "fixed" => Event::Fixed((*version).to_owned()),
            _ => Event::LastAffected((*version).to_owned()),
        };
        Advisory { ranges: vec![Range { events: events.iter().map(event).collect() }], ..record(id, &[], &[], feed) }
    }

    const SUBJECT: Subject<'static> =
        Subject { name: "p", version: "1.0", scheme: Scheme::Semver, is_source: false, is_guess: false };

    fn judgements(records: &[Advisory]) -> Vec<Judgement<'_>> {
        let package = Package::new(PackageKind::Npm, "p", "1.0");
        records
            .iter()
            .map(|record| super::super::judge::judge(record, records, &package, SUBJECT, &System::default()))
            .collect()
    }

    fn ids<'a>(sets: &'a [AliasSet<'_>]) -> Vec<Vec<&'a str>> {
        sets.iter().map(|set| set.ids.iter().map(String::as_str).collect()).collect()
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
        let sets = alias_sets(&judgements, &[], PackageKind::Pypi, |_| true);
        assert_eq!(
            ids(&sets),
            [vec!["CVE-1", "PYSEC-1", "GHSA-1"], vec!["CVE-2", "DSA-1"], vec!["CVE-3", "DSA-1"], vec!["RUSTSEC-9"]]
        );
        // The tracker outranks the advisory.
        assert_eq!(sets.get(2).and_then(|set| set.statements.first()).map(|j| j.record.id.as_str()), Some("CVE-3"));
    }

    #[test]
    fn ids_that_are_the_same_elsewhere_are_the_same_here() {
        // Wolfi lists both names of a flaw as entries of their own.
        let records = [
            record("CVE-1", &[], &[], FeedId::AlpineSecdb),
            record("GHSA-1", &[], &[], FeedId::AlpineSecdb),
            record("GHSA-2", &[], &[], FeedId::AlpineSecdb),
        ];
        let judgements = judgements(&records);
        let links = [("GHSA-1".to_owned(), "CVE-1".to_owned()), ("GHSA-2".to_owned(), "CVE-2".to_owned())];
        let sets = alias_sets(&judgements, &links, PackageKind::Apk, |_| true);
        assert_eq!(ids(&sets), [["CVE-1", "GHSA-1"], ["CVE-2", "GHSA-2"]]);
        assert_eq!(sets.first().map(|set| set.statements.len()), Some(2));
    }

    #[test]
    fn the_fix_is_the_lowest_that_satisfies_all_statements() {
        let bad = ("introduced", "0");
        for (what, records, expected) in [
            ("one", vec![vec![bad, ("fixed", "1.5")]], Some("1.5")),
            ("the higher of two", vec![vec![bad, ("fixed", "1.5")], vec![bad, ("fixed", "1.4")]], Some("1.5")),
            (
                "a branch's own fix, not the next branch's",
                vec![vec![bad, ("fixed", "1.5"), ("introduced", "2.0"), ("fixed", "2.1")], vec![bad, ("fixed", "1.4")]],
                Some("1.5"),
            ),
            (
                "one that another statement calls affected is none",
                vec![vec![bad, ("fixed", "1.5")], vec![bad, ("last_affected", "1.6")], vec![bad, ("fixed", "1.7")]],
                Some("1.7"),
            ),
            ("better than nothing", vec![vec![bad, ("fixed", "1.5")], vec![bad]], Some("1.5")),
            ("none", vec![vec![bad]], None),
        ] {
            let records: Vec<_> = records.iter().map(|events| fixed_in("CVE-1", FeedId::Osv, events)).collect();
            let judgements = judgements(&records);
            let said: Vec<_> = judgements.iter().collect();
            assert_eq!(best_fix(&said).map(|(_, version)| version), expected, "{what}");
        }
    }

    #[test]
    fn a_known_fix_overrules_plans_and_the_deciding_feed_decides() {
        let package = Package::new(PackageKind::Npm, "p", "1.0");
        let open = |fix| Advisory { fix, ..fixed_in("CVE-1", FeedId::DebianTracker, &[("introduced", "0")]) };
        let fixed = fixed_in("CVE-1", FeedId::Osv, &[("introduced", "0"), ("fixed", "1.5")]);
        for (what, records, affected, state, version) in [
            ("ignored", vec![open(FixState::WillNotFix)], true, FixState::WillNotFix, None),
            ("postponed", vec![open(FixState::Deferred)], true, FixState::Deferred, None),
            ("end of life", vec![open(FixState::EndOfLife)], true, FixState::EndOfLife, None),
            ("ignored, fixed", vec![open(FixState::WillNotFix), fixed.clone()], true, FixState::Fixed, Some("1.5")),
            ("end of life, fixed", vec![open(FixState::EndOfLife), fixed.clone()], true, FixState::Fixed, Some("1.5")),
            ("not affected", vec![open(FixState::NotAffected), fixed.clone()], false, FixState::Unknown, None),
        ] {
            let judgements = judgements(&records);
            let sets = alias_sets(&judgements, &[], PackageKind::Npm, |_| true);
            let set = sets.first().expect("one set");
            assert_eq!((sets.len(), is_of_interest(set)), (1, affected), "{what}");
            if affected {
                let package_ref = super::super::reference(0, &package, None);
                let decisions = decide(set, &[(&package, package_ref)], &Known::default());
                let fix = &decisions.first().expect("a finding").finding.fix;
                assert_eq!((fix.state, fix.version.as_deref()), (state, version), "{what}");
            }
        }
    }

    #[test]
    fn the_worst_case_wins_among_equals() {
        let records = [
            fixed_in("GHSA-1", FeedId::Osv, &[("introduced", "0"), ("fixed", "0.9")]),
            Advisory {
                aliases: vec!["GHSA-1".into()],
                ..fixed_in("PYSEC-1", FeedId::Osv, &[("introduced", "0"), ("fixed", "1.1")])
            },
        ];
        let judgements = judgements(&records);
        let sets = alias_sets(&judgements, &[], PackageKind::Pypi, |_| true);
        assert_eq!((sets.len(), sets.first().is_some_and(is_of_interest)), (1, true));
    }

    #[test]
    fn severity_is_the_upstreams_word_before_cvss() {
        let mut stated = record("X", &[], &[], FeedId::Osv);
        let vector = |text: &str, score| Cvss { vector: text.into(), score, source: "nvd".into() };
        let vectors =
            [vector("AV:N/AC:L/Au:N/C:P/I:P/A:P", 7.5), vector("CVSS:3.1/AV:N", 9.8), vector("CVSS:4.0/AV:N", 6.0)];
        let records = [stated.clone()];
        let unstated = judgements(&records);
        let said: Vec<_> = unstated.iter().collect();
        assert_eq!(severity(&said, &[], &vectors), (Severity::Medium, "CVSS v4 (nvd)".into()));
        assert_eq!(severity(&said, &[], &[]), (Severity::Unknown, "none".into()));
        assert_eq!(severity(&said, &["MAL-2024-1".into()], &[]), (Severity::Critical, "malicious package".into()));
        stated.severity = Some(Severity::Low);
        let records = [stated];
        let judged = judgements(&records);
        let said: Vec<_> = judged.iter().collect();
        assert_eq!(severity(&said, &[], &vectors), (Severity::Low, "osv".into()));
    }
}
