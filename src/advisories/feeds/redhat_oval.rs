//! Red Hat's OVAL (version 2) of older releases: patch definitions, one per erratum, and vulnerability definitions of what
//! is not fixed. It ranks below the VEX documents, and fills what they leave out of releases that are out of support.

use std::collections::{BTreeMap, BTreeSet};

use crate::advisories::{Feed, FeedError, Fetch, Sink};
use crate::model::{Constraint, Event, FeedId, FixState, Range, ShardName};

use super::erratum::{is_cve, is_package, without_zero_epoch};
use super::oval::{self, Condition, Definition, Operation};

pub(in crate::advisories) struct RedHatOval;

const RELEASES: [&str; 2] = ["6", "7"];

impl Feed for RedHatOval {
    fn id(&self) -> FeedId {
        FeedId::RedHatOval
    }

    fn license(&self) -> &'static str {
        "CC-BY-4.0"
    }

    fn folder(&self) -> &'static str {
        "redhat-oval"
    }

    fn upstream(&self, path: &str) -> Option<String> {
        path.strip_prefix("redhat-oval/").map(|rest| format!("https://security.access.redhat.com/data/oval/v2/{rest}"))
    }

    fn files(&self, _: &dyn Fetch, wanted: Option<&BTreeSet<ShardName>>) -> Vec<String> {
        let is_wanted = |release: &&&str| wanted.is_none_or(|wanted| wanted.contains(&shard(release)));
        let file =
            |release: &&str| format!("redhat-oval/RHEL{release}/rhel-{release}-including-unpatched.oval.xml.bz2");
        RELEASES.iter().filter(is_wanted).map(file).collect()
    }

    fn read(&self, path: &str, bytes: &[u8], sink: &mut Sink) -> Result<(), FeedError> {
        let release = path.split('/').nth(1).and_then(|folder| folder.strip_prefix("RHEL"));
        let release = release.ok_or_else(|| FeedError::new("no release in the path"))?;
        oval::read(bytes, |definition| read_definition(definition, &shard(release), sink))
    }
}

fn shard(release: &str) -> ShardName {
    ShardName::new(format!("rhel-{release}"))
}

fn read_definition(definition: Definition, shard: &ShardName, sink: &mut Sink) {
    let mut erratum = definition.erratum;
    // `RHSA-2022:4765: firefox security update (Critical)`, `CVE-2005-2541 tar: does not … (moderate)`
    let title = std::mem::take(&mut erratum.title);
    let id = title.split([' ', '\n']).next().unwrap_or_default().trim_end_matches(':');
    if title.starts_with("Unaffected components for") {
        return sink.skip(&title, "not affected");
    }
    if !(is_cve(id) || id.starts_with("RH")) {
        return sink.skip(&title, "no identifier");
    }
    if erratum.cves.is_empty() && !is_cve(id) {
        return sink.skip(id, "not about security");
    }
    erratum.id = id.to_owned();
    erratum.title = title.get(id.len()..).unwrap_or_default().trim_start_matches([':', ' ']).to_owned();
    let states: BTreeMap<&str, FixState> = definition
        .resolutions
        .iter()
        .filter_map(|(state, component)| Some((component.rsplit('/').next()?, fix_state(state))))
        .collect();
    let cpes = || (!definition.cpes.is_empty()).then(|| Constraint::Cpe(definition.cpes.clone()));
    let mut told = BTreeSet::new();
    for statement in &definition.statements {
        let name = statement.package.as_str();
        if !is_package(name, "") || name.starts_with('^') {
            continue;
        }
        let introduced = Event::Introduced("0".into());
        let (fix, events) = match statement.operation {
            Operation::LessThan => {
                let version = without_zero_epoch(&statement.version);
                (FixState::Fixed, vec![introduced, Event::Fixed(version.to_owned())])
            }
            Operation::Any => (states.get(name).copied().unwrap_or(FixState::NotFixed), vec![introduced]),
            Operation::LessOrEqual | Operation::Never => continue,
        };
        let texts = || statement.conditions.iter().flatten().map(Condition::text);
        let module = texts().find_map(|text| text.strip_prefix("Module ")?.strip_suffix(" is enabled"));
        if !told.insert((name, statement.version.as_str(), module, statement.arch.as_str(), fix)) {
            continue;
        }
        let mut constraints: Vec<Constraint> = cpes().into_iter().collect();
        constraints.extend(module.map(|module| Constraint::Module(module.to_owned())));
        let arches: Vec<String> = statement.arch.split('|').filter(|a| !a.is_empty()).map(str::to_owned).collect();
        if !arches.is_empty() {
            constraints.push(Constraint::Arch(arches));
        }
        erratum.says(shard, name, (fix, vec![Range { events }]), constraints, FeedId::RedHatOval, sink);
    }
    if told.is_empty() {
        return sink.skip(&erratum.id, "no package");
    }
    erratum.tell(&BTreeSet::from([shard.clone()]), FeedId::RedHatOval, sink);
}

