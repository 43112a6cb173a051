//! `summary.md`: the scan on a page, for merge requests and job summaries.
//!
//! Every text that comes from an image or an advisory stands in a code span, where GitLab runs no quick action, makes
//! no mention and no link.

mod escape;

use std::io::{self, Write};

use crate::model::{CoverageStatus, ImageScan, Outcome, ScanDocument, Severity};

use super::Renderer;
use super::action::{Action, actions, actions_for};
use super::attention;
use super::change::{self, Changes};
use super::renderer::only_part;
use super::text::{count, day};
use super::verdict::{Verdict, uncovered};
use super::wording::{self, EXAMPLE_DATA};
pub(super) use escape::{code, linked};

/// A summary in GitLab Flavored Markdown.
pub(super) struct Markdown;

impl Renderer for Markdown {
    fn format(&self) -> &'static str {
        "markdown"
    }

    fn files(&self, _: &ScanDocument) -> Vec<String> {
        vec!["summary.md".into()]
    }

    fn render(&self, document: &ScanDocument, part: usize, out: &mut dyn Write) -> io::Result<()> {
        only_part(self.format(), part)?;
        writeln!(out, "# {}\n", headline(document))?;
        for banner in wording::banners(document) {
            let banner = if banner == EXAMPLE_DATA { banner } else { code(&banner) };
            writeln!(out, "> **{banner}**\n")?;
        }
        for diagnosis in &document.diagnoses {
            writeln!(out, "❌ {}\n", code(&diagnosis.to_string()))?;
        }
        if !document.images.is_empty() {
            overview(document, out)?;
        }
        let (images, more) = attention::first(document, MOST_IMAGES);
        for image in images {
            about(document, image, out)?;
        }
        if more > 0 {
            writeln!(out, "\nand {}; `plimsoll.json` has all", count(more, "more image"))?;
        }
        match &document.database {
            Some(database) => writeln!(out, "\nAdvisories of {} from {}.", day(database.built), code(&database.origin)),
            None => {
                writeln!(out, "\nNo advisory database was used: nothing may be concluded from the absence of findings.")
            }
        }
    }
}

/// No number where nothing could be counted.
fn headline(document: &ScanDocument) -> String {
    let judged = document.images.iter().filter(|image| Verdict::of(document, image).is_judged()).count();
    match (judged, document.outcome) {
        (0, _) => "Container scan: nothing could be judged".into(),
        (_, Outcome::Failure) => {
            format!("Container scan, incomplete: {}", count(document.totals().findings(), "finding"))
        }
        (_, Outcome::Success) => {
            let news = change::total(document).map(|total| format!(", {}", change::news(total.introduced.len())));
            format!("Container scan: {}{}", count(document.totals().findings(), "finding"), news.unwrap_or_default())
        }
    }
}

fn overview(document: &ScanDocument, out: &mut dyn Write) -> io::Result<()> {
    write!(out, "| Image | Verdict |")?;
    for severity in Severity::ALL {
        write!(out, " {severity} |")?;
    }
    writeln!(out, "\n|---|---|{}", "--:|".repeat(Severity::ALL.len()))?;
    for image in &document.images {
        let verdict = Verdict::of(document, image);
        write!(out, "| {} | {} {} |", code(&image.name), mark(verdict), verdict.word())?;
        for (_, number) in image.totals().by_severity() {
            if verdict.is_judged() || number > 0 {
                write!(out, " {number} |")?
            } else {
                out.write_all(" – |".as_bytes())?
            }
        }
        writeln!(out)?;
    }
    Ok(())
}

