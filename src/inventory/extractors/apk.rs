//! apk's database: `lib/apk/db/installed` (apk-v2 text form, which apk-tools 3 keeps).

use crate::image::Entry;
use crate::inventory::{ExtractError, Extractor, Fact, InstalledFiles};
use crate::model::{Package, PackageKind, SourcePackage};

use super::is_language_metadata;

pub(in crate::inventory) struct Apk;

const CLAIMS: &[&str] = &["lib/apk/db/installed", "usr/lib/apk/db/installed"];

impl Extractor for Apk {
    fn name(&self) -> &'static str {
        "apk"
    }

    fn claims(&self) -> &'static [&'static str] {
        CLAIMS
    }

    fn wants(&self, entry: &Entry<'_>) -> bool {
        CLAIMS.contains(&entry.path)
    }

    fn is_package_database(&self) -> bool {
        true
    }

    fn extract(&self, _path: &str, content: &[u8]) -> Result<Vec<Fact>, ExtractError> {
        let text = String::from_utf8_lossy(content);
        let mut facts = Vec::new();
        for stanza in text.split("\n\n").filter(|stanza| !stanza.trim().is_empty()) {
            let (package, files) = package(stanza)?;
            if !files.is_empty() {
                facts.push(Fact::Files(InstalledFiles { package: package.name.clone(), paths: files }));
            }
            facts.push(Fact::Package(Box::new(package)));
        }
        Ok(facts)
    }
}

/// A package and those of its files that can be a language package's metadata.
fn package(stanza: &str) -> Result<(Package, Vec<String>), ExtractError> {
    let mut package = Package::new(PackageKind::Apk, "", "");
    let mut directory = "";
    let mut files = Vec::new();
    for line in stanza.lines() {
        let Some((key, value)) = line.split_once(':') else { continue };
        match key {
            "P" => package.name = value.to_owned(),
            "V" => package.version = value.to_owned(),
            "A" => package.arch = Some(value.to_owned()),
            "L" => package.licenses = vec![value.to_owned()],
            "m" => package.vendor = Some(value.to_owned()),
            "o" => package.source = Some(SourcePackage { name: value.to_owned(), version: String::new() }),
            "F" => directory = value,
            "R" => {
                let path = format!("{directory}/{value}");
                if is_language_metadata(&path) {
                    files.push(path);
                }
            }
            _ => {}
        }
    }
    if package.name.is_empty() || package.version.is_empty() {
        return Err(ExtractError::new("a stanza without name (P:) or version (V:)"));
    }
    if let Some(source) = &mut package.source {
        source.version.clone_from(&package.version);
    }
    Ok((package, files))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_packages_origins_and_files() {
        let text = "C:Q1x\nP:libssl3\nV:3.3.2-r0\nA:x86_64\nL:Apache-2.0\no:openssl\nF:usr/lib/python3/x.dist-info\nR:METADATA\n\nP:musl\nV:1.2.5-r0\n";
        let facts = Apk.extract("lib/apk/db/installed", text.as_bytes()).expect("valid");
        let names: Vec<_> = facts
            .iter()
            .map(|fact| match fact {
                Fact::Package(package) => (package.name.clone(), package.source.as_ref().map(|s| s.name.clone())),
                Fact::Files(files) => (files.package.clone(), files.paths.first().cloned()),
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(
            names,
            [
                ("libssl3".to_owned(), Some("usr/lib/python3/x.dist-info/METADATA".to_owned())),
                ("libssl3".to_owned(), Some("openssl".to_owned())),
                ("musl".to_owned(), None),
            ]
        );
        assert!(Apk.extract("lib/apk/db/installed", b"garbage").is_err());
    }
}
