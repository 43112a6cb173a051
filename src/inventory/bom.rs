//! From a bill of materials to an [`Inventory`]: CycloneDX 1.2 to 1.7, SPDX 2.2 and 2.3, and Syft's own format, as JSON.
//!
//! What our own documents say beyond their standards is read back whole, so that matching them finds what matching the
//! image finds. Of others' documents a package is what its package URL says, with the source package where the tool names
//! one. What cannot be read as a package is counted and told.

mod cyclonedx;
mod spdx;
mod syft;

use serde::Deserialize;

use super::bounded;
use super::merge::third_party::Judge;
use super::purl::{self, Parsed};
use crate::model::{
    Base, Distribution, Gap, GapKind, ImageIdentity, Inventory, Layer, Limits, Location, Package, PackageKind,
    SourcePackage,
};

/// Packages that one document may name.
const MOST_PACKAGES: usize = 500_000;
/// What rpm lists for each imported key; it is no package.
const KEY_PACKAGE: &str = "gpg-pubkey";

/// A document that no inventory can be made of.
#[derive(Debug, thiserror::Error)]
pub enum BomError {
    /// It is not JSON, or not of the form that it claims.
    #[error("the document is malformed: {0}")]
    Malformed(#[from] serde_json::Error),
    /// Its values lie within one another deeper than the limits allow.
    #[error("{0}")]
    TooDeep(String),
    /// It is JSON of another kind.
    #[error("it is neither CycloneDX, SPDX nor Syft's format, as JSON")]
    Unknown,
    /// A version of the format that is not read.
    #[error("{format} {version} is not read; {known} are")]
    Version {
        /// The format.
        format: &'static str,
        /// Its version in the document.
        version: String,
        /// Those that are read.
        known: &'static str,
    },
}

/// What tells the formats apart.
#[derive(Deserialize)]
struct Head {
    #[serde(rename = "bomFormat")]
    cyclone_dx: Option<String>,
    #[serde(rename = "specVersion")]
    cyclone_dx_version: Option<String>,
    #[serde(rename = "spdxVersion")]
    spdx: Option<String>,
    artifacts: Option<serde::de::IgnoredAny>,
}

/// Reads a document. `path` is where packages are said to be that the document gives no place.
///
/// # Errors
/// It is not a document that is known.
pub fn read(content: &[u8], path: &str, limits: &Limits) -> Result<Inventory, BomError> {
    let content = content.strip_prefix(b"\xef\xbb\xbf").unwrap_or(content);
    limits.check_depth(content).map_err(BomError::TooDeep)?;
    let head: Head = serde_json::from_slice(content)?;
    let contents = match head {
        Head { cyclone_dx: Some(format), cyclone_dx_version, .. } if format == "CycloneDX" => {
            let version = cyclone_dx_version.unwrap_or_default();
            if !matches!(version.as_str(), "1.2" | "1.3" | "1.4" | "1.5" | "1.6" | "1.7") {
                return Err(BomError::Version { format: "CycloneDX", version, known: "1.2 to 1.7" });
            }
            cyclonedx::read(content, Contents::default())?
        }
        Head { spdx: Some(version), .. } => {
            if !matches!(version.as_str(), "SPDX-2.2" | "SPDX-2.3") {
                return Err(BomError::Version { format: "SPDX", version, known: "2.2 and 2.3" });
            }
            spdx::read(content, Contents::default())?
        }
        Head { artifacts: Some(_), .. } => syft::read(content)?,
        _ => return Err(BomError::Unknown),
    };
    Ok(contents.into_inventory(path))
}

/// The packages of languages in a document that lies in an image, `most` of them at most, and whether there are more; none
/// where it is no document. Its version is not asked for: what is like the known ones is read like them.
///
/// # Errors
/// It is malformed.
pub(super) fn within_image(content: &[u8], most: usize, limits: &Limits) -> Result<(Vec<Package>, bool), BomError> {
    limits.check_depth(content).map_err(BomError::TooDeep)?;
    let head: Head = serde_json::from_slice(content)?;
    let contents = Contents { most, is_within_image: true, ..Contents::default() };
    let contents = match head {
        Head { cyclone_dx: Some(format), .. } if format == "CycloneDX" => cyclonedx::read(content, contents)?,
        Head { spdx: Some(_), .. } => spdx::read(content, contents)?,
        _ => return Ok((Vec::new(), false)),
    };
    Ok((contents.packages, contents.is_cut))
}

/// Whether a document that lies in an image is believed about a package. What an operating system or a program is, the
/// image says itself; a document may tell of the system that something was built on.
pub(super) fn is_of_language(package: &Package) -> bool {
    !package.kind.is_os() && package.kind != PackageKind::Generic
}

/// What a document holds, in whatever format.
#[derive(Debug)]
struct Contents {
    /// Packages that are kept.
    most: usize,
    /// Only what others' documents may say is believed, and only of packages of languages.
    is_within_image: bool,
    /// There was more than is kept.
    is_cut: bool,
    image: ImageIdentity,
    distribution: Option<Distribution>,
    layers: Vec<Layer>,
    packages: Vec<Package>,
    gaps: Vec<Gap>,
    base: Option<Base>,
    /// The first `distro` that a package URL names, with its namespace.
    distro: Option<(String, String)>,
    /// Parts that are no packages of a known kind.
    left_out: usize,
    /// There are packages of which only others speak.
    is_foreign: bool,
}

impl Default for Contents {
    fn default() -> Self {
        Self {
            most: MOST_PACKAGES,
            is_within_image: false,
            is_cut: false,
            image: ImageIdentity::default(),
            distribution: None,
            layers: Vec::new(),
            packages: Vec::new(),
            gaps: Vec::new(),
            base: None,
            distro: None,
            left_out: 0,
            is_foreign: false,
        }
    }
}

impl Contents {
    /// Keeps a package if there is room.
    fn keep(&mut self, package: Package) {
        if self.is_within_image && !is_of_language(&package) {
            return;
        }
        match self.packages.len() < self.most {
            true => self.packages.push(package),
            false => self.is_cut = true,
        }
    }

