//! `sbom:FILE` as what is scanned: a document in place of an image.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use crate::inventory::bom::{self, BomError};
use crate::model::{Code, Diagnosis, Inventory, Limits};

/// Reads a document; `name` is what people called it.
pub(super) fn read(name: &str, path: &Path, limits: &Limits) -> Result<Inventory, Diagnosis> {
    let unreadable = |why: String| {
        let fix = "check the path, and that an earlier job passes the file on as an artifact";
        Diagnosis::new(Code::SourceUnreadable, format!("{name} cannot be opened"), why, fix)
    };
    let (mut content, largest) = (Vec::new(), limits.sbom_size);
    let file = File::open(path).map_err(|error| unreadable(error.to_string()))?;
    file.take(largest.saturating_add(1)).read_to_end(&mut content).map_err(|error| unreadable(error.to_string()))?;
    if content.len() as u64 > largest {
        let why = format!("it has more than {largest} bytes");
        return Err(Diagnosis::new(
            Code::LimitExceeded,
            format!("{name} exceeds a limit"),
            why,
            "scan the image itself, or raise `sbom_size` of the setting `limits` if the document is trusted",
        ));
    }
    let path = path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
    bom::read(&content, &path, limits).map_err(|error: BomError| {
        let fix = "give CycloneDX 1.4 to 1.6, SPDX 2.3 or Syft's format, as JSON; or scan the image itself";
        Diagnosis::new(
            Code::SourceUnreadable,
            format!("{name} is no bill of materials that can be read"),
            error.to_string(),
            fix,
        )
    })
}
