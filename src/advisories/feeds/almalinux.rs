//! AlmaLinux's errata: one JSON document per major release, with the module of each package where it has one.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::advisories::{Feed, FeedError, Fetch, Sink};
use crate::model::{Constraint, FeedId, ShardName};

use super::erratum::{Erratum, evr, is_package};
use super::releases::Family;

pub(in crate::advisories) struct AlmaLinux;

const FAMILY: Family = Family { folder: "almalinux", id: "almalinux", product: "almalinux", known: &["8", "9", "10"] };

impl Feed for AlmaLinux {
    fn id(&self) -> FeedId {
        FeedId::AlmaLinux
    }

    fn license(&self) -> &'static str {
        "none stated; MIT as for its OSV records"
    }

    fn folder(&self) -> &'static str {
        "almalinux"
    }

    fn upstream(&self, path: &str) -> Option<String> {
        path.strip_prefix("almalinux/").map(|rest| format!("https://errata.almalinux.org/{rest}"))
    }

    fn files(&self, fetch: &dyn Fetch, wanted: Option<&BTreeSet<ShardName>>) -> Vec<String> {
        let releases = FAMILY.releases(fetch, wanted).into_iter();
        releases.map(|release| format!("almalinux/{release}/errata.full.json")).collect()
    }

    fn read(&self, path: &str, bytes: &[u8], sink: &mut Sink) -> Result<(), FeedError> {
        let release = path.split('/').nth(1).ok_or_else(|| FeedError::new("no release in the path"))?;
        let errata: Errata<'_> = serde_json::from_slice(bytes).map_err(FeedError::new)?;
        for raw in errata.data {
            match serde_json::from_slice::<Entry<'_>>(raw.get().as_bytes()) {
                Ok(entry) => read_entry(entry, &shard(release), sink),
                Err(error) => sink.skip(&format!("{error}: {}", raw.get()), "malformed record"),
            }
        }
        Ok(())
    }
}

fn shard(release: &str) -> ShardName {
    ShardName::new(format!("almalinux-{release}"))
}

fn read_entry(entry: Entry<'_>, shard: &ShardName, sink: &mut Sink) {
    if entry.id.is_empty() {
        return sink.skip(&entry.title, "no identifier");
    }
    let mut erratum = Erratum {
        id: entry.id.into_owned(),
        title: entry.title.into_owned(),
        description: entry.description.unwrap_or_default().into_owned(),
        severity: entry.severity.unwrap_or_default().into_owned(),
        issued: date(entry.issued_date),
        updated: date(entry.updated_date),
        ..Erratum::default()
    };
    for reference in entry.references {
        erratum.fixes(&reference.id);
        erratum.link(reference.href.unwrap_or_default().into_owned());
    }
    if entry.kind != "security" && erratum.cves.is_empty() {
        return sink.skip(&erratum.id, "not about security");
    }
    let mut packages: BTreeMap<(&str, String, Option<String>), ()> = BTreeMap::new();
    if entry.packages.len() > MOST_PACKAGES {
        return sink.skip(&erratum.id, "too many packages");
    }
    for package in entry.packages.iter().filter(|package| is_package(&package.name, &package.arch)) {
        let module = package.module.as_deref().map(|label| label.split(':').take(2).collect::<Vec<_>>().join(":"));
        packages.insert((&package.name, evr(&package.epoch, &package.version, &package.release), module), ());
    }
    if packages.is_empty() {
        return sink.skip(&erratum.id, "no package");
    }
    // The OSV export is made of these.
    sink.supersedes(FeedId::Osv, &erratum.id);
    for ((name, version, module), ()) in packages {
        let constraints = module.filter(|module| !module.is_empty()).map(Constraint::Module).into_iter().collect();
        erratum.fixed(shard, name, &version, constraints, FeedId::AlmaLinux, sink);
    }
    erratum.tell(&BTreeSet::from([shard.clone()]), FeedId::AlmaLinux, sink);
}

/// Seconds since 1970, as errata state their dates.
fn date(seconds: Option<i64>) -> String {
    let stamp = seconds.and_then(|seconds| jiff::Timestamp::from_second(seconds).ok());
    stamp.map(|stamp| stamp.to_string()).unwrap_or_default()
}

