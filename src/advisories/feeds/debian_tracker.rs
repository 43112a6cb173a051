//! Debian's security tracker (`/tracker/data/json`): every CVE of every source package in every release.
//!
//! Each status keeps its meaning: `resolved` with a version is a fix in this release, with `0` means never affected;
//! `open` is affected, and `nodsa` says what the security team intends; `undetermined` says nothing and is left out.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::advisories::{Feed, FeedError, Fetch, Sink, lookup_key, text};
use crate::model::{
    Advisory, AdvisoryDetails, Event, FeedId, FixState, PackageKind, Range, Reference, Severity, ShardName,
};

pub(in crate::advisories) struct DebianTracker;

const FILE: &str = "debian/tracker/data/json";

/// Code names of releases that the tracker may speak of.
const RELEASES: [(&str, &str); 11] = [
    ("wheezy", "7"),
    ("jessie", "8"),
    ("stretch", "9"),
    ("buster", "10"),
    ("bullseye", "11"),
    ("bookworm", "12"),
    ("trixie", "13"),
    ("forky", "14"),
    ("duke", "15"),
    ("sid", "sid"),
    ("experimental", "experimental"),
];

impl Feed for DebianTracker {
    fn id(&self) -> FeedId {
        FeedId::DebianTracker
    }

    fn license(&self) -> &'static str {
        "MIT"
    }

    fn folder(&self) -> &'static str {
        "debian"
    }

    fn upstream(&self, path: &str) -> Option<String> {
        path.strip_prefix("debian/").map(|rest| format!("https://security-tracker.debian.org/{rest}"))
    }

    fn files(&self, _fetch: &dyn Fetch, wanted: Option<&BTreeSet<ShardName>>) -> Vec<String> {
        let any = wanted.is_none_or(|wanted| wanted.iter().any(|shard| shard.as_str().starts_with("debian-")));
        if any { vec![FILE.to_owned()] } else { Vec::new() }
    }

    fn read(&self, _path: &str, bytes: &[u8], sink: &mut Sink) -> Result<(), FeedError> {
        let packages: BTreeMap<Cow<'_, str>, &RawValue> = serde_json::from_slice(bytes).map_err(FeedError::new)?;
        for (package, raw) in packages {
            let issues: BTreeMap<Cow<'_, str>, &RawValue> = match serde_json::from_slice(raw.get().as_bytes()) {
                Ok(issues) => issues,
                Err(error) => {
                    sink.skip(&format!("{package}: {error}"), MALFORMED);
                    continue;
                }
            };
            for (id, raw) in issues {
                match serde_json::from_slice(raw.get().as_bytes()) {
                    Ok(issue) => read_issue(&package, &id, &issue, sink),
                    Err(error) => sink.skip(&format!("{package} {id}: {error}"), MALFORMED),
                }
            }
        }
        Ok(())
    }
}

const MALFORMED: &str = "malformed record";

fn read_issue(package: &str, id: &str, issue: &Issue<'_>, sink: &mut Sink) {
    let mut shards = Vec::new();
    for (codename, raw) in issue.releases.iter().flatten() {
        let Some((_, version)) = RELEASES.iter().find(|(known, _)| known == codename) else {
            sink.skip(codename, "unknown release");
            continue;
        };
        let shard = ShardName::new(format!("debian-{version}"));
        if !sink.wants(&shard) {
            continue;
        }
        let judged = serde_json::from_slice(raw.get().as_bytes()).map_err(|error| error.to_string());
        match judged.and_then(|release| advisory(id, &release)) {
            Ok(Some(advisory)) => {
                sink.advisory(&shard, lookup_key(PackageKind::Deb, package), &advisory);
                shards.push(shard);
            }
            Ok(None) => sink.skip(&format!("{package} {id}"), "undetermined"),
            Err(error) => sink.skip(&format!("{package} {id} {codename}: {error}"), MALFORMED),
        }
    }
    sink.details(&shards, id, &details(id, issue));
}

/// What the tracker says of one release; `None` where it has not decided.
fn advisory(id: &str, release: &Release<'_>) -> Result<Option<Advisory>, String> {
    let fixed = release.fixed_version.as_deref().filter(|version| !version.is_empty());
    let urgency = release.urgency.as_deref().unwrap_or_default().trim_end_matches('*');
    let (fix, fixed) = match (release.status.as_ref(), fixed) {
        ("resolved", Some("0")) => (FixState::NotAffected, None),
        // A known fix overrules what was planned before it.
        ("resolved" | "open", Some(version)) => (FixState::Fixed, Some(version)),
        ("resolved", None) => return Err("resolved without a fixed version".to_owned()),
        ("open", None) if urgency == "end-of-life" => (FixState::EndOfLife, None),
        ("open", None) => match release.nodsa_reason.as_deref() {
            Some("ignored") => (FixState::WillNotFix, None),
            Some("postponed") => (FixState::Deferred, None),
            // Also without an advisory planned: a fix may still come with a point release.
            _ => (FixState::NotFixed, None),
        },
        ("undetermined", _) => return Ok(None),
        (status, _) => return Err(format!("unknown status `{status}`")),
    };
    let mut events = vec![Event::Introduced("0".into())];
    events.extend(fixed.map(|version| Event::Fixed(version.to_owned())));
    let ranges = if fix == FixState::NotAffected { Vec::new() } else { vec![Range { events }] };
    let severity = match urgency {
        "unimportant" => Some(Severity::Info),
        "low" => Some(Severity::Low),
        "medium" => Some(Severity::Medium),
        "high" => Some(Severity::High),
        _ => None,
    };
    Ok(Some(Advisory {
        id: id.to_owned(),
        aliases: Vec::new(),
        covers: Vec::new(),
        ranges,
        versions: Vec::new(),
        fix,
        severity,
        constraints: Vec::new(),
        feed: FeedId::DebianTracker,
    }))
}

