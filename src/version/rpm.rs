//! rpm's version order: `[epoch:]version[-release]`, with `~` before and `^` after the end (rpm-version(7)).

use std::cmp::Ordering;

/// Compares two versions; `None` where one is malformed. A version without a release is older than one with, as in
/// rpm's `labelCompare`.
pub(super) fn compare(a: &str, b: &str) -> Option<Ordering> {
    let (a, b) = (Parts::of(a)?, Parts::of(b)?);
    let by_version = a.epoch.cmp(&b.epoch).then_with(|| segments(a.version, b.version));
    Some(match (a.release, b.release) {
        (Some(x), Some(y)) => by_version.then_with(|| segments(x, y)),
        (x, y) => by_version.then_with(|| x.is_some().cmp(&y.is_some())),
    })
}

struct Parts<'a> {
    epoch: u64,
    version: &'a [u8],
    release: Option<&'a [u8]>,
}

impl<'a> Parts<'a> {
    fn of(text: &'a str) -> Option<Self> {
        let text = text.trim();
        let (epoch, rest) = match text.split_once(':') {
            Some((epoch, rest)) => (epoch.parse().ok()?, rest),
            None => (0, text),
        };
        // Neither a version nor a release may hold a dash; text with more of them is one opaque version.
        let (version, release) = match rest.split_once('-') {
            Some((version, release)) if !release.contains('-') => (version, Some(release.as_bytes())),
            _ => (rest, None),
        };
        let odd = |b: u8| b.is_ascii_whitespace() || b.is_ascii_control() || matches!(b, b'$' | b'{' | b'(');
        (rest.bytes().any(|b| b.is_ascii_alphanumeric()) && !rest.bytes().any(odd)).then_some(Self {
            epoch,
            version: version.as_bytes(),
            release,
        })
    }
}

/// `rpmvercmp`.
fn segments(mut a: &[u8], mut b: &[u8]) -> Ordering {
    let separator = |byte: &u8| !byte.is_ascii_alphanumeric() && *byte != b'~' && *byte != b'^';
    loop {
        a = a.get(a.iter().take_while(|byte| separator(byte)).count()..).unwrap_or_default();
        b = b.get(b.iter().take_while(|byte| separator(byte)).count()..).unwrap_or_default();
        match (a.first(), b.first()) {
            (Some(b'~'), Some(b'~')) | (Some(b'^'), Some(b'^')) => {
                a = a.get(1..).unwrap_or_default();
                b = b.get(1..).unwrap_or_default();
                continue;
            }
            (Some(b'~'), _) => return Ordering::Less,
            (_, Some(b'~')) => return Ordering::Greater,
            (Some(b'^'), None) => return Ordering::Greater,
            (None, Some(b'^')) => return Ordering::Less,
            (Some(b'^'), _) => return Ordering::Less,
            (_, Some(b'^')) => return Ordering::Greater,
            (None, None) => return Ordering::Equal,
            (None, Some(_)) => return Ordering::Less,
            (Some(_), None) => return Ordering::Greater,
            (Some(x), Some(y)) => {
                let numeric = x.is_ascii_digit();
                if numeric != y.is_ascii_digit() {
                    return if numeric { Ordering::Greater } else { Ordering::Less };
                }
                let (x, rest_a) = run(a, numeric);
                let (y, rest_b) = run(b, numeric);
                let order = if numeric { x.len().cmp(&y.len()).then_with(|| x.cmp(y)) } else { x.cmp(y) };
                if order.is_ne() {
                    return order;
                }
                (a, b) = (rest_a, rest_b);
            }
        }
    }
}

/// The leading run of digits (without leading zeros) or letters, and what follows it.
fn run(text: &[u8], numeric: bool) -> (&[u8], &[u8]) {
    let belongs = |byte: &u8| if numeric { byte.is_ascii_digit() } else { byte.is_ascii_alphabetic() };
    let end = text.iter().position(|byte| !belongs(byte)).unwrap_or(text.len());
    let (run, rest) = text.split_at(end);
    let zeros = if numeric { run.iter().take_while(|byte| **byte == b'0').count() } else { 0 };
    (run.get(zeros..).unwrap_or_default(), rest)
}
