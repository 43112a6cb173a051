//! Every report against its schema, for documents of all sorts: typical, failed, empty, hostile and large ones.

#[path = "formats/browser.rs"]
mod browser;
#[path = "formats/documents.rs"]
mod documents;
#[path = "formats/judges.rs"]
mod judges;
#[path = "formats/round_trip.rs"]
mod round_trip;
#[path = "formats/schemas.rs"]
mod schemas;

use std::collections::HashSet;

use plimsoll::model::{FixState, ScanDocument, Severity};
use plimsoll::report::table::{self, TableOptions};
use plimsoll::report::{RENDERERS, Renderer};
use quick_xml::events::Event;
use serde_json::Value;
use sha2::Digest as _;
use unicode_width::UnicodeWidthStr;

use schemas::assert_valid;

fn renderer(format: &str) -> &'static dyn Renderer {
    RENDERERS.iter().copied().find(|renderer| renderer.format() == format).unwrap()
}

/// The files of a format: names and texts.
fn files(format: &str, document: &ScanDocument) -> Vec<(String, String)> {
    let renderer = renderer(format);
    let write = |(part, name)| {
        let mut out = Vec::new();
        renderer.render(document, part, &mut out).unwrap();
        (name, String::from_utf8(out).unwrap())
    };
    renderer.files(document).into_iter().enumerate().map(write).collect()
}

/// The JSON of a format that makes one file.
fn json(format: &str, document: &ScanDocument) -> Value {
    let files = files(format, document);
    assert_eq!(files.len(), 1, "{format}");
    serde_json::from_slice(files[0].1.as_bytes()).unwrap()
}

fn all() -> [(&'static str, ScanDocument); 10] {
    [
        ("of a Dockerfile", documents::from_dockerfile()),
        ("typical", documents::typical()),
        ("example", documents::example()),
        ("failure", documents::failure()),
        ("empty", documents::empty()),
        ("not judged", documents::not_judged()),
        ("hostile", documents::hostile()),
        ("many", documents::many(5000)),
        ("compared", documents::compared(documents::typical())),
        ("compared and hostile", documents::compared(documents::hostile())),
    ]
}

fn strings<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_else(|| panic!("no string at {pointer}"))
}

/// The first of a list that has this key.
fn with<'a>(list: &'a Value, key: &str) -> &'a Value {
    list.as_array().unwrap().iter().find(|item| item.get(key).is_some()).unwrap()
}

fn pretty(value: &Value) -> String {
    serde_json::to_string_pretty(value).unwrap()
}

#[test]
fn every_format_writes_every_document_and_always_the_same() {
    for (what, document) in all() {
        for renderer in RENDERERS {
            let first = files(renderer.format(), &document);
            assert_eq!(first, files(renderer.format(), &document), "{} of {what}", renderer.format());
            let names: HashSet<&String> = first.iter().map(|(name, _)| name).collect();
            assert_eq!(names.len(), first.len(), "{} of {what}: names {names:?}", renderer.format());
            assert!(first.iter().all(|(name, text)| !text.is_empty() && !name.contains(['/', '\\'])), "{what}");
            let missing = renderer.render(&document, first.len(), &mut Vec::new());
            assert!(missing.is_err(), "{} of {what} has a part too many", renderer.format());
        }
    }
}

#[test]
fn the_scan_document_survives_being_written() {
    for (what, document) in all() {
        // JSON has no form for numbers that are none.
        if !what.ends_with("hostile") {
            let text = &files("json", &document)[0].1;
            assert_eq!(serde_json::from_slice::<ScanDocument>(text.as_bytes()).unwrap(), document, "{what}");
        }
    }
}

#[test]
fn example_data_is_called_so_everywhere() {
    let document = documents::example();
    let banner = "EXAMPLE DATA";
    for renderer in RENDERERS.iter().filter(|renderer| !["json", "dotenv"].contains(&renderer.format())) {
        for (name, text) in files(renderer.format(), &document) {
            assert!(text.contains(banner), "{name}");
        }
        for (name, text) in files(renderer.format(), &documents::typical()) {
            assert!(!text.contains(banner), "{name}");
        }
    }
    assert_eq!(json("json", &document)["database"]["example"], true);
    assert!(table(&document, 60, false).starts_with(banner));
}

