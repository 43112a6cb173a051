//! Findings as results.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use serde_sarif::sarif::{
    ArtifactLocation, Location, LogicalLocation, PhysicalLocation, PropertyBag, Region, Result as SarifResult,
    ResultLevel, Suppression,
};

use crate::model::{Finding, Severity, Suppressed};
use crate::report::stable_id::StableId;
use crate::report::subject::Subject;
use crate::report::{text, wording};

use super::rules::Rules;
use super::{Item, LONGEST_URI, said};

pub(super) fn all(items: &[Item<'_>], rules: &Rules) -> Vec<SarifResult> {
    let mut met: BTreeMap<String, usize> = BTreeMap::new();
    items.iter().map(|item| result(item, rules, &mut met)).collect()
}

fn result(item: &Item<'_>, rules: &Rules, met: &mut BTreeMap<String, usize>) -> SarifResult {
    let finding = item.finding;
    let (rule, position) = rules.position(finding);
    let key = StableId::of_finding(item.name, item.image, finding);
    let number = met.entry(key.hex()).or_default();
    let fingerprint = key.occurrence(*number).hex();
    *number += 1;
    let mut result = SarifResult::builder()
        .rule_id(rule)
        .level(level(finding.severity))
        .rank(rank(finding.severity))
        .message(said(&message(finding)))
        .locations(vec![item.origin.map_or_else(|| location(item), |origin| at(item, origin))])
        .partial_fingerprints(BTreeMap::from([("plimsollFinding/v1".to_owned(), fingerprint)]))
        .properties(properties(item))
        .build();
    result.rule_index = i64::try_from(position).ok();
    result.related_locations = item.origin.map(|_| vec![location(item)]);
    result.suppressions = item.suppressed.map(|suppressed| vec![suppression(suppressed)]);
    result
}

fn message(finding: &Finding) -> String {
    let package = &finding.package;
    let title = finding.title.trim();
    let about = if title.is_empty() { String::new() } else { format!(" ({title})") };
    format!("{} {} is affected by {}{about}. {}", package.name, package.version, finding.id, wording::solution(finding))
}

fn level(severity: Severity) -> ResultLevel {
    match severity {
        Severity::Critical | Severity::High => ResultLevel::Error,
        Severity::Medium | Severity::Unknown => ResultLevel::Warning,
        Severity::Low | Severity::Info => ResultLevel::Note,
    }
}

/// In the middle of GitLab's bands: 90, 70, 40, 10.
fn rank(severity: Severity) -> f64 {
    match severity {
        Severity::Critical => 95.0,
        Severity::High => 80.0,
        Severity::Medium => 55.0,
        Severity::Low => 25.0,
        Severity::Info | Severity::Unknown => 5.0,
    }
}

/// The line in the project that brought it.
fn at(item: &Item<'_>, (path, line): (&str, u32)) -> Location {
    let artifact = ArtifactLocation::builder().uri(text::uri_path(path)).build();
    let region = Region::builder().start_line(i64::from(line)).build();
    let physical = PhysicalLocation::builder().artifact_location(artifact).region(region).build();
    Location {
        logical_locations: location(item).logical_locations,
        ..Location::builder().physical_location(physical).build()
    }
}

fn location(item: &Item<'_>) -> Location {
    let subject = Subject::of(item.image, item.finding);
    let image = item.name.to_string();
    let path = subject.path().map(text::uri_path).filter(|path| !path.is_empty() && path.len() <= LONGEST_URI);
    let artifact = ArtifactLocation::builder().uri(path.unwrap_or_else(|| text::uri_path(&image))).build();
    // Readers tell results apart by line; there is none that means anything in a package database.
    let physical =
        PhysicalLocation::builder().artifact_location(artifact).region(Region::builder().start_line(1).build()).build();
    let package = &item.finding.package;
    let logical = LogicalLocation::builder()
        .fully_qualified_name(text::short(&format!("{image}#{}", package.purl), LONGEST_URI))
        .name(text::short(&package.name, 255))
        .kind("package")
        .build();
    Location::builder()
        .physical_location(physical)
        .logical_locations(vec![logical])
        .message(said(&format!("{} {} in {image}", package.name, package.version)))
        .build()
}

fn properties(item: &Item<'_>) -> PropertyBag {
    let finding = item.finding;
    let subject = Subject::of(item.image, finding);
    let digest = subject.layer.and_then(|(_, layer)| layer.digest.as_ref().or(layer.diff_id.as_ref()));
    let facts = [
        ("image", Some(json!(text::line(&item.image.name)))),
        ("severity", Some(json!(finding.severity.label()))),
        ("severitySource", Some(json!(text::line(&finding.severity_source)))),
        ("package", Some(json!(text::line(&finding.package.name)))),
        ("version", Some(json!(text::line(&finding.package.version)))),
        ("fixState", Some(json!(wording::fix_state(finding.fix.state)))),
        ("fixedVersion", finding.fix.version.as_ref().map(|version| json!(text::line(version)))),
        ("layer", digest.map(|digest| json!(digest.as_str()))),
        ("knownExploited", finding.kev.as_ref().map(|kev| json!(wording::exploited(kev)))),
        ("epss", finding.epss.as_ref().filter(|epss| epss.score.is_finite()).map(|epss| json!(epss.score))),
    ];
    let known: BTreeMap<String, Value> =
        facts.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect();
    PropertyBag::builder().additional_properties(known).build()
}

fn suppression(suppressed: &Suppressed) -> Suppression {
    let justification = format!("{}: {}", wording::suppression(suppressed.reason), suppressed.explanation);
    Suppression::builder()
        .kind(json!("external"))
        .status(json!("accepted"))
        .justification(text::short(&justification, super::LONGEST_MESSAGE))
        .build()
}
