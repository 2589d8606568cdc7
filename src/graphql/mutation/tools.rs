//! What is tried.

use async_graphql::{Context, Object, Result};

use crate::{
    app::send_test::{TestRequest, send_test},
    domain::ids::{OfferId, PublisherId},
    graphql::{
        context::Find as _,
        guard::auth,
        id::Id,
        types::{
            payload::PostbackTestPayload,
            postback::{UrlParamInput, read_params},
            words::{PostbackKind, Role},
        },
    },
};

#[derive(Default)]
pub struct ToolsMutation;

#[Object]
impl ToolsMutation {
    /// Makes a test click and sends a request about it through every check. What it leaves is marked as a test and
    /// counts in no figure. A rejection or a change of status gets its conversion first.
    #[graphql(directive = auth::apply(Role::Manager))]
    async fn postback_send_test(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The offer.")] offer_id: Id<OfferId>,
        #[graphql(desc = "Whose visit it is; where it is not sent, the first publisher that may work for the offer.")]
        publisher_id: Option<Id<PublisherId>>,
        #[graphql(
            desc = "What is reported. Not CLICKLESS: nothing would mark it as a test.",
            default_with = "PostbackKind::Conversion"
        )]
        kind: PostbackKind,
        #[graphql(desc = "Parameters of the request beside the secret and the transaction id, as they are.")]
        params: Option<Vec<UrlParamInput>>,
    ) -> Result<Option<PostbackTestPayload>> {
        let request = TestRequest {
            offer: offer_id.0,
            publisher: publisher_id.map(|id| id.0),
            kind: kind.into(),
            params: read_params(params),
        };
        PostbackTestPayload::of(ctx, send_test(ctx.app()?, ctx.principal()?, &request).await).await
    }
}
