//! Untrusted text in HTML, and templates with places to fill.

use std::io::{self, Write};

use crate::report::text;

/// Text for element content and for attribute values in double quotes.
pub(in crate::report) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text::short(text, LONGEST).chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

/// Writes a template; `{{NAME}}` is written by `write`. What that writes is not looked at again.
pub(in crate::report) fn fill(
    template: &str,
    out: &mut dyn Write,
    mut write: impl FnMut(&str, &mut dyn Write) -> io::Result<()>,
) -> io::Result<()> {
    let mut rest = template;
    while let Some((before, after)) = rest.split_once("{{") {
        let (name, after) = after.split_once("}}").unwrap_or((after, ""));
        out.write_all(before.as_bytes())?;
        write(name, out)?;
        rest = after;
    }
    out.write_all(rest.as_bytes())
}

const LONGEST: usize = 500;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_cannot_become_markup() {
        assert_eq!(escape("<a href=\"x\" o='y'>&\x1b"), "&lt;a href=&quot;x&quot; o=&#39;y&#39;&gt;&amp;\u{fffd}");
    }

    #[test]
    fn what_is_filled_in_is_not_filled_again() {
        let mut out = Vec::new();
        fill("a{{X}}b{{Y}}", &mut out, |name, out| out.write_all(if name == "X" { b"{{Y}}" } else { b"2" })).unwrap();
        assert_eq!(out, b"a{{Y}}b2");
    }
}
