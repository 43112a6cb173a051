//! Version order: one file per versioning scheme, no I/O, and the ranges that advisories state in it.
//!
//! Three questions, from the broadest to the strictest:
//! - [`compare`] orders two texts as the ecosystem's own tool does, old and odd versions included.
//! - [`is_valid`] says whether a text may be matched at all: `UNKNOWN`, `(devel)`, `${project.version}`, a branch name or
//!   an empty text are no versions, and such a thing must never count as "older than everything".
//! - [`evaluate`] says whether a version is affected by a record (OSV schema), and by which comparison.
//!
//! Every comparer is a function over the two texts: it cannot fail, does not recurse and takes time linear in their
//! length, which [`MAX_LENGTH`] bounds.

mod alpm;
mod apk;
mod composer;
mod conan;
mod deb;
mod evaluate;
mod gem;
mod go;
mod intdot;
mod interval;
mod maven;
mod nuget;
mod number;
mod pep440;
mod portage;
mod pub_dart;
mod range;
mod rpm;
mod semver;

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

use crate::model::PackageKind;

pub use evaluate::{Verdict, evaluate, is_affected};
pub use range::{Constraint, InvalidConstraint};

/// The longest text, in bytes, that is taken for a version.
pub const MAX_LENGTH: usize = 512;

