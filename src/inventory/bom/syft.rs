//! Syft's own format (github.com/anchore/syft, schema/json): packages as `artifacts`, who owns whose files as
//! relationships.

use std::collections::HashMap;

use serde::Deserialize;
use serde_json::Value;

use super::{BomError, Contents, distribution, is_license};
use crate::model::{Location, Package, PackageKind, SourcePackage};

#[derive(Deserialize)]
struct Document {
    #[serde(default)]
    artifacts: Vec<Artifact>,
    #[serde(default, rename = "artifactRelationships")]
    relationships: Vec<Relationship>,
    distro: Option<Distro>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Artifact {
    id: String,
    name: String,
    purl: Option<String>,
    licenses: Vec<Value>,
    locations: Vec<Place>,
    metadata: Value,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Place {
    path: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Relationship {
    parent: String,
    child: String,
    #[serde(rename = "type")]
    kind: String,
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
    let document: Document = serde_json::from_slice(content)?;
    let mut contents = Contents::default();
    if let Some(Distro { id, version, name }) = &document.distro {
        contents.distribution = distribution(id, version.as_deref().unwrap_or_default(), name.as_deref());
    }
    let mut numbers: HashMap<&str, usize> = HashMap::new();
    for artifact in &document.artifacts {
        if let Some(package) = artifact.package(&mut contents) {
            numbers.insert(&artifact.id, contents.packages.len());
            contents.packages.push(package);
        }
    }
    for relationship in document.relationships.iter().filter(|r| r.kind == "ownership-by-file-overlap") {
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

impl Artifact {
    fn package(&self, contents: &mut Contents) -> Option<Package> {
        let package = contents.parse(self.purl.as_deref(), &self.name)?;
        let licenses = self.licenses.iter().filter_map(|license| match license {
            Value::String(text) => Some(text.as_str()),
            other => other.get("spdxExpression").or_else(|| other.get("value")).and_then(Value::as_str),
        });
        let place = |place: &Place| Location { path: place.path.trim_start_matches('/').to_owned(), layer: 0 };
        let text = |name: &str| self.metadata.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
        Some(Package {
            licenses: licenses.filter(|text| is_license(text)).map(str::to_owned).collect(),
            locations: self.locations.iter().filter(|place| !place.path.is_empty()).map(place).collect(),
            vendor: text("vendor").or_else(|| text("maintainer")).map(str::to_owned),
            module: text("modularityLabel").map(str::to_owned).or(package.module.clone()),
            arch: text("architecture").map(str::to_owned).or(package.arch.clone()),
            source: self.source(&package).or(package.source.clone()),
            ..package
        })
    }

    fn source(&self, package: &Package) -> Option<SourcePackage> {
        let text = |name: &str| self.metadata.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
        let (name, version) = match package.kind {
            PackageKind::Deb => (text("source")?, text("sourceVersion").unwrap_or(&package.version)),
            PackageKind::Apk => (text("originPackage")?, package.version.as_str()),
            _ => return None,
        };
        Some(SourcePackage { name: name.to_owned(), version: version.to_owned() })
    }
}
