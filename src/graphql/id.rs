//! Opaque ids on the wire: every argument says which kind it takes, and another kind is refused by name.
//!
//! In the schema all of them are `ID`. A `pub_7` where an offer is meant would otherwise look up offer 7, and
//! reject somebody else's conversions.

use std::{borrow::Cow, fmt};

use async_graphql::{
    ContextSelectionSet, ID, InputType, InputValueError, InputValueResult, OutputType, Positioned, ServerResult, Value,
    parser::types::Field, registry::Registry,
};

use crate::domain::ids::{
    AdvertiserId, ApiKeyId, AuditEventId, ChangeId, ConversionId, DeliveryId, JobId, OfferId, OperatorId,
    OutboundPostbackId, PublisherId, ReceiptId, SessionId, TokenId, TrackingDomainId,
};

/// A kind of id.
pub trait Kind: fmt::Display + Copy + Send + Sync + Sized {
    /// As in "the id of …".
    const NOUN: &'static str;

    /// Reads the opaque form; `None` for every other kind and spelling.
    fn read(text: &str) -> Option<Self>;
}

macro_rules! kinds {
    ($($id:ty, $noun:literal;)*) => {
        $(impl Kind for $id {
            const NOUN: &'static str = $noun;

            fn read(text: &str) -> Option<Self> {
                Self::parse(text)
            }
        })*
    };
}

kinds! {
    OfferId, "an offer";
    PublisherId, "a publisher";
    AdvertiserId, "an advertiser";
    ConversionId, "a conversion";
    ChangeId, "a change of a conversion";
    ReceiptId, "a receipt";
    TokenId, "a secure token";
    TrackingDomainId, "a tracking domain";
    JobId, "a job";
    OperatorId, "an operator";
    ApiKeyId, "an API key";
    SessionId, "a session";
    AuditEventId, "an entry of the audit trail";
    OutboundPostbackId, "a rule of outbound postbacks";
    DeliveryId, "a delivery";
}

/// An id of one kind, as `ID`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Id<T>(pub T);

impl<T: Kind> fmt::Display for Id<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<T: Kind> InputType for Id<T> {
    type RawValueType = Self;

    fn type_name() -> Cow<'static, str> {
        <ID as InputType>::type_name()
    }

    fn create_type_info(registry: &mut Registry) -> String {
        <ID as InputType>::create_type_info(registry)
    }

    fn parse(value: Option<Value>) -> InputValueResult<Self> {
        let id = <ID as InputType>::parse(value).map_err(InputValueError::propagate)?;
        T::read(&id).map(Self).ok_or_else(|| InputValueError::custom(format_args!("not the id of {}", T::NOUN)))
    }

    fn to_value(&self) -> Value {
        Value::String(self.to_string())
    }

    fn as_raw_value(&self) -> Option<&Self> {
        Some(self)
    }
}

#[async_graphql::async_trait::async_trait]
impl<T: Kind> OutputType for Id<T> {
    fn type_name() -> Cow<'static, str> {
        <ID as OutputType>::type_name()
    }

    fn create_type_info(registry: &mut Registry) -> String {
        <ID as OutputType>::create_type_info(registry)
    }

    async fn resolve(&self, _: &ContextSelectionSet<'_>, _: &Positioned<Field>) -> ServerResult<Value> {
        Ok(InputType::to_value(self))
    }
}

/// The bare values of a list of ids.
pub fn all<T: Kind>(ids: Vec<Id<T>>) -> Vec<T> {
    ids.into_iter().map(|id| id.0).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_of_another_kind_is_refused_by_name() {
        let offer = <Id<OfferId> as InputType>::parse(Some(Value::from("offer_42"))).unwrap();
        assert_eq!(offer.to_string(), "offer_42");
        for wrong in ["pub_42", "42", "offer_0", "offer_042"] {
            let refused = <Id<OfferId> as InputType>::parse(Some(Value::from(wrong))).unwrap_err();
            assert!(format!("{refused:?}").contains("an offer"), "{refused:?}");
        }
    }
}
