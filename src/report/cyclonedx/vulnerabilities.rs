//! The findings of one image as CycloneDX vulnerabilities: one for each id, with all components it affects.

use std::collections::{BTreeSet, HashMap};

use crate::model::{Cvss, Finding, ImageScan, Severity};
use crate::report::identifier::Identifier;
use crate::report::{text, wording};

use super::schema::{Affected, AffectedVersion, Link, Rating, Source, Vulnerability};

/// In the order of the findings. `refs` are the components' references by package index.
pub(super) fn of(image: &ImageScan, refs: &[String]) -> Vec<Vulnerability> {
    let mut order: Vec<&str> = Vec::new();
    let mut by_id: HashMap<&str, Vec<&Finding>> = HashMap::new();
    for finding in &image.findings {
        let group = by_id.entry(&finding.id).or_default();
        if group.is_empty() {
            order.push(&finding.id);
        }
        group.push(finding);
    }
    order.into_iter().filter_map(|id| vulnerability(by_id.get(id)?, refs)).collect()
}

/// One vulnerability: what the findings have in common is taken from the first, the most severe.
fn vulnerability(findings: &[&Finding], refs: &[String]) -> Option<Vulnerability> {
    let first = findings.first()?;
    let id = Identifier::of(&first.id);
    let description = if first.description.is_empty() { &first.title } else { &first.description };
    let solutions: BTreeSet<String> = findings.iter().map(|finding| wording::solution(finding)).collect();
    let urls: BTreeSet<&str> = first.references.iter().map(|reference| reference.url.as_str()).collect();
    Some(Vulnerability {
        bom_ref: format!("vulnerability:{}", text::line(&first.id)),
        id: id.as_ref().map_or_else(|| "unknown".to_owned(), |id| id.id.clone()),
        source: id.and_then(|id| id.url.map(|url| Source { name: id.kind, url: Some(url) })),
        ratings: ratings(first),
        cwes: weaknesses(first).into_iter().collect(),
        description: text::cut(text::lines(description), 20_000),
        recommendation: text::cut(solutions.into_iter().collect::<Vec<_>>().join(" "), 4000),
        advisories: urls.into_iter().filter(|url| text::is_link(url)).map(|url| Link { url: url.into() }).collect(),
        published: first.published.map(|time| time.to_string()),
        updated: first.modified.map(|time| time.to_string()),
        affects: affects(findings, refs),
    })
}

fn weaknesses(finding: &Finding) -> BTreeSet<u32> {
    finding.cwes.iter().filter_map(|cwe| cwe.strip_prefix("CWE-")?.parse().ok()).filter(|&number| number > 0).collect()
}

fn affects(findings: &[&Finding], refs: &[String]) -> Vec<Affected> {
    let indices: BTreeSet<usize> = findings.iter().map(|finding| finding.package.index).collect();
    let version = |index: usize| {
        let finding = findings.iter().find(|finding| finding.package.index == index)?;
        Some(AffectedVersion { version: text::cut(text::line(&finding.package.version), 1024), status: "affected" })
    };
    let of_index = |index: usize| Some(Affected { reference: refs.get(index)?.clone(), versions: [version(index)?] });
    indices.into_iter().filter_map(of_index).collect()
}

fn ratings(finding: &Finding) -> Vec<Rating> {
    let source = |name: &str| Source { name: wording::or(text::line(name), "unknown"), url: None };
    let judged = Rating {
        source: source(&finding.severity_source),
        score: None,
        severity: Some(severity(finding.severity)),
        method: None,
        vector: None,
    };
    let scored = finding.cvss.iter().map(|cvss| Rating {
        source: source(&cvss.source),
        score: cvss.score.is_finite().then_some(cvss.score),
        severity: None,
        method: Some(method(cvss)),
        vector: Some(text::line(&cvss.vector)),
    });
    std::iter::once(judged).chain(scored).collect()
}

fn method(cvss: &Cvss) -> &'static str {
    match cvss.vector.split('/').next().unwrap_or_default() {
        "CVSS:3.0" => "CVSSv3",
        "CVSS:3.1" => "CVSSv31",
        "CVSS:4.0" => "CVSSv4",
        version if version.starts_with("AV:") => "CVSSv2",
        _ => "other",
    }
}

fn severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Unknown => "unknown",
        Severity::Info => "info",
        Severity::Low => "low",
        Severity::Medium => "medium",
        Severity::High => "high",
        Severity::Critical => "critical",
    }
}
