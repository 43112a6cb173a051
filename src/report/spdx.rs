//! `sbom-<image>.spdx.json`: one SPDX 2.3 document per image whose contents are known (spdx.github.io/spdx-spec/v2.3).
//!
//! For people whom somebody asks for SPDX; the CycloneDX document says more. Annotations hold the packages as the inventory
//! has them, so that scanning the document finds what scanning the image finds.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::io;

use serde::{Serialize, Serializer};

use crate::model::{Digest, Distribution, ImageScan, Inventory, Package, ScanDocument, escaped};

use super::Renderer;
use super::image_name::{ImageName, file_names};
use super::renderer::{no_such_part, write_named_json};
use super::wording;
use super::{license, text};

/// The software bill of materials for readers of SPDX.
pub(super) struct Spdx;

impl Renderer for Spdx {
    fn format(&self) -> &'static str {
        "spdx"
    }

    fn files(&self, document: &ScanDocument) -> Vec<String> {
        file_names(read_images(document).map(|(image, _)| image), "sbom-", ".spdx.json")
    }

    fn render(&self, document: &ScanDocument, part: usize, out: &mut dyn io::Write) -> io::Result<()> {
        let (image, inventory) = read_images(document).nth(part).ok_or_else(|| no_such_part(self.format(), part))?;
        write(document, image, inventory, out)
    }
}

/// The images that get a document.
fn read_images(document: &ScanDocument) -> impl Iterator<Item = (&ImageScan, &Inventory)> {
    document.images.iter().filter_map(|image| Some((image, image.inventory.as_ref()?)))
}

/// The namespace, which names the document, is written behind all of it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Document<'a> {
    spdx_version: &'static str,
    data_license: &'static str,
    #[serde(rename = "SPDXID")]
    id: &'static str,
    name: Cow<'a, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    comment: Option<String>,
    creation_info: CreationInfo<'a>,
    packages: Elements<'a>,
    relationships: Relationships<'a>,
}

#[derive(Serialize)]
struct CreationInfo<'a> {
    created: &'a str,
    creators: [&'a str; 1],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Element<'a> {
    #[serde(rename = "SPDXID")]
    id: Cow<'a, str>,
    name: Cow<'a, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    version_info: Option<Cow<'a, str>>,
    download_location: &'static str,
    files_analyzed: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    supplier: Option<Cow<'a, str>>,
    license_concluded: &'static str,
    license_declared: Cow<'a, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    license_comments: Option<Cow<'a, str>>,
    copyright_text: &'static str,
    primary_package_purpose: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    source_info: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    checksums: Vec<Checksum<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    external_refs: Vec<ExternalRef>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    annotations: Vec<Annotation<'a>>,
}

/// What a package URL does not say, for our own reading of the document.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Annotation<'a> {
    annotation_date: &'a str,
    annotation_type: &'static str,
    annotator: &'a str,
    comment: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Checksum<'a> {
    algorithm: &'static str,
    checksum_value: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ExternalRef {
    reference_category: &'static str,
    reference_type: &'static str,
    reference_locator: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Relationship<'a> {
    spdx_element_id: &'static str,
    related_spdx_element: Cow<'a, str>,
    relationship_type: &'static str,
}

const DOCUMENT: &str = "SPDXRef-DOCUMENT";
const IMAGE: &str = "SPDXRef-image";
const OPERATING_SYSTEM: &str = "SPDXRef-operating-system";
const NO_ASSERTION: &str = "NOASSERTION";

const LONGEST: usize = 1000;

fn write(document: &ScanDocument, scan: &ImageScan, inventory: &Inventory, out: &mut dyn io::Write) -> io::Result<()> {
    let name = &ImageName::of(scan);
    // The format demands a time; a scan that has none is as old as time.
    let created = &text::date_time(document.finished).unwrap_or_else(|| "1970-01-01T00:00:00Z".to_owned());
    let tool = &format!("Tool: {}-{}", document.tool.name, document.tool.version);
    let spdx = Document {
        spdx_version: "SPDX-2.3",
        data_license: "CC0-1.0",
        id: DOCUMENT,
        name: text::short(name.to_string(), LONGEST),
        comment: Some(wording::banners(document).join("; ")).filter(|comment| !comment.is_empty()),
        creation_info: CreationInfo { created, creators: [tool] },
        packages: Elements { name, inventory, created, tool },
        relationships: Relationships { inventory },
    };
    write_named_json(&spdx, "documentNamespace", |id| format!("https://plimsoll.invalid/spdx/{}", id.uuid()), out)
}

/// The image, its operating system and all packages; each is made when it is written.
struct Elements<'a> {
    name: &'a ImageName,
    inventory: &'a Inventory,
    created: &'a str,
    tool: &'a str,
}

impl Elements<'_> {
    fn annotation(&self, name: &str, value: &impl Serialize) -> Annotation<'_> {
        Annotation {
            annotation_date: self.created,
            annotation_type: "OTHER",
            annotator: self.tool,
            comment: format!("plimsoll:{name}={}", json(value)),
        }
    }
}

impl Elements<'_> {
    /// What the inventory knows of the image beside its packages.
    fn about_image(&self) -> Vec<Annotation<'_>> {
        let Inventory { image, layers, gaps, base, .. } = self.inventory;
        let layers = layers.iter().enumerate().map(|(index, layer)| self.annotation(&format!("layer:{index}"), layer));
        let base = base.iter().map(|base| self.annotation("base", base));
        let gaps = gaps.iter().map(|gap| self.annotation("gap", gap));
        std::iter::once(self.annotation("image", image)).chain(layers).chain(base).chain(gaps).collect()
    }
}

