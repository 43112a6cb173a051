//! The findings as data for the page's script.

use std::io::{self, Write};

use serde::Serialize;

use crate::model::{Finding, ImageScan, ScanDocument, Severity};
use crate::report::identifier::Identifier;
use crate::report::subject::{Subject, instruction};
use crate::report::{text, wording};

#[derive(Serialize)]
struct Data {
    images: Vec<String>,
    findings: Vec<Row>,
}

/// A finding; the script knows the fields by these names.
#[derive(Serialize)]
struct Row {
    severity: usize,
    id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<String>,
    title: String,
    package: String,
    version: String,
    fix: String,
    fixable: bool,
    path: String,
    layer: String,
    image: usize,
    exploited: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    epss: Option<f64>,
    why: String,
}

/// Writes JSON that can stand in a `script` element: without `<`, nothing in it ends the element or starts a comment.
pub(super) fn write(document: &ScanDocument, out: &mut dyn Write) -> io::Result<()> {
    let images = document.images.iter().map(|image| text::short(&image.name, LONGEST)).collect();
    let all = document.images.iter().enumerate();
    let findings = all.flat_map(|(index, image)| image.findings.iter().map(move |finding| row(index, image, finding)));
    let json = serde_json::to_string(&Data { images, findings: findings.collect() })?;
    out.write_all(json.replace('<', "\\u003c").as_bytes())
}

fn row(index: usize, image: &ImageScan, finding: &Finding) -> Row {
    let subject = Subject::of(image, finding);
    let short = |value: &str| text::short(value, LONGEST);
    let identifier = Identifier::of(&finding.id);
    Row {
        severity: Severity::ALL.iter().position(|severity| *severity == finding.severity).unwrap_or(0),
        id: identifier.name,
        url: identifier.url,
        title: short(&finding.title),
        package: short(&finding.package.name),
        version: short(&finding.package.version),
        fix: short(finding.fix.version.as_deref().unwrap_or_else(|| wording::fix_state(finding.fix.state))),
        fixable: finding.fix.is_available(),
        path: short(subject.path().unwrap_or("")),
        layer: subject.layer.map_or(String::new(), |(index, layer)| {
            short(&format!("{}. {}", index + 1, instruction(layer).unwrap_or("")))
        }),
        image: index,
        exploited: finding.kev.is_some(),
        epss: finding.epss.as_ref().map(|epss| epss.score).filter(|score| score.is_finite()),
        why: short(&finding.statements.first().map(wording::statement).unwrap_or_default()),
    }
}

const LONGEST: usize = 300;
