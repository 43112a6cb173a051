//! The part of the table about one image.

use std::io;

use crate::model::{CoverageStatus, Diagnosis, ImageScan, Inventory, ScanDocument, Severity};
use crate::report::action::{Action, actions};
use crate::report::change::Changes;
use crate::report::text::{count, short};
use crate::report::verdict::{Verdict, uncovered};
use crate::report::wording;

use super::page::{Page, Words};
use super::{BOLD, DIM, FAILURE, GOOD, PLAIN, TableOptions, WARNING, severity_style};

pub(super) fn render(
    document: &ScanDocument,
    image: &ImageScan,
    options: &TableOptions,
    page: &mut Page<'_>,
) -> io::Result<()> {
    page.paragraph(0, |line| line.words(&image.name, BOLD))?;
    if let Some(inventory) = &image.inventory {
        page.paragraph(2, |line| identity(image, inventory, line))?;
    }
    let verdict = Verdict::of(document, image);
    if image.has_findings() {
        page.paragraph(2, |line| counts(image.totals().by_severity(), line))?;
    }
    page.paragraph(2, |line| {
        let (mark, style) = match verdict {
            Verdict::Failed(_) => ("✗", FAILURE),
            Verdict::Vulnerable => ("✗", BOLD),
            Verdict::NotJudged | Verdict::Incomplete => ("?", WARNING),
            Verdict::Clean => ("✓", GOOD),
        };
        line.words(mark, style);
        if verdict == Verdict::NotJudged {
            line.words("not judged:", style);
        }
        line.words(&verdict.sentence(image), style);
    })?;
    if let Some(part) = wording::listed_part(image) {
        page.paragraph(2, |line| line.words(&part, WARNING))?;
    }
    if let (Some(changes), Some(comparison)) = (Changes::of(document, image), &document.comparison) {
        page.paragraph(2, |line| {
            line.words(&changes.sentence(), if changes.introduced.is_empty() { GOOD } else { WARNING });
            line.words(&format!("· against {}", comparison.baseline), DIM);
        })?;
    }
    if let Verdict::Failed(Some(diagnosis)) = verdict {
        self::diagnosis(diagnosis, 2, page)?;
    }
    coverage(image, page)?;
    let (upgrades, unfixed): (Vec<_>, Vec<_>) = actions(image).into_iter().partition(|action| action.fix.is_some());
    self::upgrades(&upgrades, options, page)?;
    self::unfixed(&unfixed, options, page)?;
    let suppressed = image.totals().suppressed();
    if suppressed > 0 {
        page.blank()?;
        page.paragraph(2, |line| {
            line.words(&format!("Suppressed {}:", suppressed), BOLD);
            line.words(&wording::suppressed(image), DIM);
            if !options.suppressed {
                line.words("(--show-suppressed lists them)", DIM);
            }
        })?;
        for suppressed in image.suppressed.iter().filter(|_| options.suppressed) {
            let finding = &suppressed.finding;
            page.paragraph(4, |line| {
                line.words(&finding.id, severity_style(finding.severity));
                line.words(&format!("{} {}", finding.package.name, finding.package.version), PLAIN);
                line.words(&format!("{}: {}", wording::suppression(suppressed.reason), suppressed.explanation), DIM);
            })?;
        }
    }
    gaps(image, options, page)
}

/// A failure with its cause and what to do.
pub(super) fn diagnosis(diagnosis: &Diagnosis, indent: usize, page: &mut Page<'_>) -> io::Result<()> {
    page.paragraph(indent, |line| {
        line.words(&format!("error[{}]", diagnosis.code), FAILURE);
        line.words(&diagnosis.what, PLAIN);
    })?;
    page.paragraph(indent + 2, |line| line.words(&format!("why: {}", diagnosis.why), DIM))?;
    page.paragraph(indent + 2, |line| line.words(&format!("fix: {}", diagnosis.fix), PLAIN))
}

/// The number of findings by severity; zeros are shown, faintly, for the levels that people look for.
pub(super) fn counts(counts: [(Severity, usize); 6], line: &mut Words) {
    let shown = counts.into_iter().filter(|(severity, number)| *number > 0 || *severity >= Severity::Low);
    for (index, (severity, number)) in shown.enumerate() {
        let space = if index > 0 { " " } else { "" };
        let style = if number > 0 { severity_style(severity) } else { DIM };
        line.unit(&format!("{space}{severity} {number}"), style);
    }
}

fn identity(image: &ImageScan, inventory: &Inventory, line: &mut Words) {
    let os = inventory.distribution.as_ref().map_or("no operating system recognised", |distribution| {
        if distribution.name.is_empty() { &distribution.id } else { &distribution.name }
    });
    line.words(os, PLAIN);
    if let Some(platform) = &inventory.image.platform {
        line.words(&format!("· {platform}"), DIM);
    }
    if let Some(digest) = inventory.image.manifest_digest.as_ref().or(inventory.image.config_digest.as_ref()) {
        line.words(&format!("· sha256:{}", digest.short()), DIM);
    }
    line.words(&format!("· {}", count(inventory.layers.len(), "layer")), DIM);
    line.words(&format!("· {}", count(image.package_count(), "package")), DIM);
}

