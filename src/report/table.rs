//! The table on a terminal and in a job log: per image what it is, the verdict and what to do, most useful first.
//!
//! No line is wider than asked, whatever names hold; colour only when asked; nothing from an image or an advisory can
//! steer the terminal.

mod image;
mod page;

use std::io::{self, Write};

use anstyle::{AnsiColor, Style};

use crate::model::{ScanDocument, Severity};

use super::attention;
use super::text::{count, day, thousands};
use super::verdict::Verdict;
use super::wording;
use page::Page;

/// How the table is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableOptions {
    /// Columns that no line exceeds; less than 40 counts as 40.
    pub width: usize,
    /// Whether to use colours and bold type (ANSI escape sequences).
    pub color: bool,
    /// Images shown, those that want attention most; the rest is counted.
    pub images: usize,
    /// Packages to upgrade shown per image; the rest is counted.
    pub upgrades: usize,
    /// Packages without a fix shown per image; the rest is counted.
    pub unfixed: usize,
    /// Gaps shown per image; the rest is counted.
    pub gaps: usize,
    /// Vulnerabilities named per upgrade; the rest is counted.
    pub ids: usize,
    /// Whether suppressed findings are listed, not only counted.
    pub suppressed: bool,
}

impl Default for TableOptions {
    fn default() -> Self {
        Self { width: 100, color: false, images: 100, upgrades: 25, unfixed: 10, gaps: 10, ids: 6, suppressed: false }
    }
}

/// Writes the table.
///
/// # Errors
///
/// What `out` fails with.
pub fn render(document: &ScanDocument, options: &TableOptions, out: &mut dyn Write) -> io::Result<()> {
    let mut page = Page::new(options, out);
    head(document, &mut page)?;
    let (images, more) = attention::first(document, options.images);
    for image in images {
        page.blank()?;
        image::render(document, image, options, &mut page)?;
    }
    if more > 0 {
        page.blank()?;
        page.paragraph(0, |line| {
            line.words(
                &format!("and {} that want less attention; plimsoll.json has all", count(more, "more image")),
                DIM,
            );
        })?;
    }
    for diagnosis in &document.diagnoses {
        page.blank()?;
        image::diagnosis(diagnosis, 0, &mut page)?;
    }
    if document.images.len() > 1 {
        page.blank()?;
        total(document, &mut page)?;
    }
    Ok(())
}

fn head(document: &ScanDocument, page: &mut Page<'_>) -> io::Result<()> {
    for banner in wording::banners(document) {
        page.paragraph(0, |line| line.words(&banner, BANNER))?;
    }
    page.paragraph(0, |line| {
        line.words(&format!("{} {}", document.tool.name, document.tool.version), BOLD);
        match &document.database {
            Some(database) => {
                let records: u64 = database.sources.iter().map(|source| source.records).sum();
                let days = document.started.duration_since(database.built).as_hours() / 24;
                let age = match days {
                    ..=0 => String::new(),
                    _ => format!(", {} old", count(usize::try_from(days).unwrap_or(usize::MAX), "day")),
                };
                line.words(&format!("· {} advisories, built {}{age}", thousands(records), day(database.built)), DIM);
            }
            None => line.words("· no advisory database", WARNING),
        }
    })
}

/// The last lines of a log are read first.
fn total(document: &ScanDocument, page: &mut Page<'_>) -> io::Result<()> {
    page.paragraph(0, |line| {
        line.words(&format!("{}:", count(document.images.len(), "image")), BOLD);
        image::counts(document.totals().by_severity(), line);
        let unjudged = document.images.iter().filter(|image| !Verdict::of(document, image).is_judged()).count();
        if unjudged > 0 {
            line.words(&format!("· {} could not be judged", count(unjudged, "image")), FAILURE);
        }
    })
}

const BOLD: Style = Style::new().bold();
const DIM: Style = Style::new().dimmed();
const PLAIN: Style = Style::new();
const BANNER: Style = AnsiColor::Yellow.on_default().bold().invert();
const WARNING: Style = AnsiColor::Yellow.on_default();
const FAILURE: Style = AnsiColor::Red.on_default().bold();
const GOOD: Style = AnsiColor::Green.on_default().bold();

fn severity_style(severity: Severity) -> Style {
    match severity {
        Severity::Critical => AnsiColor::Magenta.on_default().bold(),
        Severity::High => AnsiColor::Red.on_default().bold(),
        Severity::Medium => AnsiColor::Yellow.on_default(),
        Severity::Low => AnsiColor::Cyan.on_default(),
        Severity::Info | Severity::Unknown => DIM,
    }
}
