//! Blobs with a promised digest and size: what is read is what was promised, or an error.

use std::io::{self, Read};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use aws_lc_rs::digest::{self, Context, SHA256};

use super::Mismatch;
use crate::model::Digest;

/// What is known of a blob before it is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Promise {
    pub(super) digest: Digest,
    /// In bytes.
    pub(super) size: u64,
}

impl Promise {
    fn check(&self, hash: Context, size: u64) -> Result<(), Mismatch> {
        let actual = digest_of(&hash.finish());
        if actual == self.digest && size == self.size {
            return Ok(());
        }
        Err(Mismatch { expected: self.digest.clone(), expected_size: self.size, actual, actual_size: size })
    }
}

/// SHA-256 by the library of TLS, which is a fifth faster than others with the same instructions.
fn digest_of(sum: &digest::Digest) -> Digest {
    let mut bytes = [0; 32];
    bytes.iter_mut().zip(sum.as_ref()).for_each(|(byte, of_sum)| *byte = *of_sum);
    Digest::from_sha256(&bytes)
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
    let verdict = promise.map_or(Ok(()), |promise| {
        let mut hash = Context::new(&SHA256);
        hash.update(&bytes);
        promise.check(hash, bytes.len() as u64)
    });
    Ok(Some(verdict.map(|()| bytes)))
}

/// Bytes per chunk, and how many chunks may wait.
const CHUNK: usize = 256 * 1024;
const WAITING: usize = 4;

/// A reader behind a thread that reads ahead and hashes, so that neither costs the decoder time. At the end of the blob a
/// broken promise is an error ([`Mismatch`] inside) instead of the end.
pub(super) struct ReadAhead {
    chunks: Receiver<io::Result<Vec<u8>>>,
    used: SyncSender<Vec<u8>>,
    current: Vec<u8>,
    at: usize,
}

impl ReadAhead {
    /// Starts reading.
    ///
    /// # Errors
    /// The thread cannot be started.
    pub(super) fn start(reader: Box<dyn Read + Send>, promise: Option<Promise>) -> io::Result<Self> {
        let (sender, chunks) = sync_channel(WAITING);
        let (used, recycled) = sync_channel(WAITING + 2);
        // The thread ends with the blob, or with its next chunk once nobody receives any more.
        std::thread::Builder::new().name("read".into()).spawn(move || {
            if let Err(error) = deliver(reader, promise, &sender, &recycled) {
                let _ = sender.send(Err(error));
            }
        })?;
        Ok(Self { chunks, used, current: Vec::new(), at: 0 })
    }
}

fn deliver(
    mut reader: Box<dyn Read + Send>,
    promise: Option<Promise>,
    sender: &SyncSender<io::Result<Vec<u8>>>,
    recycled: &Receiver<Vec<u8>>,
) -> io::Result<()> {
    let (mut hash, mut size) = (Context::new(&SHA256), 0u64);
    loop {
        let mut chunk = recycled.try_recv().unwrap_or_default();
        chunk.clear();
        (&mut reader).take(CHUNK as u64).read_to_end(&mut chunk)?;
        if let Some(promise) = &promise {
            hash.update(&chunk);
            size += chunk.len() as u64;
            if chunk.is_empty() || size > promise.size {
                return promise.check(hash, size).map_err(io::Error::other);
            }
        }
        if chunk.is_empty() || sender.send(Ok(chunk)).is_err() {
            return Ok(());
        }
    }
}

impl Read for ReadAhead {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.at == self.current.len() {
            let Ok(next) = self.chunks.recv() else { return Ok(0) };
            let spent = std::mem::replace(&mut self.current, next?);
            self.at = 0;
            let _ = self.used.try_send(spent);
        }
        let read = self.current.get(self.at..).unwrap_or_default().read(buffer)?;
        self.at += read;
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn promise_of(bytes: &[u8]) -> Promise {
        Promise { digest: digest_of(&digest::digest(&SHA256, bytes)), size: bytes.len() as u64 }
    }

    #[test]
    fn delivers_what_was_promised_and_nothing_else() {
        let bytes: Vec<u8> = (0..700_000u32).map(|i| (i.wrapping_mul(i) >> 7) as u8).collect();
        let promise = promise_of(&bytes);
        let read = |data: Vec<u8>| {
            let mut out = Vec::new();
            let mut reader =
                ReadAhead::start(Box::new(io::Cursor::new(data)), Some(promise.clone())).expect("a thread");
            reader.read_to_end(&mut out).map(|_| out)
        };
        assert_eq!(read(bytes.clone()).expect("the promised bytes"), bytes);
        let mut changed = bytes.clone();
        changed[5] ^= 1;
        for (what, data) in [
            ("changed", changed),
            ("cut off", bytes[..600_000].to_vec()),
            ("too long", [&bytes[..], b"x"].concat()),
            ("empty", Vec::new()),
        ] {
            let error = read(data).expect_err(what);
            assert!(error.get_ref().is_some_and(|inner| inner.is::<Mismatch>()), "{what}: {error}");
        }
    }

    #[test]
    fn ends_its_thread_when_dropped() {
        let endless = Box::new(io::repeat(7));
        let mut reader = ReadAhead::start(endless, None).expect("a thread");
        let mut some = [0; 1000];
        reader.read_exact(&mut some).expect("endless bytes");
        assert_eq!(some, [7; 1000]);
        drop(reader);
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
