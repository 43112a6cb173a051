//! DEFLATE (RFC 1951), decoded straight into a window that the caller owns.
//!
//! After the published design of libdeflate: a 64-bit bit buffer that is refilled without branches, decode tables with
//! one look-up for most symbols, and the next symbol looked up before the current match is copied. Unlike libdeflate it
//! streams: [`Inflate::run`] stops when input or room runs out and continues with the next call. Every verdict (accepted
//! or refused, bytes, consumed length) is that of zlib, which the tests hold.

mod bits;
mod table;
#[allow(unsafe_code)] // without it, decoding takes a third longer
mod turbo;

use bits::BitBuffer;
use table::{DISTANCE_BITS, Entry, LITERAL_BITS, PRECODE_BITS, Tables};
use turbo::Turbo;

/// How far back a match may reach: this much of the output before the current position must stay in the window.
pub const HISTORY: usize = 32 * 1024;
/// Room that must be left behind the current position for decoding to go on: the longest match and what a copy in whole
/// words may write beyond it.
pub const OUTPUT_SLACK: usize = 258 + 64;
/// Input that one turn of the fast loop may look at.
const INPUT_SLACK: usize = 24;
/// More than the longest block header: 17 bits, 19 code lengths of 3 bits, 320 of up to 14.
const LONGEST_BLOCK_HEADER: usize = 640;
/// The order in which a dynamic block gives the code lengths of the code length code.
const PRECODE_ORDER: [usize; 19] = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];
const END_OF_BLOCK: usize = 256;

/// The stream is not DEFLATE.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InflateError {
    /// It breaks the format's rules.
    #[error("invalid DEFLATE data: {0}")]
    Invalid(&'static str),
    /// It ends in the middle.
    #[error("the DEFLATE data ends in the middle")]
    Truncated,
    /// It holds more than the caller allows.
    #[error("the DEFLATE data holds more than {0} bytes")]
    TooLong(usize),
}

use InflateError::{Invalid, Truncated};

/// Why [`Inflate::run`] stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// The input is used up but for a few bytes, which the next call must bring again, followed by more.
    NeedInput,
    /// No more than [`OUTPUT_SLACK`] bytes of room are left.
    NeedOutput,
    /// The stream has ended; the consumed length is exact.
    Done,
}

/// What one call of [`Inflate::run`] did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Bytes of the input that are done with.
    pub used: usize,
    /// Bytes written.
    pub made: usize,
    /// Why it stopped.
    pub status: Status,
}

/// The decoder of one DEFLATE stream.
#[derive(Debug)]
pub struct Inflate {
    bits: BitBuffer,
    state: State,
    /// The current block is the last one.
    last: bool,
    /// How much output of this stream the window holds, at most [`HISTORY`].
    history: usize,
    tables: Box<Tables>,
    turbo: Turbo,
}

#[derive(Debug, Clone, Copy)]
enum State {
    BlockHeader,
    /// In a stored block with this many bytes left.
    Stored(usize),
    /// In a block of Huffman codes.
    Codes,
    Done,
}

impl Default for Inflate {
    fn default() -> Self {
        Self {
            bits: BitBuffer::default(),
            state: State::BlockHeader,
            last: false,
            history: 0,
            tables: Box::default(),
            turbo: Turbo::detect(),
        }
    }
}

impl Inflate {
    /// Gets ready for another stream, keeping the memory.
    pub fn reset(&mut self) {
        self.bits = BitBuffer::default();
        self.state = State::BlockHeader;
        self.last = false;
        self.history = 0;
    }

