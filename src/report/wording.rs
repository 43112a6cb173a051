//! Sentences that several formats use, so that they all say the same.

use std::borrow::Cow;
use std::cmp::Reverse;

use crate::model::{
    CoverageStatus, Distribution, Epss, Factor, Finding, FixState, Gap, GapKind, ImageScan, Kev, ScanDocument,
    Statement, SuppressionReason, Totals,
};

use super::text::{self, count, day, thousands};
use super::verdict::uncovered;

/// What every report of example data says.
pub(super) const EXAMPLE_DATA: &str = "EXAMPLE DATA — not real advisories";

/// What a reader must know before anything else, one line each: that these are examples, that findings are left out.
pub(super) fn banners(document: &ScanDocument) -> Vec<String> {
    let example = is_example(document).then(|| EXAMPLE_DATA.to_owned());
    let suppressed = document.images.iter().flat_map(|image| &image.suppressed);
    let filtered: Vec<_> = suppressed.filter(|suppressed| suppressed.reason == SuppressionReason::Filter).collect();
    let filter = filtered.first().map(|first| {
        let text = format!("FILTERED — {} left out: {}", count(filtered.len(), "finding"), first.explanation);
        text::short(text, LONGEST_MESSAGE).into_owned()
    });
    example.into_iter().chain(filter).chain(shortened(document)).collect()
}

/// That only the most severe findings are listed, of more than a report can show.
fn shortened(document: &ScanDocument) -> Option<String> {
    let images = || document.images.iter().filter(|image| image.summary.is_some());
    let all = images().fold(Totals::default(), |sum, image| sum.and(&image.totals()));
    let findings: usize = images().map(|image| image.findings.len()).sum();
    let suppressed: usize = images().map(|image| image.suppressed.len()).sum();
    let text = match findings < all.findings() {
        true => format!("the {} most severe of {} findings are", number(findings), number(all.findings())),
        false => format!("all {} are", count(findings, "finding")),
    };
    let of_suppressed = match suppressed < all.suppressed() {
        true => format!(", and {} of {} suppressed ones", number(suppressed), number(all.suppressed())),
        false if findings < all.findings() => String::new(),
        false => return None,
    };
    Some(format!("SHORTENED — {text} listed{of_suppressed}; plimsoll.json has all"))
}

/// That what is said of an image is said of a part of its findings.
pub(super) fn listed_part(image: &ImageScan) -> Option<String> {
    let (listed, all) = (image.findings.len(), image.totals().findings());
    let text = || format!("what follows is about {} of these {} findings", number(listed), number(all));
    (listed < all).then(text)
}

fn number(number: usize) -> String {
    thousands(number as u64)
}

/// Whether the findings come from the example data.
pub(super) fn is_example(document: &ScanDocument) -> bool {
    document.database.as_ref().is_some_and(|database| database.example)
}

/// How much a [`Message`] matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Level {
    /// Something that a reader should know.
    Info,
    /// Something could not be read or judged.
    Warning,
    /// A scan could not be completed.
    Fatal,
}

/// A remark about the scan, not about a vulnerability.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Message {
    pub(super) level: Level,
    /// One line, at most [`LONGEST_MESSAGE`] characters.
    pub(super) text: String,
}

