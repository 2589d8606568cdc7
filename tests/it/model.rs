//! Random histories, compared with a plain model of the tracking rules: every answer, every end, on both engines.
//!
//! The model keeps lists and looks everything up by walking them. It is written from the rules and shares no code
//! with what it is compared with; where the two differ, one of them is wrong.
//! Several requests at once may have happened in any order, and one that a crash left without an answer may have
//! happened or not: then there are several models, and those that a later answer contradicts are dropped. None that is
//! left means that no order explains what was answered.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use roundtrip::app::verify::verify;
use roundtrip::domain::answer::Answer;
use roundtrip::domain::audit::AuditEvent;
use roundtrip::domain::clock::Clock;
use roundtrip::domain::code::Code::{
    self, AmbiguousTarget, Confirmed, ConversionNotFound, Duplicate, InvalidSecure, InvalidTransition,
    NoBaseConversion, NoChange, Parked, ReasonAdded, ReasonUpdated, Recorded, StatusChanged,
};
use roundtrip::domain::conversion::{Amounts, Conversion};
use roundtrip::domain::ids::{AuditEventId, ConversionId, TokenId};
use roundtrip::domain::inbound::Door;
use roundtrip::domain::money::Micros;
use roundtrip::domain::offer::DuplicatePolicy;
use roundtrip::domain::screening::Hit;
use roundtrip::domain::secure_token::{
    Capability, PlainToken, Rotation, SecureToken, TokenDigest, TokenScope, revoke, rotate,
};
use roundtrip::domain::snapshot::Snapshot;
use roundtrip::domain::status::Party::{self, Operator, Sender, System};
use roundtrip::domain::status::Status::{self, Approved, Pending, Rejected};
use roundtrip::domain::transaction_id::TransactionId;
use roundtrip::intake::{ChangeOutcome, ChangesOutcome, ErrorPolicy, OperatorChange, OperatorChanges, Wish};
use roundtrip::store::{Engine, batch};
use tokio::time::timeout;

use crate::support::bench::{Bench, event, hit};

const TRANSACTIONS: usize = 2;
const HISTORIES: u32 = 40;
const STEPS: usize = 24;
/// The number of the event that the offer defines.
const EVENT: i32 = 1;
const AT_ONCE_MAX: usize = 3;
const LIVE_TOKENS_MAX: usize = 5;
const WINDOW_HOURS: i64 = 30 * 24;
const REPEAT_HOURS: i64 = 24;
const UNDO_HOURS: i64 = 30 * 24;

/// What somebody outside asks for.
#[derive(Clone, Copy, Debug)]
enum Ask {
    Convert { t: usize, event: i32, order: Option<u8>, basket: Option<u8>, rejected: bool },
    Pixel { t: usize, event: i32 },
    Reject { t: usize, event: i32, order: Option<u8>, reason: u8 },
    Status { t: usize, event: i32, order: Option<u8>, to: Status },
}

#[derive(Clone, Debug)]
enum Step {
    One(Ask),
    AtOnce(Vec<Ask>),
    /// The server is killed so long after the request was sent, which is sent again after the next start.
    Crash {
        ask: Ask,
        millis: u64,
    },
    Restart,
    Click {
        t: usize,
    },
    Operator {
        t: usize,
        nth: usize,
        to: Status,
        reason: u8,
    },
    /// The newest token is replaced; the sender goes on with its own.
    Rotate {
        overlap_hours: i64,
        force: bool,
    },
    /// The sender takes the newest token.
    Change,
    /// The sender's own token.
    Revoke,
    Wait {
        hours: i64,
    },
}

#[derive(Clone, Debug)]
struct History {
    several: bool,
    manual: bool,
    steps: Vec<Step>,
}

