//! Everything that has an id of its own.

use async_graphql::{Context, ID, Interface, Result};

use super::{
    conversion::{Conversion, ConversionChange},
    job::Job,
    offer::Offer,
    partner::{Advertiser, Publisher},
    receipt::Receipt,
    token::SecureToken,
    tracking_domain::TrackingDomain,
};
use crate::{
    domain::ids::{
        AdvertiserId, ChangeId, ConversionId, JobId, OfferId, PublisherId, ReceiptId, TokenId, TrackingDomainId,
    },
    graphql::{connection::failed, context::Find as _, error},
    store::conversions,
};

/// Something with an opaque, stable, prefixed id: offer_…, cnv_…, tok_…
#[derive(Interface)]
#[graphql(field(name = "id", ty = "ID", desc = "Opaque, stable, prefixed."))]
pub enum Node {
    Advertiser(Box<Advertiser>),
    Conversion(Box<Conversion>),
    ConversionChange(Box<ConversionChange>),
    Job(Box<Job>),
    Offer(Box<Offer>),
    Publisher(Box<Publisher>),
    Receipt(Box<Receipt>),
    SecureToken(Box<SecureToken>),
    TrackingDomain(Box<TrackingDomain>),
}

impl Node {
    /// What an id names; `None` when it is not there.
    ///
    /// # Errors
    /// `BAD_USER_INPUT` for what is no id of ours; ours.
    pub async fn find(ctx: &Context<'_>, id: &str) -> Result<Option<Self>> {
        if let Some(id) = OfferId::parse(id) {
            Ok(Offer::find(ctx, id).await?.map(|offer| Self::Offer(Box::new(offer))))
        } else if let Some(id) = PublisherId::parse(id) {
            Ok(Publisher::find(ctx, id).await?.map(|publisher| Self::Publisher(Box::new(publisher))))
        } else if let Some(id) = AdvertiserId::parse(id) {
            Ok(Advertiser::find(ctx, id).await?.map(|advertiser| Self::Advertiser(Box::new(advertiser))))
        } else if let Some(id) = ConversionId::parse(id) {
            Ok(Conversion::load(ctx, Some(id)).await?.map(|conversion| Self::Conversion(Box::new(conversion))))
        } else if let Some(id) = ReceiptId::parse(id) {
            Ok(Receipt::load(ctx, Some(id)).await?.map(|receipt| Self::Receipt(Box::new(receipt))))
        } else if let Some(id) = TokenId::parse(id) {
            Ok(SecureToken::load(ctx, Some(id)).await?.map(|token| Self::SecureToken(Box::new(token))))
        } else if let Some(id) = ChangeId::parse(id) {
            let change = conversions::find_change(ctx.database()?, id).await.map_err(failed)?;
            Ok(change.map(|change| Self::ConversionChange(Box::new(change.into()))))
        } else if let Some(id) = JobId::parse(id) {
            Ok(Job::find(ctx, id).await?.map(|job| Self::Job(Box::new(job))))
        } else if let Some(id) = TrackingDomainId::parse(id) {
            Ok(TrackingDomain::find(ctx, id)?.map(|domain| Self::TrackingDomain(Box::new(domain))))
        } else {
            Err(error::bad_user_input("This is not an id of ours"))
        }
    }
}
