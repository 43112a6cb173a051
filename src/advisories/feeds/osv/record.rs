//! One OSV record → statements and details.

use std::borrow::Cow;

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::advisories::{Sink, lookup_key};
use crate::model::{self, Advisory, AdvisoryDetails, Event, FeedId, FixState, Range, Reference, Severity};
use crate::version::{self, Scheme, Verdict};

use super::super::cvss;
use super::LONGEST_DESCRIPTION;
use super::ecosystem::{self, Target};

const MOST_REFERENCES: usize = 20;

/// Reads one record; what is wrong with it is told to the sink.
pub(super) fn read(name: &str, bytes: &[u8], sink: &mut Sink) {
    if !name.ends_with(".json") {
        return;
    }
    let record: Record<'_> = match serde_json::from_slice(bytes) {
        Ok(record) => record,
        Err(error) => return sink.skip(&format!("{name}: {error}"), "malformed record"),
    };
    if record.withdrawn.is_some() {
        return sink.skip(&record.id, "withdrawn");
    }
    let mut details = None;
    for affected in &record.affected {
        let Some(package) = &affected.package else { continue };
        let Some(target) = ecosystem::target(&package.ecosystem) else {
            sink.skip(&package.ecosystem, "ecosystem that is not read");
            continue;
        };
        if !sink.wants(&target.shard) {
            continue;
        }
        let key = lookup_key(target.kind, &package.name);
        match statement(&record, affected, &target) {
            Some(advisory) => sink.advisory(&target.shard, key, advisory),
            None => {
                sink.skip(&format!("{} {}", record.id, package.name), "no range of versions and no versions");
                continue;
            }
        }
        let details = details.get_or_insert_with(|| self::details(&record));
        sink.details(&target.shard, &record.id, details.clone());
    }
}

/// What a record says about one package; `None` where it only has ranges of commits.
fn statement(record: &Record<'_>, affected: &Affected<'_>, target: &Target) -> Option<Advisory> {
    let ranges: Vec<Range> = affected.ranges.iter().filter(|range| range.kind != "GIT").map(range).collect();
    let versions = further_versions(target, &ranges, &affected.versions);
    if ranges.is_empty() && versions.is_empty() {
        return None;
    }
    let is_fixed = ranges.iter().flat_map(|range| &range.events).any(|event| matches!(event, Event::Fixed(_)));
    let is_cve = |id: &&Cow<'_, str>| id.starts_with("CVE-");
    let covers = if target.kind.is_os() {
        let named = record.upstream.iter().chain(&record.related).chain(&record.aliases);
        let mut covers: Vec<String> = named.filter(is_cve).map(ToString::to_string).collect();
        covers.sort_unstable();
        covers.dedup();
        covers
    } else {
        Vec::new()
    };
    let specific: Specific<'_> = parse(affected.ecosystem_specific).unwrap_or_default();
    Some(Advisory {
        id: record.id.to_string(),
        aliases: if target.kind.is_os() {
            Vec::new()
        } else {
            record.aliases.iter().map(ToString::to_string).collect()
        },
        covers,
        ranges,
        versions,
        fix: fix_state(is_fixed, specific.ubuntu_status.as_deref()),
        severity: severity(record, &specific),
        constraints: target.constraint.iter().cloned().collect(),
        feed: FeedId::Osv,
    })
}

fn range(range: &OsvRange<'_>) -> Range {
    let events = range.events.iter().filter_map(|event| {
        let event = match (&event.introduced, &event.fixed, &event.last_affected, &event.limit) {
            (Some(version), ..) => Event::Introduced(version.to_string()),
            (_, Some(version), ..) => Event::Fixed(version.to_string()),
            (_, _, Some(version), _) => Event::LastAffected(version.to_string()),
            (_, _, _, Some(version)) => Event::Limit(version.to_string()),
            _ => return None,
        };
        Some(event)
    });
    Range { events: events.collect() }
}

