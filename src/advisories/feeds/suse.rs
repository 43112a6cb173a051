//! SUSE's and openSUSE's OVAL: one file per release (service pack), one definition per CVE, fixed and unfixed.
//!
//! Statements are about products. Those that images of a release hold (the server, its modules, its long-term support)
//! are kept; other products (Manager, Storage, High Performance Computing, …) are left out, as are statements that a
//! package is not affected.

use std::collections::BTreeSet;

use crate::advisories::{Feed, FeedError, Fetch, Sink};
use crate::model::{Constraint, Event, FeedId, FixState, Range, ShardName};

use super::erratum::{is_cve, is_package, without_zero_epoch};
use super::oval::{self, Definition, Operation};

pub(in crate::advisories) struct Suse;

/// The files, and the shards that they are for.
const FILES: [(&str, &str); 22] = [
    ("suse.linux.enterprise.12-sp3-affected", "sles-12.3"),
    ("suse.linux.enterprise.12-sp4-affected", "sles-12.4"),
    ("suse.linux.enterprise.12-sp5-affected", "sles-12.5"),
    ("suse.linux.enterprise.15-sp1-affected", "sles-15.1"),
    ("suse.linux.enterprise.15-sp2-affected", "sles-15.2"),
    ("suse.linux.enterprise.15-sp3-affected", "sles-15.3"),
    ("suse.linux.enterprise.15-sp4-affected", "sles-15.4"),
    ("suse.linux.enterprise.15-sp5-affected", "sles-15.5"),
    ("suse.linux.enterprise.15-sp6-affected", "sles-15.6"),
    ("suse.linux.enterprise.15-sp7-affected", "sles-15.7"),
    ("suse.linux.enterprise.16-affected", "sles-16.0"),
    ("suse.linux.enterprise.micro.5-affected", "sle-micro-5."),
    ("suse.linux.micro.6-affected", "sl-micro-6."),
    ("opensuse.leap.micro.5.2", "opensuse-leap-micro-5.2"),
    ("opensuse.leap.15.2", "opensuse-leap-15.2"),
    ("opensuse.leap.15.3", "opensuse-leap-15.3"),
    ("opensuse.leap.15.4", "opensuse-leap-15.4"),
    ("opensuse.leap.15.5", "opensuse-leap-15.5"),
    ("opensuse.leap.15.6", "opensuse-leap-15.6"),
    ("opensuse.leap.16.0", "opensuse-leap-16.0"),
    ("opensuse.tumbleweed", "opensuse-tumbleweed"),
    // All service packs in one file; for the release without one.
    ("suse.linux.enterprise.15-affected", "sles-15"),
];

impl Feed for Suse {
    fn id(&self) -> FeedId {
        FeedId::Suse
    }

    fn license(&self) -> &'static str {
        "CC-BY-4.0"
    }

    fn folder(&self) -> &'static str {
        "suse"
    }

    fn upstream(&self, path: &str) -> Option<String> {
        path.strip_prefix("suse/").map(|file| format!("https://ftp.suse.com/pub/projects/security/oval/{file}"))
    }

    fn files(&self, _: &dyn Fetch, wanted: Option<&BTreeSet<ShardName>>) -> Vec<String> {
        let is_of = |wanted: &ShardName, shard: &str| {
            wanted.as_str() == shard || shard.ends_with('.') && wanted.as_str().starts_with(shard)
        };
        let is_wanted = |shard: &str| wanted.is_none_or(|wanted| wanted.iter().any(|name| is_of(name, shard)));
        let files = FILES.iter().filter(|(_, shard)| is_wanted(shard));
        files.map(|(file, _)| format!("suse/{file}.xml.gz")).collect()
    }

    fn read(&self, path: &str, bytes: &[u8], sink: &mut Sink) -> Result<(), FeedError> {
        // The file of all service packs repeats those of each.
        let only = path.ends_with(".15-affected.xml.gz").then(|| ShardName::new("sles-15"));
        oval::read(bytes, |definition| read_definition(definition, only.as_ref(), sink))
    }
}

