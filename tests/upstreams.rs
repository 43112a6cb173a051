//! Feeds over HTTP: asked for only where they have changed, used from the cache where nobody answers.

mod program;
mod support;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::{Arc, Mutex};

use plimsoll::advisories::Database;
use plimsoll::model::ShardName;
use program::{Run, run_in};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use support::http::{Reply, Request, Server};
use tempfile::TempDir;

const DEBIAN: &str = "debian/tracker/data/json";
const KEV: &str = "kev/known_exploited_vulnerabilities.json";
const EPSS: &str = "epss/epss_scores-current.csv.gz";
const PYPI: &str = "osv/PyPI/all.zip";
const CHANGES: &str = "osv/PyPI/modified_id.csv";

/// What the server has, what it was asked, and what is wrong with it.
#[derive(Default)]
struct Files {
    files: Mutex<BTreeMap<String, Vec<u8>>>,
    /// Path and status.
    answers: Mutex<Vec<(String, u16)>>,
    /// Paths that begin so are answered with this status.
    trouble: Mutex<Option<(String, u16)>>,
}

impl Files {
    fn put(&self, path: &str, content: impl Into<Vec<u8>>) {
        self.files.lock().unwrap().insert(path.to_owned(), content.into());
    }

    fn trouble(&self, trouble: Option<(&str, u16)>) {
        *self.trouble.lock().unwrap() = trouble.map(|(path, status)| (path.to_owned(), status));
    }

    /// What was asked since the last time, with the status, without what is not there.
    fn answers(&self) -> Vec<(String, u16)> {
        let mut answers = std::mem::take(&mut *self.answers.lock().unwrap());
        answers.retain(|(_, status)| *status != 404);
        answers.sort();
        answers
    }

    fn answer(&self, request: &Request) -> Reply {
        let path = request.target.trim_start_matches('/').to_owned();
        let reply = self.reply(&path, request);
        self.answers.lock().unwrap().push((path, reply.status));
        reply
    }

    fn reply(&self, path: &str, request: &Request) -> Reply {
        if let Some((_, status)) = self.trouble.lock().unwrap().as_ref().filter(|(start, _)| path.starts_with(start)) {
            return Reply::new(*status, "text/plain", "trouble");
        }
        let files = self.files.lock().unwrap();
        let Some(content) = files.get(path) else { return Reply::new(404, "text/plain", "nothing") };
        // Some servers have tags, others only dates.
        let hash = Sha256::digest(content).iter().take(2).fold(0_u32, |sum, byte| sum * 256 + u32::from(*byte));
        let (header, asked, value) = match path.starts_with("kev/") {
            true => {
                let (minutes, seconds) = (hash / 60 % 60, hash % 60);
                ("Last-Modified", "If-Modified-Since", format!("Sun, 06 Nov 1994 08:{minutes:02}:{seconds:02} GMT"))
            }
            false => ("ETag", "If-None-Match", format!("\"{hash}\"")),
        };
        match request.header(asked) == Some(&value) {
            true => Reply::new(304, "text/plain", ""),
            false => Reply::new(200, "application/octet-stream", content.clone()).with(header, value),
        }
    }
}

/// A server, and a machine that asks it.
struct Place {
    files: Arc<Files>,
    server: Option<Server>,
    port: u16,
    home: TempDir,
}

impl Place {
    fn new() -> Self {
        let files = Arc::new(Files::default());
        files.put(DEBIAN, debian("1.5-1"));
        files.put(KEV, kev(&["CVE-2024-1000"]));
        files.put(
            EPSS,
            "#model_version:v1,score_date:2026-08-21T12:55:00Z\ncve,epss,percentile\nCVE-2024-1000,0.5,0.9\n",
        );
        files.put("osv/ecosystems.txt", "PyPI\n");
        files.put(PYPI, zip(&[("GHSA-1.json", record("GHSA-1", "1.5")), ("GHSA-2.json", record("GHSA-2", "1.5"))]));
        files.put(CHANGES, "2024-05-06T07:08:09Z,GHSA-1\n2024-05-06T07:08:09Z,GHSA-2\n");
        let served = Arc::clone(&files);
        let server = Server::start(None, move |request| served.answer(request));
        Self { files, port: server.port, server: Some(server), home: TempDir::new().unwrap() }
    }

