//! Alpine's secdb, and the same format of Wolfi and Chainguard: fixed versions per source package ("origin").

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::advisories::{Feed, FeedError, Fetch, Sink, lookup_key};
use crate::model::{Advisory, Event, FeedId, FixState, PackageKind, Range, ShardName};

use super::releases::Family;

pub(in crate::advisories) struct AlpineSecdb;

const REPOSITORIES: [&str; 2] = ["main", "community"];

const FAMILY: Family = Family { folder: "alpine-secdb", id: "alpine", product: "alpine-linux", known: &[] };

/// Tried where the releases cannot be listed, with those that are supported by now.
const RELEASES: [&str; 12] =
    ["edge", "v3.24", "v3.23", "v3.22", "v3.21", "v3.20", "v3.19", "v3.18", "v3.17", "v3.16", "v3.15", "v3.14"];

impl Feed for AlpineSecdb {
    fn id(&self) -> FeedId {
        FeedId::AlpineSecdb
    }

    fn license(&self) -> &'static str {
        "MIT (Alpine), Apache-2.0 (Wolfi)"
    }

    fn folder(&self) -> &'static str {
        "alpine-secdb"
    }

    fn upstream(&self, path: &str) -> Option<String> {
        match path {
            "alpine-secdb/wolfi/os.json" => Some("https://packages.wolfi.dev/os/security.json".to_owned()),
            "alpine-secdb/chainguard/os.json" => Some("https://packages.cgr.dev/chainguard/security.json".to_owned()),
            _ => path.strip_prefix("alpine-secdb/").map(|rest| format!("https://secdb.alpinelinux.org/{rest}")),
        }
    }

    fn files(&self, fetch: &dyn Fetch, wanted: Option<&BTreeSet<ShardName>>) -> Vec<String> {
        let releases: BTreeSet<String> = match fetch.list("alpine-secdb") {
            Some(listed) => listed.into_iter().collect(),
            None => {
                let known = RELEASES.iter().chain(&["wolfi", "chainguard"]).map(|name| (*name).to_owned());
                let learnt = FAMILY.releases(fetch, wanted).into_iter().map(|release| format!("v{release}"));
                known.chain(learnt).collect()
            }
        };
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
        for raw in database.packages.unwrap_or_default() {
            match serde_json::from_slice::<Entry<'_>>(raw.get().as_bytes()) {
                Ok(entry) => read_package(&entry.pkg, &shard, sink),
                Err(error) => sink.skip(&format!("{error}: {}", raw.get()), "malformed record"),
            }
        }
        Ok(())
    }
}

fn read_package(package: &Package<'_>, shard: &ShardName, sink: &mut Sink) {
    for (version, ids) in package.secfixes.iter().flatten() {
        for text in ids.iter().flatten() {
            match ids_in(text) {
                Some((id, aliases)) => {
                    let key = lookup_key(PackageKind::Apk, &package.name);
                    sink.advisory(shard, key, &advisory(id, aliases, version));
                }
                None => sink.skip(&format!("{} {version} `{text}`", package.name), "no identifier"),
            }
        }
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

/// Fixed in `0` means never affected.
fn advisory(id: String, aliases: Vec<String>, version: &str) -> Advisory {
    let not_affected = version == "0";
    let events = vec![Event::Introduced("0".into()), Event::Fixed(version.to_owned())];
    Advisory {
        id,
        aliases,
        covers: Vec::new(),
        ranges: if not_affected { Vec::new() } else { vec![Range { events }] },
        versions: Vec::new(),
        fix: if not_affected { FixState::NotAffected } else { FixState::Fixed },
        severity: None,
        constraints: Vec::new(),
        feed: FeedId::AlpineSecdb,
    }
}

/// The id and its aliases in an entry such as `CVE-2026-48785 / GHSA-cr2j-534f-mf3g`, `CVE-2017-2616 (+ regression fix)`,
/// `CVE 2025-48379` or `CVE-????-????? XSA-284`. `None` where there is no id.
fn ids_in(text: &str) -> Option<(String, Vec<String>)> {
    let text = text.replace("CVE_", "CVE-").replace("CVE 1", "CVE-1").replace("CVE 2", "CVE-2");
    let mut words = text
        .split(|c: char| c.is_whitespace() || matches!(c, ',' | ';' | '(' | ')' | '/'))
        .filter(|word| !word.is_empty())
        .enumerate()
        .skip_while(|(place, word)| !is_id(word, *place == 0))
        .map(|(_, word)| word.to_owned());
    let id = words.next()?;
    let is_alias =
        |word: &String| *word != id && ["CVE-", "GHSA-", "XSA-", "GO-"].iter().any(|prefix| word.starts_with(prefix));
    let aliases = words.filter(is_alias).collect();
    Some((id, aliases))
}

/// The first word may be any name with a number in it (`VSV00019`); further ones must look more like an id.
fn is_id(word: &str, is_first: bool) -> bool {
    let (prefix, rest) = word.split_once('-').unwrap_or((word, ""));
    let is_plain = word.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | ':'));
    let has_number = word.contains(|c: char| c.is_ascii_digit());
    let looks_like_one = !rest.is_empty() && prefix.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit());
    is_plain && has_number && word.starts_with(|c: char| c.is_ascii_alphabetic()) && (is_first || looks_like_one)
}

