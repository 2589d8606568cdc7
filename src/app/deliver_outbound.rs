//! The worker that tells publishers of their conversions.
//!
//! It is rung after a commit that wrote something to be delivered, and looks by itself twice a second, for what was
//! written on other servers and for what is due again. One round: keep what came of the tries that have ended, take as
//! much as there is room for, set it on its way. A claim is a lease, so what a server that dies had on its way is sent
//! again once the lease is over: at least once, and more than once only then.
//! Cost: two transactions a round, however many tries have ended meanwhile; nothing while there is nothing to do but
//! the look itself. Refuses to hold up anybody: a host has only so many places, and none while it does not answer.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use metrics::{counter, gauge, histogram};
use tokio::sync::watch;
use tokio::task::{Id, JoinError, JoinSet};
use tokio::time::sleep;
use uuid::Uuid;

use super::App;
use super::outbound_request::{Tried, next, try_once};
use super::publisher_hosts::Hosts;
use super::switch_off_outbound::{close_leftovers, switch_off_failing};
use crate::domain::clock::{Timestamp, random_bytes};
use crate::domain::delivery::Next;
use crate::domain::ids::OutboundPostbackId;
use crate::domain::outbound::{OutboundPostback, host_of};
use crate::domain::outbound_message::Told;
use crate::store::StoreError;
use crate::store::outbox::{self, Claimed, Ended, Lease, Room};
use crate::telemetry::{field, metric};

/// Between two looks at the database, when nobody rings.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// After a round that the database did not allow.
const REST: Duration = Duration::from_secs(1);
/// How often rules are looked at that may have failed for too long.
const FAILING_LOOK_SECONDS: i64 = 60;

/// How much is on its way at once.
#[derive(Clone, Copy, Debug)]
pub struct CourierOptions {
    /// Requests of this server.
    pub in_flight_max: usize,
    /// Requests of this server to one host.
    pub host_in_flight_max: usize,
    /// For which a delivery belongs to whoever took it; longer than a request may take.
    pub lease: Duration,
}

impl Default for CourierOptions {
    fn default() -> Self {
        Self { in_flight_max: 256, host_in_flight_max: 32, lease: Duration::from_secs(60) }
    }
}

/// Delivers until `stopping` says so; then takes nothing more, and ends when what is on its way has ended.
pub async fn deliver(app: Arc<App>, stopping: watch::Receiver<bool>) {
    let options = app.options.courier;
    let courier = Courier {
        app,
        options,
        hosts: Hosts::new(options.host_in_flight_max),
        on_its_way: JoinSet::new(),
        hosts_of: HashMap::new(),
        ended: Vec::new(),
        looked_at_failing: Timestamp::from_millis(0),
    };
    courier.run(stopping).await;
}

struct Courier {
    app: Arc<App>,
    options: CourierOptions,
    hosts: Hosts,
    on_its_way: JoinSet<Back>,
    /// The host of each task: known also when one ends by a panic.
    hosts_of: HashMap<Id, String>,
    /// Tries that have ended and are not kept yet.
    ended: Vec<Ended>,
    looked_at_failing: Timestamp,
}

/// What is left of a host's places, and for how many rules.
struct HostRoom {
    left: usize,
    rules: usize,
}

impl HostRoom {
    /// What the next of its rules gets.
    fn share(&mut self) -> usize {
        let share = self.left.div_ceil(self.rules.max(1));
        self.left = self.left.saturating_sub(share);
        self.rules = self.rules.saturating_sub(1);
        share
    }
}

/// A try that has ended.
struct Back {
    host_is_well: Option<bool>,
    ended: Ended,
}

impl Courier {
    async fn run(mut self, mut stopping: watch::Receiver<bool>) {
        loop {
            let stops = *stopping.borrow();
            if stops && self.on_its_way.is_empty() && self.ended.is_empty() {
                return;
            }
            let pause = match self.round(stops).await {
                Ok(pause) => pause,
                Err(error) => {
                    tracing::warn!({ field::ERROR } = %error, "outbound postbacks wait for the database");
                    REST
                }
            };
            tokio::select! {
                Some(back) = self.on_its_way.join_next_with_id() => self.take_back(back),
                () = self.app.intake.outbox().notified(), if !stops => {}
                () = sleep(pause) => {}
                // An error means that the sender is gone, and the server with it.
                _ = stopping.changed(), if !stops => {}
            }
        }
    }

