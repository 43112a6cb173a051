//! The short form of a result, which is remembered to tell later what is new.

use sha2::{Digest as _, Sha256};

use crate::model::{
    Digest, Finding, ImageScan, KnownFinding, KnownGap, PackageKind, SeverityCounts, SuppressionReason, Verdict,
};

/// What a scan says about an image, in a form that is equal for scans that say the same.
#[must_use]
pub fn verdict(image: &ImageScan) -> Verdict {
    let mut findings: Vec<KnownFinding> = Vec::new();
    for finding in &image.findings {
        findings.extend(known(image, finding, None));
    }
    for suppressed in &image.suppressed {
        findings.extend(known(image, &suppressed.finding, Some(suppressed.reason)));
    }
    findings.sort_by(|a, b| order(a).cmp(&order(b)));
    findings.dedup_by(|a, b| order(a) == order(b));
    let inventory = image.inventory.iter();
    let mut gaps: Vec<KnownGap> = inventory
        .flat_map(|inventory| &inventory.gaps)
        .map(|gap| KnownGap { kind: gap.kind, subject: gap.subject.clone() })
        .collect();
    gaps.sort();
    gaps.dedup();
    let mut verdict = Verdict {
        hash: String::new(),
        outcome: Some(image.outcome),
        counts: SeverityCounts::of(image.findings.iter().map(|finding| finding.severity)),
        fixable: image.findings.iter().filter(|finding| finding.fix.is_available()).count(),
        kev: image.findings.iter().filter(|finding| finding.kev.is_some()).count(),
        suppressed: image.suppressed.len(),
        gaps,
        findings,
    };
    // A value that has just been built from values of ours can always be written.
    let json = serde_json::to_vec(&verdict).unwrap_or_default();
    let hash = Digest::from_sha256(&Sha256::digest(&json).into());
    verdict.hash = hash.hex().get(..HASH).unwrap_or_default().to_owned();
    verdict
}

/// One for each place of a language package; one for an OS package.
fn known(image: &ImageScan, finding: &Finding, suppressed: Option<SuppressionReason>) -> Vec<KnownFinding> {
    let own = &finding.package;
    let package = image.inventory.as_ref().and_then(|inventory| inventory.packages.get(own.index));
    let package = package.filter(|package| package.kind == own.kind && package.name == own.name);
    let general = |path: &str| if own.version.is_empty() { path.to_owned() } else { path.replace(&own.version, "*") };
    let mut paths: Vec<String> = match package {
        Some(package) if !own.kind.is_os() => package.locations.iter().map(|one| general(&one.path)).collect(),
        _ => Vec::new(),
    };
    paths.sort();
    paths.dedup();
    if paths.is_empty() {
        paths.push(String::new());
    }
    let of_path = |path| KnownFinding {
        package: without_version(own.purl.as_str()),
        id: finding.id.clone(),
        path,
        kind: own.kind,
        name: own.name.clone(),
        version: own.version.clone(),
        severity: finding.severity,
        fix: finding.fix.state,
        fixed_in: finding.fix.version.clone(),
        kev: finding.kev.clone(),
        suppressed,
    };
    paths.into_iter().map(of_path).collect()
}

/// A package URL without version and qualifiers; both separators are escaped where they are part of a name.
fn without_version(purl: &str) -> String {
    let end = purl.find(['@', '?']).unwrap_or(purl.len());
    purl.get(..end).unwrap_or(purl).to_owned()
}

/// The identity first; two architectures of a package may have two versions.
fn order(finding: &KnownFinding) -> (&str, &str, &str, PackageKind, &str, bool) {
    (&finding.package, &finding.id, &finding.path, finding.kind, &finding.version, finding.suppressed.is_some())
}

const HASH: usize = 16;
