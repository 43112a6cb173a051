//! Version order, one file per scheme, and whether a version lies in an advisory's ranges.
//!
//! [`compare`] is total over what each scheme accepts; text that is no version of the scheme (`(devel)`, `UNKNOWN`,
//! `${version}`) compares with nothing, so that it matches nothing and is reported instead.

mod apk;
mod deb;
mod evaluate;
mod range;
mod rpm;
mod semver;

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

use crate::model::PackageKind;

pub use evaluate::{Verdict, evaluate};
pub use range::{Constraint, InvalidConstraint};

/// A version scheme.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scheme {
    /// Debian policy 5.6.12.
    Deb,
    /// rpm's `rpmvercmp` with epoch, `~` and `^`.
    Rpm,
    /// apk-tools.
    Apk,
    /// Semantic versioning 2.0.0 as npm reads it.
    Npm,
    /// Semantic versioning 2.0.0 as Cargo reads it.
    Cargo,
    /// Go's module versions: semantic versioning with a leading `v`, pseudo-versions and `+incompatible`.
    Go,
    /// PEP 440.
    Pypi,
}

impl Scheme {
    /// All schemes.
    pub const ALL: &'static [Self] = &[Self::Deb, Self::Rpm, Self::Apk, Self::Npm, Self::Cargo, Self::Go, Self::Pypi];

    /// The scheme of a kind of packages.
    #[must_use]
    pub fn of(kind: PackageKind) -> Option<Self> {
        Some(match kind {
            PackageKind::Deb => Self::Deb,
            PackageKind::Rpm => Self::Rpm,
            PackageKind::Apk => Self::Apk,
            PackageKind::Npm => Self::Npm,
            PackageKind::Cargo => Self::Cargo,
            PackageKind::Golang => Self::Go,
            PackageKind::Pypi => Self::Pypi,
            _ => return None,
        })
    }
}

/// The order of two versions; `None` where one of them is no version of the scheme.
#[must_use]
pub fn compare(scheme: Scheme, a: &str, b: &str) -> Option<Ordering> {
    match scheme {
        Scheme::Deb => deb::compare(a, b),
        Scheme::Rpm => rpm::compare(a, b),
        Scheme::Apk => apk::compare(a, b),
        Scheme::Npm | Scheme::Cargo | Scheme::Go => semver::compare(a, b),
        Scheme::Pypi => {
            let parse = |text: &str| text.trim().parse::<pep440_rs::Version>().ok();
            Some(parse(a)?.cmp(&parse(b)?))
        }
    }
}

/// Whether the text is a version of the scheme.
#[must_use]
pub fn is_valid(scheme: Scheme, version: &str) -> bool {
    compare(scheme, version, version).is_some()
}

impl fmt::Display for Scheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Deb => "deb",
            Self::Rpm => "rpm",
            Self::Apk => "apk",
            Self::Npm => "npm",
            Self::Cargo => "cargo",
            Self::Go => "go",
            Self::Pypi => "pypi",
        })
    }
}

/// The name is not one of a version scheme.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a version scheme")]
pub struct UnknownScheme(pub String);

impl FromStr for Scheme {
    type Err = UnknownScheme;

    fn from_str(text: &str) -> Result<Self, UnknownScheme> {
        Self::ALL
            .iter()
            .copied()
            .find(|scheme| scheme.to_string() == text)
            .ok_or_else(|| UnknownScheme(text.to_owned()))
    }
}