#[test]
fn gitlab_reports_are_valid_for_all_versions() {
    let Some(validators) = schemas::gitlab() else { return };
    for (what, document) in all() {
        let report = json("gitlab", &document);
        for validator in &validators {
            assert_valid(validator, &report, what);
        }
        let vulnerabilities = report["vulnerabilities"].as_array().unwrap();
        assert_eq!(vulnerabilities.len(), document.findings().count(), "{what}");
        let ids: HashSet<&str> = vulnerabilities.iter().map(|vulnerability| strings(vulnerability, "/id")).collect();
        assert_eq!(ids.len(), vulnerabilities.len(), "{what}: ids are not unique");
        for vulnerability in vulnerabilities {
            let (_, tag) = strings(vulnerability, "/location/image").rsplit_once(':').unwrap();
            assert!(!tag.is_empty() && !tag.contains('/'), "{what}: {}", vulnerability["location"]["image"]);
            let identifiers = vulnerability["identifiers"].as_array().unwrap();
            assert!(identifiers.len() <= 20, "{what}");
            let first_other = identifiers.iter().position(|identifier| identifier["type"] != "cve");
            let last_cve = identifiers.iter().rposition(|identifier| identifier["type"] == "cve");
            assert!(last_cve.zip(first_other).is_none_or(|(cve, other)| cve < other), "{what}: {identifiers:?}");
        }
    }
}

/// The validators do find what GitLab would refuse a whole report for.
#[test]
fn invalid_reports_are_noticed() {
    let (Some(gitlab), Some(cyclonedx), Some(sarif)) = (schemas::gitlab(), schemas::cyclonedx(), schemas::sarif())
    else {
        return;
    };
    let report = json("gitlab", &documents::typical());
    for (pointer, value) in [
        ("/vulnerabilities/0/cvss_vectors", serde_json::json!([])),
        ("/vulnerabilities/0/severity", "high".into()),
        ("/vulnerabilities/0/links", serde_json::json!([{"url": "//x"}])),
        ("/scan/start_time", "2026-11-21T07:00:00Z".into()),
        ("/vulnerabilities/0/name", "x".repeat(256).into()),
    ] {
        let mut broken = report.clone();
        let (parent, key) = pointer.rsplit_once('/').unwrap();
        broken.pointer_mut(parent).unwrap()[key] = value;
        assert!(gitlab.iter().all(|validator| !validator.is_valid(&broken)), "{pointer}");
    }
    let mut bom: Value = serde_json::from_slice(files("cyclonedx", &documents::typical())[0].1.as_bytes()).unwrap();
    bom["components"][1]["licenses"] = serde_json::json!([{"license": {"id": "Mine"}}]);
    assert!(!cyclonedx.is_valid(&bom));
    let mut log = json("sarif", &documents::typical());
    log["runs"][0]["results"][0]["level"] = "bad".into();
    assert!(!sarif.is_valid(&log));
}

#[test]
fn gitlab_gets_what_its_pages_show() {
    let report = json("gitlab", &documents::typical());
    assert_eq!(report["version"], "15.0.7");
    assert_eq!(report["scan"]["start_time"], "2026-11-21T07:00:00");
    assert_eq!(report["scan"]["status"], "success");
    insta::assert_snapshot!("gitlab_vulnerability", pretty(with(&report["vulnerabilities"], "cvss_vectors")));
    insta::assert_snapshot!("gitlab_scan", pretty(&report["scan"]));
}

