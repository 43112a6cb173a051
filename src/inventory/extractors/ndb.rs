//! The blobs of an rpm database in NDB form (`Packages.db`, rpm's own format, used by SUSE): slots that point to blobs,
//! all little-endian (`lib/backend/ndb/rpmpkg.c`).

use crate::inventory::ExtractError;

pub(super) const MAGIC: &[u8] = b"RpmP";

const PAGE: usize = 4096;
const SLOT: usize = 16;
/// The header takes the place of the first two slots.
const HEADER: usize = 2 * SLOT;
/// Blobs lie at multiples of this.
const BLOCK: usize = 16;
const MOST_SLOT_PAGES: usize = 1 << 12;

/// All blobs, in the order of their slots.
pub(super) fn blobs(file: &[u8]) -> Result<Vec<Vec<u8>>, ExtractError> {
    let malformed = |what: &str| ExtractError::new(format!("a malformed NDB database: {what}"));
    let pages =
        le32(file, 12).filter(|pages| (1..=MOST_SLOT_PAGES).contains(pages)).ok_or_else(|| malformed("slot pages"))?;
    let slots = file.get(HEADER..pages * PAGE).ok_or_else(|| malformed("slots beyond the end of the file"))?;
    let mut blobs = Vec::new();
    let mut total = 0_usize;
    for slot in slots.as_chunks::<SLOT>().0 {
        if !slot.starts_with(b"Slot") {
            return Err(malformed("a slot without its magic"));
        }
        let (Some(package @ 1..), Some(block)) = (le32(slot, 4), le32(slot, 8)) else { continue };
        let blob =
            file.get(block.saturating_mul(BLOCK)..).ok_or_else(|| malformed("a blob beyond the end of the file"))?;
        if !blob.starts_with(b"BlbS") || le32(blob, 4) != Some(package) {
            return Err(malformed("a blob that is not the slot's"));
        }
        let length = le32(blob, 12).ok_or_else(|| malformed("blob length"))?;
        let data = blob.get(16..).and_then(|data| data.get(..length)).ok_or_else(|| malformed("blob length"))?;
        // Slots may point to the same blob; together they hold no more than the file.
        total = total.saturating_add(length);
        if total > file.len() {
            return Err(malformed("blobs that overlap"));
        }
        blobs.push(data.to_vec());
    }
    Ok(blobs)
}

fn le32(bytes: &[u8], at: usize) -> Option<usize> {
    usize::try_from(u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn never_panics(mut bytes in proptest::collection::vec(proptest::num::u8::ANY, 4096..4200), slot in 0_usize..250) {
            bytes[12..16].copy_from_slice(&1_u32.to_le_bytes());
            for chunk in bytes[HEADER..PAGE].chunks_mut(SLOT) {
                chunk[..4].copy_from_slice(b"Slot");
                chunk[4..8].fill(0);
            }
            bytes[HEADER + slot * SLOT + 4] = 1;
            let _ = blobs(&bytes);
        }
    }
}
