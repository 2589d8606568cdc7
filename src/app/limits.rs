//! How often something may be tried, and how much of a flood is written down, in the memory of this server.
//!
//! Only two things are limited on the tracking doors: bad tokens from one network, so that nobody can guess or
//! flood, and dry runs of one token. A good request is never limited: it is a fact that somebody was paid for.
//! Receipts of requests without a verified token are sampled in a flood, so that it costs neither the disk nor the
//! time of those who pay. Time comes from the server's own clock, so a test can move it.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use governor::clock::Clock as GovernorClock;
use governor::middleware::NoOpMiddleware;
use governor::state::keyed::DashMapStateStore;
use governor::{Quota, RateLimiter};
use ipnet::IpNet;

use crate::domain::clock::{Clock, Timestamp};
use crate::domain::ids::TokenId;
use crate::domain::privacy::network_key;

/// Full addresses are here, in memory only.
pub struct TrackingLimits {
    bad_tokens: Limiter<IpNet>,
    dry_runs: Limiter<TokenId>,
    stranger_receipts: StrangerReceipts,
    clock: DomainClock,
}

/// How much of what is allowed. A number of 0 counts as 1.
#[derive(Clone, Copy, Debug)]
pub struct TrackingRates {
    pub bad_tokens_per_minute: u32,
    pub dry_runs_per_second: u32,
    /// Receipts of requests without a verified token; of one network a fifth of it.
    pub stranger_receipts_per_second: u32,
}

/// Those of `config/default.toml`.
impl Default for TrackingRates {
    fn default() -> Self {
        Self { bad_tokens_per_minute: 20, dry_runs_per_second: 10, stranger_receipts_per_second: 100 }
    }
}

/// The caller is over its limit, and may come again after this many seconds (at least 1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limited {
    pub retry_after_seconds: u64,
}

type Limiter<K> = RateLimiter<K, DashMapStateStore<K>, DomainClock, NoOpMiddleware<Duration>>;

impl TrackingLimits {
    pub fn new(clock: Arc<dyn Clock>, rates: TrackingRates) -> Self {
        let clock = DomainClock(clock);
        Self {
            bad_tokens: limiter(Quota::per_minute(at_least_one(rates.bad_tokens_per_minute)), &clock),
            dry_runs: limiter(Quota::per_second(at_least_one(rates.dry_runs_per_second)), &clock),
            stranger_receipts: StrangerReceipts::new(rates.stranger_receipts_per_second),
            clock,
        }
    }

    /// Counts a bad token from the network of `address` (/32 or /64).
    ///
    /// # Errors
    /// The network is over its limit.
    pub fn bad_token(&self, address: IpAddr) -> Result<(), Limited> {
        check(&self.bad_tokens, &network_key(address), &self.clock)
    }

    /// Counts a dry run of a token.
    ///
    /// # Errors
    /// The token is over its limit.
    pub fn dry_run(&self, token: TokenId) -> Result<(), Limited> {
        check(&self.dry_runs, &token, &self.clock)
    }

    /// Is the receipt of a request without a verified token to be kept? Whoever tries a URL by hand finds his; of a
    /// flood only a sample is written. Asked before anything is prepared for the receipt.
    pub fn keeps_stranger_receipt(&self, address: IpAddr, at: Timestamp) -> bool {
        self.stranger_receipts.keeps(address, at)
    }

    /// Forgets whoever is far from the limit. Call it every minute: else every network that ever failed stays.
    pub fn forget(&self) {
        self.bad_tokens.retain_recent();
        self.bad_tokens.shrink_to_fit();
        self.dry_runs.retain_recent();
    }
}

/// Groups of networks, each with a share of its own: a flood from one network takes the receipts of one group.
const GROUPS: usize = 256;
/// The part of all that one group may have.
const GROUP_PART: u32 = 5;
/// Of those beyond it one in this many is kept all the same, so that a flood shows from its beginning to its end.
const SAMPLE_ONE_IN: u64 = 1000;

/// The first ones of each second are kept, and a sample of the others. Bounded, and without a lock.
struct StrangerReceipts {
    per_second: u32,
    all: Share,
    by_group: [Share; GROUPS],
    passed_over: AtomicU64,
}

impl StrangerReceipts {
    fn new(per_second: u32) -> Self {
        Self {
            per_second: per_second.max(1),
            all: Share::default(),
            by_group: [const { Share(AtomicU64::new(0)) }; GROUPS],
            passed_over: AtomicU64::new(0),
        }
    }

    fn keeps(&self, address: IpAddr, at: Timestamp) -> bool {
        let second = at.as_millis().div_euclid(1000);
        let group_max = self.per_second.div_ceil(GROUP_PART);
        // The group is asked first: what it is refused must not be taken from the others.
        let first = self.group_of(address).takes(second, group_max) && self.all.takes(second, self.per_second);
        first || (self.passed_over.fetch_add(1, Ordering::Relaxed) + 1).is_multiple_of(SAMPLE_ONE_IN)
    }