    /// Returns how long nothing will be due.
    async fn round(&mut self, stops: bool) -> Result<Duration, StoreError> {
        while let Some(back) = self.on_its_way.try_join_next_with_id() {
            self.take_back(back);
        }
        self.keep().await?;
        if stops {
            return Ok(LOOK_EVERY);
        }
        self.look_at_failing().await;
        let now = self.app.clock.now();
        let due = outbox::due(&self.app.database).await?;
        let earliest = due.iter().map(|(_, at)| *at).min();
        let lag = earliest.map_or(0, |at| now.millis_since(at).max(0) / 1000);
        gauge!(metric::OUTBOUND_LAG_SECONDS).set(f64::from(i32::try_from(lag).unwrap_or(i32::MAX)));
        gauge!(metric::OUTBOUND_HOSTS_RESTING).set(f64::from(u32::try_from(self.hosts.resting(now)).unwrap_or(0)));
        let rooms = self.rooms(due, now);
        if rooms.is_empty() {
            return Ok(pause_until(earliest, now));
        }
        self.take(rooms, now).await?;
        Ok(LOOK_EVERY)
    }

    /// Keeps what came of the tries that have ended. What the database does not take now stays for the next round.
    async fn keep(&mut self) -> Result<(), StoreError> {
        if self.ended.is_empty() {
            return Ok(());
        }
        let now = self.app.clock.now();
        let lost = outbox::end(&self.app.database, self.ended.clone(), now).await;
        match lost {
            Err(error) if error.is_transient() => return Err(error),
            // Never again: what the database refuses now it refuses later, and the lease ends by itself.
            Err(error) => tracing::error!({ field::ERROR } = %error, "tries of outbound postbacks could not be kept"),
            Ok(lost) => counter!(metric::OUTBOUND_LATE).increment(u64::try_from(lost).unwrap_or(0)),
        }
        self.ended.clear();
        Ok(())
    }

    /// How many deliveries of each due rule can be set on their way, those that wait longest first. Rules of one host
    /// share its places evenly: nobody's backlog stands before another's first delivery.
    fn rooms(&self, mut due: Vec<(OutboundPostbackId, Timestamp)>, now: Timestamp) -> Vec<Room> {
        due.retain(|(_, at)| *at <= now);
        due.sort_unstable_by_key(|(_, at)| *at);
        let snapshot = self.app.snapshot.load();
        let known = due.into_iter().filter_map(|(rule, _)| {
            let known = snapshot.outbound.get(rule).filter(|known| known.is_enabled)?;
            Some((rule, host_of(&known.template)))
        });
        let known: Vec<(OutboundPostbackId, String)> = known.collect();
        let mut hosts: HashMap<&str, HostRoom> = HashMap::new();
        for (_, host) in &known {
            let room = hosts.entry(host).or_insert_with(|| HostRoom { left: self.hosts.room(host, now), rules: 0 });
            room.rules += 1;
        }
        let mut left = self.options.in_flight_max.saturating_sub(self.on_its_way.len());
        let mut rooms = Vec::new();
        for (rule, host) in &known {
            let taken = hosts.get_mut(host.as_str()).map_or(0, HostRoom::share).min(left);
            left -= taken;
            if taken > 0 {
                rooms.push(Room { rule: *rule, deliveries: u64::try_from(taken).unwrap_or(u64::MAX) });
            }
        }
        rooms
    }

