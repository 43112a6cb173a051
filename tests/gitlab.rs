//! Plimsoll at home in GitLab: the baseline, the comment on the merge request and the gate, against an instance that
//! behaves, with and without a real registry.

#[path = "formats/documents.rs"]
#[allow(dead_code)]
mod documents;
#[path = "support/layers.rs"]
mod layers;
mod program;
mod support;

use std::path::PathBuf;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use layers::Tar;
use plimsoll::model::{Change, ScanDocument};
use plimsoll::report::comment::{self, CommentContext, GateVerdict};
use program::{Run, run_in};
use serde_json::json;
use support::bench::JOB_TOKEN;
use support::gitlab::{Level, Token, too_many};
use support::http::{Reply, Request, Server};
use support::layout::Layout;
use support::{Bench, GitLabDouble};
use tempfile::TempDir;

const PROJECT: u64 = 7;
const BOT_TOKEN: &str = "glpat-0123456789-comment";
const MARKER: &str = "<!-- plimsoll:comment:";

/// An instance with the project `grp/proj` and a merge request !5 into `main`, and a place to work.
struct Desk {
    gitlab: GitLabDouble,
    place: TempDir,
    advisories: PathBuf,
    authority: Option<String>,
    jobs: u32,
}

impl Desk {
    fn new() -> Self {
        Self::with(GitLabDouble::start(), None)
    }

    fn with(gitlab: GitLabDouble, authority: Option<String>) -> Self {
        let place = tempfile::tempdir().expect("a temporary directory");
        gitlab.add_project(PROJECT, "grp/proj");
        gitlab.add_merge_request(PROJECT, 5, "main");
        gitlab.add_token(Token::job(JOB_TOKEN, PROJECT));
        gitlab.add_token(Token::access(BOT_TOKEN, PROJECT, &["api"]));
        let advisories = place.path().join("advisories");
        std::fs::create_dir_all(advisories.join("osv")).expect("a folder");
        let desk = Self { gitlab, place, advisories, authority, jobs: 0 };
        desk.advise("CVE-2026-1001", "npm", "leftish-pad", "1.2.0", "9.8");
        desk.advise("CVE-2026-1002", "npm", "colourful", "2.0.0", "7.5");
        desk
    }

    /// Adds an advisory: everything before `fixed` is affected.
    fn advise(&self, id: &str, ecosystem: &str, package: &str, fixed: &str, score: &str) {
        let impact = if score.starts_with('9') { "C:H/I:H/A:H" } else { "C:N/I:N/A:H" };
        let record = json!({
            "schema_version": "1.6.0", "id": id, "modified": "2026-11-20T00:00:00Z", "summary": format!("{package} is broken"),
            "severity": [{"type": "CVSS_V3", "score": format!("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/{impact}")}],
            "affected": [{
                "package": {"ecosystem": ecosystem, "name": package},
                "ranges": [{"type": "SEMVER", "events": [{"introduced": "0"}, {"fixed": fixed}]}],
            }],
        });
        std::fs::write(self.advisories.join(format!("osv/{id}.json")), record.to_string()).expect("a record");
    }

    /// An OCI layout that holds these npm packages.
    fn image(&self, name: &str, packages: &[(&str, &str)]) -> String {
        let mut tar = Tar::default();
        for (package, version) in packages {
            let path = format!("app/node_modules/{package}/package.json");
            tar = tar.file(&path, json!({"name": package, "version": version}).to_string().as_bytes());
        }
        let folder = self.place.path().join(name);
        let layout = Layout::new(&folder);
        let image = layout.image("amd64", &[&tar.end()]);
        format!("oci:{}", layout.finish(image).display())
    }

