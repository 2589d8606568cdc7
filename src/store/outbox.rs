//! The outbox: deliveries that wait, are on their way, or have ended, and every try of each.
//!
//! The write path inserts them (`batch::deliveries`); here they are claimed, ended, sent again and read. Several
//! servers share the work without knowing of each other. A claim is a lease: it moves the delivery's time to the end of
//! the lease, so a worker that dies gives back what it held by doing nothing, and one that comes back too late finds
//! another lease on the row and changes nothing. On PostgreSQL a claim skips what another one holds locked; on SQLite
//! it takes the one writer's turn.
//! Order: of one rule and one conversion the earlier change goes first. A delivery whose predecessor is still open is
//! put off; whoever ends the predecessor brings it back at once, and at the latest it looks again after a minute.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use entity::{conversion, conversion_change, delivery as row, delivery_attempt as attempt_row, outbound};
use sea_orm::sea_query::{Expr, ExprTrait as _, LockBehavior, LockType};
use sea_orm::{ActiveModelTrait as _, ColumnTrait as _, ConnectionTrait, DatabaseTransaction, EntityTrait as _};
use sea_orm::{FromQueryResult, IntoActiveModel as _, QueryFilter as _, QueryOrder as _, QuerySelect as _};
use sea_orm::{QueryTrait as _, Select};
use uuid::Uuid;

use super::columns::Cell;
use super::connect::Database;
use super::error::StoreError;
use super::filter::lowest_id;
use super::outbound::mark_tried;
use super::page::{self, Direction, Key, KeyKind, Order, Page, PageRequest, Sort};
use super::{conversions, outbound as rules};
use crate::domain::clock::Timestamp;
use crate::domain::conversion::{Change, Conversion};
use crate::domain::delivery::{Attempt, Delivery, DeliveryState, Next};
use crate::domain::ids::{ConversionId, DeliveryId, OutboundPostbackId};
use crate::domain::outbound::{Moment, OutboundPostback};

const TABLE: &str = "delivery";
/// A delivery that was put off behind its predecessor looks again after this time at the latest.
const LOOK_AGAIN_MILLIS: i64 = 60_000;
/// Rows of one transaction that closes or brings back many.
const BATCH_ROWS: u64 = 500;

/// How many deliveries of a rule a worker has room for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    pub rule: OutboundPostbackId,
    pub deliveries: u64,
}

/// Who takes deliveries, and until when they are his.
#[derive(Clone, Copy, Debug)]
pub struct Lease {
    pub id: Uuid,
    pub now: Timestamp,
    pub until: Timestamp,
}

/// A delivery that is on its way, with what it tells.
#[derive(Clone, Debug)]
pub struct Claimed {
    pub delivery: Delivery,
    pub conversion: Conversion,
    pub change: Change,
}

/// A try that has ended.
#[derive(Clone, Debug)]
pub struct Ended {
    pub delivery: DeliveryId,
    pub rule: OutboundPostbackId,
    pub conversion: ConversionId,
    /// Under which it was made.
    pub lease: Uuid,
    pub attempt: Attempt,
    pub next: Next,
}

/// When the earliest open delivery of every rule that is on is due. Costs one look at an index for each rule.
pub async fn due(database: &Database) -> Result<Vec<(OutboundPostbackId, Timestamp)>, StoreError> {
    #[derive(FromQueryResult)]
    struct Due {
        id: Uuid,
        due_at: Option<i64>,
    }
    let earliest = "(SELECT MIN(d.due_at) FROM delivery d WHERE d.outbound_id = outbound.id AND d.finished_at IS NULL)";
    let rules = outbound::Entity::find()
        .select_only()
        .column(outbound::Column::Id)
        .expr_as(Expr::cust(earliest), "due_at")
        .filter(outbound::Column::IsEnabled.eq(true))
        .filter(outbound::Column::DeletedAt.is_null());
    let rules = rules.into_model::<Due>().all(database.read()).await?;
    let known = |due: Due| due.due_at.map(|at| (OutboundPostbackId::from_uuid(due.id), Timestamp::from_millis(at)));
    Ok(rules.into_iter().filter_map(known).collect())
}

/// Takes what is due of each rule, as far as there is room, the earliest first.
pub async fn claim(database: &Database, rooms: Vec<Room>, lease: Lease) -> Result<Vec<Claimed>, StoreError> {
    database.side_write(Box::new(move |transaction| Box::pin(claim_in(transaction, rooms, lease)))).await
}