    /// Decodes from `input` into `window[position..]`. `window[..position]` must end with the last [`HISTORY`] bytes of
    /// this stream's output (or all of it). `end_of_input` says that nothing follows `input`.
    ///
    /// # Errors
    /// The data is invalid, or truncated, which is only noticed with `end_of_input`.
    pub fn run(
        &mut self,
        input: &[u8],
        end_of_input: bool,
        window: &mut [u8],
        position: usize,
    ) -> Result<Progress, InflateError> {
        let mut cursor = Cursor { at: 0, position, oldest: position.saturating_sub(self.history) };
        let status = loop {
            let left_in = input.len() - cursor.at;
            let room = window.len().saturating_sub(cursor.position);
            match self.state {
                State::Done => break Status::Done,
                State::BlockHeader if left_in < LONGEST_BLOCK_HEADER && !end_of_input => break Status::NeedInput,
                State::BlockHeader => self.block_header(input, &mut cursor.at)?,
                State::Stored(left) => {
                    let length = left.min(left_in).min(room);
                    window[cursor.position..cursor.position + length]
                        .copy_from_slice(&input[cursor.at..cursor.at + length]);
                    cursor.at += length;
                    cursor.position += length;
                    if length == left {
                        self.end_block();
                        continue;
                    }
                    self.state = State::Stored(left - length);
                    if length == room {
                        break Status::NeedOutput;
                    }
                    if end_of_input {
                        return Err(Truncated);
                    }
                    break Status::NeedInput;
                }
                State::Codes => {
                    if self.turbo.decode(&self.tables, &mut self.bits, input, window, &mut cursor)? {
                        self.end_block();
                        continue;
                    }
                    if window.len().saturating_sub(cursor.position) <= OUTPUT_SLACK {
                        break Status::NeedOutput;
                    }
                    if !end_of_input {
                        break Status::NeedInput;
                    }
                    self.last_codes(input, window, &mut cursor)?;
                    if matches!(self.state, State::Codes) {
                        break Status::NeedOutput;
                    }
                }
            }
        };
        // Whole bytes that were read ahead are given back, so that less than a byte of state crosses calls.
        cursor.at -= self.bits.give_back();
        if status == Status::Done {
            self.bits = BitBuffer::default();
        }
        let made = cursor.position - position;
        self.history = (self.history + made).min(HISTORY);
        Ok(Progress { used: cursor.at, made, status })
    }

    fn end_block(&mut self) {
        self.state = if self.last { State::Done } else { State::BlockHeader };
    }

    /// Symbol by symbol with every count checked: for the last few bytes of the input only.
    #[cold]
    fn last_codes(&mut self, input: &[u8], window: &mut [u8], cursor: &mut Cursor) -> Result<(), InflateError> {
        while window.len() - cursor.position > OUTPUT_SLACK {
            self.bits.top_up(input, &mut cursor.at);
            let mut entry = self.tables.literals[self.bits.peek(LITERAL_BITS)];
            if !entry.is_literal() && entry.is_subtable() {
                self.bits.take(LITERAL_BITS)?;
                entry = self.tables.literal_of_subtable(entry, self.bits);
            }
            if entry.is_literal() {
                self.bits.take(entry.code_length())?;
                window[cursor.position] = entry.literal();
                cursor.position += 1;
                continue;
            }
            if entry.is_special() {
                if !entry.is_end() {
                    return Err(self.bits.invalid_unless_empty(LITERAL_BITS, "unknown literal or length code"));
                }
                self.bits.take(entry.code_length())?;
                self.end_block();
                break;
            }
            let length = self.bits.checked_value(entry)?;
            self.bits.top_up(input, &mut cursor.at);
            let mut entry = self.tables.distances[self.bits.peek(DISTANCE_BITS)];
            if entry.is_subtable() {
                self.bits.take(DISTANCE_BITS)?;
                entry = self.tables.distance_of_subtable(entry, self.bits);
            }
            if entry.is_special() {
                return Err(self.bits.invalid_unless_empty(DISTANCE_BITS, "unknown distance code"));
            }
            let distance = self.bits.checked_value(entry)?;
            if distance > cursor.position - cursor.oldest {
                return Err(Invalid("a distance reaches too far back"));
            }
            copy_match(window, cursor.position, distance, length);
            cursor.position += length;
        }
        Ok(())
    }

