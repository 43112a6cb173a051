//! `plimsoll retest` and `plimsoll plan` from the outside: what is pulled and what is not, what is told as news, what bad
//! images and kills do, in a directory and in a project of GitLab.

mod program;
mod support;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use plimsoll::model::{Change, Outcome, ScanDocument, SnapshotChanges, StateIndex};
use plimsoll::state::{Directory, State, Store};
use program::{Run, run, run_in};
use serde_json::Value;
use support::gitlab::{GitLabDouble, Token};
use support::http::{Reply, Server};
use support::plain_registry::alpine_layer;
use support::{PlainRegistry, has_program, skip};
use tempfile::TempDir;

const NEW: &str = "CVE-2022-37434";

/// Databases of the example advisories: all, and those that were known before [`NEW`].
struct Databases {
    _folder: TempDir,
    all: String,
    before: String,
}

fn databases() -> &'static Databases {
    static DATABASES: std::sync::OnceLock<Databases> = std::sync::OnceLock::new();
    DATABASES.get_or_init(|| {
        let folder = TempDir::new().unwrap();
        let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/advisories");
        let older = folder.path().join("older");
        for part in ["osv", "kev"] {
            fs::create_dir_all(older.join(part)).unwrap();
            for entry in fs::read_dir(examples.join(part)).unwrap().flatten() {
                if entry.file_name() != format!("{NEW}.json").as_str() {
                    fs::copy(entry.path(), older.join(part).join(entry.file_name())).unwrap();
                }
            }
        }
        let build = |from: &Path, name: &str| {
            let to = folder.path().join(name).display().to_string();
            run(&["db", "build", "--from", &from.display().to_string(), "--to", &to], &[]).expect(0);
            to
        };
        let (all, before) = (build(&examples, "all"), build(&older, "before"));
        Databases { _folder: folder, all, before }
    })
}

/// A working directory with a memory.
struct Desk {
    folder: TempDir,
    registry: PlainRegistry,
}

impl Desk {
    fn new() -> Self {
        Self { folder: TempDir::new().unwrap(), registry: PlainRegistry::start() }
    }

    fn variables(&self) -> Vec<(String, String)> {
        vec![
            ("CS_REGISTRY_INSECURE".into(), "true".into()),
            ("CI_REGISTRY".into(), self.registry.host()),
            ("CI_REGISTRY_IMAGE".into(), format!("{}/grp/proj", self.registry.host())),
        ]
    }

    fn state(&self) -> PathBuf {
        self.folder.path().join("state")
    }

    fn out(&self) -> PathBuf {
        self.folder.path().join("out")
    }

    /// A retest of these patterns with the memory of this desk.
    fn retest(&self, database: &str, arguments: &[&str]) -> Run {
        let (state, out) = (self.state().display().to_string(), self.out().display().to_string());
        let fixed = ["retest", "--db", database, "--state", &state, "--out", &out];
        let arguments: Vec<&str> = fixed.into_iter().chain(arguments.iter().copied()).collect();
        run_with(self.folder.path(), &arguments, &self.variables())
    }

    /// The repository below the project's registry.
    fn name(&self, rest: &str) -> String {
        format!("{}/grp/proj/{rest}", self.registry.host())
    }

    fn push(&self, name: &str, packages: &[(&str, &str)]) -> String {
        self.registry.push(&format!("grp/proj/{name}"), "amd64", &alpine_layer(packages))
    }

    /// One of many images, each with something of its own.
    fn push_one(&self, number: usize) {
        let version = format!("{number}-r0");
        self.push(&format!("app:{number}"), &[VULNERABLE, &[("pad", version.as_str())][..]].concat());
    }

    fn document(&self) -> ScanDocument {
        read(&self.out().join("plimsoll.json"))
    }

    fn changes(&self) -> SnapshotChanges {
        read(&self.out().join("plimsoll-snapshots.json"))
    }

    /// Results by image, from the import log.
    fn results(&self) -> Vec<(String, String)> {
        let log: Value = read(&self.out().join("scan-log.json"));
        let own = format!("{}/grp/proj/", self.registry.host());
        let text = |entry: &Value, key: &str| entry[key].as_str().unwrap_or_default().to_owned();
        let rows = log["images"].as_array().unwrap().iter();
        let mut rows: Vec<_> = rows.map(|one| (text(one, "name").replace(&own, ""), text(one, "result"))).collect();
        rows.sort();
        rows
    }

    fn index(&self) -> StateIndex {
        read(&self.state().join("index/index.json"))
    }
}

