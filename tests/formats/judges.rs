//! Independent readers of all reports: `.ci/judge-reports`, in the interpreter that `PLIMSOLL_PYTHON` names.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use plimsoll::commands::write_reports;
use plimsoll::model::{Dockerfile, ScanDocument, Severity};
use plimsoll::report::comment::{self, CommentContext};

use super::{all, documents};

/// Names of packages that break out of tables, code spans, lines and tags, and what GitLab makes of text.
const HOSTILE: &[&str] = &[
    "a|b",
    "a\\|b\\",
    "`tick``s` ```",
    "line\r\nbreak\u{2028}",
    "<script>alert(1)</script>",
    "<!-- x --><img src=x onerror=alert(1)>",
    "</details>",
    "@all",
    "~label %milestone #1 !2 $3 &4 ^alert#5",
    "/close",
    "\n/assign @root\n",
    "[x](javascript:alert(1)) ![y](https://evil.example/z)",
    "[vulnerability:1]",
    "|---|---|",
    "**bold** ~~gone~~ *",
    "https://evil.example/?a=1",
];

/// An image of packages with hostile names, versions, paths and advisories, compared with another.
fn hostile_packages() -> ScanDocument {
    let mut image = documents::debian("registry.example.com/shop/web:main");
    let mut findings = Vec::new();
    for (number, name) in HOSTILE.iter().enumerate() {
        for package in [documents::deb(name, name, name), documents::npm(name, name)] {
            let fix = (number % 2 == 0).then_some(*name);
            let index = documents::add(&mut image, package);
            for id in [format!("CVE-2026-{number}"), format!("{name}{number}")] {
                let mut finding = documents::finding(&image, index, &id, Severity::ALL[number % 6], fix);
                finding.title = (*name).into();
                finding.description = format!("{name}\n{name}");
                findings.push(finding);
            }
        }
    }
    findings.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
    image.findings = findings;
    let mut document = ScanDocument { images: vec![image], ..documents::document() };
    document.project.dockerfile =
        Some(Dockerfile { path: "Dockerfile".into(), text: "FROM debian:12\nRUN npm ci --omit=dev\n".into() });
    documents::compared(document)
}

fn has_readers() -> bool {
    let modules = "import cyclonedx, jsonschema, junitparser, markdown_it, packageurl, spdx_tools";
    let run = Command::new(python()).args(["-c", modules]).output();
    let has = run.is_ok_and(|run| run.status.success());
    if !has {
        eprintln!("skipped: `{}` has not all readers of `.ci/judge-reports`", python());
    }
    has
}

fn python() -> String {
    std::env::var("PLIMSOLL_PYTHON").unwrap_or_else(|_| "python3".into())
}

/// All reports of a document, the comment too.
fn write(document: &ScanDocument, directory: &Path) {
    write_reports(document, directory).unwrap();
    fs::write(directory.join("comment.md"), comment::render(document, &CommentContext::default())).unwrap();
}

fn judge(directory: &Path) -> Output {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join(".ci/judge-reports");
    Command::new(python()).arg(script).arg(directory).output().unwrap()
}

#[test]
fn others_can_read_all_reports() {
    if !has_readers() {
        return;
    }
    let documents = all()
        .into_iter()
        .filter(|(what, _)| *what != "many")
        .chain([("many", documents::many(300)), ("hostile packages", hostile_packages())]);
    for (what, document) in documents {
        let place = tempfile::tempdir().unwrap();
        write(&document, place.path());
        let run = judge(place.path());
        assert!(run.status.success(), "{what}:\n{}", String::from_utf8_lossy(&run.stderr));
    }
}

/// A judge that takes everything is none.
#[test]
fn the_judges_refuse_what_gitlab_would() {
    if !has_readers() {
        return;
    }
    let place = tempfile::tempdir().unwrap();
    let document = documents::from_dockerfile();
    let security = "gl-container-scanning-report.json";
    let quality = "gl-code-quality-report.json";
    for (file, from, to, refusal) in [
        (security, "\"image\":\"registry.example.com/shop/web:main\"", "\"image\":\"reg.io:5000/g/p\"", "no tag"),
        (
            security,
            "\"identifiers\":[",
            "\"identifiers\":[{\"type\":\"cwe\",\"name\":\"CWE-1\",\"value\":\"1\"},",
            "a CVE does not come first",
        ),
        (security, "\"severity\":\"Critical\"", "\"severity\":\"critical\"", "severity"),
        (security, "\"fixes\":[{\"id\":\"", "\"fixes\":[{\"id\":\"x", "a remediation of nothing"),
        (quality, "\"fingerprint\":\"", "\"fingerprint\":7,\"x\":\"", "stops reading at issue 0"),
        (quality, "\"path\":\"docker", "\"path\":\"./docker", "no path in the project"),
        (quality, "\"severity\":\"", "\"severity\":\"x", "severity x"),
        ("summary.md", "| `openssl", "| `x` | `openssl", "a row without"),
        ("summary.md", "| Upgrade |", "\n/close\n\n| Upgrade |", "a quick action"),
        ("summary.md", "| Upgrade |", "<script>x</script>\n\n| Upgrade |", "HTML"),
        ("summary.md", "| Upgrade |", "hello @all\n\n| Upgrade |", "a reference"),
        ("comment.md", "| `openssl", "| `x` | `openssl", "a row without"),
        ("comment.md", "`openssl", "~label `openssl", "a reference"),
        ("plimsoll-junit.xml", "in libssl3\"", "in openssl\"", "the same name"),
    ] {
        write(&document, place.path());
        let path = place.path().join(file);
        let text = fs::read_to_string(&path).unwrap();
        let broken = text.replacen(from, to, if file.ends_with("xml") { 99 } else { 1 });
        assert_ne!(text, broken, "{file}: no {from}");
        fs::write(&path, broken).unwrap();
        let run = judge(place.path());
        let said = String::from_utf8_lossy(&run.stderr);
        assert!(!run.status.success() && said.contains(refusal) && said.contains(file), "{file}: {to}:\n{said}");
    }
    fs::remove_file(place.path().join(quality)).unwrap();
    assert!(!judge(place.path()).status.success());
}
