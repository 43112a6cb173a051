//! One OSV record → what it says about each package, and what people read.

use std::borrow::Cow;
use std::collections::BTreeSet;

use jiff::Timestamp;

use crate::advisories::vector::base_score;
use crate::advisories::{Sink, lookup_key, text};
use crate::model::{
    Advisory, AdvisoryDetails, Constraint, Cvss, Event, FeedId, FixState, PackageKind, Range, Severity,
};
use crate::version::{self, Scheme};

use super::super::erratum::modules_in;
use super::ecosystem::{self, Target};
use super::record::{
    Affected, DatabaseSpecific, EcosystemSpecific, OsvEvent, OsvSeverity, Record, read as read_member,
};

const MOST_CWES: usize = 10;

/// Reads one record of the export; what is wrong with it is told to the sink.
pub(super) fn read(name: &str, bytes: &[u8], sink: &mut Sink) {
    read_of(FeedId::Osv, name, bytes, sink);
}

/// Reads one record of a feed in OSV's form.
pub(in crate::advisories::feeds) fn read_of(feed: FeedId, name: &str, bytes: &[u8], sink: &mut Sink) {
    let record: Record<'_> = match serde_json::from_slice(bytes) {
        Ok(record) => record,
        Err(error) => return sink.skip(&format!("{name}: {error}"), "malformed record"),
    };
    if feed != FeedId::Osv {
        // The export repeats it; the feed itself comes first.
        sink.supersedes(FeedId::Osv, &record.id);
    }
    if record.id.is_empty() {
        return sink.skip(name, "no identifier");
    }
    if record.withdrawn.is_some() {
        return sink.skip(&record.id, "withdrawn");
    }
    let mut shards = BTreeSet::new();
    if let Some(cve) = only_cve(&record) {
        sink.alias(&record.id, cve);
    }
    for affected in &record.affected {
        let Some(package) = &affected.package else { continue };
        let Some(target) = ecosystem::target(&package.ecosystem) else {
            sink.skip(&package.ecosystem, "ecosystem that is not read");
            continue;
        };
        if !sink.wants(&target.shard) {
            continue;
        }
        match statement(&record, affected, &target) {
            Ok(advisory) => {
                for mut advisory in per_module(advisory, &record, &target) {
                    advisory.feed = feed;
                    sink.advisory(&target.shard, lookup_key(target.kind, &package.name), &advisory);
                }
                shards.insert(target.shard);
            }
            Err(reason) => sink.skip(&format!("{} {}", record.id, package.name), reason),
        }
    }
    if !shards.is_empty() {
        sink.details(&shards, &record.id, &details(&record));
    }
}

/// The one CVE that a GitHub or Go advisory is another name of.
fn only_cve<'a>(record: &'a Record<'_>) -> Option<&'a str> {
    if !["GHSA-", "GO-"].iter().any(|prefix| record.id.starts_with(prefix)) {
        return None;
    }
    let mut cves = record.aliases.iter().filter(|alias| alias.starts_with("CVE-"));
    let first = cves.next()?;
    cves.next().is_none().then_some(first.as_ref())
}

/// What a record says about one package, or why that is of no use.
fn statement(record: &Record<'_>, affected: &Affected<'_>, target: &Target) -> Result<Advisory, &'static str> {
    let covers = if target.kind.is_os() { covered(record) } else { Vec::new() };
    if covers.is_empty() && is_no_security_advisory(&record.id) {
        return Err("not about security");
    }
    let of_versions = affected.ranges.iter().filter(|range| range.kind != "GIT");
    let ranges: Vec<Range> = of_versions
        .map(|range| Range { events: range.events.iter().flat_map(events).collect() })
        // A range that begins nowhere contains nothing.
        .filter(|range| range.events.iter().any(|event| matches!(event, Event::Introduced(_))))
        .collect();
    let versions = further_versions(target, &ranges, &affected.versions);
    if ranges.is_empty() && versions.is_empty() {
        return Err("no range of versions and no versions");
    }
    let is_fixed = ranges.iter().flat_map(|range| &range.events).any(|event| matches!(event, Event::Fixed(_)));
    let specific: EcosystemSpecific<'_> = read_member(affected.ecosystem_specific).unwrap_or_default();
    let aliases = record.aliases.iter().filter(|alias| covers.is_empty() && **alias != record.id);
    Ok(Advisory {
        id: record.id.to_string(),
        aliases: aliases.map(ToString::to_string).collect(),
        ranges,
        versions,
        fix: fix_state(is_fixed, &specific),
        severity: severity(record, affected, &specific, target),
        constraints: target.constraint.iter().cloned().collect(),
        feed: FeedId::Osv,
        covers,
    })
}

