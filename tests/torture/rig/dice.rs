//! Chance that repeats itself: a stream from the seed for each purpose, so that one more draw here changes nothing
//! there.

use std::time::Duration;

pub(crate) struct Dice(blake3::OutputReader);

impl Dice {
    /// The stream of `purpose` and `number` under `seed`.
    pub(crate) fn new(seed: u64, purpose: &str, number: u64) -> Self {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&seed.to_le_bytes()).update(&number.to_le_bytes()).update(purpose.as_bytes());
        Self(hasher.finalize_xof())
    }

    pub(super) fn next(&mut self) -> u64 {
        let mut bytes = [0; 8];
        self.0.fill(&mut bytes);
        u64::from_le_bytes(bytes)
    }

    /// 0 to `end` - 1; 0 when `end` is 0.
    pub(super) fn below(&mut self, end: u64) -> u64 {
        self.next().checked_rem(end).unwrap_or(0)
    }

    /// As [`Self::below`], for places.
    pub(super) fn index(&mut self, end: usize) -> usize {
        u64::try_from(end).map(|end| self.below(end)).ok().and_then(|n| usize::try_from(n).ok()).unwrap_or(0)
    }

    pub(super) fn percent(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    pub(super) fn millis(&mut self, least: u64, most: u64) -> Duration {
        Duration::from_millis(least + self.below(most - least + 1))
    }
}
