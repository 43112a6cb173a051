//! The component run as GitLab runs it: `gitlab-ci-local` executes the jobs of a project that includes it, with a real
//! registry beside it; the gate gets the scan's artifacts and variables.

#[path = "support/layers.rs"]
mod layers;
mod program;
mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use layers::Tar;
use program::shared;
use serde_json::{Value, json};
use support::bench::JOB_TOKEN;
use support::gitlab::Token;
use support::layout::Layout;
use support::{Bench, GitLabDouble, has_program, skip};
use tempfile::TempDir;

const COMMIT_TAG: &str = "1.2.3";

/// A project on disk that includes the component with some inputs.
struct Project {
    folder: TempDir,
}

/// What a pipeline left.
struct Pipeline {
    succeeded: bool,
    log: String,
}

impl Project {
    fn new(inputs: &str) -> Self {
        let after = "after_gate:\n  stage: test\n  needs: [container_scanning]\n  script:\n    - echo \"counted $PLIMSOLL_FINDINGS\"\n";
        Self::including("container-scanning", inputs, after)
    }

    /// One that includes any of the components, with jobs of its own.
    fn including(component: &str, inputs: &str, jobs: &str) -> Self {
        let folder = TempDir::new().expect("a temporary directory");
        let path = folder.path();
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        fs::create_dir(path.join("templates")).expect("a folder");
        let template = format!("templates/{component}.yml");
        fs::copy(root.join(&template), path.join(&template)).expect("the template");
        let pipeline = format!(
            "include:\n  - component: $CI_SERVER_FQDN/$CI_PROJECT_PATH/{component}@$CI_COMMIT_SHA\n    inputs:\n{inputs}\n{jobs}"
        );
        fs::write(path.join(".gitlab-ci.yml"), pipeline).expect("the pipeline");
        let project = Self { folder };
        project.git(&["init", "--quiet", "--initial-branch", "main"]);
        project.git(&["remote", "add", "origin", "git@gitlab.example.com:grp/proj.git"]);
        project.commit("Include the component");
        project
    }

    fn git(&self, arguments: &[&str]) {
        let mut command = Command::new("git");
        command.args(["-c", "user.name=test", "-c", "user.email=test@example.com"]).args(arguments);
        support::run(command.current_dir(self.folder.path()));
    }

    fn commit(&self, message: &str) {
        self.git(&["add", "."]);
        self.git(&["commit", "--quiet", "--message", message]);
    }

    /// Puts an image of these npm packages in the place of what the repository holds.
    fn commit_image(&self, packages: &[(&str, &str)]) {
        let folder = self.folder.path().join("image");
        if folder.exists() {
            fs::remove_dir_all(&folder).expect("the image before");
        }
        let tar = packages.iter().fold(Tar::default(), |tar, (package, version)| {
            let path = format!("app/node_modules/{package}/package.json");
            tar.file(&path, json!({"name": package, "version": version}).to_string().as_bytes())
        });
        let layout = Layout::new(&folder);
        let image = layout.image("amd64", &[&tar.end()]);
        layout.finish(image);
        self.commit("Change the packages");
    }

    fn command(&self, variables: &[(String, String)]) -> Command {
        let mut command = Command::new("gitlab-ci-local");
        let program = Path::new(env!("CARGO_BIN_EXE_plimsoll")).parent().expect("a folder");
        let path = format!("{}:{}", program.display(), std::env::var("PATH").unwrap_or_default());
        command.current_dir(self.folder.path()).env_remove("CI").env("PATH", path).env("HOME", self.folder.path());
        command.args(["--force-shell-executor", "--shell-isolation"]);
        // The point of the tests is to say what is predefined; the tool would warn about it on standard output.
        let names: Vec<&str> = variables.iter().map(|(name, _)| name.as_str()).collect();
        command.env("GCL_IGNORE_PREDEFINED_VARS", names.join(","));
        for (name, value) in variables {
            command.arg("--variable").arg(format!("{name}={value}"));
        }
        command
    }