/// Errata of Red Hat's kind are security (`SA`), bug-fix (`BA`) or enhancement (`EA`) advisories.
fn is_no_security_advisory(id: &str) -> bool {
    let kind = id.split(['-', ':']).next().unwrap_or_default();
    kind.len() == 4 && kind.starts_with(['R', 'A']) && (kind.ends_with("BA") || kind.ends_with("EA"))
}

/// The vulnerabilities that a distribution's record is about: the CVEs that it names, else others' identifiers.
fn covered(record: &Record<'_>) -> Vec<String> {
    if record.id.starts_with("CVE-") {
        return Vec::new();
    }
    let named = [&record.upstream, &record.related, &record.aliases];
    let with_prefix = |prefix: &str| -> Option<BTreeSet<String>> {
        let of = |ids: &&Vec<Cow<'_, str>>| -> BTreeSet<String> {
            ids.iter().filter(|id| id.starts_with(prefix)).map(ToString::to_string).collect()
        };
        named.iter().map(of).find(|ids| !ids.is_empty())
    };
    // `UBUNTU-CVE-2024-1` and `ALPINE-CVE-2024-1` say it themselves.
    let own = || record.id.find("-CVE-").and_then(|at| record.id.get(at + 1..)).map(|id| BTreeSet::from([id.into()]));
    let covered = with_prefix("CVE-").or_else(own).or_else(|| with_prefix("GHSA-"));
    covered.unwrap_or_default().into_iter().collect()
}

/// The events of an object; older records hold several in one.
fn events(event: &OsvEvent<'_>) -> impl Iterator<Item = Event> {
    let of = |version: &Option<Cow<'_, str>>, make: fn(String) -> Event| version.as_deref().map(|v| make(v.to_owned()));
    let all = [
        of(&event.introduced, Event::Introduced),
        of(&event.fixed, Event::Fixed),
        of(&event.last_affected, Event::LastAffected),
        of(&event.limit, Event::Limit),
    ];
    all.into_iter().flatten()
}