fn read<T: serde::de::DeserializeOwned>(path: &Path) -> T {
    let bytes = fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_slice(&bytes).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn run_with(directory: &Path, arguments: &[&str], variables: &[(String, String)]) -> Run {
    let variables: Vec<(&str, &str)> = variables.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    run_in(directory, arguments, &variables)
}

/// The number of SBOMs in a directory, by the end of their names.
fn sboms(directory: &Path, end: &str) -> usize {
    let names =
        fs::read_dir(directory).unwrap().flatten().map(|entry| entry.file_name().to_string_lossy().into_owned());
    names.filter(|name| name.contains("sbom-") && name.ends_with(end)).count()
}

fn pairs(rows: &[(String, String)]) -> Vec<(&str, &str)> {
    rows.iter().map(|(name, result)| (name.as_str(), result.as_str())).collect()
}

const VULNERABLE: &[(&str, &str)] = &[("zlib", "1.2.12-r0"), ("busybox", "1.36.1-r0")];

#[test]
fn a_selection_that_takes_nothing_says_how_to_see_why() {
    let desk = Desk::new();
    desk.push("app:1", VULNERABLE);
    let app = desk.name("app");
    let run = desk.retest(&databases().before, &[&app, "--select", "tag =~ ^v"]).expect(3);
    assert!(run.stderr.contains("[D20]") && run.stderr.contains("images --dry-run"), "{}", run.stderr);
}

#[test]
fn what_has_not_moved_is_judged_again_without_pulling() {
    let desk = Desk::new();
    desk.push("app:1", VULNERABLE);
    desk.push("app:latest", VULNERABLE);
    desk.push("web:1", &[("curl", "8.6.0-r0")]);
    let patterns = [desk.name("app"), desk.name("web:*")];
    let patterns: Vec<&str> = patterns.iter().map(String::as_str).collect();

    let first = desk.retest(&databases().before, &patterns).expect(0);
    assert!(first.stderr.contains("baseline: first run"), "{}", first.stderr);
    assert_eq!(pairs(&desk.results()), [("app:1", "read"), ("app:latest", "read"), ("web:1", "read")]);
    let document = desk.document();
    assert_eq!((document.images.len(), document.outcome), (3, Outcome::Success));
    assert!(document.findings().count() > 0);
    assert!(document.findings().all(|finding| finding.change == Some(Change::Existing)), "the first run is no news");
    let changes = desk.changes();
    assert!(changes.first_run && changes.before.is_empty());
    assert_eq!(changes.after.len(), 3);
    assert!(changes.after.iter().all(|one| one.verdict.as_ref().is_some_and(|verdict| !verdict.findings.is_empty())));
    let index = desk.index();
    assert_eq!(index.images.len(), 3);
    assert!(index.images.values().all(|one| one.told.is_some() && one.last_scanned.is_some()));
    assert_eq!(index.images[&desk.name("app:1")].labels["org.opencontainers.image.vendor"], "Team A");
    // Two configurations and two layers; those of two tags may be read at the same time, each once.
    let requests = desk.registry.take_requests();
    let blobs: Vec<&String> = requests.iter().filter(|one| one.contains("/blobs/")).collect();
    let distinct: BTreeSet<_> = blobs.iter().collect();
    assert_eq!(distinct.len(), 4, "{requests:?}");
    let most = |blob: &str| if blob.contains("/app/") { 2 } else { 1 };
    for blob in distinct {
        let times = blobs.iter().filter(|other| *other == blob).count();
        assert!(times <= most(blob), "{blob} {times} times: {requests:?}");
    }

    // What images hold is listed when they are read.
    assert_eq!((sboms(&desk.out(), ".cdx.json"), sboms(&desk.out(), ".spdx.json")), (3, 3));
    let mut files = fs::read_dir(desk.out()).unwrap().flatten().map(|entry| entry.path());
    let sbom: Value = read(&files.find(|path| path.to_string_lossy().ends_with("web-1.cdx.json")).unwrap());
    assert!(sbom["components"].as_array().unwrap().iter().any(|one| one["name"] == "curl"), "{sbom}");
    fs::remove_dir_all(desk.out()).unwrap();

    // A vulnerability is disclosed; nothing may be pulled, not even by accident.
    desk.registry.state().blobs.clear();
    desk.retest(&databases().all, &patterns).expect(0);
    let requests = desk.registry.take_requests();
    assert_eq!(requests.iter().filter(|one| one.starts_with("HEAD")).count(), 3, "{requests:?}");
    assert!(!requests.iter().any(|one| one.contains("/blobs/") || one.starts_with("GET /v2/grp/proj/app/man")));
    assert_eq!(pairs(&desk.results()), [("app:1", "retested"), ("app:latest", "retested"), ("web:1", "retested")]);
    let document = desk.document();
    let news: Vec<_> = document.findings().filter(|finding| finding.change == Some(Change::Disclosed)).collect();
    assert_eq!(news.iter().map(|finding| finding.id.as_str()).collect::<Vec<_>>(), [NEW, NEW]);
    let changes = desk.changes();
    assert!(!changes.first_run);
    assert_eq!(changes.unchanged, [desk.name("web:1")]);
    let has = |list: &[plimsoll::model::ImageSnapshot]| {
        let found = |one: &plimsoll::model::ImageSnapshot| {
            one.verdict.as_ref().is_some_and(|verdict| verdict.findings.iter().any(|finding| finding.id == NEW))
        };
        (list.len(), list.iter().filter(|one| found(one)).count())
    };
    assert_eq!((has(&changes.before), has(&changes.after)), ((2, 0), (2, 2)));

    assert_eq!(sboms(&desk.out(), ".json"), 0);

    // Nothing new the third time.
    desk.retest(&databases().all, &patterns).expect(0);
    assert_eq!(desk.changes().unchanged.len(), 3);
    assert!(desk.changes().after.is_empty());
    // What was judged a moment ago is left out when asked.
    desk.retest(&databases().all, &[&patterns[..], &["--every", "1h"]].concat()).expect(0);
    assert!(desk.results().iter().all(|(_, result)| result == "skipped"), "{:?}", desk.results());
    let report: Value = read(&desk.out().join("gl-container-scanning-report.json"));
    assert_eq!(report["scan"]["status"], "success");
}

#[test]
fn a_moved_tag_is_read_again_and_a_missing_one_is_gone() {
    let desk = Desk::new();
    desk.push("app:1", VULNERABLE);
    desk.push("app:2", VULNERABLE);
    let all = desk.name("app");
    desk.retest(&databases().all, &[&all]).expect(0);
    desk.push("app:1", &[("zlib", "1.3.1-r0"), ("curl", "8.6.0-r0")]);
    let removed = desk.registry.state().tags.remove("grp/proj/app:2");
    assert!(removed.is_some());
    let second = desk.retest(&databases().all, &[&all]).expect(0);
    assert_eq!(pairs(&desk.results()), [("app:1", "read"), ("app:2", "gone")]);
    assert!(second.stderr.contains("CHANGED"), "{}", second.stderr);
    let changes: Vec<_> = desk.document().findings().map(|finding| finding.change).collect();
    assert!(!changes.is_empty() && changes.iter().all(|change| *change == Some(Change::Introduced)), "{changes:?}");
    let after = desk.changes().after;
    let gone: Vec<_> = after.iter().filter(|one| one.gone.is_some()).map(|one| one.tag.as_str()).collect();
    assert_eq!(gone, ["2"]);
    // It is told once.
    desk.retest(&databases().all, &[&all]).expect(0);
    assert!(desk.changes().after.is_empty());
    assert!(desk.index().images[&desk.name("app:2")].gone.is_some());
    // Inventories of images that no tag points to any more do not stay: here that of both at first, which `2` still names.
    let folder = desk.state().join(plimsoll::state::folder(&all));
    let inventories = || {
        let files =
            fs::read_dir(&folder).unwrap().flatten().map(|entry| entry.file_name().to_string_lossy().into_owned());
        files.filter(|name| name.ends_with(".inventory.zst")).count()
    };
    assert_eq!(inventories(), 2);
    desk.push("app:1", &[("curl", "8.6.0-r0")]);
    desk.retest(&databases().all, &[&all]).expect(0);
    assert_eq!(inventories(), 2, "the one that was left is gone");
}

#[test]
fn another_platform_is_another_image() {
    let desk = Desk::new();
    let amd = desk.push("app:amd", VULNERABLE);
    let arm = desk.registry.push("grp/proj/app:arm", "arm64", &alpine_layer(&[("curl", "8.6.0-r0")]));
    desk.registry.push_index("grp/proj/app:both", &[(&amd, "amd64", false), (&arm, "arm64", false)]);
    let both = desk.name("app:both");
    let packages = |desk: &Desk| -> Vec<String> {
        let mut all: Vec<String> = desk.document().findings().map(|finding| finding.package.name.clone()).collect();
        all.dedup();
        all
    };
    desk.retest(&databases().all, &[&both]).expect(0);
    assert!(packages(&desk).contains(&"zlib".to_owned()));
    desk.retest(&databases().all, &[&both, "--platform", "linux/arm64"]).expect(0);
    assert_eq!(pairs(&desk.results()), [("app:both", "read")]);
    assert_eq!(packages(&desk), ["curl"]);
    desk.retest(&databases().all, &[&both, "--platform", "linux/arm64"]).expect(0);
    assert_eq!(pairs(&desk.results()), [("app:both", "retested")]);
    // An image for one platform only is what it is, and is not pulled again for that.
    let alone = desk.name("app:arm");
    desk.retest(&databases().all, &[&alone]).expect(0);
    desk.registry.take_requests();
    desk.retest(&databases().all, &[&alone]).expect(0);
    assert_eq!(pairs(&desk.results()), [("app:arm", "retested")]);
    let layers = desk.registry.take_requests().iter().filter(|one| one.contains("/blobs/")).count();
    assert!(layers <= 1, "the configuration at most");
}

#[test]
fn connections_are_used_again() {
    let desk = Desk::new();
    for number in 0..60 {
        desk.registry.push(&format!("grp/proj/app:{number}"), "amd64", &alpine_layer(VULNERABLE));
    }
    let app = desk.name("app");
    desk.retest(&databases().all, &[&app]).expect(0);
    let (before, _) = (desk.registry.connections(), desk.registry.take_requests());
    desk.retest(&databases().all, &[&app, "--jobs", "4"]).expect(0);
    let requests = desk.registry.take_requests().len();
    let connections = desk.registry.connections() - before;
    // How many are on their way back to the pool when the next is wanted is a matter of luck; without a pool each request
    // has its own.
    assert!(requests >= 61 && connections * 2 <= requests, "{requests} requests on {connections} connections");
}

#[test]
fn tags_that_have_all_vanished_are_gone_and_no_failure() {
    let desk = Desk::new();
    desk.push("app:1", VULNERABLE);
    desk.push("app:2", VULNERABLE);
    desk.retest(&databases().all, &[&desk.name("app")]).expect(0);
    desk.registry.state().tags.clear();
    let both = [desk.name("app:1"), desk.name("app:2")];
    for more in [&["--keep-going"][..], &[]] {
        desk.retest(&databases().all, &[&[both[0].as_str(), both[1].as_str()], more].concat()).expect(0);
        assert_eq!(pairs(&desk.results()), [("app:1", "gone"), ("app:2", "gone")]);
    }
    assert!(desk.index().images.values().all(|image| image.gone.is_some()));
    let out = desk.out().display().to_string();
    let merged = ["retest", "--merge", &out, "--out", "whole"];
    run_with(desk.folder.path(), &merged, &desk.variables()).expect(0);
}

/// A first retest that was killed goes on as the first.
#[test]
fn the_first_run_is_over_when_it_has_come_to_its_end() {
    let desk = Desk::new();
    desk.push("app:1", VULNERABLE);
    let app = desk.name("app");
    let out = desk.folder.path().join("blocked");
    fs::create_dir_all(out.join("plimsoll-snapshots.json")).unwrap();
    let (state, out) = (desk.state().display().to_string(), out.display().to_string());
    let arguments = ["retest", "--db", &databases().all, "--state", &state, "--out", &out, &app];
    run_with(desk.folder.path(), &arguments, &desk.variables()).expect(2);
    desk.push("app:2", VULNERABLE);
    desk.retest(&databases().all, &[&app]).expect(0);
    assert!(desk.changes().first_run);
    assert!(desk.document().findings().all(|finding| finding.change == Some(Change::Existing)));
    desk.retest(&databases().all, &[&app]).expect(0);
    assert!(!desk.changes().first_run);
}

/// A webhook that answers as told, and counts.
fn hook(answers: Vec<u16>) -> (Server, Arc<Mutex<Vec<u16>>>) {
    let left = Arc::new(Mutex::new(answers));
    let shared = Arc::clone(&left);
    let server =
        Server::start(None, move |_| Reply::new(shared.lock().unwrap().pop().unwrap_or(500), "text/plain", ""));
    (server, left)
}

#[test]
fn a_retest_can_tell_what_is_new_by_itself() {
    let desk = Desk::new();
    desk.push("app:1", VULNERABLE);
    let app = desk.name("app");
    // The first is the summary of the first run; then a refusal, then what it was refused for. Nothing more is answered.
    let (server, left) = hook(vec![200, 404, 200]);
    let url = format!("http://localhost:{}/hooks/x", server.port);
    let (state, out) = (desk.state().display().to_string(), desk.out().display().to_string());
    let mut variables = desk.variables();
    variables.push(("PLIMSOLL_WEBHOOK_URL".into(), url));
    // A setting alone makes nobody tell.
    variables.push(("PLIMSOLL_NOTIFY".into(), "webhook,exit".into()));
    variables.push(("PLIMSOLL_STATE".into(), state.clone()));
    let run = |database: &str, more: &[&str]| {
        let fixed = ["retest", "--db", database, "--out", &out, &app];
        run_with(desk.folder.path(), &fixed.into_iter().chain(more.iter().copied()).collect::<Vec<_>>(), &variables)
    };
    let (before, all) = (databases().before.as_str(), databases().all.as_str());
    run(before, &["--notify", "webhook"]).expect(0);
    assert_eq!(left.lock().unwrap().len(), 2);
    let refused = run(all, &["--notify", "webhook"]).expect(2);
    assert!(refused.stderr.contains("the next retest tells it again"), "{}", refused.stderr);
    // It is told by the next, which fails where that is asked for; after that there is no news.
    let told = run(all, &["--notify", "webhook,exit"]).expect(1);
    assert!(
        told.stdout.contains(&format!("newly disclosed: {NEW}")) && left.lock().unwrap().is_empty(),
        "{}",
        told.stdout
    );
    assert!(desk.out().join("plimsoll-alerts.json").is_file());
    run(all, &["--notify", "webhook,exit"]).expect(0);
    run(before, &[]).expect(0);
    let quiet = run(all, &[]).expect(0);
    assert!(!quiet.stdout.contains("newly disclosed"), "{}", quiet.stdout);
    assert!(run(all, &["--notify", "mail"]).expect(2).stderr.contains("`mail` is no channel"));
}

#[test]
fn bad_images_stop_nothing() {
    let desk = Desk::new();
    desk.push("app:good", VULNERABLE);
    let arm = desk.registry.push("grp/proj/app:arm-only", "arm64", &alpine_layer(VULNERABLE));
    let good = desk.push("app:x", VULNERABLE);
    let attestation = desk.registry.push("grp/proj/app:attestation", "amd64", b"{}");
    desk.registry.push_index("grp/proj/app:index", &[(&attestation, "", true), (&good, "amd64", false)]);
    desk.registry.push_index("grp/proj/app:other", &[(&arm, "arm64", false)]);
    desk.registry.push_index("grp/proj/app:only-attestation", &[(&attestation, "", true)]);
    desk.push("app:broken", &[("broken", "1-r0")]);
    {
        let mut state = desk.registry.state();
        let layer = alpine_layer(&[("broken", "1-r0")]);
        let damaged = state.blobs.iter_mut().find(|(_, bytes)| **bytes == layer).map(|(_, bytes)| bytes).unwrap();
        damaged[700] ^= 1;
        state.tags.remove("grp/proj/app:attestation");
        state.tags.remove("grp/proj/app:arm-only");
        state.tags.remove("grp/proj/app:x");
        state.tags.insert("grp/proj/app:dangling".into(), format!("sha256:{}", "0".repeat(64)));
        // Also asked to be patient, at the beginning.
        state.too_many = 1;
    }
    let all = desk.name("app");
    let done = desk.retest(&databases().all, &[&all]).expect(2);
    let expected = [
        ("app:broken", "failed"),
        ("app:dangling", "gone"),
        ("app:good", "read"),
        ("app:index", "read"),
        ("app:only-attestation", "failed"),
        ("app:other", "failed"),
    ];
    assert_eq!(pairs(&desk.results()), expected, "{}", done.stderr);
    let document = desk.document();
    assert_eq!(document.outcome, Outcome::Failure);
    let failed = document.images.iter().filter(|image| image.outcome == Outcome::Failure);
    assert!(failed.clone().all(|image| image.diagnosis.is_some()));
    assert_eq!(failed.count(), 3);
    for name in ["app:broken", "app:other", "app:only-attestation"] {
        assert!(done.stderr.contains(&format!("{name}: failed: error[D")), "{name}: {}", done.stderr);
    }
    // The others are remembered, and a failure that is known stops nobody who does not want it to.
    desk.retest(&databases().all, &[&all, "--keep-going"]).expect(0);
    let retested: Vec<_> = desk.results().into_iter().filter(|(_, result)| result == "retested").collect();
    assert_eq!(retested.len(), 2, "{retested:?}");
}

#[test]
fn a_lost_or_damaged_memory_is_built_again() {
    let desk = Desk::new();
    desk.push("app:1", VULNERABLE);
    desk.push("web:1", VULNERABLE);
    let all = [desk.name("app"), desk.name("web")];
    let all: Vec<&str> = all.iter().map(String::as_str).collect();
    desk.retest(&databases().all, &all).expect(0);
    let inventory = |repository: &str| {
        let folder = desk.state().join(plimsoll::state::folder(&desk.name(repository)));
        let mut files = fs::read_dir(folder).unwrap().flatten().map(|entry| entry.path());
        files.find(|path| path.to_string_lossy().ends_with(".inventory.zst")).unwrap()
    };
    fs::write(inventory("app"), b"garbage").unwrap();
    fs::remove_file(inventory("web")).unwrap();
    let again = desk.retest(&databases().all, &all).expect(0);
    assert!(again.stderr.contains("is set aside as"), "{}", again.stderr);
    assert_eq!(desk.results().len(), 2);
    assert!(inventory("app").is_file() && inventory("web").is_file());
    // Without an index the inventories that are there serve again, and nothing is pulled but manifests.
    fs::remove_dir_all(desk.state().join("index")).unwrap();
    let layers: Vec<String> =
        desk.registry.state().blobs.iter().filter(|(_, bytes)| bytes.len() > 1000).map(|(d, _)| d.clone()).collect();
    for layer in layers {
        desk.registry.state().blobs.remove(&layer);
    }
    desk.retest(&databases().all, &all).expect(0);
    assert_eq!(desk.index().images.len(), 2);
}

/// A generator of numbers that look random; its seed is printed when a test fails.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit.max(1)
    }
}

