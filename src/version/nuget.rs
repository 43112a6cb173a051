//! NuGet's versions: Semantic Versioning with up to four numbers and pre-release labels that ignore case
//! (NuGet.Versioning, `VersionComparer.Default`).

use std::cmp::Ordering;

use super::semver::Version;

/// The order of two versions.
pub(super) fn compare(a: &str, b: &str) -> Option<Ordering> {
    let (a, b) = (Version::parse(a)?, Version::parse(b)?);
    Some(a.compare_precedence(&b, compare_ignoring_case))
}

/// As .NET's `OrdinalIgnoreCase`, which maps to upper case: `_` comes after letters.
fn compare_ignoring_case(a: &str, b: &str) -> Ordering {
    a.bytes().map(|byte| byte.to_ascii_uppercase()).cmp(b.bytes().map(|byte| byte.to_ascii_uppercase()))
}
