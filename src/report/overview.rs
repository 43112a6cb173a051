//! The overview in the forms that people and other programs read: JSON, CSV and one page for browsers.

mod csv;
mod html;

use std::io::{self, Write};

use crate::model::Overview;

/// A form of the overview.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OverviewFormat {
    /// [`Overview`] itself.
    Json,
    /// A row per image, for spreadsheets.
    Csv,
    /// One page without any request.
    Html,
}

impl OverviewFormat {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Json, Self::Csv, Self::Html];

    /// The name of its file.
    #[must_use]
    pub fn file(self) -> &'static str {
        match self {
            Self::Json => "overview.json",
            Self::Csv => "overview.csv",
            Self::Html => "index.html",
        }
    }

    /// Writes it.
    ///
    /// # Errors
    /// The writer fails.
    pub fn write(self, overview: &Overview, out: &mut dyn Write) -> io::Result<()> {
        match self {
            Self::Json => {
                serde_json::to_writer_pretty(&mut *out, overview)?;
                out.write_all(b"\n")
            }
            Self::Csv => csv::write(overview, out),
            Self::Html => html::write(overview, out),
        }
    }
}

#[cfg(test)]
mod tests;
