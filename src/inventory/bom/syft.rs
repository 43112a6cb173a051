//! Syft's own format (github.com/anchore/syft, schema/json): packages as `artifacts`, who owns whose files as
//! relationships.

use std::collections::HashMap;

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::{BomError, Contents, MOST_PACKAGES, distribution, is_license};
use crate::inventory::bounded::{Element, List, small};
use crate::model::{Location, Package, PackageKind, SourcePackage};

#[derive(Deserialize)]
struct Document<'a> {
    #[serde(borrow, default)]
    artifacts: List<Artifact<'a>, MOST_PACKAGES>,
    #[serde(default, rename = "artifactRelationships")]
    relationships: List<Relationship, MOST_PACKAGES>,
    distro: Option<Distro>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Artifact<'a> {
    id: String,
    name: String,
    purl: Option<String>,
    #[serde(borrow)]
    licenses: Option<&'a RawValue>,
    locations: List<Place>,
    #[serde(borrow)]
    metadata: Option<&'a RawValue>,
}

impl Element for Artifact<'_> {
    fn is_of_use(&self) -> bool {
        !self.name.is_empty() || self.purl.is_some()
    }
}

/// What of an artifact's metadata is read, whose form differs from kind to kind.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Metadata<'a> {
    #[serde(borrow)]
    vendor: Option<&'a RawValue>,
    #[serde(borrow)]
    maintainer: Option<&'a RawValue>,
    #[serde(borrow)]
    modularity_label: Option<&'a RawValue>,
    #[serde(borrow)]
    architecture: Option<&'a RawValue>,
    #[serde(borrow)]
    source: Option<&'a RawValue>,
    #[serde(borrow)]
    source_version: Option<&'a RawValue>,
    #[serde(borrow)]
    origin_package: Option<&'a RawValue>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Place {
    path: String,
}

impl Element for Place {
    fn is_of_use(&self) -> bool {
        !self.path.is_empty()
    }
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Relationship {
    parent: String,
    child: String,
    #[serde(rename = "type")]
    kind: String,
}

impl Element for Relationship {
    fn is_of_use(&self) -> bool {
        self.kind == "ownership-by-file-overlap"
    }
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Distro {
    id: String,
    #[serde(rename = "versionID")]
    version: Option<String>,
    #[serde(rename = "prettyName")]
    name: Option<String>,
}

pub(super) fn read(content: &[u8]) -> Result<Contents, BomError> {
    let document: Document<'_> = serde_json::from_slice(content)?;
    let mut contents = Contents::default();
    contents.is_cut |= document.artifacts.is_cut || document.relationships.is_cut;
    if let Some(Distro { id, version, name }) = &document.distro {
        contents.distribution = distribution(id, version.as_deref().unwrap_or_default(), name.as_deref());
    }
    let mut numbers: HashMap<&str, usize> = HashMap::new();
    for artifact in &document.artifacts.kept {
        contents.is_cut |= artifact.locations.is_cut;
        if let Some(package) = artifact.package(&mut contents) {
            numbers.insert(&artifact.id, contents.packages.len());
            contents.packages.push(package);
        }
    }
    for relationship in &document.relationships.kept {
        let number = |id: &str| numbers.get(id).copied();
        let (Some(parent), Some(child)) = (number(&relationship.parent), number(&relationship.child)) else { continue };
        let owner = contents.packages.get(parent).filter(|package| package.kind.is_os());
        let Some(owner) = owner.map(|package| format!("{} {}", package.name, package.version)) else { continue };
        if let Some(package) = contents.packages.get_mut(child).filter(|package| !package.kind.is_os()) {
            package.owned_by = Some(owner);
        }
    }
    Ok(contents)
}

impl Artifact<'_> {
    fn package(&self, contents: &mut Contents) -> Option<Package> {
        let package = contents.parse(self.purl.as_deref(), &self.name)?;
        let licenses = small(self.licenses);
        let licenses = licenses.as_array().into_iter().flatten().filter_map(|license| match license {
            Value::String(text) => Some(text.as_str()),
            other => other.get("spdxExpression").or_else(|| other.get("value")).and_then(Value::as_str),
        });
        let place = |place: &Place| Location { path: place.path.trim_start_matches('/').to_owned(), layer: 0 };
        let metadata =
            self.metadata.and_then(|raw| serde_json::from_slice(raw.get().as_bytes()).ok()).unwrap_or_default();
        let Metadata { vendor, maintainer, modularity_label, architecture, .. } = metadata;
        Some(Package {
            licenses: licenses.filter(|text| is_license(text)).map(str::to_owned).collect(),
            locations: self.locations.kept.iter().map(place).collect(),
            vendor: text(vendor).or_else(|| text(maintainer)),
            module: text(modularity_label).or(package.module.clone()),
            arch: text(architecture).or(package.arch.clone()),
            source: metadata.source(&package).or(package.source.clone()),
            ..package
        })
    }
}

impl Metadata<'_> {
    fn source(&self, package: &Package) -> Option<SourcePackage> {
        let (name, version) = match package.kind {
            PackageKind::Deb => (text(self.source)?, text(self.source_version)),
            PackageKind::Apk => (text(self.origin_package)?, None),
            _ => return None,
        };
        Some(SourcePackage { name, version: version.unwrap_or_else(|| package.version.clone()) })
    }
}

/// A text that says something.
fn text(value: Option<&RawValue>) -> Option<String> {
    match small(value) {
        Value::String(text) => Some(text).filter(|text| !text.is_empty()),
        _ => None,
    }
}
