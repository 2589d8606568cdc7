//! The part of the world that one batch is about, in memory, while it is judged in order of arrival.
//!
//! Later items see what earlier ones of the same batch did. Everything that the batch will write is collected here;
//! nothing is written before all of it is judged, so that the statements are few and their order is fixed.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::domain::answer::Answer;
use crate::domain::audit::{AuditEvent, differences};
use crate::domain::calendar::Zone;
use crate::domain::click::Click;
use crate::domain::clock::Timestamp;
use crate::domain::conversion::{Author, Change, Conversion, Figures, Money, Source, Transition};
use crate::domain::conversion_key::{ClaimKeys, ConversionKey};
use crate::domain::delivery::NewDelivery;
use crate::domain::idempotency::IdempotentCall;
use crate::domain::ids::{ChangeId, ConversionId, DeliveryId, TokenId};
use crate::domain::inbound::{Door, Slot};
use crate::domain::money::{Currency, Micros};
use crate::domain::outbound::{CLICK_WAIT_SECONDS, OutboundRules};
use crate::domain::receipt::Receipt;
use crate::domain::screening::{
    Admission, Check, Facts, Hit, Judgement, Known, MoveRuling, Refusal, Ruling, Standing, judge, note, rule_amendment,
    rule_move,
};
use crate::domain::status::{Party, Status};
use crate::domain::transaction_id::TransactionId;
use crate::store::batch::{Bucket, Extra, KeptCall, KeyOwner, ParkedRejection};
use crate::store::idempotency::Earlier;

use super::item::{
    ChangeOutcome, ChangesOutcome, ErrorPolicy, KeyedCall, OperatorChange, OperatorChanges, Wish, effects,
};

/// Seconds of a bucket of figures.
const BUCKET_SECONDS: i64 = 900;

/// Who holds a key now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum KeyState {
    /// Nobody: this batch may have it.
    Free,
    Owned(ConversionId),
    /// A rejection waits on it.
    Parked,
}

/// A request that was admitted, with what was made for it beforehand.
#[derive(Debug)]
pub(super) struct Admitted<'a> {
    pub(super) hit: &'a Hit,
    pub(super) known: Known,
    pub(super) admission: Admission<'a>,
    /// Its own if it turns out to be new.
    pub(super) conversion: ConversionId,
    /// The id of its transaction; minted where it is clickless.
    pub(super) transaction: TransactionId,
    pub(super) keys: ClaimKeys,
}

#[derive(Debug, Default)]
pub(super) struct World {
    pub(super) keys: HashMap<ConversionKey, KeyState>,
    /// Keys that this transaction inserted, with the owner that was written.
    pub(super) claimed: BTreeMap<ConversionKey, Option<ConversionId>>,
    pub(super) conversions: HashMap<ConversionId, Conversion>,
    pub(super) by_transaction: HashMap<TransactionId, Vec<ConversionId>>,
    pub(super) parked: HashMap<ConversionKey, ParkedRejection>,
    pub(super) clicks: HashMap<TransactionId, Click>,
    /// What is known of the keys that calls of this batch have.
    pub(super) calls: HashMap<IdempotentCall, Earlier>,
    pub(super) writes: Writes,
    pub(super) now: Timestamp,
}

/// What is to be written when all is judged.
#[derive(Debug, Default)]
pub(super) struct Writes {
    pub(super) recorded: Vec<ConversionId>,
    pub(super) updated: BTreeSet<ConversionId>,
    /// Their click has come: what waited for it may go.
    pub(super) completed: Vec<ConversionId>,
    pub(super) reassigned: BTreeSet<ConversionKey>,
    pub(super) changes: Vec<Change>,
    /// Changes that no publisher is told of.
    pub(super) untold: BTreeSet<ChangeId>,
    pub(super) extras: Vec<Extra>,
    pub(super) parked: BTreeMap<ConversionKey, ParkedRejection>,
    pub(super) unparked: BTreeSet<ConversionKey>,
    pub(super) receipts: Vec<Receipt>,
    pub(super) figures: BTreeMap<Bucket, Figures>,
    pub(super) audit: Vec<AuditEvent>,
    pub(super) calls: Vec<KeptCall>,
    pub(super) token_uses: BTreeMap<TokenId, (Timestamp, String)>,
}

/// Makes the ids of changes.
pub(super) type MintChange<'m> = &'m (dyn Fn() -> ChangeId + Send + Sync);

