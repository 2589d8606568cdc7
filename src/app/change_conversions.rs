//! What an operator does to many conversions at once: reject or reinstate up to 500 that are named, or all of a filter.
//!
//! Those that are named go through intake as one item, in one transaction, each judged by the same table as one alone;
//! all that can be changed are, or, if that is asked for, all or none. A filter becomes a job, which does the same a
//! hundred at a time. A dry run counts what would be changed and what it would do to the figures, on the rows of now, and
//! writes nothing; whoever then sends the number back as expected is refused when another number matches by then.

use std::collections::{BTreeMap, HashMap};

use serde::{Deserialize, Serialize};

use super::change_conversion::{REASON_CHARACTERS_MAX, forbidden, no_rejection, not_found, optional_note, text};
use super::form::sentence;
use super::idempotency::reused;
use super::jobs::change_conversions::start_job;
use super::{App, AppError, Outcome, UserError, UserErrorCode};
use crate::domain::audit::{AuditEvent, actor};
use crate::domain::clock::Timestamp;
use crate::domain::conversion::{Author, Conversion, Figures};
use crate::domain::idempotency::IdempotentCall;
use crate::domain::ids::{AuditEventId, ChangeId, ConversionId};
use crate::domain::job::Job;
use crate::domain::money::{Currency, Micros};
use crate::domain::operator::Principal;
use crate::domain::screening::{MoveRuling, rule_move};
use crate::domain::status::{Party, Status};
use crate::domain::transaction_id::TransactionId;
pub use crate::intake::ErrorPolicy;
use crate::intake::{ChangeOutcome, ChangesOutcome, KeyedCall, OperatorChange, OperatorChanges, Wish, effects};
use crate::store::conversions::{self, ConversionFilter, ConversionQuery, ConversionSort};
use crate::store::filter::TimeRange;
use crate::store::page::PageRequest;

/// Conversions that one call may name.
pub const NAMED_MAX: usize = 500;
/// Conversions of a filter that a dry run looks at, and up to which they are counted.
pub const DRY_RUN_MAX: u64 = 10_000;
/// Rows of one statement of a dry run.
const PAGE_ROWS: u64 = 1000;

/// Which conversions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Selection {
    Ids(Vec<ConversionId>),
    /// The base conversion of each.
    Transactions(Vec<String>),
    /// As a job.
    Filter(Box<ConversionFilter>),
}

/// What becomes of all of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum BulkWish {
    Reject {
        reason: String,
    },
    Reinstate {
        /// Back to the status before the last rejection; else Approved.
        restore_previous: bool,
    },
}

/// What is asked for.
#[derive(Clone, Debug)]
pub struct BulkRequest {
    pub selection: Selection,
    pub wish: BulkWish,
    pub note: Option<String>,
    pub policy: ErrorPolicy,
    /// With a filter: it still matches so many.
    pub expected_count: Option<i32>,
    pub dry_run: bool,
    /// False: no outbound postback tells of it.
    pub notify_publishers: bool,
}

/// What was done, or would be.
#[derive(Clone, Debug, Default)]
pub struct BulkDone {
    /// Those that were named, as they are now; of a dry run as they are.
    pub conversions: Vec<Conversion>,
    /// Of a filter.
    pub job: Option<Job>,
    pub matched: u64,
    pub changed: u64,
    pub unchanged: u64,
    /// By how much the figures of revenue and payout moved, in each currency.
    pub effect: BTreeMap<Currency, (Micros, Micros)>,
    /// What could not be changed, each with its index.
    pub faults: Vec<UserError>,
}

/// Rejects or reinstates many conversions.
///
/// # Errors
/// `Required`, `LimitExceeded` (selection), `Required` and `TooLong` (reason, note), `Invalid` (filter, policy),
/// `SelectionChanged`, `IdempotencyKeyReused`; with all or none, whatever hinders one of them.
pub async fn change_conversions(
    app: &App,
    principal: &Principal,
    request: BulkRequest,
    once: Option<IdempotentCall>,
) -> Outcome<BulkDone> {
    let request = match read(request) {
        Ok(request) => request,
        Err(faults) => return Ok(Err(faults)),
    };
    match &request.selection {
        Selection::Filter(filter) => of_filter(app, principal, &request, filter, once).await,
        Selection::Ids(_) | Selection::Transactions(_) => of_named(app, principal, &request, once).await,
    }
}

