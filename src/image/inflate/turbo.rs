//! The inner loop of decoding: what nearly all of a scan's time goes into, and the only place whose logic is `unsafe`.
//!
//! Bounds are proven once per turn instead of at each access. A turn begins only while [`INPUT_SLACK`] bytes of input and
//! [`OUTPUT_SLACK`] bytes of room are left, and no turn uses more:
//!
//! * it refills the bit buffer at most twice, each time moving on by at most 7 bytes and reading 8: at most 15 bytes behind
//!   where it began, 22 with the refill before the first turn;
//! * it writes at most three literals, or two and a match of at most 258 bytes in steps of up to 32 bytes: 2 + 288 bytes;
//! * a match is copied from no earlier than `oldest`, which is checked.
//!
//! The index of the next look-up is taken before the bit buffer is refilled, which need not be waited for: of 56 bits or
//! more, two literals and a length use at most 42, a distance 28, three literals 33.
//!
//! The rest of the input is decoded by safe code, symbol by symbol.

use super::InflateError::{self, Invalid};
use super::bits::BitBuffer;
use super::table::{DISTANCE_BITS, Entry, LITERAL_BITS, Tables};
use super::{Cursor, INPUT_SLACK, OUTPUT_SLACK};

const _: () = assert!(INPUT_SLACK >= 22 && OUTPUT_SLACK >= 2 + 288);
const _: () =
    assert!(42 + DISTANCE_BITS <= 56 && 28 + LITERAL_BITS <= 56 && 33 + LITERAL_BITS <= 56 && LITERAL_BITS <= 11);

/// The loop in the form that suits the processor.
#[derive(Debug, Clone, Copy)]
pub(super) struct Turbo {
    /// The processor has BMI1 and BMI2; only [`Turbo::detect`] says so.
    bmi: bool,
}

impl Turbo {
    pub(super) fn detect() -> Self {
        #[cfg(target_arch = "x86_64")]
        let bmi = std::arch::is_x86_feature_detected!("bmi1") && std::arch::is_x86_feature_detected!("bmi2");
        #[cfg(not(target_arch = "x86_64"))]
        let bmi = false;
        Self { bmi }
    }

    /// What runs on every processor.
    #[cfg(test)]
    pub(super) fn portable() -> Self {
        Self { bmi: false }
    }

    /// Decodes symbols until the end of the block (`true`), or until less input or room is left than a turn may need.
    ///
    /// # Errors
    /// An unknown code, or a distance beyond `cursor.oldest`.
    pub(super) fn decode(
        self,
        tables: &Tables,
        bits: &mut BitBuffer,
        input: &[u8],
        window: &mut [u8],
        cursor: &mut Cursor,
    ) -> Result<bool, InflateError> {
        #[cfg(target_arch = "x86_64")]
        if self.bmi {
            // SAFETY: the processor has what the function is compiled for.
            return unsafe { turns_with_bmi(tables, bits, input, window, cursor) };
        }
        turns(tables, bits, input, window, cursor)
    }
}

/// With shifts by a variable count in one instruction: a tenth faster.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "bmi1,bmi2")]
fn turns_with_bmi(
    tables: &Tables,
    bits: &mut BitBuffer,
    input: &[u8],
    window: &mut [u8],
    cursor: &mut Cursor,
) -> Result<bool, InflateError> {
    turns(tables, bits, input, window, cursor)
}

