//! Installed packages of R and Haskell, described by `Field: value` lines.

use super::text::{field, lines, stated};
use super::{ExtractError, Extractor, Fact, File};
use crate::image::Entry;
use crate::model::{Package, PackageKind};

/// A description is never larger; a file of that name that is belongs to something else.
const LARGEST: u64 = 1 << 20;

/// Reads R's `DESCRIPTION`. Format: "Writing R Extensions"; only an installed package has the field `Built`.
pub(super) struct R;

impl Extractor for R {
    fn name(&self) -> &'static str {
        "r"
    }

    fn claims(&self) -> &'static [&'static str] {
        &["installed R packages: `**/<name>/DESCRIPTION` with `Built`"]
    }

    fn wants(&self, entry: &Entry<'_>) -> bool {
        entry.path.ends_with("/DESCRIPTION") && entry.size <= LARGEST
    }

    fn reads_alike(&self, _: &str, _: &str, _: &[Fact]) -> bool {
        true
    }

    fn extract(&self, file: &mut File<'_>) -> Result<Vec<Fact>, ExtractError> {
        let content = file.whole()?;
        let (name, version) = (value(content, b"package"), value(content, b"version"));
        let (Some(name), Some(version), Some(_)) = (name, version, value(content, b"built")) else {
            return Ok(Vec::new());
        };
        let licenses = value(content, b"license").into_iter().collect();
        Ok(vec![Fact::Package(Package { licenses, ..Package::new(PackageKind::Cran, name, version) })])
    }
}

/// Reads GHC's package database. Format: Cabal's `InstalledPackageInfo`.
pub(super) struct Haskell;

impl Extractor for Haskell {
    fn name(&self) -> &'static str {
        "haskell"
    }

    fn claims(&self) -> &'static [&'static str] {
        &["installed Haskell packages: `**/package.conf.d/*.conf`, `**/package.db/*.conf`"]
    }

    fn wants(&self, entry: &Entry<'_>) -> bool {
        entry.path.rsplit_once('/').is_some_and(|(directory, name)| {
            name.ends_with(".conf") && (directory.ends_with("package.conf.d") || directory.ends_with("package.db"))
        })
    }

    fn reads_alike(&self, _: &str, _: &str, _: &[Fact]) -> bool {
        true
    }

    fn extract(&self, file: &mut File<'_>) -> Result<Vec<Fact>, ExtractError> {
        let content = file.whole()?;
        // A library within a package has a name of its own: `z-attoparsec-z-attoparsec-internal`.
        let name = value(content, b"package-name").or_else(|| value(content, b"name"));
        let (Some(name), Some(version)) = (name, value(content, b"version")) else {
            return Err(ExtractError::malformed("there is no `name` or no `version` in it"));
        };
        let licenses = value(content, b"license").into_iter().collect();
        Ok(vec![Fact::Package(Package { licenses, ..Package::new(PackageKind::Hackage, name, version) })])
    }
}

/// The first value of a field, on its own line or, as Cabal also writes it, alone on the next.
fn value(content: &[u8], wanted: &[u8]) -> Option<String> {
    let mut rest = lines(content);
    while let Some(line) = rest.next() {
        if let Some((name, value)) = field(line)
            && name.eq_ignore_ascii_case(wanted)
        {
            return stated(value).or_else(|| stated(rest.next().filter(|next| next.starts_with(b" "))?));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::super::extract_bytes;
    use super::*;

    fn found(path: &str, content: &str) -> Option<String> {
        let facts = extract_bytes(path, content.as_bytes()).expect("a description");
        facts.first().map(|fact| match fact {
            Fact::Package(p) => format!("{} {} {} {}", p.kind.purl_type(), p.name, p.version, p.licenses.join(" ")),
            other => panic!("{other:?}"),
        })
    }

    #[test]
    fn reads_descriptions() {
        let r = "usr/local/lib/R/site-library/jsonlite/DESCRIPTION";
        let content =
            "Package: jsonlite\nVersion: 1.8.7\nLicense: MIT + file LICENSE\nDescription: A\n    Version: 2\n";
        assert_eq!(found(r, content), None, "the source of a package");
        let built = format!("{content}Built: R 4.3.1; x86_64-pc-linux-gnu; 2023-07-01; unix\n");
        assert_eq!(found(r, &built).as_deref(), Some("cran jsonlite 1.8.7 MIT + file LICENSE"));
        let haskell = "root/.ghcup/ghc/9.2.8/lib/package.conf.d/text-1.2.5.0.conf";
        let content =
            "name:            text\nversion:         1.2.5.0\nvisibility:      public\nlicense:         BSD-2-Clause\n";
        assert_eq!(found(haskell, content).as_deref(), Some("hackage text 1.2.5.0 BSD-2-Clause"));
        let content = "name:\n    text\nversion:\n    1.2.5.0\nid:\n    x\n";
        assert_eq!(found(haskell, content).as_deref(), Some("hackage text 1.2.5.0 "));
        let content = "name: z-attoparsec-z-attoparsec-internal\nversion: 0.14.4\npackage-name: attoparsec\nlib-name: attoparsec-internal\n";
        assert_eq!(found(haskell, content).as_deref(), Some("hackage attoparsec 0.14.4 "));
        assert!(extract_bytes(haskell, b"version: 1\n").is_err());
    }
}
