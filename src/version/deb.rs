//! Debian's versions, `[epoch:]upstream[-revision]` (deb-version(7), Debian policy 5.6.12), ordered as dpkg does.
//!
//! Refused is what dpkg calls bad syntax, with one leniency: `_` is let pass, since package databases hold such versions.

use std::cmp::Ordering;

use super::number;

/// The order of two versions.
pub(super) fn compare(a: &str, b: &str) -> Option<Ordering> {
    let (a, b) = (Version::parse(a)?, Version::parse(b)?);
    Some(
        number::compare(a.epoch, b.epoch)
            .then_with(|| compare_part(a.upstream, b.upstream))
            .then_with(|| compare_part(a.revision, b.revision)),
    )
}

/// Whether it has the syntax of a version.
pub(super) fn is_valid(text: &str) -> bool {
    Version::parse(text).is_some()
}

struct Version<'a> {
    epoch: &'a [u8],
    upstream: &'a [u8],
    revision: &'a [u8],
}

impl<'a> Version<'a> {
    fn parse(text: &'a str) -> Option<Self> {
        let (epoch, rest) = match text.split_once(':') {
            Some((epoch, rest)) if number::is_number(epoch.as_bytes()) => (epoch, rest),
            Some(_) => return None,
            None => ("", text),
        };
        let (upstream, revision) = match rest.rsplit_once('-') {
            Some((_, "")) => return None,
            Some(parts) => parts,
            None => (rest, ""),
        };
        let allowed =
            |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'+' | b'~' | b'-' | b':' | b'_');
        let fits_int = epoch.trim_start_matches('0').len() < 10 || epoch.parse::<i32>().is_ok();
        let sound = fits_int
            && upstream.starts_with(|c: char| c.is_ascii_digit())
            && rest.bytes().all(allowed)
            && !revision.contains(':');
        sound.then_some(Self { epoch: epoch.as_bytes(), upstream: upstream.as_bytes(), revision: revision.as_bytes() })
    }
}

/// dpkg's `verrevcmp`: text and numbers in turns, text by character weight, numbers by value.
fn compare_part(mut a: &[u8], mut b: &[u8]) -> Ordering {
    while !a.is_empty() || !b.is_empty() {
        let mut left = number::take_while(&mut a, |byte| !byte.is_ascii_digit()).iter();
        let mut right = number::take_while(&mut b, |byte| !byte.is_ascii_digit()).iter();
        loop {
            let (x, y) = (left.next(), right.next());
            match weight(x).cmp(&weight(y)) {
                Ordering::Equal if x.is_none() && y.is_none() => break,
                Ordering::Equal => {}
                order => return order,
            }
        }
        match number::compare(number::take_digits(&mut a), number::take_digits(&mut b)) {
            Ordering::Equal => {}
            order => return order,
        }
    }
    Ordering::Equal
}

/// `~` before the end, the end before letters, letters before all else.
fn weight(byte: Option<&u8>) -> i32 {
    match byte {
        None => 0,
        Some(b'~') => -1,
        Some(&byte) if byte.is_ascii_alphabetic() => i32::from(byte),
        Some(&byte) => i32::from(byte) + 256,
    }
}
