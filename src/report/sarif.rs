//! SARIF 2.1.0, `plimsoll.sarif`, within the limits of the readers that are known (GitLab: 20 runs, 5,000 results in
//! a run, 10 tags for a rule, texts of 2,048 characters; a longer text makes it skip the result).
//!
//! GitLab tells results apart by rule and place only, so the package's name is the fragment of the place's URI:
//! two packages of one package database stay two results. Suppressed findings are results with a suppression.

mod rules;

use std::io;

use serde_sarif::sarif::{
    ArtifactLocation, Invocation, Location, LogicalLocation, Message, Notification, PhysicalLocation, Result,
    ResultLevel, Run, Sarif as Log, Suppression, Tool, ToolComponent,
};

use crate::model::{Finding, ImageScan, Outcome, ScanDocument, Severity, Suppressed};

use super::image_name::ImageName;
use super::renderer::{Renderer, no_such_part, write_json};
use super::stable_id::{self, FindingNames};
use super::text;
use super::wording::{self, Origin};
use rules::Rules;

/// The format `sarif`.
pub struct Sarif;

const SCHEMA: &str = "https://json.schemastore.org/sarif-2.1.0.json";
const MOST_RUNS: usize = 20;
const MOST_RESULTS: usize = 5000;
const MOST_TEXT: usize = 2048;
const MOST_GAPS: usize = 100;

impl Renderer for Sarif {
    fn format(&self) -> &'static str {
        "sarif"
    }

    fn files(&self, _: &ScanDocument) -> Vec<String> {
        vec!["plimsoll.sarif".into()]
    }

    fn render(&self, document: &ScanDocument, part: usize, out: &mut dyn io::Write) -> io::Result<()> {
        if part != 0 {
            return Err(no_such_part(self.format(), part));
        }
        write_json(&log(document), out)
    }
}

/// A finding in its image, and why it does not count if it does not.
struct Entry<'a> {
    image: &'a ImageScan,
    name: &'a ImageName,
    finding: &'a Finding,
    suppressed: Option<&'a Suppressed>,
}

fn log(document: &ScanDocument) -> Log {
    let names: Vec<ImageName> = document.images.iter().map(ImageName::of).collect();
    let images = || document.images.iter().zip(&names);
    let counted = images().flat_map(|(image, name)| {
        image.findings.iter().map(move |finding| Entry { image, name, finding, suppressed: None })
    });
    let suppressed = images().flat_map(|(image, name)| {
        image.suppressed.iter().map(move |s| Entry { image, name, finding: &s.finding, suppressed: Some(s) })
    });
    let entries: Vec<Entry<'_>> = counted.chain(suppressed).collect();
    let omitted = entries.len().saturating_sub(MOST_RUNS * MOST_RESULTS);
    let mut identities = FindingNames::default();
    let mut runs: Vec<Run> =
        entries.chunks(MOST_RESULTS).take(MOST_RUNS).map(|chunk| run(document, chunk, &mut identities)).collect();
    if runs.is_empty() {
        runs.push(run(document, &[], &mut identities));
    }
    if let Some(first) = runs.first_mut() {
        first.invocations = Some(vec![invocation(document, omitted)]);
    }
    Log::builder().schema(SCHEMA).version("2.1.0").runs(runs).build()
}

