//! Layers that are not compressed.

use super::LayerError;
use super::input::Input;
use super::stream::Decoder;

pub(super) struct PlainDecoder<'a> {
    input: Input<'a>,
}

impl<'a> PlainDecoder<'a> {
    pub(super) fn new(input: Input<'a>) -> Self {
        Self { input }
    }
}

impl<'a> Decoder<'a> for PlainDecoder<'a> {
    fn decode(&mut self, window: &mut [u8], position: usize) -> Result<usize, LayerError> {
        self.input.copy(window.get_mut(position..).unwrap_or_default())
    }

    fn input(&mut self) -> &mut Input<'a> {
        &mut self.input
    }
}
