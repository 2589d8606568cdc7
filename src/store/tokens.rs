//! Secure tokens: rows in and out.
//!
//! What a row holds beyond [`SecureToken`] is for people (label, last use); nothing judges by it. Writes belong into
//! a control write: it runs alone, so the tokens of a scope that it has read are those that it decides about, and two
//! rotations at once cannot both find the overlap closed. The sealed text is read by itself, and only to be opened.

use std::collections::HashMap;

use entity::secure_token as row;
use sea_orm::sea_query::Expr;
use sea_orm::{
    ActiveModelTrait as _, ColumnTrait as _, Condition, ConnectionTrait, EntityTrait as _, IntoActiveModel as _,
};
use sea_orm::{QueryFilter as _, QueryOrder as _, QuerySelect as _, QueryTrait as _, Select};
use uuid::Uuid;

use super::columns::{Cell, write_networks};
use super::connect::Database;
use super::error::StoreError;
use super::page::{self, BoundedCount, Direction, Key, KeyKind, Order, Page, PageRequest, Sort};
use crate::domain::clock::Timestamp;
use crate::domain::ids::{OfferId, TokenId};
use crate::domain::secure_token::{Capabilities, SecureToken, TokenDigest, TokenScope, TokenState};

const TABLE: &str = "secure_token";

/// A token with what people see beside it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenView {
    pub token: SecureToken,
    /// `zjjH…xN95`: the ends of the secret.
    pub hint: String,
    pub label: Option<String>,
    pub created_at: Timestamp,
    /// The opaque id of an operator or a key, or `system`.
    pub created_by: String,
    pub revocation: Option<Revocation>,
    /// Written at most once a minute.
    pub last_used_at: Option<Timestamp>,
    /// A network, /24 or /48.
    pub last_used_address: Option<String>,
    pub last_dry_run_at: Option<Timestamp>,
    /// The token that a rotation made this one of.
    pub replaces: Option<TokenId>,
    /// The text is kept, sealed, and can be shown again.
    pub is_sealed: bool,
}

impl TokenView {
    /// As it stands in a masked URL: `rt_o_zjjH…xN95`; of an imported secret the hint alone.
    pub fn masked(&self) -> String {
        let prefix = match self.token.scope {
            _ if self.token.imported => "",
            TokenScope::Global => "rt_g_",
            TokenScope::Offer(_) => "rt_o_",
        };
        format!("{prefix}{}", self.hint)
    }
}

/// Who ended a token before its time, when and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revocation {
    pub at: Timestamp,
    /// The opaque id of an operator or a key, or `system`.
    pub by: String,
    pub reason: String,
}

/// Which tokens a list holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TokenFilter {
    /// `Some(true)`: global ones only; `Some(false)`: those of offers only.
    pub is_global: Option<bool>,
    pub offer: Option<OfferId>,
    /// Any of these, as they are at the time of the question; `None` for all.
    pub states: Option<Vec<TokenState>>,
}

/// The order of a list: by creation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TokenSort(pub Direction);

impl Sort for TokenSort {
    fn order(self) -> Order {
        Order { name: "token.created", direction: self.0, keys: &[KeyKind::Uuid] }
    }
}

/// A page of the tokens that `filter` holds at `now`.
///
/// # Errors
/// As of every read.
pub async fn list(
    database: &Database,
    filter: &TokenFilter,
    request: &PageRequest<TokenSort>,
    now: Timestamp,
) -> Result<Page<TokenView>, StoreError> {
    let columns = [Expr::col(row::Column::Id)];
    let keys = |row: &row::Model| vec![Key::Uuid(row.id)];
    let mut page = page::fetch(database.read(), select(filter, now), request, &columns, keys, view_from_row).await?;
    link(database, page.items.iter_mut().map(|item| &mut item.value)).await?;
    Ok(page)
}

