//! Java archives: jar, war, ear and kin, nested ones too. What is in an archive is told by the `pom.properties` that
//! Maven leaves in it, one for each artifact of a shaded archive, else by a `pom.xml` in its place, else by its manifest
//! and its file name.
//!
//! Of an archive only what may tell this is in memory, with limits on entries, nesting and unpacked bytes.

mod bill;
mod file_name;
mod license;
mod manifest;
mod namespaces;
mod pom;
mod properties;
mod reader;

use std::io::BufRead as _;

use super::zip::{Data, Kept, Wish};
use super::{ExtractError, Extractor, Fact, File};
use crate::image::Entry;
use crate::model::Limits;
use reader::Reader;

/// Endings of archives that are always Java's, and of those that others use too; in whatever case.
const ARCHIVES: &[&str] = &["jar", "war", "ear"];
const OTHER_ARCHIVES: &[&str] = &["par", "sar", "kar", "nar", "rar", "hpi", "jpi", "lpkg"];
/// Whatever the limits say: each level takes room on the stack.
const MOST_NESTED: usize = 64;
/// A value of a manifest or of Maven's properties; longer ones tell nothing.
const LONGEST_VALUE: usize = 1_000;

/// Reads Java archives.
pub(super) struct Java;

impl Extractor for Java {
    fn name(&self) -> &'static str {
        "java"
    }

    fn claims(&self) -> &'static [&'static str] {
        &["Java archives, nested to depth 5: `**/*.{jar,war,ear,par,sar,kar,nar,rar,hpi,jpi,lpkg}`, in any case \
             (`**/pom.properties`, else `META-INF/maven/**/pom.xml`, manifest, file name; of the outermost one the documents in \
             `META-INF/sbom/` too)"]
    }

    fn wants(&self, entry: &Entry<'_>) -> bool {
        is_archive(entry.path)
    }

    fn extract(&self, file: &mut File<'_>) -> Result<Vec<Fact>, ExtractError> {
        let path = file.path();
        let limits = file.limits();
        let is_others = is_one_of(OTHER_ARCHIVES, path);
        let first = file.fill_buf()?;
        if first.is_empty() || is_others && !b"PK".starts_with(first.get(..2).unwrap_or(first)) {
            return Ok(Vec::new());
        }
        let kept = Kept::read(file, deepest(limits), wish)?;
        if is_others && !kept.is_bare {
            return Ok(Vec::new());
        }
        facts(path, kept.data(), limits).map_err(ExtractError::malformed)
    }
}

/// What an archive says.
fn facts(path: &str, data: Data<'_>, limits: &Limits) -> Result<Vec<Fact>, &'static str> {
    let mut reader = Reader::new(limits, deepest(limits));
    reader.archive(path, "", data, 1)?;
    Ok(reader.into_facts())
}

fn deepest(limits: &Limits) -> usize {
    limits.archive_depth.min(MOST_NESTED)
}

/// What is looked at in an archive.
fn wish(name: &str) -> Wish {
    match name {
        _ if is_properties(name) || name == manifest::PATH || is_pom(name) || bill::is_one(name) => Wish::Content,
        _ if is_archive(name) => Wish::Archive,
        _ => Wish::Nothing,
    }
}

/// Of Maven in META-INF/maven, of other tools anywhere.
fn is_properties(name: &str) -> bool {
    name.rsplit('/').next() == Some("pom.properties")
}

/// Where Maven puts its files.
fn is_mavens(name: &str) -> bool {
    name.starts_with("META-INF/maven/")
}

fn is_pom(name: &str) -> bool {
    is_mavens(name) && name.ends_with("/pom.xml")
}

fn is_one_of(endings: &[&str], path: &str) -> bool {
    let ending = path.rsplit_once('.').map_or("", |(_, ending)| ending);
    endings.iter().any(|known| known.eq_ignore_ascii_case(ending))
}

fn is_archive(path: &str) -> bool {
    is_one_of(ARCHIVES, path) || is_one_of(OTHER_ARCHIVES, path)
}

#[cfg(test)]
mod tests;
