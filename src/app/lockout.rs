//! Ten wrong passwords in 15 minutes close an account for the network that sent them, for 15 minutes; both numbers
//! are settings.
//!
//! The pair of account and network is what is locked: not the account, or a stranger could keep its owner out; and
//! not the network, or an office could. Each try counts before its password is looked at, so that a hundred at once
//! are not a hundred tries; the right password takes the count away. In memory of one server, and bounded: when it
//! is full, what was touched longest ago is forgotten. Accounts are kept as hashes, known or not.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Mutex;

use ipnet::IpNet;

use crate::domain::clock::Timestamp;
use crate::domain::privacy::network_key;

/// Wrong passwords before the lock, when nothing else is set.
pub const FAILURES_MAX: u32 = 10;
/// How long failures are counted together, and how long the lock holds, when nothing else is set.
pub const WINDOW_SECONDS: i64 = 15 * 60;
/// Pairs that are remembered: about a megabyte.
const PAIRS_MAX: usize = 10_000;

/// Who may try again, and when.
#[derive(Debug)]
pub struct Lockout {
    pairs: Mutex<HashMap<Pair, Count>>,
    failures_max: u32,
    window_seconds: i64,
}

impl Default for Lockout {
    fn default() -> Self {
        Self::new(FAILURES_MAX, WINDOW_SECONDS)
    }
}

/// One account as one network tries it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Pair {
    account: [u8; 16],
    network: Option<IpNet>,
}

impl Pair {
    /// `email` in its one spelling; an IPv6 network is a /64.
    pub fn of(email: &str, address: Option<IpAddr>) -> Self {
        let mut account = [0; 16];
        blake3::Hasher::new().update(email.as_bytes()).finalize_xof().fill(&mut account);
        Self { account, network: address.map(network_key) }
    }
}

#[derive(Clone, Copy, Debug)]
struct Count {
    tries: u32,
    /// Of the first try that counts; once locked, of the last one.
    since: Timestamp,
}

impl Count {
    fn ends_at(self, window_seconds: i64) -> Timestamp {
        self.since.plus_seconds(window_seconds)
    }
}

impl Lockout {
    /// Wrong passwords before the lock, at least 1; and how long failures count together and the lock holds.
    pub fn new(failures_max: u32, window_seconds: i64) -> Self {
        Self { pairs: Mutex::default(), failures_max: failures_max.max(1), window_seconds }
    }

    /// Counts a try. `Err` says when the pair may try again.
    ///
    /// # Errors
    /// The pair is locked.
    pub fn begin(&self, pair: Pair, now: Timestamp) -> Result<(), Timestamp> {
        let mut pairs = self.pairs.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        make_room(&mut pairs, &pair, now, self.window_seconds);
        let count = pairs.entry(pair).or_insert(Count { tries: 0, since: now });
        if now >= count.ends_at(self.window_seconds) {
            *count = Count { tries: 0, since: now };
        }
        if count.tries >= self.failures_max {
            return Err(count.ends_at(self.window_seconds));
        }
        count.tries = count.tries.saturating_add(1);
        if count.tries == self.failures_max {
            count.since = now;
        }
        Ok(())
    }

    /// The password was right: nothing counts any more.
    pub fn succeeded(&self, pair: Pair) {
        self.pairs.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).remove(&pair);
    }

    /// The try came to nothing by our own failure: it does not count.
    pub fn withdraw(&self, pair: Pair) {
        let mut pairs = self.pairs.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        if let Some(count) = pairs.get_mut(&pair) {
            count.tries = count.tries.saturating_sub(1);
        }
    }
}