/// All remarks: example data, failures, missing data, gaps, the data that was used. At most [`MOST_GAPS`] gaps of an
/// image are told one by one.
pub(super) fn messages(document: &ScanDocument) -> Vec<Message> {
    let mut messages = Vec::new();
    let mut say =
        |level, text: String| messages.push(Message { level, text: text::short(text, LONGEST_MESSAGE).into_owned() });
    if is_example(document) {
        say(Level::Warning, format!("{EXAMPLE_DATA}. Build a database from the real feeds with `plimsoll db build`."));
    }
    for banner in banners(document).into_iter().filter(|banner| banner != EXAMPLE_DATA) {
        say(Level::Warning, banner);
    }
    for diagnosis in &document.diagnoses {
        say(Level::Fatal, diagnosis.to_string());
    }
    for image in &document.images {
        let name = &image.name;
        if let Some(diagnosis) = &image.diagnosis {
            say(Level::Fatal, format!("{name}: {diagnosis}"));
        }
        for coverage in uncovered(image) {
            say(Level::Warning, format!("{name}: {}", no_data(&coverage.shard.to_string(), coverage.packages)));
        }
        let all: Vec<&Gap> = gaps(image).collect();
        for gap in all.iter().take(MOST_GAPS) {
            say(Level::Warning, format!("{name}: {gap}"));
        }
        if let Some(more @ 1..) = all.len().checked_sub(MOST_GAPS) {
            say(Level::Warning, format!("{name}: and {more} more gaps; plimsoll.json has them all"));
        }
    }
    match &document.database {
        Some(database) => {
            say(Level::Info, format!("advisory database of {} from {}", day(database.built), database.origin));
        }
        None => say(
            Level::Warning,
            "no advisory database was used: nothing may be concluded from the absence of findings".into(),
        ),
    }
    messages
}

/// Of the remarks at most so many, with so many bytes: those that matter most, in their order.
pub(super) fn messages_within(document: &ScanDocument, most: usize, bytes: usize) -> Vec<Message> {
    let mut remarks: Vec<_> = messages(document).into_iter().enumerate().collect();
    let all = remarks.len();
    remarks.sort_by_key(|(_, remark)| Reverse(remark.level));
    let mut size = 0;
    let fits = |(_, remark): &&(usize, Message)| {
        size += remark.text.len();
        size <= bytes
    };
    let kept = remarks.iter().take(most).take_while(fits).count();
    remarks.truncate(kept);
    remarks.sort_by_key(|(index, _)| *index);
    let mut remarks: Vec<Message> = remarks.into_iter().map(|(_, remark)| remark).collect();
    if kept < all {
        let text = format!("and {} more remarks; plimsoll.json has them all", all - kept);
        remarks.push(Message { level: Level::Warning, text });
    }
    remarks
}

/// The gaps of an image, without those that its coverage tells already.
pub(super) fn gaps(image: &ImageScan) -> impl Iterator<Item = &Gap> {
    let told = uncovered(image).next().is_some();
    let gaps = image.inventory.as_ref().map_or(&[][..], |inventory| &inventory.gaps);
    gaps.iter().filter(move |gap| gap.kind != GapKind::NoAdvisories || !told)
}

/// `no data for debian-12: 88 packages could not be judged, which is not "no vulnerabilities"`.
pub(super) fn no_data(shard: &str, packages: usize) -> String {
    format!(
        "no data for {shard}: {} could not be judged, which is not \"no vulnerabilities\"",
        count(packages, "package")
    )
}

/// What to do about a finding, in a sentence.
pub(super) fn solution(finding: &Finding) -> Cow<'static, str> {
    let package = &finding.package;
    match (&finding.fix.version, finding.fix.state) {
        (Some(version), _) => match &finding.fix.source {
            None => format!("Upgrade {} from {} to {version}.", package.name, package.version).into(),
            Some(source) => {
                let (name, installed) = (&package.name, &package.version);
                format!("Upgrade {name} from {installed} to what is built from {source} {version}.").into()
            }
        },
        (None, FixState::WillNotFix) => {
            "The vendor will not fix this in this release; move to a newer release or replace the package.".into()
        }
        (None, FixState::Deferred) => "The vendor has put the fix off; nothing to upgrade to yet.".into(),
        (None, FixState::UnderInvestigation) => "The vendor is looking into it; nothing to upgrade to yet.".into(),
        (None, FixState::EndOfLife) => "This release gets no fixes any more; move to one that does.".into(),
        (None, FixState::Fixed | FixState::NotFixed | FixState::NotAffected | FixState::Unknown) => {
            "No fixed version is known yet.".into()
        }
    }
}