fn fix_state(state: &str) -> FixState {
    match state {
        "Will not fix" => FixState::WillNotFix,
        "Out of support scope" => FixState::EndOfLife,
        "Fix deferred" => FixState::Deferred,
        "Under investigation" => FixState::UnderInvestigation,
        _ => FixState::NotFixed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::advisories::feeds::samples::sample;
    use crate::model::Severity;

    #[test]
    fn the_sample_is_read() {
        let file = "redhat/oval/v2/testdata/fixtures/oval/v2/RHEL9/rhel-9-including-unpatched.oval.xml.bz2";
        let Some(bytes) = sample(file) else { return };
        let path = "redhat-oval/RHEL9/rhel-9-including-unpatched.oval.xml.bz2";
        let mut sink = Sink::new(None, "redhat-oval".into());
        RedHatOval.read(path, &bytes, &mut sink).expect("OVAL");
        let all = sink.decoded("rhel-9");
        let find = |name: &str| all.iter().find(|(key, _)| key == name).map(|(_, record)| record);
        let tar = find("tar").unwrap_or_else(|| panic!("{all:#?}"));
        assert_eq!((tar.id.as_str(), tar.fix), ("CVE-2005-2541", FixState::WillNotFix));
        assert!(tar.covers.is_empty());
        assert!(matches!(tar.constraints.as_slice(), [Constraint::Cpe(cpes)] if cpes.len() == 12), "{tar:?}");
        let firefox = find("firefox").unwrap_or_else(|| panic!("{all:#?}"));
        assert_eq!((firefox.id.as_str(), firefox.severity), ("RHSA-2022:4765", Some(Severity::Critical)));
        assert_eq!(firefox.covers, ["CVE-2022-1529", "CVE-2022-1802"]);
        assert_eq!(firefox.ranges[0].events[1], Event::Fixed("91.9.1-1.el9_0".into()));
        assert!(find("zlib").is_none(), "not affected");
        assert!(sink.source.skipped.contains_key("not affected"));
        let cut = bytes.get(..bytes.len() / 2).unwrap_or_default();
        assert!(RedHatOval.read(path, cut, &mut Sink::new(None, "x".into())).is_err());
    }

    #[test]
    fn older_releases_only() {
        let files = RedHatOval.files(&crate::advisories::Folder::new("."), Some(&BTreeSet::from([shard("7")])));
        assert_eq!(files, ["redhat-oval/RHEL7/rhel-7-including-unpatched.oval.xml.bz2"]);
        let url = RedHatOval.upstream(&files[0]).expect("a place");
        assert_eq!(
            url,
            "https://security.access.redhat.com/data/oval/v2/RHEL7/rhel-7-including-unpatched.oval.xml.bz2"
        );
        assert!(RedHatOval.files(&crate::advisories::Folder::new("."), Some(&BTreeSet::from([shard("9")]))).is_empty());
    }
}
