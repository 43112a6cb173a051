//! Alerts on every channel, against an instance that behaves and a webhook that does not: each thing is told once.

mod program;
mod support;

use std::path::Path;
use std::sync::{Arc, Mutex};

use program::{Run, run_in};
use serde_json::{Value, json};
use support::GitLabDouble;
use support::gitlab::{Issue, Token, too_many};
use support::http::{Reply, Request, Server};
use tempfile::TempDir;

const PROJECT: u64 = 7;
const JOB_TOKEN: &str = "glcbt-0123456789-job";
const BOT_TOKEN: &str = "glpat-0123456789-alert";
const HOOK_PATH: &str = "/hooks/very-secret-0123456789";

/// An instance with the project `grp/proj`, and a place to work.
struct Desk {
    gitlab: GitLabDouble,
    place: TempDir,
}

impl Desk {
    fn new() -> Self {
        let gitlab = GitLabDouble::start();
        gitlab.add_project(PROJECT, "grp/proj");
        gitlab.add_token(Token::job(JOB_TOKEN, PROJECT));
        gitlab.add_token(Token::access(BOT_TOKEN, PROJECT, &["api"]));
        gitlab.state().projects.get_mut(&PROJECT).unwrap().pipelines.insert(99, "Retest".into());
        Self { gitlab, place: tempfile::tempdir().expect("a temporary directory") }
    }

    /// Runs `alert` in a job of pipeline 99, with further variables.
    fn alert(&self, changes: &Value, variables: &[(&str, &str)]) -> Run {
        self.alert_with(changes, variables, &[])
    }

    fn alert_with(&self, changes: &Value, variables: &[(&str, &str)], arguments: &[&str]) -> Run {
        std::fs::write(self.path().join("plimsoll-snapshots.json"), changes.to_string()).unwrap();
        let api = self.gitlab.api();
        let mut all = vec![
            ("GITLAB_CI", "true"),
            ("CI_API_V4_URL", api.as_str()),
            ("CI_PROJECT_ID", "7"),
            ("CI_PROJECT_PATH", "grp/proj"),
            ("CI_PIPELINE_ID", "99"),
            ("CI_JOB_URL", "https://gitlab.example.com/grp/proj/-/jobs/5"),
            ("CI_JOB_TOKEN", JOB_TOKEN),
        ];
        all.extend(variables);
        let arguments = [&["alert", "--log-level", "trace"], arguments].concat();
        let run = run_in(self.path(), &arguments, &all);
        for secret in [JOB_TOKEN, BOT_TOKEN, "very-secret"] {
            assert!(!run.stderr.contains(secret) && !run.stdout.contains(secret), "a secret is in the log");
        }
        run
    }

    fn path(&self) -> &Path {
        self.place.path()
    }

    /// The only issue that the bot made.
    #[track_caller]
    fn issue(&self) -> Issue {
        let [issue] = self.gitlab.issues_by(PROJECT, 90).try_into().expect("one issue");
        issue
    }

    fn pipeline(&self) -> String {
        self.gitlab.state().projects[&PROJECT].pipelines[&99].clone()
    }
}

const ISSUE: [(&str, &str); 1] = [("PLIMSOLL_GITLAB_TOKEN", BOT_TOKEN)];

fn finding(name: &str, id: &str, severity: &str) -> Value {
    json!({
        "package": format!("pkg:deb/debian/{name}"), "id": id, "kind": "deb", "name": name, "version": "1.0",
        "severity": severity, "fix": "not-fixed",
    })
}

fn image(repository: &str, tag: &str, content: u8, findings: &[Value]) -> Value {
    let digest = |offset: u8| format!("sha256:{}", format!("{:02x}", content + offset).repeat(32));
    json!({
        "name": format!("reg.example.com/{repository}:{tag}"), "repository": format!("reg.example.com/{repository}"), "tag": tag,
        "digest": digest(0), "config_digest": digest(100), "first_seen": "2026-11-01T00:00:00Z",
        "last_seen": "2026-11-21T00:00:00Z",
        "verdict": {
            "hash": "x", "outcome": "success", "fixable": 0, "kev": 0, "suppressed": 0, "findings": findings,
            "counts": {"critical": 0, "high": findings.len(), "medium": 0, "low": 0, "info": 0, "unknown": 0},
        },
    })
}

fn changes(before: &[Value], after: &[Value]) -> Value {
    json!({
        "format": "plimsoll-snapshots-1", "started": "2026-11-21T00:00:00Z", "first_run": false,
        "before": before, "after": after, "unchanged": [],
    })
}

