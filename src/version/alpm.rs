//! Arch Linux's versions, `[epoch:]version[-release]`, ordered as pacman's `alpm_pkg_vercmp` does (vercmp(8)).
//!
//! An older kin of rpm's order: no `~` and `^`, trailing letters make a version older (`1.0b` before `1.0`), and the number
//! of separators counts. A release is compared only where both sides state one, so `1.0` equals `1.0-1` and `1.0-2`.

use std::cmp::Ordering;

use super::number;
use super::rpm::{Version, compare_segment};

/// The order of two versions.
pub(super) fn compare(a: &str, b: &str) -> Option<Ordering> {
    if !a.is_ascii() || !b.is_ascii() || a.is_empty() || b.is_empty() {
        return None;
    }
    let (a, b) = (Version::parse(a), Version::parse(b));
    let epochs = number::compare(a.epoch.unwrap_or_default(), b.epoch.unwrap_or_default());
    Some(epochs.then_with(|| compare_part(a.version, b.version)).then_with(|| match (a.release, b.release) {
        (Some(a), Some(b)) => compare_part(a, b),
        _ => Ordering::Equal,
    }))
}

/// Whether a package can have this version.
pub(super) fn is_valid(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'/')
        && Version::parse(text).version.iter().any(u8::is_ascii_digit)
}

fn compare_part(mut a: &[u8], mut b: &[u8]) -> Ordering {
    if a == b {
        return Ordering::Equal;
    }
    let separator = |byte: u8| !byte.is_ascii_alphanumeric();
    while !a.is_empty() && !b.is_empty() {
        let gap_a = number::take_while(&mut a, separator).len();
        let gap_b = number::take_while(&mut b, separator).len();
        let (Some(&x), Some(&y)) = (a.first(), b.first()) else { break };
        match gap_a.cmp(&gap_b).then_with(|| compare_segment(&mut a, &mut b, x, y)) {
            Ordering::Equal => {}
            order => return order,
        }
    }
    let letter = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphabetic);
    match (a.first(), b.first()) {
        (None, None) => Ordering::Equal,
        (None, y) if !letter(y) => Ordering::Less,
        (x, _) if letter(x) => Ordering::Less,
        _ => Ordering::Greater,
    }
}
