//! RubyGems' versions (`Gem::Version`): runs of digits and letters, letters before digits, trailing zeros without meaning,
//! a hyphen read as `.pre.`.
//!
//! More lenient than Ruby in one point: `1beta` is read as `1.beta`. The empty text is 0, as in Ruby.

use std::cmp::Ordering;

use super::number;

/// The order of two versions.
pub(super) fn compare(a: &str, b: &str) -> Option<Ordering> {
    let (a, b) = (segments(a)?, segments(b)?);
    for index in 0..a.len().max(b.len()) {
        let order = match (a.get(index).unwrap_or(&ZERO), b.get(index).unwrap_or(&ZERO)) {
            (Segment::Number(x), Segment::Number(y)) => number::compare(x, y),
            (Segment::Word(x), Segment::Word(y)) => x.cmp(y),
            (Segment::Word(_), Segment::Number(_)) => Ordering::Less,
            (Segment::Number(_), Segment::Word(_)) => Ordering::Greater,
        };
        if order.is_ne() {
            return Some(order);
        }
    }
    Some(Ordering::Equal)
}

#[derive(Clone, Copy)]
enum Segment<'a> {
    Word(&'a [u8]),
    Number(&'a [u8]),
}

const ZERO: Segment<'static> = Segment::Number(b"");

impl Segment<'_> {
    fn is_zero(&self) -> bool {
        matches!(self, Self::Number(digits) if number::significant(digits).is_empty())
    }
}

/// `canonical_segments`: without the zeros that end the part before the first word, and those that end the rest.
fn segments(text: &str) -> Option<Vec<Segment<'_>>> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || c == '.' || c == '-';
    let starts = |c: char| c.is_ascii_digit();
    if !text.chars().all(allowed)
        || text.contains("..")
        || text.ends_with('.')
        || !(text.is_empty() || text.starts_with(starts))
    {
        return None;
    }
    let mut segments = Vec::new();
    let mut words = false;
    let mut rest = text.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        let segment = match first {
            b'0'..=b'9' => Segment::Number(number::take_digits(&mut rest)),
            b'.' | b'-' => {
                rest = tail;
                if first == b'.' {
                    continue;
                }
                Segment::Word(b"pre")
            }
            _ => Segment::Word(number::take_while(&mut rest, |byte| byte.is_ascii_alphabetic())),
        };
        if !words && matches!(segment, Segment::Word(_)) {
            words = true;
            drop_zeros(&mut segments);
        }
        segments.push(segment);
    }
    drop_zeros(&mut segments);
    Some(segments)
}

fn drop_zeros(segments: &mut Vec<Segment<'_>>) {
    while segments.last().is_some_and(Segment::is_zero) {
        segments.pop();
    }
}