/// A vulnerability that was disclosed in two tags.
fn disclosed() -> Value {
    let new = [finding("zlib1g", "CVE-2026-1", "critical")];
    let tags = |findings: &[Value]| ["1", "2"].map(|tag| image("grp/proj", tag, 1, findings));
    changes(&tags(&[]), &tags(&new))
}

#[test]
fn news_fails_the_job_names_the_pipeline_and_makes_an_issue() {
    let desk = Desk::new();
    let run = desk.alert(&disclosed(), &ISSUE).expect(1);
    assert!(
        run.stdout.contains("newly disclosed: CVE-2026-1 Critical in zlib1g 1.0, no fix yet · 1, 2"),
        "{}",
        run.stdout
    );
    assert_eq!(desk.pipeline(), "Retest: 1 newly disclosed (worst: critical)");
    let issue = desk.issue();
    assert_eq!(issue.title, "Vulnerabilities in reg.example.com/grp/proj");
    assert_eq!((issue.labels.as_str(), issue.closed, issue.notes.len()), ("container-scanning", false, 0));
    assert!(issue.due_date.is_some());
    assert!(issue.description.contains("[CVE-2026-1](https://"), "{}", issue.description);
    let report: Value =
        serde_json::from_slice(&std::fs::read(desk.path().join("plimsoll-alerts.json")).unwrap()).unwrap();
    assert_eq!((&report["format"], &report["alerts"][0]["news"]), (&json!("plimsoll-alerts-1"), &json!("disclosed")));
    // The same again: nothing is written anew.
    desk.gitlab.take_requests();
    desk.alert(&disclosed(), &ISSUE).expect(1);
    assert_eq!(desk.issue().description, issue.description);
    let writes: Vec<_> =
        desk.gitlab.take_requests().into_iter().filter(|request| !request.starts_with("GET")).collect();
    assert_eq!(writes, ["PUT /api/v4/projects/7/pipelines/99/metadata?"]);
}

#[test]
fn an_issue_is_noted_closed_and_opened_again() {
    let desk = Desk::new();
    let (one, two) = (finding("zlib1g", "CVE-2026-1", "high"), finding("curl", "CVE-2026-2", "high"));
    let at = |findings: &[Value]| [image("grp/proj", "1", 1, findings)];
    let run = |before: &[Value], after: &[Value]| desk.alert(&changes(&at(before), &at(after)), &ISSUE);
    run(&[], std::slice::from_ref(&one)).expect(1);
    run(std::slice::from_ref(&one), &[one.clone(), two.clone()]).expect(1);
    let issue = desk.issue();
    assert_eq!(issue.notes.len(), 1);
    assert!(issue.notes[0].body.contains("CVE-2026-2") && !issue.notes[0].body.contains("CVE-2026-1]"));
    assert!(issue.description.contains("2 alerts stand"), "{}", issue.description);
    // Fixed: the rows go, the issue is closed, and nobody is told by a note.
    run(&[one.clone(), two.clone()], std::slice::from_ref(&two)).expect(0);
    assert!(desk.issue().description.contains("1 alert stands") && !desk.issue().closed);
    run(std::slice::from_ref(&two), &[]).expect(0);
    let issue = desk.issue();
    assert!(issue.closed && issue.due_date.is_none() && issue.notes.len() == 1, "{issue:?}");
    run(&[], &[finding("bash", "CVE-2026-3", "high")]).expect(1);
    let issue = desk.issue();
    assert!(!issue.closed && issue.notes.len() == 2, "{issue:?}");
}

#[test]
fn a_run_that_ended_between_note_and_text_tells_nothing_twice() {
    let desk = Desk::new();
    let (one, two) = (finding("zlib1g", "CVE-2026-1", "high"), finding("curl", "CVE-2026-2", "high"));
    let at = |findings: &[Value]| [image("grp/proj", "1", 1, findings)];
    desk.alert(&changes(&at(&[]), &at(std::slice::from_ref(&one))), &ISSUE).expect(1);
    let before = desk.issue();
    let second = changes(&at(std::slice::from_ref(&one)), &at(&[one.clone(), two]));
    desk.alert(&second, &ISSUE).expect(1);
    // As if the update of the text had not come through.
    desk.gitlab.state().projects.get_mut(&PROJECT).unwrap().issues[0].description = before.description;
    desk.alert(&second, &ISSUE).expect(1);
    let issue = desk.issue();
    assert_eq!(issue.notes.len(), 1);
    assert!(issue.description.contains("2 alerts stand"));
}

