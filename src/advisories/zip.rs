//! Reads zip files that are held in memory (APPNOTE 6.3: end of central directory, central directory, local headers).
//!
//! Stored and deflated entries only, more than 65,535 of them by way of zip64. Refuses encryption, entries above [`ENTRY_LIMIT`] and archives whose
//! entries add up to more than [`TOTAL_LIMIT`]; the central directory is the only index that is believed.

use std::io::Read;

use flate2::read::DeflateDecoder;

/// Largest entry, uncompressed.
const ENTRY_LIMIT: u64 = 64 << 20;
/// Largest sum of all entries, uncompressed.
const TOTAL_LIMIT: u64 = 8 << 30;
/// The end record may be followed by a comment of at most this many bytes.
const COMMENT_LIMIT: usize = 0xffff;

const END_OF_DIRECTORY: [u8; 4] = *b"PK\x05\x06";
const DIRECTORY_ENTRY: [u8; 4] = *b"PK\x01\x02";
const LOCAL_HEADER: [u8; 4] = *b"PK\x03\x04";
const END_SIZE: usize = 22;

/// Why an archive cannot be read.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub(super) enum ZipError {
    /// No end record, or one that points outside of the file.
    #[error("not a zip file, or cut off: {0}")]
    Malformed(&'static str),
    /// A feature that is not read.
    #[error("entry `{name}`: {what} is not supported")]
    Unsupported {
        /// The entry.
        name: String,
        /// What it needs.
        what: String,
    },
    /// Larger than the limits.
    #[error("entry `{name}` exceeds the limit of {limit} bytes")]
    TooLarge {
        /// The entry that went over.
        name: String,
        /// The limit.
        limit: u64,
    },
    /// An entry's data does not decompress to what the directory says.
    #[error("entry `{name}` is damaged")]
    Damaged {
        /// The entry.
        name: String,
    },
}

/// A zip file.
#[derive(Debug)]
pub(super) struct Archive<'a> {
    bytes: &'a [u8],
    directory: &'a [u8],
    entries: u64,
}

/// One entry of the central directory.
#[derive(Debug, Clone)]
struct Entry {
    name: String,
    flags: u16,
    method: u16,
    crc: u32,
    compressed: u32,
    size: u32,
    offset: u32,
}

impl<'a> Archive<'a> {
    /// Finds the central directory.
    ///
    /// # Errors
    /// [`ZipError::Malformed`] where there is none.
    pub(super) fn open(bytes: &'a [u8]) -> Result<Self, ZipError> {
        let from = bytes.len().saturating_sub(END_SIZE + COMMENT_LIMIT);
        let tail = bytes.get(from..).unwrap_or_default();
        let at = memchr::memmem::rfind(tail, &END_OF_DIRECTORY).ok_or(ZipError::Malformed("no end record"))?;
        let end = tail.get(at..).unwrap_or_default();
        let short = ZipError::Malformed("end record is cut off");
        let (Some(entries), Some(size), Some(offset)) = (u16_at(end, 10), u32_at(end, 12), u32_at(end, 16)) else {
            return Err(short);
        };
        let (entries, size, offset) = if offset == u32::MAX || entries == u16::MAX {
            large_directory(bytes, from + at).ok_or(ZipError::Malformed("the zip64 end record is damaged"))?
        } else {
            (u64::from(entries), u64::from(size), u64::from(offset))
        };
        let directory =
            slice(bytes, offset, size).ok_or(ZipError::Malformed("central directory lies outside of the file"))?;
        Ok(Self { bytes, directory, entries })
    }

    /// Hands every file's name and content to `visit`, in the order of the directory; an entry that cannot be read with
    /// the reason, and the others go on.
    ///
    /// # Errors
    /// The directory is damaged or the archive exceeds a limit; what was visited before stays visited.
    pub(super) fn for_each(&self, mut visit: impl FnMut(&str, Result<&[u8], ZipError>)) -> Result<(), ZipError> {
        let mut rest = self.directory;
        let mut total = 0u64;
        let mut content = Vec::new();
        for _ in 0..self.entries {
            let (entry, after) = parse_entry(rest)?;
            rest = after;
            if entry.name.ends_with('/') {
                continue;
            }
            total = total.saturating_add(u64::from(entry.size));
            if total > TOTAL_LIMIT {
                return Err(ZipError::TooLarge { name: entry.name, limit: TOTAL_LIMIT });
            }
            let read = self.read(&entry, &mut content);
            visit(&entry.name, read.map(|()| content.as_slice()));
        }
        Ok(())
    }

