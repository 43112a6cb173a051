//! The scan document itself, `plimsoll.json`: everything, versioned ([`ScanDocument::FORMAT`]), and what the gate
//! and `explain` read.

use std::io;

use crate::model::ScanDocument;

use super::renderer::{Renderer, no_such_part, write_json};

/// The format `json`.
pub struct Json;

impl Renderer for Json {
    fn format(&self) -> &'static str {
        "json"
    }

    fn files(&self, _: &ScanDocument) -> Vec<String> {
        vec!["plimsoll.json".into()]
    }

    fn render(&self, document: &ScanDocument, part: usize, out: &mut dyn io::Write) -> io::Result<()> {
        if part != 0 {
            return Err(no_such_part(self.format(), part));
        }
        write_json(document, out)
    }
}