/// The images of these changes as alerts heard of them at some time, six hours before this retest.
fn heard(mut changes: Value, at: &str) -> Value {
    changes["started"] = json!(at.replace("T00", "T06"));
    for image in changes["before"].as_array_mut().unwrap() {
        let (digest, config) = (image["digest"].clone(), image["config_digest"].clone());
        image["told"] = json!({"digest": digest, "config_digest": config, "verdict": "x", "at": at});
    }
    changes
}

/// Disclosed, fixed, and disclosed again: the second time is news again, and trying again still is none.
#[test]
fn what_comes_back_is_told_again_and_once() {
    let (desk, hook) = (Desk::new(), Hook::start());
    let url = hook.url();
    let variables = [ISSUE[0], ("PLIMSOLL_WEBHOOK_URL", url.as_str())];
    let (one, other) = (finding("zlib1g", "CVE-2026-1", "high"), finding("curl", "CVE-2026-2", "high"));
    let at = |findings: &[Value]| [image("grp/proj", "1", 1, findings)];
    let run = |before: &[Value], after: &[Value], time: &str, code: i32| {
        let changes = heard(changes(&at(before), &at(after)), time);
        desk.alert(&changes, &variables).expect(code);
        // A job that is run again.
        desk.alert(&changes, &variables).expect(code);
        (desk.issue(), hook.take().len())
    };
    let both = [one.clone(), other.clone()];
    run(&[], std::slice::from_ref(&other), "2026-11-01T00:00:00Z", 1);
    let (issue, messages) = run(std::slice::from_ref(&other), &both, "2026-11-02T00:00:00Z", 1);
    assert_eq!((issue.notes.len(), messages), (1, 1));
    let (issue, messages) = run(&both, &[], "2026-11-03T00:00:00Z", 0);
    assert_eq!((issue.closed, issue.notes.len(), messages), (true, 1, 0));
    let (issue, messages) = run(&[], std::slice::from_ref(&one), "2026-11-04T00:00:00Z", 1);
    assert_eq!((issue.closed, issue.notes.len(), messages), (false, 2, 1), "{issue:?}");
    assert!(issue.notes[1].body.contains("CVE-2026-1"));
}

/// The note was written, and then the instance did not answer any more.
#[test]
fn a_closed_issue_is_opened_although_its_news_was_told() {
    let desk = Desk::new();
    let (one, two) = (finding("zlib1g", "CVE-2026-1", "high"), finding("curl", "CVE-2026-2", "high"));
    let at = |findings: &[Value]| [image("grp/proj", "1", 1, findings)];
    desk.alert(&changes(&at(&[]), &at(std::slice::from_ref(&one))), &ISSUE).expect(1);
    desk.alert(&changes(&at(&[one]), &at(&[])), &ISSUE).expect(0);
    let before = desk.issue();
    assert!(before.closed);
    let news = changes(&at(&[]), &at(&[two]));
    desk.alert(&news, &ISSUE).expect(1);
    {
        let mut state = desk.gitlab.state();
        let issue = &mut state.projects.get_mut(&PROJECT).unwrap().issues[0];
        (issue.description, issue.closed) = (before.description, true);
    }
    desk.alert(&news, &ISSUE).expect(1);
    let issue = desk.issue();
    assert_eq!((issue.closed, issue.notes.len()), (false, 1), "{issue:?}");
}

#[test]
fn a_policy_may_ask_for_what_is_remembered_and_for_nothing_else() {
    let desk = Desk::new();
    let mut changes = disclosed();
    for image in changes["after"].as_array_mut().unwrap() {
        image["labels"] = json!({"maintainer": "team-a"});
        let finding = &mut image["verdict"]["findings"][0];
        finding["kind"] = json!("npm");
        finding["path"] = json!("app/node_modules/zlib1g/package.json");
    }
    for (policy, code) in [
        ("image==reg.example.com/grp/proj:*", 1),
        ("image!=reg.example.com/grp/proj:*", 0),
        ("high && image==reg.example.com/grp/*:2", 1),
        ("owner==team-a && critical", 1),
        ("owner!=team-a", 0),
        ("path==**/node_modules/**", 1),
        ("path==**/test/**", 0),
        ("disclosed", 1),
        ("introduced || existing", 0),
    ] {
        let run = desk.alert(&changes, &[("PLIMSOLL_ALERT_ON", policy)]);
        assert_eq!(run.code, code, "{policy}: {} {}", run.stdout, run.stderr);
    }
    for (policy, name) in [("high && age<3", "age"), ("!(epss<0.1)", "epss"), ("cvss>=9", "cvss"), ("own", "own")] {
        let run = desk.alert(&changes, &[("PLIMSOLL_ALERT_ON", policy)]).expect(2);
        assert!(run.stderr.contains("error[D30]") && run.stderr.contains(&format!("`{name}` is not remembered")));
    }
}

