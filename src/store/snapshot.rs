//! Control data as one value: everything that a [`Snapshot`] holds, read in one state of the database.
//!
//! One unreadable row fails the whole load: a snapshot with an offer left out would refuse its clicks as unknown.
//! The server then keeps the snapshot that it has.

use entity::{api_key, config_version, operator, secure_token, tracking_domain};
use sea_orm::{ColumnTrait as _, ConnectionTrait, EntityTrait as _, QueryFilter as _, QuerySelect as _};

use super::connect::Database;
use super::error::StoreError;
use super::{
    advertisers, api_keys, domains, foreign_clicks, offers, operators, outbound, publishers, sessions, settings, tokens,
};
use crate::domain::ids::OperatorId;
use crate::domain::secure_token::TokenDigest;
use crate::domain::snapshot::Snapshot;

/// Reads all control data in one transaction.
pub async fn load(database: &Database) -> Result<Snapshot, StoreError> {
    database.consistent_read(Box::new(|transaction| Box::pin(load_in(transaction)))).await
}

/// What `config_version` is now.
pub async fn version(database: &Database) -> Result<i64, StoreError> {
    version_in(database.read()).await
}

/// Is there a token with this digest, in any state?
pub async fn knows_token(database: &Database, digest: &TokenDigest) -> Result<bool, StoreError> {
    let token = secure_token::Entity::find().select_only().column(secure_token::Column::Capabilities);
    let token = token.filter(secure_token::Column::Digest.eq(digest.as_bytes().to_vec())).limit(1);
    let found: Option<i16> = token.into_tuple().one(database.read()).await?;
    Ok(found.is_some())
}

/// Is there an API key with this digest, in any state?
pub async fn knows_key(database: &Database, digest: &TokenDigest) -> Result<bool, StoreError> {
    let key = api_key::Entity::find().select_only().column(api_key::Column::Hint);
    let key = key.filter(api_key::Column::Digest.eq(digest.as_bytes().to_vec())).limit(1);
    let found: Option<String> = key.into_tuple().one(database.read()).await?;
    Ok(found.is_some())
}

async fn load_in(transaction: &impl ConnectionTrait) -> Result<Snapshot, StoreError> {
    let tokens = secure_token::Entity::find().all(transaction).await?;
    let domains = tracking_domain::Entity::find().all(transaction).await?;
    let operators = operator::Entity::find().all(transaction).await?;
    Ok(Snapshot {
        version: version_in(transaction).await?,
        offers: offers::find_all(transaction).await?,
        publishers: publishers::find_all(transaction).await?,
        advertisers: advertisers::find_all(transaction).await?,
        tokens: tokens.iter().map(|row| tokens::from_row(row).map(|t| (t.digest, t))).collect::<Result<_, _>>()?,
        domains: domains
            .into_iter()
            .map(|row| domains::from_row(row).map(|domain| (domain.host.clone(), domain)))
            .collect::<Result<_, _>>()?,
        outbound: outbound::find_all(transaction).await?.into_iter().collect(),
        operators: operators
            .iter()
            .map(|row| operators::access_from_row(row).map(|access| (OperatorId::from_uuid(row.id), access)))
            .collect::<Result<_, _>>()?,
        api_keys: api_keys::find_access(transaction).await?.into_iter().collect(),
        revoked_sessions: sessions::list_revoked(transaction).await?.into_iter().collect(),
        has_foreign_clicks: foreign_clicks::any_in(transaction).await?,
        settings: settings::load_in(transaction).await?,
    })
}

async fn version_in(connection: &impl ConnectionTrait) -> Result<i64, StoreError> {
    let found = config_version::Entity::find_by_id(1_i16).one(connection).await?;
    found.map(|row| row.version).ok_or_else(|| StoreError::unreadable("config_version", "no row"))
}
