//! The comment on a merge request: what it changes first, what to do second, all else folded.
//!
//! GitLab Flavored Markdown, with the rules of `summary.md`: text of images and advisories stands in code spans only, and
//! no line begins with it, so nothing is mentioned, linked or run as a quick action.

use std::fmt::Write as _;

use crate::model::{Finding, ImageScan, Outcome, ScanDocument};

use super::action::{Action, actions_for};
use super::change::{self, Changes};
use super::gate::{concerned, what_is_missing};
use super::markdown::{code, ids, linked};
use super::text::{count, day, web_url};
use super::verdict::{Verdict, uncovered};
use super::wording::{self, EXAMPLE_DATA};

/// What the comment needs to know besides the scan.
#[derive(Debug, Clone, Default)]
pub struct CommentContext {
    /// The line by which the comment is found again; see [`marker`].
    pub marker: String,
    /// The verdict of the gate.
    pub gate: Option<GateVerdict>,
    /// Address of the job.
    pub job_url: Option<String>,
    /// Address of the HTML report.
    pub report_url: Option<String>,
    /// The commit that was scanned, short.
    pub commit: Option<String>,
}

/// What the gate says.
#[derive(Debug, Clone)]
pub struct GateVerdict {
    /// The policy, as written.
    pub policy: String,
    /// How many findings it concerns.
    pub failing: usize,
    /// How many images it concerns because they could not be judged whole.
    pub gaps: usize,
}

/// The hidden line for a key, such as the name of the job: one comment per job and merge request.
#[must_use]
pub fn marker(key: &str) -> String {
    let id = super::stable_id::StableId::new(&["comment", key]).hex();
    format!("<!-- plimsoll:comment:{} -->", id.get(..16).unwrap_or_default())
}

/// Whether there is anything to say to people who did not ask: something new, fixed or failed; without a baseline, any
/// finding.
#[must_use]
pub fn is_news(document: &ScanDocument) -> bool {
    document.outcome == Outcome::Failure
        || match change::total(document) {
            Some(total) => !total.introduced.is_empty() || change::fixed(document) > 0,
            None => document.findings().next().is_some(),
        }
}

/// The comment, at most [`LONGEST`] characters: what does not fit is counted, and the report has all.
#[must_use]
pub fn render(document: &ScanDocument, context: &CommentContext) -> String {
    for rows in [30, 10, 3, 0] {
        let text = text(document, context, rows);
        if text.chars().count() <= LONGEST {
            return text;
        }
    }
    // Only a scan of hundreds of images comes here.
    format!("{}\n## {}\n\n{}", context.marker, headline(document), footer(document, context))
}

/// The text of a thread that stays open while the gate fails: what it concerns, in a few lines.
#[must_use]
pub fn render_thread(context: &CommentContext, failing: &[&Finding], gaps: &[&ImageScan]) -> String {
    let mut out = format!("{}\n", context.marker);
    let policy = context.gate.as_ref().map_or_else(String::new, |gate| format!(" of {}", code(&gate.policy)));
    line(&mut out, &format!("The gate{policy} stops this image: {}.\n", concerned(failing.len(), gaps.len())));
    for finding in failing.iter().take(MOST_IN_THREAD) {
        let package = &finding.package;
        let fix =
            finding.fix.version.as_deref().map_or_else(|| "no fix yet".into(), |fix| format!("fixed in {}", code(fix)));
        line(
            &mut out,
            &format!(
                "- {} {} in {} {}, {fix}",
                linked(&finding.id),
                finding.severity,
                code(&package.name),
                code(&package.version)
            ),
        );
    }
    if let Some(more @ 1..) = failing.len().checked_sub(MOST_IN_THREAD) {
        line(&mut out, &format!("- and {more} more; the report has all"));
    }
    for image in gaps.iter().take(MOST_IN_THREAD) {
        line(&mut out, &format!("- {} was not judged whole: {}", code(&image.name), code(&what_is_missing(image))));
    }
    out
}

fn text(document: &ScanDocument, context: &CommentContext, rows: usize) -> String {
    let mut out = format!("{}\n## {}\n\n", context.marker, headline(document));
    if wording::is_example(document) {
        line(&mut out, &format!("> **{EXAMPLE_DATA}**\n"));
    }
    if let Some(gate) = &context.gate {
        line(&mut out, &gate_line(document, gate));
    }
    for diagnosis in &document.diagnoses {
        line(&mut out, &format!("❌ {}\n", code(&diagnosis.to_string())));
    }
    let many = document.images.len() > 1;
    for image in &document.images {
        if many {
            line(&mut out, &format!("### {}\n", code(&image.name)));
        }
        about(&mut out, document, image, rows);
    }
    out.push_str(&footer(document, context));
    out
}

fn headline(document: &ScanDocument) -> String {
    let judged = document.images.iter().any(|image| Verdict::of(document, image).is_judged());
    let total = change::total(document);
    match (document.outcome, &total) {
        _ if !judged => "❌ Container scan: nothing could be judged".into(),
        (Outcome::Failure, _) => "❌ Container scan, incomplete".into(),
        (Outcome::Success, Some(total)) => {
            let mark = if total.introduced.is_empty() { "✅" } else { "🔶" };
            let fixed = change::fixed(document);
            let also = if fixed > 0 { format!(", {fixed} fixed") } else { String::new() };
            format!("{mark} Container scan: {}{also}", change::news(total.introduced.len()))
        }
        (Outcome::Success, None) => {
            let found = document.findings().count();
            let mark = if found == 0 { "✅" } else { "🔶" };
            format!("{mark} Container scan: {}", count(found, "finding"))
        }
    }
}

