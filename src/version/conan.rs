//! Conan 2's versions: dotted items, `-pre-release`, `+build`; trailing zeros mean nothing and build metadata count.
//!
//! Conan compares two numbers by value and everything else as text, which has cycles where numbers of different length
//! meet text (`2` < `10` < `1a` < `2`). This is Conan's own order, so it is kept; real versions stay clear of it.

use std::cmp::Ordering;

use super::number;

/// The order of two versions.
pub(super) fn compare(a: &str, b: &str) -> Option<Ordering> {
    let allowed = |byte: u8| byte.is_ascii_graphic();
    if a.is_empty() || b.is_empty() || !a.bytes().chain(b.bytes()).all(allowed) {
        return None;
    }
    let (a, b) = (Version::parse(a), Version::parse(b));
    Some(
        compare_items(a.main, b.main)
            .then_with(|| match (a.prerelease, b.prerelease) {
                (Some(x), Some(y)) => compare_items(x, y),
                (x, y) => x.is_none().cmp(&y.is_none()),
            })
            .then_with(|| match (a.build, b.build) {
                (Some(x), Some(y)) => compare_items(x, y),
                (x, y) => x.is_some().cmp(&y.is_some()),
            }),
    )
}

/// Whether it can be matched with ranges: `system` and `cci.20200203` are versions to Conan, the first to nobody else.
pub(super) fn is_valid(text: &str) -> bool {
    compare(text, text).is_some() && text.bytes().any(|byte| byte.is_ascii_digit())
}

struct Version<'a> {
    main: &'a str,
    prerelease: Option<&'a str>,
    build: Option<&'a str>,
}

impl<'a> Version<'a> {
    fn parse(text: &'a str) -> Self {
        let (text, build) = text.rsplit_once('+').map_or((text, None), |(text, build)| (text, Some(build)));
        let (main, prerelease) = text.split_once('-').map_or((text, None), |(main, pre)| (main, Some(pre)));
        Self { main, prerelease, build }
    }
}

fn compare_items(a: &str, b: &str) -> Ordering {
    let (mut left, mut right) = (significant(a), significant(b));
    loop {
        let order = match (left.next(), right.next()) {
            (None, None) => return Ordering::Equal,
            (None, Some(_)) => Ordering::Less,
            (Some(_), None) => Ordering::Greater,
            (Some(x), Some(y)) if is_number(x) && is_number(y) => number::compare(x.as_bytes(), y.as_bytes()),
            (Some(x), Some(y)) => printed(x).cmp(printed(y)),
        };
        if order.is_ne() {
            return order;
        }
    }
}

/// The items without the zeros at the end.
fn significant(text: &str) -> impl Iterator<Item = &str> {
    let zero = |item: &str| is_number(item) && printed(item) == "0";
    let count = text.split('.').count() - text.rsplit('.').take_while(|item| zero(item)).count();
    text.split('.').take(count)
}

fn is_number(item: &str) -> bool {
    number::is_number(item.as_bytes())
}

/// An item as Conan prints it: numbers without leading zeros.
fn printed(item: &str) -> &str {
    match item.trim_start_matches('0') {
        _ if !is_number(item) => item,
        "" => "0",
        digits => digits,
    }
}
