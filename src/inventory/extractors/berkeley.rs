//! The blobs of an rpm database in Berkeley DB form (`Packages`, a hash table; RHEL 8, CentOS, Amazon Linux 2 and older).
//!
//! Package headers are larger than a page, so every value that matters lies on a chain of overflow pages (`dbinc/db_page.h`
//! of Berkeley DB 4 and 5). Numbers are in the byte order of the machine that wrote the file, told by the magic.

use std::collections::HashSet;

use crate::inventory::ExtractError;

const MAGIC: u32 = 0x0006_1561;
const HASH_META: u8 = 8;
const HASH_UNSORTED: u8 = 2;
const HASH: u8 = 13;
const OVERFLOW: u8 = 7;
/// The kind of an entry that lies on overflow pages.
const OFF_PAGE: u8 = 3;
const PAGE_HEADER: usize = 26;

/// Whether a file is such a database.
pub(super) fn is(file: &[u8]) -> bool {
    file.get(12..)
        .and_then(|rest| rest.first_chunk())
        .is_some_and(|magic| [u32::from_le_bytes(*magic), u32::from_be_bytes(*magic)].contains(&MAGIC))
}

/// All values that lie on overflow pages, in the order of the pages that name them.
pub(super) fn blobs(file: &[u8]) -> Result<Vec<Vec<u8>>, ExtractError> {
    let big_endian =
        file.get(12..).and_then(|rest| rest.first_chunk()).is_some_and(|magic| u32::from_be_bytes(*magic) == MAGIC);
    let number = Numbers { big_endian };
    let page_size = number.u32(file, 20).filter(|size| (512..=65536).contains(size) && size.is_power_of_two());
    let (Some(page_size), Some(&HASH_META)) = (page_size, file.get(25)) else {
        return Err(malformed("not a hash table"));
    };
    let database = Database { file, page_size, number };
    let mut blobs = Vec::new();
    let mut visited = HashSet::new();
    for page in file.chunks_exact(page_size).skip(1) {
        if !matches!(page.get(25), Some(&(HASH | HASH_UNSORTED))) {
            continue;
        }
        let entries = number.u16(page, 20).ok_or_else(|| malformed("entry count"))?;
        // Keys and values alternate.
        for index in (1..entries).step_by(2) {
            let at = number.u16(page, PAGE_HEADER + 2 * index).ok_or_else(|| malformed("entry offset"))?;
            let entry = page.get(at..).ok_or_else(|| malformed("entry offset"))?;
            if entry.first() != Some(&OFF_PAGE) {
                continue;
            }
            let (Some(first), Some(length)) = (number.u32(entry, 4), number.u32(entry, 8)) else {
                return Err(malformed("an entry that is cut off"));
            };
            blobs.push(database.overflow(first, length, &mut visited)?);
        }
    }
    Ok(blobs)
}

fn malformed(what: &str) -> ExtractError {
    ExtractError::new(format!("a malformed Berkeley DB database: {what}"))
}

struct Database<'a> {
    file: &'a [u8],
    page_size: usize,
    number: Numbers,
}

impl Database<'_> {
    /// A value from its chain of pages. No page belongs to two values, so a file in circles ends.
    fn overflow(&self, first: usize, length: usize, visited: &mut HashSet<usize>) -> Result<Vec<u8>, ExtractError> {
        if length > self.file.len() {
            return Err(malformed("a value longer than the file"));
        }
        let mut value = Vec::with_capacity(length);
        let mut number = first;
        while value.len() < length {
            if number == 0 || !visited.insert(number) {
                return Err(malformed("overflow pages in a circle, or too few"));
            }
            let page = number
                .checked_mul(self.page_size)
                .and_then(|start| self.file.get(start..start.checked_add(self.page_size)?));
            let page =
                page.filter(|page| page.get(25) == Some(&OVERFLOW)).ok_or_else(|| malformed("an overflow page"))?;
            let used = self.number.u16(page, 22).ok_or_else(|| malformed("an overflow page"))?;
            let data = page.get(PAGE_HEADER..).and_then(|data| data.get(..used)).filter(|data| !data.is_empty());
            value.extend_from_slice(data.ok_or_else(|| malformed("an overflow page"))?);
            number = self.number.u32(page, 16).ok_or_else(|| malformed("an overflow page"))?;
        }
        value.truncate(length);
        Ok(value)
    }
}

#[derive(Clone, Copy)]
struct Numbers {
    big_endian: bool,
}

impl Numbers {
    fn u16(self, bytes: &[u8], at: usize) -> Option<usize> {
        let chunk = *bytes.get(at..)?.first_chunk()?;
        Some(usize::from(if self.big_endian { u16::from_be_bytes(chunk) } else { u16::from_le_bytes(chunk) }))
    }

    fn u32(self, bytes: &[u8], at: usize) -> Option<usize> {
        let chunk = *bytes.get(at..)?.first_chunk()?;
        usize::try_from(if self.big_endian { u32::from_be_bytes(chunk) } else { u32::from_le_bytes(chunk) }).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn never_panics(mut bytes in proptest::collection::vec(proptest::num::u8::ANY, 2048..4096)) {
            bytes[12..16].copy_from_slice(&MAGIC.to_le_bytes());
            bytes[20..24].copy_from_slice(&512_u32.to_le_bytes());
            bytes[25] = HASH_META;
            bytes[512 + 25] = HASH;
            bytes[1024 + 25] = OVERFLOW;
            let _ = blobs(&bytes);
        }
    }
}