fn run(document: &ScanDocument, entries: &[Entry<'_>], identities: &mut FindingNames) -> Run {
    let mut rules = Rules::default();
    let results: Vec<Result> = entries.iter().map(|entry| result(entry, &mut rules, identities)).collect();
    let driver = ToolComponent::builder()
        .name("Plimsoll")
        .version(wording::or(text::line(&document.tool.version), "unknown"))
        .rules(rules.into_descriptors())
        .build();
    Run::builder().tool(Tool::builder().driver(driver).build()).results(results).build()
}

fn result(entry: &Entry<'_>, rules: &mut Rules, identities: &mut FindingNames) -> Result {
    let Entry { image, name, finding, suppressed } = entry;
    let (rule_id, rule_index) = rules.index_of(finding);
    let fingerprint = stable_id::fingerprint(&identities.parts(&name.name, finding));
    let mut result = Result::builder()
        .rule_id(rule_id)
        .rule_index(rule_index)
        .level(level(finding.severity))
        .message(message(result_text(finding, name)))
        .locations(vec![location(image, name, finding)])
        .partial_fingerprints(std::collections::BTreeMap::from([("plimsoll/v1".to_owned(), fingerprint)]))
        .build();
    result.rank = rank(finding.severity);
    result.suppressions = suppressed.map(|suppressed| vec![suppression(suppressed)]);
    result
}

fn result_text(finding: &Finding, name: &ImageName) -> String {
    let id = wording::or(text::line(&finding.id), "unknown");
    let package = text::line(&finding.package.name);
    let version = text::line(&finding.package.version);
    let title = text::line(&finding.title);
    let title = if title.is_empty() { title } else { format!(": {title}") };
    format!("{id} in {package} {version} of {}{title}. {}", name.with_tag(), wording::solution(finding))
}

fn location(image: &ImageScan, name: &ImageName, finding: &Finding) -> Location {
    let path = Origin::of(image, finding).location.map_or("", |location| location.path.as_str());
    let uri =
        format!("{}/{}#{}", encode(&name.name), encode(path.trim_start_matches('/')), encode(&finding.package.name));
    let package = LogicalLocation::builder()
        .fully_qualified_name(text::line(finding.package.purl.as_str()))
        .name(text::line(&finding.package.name))
        .kind("module")
        .build();
    let artifact = ArtifactLocation::builder().uri(uri).build();
    Location::builder()
        .physical_location(PhysicalLocation::builder().artifact_location(artifact).build())
        .logical_locations(vec![package])
        .build()
}

fn suppression(suppressed: &Suppressed) -> Suppression {
    let reason = wording::suppression(suppressed.reason);
    let justification = format!("{reason}: {}", text::line(&suppressed.explanation));
    Suppression::builder()
        .kind("external")
        .status("accepted")
        .justification(text::cut(justification, MOST_TEXT))
        .build()
}

fn invocation(document: &ScanDocument, omitted: usize) -> Invocation {
    let notification = |level: &str, text: String| Notification::builder().level(level).message(message(text)).build();
    let mut notifications = Vec::new();
    notifications.extend(wording::example_banner(document).map(|text| notification("warning", text.to_owned())));
    notifications.extend(document.diagnoses.iter().map(|diagnosis| notification("error", diagnosis.to_string())));
    for image in &document.images {
        let name = text::line(&image.name);
        notifications.extend(image.diagnosis.iter().map(|d| notification("error", format!("{name}: {d}"))));
        let missing = wording::missing_data(image).into_iter();
        notifications.extend(missing.map(|text| notification("warning", format!("{name}: {text}"))));
        let gaps = image.inventory.iter().flat_map(|inventory| &inventory.gaps).take(MOST_GAPS);
        notifications.extend(gaps.map(|gap| notification("warning", format!("{name}: {}", wording::gap(gap)))));
    }
    if omitted > 0 {
        notifications.push(notification("warning", format!("{omitted} more results are in plimsoll.json only")));
    }
    Invocation::builder()
        .execution_successful(document.outcome == Outcome::Success)
        .start_time_utc(document.started.to_string())
        .end_time_utc(document.finished.to_string())
        .tool_execution_notifications(notifications)
        .build()
}

fn message(text: String) -> Message {
    Message::builder().text(text::cut(wording::or(text::line(&text), "unknown"), MOST_TEXT)).build()
}

fn level(severity: Severity) -> ResultLevel {
    match severity {
        Severity::Critical | Severity::High => ResultLevel::Error,
        Severity::Medium | Severity::Unknown => ResultLevel::Warning,
        Severity::Low | Severity::Info => ResultLevel::Note,
    }
}

/// The middle of the band that readers map to the severity (90, 70, 40, 10 and up); none where nobody has said.
fn rank(severity: Severity) -> Option<f64> {
    match severity {
        Severity::Critical => Some(95.0),
        Severity::High => Some(80.0),
        Severity::Medium => Some(55.0),
        Severity::Low => Some(25.0),
        Severity::Info => Some(5.0),
        Severity::Unknown => None,
    }
}

/// Percent-encodes all that a relative URI's path cannot hold; also `:`, which would look like a scheme.
fn encode(path: &str) -> String {
    let mut out = String::with_capacity(path.len());
    for byte in path.bytes().take(1000) {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_' | b'~' | b'/') {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}