fn ask() -> impl Strategy<Value = Ask> {
    let t = 0..TRANSACTIONS;
    let order = || prop::option::of(0_u8..2);
    // 0 is the conversion itself.
    let event = || prop_oneof![3 => Just(0_i32), 1 => Just(EVENT)];
    prop_oneof![
        6 => (t.clone(), event(), order(), prop::option::of(1_u8..3), prop::bool::weighted(0.1))
            .prop_map(|(t, event, order, basket, rejected)| Ask::Convert { t, event, order, basket, rejected }),
        2 => (t.clone(), event()).prop_map(|(t, event)| Ask::Pixel { t, event }),
        4 => (t.clone(), event(), order(), 0_u8..2)
            .prop_map(|(t, event, order, reason)| Ask::Reject { t, event, order, reason }),
        2 => (t, event(), order(), status()).prop_map(|(t, event, order, to)| Ask::Status { t, event, order, to }),
    ]
}

fn status() -> impl Strategy<Value = Status> {
    prop::sample::select(Status::ALL.to_vec())
}

fn step() -> impl Strategy<Value = Step> {
    let t = 0..TRANSACTIONS;
    prop_oneof![
        14 => ask().prop_map(Step::One),
        3 => prop::collection::vec(ask(), 2..=AT_ONCE_MAX).prop_map(Step::AtOnce),
        1 => (ask(), 0_u64..12).prop_map(|(ask, millis)| Step::Crash { ask, millis }),
        1 => Just(Step::Restart),
        2 => t.clone().prop_map(|t| Step::Click { t }),
        2 => (t, 0_usize..3, status(), 0_u8..2).prop_map(|(t, nth, to, reason)| Step::Operator { t, nth, to, reason }),
        1 => (prop::sample::select(vec![0, 1, REPEAT_HOURS]), any::<bool>())
            .prop_map(|(overlap_hours, force)| Step::Rotate { overlap_hours, force }),
        2 => Just(Step::Change),
        1 => Just(Step::Revoke),
        2 => prop::sample::select(vec![1, REPEAT_HOURS, WINDOW_HOURS / 2]).prop_map(|hours| Step::Wait { hours }),
    ]
}

fn history() -> impl Strategy<Value = History> {
    (any::<bool>(), prop::bool::weighted(0.3), prop::collection::vec(step(), 1..STEPS))
        .prop_map(|(several, manual, steps)| History { several, manual, steps })
}

/// What a conversion is, as far as the rules tell.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Known {
    event: i32,
    order: Option<u8>,
    pixel: bool,
    confirmed: bool,
    status: Status,
    held: bool,
    rejected_by: Option<Party>,
    reason: Option<String>,
    beside: Option<String>,
    click_pending: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Modelled {
    /// None until an answer names it: the first one may have been lost.
    id: Option<ConversionId>,
    known: Known,
    /// When it was last reported by a postback, and what that one said besides its order.
    said_at: i64,
    said: Vec<(Option<u8>, i64)>,
    orders: Vec<u8>,
    rejected_at: i64,
}

/// An event, and one order of it.
type Target = (i32, Option<u8>);

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Transaction {
    clicked: bool,
    conversions: Vec<Modelled>,
    /// By event and order; without an order it waits for the first conversion of the event.
    parked: BTreeMap<Target, String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Model {
    several: bool,
    manual: bool,
    hours: i64,
    transactions: Vec<Transaction>,
    tokens: Vec<Token>,
    /// Which of them the sender uses.
    own: usize,
}

/// Until when a token is good; for ever, if nothing is said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Token {
    until: Option<i64>,
    revoked: bool,
}

impl Token {
    fn is_live(self, hours: i64) -> bool {
        !self.revoked && self.until.is_none_or(|until| hours < until)
    }
}

/// Does an answer that names this conversion speak of that one? One that had no name yet has one then.
fn is_named(one: &mut Modelled, answered: Option<ConversionId>) -> bool {
    one.id = one.id.or(answered);
    answered.is_none() || one.id == answered
}

fn reason(n: u8) -> String {
    format!("reason {n}")
}