async fn claim_in(
    transaction: &DatabaseTransaction,
    rooms: Vec<Room>,
    lease: Lease,
) -> Result<Vec<Claimed>, StoreError> {
    let mut found = Vec::new();
    for room in rooms {
        let due = row::Entity::find()
            .filter(row::Column::OutboundId.eq(room.rule.uuid()))
            .filter(row::Column::FinishedAt.is_null())
            .filter(row::Column::DueAt.lte(lease.now.as_millis()))
            .order_by_asc(row::Column::DueAt)
            .limit(room.deliveries)
            .lock_with_behavior(LockType::Update, LockBehavior::SkipLocked);
        found.extend(due.all(transaction).await?);
    }
    let free = put_off(transaction, found, lease.now).await?;
    let ids: Vec<Uuid> = free.iter().map(|row| row.id).collect();
    row::Entity::update_many()
        .col_expr(row::Column::Lease, Expr::value(lease.id))
        .col_expr(row::Column::DueAt, Expr::value(lease.until.as_millis()))
        .col_expr(row::Column::Attempts, Expr::col(row::Column::Attempts).add(1))
        .col_expr(row::Column::Tries, Expr::col(row::Column::Tries).add(1))
        .col_expr(row::Column::AwaitsClick, Expr::value(false))
        .filter(row::Column::Id.is_in(ids))
        .exec(transaction)
        .await?;
    let taken = free.into_iter().map(|row| row::Model {
        attempts: row.attempts.saturating_add(1),
        tries: row.tries.saturating_add(1),
        due_at: lease.until.as_millis(),
        awaits_click: false,
        ..row
    });
    with_facts(transaction, taken.collect()).await
}

/// Those that nothing of their own conversion and rule comes before; the others look again later.
async fn put_off(
    transaction: &DatabaseTransaction,
    found: Vec<row::Model>,
    now: Timestamp,
) -> Result<Vec<row::Model>, StoreError> {
    let later = found.iter().filter(|row| row.change_number.is_some_and(|number| number > 1));
    let conversions: BTreeSet<Uuid> = later.filter_map(|row| row.conversion_id).collect();
    if conversions.is_empty() {
        return Ok(found);
    }
    let open = row::Entity::find()
        .filter(row::Column::ConversionId.is_in(conversions))
        .filter(row::Column::FinishedAt.is_null())
        .all(transaction)
        .await?;
    let mut free = Vec::with_capacity(found.len());
    for row in found {
        let same =
            |other: &&row::Model| other.conversion_id == row.conversion_id && other.outbound_id == row.outbound_id;
        let earlier = open.iter().filter(same).find(|other| other.change_number < row.change_number);
        let Some(earlier) = earlier else {
            free.push(row);
            continue;
        };
        // One that is claimed beside it here is due now, and is on its way after this.
        let again =
            earlier.due_at.clamp(now.plus_millis(1000).as_millis(), now.plus_millis(LOOK_AGAIN_MILLIS).as_millis());
        row::Entity::update_many()
            .col_expr(row::Column::DueAt, Expr::value(again))
            .filter(row::Column::Id.eq(row.id))
            .exec(transaction)
            .await?;
    }
    Ok(free)
}

/// Each with its conversion and its change; neither is ever deleted.
async fn with_facts(transaction: &DatabaseTransaction, rows: Vec<row::Model>) -> Result<Vec<Claimed>, StoreError> {
    let ids: BTreeSet<Uuid> = rows.iter().filter_map(|row| row.conversion_id).collect();
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let of = conversion::Entity::find().filter(conversion::Column::Id.is_in(ids.clone())).all(transaction).await?;
    let mut of: HashMap<Uuid, conversion::Model> = of.into_iter().map(|row| (row.id, row)).collect();
    let numbers: BTreeSet<i32> = rows.iter().filter_map(|row| row.change_number).collect();
    let changes = conversion_change::Entity::find()
        .filter(conversion_change::Column::ConversionId.is_in(ids))
        .filter(conversion_change::Column::Number.is_in(numbers))
        .all(transaction)
        .await?;
    let changes: HashMap<(Uuid, i32), conversion_change::Model> =
        changes.into_iter().map(|row| ((row.conversion_id, row.number), row)).collect();
    let mut claimed = Vec::with_capacity(rows.len());
    for row in rows {
        let missing = || StoreError::unreadable(TABLE, "a delivery without its change");
        let (id, number) = row.conversion_id.zip(row.change_number).ok_or_else(missing)?;
        let change = changes.get(&(id, number)).cloned().ok_or_else(missing)?;
        // Two deliveries of one conversion: the row is wanted twice.
        let conversion = of.get_mut(&id).cloned().ok_or_else(missing)?;
        claimed.push(Claimed {
            delivery: from_row(row)?,
            conversion: conversions::conversion(conversion)?,
            change: conversions::change(change)?,
        });
    }
    Ok(claimed)
}

