//! What differs between distributions: under which name and version a package is looked up, and how its versions
//! compare with those of advisories.

use crate::model::{Distribution, Package, PackageKind};

/// The name and version that advisories speak of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Subject<'a> {
    pub(super) name: &'a str,
    pub(super) version: &'a str,
}

/// Debian, Ubuntu, Alpine, Wolfi and their kin publish advisories per **source** package and source version; Red Hat,
/// AlmaLinux, Rocky, Oracle and Amazon per **binary** package. Language packages are their own subject.
pub(super) fn subject<'a>(package: &'a Package, _distribution: Option<&Distribution>) -> Subject<'a> {
    let binary = Subject { name: &package.name, version: &package.version };
    match (package.kind, &package.source) {
        (PackageKind::Deb, Some(source)) => Subject { name: &source.name, version: &source.version },
        // apk states the origin's name only; its packages share the origin's version.
        (PackageKind::Apk, Some(source)) => Subject { name: &source.name, version: &package.version },
        _ => binary,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::SourcePackage;

    #[test]
    fn looks_up_by_source_or_binary_name() {
        let package = |kind| Package {
            source: Some(SourcePackage { name: "src".into(), version: "2".into() }),
            ..Package::new(kind, "bin", "1")
        };
        for (kind, name, version) in [
            (PackageKind::Deb, "src", "2"),
            (PackageKind::Apk, "src", "1"),
            (PackageKind::Rpm, "bin", "1"),
            (PackageKind::Npm, "bin", "1"),
        ] {
            assert_eq!(subject(&package(kind), None), Subject { name, version }, "{kind:?}");
        }
    }
}
