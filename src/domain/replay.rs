//! A refused request sent again from its receipt, after the cause was mended.
//!
//! The receipt holds the request as it was understood, so it is judged as if it came at its own time: windows,
//! attribution and keys are those of the first attempt, and whatever was recorded meanwhile makes it a duplicate. The
//! text of its parameters is kept as it is, because a fingerprint is taken over it.
//! Only a request whose token was believed: of any other one nobody knows who sent it. Nothing of a person goes back
//! to clear: an e-mail and an address keep their masked form and their hash, which is all that is ever stored of them;
//! other texts that stand masked are kept masked, with a warning.

use std::iter::Peekable;
use std::net::{IpAddr, Ipv4Addr};

use ipnet::IpNet;
use thiserror::Error;

use super::clock::Timestamp;
use super::code::{Code, Verdict};
use super::ids::{ReceiptId, TokenId};
use super::inbound::{
    AmountSlot, CurrencySlot, Inbound, Pairs, Parameter, Problem, SecureSlot, Slot, Warning, WarningCode, read,
};
use super::privacy::{PersonalHash, PrivateAddress, PrivateEmail};
use super::receipt::{Arrival, HASH, Receipt, UNREADABLE};
use super::screening::{Check, Hit, Replay};

/// Why a receipt is not sent again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum NotReplayable {
    #[error("This request was not refused: there is nothing to be sent again.")]
    NotRefused,
    #[error("This request came without a token that was believed, so nobody knows who sent it.")]
    WithoutToken,
    #[error("This request could not be read: only its sender can mend it.")]
    Unreadable,
    #[error("What was personal in this request was erased, so it is not sent again.")]
    Erased,
    #[error("This receipt is itself one of a request that was sent again: take the first one.")]
    IsReplay,
}

/// The request of a receipt, to be settled at `at` under a new receipt.
///
/// # Errors
/// It is not one that may be sent again.
pub fn replay(receipt: &Receipt, new: ReceiptId, at: Timestamp) -> Result<Hit, NotReplayable> {
    let token = may_be_replayed(receipt)?;
    let sender = receipt.address.clone().ok_or(NotReplayable::Erased)?;
    let restored = Restored::read(&receipt.params);
    let mut inbound = read(receipt.door, Pairs::from_query(restored.query.as_bytes()));
    restored.mark_unreadable(&mut inbound);
    inbound.secure = SecureSlot::Verified { token, sender: sender.clone() };
    inbound.warnings = receipt.warnings.iter().filter(|warning| warning.code.is_of_reading()).cloned().collect();
    inbound.warnings.extend(restored.masked.iter().map(|field| Warning {
        code: WarningCode::MaskedByReceipt,
        field: field.clone(),
        hint: None,
    }));
    Ok(Hit {
        replay: Some(Replay { of: receipt.id, at }),
        receipt: new,
        params: receipt.params.clone(),
        // They stand on it as they may be kept.
        kept_params: None,
        address: sender,
        conversion_ip: restored.conversion_ip,
        email: restored.email,
        // They stand on the receipt as they would be kept.
        extras: inbound.extras.clone(),
        inbound,
        arrival: arrival(receipt),
    })
}

fn may_be_replayed(receipt: &Receipt) -> Result<TokenId, NotReplayable> {
    match receipt.code.verdict() {
        Verdict::Refused | Verdict::Failed => {}
        Verdict::Recorded | Verdict::Duplicate | Verdict::NoChange | Verdict::Parked => {
            return Err(NotReplayable::NotRefused);
        }
    }
    if receipt.replay_of.is_some() {
        return Err(NotReplayable::IsReplay);
    }
    let token = receipt.token.ok_or(NotReplayable::WithoutToken)?;
    if receipt.decisive_check == Some(Check::RequestReads) {
        return Err(NotReplayable::Unreadable);
    }
    Ok(token)
}

fn arrival(receipt: &Receipt) -> Arrival {
    Arrival {
        at: receipt.received_at,
        method: receipt.method.clone(),
        host: receipt.host.clone(),
        path: receipt.path.clone(),
        // Not kept; the token is asked about its private form.
        address: IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        user_agent: receipt.user_agent.clone(),
        referrer_origin: None,
        is_bot: false,
        request_id: receipt.request_id.clone(),
    }
}