fn read(mut request: BulkRequest) -> Result<BulkRequest, Vec<UserError>> {
    let mut faults = Vec::new();
    let mut keep =
        |read: Result<String, UserError>| read.map_err(|fault| faults.push(inside(fault))).unwrap_or_default();
    if let BulkWish::Reject { reason } = &mut request.wish {
        *reason = keep(text("reason", reason, REASON_CHARACTERS_MAX));
    }
    match optional_note(request.note.as_deref()) {
        Ok(note) => request.note = note,
        Err(fault) => faults.push(inside(fault)),
    }
    let named = match &request.selection {
        Selection::Ids(ids) => Some(("ids", ids.len())),
        Selection::Transactions(ids) => Some(("transactionIds", ids.len())),
        Selection::Filter(_) => None,
    };
    let (code, message) = match named {
        Some((_, 0)) => (UserErrorCode::Required, "Name at least one.".to_owned()),
        Some((_, count)) if count > NAMED_MAX => {
            (UserErrorCode::LimitExceeded, format!("At most {NAMED_MAX} at once; a filter has no such limit."))
        }
        Some(_) => return if faults.is_empty() { Ok(request) } else { Err(faults) },
        None if request.policy == ErrorPolicy::RejectEverything => {
            let message = "A filter is worked through a hundred at a time, so all or none cannot be promised.";
            let fault = UserError::new(UserErrorCode::Invalid, &["input", "errorPolicy"], message);
            faults.push(fault.with_hint("Use SKIP_FAILED, or name up to 500."));
            return Err(faults);
        }
        None => return if faults.is_empty() { Ok(request) } else { Err(faults) },
    };
    let field = named.map_or("filter", |(field, _)| field);
    faults.push(UserError::new(code, &["input", "selection", field], message));
    Err(faults)
}

/// The path of a field inside `input`.
fn inside(fault: UserError) -> UserError {
    let field = std::iter::once("input".to_owned()).chain(fault.field).collect();
    UserError { field, ..fault }
}

/// One that was named: the conversion, or why there is none to be changed.
type Target = Result<(ConversionId, Wish), UserError>;

async fn of_named(
    app: &App,
    principal: &Principal,
    request: &BulkRequest,
    once: Option<IdempotentCall>,
) -> Outcome<BulkDone> {
    let found = find_named(app, &request.selection).await?;
    let targets = with_wishes(app, found, &request.wish).await?;
    if request.policy == ErrorPolicy::RejectEverything && targets.iter().any(Result::is_err) {
        return Ok(Err(numbered(targets.into_iter().map(Result::err), &request.selection)));
    }
    if request.dry_run {
        return foresee_named(app, request, &targets).await;
    }
    let by = By::of(app, principal, request);
    let changes = targets.iter().filter_map(|target| target.as_ref().ok());
    let changes = changes.map(|(id, wish)| by.change(app, *id, wish.clone(), request.note.clone())).collect();
    let once = once.map(|call| KeyedCall { call, answer: head_of(&targets) });
    let settled = app.intake.settle_changes(OperatorChanges { changes, policy: request.policy, once }).await;
    match settled? {
        ChangesOutcome::Done(outcomes) => Ok(Ok(done(request, &targets, &outcomes))),
        ChangesOutcome::Refused(outcomes) => {
            let mut outcomes = outcomes.iter();
            let faults = targets.iter().map(|target| match target {
                Ok((_, wish)) => outcomes.next().and_then(|outcome| fault_of(outcome, wish)),
                Err(fault) => Some(fault.clone()),
            });
            Ok(Err(numbered(faults, &request.selection)))
        }
        ChangesOutcome::Repeated(answer) => repeated(app, request, &answer).await,
        ChangesOutcome::OtherArguments => Ok(Err(vec![reused()])),
    }
}

