//! The advisory database: what feeds say is found again, damage is noticed, real data is read.

mod program;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use plimsoll::advisories::{
    BuildError, BuildOptions, BuildReport, Database, DatabaseError, FEEDS, Fetch, FetchError, Folder, SourceReport,
    address, base_variable, build,
};
use plimsoll::model::{Constraint, Distribution, Event, FeedId, FixState, Severity, ShardName};
use program::shared;
use proptest::prelude::*;
use tempfile::TempDir;

const DEBIAN: &str = r#"{"expat":{"CVE-2023-52425":{"description":"parsing large tokens","releases":{
  "bookworm":{"status":"open","urgency":"low","nodsa":"Minor issue","nodsa_reason":"ignored"},
  "trixie":{"status":"resolved","fixed_version":"2.6.0-1","urgency":"not yet assigned"}}}}}"#;

const PYPI: &str = r#"{"id":"GHSA-aaaa-bbbb-cccc","modified":"2024-05-06T07:08:09Z","published":"2024-05-01T00:00:00Z",
  "aliases":["CVE-2024-1000"],"summary":"A  flaw","details":" Long text ",
  "severity":[{"type":"CVSS_V3","score":"CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"}],
  "database_specific":{"severity":"MODERATE","cwe_ids":["CWE-79"]},
  "references":[{"type":"WEB","url":"https://example.org/a"},{"type":"WEB","url":"javascript:alert(1)"}],
  "affected":[{"package":{"ecosystem":"PyPI","name":"Zope.Interface"},
    "ranges":[{"type":"GIT","events":[{"introduced":"0"}]},{"type":"ECOSYSTEM","events":[{"introduced":"0"},{"fixed":"5.2"}]}],
    "versions":["5.0","5.1"]}]}"#;

const UBUNTU: &str = r#"{"id":"UBUNTU-CVE-2024-1000","modified":"2024-06-01T00:00:00Z","upstream":["CVE-2024-1000"],
  "severity":[{"type":"Ubuntu","score":"high"}],
  "affected":[
    {"package":{"ecosystem":"Ubuntu:22.04:LTS","name":"zope"},"ranges":[{"type":"ECOSYSTEM","events":[{"introduced":"0"}]}],
     "versions":["5.0-1","5.1-1"],"ecosystem_specific":{"ubuntu_status":"deferred (2024-01-01)"}},
    {"package":{"ecosystem":"Ubuntu:Pro:22.04:LTS","name":"zope"},
     "ranges":[{"type":"ECOSYSTEM","events":[{"introduced":"0"},{"fixed":"5.1-1ubuntu1+esm1"}]}]}]}"#;

const ALMA: &str = r#"{"id":"ALSA-2024:1","summary":"Important: zope security update","modified":"2024-05-07T15:12:28Z",
  "published":"2024-05- 7","related":["CVE-2024-1000","CVE-2024-1001"],
  "affected":[{"package":{"ecosystem":"AlmaLinux:9","name":"zope"},
    "ranges":[{"type":"ECOSYSTEM","events":[{"introduced":"0"},{"fixed":"0:5.2-1.el9"}]}]}]}"#;

const ALPINE: &str =
    r#"{"packages":[{"pkg":{"name":"curl","secfixes":{"0":["CVE-2021-1"],"8.0-r0":["CVE-2023-2"]}}}]}"#;

const KEV: &str = r#"{"dateReleased":"2026-08-07T16:45:47.0648Z","vulnerabilities":[
  {"cveID":"CVE-2024-1000","dateAdded":"2024-05-05","dueDate":"2024-05-26","knownRansomwareCampaignUse":"Known"},
  {"cveID":7}]}"#;