    fn read(&self, entry: &Entry, content: &mut Vec<u8>) -> Result<(), ZipError> {
        let name = || entry.name.clone();
        if u64::from(entry.size) > ENTRY_LIMIT {
            return Err(ZipError::TooLarge { name: name(), limit: ENTRY_LIMIT });
        }
        if entry.flags & 1 != 0 {
            return Err(ZipError::Unsupported { name: name(), what: "encryption".to_owned() });
        }
        let damaged = || ZipError::Damaged { name: name() };
        let header = slice(self.bytes, u64::from(entry.offset), 30).ok_or_else(damaged)?;
        let (Some(name_length), Some(extra_length)) = (u16_at(header, 26), u16_at(header, 28)) else {
            return Err(damaged());
        };
        if !header.starts_with(&LOCAL_HEADER) {
            return Err(damaged());
        }
        let start = u64::from(entry.offset) + 30 + u64::from(name_length) + u64::from(extra_length);
        let data = slice(self.bytes, start, u64::from(entry.compressed)).ok_or_else(damaged)?;
        content.clear();
        // One byte more than promised, so that a longer stream is noticed.
        let limit = u64::from(entry.size) + 1;
        match entry.method {
            0 => data.take(limit).read_to_end(content),
            8 => DeflateDecoder::new(data).take(limit).read_to_end(content),
            other => return Err(ZipError::Unsupported { name: name(), what: format!("compression method {other}") }),
        }
        .map_err(|_| damaged())?;
        if content.len() as u64 != u64::from(entry.size) || crc32fast::hash(content) != entry.crc {
            return Err(damaged());
        }
        Ok(())
    }
}

fn parse_entry(bytes: &[u8]) -> Result<(Entry, &[u8]), ZipError> {
    let parse = || {
        let name_length = usize::from(u16_at(bytes, 28)?);
        let length = 46 + name_length + usize::from(u16_at(bytes, 30)?) + usize::from(u16_at(bytes, 32)?);
        let entry = Entry {
            name: String::from_utf8_lossy(bytes.get(46..46 + name_length)?).into_owned(),
            flags: u16_at(bytes, 8)?,
            method: u16_at(bytes, 10)?,
            crc: u32_at(bytes, 16)?,
            compressed: u32_at(bytes, 20)?,
            size: u32_at(bytes, 24)?,
            offset: u32_at(bytes, 42)?,
        };
        bytes.starts_with(&DIRECTORY_ENTRY).then_some((entry, bytes.get(length..)?))
    };
    parse().ok_or(ZipError::Malformed("central directory is damaged"))
}

/// Entries, size and offset of the directory from the zip64 end record, which the locator before the end record names.
fn large_directory(bytes: &[u8], end: usize) -> Option<(u64, u64, u64)> {
    let locator = bytes.get(end.checked_sub(20)?..end)?;
    let record = slice(bytes, u64_at(locator, 8)?, 56)?;
    let valid = locator.starts_with(b"PK\x06\x07") && record.starts_with(b"PK\x06\x06");
    valid.then_some((u64_at(record, 32)?, u64_at(record, 40)?, u64_at(record, 48)?))
}