/// How many tokens `filter` holds at `now`.
///
/// # Errors
/// As of every read.
pub async fn count(database: &Database, filter: &TokenFilter, now: Timestamp) -> Result<BoundedCount, StoreError> {
    page::count(database.read(), select(filter, now).into_query()).await
}

/// # Errors
/// As of every read.
pub async fn find(database: &Database, id: TokenId) -> Result<Option<TokenView>, StoreError> {
    Ok(find_many(database, &[id]).await?.pop())
}

/// Those that exist, the newest first.
///
/// # Errors
/// As of every read.
pub async fn find_many(database: &Database, ids: &[TokenId]) -> Result<Vec<TokenView>, StoreError> {
    let ids = ids.iter().map(|id| id.uuid());
    views(database, row::Entity::find().filter(row::Column::Id.is_in(ids))).await
}

/// The tokens of each of these offers that are in one of `states` at `now` (`None`: all), the newest first.
///
/// # Errors
/// As of every read.
pub async fn find_by_offers(
    database: &Database,
    offers: &[OfferId],
    states: Option<Vec<TokenState>>,
    now: Timestamp,
) -> Result<Vec<TokenView>, StoreError> {
    let filter = TokenFilter { is_global: Some(false), offer: None, states };
    let offers = offers.iter().map(|offer| offer.number());
    views(database, select(&filter, now).filter(row::Column::OfferId.is_in(offers))).await
}

/// The sealed text; `None` when there is no such token, or only its digest is kept.
///
/// # Errors
/// As of every read.
pub async fn find_sealed(database: &Database, id: TokenId) -> Result<Option<Vec<u8>>, StoreError> {
    let found = row::Entity::find_by_id(id.uuid()).one(database.read()).await?;
    Ok(found.and_then(|row| row.sealed))
}

/// Notes a dry run, for people who look whether a sender is set up.
///
/// # Errors
/// As of every write.
pub async fn mark_dry_run(database: &Database, id: TokenId, at: Timestamp) -> Result<(), StoreError> {
    let mark = row::Entity::update_many()
        .col_expr(row::Column::LastDryRunAt, Expr::value(at.as_millis()))
        .filter(row::Column::Id.eq(id.uuid()));
    database.side_write(Box::new(move |tx| Box::pin(async move { Ok(mark.exec(tx).await.map(|_| ())?) }))).await
}

/// A token as it is first written.
#[derive(Clone, Debug)]
pub(crate) struct NewToken {
    pub(crate) token: SecureToken,
    pub(crate) hint: String,
    pub(crate) label: Option<String>,
    pub(crate) sealed: Option<Vec<u8>>,
    pub(crate) created_at: Timestamp,
    pub(crate) created_by: String,
}

/// # Errors
/// `Taken` when a token of the same text is there, whatever its state.
pub(crate) async fn insert(transaction: &impl ConnectionTrait, new: NewToken) -> Result<(), StoreError> {
    let token = new.token;
    let row = row::Model {
        id: token.id.uuid(),
        digest: token.digest.as_bytes().to_vec(),
        sealed: new.sealed,
        hint: new.hint,
        label: new.label,
        scope: token.scope.as_str().to_owned(),
        offer_id: token.scope.offer().map(OfferId::number),
        capabilities: token.capabilities.bits(),
        retiring_until: token.retiring_until.map(Timestamp::as_millis),
        replaced_by: token.replaced_by.map(TokenId::uuid),
        allowed_addresses: write_networks(&token.allowed_addresses),
        lenient_status: token.lenient_status,
        imported: token.imported,
        created_at: new.created_at.as_millis(),
        created_by: new.created_by,
        revoked_at: None,
        revoked_by: None,
        revoke_reason: None,
        last_used_at: None,
        last_used_address: None,
        last_dry_run_at: None,
        version: token.version,
    };
    row::Entity::insert(row.into_active_model().reset_all()).exec_without_returning(transaction).await?;
    Ok(())
}