    fn base(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    fn database(&self) -> std::path::PathBuf {
        self.home.path().join("database")
    }

    fn build(&self) -> Run {
        let to = self.database().display().to_string();
        run_in(self.home.path(), &["db", "build", "--from", &self.base(), "--to", &to], &[])
    }
}

fn debian(fixed: &str) -> String {
    let releases = json!({"bookworm": {"status": "resolved", "fixed_version": fixed, "urgency": "low"}});
    json!({"zope": {"CVE-2024-1000": {"description": "x", "releases": releases}}}).to_string()
}

fn kev(cves: &[&str]) -> String {
    let entry = |cve: &&str| json!({"cveID": cve, "dateAdded": "2024-05-05"});
    json!({"vulnerabilities": cves.iter().map(entry).collect::<Vec<Value>>()}).to_string()
}

fn record(id: &str, fixed: &str) -> String {
    let events = json!([{"introduced": "0"}, {"fixed": fixed}]);
    let affected = json!([{"package": {"ecosystem": "PyPI", "name": "zope"}, "ranges": [{"type": "ECOSYSTEM", "events": events}]}]);
    json!({"id": id, "modified": "2024-05-06T07:08:09Z", "summary": "x", "affected": affected}).to_string()
}

/// A zip file of stored entries.
fn zip(files: &[(&str, String)]) -> Vec<u8> {
    let (mut out, mut directory) = (Vec::new(), Vec::new());
    for (name, content) in files {
        let mut common = vec![20, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        common.extend(crc32fast::hash(content.as_bytes()).to_le_bytes());
        common.extend((content.len() as u32).to_le_bytes().repeat(2));
        common.extend((name.len() as u16).to_le_bytes());
        common.extend([0, 0]);
        directory.extend(b"PK\x01\x02\x14\x00".iter().chain(&common));
        directory.extend([0; 10]);
        directory.extend((out.len() as u32).to_le_bytes());
        directory.extend(name.bytes());
        out.extend(b"PK\x03\x04".iter().chain(&common));
        out.extend(name.bytes().chain(content.bytes()));
    }
    let (start, size) = (out.len() as u32, directory.len() as u32);
    out.extend(directory);
    out.extend(b"PK\x05\x06\0\0\0\0");
    out.extend((files.len() as u16).to_le_bytes().repeat(2));
    out.extend([size.to_le_bytes(), start.to_le_bytes()].concat());
    out.extend([0, 0]);
    out
}

/// The fixed versions of `zope` in a shard, as text.
fn fixes(directory: &Path, shard: &str) -> String {
    let shard = Database::open(directory).unwrap().shard(&ShardName::new(shard)).unwrap().unwrap();
    let found = shard.lookup("zope").unwrap();
    found.iter().map(|advisory| format!("{} {:?};", advisory.id, advisory.ranges)).collect()
}

fn pairs(expected: &[(&str, u16)]) -> Vec<(String, u16)> {
    expected.iter().map(|(path, status)| ((*path).to_owned(), *status)).collect()
}

#[test]
fn only_what_has_changed_is_sent_again() {
    let place = Place::new();
    place.build().expect(0);
    let all = |status| pairs(&[(DEBIAN, status), (EPSS, status), (KEV, status), ("osv/ecosystems.txt", status)]);
    let with = |mut all: Vec<(String, u16)>, more: &[(&str, u16)]| {
        all.extend(pairs(more));
        all.sort();
        all
    };
    assert_eq!(place.files.answers(), with(all(200), &[(PYPI, 200)]));
    // Nothing has changed, and of the export not even that is asked: the list of changes tells.
    place.build().expect(0);
    assert_eq!(place.files.answers(), with(all(304), &[(CHANGES, 200)]));
    assert!(fixes(&place.database(), "debian-12").contains("1.5-1"));

    place.files.put(DEBIAN, debian("1.5-2"));
    place.build().expect(0);
    let mut expected = with(all(304), &[(CHANGES, 304)]);
    expected.iter_mut().find(|(path, _)| path == DEBIAN).unwrap().1 = 200;
    assert_eq!(place.files.answers(), expected);
    assert!(fixes(&place.database(), "debian-12").contains("1.5-2"));

    // Copies that were damaged or lost are fetched again.
    for file in fs::read_dir(place.home.path().join(".cache/plimsoll/blobs/sha256")).unwrap().flatten() {
        fs::write(file.path(), "damage").unwrap();
    }
    place.build().expect(0);
    assert!(place.files.answers().contains(&(DEBIAN.to_owned(), 200)));
    assert!(fixes(&place.database(), "debian-12").contains("1.5-2"));
}

#[test]
fn of_an_export_only_the_records_that_changed_are_fetched() {
    let place = Place::new();
    place.build().expect(0);
    place.files.answers();
    // One is another, one is new, one is withdrawn.
    let tomorrow = "2999-01-01T00:00:00Z";
    place.files.put(CHANGES, format!("{tomorrow},GHSA-3\n{tomorrow},GHSA-2\n{tomorrow},GHSA-1\n"));
    place.files.put("osv/PyPI/GHSA-3.json", record("GHSA-3", "3.0"));
    place.files.put("osv/PyPI/GHSA-2.json", record("GHSA-2", "2.0").replace("\"x\"", "\"news\""));
    place.files.put("osv/PyPI/GHSA-1.json", r#"{"id":"GHSA-1","withdrawn":"2024-07-01T00:00:00Z"}"#);
    let run = run_in(
        place.home.path(),
        &["db", "build", "--from", &place.base(), "--to", &place.database().display().to_string()],
        // What is withdrawn is more than 1 % of these.
        &[("PLIMSOLL_DB_ACCEPT_LOSSES", "true")],
    );
    run.expect(0);
    let answers = place.files.answers();
    assert!(!answers.iter().any(|(path, _)| path == PYPI), "{answers:?}");
    assert_eq!(answers.iter().filter(|(path, _)| path.contains("GHSA-")).count(), 3, "{answers:?}");
    let found = fixes(&place.database(), "pypi");
    assert!(!found.contains("GHSA-1") && found.contains("GHSA-3"), "{found}");
    assert!(found.contains("2.0") && !found.contains("1.5"), "{found}");
    // What people read about it is of the new record too, and nothing is left of one that is withdrawn.
    let shard = Database::open(&place.database()).unwrap().shard(&ShardName::new("pypi")).unwrap().unwrap();
    assert_eq!(shard.details("GHSA-2").unwrap().unwrap().summary, "news");
    assert_eq!(shard.details("GHSA-1").unwrap(), None);

    // Too much has changed, or what has is not said in a form that can be trusted: the whole.
    let many: String = (0..2000).map(|number| format!("{tomorrow},GHSA-{number}\n")).collect();
    for changes in [many.as_str(), "2999-01-01T00:00:00Z,../../x\n", "soon,GHSA-1\n", "\u{fffd}"] {
        place.files.put(CHANGES, changes);
        place.build().expect(0);
        let answers = place.files.answers();
        assert!(answers.contains(&(PYPI.to_owned(), 304)), "{}: {answers:?}", changes.get(..20).unwrap_or(changes));
        assert!(!answers.iter().any(|(path, _)| path.contains("GHSA-")));
    }
}

#[test]
fn a_feed_that_cannot_be_asked_is_used_as_it_was() {
    let mut place = Place::new();
    place.build().expect(0);
    for status in [503, 403] {
        place.files.trouble(Some(("kev/", status)));
        let run = place.build().expect(2);
        assert!(run.stderr.contains("the copy of 20") && run.stderr.contains(KEV), "{}", run.stderr);
        let facts = Database::open(&place.database()).unwrap().cve_facts("CVE-2024-1000").unwrap().unwrap();
        assert!(facts.kev.is_some());
    }
    place.files.trouble(Some(("osv/ecosystems.txt", 403)));
    let run = place.build().expect(2);
    assert!(run.stderr.contains("osv/ecosystems.txt"), "{}", run.stderr);
    assert!(fixes(&place.database(), "pypi").contains("GHSA-1"));

    // The whole place is away.
    place.server = None;
    place.files.answers();
    let run = place.build().expect(2);
    assert!(run.stderr.contains("the copy of 20"), "{}", run.stderr);
    assert!(fixes(&place.database(), "debian-12").contains("1.5-1"));

    // Who has no copies, but shards of another time: these stay, and it is said.
    fs::remove_dir_all(place.home.path().join(".cache")).unwrap();
    let before = fs::read(place.database().join("catalogue.json")).unwrap();
    let run = place.build().expect(2);
    assert!(run.stderr.contains("[D21]"), "{}", run.stderr);
    assert_eq!(fs::read(place.database().join("catalogue.json")).unwrap(), before);
}

#[test]
fn a_feed_that_is_gone_is_used_as_it_was() {
    let place = Place::new();
    place.build().expect(0);
    place.files.files.lock().unwrap().remove(KEV);
    // What has never been there is no loss.
    place.files.answers();
    for _ in 0..2 {
        let run = place.build().expect(2);
        assert!(run.stderr.contains(KEV) && run.stderr.contains("does not have it any more (404)"), "{}", run.stderr);
        let facts = Database::open(&place.database()).unwrap().cve_facts("CVE-2024-1000").unwrap().unwrap();
        assert!(facts.kev.is_some());
    }
    // A setting lets it go, once and for all.
    let to = place.database().display().to_string();
    let accept = [("PLIMSOLL_DB_ACCEPT_LOSSES", "true")];
    run_in(place.home.path(), &["db", "build", "--from", &place.base(), "--to", &to], &accept).expect(0);
    let facts = Database::open(&place.database()).unwrap().cve_facts("CVE-2024-1000").unwrap().unwrap();
    assert!(facts.kev.is_none());
    place.build().expect(0);
}

/// Scores come anew every day; where they are the same, so is the shard, but for the day of the source.
#[test]
fn the_day_of_the_scores_is_kept_once() {
    let place = Place::new();
    let scores = |day: &str| {
        let rows: String =
            (0..5000).map(|cve| format!("CVE-2024-{:05},0.{:05},0.5\n", cve, cve * 7919 % 99991)).collect();
        format!("#model_version:v1,score_date:{day}T12:55:00Z\ncve,epss,percentile\n{rows}")
    };
    let shard = |day: &str| {
        place.files.put(EPSS, scores(day));
        place.build().expect(0);
        let facts = Database::open(&place.database()).unwrap().cve_facts("CVE-2024-01000").unwrap().unwrap();
        assert_eq!(facts.epss.unwrap().date.unwrap().to_string(), day);
        let catalogue: Value =
            serde_json::from_slice(&fs::read(place.database().join("catalogue.json")).unwrap()).unwrap();
        let entry = catalogue["shards"].as_array().unwrap().iter().find(|shard| shard["name"] == "cve").unwrap();
        fs::read(place.database().join(entry["file"].as_str().unwrap())).unwrap()
    };
    let (monday, tuesday) = (shard("2026-08-17"), shard("2026-08-18"));
    assert!(monday != tuesday && monday.len() == tuesday.len() && monday.len() > 10_000, "{}", monday.len());
    let differ = monday.iter().zip(&tuesday).filter(|(a, b)| a != b).count();
    assert!(differ < 20, "the header and its checksum: {differ} of {} bytes", monday.len());
}

#[test]
fn without_copies_the_last_good_shard_stays() {
    let place = Place::new();
    place.build().expect(0);
    fs::remove_dir_all(place.home.path().join(".cache")).unwrap();
    place.files.trouble(Some(("osv/", 500)));
    let run = place.build().expect(2);
    assert!(run.stderr.contains("shard pypi: not used: osv has 0 records, 2 before"), "{}", run.stderr);
    assert!(run.stderr.contains("osv/ecosystems.txt: not used"), "{}", run.stderr);
    assert!(fixes(&place.database(), "pypi").contains("GHSA-1"));
    // More than one in a hundred is gone: the same. A setting accepts it.
    place.files.trouble(None);
    place.files.put(PYPI, zip(&[("GHSA-1.json", record("GHSA-1", "1.5"))]));
    let run = place.build().expect(2);
    assert!(run.stderr.contains("osv has 1 records, 2 before: the last good one is kept"), "{}", run.stderr);
    assert!(fixes(&place.database(), "pypi").contains("GHSA-2"));
    let to = place.database().display().to_string();
    let accept = [("PLIMSOLL_DB_ACCEPT_LOSSES", "true")];
    run_in(place.home.path(), &["db", "build", "--from", &place.base(), "--to", &to], &accept).expect(0);
    assert!(!fixes(&place.database(), "pypi").contains("GHSA-2"));
}

#[test]
fn shards_on_demand_come_from_the_bases_that_are_set() {
    let mut place = Place::new();
    let variables: Vec<(String, String)> = ["DEBIAN_TRACKER", "OSV", "KEV", "EPSS", "ENDOFLIFE"]
        .into_iter()
        .zip(["debian", "osv", "kev", "epss", "endoflife"])
        .map(|(feed, folder)| (format!("PLIMSOLL_FEED_{feed}"), format!("{}/{folder}/", place.base())))
        .collect();
    let mut variables: Vec<(&str, &str)> =
        variables.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    // Whatever else is asked for is away.
    variables.push(("HTTPS_PROXY", "http://127.0.0.1:1"));
    let update = |place: &Place| run_in(place.home.path(), &["db", "update", "--for", "debian-12", "pypi"], &variables);
    let run = update(&place).expect(0);
    assert!(run.stdout.contains("debian-12: 1 records") && run.stdout.contains("pypi: 2 records"), "{}", run.stdout);
    let asked = place.files.answers();
    for path in [DEBIAN, KEV, EPSS, PYPI] {
        assert!(asked.contains(&(path.to_owned(), 200)), "{path}: {asked:?}");
    }
    // Fresh: nobody is asked.
    update(&place).expect(0);
    assert_eq!(place.files.answers(), []);
    // Old: asked for what is new; a feed that is away is used as it was, and that is said.
    let notes = place.home.path().join(".cache/plimsoll/notes");
    let age = || {
        for note in fs::read_dir(&notes).unwrap().flatten().map(|entry| entry.path()) {
            let mut value: Value = serde_json::from_slice(&fs::read(&note).unwrap()).unwrap();
            let is_shard = note.file_name().unwrap().to_string_lossy().starts_with("upstream-");
            let date = if is_shard { &mut value["catalogue"]["built"] } else { &mut value["current"] };
            *date = "2026-01-01T00:00:00Z".into();
            fs::write(&note, value.to_string()).unwrap();
        }
    };
    age();
    place.files.trouble(Some(("debian/", 503)));
    let run = update(&place).expect(2);
    assert!(run.stderr.contains("debian/tracker/data/json") && run.stdout.contains("debian-12: 1"), "{}", run.stderr);
    // And again the next time, not only once: a shard is as old as what it was made of.
    place.files.answers();
    let run = update(&place).expect(2);
    assert!(run.stderr.contains("debian/tracker/data/json"), "{}", run.stderr);
    place.files.trouble(None);
    place.files.put(DEBIAN, debian("1.5-3"));
    update(&place).expect(0);
    // A feed that lost records leaves the shard as it was.
    age();
    place.files.put(PYPI, zip(&[("GHSA-1.json", record("GHSA-1", "1.5"))]));
    fs::remove_dir_all(place.home.path().join(".cache/plimsoll/blobs")).ok();
    fs::create_dir_all(place.home.path().join(".cache/plimsoll/blobs")).unwrap();
    // (The shards are gone with the copies: nothing is left to be kept.)
    let run = update(&place).expect(0);
    assert!(run.stdout.contains("pypi: 1 records"), "{}", run.stdout);
    age();
    place.files.put(PYPI, zip(&[("other.txt", String::new())]));
    place.files.put(CHANGES, "soon");
    let run = update(&place).expect(2);
    assert!(run.stderr.contains("the last good one is kept") && run.stdout.contains("pypi: 1"), "{}", run.stderr);
    // All of them are away.
    age();
    place.server = None;
    let run = update(&place).expect(2);
    assert!(run.stdout.contains("debian-12: 1") && run.stdout.contains("pypi: 1"), "{}", run.stdout);
}
