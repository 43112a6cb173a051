//! `plimsoll.json`: the scan document itself, from which every other report can be made again.

use std::io;

use crate::model::ScanDocument;

use super::renderer::only_part;
use super::{Renderer, json_writer};

/// The scan document as JSON, indented for people and diffs.
pub(super) struct Json;

impl Renderer for Json {
    fn format(&self) -> &'static str {
        "json"
    }

    fn files(&self, _: &ScanDocument) -> Vec<String> {
        vec!["plimsoll.json".into()]
    }

    fn render(&self, document: &ScanDocument, part: usize, out: &mut dyn io::Write) -> io::Result<()> {
        only_part(self.format(), part)?;
        json_writer::pretty(document, out)?;
        out.write_all(b"\n")
    }
}
