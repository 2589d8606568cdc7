//! Random histories, compared with a plain model of the tracking rules: every answer, every end, on both engines.
//!
//! The model keeps lists and looks everything up by walking them. It is written from the rules and shares no code
//! with what it is compared with; where the two differ, one of them is wrong.

use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use roundtrip::app::verify::verify;
use roundtrip::domain::audit::AuditEvent;
use roundtrip::domain::clock::Clock;
use roundtrip::domain::code::Code::{
    self, AmbiguousTarget, Confirmed, ConversionNotFound, Duplicate, InvalidTransition, NoChange, Parked, ReasonAdded,
    ReasonUpdated, Recorded, StatusChanged,
};
use roundtrip::domain::conversion::Conversion;
use roundtrip::domain::ids::{AuditEventId, ConversionId};
use roundtrip::domain::inbound::Door;
use roundtrip::domain::offer::DuplicatePolicy;
use roundtrip::domain::status::Party::{self, Operator, Sender, System};
use roundtrip::domain::status::Status::{self, Approved, Pending, Rejected};
use roundtrip::domain::transaction_id::TransactionId;
use roundtrip::intake::{ChangeOutcome, OperatorChange};
use roundtrip::store::{Engine, batch};

use crate::support::bench::Bench;

const TRANSACTIONS: usize = 2;
const HISTORIES: u32 = 40;
const STEPS: usize = 24;
const WINDOW_HOURS: i64 = 30 * 24;
const REPEAT_HOURS: i64 = 24;
const UNDO_HOURS: i64 = 30 * 24;

#[derive(Clone, Copy, Debug)]
enum Step {
    Click { t: usize },
    Convert { t: usize, order: Option<u8>, basket: Option<u8>, rejected: bool },
    Pixel { t: usize },
    Reject { t: usize, order: Option<u8>, reason: u8 },
    Status { t: usize, order: Option<u8>, to: Status },
    Operator { t: usize, nth: usize, to: Status, reason: u8 },
    Wait { hours: i64 },
}

#[derive(Clone, Debug)]
struct History {
    several: bool,
    manual: bool,
    steps: Vec<Step>,
}

