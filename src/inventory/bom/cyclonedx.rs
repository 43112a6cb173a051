//! CycloneDX as JSON (cyclonedx.org), with the properties by which Trivy, Syft and we say more than the standard has.

use std::borrow::Cow;

use serde::Deserialize;

use super::{BomError, Contents, distribution, is_license, source_package};
use crate::model::{KnownBy, Location, Package, PackageKind, SourcePackage, escaped};

#[derive(Deserialize)]
struct Document {
    metadata: Option<Metadata>,
    #[serde(default)]
    components: Vec<Component>,
}

#[derive(Deserialize)]
struct Metadata {
    component: Option<Component>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Component {
    #[serde(rename = "type")]
    kind: String,
    name: String,
    version: Option<String>,
    description: Option<String>,
    publisher: Option<String>,
    supplier: Option<Supplier>,
    purl: Option<String>,
    licenses: Vec<Choice>,
    evidence: Option<Evidence>,
    properties: Vec<Property>,
    components: Vec<Component>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Supplier {
    name: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Choice {
    expression: Option<String>,
    license: Option<License>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct License {
    id: Option<String>,
    name: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Evidence {
    occurrences: Vec<Occurrence>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Occurrence {
    location: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Property {
    name: String,
    value: String,
}

pub(super) fn read(content: &[u8]) -> Result<Contents, BomError> {
    let document: Document = serde_json::from_slice(content)?;
    let mut contents = Contents::default();
    if let Some(image) = document.metadata.and_then(|metadata| metadata.component) {
        about_image(&image, &mut contents);
    }
    // In the order of the document, what is within a part after it.
    let mut pending = document.components;
    pending.reverse();
    while let Some(mut component) = pending.pop() {
        pending.extend(std::mem::take(&mut component.components).into_iter().rev());
        match component.kind.as_str() {
            "operating-system" => about_system(&component, &mut contents),
            "file" | "device" | "data" => {}
            // What holds packages and is none itself.
            "application" if component.purl.is_none() && component.property("aquasecurity:trivy:Class").is_some() => {}
            _ => {
                let package = component.own().or_else(|| component.others(&mut contents));
                contents.packages.extend(package);
            }
        }
    }
    Ok(contents)
}

/// What our own documents say of the image.
fn about_image(component: &Component, contents: &mut Contents) {
    for Property { name, value } in &component.properties {
        if let Some(name) = name.strip_prefix("plimsoll:") {
            contents.about_image(name, &escaped::unescape(value));
        }
    }
}

fn about_system(component: &Component, contents: &mut Contents) {
    let own = component.kept("plimsoll:distribution").and_then(|text| serde_json::from_slice(text.as_bytes()).ok());
    contents.distribution = own.or_else(|| {
        let id = component.property("syft:distro:id").unwrap_or(&component.name);
        let version = component.property("syft:distro:versionID").or(component.version.as_deref());
        distribution(id, version.unwrap_or_default(), component.description.as_deref())
    });
}

impl Component {
    fn property(&self, name: &str) -> Option<&str> {
        self.all(name).next()
    }

    fn all<'a, 'n>(&'a self, name: &'n str) -> impl Iterator<Item = &'a str> + use<'a, 'n> {
        let named = self.properties.iter().filter(move |property| property.name == name);
        named.map(|property| property.value.as_str()).filter(|value| !value.is_empty())
    }

    /// A value of our own documents, as it was.
    fn kept<'a>(&'a self, name: &str) -> Option<Cow<'a, str>> {
        self.property(name).map(escaped::unescape)
    }

    /// The package as our own documents have it.
    fn own(&self) -> Option<Package> {
        let kind = self.property("plimsoll:kind")?;
        let kind = *PackageKind::ALL.iter().find(|known| known.purl_type() == kind)?;
        let owned = |name| self.kept(name).map(Cow::into_owned);
        let source = owned("plimsoll:source:name")
            .map(|name| SourcePackage { name, version: owned("plimsoll:source:version").unwrap_or_default() });
        let locations = self.all("plimsoll:location").map(escaped::unescape).filter_map(|text| {
            let (layer, path) = text.split_once(':')?;
            Some(Location { path: path.to_owned(), layer: layer.parse().ok()? })
        });
        Some(Package {
            arch: owned("plimsoll:arch"),
            source,
            licenses: self.all("plimsoll:license").map(|text| escaped::unescape(text).into_owned()).collect(),
            vendor: owned("plimsoll:vendor"),
            module: owned("plimsoll:module"),
            section: owned("plimsoll:section"),
            third_party: self.property("plimsoll:third-party") == Some("true"),
            owned_by: owned("plimsoll:owned-by"),
            origin: owned("plimsoll:origin"),
            known_by: self
                .property("plimsoll:known-by")
                .and_then(|label| KnownBy::ALL.into_iter().find(|known| known.label() == label)),
            locations: locations.collect(),
            ..Package::new(
                kind,
                owned("plimsoll:name").unwrap_or_default(),
                owned("plimsoll:version").unwrap_or_default(),
            )
        })
    }

    /// The package as others' documents have it.
    fn others(&self, contents: &mut Contents) -> Option<Package> {
        let package = contents.parse(self.purl.as_deref(), &self.name)?;
        let licenses = self.licenses.iter().filter_map(|choice| {
            let license = choice.license.as_ref().and_then(|license| license.id.as_ref().or(license.name.as_ref()));
            choice.expression.as_ref().or(license).filter(|text| is_license(text)).cloned()
        });
        let occurrences = self.evidence.iter().flat_map(|evidence| &evidence.occurrences);
        let mut places: Vec<&str> = occurrences.map(|place| place.location.as_str()).collect();
        places.extend(self.property("aquasecurity:trivy:FilePath"));
        places.extend(self.property("syft:location:0:path"));
        places.truncate(1);
        let place = |path: &&str| Location { path: path.trim_start_matches('/').to_owned(), layer: 0 };
        Some(Package {
            licenses: licenses.collect(),
            vendor: self.publisher.clone().or_else(|| self.supplier_of_system(&package)),
            module: package
                .module
                .clone()
                .or_else(|| self.property("aquasecurity:trivy:Modularitylabel").map(str::to_owned))
                .or_else(|| self.property("syft:metadata:modularityLabel").map(str::to_owned)),
            locations: places.iter().filter(|path| !path.is_empty()).map(place).collect(),
            source: self.source(&package).or_else(|| package.source.clone()),
            ..package
        })
    }

    /// Who made a package of an operating system.
    fn supplier_of_system(&self, package: &Package) -> Option<String> {
        self.supplier.as_ref().filter(|_| package.kind.is_os())?.name.clone().filter(|name| is_license(name))
    }

    /// The source package in Trivy's or Syft's words.
    fn source(&self, package: &Package) -> Option<SourcePackage> {
        let of = |prefix: &str, name: &str| self.property(&format!("{prefix}{name}")).map(str::to_owned);
        let trivy = |name| of("aquasecurity:trivy:Src", name);
        if let Some(name) = trivy("Name") {
            let epoch =
                trivy("Epoch").filter(|epoch| epoch != "0").map(|epoch| format!("{epoch}:")).unwrap_or_default();
            let release = trivy("Release").map(|release| format!("-{release}")).unwrap_or_default();
            return Some(source_package(package.kind, &name, &format!("{epoch}{}{release}", trivy("Version")?)));
        }
        // Of other ecosystems, Syft's `source` is where a package was downloaded from.
        if !matches!(package.kind, PackageKind::Deb | PackageKind::Apk) {
            return None;
        }
        // It leaves out a version that is the package's own.
        let syft = |name| of("syft:metadata:", name);
        let name = syft("source").or_else(|| syft("originPackage"))?;
        Some(SourcePackage { name, version: syft("sourceVersion").unwrap_or_else(|| package.version.clone()) })
    }
}