/// A source with a few records of several feeds, two of them malformed.
fn source() -> TempDir {
    let folder = TempDir::new().unwrap();
    for (path, content) in [
        ("debian/tracker/data/json", DEBIAN),
        ("osv/PyPI/GHSA-aaaa-bbbb-cccc.json", PYPI),
        ("osv/UBUNTU-CVE-2024-1000.json", UBUNTU),
        ("osv/ALSA-2024-1.json", ALMA),
        ("osv/broken.json", "{"),
        ("osv/withdrawn.json", r#"{"id":"GHSA-w","withdrawn":"2024-01-01T00:00:00Z"}"#),
        ("kev/known_exploited_vulnerabilities.json", KEV),
    ] {
        let path = folder.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }
    folder
}

fn built(source: &Path, to: &Path) -> BuildReport {
    build(&Folder::new(source), to, &BuildOptions::default()).unwrap()
}

/// The feeds in their order, without some.
fn all_but(feeds: &[FeedId]) -> Vec<FeedId> {
    FEEDS.iter().map(|feed| feed.id()).filter(|id| !feeds.contains(id)).collect()
}

/// The records that were left out, over all files: reason and number.
fn left_out(report: &BuildReport) -> Vec<(String, u64)> {
    let skipped = report.sources.iter().flat_map(|source| &source.skipped);
    skipped.map(|(reason, count, _)| (reason.clone(), *count)).collect()
}

fn shard(name: &str) -> ShardName {
    ShardName::new(name)
}

#[test]
fn what_feeds_say_is_found_again() {
    let (source, to) = (source(), TempDir::new().unwrap());
    let report = built(source.path(), to.path());
    let malformed = || "malformed record".to_owned();
    assert_eq!(left_out(&report), [(malformed(), 1), ("withdrawn".to_owned(), 1), (malformed(), 1)], "{report:#?}");
    let broken = report.sources.iter().find(|source| source.source == "osv/broken.json").unwrap();
    assert!(broken.skipped.iter().any(|(_, _, named)| named[0].starts_with("osv/broken.json: ")), "{broken:?}");
    assert_eq!(report.missing, all_but(&[FeedId::Osv, FeedId::DebianTracker, FeedId::Kev]));
    assert!(report.sources.iter().all(|source| source.failure.is_none()));

    let database = Database::open(to.path()).unwrap();
    let names: Vec<String> = database.shards().into_iter().map(|shard| shard.name.to_string()).collect();
    assert_eq!(names, ["almalinux-9", "cve", "debian-12", "debian-13", "pypi", "ubuntu-22.04"]);
    let sources: Vec<_> = database.info().sources.iter().map(|s| (s.source.as_str(), s.records)).collect();
    assert_eq!(sources, [("osv", 3), ("osv/PyPI", 1), ("debian/tracker/data", 2), ("kev", 1)]);
    let dates: Vec<bool> = database.info().sources.iter().map(|source| source.date.is_some()).collect();
    assert_eq!(dates, [true, true, false, true], "the tracker's data has no date");
    assert!(!database.info().example);
    assert!(database.shard(&shard("npm")).unwrap().is_none());

    let pypi = database.shard(&shard("pypi")).unwrap().unwrap();
    assert_eq!(pypi.date().unwrap().to_string(), "2024-05-06T07:08:09Z");
    assert!(pypi.lookup("absent").unwrap().is_empty());
    let found = pypi.lookup("zope-interface").unwrap();
    let [advisory] = found.as_slice() else { panic!("{found:?}") };
    assert_eq!(
        (advisory.id.as_str(), advisory.aliases.as_slice()),
        ("GHSA-aaaa-bbbb-cccc", &["CVE-2024-1000".into()][..])
    );
    assert_eq!((advisory.fix, advisory.severity), (FixState::Fixed, Some(Severity::Medium)));
    let events = &advisory.ranges.first().unwrap().events;
    assert_eq!(events, &[Event::Introduced("0".into()), Event::Fixed("5.2".into())]);
    assert_eq!(advisory.ranges.len(), 1, "ranges of commits are ignored");
    let details = pypi.details(&advisory.id).unwrap().unwrap();
    assert_eq!((details.summary.as_str(), details.description.as_str()), ("A flaw", "Long text"));
    assert_eq!(details.cvss.first().unwrap().score, 9.8);
    assert_eq!((details.cwes.len(), details.references.len()), (1, 1));
    assert!(pypi.details("GHSA-absent").unwrap().is_none());

    let ubuntu = database.shard(&shard("ubuntu-22.04")).unwrap().unwrap().lookup("zope").unwrap();
    let mut states: Vec<_> = ubuntu.iter().map(|a| (a.constraints.clone(), a.fix)).collect();
    states.sort_by_key(|(constraints, _)| constraints.len());
    let esm = Constraint::Repository("esm".into());
    assert_eq!(states, [(vec![], FixState::Deferred), (vec![esm], FixState::Fixed)]);
    assert!(ubuntu.iter().all(|a| a.covers == ["CVE-2024-1000"] && a.severity == Some(Severity::High)));
    assert!(ubuntu.iter().all(|a| a.versions.is_empty()), "versions that a range contains are dropped");

    let alma = database.shard(&shard("almalinux-9")).unwrap().unwrap().lookup("zope").unwrap();
    let [advisory] = alma.as_slice() else { panic!("{alma:?}") };
    assert_eq!((advisory.covers.len(), advisory.severity), (2, Some(Severity::High)));

    let debian = database.shard(&shard("debian-12")).unwrap().unwrap().lookup("expat").unwrap();
    assert_eq!(debian.first().unwrap().fix, FixState::WillNotFix);

    let kev = database.cve_facts("CVE-2024-1000").unwrap().unwrap().kev.unwrap();
    assert_eq!((kev.added.to_string().as_str(), kev.ransomware), ("2024-05-05", true));
    assert!(database.cve_facts("CVE-2024-9999").unwrap().is_none());
}

/// All files of a database but the catalogue, which holds the time of the build.
fn shard_files(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut files: Vec<(String, Vec<u8>)> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap())
        .map(|entry| (entry.file_name().into_string().unwrap(), fs::read(entry.path()).unwrap()))
        .filter(|(name, _)| name != "catalogue.json")
        .collect();
    files.sort();
    files
}

