//! Untrusted text made harmless before a format adds its own escaping.

use std::borrow::Cow;

use jiff::Timestamp;
use jiff::fmt::temporal::DateTimePrinter;

use crate::model::escaped;

/// One line: line breaks and tabs become spaces, what steers terminals and viewers becomes `�`.
///
/// This and what follows copy nothing where nothing has to change, which is true of most texts.
pub(super) fn line<'a>(text: impl Into<Cow<'a, str>>) -> Cow<'a, str> {
    cleaned(text.into(), |text| text.chars().map(|c| if is_space(c) { ' ' } else { visible(c) }).collect())
}

/// Several lines: keeps line feeds and tabs, else like [`line`].
pub(super) fn block<'a>(text: impl Into<Cow<'a, str>>) -> Cow<'a, str> {
    let kept = |c| if matches!(c, '\n' | '\t') { c } else { visible(c) };
    cleaned(text.into(), |text| text.replace("\r\n", "\n").chars().map(kept).collect())
}

/// At most `limit` characters, the last of them `…` where something was cut off.
pub(super) fn cut<'a>(text: impl Into<Cow<'a, str>>, limit: usize) -> Cow<'a, str> {
    let text = text.into();
    if text.len() <= limit || text.chars().count() <= limit {
        return text;
    }
    text.chars().take(limit.saturating_sub(1)).chain(['…']).collect()
}

/// [`line`] and [`cut`].
pub(super) fn short<'a>(text: impl Into<Cow<'a, str>>, limit: usize) -> Cow<'a, str> {
    cut(line(text), limit)
}

/// Untrusted Markdown that GitLab may copy into an issue: nobody is mentioned by it and no quick action is run.
pub(super) fn defused<'a>(markdown: impl Into<Cow<'a, str>>) -> Cow<'a, str> {
    let markdown = markdown.into();
    let is_action = |line: &str| line.trim_start().starts_with('/');
    if !markdown.contains('@') && !markdown.split('\n').any(is_action) {
        return markdown;
    }
    let mut out = String::with_capacity(markdown.len());
    for (index, line) in markdown.split('\n').enumerate() {
        if index > 0 {
            out.push('\n');
        }
        if is_action(line) {
            out.push('\\');
        }
        let mut before = ' ';
        for c in line.chars() {
            out.push(c);
            if c == '@' && !before.is_alphanumeric() {
                out.push(WORD_JOINER);
            }
            before = c;
        }
    }
    out.into()
}

/// A link that every reader of ours accepts: http, https or ftp with a host, in the characters of RFC 3986.
pub(super) fn web_url(text: &str) -> Option<&str> {
    let rest = ["https://", "http://", "ftp://"].iter().find_map(|scheme| text.strip_prefix(scheme))?;
    let host = rest.split(['/', '?', '#']).next().unwrap_or("");
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b"-._~:/?#@!$&'()*+,;=%".contains(&b);
    let escapes_are_complete = text.split('%').skip(1).all(|after| {
        after.as_bytes().first_chunk::<2>().is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
    });
    let one_fragment = text.matches('#').count() <= 1;
    let valid = !host.is_empty()
        && host.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b':' | b'_'))
        && text.len() <= LONGEST_URL
        && text.bytes().all(allowed)
        && escapes_are_complete
        && one_fragment;
    valid.then_some(text)
}

/// Percent-encodes a path for use as a relative URI reference.
pub(super) fn uri_path(path: &str) -> String {
    let mut out = String::with_capacity(path.len());
    for byte in path.trim_start_matches('/').bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/+@".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

/// RFC 3339 in UTC, without fraction; nothing for years that the format does not have.
pub(super) fn date_time(time: Timestamp) -> Option<String> {
    let mut text = String::with_capacity(24);
    SECONDS.print_timestamp(&time, &mut text).ok()?;
    (text.len() == "2026-01-01T00:00:00Z".len()).then_some(text)
}

/// The day, UTC.
pub(super) fn day(time: Timestamp) -> String {
    time.strftime("%Y-%m-%d").to_string()
}

/// `1 package`, `2 packages`.
pub fn count(number: usize, noun: &str) -> String {
    let stem = noun.strip_suffix('y').filter(|stem| !stem.ends_with(['a', 'e', 'o', 'u']));
    match (number, stem) {
        (1, _) => format!("1 {noun}"),
        (_, Some(stem)) => format!("{number} {stem}ies"),
        _ => format!("{number} {noun}s"),
    }
}

/// `50,000`.
pub(super) fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A number of bytes that a JSON string of what [`block`] and [`defused`] make of a text does not exceed.
pub(super) fn grown(text: &str) -> usize {
    let plain = |line: &str| line.len() + memchr::memchr3_iter(b'"', b'\\', b'@', line.as_bytes()).count() * 3 + 4;
    text.split('\n').map(|line| if is_plain(line) { plain(line) } else { 4 * line.len() + 2 }).sum()
}

/// The text itself where it is plain, else what `clean` makes of it.
fn cleaned<'a>(text: Cow<'a, str>, clean: impl FnOnce(&str) -> String) -> Cow<'a, str> {
    if is_plain(&text) { text } else { clean(&text).into() }
}

