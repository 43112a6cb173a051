//! What a report format is, and the table of all formats that are written to files.

use std::io;

use serde::Serialize;

use crate::model::ScanDocument;

use super::code_quality::CodeQuality;
use super::cyclonedx::CycloneDx;
use super::dotenv::Dotenv;
use super::gitlab::GitLab;
use super::html::Html;
use super::json::Json;
use super::junit::JUnit;
use super::markdown::Markdown;
use super::sarif::Sarif;
use super::spdx::Spdx;

/// A report format.
pub trait Renderer: Sync {
    /// The name by which people ask for it: `gitlab`, `sarif`, ….
    fn format(&self) -> &'static str;

    /// The names of the files that this document makes, without folders. Each is a part of [`Renderer::render`].
    fn files(&self, document: &ScanDocument) -> Vec<String>;

    /// Writes one of [`Renderer::files`], by its index.
    ///
    /// # Errors
    ///
    /// What `out` fails with; [`io::ErrorKind::InvalidInput`] where there is no such part.
    fn render(&self, document: &ScanDocument, part: usize, out: &mut dyn io::Write) -> io::Result<()>;
}

/// All formats, in the order in which help lists them.
pub static RENDERERS: &[&dyn Renderer] =
    &[&Json, &GitLab, &CycloneDx, &Spdx, &Sarif, &CodeQuality, &JUnit, &Html, &Markdown, &Dotenv];

/// The error of a part that the document does not have.
pub(super) fn no_such_part(format: &str, part: usize) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, format!("`{format}` has no part {part}"))
}

/// Lets through the only part of a format that always writes one file.
pub(super) fn only_part(format: &str, part: usize) -> io::Result<()> {
    if part == 0 { Ok(()) } else { Err(no_such_part(format, part)) }
}

/// Writes JSON for programs: one line.
pub(super) fn write_json(value: &impl Serialize, out: &mut dyn io::Write) -> io::Result<()> {
    serde_json::to_writer(&mut *out, value)?;
    out.write_all(b"\n")
}