#[test]
fn the_same_source_gives_the_same_bytes() {
    let source = source();
    let (a, b) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    built(source.path(), a.path());
    built(source.path(), b.path());
    assert_eq!(shard_files(a.path()), shard_files(b.path()));
    assert_eq!(shard_files(a.path()).len(), 6, "six shards and no temporary file");
    let catalogue = |folder: &Path| {
        let bytes = fs::read(folder.join("catalogue.json")).unwrap();
        let mut value: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
        value["built"].take();
        value
    };
    assert_eq!(catalogue(a.path()), catalogue(b.path()));
}

#[test]
fn only_the_shards_asked_for_are_built() {
    let (source, to) = (source(), TempDir::new().unwrap());
    let only = Some(BTreeSet::from([shard("debian-12")]));
    let report =
        build(&Folder::new(source.path()), to.path(), &BuildOptions { only, ..BuildOptions::default() }).unwrap();
    let names: Vec<&str> = report.shards.iter().map(|shard| shard.name.as_str()).collect();
    assert_eq!(names, ["cve", "debian-12"], "facts about CVEs come always");
}

#[test]
fn a_new_database_takes_the_place_of_the_old_one_without_pulling_it_away() {
    let (source, to) = (source(), TempDir::new().unwrap());
    let pypi = |folder: &Path| -> Vec<String> {
        shard_files(folder).into_iter().map(|(name, _)| name).filter(|name| name.starts_with("pypi-")).collect()
    };
    let record = source.path().join("osv/PyPI/GHSA-aaaa-bbbb-cccc.json");
    let mut expected: Vec<String> = Vec::new();
    let reader = {
        built(source.path(), to.path());
        expected.extend(pypi(to.path()));
        Database::open(to.path()).unwrap()
    };
    fs::write(&record, PYPI.replace("5.2", "5.3")).unwrap();
    built(source.path(), to.path());
    assert_eq!(pypi(to.path()).len(), 2, "the new file and the one that somebody may be reading");
    let old = reader.shard(&shard("pypi")).unwrap().unwrap().lookup("zope-interface").unwrap();
    assert!(format!("{old:?}").contains("5.2"));
    let new =
        Database::open(to.path()).unwrap().shard(&shard("pypi")).unwrap().unwrap().lookup("zope-interface").unwrap();
    assert!(format!("{new:?}").contains("5.3"));
    fs::write(&record, PYPI.replace("5.2", "5.4")).unwrap();
    built(source.path(), to.path());
    let names = pypi(to.path());
    assert_eq!(names.len(), 2, "the oldest one is gone");
    assert!(!names.contains(&expected[0]));
}

/// A folder of feeds behind something like a web server: no listing, and files that cannot be had.
struct Server {
    folder: Folder,
    refused: &'static str,
    unreachable: bool,
}

impl Fetch for Server {
    fn get(&self, path: &str) -> Result<Option<Vec<u8>>, FetchError> {
        if path.contains(self.refused) {
            let reason = "502 Bad Gateway".to_owned();
            return Err(FetchError { path: path.to_owned(), reason, unreachable: self.unreachable });
        }
        self.folder.get(path)
    }

    fn list(&self, _: &str) -> Option<Vec<String>> {
        None
    }

    fn origin(&self) -> String {
        "https://mirror.example".to_owned()
    }
}

#[test]
fn a_feed_that_cannot_be_had_costs_only_itself() {
    let (source, to) = (source(), TempDir::new().unwrap());
    let mut server = Server { folder: Folder::new(source.path()), refused: "kev/", unreachable: false };
    let report = build(&server, to.path(), &BuildOptions::default()).unwrap();
    let failed: Vec<&SourceReport> = report.sources.iter().filter(|source| source.failure.is_some()).collect();
    let [failed] = failed.as_slice() else { panic!("{failed:?}") };
    assert_eq!(failed.failure.as_deref(), Some("502 Bad Gateway"));
    assert!(!report.missing.contains(&FeedId::Kev), "it is there, but could not be had");
    // Without a listing and without `osv/ecosystems.txt` there is no way to know OSV's files.
    assert_eq!(report.missing, all_but(&[FeedId::DebianTracker, FeedId::Kev]));
    let sets = |path: &str| fs::read(to.path().join(path)).unwrap();
    let before = sets("catalogue.json");
    // A place that is away, one by one and all of them.
    server.unreachable = true;
    let report = build(&server, to.path(), &BuildOptions::default()).unwrap();
    assert!(report.sources.iter().any(|source| source.failure.is_some()), "{report:?}");
    assert_ne!(sets("catalogue.json"), before, "the others are built");
    let before = sets("catalogue.json");
    server.refused = "";
    let result = build(&server, to.path(), &BuildOptions::default());
    assert!(matches!(result, Err(BuildError::Unreachable(_))), "{result:?}");
    assert_eq!(sets("catalogue.json"), before, "the database that was there stays");
}

