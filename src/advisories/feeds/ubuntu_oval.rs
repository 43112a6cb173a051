//! Ubuntu's OVAL, in the form for container images (`oci.`): one definition per CVE. What it says about a source package
//! stands in the words of its criteria, which Canonical's generator writes.
//!
//! It ranks below Ubuntu's OSV records, which know ESM and Pro: a fix that is there only is no fix of the release.

use std::collections::BTreeSet;

use crate::advisories::{Feed, FeedError, Fetch, Sink};
use crate::model::{Constraint, Event, FeedId, FixState, Range, ShardName};

use super::endoflife;
use super::erratum::{is_cve, is_package};
use super::oval::{self, Definition};

pub(in crate::advisories) struct UbuntuOval;

/// Code names and versions; of later releases endoflife.date tells both.
const RELEASES: [(&str, &str); 8] = [
    ("trusty", "14.04"),
    ("xenial", "16.04"),
    ("bionic", "18.04"),
    ("focal", "20.04"),
    ("jammy", "22.04"),
    ("noble", "24.04"),
    ("questing", "25.10"),
    ("resolute", "26.04"),
];

impl Feed for UbuntuOval {
    fn id(&self) -> FeedId {
        FeedId::UbuntuOval
    }

    fn license(&self) -> &'static str {
        "none stated; CC-BY-SA-4.0 as for its OSV records"
    }

    fn folder(&self) -> &'static str {
        "ubuntu-oval"
    }

    fn upstream(&self, path: &str) -> Option<String> {
        path.strip_prefix("ubuntu-oval/").map(|file| format!("https://security-metadata.canonical.com/oval/{file}"))
    }

    fn files(&self, fetch: &dyn Fetch, wanted: Option<&BTreeSet<ShardName>>) -> Vec<String> {
        if let (None, Some(listed)) = (wanted, fetch.list("ubuntu-oval")) {
            let is_one = |name: &String| codename(name).is_some_and(is_codename);
            return listed.iter().filter(|name| is_one(name)).map(|name| format!("ubuntu-oval/{name}")).collect();
        }
        let is_wanted = |version: &str| wanted.is_none_or(|wanted| wanted.contains(&shard(version)));
        let known = RELEASES.iter().filter(|(_, version)| is_wanted(version)).map(|(name, _)| (*name).to_owned());
        let mut names: BTreeSet<String> = known.collect();
        let is_ubuntu = |shard: &ShardName| shard.as_str().starts_with("ubuntu-");
        let of_ubuntu = wanted.map(|wanted| wanted.iter().filter(|shard| is_ubuntu(shard)).count());
        if of_ubuntu.is_none_or(|count| count > names.len()) {
            let listed = endoflife::supported("ubuntu", fetch).into_iter().filter(|listed| is_wanted(&listed.version));
            names.extend(listed.filter_map(|listed| listed.codename).filter(|name| is_codename(name)));
        }
        names.into_iter().map(|name| format!("ubuntu-oval/oci.com.ubuntu.{name}.cve.oval.xml.bz2")).collect()
    }

    fn source(&self, path: &str) -> String {
        codename(path).map_or_else(|| "ubuntu-oval".to_owned(), |name| format!("ubuntu-oval/{name}"))
    }

    fn read(&self, path: &str, bytes: &[u8], sink: &mut Sink) -> Result<(), FeedError> {
        let name = codename(path).ok_or_else(|| FeedError::new("no release in the path"))?;
        let known = RELEASES.iter().find(|(known, _)| *known == name).map(|(_, version)| *version);
        let mut is_of_it = known.is_some();
        oval::read(bytes, |definition| {
            let title = &definition.erratum.title;
            let Some(version) = known.or_else(|| version(title, name)) else {
                return sink.skip(title, "of another release");
            };
            let shard = shard(version);
            is_of_it = true;
            read_definition(definition, name, &shard, sink);
        })?;
        if is_of_it { Ok(()) } else { Err(FeedError::new("nothing in it is about the release in its name")) }
    }
}

/// The version of the release that a title names: `CVE-2023-48795 on Ubuntu 22.04 LTS (jammy) - medium`.
fn version<'a>(title: &'a str, codename: &str) -> Option<&'a str> {
    let (_, rest) = title.split_once(" on Ubuntu ")?;
    let (release, rest) = rest.split_once(" (")?;
    let version = release.split(' ').next()?;
    let is_version = version.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') && version.len() <= 5;
    (is_version && rest.split(')').next() == Some(codename)).then_some(version)
}

fn is_codename(name: &str) -> bool {
    (3..=20).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_lowercase())
}

fn shard(version: &str) -> ShardName {
    ShardName::new(format!("ubuntu-{version}"))
}

fn codename(path: &str) -> Option<&str> {
    path.rsplit('/').next()?.strip_prefix("oci.com.ubuntu.")?.split('.').next()
}

fn read_definition(definition: Definition, codename: &str, shard: &ShardName, sink: &mut Sink) {
    let mut erratum = definition.erratum;
    // `CVE-2023-48795 on Ubuntu 22.04 LTS (jammy) - medium`
    let id = erratum.title.split(' ').next().unwrap_or_default().to_owned();
    if definition.class != "vulnerability" || !is_cve(&id) {
        return sink.skip(&erratum.title, "no identifier");
    }
    (erratum.id, erratum.title) = (id, String::new());
    let separator = format!(" package in {codename}");
    let mut is_told = false;
    for comment in &definition.comments {
        let Some((package, words)) = comment.split_once(&separator).filter(|(package, _)| is_package(package, ""))
        else {
            continue;
        };
        let Some((fix, version)) = fix_of(words) else {
            sink.skip(&format!("{}: {comment}", erratum.id), "words that are not known");
            continue;
        };
        let mut events = vec![Event::Introduced("0".into())];
        let mut constraints = Vec::new();
        if let Some(version) = version {
            // A fix of ESM is one for those who have it.
            if version.contains("esm") {
                constraints.push(Constraint::Repository("esm".into()));
            }
            events.push(Event::Fixed(version.to_owned()));
        }
        let says = (fix, vec![Range { events }]);
        erratum.says(shard, package, says, constraints, FeedId::UbuntuOval, sink);
        is_told = true;
    }
    if is_told {
        erratum.tell(&BTreeSet::from([shard.clone()]), FeedId::UbuntuOval, sink);
    }
}

