//! SQLite's file format, as much of it as reading the rows of one table takes: the schema, a table b-tree, overflow pages;
//! and what a write-ahead log has committed. Format: SQLite's "Database File Format".

use std::collections::BTreeMap;

use super::bytes::{position, slice, u16_be, u32_be};
use crate::inventory::fact::SqliteLog;

const MAGIC: &[u8] = b"SQLite format 3\0";
const FILE_HEADER: usize = 100;
const INTERIOR_TABLE: u8 = 5;
const LEAF_TABLE: u8 = 13;
/// Levels of a b-tree; SQLite's own never exceed 20.
const DEEPEST: usize = 32;

const LOG_MAGIC: u32 = 0x377f_0682;
const LOG_HEADER: usize = 32;
const LOG_FRAME_HEADER: usize = 24;

/// A rule of the format that the file breaks.
pub(super) type Broken = &'static str;

pub(super) fn is_sqlite(data: &[u8]) -> bool {
    data.starts_with(MAGIC)
}

/// Shows the rows of a table to `each`, in their order, until it says no; [`column`] reads them.
pub(super) fn rows(data: &[u8], table: &str, each: &mut dyn FnMut(&[u8]) -> bool) -> Result<(), Broken> {
    let file = Pages::open(data).ok_or("the file header is malformed")?;
    let mut root = None;
    file.walk(1, &mut |record| {
        // type, name, tbl_name, rootpage, sql
        if column(record, 0) == Some(b"table") && column(record, 1) == Some(table.as_bytes()) {
            root = column(record, 3).and_then(integer);
        }
        root.is_none()
    })?;
    file.walk(root.ok_or("there is no table of its packages")?, each)
}

/// The pages that a write-ahead log has committed, the last state of each. Frames count up to the first whose checksum or
/// salt is not the log's: what follows is an older log's, or was never finished.
pub(super) fn committed(data: &[u8]) -> Option<SqliteLog> {
    let magic = u32_be(data, 0).filter(|magic| magic & !1 == LOG_MAGIC)?;
    let is_big_endian = magic & 1 == 1;
    let page_size = position(u32_be(data, 8)?);
    if !page_size.is_power_of_two() || !(512..=65_536).contains(&page_size) {
        return None;
    }
    let salts = slice(data, 16, 8)?;
    let mut sums = checksum((0, 0), slice(data, 0, LOG_HEADER - 8)?, is_big_endian);
    let is_sum =
        |bytes: &[u8], at, sums: (u32, u32)| (u32_be(bytes, at), u32_be(bytes, at + 4)) == (Some(sums.0), Some(sums.1));
    if !is_sum(data, LOG_HEADER - 8, sums) {
        return None;
    }
    let mut log = SqliteLog { page_size, pages: 0, content: BTreeMap::new() };
    let mut pending = Vec::new();
    for frame in data.get(LOG_HEADER..)?.chunks_exact(LOG_FRAME_HEADER + page_size) {
        let (header, page) = frame.split_at_checked(LOG_FRAME_HEADER)?;
        sums = checksum(checksum(sums, slice(header, 0, 8)?, is_big_endian), page, is_big_endian);
        if slice(header, 8, 8) != Some(salts) || !is_sum(header, 16, sums) {
            break;
        }
        pending.push((u32_be(header, 0)?, page));
        let size = u32_be(header, 4)?;
        if size != 0 {
            log.pages = size;
            log.content.extend(pending.drain(..).map(|(number, page)| (number, page.to_vec())));
        }
    }
    (!log.content.is_empty()).then_some(log)
}

/// The log's checksum, continued: words in pairs.
fn checksum((mut first, mut second): (u32, u32), data: &[u8], is_big_endian: bool) -> (u32, u32) {
    let word = |bytes: &[u8]| {
        let bytes = bytes.first_chunk().copied().unwrap_or_default();
        if is_big_endian { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) }
    };
    for pair in data.chunks_exact(8) {
        first = first.wrapping_add(word(pair)).wrapping_add(second);
        second = second.wrapping_add(word(pair.get(4..).unwrap_or_default())).wrapping_add(first);
    }
    (first, second)
}

/// Puts the pages of a log in their places.
pub(super) fn apply(data: &mut Vec<u8>, log: &SqliteLog) -> Result<(), Broken> {
    let known = data.len() / log.page_size;
    let pages = position(log.pages);
    // Each new page was written, so a database cannot grow by more than the log has.
    if pages > known.saturating_add(log.content.len()) {
        return Err("its write-ahead log belongs to another database");
    }
    let length = pages.checked_mul(log.page_size).ok_or("its write-ahead log states a size that cannot be")?;
    data.resize(length, 0);
    for (&number, page) in &log.content {
        let start = position(number).checked_sub(1).and_then(|index| index.checked_mul(log.page_size));
        let place = start.and_then(|start| data.get_mut(start..start.checked_add(page.len())?));
        // A page beyond the end was cut off again.
        if let Some(place) = place {
            place.copy_from_slice(page);
        }
    }
    match Pages::open(data) {
        Some(file) if file.page_size == log.page_size => Ok(()),
        _ => Err("its write-ahead log has pages of another size"),
    }
}

struct Pages<'a> {
    data: &'a [u8],
    page_size: usize,
    /// Bytes of a page that hold content: some may be reserved at its end.
    usable: usize,
}