impl World {
    pub(super) fn new(now: Timestamp) -> Self {
        Self { now, ..Self::default() }
    }

    /// When this batch is settled.
    pub(super) fn now(&self) -> Timestamp {
        self.now
    }

    pub(super) fn key(&self, key: &ConversionKey) -> KeyState {
        self.keys.get(key).copied().unwrap_or(KeyState::Free)
    }

    pub(super) fn insert_conversion(&mut self, conversion: Conversion) {
        let ids = self.by_transaction.entry(conversion.transaction_id).or_default();
        if !ids.contains(&conversion.id) {
            ids.push(conversion.id);
        }
        self.conversions.insert(conversion.id, conversion);
    }

    /// What is known about an admitted request: the facts of [`judge`].
    pub(super) fn judge(&self, admitted: &Admitted<'_>) -> Judgement {
        let of_transaction: Vec<&Conversion> = self
            .by_transaction
            .get(&admitted.transaction)
            .into_iter()
            .flatten()
            .filter_map(|id| self.conversions.get(id))
            .collect();
        let keys = &admitted.keys;
        let repeat = self.owner(keys.repeat.as_ref());
        let facts = Facts {
            by_order: self.owner(keys.order.as_ref()),
            by_external: self.owner(keys.external.as_ref()),
            by_repeat: repeat.filter(|owner| admitted.admission.is_repeat_of(admitted.hit, owner)),
            by_first: self.owner(keys.first.as_ref()),
            parked: keys.iter().any(|key| self.parked.contains_key(key)),
            of_transaction: &of_transaction,
        };
        judge(admitted.hit, &admitted.admission, &facts)
    }

    fn owner(&self, key: Option<&ConversionKey>) -> Option<&Conversion> {
        match self.key(key?) {
            KeyState::Owned(id) => self.conversions.get(&id),
            KeyState::Free | KeyState::Parked => None,
        }
    }

    /// Carries a judgement out, and says what to answer.
    pub(super) fn carry_out(&mut self, admitted: &Admitted<'_>, judgement: &Judgement, mint: MintChange<'_>) -> Answer {
        let conversion = match &judgement.ruling {
            Ruling::Record(standing) => Some(self.record(admitted, standing, mint)),
            Ruling::Confirm { of, transition, .. } => {
                self.confirm(admitted, *of, transition, mint);
                Some(*of)
            }
            Ruling::Move { of, transition, .. } => {
                let author = sender(admitted, self.now);
                self.change(*of, (**transition).clone(), author, mint);
                Some(*of)
            }
            Ruling::Duplicate(of) | Ruling::NoChange(of) => Some(*of),
            Ruling::Park(key) => {
                self.park(admitted, key);
                None
            }
            Ruling::Refuse(_) => None,
        };
        self.answer(admitted, judgement, conversion)
    }

    /// What would be answered, without ids that would only be made.
    pub(super) fn preview(&self, admitted: &Admitted<'_>, judgement: &Judgement) -> Answer {
        let rejected = admitted.keys.iter().any(|key| self.parked.contains_key(key));
        let status = match &judgement.ruling {
            Ruling::Record(_) | Ruling::Confirm { .. } if rejected => Some(Status::Rejected),
            Ruling::Record(standing) => Some(standing.status),
            Ruling::Confirm { transition, .. } | Ruling::Move { transition, .. } => Some(transition.to),
            Ruling::Duplicate(_) | Ruling::NoChange(_) | Ruling::Park(_) | Ruling::Refuse(_) => None,
        };
        let answer = self.answer(admitted, judgement, judgement.conversion());
        Answer { receipt: None, status: status.or(answer.status), ..answer }
    }

    fn answer(&self, admitted: &Admitted<'_>, judgement: &Judgement, conversion: Option<ConversionId>) -> Answer {
        let known = &admitted.known;
        let refusal = match &judgement.ruling {
            Ruling::Refuse(refusal) => Some(refusal),
            Ruling::Record(_)
            | Ruling::Duplicate(_)
            | Ruling::Confirm { .. }
            | Ruling::Move { .. }
            | Ruling::NoChange(_)
            | Ruling::Park(_) => None,
        };
        let about = conversion.and_then(|id| self.conversions.get(&id));
        let mut warnings = admitted.hit.inbound.warnings.clone();
        warnings.extend(judgement.warnings.iter().cloned());
        Answer {
            receipt: known.token.map(|_| admitted.hit.receipt),
            conversion,
            // That of the first where it is a duplicate; a clickless request that made nothing has none.
            transaction_id: about.map(|conversion| conversion.transaction_id).or(known.transaction_id),
            status: about.map(|conversion| conversion.status),
            field: refusal.and_then(|refusal| refusal.field).map(str::to_owned),
            received: refusal.and_then(|refusal| refusal.received.clone()),
            detail: judgement.detail.clone(),
            warnings,
            verified: known.token.is_some(),
            lenient: known.lenient,
            ..Answer::bare(admitted.hit.inbound.door, judgement.code())
        }
    }

