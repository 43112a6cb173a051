//! Bounds-checked numbers from a slice of bytes.

/// The `N` bytes at `offset`.
pub(super) fn array<const N: usize>(data: &[u8], offset: usize) -> Option<[u8; N]> {
    data.get(offset..)?.first_chunk::<N>().copied()
}

/// `length` bytes at `offset`.
pub(super) fn slice(data: &[u8], offset: usize, length: usize) -> Option<&[u8]> {
    data.get(offset..offset.checked_add(length)?)
}

pub(super) fn u16_be(data: &[u8], offset: usize) -> Option<u16> {
    array(data, offset).map(u16::from_be_bytes)
}

pub(super) fn u32_be(data: &[u8], offset: usize) -> Option<u32> {
    array(data, offset).map(u32::from_be_bytes)
}

pub(super) fn u32_le(data: &[u8], offset: usize) -> Option<u32> {
    array(data, offset).map(u32::from_le_bytes)
}

/// A position in a file, which is smaller than the address space.
pub(super) fn position(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}
