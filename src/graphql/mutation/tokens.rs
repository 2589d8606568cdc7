//! Secure tokens, and the URLs that hold them.

use async_graphql::{Context, Object, Result};

use crate::{
    app::{
        create_token::create_token_once,
        end_token::set_token_end,
        postback_urls,
        reveal_token::reveal_token,
        revoke_token::revoke_token,
        rotate_token::{RotationRequest, rotate_token_once},
    },
    domain::ids::TokenId,
    graphql::{
        context::Find as _,
        guard::auth,
        id::Id,
        idempotency::once,
        scalars::DateTime,
        types::{
            payload::{RevealedUrlPayload, SecureTokenPayload},
            postback::PostbackUrlInput,
            token::{SecureTokenInput, SecureTokenRotateInput},
            words::Role,
        },
    },
};

#[derive(Default)]
pub struct TokenMutation;

#[Object]
impl TokenMutation {
    /// Makes a token, or takes over the secret of another system.
    #[graphql(directive = auth::apply(Role::Admin))]
    async fn secure_token_create(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What it is to be.")] input: SecureTokenInput,
        #[graphql(desc = "Any text of yours, up to 64 characters: the same call under it again does nothing again.")]
        idempotency_key: Option<String>,
    ) -> Result<Option<SecureTokenPayload>> {
        match (input.read(), once(ctx, idempotency_key.as_deref())?) {
            (Ok(request), Ok(once)) => {
                let done = create_token_once(ctx.app()?, ctx.principal()?, &request, once).await;
                SecureTokenPayload::of_issuance(done)
            }
            (Err(fault), _) | (_, Err(fault)) => Ok(Some(SecureTokenPayload::refused(vec![fault]))),
        }
    }

    /// Makes a token that follows another one, which works on for the overlap.
    #[graphql(directive = auth::apply(Role::Admin))]
    async fn secure_token_rotate(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The token that is followed.")] id: Id<TokenId>,
        #[graphql(desc = "Its version, as it was read.")] version: i32,
        #[graphql(desc = "How.")] input: Option<SecureTokenRotateInput>,
        #[graphql(desc = "Any text of yours, up to 64 characters: the same call under it again does nothing again.")]
        idempotency_key: Option<String>,
    ) -> Result<Option<SecureTokenPayload>> {
        let once = match once(ctx, idempotency_key.as_deref())? {
            Ok(once) => once,
            Err(fault) => return Ok(Some(SecureTokenPayload::refused(vec![fault]))),
        };
        let SecureTokenRotateInput { overlap_seconds, label, force } = input.unwrap_or_default();
        let request = RotationRequest { id: id.0, version, overlap_seconds, label, force };
        SecureTokenPayload::of_issuance(rotate_token_once(ctx.app()?, ctx.principal()?, &request, once).await)
    }

    /// Sets the first instant at which a token is refused.
    #[graphql(directive = auth::apply(Role::Admin))]
    async fn secure_token_set_end(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The token.")] id: Id<TokenId>,
        #[graphql(desc = "Its version, as it was read.")] version: i32,
        #[graphql(desc = "The first instant at which it is refused.")] retiring_until: DateTime,
    ) -> Result<Option<SecureTokenPayload>> {
        let done = set_token_end(ctx.app()?, ctx.principal()?, (id.0, version), retiring_until.0).await;
        SecureTokenPayload::of_token(done)
    }

    /// Ends a token at once.
    #[graphql(directive = auth::apply(Role::Admin))]
    async fn secure_token_revoke(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The token.")] id: Id<TokenId>,
        #[graphql(desc = "Why, for the audit trail.")] reason: String,
    ) -> Result<Option<SecureTokenPayload>> {
        SecureTokenPayload::of_token(revoke_token(ctx.app()?, ctx.principal()?, id.0, &reason).await)
    }

    /// Shows the text of a token. A mutation because it is audited and must never be cached.
    #[graphql(directive = auth::apply(Role::Manager))]
    async fn secure_token_reveal(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The token.")] id: Id<TokenId>,
    ) -> Result<Option<SecureTokenPayload>> {
        SecureTokenPayload::of_issued(reveal_token(ctx.app()?, ctx.principal()?, id.0).await)
    }

    /// Shows the whole text of a URL. A mutation because it is audited and must never be cached.
    #[graphql(directive = auth::apply(Role::Manager))]
    async fn postback_url_reveal(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which URL.")] input: PostbackUrlInput,
    ) -> Result<Option<RevealedUrlPayload>> {
        match input.read() {
            Ok(request) => {
                let done = postback_urls::reveal(ctx.app()?, ctx.principal()?, &request).await;
                RevealedUrlPayload::of(done, Into::into)
            }
            Err(fault) => Ok(Some(RevealedUrlPayload::refused(vec![fault]))),
        }
    }
}
