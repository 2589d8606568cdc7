//! Money: an integer number of micro-units with an ISO 4217 currency, from the parser to the column.
//!
//! Refuses signs, grouping, exponents and any mark but a point: the same text must mean the same sum for
//! every sender. No float anywhere, because 0.1 is not one; products are computed in 128 bits and rounded
//! half-even, because rounding half up would drift in favour of one side.

use std::fmt;

use serde::{Deserialize, Serialize};

const MICROS_PER_UNIT: i64 = 1_000_000;
const MICROS_PER_UNIT_U64: u64 = MICROS_PER_UNIT.unsigned_abs();
/// Digits before the point in the grammar of amounts.
const WHOLE_DIGITS_MAX: usize = 9;
/// Digits after the point in the grammar of amounts; those after the sixth are rounded away.
const DECIMALS_MAX: usize = 18;
const DECIMALS_KEPT: usize = 6;

/// A sum in millionths of a currency unit. Signed, because figures move by differences.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Micros(i64);

impl Micros {
    pub const ZERO: Self = Self(0);
    /// The highest amount that anybody may send or set: 999 999 999.999999.
    pub const MAX_WIRE: Self = Self(999_999_999_999_999);

    pub const fn from_i64(micros: i64) -> Self {
        Self(micros)
    }

    pub const fn as_i64(self) -> i64 {
        self.0
    }

    /// `None` when the sum does not fit in 64 bits.
    pub const fn checked_add(self, other: Self) -> Option<Self> {
        match self.0.checked_add(other.0) {
            Some(sum) => Some(Self(sum)),
            None => None,
        }
    }

    /// `None` when the difference does not fit in 64 bits.
    pub const fn checked_sub(self, other: Self) -> Option<Self> {
        match self.0.checked_sub(other.0) {
            Some(difference) => Some(Self(difference)),
            None => None,
        }
    }
}

/// The exact decimal text with a point: at least two decimals, at most six, such as `12.50`.
impl fmt::Display for Micros {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_decimal(f, self.0, 2)
    }
}

/// An ISO 4217 code, in upper case.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Currency([u8; 3]);

impl Currency {
    /// Reads a code in any ASCII case; `None` when ISO 4217 does not know it.
    pub fn parse(text: &str) -> Option<Self> {
        let mut code: [u8; 3] = text.as_bytes().try_into().ok()?;
        code.make_ascii_uppercase();
        let upper = std::str::from_utf8(&code).ok()?;
        iso_currency::Currency::from_code(upper).map(|_| Self(code))
    }

    pub fn as_str(&self) -> &str {
        // Three ASCII letters by construction, so this never falls back.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl From<Currency> for String {
    fn from(currency: Currency) -> Self {
        currency.as_str().to_owned()
    }
}

impl TryFrom<String> for Currency {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text).ok_or("not an ISO 4217 code")
    }
}

impl fmt::Debug for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Currency({})", self.as_str())
    }
}

/// An amount as it was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ParsedAmount {
    /// 0 to [`Micros::MAX_WIRE`].
    pub micros: Micros,
    /// The seventh decimal or a later one was not zero, so the value changed.
    pub rounded: bool,
}

/// Why a text is no amount.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AmountError {
    #[error("not a plain number such as 12.50")]
    NotANumber,
    /// Also when only rounding leads above the maximum: the nearest lower amount would be a guess.
    #[error("above 999999999.999999")]
    TooLarge,
    #[error("more than 18 decimals")]
    TooPrecise,
}

/// Reads `^[0-9]{1,9}(\.[0-9]{1,18})?$`, ASCII only; decimals after the sixth are rounded half-even.
/// The wire and the admin API read amounts with this one function.
pub fn parse_amount(text: &str) -> Result<ParsedAmount, AmountError> {
    let (whole, decimals) = split_number(text).ok_or(AmountError::NotANumber)?;
    if whole.len() > WHOLE_DIGITS_MAX {
        return Err(AmountError::TooLarge);
    }
    if decimals.len() > DECIMALS_MAX {
        return Err(AmountError::TooPrecise);
    }
    let (kept, dropped) = decimals.split_at(decimals.len().min(DECIMALS_KEPT));
    let floor = digits_value(whole) * MICROS_PER_UNIT + padded_millionths(kept);
    let micros = floor + i64::from(rounds_up(floor, dropped));
    if micros > Micros::MAX_WIRE.0 {
        return Err(AmountError::TooLarge);
    }
    Ok(ParsedAmount { micros: Micros(micros), rounded: dropped.iter().any(|digit| *digit != b'0') })
}

/// A share of another amount, in millionths of a percent: 12.5 % is 12 500 000. 0 to 1000 %.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Percent(i64);

impl Percent {
    /// 1000 %: a share above the whole is unusual, but is agreed upon (a first deposit, for one).
    pub const MAX: Self = Self(1000 * MICROS_PER_UNIT);

    /// `None` outside 0 to 1000 %.
    pub const fn from_i64(micro_percent: i64) -> Option<Self> {
        if micro_percent >= 0 && micro_percent <= Self::MAX.0 { Some(Self(micro_percent)) } else { None }
    }

