//! Settings, ignore rules and VEX as people meet them; the documentation and the schema say what the code does.

mod program;

use std::fs;
use std::path::{Path, PathBuf};

use clap::CommandFactory;
use plimsoll::cli::Cli;
use plimsoll::model::{RuleState, ScanDocument, SuppressionReason};
use plimsoll::settings::{self, SETTINGS, SettingsFile};
use program::{Run, run_in, shared};
use tempfile::TempDir;

/// A working directory with files in it, and scans of an image with two findings in lodash.
struct Project {
    directory: TempDir,
    shared: PathBuf,
}

impl Project {
    fn new(files: &[(&str, &str)]) -> Option<Self> {
        let shared = shared()?;
        let directory = TempDir::new().expect("a temporary directory");
        for (name, text) in files {
            fs::write(directory.path().join(name), text).expect("a file");
        }
        Some(Self { directory, shared })
    }

    fn scan(&self, arguments: &[&str], variables: &[(&str, &str)]) -> Run {
        let image = format!("oci:{}", self.shared.join("images/edge-whiteouts/oci").display());
        let database = program::osv_database(&self.shared).display().to_string();
        let arguments = [&["scan", &image, "--db", &database], arguments].concat();
        run_in(self.directory.path(), &arguments, variables)
    }

    fn document(&self) -> ScanDocument {
        let bytes = fs::read(self.directory.path().join("plimsoll.json")).expect("the document");
        serde_json::from_slice(&bytes).expect("a scan document")
    }

    /// Id and reason of what is suppressed.
    fn suppressed(&self) -> Vec<(String, SuppressionReason, String)> {
        let document = self.document();
        let all = document.images.iter().flat_map(|image| &image.suppressed);
        all.map(|one| (one.finding.id.clone(), one.reason, one.explanation.clone())).collect()
    }
}

#[test]
fn the_strongest_setting_holds_and_the_log_says_whose_it_is() {
    let Some(project) = Project::new(&[(".plimsoll.yml", "# ours\nseverity_threshold: critical\n")]) else { return };
    let run = project.scan(&[], &[]).expect(0);
    assert!(run.stderr.contains("severity_threshold: critical (from .plimsoll.yml, line 2)"), "{}", run.stderr);
    let left_out = project.suppressed();
    assert!(!left_out.is_empty());
    for (id, reason, explanation) in &left_out {
        assert_eq!(*reason, SuppressionReason::Setting, "{id}");
        assert!(explanation.ends_with("(severity_threshold, from .plimsoll.yml, line 2)"), "{explanation}");
    }
    assert!(run.stdout.contains("left out by a setting"), "{}", run.stdout);
    let variables = [("CS_SEVERITY_THRESHOLD", "LOW"), ("CS_TRIVY_JAVA_DB", "x")];
    let run = project.scan(&[], &variables).expect(0);
    assert!(run.stderr.contains("severity_threshold: low (from CS_SEVERITY_THRESHOLD)"), "{}", run.stderr);
    assert!(run.stderr.contains("[WARN] CS_TRIVY_JAVA_DB has no effect"), "{}", run.stderr);
    assert!(project.suppressed().is_empty());
    let run = project.scan(&["--severity-threshold", "critical"], &variables).expect(0);
    assert!(run.stderr.contains("severity_threshold: critical (from --severity-threshold)"), "{}", run.stderr);
    assert_eq!(project.suppressed().len(), left_out.len());
}

#[test]
fn filters_leave_out_what_they_name() {
    let Some(project) = Project::new(&[]) else { return };
    project.scan(&[], &[]).expect(0);
    let all = project.document().findings().count();
    for variable in ["CS_DISABLE_LANGUAGE_VULNERABILITY_SCAN", "PLIMSOLL_EXCLUDE_APP_VULNS"] {
        project.scan(&[], &[(variable, "true")]).expect(0);
        assert_eq!((project.document().findings().count(), project.suppressed().len()), (0, all), "{variable}");
    }
    project.scan(&["--ignore-statuses", "fixed"], &[]).expect(0);
    let fixed = project.suppressed().len();
    project.scan(&["--ignore-unfixed"], &[]).expect(0);
    assert_eq!(fixed + project.suppressed().len(), all);
}

