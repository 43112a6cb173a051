//! The overview of a group against an instance that behaves: what is known of each image, and why something is not; and
//! what a triggered pipeline makes of a registry's notification.

mod program;
mod support;

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use plimsoll::model::{
    Code, Diagnosis, Digest, GapKind, ImageSnapshot, KnownGap, Overview, Severity, SeverityCounts, StateIndex, Verdict,
};
use plimsoll::state::{Directory, Finish, State};
use program::{Run, run_in};
use serde_json::json;
use support::GitLabDouble;
use support::gitlab::{Level, Token, too_many};
use tempfile::TempDir;

const TOKEN: &str = "glpat-0123456789-overview";

fn snapshot(repository: &str, tag: &str, scanned_days_ago: i64) -> ImageSnapshot {
    let now = Timestamp::now();
    let digest = Digest::from_sha256(&[7; 32]);
    let verdict = Verdict {
        hash: "0123456789abcdef".into(),
        counts: SeverityCounts::of([Severity::Critical, Severity::High]),
        fixable: 1,
        kev: 1,
        ..Verdict::default()
    };
    ImageSnapshot {
        name: format!("{repository}:{tag}"),
        repository: repository.into(),
        tag: tag.into(),
        digest: digest.clone(),
        config_digest: Some(digest),
        platform: None,
        first_seen: now,
        last_seen: now,
        last_scanned: Some(now - SignedDuration::from_hours(24 * scanned_days_ago)),
        advisories: Some("2026-10-31T00:00:00Z".parse().unwrap()),
        policy: (tag == "1").then(|| "new && critical".to_owned()),
        gone: None,
        failure: None,
        failure_untold: false,
        created: None,
        distribution: Some("Debian 12".into()),
        labels: BTreeMap::from([("maintainer".into(), "somebody".into())]),
        shards: vec![],
        verdict: Some(verdict),
        told: None,
    }
}

/// Lays a project's memory into its package registry.
fn remember(gitlab: &GitLabDouble, project: u64, images: Vec<ImageSnapshot>) {
    let place = tempfile::tempdir().expect("a temporary directory");
    let now = Timestamp::now();
    // A trend needs two days.
    for time in [now - SignedDuration::from_hours(48), now] {
        let state = State::open(Arc::new(Directory::new(place.path())), time).expect("a state");
        for image in &images {
            state.record(image.clone(), true).expect("recorded");
        }
        let finish = Finish { keep: SignedDuration::from_hours(24 * 30), ..Finish::default() };
        let (index, _): (StateIndex, _) = state.finish(time, &finish).expect("finished");
        assert!(!index.images.is_empty());
    }
    let mut double = gitlab.state();
    let packages = &mut double.projects.get_mut(&project).unwrap().packages;
    for folder in std::fs::read_dir(place.path()).unwrap().flatten() {
        for file in std::fs::read_dir(folder.path()).unwrap().flatten() {
            let (folder, name) = (folder.file_name(), file.file_name());
            let key = format!("plimsoll-state/{}/{}", folder.to_string_lossy(), name.to_string_lossy());
            packages.insert(key, std::fs::read(file.path()).unwrap());
        }
    }
}

fn overview(gitlab: &GitLabDouble, more: &[(&str, &str)], arguments: &[&str]) -> (Run, TempDir) {
    let place = tempfile::tempdir().expect("a temporary directory");
    let api = gitlab.api();
    let mut variables = vec![
        ("CI_API_V4_URL", api.as_str()),
        ("CI_PROJECT_ROOT_NAMESPACE", "shop"),
        ("CI_PROJECT_ID", "1"),
        ("PLIMSOLL_GITLAB_TOKEN", TOKEN),
    ];
    variables.extend(more);
    let run = run_in(place.path(), &[&["overview", "--log-level", "trace"], arguments].concat(), &variables);
    assert!(!run.stderr.contains(TOKEN) && !run.stdout.contains(TOKEN), "the token is in the log");
    (run, place)
}

fn read(place: &TempDir) -> Overview {
    serde_json::from_slice(&std::fs::read(place.path().join("overview.json")).unwrap()).unwrap()
}

