//! Debian's security tracker (`/tracker/data/json`): every CVE of every source package in every release.
//!
//! Each status keeps its meaning: `resolved` with a version is a fix in this release, with `0` means never affected;
//! `open` is affected, and `nodsa` says what the security team intends; `undetermined` says nothing and is left out.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use crate::advisories::{Feed, FeedError, Fetch, Sink};
use crate::model::{Advisory, AdvisoryDetails, Event, FeedId, FixState, Range, Reference, Severity, ShardName};

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

    fn upstream(&self, path: &str) -> Option<String> {
        path.strip_prefix("debian/").map(|rest| format!("https://security-tracker.debian.org/{rest}"))
    }

    fn files(&self, _fetch: &dyn Fetch, wanted: Option<&BTreeSet<ShardName>>) -> Vec<String> {
        let any = wanted.is_none_or(|wanted| wanted.iter().any(|shard| shard.as_str().starts_with("debian-")));
        if any { vec![FILE.to_owned()] } else { Vec::new() }
    }

    fn read(&self, _path: &str, bytes: &[u8], sink: &mut Sink) -> Result<(), FeedError> {
        let packages: BTreeMap<Cow<'_, str>, BTreeMap<Cow<'_, str>, Issue<'_>>> =
            serde_json::from_slice(bytes).map_err(FeedError::new)?;
        for (package, issues) in &packages {
            for (id, issue) in issues {
                for (codename, release) in &issue.releases {
                    let Some((_, version)) = RELEASES.iter().find(|(known, _)| known == codename) else {
                        sink.skip(codename, "unknown release");
                        continue;
                    };
                    let shard = ShardName::new(format!("debian-{version}"));
                    let Some(advisory) = advisory(id, release) else {
                        sink.skip(&format!("{package} {id}"), "undetermined");
                        continue;
                    };
                    sink.advisory(&shard, package.to_string(), advisory);
                    let temporary = id.starts_with("TEMP-");
                    if sink.wants(&shard) && (issue.description.is_some() || !temporary) {
                        sink.details(&shard, id, details(id, issue));
                    }
                }
            }
        }
        Ok(())
    }
}

fn advisory(id: &str, release: &Release<'_>) -> Option<Advisory> {
    let fixed = release.fixed_version.as_deref();
    let urgency = release.urgency.as_deref().unwrap_or("").trim_end_matches('*');
    let (fix, events) = match (release.status.as_ref(), fixed) {
        ("resolved", Some("0")) => (FixState::NotAffected, None),
        // A known fix overrules what was planned before it.
        ("resolved" | "open", Some(version)) => (FixState::Fixed, Some(version)),
        ("open", None) if urgency == "end-of-life" => (FixState::EndOfLife, None),
        ("open", None) => match (release.nodsa.is_some(), release.nodsa_reason.as_deref()) {
            (true, Some("ignored")) => (FixState::WillNotFix, None),
            (true, Some("postponed")) => (FixState::Deferred, None),
            _ => (FixState::NotFixed, None),
        },
        _ => return None,
    };
    let ranges = match (fix, events) {
        (FixState::NotAffected, _) => Vec::new(),
        (_, Some(version)) => {
            vec![Range { events: vec![Event::Introduced("0".into()), Event::Fixed(version.to_owned())] }]
        }
        _ => vec![Range { events: vec![Event::Introduced("0".into())] }],
    };
    let severity = match urgency {
        "unimportant" => Some(Severity::Info),
        "low" => Some(Severity::Low),
        "medium" => Some(Severity::Medium),
        "high" => Some(Severity::High),
        _ => None,
    };
    Some(Advisory {
        id: id.to_owned(),
        aliases: Vec::new(),
        covers: Vec::new(),
        ranges,
        versions: Vec::new(),
        fix,
        severity,
        constraints: Vec::new(),
        feed: FeedId::DebianTracker,
    })
}

fn details(id: &str, issue: &Issue<'_>) -> AdvisoryDetails {
    AdvisoryDetails {
        description: issue
            .description
            .as_deref()
            .unwrap_or_default()
            .chars()
            .take(super::osv::LONGEST_DESCRIPTION)
            .collect(),
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
    releases: BTreeMap<Cow<'a, str>, Release<'a>>,
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
    nodsa: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    nodsa_reason: Option<Cow<'a, str>>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_status_keeps_its_meaning() {
        for (json, expected) in [
            (
                r#"{"status":"resolved","fixed_version":"1.2-3","urgency":"not yet assigned"}"#,
                Some((FixState::Fixed, None, true)),
            ),
            (r#"{"status":"resolved","fixed_version":"0"}"#, Some((FixState::NotAffected, None, false))),
            (r#"{"status":"open","urgency":"low"}"#, Some((FixState::NotFixed, Some(Severity::Low), false))),
            (r#"{"status":"open","nodsa":"Minor issue","nodsa_reason":""}"#, Some((FixState::NotFixed, None, false))),
            (
                r#"{"status":"open","nodsa":"Minor issue","nodsa_reason":"ignored"}"#,
                Some((FixState::WillNotFix, None, false)),
            ),
            (
                r#"{"status":"open","nodsa":"Minor","nodsa_reason":"postponed"}"#,
                Some((FixState::Deferred, None, false)),
            ),
            (
                r#"{"status":"open","nodsa":"Minor","nodsa_reason":"postponed","fixed_version":"2"}"#,
                Some((FixState::Fixed, None, true)),
            ),
            (r#"{"status":"open","urgency":"unimportant"}"#, Some((FixState::NotFixed, Some(Severity::Info), false))),
            (r#"{"status":"open","urgency":"end-of-life"}"#, Some((FixState::EndOfLife, None, false))),
            (r#"{"status":"undetermined"}"#, None),
        ] {
            let release: Release<'_> = serde_json::from_str(json).expect(json);
            let found = advisory("CVE-1", &release).map(|advisory| {
                let has_fix = advisory
                    .ranges
                    .iter()
                    .flat_map(|range| &range.events)
                    .any(|event| matches!(event, Event::Fixed(_)));
                (advisory.fix, advisory.severity, has_fix)
            });
            assert_eq!(found, expected, "{json}");
        }
    }
}