/// The transition table once more.
fn moved(one: &mut Modelled, to: Status, why: Option<String>, party: Party, hours: i64) -> Code {
    let known = &mut one.known;
    match (known.status, to) {
        (Rejected, Rejected) if party == Operator || known.rejected_by == Some(Sender) => {
            if why.is_none() || (known.reason == why && known.rejected_by == Some(party)) {
                return NoChange;
            }
            if party == Operator && known.rejected_by == Some(Sender) {
                known.beside = known.reason.take();
            }
            known.reason = why;
            known.rejected_by = Some(party);
            ReasonUpdated
        }
        (Rejected, Rejected) => {
            if why.is_none() || known.beside == why {
                return NoChange;
            }
            known.beside = why;
            ReasonAdded
        }
        (from, to) if from == to => NoChange,
        (_, Rejected) => {
            known.status = Rejected;
            known.held = false;
            known.reason = why;
            known.rejected_by = Some(party);
            one.rejected_at = hours;
            Code::Rejected
        }
        (from, to) => {
            let own = known.rejected_by == Some(Sender) && hours - one.rejected_at <= UNDO_HOURS;
            let may = party == Operator || (to == Approved && (from == Pending || own));
            if !may {
                return InvalidTransition;
            }
            known.status = to;
            known.held = false;
            known.rejected_by = None;
            known.reason = None;
            known.beside = None;
            StatusChanged
        }
    }
}

impl Model {
    fn born(&self, t: usize, (event, order): Target, pixel: bool, rejected: bool) -> Modelled {
        let held = self.manual || pixel;
        let bases = self.of_event(t, 0);
        let base_rejected = bases.iter().all(|nth| self.transactions[t].conversions[*nth].known.status == Rejected);
        let (status, by, why) = if self.hours > WINDOW_HOURS {
            (Rejected, Some(System), Some("outside_window".to_owned()))
        } else if event > 0 && base_rejected {
            (Rejected, Some(System), Some("base_rejected".to_owned()))
        } else if rejected {
            (Rejected, Some(Sender), Some("fraud".to_owned()))
        } else if held {
            (Pending, None, None)
        } else {
            (Approved, None, None)
        };
        Modelled {
            id: None,
            known: Known {
                event,
                order,
                pixel,
                confirmed: false,
                status,
                held: status == Pending,
                rejected_by: by,
                reason: why,
                beside: None,
                click_pending: !self.transactions[t].clicked,
            },
            said_at: self.hours,
            said: Vec::new(),
            orders: Vec::new(),
            rejected_at: self.hours,
        }
    }

    /// The places of the conversions of one event, in the order of their recording.
    fn of_event(&self, t: usize, event: i32) -> Vec<usize> {
        let conversions = self.transactions[t].conversions.iter().enumerate();
        conversions.filter(|(_, one)| one.known.event == event).map(|(nth, _)| nth).collect()
    }

    fn lacks_its_base(&self, t: usize, event: i32) -> bool {
        event > 0 && self.of_event(t, 0).is_empty()
    }

    fn unpark(&mut self, t: usize, nth: usize, key: Target) {
        if let Some(why) = self.transactions[t].parked.remove(&key) {
            moved(&mut self.transactions[t].conversions[nth], Rejected, Some(why), Sender, self.hours);
        }
    }

    /// What is answered to a request, and which conversion the answer names.
    fn answer(&mut self, ask: Ask) -> (Code, Option<usize>) {
        if let Ask::Pixel { t, event } = ask {
            return self.pixel(t, event);
        }
        if !self.tokens[self.own].is_live(self.hours) {
            return (InvalidSecure, None);
        }
        match ask {
            Ask::Convert { t, event, order, basket, rejected } => self.convert(t, (event, order), basket, rejected),
            Ask::Pixel { t, event } => self.pixel(t, event),
            Ask::Reject { t, event, order, reason: n } => (self.reject(t, (event, order), reason(n)), None),
            Ask::Status { t, event, order, to } => (self.status(t, (event, order), to), None),
        }
    }

    /// Does this answer agree with what the model would say now? Then it has happened.
    fn agrees(&mut self, ask: Ask, answered: &Answer) -> bool {
        let (code, nth) = self.answer(ask);
        let named = nth.is_none_or(|nth| {
            is_named(&mut self.transactions[ask.transaction()].conversions[nth], answered.conversion)
        });
        code == answered.code && named
    }

