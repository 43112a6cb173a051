//! How much of large files is in memory at a time, whatever the number of layers that are read at once.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// Larger files than this take a share, in bytes. What smaller ones need is kept for the next file: to get it anew each time
/// takes longer than to read them.
pub(super) const SMALL: u64 = 12 << 20;
/// What all shares together may be, in bytes; a file that is larger waits until it is the only one.
const MOST: u64 = 48 << 20;

static TURNS: Turns = Turns::new();
/// Of what is unpacked out of a file, which may hold a share of its own meanwhile.
static NESTED: Turns = Turns::new();
/// Of whoever needs more than it has a share for. Nobody who has one waits for one of the others, so all come to their end.
static ALL_NESTED: Turns = Turns::new();

#[derive(Debug)]
struct Turns {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug)]
struct State {
    /// Bytes.
    held: u64,
    /// The number of who comes next.
    next: u64,
    /// The number of who has waited longest, or who comes next: one after the other, so that the largest get their turn.
    first: u64,
    /// Memory that a share left, for the next one: to get it anew takes the system longer than to copy a file into it.
    spare: Memory,
}

/// Memory for files up to [`MOST`]. What was never written to costs nothing.
#[derive(Debug, Default)]
struct Memory {
    bytes: Vec<u8>,
    /// How many bytes were written to at some time.
    touched: u64,
}

/// The right to hold a large file in memory, given back when dropped. Nobody may ask for one who has one of the same sort,
/// or of a later one.
#[derive(Debug)]
pub(super) struct Share<'t> {
    turns: &'t Turns,
    bytes: u64,
    memory: Vec<u8>,
}

impl Share<'static> {
    /// Waits until a file of this size may be held, whose content is put into the share's own memory.
    pub(super) fn with_memory(bytes: u64) -> Self {
        TURNS.take(bytes, true)
    }

    /// The same for a file whose content is put elsewhere.
    pub(super) fn of(bytes: u64) -> Self {
        TURNS.take(bytes, false)
    }

    /// The same for what is unpacked out of a file.
    pub(super) fn of_nested(bytes: u64) -> Self {
        NESTED.take(bytes, false)
    }

    /// Waits until nobody else unpacks more than was foreseen.
    pub(super) fn of_all_nested() -> Self {
        ALL_NESTED.take(MOST, false)
    }
}

/// Gives the memory that is kept for the next share back to the system.
pub(super) fn give_back() {
    TURNS.lock().spare = Memory::default();
}

impl Turns {
    const fn new() -> Self {
        let spare = Memory { bytes: Vec::new(), touched: 0 };
        let state = State { held: 0, next: 0, first: 0, spare };
        Self { state: Mutex::new(state), changed: Condvar::new() }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self, bytes: u64, with_memory: bool) -> Share<'_> {
        let mut state = self.lock();
        let own = state.next;
        state.next += 1;
        let has_to_wait =
            |state: &mut State| state.first != own || state.held > 0 && state.held.saturating_add(bytes) > MOST;
        let mut state = self.changed.wait_while(state, has_to_wait).unwrap_or_else(PoisonError::into_inner);
        state.first += 1;
        let spare = std::mem::take(&mut state.spare);
        let touched = bytes.max(spare.touched);
        // Memory that is much larger would keep others waiting for more than the file needs.
        let fits = touched <= bytes.saturating_add(bytes / 2) && state.held.saturating_add(touched) <= MOST;
        let share = if with_memory && fits {
            state.held += touched;
            Share { turns: self, bytes: touched, memory: spare.bytes }
        } else {
            state.held = state.held.saturating_add(bytes);
            state.keep(spare);
            Share { turns: self, bytes, memory: Vec::new() }
        };
        self.changed.notify_all();
        share
    }
}

impl State {
    /// Keeps memory as the spare one, unless what it has is larger, or it would be too much with what is held.
    fn keep(&mut self, mut memory: Memory) {
        let has_more = memory.bytes.capacity() > 0 && memory.touched > self.spare.touched;
        if has_more && self.held.saturating_add(memory.touched) <= MOST {
            memory.bytes.clear();
            self.spare = memory;
        }
    }
}

impl Share<'_> {
    /// For the file's content, empty at first.
    pub(super) fn memory(&mut self) -> &mut Vec<u8> {
        if self.memory.capacity() == 0 && self.bytes <= MOST {
            // All that it may ever need: the next file is perhaps larger.
            self.memory.reserve_exact(MOST as usize);
        }
        &mut self.memory
    }
}

impl Drop for Share<'_> {
    fn drop(&mut self) {
        let memory = Memory { bytes: std::mem::take(&mut self.memory), touched: self.bytes };
        let mut state = self.turns.lock();
        state.held = state.held.saturating_sub(self.bytes);
        state.keep(memory);
        self.turns.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::thread;

    use super::*;

    #[test]
    fn all_get_their_turn_and_never_too_much_is_held() {
        let turns = Turns::new();
        let (held, most) = (AtomicU64::new(0), AtomicU64::new(0));
        let hold = |bytes: u64| {
            let share = turns.take(bytes, false);
            most.fetch_max(held.fetch_add(bytes, Ordering::SeqCst) + bytes, Ordering::SeqCst);
            thread::yield_now();
            held.fetch_sub(bytes, Ordering::SeqCst);
            drop(share);
        };
        thread::scope(|scope| {
            for thread in 0..8_u64 {
                scope.spawn(move || (0..50).for_each(|turn| hold((17 + (thread * turn) % 31) << 20)));
            }
        });
        assert!(most.load(Ordering::SeqCst) <= MOST, "{most:?}");
        hold(10 * MOST);
        assert_eq!(most.load(Ordering::SeqCst), 10 * MOST, "what is larger than all shares is held alone");
    }

    #[test]
    fn all_sorts_of_shares_come_to_their_end() {
        thread::scope(|scope| {
            for thread in 0..8_u64 {
                scope.spawn(move || {
                    for turn in 0..50 {
                        let _file = (turn % 2 == 0).then(|| Share::of((17 + thread) << 20));
                        let _nested = Share::of_nested((13 + turn) << 20);
                        let _all = (turn % 3 == 0).then(Share::of_all_nested);
                        thread::yield_now();
                    }
                });
            }
        });
    }

    #[test]
    fn memory_is_used_again_and_never_too_much_is_kept() {
        let turns = Turns::new();
        let spare = || turns.lock().spare.touched >> 20;
        // What a file needs, whether there was memory that a share left, and what is left after it, in MiB.
        for (size, is_used_again, left) in [
            (20, false, 20),
            (30, true, 30),
            (21, true, 30),
            (13, false, 30),
            (47, true, 47),
            (100, false, 0),
            (18, false, 18),
            (47, true, 47),
        ] {
            let mut share = turns.take(size << 20, true);
            assert_eq!(share.memory.capacity() > 0, is_used_again, "for {size} MiB");
            share.memory().push(1);
            drop(share);
            assert_eq!(spare(), left, "after {size} MiB");
            assert_eq!(turns.lock().held, 0, "after {size} MiB");
        }
        let other = turns.take(1 << 20, false);
        assert_eq!(spare(), 47, "1 and 47 MiB are not too much");
        let mut another = turns.take(40 << 20, true);
        assert_eq!(another.bytes >> 20, 47, "all that was written to counts");
        assert!(another.memory().is_empty());
        drop((other, another));
        let _other = turns.take(2 << 20, false);
        assert_eq!(spare(), 0, "2 and 47 MiB are too much");
    }
}
