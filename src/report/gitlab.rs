//! GitLab's container-scanning report, `gl-container-scanning-report.json` (security report schemas 15.0.7, also
//! valid as 15.1 and 15.2).
//!
//! One violation of the schema makes GitLab refuse the whole report, so every text is cleaned and cut to the schema's
//! limits here, and what GitLab does not take (CVSS v4, links of other schemes) is left out. The location's image
//! always carries a tag, see [`super::image_name`].

mod cvss;
mod details;
mod schema;

use std::collections::BTreeSet;
use std::io;

use jiff::Timestamp;

use crate::model::{Finding, ImageScan, Outcome, ScanDocument};

use super::identifier;
use super::image_name::ImageName;
use super::renderer::{Renderer, no_such_part, write_json};
use super::stable_id::{self, FindingNames};
use super::{text, wording};
use schema::{
    Dependency, Identifier, Level, Link, Location, Message, Package, Program, Report, Scan, Vendor, Vulnerability,
};

/// The format `gitlab`.
pub struct Gitlab;

const VERSION: &str = "15.0.7";
const MOST_NAME: usize = 255;
const MOST_DESCRIPTION: usize = 100_000;
const MOST_SOLUTION: usize = 7000;
const MOST_IDENTIFIERS: usize = 20;
const MOST_LINKS: usize = 50;
/// Gaps that are listed for one image; the rest is counted.
const MOST_GAPS: usize = 50;

impl Renderer for Gitlab {
    fn format(&self) -> &'static str {
        "gitlab"
    }

    fn files(&self, _: &ScanDocument) -> Vec<String> {
        vec!["gl-container-scanning-report.json".into()]
    }

    fn render(&self, document: &ScanDocument, part: usize, out: &mut dyn io::Write) -> io::Result<()> {
        if part != 0 {
            return Err(no_such_part(self.format(), part));
        }
        let mut names = FindingNames::default();
        let mut vulnerabilities = Vec::new();
        for image in &document.images {
            let name = ImageName::of(image);
            vulnerabilities.extend(image.findings.iter().map(|f| vulnerability(image, &name, f, &mut names)));
        }
        write_json(&Report { version: VERSION, scan: scan(document), vulnerabilities }, out)
    }
}

fn scan(document: &ScanDocument) -> Scan {
    let program = Program {
        id: wording::or(text::line(&document.tool.name), "plimsoll"),
        name: "Plimsoll",
        version: wording::or(text::line(&document.tool.version), "unknown"),
        vendor: Vendor { name: "Plimsoll" },
    };
    Scan {
        analyzer: program.clone(),
        scanner: program,
        start_time: time(document.started),
        end_time: time(document.finished),
        status: match document.outcome {
            Outcome::Success => "success",
            Outcome::Failure => "failure",
        },
        kind: "container_scanning",
        messages: messages(document),
    }
}

/// UTC without zone and fraction, as the schema wants it.
fn time(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%S").to_string()
}

fn messages(document: &ScanDocument) -> Vec<Message> {
    let warn = |value: String| Message { level: Level::Warn, value };
    let fatal = |value: String| Message { level: Level::Fatal, value: text::cut(text::line(&value), 4000) };
    let mut messages: Vec<Message> =
        wording::example_banner(document).map(|text| warn(text.into())).into_iter().collect();
    messages.extend(document.diagnoses.iter().map(|diagnosis| fatal(diagnosis.to_string())));
    for image in &document.images {
        let name = text::cut(text::line(&image.name), 300);
        messages.extend(image.diagnosis.iter().map(|diagnosis| fatal(format!("{name}: {diagnosis}"))));
        messages.extend(wording::missing_data(image).into_iter().map(|text| warn(format!("{name}: {text}"))));
        let gaps = image.inventory.as_ref().map_or(&[][..], |inventory| &inventory.gaps);
        messages.extend(gaps.iter().take(MOST_GAPS).map(|gap| warn(format!("{name}: {}", wording::gap(gap)))));
        if gaps.len() > MOST_GAPS {
            messages.push(warn(format!("{name}: {} more gaps, see plimsoll.json", gaps.len() - MOST_GAPS)));
        }
    }
    messages
}

fn vulnerability(
    image: &ImageScan,
    image_name: &ImageName,
    finding: &Finding,
    names: &mut FindingNames,
) -> Vulnerability {
    let package = wording::or(text::cut(text::line(&finding.package.name), MOST_NAME), "unknown");
    let id = wording::or(text::line(&finding.id), "unknown");
    let title = text::line(&finding.title);
    let name = if title.is_empty() { format!("{id} in {package}") } else { format!("{id} in {package}: {title}") };
    let description = if finding.description.is_empty() { title } else { text::lines(&finding.description) };
    let system = image.inventory.as_ref().and_then(|inventory| inventory.distribution.as_ref());
    let system = system.map(|d| text::cut(text::line(&format!("{} {}", d.id, d.version)), MOST_NAME));
    let system = system.unwrap_or_default();
    Vulnerability {
        id: stable_id::uuid(&names.parts(&image_name.name, finding)),
        name: text::cut(name, MOST_NAME),
        description: text::cut(description, MOST_DESCRIPTION),
        severity: finding.severity.label(),
        solution: text::cut(wording::solution(finding), MOST_SOLUTION),
        identifiers: identifiers(finding),
        cvss_vectors: cvss::vectors(&finding.cvss),
        links: links(finding),
        details: details::of(image, finding),
        location: Location {
            dependency: Dependency {
                package: Package { name: package },
                version: wording::or(text::cut(text::line(&finding.package.version), MOST_NAME), "unknown"),
            },
            operating_system: wording::or(system, "Unknown"),
            image: image_name.with_tag(),
        },
    }
}

/// The finding's ids in their order, then its weaknesses; GitLab keeps the first twenty.
fn identifiers(finding: &Finding) -> Vec<Identifier> {
    let ids = if finding.identifiers.is_empty() { std::slice::from_ref(&finding.id) } else { &finding.identifiers };
    let mut all: Vec<Identifier> = ids
        .iter()
        .filter_map(|id| identifier::Identifier::of(id))
        .map(|id| Identifier { kind: id.kind, name: id.id.clone(), value: id.id, url: id.url })
        .collect();
    if all.is_empty() {
        all.push(Identifier { kind: "advisory".into(), name: "unknown".into(), value: "unknown".into(), url: None });
    }
    let weaknesses = finding.cwes.iter().filter_map(|cwe| cwe.strip_prefix("CWE-")?.parse::<u32>().ok());
    all.extend(weaknesses.map(|number| Identifier {
        kind: "cwe".into(),
        name: format!("CWE-{number}"),
        value: number.to_string(),
        url: Some(format!("https://cwe.mitre.org/data/definitions/{number}.html")),
    }));
    all.truncate(MOST_IDENTIFIERS);
    all
}

fn links(finding: &Finding) -> Vec<Link> {
    let mut seen = BTreeSet::new();
    let urls = finding.references.iter().map(|reference| reference.url.as_str());
    urls.filter(|url| text::is_link(url) && seen.insert(*url))
        .take(MOST_LINKS)
        .map(|url| Link { url: url.into() })
        .collect()
}
