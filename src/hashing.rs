//! SHA-256 of blobs that are read at the same time, two at once where the processor can.
//!
//! Layers are read in parallel, and hashing them is what costs most after inflating. Two hashes at once take little more
//! time than one ([`instructions`]), but their bytes come to different threads. So each thread leaves its bytes in a group,
//! shared with who decodes them, and goes on; whoever comes while another blob's bytes are waiting hashes both.

mod instructions;
mod sha256;

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

use crate::model::Digest;
use instructions::ShaInstructions;
use sha256::Sha256;

/// Bytes of a blob that may wait for company; beyond it they are hashed alone.
const WAITING: usize = 512 << 10;
/// What a piece counts at least, in bytes: its memory may be that of a larger one.
const LEAST_WEIGHT: usize = 16 << 10;
/// A piece of another blob that is worth taking, in bytes: it holds a whole block behind what one may lack that was begun.
const LEAST_TOGETHER: usize = 128;

/// Blobs that are read at the same time. Clones are the same group.
#[derive(Debug, Clone, Default)]
pub struct HashGroup(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    blobs: Mutex<Blobs>,
    /// Something was hashed.
    progress: Condvar,
}

#[derive(Debug, Default)]
struct Blobs {
    /// The number of the next blob.
    next: u64,
    begun: Vec<Blob>,
}

/// A blob whose bytes are coming.
#[derive(Debug)]
struct Blob {
    number: u64,
    /// `None` while a thread hashes its bytes.
    hash: Option<Sha256>,
    waiting: VecDeque<Bytes>,
}

/// The hash of one blob of a group.
#[derive(Debug)]
pub struct BlobHash {
    group: HashGroup,
    number: u64,
}

impl HashGroup {
    /// Begins the hash of another blob.
    #[must_use]
    pub fn begin(&self) -> BlobHash {
        let mut blobs = self.0.lock();
        let number = blobs.next;
        blobs.next += 1;
        blobs.begun.push(Blob { number, hash: Some(Sha256::default()), waiting: VecDeque::new() });
        BlobHash { group: self.clone(), number }
    }
}

impl BlobHash {
    /// Takes what follows. It is hashed now or later, by this thread or another one.
    pub fn update(&mut self, bytes: Bytes) {
        let mut blobs = self.group.0.lock();
        if let Some(blob) = blobs.get(self.number) {
            blob.waiting.push_back(bytes);
        }
        drop(self.group.0.hash(blobs, self.number, WAITING));
    }

    /// The digest of all bytes.
    #[must_use]
    pub fn finish(self) -> Digest {
        let mut blobs = self.group.0.hash(self.group.0.lock(), self.number, 0);
        let hash = blobs.get(self.number).and_then(|blob| blob.hash.take()).unwrap_or_default();
        drop(blobs);
        Digest::from_sha256(&hash.finish())
    }
}

