//! Rules of outbound postbacks, and what became of every delivery.

use std::sync::Arc;

use async_graphql::{ComplexObject, Context, InputObject, MaybeUndefined, Result, SimpleObject};

use super::{
    conversion::Conversion,
    input::layers,
    offer::Offer,
    partner::Publisher,
    words::{DeliveryState, OutboundMethod, OutboundMoment, Role},
};
use crate::{
    app::manage_outbound::OutboundDraft,
    domain::{
        delivery,
        ids::{ConversionId, DeliveryId, OfferId, OutboundPostbackId, PublisherId},
        money::Percent,
        outbound::{self, masked_url},
        outbound_message::Message,
    },
    graphql::{
        connection::{Count, Window, connection, failed, page_cost},
        context::Find as _,
        error,
        guard::auth,
        id::Id,
        scalars::{DateTime, Decimal},
    },
    store::{
        outbound::{self as rules, OutboundFilter, OutboundSort},
        outbox::{self, DeliveriesOf, NewestDelivery},
    },
};

/// A rule by which publishers are told of their conversions.
#[derive(Clone, Debug, SimpleObject)]
#[graphql(complex)]
pub struct OutboundPostback {
    /// Opaque, stable, prefixed: opb_…
    pub id: Id<OutboundPostbackId>,
    /// What people call it.
    pub name: String,
    /// It fires, and what waits is sent.
    pub enabled: bool,
    /// Why it was switched off, where nobody did it by hand.
    pub disabled_reason: Option<String>,
    /// Since when every try has failed; null while the last one succeeded. After five days it is switched off.
    pub failing_since: Option<DateTime>,
    /// The moments that it fires on.
    pub fire_on: Vec<OutboundMoment>,
    /// Of a rejection: the reasons that it fires on; empty means every.
    pub rejection_reasons: Vec<String>,
    /// The events that it fires on, 0 is the conversion itself; empty means every.
    pub event_numbers: Vec<i32>,
    /// How the publisher is told.
    pub method: OutboundMethod,
    /// Where to, with its macros. It may hold a secret of the publisher's.
    #[graphql(directive = auth::apply(Role::Manager))]
    pub url_template: Option<String>,
    /// Where to, without values that look like a secret.
    pub masked_url: String,
    /// Of a GET: the parameter that its signature stands in.
    pub signature_parameter: Option<String>,
    /// How long after the change it is sent.
    pub delay_seconds: i32,
    /// The ends of its newest signing key, to tell it from others.
    pub signing_hint: String,
    /// Until when the signing key before it signs too; null where only one does.
    pub previous_key_until: Option<DateTime>,
    /// Send it with the next update; a stale one is refused with CONFLICT_VERSION.
    pub version: i32,
    /// When it was made.
    pub created_at: DateTime,
    /// When it was last changed.
    pub updated_at: DateTime,
    /// When it was deleted: it fires nothing any more, and is kept because deliveries name it.
    pub deleted_at: Option<DateTime>,
    #[graphql(skip)]
    publisher_id: Option<PublisherId>,
    #[graphql(skip)]
    offer_id: Option<OfferId>,
}

impl From<&outbound::OutboundPostback> for OutboundPostback {
    fn from(rule: &outbound::OutboundPostback) -> Self {
        Self {
            id: Id(rule.id),
            name: rule.name.clone(),
            enabled: rule.is_enabled,
            disabled_reason: rule.disabled_reason.clone(),
            failing_since: rule.failing_since.map(DateTime),
            fire_on: rule.moments.iter().map(|moment| (*moment).into()).collect(),
            rejection_reasons: rule.rejection_reasons.clone(),
            event_numbers: rule.events.clone(),
            method: rule.method.into(),
            url_template: Some(rule.template.as_str().to_owned()),
            masked_url: masked_url(rule.template.as_str()),
            signature_parameter: rule.signature_parameter.clone(),
            delay_seconds: rule.delay_seconds,
            signing_hint: rule.signing.hint.clone(),
            previous_key_until: rule.signing.previous.as_ref().map(|(_, until)| DateTime(*until)),
            version: rule.version,
            created_at: rule.created_at.into(),
            updated_at: rule.updated_at.into(),
            deleted_at: rule.deleted_at.map(DateTime),
            publisher_id: rule.publisher,
            offer_id: rule.offer,
        }
    }
}