macro_rules! schemes {
    ($($(#[$doc:meta])* $name:ident = $text:literal $(| $alias:literal)*,)*) => {
        /// A way to write and order versions.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Scheme { $($(#[$doc])* $name,)* }

        impl Scheme {
            /// All schemes.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The name that people and files use.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }
        }

        impl FromStr for Scheme {
            type Err = UnknownScheme;

            /// Reads a scheme's name, or the name of the ecosystem or tool that it belongs to, in any case.
            fn from_str(text: &str) -> Result<Self, UnknownScheme> {
                match text.trim().to_ascii_lowercase().as_str() {
                    $($text $(| $alias)* => Ok(Self::$name),)*
                    _ => Err(UnknownScheme(text.to_owned())),
                }
            }
        }
    };
}

schemes! {
    /// Debian, Ubuntu, OpenWrt (deb-version(7)).
    Deb = "deb" | "debian" | "ubuntu" | "dpkg" | "opkg",
    /// RPM, with epoch, `~` and `^` (rpm-version(7)).
    Rpm = "rpm" | "redhat",
    /// RPM, where a side that states no epoch has the other side's: source packages are named without one. What
    /// [`Scheme::RpmRebuild`] takes for the same is the same. A relation between two versions, not an order of many.
    RpmSource = "rpm-source",
    /// RPM, where one side may be CentOS's rebuild of the other, which Red Hat names differently (`.el7.centos.5` is
    /// `.el7_9.5`). A relation between two versions, not an order of many.
    RpmRebuild = "rpm-rebuild",
    /// Alpine, Wolfi, Chainguard (apk-package(5)).
    Apk = "apk" | "alpine",
    /// Semantic Versioning 2.0.0, read leniently.
    Semver = "semver" | "swift" | "julia" | "bitnami",
    /// npm: Semantic Versioning.
    Npm = "npm" | "node",
    /// Cargo: Semantic Versioning.
    Cargo = "cargo" | "crates.io",
    /// Hex (Erlang, Elixir): Semantic Versioning.
    Hex = "hex",
    /// Python (PEP 440).
    Pep440 = "pypi" | "pep440" | "python",
    /// Maven's `ComparableVersion`.
    Maven = "maven",
    /// RubyGems' `Gem::Version`.
    Gem = "gem" | "rubygems",
    /// Composer's `VersionParser` and PHP's `version_compare`.
    Composer = "composer" | "packagist" | "php",
    /// NuGet's `NuGetVersion`.
    Nuget = "nuget",
    /// Go modules and toolchains.
    Go = "go" | "golang",
    /// Dart's pub.
    Pub = "pub" | "dart",
    /// Conan 2.
    Conan = "conan" | "conancenter",
    /// Haskell (package versioning policy).
    Hackage = "hackage" | "haskell",
    /// R packages (`package_version`).
    Cran = "cran",
    /// Arch Linux (vercmp(8)).
    Alpm = "alpm" | "arch" | "pacman",
    /// Gentoo (package manager specification, section 3.3).
    Portage = "portage" | "ebuild" | "gentoo",
}

/// The text names no scheme.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no version scheme; known are {list}", list = names())]
pub struct UnknownScheme(pub String);

impl Scheme {
    /// The scheme of a package manager or ecosystem; none where versions have no common order (conda, programs known by
    /// version strings only).
    #[must_use]
    pub fn of(kind: PackageKind) -> Option<Self> {
        Some(match kind {
            PackageKind::Deb | PackageKind::Opkg => Self::Deb,
            PackageKind::Apk => Self::Apk,
            PackageKind::Rpm => Self::Rpm,
            PackageKind::Alpm => Self::Alpm,
            PackageKind::Portage => Self::Portage,
            PackageKind::Npm => Self::Npm,
            PackageKind::Pypi => Self::Pep440,
            PackageKind::Maven => Self::Maven,
            PackageKind::Golang => Self::Go,
            PackageKind::Cargo => Self::Cargo,
            PackageKind::Gem => Self::Gem,
            PackageKind::Composer | PackageKind::Wordpress => Self::Composer,
            PackageKind::Nuget => Self::Nuget,
            PackageKind::Conan => Self::Conan,
            PackageKind::Hex => Self::Hex,
            PackageKind::Pub => Self::Pub,
            PackageKind::Hackage => Self::Hackage,
            PackageKind::Cran => Self::Cran,
            PackageKind::Swift | PackageKind::Julia | PackageKind::Bitnami => Self::Semver,
            PackageKind::Conda | PackageKind::Luarocks | PackageKind::Generic => return None,
        })
    }
}

impl fmt::Display for Scheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// The order of two versions; `None` when the scheme gives them none.
///
/// Where the ecosystem's own tool orders texts that it would not accept as versions today (the empty text of rpm and
/// RubyGems, malformed apk versions, Python's versions from before PEP 440), so does this. Ask [`is_valid`] before drawing
/// a conclusion about a package.
#[must_use]
pub fn compare(scheme: Scheme, a: &str, b: &str) -> Option<Ordering> {
    let (a, b) = (candidate(a)?, candidate(b)?);
    match scheme {
        Scheme::Deb => deb::compare(a, b),
        Scheme::Rpm => rpm::compare(a, b),
        Scheme::RpmSource => rpm::compare_source(a, b),
        Scheme::RpmRebuild => rpm::compare_rebuild(a, b),
        Scheme::Apk => apk::compare(a, b),
        Scheme::Semver | Scheme::Npm | Scheme::Cargo | Scheme::Hex => semver::compare(a, b),
        Scheme::Pep440 => pep440::compare(a, b),
        Scheme::Maven => maven::compare(a, b),
        Scheme::Gem => gem::compare(a, b),
        Scheme::Composer => composer::compare(a, b),
        Scheme::Nuget => nuget::compare(a, b),
        Scheme::Go => go::compare(a, b),
        Scheme::Pub => pub_dart::compare(a, b),
        Scheme::Conan => conan::compare(a, b),
        Scheme::Hackage => intdot::compare(a, b, b"."),
        Scheme::Cran => intdot::compare(a, b, b".-"),
        Scheme::Alpm => alpm::compare(a, b),
        Scheme::Portage => portage::compare(a, b),
    }
}

/// The order of two rpm versions of which one may lack its epoch, as the versions of source packages do: then the
/// epochs are no difference.
#[must_use]
pub fn compare_source_rpm(a: &str, b: &str) -> Option<Ordering> {
    compare(Scheme::RpmSource, a, b)
}

/// Whether the text is a version of the scheme that can be matched with ranges.
#[must_use]
pub fn is_valid(scheme: Scheme, version: &str) -> bool {
    let Some(text) = candidate(version).filter(|text| !text.is_empty()) else { return false };
    match scheme {
        Scheme::Deb => deb::is_valid(text),
        Scheme::Rpm | Scheme::RpmSource | Scheme::RpmRebuild => rpm::is_valid(text),
        Scheme::Apk => apk::is_valid(text),
        Scheme::Pep440 => pep440::is_valid(text),
        Scheme::Maven => maven::is_valid(text),
        Scheme::Composer => composer::is_valid(text),
        Scheme::Conan => conan::is_valid(text),
        Scheme::Alpm => alpm::is_valid(text),
        _ => compare(scheme, text, text).is_some(),
    }
}

/// Whether every text of the scheme that has an order, but for the empty one, is a version.
fn is_valid_where_ordered(scheme: Scheme) -> bool {
    use Scheme::{Alpm, Apk, Composer, Conan, Maven, Pep440, Rpm, RpmRebuild, RpmSource};
    !matches!(scheme, Rpm | RpmSource | RpmRebuild | Apk | Pep440 | Maven | Composer | Conan | Alpm)
}

/// The text without blanks around it, unless it is too long or what build tools write when they know no version.
fn candidate(text: &str) -> Option<&str> {
    let text = if is_bare(text.as_bytes()) { text } else { text.trim() };
    let is_template = if text.is_ascii() {
        text.bytes().any(|byte| byte.is_ascii_control() || is_of_template(char::from(byte)))
    } else {
        text.chars().any(|c| c.is_control() || is_of_template(c))
    };
    // All placeholders are words.
    let is_word = text.as_bytes().first().is_some_and(u8::is_ascii_alphabetic);
    let is_placeholder = is_word && PLACEHOLDERS.iter().any(|word| text.eq_ignore_ascii_case(word));
    (text.len() <= MAX_LENGTH && !is_placeholder && !is_template).then_some(text)
}

/// Whether nothing that may be a blank stands around the text: so it is with nearly every version.
fn is_bare(text: &[u8]) -> bool {
    text.first().is_some_and(u8::is_ascii_graphic) && text.last().is_some_and(u8::is_ascii_graphic)
}

fn is_of_template(c: char) -> bool {
    matches!(c, '$' | '{' | '}' | '(' | ')' | '<' | '>')
}

const PLACEHOLDERS: [&str; 8] = ["unknown", "unspecified", "undefined", "devel", "none", "null", "latest", "n/a"];

fn names() -> String {
    Scheme::ALL.iter().map(|scheme| scheme.name()).collect::<Vec<_>>().join(", ")
}
