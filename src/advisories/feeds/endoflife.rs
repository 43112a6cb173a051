//! endoflife.date: until when distributions' releases get security updates. One file per product (API version 0).

use std::collections::BTreeSet;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::advisories::{Feed, FeedError, Fetch, Sink};
use crate::model::{Distribution, EndOfLife, FeedId, ShardName};

pub(in crate::advisories) struct EndOfLifeDate;

/// The products, and the `ID` of their `os-release`. CentOS Linux comes before CentOS Stream, which shares its releases.
const PRODUCTS: [(&str, &str); 15] = [
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
    ("suse-linux-micro", "sl-micro"),
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

    /// All of them, whatever is wanted: they are small, and the shard that they go to is shared by all distributions.
    fn files(&self, _: &dyn Fetch, _: Option<&BTreeSet<ShardName>>) -> Vec<String> {
        PRODUCTS.iter().map(|(product, _)| path(product)).collect()
    }

    fn read(&self, path: &str, bytes: &[u8], sink: &mut Sink) -> Result<(), FeedError> {
        let name = path.rsplit('/').next().and_then(|file| file.strip_suffix(".json")).unwrap_or_default();
        let id = PRODUCTS.iter().find(|(product, _)| *product == name).map(|(_, id)| *id);
        let id = id.ok_or_else(|| FeedError::new("no product in the path"))?;
        let cycles: Vec<&RawValue> = serde_json::from_slice(bytes).map_err(FeedError::new)?;
        for raw in cycles {
            match serde_json::from_slice::<Cycle>(raw.get().as_bytes()) {
                Ok(cycle) => sink.end_of_life(shard(id, &cycle.cycle), cycle.end(id)),
                Err(error) => sink.skip(&format!("{name}: {error}"), "malformed record"),
            }
        }
        Ok(())
    }
}

fn path(product: &str) -> String {
    format!("endoflife/api/{product}.json")
}

/// A release as the site lists it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Listed {
    /// `24.04`, `9`.
    pub(super) version: String,
    /// `noble`, where it has one.
    pub(super) codename: Option<String>,
}

/// The releases of a product that get updates, prolonged support included; none where the site cannot be had.
pub(super) fn supported(product: &str, fetch: &dyn Fetch) -> Vec<Listed> {
    let bytes = fetch.get(&path(product)).ok().flatten().unwrap_or_default();
    let cycles: Vec<&RawValue> = serde_json::from_slice(&bytes).unwrap_or_default();
    let cycles = cycles.into_iter().filter_map(|raw| serde_json::from_slice::<Cycle>(raw.get().as_bytes()).ok());
    let today = Timestamp::now().to_zoned(TimeZone::UTC).date();
    let is_later = |moment: &Option<Moment>| match moment {
        Some(Moment::Day(day)) => *day >= today,
        Some(Moment::IsPast(is_past)) => !is_past,
        None => false,
    };
    let listed = |cycle: Cycle| Listed {
        codename: cycle.codename.as_deref().and_then(|name| name.split(' ').next()).map(str::to_lowercase),
        version: cycle.cycle,
    };
    // `extendedSupport: false` says that there is none, not that it goes on.
    let goes_on = |cycle: &Cycle| {
        is_later(&cycle.eol) || matches!(&cycle.extended, Some(Moment::Day(_))) && is_later(&cycle.extended)
    };
    cycles.filter(goes_on).map(listed).collect()
}

/// The shard of an image of the release. The first release of a SUSE generation has no minor number; SUSE Linux Micro was
/// SUSE Linux Enterprise Micro before release 6.
fn shard(id: &str, cycle: &str) -> ShardName {
    let id = if id == "sl-micro" && cycle.starts_with("5.") { "sle-micro" } else { id };
    let version = if id == "sles" && !cycle.starts_with("16") { cycle.trim_end_matches(".0") } else { cycle };
    Distribution { id: id.to_owned(), version: version.to_owned(), ..Distribution::default() }.lifecycle()
}

#[derive(Deserialize)]
struct Cycle {
    cycle: String,
    #[serde(default)]
    codename: Option<String>,
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
            ("sl-micro", "5.5", "sle-micro-5.5"),
            ("sl-micro", "6.1", "sl-micro-6.1"),
            ("photon", "5.0", "photon-5.0"),
            ("alpine", "3.20", "alpine-3.20"),
            ("centos", "7", "centos-7"),
        ] {
            assert_eq!(shard(id, cycle).as_str(), expected, "{id} {cycle}");
        }
    }
}