/// The conversions that are named, in their order.
async fn find_named(app: &App, selection: &Selection) -> Result<Vec<Result<ConversionId, UserError>>, AppError> {
    let texts = match selection {
        Selection::Ids(ids) => return Ok(ids.iter().copied().map(Ok).collect()),
        Selection::Filter(_) => return Ok(Vec::new()),
        Selection::Transactions(texts) => texts,
    };
    let parsed: Vec<Option<TransactionId>> = texts.iter().map(|text| TransactionId::parse(text).ok()).collect();
    let known: Vec<TransactionId> = parsed.iter().flatten().copied().collect();
    let found = conversions::find_by_transactions(&app.database, &known).await?;
    let of = |id: &Option<TransactionId>| match id.and_then(|id| found.get(&id)).map(Vec::as_slice) {
        Some([one]) => Ok(*one),
        Some([]) | None => Err(not_found()),
        Some(several) => {
            let message = format!("This transaction has {} conversions: name the one by its id.", several.len());
            Err(UserError::new(UserErrorCode::Invalid, &[], message))
        }
    };
    Ok(parsed.iter().map(of).collect())
}

async fn with_wishes(
    app: &App,
    found: Vec<Result<ConversionId, UserError>>,
    wish: &BulkWish,
) -> Result<Vec<Target>, AppError> {
    let ids: Vec<ConversionId> = found.iter().flatten().copied().collect();
    let wishes = wishes(app, &ids, wish).await?;
    let of = |id: ConversionId| wishes.get(&id).cloned().unwrap_or_else(|| Err(not_found())).map(|wish| (id, wish));
    Ok(found.into_iter().map(|found| found.and_then(of)).collect())
}

/// What is asked for, for each of these; where their history decides, it is read. Those that are not there are left to
/// whoever settles them.
pub(super) async fn wishes(
    app: &App,
    ids: &[ConversionId],
    wish: &BulkWish,
) -> Result<HashMap<ConversionId, Result<Wish, UserError>>, AppError> {
    let all = |to: Status, reason: Option<&String>| {
        ids.iter().map(|id| (*id, Ok(Wish::Move { to, reason: reason.cloned() }))).collect()
    };
    match wish {
        BulkWish::Reject { reason } => Ok(all(Status::Rejected, Some(reason))),
        BulkWish::Reinstate { restore_previous: false } => Ok(all(Status::Approved, None)),
        BulkWish::Reinstate { restore_previous: true } => {
            let before = conversions::statuses_before_rejection(&app.database, ids).await?;
            let there = conversions::find_many(&app.database, ids).await?;
            let of = |id: ConversionId| match before.get(&id) {
                Some(to) => Ok(Wish::Move { to: *to, reason: None }),
                None => Err(no_rejection()),
            };
            Ok(there.into_iter().map(|listed| (listed.conversion.id, of(listed.conversion.id))).collect())
        }
    }
}

/// Who asks, for every entry of the audit trail.
pub(super) struct By {
    action: &'static str,
    actor: String,
    label: String,
    address: Option<String>,
    request_id: String,
    notify_publisher: bool,
}

impl By {
    fn of(app: &App, principal: &Principal, request: &BulkRequest) -> Self {
        let event = AuditEvent::new(principal, "", (&"", ""), Vec::new(), (&*app.clock, &*app.entropy));
        let AuditEvent { address, request_id, .. } = event;
        let (actor, label) = (actor(principal), principal.label.clone());
        let notify_publisher = request.notify_publishers;
        Self { action: request.wish.action(), actor, label, address, request_id, notify_publisher }
    }

    /// Whoever started a job; its id stands where the request's would.
    pub(super) fn job(job: &Job, wish: &BulkWish, notify_publisher: bool) -> Self {
        Self {
            action: wish.action(),
            actor: job.created_by.clone(),
            label: job.created_by_label.clone(),
            address: None,
            request_id: job.id.to_string(),
            notify_publisher,
        }
    }

