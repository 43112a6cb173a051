//! Blobs with a promised digest and size: what is read is what was promised, or an error.

use std::io::{self, Read};
use std::sync::mpsc::{Receiver, sync_channel};

use bytes::{Bytes, BytesMut};

use super::input::Chunks;
use super::{Mismatch, digest_of};
use crate::hashing::{BlobHash, HashGroup};
use crate::model::Digest;

/// What is known of a blob before it is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Promise {
    pub(super) digest: Digest,
    /// In bytes.
    pub(super) size: u64,
}

impl Promise {
    fn check(&self, actual: Digest, size: u64) -> Result<(), Mismatch> {
        if actual == self.digest && size == self.size {
            return Ok(());
        }
        Err(Mismatch { expected: self.digest.clone(), expected_size: self.size, actual, actual_size: size })
    }
}

/// Reads a small blob whole. `None` where it is longer than `limit`.
pub(super) fn read_whole(
    reader: &mut dyn Read,
    promise: Option<&Promise>,
    limit: u64,
) -> io::Result<Option<Result<Vec<u8>, Mismatch>>> {
    let mut bytes = Vec::new();
    if reader.take(limit.saturating_add(1)).read_to_end(&mut bytes)? as u64 > limit {
        return Ok(None);
    }
    let verdict = promise.map_or(Ok(()), |promise| promise.check(digest_of(&bytes), bytes.len() as u64));
    Ok(Some(verdict.map(|()| bytes)))
}

/// Bytes per chunk.
const CHUNK: usize = 128 * 1024;
/// How many chunks may wait between a thread that reads ahead and the decoder.
const WAITING: usize = 8;

/// The chunks of a blob. At its end a broken promise is an error ([`Mismatch`] inside) instead of the end.
pub(super) struct BlobChunks {
    reader: Box<dyn Read + Send>,
    /// `None` where nothing is promised, and once it was checked.
    promise: Option<(Promise, BlobHash)>,
    /// Bytes read so far.
    size: u64,
    /// Chunks that were given out: their memory is used again once all are done with it.
    given: Vec<Bytes>,
}

impl BlobChunks {
    pub(super) fn new(reader: Box<dyn Read + Send>, promise: Option<Promise>, hashes: &HashGroup) -> Self {
        let promise = promise.map(|promise| (promise, hashes.begin()));
        Self { reader, promise, size: 0, given: Vec::new() }
    }

    /// The same chunks, read and hashed by a thread of their own, so that neither costs the decoder time.
    ///
    /// # Errors
    /// The thread cannot be started.
    pub(super) fn ahead(mut self) -> io::Result<ReadAhead> {
        let (sender, chunks) = sync_channel(WAITING);
        // The thread ends with the blob, or with its next chunk once nobody receives any more.
        std::thread::Builder::new().name("read".into()).spawn(move || {
            let mut is_last = false;
            while !is_last {
                let chunk = self.next_chunk();
                is_last = !matches!(chunk, Ok(Some(_)));
                is_last |= sender.send(chunk).is_err();
            }
        })?;
        Ok(ReadAhead { chunks, is_over: false })
    }

    /// A chunk's length of memory, of a chunk that all are done with if there is one.
    fn free_memory(&mut self) -> BytesMut {
        let free = self.given.iter().position(Bytes::is_unique).map(|at| self.given.swap_remove(at));
        let mut memory = free.and_then(|chunk| chunk.try_into_mut().ok()).unwrap_or_default();
        // Nearly always it is as long already.
        memory.resize(CHUNK, 0);
        memory
    }
}

