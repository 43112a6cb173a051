//! `docs/coverage.md`: what the extractors claim, written from their own table.

use std::fmt::Write;

use super::extractor::EXTRACTORS;

/// The document.
#[must_use]
pub fn document() -> String {
    let mut text = String::from(
        "# What is found in an image\n\n\
         Written by the extractors themselves (`src/inventory/coverage.rs`); a test fails when this file differs.\n\
         Paths are glob patterns inside the image.\n\n\
         | source | reads |\n|---|---|\n",
    );
    for extractor in EXTRACTORS {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "| {} | {} |", extractor.name(), extractor.claims().join("<br>"));
    }
    text
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    /// `PLIMSOLL_UPDATE=1 cargo test coverage` writes the file anew.
    #[test]
    fn the_document_is_current() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/coverage.md");
        if std::env::var_os("PLIMSOLL_UPDATE").is_some() {
            std::fs::create_dir_all(path.parent().expect("docs")).expect("a directory");
            std::fs::write(&path, document()).expect("docs/coverage.md can be written");
        }
        let kept = std::fs::read_to_string(&path).expect("docs/coverage.md");
        assert_eq!(kept, document(), "docs/coverage.md differs; run this test with PLIMSOLL_UPDATE=1");
    }
}
