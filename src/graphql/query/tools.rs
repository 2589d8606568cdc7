//! What is built and tried: links, URLs, explanations.

use async_graphql::{Context, Object, Result};

use crate::{
    app::{explain_postback::explain_postback, postback_urls, replay_receipts::explain_replay},
    domain::{ids::ReceiptId, operator, secure_token::TokenScope},
    graphql::{
        context::Find as _,
        error,
        guard::auth,
        id::Id,
        scalars::IpAddress,
        types::{
            explanation::PostbackExplanation,
            payload::outcome,
            postback::{PostbackParam, PostbackUrls, TrackingLink, TrackingLinkInput, first_fault},
            words::{PostbackKind, Role},
        },
    },
};

#[derive(Default)]
pub struct ToolsQuery;

#[Object]
impl ToolsQuery {
    /// The URLs that are good for every offer.
    async fn global_postback(&self) -> PostbackUrls {
        PostbackUrls::of(TokenScope::Global)
    }

    /// Every parameter that a URL of this kind may have.
    async fn postback_parameters(
        &self,
        #[graphql(desc = "What is reported.")] kind: PostbackKind,
    ) -> Vec<PostbackParam> {
        postback_urls::parameters(kind.into()).into_iter().map(Into::into).collect()
    }

    /// Builds a tracking link; nothing is written. A test link needs MANAGER.
    async fn tracking_link(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What it is for.")] input: TrackingLinkInput,
    ) -> Result<TrackingLink> {
        if input.test && !ctx.principal()?.role.includes(operator::Role::Manager) {
            return Err(error::forbidden(operator::Role::Manager));
        }
        TrackingLink::build(ctx, input)
    }

    /// Runs every check on a pasted URL of ours, on whatever host it is, and writes nothing.
    #[graphql(directive = auth::apply(Role::Manager))]
    async fn postback_explain(
        &self,
        ctx: &Context<'_>,
        #[graphql(secret, desc = "The whole URL, with its secret. It is kept nowhere.")] url: String,
        #[graphql(desc = "Where it would come from; the caller's own address where it is not sent.")] source_ip: Option<
            IpAddress,
        >,
    ) -> Result<Option<PostbackExplanation>> {
        let address = source_ip.and_then(|ip| ip.address()).or(ctx.principal()?.address);
        match outcome(explain_postback(ctx.app()?, &url, address).await)? {
            Ok(explained) => PostbackExplanation::of(ctx, explained).await.map(Some),
            Err(faults) => Err(first_fault(faults)),
        }
    }

    /// What a refused request would come to if it were sent again from its receipt now. Nothing is written.
    #[graphql(directive = auth::apply(Role::Manager))]
    async fn receipt_replay_explain(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The receipt.")] id: Id<ReceiptId>,
    ) -> Result<Option<PostbackExplanation>> {
        match outcome(explain_replay(ctx.app()?, id.0).await)? {
            Ok(explained) => PostbackExplanation::of(ctx, explained).await.map(Some),
            Err(faults) => Err(first_fault(faults)),
        }
    }
}
