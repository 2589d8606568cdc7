//! Time and chance as parameters.
//!
//! Nothing in the server reads the clock or draws a random byte by itself: it is handed a [`Clock`] and
//! an [`Entropy`]. `system.rs` holds the real ones; tests hold a clock that they move by hand.

use std::fmt;

use serde::{Deserialize, Serialize};

/// An instant: milliseconds since 1970-01-01T00:00:00Z. The unit of every `*_at` column.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Timestamp(i64);

impl Timestamp {
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    pub const fn as_millis(self) -> i64 {
        self.0
    }

    /// Later by `seconds`; stays at the end of time rather than wrapping.
    pub const fn plus_seconds(self, seconds: i64) -> Self {
        Self(self.0.saturating_add(seconds.saturating_mul(1000)))
    }

    pub const fn plus_millis(self, millis: i64) -> Self {
        Self(self.0.saturating_add(millis))
    }

    /// Milliseconds from `earlier` to here; negative when `earlier` is later.
    pub const fn millis_since(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0)
    }

    /// The start of the bucket of `seconds` that holds this instant (figures use 900).
    pub const fn bucket(self, seconds: i64) -> Self {
        Self(self.0.div_euclid(seconds * 1000) * seconds * 1000)
    }

    /// Reads RFC 3339 with any offset. `None` when it is not that, or outside the years that we can print.
    pub fn parse_rfc3339(text: &str) -> Option<Self> {
        text.parse::<jiff::Timestamp>().ok().map(|t| Self(t.as_millisecond()))
    }
}

/// RFC 3339 in UTC, milliseconds only where there are any.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_millisecond(self.0) {
            Ok(instant) => instant.fmt(f),
            Err(_) => write!(f, "{}ms", self.0),
        }
    }
}

/// Where the server learns what time it is.
pub trait Clock: Send + Sync {
    fn now(&self) -> Timestamp;
}

/// Where the server draws its chance from: keys, nonces, ids, codes.
pub trait Entropy: Send + Sync {
    /// Fills all of `buffer` with bytes that nobody can predict.
    fn fill(&self, buffer: &mut [u8]);
}

/// `N` fresh random bytes.
pub fn random_bytes<const N: usize>(entropy: &dyn Entropy) -> [u8; N] {
    let mut bytes = [0; N];
    entropy.fill(&mut bytes);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instant_prints_and_reads_as_rfc_3339() {
        let instant = Timestamp::from_millis(1_795_344_000_123);
        assert_eq!(instant.to_string(), "2026-11-22T10:40:00.123Z");
        assert_eq!(Timestamp::parse_rfc3339("2026-11-22T11:40:00.123+01:00"), Some(instant));
        assert_eq!(Timestamp::parse_rfc3339("yesterday"), None);
    }

    #[test]
    fn a_bucket_begins_at_or_before_its_instant_also_before_1970() {
        assert_eq!(Timestamp::from_millis(899_999).bucket(900), Timestamp::from_millis(0));
        assert_eq!(Timestamp::from_millis(900_000).bucket(900), Timestamp::from_millis(900_000));
        assert_eq!(Timestamp::from_millis(-1).bucket(900), Timestamp::from_millis(-900_000));
    }
}
