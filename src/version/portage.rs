//! Gentoo's versions, `number{.number}…{letter}{_suffix{number}}…{-r#}` (package manager specification, section 3.3).

use std::cmp::Ordering;

use super::number;

/// The order of two versions.
pub(super) fn compare(a: &str, b: &str) -> Option<Ordering> {
    let (a, b) = (Version::parse(a)?, Version::parse(b)?);
    Some(
        number::compare(a.first, b.first)
            .then_with(|| a.compare_numbers(&b))
            .then_with(|| a.letter.cmp(&b.letter))
            .then_with(|| a.compare_suffixes(&b))
            .then_with(|| number::compare(a.revision, b.revision)),
    )
}

struct Version<'a> {
    first: &'a [u8],
    /// The numbers after the first, each with its dot before it.
    numbers: &'a [u8],
    letter: Option<u8>,
    /// The suffixes, each with its underscore before it.
    suffixes: &'a [u8],
    revision: &'a [u8],
}

impl<'a> Version<'a> {
    fn parse(text: &'a str) -> Option<Self> {
        let (text, revision) = match text.rsplit_once("-r") {
            Some((text, revision)) if number::is_number(revision.as_bytes()) => (text, revision),
            _ => (text, ""),
        };
        let mut rest = text.as_bytes();
        let first = number::take_digits(&mut rest);
        let numbers = number::take_while(&mut rest, |byte| byte.is_ascii_digit() || byte == b'.');
        let letter = rest.first().copied().filter(u8::is_ascii_lowercase);
        let suffixes = if letter.is_some() { rest.get(1..)? } else { rest };
        let sound = !first.is_empty()
            && (numbers.is_empty() || numbers.starts_with(b"."))
            && parts(numbers, b'.').all(number::is_number)
            && (suffixes.is_empty() || suffixes.starts_with(b"_"))
            && parts(suffixes, b'_').all(|part| suffix(part).is_some());
        sound.then_some(Self { first, numbers, letter, suffixes, revision: revision.as_bytes() })
    }

    /// A number with a leading zero on either side makes both fractions: 1.02 < 1.1.
    fn compare_numbers(&self, other: &Self) -> Ordering {
        let (mut left, mut right) = (parts(self.numbers, b'.'), parts(other.numbers, b'.'));
        loop {
            let order = match (left.next(), right.next()) {
                (None, None) => return Ordering::Equal,
                (None, Some(_)) => Ordering::Less,
                (Some(_), None) => Ordering::Greater,
                (Some(x), Some(y)) if x.starts_with(b"0") || y.starts_with(b"0") => fraction(x).cmp(fraction(y)),
                (Some(x), Some(y)) => number::compare(x, y),
            };
            if order.is_ne() {
                return order;
            }
        }
    }

    fn compare_suffixes(&self, other: &Self) -> Ordering {
        let (mut left, mut right) = (parts(self.suffixes, b'_'), parts(other.suffixes, b'_'));
        loop {
            let (x, y) = (left.next(), right.next());
            if x.is_none() && y.is_none() {
                return Ordering::Equal;
            }
            // No suffix comes after the pre-releases and just before `_p`.
            let (x, y) = (x.and_then(suffix).unwrap_or((0, b"")), y.and_then(suffix).unwrap_or((0, b"")));
            match x.0.cmp(&y.0).then_with(|| number::compare(x.1, y.1)) {
                Ordering::Equal => {}
                order => return order,
            }
        }
    }
}

fn parts(text: &[u8], separator: u8) -> impl Iterator<Item = &[u8]> {
    text.split(move |&byte| byte == separator).skip(1)
}

fn suffix(text: &[u8]) -> Option<(i8, &[u8])> {
    let mut number = text;
    let rank = match number::take_while(&mut number, |byte| byte.is_ascii_lowercase()) {
        b"alpha" => -4,
        b"beta" => -3,
        b"pre" => -2,
        b"rc" => -1,
        b"p" => 1,
        _ => return None,
    };
    number.iter().all(u8::is_ascii_digit).then_some((rank, number))
}

/// The digits without the zeros at the end.
fn fraction(digits: &[u8]) -> &[u8] {
    let end = digits.iter().rposition(|&byte| byte != b'0').map_or(0, |last| last + 1);
    digits.split_at(end).0
}
