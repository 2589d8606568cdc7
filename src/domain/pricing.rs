//! What a conversion is worth: the offer's word first, the wire's only where the offer takes it.
//!
//! Never guesses a number, never loses a conversion to one: what cannot be decided is a reason to wait
//! ([`PendingReason`]), and only an offer set to strict amounts refuses.

use super::code::Code;
use super::conversion::{Money, PendingReason, Reported, Source};
use super::inbound::{AmountSlot, CurrencySlot, Problem, Warning, WarningCode};
use super::money::{Currency, Micros, Price};
use super::offer::{Offer, Prices};

/// The money of a request as it came.
#[derive(Clone, Debug, Default)]
pub struct WireAmounts {
    pub revenue: AmountSlot,
    pub payout: AmountSlot,
    pub purchase_value: AmountSlot,
    pub currency: CurrencySlot,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Priced {
    pub money: Money,
    pub reported: Reported,
    /// In the order of the closed list.
    pub holds: Vec<PendingReason>,
    pub warnings: Vec<Warning>,
}

/// Which amounts of the wire an offer takes from this source.
#[derive(Clone, Copy)]
struct Taken {
    revenue: bool,
    payout: bool,
    purchase_value: bool,
}

/// Prices a conversion or an event: `prices` are what the offer pays for it.
///
/// # Errors
/// `invalid_amount` or `invalid_currency`, on an offer set to strict amounts only; never for a pixel.
pub fn price(offer: &Offer, prices: Prices, source: Source, wire: &WireAmounts) -> Result<Priced, Problem> {
    if offer.switches.strict_amounts && source != Source::ImagePixel {
        refuse_unreadable(wire)?;
    }
    let taken = taken(offer, source);
    let mut pricing = Pricing { wire, taken, unresolved: false, holds: Vec::new(), warnings: Vec::new() };
    let foreign = pricing.foreign_currency(offer, prices);
    let revenue = pricing.revenue(prices.revenue);
    let payout = pricing.payout(prices.payout);
    pricing.warn_unreadable();
    if payout.is_some_and(|payout| offer.payout_ceiling.is_some_and(|ceiling| payout > ceiling)) {
        pricing.holds.push(PendingReason::PayoutOverCeiling);
    }
    let reported = pricing.reported(foreign);
    let money = Money { currency: offer.currency, revenue, payout, purchase_value: readable(&wire.purchase_value) };
    Ok(Priced { money, reported, holds: pricing.holds, warnings: pricing.warnings })
}

fn taken(offer: &Offer, source: Source) -> Taken {
    let ceiling = offer.payout_ceiling.is_some();
    match source {
        Source::Postback => Taken {
            revenue: offer.switches.wire_revenue_trusted,
            payout: offer.switches.wire_payout_trusted && ceiling,
            purchase_value: true,
        },
        Source::Clickless => Taken { revenue: true, payout: ceiling, purchase_value: true },
        Source::ImagePixel => Taken { revenue: false, payout: false, purchase_value: false },
    }
}

fn refuse_unreadable(wire: &WireAmounts) -> Result<(), Problem> {
    let amounts = [("revenue", &wire.revenue), ("payout", &wire.payout), ("purchase_value", &wire.purchase_value)];
    for (field, slot) in amounts {
        if let AmountSlot::Unreadable(text) = slot {
            return Err(problem(
                Code::InvalidAmount,
                field,
                text,
                "This offer takes plain numbers such as 12.50 only.",
            ));
        }
    }
    match &wire.currency {
        CurrencySlot::Unknown(text) => {
            Err(problem(Code::InvalidCurrency, "currency", text, "ISO 4217 does not know this currency."))
        }
        CurrencySlot::Absent | CurrencySlot::Known(_) => Ok(()),
    }
}

fn problem(code: Code, field: &'static str, received: &str, detail: &str) -> Problem {
    Problem { code, field, received: Some(received.to_owned()), detail: detail.to_owned() }
}

fn readable(slot: &AmountSlot) -> Option<Micros> {
    match slot {
        AmountSlot::Value(micros) => Some(*micros),
        AmountSlot::Absent | AmountSlot::Unreadable(_) => None,
    }
}

fn sent(slot: &AmountSlot) -> bool {
    match slot {
        AmountSlot::Absent => false,
        AmountSlot::Value(_) | AmountSlot::Unreadable(_) => true,
    }
}

struct Pricing<'a> {
    wire: &'a WireAmounts,
    taken: Taken,
    /// An amount that counts came in a currency that is not the offer's: nothing sent is worth a number yet.
    unresolved: bool,
    holds: Vec<PendingReason>,
    warnings: Vec<Warning>,
}