    /// The names of the jobs that run in a pipeline.
    fn jobs(&self, variables: &[(String, String)]) -> Vec<String> {
        let output = self.command(variables).arg("--list-json").output().expect("gitlab-ci-local starts");
        let jobs: Vec<Value> = serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)));
        let runs = jobs.iter().filter(|job| job["when"] != "never");
        runs.filter_map(|job| job["name"].as_str().map(str::to_owned)).collect()
    }

    fn run(&self, variables: &[(String, String)]) -> Pipeline {
        let output = self.command(variables).output().expect("gitlab-ci-local starts");
        let log = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
        Pipeline { succeeded: output.status.success(), log }
    }

    /// A file of the scan job's artifacts.
    fn artifact(&self, name: &str) -> PathBuf {
        self.folder.path().join("plimsoll-report").join(name)
    }
}

fn owned(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn is_installed() -> bool {
    ["gitlab-ci-local", "rsync", "git"].iter().all(|program| has_program(program) || skip::<()>(program).is_some())
}

#[test]
fn the_jobs_are_in_the_pipelines_that_users_expect() {
    if !is_installed() {
        return;
    }
    let both = ["after_gate", "container_scanning", "container_scanning_gate"].map(str::to_owned).to_vec();
    let none = vec!["after_gate".to_owned()];
    let scan = vec!["after_gate".to_owned(), "container_scanning".to_owned()];
    let merge_request = [("CI_PIPELINE_SOURCE", "merge_request_event"), ("CI_COMMIT_BRANCH", "")];
    let merge_request_on = [&merge_request[..], &[("AST_ENABLE_MR_PIPELINES", "true")]].concat();
    let branch_beside =
        [("CI_PIPELINE_SOURCE", "push"), ("AST_ENABLE_MR_PIPELINES", "true"), ("CI_OPEN_MERGE_REQUESTS", "grp/proj!1")];
    for (what, inputs, variables, expected) in [
        ("branch", "high", &[("CI_PIPELINE_SOURCE", "push")][..], &both),
        ("schedule", "high", &[("CI_PIPELINE_SOURCE", "schedule")], &both),
        ("tag", "high", &[("CI_COMMIT_TAG", COMMIT_TAG), ("CI_COMMIT_BRANCH", "")], &both),
        ("merge request", "high", &merge_request, &none),
        ("merge request, enabled", "high", &merge_request_on, &both),
        ("branch with a merge request, enabled", "high", &branch_beside, &none),
        ("disabled", "high", &[("CONTAINER_SCANNING_DISABLED", "true")], &none),
        ("without a gate", "never", &[("CI_PIPELINE_SOURCE", "push")], &scan),
    ] {
        let project = Project::new(&format!("      fail_on: {inputs}"));
        let mut jobs = project.jobs(&owned(variables));
        jobs.sort();
        assert_eq!(&jobs, expected, "{what}");
    }
}

/// What the component becomes for sets of inputs, as GitLab would run it.
#[test]
fn the_component_expands_to_what_is_expected() {
    if !is_installed() {
        return;
    }
    for (name, component, inputs) in [
        ("preview_defaults", "container-scanning", "      stage: test"),
        (
            "preview_inputs",
            "container-scanning",
            "      stage: test\n      job_name: scan_web\n      image: $CI_REGISTRY_IMAGE/web:$CI_COMMIT_SHA\n      images: a:1 b:2\n      \
             platform: linux/arm64\n      fail_on: kev || new && high\n      warn_on: new && medium\n      baseline: none\n      \
             comment: always\n      analyzer_image: registry.example.com/mirror/plimsoll:0.1.0",
        ),
        ("preview_without_gate", "container-scanning", "      fail_on: never"),
        ("preview_doctor", "doctor", "      stage: test"),
        (
            "preview_doctor_inputs",
            "doctor",
            "      stage: .pre\n      job_name: ask_the_doctor\n      image: $CI_REGISTRY_IMAGE/web:$CI_COMMIT_SHA\n      \
             analyzer_image: registry.example.com/mirror/plimsoll:0.1.0",
        ),
    ] {
        let project = Project::including(component, inputs, "");
        let output = project.command(&[]).arg("--preview").output().expect("gitlab-ci-local starts");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        insta::assert_snapshot!(name, String::from_utf8_lossy(&output.stdout));
    }
}

#[test]
fn a_pipeline_scans_what_was_pushed_and_the_gate_stops_it() {
    let (Some(shared), Some(bench)) = (shared(), Bench::shared()) else { return };
    if !is_installed() {
        return;
    }
    let layout = shared.join("images/edge-whiteouts/oci");
    bench.push(&format!("oci:{}:latest", layout.display()), "app:1");
    let database = program::osv_database(&shared).display().to_string();
    let mut variables = bench.job(&bench.host());
    variables.push(("PLIMSOLL_DB".into(), database));
    variables.push(("CI_APPLICATION_REPOSITORY".into(), format!("{}/grp/proj/app", bench.host())));
    variables.push(("CI_APPLICATION_TAG".into(), "1".into()));

    for (fail_on, succeeds) in [("low", false), ("kev", true)] {
        let project = Project::new(&format!("      fail_on: {fail_on}"));
        let pipeline = project.run(&variables);
        assert_eq!(pipeline.succeeded, succeeds, "{fail_on}: {}", pipeline.log);
        let report: Value = serde_json::from_slice(
            &fs::read(project.artifact("gl-container-scanning-report.json"))
                .unwrap_or_else(|error| panic!("{error}: {}", pipeline.log)),
        )
        .expect("JSON");
        assert_eq!(report["vulnerabilities"].as_array().map(Vec::len), Some(2), "{fail_on}");
        assert!(project.artifact("index.html").is_file(), "{fail_on}: no page");
        // The counts reach later jobs through the dotenv report.
        assert!(pipeline.log.contains("counted 2"), "{fail_on}: {}", pipeline.log);
        assert!(!pipeline.log.contains(JOB_TOKEN), "{fail_on}: the job token is in the log");
    }
}

/// The job of the doctor, started by hand, says what each token can do; a wrong port is its finding, and the job fails.
#[test]
fn the_doctor_is_asked_in_a_job_of_its_own() {
    let Some(bench) = Bench::shared() else { return };
    if !is_installed() {
        return;
    }
    let gitlab = GitLabDouble::start_tls(&bench.keys);
    gitlab.add_project(7, "grp/proj");
    gitlab.add_token(Token::job(JOB_TOKEN, 7));
    let folder = TempDir::new().expect("a temporary directory");
    let layout = Layout::new(folder.path());
    let image = layout.image("amd64", &[b"layer"]);
    bench.push(&format!("oci:{}:latest", layout.finish(image).display()), "examined:1");
    let mut variables = bench.job(&bench.host());
    variables.extend(owned(&[
        ("CI_PIPELINE_SOURCE", "web"),
        ("CI_PROJECT_ID", "7"),
        ("CI_API_V4_URL", &gitlab.api()),
        ("CI_JOB_TOKEN", JOB_TOKEN),
        ("CI_DEFAULT_BRANCH", "main"),
    ]));
    for (host, fine) in [(bench.host(), true), ("localhost:1".to_owned(), false)] {
        let project = Project::including("doctor", &format!("      image: {host}/grp/proj/examined:1"), "");
        assert_eq!(project.jobs(&variables), ["container_scanning_doctor"]);
        let output = project.command(&variables).arg("container_scanning_doctor").output().expect("it starts");
        let log = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
        for line in ["✓ job token", "✓ read the state", "– write comments", "✓ pull images"] {
            assert!(log.contains(line), "{line}: {log}");
        }
        assert_eq!(log.contains("✓ registry"), fine, "{log}");
        assert_eq!(log.contains("error[D03]"), !fine, "{log}");
        assert!(!log.contains(JOB_TOKEN), "the job token is in the log");
    }
}

/// The whole story of a merge request, with nothing done by hand: its pipeline builds, pushes, scans, comments and judges.
#[test]
fn a_merge_request_pipeline_from_the_push_to_the_gate() {
    const BOT: &str = "glpat-0123456789-comment";
    let Some(bench) = Bench::shared() else { return };
    if !is_installed() {
        return;
    }
    let gitlab = GitLabDouble::start_tls(&bench.keys);
    gitlab.add_project(7, "grp/proj");
    gitlab.add_merge_request(7, 5, "main");
    gitlab.add_token(Token::job(JOB_TOKEN, 7));
    gitlab.add_token(Token::access(BOT, 7, &["api"]));
    let advisories = TempDir::new().expect("a temporary directory");
    fs::create_dir(advisories.path().join("osv")).expect("a folder");
    for (id, package, fixed) in [("CVE-2026-1001", "leftish-pad", "1.2.0"), ("CVE-2026-1002", "colourful", "2.0.0")] {
        let record = json!({
            "schema_version": "1.6.0", "id": id, "modified": "2026-11-20T00:00:00Z", "summary": format!("{package} is broken"),
            "severity": [{"type": "CVSS_V3", "score": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"}],
            "affected": [{
                "package": {"ecosystem": "npm", "name": package},
                "ranges": [{"type": "SEMVER", "events": [{"introduced": "0"}, {"fixed": fixed}]}],
            }],
        });
        fs::write(advisories.path().join(format!("osv/{id}.json")), record.to_string()).expect("a record");
    }
    let project = Project::new("      fail_on: new && critical");
    let push = "skopeo --insecure-policy copy --quiet --preserve-digests --dest-cert-dir \"$CERTIFICATES\" \
                --dest-creds \"$CI_REGISTRY_USER:$CI_REGISTRY_PASSWORD\" oci:image:latest \
                \"docker://$CI_REGISTRY_IMAGE/$CI_COMMIT_REF_SLUG:$CI_COMMIT_SHA\"";
    let path = project.folder.path().join(".gitlab-ci.yml");
    let pipeline = fs::read_to_string(&path).expect("the pipeline");
    fs::write(&path, format!("stages: [build, test]\n{pipeline}build:\n  stage: build\n  script:\n    - {push}\n"))
        .expect("the pipeline");
    let certificates = TempDir::new().expect("a temporary directory");
    fs::copy(bench.keys.path("ca.crt"), certificates.path().join("ca.crt")).expect("the authority");
    let mut variables = bench.job(&bench.host());
    variables.extend(owned(&[
        ("CI_PROJECT_ID", "7"),
        ("CI_API_V4_URL", &gitlab.api()),
        ("CI_JOB_TOKEN", JOB_TOKEN),
        ("PLIMSOLL_DB", &advisories.path().display().to_string()),
        ("CERTIFICATES", &certificates.path().display().to_string()),
        ("CI_DEFAULT_BRANCH", "main"),
    ]));

    // The default branch has a vulnerability of its own.
    project.commit_image(&[("colourful", "1.0.0"), ("sound", "1.0.0")]);
    let main = project.run(&[variables.clone(), owned(&[("CI_PIPELINE_SOURCE", "push")])].concat());
    assert!(main.log.contains("kept as baseline of `main`"), "{}", main.log);

    project.git(&["checkout", "--quiet", "-b", "topic"]);
    variables.extend(owned(&[
        ("CI_PIPELINE_SOURCE", "merge_request_event"),
        ("AST_ENABLE_MR_PIPELINES", "true"),
        ("CI_COMMIT_BRANCH", ""),
        ("CI_MERGE_REQUEST_IID", "5"),
        ("CI_MERGE_REQUEST_PROJECT_ID", "7"),
        ("CI_MERGE_REQUEST_SOURCE_PROJECT_ID", "7"),
        ("CI_MERGE_REQUEST_TARGET_BRANCH_NAME", "main"),
        ("PLIMSOLL_GITLAB_TOKEN", BOT),
    ]));
    let comment = || {
        let notes = gitlab.notes(7, 5);
        let [note] = notes.as_slice() else { panic!("{} comments", notes.len()) };
        (note.id, note.body.clone())
    };

    // The merge request brings another one: the comment says exactly that, and the gate stops it.
    project.commit_image(&[("colourful", "1.0.0"), ("leftish-pad", "1.1.0"), ("sound", "1.0.0")]);
    let first = project.run(&variables);
    let (id, said) = comment();
    let (news, rest) = said.split_once("<details>").expect("a folded part");
    assert!(news.contains("1 new finding") && news.contains("`leftish-pad`") && news.contains("`1.2.0`"), "{said}");
    assert!(!news.contains("colourful") && rest.contains("colourful"), "{said}");
    assert!(!first.succeeded && first.log.contains("gate: failed: 1 of 2 findings match"), "{}", first.log);

    // The next commit removes it: the same comment is updated, and the gate passes.
    project.commit_image(&[("colourful", "1.0.0"), ("leftish-pad", "1.2.0"), ("sound", "1.0.0")]);
    gitlab.take_requests();
    let second = project.run(&variables);
    assert!(second.succeeded && second.log.contains("gate: passed"), "{}", second.log);
    let (same, said) = comment();
    assert_eq!(same, id);
    assert!(said.contains("nothing new") && !said.contains("leftish-pad"), "{said}");
    let requests = gitlab.take_requests();
    assert!(requests.len() <= 10, "{requests:?}");
    for pipeline in [&main, &first, &second] {
        assert!(![JOB_TOKEN, BOT].iter().any(|token| pipeline.log.contains(token)), "a token is in the log");
    }
}