    /// The variables of a job on a branch.
    fn variables(&self, branch: &str) -> Vec<(String, String)> {
        let mut variables: Vec<(String, String)> = [
            ("GITLAB_CI", "true"),
            ("CI_PROJECT_ID", "7"),
            ("CI_PROJECT_PATH", "grp/proj"),
            ("CI_JOB_NAME", "container_scanning"),
            ("CI_JOB_URL", "https://gitlab.example.com/grp/proj/-/jobs/99"),
            ("CI_JOB_TOKEN", JOB_TOKEN),
            ("CI_DEFAULT_BRANCH", "main"),
            ("CI_COMMIT_REF_NAME", branch),
            ("CI_COMMIT_REF_SLUG", branch),
            ("CI_COMMIT_SHA", "0a1b2c3d4e5f60718293a4b5c6d7e8f901234567"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .to_vec();
        variables.push(("CI_API_V4_URL".into(), self.gitlab.api()));
        variables.extend(self.authority.iter().map(|path| ("ADDITIONAL_CA_CERT_BUNDLE".to_owned(), path.clone())));
        variables
    }

    /// The variables of a job for merge request !5, with the token for comments.
    fn merge_request(&self) -> Vec<(String, String)> {
        let more = [
            ("CI_MERGE_REQUEST_IID", "5"),
            ("CI_MERGE_REQUEST_PROJECT_ID", "7"),
            ("CI_MERGE_REQUEST_SOURCE_PROJECT_ID", "7"),
            ("CI_MERGE_REQUEST_TARGET_BRANCH_NAME", "main"),
            ("PLIMSOLL_GITLAB_TOKEN", BOT_TOKEN),
        ];
        let mut variables = self.variables("topic");
        variables.extend(more.map(|(name, value)| (name.to_owned(), value.to_owned())));
        variables
    }

    /// One pipeline: scan, publish, gate, in a fresh directory, the log as full as it can be.
    fn pipeline(&mut self, source: &str, variables: &[(String, String)]) -> Pipeline {
        self.jobs += 1;
        let directory = self.place.path().join(format!("job{}", self.jobs));
        std::fs::create_dir(&directory).expect("a directory");
        let db = self.advisories.display().to_string();
        let run = |arguments: &[&str]| {
            let variables: Vec<(&str, &str)> = variables.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
            let arguments = [arguments, &["--log-level", "trace"]].concat();
            run_in(&directory, &arguments, &variables)
        };
        let mut scan = vec!["scan", "--db", &db, "--out", "plimsoll-report"];
        if !source.is_empty() {
            scan.push(source);
        }
        let scan = run(&scan);
        let bytes = std::fs::read(directory.join("plimsoll-report/plimsoll.json"));
        let bytes = bytes.unwrap_or_else(|error| panic!("no document: {error}\n{}", scan.stderr));
        let document = serde_json::from_slice(&bytes).expect("the document can be read back");
        let publish = run(&["publish", "--report", "plimsoll-report/plimsoll.json"]);
        let gate = run(&["gate", "--report", "plimsoll-report/plimsoll.json"]);
        let pipeline = Pipeline { scan, publish, gate, document, directory };
        self.nothing_leaks(&pipeline, variables);
        pipeline
    }

    /// No token is in anything that was printed, written or sent as text.
    fn nothing_leaks(&self, pipeline: &Pipeline, variables: &[(String, String)]) {
        let is_secret = |name: &str| name.contains("PASSWORD") || name.contains("TOKEN");
        let secrets: Vec<&str> =
            variables.iter().filter(|(name, _)| is_secret(name)).map(|(_, v)| v.as_str()).collect();
        let mut texts = Vec::new();
        for run in [&pipeline.scan, &pipeline.publish, &pipeline.gate] {
            texts.extend([("output".to_owned(), run.stdout.clone()), ("log".to_owned(), run.stderr.clone())]);
        }
        for entry in std::fs::read_dir(pipeline.directory.join("plimsoll-report")).expect("the reports").flatten() {
            let bytes = std::fs::read(entry.path()).expect("a report");
            texts.push((entry.path().display().to_string(), String::from_utf8_lossy(&bytes).into_owned()));
        }
        let state = self.gitlab.state();
        for request in &state.requests {
            texts.push(("an address".into(), request.target.clone()));
            texts.push(("a body".into(), String::from_utf8_lossy(&request.body).into_owned()));
        }
        for packed in state.projects.values().flat_map(|project| project.packages.values()) {
            let text = zstd::decode_all(packed.as_slice()).unwrap_or_default();
            texts.push(("the state".into(), String::from_utf8_lossy(&text).into_owned()));
        }
        for (place, text) in &texts {
            assert!(!secrets.iter().any(|secret| text.contains(secret)), "a secret is in {place}");
        }
    }

    /// The only comment that a program wrote on !5.
    #[track_caller]
    fn comment(&self) -> String {
        let notes: Vec<_> = self.gitlab.notes(PROJECT, 5).into_iter().filter(|n| n.author == 90).collect();
        let [note] = notes.as_slice() else { panic!("{} comments", notes.len()) };
        note.body.clone()
    }
}

struct Pipeline {
    scan: Run,
    publish: Run,
    gate: Run,
    document: ScanDocument,
    directory: PathBuf,
}

impl Pipeline {
    fn changes(&self) -> Vec<(String, Option<Change>)> {
        self.document.findings().map(|finding| (finding.package.name.clone(), finding.change)).collect()
    }

    fn fixed(&self) -> Vec<String> {
        let images = self.document.comparison.iter().flat_map(|comparison| &comparison.images);
        images.flat_map(|image| &image.fixed).map(|finding| finding.package.name.clone()).collect()
    }
}

fn set(variables: &mut Vec<(String, String)>, name: &str, value: &str) {
    variables.retain(|(known, _)| known != name);
    if !value.is_empty() {
        variables.push((name.into(), value.into()));
    }
}

/// The whole story of the merge request, over a real registry.
#[test]
fn a_merge_request_is_told_what_it_brings_and_stopped_until_it_is_gone() {
    let Some(bench) = Bench::shared() else { return };
    let authority = bench.keys.path("ca.crt").display().to_string();
    let mut desk = Desk::with(GitLabDouble::start_tls(&bench.keys), Some(authority));
    let push = |desk: &Desk, name: &str, tag: &str, packages: &[(&str, &str)]| {
        bench.push(
            &format!("{}:latest", desk.image(name, packages)),
            &format!("{tag}:0a1b2c3d4e5f60718293a4b5c6d7e8f901234567"),
        );
    };
    let with_registry = |variables: Vec<(String, String)>| [bench.job(&bench.host()), variables].concat();

    // The default branch has a vulnerability of its own. The first run keeps the baseline.
    push(&desk, "main", "main", &[("colourful", "1.0.0"), ("sound", "1.0.0")]);
    let variables = with_registry(desk.variables("main"));
    let main = desk.pipeline("", &variables);
    assert_eq!((main.scan.code, main.publish.code), (0, 0), "{}{}", main.scan.stderr, main.publish.stderr);
    assert!(main.scan.stderr.contains("baseline: first run"), "{}", main.scan.stderr);
    assert!(main.publish.stderr.contains("kept as baseline of `main`"), "{}", main.publish.stderr);
    assert_eq!(main.changes(), [("colourful".to_owned(), None)]);

    // The merge request brings another one.
    push(&desk, "first", "topic", &[("colourful", "1.0.0"), ("leftish-pad", "1.1.0"), ("sound", "1.0.0")]);
    let variables = with_registry(desk.merge_request());
    let first = desk.pipeline("", &variables);
    assert_eq!((first.scan.code, first.publish.code), (0, 0), "{}{}", first.scan.stderr, first.publish.stderr);
    let expected = [("leftish-pad", Change::Introduced), ("colourful", Change::Existing)];
    assert_eq!(first.changes(), expected.map(|(name, change)| (name.to_owned(), Some(change))));
    assert_eq!(first.gate.code, 1, "{}", first.gate.stdout);
    assert!(first.gate.stdout.contains("gate: failed: 1 of 2 findings match"), "{}", first.gate.stdout);
    let said = desk.comment();
    let (news, rest) = said.split_once("<details>").expect("a folded part");
    assert!(news.contains("1 new finding") && news.contains("`leftish-pad`") && news.contains("`1.2.0`"), "{said}");
    assert!(news.contains("CVE-2026-1001") && news.contains("The gate fails"), "{said}");
    assert!(!news.contains("colourful") && rest.contains("colourful"), "{said}");
    let id = desk.gitlab.notes(PROJECT, 5)[0].id;

    // The next commit removes it: the same comment is updated, and the gate passes.
    push(&desk, "second", "topic", &[("leftish-pad", "1.2.0"), ("sound", "1.0.0")]);
    desk.gitlab.take_requests();
    let second = desk.pipeline("", &variables);
    assert_eq!(second.gate.code, 0, "{}", second.gate.stdout);
    assert_eq!((second.changes(), second.fixed()), (vec![], vec!["colourful".to_owned()]));
    let said = desk.comment();
    assert!(said.contains("nothing new, 1 fixed") && said.contains("The gate passes"), "{said}");
    assert!(!said.contains("leftish-pad"), "{said}");
    assert_eq!(desk.gitlab.notes(PROJECT, 5)[0].id, id);
    let requests = desk.gitlab.take_requests();
    assert!(requests.len() <= 10, "{requests:?}");
}

/// Every command that meets a token, with the log as full as it can be, where all is well and where every token is wrong.
#[test]
fn no_command_shows_a_token() {
    let Some(bench) = Bench::shared() else { return };
    let authority = bench.keys.path("ca.crt").display().to_string();
    let desk = Desk::with(GitLabDouble::start_tls(&bench.keys), Some(authority));
    let commit = "0a1b2c3d4e5f60718293a4b5c6d7e8f901234567";
    let image = desk.image("secretive", &[("leftish-pad", "1.0.0")]);
    bench.push(&format!("{image}:latest"), &format!("topic:{commit}"));
    desk.gitlab.add_repository(PROJECT, &format!("{}/grp/proj/topic", bench.host()), &[commit]);
    let db = desk.advisories.display().to_string();
    let hook = "http://localhost:1/hooks/very-secret-0123456789";
    let right = [bench.job(&bench.host()), desk.merge_request()].concat();
    let wrong: Vec<(String, String)> = right
        .iter()
        .map(|(name, value)| {
            let is_token = name.contains("TOKEN") || name.contains("PASSWORD");
            (name.clone(), if is_token { format!("glpat-wrong-{}-0123456789", name.len()) } else { value.clone() })
        })
        .collect();
    for (what, mut variables) in [("right", right), ("wrong", wrong)] {
        set(&mut variables, "PLIMSOLL_WEBHOOK_URL", hook);
        set(&mut variables, "CI_PROJECT_ROOT_NAMESPACE", "grp");
        let is_secret = |name: &str| name.contains("PASSWORD") || name.contains("TOKEN");
        let mut secrets: Vec<String> =
            variables.iter().filter(|(name, _)| is_secret(name)).map(|(_, value)| value.clone()).collect();
        secrets.push("very-secret".into());
        let place = desk.place.path().join(format!("everything-{what}"));
        std::fs::create_dir(&place).expect("a directory");
        let state = place.join("state").display().to_string();
        let mut texts = Vec::new();
        for command in [
            &["scan", "--db", &db, "--out", "plimsoll-report"][..],
            &["publish", "--report", "plimsoll-report/plimsoll.json", "--comment", "always"],
            &["gate", "--report", "plimsoll-report/plimsoll.json"],
            &["doctor"],
            &["doctor", "--format", "json"],
            &["images"],
            &["images", "--dry-run"],
            &["retest", "--db", &db, "--out", "retest-report"],
            &["retest", "--db", &db, "--out", "retest-report", "--state", &state],
            &["alert", "--report", "retest-report/plimsoll.json"],
            &["plan"],
            &["overview", "--group", "grp"],
            &["explain", "CVE-2026-1001", "--report", "plimsoll-report/plimsoll.json", "--db", &db],
            &["ignore", "--check"],
            &["db", "status", "--db", &db],
        ] {
            let variables: Vec<(&str, &str)> = variables.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
            let run = run_in(&place, &[command, &["--log-level", "trace"]].concat(), &variables);
            assert!(!run.stderr.contains("panicked"), "{what} {command:?}: {}", run.stderr);
            texts.push((format!("the output of {command:?}"), run.stdout + &run.stderr));
        }
        let mut folders = vec![place];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).expect("a folder").flatten() {
                if entry.path().is_dir() {
                    folders.push(entry.path());
                    continue;
                }
                let bytes = std::fs::read(entry.path()).expect("a file");
                let bytes = zstd::decode_all(bytes.as_slice()).unwrap_or(bytes);
                texts.push((entry.path().display().to_string(), String::from_utf8_lossy(&bytes).into_owned()));
            }
        }
        assert!(texts.len() > 20, "{what}: {} texts", texts.len());
        for (place, text) in &texts {
            let shown = secrets.iter().find(|secret| text.contains(secret.as_str()));
            assert!(shown.is_none(), "{what}: a secret is in {place}:\n{text}");
        }
    }
}