/// Whether all of it is printable ASCII, which is true of most texts: eight bytes at a time.
fn is_plain(text: &str) -> bool {
    const ONES: u64 = 0x0101_0101_0101_0101;
    let (words, rest) = text.as_bytes().as_chunks();
    let is_plain = |word: u64| {
        // The highest bit of a byte tells what is not ASCII, what is below a space, and DEL. What a byte lends from the
        // next or carries into it matters only where it has failed itself.
        let failed = word | word.wrapping_sub(ONES * 0x20) | word.wrapping_add(ONES);
        failed & (ONES * 0x80) == 0
    };
    words.iter().all(|word| is_plain(u64::from_le_bytes(*word))) && rest.iter().all(|byte| matches!(byte, b' '..=b'~'))
}

fn is_space(c: char) -> bool {
    matches!(c, '\n' | '\r' | '\t' | '\u{2028}' | '\u{2029}' | '\u{85}')
}

/// What steers becomes visible.
fn visible(c: char) -> char {
    if escaped::steers(c) { char::REPLACEMENT_CHARACTER } else { c }
}

const SECONDS: DateTimePrinter = DateTimePrinter::new().precision(Some(0));

const LONGEST_URL: usize = 2048;

/// Invisible, of no width, and not part of a user name.
const WORD_JOINER: char = '\u{2060}';

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_steers_a_terminal_becomes_visible() {
        assert_eq!(line("a\x1b[31mb\r\nc\u{202e}d\0"), "a\u{fffd}[31mb  c\u{fffd}d\u{fffd}");
        assert_eq!(block("a\r\nb\tc\x07"), "a\nb\tc\u{fffd}");
    }

    #[test]
    fn every_byte_counts_wherever_it_stands() {
        for c in (0..=0x17f).filter_map(char::from_u32) {
            for before in 0..20 {
                let text = format!("{}{c}{}", "~".repeat(before), " ".repeat(20 - before));
                assert_eq!(is_plain(&text), (' '..='~').contains(&c), "{c:?} after {before}");
            }
        }
    }

    #[test]
    fn cuts_at_characters() {
        for (text, limit, expected) in [("äöü", 3, "äöü"), ("äöüß", 3, "äö…"), ("", 0, ""), ("ab", 1, "…")]
        {
            assert_eq!(cut(text, limit), expected, "{text} {limit}");
        }
    }

    #[test]
    fn mentions_and_quick_actions_are_defused() {
        assert_eq!(
            defused("@all see a@b.c\n /close\n/assign @x"),
            "@\u{2060}all see a@b.c\n\\ /close\n\\/assign @\u{2060}x"
        );
    }

    #[test]
    fn only_plain_links_pass() {
        for url in ["https://a.b/c?d=e%20f#g", "http://localhost:8080", "ftp://a/b"] {
            assert_eq!(web_url(url), Some(url));
        }
        for url in [
            "",
            "https://",
            "https:///path",
            "HTTPS://a",
            "javascript:alert(1)",
            "//a",
            "https://a/ b",
            "https://a/\"b",
            "https://a/%zz",
            "https://a/%2",
            "https://a/#b#c",
            "https://a/<b>",
            "https://ä/",
            "https://a\n",
            "https://[::1]/",
            "https://user:pw@a/",
        ] {
            assert_eq!(web_url(url), None, "{url}");
        }
    }

    #[test]
    fn times_have_no_fraction_and_four_digits_for_the_year() {
        for (time, expected) in [
            ("2026-11-21T07:00:00.999999999+01:00", Some("2026-11-21T06:00:00Z")),
            ("0007-01-02T03:04:05Z", Some("0007-01-02T03:04:05Z")),
            ("-000007-01-02T03:04:05Z", None),
            ("1969-12-31T23:59:59.5Z", Some("1969-12-31T23:59:59Z")),
        ] {
            assert_eq!(date_time(time.parse().unwrap()).as_deref(), expected, "{time}");
        }
        assert_eq!(date_time(Timestamp::MIN), None);
    }

    #[test]
    fn thousands_are_told_apart() {
        for (number, expected) in [(0, "0"), (999, "999"), (1000, "1,000"), (1_234_567, "1,234,567")] {
            assert_eq!(thousands(number), expected);
        }
    }

    #[test]
    fn plurals() {
        assert_eq!(
            [count(1, "package"), count(0, "gap"), count(2, "vulnerability"), count(2, "day")],
            ["1 package", "0 gaps", "2 vulnerabilities", "2 days"]
        );
    }
}
