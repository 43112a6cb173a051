//! The example advisories hold what an advisory needs, and say that they are examples.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

const ECOSYSTEMS: &[&str] = &[
    "Debian:11",
    "Debian:12",
    "Debian:13",
    "Ubuntu:22.04:LTS",
    "Ubuntu:24.04:LTS",
    "Alpine:v3.18",
    "Alpine:v3.19",
    "Alpine:v3.20",
    "npm",
    "PyPI",
    "Maven",
    "Go",
    "crates.io",
];

#[test]
fn each_record_is_complete() {
    let mut wrong = Vec::new();
    for (path, record) in records() {
        for problem in problems(&path, &record) {
            wrong.push(format!("{}: {problem}", path.display()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_ecosystem_has_several_records() {
    let records = records();
    assert!(records.len() >= 60, "{} records", records.len());
    for ecosystem in ECOSYSTEMS {
        let count = records
            .iter()
            .filter(|(_, record)| affected(record).iter().any(|one| one["package"]["ecosystem"] == **ecosystem))
            .count();
        assert!(count >= 2, "{ecosystem}: {count}");
    }
}

/// A machine that is up to date still shows something: vulnerabilities that its distribution leaves open.
#[test]
fn current_distributions_have_open_vulnerabilities() {
    let records = records();
    for ecosystem in ["Debian:11", "Debian:12", "Debian:13", "Ubuntu:22.04:LTS", "Ubuntu:24.04:LTS"] {
        let open = records
            .iter()
            .flat_map(|(_, record)| affected(record))
            .filter(|one| one["package"]["ecosystem"] == ecosystem && fixed_versions(one).is_empty())
            .count();
        assert!(open >= 2, "{ecosystem}: {open}");
    }
}

#[test]
fn exploited_vulnerabilities_are_among_the_records() {
    let ids: BTreeSet<String> =
        records().into_iter().filter_map(|(_, record)| record["id"].as_str().map(str::to_owned)).collect();
    let catalogue = read(&folder().join("kev/known_exploited_vulnerabilities.json"));
    let entries = catalogue["vulnerabilities"].as_array().unwrap();
    assert_eq!(catalogue["count"], entries.len());
    assert!(!entries.is_empty());
    for entry in entries {
        let id = entry["cveID"].as_str().unwrap();
        assert!(ids.contains(id), "{id}");
        for field in ["dateAdded", "dueDate"] {
            entry[field].as_str().unwrap().parse::<jiff::civil::Date>().unwrap_or_else(|e| panic!("{id} {field}: {e}"));
        }
    }
}

#[test]
fn the_folder_says_that_it_holds_examples() {
    let marker = fs::read_to_string(folder().join("EXAMPLE")).unwrap();
    assert!(marker.contains("examples") && marker.contains("not a substitute"), "{marker}");
}

/// What is missing in or wrong with a record.
fn problems(path: &Path, record: &Value) -> Vec<String> {
    let mut problems = Vec::new();
    let text = |value: &Value| value.as_str().unwrap_or_default().trim().to_owned();
    if Some(text(&record["id"]).as_str()) != path.file_stem().and_then(|stem| stem.to_str()) {
        problems.push("the file is not named after the id".into());
    }
    if record["schema_version"] != "1.6.0" {
        problems.push("the schema version is not 1.6.0".into());
    }
    if text(&record["modified"]).parse::<jiff::Timestamp>().is_err() {
        problems.push("`modified` is not a time".into());
    }
    let summary = text(&record["summary"]);
    if summary.is_empty() || summary.len() > 120 || summary.ends_with('.') {
        problems.push(format!("the summary is not one line of at most 120 characters: `{summary}`"));
    }
    if text(&record["details"]).is_empty() {
        problems.push("no details".into());
    }
    if record["database_specific"]["example"] != true {
        problems.push("not marked as an example".into());
    }
    let vectors = record["severity"].as_array().map(Vec::as_slice).unwrap_or_default();
    if vectors.is_empty() || vectors.iter().any(|severity| !is_vector(severity)) {
        problems.push("no severity, or a vector that does not fit its type".into());
    }
    if record["references"].as_array().is_none_or(|references| {
        references.is_empty() || references.iter().any(|one| !text(&one["url"]).starts_with("https://"))
    }) {
        problems.push("no references, or one that is not https".into());
    }
    if affected(record).is_empty() {
        problems.push("nothing is affected".into());
    }
    for one in affected(record) {
        let (ecosystem, name) = (text(&one["package"]["ecosystem"]), text(&one["package"]["name"]));
        let here = format!("{ecosystem} {name}");
        if name.is_empty() || !ECOSYSTEMS.contains(&ecosystem.as_str()) {
            problems.push(format!("{here}: no name, or an ecosystem that is not listed"));
        }
        if !text(&one["package"]["purl"]).starts_with("pkg:") {
            problems.push(format!("{here}: no purl"));
        }
        problems.extend(range_problems(one).into_iter().map(|problem| format!("{here}: {problem}")));
        let is_language = !ecosystem.contains(':');
        if is_language && fixed_versions(one).is_empty() {
            problems.push(format!("{here}: a language package without a fixed version"));
        }
    }
    problems
}

fn range_problems(affected: &Value) -> Vec<String> {
    let ranges = affected["ranges"].as_array().map(Vec::as_slice).unwrap_or_default();
    if ranges.is_empty() {
        return vec!["no ranges".into()];
    }
    let mut problems = Vec::new();
    for range in ranges {
        if range["type"] != "ECOSYSTEM" && range["type"] != "SEMVER" {
            problems.push(format!("range type {}", range["type"]));
        }
        let events = range["events"].as_array().map(Vec::as_slice).unwrap_or_default();
        if events.first().is_none_or(|event| event["introduced"].as_str().is_none_or(str::is_empty)) {
            problems.push("a range does not begin with `introduced`".into());
        }
        for event in events {
            let fields = event.as_object().map(|fields| fields.iter().collect::<Vec<_>>()).unwrap_or_default();
            let well_formed = matches!(fields.as_slice(), [(key, value)]
                if ["introduced", "fixed"].contains(&key.as_str()) && value.as_str().is_some_and(|v| !v.is_empty()));
            if !well_formed {
                problems.push(format!("event {event}"));
            }
        }
    }
    problems
}

fn is_vector(severity: &Value) -> bool {
    let score = severity["score"].as_str().unwrap_or_default();
    match severity["type"].as_str() {
        Some("CVSS_V2") => score.starts_with("AV:"),
        Some("CVSS_V3") => score.starts_with("CVSS:3.") && score.parse::<cvss::Cvss>().is_ok(),
        Some("CVSS_V4") => score.starts_with("CVSS:4.0/") && score.parse::<cvss::Cvss>().is_ok(),
        _ => false,
    }
}

fn affected(record: &Value) -> &[Value] {
    record["affected"].as_array().map(Vec::as_slice).unwrap_or_default()
}

fn fixed_versions(affected: &Value) -> Vec<&str> {
    let ranges = affected["ranges"].as_array().map(Vec::as_slice).unwrap_or_default();
    let events = ranges.iter().filter_map(|range| range["events"].as_array()).flatten();
    events.filter_map(|event| event["fixed"].as_str()).collect()
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/advisories")
}

fn records() -> Vec<(PathBuf, Value)> {
    let mut paths: Vec<PathBuf> =
        fs::read_dir(folder().join("osv")).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths.into_iter().map(|path| (path.clone(), read(&path))).collect()
}

fn read(path: &Path) -> Value {
    let text = fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    serde_json::from_slice(text.as_bytes()).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}
