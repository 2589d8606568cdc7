//! What operators do to conversions. It goes the way of every tracking event, so that it is ordered among them.

use async_graphql::{Context, Object, Result};

use crate::{
    app::change_conversion::{reinstate_conversion, reject_conversion, set_conversion_status},
    domain::ids::ConversionId,
    graphql::{
        context::Find as _,
        guard::auth,
        id::Id,
        types::{
            payload::ConversionPayload,
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
    ) -> Result<Option<ConversionPayload>> {
        let done = reject_conversion(ctx.app()?, ctx.principal()?, id.0, &reason, note.as_deref()).await;
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
    ) -> Result<Option<ConversionPayload>> {
        let done = reinstate_conversion(ctx.app()?, ctx.principal()?, id.0, note.as_deref(), restore_previous).await;
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
}
