//! The findings as data for the page's script.

use std::borrow::Cow;
use std::io::{self, Write};

use serde::{Serialize, Serializer};

use crate::model::{Finding, ImageScan, ScanDocument, Severity};
use crate::report::identifier::{Identifier, Url};
use crate::report::renderer::buffered;
use crate::report::subject::{Subject, instruction};
use crate::report::{text, wording};

#[derive(Serialize)]
struct Data<'a> {
    images: Vec<Cow<'a, str>>,
    #[serde(serialize_with = "rows")]
    findings: &'a ScanDocument,
}

/// A finding; the script knows the fields by these names.
#[derive(Serialize)]
struct Row<'a> {
    severity: usize,
    id: Cow<'a, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<Url<'a>>,
    title: Cow<'a, str>,
    package: Cow<'a, str>,
    version: Cow<'a, str>,
    fix: Cow<'a, str>,
    fixable: bool,
    path: Cow<'a, str>,
    layer: Cow<'a, str>,
    image: usize,
    exploited: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    epss: Option<f64>,
    why: Cow<'a, str>,
    score: u32,
    /// The severity with all factors, where it is another one.
    #[serde(skip_serializing_if = "Option::is_none")]
    weighed: Option<usize>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    factors: Vec<Cow<'a, str>>,
}

/// Writes JSON that can stand in a `script` element: without `<`, nothing in it ends the element or starts a comment.
pub(super) fn write(document: &ScanDocument, out: &mut dyn Write) -> io::Result<()> {
    let images = document.images.iter().map(|image| text::short(&image.name, LONGEST)).collect();
    let mut inert = Inert(out);
    let mut out = buffered(&mut inert);
    serde_json::to_writer(&mut out, &Data { images, findings: document })?;
    out.flush()
}

/// One row at a time: there may be many.
fn rows<S: Serializer>(document: &ScanDocument, serializer: S) -> Result<S::Ok, S::Error> {
    let all = document.images.iter().enumerate();
    serializer.collect_seq(
        all.flat_map(|(index, image)| image.findings.iter().map(move |finding| row(index, image, finding))),
    )
}

/// Writes JSON with `<` as an escape, which only texts hold.
struct Inert<'a>(&'a mut dyn Write);

impl Write for Inert<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut written = 0;
        for at in memchr::memchr_iter(b'<', bytes) {
            self.0.write_all(bytes.get(written..at).unwrap_or_default())?;
            self.0.write_all(b"\\u003c")?;
            written = at + 1;
        }
        self.0.write_all(bytes.get(written..).unwrap_or_default())?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

fn row<'a>(index: usize, image: &'a ImageScan, finding: &'a Finding) -> Row<'a> {
    let subject = Subject::of(image, finding);
    let short = |value: &'a str| text::short(value, LONGEST);
    let identifier = Identifier::of(&finding.id);
    let position = |wanted| Severity::ALL.iter().position(|severity| *severity == wanted).unwrap_or(0);
    let weighed = finding.weighed();
    Row {
        severity: position(finding.severity),
        url: identifier.url(),
        id: identifier.name,
        title: short(&finding.title),
        package: short(&finding.package.name),
        version: short(&finding.package.version),
        fix: short(finding.fix.version.as_deref().unwrap_or_else(|| wording::fix_state(finding.fix.state))),
        fixable: finding.fix.is_available(),
        path: short(subject.path().unwrap_or("")),
        layer: subject.layer.map_or(Cow::Borrowed(""), |(index, layer)| {
            text::short(format!("{}. {}", index + 1, instruction(layer).unwrap_or("")), LONGEST)
        }),
        image: index,
        exploited: finding.kev.is_some(),
        epss: finding.epss.as_ref().map(|epss| epss.score).filter(|score| score.is_finite()),
        why: text::short(finding.statements.first().map(wording::statement).unwrap_or_default(), LONGEST),
        score: finding.score,
        weighed: (weighed != finding.severity).then(|| position(weighed)),
        factors: finding.factors.iter().map(|factor| text::short(wording::factor(factor), LONGEST)).collect(),
    }
}

const LONGEST: usize = 300;
