//! Sums and prices.

use async_graphql::{OneofObject, Result, SimpleObject};

use crate::{
    app::form::PriceDraft,
    domain::money::{self, Currency, Micros, parse_amount},
    graphql::{
        error,
        scalars::{CurrencyCode, Decimal},
    },
};

/// A sum of money.
#[derive(Clone, Debug, PartialEq, Eq, SimpleObject)]
pub struct Money {
    /// How much, in units of the currency.
    pub amount: Decimal,
    /// Of which currency. Sums of different currencies are never added.
    pub currency: CurrencyCode,
}

impl Money {
    pub fn of(micros: Micros, currency: Currency) -> Self {
        Self { amount: micros.into(), currency: CurrencyCode(currency) }
    }
}

/// What one conversion brings: a fixed sum, or a percentage of the purchase value; exactly one is set.
#[derive(Clone, Debug, PartialEq, Eq, SimpleObject)]
pub struct Price {
    /// The same sum for every conversion.
    pub fixed: Option<Money>,
    /// Percent of the purchase value, else of accepted revenue.
    pub percent: Option<Decimal>,
}

impl Price {
    pub fn of(price: money::Price, currency: Currency) -> Self {
        match price {
            money::Price::Fixed(micros) => Self { fixed: Some(Money::of(micros, currency)), percent: None },
            money::Price::Percent(percent) => Self { fixed: None, percent: Some(percent.into()) },
        }
    }
}

/// A fixed sum in the offer's currency, or a percentage: exactly one.
#[derive(Clone, Debug, OneofObject)]
pub enum PriceInput {
    /// The same sum for every conversion, at most 999999999.999999.
    Fixed(Decimal),
    /// Percent of the purchase value, 0 to 1000 with at most six decimals.
    Percent(Decimal),
}

impl PriceInput {
    /// As the use cases read it.
    pub fn draft(self) -> PriceDraft {
        match self {
            Self::Fixed(amount) => PriceDraft { fixed: Some(amount.as_str().to_owned()), percent: None },
            Self::Percent(share) => PriceDraft { fixed: None, percent: Some(share.as_str().to_owned()) },
        }
    }
}

/// An amount that is looked for: what would be rounded is refused.
///
/// # Errors
/// What the caller can put right.
pub fn read_amount(amount: &Decimal) -> Result<Micros> {
    match parse_amount(amount.as_str()) {
        Ok(parsed) if !parsed.rounded => Ok(parsed.micros),
        Ok(_) => Err(error::bad_user_input("Send at most six decimals.")),
        Err(fault) => Err(error::bad_user_input(format!("This amount is {fault}."))),
    }
}