#[test]
fn the_journal_needs_no_duplicates() {
    let (desk, hook) = (Desk::new(), Hook::start());
    desk.gitlab.state().projects.get_mut(&PROJECT).unwrap().no_duplicates = true;
    let url = hook.url();
    let variables = [("PLIMSOLL_WEBHOOK_URL", url.as_str()), ("PLIMSOLL_NOTIFY", "webhook")];
    for (id, messages) in [("CVE-2026-1", 1), ("CVE-2026-2", 1), ("CVE-2026-1", 0), ("CVE-2026-2", 0)] {
        let at = |findings: &[Value]| [image("grp/proj", "1", 1, findings)];
        desk.alert(&changes(&at(&[]), &at(&[finding("curl", id, "high")])), &variables).expect(0);
        assert_eq!(hook.take().len(), messages, "{id}");
    }
    let files: Vec<String> = desk.gitlab.state().projects[&PROJECT].packages.keys().cloned().collect();
    assert!(files.len() == 1 && files[0].starts_with("plimsoll-state/alerts/told-"), "{files:?}");
}

#[test]
fn the_channels_that_are_set_up_are_found() {
    let desk = Desk::new();
    // Without a token for issues and without a webhook the pipeline is left; `auto` fails nobody.
    desk.alert_with(&disclosed(), &[], &["--notify", "auto"]).expect(0);
    assert!(desk.pipeline().starts_with("Retest: 1 newly"));
    desk.gitlab.state().projects.get_mut(&PROJECT).unwrap().pipelines.insert(98, "parent".into());
    desk.alert_with(&disclosed(), &[], &["--notify", "all", "--pipeline", "98"]).expect(1);
    assert!(desk.gitlab.state().projects[&PROJECT].pipelines[&98].starts_with("Retest: 1 newly"));
    assert!(desk.alert_with(&disclosed(), &[], &["--notify", "auto,issue"]).expect(2).stderr.contains("alone"));
}

#[test]
fn what_others_wrote_is_never_touched() {
    let desk = Desk::new();
    desk.alert(&disclosed(), &ISSUE).expect(1);
    let marker = desk.issue().description.lines().next().unwrap().to_owned();
    {
        let mut state = desk.gitlab.state();
        let issues = &mut state.projects.get_mut(&PROJECT).unwrap().issues;
        let copy = Issue { author: 5, title: "a copy".into(), description: marker, ..Issue::default() };
        issues.insert(0, copy);
    }
    let other = finding("curl", "CVE-2026-2", "high");
    let at = |findings: &[Value]| [image("grp/proj", "1", 1, findings)];
    desk.alert(&changes(&at(&[]), &at(&[other])), &ISSUE).expect(1);
    assert_eq!(desk.gitlab.issues_by(PROJECT, 5)[0].title, "a copy");
    assert_eq!(desk.issue().notes.len(), 1);
}

#[test]
fn the_first_run_is_the_baseline() {
    let desk = Desk::new();
    let mut first = changes(&[], &[image("grp/proj", "1", 1, &[finding("zlib1g", "CVE-2026-1", "critical")])]);
    first["first_run"] = json!(true);
    let run = desk.alert(&first, &ISSUE).expect(0);
    assert!(run.stdout.contains("first run"), "{}", run.stdout);
    assert_eq!(desk.pipeline(), "Retest: first run, 1 image, 0 critical and 1 high finding");
    assert!(desk.gitlab.issues_by(PROJECT, 90).is_empty());
}

#[test]
fn the_job_token_alone_names_the_pipeline() {
    let desk = Desk::new();
    let run = desk.alert(&disclosed(), &[]).expect(1);
    assert!(run.stderr.contains("issue: not used: PLIMSOLL_GITLAB_TOKEN is not set"), "{}", run.stderr);
    assert!(desk.pipeline().starts_with("Retest: 1 newly"));
    // A channel that was asked for by name must work.
    let run = desk.alert(&disclosed(), &[("PLIMSOLL_NOTIFY", "issue pipeline")]).expect(2);
    assert!(run.stderr.contains("the channel `issue` is not set up"), "{}", run.stderr);
    desk.alert(&disclosed(), &[("PLIMSOLL_NOTIFY", "none")]).expect(0);
    desk.alert(&disclosed(), &[("PLIMSOLL_ALERT_ON", "kev"), ISSUE[0]]).expect(0);
}

