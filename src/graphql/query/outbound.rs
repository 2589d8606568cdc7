//! Rules of outbound postbacks, and what they would send.

use async_graphql::{Context, Object, Result};

use crate::{
    app::{UserErrorCode, try_outbound::preview_outbound},
    domain::ids::{ConversionId, OfferId, OutboundPostbackId, PublisherId},
    graphql::{
        connection::{Window, page_cost},
        context::Find as _,
        error,
        guard::auth,
        id::Id,
        types::{
            outbound::{OutboundPostback, OutboundPostbackConnection, OutboundPreview},
            payload::outcome,
            words::Role,
        },
    },
    store::outbound::OutboundFilter,
};

#[derive(Default)]
pub struct OutboundQuery;

#[Object]
impl OutboundQuery {
    /// Rules of outbound postbacks, by name.
    #[graphql(complexity = "page_cost(first, last, child_complexity)")]
    #[expect(clippy::too_many_arguments, reason = "the arguments of a field are those of its method")]
    async fn outbound_postbacks(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Of this publisher alone.")] publisher_id: Option<Id<PublisherId>>,
        #[graphql(desc = "Of this offer alone.")] offer_id: Option<Id<OfferId>>,
        #[graphql(desc = "Those that fire, or those that do not.")] enabled: Option<bool>,
        #[graphql(desc = "Those whose tries fail, or that were switched off for it; or the others.")] failing: Option<
            bool,
        >,
        #[graphql(desc = "From the beginning: 1 to 200, 50 where neither first nor last is sent.")] first: Option<i32>,
        #[graphql(desc = "After this cursor.")] after: Option<String>,
        #[graphql(desc = "From the end: 1 to 200, not beside first.")] last: Option<i32>,
        #[graphql(desc = "Before this cursor.")] before: Option<String>,
    ) -> Result<OutboundPostbackConnection> {
        let filter = OutboundFilter {
            publisher: publisher_id.map(|id| id.0),
            offer: offer_id.map(|id| id.0),
            is_enabled: enabled,
            is_failing: failing,
        };
        OutboundPostbackConnection::read(ctx, filter, &Window { first, after, last, before }).await
    }

    /// One rule of outbound postbacks, a deleted one too; null when there is none.
    async fn outbound_postback(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Its id.")] id: Id<OutboundPostbackId>,
    ) -> Result<Option<OutboundPostback>> {
        OutboundPostback::load(ctx, id.0).await
    }

    /// What a rule would send about a conversion, unsigned; null when one of the two is not there. Nothing is sent.
    #[graphql(directive = auth::apply(Role::Manager))]
    async fn outbound_postback_preview(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The rule.")] id: Id<OutboundPostbackId>,
        #[graphql(desc = "The conversion.")] conversion_id: Id<ConversionId>,
    ) -> Result<Option<OutboundPreview>> {
        match outcome(preview_outbound(ctx.app()?, id.0, conversion_id.0).await)? {
            Ok(message) => Ok(Some(message.into())),
            Err(faults) if faults.iter().all(|fault| fault.code == UserErrorCode::NotFound) => Ok(None),
            Err(faults) => {
                let said: Vec<String> = faults.into_iter().map(|fault| fault.message).collect();
                Err(error::bad_user_input(said.join(" ")))
            }
        }
    }
}