#[test]
fn a_marker_makes_the_database_one_of_examples() {
    let (source, to) = (source(), TempDir::new().unwrap());
    fs::write(source.path().join("EXAMPLE"), "examples").unwrap();
    built(source.path(), to.path());
    assert!(Database::open(to.path()).unwrap().info().example);
}

#[test]
fn nothing_to_read_and_nothing_to_open_are_errors() {
    let (empty, to) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let result = build(&Folder::new(empty.path()), to.path(), &BuildOptions::default());
    assert!(matches!(result, Err(BuildError::NothingFound(_))), "{result:?}");
    assert!(matches!(Database::open(to.path()), Err(DatabaseError::Missing(_))));
    for (json, reason) in [
        (r#"{"format":"plimsoll-database-9"}"#, Some("its format is `plimsoll-database-9`")),
        ("[]", None),
        ("", None),
        (r#"{"format":"plimsoll-database-1"}"#, None),
    ] {
        fs::write(to.path().join("catalogue.json"), json).unwrap();
        let error = Database::open(to.path()).unwrap_err();
        let is_expected = match (&error, reason) {
            (DatabaseError::Format { reason, is_newer: true, .. }, Some(expected)) => reason.contains(expected),
            (DatabaseError::Corrupt { .. }, None) => true,
            _ => false,
        };
        assert!(is_expected, "{json}: {error}");
    }
}

#[test]
fn only_the_shard_that_is_named_is_opened() {
    let (source, to) = (source(), TempDir::new().unwrap());
    built(source.path(), to.path());
    let catalogue = fs::read_to_string(to.path().join("catalogue.json")).unwrap();
    let file = |name: &str| {
        shard_files(to.path()).into_iter().map(|(file, _)| file).find(|file| file.starts_with(name)).unwrap()
    };
    let pypi = file("pypi-");
    for other in [format!("../{pypi}"), format!("/{pypi}"), ".".to_owned(), String::new(), file("debian-12-")] {
        fs::write(to.path().join("catalogue.json"), catalogue.replace(&pypi, &other)).unwrap();
        let result = Database::open(to.path()).and_then(|database| database.shard(&shard("pypi")));
        assert!(matches!(result, Err(DatabaseError::Corrupt { .. })), "{other}: {result:?}");
    }
}

/// All that the shard `pypi` answers.
fn answers(folder: &Path) -> Result<String, DatabaseError> {
    let database = Database::open(folder)?;
    let Some(shard) = database.shard(&shard("pypi"))? else { return Ok("no shard".to_owned()) };
    Ok(format!("{:?} {:?}", shard.lookup("zope-interface")?, shard.details("GHSA-aaaa-bbbb-cccc")?))
}

/// The folder of a database, the file of its shard `pypi`, and that file's content.
fn with_pypi() -> (TempDir, std::path::PathBuf, Vec<u8>) {
    let (source, to) = (source(), TempDir::new().unwrap());
    built(source.path(), to.path());
    let (name, bytes) = shard_files(to.path()).into_iter().find(|(name, _)| name.starts_with("pypi-")).unwrap();
    let path = to.path().join(name);
    (to, path, bytes)
}

#[test]
fn damage_gives_an_error_or_the_same_answer() {
    let (to, path, sound) = with_pypi();
    let expected = answers(to.path()).unwrap();
    let mut noticed = 0;
    for at in 0..sound.len() {
        for bit in [0, 3, 7] {
            let mut damaged = sound.clone();
            damaged[at] ^= 1 << bit;
            fs::write(&path, damaged).unwrap();
            match answers(to.path()) {
                Ok(answer) => assert_eq!(answer, expected, "bit {bit} of byte {at}"),
                Err(DatabaseError::Corrupt { .. }) => noticed += 1,
                // The number of the version is just that.
                Err(DatabaseError::Format { .. }) if (8..12).contains(&at) => noticed += 1,
                Err(other) => panic!("bit {bit} of byte {at}: {other}"),
            }
        }
    }
    assert!(noticed >= sound.len(), "only {noticed} of {} changes were noticed", sound.len() * 3);

    let catalogue = to.path().join("catalogue.json");
    let listed = fs::read_to_string(&catalogue).unwrap();
    for length in 0..sound.len() {
        fs::write(&path, &sound[..length]).unwrap();
        assert!(answers(to.path()).is_err(), "cut to {length} bytes");
        // Even when the catalogue agrees.
        let agreeing = listed.replace(&format!("\"size\": {},", sound.len()), &format!("\"size\": {length},"));
        assert_ne!(agreeing, listed);
        fs::write(&catalogue, agreeing).unwrap();
        assert!(answers(to.path()).is_err(), "cut to {length} bytes with a catalogue that says so");
        fs::write(&catalogue, &listed).unwrap();
    }
}

/// What another version of the program has made is no damage: people are told which of the two is too old.
#[test]
fn another_version_is_told_from_damage() {
    let (to, path, sound) = with_pypi();
    let version = u32::from_le_bytes(sound[8..12].try_into().unwrap());
    for (other, newer) in [(version + 1, true), (u32::MAX, true), (version - 1, false)] {
        let mut bytes = sound.clone();
        bytes[8..12].copy_from_slice(&other.to_le_bytes());
        fs::write(&path, bytes).unwrap();
        match answers(to.path()) {
            Err(DatabaseError::Format { is_newer, reason, .. }) => {
                assert!(is_newer == newer && reason.contains(&other.to_string()), "{other}: {reason}");
            }
            result => panic!("{other}: {result:?}"),
        }
    }
    fs::write(&path, &sound).unwrap();
    let catalogue = to.path().join("catalogue.json");
    let listed = fs::read_to_string(&catalogue).unwrap();
    fs::write(&catalogue, listed.replace("plimsoll-database-1", "plimsoll-database-2")).unwrap();
    assert!(matches!(answers(to.path()), Err(DatabaseError::Format { is_newer: true, .. })));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// Overwritten runs, with the checksum of the header made right again: what an attacker would do.
    #[test]
    fn forged_headers_never_panic(at in 20usize..200, with in prop::collection::vec(any::<u8>(), 1..12)) {
        let (to, path, mut bytes) = with_pypi();
        let end = (at + with.len()).min(bytes.len());
        if let Some(target) = bytes.get_mut(at..end) {
            target.copy_from_slice(&with[..end - at]);
        }
        let length = u32::from_le_bytes(bytes[12..16].try_into().unwrap()) as usize;
        let checksum = crc32fast::hash(&bytes[20..20 + length]);
        bytes[16..20].copy_from_slice(&checksum.to_le_bytes());
        fs::write(&path, bytes).unwrap();
        let _ = answers(to.path());
    }

    /// Feeds with any byte changed or cut off: an error, or records that are left out.
    #[test]
    fn damaged_feeds_never_panic(which in 0usize..5, at in 0usize..1500, value: u8, cut in 0usize..1500) {
        let (path, content) = [
            ("debian/tracker/data/json", DEBIAN),
            ("osv/PyPI/GHSA-aaaa-bbbb-cccc.json", PYPI),
            ("osv/UBUNTU-CVE-2024-1000.json", UBUNTU),
            ("alpine-secdb/v3.20/main.json", ALPINE),
            ("kev/known_exploited_vulnerabilities.json", KEV),
        ][which];
        let (folder, to) = (TempDir::new().unwrap(), TempDir::new().unwrap());
        let mut bytes = content.as_bytes().to_vec();
        if let Some(byte) = bytes.get_mut(at) {
            *byte = value;
        }
        if cut % 3 == 0 {
            bytes.truncate(cut);
        }
        let file = folder.path().join(path);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, bytes).unwrap();
        let result = build(&Folder::new(folder.path()), to.path(), &BuildOptions::default());
        prop_assert!(result.is_ok() || matches!(result, Err(BuildError::NothingFound(_))), "{result:?}");
    }
}

/// Everything of the real feeds, within the limits of what a database may take.
#[test]
fn real_feeds_are_read() {
    let Some(shared) = shared() else { return };
    let to = TempDir::new().unwrap();
    let report = built(&shared.join("feeds"), to.path());
    let there = [FeedId::Osv, FeedId::DebianTracker, FeedId::AlpineSecdb];
    let facts = [FeedId::EndOfLife, FeedId::Kev, FeedId::Epss, FeedId::Cvss];
    assert_eq!(report.missing, all_but(&[&there[..], &facts[..]].concat()));
    let failures: Vec<_> = report.sources.iter().filter(|source| source.failure.is_some()).collect();
    assert!(failures.is_empty(), "{failures:?}");
    for (reason, count) in left_out(&report) {
        let expected = ["withdrawn", "not about security", "no range of versions and no versions"];
        assert!(expected.contains(&reason.as_str()) || count < 10, "{count} left out: {reason}: {:?}", report.sources);
    }
    let database = Database::open(to.path()).unwrap();
    for (name, package, cve, fixed) in [
        ("debian-12", "webkit2gtk", "CVE-2025-24143", "2.46.6-1~deb12u1"),
        ("debian-6", "gnutls26", "CVE-2014-3466", "2.8.6-1+squeeze4"),
        ("alpine-3.20", "aom", "CVE-2021-30473", "3.1.1-r0"),
        ("almalinux-9", "podman", "CVE-2023-39326", "2:4.9.4-0.1.el9"),
        ("ubuntu-22.04", "imagemagick", "CVE-2019-16708", "8:6.9.10.23+dfsg-2.1ubuntu9"),
    ] {
        let found = database.shard(&shard(name)).unwrap().unwrap().lookup(package).unwrap();
        let matching = found
            .iter()
            .filter(|a| a.id == cve || a.covers.iter().any(|covered| covered == cve))
            .filter(|a| a.ranges.iter().flat_map(|r| &r.events).any(|event| *event == Event::Fixed(fixed.into())));
        assert!(matching.count() > 0, "{name} {package} {cve}: {} records", found.len());
    }
    // Withdrawn records and those of commits only are less than one in twenty.
    for (name, at_least) in
        [("pypi", 6_700), ("go", 6_000), ("npm", 800), ("almalinux-9", 20_000), ("ubuntu-22.04", 25_000)]
    {
        let records = database.shards().into_iter().find(|found| found.name == shard(name)).unwrap().records;
        assert!(records >= at_least, "{name}: {records}");
    }
    assert!(database.cve_facts("CVE-2026-8037").unwrap().unwrap().kev.is_some());
    assert!(database.cve_facts("CVE-2002-0367").unwrap().unwrap().epss.is_some());
    let wolfi = database.shard(&shard("wolfi")).unwrap();
    assert!(wolfi.is_none(), "no data is not the same as no advisories");

    let size = |name: &str| report.shards.iter().find(|found| found.name == shard(name)).unwrap().size;
    for (what, bytes, limit) in [
        ("all", report.shards.iter().map(|shard| shard.size).sum(), 25_000_000),
        ("debian-12", size("debian-12"), 1_000_000),
        ("alpine-3.20", size("alpine-3.20"), 200_000),
        ("npm and pypi", size("npm") + size("pypi"), 3_000_000),
    ] {
        assert!(bytes < limit, "{what}: {bytes} bytes, at most {limit} are allowed");
    }
}

/// The scores that the vectors of the real table yield are those that its authors state.
#[test]
fn scores_are_those_that_others_compute() {
    let Some(shared) = shared() else { return };
    let to = TempDir::new().unwrap();
    let only = Some(BTreeSet::from([shard("debian-13")]));
    build(&Folder::new(shared.join("feeds")), to.path(), &BuildOptions { only, ..BuildOptions::default() }).unwrap();
    let database = Database::open(to.path()).unwrap();
    let mut text = String::new();
    let file = fs::File::open(shared.join("feeds/cve/cvss.csv.gz")).unwrap();
    std::io::Read::read_to_string(&mut flate2::read::GzDecoder::new(file), &mut text).unwrap();
    let (mut compared, mut wrong) = (0, Vec::new());
    for row in text.lines().skip(1) {
        let columns: Vec<&str> = row.split(',').collect();
        let [cve, vector, stated, _, source] = columns.as_slice() else { panic!("{row}") };
        let facts = database.cve_facts(cve).unwrap().unwrap_or_else(|| panic!("{cve} is missing"));
        let found = facts.cvss.iter().find(|cvss| cvss.vector == *vector).unwrap_or_else(|| panic!("{row} is missing"));
        // With temporal metrics in the vector the table states the temporal score; others than NVD state scores that
        // no formula yields.
        let is_base = ["/E:", "/RL:", "/RC:"].iter().all(|metric| !vector.contains(metric));
        if is_base && source.ends_with("nvd") {
            compared += 1;
            let stated: f64 = stated.parse().unwrap();
            if (found.score - stated).abs() > 0.05 {
                wrong.push(format!("{row}: {}", found.score));
            }
        }
    }
    assert!(compared > 28_000, "only {compared} compared");
    assert!(wrong.is_empty(), "{} of {compared} differ: {:#?}", wrong.len(), &wrong[..20.min(wrong.len())]);
}

/// Small real files of upstreams whose bulk is not there: other shapes and older versions of the formats.
#[test]
fn samples_of_other_upstreams_are_read() {
    let Some(shared) = shared() else { return };
    let samples = shared.join("feeds/samples");
    let (folder, to) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    for (from, path) in [
        ("debian/tracker/api/testdata/fixtures/advisory.json", "debian/tracker/data/json"),
        ("alpine/secdb/testdata/fixtures/edge/main.json", "alpine-secdb/edge/main.json"),
        ("wolfi/secdb/testdata/fixtures/happy/security.json", "alpine-secdb/wolfi/os.json"),
        ("chainguard/secdb/testdata/fixtures/happy/security.json", "alpine-secdb/chainguard/os.json"),
        ("wolfi/osv/testdata/fixtures/all.zip", "osv/Wolfi/all.zip"),
        ("alma/osv/testdata/fixtures/all.zip", "osv/AlmaLinux/all.zip"),
        ("rocky/osv/testdata/fixtures/all.zip", "osv/Rocky Linux/all.zip"),
        ("redhat/osv/testdata/fixtures/all.zip", "osv/Red Hat/all.zip"),
        ("debian/osv/testdata/fixtures/all.zip", "osv/Debian/all.zip"),
        ("alpine/osv/testdata/fixtures/all.zip", "osv/Alpine/all.zip"),
        ("npm/osv/testdata/fixtures/all.zip", "osv/npm/all.zip"),
        ("pip/osv/testdata/fixtures/all.zip", "osv/PyPI/all.zip"),
        ("maven/osv/testdata/fixtures/all.zip", "osv/Maven/all.zip"),
        ("epss/testdata/fixtures/epss_scores-2023-03-07.csv.gz", "epss/epss_scores-current.csv.gz"),
        ("cisa/kev/testdata/fixtures/known_exploited_vulnerabilities.json", "kev/known_exploited_vulnerabilities.json"),
    ] {
        let target = folder.path().join(path);
        fs::create_dir_all(target.parent().unwrap()).unwrap();
        fs::write(&target, fs::read(samples.join(from)).unwrap_or_else(|e| panic!("{from}: {e}"))).unwrap();
    }
    let report = built(folder.path(), to.path());
    for source in &report.sources {
        assert_eq!(source.failure, None, "{}", source.source);
        let malformed: Vec<_> = source.skipped.iter().filter(|(reason, ..)| reason == "malformed record").collect();
        assert!(malformed.is_empty(), "{}: {malformed:?}", source.source);
        assert!(source.records > 0 || source.source.contains("Red Hat"), "{}: {source:?}", source.source);
    }
    let database = Database::open(to.path()).unwrap();
    let lookup = |name: &str, key: &str| database.shard(&shard(name)).unwrap().unwrap().lookup(key).unwrap();
    // `open` in bullseye, with `ignored`.
    let debian = lookup("debian-11", "389-ds-base");
    let fix = |id: &str| debian.iter().find(|advisory| advisory.id == id).map(|advisory| advisory.fix);
    assert_eq!(fix("CVE-2016-5416"), Some(FixState::WillNotFix));
    assert_eq!(fix("CVE-2012-0833"), Some(FixState::NotAffected));
    assert_eq!(fix("CVE-2016-5405"), Some(FixState::Fixed));
    let wolfi = lookup("wolfi", "aactl");
    assert!(wolfi.iter().any(|advisory| advisory.fix == FixState::NotAffected), "{wolfi:?}");
    let memcached = lookup("wolfi", "nri-memcached");
    assert!(memcached.iter().any(|advisory| advisory.covers == ["CVE-2024-34156"]), "{memcached:?}");
    let rocky = lookup("rocky-9", "bcel");
    assert_eq!(rocky.first().map(|advisory| advisory.severity), Some(Some(Severity::High)), "{rocky:?}");
}

/// Puts samples where the common layout has them.
fn laid_out(samples: &[(&str, &str)]) -> Option<TempDir> {
    let (shared, folder) = (shared()?, TempDir::new().unwrap());
    for (from, path) in samples {
        let path = folder.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::copy(shared.join("feeds/samples").join(from), path).unwrap();
    }
    Some(folder)
}

fn distribution(id: &str, version: &str) -> Distribution {
    let (id, version, name) = (id.to_owned(), version.to_owned(), String::new());
    Distribution { id, version, name, codename: None, id_like: vec![], repository_release: None, content_sets: vec![] }
}

#[test]
fn vendors_of_rpm_packages_fill_their_own_shards() {
    let Some(folder) = laid_out(&[
        ("amazon/testdata/fixtures/updateinfo_2.xml.gz", "amazon/2/core/updateinfo.xml.gz"),
        ("amazon/testdata/fixtures/updateinfo_2_kernel-5.15.xml.gz", "amazon/2/extras-kernel-5.15/updateinfo.xml.gz"),
        ("oracle/linux/testdata/fixtures/com.oracle.elsa-all.xml.bz2", "oracle/com.oracle.elsa-all.xml.bz2"),
        ("suse/oval/testdata/fixtures/happy/opensuse.leap.15.2.xml.gz", "suse/opensuse.leap.15.2.xml.gz"),
        ("photon/oval/testdata/fixtures/happy/com.vmware.phsa-photon5.xml.gz", "photon/com.vmware.phsa-photon5.xml.gz"),
        ("redhat/vex/v2/testdata/fixtures/vex-archive.tar.zst", "redhat/vex-archive.tar.zst"),
    ]) else {
        return;
    };
    // A later document takes the place of the one in the archive.
    let later = r#"{"document":{},"product_tree":{"branches":[{"product":{"product_id":"red_hat_enterprise_linux_9",
        "product_identification_helper":{"cpe":"cpe:/o:redhat:enterprise_linux:9"}}}],"relationships":[{"product_reference":"libtiff",
        "relates_to_product_reference":"red_hat_enterprise_linux_9","full_product_name":{"product_id":"9:libtiff"}}]},
        "vulnerabilities":[{"cve":"CVE-2023-6228","product_status":{"known_affected":["9:libtiff"]}}]}"#;
    fs::create_dir_all(folder.path().join("redhat/2023")).unwrap();
    fs::write(folder.path().join("redhat/2023/cve-2023-6228.json"), later).unwrap();
    let changes = "\"2023/cve-2023-6228.json\",\"2026-08-04T10:17:22+00:00\"\n";
    fs::write(folder.path().join("redhat/changes.csv"), changes).unwrap();
    let ends = r#"[{"cycle":"9","eol":"2032-05-31"}]"#;
    fs::create_dir_all(folder.path().join("endoflife/api")).unwrap();
    fs::write(folder.path().join("endoflife/api/rhel.json"), ends).unwrap();

    let to = TempDir::new().unwrap();
    let report = built(folder.path(), to.path());
    assert!(report.sources.iter().all(|source| source.failure.is_none()), "{report:#?}");
    let database = Database::open(to.path()).unwrap();
    for (name, feed) in [
        ("amzn-2", FeedId::Amazon),
        ("ol-5", FeedId::Oracle),
        ("opensuse-leap-15.2", FeedId::Suse),
        ("photon-5.0", FeedId::Photon),
        ("rhel-9", FeedId::RedHat),
    ] {
        let package = match name {
            "amzn-2" => "kernel",
            "ol-5" => "bind",
            "opensuse-leap-15.2" => "fastjar",
            "photon-5.0" => "ansible",
            _ => "openssl",
        };
        let found = database.shard(&shard(name)).unwrap().unwrap().lookup(package).unwrap();
        assert!(!found.is_empty() && found.iter().all(|advisory| advisory.feed == feed), "{name}: {found:#?}");
    }
    let libtiff = database.shard(&shard("rhel-9")).unwrap().unwrap().lookup("libtiff").unwrap();
    let [advisory] = libtiff.as_slice() else { panic!("{libtiff:#?}") };
    assert_eq!((advisory.fix, advisory.severity), (FixState::NotFixed, None), "the later document");
    let end = database.end_of_life(&distribution("rhel", "9.4")).unwrap().unwrap();
    assert_eq!(end.ends.map(|day| day.to_string()).as_deref(), Some("2032-05-31"));
    assert!(database.end_of_life(&distribution("rhel", "7.9")).unwrap().is_none());
}