impl Pricing<'_> {
    /// The currency on the wire where it is not the offer's; holds the conversion where an amount counts.
    fn foreign_currency(&mut self, offer: &Offer, prices: Prices) -> Option<Currency> {
        let counts = self.an_amount_counts(prices);
        let (foreign, warning) = match &self.wire.currency {
            CurrencySlot::Absent => return None,
            CurrencySlot::Known(currency) if *currency == offer.currency => return None,
            CurrencySlot::Known(currency) => (Some(*currency), WarningCode::CurrencyDiffers),
            CurrencySlot::Unknown(_) => (None, WarningCode::CurrencyUnknown),
        };
        self.warn(warning, "currency");
        if counts {
            self.unresolved = true;
            self.hold(PendingReason::CurrencyUnresolved);
        }
        foreign
    }

    fn an_amount_counts(&self, prices: Prices) -> bool {
        let revenue_counts = self.taken.revenue && sent(&self.wire.revenue);
        let payout_counts = self.taken.payout && sent(&self.wire.payout);
        revenue_counts || payout_counts || self.basket_counts(prices)
    }

    /// Is the basket the base of a percentage that nothing on the wire replaces?
    fn basket_counts(&self, prices: Prices) -> bool {
        let by_percent = |price: Price| matches!(price, Price::Percent(_));
        let revenue_asks = by_percent(prices.revenue) && !(self.taken.revenue && sent(&self.wire.revenue));
        let payout_asks = by_percent(prices.payout) && !(self.taken.payout && sent(&self.wire.payout));
        self.taken.purchase_value && sent(&self.wire.purchase_value) && (revenue_asks || payout_asks)
    }

    fn revenue(&mut self, price: Price) -> Option<Micros> {
        if sent(&self.wire.revenue) {
            if self.taken.revenue {
                return self.accept(&self.wire.revenue, "revenue");
            }
            self.warn(WarningCode::RevenueReportedOnly, "revenue");
        }
        self.priced(price, None)
    }

    fn payout(&mut self, price: Price) -> Option<Micros> {
        if sent(&self.wire.payout) {
            if self.taken.payout {
                return self.accept(&self.wire.payout, "payout");
            }
            self.warn(WarningCode::PayoutReportedOnly, "payout");
        }
        let accepted_revenue = if self.taken.revenue { readable(&self.wire.revenue) } else { None };
        self.priced(price, accepted_revenue)
    }

    /// An amount of the wire that counts.
    fn accept(&mut self, slot: &AmountSlot, field: &str) -> Option<Micros> {
        let value = readable(slot);
        if value.is_none() {
            self.warn(WarningCode::AmountUnreadable, field);
            self.hold(PendingReason::AmountUnreadable);
        }
        value.filter(|_| !self.unresolved)
    }

    /// The offer's own price; a percentage is of the basket, else of `fallback_base`.
    fn priced(&mut self, price: Price, fallback_base: Option<Micros>) -> Option<Micros> {
        let percent = match price {
            Price::Fixed(amount) => return Some(amount),
            Price::Percent(percent) => percent,
        };
        let basket = if self.taken.purchase_value { readable(&self.wire.purchase_value) } else { None };
        let Some(base) = basket.or(fallback_base) else {
            let unreadable = self.taken.purchase_value && sent(&self.wire.purchase_value);
            self.hold(if unreadable { PendingReason::AmountUnreadable } else { PendingReason::AmountMissing });
            return None;
        };
        if self.unresolved {
            return None;
        }
        let part = percent.of(base);
        if part.is_none() {
            self.hold(PendingReason::AmountUnreadable);
        }
        part
    }

    fn warn_unreadable(&mut self) {
        let amounts = [
            ("revenue", &self.wire.revenue),
            ("payout", &self.wire.payout),
            ("purchase_value", &self.wire.purchase_value),
        ];
        for (field, slot) in amounts {
            let said = self.warnings.iter().any(|w| w.code == WarningCode::AmountUnreadable && w.field == field);
            if matches!(slot, AmountSlot::Unreadable(_)) && !said {
                self.warn(WarningCode::AmountUnreadable, field);
            }
        }
    }

    /// What was sent and did not count.
    fn reported(&self, foreign: Option<Currency>) -> Reported {
        let keep = |slot: &AmountSlot, taken: bool| readable(slot).filter(|_| !taken || self.unresolved);
        Reported {
            revenue: keep(&self.wire.revenue, self.taken.revenue),
            payout: keep(&self.wire.payout, self.taken.payout),
            currency: foreign,
        }
    }

    fn hold(&mut self, reason: PendingReason) {
        if !self.holds.contains(&reason) {
            self.holds.push(reason);
        }
    }

    fn warn(&mut self, code: WarningCode, field: &str) {
        self.warnings.push(Warning { code, field: field.to_owned(), hint: None });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::fixtures::{eur, offer, publisher};
    use crate::domain::money::Percent;

    fn units(amount: i64) -> Micros {
        Micros::from_i64(amount * 1_000_000)
    }

    fn value(amount: i64) -> AmountSlot {
        AmountSlot::Value(units(amount))
    }

    fn percent(whole: i64) -> Price {
        Price::Percent(Percent::from_i64(whole * 1_000_000).unwrap())
    }

    fn priced(offer: &Offer, wire: &WireAmounts) -> Priced {
        price(offer, offer.prices(publisher(), None), Source::Postback, wire).unwrap()
    }

    #[test]
    fn without_amounts_the_offers_own_prices_count_and_a_publishers_rate_beats_them() {
        let mut offer = offer();
        let plain = priced(&offer, &WireAmounts::default());
        assert_eq!((plain.money.revenue, plain.money.payout), (Some(units(10)), Some(units(7))));
        offer.rates.insert(publisher(), Price::Fixed(units(8)));
        assert_eq!(priced(&offer, &WireAmounts::default()).money.payout, Some(units(8)));
    }

    #[test]
    fn amounts_of_the_wire_are_only_reported_until_the_offer_takes_them() {
        let mut offer = offer();
        let wire = WireAmounts { revenue: value(99), payout: value(98), ..WireAmounts::default() };
        let reported = priced(&offer, &wire);
        assert_eq!((reported.money.revenue, reported.money.payout), (Some(units(10)), Some(units(7))));
        assert_eq!((reported.reported.revenue, reported.reported.payout), (Some(units(99)), Some(units(98))));
        assert_eq!(reported.warnings.len(), 2);

        offer.switches.wire_revenue_trusted = true;
        offer.switches.wire_payout_trusted = true;
        let no_ceiling = priced(&offer, &wire);
        assert_eq!((no_ceiling.money.revenue, no_ceiling.money.payout), (Some(units(99)), Some(units(7))));

        offer.payout_ceiling = Some(units(98));
        assert_eq!(priced(&offer, &wire).money.payout, Some(units(98)));
        assert_eq!(priced(&offer, &wire).holds, []);
        offer.payout_ceiling = Some(units(97));
        assert_eq!(priced(&offer, &wire).holds, [PendingReason::PayoutOverCeiling]);
    }

    #[test]
    fn a_percentage_is_of_the_basket_else_of_accepted_revenue_else_it_waits() {
        let mut offer = offer();
        offer.payout = percent(10);
        let basket = WireAmounts { purchase_value: value(50), revenue: value(20), ..WireAmounts::default() };
        assert_eq!(priced(&offer, &basket).money.payout, Some(units(5)));
        let no_basket = WireAmounts { purchase_value: AmountSlot::Absent, ..basket.clone() };
        assert_eq!(priced(&offer, &no_basket).holds, [PendingReason::AmountMissing]);
        offer.switches.wire_revenue_trusted = true;
        assert_eq!(priced(&offer, &no_basket).money.payout, Some(units(2)));
        let torn = WireAmounts { purchase_value: AmountSlot::Unreadable("5O".into()), ..WireAmounts::default() };
        let torn = priced(&offer, &torn);
        assert_eq!(torn.holds, [PendingReason::AmountUnreadable]);
        assert_eq!(torn.warnings.len(), 1);
    }

    #[test]
    fn an_unreadable_amount_waits_where_it_counts_warns_where_not_and_refuses_where_the_offer_is_strict() {
        let mut offer = offer();
        let wire = WireAmounts { revenue: AmountSlot::Unreadable("12,50".into()), ..WireAmounts::default() };
        let ignored = priced(&offer, &wire);
        assert_eq!((ignored.holds.len(), ignored.money.revenue), (0, Some(units(10))));
        assert!(ignored.warnings.iter().any(|w| w.code == WarningCode::AmountUnreadable));
        offer.switches.wire_revenue_trusted = true;
        assert_eq!(priced(&offer, &wire).holds, [PendingReason::AmountUnreadable]);
        offer.switches.strict_amounts = true;
        let refused = price(&offer, offer.prices(publisher(), None), Source::Postback, &wire).unwrap_err();
        assert_eq!((refused.code, refused.field), (Code::InvalidAmount, "revenue"));
        assert!(price(&offer, offer.prices(publisher(), None), Source::ImagePixel, &wire).is_ok());
    }

    #[test]
    fn another_currency_is_kept_as_sent_and_waits_where_an_amount_counts() {
        let mut offer = offer();
        let usd = Currency::parse("USD").unwrap();
        let wire = WireAmounts { revenue: value(5), currency: CurrencySlot::Known(usd), ..WireAmounts::default() };
        assert_eq!(priced(&offer, &wire).holds, []);
        offer.switches.wire_revenue_trusted = true;
        let held = priced(&offer, &wire);
        assert_eq!(held.holds, [PendingReason::CurrencyUnresolved]);
        assert_eq!((held.money.revenue, held.money.payout), (None, Some(units(7))));
        assert_eq!((held.reported.revenue, held.reported.currency), (Some(units(5)), Some(usd)));
        let same = WireAmounts { currency: CurrencySlot::Known(eur()), ..wire.clone() };
        assert_eq!(priced(&offer, &same).money.revenue, Some(units(5)));

        let unknown = WireAmounts { currency: CurrencySlot::Unknown("EURO".into()), ..wire };
        let held = priced(&offer, &unknown);
        assert_eq!(
            (held.holds.as_slice(), held.reported.revenue),
            ([PendingReason::CurrencyUnresolved].as_slice(), Some(units(5)))
        );
        offer.switches.strict_amounts = true;
        let refused = price(&offer, offer.prices(publisher(), None), Source::Postback, &unknown).unwrap_err();
        assert_eq!(refused.code, Code::InvalidCurrency);
    }

    #[test]
    fn clickless_revenue_is_the_advertisers_statement_and_a_pixels_amounts_are_never_believed() {
        let mut offer = offer();
        offer.switches.wire_revenue_trusted = true;
        let wire =
            WireAmounts { revenue: value(3), payout: value(2), purchase_value: value(100), ..WireAmounts::default() };
        let clickless = price(&offer, offer.prices(publisher(), None), Source::Clickless, &wire).unwrap();
        assert_eq!((clickless.money.revenue, clickless.money.payout), (Some(units(3)), Some(units(7))));
        offer.payout_ceiling = Some(units(100));
        assert_eq!(
            price(&offer, offer.prices(publisher(), None), Source::Clickless, &wire).unwrap().money.payout,
            Some(units(2))
        );
        let pixel = price(&offer, offer.prices(publisher(), None), Source::ImagePixel, &wire).unwrap();
        assert_eq!((pixel.money.revenue, pixel.money.payout), (Some(units(10)), Some(units(7))));
        offer.payout = percent(10);
        assert_eq!(
            price(&offer, offer.prices(publisher(), None), Source::ImagePixel, &wire).unwrap().holds,
            [PendingReason::AmountMissing]
        );
    }
}