    pub const fn as_i64(self) -> i64 {
        self.0
    }

    /// Reads the grammar of amounts, without a percent sign.
    /// `None` outside 0 to 1000 % and where a seventh decimal would be lost: a rate is set by a person,
    /// who can be asked again.
    pub fn parse(text: &str) -> Option<Self> {
        let parsed = parse_amount(text).ok()?;
        if parsed.rounded { None } else { Self::from_i64(parsed.micros.0) }
    }

    /// This share of `base`, rounded half-even to a micro-unit; `None` when it does not fit in 64 bits.
    pub fn of(self, base: Micros) -> Option<Micros> {
        let product = i128::from(base.0) * i128::from(self.0);
        let share = divide_half_even(product, 100 * i128::from(MICROS_PER_UNIT));
        i64::try_from(share).ok().map(Micros)
    }
}

/// Without a percent sign and without needless decimals: `12.5`.
impl fmt::Display for Percent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_decimal(f, self.0, 0)
    }
}

/// What one conversion brings: the revenue or the payout of an offer, or a publisher's own rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Price {
    Fixed(Micros),
    /// Of the purchase value, else of accepted revenue.
    Percent(Percent),
}

/// The digits before and after the point; `None` when anything else is in the text.
fn split_number(text: &str) -> Option<(&[u8], &[u8])> {
    let (whole, decimals) = match text.split_once('.') {
        Some((_, "")) => return None,
        Some((whole, decimals)) => (whole, decimals),
        None => (text, ""),
    };
    let plain = !whole.is_empty() && whole.bytes().chain(decimals.bytes()).all(|b| b.is_ascii_digit());
    plain.then_some((whole.as_bytes(), decimals.as_bytes()))
}

/// Of at most nine ASCII digits, so it never overflows.
fn digits_value(digits: &[u8]) -> i64 {
    digits.iter().fold(0, |value, digit| value * 10 + i64::from(digit - b'0'))
}

/// Reads up to six decimals as millionths: `5` is 500 000.
fn padded_millionths(decimals: &[u8]) -> i64 {
    (decimals.len()..DECIMALS_KEPT).fold(digits_value(decimals), |value, _| value * 10)
}

/// Half-even: is `floor` followed by these decimals nearer to `floor + 1`, or half way with `floor` odd?
fn rounds_up(floor: i64, dropped: &[u8]) -> bool {
    match dropped.split_first() {
        None => false,
        Some((b'5', rest)) => floor % 2 == 1 || rest.iter().any(|digit| *digit != b'0'),
        Some((first, _)) => *first > b'5',
    }
}

/// Half-even.
pub(super) fn divide_half_even(numerator: i128, positive_divisor: i128) -> i128 {
    let quotient = numerator.div_euclid(positive_divisor);
    let twice_rest = numerator.rem_euclid(positive_divisor) * 2;
    let up = twice_rest > positive_divisor || (twice_rest == positive_divisor && quotient % 2 != 0);
    quotient + i128::from(up)
}