/// A group with a project for each reason that there is.
fn group() -> GitLabDouble {
    let gitlab = GitLabDouble::start();
    let member = |id| (id, Level::Developer);
    for (id, name) in [
        (1, "shop/api"),
        (2, "shop/off"),
        (3, "shop/members"),
        (4, "shop/team/unknown"),
        (5, "shop/guest"),
        (6, "shop/empty"),
        (7, "other/x"),
    ] {
        gitlab.add_project(id, name);
    }
    let roles = vec![member(1), member(2), member(4), (5, Level::Guest), member(6), member(7)];
    gitlab.add_token(Token { roles, ..Token::access(TOKEN, 1, &["read_api"]) });
    gitlab.add_repository(1, "reg.example.com/shop/api", &["1", "2"]);
    gitlab.add_repository(1, "reg.example.com/shop/api/worker", &["1"]);
    gitlab.add_repository(4, "reg.example.com/shop/team/unknown", &["1"]);
    gitlab.add_repository(5, "reg.example.com/shop/guest", &["1"]);
    {
        let mut state = gitlab.state();
        state.projects.get_mut(&3).unwrap().public = true;
        state.projects.get_mut(&3).unwrap().registry_access = Some("private".into());
        state.projects.get_mut(&3).unwrap().registry = Some(vec![]);
        state.projects.get_mut(&6).unwrap().registry = Some(vec![]);
        let api = state.projects.get_mut(&1).unwrap();
        api.files.insert("CODEOWNERS".into(), b"* @shop/platform\n/worker/ @shop/worker\n".to_vec());
        api.deployments = vec![
            ("production".into(), "v1".into(), "0".repeat(40)),
            ("production".into(), "2".into(), "a".repeat(40)),
            ("staging".into(), "main".into(), "b".repeat(40)),
        ];
    }
    let mut failed = snapshot("reg.example.com/shop/api", "broken", 0);
    failed.failure = Some(Diagnosis::new(Code::RegistryBusy, "the image cannot be read", "", "wait"));
    let mut partly = snapshot("reg.example.com/shop/api", "partly", 0);
    partly.verdict.as_mut().unwrap().gaps = vec![KnownGap { kind: GapKind::NoAdvisories, subject: "debian-99".into() }];
    let api = "reg.example.com/shop/api";
    remember(&gitlab, 1, vec![snapshot(api, "1", 1), snapshot(api, "2", 30), failed, partly]);
    gitlab
}

#[test]
fn every_image_is_shown_and_every_gap_has_its_reason() {
    let gitlab = group();
    let (run, place) = overview(&gitlab, &[], &[]);
    run.expect(0);
    let overview = read(&place);
    let gaps: Vec<(String, String)> = overview
        .projects
        .iter()
        .filter_map(|project| Some((project.path.clone(), json!(project.gap.as_ref()?.reason).as_str()?.to_owned())))
        .collect();
    let expected = [("shop/guest", "token-too-weak"), ("shop/members", "members-only"), ("shop/off", "registry-off")];
    assert_eq!(gaps, expected.map(|(path, reason)| (path.to_owned(), reason.to_owned())));
    let images: Vec<(String, Option<String>)> = overview
        .images()
        .map(|(_, image)| {
            let reason = image.gap.as_ref().map(|gap| json!(gap.reason).as_str().unwrap().to_owned());
            (image.name.trim_start_matches("reg.example.com/").to_owned(), reason)
        })
        .collect();
    let expected = [
        ("shop/api/worker", Some("never-scanned")),
        ("shop/api:1", None),
        ("shop/api:2", Some("stale")),
        ("shop/api:broken", Some("unscannable")),
        ("shop/api:partly", Some("incomplete")),
        ("shop/guest", Some("token-too-weak")),
        ("shop/team/unknown", Some("not-on-allowlist")),
    ];
    assert_eq!(images, expected.map(|(name, reason)| (name.to_owned(), reason.map(str::to_owned))));
    let (_, one) = overview.images().find(|(_, image)| image.name.ends_with("api:1")).unwrap();
    assert_eq!((one.owners.as_slice(), one.owner_source.as_str()), (&["@shop/platform".to_owned()][..], "CODEOWNERS"));
    assert_eq!(one.counts.map(|counts| counts.total()), Some(2));
    let (_, two) = overview.images().find(|(_, image)| image.name.ends_with("api:2")).unwrap();
    assert_eq!(two.deployed, ["production"]);
    let (_, worker) = overview.images().find(|(_, image)| image.name.ends_with("worker")).unwrap();
    assert_eq!((worker.owners.as_slice(), worker.counts), (&["@shop/worker".to_owned()][..], None));
    assert!(!overview.history.is_empty());
    // By which advisories an image was judged is shown.
    assert_eq!(one.advisories.map(|time| time.to_string()).as_deref(), Some("2026-10-31T00:00:00Z"));
    // And whether a gate stood behind it.
    assert_eq!((one.policy.as_deref(), two.policy.as_deref()), (Some("new && critical"), None));
    let page = std::fs::read_to_string(place.path().join("index.html")).unwrap();
    assert!(page.contains("by policy: new &amp;&amp; critical") && page.contains("by no policy"));
    assert!(page.contains("@shop/platform") && page.contains("by advisories of 2026-10-31"));
    assert!(std::fs::read_to_string(place.path().join("overview.csv")).unwrap().contains("registry off"));
    // Nothing was written there.
    let requests = gitlab.take_requests();
    assert!(requests.iter().all(|request| request.starts_with("GET ")), "{requests:?}");
}