/// The default branch was never scanned, but its image is in the registry under the name that GitLab's convention gives.
#[test]
fn the_registry_has_the_baseline_of_the_first_merge_request() {
    let Some(bench) = Bench::shared() else { return };
    let authority = bench.keys.path("ca.crt").display().to_string();
    let mut desk = Desk::with(GitLabDouble::start_tls(&bench.keys), Some(authority));
    let base = "1".repeat(40);
    bench.push(&format!("{}:latest", desk.image("old", &[("colourful", "1.0.0")])), &format!("trunk:{base}"));
    let new = desk.image("new", &[("colourful", "1.0.0"), ("leftish-pad", "1.0.0")]);
    bench.push(&format!("{new}:latest"), "first:0a1b2c3d4e5f60718293a4b5c6d7e8f901234567");
    let mut variables = [bench.job(&bench.host()), desk.merge_request()].concat();
    for (name, value) in [
        ("CI_COMMIT_REF_SLUG", "first"),
        ("CI_MERGE_REQUEST_TARGET_BRANCH_NAME", "trunk"),
        ("CI_MERGE_REQUEST_DIFF_BASE_SHA", &base),
    ] {
        set(&mut variables, name, value);
    }
    let pipeline = desk.pipeline("", &variables);
    let expected = [("leftish-pad", Change::Introduced), ("colourful", Change::Existing)];
    assert_eq!(
        pipeline.changes(),
        expected.map(|(name, change)| (name.to_owned(), Some(change))),
        "{}",
        pipeline.scan.stderr
    );
    // Where it is gone, the scan goes on without.
    set(&mut variables, "CI_MERGE_REQUEST_DIFF_BASE_SHA", &"2".repeat(40));
    let pipeline = desk.pipeline("", &variables);
    assert_eq!((pipeline.scan.code, pipeline.document.comparison.is_none()), (0, true), "{}", pipeline.scan.stderr);
    assert!(pipeline.scan.stderr.contains("baseline: first run"), "{}", pipeline.scan.stderr);
}

#[test]
fn what_was_disclosed_since_is_told_apart_and_passes() {
    let mut desk = Desk::new();
    let packages = [("colourful", "1.0.0"), ("sound", "1.0.0")];
    let image = desk.image("image", &packages);
    let variables = desk.variables("main");
    desk.pipeline(&image, &variables);
    desk.advise("CVE-2026-2000", "npm", "sound", "1.0.1", "9.8");
    let variables = desk.merge_request();
    let pipeline = desk.pipeline(&image, &variables);
    let expected = [("sound", Change::Disclosed), ("colourful", Change::Existing)];
    assert_eq!(pipeline.changes(), expected.map(|(name, change)| (name.to_owned(), Some(change))));
    assert_eq!(pipeline.gate.code, 0, "{}", pipeline.gate.stdout);
    // Nothing is new or fixed, so nobody is bothered.
    assert!(desk.gitlab.notes(PROJECT, 5).is_empty());
    assert!(pipeline.publish.stderr.contains("nothing is new or fixed"), "{}", pipeline.publish.stderr);
    let mut asked = desk.merge_request();
    set(&mut asked, "PLIMSOLL_COMMENT", "always");
    desk.pipeline(&image, &asked);
    assert!(desk.comment().contains("Disclosed since"), "{}", desk.comment());
    // A merge request does not move the baseline.
    let again = desk.pipeline(&image, &variables);
    assert_eq!(again.changes().first().map(|(_, change)| *change), Some(Some(Change::Disclosed)));
}

#[test]
fn the_comment_is_found_on_any_page_and_only_ones_own() {
    let mut desk = Desk::new();
    let image = desk.image("image", &[("leftish-pad", "1.0.0")]);
    let variables = desk.merge_request();
    // Somebody copies a comment of ours; it is not ours to change.
    let marker = comment::marker("container_scanning");
    desk.gitlab.add_note(PROJECT, 5, 33, &format!("{marker}\nI am not a bot"), false);
    for number in 0..230 {
        desk.gitlab.add_note(PROJECT, 5, 34, &format!("note {number}"), number % 3 == 0);
    }
    desk.pipeline(&image, &variables);
    assert!(desk.comment().contains("`leftish-pad`"));
    for number in 0..150 {
        desk.gitlab.add_note(PROJECT, 5, 34, &format!("later {number}"), false);
    }
    let fixed = desk.image("fixed", &[("leftish-pad", "1.2.0")]);
    desk.gitlab.take_requests();
    desk.pipeline(&fixed, &variables);
    let requests = desk.gitlab.take_requests();
    assert!(requests.len() <= 10, "{requests:?}");
    assert!(requests.iter().any(|request| request.contains("page=3")), "{requests:?}");
    assert!(desk.comment().contains("✅ Container scan: 0 findings"), "{}", desk.comment());
    assert!(desk.gitlab.notes(PROJECT, 5)[0].body.ends_with("I am not a bot"));
    // Another job has a comment of its own.
    let mut other = variables.clone();
    set(&mut other, "CI_JOB_NAME", "scan_worker");
    desk.pipeline(&image, &other);
    let ours = desk.gitlab.notes(PROJECT, 5).iter().filter(|n| n.author == 90 && n.body.starts_with(MARKER)).count();
    assert_eq!(ours, 2);
}

/// Open while the gate fails, resolved when it passes; where all threads must be resolved, it is a gate of its own.
#[test]
fn a_thread_at_the_from_line_is_kept_when_asked() {
    for in_diff in [true, false] {
        let mut desk = Desk::new();
        {
            let mut state = desk.gitlab.state();
            let project = state.projects.get_mut(&PROJECT).unwrap();
            project
                .files
                .insert("docker/Dockerfile".into(), b"FROM node:24 AS build\nRUN x\nFROM debian:12\n".to_vec());
            if in_diff {
                project.merge_requests.get_mut(&5).unwrap().diff.push(("docker/Dockerfile".into(), 3));
            }
        }
        let image = desk.image("image", &[("leftish-pad", "1.0.0")]);
        let fixed = desk.image("fixed", &[("leftish-pad", "1.2.0")]);
        let mut variables = desk.merge_request();
        set(&mut variables, "PLIMSOLL_THREAD", "true");
        set(&mut variables, "CS_DOCKERFILE_PATH", "docker/Dockerfile");
        let thread = |desk: &Desk| {
            let threads: Vec<_> =
                desk.gitlab.notes(PROJECT, 5).into_iter().filter(|note| note.thread.is_some()).collect();
            let [note] = threads.as_slice() else { panic!("{} threads", threads.len()) };
            (note.thread.clone().unwrap(), note.body.clone())
        };
        desk.pipeline(&image, &variables);
        let (opened, said) = thread(&desk);
        let at = in_diff.then(|| ("docker/Dockerfile".to_owned(), 3));
        assert_eq!((opened.at, opened.resolved), (at, false));
        assert!(said.contains("CVE-2026-1001") && said.contains("`leftish-pad`"), "{said}");
        desk.gitlab.take_requests();
        desk.pipeline(&fixed, &variables);
        assert!(thread(&desk).0.resolved);
        let requests = desk.gitlab.take_requests();
        assert!(requests.len() <= 10, "{requests:?}");
        // Another finding opens it again.
        let worse = desk.image("worse", &[("leftish-pad", "1.1.0"), ("colourful", "1.0.0")]);
        desk.pipeline(&worse, &variables);
        let (again, said) = thread(&desk);
        assert_eq!((again.id == opened.id, again.resolved), (true, false), "{said}");
        // There still is one comment besides.
        let comments = desk.gitlab.notes(PROJECT, 5).into_iter().filter(|note| note.thread.is_none()).count();
        assert_eq!(comments, 1);
    }
}

#[test]
fn a_comment_that_says_it_already_is_not_touched() {
    let mut desk = Desk::new();
    let image = desk.image("image", &[("leftish-pad", "1.0.0")]);
    let variables = desk.merge_request();
    desk.pipeline(&image, &variables);
    desk.gitlab.take_requests();
    desk.pipeline(&image, &variables);
    let requests = desk.gitlab.take_requests();
    assert!(!requests.iter().any(|request| request.starts_with("PUT") || request.starts_with("POST")), "{requests:?}");
}