fn coverage(image: &ImageScan, page: &mut Page<'_>) -> io::Result<()> {
    let covered = wording::coverage(image, CoverageStatus::Covered);
    if !covered.is_empty() {
        page.paragraph(2, |line| line.words(&format!("judged by {covered}"), DIM))?;
    }
    for coverage in uncovered(image) {
        page.paragraph(2, |line| {
            line.words(&wording::no_data(&coverage.shard.to_string(), coverage.packages), WARNING)
        })?;
    }
    Ok(())
}

fn upgrades(upgrades: &[Action<'_>], options: &TableOptions, page: &mut Page<'_>) -> io::Result<()> {
    if upgrades.is_empty() {
        return Ok(());
    }
    page.blank()?;
    page.paragraph(2, |line| line.words("Upgrade", BOLD))?;
    let packages: Vec<&[Action<'_>]> = upgrades.chunk_by(|a, b| a.package() == b.package()).collect();
    for upgrades in packages.iter().take(options.upgrades) {
        package(upgrades, options, page)?;
    }
    more(packages.len(), options.upgrades, "package", page)
}

/// The upgrades of one package: on one line where there is only one, else a line for each.
fn package(upgrades: &[Action<'_>], options: &TableOptions, page: &mut Page<'_>) -> io::Result<()> {
    let Some(first) = upgrades.first() else { return Ok(()) };
    page.paragraph(4, |line| {
        line.words(first.name, BOLD);
        line.words(first.version, PLAIN);
        if upgrades.len() == 1 {
            line.words("→", DIM);
            line.words(first.fix.unwrap_or(""), GOOD);
        }
        if let Some(packages) = first.other_packages() {
            line.words(&format!("({})", short(&packages, LONGEST_LIST)), DIM);
        }
    })?;
    for action in upgrades {
        page.paragraph(6, |line| {
            if upgrades.len() > 1 {
                line.words("→", DIM);
                line.words(action.fix.unwrap_or(""), GOOD);
            }
            line.words(&format!("fixes {}:", action.findings.len()), PLAIN);
            ids(action, options, line);
        })?;
    }
    Ok(())
}

fn unfixed(unfixed: &[Action<'_>], options: &TableOptions, page: &mut Page<'_>) -> io::Result<()> {
    if unfixed.is_empty() {
        return Ok(());
    }
    page.blank()?;
    page.paragraph(2, |line| line.words("No fix yet", BOLD))?;
    for action in unfixed.iter().take(options.unfixed) {
        page.paragraph(4, |line| {
            line.words(action.name, BOLD);
            line.words(action.version, PLAIN);
            line.words("·", DIM);
            for (severity, number) in action.counts() {
                line.words(&format!("{number} {severity}"), severity_style(severity));
            }
            if action.is_exploited() {
                line.words("· exploited", FAILURE);
            }
        })?;
    }
    more(unfixed.len(), options.unfixed, "package", page)
}

fn ids(action: &Action<'_>, options: &TableOptions, line: &mut Words) {
    let shown = action.findings.len().min(options.ids);
    for (index, finding) in action.findings.iter().take(shown).enumerate() {
        line.words(&finding.id, severity_style(finding.severity));
        if finding.kev.is_some() {
            line.words("(exploited)", FAILURE);
        }
        if index + 1 < shown {
            line.glue(",", PLAIN);
        }
    }
    if let more @ 1.. = action.findings.len() - shown {
        line.words(&format!("and {more} more"), DIM);
    }
}

fn gaps(image: &ImageScan, options: &TableOptions, page: &mut Page<'_>) -> io::Result<()> {
    let gaps: Vec<_> = wording::gaps(image).collect();
    if gaps.is_empty() {
        return Ok(());
    }
    page.blank()?;
    page.paragraph(2, |line| line.words(&format!("Not read or judged: {}", count(gaps.len(), "gap")), BOLD))?;
    for gap in gaps.iter().take(options.gaps) {
        page.paragraph(4, |line| {
            line.words(&format!("{}:", gap.kind.label()), WARNING);
            line.words(&short(format!("{}: {}", gap.subject, gap.reason), LONGEST_GAP), PLAIN);
        })?;
    }
    more(gaps.len(), options.gaps, "gap", page)
}

fn more(all: usize, shown: usize, noun: &str, page: &mut Page<'_>) -> io::Result<()> {
    match all.checked_sub(shown) {
        Some(more @ 1..) => page.paragraph(4, |line| {
            line.words(&format!("… and {}; the reports have all", count(more, &format!("more {noun}"))), DIM)
        }),
        _ => Ok(()),
    }
}

const LONGEST_LIST: usize = 120;

const LONGEST_GAP: usize = 300;
