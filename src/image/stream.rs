//! From a compressed blob to the bytes that the archive walker reads, through one window and without copies.

use std::io::{self, BufRead, Read};

use super::LayerError;
use super::gzip::GzipDecoder;
use super::inflate::{HISTORY, OUTPUT_SLACK};
use super::input::{Chunks, Input};
use super::plain::PlainDecoder;
use super::zstandard::ZstdDecoder;
use crate::model::{Code, Limits};

/// A decoder that writes into the window's free room.
pub(super) trait Decoder<'a> {
    /// Decodes into `window[position..]` and says how much it made; 0 is the end. `window[..position]` ends with the
    /// last [`HISTORY`] bytes of output, and there is more than [`OUTPUT_SLACK`] of room.
    fn decode(&mut self, window: &mut [u8], position: usize) -> Result<usize, LayerError>;

    /// The input, for its counts.
    fn input(&mut self) -> &mut Input<'a>;
}

/// Decoded at a time: with the history, what fits into a core's second-level cache.
const ROOM: usize = 192 * 1024;
/// Less room than this is not worth a call.
const LEAST_ROOM: usize = 16 * 1024;
const _: () = assert!(LEAST_ROOM > OUTPUT_SLACK);
/// A ratio is only judged once this much came out (see [`Limits::layer_ratio`]).
const RATIO_JUDGED_FROM: u64 = 1 << 30;

/// The decompressed bytes of a layer. [`BufRead`] shows the decoder's window itself.
///
/// Once something failed, every further read fails with the same error: a visitor that ignores it hides nothing.
pub(super) struct LayerStream<'a> {
    decoder: Box<dyn Decoder<'a> + Send + 'a>,
    window: Box<[u8]>,
    /// What the reader has not consumed yet: `window[start..end]`.
    start: usize,
    end: usize,
    finished: bool,
    made: u64,
    limits: Limits,
    failed: Option<LayerError>,
}

impl<'a> LayerStream<'a> {
    /// Opens a blob. How it is compressed is told by its first bytes, whatever its media type says.
    pub(super) fn open(source: Box<dyn Chunks + 'a>, limits: &Limits) -> Result<Self, LayerError> {
        let mut input = Input::new(source);
        let decoder: Box<dyn Decoder<'a> + Send + 'a> = match Compression::detect(input.at_least(6)?) {
            Compression::Gzip => Box::new(GzipDecoder::new(input)),
            Compression::Zstd => Box::new(ZstdDecoder::new(input)?),
            Compression::None => Box::new(PlainDecoder::new(input)),
            Compression::Unsupported(name) => {
                return Err(LayerError::Unsupported(format!("it is compressed with {name}")));
            }
        };
        Ok(Self {
            decoder,
            window: vec![0; HISTORY + ROOM].into_boxed_slice(),
            start: 0,
            end: 0,
            finished: false,
            made: 0,
            limits: limits.clone(),
            failed: None,
        })
    }

    /// Makes at least `wanted` bytes available in one piece, or all that are left.
    fn fill(&mut self, wanted: usize) -> Result<(), LayerError> {
        while self.end - self.start < wanted && !self.finished {
            if let Some(error) = &self.failed {
                return Err(error.clone());
            }
            if let Err(error) = self.decode() {
                self.failed = Some(error.clone());
                return Err(error);
            }
        }
        Ok(())
    }

    fn decode(&mut self) -> Result<(), LayerError> {
        if self.window.len() - self.end < LEAST_ROOM {
            let kept = self.start.min(self.end.saturating_sub(HISTORY));
            self.window.copy_within(kept..self.end, 0);
            self.start -= kept;
            self.end -= kept;
        }
        if self.limits.is_out_of_time() {
            return Err(LayerError::OutOfTime);
        }
        let made = self.decoder.decode(&mut self.window, self.end)?;
        self.end += made;
        self.finished = made == 0;
        self.made += made as u64;
        if self.made > self.limits.layer_size {
            return Err(LayerError::Limit { what: "inflated size in bytes", limit: self.limits.layer_size });
        }
        let read = self.decoder.input().received().max(1);
        if self.made > RATIO_JUDGED_FROM && self.made / read > self.limits.layer_ratio {
            return Err(LayerError::Limit {
                what: "inflated size divided by its compressed size",
                limit: self.limits.layer_ratio,
            });
        }
        Ok(())
    }

    /// Reads what is left of the layer, so that its checksums and digest are verified.
    pub(super) fn drain(&mut self) -> Result<(), LayerError> {
        while !self.finished {
            self.start = self.end;
            self.fill(1)?;
        }
        Ok(())
    }

    /// After something failed: reads the rest of the blob as it lies, because a wrong digest explains a corrupt layer.
    pub(super) fn explain(mut self, error: LayerError) -> LayerError {
        if !matches!(error, LayerError::Corrupt(_)) {
            return error;
        }
        match self.decoder.input().discard() {
            Err(mismatch) if mismatch.diagnosis().code == Code::DigestMismatch => mismatch,
            _ => error,
        }
    }
}

impl Read for LayerStream<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut chunk = self.fill_buf()?;
        let read = chunk.read(buffer)?;
        self.consume(read);
        Ok(read)
    }
}

impl BufRead for LayerStream<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.fill(1)?;
        Ok(self.window.get(self.start..self.end).unwrap_or_default())
    }

    fn consume(&mut self, amount: usize) {
        self.start = self.start.saturating_add(amount).min(self.end);
    }
}

/// How a blob is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Compression {
    Gzip,
    Zstd,
    None,
    Unsupported(&'static str),
}

impl Compression {
    pub(super) fn detect(first: &[u8]) -> Self {
        match first {
            [0x1f, 0x8b, ..] => Self::Gzip,
            [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Self::Zstd,
            [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => Self::Unsupported("xz"),
            [b'B', b'Z', b'h', b'1'..=b'9', 0x31, 0x41, ..] => Self::Unsupported("bzip2"),
            _ => Self::None,
        }
    }
}