#[test]
fn rate_limits_are_obeyed() {
    let mut desk = Desk::new();
    let image = desk.image("image", &[("leftish-pad", "1.0.0")]);
    let variables = desk.merge_request();
    let scanned = desk.pipeline(&image, &variables);
    let publish = |desk: &Desk| {
        let variables: Vec<(&str, &str)> = variables.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
        run_in(
            &scanned.directory,
            &["publish", "--report", "plimsoll-report/plimsoll.json", "--comment", "always"],
            &variables,
        )
        .expect(0)
        .stderr
            + &desk.gitlab.take_requests().join("\n")
    };
    let forget = |desk: &Desk| {
        desk.gitlab.state().projects.get_mut(&PROJECT).unwrap().merge_requests.get_mut(&5).unwrap().notes.clear()
    };
    // Once for a question, and once for the comment itself.
    for (before, limited) in [(0, 1), (2, 1)] {
        forget(&desk);
        for _ in 0..before {
            // What would have been answered anyway.
            let reply = [json!({"id": 90, "username": "bot"}).to_string(), "[]".into()];
            let body = reply[desk.gitlab.state().instead.len()].clone();
            desk.gitlab.answer_next(Reply::new(200, "application/json", body));
        }
        for _ in 0..limited {
            desk.gitlab.answer_next(too_many(1));
        }
        let start = Instant::now();
        let log = publish(&desk);
        assert!(start.elapsed() >= Duration::from_secs(1), "{log}");
        assert!(desk.comment().contains("`leftish-pad`"), "{log}");
        assert!(log.contains("asks to wait 1 s"), "{log}");
    }
    // An hour is not waited for.
    forget(&desk);
    desk.gitlab.answer_next(too_many(3600));
    let start = Instant::now();
    let log = publish(&desk);
    assert!(start.elapsed() < Duration::from_secs(5));
    assert!(log.contains("error[D18]") && log.contains("3600 s"), "{log}");
    // A failure in between may have written the comment: it is not written twice.
    desk.gitlab.answer_next(Reply::new(200, "application/json", json!({"id": 90, "username": "bot"}).to_string()));
    desk.gitlab.answer_next(Reply::new(200, "application/json", "[]"));
    desk.gitlab.answer_next(Reply::new(502, "text/html", "<html>"));
    let log = publish(&desk);
    assert_eq!(log.matches("POST").count(), 1, "{log}");
    assert!(log.contains("error[D18]"), "{log}");
}

#[test]
fn refusals_are_one_diagnosis_and_the_scan_stands() {
    let mut desk = Desk::new();
    let image = desk.image("image", &[("leftish-pad", "1.0.0")]);
    let guest = Token { roles: vec![(PROJECT, Level::Guest)], ..Token::access("glpat-guest-token", PROJECT, &["api"]) };
    let stranger = Token { roles: vec![], ..Token::access("glpat-stranger-token", PROJECT, &["api"]) };
    let expired = Token { expired: true, ..Token::access("glpat-expired-token", PROJECT, &["api"]) };
    for token in [guest, stranger, expired, Token::access("glpat-reader-token", PROJECT, &["read_api"])] {
        desk.gitlab.add_token(token);
    }
    let closed = std::net::TcpListener::bind("127.0.0.1:0").and_then(|s| s.local_addr()).expect("a free port").port();
    let web = Server::start(None, |_| Reply::new(200, "text/html", "<html>Sign in</html>"));
    for (what, name, value, expected) in [
        ("an unknown token", "PLIMSOLL_GITLAB_TOKEN", "glpat-of-nobody-at-all", "error[D13]"),
        ("an expired token", "PLIMSOLL_GITLAB_TOKEN", "glpat-expired-token", "Token is expired"),
        (
            "a token that may only read",
            "PLIMSOLL_GITLAB_TOKEN",
            "glpat-reader-token",
            "its scopes are read_api, and api is missing",
        ),
        ("a guest", "PLIMSOLL_GITLAB_TOKEN", "glpat-guest-token", "role Developer"),
        ("a token of another project", "PLIMSOLL_GITLAB_TOKEN", "glpat-stranger-token", "error[D14]"),
        ("a token with a line end", "PLIMSOLL_GITLAB_TOKEN", "glpat-two\nlines", "error[D30]"),
        ("no token", "PLIMSOLL_GITLAB_TOKEN", "", "no comment on !5: PLIMSOLL_GITLAB_TOKEN is not set"),
        ("a fork", "CI_MERGE_REQUEST_SOURCE_PROJECT_ID", "8", "pipelines of forks get no tokens"),
        ("no such merge request", "CI_MERGE_REQUEST_IID", "6", "404"),
        ("nothing listens", "CI_API_V4_URL", &format!("http://localhost:{closed}/api/v4"), "error[D03]"),
        ("a web site", "CI_API_V4_URL", &format!("http://localhost:{}/api/v4", web.port), "is not JSON"),
        ("no address", "CI_API_V4_URL", "gitlab", "error[D30]"),
    ] {
        let mut variables = desk.merge_request();
        set(&mut variables, name, value);
        if what == "a fork" {
            set(&mut variables, "PLIMSOLL_GITLAB_TOKEN", "");
        }
        let pipeline = desk.pipeline(&image, &variables);
        assert_eq!((pipeline.scan.code, pipeline.publish.code), (0, 0), "{what}: {}", pipeline.publish.stderr);
        assert!(pipeline.publish.stderr.contains(expected), "{what}: {}", pipeline.publish.stderr);
        assert!(pipeline.publish.stderr.matches("error[").count() <= 1, "{what}: {}", pipeline.publish.stderr);
        assert_eq!(pipeline.document.findings().count(), 1, "{what}");
        assert!(desk.gitlab.notes(PROJECT, 5).is_empty(), "{what}");
    }
}

#[test]
fn the_baseline_comes_from_where_it_is_named() {
    let mut desk = Desk::new();
    let old = desk.image("old", &[("colourful", "1.0.0")]);
    let new = desk.image("new", &[("colourful", "1.5.0"), ("leftish-pad", "1.0.0")]);
    let outside = [];
    let before = desk.pipeline(&old, &outside);
    let file = before.directory.join("plimsoll-report/plimsoll.json").display().to_string();
    let compared =
        [("leftish-pad".to_owned(), Some(Change::Introduced)), ("colourful".to_owned(), Some(Change::Existing))];
    for (value, expected) in
        [(file.as_str(), Some(&compared)), (old.as_str(), Some(&compared)), ("none", None), ("oci:/nowhere", None)]
    {
        let variables = [("PLIMSOLL_BASELINE".to_owned(), value.to_owned())];
        let pipeline = desk.pipeline(&new, &variables);
        assert_eq!(pipeline.scan.code, 0, "{value}: {}", pipeline.scan.stderr);
        match expected {
            Some(expected) => assert_eq!(pipeline.changes(), expected, "{value}"),
            None => assert!(pipeline.document.comparison.is_none(), "{value}"),
        }
    }
    // Something wrong is refused before any work.
    let junk = desk.place.path().join("junk.json");
    std::fs::write(&junk, "{}").expect("a file");
    for value in [junk.display().to_string(), "No/Image:at all".to_owned()] {
        let run = run_in(desk.place.path(), &["scan", &new, "--baseline", &value], &[]);
        assert_eq!(run.code, 2, "{value}: {}", run.stderr);
        assert!(run.stderr.contains("error[D30]") && !run.stderr.contains("layers"), "{value}: {}", run.stderr);
    }
    // The default branch's image by the variable of GitLab's analyzer, for other branches only.
    let mut variables = desk.merge_request();
    set(&mut variables, "CS_DEFAULT_BRANCH_IMAGE", &old);
    assert_eq!(desk.pipeline(&new, &variables).changes(), compared);
    let mut variables = desk.variables("main");
    set(&mut variables, "CS_DEFAULT_BRANCH_IMAGE", &old);
    assert!(desk.pipeline(&new, &variables).document.comparison.is_none());
}

