//! A software bill of materials for each image, `gl-sbom-<image>.cdx.json` (CycloneDX 1.6), with the properties by
//! which GitLab recognises a container's SBOM and those that `trivy sbom` and GitLab's continuous scanning read.
//!
//! An image of which nothing could be read gets none: an empty bill would say that the image is empty.

mod licenses;
mod schema;
mod vulnerabilities;

use std::collections::HashSet;
use std::io;

use crate::model::{Distribution, ImageScan, Inventory, Package, Purl, ScanDocument};

use super::image_name::ImageName;
use super::renderer::{Renderer, no_such_part, write_json};
use super::{stable_id, text, wording};
use schema::{Bom, Component, Composition, Metadata, Property, Tools};

/// The format `cyclonedx`.
pub struct CycloneDx;

/// Paths that are listed for one package.
const MOST_PATHS: usize = 20;

impl Renderer for CycloneDx {
    fn format(&self) -> &'static str {
        "cyclonedx"
    }

    fn files(&self, document: &ScanDocument) -> Vec<String> {
        let mut used = HashSet::new();
        let name_of = |(image, _): (&ImageScan, &Inventory)| {
            let slug = ImageName::of(image).slug();
            let candidates = std::iter::once(slug.clone()).chain((2_usize..).map(|n| format!("{slug}-{n}")));
            let unused = candidates.into_iter().find(|name| used.insert(name.clone())).unwrap_or(slug);
            format!("gl-sbom-{unused}.cdx.json")
        };
        with_inventory(document).map(name_of).collect()
    }

    fn render(&self, document: &ScanDocument, part: usize, out: &mut dyn io::Write) -> io::Result<()> {
        let (image, inventory) = with_inventory(document).nth(part).ok_or_else(|| no_such_part(self.format(), part))?;
        write_json(&bom(document, image, inventory), out)
    }
}

fn with_inventory(document: &ScanDocument) -> impl Iterator<Item = (&ImageScan, &Inventory)> {
    document.images.iter().filter_map(|image| Some((image, image.inventory.as_ref()?)))
}

fn bom(document: &ScanDocument, image: &ImageScan, inventory: &Inventory) -> Bom {
    let name = ImageName::of(image);
    let container = container(&name, inventory);
    let refs = references(inventory);
    let mut components: Vec<Component> = inventory.distribution.iter().map(operating_system).collect();
    components
        .extend(inventory.packages.iter().zip(&refs).map(|(package, bom_ref)| library(package, bom_ref, inventory)));
    let aggregate = if inventory.gaps.is_empty() { "unknown" } else { "incomplete" };
    Bom {
        schema: "http://cyclonedx.org/schema/bom-1.6.schema.json",
        bom_format: "CycloneDX",
        spec_version: "1.6",
        serial_number: serial_number(document, &container, &refs),
        version: 1,
        compositions: vec![Composition { aggregate, assemblies: vec![container.bom_ref.clone()] }],
        metadata: Metadata {
            timestamp: document.finished.to_string(),
            tools: Tools {
                components: vec![Component {
                    kind: "application",
                    name: wording::or(text::line(&document.tool.name), "plimsoll"),
                    version: version(&document.tool.version),
                    ..Component::default()
                }],
            },
            component: container,
            properties: metadata_properties(document, &name, inventory),
        },
        components,
        vulnerabilities: vulnerabilities::of(image, &refs),
    }
}

/// The same for the same image, packages and advisory data, so that a second scan does not look like a second thing.
fn serial_number(document: &ScanDocument, container: &Component, refs: &[String]) -> String {
    let built = document.database.as_ref().map(|database| database.built.to_string()).unwrap_or_default();
    let mut parts = vec![container.bom_ref.as_str(), &document.tool.version, &built];
    parts.extend(refs.iter().map(String::as_str));
    format!("urn:uuid:{}", stable_id::uuid(&parts))
}