impl<'a> Pages<'a> {
    fn open(data: &'a [u8]) -> Option<Self> {
        let page_size = match usize::from(u16_be(data, 16)?) {
            1 => 65_536,
            size if size.is_power_of_two() && size >= 512 => size,
            _ => return None,
        };
        let usable = page_size.checked_sub(usize::from(*data.get(20)?))?;
        (usable >= 480).then_some(Self { data, page_size, usable })
    }

    fn page(&self, number: u32) -> Option<&'a [u8]> {
        let start = position(number.checked_sub(1)?).checked_mul(self.page_size)?;
        slice(self.data, start, self.page_size)
    }

    /// Shows the records of a table to `each`, in order, until it says no.
    fn walk(&self, root: u32, each: &mut dyn FnMut(&[u8]) -> bool) -> Result<(), Broken> {
        let mut visited = vec![false; self.data.len() / self.page_size + 1];
        // Pages still to be read, the next one last, with their depth.
        let mut pending = vec![(root, 0_usize)];
        let mut payload = Vec::new();
        // In a sound file records do not overlap.
        let mut left = self.data.len();
        while let Some((number, depth)) = pending.pop() {
            let seen = visited.get_mut(position(number)).ok_or("a page number outside of the file")?;
            if std::mem::replace(seen, true) {
                return Err("a page has two parents");
            }
            if depth > DEEPEST {
                return Err("the table is too deep");
            }
            let page = self.page(number).ok_or("a page is cut off")?;
            let header = if number == 1 { FILE_HEADER } else { 0 };
            let kind = page.get(header).ok_or("a page is cut off")?;
            let cells = usize::from(u16_be(page, header + 3).ok_or("a page is cut off")?);
            let interior = match *kind {
                INTERIOR_TABLE => true,
                LEAF_TABLE => false,
                _ => return Err("a page that is none of a table's"),
            };
            let pointers = header + if interior { 12 } else { 8 };
            let cell = |index: usize| u16_be(page, pointers + 2 * index).map(usize::from).ok_or("a cell is cut off");
            if interior {
                let first = pending.len();
                for index in 0..cells {
                    pending.push((u32_be(page, cell(index)?).ok_or("a cell is cut off")?, depth + 1));
                }
                pending.push((u32_be(page, header + 8).ok_or("a page is cut off")?, depth + 1));
                // More children than pages means that some occur twice.
                if pending.len() > visited.len() {
                    return Err("a page has two parents");
                }
                pending.get_mut(first..).unwrap_or_default().reverse();
                continue;
            }
            for index in 0..cells {
                self.payload(page, cell(index)?, &mut visited, &mut payload).ok_or("a record is cut off")?;
                left = left.checked_sub(payload.len()).ok_or("records overlap")?;
                if !each(&payload) {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// The record of a cell: what is in the page and what follows on overflow pages.
    fn payload(&self, page: &[u8], cell: usize, visited: &mut [bool], payload: &mut Vec<u8>) -> Option<()> {
        payload.clear();
        let mut at = page.get(cell..)?;
        let length = usize::try_from(varint(&mut at)?).ok()?;
        let _row = varint(&mut at)?;
        let local = self.local(length);
        payload.extend_from_slice(at.get(..local)?);
        if local == length {
            return Some(());
        }
        let mut next = u32_be(at, local)?;
        while payload.len() < length {
            if std::mem::replace(visited.get_mut(position(next))?, true) {
                return None;
            }
            let page = self.page(next)?;
            let part = (length - payload.len()).min(self.usable - 4);
            payload.extend_from_slice(slice(page, 4, part)?);
            next = u32_be(page, 0)?;
        }
        Some(())
    }

    /// How much of a record stands in the leaf page itself.
    fn local(&self, length: usize) -> usize {
        let most = self.usable - 35;
        if length <= most {
            return length;
        }
        let least = (self.usable - 12) * 32 / 255 - 23;
        let wanted = least + (length - least) % (self.usable - 4);
        if wanted <= most { wanted } else { least }
    }
}

/// A big-endian number of 7 bits a byte, at most 9 bytes; takes it off the front.
fn varint(data: &mut &[u8]) -> Option<u64> {
    let mut value = 0_u64;
    for index in 0..9 {
        let (&byte, rest) = data.split_first()?;
        *data = rest;
        if index == 8 {
            return Some(value << 8 | u64::from(byte));
        }
        value = value << 7 | u64::from(byte & 0x7f);
        if byte & 0x80 == 0 {
            break;
        }
    }
    Some(value)
}

/// The bytes of a record's column, the first being 0.
pub(super) fn column(record: &[u8], wanted: usize) -> Option<&[u8]> {
    let mut rest = record;
    let header = usize::try_from(varint(&mut rest)?).ok()?;
    let mut types = record.get(record.len() - rest.len()..header)?;
    let mut offset = header;
    for _ in 0..wanted {
        offset = offset.checked_add(size_of_type(varint(&mut types)?)?)?;
    }
    slice(record, offset, size_of_type(varint(&mut types)?)?)
}

/// Bytes that a value of a serial type takes.
fn size_of_type(serial: u64) -> Option<usize> {
    Some(match serial {
        0 | 8 | 9 => 0,
        1..=4 => usize::try_from(serial).ok()?,
        5 => 6,
        6 | 7 => 8,
        10 | 11 => return None,
        _ => usize::try_from((serial - 12) / 2).ok()?,
    })
}

/// A page number stored as a number of up to four bytes.
fn integer(bytes: &[u8]) -> Option<u32> {
    (!bytes.is_empty() && bytes.len() <= 4).then(|| bytes.iter().fold(0, |number, &byte| number << 8 | u32::from(byte)))
}
