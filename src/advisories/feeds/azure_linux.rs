//! OVAL of Azure Linux and its predecessor CBL-Mariner: one definition per CVE and source package.

use std::collections::BTreeSet;

use crate::advisories::{Feed, FeedError, Fetch, Sink};
use crate::model::{Event, FeedId, FixState, Range, ShardName};

use super::erratum::{is_package, without_zero_epoch};
use super::oval::{self, Operation};

pub(in crate::advisories) struct AzureLinux;

const FILES: [(&str, &str); 3] = [
    ("cbl-mariner-1.0-oval.xml", "mariner-1.0"),
    ("cbl-mariner-2.0-oval.xml", "mariner-2.0"),
    ("azurelinux-3.0-oval.xml", "azurelinux-3.0"),
];

impl Feed for AzureLinux {
    fn id(&self) -> FeedId {
        FeedId::AzureLinux
    }

    fn license(&self) -> &'static str {
        "MIT"
    }

    fn folder(&self) -> &'static str {
        "azure-linux"
    }

    fn upstream(&self, path: &str) -> Option<String> {
        let base = "https://raw.githubusercontent.com/microsoft/AzureLinuxVulnerabilityData/main";
        path.strip_prefix("azure-linux/").map(|file| format!("{base}/{file}"))
    }

    fn files(&self, _: &dyn Fetch, wanted: Option<&BTreeSet<ShardName>>) -> Vec<String> {
        let is_wanted = |shard: &str| wanted.is_none_or(|wanted| wanted.contains(&ShardName::new(shard)));
        let files = FILES.iter().filter(|(_, shard)| is_wanted(shard));
        files.map(|(file, _)| format!("azure-linux/{file}")).collect()
    }

    fn read(&self, path: &str, bytes: &[u8], sink: &mut Sink) -> Result<(), FeedError> {
        let shard = FILES.iter().find(|(file, _)| path.ends_with(file)).map(|(_, shard)| ShardName::new(shard));
        let shard = shard.ok_or_else(|| FeedError::new("no release in the path"))?;
        let shards = BTreeSet::from([shard.clone()]);
        oval::read(bytes, |definition| {
            let mut erratum = definition.erratum;
            let Some(cve) = erratum.cves.first().cloned() else {
                return sink.skip(&erratum.title, "no identifier");
            };
            erratum.id = cve;
            let mut is_told = false;
            for statement in definition.statements.iter().filter(|statement| is_package(&statement.package, "")) {
                let version = without_zero_epoch(&statement.version).to_owned();
                let (fix, end) = match statement.operation {
                    Operation::LessThan => (FixState::Fixed, Some(Event::Fixed(version))),
                    Operation::LessOrEqual => (FixState::NotFixed, Some(Event::LastAffected(version))),
                    Operation::Any => (FixState::NotFixed, None),
                    Operation::Never => continue,
                };
                let events = [Event::Introduced("0".into())].into_iter().chain(end).collect();
                let said = (fix, vec![Range { events }]);
                erratum.says(&shard, &statement.package, said, Vec::new(), FeedId::AzureLinux, sink);
                is_told = true;
            }
            if is_told {
                erratum.tell(&shards, FeedId::AzureLinux, sink);
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Severity;

    #[test]
    fn fixed_and_unfixed_packages() {
        for (operation, fix, end) in [
            ("less than", FixState::Fixed, Event::Fixed("8.0.33-1.cm2".into())),
            ("less than or equal", FixState::NotFixed, Event::LastAffected("8.0.33-1.cm2".into())),
        ] {
            let xml = format!(
                r#"<oval_definitions xmlns:l="x"><definitions><definition class="vulnerability"><metadata>
                <title>CVE-2023-21980 affecting package mysql 8.0.32-1</title><reference ref_id="CVE-2023-21980" source="CVE"/>
                <patchable>true</patchable><advisory_date>2023-04-22T00:34:29Z</advisory_date><advisory_id>27423-1</advisory_id>
                <severity>High</severity><description>d</description></metadata><criteria operator="AND">
                <criterion comment="Package mysql is installed with version 8.0.33-1 or earlier" test_ref="oval:x:tst:27423000"/>
                </criteria></definition></definitions><tests><l:rpminfo_test id="oval:x:tst:27423000">
                <l:object object_ref="oval:x:obj:27423001"/><l:state state_ref="oval:x:ste:27423002"/></l:rpminfo_test></tests>
                <objects><l:rpminfo_object id="oval:x:obj:27423001"><l:name>mysql</l:name></l:rpminfo_object></objects>
                <states><l:rpminfo_state id="oval:x:ste:27423002"><l:evr operation="{operation}">0:8.0.33-1.cm2</l:evr>
                </l:rpminfo_state></states></oval_definitions>"#
            );
            let mut sink = Sink::new(None, "azure-linux".into());
            AzureLinux.read("azure-linux/cbl-mariner-2.0-oval.xml", xml.as_bytes(), &mut sink).expect("OVAL");
            let all = sink.decoded("mariner-2.0");
            let [(name, record)] = all.as_slice() else { panic!("{all:?}") };
            assert_eq!(
                (name.as_str(), record.id.as_str(), record.fix),
                ("mysql", "CVE-2023-21980", fix),
                "{operation}"
            );
            assert_eq!((record.severity, record.ranges[0].events[1].clone()), (Some(Severity::High), end));
            assert!(sink.source.newest.is_some());
        }
    }
}
