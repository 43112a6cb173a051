//! Compressed feeds as streams of bounded length: gzip, zstd, bzip2 or plain, told by their first bytes.

use std::io::{self, BufRead, BufReader, Read};

use bzip2::read::MultiBzDecoder;
use flate2::read::MultiGzDecoder;

/// What a file holds, decompressed while it is read. Reading fails after [`LARGEST`] bytes.
pub(super) fn reader(bytes: &[u8]) -> io::Result<Box<dyn BufRead + '_>> {
    let plain: Box<dyn Read + '_> = match bytes {
        [0x1f, 0x8b, ..] => Box::new(MultiGzDecoder::new(bytes)),
        [0x28, 0xb5, 0x2f, 0xfd, ..] => {
            let mut decoder = zstd::stream::read::Decoder::with_buffer(bytes)?;
            decoder.window_log_max(LARGEST_WINDOW)?;
            Box::new(decoder)
        }
        [b'B', b'Z', b'h', ..] => Box::new(MultiBzDecoder::new(bytes)),
        [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => {
            return Err(io::Error::other("xz is not read; give it as gzip or zstd"));
        }
        _ => Box::new(bytes),
    };
    Ok(Box::new(BufReader::with_capacity(BUFFER, Limited { inner: plain, left: LARGEST })))
}

/// Ends with an error, not quietly, where there is more than there may be.
struct Limited<R> {
    inner: R,
    left: u64,
}

impl<R: Read> Read for Limited<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.left = self
            .left
            .checked_sub(read as u64)
            .ok_or_else(|| io::Error::other(format!("it has more than {} GiB when decompressed", LARGEST >> 30)))?;
        Ok(read)
    }
}

/// The largest known file, SUSE's of one release, has 1.5 GB.
const LARGEST: u64 = 8 << 30;
/// zstd `--long` makes windows of 2^27 bytes.
const LARGEST_WINDOW: u32 = 27;
const BUFFER: usize = 64 << 10;

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    fn compressions_are_told_by_their_first_bytes() {
        let gzip = {
            let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            encoder.write_all(b"text").expect("memory");
            encoder.finish().expect("memory")
        };
        let bzip2 = {
            let mut encoder = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
            encoder.write_all(b"text").expect("memory");
            encoder.finish().expect("memory")
        };
        let zstd = zstd::encode_all(&b"text"[..], 1).expect("memory");
        for bytes in [gzip, bzip2, zstd, b"text".to_vec()] {
            let mut text = String::new();
            reader(&bytes).expect("a known form").read_to_string(&mut text).expect("whole");
            assert_eq!(text, "text");
            let cut = bytes.get(..bytes.len() - 2).unwrap_or_default();
            let result = reader(cut).and_then(|mut reader| reader.read_to_string(&mut String::new()));
            assert_eq!(result.is_ok(), bytes == b"text", "cut");
        }
        assert!(reader(b"\xfd7zXZ\0...").is_err());
    }

    #[test]
    fn more_than_there_may_be_is_an_error() {
        let mut limited = Limited { inner: io::repeat(0).take(100), left: 99 };
        assert!(limited.read_to_end(&mut Vec::new()).is_err());
        let mut limited = Limited { inner: io::repeat(0).take(99), left: 99 };
        assert_eq!(limited.read_to_end(&mut Vec::new()).ok(), Some(99));
    }
}
