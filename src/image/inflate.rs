//! DEFLATE (RFC 1951), decoded straight into a window that the caller owns.
//!
//! After the published design of libdeflate: a 64-bit bit buffer that is refilled without branches, decode tables with
//! one look-up for most symbols, and the next symbol looked up before the current match is copied. Unlike libdeflate it
//! streams: [`Inflate::run`] stops when input or room runs out and continues with the next call. Safe code only; every
//! verdict (accepted or refused, bytes, consumed length) is that of zlib, which the tests hold.

mod bits;
mod table;

use bits::BitBuffer;
use table::{DISTANCE_BITS, DISTANCE_SIZE, Entry, LITERAL_BITS, LITERAL_SIZE, PRECODE_BITS};

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
    literals: Box<[Entry; LITERAL_SIZE]>,
    distances: Box<[Entry; DISTANCE_SIZE]>,
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
            literals: Box::new([Entry::INVALID; LITERAL_SIZE]),
            distances: Box::new([Entry::INVALID; DISTANCE_SIZE]),
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
                    self.codes(input, window, &mut cursor)?;
                    if !matches!(self.state, State::Codes) {
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

    /// The fast loop. Goes on while a whole turn is sure to fit into input and room.
    #[inline(always)]
    fn codes(&mut self, input: &[u8], window: &mut [u8], cursor: &mut Cursor) -> Result<(), InflateError> {
        let Cursor { mut at, mut position, oldest } = *cursor;
        let input_end = input.len().saturating_sub(INPUT_SLACK);
        let window_end = window.len().saturating_sub(OUTPUT_SLACK);
        if at >= input_end || position >= window_end {
            return Ok(());
        }
        let mut bits = self.bits;
        let (literals, distances) = (&*self.literals, &*self.distances);
        bits.refill(input, &mut at);
        let mut entry = literals[bits.peek(LITERAL_BITS)];
        loop {
            // Three literals fit into one refill with enough bits left for a length, so check only after the third.
            if entry.is_literal() {
                let Some(room) = window[position..].first_chunk_mut::<4>() else { return Err(Invalid("no room")) };
                bits.drop(entry);
                room[0] = entry.literal();
                entry = literals[bits.peek(LITERAL_BITS)];
                if !entry.is_literal() {
                    position += 1;
                } else {
                    bits.drop(entry);
                    room[1] = entry.literal();
                    entry = literals[bits.peek(LITERAL_BITS)];
                    if !entry.is_literal() {
                        position += 2;
                    } else {
                        bits.drop(entry);
                        room[2] = entry.literal();
                        position += 3;
                        if at >= input_end || position >= window_end {
                            break;
                        }
                        bits.refill(input, &mut at);
                        entry = literals[bits.peek(LITERAL_BITS)];
                        continue;
                    }
                }
            }
            if entry.is_special() {
                if entry.is_subtable() {
                    bits.drop_bits(LITERAL_BITS);
                    entry = literals[entry.subtable_index(bits) & (LITERAL_SIZE - 1)];
                }
                if entry.is_literal() {
                    bits.drop(entry);
                    window[position] = entry.literal();
                    position += 1;
                    if at >= input_end || position >= window_end {
                        break;
                    }
                    bits.refill(input, &mut at);
                    entry = literals[bits.peek(LITERAL_BITS)];
                    continue;
                }
                if entry.is_special() {
                    if !entry.is_end() {
                        return Err(Invalid("unknown literal or length code"));
                    }
                    bits.drop(entry);
                    self.end_block();
                    break;
                }
            }
            let length = bits.value(entry);
            bits.refill(input, &mut at);
            let mut entry_of_distance = distances[bits.peek(DISTANCE_BITS)];
            if entry_of_distance.is_special() {
                if !entry_of_distance.is_subtable() {
                    return Err(Invalid("unknown distance code"));
                }
                bits.drop_bits(DISTANCE_BITS);
                entry_of_distance = distances[entry_of_distance.subtable_index(bits) & (DISTANCE_SIZE - 1)];
                if entry_of_distance.is_special() {
                    return Err(Invalid("unknown distance code"));
                }
            }
            let distance = bits.value(entry_of_distance);
            if distance > position - oldest {
                return Err(Invalid("a distance reaches too far back"));
            }
            // The next look-up starts before the copy, so that their latencies overlap.
            let more = at < input_end && position + length < window_end;
            if more {
                bits.refill(input, &mut at);
                entry = literals[bits.peek(LITERAL_BITS)];
            }
            copy_match(window, position, distance, length);
            position += length;
            if !more {
                break;
            }
        }
        bits.settle();
        self.bits = bits;
        *cursor = Cursor { at, position, oldest };
        Ok(())
    }

    /// The same symbol by symbol with every count checked: for the last few bytes of the input only.
    #[cold]
    fn last_codes(&mut self, input: &[u8], window: &mut [u8], cursor: &mut Cursor) -> Result<(), InflateError> {
        while window.len() - cursor.position > OUTPUT_SLACK {
            self.bits.top_up(input, &mut cursor.at);
            let mut entry = self.literals[self.bits.peek(LITERAL_BITS)];
            if !entry.is_literal() && entry.is_subtable() {
                self.bits.take(LITERAL_BITS)?;
                entry = self.literals[entry.subtable_index(self.bits) & (LITERAL_SIZE - 1)];
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
            let mut entry = self.distances[self.bits.peek(DISTANCE_BITS)];
            if entry.is_subtable() {
                self.bits.take(DISTANCE_BITS)?;
                entry = self.distances[entry.subtable_index(self.bits) & (DISTANCE_SIZE - 1)];
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
                table::fixed(&mut self.literals[..], &mut self.distances[..])?;
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
        table::literals(&lengths[..literals], &mut self.literals[..])?;
        table::distances(&lengths[literals..total], &mut self.distances[..])
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

/// Copies a match. Writes in whole words where the distance allows it, up to 15 bytes beyond the match.
#[inline(always)]
fn copy_match(window: &mut [u8], position: usize, distance: usize, length: usize) {
    let end = position + length;
    let (mut from, mut to) = (position - distance, position);
    if distance >= 16 {
        loop {
            copy_word::<16>(window, from, to);
            from += 16;
            to += 16;
            if to >= end {
                break;
            }
        }
    } else if distance >= 8 {
        loop {
            copy_word::<8>(window, from, to);
            from += 8;
            to += 8;
            if to >= end {
                break;
            }
        }
    } else if distance == 1 {
        let byte = window[from];
        window[position..end].fill(byte);
    } else {
        for to in position..end {
            window[to] = window[to - distance];
        }
    }
}

/// Copies `N` bytes; the number is known when this is compiled, so that it is a load and a store and not a call.
#[inline(always)]
fn copy_word<const N: usize>(window: &mut [u8], from: usize, to: usize) {
    let mut word = [0; N];
    word.copy_from_slice(&window[from..from + N]);
    window[to..to + N].copy_from_slice(&word);
}

#[cfg(test)]
mod tests;