/// The enumerated versions that the ranges do not contain: most records enumerate what their ranges say already.
fn further_versions(target: &Target, ranges: &[Range], versions: &[Cow<'_, str>]) -> Vec<String> {
    let all = || versions.iter().map(ToString::to_string).collect();
    let Some(scheme) = Scheme::of(target.kind).filter(|_| !ranges.is_empty()) else { return all() };
    let outside = versions.iter().filter(|version| version::is_affected(scheme, ranges, &[], version) != Some(true));
    outside.map(ToString::to_string).collect()
}

/// Debian and Ubuntu say in words what they mean to do; a fix that is known overrules plans.
fn fix_state(is_fixed: bool, specific: &EcosystemSpecific<'_>) -> FixState {
    let urgency: Option<String> = read_member(specific.urgency);
    let status: Option<String> = read_member(specific.ubuntu_status);
    let status = status.as_deref().unwrap_or_default().trim();
    let (word, reason) = status.split_once(|c: char| !(c.is_ascii_alphabetic() || c == '-')).unwrap_or((status, ""));
    let is_over = ["end of life", "end-of-life", "end of standard support", "out of standard support"];
    match word {
        "not-affected" | "DNE" => FixState::NotAffected,
        _ if is_fixed => FixState::Fixed,
        "ignored" if is_over.iter().any(|words| reason.contains(words)) => FixState::EndOfLife,
        "ignored" => FixState::WillNotFix,
        "deferred" => FixState::Deferred,
        "needs-triage" => FixState::UnderInvestigation,
        _ if urgency.as_deref() == Some("end-of-life") => FixState::EndOfLife,
        _ => FixState::NotFixed,
    }
}

/// The upstream's own word, where it has one.
fn severity(
    record: &Record<'_>,
    affected: &Affected<'_>,
    specific: &EcosystemSpecific<'_>,
    target: &Target,
) -> Option<Severity> {
    if record.id.starts_with("MAL-") {
        return Some(Severity::Critical);
    }
    let word = |value| read_member::<String>(value).and_then(|word| word.parse().ok());
    let ubuntu = |scores: &[OsvSeverity<'_>]| {
        scores.iter().find(|score| score.kind == "Ubuntu").and_then(|score| score.score.parse().ok())
    };
    // Red Hat's form of a title, which those who rebuild its packages keep: `Important: kernel security update`.
    let title = || {
        let (word, _) = record.summary.as_deref().filter(|_| target.kind.is_os())?.split_once(": ")?;
        matches!(word, "Critical" | "Important" | "Moderate" | "Low").then(|| word.parse().ok())?
    };
    let of_package: DatabaseSpecific<'_> = read_member(affected.database_specific).unwrap_or_default();
    let of_record: DatabaseSpecific<'_> = read_member(record.database_specific).unwrap_or_default();
    // RustSec: a crate that nobody maintains any more is no vulnerability, only good to know.
    let informational = || match read_member::<String>(of_package.informational)?.as_str() {
        "unmaintained" | "notice" => Some(Severity::Info),
        _ => None,
    };
    ubuntu(&affected.severity)
        .or_else(|| ubuntu(&record.severity))
        .or_else(|| word(specific.urgency))
        .or_else(|| word(specific.severity))
        .or_else(title)
        .or_else(informational)
        .or_else(|| word(of_package.severity))
        .or_else(|| word(of_record.severity))
        .filter(|severity| *severity != Severity::Unknown)
}

/// A package of a module is only judged by the advisories of its module: one statement for each module that the title
/// names (`Moderate: virt:rhel and virt-devel:rhel security update`), where the fixed version is one of a module.
fn per_module(advisory: Advisory, record: &Record<'_>, target: &Target) -> Vec<Advisory> {
    let of_module = |event: &Event| matches!(event, Event::Fixed(version) if version.contains(".module"));
    if !matches!(target.kind, PackageKind::Rpm)
        || !advisory.ranges.iter().flat_map(|range| &range.events).any(of_module)
    {
        return vec![advisory];
    }
    let modules = modules_in(record.summary.as_deref().unwrap_or_default());
    if modules.is_empty() {
        return vec![advisory];
    }
    let of = |module: &&str| {
        let mut advisory = advisory.clone();
        advisory.constraints.push(Constraint::Module((*module).to_owned()));
        advisory
    };
    modules.iter().map(of).collect()
}

fn details(record: &Record<'_>) -> AdvisoryDetails {
    let of_packages = record.affected.iter().flat_map(|affected| &affected.severity);
    let mut cvss: Vec<Cvss> = Vec::new();
    for severity in record.severity.iter().chain(of_packages).filter(|severity| severity.kind.starts_with("CVSS_")) {
        if cvss.iter().all(|known| known.vector != severity.score) {
            cvss.extend(base_score(&severity.score).map(|score| Cvss {
                vector: severity.score.to_string(),
                score,
                source: FeedId::Osv.name().to_owned(),
            }));
        }
    }
    let of_record: DatabaseSpecific<'_> = read_member(record.database_specific).unwrap_or_default();
    let mut cwes: Vec<String> = read_member(of_record.cwe_ids).unwrap_or_default();
    cwes.truncate(MOST_CWES);
    AdvisoryDetails {
        summary: text::summary(record.summary.as_deref().unwrap_or_default()),
        description: text::description(record.details.as_deref().unwrap_or_default()),
        cvss,
        references: text::references(record.references.iter().map(|link| (link.kind.as_ref(), link.url.as_ref()))),
        cwes,
        published: record.published.as_deref().and_then(timestamp),
        modified: record.modified.as_deref().and_then(timestamp),
    }
}

/// A date of the record; the year 1 is how some say that there is none.
fn timestamp(text: &str) -> Option<Timestamp> {
    text.parse().ok().filter(|stamp: &Timestamp| stamp.as_second() > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is read of a record, given as the inside of its object, about one package `p` with one range.
    fn read_one(ecosystem: &str, id: &str, record: &str, affected: &str) -> (Option<Advisory>, Sink) {
        let json = format!(
            r#"{{"id":"{id}",{record}"affected":[{{"package":{{"ecosystem":"{ecosystem}","name":"p"}},{affected}
               "ranges":[{{"type":"ECOSYSTEM","events":[{{"introduced":"0"}},{{"fixed":"2"}}]}}]}}]}}"#
        );
        let mut sink = Sink::new(None, "osv/test".into());
        read("record.json", json.as_bytes(), &mut sink);
        let shard = ecosystem::target(ecosystem).expect("a known ecosystem").shard;
        (sink.decoded(shard.as_str()).pop().map(|(_, advisory)| advisory), sink)
    }

    #[test]
    fn distributions_records_cover_the_vulnerabilities_that_they_name() {
        for (ecosystem, id, record, covers, aliases) in [
            ("Debian:12", "DSA-1-1", r#""upstream":["CVE-2","CVE-1","DSA-1"],"#, vec!["CVE-1", "CVE-2"], vec![]),
            ("Debian:12", "DSA-1-1", r#""upstream":null,"related":["CVE-1"],"#, vec!["CVE-1"], vec![]),
            ("AlmaLinux:9", "ALSA-2024:1", r#""related":["CVE-1"],"aliases":["CVE-9"],"#, vec!["CVE-1"], vec![]),
            ("Ubuntu:22.04:LTS", "UBUNTU-CVE-2024-1", "", vec!["CVE-2024-1"], vec![]),
            ("Alpine:v3.20", "CVE-2024-1", r#""related":["CVE-2"],"#, vec![], vec![]),
            ("Wolfi", "CGA-a", r#""related":["CGA-a","CVE-1","GHSA-x"],"#, vec!["CVE-1"], vec![]),
            ("Wolfi", "CGA-a", r#""related":["CGA-a","GHSA-x"],"#, vec!["GHSA-x"], vec![]),
            ("Debian:12", "DSA-2-1", r#""aliases":["XSA-1"],"#, vec![], vec!["XSA-1"]),
            ("PyPI", "GHSA-x", r#""aliases":["CVE-1","GHSA-x"],"related":["CVE-2"],"#, vec![], vec!["CVE-1"]),
        ] {
            let (advisory, _) = read_one(ecosystem, id, record, "");
            let advisory = advisory.unwrap_or_else(|| panic!("{id} {record}"));
            assert_eq!((advisory.covers, advisory.aliases), (owned(&covers), owned(&aliases)), "{id} {record}");
        }
    }

    fn owned(ids: &[&str]) -> Vec<String> {
        ids.iter().map(|id| (*id).to_owned()).collect()
    }

    #[test]
    fn what_concerns_nobody_is_left_out_and_counted() {
        for (ecosystem, id, record, reason) in [
            ("npm", "GHSA-x", r#""withdrawn":"2024-01-01T00:00:00Z","#, "withdrawn"),
            ("npm", "", "", "no identifier"),
            ("AlmaLinux:9", "ALBA-2024:1", r#""related":[],"#, "not about security"),
            ("Rocky Linux:9", "RLEA-2024:1", "", "not about security"),
            ("npm", "GHSA-x", r#""aliases":7,"#, "malformed record"),
        ] {
            let (advisory, sink) = read_one(ecosystem, id, record, "");
            assert_eq!(advisory, None, "{id}");
            let skipped: Vec<_> = sink.source.skipped.iter().map(|(why, s)| (why.as_str(), s.count)).collect();
            assert_eq!(skipped, [(reason, 1)], "{id}");
        }
        let (advisory, _) = read_one("AlmaLinux:9", "ALBA-2024:1", r#""related":["CVE-1"],"#, "");
        assert!(advisory.is_some(), "a bug-fix advisory that names a CVE is about security");
    }

    #[test]
    fn severity_is_the_upstreams_own_word() {
        let high = r#""severity":[{"type":"CVSS_V3","score":"CVSS:3.1/AV:N"},{"type":"Ubuntu","score":"high"}],"#;
        for (ecosystem, id, record, affected, expected) in [
            ("Ubuntu:22.04:LTS", "UBUNTU-CVE-1", high, "", Some(Severity::High)),
            ("Ubuntu:22.04:LTS", "UBUNTU-CVE-1", "", high, Some(Severity::High)),
            ("AlmaLinux:9", "ALSA-1", r#""summary":"Important: kernel security update","#, "", Some(Severity::High)),
            ("AlmaLinux:9", "ALSA-1", r#""summary":"kernel: Low","#, "", None),
            ("npm", "GHSA-1", r#""summary":"Critical: all is lost","#, "", None),
            ("npm", "GHSA-1", r#""database_specific":{"severity":"MODERATE"},"#, "", Some(Severity::Medium)),
            ("npm", "GHSA-1", r#""database_specific":{"severity":["x"]},"#, "", None),
            ("npm", "MAL-2024-1", "", "", Some(Severity::Critical)),
            (
                "Debian:12",
                "DEBIAN-CVE-1",
                "",
                r#""ecosystem_specific":{"urgency":"unimportant"},"#,
                Some(Severity::Info),
            ),
            ("Debian:12", "DEBIAN-CVE-1", "", r#""ecosystem_specific":{"urgency":"not yet assigned"},"#, None),
            (
                "crates.io",
                "RUSTSEC-1",
                "",
                r#""database_specific":{"informational":"unmaintained"},"#,
                Some(Severity::Info),
            ),
            ("crates.io", "RUSTSEC-1", "", r#""database_specific":{"informational":"unsound"},"#, None),
            ("crates.io", "RUSTSEC-1", "", r#""database_specific":{"informational":null},"#, None),
            ("npm", "GHSA-1", "", r#""database_specific":7,"ecosystem_specific":[],"#, None),
        ] {
            let (advisory, sink) = read_one(ecosystem, id, record, affected);
            let advisory = advisory.unwrap_or_else(|| panic!("{id} {record} {affected}: {:?}", sink.source.skipped));
            assert_eq!(advisory.severity, expected, "{id} {record} {affected}");
        }
    }

    #[test]
    fn words_about_a_fix() {
        use FixState::{Deferred, EndOfLife, Fixed, NotAffected, NotFixed, UnderInvestigation, WillNotFix};
        for (status, without_fix, with_fix) in [
            ("released (1.2-3)", NotFixed, Fixed),
            ("needed", NotFixed, Fixed),
            ("pending (1.2-4)", NotFixed, Fixed),
            ("deferred (2024-01-01)", Deferred, Fixed),
            ("ignored (changes too intrusive)", WillNotFix, Fixed),
            ("ignored (end of life, was needed)", EndOfLife, Fixed),
            ("ignored (out of standard support)", EndOfLife, Fixed),
            ("needs-triage", UnderInvestigation, Fixed),
            ("not-affected (code not present)", NotAffected, NotAffected),
            ("DNE", NotAffected, NotAffected),
            ("", NotFixed, Fixed),
        ] {
            let json = format!(r#"{{"ubuntu_status":"{status}"}}"#);
            let specific: EcosystemSpecific<'_> = serde_json::from_slice(json.as_bytes()).expect("an object");
            assert_eq!(fix_state(false, &specific), without_fix, "{status}");
            assert_eq!(fix_state(true, &specific), with_fix, "{status} with a fix");
        }
    }

    #[test]
    fn ranges_and_versions() {
        let range = |events: &str| format!(r#"{{"type":"SEMVER","events":[{events}]}}"#);
        for (ranges, versions, expected) in [
            // The upper version is not in the range, the others are.
            (
                range(r#"{"introduced":"1.0.0"},{"fixed":"1.2.0"}"#),
                r#"["1.0.0","1.1.0","1.3.0"]"#,
                Some((1, vec!["1.3.0"])),
            ),
            (range(r#"{"introduced":"1.0.0","last_affected":"1.2.0"}"#), "null", Some((1, vec![]))),
            (range(r#"{"fixed":"1.2.0"}"#), "[]", None),
            (range(""), "[]", None),
            (r#"{"type":"GIT","events":[{"introduced":"0"}]}"#.to_owned(), r#"["1.0.0"]"#, Some((0, vec!["1.0.0"]))),
            (r#"{"type":"GIT","events":[{"introduced":"0"}]}"#.to_owned(), "[]", None),
        ] {
            let json = format!(
                r#"{{"id":"GHSA-1","affected":[{{"package":{{"ecosystem":"npm","name":"p"}},
                   "ranges":[{ranges}],"versions":{versions}}}]}}"#
            );
            let mut sink = Sink::new(None, "osv/npm".into());
            read("record.json", json.as_bytes(), &mut sink);
            let found = sink.decoded("npm").pop().map(|(_, advisory)| (advisory.ranges.len(), advisory.versions));
            assert_eq!(found, expected.map(|(ranges, versions)| (ranges, owned(&versions))), "{json}");
        }
    }

    #[test]
    fn packages_of_modules_have_statements_of_their_own() {
        for (summary, fixed, modules) in [
            ("Important: nodejs:18 security update", "1:18.1-1.module_el8.6.0+1", vec!["nodejs:18"]),
            (
                "Low: virt:rhel and virt-devel:rhel security update",
                "1-1.module_el8",
                vec!["virt-devel:rhel", "virt:rhel"],
            ),
            ("Important: nodejs:18 security update", "1:18.1-1.el9", vec![]),
            ("Moderate: pki-core security update", "1-1.module_el8", vec![]),
        ] {
            let json = format!(
                r#"{{"id":"ALSA-1","summary":"{summary}","affected":[{{"package":{{"ecosystem":"AlmaLinux:8","name":"p"}},
                   "ranges":[{{"type":"ECOSYSTEM","events":[{{"introduced":"0"}},{{"fixed":"{fixed}"}}]}}]}}]}}"#
            );
            let mut sink = Sink::new(None, "osv/AlmaLinux".into());
            read("record.json", json.as_bytes(), &mut sink);
            let found: Vec<Constraint> =
                sink.decoded("almalinux-8").into_iter().flat_map(|(_, advisory)| advisory.constraints).collect();
            let expected: Vec<_> = modules.iter().map(|module| Constraint::Module((*module).to_owned())).collect();
            assert_eq!(found, expected, "{summary} {fixed}");
        }
    }
}
