//! Debian's package database: `var/lib/dpkg/status`, its split form in distroless images (`status.d`), and the lists of
//! the files that packages installed. Format: deb822(5) and dpkg-query(1).

use super::files::Files;
use super::text::{field, lines, stated};
use super::{ExtractError, Extractor, Fact, File, MOST_PACKAGES, too_many_packages};
use crate::image::Entry;
use crate::inventory::fact::Installed;
use crate::model::{Package, PackageKind, SourcePackage};

const STATUS: &str = "var/lib/dpkg/status";
const STATUS_DIRECTORY: &str = "var/lib/dpkg/status.d/";
const INFO_DIRECTORY: &str = "var/lib/dpkg/info/";

/// What Debian's and Ubuntu's own packages state as `Origin`, where they state any.
const DEB_ORIGINS: &[&str] = &["debian", "ubuntu", "raspbian", "raspberry pi"];

/// Reads dpkg's database.
pub(super) struct Dpkg;

impl Extractor for Dpkg {
    fn name(&self) -> &'static str {
        "dpkg"
    }

    fn claims(&self) -> &'static [&'static str] {
        &[
            "packages of Debian, Ubuntu and others: `var/lib/dpkg/status`, `var/lib/dpkg/status.d/*`",
            "files of packages: `var/lib/dpkg/info/*.{list,md5sums}`, `var/lib/dpkg/status.d/*.md5sums`",
        ]
    }

    fn wants(&self, entry: &Entry<'_>) -> bool {
        let in_directory = |directory| entry.path.strip_prefix(directory).filter(|name: &&str| !name.contains('/'));
        entry.path == STATUS
            || in_directory(STATUS_DIRECTORY).is_some()
            || in_directory(INFO_DIRECTORY).is_some_and(|name| name.ends_with(".list") || name.ends_with(".md5sums"))
    }

    fn is_package_database(&self, path: &str) -> bool {
        path == STATUS || path.starts_with(STATUS_DIRECTORY) && !path.ends_with(".md5sums")
    }

    fn extract(&self, file: &mut File<'_>) -> Result<Vec<Fact>, ExtractError> {
        let name = file.path().rsplit('/').next().unwrap_or_default();
        let content = file.whole()?;
        if let Some(package) = name.strip_suffix(".list") {
            return Ok(file_list(package, content));
        }
        if let Some(package) = name.strip_suffix(".md5sums") {
            // `<32 digits><two spaces><path>`
            return Ok(owned_files(package, lines(content).filter_map(|line| line.get(34..))));
        }
        Ok(status(content, PackageKind::Deb))
    }
}

/// What a package installed, a path on each line.
pub(super) fn file_list(package: &str, content: &[u8]) -> Vec<Fact> {
    owned_files(package, lines(content))
}

fn owned_files<'a>(package: &str, paths: impl Iterator<Item = &'a [u8]>) -> Vec<Fact> {
    let (package, arch) = package.split_once(':').map_or((package, None), |(name, arch)| (name, Some(arch)));
    let mut owned = Files::new();
    let is_file = |path: &&[u8]| !matches!(*path, b"" | b"/" | b"/." | b".");
    let files = owned.hashes(paths.map(<[u8]>::trim_ascii).filter(is_file));
    let files = Fact::OwnedFiles { package: package.to_owned(), arch: arch.map(str::to_owned), files };
    [files].into_iter().chain(owned.note()).collect()
}

/// The paragraphs of a status file. Sources are those of Debian's packages; others name none or a path of their build.
pub(super) fn status(content: &[u8], kind: PackageKind) -> Vec<Fact> {
    let mut packages = Vec::new();
    let mut notes = Vec::new();
    let mut malformed = 0_usize;
    let mut paragraph = Paragraph::default();
    for line in lines(content).chain([&b""[..]]) {
        if !line.trim_ascii().is_empty() {
            paragraph.line(line);
            continue;
        }
        match std::mem::take(&mut paragraph).finish() {
            Outcome::Installed(_) if packages.len() == MOST_PACKAGES => {
                notes.push(too_many_packages());
                break;
            }
            Outcome::Installed(package) => {
                let source = package.source.clone().filter(|_| kind == PackageKind::Deb);
                packages.push(Installed { package: Package { kind, source, ..*package }, files: Vec::new() });
            }
            Outcome::Malformed => malformed += 1,
            Outcome::Absent => {}
        }
    }
    if malformed > 0 {
        notes.push(Fact::Incomplete(format!("{malformed} of its paragraphs have no package name or version")));
    }
    let mut facts = vec![Fact::Database { kind, packages }];
    facts.append(&mut notes);
    facts
}

#[derive(Default)]
struct Paragraph<'a> {
    any: bool,
    package: Option<&'a [u8]>,
    version: Option<&'a [u8]>,
    status: Option<&'a [u8]>,
    architecture: Option<&'a [u8]>,
    source: Option<&'a [u8]>,
    section: Option<&'a [u8]>,
    maintainer: Option<&'a [u8]>,
    origin: Option<&'a [u8]>,
}

enum Outcome {
    Installed(Box<Package>),
    /// Nothing, or a package that is known and not there.
    Absent,
    Malformed,
}

impl<'a> Paragraph<'a> {
    fn line(&mut self, line: &'a [u8]) {
        self.any = true;
        let Some((name, value)) = field(line) else { return };
        let place = match name.to_ascii_lowercase().as_slice() {
            b"package" => &mut self.package,
            b"version" => &mut self.version,
            b"status" => &mut self.status,
            b"architecture" => &mut self.architecture,
            b"source" => &mut self.source,
            b"section" => &mut self.section,
            b"maintainer" => &mut self.maintainer,
            b"origin" => &mut self.origin,
            _ => return,
        };
        *place = Some(value);
    }