#[derive(Deserialize)]
struct Errata<'a> {
    #[serde(borrow)]
    data: Vec<&'a RawValue>,
}

#[derive(Deserialize)]
struct Entry<'a> {
    #[serde(borrow)]
    id: Cow<'a, str>,
    #[serde(borrow)]
    title: Cow<'a, str>,
    #[serde(borrow, default)]
    description: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    severity: Option<Cow<'a, str>>,
    #[serde(borrow, rename = "type")]
    kind: Cow<'a, str>,
    #[serde(default)]
    issued_date: Option<i64>,
    #[serde(default)]
    updated_date: Option<i64>,
    #[serde(borrow)]
    packages: Vec<Package<'a>>,
    #[serde(borrow, default)]
    references: Vec<Reference<'a>>,
}

#[derive(Deserialize)]
struct Package<'a> {
    #[serde(borrow)]
    name: Cow<'a, str>,
    #[serde(borrow, default)]
    epoch: Cow<'a, str>,
    #[serde(borrow)]
    version: Cow<'a, str>,
    #[serde(borrow)]
    release: Cow<'a, str>,
    #[serde(borrow, default)]
    arch: Cow<'a, str>,
    #[serde(borrow, default)]
    module: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct Reference<'a> {
    #[serde(borrow)]
    id: Cow<'a, str>,
    #[serde(borrow, default)]
    href: Option<Cow<'a, str>>,
}

const MOST_PACKAGES: usize = 20_000;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::advisories::feeds::samples::sample;
    use crate::model::{Event, Severity};

    #[test]
    fn the_sample_is_read() {
        let Some(bytes) = sample("alma/errata/testdata/fixtures/errata.full.json") else { return };
        let mut sink = Sink::new(None, "almalinux/8".into());
        AlmaLinux.read("almalinux/8/errata.full.json", &bytes, &mut sink).expect("errata");
        let all = sink.decoded("almalinux-8");
        let (_, record) = all
            .iter()
            .find(|(name, record)| name == "Judy" && record.constraints == [Constraint::Module("mariadb:10.3".into())])
            .unwrap_or_else(|| panic!("{all:#?}"));
        assert_eq!((record.id.as_str(), record.severity), ("ALSA-2019:3708", Some(Severity::Medium)));
        assert!(record.covers.contains(&"CVE-2019-2510".to_owned()));
        let fixed = Event::Fixed("1.0.5-18.module_el8.5.0+2632+14ced695".into());
        assert!(record.ranges.iter().any(|range| range.events.contains(&fixed)), "{record:?}");
        assert_eq!(sink.source.skipped.get("not about security").map(|skipped| skipped.count), Some(1));
        assert!(sink.source.newest.is_some());
    }

    #[test]
    fn a_malformed_erratum_costs_only_itself() {
        let good = r#"{"id":"ALSA-2024:1","title":"Important: zlib","type":"security","severity":"Important",
          "packages":[{"name":"zlib","epoch":"1","version":"2","release":"3.el9","arch":"x86_64"},{"name":"zlib","version":"2","release":"3.el9","arch":"src"}],
          "references":[{"id":"CVE-2024-1000","type":"cve"}]}"#;
        let json =
            format!(r#"{{"data":[{good},{{"id":7}},null,{{"id":"","title":"t","type":"security","packages":[]}}]}}"#);
        let mut sink = Sink::new(None, "almalinux/9".into());
        AlmaLinux.read("almalinux/9/errata.full.json", json.as_bytes(), &mut sink).expect("errata");
        let all = sink.decoded("almalinux-9");
        let [(name, record)] = all.as_slice() else { panic!("{all:?}") };
        assert_eq!((name.as_str(), record.severity), ("zlib", Some(Severity::High)));
        assert_eq!(record.ranges[0].events[1], Event::Fixed("1:2-3.el9".into()));
        assert_eq!(sink.source.skipped.get("malformed record").map(|skipped| skipped.count), Some(2));
        assert_eq!(sink.source.skipped.get("no identifier").map(|skipped| skipped.count), Some(1));
        assert!(AlmaLinux.read("almalinux/9/errata.full.json", b"[]", &mut sink).is_err());
    }
}
