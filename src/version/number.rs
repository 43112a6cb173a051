//! Numbers as they stand in versions: runs of ASCII digits of any length.

use std::cmp::Ordering;

/// Compares two runs of digits by value; no digits are zero.
pub(super) fn compare(a: &[u8], b: &[u8]) -> Ordering {
    let (a, b) = (significant(a), significant(b));
    a.len().cmp(&b.len()).then_with(|| a.cmp(b))
}

/// The digits without leading zeros.
pub(super) fn significant(digits: &[u8]) -> &[u8] {
    split_while(digits, |byte| byte == b'0').1
}

/// Whether the text is one or more digits and nothing else.
pub(super) fn is_number(text: &[u8]) -> bool {
    !text.is_empty() && text.iter().all(u8::is_ascii_digit)
}

/// Takes the digits at the start of `rest` away and returns them.
pub(super) fn take_digits<'a>(rest: &mut &'a [u8]) -> &'a [u8] {
    take_while(rest, |byte| byte.is_ascii_digit())
}

/// Takes the bytes at the start of `rest` that `accept` takes away and returns them.
pub(super) fn take_while<'a>(rest: &mut &'a [u8], accept: impl Fn(u8) -> bool) -> &'a [u8] {
    let (taken, left) = split_while(rest, accept);
    *rest = left;
    taken
}

fn split_while(text: &[u8], accept: impl Fn(u8) -> bool) -> (&[u8], &[u8]) {
    let end = text.iter().position(|&byte| !accept(byte)).unwrap_or(text.len());
    text.split_at(end)
}
