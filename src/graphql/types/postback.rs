//! URLs to be handed out: postback URLs and tracking links. Masked here; the whole text leaves by a mutation only.

use async_graphql::{Context, InputObject, Object, Result, SimpleObject};

use super::{
    payload::outcome,
    token::SecureToken,
    tracking_domain::TrackingDomain,
    words::{PostbackKind, TokenScope},
};
use crate::{
    app::{
        UserError,
        postback_urls::{self, UrlRequest},
        tracking_links::{self, LinkRequest},
        wire_urls::{ParamInput, UrlParam},
    },
    domain::{
        ids::{OfferId, PublisherId, TrackingDomainId},
        secure_token,
    },
    graphql::{
        context::Find as _,
        error,
        id::Id,
        scalars::{DateTime, Url},
    },
};

/// A parameter for a URL. The server percent-encodes literals and leaves {macros} alone.
#[derive(Clone, Debug, InputObject)]
pub struct UrlParamInput {
    /// One of ours, or one of the sender's own.
    name: String,
    /// A literal, a macro of the sender's own, or both.
    value: String,
}

impl From<UrlParamInput> for ParamInput {
    fn from(input: UrlParamInput) -> Self {
        Self { name: input.name, value: input.value }
    }
}

/// The parameters that were asked for.
pub fn read_params(params: Option<Vec<UrlParamInput>>) -> Vec<ParamInput> {
    params.unwrap_or_default().into_iter().map(Into::into).collect()
}

/// A parameter of a URL, with what its sender should know about it.
#[derive(Clone, Debug, PartialEq, Eq, SimpleObject)]
pub struct PostbackParam {
    /// Its name.
    pub name: String,
    /// What stands in the URL, before encoding; empty where the parameter is only described.
    pub value: String,
    /// Without it the request is refused.
    pub required: bool,
    /// One of ours; another one is kept as an additional parameter.
    pub standard: bool,
    /// What it is for.
    pub description: String,
    /// A value that it may have.
    pub example: Option<String>,
    /// In characters.
    pub max_length: i32,
}

impl From<UrlParam> for PostbackParam {
    fn from(param: UrlParam) -> Self {
        let UrlParam { name, value, required, standard, description, example, max_length } = param;
        let max_length = i32::try_from(max_length).unwrap_or(i32::MAX);
        Self { name, value, required, standard, description, example, max_length }
    }
}

/// A URL for one thing that a sender reports. Built on the server, so that every client gets the same encoding.
#[derive(Clone, Debug, SimpleObject)]
pub struct PostbackUrl {
    /// What it reports.
    pub kind: PostbackKind,
    /// The URL with its secret masked: secure=rt_o_zjjH…xN95. The whole text comes from postbackUrlReveal.
    pub masked: String,
    /// Its parameters, in order.
    pub params: Vec<PostbackParam>,
    /// What looks wrong, each as a sentence.
    pub warnings: Vec<String>,
    /// The token in it; null for the pixel, which carries none, and where no token may do this.
    pub token: Option<SecureToken>,
    /// Why it cannot be revealed, and what to do.
    pub blocker: Option<String>,
    /// The tracking domain that it is on; null on the server's own host.
    pub domain: Option<TrackingDomain>,
}

impl From<postback_urls::PostbackUrl> for PostbackUrl {
    fn from(url: postback_urls::PostbackUrl) -> Self {
        Self {
            kind: url.kind.into(),
            masked: url.masked,
            params: url.params.into_iter().map(Into::into).collect(),
            warnings: url.warnings,
            token: url.token.map(Into::into),
            blocker: url.blocker,
            domain: url.domain.map(Into::into),
        }
    }
}

/// The URLs of one scope: of one offer, or of all.
#[derive(Clone, Copy, Debug)]
pub struct PostbackUrls(secure_token::TokenScope);

impl PostbackUrls {
    pub const fn of(scope: secure_token::TokenScope) -> Self {
        Self(scope)
    }

    async fn describe(
        self,
        ctx: &Context<'_>,
        kind: postback_urls::PostbackKind,
        params: Option<Vec<UrlParamInput>>,
        domain_id: Option<Id<TrackingDomainId>>,
    ) -> Result<PostbackUrl> {
        let domain = domain_id.map(|id| id.0);
        let request = UrlRequest { kind, scope: self.0, domain, params: read_params(params) };
        match outcome(postback_urls::describe(ctx.app()?, &request).await)? {
            Ok(url) => Ok(url.into()),
            Err(faults) => Err(first_fault(faults)),
        }
    }
}

/// A query has no payload to say it in: the first fault is the error.
pub fn first_fault(faults: Vec<UserError>) -> async_graphql::Error {
    error::bad_user_input(faults.into_iter().next().map(|fault| fault.message).unwrap_or_default())
}

/// The URLs of one scope, ready to be copied.
#[Object]
impl PostbackUrls {
    /// Of one offer, or of all.
    async fn scope(&self) -> TokenScope {
        self.0.into()
    }

