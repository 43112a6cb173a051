//! What a VEX statement calls a product: a package by its purl, or an image by its purl or name.

use super::super::glob;
use super::super::purl_pattern::PurlPattern;
use super::super::subject::Subject;
use crate::model::{ImageReference, Inventory, Package};

/// A product as a document names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Product {
    /// A package, of which version and qualifiers may be open.
    Package(PurlPattern),
    /// An image, as a purl of type `oci` or `docker`.
    Image(PurlPattern),
    /// An image by its name; without tag and digest any of them.
    Named(String),
}

impl Product {
    /// Reads an identifier; `None` if it names nothing that can be found in an image.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        if text.starts_with("pkg:") {
            let purl = PurlPattern::parse(text)?;
            let is_image = matches!(purl.kind.as_str(), "oci" | "docker");
            return Some(if is_image { Self::Image(purl) } else { Self::Package(purl) });
        }
        let is_name = text.contains('/') && !text.contains("://") && text.parse::<ImageReference>().is_ok();
        is_name.then(|| Self::Named(text.to_owned()))
    }

    /// Whether it is the image.
    pub(super) fn is_image(&self, subject: &Subject<'_>) -> bool {
        let digest = subject.inventory.image.manifest_digest.as_ref().map(crate::model::Digest::as_str);
        match self {
            Self::Package(_) => false,
            Self::Named(name) => {
                let given = name.parse::<ImageReference>().ok().zip(subject.reference());
                given.is_some_and(|(given, image)| {
                    let open = !name.rsplit('/').next().is_some_and(|last| last.contains([':', '@']));
                    given.name() == image.name()
                        && (open
                            || given.digest.as_ref().is_none_or(|wanted| Some(wanted.as_str()) == digest)
                                && given.tag.as_ref().is_none_or(|wanted| image.tag.as_ref() == Some(wanted)))
                })
            }
            Self::Image(purl) => {
                let reference = subject.reference();
                if let Some(version) = &purl.version {
                    let by_tag = || reference.as_ref().and_then(|image| image.tag.as_deref()) == Some(version);
                    let by_digest = Some(version.as_str()) == digest;
                    if !by_digest && (version.starts_with("sha256:") || !by_tag()) {
                        return false;
                    }
                    // A digest says everything.
                    if by_digest {
                        return true;
                    }
                }
                let Some(image) = reference else { return false };
                let last = image.repository.rsplit('/').next().unwrap_or_default();
                let is_named = match purl.qualifier("repository_url") {
                    Some(url) => {
                        let url = url.split_once("://").map_or(url, |(_, rest)| rest).trim_end_matches('/');
                        image.name() == url || image.name() == format!("{url}/{}", purl.path)
                    }
                    None if purl.kind == "docker" => {
                        image.name() == format!("docker.io/{}", purl.path)
                            || image.name() == format!("docker.io/library/{}", purl.path)
                    }
                    // A name without a place may be anybody's image: only a digest makes it this one.
                    None => false,
                };
                let tag = purl.qualifier("tag").is_none_or(|tag| image.tag.as_deref() == Some(tag));
                is_named && tag && glob::matches(last, purl.path.rsplit('/').next().unwrap_or_default())
            }
        }
    }

    /// Whether it is the package of the finding.
    pub(super) fn is_package(&self, subject: &Subject<'_>) -> bool {
        let Self::Package(purl) = self else { return false };
        if purl.matches(&subject.finding.package.purl) {
            return true;
        }
        // A distribution speaks of its source packages, too.
        let package = subject.inventory.packages.get(subject.finding.package.index);
        package
            .filter(|package| package.kind.is_os())
            .and_then(|package| of_source(package, subject.inventory))
            .is_some_and(|source| purl.matches(&source))
    }

    /// Whether it is a package that lies in the image in all the places where the finding's package lies, such as a
    /// program that another was built into.
    pub(super) fn holds_package(&self, subject: &Subject<'_>) -> bool {
        let Self::Package(purl) = self else { return false };
        let places = subject.locations();
        let shares =
            |package: &Package| places.iter().all(|place| package.locations.iter().any(|own| own.path == place.path));
        !places.is_empty()
            && !subject.finding.package.kind.is_os()
            && subject
                .inventory
                .packages
                .iter()
                .any(|package| shares(package) && purl.matches(&package.purl(subject.inventory.distribution.as_ref())))
    }
}

fn of_source(package: &Package, inventory: &Inventory) -> Option<crate::model::Purl> {
    let source = package.source.as_ref()?;
    let mut as_source = Package::new(package.kind, source.name.clone(), source.version.clone());
    as_source.arch = Some("source".into());
    Some(as_source.purl(inventory.distribution.as_ref()))
}