    fn record(&mut self, admitted: &Admitted<'_>, standing: &Standing, mint: MintChange<'_>) -> ConversionId {
        let mut conversion = self.newborn(admitted, standing);
        let id = conversion.id;
        self.writes.changes.push(conversion.record(mint(), decider(admitted, standing, self.now)));
        self.count(&conversion, 1);
        self.insert_conversion(conversion);
        self.writes.recorded.push(id);
        self.writes.extras.extend(admitted.hit.extras.iter().map(|(name, value)| (id, name.clone(), value.clone())));
        self.take_keys(&admitted.keys, id, mint);
        id
    }

    /// Gives every key that nobody owns to the conversion; rejections that waited on one reject it.
    fn take_keys(&mut self, keys: &ClaimKeys, id: ConversionId, mint: MintChange<'_>) {
        for key in keys.iter() {
            match self.key(key) {
                KeyState::Owned(_) => {}
                KeyState::Free => self.give(key, id),
                KeyState::Parked => {
                    self.give(key, id);
                    self.unpark(key, id, mint);
                }
            }
        }
    }

    fn give(&mut self, key: &ConversionKey, id: ConversionId) {
        self.keys.insert(key.clone(), KeyState::Owned(id));
        if self.claimed.get(key) != Some(&Some(id)) {
            self.writes.reassigned.insert(key.clone());
        }
    }

    fn unpark(&mut self, key: &ConversionKey, id: ConversionId, mint: MintChange<'_>) {
        let Some(parked) = self.parked.remove(key) else { return };
        self.writes.parked.remove(key);
        self.writes.unparked.insert(key.clone());
        let Some(conversion) = self.conversions.get(&id) else { return };
        let reason = Some(parked.reason);
        match rule_move(conversion, Status::Rejected, reason, Party::Sender, self.now) {
            MoveRuling::Apply(_, transition) => {
                let author = Author {
                    party: Party::Sender,
                    actor: parked.token.map_or_else(|| "advertiser".to_owned(), |token| token.to_string()),
                    receipt: Some(parked.receipt),
                    at: self.now,
                    note: None,
                };
                self.change(id, *transition, author, mint);
            }
            MoveRuling::NoChange | MoveRuling::Forbidden => {}
        }
    }

    fn park(&mut self, admitted: &Admitted<'_>, key: &ConversionKey) {
        let window = admitted.admission.offer.parking_window_seconds();
        let minted_at = admitted.admission.transaction.as_ref().map_or(self.now, |(_, unsealed)| unsealed.minted_at);
        let parked = ParkedRejection {
            key: key.clone(),
            transaction_id: admitted.transaction,
            offer: admitted.admission.offer.id,
            order_id: admitted.admission.order_id.map(str::to_owned),
            event_number: admitted.admission.event_number(),
            reason: admitted.hit.inbound.rejected_reason.clone().unwrap_or_default(),
            token: admitted.known.token,
            receipt: admitted.hit.receipt,
            parked_at: self.now,
            expires_at: minted_at.plus_seconds(window),
        };
        if self.key(key) == KeyState::Free && self.claimed.get(key) != Some(&None) {
            self.writes.reassigned.insert(key.clone());
        }
        self.keys.insert(key.clone(), KeyState::Parked);
        self.writes.unparked.remove(key);
        self.writes.parked.insert(key.clone(), parked.clone());
        self.parked.insert(key.clone(), parked);
    }