#[test]
fn a_token_that_may_only_read_is_explained() {
    let desk = Desk::new();
    desk.gitlab.add_token(Token::access("glpat-reads", PROJECT, &["read_api"]));
    let run =
        desk.alert(&disclosed(), &[("PLIMSOLL_GITLAB_TOKEN", "glpat-reads"), ("PLIMSOLL_NOTIFY", "issue")]).expect(2);
    assert!(run.stderr.contains("D12") && run.stderr.contains("scope `api`"), "{}", run.stderr);
}

#[test]
fn a_busy_instance_is_waited_for() {
    let desk = Desk::new();
    desk.gitlab.answer_next(too_many(0));
    desk.alert(&disclosed(), &ISSUE).expect(1);
    assert_eq!(desk.gitlab.issues_by(PROJECT, 90).len(), 1);
}

#[test]
fn wrong_settings_are_refused_before_any_work() {
    let desk = Desk::new();
    for (variables, expected) in [
        (("PLIMSOLL_ALERT_ON", "hihg"), "did you mean"),
        (("PLIMSOLL_SLA", "critical"), "is not of the form `critical=7d`"),
        (("PLIMSOLL_NOTIFY", "mail"), "`mail` is no channel"),
        (("PLIMSOLL_WEBHOOK_URL", "http://chat.example.com/hooks/very-secret"), "https://"),
        (("PLIMSOLL_WEBHOOK_SERVICE", "irc"), "slack"),
    ] {
        let run = desk.alert(&disclosed(), &[variables]).expect(2);
        assert!(run.stderr.contains(expected), "{variables:?}: {}", run.stderr);
    }
    assert!(desk.gitlab.take_requests().is_empty());
    let wrong = json!({"format": "other"});
    assert!(desk.alert(&wrong, &[]).expect(2).stderr.contains("cannot read the changes"));
}

/// A webhook that keeps what it got, and answers as told.
struct Hook {
    server: Server,
    got: Arc<Mutex<Vec<Request>>>,
    answers: Arc<Mutex<Vec<Reply>>>,
}

impl Hook {
    fn start() -> Self {
        let (got, answers) = (Arc::<Mutex<Vec<Request>>>::default(), Arc::<Mutex<Vec<Reply>>>::default());
        let (log, next) = (Arc::clone(&got), Arc::clone(&answers));
        let server = Server::start(None, move |request| {
            log.lock().unwrap().push(request.clone());
            let mut next = next.lock().unwrap();
            if next.is_empty() { Reply::new(200, "text/plain", "ok") } else { next.remove(0) }
        });
        Self { server, got, answers }
    }

    fn url(&self) -> String {
        format!("http://localhost:{}{HOOK_PATH}", self.server.port)
    }

    fn answer_next(&self, reply: Reply) {
        self.answers.lock().unwrap().push(reply);
    }

    fn take(&self) -> Vec<Value> {
        let got = std::mem::take(&mut *self.got.lock().unwrap());
        got.iter().map(|request| serde_json::from_slice(&request.body).expect("JSON")).collect()
    }
}

#[test]
fn a_webhook_is_told_once() {
    let (desk, hook) = (Desk::new(), Hook::start());
    let url = hook.url();
    let variables = [("PLIMSOLL_WEBHOOK_URL", url.as_str())];
    desk.alert(&disclosed(), &variables).expect(1);
    let messages = hook.take();
    assert_eq!(messages.len(), 1);
    assert!(messages[0]["text"].as_str().unwrap().contains("newly disclosed: [CVE-2026-1]"), "{}", messages[0]);
    let again = desk.alert(&disclosed(), &variables).expect(1);
    assert!(again.stderr.contains("webhook: everything was told before"), "{}", again.stderr);
    assert!(hook.take().is_empty());
    // More news next to the old: only that is told.
    let mut more = disclosed();
    let other = finding("curl", "CVE-2026-2", "high");
    more["after"][0]["verdict"]["findings"].as_array_mut().unwrap().push(other);
    desk.alert(&more, &variables).expect(1);
    let messages = hook.take();
    let text = messages[0]["text"].as_str().unwrap();
    assert!(text.contains("CVE-2026-2") && !text.contains("CVE-2026-1"), "{text}");
}