/// Runs and is killed after some milliseconds; returns what it had said by then, and whether it came to its end.
fn killed(arguments: &[&str], variables: &[(String, String)], directory: &Path, after: u64) -> (String, bool) {
    let log = directory.join("log.txt");
    let mut child = Command::new(env!("CARGO_BIN_EXE_plimsoll"))
        .args(arguments)
        .env_clear()
        .env("HOME", directory)
        .envs(variables.iter().cloned())
        .current_dir(directory)
        .stdout(Stdio::null())
        .stderr(fs::File::create(&log).unwrap())
        .spawn()
        .unwrap();
    let end = Instant::now() + Duration::from_millis(after);
    let mut ended = false;
    while Instant::now() < end && !ended {
        std::thread::sleep(Duration::from_millis(1));
        ended = child.try_wait().unwrap().is_some();
    }
    // SIGKILL: nothing can be tidied up.
    let _ = child.kill();
    child.wait().unwrap();
    (fs::read_to_string(log).unwrap(), ended)
}

/// Images that the log calls finished are in the state, with verdict and inventory.
fn complete(store: Arc<dyn Store>, log: &str, what: &str) {
    let state = State::open(store, Timestamp::now()).unwrap();
    assert_eq!(state.take_notices(), Vec::<String>::new(), "{what}");
    for line in log.lines().filter_map(|line| line.strip_prefix("[INFO] ")) {
        let Some((name, rest)) = line.split_once(": ") else { continue };
        let judged = [" C ", "NEW: C"].iter().any(|part| rest.contains(part));
        let read = rest.starts_with("read in ");
        if !judged && !read {
            continue;
        }
        let snapshot = state.index().images.get(name).unwrap_or_else(|| panic!("{what}: {name} is lost"));
        let config = snapshot.config_digest.as_ref().unwrap();
        let inventory = state.inventory(&snapshot.repository, config, "").unwrap();
        assert!(inventory.is_some(), "{what}: the inventory of {name} is lost");
        if judged {
            let verdict = snapshot.verdict.as_ref().unwrap_or_else(|| panic!("{what}: the verdict of {name} is lost"));
            let stored = state.verdict(&snapshot.repository, config, &verdict.hash).unwrap();
            assert!(stored.is_some(), "{what}: the findings of {name} are lost");
        }
    }
}