fn slice(bytes: &[u8], offset: u64, length: u64) -> Option<&[u8]> {
    let start = usize::try_from(offset).ok()?;
    bytes.get(start..start.checked_add(usize::try_from(length).ok()?)?)
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::DeflateEncoder;
    use proptest::prelude::*;

    use super::*;

    /// A zip file: names, contents, whether deflated; with a zip64 end record or without.
    fn zip(files: &[(&str, &[u8], bool)], zip64: bool) -> Vec<u8> {
        let (mut out, mut directory) = (Vec::new(), Vec::new());
        for (name, content, is_deflated) in files {
            let mut data = content.to_vec();
            if *is_deflated {
                let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
                encoder.write_all(content).expect("test data");
                data = encoder.finish().expect("test data");
            }
            let mut common = vec![20, 0, 0, 0, if *is_deflated { 8 } else { 0 }, 0, 0, 0, 0, 0];
            common.extend(crc32fast::hash(content).to_le_bytes());
            common.extend((data.len() as u32).to_le_bytes());
            common.extend((content.len() as u32).to_le_bytes());
            common.extend((name.len() as u16).to_le_bytes());
            common.extend([0, 0]);
            let offset = out.len() as u32;
            directory.extend(DIRECTORY_ENTRY.iter().chain(&[20, 0]).chain(&common));
            directory.extend([0; 10]);
            directory.extend(offset.to_le_bytes());
            directory.extend(name.bytes());
            out.extend(LOCAL_HEADER.iter().chain(&common));
            out.extend(name.bytes().chain(data));
        }
        let (start, size) = (out.len() as u64, directory.len() as u64);
        out.extend(directory);
        if zip64 {
            let at = out.len() as u64;
            out.extend(b"PK\x06\x06");
            out.extend([0; 28]);
            out.extend([files.len() as u64, size, start].into_iter().flat_map(u64::to_le_bytes));
            out.extend(b"PK\x06\x07");
            out.extend([0; 4]);
            out.extend(at.to_le_bytes());
            out.extend([0; 4]);
        }
        out.extend(END_OF_DIRECTORY);
        out.extend([0; 6]);
        let number = if zip64 { u16::MAX } else { files.len() as u16 };
        out.extend(number.to_le_bytes());
        let hide = |value: u64| if zip64 { u32::MAX } else { value as u32 };
        out.extend(hide(size).to_le_bytes());
        out.extend(hide(start).to_le_bytes());
        out.extend([0; 2]);
        out
    }

    fn read(bytes: &[u8]) -> Result<Vec<(String, Vec<u8>)>, ZipError> {
        let mut found = Vec::new();
        let archive = Archive::open(bytes)?;
        archive.for_each(|name, content| found.push(content.map(|content| (name.to_owned(), content.to_vec()))))?;
        found.into_iter().collect()
    }

    const FILES: &[(&str, &[u8], bool)] =
        &[("a.json", b"stored", false), ("folder/", b"", false), ("folder/b.json", b"deflated deflated", true)];

    #[test]
    fn entries_are_read_in_order() {
        let expected = vec![
            ("a.json".to_owned(), b"stored".to_vec()),
            ("folder/b.json".to_owned(), b"deflated deflated".to_vec()),
        ];
        for zip64 in [false, true] {
            assert_eq!(read(&zip(FILES, zip64)), Ok(expected.clone()), "zip64: {zip64}");
        }
    }

    #[test]
    fn a_size_that_lies_is_noticed() {
        let mut bytes = zip(&[("a", b"12345678", true)], false);
        let at = memchr::memmem::rfind(&bytes, &DIRECTORY_ENTRY).expect("test data") + 24;
        bytes[at] = 4;
        assert_eq!(read(&bytes), Err(ZipError::Damaged { name: "a".into() }));
        bytes[at..at + 4].copy_from_slice(&u32::MAX.to_le_bytes());
        assert!(matches!(read(&bytes), Err(ZipError::TooLarge { .. })));
    }

    proptest! {
        #[test]
        fn damage_never_panics(at in 0usize..400, value: u8, cut in 0usize..400, zip64: bool) {
            let mut bytes = zip(FILES, zip64);
            if let Some(byte) = bytes.get_mut(at) {
                *byte = value;
            }
            bytes.truncate(bytes.len().saturating_sub(cut / 4));
            if let Ok(found) = read(&bytes) {
                let whole: [&[u8]; 2] = [b"stored", b"deflated deflated"];
                prop_assert!(found.iter().all(|(_, content)| content.is_empty() || whole.contains(&content.as_slice())));
            }
        }
    }
}