    fn rotate(&mut self, overlap_hours: i64, force: bool) -> bool {
        let hours = self.hours;
        let Some((newest, older)) = self.tokens.split_last_mut() else { return false };
        if newest.is_live(hours) {
            let is_open = older.last().is_some_and(|previous| previous.is_live(hours));
            let others = older.iter().filter(|token| token.is_live(hours)).count();
            let staying = others + usize::from(overlap_hours > 0);
            if (is_open && !force) || staying >= LIVE_TOKENS_MAX {
                return false;
            }
            newest.until = Some(hours + overlap_hours);
        }
        self.tokens.push(Token::default());
        true
    }

    fn convert(&mut self, t: usize, target: Target, basket: Option<u8>, rejected: bool) -> (Code, Option<usize>) {
        let (hours, (event, order)) = (self.hours, target);
        if self.lacks_its_base(t, event) {
            return (NoBaseConversion, None);
        }
        // What an equal request without an order id is known by.
        let print = (basket.unwrap_or(0) * 2) + u8::from(rejected);
        let (all, places) = (&self.transactions[t].conversions, self.of_event(t, event));
        let found = match order {
            Some(order) => places.iter().copied().find(|nth| all[*nth].orders.contains(&order)),
            None => {
                let said = |one: &Modelled| {
                    one.said.iter().any(|(what, _)| *what == Some(print)) && hours - one.said_at < REPEAT_HOURS
                };
                places.iter().rev().copied().find(|nth| said(&all[*nth]))
            }
        };
        let first = places.first().copied();
        let waits = first.filter(|nth| all[*nth].known.pixel && !all[*nth].known.confirmed);
        if let (None, Some(nth)) = (found, waits) {
            return (self.confirm(t, nth, order, print, rejected), Some(nth));
        }
        if let Some(nth) = found.or(first.filter(|_| !self.several)) {
            return (Duplicate, Some(nth));
        }
        let mut one = self.born(t, target, false, rejected);
        one.orders.extend(order);
        if order.is_none() {
            one.said.push((Some(print), hours));
        }
        self.transactions[t].conversions.push(one);
        let nth = self.transactions[t].conversions.len() - 1;
        if order.is_some() {
            self.unpark(t, nth, target);
        }
        if first.is_none() {
            self.unpark(t, nth, (event, None));
        }
        (Recorded, Some(nth))
    }

    fn confirm(&mut self, t: usize, nth: usize, order: Option<u8>, print: u8, rejected: bool) -> Code {
        let (hours, manual) = (self.hours, self.manual);
        let one = &mut self.transactions[t].conversions[nth];
        let (was, event) = (one.known.status, one.known.event);
        one.known.confirmed = true;
        one.known.order = order;
        one.said_at = hours;
        match order {
            Some(order) => one.orders.push(order),
            None => one.said.push((Some(print), hours)),
        }
        if rejected && was != Rejected {
            moved(one, Rejected, Some("fraud".to_owned()), Sender, hours);
        } else if was == Pending && one.known.held {
            one.known.status = if manual { Pending } else { Approved };
            one.known.held = manual;
        }
        if order.is_some() {
            self.unpark(t, nth, (event, order));
        }
        if was == Rejected { Duplicate } else { Confirmed }
    }

    fn pixel(&mut self, t: usize, event: i32) -> (Code, Option<usize>) {
        if self.lacks_its_base(t, event) {
            return (NoBaseConversion, None);
        }
        if let Some(first) = self.of_event(t, event).first() {
            return (Duplicate, Some(*first));
        }
        let one = self.born(t, (event, None), true, false);
        self.transactions[t].conversions.push(one);
        let nth = self.transactions[t].conversions.len() - 1;
        self.unpark(t, nth, (event, None));
        (Recorded, Some(nth))
    }

    fn targets(&self, t: usize, (event, order): Target) -> Vec<usize> {
        let all = &self.transactions[t].conversions;
        let meant = |nth: &usize| order.is_none() || all[*nth].known.order == order;
        self.of_event(t, event).into_iter().filter(meant).collect()
    }

