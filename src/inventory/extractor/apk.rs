//! Alpine's package database (`installed`, the text form of apk-tools 2 and 3) and its package sources. Format:
//! apk(5) and apk-repositories(5).

use super::files::Files;
use super::text::{lines, stated, text};
use super::{ExtractError, Extractor, Fact, File, MOST_PACKAGES, too_many_packages};
use crate::image::Entry;
use crate::inventory::fact::{ApkRepository, Installed};
use crate::model::{Package, PackageKind, SourcePackage};

const REPOSITORIES: &str = "etc/apk/repositories";
const REPOSITORIES_DIRECTORY: &str = "etc/apk/repositories.d/";
/// Real lists have a handful.
const MOST_REPOSITORIES: usize = 1000;

/// Reads apk's database and repositories.
pub(super) struct Apk;

impl Extractor for Apk {
    fn name(&self) -> &'static str {
        "apk"
    }

    fn claims(&self) -> &'static [&'static str] {
        &[
            "packages of Alpine, Wolfi, Chainguard and others: `lib/apk/db/installed`, `usr/lib/apk/db/installed`",
            "package sources: `etc/apk/repositories`, `etc/apk/repositories.d/*.list`",
        ]
    }

    fn wants(&self, entry: &Entry<'_>) -> bool {
        matches!(entry.path, "lib/apk/db/installed" | "usr/lib/apk/db/installed" | REPOSITORIES)
            || entry.path.starts_with(REPOSITORIES_DIRECTORY) && entry.path.ends_with(".list")
    }

    fn is_package_database(&self, path: &str) -> bool {
        !path.starts_with(REPOSITORIES)
    }

    fn extract(&self, file: &mut File<'_>) -> Result<Vec<Fact>, ExtractError> {
        if file.path().starts_with(REPOSITORIES) {
            let content = file.whole()?;
            return Ok(vec![Fact::ApkRepositories(
                lines(content).filter_map(repository).take(MOST_REPOSITORIES).collect(),
            )]);
        }
        Ok(installed(file.whole()?))
    }
}

/// `[@tag ]https://dl-cdn.alpinelinux.org/alpine/v3.20/main`.
fn repository(line: &[u8]) -> Option<ApkRepository> {
    let line = text(line);
    let (tagged, address) = match line.strip_prefix('@') {
        Some(rest) => (true, rest.split_once(char::is_whitespace)?.1.trim()),
        None => (false, line.as_ref()),
    };
    if address.starts_with('#') {
        return None;
    }
    let mut parts = address.trim_end_matches('/').rsplit('/');
    let name = parts.next()?;
    let release = parts.next()?;
    let number = release.strip_prefix('v').unwrap_or(release);
    let is_release = number == "edge" || number.starts_with(|c: char| c.is_ascii_digit());
    is_release.then(|| ApkRepository { release: number.to_owned(), name: name.to_owned(), tagged })
}

/// The paragraphs of `installed`: one letter, a colon, the value.
fn installed(content: &[u8]) -> Vec<Fact> {
    let mut packages = Vec::new();
    let mut notes = Vec::new();
    let mut malformed = 0_usize;
    let mut owned = Files::new();
    let mut paragraph = Paragraph::default();
    for line in lines(content).chain([&b""[..]]) {
        if !line.is_empty() {
            paragraph.line(line, &mut owned);
            continue;
        }
        let Paragraph { any, package, files, .. } = std::mem::take(&mut paragraph);
        match package.finish() {
            Some(_) if packages.len() == MOST_PACKAGES => {
                notes.push(too_many_packages());
                break;
            }
            Some(package) => packages.push(Installed { package, files }),
            None if any => malformed += 1,
            None => {}
        }
    }
    if malformed > 0 {
        notes.push(Fact::Incomplete(format!("{malformed} of its paragraphs have no package name or version")));
    }
    let mut facts = vec![Fact::Database { kind: PackageKind::Apk, packages }];
    facts.append(&mut notes);
    facts.extend(owned.note());
    facts
}