    /// Reports a conversion, server to server.
    async fn conversion(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Further parameters.")] params: Option<Vec<UrlParamInput>>,
        #[graphql(desc = "On this tracking domain; else on the default one.")] domain_id: Option<Id<TrackingDomainId>>,
    ) -> Result<PostbackUrl> {
        self.describe(ctx, postback_urls::PostbackKind::Conversion, params, domain_id).await
    }

    /// Reports a conversion without a click, server to server.
    async fn clickless(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Further parameters.")] params: Option<Vec<UrlParamInput>>,
        #[graphql(desc = "On this tracking domain; else on the default one.")] domain_id: Option<Id<TrackingDomainId>>,
    ) -> Result<PostbackUrl> {
        self.describe(ctx, postback_urls::PostbackKind::Clickless, params, domain_id).await
    }

    /// Rejects a conversion.
    async fn rejection(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Further parameters.")] params: Option<Vec<UrlParamInput>>,
        #[graphql(desc = "On this tracking domain; else on the default one.")] domain_id: Option<Id<TrackingDomainId>>,
    ) -> Result<PostbackUrl> {
        self.describe(ctx, postback_urls::PostbackKind::Rejection, params, domain_id).await
    }

    /// Changes the status of a conversion.
    async fn status(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Further parameters.")] params: Option<Vec<UrlParamInput>>,
        #[graphql(desc = "On this tracking domain; else on the default one.")] domain_id: Option<Id<TrackingDomainId>>,
    ) -> Result<PostbackUrl> {
        self.describe(ctx, postback_urls::PostbackKind::Status, params, domain_id).await
    }

    /// Reports a conversion through an image; null until a tracking domain accepts, and imagePixelBlocker says why.
    async fn image_pixel(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Further parameters.")] params: Option<Vec<UrlParamInput>>,
        #[graphql(desc = "On this tracking domain; else on the default one.")] domain_id: Option<Id<TrackingDomainId>>,
    ) -> Result<Option<PostbackUrl>> {
        if postback_urls::pixel_blocker(&*ctx.snapshot()?).is_some() {
            return Ok(None);
        }
        self.describe(ctx, postback_urls::PostbackKind::ImagePixel, params, domain_id).await.map(Some)
    }

    /// What stands in the way of image pixels, and what to do; null once a tracking domain accepts.
    async fn image_pixel_blocker(&self, ctx: &Context<'_>) -> Result<Option<&'static str>> {
        Ok(postback_urls::pixel_blocker(&*ctx.snapshot()?))
    }
}

/// Which URL is to be revealed.
#[derive(Clone, Debug, InputObject)]
pub struct PostbackUrlInput {
    /// What it reports.
    kind: PostbackKind,
    /// Of one offer, or of all.
    scope: TokenScope,
    /// Required when scope is OFFER.
    offer_id: Option<Id<OfferId>>,
    /// On this tracking domain; else on the default one.
    domain_id: Option<Id<TrackingDomainId>>,
    /// Further parameters.
    params: Option<Vec<UrlParamInput>>,
}

impl PostbackUrlInput {
    /// # Errors
    /// What the caller can put right.
    pub fn read(self) -> Result<UrlRequest, UserError> {
        Ok(UrlRequest {
            kind: self.kind.into(),
            scope: super::token::read_scope(self.scope, self.offer_id)?,
            domain: self.domain_id.map(|id| id.0),
            params: read_params(self.params),
        })
    }
}

/// What a tracking link is asked for.
#[derive(Clone, Debug, InputObject)]
pub struct TrackingLinkInput {
    /// What is promoted.
    offer_id: Id<OfferId>,
    /// Who promotes it.
    publisher_id: Id<PublisherId>,
    /// On this tracking domain; else on the default one.
    domain_id: Option<Id<TrackingDomainId>>,
    /// The publisher's first free field.
    sub_id: Option<String>,
    /// The publisher's own click id.
    external_transaction_id: Option<String>,
    /// A test link works before the offer is active and counts in no figure. Needs MANAGER.
    #[graphql(default = false)]
    pub test: bool,
    /// Further parameters.
    params: Option<Vec<UrlParamInput>>,
}

/// A tracking link, ready to be given to a publisher.
#[derive(Clone, Debug, SimpleObject)]
pub struct TrackingLink {
    /// The link.
    pub url: Url,
    /// Its parameters, in order.
    pub params: Vec<PostbackParam>,
    /// What looks wrong, each as a sentence.
    pub warnings: Vec<String>,
    /// The first instant at which a test link is refused.
    pub test_until: Option<DateTime>,
}

impl TrackingLink {
    /// Builds a link.
    ///
    /// # Errors
    /// What the caller can put right.
    pub fn build(ctx: &Context<'_>, input: TrackingLinkInput) -> Result<Self> {
        let request = LinkRequest {
            offer: input.offer_id.0,
            publisher: input.publisher_id.0,
            domain: input.domain_id.map(|id| id.0),
            sub_id: input.sub_id,
            external_transaction_id: input.external_transaction_id,
            test: input.test,
            params: read_params(input.params),
        };
        let link = tracking_links::build(ctx.app()?, &request).map_err(first_fault)?;
        Ok(Self {
            url: Url(link.url),
            params: link.params.into_iter().map(Into::into).collect(),
            warnings: link.warnings,
            test_until: link.test_until.map(DateTime),
        })
    }
}