#[derive(Deserialize)]
struct Database<'a> {
    #[serde(borrow, default)]
    packages: Option<Vec<&'a RawValue>>,
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
    #[serde(default)]
    secfixes: Option<BTreeMap<String, Option<Vec<String>>>>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_among_other_words() {
        for (text, expected) in [
            ("CVE-2021-30473", Some(("CVE-2021-30473", vec![]))),
            ("CVE-2026-48785 / GHSA-cr2j-534f-mf3g", Some(("CVE-2026-48785", vec!["GHSA-cr2j-534f-mf3g"]))),
            ("CVE-2023-44441 ZDI-CAN-22093", Some(("CVE-2023-44441", vec![]))),
            ("CVE-2020-27955 # (only affect windows)", Some(("CVE-2020-27955", vec![]))),
            ("CVE-2017-2616 (+ regression fix)", Some(("CVE-2017-2616", vec![]))),
            ("CVE 2025-48379", Some(("CVE-2025-48379", vec![]))),
            ("XSA-300 CVE-2019-17340", Some(("XSA-300", vec!["CVE-2019-17340"]))),
            ("CVE_2019-2426", Some(("CVE-2019-2426", vec![]))),
            ("VSV00019", Some(("VSV00019", vec![]))),
            ("CVE-????-?????  XSA-284", Some(("XSA-284", vec![]))),
            ("CVE N/A ZBX-11023", Some(("ZBX-11023", vec![]))),
            ("only on i686 and x86-64", None),
            ("", None),
            ("none", None),
            ("???", None),
        ] {
            let expected =
                expected.map(|(id, aliases)| (id.to_owned(), aliases.into_iter().map(str::to_owned).collect()));
            assert_eq!(ids_in(text), expected, "{text}");
        }
    }

    #[test]
    fn version_zero_means_not_affected_and_a_malformed_package_costs_only_itself() {
        let json = br#"{"packages":[{"pkg":{"name":"curl","secfixes":{"0":["CVE-2021-1"],"8.0-r0":["CVE-2023-2", "?"],"9":null}}},
            {"pkg":7},{"pkg":{"name":"none","secfixes":null}}]}"#;
        let mut sink = Sink::new(None, "alpine-secdb/v3.20".into());
        AlpineSecdb.read("alpine-secdb/v3.20/main.json", json, &mut sink).expect("a database");
        let states: Vec<_> =
            sink.decoded("alpine-3.20").into_iter().map(|(key, advisory)| (key, advisory.id, advisory.fix)).collect();
        assert_eq!(
            states,
            [
                ("curl".into(), "CVE-2021-1".into(), FixState::NotAffected),
                ("curl".into(), "CVE-2023-2".into(), FixState::Fixed)
            ]
        );
        let skipped: Vec<_> = sink.source.skipped.iter().map(|(why, skipped)| (why.as_str(), skipped.count)).collect();
        assert_eq!(skipped, [("malformed record", 1), ("no identifier", 1)]);
    }
}
