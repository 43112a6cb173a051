//! The CI/CD components and this project's own pipeline: valid against GitLab's schema, without global keywords, every
//! input declared and used, and the rules that users of GitLab's own template rely on.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

#[test]
fn components_and_pipeline_are_valid_for_gitlab() {
    let Some(data) = test_data() else { return };
    let schema: Value = serde_json::from_slice(read(&data.join("schemas/gitlab-ci/ci.json")).as_bytes()).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let mut documents: Vec<(String, Value)> = vec![(".gitlab-ci.yml".into(), yaml(&read(&root(".gitlab-ci.yml"))))];
    for (name, template) in templates() {
        documents.push((format!("{name} (header)"), template.header));
        documents.push((name, template.body));
    }
    for (name, document) in documents {
        let errors: Vec<String> =
            validator.iter_errors(&document).map(|error| format!("{}: {error}", error.instance_path())).collect();
        assert!(errors.is_empty(), "{name}:\n{}", errors.join("\n"));
    }
    // The judge is judged: the schema is the real one and refuses what is wrong.
    assert!(!validator.is_valid(&yaml("job:\n  script: [true]\n  allow_failure: perhaps\n")));
}

#[test]
fn components_define_jobs_and_nothing_global() {
    for (name, template) in templates() {
        for key in template.body.as_object().unwrap().keys() {
            assert!(key.contains("$[[ inputs.job_name ]]"), "{name}: `{key}` is not a job named by its input");
        }
    }
}

#[test]
fn inputs_are_described_optional_and_used() {
    for (name, template) in templates() {
        let declared: BTreeSet<String> =
            template.header["spec"]["inputs"].as_object().unwrap().keys().cloned().collect();
        for (input, definition) in template.header["spec"]["inputs"].as_object().unwrap() {
            assert!(definition["description"].is_string(), "{name}: `{input}` has no description");
            assert!(!definition["default"].is_null(), "{name}: `{input}` has no default");
            for secret in ["token", "password", "secret", "key"] {
                assert!(!input.contains(secret), "{name}: `{input}`: secrets are variables, never inputs");
            }
        }
        assert_eq!(used_inputs(&template.text), declared, "{name}: declared and used inputs differ");
    }
}

#[test]
fn the_container_scanning_component_replaces_gitlabs_template() {
    let (_, template) = templates().into_iter().find(|(name, _)| name == "container-scanning.yml").unwrap();
    let inputs = &template.header["spec"]["inputs"];
    assert_eq!(inputs["job_name"]["default"], "container_scanning");
    assert_eq!(inputs["stage"]["default"], "test");

    let scan = &template.body["$[[ inputs.job_name ]]"];
    assert_eq!(scan["allow_failure"], true);
    assert_eq!(scan["artifacts"]["when"], "always");
    assert_eq!(scan["artifacts"]["access"], "developer");
    assert_eq!(scan["artifacts"]["reports"]["cyclonedx"], "**/gl-sbom-*.cdx.json");
    assert!(scan["before_script"].is_null() && scan["after_script"].is_null());
    // Only what is in `paths` can be downloaded; a folder, because `expose_as` allows no globs.
    let report = scan["artifacts"]["reports"]["container_scanning"].as_str().unwrap();
    let folder = scan["artifacts"]["paths"][0].as_str().unwrap();
    assert!(folder.ends_with('/') && report.starts_with(folder), "{report} is not in {folder}");

    let gate = &template.body["$[[ inputs.job_name ]]_gate"];
    assert!(gate["allow_failure"].is_null(), "a gate that may fail is none");
    assert_eq!(gate["needs"][0]["job"], "$[[ inputs.job_name ]]");
    assert_eq!(gate["needs"][0]["artifacts"], true);

    let expected = yaml(
        r#"
        - if: $CONTAINER_SCANNING_DISABLED == 'true' || $CONTAINER_SCANNING_DISABLED == '1'
          when: never
        - if: '$AST_ENABLE_MR_PIPELINES == "true" && $CI_PIPELINE_SOURCE == "merge_request_event"'
        - if: '$AST_ENABLE_MR_PIPELINES == "true" && $CI_OPEN_MERGE_REQUESTS'
          when: never
        - if: $CI_COMMIT_BRANCH
        - if: $CI_COMMIT_TAG
        "#,
    );
    assert_eq!(scan["rules"], expected);
    let gate_rules = gate["rules"].as_array().unwrap();
    assert_eq!(gate_rules.get(1..), expected.as_array().map(Vec::as_slice), "after its own switch, the same rules");
}

/// GitLab's catalogue takes every file of the folder for a component.
#[test]
fn the_folder_holds_components_only() {
    for entry in fs::read_dir(root("templates")).unwrap() {
        let path = entry.unwrap().path();
        assert!(path.extension().is_some_and(|extension| extension == "yml"), "{}", path.display());
    }
}

/// A component: its `spec` and its jobs, which `---` separates.
struct Template {
    text: String,
    header: Value,
    body: Value,
}

fn templates() -> Vec<(String, Template)> {
    let mut templates = Vec::new();
    for entry in fs::read_dir(root("templates")).unwrap() {
        let path = entry.unwrap().path();
        let text = read(&path);
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let (header, body) = text.split_once("\n---\n").unwrap_or_else(|| panic!("{name}: no `---`"));
        let (header, body) = (yaml(header), yaml(body));
        templates.push((name, Template { text, header, body }));
    }
    assert!(!templates.is_empty());
    templates
}

/// The names in `$[[ inputs.… ]]`.
fn used_inputs(text: &str) -> BTreeSet<String> {
    let name = |rest: &str| rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
    text.match_indices("$[[ inputs.").map(|(at, start)| name(&text[at + start.len()..])).collect()
}

fn yaml(text: &str) -> Value {
    serde_saphyr::from_str(text).unwrap_or_else(|e| panic!("{e}\n{text}"))
}

fn root(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// The folder of test data, if it is there; in a pipeline that promises it, it must be.
fn test_data() -> Option<PathBuf> {
    let folder = std::env::var_os("PLIMSOLL_TEST_DATA").map_or_else(|| root("../shared"), PathBuf::from);
    if folder.is_dir() {
        return Some(folder);
    }
    assert!(std::env::var("CI").as_deref() != Ok("true"), "no test data at {}", folder.display());
    println!("skipped: no test data at {}", folder.display());
    None
}
