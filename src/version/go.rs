//! Go's versions: modules (`v1.2.3`, pseudo-versions `v0.0.0-20180116102854-5a71ef0e047d`, `+incompatible`) in the order of
//! `golang.org/x/mod/semver`, and toolchains (`go1.21rc2`), which the vulnerability database writes as `1.21.0-rc.2`.

use std::borrow::Cow;
use std::cmp::Ordering;

use super::semver::Version;

/// The order of two versions.
pub(super) fn compare(a: &str, b: &str) -> Option<Ordering> {
    let (a, b) = (normalize(a), normalize(b));
    let (a, b) = (Version::parse(&a)?, Version::parse(&b)?);
    Some(a.compare_precedence(&b, |x, y| x.cmp(y)))
}

/// Rewrites a toolchain's version as a semantic one, without the notes that builders append (`go1.20.4 X:boringcrypto`,
/// `go1.21.3-corp`).
fn normalize(text: &str) -> Cow<'_, str> {
    let (text, toolchain) = match text.strip_prefix("go") {
        Some(rest) => (rest.split([' ', '-', '+']).next().unwrap_or_default(), true),
        None => (text.split(' ').next().unwrap_or_default(), false),
    };
    let Some(letter) = text.find(|c: char| c.is_ascii_alphabetic()).filter(|&at| at > 0) else {
        return Cow::Borrowed(text);
    };
    let (numbers, rest) = text.split_at(letter);
    let word = rest.trim_end_matches(|c: char| c.is_ascii_digit());
    let number = rest.strip_prefix(word).unwrap_or_default();
    let release_candidate = matches!(word, "rc" | "beta") && numbers.ends_with(|c: char| c.is_ascii_digit());
    match (toolchain || release_candidate, number.is_empty()) {
        (false, _) => Cow::Borrowed(text),
        (true, true) => Cow::Owned(format!("{numbers}-{word}")),
        (true, false) => Cow::Owned(format!("{numbers}-{word}.{number}")),
    }
}