    fn reject(&mut self, t: usize, target: Target, why: String) -> Code {
        match self.targets(t, target)[..] {
            [] if self.hours > WINDOW_HOURS => ConversionNotFound,
            [] => {
                self.transactions[t].parked.insert(target, why);
                Parked
            }
            [nth] => moved(&mut self.transactions[t].conversions[nth], Rejected, Some(why), Sender, self.hours),
            [_, ..] => AmbiguousTarget,
        }
    }

    fn status(&mut self, t: usize, target: Target, to: Status) -> Code {
        match self.targets(t, target)[..] {
            [] => ConversionNotFound,
            [nth] => {
                let code = moved(&mut self.transactions[t].conversions[nth], to, None, Sender, self.hours);
                if code == Code::Rejected { StatusChanged } else { code }
            }
            [_, ..] => AmbiguousTarget,
        }
    }

    fn click(&mut self, t: usize) {
        self.transactions[t].clicked = true;
        self.transactions[t].conversions.iter_mut().for_each(|one| one.known.click_pending = false);
    }
}

impl Ask {
    fn transaction(self) -> usize {
        match self {
            Self::Convert { t, .. } | Self::Pixel { t, .. } | Self::Reject { t, .. } | Self::Status { t, .. } => t,
        }
    }

    fn door(self) -> Door {
        match self {
            Self::Convert { .. } => Door::Postback,
            Self::Pixel { .. } => Door::Pixel,
            Self::Reject { .. } => Door::Rejection,
            Self::Status { .. } => Door::Status,
        }
    }

    fn query(self, id: TransactionId) -> String {
        let with = |event: i32, order: Option<u8>| {
            let event = if event > 0 { format!("&event_id={event}") } else { String::new() };
            let order = order.map(|n| format!("&order_id=O{n}")).unwrap_or_default();
            format!("{event}{order}")
        };
        let rest = match self {
            Self::Convert { event, order, basket, rejected, .. } => {
                let basket = basket.map(|n| format!("&purchase_value={n}")).unwrap_or_default();
                let fraud = if rejected { "&third_party_rejected_reason=fraud" } else { "" };
                format!("{}{basket}{fraud}", with(event, order))
            }
            Self::Pixel { event, .. } => with(event, None),
            Self::Reject { event, order, reason: n, .. } => {
                format!("{}&new_rejected_reason={}", with(event, order), reason(n))
            }
            Self::Status { event, order, to, .. } => format!("{}&status={}", with(event, order), to.as_str()),
        };
        format!("transaction_id={id}{}", rest.replace(' ', "+"))
    }
}

/// Every order of the first `count` numbers.
fn orders(count: usize) -> Vec<Vec<usize>> {
    let Some(last) = count.checked_sub(1) else { return vec![Vec::new()] };
    let put = |order: Vec<usize>| (0..count).map(move |at| [&order[..at], &[last], &order[at..]].concat());
    orders(last).into_iter().flat_map(put).collect()
}

/// One history, played to both.
struct Play<'a> {
    bench: &'a mut Bench,
    /// What may have happened.
    models: Vec<Model>,
    ids: Vec<TransactionId>,
    /// As they were answered.
    conversions: Vec<Vec<ConversionId>>,
    /// The digest and the text of each.
    tokens: Vec<(TokenDigest, String)>,
    own: usize,
}

impl<'a> Play<'a> {
    fn new(bench: &'a mut Bench, history: &History) -> Self {
        bench.change_offer(|offer| {
            offer.duplicate_policy = match history.several {
                true => DuplicatePolicy::OnePerOrder,
                false => DuplicatePolicy::OnePerTransaction,
            };
            offer.switches.manual_approval = history.manual;
            offer.events = vec![event(EVENT, "deposit")];
        });
        let transactions = (0..TRANSACTIONS).map(|_| Transaction::default()).collect();
        let (several, manual) = (history.several, history.manual);
        let model = Model { several, manual, hours: 0, transactions, tokens: vec![Token::default()], own: 0 };
        let ids = (0..TRANSACTIONS).map(|_| bench.mint()).collect();
        let mut play = Self {
            bench,
            models: vec![model],
            ids,
            conversions: vec![Vec::new(); TRANSACTIONS],
            tokens: Vec::new(),
            own: 0,
        };
        play.change_tokens(HashMap::clear);
        play.create_token();
        play
    }