fn gate_line(document: &ScanDocument, gate: &GateVerdict) -> String {
    let policy = code(&gate.policy);
    match (gate.failing + gate.gaps, document.outcome) {
        (0, Outcome::Success) => format!("The gate passes: no finding matches {policy}.\n"),
        (0, Outcome::Failure) => {
            format!("The gate is undecided: no finding matches {policy}, but the scan is incomplete.\n")
        }
        (1, _) if gate.gaps == 0 => format!("**The gate fails**: 1 finding matches {policy}.\n"),
        _ => format!("**The gate fails**: {} match {policy}.\n", concerned(gate.failing, gate.gaps)),
    }
}

fn about(out: &mut String, document: &ScanDocument, image: &ImageScan, rows: usize) {
    let verdict = Verdict::of(document, image);
    if let Verdict::Failed(Some(diagnosis)) = verdict {
        line(
            out,
            &format!(
                "❌ {}\n\n- why: {}\n- fix: {}\n",
                code(&diagnosis.what),
                code(&diagnosis.why),
                code(&diagnosis.fix)
            ),
        );
    }
    for coverage in uncovered(image) {
        line(out, &format!("⚠ {}\n", code(&wording::no_data(&coverage.shard.to_string(), coverage.packages))));
    }
    let Some(changes) = Changes::of(document, image) else {
        line(out, &format!("{}; there is no baseline yet to compare with.\n", verdict.sentence(image)));
        table(out, image, image.findings.iter(), rows);
        return;
    };
    match verdict {
        Verdict::Failed(_) => {}
        Verdict::Clean if changes.fixed.is_empty() => line(out, &format!("{}\n", verdict.sentence(image))),
        _ => line(out, &format!("**{}**\n", changes.sentence())),
    }
    if !changes.introduced.is_empty() {
        line(out, "What this brings, and what removes it:\n");
        table(out, image, changes.introduced.iter().copied(), rows);
    }
    fold(out, image, &format!("Fixed: {}", changes.fixed.len()), changes.fixed.iter(), rows);
    let disclosed =
        format!("Disclosed since the baseline was scanned, in packages it has too: {}", changes.disclosed.len());
    fold(out, image, &disclosed, changes.disclosed.iter().copied(), rows);
    let existing = format!("Already there: {}", changes.existing.len());
    fold(out, image, &existing, changes.existing.iter().copied(), rows.min(MOST_EXISTING));
}

/// A folded table; nothing where there is nothing.
fn fold<'a>(
    out: &mut String,
    image: &'a ImageScan,
    summary: &str,
    findings: impl IntoIterator<Item = &'a Finding>,
    rows: usize,
) {
    let mut findings = findings.into_iter().peekable();
    if findings.peek().is_none() {
        return;
    }
    line(out, &format!("<details><summary>{summary}</summary>\n"));
    table(out, image, findings, rows);
    line(out, "</details>\n");
}

/// One line per package and fix, the most severe first.
fn table<'a>(out: &mut String, image: &'a ImageScan, findings: impl IntoIterator<Item = &'a Finding>, rows: usize) {
    let actions = actions_for(image, findings);
    if actions.is_empty() || rows == 0 {
        return;
    }
    line(out, "| Package | Version | Fixed in | Vulnerabilities |\n|---|---|---|---|");
    for action in actions.iter().take(rows) {
        line(out, &row(action));
    }
    if let Some(more @ 1..) = actions.len().checked_sub(rows) {
        line(out, &format!("\nand {}; the report has all", count(more, "more package")));
    }
    out.push('\n');
}

fn row(action: &Action<'_>) -> String {
    let package = match action.other_packages() {
        Some(packages) => format!("{} ({})", code(action.name), code(&packages)),
        None => code(action.name),
    };
    let fix = action.fix.map_or_else(|| "no fix yet".into(), code);
    format!("| {package} | {} | {fix} | {} |", code(action.version), ids(action))
}

fn footer(document: &ScanDocument, context: &CommentContext) -> String {
    let mut parts = Vec::new();
    let link = |name: &str, url: &Option<String>| {
        let url = url.as_deref().and_then(web_url).filter(|url| !url.contains(['(', ')']))?;
        Some(format!("[{name}]({url})"))
    };
    parts.extend(link("Report", &context.report_url));
    parts.extend(link("job", &context.job_url));
    parts.extend(context.commit.as_ref().map(|commit| format!("commit {}", code(commit))));
    if let [image] = document.images.as_slice() {
        parts.push(format!("image {}", code(&image.name)));
    }
    match &document.comparison {
        Some(comparison) => {
            let scanned = comparison.scanned.map_or_else(String::new, |scanned| format!(" of {}", day(scanned)));
            parts.push(format!("compared with {}{scanned}", code(&comparison.baseline)));
        }
        None => parts.push("no baseline".into()),
    }
    if let Some(database) = &document.database {
        parts.push(format!("advisories of {}", day(database.built)));
    }
    format!("<sub>{}</sub>\n", parts.join(" · "))
}

fn line(out: &mut String, text: &str) {
    // Writing into a string cannot fail.
    let _ = writeln!(out, "{text}");
}

/// What people still read. GitLab itself takes 1,000,000 characters.
pub const LONGEST: usize = 60_000;

const MOST_IN_THREAD: usize = 10;

/// What was there before is not the matter of this merge request.
const MOST_EXISTING: usize = 10;
