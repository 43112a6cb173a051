//! Bills of materials that lie in an image: CycloneDX and SPDX as JSON. They tell of packages whose own metadata is gone;
//! a package's location then is the document.
//!
//! Packages of operating systems are not taken from them: the image's own database says what is installed, and a document
//! may tell of the system that something was built on.

use serde::Deserialize;

use super::{ExtractError, Extractor, Fact, File, MOST_PACKAGES, too_many_packages};
use crate::image::Entry;
use crate::model::{Package, PackageKind};

/// Endings of the documents' names.
const ENDINGS: &[&str] = &[".cdx.json", ".spdx.json", ".bom.json", ".sbom.json", "/bom.json", "/sbom.json", ".spdx"];

/// Reads documents that others put into the image.
pub(super) struct Sbom;

#[derive(Deserialize)]
struct Document {
    #[serde(rename = "bomFormat")]
    cyclone_dx: Option<String>,
    #[serde(default)]
    components: Vec<Component>,
    #[serde(rename = "spdxVersion")]
    spdx: Option<String>,
    #[serde(default)]
    packages: Vec<SpdxPackage>,
}

#[derive(Deserialize)]
struct Component {
    purl: Option<String>,
    #[serde(default)]
    components: Vec<Component>,
}

#[derive(Deserialize)]
struct SpdxPackage {
    #[serde(rename = "licenseDeclared")]
    license: Option<String>,
    #[serde(rename = "externalRefs", default)]
    references: Vec<Reference>,
}

#[derive(Deserialize)]
struct Reference {
    #[serde(rename = "referenceType", default)]
    kind: String,
    #[serde(rename = "referenceLocator", default)]
    locator: String,
}

impl Extractor for Sbom {
    fn name(&self) -> &'static str {
        "sbom"
    }

    fn claims(&self) -> &'static [&'static str] {
        &["packages of languages and of Bitnami in documents that lie in the image: CycloneDX and SPDX as JSON, \
             `**/*.{cdx,spdx,bom,sbom}.json`, `**/{bom,sbom}.json`, `**/*.spdx`"]
    }

    fn wants(&self, entry: &Entry<'_>) -> bool {
        ENDINGS.iter().any(|ending| entry.path.ends_with(ending))
    }

    fn extract(&self, file: &mut File<'_>) -> Result<Vec<Fact>, ExtractError> {
        let content = file.whole()?.trim_ascii_start();
        let content = content.strip_prefix(b"\xef\xbb\xbf").unwrap_or(content);
        // SPDX has a form of its own besides JSON, and files named `bom.json` need be no document.
        if content.first() != Some(&b'{') {
            return Ok(Vec::new());
        }
        let document: Document = serde_json::from_slice(content).map_err(ExtractError::malformed)?;
        let mut found = Vec::new();
        if document.cyclone_dx.as_deref() == Some("CycloneDX") {
            let mut pending = document.components;
            while let Some(component) = pending.pop() {
                found.extend(component.purl.as_deref().and_then(package));
                pending.extend(component.components);
            }
        } else if document.spdx.is_some() {
            found.extend(document.packages.into_iter().filter_map(|described| {
                let purl = described.references.iter().find(|reference| reference.kind == "purl")?;
                let license = described.license.filter(|license| !matches!(license.as_str(), "NOASSERTION" | "NONE"));
                Some(Package { licenses: license.into_iter().collect(), ..package(&purl.locator)? })
            }));
        }
        let is_too_long = found.len() > MOST_PACKAGES;
        let facts = found.into_iter().take(MOST_PACKAGES).map(Fact::Package);
        Ok(facts.chain(is_too_long.then(too_many_packages)).collect())
    }
}

/// The package of a language that a package URL names. Format: purl-spec.
fn package(purl: &str) -> Option<Package> {
    let rest = purl.strip_prefix("pkg:")?.split(['?', '#']).next()?;
    let (kind, rest) = rest.split_once('/')?;
    let kind = *PackageKind::ALL.iter().find(|known| known.purl_type().eq_ignore_ascii_case(kind))?;
    if kind.is_os() || kind == PackageKind::Generic {
        return None;
    }
    let (path, version) = rest.rsplit_once('@')?;
    let (path, version) = (decoded(path.trim_matches('/'))?, decoded(version)?);
    let name = match (kind, path.rsplit_once('/')) {
        (PackageKind::Maven, Some((group, artifact))) => format!("{group}:{artifact}"),
        (PackageKind::Npm | PackageKind::Golang | PackageKind::Composer | PackageKind::Swift, _) | (_, None) => path,
        (_, Some((_, name))) => name.to_owned(),
    };
    (!name.is_empty() && !version.is_empty()).then(|| Package::new(kind, name, version))
}

fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let digit = |byte: Option<u8>| char::from(byte?).to_digit(16);
        bytes.push(u8::try_from(digit(rest.next())? << 4 | digit(rest.next())?).ok()?);
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::super::extract_bytes;
    use super::*;

    fn found(path: &str, content: &str) -> Vec<String> {
        let row = |fact: &Fact| match fact {
            Fact::Package(p) => format!("{} {} {} {}", p.kind.purl_type(), p.name, p.version, p.licenses.join(" ")),
            other => panic!("{other:?}"),
        };
        extract_bytes(path, content.as_bytes()).expect("a document").iter().map(row).collect()
    }

    #[test]
    fn reads_both_formats() {
        let content = r#"{"bomFormat":"CycloneDX","specVersion":"1.5","components":[
            {"name":"core","purl":"pkg:npm/%40babel/core@7.0.0","components":[{"purl":"pkg:pypi/six@1.16.0"}]},
            {"purl":"pkg:deb/debian/libc6@2.36"},{"name":"no purl"}]}"#;
        assert_eq!(found("app/app.cdx.json", content), ["npm @babel/core 7.0.0 ", "pypi six 1.16.0 "]);
        let content = r#"{"spdxVersion":"SPDX-2.3","packages":[{"name":"node","licenseDeclared":"MIT","externalRefs":[
            {"referenceCategory":"SECURITY","referenceType":"cpe23Type","referenceLocator":"cpe:x"},
            {"referenceCategory":"PACKAGE-MANAGER","referenceType":"purl","referenceLocator":"pkg:bitnami/node@18.17.1-1?arch=amd64"}]}]}"#;
        assert_eq!(found("opt/bitnami/node/.spdx-node.spdx", content), ["bitnami node 18.17.1-1 MIT"]);
        assert!(found("a.spdx", "SPDXVersion: SPDX-2.3\n").is_empty());
        assert!(found("web/bom.json", "{\"other\":1}").is_empty());
        assert!(extract_bytes("a.cdx.json", b"{").is_err());
    }

    #[test]
    fn package_urls() {
        for (purl, expected) in [
            (
                "pkg:maven/org.apache.logging.log4j/log4j-core@2.14.1?type=jar",
                Some("org.apache.logging.log4j:log4j-core 2.14.1"),
            ),
            ("pkg:golang/golang.org/x/net@v0.1.0#html", Some("golang.org/x/net v0.1.0")),
            ("pkg:npm/a@1%2Bb", Some("a 1+b")),
            ("pkg:npm/a@1%2", None),
            ("pkg:npm/a", None),
            ("pkg:rpm/redhat/bash@5", None),
            ("pkg:other/a@1", None),
            ("a@1", None),
        ] {
            let found = package(purl).map(|p| format!("{} {}", p.name, p.version));
            assert_eq!(found.as_deref(), expected, "{purl}");
        }
    }
}
