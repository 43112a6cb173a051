//! Semantic versioning 2.0.0, as leniently as package managers read it: a leading `v`, missing or further numeric
//! parts, build metadata that does not count.

use std::cmp::Ordering;

/// Compares two versions; `None` where one does not begin with a number.
pub(super) fn compare(a: &str, b: &str) -> Option<Ordering> {
    let (a, b) = (Parts::of(a)?, Parts::of(b)?);
    let length = a.numbers.len().max(b.numbers.len());
    for index in 0..length {
        let at =
            |numbers: &[&'_ str]| numbers.get(index).map_or(String::new(), |n| n.trim_start_matches('0').to_owned());
        let (x, y) = (at(&a.numbers), at(&b.numbers));
        let order = x.len().cmp(&y.len()).then_with(|| x.cmp(&y));
        if order.is_ne() {
            return Some(order);
        }
    }
    Some(match (a.prerelease, b.prerelease) {
        (None, None) => Ordering::Equal,
        (None, Some(_)) => Ordering::Greater,
        (Some(_), None) => Ordering::Less,
        (Some(a), Some(b)) => prerelease(a, b),
    })
}

struct Parts<'a> {
    numbers: Vec<&'a str>,
    prerelease: Option<&'a str>,
}

impl<'a> Parts<'a> {
    fn of(text: &'a str) -> Option<Self> {
        let text = text.trim();
        let text = text.strip_prefix(['v', 'V', '=']).unwrap_or(text);
        let text = text.split_once('+').map_or(text, |(version, _build)| version);
        let (core, prerelease) = match text.split_once('-') {
            Some((core, prerelease)) => (core, Some(prerelease)),
            None => (text, None),
        };
        let numbers: Vec<&str> = core.split('.').collect();
        let numeric = |part: &&str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
        let identifiers = |text: &str| {
            text.split('.').all(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-'))
        };
        (numbers.iter().all(numeric) && prerelease.is_none_or(identifiers)).then_some(Self { numbers, prerelease })
    }
}

fn prerelease(a: &str, b: &str) -> Ordering {
    let (mut a, mut b) = (a.split('.'), b.split('.'));
    loop {
        let order = match (a.next(), b.next()) {
            (None, None) => return Ordering::Equal,
            (None, Some(_)) => return Ordering::Less,
            (Some(_), None) => return Ordering::Greater,
            (Some(x), Some(y)) => identifier(x, y),
        };
        if order.is_ne() {
            return order;
        }
    }
}

/// Numbers before words; numbers by value, words by bytes.
fn identifier(a: &str, b: &str) -> Ordering {
    let numeric = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    match (numeric(a), numeric(b)) {
        (true, true) => {
            let (a, b) = (a.trim_start_matches('0'), b.trim_start_matches('0'));
            a.len().cmp(&b.len()).then_with(|| a.cmp(b))
        }
        (true, false) => Ordering::Less,
        (false, true) => Ordering::Greater,
        (false, false) => a.cmp(b),
    }
}