    /// What our own documents say of the image, as JSON under a name.
    fn about_image(&mut self, name: &str, value: &str) {
        let value = value.as_bytes();
        match name {
            "image" => self.image = serde_json::from_slice(value).unwrap_or_default(),
            "base" => self.base = serde_json::from_slice(value).ok(),
            "gap" => {
                // What matching said is said again by the next one.
                let is_of_matching = |gap: &Gap| {
                    matches!(
                        gap.kind,
                        GapKind::NoAdvisories | GapKind::NotComparable | GapKind::StaleAdvisories | GapKind::EndOfLife
                    )
                };
                self.gaps.extend(serde_json::from_slice(value).ok().filter(|gap| !is_of_matching(gap)));
            }
            name if name.starts_with("layer:") => self.layers.extend(serde_json::from_slice::<Layer>(value)),
            _ => {}
        }
    }

    /// What a package URL says; of parts that have none nothing is known. `name` is what the document calls the part.
    fn parse(&mut self, purl: Option<&str>, name: &str) -> Option<Package> {
        let parsed = purl.and_then(|purl| purl::parse_named(purl, name));
        let Some(Parsed { package, namespace, distro }) = parsed else {
            self.left_out += 1;
            return None;
        };
        if package.kind == PackageKind::Rpm && package.name == KEY_PACKAGE {
            return None;
        }
        self.is_foreign = true;
        if package.kind.is_os() && self.distro.is_none() {
            self.distro = distro.map(|distro| (namespace, distro));
        }
        Some(package)
    }

