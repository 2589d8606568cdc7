//! How often something may be tried, in the memory of this server.
//!
//! Only two things are limited on the tracking doors: bad tokens from one network, so that nobody can guess or
//! flood, and dry runs of one token. A good request is never limited: it is a fact that somebody was paid for.
//! Time comes from the server's own clock, so a test can move it.

use std::hash::Hash;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use governor::clock::Clock as GovernorClock;
use governor::middleware::NoOpMiddleware;
use governor::state::keyed::DashMapStateStore;
use governor::{Quota, RateLimiter};
use ipnet::IpNet;

use crate::domain::clock::Clock;
use crate::domain::ids::TokenId;
use crate::domain::privacy::network_key;

/// Full addresses are here, in memory only.
pub struct TrackingLimits {
    bad_tokens: Limiter<IpNet>,
    dry_runs: Limiter<TokenId>,
    clock: DomainClock,
}

/// The caller is over its limit, and may come again after this many seconds (at least 1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limited {
    pub retry_after_seconds: u64,
}

type Limiter<K> = RateLimiter<K, DashMapStateStore<K>, DomainClock, NoOpMiddleware<Duration>>;

impl TrackingLimits {
    /// A number of 0 counts as 1.
    pub fn new(clock: Arc<dyn Clock>, bad_tokens_per_minute: u32, dry_runs_per_second: u32) -> Self {
        let clock = DomainClock(clock);
        Self {
            bad_tokens: limiter(Quota::per_minute(at_least_one(bad_tokens_per_minute)), &clock),
            dry_runs: limiter(Quota::per_second(at_least_one(dry_runs_per_second)), &clock),
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

    /// Forgets whoever is far from the limit. Call it every minute: else every network that ever failed stays.
    pub fn forget(&self) {
        self.bad_tokens.retain_recent();
        self.bad_tokens.shrink_to_fit();
        self.dry_runs.retain_recent();
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
    use crate::domain::clock::Timestamp;

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
        let limits = TrackingLimits::new(clock.clone(), 20, 10);
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
        let limits = TrackingLimits::new(Arc::new(ByHand::default()), 1, 10);
        assert_eq!(limits.bad_token(address("2001:db8::1")), Ok(()));
        assert!(limits.bad_token(address("2001:db8::2")).is_err());
        assert_eq!(limits.bad_token(address("2001:db8:0:1::1")), Ok(()));
    }
}
