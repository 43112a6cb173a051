//! `plimsoll.env`: counts and verdict as variables for later jobs (GitLab's dotenv report: at most 20 variables, 5 KB,
//! no quotes, no comments).

use std::io::{self, Write};

use crate::model::{Outcome, ScanDocument, Severity};

use super::Renderer;
use super::change;
use super::renderer::only_part;
use super::text::date_time;
use super::verdict::Verdict;
use super::wording;

/// Variables for later jobs. All values are words and numbers of ours; nothing of an image or advisory gets in.
pub(super) struct Dotenv;

impl Renderer for Dotenv {
    fn format(&self) -> &'static str {
        "dotenv"
    }

    fn files(&self, _: &ScanDocument) -> Vec<String> {
        vec!["plimsoll.env".into()]
    }

    fn render(&self, document: &ScanDocument, part: usize, out: &mut dyn Write) -> io::Result<()> {
        only_part(self.format(), part)?;
        let status = match document.outcome {
            Outcome::Success => "success",
            Outcome::Failure => "failure",
        };
        let images = &document.images;
        let judged = images.iter().all(|image| {
            matches!(Verdict::of(document, image), Verdict::Clean)
                || (matches!(Verdict::of(document, image), Verdict::Vulnerable) && image.is_fully_covered())
        });
        let complete = document.outcome == Outcome::Success && judged && !images.is_empty();
        let gaps: usize = images.iter().map(|image| wording::gaps(image).count()).sum();
        let totals = document.totals();
        writeln!(out, "PLIMSOLL_STATUS={status}")?;
        writeln!(out, "PLIMSOLL_COMPLETE={complete}")?;
        writeln!(out, "PLIMSOLL_EXAMPLE_DATA={}", wording::is_example(document))?;
        writeln!(out, "PLIMSOLL_IMAGES={}", images.len())?;
        writeln!(out, "PLIMSOLL_FINDINGS={}", totals.findings())?;
        for (severity, number) in totals.by_severity() {
            writeln!(out, "PLIMSOLL_{}={number}", severity.label().to_uppercase())?;
        }
        writeln!(out, "PLIMSOLL_FIXABLE={}", totals.fixable)?;
        writeln!(out, "PLIMSOLL_EXPLOITED={}", totals.exploited)?;
        writeln!(out, "PLIMSOLL_SUPPRESSED={}", totals.suppressed())?;
        writeln!(out, "PLIMSOLL_GAPS={gaps}")?;
        if let Some(total) = change::total(document) {
            writeln!(out, "PLIMSOLL_NEW={}", total.introduced.len())?;
            writeln!(out, "PLIMSOLL_FIXED={}", change::fixed(document))?;
        }
        writeln!(out, "PLIMSOLL_WORST={}", totals.worst().map_or("none", Severity::label).to_lowercase())?;
        match document.database.as_ref().and_then(|database| date_time(database.built)) {
            Some(built) => writeln!(out, "PLIMSOLL_DATABASE_BUILT={built}"),
            None => Ok(()),
        }
    }
}