#[test]
fn owners_come_from_the_project_the_catalogue_and_the_image() {
    let gitlab = group();
    let catalogue = "kind: Component\nmetadata:\n  name: unknown\nspec:\n  owner: group:default/team-a\n";
    let file = ("catalog-info.yaml".to_owned(), catalogue.as_bytes().to_vec());
    gitlab.state().projects.get_mut(&4).unwrap().files.extend([file]);
    remember(&gitlab, 6, vec![snapshot("reg.example.com/shop/empty", "1", 0)]);
    let (run, place) = overview(&gitlab, &[], &[]);
    run.expect(0);
    let overview = read(&place);
    for (name, owner, source) in [
        ("shop/api:1", "@shop/platform", "CODEOWNERS"),
        ("shop/team/unknown", "team-a", "catalog-info.yaml"),
        ("shop/empty:1", "somebody", "label maintainer"),
    ] {
        let (_, image) = overview.images().find(|(_, image)| image.name.ends_with(name)).unwrap();
        assert_eq!((image.owners.as_slice(), image.owner_source.as_str()), (&[owner.to_owned()][..], source), "{name}");
    }
}

/// A memory that is damaged is not one that never was.
#[test]
fn a_damaged_memory_is_unreadable_and_not_empty() {
    let gitlab = group();
    for (key, bytes) in gitlab.state().projects.get_mut(&1).unwrap().packages.iter_mut() {
        if key.contains("/index/") {
            *bytes = b"{\"format\":\"plimsoll-sta".to_vec();
        }
    }
    let (run, place) = overview(&gitlab, &[], &[]);
    run.expect(0);
    let overview = read(&place);
    let project = overview.projects.iter().find(|project| project.path == "shop/api").unwrap();
    let gap = project.gap.as_ref().expect("a gap");
    assert_eq!(json!(gap.reason), "unreadable", "{}", gap.detail);
    assert!(project.images.iter().all(|image| image.counts.is_none() && image.gap.is_some()));
}

/// The page as a browser draws it, where there is one: nothing is requested, and what matters is there.
#[test]
fn the_page_is_drawn_by_a_browser() {
    let chromium = std::path::Path::new("/usr/bin/chromium");
    if !chromium.exists() {
        let _: Option<()> = support::skip("/usr/bin/chromium");
        return;
    }
    let (run, place) = overview(&group(), &[], &[]);
    run.expect(0);
    let page = place.path().join("index.html");
    let output = std::process::Command::new(chromium)
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=3000", "--dump-dom"])
        .args(["--enable-logging=stderr", "--v=0"])
        .arg(format!("--user-data-dir={}", place.path().join("profile").display()))
        .arg(format!("file://{}", page.display()))
        .output()
        .expect("chromium starts");
    let (drawn, log) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    let body = drawn.split_once("<body").map_or("", |(_, body)| body);
    for expected in ["shop/api:1", "@shop/platform", "production", "never scanned", "<svg"] {
        assert!(body.contains(expected), "{expected}: {log}\n{drawn}");
    }
    // Whatever the page's script or style does wrong is written to the console.
    assert!(!log.contains("CONSOLE"), "{log}");
    let text = std::fs::read_to_string(&page).unwrap();
    for foreign in ["src=\"http", "href=\"//", "@import", "url(http"] {
        assert!(!text.contains(foreign), "{foreign}");
    }
}