#[test]
fn artifacts_are_the_second_place_and_other_hosts_get_no_token() {
    let mut desk = Desk::new();
    let old = desk.image("old", &[("colourful", "1.0.0")]);
    let before = desk.pipeline(&old, &[]);
    let bytes = std::fs::read(before.directory.join("plimsoll-report/plimsoll.json")).expect("a document");
    let asked: Arc<Mutex<Vec<Request>>> = Arc::default();
    let (log, content) = (Arc::clone(&asked), bytes.clone());
    let storage = Server::start(None, move |request| {
        log.lock().unwrap().push(request.clone());
        Reply::new(200, "application/json", content.clone())
    });
    {
        let mut state = desk.gitlab.state();
        // The same machine under another port is another place.
        state.artifacts_at = Some(format!("http://localhost:{}", storage.port));
        let artifacts = &mut state.projects.get_mut(&PROJECT).unwrap().artifacts;
        artifacts.insert("main/container_scanning/plimsoll-report/plimsoll.json".into(), bytes);
    }
    let new = desk.image("new", &[("colourful", "1.0.0"), ("leftish-pad", "1.0.0")]);
    // With the job token alone, and with one that may read.
    for token in ["", BOT_TOKEN] {
        let mut variables = desk.merge_request();
        set(&mut variables, "PLIMSOLL_GITLAB_TOKEN", token);
        let pipeline = desk.pipeline(&new, &variables);
        assert_eq!(pipeline.document.comparison.as_ref().map(|c| c.images.len()), Some(1), "{}", pipeline.scan.stderr);
    }
    let asked = asked.lock().unwrap();
    assert_eq!(asked.len(), 2);
    for request in asked.iter() {
        for name in ["JOB-TOKEN", "PRIVATE-TOKEN", "Authorization"] {
            assert_eq!(request.header(name), None, "{:?}", request.headers);
        }
    }
}

#[test]
fn a_broken_or_forbidden_state_does_not_stop_a_scan() {
    let mut desk = Desk::new();
    let image = desk.image("image", &[("leftish-pad", "1.0.0")]);
    let main = desk.variables("main");
    desk.pipeline(&image, &main);
    let name = desk.gitlab.state().projects[&PROJECT].packages.keys().next().expect("a stored scan").clone();
    assert!(name.starts_with("plimsoll-state/baseline/main-"), "{name}");
    desk.gitlab.state().projects.get_mut(&PROJECT).unwrap().packages.insert(name, b"junk".to_vec());
    let variables = desk.merge_request();
    let pipeline = desk.pipeline(&image, &variables);
    assert!(pipeline.scan.stderr.contains("set aside"), "{}", pipeline.scan.stderr);
    // Without a baseline everything counts as new, and the gate says so.
    assert_eq!(pipeline.gate.code, 1, "{}", pipeline.gate.stdout);
    assert!(pipeline.gate.stdout.contains("no baseline"), "{}", pipeline.gate.stdout);
    // In a fork the target project does not let the job token in.
    desk.gitlab.add_project(8, "fork/proj");
    desk.gitlab.add_token(Token::job("glcbt-of-the-fork", 8));
    let mut fork = desk.merge_request();
    for (name, value) in [
        ("CI_PROJECT_ID", "8"),
        ("CI_PROJECT_PATH", "fork/proj"),
        ("CI_JOB_TOKEN", "glcbt-of-the-fork"),
        ("CI_MERGE_REQUEST_SOURCE_PROJECT_ID", "8"),
        ("PLIMSOLL_GITLAB_TOKEN", ""),
    ] {
        set(&mut fork, name, value);
    }
    let pipeline = desk.pipeline(&image, &fork);
    assert_eq!(pipeline.scan.code, 0, "{}", pipeline.scan.stderr);
    assert!(pipeline.scan.stderr.contains("baseline: first run"), "{}", pipeline.scan.stderr);
    // A public project with the fork on its allowlist does.
    desk.pipeline(&image, &main);
    {
        let mut state = desk.gitlab.state();
        let project = state.projects.get_mut(&PROJECT).unwrap();
        project.public = true;
        project.allowlist.push(8);
    }
    assert!(desk.pipeline(&image, &fork).document.comparison.is_some());
    // What cannot be stored is told once.
    desk.gitlab.state().tokens.retain(|token| token.value != JOB_TOKEN);
    desk.gitlab.add_token(Token { roles: vec![(PROJECT, Level::Reporter)], ..Token::job(JOB_TOKEN, PROJECT) });
    let refused = desk.pipeline(&image, &main);
    assert_eq!(refused.publish.code, 0);
    assert!(refused.publish.stderr.contains("this scan is not kept as baseline"), "{}", refused.publish.stderr);
}

#[test]
fn branch_pipelines_ask_for_the_target() {
    let mut desk = Desk::new();
    desk.gitlab.add_merge_request(PROJECT, 6, "release");
    let image = desk.image("image", &[("leftish-pad", "1.0.0")]);
    let mut release = desk.variables("release");
    set(&mut release, "CI_PIPELINE_SOURCE", "schedule");
    desk.pipeline(&image, &release);
    let mut branch = desk.variables("topic");
    set(&mut branch, "CI_OPEN_MERGE_REQUESTS", "grp/proj!6");
    let pipeline = desk.pipeline(&image, &branch);
    assert_eq!(pipeline.document.comparison.map(|comparison| comparison.baseline).as_deref(), Some("branch release"));
}

/// Documents whose every text wants to break out.
#[test]
fn nothing_is_injected_into_a_comment() {
    for mut document in
        [documents::hostile(), documents::typical(), documents::failure(), documents::empty(), documents::not_judged()]
    {
        for compared in [false, true] {
            if compared {
                document = documents::compared(document);
            }
            let context = CommentContext {
                marker: comment::marker("job\n/close -->"),
                gate: Some(GateVerdict { policy: "id==\"` @all\"".into(), failing: 1, gaps: 0 }),
                job_url: Some("javascript:alert(1)".into()),
                report_url: Some("https://x/) @all".into()),
                commit: Some("`@all`".into()),
            };
            let text = comment::render(&document, &context);
            assert!(text.chars().count() <= comment::LONGEST);
            for line in text.lines() {
                assert!(!line.trim_start().starts_with('/'), "a quick action: {line}");
                let outside = outside_code(line);
                assert!(!outside.contains('@'), "a mention: {line}");
                assert!(
                    !outside.contains("javascript:") && !outside.contains("<img") && !outside.contains("<script"),
                    "{line}"
                );
                assert!(!line.chars().any(char::is_control), "{line:?}");
            }
            let outside: String = text.lines().map(outside_code).collect();
            assert_eq!(outside.matches("<!--").count(), 1);
            assert_eq!(text.matches("<details>").count(), text.matches("</details>").count());
        }
    }
}

#[test]
fn a_comment_stays_readable_whatever_is_found() {
    let mut document = documents::many(20_000);
    document = documents::compared(document);
    let text =
        comment::render(&document, &CommentContext { marker: comment::marker("x"), ..CommentContext::default() });
    assert!(text.chars().count() <= comment::LONGEST && text.contains("more packages; the report has all"), "{text}");
    let mut images = documents::typical();
    let one = images.images[0].clone();
    images.images =
        (0..400).map(|n| plimsoll::model::ImageScan { name: format!("reg.io/app{n}:main"), ..one.clone() }).collect();
    let images = documents::compared(images);
    let text = comment::render(&images, &CommentContext::default());
    assert!(text.chars().count() <= comment::LONGEST, "{}", text.chars().count());
}

#[test]
fn the_comment_reads_well() {
    let mut document = documents::typical();
    document = documents::compared(document);
    let context = CommentContext {
        marker: comment::marker("container_scanning"),
        gate: Some(GateVerdict { policy: "new && critical".into(), failing: 1, gaps: 0 }),
        job_url: Some("https://gitlab.example.com/shop/web/-/jobs/99".into()),
        report_url: Some(
            "https://gitlab.example.com/shop/web/-/jobs/99/artifacts/file/plimsoll-report/index.html".into(),
        ),
        commit: Some("0a1b2c3d".into()),
    };
    insta::assert_snapshot!("comment", comment::render(&document, &context));
    // A gate that fails for what could not be judged does not pass in the comment.
    let gaps = CommentContext {
        gate: Some(GateVerdict { policy: "coverage_gap".into(), failing: 0, gaps: 1 }),
        ..context.clone()
    };
    let said = "0 findings and 1 image with a coverage gap";
    assert!(comment::render(&document, &gaps).contains(&format!("**The gate fails**: {said} match `coverage_gap`.")));
    let unjudged = documents::not_judged();
    let thread = comment::render_thread(&gaps, &[], &[&unjudged.images[0]]);
    assert!(thread.contains(said) && thread.contains("- `dir:/` was not judged whole: `no data for "), "{thread}");
    document.comparison = None;
    insta::assert_snapshot!("comment_first", comment::render(&document, &context));
}

