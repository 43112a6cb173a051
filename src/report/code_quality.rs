//! GitLab's Code Quality report, `gl-code-quality-report.json`: the widget in merge requests that every tier has.
//!
//! GitLab compares it with the target branch's by fingerprint, so a fingerprint does not depend on the version or
//! the tag. The path is the image's Dockerfile as far as anybody knows it: `Dockerfile` at the root.

use std::io;

use serde::Serialize;

use crate::model::{Finding, ScanDocument, Severity};

use super::image_name::ImageName;
use super::renderer::{Renderer, no_such_part, write_json};
use super::stable_id::{self, FindingNames};
use super::{text, wording};

/// The format `codequality`.
pub struct CodeQuality;

const PATH: &str = "Dockerfile";

#[derive(Serialize)]
struct Issue {
    description: String,
    check_name: String,
    fingerprint: String,
    severity: &'static str,
    location: Location,
}

#[derive(Serialize)]
struct Location {
    path: &'static str,
    lines: Lines,
}

#[derive(Serialize)]
struct Lines {
    begin: u32,
}

impl Renderer for CodeQuality {
    fn format(&self) -> &'static str {
        "codequality"
    }

    fn files(&self, _: &ScanDocument) -> Vec<String> {
        vec!["gl-code-quality-report.json".into()]
    }

    fn render(&self, document: &ScanDocument, part: usize, out: &mut dyn io::Write) -> io::Result<()> {
        if part != 0 {
            return Err(no_such_part(self.format(), part));
        }
        let mut names = FindingNames::default();
        let is_example = wording::example_banner(document).is_some();
        let mut issues = Vec::new();
        for image in &document.images {
            let name = ImageName::of(image);
            issues.extend(image.findings.iter().map(|finding| issue(&name, finding, is_example, &mut names)));
        }
        write_json(&issues, out)
    }
}

fn issue(image: &ImageName, finding: &Finding, is_example: bool, names: &mut FindingNames) -> Issue {
    let id = wording::or(text::line(&finding.id), "unknown");
    let (package, version) = (text::line(&finding.package.name), text::line(&finding.package.version));
    let example = if is_example { "EXAMPLE DATA: " } else { "" };
    let sentence = wording::solution(finding);
    let description = format!("{example}{id} in {package} {version} of {}. {sentence}", image.name);
    Issue {
        description: text::cut(description, 1000),
        check_name: text::cut(id, 255),
        fingerprint: stable_id::fingerprint(&names.parts(&image.name, finding)),
        severity: severity(finding.severity),
        location: Location { path: PATH, lines: Lines { begin: 1 } },
    }
}

fn severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical => "blocker",
        Severity::High => "critical",
        Severity::Medium => "major",
        Severity::Low | Severity::Unknown => "minor",
        Severity::Info => "info",
    }
}