    fn block_header(&mut self, input: &[u8], at: &mut usize) -> Result<(), InflateError> {
        self.last = self.bits.get(1, input, at)? == 1;
        match self.bits.get(2, input, at)? {
            0 => {
                self.bits.align();
                let length = self.bits.get(16, input, at)?;
                let complement = self.bits.get(16, input, at)?;
                if length != !complement & 0xffff {
                    return Err(Invalid("the length of a stored block does not match its complement"));
                }
                *at -= self.bits.give_back();
                self.state = State::Stored(length as usize);
            }
            1 => {
                self.tables.fixed()?;
                self.state = State::Codes;
            }
            2 => {
                self.dynamic_codes(input, at)?;
                self.state = State::Codes;
            }
            _ => return Err(Invalid("unknown type of block")),
        }
        Ok(())
    }

    /// Reads the code lengths of a dynamic block (RFC 1951, 3.2.7) and builds its tables.
    fn dynamic_codes(&mut self, input: &[u8], at: &mut usize) -> Result<(), InflateError> {
        let bits = &mut self.bits;
        let literals = bits.get(5, input, at)? as usize + 257;
        let distances = bits.get(5, input, at)? as usize + 1;
        let in_precode = bits.get(4, input, at)? as usize + 4;
        if literals > 286 || distances > 30 {
            return Err(Invalid("too many literal, length or distance codes"));
        }
        let mut precode_lengths = [0u8; 19];
        for &symbol in &PRECODE_ORDER[..in_precode] {
            precode_lengths[symbol] = bits.get(3, input, at)? as u8;
        }
        let mut precode = [Entry::INVALID; 1 << PRECODE_BITS];
        table::precode(&precode_lengths, &mut precode)?;

        let mut lengths = [0u8; 320];
        let (total, mut filled) = (literals + distances, 0);
        while filled < total {
            bits.top_up(input, at);
            let entry = precode[bits.peek(PRECODE_BITS)];
            if entry.is_special() {
                return Err(bits.invalid_unless_empty(PRECODE_BITS, "unknown code length code"));
            }
            bits.take(entry.code_length())?;
            let (length, repeat) = match entry.base() {
                symbol @ 0..16 => (symbol as u8, 1),
                16 if filled == 0 => return Err(Invalid("a code length is repeated before the first")),
                16 => (lengths[filled - 1], 3 + bits.get(2, input, at)?),
                17 => (0, 3 + bits.get(3, input, at)?),
                _ => (0, 11 + bits.get(7, input, at)?),
            };
            let end = filled + repeat as usize;
            if end > total {
                return Err(Invalid("too many code lengths"));
            }
            lengths[filled..end].fill(length);
            filled = end;
        }
        if lengths[END_OF_BLOCK] == 0 {
            return Err(Invalid("a block without an end code"));
        }
        self.tables.build(&lengths[..literals], &lengths[literals..total])
    }
}

/// Inflates a whole stream that lies in memory, to at most `limit` bytes.
///
/// # Errors
/// The data is invalid, truncated or longer than `limit`. Bytes behind the end of the stream are ignored.
pub fn inflate_slice(input: &[u8], limit: usize) -> Result<Vec<u8>, InflateError> {
    let mut inflate = Inflate::default();
    let (mut output, mut at, mut length) = (Vec::new(), 0, 0);
    loop {
        let room = length.max(input.len()).clamp(4 * OUTPUT_SLACK, 1 << 20);
        output.resize(length + room, 0);
        let progress = inflate.run(&input[at..], true, &mut output, length)?;
        at += progress.used;
        length += progress.made;
        if length > limit {
            return Err(InflateError::TooLong(limit));
        }
        if progress.status == Status::Done {
            output.truncate(length);
            return Ok(output);
        }
    }
}

/// Positions that the loops move.
#[derive(Debug, Clone, Copy)]
struct Cursor {
    /// In the input.
    at: usize,
    /// In the window.
    position: usize,
    /// Where the oldest byte of this stream lies in the window.
    oldest: usize,
}

/// Copies a match byte by byte.
fn copy_match(window: &mut [u8], position: usize, distance: usize, length: usize) {
    for to in position..position + length {
        window[to] = window[to - distance];
    }
}

#[cfg(test)]
mod tests;
