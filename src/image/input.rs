//! The compressed bytes of a blob, chunk by chunk as they come, without copies.

use std::io::{self, Read};

use bytes::{Buf, Bytes};

use super::LayerError;

/// Where chunks of a blob come from.
pub(super) trait Chunks: Send {
    /// The next chunk, which is not empty; `None` is the end.
    ///
    /// # Errors
    /// The blob cannot be read on, or is not what was promised.
    fn next_chunk(&mut self) -> io::Result<Option<Bytes>>;
}

/// Bytes at a time from a reader.
const CHUNK: usize = 64 * 1024;

/// The chunks of a reader.
pub(super) struct Reading<R>(pub(super) R);

impl<R: Read + Send> Chunks for Reading<R> {
    fn next_chunk(&mut self) -> io::Result<Option<Bytes>> {
        let mut chunk = vec![0; CHUNK];
        let read = loop {
            match self.0.read(&mut chunk) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                result => break result?,
            }
        };
        chunk.truncate(read);
        Ok(Some(chunk.into()).filter(|chunk: &Bytes| !chunk.is_empty()))
    }
}

/// Bytes of a chunk that are copied at a time behind what is left of the one before: more than a decoder leaves.
const BRIDGE: usize = 2 * 1024;

/// The chunks as the decoders want them: what is left of one and what follows in one piece.
pub(super) struct Input<'a> {
    source: Box<dyn Chunks + 'a>,
    /// What is left of the chunk before, followed by the first bytes of `chunk`; empty while `chunk` alone is read.
    bridge: Vec<u8>,
    /// What is consumed of the bridge.
    start: usize,
    /// How many bytes at the bridge's end are those that `chunk` begins with.
    shared: usize,
    chunk: Bytes,
    at_end: bool,
    received: u64,
}

impl<'a> Input<'a> {
    pub(super) fn new(source: Box<dyn Chunks + 'a>) -> Self {
        Self { source, bridge: Vec::new(), start: 0, shared: 0, chunk: Bytes::new(), at_end: false, received: 0 }
    }

    pub(super) fn available(&self) -> &[u8] {
        if self.bridge.is_empty() { &self.chunk } else { self.bridge.get(self.start..).unwrap_or_default() }
    }

    /// Nothing follows what is available.
    pub(super) fn is_at_end(&self) -> bool {
        self.at_end
    }

    /// Bytes that came so far.
    pub(super) fn received(&self) -> u64 {
        self.received
    }

    pub(super) fn consume(&mut self, amount: usize) {
        if self.bridge.is_empty() {
            self.chunk.advance(amount.min(self.chunk.len()));
            return;
        }
        self.start = self.start.saturating_add(amount).min(self.bridge.len());
        // Behind what was left, the chunk itself goes on.
        let left = self.bridge.len() - self.start;
        if left <= self.shared {
            self.chunk.advance(self.shared - left);
            self.bridge.clear();
        }
    }

    /// Makes more available than is, or notices the end.
    pub(super) fn more(&mut self) -> Result<(), LayerError> {
        if self.bridge.is_empty() && self.chunk.is_empty() {
            if let Some(chunk) = self.receive()? {
                self.chunk = chunk;
            }
            return Ok(());
        }
        if self.bridge.is_empty() {
            (self.start, self.shared) = (0, self.chunk.len());
            self.bridge.extend_from_slice(&self.chunk);
        }
        if self.shared == self.chunk.len() {
            let Some(chunk) = self.receive()? else { return Ok(()) };
            (self.chunk, self.shared) = (chunk, 0);
        }
        if self.start >= BRIDGE {
            self.bridge.drain(..self.start);
            self.start = 0;
        }
        let rest = self.chunk.get(self.shared..).unwrap_or_default();
        let first = rest.get(..BRIDGE).unwrap_or(rest);
        self.bridge.extend_from_slice(first);
        self.shared += first.len();
        Ok(())
    }

    fn receive(&mut self) -> Result<Option<Bytes>, LayerError> {
        let chunk = self.source.next_chunk()?;
        self.at_end |= chunk.is_none();
        self.received += chunk.as_ref().map_or(0, |chunk| chunk.len() as u64);
        Ok(chunk)
    }

