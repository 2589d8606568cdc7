//! A conversion and its history.
//!
//! Status is the fold of the history and figures are the fold of conversions: everything that moves a
//! conversion goes through [`Conversion::record`] and [`Conversion::apply`], which return the change to append.

use super::click::Click;
use super::clock::Timestamp;
use super::ids::{ChangeId, ConversionId, OfferId, PublisherId, ReceiptId, TokenId};
use super::money::{Currency, Micros};
use super::offer::words;
use super::privacy::{PrivateAddress, PrivateEmail};
use super::status::{Party, Status};
use super::transaction_id::TransactionId;

words!(
    /// How a conversion came in.
    Source { Postback = "postback", Clickless = "clickless", ImagePixel = "image_pixel" }
);
words!(
    /// Why a conversion waits: a closed list. None where a sender or an operator said Pending.
    PendingReason {
        ManualApproval = "manual_approval",
        PublisherInactive = "publisher_inactive",
        AmountMissing = "amount_missing",
        AmountUnreadable = "amount_unreadable",
        CurrencyUnresolved = "currency_unresolved",
        PayoutOverCeiling = "payout_over_ceiling",
        PixelUnconfirmed = "pixel_unconfirmed",
    }
);
words!(
    /// What an entry of the history is.
    ChangeKind {
        Recorded = "recorded",
        /// A postback confirmed a pixel conversion.
        Confirmed = "confirmed",
        Rejected = "rejected",
        /// Already rejected: the reason was replaced, or the advertiser's was added beside it.
        ReasonChanged = "reason_changed",
        StatusChanged = "status_changed",
        /// Back from Rejected.
        Reinstated = "reinstated",
        /// Money changed, the status did not.
        Amended = "amended",
        /// Somebody said something about it, and nothing else changed.
        NoteAdded = "note_added",
    }
);

/// The reason of a conversion that came after its attribution window.
pub const OUTSIDE_WINDOW: &str = "outside_window";
/// The reason of an event that came when every conversion of its transaction was rejected.
pub const BASE_REJECTED: &str = "base_rejected";

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conversion {
    pub id: ConversionId,
    pub transaction_id: TransactionId,
    /// 0 is the conversion itself.
    pub event_number: i32,
    pub source: Source,
    pub status: Status,
    pub pending_reason: Option<PendingReason>,
    pub rejection_reason: Option<String>,
    /// Who holds it rejected; none unless it is.
    pub rejected_by: Option<Party>,
    /// The advertiser's reason beside that of whoever rejected first.
    pub advertiser_reason: Option<String>,
    pub offer: OfferId,
    pub publisher: PublisherId,
    pub order_id: Option<String>,
    pub external_transaction_id: Option<String>,
    pub sub_ids: [Option<String>; 6],
    pub adv_sub_ids: [Option<String>; 6],
    pub session_time_seconds: Option<i32>,
    pub conversion_ip: Option<PrivateAddress>,
    pub user_agent: Option<String>,
    pub device_id: Option<String>,
    pub email: Option<PrivateEmail>,
    pub money: Money,
    /// Amounts as sent, where the offer did not accept them.
    pub reported: Reported,
    /// Recorded from the sealed id alone: the click's row was not there.
    pub click_pending: bool,
    /// In no figure.
    pub is_test: bool,
    pub token: Option<TokenId>,
    /// When a postback confirmed a pixel conversion.
    pub confirmed_at: Option<Timestamp>,
    pub clicked_at: Option<Timestamp>,
    /// When the request arrived; the conversion counts in this instant's bucket.
    pub converted_at: Timestamp,
    pub recorded_at: Timestamp,
    pub status_changed_at: Timestamp,
    /// Also the number of its last change; 0 before it is recorded.
    pub version: i32,
}

/// Money as counted, in the offer's currency. An amount is none while it is unresolved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Money {
    pub currency: Currency,
    pub revenue: Option<Micros>,
    pub payout: Option<Micros>,
    /// The basket, as sent: in the reported currency where there is one, else in the offer's.
    pub purchase_value: Option<Micros>,
}

/// Money as sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reported {
    pub revenue: Option<Micros>,
    pub payout: Option<Micros>,
    /// Only where it is not the offer's.
    pub currency: Option<Currency>,
}

