//! Lists of numbers, compared number by number, a longer list after its beginning: Haskell's packages (`1.0.0` comes
//! after `1.0`) and R's (`0.1-2` is `0.1.2`).

use std::cmp::Ordering;

use super::number;

/// The order of two lists whose numbers are separated by one of `separators`.
pub(super) fn compare(a: &str, b: &str, separators: &[u8]) -> Option<Ordering> {
    let split = |text| parts(text, separators);
    if !split(a).all(number::is_number) || !split(b).all(number::is_number) {
        return None;
    }
    let (mut left, mut right) = (split(a), split(b));
    loop {
        match (left.next(), right.next()) {
            (None, None) => return Some(Ordering::Equal),
            (None, Some(_)) => return Some(Ordering::Less),
            (Some(_), None) => return Some(Ordering::Greater),
            (Some(x), Some(y)) => match number::compare(x, y) {
                Ordering::Equal => {}
                order => return Some(order),
            },
        }
    }
}

fn parts<'a>(text: &'a str, separators: &'a [u8]) -> impl Iterator<Item = &'a [u8]> {
    text.as_bytes().split(|byte| separators.contains(byte))
}