/// Keeps what came of tries; each only moves its delivery if its lease still holds. Returns how many did not.
pub async fn end(database: &Database, ended: Vec<Ended>, now: Timestamp) -> Result<usize, StoreError> {
    database.side_write(Box::new(move |transaction| Box::pin(end_in(transaction, ended, now)))).await
}

async fn end_in(transaction: &DatabaseTransaction, ended: Vec<Ended>, now: Timestamp) -> Result<usize, StoreError> {
    let mut lost = 0;
    let mut finished: HashSet<ConversionId> = HashSet::new();
    for one in &ended {
        if !end_one(transaction, one, now).await? {
            lost += 1;
        } else if !matches!(one.next, Next::At(_)) {
            finished.insert(one.conversion);
        }
    }
    insert_attempts(transaction, ended.iter().map(|one| &one.attempt)).await?;
    let mut tried: BTreeMap<OutboundPostbackId, bool> = BTreeMap::new();
    for one in &ended {
        *tried.entry(one.rule).or_default() |= one.next == Next::Done;
    }
    for (rule, succeeded) in tried {
        mark_tried(transaction, rule, succeeded, now).await?;
    }
    bring_back_successors(transaction, finished, now).await?;
    Ok(lost)
}

async fn end_one(transaction: &DatabaseTransaction, one: &Ended, now: Timestamp) -> Result<bool, StoreError> {
    let (state, due_at) = match one.next {
        Next::Done => (DeliveryState::Succeeded, now),
        Next::GiveUp => (DeliveryState::GaveUp, now),
        Next::At(at) => (DeliveryState::Retrying, at),
    };
    let finished_at = (!state.is_open()).then(|| now.as_millis());
    let done = row::Entity::update_many()
        .col_expr(row::Column::State, Expr::value(state.as_str()))
        .col_expr(row::Column::DueAt, Expr::value(due_at.as_millis()))
        .col_expr(row::Column::FinishedAt, Expr::value(finished_at))
        .col_expr(row::Column::Lease, Expr::value(Option::<Uuid>::None))
        .filter(row::Column::Id.eq(one.delivery.uuid()))
        .filter(row::Column::Lease.eq(one.lease))
        .exec(transaction)
        .await?;
    Ok(done.rows_affected == 1)
}

/// What was put off behind a delivery that has ended goes now. Locked in the order of their ids: two servers that end
/// deliveries of the same conversions wait for each other and never in a ring.
async fn bring_back_successors(
    transaction: &DatabaseTransaction,
    conversions: HashSet<ConversionId>,
    now: Timestamp,
) -> Result<(), StoreError> {
    if conversions.is_empty() {
        return Ok(());
    }
    let waiting: Vec<Uuid> = row::Entity::find()
        .select_only()
        .column(row::Column::Id)
        .filter(row::Column::ConversionId.is_in(conversions.iter().map(|id| id.uuid())))
        .filter(row::Column::State.eq(DeliveryState::Pending.as_str()))
        .filter(row::Column::Attempts.eq(0))
        .filter(row::Column::AwaitsClick.eq(false))
        .filter(row::Column::ReadyAt.lte(now.as_millis()))
        .filter(row::Column::DueAt.gt(now.as_millis()))
        .order_by_asc(row::Column::Id)
        .lock_exclusive()
        .into_tuple()
        .all(transaction)
        .await?;
    if !waiting.is_empty() {
        row::Entity::update_many()
            .col_expr(row::Column::DueAt, Expr::col(row::Column::ReadyAt))
            .filter(row::Column::Id.is_in(waiting))
            .exec(transaction)
            .await?;
    }
    Ok(())
}

/// A test with the one try that it had.
pub(crate) async fn insert_test(
    transaction: &impl ConnectionTrait,
    delivery: &Delivery,
    attempt: &Attempt,
) -> Result<(), StoreError> {
    let row = to_row(delivery).into_active_model().reset_all();
    row::Entity::insert(row).exec_without_returning(transaction).await?;
    insert_attempts(transaction, std::iter::once(attempt)).await
}

