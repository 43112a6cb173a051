//! Gentoo's package database: a folder `var/db/pkg/<category>/<name>-<version>` for each package; `CONTENTS` in it lists
//! what it installed. Format: the Package Manager Specification, "Package names" and "Version specifications".

use super::files::Files;
use super::text::lines;
use super::{ExtractError, Extractor, Fact, File};
use crate::image::Entry;
use crate::inventory::fact::Installed;
use crate::model::{Package, PackageKind};

const DIRECTORY: &str = "var/db/pkg/";

/// Reads portage's database.
pub(super) struct Portage;

impl Extractor for Portage {
    fn name(&self) -> &'static str {
        "portage"
    }

    fn claims(&self) -> &'static [&'static str] {
        &["packages of Gentoo and their files: `var/db/pkg/*/*/CONTENTS`"]
    }

    fn wants(&self, entry: &Entry<'_>) -> bool {
        package(entry.path).is_some()
    }

    fn is_package_database(&self, _: &str) -> bool {
        true
    }

    fn extract(&self, file: &mut File<'_>) -> Result<Vec<Fact>, ExtractError> {
        let Some((category, name, version)) = package(file.path()) else { return Ok(Vec::new()) };
        let package = Package::new(PackageKind::Portage, format!("{category}/{name}"), version);
        let mut owned = Files::new();
        let files = owned.hashes(lines(file.whole()?).filter_map(installed));
        let database = Fact::Database { kind: PackageKind::Portage, packages: vec![Installed { package, files }] };
        Ok([database].into_iter().chain(owned.note()).collect())
    }
}

/// Category, name and version of a `CONTENTS`' path.
fn package(path: &str) -> Option<(&str, &str, &str)> {
    let (category, folder) = path.strip_prefix(DIRECTORY)?.strip_suffix("/CONTENTS")?.split_once('/')?;
    // A name's own parts between hyphens never look like a version, so the version begins at the last one that does.
    let at = folder.rmatch_indices('-').map(|(at, _)| at).find(|&at| {
        let rest = folder.get(at + 1..).unwrap_or_default();
        rest.starts_with(|c: char| c.is_ascii_digit())
    })?;
    let (name, version) = folder.split_at_checked(at)?;
    (!name.is_empty() && !folder.contains('/')).then_some((category, name, version.get(1..)?))
}

/// `obj <path> <digest> <time>`: the file that a line names, which may hold spaces.
fn installed(line: &[u8]) -> Option<&[u8]> {
    let path = line.strip_prefix(b"obj /")?;
    let last = memchr::memrchr(b' ', path)?;
    let before = memchr::memrchr(b' ', path.get(..last)?)?;
    path.get(..before)
}

#[cfg(test)]
mod tests {
    use super::super::extract_bytes;
    use super::*;
    use crate::image::overlay::path_hash;

    #[test]
    fn names_come_from_folders() {
        for (folder, expected) in [
            ("dev-libs/openssl-3.0.9-r1", Some(("dev-libs", "openssl", "3.0.9-r1"))),
            ("app-shells/bash-5.1_p16-r2", Some(("app-shells", "bash", "5.1_p16-r2"))),
            ("x11-libs/gtk+-3.24.35", Some(("x11-libs", "gtk+", "3.24.35"))),
            ("media-fonts/font-7x13-1.0", Some(("media-fonts", "font-7x13", "1.0"))),
            ("dev-libs/-MERGING", None),
            ("a/b/c-1", None),
        ] {
            assert_eq!(package(&format!("var/db/pkg/{folder}/CONTENTS")), expected, "{folder}");
        }
    }

    #[test]
    fn reads_what_is_installed() {
        let content =
            "dir /usr\nobj /usr/share/a file d41d8cd98f00b204e9800998ecf8427e 1690000000\nsym /usr/x -> y 1\n";
        let facts = extract_bytes("var/db/pkg/sys-apps/sed-4.9/CONTENTS", content.as_bytes()).expect("a package");
        let [Fact::Database { packages, .. }] = facts.as_slice() else { panic!("{facts:?}") };
        assert_eq!((packages[0].package.name.as_str(), packages[0].package.version.as_str()), ("sys-apps/sed", "4.9"));
        assert_eq!(packages[0].files, [path_hash("usr/share/a file")]);
    }
}