/// Findings point to the line of the Dockerfile that brought them, and to the patch that removes them.
#[test]
fn findings_lead_to_the_dockerfile() {
    let document = documents::from_dockerfile();
    let report = json("gitlab", &document);
    let all = report["vulnerabilities"].as_array().unwrap();
    for vulnerability in all {
        assert_eq!(vulnerability["location"]["default_branch_image"], "registry.example.com:5050/shop/web:main");
        let is_own = vulnerability["details"]["origin"]["value"] == "this project's Dockerfile";
        let line = if is_own { "docker/Dockerfile:4" } else { "docker/Dockerfile:2" };
        assert_eq!(vulnerability["details"]["dockerfile_line"]["value"], line, "{vulnerability}");
        assert_ne!(vulnerability["details"]["severity_source"]["value"], "none");
    }
    let lines = |pointer: &str, list: &Value| -> HashSet<u64> {
        list.as_array().unwrap().iter().filter_map(|item| item.pointer(pointer)?.as_u64()).collect()
    };
    // Remarks about the scan stand at the beginning.
    let quality = |document: &ScanDocument| -> Value {
        let issues = json("code-quality", document);
        let is_finding = |issue: &&Value| !strings(issue, "/check_name").starts_with("plimsoll-");
        issues.as_array().unwrap().iter().filter(is_finding).cloned().collect()
    };
    assert_eq!(lines("/location/lines/begin", &quality(&document)), HashSet::from([2, 4]));
    let log = json("sarif", &document);
    let results = &log["runs"][0]["results"];
    assert_eq!(lines("/locations/0/physicalLocation/region/startLine", results), HashSet::from([2, 4]));
    assert!(results[0]["relatedLocations"][0]["physicalLocation"]["artifactLocation"]["uri"].is_string());
    // Nothing is claimed of an image that does not come from the file.
    let mut other = document.clone();
    other.project.dockerfile.as_mut().unwrap().text = "FROM debian:12\nRUN make\n".into();
    let report_of_other = json("gitlab", &other);
    assert!(report_of_other.get("remediations").is_none());
    assert!(report_of_other["vulnerabilities"][0]["details"].get("origin").is_none());
    assert_eq!(lines("/location/lines/begin", &quality(&other)), HashSet::from([1]));

    // Each patch applies to the file, and its vulnerabilities are in the report.
    let ids: HashSet<&str> = all.iter().map(|vulnerability| strings(vulnerability, "/id")).collect();
    let remediations = report["remediations"].as_array().expect("remediations");
    assert!(!remediations.is_empty());
    for remediation in remediations {
        use base64::Engine as _;
        let fixes = remediation["fixes"].as_array().unwrap();
        assert!(!fixes.is_empty() && fixes.iter().all(|fix| ids.contains(strings(fix, "/id"))), "{remediation}");
        let diff = base64::engine::general_purpose::STANDARD.decode(strings(remediation, "/diff")).unwrap();
        let place = tempfile::tempdir().unwrap();
        std::fs::create_dir(place.path().join("docker")).unwrap();
        std::fs::write(place.path().join("docker/Dockerfile"), &document.project.dockerfile.as_ref().unwrap().text)
            .unwrap();
        std::fs::write(place.path().join("fix.patch"), &diff).unwrap();
        let git = std::process::Command::new("git").args(["apply", "fix.patch"]).current_dir(place.path()).output();
        let git = git.expect("git starts");
        assert!(git.status.success(), "{}\n{}", String::from_utf8_lossy(&git.stderr), String::from_utf8_lossy(&diff));
        let text = std::fs::read_to_string(place.path().join("docker/Dockerfile")).unwrap();
        assert!(text.contains("AS base\nRUN apt-get update && apt-get install --yes --only-upgrade "), "{text}");
    }
}

#[test]
fn gitlab_is_told_of_failures() {
    let report = json("gitlab", &documents::failure());
    assert_eq!(report["scan"]["status"], "failure");
    let fatal =
        report["scan"]["messages"].as_array().unwrap().iter().find(|message| message["level"] == "fatal").unwrap();
    assert!(strings(fatal, "/value").contains("error[D12]"), "{fatal}");
}

#[test]
fn ids_stay_when_the_image_is_built_again() {
    let ids = |document: &ScanDocument| -> Vec<String> {
        let report = json("gitlab", document);
        let all = report["vulnerabilities"].as_array().unwrap();
        all.iter().map(|vulnerability| strings(vulnerability, "/id").to_owned()).collect()
    };
    let before = documents::typical();
    let mut after = documents::typical();
    let inventory = after.images[0].inventory.as_mut().unwrap();
    inventory.image.manifest_digest = None;
    inventory.layers[0].digest = None;
    after.images[0].findings[0].description = "rewritten".into();
    after.images[0].findings[0].fix.state = FixState::Deferred;
    assert_eq!(ids(&before), ids(&after));
}

#[test]
fn boms_are_valid() {
    let Some(validator) = schemas::cyclonedx() else { return };
    for (what, document) in all() {
        let boms = files("cyclonedx", &document);
        let read = document.images.iter().filter(|image| image.inventory.is_some());
        assert_eq!(boms.len(), read.clone().count(), "{what}");
        for ((name, text), image) in boms.iter().zip(read) {
            assert!(name.starts_with("gl-sbom-") && name.ends_with(".cdx.json") && name.len() < 150, "{name}");
            let bom: Value = serde_json::from_slice(text.as_bytes()).unwrap();
            assert_valid(&validator, &bom, &format!("{what}: {name}"));
            let components = bom["components"].as_array().unwrap();
            let inventory = image.inventory.as_ref().unwrap();
            let references: HashSet<&str> = components.iter().map(|component| strings(component, "/bom-ref")).collect();
            assert_eq!(references.len(), components.len(), "{name}");
            let libraries = components.iter().filter(|component| component["type"] == "library").count();
            assert_eq!(libraries, inventory.packages.len(), "{name}");
            let affected = bom["vulnerabilities"]
                .as_array()
                .unwrap()
                .iter()
                .flat_map(|v| v["affects"].as_array().into_iter().flatten());
            for affected in affected {
                assert!(references.contains(strings(affected, "/ref")), "{name}: {affected}");
            }
        }
    }
}