    fn confirm(&mut self, admitted: &Admitted<'_>, of: ConversionId, transition: &Transition, mint: MintChange<'_>) {
        let author = sender(admitted, self.now);
        if let Some(conversion) = self.conversions.get_mut(&of) {
            conversion.confirmed_at = Some(admitted.hit.arrival.at);
            conversion.token = admitted.known.token;
            conversion.order_id = admitted.admission.order_id.map(str::to_owned);
            for (mine, sent) in conversion.adv_sub_ids.iter_mut().zip(&admitted.hit.inbound.adv_sub_ids) {
                if sent.is_some() {
                    mine.clone_from(sent);
                }
            }
            describe(conversion, admitted.hit);
        }
        let extras = admitted.hit.extras.iter().map(|(name, value)| (of, name.clone(), value.clone()));
        self.writes.extras.extend(extras);
        self.change(of, transition.clone(), author, mint);
        self.take_keys(&admitted.keys, of, mint);
    }

    /// Moves a conversion, appends to its history, and moves the figures by the difference.
    fn change(
        &mut self,
        id: ConversionId,
        transition: Transition,
        author: Author,
        mint: MintChange<'_>,
    ) -> Option<Change> {
        let conversion = self.conversions.get_mut(&id)?;
        let before = (bucket_of(conversion), conversion.figures());
        let change = conversion.apply(mint(), transition, author);
        let after = (bucket_of(conversion), conversion.figures());
        for ((bucket, figures), sign) in [(before, -1), (after, 1)] {
            self.writes.figures.entry(bucket).or_default().add(figures, sign);
        }
        if !self.writes.recorded.contains(&id) {
            self.writes.updated.insert(id);
        }
        self.writes.changes.push(change.clone());
        Some(change)
    }

    fn count(&mut self, conversion: &Conversion, sign: i64) {
        self.writes.figures.entry(bucket_of(conversion)).or_default().add(conversion.figures(), sign);
    }

    /// A click that was really inserted.
    pub(super) fn count_click(&mut self, click: &Click, currency: Currency) {
        let at = click.clicked_at.bucket(BUCKET_SECONDS);
        let bucket = Bucket { at, offer: click.offer, publisher: click.publisher, currency };
        if click.counts() {
            self.writes.figures.entry(bucket).or_default().add(Figures::CLICK, 1);
        }
    }

    /// Conversions that were recorded before their click's row was there. No figure moves by that, but the day is
    /// touched: what it counts by sub id does.
    pub(super) fn fill_in(&mut self) {
        for conversion in self.conversions.values_mut().filter(|conversion| conversion.click_pending) {
            if let Some(click) = self.clicks.get(&conversion.transaction_id) {
                conversion.fill_from_click(click);
                self.writes.updated.insert(conversion.id);
                self.writes.figures.entry(bucket_of(conversion)).or_default();
                self.writes.completed.push(conversion.id);
            }
        }
    }

    /// Where every day of this zone begins that was touched.
    pub(super) fn days(&self, zone: &Zone) -> Vec<Timestamp> {
        let mut days = Vec::new();
        let mut last = None;
        // Buckets come in the order of their time, so nearly all are of the one before, and days come in theirs.
        for at in self.writes.figures.keys().map(|bucket| bucket.at) {
            if last != Some(at) {
                days.push(zone.day_of(at));
            }
            last = Some(at);
        }
        days.dedup();
        days
    }

    /// What an operator asks for, once under one key: all that can be done, or nothing.
    pub(super) fn operate_all(&mut self, asked: &OperatorChanges, mint: MintChange<'_>) -> ChangesOutcome {
        match asked.once.as_ref().map(|once| self.earlier(&once.call)) {
            None | Some(Earlier::None) => {}
            Some(Earlier::Same(answer)) => return ChangesOutcome::Repeated(answer),
            Some(Earlier::OtherArguments) => return ChangesOutcome::OtherArguments,
        }
        if asked.policy == ErrorPolicy::RejectEverything {
            let would_be: Vec<_> = asked.changes.iter().map(|change| self.foresee(change)).collect();
            if would_be.iter().any(ChangeOutcome::is_failure) {
                return ChangesOutcome::Refused(would_be);
            }
        }
        let done: Vec<_> = asked.changes.iter().map(|change| self.operate(change, mint)).collect();
        if let Some(KeyedCall { call, answer }) = &asked.once {
            let answer = format!("{answer}\n{}", answer_of(&done));
            self.calls.insert(call.clone(), Earlier::Same(answer.clone()));
            self.writes.calls.push((call.clone(), answer, self.now));
        }
        ChangesOutcome::Done(done)
    }