#[test]
fn what_is_wrong_is_refused_before_any_work() {
    let Some(project) = Project::new(&[]) else { return };
    for (file, text, expected) in [
        (
            ".plimsoll.yml",
            "sevrity_threshold: high\n",
            "line 1: `sevrity_threshold` is not a setting; did you mean `severity_threshold`?",
        ),
        (
            ".plimsoll.yml",
            "ignore:\n  - id: CVE-1\n    expire: 2026-01-01\n",
            "line 3: `expire` is not part of a rule; did you mean `expires`?",
        ),
        (".plimsoll.yml", "ignore:\n  - id: CVE-1\n", "line 2: a rule needs a `reason`"),
        (".plimsoll.yml", "a: [\n", ".plimsoll.yml, line"),
        (".plimsoll.yml", "\nmax_db_age: 7\n", "line 2: `max_db_age`: `7` is wrong: write hours, days or weeks"),
        (".plimsoll.yml", "fail_on: high\ntimeout: 10\n", "line 2: `timeout`: `10` is wrong: write seconds"),
        (".trivyignore", "\nCVE-1 exp:soon\n", ".trivyignore, line 2: `exp:soon`: write exp:2026-12-31"),
        (".snyk", "ignore: [\n", ".snyk, line"),
        ("vulnerability-allowlist.yml", "- CVE-1\n", "vulnerability-allowlist.yml, line 1"),
    ] {
        let path = project.directory.path().join(file);
        fs::write(&path, text).expect("a file");
        let run = project.scan(&[], &[]).expect(2);
        assert!(run.stderr.contains("error[D30]") && run.stderr.contains(expected), "{text}: {}", run.stderr);
        fs::remove_file(path).expect("a file");
    }
    fs::write(project.directory.path().join("no.json"), "{}").expect("a file");
    for (arguments, variables, expected) in [
        (vec!["--config", "missing.yml"], vec![], "`missing.yml` cannot be read"),
        (vec!["--vex", "missing.json"], vec![], "`missing.json` cannot be read"),
        (vec!["--vex", "no.json"], vec![], "neither OpenVEX"),
        (vec!["--ignore-file", "missing"], vec![], "`missing` cannot be read"),
        (vec!["--severity-threshold", "hihg"], vec![], "--severity-threshold is `hihg`: use critical"),
        (vec![], vec![("CS_IGNORE_STATUSES", "wontfix")], "CS_IGNORE_STATUSES is `wontfix`"),
        (vec![], vec![("TRIVY_TIMEOUT", "soon")], "TRIVY_TIMEOUT is `soon`: write seconds, minutes or hours"),
        (vec!["--max-db-age", "old"], vec![], "--max-db-age is `old`: write hours, days or weeks"),
        (vec![], vec![("CS_QUIET", "perhaps")], "CS_QUIET is `perhaps`: use true or false"),
        (vec![], vec![("PLIMSOLL_CONFIG", "missing.yml")], "`missing.yml` cannot be read"),
    ] {
        let run = project.scan(&arguments, &variables).expect(2);
        assert!(run.stderr.contains("error[D30]") && run.stderr.contains(expected), "{expected}: {}", run.stderr);
    }
    assert!(!project.directory.path().join("plimsoll.json").exists());
    // What does not concern a project is not disturbed by it.
    fs::write(project.directory.path().join(".plimsoll.yml"), "?\n").expect("a file");
    run_in(project.directory.path(), &["compare-versions", "deb", "1", "2"], &[]).expect(0);
}

#[test]
fn ignore_rules_of_every_kind_suppress_and_say_what_they_did() {
    let Some(plain) = Project::new(&[]) else { return };
    plain.scan(&[], &[]).expect(0);
    let ids: Vec<String> = plain.document().findings().map(|finding| finding.id.clone()).collect();
    let [first, second] = ids.as_slice() else { panic!("{ids:?}") };
    for (file, text) in [
        (
            ".plimsoll.yml",
            format!("ignore:\n  - id: {first}\n    package: lodash\n    path: '**'\n    reason: because\n"),
        ),
        (".trivyignore", format!("{first} # because\n")),
        (
            ".trivyignore.yaml",
            format!("vulnerabilities:\n  - id: {first}\n    purls: [pkg:npm/lodash]\n    statement: because\n"),
        ),
        (".snyk", format!("ignore:\n  {first}:\n    - 'lodash':\n        reason: because\n")),
        ("vulnerability-allowlist.yml", format!("generalallowlist:\n  {first}: because\n")),
    ] {
        let project = Project::new(&[(file, &text)]).expect("test data");
        let run = project.scan(&[], &[]).expect(0);
        let suppressed = project.suppressed();
        let [(id, reason, explanation)] = suppressed.as_slice() else {
            panic!("{file}: {suppressed:?}\n{}", run.stderr)
        };
        assert_eq!((id, *reason), (first, SuppressionReason::IgnoreRule), "{file}");
        assert!(explanation.starts_with(&format!("because ({file}, line ")), "{explanation}");
        assert!(run.stdout.contains("1 ignored by rule"), "{}", run.stdout);
        let sarif: String = fs::read_to_string(project.directory.path().join("plimsoll.sarif")).expect("SARIF");
        assert!(sarif.contains("ignored by rule: because"), "{file}");
    }
    let text = format!(
        "ignore:\n  - id: {first}\n    reason: was right\n    expires: 2020-01-31\n  - id: CVE-1999-0001\n    reason: typing error\n\
         \x20 - id: {second}\n    image: registry.example.com/other\n    reason: elsewhere\n"
    );
    let project = Project::new(&[(".plimsoll.yml", &text)]).expect("test data");
    let run = project.scan(&[], &[]).expect(0);
    assert!(project.suppressed().is_empty());
    let states: Vec<RuleState> = project.document().rules.iter().map(|rule| rule.state).collect();
    assert_eq!(states, [RuleState::Expired, RuleState::Unused, RuleState::Unused]);
    for said in [
        format!("[WARN] .plimsoll.yml, line 2: {first}: expired on 2020-01-31"),
        "[WARN] .plimsoll.yml, line 5: CVE-1999-0001: matches no finding".to_owned(),
    ] {
        assert!(run.stderr.contains(&said), "{said}: {}", run.stderr);
    }
}

