//! What executables have in common: which files may be one, and where their sections and addresses lie.

use object::{Object, ObjectSection, ObjectSegment};

use crate::image::Entry;

/// Beginnings of ELF, PE and Mach-O files.
const MAGICS: [&[u8]; 5] = [b"\x7fELF", b"MZ", b"\xcf\xfa\xed\xfe", b"\xce\xfa\xed\xfe", b"\xca\xfe\xba\xbe"];

/// Whether a file may be a program by size and mode. A program without execute permission cannot be run as one.
pub(super) fn may_be(entry: &Entry<'_>) -> bool {
    entry.size >= 4096 && entry.mode & 0o111 != 0
}

/// Whether the beginning is that of a program.
pub(super) fn is(beginning: &[u8]) -> bool {
    MAGICS.iter().any(|magic| beginning.starts_with(magic))
}

/// The content of a section.
pub(super) fn section<'a>(file: &object::File<'a>, name: &str) -> Option<&'a [u8]> {
    file.section_by_name(name)?.data().ok().filter(|data| !data.is_empty())
}

/// `length` bytes at a virtual address.
pub(super) fn at_address<'a>(file: &object::File<'a>, address: u64, length: u64) -> Option<&'a [u8]> {
    file.segments().find_map(|segment| segment.data_range(address, length).ok().flatten())
}
