//! Text in documents that are read back: what steers terminals and viewers, or would break a line, stands as `%XX`.
//!
//! Most texts stay as they are. A percent sign is escaped only where two hexadecimal digits follow, so that every text
//! comes back as it was.

use std::borrow::Cow;

/// Whether a character may not stand in a line that people see: controls, line breaks, direction overrides and
/// non-characters.
#[must_use]
pub fn steers(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
        || matches!(c, '\u{2028}' | '\u{2029}' | '\u{fffe}' | '\u{ffff}')
}

/// The text without characters that steer.
#[must_use]
pub fn escape<'a>(text: impl Into<Cow<'a, str>>) -> Cow<'a, str> {
    let text = text.into();
    if text.bytes().all(|byte| matches!(byte, b' '..=b'~') && byte != b'%') {
        return text;
    }
    let mut out = String::with_capacity(text.len());
    for (at, c) in text.char_indices() {
        if steers(c) || c == '%' && code(text.as_bytes(), at).is_some() {
            let mut bytes = [0; 4];
            c.encode_utf8(&mut bytes).bytes().for_each(|byte| out.push_str(&format!("%{byte:02X}")));
        } else {
            out.push(c);
        }
    }
    out.into()
}

/// What [`escape`] was given. Codes that are no text stay as they are.
#[must_use]
pub fn unescape(text: &str) -> Cow<'_, str> {
    if !text.contains('%') {
        return text.into();
    }
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let decoded = if byte == b'%' { code(bytes, at) } else { None };
        out.push(decoded.unwrap_or(byte));
        at += if decoded.is_some() { 3 } else { 1 };
    }
    String::from_utf8(out).map_or(Cow::Borrowed(text), Cow::Owned)
}

/// The byte that `%` and two digits stand for.
fn code(text: &[u8], at: usize) -> Option<u8> {
    let digit = |at: usize| char::from(*text.get(at)?).to_digit(16);
    u8::try_from(digit(at + 1)? << 4 | digit(at + 2)?).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn only_what_has_to_be_is_escaped() {
        for (text, escaped) in [
            ("usr/lib/a b/ä.json", "usr/lib/a b/ä.json"),
            ("a\tb\nc", "a%09b%0Ac"),
            ("a\u{202e}b", "a%E2%80%AEb"),
            ("100 %", "100 %"),
            ("100%41", "100%2541"),
            ("%%41", "%%2541"),
            ("%\t", "%%09"),
        ] {
            assert_eq!(escape(text), escaped);
            assert_eq!(unescape(escaped), text);
        }
        assert_eq!(unescape("%ff"), "%ff");
    }

    proptest! {
        #[test]
        fn every_text_comes_back(text in "([%0-9a-fA-F\\t]|\\PC|.){0,12}") {
            let escaped = escape(text.as_str()).into_owned();
            prop_assert!(!escaped.chars().any(steers));
            prop_assert_eq!(unescape(&escaped), text);
        }
    }
}
