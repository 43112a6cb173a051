//! rpm's own database NDB (`Packages.db`, SUSE): pages of slots that point at blobs, little-endian. Format: the head of
//! rpm's `lib/backend/ndb/rpmpkg.c`.

use super::super::bytes::{position, slice, u32_le};
use super::{Broken, Found};

const HEADER_MAGIC: &[u8] = b"RpmP";
const SLOT_MAGIC: &[u8] = b"Slot";
const BLOB_MAGIC: &[u8] = b"BlbS";
const PAGE: usize = 4096;
const SLOT: usize = 16;
/// The header takes the place of two slots.
const HEADER: usize = 2 * SLOT;
/// Blobs begin at multiples of this.
const BLOCK: usize = 16;
const BLOB_HEADER: usize = 16;

pub(super) fn is_ndb(data: &[u8]) -> bool {
    data.starts_with(HEADER_MAGIC)
}

pub(super) fn read(data: &[u8], found: &mut Found) -> Result<(), Broken> {
    if u32_le(data, 4) != Some(0) {
        return Err("an unknown version of NDB");
    }
    let pages = position(u32_le(data, 12).ok_or("the header is cut off")?);
    let slots = pages.checked_mul(PAGE).and_then(|end| data.get(HEADER..end)).ok_or("the slots are cut off")?;
    for slot in slots.chunks_exact(SLOT) {
        if !slot.starts_with(SLOT_MAGIC) {
            return Err("a slot without its mark");
        }
        let (Some(package), Some(block)) = (u32_le(slot, 4), u32_le(slot, 8)) else { continue };
        if package == 0 {
            continue; // a free slot
        }
        let blob = blob(data, package, position(block)).ok_or("a slot points at no blob")?;
        if !found.header(blob) {
            break;
        }
    }
    Ok(())
}

fn blob(data: &[u8], package: u32, block: usize) -> Option<&[u8]> {
    let start = block.checked_mul(BLOCK)?;
    let header = slice(data, start, BLOB_HEADER)?;
    if !header.starts_with(BLOB_MAGIC) || u32_le(header, 4)? != package {
        return None;
    }
    slice(data, start + BLOB_HEADER, position(u32_le(header, 12)?))
}
