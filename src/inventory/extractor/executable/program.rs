//! Well-known programs and libraries that were put into an image without a package manager, told by the version that
//! they print. The file's name decides what is looked for ([`table`]); the merge drops what an operating system's package
//! owns.

mod table;

use std::ptr;

use memchr::memmem;

use super::Fact;
use crate::model::{KnownBy, Package, PackageKind};
use table::PROGRAMS;
pub(super) use table::{CLAIM, SCRIPTS_CLAIM};

/// A program, the names of its files, and how it writes its version down.
struct Program {
    name: &'static str,
    kind: PackageKind,
    files: &'static [FileName],
    /// Numbers that the version has at least.
    parts: usize,
    /// Tried one after the other.
    forms: &'static [Form],
}

enum FileName {
    Is(&'static str),
    /// The name and whatever follows, such as a version.
    Begins(&'static str),
}

enum Form {
    /// Behind the first words, and followed by the second.
    Behind(&'static str, &'static str),
    /// In front of these words, with nothing but ends of strings between.
    Before(&'static str),
    /// A string of its own that begins so.
    Alone(&'static str),
    /// As before, with one of these words within [`NEAR`] bytes behind it.
    Near(&'static str, &'static [&'static str]),
    /// What the other forms cannot say, from the file's name and content.
    Own(fn(&str, &[u8]) -> Option<String>),
}

/// How far words may be from a version, for those that say so.
const NEAR: usize = 1000;
/// Marks whose neighbourhood is looked at; a file may consist of them.
const MOST_MARKS: usize = 10_000;
/// What a form looks at together at most: words, version, and what lies between.
pub(super) const LONGEST: usize = NEAR + 128;

/// Programs that a file of this name may be.
fn named(file: &str) -> impl Iterator<Item = &'static Program> {
    PROGRAMS.iter().filter(move |program| {
        program.files.iter().any(|name| match name {
            FileName::Is(name) => file == *name,
            FileName::Begins(name) => file.starts_with(name),
        })
    })
}

/// Whether a file of this name may be a program or a library of the table.
pub(super) fn is_known(file: &str) -> bool {
    named(file).next().is_some()
}

/// Whether nothing is looked for in a file of this name that is not in one of the other name.
pub(super) fn are_alike(file: &str, other: &str) -> bool {
    // Python's version begins with what its file's name says.
    let is_same = |(one, other): (&Program, &Program)| ptr::eq(one, other) && one.name != "python";
    let is_within = named(file).next().is_none()
        || named(file).count() == named(other).count() && named(file).zip(named(other)).all(is_same);
    file == other || is_library(file) == is_library(other) && is_within
}

/// Whether a file of this name is a library that is looked at, although libraries carry nothing else.
pub(super) fn is_library(file: &str) -> bool {
    file.starts_with("lib") && file.contains(".so") && is_known(file)
}

/// Whether a file of this name may be a program that is a script.
pub(super) fn is_script(file: &str) -> bool {
    named(file).any(|program| program.kind == PackageKind::Composer)
}

/// The program of a file, if `data` holds its version.
pub(super) fn find(file: &str, data: &[u8]) -> Option<Fact> {
    best(file, data, usize::MAX).map(|(_, fact)| fact)
}

/// As [`find`] for a part of a file, by the first form that says something, of those before `below`; with its place among
/// all forms, 0 being the best.
pub(super) fn best(file: &str, data: &[u8], below: usize) -> Option<(usize, Fact)> {
    let forms = named(file).flat_map(|program| program.forms.iter().map(move |form| (program, form)));
    forms.enumerate().take(below).find_map(|(place, (program, form))| {
        let version = form.find(program.parts, file, data)?;
        let known_by = Some(KnownBy::VersionString);
        let package = Package { known_by, ..Package::new(program.kind, program.name, version) };
        Some((place, Fact::Package(package)))
    })
}

impl Form {
    fn find(&self, parts: usize, file: &str, data: &[u8]) -> Option<String> {
        match self {
            Self::Behind(words, then) => memmem::find_iter(data, words).find_map(|at| {
                let (version, rest) = version(data.get(at + words.len()..)?)?;
                (has_parts(version, parts) && rest.starts_with(then.as_bytes())).then(|| version.to_owned())
            }),
            Self::Before(words) => {
                let found = memmem::find_iter(data, words).find_map(|at| {
                    let token = last_token(data.get(at.saturating_sub(LONGEST_VERSION)..at)?)?;
                    has_parts(token, parts).then_some(token)
                });
                found.map(str::to_owned)
            }
            Self::Alone(start) => alone(start, parts, data).map(|(version, _)| version.to_owned()).next(),
            Self::Near(start, words) => alone(start, parts, data).take(MOST_MARKS).find_map(|(version, end)| {
                let behind = data.get(end..(end + NEAR).min(data.len()))?;
                let is_near = words.iter().any(|word| memmem::find(behind, word.as_bytes()).is_some());
                is_near.then(|| version.to_owned())
            }),
            Self::Own(find) => find(file, data),
        }
    }
}

/// Strings of their own that are a version and begin so, each with the place of its end.
fn alone<'a>(start: &'a str, parts: usize, data: &'a [u8]) -> impl Iterator<Item = (&'a str, usize)> {
    let mark = [b"\0", start.as_bytes()].concat();
    let finder = memmem::Finder::new(&mark).into_owned();
    let mut from = 0;
    std::iter::from_fn(move || {
        loop {
            let at = from + finder.find(data.get(from..)?)? + 1;
            from = at;
            let text = data.get(at..(at + LONGEST_VERSION).min(data.len()))?;
            let Some((version, rest)) = version(text) else { continue };
            if rest.first() == Some(&0) && has_parts(version, parts) {
                return Some((version, at + version.len()));
            }
        }
    })
}

/// A longer version is none.
const LONGEST_VERSION: usize = 40;

/// `7.2.4`, `1.1.1w`, `3.13.0rc1`, `3.0.0-beta1` at the beginning, and what follows it.
fn version(data: &[u8]) -> Option<(&str, &[u8])> {
    const LONGEST_SUFFIX: usize = 8;
    const EARLY: [&[u8]; 4] = [b"-alpha", b"-beta", b"-rc", b"-dev"];
    let digits = data.iter().take(LONGEST_VERSION).take_while(|byte| byte.is_ascii_digit() || **byte == b'.').count();
    let mut end = digits;
    while end > 0 && data.get(end - 1) == Some(&b'.') {
        end -= 1;
    }
    if end == digits {
        let rest = data.get(end..).unwrap_or_default();
        let (mark, number) = match EARLY.iter().find(|early| rest.starts_with(early)) {
            Some(early) => {
                let rest = rest.iter().skip(early.len());
                (early.len(), rest.take_while(|byte| byte.is_ascii_digit() || **byte == b'.').count())
            }
            None => (0, rest.iter().take_while(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit()).count()),
        };
        if number <= LONGEST_SUFFIX {
            end += mark + number;
        }
    }
    let version = std::str::from_utf8(data.get(..end)?).ok()?;
    let is_version = version.starts_with(|c: char| c.is_ascii_digit()) && !version.contains("..");
    is_version.then(|| (version, data.get(end..).unwrap_or_default()))
}

/// The version that `before` ends with, but for ends of strings and a commit: `2.8.3` in `2.8.3-86e043a`.
fn last_token(before: &[u8]) -> Option<&str> {
    let end = before.iter().rposition(|&byte| byte != 0)? + 1;
    let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || b".+-".contains(byte);
    let start = before.get(..end)?.iter().rposition(|byte| !is_part(byte))? + 1;
    let token = std::str::from_utf8(before.get(start..end)?).ok()?;
    let is_commit = |text: &str| (7..=12).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let token = token.rsplit_once('-').filter(|(_, commit)| is_commit(commit)).map_or(token, |(version, _)| version);
    token.starts_with(|c: char| c.is_ascii_digit()).then_some(token)
}

/// Whether a version has so many numbers at least.
fn has_parts(version: &str, parts: usize) -> bool {
    let numbers = version.split(|c: char| !c.is_ascii_digit() && c != '.').next().unwrap_or_default();
    numbers.split('.').filter(|number| !number.is_empty()).count() >= parts
}

/// A string of its own that continues the release in the file's name: `3.11.4` in `libpython3.11.so.1.0`. A program whose
/// name has none, `python3`, names the folder of its library: `lib/python3.11`.
fn python(file: &str, data: &[u8]) -> Option<String> {
    let is_program = !file.starts_with("lib");
    let release = file.trim_start_matches("lib").strip_prefix("python")?;
    let end = release.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(release.len());
    let (release, rest) = release.split_at_checked(end)?;
    let release = release.trim_end_matches('.');
    if release.split('.').filter(|number| !number.is_empty()).count() < 2 {
        return if is_program && rest.is_empty() { python_of_folder(release, data) } else { None };
    }
    alone(&format!("{release}."), 3, data).map(|(version, _)| version.to_owned()).next()
}

/// The only version that continues the only release of which a program has the library's folder.
fn python_of_folder(major: &str, data: &[u8]) -> Option<String> {
    const FOLDER: &str = "lib/python";
    let mut releases = memmem::find_iter(data, FOLDER).take(MOST_MARKS).filter_map(|at| {
        let (release, rest) = version(data.get(at + FOLDER.len()..)?)?;
        let is_one = release.split('.').count() == 2 && release.starts_with(major);
        (is_one && matches!(rest.first(), Some(0 | b'/'))).then_some(release)
    });
    let release = releases.next()?;
    if releases.any(|other| other != release) {
        return None;
    }
    let start = format!("{release}.");
    let mut versions = alone(&start, 3, data).take(MOST_MARKS).map(|(version, _)| version);
    let version = versions.next()?;
    versions.all(|other| other == version).then(|| version.to_owned())
}

/// `3.2.2` in `ruby 3.2.2 (2023-03-30 …` and in `ruby 2.7.7p221 (…`: a release has one patch level only.
fn ruby(_: &str, data: &[u8]) -> Option<String> {
    const NAME: &str = "ruby ";
    memmem::find_iter(data, NAME).find_map(|at| {
        let (version, rest) = version(data.get(at + NAME.len()..)?)?;
        let is_patch = |level: &str| !level.is_empty() && level.bytes().all(|byte| byte.is_ascii_digit());
        let version = version.rsplit_once('p').filter(|(_, level)| is_patch(level)).map_or(version, |(left, _)| left);
        (has_parts(version, 3) && rest.starts_with(b" (")).then(|| version.to_owned())
    })
}

/// `10.11.6` in `10.11.6-MariaDB-1:10.11.6+maria~deb12`.
fn mariadb(_: &str, data: &[u8]) -> Option<String> {
    memmem::find_iter(data, "-MariaDB").find_map(|at| {
        let before = data.get(at.saturating_sub(16)..at)?;
        let start = before.iter().rposition(|byte| !byte.is_ascii_digit() && *byte != b'.').map_or(0, |at| at + 1);
        let (version, rest) = version(before.get(start..)?)?;
        (rest.is_empty() && version.split('.').count() == 3).then(|| version.to_owned())
    })
}

/// `17.0.10` or `1.8.0_352` in the launcher, which has a release (`17.0`, or `0.0` where it does not matter) and the full
/// version (`17.0.10+7`) behind its names, or in front of them.
fn java(_: &str, data: &[u8]) -> Option<String> {
    const NAME: &[u8] = b"\0java\0";
    const OPENJDK: &[u8] = b"\0openjdk";
    const AROUND: usize = 96;
    memmem::find_iter(data, NAME).find_map(|at| {
        let behind = data.get(at + NAME.len()..(at + NAME.len() + AROUND).min(data.len()))?;
        let before = data.get(at.saturating_sub(AROUND)..at)?;
        let mut texts = behind.split(|&byte| byte == 0).filter(|text| !text.is_empty());
        let is_behind = texts.next().zip(texts.next());
        is_behind.and_then(|(release, full)| of_java(release, full)).or_else(|| {
            let mut texts = before.strip_suffix(OPENJDK)?.rsplit(|&byte| byte == 0).filter(|text| !text.is_empty());
            let (full, release) = (texts.next()?, texts.next()?);
            of_java(release, full)
        })
    })
}

/// The version without its build, if both strings are what they should be.
fn of_java(release: &[u8], full: &[u8]) -> Option<String> {
    let is_release = release.contains(&b'.') && release.iter().all(|byte| byte.is_ascii_digit() || *byte == b'.');
    let full = std::str::from_utf8(full).ok().filter(|_| is_release)?;
    let version = full.split(['+', '-']).next().filter(|version| version.starts_with(|c: char| c.is_ascii_digit()))?;
    version.bytes().all(|byte| byte.is_ascii_digit() || b"._".contains(&byte)).then(|| version.to_owned())
}

/// `7.2.4` in `7.2.4<host>-<time><dirty><commit>`: a host of Docker's has twelve digits, BuildKit's is always the same.
/// Redis and its kin have no words before their version.
fn redis(_: &str, data: &[u8]) -> Option<String> {
    const SECONDS: usize = 10;
    const BUILDKIT: &[u8] = b"buildkitsandbox";
    const DOCKER: usize = 12;
    memmem::find_iter(data, "-").find_map(|at| {
        let time = data.get(at + 1..)?.get(..SECONDS)?;
        let before = data.get(at.saturating_sub(40)..at)?;
        let before = before.rsplit(|&byte| byte == 0).next()?;
        let version = match before.strip_suffix(BUILDKIT) {
            Some(version) => version,
            None => {
                let (version, host) = before.split_at_checked(before.len().checked_sub(DOCKER)?)?;
                host.iter().all(u8::is_ascii_hexdigit).then_some(version)?
            }
        };
        let version = std::str::from_utf8(version).ok()?;
        // Valkey writes its name before it.
        let version = version.strip_prefix("valkey").unwrap_or(version);
        let is_version = version.split('.').count() == 3
            && version.split('.').all(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()));
        (is_version && time.iter().all(u8::is_ascii_digit)).then(|| version.to_owned())
    })
}

/// `12.2.0` in the driver, in front of who packaged it and of the words that it prints: `12.2.0`, `(GNU) `, `gcc version …`.
fn gcc(_: &str, data: &[u8]) -> Option<String> {
    memmem::find_iter(data, "gcc version %s").take(MOST_MARKS).find_map(|at| {
        let before = data.get(at.saturating_sub(NEAR)..at)?;
        let texts: Vec<&[u8]> = before.split(|&byte| byte == 0).filter(|text| !text.is_empty()).collect();
        let [.., found, packager] = texts.as_slice() else { return None };
        let (version, rest) = version(found).filter(|_| packager.starts_with(b"("))?;
        (rest.is_empty() && has_parts(version, 3)).then(|| version.to_owned())
    })
}

#[cfg(test)]
mod tests;