#[test]
fn boms_say_what_gitlab_and_later_scans_need() {
    let bom: Value = serde_json::from_slice(files("cyclonedx", &documents::typical())[0].1.as_bytes()).unwrap();
    let properties = |value: &Value| -> Vec<(String, String)> {
        let all = value["properties"].as_array().unwrap();
        all.iter()
            .map(|property| (strings(property, "/name").to_owned(), strings(property, "/value").to_owned()))
            .collect()
    };
    let metadata = properties(&bom["metadata"]);
    for (name, value) in [
        ("gitlab:meta:schema_version", "1"),
        ("gitlab:container_scanning:image:name", "registry.example.com/shop/web"),
        ("gitlab:container_scanning:image:tag", "main"),
        ("gitlab:container_scanning:operating_system:name", "debian"),
        ("gitlab:container_scanning:operating_system:version", "12"),
    ] {
        assert!(metadata.contains(&(name.into(), value.into())), "{name} is missing in {metadata:?}");
    }
    let components = bom["components"].as_array().unwrap();
    let library = |name: &str| components.iter().find(|component| component["name"] == name).unwrap();
    insta::assert_snapshot!("cyclonedx_component", pretty(library("zlib1g")));
    insta::assert_snapshot!("cyclonedx_vulnerability", pretty(with(&bom["vulnerabilities"], "references")));
}

/// Each reason to leave a finding out has its state of analysis, and our own reader of VEX takes it back.
#[test]
fn boms_state_why_findings_do_not_count() {
    use plimsoll::model::SuppressionReason::{self, *};
    let Some(validator) = schemas::cyclonedx() else { return };
    type Case = (SuppressionReason, &'static str, &'static str, Option<&'static str>, Option<&'static str>);
    let cases: [Case; 10] = [
        (OwnedByOsPackage, "python3-requests owns it", "false_positive", None, None),
        (ThirdPartyPackage, "from example.com", "in_triage", None, None),
        (KernelHeaders, "no kernel runs from it", "not_affected", Some("code_not_present"), None),
        (NotComparable, "(devel) has no order", "in_triage", None, None),
        (Vex, "not affected: code_not_reachable: x (v, statement 1)", "not_affected", Some("code_not_reachable"), None),
        (Vex, "not affected: because (v, statement 2)", "not_affected", None, None),
        (Vex, "fixed (v, statement 3)", "resolved", None, Some("update")),
        (IgnoreRule, "accepted until 2027", "in_triage", None, Some("will_not_fix")),
        (Setting, "below the threshold", "in_triage", None, None),
        (Filter, "severity>=high", "in_triage", None, None),
    ];
    let mut document = documents::typical();
    document.images.truncate(1);
    let image = &mut document.images[0];
    image.suppressed.clear();
    let (first, mut bare) = (image.findings[0].clone(), image.clone());
    bare.findings.clear();
    for (number, (reason, explanation, ..)) in cases.iter().enumerate() {
        let mut finding = first.clone();
        finding.id = format!("CVE-2019-{number}");
        finding.identifiers = vec![finding.id.clone()];
        bare.findings.push(finding.clone());
        image.suppressed.push(plimsoll::model::Suppressed {
            finding,
            reason: *reason,
            explanation: (*explanation).into(),
        });
    }
    let text = files("cyclonedx", &document).remove(0).1;
    let bom: Value = serde_json::from_slice(text.as_bytes()).unwrap();
    assert_valid(&validator, &bom, "states");
    let find =
        |id: &str| bom["vulnerabilities"].as_array().unwrap().iter().find(|one| one["id"] == id).cloned().unwrap();
    for (number, (reason, explanation, state, justification, response)) in cases.iter().enumerate() {
        let analysis = &find(&format!("CVE-2019-{number}"))["analysis"];
        assert_eq!(analysis["state"], *state, "{reason:?}");
        assert_eq!(analysis["justification"].as_str(), *justification, "{reason:?}");
        assert_eq!(analysis.pointer("/response/0").and_then(Value::as_str), *response, "{reason:?}");
        assert!(strings(analysis, "/detail").contains(explanation), "{reason:?}");
    }
    assert!(find(&first.id).get("analysis").is_none());

    // What is said to be harmless stays so; the rest counts.
    let mut again = ScanDocument { images: vec![bare], ..documents::document() };
    plimsoll::assess::vex::Vex::read("bom", &text).unwrap().apply(&mut again);
    let suppressed: HashSet<&str> = again.images[0].suppressed.iter().map(|one| one.finding.id.as_str()).collect();
    let harmless = ["CVE-2019-0", "CVE-2019-2", "CVE-2019-4", "CVE-2019-5", "CVE-2019-6"];
    assert_eq!(suppressed, HashSet::from(harmless));
}