/// Writes the end, the successor and the version of `token`, which is one version on. `false` when the row is not of
/// the version before.
pub(crate) async fn update(transaction: &impl ConnectionTrait, token: &SecureToken) -> Result<bool, StoreError> {
    let done = row::Entity::update_many()
        .col_expr(row::Column::RetiringUntil, Expr::value(token.retiring_until.map(Timestamp::as_millis)))
        .col_expr(row::Column::ReplacedBy, Expr::value(token.replaced_by.map(TokenId::uuid)))
        .col_expr(row::Column::Version, Expr::value(token.version))
        .filter(row::Column::Id.eq(token.id.uuid()))
        .filter(row::Column::Version.eq(token.version.saturating_sub(1)))
        .exec(transaction)
        .await?;
    Ok(done.rows_affected == 1)
}

/// As [`update`], for a token that is revoked now. Its sealed text is wiped: nobody may copy it again.
pub(crate) async fn revoke(
    transaction: &impl ConnectionTrait,
    token: &SecureToken,
    revocation: &Revocation,
) -> Result<bool, StoreError> {
    let done = row::Entity::update_many()
        .col_expr(row::Column::RevokedAt, Expr::value(revocation.at.as_millis()))
        .col_expr(row::Column::RevokedBy, Expr::value(revocation.by.as_str()))
        .col_expr(row::Column::RevokeReason, Expr::value(revocation.reason.as_str()))
        .col_expr(row::Column::Sealed, Expr::value(None::<Vec<u8>>))
        .col_expr(row::Column::Version, Expr::value(token.version))
        .filter(row::Column::Id.eq(token.id.uuid()))
        .filter(row::Column::Version.eq(token.version.saturating_sub(1)))
        .exec(transaction)
        .await?;
    Ok(done.rows_affected == 1)
}

/// A token as a control write sees it.
pub(crate) async fn find_in(
    transaction: &impl ConnectionTrait,
    id: TokenId,
) -> Result<Option<SecureToken>, StoreError> {
    row::Entity::find_by_id(id.uuid()).one(transaction).await?.as_ref().map(from_row).transpose()
}

/// All tokens of a scope, in any state, as a control write sees them.
pub(crate) async fn siblings(
    transaction: &impl ConnectionTrait,
    scope: TokenScope,
) -> Result<Vec<SecureToken>, StoreError> {
    let own = match scope {
        TokenScope::Global => row::Column::OfferId.is_null(),
        TokenScope::Offer(offer) => row::Column::OfferId.eq(offer.number()),
    };
    row::Entity::find().filter(own).all(transaction).await?.iter().map(from_row).collect()
}

/// The token that a row means. Its state is not stored: a revocation, else an end, else active.
pub(crate) fn from_row(row: &row::Model) -> Result<SecureToken, StoreError> {
    let digest = TokenDigest::from_bytes(&row.digest).ok_or_else(|| Cell(TABLE, "digest").unreadable())?;
    let capabilities =
        Capabilities::from_bits(row.capabilities).ok_or_else(|| Cell(TABLE, "capabilities").unreadable())?;
    Ok(SecureToken {
        id: TokenId::from_uuid(row.id),
        digest,
        scope: scope(row)?,
        capabilities,
        state: state(row),
        retiring_until: retiring_until(row),
        allowed_addresses: Cell(TABLE, "allowed_addresses").networks(&row.allowed_addresses)?,
        lenient_status: row.lenient_status,
        imported: row.imported,
        version: row.version,
        replaced_by: row.replaced_by.map(TokenId::from_uuid),
    })
}

fn scope(row: &row::Model) -> Result<TokenScope, StoreError> {
    match (row.scope.as_str(), row.offer_id) {
        ("global", None) => Ok(TokenScope::Global),
        ("offer", Some(offer)) => Ok(TokenScope::Offer(Cell(TABLE, "offer_id").offer(offer)?)),
        _ => Err(Cell(TABLE, "scope").unreadable()),
    }
}