/// Who and when, for one entry of the history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Author {
    pub party: Party,
    /// The opaque id of the token, operator or key; `system` for a rule of ours.
    pub actor: String,
    pub receipt: Option<ReceiptId>,
    pub at: Timestamp,
    pub note: Option<String>,
}

/// One entry of a conversion's history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    pub id: ChangeId,
    pub conversion: ConversionId,
    /// 1 is its recording.
    pub number: i32,
    pub kind: ChangeKind,
    pub author: Author,
    pub from: Option<Status>,
    pub to: Status,
    pub reason: Option<String>,
    pub revenue_before: Option<Micros>,
    pub revenue_after: Option<Micros>,
    pub payout_before: Option<Micros>,
    pub payout_after: Option<Micros>,
    pub currency: Currency,
}

/// What a conversion becomes; fields that are none stay as they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transition {
    pub kind: ChangeKind,
    pub to: Status,
    pub pending_reason: Option<PendingReason>,
    /// For Rejected: the reason that holds, or the one beside it: see `effect`.
    pub reason: Option<String>,
    pub effect: Effect,
    pub money: Option<(Money, Reported)>,
}

/// Amounts that somebody puts right; those that are none stay as they are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Amounts {
    pub revenue: Option<Micros>,
    pub payout: Option<Micros>,
    pub purchase_value: Option<Micros>,
}

/// What a transition touches beside money.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// The status, its reason, and who holds it.
    Standing,
    /// Somebody else holds it rejected: the reason is kept beside theirs.
    ReasonBeside,
    /// Neither: whoever holds it goes on holding it, for the same reason. Where there is no money either, all that
    /// is new is what the author noted.
    MoneyOnly,
}

/// What one click or conversion adds to its 15-minute bucket.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    pub clicks: i64,
    /// In any status, as the three below add up to it. Events are not among them.
    pub conversions: i64,
    pub approved: i64,
    pub pending: i64,
    pub rejected: i64,
    /// Events after the conversion, in any status.
    pub events: i64,
    /// Of approved conversions and events.
    pub revenue: Micros,
    /// Of approved conversions and events.
    pub payout: Micros,
}

impl Money {
    /// With the amounts that are given.
    pub fn amended(self, amounts: Amounts) -> Self {
        Self {
            revenue: amounts.revenue.or(self.revenue),
            payout: amounts.payout.or(self.payout),
            purchase_value: amounts.purchase_value.or(self.purchase_value),
            ..self
        }
    }
}

impl Conversion {
    /// The first entry of its history. Call once, on a conversion whose version is 0.
    pub fn record(&mut self, id: ChangeId, author: Author) -> Change {
        self.version = 1;
        self.status_changed_at = author.at;
        Change {
            id,
            conversion: self.id,
            number: 1,
            kind: ChangeKind::Recorded,
            from: None,
            to: self.status,
            reason: self.standing_reason(),
            revenue_before: None,
            revenue_after: self.money.revenue,
            payout_before: None,
            payout_after: self.money.payout,
            currency: self.money.currency,
            author,
        }
    }

    /// Moves it and returns the entry to append. Whether the move is allowed was decided by `status::transition`.
    pub fn apply(&mut self, id: ChangeId, transition: Transition, author: Author) -> Change {
        let before = (self.status, self.money);
        let held = transition.pending_reason.filter(|_| transition.effect == Effect::Standing);
        let reason = transition.reason.clone().or_else(|| held.map(|reason| reason.as_str().to_owned()));
        match transition.effect {
            Effect::Standing => self.settle_status(&transition, author.party),
            Effect::ReasonBeside => self.advertiser_reason = transition.reason,
            Effect::MoneyOnly => {}
        }
        if let Some((money, reported)) = transition.money {
            self.money = money;
            self.reported = reported;
        }
        if before.0 != self.status {
            self.status_changed_at = author.at;
        }
        self.version = self.version.saturating_add(1);
        Change {
            id,
            conversion: self.id,
            number: self.version,
            kind: transition.kind,
            from: Some(before.0),
            to: self.status,
            reason,
            revenue_before: before.1.revenue,
            revenue_after: self.money.revenue,
            payout_before: before.1.payout,
            payout_after: self.money.payout,
            currency: self.money.currency,
            author,
        }
    }

