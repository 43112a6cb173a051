//! Dart's versions: Semantic Versioning where build metadata count too (pub_semver, `Version.compareTo`).

use std::cmp::Ordering;

use super::semver::{Version, compare_identifiers};

/// The order of two versions.
pub(super) fn compare(a: &str, b: &str) -> Option<Ordering> {
    let (a, b) = (Version::parse(a)?, Version::parse(b)?);
    let words = |x: &str, y: &str| x.cmp(y);
    Some(a.compare_precedence(&b, words).then_with(|| match (a.build.is_empty(), b.build.is_empty()) {
        (false, false) => compare_identifiers(a.build, b.build, words),
        (left, right) => right.cmp(&left),
    }))
}