    /// What is known of the call's key; with other arguments it is another call in the map.
    fn earlier(&self, call: &IdempotentCall) -> Earlier {
        let is_key = |other: &&IdempotentCall| {
            (&other.principal, &other.field, &other.key) == (&call.principal, &call.field, &call.key)
        };
        let known = self.calls.get(call).cloned().unwrap_or(Earlier::None);
        let used_here = self.writes.calls.iter().map(|(other, _, _)| other).find(is_key);
        match used_here {
            Some(other) if other != call => Earlier::OtherArguments,
            Some(_) | None => known,
        }
    }

    /// What a change would come to as things are.
    fn foresee(&self, asked: &OperatorChange) -> ChangeOutcome {
        match self.rule(asked) {
            Ruled::Apply(_) | Ruled::NoChange => match self.conversions.get(&asked.conversion) {
                Some(conversion) => ChangeOutcome::NoChange(Box::new(conversion.clone())),
                None => ChangeOutcome::NotFound,
            },
            Ruled::Failed(failure) => failure,
        }
    }

    /// An operator's change: the same table, the same history, its audit entry with it.
    fn operate(&mut self, asked: &OperatorChange, mint: MintChange<'_>) -> ChangeOutcome {
        let Some(before) = self.conversions.get(&asked.conversion).cloned() else { return ChangeOutcome::NotFound };
        let transition = match self.rule(asked) {
            Ruled::Apply(transition) => *transition,
            Ruled::NoChange => return ChangeOutcome::NoChange(Box::new(before)),
            Ruled::Failed(failure) => return failure,
        };
        let author = Author {
            party: Party::Operator,
            actor: asked.actor.clone(),
            receipt: None,
            at: self.now,
            note: asked.note.clone(),
        };
        let change = self.change(asked.conversion, transition, author, mint);
        self.writes.untold.extend(change.iter().filter(|_| !asked.notify_publisher).map(|change| change.id));
        match (self.conversions.get(&asked.conversion), change) {
            (Some(now), Some(change)) => {
                let changes = differences(audited(&before, None), audited(now, asked.note.as_deref()));
                self.writes.audit.push(AuditEvent { changes, ..asked.audit.clone() });
                ChangeOutcome::Changed(Box::new(now.clone()), Box::new(change))
            }
            (None, _) | (_, None) => ChangeOutcome::NotFound,
        }
    }

    fn rule(&self, asked: &OperatorChange) -> Ruled {
        let Some(conversion) = self.conversions.get(&asked.conversion) else {
            return Ruled::Failed(ChangeOutcome::NotFound);
        };
        match &asked.wish {
            Wish::Move { to, reason } => match rule_move(conversion, *to, reason.clone(), Party::Operator, self.now) {
                MoveRuling::Apply(_, transition) => Ruled::Apply(transition),
                MoveRuling::NoChange => Ruled::NoChange,
                MoveRuling::Forbidden => Ruled::Failed(ChangeOutcome::Forbidden(Box::new(conversion.clone()))),
            },
            Wish::Amend { version, .. } if *version != conversion.version => {
                Ruled::Failed(ChangeOutcome::Stale(Box::new(conversion.clone())))
            }
            Wish::Amend { amounts, .. } => {
                rule_amendment(conversion, *amounts).map_or(Ruled::NoChange, |one| Ruled::Apply(Box::new(one)))
            }
            Wish::Note => Ruled::Apply(Box::new(note(conversion))),
        }
    }

    /// What the changes of this batch tell publishers: one delivery for each rule that a change fires. Nothing is looked
    /// at where there is no rule.
    pub(super) fn deliveries(&self, rules: &OutboundRules, mint: &dyn Fn() -> DeliveryId) -> Vec<NewDelivery> {
        if rules.is_empty() {
            return Vec::new();
        }
        let told = self.writes.changes.iter().filter(|change| !self.writes.untold.contains(&change.id));
        let told = told.filter_map(|change| Some((change, self.conversions.get(&change.conversion)?)));
        let fired = told.flat_map(|(change, conversion)| {
            rules.fired(conversion, change).map(move |(rule, moment)| (change, conversion, rule, moment))
        });
        let new = fired.map(|(change, conversion, rule, moment)| {
            let awaits_click = conversion.click_pending && rule.needs_click();
            let ready_at = self.now.plus_seconds(i64::from(rule.delay_seconds));
            let patient = ready_at.max(self.now.plus_seconds(CLICK_WAIT_SECONDS));
            NewDelivery {
                id: mint(),
                rule: rule.id,
                conversion: conversion.id,
                change_number: change.number,
                moment,
                awaits_click,
                created_at: self.now,
                ready_at,
                due_at: if awaits_click { patient } else { ready_at },
            }
        });
        new.collect()
    }