#[test]
fn killed_at_any_moment_the_memory_is_complete() {
    let desk = Desk::new();
    for number in 0..12 {
        desk.push_one(number);
    }
    let all = desk.name("app");
    let variables = desk.variables();
    let seed = u64::from(std::process::id());
    let mut random = Random(seed);
    let begun = Instant::now();
    // Runs that came to their end were not killed, and do not count.
    let (mut runs, mut kills, mut longest) = (0, 0, 400);
    while kills < 100 {
        assert!(begun.elapsed() < Duration::from_secs(600), "{kills} of {runs} runs were killed");
        // Now and then from nothing, else going on.
        if runs % 8 == 0 {
            let _ = fs::remove_dir_all(desk.state());
        }
        let (state, out) = (desk.state().display().to_string(), desk.out().display().to_string());
        let database = if runs % 8 < 4 { &databases().before } else { &databases().all };
        let arguments = ["retest", "--db", database, "--state", &state, "--out", &out, &all];
        let (log, ended) = killed(&arguments, &variables, desk.folder.path(), random.below(longest));
        if ended {
            longest = (longest * 3 / 4).max(20);
        } else {
            longest = (longest * 21 / 20).min(3000);
            kills += 1;
        }
        runs += 1;
        complete(Arc::new(Directory::new(&desk.state())), &log, &format!("seed {seed}, run {runs}: {log}"));
    }
    // In the end all is there.
    desk.retest(&databases().all, &[&all]).expect(0);
    assert_eq!(desk.index().images.len(), 12);
}

