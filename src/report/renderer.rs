//! What a report format is, and the table of all formats that are written to files.

use std::io;

use crate::model::ScanDocument;

use super::code_quality::CodeQuality;
use super::cyclonedx::CycloneDx;
use super::dotenv::Dotenv;
use super::gitlab::Gitlab;
use super::json::Json;
use super::markdown::Markdown;
use super::sarif::Sarif;

/// A report format.
pub trait Renderer: Sync {
    /// The name by which people ask for it: `gitlab`, `sarif`, ….
    fn format(&self) -> &'static str;

    /// The names of the files that it makes of this document, without folders; each is a `part`.
    fn files(&self, document: &ScanDocument) -> Vec<String>;

    /// Writes one of [`Renderer::files`], by its index.
    ///
    /// # Errors
    ///
    /// What `out` fails with; [`io::ErrorKind::InvalidInput`] where there is no such part.
    fn render(&self, document: &ScanDocument, part: usize, out: &mut dyn io::Write) -> io::Result<()>;
}

/// All formats, in the order in which help lists them.
pub static RENDERERS: &[&dyn Renderer] = &[&Json, &Gitlab, &CycloneDx, &CodeQuality, &Sarif, &Markdown, &Dotenv];

/// The error of a part that a format does not have.
pub(super) fn no_such_part(format: &str, part: usize) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, format!("`{format}` has no part {part}"))
}

/// Writes JSON for people and diffs: indented, with a newline at the end.
pub(super) fn write_json<T: serde::Serialize + ?Sized>(value: &T, out: &mut dyn io::Write) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut *out, value)?;
    out.write_all(b"\n")
}
