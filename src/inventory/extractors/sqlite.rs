//! The blobs of one table of a SQLite database file, read-only and in memory.
//!
//! Follows the "Database File Format" document of SQLite: table b-trees with overflow pages. Indexes, free pages and
//! everything else are passed over. Pages are visited once at most, so a file that points in circles ends.

use std::collections::HashSet;

use crate::inventory::ExtractError;

pub(super) const MAGIC: &[u8] = b"SQLite format 3\0";

const LEAF: u8 = 13;
const INTERIOR: u8 = 5;
const HEADER: usize = 100;
const MOST_COLUMNS: usize = 64;

/// The blob columns of all rows of `table`, in row order.
pub(super) fn blobs(file: &[u8], table: &str) -> Result<Vec<Vec<u8>>, ExtractError> {
    let database = Database::open(file)?;
    let root = database.root_of(table)?;
    let mut blobs = Vec::new();
    database.rows(root, &mut |record| {
        blobs.extend(columns(record).into_iter().filter_map(|column| match column {
            Column::Blob(bytes) => Some(bytes.to_vec()),
            _ => None,
        }));
    })?;
    Ok(blobs)
}

struct Database<'a> {
    file: &'a [u8],
    page_size: usize,
    /// Bytes of a page that hold content.
    usable: usize,
}

enum Column<'a> {
    Integer(i64),
    Text(&'a [u8]),
    Blob(&'a [u8]),
    Other,
}

fn malformed(what: &str) -> ExtractError {
    ExtractError::new(format!("a malformed sqlite database: {what}"))
}

impl<'a> Database<'a> {
    fn open(file: &'a [u8]) -> Result<Self, ExtractError> {
        let header = file.first_chunk::<HEADER>().ok_or_else(|| malformed("no header"))?;
        let page_size = match u16::from_be_bytes([header[16], header[17]]) {
            1 => 65536,
            size if size >= 512 && size.is_power_of_two() => usize::from(size),
            _ => return Err(malformed("page size")),
        };
        let usable = page_size - usize::from(header[20]);
        if usable < 480 { Err(malformed("reserved space")) } else { Ok(Self { file, page_size, usable }) }
    }

    /// A page by its number, counted from 1.
    fn page(&self, number: usize) -> Result<&'a [u8], ExtractError> {
        let start = number.checked_sub(1).and_then(|index| index.checked_mul(self.page_size));
        let page = start.and_then(|start| self.file.get(start..start.checked_add(self.page_size)?));
        page.and_then(|page| page.get(..self.usable)).ok_or_else(|| malformed("a page beyond the end of the file"))
    }

    /// The root page of a table, from the schema on page 1: (type, name, tbl_name, rootpage, sql).
    fn root_of(&self, table: &str) -> Result<usize, ExtractError> {
        let mut root = None;
        self.rows(1, &mut |record| {
            let columns = columns(record);
            if let [Column::Text(b"table"), Column::Text(name), _, Column::Integer(page), ..] = columns.as_slice()
                && *name == table.as_bytes()
            {
                root = usize::try_from(*page).ok();
            }
        })?;
        root.ok_or_else(|| malformed(&format!("no table `{table}`")))
    }

    /// Calls `row` with the record of each row below `root`.
    fn rows(&self, root: usize, row: &mut dyn FnMut(&[u8])) -> Result<(), ExtractError> {
        let mut visited = HashSet::new();
        let mut pending = vec![root];
        while let Some(number) = pending.pop() {
            if !visited.insert(number) {
                return Err(malformed("pages that point in a circle"));
            }
            let page = self.page(number)?;
            let start = if number == 1 { HEADER } else { 0 };
            let kind = *page.get(start).ok_or_else(|| malformed("an empty page"))?;
            let count = be16(page, start + 3).ok_or_else(|| malformed("cell count"))?;
            let pointers = start + if kind == INTERIOR { 12 } else { 8 };
            let cells = (0..count).map(|index| be16(page, pointers + 2 * index));
            match kind {
                LEAF => {
                    for cell in cells {
                        let cell = cell.and_then(|at| page.get(at..)).ok_or_else(|| malformed("cell offset"))?;
                        row(&self.record(cell)?);
                    }
                }
                INTERIOR => {
                    let mut children: Vec<usize> = Vec::with_capacity(count + 1);
                    for cell in cells {
                        children.push(cell.and_then(|at| be32(page, at)).ok_or_else(|| malformed("child page"))?);
                    }
                    children.push(be32(page, start + 8).ok_or_else(|| malformed("child page"))?);
                    pending.extend(children.into_iter().rev());
                }
                _ => return Err(malformed("a page of an unexpected kind")),
            }
        }
        Ok(())
    }

    /// The record of a leaf cell, put together from its overflow pages.
    fn record(&self, cell: &'a [u8]) -> Result<Vec<u8>, ExtractError> {
        let (size, cell) = varint(cell).ok_or_else(|| malformed("record size"))?;
        let (_row, cell) = varint(cell).ok_or_else(|| malformed("row id"))?;
        let size = usize::try_from(size)
            .ok()
            .filter(|size| *size <= self.file.len())
            .ok_or_else(|| malformed("record size"))?;
        let local = self.local_size(size);
        let mut record = Vec::with_capacity(size);
        record.extend_from_slice(cell.get(..local).ok_or_else(|| malformed("a record beyond its page"))?);
        let mut next = if local < size { be32(cell, local) } else { Some(0) };
        while record.len() < size {
            let number = next.filter(|number| *number != 0).ok_or_else(|| malformed("overflow ends early"))?;
            let page = self.page(number)?;
            next = be32(page, 0);
            let take = (size - record.len()).min(self.usable - 4);
            record.extend_from_slice(page.get(4..4 + take).ok_or_else(|| malformed("overflow page"))?);
        }
        Ok(record)
    }

    /// How much of a record lies in its cell ("Cell Payload Overflow Pages").
    fn local_size(&self, size: usize) -> usize {
        let largest = self.usable - 35;
        if size <= largest {
            return size;
        }
        let smallest = (self.usable - 12) * 32 / 255 - 23;
        let fitting = smallest + (size - smallest) % (self.usable - 4);
        if fitting <= largest { fitting } else { smallest }
    }
}

