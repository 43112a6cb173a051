//! What is news between two retests: the verdicts that people know of against those of today.
//!
//! Pure. An image that was never seen before is its own baseline and no news; so is everything in a first run. News about a
//! finding is told once per repository, package and vulnerability, whatever the number of tags; its key says so.

mod key;
mod sla;
mod standing;

use std::collections::{BTreeMap, HashMap};

use jiff::Timestamp;
use jiff::civil::Date;

use super::policy::Policy;
use crate::model::{
    Alert, AlertReport, AlertSummary, Change, Finding, Fix, ImageIdentity, ImageScan, ImageSnapshot, Inventory,
    KnownFinding, Location, News, Package, PackageRef, Purl, RuleState, RuleUse, Severity, SnapshotChanges, Tool,
    Verdict,
};

pub use sla::{Sla, SlaError};
pub use standing::settle;

/// What is worth an alert.
#[derive(Debug, Clone)]
pub struct AlertPolicy {
    /// Which findings.
    pub findings: Policy,
    /// Today, UTC.
    pub today: Date,
    /// How many days before its last day a rule is spoken of.
    pub rule_notice: i32,
}

/// Compares what alerts last heard of with what is.
#[must_use]
pub fn compare(changes: &SnapshotChanges, rules: &[RuleUse], policy: &AlertPolicy) -> AlertReport {
    let mut alerts = Collected::default();
    if !changes.first_run {
        let before: HashMap<&str, &ImageSnapshot> =
            changes.before.iter().map(|image| (image.name.as_str(), image)).collect();
        for after in &changes.after {
            if let Some(before) = before.get(after.name.as_str()) {
                of_image(before, after, &policy.findings, &mut alerts);
            }
        }
        for rule in rules {
            of_rule(rule, policy, &mut alerts);
        }
    }
    let mut alerts: Vec<Alert> = alerts.0.into_values().collect();
    for alert in &mut alerts {
        alert.images.sort();
        alert.images.dedup();
    }
    alerts.sort_by_cached_key(|alert| (std::cmp::Reverse(alert.news.severity()), rank(&alert.news), alert.key.clone()));
    AlertReport {
        format: AlertReport::FORMAT.into(),
        tool: Tool { name: env!("CARGO_PKG_NAME").into(), version: env!("CARGO_PKG_VERSION").into() },
        started: changes.started,
        first_run: changes.first_run,
        policy: policy.findings.to_string(),
        alerts,
        summary: summary(changes),
    }
}

/// Alerts by their key, so that the same news about another tag joins the first.
#[derive(Default)]
struct Collected(BTreeMap<String, Alert>);

impl Collected {
    fn add(&mut self, repository: &str, image: Option<&str>, heard: Option<Timestamp>, news: News) {
        let key = key::of(repository, image, &news);
        let alert = self.0.entry(key.clone()).or_insert_with(|| Alert {
            key,
            repository: repository.to_owned(),
            images: Vec::new(),
            heard: None,
            news,
        });
        alert.heard = alert.heard.max(heard);
        alert.images.extend(image.map(str::to_owned));
    }
}

fn of_image(before: &ImageSnapshot, after: &ImageSnapshot, policy: &Policy, alerts: &mut Collected) {
    if after.gone.is_some() {
        return;
    }
    let heard = before.told.as_ref().and_then(|told| told.at);
    let mut add = |news| alerts.add(&after.repository, Some(&after.name), heard, news);
    if let Some(failure) = &after.failure
        && (before.failure.is_none() || before.failure_untold)
    {
        add(News::Unscannable { code: failure.code, what: failure.what.clone() });
    }
    // Without a verdict from before there is nothing to compare with: the one of today is the baseline.
    let (Some(known), Some(now)) = (&before.verdict, &after.verdict) else { return };
    for gap in now.gaps.iter().filter(|gap| gap.kind.hides_findings() && !known.gaps.contains(gap)) {
        add(News::Gap { gap: gap.clone() });
    }
    let known: HashMap<_, _> = known.findings.iter().map(|finding| (identity(finding), finding)).collect();
    // A verdict knows its image by the configuration; a tag may move between images of the same content.
    let moved = before.config_digest != after.config_digest;
    let mut brought = Vec::new();
    let around = as_scan(after, now);
    for (index, finding) in now.findings.iter().enumerate().filter(|(_, finding)| finding.suppressed.is_none()) {
        let was = known.get(&identity(finding));
        let change = match was {
            Some(_) => Change::Existing,
            None if moved => Change::Introduced,
            None => Change::Disclosed,
        };
        let is_wanted = policy.matches(&as_finding(finding, index, change), Some(&around));
        match was {
            None if moved => brought.extend(is_wanted.then(|| finding.clone())),
            None if is_wanted => add(News::Disclosed { finding: finding.clone() }),
            Some(was) if is_wanted => news_of_known(was, finding, &mut add),
            _ => {}
        }
    }
    if !brought.is_empty() {
        let total = brought.len();
        brought.sort_by_key(|finding| std::cmp::Reverse((finding.severity, finding.kev.is_some())));
        brought.truncate(MOST_BROUGHT);
        let (from, to) = (before.digest.clone(), after.digest.clone());
        add(News::Sunk { from, to, findings: brought, brought: total });
    }
}