#[test]
fn vex_suppresses_with_its_justification() {
    let Some(project) = Project::new(&[]) else { return };
    project.scan(&[], &[]).expect(0);
    let finding = project.document().findings().next().expect("a finding").clone();
    let (id, purl) = (&finding.id, &finding.package.purl);
    for (name, text) in [
        (
            "openvex.json",
            format!(
                r#"{{"@context":"https://openvex.dev/ns/v0.2.0","statements":[{{"vulnerability":{{"name":"{id}"}},"products":[{{"@id":"{purl}"}}],"status":"not_affected","justification":"component_not_present"}}]}}"#
            ),
        ),
        (
            "csaf.json",
            format!(
                r#"{{"document":{{"category":"csaf_vex"}},"product_tree":{{"full_product_names":[{{"name":"p","product_id":"p","product_identification_helper":{{"purl":"{purl}"}}}}]}},"vulnerabilities":[{{"cve":"{id}","product_status":{{"known_not_affected":["p"]}},"flags":[{{"label":"component_not_present","product_ids":["p"]}}]}}]}}"#
            ),
        ),
        (
            "cyclonedx.json",
            format!(
                r#"{{"bomFormat":"CycloneDX","specVersion":"1.6","components":[{{"type":"library","name":"p","bom-ref":"p","purl":"{purl}"}}],"vulnerabilities":[{{"id":"{id}","analysis":{{"state":"not_affected","justification":"component_not_present"}},"affects":[{{"ref":"p"}}]}}]}}"#
            ),
        ),
    ] {
        fs::write(project.directory.path().join(name), text).expect("a file");
        let run = project.scan(&["--vex", name], &[]).expect(0);
        let suppressed = project.suppressed();
        let expected = format!("not affected: component_not_present ({name}, statement 1)");
        assert_eq!(suppressed, [(id.clone(), SuppressionReason::Vex, expected)], "{}", run.stderr);
        assert!(run.stdout.contains("1 not affected according to VEX"), "{}", run.stdout);
    }
}

#[test]
fn the_gate_and_the_log_follow_the_file() {
    let Some(project) = Project::new(&[(".plimsoll.yml", "quiet: true\nout: reports\nfail_on: package==lodash\n")])
    else {
        return;
    };
    let run = project.scan(&[], &[]).expect(0);
    assert_eq!((run.stdout.as_str(), run.stderr.as_str()), ("", ""));
    let run = run_in(project.directory.path(), &["gate", "--report", "reports/plimsoll.json"], &[]).expect(1);
    assert!(run.stdout.contains("`package==lodash` (.plimsoll.yml, line 3)"), "{}", run.stdout);
    let run =
        run_in(project.directory.path(), &["gate", "--report", "reports/plimsoll.json", "--fail-on", "none"], &[])
            .expect(0);
    assert!(run.stdout.contains("--fail-on"), "{}", run.stdout);
}