#[test]
fn each_service_gets_its_form() {
    for (service, pointer) in [
        ("slack", "/blocks/0/elements/1/elements/0/elements/0/text"),
        ("teams", "/attachments/0/content/body/1/inlines/0/text"),
        ("mattermost", "/text"),
        ("json", "/alerts/0/key"),
    ] {
        let (desk, hook) = (Desk::new(), Hook::start());
        let url = hook.url();
        desk.alert(&disclosed(), &[("PLIMSOLL_WEBHOOK_URL", &url), ("PLIMSOLL_WEBHOOK_SERVICE", service)]).expect(1);
        let messages = hook.take();
        assert!(messages[0].pointer(pointer).is_some_and(Value::is_string), "{service}: {}", messages[0]);
    }
}

#[test]
fn a_webhook_that_refuses_is_told_later_and_one_that_may_have_heard_is_not() {
    for (answer, told_later) in [
        (Reply::new(404, "text/plain", "no such hook"), true),
        (Reply::new(302, "text/plain", "").with("Location", "http://localhost:1/"), true),
        (Reply::new(500, "text/plain", "oops"), false),
        (Reply { cut_after: Some(0), ..Reply::new(200, "text/plain", "ok") }, true),
    ] {
        let (desk, hook) = (Desk::new(), Hook::start());
        let url = hook.url();
        let variables = [("PLIMSOLL_WEBHOOK_URL", url.as_str()), ("PLIMSOLL_NOTIFY", "webhook")];
        let status = answer.status;
        let succeeds = answer.status == 200;
        hook.answer_next(answer);
        desk.alert(&disclosed(), &variables).expect(if succeeds { 0 } else { 2 });
        assert_eq!(hook.take().len(), 1, "{status}");
        desk.alert(&disclosed(), &variables).expect(0);
        assert_eq!(hook.take().len(), usize::from(told_later && !succeeds), "{status}");
    }
}

#[test]
fn a_busy_webhook_is_asked_again() {
    let (desk, hook) = (Desk::new(), Hook::start());
    let url = hook.url();
    hook.answer_next(Reply::new(429, "text/plain", "slow down").with("Retry-After", "0"));
    desk.alert(&disclosed(), &[("PLIMSOLL_WEBHOOK_URL", &url), ("PLIMSOLL_NOTIFY", "webhook")]).expect(0);
    assert_eq!(hook.take().len(), 2);
}

#[test]
fn without_gitlab_the_journal_is_in_a_directory() {
    let hook = Hook::start();
    let place = tempfile::tempdir().expect("a temporary directory");
    std::fs::write(place.path().join("plimsoll-snapshots.json"), disclosed().to_string()).unwrap();
    let url = hook.url();
    let variables = [("PLIMSOLL_WEBHOOK_URL", url.as_str()), ("PLIMSOLL_STATE", "state")];
    run_in(place.path(), &["alert"], &variables).expect(1);
    run_in(place.path(), &["alert"], &variables).expect(1);
    assert_eq!(hook.take().len(), 1);
    let mut first = disclosed();
    first["first_run"] = json!(true);
    std::fs::write(place.path().join("plimsoll-snapshots.json"), first.to_string()).unwrap();
    run_in(place.path(), &["alert"], &variables).expect(0);
    run_in(place.path(), &["alert"], &variables).expect(0);
    let messages = hook.take();
    assert_eq!(messages.len(), 1, "one summary");
    assert!(messages[0]["text"].as_str().unwrap().contains("container retest begins"), "{}", messages[0]);
}

#[test]
fn several_jobs_make_one_alert() {
    let desk = Desk::new();
    let new = [finding("zlib1g", "CVE-2026-1", "critical")];
    for (name, tag) in [("a.json", "1"), ("b.json", "2")] {
        let one = changes(&[image("grp/proj", tag, 1, &[])], &[image("grp/proj", tag, 1, &new)]);
        std::fs::write(desk.path().join(name), one.to_string()).unwrap();
    }
    let run = desk.alert_with(&changes(&[], &[]), &ISSUE, &["--changes", "a.json", "--changes", "b.json"]).expect(1);
    assert!(run.stdout.contains(" · 1, 2"), "{}", run.stdout);
    let dry = desk.alert_with(&disclosed(), &[], &["--dry-run"]).expect(0);
    assert!(dry.stdout.contains("1 newly disclosed"));
}
