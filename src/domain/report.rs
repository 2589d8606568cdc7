//! What a report counts, and the words that it is asked for with.
//!
//! Money is kept by currency and never added across. A rate is exact: millionths, rounded half-even, and none where
//! there is nothing to take a share of.

use std::collections::BTreeMap;

use super::money::{Currency, Micros, divide_half_even};
use super::offer::words;

words!(
    /// What a report is split by.
    Dimension {
        Offer = "offer",
        Advertiser = "advertiser",
        Publisher = "publisher",
        SubId = "sub_id",
        Status = "status",
        RejectionReason = "rejection_reason",
        Source = "source",
        Token = "token",
    }
);
words!(
    /// What the rows of a report are sorted by.
    Metric {
        Clicks = "clicks",
        Conversions = "conversions",
        Approved = "approved",
        Pending = "pending",
        Rejected = "rejected",
        RejectionRate = "rejection_rate",
        ConversionRate = "conversion_rate",
        Revenue = "revenue",
        Payout = "payout",
    }
);

/// Millionths in the whole.
const WHOLE: i128 = 1_000_000;

/// What was counted in one cell of a report.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// None where clicks are not counted by what was asked for.
    pub clicks: Option<i64>,
    pub conversions: i64,
    pub approved: i64,
    pub pending: i64,
    pub rejected: i64,
    /// Later results of conversions, in none of the counts above; none where they are not counted by what was asked
    /// for.
    pub events: Option<i64>,
    /// Of approved conversions and events, by currency; only currencies that have any.
    pub money: BTreeMap<Currency, Earned>,
}

/// Money of approved conversions in one currency.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Earned {
    /// Paid to us.
    pub revenue: Micros,
    /// Paid to publishers.
    pub payout: Micros,
}

impl Tally {
    /// A cell in which nothing was counted yet.
    pub fn empty(counts_clicks: bool) -> Self {
        let none = counts_clicks.then_some(0);
        Self { clicks: none, events: none, ..Self::default() }
    }

    /// Adds what another cell counts. Sums stay at the end of their range rather than wrapping.
    pub fn add(&mut self, other: &Self) {
        self.clicks = self.clicks.map(|clicks| clicks.saturating_add(other.clicks.unwrap_or(0)));
        self.conversions = self.conversions.saturating_add(other.conversions);
        self.approved = self.approved.saturating_add(other.approved);
        self.pending = self.pending.saturating_add(other.pending);
        self.rejected = self.rejected.saturating_add(other.rejected);
        self.events = self.events.map(|events| events.saturating_add(other.events.unwrap_or(0)));
        for (currency, earned) in &other.money {
            let sum = self.money.entry(*currency).or_default();
            sum.revenue = saturating_sum(sum.revenue, earned.revenue);
            sum.payout = saturating_sum(sum.payout, earned.payout);
        }
    }

    /// Rejected conversions of all, in millionths.
    pub fn rejection_rate(&self) -> Option<Micros> {
        share(self.rejected, self.conversions)
    }

    /// Conversions of clicks, in millionths; more than the whole where conversions came without a click.
    pub fn conversion_rate(&self) -> Option<Micros> {
        share(self.conversions, self.clicks?)
    }
}

impl Earned {
    /// What is left of the revenue after the payout; negative where we pay more than we are paid.
    pub fn profit(&self) -> Micros {
        Micros::from_i64(self.revenue.as_i64().saturating_sub(self.payout.as_i64()))
    }
}

fn saturating_sum(a: Micros, b: Micros) -> Micros {
    Micros::from_i64(a.as_i64().saturating_add(b.as_i64()))
}

/// Part of a whole, in millionths, rounded half-even.
fn share(part: i64, whole: i64) -> Option<Micros> {
    if whole <= 0 {
        return None;
    }
    let millionths = divide_half_even(i128::from(part) * WHOLE, i128::from(whole));
    i64::try_from(millionths).ok().map(Micros::from_i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_exact_to_six_decimals_and_none_of_nothing() {
        for (part, whole, rate) in
            [(1, 3, "0.333333"), (2, 3, "0.666667"), (1, 2, "0.50"), (3, 2, "1.50"), (0, 7, "0.00")]
        {
            assert_eq!(share(part, whole).unwrap().to_string(), rate);
        }
        assert_eq!((share(1, 2_000_000), share(3, 2_000_000)), (Some(Micros::ZERO), Some(Micros::from_i64(2))));
        assert_eq!(share(0, 0), None);
        let none = Tally { conversions: 1, ..Tally::default() };
        assert_eq!((none.conversion_rate(), none.rejection_rate()), (None, Some(Micros::ZERO)));
    }

    #[test]
    fn money_of_two_currencies_is_never_added() {
        let earned = |revenue| Earned { revenue: Micros::from_i64(revenue), payout: Micros::from_i64(1) };
        let [eur, usd] = ["EUR", "USD"].map(|code| Currency::parse(code).unwrap());
        let mut sum = Tally { money: [(eur, earned(5))].into(), ..Tally::empty(true) };
        sum.add(&Tally { clicks: Some(2), money: [(eur, earned(7)), (usd, earned(9))].into(), ..Tally::default() });
        assert_eq!(sum.clicks, Some(2));
        assert_eq!((sum.money[&eur].revenue.as_i64(), sum.money[&usd].revenue.as_i64()), (12, 9));
        assert_eq!(sum.money[&eur].profit().as_i64(), 10);
    }
}
