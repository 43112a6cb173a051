//! Bills of materials that lie in an image: CycloneDX as JSON and XML, SPDX as JSON and tags. They tell of packages whose own metadata is gone;
//! a package's location then is the document.
//!
//! Packages of operating systems are not taken from them: the image's own database says what is installed, and a document
//! may tell of the system that something was built on.

use super::text::{lines, text};
use super::{ExtractError, Extractor, Fact, File, MOST_PACKAGES, too_many_packages, xml};
use crate::image::Entry;
use crate::inventory::bom::{self, BomError};
use crate::inventory::purl;
use crate::model::{KnownBy, Limits, Package};

/// Endings of the documents' names.
const ENDINGS: &[&str] =
    &[".cdx.json", ".spdx.json", ".bom.json", ".sbom.json", "/bom.json", "/sbom.json", ".spdx", ".cdx.xml", "/bom.xml"];

/// Reads documents that others put into the image.
pub(super) struct Sbom;

impl Extractor for Sbom {
    fn name(&self) -> &'static str {
        "sbom"
    }

    fn claims(&self) -> &'static [&'static str] {
        &["packages of languages and of Bitnami in documents that lie in the image: CycloneDX and SPDX, \
             `**/*.{cdx,spdx,bom,sbom}.json`, `**/{bom,sbom}.json`, `**/*.spdx`, `**/*.cdx.xml`, `**/bom.xml`"]
    }

    fn wants(&self, entry: &Entry<'_>) -> bool {
        ENDINGS.iter().any(|ending| entry.path.ends_with(ending))
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
    let (packages, is_cut) = match content.first() {
        // Files named `bom.json` need be no document.
        Some(b'{') => bom::within_image(content, MOST_PACKAGES, limits).map_err(of_document)?,
        Some(b'<') => in_xml(content, limits)?,
        _ => in_tags(content),
    };
    // The place of a package that is known by a document is the document.
    let fact = |package| {
        Fact::Package(Package {
            known_by: Some(KnownBy::Sbom),
            vendor: None,
            source: None,
            locations: Vec::new(),
            ..package
        })
    };
    Ok(packages.into_iter().map(fact).chain(is_cut.then(too_many_packages)).collect())
}

/// Packages as they are read from documents that tell name and licences before the package URL, or after it.
#[derive(Default)]
struct Found {
    packages: Vec<Package>,
    is_cut: bool,
    name: String,
    licenses: Vec<String>,
}

impl Found {
    /// Begins another part of the document.
    fn begin(&mut self, name: &str) {
        name.clone_into(&mut self.name);
        self.licenses.clear();
    }

    fn license(&mut self, license: &str) {
        if bom::is_license(license) && license.len() <= LONGEST_LICENSE && self.licenses.len() < MOST_LICENSES {
            self.licenses.push(license.to_owned());
        }
    }

    /// Keeps the package of a language that a package URL names.
    fn purl(&mut self, purl: &str) {
        let found = purl::parse_named(purl, &self.name).map(|parsed| parsed.package);
        let Some(package) = found.filter(bom::is_of_language) else { return };
        match self.packages.len() < MOST_PACKAGES {
            true => self.packages.push(Package { licenses: std::mem::take(&mut self.licenses), ..package }),
            false => self.is_cut = true,
        }
    }
}

fn of_document(error: BomError) -> ExtractError {
    match error {
        BomError::TooDeep(reason) => ExtractError::LimitMet(reason),
        error => ExtractError::malformed(error),
    }
}

/// A licence's name or expression, in bytes.
const LONGEST_LICENSE: usize = 4096;
/// Licences of one package.
const MOST_LICENSES: usize = 100;

/// What components in CycloneDX's XML say; nothing in another document. The standard has the order of a component's
/// elements: its name, its licences, its package URL, the components within it.
fn in_xml(content: &[u8], limits: &Limits) -> Result<(Vec<Package>, bool), ExtractError> {
    let mut found = Found::default();
    let read = xml::texts(content, limits, |open, text| {
        // What the document is about is no part of it.
        let [bom, components, .., _, _] = open else { return };
        let is_ancestor = open.iter().any(|element| element == "pedigree");
        if bom != "bom" || components != "components" || is_ancestor {
            return;
        }
        let Some(at) = open.iter().rposition(|element| element == "component") else { return };
        let inside: Vec<&str> = open.iter().skip(at + 1).map(String::as_str).collect();
        match inside.as_slice() {
            ["name"] => found.begin(text),
            ["licenses", "expression"] | ["licenses", "license", "id" | "name"] => found.license(text),
            ["purl"] => found.purl(text),
            _ => {}
        }
    });
    read?;
    Ok((found.packages, found.is_cut))
}

/// What packages in SPDX's form of tags say: `ExternalRef: PACKAGE-MANAGER purl pkg:npm/a@1`, in whatever order.
fn in_tags(content: &[u8]) -> (Vec<Package>, bool) {
    let mut found = Found::default();
    let mut lines = lines(content).map(text);
    if !lines.by_ref().take(MOST_LINES_BEFORE).any(|line| line.starts_with("SPDXVersion:")) {
        return (found.packages, false);
    }
    let mut purls: Vec<String> = Vec::new();
    for line in lines {
        let Some((tag, value)) = line.split_once(':') else { continue };
        let value = value.trim();
        match tag {
            "PackageName" => {
                purls.drain(..).for_each(|purl| found.purl(&purl));
                found.begin(value);
            }
            "PackageLicenseDeclared" => found.license(value),
            "ExternalRef" => {
                let mut words = value.split_whitespace().skip(1);
                if words.next() == Some("purl") && purls.len() <= MOST_PACKAGES {
                    purls.extend(words.next().map(str::to_owned));
                }
            }
            _ => {}
        }
    }
    purls.drain(..).for_each(|purl| found.purl(&purl));
    (found.packages, found.is_cut)
}

