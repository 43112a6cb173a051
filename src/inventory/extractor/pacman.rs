//! Arch Linux's package database: a folder `var/lib/pacman/local/<name>-<version>-<release>` for each package with `desc`
//! (what it is) and `files` (what it installed). Format: libalpm's local database, `%FIELD%` and its values by line.

use super::files::Files;
use super::text::{lines, stated};
use super::{ExtractError, Extractor, Fact, File};
use crate::image::Entry;
use crate::inventory::fact::Installed;
use crate::model::{Package, PackageKind, SourcePackage};

const DIRECTORY: &str = "var/lib/pacman/local/";

/// Reads pacman's database.
pub(super) struct Pacman;

impl Extractor for Pacman {
    fn name(&self) -> &'static str {
        "pacman"
    }

    fn claims(&self) -> &'static [&'static str] {
        &["packages of Arch Linux and their files: `var/lib/pacman/local/*/{desc,files}`"]
    }

    fn wants(&self, entry: &Entry<'_>) -> bool {
        folder_and_file(entry.path).is_some_and(|(_, file)| matches!(file, "desc" | "files"))
    }

    fn is_package_database(&self, path: &str) -> bool {
        path.ends_with("/desc")
    }

    fn extract(&self, file: &mut File<'_>) -> Result<Vec<Fact>, ExtractError> {
        let Some((folder, name)) = folder_and_file(file.path()) else { return Ok(Vec::new()) };
        let content = file.whole()?;
        if name == "files" {
            return Ok(owned_files(folder, content));
        }
        let values = |wanted| values(content, wanted);
        let one = |wanted| values(wanted).find_map(stated);
        let (Some(name), Some(version)) = (one(b"%NAME%"), one(b"%VERSION%")) else {
            return Err(ExtractError::malformed("there is no `%NAME%` or no `%VERSION%` in it"));
        };
        let package = Package {
            arch: one(b"%ARCH%"),
            source: one(b"%BASE%").map(|name| SourcePackage { name, version: version.clone() }),
            licenses: values(b"%LICENSE%").filter_map(stated).collect(),
            vendor: one(b"%PACKAGER%"),
            ..Package::new(PackageKind::Alpm, name, version)
        };
        Ok(vec![Fact::Database { kind: PackageKind::Alpm, packages: vec![Installed { package, files: Vec::new() }] }])
    }
}

/// `bash-5.2.026-2` and `desc` of a path in the database.
fn folder_and_file(path: &str) -> Option<(&str, &str)> {
    path.strip_prefix(DIRECTORY)?.split_once('/').filter(|(_, file)| !file.contains('/'))
}

/// The lines below a field's name, up to the next empty one.
fn values<'a>(content: &'a [u8], field: &'static [u8]) -> impl Iterator<Item = &'a [u8]> {
    lines(content).skip_while(move |line| line.trim_ascii() != field).skip(1).take_while(|line| !line.is_empty())
}

fn owned_files(folder: &str, content: &[u8]) -> Vec<Fact> {
    let Some(package) = folder.rsplitn(3, '-').nth(2) else { return Vec::new() };
    let paths = values(content, b"%FILES%").filter(|path| !path.ends_with(b"/"));
    let mut owned = Files::new();
    let files = Fact::OwnedFiles {
        package: package.to_owned(),
        arch: None,
        files: owned.hashes(paths.map(<[u8]>::trim_ascii)),
    };
    [files].into_iter().chain(owned.note()).collect()
}

#[cfg(test)]
mod tests {
    use super::super::extract_bytes;
    use super::*;
    use crate::image::overlay::path_hash;

    #[test]
    fn reads_packages_and_their_files() {
        let content = "%NAME%\nlib32-gcc-libs\n\n%VERSION%\n14.1.1-1\n\n%BASE%\ngcc\n\n%LICENSE%\nGPL-3.0\nLGPL\n\n%ARCH%\nx86_64\n";
        let path = "var/lib/pacman/local/lib32-gcc-libs-14.1.1-1/desc";
        let facts = extract_bytes(path, content.as_bytes()).expect("a package");
        let [Fact::Database { kind: PackageKind::Alpm, packages }] = facts.as_slice() else { panic!("{facts:?}") };
        let package = &packages[0].package;
        assert_eq!((package.name.as_str(), package.version.as_str()), ("lib32-gcc-libs", "14.1.1-1"));
        assert_eq!(package.source.as_ref().expect("a source").name, "gcc");
        assert_eq!(package.licenses, ["GPL-3.0", "LGPL"]);
        let files = b"%FILES%\nusr/\nusr/lib32/libgcc_s.so\n\n%BACKUP%\netc/x\tabc\n";
        let facts = extract_bytes("var/lib/pacman/local/lib32-gcc-libs-14.1.1-1/files", files).expect("files");
        let expected = Fact::OwnedFiles {
            package: "lib32-gcc-libs".into(),
            arch: None,
            files: vec![path_hash("usr/lib32/libgcc_s.so")],
        };
        assert_eq!(facts, [expected]);
        assert!(extract_bytes(path, b"%NAME%\n\n%VERSION%\n1\n").is_err());
        assert_eq!(extract_bytes("var/lib/pacman/local/ALPM_DB_VERSION", b"9").expect("not wanted"), []);
    }
}