    fn settle_status(&mut self, transition: &Transition, party: Party) {
        self.status = transition.to;
        self.pending_reason = transition.pending_reason;
        match transition.to {
            Status::Rejected => {
                if self.rejected_by == Some(Party::Sender) && party != Party::Sender {
                    self.advertiser_reason = self.rejection_reason.take();
                }
                self.rejection_reason.clone_from(&transition.reason);
                self.rejected_by = Some(party);
            }
            Status::Approved | Status::Pending => {
                self.rejection_reason = None;
                self.rejected_by = None;
                self.advertiser_reason = None;
            }
        }
    }

    /// What the first entry of the history says beside the status.
    fn standing_reason(&self) -> Option<String> {
        match self.status {
            Status::Rejected => self.rejection_reason.clone(),
            Status::Pending => self.pending_reason.map(|reason| reason.as_str().to_owned()),
            Status::Approved => None,
        }
    }

    /// What the click knows and the request did not say. The click's own ids are the publisher's, so they stand.
    pub fn fill_from_click(&mut self, click: &Click) {
        self.click_pending = false;
        self.sub_ids.clone_from(&click.sub_ids);
        if click.external_transaction_id.is_some() {
            self.external_transaction_id.clone_from(&click.external_transaction_id);
        }
        if self.user_agent.is_none() {
            self.user_agent.clone_from(&click.user_agent);
        }
        if self.device_id.is_none() {
            self.device_id.clone_from(&click.device_id);
        }
    }

    /// A pixel conversion that no postback has confirmed yet.
    pub fn awaits_confirmation(&self) -> bool {
        self.source == Source::ImagePixel && self.confirmed_at.is_none()
    }

    /// What it adds to its bucket; nothing for a test.
    pub fn figures(&self) -> Figures {
        self.figures_at(self.status, self.money.revenue, self.money.payout)
    }

    /// What it added before its newest change.
    pub fn figures_before(&self, newest: &Change) -> Figures {
        newest
            .from
            .map_or_else(Figures::default, |from| self.figures_at(from, newest.revenue_before, newest.payout_before))
    }

    fn figures_at(&self, status: Status, revenue: Option<Micros>, payout: Option<Micros>) -> Figures {
        if self.is_test {
            return Figures::default();
        }
        let counted = if self.event_number > 0 { Figures::EVENT } else { Figures::conversion(status) };
        match status {
            Status::Pending | Status::Rejected => counted,
            Status::Approved => {
                Figures { revenue: revenue.unwrap_or_default(), payout: payout.unwrap_or_default(), ..counted }
            }
        }
    }
}

impl Figures {
    const NOTHING: Self = Self {
        clicks: 0,
        conversions: 0,
        approved: 0,
        pending: 0,
        rejected: 0,
        events: 0,
        revenue: Micros::ZERO,
        payout: Micros::ZERO,
    };
    pub const CLICK: Self = Self { clicks: 1, ..Self::NOTHING };
    /// Without its money.
    const EVENT: Self = Self { events: 1, ..Self::NOTHING };

    /// A conversion without its money.
    const fn conversion(status: Status) -> Self {
        let counted = Self { conversions: 1, ..Self::NOTHING };
        match status {
            Status::Pending => Self { pending: 1, ..counted },
            Status::Approved => Self { approved: 1, ..counted },
            Status::Rejected => Self { rejected: 1, ..counted },
        }
    }

    /// Adds `other`, times `sign` (1 or −1). Sums stay at the end of their range rather than wrapping.
    pub fn add(&mut self, other: Self, sign: i64) {
        let sum = |a: i64, b: i64| a.saturating_add(b.saturating_mul(sign));
        self.clicks = sum(self.clicks, other.clicks);
        self.conversions = sum(self.conversions, other.conversions);
        self.approved = sum(self.approved, other.approved);
        self.pending = sum(self.pending, other.pending);
        self.rejected = sum(self.rejected, other.rejected);
        self.events = sum(self.events, other.events);
        self.revenue = Micros::from_i64(sum(self.revenue.as_i64(), other.revenue.as_i64()));
        self.payout = Micros::from_i64(sum(self.payout.as_i64(), other.payout.as_i64()));
    }

    pub fn is_zero(&self) -> bool {
        *self == Self::default()
    }
}