fn state(row: &row::Model) -> TokenState {
    if row.revoked_at.is_some() {
        TokenState::Revoked
    } else if row.retiring_until.is_some() {
        TokenState::Retiring
    } else {
        TokenState::Active
    }
}

/// A revoked token keeps its column, but has no end any more.
fn retiring_until(row: &row::Model) -> Option<Timestamp> {
    row.retiring_until.filter(|_| row.revoked_at.is_none()).map(Timestamp::from_millis)
}

/// `replaces` is filled in by [`link`].
fn view_from_row(row: row::Model) -> Result<TokenView, StoreError> {
    Ok(TokenView {
        token: from_row(&row)?,
        hint: row.hint,
        label: row.label,
        created_at: Timestamp::from_millis(row.created_at),
        created_by: row.created_by,
        revocation: row.revoked_at.map(|at| Revocation {
            at: Timestamp::from_millis(at),
            by: row.revoked_by.unwrap_or_default(),
            reason: row.revoke_reason.unwrap_or_default(),
        }),
        last_used_at: row.last_used_at.map(Timestamp::from_millis),
        last_used_address: row.last_used_address,
        last_dry_run_at: row.last_dry_run_at.map(Timestamp::from_millis),
        replaces: None,
        is_sealed: row.sealed.is_some(),
    })
}

async fn views(database: &Database, select: Select<row::Entity>) -> Result<Vec<TokenView>, StoreError> {
    let rows = select.order_by_desc(row::Column::Id).all(database.read()).await?;
    let mut views = rows.into_iter().map(view_from_row).collect::<Result<Vec<_>, _>>()?;
    link(database, views.iter_mut()).await?;
    Ok(views)
}

/// The link is written on the old token only: here it is followed backwards, for all of them in one question.
async fn link(database: &Database, views: impl Iterator<Item = &mut TokenView>) -> Result<(), StoreError> {
    let views: Vec<_> = views.collect();
    let ids: Vec<Uuid> = views.iter().map(|view| view.token.id.uuid()).collect();
    if ids.is_empty() {
        return Ok(());
    }
    let pairs: Vec<(Uuid, Uuid)> = row::Entity::find()
        .select_only()
        .column(row::Column::ReplacedBy)
        .column(row::Column::Id)
        .filter(row::Column::ReplacedBy.is_in(ids))
        .into_tuple()
        .all(database.read())
        .await?;
    let replaced: HashMap<Uuid, Uuid> = pairs.into_iter().collect();
    for view in views {
        view.replaces = replaced.get(&view.token.id.uuid()).copied().map(TokenId::from_uuid);
    }
    Ok(())
}

fn select(filter: &TokenFilter, now: Timestamp) -> Select<row::Entity> {
    // An empty list wants nothing; without the first condition it would be no condition at all.
    let nothing = || Condition::any().add(Expr::cust("1 = 0"));
    let states = |states: &Vec<TokenState>| states.iter().fold(nothing(), |any, state| any.add(is(*state, now)));
    row::Entity::find()
        .apply_if(filter.is_global, |select, global| {
            select.filter(if global { row::Column::OfferId.is_null() } else { row::Column::OfferId.is_not_null() })
        })
        .apply_if(filter.offer, |select, offer| select.filter(row::Column::OfferId.eq(offer.number())))
        .apply_if(filter.states.as_ref(), |select, wanted| select.filter(states(wanted)))
}

/// The same reading of the columns as [`state`] and `SecureToken::effective_state` have it.
fn is(state: TokenState, now: Timestamp) -> Condition {
    let (revoked, end) = (row::Column::RevokedAt, row::Column::RetiringUntil);
    let unrevoked = Condition::all().add(revoked.is_null());
    match state {
        TokenState::Active => unrevoked.add(end.is_null()),
        TokenState::Retiring => unrevoked.add(end.gt(now.as_millis())),
        TokenState::Retired => unrevoked.add(end.lte(now.as_millis())),
        TokenState::Revoked => Condition::all().add(revoked.is_not_null()),
    }
}
