//! The image and its operating system as components.

use std::borrow::Cow;

use crate::model::{Distribution, ImageScan, Inventory, Purl};
use crate::report::image_name::ImageName;
use crate::report::text;

use super::schema::{Component, Hash, LONGEST_VERSION, Property};

/// The `bom-ref` of the image.
pub(super) const REFERENCE: &str = "image";

/// The `bom-ref` of its operating system.
pub(super) const OPERATING_SYSTEM_REFERENCE: &str = "operating-system";

/// The image: what the document is about.
pub(super) fn component<'a>(scan: &'a ImageScan, inventory: &'a Inventory) -> Component<'a> {
    let name = ImageName::of(scan);
    let digest = inventory.image.manifest_digest.as_ref();
    Component {
        kind: "container",
        reference: REFERENCE.into(),
        publisher: None,
        group: None,
        purl: digest.map(|digest| purl(&name, digest.as_str(), inventory).into()),
        name: name.repository.into(),
        version: Some(name.tag.into()),
        description: None,
        hashes: digest.map(|digest| Hash { alg: "SHA-256", content: digest.hex().into() }).into_iter().collect(),
        licenses: Vec::new(),
        evidence: None,
        properties: properties(scan, inventory),
    }
}

/// The operating system.
pub(super) fn operating_system(distribution: &Distribution) -> Component<'_> {
    let mut properties = vec![
        Property::new("aquasecurity:trivy:Class", "os-pkgs"),
        Property::new("aquasecurity:trivy:Type", &distribution.id),
        Property::kept("plimsoll:distribution", json(distribution)),
    ];
    properties.retain(|property| !property.is_empty());
    Component {
        kind: "operating-system",
        reference: OPERATING_SYSTEM_REFERENCE.into(),
        publisher: None,
        group: None,
        name: text::short(&distribution.id, LONGEST_VERSION),
        version: some(&distribution.version),
        description: some(&distribution.name),
        hashes: Vec::new(),
        licenses: Vec::new(),
        purl: None,
        evidence: None,
        properties,
    }
}

fn some(value: &str) -> Option<Cow<'_, str>> {
    Some(text::short(value, LONGEST_VERSION)).filter(|value| !value.is_empty())
}

/// purl-spec, type `oci`: the last part of the name, the digest as version.
fn purl(name: &ImageName, digest: &str, inventory: &Inventory) -> String {
    let last = name.repository.rsplit('/').next().unwrap_or(&name.repository);
    let architecture = inventory.image.platform.as_ref().map_or("", |platform| platform.architecture.as_str());
    let url = if name.repository.contains('/') { name.repository.as_str() } else { "" };
    let qualifiers = [("repository_url", url), ("tag", name.tag.as_str()), ("arch", architecture)];
    Purl::new("oci", "", last, digest, &qualifiers).to_string()
}

/// All that the inventory knows of the image; structured values as JSON.
fn properties<'a>(scan: &'a ImageScan, inventory: &Inventory) -> Vec<Property<'a>> {
    let mut all = vec![
        Property::kept("plimsoll:image:name", &scan.name),
        Property::kept("plimsoll:image", json(&inventory.image)),
    ];
    all.extend(
        inventory
            .layers
            .iter()
            .enumerate()
            .map(|(index, layer)| Property::kept(format!("plimsoll:layer:{index}"), json(layer))),
    );
    all.extend(inventory.base.as_ref().map(|base| Property::kept("plimsoll:base", json(base))));
    all.extend(inventory.gaps.iter().map(|gap| Property::kept("plimsoll:gap", json(gap))));
    all
}

/// Values of the model are plain data; they always have a JSON form.
fn json(value: &impl serde::Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}
