//! The reports that list all packages of an image: a file for each image that was read, as soon as it is judged. No document
//! of many images holds all their packages, and what an image holds does not change while its tag does not move.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use jiff::Timestamp;

use crate::commands::{output, scan};
use crate::model::{Diagnosis, ImageScan, Inventory, ScanDocument};
use crate::report::{RENDERERS, Renderer};

/// Where these reports go.
pub(super) struct Sboms {
    out: PathBuf,
    /// With the names of the files, by the image's place in the document.
    reports: Vec<(&'static dyn Renderer, HashMap<usize, String>)>,
}

impl Sboms {
    /// For images by their places in the document.
    pub(super) fn of<'a>(images: impl Iterator<Item = (usize, &'a str)>, out: &Path) -> Self {
        let (places, images): (Vec<usize>, Vec<ImageScan>) =
            images.map(|(place, name)| (place, ImageScan::of(name.to_owned(), Inventory::default()))).unzip();
        // Names of files are told apart where those of several images would be the same.
        let document = ScanDocument { images, ..scan::empty_document(Timestamp::UNIX_EPOCH) };
        let reports = RENDERERS.iter().filter(|renderer| FORMATS.contains(&renderer.format()));
        let names = |&renderer| (renderer, places.iter().copied().zip(Renderer::files(renderer, &document)).collect());
        Self { out: out.to_owned(), reports: reports.map(names).collect() }
    }

    /// Writes those of one image, which is alone in the document; nothing where it is none of them.
    pub(super) fn write(&self, place: usize, document: &ScanDocument) -> Result<(), Diagnosis> {
        if document.images.iter().all(|image| image.inventory.is_none()) {
            return Ok(());
        }
        for (renderer, names) in &self.reports {
            let Some(name) = names.get(&place) else { continue };
            let path = self.out.join(name);
            output::write_file(&path, |file| renderer.render(document, 0, file))
                .map_err(|error| output::not_written(&path, &error))?;
        }
        Ok(())
    }
}

/// Whether a file bears the name of such a report.
pub(super) fn is_one(name: &str) -> bool {
    let has = |before: &str, after: &str| name.starts_with(before) && name.ends_with(after);
    has("gl-sbom-", ".cdx.json") || has("sbom-", ".spdx.json")
}

/// The formats; the other reports are about findings.
pub(in crate::commands) const FORMATS: [&str; 2] = ["cyclonedx", "spdx"];
