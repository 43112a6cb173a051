//! Python's versions (PEP 440), through the crate that orders them as `packaging` does.
//!
//! Versions from before PEP 440 (`0.1-bulbasaur`) come before all others, in the order of old setuptools; they are no valid
//! versions any more, so they are never matched with ranges.

use std::cmp::Ordering;
use std::str::FromStr;

use pep440_rs::Version;

/// The order of two versions.
pub(super) fn compare(a: &str, b: &str) -> Option<Ordering> {
    match (Version::from_str(a), Version::from_str(b)) {
        (Ok(a), Ok(b)) => Some(a.cmp(&b)),
        (Ok(_), Err(_)) => is_legacy(b).then_some(Ordering::Greater),
        (Err(_), Ok(_)) => is_legacy(a).then_some(Ordering::Less),
        (Err(_), Err(_)) => (is_legacy(a) && is_legacy(b)).then(|| legacy_key(a).cmp(&legacy_key(b))),
    }
}

/// Whether it is a version by PEP 440.
pub(super) fn is_valid(text: &str) -> bool {
    Version::from_str(text).is_ok()
}

/// Something that was once uploaded as a version: words joined by the separators of versions.
fn is_legacy(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_' | b'+');
    text.bytes().all(allowed) && text.contains(['.', '-'])
}

/// `pkg_resources`' key of old: numbers padded, words marked, so that the parts compare as text.
fn legacy_key(text: &str) -> Vec<String> {
    let mut key: Vec<String> = Vec::new();
    for part in legacy_parts(&text.to_ascii_lowercase()) {
        if part.starts_with(|c: char| c.is_ascii_digit()) {
            key.push(format!("{part:0>8}"));
            continue;
        }
        let word = match part {
            "pre" | "preview" | "rc" => "*c",
            "-" => "*final-",
            "dev" => "*@",
            _ => &format!("*{part}"),
        };
        if word < "*final" {
            while key.last().is_some_and(|last| last == "*final-") {
                key.pop();
            }
        }
        while key.last().is_some_and(|last| last == "00000000") {
            key.pop();
        }
        key.push(word.to_owned());
    }
    key
}

/// Runs of digits, runs of letters and hyphens, then the word that ends every version.
fn legacy_parts(text: &str) -> Vec<&str> {
    let class = |c: char| match c {
        '0'..='9' => 0,
        'a'..='z' => 1,
        '-' => 2,
        _ => 3,
    };
    let mut parts = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let same = |c: char| class(c) == class(first) && class(c) != 2;
        let end = rest.char_indices().skip(1).find(|&(_, c)| !same(c)).map_or(rest.len(), |(at, _)| at);
        let (part, tail) = rest.split_at(end);
        if class(first) != 3 {
            parts.push(part);
        }
        rest = tail;
    }
    parts.push("final");
    parts
}