fn read_definition(definition: Definition, only: Option<&ShardName>, sink: &mut Sink) {
    let mut erratum = definition.erratum;
    if definition.class != "vulnerability" {
        return sink.skip(&erratum.title, "not about one vulnerability");
    }
    if !is_cve(&erratum.title) {
        return sink.skip(&erratum.title, "no identifier");
    }
    erratum.id = std::mem::take(&mut erratum.title);
    let (mut shards, mut told) = (BTreeSet::new(), BTreeSet::new());
    for statement in &definition.statements {
        let introduced = Event::Introduced("0".into());
        let version = without_zero_epoch(&statement.version);
        let (fix, events) = match statement.operation {
            Operation::LessThan => (FixState::Fixed, vec![introduced, Event::Fixed(version.to_owned())]),
            Operation::Any => (FixState::NotFixed, vec![introduced]),
            Operation::LessOrEqual | Operation::Never => continue,
        };
        if !is_package(&statement.package, "") {
            continue;
        }
        let named = statement.conditions.iter().flatten();
        let products = named.filter_map(|condition| condition.text().strip_suffix(" is installed"));
        for shard in products.filter_map(shard).collect::<BTreeSet<_>>() {
            let key = (shard.clone(), &statement.package, version, &statement.arch, fix);
            if only.is_some_and(|only| *only != shard) || !told.insert(key) {
                continue;
            }
            let ranges = vec![Range { events: events.clone() }];
            let constraints = architectures(&statement.arch);
            erratum.says(&shard, &statement.package, (fix, ranges), constraints, FeedId::Suse, sink);
            shards.insert(shard);
        }
    }
    if !shards.is_empty() {
        erratum.tell(&shards, FeedId::Suse, sink);
    }
}

/// `(aarch64|x86_64)`; one that holds both is no constraint for images.
fn architectures(pattern: &str) -> Vec<Constraint> {
    let names: Vec<String> =
        pattern.trim_matches(['(', ')']).split('|').filter(|name| !name.is_empty()).map(str::to_owned).collect();
    let has = |name: &str| names.iter().any(|known| known == name);
    let is_general = names.is_empty() || has("noarch") || has("x86_64") && has("aarch64");
    if is_general { Vec::new() } else { vec![Constraint::Arch(names)] }
}