fn details(id: &str, issue: &Issue<'_>) -> AdvisoryDetails {
    AdvisoryDetails {
        description: text::description(issue.description.as_deref().unwrap_or_default()),
        references: vec![Reference {
            kind: "ADVISORY".into(),
            url: format!("https://security-tracker.debian.org/tracker/{id}"),
        }],
        ..AdvisoryDetails::default()
    }
}

#[derive(Deserialize)]
struct Issue<'a> {
    #[serde(borrow, default)]
    description: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    releases: Option<BTreeMap<Cow<'a, str>, &'a RawValue>>,
}

#[derive(Deserialize)]
struct Release<'a> {
    #[serde(borrow)]
    status: Cow<'a, str>,
    #[serde(borrow, default)]
    fixed_version: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    urgency: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    nodsa_reason: Option<Cow<'a, str>>,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is read of one package whose one CVE has this entry for bookworm.
    fn read(release: &str) -> (Option<Advisory>, Sink) {
        let json = format!(r#"{{"openssl":{{"CVE-2024-1":{{"releases":{{"bookworm":{release}}}}}}},"broken":[]}}"#);
        let mut sink = Sink::new(None, "debian/tracker/data".into());
        DebianTracker.read(FILE, json.as_bytes(), &mut sink).expect("an object");
        let advisory = sink.decoded("debian-12").pop().map(|(_, advisory)| advisory);
        (advisory, sink)
    }

    #[test]
    fn each_status_keeps_its_meaning() {
        use FixState::{Deferred, EndOfLife, Fixed, NotAffected, NotFixed, WillNotFix};
        for (json, fix, severity, fixed) in [
            (
                r#"{"status":"resolved","fixed_version":"3.0.11-1~deb12u2","urgency":"not yet assigned"}"#,
                Fixed,
                None,
                Some("3.0.11-1~deb12u2"),
            ),
            (
                r#"{"status":"resolved","fixed_version":"0","urgency":"unimportant"}"#,
                NotAffected,
                Some(Severity::Info),
                None,
            ),
            (r#"{"status":"open","urgency":"not yet assigned"}"#, NotFixed, None, None),
            (r#"{"status":"open","urgency":"low"}"#, NotFixed, Some(Severity::Low), None),
            (r#"{"status":"open","urgency":"medium**"}"#, NotFixed, Some(Severity::Medium), None),
            (r#"{"status":"open","urgency":"unimportant"}"#, NotFixed, Some(Severity::Info), None),
            (r#"{"status":"open","urgency":"end-of-life"}"#, EndOfLife, None, None),
            (r#"{"status":"open","nodsa":"Minor issue","nodsa_reason":""}"#, NotFixed, None, None),
            (r#"{"status":"open","nodsa":"Minor issue"}"#, NotFixed, None, None),
            (
                r#"{"status":"open","urgency":"high","nodsa":"Minor issue","nodsa_reason":"ignored"}"#,
                WillNotFix,
                Some(Severity::High),
                None,
            ),
            (r#"{"status":"open","nodsa":"Later","nodsa_reason":"postponed"}"#, Deferred, None, None),
            (
                r#"{"status":"open","nodsa":"Later","nodsa_reason":"postponed","fixed_version":"2"}"#,
                Fixed,
                None,
                Some("2"),
            ),
            (
                r#"{"status":"resolved","nodsa":"Minor","nodsa_reason":"ignored","fixed_version":"2"}"#,
                Fixed,
                None,
                Some("2"),
            ),
        ] {
            let (advisory, _) = read(json);
            let advisory = advisory.expect(json);
            assert_eq!((advisory.fix, advisory.severity), (fix, severity), "{json}");
            let mut events = vec![Event::Introduced("0".into())];
            events.extend(fixed.map(|version| Event::Fixed(version.into())));
            let ranges = if fix == NotAffected { vec![] } else { vec![Range { events }] };
            assert_eq!(advisory.ranges, ranges, "{json}");
        }
    }

    #[test]
    fn what_says_nothing_is_left_out_and_counted() {
        for (json, reason, count) in [
            (r#"{"status":"undetermined"}"#, "undetermined", 1),
            // Together with the package `broken`.
            (r#"{"status":"resolved"}"#, MALFORMED, 2),
            (r#"{"status":"surprise"}"#, MALFORMED, 2),
            (r#"{"status":7}"#, MALFORMED, 2),
        ] {
            let (advisory, sink) = read(json);
            assert_eq!(advisory, None, "{json}");
            assert_eq!(sink.source.skipped.get(reason).map(|skipped| skipped.count), Some(count), "{json}");
            assert!(sink.shards.is_empty(), "{json}");
        }
    }
}
