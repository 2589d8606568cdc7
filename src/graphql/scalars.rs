//! The scalars of the admin API, each with one way in and one way out.
//!
//! Money is text: a JSON number is refused, because many clients read it as a float and 0.1 is not one. A whole
//! number past 31 bits is a [`SafeInt`], because async-graphql would print an `i64` as `Int`, which GraphQL says
//! has 32 bits. A value that cannot be read is refused here, before any use case sees it.

use std::net::IpAddr;

use async_graphql::{InputValueError, InputValueResult, Scalar, ScalarType, Value};

use crate::domain::{
    calendar::Zone,
    clock::Timestamp,
    money::{Currency, Micros, Percent},
};

/// An instant in RFC 3339, printed in UTC with milliseconds only where there are any. Any offset is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct DateTime(pub Timestamp);

/// An instant in RFC 3339, printed in UTC with milliseconds only where there are any; any offset is read.
#[Scalar(specified_by_url = "https://datatracker.ietf.org/doc/html/rfc3339")]
impl ScalarType for DateTime {
    fn parse(value: Value) -> InputValueResult<Self> {
        let text = text(value)?;
        Timestamp::parse_rfc3339(&text)
            .map(Self)
            .ok_or_else(|| InputValueError::custom("not an instant such as 2026-11-22T10:40:00Z"))
    }

    fn to_value(&self) -> Value {
        Value::String(self.0.to_string())
    }
}

impl From<Timestamp> for DateTime {
    fn from(instant: Timestamp) -> Self {
        Self(instant)
    }
}

/// An exact base-10 number as text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decimal(String);

/// Exact base-10 number as a string, such as "12.50"; never a JSON number, because that may be read as a float.
#[Scalar]
impl ScalarType for Decimal {
    fn parse(value: Value) -> InputValueResult<Self> {
        let Value::String(text) = value else {
            return Err(InputValueError::custom("send a decimal as a string, such as \"12.50\""));
        };
        if is_decimal(&text) {
            Ok(Self(text))
        } else {
            Err(InputValueError::custom("not a decimal number such as 12.50"))
        }
    }

    fn to_value(&self) -> Value {
        Value::String(self.0.clone())
    }
}

impl Decimal {
    /// The text, in the grammar of the scalar; how large and how exact it may be is the use case's question.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<Micros> for Decimal {
    fn from(micros: Micros) -> Self {
        Self(micros.to_string())
    }
}

impl From<Percent> for Decimal {
    fn from(percent: Percent) -> Self {
        Self(percent.to_string())
    }
}

/// ASCII digits with at most one point and a minus at most; 40 characters hold every sum that we know.
fn is_decimal(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let (whole, decimals) = digits.split_once('.').unwrap_or((digits, "0"));
    let all_digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    text.len() <= 40 && all_digits(whole) && all_digits(decimals)
}

/// A whole number that a double holds exactly.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SafeInt(pub i64);

/// The largest whole number that every JSON reader holds exactly: 2^53 - 1.
const SAFE_INT_MAX: i64 = (1 << 53) - 1;

/// Whole number up to 2^53 - 1, sent as a JSON number; Int has 31 bits only.
#[Scalar]
impl ScalarType for SafeInt {
    fn parse(value: Value) -> InputValueResult<Self> {
        let Value::Number(number) = value else { return Err(InputValueError::custom("not a whole number")) };
        let whole = number.as_i64().filter(|whole| (-SAFE_INT_MAX..=SAFE_INT_MAX).contains(whole));
        whole.map(Self).ok_or_else(|| InputValueError::custom("not a whole number up to 2^53 - 1"))
    }

    fn to_value(&self) -> Value {
        Value::from(self.0.clamp(-SAFE_INT_MAX, SAFE_INT_MAX))
    }
}

/// An absolute http or https URL, as it was set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Url(pub String);

/// Absolute http or https URL.
#[Scalar(name = "URL", specified_by_url = "https://url.spec.whatwg.org/")]
impl ScalarType for Url {
    fn parse(value: Value) -> InputValueResult<Self> {
        let text = text(value)?;
        let usable = url::Url::parse(&text).is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
        if usable { Ok(Self(text)) } else { Err(InputValueError::custom("not an absolute http or https URL")) }
    }