    pub(super) fn change(&self, app: &App, id: ConversionId, wish: Wish, note: Option<String>) -> OperatorChange {
        let audit = AuditEvent {
            id: AuditEventId::mint(&*app.clock, &*app.entropy),
            at: app.clock.now(),
            actor: self.actor.clone(),
            actor_label: self.label.clone(),
            action: self.action.to_owned(),
            subject: id.to_string(),
            subject_label: id.to_string(),
            changes: Vec::new(),
            address: self.address.clone(),
            request_id: self.request_id.clone(),
        };
        let (actor, notify_publisher) = (self.actor.clone(), self.notify_publisher);
        OperatorChange { conversion: id, wish, note, actor, notify_publisher, audit }
    }
}

impl BulkWish {
    const fn action(&self) -> &'static str {
        match self {
            Self::Reject { .. } => "conversion.reject",
            Self::Reinstate { .. } => "conversion.reinstate",
        }
    }
}

fn done(request: &BulkRequest, targets: &[Target], outcomes: &[ChangeOutcome]) -> BulkDone {
    let mut settled = outcomes.iter();
    let mut all = BulkDone { effect: effects(outcomes), ..BulkDone::default() };
    let faults: Vec<_> = targets
        .iter()
        .map(|target| match target {
            Ok((_, wish)) => settled.next().and_then(|outcome| {
                all.count(outcome);
                fault_of(outcome, wish)
            }),
            Err(fault) => Some(fault.clone()),
        })
        .collect();
    all.faults = numbered(faults, &request.selection);
    all
}

impl BulkDone {
    fn count(&mut self, outcome: &ChangeOutcome) {
        match outcome {
            ChangeOutcome::Changed(conversion, _) => {
                self.changed = self.changed.saturating_add(1);
                self.conversions.push((**conversion).clone());
            }
            ChangeOutcome::NoChange(conversion) => {
                self.unchanged = self.unchanged.saturating_add(1);
                self.conversions.push((**conversion).clone());
            }
            ChangeOutcome::Forbidden(conversion) | ChangeOutcome::Stale(conversion) => {
                self.conversions.push((**conversion).clone());
            }
            ChangeOutcome::NotFound => return,
        }
        self.matched = self.matched.saturating_add(1);
    }
}

/// What the caller is told where a conversion could not be changed.
pub(super) fn fault_of(outcome: &ChangeOutcome, wish: &Wish) -> Option<UserError> {
    match outcome {
        ChangeOutcome::Changed(..) | ChangeOutcome::NoChange(_) => None,
        ChangeOutcome::Forbidden(conversion) | ChangeOutcome::Stale(conversion) => {
            Some(forbidden(conversion, super::change_conversion::wanted(wish)))
        }
        ChangeOutcome::NotFound => Some(not_found()),
    }
}

/// The faults with the place of what they are about.
fn numbered(faults: impl IntoIterator<Item = Option<UserError>>, selection: &Selection) -> Vec<UserError> {
    let name = match selection {
        Selection::Ids(_) => "ids",
        Selection::Transactions(_) => "transactionIds",
        Selection::Filter(_) => "filter",
    };
    let field = || ["input", "selection", name].map(str::to_owned).to_vec();
    let faults = faults.into_iter().enumerate();
    faults.filter_map(|(index, fault)| Some(UserError { index: Some(index), field: field(), ..fault? })).collect()
}

/// What has to be known to say the answer again: a line for each that was named, with its id or the code of its fault.
fn head_of(targets: &[Target]) -> String {
    let line = |target: &Target| match target {
        Ok((id, _)) => id.to_string(),
        Err(fault) => fault.code.as_str().to_owned(),
    };
    targets.iter().map(line).collect::<Vec<_>>().join(" ")
}

