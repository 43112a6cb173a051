//! When to ask again: exponential back-off with jitter, `Retry-After` (RFC 9110, 10.2.3), a bounded total.
//!
//! For requests that change nothing (GET, HEAD) only.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::time::Duration;

use jiff::Timestamp;
use reqwest::StatusCode;
use reqwest::header::{HeaderMap, RETRY_AFTER};

use crate::context::NetworkSettings;

/// The state of one request that is repeated until it succeeds or must be given up.
#[derive(Debug, Clone)]
pub struct Retry {
    attempts_left: u32,
    budget: Duration,
    step: Duration,
    made: u32,
}

impl Retry {
    /// Nothing was tried yet.
    #[must_use]
    pub fn new(settings: &NetworkSettings) -> Self {
        Self { attempts_left: settings.attempts, budget: settings.retry_budget, step: FIRST_STEP, made: 0 }
    }

    /// How long to wait before the next attempt; `None` when there must be none, because the attempts are used up or
    /// the server asked for a longer wait than is left. `asked` is the server's `Retry-After`.
    pub fn next_delay(&mut self, asked: Option<Duration>) -> Option<Duration> {
        self.made += 1;
        self.attempts_left = self.attempts_left.saturating_sub(1);
        if self.attempts_left == 0 {
            return None;
        }
        let delay = asked.unwrap_or_else(|| jitter(self.step));
        self.step = self.step.saturating_mul(2).min(LAST_STEP);
        self.budget = self.budget.checked_sub(delay)?;
        Some(delay)
    }

    /// Attempts that failed so far.
    #[must_use]
    pub fn failed(&self) -> u32 {
        self.made
    }
}

/// Whether a status says that the same request may succeed later.
#[must_use]
pub fn is_transient(status: StatusCode) -> bool {
    matches!(status.as_u16(), 429 | 502 | 503 | 504)
}

/// The wait that the server asks for, in seconds or as a date; a date in the past is no wait.
#[must_use]
pub fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse::<u64>() {
        return Some(Duration::from_secs(seconds));
    }
    let seconds = http_date(text)?.duration_since(Timestamp::now()).as_secs();
    Some(Duration::from_secs(seconds.try_into().unwrap_or(0)))
}

/// An HTTP date (RFC 9110, 5.6.7) in its preferred form, `Sun, 06 Nov 1994 08:49:37 GMT`.
#[must_use]
pub fn http_date(text: &str) -> Option<Timestamp> {
    jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(text).ok()
}

/// Between half of a step and all of it, so that parallel jobs do not come back together.
fn jitter(step: Duration) -> Duration {
    let random = RandomState::new().build_hasher().finish();
    let half = step / 2;
    let span = u64::try_from(half.as_millis()).unwrap_or(u64::MAX).max(1);
    half + Duration::from_millis(random % span)
}

const FIRST_STEP: Duration = Duration::from_millis(300);
const LAST_STEP: Duration = Duration::from_secs(15);

#[cfg(test)]
mod tests {
    use reqwest::header::HeaderValue;

    use super::*;

    #[test]
    fn waits_longer_each_time_and_gives_up() {
        let mut retry = Retry::new(&NetworkSettings { attempts: 4, ..NetworkSettings::default() });
        let delays: Vec<_> = std::iter::from_fn(|| retry.next_delay(None)).collect();
        assert_eq!(delays.len(), 3, "the first attempt counts");
        for (delay, step) in delays.iter().zip([300, 600, 1200]) {
            let step = Duration::from_millis(step);
            assert!(*delay >= step / 2 && *delay <= step, "{delay:?} for {step:?}");
        }
        assert_eq!(retry.failed(), 4);
    }

    #[test]
    fn obeys_the_server_within_the_budget() {
        let settings = NetworkSettings { retry_budget: Duration::from_secs(10), ..NetworkSettings::default() };
        let mut retry = Retry::new(&settings);
        assert_eq!(retry.next_delay(Some(Duration::from_secs(7))), Some(Duration::from_secs(7)));
        assert_eq!(retry.next_delay(Some(Duration::from_secs(7))), None, "14 s are more than 10");
    }

    #[test]
    fn reads_both_forms_of_retry_after() {
        let headers = |value: &str| HeaderMap::from_iter([(RETRY_AFTER, HeaderValue::from_str(value).unwrap())]);
        assert_eq!(retry_after(&HeaderMap::new()), None);
        assert_eq!(retry_after(&headers("7")), Some(Duration::from_secs(7)));
        assert_eq!(retry_after(&headers("Sun, 06 Nov 1994 08:49:37 GMT")), Some(Duration::ZERO));
        assert_eq!(retry_after(&headers("soon")), None);
        let later = Timestamp::now() + jiff::SignedDuration::from_secs(100);
        let later = jiff::fmt::rfc2822::DateTimePrinter::new().timestamp_to_rfc9110_string(&later).unwrap();
        let wait = retry_after(&headers(&later)).unwrap().as_secs();
        assert!((98..=100).contains(&wait), "{later}: {wait}");
    }
}