    async fn take(&mut self, rooms: Vec<Room>, now: Timestamp) -> Result<(), StoreError> {
        let lease_millis = i64::try_from(self.options.lease.as_millis()).unwrap_or(i64::MAX);
        let id = Uuid::from_bytes(random_bytes(&*self.app.entropy));
        let lease = Lease { id, now, until: now.plus_millis(lease_millis) };
        let claimed = outbox::claim(&self.app.database, rooms, lease).await?;
        let snapshot = self.app.snapshot.load_full();
        for one in claimed {
            // A rule that has just gone: the lease ends, and whoever deleted it ends its deliveries.
            let Some(rule) = snapshot.outbound.get(one.delivery.rule) else { continue };
            let host = host_of(&rule.template);
            self.hosts.begin(&host);
            let task = self.on_its_way.spawn(carry(Arc::clone(&self.app), Arc::clone(rule), one, id));
            self.hosts_of.insert(task.id(), host);
        }
        gauge!(metric::OUTBOUND_IN_FLIGHT).set(f64::from(u32::try_from(self.on_its_way.len()).unwrap_or(0)));
        Ok(())
    }

    fn take_back(&mut self, back: Result<(Id, Back), JoinError>) {
        let (id, is_well) = match back {
            Ok((id, Back { host_is_well, ended })) => {
                self.ended.push(ended);
                (id, host_is_well.unwrap_or(true))
            }
            // Counted with all panics; what it had is sent again once its lease is over.
            Err(error) => {
                tracing::error!({ field::ERROR } = %error, "a try of an outbound postback ended by itself");
                (error.id(), true)
            }
        };
        if let Some(host) = self.hosts_of.remove(&id) {
            self.hosts.end(&host, is_well, self.app.clock.now());
        }
    }

    async fn look_at_failing(&mut self) {
        let now = self.app.clock.now();
        if now.millis_since(self.looked_at_failing) < FAILING_LOOK_SECONDS * 1000 {
            return;
        }
        self.looked_at_failing = now;
        let looked = async {
            switch_off_failing(&self.app).await?;
            close_leftovers(&self.app.database, now).await
        };
        if let Err(error) = looked.await {
            tracing::warn!({ field::ERROR } = %error, "rules that fail could not be looked at");
        }
    }
}

/// One try, from its claim to what is to be kept of it.
async fn carry(app: Arc<App>, rule: Arc<OutboundPostback>, claimed: Claimed, lease: Uuid) -> Back {
    let Claimed { delivery, conversion, change } = claimed;
    let told = Told::of(&conversion, &change, delivery.moment, false);
    let Tried { attempt, outcome, host_is_well } = try_once(&app, &rule, &told, (delivery.id, delivery.attempts)).await;
    let next = match next(&app, outcome, delivery.tries) {
        Next::At(_) if is_over(&app, rule.id) => Next::GiveUp,
        next @ (Next::Done | Next::GiveUp | Next::At(_)) => next,
    };
    let became = match next {
        Next::Done => "succeeded",
        Next::At(_) => "retrying",
        Next::GiveUp => "gave_up",
    };
    counter!(metric::OUTBOUND_TRIES, "outcome" => became).increment(1);
    let taken = Duration::from_millis(u64::try_from(attempt.duration_ms).unwrap_or(0));
    histogram!(metric::OUTBOUND_SECONDS).record(taken);
    let ended = Ended { delivery: delivery.id, rule: rule.id, conversion: conversion.id, lease, attempt, next };
    Back { host_is_well, ended }
}

/// Was the rule deleted, or has it switched itself off, while the try was under way? Then there is no next one.
fn is_over(app: &App, rule: OutboundPostbackId) -> bool {
    let snapshot = app.snapshot.load();
    snapshot.outbound.get(rule).is_none_or(|rule| !rule.is_enabled && rule.disabled_reason.is_some())
}

/// Until something is due, but never longer than between two looks.
fn pause_until(earliest: Option<Timestamp>, now: Timestamp) -> Duration {
    let millis = earliest.map(|at| at.millis_since(now)).filter(|millis| *millis > 0);
    millis
        .and_then(|millis| u64::try_from(millis).ok())
        .map_or(LOOK_EVERY, |millis| LOOK_EVERY.min(Duration::from_millis(millis)))
}
