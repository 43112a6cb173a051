//! What is asked of an executable's container: the bytes of a section, and the bytes from an address on.

use object::{BinaryFormat, Object, ObjectSection, ObjectSegment};

use super::elf::Elf;

/// Sections and segments that are looked at; more are the mark of a hostile file.
const MOST_PARTS: usize = 10_000;

/// An executable in memory.
pub(super) enum Executable<'a> {
    /// The form of Linux.
    Elf(Elf<'a>),
    /// Windows' PE and Apple's Mach-O, read by a library.
    Other(Box<object::File<'a>>),
}

impl<'a> Executable<'a> {
    pub(super) fn parse(data: &'a [u8]) -> Option<Self> {
        if let Some(elf) = Elf::parse(data) {
            return Some(Self::Elf(elf));
        }
        let file = object::File::parse(data).ok()?;
        let is_known = matches!(file.format(), BinaryFormat::Pe | BinaryFormat::MachO);
        is_known.then(|| Self::Other(Box::new(file)))
    }

    /// Whether build information, if there is any, lies in a section of its own.
    pub(super) fn has_sections(&self) -> bool {
        matches!(self, Self::Elf(elf) if elf.has_sections())
    }

    /// The bytes of a section.
    pub(super) fn section(&self, name: &str) -> Option<&'a [u8]> {
        match self {
            Self::Elf(elf) => elf.section(name),
            Self::Other(file) => {
                let mut sections = file.sections().take(MOST_PARTS);
                sections.find(|section| section.name() == Ok(name))?.data().ok()
            }
        }
    }

    /// The bytes from an address on, to the end of what the file has of its segment.
    pub(super) fn at_address(&self, address: u64) -> Option<&'a [u8]> {
        match self {
            Self::Elf(elf) => elf.at_address(address),
            Self::Other(file) => file.segments().take(MOST_PARTS).find_map(|segment| {
                let inside = usize::try_from(address.checked_sub(segment.address())?).ok()?;
                segment.data().ok()?.get(inside..).filter(|bytes| !bytes.is_empty())
            }),
        }
    }

    /// The number of `length` bytes (4 or 8) at an offset in some bytes, in the file's byte order.
    pub(super) fn number_in(&self, bytes: &[u8], offset: usize, length: usize) -> Option<u64> {
        match self {
            Self::Elf(elf) => elf.number_in(bytes, offset, length),
            Self::Other(_) => {
                let bytes = bytes.get(offset..)?.get(..length)?;
                Some(bytes.iter().rev().fold(0, |number, &byte| number << 8 | u64::from(byte)))
            }
        }
    }
}