async fn insert_attempts<'a>(
    transaction: &impl ConnectionTrait,
    attempts: impl Iterator<Item = &'a Attempt>,
) -> Result<(), StoreError> {
    let rows: Vec<_> = attempts.map(|attempt| attempt_to_row(attempt).into_active_model().reset_all()).collect();
    if !rows.is_empty() {
        attempt_row::Entity::insert_many(rows).exec_without_returning(transaction).await?;
    }
    Ok(())
}

/// Sends a delivery again at once, as if it were new; one that is on its way is left alone. `None` when there is none.
pub(crate) async fn send_again(
    transaction: &impl ConnectionTrait,
    id: DeliveryId,
    now: Timestamp,
) -> Result<Option<Delivery>, StoreError> {
    send_all_again(transaction, &[id.uuid()], now).await?;
    find_in(transaction, id).await
}

/// A delivery as a write sees it.
pub(crate) async fn find_in(connection: &impl ConnectionTrait, id: DeliveryId) -> Result<Option<Delivery>, StoreError> {
    row::Entity::find_by_id(id.uuid()).one(connection).await?.map(from_row).transpose()
}

/// Which ended deliveries of a rule are sent again.
#[derive(Clone, Debug)]
pub struct Again {
    pub rule: OutboundPostbackId,
    pub states: Vec<DeliveryState>,
    /// Those behind this one.
    pub after: Option<DeliveryId>,
    pub made_before: Timestamp,
}

/// Sends the next 500 of them again, oldest first; returns how many there were, and the last one where there may be more.
pub(crate) async fn send_batch_again(
    transaction: &DatabaseTransaction,
    wanted: Again,
    now: Timestamp,
) -> Result<(u64, Option<DeliveryId>), StoreError> {
    let states = wanted.states.iter().map(|state| state.as_str());
    let mut select = row::Entity::find()
        .select_only()
        .column(row::Column::Id)
        .filter(row::Column::OutboundId.eq(wanted.rule.uuid()))
        .filter(row::Column::ChangeNumber.is_not_null())
        .filter(row::Column::State.is_in(states))
        .filter(row::Column::Id.lt(lowest_id(wanted.made_before)));
    if let Some(after) = wanted.after {
        select = select.filter(row::Column::Id.gt(after.uuid()));
    }
    let ids: Vec<Uuid> = select.order_by_asc(row::Column::Id).limit(BATCH_ROWS).into_tuple().all(transaction).await?;
    let count = u64::try_from(ids.len()).unwrap_or(u64::MAX);
    let last = ids.last().copied().filter(|_| count == BATCH_ROWS).map(DeliveryId::from_uuid);
    send_all_again(transaction, &ids, now).await?;
    Ok((count, last))
}

async fn send_all_again(transaction: &impl ConnectionTrait, ids: &[Uuid], now: Timestamp) -> Result<u64, StoreError> {
    let done = row::Entity::update_many()
        .col_expr(row::Column::State, Expr::value(DeliveryState::Retrying.as_str()))
        .col_expr(row::Column::Tries, Expr::value(0))
        .col_expr(row::Column::DueAt, Expr::value(now.as_millis()))
        .col_expr(row::Column::FinishedAt, Expr::value(Option::<i64>::None))
        .col_expr(row::Column::Lease, Expr::value(Option::<Uuid>::None))
        .filter(row::Column::Id.is_in(ids.iter().copied()))
        .filter(row::Column::ChangeNumber.is_not_null())
        .filter(is_at_rest(now))
        .exec(transaction)
        .await?;
    Ok(done.rows_affected)
}

/// Nobody is sending it, as far as leases tell.
fn is_at_rest(now: Timestamp) -> Expr {
    row::Column::Lease.is_null().or(row::Column::DueAt.lte(now.as_millis()))
}