#[test]
fn one_half_of_an_operating_system_is_none_for_gitlab() {
    let mut document = documents::typical();
    document.images[0].inventory.as_mut().unwrap().distribution.as_mut().unwrap().version = String::new();
    assert!(!files("cyclonedx", &document)[0].1.contains("gitlab:container_scanning:operating_system"));
}

#[test]
fn spdx_documents_hold_every_package_and_nothing_that_is_not_there() {
    for (what, document) in all() {
        let documents = files("spdx", &document);
        let read = document.images.iter().filter_map(|image| image.inventory.as_ref());
        assert_eq!(documents.len(), read.clone().count(), "{what}");
        for ((name, text), inventory) in documents.iter().zip(read) {
            let spdx: Value = serde_json::from_slice(text.as_bytes()).unwrap();
            let packages = spdx["packages"].as_array().unwrap();
            let ids: HashSet<&str> = packages.iter().map(|package| strings(package, "/SPDXID")).collect();
            assert_eq!(ids.len(), packages.len(), "{what}: {name}");
            let purls = packages.iter().filter(|package| package.get("externalRefs").is_some()).count();
            let named = inventory.packages.iter().filter(|package| !package.name.is_empty());
            assert_eq!(purls, named.count(), "{what}: {name}");
            assert!(ids.iter().all(|id| id.bytes().all(|b| b.is_ascii_alphanumeric() || b"-.".contains(&b))), "{name}");
            for relationship in spdx["relationships"].as_array().unwrap() {
                let (from, to) =
                    (strings(relationship, "/spdxElementId"), strings(relationship, "/relatedSpdxElement"));
                assert!((from == "SPDXRef-DOCUMENT" || ids.contains(from)) && ids.contains(to), "{relationship}");
            }
        }
    }
    let spdx: Value = serde_json::from_slice(files("spdx", &documents::typical())[0].1.as_bytes()).unwrap();
    let packages = spdx["packages"].as_array().unwrap();
    insta::assert_snapshot!("spdx_package", pretty(packages.iter().find(|p| p["name"] == "zlib1g").unwrap()));
}

#[test]
fn sarif_logs_are_valid_and_within_limits() {
    let Some(validator) = schemas::sarif() else { return };
    let twenty_five_images = ScanDocument {
        images: (0..25).map(|number| documents::debian(&format!("registry.example.com/shop:{number}"))).collect(),
        ..documents::document()
    };
    let more = [("12,000", documents::many(12_000)), ("25 images", twenty_five_images)];
    for (what, document) in all().into_iter().chain(more) {
        let log = json("sarif", &document);
        assert_valid(&validator, &log, what);
        // A reader of others understands all of it.
        let read: serde_sarif::sarif::Sarif = serde_json::from_value(log.clone()).unwrap();
        assert_eq!(serde_json::to_value(read).unwrap(), log, "{what}");
        let runs = log["runs"].as_array().unwrap();
        assert!((1..=20).contains(&runs.len()), "{what}: {} runs", runs.len());
        let mut results = 0;
        for run in runs {
            let all = run["results"].as_array().unwrap();
            results += all.len();
            assert!(all.len() <= 5000, "{what}");
            let rules = run["tool"]["driver"]["rules"].as_array().unwrap();
            let ids: HashSet<&str> = rules.iter().map(|rule| strings(rule, "/id")).collect();
            assert_eq!(ids.len(), rules.len(), "{what}: rules are not unique");
            let fingerprints: HashSet<&str> =
                all.iter().map(|result| strings(result, "/partialFingerprints/plimsollFinding~1v1")).collect();
            assert_eq!(fingerprints.len(), all.len(), "{what}: fingerprints are not unique");
            for result in all {
                let index = usize::try_from(result["ruleIndex"].as_u64().unwrap()).unwrap();
                assert_eq!(result["ruleId"], rules[index]["id"], "{what}");
                assert!(strings(result, "/message/text").chars().count() <= 2048, "{what}");
                let uri = strings(result, "/locations/0/physicalLocation/artifactLocation/uri");
                assert!(!uri.is_empty() && uri.len() <= 2048 && !uri.starts_with('/'), "{what}: {uri}");
            }
        }
        let suppressed: usize = document.images.iter().map(|image| image.suppressed.len()).sum();
        let stated = document.findings().count() + suppressed;
        let said = format!("the {results} most severe of {stated} findings are here");
        let is_cut = log["runs"][0]["invocations"].to_string().contains(&said);
        assert_eq!(is_cut, results != stated, "{what}: {results} of {stated}");
        assert!(results >= stated / 4, "{what}: {results} of {stated}");
        let successful = &log["runs"][0]["invocations"][0]["executionSuccessful"];
        assert_eq!(*successful, document.outcome == plimsoll::model::Outcome::Success, "{what}");
    }
}

