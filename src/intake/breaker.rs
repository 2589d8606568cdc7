//! Whether the database can be written to, as far as the writers know.
//!
//! Three failed tries in a row, or one that outlives its time, open the breaker: from then on nobody waits for a
//! database that is not there. Postbacks are asked at once to come again, clicks and pixels go to the spool. One
//! writer tries a small write of its own several times a second, and the first that is committed closes the breaker.
//! A fault of single items never opens it, and neither does a lock that somebody else held for too long.

use std::sync::atomic::{AtomicU8, AtomicU32, Ordering};

use crate::store::Outage;

/// Tries in a row that must fail.
const FAILURES: u32 = 3;

#[derive(Debug, Default)]
pub(super) struct Breaker {
    failures: AtomicU32,
    /// 0 while it is closed, else the number of the outage.
    open: AtomicU8,
}

impl Breaker {
    /// Why nothing is tried now; none while it is closed.
    pub(super) fn outage(&self) -> Option<Outage> {
        match self.open.load(Ordering::Relaxed) {
            0 => None,
            1 => Some(Outage::ReadOnly),
            2 => Some(Outage::DiskFull),
            _ => Some(Outage::Away),
        }
    }

    pub(super) fn is_open(&self) -> bool {
        self.outage().is_some()
    }

    /// Something was committed.
    pub(super) fn succeeded(&self) {
        self.failures.store(0, Ordering::Relaxed);
        if self.open.swap(0, Ordering::Relaxed) != 0 {
            tracing::info!("the database can be written to again");
        }
    }

    /// A try failed, and the next may.
    pub(super) fn failed(&self, outage: Outage) {
        if self.failures.fetch_add(1, Ordering::Relaxed).saturating_add(1) >= FAILURES {
            self.trip(outage);
        }
    }

    /// The next try would fail as well.
    pub(super) fn trip(&self, outage: Outage) {
        let code = match outage {
            Outage::ReadOnly => 1,
            Outage::DiskFull => 2,
            Outage::Away => 3,
        };
        if self.open.swap(code, Ordering::Relaxed) == 0 {
            tracing::error!(outage = outage.as_str(), "the database cannot be written to: nobody waits for it now");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_failures_in_a_row_open_it_and_a_success_closes_it() {
        let breaker = Breaker::default();
        for _ in 0..2 {
            breaker.failed(Outage::Away);
        }
        breaker.succeeded();
        for _ in 0..2 {
            breaker.failed(Outage::DiskFull);
            assert_eq!(breaker.outage(), None);
        }
        breaker.failed(Outage::DiskFull);
        assert_eq!(breaker.outage(), Some(Outage::DiskFull));
        breaker.succeeded();
        assert!(!breaker.is_open());
        breaker.trip(Outage::ReadOnly);
        assert_eq!(breaker.outage(), Some(Outage::ReadOnly));
        breaker.trip(Outage::Away);
        assert_eq!(breaker.outage(), Some(Outage::Away), "the newest reason is told");
    }
}
