//! Where in the project a finding comes from: the line of the Dockerfile that made its layer, or the `FROM` line for what
//! the base image brings.

use crate::model::{Dockerfile, ImageScan, ScanDocument};

use super::subject::Subject;

/// The lines behind the layers of one image.
pub(super) struct Origins<'a> {
    dockerfile: Option<&'a Dockerfile>,
    /// For each layer its line; `None` where the image does not come from this file.
    lines: Option<Vec<Option<u32>>>,
    base: Option<u32>,
    /// For each layer whether the base image brings it; `None` where nobody knows.
    base_layers: Option<Vec<bool>>,
    is_only_image: bool,
}

impl<'a> Origins<'a> {
    pub(super) fn of(document: &'a ScanDocument, image: &ImageScan) -> Self {
        let dockerfile = document.project.dockerfile.as_ref().filter(|file| is_plain(&file.path));
        let layers = image.inventory.as_ref().map_or(&[][..], |inventory| &inventory.layers);
        Self {
            dockerfile,
            lines: dockerfile.and_then(|dockerfile| dockerfile.lines(layers)),
            base: dockerfile.and_then(Dockerfile::base_line),
            base_layers: image.inventory.as_ref().and_then(|inventory| inventory.base_layers(dockerfile)),
            is_only_image: document.images.len() == 1,
        }
    }

    /// The Dockerfile, if the image certainly comes from it.
    pub(super) fn dockerfile(&self) -> Option<&'a Dockerfile> {
        self.dockerfile.filter(|_| self.lines.is_some())
    }

    /// Path and line, if the image certainly comes from the Dockerfile.
    pub(super) fn place(&self, subject: &Subject<'_>) -> Option<(&'a str, u32)> {
        let dockerfile = self.dockerfile()?;
        let line = match self.is_base(subject)? {
            true => self.base?,
            false => self.line(subject)??,
        };
        Some((&dockerfile.path, line))
    }

    /// Path and line to show at any rate: the `FROM` line, or the beginning of what is probably the file.
    pub(super) fn likely_place(&self, subject: &Subject<'_>) -> (&'a str, u32) {
        let base = self.base.filter(|_| self.is_only_image || self.lines.is_some()).unwrap_or(1);
        self.place(subject).unwrap_or((self.dockerfile.map_or("Dockerfile", |file| &file.path), base))
    }

    /// Whether the base image brings it, wherever it lies; `None` if nobody knows. A gate decides by the same.
    pub(super) fn is_base(&self, subject: &Subject<'_>) -> Option<bool> {
        let (base, (first, _)) = (self.base_layers.as_ref()?, subject.layer?);
        base.get(first)?;
        Some(self.own_layer(subject).is_none())
    }

    /// The first layer of the project's own that has it.
    fn own_layer(&self, subject: &Subject<'_>) -> Option<usize> {
        let base = self.base_layers.as_ref()?;
        let layers = subject.package?.locations.iter().map(|location| location.layer);
        layers.filter(|&layer| base.get(layer) == Some(&false)).min()
    }

    fn line(&self, subject: &Subject<'_>) -> Option<Option<u32>> {
        let layer = self.own_layer(subject).or(subject.layer.map(|(layer, _)| layer))?;
        self.lines.as_ref()?.get(layer).copied()
    }
}

/// Whether a path lies in the repository and means the same to everybody.
fn is_plain(path: &str) -> bool {
    !path.is_empty() && !path.starts_with(['/', '.']) && !path.contains("..") && !path.chars().any(char::is_control)
}
