//! `plimsoll.sarif`: SARIF 2.1.0 (OASIS), one run per image, within the limits at which GitLab starts to drop things:
//! 20 runs, 5,000 results and 25,000 rules per run, and the lengths of texts.
//!
//! A vulnerability is a rule; a finding is a result at the line of the Dockerfile that brought it where that is known,
//! with the file in the image that names the package beside it; else at that file.

mod results;
mod rules;

use std::io;

use serde::{Serialize, Serializer};
use serde_json::json;
use serde_sarif::sarif::{
    Invocation, Message, Notification, Run, RunAutomationDetails, SCHEMA_URL, Tool, ToolComponent,
};

use crate::model::{Finding, ImageScan, Outcome, ScanDocument, Suppressed};

use super::Renderer;
use super::image_name::ImageName;
use super::origin::Origins;
use super::renderer::{only_part, write_json};
use super::subject::Subject;
use super::text;
use super::wording::{self, Level};

/// SARIF.
pub(super) struct Sarif;

impl Renderer for Sarif {
    fn format(&self) -> &'static str {
        "sarif"
    }

    fn files(&self, _: &ScanDocument) -> Vec<String> {
        vec!["plimsoll.sarif".into()]
    }

    fn render(&self, document: &ScanDocument, part: usize, out: &mut dyn io::Write) -> io::Result<()> {
        only_part(self.format(), part)?;
        let names: Vec<ImageName> = document.images.iter().map(ImageName::of).collect();
        let runs = Runs { document, parts: runs(document, &names) };
        write_json(&Log { schema: SCHEMA_URL, version: "2.1.0", runs }, out)
    }
}

/// A finding on its way to a result.
#[derive(Clone, Copy)]
struct Item<'a> {
    name: &'a ImageName,
    image: &'a ImageScan,
    finding: &'a Finding,
    suppressed: Option<&'a Suppressed>,
    /// Path and line in the project's Dockerfile.
    origin: Option<(&'a str, u32)>,
}

/// The log; `serde_sarif`'s own wants all runs at once.
#[derive(Serialize)]
struct Log<'a> {
    #[serde(rename = "$schema")]
    schema: &'static str,
    version: &'static str,
    runs: Runs<'a>,
}

/// Each run is made when it is written: the library's types are large, and there may be many results.
struct Runs<'a> {
    document: &'a ScanDocument,
    parts: Vec<(String, Vec<Item<'a>>)>,
}

impl Serialize for Runs<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.parts.iter().map(|(id, items)| run(self.document, id, items)))
    }
}

/// Which findings go into which run: a run per image, or, where that makes too many, as few runs as possible.
fn runs<'a>(document: &'a ScanDocument, names: &'a [ImageName]) -> Vec<(String, Vec<Item<'a>>)> {
    let images = || document.images.iter().zip(names);
    let mut runs = Vec::new();
    for (image, name) in images() {
        runs.extend(parts(&name.to_string(), items(document, image, name)));
    }
    if runs.is_empty() || runs.len() > MOST_RUNS {
        runs = parts("images", images().flat_map(|(image, name)| items(document, image, name)).collect());
    }
    runs
}

fn items<'a>(document: &'a ScanDocument, image: &'a ImageScan, name: &'a ImageName) -> Vec<Item<'a>> {
    let origins = Origins::of(document, image);
    let findings = image.findings.iter().map(|finding| (finding, None));
    let suppressed = image.suppressed.iter().map(|suppressed| (&suppressed.finding, Some(suppressed)));
    let item = |(finding, suppressed): (&'a Finding, _)| Item {
        name,
        image,
        finding,
        suppressed,
        origin: origins.place(&Subject::of(image, finding)),
    };
    findings.chain(suppressed).map(item).collect()
}

/// At least one part, so that an image without findings has a run that says so.
fn parts<'a>(name: &str, items: Vec<Item<'a>>) -> Vec<(String, Vec<Item<'a>>)> {
    if items.len() <= MOST_RESULTS {
        return vec![(format!("plimsoll/{name}/"), items)];
    }
    let chunks = items.chunks(MOST_RESULTS).enumerate();
    chunks.map(|(index, chunk)| (format!("plimsoll/{name}/{}/", index + 1), chunk.to_vec())).collect()
}

fn run(document: &ScanDocument, id: &str, items: &[Item<'_>]) -> Run {
    let rules = rules::Rules::of(items);
    let results = results::all(items, &rules);
    let driver = ToolComponent::builder()
        .name("Plimsoll")
        .version(text::short(&document.tool.version, 255))
        .organization("Plimsoll")
        .rules(rules.descriptors)
        .build();
    Run::builder()
        .tool(Tool::builder().driver(driver).build())
        .automation_details(RunAutomationDetails::builder().id(text::short(id, LONGEST_URI)).build())
        .invocations(vec![invocation(document)])
        .column_kind(json!("unicodeCodePoints"))
        .results(results)
        .build()
}

fn invocation(document: &ScanDocument) -> Invocation {
    let notifications: Vec<Notification> = wording::messages(document).iter().map(notification).collect();
    let mut invocation = Invocation::builder()
        .execution_successful(document.outcome == Outcome::Success)
        .tool_execution_notifications(notifications)
        .build();
    invocation.start_time_utc = text::date_time(document.started);
    invocation.end_time_utc = text::date_time(document.finished);
    invocation
}

fn notification(message: &wording::Message) -> Notification {
    let level = match message.level {
        Level::Info => "note",
        Level::Warning => "warning",
        Level::Fatal => "error",
    };
    Notification::builder().level(json!(level)).message(said(&message.text)).build()
}

/// A plain message of bounded length.
fn said(text: &str) -> Message {
    Message::builder().text(text::short(text, LONGEST_MESSAGE)).build()
}

const MOST_RUNS: usize = 20;
const MOST_RESULTS: usize = 5_000;
const LONGEST_MESSAGE: usize = 2048;
const LONGEST_URI: usize = 2048;
