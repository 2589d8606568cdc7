//! The real clock and the real chance: the only file that reads them.
//!
//! Everything else is handed a [`Clock`] and an [`Entropy`], so that tests move time by hand and repeat
//! chance. Nothing is decided here. Without the one `expect` per source below, a second reader could slip in
//! anywhere, and "one second after the overlap" could no longer be tested.

use std::time::SystemTime;

use crate::domain::clock::{Clock, Entropy, Timestamp};

/// The computer's clock. It can jump back; whoever needs order must not take it from here.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is where time comes from")]
    fn now(&self) -> Timestamp {
        let millis = match SystemTime::now().duration_since(SystemTime::UNIX_EPOCH) {
            Ok(since) => i64::try_from(since.as_millis()).unwrap_or(i64::MAX),
            Err(before) => i64::try_from(before.duration().as_millis()).map_or(i64::MIN, |millis| -millis),
        };
        Timestamp::from_millis(millis)
    }
}

/// The operating system's generator.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemEntropy;

impl Entropy for SystemEntropy {
    /// Ends the process when the operating system has no chance to give: a key or a nonce that somebody can
    /// guess is worse than a server that is down, and no caller could do better than stop.
    #[expect(clippy::disallowed_methods, reason = "this is where chance comes from")]
    fn fill(&self, buffer: &mut [u8]) {
        if let Err(error) = getrandom::fill(buffer) {
            eprintln!("roundtrip: the operating system gives no random bytes ({error}): stopping at once");
            std::process::abort();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::clock::random_bytes;

    #[test]
    fn the_clock_is_after_the_day_this_was_written() {
        assert!(SystemClock.now() > Timestamp::from_millis(1_795_305_600_000));
    }

    #[test]
    fn chance_does_not_repeat_itself() {
        assert_ne!(random_bytes::<32>(&SystemEntropy), random_bytes::<32>(&SystemEntropy));
    }
}
