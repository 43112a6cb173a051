//! Zstandard (RFC 8878) by the reference implementation, several frames and skippable ones included.

use zstd::stream::raw::{DParameter, Decoder as Zstd, InBuffer, Operation, OutBuffer};

use super::LayerError;
use super::input::Input;
use super::stream::Decoder;

/// The largest window that a frame may ask for, as a power of two: 128 MiB, what `zstd --ultra -22` writes. Larger ones
/// (`--long=31`) would take the memory that hostile layers want us to take.
const LARGEST_WINDOW: u32 = 27;

pub(super) struct ZstdDecoder<'a> {
    input: Input<'a>,
    decoder: Zstd<'static>,
    /// A frame has begun and not ended.
    in_frame: bool,
}

impl<'a> ZstdDecoder<'a> {
    pub(super) fn new(input: Input<'a>) -> Result<Self, LayerError> {
        let mut decoder = Zstd::new()?;
        decoder.set_parameter(DParameter::WindowLogMax(LARGEST_WINDOW))?;
        Ok(Self { input, decoder, in_frame: false })
    }
}

impl<'a> Decoder<'a> for ZstdDecoder<'a> {
    fn decode(&mut self, window: &mut [u8], position: usize) -> Result<usize, LayerError> {
        let Some(room) = window.get_mut(position..) else { return Ok(0) };
        loop {
            if self.input.available().is_empty() && !self.input.is_at_end() {
                self.input.more()?;
            }
            let mut source = InBuffer::around(self.input.available());
            let mut output = OutBuffer::around(&mut *room);
            let fresh = source.src.is_empty();
            if fresh && !self.in_frame {
                return Ok(0);
            }
            let hint = self
                .decoder
                .run(&mut source, &mut output)
                .map_err(|error| LayerError::Corrupt(format!("invalid Zstandard data: {error}")))?;
            let (used, made) = (source.pos(), output.pos());
            self.input.consume(used);
            self.in_frame = hint != 0;
            if made > 0 {
                return Ok(made);
            }
            if fresh && self.in_frame {
                return Err(LayerError::corrupt("the Zstandard data ends in the middle"));
            }
        }
    }

    fn input(&mut self) -> &mut Input<'a> {
        &mut self.input
    }
}
