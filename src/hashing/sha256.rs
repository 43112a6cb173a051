//! SHA-256 (FIPS 180-4) of a stream that comes in pieces, alone or together with another one.

use bytes::{Buf, Bytes};
use sha2::block_api::compress256;

use super::instructions::{Block, ShaInstructions};

/// The state before the first block.
const INITIAL: [u32; 8] =
    [0x6a09_e667, 0xbb67_ae85, 0x3c6e_f372, 0xa54f_f53a, 0x510e_527f, 0x9b05_688c, 0x1f83_d9ab, 0x5be0_cd19];

/// A hash of what came so far.
#[derive(Debug, Clone)]
pub(super) struct Sha256 {
    state: [u32; 8],
    /// The block that is not complete yet, as far as `length` says.
    rest: Block,
    /// In bytes.
    length: u64,
}

impl Default for Sha256 {
    fn default() -> Self {
        Self { state: INITIAL, rest: [0; 64], length: 0 }
    }
}

impl Sha256 {
    /// Takes what follows.
    pub(super) fn update(&mut self, bytes: &[u8]) {
        let bytes = self.complete_block(bytes);
        let (blocks, rest) = bytes.as_chunks();
        compress(&mut self.state, blocks);
        self.length += bytes.len() as u64;
        self.rest.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
    }

    /// Takes what follows in two streams at once: all of one of them at least, and leaves what is not taken.
    pub(super) fn update_two(
        instructions: ShaInstructions,
        one: (&mut Self, &mut Bytes),
        two: (&mut Self, &mut Bytes),
    ) {
        let ((one, of_one), (two, of_two)) = (one, two);
        for (hash, bytes) in [(&mut *one, &mut *of_one), (&mut *two, &mut *of_two)] {
            let left = hash.complete_block(bytes).len();
            bytes.advance(bytes.len() - left);
        }
        let (blocks_of_one, blocks_of_two) = (of_one.as_chunks().0, of_two.as_chunks().0);
        let common = 64 * blocks_of_one.len().min(blocks_of_two.len());
        instructions.compress_two([&mut one.state, &mut two.state], [blocks_of_one, blocks_of_two]);
        for (hash, bytes) in [(one, of_one), (two, of_two)] {
            hash.length += common as u64;
            bytes.advance(common);
            if bytes.len() < 64 {
                hash.update(bytes);
                bytes.clear();
            }
        }
    }

    /// The hash of all that came.
    pub(super) fn finish(mut self) -> [u8; 32] {
        let bits = self.length.wrapping_mul(8).to_be_bytes();
        let begun = self.begun();
        // A one, zeros, and the length as the last eight bytes of a block.
        let zeros = if begun < 56 { 55 - begun } else { 119 - begun };
        self.update(&[0x80]);
        self.update([0; 64].get(..zeros).unwrap_or_default());
        self.update(&bits);
        let mut hash = [0; 32];
        let words = self.state.iter().flat_map(|word| word.to_be_bytes());
        hash.iter_mut().zip(words).for_each(|(to, from)| *to = from);
        hash
    }

    /// Fills up the block that was begun, and gives what is left; that is nothing, or begins at a block.
    fn complete_block<'b>(&mut self, bytes: &'b [u8]) -> &'b [u8] {
        let begun = self.begun();
        if begun == 0 {
            return bytes;
        }
        let (first, left) = bytes.split_at(bytes.len().min(64 - begun));
        self.rest.iter_mut().skip(begun).zip(first).for_each(|(to, from)| *to = *from);
        self.length += first.len() as u64;
        if self.begun() == 0 {
            compress(&mut self.state, &[self.rest]);
        }
        left
    }

    /// Bytes of the block that is not complete.
    fn begun(&self) -> usize {
        (self.length % 64) as usize
    }
}

fn compress(state: &mut [u32; 8], blocks: &[Block]) {
    match ShaInstructions::detect() {
        Some(instructions) => instructions.compress(state, blocks),
        None => compress256(state, blocks),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use sha2::Digest as _;

    use super::*;

    fn expected(bytes: &[u8]) -> [u8; 32] {
        sha2::Sha256::digest(bytes).into()
    }

    #[test]
    fn agrees_with_the_library_for_every_length_of_the_last_block() {
        let bytes: Vec<u8> = (0..300u32).map(|i| (i * i) as u8).collect();
        for length in 0..bytes.len() {
            let mut hash = Sha256::default();
            hash.update(&bytes[..length]);
            assert_eq!(hash.finish(), expected(&bytes[..length]), "{length} bytes");
        }
    }

    proptest! {
        #[test]
        fn agrees_with_the_library_however_the_streams_are_cut(
            pieces in prop::collection::vec((any::<bool>(), prop::collection::vec(any::<u8>(), 0..400)), 0..12),
        ) {
            let Some(instructions) = ShaInstructions::detect() else { return Ok(()) };
            let (mut one, mut two) = (Sha256::default(), Sha256::default());
            let (mut of_one, mut of_two) = (Bytes::new(), Bytes::new());
            let mut all = [Vec::new(), Vec::new()];
            for (first, piece) in pieces {
                let (waiting, all) = if first { (&mut of_one, &mut all[0]) } else { (&mut of_two, &mut all[1]) };
                all.extend_from_slice(&piece);
                *waiting = [&waiting[..], &piece].concat().into();
                Sha256::update_two(instructions, (&mut one, &mut of_one), (&mut two, &mut of_two));
                prop_assert!(of_one.is_empty() || of_two.is_empty());
            }
            one.update(&of_one);
            two.update(&of_two);
            prop_assert_eq!(one.finish(), expected(&all[0]));
            prop_assert_eq!(two.finish(), expected(&all[1]));
        }
    }
}
