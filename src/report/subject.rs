//! What a finding is about: its package in the inventory, where that lies and what put it there.

use crate::model::{Finding, ImageScan, Layer, Location, Package};

/// The package of a finding, as far as the inventory knows it. The index in a finding may come from a file that
/// somebody else wrote, so nothing here is certain.
#[derive(Clone, Copy)]
pub(super) struct Subject<'a> {
    pub(super) package: Option<&'a Package>,
    /// The first place where it was found.
    pub(super) location: Option<&'a Location>,
    /// The layer that introduced it, with its index.
    pub(super) layer: Option<(usize, &'a Layer)>,
}

impl<'a> Subject<'a> {
    pub(super) fn of(image: &'a ImageScan, finding: &Finding) -> Self {
        let inventory = image.inventory.as_ref();
        let package = inventory
            .and_then(|inventory| inventory.packages.get(finding.package.index))
            .filter(|package| package.name == finding.package.name && package.kind == finding.package.kind);
        let location = package.and_then(|package| package.locations.first());
        let layer = location.zip(inventory).and_then(|(location, inventory)| {
            inventory.layers.get(location.layer).map(|layer| (location.layer, layer))
        });
        Self { package, location, layer }
    }

    /// The path inside the image.
    pub(super) fn path(&self) -> Option<&'a str> {
        self.location.map(|location| location.path.as_str()).filter(|path| !path.is_empty())
    }

    /// The name of the package that gets fixed: the source package where one is known.
    pub(super) fn source_name(&self, finding: &'a Finding) -> &'a str {
        let source = self.package.and_then(|package| package.source.as_ref());
        source.map(|source| source.name.as_str()).filter(|name| !name.is_empty()).unwrap_or(&finding.package.name)
    }
}

/// The instruction of a layer as people know it, without what builders put around it.
pub(super) fn instruction(layer: &Layer) -> Option<&str> {
    let text = layer.created_by.as_deref()?.trim();
    let text = text.strip_prefix("/bin/sh -c #(nop)").map_or(text, str::trim_start);
    let text = text.strip_suffix("# buildkit").map_or(text, str::trim_end);
    Some(text).filter(|text| !text.is_empty())
}
