//! Advertisers and publishers.

use async_graphql::{Context, Object, Result};

use crate::{
    app::manage_partners::{create_advertiser_once, create_publisher_once, update_advertiser, update_publisher},
    domain::ids::{AdvertiserId, PublisherId},
    graphql::{
        context::Find as _,
        guard::auth,
        id::Id,
        idempotency::once,
        types::{
            partner::{Advertiser, PartnerInput, Publisher},
            payload::{AdvertiserPayload, PublisherPayload},
            words::Role,
        },
    },
};

#[derive(Default)]
pub struct PartnerMutation;

#[Object]
impl PartnerMutation {
    /// Makes an advertiser.
    #[graphql(directive = auth::apply(Role::Manager))]
    async fn advertiser_create(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What it is to be.")] advertiser: PartnerInput,
        #[graphql(desc = "Any text of yours, up to 64 characters: the same call under it again does nothing again.")]
        idempotency_key: Option<String>,
    ) -> Result<Option<AdvertiserPayload>> {
        let once = match once(ctx, idempotency_key.as_deref())? {
            Ok(once) => once,
            Err(fault) => return Ok(Some(AdvertiserPayload::refused(vec![fault]))),
        };
        let done = create_advertiser_once(ctx.app()?, ctx.principal()?, &advertiser.read(), once).await;
        AdvertiserPayload::of(done, |advertiser| Advertiser::from(&advertiser))
    }

    /// Changes an advertiser; what is not sent stays as it is.
    #[graphql(directive = auth::apply(Role::Manager))]
    async fn advertiser_update(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The advertiser.")] id: Id<AdvertiserId>,
        #[graphql(desc = "Its version, as it was read.")] version: i32,
        #[graphql(desc = "What changes.")] advertiser: PartnerInput,
    ) -> Result<Option<AdvertiserPayload>> {
        let done = update_advertiser(ctx.app()?, ctx.principal()?, (id.0, version), &advertiser.read()).await;
        AdvertiserPayload::of(done, |advertiser| Advertiser::from(&advertiser))
    }

    /// Makes a publisher.
    #[graphql(directive = auth::apply(Role::Manager))]
    async fn publisher_create(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What it is to be.")] publisher: PartnerInput,
        #[graphql(desc = "Any text of yours, up to 64 characters: the same call under it again does nothing again.")]
        idempotency_key: Option<String>,
    ) -> Result<Option<PublisherPayload>> {
        let once = match once(ctx, idempotency_key.as_deref())? {
            Ok(once) => once,
            Err(fault) => return Ok(Some(PublisherPayload::refused(vec![fault]))),
        };
        let done = create_publisher_once(ctx.app()?, ctx.principal()?, &publisher.read(), once).await;
        PublisherPayload::of(done, |publisher| Publisher::from(&publisher))
    }

    /// Changes a publisher; what is not sent stays as it is.
    #[graphql(directive = auth::apply(Role::Manager))]
    async fn publisher_update(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The publisher.")] id: Id<PublisherId>,
        #[graphql(desc = "Its version, as it was read.")] version: i32,
        #[graphql(desc = "What changes.")] publisher: PartnerInput,
    ) -> Result<Option<PublisherPayload>> {
        let done = update_publisher(ctx.app()?, ctx.principal()?, (id.0, version), &publisher.read()).await;
        PublisherPayload::of(done, |publisher| Publisher::from(&publisher))
    }
}
