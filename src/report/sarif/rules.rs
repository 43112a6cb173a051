//! Vulnerabilities as rules, each once per run.

use std::collections::HashMap;

use serde_json::json;
use serde_sarif::sarif::{MultiformatMessageString, PropertyBag, ReportingDescriptor};

use crate::model::{Finding, Severity};
use crate::report::identifier::{Identifier, cwe_number};
use crate::report::text;

use super::{Item, LONGEST_MESSAGE};

/// The rules of a run.
pub(super) struct Rules {
    pub(super) descriptors: Vec<ReportingDescriptor>,
    positions: HashMap<String, usize>,
}

impl Rules {
    pub(super) fn of(items: &[Item<'_>]) -> Self {
        let mut positions = HashMap::new();
        let mut worst: Vec<&Finding> = Vec::new();
        for item in items {
            let position = *positions.entry(id(item.finding)).or_insert_with(|| {
                worst.push(item.finding);
                worst.len() - 1
            });
            if let Some(known) = worst.get_mut(position)
                && item.finding.severity > known.severity
            {
                *known = item.finding;
            }
        }
        Self { descriptors: worst.into_iter().map(descriptor).collect(), positions }
    }

    /// The id of a finding's rule and its place in the list.
    pub(super) fn position(&self, finding: &Finding) -> (String, usize) {
        let id = id(finding);
        let position = self.positions.get(&id).copied().unwrap_or(0);
        (id, position)
    }
}

/// The score on which SARIF readers sort: the first CVSS score that agrees with the severity that counts, else the
/// lowest of its band.
fn score(finding: &Finding) -> f64 {
    let agrees = |score: &f64| Severity::from_score(*score) == finding.severity;
    let lowest = match finding.severity {
        Severity::Critical => 9.0,
        Severity::High => 7.0,
        Severity::Medium => 4.0,
        Severity::Low => 1.0,
        Severity::Info | Severity::Unknown => 0.0,
    };
    finding.cvss.iter().map(|cvss| cvss.score).find(agrees).unwrap_or(lowest)
}

fn id(finding: &Finding) -> String {
    Identifier::of(&finding.id).name
}

fn descriptor(finding: &Finding) -> ReportingDescriptor {
    let identifier = Identifier::of(&finding.id);
    let title = Some(finding.title.trim()).filter(|title| !title.is_empty()).unwrap_or(&identifier.name);
    let full = Some(finding.description.trim()).filter(|text| !text.is_empty()).unwrap_or(title);
    let string = |text: String| MultiformatMessageString::builder().text(text).build();
    let name = if finding.package.kind.is_os() { "OsPackageVulnerability" } else { "LanguagePackageVulnerability" };
    let properties = PropertyBag::builder()
        .tags(tags(finding))
        .additional_properties([("security-severity".to_owned(), json!(format!("{:.1}", score(finding))))])
        .build();
    let mut descriptor = ReportingDescriptor::builder()
        .id(identifier.name.clone())
        .name(name)
        .short_description(string(text::short(title, LONGEST_SHORT)))
        .full_description(string(text::cut(text::block(full), LONGEST_MESSAGE)))
        .properties(properties)
        .build();
    descriptor.help_uri = identifier.url;
    descriptor
}

fn tags(finding: &Finding) -> Vec<String> {
    let weaknesses = finding.cwes.iter().filter_map(|cwe| cwe_number(cwe)).map(|number| format!("cwe-{number}"));
    let mut tags = vec!["security".to_owned(), "vulnerability".to_owned()];
    for weakness in weaknesses.take(MOST_TAGS - tags.len()) {
        if !tags.contains(&weakness) {
            tags.push(weakness);
        }
    }
    tags
}

const MOST_TAGS: usize = 10;
const LONGEST_SHORT: usize = 1024;
