//! gzip (RFC 1952): members one after the other, each with its checksum and length verified.
//!
//! As `gzip` itself does, bytes behind the last member that do not begin another one are read and ignored.

use super::LayerError;
use super::inflate::{Inflate, InflateError, OUTPUT_SLACK, Status};
use super::input::{Input, Reading};
use super::stream::Decoder;

const MAGIC: [u8; 2] = [0x1f, 0x8b];
/// Magic, method, flags, time, extra flags, operating system.
const FIXED_HEADER: usize = 10;
/// CRC-32 and length of the member's content.
const TRAILER: usize = 8;
const DEFLATE: u8 = 8;

const HEADER_CRC: u8 = 1 << 1;
const EXTRA: u8 = 1 << 2;
const NAME: u8 = 1 << 3;
const COMMENT: u8 = 1 << 4;
const RESERVED: u8 = 0b1110_0000;

impl From<InflateError> for LayerError {
    fn from(error: InflateError) -> Self {
        Self::corrupt(error)
    }
}

/// The decoder of a gzip stream.
pub(super) struct GzipDecoder<'a> {
    input: Input<'a>,
    inflate: Inflate,
    checksum: Checksum,
    state: State,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// Before a member; whether it is the first one, which must be there.
    Header {
        first: bool,
    },
    Body,
    Done,
}

impl<'a> GzipDecoder<'a> {
    pub(super) fn new(input: Input<'a>) -> Self {
        Self { input, inflate: Inflate::default(), checksum: Checksum::default(), state: State::Header { first: true } }
    }

    fn header(&mut self, first: bool) -> Result<State, LayerError> {
        if !self.input.at_least(MAGIC.len())?.starts_with(&MAGIC) {
            if first {
                return Err(LayerError::corrupt("not gzip data"));
            }
            self.input.discard()?;
            return Ok(State::Done);
        }
        let mut header = HeaderReader { input: &mut self.input, crc: crc32fast::Hasher::new() };
        header.read()?;
        self.inflate.reset();
        self.checksum = Checksum::default();
        Ok(State::Body)
    }

    fn trailer(&mut self) -> Result<(), LayerError> {
        let trailer = self.input.at_least(TRAILER)?.first_chunk::<TRAILER>().copied().ok_or_else(cut_off)?;
        self.input.consume(TRAILER);
        std::mem::take(&mut self.checksum).verify(&trailer).map_err(LayerError::corrupt)
    }
}

impl<'a> Decoder<'a> for GzipDecoder<'a> {
    fn decode(&mut self, window: &mut [u8], position: usize) -> Result<usize, LayerError> {
        loop {
            match self.state {
                State::Done => return Ok(0),
                State::Header { first } => self.state = self.header(first)?,
                State::Body => {
                    let shown = self.input.available();
                    let left = shown.len();
                    let progress = self.inflate.run(shown, self.input.is_at_end(), window, position)?;
                    let left = left - progress.used;
                    self.input.consume(progress.used);
                    let has_more = self.input.available().len() > left;
                    let made = window.get(position..position + progress.made).unwrap_or_default();
                    self.checksum.update(made);
                    match progress.status {
                        Status::Done => {
                            self.trailer()?;
                            self.state = State::Header { first: false };
                        }
                        Status::NeedInput if !has_more => self.input.more()?,
                        Status::NeedInput | Status::NeedOutput => {}
                    }
                    if progress.made > 0 {
                        return Ok(progress.made);
                    }
                }
            }
        }
    }

    fn input(&mut self) -> &mut Input<'a> {
        &mut self.input
    }
}

/// Reads a member's header, whose optional fields may be of any length.
struct HeaderReader<'i, 'a> {
    input: &'i mut Input<'a>,
    crc: crc32fast::Hasher,
}

impl HeaderReader<'_, '_> {
    fn read(&mut self) -> Result<(), LayerError> {
        let [_, _, method, flags, ..] = self.take::<FIXED_HEADER>()?;
        if method != DEFLATE {
            return Err(LayerError::Corrupt(format!("unknown gzip method {method}")));
        }
        if flags & RESERVED != 0 {
            return Err(LayerError::corrupt("unknown gzip flags"));
        }
        if flags & EXTRA != 0 {
            for _ in 0..u16::from_le_bytes(self.take::<2>()?) {
                self.take::<1>()?;
            }
        }
        for flag in [NAME, COMMENT] {
            while flags & flag != 0 && self.take::<1>()? != [0] {}
        }
        if flags & HEADER_CRC != 0 {
            let expected = self.crc.clone().finalize() & 0xffff;
            if u32::from(u16::from_le_bytes(self.take::<2>()?)) != expected {
                return Err(LayerError::corrupt("wrong checksum of a gzip header"));
            }
        }
        Ok(())
    }

    fn take<const N: usize>(&mut self) -> Result<[u8; N], LayerError> {
        let bytes = *self.input.at_least(N)?.first_chunk::<N>().ok_or_else(cut_off)?;
        self.input.consume(N);
        self.crc.update(&bytes);
        Ok(bytes)
    }
}

fn cut_off() -> LayerError {
    LayerError::corrupt("the gzip data ends in the middle")
}

/// CRC-32 and length of a member's content.
#[derive(Debug, Default)]
struct Checksum {
    crc: crc32fast::Hasher,
    /// Modulo 2³², as gzip has it.
    length: u32,
}

impl Checksum {
    fn update(&mut self, bytes: &[u8]) {
        self.crc.update(bytes);
        self.length = self.length.wrapping_add(bytes.len() as u32);
    }

