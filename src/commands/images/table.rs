//! The list of images for people: by repository, the tags of one image on one line.

use std::fmt::Write as _;

use super::{Report, Row};
use crate::commands::terminal;

/// With `reasons`, each tag has its own line, and says why it is selected or not.
pub(super) fn render(report: &Report, reasons: bool) -> Vec<u8> {
    let mut text = String::new();
    for (repository, rows) in &report.repositories {
        let selected = rows.iter().filter(|row| row.selected).count();
        let _ = writeln!(
            text,
            "{repository}  {}",
            match (selected, rows.len()) {
                (_, 1) => "1 tag".to_owned(),
                (some, all) if some == all => format!("{all} tags"),
                (some, all) => format!("{some} of {all} tags"),
            }
        );
        if reasons {
            let width = rows.iter().map(|row| row.tag.chars().count()).max().unwrap_or(0);
            for row in rows {
                let sign = if row.selected { "in " } else { "out" };
                let why = if row.reason.is_empty() { "all are selected" } else { &row.reason };
                let _ = writeln!(text, "  {sign}  {:width$}  {:<7}  {why}", row.tag, mark(row));
            }
        } else {
            let mut rest = rows.as_slice();
            while let Some((first, _)) = rest.split_first() {
                // Where the digest is known, tags with the same one follow each other.
                let same = |row: &Row| row.digest.is_some() && row.digest == first.digest && row.mark == first.mark;
                let count = rest.iter().take_while(|row| same(row)).count().max(1);
                let (together, others) = rest.split_at(count);
                line(&mut text, first, &together.iter().map(|row| row.tag.as_str()).collect::<Vec<_>>().join(", "));
                rest = others;
            }
        }
        text.push('\n');
    }
    terminal::neutralised(&text).into_bytes()
}

fn line(text: &mut String, row: &Row, tags: &str) {
    let digest = row.digest.as_ref().map_or("-", |digest| digest.short());
    let day = |time: Option<jiff::Timestamp>| {
        time.map_or_else(|| "-".to_owned(), |time| time.strftime("%Y-%m-%d").to_string())
    };
    let size = row.size.map_or_else(String::new, |bytes| format!("  {} MB", bytes / 1_000_000));
    let counts = row.counts.map_or_else(
        || "not scanned".to_owned(),
        |c| format!("C {}  H {}  M {}  L {}", c.critical, c.high, c.medium, c.low),
    );
    let _ = writeln!(
        text,
        "  {:<7}  {tags}\n           {digest:<12}  built {}  scanned {}  {counts}{size}",
        mark(row),
        day(row.created),
        day(row.last_scanned),
    );
}

fn mark(row: &Row) -> &'static str {
    row.mark.map_or("", super::Mark::label)
}