    fn change_tokens(&self, change: impl FnOnce(&mut HashMap<TokenDigest, SecureToken>)) {
        let mut changed = Snapshot::clone(&self.bench.snapshot.load());
        change(&mut changed.tokens);
        self.bench.snapshot.store(Arc::new(changed));
    }

    fn create_token(&mut self) {
        let plain = PlainToken::generate(TokenScope::Global, &*self.bench.entropy);
        let id = TokenId::mint(&*self.bench.clock, &*self.bench.entropy);
        let everything = [Capability::Convert, Capability::Reject, Capability::Status].into_iter().collect();
        let token = SecureToken::new(id, plain.digest(), TokenScope::Global, everything);
        self.add_token(token, &plain);
    }

    fn add_token(&mut self, token: SecureToken, plain: &PlainToken) {
        self.tokens.push((token.digest, plain.reveal().to_owned()));
        self.change_tokens(|tokens| drop(tokens.insert(token.digest, token)));
    }

    /// Was the newest token replaced, or one made where it is good no more?
    fn rotate(&mut self, overlap_hours: i64, force: bool) -> bool {
        let now = self.bench.clock.now();
        let siblings: Vec<SecureToken> = self.bench.snapshot.load().tokens.values().cloned().collect();
        let newest = self.tokens.last().map(|(digest, _)| *digest);
        let newest = siblings.iter().find(|token| Some(token.digest) == newest).unwrap();
        if !newest.live_at(now) {
            self.create_token();
            return true;
        }
        let plain = PlainToken::generate(TokenScope::Global, &*self.bench.entropy);
        let new = (TokenId::mint(&*self.bench.clock, &*self.bench.entropy), plain.digest());
        let overlap_seconds = u32::try_from(overlap_hours * 3600).unwrap();
        let Ok(plan) = rotate(newest, &siblings, Rotation { overlap_seconds, force }, new, now) else { return false };
        self.change_tokens(|tokens| drop(tokens.insert(plan.old.digest, plan.old)));
        self.add_token(plan.new, &plain);
        true
    }

    fn hit(&self, ask: Ask) -> Hit {
        let (bench, secret) = (&*self.bench, &self.tokens[self.own].1);
        let query = ask.query(self.ids[ask.transaction()]);
        hit(&bench.keyring, &*bench.entropy, &*bench.clock, secret, ask.door(), &query)
    }

    /// Keeps the models of which one answer, or several in some order, is what they would have said.
    fn explain(&mut self, answered: &[(Ask, Answer)]) -> Result<(), TestCaseError> {
        let mut explained: Vec<Model> = Vec::new();
        for model in &self.models {
            for order in orders(answered.len()) {
                let mut model = model.clone();
                let agrees = order.iter().all(|nth| model.agrees(answered[*nth].0, &answered[*nth].1));
                if agrees && !explained.contains(&model) {
                    explained.push(model);
                }
            }
        }
        let said: Vec<_> = answered.iter().map(|(ask, answer)| (ask, answer.code, answer.conversion)).collect();
        prop_assert!(!explained.is_empty(), "no order explains {:?} after {:#?}", said, self.models);
        self.models = explained;
        for (ask, answer) in answered {
            let all = &mut self.conversions[ask.transaction()];
            all.extend(answer.conversion.filter(|id| !all.contains(id)));
        }
        Ok(())
    }

    async fn ask(&mut self, asks: &[Ask]) -> Result<(), TestCaseError> {
        let answers = join_all(asks.iter().map(|ask| self.bench.intake.settle(self.hit(*ask)))).await;
        let answered: Vec<_> = asks.iter().copied().zip(answers.into_iter().map(Result::unwrap)).collect();
        self.explain(&answered)
    }