    fn verify(self, trailer: &[u8; TRAILER]) -> Result<(), &'static str> {
        let [a, b, c, d, e, f, g, h] = *trailer;
        if u32::from_le_bytes([a, b, c, d]) != self.crc.finalize() {
            return Err("wrong checksum of gzip data");
        }
        if u32::from_le_bytes([e, f, g, h]) != self.length {
            return Err("wrong length of gzip data");
        }
        Ok(())
    }
}

/// A gzip file that lies in memory cannot be unpacked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GunzipError {
    /// It is corrupt or truncated.
    #[error("{0}")]
    Corrupt(String),
    /// It holds more than the caller allows.
    #[error("the gzip data holds more than {0} bytes")]
    TooLong(usize),
}

/// Unpacks a gzip file that lies in memory, to at most `limit` bytes.
///
/// # Errors
/// The data is not gzip, corrupt, truncated or longer than `limit`.
pub fn gunzip_slice(input: &[u8], limit: usize) -> Result<Vec<u8>, GunzipError> {
    let mut decoder = GzipDecoder::new(Input::new(Box::new(Reading(input))));
    let (mut output, mut length) = (Vec::new(), 0);
    loop {
        let room = input.len().max(length).clamp(4 * OUTPUT_SLACK, 1 << 20);
        output.resize(length + room, 0);
        let made = decoder.decode(&mut output, length).map_err(|error| GunzipError::Corrupt(error.to_string()))?;
        length += made;
        if length > limit {
            return Err(GunzipError::TooLong(limit));
        }
        if made == 0 {
            output.truncate(length);
            return Ok(output);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;
    use crate::image::stream::LayerStream;
    use crate::model::Limits;

    fn pack(data: &[u8]) -> Vec<u8> {
        let builder = flate2::GzBuilder::new().filename("name").comment("comment").extra(vec![1, 2, 3]);
        let mut encoder = builder.write(Vec::new(), Compression::default());
        encoder.write_all(data).expect("writing to memory");
        encoder.finish().expect("writing to memory")
    }

    fn unpack(data: &[u8]) -> Result<Vec<u8>, String> {
        let mut out = Vec::new();
        let mut stream =
            LayerStream::open(Box::new(Reading(data)), &Limits::default()).map_err(|error| error.to_string())?;
        stream.read_to_end(&mut out).map_err(|error| error.to_string())?;
        assert_eq!(gunzip_slice(data, usize::MAX).as_ref(), Ok(&out), "in memory and as a stream");
        Ok(out)
    }

    #[test]
    fn reads_members_and_ignores_what_follows() {
        let (one, empty, two) = (pack(&[b'a'; 100_000]), pack(b""), pack(b"second"));
        let expected = [vec![b'a'; 100_000], b"second".to_vec()].concat();
        for (tail, what) in
            [(&b""[..], "nothing"), (&[0; 5000], "zeros"), (b"rubbish", "rubbish"), (b"\x1f", "half a magic number")]
        {
            let file = [&one[..], &empty, &empty, &two, tail].concat();
            assert_eq!(unpack(&file).as_ref(), Ok(&expected), "followed by {what}");
        }
        let many: Vec<u8> = std::iter::repeat_n(pack(b"xy"), 1000).flatten().collect();
        assert_eq!(unpack(&many), Ok(b"xy".repeat(1000)));
    }

    #[test]
    fn refuses_what_is_broken() {
        let good = pack(b"some content that is long enough to be compressed compressed compressed");
        let change = |at: usize, byte: u8| {
            let mut bytes = good.clone();
            bytes[at] = byte;
            bytes
        };
        let end = good.len();
        for (bytes, reason) in [
            (change(2, 7), "unknown gzip method 7"),
            (change(3, 0xff), "unknown gzip flags"),
            (change(end - 5, !good[end - 5]), "wrong checksum of gzip data"),
            (change(end - 1, 9), "wrong length of gzip data"),
            (good[..end - 1].to_vec(), "ends in the middle"),
            (good[..end - 12].to_vec(), "ends in the middle"),
            (good[..12].to_vec(), "ends in the middle"),
            ([&good[..], &good[..8]].concat(), "ends in the middle"),
        ] {
            let mut out = Vec::new();
            let result = LayerStream::open(Box::new(Reading(&bytes[..])), &Limits::default())
                .map_err(std::io::Error::from)
                .and_then(|mut stream| stream.read_to_end(&mut out));
            let error = result.expect_err(reason).to_string();
            assert!(error.contains(reason), "`{error}` instead of `{reason}`");
            assert!(gunzip_slice(&bytes, 1000).is_err(), "{reason}");
        }
    }

    #[test]
    fn verifies_header_checksums() {
        let mut file = vec![0x1f, 0x8b, 8, HEADER_CRC, 0, 0, 0, 0, 0, 255];
        let crc = crc32fast::hash(&file) as u16;
        let body = pack(b"x").split_off(10 + 5 + 5 + 8);
        file.extend_from_slice(&crc.to_le_bytes());
        file.extend_from_slice(&body);
        assert_eq!(gunzip_slice(&file, 10), Ok(b"x".to_vec()));
        file[10] ^= 1;
        assert!(gunzip_slice(&file, 10).is_err_and(|error| error.to_string().contains("gzip header")));
    }

    #[test]
    fn stops_at_the_limit() {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(&vec![0; 8 << 20]).expect("writing to memory");
        let file = encoder.finish().expect("writing to memory");
        assert_eq!(gunzip_slice(&file, 1 << 20), Err(GunzipError::TooLong(1 << 20)));
    }
}