/// Ends deliveries of a rule that are still open, at most 500 of them; returns how many. One that is on its way ends by
/// itself.
pub(crate) async fn close_open(
    transaction: &impl ConnectionTrait,
    rule: OutboundPostbackId,
    state: DeliveryState,
    now: Timestamp,
) -> Result<u64, StoreError> {
    let ids: Vec<Uuid> = row::Entity::find()
        .select_only()
        .column(row::Column::Id)
        .filter(row::Column::OutboundId.eq(rule.uuid()))
        .filter(row::Column::FinishedAt.is_null())
        .filter(is_at_rest(now))
        .limit(BATCH_ROWS)
        .lock_with_behavior(LockType::Update, LockBehavior::SkipLocked)
        .into_tuple()
        .all(transaction)
        .await?;
    let closed = u64::try_from(ids.len()).unwrap_or(u64::MAX);
    if closed > 0 {
        row::Entity::update_many()
            .col_expr(row::Column::State, Expr::value(state.as_str()))
            .col_expr(row::Column::FinishedAt, Expr::value(now.as_millis()))
            .col_expr(row::Column::Lease, Expr::value(Option::<Uuid>::None))
            .filter(row::Column::Id.is_in(ids))
            .exec(transaction)
            .await?;
    }
    Ok(closed)
}

/// Rules that were deleted, or switched off by themselves, and still have open deliveries.
pub async fn rules_to_close(database: &Database) -> Result<Vec<OutboundPostback>, StoreError> {
    let has_open = "EXISTS (SELECT 1 FROM delivery d WHERE d.outbound_id = outbound.id AND d.finished_at IS NULL)";
    let switched_off = outbound::Column::IsEnabled.eq(false).and(outbound::Column::DisabledReason.is_not_null());
    let ids: Vec<Uuid> = outbound::Entity::find()
        .select_only()
        .column(outbound::Column::Id)
        .filter(outbound::Column::DeletedAt.is_not_null().or(switched_off))
        .filter(Expr::cust(has_open))
        .into_tuple()
        .all(database.read())
        .await?;
    let ids: Vec<OutboundPostbackId> = ids.into_iter().map(OutboundPostbackId::from_uuid).collect();
    Ok(rules::find_many(database, &ids).await?.into_values().collect())
}

/// Newest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NewestDelivery;

impl Sort for NewestDelivery {
    fn order(self) -> Order {
        Order { name: "delivery.newest", direction: Direction::Descending, keys: &[KeyKind::Uuid] }
    }
}

/// Whose deliveries a list holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeliveriesOf {
    Rule(OutboundPostbackId),
    Conversion(ConversionId),
}

pub async fn list(
    database: &Database,
    of: DeliveriesOf,
    states: Option<&[DeliveryState]>,
    request: &PageRequest<NewestDelivery>,
) -> Result<Page<Delivery>, StoreError> {
    let columns = [Expr::col((row::Entity, row::Column::Id))];
    page::fetch(database.read(), select(of, states), request, &columns, |row| vec![Key::Uuid(row.id)], from_row).await
}

pub async fn count(
    database: &Database,
    of: DeliveriesOf,
    states: Option<&[DeliveryState]>,
) -> Result<page::BoundedCount, StoreError> {
    page::count(database.read(), select(of, states).into_query()).await
}

/// Those of `ids` that are there.
pub async fn find_many(database: &Database, ids: &[DeliveryId]) -> Result<HashMap<DeliveryId, Delivery>, StoreError> {
    let rows = row::Entity::find().filter(row::Column::Id.is_in(ids.iter().map(|id| id.uuid())));
    let rows = rows.all(database.read()).await?;
    rows.into_iter().map(|row| from_row(row).map(|delivery| (delivery.id, delivery))).collect()
}

/// Every try of these deliveries, the first one first.
pub async fn attempts(
    database: &Database,
    ids: &[DeliveryId],
) -> Result<HashMap<DeliveryId, Vec<Attempt>>, StoreError> {
    let rows = attempt_row::Entity::find()
        .filter(attempt_row::Column::DeliveryId.is_in(ids.iter().map(|id| id.uuid())))
        .order_by_asc(attempt_row::Column::DeliveryId)
        .order_by_asc(attempt_row::Column::Number)
        .all(database.read())
        .await?;
    let mut attempts: HashMap<DeliveryId, Vec<Attempt>> = HashMap::new();
    for row in rows {
        attempts.entry(DeliveryId::from_uuid(row.delivery_id)).or_default().push(attempt_from_row(row));
    }
    Ok(attempts)
}

