//! What a publisher is sent about one change of a conversion.
//!
//! It is made anew for every try from what is kept: the change says the status, the reason and the money, the
//! conversion says whose it is. So a later change of the conversion does not reach back into an earlier message, and a
//! rule whose URL was wrong can be mended while its deliveries wait. The same try twice is the same text, byte for
//! byte. Refuses to know revenue or a person: see `outbound`.

use serde::Serialize;

use super::clock::Timestamp;
use super::conversion::{Change, Conversion};
use super::ids::{ConversionId, OfferId, PublisherId};
use super::macros::DestinationError;
use super::money::{Currency, Micros};
use super::outbound::{Method, Moment, OutboundPostback, OutboundValues};
use super::status::Status;

/// Everything that a publisher may know about one change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    pub moment: Moment,
    pub is_test: bool,
    /// When it changed.
    pub at: Timestamp,
    pub conversion: ConversionId,
    /// As it is printed.
    pub transaction_id: String,
    pub external_transaction_id: Option<String>,
    pub sub_ids: [Option<String>; 6],
    pub status: Status,
    pub rejection_reason: Option<String>,
    pub payout: Option<Micros>,
    pub currency: Currency,
    pub offer: OfferId,
    pub publisher: PublisherId,
    pub event: i32,
    pub converted_at: Timestamp,
}

/// A request, before it is signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    pub method: Method,
    pub url: String,
    /// Of a POST.
    pub body: Option<String>,
}

impl Message {
    /// Of the body; none without one.
    pub fn content_type(&self) -> Option<&'static str> {
        match self.method {
            Method::Get => None,
            Method::PostForm => Some("application/x-www-form-urlencoded"),
            Method::PostJson => Some("application/json"),
        }
    }
}

impl Told {
    /// What `change` says about `conversion`.
    pub fn of(conversion: &Conversion, change: &Change, moment: Moment, is_test: bool) -> Self {
        Self {
            moment,
            is_test,
            at: change.author.at,
            conversion: conversion.id,
            transaction_id: conversion.transaction_id.to_string(),
            external_transaction_id: conversion.external_transaction_id.clone(),
            sub_ids: conversion.sub_ids.clone(),
            status: change.to,
            rejection_reason: change.reason.clone().filter(|_| change.to == Status::Rejected),
            payout: change.payout_after,
            currency: change.currency,
            offer: conversion.offer,
            publisher: conversion.publisher,
            event: conversion.event_number,
            converted_at: conversion.converted_at,
        }
    }

    /// The request that `rule` makes of it.
    ///
    /// # Errors
    /// The values do not fit the rule's URL.
    pub fn message(&self, rule: &OutboundPostback) -> Result<Message, DestinationError> {
        let conversion_id = self.conversion.to_string();
        let url = rule.template.expand(&self.values(&conversion_id))?;
        // What follows the # is for browsers.
        let url = url.split_once('#').map_or(url.as_str(), |(url, _)| url).to_owned();
        let body = match rule.method {
            Method::Get => None,
            Method::PostForm => Some(self.form()),
            Method::PostJson => Some(self.json()),
        };
        Ok(Message { method: rule.method, url, body })
    }

    fn values<'v>(&'v self, conversion_id: &'v str) -> OutboundValues<'v> {
        OutboundValues {
            external_transaction_id: self.external_transaction_id.as_deref(),
            transaction_id: &self.transaction_id,
            conversion_id,
            status: self.status.as_str(),
            rejection_reason: self.rejection_reason.as_deref(),
            payout: self.payout,
            currency: Some(self.currency),
            offer_id: Some(self.offer),
            publisher_id: Some(self.publisher),
            sub_ids: self.sub_ids.each_ref().map(Option::as_deref),
            event: self.event,
            converted_at: Some(self.converted_at),
        }
    }

    /// Pairs in a fixed order; what there is none of is left out.
    fn form(&self) -> String {
        let mut form = url::form_urlencoded::Serializer::new(String::new());
        let mut put = |name: &str, value: Option<String>| {
            if let Some(value) = value {
                form.append_pair(name, &value);
            }
        };
        put("type", Some(self.kind()));
        put("test", self.is_test.then(|| "true".to_owned()));
        put("conversion_id", Some(self.conversion.to_string()));
        put("transaction_id", Some(self.transaction_id.clone()));
        put("external_transaction_id", self.external_transaction_id.clone());
        put("status", Some(self.status.as_str().to_owned()));
        put("rejection_reason", self.rejection_reason.clone());
        put("payout", self.payout.map(|payout| payout.to_string()));
        put("currency", Some(self.currency.to_string()));
        put("offer_id", Some(self.offer.number().to_string()));
        put("publisher_id", Some(self.publisher.number().to_string()));
        for (name, value) in SUB_IDS.into_iter().zip(&self.sub_ids) {
            put(name, value.clone());
        }
        put("event", Some(self.event.to_string()));
        put("converted_at", Some(self.converted_at.to_string()));
        form.finish()
    }

