//! Rules of outbound postbacks: rows in and out. A deleted one stays, because deliveries name it.

use std::collections::HashMap;

use entity::outbound as row;
use sea_orm::sea_query::Expr;
use sea_orm::{
    ActiveModelTrait as _, ColumnTrait as _, Condition, ConnectionTrait, EntityTrait as _, IntoActiveModel as _,
};
use sea_orm::{PaginatorTrait as _, QueryFilter as _, QueryTrait as _, Select};

use super::columns::Cell;
use super::connect::Database;
use super::error::StoreError;
use super::page::{self, BoundedCount, Direction, Key, KeyKind, Order, Page, PageRequest, Sort};
use super::{offers, publishers};
use crate::domain::clock::Timestamp;
use crate::domain::ids::{OfferId, OutboundPostbackId, PublisherId};
use crate::domain::outbound::{Method, Moment, OutboundPostback, OutboundTemplate, Signing};

const TABLE: &str = "outbound";

/// By name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutboundSort;

impl Sort for OutboundSort {
    fn order(self) -> Order {
        let keys = &[KeyKind::Text, KeyKind::Uuid];
        Order { name: "outbound.name", direction: Direction::Ascending, keys }
    }
}

/// Which rules a list holds; deleted ones are in none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OutboundFilter {
    /// Of this publisher only, not of any.
    pub publisher: Option<PublisherId>,
    /// Of this offer only, not of any.
    pub offer: Option<OfferId>,
    pub is_enabled: Option<bool>,
    /// Whether somebody should look at it: its tries fail, or it was switched off because they did.
    pub is_failing: Option<bool>,
}

pub async fn list(
    database: &Database,
    filter: &OutboundFilter,
    request: &PageRequest<OutboundSort>,
) -> Result<Page<OutboundPostback>, StoreError> {
    let columns = [Expr::col((row::Entity, row::Column::Name)), Expr::col((row::Entity, row::Column::Id))];
    let keys = |row: &row::Model| vec![Key::Text(row.name.clone()), Key::Uuid(row.id)];
    page::fetch(database.read(), select(filter), request, &columns, keys, from_row).await
}

pub async fn count(database: &Database, filter: &OutboundFilter) -> Result<BoundedCount, StoreError> {
    page::count(database.read(), select(filter).into_query()).await
}

/// Those of `ids` that were ever made, deleted ones too.
pub async fn find_many(
    database: &Database,
    ids: &[OutboundPostbackId],
) -> Result<HashMap<OutboundPostbackId, OutboundPostback>, StoreError> {
    let rows = row::Entity::find().filter(row::Column::Id.is_in(ids.iter().map(|id| id.uuid())));
    let rows = rows.all(database.read()).await?;
    rows.into_iter().map(|row| from_row(row).map(|rule| (rule.id, rule))).collect()
}

/// A rule as a control write sees it, a deleted one too.
pub(crate) async fn find_in(
    connection: &impl ConnectionTrait,
    id: OutboundPostbackId,
) -> Result<Option<OutboundPostback>, StoreError> {
    row::Entity::find_by_id(id.uuid()).one(connection).await?.map(from_row).transpose()
}

/// How many there are that are not deleted.
pub(crate) async fn count_in(connection: &impl ConnectionTrait) -> Result<u64, StoreError> {
    Ok(row::Entity::find().filter(row::Column::DeletedAt.is_null()).count(connection).await?)
}

/// All that are not deleted, for a snapshot.
pub(super) async fn find_all(connection: &impl ConnectionTrait) -> Result<Vec<OutboundPostback>, StoreError> {
    let rows = row::Entity::find().filter(row::Column::DeletedAt.is_null()).all(connection).await?;
    rows.into_iter().map(from_row).collect()
}

/// Which of the partners that a rule names are not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MissingPartners {
    pub publisher: bool,
    pub offer: bool,
}

pub(crate) async fn missing_partners(
    connection: &impl ConnectionTrait,
    publisher: Option<PublisherId>,
    offer: Option<OfferId>,
) -> Result<MissingPartners, StoreError> {
    let publisher = match publisher {
        Some(id) => publishers::find_in(connection, id).await?.is_none(),
        None => false,
    };
    let offer = match offer {
        Some(id) => offers::find_in(connection, id).await?.is_none(),
        None => false,
    };
    Ok(MissingPartners { publisher, offer })
}

pub(crate) async fn insert(connection: &impl ConnectionTrait, rule: &OutboundPostback) -> Result<(), StoreError> {
    let row = to_row(rule).into_active_model().reset_all();
    row::Entity::insert(row).exec_without_returning(connection).await?;
    Ok(())
}

/// Writes all of `rule`, which is one version on. `false` when the row is not of the version before.
pub(crate) async fn update(connection: &impl ConnectionTrait, rule: &OutboundPostback) -> Result<bool, StoreError> {
    let done = row::Entity::update_many()
        .set(to_row(rule).into_active_model().reset_all())
        .filter(row::Column::Id.eq(rule.id.uuid()))
        .filter(row::Column::Version.eq(rule.version.saturating_sub(1)))
        .exec(connection)
        .await?;
    Ok(done.rows_affected == 1)
}