/// The columns of a record ("Record Format"); what is malformed ends the list.
fn columns(record: &[u8]) -> Vec<Column<'_>> {
    let mut columns = Vec::new();
    let Some((header_size, rest)) = varint(record) else { return columns };
    let used = record.len() - rest.len();
    let Ok(header_size) = usize::try_from(header_size) else { return columns };
    let (Some(mut types), Some(mut body)) = (record.get(used..header_size), record.get(header_size..)) else {
        return columns;
    };
    while let Some((kind, rest)) = varint(types).filter(|_| columns.len() < MOST_COLUMNS) {
        types = rest;
        let length = match kind {
            0 | 8 | 9 => 0,
            1..=4 => kind,
            5 => 6,
            6 | 7 => 8,
            _ => kind.saturating_sub(12) / 2,
        };
        let Some((value, tail)) = usize::try_from(length).ok().and_then(|length| body.split_at_checked(length)) else {
            break;
        };
        body = tail;
        columns.push(match kind {
            1..=6 => Column::Integer(
                value
                    .iter()
                    .fold(if value.first().is_some_and(|b| *b >= 128) { -1 } else { 0 }, |n, b| n << 8 | i64::from(*b)),
            ),
            8 => Column::Integer(0),
            9 => Column::Integer(1),
            12.. if kind % 2 == 0 => Column::Blob(value),
            13.. => Column::Text(value),
            _ => Column::Other,
        });
    }
    columns
}

/// A variable-length integer: 7 bits a byte, 8 in the ninth.
fn varint(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let mut value = 0_u64;
    for (index, byte) in bytes.iter().take(9).enumerate() {
        if index == 8 {
            return Some((value << 8 | u64::from(*byte), bytes.get(9..)?));
        }
        value = value << 7 | u64::from(byte & 127);
        if byte & 128 == 0 {
            return Some((value, bytes.get(index + 1..)?));
        }
    }
    None
}

fn be16(bytes: &[u8], at: usize) -> Option<usize> {
    Some(usize::from(u16::from_be_bytes(*bytes.get(at..)?.first_chunk()?)))
}

fn be32(bytes: &[u8], at: usize) -> Option<usize> {
    usize::try_from(u32::from_be_bytes(*bytes.get(at..)?.first_chunk()?)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn varints_follow_the_format() {
        for (bytes, value) in [(&[0x7f][..], 127), (&[0x81, 0x00], 128), (&[0xff; 9], u64::MAX)] {
            assert_eq!(varint(bytes).map(|(value, _)| value), Some(value), "{bytes:?}");
        }
        assert_eq!(varint(&[0x80]), None);
    }

    proptest::proptest! {
        #[test]
        fn never_panics(mut bytes in proptest::collection::vec(proptest::num::u8::ANY, 512..2048), kind in 0..3) {
            bytes[..16].copy_from_slice(MAGIC);
            bytes[16..18].copy_from_slice(&512_u16.to_be_bytes());
            bytes[20] = 0;
            bytes[100] = [LEAF, INTERIOR, 2][kind as usize];
            let _ = blobs(&bytes, "Packages");
        }
    }
}