impl OutboundPostback {
    /// The rule of an id, a deleted one too, read together with others.
    pub async fn load(ctx: &Context<'_>, id: OutboundPostbackId) -> Result<Option<Self>> {
        Ok(ctx.loaders()?.outbound.load(ctx, id).await?.map(|rule| Self::from(&*rule)))
    }
}

#[ComplexObject]
impl OutboundPostback {
    /// Whose conversions; null for those of any.
    async fn publisher(&self, ctx: &Context<'_>) -> Result<Option<Publisher>> {
        match self.publisher_id {
            Some(publisher) => Publisher::expect(ctx, publisher).await.map(Some),
            None => Ok(None),
        }
    }

    /// Of which offer; null for those of any.
    async fn offer(&self, ctx: &Context<'_>) -> Result<Option<Offer>> {
        match self.offer_id {
            Some(offer) => Offer::expect(ctx, offer).await.map(Some),
            None => Ok(None),
        }
    }

    /// What it has told, is telling and will tell, the newest first.
    #[graphql(complexity = "page_cost(first, None, child_complexity)")]
    async fn deliveries(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "In any of these states only.")] states: Option<Vec<DeliveryState>>,
        #[graphql(desc = "From the beginning: 1 to 200, 50 where it is not sent.")] first: Option<i32>,
        #[graphql(desc = "After this cursor.")] after: Option<String>,
    ) -> Result<DeliveryConnection> {
        let window = Window { first, after, ..Window::default() };
        DeliveryConnection::read(ctx, DeliveriesOf::Rule(self.id.0), states, &window).await
    }

    /// Of the deliveries that were made in the last 24 hours and have ended: how many in a hundred succeeded. Null where
    /// none has.
    #[graphql(name = "successRate24h")]
    async fn success_rate_24h(&self, ctx: &Context<'_>) -> Result<Option<Decimal>> {
        let since = ctx.now()?.plus_seconds(-24 * 3600);
        let counted = ctx.loaders()?.outbound_rates.load(ctx, (self.id.0, since)).await?;
        Ok(counted.and_then(|(succeeded, ended)| rate(succeeded, ended)).map(Decimal::from))
    }
}

/// Millionths of a percent, cut off.
fn rate(succeeded: i64, ended: i64) -> Option<Percent> {
    let share = i128::from(succeeded).checked_mul(100_000_000)?.checked_div(i128::from(ended))?;
    i64::try_from(share).ok().and_then(Percent::from_i64)
}

connection!(
    /// A page of rules of outbound postbacks.
    OutboundPostbackConnection,
    /// A rule and its place in the list.
    OutboundPostbackEdge of OutboundPostback, counted
);

impl OutboundPostbackConnection {
    /// A page of those that a filter holds, by name.
    pub async fn read(ctx: &Context<'_>, filter: OutboundFilter, window: &Window) -> Result<Self> {
        let page = window.under(OutboundSort)?;
        let page = rules::list(ctx.database()?, &filter, &page).await.map_err(failed)?;
        let count: Count = Box::new(move |database, _| {
            Box::pin(async move { rules::count(database, &filter).await.map(Into::into).map_err(failed) })
        });
        Ok(Self::of(page, |rule| OutboundPostback::from(&rule), count))
    }
}

/// One change of a conversion on its way to one publisher.
#[derive(Clone, Debug, SimpleObject)]
#[graphql(complex)]
pub struct Delivery {
    /// Opaque, stable, prefixed: dlv_… It is also the webhook-id of every try.
    pub id: Id<DeliveryId>,
    /// Where it is in its life.
    pub state: DeliveryState,
    /// What it tells.
    pub moment: OutboundMoment,
    /// The number of the change in the conversion's history; null of a test.
    pub change_number: Option<i32>,
    /// It was sent to try the rule, and tells of no change.
    pub is_test: bool,
    /// How often it was tried.
    pub attempt: i32,
    /// It waits for the click, for 24 hours at most.
    pub awaits_click: bool,
    /// When the change was made.
    pub created_at: DateTime,
    /// When it is tried next; while a try is under way, when it is given up for lost. Null once it has ended.
    pub next_attempt_at: Option<DateTime>,
    /// When it ended.
    pub finished_at: Option<DateTime>,
    #[graphql(skip)]
    rule_id: OutboundPostbackId,
    #[graphql(skip)]
    conversion_id: Option<ConversionId>,
}