/// GitLab takes no more than 10 MB.
#[test]
fn a_sarif_log_of_too_many_findings_has_the_most_severe_ones() {
    let text = files("sarif", &documents::many(20_000)).remove(0).1;
    assert!((9_500_000..10_000_000).contains(&text.len()), "{}", text.len());
    let written = text.matches("\"ruleIndex\":").count();
    let numbers = Severity::ALL.map(|severity| text.matches(&format!("\"severity\":\"{severity}\"")).count());
    assert_eq!((numbers[0], numbers[5]), (3334, 0), "{numbers:?}");
    assert!(text.contains(&format!("the {written} most severe of 20000 findings are here")));
}

#[test]
fn sarif_results_say_where_and_what_to_do() {
    let log = json("sarif", &documents::typical());
    let results = log["runs"][0]["results"].as_array().unwrap();
    insta::assert_snapshot!("sarif_result", pretty(&results[0]));
    insta::assert_snapshot!("sarif_rule", pretty(with(&log["runs"][0]["tool"]["driver"]["rules"], "helpUri")));
    let suppressed = results.iter().find(|result| result.get("suppressions").is_some()).unwrap();
    assert_eq!(suppressed["ruleId"], "CVE-2023-32681");
}

#[test]
fn code_quality_issues_are_valid_and_unique() {
    let Some(validator) = schemas::code_quality() else { return };
    for (what, document) in all() {
        let report = json("code-quality", &document);
        let issues = report.as_array().unwrap();
        assert!(issues.len() >= document.findings().count(), "{what}");
        for issue in issues {
            assert_valid(&validator, issue, what);
            assert!(["info", "minor", "major", "critical", "blocker"].contains(&strings(issue, "/severity")), "{what}");
            let path = strings(issue, "/location/path");
            assert!(!path.is_empty() && !path.starts_with(['.', '/']), "{what}: {path}");
        }
        let fingerprints: HashSet<&str> = issues.iter().map(|issue| strings(issue, "/fingerprint")).collect();
        assert_eq!(fingerprints.len(), issues.len(), "{what}: fingerprints are not unique");
    }
    for (what, document) in [("failure", documents::failure()), ("not judged", documents::not_judged())] {
        assert!(!json("code-quality", &document).as_array().unwrap().is_empty(), "{what} looks clean");
    }
    insta::assert_snapshot!("code_quality_issue", pretty(&json("code-quality", &documents::typical())[1]));
}

/// The test cases of a JUnit file: class, name, and the element that tells its result.
fn test_cases(xml: &str) -> Vec<(String, String, Option<String>)> {
    let mut reader = quick_xml::Reader::from_str(xml);
    let mut cases = Vec::new();
    let mut depth = 0;
    loop {
        let event = reader.read_event().unwrap();
        let is_start = matches!(event, Event::Start(_));
        match event {
            Event::Start(element) | Event::Empty(element) => {
                let name = element.name().as_ref().to_owned();
                let attribute = |key: &str| {
                    let attribute =
                        element.try_get_attribute(key).unwrap().unwrap_or_else(|| panic!("no {key} in {name}"));
                    attribute.normalized_value(quick_xml::XmlVersion::Implicit1_0).unwrap().into_owned()
                };
                match name.as_str() {
                    "testcase" => cases.push((attribute("classname"), attribute("name"), None)),
                    "failure" | "error" | "skipped" => {
                        attribute("message");
                        cases.last_mut().unwrap().2 = Some(name);
                    }
                    _ => {}
                }
                depth += usize::from(is_start);
            }
            Event::End(_) => depth -= 1,
            Event::Eof => break,
            _ => {}
        }
    }
    assert_eq!(depth, 0);
    cases
}