#[inline(always)]
fn turns(
    tables: &Tables,
    bits: &mut BitBuffer,
    input: &[u8],
    window: &mut [u8],
    cursor: &mut Cursor,
) -> Result<bool, InflateError> {
    let (Some(last_input), Some(last_output)) =
        (input.len().checked_sub(INPUT_SLACK), window.len().checked_sub(OUTPUT_SLACK))
    else {
        return Ok(false);
    };
    if cursor.at >= last_input || cursor.position >= last_output || cursor.oldest > cursor.position {
        return Ok(false);
    }
    // SAFETY: both positions lie within their slices, as was just checked, and every access below within what the module's
    // description proves for one turn.
    unsafe {
        let (input_start, window_start) = (input.as_ptr(), window.as_mut_ptr());
        let (input_end, output_end) = (input_start.add(last_input), window_start.add(last_output));
        let oldest = window_start.add(cursor.oldest);
        let mut from = input_start.add(cursor.at);
        let mut to = window_start.add(cursor.position);
        let mut buffer = *bits;
        refill(&mut buffer, &mut from);
        let mut entry = tables.literals[buffer.peek(LITERAL_BITS)];
        let result = loop {
            if entry.is_literal() {
                write_literal(entry, &mut buffer, &mut to);
                entry = tables.literals[buffer.peek(LITERAL_BITS)];
                if entry.is_literal() {
                    write_literal(entry, &mut buffer, &mut to);
                    entry = tables.literals[buffer.peek(LITERAL_BITS)];
                    if entry.is_literal() {
                        write_literal(entry, &mut buffer, &mut to);
                        if from >= input_end || to >= output_end {
                            break Ok(false);
                        }
                        let next = buffer.peek(LITERAL_BITS);
                        refill(&mut buffer, &mut from);
                        entry = tables.literals[next];
                        continue;
                    }
                }
            }
            if entry.is_special() {
                if entry.is_subtable() {
                    buffer.drop_bits(LITERAL_BITS);
                    entry = tables.literal_of_subtable(entry, buffer);
                }
                if entry.is_literal() {
                    write_literal(entry, &mut buffer, &mut to);
                    if from >= input_end || to >= output_end {
                        break Ok(false);
                    }
                    refill(&mut buffer, &mut from);
                    entry = tables.literals[buffer.peek(LITERAL_BITS)];
                    continue;
                }
                if entry.is_special() {
                    if !entry.is_end() {
                        break Err(Invalid("unknown literal or length code"));
                    }
                    buffer.drop(entry);
                    break Ok(true);
                }
            }
            let length = buffer.value(entry);
            let next = buffer.peek(DISTANCE_BITS);
            refill(&mut buffer, &mut from);
            let mut distance = tables.distances[next];
            if distance.is_special() {
                if !distance.is_subtable() {
                    break Err(Invalid("unknown distance code"));
                }
                buffer.drop_bits(DISTANCE_BITS);
                distance = tables.distance_of_subtable(distance, buffer);
                if distance.is_special() {
                    break Err(Invalid("unknown distance code"));
                }
            }
            let distance = buffer.value(distance);
            if distance > to.offset_from_unsigned(oldest) {
                break Err(Invalid("a distance reaches too far back"));
            }
            // The next look-up starts before the copy, so that their latencies overlap.
            let next = buffer.peek(LITERAL_BITS);
            refill(&mut buffer, &mut from);
            entry = tables.literals[next];
            copy_match(to, distance, length);
            to = to.add(length);
            if from >= input_end || to >= output_end {
                break Ok(false);
            }
        };
        buffer.settle();
        *bits = buffer;
        cursor.at = from.offset_from_unsigned(input_start);
        cursor.position = to.offset_from_unsigned(window_start);
        result
    }
}

/// Fills up to 56 bits or more, without a branch.
///
/// # Safety
/// Eight bytes must be readable.
#[inline(always)]
unsafe fn refill(bits: &mut BitBuffer, from: &mut *const u8) {
    // SAFETY: by the caller.
    let word = u64::from_le(unsafe { from.cast::<u64>().read_unaligned() });
    let moved = bits.fill(word);
    // SAFETY: at most seven bytes on.
    *from = unsafe { from.add(moved) };
}

/// Writes an entry's literal.
///
/// # Safety
/// A byte must be writable.
#[inline(always)]
unsafe fn write_literal(entry: Entry, bits: &mut BitBuffer, to: &mut *mut u8) {
    bits.drop(entry);
    // SAFETY: by the caller.
    unsafe {
        to.write(entry.literal());
        *to = to.add(1);
    }
}

/// Copies a match, in steps of up to 32 bytes beyond its end.
///
/// # Safety
/// `distance` bytes before `to` must be readable, and `length` bytes rounded up to 32 behind it writable.
#[inline(always)]
unsafe fn copy_match(to: *mut u8, distance: usize, length: usize) {
    // SAFETY: by the caller; each step reads what lies at least its own size before what it writes, but for the last case,
    // whose steps move on by the distance only.
    unsafe {
        let mut from = to.sub(distance).cast_const();
        let mut to = to;
        let end = to.add(length);
        if distance >= 16 {
            copy::<16>(from, to);
            copy::<16>(from.add(16), to.add(16));
            if length > 32 {
                loop {
                    from = from.add(32);
                    to = to.add(32);
                    copy::<16>(from, to);
                    copy::<16>(from.add(16), to.add(16));
                    if to.add(32) >= end {
                        break;
                    }
                }
            }
        } else if distance >= 8 {
            loop {
                copy::<8>(from, to);
                copy::<8>(from.add(8), to.add(8));
                from = from.add(16);
                to = to.add(16);
                if to >= end {
                    break;
                }
            }
        } else if distance == 1 {
            let word = [from.read(); 16];
            loop {
                to.cast::<[u8; 16]>().write_unaligned(word);
                to = to.add(16);
                if to >= end {
                    break;
                }
            }
        } else {
            loop {
                copy::<8>(from, to);
                from = from.add(distance);
                to = to.add(distance);
                if to >= end {
                    break;
                }
            }
        }
    }
}

/// Copies `N` bytes as one load and one store; the two may overlap.
///
/// # Safety
/// `N` bytes must be readable and writable.
#[inline(always)]
unsafe fn copy<const N: usize>(from: *const u8, to: *mut u8) {
    // SAFETY: by the caller.
    unsafe { to.cast::<[u8; N]>().write_unaligned(from.cast::<[u8; N]>().read_unaligned()) };
}
