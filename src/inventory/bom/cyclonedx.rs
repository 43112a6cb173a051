//! CycloneDX as JSON (cyclonedx.org), with the properties by which Trivy, Syft and we say more than the standard has.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::{BomError, Contents, distribution, is_license, source_package};
use crate::inventory::bounded::{Element, List, text};
use crate::model::{KnownBy, Location, Package, PackageKind, SourcePackage, escaped};

#[derive(Deserialize)]
struct Metadata {
    component: Option<Image>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Image {
    properties: List<Property>,
}

#[derive(Default)]
struct Component {
    kind: String,
    name: String,
    version: Option<String>,
    description: Option<String>,
    publisher: Option<String>,
    supplier: Option<Supplier>,
    purl: Option<String>,
    licenses: List<Choice>,
    evidence: Option<Evidence>,
    properties: List<Property>,
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

impl Element for Choice {
    fn is_of_use(&self) -> bool {
        self.expression.is_some() || self.license.is_some()
    }
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
    /// One is enough.
    occurrences: List<Occurrence, 1>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Occurrence {
    location: String,
}

impl Element for Occurrence {
    fn is_of_use(&self) -> bool {
        !self.location.is_empty()
    }
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Property {
    #[serde(deserialize_with = "text")]
    name: String,
    #[serde(deserialize_with = "text")]
    value: String,
}

impl Element for Property {
    fn is_of_use(&self) -> bool {
        const READ: [&str; 3] = ["plimsoll:", "aquasecurity:trivy:", "syft:"];
        !self.value.is_empty() && READ.iter().any(|prefix| self.name.starts_with(prefix))
    }
}

/// Puts what a document says to `contents`, part by part, of which none is kept.
pub(super) fn read(content: &[u8], mut contents: Contents) -> Result<Contents, BomError> {
    let mut input = serde_json::Deserializer::from_slice(content);
    input.deserialize_map(Document(&mut contents))?;
    input.end()?;
    Ok(contents)
}

struct Document<'c>(&'c mut Contents);

impl<'de> Visitor<'de> for Document<'_> {
    type Value = ();

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a document")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<(), A::Error> {
        while let Some(name) = fields.next_key::<Cow<'_, str>>()? {
            match name.as_ref() {
                "metadata" => {
                    let metadata: Option<Metadata> = fields.next_value()?;
                    if let Some(image) = metadata.and_then(|metadata| metadata.component) {
                        about_image(&image, self.0);
                    }
                }
                "components" => fields.next_value_seed(Parts(self.0))?,
                _ => drop(fields.next_value::<IgnoredAny>()?),
            }
        }
        Ok(())
    }
}

/// A list of parts.
struct Parts<'c>(&'c mut Contents);

impl<'de> DeserializeSeed<'de> for Parts<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, input: D) -> Result<(), D::Error> {
        input.deserialize_option(self)
    }
}

impl<'de> Visitor<'de> for Parts<'_> {
    type Value = ();

    fn visit_none<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_some<D: Deserializer<'de>>(self, input: D) -> Result<(), D::Error> {
        input.deserialize_seq(self)
    }

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a list of components")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut parts: A) -> Result<(), A::Error> {
        while parts.next_element_seed(Part(self.0))?.is_some() {}
        Ok(())
    }
}

/// A part with those within it, which come before it.
struct Part<'c>(&'c mut Contents);

impl<'de> DeserializeSeed<'de> for Part<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, input: D) -> Result<(), D::Error> {
        input.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Part<'_> {
    type Value = ();

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a component")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<(), A::Error> {
        let mut part = Component::default();
        while let Some(name) = fields.next_key::<Cow<'_, str>>()? {
            match name.as_ref() {
                "type" => part.kind = fields.next_value::<Option<String>>()?.unwrap_or_default(),
                "name" => part.name = fields.next_value::<Option<String>>()?.unwrap_or_default(),
                "version" => part.version = fields.next_value()?,
                "description" => part.description = fields.next_value()?,
                "publisher" => part.publisher = fields.next_value()?,
                "supplier" => part.supplier = fields.next_value()?,
                "purl" => part.purl = fields.next_value()?,
                "licenses" => part.licenses = fields.next_value()?,
                "evidence" => part.evidence = fields.next_value()?,
                "properties" => part.properties = fields.next_value()?,
                "components" => fields.next_value_seed(Parts(self.0))?,
                _ => drop(fields.next_value::<IgnoredAny>()?),
            }
        }
        part.add_to(self.0);
        Ok(())
    }
}

/// What our own documents say of the image.
fn about_image(image: &Image, contents: &mut Contents) {
    contents.is_cut |= image.properties.is_cut;
    for Property { name, value } in &image.properties.kept {
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
    fn add_to(&self, contents: &mut Contents) {
        contents.is_cut |= self.licenses.is_cut || self.properties.is_cut;
        match self.kind.as_str() {
            "operating-system" => about_system(self, contents),
            // In an image it may be said of what is a package all the same.
            "file" | "device" | "data" if !contents.is_within_image => {}
            // What holds packages and is none itself.
            "application" if self.purl.is_none() && self.property("aquasecurity:trivy:Class").is_some() => {}
            _ => {
                let own = if contents.is_within_image { None } else { self.own() };
                if let Some(package) = own.or_else(|| self.others(contents)) {
                    contents.keep(package);
                }
            }
        }
    }

    fn property(&self, name: &str) -> Option<&str> {
        self.all(name).next()
    }

    fn all<'a, 'n>(&'a self, name: &'n str) -> impl Iterator<Item = &'a str> + use<'a, 'n> {
        let named = self.properties.kept.iter().filter(move |property| property.name == name);
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
            namespaces: self.all("plimsoll:namespace").map(|text| escaped::unescape(text).into_owned()).collect(),
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
        let licenses = self.licenses.kept.iter().filter_map(|choice| {
            let license = choice.license.as_ref().and_then(|license| license.id.as_ref().or(license.name.as_ref()));
            choice.expression.as_ref().or(license).filter(|text| is_license(text)).cloned()
        });
        let occurrences = self.evidence.iter().flat_map(|evidence| &evidence.occurrences.kept);
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
