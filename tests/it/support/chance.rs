//! Time that is moved by hand, and chance that repeats itself.

use std::sync::Mutex;
use std::sync::atomic::{AtomicI64, Ordering};

use roundtrip::domain::clock::{Clock, Entropy, Timestamp};

/// 2026-06-01T12:00:00Z, where every test begins.
pub(crate) const START: Timestamp = Timestamp::from_millis(1_780_315_200_000);

#[derive(Debug)]
pub(crate) struct ManualClock(AtomicI64);

impl ManualClock {
    pub(crate) fn new() -> Self {
        Self(AtomicI64::new(START.as_millis()))
    }

    pub(crate) fn advance_seconds(&self, seconds: i64) {
        self.advance_millis(seconds * 1000);
    }

    pub(crate) fn advance_millis(&self, millis: i64) {
        self.0.fetch_add(millis, Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0.load(Ordering::SeqCst))
    }
}

/// A BLAKE3 stream from a seed.
pub(crate) struct SeededEntropy(Mutex<blake3::OutputReader>);

impl SeededEntropy {
    pub(crate) fn new(seed: &str) -> Self {
        Self(Mutex::new(blake3::Hasher::new().update(seed.as_bytes()).finalize_xof()))
    }
}

impl Entropy for SeededEntropy {
    fn fill(&self, buffer: &mut [u8]) {
        self.0.lock().unwrap().fill(buffer);
    }
}
