//! `plimsoll.sarif`: SARIF 2.1.0 (OASIS), one run per image, within the limits at which GitLab starts to drop things:
//! 10 MB, 20 runs, 5,000 results and 25,000 rules per run, and the lengths of texts.
//!
//! A vulnerability is a rule; a finding is a result at the line of the Dockerfile that brought it where that is known,
//! with the file in the image that names the package beside it; else at that file.

mod results;
mod rules;
mod schema;

use std::borrow::Cow;
use std::cmp::Reverse;
use std::collections::HashSet;
use std::io;

use serde::Serialize;
use serde::ser::{SerializeSeq as _, Serializer};

use crate::model::{Finding, ImageScan, Outcome, ScanDocument, Suppressed};

use super::Renderer;
use super::image_name::ImageName;
use super::origin::Origins;
use super::renderer::{only_part, write_json};
use super::selection::{Selection, fit};
use super::subject::Subject;
use super::text;
use super::wording::{self, Level};

use results::Results;
use rules::Rules;
use schema::{AutomationDetails, Driver, Invocation, Log, Message, Notification, Run, SCHEMA_URL, Tool};

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
        out.write_all(&within(document, LARGEST)?)
    }
}

/// The log, with the most severe findings where GitLab would refuse or drop some otherwise.
fn within(document: &ScanDocument, limit: usize) -> io::Result<Vec<u8>> {
    let names: Vec<(ImageName, String)> = document.images.iter().map(ImageName::of).map(with_text).collect();
    let facts = Facts::of(document);
    let mut selection = Selection::all_of(document);
    if selection.taken() > FEW {
        selection.shrink(fitting(document, &names, limit)?);
    }
    fit(selection, limit, |selection, out| {
        let remark = selection.remark();
        let runs = Runs { document, facts: &facts, remark, parts: runs(document, &names, selection) };
        write_json(&Log { schema: SCHEMA_URL, version: "2.1.0", runs }, out)
    })
}

/// How many of the most severe findings fit, as far as can be told from each of them.
fn fitting(document: &ScanDocument, names: &[(ImageName, String)], limit: usize) -> io::Result<usize> {
    let images = document.images.iter().zip(names);
    let mut all: Vec<Item<'_>> = images.flat_map(|(image, name)| items(document, image, name)).collect();
    all.sort_by_key(|item| (item.suppressed.is_some(), Reverse(item.finding.severity)));
    all.truncate(MOST_RUNS * MOST_RESULTS);
    let mut known = HashSet::new();
    let mut written = Vec::new();
    let mut size = 0;
    for (number, item) in all.iter().enumerate() {
        let items = std::slice::from_ref(item);
        let rules = &Rules::of(items);
        written.clear();
        write_json(&Results { items, rules }, &mut written)?;
        if known.insert(&item.finding.id) {
            write_json(rules, &mut written)?;
        }
        size += written.len();
        if size > limit {
            return Ok(number);
        }
    }
    Ok(all.len())
}

/// A finding on its way to a result.
#[derive(Clone, Copy)]
struct Item<'a> {
    name: &'a ImageName,
    /// The name in one piece.
    full_name: &'a str,
    image: &'a ImageScan,
    finding: &'a Finding,
    suppressed: Option<&'a Suppressed>,
    /// Path and line in the project's Dockerfile.
    origin: Option<(&'a str, u32)>,
}

fn with_text(name: ImageName) -> (ImageName, String) {
    let text = name.to_string();
    (name, text)
}

/// What the runs of a document have in common.
struct Facts {
    started: Option<String>,
    finished: Option<String>,
    remarks: Vec<wording::Message>,
}

impl Facts {
    fn of(document: &ScanDocument) -> Self {
        // They stand in every run.
        let remarks = wording::messages_within(document, MOST_REMARKS, LONGEST_REMARKS);
        Self { started: text::date_time(document.started), finished: text::date_time(document.finished), remarks }
    }
}

/// Each run is made when it is written, as there may be many results.
struct Runs<'a> {
    document: &'a ScanDocument,
    facts: &'a Facts,
    /// What is left out.
    remark: Option<String>,
    parts: Vec<(String, Vec<Item<'a>>)>,
}

impl Serialize for Runs<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut runs = serializer.serialize_seq(Some(self.parts.len()))?;
        for (id, items) in &self.parts {
            let rules = &Rules::of(items);
            let version = text::short(&self.document.tool.version, 255);
            runs.serialize_element(&Run {
                automation_details: AutomationDetails { id: text::short(id, LONGEST_URI) },
                column_kind: "unicodeCodePoints",
                invocations: [invocation(self.document, self.facts, self.remark.as_deref())],
                results: Results { items, rules },
                tool: Tool { driver: Driver { name: "Plimsoll", organization: "Plimsoll", rules, version } },
            })?;
        }
        runs.end()
    }
}