/// What stands outside of code spans.
fn outside_code(line: &str) -> String {
    let (mut out, mut rest) = (String::new(), line);
    while let Some(start) = rest.find('`') {
        out.push_str(&rest[..start]);
        let fence = rest[start..].chars().take_while(|c| *c == '`').count();
        let after = &rest[start + fence..];
        let Some(end) = closing(after, fence) else { break };
        rest = &after[end + fence..];
    }
    out + rest
}

/// Where a run of exactly `fence` backticks begins.
fn closing(text: &str, fence: usize) -> Option<usize> {
    let mut at = 0;
    while let Some(found) = text[at..].find('`') {
        let start = at + found;
        let run = text[start..].chars().take_while(|c| *c == '`').count();
        if run == fence {
            return Some(start);
        }
        at = start + run;
    }
    None
}

/// An independent client finds in the double what the real API offers. Needs Python with `python-gitlab`
/// (`PLIMSOLL_PYTHON` names the interpreter).
#[test]
fn the_double_speaks_as_gitlab_does() {
    let python = std::env::var("PLIMSOLL_PYTHON").unwrap_or_else(|_| "python3".into());
    let has_client = Command::new(&python).args(["-c", "import gitlab"]).output().is_ok_and(|run| run.status.success());
    if !has_client {
        eprintln!("skipped: `{python}` has no python-gitlab");
        return;
    }
    let desk = Desk::new();
    desk.gitlab.add_token(Token::access("glpat-reader-token", PROJECT, &["read_api"]));
    desk.gitlab.add_repository(PROJECT, "registry.example.com/grp/proj/app", &["1", "2"]);
    for number in 0..45 {
        desk.gitlab.add_note(PROJECT, 5, 34, &format!("note {number}"), number % 5 == 0);
    }
    let script = r#"
import sys, gitlab
url, token, reader, job = sys.argv[1:]
gl = gitlab.Gitlab(url, private_token=token)
gl.auth()
assert gl.user.username == "project_7_bot"
mr = gl.projects.get("grp/proj").mergerequests.get(5)
assert mr.target_branch == "main"
notes = mr.notes.list(get_all=True, per_page=20, sort="asc")
assert len(notes) == 45 and notes[0].body == "note 0" and notes[0].system
first = mr.notes.list(iterator=True, per_page=20)
assert (first.total, first.total_pages, first.next_page) == (45, 3, 2)
note = mr.notes.create({"body": "hello ☃"})
note.body = "changed"
note.save()
assert [n.body for n in mr.notes.list(get_all=True) if n.author["id"] == gl.user.id] == ["changed"]
other = mr.notes.list(get_all=True, sort="asc")[1]
other.body = "mine"
try:
    other.save()
    sys.exit("a note of another was changed")
except gitlab.GitlabUpdateError as error:
    assert error.response_code == 403
try:
    gitlab.Gitlab(url, private_token=reader).projects.get(7).mergerequests.get(5).notes.create({"body": "x"})
    sys.exit("read_api wrote")
except gitlab.GitlabCreateError as error:
    assert error.response_code == 403
jobs = gitlab.Gitlab(url, job_token=job).projects.get(7, lazy=True)
jobs.generic_packages.upload(package_name="p", package_version="v", file_name="f.txt", data=b"bytes", path=None)
assert jobs.generic_packages.download("p", "v", "f.txt") == b"bytes"
try:
    jobs.mergerequests.get(5, lazy=True).notes.create({"body": "x"})
    sys.exit("the job token commented")
except gitlab.GitlabAuthenticationError as error:
    assert error.response_code == 401
try:
    gl.projects.get("other/project")
    sys.exit("a project was seen that is not there")
except gitlab.GitlabGetError as error:
    assert error.response_code == 404
# The job, seen by its own token and by no other.
me = gitlab.Gitlab(url, job_token=job).http_get("/job")
assert me["user"]["username"] == "alice", me
# Merge requests, the role in a project, and the token about itself.
assert [m.iid for m in gl.projects.get(7).mergerequests.list(get_all=True)] == [5]
assert gl.projects.get(7).permissions["project_access"]["access_level"] == 30
assert gl.personal_access_tokens.get("self").scopes == ["api"]
# Issues: made, found by their author, changed, closed, noted; the job token may not.
project = gl.projects.get(7, lazy=True)
issue = project.issues.create({"title": "one", "description": "text", "labels": "a,b", "due_date": "2026-12-01"})
assert (issue.iid, issue.title, issue.due_date) == (1, "one", "2026-12-01"), issue
mine = project.issues.list(get_all=True, author_id=gl.user.id, scope="all")
assert [i.iid for i in mine] == [1]
issue = project.issues.get(1)
issue.title = "two"
issue.state_event = "close"
issue.save()
mine = project.issues.list(get_all=True, author_id=gl.user.id, scope="all")
assert [(i.title, i.state) for i in mine] == [("two", "closed")], mine
issue.notes.create({"body": "still there"})
assert [n.body for n in issue.notes.list(get_all=True)] == ["still there"]
try:
    jobs.issues.create({"title": "x"})
    sys.exit("the job token made an issue")
except gitlab.GitlabAuthenticationError as error:
    assert error.response_code == 401
# Groups: their projects and their registry; the job token sees neither.
group = gl.groups.get("grp", lazy=True)
assert [p.path_with_namespace for p in group.projects.list(get_all=True, include_subgroups=True)] == ["grp/proj"]
repositories = group.registry_repositories.list(get_all=True)
assert [r.location for r in repositories] == ["registry.example.com/grp/proj/app"], repositories
[repository] = project.repositories.list(get_all=True)
assert [t.name for t in repository.tags.list(get_all=True)] == ["1", "2"]
assert repository.tags.get("2").name == "2"
try:
    gitlab.Gitlab(url, job_token=job).groups.get("grp", lazy=True).projects.list(get_all=True)
    sys.exit("the job token saw a group")
except gitlab.GitlabAuthenticationError as error:
    assert error.response_code == 401
try:
    gl.groups.get("other", lazy=True).projects.list(get_all=True)
    sys.exit("a group was seen that is not there")
except gitlab.GitlabError as error:
    assert error.response_code == 404
"#;
    let url = desk.gitlab.api().trim_end_matches("/api/v4").to_owned();
    let run = Command::new(&python).args(["-c", script, &url, BOT_TOKEN, "glpat-reader-token", JOB_TOKEN]).output();
    let run = run.expect("the interpreter starts");
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
}

/// With `GIT_STRATEGY: none` the job has no checkout: what the repository says is read through the API, with the job
/// token, and reaches the gate with the report.
#[test]
fn files_of_the_repository_are_read_without_a_checkout() {
    let mut desk = Desk::new();
    let image = desk.image("image", &[("leftish-pad", "1.0.0"), ("colourful", "1.0.0")]);
    let vex = json!({
        "@context": "https://openvex.dev/ns/v0.2.0", "@id": "x", "author": "a", "timestamp": "2026-11-01T00:00:00Z", "version": 1,
        "statements": [{
            "vulnerability": {"name": "CVE-2026-1002"}, "products": [{"@id": "pkg:npm/colourful"}],
            "status": "not_affected", "justification": "vulnerable_code_not_present",
        }],
    });
    let settings = "fail_on:\n  - kev\n  - critical && own\nvex: security/vex.json\ndockerfile: docker/Dockerfile\n";
    {
        let mut state = desk.gitlab.state();
        let files = &mut state.projects.get_mut(&PROJECT).unwrap().files;
        files.insert(".plimsoll.yml".into(), settings.into());
        files.insert("security/vex.json".into(), vex.to_string().into_bytes());
        files.insert("docker/Dockerfile".into(), b"FROM node:24\nRUN npm ci\n".to_vec());
    }
    let mut variables = desk.merge_request();
    // With a checkout nothing is asked for.
    let checkout = desk.pipeline(&image, &variables);
    assert_eq!(checkout.document.findings().count(), 2, "{}", checkout.scan.stderr);
    assert!(!desk.gitlab.take_requests().iter().any(|request| request.contains("/files/")));

    set(&mut variables, "GIT_STRATEGY", "none");
    let pipeline = desk.pipeline(&image, &variables);
    let found: Vec<_> = pipeline.document.findings().map(|finding| finding.id.as_str()).collect();
    assert_eq!(found, ["CVE-2026-1001"], "{}", pipeline.scan.stderr);
    assert_eq!(pipeline.document.project.dockerfile.as_ref().map(|file| file.path.as_str()), Some("docker/Dockerfile"));
    let requests = desk.gitlab.take_requests();
    assert!(requests.len() <= 10, "{requests:?}");
    // The gate has the policy from beside the report, and asks nobody.
    let policy = "match `kev, critical && own` (plimsoll-report/plimsoll-settings.yml, line 1)";
    assert!(pipeline.gate.stdout.contains(policy), "{}", pipeline.gate.stdout);
    assert_eq!(pipeline.gate.code, 1);

    // Rules of other tools, too; and what is wrong is refused with file and line.
    let put = |desk: &Desk, name: &str, text: &str| {
        let mut state = desk.gitlab.state();
        state.projects.get_mut(&PROJECT).unwrap().files.insert(name.into(), text.into());
    };
    put(&desk, ".plimsoll.yml", "ignore:\n  - id: CVE-2026-1001\n    reason: not reachable\n");
    put(&desk, ".trivyignore", "CVE-2026-1002\n");
    let pipeline = desk.pipeline(&image, &variables);
    assert_eq!(pipeline.document.findings().count(), 0, "{}", pipeline.scan.stderr);
    put(&desk, ".plimsoll.yml", "sevrity_threshold: high\n");
    let names: Vec<(&str, &str)> = variables.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
    let run = run_in(desk.place.path(), &["scan", &image], &names).expect(2);
    assert!(run.stderr.contains(".plimsoll.yml, line 1: `sevrity_threshold` is not a setting"), "{}", run.stderr);
    // An instance that does not answer costs the project's rules, not the scan.
    set(&mut variables, "CI_API_V4_URL", "http://localhost:1/api/v4");
    let pipeline = desk.pipeline(&image, &variables);
    assert_eq!(pipeline.document.findings().count(), 2);
    assert!(pipeline.scan.stderr.contains("the project's .plimsoll.yml is not known"), "{}", pipeline.scan.stderr);
}