/// The canonical text of parameters, taken apart.
struct Restored {
    /// What reads as it did.
    query: String,
    email: Option<PrivateEmail>,
    conversion_ip: Option<PrivateAddress>,
    /// Identities that could not be used: the name, what is left of them, and why.
    unreadable: Vec<(String, String, Code)>,
    /// Money that was sent and is not shown.
    hidden_amounts: Vec<String>,
    /// Names of texts that stand masked.
    masked: Vec<String>,
}

type Form<'a> = Peekable<url::form_urlencoded::Parse<'a>>;

impl Restored {
    fn read(params: &str) -> Self {
        let mut restored = Self {
            query: String::new(),
            email: None,
            conversion_ip: None,
            unreadable: Vec::new(),
            hidden_amounts: Vec::new(),
            masked: Vec::new(),
        };
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        let mut form: Form<'_> = url::form_urlencoded::parse(params.as_bytes()).peekable();
        while let Some((name, value)) = form.next() {
            if restored.take(&name, &value, &mut form) {
                query.append_pair(&name, &value);
            }
        }
        restored.query = query.finish();
        restored
    }

    /// Takes what does not read again by itself, with the pair that follows it; true for everything else.
    fn take(&mut self, name: &str, value: &str, form: &mut Form<'_>) -> bool {
        if let Some(code) = follower(form, name, UNREADABLE, Code::parse) {
            self.unreadable.push((name.to_owned(), value.to_owned(), code));
            return false;
        }
        let hash = if is_masked(value) {
            follower(form, name, HASH, |hex| PersonalHash::try_from(hex.to_owned()).ok())
        } else {
            None
        };
        match (name, hash) {
            ("user_email", Some(hash)) => self.email = Some(PrivateEmail { masked: value.to_owned(), hash }),
            ("conversion_ip", Some(hash)) => {
                self.conversion_ip = Some(PrivateAddress { network: value.to_owned(), hash });
            }
            (_, Some(_)) => {
                self.masked.push(name.to_owned());
                return true;
            }
            ("revenue" | "payout" | "purchase_value" | "currency", None) if value.is_empty() => {
                self.hidden_amounts.push(name.to_owned());
            }
            (_, None) => return true,
        }
        false
    }

    fn mark_unreadable(&self, inbound: &mut Inbound) {
        for (name, value, code) in &self.unreadable {
            if let Some(parameter) = Parameter::find(name, inbound.door) {
                spoil(inbound, parameter, value, *code);
            }
        }
        for name in &self.hidden_amounts {
            let unreadable = || AmountSlot::Unreadable(String::new());
            match name.as_str() {
                "revenue" => inbound.revenue = unreadable(),
                "payout" => inbound.payout = unreadable(),
                "purchase_value" => inbound.purchase_value = unreadable(),
                _ => inbound.currency = CurrencySlot::Unknown(String::new()),
            }
        }
    }
}

/// The pair right behind that of `name`, if it is the one that belongs to it; it is taken then.
fn follower<T>(form: &mut Form<'_>, name: &str, suffix: &str, read: impl Fn(&str) -> Option<T>) -> Option<T> {
    let (next, value) = form.peek()?;
    let read = if next.strip_suffix(suffix) == Some(name) { read(value) } else { None };
    if read.is_some() {
        form.next();
    }
    read
}

/// As `domain::privacy` masks a whole e-mail or a whole address.
fn is_masked(value: &str) -> bool {
    value.contains("***@") || value.parse::<IpNet>().is_ok()
}

