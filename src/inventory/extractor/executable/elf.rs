//! ELF, as much of it as finding a section by name and bytes by address takes. Format: System V ABI, "Object Files".

use super::super::bytes::{array, slice};

const SECTION_NO_BITS: u64 = 8;
const SEGMENT_LOAD: u64 = 1;
/// Headers that are looked at; more are the mark of a hostile file.
const MOST_HEADERS: usize = 10_000;

/// An ELF file in memory.
pub(super) struct Elf<'a> {
    data: &'a [u8],
    is_64: bool,
    is_big_endian: bool,
}

impl<'a> Elf<'a> {
    pub(super) fn parse(data: &'a [u8]) -> Option<Self> {
        let (&class, &order) = (data.get(4)?, data.get(5)?);
        let is_known = data.starts_with(&super::ELF_MAGIC) && matches!((class, order), (1 | 2, 1 | 2));
        is_known.then_some(Self { data, is_64: class == 2, is_big_endian: order == 2 })
    }

    /// Whether sections have names; a stripped program keeps them, a packed one need not.
    pub(super) fn has_sections(&self) -> bool {
        let (names, count) = if self.is_64 { (62, 60) } else { (50, 48) };
        self.number(names, 2).is_some_and(|index| index != 0) && self.number(count, 2).is_some_and(|count| count != 0)
    }

    /// The bytes of a section.
    pub(super) fn section(&self, name: &str) -> Option<&'a [u8]> {
        let (table, size, count, names) = if self.is_64 {
            (self.number(40, 8)?, self.number(58, 2)?, self.number(60, 2)?, self.number(62, 2)?)
        } else {
            (self.number(32, 4)?, self.number(46, 2)?, self.number(48, 2)?, self.number(50, 2)?)
        };
        let header = |index: usize| table.checked_add(index.checked_mul(size)?);
        let names = self.section_bytes(header(names)?)?;
        (0..count.min(MOST_HEADERS)).find_map(|index| {
            let header = header(index)?;
            let rest = names.get(self.number(header, 4)?..)?.strip_prefix(name.as_bytes())?;
            (rest.first() == Some(&0)).then(|| self.section_bytes(header)).flatten()
        })
    }

    /// The bytes from an address on, to the end of what the file has of its segment.
    pub(super) fn at_address(&self, address: u64) -> Option<&'a [u8]> {
        let (table, size, count) = if self.is_64 {
            (self.number(32, 8)?, self.number(54, 2)?, self.number(56, 2)?)
        } else {
            (self.number(28, 4)?, self.number(42, 2)?, self.number(44, 2)?)
        };
        let address = usize::try_from(address).ok()?;
        (0..count.min(MOST_HEADERS)).find_map(|index| {
            let header = table.checked_add(index.checked_mul(size)?)?;
            let field = |at_64: usize, at_32: usize| {
                let (at, length) = if self.is_64 { (at_64, 8) } else { (at_32, 4) };
                self.number(header.checked_add(at)?, length)
            };
            let is_loaded = self.number(header, 4)? as u64 == SEGMENT_LOAD;
            let (offset, start, length) = (field(8, 4)?, field(16, 8)?, field(32, 16)?);
            let inside = address.checked_sub(start).filter(|&inside| is_loaded && inside < length)?;
            slice(self.data, offset, length).or_else(|| self.data.get(offset..))?.get(inside..)
        })
    }

    /// The number of `length` bytes at an offset in the file.
    pub(super) fn number(&self, offset: usize, length: usize) -> Option<usize> {
        usize::try_from(self.number_in(self.data, offset, length)?).ok()
    }

    /// The number of `length` bytes at an offset in some bytes, in the file's byte order.
    pub(super) fn number_in(&self, bytes: &[u8], offset: usize, length: usize) -> Option<u64> {
        let number = |bytes: &[u8]| bytes.iter().fold(0, |number, &byte| number << 8 | u64::from(byte));
        match length {
            2 => array::<2>(bytes, offset).map(|bytes| self.ordered(bytes, number)),
            4 => array::<4>(bytes, offset).map(|bytes| self.ordered(bytes, number)),
            _ => array::<8>(bytes, offset).map(|bytes| self.ordered(bytes, number)),
        }
    }

    fn ordered<const N: usize>(&self, mut bytes: [u8; N], number: impl Fn(&[u8]) -> u64) -> u64 {
        if !self.is_big_endian {
            bytes.reverse();
        }
        number(&bytes)
    }

    fn section_bytes(&self, header: usize) -> Option<&'a [u8]> {
        let field = |at_64: usize, at_32: usize| {
            let (at, length) = if self.is_64 { (at_64, 8) } else { (at_32, 4) };
            self.number(header.checked_add(at)?, length)
        };
        if self.number(header.checked_add(4)?, 4)? as u64 == SECTION_NO_BITS {
            return None;
        }
        slice(self.data, field(24, 16)?, field(32, 20)?)
    }
}