/// A kill between judging and telling must not swallow the news.
#[test]
fn news_survives_a_kill() {
    let desk = Desk::new();
    desk.push("app:1", VULNERABLE);
    let all = desk.name("app");
    desk.retest(&databases().before, &[&all]).expect(0);
    // The reports cannot be written, which is as good as a kill at that moment.
    let out = desk.folder.path().join("blocked");
    fs::create_dir_all(out.join("plimsoll-snapshots.json")).unwrap();
    let (state, out) = (desk.state().display().to_string(), out.display().to_string());
    let arguments = ["retest", "--db", &databases().all, "--state", &state, "--out", &out, &all];
    run_with(desk.folder.path(), &arguments, &desk.variables()).expect(2);
    desk.retest(&databases().all, &[&all]).expect(0);
    let news = desk.document().findings().filter(|finding| finding.change == Some(Change::Disclosed)).count();
    assert_eq!((news, desk.changes().after.len()), (1, 1));
}

/// A project on a double of GitLab, its images in the registry.
struct Pipeline {
    desk: Desk,
    gitlab: GitLabDouble,
}

impl Pipeline {
    fn new() -> Self {
        let (desk, gitlab) = (Desk::new(), GitLabDouble::start());
        gitlab.add_project(7, "grp/proj");
        gitlab.add_token(Token::job("glcbt-job-token", 7));
        let mut tags = Vec::new();
        for number in 0..6 {
            desk.push_one(number);
            tags.push(number.to_string());
        }
        let tags: Vec<&str> = tags.iter().map(String::as_str).collect();
        gitlab.add_repository(7, &desk.name("app"), &tags);
        Self { desk, gitlab }
    }

    fn variables(&self, source: &str, branch: &str) -> Vec<(String, String)> {
        let mut variables = self.desk.variables();
        for (name, value) in [
            ("GITLAB_CI", "true"),
            ("CI_API_V4_URL", &self.gitlab.api()),
            ("CI_PROJECT_ID", "7"),
            ("CI_PROJECT_PATH", "grp/proj"),
            ("CI_DEFAULT_BRANCH", "main"),
            ("CI_COMMIT_REF_NAME", branch),
            ("CI_PIPELINE_SOURCE", source),
            ("CI_JOB_TOKEN", "glcbt-job-token"),
        ] {
            variables.push((name.into(), value.into()));
        }
        variables
    }

    fn retest(&self, variables: &[(String, String)], arguments: &[&str]) -> Run {
        let out = self.desk.out().display().to_string();
        let fixed = ["retest", "--db", &databases().all, "--out", &out];
        let arguments: Vec<&str> = fixed.into_iter().chain(arguments.iter().copied()).collect();
        let run = run_with(self.desk.folder.path(), &arguments, variables);
        assert!(!run.stderr.contains("glcbt-job-token") && !run.stdout.contains("glcbt-job-token"));
        run
    }

    fn files(&self) -> BTreeSet<String> {
        self.gitlab.state().projects[&7].packages.keys().cloned().collect()
    }
}

