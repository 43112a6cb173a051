//! What a person reads in the terminal and in the job log: the summary first, then what to upgrade, then what cannot
//! be fixed, then what could not be seen.

mod screen;

use std::io::{self, Write};

use anstyle::{AnsiColor, Style};

use crate::model::{Finding, ImageScan, ScanDocument, Severity, SuppressionReason};

use super::upgrades::{self, Group};
use super::verdict::{Verdict, counted};
use super::{text, wording};
use screen::{Column, Screen};

/// How to write the table.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct TableOptions {
    /// Columns of the terminal; 0 for 80. Below 24 it is taken for 24.
    pub width: usize,
    /// Whether to use colour.
    pub color: bool,
}

const MOST_IDS: usize = 12;
const MOST_GAPS: usize = 12;
const PLAIN: Style = Style::new();
const BOLD: Style = Style::new().bold();
const DIM: Style = Style::new().dimmed();
const BAD: Style = AnsiColor::Red.on_default().bold();
const WARNING: Style = AnsiColor::Yellow.on_default().bold();
const GOOD: Style = AnsiColor::Green.on_default().bold();

/// Writes the table.
///
/// # Errors
///
/// What `out` fails with.
pub fn render(document: &ScanDocument, options: &TableOptions, out: &mut dyn Write) -> io::Result<()> {
    let width = if options.width == 0 { 80 } else { options.width.max(24) };
    let screen = &mut Screen::new(out, width, options.color);
    if let Some(banner) = wording::example_banner(document) {
        screen.paragraph(WARNING, 0, banner)?;
        screen.blank()?;
    }
    for diagnosis in &document.diagnoses {
        screen.paragraph(BAD, 0, &diagnosis.to_string())?;
    }
    for image in &document.images {
        summary(document, image, screen)?;
    }
    for image in &document.images {
        let several = document.images.len() > 1;
        details(image, several, screen)?;
    }
    data(document, screen)
}

fn summary(document: &ScanDocument, image: &ImageScan, screen: &mut Screen<'_>) -> io::Result<()> {
    screen.paragraph(BOLD, 0, &wording::or(text::line(&image.name), "(unnamed image)"))?;
    if let Some(identity) = identity(image) {
        screen.paragraph(DIM, 2, &identity)?;
    }
    let verdict = Verdict::of(document, image);
    let style = match verdict {
        Verdict::Failed => BAD,
        Verdict::Vulnerable => image.findings.iter().map(|f| f.severity).max().map_or(BOLD, style),
        Verdict::Incomplete => WARNING,
        Verdict::Clean => GOOD,
    };
    screen.paragraph(style, 2, &verdict.sentence(image))?;
    if let Some(diagnosis) = &image.diagnosis {
        screen.paragraph(PLAIN, 2, &diagnosis.to_string())?;
    }
    if !image.findings.is_empty() {
        let counts = image.counts().map(|(severity, count)| format!("{count} {}", severity.label().to_lowercase()));
        screen.paragraph(PLAIN, 2, &counts.join(", "))?;
    }
    let suppressed = suppressed(image);
    if !suppressed.is_empty() {
        screen.paragraph(DIM, 2, &suppressed)?;
    }
    for missing in wording::missing_data(image) {
        screen.paragraph(WARNING, 2, &missing)?;
    }
    let gaps = image.inventory.as_ref().map_or(0, |inventory| inventory.gaps.len());
    if gaps > 0 {
        screen.paragraph(
            WARNING,
            2,
            &format!("{} (see below)", counted(gaps, "thing could not be read", "things could not be read")),
        )?;
    }
    screen.blank()
}

/// Digest, operating system, platform.
fn identity(image: &ImageScan) -> Option<String> {
    let inventory = image.inventory.as_ref()?;
    let digest = inventory.image.manifest_digest.as_ref().or(inventory.image.config_digest.as_ref());
    let system = inventory.distribution.as_ref().map(|distribution| {
        if distribution.name.is_empty() {
            format!("{} {}", distribution.id, distribution.version)
        } else {
            distribution.name.clone()
        }
    });
    let platform = inventory.image.platform.as_ref().map(ToString::to_string);
    let parts = [
        digest.map(|digest| digest.short().to_owned()),
        Some(system.unwrap_or_else(|| "no known OS".into())),
        platform,
    ];
    Some(parts.into_iter().flatten().collect::<Vec<_>>().join(" · "))
}