    fn group_of(&self, address: IpAddr) -> &Share {
        let mut hasher = DefaultHasher::new();
        network_key(address).hash(&mut hasher);
        let [low, ..] = hasher.finish().to_le_bytes();
        &self.by_group[usize::from(low)]
    }
}

/// How much of a second's share is taken: the second and the count in one number, so that no two readers disagree.
#[derive(Default)]
struct Share(AtomicU64);

impl Share {
    fn takes(&self, second: i64, max: u32) -> bool {
        // Only equality matters, so the low half of the second will do.
        let second = second.cast_unsigned() << 32;
        let take = |taken: u64| match taken ^ second {
            count if count >> 32 != 0 => Some(second | 1),
            count if count < u64::from(max) => Some(second | (count + 1)),
            _ => None,
        };
        self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).is_ok()
    }
}

/// The server's clock as governor wants one: time since 1970.
#[derive(Clone)]
struct DomainClock(Arc<dyn Clock>);

impl GovernorClock for DomainClock {
    type Instant = Duration;

    fn now(&self) -> Duration {
        Duration::from_millis(u64::try_from(self.0.now().as_millis()).unwrap_or(0))
    }
}

fn limiter<K: Hash + Eq + Clone>(quota: Quota, clock: &DomainClock) -> Limiter<K> {
    RateLimiter::new(quota, DashMapStateStore::default(), clock.clone())
}

fn at_least_one(number: u32) -> NonZeroU32 {
    NonZeroU32::new(number).unwrap_or(NonZeroU32::MIN)
}

fn check<K: Hash + Eq + Clone>(limiter: &Limiter<K>, key: &K, clock: &DomainClock) -> Result<(), Limited> {
    limiter.check_key(key).map_err(|refused| {
        let wait = refused.wait_time_from(clock.now());
        Limited { retry_after_seconds: wait.as_secs() + 1 }
    })
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicI64, Ordering};

    use super::*;

    const RATES: TrackingRates =
        TrackingRates { bad_tokens_per_minute: 20, dry_runs_per_second: 10, stranger_receipts_per_second: 10 };

    #[derive(Default)]
    struct ByHand(AtomicI64);

    impl Clock for ByHand {
        fn now(&self) -> Timestamp {
            Timestamp::from_millis(1_795_344_000_000 + self.0.load(Ordering::Relaxed))
        }
    }

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn a_network_may_fail_as_often_as_its_limit_says_and_again_a_minute_later() {
        let clock = Arc::new(ByHand::default());
        let limits = TrackingLimits::new(clock.clone(), RATES);
        for _ in 0..20 {
            assert_eq!(limits.bad_token(address("203.0.113.9")), Ok(()));
        }
        let limited = limits.bad_token(address("203.0.113.9")).unwrap_err();
        assert!((1..=4).contains(&limited.retry_after_seconds), "{limited:?}");
        assert_eq!(limits.bad_token(address("203.0.113.10")), Ok(()), "another network");
        clock.0.store(60_000, Ordering::Relaxed);
        limits.forget();
        assert_eq!(limits.bad_token(address("203.0.113.9")), Ok(()));
    }

    #[test]
    fn an_ipv6_customer_counts_as_one() {
        let limits =
            TrackingLimits::new(Arc::new(ByHand::default()), TrackingRates { bad_tokens_per_minute: 1, ..RATES });
        assert_eq!(limits.bad_token(address("2001:db8::1")), Ok(()));
        assert!(limits.bad_token(address("2001:db8::2")).is_err());
        assert_eq!(limits.bad_token(address("2001:db8:0:1::1")), Ok(()));
    }

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(1_795_344_000_000 + millis)
    }

    #[test]
    fn of_a_network_the_first_receipts_of_each_second_are_kept() {
        let receipts = StrangerReceipts::new(10);
        let kept = |millis| (0..50).filter(|_| receipts.keeps(address("203.0.113.9"), at(millis))).count();
        assert_eq!(kept(0), 2, "a fifth of all");
        assert_eq!(kept(999), 0);
        assert_eq!(kept(1000), 2);
        assert_eq!(kept(500), 2, "a clock that was set back begins anew");
    }

    #[test]
    fn a_flood_from_one_network_leaves_the_receipts_of_others_alone_and_is_sampled() {
        let receipts = StrangerReceipts::new(10);
        let flood = (0..100_000).filter(|_| receipts.keeps(address("203.0.113.9"), at(0))).count();
        assert!((100..=102).contains(&flood), "{flood}");
        for other in ["198.51.100.7", "2001:db8::1"] {
            assert!(receipts.keeps(address(other), at(0)), "{other}");
        }
    }

    #[test]
    fn a_flood_from_everywhere_keeps_no_more_than_all_may_have() {
        let receipts = StrangerReceipts::new(10);
        let from = |number: u32| IpAddr::from(number.to_be_bytes());
        let kept = (0..10_000).filter(|number| receipts.keeps(from(*number), at(0))).count();
        assert!((19..=20).contains(&kept), "ten, and one in a thousand of the others: {kept}");
    }
}
