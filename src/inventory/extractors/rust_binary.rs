//! Rust programs built with `cargo auditable`: their dependencies as compressed JSON in the section `.dep-v0`.

use std::io::Read;

use flate2::read::ZlibDecoder;
use memchr::memmem;
use serde::Deserialize;

use crate::image::Entry;
use crate::inventory::{ExtractError, Extractor, Fact};
use crate::model::{Package, PackageKind};

use super::executable;

pub(in crate::inventory) struct RustBinary;

const SECTION: &str = ".dep-v0";
/// The section's limit in the format's own tools.
const LONGEST: u64 = 8 << 20;

impl Extractor for RustBinary {
    fn name(&self) -> &'static str {
        "rust-binary"
    }

    fn claims(&self) -> &'static [&'static str] {
        &["executables with a .dep-v0 section (cargo-auditable; ELF, PE, Mach-O)"]
    }

    fn wants(&self, entry: &Entry<'_>) -> bool {
        executable::may_be(entry)
    }

    fn accepts(&self, beginning: &[u8]) -> bool {
        executable::is(beginning)
    }

    fn extract(&self, _path: &str, content: &[u8]) -> Result<Vec<Fact>, ExtractError> {
        // Most programs are spared the parsing of their sections.
        if memmem::find(content, SECTION.as_bytes()).is_none() {
            return Ok(Vec::new());
        }
        let Ok(file) = object::File::parse(content) else { return Ok(Vec::new()) };
        let Some(section) = executable::section(&file, SECTION) else { return Ok(Vec::new()) };
        let mut json = Vec::new();
        let malformed = |reason: String| ExtractError::new(format!("the dependency list of a Rust program: {reason}"));
        ZlibDecoder::new(section).take(LONGEST).read_to_end(&mut json).map_err(|error| malformed(error.to_string()))?;
        let list: Dependencies = serde_json::from_slice(&json).map_err(|error| malformed(error.to_string()))?;
        let crates = list.packages.into_iter().filter(|package| !package.root);
        Ok(crates
            .map(|package| Fact::Package(Box::new(Package::new(PackageKind::Cargo, package.name, package.version))))
            .collect())
    }
}

#[derive(Deserialize)]
struct Dependencies {
    packages: Vec<Dependency>,
}

#[derive(Deserialize)]
struct Dependency {
    name: String,
    version: String,
    /// The program itself.
    #[serde(default)]
    root: bool,
}
