//! Untrusted text in Markdown.

use crate::report::identifier::Identifier;
use crate::report::text::short;

/// A code span that holds the text whatever it is, also in the cell of a table.
pub(in crate::report) fn code(text: &str) -> String {
    let text = short(text, LONGEST);
    let text = text.trim();
    if text.is_empty() {
        return "–".into();
    }
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest + 1);
    let space = if text.starts_with('`') || text.ends_with('`') { " " } else { "" };
    // The cells of a table are cut before code spans are read. A backslash before a pipe would end its escape.
    let text = text.replace('\\', "\u{29f5}").replace('|', "\\|");
    format!("{fence}{space}{text}{space}{fence}")
}

/// An id with a link to the page about it.
pub(in crate::report) fn linked(id: &str) -> String {
    let identifier = Identifier::of(id);
    match identifier.url() {
        // Ids with a page hold nothing but letters, digits and `-:._`; an underscore is the only one that could mark up.
        Some(url) if !id.contains('_') => format!("[{}]({url})", identifier.name),
        _ => code(id),
    }
}

const LONGEST: usize = 300;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_leaves_a_code_span() {
        for (text, expected) in [
            ("a", "`a`"),
            ("", "–"),
            ("a`b", "``a`b``"),
            ("``", "``` `` ```"),
            ("a|b\nc", "`a\\|b c`"),
            ("a\\|b", "`a\u{29f5}\\|b`"),
            ("@all </summary>", "`@all </summary>`"),
        ] {
            assert_eq!(code(text), expected, "{text}");
        }
    }

    #[test]
    fn links_are_made_of_plain_ids_only() {
        assert_eq!(linked("CVE-2024-1"), "[CVE-2024-1](https://nvd.nist.gov/vuln/detail/CVE-2024-1)");
        assert_eq!(linked("CVE-](javascript:x)"), "`CVE-](javascript:x)`");
    }
}