/// Which findings go into which run: a run per image, or, where that makes too many, as few runs as possible.
fn runs<'a>(
    document: &'a ScanDocument,
    names: &'a [(ImageName, String)],
    mut selection: Selection,
) -> Vec<(String, Vec<Item<'a>>)> {
    let mut selected = Vec::new();
    for (image, name) in document.images.iter().zip(names) {
        let mut items = items(document, image, name);
        items.retain(|item| selection.takes(item.finding, item.suppressed.is_some()));
        selected.push((name.1.as_str(), items));
    }
    let number: usize = selected.iter().map(|(_, items)| items.len().div_ceil(MOST_RESULTS).max(1)).sum();
    if number == 0 || number > MOST_RUNS {
        return parts("images", selected.into_iter().flat_map(|(_, items)| items).collect());
    }
    selected.into_iter().flat_map(|(name, items)| parts(name, items)).collect()
}

fn items<'a>(
    document: &'a ScanDocument,
    image: &'a ImageScan,
    (name, full_name): &'a (ImageName, String),
) -> Vec<Item<'a>> {
    let origins = Origins::of(document, image);
    let findings = image.findings.iter().map(|finding| (finding, None));
    let suppressed = image.suppressed.iter().map(|suppressed| (&suppressed.finding, Some(suppressed)));
    let item = |(finding, suppressed): (&'a Finding, _)| Item {
        name,
        full_name,
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

fn invocation<'a>(document: &ScanDocument, facts: &'a Facts, remark: Option<&'a str>) -> Invocation<'a> {
    let remark = remark.map(|text| Notification { level: "warning", message: said(text) });
    Invocation {
        end_time_utc: facts.finished.as_deref(),
        execution_successful: document.outcome == Outcome::Success,
        start_time_utc: facts.started.as_deref(),
        tool_execution_notifications: facts.remarks.iter().map(notification).chain(remark).collect(),
    }
}

fn notification(message: &wording::Message) -> Notification<'_> {
    let level = match message.level {
        Level::Info => "note",
        Level::Warning => "warning",
        Level::Fatal => "error",
    };
    Notification { level, message: said(&message.text) }
}

/// A plain message of bounded length.
fn said<'a>(text: impl Into<Cow<'a, str>>) -> Message<'a> {
    Message { text: text::short(text, LONGEST_MESSAGE) }
}

/// GitLab takes 10 MB.
const LARGEST: usize = 9_990_000;

/// So many results fit whatever they say, unless somebody means harm.
const FEW: usize = 1_000;

const MOST_REMARKS: usize = 200;
/// Bytes of all remarks, which every run repeats.
const LONGEST_REMARKS: usize = 100_000;
const MOST_RUNS: usize = 20;
const MOST_RESULTS: usize = 5_000;
const LONGEST_MESSAGE: usize = 2048;
const LONGEST_URI: usize = 2048;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::selection::tests::{are_most_severe, document, levels};

    #[test]
    fn a_log_that_is_too_large_has_the_most_severe_findings_and_says_so() {
        for (images, findings) in [(2, 1200), (30, 60), (1, 6000)] {
            let document = document(images, findings);
            let all = within(&document, usize::MAX).unwrap().len();
            for limit in [20_000, 400_000, all - 1] {
                let text = String::from_utf8(within(&document, limit).unwrap()).unwrap();
                assert!(
                    text.len() <= limit && text.len() + limit / 20 + 9_000 > limit,
                    "{limit} of {all}: {}",
                    text.len()
                );
                let levels = levels(&text, |label| format!("\"severity\":\"{label}\""));
                assert!(are_most_severe(&levels, images * findings / 6), "{limit} of {all}: {levels:?}");
                let log: serde_json::Value = serde_json::from_slice(text.as_bytes()).unwrap();
                let runs = log["runs"].as_array().unwrap();
                assert!((1..=MOST_RUNS).contains(&runs.len()));
                assert_eq!(text.matches("findings are here, as more are not taken").count(), runs.len());
                assert!(runs.iter().all(|run| run["results"].as_array().unwrap().len() <= MOST_RESULTS));
            }
        }
    }

    #[test]
    fn no_more_than_twenty_runs() {
        let document = document(30, 10);
        let log: serde_json::Value = serde_json::from_slice(&within(&document, LARGEST).unwrap()).unwrap();
        assert_eq!(
            (log["runs"].as_array().unwrap().len(), log["runs"][0]["results"].as_array().unwrap().len()),
            (1, 330)
        );
    }
}