impl Serialize for Elements<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let distribution = self.inventory.distribution.as_ref();
        let operating_system = distribution.map(|distribution| Element {
            annotations: vec![self.annotation("distribution", distribution)],
            ..operating_system(distribution)
        });
        let packages = self.inventory.packages.iter().enumerate().map(|(number, package)| Element {
            annotations: vec![self.annotation("package", package)],
            ..element(number, package, distribution)
        });
        let image = Element { annotations: self.about_image(), ..image(self.name, self.inventory) };
        serializer.collect_seq(std::iter::once(image).chain(operating_system).chain(packages))
    }
}

/// The document is about the image, which contains all else.
struct Relationships<'a> {
    inventory: &'a Inventory,
}

impl Serialize for Relationships<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let relationship =
            |from, kind, to| Relationship { spdx_element_id: from, related_spdx_element: to, relationship_type: kind };
        let operating_system = self.inventory.distribution.as_ref().map(|_| OPERATING_SYSTEM.into());
        let parts = operating_system.into_iter().chain((0..self.inventory.packages.len()).map(package_id));
        let contained = parts.map(|part| relationship(IMAGE, "CONTAINS", part));
        serializer.collect_seq(std::iter::once(relationship(DOCUMENT, "DESCRIBES", IMAGE.into())).chain(contained))
    }
}

/// A value as JSON in which nothing steers what shows it. Values of the model are plain data; they always have a JSON form.
fn json(value: &impl Serialize) -> String {
    let text = serde_json::to_string(value).unwrap_or_default();
    if text.is_ascii() && !text.contains('\x7f') {
        return text;
    }
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        // All of them are of the plane that four digits name.
        if escaped::steers(c) {
            out.push_str(&format!("\\u{:04x}", u32::from(c)));
        } else {
            out.push(c);
        }
    }
    out
}

fn package_id<'a>(number: usize) -> Cow<'a, str> {
    format!("SPDXRef-package-{number}").into()
}

fn blank<'a>(id: Cow<'a, str>, name: &'a str, purpose: &'static str) -> Element<'a> {
    Element {
        id,
        name: text::short(name, LONGEST),
        version_info: None,
        download_location: NO_ASSERTION,
        files_analyzed: false,
        supplier: None,
        license_concluded: NO_ASSERTION,
        license_declared: NO_ASSERTION.into(),
        license_comments: None,
        copyright_text: NO_ASSERTION,
        primary_package_purpose: purpose,
        source_info: None,
        checksums: Vec::new(),
        external_refs: Vec::new(),
        annotations: Vec::new(),
    }
}

fn image<'a>(name: &'a ImageName, inventory: &'a Inventory) -> Element<'a> {
    let digest = inventory.image.manifest_digest.as_ref();
    let checksum = |digest: &'a Digest| Checksum { algorithm: "SHA256", checksum_value: digest.hex() };
    Element {
        version_info: Some(name.tag.as_str().into()),
        checksums: digest.map(checksum).into_iter().collect(),
        ..blank(IMAGE.into(), &name.repository, "CONTAINER")
    }
}

fn operating_system(distribution: &Distribution) -> Element<'_> {
    let name = if distribution.id.is_empty() { &distribution.name } else { &distribution.id };
    Element {
        version_info: some(&distribution.version),
        source_info: some(&distribution.name),
        ..blank(OPERATING_SYSTEM.into(), name, "OPERATING-SYSTEM")
    }
}

fn element<'a>(number: usize, package: &'a Package, distribution: Option<&Distribution>) -> Element<'a> {
    let declared = license::expression(&package.licenses);
    let stated = package.licenses.join("; ");
    let paths: BTreeSet<&str> = package.locations.iter().map(|location| location.path.as_str()).collect();
    let paths: Vec<&str> = paths.into_iter().collect();
    // Readers refuse the whole document for a package URL without a name.
    let purl = (!package.name.is_empty()).then(|| package.purl(distribution).to_string());
    Element {
        version_info: some(&package.version),
        supplier: package
            .vendor
            .as_deref()
            // Brackets would be read as an address.
            .map(|vendor| text::line(vendor).replace(['(', ')'], " "))
            .filter(|vendor| !vendor.trim().is_empty())
            .map(|vendor| format!("Organization: {}", text::short(vendor, LONGEST)).into()),
        license_comments: if declared.is_none() { some(stated) } else { None },
        license_declared: declared.map_or(Cow::Borrowed(NO_ASSERTION), Cow::Owned),
        source_info: some(paths.join("; ")).map(|paths| format!("found in {paths}").into()),
        external_refs: purl.map(purl_reference).into_iter().collect(),
        ..blank(package_id(number), &package.name, "LIBRARY")
    }
}

fn purl_reference(purl: String) -> ExternalRef {
    ExternalRef { reference_category: "PACKAGE-MANAGER", reference_type: "purl", reference_locator: purl }
}

fn some<'a>(value: impl Into<Cow<'a, str>>) -> Option<Cow<'a, str>> {
    Some(text::short(value, LONGEST)).filter(|value| !value.is_empty())
}
