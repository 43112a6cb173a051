//! Lines and `Field: value` paragraphs as package managers write them.

use std::borrow::Cow;

/// The lines, without `\n` or `\r\n`.
pub(super) fn lines(content: &[u8]) -> impl Iterator<Item = &[u8]> {
    content.split(|&byte| byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line))
}

/// Trimmed text; what is not UTF-8 is replaced.
pub(super) fn text(bytes: &[u8]) -> Cow<'_, str> {
    String::from_utf8_lossy(bytes.trim_ascii())
}

/// Splits `Field: value`. A line that continues the field before begins with white space and is none.
pub(super) fn field(line: &[u8]) -> Option<(&[u8], &[u8])> {
    if line.first().is_none_or(u8::is_ascii_whitespace) {
        return None;
    }
    let colon = memchr::memchr(b':', line)?;
    Some((line.get(..colon)?.trim_ascii_end(), line.get(colon + 1..)?.trim_ascii()))
}

/// Text that says something: not empty and not the word by which tools say that it is missing.
pub(super) fn stated(value: &[u8]) -> Option<String> {
    let value = text(value);
    (!value.is_empty() && value != "UNKNOWN" && value != "(none)").then(|| value.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields() {
        for (line, expected) in [
            (&b"Name: a b "[..], Some((&b"Name"[..], &b"a b"[..]))),
            (b"Name:", Some((b"Name", b""))),
            (b"V:1:2", Some((b"V", b"1:2"))),
            (b" continued: x", None),
            (b"no colon", None),
            (b"", None),
        ] {
            assert_eq!(field(line), expected, "{}", text(line));
        }
    }
}
