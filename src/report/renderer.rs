//! What a report format is, and the table of all formats that are written to files.

use std::io::{self, Write as _};

use serde::Serialize;
use sha2::{Digest as _, Sha256};

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
use super::stable_id::StableId;

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
    let mut out = buffered(out);
    serde_json::to_writer(&mut out, value)?;
    out.write_all(b"\n")?;
    out.flush()
}

/// Serializers write a few bytes at a time; nothing but full buffers goes through `out`, which is not known when they
/// are compiled.
pub(super) fn buffered(out: &mut dyn io::Write) -> io::BufWriter<&mut dyn io::Write> {
    io::BufWriter::with_capacity(BUFFER, out)
}

/// Writes a JSON object in one line, and as its last member the name that `name` makes of the id of all that stands
/// before: the same content has the same name.
pub(super) fn write_named_json(
    value: &impl Serialize,
    member: &str,
    name: impl FnOnce(StableId) -> String,
    out: &mut dyn io::Write,
) -> io::Result<()> {
    let mut hashed = Hashed { out, hash: Sha256::new(), held: Vec::with_capacity(BUFFER) };
    serde_json::to_writer(&mut hashed, value)?;
    // The object is opened again.
    hashed.held.pop();
    hashed.pass_on()?;
    let Hashed { out, hash, .. } = hashed;
    writeln!(out, ",\"{member}\":{}}}", serde_json::Value::String(name(StableId::of_hash(hash))))
}

/// Hashes what it writes, but never lets go of the last byte.
struct Hashed<'a> {
    out: &'a mut dyn io::Write,
    hash: Sha256,
    held: Vec<u8>,
}

impl Hashed<'_> {
    fn pass_on(&mut self) -> io::Result<()> {
        self.hash.update(&self.held);
        self.out.write_all(&self.held)?;
        self.held.clear();
        Ok(())
    }
}

impl io::Write for Hashed<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.held.len() + bytes.len() > BUFFER && !bytes.is_empty() {
            self.pass_on()?;
        }
        self.held.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

const BUFFER: usize = 64 << 10;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_is_of_all_that_stands_before_it() {
        let written = |text: &str| {
            let mut out = Vec::new();
            write_named_json(&serde_json::json!({ "text": text }), "name", |id| id.uuid(), &mut out).unwrap();
            serde_json::from_slice::<serde_json::Value>(&out).unwrap()
        };
        for length in [0, 1, BUFFER - 12, BUFFER - 11, BUFFER - 10, BUFFER - 9, BUFFER, 3 * BUFFER] {
            let (one, other) = (written(&"x".repeat(length)), written(&"x".repeat(length + 1)));
            assert_eq!(one["text"].as_str().map(str::len), Some(length));
            assert_eq!(one, written(&"x".repeat(length)));
            assert_ne!(one["name"], other["name"], "{length}");
        }
    }
}