/// Comments may come before the first tag.
const MOST_LINES_BEFORE: usize = 100;

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
            {"purl":"pkg:deb/debian/libc6@2.36"},{"name":"no purl"},
            {"name":"github.com/Masterminds/goutils","purl":"pkg:golang/github.com/masterminds/goutils@v1.1.0",
             "licenses":[{"license":{"id":"Apache-2.0"}}],"properties":[{"name":"plimsoll:kind","value":"npm"},
             {"name":"plimsoll:name","value":"own"},{"name":"syft:location:0:path","value":"/x"}]}]}"#;
        let expected =
            ["pypi six 1.16.0 ", "npm @babel/core 7.0.0 ", "golang github.com/Masterminds/goutils v1.1.0 Apache-2.0"];
        assert_eq!(found("app/app.cdx.json", content), expected);
        let content = r#"{"spdxVersion":"SPDX-2.3","packages":[{"name":"node","licenseDeclared":"MIT","externalRefs":[
            {"referenceCategory":"SECURITY","referenceType":"cpe23Type","referenceLocator":"cpe:x"},
            {"referenceCategory":"PACKAGE-MANAGER","referenceType":"purl","referenceLocator":"pkg:bitnami/node@18.17.1-1?arch=amd64"}]}]}"#;
        assert_eq!(found("opt/bitnami/node/.spdx-node.spdx", content), ["bitnami node 18.17.1-1 MIT"]);
        let content = "# by hand\nSPDXVersion: SPDX-2.3\nPackageName: six\nExternalRef: PACKAGE-MANAGER purl pkg:pypi/six@1.16.0\n\
                       PackageLicenseDeclared: MIT\nPackageName: github.com/Masterminds/goutils\nPackageLicenseDeclared: NOASSERTION\n\
                       ExternalRef: PACKAGE-MANAGER purl pkg:golang/github.com/masterminds/goutils@v1.1.0\n\
                       ExternalRef: SECURITY cpe23Type cpe:x\nExternalRef: PACKAGE-MANAGER purl pkg:deb/debian/a@1\n";
        assert_eq!(found("a.spdx", content), ["pypi six 1.16.0 MIT", "golang github.com/Masterminds/goutils v1.1.0 "]);
        assert!(found("a.spdx", "no document\nExternalRef: PACKAGE-MANAGER purl pkg:pypi/six@1.16.0\n").is_empty());
        let content = r#"<?xml version="1.0"?><bom xmlns="http://cyclonedx.org/schema/bom/1.5"><metadata><component>
            <purl>pkg:npm/self@1</purl></component></metadata><components><component type="library"><name>core</name>
            <licenses><license><id>MIT</id><text>MIT License</text></license></licenses>
            <purl>pkg:npm/%40babel/core@7.0.0?a=b&amp;c=d</purl><components><component>
            <name>github.com/Masterminds/goutils</name><purl>pkg:golang/github.com/masterminds/goutils@v1.1.0</purl>
            </component></components></component></components></bom>"#;
        let expected = ["npm @babel/core 7.0.0 MIT", "golang github.com/Masterminds/goutils v1.1.0 "];
        assert_eq!(found("META-INF/sbom/app.cdx.xml", content), expected);
        assert!(extract_bytes("a/bom.xml", b"<bom><components>").is_err());
        // What some tools write for nothing, and of what is a package all the same.
        let content = r#"{"bomFormat":"CycloneDX","metadata":null,"components":[{"type":"file","name":null,"licenses":null,
            "evidence":null,"components":null,"properties":[{"name":"syft:x","value":null}],"purl":"pkg:npm/a@1"}]}"#;
        assert_eq!(found("a.cdx.json", content), ["npm a 1 "]);
        let content = r#"{"spdxVersion":"SPDX-2.3","packages":[{"name":null,"annotations":null,"primaryPackagePurpose":"FILE",
            "externalRefs":[{"referenceType":"purl","referenceLocator":"pkg:npm/a@1"}]}]}"#;
        assert_eq!(found("a.spdx.json", content), ["npm a 1 "]);
        assert!(found("web/bom.json", "{\"other\":1}").is_empty());
        assert!(extract_bytes("a.cdx.json", b"{").is_err());
    }

    /// What says nothing is not kept, and what is kept is bounded, in whatever depth.
    #[test]
    fn no_more_is_kept_than_may_be() {
        let half = vec![r#"{"purl":"pkg:npm/a@1"}"#; MOST_PACKAGES / 2 + 1].join(",{},");
        let content = format!(r#"{{"bomFormat":"CycloneDX","components":[{half},{{"components":[{half}]}}]}}"#);
        let facts = extract_bytes("a.cdx.json", content.as_bytes()).expect("a document");
        assert_eq!((facts.len(), facts.last()), (MOST_PACKAGES + 1, Some(&too_many_packages())));
    }
}
