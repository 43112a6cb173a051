//! Photon OS's errata: one OVAL file per release.

use std::collections::BTreeSet;

use crate::advisories::{Feed, FeedError, Fetch, Sink};
use crate::model::{FeedId, ShardName};

use super::erratum::{is_package, without_zero_epoch};
use super::oval::{self, Operation};

pub(in crate::advisories) struct Photon;

const RELEASES: [&str; 5] = ["1", "2", "3", "4", "5"];

impl Feed for Photon {
    fn id(&self) -> FeedId {
        FeedId::Photon
    }

    fn license(&self) -> &'static str {
        "copyright VMware; none stated"
    }

    fn folder(&self) -> &'static str {
        "photon"
    }

    fn upstream(&self, path: &str) -> Option<String> {
        path.strip_prefix("photon/")
            .map(|file| format!("https://packages.vmware.com/photon/photon_oval_definitions/{file}"))
    }

    fn files(&self, _: &dyn Fetch, wanted: Option<&BTreeSet<ShardName>>) -> Vec<String> {
        let is_wanted = |release: &&&str| wanted.is_none_or(|wanted| wanted.contains(&shard(release)));
        let file = |release: &&str| format!("photon/com.vmware.phsa-photon{release}.xml.gz");
        RELEASES.iter().filter(is_wanted).map(file).collect()
    }

    fn read(&self, path: &str, bytes: &[u8], sink: &mut Sink) -> Result<(), FeedError> {
        let release = path.rsplit_once("-photon").and_then(|(_, rest)| rest.split('.').next());
        let shard = shard(release.ok_or_else(|| FeedError::new("no release in the path"))?);
        let shards = BTreeSet::from([shard.clone()]);
        oval::read(bytes, |definition| {
            let mut erratum = definition.erratum;
            // `PHSA-2024:00001 ansible Security Update. (Important)`
            let (id, title) = erratum.title.split_once(' ').unwrap_or((&erratum.title, ""));
            (erratum.id, erratum.title) = (id.to_owned(), title.to_owned());
            if erratum.id.is_empty() {
                return sink.skip(path, "no identifier");
            }
            let mut is_told = false;
            for statement in &definition.statements {
                if statement.operation == Operation::LessThan && is_package(&statement.package, "") {
                    let version = without_zero_epoch(&statement.version);
                    erratum.fixed(&shard, &statement.package, version, Vec::new(), FeedId::Photon, sink);
                    is_told = true;
                }
            }
            if is_told {
                erratum.tell(&shards, FeedId::Photon, sink);
            }
        })
    }
}

/// `VERSION_ID` of Photon OS is `5.0`.
fn shard(release: &str) -> ShardName {
    ShardName::new(format!("photon-{release}.0"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::advisories::feeds::samples::sample;
    use crate::model::{Event, Severity};

    #[test]
    fn the_sample_is_read() {
        let Some(bytes) = sample("photon/oval/testdata/fixtures/happy/com.vmware.phsa-photon5.xml.gz") else { return };
        let mut sink = Sink::new(None, "photon".into());
        Photon.read("photon/com.vmware.phsa-photon5.xml.gz", &bytes, &mut sink).expect("a sample");
        let all = sink.decoded("photon-5.0");
        let names: Vec<&str> = all.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["ansible", "ansible-devel"]);
        let (_, record) = &all[0];
        assert_eq!((record.id.as_str(), record.severity), ("PHSA-2024:00001", Some(Severity::High)));
        assert_eq!(record.covers, ["CVE-2023-5115", "CVE-2023-5764"]);
        assert_eq!(record.ranges[0].events[1], Event::Fixed("2.14.12-1.ph5".into()));
    }
}