/// The shard that a product's images use; `None` for products that no images are made of.
fn shard(product: &str) -> Option<ShardName> {
    let named = |id: &str, version: &str| {
        let is_version = version.starts_with(|c: char| c.is_ascii_digit());
        is_version.then(|| ShardName::new(format!("{id}-{version}")))
    };
    if product == "openSUSE Tumbleweed" {
        return Some(ShardName::new("opensuse-tumbleweed"));
    }
    for (prefix, id) in [
        ("openSUSE Leap Micro ", "opensuse-leap-micro"),
        ("openSUSE Leap ", "opensuse-leap"),
        ("SUSE Linux Enterprise Micro ", "sle-micro"),
        ("SUSE Linux Micro ", "sl-micro"),
    ] {
        if let Some(version) = product.strip_prefix(prefix) {
            return named(id, version.split([' ', '-']).next()?);
        }
    }
    let enterprise = product.strip_prefix("SUSE Linux Enterprise ")?;
    let release = match enterprise.strip_prefix("Server ") {
        Some(rest) => rest,
        // `Module for Web and Scripting 15 SP3`
        None => {
            let module = enterprise.strip_prefix("Module for ")?;
            module.get(module.find(|c: char| c.is_ascii_digit())?..)?
        }
    };
    // `15`, `15 SP3`, `15 SP3-LTSS`, `15-LTSS`, `16.0`
    let mut words = release.split([' ', '-']);
    let major = words.next()?;
    match words.next().and_then(|word| word.strip_prefix("SP")) {
        Some(pack) => named("sles", &format!("{major}.{pack}")),
        None => named("sles", major),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::advisories::feeds::samples::sample;
    use crate::model::Severity;

    #[test]
    fn products_name_their_shards() {
        for (product, expected) in [
            ("SUSE Linux Enterprise Server 15 SP3", Some("sles-15.3")),
            ("SUSE Linux Enterprise Server 15 SP3-LTSS", Some("sles-15.3")),
            ("SUSE Linux Enterprise Server 15-LTSS", Some("sles-15")),
            ("SUSE Linux Enterprise Server 16.0", Some("sles-16.0")),
            ("SUSE Linux Enterprise Server for SAP Applications 15 SP3", None),
            ("SUSE Linux Enterprise Module for Basesystem 15 SP4", Some("sles-15.4")),
            ("SUSE Linux Enterprise Micro 5.3", Some("sle-micro-5.3")),
            ("SUSE Linux Micro 6.0", Some("sl-micro-6.0")),
            ("openSUSE Leap 15.2", Some("opensuse-leap-15.2")),
            ("openSUSE Leap Micro 5.2", Some("opensuse-leap-micro-5.2")),
            ("openSUSE Tumbleweed", Some("opensuse-tumbleweed")),
            ("SUSE Manager Server 4.1", None),
            ("SUSE Linux Enterprise Server ", None),
        ] {
            assert_eq!(shard(product).as_ref().map(ShardName::as_str), expected, "{product}");
        }
    }

    #[test]
    fn samples_are_read() {
        for (file, shard, package, cve, fixed, severity, arches) in [
            (
                "opensuse.leap.15.2",
                "opensuse-leap-15.2",
                "fastjar",
                "CVE-2010-2322",
                "0.98-lp152.4.3.1",
                Severity::Low,
                1,
            ),
            ("opensuse.tumbleweed", "opensuse-tumbleweed", "tar", "CVE-2001-1267", "1.34-2.2", Severity::Medium, 0),
        ] {
            let Some(bytes) = sample(&format!("suse/oval/testdata/fixtures/happy/{file}.xml.gz")) else { return };
            let mut sink = Sink::new(None, "suse".into());
            Suse.read(&format!("suse/{file}.xml.gz"), &bytes, &mut sink).expect("a sample");
            let all = sink.decoded(shard);
            let (_, record) = all.iter().find(|(name, _)| name == package).unwrap_or_else(|| panic!("{file}: {all:?}"));
            assert_eq!((record.id.as_str(), record.severity, record.constraints.len()), (cve, Some(severity), arches));
            assert!(record.covers.is_empty() && record.aliases.is_empty());
            assert_eq!(record.ranges[0].events[1], Event::Fixed(fixed.into()), "{file}");
        }
        for file in [
            "suse.linux.enterprise.12-affected",
            "suse.linux.enterprise.15-affected",
            "suse.linux.enterprise.16-affected",
            "suse.linux.enterprise.micro.5-affected",
            "suse.linux.micro.6-affected",
            "opensuse.leap.micro.5.2",
            "suse.linux.enterprise.16-patch",
        ] {
            let Some(bytes) = sample(&format!("suse/oval/testdata/fixtures/happy/{file}.xml.gz")) else { return };
            let mut sink = Sink::new(None, "suse".into());
            Suse.read(&format!("suse/{file}.xml.gz"), &bytes, &mut sink)
                .unwrap_or_else(|error| panic!("{file}: {error}"));
            println!("{file}: {} records, {:?}", sink.source.records, sink.source.skipped);
        }
    }

    #[test]
    fn unfixed_ones_have_no_end_and_unaffected_ones_no_record() {
        let of = |operation: &str, version: &str| {
            let xml = format!(
                r#"<oval_definitions><definitions><definition class="vulnerability"><metadata><title>CVE-2024-1000</title></metadata>
                <criteria operator="AND"><criterion test_ref="tst:1" comment="SUSE Linux Enterprise Server 15 SP5 is installed"/>
                <criterion test_ref="tst:2" comment="bash is affected"/></criteria></definition></definitions>
                <tests><rpminfo_test id="tst:2"><object object_ref="obj:1"/><state state_ref="ste:1"/></rpminfo_test></tests>
                <objects><rpminfo_object id="obj:1"><name>bash</name></rpminfo_object></objects>
                <states><rpminfo_state id="ste:1"><version operation="{operation}">{version}</version></rpminfo_state></states></oval_definitions>"#
            );
            let mut sink = Sink::new(None, "suse".into());
            Suse.read("suse/x.xml.gz", xml.as_bytes(), &mut sink).expect("OVAL");
            sink.decoded("sles-15.5").into_iter().map(|(_, record)| (record.fix, record.ranges)).collect::<Vec<_>>()
        };
        let all_versions = vec![Range { events: vec![Event::Introduced("0".into())] }];
        assert_eq!(of("greater than", "0"), [(FixState::NotFixed, all_versions)]);
        assert_eq!(of("equals", "0"), []);
    }
}
