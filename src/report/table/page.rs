//! Paragraphs of styled words, wrapped to the width of a terminal.

use std::io::{self, Write};

use anstyle::Style;
use unicode_width::UnicodeWidthStr;

use super::TableOptions;
use crate::report::text;

/// Where paragraphs go.
pub(super) struct Page<'a> {
    out: &'a mut dyn Write,
    width: usize,
    color: bool,
}

/// The words of a paragraph.
#[derive(Default)]
pub(super) struct Words(Vec<Word>);

struct Word {
    text: String,
    style: Style,
    /// Whether it may follow the word before without a space, and never on another line.
    glued: bool,
}

impl Words {
    /// Adds words, which wrap at spaces.
    pub(super) fn words(&mut self, text: &str, style: Style) {
        self.0.extend(harmless(text).split(' ').filter(|word| !word.is_empty()).map(|word| Word {
            text: word.to_owned(),
            style,
            glued: false,
        }));
    }

    /// Adds text that stays together, spaces included, as long as it fits on a line.
    pub(super) fn unit(&mut self, text: &str, style: Style) {
        let text = harmless(text);
        if !text.is_empty() {
            self.0.push(Word { text, style, glued: false });
        }
    }

    /// Adds text to the word before.
    pub(super) fn glue(&mut self, text: &str, style: Style) {
        let text = harmless(text);
        if !text.is_empty() {
            self.0.push(Word { text, style, glued: true });
        }
    }
}

impl<'a> Page<'a> {
    pub(super) fn new(options: &TableOptions, out: &'a mut dyn Write) -> Self {
        Self { out, width: options.width.max(NARROWEST), color: options.color }
    }

    /// An empty line.
    pub(super) fn blank(&mut self) -> io::Result<()> {
        self.out.write_all(b"\n")
    }

    /// Writes a paragraph; the lines after its first are indented by two more columns.
    pub(super) fn paragraph(&mut self, indent: usize, write: impl FnOnce(&mut Words)) -> io::Result<()> {
        let mut words = Words::default();
        write(&mut words);
        self.wrap(indent, words)
    }

    fn wrap(&mut self, indent: usize, words: Words) -> io::Result<()> {
        let mut line = Line::new(self, indent);
        let mut remaining = words.0.into_iter().peekable();
        while let Some(word) = remaining.next() {
            let mut group = vec![word];
            while let Some(next) = remaining.next_if(|next| next.glued) {
                group.push(next);
            }
            line.start_word(group.iter().map(|word| word.text.width()).sum())?;
            for word in group {
                line.word(&word)?;
            }
        }
        line.end()
    }
}

/// The line that is being written.
struct Line<'p, 'a> {
    page: &'p mut Page<'a>,
    indent: usize,
    column: usize,
    style: Style,
}

impl<'p, 'a> Line<'p, 'a> {
    fn new(page: &'p mut Page<'a>, indent: usize) -> Self {
        Self { page, indent, column: 0, style: Style::new() }
    }

    /// Makes room for a word of this width: a space, or a new line where it does not fit on this one.
    fn start_word(&mut self, width: usize) -> io::Result<()> {
        if self.column == 0 {
            self.column = self.indent;
            write!(self.page.out, "{:1$}", "", self.column)
        } else if self.column + 1 + width <= self.page.width {
            self.column += 1;
            self.page.out.write_all(b" ")
        } else {
            self.next_line()
        }
    }

    /// Writes a word, broken where it is longer than a line.
    fn word(&mut self, word: &Word) -> io::Result<()> {
        let mut rest = word.text.as_str();
        loop {
            let (fits, more) = split(rest, self.page.width.saturating_sub(self.column));
            if !fits.is_empty() {
                self.switch_to(word.style)?;
                self.page.out.write_all(fits.as_bytes())?;
                self.column += fits.width();
            }
            if more.is_empty() {
                return Ok(());
            }
            self.next_line()?;
            rest = more;
        }
    }

    fn next_line(&mut self) -> io::Result<()> {
        self.end()?;
        self.column = self.indent + HANGING;
        write!(self.page.out, "{:1$}", "", self.column)
    }

    fn end(&mut self) -> io::Result<()> {
        self.switch_to(Style::new())?;
        if self.column > 0 { self.page.out.write_all(b"\n") } else { Ok(()) }
    }

    fn switch_to(&mut self, style: Style) -> io::Result<()> {
        if !self.page.color || style == self.style {
            return Ok(());
        }
        write!(self.page.out, "{:#}{style}", self.style)?;
        self.style = style;
        Ok(())
    }
}

/// The longest start of the text that is not wider than `columns`. Where a line has no room for anything, the start is
/// empty once; a whole line always has room for a character.
fn split(text: &str, columns: usize) -> (&str, &str) {
    if text.width() <= columns {
        return (text, "");
    }
    let mut end = 0;
    for (start, c) in text.char_indices() {
        let next = start + c.len_utf8();
        match text.get(..next) {
            Some(head) if head.width() <= columns => end = next,
            _ => break,
        }
    }
    text.split_at_checked(end).unwrap_or((text, ""))
}

/// One line without what steers terminals or changes the width of its neighbours.
fn harmless(text: &str) -> String {
    text::line(text).chars().map(|c| if is_invisible(c) { char::REPLACEMENT_CHARACTER } else { c }).collect()
}

fn is_invisible(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{200b}'..='\u{200d}' | '\u{2060}'..='\u{2064}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{e0000}'..='\u{e0fff}')
}

const HANGING: usize = 2;

const NARROWEST: usize = 40;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn page(width: usize, text: &[(String, bool)]) -> String {
        let mut out = Vec::new();
        let options = TableOptions { width, ..TableOptions::default() };
        Page::new(&options, &mut out)
            .paragraph(2, |line| {
                for (text, glued) in text {
                    if *glued { line.glue(text, super::super::BOLD) } else { line.words(text, super::super::PLAIN) }
                }
            })
            .unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn wraps_at_words_and_breaks_what_is_too_long() {
        let text = format!("one two {} three", "x".repeat(50));
        let expected = format!("  one two\n    {}\n    {} three\n", "x".repeat(36), "x".repeat(14));
        assert_eq!(page(40, &[(text, false)]), expected);
    }

    proptest! {
        #[test]
        fn no_line_is_wider_than_asked(text in prop::collection::vec((".{0,80}", any::<bool>()), 0..8), width in 0_usize..130) {
            for line in page(width, &text).lines() {
                prop_assert!(line.width() <= width.max(NARROWEST), "{} > {width}: {line:?}", line.width());
            }
        }
    }
}