fn news_of_known(was: &KnownFinding, now: &KnownFinding, add: &mut impl FnMut(News)) {
    let finding = || now.clone();
    if let Some(reason) = was.suppressed {
        return add(News::Resurfaced { finding: finding(), was: reason });
    }
    if now.severity > was.severity && was.severity != Severity::Unknown {
        add(News::Raised { finding: finding(), was: was.severity });
    }
    if now.kev.is_some() && was.kev.is_none() {
        add(News::Exploited { finding: finding() });
    }
    if now.fixed_in.is_some() && was.fixed_in.is_none() {
        add(News::FixAvailable { finding: finding() });
    }
}

fn of_rule(rule: &RuleUse, policy: &AlertPolicy, alerts: &mut Collected) {
    let Some(last) = rule.expires else { return };
    let left = policy.today.until(last).map_or(i32::MAX, |span| span.get_days());
    if rule.state == RuleState::Applied && (0..=policy.rule_notice).contains(&left) {
        let (origin, text) = (rule.origin.clone(), rule.rule.clone());
        alerts.add("", None, None, News::RuleExpiring { rule: text, origin, last, findings: rule.findings });
    }
}

/// What makes a finding the same one from day to day.
fn identity(finding: &KnownFinding) -> (&str, &str, &str) {
    (&finding.package, &finding.id, &finding.path)
}

/// The image as the policy sees it: its name, its labels, and where its packages lie.
fn as_scan(image: &ImageSnapshot, verdict: &Verdict) -> ImageScan {
    let package = |known: &KnownFinding| Package {
        locations: vec![Location { path: known.path.clone(), layer: 0 }],
        ..Package::new(known.kind, &known.name, &known.version)
    };
    let mut identity = ImageIdentity::default();
    identity.config.labels.clone_from(&image.labels);
    let packages = verdict.findings.iter().map(package).collect();
    ImageScan::of(image.name.clone(), Inventory { image: identity, packages, ..Inventory::default() })
}

/// The finding as the policy sees it. What is not remembered of it no policy for alerts may ask for
/// ([`Policy::needs_scan`]).
fn as_finding(known: &KnownFinding, index: usize, change: Change) -> Finding {
    Finding {
        id: known.id.clone(),
        identifiers: vec![known.id.clone()],
        package: PackageRef {
            index,
            kind: known.kind,
            name: known.name.clone(),
            version: known.version.clone(),
            purl: Purl::new(known.kind.purl_type(), "", &known.name, &known.version, &[]),
        },
        fix: Fix { state: known.fix, version: known.fixed_in.clone(), source: None },
        severity: known.severity,
        severity_source: String::new(),
        cvss: Vec::new(),
        title: String::new(),
        description: String::new(),
        references: Vec::new(),
        cwes: Vec::new(),
        published: None,
        modified: None,
        kev: known.kev.clone(),
        epss: None,
        statements: Vec::new(),
        change: Some(change),
        original_severity: None,
        factors: Vec::new(),
        score: 0,
    }
}

fn summary(changes: &SnapshotChanges) -> AlertSummary {
    let mut summary = AlertSummary {
        images: changes.after.len() + changes.unchanged.len(),
        unchanged: changes.unchanged.len(),
        ..AlertSummary::default()
    };
    let known: std::collections::HashSet<&str> = changes.before.iter().map(|image| image.name.as_str()).collect();
    for image in &changes.after {
        summary.new += usize::from(!known.contains(image.name.as_str()));
        summary.gone += usize::from(image.gone.is_some());
        summary.failed += usize::from(image.failure.is_some());
        if let (Some(verdict), None) = (&image.verdict, image.gone) {
            summary.counts.add(&verdict.counts);
            summary.fixable += verdict.fixable;
            summary.kev += verdict.kev;
        }
    }
    summary
}

/// Among news of the same severity, what is more urgent comes first.
fn rank(news: &News) -> u8 {
    match news {
        News::Exploited { .. } => 0,
        News::Sunk { .. } => 1,
        News::Disclosed { .. } => 2,
        News::Raised { .. } => 3,
        News::Resurfaced { .. } => 4,
        News::FixAvailable { .. } => 5,
        News::Unscannable { .. } => 6,
        News::Gap { .. } => 7,
        News::RuleExpiring { .. } => 8,
    }
}

/// Findings listed for a tag that moved; their number is told in full.
const MOST_BROUGHT: usize = 20;

#[cfg(test)]
mod tests;
