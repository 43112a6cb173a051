//! Vulnerabilities as rules, each once per run.

use std::borrow::Cow;
use std::collections::HashMap;

use serde::{Serialize, Serializer};

use crate::model::{Finding, Severity};
use crate::report::identifier::{Identifier, cwe_number};
use crate::report::text;

use super::schema::{Message, Rule, RuleProperties};
use super::{Item, LONGEST_MESSAGE};

/// The rules of a run; each is made when it is written.
pub(super) struct Rules<'a> {
    /// For each rule its worst finding.
    worst: Vec<&'a Finding>,
    positions: HashMap<Cow<'a, str>, usize>,
}

impl<'a> Rules<'a> {
    pub(super) fn of(items: &[Item<'a>]) -> Self {
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
        Self { worst, positions }
    }

    /// The id of a finding's rule and its place in the list.
    pub(super) fn position<'f>(&self, finding: &'f Finding) -> (Cow<'f, str>, usize) {
        let id = id(finding);
        let position = self.positions.get(&id).copied().unwrap_or(0);
        (id, position)
    }
}

impl Serialize for Rules<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.worst.iter().map(|finding| rule(finding)))
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

fn id(finding: &Finding) -> Cow<'_, str> {
    Identifier::of(&finding.id).name
}

fn rule(finding: &Finding) -> Rule<'_> {
    let identifier = Identifier::of(&finding.id);
    let (url, id) = (identifier.url(), identifier.name);
    let title = Some(finding.title.trim()).filter(|title| !title.is_empty());
    let title = title.map_or_else(|| id.clone(), Cow::Borrowed);
    let description = Some(finding.description.trim()).filter(|text| !text.is_empty());
    let full = description.map_or_else(|| title.clone(), Cow::Borrowed);
    Rule {
        full_description: Message { text: text::cut(text::block(full), LONGEST_MESSAGE) },
        help_uri: url,
        id,
        name: if finding.package.kind.is_os() { "OsPackageVulnerability" } else { "LanguagePackageVulnerability" },
        properties: RuleProperties { tags: tags(finding), security_severity: format!("{:.1}", score(finding)) },
        short_description: Message { text: text::short(title, LONGEST_SHORT) },
    }
}

fn tags(finding: &Finding) -> Vec<Cow<'static, str>> {
    let weaknesses = finding.cwes.iter().filter_map(|cwe| cwe_number(cwe)).map(|number| format!("cwe-{number}"));
    let mut tags = vec![Cow::Borrowed("security"), Cow::Borrowed("vulnerability")];
    for weakness in weaknesses.take(MOST_TAGS - tags.len()) {
        let weakness = Cow::Owned(weakness);
        if !tags.contains(&weakness) {
            tags.push(weakness);
        }
    }
    tags
}

const MOST_TAGS: usize = 10;
const LONGEST_SHORT: usize = 1024;
