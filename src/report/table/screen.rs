//! Lines for a terminal: never wider than it, in colour only if asked, harmless whatever the text is.

use std::io::{self, Write};

use anstyle::Style;
use unicode_width::UnicodeWidthChar;

use crate::report::text;

/// Where lines go.
pub(super) struct Screen<'a> {
    out: &'a mut dyn Write,
    width: usize,
    color: bool,
}

/// A column of [`Screen::rows`].
pub(super) struct Column {
    pub(super) title: &'static str,
    /// The share of the width, in percent, that it takes at most; the last column takes what is left.
    pub(super) share: usize,
}

const GAP: usize = 2;

/// Below this width rows are written below each other instead of in columns.
const NARROW: usize = 60;

impl<'a> Screen<'a> {
    pub(super) fn new(out: &'a mut dyn Write, width: usize, color: bool) -> Self {
        Self { out, width, color }
    }

    pub(super) fn blank(&mut self) -> io::Result<()> {
        writeln!(self.out)
    }

    /// The text on as many lines as it takes, all indented.
    pub(super) fn paragraph(&mut self, style: Style, indent: usize, text: &str) -> io::Result<()> {
        for line in wrap(&clean(text), self.width.saturating_sub(indent)) {
            write!(self.out, "{:indent$}", "")?;
            self.styled(style, &line)?;
            writeln!(self.out)?;
        }
        Ok(())
    }

    /// A table: the style of a row is that of its first cell. Cells that are too long continue below.
    pub(super) fn rows(&mut self, indent: usize, columns: &[Column], rows: &[(Style, Vec<String>)]) -> io::Result<()> {
        let rows: Vec<(Style, Vec<String>)> =
            rows.iter().map(|(style, cells)| (*style, cells.iter().map(|cell| clean(cell)).collect())).collect();
        if self.width < NARROW {
            return self.stacked(indent, rows);
        }
        let widths = self.column_widths(indent, columns, &rows);
        let titles = columns.iter().map(|column| column.title.to_owned()).collect();
        self.row(indent, &widths, Style::new().dimmed(), Style::new().dimmed(), titles)?;
        for (style, cells) in rows {
            self.row(indent, &widths, style, Style::new(), cells)?;
        }
        Ok(())
    }

    fn stacked(&mut self, indent: usize, rows: Vec<(Style, Vec<String>)>) -> io::Result<()> {
        for (style, cells) in rows {
            let Some((last, first)) = cells.split_last() else { continue };
            self.paragraph(style, indent, &first.join("  "))?;
            self.paragraph(Style::new(), indent + GAP, last)?;
        }
        Ok(())
    }

    fn column_widths(&self, indent: usize, columns: &[Column], rows: &[(Style, Vec<String>)]) -> Vec<usize> {
        let available = self.width.saturating_sub(indent + GAP * columns.len().saturating_sub(1));
        let mut left = available;
        let mut widths = Vec::new();
        for (index, column) in columns.iter().enumerate() {
            let cells = rows.iter().filter_map(|(_, cells)| cells.get(index));
            let natural = cells.map(|cell| width_of(cell)).max().unwrap_or(0).max(column.title.len());
            let most = if index + 1 == columns.len() { left } else { available * column.share / 100 };
            let width = natural.min(most).max(1);
            left = left.saturating_sub(width);
            widths.push(width);
        }
        widths
    }

    fn row(
        &mut self,
        indent: usize,
        widths: &[usize],
        first: Style,
        rest: Style,
        cells: Vec<String>,
    ) -> io::Result<()> {
        let wrapped: Vec<Vec<String>> = cells.iter().zip(widths).map(|(cell, width)| wrap(cell, *width)).collect();
        let height = wrapped.iter().map(Vec::len).max().unwrap_or(0);
        for line in 0..height {
            let mut behind = indent;
            for (column, (cell, width)) in wrapped.iter().zip(widths).enumerate() {
                if let Some(text) = cell.get(line).filter(|text| !text.is_empty()) {
                    write!(self.out, "{:behind$}", "")?;
                    self.styled(if column == 0 { first } else { rest }, text)?;
                    behind = width.saturating_sub(width_of(text));
                } else {
                    behind += width;
                }
                behind += GAP;
            }
            writeln!(self.out)?;
        }
        Ok(())
    }

    fn styled(&mut self, style: Style, text: &str) -> io::Result<()> {
        if self.color && !style.is_plain() {
            write!(self.out, "{style}{text}{style:#}")
        } else {
            write!(self.out, "{text}")
        }
    }
}

/// Neither control characters nor variation selectors, which change the width of what stands before them.
fn clean(text: &str) -> String {
    text::line(text).chars().filter(|c| !matches!(c, '\u{fe00}'..='\u{fe0f}')).collect()
}

/// Columns that the text takes on a terminal.
fn width_of(text: &str) -> usize {
    text.chars().map(|c| c.width().unwrap_or(0)).sum()
}

/// Breaks at spaces, and inside words only where a word is longer than the width.
fn wrap(text: &str, width: usize) -> Vec<String> {
    let width = width.max(2);
    let mut lines = Vec::new();
    let mut line = String::new();
    let mut used = 0;
    for word in text.split(' ') {
        let needed = width_of(word);
        if used > 0 && used + 1 + needed > width {
            lines.push(std::mem::take(&mut line));
            used = 0;
        }
        if used > 0 {
            line.push(' ');
            used += 1;
        }
        for c in word.chars() {
            let needed = c.width().unwrap_or(0);
            if used + needed > width {
                lines.push(std::mem::take(&mut line));
                used = 0;
            }
            line.push(c);
            used += needed;
        }
    }
    lines.push(line);
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wraps_without_losing_text() {
        for (text, width, expected) in [
            ("one two three", 7, &["one two", "three"][..]),
            ("abcdefgh ij", 4, &["abcd", "efgh", "ij"]),
            ("世界世界", 4, &["世界", "世界"]),
            ("", 4, &[""]),
        ] {
            assert_eq!(wrap(text, width), expected, "{text}");
        }
    }

    fn rows(width: usize) -> String {
        let mut out = Vec::new();
        let columns = [Column { title: "A", share: 10 }, Column { title: "B", share: 100 }];
        let row = (
            Style::new().bold(),
            vec!["long name".into(), "one two three four five six seven eight nine ten eleven".into()],
        );
        Screen::new(&mut out, width, false).rows(2, &columns, &[row]).expect("writes to memory");
        String::from_utf8(out).expect("is text")
    }

    #[test]
    fn rows_continue_below() {
        let expected = "  A      B\n  long   one two three four five six seven eight nine ten\n  name   eleven\n";
        assert_eq!(rows(60), expected);
        assert_eq!(rows(30), "  long name\n    one two three four five\n    six seven eight nine ten\n    eleven\n");
    }
}
