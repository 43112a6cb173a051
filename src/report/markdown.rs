//! A summary in GitLab's Markdown, `summary.md`: for a merge request's comment or a job's artifacts.
//!
//! All text of the document is untrusted and is written as code, so that it stays text: no link, no image, no HTML, no
//! mention, no quick action, no cell or row of its own.

use std::io;

use crate::model::{ImageScan, ScanDocument};

use super::identifier::Identifier;
use super::renderer::{Renderer, no_such_part};
use super::upgrades::{self, Group};
use super::verdict::{Verdict, counted};
use super::{text, wording};

/// The format `markdown`.
pub struct Markdown;

const MOST_GROUPS: usize = 50;
const MOST_IDS: usize = 10;
const MOST_GAPS: usize = 20;

impl Renderer for Markdown {
    fn format(&self) -> &'static str {
        "markdown"
    }

    fn files(&self, _: &ScanDocument) -> Vec<String> {
        vec!["summary.md".into()]
    }

    fn render(&self, document: &ScanDocument, part: usize, out: &mut dyn io::Write) -> io::Result<()> {
        if part != 0 {
            return Err(no_such_part(self.format(), part));
        }
        writeln!(out, "## Container scan\n")?;
        if let Some(banner) = wording::example_banner(document) {
            writeln!(out, "> **{banner}**\n")?;
        }
        for diagnosis in &document.diagnoses {
            writeln!(out, "- {}\n", code(&diagnosis.to_string(), 2000))?;
        }
        for image in &document.images {
            write_image(document, image, out)?;
        }
        match &document.database {
            Some(database) => {
                writeln!(out, "Advisory data {}", code(&wording::age(database, document.finished), 400))
            }
            None => writeln!(out, "There was no advisory database: nothing was judged."),
        }
    }
}

fn write_image(document: &ScanDocument, image: &ImageScan, out: &mut dyn io::Write) -> io::Result<()> {
    writeln!(out, "### {}\n", code(&image.name, 300))?;
    writeln!(out, "**{}**\n", Verdict::of(document, image).sentence(image))?;
    if let Some(diagnosis) = &image.diagnosis {
        writeln!(out, "{}\n", code(&diagnosis.to_string(), 2000))?;
    }
    if !image.findings.is_empty() {
        let counts = image.counts();
        let titles = counts.map(|(severity, _)| severity.label()).join(" | ");
        let numbers = counts.map(|(_, count)| count.to_string()).join(" | ");
        writeln!(out, "| {titles} |\n|{}\n| {numbers} |\n", "---:|".repeat(counts.len()))?;
    }
    let (fixable, unfixed) = upgrades::group(&image.findings);
    if !fixable.is_empty() {
        writeln!(out, "| Severity | Package | Installed | Fixed in | Vulnerabilities |\n|---|---|---|---|---|")?;
        for group in fixable.iter().take(MOST_GROUPS) {
            writeln!(out, "{}", row(group))?;
        }
        writeln!(out)?;
        if fixable.len() > MOST_GROUPS {
            writeln!(out, "and {} more\n", counted(fixable.len() - MOST_GROUPS, "upgrade", "upgrades"))?;
        }
    }
    if !unfixed.is_empty() {
        let findings: usize = unfixed.iter().map(|group| group.findings.len()).sum();
        let found = counted(findings, "vulnerability", "vulnerabilities");
        writeln!(out, "{found} without a fix in {}\n", counted(unfixed.len(), "package", "packages"))?;
    }
    if !image.suppressed.is_empty() {
        writeln!(out, "{} suppressed\n", counted(image.suppressed.len(), "finding", "findings"))?;
    }
    write_gaps(image, out)
}

fn write_gaps(image: &ImageScan, out: &mut dyn io::Write) -> io::Result<()> {
    let gaps = image.inventory.as_ref().map_or(&[][..], |inventory| &inventory.gaps);
    let missing = wording::missing_data(image);
    for line in missing.iter().cloned().chain(gaps.iter().take(MOST_GAPS).map(wording::gap)) {
        writeln!(out, "- {}", code(&line, 1000))?;
    }
    if gaps.len() > MOST_GAPS {
        writeln!(out, "- and {} more, see plimsoll.json", gaps.len() - MOST_GAPS)?;
    }
    if gaps.is_empty() && missing.is_empty() { Ok(()) } else { writeln!(out) }
}

fn row(group: &Group<'_>) -> String {
    let mut ids: Vec<String> = group.findings.iter().take(MOST_IDS).map(|finding| link(&finding.id)).collect();
    if group.findings.len() > MOST_IDS {
        ids.push(format!("and {} more", group.findings.len() - MOST_IDS));
    }
    format!(
        "| {} | {} | {} | {} | {} |",
        group.severity(),
        cell(group.package, 200),
        cell(group.version, 200),
        cell(group.fixed.unwrap_or_default(), 200),
        ids.join(", ")
    )
}

/// A link only to pages that we know, with ids of plain characters.
fn link(id: &str) -> String {
    match Identifier::of(id).and_then(|id| Some((id.id, id.url?))) {
        Some((id, url)) => format!("[{id}]({url})"),
        None => cell(id, 100),
    }
}

/// One line of text as code: there neither Markdown nor HTML nor GitLab's references (`@name`, `#1`) mean anything.
/// Escaping would not do: GitLab looks for references after it has undone escapes. Backticks become apostrophes.
fn code(text: &str, limit: usize) -> String {
    format!("`{}`", wording::or(text::cut(text::line(text).replace('`', "'"), limit), "-"))
}

/// Code in a table, where a vertical bar ends the cell even inside code.
fn cell(text: &str, limit: usize) -> String {
    code(&text.replace('|', "¦"), limit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_stays_in_its_code() {
        for (text, expected) in [
            ("openssl", "`openssl`"),
            ("a`b` @all <img>", "`a'b' @all <img>`"),
            ("a|b\\|c\n/close", "`a¦b\\¦c /close`"),
            ("\u{202e}", "`-`"),
        ] {
            assert_eq!(cell(text, 50), expected, "{text:?}");
        }
        assert_eq!(link("CVE-2024-1"), "[CVE-2024-1](https://nvd.nist.gov/vuln/detail/CVE-2024-1)");
        assert_eq!(link("CVE-1](x)"), "`CVE-1](x)`");
    }
}
