//! What an archive's manifest and file name say about an artifact that Maven left no properties of. Format: the "JAR
//! File Specification".

use super::super::text::{lines, text};
use super::{LONGEST_VALUE, file_name, license};
use crate::model::{KnownBy, Package, PackageKind};

pub(super) const PATH: &str = "META-INF/MANIFEST.MF";

/// The attributes of the main section.
#[derive(Debug, Default)]
pub(super) struct Manifest {
    attributes: Vec<(String, String)>,
}

impl Manifest {
    /// The attributes up to the first empty line; a line that begins with a space continues the one before.
    pub(super) fn of(content: &[u8]) -> Self {
        let mut attributes: Vec<(String, String)> = Vec::new();
        for line in lines(content).take_while(|line| !line.is_empty()).take(10_000) {
            if let Some(rest) = line.strip_prefix(b" ") {
                if let Some((_, value)) = attributes.last_mut() {
                    value.push_str(&String::from_utf8_lossy(rest));
                }
            } else if let Some((name, value)) = text(line).split_once(':') {
                attributes.push((name.trim().to_owned(), value.trim().to_owned()));
            }
        }
        Self { attributes }
    }

    fn says(&self, wanted: &str) -> Option<&str> {
        let named = self.attributes.iter().find(|(name, _)| name.eq_ignore_ascii_case(wanted));
        let is_said = |value: &&str| !value.is_empty() && value.len() <= LONGEST_VALUE && !value.contains("${");
        named.map(|(_, value)| value.as_str()).filter(is_said)
    }

    /// The artifact, if name and version can be told, marked by what they were told by. The group is only known where the
    /// manifest has a vendor id; without one the name is the artifact's alone.
    pub(super) fn package(&self, path: &str) -> Option<Package> {
        let (name, file_version) = file_name::parts(path);
        let artifact = name.or_else(|| self.says("Implementation-Title").filter(|title| !title.contains(' ')))?;
        let version = file_version
            .or_else(|| self.says("Implementation-Version"))
            .or_else(|| self.says("Bundle-Version"))
            .or_else(|| self.says("Specification-Version"))?;
        let group =
            self.says("Implementation-Vendor-Id").filter(|group| group.contains('.') && !group.contains([' ', ':']));
        let name = group.map_or_else(|| artifact.to_owned(), |group| format!("{group}:{artifact}"));
        // What the manifest says confirms the file's name where it does not speak itself.
        let stated = |names: &[&str]| names.iter().any(|name| self.says(name).is_some_and(|value| value == version));
        let is_confirmed = file_version.is_none()
            || group.is_some()
            || stated(&["Implementation-Version", "Bundle-Version", "Specification-Version"]);
        let known_by = Some(if is_confirmed { KnownBy::Manifest } else { KnownBy::FileName });
        Some(Package { known_by, ..Package::new(PackageKind::Maven, name, version) })
    }

    /// The names of the bundle and of the module that the archive is.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        let bundle = self.says("Bundle-SymbolicName").and_then(|name| name.split(';').next());
        bundle.into_iter().chain(self.says("Automatic-Module-Name")).map(str::trim)
    }

    pub(super) fn licenses(&self) -> Vec<String> {
        self.says("Bundle-License").map(license::of_bundle).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_come_from_manifest_and_file_name() {
        for (path, manifest, expected) in [
            ("a/log4j-core-2.14.1.jar", "", Some("log4j-core 2.14.1 file-name")),
            ("a/log4j-core-2.14.1.jar", "Created-By: x\n", Some("log4j-core 2.14.1 file-name")),
            ("a/log4j-core-2.14.1.jar", "Implementation-Version: 2.14.1\n", Some("log4j-core 2.14.1 manifest")),
            ("a/log4j-core-2.14.1.jar", "Implementation-Version: 2.14.0\n", Some("log4j-core 2.14.1 file-name")),
            ("commons-lang.jar", "Implementation-Version: 2.6\r\n", Some("commons-lang 2.6 manifest")),
            ("x-1.0.jar", "Implementation-Vendor-Id: org.ap\n ache\n\nName: y\n", Some("org.apache:x 1.0 manifest")),
            ("x-1.0.jar", "Implementation-Vendor-Id: The Vendor\n", Some("x 1.0 file-name")),
            ("x.jar", "Implementation-Version: ${version}\nBundle-Version: 3\n", Some("x 3 manifest")),
            ("rt.jar", "", None),
            ("-1.jar", "", None),
        ] {
            let found = Manifest::of(manifest.as_bytes()).package(path);
            let found = found.map(|p| format!("{} {} {}", p.name, p.version, p.known_by.map_or("", KnownBy::label)));
            assert_eq!(found.as_deref(), expected, "{path}: {manifest}");
        }
    }

    #[test]
    fn bundles_and_modules_have_names() {
        let manifest = b"Bundle-SymbolicName: org.x.y;singleton:=true\nAutomatic-Module-Name: z\nBundle-License: MIT\n";
        let manifest = Manifest::of(manifest);
        assert_eq!(manifest.names().collect::<Vec<_>>(), ["org.x.y", "z"]);
        assert_eq!(manifest.licenses(), ["MIT"]);
        assert_eq!(Manifest::default().names().count(), 0);
    }
}