impl From<delivery::Delivery> for Delivery {
    fn from(delivery: delivery::Delivery) -> Self {
        Self {
            id: Id(delivery.id),
            state: delivery.state.into(),
            moment: delivery.moment.into(),
            change_number: delivery.change_number,
            is_test: delivery.is_test(),
            attempt: delivery.attempts,
            awaits_click: delivery.awaits_click,
            created_at: delivery.created_at.into(),
            next_attempt_at: delivery.state.is_open().then(|| delivery.due_at.into()),
            finished_at: delivery.finished_at.map(DateTime),
            rule_id: delivery.rule,
            conversion_id: delivery.conversion,
        }
    }
}

impl Delivery {
    /// The delivery of an id.
    pub async fn find(ctx: &Context<'_>, id: DeliveryId) -> Result<Option<Self>> {
        let delivery = ctx.loaders()?.deliveries.load(ctx, id).await?;
        Ok(delivery.map(|delivery| Arc::unwrap_or_clone(delivery).into()))
    }

    async fn tries(&self, ctx: &Context<'_>) -> Result<Arc<Vec<delivery::Attempt>>> {
        Ok(ctx.loaders()?.attempts.load(ctx, self.id.0).await?.unwrap_or_default())
    }

    async fn last(&self, ctx: &Context<'_>) -> Result<Option<DeliveryAttempt>> {
        Ok(self.tries(ctx).await?.last().map(DeliveryAttempt::from))
    }
}

#[ComplexObject]
impl Delivery {
    /// The rule that fired.
    async fn postback(&self, ctx: &Context<'_>) -> Result<OutboundPostback> {
        let rule = OutboundPostback::load(ctx, self.rule_id).await?;
        rule.ok_or_else(|| error::internal("a delivery names a rule that is not there"))
    }

    /// What it is about; null of a test with made-up values.
    async fn conversion(&self, ctx: &Context<'_>) -> Result<Option<Conversion>> {
        Conversion::load(ctx, self.conversion_id).await
    }

    /// Where it was last sent, without values that look like a secret; before the first try, the rule's URL.
    async fn masked_url(&self, ctx: &Context<'_>) -> Result<String> {
        match self.last(ctx).await? {
            Some(last) => Ok(last.masked_url),
            None => Ok(self.postback(ctx).await?.masked_url),
        }
    }

    /// The status of the last answer.
    async fn response_status(&self, ctx: &Context<'_>) -> Result<Option<i32>> {
        Ok(self.last(ctx).await?.and_then(|last| last.response_status))
    }

    /// The first 1 000 characters of the last answer.
    #[graphql(directive = auth::apply(Role::Manager))]
    async fn response_body(&self, ctx: &Context<'_>) -> Result<Option<String>> {
        Ok(self.last(ctx).await?.and_then(|last| last.response_body))
    }

    /// Why the last try got no answer, or none that counts.
    async fn error(&self, ctx: &Context<'_>) -> Result<Option<String>> {
        Ok(self.last(ctx).await?.and_then(|last| last.error))
    }

    /// When the last try began.
    async fn started_at(&self, ctx: &Context<'_>) -> Result<Option<DateTime>> {
        Ok(self.last(ctx).await?.map(|last| last.at))
    }

    /// How long the last try took.
    async fn duration_ms(&self, ctx: &Context<'_>) -> Result<Option<i32>> {
        Ok(self.last(ctx).await?.map(|last| last.duration_ms))
    }

    /// Every try, the first one first. A number that is missing is of a try whose server died.
    async fn attempts(&self, ctx: &Context<'_>) -> Result<Vec<DeliveryAttempt>> {
        Ok(self.tries(ctx).await?.iter().map(DeliveryAttempt::from).collect())
    }
}

/// One try of a delivery: what was sent, and what came back.
#[derive(Clone, Debug, SimpleObject)]
pub struct DeliveryAttempt {
    /// 1 is the first.
    pub number: i32,
    /// When it began.
    pub at: DateTime,
    /// How long it took.
    pub duration_ms: i32,
    /// Where it was sent, without values that look like a secret, and without its signature.
    pub masked_url: String,
    /// The body of a POST.
    #[graphql(directive = auth::apply(Role::Manager))]
    pub request_body: Option<String>,
    /// The status of the answer; null where there was none.
    pub response_status: Option<i32>,
    /// The first 1 000 characters of the answer.
    #[graphql(directive = auth::apply(Role::Manager))]
    pub response_body: Option<String>,
    /// Why there was no answer, or none that counts.
    pub error: Option<String>,
}

