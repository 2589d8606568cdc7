//! Who is asking, and whom.

use async_graphql::{ComplexObject, Context, Result, SimpleObject};

use super::words::Role;
use crate::{
    app::point_budget::Allowance,
    domain::{
        calendar::Zone,
        clock::Timestamp,
        ids::SessionId,
        operator::{self, Principal, PrincipalKind},
    },
    graphql::{
        connection::failed,
        context::Find as _,
        id::Id,
        scalars::{DateTime, TimeZone},
    },
    store::sessions,
};

/// What a signed-in caller is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, async_graphql::Enum)]
#[graphql(remote = "PrincipalKind")]
pub enum ViewerKind {
    /// A person.
    Operator,
    /// A key that acts for one.
    ApiKey,
}

/// Whoever asks.
#[derive(Clone, Debug, SimpleObject)]
#[graphql(complex)]
pub struct Viewer {
    /// The opaque id of the operator or the key.
    pub id: async_graphql::ID,
    /// What it is.
    pub kind: ViewerKind,
    /// Its name.
    pub name: String,
    /// What it may do.
    pub role: Role,
}

impl From<&Principal> for Viewer {
    fn from(principal: &Principal) -> Self {
        Self {
            id: crate::domain::audit::actor(principal).into(),
            kind: principal.kind.into(),
            name: principal.label.clone(),
            role: principal.role.into(),
        }
    }
}

#[ComplexObject]
impl Viewer {
    /// What they sign in with; null for an API key.
    async fn email(&self, ctx: &Context<'_>) -> Result<Option<String>> {
        Ok(person(ctx).await?.map(|person| person.email))
    }

    /// Their own time zone; null: that of the workspace.
    async fn timezone(&self, ctx: &Context<'_>) -> Result<Option<TimeZone>> {
        let zone = person(ctx).await?.and_then(|person| person.time_zone);
        Ok(zone.as_deref().and_then(Zone::parse).map(TimeZone))
    }

    /// What is left of their points of this minute, after this request.
    async fn rate_limit(&self, ctx: &Context<'_>) -> Result<RateLimit> {
        ctx.data::<Allowance>().map(RateLimit::from)
    }
}

/// The person who asks; none for an API key.
async fn person(ctx: &Context<'_>) -> Result<Option<operator::Operator>> {
    let principal = ctx.principal()?;
    let id = principal.operator.filter(|_| principal.kind == PrincipalKind::Operator);
    match id {
        Some(id) => Ok(ctx.loaders()?.operators.load(ctx, id).await?.map(|view| view.operator.clone())),
        None => Ok(None),
    }
}

/// How much of the admin API one operator or API key may use in a minute, in points: a document costs its selections.
#[derive(Clone, Copy, Debug, SimpleObject)]
pub struct RateLimit {
    /// Points of a minute.
    pub limit: u32,
    /// Of them, how many are left.
    pub remaining: u32,
    /// When all of them are there again.
    pub reset_at: DateTime,
    /// What this request cost.
    pub cost: u32,
}

impl From<&Allowance> for RateLimit {
    fn from(allowance: &Allowance) -> Self {
        let Allowance { limit, remaining, resets_at, cost } = *allowance;
        Self { limit, remaining, reset_at: resets_at.into(), cost }
    }
}

/// A sign-in that is not over: one browser.
#[derive(Clone, Debug, SimpleObject)]
pub struct Session {
    /// Opaque, stable, prefixed: ses_…
    pub id: Id<SessionId>,
    /// When they signed in.
    pub created_at: DateTime,
    /// When it was refreshed last.
    pub last_seen_at: DateTime,
    /// When it ends unless it is refreshed.
    pub expires_at: DateTime,
    /// It is the one of this request.
    pub current: bool,
}

impl Session {
    /// Those of whoever asks.
    pub async fn own(ctx: &Context<'_>) -> Result<Vec<Self>> {
        let principal = ctx.principal()?;
        let Some(owner) = principal.operator.filter(|_| principal.session.is_some()) else { return Ok(Vec::new()) };
        let live = sessions::list_live(ctx.database()?, owner, ctx.now()?).await.map_err(failed)?;
        let session = |session: crate::domain::session::Session| Self {
            id: Id(session.id),
            created_at: session.created_at.into(),
            last_seen_at: session.last_seen_at.into(),
            expires_at: session.expires_at.into(),
            current: principal.session == Some(session.id),
        };
        Ok(live.into_iter().map(session).collect())
    }
}

/// What is known of the server when it starts.
#[derive(Clone, Debug)]
pub struct ServerFacts {
    pub version: &'static str,
    /// `sqlite` or `postgres`.
    pub database: &'static str,
    pub started_at: Timestamp,
    /// BLAKE3 of the schema's text, 16 hexadecimal digits: a client sees when its copy is old.
    pub schema_hash: String,
}

/// The server that answers.
#[derive(Clone, Debug, SimpleObject)]
pub struct ServerInfo {
    /// Its version.
    pub version: String,
    /// A digest of this schema's text: another one means that the schema has changed.
    pub schema_hash: String,
    /// The engine that its data is on: sqlite or postgres.
    pub database: String,
    /// When it was started.
    pub started_at: DateTime,
    /// There is an operator.
    pub setup_complete: bool,
}