#[test]
fn the_gate_warns_fails_and_leaves_a_test_report() {
    let mut desk = Desk::new();
    let image = desk.image("image", &[("leftish-pad", "1.0.0"), ("colourful", "1.0.0")]);
    let pipeline = desk.pipeline(&image, &[]);
    let gate = |arguments: &[&str]| {
        let always = ["gate", "--report", "plimsoll-report/plimsoll.json", "--junit", "gate.xml"];
        let run = run_in(&pipeline.directory, &[&always, arguments].concat(), &[]);
        (run, std::fs::read_to_string(pipeline.directory.join("gate.xml")).unwrap_or_default())
    };
    let (run, xml) = gate(&["--fail-on", "critical", "--warn-on", "high"]);
    assert_eq!(run.code, 1, "{}", run.stderr);
    assert!(run.stdout.contains("gate: warning: 1 finding match `high` (--warn-on)"), "{}", run.stdout);
    let last = run.stdout.trim_end().lines().last().unwrap_or_default();
    assert_eq!(last, "gate: failed: 1 of 2 findings match `critical` (--fail-on)");
    for part in [
        r#"<testcase classname="gate" name="the policy holds">"#,
        r#"name="CVE-2026-1001 in leftish-pad"#,
        r#"<skipped message="only warned of, by high: High: colourful is broken"/>"#,
    ] {
        assert!(xml.contains(part), "{part}: {xml}");
    }
    let (run, xml) = gate(&["--fail-on", "never", "--warn-on", "high"]);
    assert_eq!(run.code, 0, "{}", run.stdout);
    assert!(xml.contains(r#"<testcase classname="gate" name="the policy holds"/>"#), "{xml}");
    assert_eq!(xml.matches("<skipped").count(), 2, "{xml}");
    for policy in ["age >", "owner > team-a", "bse"] {
        let (run, _) = gate(&["--warn-on", policy]);
        assert_eq!(run.code, 2, "{policy}: {}", run.stdout);
        assert!(run.stderr.contains("the policy given by --warn-on is wrong"), "{policy}: {}", run.stderr);
    }
    // What could not be judged is no finding, and can fail a gate all the same.
    let (run, _) = gate(&["--fail-on", "coverage_gap"]);
    assert_eq!((run.code, run.stdout.lines().count()), (0, 1), "{}", run.stdout);
    let mut document = pipeline.document.clone();
    document.images[0].coverage[0].status = plimsoll::model::CoverageStatus::NoData;
    let report = pipeline.directory.join("plimsoll-report/plimsoll.json");
    std::fs::write(report, serde_json::to_vec(&document).unwrap()).unwrap();
    let (run, xml) = gate(&["--fail-on", "critical || coverage_gap"]);
    assert_eq!(run.code, 1, "{}", run.stdout);
    let missing = "2 packages could not be judged, which is not \"no vulnerabilities\"";
    assert!(
        run.stdout.contains(&format!("  not judged whole: {image}: no data for npm: {missing}\n")),
        "{}",
        run.stdout
    );
    let last = run.stdout.trim_end().lines().last().unwrap_or_default();
    let expected = "1 finding and 1 image with a coverage gap match `critical || coverage_gap` (--fail-on)";
    assert_eq!(last, format!("gate: failed: {expected}"));
    assert!(
        xml.contains("name=\"everything could be judged\">\n   <failure") && xml.contains("no data for npm"),
        "{xml}"
    );
    let (run, xml) = gate(&["--fail-on", "never", "--warn-on", "coverage_gap"]);
    assert_eq!(run.code, 0, "{}", run.stdout);
    assert!(run.stdout.contains("gate: warning: 0 findings and 1 image with a coverage gap match"), "{}", run.stdout);
    assert_eq!(xml.matches("<skipped").count(), 1, "{xml}");
    // A wrong policy stops the scan before any work.
    let run = run_in(&pipeline.directory, &["scan", &image], &[("PLIMSOLL_FAIL_ON", "sevrity>=high")]).expect(2);
    assert!(run.stderr.contains("did you mean `severity`") && !run.stderr.contains("layers"), "{}", run.stderr);
}

/// A pipeline that names its images in its own way: the tags of its commit are found in the project's registry.
#[test]
fn images_are_found_by_the_commit_where_nobody_names_them() {
    let Some(bench) = Bench::shared() else { return };
    let authority = bench.keys.path("ca.crt").display().to_string();
    let mut desk = Desk::with(GitLabDouble::start_tls(&bench.keys), Some(authority));
    let image = desk.image("own-way", &[("leftish-pad", "1.0.0")]);
    let tags = ["web-0a1b2c3d", "latest"];
    for tag in tags {
        bench.push(&format!("{image}:latest"), &format!("own-way:{tag}"));
    }
    let location = format!("{}/grp/proj/own-way", bench.host());
    desk.gitlab.add_repository(PROJECT, &location, &tags);
    let variables = [bench.job(&bench.host()), desk.variables("never-pushed")].concat();
    let pipeline = desk.pipeline("", &variables);
    assert_eq!(pipeline.scan.code, 0, "{}", pipeline.scan.stderr);
    let names: Vec<&str> = pipeline.document.images.iter().map(|image| image.name.as_str()).collect();
    assert_eq!(names, [format!("{location}:web-0a1b2c3d")], "{}", pipeline.scan.stderr);
    // Where there is none, the image that was looked for is named as missing.
    desk.gitlab.state().projects.get_mut(&PROJECT).unwrap().registry = None;
    let pipeline = desk.pipeline("", &variables);
    assert_eq!(pipeline.scan.code, 2, "{}", pipeline.scan.stderr);
    assert!(pipeline.scan.stderr.contains("error[D16]"), "{}", pipeline.scan.stderr);
}

/// People name an image by what stands in their browser; which image that is, GitLab's API says.
#[test]
fn the_page_of_a_repository_names_its_image() {
    let Some(bench) = Bench::shared() else { return };
    let authority = bench.keys.path("ca.crt").display().to_string();
    let mut desk = Desk::with(GitLabDouble::start_tls(&bench.keys), Some(authority));
    let image = desk.image("paged", &[("leftish-pad", "1.0.0")]);
    for tag in ["latest", "1.0"] {
        bench.push(&format!("{image}:latest"), &format!("paged:{tag}"));
    }
    let location = format!("{}/grp/proj/paged", bench.host());
    desk.gitlab.add_repository(PROJECT, &location, &["1.0", "latest"]);
    let id = desk.gitlab.state().projects[&PROJECT].registry.as_ref().unwrap()[0].id;
    let site = desk.gitlab.api().replace("/api/v4", "");
    let page = format!("{site}/grp/proj/container_registry/{id}");
    let variables = [bench.job(&bench.host()), desk.variables("topic")].concat();
    for (source, by_variable, expected) in [
        (page.clone(), false, "latest"),
        (format!("{page}/?orderBy=NAME&sort=asc"), false, "latest"),
        (format!("{page}:1.0"), false, "1.0"),
        (format!("{page}:1.0"), true, "1.0"),
        // Other forms of a name, with a scheme and a slash at the end.
        (format!("https://{location}/"), false, "latest"),
    ] {
        let mut variables = variables.clone();
        if by_variable {
            set(&mut variables, "CS_IMAGE", &source);
        }
        let pipeline = desk.pipeline(if by_variable { "" } else { &source }, &variables);
        assert_eq!(pipeline.scan.code, 0, "{source}: {}", pipeline.scan.stderr);
        let names: Vec<&str> = pipeline.document.images.iter().map(|image| image.name.as_str()).collect();
        assert_eq!(names, [format!("{location}:{expected}")], "{source}");
        assert_eq!(pipeline.document.findings().count(), 1, "{source}");
    }
    // What a page does not say is a failure of that image, in the report.
    let before = desk.gitlab.state().requests.len();
    for (source, code, words) in [
        (format!("{site}/grp/proj/container_registry/999999"), "D16", "/paged)"),
        ("https://gitlab.other.example/grp/proj/container_registry/1".to_owned(), "D30", "no other is asked"),
    ] {
        let pipeline = desk.pipeline(&source, &variables);
        assert_eq!(pipeline.scan.code, 2, "{}", pipeline.scan.stderr);
        let [failed] = pipeline.document.images.as_slice() else { panic!("{}", pipeline.scan.stderr) };
        let diagnosis = failed.diagnosis.as_ref().expect("a diagnosis");
        assert_eq!((failed.name.as_str(), diagnosis.code.to_string().as_str()), (source.as_str(), code));
        assert!(diagnosis.why.contains(words), "{diagnosis}");
    }
    assert!(desk.gitlab.state().requests.len() > before, "GitLab was asked what page 999999 is");
    // The doctor takes the same.
    let pairs: Vec<(&str, &str)> = variables.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
    let doctor = run_in(desk.place.path(), &["doctor", &page], &pairs);
    assert!(doctor.stdout.contains(&format!("{location}:latest sha256:")), "{}{}", doctor.stdout, doctor.stderr);
}

/// What runs in production comes first, what is deployed nowhere weighs less; asked for only when wanted, in one request.
#[test]
fn deployments_are_a_factor_when_asked_for() {
    let mut desk = Desk::new();
    let image = desk.image("running", &[("leftish-pad", "1.0.0")]);
    let factors = |pipeline: &Pipeline| -> Vec<String> {
        let factors = pipeline.document.findings().flat_map(|finding| &finding.factors);
        factors.map(|factor| factor.id.name().to_owned()).filter(|name| name.contains("deployed")).collect()
    };
    let asked =
        |desk: &Desk| desk.gitlab.take_requests().iter().filter(|request| request.contains("/deployments")).count();
    let deployed = |desk: &Desk, environment: &str, reference: &str| {
        let one = (environment.to_owned(), reference.to_owned(), "9".repeat(40));
        desk.gitlab.state().projects.get_mut(&PROJECT).unwrap().deployments.push(one);
    };
    deployed(&desk, "production", "main");
    let mut variables = desk.variables("main");
    desk.gitlab.take_requests();
    assert_eq!((factors(&desk.pipeline(&image, &variables)), asked(&desk)), (vec![], 0));
    set(&mut variables, "PLIMSOLL_DEPLOYMENTS", "true");
    let refused = desk.pipeline(&image, &variables);
    assert!(refused.scan.stderr.contains("what is deployed is not known"), "{}", refused.scan.stderr);
    assert_eq!((refused.scan.code, factors(&refused), asked(&desk)), (0, vec![], 1), "the job token may not ask");
    set(&mut variables, "PLIMSOLL_GITLAB_TOKEN", BOT_TOKEN);
    let scan = desk.pipeline(&image, &variables);
    assert_eq!((factors(&scan), asked(&desk)), (vec![], 1), "this pipeline may be about to deploy it");
    set(&mut variables, "CI_PIPELINE_SOURCE", "schedule");
    set(&mut variables, "CI_REGISTRY_IMAGE", &image);
    let scan = desk.pipeline(&image, &variables);
    assert_eq!((factors(&scan), asked(&desk)), (vec!["not_deployed".to_owned()], 1), "{}", scan.scan.stderr);
    // A merge request's image is deployed nowhere, which says nothing.
    let mut variables = desk.merge_request();
    set(&mut variables, "PLIMSOLL_DEPLOYMENTS", "true");
    assert_eq!((factors(&desk.pipeline(&image, &variables)), asked(&desk)), (vec![], 0));
}

#[test]
fn what_is_ignored_is_not_fixed() {
    let mut desk = Desk::new();
    let old = desk.image("old", &[("colourful", "1.0.0"), ("leftish-pad", "1.0.0")]);
    let new = desk.image("new", &[("sound", "1.0.0")]);
    let ignore = desk.place.path().join(".trivyignore");
    std::fs::write(&ignore, "CVE-2026-1002\n").expect("a file");
    let variables =
        [("PLIMSOLL_BASELINE".to_owned(), old), ("PLIMSOLL_IGNORE_FILES".to_owned(), ignore.display().to_string())];
    assert_eq!(desk.pipeline(&new, &variables).fixed(), ["leftish-pad"]);
}

#[test]
fn a_distribution_without_support_is_a_finding_when_asked_for() {
    let mut desk = Desk::new();
    std::fs::create_dir_all(desk.advisories.join("endoflife/api")).expect("a folder");
    let ends = r#"[{"cycle":"10","codename":"buster","releaseDate":"2019-07-06","eol":"2022-09-10"}]"#;
    std::fs::write(desk.advisories.join("endoflife/api/debian.json"), ends).expect("a file");
    desk.advise("CVE-2026-3000", "Debian:10", "other", "2.0", "7.5");
    let status = "Package: zlib1g\nStatus: install ok installed\nVersion: 1:1.2.11\nArchitecture: amd64\n\n";
    let release = "ID=debian\nVERSION_ID=\"10\"\nPRETTY_NAME=\"Debian GNU/Linux 10 (buster)\"\n";
    let tar = Tar::default().file("etc/os-release", release.as_bytes()).file("var/lib/dpkg/status", status.as_bytes());
    let layout = Layout::new(&desk.place.path().join("buster"));
    let layers = layout.image("amd64", &[&tar.end()]);
    let image = format!("oci:{}", layout.finish(layers).display());
    let on = |more: &[(&str, &str)]| {
        let variables = [&[("CS_REPORT_OS_EOL", "true"), ("CS_SEVERITY_THRESHOLD", "CRITICAL")], more].concat();
        variables.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect::<Vec<_>>()
    };
    let found = |pipeline: &Pipeline| {
        let all = pipeline.document.findings();
        all.map(|finding| format!("{} {} {:?}", finding.id, finding.severity, finding.change)).collect::<Vec<_>>()
    };
    let without = desk.pipeline(&image, &[]);
    assert!(found(&without).is_empty(), "{}", without.scan.stderr);
    // No threshold hides it.
    let with = desk.pipeline(&image, &on(&[]));
    assert_eq!(found(&with), ["EOL-debian-10 Medium None"], "{}", with.scan.stderr);
    let report = std::fs::read_to_string(with.directory.join("plimsoll-report/gl-container-scanning-report.json"));
    let report: serde_json::Value = serde_json::from_slice(report.expect("the report").as_bytes()).expect("JSON");
    assert_eq!(report["vulnerabilities"][0]["identifiers"][0]["type"], "eol", "{report}");
    // The baseline has it too; and a rule may ignore it.
    let severe = desk.pipeline(&image, &on(&[("CS_REPORT_OS_EOL_SEVERITY", "HIGH"), ("PLIMSOLL_BASELINE", &image)]));
    assert_eq!(found(&severe), ["EOL-debian-10 High Some(Existing)"]);
    let ignore = desk.place.path().join(".trivyignore");
    std::fs::write(&ignore, "EOL-debian-10\n").expect("a file");
    let ignored = desk.pipeline(&image, &on(&[("PLIMSOLL_IGNORE_FILES", &ignore.display().to_string())]));
    assert!(found(&ignored).is_empty());
}