#[test]
fn junit_files_are_xml_with_unique_names() {
    for (what, document) in all() {
        let xml = &files("junit", &document)[0].1;
        let legal = |c: char| matches!(c, '\t' | '\n' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..);
        assert!(xml.chars().all(legal), "{what}: characters that XML 1.0 does not have");
        let cases = test_cases(xml);
        let failures = cases.iter().filter(|(_, _, result)| result.as_deref() == Some("failure")).count();
        assert_eq!(failures, document.findings().count(), "{what}");
        let names: HashSet<_> = cases.iter().map(|(class, name, _)| (class, name)).collect();
        assert_eq!(names.len(), cases.len(), "{what}: names are not unique");
    }
    let unjudged = test_cases(&files("junit", &documents::not_judged())[0].1);
    assert_eq!(unjudged[0].2.as_deref(), Some("error"));
    insta::assert_snapshot!("junit", files("junit", &documents::typical())[0].1);
}

#[test]
fn dotenv_files_keep_to_gitlabs_rules() {
    for (what, document) in all() {
        let text = &files("dotenv", &document)[0].1;
        assert!(text.len() < 5000 && text.lines().count() <= 20, "{what}");
        for line in text.lines() {
            let (key, value) = line.split_once('=').unwrap();
            assert!(
                key.starts_with("PLIMSOLL_") && key.bytes().all(|b| b.is_ascii_uppercase() || b == b'_'),
                "{what}: {line}"
            );
            assert!(value.bytes().all(|b| b.is_ascii_alphanumeric() || b"-:".contains(&b)), "{what}: {line}");
        }
    }
    insta::assert_snapshot!("dotenv", files("dotenv", &documents::typical())[0].1);
    assert!(files("dotenv", &documents::not_judged())[0].1.contains("PLIMSOLL_COMPLETE=false"));
}

#[test]
fn what_changed_is_said_to_people() {
    let document = documents::compared(documents::typical());
    let markdown = &files("markdown", &document)[0].1;
    let changed = markdown.split_once("Against ").unwrap().1.split_once("Judged by").unwrap().0;
    insta::assert_snapshot!("markdown_changed", changed);
    assert!(
        table(&document, 100, false).contains("5 new, 1 fixed, 17 remaining (1 newly disclosed) · against branch main")
    );
    assert!(files("html", &document)[0].1.contains("<h3>What changed</h3><p>5 new, 1 fixed, 17 remaining"));
    let variables = &files("dotenv", &document)[0].1;
    assert!(variables.contains("PLIMSOLL_NEW=5\nPLIMSOLL_FIXED=1\n"), "{variables}");
}

#[test]
fn markdown_lets_nothing_out_of_code_spans() {
    let without_code = |text: &str| {
        let mut out = String::new();
        let mut rest = text;
        while let Some(start) = rest.find('`') {
            out.push_str(&rest[..start]);
            let fence = rest[start..].bytes().take_while(|b| *b == b'`').count();
            let body = &rest[start + fence..];
            let end = (0..body.len())
                .find(|&at| {
                    let run = body.as_bytes()[at..].iter().take_while(|b| **b == b'`').count();
                    run == fence && (at == 0 || body.as_bytes()[at - 1] != b'`')
                })
                .expect("a code span that is not closed");
            rest = &body[end + fence..];
        }
        out + rest
    };
    for (what, document) in all() {
        let text = &files("markdown", &document)[0].1;
        assert!(text.len() < 1_000_000, "{what}");
        for line in text.lines() {
            let bare = without_code(line);
            for bad in ["@", "<script", "<img", "javascript:", "/close", "/assign", "\x1b", "**bold**"] {
                assert!(!bare.contains(bad), "{what}: {bad} in {line}");
            }
        }
    }
    insta::assert_snapshot!("markdown", files("markdown", &documents::typical())[0].1);
    insta::assert_snapshot!("markdown_failure", files("markdown", &documents::failure())[0].1);
}