    /// A conversion that is not recorded yet.
    fn newborn(&self, admitted: &Admitted<'_>, standing: &Standing) -> Conversion {
        let (hit, admission) = (admitted.hit, &admitted.admission);
        let inbound = &hit.inbound;
        let click = self.clicks.get(&admitted.transaction);
        let clicked_at =
            admission.transaction.as_ref().map(|(_, unsealed)| unsealed).filter(|u| !u.kind.is_clickless());
        let clicked_at = clicked_at.map(|unsealed| unsealed.minted_at);
        let external = match &inbound.external_transaction_id {
            Slot::Value(id) => Some(id.clone()),
            Slot::Absent | Slot::Bad(_) => None,
        };
        // The servers' clocks may differ by a little: a click is never after its conversion.
        let measured = clicked_at.and_then(|at| i32::try_from(hit.arrival.at.millis_since(at).max(0) / 1000).ok());
        let is_pixel = admission.source(hit) == Source::ImagePixel;
        let mut newborn = Conversion {
            id: admitted.conversion,
            transaction_id: admitted.transaction,
            event_number: admission.event_number(),
            source: admission.source(hit),
            status: standing.status,
            pending_reason: standing.pending_reason,
            rejection_reason: standing.reason.clone(),
            rejected_by: standing.rejected_by,
            advertiser_reason: None,
            offer: admission.offer.id,
            publisher: admission.publisher,
            order_id: admission.order_id.map(str::to_owned),
            external_transaction_id: external,
            sub_ids: inbound.sub_ids.clone(),
            adv_sub_ids: inbound.adv_sub_ids.clone(),
            session_time_seconds: inbound.session_time_seconds.or(measured),
            conversion_ip: hit.conversion_ip.clone().or_else(|| is_pixel.then(|| hit.address.clone())),
            user_agent: inbound.user_agent.clone(),
            device_id: inbound.device_id.clone(),
            email: hit.email.clone(),
            money: standing.money,
            reported: standing.reported,
            click_pending: clicked_at.is_some(),
            is_test: admitted.known.is_test,
            token: admitted.known.token,
            confirmed_at: None,
            clicked_at,
            converted_at: hit.arrival.at,
            recorded_at: self.now,
            status_changed_at: self.now,
            version: 0,
        };
        if let Some(click) = click {
            newborn.fill_from_click(click);
        }
        newborn
    }

    /// Keys as they must stand when the transaction commits: to be written, and to be given back.
    pub(super) fn key_writes(&self) -> (Vec<KeyOwner>, Vec<ConversionKey>) {
        let mut assign = Vec::new();
        let mut release = Vec::new();
        let touched: BTreeSet<&ConversionKey> = self.claimed.keys().chain(&self.writes.reassigned).collect();
        for key in touched {
            let written = self.claimed.get(key);
            match self.key(key) {
                KeyState::Free => release.push(key.clone()),
                KeyState::Owned(id) if written != Some(&Some(id)) => assign.push((key.clone(), Some(id))),
                KeyState::Parked if written != Some(&None) => assign.push((key.clone(), None)),
                KeyState::Owned(_) | KeyState::Parked => {}
            }
        }
        (assign, release)
    }

    pub(super) fn recorded(&self) -> Vec<&Conversion> {
        self.writes.recorded.iter().filter_map(|id| self.conversions.get(id)).collect()
    }

    pub(super) fn updated(&self) -> Vec<&Conversion> {
        self.writes.updated.iter().filter_map(|id| self.conversions.get(id)).collect()
    }
}

/// What the rules say to one wish.
enum Ruled {
    Apply(Box<Transition>),
    NoChange,
    Failed(ChangeOutcome),
}

/// What an entry of the audit trail compares.
fn audited(conversion: &Conversion, note: Option<&str>) -> Vec<(&'static str, Option<String>)> {
    let Money { revenue, payout, purchase_value, .. } = conversion.money;
    let amount = |amount: Option<Micros>| amount.map(|amount| amount.to_string());
    vec![
        ("status", Some(conversion.status.as_str().to_owned())),
        ("reason", conversion.rejection_reason.clone()),
        ("revenue", amount(revenue)),
        ("payout", amount(payout)),
        ("purchase_value", amount(purchase_value)),
        ("note", note.map(str::to_owned)),
    ]
}