impl From<&delivery::Attempt> for DeliveryAttempt {
    fn from(attempt: &delivery::Attempt) -> Self {
        Self {
            number: attempt.number,
            at: attempt.at.into(),
            duration_ms: attempt.duration_ms,
            masked_url: masked_url(&attempt.url),
            request_body: attempt.body.clone(),
            response_status: attempt.response_status,
            response_body: attempt.response_body.clone(),
            error: attempt.error.clone(),
        }
    }
}

connection!(
    /// A page of deliveries.
    DeliveryConnection,
    /// A delivery and its place in the list.
    DeliveryEdge of Delivery, counted
);

impl DeliveryConnection {
    /// A page, the newest first.
    pub async fn read(
        ctx: &Context<'_>,
        of: DeliveriesOf,
        states: Option<Vec<DeliveryState>>,
        window: &Window,
    ) -> Result<Self> {
        let states: Option<Vec<delivery::DeliveryState>> =
            states.map(|states| states.into_iter().map(Into::into).collect());
        let page = window.under(NewestDelivery)?;
        let page = outbox::list(ctx.database()?, of, states.as_deref(), &page).await.map_err(failed)?;
        let count: Count = Box::new(move |database, _| {
            let states = states.clone();
            Box::pin(
                async move { outbox::count(database, of, states.as_deref()).await.map(Into::into).map_err(failed) },
            )
        });
        Ok(Self::of(page, Delivery::from, count))
    }
}

/// What a rule would send, before it is signed.
#[derive(Clone, Debug, SimpleObject)]
pub struct OutboundPreview {
    /// How.
    pub method: OutboundMethod,
    /// Where to.
    pub url: String,
    /// What the body is; null without one.
    pub content_type: Option<String>,
    /// The body of a POST.
    pub body: Option<String>,
}

impl From<Message> for OutboundPreview {
    fn from(message: Message) -> Self {
        Self {
            method: message.method.into(),
            content_type: message.content_type().map(str::to_owned),
            url: message.url,
            body: message.body,
        }
    }
}

/// What a form says about a rule of outbound postbacks. What is not sent stays as it is; null clears.
#[derive(Clone, Debug, InputObject)]
pub struct OutboundPostbackInput {
    /// What people call it. Needed at creation.
    name: Option<String>,
    /// Whose conversions; null for those of any.
    publisher_id: MaybeUndefined<Id<PublisherId>>,
    /// Of which offer; null for those of any.
    offer_id: MaybeUndefined<Id<OfferId>>,
    /// The moments that it fires on; APPROVED by default.
    fire_on: Option<Vec<OutboundMoment>>,
    /// How the publisher is told; GET by default.
    method: Option<OutboundMethod>,
    /// The events that it fires on, 0 is the conversion itself and the default; empty means every.
    event_numbers: Option<Vec<i32>>,
    /// Of a rejection: the reasons that it fires on, whatever their capitals; empty means every.
    rejection_reasons: Option<Vec<String>>,
    /// Where to, with macros such as {external_transaction_id}. Needed at creation.
    url_template: Option<String>,
    /// Of a GET: the parameter that its signature is put in; null leaves it unsigned.
    signature_parameter: MaybeUndefined<String>,
    /// How long after the change it is sent: 0 by default, 30 days at most.
    delay_seconds: Option<i32>,
    /// Whether it fires; true by default.
    enabled: Option<bool>,
}

impl OutboundPostbackInput {
    /// The form as its use case reads it.
    pub fn read(self) -> OutboundDraft {
        OutboundDraft {
            name: self.name,
            is_enabled: self.enabled,
            publisher: layers(self.publisher_id, |id| id.0),
            offer: layers(self.offer_id, |id| id.0),
            moments: self.fire_on.map(|moments| moments.into_iter().map(Into::into).collect()),
            rejection_reasons: self.rejection_reasons,
            events: self.event_numbers,
            method: self.method.map(Into::into),
            url_template: self.url_template,
            signature_parameter: layers(self.signature_parameter, |text| text),
            delay_seconds: self.delay_seconds,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_a_percentage_that_never_flatters() {
        let text = |succeeded, ended| rate(succeeded, ended).map(|rate| rate.to_string());
        assert_eq!(text(0, 0), None);
        assert_eq!(text(0, 7).as_deref(), Some("0"));
        assert_eq!(text(7, 7).as_deref(), Some("100"));
        assert_eq!(text(2, 3).as_deref(), Some("66.666666"));
        assert_eq!(text(999_999_999, 1_000_000_000).as_deref(), Some("99.999999"));
    }
}