    async fn crash(&mut self, ask: Ask, after: Duration) -> Result<(), TestCaseError> {
        let answered = timeout(after, self.bench.intake.settle(self.hit(ask))).await;
        self.bench.crash().await;
        match answered {
            Ok(Ok(answer)) => self.explain(&[(ask, answer)])?,
            Ok(Err(_)) | Err(_) => {
                let mut happened = self.models.clone();
                for model in &mut happened {
                    model.answer(ask);
                }
                self.models.extend(happened);
                self.models.dedup();
            }
        }
        self.ask(&[ask]).await
    }

    async fn step(&mut self, step: &Step) -> Result<(), TestCaseError> {
        match step {
            Step::One(ask) => self.ask(&[*ask]).await?,
            Step::AtOnce(asks) => self.ask(asks).await?,
            Step::Crash { ask, millis } => self.crash(*ask, Duration::from_millis(*millis)).await?,
            Step::Restart => self.bench.restart().await,
            Step::Click { t } => {
                self.bench.intake.settle_kept_click(self.bench.click(self.ids[*t])).await.unwrap();
                self.models.iter_mut().for_each(|model| model.click(*t));
            }
            Step::Operator { t, nth, to, reason: n } => self.operate(*t, *nth, *to, *n).await?,
            Step::Rotate { overlap_hours, force } => {
                let rotated = self.rotate(*overlap_hours, *force);
                for model in &mut self.models {
                    prop_assert_eq!(rotated, model.rotate(*overlap_hours, *force));
                }
            }
            Step::Change => {
                self.own = self.tokens.len() - 1;
                self.models.iter_mut().for_each(|model| model.own = model.tokens.len() - 1);
            }
            Step::Revoke => {
                let digest = self.tokens[self.own].0;
                self.change_tokens(|tokens| {
                    let token = tokens.get_mut(&digest).unwrap();
                    *token = revoke(token);
                });
                self.models.iter_mut().for_each(|model| model.tokens[model.own].revoked = true);
            }
            Step::Wait { hours } => {
                self.bench.clock.advance_seconds(hours * 3600);
                self.models.iter_mut().for_each(|model| model.hours += hours);
            }
        }
        Ok(())
    }

    async fn operate(&mut self, t: usize, nth: usize, to: Status, n: u8) -> Result<(), TestCaseError> {
        let Some(conversion) = self.conversions[t].get(nth).copied() else { return Ok(()) };
        let why = (to == Rejected).then(|| reason(n));
        let change = OperatorChange {
            notify_publisher: true,
            conversion,
            wish: Wish::Move { to, reason: why.clone() },
            note: None,
            actor: "op".into(),
            audit: audit(self.bench),
        };
        // A note and other amounts beside it move no status, and the figures by what they say.
        let aside = match n % 3 {
            0 => Some(Wish::Note),
            1 => Some(Wish::Amend { version: self.version(conversion).await + 1, amounts: amounts(n) }),
            _ => None,
        };
        let aside = aside.map(|wish| OperatorChange { wish, audit: audit(self.bench), ..change.clone() });
        let changes = std::iter::once(change).chain(aside).collect();
        let both = OperatorChanges { changes, policy: ErrorPolicy::SkipFailed, once: None };
        let ChangesOutcome::Done(outcomes) = self.bench.intake.settle_changes(both).await.unwrap() else {
            panic!("a change without a key was taken for another")
        };
        let changed = match outcomes.into_iter().next().unwrap() {
            ChangeOutcome::Changed(..) => Some(StatusChanged),
            ChangeOutcome::NoChange(_) => Some(NoChange),
            ChangeOutcome::Forbidden(_) => Some(InvalidTransition),
            ChangeOutcome::NotFound | ChangeOutcome::Stale(_) => None,
        };
        let (before, hours) = (self.models.clone(), self.models[0].hours);
        self.models.retain_mut(|model| {
            let mut all = model.transactions[t].conversions.iter_mut();
            let Some(one) = all.find(|one| one.id == Some(conversion)) else { return false };
            let same = moved(one, to, why.clone(), Operator, hours) == NoChange;
            changed == Some(if same { NoChange } else { StatusChanged })
        });
        prop_assert!(!self.models.is_empty(), "{:?} of {} after {:#?}", changed, conversion, before);
        Ok(())
    }

