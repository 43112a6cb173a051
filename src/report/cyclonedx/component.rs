//! Packages as components.

use std::borrow::Cow;

use crate::model::{Inventory, KnownBy, Package, PackageKind};
use crate::report::text;

use super::license;
use super::schema::{Component, Evidence, Identity, LONGEST_VERSION, Method, Occurrence, Property};

/// The component of a package.
pub(super) fn of<'a>(package: &'a Package, inventory: &'a Inventory, reference: &'a str) -> Component<'a> {
    let (group, name) = group_and_name(package);
    let occurrences = package.locations.iter().map(|location| Occurrence { location: text::line(&location.path) });
    let occurrences: Vec<_> = occurrences.collect();
    Component {
        kind: "library",
        reference: reference.into(),
        publisher: package.vendor.as_deref().map(|vendor| text::short(vendor, LONGEST_NAME)),
        group: group.map(|group| text::short(group, LONGEST_NAME)),
        name: text::short(name, LONGEST_NAME),
        version: Some(text::short(&package.version, LONGEST_VERSION)),
        description: None,
        hashes: Vec::new(),
        licenses: license::choices(&package.licenses),
        // A package URL without a name makes readers refuse the whole document.
        purl: (!name.trim().is_empty()).then(|| purl(package, inventory, reference)),
        evidence: (!occurrences.is_empty() || package.known_by.is_some())
            .then(|| Evidence { identity: package.known_by.map(identity), occurrences }),
        properties: properties(package, inventory),
    }
}

/// How sure a package is that has nobody's word for it. The standard counts from 0 to 1.
fn identity(known_by: KnownBy) -> [Identity; 1] {
    let confidence = f64::from(known_by.confidence()) / 10.0;
    let technique = match known_by {
        KnownBy::Sbom => "attestation",
        KnownBy::Manifest => "manifest-analysis",
        KnownBy::VersionString | KnownBy::Commit => "binary-analysis",
        KnownBy::FileName => "filename",
    };
    [Identity { field: "purl", confidence, methods: [Method { technique, confidence }] }]
}

/// References are package URLs, but for those that are numbered.
fn purl<'a>(package: &Package, inventory: &Inventory, reference: &'a str) -> Cow<'a, str> {
    if reference.contains('#') {
        return package.purl(inventory.distribution.as_ref()).to_string().into();
    }
    reference.into()
}

/// Maven and Composer names have a group of their own; elsewhere the whole name is the name.
fn group_and_name(package: &Package) -> (Option<&str>, &str) {
    let parts = match package.kind {
        PackageKind::Maven => package.name.split_once(':'),
        PackageKind::Composer => package.name.split_once('/'),
        PackageKind::Npm if package.name.starts_with('@') => package.name.split_once('/'),
        _ => None,
    };
    match parts {
        Some((group, name)) if !group.is_empty() && !name.is_empty() => (Some(group), name),
        _ => (None, &package.name),
    }
}

