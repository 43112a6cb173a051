//! The counts as variables for later jobs, `plimsoll.env` (`artifacts:reports:dotenv`: at most 5 KB, 20 variables,
//! no quotes and no comments). Only numbers and words of our own: nothing untrusted gets here.

use std::io;

use crate::model::{ScanDocument, Severity};

use super::renderer::{Renderer, no_such_part};
use super::verdict::Verdict;

/// The format `dotenv`.
pub struct Dotenv;

impl Renderer for Dotenv {
    fn format(&self) -> &'static str {
        "dotenv"
    }

    fn files(&self, _: &ScanDocument) -> Vec<String> {
        vec!["plimsoll.env".into()]
    }

    fn render(&self, document: &ScanDocument, part: usize, out: &mut dyn io::Write) -> io::Result<()> {
        if part != 0 {
            return Err(no_such_part(self.format(), part));
        }
        writeln!(out, "PLIMSOLL_STATUS={}", Verdict::of_all(document).name())?;
        writeln!(out, "PLIMSOLL_IMAGES={}", document.images.len())?;
        writeln!(out, "PLIMSOLL_FINDINGS={}", document.findings().count())?;
        writeln!(out, "PLIMSOLL_FIXABLE={}", document.findings().filter(|finding| finding.fix.is_available()).count())?;
        for severity in Severity::ALL {
            let count = document.findings().filter(|finding| finding.severity == severity).count();
            writeln!(out, "PLIMSOLL_{}={count}", severity.label().to_ascii_uppercase())?;
        }
        let suppressed: usize = document.images.iter().map(|image| image.suppressed.len()).sum();
        writeln!(out, "PLIMSOLL_SUPPRESSED={suppressed}")?;
        let inventories = document.images.iter().filter_map(|image| image.inventory.as_ref());
        writeln!(out, "PLIMSOLL_GAPS={}", inventories.map(|inventory| inventory.gaps.len()).sum::<usize>())?;
        let example = document.database.as_ref().is_some_and(|database| database.example);
        writeln!(out, "PLIMSOLL_EXAMPLE_DATA={example}")
    }
}
