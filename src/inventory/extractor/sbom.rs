//! Bills of materials that lie in an image: CycloneDX as JSON and XML, SPDX as JSON and tags. They tell of packages whose own metadata is gone;
//! a package's location then is the document.
//!
//! Packages of operating systems are not taken from them: the image's own database says what is installed, and a document
//! may tell of the system that something was built on.

use serde::Deserialize;

use super::json::json;
use super::text::{lines, text};
use super::{ExtractError, Extractor, Fact, File, MOST_PACKAGES, too_many_packages, xml};
use crate::image::Entry;
use crate::inventory::purl;
use crate::model::{KnownBy, Limits, Package, PackageKind};

/// Endings of the documents' names.
const ENDINGS: &[&str] =
    &[".cdx.json", ".spdx.json", ".bom.json", ".sbom.json", "/bom.json", "/sbom.json", ".spdx", ".cdx.xml", "/bom.xml"];

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
        &["packages of languages and of Bitnami in documents that lie in the image: CycloneDX and SPDX, \
             `**/*.{cdx,spdx,bom,sbom}.json`, `**/{bom,sbom}.json`, `**/*.spdx`, `**/*.cdx.xml`, `**/bom.xml`"]
    }

    fn wants(&self, entry: &Entry<'_>) -> bool {
        is_document(entry.path)
    }

    fn extract(&self, file: &mut File<'_>) -> Result<Vec<Fact>, ExtractError> {
        let limits = file.limits();
        facts(file.whole()?, limits)
    }
}

/// Whether a path has the name of a document.
pub(super) fn is_document(path: &str) -> bool {
    ENDINGS.iter().any(|ending| path.ends_with(ending))
}

/// What a document says.
///
/// # Errors
/// It is of none of the forms.
pub(super) fn facts(content: &[u8], limits: &Limits) -> Result<Vec<Fact>, ExtractError> {
    let content = content.trim_ascii_start();
    let content = content.strip_prefix(b"\xef\xbb\xbf").unwrap_or(content);
    let purls = match content.first() {
        Some(b'{') => None,
        Some(b'<') => Some(in_xml(content, limits)?),
        _ => Some(in_tags(content)),
    };
    // Files named `bom.json` need be no document.
    if let Some(purls) = purls {
        let is_too_long = purls.len() > MOST_PACKAGES;
        let facts = purls.iter().filter_map(|purl| package(purl)).take(MOST_PACKAGES).map(Fact::Package);
        return Ok(facts.chain(is_too_long.then(too_many_packages)).collect());
    }
    let document: Document = json(content, limits)?;
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

/// The package URLs of components in CycloneDX's XML; none in another document.
fn in_xml(content: &[u8], limits: &Limits) -> Result<Vec<String>, ExtractError> {
    let mut purls = Vec::new();
    let read = xml::texts(content, limits, |open, text| {
        let is_of_component = matches!(open, [bom, .., component, purl]
            if bom == "bom" && component == "component" && purl == "purl");
        // What the document is about is no part of it.
        if is_of_component && open.get(1).is_some_and(|part| part == "components") && purls.len() <= MOST_PACKAGES {
            purls.push(text.to_owned());
        }
    });
    read.map_err(ExtractError::malformed)?;
    Ok(purls)
}

/// The package URLs in SPDX's form of tags: `ExternalRef: PACKAGE-MANAGER purl pkg:npm/a@1`.
fn in_tags(content: &[u8]) -> Vec<String> {
    let mut lines = lines(content).map(text);
    if !lines.by_ref().take(MOST_LINES_BEFORE).any(|line| line.starts_with("SPDXVersion:")) {
        return Vec::new();
    }
    let references = lines.filter_map(|line| {
        let mut words = line.strip_prefix("ExternalRef:")?.split_whitespace().skip(1);
        (words.next()? == "purl").then(|| words.next().map(str::to_owned))?
    });
    references.take(MOST_PACKAGES + 1).collect()
}

/// Comments may come before the first tag.
const MOST_LINES_BEFORE: usize = 100;

/// The package of a language that a package URL names.
fn package(purl: &str) -> Option<Package> {
    let package = purl::parse(purl)?.package;
    let is_of_language = !package.kind.is_os() && package.kind != PackageKind::Generic;
    is_of_language.then_some(Package { known_by: Some(KnownBy::Sbom), ..package })
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
        let content = "# by hand\nSPDXVersion: SPDX-2.3\nPackageName: six\nExternalRef: PACKAGE-MANAGER purl pkg:pypi/six@1.16.0\n\
                       ExternalRef: SECURITY cpe23Type cpe:x\nExternalRef: PACKAGE-MANAGER purl pkg:deb/debian/a@1\n";
        assert_eq!(found("a.spdx", content), ["pypi six 1.16.0 "]);
        assert!(found("a.spdx", "no document\nExternalRef: PACKAGE-MANAGER purl pkg:pypi/six@1.16.0\n").is_empty());
        let content = r#"<?xml version="1.0"?><bom xmlns="http://cyclonedx.org/schema/bom/1.5"><metadata><component>
            <purl>pkg:npm/self@1</purl></component></metadata><components><component type="library"><name>core</name>
            <purl>pkg:npm/%40babel/core@7.0.0?a=b&amp;c=d</purl></component></components></bom>"#;
        assert_eq!(found("META-INF/sbom/app.cdx.xml", content), ["npm @babel/core 7.0.0 "]);
        assert!(extract_bytes("a/bom.xml", b"<bom><components>").is_err());
        assert!(found("web/bom.json", "{\"other\":1}").is_empty());
        assert!(extract_bytes("a.cdx.json", b"{").is_err());
    }
}
