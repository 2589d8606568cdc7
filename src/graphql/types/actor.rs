//! Who did it.

use async_graphql::{ComplexObject, Context, Result, SimpleObject};

use super::{token::SecureToken, words::ActorKind};
use crate::{
    domain::{
        conversion::Author,
        ids::{OperatorId, TokenId},
        status::Party,
    },
    graphql::context::Find as _,
};

/// Who did something. The label is for people.
#[derive(Clone, Debug, SimpleObject)]
#[graphql(complex)]
pub struct Actor {
    /// What it is.
    pub kind: ActorKind,
    /// The opaque id of an operator or a token, or `system`.
    #[graphql(skip)]
    id: String,
}

impl From<&Author> for Actor {
    fn from(author: &Author) -> Self {
        Self { kind: author.party.into(), id: author.actor.clone() }
    }
}

impl Actor {
    /// Who is meant by the opaque id in a row of control data.
    pub fn of_control(id: &str) -> Self {
        let party = if OperatorId::parse(id).is_some() { Party::Operator } else { Party::System };
        Self { kind: party.into(), id: id.to_owned() }
    }

    async fn token(&self, ctx: &Context<'_>) -> Result<Option<SecureToken>> {
        match TokenId::parse(&self.id) {
            Some(id) => Ok(ctx.loaders()?.tokens.load(ctx, id).await?.map(SecureToken::from)),
            None => Ok(None),
        }
    }
}

#[ComplexObject]
impl Actor {
    /// Its name; of a token its label or hint.
    async fn label(&self, ctx: &Context<'_>) -> Result<String> {
        if let Some(operator) = OperatorId::parse(&self.id) {
            let snapshot = ctx.snapshot()?;
            return Ok(snapshot.operators.get(&operator).map_or_else(|| self.id.clone(), |known| known.name.clone()));
        }
        Ok(self.token(ctx).await?.map_or_else(|| self.id.clone(), |token| token.name()))
    }

    /// The token that was used, where an advertiser's server did it.
    async fn secure_token(&self, ctx: &Context<'_>) -> Result<Option<SecureToken>> {
        self.token(ctx).await
    }
}
