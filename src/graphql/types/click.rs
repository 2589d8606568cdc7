//! Clicks.

use async_graphql::{ComplexObject, Context, Result, SimpleObject};

use super::{offer::Offer, partner::Publisher};
use crate::{
    domain::{
        click,
        ids::{OfferId, PublisherId},
    },
    graphql::{
        guard::auth,
        scalars::{DateTime, IpAddress},
        types::words::Role,
    },
};

/// One visit through a tracking link.
#[derive(Clone, Debug, SimpleObject)]
#[graphql(complex)]
pub struct Click {
    /// The id that went out with the visitor.
    pub transaction_id: String,
    /// The publisher's first free field.
    pub sub_id: Option<String>,
    /// The publisher's second free field.
    #[graphql(name = "subId2")]
    pub sub_id_2: Option<String>,
    /// The publisher's third free field.
    #[graphql(name = "subId3")]
    pub sub_id_3: Option<String>,
    /// The publisher's fourth free field.
    #[graphql(name = "subId4")]
    pub sub_id_4: Option<String>,
    /// The publisher's fifth free field.
    #[graphql(name = "subId5")]
    pub sub_id_5: Option<String>,
    /// The publisher's sixth free field.
    #[graphql(name = "subId6")]
    pub sub_id_6: Option<String>,
    /// The publisher's own click id.
    pub external_transaction_id: Option<String>,
    /// The advertising id of the device.
    #[graphql(directive = auth::apply(Role::Manager))]
    pub device_id: Option<String>,
    /// The visitor's network, /24 or /48.
    #[graphql(directive = auth::apply(Role::Manager))]
    pub ip: Option<IpAddress>,
    /// The visitor's browser.
    #[graphql(directive = auth::apply(Role::Manager))]
    pub user_agent: Option<String>,
    /// Scheme and host of the page that the visitor came from.
    pub referrer: Option<String>,
    /// By its user agent a bot or a preview: redirected, and in no figure.
    pub is_bot: bool,
    /// Made by a test link: in no figure.
    pub is_test: bool,
    /// When the visitor came.
    pub clicked_at: DateTime,
    #[graphql(skip)]
    offer_id: OfferId,
    #[graphql(skip)]
    publisher_id: PublisherId,
}

impl From<click::Click> for Click {
    fn from(click: click::Click) -> Self {
        let [sub_id, sub_id_2, sub_id_3, sub_id_4, sub_id_5, sub_id_6] = click.sub_ids;
        Self {
            transaction_id: click.transaction_id.to_string(),
            sub_id,
            sub_id_2,
            sub_id_3,
            sub_id_4,
            sub_id_5,
            sub_id_6,
            external_transaction_id: click.external_transaction_id,
            device_id: click.device_id,
            ip: click.address.map(|address| IpAddress(address.network)),
            user_agent: click.user_agent,
            referrer: click.referrer_origin,
            is_bot: click.is_bot,
            is_test: click.is_test,
            clicked_at: click.clicked_at.into(),
            offer_id: click.offer,
            publisher_id: click.publisher,
        }
    }
}

#[ComplexObject]
impl Click {
    /// What was promoted.
    async fn offer(&self, ctx: &Context<'_>) -> Result<Option<Offer>> {
        Offer::find(ctx, self.offer_id).await
    }

    /// Who sent the visitor.
    async fn publisher(&self, ctx: &Context<'_>) -> Result<Option<Publisher>> {
        Publisher::find(ctx, self.publisher_id).await
    }
}
