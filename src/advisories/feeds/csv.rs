//! The two compressed tables of numbers per CVE: gzip, comma-separated, no quoting.

use std::io::Read;

use flate2::read::MultiGzDecoder;

use crate::advisories::FeedError;

/// The text of a gzip file; what is not compressed is taken as it is.
pub(super) fn text(bytes: &[u8]) -> Result<String, FeedError> {
    let mut text = Vec::new();
    if bytes.starts_with(&[0x1f, 0x8b]) {
        MultiGzDecoder::new(bytes).take(LARGEST + 1).read_to_end(&mut text).map_err(FeedError::new)?;
    } else {
        bytes.take(LARGEST + 1).read_to_end(&mut text).map_err(FeedError::new)?;
    }
    if text.len() as u64 > LARGEST {
        return Err(FeedError::new(format!("it has more than {LARGEST} bytes")));
    }
    String::from_utf8(text).map_err(FeedError::new)
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

/// All scores of 300,000 CVEs have 12 MB.
const LARGEST: u64 = 64 << 20;

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn compressed(text: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(text).expect("compressed");
        encoder.finish().expect("compressed")
    }

    #[test]
    fn tables_are_read_with_and_without_compression() {
        let table = "#model,date\ncve,epss\n\nCVE-1,0.5\n";
        for bytes in [table.as_bytes().to_vec(), compressed(table.as_bytes())] {
            let text = text(&bytes).expect("a text");
            assert_eq!(rows(&text, "cve").expect("rows").collect::<Vec<_>>(), [["CVE-1", "0.5"]]);
            assert!(rows(&text, "id").is_err());
        }
    }

    #[test]
    fn damage_and_bombs_are_refused() {
        let mut cut = compressed(b"cve,epss\nCVE-1,0.5\n");
        cut.truncate(cut.len() - 6);
        assert!(text(&cut).is_err());
        assert!(text(&[0x1f, 0x8b, 0xff]).is_err());
        assert!(text(&[0xff, 0xfe]).is_err());
        let bomb = compressed(&vec![b'a'; 1 << 20]).repeat(257);
        assert!(text(&bomb).is_err_and(|error| error.to_string().contains("more than")));
    }
}
