//! Oracle Linux's errata: OVAL patch definitions of all releases in one file.
//!
//! Ksplice's user-space builds and FIPS builds are lines of their own, numbered beside the plain ones: their errata hold
//! only for packages of the same line.

use std::collections::{BTreeMap, BTreeSet};

use crate::advisories::{Feed, FeedError, Fetch, Sink};
use crate::model::{Constraint, FeedId, ShardName};

use super::erratum::{is_package, without_zero_epoch};
use super::oval::{self, Condition, Conditions, Definition, Operation};

pub(in crate::advisories) struct Oracle;

const FILE: &str = "oracle/com.oracle.elsa-all.xml.bz2";

impl Feed for Oracle {
    fn id(&self) -> FeedId {
        FeedId::Oracle
    }

    fn license(&self) -> &'static str {
        "copyright Oracle; none stated"
    }

    fn folder(&self) -> &'static str {
        "oracle"
    }

    fn upstream(&self, path: &str) -> Option<String> {
        path.strip_prefix("oracle/").map(|file| format!("https://linux.oracle.com/security/oval/{file}"))
    }

    fn files(&self, _: &dyn Fetch, wanted: Option<&BTreeSet<ShardName>>) -> Vec<String> {
        let may_hold = wanted.is_none_or(|wanted| wanted.iter().any(|shard| shard.as_str().starts_with("ol-")));
        if may_hold { vec![FILE.to_owned()] } else { Vec::new() }
    }

    fn read(&self, _: &str, bytes: &[u8], sink: &mut Sink) -> Result<(), FeedError> {
        oval::read(bytes, |definition| read_definition(definition, sink))
    }
}

/// Of which packages the architectures are gathered.
type Key = (ShardName, String, String, Option<String>);

fn read_definition(definition: Definition, sink: &mut Sink) {
    let mut erratum = definition.erratum;
    // `ELSA-2007-0057:  Moderate: bind security update  (MODERATE)`
    let Some((id, title)) = erratum.title.split_once(':') else {
        return sink.skip(&erratum.title, "no identifier");
    };
    (erratum.id, erratum.title) = (id.trim().to_owned(), title.trim().to_owned());
    if erratum.cves.is_empty() {
        return sink.skip(&erratum.id, "not about security");
    }
    let mut packages: BTreeMap<Key, BTreeSet<&'static str>> = BTreeMap::new();
    for statement in &definition.statements {
        let Some(shard) = shard(&statement.conditions, &definition.platforms) else { continue };
        if statement.operation != Operation::LessThan || !is_package(&statement.package, "") {
            continue;
        }
        let texts = || statement.conditions.iter().flatten().map(Condition::text);
        let module = texts().find_map(|text| text.strip_prefix("Module ")?.strip_suffix(" is enabled"));
        let arch = texts().find_map(|text| text.split_once(" arch is ")).map(|(_, arch)| arch);
        let version = without_zero_epoch(&statement.version).to_owned();
        let key = (shard, statement.package.clone(), version, module.map(str::to_owned));
        packages.entry(key).or_default().extend(architectures(arch.unwrap_or_default()));
    }
    let shards: BTreeSet<ShardName> = packages.keys().map(|(shard, ..)| shard.clone()).collect();
    if shards.is_empty() {
        return sink.skip(&erratum.id, "no package of a known release");
    }
    for ((shard, name, version, module), arches) in packages {
        let mut constraints: Vec<Constraint> = module.map(Constraint::Module).into_iter().collect();
        if !arches.is_empty() {
            constraints.push(Constraint::Arch(arches.into_iter().map(str::to_owned).collect()));
        }
        constraints.extend(line(&version).map(|line| Constraint::Repository(line.to_owned())));
        erratum.fixed(&shard, &name, &version, constraints, FeedId::Oracle, sink);
    }
    erratum.tell(&shards, FeedId::Oracle, sink);
}

/// `Oracle Linux 8`, named by the criteria or the platform.
fn shard(conditions: &Conditions, platforms: &[String]) -> Option<ShardName> {
    let named = conditions.iter().flatten().filter_map(|condition| condition.text().strip_suffix(" is installed"));
    let release =
        named.chain(platforms.iter().map(String::as_str)).find_map(|text| text.strip_prefix("Oracle Linux "))?;
    release.bytes().all(|b| b.is_ascii_digit()).then(|| ShardName::new(format!("ol-{release}")))
}

/// The architectures of packages on a machine.
fn architectures(machine: &str) -> &'static [&'static str] {
    match machine {
        "x86_64" => &["x86_64", "i686"],
        "i386" => &["i386", "i586", "i686"],
        "aarch64" => &["aarch64"],
        "ia64" => &["ia64"],
        _ => &[],
    }
}

/// The line of builds that a version is of, where it is not the plain one.
fn line(version: &str) -> Option<&'static str> {
    if version.contains(".ksplice") {
        Some("ksplice")
    } else if version.contains("_fips") {
        Some("fips")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::advisories::feeds::samples::sample;
    use crate::model::{Event, Severity};

    #[test]
    fn lines_of_builds() {
        for (version, expected) in [
            ("2:2.34-60.0.2.ksplice1.el9", Some("ksplice")),
            ("10:3.6.16-4.0.1.el8_fips", Some("fips")),
            ("2.34-60.0.1.el9", None),
        ] {
            assert_eq!(line(version), expected, "{version}");
        }
    }

    #[test]
    fn the_sample_is_read() {
        let Some(bytes) = sample("oracle/linux/testdata/fixtures/com.oracle.elsa-all.xml.bz2") else { return };
        let mut sink = Sink::new(None, "oracle".into());
        Oracle.read(FILE, &bytes, &mut sink).expect("a sample");
        let all = sink.decoded("ol-5");
        let (_, record) = all.iter().find(|(name, _)| name == "bind").expect("bind");
        assert_eq!((record.id.as_str(), record.severity), ("ELSA-2007-0057", Some(Severity::Medium)));
        assert_eq!(record.covers, ["CVE-2007-0493", "CVE-2007-0494"]);
        let fixed = Event::Fixed("30:9.3.3-8.el5".into());
        assert!(record.ranges.iter().flat_map(|range| &range.events).any(|event| *event == fixed), "{record:?}");
        let arches = ["i386", "i586", "i686", "x86_64"].map(str::to_owned).to_vec();
        assert_eq!(record.constraints, [Constraint::Arch(arches)]);
        let modular = sink.decoded("ol-8");
        assert!(
            modular.iter().any(|(_, record)| record.constraints.contains(&Constraint::Module("virt:kvm_utils".into()))),
            "{modular:#?}"
        );
        for broken in ["invalid.xml.bz2", "invalid.xml"] {
            let Some(bytes) = sample(&format!("oracle/linux/testdata/fixtures/{broken}")) else { return };
            assert!(Oracle.read(FILE, &bytes, &mut sink).is_err(), "{broken}");
        }
    }
}