    fn json(&self) -> String {
        let [sub_id, sub_id_2, sub_id_3, sub_id_4, sub_id_5, sub_id_6] = self.sub_ids.each_ref().map(Option::as_deref);
        let envelope = Envelope {
            kind: self.kind(),
            timestamp: self.at.to_string(),
            test: self.is_test,
            data: Data {
                conversion_id: self.conversion.to_string(),
                transaction_id: &self.transaction_id,
                external_transaction_id: self.external_transaction_id.as_deref(),
                status: self.status.as_str(),
                rejection_reason: self.rejection_reason.as_deref(),
                payout: self.payout.map(|payout| payout.to_string()),
                currency: self.currency.as_str(),
                offer_id: self.offer.number(),
                publisher_id: self.publisher.number(),
                sub_id,
                sub_id_2,
                sub_id_3,
                sub_id_4,
                sub_id_5,
                sub_id_6,
                event: self.event,
                converted_at: self.converted_at.to_string(),
            },
        };
        // Texts and numbers only: serde_json cannot fail on them.
        serde_json::to_string(&envelope).unwrap_or_default()
    }

    fn kind(&self) -> String {
        format!("conversion.{}", self.moment.as_str())
    }
}

const SUB_IDS: [&str; 6] = ["sub_id", "sub_id_2", "sub_id_3", "sub_id_4", "sub_id_5", "sub_id_6"];

/// The body that Standard Webhooks recommends.
#[derive(Serialize)]
struct Envelope<'t> {
    #[serde(rename = "type")]
    kind: String,
    timestamp: String,
    test: bool,
    data: Data<'t>,
}

#[derive(Serialize)]
struct Data<'t> {
    conversion_id: String,
    transaction_id: &'t str,
    external_transaction_id: Option<&'t str>,
    status: &'static str,
    rejection_reason: Option<&'t str>,
    payout: Option<String>,
    currency: &'t str,
    offer_id: i32,
    publisher_id: i32,
    sub_id: Option<&'t str>,
    sub_id_2: Option<&'t str>,
    sub_id_3: Option<&'t str>,
    sub_id_4: Option<&'t str>,
    sub_id_5: Option<&'t str>,
    sub_id_6: Option<&'t str>,
    event: i32,
    converted_at: String,
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::domain::fixtures::{eur, rule};
    use crate::domain::outbound::OutboundMacro;

    fn told() -> Told {
        Told {
            moment: Moment::Rejected,
            is_test: false,
            at: Timestamp::from_millis(1_795_344_000_500),
            conversion: ConversionId::from_uuid(Uuid::from_u128(5)),
            transaction_id: "01h".into(),
            external_transaction_id: Some("x y&z".into()),
            sub_ids: [Some("news".into()), None, None, None, None, Some("6".into())],
            status: Status::Rejected,
            rejection_reason: Some("fraud?".into()),
            payout: Some(Micros::from_i64(12_500_000)),
            currency: eur(),
            offer: OfferId::new(42).unwrap(),
            publisher: PublisherId::new(7).unwrap(),
            event: 0,
            converted_at: Timestamp::from_millis(1_795_344_000_000),
        }
    }

    fn by(method: Method, url: &str) -> Message {
        told().message(&OutboundPostback { method, ..rule(url) }).unwrap()
    }

    #[test]
    fn every_macro_is_filled_in_and_encoded_for_its_place() {
        let names: Vec<String> = OutboundMacro::ALL.iter().map(|name| format!("{{{}}}", name.as_str())).collect();
        let sent = by(Method::Get, &format!("https://pub.example/{{external_transaction_id}}?{}#x", names.join("&")));
        assert_eq!(
            sent.url,
            "https://pub.example/x%20y%26z?x%20y%26z&01h&cnv_00000000000000000000000000000005&rejected&fraud%3F&12.50\
             &EUR&42&7&news&&&&&6&0&2026-11-22T10%3A40%3A00Z"
        );
        assert_eq!((sent.body, sent.method), (None, Method::Get));
    }

    #[test]
    fn a_form_holds_what_there_is() {
        let sent = by(Method::PostForm, "https://pub.example/?c={external_transaction_id}");
        assert_eq!(sent.url, "https://pub.example/?c=x%20y%26z");
        assert_eq!(
            sent.body.as_deref().unwrap(),
            "type=conversion.rejected&conversion_id=cnv_00000000000000000000000000000005&transaction_id=01h\
             &external_transaction_id=x+y%26z&status=rejected&rejection_reason=fraud%3F&payout=12.50&currency=EUR\
             &offer_id=42&publisher_id=7&sub_id=news&sub_id_6=6&event=0&converted_at=2026-11-22T10%3A40%3A00Z"
        );
        assert_eq!(sent.content_type(), Some("application/x-www-form-urlencoded"));
    }

    #[test]
    fn json_holds_every_field_and_money_as_text() {
        let sent = by(Method::PostJson, "https://pub.example/hook");
        let json: serde_json::Value = serde_json::from_str(sent.body.as_deref().unwrap()).unwrap();
        assert_eq!(json["type"], "conversion.rejected");
        assert_eq!((&json["timestamp"], &json["test"]), (&"2026-11-22T10:40:00.5Z".into(), &false.into()));
        let data = &json["data"];
        assert_eq!(
            (&data["payout"], &data["currency"], &data["offer_id"]),
            (&"12.50".into(), &"EUR".into(), &42.into())
        );
        assert_eq!((&data["sub_id"], &data["sub_id_2"]), (&"news".into(), &serde_json::Value::Null));
        assert_eq!(data.as_object().unwrap().len(), 17);
        let again = by(Method::PostJson, "https://pub.example/hook");
        assert_eq!(sent, again);
    }

    #[test]
    fn a_value_that_does_not_fit_the_url_is_refused() {
        let long = Told { sub_ids: [Some("é".repeat(4000)), None, None, None, None, None], ..told() };
        assert_eq!(long.message(&rule("https://pub.example/?s={sub_id}")), Err(DestinationError::TooLong));
    }
}