#[test]
fn no_secret_is_written_anywhere() {
    let Some(project) = Project::new(&[(".plimsoll.yml", "log_level: trace\n")]) else { return };
    let secret = "glpat-very-secret-7f3a";
    let docker = format!(r#"{{"auths":{{"reg.example.com":{{"username":"u","password":"{secret}"}}}}}}"#);
    let names = ["CS_REGISTRY_PASSWORD", "DOCKER_PASSWORD", "TRIVY_PASSWORD", "SNYK_REGISTRY_PASSWORD", "SNYK_TOKEN"];
    let more = ["CI_JOB_TOKEN", "CI_REGISTRY_PASSWORD", "CI_DEPLOY_PASSWORD", "PLIMSOLL_GITLAB_TOKEN"];
    let mut variables: Vec<(&str, &str)> = names.iter().chain(&more).map(|name| (*name, secret)).collect();
    variables.extend([
        ("DOCKER_AUTH_CONFIG", docker.as_str()),
        ("CS_REGISTRY_USER", "u"),
        ("CI_REGISTRY", "localhost:1"),
    ]);
    let run = project.scan(&["localhost:1/g/p:1"], &variables);
    assert!(!format!("{}{}", run.stdout, run.stderr).contains(secret), "{}", run.stderr);
    let mut files = 0;
    for entry in fs::read_dir(project.directory.path()).expect("the directory").flatten().filter(|e| e.path().is_file())
    {
        let text = fs::read(entry.path()).expect("a file");
        assert!(!String::from_utf8_lossy(&text).contains(secret), "{}", entry.path().display());
        files += 1;
    }
    assert!(files > 5, "{files} files");
}

#[test]
fn flags_of_the_table_exist() {
    let mut command = Cli::command();
    command.build();
    let all = std::iter::once(&command).chain(command.get_subcommands());
    let flags: Vec<String> = all
        .flat_map(|command| command.get_arguments().filter_map(|argument| argument.get_long()))
        .map(|long| format!("--{long}"))
        .collect();
    for flag in SETTINGS.iter().filter_map(|setting| setting.flag) {
        assert!(flags.iter().any(|known| known == flag), "{flag}");
    }
}

/// Every variable of ours that the code asks for is a setting or named beside them.
#[test]
fn every_variable_that_is_read_is_documented() {
    let page = settings::page();
    let mut open = vec![root().join("src")];
    let mut missing = Vec::new();
    while let Some(path) = open.pop() {
        if path.is_dir() {
            open.extend(fs::read_dir(path).expect("a folder").flatten().map(|entry| entry.path()));
            continue;
        }
        let text = fs::read_to_string(&path).unwrap_or_default();
        let text = text.split("#[cfg(test)]").next().unwrap_or_default();
        for (at, _) in text.match_indices("(\"PLIMSOLL_") {
            let name = text[at + 2..].split('"').next().unwrap_or_default();
            // A name that is put together stands on the page with an ellipsis.
            let name = name.replace("{}", "…");
            let is_of_tests = ["PLIMSOLL_TEST_DATA", "PLIMSOLL_UPDATE"].contains(&name.as_str())
                || name.starts_with("PLIMSOLL_BENCH_");
            if name != "PLIMSOLL_" && !is_of_tests && !page.contains(&format!("`{name}`")) {
                missing.push(format!("{}: {name}", path.display()));
            }
        }
    }
    assert!(missing.is_empty(), "add them to src/settings/table.rs:\n{}", missing.join("\n"));
}

#[test]
fn the_page_holds_the_table() {
    let page = fs::read_to_string(root().join("docs/settings.md")).expect("the page");
    let (before, rest) = page.split_once("<!-- generated: tables -->\n").expect("the marker");
    let (_, after) = rest.split_once("<!-- end -->").expect("the marker");
    let wanted = format!("{before}<!-- generated: tables -->\n{}<!-- end -->{after}", settings::page());
    same(&root().join("docs/settings.md"), &wanted);
}

#[test]
fn the_schema_is_that_of_the_table() {
    same(&root().join("docs/plimsoll.schema.json"), &format!("{:#}\n", settings::schema()));
}

/// The file in the project has this text; `PLIMSOLL_UPDATE=1` writes it.
fn same(path: &Path, wanted: &str) {
    if std::env::var_os("PLIMSOLL_UPDATE").is_some() {
        fs::write(path, wanted).expect("the file");
    }
    let found = fs::read_to_string(path).unwrap_or_default();
    assert!(found == wanted, "{} is out of date: run this test with PLIMSOLL_UPDATE=1", path.display());
}

#[test]
fn the_schema_judges_as_the_program_does() {
    let validator = jsonschema::validator_for(&settings::schema()).expect("a schema");
    for (text, right) in [
        ("", true),
        ("platform: linux/arm64\nimages: [a, b]\nignore_unfixed: true\n", true),
        ("images: a b\nseverity_threshold: HIGH\nvex: [a.json]\nlog_level: debug\n", true),
        ("ignore_statuses: [will_not_fix]\nignore:\n  - {id: CVE-1, reason: x, expires: '2027-01-31'}\n", true),
        ("ignore:\n  - {package: 'z*', path: 'a/**', image: b, reason: x}\n", true),
        ("registries:\n  reg.io:5000:\n    user: a\n    password_variable: B\n    insecure: true\n", true),
        ("registries:\n  reg.io:\n    password: x\n", false),
        ("registries: [reg.io]\n", false),
        ("unknown: 1\n", false),
        ("platform: arm\n", false),
        ("severity_threshold: hihg\n", false),
        ("quiet: perhaps\n", false),
        ("log_level: loud\n", false),
        ("images: [{a: b}]\n", false),
        ("ignore_statuses: [wontfix]\n", false),
        ("ignore: [{id: CVE-1}]\n", false),
        ("ignore: [{reason: x}]\n", false),
        ("ignore: [{id: CVE-1, reason: x, expire: '2027-01-31'}]\n", false),
        ("ignore: [{id: CVE-1, reason: x, expires: soon}]\n", false),
        ("ignore: CVE-1\n", false),
    ] {
        let value: serde_json::Value = serde_saphyr::from_str(text).expect("YAML");
        assert_eq!(validator.is_valid(&value), right, "the schema on {text}");
        let read = SettingsFile::parse(Path::new("f"), text).map_err(|error| error.to_string()).and_then(|file| {
            let rules = file.ignore.map(|list| plimsoll::assess::ignore::Rules::of_settings("f", &list));
            rules.transpose().map_err(|error| error.to_string())
        });
        assert_eq!(read.is_ok(), right, "the program on {text}: {read:?}");
    }
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Rules are added to the file as people wrote it, and what has had its day is named.
#[test]
fn rules_are_added_and_looked_after() {
    let settings = "# ours\nfail_on: high # hard\nignore:\n  # was checked\n  - id: CVE-2000-1\n    reason: old\n    expires: 2020-01-31\n";
    let Some(project) = Project::new(&[(".plimsoll.yml", settings)]) else { return };
    let run = |arguments: &[&str]| run_in(project.directory.path(), &[&["ignore"], arguments].concat(), &[]);
    let text = || fs::read_to_string(project.directory.path().join(".plimsoll.yml")).expect("the file");
    for (arguments, expected) in [
        (&["CVE-2026-1"][..], "a rule needs a reason"),
        (&["CVE-2026-1", "--reason", "x", "--expires", "2020-01-01"], "a rule ends on a day to come"),
        (&["CVE-2026-1", "--reason", "x", "--expires", "soon"], "2027-01-31 or 90d"),
        (&["cve-2000-1", "--reason", "x"], ".plimsoll.yml, line 5: there is a rule"),
        (&["CVE-2026-1", "--reason", "x", "--package", "pkg:x"], "is not a package URL"),
    ] {
        let refused = run(arguments).expect(2);
        assert!(refused.stderr.contains(expected), "{arguments:?}: {}", refused.stderr);
    }
    assert_eq!(text(), settings);
    let added = run(&["CVE-2021-23337", "CVE-2026-2", "--reason", "not: reached", "--expires", "10d"]).expect(0);
    assert!(added.stdout.contains(".plimsoll.yml: CVE-2021-23337, CVE-2026-2 ignored until 2"), "{}", added.stdout);
    assert!(
        text().starts_with(settings) && text().contains("  - id: CVE-2026-2\n    reason: \"not: reached\"\n"),
        "{}",
        text()
    );

    let checked = run(&["--check"]).expect(1);
    assert!(
        checked.stdout.contains("CVE-2000-1: expired") && checked.stdout.contains("expires in 10 days"),
        "{}",
        checked.stdout
    );
    assert!(checked.stdout.contains("without a scan document"), "{}", checked.stdout);
    project.scan(&[], &[]).expect(0);
    let checked = run(&["--check"]).expect(1);
    assert!(checked.stdout.contains("CVE-2026-2: matches no finding"), "{}", checked.stdout);
    assert!(!checked.stdout.contains("CVE-2021-23337: matches no finding"), "{}", checked.stdout);
    assert!(checked.stdout.contains("3 rules, 2 to be removed or renewed, 1 expiring soon"), "{}", checked.stdout);
    // Where there is no file, there is one afterwards.
    fs::remove_file(project.directory.path().join(".plimsoll.yml")).expect("the file");
    run(&["CVE-2026-1", "--reason", "x"]).expect(0);
    assert_eq!(text(), "ignore:\n  - id: CVE-2026-1\n    reason: x\n");
    assert!(run(&["--check"]).stdout.contains("1 rule, "));
}