#[test]
fn gaps_can_fail_the_job_and_pages_are_followed() {
    let gitlab = group();
    for id in 100..230 {
        gitlab.add_project(id, &format!("shop/many/p{id}"));
        gitlab.state().projects.get_mut(&id).unwrap().public = true;
    }
    gitlab.answer_next(too_many(0));
    let (run, place) = overview(&gitlab, &[], &["--fail-on-gap", "--out", "public"]);
    run.expect(1);
    let overview: Overview =
        serde_json::from_slice(&std::fs::read(place.path().join("public/overview.json")).unwrap()).unwrap();
    // The same as a policy, by flag and by setting; what else a policy asks for is for gates.
    for (variable, arguments, code) in [
        ("", &["--fail-on", "coverage_gap"][..], 1),
        ("coverage_gap", &[], 1),
        ("new && critical || coverage_gap", &[], 1),
        ("new && critical", &[], 0),
        ("coverage_gap && image == reg.example.com/shop/prod/**", &[], 0),
    ] {
        let variables: &[(&str, &str)] = if variable.is_empty() { &[] } else { &[("PLIMSOLL_FAIL_ON", variable)] };
        self::overview(&gitlab, variables, arguments).0.expect(code);
    }
    assert!(overview.projects.iter().any(|project| project.path == "shop/many/p229"), "beyond the first page");
}

#[test]
fn what_is_missing_is_explained() {
    let gitlab = group();
    for (variables, arguments, expected) in [
        (vec![("PLIMSOLL_GITLAB_TOKEN", "")], vec![], "PLIMSOLL_GITLAB_TOKEN is not set"),
        (vec![("PLIMSOLL_GITLAB_TOKEN", "glpat-wrong")], vec![], "there is no overview of the group shop"),
        (vec![("CI_PROJECT_ROOT_NAMESPACE", "")], vec![], "no group is named"),
        (vec![], vec!["--stale-after", "soon"], "--stale-after is `soon`"),
        (vec![], vec!["--group", "nobody"], "there is no overview of the group nobody"),
    ] {
        let (run, _) = overview(&gitlab, &variables, &arguments);
        let run = run.expect(2);
        assert!(run.stderr.contains(expected), "{expected}: {}", run.stderr);
    }
}

#[test]
fn a_notification_chooses_what_is_scanned() {
    let place = tempfile::tempdir().expect("a temporary directory");
    let target = |repository: &str| {
        let media_type = "application/vnd.oci.image.manifest.v1+json";
        json!({"action": "push", "target": {"mediaType": media_type, "repository": repository, "tag": "1"},
            "request": {"host": "localhost:1"}})
    };
    let envelope = json!({"events": [target("grp/proj/app"), target("grp/other")]}).to_string();
    std::fs::write(place.path().join("payload.json"), &envelope).unwrap();
    let file = place.path().join("payload.json").display().to_string();
    for (payload, source, expected) in [
        (envelope.as_str(), "trigger", "image localhost:1/grp/proj/app:1 (from TRIGGER_PAYLOAD)"),
        (file.as_str(), "trigger", "image localhost:1/grp/proj/app:1 (from TRIGGER_PAYLOAD)"),
        (r#"{"object_kind": "push"}"#, "trigger", "image localhost:1/grp/proj/main:abc (from CI_REGISTRY_IMAGE"),
        (envelope.as_str(), "push", "image localhost:1/grp/proj/main:abc (from CI_REGISTRY_IMAGE"),
        (r#"{"events": 1}"#, "trigger", "TRIGGER_PAYLOAD cannot be followed"),
        ("/nowhere/payload", "trigger", "TRIGGER_PAYLOAD cannot be followed"),
    ] {
        let variables = [
            ("CI_REGISTRY", "localhost:1"),
            ("CI_REGISTRY_IMAGE", "localhost:1/grp/proj"),
            ("CI_COMMIT_REF_SLUG", "main"),
            ("CI_COMMIT_SHA", "abc"),
            ("CI_PIPELINE_SOURCE", source),
            ("TRIGGER_PAYLOAD", payload),
        ];
        let run = run_in(place.path(), &["scan"], &variables);
        assert_eq!(run.code, 2, "{}", run.stderr);
        assert!(run.stderr.contains(expected), "{payload} {source}: {}", run.stderr);
        if expected.contains("app:1") {
            assert!(run.stderr.contains("not of this project"), "{}", run.stderr);
        }
    }
}
