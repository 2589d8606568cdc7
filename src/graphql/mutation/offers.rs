//! Offers, their publishers and rates.

use async_graphql::{Context, Object, Result};

use crate::{
    app::{
        manage_offers::{
            archive_offer, create_offer_once, set_offer_publishers, set_publisher_rate, unarchive_offer, update_offer,
        },
        offer_events::set_offer_events,
    },
    domain::ids::{OfferId, PublisherId},
    graphql::{
        context::Find as _,
        guard::auth,
        id::{self, Id},
        idempotency::once,
        types::{
            money::PriceInput,
            offer::{Offer, OfferEventInput, OfferInput},
            payload::OfferPayload,
            words::Role,
        },
    },
};

#[derive(Default)]
pub struct OfferMutation;

#[Object]
impl OfferMutation {
    /// Makes an offer.
    #[graphql(directive = auth::apply(Role::Manager))]
    async fn offer_create(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What it is to be.")] offer: OfferInput,
        #[graphql(desc = "Any text of yours, up to 64 characters: the same call under it again does nothing again.")]
        idempotency_key: Option<String>,
    ) -> Result<Option<OfferPayload>> {
        let once = match once(ctx, idempotency_key.as_deref())? {
            Ok(once) => once,
            Err(fault) => return Ok(Some(OfferPayload::refused(vec![fault]))),
        };
        let done = create_offer_once(ctx.app()?, ctx.principal()?, offer.read(), once).await;
        OfferPayload::of(done, |offer| Offer::from(&offer))
    }

    /// Changes an offer; what is not sent stays as it is.
    #[graphql(directive = auth::apply(Role::Manager))]
    async fn offer_update(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The offer.")] id: Id<OfferId>,
        #[graphql(desc = "Its version, as it was read.")] version: i32,
        #[graphql(desc = "What changes.")] offer: OfferInput,
    ) -> Result<Option<OfferPayload>> {
        OfferPayload::of(update_offer(ctx.app()?, ctx.principal()?, (id.0, version), offer.read()).await, |offer| {
            Offer::from(&offer)
        })
    }

    /// Archives an offer: it takes neither clicks nor conversions any more.
    #[graphql(directive = auth::apply(Role::Manager))]
    async fn offer_archive(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The offer.")] id: Id<OfferId>,
    ) -> Result<Option<OfferPayload>> {
        OfferPayload::of(archive_offer(ctx.app()?, ctx.principal()?, id.0).await, |offer| Offer::from(&offer))
    }

    /// Brings an offer back from the archive, paused.
    #[graphql(directive = auth::apply(Role::Manager))]
    async fn offer_unarchive(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The offer.")] id: Id<OfferId>,
    ) -> Result<Option<OfferPayload>> {
        OfferPayload::of(unarchive_offer(ctx.app()?, ctx.principal()?, id.0).await, |offer| Offer::from(&offer))
    }

    /// Sets a publisher's own payout on an offer, or ends it.
    #[graphql(directive = auth::apply(Role::Manager))]
    async fn publisher_rate_set(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "On which offer.")] offer_id: Id<OfferId>,
        #[graphql(desc = "Whose.")] publisher_id: Id<PublisherId>,
        #[graphql(desc = "What it is paid; the offer's own payout where it is not sent.")] payout: Option<PriceInput>,
    ) -> Result<Option<OfferPayload>> {
        let payout = payout.map(PriceInput::draft);
        OfferPayload::of(
            set_publisher_rate(ctx.app()?, ctx.principal()?, (offer_id.0, publisher_id.0), payout.as_ref()).await,
            |offer| Offer::from(&offer),
        )
    }

    /// Chooses who may promote an offer, where its access is CHOSEN_PUBLISHERS.
    #[graphql(directive = auth::apply(Role::Manager))]
    async fn offer_publishers_set(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The offer.")] id: Id<OfferId>,
        #[graphql(desc = "Its version, as it was read.")] version: i32,
        #[graphql(desc = "All of them.")] publisher_ids: Vec<Id<PublisherId>>,
    ) -> Result<Option<OfferPayload>> {
        let publishers = id::all(publisher_ids);
        OfferPayload::of(
            set_offer_publishers(ctx.app()?, ctx.principal()?, (id.0, version), publishers).await,
            |offer| Offer::from(&offer),
        )
    }

    /// Sets which later results than the conversion an offer pays for. One that is left out is removed: nothing new is
    /// recorded for it, and what was recorded keeps its number, name and money.
    #[graphql(directive = auth::apply(Role::Manager))]
    async fn offer_events_set(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The offer.")] id: Id<OfferId>,
        #[graphql(desc = "Its version, as it was read.")] version: i32,
        #[graphql(desc = "All of them, 50 at most.")] events: Vec<OfferEventInput>,
    ) -> Result<Option<OfferPayload>> {
        let events: Vec<_> = events.into_iter().map(OfferEventInput::read).collect();
        OfferPayload::of(set_offer_events(ctx.app()?, ctx.principal()?, (id.0, version), &events).await, |offer| {
            Offer::from(&offer)
        })
    }
}