    async fn version(&self, id: ConversionId) -> i32 {
        let (mut tx, _) = self.bench.database.begin_read().await.unwrap();
        batch::conversions_by_ids(&mut tx, &[id], false).await.unwrap()[0].version
    }

    /// All conversions of each transaction, by their ids.
    async fn ends(&self) -> Vec<BTreeMap<ConversionId, Known>> {
        let (mut tx, _) = self.bench.database.begin_read().await.unwrap();
        let mut ends = Vec::new();
        for id in &self.ids {
            let ids = batch::conversions_by_transactions(&mut tx, &[*id]).await.unwrap();
            let found = batch::conversions_by_ids(&mut tx, &ids, false).await.unwrap();
            ends.push(found.iter().map(|one| (one.id, known(one))).collect());
        }
        ends
    }
}

fn amounts(n: u8) -> Amounts {
    Amounts { revenue: Some(Micros::from_i64(i64::from(n) * 1_000_000)), ..Amounts::default() }
}

fn known(one: &Conversion) -> Known {
    Known {
        event: one.event_number,
        order: one.order_id.as_ref().and_then(|order| order.strip_prefix('O')).and_then(|n| n.parse().ok()),
        pixel: one.source == roundtrip::domain::conversion::Source::ImagePixel,
        confirmed: one.confirmed_at.is_some(),
        status: one.status,
        held: one.pending_reason.is_some(),
        rejected_by: one.rejected_by,
        reason: one.rejection_reason.clone(),
        beside: one.advertiser_reason.clone(),
        click_pending: one.click_pending,
    }
}

fn audit(bench: &Bench) -> AuditEvent {
    let text = || "test".to_owned();
    AuditEvent {
        id: AuditEventId::mint(&*bench.clock, &*bench.entropy),
        at: bench.clock.now(),
        actor: text(),
        actor_label: text(),
        action: text(),
        subject: text(),
        subject_label: text(),
        changes: Vec::new(),
        address: None,
        request_id: text(),
    }
}

async fn play(bench: &mut Bench, history: &History) -> Result<(), TestCaseError> {
    let mut play = Play::new(bench, history);
    for step in &history.steps {
        play.step(step).await?;
    }
    let ends = play.ends().await;
    let expected = |model: &Model| -> Vec<BTreeMap<ConversionId, Known>> {
        let of = |one: &Modelled| (one.id.unwrap(), one.known.clone());
        model.transactions.iter().map(|transaction| transaction.conversions.iter().map(of).collect()).collect()
    };
    let expected: Vec<_> = play.models.iter().map(expected).collect();
    prop_assert!(expected.contains(&ends), "{:#?} is none of {:#?}", ends, expected);
    bench.count_days().await;
    let report = verify(&bench.database).await.unwrap();
    prop_assert!(report.is_clean(), "{}", report);
    prop_assert_eq!(report.days.counted, report.days.days);
    Ok(())
}

/// One database for all histories: each has transactions of its own.
fn every_history_ends_as_the_model_does(engine: Engine) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let bench = RefCell::new(runtime.block_on(Bench::start(engine)));
    let config = Config { cases: HISTORIES, max_shrink_iters: 200, failure_persistence: None, ..Config::default() };
    let run =
        TestRunner::new(config).run(&history(), |history| runtime.block_on(play(&mut bench.borrow_mut(), &history)));
    run.unwrap_or_else(|error| panic!("{error}"));
}

#[test]
fn every_history_on_sqlite_ends_as_the_model_does() {
    every_history_ends_as_the_model_does(Engine::Sqlite);
}

#[test]
fn every_history_on_postgres_ends_as_the_model_does() {
    every_history_ends_as_the_model_does(Engine::Postgres);
}
