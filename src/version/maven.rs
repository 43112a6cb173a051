//! Maven's versions, ordered as `ComparableVersion` of Maven 3.8 does: numbers, known and unknown qualifiers, and lists
//! that a hyphen or a change between letters and digits opens inside the list before.
//!
//! Any text is a version to Maven; [`is_valid`] wants a digit and none of the characters of expressions and ranges.

use std::cmp::Ordering;

use super::number;

/// The order of two versions.
pub(super) fn compare(a: &str, b: &str) -> Option<Ordering> {
    if !is_acceptable(a) || !is_acceptable(b) {
        return None;
    }
    let (a, b) = (a.to_ascii_lowercase(), b.to_ascii_lowercase());
    Some(compare_lists(&lists(&a), &lists(&b)))
}

/// Whether it can be matched with ranges.
pub(super) fn is_valid(text: &str) -> bool {
    is_acceptable(text) && text.bytes().any(|byte| byte.is_ascii_digit())
}

fn is_acceptable(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b',' | b'[' | b']');
    !text.is_empty() && text.bytes().all(allowed)
}

/// One element of a list; the list that may follow the last item is the next one in [`lists`].
#[derive(Clone, Copy)]
enum Item<'a> {
    Number(&'a [u8]),
    Qualifier(u8, &'a str),
    List,
}

const RELEASE: u8 = 5;
const UNKNOWN: u8 = 7;

impl<'a> Item<'a> {
    fn number(digits: &'a str) -> Self {
        Self::Number(number::significant(digits.as_bytes()))
    }

    fn qualifier(word: &'a str, before_digit: bool) -> Self {
        let rank = match word {
            "a" if before_digit => 0,
            "b" if before_digit => 1,
            "m" if before_digit => 2,
            "alpha" => 0,
            "beta" => 1,
            "milestone" => 2,
            "rc" | "cr" => 3,
            "snapshot" => 4,
            "" | "ga" | "final" | "release" => RELEASE,
            "sp" => 6,
            _ => UNKNOWN,
        };
        Self::Qualifier(rank, if rank == UNKNOWN { word } else { "" })
    }

    /// How it stands to nothing: `1.0` is `1`, `1-rc` comes before `1`.
    fn compare_absent(self) -> Ordering {
        match self {
            Self::Number(digits) => digits.len().cmp(&0),
            Self::Qualifier(rank, _) => rank.cmp(&RELEASE),
            Self::List => Ordering::Equal,
        }
    }

    fn compare(self, other: Self) -> Ordering {
        match (self, other) {
            (Self::Number(x), Self::Number(y)) => number::compare(x, y),
            (Self::Qualifier(x, word), Self::Qualifier(y, other_word)) => x.cmp(&y).then_with(|| word.cmp(other_word)),
            (x, y) => x.weight().cmp(&y.weight()),
        }
    }

    /// Qualifiers before lists before numbers.
    fn weight(self) -> u8 {
        match self {
            Self::Qualifier(..) => 0,
            Self::List => 1,
            Self::Number(_) => 2,
        }
    }
}

/// The lists of a version, each inside the one before as its last element; empty ones at the end are left out.
fn lists(text: &str) -> Vec<Vec<Item<'_>>> {
    let mut lists = Lists(vec![Vec::new()]);
    let mut start = 0;
    let mut digits = false;
    for (at, byte) in text.bytes().enumerate() {
        let word = text.get(start..at).unwrap_or_default();
        if byte == b'.' || byte == b'-' {
            lists.push(match (word.is_empty(), digits) {
                (true, _) => Item::number(""),
                (false, true) => Item::number(word),
                (false, false) => Item::qualifier(word, false),
            });
            start = at + 1;
            if byte == b'-' {
                lists.open();
            }
        } else if byte.is_ascii_digit() != digits {
            if !word.is_empty() {
                if digits {
                    lists.push(Item::number(word));
                } else {
                    lists.open_for_qualifier();
                    lists.push(Item::qualifier(word, true));
                }
                start = at;
                lists.open();
            }
            digits = !digits;
        }
    }
    match text.get(start..).unwrap_or_default() {
        "" => {}
        word if digits => lists.push(Item::number(word)),
        word => {
            lists.open_for_qualifier();
            lists.push(Item::qualifier(word, false));
        }
    }
    lists.normalized()
}

struct Lists<'a>(Vec<Vec<Item<'a>>>);

impl<'a> Lists<'a> {
    fn push(&mut self, item: Item<'a>) {
        if let Some(list) = self.0.last_mut() {
            list.push(item);
        }
    }

    fn open(&mut self) {
        self.0.push(Vec::new());
    }

    /// `.x` is read as `-x`.
    fn open_for_qualifier(&mut self) {
        if self.0.last().is_some_and(|list| !list.is_empty()) {
            self.open();
        }
    }

    /// Drops what means nothing at the end of each list.
    fn normalized(mut self) -> Vec<Vec<Item<'a>>> {
        for list in &mut self.0 {
            while list.last().is_some_and(|item| item.compare_absent().is_eq()) {
                list.pop();
            }
        }
        while self.0.last().is_some_and(Vec::is_empty) {
            self.0.pop();
        }
        self.0
    }
}

fn compare_lists(a: &[Vec<Item<'_>>], b: &[Vec<Item<'_>>]) -> Ordering {
    let (mut depth, mut index) = (0, 0);
    loop {
        let order = match (element(a, depth, index), element(b, depth, index)) {
            (None, None) => return Ordering::Equal,
            // A list is the last element, so nothing is left to compare outside these two.
            (Some(Item::List), Some(Item::List)) => {
                (depth, index) = (depth + 1, 0);
                continue;
            }
            (Some(Item::List), None) => compare_absent(a, depth + 1),
            (None, Some(Item::List)) => compare_absent(b, depth + 1).reverse(),
            (Some(x), None) => x.compare_absent(),
            (None, Some(y)) => y.compare_absent().reverse(),
            (Some(x), Some(y)) => x.compare(y),
        };
        if order.is_ne() {
            return order;
        }
        index += 1;
    }
}

fn element<'a>(lists: &[Vec<Item<'a>>], depth: usize, index: usize) -> Option<Item<'a>> {
    let items = lists.get(depth)?;
    let has_inner = index == items.len() && depth + 1 < lists.len();
    items.get(index).copied().or(has_inner.then_some(Item::List))
}

/// How the lists from `depth` on stand to nothing: their first item that is more or less than nothing decides.
fn compare_absent(lists: &[Vec<Item<'_>>], depth: usize) -> Ordering {
    let items = lists.iter().skip(depth).flatten();
    items.map(|item| item.compare_absent()).find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
}
