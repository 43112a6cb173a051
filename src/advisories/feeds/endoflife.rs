//! endoflife.date: until when distributions' releases get security updates. One file per product (API version 0).

use std::collections::BTreeSet;

use jiff::civil::Date;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::advisories::{Feed, FeedError, Fetch, Sink};
use crate::model::{Distribution, EndOfLife, FeedId, ShardName};

pub(in crate::advisories) struct EndOfLifeDate;

/// The products, and the `ID` of their `os-release`. CentOS Linux comes before CentOS Stream, which shares its releases.
const PRODUCTS: [(&str, &str); 14] = [
    ("almalinux", "almalinux"),
    ("alpine-linux", "alpine"),
    ("amazon-linux", "amzn"),
    ("centos", "centos"),
    ("centos-stream", "centos"),
    ("debian", "debian"),
    ("fedora", "fedora"),
    ("opensuse", "opensuse-leap"),
    ("oracle-linux", "ol"),
    ("photon", "photon"),
    ("rhel", "rhel"),
    ("rocky-linux", "rocky"),
    ("sles", "sles"),
    ("ubuntu", "ubuntu"),
];

impl Feed for EndOfLifeDate {
    fn id(&self) -> FeedId {
        FeedId::EndOfLife
    }

    fn license(&self) -> &'static str {
        "MIT"
    }

    fn folder(&self) -> &'static str {
        "endoflife"
    }

    fn upstream(&self, path: &str) -> Option<String> {
        path.strip_prefix("endoflife/").map(|rest| format!("https://endoflife.date/{rest}"))
    }

    fn files(&self, _: &dyn Fetch, wanted: Option<&BTreeSet<ShardName>>) -> Vec<String> {
        let is_wanted = |id: &str| {
            let is_of = |shard: &ShardName| shard.as_str().strip_prefix(id).is_some_and(|rest| rest.starts_with('-'));
            wanted.is_none_or(|wanted| wanted.iter().any(is_of))
        };
        // CentOS Linux is judged by Red Hat's shards.
        let is_wanted = |id: &str| is_wanted(id) || id == "centos" && is_wanted("rhel");
        let products = PRODUCTS.iter().filter(|(_, id)| is_wanted(id));
        products.map(|(product, _)| format!("endoflife/api/{product}.json")).collect()
    }

    fn read(&self, path: &str, bytes: &[u8], sink: &mut Sink) -> Result<(), FeedError> {
        let name = path.rsplit('/').next().and_then(|file| file.strip_suffix(".json")).unwrap_or_default();
        let id = PRODUCTS.iter().find(|(product, _)| *product == name).map(|(_, id)| *id);
        let id = id.ok_or_else(|| FeedError::new("no product in the path"))?;
        let cycles: Vec<&RawValue> = serde_json::from_slice(bytes).map_err(FeedError::new)?;
        for raw in cycles {
            match serde_json::from_str::<Cycle>(raw.get()) {
                Ok(cycle) => sink.end_of_life(shard(id, &cycle.cycle), cycle.end(id)),
                Err(error) => sink.skip(&format!("{name}: {error}"), "malformed record"),
            }
        }
        Ok(())
    }
}

/// The shard of an image of the release. The first release of a SUSE generation has no minor number.
fn shard(id: &str, cycle: &str) -> ShardName {
    let version = if id == "sles" && !cycle.starts_with("16") { cycle.trim_end_matches(".0") } else { cycle };
    let distribution = Distribution {
        id: id.to_owned(),
        version: version.to_owned(),
        name: String::new(),
        codename: None,
        id_like: Vec::new(),
        repository_release: None,
        content_sets: Vec::new(),
    };
    distribution.lifecycle()
}

#[derive(Deserialize)]
struct Cycle {
    cycle: String,
    #[serde(default)]
    eol: Option<Moment>,
    #[serde(default, rename = "extendedSupport")]
    extended: Option<Moment>,
}

/// A date, or whether it is past.
#[derive(Deserialize)]
#[serde(untagged)]
enum Moment {
    IsPast(bool),
    Day(Date),
}

impl Cycle {
    fn end(&self, id: &str) -> EndOfLife {
        let day = |moment: &Option<Moment>| match moment {
            Some(Moment::Day(day)) => Some(*day),
            _ => None,
        };
        let end = EndOfLife {
            ends: day(&self.eol),
            is_over: matches!(self.eol, Some(Moment::IsPast(true))),
            extended_ends: day(&self.extended),
        };
        // Debian's long-term support is for everybody, under the usual address.
        match end.extended_ends {
            Some(day) if id == "debian" => EndOfLife { ends: Some(day), extended_ends: None, ..end },
            _ => end,
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    #[test]
    fn releases_and_their_ends() {
        let json = br#"[{"cycle":"12","eol":"2026-07-11","extendedSupport":"2028-06-30"},{"cycle":"1","eol":true},
            {"cycle":"99","eol":false,"extendedSupport":true},{"cycle":"8","eol":"soon"},7]"#;
        let mut sink = Sink::new(None, "endoflife/api".into());
        EndOfLifeDate.read("endoflife/api/debian.json", json, &mut sink).expect("a product");
        let end = |name: &str| sink.ends.get(&ShardName::new(name)).cloned();
        let day = |year, month, day| Some(date(year, month, day));
        let dated = EndOfLife { ends: day(2028, 6, 30), is_over: false, extended_ends: None };
        assert_eq!(end("debian-12"), Some(dated));
        let json = br#"[{"cycle":"22.04","eol":"2027-04-01","extendedSupport":"2032-04-09"}]"#;
        EndOfLifeDate.read("endoflife/api/ubuntu.json", json, &mut sink).expect("a product");
        let end = |name: &str| sink.ends.get(&ShardName::new(name)).cloned();
        let paid = EndOfLife { ends: day(2027, 4, 1), is_over: false, extended_ends: day(2032, 4, 9) };
        assert_eq!(end("ubuntu-22.04"), Some(paid));
        assert_eq!(end("debian-1"), Some(EndOfLife { is_over: true, ..EndOfLife::default() }));
        assert_eq!(end("debian-99"), Some(EndOfLife::default()));
        assert_eq!(sink.source.skipped.get("malformed record").map(|skipped| skipped.count), Some(2));
        assert!(EndOfLifeDate.read("endoflife/api/other.json", b"[]", &mut sink).is_err());
        assert!(EndOfLifeDate.read("endoflife/api/debian.json", b"{}", &mut sink).is_err());
    }

    #[test]
    fn cycles_name_shards() {
        for (id, cycle, expected) in [
            ("amzn", "2018.03", "amzn-2018"),
            ("sles", "15.0", "sles-15"),
            ("sles", "15.7", "sles-15.7"),
            ("sles", "16.0", "sles-16.0"),
            ("opensuse-leap", "15.6", "opensuse-leap-15.6"),
            ("photon", "5.0", "photon-5.0"),
            ("alpine", "3.20", "alpine-3.20"),
            ("centos", "7", "centos-7"),
        ] {
            assert_eq!(shard(id, cycle).as_str(), expected, "{id} {cycle}");
        }
    }
}