/// What stands between two marks.
fn between<'a>(text: &'a str, start: &str, end: &str) -> &'a str {
    let (_, rest) = text.split_once(start).unwrap_or_else(|| panic!("no {start}"));
    rest.split_once(end).unwrap_or_else(|| panic!("no {end}")).0
}

#[test]
fn pages_hold_only_their_own_script_and_ask_for_nothing() {
    for (what, document) in all() {
        let page = &files("html", &document)[0].1;
        let policy = between(page, "content=\"default-src 'none'; ", "\">");
        for (start, end) in [("<style>", "</style>"), ("<script>", "</script>")] {
            use base64::Engine as _;
            let digest: [u8; 32] = sha2::Sha256::digest(between(page, start, end)).into();
            let digest = base64::engine::general_purpose::STANDARD.encode(digest);
            assert!(policy.contains(&format!("'sha256-{digest}'")), "{what}: {start}");
        }
        assert_eq!(page.matches("<script").count(), 2, "{what}");
        for bad in
            [" src=", "@import", "url(", "<link", "<iframe", "<img", " style=", " onload", " onclick", "javascript:"]
        {
            let data = between(page, "id=\"data\">", "</script>");
            assert!(!page.replace(data, "").contains(bad) || what.ends_with("hostile"), "{what}: {bad}");
        }
        let data: Value = serde_json::from_slice(between(page, "id=\"data\">", "</script>").as_bytes()).unwrap();
        assert_eq!(data["findings"].as_array().unwrap().len(), document.findings().count(), "{what}");
        // In hostile documents these words are text and values of attributes, never parts of a tag.
        for tag in page.split('<').skip(1).map(|tag| tag.split('>').next().unwrap()) {
            let names: String = tag.split('"').step_by(2).collect();
            assert!(
                !names.contains("onerror") && !names.contains("onload") && !names.starts_with("img"),
                "{what}: {tag}"
            );
        }
        assert!(!page.contains("href=\"javascript"), "{what}");
    }
}

fn table(document: &ScanDocument, width: usize, color: bool) -> String {
    let mut out = Vec::new();
    table::render(document, &TableOptions { width, color, ..TableOptions::default() }, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn tables_look_as_they_should() {
    for width in [60, 100, 160] {
        insta::assert_snapshot!(format!("table_{width}"), table(&documents::typical(), width, false));
        insta::assert_snapshot!(
            format!("table_{width}_color"),
            table(&documents::typical(), width, true).replace('\x1b', "␛")
        );
    }
    for (name, document) in [
        ("example", documents::example()),
        ("failure", documents::failure()),
        ("empty", documents::empty()),
        ("not_judged", documents::not_judged()),
    ] {
        insta::assert_snapshot!(format!("table_{name}"), table(&document, 80, false));
    }
}

#[test]
fn tables_keep_their_width_and_the_terminal() {
    for (what, document) in all() {
        for width in [40, 60, 97, 160] {
            let text = table(&document, width, false);
            for line in text.lines() {
                assert!(line.width() <= width, "{what}: {} > {width}: {line:?}", line.width());
            }
            assert!(!text.chars().any(|c| c.is_control() && c != '\n'), "{what}");
        }
    }
}

/// What was not judged is never called clean.
#[test]
fn clean_is_only_what_was_judged() {
    let clean = "no known vulnerabilities";
    let without_database = ScanDocument { database: None, ..documents::typical() };
    for (what, document, expected) in [
        ("typical", documents::typical(), 1),
        ("failure", documents::failure(), 0),
        ("empty", documents::empty(), 0),
        ("not judged", documents::not_judged(), 0),
        ("without database", without_database, 0),
    ] {
        assert_eq!(table(&document, 200, false).matches(clean).count(), expected, "{what}");
    }
}

#[test]
fn upgrades_come_most_severe_first() {
    let text = table(&documents::typical(), 200, false);
    let position = |needle: &str| text.find(needle).unwrap_or_else(|| panic!("no {needle} in\n{text}"));
    let in_order = [
        "openssl 3.0.11-1~deb12u2 (libssl3, openssl)",
        "→ 3.0.15-1~deb12u1 fixes 8: CVE-2026-0001 (exploited), CVE-2025-100",
        "→ 3.0.16-1~deb12u1 fixes 1: CVE-2026-0009",
        "lodash 4.17.20 → 4.17.21",
        "No fix yet",
    ];
    assert!(in_order.is_sorted_by_key(|needle| position(needle)), "{text}");
    let worst = documents::typical().findings().map(|finding| finding.severity).max();
    assert_eq!(worst, Some(Severity::Critical));
}
