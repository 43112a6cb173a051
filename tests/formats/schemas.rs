//! The schemas of the formats, from the test data.

use std::fs;
use std::path::PathBuf;

use jsonschema::{Registry, Validator};
use serde_json::Value;

/// A file of the schemas, or `None` where there is no test data; with `CI=true` that fails.
fn read(name: &str) -> Option<Value> {
    let data = std::env::var_os("PLIMSOLL_TEST_DATA")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared"), PathBuf::from);
    if !data.join("schemas").is_dir() {
        assert!(std::env::var("CI").as_deref() != Ok("true"), "the test data is missing: {}", data.display());
        eprintln!("skipped: no test data in {}", data.display());
        return None;
    }
    let path = data.join("schemas").join(name);
    Some(serde_json::from_slice(fs::read_to_string(path).unwrap().as_bytes()).unwrap())
}

fn validator(schema: &Value) -> Validator {
    jsonschema::options().should_validate_formats(true).build(schema).unwrap()
}

/// GitLab's container scanning report of the versions in use.
pub(crate) fn gitlab() -> Option<Vec<Validator>> {
    let versions = ["15.0.7", "15.1.4", "15.2.1"];
    let name = |version| format!("gitlab-security-report/{version}/container-scanning-report-format.json");
    versions.into_iter().map(|version| Some(validator(&read(&name(version))?))).collect()
}

/// CycloneDX 1.6.
pub(crate) fn cyclonedx() -> Option<Validator> {
    let mut registry = Registry::new();
    for part in ["spdx", "jsf-0.82", "cryptography-defs"] {
        let name = format!("{part}.SNAPSHOT.schema.json");
        let schema = read(&format!("cyclonedx/{name}"))?;
        registry = registry.add(format!("http://cyclonedx.org/schema/{name}"), schema).unwrap();
    }
    let registry = registry.prepare().unwrap();
    let schema = read("cyclonedx/bom-1.6.SNAPSHOT.schema.json")?;
    Some(jsonschema::options().should_validate_formats(true).with_registry(&registry).build(&schema).unwrap())
}

/// SARIF 2.1.0. The official schema has a pattern that is no regular expression.
pub(crate) fn sarif() -> Option<Validator> {
    let text = read("sarif/sarif-schema-2.1.0.json")?.to_string();
    let patched = text.replace("^[a-zA-Z]{2}|^[a-zA-Z]{2}-[a-zA-Z]{2}]?$", "^[a-zA-Z]{2}(-[a-zA-Z]{2})?$");
    assert_ne!(text, patched, "the schema has been corrected; take the patch away");
    Some(validator(&serde_json::from_slice(patched.as_bytes()).unwrap()))
}

/// An item of GitLab's Code Quality report.
pub(crate) fn code_quality() -> Option<Validator> {
    Some(validator(&read("code-quality/codeclimate.json")?))
}

/// Fails with the first errors, each with its place.
#[track_caller]
pub(crate) fn assert_valid(validator: &Validator, value: &Value, what: &str) {
    let errors: Vec<String> = validator
        .iter_errors(value)
        .take(5)
        .map(|error| format!("{}: {}", error.instance_path(), error.to_string().chars().take(300).collect::<String>()))
        .collect();
    assert!(errors.is_empty(), "{what}:\n{}", errors.join("\n"));
}