#[derive(Default)]
struct Paragraph<'a> {
    any: bool,
    package: Fields<'a>,
    /// The directory (`F:`) of the files (`R:`) that follow.
    directory: &'a [u8],
    files: Vec<u64>,
}

#[derive(Default)]
struct Fields<'a> {
    name: Option<&'a [u8]>,
    version: Option<&'a [u8]>,
    arch: Option<&'a [u8]>,
    origin: Option<&'a [u8]>,
    license: Option<&'a [u8]>,
    maintainer: Option<&'a [u8]>,
}

impl<'a> Paragraph<'a> {
    fn line(&mut self, line: &'a [u8], owned: &mut Files) {
        self.any = true;
        let Some((&[letter, b':'], value)) = line.split_first_chunk::<2>() else { return };
        match letter {
            b'P' => self.package.name = Some(value),
            b'V' => self.package.version = Some(value),
            b'A' => self.package.arch = Some(value),
            b'o' => self.package.origin = Some(value),
            b'L' => self.package.license = Some(value),
            b'm' => self.package.maintainer = Some(value),
            b'F' => self.directory = value,
            b'R' => self.files.extend(owned.hash(&[self.directory.trim_ascii(), b"/", value.trim_ascii()])),
            _ => {}
        }
    }
}

impl Fields<'_> {
    fn finish(self) -> Option<Package> {
        let (name, version) = (self.name.and_then(stated)?, self.version.and_then(stated)?);
        let source = self.origin.and_then(stated);
        Some(Package {
            arch: self.arch.and_then(stated),
            source: source.map(|name| SourcePackage { name, version: version.clone() }),
            licenses: self.license.and_then(stated).into_iter().collect(),
            vendor: self.maintainer.and_then(stated),
            ..Package::new(PackageKind::Apk, name, version)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::extract_bytes;
    use super::*;
    use crate::image::overlay::path_hash;

    #[test]
    fn reads_the_database() {
        let content = "\
C:Q1qKcZ+j23xssAXmgQhkOO8dHnbWw=
P:libssl3
V:3.3.2-r0
A:x86_64
T:SSL shared libraries
L:Apache-2.0
o:openssl
m:Ariadne Conill <ariadne@dereferenced.org>
F:lib
R:libssl.so.3
a:0:0:755
F:usr
F:usr/lib
R:libssl.so.3

P:.virtual-deps
V:20240101.000000
A:noarch

P:broken

";
        let facts = extract_bytes("lib/apk/db/installed", content.as_bytes()).expect("a database");
        let [Fact::Database { kind: PackageKind::Apk, packages }, Fact::Incomplete(_)] = facts.as_slice() else {
            panic!("{facts:?}")
        };
        let libssl = &packages[0];
        assert_eq!(libssl.package.name, "libssl3");
        assert_eq!(libssl.package.version, "3.3.2-r0");
        assert_eq!(libssl.package.arch.as_deref(), Some("x86_64"));
        assert_eq!(libssl.package.source.as_ref().map(|s| s.name.as_str()), Some("openssl"));
        assert_eq!(libssl.package.licenses, ["Apache-2.0"]);
        assert_eq!(libssl.files, [path_hash("lib/libssl.so.3"), path_hash("usr/lib/libssl.so.3")]);
        assert_eq!(packages[1].package.source, None);
        assert_eq!(packages.len(), 2);
    }

    #[test]
    fn reads_repositories() {
        let content = "#https://dl-cdn.alpinelinux.org/alpine/v3.19/main
https://dl-cdn.alpinelinux.org/alpine/v3.20/main
@edge http://mirror.example/alpine/edge/testing/
/media/cdrom/apks

https://packages.wolfi.dev/os
";
        let facts = extract_bytes("etc/apk/repositories", content.as_bytes()).expect("repositories");
        let [Fact::ApkRepositories(repositories)] = facts.as_slice() else { panic!("{facts:?}") };
        let rows: Vec<_> = repositories.iter().map(|r| (r.release.as_str(), r.name.as_str(), r.tagged)).collect();
        assert_eq!(rows, [("3.20", "main", false), ("edge", "testing", true)]);
    }
}