fn write_decimal(f: &mut fmt::Formatter<'_>, millionths: i64, decimals_min: usize) -> fmt::Result {
    let sign = if millionths < 0 { "-" } else { "" };
    let size = millionths.unsigned_abs();
    let decimals = format!("{:06}", size % MICROS_PER_UNIT_U64);
    let kept = decimals.trim_end_matches('0').len().max(decimals_min);
    let point = if kept == 0 { "" } else { "." };
    f.pad(&format!("{sign}{}{point}{}", size / MICROS_PER_UNIT_U64, &decimals[..kept]))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn micros(text: &str) -> Result<i64, AmountError> {
        parse_amount(text).map(|parsed| parsed.micros.as_i64())
    }

    #[test]
    fn an_amount_is_plain_digits_with_one_point() {
        for (text, expected) in [
            ("0", 0),
            ("12", 12_000_000),
            ("12.5", 12_500_000),
            ("012.50", 12_500_000),
            ("0.000001", 1),
            ("999999999", 999_999_999_000_000),
            ("999999999.999999", 999_999_999_999_999),
            ("1.123456000000000000", 1_123_456),
        ] {
            assert_eq!(parse_amount(text), Ok(ParsedAmount { micros: Micros(expected), rounded: false }), "{text}");
        }
    }

    #[test]
    fn anything_else_is_no_amount() {
        for text in [
            "",
            ".",
            ".5",
            "5.",
            "-1",
            "+1",
            "1,5",
            "1.5.0",
            "1e3",
            "0x10",
            " 1",
            "1 ",
            "1_000",
            "1'000",
            "€1",
            "1EUR",
            "NaN",
            "inf",
            "١٢",
            "１２",
            "1.\u{0662}",
            "1.-5",
        ] {
            assert_eq!(parse_amount(text), Err(AmountError::NotANumber), "{text}");
        }
    }

    #[test]
    fn the_grammar_ends_at_nine_digits_and_eighteen_decimals() {
        assert_eq!(micros("99999999"), Ok(99_999_999_000_000));
        assert_eq!(micros("999999999"), Ok(999_999_999_000_000));
        assert_eq!(micros("1000000000"), Err(AmountError::TooLarge));
        assert_eq!(micros("0000000001"), Err(AmountError::TooLarge));
        assert_eq!(micros(&format!("1.{}", "0".repeat(17))), Ok(1_000_000));
        assert_eq!(micros(&format!("1.{}", "0".repeat(18))), Ok(1_000_000));
        assert_eq!(micros(&format!("1.{}", "0".repeat(19))), Err(AmountError::TooPrecise));
    }

    #[test]
    fn more_than_six_decimals_are_rounded_half_even() {
        for (text, expected) in [
            ("0.0000005", 0),
            ("0.0000015", 2),
            ("0.0000025", 2),
            ("0.00000250000001", 3),
            ("0.0000024999999", 2),
            ("0.0000026", 3),
            ("1.9999996", 2_000_000),
        ] {
            assert_eq!(parse_amount(text), Ok(ParsedAmount { micros: Micros(expected), rounded: true }), "{text}");
        }
    }

    #[test]
    fn rounding_above_the_maximum_is_an_error() {
        assert_eq!(micros("999999999.9999994"), Ok(999_999_999_999_999));
        assert_eq!(micros("999999999.9999995"), Err(AmountError::TooLarge));
        assert_eq!(micros("999999999.9999999"), Err(AmountError::TooLarge));
    }

    #[test]
    fn micros_print_two_to_six_decimals() {
        for (value, text) in [
            (0, "0.00"),
            (12_500_000, "12.50"),
            (12_000_000, "12.00"),
            (1, "0.000001"),
            (-1_230_000, "-1.23"),
            (i64::MIN, "-9223372036854.775808"),
        ] {
            assert_eq!(Micros(value).to_string(), text);
        }
    }

    #[test]
    fn sums_that_do_not_fit_are_none() {
        let one = Micros::from_i64(1);
        assert_eq!(one.checked_add(one), Some(Micros(2)));
        assert_eq!(Micros(i64::MAX).checked_add(one), None);
        assert_eq!(Micros(i64::MIN).checked_sub(one), None);
        assert_eq!(Micros::ZERO.checked_sub(one), Some(Micros(-1)));
    }

    #[test]
    fn a_currency_is_an_iso_code_in_any_case() {
        assert_eq!(Currency::parse("eUr").map(|c| c.to_string()).as_deref(), Some("EUR"));
        assert_eq!(Currency::parse("JPY").map(|c| format!("{c:?}")).as_deref(), Some("Currency(JPY)"));
        for wrong in ["", "EU", "EURO", "ZZZ", "E R", "€", " EUR", "E\u{0}R"] {
            assert_eq!(Currency::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_percentage_reads_prints_and_stays_within_a_thousand() {
        for (text, value, printed) in [
            ("0", 0, "0"),
            ("12.5", 12_500_000, "12.5"),
            ("12.50", 12_500_000, "12.5"),
            ("100", 100_000_000, "100"),
            ("999.999999", 999_999_999, "999.999999"),
            ("1000", 1_000_000_000, "1000"),
        ] {
            let percent = Percent::parse(text).unwrap();
            assert_eq!((percent.as_i64(), percent.to_string().as_str()), (value, printed));
        }
        for wrong in ["1000.000001", "-1", "12.5%", "0.0000001", ""] {
            assert_eq!(Percent::parse(wrong), None, "{wrong}");
        }
        assert_eq!(Percent::from_i64(-1), None);
        assert_eq!(Percent::from_i64(1_000_000_001), None);
    }

    #[test]
    fn a_share_is_rounded_half_even() {
        let half = Percent::parse("50").unwrap();
        for (base, share) in [(1, 0), (3, 2), (5, 2), (-1, 0), (-3, -2), (-5, -2), (2_000_000, 1_000_000)] {
            assert_eq!(half.of(Micros(base)), Some(Micros(share)), "{base}");
        }
        assert_eq!(Percent::parse("12.5").unwrap().of(Micros(80_000_000)), Some(Micros(10_000_000)));
        assert_eq!(Percent::MAX.of(Micros(i64::MAX)), None);
        assert_eq!(Percent::MAX.of(Micros::MAX_WIRE), Some(Micros(9_999_999_999_999_990)));
    }

    proptest! {
        #[test]
        fn every_wire_amount_reads_back_from_its_text(value in 0..=Micros::MAX_WIRE.0) {
            let text = Micros(value).to_string();
            prop_assert_eq!(parse_amount(&text), Ok(ParsedAmount { micros: Micros(value), rounded: false }));
        }

        #[test]
        fn no_text_panics(text in ".*") {
            if let Ok(parsed) = parse_amount(&text) {
                prop_assert!(parsed.micros >= Micros::ZERO && parsed.micros <= Micros::MAX_WIRE);
            }
            let _ = (Currency::parse(&text), Percent::parse(&text));
        }
    }
}