/// Both properties of the image, and both of the operating system or neither, are what GitLab asks for.
fn metadata_properties(document: &ScanDocument, name: &ImageName, inventory: &Inventory) -> Vec<Property> {
    let property = |name, value: &str| Property { name, value: value.to_owned() };
    let mut properties = vec![
        property("gitlab:meta:schema_version", "1"),
        property("gitlab:container_scanning:image:name", &name.name),
        property("gitlab:container_scanning:image:tag", &name.tag),
    ];
    if let Some(distribution) = &inventory.distribution {
        let (id, version) = (text::line(&distribution.id), text::line(&distribution.version));
        if !id.is_empty() && !version.is_empty() {
            properties.push(property("gitlab:container_scanning:operating_system:name", &id));
            properties.push(property("gitlab:container_scanning:operating_system:version", &version));
        }
    }
    if let Some(banner) = wording::example_banner(document) {
        properties.push(property("plimsoll:warning", banner));
    }
    properties.extend(inventory.gaps.iter().take(100).map(|gap| property("plimsoll:gap", &wording::gap(gap))));
    properties
}

fn container(name: &ImageName, inventory: &Inventory) -> Component {
    let digest = inventory.image.manifest_digest.as_ref();
    let purl = digest.map(|digest| {
        let (path, last) =
            name.name.rsplit_once('/').map_or(("", name.name.as_str()), |(_, last)| (name.name.as_str(), last));
        let qualifiers = [("repository_url", path), ("tag", name.tag.as_str())];
        Purl::new("oci", "", &last.to_ascii_lowercase(), digest.as_str(), &qualifiers).to_string()
    });
    let identity = digest.or(inventory.image.config_digest.as_ref()).map_or("", |digest| digest.as_str());
    Component {
        kind: "container",
        bom_ref: format!("image:{}@{identity}", name.with_tag()),
        name: name.name.clone(),
        version: name.tag.clone(),
        purl,
        ..Component::default()
    }
}

fn operating_system(distribution: &Distribution) -> Component {
    let (id, version) = (text::line(&distribution.id), version(&distribution.version));
    Component {
        kind: "operating-system",
        bom_ref: format!("os:{id}@{version}"),
        name: wording::or(id, "unknown"),
        version,
        ..Component::default()
    }
}

/// A reference for each package: its package URL, numbered where it occurs again.
fn references(inventory: &Inventory) -> Vec<String> {
    let mut used = HashSet::new();
    let unique = |package: &Package| {
        let purl = package.purl(inventory.distribution.as_ref()).to_string();
        let candidates = std::iter::once(purl.clone()).chain((2_usize..).map(|n| format!("{purl}|{n}")));
        candidates.into_iter().find(|name| used.insert(name.clone())).unwrap_or(purl)
    };
    inventory.packages.iter().map(unique).collect()
}

fn library(package: &Package, bom_ref: &str, inventory: &Inventory) -> Component {
    Component {
        kind: "library",
        bom_ref: bom_ref.to_owned(),
        name: wording::or(text::line(&package.name), "unknown"),
        version: version(&package.version),
        licenses: licenses::choices(&package.licenses),
        purl: Some(package.purl(inventory.distribution.as_ref()).to_string()),
        properties: library_properties(package, inventory),
    }
}

/// The schema allows versions of 1,024 characters.
fn version(text: &str) -> String {
    text::cut(text::line(text), 1024)
}

fn library_properties(package: &Package, inventory: &Inventory) -> Vec<Property> {
    let mut properties = Vec::new();
    let mut add = |name, value: &str| {
        let value = text::cut(text::line(value), 2000);
        if !value.is_empty() {
            properties.push(Property { name, value });
        }
    };
    if package.kind.is_os() {
        if let Some(source) = &package.source {
            add("aquasecurity:trivy:SrcName", &source.name);
            add("aquasecurity:trivy:SrcVersion", &source.version);
        }
        let family = inventory.distribution.as_ref().map(|distribution| match distribution.id.as_str() {
            "rhel" => "redhat",
            "amzn" => "amazon",
            "ol" => "oracle",
            id => id,
        });
        add("aquasecurity:trivy:PkgType", family.unwrap_or(package.kind.purl_type()));
    }
    add("plimsoll:kind", package.kind.purl_type());
    for location in package.locations.iter().take(MOST_PATHS) {
        add("plimsoll:path", &location.path);
    }
    let layer = package.locations.first().and_then(|location| inventory.layers.get(location.layer));
    let digest = layer.and_then(|layer| layer.digest.as_ref().or(layer.diff_id.as_ref()));
    add("plimsoll:layer", digest.map_or("", |digest| digest.as_str()));
    add("plimsoll:module", package.module.as_deref().unwrap_or_default());
    add("plimsoll:ownedBy", package.owned_by.as_deref().unwrap_or_default());
    properties
}