    fn into_inventory(mut self, path: &str) -> Inventory {
        if self.distribution.is_none() {
            self.distribution = self.distro.as_ref().and_then(|(namespace, distro)| of_qualifier(namespace, distro));
        }
        // CentOS Stream has the ID of CentOS Linux, and many documents name no more.
        if let Some(distribution) = self.distribution.as_mut().filter(|distribution| distribution.id == "centos")
            && self
                .packages
                .iter()
                .any(|package| ["centos-stream-release", "centos-stream-repos"].contains(&package.name.as_str()))
        {
            distribution.name = format!("CentOS Stream {}", distribution.version);
        }
        if self.is_cut {
            let reason = format!(
                "it names more than {MOST_PACKAGES} packages, or of one part more than {} facts of a kind; the others are \
                 left out",
                bounded::MOST
            );
            self.gaps.push(Gap::new(GapKind::LimitMet, path, reason));
        }
        if self.left_out > 0 {
            let reason = format!(
                "{} of its parts have no package URL with a version, or one of a kind that is not known; nothing is said \
                 about them",
                self.left_out
            );
            self.gaps.push(Gap::new(GapKind::UnreadableFile, path, reason));
        }
        if self.is_foreign {
            let judge = Judge::of(self.distribution.as_ref(), self.packages.iter());
            let others: Vec<bool> = self.packages.iter().map(|package| judge.is_third_party(package)).collect();
            for (package, is_third_party) in self.packages.iter_mut().zip(others) {
                package.third_party |= is_third_party;
            }
        }
        let has_os = self.packages.iter().any(|package| package.kind.is_os());
        // A scan of the image has said so already, and its document says it again.
        let is_told = self.gaps.iter().any(|gap| gap.kind == GapKind::UnknownDistribution);
        if has_os && self.distribution.is_none() && !is_told {
            let reason = "the document has operating system packages, but does not say of which distribution";
            self.gaps.push(Gap::new(GapKind::UnknownDistribution, "operating system", reason));
        }
        for package in &mut self.packages {
            if package.locations.is_empty() {
                package.locations.push(Location { path: path.to_owned(), layer: 0 });
            }
        }
        self.packages.sort_by(|a, b| key(a).cmp(&key(b)));
        let Self { image, distribution, layers, packages, gaps, base, .. } = self;
        Inventory { image, distribution, layers, packages, gaps, base }
    }
}

fn key(package: &Package) -> (PackageKind, &str, &str) {
    (package.kind, &package.name, &package.version)
}

/// A source package as others write it. Of rpm's the epoch is left out: no database states that of a source, so that it is
/// the binary's.
fn source_package(kind: PackageKind, name: &str, version: &str) -> SourcePackage {
    let version = match version.split_once(':') {
        Some((_, rest)) if kind == PackageKind::Rpm => rest,
        _ => version,
    };
    SourcePackage { name: name.to_owned(), version: version.to_owned() }
}

/// A distribution by the names that documents use; `None` where they say nothing.
fn distribution(id: &str, version: &str, name: Option<&str>) -> Option<Distribution> {
    let id = purl::distribution_id(id.trim()).into_owned();
    let name = name.filter(|name| !name.is_empty()).map_or_else(|| format!("{id} {version}"), str::to_owned);
    // Trivy's word for one that it does not know is `none`.
    (!id.is_empty() && id != "none").then(|| Distribution {
        id,
        version: version.to_owned(),
        name,
        codename: None,
        id_like: Vec::new(),
        repository_release: None,
        content_sets: Vec::new(),
    })
}

/// Of a package URL's qualifier: `debian-12.4`, `opensuse-leap-15.5`, `wolfi`. Some tools leave out the name.
fn of_qualifier(namespace: &str, distro: &str) -> Option<Distribution> {
    let is_version = |text: &str| text.starts_with(|c: char| c.is_ascii_digit());
    match distro.rsplit_once('-') {
        Some((id, version)) if is_version(version) => distribution(id, version, None),
        _ if is_version(distro) => distribution(namespace, distro, None),
        _ => distribution(distro, "", None),
    }
}

/// Texts that stand for no licence.
pub(super) fn is_license(text: &str) -> bool {
    !matches!(text, "" | "NOASSERTION" | "NONE")
}

#[cfg(test)]
mod tests;
