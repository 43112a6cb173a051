//! Semantic Versioning 2.0.0 (semver.org), section 11, read leniently: a leading `v` or `=`, any number of numbers
//! (missing ones are 0), a pre-release without its hyphen (`1.2.3beta`). Build metadata do not count.

use std::cmp::Ordering;

use super::number;

/// The order of two versions.
pub(super) fn compare(a: &str, b: &str) -> Option<Ordering> {
    let (a, b) = (Version::parse(a)?, Version::parse(b)?);
    Some(a.compare_precedence(&b, |x, y| x.cmp(y)))
}

/// A version, split; also read by the schemes that differ in details.
pub(super) struct Version<'a> {
    numbers: &'a str,
    prerelease: &'a str,
    /// Identifiers after `+`; empty when there are none.
    pub(super) build: &'a str,
}

impl<'a> Version<'a> {
    pub(super) fn parse(text: &'a str) -> Option<Self> {
        let text = text.trim_start_matches('=').trim_start();
        let text = text.strip_prefix(['v', 'V']).unwrap_or(text);
        let (text, build) = match text.split_once('+') {
            Some((text, build)) if is_identifiers(build) => (text, build),
            Some(_) => return None,
            None => (text, ""),
        };
        let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
        let (numbers, rest) = text.split_at(end);
        let prerelease = rest.strip_prefix('-').unwrap_or(rest);
        let sound = numbers.split('.').all(|part| number::is_number(part.as_bytes()))
            && (rest.is_empty() || is_identifiers(prerelease));
        sound.then_some(Self { numbers, prerelease, build })
    }

    /// Compares numbers, then pre-releases, whose words `compare_words` orders.
    pub(super) fn compare_precedence(&self, other: &Self, compare_words: fn(&str, &str) -> Ordering) -> Ordering {
        compare_numbers(self.numbers, other.numbers).then_with(|| {
            match (self.prerelease.is_empty(), other.prerelease.is_empty()) {
                (false, false) => compare_identifiers(self.prerelease, other.prerelease, compare_words),
                (left, right) => left.cmp(&right),
            }
        })
    }
}

/// Compares dotted identifiers: numbers by value and before words, a longer list after its beginning.
pub(super) fn compare_identifiers(a: &str, b: &str, compare_words: fn(&str, &str) -> Ordering) -> Ordering {
    let (mut left, mut right) = (a.split('.'), b.split('.'));
    loop {
        let order = match (left.next(), right.next()) {
            (None, None) => return Ordering::Equal,
            (None, Some(_)) => Ordering::Less,
            (Some(_), None) => Ordering::Greater,
            (Some(x), Some(y)) => match (number::is_number(x.as_bytes()), number::is_number(y.as_bytes())) {
                (true, true) => number::compare(x.as_bytes(), y.as_bytes()),
                (false, false) => compare_words(x, y),
                (x_is_number, _) => (!x_is_number).cmp(&x_is_number),
            },
        };
        if order.is_ne() {
            return order;
        }
    }
}

fn compare_numbers(a: &str, b: &str) -> Ordering {
    let (mut left, mut right) = (a.split('.'), b.split('.'));
    loop {
        let (x, y) = (left.next(), right.next());
        if x.is_none() && y.is_none() {
            return Ordering::Equal;
        }
        match number::compare(x.unwrap_or_default().as_bytes(), y.unwrap_or_default().as_bytes()) {
            Ordering::Equal => {}
            order => return order,
        }
    }
}

/// Dotted identifiers of letters, digits, hyphens and, leniently, underscores.
fn is_identifiers(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    text.split('.').all(|part| !part.is_empty() && part.bytes().all(allowed))
}