/// What is kept of a call: a letter for each change, and what the figures moved by, in each currency.
fn answer_of(done: &[ChangeOutcome]) -> String {
    let letters: String = done.iter().map(ChangeOutcome::letter).collect();
    let sums = effects(done)
        .into_iter()
        .map(|(currency, (revenue, payout))| format!("\n{currency} {} {}", revenue.as_i64(), payout.as_i64()));
    sums.fold(letters, |text, line| text + &line)
}

fn bucket_of(conversion: &Conversion) -> Bucket {
    Bucket {
        at: conversion.converted_at.bucket(BUCKET_SECONDS),
        offer: conversion.offer,
        publisher: conversion.publisher,
        currency: conversion.money.currency,
    }
}

/// What a confirming postback says about the visitor; a pixel knew less.
fn describe(conversion: &mut Conversion, hit: &Hit) {
    let inbound = &hit.inbound;
    if inbound.session_time_seconds.is_some() {
        conversion.session_time_seconds = inbound.session_time_seconds;
    }
    if hit.conversion_ip.is_some() {
        conversion.conversion_ip.clone_from(&hit.conversion_ip);
    }
    if inbound.user_agent.is_some() {
        conversion.user_agent.clone_from(&inbound.user_agent);
    }
    if inbound.device_id.is_some() {
        conversion.device_id.clone_from(&inbound.device_id);
    }
    if hit.email.is_some() {
        conversion.email.clone_from(&hit.email);
    }
}

/// The author of a recording: the sender, or the rule of ours that rejects it or holds it back.
fn decider(admitted: &Admitted<'_>, standing: &Standing, now: Timestamp) -> Author {
    let party = standing.decided_by();
    let author = sender(admitted, now);
    match party {
        Party::Sender => author,
        Party::System | Party::Operator => Author { party, actor: party.as_str().to_owned(), ..author },
    }
}

/// The author of what a request does.
fn sender(admitted: &Admitted<'_>, now: Timestamp) -> Author {
    let nameless = match admitted.hit.inbound.door {
        Door::Pixel => "image_pixel",
        Door::Click | Door::Postback | Door::Clickless | Door::Rejection | Door::Status => "advertiser",
    };
    Author {
        party: Party::Sender,
        actor: admitted.known.token.map_or_else(|| nameless.to_owned(), |token| token.to_string()),
        receipt: Some(admitted.hit.receipt),
        at: now,
        note: None,
    }
}

/// The answer to a request that was not admitted.
pub(super) fn refused(hit: &Hit, known: &Known, refusal: &Refusal) -> Answer {
    Answer {
        receipt: known.token.map(|_| hit.receipt),
        transaction_id: known.transaction_id,
        field: refusal.field.map(str::to_owned),
        received: refusal.received.clone(),
        detail: refusal.detail.clone(),
        warnings: hit.inbound.warnings.clone(),
        verified: known.token.is_some(),
        lenient: known.lenient,
        ..Answer::bare(hit.inbound.door, refusal.code)
    }
}

/// The record of a request and its answer.
pub(super) fn receipt(
    hit: &Hit,
    known: &Known,
    answer: &Answer,
    decisive_check: Option<Check>,
    latency_us: i64,
) -> Receipt {
    Receipt {
        id: hit.receipt,
        received_at: hit.replay.map_or(hit.arrival.at, |replay| replay.at),
        door: hit.inbound.door,
        code: answer.code,
        decisive_check,
        detail: answer.detail.clone(),
        field: answer.field.clone(),
        received: answer.received.clone(),
        method: hit.arrival.method.clone(),
        host: hit.arrival.host.clone(),
        path: hit.arrival.path.clone(),
        params: hit.receipt_params().to_owned(),
        address: Some(hit.address.clone()),
        user_agent: hit.arrival.user_agent.clone(),
        latency_us,
        is_test: known.is_test,
        lenient: known.lenient,
        token: known.token,
        offer: known.offer,
        publisher: known.publisher,
        transaction_id: answer.transaction_id.or(known.transaction_id),
        conversion: answer.conversion,
        status: answer.status,
        warnings: answer.warnings.clone(),
        request_id: hit.arrival.request_id.clone(),
        replay_of: hit.replay.map(|replay| replay.of),
    }
}
