//! Composer's versions: brought to a normal form as `Composer\Semver\VersionParser::normalize` does (`1.2beta1` →
//! `1.2.0.0-beta1`, `2024-01-15` → `2024.01.15`, `1.x-dev` → `1.9999999.9999999.9999999-dev`), then ordered by PHP's
//! `version_compare`.
//!
//! A version that Composer would refuse but that begins with a number (`4.3-2RC1`) has its numbers filled up to four and is
//! ordered as it stands. Branches (`dev-main`) come before all versions, have no order among themselves and are not valid.

use std::cmp::Ordering;

use super::number;

/// The order of two versions.
pub(super) fn compare(a: &str, b: &str) -> Option<Ordering> {
    let (a, b) = (normalize(a)?, normalize(b)?);
    if is_branch(&a) && is_branch(&b) {
        return (a == b).then_some(Ordering::Equal);
    }
    Some(php_compare(&a, &b))
}

/// Whether it can be matched with ranges: not a branch.
pub(super) fn is_valid(text: &str) -> bool {
    normalize(text).is_some_and(|normal| !is_branch(&normal))
}

fn is_branch(normal: &str) -> bool {
    normal.starts_with("dev-")
}

fn normalize(text: &str) -> Option<String> {
    let text = strip_stability(text);
    if matches!(text, "master" | "trunk" | "default") {
        return Some(format!("dev-{text}"));
    }
    if let Some(branch) = strip_prefix_ignoring_case(text, "dev-") {
        return Some(format!("dev-{branch}"));
    }
    let text = match text.split_once('+') {
        Some((version, build)) if !version.is_empty() && !build.is_empty() => version,
        _ => text,
    };
    let plain = text.strip_prefix(['v', 'V']).unwrap_or(text);
    classical(plain).or_else(|| dated(plain)).or_else(|| numeric_branch(plain)).or_else(|| unusual(plain))
}

/// Without `@beta` and the like at the end.
fn strip_stability(text: &str) -> &str {
    let known = |flag: &str| ["stable", "rc", "beta", "alpha", "dev"].iter().any(|k| flag.eq_ignore_ascii_case(k));
    text.rsplit_once('@').filter(|(_, flag)| known(flag)).map_or(text, |(version, _)| version)
}

/// One to four numbers, the first of at most five digits, and a modifier.
fn classical(text: &str) -> Option<String> {
    let (numbers, rest) = leading_numbers(text, 4);
    let first = numbers.first().filter(|first| first.len() <= 5)?;
    let mut normal = (*first).to_owned();
    for index in 1..4 {
        normal.push('.');
        normal.push_str(numbers.get(index).unwrap_or(&"0"));
    }
    normal.push_str(&modifier(rest)?);
    Some(normal)
}

/// A year, then pairs of digits with or without separators, up to three digits more, and a modifier.
fn dated(text: &str) -> Option<String> {
    let end = text.find(|c: char| !c.is_ascii_digit() && !matches!(c, '.' | ':' | '-')).unwrap_or(text.len());
    (0..=end).rev().filter_map(|at| text.split_at_checked(at)).find_map(|(date, rest)| {
        let modifier = is_date(date).then(|| modifier(rest))??;
        Some(date.replace([':', '-'], ".") + &modifier)
    })
}

fn is_date(text: &str) -> bool {
    let mut pairs = 0;
    let mut runs = text.split(['.', ':', '-']).enumerate().peekable();
    while let Some((index, run)) = runs.next() {
        let length = match (index, run.len()) {
            (0, length) if length >= 4 => length - 4,
            (0, _) => return false,
            (_, 0) => return false,
            (_, length) => length,
        };
        if runs.peek().is_some() {
            pairs += length / 2;
            if length % 2 == 1 {
                return false;
            }
            continue;
        }
        // The last digits, up to three, may stand outside the pairs.
        let possible = |extra: usize| {
            length >= extra && (length - extra).is_multiple_of(2) && (1..=6).contains(&(pairs + (length - extra) / 2))
        };
        return (0..=3).any(possible);
    }
    false
}

/// `1.2.x-dev`: numbers and wildcards.
fn numeric_branch(text: &str) -> Option<String> {
    let end =
        text.len().checked_sub(3).filter(|&at| text.get(at..).is_some_and(|tail| tail.eq_ignore_ascii_case("dev")))?;
    let branch = text.get(..end)?;
    let branch = branch.strip_suffix(['.', '-']).unwrap_or(branch);
    let parts: Vec<_> = branch.split('.').collect();
    let wildcard = |part: &str| matches!(part, "x" | "X" | "*");
    let sound = parts.len() <= 4
        && parts.iter().enumerate().all(|(at, part)| number::is_number(part.as_bytes()) || (at > 0 && wildcard(part)));
    sound.then(|| {
        let part = |at: usize| parts.get(at).copied().filter(|part| !wildcard(part)).unwrap_or("9999999");
        format!("{}.{}.{}.{}-dev", part(0), part(1), part(2), part(3))
    })
}