fn spoil(inbound: &mut Inbound, parameter: Parameter, value: &str, code: Code) {
    let problem = Problem {
        code,
        field: parameter.spec().name,
        received: Some(value.to_owned()).filter(|value| !value.is_empty()),
        detail: "It could not be used when it came.".to_owned(),
    };
    match parameter {
        Parameter::TransactionId => inbound.transaction_id = Slot::Bad(problem),
        Parameter::Offer => inbound.offer = Slot::Bad(problem),
        Parameter::Publisher => inbound.publisher = Slot::Bad(problem),
        Parameter::OrderId => inbound.order_id = Slot::Bad(problem),
        Parameter::ExternalTransactionId => inbound.external_transaction_id = Slot::Bad(problem),
        Parameter::EventId => inbound.event_id = Slot::Bad(problem),
        Parameter::EventName => inbound.event_name = Slot::Bad(problem),
        Parameter::ConversionId => inbound.conversion_id = Slot::Bad(problem),
        Parameter::Status => inbound.status = Slot::Bad(problem),
        // None of these is an identity that a receipt shows.
        Parameter::Secure
        | Parameter::Revenue
        | Parameter::Payout
        | Parameter::PurchaseValue
        | Parameter::Currency
        | Parameter::SubId
        | Parameter::SubId2
        | Parameter::SubId3
        | Parameter::SubId4
        | Parameter::SubId5
        | Parameter::SubId6
        | Parameter::AdvSubId
        | Parameter::AdvSubId2
        | Parameter::AdvSubId3
        | Parameter::AdvSubId4
        | Parameter::AdvSubId5
        | Parameter::AdvSubId6
        | Parameter::SessionTime
        | Parameter::ConversionIp
        | Parameter::UserAgent
        | Parameter::UserEmail
        | Parameter::DeviceId
        | Parameter::NewRejectedReason
        | Parameter::ThirdPartyRejectedReason
        | Parameter::Test
        | Parameter::DryRun
        | Parameter::Format => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::inbound::Door;
    use crate::domain::keyring::{Keyring, SeededEntropy};
    use crate::domain::receipt::canonical_params;

    fn keyring() -> Keyring {
        Keyring::generate(&SeededEntropy::new(1)).unwrap()
    }

    fn id(number: u128) -> ReceiptId {
        ReceiptId::from_uuid(uuid::Uuid::from_u128(number))
    }

    /// The receipt of a request that the offer refused, as it read.
    fn receipt(door: Door, query: &str) -> (Receipt, Inbound) {
        let inbound = read(door, Pairs::from_query(query.as_bytes()));
        let receipt = Receipt {
            id: id(1),
            received_at: Timestamp::from_millis(7),
            door,
            code: Code::OfferInactive,
            decisive_check: Some(Check::OfferActive),
            detail: None,
            field: None,
            received: None,
            method: "GET".into(),
            host: "t.example".into(),
            path: "/postback".into(),
            params: canonical_params(&inbound, &keyring()),
            address: Some(PrivateAddress::of(&keyring(), [203, 0, 113, 9].into())),
            user_agent: None,
            latency_us: 1,
            is_test: false,
            lenient: false,
            token: Some(TokenId::from_uuid(uuid::Uuid::from_u128(3))),
            offer: None,
            publisher: None,
            transaction_id: None,
            conversion: None,
            status: None,
            warnings: inbound.warnings.clone(),
            request_id: "req".into(),
            replay_of: None,
        };
        (receipt, inbound)
    }

    fn again(receipt: &Receipt) -> Hit {
        replay(receipt, id(2), Timestamp::from_millis(9)).unwrap()
    }

    /// Everything that is judged, but what stands in private forms.
    fn judged(inbound: &Inbound) -> String {
        let Inbound { transaction_id, offer, publisher, order_id, external_transaction_id, .. } = inbound;
        let identity = (transaction_id, offer, publisher, order_id, external_transaction_id);
        let target = (&inbound.event_id, &inbound.event_name, &inbound.conversion_id, &inbound.status);
        let money = (&inbound.revenue, &inbound.payout, &inbound.purchase_value, &inbound.currency);
        let text = (&inbound.sub_ids, &inbound.adv_sub_ids, inbound.session_time_seconds, &inbound.rejected_reason);
        let more = (&inbound.third_party_rejected_reason, &inbound.extras, &inbound.unreadable);
        format!("{identity:?} {target:?} {money:?} {text:?} {more:?}")
    }

    #[test]
    fn a_request_reads_from_its_receipt_as_it_read_when_it_came() {
        for (door, query) in [
            (
                Door::Postback,
                "transaction_id=6650fa&order_id=A%26B+c&revenue=12.5&currency=eur&own=x%3Dy&status=pending",
            ),
            (
                Door::Postback,
                "transaction_id=a&event_name=first+deposit&event_id=2&revenue=abc&currency=zz&own=%7Bx%7D",
            ),
            (
                Door::Postback,
                "transaction_id=a&session_time=00%3A12%3A30&adv_sub_id=100%2525&third_party_rejected_reason=f",
            ),
            (Door::Clickless, "offer=42&publisher=7&external_transaction_id=e&sub_id=n&sub_id_2=%C3%A9"),
            (Door::Rejection, "transaction_id=a&reason=order+cancelled&conversion_id=cnv_1"),
            (Door::Status, "transaction_id=a&status=2&revenue=1"),
        ] {
            let (receipt, first) = receipt(door, query);
            let hit = again(&receipt);
            assert_eq!(judged(&hit.inbound), judged(&first), "{query}");
            assert_eq!((hit.params.as_str(), hit.arrival.at), (receipt.params.as_str(), receipt.received_at));
            assert_eq!(hit.replay, Some(Replay { of: id(1), at: Timestamp::from_millis(9) }));
            assert_eq!(hit.inbound.warnings, first.warnings, "{query}");
        }
    }

    #[test]
    fn an_identity_that_could_not_be_used_is_not_mended_by_being_cut() {
        let long = format!("order_id={}", "o".repeat(256));
        let brackets = format!("event_name=%7B{}%7D", "e".repeat(80));
        for query in [
            "transaction_id=%7Bt%7D",
            "publisher=x",
            "order_id=A&order_id=B",
            &long,
            &brackets,
            "event_name=%7Bann@shop.example%7D",
            "event_id=0",
            "status=maybe",
        ] {
            let (receipt, first) = receipt(Door::Postback, query);
            let hit = again(&receipt);
            let slots = |inbound: &Inbound| {
                let bad = |is_bad: bool| is_bad;
                [
                    bad(matches!(inbound.transaction_id, Slot::Bad(_))),
                    bad(matches!(inbound.order_id, Slot::Bad(_))),
                    bad(matches!(inbound.event_id, Slot::Bad(_))),
                    bad(matches!(inbound.event_name, Slot::Bad(_))),
                    bad(matches!(inbound.status, Slot::Bad(_))),
                ]
            };
            assert_eq!(slots(&hit.inbound), slots(&first), "{query}: {}", receipt.params);
        }
        let (receipt, first) = receipt(Door::Postback, "revenue=ann@shop.example");
        assert_eq!(again(&receipt).inbound.revenue, first.revenue);
    }

    #[test]
    fn people_keep_their_private_forms() {
        let (receipt, _) = receipt(
            Door::Postback,
            "transaction_id=a&user_email=ann@shop.example&conversion_ip=203.0.113.9&adv_sub_id=bob@shop.example&z=1.2.3.4",
        );
        let hit = again(&receipt);
        assert_eq!(hit.email, PrivateEmail::of(&keyring(), "ann@shop.example"));
        assert_eq!(hit.conversion_ip, Some(PrivateAddress::of(&keyring(), [203, 0, 113, 9].into())));
        assert_eq!(hit.inbound.adv_sub_ids[0].as_deref(), Some("b***@shop.example"));
        assert_eq!(hit.extras, [("z".to_owned(), "1.2.3.0/24".to_owned())]);
        let masked: Vec<_> =
            hit.inbound.warnings.iter().filter(|w| w.code == WarningCode::MaskedByReceipt).map(|w| &*w.field).collect();
        assert_eq!(masked, ["adv_sub_id", "z"]);
        assert!(!format!("{:?}", hit.inbound).contains("ann@"));
    }

    #[test]
    fn a_senders_own_parameter_is_not_taken_for_one_of_ours() {
        let (receipt, first) =
            receipt(Door::Postback, "own=1&own_hash=0123456789abcdef0123456789abcdef&own_unreadable=x");
        assert_eq!(again(&receipt).extras, first.extras);
    }

    #[test]
    fn only_what_was_refused_under_a_token_and_could_be_read_is_sent_again() {
        let refuse = |change: fn(&mut Receipt)| {
            let (mut receipt, _) = receipt(Door::Postback, "transaction_id=a");
            change(&mut receipt);
            replay(&receipt, id(2), Timestamp::from_millis(9)).err()
        };
        assert_eq!(refuse(|_| {}), None);
        assert_eq!(refuse(|receipt| receipt.code = Code::Internal), None);
        for code in [Code::Recorded, Code::Duplicate, Code::NoChange, Code::Parked, Code::Confirmed] {
            let (mut receipt, _) = receipt(Door::Postback, "transaction_id=a");
            receipt.code = code;
            assert_eq!(replay(&receipt, id(2), Timestamp::from_millis(9)).err(), Some(NotReplayable::NotRefused));
        }
        assert_eq!(refuse(|receipt| receipt.token = None), Some(NotReplayable::WithoutToken));
        assert_eq!(
            refuse(|receipt| receipt.decisive_check = Some(Check::RequestReads)),
            Some(NotReplayable::Unreadable)
        );
        assert_eq!(refuse(|receipt| receipt.address = None), Some(NotReplayable::Erased));
        assert_eq!(refuse(|receipt| receipt.replay_of = Some(id(1))), Some(NotReplayable::IsReplay));
    }
}
