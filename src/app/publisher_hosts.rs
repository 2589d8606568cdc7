//! How many requests a publisher's host gets at a time, and for how long it is left alone once it fails: one that is
//! dead must not take the places of all the others.
//!
//! A breaker for each host: after five failures in a row nothing is sent there for a while, then one request asks
//! whether it is back. Each server decides for itself, in memory: a host that is down is found out again in seconds.
//! Refuses to know what a delivery is.

use std::collections::HashMap;

use crate::domain::clock::Timestamp;

/// Failures in a row after which a host is left alone.
const FAILURES_MAX: u32 = 5;
/// Seconds for which it is left alone the first time; each further time twice as long, five minutes at most.
const REST_SECONDS: i64 = 10;
const REST_SECONDS_MAX: i64 = 300;

/// All hosts that are spoken to now, or are left alone.
#[derive(Debug)]
pub(super) struct Hosts {
    at_a_time: usize,
    known: HashMap<String, HostState>,
}

#[derive(Debug, Default)]
struct HostState {
    in_flight: usize,
    /// In a row.
    failures: u32,
    /// While its breaker is open: until when it is left alone, and how often that was longer.
    rest: Option<(Timestamp, u32)>,
}

impl Hosts {
    /// `at_a_time` requests for each host.
    pub(super) fn new(at_a_time: usize) -> Self {
        Self { at_a_time, known: HashMap::new() }
    }

    /// How many more requests a host may get now.
    pub(super) fn room(&self, host: &str, now: Timestamp) -> usize {
        let Some(state) = self.known.get(host) else { return self.at_a_time };
        match state.rest {
            Some((until, _)) if now < until => 0,
            // One asks for all.
            Some(_) => 1_usize.saturating_sub(state.in_flight),
            None => self.at_a_time.saturating_sub(state.in_flight),
        }
    }

    /// A request is on its way there.
    pub(super) fn begin(&mut self, host: &str) {
        let state = self.known.entry(host.to_owned()).or_default();
        state.in_flight = state.in_flight.saturating_add(1);
    }

    /// A request has ended; `is_well` when the host has answered like one that works.
    pub(super) fn end(&mut self, host: &str, is_well: bool, now: Timestamp) {
        let Some(state) = self.known.get_mut(host) else { return };
        state.in_flight = state.in_flight.saturating_sub(1);
        if is_well {
            (state.failures, state.rest) = (0, None);
        } else {
            state.failures = state.failures.saturating_add(1);
            let is_resting = state.rest.is_some_and(|(until, _)| now < until);
            if state.failures >= FAILURES_MAX && !is_resting {
                let times = state.rest.map_or(0, |(_, times)| times.saturating_add(1));
                state.rest = Some((now.plus_seconds(rest_seconds(times)), times));
            }
        }
        if state.in_flight == 0 && state.failures == 0 {
            self.known.remove(host);
        }
    }

    /// Hosts that are left alone now.
    pub(super) fn resting(&self, now: Timestamp) -> usize {
        self.known.values().filter(|state| state.rest.is_some_and(|(until, _)| now < until)).count()
    }
}

fn rest_seconds(times: u32) -> i64 {
    REST_SECONDS.checked_shl(times.min(16)).unwrap_or(REST_SECONDS_MAX).min(REST_SECONDS_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_795_344_000_000);

    fn fail(hosts: &mut Hosts, times: u32, now: Timestamp) {
        for _ in 0..times {
            hosts.begin("dead:443");
            hosts.end("dead:443", false, now);
        }
    }

    #[test]
    fn a_host_gets_so_many_requests_at_a_time_and_others_theirs() {
        let mut hosts = Hosts::new(2);
        hosts.begin("a:443");
        assert_eq!((hosts.room("a:443", NOW), hosts.room("b:443", NOW)), (1, 2));
        hosts.begin("a:443");
        assert_eq!(hosts.room("a:443", NOW), 0);
        hosts.end("a:443", true, NOW);
        assert_eq!(hosts.room("a:443", NOW), 1);
    }

    #[test]
    fn after_five_failures_in_a_row_a_host_is_left_alone_and_then_one_request_asks() {
        let mut hosts = Hosts::new(8);
        fail(&mut hosts, 4, NOW);
        assert_eq!((hosts.room("dead:443", NOW), hosts.resting(NOW)), (8, 0));
        fail(&mut hosts, 1, NOW);
        assert_eq!((hosts.room("dead:443", NOW), hosts.resting(NOW)), (0, 1));
        assert_eq!(hosts.room("dead:443", NOW.plus_millis(9_999)), 0);
        let later = NOW.plus_seconds(10);
        assert_eq!(hosts.room("dead:443", later), 1);
        hosts.begin("dead:443");
        assert_eq!(hosts.room("dead:443", later), 0);
        hosts.end("dead:443", false, later);
        assert_eq!(hosts.room("dead:443", later.plus_seconds(19)), 0);
        let again = later.plus_seconds(20);
        assert_eq!(hosts.room("dead:443", again), 1);
        hosts.begin("dead:443");
        hosts.end("dead:443", true, again);
        assert_eq!((hosts.room("dead:443", again), hosts.resting(again)), (8, 0));
    }

    #[test]
    fn a_success_between_failures_begins_the_count_anew() {
        let mut hosts = Hosts::new(8);
        fail(&mut hosts, 4, NOW);
        hosts.begin("dead:443");
        hosts.end("dead:443", true, NOW);
        fail(&mut hosts, 4, NOW);
        assert_eq!(hosts.room("dead:443", NOW), 8);
    }

    #[test]
    fn what_was_on_its_way_when_the_breaker_opened_makes_the_rest_no_longer() {
        let mut hosts = Hosts::new(8);
        (0..8).for_each(|_| hosts.begin("dead:443"));
        (0..8).for_each(|_| hosts.end("dead:443", false, NOW));
        assert_eq!(hosts.room("dead:443", NOW.plus_seconds(10)), 1);
    }

    #[test]
    fn a_rest_grows_to_five_minutes() {
        assert_eq!([0, 1, 2, 3, 4, 5, 40].map(rest_seconds), [10, 20, 40, 80, 160, 300, 300]);
    }
}
