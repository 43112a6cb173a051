//! SPDX 2.3 as JSON (spdx.github.io/spdx-spec/v2.3). Our own documents carry what a package URL does not say in
//! annotations.

use serde::Deserialize;

use super::{BomError, Contents, distribution, is_license};
use crate::model::{Distribution, Package};

/// How an annotation of our own begins; a value as JSON follows.
const PACKAGE: &str = "plimsoll:package=";
const DISTRIBUTION: &str = "plimsoll:distribution=";

#[derive(Deserialize)]
struct Document {
    #[serde(default)]
    packages: Vec<Element>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Element {
    name: String,
    version_info: Option<String>,
    primary_package_purpose: Option<String>,
    license_declared: Option<String>,
    source_info: Option<String>,
    external_refs: Vec<Reference>,
    annotations: Vec<Annotation>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Reference {
    reference_type: String,
    reference_locator: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Annotation {
    comment: String,
}

impl Element {
    fn annotated(&self, prefix: &str) -> Option<&str> {
        self.annotations.iter().find_map(|annotation| annotation.comment.strip_prefix(prefix))
    }
}

pub(super) fn read(content: &[u8]) -> Result<Contents, BomError> {
    let document: Document = serde_json::from_slice(content)?;
    let mut contents = Contents::default();
    for element in &document.packages {
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
            Some("CONTAINER" | "FILE" | "SOURCE") => {}
            _ => {
                let own =
                    element.annotated(PACKAGE).and_then(|text| serde_json::from_slice::<Package>(text.as_bytes()).ok());
                let package = own.or_else(|| others(element, &mut contents));
                contents.packages.extend(package);
            }
        }
    }
    Ok(contents)
}

fn others(element: &Element, contents: &mut Contents) -> Option<Package> {
    let purls = element.external_refs.iter().filter(|reference| reference.reference_type == "purl");
    let package = contents.parse(purls.map(|reference| reference.reference_locator.as_str()).next())?;
    let license = element.license_declared.iter().filter(|text| is_license(text)).cloned();
    Some(Package { licenses: license.collect(), ..package })
}
