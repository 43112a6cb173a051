//! The files of a tar archive (POSIX ustar) as a stream; links, long names and everything else are passed over.

use std::io::{self, Read};

const BLOCK: usize = 512;

/// Calls `visit` with the name and the content of each regular file of up to `largest` bytes, or the size of a larger one.
///
/// # Errors
/// The archive is cut or no tar, or its source fails.
pub(super) fn for_each(
    mut source: impl Read,
    largest: u64,
    mut visit: impl FnMut(&str, Result<&[u8], u64>),
) -> io::Result<()> {
    let mut header = [0; BLOCK];
    let mut content = Vec::new();
    loop {
        source.read_exact(&mut header)?;
        if header.iter().all(|byte| *byte == 0) {
            return Ok(());
        }
        let header = Header::of(&header).ok_or_else(|| io::Error::other("it is no tar archive"))?;
        let padding = (BLOCK as u64 - header.size % BLOCK as u64) % BLOCK as u64;
        if header.is_file && header.size <= largest {
            content.clear();
            let read = source.by_ref().take(header.size).read_to_end(&mut content)?;
            if read as u64 != header.size {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            visit(&header.name, Ok(&content));
            skip(&mut source, padding)?;
        } else {
            if header.is_file {
                visit(&header.name, Err(header.size));
            }
            skip(&mut source, header.size.saturating_add(padding))?;
        }
    }
}

struct Header {
    name: String,
    size: u64,
    is_file: bool,
}

impl Header {
    fn of(block: &[u8; BLOCK]) -> Option<Self> {
        let text = |from: usize, to: usize| {
            let field = block.get(from..to).unwrap_or_default();
            String::from_utf8_lossy(field.split(|byte| *byte == 0).next().unwrap_or_default()).trim().to_owned()
        };
        let number = |from, to| u64::from_str_radix(&text(from, to), 8).ok();
        let sum: u64 = block
            .iter()
            .enumerate()
            .map(|(place, byte)| if (148..156).contains(&place) { u64::from(b' ') } else { u64::from(*byte) })
            .sum();
        if number(148, 156)? != sum {
            return None;
        }
        let (prefix, name) = (text(345, 500), text(0, 100));
        let name = if prefix.is_empty() { name } else { format!("{prefix}/{name}") };
        Some(Self { name, size: number(124, 136)?, is_file: matches!(block.get(156), Some(0 | b'0')) })
    }
}

fn skip(source: &mut impl Read, bytes: u64) -> io::Result<()> {
    let skipped = io::copy(&mut source.by_ref().take(bytes), &mut io::sink())?;
    if skipped == bytes { Ok(()) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
}

/// For tests: an archive of these files.
#[cfg(test)]
pub(super) fn archive(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (name, content) in files {
        let mut header = [0_u8; BLOCK];
        let mut put = |at: usize, text: &str| header[at..at + text.len()].copy_from_slice(text.as_bytes());
        put(0, name);
        put(124, &format!("{:011o}", content.len()));
        put(148, "        ");
        put(156, "0");
        let sum: u64 = header.iter().map(|byte| u64::from(*byte)).sum();
        header[148..155].copy_from_slice(format!("{sum:06o}\0").as_bytes());
        bytes.extend(header);
        bytes.extend(*content);
        bytes.resize(bytes.len().next_multiple_of(BLOCK), 0);
    }
    bytes.extend([0; 2 * BLOCK]);
    bytes
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn listed(bytes: &[u8]) -> io::Result<Vec<(String, Result<usize, u64>)>> {
        let mut all = Vec::new();
        for_each(bytes, 1_000, |name, content| all.push((name.to_owned(), content.map(<[u8]>::len))))?;
        Ok(all)
    }

    #[test]
    fn files_come_in_order_and_large_ones_are_named() {
        let bytes = archive(&[("a/b.json", b"{}"), ("large", &[b'x'; 1_001]), ("c", b"")]);
        let all = listed(&bytes).expect("a tar");
        assert_eq!(all, [("a/b.json".into(), Ok(2)), ("large".into(), Err(1_001)), ("c".into(), Ok(0))]);
        assert!(listed(bytes.get(..700).unwrap_or_default()).is_err());
        assert!(listed(b"no tar").is_err());
    }

    proptest! {
        #[test]
        fn damage_never_panics(at in 0usize..1100, value: u8, cut in 0usize..2100) {
            let mut bytes = archive(&[("a", b"content")]);
            if let Some(byte) = bytes.get_mut(at) {
                *byte = value;
            }
            bytes.truncate(cut);
            let _ = listed(&bytes);
        }
    }
}
