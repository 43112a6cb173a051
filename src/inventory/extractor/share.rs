//! How much of large files is in memory at a time, whatever the number of layers that are read at once.

use std::sync::{Condvar, Mutex, PoisonError};

/// Larger files than this take a share, in bytes. What smaller ones need is kept for the next file: to get it anew each time
/// takes longer than to read them.
pub(super) const SMALL: u64 = 16 << 20;
/// What all shares together may be, in bytes; a file that is larger waits until it is the only one.
const MOST: u64 = 48 << 20;

static TURNS: Turns = Turns { state: Mutex::new(State { held: 0, next: 0, first: 0 }), changed: Condvar::new() };

struct Turns {
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    /// Bytes.
    held: u64,
    /// The number of who comes next.
    next: u64,
    /// The number of who has waited longest, or who comes next: one after the other, so that the largest get their turn.
    first: u64,
}

/// The right to hold a large file in memory, given back when dropped.
#[derive(Debug)]
pub(super) struct Share {
    bytes: u64,
}

impl Share {
    /// Waits until a file of this size may be held. Nobody may wait who has a share.
    pub(super) fn of(bytes: u64) -> Self {
        let mut state = TURNS.state.lock().unwrap_or_else(PoisonError::into_inner);
        let own = state.next;
        state.next += 1;
        let has_to_wait =
            |state: &mut State| state.first != own || state.held > 0 && state.held.saturating_add(bytes) > MOST;
        let mut state = TURNS.changed.wait_while(state, has_to_wait).unwrap_or_else(PoisonError::into_inner);
        state.first += 1;
        state.held = state.held.saturating_add(bytes);
        TURNS.changed.notify_all();
        Self { bytes }
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let mut state = TURNS.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.held = state.held.saturating_sub(self.bytes);
        TURNS.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::thread;

    use super::*;

    #[test]
    fn all_get_their_turn_and_never_too_much_is_held() {
        let (held, most) = (AtomicU64::new(0), AtomicU64::new(0));
        let hold = |bytes: u64| {
            let share = Share::of(bytes);
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
}
