//! The sentences that several formats share, and finding what a finding's package looks like in its image.

use jiff::Timestamp;

use crate::model::{
    CoverageStatus, DatabaseInfo, Epss, Finding, FixState, Gap, ImageScan, Kev, Layer, Location, Package, ScanDocument,
    SuppressionReason,
};

use super::text;

/// Where a finding's package lies: the first of its places.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Origin<'a> {
    pub(super) package: Option<&'a Package>,
    pub(super) location: Option<&'a Location>,
    pub(super) layer: Option<&'a Layer>,
}

impl<'a> Origin<'a> {
    pub(super) fn of(image: &'a ImageScan, finding: &Finding) -> Self {
        let Some(inventory) = &image.inventory else { return Self::default() };
        let package = inventory.packages.get(finding.package.index);
        let location = package.and_then(|package| package.locations.first());
        let layer = location.and_then(|location| inventory.layers.get(location.layer));
        Self { package, location, layer }
    }
}

/// The warning that belongs on every report made from the example data.
pub(super) fn example_banner(document: &ScanDocument) -> Option<&'static str> {
    document.database.as_ref().filter(|database| database.example).map(|_| {
        "EXAMPLE DATA: these results come from a small set of example advisories and say nothing about the real image"
    })
}

/// What to do about a finding, in a sentence.
pub(super) fn solution(finding: &Finding) -> String {
    let package = text::line(&finding.package.name);
    match (&finding.fix.version, finding.fix.state) {
        (Some(fixed), _) => {
            format!("Upgrade {package} from {} to {}.", text::line(&finding.package.version), text::line(fixed))
        }
        (None, FixState::EndOfLife) => {
            format!("The release gets no fixes any more: move to a supported one that has a fixed {package}.")
        }
        (None, state) => format!("No fixed version of {package} is available ({}).", fix_state(state)),
    }
}

/// A fix state for people.
pub(super) fn fix_state(state: FixState) -> &'static str {
    match state {
        FixState::Fixed => "fixed",
        FixState::NotFixed => "not fixed yet",
        FixState::WillNotFix => "will not be fixed",
        FixState::Deferred => "fix deferred",
        FixState::UnderInvestigation => "under investigation",
        FixState::NotAffected => "not affected",
        FixState::EndOfLife => "end of life",
        FixState::Unknown => "no fix known",
    }
}

/// An entry of CISA's catalogue, in words.
pub(super) fn kev(kev: &Kev) -> String {
    let due = kev.due.map(|due| format!(", due {due}")).unwrap_or_default();
    let ransomware = if kev.ransomware { ", used by ransomware" } else { "" };
    format!("known to be exploited since {}{due}{ransomware}", kev.added)
}

/// An exploit prediction, in words.
pub(super) fn epss(epss: &Epss) -> String {
    let date = epss.date.map(|date| format!(" on {date}")).unwrap_or_default();
    format!(
        "{:.2}% likely to be exploited within 30 days, more than {:.1}% of vulnerabilities{date}",
        epss.score * 100.0,
        epss.percentile * 100.0
    )
}

/// A gap, in words, safe to show.
pub(super) fn gap(gap: &Gap) -> String {
    let subject = text::cut(text::line(&gap.subject), 300);
    let reason = text::cut(text::line(&gap.reason), 600);
    format!("{}: {subject}: {reason}", gap.kind.label())
}

/// What there was no advisory data for: one sentence each.
pub(super) fn missing_data(image: &ImageScan) -> Vec<String> {
    let uncovered = image.coverage.iter().filter(|coverage| coverage.status == CoverageStatus::NoData);
    uncovered
        .map(|coverage| {
            let plural = if coverage.packages == 1 { "package" } else { "packages" };
            let kind = coverage.kind.purl_type();
            format!("no data for {} ({} {kind} {plural} not judged)", coverage.shard.as_str(), coverage.packages)
        })
        .collect()
}

/// Why a finding does not count, for people.
pub(super) fn suppression(reason: SuppressionReason) -> &'static str {
    match reason {
        SuppressionReason::OwnedByOsPackage => "judged by its OS package",
        SuppressionReason::ThirdPartyPackage => "third-party package",
        SuppressionReason::Vex => "VEX statement",
        SuppressionReason::IgnoreRule => "ignore rule",
    }
}

/// The text, or another where there is none.
pub(super) fn or(text: String, other: &str) -> String {
    if text.is_empty() { other.to_owned() } else { text }
}

/// When the advisory data was built, how long before `now`, and where it is from.
pub(super) fn age(database: &DatabaseInfo, now: Timestamp) -> String {
    let hours = now.duration_since(database.built).as_hours();
    let age = match hours {
        ..0 => "after this scan began".to_owned(),
        0..48 => format!("{hours} h old"),
        _ => format!("{} days old", hours / 24),
    };
    let origin = text::cut(text::line(&database.origin), 300);
    format!("of {} ({age}) from {origin}", database.built.strftime("%Y-%m-%d %H:%M UTC"))
}
