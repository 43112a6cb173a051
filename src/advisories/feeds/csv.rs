//! The two compressed tables of numbers per CVE: gzip, comma-separated, no quoting.

use std::io::Read;

use flate2::read::MultiGzDecoder;

use crate::advisories::FeedError;

/// The text of a gzip file; what is not compressed is taken as it is.
pub(super) fn text(bytes: &[u8]) -> Result<String, FeedError> {
    if !bytes.starts_with(&[0x1f, 0x8b]) {
        return String::from_utf8(bytes.to_vec()).map_err(FeedError::new);
    }
    let mut text = String::new();
    MultiGzDecoder::new(bytes).take(LARGEST).read_to_string(&mut text).map_err(FeedError::new)?;
    Ok(text)
}

/// The rows of a table whose header line begins with `first_column`, as columns.
pub(super) fn rows<'a>(text: &'a str, first_column: &str) -> Result<impl Iterator<Item = Vec<&'a str>>, FeedError> {
    let mut lines = text.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
    match lines.next() {
        Some(header) if header.split(',').next() == Some(first_column) => {
            Ok(lines.map(|line| line.split(',').collect()))
        }
        _ => Err(FeedError::new(format!("the first column is not `{first_column}`"))),
    }
}

const LARGEST: u64 = 256 << 20;