    fn finish(self) -> Outcome {
        if !self.any || !self.is_unpacked() {
            return Outcome::Absent;
        }
        let (Some(name), Some(version)) = (self.package.and_then(stated), self.version.and_then(stated)) else {
            return Outcome::Malformed;
        };
        let source = self.source.and_then(stated);
        let source = match source.as_deref().and_then(|source| source.split_once('(')) {
            Some((source, rest)) => {
                let version = rest.split(')').next().unwrap_or(rest).trim();
                SourcePackage { name: source.trim().to_owned(), version: version.to_owned() }
            }
            None => SourcePackage { name: source.unwrap_or_else(|| name.clone()), version: version.clone() },
        };
        Outcome::Installed(Box::new(Package {
            arch: self.architecture.and_then(stated),
            source: Some(source),
            section: self.section.and_then(stated),
            vendor: self.maintainer.and_then(stated),
            third_party: self.origin.and_then(stated).is_some_and(|origin| is_other_origin(&origin)),
            ..Package::new(PackageKind::Deb, name, version)
        }))
    }

    /// Whether the package's files are there: every state but the two that say they are not. Distroless images state
    /// none.
    fn is_unpacked(&self) -> bool {
        let state = self.status.map(|status| status.rsplit(|byte| byte.is_ascii_whitespace()).next());
        !matches!(state.flatten(), Some(b"not-installed" | b"config-files"))
    }
}

/// Whether a Debian package says that it comes from elsewhere.
fn is_other_origin(origin: &str) -> bool {
    let origin = origin.to_ascii_lowercase();
    !DEB_ORIGINS.iter().any(|own| origin.contains(own))
}

#[cfg(test)]
mod tests {
    use super::super::extract_bytes;
    use super::*;
    use crate::image::overlay::path_hash;

    const STATUS_FILE: &str = "\
Package: libc6
Status: install ok installed
Section: libs
Maintainer: GNU Libc Maintainers <debian-glibc@lists.debian.org>
Architecture: amd64
Multi-Arch: same
Source: glibc
Version: 2.36-9+deb12u8
Description: GNU C Library
 Version: 9 is not a field here
 .
 more

package: bash
Status: hold ok installed
Architecture: amd64
Source: bash (5.2.15-2)
Version: 5.2.15-2+b13

Package: gone
Status: deinstall ok config-files
Version: 1

Package: never
Status: purge ok not-installed

Package: half
Status: install reinstreq half-configured
Version: 1:2.0-1

Package: other
Status: install ok installed
Origin: NodeSource
Version: 20.1.0-1

Package: own
Status: install ok installed
Origin: Ubuntu
Version: 2

Package: broken
Status: install ok installed
";

    fn packages(facts: &[Fact]) -> Vec<&Package> {
        let Some(Fact::Database { kind: PackageKind::Deb, packages }) = facts.first() else { panic!("{facts:?}") };
        packages.iter().map(|installed| &installed.package).collect()
    }

    #[test]
    fn reads_what_is_installed() {
        let facts = extract_bytes("var/lib/dpkg/status", STATUS_FILE.as_bytes()).expect("a status file");
        let found = packages(&facts);
        let rows: Vec<_> = found
            .iter()
            .map(|p| {
                let source = p.source.as_ref().expect("deb has a source");
                (p.name.as_str(), p.version.as_str(), source.name.as_str(), source.version.as_str())
            })
            .collect();
        assert_eq!(
            rows,
            [
                ("libc6", "2.36-9+deb12u8", "glibc", "2.36-9+deb12u8"),
                ("bash", "5.2.15-2+b13", "bash", "5.2.15-2"),
                ("half", "1:2.0-1", "half", "1:2.0-1"),
                ("other", "20.1.0-1", "other", "20.1.0-1"),
                ("own", "2", "own", "2"),
            ]
        );
        assert_eq!(found[0].arch.as_deref(), Some("amd64"));
        assert_eq!(found[0].section.as_deref(), Some("libs"));
        let others: Vec<&str> = found.iter().filter(|p| p.third_party).map(|p| p.name.as_str()).collect();
        assert_eq!(others, ["other"]);
        assert!(matches!(&facts[1..], [Fact::Incomplete(reason)] if reason.starts_with('1')), "{facts:?}");
    }

    #[test]
    fn reads_distroless_files() {
        let content = "Package: base\r\nVersion: 11.1\r\nArchitecture: all\r\n";
        let facts = extract_bytes("var/lib/dpkg/status.d/base", content.as_bytes()).expect("a status file");
        assert_eq!(packages(&facts)[0].version, "11.1");
        let facts = extract_bytes("var/lib/dpkg/status", b"").expect("an empty status file");
        assert!(packages(&facts).is_empty());
    }

    #[test]
    fn reads_file_lists() {
        for (path, content, arch) in [
            ("var/lib/dpkg/info/libc6:amd64.list", "/.\n/usr/lib/x\n/etc/y\n", Some("amd64")),
            (
                "var/lib/dpkg/status.d/libc6.md5sums",
                "d41d8cd98f00b204e9800998ecf8427e  usr/lib/x\nd41d8cd98f00b204e9800998ecf8427e  etc/y\nshort\n",
                None,
            ),
        ] {
            let facts = extract_bytes(path, content.as_bytes()).expect(path);
            let expected = Fact::OwnedFiles {
                package: "libc6".into(),
                arch: arch.map(str::to_owned),
                files: vec![path_hash("usr/lib/x"), path_hash("etc/y")],
            };
            assert_eq!(facts, [expected], "{path}");
        }
        assert_eq!(extract_bytes("var/lib/dpkg/info/libc6.postinst", b"x").expect("not wanted"), []);
    }
}