/// The answer of a call that was carried out before: its counts and faults as they were, its conversions as they are.
async fn repeated(app: &App, request: &BulkRequest, answer: &str) -> Outcome<BulkDone> {
    let damaged = || AppError::Internal("what is kept of a call cannot be read".to_owned());
    let mut lines = answer.lines();
    let (head, letters) = (lines.next().ok_or_else(damaged)?, lines.next().ok_or_else(damaged)?);
    let ids: Vec<ConversionId> = head.split(' ').filter_map(ConversionId::parse).collect();
    let found = conversions::find_many(&app.database, &ids).await?;
    let found: HashMap<ConversionId, Conversion> =
        found.into_iter().map(|listed| (listed.conversion.id, listed.conversion)).collect();
    let count = |letter: char| u64::try_from(letters.matches(letter).count()).unwrap_or(u64::MAX);
    let (changed, unchanged, failed) = (count('c'), count('n'), count('f'));
    let mut each = letters.chars();
    let faults = head.split(' ').map(|named| repeated_fault(named, || each.next()));
    let faults = numbered(faults.collect::<Vec<_>>(), &request.selection);
    Ok(Ok(BulkDone {
        conversions: ids.iter().filter_map(|id| found.get(id).cloned()).collect(),
        job: None,
        matched: changed.saturating_add(unchanged).saturating_add(failed),
        changed,
        unchanged,
        effect: lines.map(read_effect).collect::<Option<_>>().ok_or_else(damaged)?,
        faults,
    }))
}

/// What the first answer said of one that was named; `letter` tells what became of those that were found.
fn repeated_fault(named: &str, letter: impl FnOnce() -> Option<char>) -> Option<UserError> {
    if ConversionId::parse(named).is_none() {
        let code = UserErrorCode::parse(named).unwrap_or(UserErrorCode::Invalid);
        return Some(UserError::new(code, &[], "It could not be changed."));
    }
    letter().and_then(fault_told)
}

/// What is told of a change whose letter was kept; none where it was made, or was made already.
pub(super) fn fault_told(letter: char) -> Option<UserError> {
    match letter {
        'f' => Some(UserError::new(UserErrorCode::InvalidTransition, &[], "It could not become that.")),
        'm' => Some(not_found()),
        _ => None,
    }
}

fn read_effect(line: &str) -> Option<(Currency, (Micros, Micros))> {
    let mut parts = line.split(' ');
    let mut next = || parts.next();
    let currency = Currency::parse(next()?)?;
    let mut amount = || Some(Micros::from_i64(next()?.parse().ok()?));
    Some((currency, (amount()?, amount()?)))
}

async fn foresee_named(app: &App, request: &BulkRequest, targets: &[Target]) -> Outcome<BulkDone> {
    let ids: Vec<ConversionId> = targets.iter().flatten().map(|(id, _)| *id).collect();
    let found = conversions::find_many(&app.database, &ids).await?;
    let found: HashMap<ConversionId, Conversion> =
        found.into_iter().map(|listed| (listed.conversion.id, listed.conversion)).collect();
    let outcomes: Vec<ChangeOutcome> = targets
        .iter()
        .flatten()
        .map(|(id, wish)| found.get(id).map_or(ChangeOutcome::NotFound, |one| foresee(app, one, wish)))
        .collect();
    let would_be = done(request, targets, &outcomes);
    if request.policy == ErrorPolicy::RejectEverything && !would_be.faults.is_empty() {
        return Ok(Err(would_be.faults));
    }
    let conversions = ids.iter().filter_map(|id| found.get(id).cloned()).collect();
    Ok(Ok(BulkDone { conversions, ..would_be }))
}

/// What would become of a conversion as it is now.
fn foresee(app: &App, conversion: &Conversion, wish: &Wish) -> ChangeOutcome {
    let Wish::Move { to, reason } = wish else { return ChangeOutcome::NoChange(Box::new(conversion.clone())) };
    let now = app.clock.now();
    match rule_move(conversion, *to, reason.clone(), Party::Operator, now) {
        MoveRuling::NoChange => ChangeOutcome::NoChange(Box::new(conversion.clone())),
        MoveRuling::Forbidden => ChangeOutcome::Forbidden(Box::new(conversion.clone())),
        MoveRuling::Apply(_, transition) => {
            let mut after = conversion.clone();
            let author = Author { party: Party::Operator, actor: String::new(), receipt: None, at: now, note: None };
            let change = after.apply(ChangeId::mint(&*app.clock, &*app.entropy), *transition, author);
            ChangeOutcome::Changed(Box::new(after), Box::new(change))
        }
    }
}

