//! Who did it.

use async_graphql::{ComplexObject, Context, Result, SimpleObject};

use super::{
    operator::{ApiKey, Operator},
    token::SecureToken,
    words::{ActorKind, Role},
};
use crate::{
    domain::{
        audit::AuditEvent,
        conversion::Author,
        ids::{ApiKeyId, OperatorId, TokenId},
        status::Party,
    },
    graphql::{context::Find as _, guard::auth, scalars::IpAddress},
};

/// Who did something. The label is for people; one of the links is set at most, and none for the server itself.
#[derive(Clone, Debug, SimpleObject)]
#[graphql(complex)]
pub struct Actor {
    /// What it is.
    pub kind: ActorKind,
    /// The network that the request came from, /24 or /48, where it is kept.
    #[graphql(directive = auth::apply(Role::Manager))]
    pub ip: Option<IpAddress>,
    /// The opaque id of an operator, a key or a token, or `system`.
    #[graphql(skip)]
    id: String,
    /// As it was kept; without it, as it is now.
    #[graphql(skip)]
    label: Option<String>,
}

impl From<&Author> for Actor {
    fn from(author: &Author) -> Self {
        let kind = if ApiKeyId::parse(&author.actor).is_some() { ActorKind::ApiKey } else { author.party.into() };
        Self { kind, ip: None, id: author.actor.clone(), label: None }
    }
}

impl Actor {
    /// Who is meant by the opaque id in a row of control data.
    pub fn of_control(id: &str) -> Self {
        let kind = if ApiKeyId::parse(id).is_some() {
            ActorKind::ApiKey
        } else if OperatorId::parse(id).is_some() {
            Party::Operator.into()
        } else {
            Party::System.into()
        };
        Self { kind, ip: None, id: id.to_owned(), label: None }
    }

    /// Who is meant by an entry of the audit trail, as people knew them then.
    pub fn of_event(event: &AuditEvent) -> Self {
        let ip = event.address.clone().map(IpAddress);
        Self { ip, label: Some(event.actor_label.clone()), ..Self::of_control(&event.actor) }
    }

    async fn token(&self, ctx: &Context<'_>) -> Result<Option<SecureToken>> {
        match TokenId::parse(&self.id) {
            Some(id) => Ok(ctx.loaders()?.tokens.load(ctx, id).await?.map(SecureToken::from)),
            None => Ok(None),
        }
    }

    /// The name of an operator or a key, from memory.
    fn known_name(&self, ctx: &Context<'_>) -> Result<Option<String>> {
        let snapshot = ctx.snapshot()?;
        if let Some(id) = OperatorId::parse(&self.id) {
            return Ok(snapshot.operators.get(&id).map(|known| known.name.clone()));
        }
        let key = ApiKeyId::parse(&self.id);
        Ok(key.and_then(|id| snapshot.api_keys.values().find(|known| known.id == id)).map(|known| known.name.clone()))
    }
}

#[ComplexObject]
impl Actor {
    /// Its name; of a token its label or hint.
    async fn label(&self, ctx: &Context<'_>) -> Result<String> {
        if let Some(kept) = &self.label {
            return Ok(kept.clone());
        }
        if let Some(name) = self.known_name(ctx)? {
            return Ok(name);
        }
        Ok(self.token(ctx).await?.map_or_else(|| self.id.clone(), |token| token.name()))
    }

    /// The person, where it was one.
    #[graphql(directive = auth::apply(Role::Admin))]
    async fn operator(&self, ctx: &Context<'_>) -> Result<Option<Operator>> {
        Operator::load(ctx, OperatorId::parse(&self.id)).await
    }

    /// The key, where a program did it.
    #[graphql(directive = auth::apply(Role::Admin))]
    async fn api_key(&self, ctx: &Context<'_>) -> Result<Option<ApiKey>> {
        ApiKey::load(ctx, ApiKeyId::parse(&self.id)).await
    }

    /// The token that was used, where an advertiser's server did it.
    async fn secure_token(&self, ctx: &Context<'_>) -> Result<Option<SecureToken>> {
        self.token(ctx).await
    }
}