fn properties<'a>(package: &'a Package, inventory: &'a Inventory) -> Vec<Property<'a>> {
    let mut all = Vec::new();
    let mut say = |name: &'static str, value: Option<&'a str>| {
        if let Some(value) = value.filter(|value| !value.is_empty()) {
            let is_own = name.starts_with("plimsoll:");
            all.push(if is_own { Property::kept(name, value) } else { Property::new(name, value) });
        }
    };
    say("aquasecurity:trivy:PkgType", Some(trivy_type(package, inventory)));
    if let Some(source) = &package.source {
        let version = SplitVersion::of(package.kind, &source.version);
        say("aquasecurity:trivy:SrcName", Some(&source.name));
        say("aquasecurity:trivy:SrcVersion", Some(version.version));
        say("aquasecurity:trivy:SrcRelease", version.release);
        say("aquasecurity:trivy:SrcEpoch", version.epoch);
    }
    let location = package.locations.first();
    let layer = location.and_then(|location| inventory.layers.get(location.layer));
    if !package.kind.is_os() {
        say("aquasecurity:trivy:FilePath", location.map(|location| location.path.as_str()));
    }
    say("aquasecurity:trivy:LayerDigest", layer.and_then(|layer| layer.digest.as_ref()).map(|digest| digest.as_str()));
    say("aquasecurity:trivy:LayerDiffID", layer.and_then(|layer| layer.diff_id.as_ref()).map(|digest| digest.as_str()));
    say("plimsoll:kind", Some(package.kind.purl_type()));
    say("plimsoll:name", Some(&package.name));
    say("plimsoll:version", Some(&package.version));
    say("plimsoll:arch", package.arch.as_deref());
    say("plimsoll:source:name", package.source.as_ref().map(|source| source.name.as_str()));
    say("plimsoll:source:version", package.source.as_ref().map(|source| source.version.as_str()));
    for license in &package.licenses {
        say("plimsoll:license", Some(license));
    }
    say("plimsoll:vendor", package.vendor.as_deref());
    say("plimsoll:module", package.module.as_deref());
    say("plimsoll:section", package.section.as_deref());
    say("plimsoll:third-party", package.third_party.then_some("true"));
    say("plimsoll:owned-by", package.owned_by.as_deref());
    say("plimsoll:origin", package.origin.as_deref());
    for namespace in &package.namespaces {
        say("plimsoll:namespace", Some(namespace));
    }
    say("plimsoll:known-by", package.known_by.map(KnownBy::label));
    let places = package.locations.iter().map(|location| format!("{}:{}", location.layer, location.path));
    all.extend(places.map(|place| Property::kept("plimsoll:location", place)));
    all
}

/// Trivy's name for the sort of package.
fn trivy_type<'a>(package: &Package, inventory: &'a Inventory) -> &'a str {
    match package.kind {
        PackageKind::Npm => "node-pkg",
        PackageKind::Pypi => "python-pkg",
        PackageKind::Maven => "jar",
        PackageKind::Golang => "gobinary",
        PackageKind::Cargo => "rustbinary",
        PackageKind::Gem => "gemspec",
        PackageKind::Composer => "composer-vendor",
        PackageKind::Nuget => "dotnet-core",
        kind if kind.is_os() => {
            inventory.distribution.as_ref().map_or("", |distribution| match distribution.id.as_str() {
                "almalinux" => "alma",
                "amzn" => "amazon",
                "ol" => "oracle",
                "rhel" => "redhat",
                id => id,
            })
        }
        _ => "",
    }
}

/// A version as Trivy stores it: deb and rpm in parts, others whole.
struct SplitVersion<'a> {
    epoch: Option<&'a str>,
    version: &'a str,
    release: Option<&'a str>,
}

impl<'a> SplitVersion<'a> {
    fn of(kind: PackageKind, text: &'a str) -> Self {
        if !matches!(kind, PackageKind::Deb | PackageKind::Rpm) {
            return Self { epoch: None, version: text, release: None };
        }
        let (epoch, rest) = text.split_once(':').map_or((None, text), |(epoch, rest)| (Some(epoch), rest));
        let (version, release) =
            rest.rsplit_once('-').map_or((rest, None), |(version, release)| (version, Some(release)));
        Self { epoch, version, release }
    }
}

const LONGEST_NAME: usize = 1000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_come_apart_as_the_package_manager_does_it() {
        for (kind, text, epoch, version, release) in [
            (PackageKind::Deb, "1:1.2.13.dfsg-1", Some("1"), "1.2.13.dfsg", Some("1")),
            (PackageKind::Deb, "3.0.11-1~deb12u2", None, "3.0.11", Some("1~deb12u2")),
            (PackageKind::Deb, "5", None, "5", None),
            (PackageKind::Rpm, "1.2-3.el9", None, "1.2", Some("3.el9")),
            (PackageKind::Apk, "3.1.4-r5", None, "3.1.4-r5", None),
        ] {
            let split = SplitVersion::of(kind, text);
            assert_eq!((split.epoch, split.version, split.release), (epoch, version, release), "{text}");
        }
    }
}