/// How many deliveries of each rule have ended that were made since then, and how many of them succeeded. Tests and
/// cancelled ones do not count.
pub async fn ended_since(
    database: &Database,
    rules: &[OutboundPostbackId],
    since: Timestamp,
) -> Result<HashMap<OutboundPostbackId, (i64, i64)>, StoreError> {
    #[derive(FromQueryResult)]
    struct Counted {
        outbound_id: Uuid,
        state: String,
        counted: i64,
    }
    let ended = [DeliveryState::Succeeded, DeliveryState::GaveUp].map(|state| state.as_str());
    let rows = row::Entity::find()
        .select_only()
        .column(row::Column::OutboundId)
        .column(row::Column::State)
        .expr_as(Expr::cust("COUNT(*)"), "counted")
        .filter(row::Column::OutboundId.is_in(rules.iter().map(|id| id.uuid())))
        .filter(row::Column::Id.gte(lowest_id(since)))
        .filter(row::Column::State.is_in(ended))
        .filter(row::Column::ChangeNumber.is_not_null())
        .group_by(row::Column::OutboundId)
        .group_by(row::Column::State)
        .into_model::<Counted>()
        .all(database.read())
        .await?;
    let mut counts: HashMap<OutboundPostbackId, (i64, i64)> = HashMap::new();
    for Counted { outbound_id, state, counted } in rows {
        let (succeeded, all) = counts.entry(OutboundPostbackId::from_uuid(outbound_id)).or_default();
        *all = all.saturating_add(counted);
        if state == DeliveryState::Succeeded.as_str() {
            *succeeded = succeeded.saturating_add(counted);
        }
    }
    Ok(counts)
}

fn select(of: DeliveriesOf, states: Option<&[DeliveryState]>) -> Select<row::Entity> {
    let select = match of {
        DeliveriesOf::Rule(rule) => row::Entity::find().filter(row::Column::OutboundId.eq(rule.uuid())),
        DeliveriesOf::Conversion(conversion) => {
            row::Entity::find().filter(row::Column::ConversionId.eq(conversion.uuid()))
        }
    };
    match states {
        Some(states) => select.filter(row::Column::State.is_in(states.iter().map(|state| state.as_str()))),
        None => select,
    }
}

fn from_row(row: row::Model) -> Result<Delivery, StoreError> {
    Ok(Delivery {
        id: DeliveryId::from_uuid(row.id),
        rule: OutboundPostbackId::from_uuid(row.outbound_id),
        conversion: row.conversion_id.map(ConversionId::from_uuid),
        change_number: row.change_number,
        moment: Cell(TABLE, "moment").word(&row.moment, Moment::parse)?,
        state: Cell(TABLE, "state").word(&row.state, DeliveryState::parse)?,
        attempts: row.attempts,
        tries: row.tries,
        awaits_click: row.awaits_click,
        created_at: Timestamp::from_millis(row.created_at),
        ready_at: Timestamp::from_millis(row.ready_at),
        due_at: Timestamp::from_millis(row.due_at),
        finished_at: row.finished_at.map(Timestamp::from_millis),
    })
}

fn to_row(delivery: &Delivery) -> row::Model {
    row::Model {
        id: delivery.id.uuid(),
        outbound_id: delivery.rule.uuid(),
        conversion_id: delivery.conversion.map(ConversionId::uuid),
        change_number: delivery.change_number,
        moment: delivery.moment.as_str().to_owned(),
        state: delivery.state.as_str().to_owned(),
        attempts: delivery.attempts,
        tries: delivery.tries,
        awaits_click: delivery.awaits_click,
        lease: None,
        created_at: delivery.created_at.as_millis(),
        ready_at: delivery.ready_at.as_millis(),
        due_at: delivery.due_at.as_millis(),
        finished_at: delivery.finished_at.map(Timestamp::as_millis),
    }
}

fn attempt_from_row(row: attempt_row::Model) -> Attempt {
    Attempt {
        delivery: DeliveryId::from_uuid(row.delivery_id),
        number: row.number,
        at: Timestamp::from_millis(row.at),
        duration_ms: row.duration_ms,
        url: row.url,
        body: row.body,
        response_status: row.response_status,
        response_body: row.response_body,
        error: row.error,
    }
}

fn attempt_to_row(attempt: &Attempt) -> attempt_row::Model {
    attempt_row::Model {
        delivery_id: attempt.delivery.uuid(),
        number: attempt.number,
        at: attempt.at.as_millis(),
        duration_ms: attempt.duration_ms,
        url: attempt.url.clone(),
        body: attempt.body.clone(),
        response_status: attempt.response_status,
        response_body: attempt.response_body.clone(),
        error: attempt.error.clone(),
    }
}