async fn of_filter(
    app: &App,
    principal: &Principal,
    request: &BulkRequest,
    filter: &ConversionFilter,
    once: Option<IdempotentCall>,
) -> Outcome<BulkDone> {
    let now = app.clock.now();
    let field = &["input", "selection", "filter"];
    let filter =
        ConversionFilter { converted_at: Some(TimeRange::until_now(filter.converted_at, now)), ..filter.clone() };
    let counted = match conversions::count(&app.database, &filter, now).await? {
        Ok(counted) => counted,
        Err(refused) => return Ok(Err(vec![UserError::new(UserErrorCode::Invalid, field, sentence(&refused))])),
    };
    if let Some(expected) = request.expected_count {
        let is_same = counted.is_exact && u64::try_from(expected) == Ok(counted.value);
        if !is_same {
            let more = if counted.is_exact { "" } else { "more than " };
            let message = format!("The filter matches {more}{} conversions now, not {expected}.", counted.value);
            let fault = UserError::new(UserErrorCode::SelectionChanged, &["input", "expectedCount"], message);
            return Ok(Err(vec![fault.with_hint("Look at them again; what can be counted ends at 10 000.")]));
        }
    }
    if request.dry_run {
        if !counted.is_exact {
            let message = format!("A dry run looks at {DRY_RUN_MAX} conversions at most.");
            let fault = UserError::new(UserErrorCode::LimitExceeded, field, message);
            return Ok(Err(vec![fault.with_hint("Narrow the filter.")]));
        }
        return foresee_filter(app, request, &filter, now).await.map(Ok);
    }
    let total = counted.is_exact.then(|| i64::try_from(counted.value).unwrap_or(i64::MAX));
    let job = match start_job(app, principal, (filter, request), total, once).await? {
        Ok(job) => job,
        Err(faults) => return Ok(Err(faults)),
    };
    Ok(Ok(BulkDone { job: Some(job), matched: counted.value, ..BulkDone::default() }))
}

async fn foresee_filter(
    app: &App,
    request: &BulkRequest,
    filter: &ConversionFilter,
    now: Timestamp,
) -> Result<BulkDone, AppError> {
    let mut all = BulkDone::default();
    let mut sums: BTreeMap<Currency, Figures> = BTreeMap::new();
    let mut after: Option<String> = None;
    loop {
        let page = PageRequest::walk(ConversionSort::OLDEST, PAGE_ROWS, after.as_deref());
        let page = page.map_err(|refused| AppError::Internal(refused.to_string()))?;
        let query = ConversionQuery { filter: filter.clone(), page };
        let page = conversions::list(&app.database, &query, now).await?;
        let page = page.map_err(|refused| AppError::Internal(refused.to_string()))?;
        after = page.items.last().filter(|_| page.has_next).map(|item| item.cursor.clone());
        let rows: Vec<Conversion> = page.into_values().into_iter().map(|listed| listed.conversion).collect();
        let ids: Vec<ConversionId> = rows.iter().map(|row| row.id).collect();
        let wishes = wishes(app, &ids, &request.wish).await?;
        let outcomes: Vec<ChangeOutcome> = rows
            .iter()
            .map(|row| match wishes.get(&row.id) {
                Some(Ok(wish)) => foresee(app, row, wish),
                Some(Err(_)) | None => ChangeOutcome::Forbidden(Box::new(row.clone())),
            })
            .collect();
        outcomes.iter().for_each(|outcome| all.count(outcome));
        all.conversions.clear();
        for (currency, (revenue, payout)) in effects(&outcomes) {
            sums.entry(currency).or_default().add(Figures { revenue, payout, ..Figures::default() }, 1);
        }
        if after.is_none() {
            all.effect = sums.into_iter().map(|(currency, sum)| (currency, (sum.revenue, sum.payout))).collect();
            return Ok(all);
        }
    }
}
