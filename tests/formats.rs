//! Every report is valid against the schema of its format, whatever the text in it is, and says what a reader must
//! not miss.

use std::path::{Path, PathBuf};

use jsonschema::{Registry, Validator};
use plimsoll::model::{Finding, ScanDocument};
use plimsoll::report::table::{self, TableOptions};
use plimsoll::report::{RENDERERS, Renderer};
use serde_json::{Value, json};
use unicode_width::UnicodeWidthStr;

/// The folder of schemas: `PLIMSOLL_TEST_DATA`, else `../shared`. Without it the tests that need it say so and pass;
/// with `CI=true` they fail.
fn schemas() -> Option<PathBuf> {
    let given = std::env::var_os("PLIMSOLL_TEST_DATA").map(PathBuf::from);
    let path = given.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared")).join("schemas");
    if path.is_dir() {
        return Some(path);
    }
    assert!(std::env::var("CI").as_deref() != Ok("true"), "the test data is missing: {}", path.display());
    eprintln!("ignored: no test data at {}", path.display());
    None
}

fn read(path: &Path) -> Value {
    let bytes = std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_slice(&bytes).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn validator(schema: &Value) -> Validator {
    jsonschema::options().should_validate_formats(true).build(schema).expect("the schema is valid")
}

#[track_caller]
fn assert_valid(validator: &Validator, report: &Value, what: &str) {
    let errors: Vec<String> =
        validator.iter_errors(report).take(5).map(|error| format!("{}: {error:.300}", error.instance_path())).collect();
    assert!(errors.is_empty(), "{what}:\n{}", errors.join("\n"));
}

/// A document with all that a scan can tell: two images, one of which failed.
fn full() -> ScanDocument {
    let digest = |c: &str| format!("sha256:{}", c.repeat(64));
    let package = |kind: &str, name: &str, version: &str, path: &str| {
        json!({"kind": kind, "name": name, "version": version, "arch": "amd64", "licenses": ["MIT", "GPL"],
            "source": {"name": format!("{name}-src"), "version": version}, "locations": [{"path": path, "layer": 0}]})
    };
    let finding = |index: usize, id: &str, severity: &str, name: &str, version: &str, fixed: Option<&str>| {
        json!({
            "id": id, "identifiers": [id, "GHSA-aaaa-bbbb-cccc", "USN-1-1"],
            "package": {"index": index, "kind": "deb", "name": name, "version": version,
                "purl": format!("pkg:deb/debian/{name}@{version}")},
            "fix": {"state": if fixed.is_some() { "fixed" } else { "not-fixed" }, "version": fixed},
            "severity": severity, "severity_source": "debian-tracker",
            "cvss": [
                {"vector": "CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N", "score": 9.3, "source": "nvd"},
                {"vector": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H", "score": 9.8, "source": "nvd"},
                {"vector": "AV:N/AC:L/Au:N/C:P/I:P/A:P", "score": 7.5, "source": "nvd"}],
            "title": "A flaw", "description": "It is *bad*.\nVery.",
            "references": [{"kind": "WEB", "url": "https://example.org/a?b=c"}, {"kind": "WEB", "url": "javascript:x"},
                {"kind": "WEB", "url": "https://example.org/a?b=c"}],
            "cwes": ["CWE-79", "CWE-79", "CWE-x"], "published": "2024-01-02T03:04:05.5Z",
            "kev": {"added": "2024-02-01", "due": "2024-03-01", "ransomware": true},
            "epss": {"score": 0.5, "percentile": 0.97, "date": "2024-02-01"},
            "statements": [{"feed": "debian-tracker", "advisory": id, "name": name, "comparison": "1 < 2 (deb)"}],
        })
    };
    let image = json!({
        "name": "reg.example.org:5000/g/p", "outcome": "success",
        "inventory": {
            "image": {"manifest_digest": digest("a"), "config_digest": digest("b"), "config": {},
                "platform": "linux/amd64"},
            "distribution": {"id": "debian", "version": "12", "name": "Debian GNU/Linux 12 (bookworm)"},
            "layers": [{"digest": digest("c"), "diff_id": digest("d"), "size": 1, "created_by": "RUN apt-get install x"}],
            "packages": [package("deb", "libssl3", "3.0.1-1", "var/lib/dpkg/status"),
                package("deb", "openssl", "3.0.1-1", "var/lib/dpkg/status"),
                package("npm", "@babel/core", "7.0.0", "app/node_modules/@babel/core/package.json"),
                package("npm", "@babel/core", "7.0.0", "app 2/package.json")],
            "gaps": [{"kind": "unreadable-file", "subject": "app/x.jar", "reason": "it is cut off", "layer": 0}]
        },
        "findings": [finding(0, "CVE-2024-1", "critical", "libssl3", "3.0.1-1", Some("3.0.2-1")),
            finding(1, "CVE-2024-1", "high", "openssl", "3.0.1-1", Some("3.0.2-1")),
            finding(1, "CVE-2024-2", "unknown", "openssl", "3.0.1-1", None),
            finding(2, "CVE-2024-3", "low", "@babel/core", "7.0.0", None),
            finding(3, "CVE-2024-3", "low", "@babel/core", "7.0.0", None),
            finding(99, "TEMP-1", "info", "ghost", "1", None)],
        "suppressed": [{"finding": finding(1, "CVE-2024-9", "medium", "openssl", "3.0.1-1", None),
            "reason": "ignore-rule", "explanation": "not reachable"}],
        "coverage": [{"kind": "deb", "shard": "debian-12", "packages": 2, "status": "covered"},
            {"kind": "npm", "shard": "npm", "packages": 2, "status": "no-data"}]
    });
    let failed = json!({
        "name": "oci:build/app", "outcome": "failure", "findings": [], "coverage": [],
        "diagnosis": {"code": "D16", "what": "the image cannot be pulled", "why": "404", "fix": "push it first"}
    });
    document(json!({"images": [image, failed], "outcome": "failure",
        "database": {"origin": "/db", "built": "2024-05-01T00:00:00Z", "example": true, "sources": []},
        "diagnoses": [{"code": "D21", "what": "a", "why": "b", "fix": "c"}]}))
}

fn empty() -> ScanDocument {
    document(json!({"images": [], "outcome": "failure"}))
}

fn document(mut rest: Value) -> ScanDocument {
    let fields = rest.as_object_mut().expect("an object");
    fields.insert("format".into(), ScanDocument::FORMAT.into());
    fields.insert("tool".into(), json!({"name": "plimsoll", "version": "0.1.0"}));
    fields.insert("started".into(), "2024-05-04T01:02:03.25Z".into());
    fields.insert("finished".into(), "2024-05-04T01:02:05Z".into());
    serde_json::from_value(rest).expect("a scan document")
}

/// The full document with every text replaced that an image, a feed or a project controls.
fn with_text(text: &str) -> ScanDocument {
    const UNTRUSTED: [&str; 24] = [
        "name",
        "version",
        "what",
        "why",
        "id",
        "title",
        "description",
        "url",
        "explanation",
        "path",
        "created_by",
        "subject",
        "origin",
        "vector",
        "source",
        "severity_source",
        "comparison",
        "advisory",
        "purl",
        "arch",
        "identifiers",
        "licenses",
        "cwes",
        "shard",
    ];
    fn replace(value: &mut Value, text: &str) {
        match value {
            Value::Object(fields) => {
                let is_gap = fields.contains_key("subject");
                for (key, value) in fields {
                    let untrusted = UNTRUSTED.contains(&key.as_str()) || (is_gap && key == "reason");
                    match value {
                        Value::String(old) if untrusted => *old = text.into(),
                        Value::Array(items) if untrusted && items.iter().all(Value::is_string) => {
                            items.iter_mut().for_each(|item| *item = text.into());
                        }
                        other => replace(other, text),
                    }
                }
            }
            Value::Array(items) => items.iter_mut().for_each(|item| replace(item, text)),
            _ => {}
        }
    }
    let mut value = serde_json::to_value(full()).expect("JSON");
    replace(&mut value, text);
    serde_json::from_value(value).expect("still a document")
}

fn documents() -> Vec<(String, ScanDocument)> {
    let mut documents = vec![("full".to_owned(), full()), ("empty".to_owned(), empty())];
    let long = "ä@|`".repeat(20_000);
    for text in [
        "",
        " ",
        "\u{0}",
        "\u{0}\u{1b}[31mred\u{7}\u{9b}2J\r\n/close\u{202e}\u{200b}",
        "<script>alert('x')</script>|a|`b`](javascript:x) @all #1 !1 ${x} {{7*7}} \"\\",
        "https://h/%zz#a#b [x] \u{10ffff}",
        "CVE-2024-1 世界❤️\u{fe0f}👨‍👩‍👧",
        &long,
    ] {
        let what: String = text.chars().take(60).collect();
        documents.push((format!("{what:?}"), with_text(text)));
    }
    documents
}

fn renderer(format: &str) -> &'static dyn Renderer {
    *RENDERERS.iter().find(|renderer| renderer.format() == format).expect(format)
}

fn parts(format: &str, document: &ScanDocument) -> Vec<String> {
    let renderer = renderer(format);
    let render = |part| {
        let mut out = Vec::new();
        renderer.render(document, part, &mut out).expect("writes to memory");
        String::from_utf8(out).expect("is text")
    };
    let parts: Vec<String> = (0..renderer.files(document).len()).map(render).collect();
    assert!(renderer.render(document, parts.len(), &mut Vec::new()).is_err(), "{format} has a part too many");
    parts
}

fn reports(format: &str, document: &ScanDocument) -> Vec<Value> {
    parts(format, document).iter().map(|text| serde_json::from_str(text).expect("is JSON")).collect()
}

fn table(document: &ScanDocument, width: usize, color: bool) -> String {
    let mut options = TableOptions::default();
    options.width = width;
    options.color = color;
    let mut out = Vec::new();
    table::render(document, &options, &mut out).expect("writes to memory");
    String::from_utf8(out).expect("is text")
}

#[test]
fn the_scan_document_survives_being_written() {
    for (what, document) in documents() {
        let [written] = parts("json", &document).try_into().expect("one file");
        assert_eq!(serde_json::from_str::<ScanDocument>(&written).expect("reads"), document, "{what}");
    }
}

#[test]
fn gitlabs_report_is_valid_in_all_versions() {
    let Some(schemas) = schemas() else { return };
    for version in ["15.0.7", "15.1.4", "15.2.1"] {
        let path = schemas.join(format!("gitlab-security-report/{version}/container-scanning-report-format.json"));
        let validator = validator(&read(&path));
        for (what, document) in documents() {
            for report in reports("gitlab", &document) {
                assert_valid(&validator, &report, &format!("{version}, {what}"));
            }
        }
    }
}

#[test]
fn gitlabs_report_keeps_to_limits_that_its_schema_leaves_open() {
    for (what, document) in documents() {
        for report in reports("gitlab", &document) {
            let vulnerabilities = report["vulnerabilities"].as_array().expect("a list");
            let mut ids: Vec<_> = vulnerabilities.iter().map(|v| v["id"].as_str()).collect();
            ids.sort_unstable();
            ids.dedup();
            assert!(what != "full" || ids.len() == vulnerabilities.len() && ids.len() == 6, "{what}: {ids:?}");
            for vulnerability in vulnerabilities {
                assert!(vulnerability["identifiers"].as_array().is_some_and(|ids| ids.len() <= 20), "{what}");
                assert!(!vulnerability.to_string().contains("CVSS:4"), "{what}");
                let image = vulnerability["location"]["image"].as_str().expect("an image");
                assert!(image.rsplit('/').next().is_some_and(|last| last.contains(':')), "{what}: {image}");
            }
        }
    }
    let report = reports("gitlab", &full()).remove(0);
    let first = &report["vulnerabilities"][0];
    assert_eq!(first["location"]["image"], "reg.example.org:5000/g/p:latest");
    assert_eq!(first["location"]["operating_system"], "debian 12");
    assert_eq!(
        first["identifiers"][0],
        json!({"type": "cve", "name": "CVE-2024-1", "value": "CVE-2024-1",
        "url": "https://nvd.nist.gov/vuln/detail/CVE-2024-1"})
    );
    assert_eq!(first["cvss_vectors"].as_array().map(Vec::len), Some(2));
    assert_eq!(first["links"], json!([{"url": "https://example.org/a?b=c"}]));
    assert_eq!(first["details"]["layer_instruction"]["value"], "RUN apt-get install x");
    assert_eq!(report["scan"]["status"], "failure");
    assert_eq!(report["scan"]["start_time"], "2024-05-04T01:02:03");
    let messages = report["scan"]["messages"].to_string();
    for needle in ["EXAMPLE DATA", "D21", "D16", "no data for npm", "it is cut off"] {
        assert!(messages.contains(needle), "{needle}");
    }
}

#[test]
fn identities_depend_on_neither_version_nor_tag() {
    let before = full();
    let mut after = full();
    after.images[0].name = "reg.example.org:5000/g/p:v2".into();
    let change = |finding: &mut Finding| {
        finding.package.version.push('2');
        finding.package.purl = serde_json::from_value(json!(format!("{}2", finding.package.purl))).expect("a purl");
    };
    after.images[0].findings.iter_mut().take(3).for_each(change);
    for (format, list, id) in [("gitlab", "/vulnerabilities", "id"), ("codequality", "", "fingerprint")] {
        let ids = |document| -> Vec<Value> {
            let report = reports(format, document).remove(0);
            let items = report.pointer(list).and_then(Value::as_array).expect("a list");
            items.iter().take(3).map(|item| item[id].clone()).collect()
        };
        assert_eq!(ids(&before), ids(&after), "{format}");
    }
}

#[test]
fn cyclonedx_is_valid() {
    let Some(schemas) = schemas() else { return };
    let file = |name: &str| read(&schemas.join("cyclonedx").join(name));
    let id = |name: &str| format!("http://cyclonedx.org/schema/{name}");
    let mut registry = Registry::new();
    for name in ["spdx.SNAPSHOT.schema.json", "jsf-0.82.SNAPSHOT.schema.json", "cryptography-defs.SNAPSHOT.schema.json"]
    {
        registry = registry.add(id(name), file(name)).expect("a schema");
    }
    let registry = registry.prepare().expect("schemas");
    let schema = file("bom-1.6.SNAPSHOT.schema.json");
    let options = jsonschema::options().with_registry(&registry).should_validate_formats(true);
    let validator = options.build(&schema).expect("the schema is valid");
    for (what, document) in documents() {
        for report in reports("cyclonedx", &document) {
            assert_valid(&validator, &report, &what);
        }
    }
}

#[test]
fn cyclonedx_says_what_gitlab_and_trivy_look_for() {
    let document = full();
    assert_eq!(renderer("cyclonedx").files(&document), ["gl-sbom-reg-example-org-5000-g-p-latest.cdx.json"]);
    assert!(renderer("cyclonedx").files(&empty()).is_empty());
    let report = reports("cyclonedx", &document).remove(0);
    assert_eq!(report, reports("cyclonedx", &document).remove(0), "the same document makes the same bill");
    for (name, value) in [
        ("gitlab:meta:schema_version", "1"),
        ("gitlab:container_scanning:image:name", "reg.example.org:5000/g/p"),
        ("gitlab:container_scanning:image:tag", "latest"),
        ("gitlab:container_scanning:operating_system:name", "debian"),
        ("gitlab:container_scanning:operating_system:version", "12"),
    ] {
        let properties = report["metadata"]["properties"].as_array().expect("properties");
        assert!(properties.contains(&json!({"name": name, "value": value})), "{name}");
    }
    let components = report["components"].as_array().expect("components");
    let refs: std::collections::BTreeSet<_> = components.iter().map(|c| c["bom-ref"].as_str()).collect();
    assert_eq!(refs.len(), components.len(), "references are unique");
    let openssl = components.iter().find(|c| c["name"] == "openssl").expect("openssl");
    assert!(openssl["properties"].to_string().contains("openssl-src"));
    for vulnerability in report["vulnerabilities"].as_array().expect("vulnerabilities") {
        for affected in vulnerability["affects"].as_array().expect("affects") {
            assert!(refs.contains(&affected["ref"].as_str()), "{affected}");
        }
    }
    let two: Vec<_> = [&document.images[0], &document.images[0]].into_iter().cloned().collect();
    let files = renderer("cyclonedx").files(&ScanDocument { images: two, ..document });
    assert_eq!(files.len(), 2);
    assert_ne!(files[0], files[1]);
}

#[test]
fn sarif_is_valid_and_within_the_readers_limits() {
    let Some(schemas) = schemas() else { return };
    let text = std::fs::read_to_string(schemas.join("sarif/sarif-schema-2.1.0.json")).expect("the schema");
    // The published pattern of `language` has a stray bracket, which makes it no regular expression.
    let text = text.replace("^[a-zA-Z]{2}|^[a-zA-Z]{2}-[a-zA-Z]{2}]?$", "^[a-zA-Z]{2}(-[a-zA-Z]{2})?$");
    let validator = validator(&serde_json::from_str(&text).expect("JSON"));
    for (what, document) in documents() {
        for report in reports("sarif", &document) {
            assert_valid(&validator, &report, &what);
            assert_short(&report, &what);
        }
    }
    let mut many = full();
    let finding = many.images[0].findings[0].clone();
    many.images[0].findings = (0..5001).map(|n| Finding { id: format!("CVE-1-{n}"), ..finding.clone() }).collect();
    let report = reports("sarif", &many).remove(0);
    let sizes: Vec<_> =
        report["runs"].as_array().into_iter().flatten().map(|r| r["results"].as_array().map(Vec::len)).collect();
    assert_eq!(sizes, [Some(5000), Some(2)]);
    assert_valid(&validator, &report, "many results");
}

fn assert_short(report: &Value, what: &str) {
    let length = |value: &Value| value.as_str().map_or(0, |text| text.chars().count());
    for run in report["runs"].as_array().expect("runs") {
        for rule in run["tool"]["driver"]["rules"].as_array().expect("rules") {
            assert!(length(&rule["name"]) <= 255 && length(&rule["helpUri"]) <= 2048, "{what}");
            assert!(length(&rule["shortDescription"]["text"]) <= 1024, "{what}");
            assert!(length(&rule["fullDescription"]["text"]) <= 2048, "{what}");
            assert!(rule["properties"]["tags"].as_array().is_some_and(|tags| tags.len() <= 10), "{what}");
        }
        for result in run["results"].as_array().expect("results") {
            assert!(length(&result["message"]["text"]) <= 2048, "{what}");
        }
    }
}

#[test]
fn sarif_tells_apart_packages_and_what_does_not_count() {
    let report = reports("sarif", &full()).remove(0);
    let results = report["runs"][0]["results"].as_array().expect("results");
    assert_eq!(results.len(), 7);
    let place = |result: &Value| result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"].clone();
    assert_eq!(place(&results[0]), "reg.example.org%3A5000/g/p/var/lib/dpkg/status#libssl3");
    assert_ne!(place(&results[0]), place(&results[1]));
    let suppressed: Vec<_> = results.iter().filter(|result| result.get("suppressions").is_some()).collect();
    assert_eq!(suppressed.len(), 1);
    assert_eq!(suppressed[0]["suppressions"][0]["kind"], "external");
    assert_eq!(report["runs"][0]["invocations"][0]["executionSuccessful"], false);
}

#[test]
fn code_quality_is_valid_and_fingerprints_are_unique() {
    let Some(schemas) = schemas() else { return };
    let validator = validator(&read(&schemas.join("code-quality/codeclimate.json")));
    for (what, document) in documents() {
        let report = reports("codequality", &document).remove(0);
        for issue in report.as_array().expect("a list") {
            assert_valid(&validator, issue, &what);
        }
    }
    let report = reports("codequality", &full()).remove(0);
    let issues = report.as_array().expect("a list");
    let fingerprints: std::collections::BTreeSet<_> = issues.iter().map(|i| i["fingerprint"].as_str()).collect();
    assert_eq!((issues.len(), fingerprints.len()), (6, 6));
    assert_eq!(issues[0]["severity"], "blocker");
}

#[test]
fn dotenv_is_what_gitlab_accepts() {
    for (what, document) in documents() {
        let [text] = parts("dotenv", &document).try_into().expect("one file");
        assert!(text.len() < 5000 && text.lines().count() <= 20, "{what}");
        for line in text.lines() {
            let (name, value) = line.split_once('=').expect(line);
            assert!(name.bytes().all(|b| b.is_ascii_uppercase() || b == b'_'), "{line}");
            assert!(value.bytes().all(|b| b.is_ascii_alphanumeric()), "{line}");
        }
    }
    let [text] = parts("dotenv", &full()).try_into().expect("one file");
    for line in ["PLIMSOLL_STATUS=failed", "PLIMSOLL_CRITICAL=1", "PLIMSOLL_LOW=2", "PLIMSOLL_EXAMPLE_DATA=true"] {
        assert!(text.lines().any(|l| l == line), "{line} is not in\n{text}");
    }
}

#[test]
fn markdown_holds_untrusted_text_in_code_only() {
    for (what, document) in documents() {
        let [text] = parts("markdown", &document).try_into().expect("one file");
        for line in text.lines() {
            let outside: String = line.split('`').step_by(2).collect();
            for bad in ["<", "javascript", "@", "${", "/close", "\u{1b}", "\u{202e}"] {
                assert!(!outside.contains(bad), "{what}: {line}");
            }
            assert_eq!(line.matches('`').count() % 2, 0, "{what}: {line}");
        }
    }
    let [text] = parts("markdown", &full()).try_into().expect("one file");
    for needle in
        ["EXAMPLE DATA", "D16", "no data for npm", "[CVE-2024-1](https://nvd.nist.gov/vuln/detail/CVE-2024-1)"]
    {
        assert!(text.contains(needle), "{needle} is not in\n{text}");
    }
}

#[test]
fn the_table_is_never_wider_than_asked_and_never_obeys_text() {
    for (what, document) in documents() {
        for width in [24, 40, 60, 80, 200] {
            for line in table(&document, width, false).lines() {
                assert!(line.width() <= width, "{what}: {} > {width}: {line}", line.width());
                assert!(!line.contains(|c: char| c.is_control() || c == '\u{202e}'), "{what}: {line:?}");
            }
        }
    }
    assert!(table(&full(), 80, true).contains("\u{1b}["));
}

#[test]
fn the_table_says_what_must_not_be_missed() {
    let text = table(&full(), 160, false);
    for needle in [
        "EXAMPLE DATA",
        "Debian GNU/Linux 12",
        "aaaaaaaaaaaa",
        "1 critical",
        "error[D16]",
        "Not scanned",
        "no data for npm",
        "1 suppressed",
        "it is cut off",
        "3.0.2-1",
        "3 days old",
    ] {
        assert!(text.contains(needle), "{needle} is not in\n{text}");
    }
}

#[test]
fn nothing_is_called_clean_that_was_not_judged() {
    let says_clean = |document: &ScanDocument| {
        let words = ["No known vulnerabilities", "=clean"];
        let all =
            [table(document, 120, false), parts("dotenv", document).concat(), parts("markdown", document).concat()];
        let clean = all.map(|text| words.iter().any(|word| text.contains(word)));
        assert!(clean.iter().all(|c| *c == clean[0]), "the formats disagree");
        clean[0]
    };
    let mut clean = full();
    clean.outcome = plimsoll::model::Outcome::Success;
    clean.images.truncate(1);
    clean.images[0].findings.clear();
    clean.images[0].coverage.truncate(1);
    clean.diagnoses.clear();
    let database = clean.database.as_mut().expect("a database");
    database.example = false;
    clean.images[0].inventory.as_mut().expect("an inventory").gaps.clear();
    assert!(says_clean(&clean));
    type Change = fn(&mut ScanDocument);
    let changes: [(&str, Change); 7] = [
        ("no database", |d| d.database = None),
        ("example data", |d| d.database.as_mut().expect("a database").example = true),
        ("no data", |d| d.images[0].coverage = full().images[0].coverage.clone()),
        ("nothing asked", |d| d.images[0].coverage.clear()),
        ("no packages", |d| d.images[0].inventory.as_mut().expect("an inventory").packages.clear()),
        ("a gap", |d| d.images[0].inventory = full().images[0].inventory.clone()),
        ("failed", |d| {
            *d = ScanDocument {
                outcome: plimsoll::model::Outcome::Failure,
                images: full().images.split_off(1),
                ..d.clone()
            }
        }),
    ];
    for (what, change) in changes {
        let mut changed = clean.clone();
        change(&mut changed);
        assert!(!says_clean(&changed), "{what}");
    }
}