impl Chunks for BlobChunks {
    fn next_chunk(&mut self) -> io::Result<Option<Bytes>> {
        let mut chunk = self.free_memory();
        let mut length = 0;
        while let Some(room) = chunk.get_mut(length..).filter(|room| !room.is_empty()) {
            match self.reader.read(room) {
                Ok(0) => break,
                Ok(read) => length += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        chunk.truncate(length);
        let chunk = chunk.freeze();
        self.size += chunk.len() as u64;
        let mut is_over = chunk.is_empty();
        if let Some((promise, hash)) = &mut self.promise {
            hash.update(chunk.clone());
            is_over |= self.size > promise.size;
        }
        if is_over && let Some((promise, hash)) = self.promise.take() {
            promise.check(hash.finish(), self.size).map_err(|mismatch| {
                self.reader = Box::new(io::empty());
                io::Error::other(mismatch)
            })?;
        }
        if chunk.is_empty() {
            return Ok(None);
        }
        self.given.truncate(WAITING);
        self.given.push(chunk.clone());
        Ok(Some(chunk))
    }
}

/// Chunks that a thread reads ahead.
pub(super) struct ReadAhead {
    chunks: Receiver<io::Result<Option<Bytes>>>,
    is_over: bool,
}

impl Chunks for ReadAhead {
    fn next_chunk(&mut self) -> io::Result<Option<Bytes>> {
        if self.is_over {
            return Ok(None);
        }
        // Only what says that it is the end is one: a thread that fails leaves a blob that nobody has checked.
        let chunk = self.chunks.recv().map_err(|_| io::Error::other("the thread that reads the blob failed"))?;
        self.is_over = !matches!(chunk, Ok(Some(_)));
        chunk
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn promise_of(bytes: &[u8]) -> Promise {
        Promise { digest: digest_of(bytes), size: bytes.len() as u64 }
    }

    #[test]
    fn delivers_what_was_promised_and_nothing_else() {
        let bytes: Vec<u8> = (0..700_000u32).map(|i| (i.wrapping_mul(i) >> 7) as u8).collect();
        let promise = promise_of(&bytes);
        let read = |data: Vec<u8>, ahead: bool| {
            let mut out = Vec::new();
            let reader = Box::new(io::Cursor::new(data));
            let chunks = BlobChunks::new(reader, Some(promise.clone()), &HashGroup::default());
            let mut chunks: Box<dyn Chunks> = if ahead { Box::new(chunks.ahead()?) } else { Box::new(chunks) };
            while let Some(chunk) = chunks.next_chunk()? {
                out.extend_from_slice(&chunk);
            }
            io::Result::Ok(out)
        };
        assert_eq!(read(bytes.clone(), false).expect("the promised bytes"), bytes);
        assert_eq!(read(bytes.clone(), true).expect("the promised bytes"), bytes);
        let mut changed = bytes.clone();
        changed[5] ^= 1;
        for (what, data) in [
            ("changed", changed),
            ("cut off", bytes[..600_000].to_vec()),
            ("too long", [&bytes[..], b"x"].concat()),
            ("empty", Vec::new()),
        ] {
            for ahead in [false, true] {
                let error = read(data.clone(), ahead).expect_err(what);
                let mismatch = error.get_ref().and_then(|inner| inner.downcast_ref::<Mismatch>());
                let mismatch = mismatch.unwrap_or_else(|| panic!("{what}: {error}"));
                let was = promise_of(&data);
                assert_eq!((&mismatch.actual, mismatch.actual_size), (&was.digest, was.size), "{what}");
            }
        }
    }

    #[test]
    fn ends_its_thread_when_dropped() {
        let endless = Box::new(io::repeat(7));
        let mut chunks = BlobChunks::new(endless, None, &HashGroup::default()).ahead().expect("a thread");
        let some = chunks.next_chunk().expect("endless bytes").expect("endless bytes");
        assert_eq!(some, [7; CHUNK][..]);
        drop(chunks);
    }

    #[test]
    fn small_blobs_are_verified_and_bounded() {
        let read = |limit| read_whole(&mut &b"abc"[..], Some(&promise_of(b"abc")), limit).expect("memory is readable");
        assert_eq!(read(3), Some(Ok(b"abc".to_vec())));
        assert_eq!(read(2), None);
        let wrong = read_whole(&mut &b"abd"[..], Some(&promise_of(b"abc")), 9).expect("memory is readable");
        assert!(wrong.is_some_and(|verdict| verdict.is_err()));
    }
}
