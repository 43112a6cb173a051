//! Alpine's secdb, and the same format of Wolfi and Chainguard: fixed versions per source package ("origin").

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use crate::advisories::{Feed, FeedError, Fetch, Sink};
use crate::model::{Advisory, Event, FeedId, FixState, Range, ShardName};

pub(in crate::advisories) struct AlpineSecdb;

const REPOSITORIES: [&str; 2] = ["main", "community"];

/// Tried where the releases cannot be listed.
const RELEASES: [&str; 12] =
    ["edge", "v3.24", "v3.23", "v3.22", "v3.21", "v3.20", "v3.19", "v3.18", "v3.17", "v3.16", "v3.15", "v3.14"];

impl Feed for AlpineSecdb {
    fn id(&self) -> FeedId {
        FeedId::AlpineSecdb
    }

    fn license(&self) -> &'static str {
        "MIT (Alpine), Apache-2.0 (Wolfi)"
    }

    fn upstream(&self, path: &str) -> Option<String> {
        match path {
            "alpine-secdb/wolfi/os.json" => Some("https://packages.wolfi.dev/os/security.json".to_owned()),
            "alpine-secdb/chainguard/os.json" => Some("https://packages.cgr.dev/chainguard/security.json".to_owned()),
            _ => path.strip_prefix("alpine-secdb/").map(|rest| format!("https://secdb.alpinelinux.org/{rest}")),
        }
    }

    fn files(&self, fetch: &dyn Fetch, wanted: Option<&BTreeSet<ShardName>>) -> Vec<String> {
        let listed = fetch.list("alpine-secdb");
        let releases = listed.unwrap_or_else(|| {
            RELEASES.iter().chain(&["wolfi", "chainguard"]).map(|name| (*name).to_owned()).collect()
        });
        let mut files = Vec::new();
        for release in releases.iter().filter(|release| wanted.is_none_or(|wanted| wanted.contains(&shard(release)))) {
            let names = if is_rolling(release) { &["os"][..] } else { &REPOSITORIES[..] };
            files.extend(names.iter().map(|name| format!("alpine-secdb/{release}/{name}.json")));
        }
        files
    }

    fn read(&self, path: &str, bytes: &[u8], sink: &mut Sink) -> Result<(), FeedError> {
        let release = path.split('/').nth(1).ok_or_else(|| FeedError::new("no release in the path"))?;
        let shard = shard(release);
        let database: Database<'_> = serde_json::from_slice(bytes).map_err(FeedError::new)?;
        for entry in database.packages {
            for (version, ids) in &entry.pkg.secfixes {
                for id in ids.iter().flatten() {
                    let Some(advisory) = advisory(id, version) else {
                        sink.skip(id, "no identifier");
                        continue;
                    };
                    sink.advisory(&shard, entry.pkg.name.to_string(), advisory);
                }
            }
        }
        Ok(())
    }
}

fn is_rolling(release: &str) -> bool {
    matches!(release, "wolfi" | "chainguard")
}

fn shard(release: &str) -> ShardName {
    if is_rolling(release) {
        ShardName::new(release)
    } else {
        ShardName::new(format!("alpine-{}", release.strip_prefix('v').unwrap_or(release)))
    }
}

/// One entry such as `CVE-2019-14697` or `CVE-2017-2616 (+ regression fix)` or `CVE-2020-1 GHSA-x`: the first word is the
/// id, further identifiers are aliases. Fixed in `0` means never affected.
fn advisory(ids: &str, version: &str) -> Option<Advisory> {
    let mut words = ids.split_whitespace();
    let id = words.next()?.to_owned();
    let aliases = words.filter(|word| ["CVE-", "GHSA-", "XSA-", "GO-"].iter().any(|prefix| word.starts_with(prefix)));
    let not_affected = version == "0";
    let events = vec![Event::Introduced("0".into()), Event::Fixed(version.to_owned())];
    Some(Advisory {
        id,
        aliases: aliases.map(str::to_owned).collect(),
        covers: Vec::new(),
        ranges: if not_affected { Vec::new() } else { vec![Range { events }] },
        versions: Vec::new(),
        fix: if not_affected { FixState::NotAffected } else { FixState::Fixed },
        severity: None,
        constraints: Vec::new(),
        feed: FeedId::AlpineSecdb,
    })
}

#[derive(Deserialize)]
struct Database<'a> {
    #[serde(borrow, default)]
    packages: Vec<Entry<'a>>,
}

#[derive(Deserialize)]
struct Entry<'a> {
    #[serde(borrow)]
    pkg: Package<'a>,
}

#[derive(Deserialize)]
struct Package<'a> {
    #[serde(borrow)]
    name: Cow<'a, str>,
    #[serde(borrow, default)]
    secfixes: BTreeMap<Cow<'a, str>, Option<Vec<Cow<'a, str>>>>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_become_records() {
        for (ids, version, id, aliases, fix) in [
            ("CVE-2024-1", "1.2-r3", "CVE-2024-1", vec![], FixState::Fixed),
            ("CVE-2024-1 GHSA-a-b-c", "1.2-r3", "CVE-2024-1", vec!["GHSA-a-b-c"], FixState::Fixed),
            ("CVE-2017-2616 (+ regression fix)", "1-r0", "CVE-2017-2616", vec![], FixState::Fixed),
            ("CVE-2024-2", "0", "CVE-2024-2", vec![], FixState::NotAffected),
        ] {
            let advisory = advisory(ids, version).expect(ids);
            assert_eq!(
                (advisory.id.as_str(), advisory.aliases, advisory.fix),
                (id, aliases.iter().map(|a| (*a).to_owned()).collect(), fix),
                "{ids}"
            );
        }
        assert_eq!(advisory("  ", "1"), None);
    }
}
