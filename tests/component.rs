//! The component run as GitLab runs it: `gitlab-ci-local` executes the jobs of a project that includes it, with a real
//! registry beside it; the gate gets the scan's artifacts and variables.

mod program;
mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use program::shared;
use serde_json::Value;
use support::{Bench, has_program, skip};
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
        let folder = TempDir::new().expect("a temporary directory");
        let path = folder.path();
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        fs::create_dir(path.join("templates")).expect("a folder");
        fs::copy(root.join("templates/container-scanning.yml"), path.join("templates/container-scanning.yml"))
            .expect("the template");
        let pipeline = format!(
            "include:\n  - component: $CI_SERVER_FQDN/$CI_PROJECT_PATH/container-scanning@$CI_COMMIT_SHA\n    inputs:\n{inputs}\n\
             after_gate:\n  stage: test\n  needs: [container_scanning]\n  script:\n    - echo \"counted $PLIMSOLL_FINDINGS\"\n"
        );
        fs::write(path.join(".gitlab-ci.yml"), pipeline).expect("the pipeline");
        let git = |arguments: &[&str]| {
            support::run(
                Command::new("git")
                    .args(["-c", "user.name=test", "-c", "user.email=test@example.com"])
                    .args(arguments)
                    .current_dir(path),
            );
        };
        git(&["init", "--quiet", "--initial-branch", "main"]);
        git(&["remote", "add", "origin", "git@gitlab.example.com:grp/proj.git"]);
        git(&["add", "."]);
        git(&["commit", "--quiet", "--message", "Include the component"]);
        Self { folder }
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
        assert!(!pipeline.log.contains(support::bench::JOB_TOKEN), "{fail_on}: the job token is in the log");
    }
}