/// What the words about a package mean, and the version that fixes it.
fn fix_of(words: &str) -> Option<(FixState, Option<&str>)> {
    let note = words.split_once("(note: '").and_then(|(_, rest)| rest.split_once("')")).map(|(note, _)| note);
    let has = |part: &str| words.contains(part);
    Some(if has("has been fixed") {
        let version = note.filter(|note| !note.contains(char::is_whitespace))?;
        (FixState::Fixed, Some(version))
    } else if has("defer addressing") {
        (FixState::Deferred, None)
    } else if has("decision has been made to ignore") {
        let is_over = note.is_some_and(|note| note.contains("end of"));
        (if is_over { FixState::EndOfLife } else { FixState::WillNotFix }, None)
    } else if has("may need fixing") {
        (FixState::UnderInvestigation, None)
    } else if has("needs fixing") || has("is affected") {
        (FixState::NotFixed, None)
    } else {
        return None;
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::advisories::feeds::samples::{Files, sample};
    use crate::model::Severity;

    #[test]
    fn words_and_what_they_mean() {
        for (words, expected) in [
            (" is affected and needs fixing.", Some((FixState::NotFixed, None))),
            (" is affected and may need fixing.", Some((FixState::UnderInvestigation, None))),
            (" was vulnerable but has been fixed (note: '1:2-3').", Some((FixState::Fixed, Some("1:2-3")))),
            (" is related to the CVE in some way and has been fixed (note: '2').", Some((FixState::Fixed, Some("2")))),
            (
                " is affected, but a decision has been made to defer addressing it (note: '2024-01-01').",
                Some((FixState::Deferred, None)),
            ),
            (
                ", while related to the CVE in some way, a decision has been made to ignore this issue (note: 'end of life').",
                Some((FixState::EndOfLife, None)),
            ),
            (", a decision has been made to ignore this issue.", Some((FixState::WillNotFix, None))),
            (" has been fixed.", None),
            (" sings.", None),
        ] {
            assert_eq!(fix_of(words), expected, "{words}");
        }
    }

    #[test]
    fn releases_that_came_later_are_read_too() {
        let later = r#"[{"cycle":"30.04","codename":"Zealous Zebra","eol":"2999-01-01"},{"cycle":"30.10","codename":"../x y","eol":false}]"#;
        let listed = Files(&[("endoflife/api/ubuntu.json", later)]);
        let later = "ubuntu-oval/oci.com.ubuntu.zealous.cve.oval.xml.bz2".to_owned();
        let wanted = BTreeSet::from([ShardName::new("ubuntu-30.04")]);
        assert_eq!(UbuntuOval.files(&listed, Some(&wanted)), std::slice::from_ref(&later));
        let all = UbuntuOval.files(&listed, None);
        assert!(all.contains(&later) && all.len() == RELEASES.len() + 1, "{all:?}");
        // What is known already needs nobody's word.
        let wanted = BTreeSet::from([ShardName::new("ubuntu-24.04")]);
        assert_eq!(UbuntuOval.files(&Files(&[]), Some(&wanted)).len(), 1);
        for (title, expected) in [
            ("CVE-2030-1 on Ubuntu 30.04 LTS (zealous) - medium", Some("30.04")),
            ("CVE-2030-1 on Ubuntu 30.10 (zealous) - low", Some("30.10")),
            ("CVE-2030-1 on Ubuntu 30.04 LTS (jammy) - medium", None),
            ("CVE-2030-1 on Ubuntu ../x (zealous) - medium", None),
            ("CVE-2030-1", None),
        ] {
            assert_eq!(version(title, "zealous"), expected, "{title}");
        }
    }

    #[test]
    fn the_sample_is_read() {
        let file = "oci.com.ubuntu.jammy.cve.oval.xml.bz2";
        let Some(bytes) = sample(&format!("ubuntu/oval/testdata/fixtures/{file}")) else { return };
        let path = format!("ubuntu-oval/{file}");
        let mut sink = Sink::new(None, UbuntuOval.source(&path));
        UbuntuOval.read(&path, &bytes, &mut sink).expect("OVAL");
        let all = sink.decoded("ubuntu-22.04");
        let names: Vec<&str> = all.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["libssh", "openssh"], "{:?}", sink.source.skipped);
        let record = &all[1].1;
        assert_eq!((record.id.as_str(), record.severity), ("CVE-2023-48795", Some(Severity::Medium)));
        assert_eq!(record.ranges[0].events[1], Event::Fixed("1:8.9p1-3ubuntu0.5".into()));
        assert_eq!(sink.source.newest.map(|date| date.to_string()).as_deref(), Some("2023-12-18T15:00:00Z"));
        let cut = bytes.get(..bytes.len() / 2).unwrap_or_default();
        assert!(UbuntuOval.read(&path, cut, &mut sink).is_err());
        assert!(UbuntuOval.read("ubuntu-oval/oci.com.ubuntu.warty.cve.oval.xml.bz2", &bytes, &mut sink).is_err());
    }
}
