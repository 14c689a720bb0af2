//! Where time enters (I-10): every other function is given `now`.
#![forbid(unsafe_code)]

use std::time::{Duration, Instant};

/// The monotonic clock, read once a turn and once for each new deadline.
#[must_use]
#[expect(
    clippy::disallowed_methods,
    reason = "the one place that reads the clock"
)]
pub fn now() -> Instant {
    Instant::now()
}

/// The instant `timeout` after `now`, or `None` when that lies beyond what the clock can express:
/// such a wait has no deadline.
#[must_use]
pub fn deadline(now: Instant, timeout: Option<Duration>) -> Option<Instant> {
    timeout.and_then(|timeout| now.checked_add(timeout))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deadline_is_a_timeout_away() {
        let now = now();
        let second = Duration::from_secs(1);
        assert_eq!(deadline(now, Some(second)), Some(now + second));
        assert_eq!(deadline(now, Some(Duration::ZERO)), Some(now));
    }

    #[test]
    fn no_timeout_and_one_beyond_the_clock_are_no_deadline() {
        assert_eq!(deadline(now(), None), None);
        assert_eq!(deadline(now(), Some(Duration::MAX)), None);
    }

    #[test]
    fn it_never_goes_back() {
        let mut last = now();
        for _ in 0..1_000 {
            let next = now();
            assert!(next >= last);
            last = next;
        }
    }
}