#[test]
fn a_scheduled_pipeline_keeps_its_memory_in_the_project() {
    let pipeline = Pipeline::new();
    // A merge request may look, and leaves nothing.
    let topic = pipeline.variables("merge_request_event", "topic");
    pipeline.retest(&topic, &["app:1"]).expect(0);
    assert!(pipeline.files().is_empty(), "{:?}", pipeline.files());
    let schedule = pipeline.variables("schedule", "main");
    pipeline.retest(&schedule, &[]).expect(0);
    let files = pipeline.files();
    let count = |end: &str| files.iter().filter(|name| name.ends_with(end)).count();
    assert_eq!((count(".inventory.zst"), count(".verdict.zst"), count("/index.json")), (6, 6, 1), "{files:?}");
    pipeline.gitlab.take_requests();
    pipeline.desk.registry.take_requests();
    let again = pipeline.retest(&schedule, &[]).expect(0);
    assert!(again.stderr.contains("6 judged without pulling"), "{}", again.stderr);
    let requests = pipeline.gitlab.take_requests();
    let uploads = requests.iter().filter(|request| request.starts_with("PUT")).count();
    let inventories = requests.iter().filter(|request| request.contains("inventory.zst")).count();
    // One inventory per image; the rest does not grow with their number.
    assert_eq!(inventories, 6, "{requests:?}");
    assert!(uploads <= 4 && requests.len() <= 6 + 20, "{requests:?}");
    assert!(pipeline.desk.registry.take_requests().iter().filter(|one| one.starts_with("HEAD")).count() == 6);
    // Duplicates are taken away.
    let files = pipeline.files();
    assert_eq!(files.iter().filter(|name| name.contains("/index/")).count(), 2);
    // Others read it with what is written for them.
    let page = include_str!("../docs/retest.md");
    let (_, commands) = page.split_once("```sh\ncurl").unwrap();
    let (commands, _) = commands.split_once("```").unwrap();
    let (index, file) = commands.split_once("\ncurl").unwrap();
    let curl = |command: &str, file: &str| -> Value {
        let mut bash = Command::new("bash");
        bash.args(["-euo", "pipefail", "-c", &format!("curl --fail --silent --show-error {command}")]);
        bash.env("FILE", file.trim_start_matches("plimsoll-state/")).envs(schedule.iter().cloned());
        let output = bash.output().expect("bash");
        assert!(output.status.success(), "{command}: {}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    };
    assert_eq!(curl(index, "")["images"].as_object().unwrap().len(), 6);
    let of_all = |end: &str| files.iter().filter(|name| name.ends_with(end)).collect::<Vec<_>>();
    for name in of_all(".inventory.zst") {
        assert!(!curl(file, name)["inventory"]["packages"].as_array().unwrap().is_empty(), "{name}");
    }
    for name in of_all(".verdict.zst") {
        assert!(curl(file, name)["findings"].is_array(), "{name}");
    }
}

#[test]
fn killed_in_a_pipeline_the_memory_is_complete() {
    let pipeline = Pipeline::new();
    let schedule = pipeline.variables("schedule", "main");
    let api = pipeline.gitlab.api();
    let seed = u64::from(std::process::id());
    let mut random = Random(seed);
    let mut longest = 500;
    let begun = Instant::now();
    for kill in 0..30 {
        if begun.elapsed() > Duration::from_secs(60) {
            break;
        }
        if kill % 6 == 0 {
            pipeline.gitlab.state().projects.get_mut(&7).unwrap().packages.clear();
        }
        let out = pipeline.desk.out().display().to_string();
        let arguments = ["retest", "--db", &databases().all, "--out", &out];
        let (log, ended) = killed(&arguments, &schedule, pipeline.desk.folder.path(), random.below(longest));
        longest = if ended { (longest * 3 / 4).max(20) } else { (longest * 21 / 20).min(3000) };
        let token = plimsoll::net::ApiToken::Job(plimsoll::model::Secret::new("glcbt-job-token"));
        let gitlab =
            plimsoll::gitlab::GitLab::new(&plimsoll::context::NetworkSettings::default(), &api, token).unwrap();
        let store = plimsoll::state::Packages::new(Arc::new(gitlab), "7");
        complete(Arc::new(store), &log, &format!("seed {seed}, kill {kill}: {log}"));
    }
    pipeline.retest(&schedule, &[]).expect(0);
}

/// Whoever is killed between the two leaves no inventory that no index names, which nobody would remove when the tag moves.
#[test]
fn an_inventory_is_recorded_before_it_is_stored() {
    let pipeline = Pipeline::new();
    let schedule = pipeline.variables("schedule", "main");
    pipeline.retest(&schedule, &["app:1"]).expect(0);
    let requests = pipeline.gitlab.take_requests();
    let first = |part: &str| requests.iter().position(|one| one.starts_with("PUT") && one.contains(part));
    let (recorded, stored) = (first("/index/revision-"), first(".inventory.zst"));
    assert!(recorded.is_some() && recorded < stored, "{requests:?}");
    // An image that is recorded, and whose inventory was never stored, is read.
    let is_inventory = |name: &String| name.contains(".inventory.zst");
    pipeline.gitlab.state().projects.get_mut(&7).unwrap().packages.retain(|name, _| !is_inventory(name));
    pipeline.retest(&schedule, &["app:1"]).expect(0);
    assert_eq!(pipeline.files().iter().filter(|name| is_inventory(name)).count(), 1);
}

/// Its place in the log, and what belongs together in a section that can be folded; nowhere but in GitLab's jobs.
#[test]
fn the_log_has_a_line_for_each_image_and_sections_in_gitlab() {
    let desk = Desk::new();
    for number in 1..4 {
        desk.push_one(number);
    }
    let app = desk.name("app");
    let outside = desk.retest(&databases().all, &[&app]).expect(0);
    assert!(!outside.stderr.contains("section_") && !outside.stderr.contains('\u{1b}'), "{}", outside.stderr);
    fs::remove_dir_all(desk.state()).unwrap();
    let (state, out) = (desk.state().display().to_string(), desk.out().display().to_string());
    let retest = ["retest", "--db", &databases().all, "--state", &state, "--out", &out, &app];
    let inside = [desk.variables(), vec![("GITLAB_CI".into(), "true".into())]].concat();
    let run = run_with(desk.folder.path(), &retest, &inside).expect(0);
    for name in ["plimsoll_read", "plimsoll_judged"] {
        let start = run.stderr.find(&format!(":{name}[collapsed=true]\r\u{1b}[0K")).expect("a start");
        let end = run.stderr.find(&format!(":{name}\r\u{1b}[0K\n")).expect("an end");
        let lines = run.stderr[start..end].lines().skip(1).filter(|line| line.contains(&app)).count();
        assert_eq!(lines, 3, "{name}: {}", run.stderr);
    }
    assert_eq!(run.stderr.matches("section_start:").count(), run.stderr.matches("section_end:").count());
    for number in 1..4 {
        assert!(run.stderr.contains(&format!("({number} of 3)")), "{}", run.stderr);
    }
    // A scan of several images has a section for each.
    let (one, two) = (desk.name("app:1"), desk.name("app:2"));
    let scan = ["scan", &one, &two, "--db", &databases().all, "--out", &out];
    let run = run_with(desk.folder.path(), &scan, &inside).expect(0);
    for title in [format!("{one} (1 of 2)"), format!("{two} (2 of 2)")] {
        assert!(run.stderr.contains(&format!("[collapsed=true]\r\u{1b}[0K{title}\n")), "{}", run.stderr);
    }
    assert_eq!(run.stderr.matches("section_end:").count(), 2);
}

/// What is watched is said in the repository, where it is reviewed.
#[test]
fn the_selection_is_read_from_the_repository() {
    let desk = Desk::new();
    for number in 1..4 {
        desk.push_one(number);
    }
    desk.push("other:1", VULNERABLE);
    let file = desk.folder.path().join(".plimsoll.yml");
    fs::write(&file, "select: tag =~ ^[23]$ && repository =~ app$\n").unwrap();
    let (app, other) = (desk.name("app"), desk.name("other"));
    desk.retest(&databases().all, &[&app, &other]).expect(0);
    assert_eq!(pairs(&desk.results()), [("app:2", "read"), ("app:3", "read")]);
    fs::write(&file, "select: tga == 2\n").unwrap();
    let run = desk.retest(&databases().all, &[&app]).expect(2);
    assert!(run.stderr.contains("did you mean `tag`?"), "{}", run.stderr);
}

#[test]
fn what_was_not_scanned_for_a_week_is_stale() {
    let desk = Desk::new();
    desk.push("app:1", VULNERABLE);
    desk.push("app:2", VULNERABLE);
    let app = desk.name("app");
    desk.retest(&databases().all, &[&app]).expect(0);
    for entry in fs::read_dir(desk.state().join("index")).unwrap().flatten() {
        let mut index: Value = read(&entry.path());
        index["images"][desk.name("app:1")]["last_scanned"] = "2020-01-01T00:00:00Z".into();
        fs::write(entry.path(), index.to_string()).unwrap();
    }
    let state = desk.state().display().to_string();
    let list = ["images", "--state", &state, "--format", "json", &app];
    let run = run_with(desk.folder.path(), &list, &desk.variables()).expect(0);
    let report: Value = serde_json::from_slice(run.stdout.as_bytes()).unwrap();
    let rows = report["repositories"][&app].as_array().unwrap().iter();
    let marks: Vec<_> = rows.map(|row| (row["tag"].as_str(), row["mark"].as_str())).collect();
    assert_eq!(marks, [(Some("1"), Some("STALE")), (Some("2"), None)]);
    desk.retest(&databases().all, &[&app, "--select", "stale"]).expect(0);
    assert_eq!(pairs(&desk.results()), [("app:1", "retested")]);
}

/// Whether a gate judged an image is remembered with it.
#[test]
fn the_policy_of_a_gate_is_remembered() {
    let desk = Desk::new();
    desk.push("app:1", VULNERABLE);
    let app = desk.name("app");
    desk.retest(&databases().all, &[&app]).expect(0);
    assert!(desk.index().images.values().all(|image| image.policy.is_none()));
    let (state, out) = (desk.state().display().to_string(), desk.out().display().to_string());
    let retest = ["retest", "--db", &databases().all, "--state", &state, "--out", &out, &app];
    for (name, value, expected) in [
        ("PLIMSOLL_JOB_FAIL_ON", "disclosed && critical", Some("disclosed && critical")),
        ("PLIMSOLL_FAIL_ON", "kev", Some("kev")),
        ("PLIMSOLL_JOB_FAIL_ON", "never", None),
    ] {
        let variables = [desk.variables(), vec![(name.into(), value.into())]].concat();
        run_with(desk.folder.path(), &retest, &variables).expect(0);
        let index = desk.index();
        assert_eq!(index.images.values().next().unwrap().policy.as_deref(), expected, "{name}={value}");
    }
}

/// The commands of a child pipeline's parts, without the name of the program.
fn commands(child: &str) -> Vec<Vec<String>> {
    let child: Value = serde_saphyr::from_str(child).unwrap_or_else(|error| panic!("{error}\n{child}"));
    let jobs = child.as_object().unwrap().iter().filter(|(name, _)| *name != "retest_report" && *name != "stages");
    let words = |script: &str| script.replace("\\\n", " ").split_whitespace().skip(1).map(str::to_owned).collect();
    jobs.map(|(_, job)| words(job["script"][0].as_str().unwrap())).collect()
}

/// Runs a part in a child pipeline of the one with these variables.
fn run_shard(directory: &Path, command: &[String], variables: &[(String, String)]) {
    run_shard_with(directory, command, variables, &databases().all);
}

fn run_shard_with(directory: &Path, command: &[String], variables: &[(String, String)], database: &str) {
    let mut variables = variables.to_vec();
    variables.retain(|(name, _)| name != "CI_PIPELINE_SOURCE");
    variables.push(("CI_PIPELINE_SOURCE".into(), "parent_pipeline".into()));
    variables.push(("PLIMSOLL_DB".into(), database.to_owned()));
    run_with(directory, &command.iter().map(String::as_str).collect::<Vec<_>>(), &variables).expect(0);
}

/// The parts of a first run come one after the other, a schedule may be on any branch, and a project may have variables of
/// any name.
#[test]
fn a_part_is_what_its_plan_is() {
    let pipeline = Pipeline::new();
    let mut variables = pipeline.variables("schedule", "topic");
    let directory = pipeline.desk.folder.path();
    run_with(directory, &["plan", "--shards", "3"], &variables).expect(0);
    let child = fs::read_to_string(directory.join("plimsoll-retest.yml")).unwrap();
    for (name, value) in [("PLIMSOLL_IMAGES", "nothing:*"), ("PLIMSOLL_SELECT", "none"), ("PLIMSOLL_EVERY", "9w")] {
        variables.push((name.into(), value.into()));
    }
    for command in commands(&child) {
        run_shard(directory, &command, &variables);
    }
    run_with(directory, &["retest", "--merge", "plimsoll-shards", "--out", "whole"], &variables).expect(0);
    let whole: ScanDocument = read(&directory.join("whole/plimsoll.json"));
    assert_eq!(whole.images.len(), 6);
    assert!(whole.findings().count() > 0 && whole.findings().all(|one| one.change == Some(Change::Existing)));
    assert!(read::<SnapshotChanges>(&directory.join("whole/plimsoll-snapshots.json")).first_run);
    assert_eq!(pipeline.files().iter().filter(|name| name.ends_with(".inventory.zst")).count(), 6);
    // The second is none, and a pipeline that may not write says so.
    let topic = pipeline.variables("web", "topic");
    let run = run_with(directory, &["plan"], &topic).expect(0);
    assert!(run.stderr.contains("the jobs will not write the memory"), "{}", run.stderr);
    let child = fs::read_to_string(directory.join("plimsoll-retest.yml")).unwrap();
    assert!(!child.contains("--first-run") && !child.contains("--remember"), "{child}");
}

#[test]
fn a_plan_refuses_what_its_jobs_could_not_do() {
    let pipeline = Pipeline::new();
    let mut variables = pipeline.variables("schedule", "main");
    variables.push(("CI_PIPELINE_ID".into(), "99".into()));
    let directory = pipeline.desk.folder.path();
    for (arguments, expected) in [
        (["--notify", "issue,mail"], "`mail` is no channel"),
        (["--notify", "all,issue"], "`all` is no channel"),
        (["--state", "it's"], "--state cannot be used"),
        (["--image", "a$b"], "--image cannot be used"),
        (["--fail-on", "hihg"], "did you mean"),
    ] {
        let run = run_with(directory, &[&["plan"], &arguments[..]].concat(), &variables).expect(2);
        assert!(run.stderr.contains(expected), "{arguments:?}: {}", run.stderr);
    }
    run_with(directory, &["plan", "--notify", "auto"], &variables).expect(0);
    let child = fs::read_to_string(directory.join("plimsoll-retest.yml")).unwrap();
    assert!(child.contains(" --notify auto --pipeline 99 "), "{child}");
    assert!(!child.contains("plimsoll gate"), "{child}");
}

/// The last job of a plan may be cancelled, or its runner may vanish.
#[test]
fn what_the_last_job_of_a_plan_did_not_tell_the_next_plan_tells() {
    let pipeline = Pipeline::new();
    let variables = pipeline.variables("schedule", "main");
    let directory = pipeline.desk.folder.path();
    let (before, all) = (&databases().before, &databases().all);
    // Database, whether the last job runs, how it ends, and how many images are news.
    for (database, reports, code, news) in
        [(before, false, 0, 6), (before, true, 0, 6), (all, false, 0, 6), (all, true, 1, 6), (all, true, 0, 0)]
    {
        // Each pipeline has a folder of its own.
        let _ = fs::remove_dir_all(directory.join("plimsoll-shards"));
        run_with(directory, &["plan", "--shards", "2", "--notify", "exit"], &variables).expect(0);
        let child = fs::read_to_string(directory.join("plimsoll-retest.yml")).unwrap();
        for command in commands(&child) {
            run_shard_with(directory, &command, &variables, database);
        }
        run_with(directory, &["retest", "--merge", "plimsoll-shards", "--out", "plimsoll-report"], &variables)
            .expect(0);
        let changes: SnapshotChanges = read(&directory.join("plimsoll-report/plimsoll-snapshots.json"));
        assert_eq!(changes.after.len(), news, "{child}");
        if reports {
            let alert = child.lines().find_map(|line| line.trim().strip_prefix("plimsoll alert ")).unwrap();
            let alert = alert.split(" || ").next().unwrap();
            let alert: Vec<&str> = std::iter::once("alert").chain(alert.split_whitespace()).collect();
            let mut child_job = variables.clone();
            child_job.retain(|(name, _)| name != "CI_PIPELINE_SOURCE");
            child_job.push(("CI_PIPELINE_SOURCE".into(), "parent_pipeline".into()));
            let run = run_with(directory, &alert, &child_job).expect(code);
            assert_eq!(run.stdout.contains(NEW), code == 1, "{}", run.stdout);
        }
    }
    // What alerts knew before is not kept.
    assert_eq!(pipeline.files().iter().filter(|name| name.ends_with(".verdict.zst")).count(), 6);
}

#[test]
fn shards_put_together_are_one_retest() {
    let pipeline = Pipeline::new();
    let variables = pipeline.variables("schedule", "main");
    let directory = pipeline.desk.folder.path();
    run_with(directory, &["plan", "--shards", "3", "--image", "scanner:1"], &variables).expect(0);
    let child = fs::read_to_string(directory.join("plimsoll-retest.yml")).unwrap();
    let jobs: Vec<&str> = child.lines().filter(|line| line.starts_with("retest_")).collect();
    assert_eq!(jobs, ["retest_1:", "retest_2:", "retest_3:", "retest_report:"], "{child}");
    // As a runner would do it, all at once.
    std::thread::scope(|scope| {
        for command in commands(&child) {
            let variables = &variables;
            scope.spawn(move || run_shard(directory, &command, variables));
        }
    });
    run_with(directory, &["retest", "--merge", "plimsoll-shards", "--out", "whole"], &variables).expect(0);
    let whole: ScanDocument = read(&directory.join("whole/plimsoll.json"));
    let names: BTreeSet<&str> = whole.images.iter().map(|image| image.name.as_str()).collect();
    assert_eq!((names.len(), whole.images.len()), (6, 6));
    assert!(whole.database.is_some());
    let changes: SnapshotChanges = read(&directory.join("whole/plimsoll-snapshots.json"));
    assert_eq!(changes.after.len(), 6);
    assert!(changes.first_run);
    assert!(directory.join("whole/gl-container-scanning-report.json").is_file());
    assert_eq!((sboms(&directory.join("whole"), ".cdx.json"), sboms(&directory.join("whole"), ".spdx.json")), (6, 6));
    let log: Value = read(&directory.join("whole/scan-log.json"));
    assert_eq!(log["images"].as_array().map(Vec::len), Some(6));
    // The three wrote the same memory at the same time, and nothing is lost.
    let again = pipeline.retest(&variables, &[]).expect(0);
    assert!(again.stderr.contains("6 judged without pulling"), "{}", again.stderr);
    // A shard whose job failed early is missed.
    fs::create_dir(directory.join("plimsoll-shards/4")).unwrap();
    let run = run_with(directory, &["retest", "--merge", "plimsoll-shards", "--out", "whole"], &variables).expect(2);
    assert!(run.stderr.contains("plimsoll-shards/4"), "{}", run.stderr);
}

#[test]
fn a_plan_runs_as_a_child_pipeline() {
    if !["gitlab-ci-local", "rsync", "git"].iter().all(|program| has_program(program) || skip::<()>(program).is_some())
    {
        return;
    }
    let pipeline = Pipeline::new();
    let project = TempDir::new().unwrap();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    fs::create_dir(project.path().join("templates")).unwrap();
    fs::copy(root.join("templates/retest.yml"), project.path().join("templates/retest.yml")).unwrap();
    fs::write(
        project.path().join(".gitlab-ci.yml"),
        "include:\n  - component: $CI_SERVER_FQDN/$CI_PROJECT_PATH/retest@$CI_COMMIT_SHA\n    inputs:\n      shards: 3\n      fail_on: kev\n",
    )
    .unwrap();
    let git = |arguments: &[&str]| {
        let identity = ["-c", "user.name=test", "-c", "user.email=test@example.com"];
        support::run(Command::new("git").args(identity).args(arguments).current_dir(project.path()));
    };
    git(&["init", "--quiet", "--initial-branch", "main"]);
    git(&["remote", "add", "origin", "git@gitlab.example.com:grp/proj.git"]);
    git(&["add", "."]);
    git(&["commit", "--quiet", "--message", "Include the component"]);
    let program = Path::new(env!("CARGO_BIN_EXE_plimsoll")).parent().unwrap();
    let path = format!("{}:{}", program.display(), std::env::var("PATH").unwrap_or_default());
    let mut variables = pipeline.variables("schedule", "main");
    variables.push(("PLIMSOLL_DB".into(), databases().all.clone()));
    let names: Vec<&str> = variables.iter().map(|(name, _)| name.as_str()).collect();
    let mut command = Command::new("gitlab-ci-local");
    command.current_dir(project.path()).env_remove("CI").env("PATH", path).env("HOME", project.path());
    command.args(["--force-shell-executor", "--shell-isolation"]).env("GCL_IGNORE_PREDEFINED_VARS", names.join(","));
    // What is given on the command line does not reach child pipelines; the file of its user does.
    let mut file = String::from("global:\n");
    for (name, value) in &variables {
        command.arg("--variable").arg(format!("{name}={value}"));
        // A value that is a path would be copied as a file; the environment reaches the jobs as well.
        match name.as_str() {
            "PLIMSOLL_DB" => command.env(name, value).current_dir(project.path()),
            _ => {
                file.push_str(&format!("  {name}: \"{value}\"\n"));
                &mut command
            }
        };
    }
    fs::create_dir(project.path().join(".gitlab-ci-local")).unwrap();
    fs::write(project.path().join(".gitlab-ci-local/variables.yml"), file).unwrap();
    let output = command.output().unwrap();
    let log = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    assert!(output.status.success(), "{log}");
    for job in ["retest_1", "retest_2", "retest_3", "retest_report"] {
        assert!(log.contains(job), "{job}: {log}");
    }
    assert!(log.contains("gate: passed"), "{log}");
    assert!(pipeline.files().iter().filter(|name| name.ends_with(".inventory.zst")).count() == 6, "{log}");
}