fn mark(verdict: Verdict<'_>) -> &'static str {
    match verdict {
        Verdict::Failed(_) => "❌",
        Verdict::Vulnerable => "🔶",
        Verdict::NotJudged | Verdict::Incomplete => "❔",
        Verdict::Clean => "✅",
    }
}

fn about(document: &ScanDocument, image: &ImageScan, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "\n## {}\n", code(&image.name))?;
    let verdict = Verdict::of(document, image);
    match verdict {
        Verdict::Failed(Some(diagnosis)) => {
            writeln!(out, "{} **scan failed**: {}\n", mark(verdict), code(&diagnosis.what))?;
            writeln!(out, "- why: {}\n- fix: {}", code(&diagnosis.why), code(&diagnosis.fix))?;
        }
        _ => writeln!(out, "{} **{}**", mark(verdict), verdict.sentence(image))?,
    }
    if let Some(part) = wording::listed_part(image) {
        writeln!(out, "\n⚠ {part}")?;
    }
    changed(document, image, out)?;
    let covered = wording::coverage(image, CoverageStatus::Covered);
    if !covered.is_empty() {
        writeln!(out, "\nJudged by {}.", code(&covered))?;
    }
    for coverage in uncovered(image) {
        writeln!(out, "\n⚠ {}", code(&wording::no_data(&coverage.shard.to_string(), coverage.packages)))?;
    }
    let (upgrades, unfixed): (Vec<_>, Vec<_>) = actions(image).into_iter().partition(|action| action.fix.is_some());
    if !upgrades.is_empty() {
        writeln!(out, "\n| Upgrade | from | to | removes | |\n|---|---|---|--:|---|")?;
        for action in upgrades.iter().take(MOST_ACTIONS) {
            writeln!(
                out,
                "| {} | {} | {} | {} | {} |",
                code(action.name),
                code(action.version),
                code(action.fix.unwrap_or("")),
                action.findings.len(),
                ids(action)
            )?;
        }
        more(upgrades.len(), MOST_ACTIONS, "upgrade", out)?;
    }
    if !unfixed.is_empty() {
        writeln!(out, "\n<details><summary>No fix yet: {}</summary>\n", count(unfixed.len(), "package"))?;
        writeln!(out, "| Package | Version | Vulnerabilities | |\n|---|---|--:|---|")?;
        for action in unfixed.iter().take(MOST_ACTIONS) {
            let number = action.findings.len();
            writeln!(out, "| {} | {} | {number} | {} |", code(action.name), code(action.version), ids(action))?;
        }
        more(unfixed.len(), MOST_ACTIONS, "package", out)?;
        writeln!(out, "\n</details>")?;
    }
    let suppressed = image.totals().suppressed();
    if suppressed > 0 {
        writeln!(out, "\nSuppressed {suppressed}: {}.", wording::suppressed(image))?;
    }
    gaps(image, out)
}

/// What the image changes, where it was compared with another.
fn changed(document: &ScanDocument, image: &ImageScan, out: &mut dyn Write) -> io::Result<()> {
    let (Some(changes), Some(comparison)) = (Changes::of(document, image), &document.comparison) else { return Ok(()) };
    writeln!(out, "\nAgainst {}: {}.", code(&comparison.baseline), changes.sentence())?;
    if changes.introduced.is_empty() {
        return Ok(());
    }
    writeln!(out, "\n| New | installed | fixed in | |\n|---|---|---|---|")?;
    let actions = actions_for(image, changes.introduced);
    for action in actions.iter().take(MOST_ACTIONS) {
        let fix = action.fix.map_or_else(|| "no fix yet".into(), code);
        writeln!(out, "| {} | {} | {fix} | {} |", code(action.name), code(action.version), ids(action))?;
    }
    more(actions.len(), MOST_ACTIONS, "package", out)
}

/// The vulnerabilities of an action, with links, severity and whether they are exploited.
pub(super) fn ids(action: &Action<'_>) -> String {
    let shown = action.findings.iter().take(MOST_IDS).map(|finding| {
        let exploited = if finding.kev.is_some() { " (exploited)" } else { "" };
        format!("{} {}{exploited}", linked(&finding.id), finding.severity)
    });
    let shown = shown.collect::<Vec<_>>().join(", ");
    match action.findings.len().checked_sub(MOST_IDS) {
        Some(more @ 1..) => format!("{shown} and {more} more"),
        _ => shown,
    }
}

fn gaps(image: &ImageScan, out: &mut dyn Write) -> io::Result<()> {
    let gaps: Vec<_> = wording::gaps(image).collect();
    if gaps.is_empty() {
        return Ok(());
    }
    writeln!(out, "\n<details><summary>Not read or judged: {}</summary>\n", count(gaps.len(), "gap"))?;
    for gap in gaps.iter().take(MOST_ACTIONS) {
        writeln!(out, "- {}: {}: {}", gap.kind.label(), code(&gap.subject), code(&gap.reason))?;
    }
    more(gaps.len(), MOST_ACTIONS, "gap", out)?;
    writeln!(out, "\n</details>")
}

fn more(all: usize, shown: usize, noun: &str, out: &mut dyn Write) -> io::Result<()> {
    match all.checked_sub(shown) {
        Some(more @ 1..) => writeln!(out, "\nand {}; `plimsoll.json` has all", count(more, &format!("more {noun}"))),
        _ => Ok(()),
    }
}

const MOST_IMAGES: usize = 20;
const MOST_ACTIONS: usize = 30;
const MOST_IDS: usize = 5;