/// Notes what the tries of a rule came to: a success ends its failing, a failure begins it. Rows that say so already
/// are left alone.
pub(super) async fn mark_tried(
    connection: &impl ConnectionTrait,
    rule: OutboundPostbackId,
    succeeded: bool,
    now: Timestamp,
) -> Result<(), StoreError> {
    let update = row::Entity::update_many().filter(row::Column::Id.eq(rule.uuid()));
    let update = if succeeded {
        update
            .col_expr(row::Column::FailingSince, Expr::value(Option::<i64>::None))
            .filter(row::Column::FailingSince.is_not_null())
    } else {
        update
            .col_expr(row::Column::FailingSince, Expr::value(now.as_millis()))
            .filter(row::Column::FailingSince.is_null())
    };
    update.exec(connection).await?;
    Ok(())
}

/// Rules that are on and have only failed since `before` or longer.
pub async fn find_failing(database: &Database, before: Timestamp) -> Result<Vec<OutboundPostback>, StoreError> {
    let rows = row::Entity::find()
        .filter(row::Column::FailingSince.lte(before.as_millis()))
        .filter(row::Column::IsEnabled.eq(true))
        .filter(row::Column::DeletedAt.is_null())
        .all(database.read())
        .await?;
    rows.into_iter().map(from_row).collect()
}

fn select(filter: &OutboundFilter) -> Select<row::Entity> {
    let mut select = row::Entity::find().filter(row::Column::DeletedAt.is_null());
    if let Some(publisher) = filter.publisher {
        select = select.filter(row::Column::PublisherId.eq(publisher.number()));
    }
    if let Some(offer) = filter.offer {
        select = select.filter(row::Column::OfferId.eq(offer.number()));
    }
    if let Some(is_enabled) = filter.is_enabled {
        select = select.filter(row::Column::IsEnabled.eq(is_enabled));
    }
    if let Some(is_failing) = filter.is_failing {
        select = select.filter(if is_failing { failing() } else { failing().not() });
    }
    select
}

/// One that somebody switched off by hand keeps what its last try came to, and troubles nobody.
fn failing() -> Condition {
    let by_hand = Condition::all().add(row::Column::IsEnabled.eq(false)).add(row::Column::DisabledReason.is_null());
    Condition::all().add(row::Column::FailingSince.is_not_null()).add(by_hand.not())
}

fn from_row(row: row::Model) -> Result<OutboundPostback, StoreError> {
    let moments = row.moments.split(',').map(|word| Cell(TABLE, "moments").word(word, Moment::parse));
    let events = row.events.split(',').filter(|number| !number.is_empty());
    let events = events.map(|number| Cell(TABLE, "events").word(number, |number| number.parse().ok()));
    let template = OutboundTemplate::parse(&row.url_template);
    Ok(OutboundPostback {
        id: OutboundPostbackId::from_uuid(row.id),
        name: row.name,
        is_enabled: row.is_enabled,
        disabled_reason: row.disabled_reason,
        publisher: row.publisher_id.map(|number| Cell(TABLE, "publisher_id").publisher(number)).transpose()?,
        offer: row.offer_id.map(|number| Cell(TABLE, "offer_id").offer(number)).transpose()?,
        moments: moments.collect::<Result<_, _>>()?,
        rejection_reasons: row.rejection_reasons.lines().map(str::to_owned).collect(),
        events: events.collect::<Result<_, _>>()?,
        method: Cell(TABLE, "method").word(&row.method, Method::parse)?,
        template: template.map_err(|error| StoreError::unreadable(TABLE, format!("url_template: {error}")))?,
        signature_parameter: row.signature_parameter,
        delay_seconds: row.delay_seconds,
        signing: Signing {
            hint: row.signing_hint,
            current: row.signing_sealed,
            previous: row.previous_sealed.zip(row.previous_until.map(Timestamp::from_millis)),
        },
        failing_since: row.failing_since.map(Timestamp::from_millis),
        version: row.version,
        created_at: Timestamp::from_millis(row.created_at),
        updated_at: Timestamp::from_millis(row.updated_at),
        deleted_at: row.deleted_at.map(Timestamp::from_millis),
    })
}

fn to_row(rule: &OutboundPostback) -> row::Model {
    let moments: Vec<&str> = rule.moments.iter().map(|moment| moment.as_str()).collect();
    let events: Vec<String> = rule.events.iter().map(i32::to_string).collect();
    row::Model {
        id: rule.id.uuid(),
        name: rule.name.clone(),
        is_enabled: rule.is_enabled,
        disabled_reason: rule.disabled_reason.clone(),
        publisher_id: rule.publisher.map(PublisherId::number),
        offer_id: rule.offer.map(OfferId::number),
        moments: moments.join(","),
        rejection_reasons: rule.rejection_reasons.join("\n"),
        events: events.join(","),
        method: rule.method.as_str().to_owned(),
        url_template: rule.template.as_str().to_owned(),
        signature_parameter: rule.signature_parameter.clone(),
        delay_seconds: rule.delay_seconds,
        signing_hint: rule.signing.hint.clone(),
        signing_sealed: rule.signing.current.clone(),
        previous_sealed: rule.signing.previous.as_ref().map(|(sealed, _)| sealed.clone()),
        previous_until: rule.signing.previous.as_ref().map(|(_, until)| until.as_millis()),
        failing_since: rule.failing_since.map(Timestamp::as_millis),
        version: rule.version,
        created_at: rule.created_at.as_millis(),
        updated_at: rule.updated_at.as_millis(),
        deleted_at: rule.deleted_at.map(Timestamp::as_millis),
    }
}
