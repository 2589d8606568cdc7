//! Everything that has an id of its own.

use async_graphql::{Context, ID, Interface, Result};

use super::{
    audit::AuditEntry,
    conversion::{Conversion, ConversionChange},
    job::Job,
    offer::Offer,
    operator::{ApiKey, Operator},
    outbound::{Delivery, OutboundPostback},
    partner::{Advertiser, Publisher},
    receipt::Receipt,
    token::SecureToken,
    tracking_domain::TrackingDomain,
};
use crate::{
    domain::ids::{
        AdvertiserId, ApiKeyId, AuditEventId, ChangeId, ConversionId, DeliveryId, JobId, OfferId, OperatorId,
        OutboundPostbackId, PublisherId, ReceiptId, TokenId, TrackingDomainId,
    },
    graphql::{connection::failed, context::Find as _, error, guard::enter, id::Kind},
    store::conversions,
};

/// Something with an opaque, stable, prefixed id: offer_…, cnv_…, tok_…
#[derive(Interface)]
#[graphql(field(name = "id", ty = "ID", desc = "Opaque, stable, prefixed."))]
pub enum Node {
    Advertiser(Box<Advertiser>),
    ApiKey(Box<ApiKey>),
    AuditEntry(Box<AuditEntry>),
    Conversion(Box<Conversion>),
    ConversionChange(Box<ConversionChange>),
    Delivery(Box<Delivery>),
    Job(Box<Job>),
    Offer(Box<Offer>),
    Operator(Box<Operator>),
    OutboundPostback(Box<OutboundPostback>),
    Publisher(Box<Publisher>),
    Receipt(Box<Receipt>),
    SecureToken(Box<SecureToken>),
    TrackingDomain(Box<TrackingDomain>),
}

/// The kinds of ids that name a node.
const KINDS: &[fn(&str) -> bool] = &[
    is::<AdvertiserId>,
    is::<ApiKeyId>,
    is::<AuditEventId>,
    is::<ChangeId>,
    is::<ConversionId>,
    is::<DeliveryId>,
    is::<JobId>,
    is::<OfferId>,
    is::<OperatorId>,
    is::<OutboundPostbackId>,
    is::<PublisherId>,
    is::<ReceiptId>,
    is::<TokenId>,
    is::<TrackingDomainId>,
];

fn is<T: Kind>(id: &str) -> bool {
    T::read(id).is_some()
}

impl Node {
    /// May this id name a node?
    pub fn is_one(id: &str) -> bool {
        KINDS.iter().any(|is| is(id))
    }

    /// What an id names; `None` when it is not there.
    ///
    /// # Errors
    /// `BAD_USER_INPUT` for what is no id of a node; `FORBIDDEN` where nothing of the kind may be seen; ours.
    pub async fn find(ctx: &Context<'_>, id: &str) -> Result<Option<Self>> {
        if !Self::is_one(id) {
            return Err(error::bad_user_input("This is not an id of ours"));
        }
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
        } else if let Some(id) = OutboundPostbackId::parse(id) {
            Ok(OutboundPostback::load(ctx, id).await?.map(|rule| Self::OutboundPostback(Box::new(rule))))
        } else if let Some(id) = DeliveryId::parse(id) {
            Ok(Delivery::find(ctx, id).await?.map(|delivery| Self::Delivery(Box::new(delivery))))
        } else if let Some(id) = TrackingDomainId::parse(id) {
            Ok(TrackingDomain::find(ctx, id)?.map(|domain| Self::TrackingDomain(Box::new(domain))))
        } else if let Some(id) = OperatorId::parse(id) {
            enter::<Operator>(ctx)?;
            Ok(Operator::load(ctx, Some(id)).await?.map(|operator| Self::Operator(Box::new(operator))))
        } else if let Some(id) = ApiKeyId::parse(id) {
            enter::<ApiKey>(ctx)?;
            Ok(ApiKey::load(ctx, Some(id)).await?.map(|key| Self::ApiKey(Box::new(key))))
        } else if let Some(id) = AuditEventId::parse(id) {
            enter::<AuditEntry>(ctx)?;
            Ok(AuditEntry::find(ctx, id).await?.map(|entry| Self::AuditEntry(Box::new(entry))))
        } else {
            Ok(None)
        }
    }
}