    fn to_value(&self) -> Value {
        Value::String(self.0.clone())
    }
}

/// An address, or the network that is kept of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IpAddress(pub String);

/// IPv4 or IPv6 address. What we keep of the addresses of people and servers is their network, /24 or /48.
#[Scalar]
impl ScalarType for IpAddress {
    fn parse(value: Value) -> InputValueResult<Self> {
        let text = text(value)?;
        let address: IpAddr = text.parse().map_err(|_| InputValueError::custom("not an IPv4 or IPv6 address"))?;
        Ok(Self(address.to_string()))
    }

    fn to_value(&self) -> Value {
        Value::String(self.0.clone())
    }
}

impl IpAddress {
    /// The address, when this is one and not a network.
    pub fn address(&self) -> Option<IpAddr> {
        self.0.parse().ok()
    }
}

/// A currency that ISO 4217 knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CurrencyCode(pub Currency);

/// ISO 4217 code, such as EUR.
#[Scalar(specified_by_url = "https://www.iso.org/iso-4217-currency-codes.html")]
impl ScalarType for CurrencyCode {
    fn parse(value: Value) -> InputValueResult<Self> {
        Currency::parse(&text(value)?)
            .map(Self)
            .ok_or_else(|| InputValueError::custom("not an ISO 4217 code such as EUR"))
    }

    fn to_value(&self) -> Value {
        Value::String(self.0.to_string())
    }
}

/// A time zone of the IANA database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TimeZone(pub Zone);

/// IANA time zone, such as Europe/Berlin.
#[Scalar(specified_by_url = "https://www.iana.org/time-zones")]
impl ScalarType for TimeZone {
    fn parse(value: Value) -> InputValueResult<Self> {
        Zone::parse(&text(value)?)
            .map(Self)
            .ok_or_else(|| InputValueError::custom("not an IANA time zone such as Europe/Berlin"))
    }

    fn to_value(&self) -> Value {
        Value::String(self.0.name().to_owned())
    }
}

/// The text of a string; another value is refused, whatever could be made of it.
fn text(value: Value) -> Result<String, &'static str> {
    match value {
        Value::String(text) => Ok(text),
        Value::Null
        | Value::Number(_)
        | Value::Boolean(_)
        | Value::Binary(_)
        | Value::Enum(_)
        | Value::List(_)
        | Value::Object(_) => Err("not a string"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_decimal_is_a_string_and_never_a_number() {
        for good in ["0", "12.50", "-3", "999999999.999999"] {
            assert_eq!(Decimal::parse(Value::from(good)).unwrap().to_value(), Value::from(good));
        }
        for wrong in ["", "1.", ".5", "1,5", "1e3", "+1", " 1", "1.2.3", "0x1", &"9".repeat(41)] {
            assert!(Decimal::parse(Value::from(wrong)).is_err(), "{wrong}");
        }
        assert!(Decimal::parse(Value::from(12)).is_err());
    }

    #[test]
    fn a_safe_int_ends_where_doubles_do() {
        assert!(SafeInt::parse(Value::from(SAFE_INT_MAX)).is_ok());
        assert!(SafeInt::parse(Value::from(SAFE_INT_MAX + 1)).is_err());
        assert!(SafeInt::parse(Value::from("1")).is_err());
    }

    #[test]
    fn an_instant_is_read_with_any_offset_and_printed_in_utc() {
        let instant = DateTime::parse(Value::from("2026-11-22T11:40:00+01:00")).unwrap();
        assert_eq!(instant.to_value(), Value::from("2026-11-22T10:40:00Z"));
        assert!(DateTime::parse(Value::from("2026-11-22")).is_err());
        assert!(DateTime::parse(Value::from(1_795_344_000)).is_err());
    }

    #[test]
    fn a_url_leads_somewhere_and_an_address_is_one() {
        for wrong in ["javascript:alert(1)", "/relative", "ftp://example.com", "https://"] {
            assert!(Url::parse(Value::from(wrong)).is_err(), "{wrong}");
        }
        assert!(Url::parse(Value::from("https://example.com/a?b=c")).is_ok());
        for wrong in ["203.0.113.0/24", "203.0.113.9:80", "localhost"] {
            assert!(IpAddress::parse(Value::from(wrong)).is_err(), "{wrong}");
        }
    }
}
