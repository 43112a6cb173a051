//! `plimsoll.json`: the scan document itself, from which every other report can be made again.

use std::io::{self, Write as _};

use crate::model::ScanDocument;

use super::Renderer;
use super::renderer::{buffered, only_part};

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
        let mut out = buffered(out);
        serde_json::to_writer_pretty(&mut out, document)?;
        out.write_all(b"\n")?;
        out.flush()
    }
}