/// `3 suppressed: 2 judged by its OS package, 1 ignore rule`.
fn suppressed(image: &ImageScan) -> String {
    use SuppressionReason::{IgnoreRule, OwnedByOsPackage, ThirdPartyPackage, Vex};
    let count = |reason| image.suppressed.iter().filter(|suppressed| suppressed.reason == reason).count();
    let parts: Vec<String> = [OwnedByOsPackage, ThirdPartyPackage, Vex, IgnoreRule]
        .into_iter()
        .filter(|&reason| count(reason) > 0)
        .map(|reason| format!("{} {}", count(reason), wording::suppression(reason)))
        .collect();
    if parts.is_empty() {
        String::new()
    } else {
        format!("{} suppressed: {}", image.suppressed.len(), parts.join(", "))
    }
}

fn details(image: &ImageScan, named: bool, screen: &mut Screen<'_>) -> io::Result<()> {
    let (fixable, unfixed) = upgrades::group(&image.findings);
    let gaps = image.inventory.as_ref().map_or(&[][..], |inventory| &inventory.gaps);
    if named && !(fixable.is_empty() && unfixed.is_empty() && gaps.is_empty()) {
        screen.paragraph(BOLD, 0, &image.name)?;
    }
    if !fixable.is_empty() {
        let columns = columns("FIXED IN");
        let rows: Vec<_> =
            fixable.iter().map(|group| row(group, group.fixed.unwrap_or_default(), ids(group))).collect();
        screen.rows(0, &columns, &rows)?;
        screen.blank()?;
    }
    if !unfixed.is_empty() {
        screen.paragraph(BOLD, 0, "Without a fix")?;
        let columns = columns("STATE");
        let rows: Vec<_> = unfixed.iter().map(|group| row(group, &states(group), folded(group))).collect();
        screen.rows(0, &columns, &rows)?;
        screen.blank()?;
    }
    if !gaps.is_empty() {
        screen.paragraph(WARNING, 0, "Not seen or not judged")?;
        for gap in gaps.iter().take(MOST_GAPS) {
            screen.paragraph(PLAIN, 2, &wording::gap(gap))?;
        }
        if gaps.len() > MOST_GAPS {
            screen.paragraph(DIM, 2, &format!("and {} more, see plimsoll.json", gaps.len() - MOST_GAPS))?;
        }
        screen.blank()?;
    }
    Ok(())
}

fn columns(fourth: &'static str) -> [Column; 5] {
    let column = |title, share| Column { title, share };
    [
        column("SEVERITY", 16),
        column("PACKAGE", 24),
        column("INSTALLED", 18),
        column(fourth, 18),
        column("VULNERABILITIES", 100),
    ]
}

fn row(group: &Group<'_>, fourth: &str, last: String) -> (Style, Vec<String>) {
    let severity = group.severity();
    let cells = vec![severity.label().into(), group.package.into(), group.version.into(), fourth.into(), last];
    (style(severity), cells)
}

fn ids(group: &Group<'_>) -> String {
    let mut ids: Vec<String> = group.findings.iter().take(MOST_IDS).map(|finding| id(finding)).collect();
    if group.findings.len() > MOST_IDS {
        ids.push(format!("and {} more", group.findings.len() - MOST_IDS));
    }
    ids.join(", ")
}

fn id(finding: &Finding) -> String {
    let exploited = if finding.kev.is_some() { " (exploited)" } else { "" };
    format!("{}{exploited}", text::line(&finding.id))
}

/// One finding by its id, several by their numbers; those that are exploited always by id.
fn folded(group: &Group<'_>) -> String {
    if let [only] = group.findings.as_slice() {
        return id(only);
    }
    let exploited = group.findings.iter().filter(|finding| finding.kev.is_some()).map(|finding| id(finding));
    let mut parts: Vec<String> = std::iter::once(group.counts()).chain(exploited).collect();
    parts.dedup();
    parts.join(", ")
}

fn states(group: &Group<'_>) -> String {
    let mut states: Vec<&str> = group.findings.iter().map(|finding| wording::fix_state(finding.fix.state)).collect();
    states.sort_unstable();
    states.dedup();
    states.join(", ")
}

/// Which advisory data it was, and how old.
fn data(document: &ScanDocument, screen: &mut Screen<'_>) -> io::Result<()> {
    let Some(database) = &document.database else {
        return screen.paragraph(WARNING, 0, "There was no advisory database: nothing was judged");
    };
    screen.paragraph(DIM, 0, &format!("Advisory data {}", wording::age(database, document.finished)))
}

fn style(severity: Severity) -> Style {
    match severity {
        Severity::Critical => BAD,
        Severity::High => AnsiColor::Red.on_default(),
        Severity::Medium => AnsiColor::Yellow.on_default(),
        Severity::Low => AnsiColor::Blue.on_default(),
        Severity::Info | Severity::Unknown => PLAIN,
    }
}
