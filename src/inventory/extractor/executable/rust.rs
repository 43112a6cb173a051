//! The audit data of `cargo auditable`: zlib-compressed JSON in a section of its own. Format: cargo-auditable's
//! `PARSING.md`.

use serde::Deserialize;

use super::super::{json, too_many_packages};
use super::{ExtractError, Fact};
use crate::image::inflate::inflate_slice;
use crate::inventory::bounded::{Element, List};
use crate::model::{Limits, Package, PackageKind};

pub(super) const SECTION: &str = ".dep-v0";
/// JSON that is read; real programs have some 100 kB.
const MOST_JSON: usize = 8 << 20;
const ZLIB_HEADER: usize = 2;
const DEFLATE: u8 = 8;

#[derive(Deserialize)]
struct Audit {
    /// They have to be there: otherwise it is something else.
    #[serde(deserialize_with = "Deserialize::deserialize")]
    packages: List<Crate>,
}

#[derive(Deserialize)]
struct Crate {
    name: String,
    version: String,
    /// `runtime` where nothing is said.
    kind: Option<String>,
}

impl Element for Crate {
    /// What only built the program is no part of it.
    fn is_of_use(&self) -> bool {
        self.kind.as_deref() != Some("build")
    }
}

pub(super) fn facts(section: &[u8], limits: &Limits) -> Result<Vec<Fact>, ExtractError> {
    let malformed = |reason: &dyn std::fmt::Display| ExtractError::malformed(format!("its audit data: {reason}"));
    // zlib (RFC 1950): two bytes that are a multiple of 31 and name the method, no preset dictionary.
    let (header, data) = section.split_first_chunk::<ZLIB_HEADER>().ok_or_else(|| malformed(&"it is too short"))?;
    if u16::from_be_bytes(*header) % 31 != 0 || header[0] & 15 != DEFLATE || header[1] & 32 != 0 {
        return Err(malformed(&"it is not zlib data"));
    }
    let text = inflate_slice(data, MOST_JSON).map_err(|error| malformed(&error))?;
    let audit: Audit = json::json(&text, limits).map_err(|error| malformed(&error))?;
    let List { kept, is_cut } = audit.packages;
    let crates = kept.into_iter().map(|found| Package::new(PackageKind::Cargo, found.name, found.version));
    Ok(crates.map(Fact::Package).chain(is_cut.then(too_many_packages)).collect())
}
