//! Rules of outbound postbacks, and deliveries that are sent again.

use async_graphql::{Context, Object, Result};

use crate::{
    app::{
        jobs::retry_deliveries::retry_deliveries,
        manage_outbound::{create_outbound_once, delete_outbound, rotate_outbound_secret, update_outbound},
        retry_delivery::retry_delivery,
        try_outbound::send_test_outbound,
    },
    domain::ids::{ConversionId, DeliveryId, OutboundPostbackId},
    graphql::{
        context::Find as _,
        guard::auth,
        id::Id,
        idempotency::once,
        types::{
            outbound::OutboundPostbackInput,
            payload::{DeletePayload, DeliveryPayload, JobPayload, OutboundPostbackPayload},
            words::{DeliveryState, Role},
        },
    },
};

#[derive(Default)]
pub struct OutboundMutation;

#[Object]
impl OutboundMutation {
    /// Makes a rule of outbound postbacks. The secret that it signs with is in the answer, and nowhere else.
    #[graphql(directive = auth::apply(Role::Manager))]
    async fn outbound_postback_create(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What it is to be.")] postback: OutboundPostbackInput,
        #[graphql(desc = "Any text of yours, up to 64 characters: the same call under it again does nothing again.")]
        idempotency_key: Option<String>,
    ) -> Result<Option<OutboundPostbackPayload>> {
        let once = match once(ctx, idempotency_key.as_deref())? {
            Ok(once) => once,
            Err(fault) => return Ok(Some(OutboundPostbackPayload::refused(vec![fault]))),
        };
        let draft = postback.read();
        OutboundPostbackPayload::of(create_outbound_once(ctx.app()?, ctx.principal()?, &draft, once).await)
    }

    /// Changes a rule; what is not sent stays as it is. What still waits is sent as the rule is then.
    #[graphql(directive = auth::apply(Role::Manager))]
    async fn outbound_postback_update(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The rule.")] id: Id<OutboundPostbackId>,
        #[graphql(desc = "Its version, as it was read.")] version: i32,
        #[graphql(desc = "What changes.")] postback: OutboundPostbackInput,
    ) -> Result<Option<OutboundPostbackPayload>> {
        let draft = postback.read();
        OutboundPostbackPayload::of(update_outbound(ctx.app()?, ctx.principal()?, (id.0, version), &draft).await)
    }

    /// Deletes a rule and cancels what it still had to send.
    #[graphql(directive = auth::apply(Role::Manager))]
    async fn outbound_postback_delete(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The rule.")] id: Id<OutboundPostbackId>,
    ) -> Result<Option<DeletePayload>> {
        DeletePayload::of(delete_outbound(ctx.app()?, ctx.principal()?, id.0).await, Into::into)
    }

    /// Gives a rule a new secret, which is in the answer. The old one signs beside it for a time.
    #[graphql(directive = auth::apply(Role::Manager))]
    async fn outbound_postback_secret_rotate(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The rule.")] id: Id<OutboundPostbackId>,
        #[graphql(
            desc = "How long the old secret signs too: 24 hours by default, 30 days at most; 0 ends it at once."
        )]
        overlap_seconds: Option<i32>,
    ) -> Result<Option<OutboundPostbackPayload>> {
        let done = rotate_outbound_secret(ctx.app()?, ctx.principal()?, id.0, overlap_seconds).await;
        OutboundPostbackPayload::of(done)
    }

    /// Sends a test, once, and waits for its answer: about a conversion, or with made-up values.
    #[graphql(directive = auth::apply(Role::Manager))]
    async fn outbound_postback_send_test(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The rule.")] id: Id<OutboundPostbackId>,
        #[graphql(desc = "The conversion that it is about; made-up values where it is not sent.")]
        conversion_id: Option<Id<ConversionId>>,
    ) -> Result<Option<DeliveryPayload>> {
        let conversion = conversion_id.map(|id| id.0);
        DeliveryPayload::of(send_test_outbound(ctx.app()?, ctx.principal()?, id.0, conversion).await, Into::into)
    }

    /// Sends a delivery again at once, with all of its tries and under the same webhook-id.
    #[graphql(directive = auth::apply(Role::Manager))]
    async fn delivery_retry(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The delivery.")] id: Id<DeliveryId>,
        #[graphql(desc = "Any text of yours, up to 64 characters: the same call under it again does nothing again.")]
        idempotency_key: Option<String>,
    ) -> Result<Option<DeliveryPayload>> {
        let once = match once(ctx, idempotency_key.as_deref())? {
            Ok(once) => once,
            Err(fault) => return Ok(Some(DeliveryPayload::refused(vec![fault]))),
        };
        DeliveryPayload::of(retry_delivery(ctx.app()?, ctx.principal()?, id.0, once).await, Into::into)
    }

    /// Sends the ended deliveries of a rule again: a job that brings them back, as deliveryRetry does with one.
    #[graphql(directive = auth::apply(Role::Manager))]
    async fn deliveries_retry(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The rule.")] postback_id: Id<OutboundPostbackId>,
        #[graphql(desc = "In any of these states: GAVE_UP where none are sent.")] states: Option<Vec<DeliveryState>>,
        #[graphql(desc = "Any text of yours, up to 64 characters: the same call under it again does nothing again.")]
        idempotency_key: Option<String>,
    ) -> Result<Option<JobPayload>> {
        let once = match once(ctx, idempotency_key.as_deref())? {
            Ok(once) => once,
            Err(fault) => return Ok(Some(JobPayload::refused(vec![fault]))),
        };
        let states = states.map(|states| states.into_iter().map(Into::into).collect());
        let done = retry_deliveries(ctx.app()?, ctx.principal()?, postback_id.0, states, once).await;
        JobPayload::of(done, Into::into)
    }
}