    /// What is available, after waiting until it is at least `wanted` bytes or the end.
    pub(super) fn at_least(&mut self, wanted: usize) -> Result<&[u8], LayerError> {
        while self.available().len() < wanted && !self.at_end {
            self.more()?;
        }
        Ok(self.available())
    }

    /// Copies into `out` what is available, or else what comes next.
    pub(super) fn copy(&mut self, out: &mut [u8]) -> Result<usize, LayerError> {
        let copied = self.at_least(1)?.read(out)?;
        self.consume(copied);
        Ok(copied)
    }

    /// Reads to the end and forgets it.
    pub(super) fn discard(&mut self) -> Result<(), LayerError> {
        self.bridge.clear();
        self.chunk.clear();
        while self.receive()?.is_some() {}
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use proptest::prelude::*;

    use super::*;

    struct Pieces(VecDeque<Bytes>);

    impl Chunks for Pieces {
        fn next_chunk(&mut self) -> io::Result<Option<Bytes>> {
            Ok(self.0.pop_front())
        }
    }

    #[derive(Debug, Clone)]
    enum Step {
        Consume(usize),
        More,
        AtLeast(usize),
        Copy(usize),
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            (0..5000usize).prop_map(Step::Consume),
            Just(Step::More),
            (0..700usize).prop_map(Step::AtLeast),
            (1..3000usize).prop_map(Step::Copy),
        ]
    }

    proptest! {
        #[test]
        fn shows_the_same_bytes_however_they_come_and_are_read(
            lengths in prop::collection::vec(prop_oneof![1..40usize, 1..6000usize], 0..12),
            steps in prop::collection::vec(step(), 0..60),
        ) {
            let all: Vec<u8> = (0..lengths.iter().sum::<usize>() as u32).map(|i| (i.wrapping_mul(i) >> 3) as u8).collect();
            let mut left = &all[..];
            let pieces = lengths.iter().map(|&length| left.split_off(..length).expect("as long as all").to_vec().into());
            let mut input = Input::new(Box::new(Pieces(pieces.collect())));
            let mut at = 0;
            for step in steps {
                let before = input.available().len();
                match step {
                    Step::Consume(amount) => {
                        input.consume(amount);
                        at += amount.min(before);
                    }
                    Step::More => {
                        input.more()?;
                        prop_assert!(input.is_at_end() || input.available().len() > before);
                    }
                    Step::AtLeast(wanted) => {
                        let available = input.at_least(wanted)?.len();
                        prop_assert!(available >= wanted || available == all.len() - at);
                    }
                    Step::Copy(length) => {
                        let mut out = vec![0; length];
                        let copied = input.copy(&mut out)?;
                        prop_assert_eq!(&out[..copied], &all[at..at + copied]);
                        prop_assert!(copied > 0 || at == all.len());
                        at += copied;
                    }
                }
                let available = input.available();
                prop_assert_eq!(available, &all[at..at + available.len()]);
                prop_assert!(!input.is_at_end() || at + available.len() == all.len());
            }
            input.discard()?;
            prop_assert_eq!(input.received(), all.len() as u64);
            prop_assert!(input.is_at_end() && input.available().is_empty());
        }
    }

    #[test]
    fn what_is_consumed_is_forgotten_however_small_the_chunks() {
        for length in [1, 7, 24, 25, 600, 3000] {
            let pieces = (0..100_000 / length).map(|_| vec![7; length].into()).collect();
            let mut input = Input::new(Box::new(Pieces(pieces)));
            while !input.is_at_end() {
                input.consume(input.available().len().saturating_sub(24));
                input.more().expect("pieces never fail");
                assert!(input.bridge.len() <= 2 * BRIDGE, "{} bytes of pieces of {length}", input.bridge.len());
            }
        }
    }

    #[test]
    fn a_reader_is_read_to_its_end() {
        let all: Vec<u8> = (0..200_000u32).map(|i| (i >> 4) as u8).collect();
        let mut input = Input::new(Box::new(Reading(&all[..])));
        let mut out = vec![0; all.len() + 1];
        let mut at = 0;
        while let read @ 1.. = input.copy(&mut out[at..]).expect("memory is readable") {
            at += read;
        }
        assert_eq!(out[..at], all);
    }
}