/// A fix state in words.
pub(super) fn fix_state(state: FixState) -> &'static str {
    match state {
        FixState::Fixed => "fixed",
        FixState::NotFixed => "not fixed",
        FixState::WillNotFix => "will not be fixed",
        FixState::Deferred => "fix deferred",
        FixState::UnderInvestigation => "under investigation",
        FixState::NotAffected => "not affected",
        FixState::EndOfLife => "end of life",
        FixState::Unknown => "unknown",
    }
}

/// Why a finding is suppressed, in words that follow a number: `3 owned by an OS package`.
pub(super) fn suppression(reason: SuppressionReason) -> &'static str {
    match reason {
        SuppressionReason::OwnedByOsPackage => "owned by an OS package",
        SuppressionReason::ThirdPartyPackage => "in packages of third parties",
        SuppressionReason::KernelHeaders => "in headers of the kernel",
        SuppressionReason::NotComparable => "with a version that cannot be compared",
        SuppressionReason::Vex => "not affected according to VEX",
        SuppressionReason::IgnoreRule => "ignored by rule",
        SuppressionReason::Setting => "left out by a setting",
        SuppressionReason::Filter => "left out of this report",
    }
}

/// Suppressed findings by reason, for example `3 owned by an OS package, 1 ignored by rule`.
pub(super) fn suppressed(image: &ImageScan) -> String {
    let numbers = image.totals().suppressed;
    let parts = SuppressionReason::ALL.into_iter().zip(numbers).filter(|(_, number)| *number > 0);
    let parts = parts.map(|(reason, number)| format!("{number} {}", suppression(reason)));
    parts.collect::<Vec<_>>().join(", ")
}

/// `since 2021-12-10, due 2021-12-24, used by ransomware`.
pub(super) fn exploited(kev: &Kev) -> String {
    let due = kev.due.map(|due| format!(", due {due}")).unwrap_or_default();
    let ransomware = if kev.ransomware { ", used by ransomware" } else { "" };
    format!("since {}{due}{ransomware}", kev.added)
}

/// `97.5 % within 30 days (higher than 99.9 % of all), 2026-11-20`.
pub(super) fn likelihood(epss: &Epss) -> String {
    let date = epss.date.map(|date| format!(", {date}")).unwrap_or_default();
    // Tenths of a percent as whole numbers: writing fractions exactly took a fiftieth of all reports.
    let percent = |share: f64| {
        let tenths = (share.clamp(0.0, 1.0) * 1000.0).round() as u32;
        (tenths / 10, tenths % 10)
    };
    let ((score, tenth), (percentile, other)) = (percent(epss.score), percent(epss.percentile));
    format!("{score}.{tenth} % within 30 days (higher than {percentile}.{other} % of all){date}")
}

/// `known to be exploited (+1, at least High): CISA's catalogue, since 2021-12-10`.
pub(super) fn factor(factor: &Factor) -> String {
    let Factor { id, effect, evidence } = factor;
    format!("{} ({}): {evidence}", id.reason(), effect.in_words())
}

/// `debian-tracker DSA-5532-1 on openssl: 3.0.11-1 < 3.0.15-1 (deb)`.
pub(super) fn statement(statement: &Statement) -> String {
    format!("{} {} on {}: {}", statement.feed, statement.advisory, statement.name, statement.comparison)
}

/// `debian 12`, as GitLab's own analyzer writes it.
pub(super) fn operating_system(distribution: &Distribution) -> String {
    format!("{} {}", distribution.id, distribution.version).trim().to_owned()
}

/// `debian-12 (data of 2026-11-19), npm`.
pub(super) fn coverage(image: &ImageScan, status: CoverageStatus) -> String {
    let parts = image.coverage.iter().filter(|coverage| coverage.status == status).map(|coverage| {
        coverage
            .date
            .map_or_else(|| coverage.shard.to_string(), |date| format!("{} (data of {})", coverage.shard, day(date)))
    });
    parts.collect::<Vec<_>>().join(", ")
}

const LONGEST_MESSAGE: usize = 1000;

const MOST_GAPS: usize = 100;
