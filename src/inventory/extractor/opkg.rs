//! OpenWrt's package database, `opkg/status`, and the lists of the files that packages installed. Format: opkg's, which
//! is dpkg's with other paths. (Releases since 2025 use `apk`.)

use super::{ExtractError, Extractor, Fact, File, dpkg};
use crate::image::Entry;
use crate::model::PackageKind;

const STATUS: &[&str] = &["usr/lib/opkg/status", "var/lib/opkg/status"];
const INFO_DIRECTORIES: &[&str] = &["usr/lib/opkg/info/", "var/lib/opkg/info/"];

/// Reads opkg's database.
pub(super) struct Opkg;

impl Extractor for Opkg {
    fn name(&self) -> &'static str {
        "opkg"
    }

    fn claims(&self) -> &'static [&'static str] {
        &[
            "packages of OpenWrt and Yocto and their files: `{usr,var}/lib/opkg/status`, `{usr,var}/lib/opkg/info/*.list`",
        ]
    }

    fn wants(&self, entry: &Entry<'_>) -> bool {
        STATUS.contains(&entry.path) || listed(entry.path).is_some()
    }

    fn is_package_database(&self, path: &str) -> bool {
        STATUS.contains(&path)
    }

    fn extract(&self, file: &mut File<'_>) -> Result<Vec<Fact>, ExtractError> {
        let package = listed(file.path());
        let content = file.whole()?;
        Ok(match package {
            Some(package) => dpkg::file_list(package, content),
            None => dpkg::status(content, PackageKind::Opkg),
        })
    }
}

/// The package whose files a path lists.
fn listed(path: &str) -> Option<&str> {
    let name = INFO_DIRECTORIES.iter().find_map(|directory| path.strip_prefix(directory))?;
    name.strip_suffix(".list").filter(|package| !package.contains('/'))
}

#[cfg(test)]
mod tests {
    use super::super::extract_bytes;
    use super::*;

    #[test]
    fn reads_packages_without_debians_sources() {
        let content = "Package: busybox\nVersion: 1.36.1-1\nStatus: install user installed\nArchitecture: x86_64\n\n\
                       Package: gone\nVersion: 1\nStatus: deinstall ok not-installed\n";
        let facts = extract_bytes("usr/lib/opkg/status", content.as_bytes()).expect("a status file");
        let [Fact::Database { kind: PackageKind::Opkg, packages }] = facts.as_slice() else { panic!("{facts:?}") };
        assert_eq!(packages.len(), 1);
        let package = &packages[0].package;
        assert_eq!((package.kind, package.name.as_str(), &package.source), (PackageKind::Opkg, "busybox", &None));
        let facts = extract_bytes("usr/lib/opkg/info/busybox.list", b"/bin/busybox\n").expect("a list");
        assert!(matches!(&facts[..], [Fact::OwnedFiles { package, .. }] if package == "busybox"), "{facts:?}");
    }
}