fn step() -> impl Strategy<Value = Step> {
    let t = 0..TRANSACTIONS;
    let order = || prop::option::of(0_u8..2);
    let status = || prop::sample::select(Status::ALL.to_vec());
    prop_oneof![
        1 => t.clone().prop_map(|t| Step::Click { t }),
        6 => (t.clone(), order(), prop::option::of(1_u8..3), prop::bool::weighted(0.1))
            .prop_map(|(t, order, basket, rejected)| Step::Convert { t, order, basket, rejected }),
        2 => t.clone().prop_map(|t| Step::Pixel { t }),
        4 => (t.clone(), order(), 0_u8..2).prop_map(|(t, order, reason)| Step::Reject { t, order, reason }),
        2 => (t.clone(), order(), status()).prop_map(|(t, order, to)| Step::Status { t, order, to }),
        2 => (t, 0_usize..3, status(), 0_u8..2).prop_map(|(t, nth, to, reason)| Step::Operator { t, nth, to, reason }),
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

#[derive(Clone, Debug)]
struct Modelled {
    known: Known,
    /// When it was last reported by a postback, and what that one said besides its order.
    said_at: i64,
    said: Vec<(Option<u8>, i64)>,
    orders: Vec<u8>,
    rejected_at: i64,
}

#[derive(Debug, Default)]
struct Transaction {
    clicked: bool,
    conversions: Vec<Modelled>,
    /// By order; none waits for the first conversion.
    parked: BTreeMap<Option<u8>, String>,
}

#[derive(Debug)]
struct Model {
    several: bool,
    manual: bool,
    hours: i64,
    transactions: Vec<Transaction>,
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
    fn born(&self, t: usize, order: Option<u8>, pixel: bool, rejected: bool) -> Modelled {
        let held = self.manual || pixel;
        let (status, by, why) = if self.hours > WINDOW_HOURS {
            (Rejected, Some(System), Some("outside_window".to_owned()))
        } else if rejected {
            (Rejected, Some(Sender), Some("fraud".to_owned()))
        } else if held {
            (Pending, None, None)
        } else {
            (Approved, None, None)
        };
        Modelled {
            known: Known {
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

    fn unpark(&mut self, t: usize, nth: usize, key: Option<u8>) {
        if let Some(why) = self.transactions[t].parked.remove(&key) {
            moved(&mut self.transactions[t].conversions[nth], Rejected, Some(why), Sender, self.hours);
        }
    }

    fn convert(&mut self, t: usize, order: Option<u8>, basket: Option<u8>, rejected: bool) -> Code {
        let hours = self.hours;
        // What an equal request without an order id is known by.
        let print = (basket.unwrap_or(0) * 2) + u8::from(rejected);
        let conversions = &self.transactions[t].conversions;
        let found = match order {
            Some(order) => conversions.iter().position(|one| one.orders.contains(&order)),
            None => {
                let said = |one: &Modelled| {
                    one.said.iter().any(|(what, _)| *what == Some(print)) && hours - one.said_at < REPEAT_HOURS
                };
                conversions.iter().rposition(said)
            }
        };
        let waits = conversions.first().is_some_and(|first| first.known.pixel && !first.known.confirmed);
        if found.is_none() && waits {
            return self.confirm(t, order, print, rejected);
        }
        if found.is_some() || (!self.several && !conversions.is_empty()) {
            return Duplicate;
        }
        let mut one = self.born(t, order, false, rejected);
        one.orders.extend(order);
        if order.is_none() {
            one.said.push((Some(print), hours));
        }
        self.transactions[t].conversions.push(one);
        let nth = self.transactions[t].conversions.len() - 1;
        if order.is_some() {
            self.unpark(t, nth, order);
        }
        if nth == 0 {
            self.unpark(t, nth, None);
        }
        Recorded
    }

    fn confirm(&mut self, t: usize, order: Option<u8>, print: u8, rejected: bool) -> Code {
        let (hours, manual) = (self.hours, self.manual);
        let one = &mut self.transactions[t].conversions[0];
        let was = one.known.status;
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
            self.unpark(t, 0, order);
        }
        if was == Rejected { Duplicate } else { Confirmed }
    }

    fn pixel(&mut self, t: usize) -> Code {
        if !self.transactions[t].conversions.is_empty() {
            return Duplicate;
        }
        let one = self.born(t, None, true, false);
        self.transactions[t].conversions.push(one);
        self.unpark(t, 0, None);
        Recorded
    }

    fn targets(&self, t: usize, order: Option<u8>) -> Vec<usize> {
        let meant = |one: &Modelled| order.is_none() || one.known.order == order;
        let conversions = self.transactions[t].conversions.iter().enumerate();
        conversions.filter(|(_, one)| meant(one)).map(|(nth, _)| nth).collect()
    }

    fn reject(&mut self, t: usize, order: Option<u8>, why: String) -> Code {
        match self.targets(t, order)[..] {
            [] if self.hours > WINDOW_HOURS => ConversionNotFound,
            [] => {
                self.transactions[t].parked.insert(order, why);
                Parked
            }
            [nth] => moved(&mut self.transactions[t].conversions[nth], Rejected, Some(why), Sender, self.hours),
            [_, ..] => AmbiguousTarget,
        }
    }

    fn status(&mut self, t: usize, order: Option<u8>, to: Status) -> Code {
        match self.targets(t, order)[..] {
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

/// One history, played to both.
struct Play<'a> {
    bench: &'a Bench,
    model: Model,
    ids: Vec<TransactionId>,
    /// As they were recorded.
    conversions: Vec<Vec<ConversionId>>,
}

impl<'a> Play<'a> {
    fn new(bench: &'a Bench, history: &History) -> Self {
        bench.change_offer(|offer| {
            offer.duplicate_policy = match history.several {
                true => DuplicatePolicy::OnePerOrder,
                false => DuplicatePolicy::OnePerTransaction,
            };
            offer.switches.manual_approval = history.manual;
        });
        let transactions = (0..TRANSACTIONS).map(|_| Transaction::default()).collect();
        Self {
            bench,
            model: Model { several: history.several, manual: history.manual, hours: 0, transactions },
            ids: (0..TRANSACTIONS).map(|_| bench.mint()).collect(),
            conversions: vec![Vec::new(); TRANSACTIONS],
        }
    }

    fn query(&self, t: usize, order: Option<u8>) -> String {
        let order = order.map(|n| format!("&order_id=O{n}")).unwrap_or_default();
        format!("transaction_id={}{order}", self.ids[t])
    }

    async fn send(&mut self, door: Door, t: usize, query: String) -> Code {
        let answer = self.bench.send(door, &query).await;
        if answer.code == Recorded {
            self.conversions[t].extend(answer.conversion);
        }
        answer.code
    }

    /// What the server answers, and what the model would.
    async fn step(&mut self, step: Step) -> (Option<Code>, Option<Code>) {
        match step {
            Step::Click { t } => {
                self.bench.intake.settle_kept_click(self.bench.click(self.ids[t])).await.unwrap();
                self.model.click(t);
                (None, None)
            }
            Step::Wait { hours } => {
                self.bench.clock.advance_seconds(hours * 3600);
                self.model.hours += hours;
                (None, None)
            }
            Step::Convert { t, order, basket, rejected } => {
                let basket_sent = basket.map(|n| format!("&purchase_value={n}")).unwrap_or_default();
                let fraud = if rejected { "&third_party_rejected_reason=fraud" } else { "" };
                let query = format!("{}{basket_sent}{fraud}", self.query(t, order));
                let answered = self.send(Door::Postback, t, query).await;
                (Some(answered), Some(self.model.convert(t, order, basket, rejected)))
            }
            Step::Pixel { t } => {
                let answered = self.send(Door::Pixel, t, self.query(t, None)).await;
                (Some(answered), Some(self.model.pixel(t)))
            }
            Step::Reject { t, order, reason: n } => {
                let query = format!("{}&new_rejected_reason={}", self.query(t, order), reason(n));
                let answered = self.send(Door::Rejection, t, query.replace(' ', "+")).await;
                (Some(answered), Some(self.model.reject(t, order, reason(n))))
            }
            Step::Status { t, order, to } => {
                let query = format!("{}&status={}", self.query(t, order), to.as_str());
                (Some(self.send(Door::Status, t, query).await), Some(self.model.status(t, order, to)))
            }
            Step::Operator { t, nth, to, reason: n } => self.operate(t, nth, to, n).await,
        }
    }

    async fn operate(&mut self, t: usize, nth: usize, to: Status, n: u8) -> (Option<Code>, Option<Code>) {
        let Some(conversion) = self.conversions[t].get(nth).copied() else { return (None, None) };
        let why = (to == Rejected).then(|| reason(n));
        let change = OperatorChange {
            conversion,
            to,
            reason: why.clone(),
            note: None,
            actor: "op".into(),
            audit: audit(self.bench),
        };
        let outcome = self.bench.intake.settle_change(change).await.unwrap();
        let changed = match outcome {
            ChangeOutcome::Changed(..) => Some(StatusChanged),
            ChangeOutcome::NoChange(_) => Some(NoChange),
            ChangeOutcome::Forbidden(_) => Some(InvalidTransition),
            ChangeOutcome::NotFound => None,
        };
        let one = &mut self.model.transactions[t].conversions[nth];
        let same = moved(one, to, why, Operator, self.model.hours) == NoChange;
        let expected = if same { NoChange } else { StatusChanged };
        (changed, Some(expected))
    }

    async fn ends(&self) -> Vec<Vec<Known>> {
        let (mut tx, _) = self.bench.database.begin_read().await.unwrap();
        let mut ends = Vec::new();
        for ids in &self.conversions {
            let mut found = batch::conversions_by_ids(&mut tx, ids, false).await.unwrap();
            found.sort_by_key(|one| ids.iter().position(|id| *id == one.id));
            ends.push(found.iter().map(known).collect());
        }
        ends
    }
}

fn known(one: &Conversion) -> Known {
    Known {
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

async fn play(bench: &Bench, history: &History) -> Result<(), TestCaseError> {
    let mut play = Play::new(bench, history);
    for step in &history.steps {
        let (answered, expected) = play.step(*step).await;
        prop_assert_eq!(answered, expected, "{:?}", step);
    }
    let expected: Vec<Vec<Known>> = play
        .model
        .transactions
        .iter()
        .map(|transaction| transaction.conversions.iter().map(|one| one.known.clone()).collect())
        .collect();
    prop_assert_eq!(play.ends().await, expected);
    let report = verify(&bench.database).await.unwrap();
    prop_assert!(report.is_clean(), "{}", report);
    Ok(())
}

/// One database for all histories: each has transactions of its own.
fn every_history_ends_as_the_model_does(engine: Engine) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let bench = runtime.block_on(Bench::start(engine));
    let config = Config { cases: HISTORIES, max_shrink_iters: 200, failure_persistence: None, ..Config::default() };
    let run = TestRunner::new(config).run(&history(), |history| runtime.block_on(play(&bench, &history)));
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