#[test]
fn a_feed_that_lost_records_leaves_its_shards_as_they_were() {
    let (source, to) = (source(), TempDir::new().unwrap());
    let keep = BuildOptions { keep_last_good: true, ..BuildOptions::default() };
    let accept = BuildOptions::default();
    let build = |options: &BuildOptions| build(&Folder::new(source.path()), to.path(), options).unwrap();
    let failures = |report: &BuildReport| -> Vec<String> {
        let failed = report.sources.iter().filter(|source| source.failure.is_some());
        failed.map(|source| format!("{}: {}", source.source, source.failure.clone().unwrap_or_default())).collect()
    };
    let names =
        || Database::open(to.path()).unwrap().shards().into_iter().map(|s| s.name.to_string()).collect::<Vec<_>>();
    assert!(failures(&build(&keep)).is_empty(), "nothing is lost of nothing");
    let before = names();

    // A record becomes malformed, and a whole feed disappears.
    fs::write(source.path().join("osv/PyPI/GHSA-aaaa-bbbb-cccc.json"), "{").unwrap();
    fs::remove_dir_all(source.path().join("kev")).unwrap();
    // Meanwhile another feed has news, which its own shards take.
    fs::write(source.path().join("debian/tracker/data/json"), DEBIAN.replace("2.6.0-1", "2.6.0-9")).unwrap();
    let report = build(&keep);
    assert_eq!(
        failures(&report),
        [
            "shard cve: kev has 0 records, 1 before: the last good one is kept",
            "shard pypi: osv has 0 records, 1 before: the last good one is kept"
        ]
    );
    assert_eq!(names(), before);
    assert_eq!(report.kept, [shard("cve"), shard("pypi")]);
    let database = Database::open(to.path()).unwrap();
    let expat = database.shard(&shard("debian-13")).unwrap().unwrap().lookup("expat").unwrap();
    assert!(format!("{expat:?}").contains("2.6.0-9"), "{expat:?}");
    assert_eq!(database.shard(&shard("pypi")).unwrap().unwrap().lookup("zope-interface").unwrap().len(), 1);
    assert!(database.cve_facts("CVE-2024-1000").unwrap().unwrap().kev.is_some());

    assert!(failures(&build(&accept)).is_empty(), "a setting overrules");
    assert!(!names().contains(&"pypi".to_owned()));
}

#[test]
fn every_feed_is_documented_and_can_be_mirrored() {
    let document = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/database.md")).unwrap();
    for feed in FEEDS {
        let (id, folder) = (feed.id(), feed.folder());
        let row = document
            .lines()
            .find(|line| line.starts_with(&format!("| {id} |")))
            .unwrap_or_else(|| panic!("no row for {id}"));
        for part in [format!("`{folder}/"), format!("`{}`", base_variable(id)), format!("| {} |", feed.license())] {
            assert!(row.contains(&part), "{id}: `{part}` is not in `{row}`");
        }
        let path = format!("{folder}/some file");
        let mirror = address(&path, |asked| (asked == id).then(|| "https://mirror.example/x/".to_owned()));
        assert_eq!(mirror.as_deref(), Some("https://mirror.example/x/some%20file"), "{id}");
        let upstream = address(&path, |_| None);
        assert_eq!(upstream.is_some(), id != FeedId::Cvss, "{id}: {upstream:?}");
    }
}