/// Anything else that begins with a number.
fn unusual(text: &str) -> Option<String> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | '~' | '+');
    let (numbers, rest) = leading_numbers(text, usize::MAX);
    if numbers.is_empty() || !text.chars().all(allowed) {
        return None;
    }
    Some(numbers.join(".") + &".0".repeat(4usize.saturating_sub(numbers.len())) + rest)
}

/// Up to `most` numbers joined by dots, and what follows.
fn leading_numbers(text: &str, most: usize) -> (Vec<&str>, &str) {
    let mut numbers = Vec::new();
    let mut rest = text;
    while numbers.len() < most {
        let digits = if numbers.is_empty() { Some(rest) } else { rest.strip_prefix('.') };
        let Some(digits) = digits else { break };
        let end = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
        let (number, tail) = digits.split_at(end);
        if number.is_empty() {
            break;
        }
        numbers.push(number);
        rest = tail;
    }
    (numbers, rest)
}

/// `[._-]?(stability number?)?([.-]?dev)?`, up to the end, in normal form.
fn modifier(text: &str) -> Option<String> {
    let text = text.to_ascii_lowercase();
    let without_separator = text.strip_prefix(['.', '_', '-']);
    without_separator.and_then(modifier_words).or_else(|| modifier_words(&text))
}

fn modifier_words(text: &str) -> Option<String> {
    const WORDS: [(&str, &str); 9] = [
        ("stable", "stable"),
        ("beta", "beta"),
        ("b", "beta"),
        ("rc", "RC"),
        ("alpha", "alpha"),
        ("a", "alpha"),
        ("patch", "patch"),
        ("pl", "patch"),
        ("p", "patch"),
    ];
    let words = WORDS.iter().filter_map(|(word, normal)| Some((*normal, text.strip_prefix(word)?)));
    words.chain([("", text)]).find_map(|(stability, rest)| {
        let (number, rest) = if stability.is_empty() { ("", rest) } else { modifier_number(rest) };
        let dev = match rest {
            "" => "",
            "dev" | ".dev" | "-dev" => "-dev",
            _ => return None,
        };
        Some(match stability {
            "" => dev.to_owned(),
            "stable" => String::new(),
            _ => format!("-{stability}{}{dev}", number.trim_start_matches(['.', '-'])),
        })
    })
}

/// Takes `([.-]?\d+)*`.
fn modifier_number(text: &str) -> (&str, &str) {
    let mut end = 0;
    loop {
        let rest = text.get(end..).unwrap_or_default();
        let digits = rest.strip_prefix(['.', '-']).unwrap_or(rest);
        let count = digits.bytes().take_while(u8::is_ascii_digit).count();
        if count == 0 {
            return text.split_at(end);
        }
        end += rest.len() - digits.len() + count;
    }
}

/// PHP's `version_compare`: runs of digits and runs of letters, each letter run by what it means.
fn php_compare(a: &str, b: &str) -> Ordering {
    let (mut a, mut b) = (a.as_bytes(), b.as_bytes());
    loop {
        let order = match (take_run(&mut a), take_run(&mut b)) {
            (None, None) => return Ordering::Equal,
            (Some(x), Some(y)) if number::is_number(x) && number::is_number(y) => number::compare(x, y),
            // A number more makes a version newer; a word more counts as what it means.
            (Some(x), None) if number::is_number(x) => Ordering::Greater,
            (None, Some(y)) if number::is_number(y) => Ordering::Less,
            (x, y) => meaning(x).cmp(&meaning(y)),
        };
        if order.is_ne() {
            return order;
        }
    }
}

fn take_run<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    number::take_while(rest, |byte| !byte.is_ascii_alphanumeric());
    let first = *rest.first()?;
    Some(number::take_while(rest, |byte| {
        byte.is_ascii_alphanumeric() && byte.is_ascii_digit() == first.is_ascii_digit()
    }))
}

/// The rank of a word; numbers and the end have the same.
fn meaning(run: Option<&[u8]>) -> i8 {
    const FORMS: [(&[u8], i8); 9] =
        [(b"dev", 0), (b"alpha", 1), (b"a", 1), (b"beta", 2), (b"b", 2), (b"RC", 3), (b"rc", 3), (b"pl", 5), (b"p", 5)];
    let Some(run) = run.filter(|run| !number::is_number(run)) else { return 4 };
    FORMS.iter().find(|(form, _)| run.starts_with(form)).map_or(-1, |(_, rank)| *rank)
}

fn strip_prefix_ignoring_case<'a>(text: &'a str, prefix: &str) -> Option<&'a str> {
    let (start, rest) = text.split_at_checked(prefix.len())?;
    start.eq_ignore_ascii_case(prefix).then_some(rest)
}