/// First what has run out, then the oldest, makes room for a new pair.
fn make_room(pairs: &mut HashMap<Pair, Count>, pair: &Pair, now: Timestamp, window_seconds: i64) {
    if pairs.len() < PAIRS_MAX || pairs.contains_key(pair) {
        return;
    }
    pairs.retain(|_, count| now < count.ends_at(window_seconds));
    if pairs.len() >= PAIRS_MAX {
        let oldest = pairs.iter().min_by_key(|(_, count)| count.since).map(|(pair, _)| *pair);
        oldest.map(|pair| pairs.remove(&pair));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);

    fn pair(address: &str) -> Pair {
        Pair::of("ada@example.com", Some(address.parse().unwrap()))
    }

    #[test]
    fn the_tenth_failure_locks_for_a_quarter_of_an_hour() {
        let lockout = Lockout::default();
        for second in 0..10 {
            assert_eq!(lockout.begin(pair("192.0.2.1"), NOW.plus_seconds(second)), Ok(()), "{second}");
        }
        let end = NOW.plus_seconds(9 + WINDOW_SECONDS);
        assert_eq!(lockout.begin(pair("192.0.2.1"), NOW.plus_seconds(10)), Err(end));
        assert_eq!(lockout.begin(pair("192.0.2.1"), end.plus_millis(-1)), Err(end));
        assert_eq!(lockout.begin(pair("192.0.2.1"), end), Ok(()));
    }

    #[test]
    fn failures_that_lie_apart_do_not_add_up() {
        let lockout = Lockout::default();
        for _ in 0..9 {
            assert_eq!(lockout.begin(pair("192.0.2.1"), NOW), Ok(()));
        }
        for _ in 0..10 {
            assert_eq!(lockout.begin(pair("192.0.2.1"), NOW.plus_seconds(WINDOW_SECONDS)), Ok(()));
        }
        assert!(lockout.begin(pair("192.0.2.1"), NOW.plus_seconds(WINDOW_SECONDS)).is_err());
    }

    #[test]
    fn only_the_pair_is_locked_and_a_network_of_ipv6_is_one() {
        let lockout = Lockout::default();
        for host in 1..=10 {
            assert_eq!(lockout.begin(pair(&format!("2001:db8::{host}")), NOW), Ok(()));
        }
        assert!(lockout.begin(pair("2001:db8::ffff"), NOW).is_err());
        assert!(lockout.begin(pair("2001:db8:0:1::1"), NOW).is_ok());
        assert!(lockout.begin(pair("192.0.2.1"), NOW).is_ok());
        assert!(lockout.begin(Pair::of("eve@example.com", "2001:db8::1".parse().ok()), NOW).is_ok());
        assert!(lockout.begin(Pair::of("ada@example.com", None), NOW).is_ok());
    }

    #[test]
    fn the_right_password_ends_the_count_and_our_own_failure_does_not_add_to_it() {
        let lockout = Lockout::default();
        for _ in 0..9 {
            assert_eq!(lockout.begin(pair("192.0.2.1"), NOW), Ok(()));
        }
        for _ in 0..20 {
            assert_eq!(lockout.begin(pair("192.0.2.1"), NOW), Ok(()));
            lockout.withdraw(pair("192.0.2.1"));
        }
        lockout.succeeded(pair("192.0.2.1"));
        for _ in 0..10 {
            assert_eq!(lockout.begin(pair("192.0.2.1"), NOW), Ok(()));
        }
        assert!(lockout.begin(pair("192.0.2.1"), NOW).is_err());
    }

    #[test]
    fn memory_is_bounded_and_forgets_the_oldest_first() {
        let lockout = Lockout::default();
        let account = |number: usize| Pair::of(&number.to_string(), None);
        for number in 0..PAIRS_MAX + 5 {
            let after = NOW.plus_millis(i64::try_from(number).unwrap());
            assert_eq!(lockout.begin(account(number), after), Ok(()));
        }
        let pairs = lockout.pairs.lock().unwrap();
        assert_eq!(pairs.len(), PAIRS_MAX);
        assert!(!pairs.contains_key(&account(4)) && pairs.contains_key(&account(5)));
    }
}
