//! What operators do to conversions. It goes the way of every tracking event, so that it is ordered among them.

use async_graphql::{Context, Object, Result};

use crate::{
    app::{
        change_conversion::{
            AmountsDraft, Aside, add_note, amend_conversion, reinstate_conversion, reject_conversion,
            set_conversion_status,
        },
        change_conversions::{BulkRequest, Selection, change_conversions},
    },
    domain::ids::ConversionId,
    graphql::{
        context::Find as _,
        guard::auth,
        id::Id,
        idempotency::once,
        types::{
            bulk::{ConversionsPayload, ConversionsReinstateInput, ConversionsRejectInput},
            conversion::ConversionAmendInput,
            payload::{ConversionPayload, user_errors},
            words::{ConversionStatus, Role},
        },
    },
};

#[derive(Default)]
pub struct ConversionMutation;

#[Object]
impl ConversionMutation {
    /// Rejects a conversion. A rejection always wins: there is no version that could be stale.
    #[graphql(directive = auth::apply(Role::Manager))]
    async fn conversion_reject(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The conversion.")] id: Id<ConversionId>,
        #[graphql(desc = "Why; the publisher may see it.")] reason: String,
        #[graphql(desc = "For people in the network only.")] note: Option<String>,
        #[graphql(default = true, desc = "False: no outbound postback tells of it.")] notify_publisher: bool,
    ) -> Result<Option<ConversionPayload>> {
        let aside = Aside { note: note.as_deref(), notify_publisher };
        let done = reject_conversion(ctx.app()?, ctx.principal()?, id.0, &reason, aside).await;
        ConversionPayload::of(done)
    }

    /// Makes a conversion Approved, from Rejected or Pending.
    #[graphql(directive = auth::apply(Role::Manager))]
    async fn conversion_reinstate(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The conversion.")] id: Id<ConversionId>,
        #[graphql(desc = "For people in the network only.")] note: Option<String>,
        #[graphql(default = false, desc = "Undo: back to the status before the last rejection.")]
        restore_previous: bool,
        #[graphql(default = true, desc = "False: no outbound postback tells of it.")] notify_publisher: bool,
    ) -> Result<Option<ConversionPayload>> {
        let aside = Aside { note: note.as_deref(), notify_publisher };
        let done = reinstate_conversion(ctx.app()?, ctx.principal()?, id.0, aside, restore_previous).await;
        ConversionPayload::of(done)
    }

    /// Gives a conversion a status. Where that is REJECTED the note is the reason, and the publisher may see it.
    #[graphql(directive = auth::apply(Role::Manager))]
    async fn conversion_status_set(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The conversion.")] id: Id<ConversionId>,
        #[graphql(desc = "The status.")] status: ConversionStatus,
        #[graphql(desc = "Why.")] note: String,
    ) -> Result<Option<ConversionPayload>> {
        let done = set_conversion_status(ctx.app()?, ctx.principal()?, id.0, status.into(), &note).await;
        ConversionPayload::of(done)
    }

    /// Puts the amounts of a conversion right; those that are not sent stay. The figures move by the difference.
    #[graphql(directive = auth::apply(Role::Manager))]
    async fn conversion_amend(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The conversion.")] id: Id<ConversionId>,
        #[graphql(desc = "Its version, as it was read.")] version: i32,
        #[graphql(desc = "What is right, and why.")] input: ConversionAmendInput,
    ) -> Result<Option<ConversionPayload>> {
        let draft: AmountsDraft = input.read();
        ConversionPayload::of(amend_conversion(ctx.app()?, ctx.principal()?, (id.0, version), &draft).await)
    }

    /// Notes something in a conversion's history, for people in the network only.
    #[graphql(directive = auth::apply(Role::Manager))]
    async fn conversion_note_add(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The conversion.")] id: Id<ConversionId>,
        #[graphql(desc = "What is to be known.")] note: String,
    ) -> Result<Option<ConversionPayload>> {
        ConversionPayload::of(add_note(ctx.app()?, ctx.principal()?, id.0, &note).await)
    }

    /// Rejects many conversions: up to 500 that are named, at once, or all of a filter, as a job.
    #[graphql(directive = auth::apply(Role::Manager))]
    async fn conversions_reject(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which, and why.")] input: ConversionsRejectInput,
        #[graphql(desc = "Any text of yours, up to 64 characters: the same call under it again does nothing again.")]
        idempotency_key: Option<String>,
    ) -> Result<Option<ConversionsPayload>> {
        many(ctx, input.read(ctx)?, idempotency_key.as_deref()).await
    }

    /// Reinstates many conversions: up to 500 that are named, at once, or all of a filter, as a job.
    #[graphql(directive = auth::apply(Role::Manager))]
    async fn conversions_reinstate(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which, and to what.")] input: ConversionsReinstateInput,
        #[graphql(desc = "Any text of yours, up to 64 characters: the same call under it again does nothing again.")]
        idempotency_key: Option<String>,
    ) -> Result<Option<ConversionsPayload>> {
        many(ctx, input.read(ctx)?, idempotency_key.as_deref()).await
    }
}

async fn many(ctx: &Context<'_>, request: BulkRequest, key: Option<&str>) -> Result<Option<ConversionsPayload>> {
    let is_named = match &request.selection {
        Selection::Ids(_) | Selection::Transactions(_) => true,
        Selection::Filter(_) => false,
    };
    let once = match once(ctx, key)? {
        Ok(once) => once,
        Err(fault) => {
            return Ok(Some(ConversionsPayload { user_errors: user_errors(vec![fault]), ..Default::default() }));
        }
    };
    ConversionsPayload::of(change_conversions(ctx.app()?, ctx.principal()?, request, once).await, is_named)
}