impl Drop for BlobHash {
    fn drop(&mut self) {
        let number = self.number;
        self.group.0.lock().begun.retain(|blob| blob.number != number);
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Blobs> {
        self.blobs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Hashes a blob's bytes until no more than `left` are waiting, and beyond that as long as there is company: bytes of
    /// another blob. With `left` 0 nobody is hashing them afterwards.
    fn hash<'b>(&'b self, mut blobs: MutexGuard<'b, Blobs>, number: u64, left: usize) -> MutexGuard<'b, Blobs> {
        let instructions = ShaInstructions::detect();
        loop {
            let Some(own) = blobs.get(number) else { return blobs };
            let waiting: usize = own.waiting.iter().map(|piece| piece.len().max(LEAST_WEIGHT)).sum();
            if own.hash.is_none() {
                if left > 0 && waiting <= left {
                    return blobs;
                }
                blobs = self.progress.wait(blobs).unwrap_or_else(PoisonError::into_inner);
                continue;
            }
            let company =
                instructions.filter(|_| waiting > 0).and_then(|found| Some((found, blobs.take_other(number)?)));
            if company.is_none() && waiting <= left {
                return blobs;
            }
            let Some(mut own) = blobs.take(number) else { return blobs };
            drop(blobs);
            let other = match company {
                Some((instructions, mut other)) => {
                    Sha256::update_two(
                        instructions,
                        (&mut own.hash, &mut own.bytes),
                        (&mut other.hash, &mut other.bytes),
                    );
                    Some(other)
                }
                None => {
                    own.hash.update(&std::mem::take(&mut own.bytes));
                    None
                }
            };
            blobs = self.lock();
            for turn in other.into_iter().chain([own]) {
                blobs.put_back(turn);
            }
            self.progress.notify_all();
        }
    }
}

/// What a thread takes to hash it.
struct Turn {
    number: u64,
    hash: Sha256,
    bytes: Bytes,
}

impl Blobs {
    fn get(&mut self, number: u64) -> Option<&mut Blob> {
        self.begun.iter_mut().find(|blob| blob.number == number)
    }

    /// The next bytes of a blob that nobody is hashing.
    fn take(&mut self, number: u64) -> Option<Turn> {
        let blob = self.get(number)?;
        let bytes = if blob.hash.is_some() { blob.waiting.pop_front()? } else { return None };
        Some(Turn { number, hash: blob.hash.take()?, bytes })
    }

    /// The same of any other blob.
    fn take_other(&mut self, number: u64) -> Option<Turn> {
        let is_other = |blob: &&Blob| {
            let next = blob.waiting.front().map_or(0, Bytes::len);
            blob.number != number && blob.hash.is_some() && next >= LEAST_TOGETHER
        };
        let other = self.begun.iter().find(is_other)?.number;
        self.take(other)
    }

    /// After hashing. A blob that was given up meanwhile is gone.
    fn put_back(&mut self, turn: Turn) {
        if let Some(blob) = self.get(turn.number) {
            blob.hash = Some(turn.hash);
            if !turn.bytes.is_empty() {
                blob.waiting.push_front(turn.bytes);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use sha2::Digest as _;

    use super::*;

    fn digest_of(bytes: &[u8]) -> Digest {
        Digest::from_sha256(&sha2::Sha256::digest(bytes).into())
    }

    /// The same bytes for the same seed.
    fn bytes(seed: u32, length: usize) -> Bytes {
        (0..length as u32).map(|i| (i.wrapping_mul(seed | 1).wrapping_add(seed) >> 5) as u8).collect()
    }

    #[test]
    fn what_waits_is_hashed_with_the_next_blob_or_at_the_end() {
        let group = HashGroup::default();
        let (mut one, mut two) = (group.begin(), group.begin());
        one.update(bytes(1, 1000));
        two.update(bytes(2, 300));
        one.update(bytes(3, 5));
        let all_of_one = [&bytes(1, 1000)[..], &bytes(3, 5)].concat();
        assert_eq!(one.finish(), digest_of(&all_of_one));
        assert_eq!(two.finish(), digest_of(&bytes(2, 300)));
        assert_eq!(group.begin().finish(), digest_of(b""));
        assert!(group.0.lock().begun.is_empty(), "a finished blob is forgotten");
    }

    #[test]
    fn no_more_than_the_limit_waits() {
        let group = HashGroup::default();
        let mut alone = group.begin();
        for _ in 0..20 {
            alone.update(bytes(7, WAITING / 3));
            let waiting: usize = group.0.lock().begun[0].waiting.iter().map(Bytes::len).sum();
            assert!(waiting <= WAITING, "{waiting} bytes");
        }
        for _ in 0..2000 {
            alone.update(bytes(7, 1));
            assert!(group.0.lock().begun[0].waiting.len() <= WAITING / LEAST_WEIGHT, "pieces of a byte");
        }
        drop(alone);
        assert!(group.0.lock().begun.is_empty(), "a dropped blob is forgotten");
    }

    #[test]
    fn threads_hash_for_each_other() {
        let group = HashGroup::default();
        std::thread::scope(|scope| {
            for seed in 0..8u32 {
                let mut hash = group.begin();
                scope.spawn(move || {
                    let mut all = Vec::new();
                    for turn in 0..200u32 {
                        let piece = bytes(seed * 1000 + turn, ((seed * 7919 + turn * 104_729) % 20_000) as usize);
                        all.extend_from_slice(&piece);
                        hash.update(piece);
                    }
                    if seed == 3 {
                        return drop(hash);
                    }
                    assert_eq!(hash.finish(), digest_of(&all), "blob {seed}");
                });
            }
        });
    }
}
