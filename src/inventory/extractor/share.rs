//! How much of large files is in memory at a time, whatever the number of layers that are read at once.

use std::sync::{Condvar, Mutex, PoisonError};

/// Larger files than this take a share.
pub(super) const SMALL: u64 = 4 << 20;
/// What all shares together may be, in bytes; a file that is larger waits until it is the only one.
const MOST: u64 = 48 << 20;

static HELD: Held = Held { bytes: Mutex::new(0), freed: Condvar::new() };

struct Held {
    bytes: Mutex<u64>,
    freed: Condvar,
}

/// The right to hold a large file in memory, given back when dropped.
#[derive(Debug)]
pub(super) struct Share {
    bytes: u64,
}

impl Share {
    /// Waits until a file of this size may be held. Nobody may wait who has a share.
    pub(super) fn of(bytes: u64) -> Self {
        let held = HELD.bytes.lock().unwrap_or_else(PoisonError::into_inner);
        let has_no_room = |held: &mut u64| *held > 0 && held.saturating_add(bytes) > MOST;
        let mut held = HELD.freed.wait_while(held, has_no_room).unwrap_or_else(PoisonError::into_inner);
        *held = held.saturating_add(bytes);
        Self { bytes }
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let mut held = HELD.bytes.lock().unwrap_or_else(PoisonError::into_inner);
        *held = held.saturating_sub(self.bytes);
        HELD.freed.notify_all();
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
                scope.spawn(move || (0..50).for_each(|turn| hold((5 + (thread * turn) % 43) << 20)));
            }
        });
        assert!(most.load(Ordering::SeqCst) <= MOST, "{most:?}");
        hold(10 * MOST);
        assert_eq!(most.load(Ordering::SeqCst), 10 * MOST, "what is larger than all shares is held alone");
    }
}
