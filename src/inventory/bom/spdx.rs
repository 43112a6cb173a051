//! SPDX 2.3 as JSON (spdx.github.io/spdx-spec/v2.3). Our own documents carry what a package URL does not say in
//! annotations, Trivy's and Syft's in `sourceInfo`: the source package, or the file that the package was found in.

use serde::Deserialize;

use super::{BomError, Contents, MOST_PACKAGES, distribution, is_license, source_package};
use crate::inventory::bounded::{self, List, text};
use crate::model::{Distribution, Location, Package};

/// How an annotation of our own begins; its name and a value as JSON follow.
const OWN: &str = "plimsoll:";
const PACKAGE: &str = "plimsoll:package=";
const DISTRIBUTION: &str = "plimsoll:distribution=";
/// How Trivy's and Syft's `sourceInfo` begins.
const TRIVY_SOURCE: &str = "built package from: ";
const TRIVY_FILE: &str = "package found in: ";
const SYFT_FILE: &str = "acquired package info from ";
/// Trivy's annotation of a file or system that holds packages and is none itself.
const TRIVY_CLASS: &str = "Class: ";

#[derive(Deserialize)]
struct Document {
    #[serde(default)]
    packages: List<Element, MOST_PACKAGES>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Element {
    #[serde(deserialize_with = "text")]
    name: String,
    version_info: Option<String>,
    primary_package_purpose: Option<String>,
    license_declared: Option<String>,
    supplier: Option<String>,
    source_info: Option<String>,
    external_refs: List<Reference>,
    annotations: List<Annotation>,
}

impl bounded::Element for Element {
    fn is_of_use(&self) -> bool {
        !self.name.is_empty() || !self.external_refs.kept.is_empty() || !self.annotations.kept.is_empty()
    }
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Reference {
    #[serde(deserialize_with = "text")]
    reference_type: String,
    #[serde(deserialize_with = "text")]
    reference_locator: String,
}

impl bounded::Element for Reference {
    fn is_of_use(&self) -> bool {
        self.reference_type == "purl"
    }
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Annotation {
    #[serde(deserialize_with = "text")]
    comment: String,
}

impl bounded::Element for Annotation {
    fn is_of_use(&self) -> bool {
        [OWN, TRIVY_CLASS].iter().any(|prefix| self.comment.starts_with(prefix))
    }
}

impl Element {
    fn annotated(&self, prefix: &str) -> Option<&str> {
        self.annotations.kept.iter().find_map(|annotation| annotation.comment.strip_prefix(prefix))
    }
}

/// Puts what a document says to `contents`.
pub(super) fn read(content: &[u8], mut contents: Contents) -> Result<Contents, BomError> {
    let document: Document = serde_json::from_slice(content)?;
    contents.is_cut |= document.packages.is_cut;
    for element in &document.packages.kept {
        contents.is_cut |= element.annotations.is_cut;
        match element.primary_package_purpose.as_deref() {
            Some("OPERATING-SYSTEM" | "OPERATING_SYSTEM") => {
                let own = element
                    .annotated(DISTRIBUTION)
                    .and_then(|text| serde_json::from_slice::<Distribution>(text.as_bytes()).ok());
                let version = element.version_info.as_deref().unwrap_or_default();
                contents.distribution =
                    own.or_else(|| distribution(&element.name, version, element.source_info.as_deref()));
            }
            // The image itself.
            Some("CONTAINER") => {
                let said =
                    element.annotations.kept.iter().filter_map(|said| said.comment.strip_prefix(OWN)?.split_once('='));
                said.for_each(|(name, value)| contents.about_image(name, value));
            }
            // In an image it may be said of what is a package all the same.
            Some("FILE" | "SOURCE") if !contents.is_within_image => {}
            Some("APPLICATION") if element.annotated(TRIVY_CLASS).is_some() => {}
            _ => {
                let own =
                    element.annotated(PACKAGE).and_then(|text| serde_json::from_slice::<Package>(text.as_bytes()).ok());
                let own = own.filter(|_| !contents.is_within_image);
                if let Some(package) = own.or_else(|| others(element, &mut contents)) {
                    contents.keep(package);
                }
            }
        }
    }
    Ok(contents)
}

fn others(element: &Element, contents: &mut Contents) -> Option<Package> {
    let purl = element.external_refs.kept.first().map(|reference| reference.reference_locator.as_str());
    let package = contents.parse(purl, &element.name)?;
    let license = element.license_declared.iter().filter(|text| is_license(text)).cloned();
    let vendor = element.supplier.as_deref().and_then(|supplier| {
        let (_, name) = supplier.split_once(": ").filter(|(kind, _)| matches!(*kind, "Organization" | "Person"))?;
        package.kind.is_os().then(|| name.to_owned())
    });
    let said = |prefix| element.source_info.as_deref().and_then(|text| text.strip_prefix(prefix));
    let source = said(TRIVY_SOURCE).and_then(|text| {
        let (name, version) = text.trim().rsplit_once(' ')?;
        Some(source_package(package.kind, name, version))
    });
    // Syft says what kind of file it was, and may name several.
    let of_syft = said(SYFT_FILE).and_then(|text| text.split_once(": /")?.1.split(", ").next());
    let place = said(TRIVY_FILE).or(of_syft).map(|path| path.trim().trim_start_matches('/'));
    let location = place.filter(|path| !path.is_empty()).map(|path| Location { path: path.to_owned(), layer: 0 });
    Some(Package {
        licenses: license.collect(),
        vendor,
        source: source.or_else(|| package.source.clone()),
        locations: location.into_iter().collect(),
        ..package
    })
}
