//! The rules of a SARIF run: one for each vulnerability that a result names.

use std::collections::{BTreeMap, HashMap};

use serde_sarif::sarif::{MultiformatMessageString, PropertyBag, ReportingDescriptor};

use crate::model::{Finding, Severity};
use crate::report::identifier::Identifier;
use crate::report::{text, wording};

const MOST_NAME: usize = 255;
const MOST_SHORT: usize = 1024;
const MOST_FULL: usize = 2048;
const MOST_TAGS: usize = 10;

/// Rules in the order in which they were first named.
#[derive(Default)]
pub(super) struct Rules {
    descriptors: Vec<ReportingDescriptor>,
    by_id: HashMap<String, i64>,
}

impl Rules {
    /// The id and the index of the finding's rule, which is made from the first finding that names it.
    pub(super) fn index_of(&mut self, finding: &Finding) -> (String, i64) {
        let id = text::cut(wording::or(text::line(&finding.id), "unknown"), MOST_NAME);
        let next = i64::try_from(self.descriptors.len()).unwrap_or(i64::MAX);
        let index = *self.by_id.entry(id.clone()).or_insert(next);
        if index == next {
            self.descriptors.push(descriptor(&id, finding));
        }
        (id, index)
    }

    pub(super) fn into_descriptors(self) -> Vec<ReportingDescriptor> {
        self.descriptors
    }
}

fn descriptor(id: &str, finding: &Finding) -> ReportingDescriptor {
    let title = wording::or(text::line(&finding.title), id);
    let description = wording::or(text::lines(&finding.description), &title);
    let links = finding.references.iter().map(|reference| reference.url.clone());
    let page = Identifier::of(id).and_then(|id| id.url).or_else(|| links.into_iter().find(|url| text::is_link(url)));
    let mut descriptor = ReportingDescriptor::builder()
        .id(id)
        .name(id)
        .short_description(string(title, MOST_SHORT))
        .full_description(string(description, MOST_FULL))
        .properties(properties(finding))
        .build();
    descriptor.help_uri = page;
    descriptor
}

fn string(text: String, limit: usize) -> MultiformatMessageString {
    MultiformatMessageString::builder().text(text::cut(text, limit)).build()
}

fn properties(finding: &Finding) -> PropertyBag {
    let weaknesses = finding.cwes.iter().filter_map(|cwe| cwe.strip_prefix("CWE-")?.parse::<u32>().ok());
    let mut tags = vec!["security".to_owned()];
    for tag in weaknesses.map(|number| format!("cwe-{number}")) {
        if tags.len() < MOST_TAGS && !tags.contains(&tag) {
            tags.push(tag);
        }
    }
    let score = score(finding).map(|score| ("security-severity".to_owned(), format!("{score:.1}").into()));
    PropertyBag::builder().tags(tags).additional_properties(score.into_iter().collect::<BTreeMap<_, _>>()).build()
}

/// The first CVSS score that means the same as the finding's severity, else the middle of the severity's band: the
/// severity that was decided counts, whatever a score says.
fn score(finding: &Finding) -> Option<f64> {
    let agreeing = finding.cvss.iter().map(|cvss| cvss.score).find(|&s| Severity::from_score(s) == finding.severity);
    agreeing.or(match finding.severity {
        Severity::Critical => Some(9.5),
        Severity::High => Some(8.0),
        Severity::Medium => Some(5.5),
        Severity::Low => Some(2.5),
        Severity::Info => Some(0.0),
        Severity::Unknown => None,
    })
}