/// The enumerated versions that the ranges do not contain: most records enumerate what their ranges say already.
fn further_versions(target: &Target, ranges: &[Range], versions: &[Cow<'_, str>]) -> Vec<String> {
    let Some(scheme) = Scheme::of(target.kind) else { return versions.iter().map(ToString::to_string).collect() };
    let outside = versions
        .iter()
        .filter(|version| !matches!(version::evaluate(scheme, ranges, &[], version), Verdict::Affected { .. }));
    outside.map(ToString::to_string).collect()
}

/// Ubuntu says in words what it means to do.
fn fix_state(is_fixed: bool, ubuntu_status: Option<&str>) -> FixState {
    let word = ubuntu_status.and_then(|status| status.split_whitespace().next());
    match word {
        Some("deferred") => FixState::Deferred,
        Some("ignored") => FixState::WillNotFix,
        Some("not-affected" | "DNE") => FixState::NotAffected,
        Some("needs-triage") => FixState::UnderInvestigation,
        _ if is_fixed => FixState::Fixed,
        _ => FixState::NotFixed,
    }
}

/// The upstream's own word, where it has one.
fn severity(record: &Record<'_>, specific: &Specific<'_>) -> Option<Severity> {
    if record.id.starts_with("MAL-") {
        return Some(Severity::Critical);
    }
    if let Some(urgency) = specific.urgency.as_deref() {
        return urgency.parse().ok();
    }
    let word =
        record.severity.iter().find(|severity| severity.kind == "Ubuntu").map(|severity| severity.score.as_ref());
    let database: DatabaseSpecific<'_> = parse(record.database_specific).unwrap_or_default();
    // AlmaLinux and Rocky write it before the colon of the summary.
    let prefix = record.summary.as_deref().and_then(|summary| summary.split_once(": ")).map(|(word, _)| word);
    word.and_then(|word| word.parse().ok())
        .or_else(|| database.severity.as_deref()?.parse().ok())
        .or_else(|| prefix.filter(|_| record.id.contains("SA-")).and_then(|word| word.parse().ok()))
}

fn details(record: &Record<'_>) -> AdvisoryDetails {
    let vectors = record.severity.iter().filter(|severity| severity.kind.starts_with("CVSS_"));
    let cvss = vectors.filter_map(|severity| {
        let score = cvss::score(&severity.score)?;
        Some(model::Cvss { vector: severity.score.to_string(), score, source: "osv".to_owned() })
    });
    let database: DatabaseSpecific<'_> = parse(record.database_specific).unwrap_or_default();
    let is_link = |url: &str| ["https://", "http://", "ftp://"].iter().any(|scheme| url.starts_with(scheme));
    let references = record.references.iter().filter(|reference| is_link(&reference.url)).take(MOST_REFERENCES);
    AdvisoryDetails {
        summary: record.summary.as_deref().unwrap_or_default().chars().take(250).collect(),
        description: record.details.as_deref().unwrap_or_default().chars().take(LONGEST_DESCRIPTION).collect(),
        cvss: cvss.collect(),
        references: references
            .map(|reference| Reference { kind: reference.kind.to_string(), url: reference.url.to_string() })
            .collect(),
        cwes: database.cwe_ids.iter().take(10).map(ToString::to_string).collect(),
        published: record.published.as_deref().and_then(timestamp),
        modified: record.modified.as_deref().and_then(timestamp),
    }
}

/// A date of the record; the year 1 is how some say that there is none.
fn timestamp(text: &str) -> Option<Timestamp> {
    text.parse().ok().filter(|stamp: &Timestamp| stamp.as_second() > 0)
}

fn parse<'a, T: Deserialize<'a>>(value: Option<&'a RawValue>) -> Option<T> {
    serde_json::from_str(value?.get()).ok()
}

#[derive(Deserialize)]
struct Record<'a> {
    #[serde(borrow)]
    id: Cow<'a, str>,
    #[serde(borrow, default)]
    aliases: Vec<Cow<'a, str>>,
    #[serde(borrow, default)]
    upstream: Vec<Cow<'a, str>>,
    #[serde(borrow, default)]
    related: Vec<Cow<'a, str>>,
    #[serde(borrow, default)]
    summary: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    details: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    published: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    modified: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    withdrawn: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    severity: Vec<OsvSeverity<'a>>,
    #[serde(borrow, default)]
    affected: Vec<Affected<'a>>,
    #[serde(borrow, default)]
    references: Vec<OsvReference<'a>>,
    #[serde(borrow, default)]
    database_specific: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct OsvSeverity<'a> {
    #[serde(borrow, rename = "type")]
    kind: Cow<'a, str>,
    #[serde(borrow)]
    score: Cow<'a, str>,
}

#[derive(Deserialize)]
struct Affected<'a> {
    #[serde(borrow, default)]
    package: Option<OsvPackage<'a>>,
    #[serde(borrow, default)]
    ranges: Vec<OsvRange<'a>>,
    #[serde(borrow, default)]
    versions: Vec<Cow<'a, str>>,
    #[serde(borrow, default)]
    ecosystem_specific: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct OsvPackage<'a> {
    #[serde(borrow)]
    ecosystem: Cow<'a, str>,
    #[serde(borrow)]
    name: Cow<'a, str>,
}

#[derive(Deserialize)]
struct OsvRange<'a> {
    #[serde(borrow, rename = "type")]
    kind: Cow<'a, str>,
    #[serde(borrow, default)]
    events: Vec<OsvEvent<'a>>,
}

#[derive(Deserialize)]
struct OsvEvent<'a> {
    #[serde(borrow, default)]
    introduced: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    fixed: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    last_affected: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    limit: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct OsvReference<'a> {
    #[serde(borrow, default, rename = "type")]
    kind: Cow<'a, str>,
    #[serde(borrow)]
    url: Cow<'a, str>,
}

/// What only some ecosystems have.
#[derive(Deserialize, Default)]
struct Specific<'a> {
    #[serde(borrow, default)]
    ubuntu_status: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    urgency: Option<Cow<'a, str>>,
}

/// What only some databases have.
#[derive(Deserialize, Default)]
struct DatabaseSpecific<'a> {
    #[serde(borrow, default)]
    severity: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    cwe_ids: Vec<Cow<'a, str>>,
}
