//! One case for each check of each door, and the rules that a table would hide.

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;

use super::*;
use crate::domain::clock::Timestamp;
use crate::domain::conversion::{Change, ChangeKind, Conversion, Effect, PendingReason, Source, Transition};
use crate::domain::fixtures::{author, conversion, event, offer, publisher};
use crate::domain::foreign_click::Aliases;
use crate::domain::ids::{ChangeId, ConversionId};
use crate::domain::inbound::{Door, Pairs, read};
use crate::domain::keyring::{Keyring, KeyringParts, SeededEntropy};
use crate::domain::money::Micros;
use crate::domain::offer::{DuplicatePolicy, Offer, OfferState, PARKING_HOURS_MIN};
use crate::domain::publisher::{PartnerState, Publisher};
use crate::domain::receipt::canonical_params;
use crate::domain::secure_token::{Capabilities, Capability, PlainToken, SecureToken, TokenScope, TokenState};
use crate::domain::snapshot::Snapshot;
use crate::domain::status::{Party, SENDER_UNDO_SECONDS, Status};
use crate::domain::tracking_domain::{DomainState, TrackingDomain};
use crate::domain::transaction_id::{Kind, Minter};

const NOW: Timestamp = Timestamp::from_millis(1_795_344_000_123);

/// Offer 42 with clickless and pixel on, publisher 7, and one token that may do everything.
struct Room {
    keyring: Keyring,
    minter: Minter,
    snapshot: Snapshot,
    secret: Option<String>,
    host: &'static str,
    /// What is recorded of the transaction already, and how it was found.
    recorded: Vec<Conversion>,
    found_first: bool,
    found_order: bool,
    parked: bool,
    now: Timestamp,
}

impl Room {
    fn new() -> Self {
        let entropy = SeededEntropy::new(1);
        let plain = PlainToken::generate(TokenScope::Global, &entropy);
        let all = [Capability::Convert, Capability::Reject, Capability::Clickless, Capability::Status];
        let token = SecureToken::new(
            TokenId::from_uuid(uuid::Uuid::from_u128(1)),
            plain.digest(),
            TokenScope::Global,
            all.into_iter().collect::<Capabilities>(),
        );
        let mut offer = offer();
        offer.switches.clickless_enabled = true;
        offer.switches.pixel_enabled = true;
        Self {
            keyring: Keyring::generate(&entropy).unwrap(),
            minter: Minter::new(&entropy),
            snapshot: Snapshot {
                offers: HashMap::from([(offer.id, offer)]),
                publishers: HashMap::from([(publisher(), partner())]),
                tokens: HashMap::from([(token.digest, token)]),
                domains: HashMap::from([("pixel.test".to_owned(), domain())]),
                ..Snapshot::default()
            },
            secret: Some(plain.reveal().to_owned()),
            host: "pixel.test",
            recorded: Vec::new(),
            found_first: false,
            found_order: false,
            parked: false,
            now: NOW,
        }
    }

    fn offer(&mut self) -> &mut Offer {
        self.snapshot.offers.values_mut().next().unwrap()
    }

    fn token(&mut self) -> &mut SecureToken {
        self.snapshot.tokens.values_mut().next().unwrap()
    }

    fn mint(&self, kind: Kind) -> TransactionId {
        self.minter.mint(&self.keyring, NOW, kind, OfferId::new(42).unwrap(), publisher())
    }

    /// Recorded for the transaction, and found by it.
    fn has(&mut self, change: impl FnOnce(&mut Conversion)) -> &mut Self {
        let mut one = conversion(self.mint(Kind::Click), NOW);
        change(&mut one);
        self.recorded.push(one);
        self.found_first = true;
        self
    }

    fn hit(&self, door: Door, query: &str) -> Hit {
        let query = query.replace("{t}", &self.mint(Kind::Click).to_string());
        let mut pairs = Pairs::from_query(query.as_bytes());
        if let Some(secret) = self.secret.as_ref().filter(|_| door != Door::Pixel) {
            pairs.add_token_header(secret.as_bytes());
        }
        let inbound = read(door, pairs);
        let address: IpAddr = [203, 0, 113, 9].into();
        Hit {
            replay: None,
            params: canonical_params(&inbound, &self.keyring),
            kept_params: None,
            address: PrivateAddress::of(&self.keyring, address),
            conversion_ip: None,
            email: None,
            extras: Vec::new(),
            arrival: Arrival {
                at: self.now,
                method: "GET".into(),
                host: self.host.into(),
                path: "/".into(),
                address,
                user_agent: None,
                referrer_origin: None,
                is_bot: false,
                request_id: String::new(),
            },
            receipt: ReceiptId::from_uuid(uuid::Uuid::from_u128(9)),
            inbound,
        }
    }

    fn judged(&self, door: Door, query: &str) -> Result<Judgement, Refusal> {
        let hit = self.hit(door, query);
        let (_, admission) = admit(&hit, &self.snapshot, &self.keyring, &Aliases::default());
        let admission = admission?;
        let recorded: Vec<&Conversion> = self.recorded.iter().collect();
        let first = recorded.first().copied();
        let facts = Facts {
            by_order: first.filter(|_| self.found_order),
            by_first: first.filter(|_| self.found_first),
            parked: self.parked,
            of_transaction: &recorded,
            ..Facts::default()
        };
        Ok(judge(&hit, &admission, &facts))
    }

    fn said(&self, door: Door, query: &str) -> (Code, Option<Check>) {
        match self.judged(door, query) {
            Ok(judgement) => (judgement.code(), judgement.decisive),
            Err(refusal) => (refusal.code, Some(refusal.check)),
        }
    }

    fn standing(&self, door: Door, query: &str) -> Standing {
        let ruling = self.judged(door, query).unwrap().ruling;
        let Ruling::Record(standing) = ruling else { panic!("not recorded: {ruling:?}") };
        *standing
    }

    fn transition(&self, door: Door, query: &str) -> Transition {
        let ruling = self.judged(door, query).unwrap().ruling;
        let (Ruling::Move { transition, .. } | Ruling::Confirm { transition, .. }) = ruling else {
            panic!("not moved: {ruling:?}")
        };
        *transition
    }
}

fn partner() -> Publisher {
    Publisher {
        id: publisher(),
        name: String::new(),
        state: PartnerState::Active,
        notes: None,
        version: 1,
        created_at: NOW,
        updated_at: NOW,
    }
}

fn domain() -> TrackingDomain {
    TrackingDomain {
        id: crate::domain::ids::TrackingDomainId::from_uuid(uuid::Uuid::from_u128(2)),
        host: "pixel.test".into(),
        state: DomainState::Active,
        is_default: true,
        challenge: String::new(),
        cname_found: None,
        txt_found: None,
        failure: None,
        last_checked_at: None,
        created_at: NOW,
        version: 1,
    }
}

fn can_only(room: &mut Room, capability: Capability) {
    room.token().capabilities = [capability].into_iter().collect();
}

fn elsewhere(room: &mut Room) {
    room.token().allowed_addresses = vec!["10.0.0.0/8".parse().unwrap()];
}

fn other_offer(room: &mut Room) {
    room.token().scope = TokenScope::Offer(OfferId::new(43).unwrap());
}

/// The offer defines the event 2, `deposit`.
fn eventful(room: &mut Room) {
    room.offer().events.push(event(2, "deposit"));
}

fn archived(room: &mut Room) {
    room.offer().state = OfferState::Archived;
}

fn too_late(room: &mut Room) {
    room.now = NOW.plus_seconds(31 * 24 * 3600);
}

fn operators(room: &mut Room) {
    room.has(|one| {
        one.status = Status::Rejected;
        one.rejected_by = Some(Party::Operator);
    });
}

type Case = (Check, fn(&mut Room), &'static str, Code);

const MANY: &str = "a1&a2=&b1=1&b2=1&b3=1&b4=1&b5=1&b6=1&b7=1&b8=1&b9=1&c1=1&c2=1&c3=1&c4=1&c5=1&c6=1&c7=1&c8=1&c9=1\
    &d1=1&d2=1&d3=1&d4=1&d5=1&d6=1&d7=1&d8=1&d9=1&e1=1&e2=1&e3=1&e4=1&e5=1&e6=1&e7=1&e8=1&e9=1\
    &f1=1&f2=1&f3=1&f4=1&f5=1&f6=1&f7=1&f8=1&f9=1&g1=1&g2=1&g3=1&g4=1&g5=1&g6=1&g7=1&g8=1&g9=1\
    &h1=1&h2=1&h3=1&h4=1&h5=1&h6=1&h7=1&h8=1&h9=1&i1=1&i2=1&i3=1&i4=1";

/// The four checks of the token, which all doors with one share.
fn of_the_token(query: &'static str) -> Vec<Case> {
    vec![
        (Check::RequestReads, |_| {}, MANY, Code::TooManyParameters),
        (Check::TokenPresent, |room| room.secret = None, query, Code::MissingSecure),
        (Check::TokenLive, |room| room.secret = Some("rt_g_nobody".into()), query, Code::InvalidSecure),
        (Check::TokenLive, |room| room.token().state = TokenState::Revoked, query, Code::InvalidSecure),
        (Check::SenderAddress, elsewhere, query, Code::IpNotAllowed),
    ]
}

fn cases(door: Door) -> Vec<Case> {
    let mut cases = match door {
        Door::Click | Door::Pixel => Vec::new(),
        Door::Clickless => of_the_token("offer=42&publisher=7"),
        Door::Postback => of_the_token("transaction_id={t}"),
        Door::Rejection => of_the_token("transaction_id={t}&reason=fraud"),
        Door::Status => of_the_token("transaction_id={t}&status=approved"),
    };
    let more: Vec<Case> = match door {
        Door::Click => Vec::new(),
        Door::Postback => vec![
            (Check::TokenMay, |r| can_only(r, Capability::Reject), "transaction_id={t}", Code::TokenCapability),
            (Check::TransactionId, |_| {}, "", Code::MissingTransactionId),
            (Check::TransactionId, |_| {}, "transaction_id=%7Btransaction_id%7D", Code::UnreplacedMacro),
            (Check::TransactionId, |_| {}, "transaction_id={t}0", Code::MalformedTransactionId),
            (Check::TokenOffer, other_offer, "transaction_id={t}", Code::TokenOfferMismatch),
            (Check::OfferActive, archived, "transaction_id={t}", Code::OfferInactive),
            (Check::EventDefined, |_| {}, "transaction_id={t}&event_id=2", Code::UnknownEvent),
            (Check::BaseRecorded, eventful, "transaction_id={t}&event_id=2", Code::NoBaseConversion),
            (
                Check::AmountsRead,
                |r| r.offer().switches.strict_amounts = true,
                "transaction_id={t}&revenue=1,5",
                Code::InvalidAmount,
            ),
            (
                Check::NotSeenBefore,
                |r| {
                    r.has(|_| {});
                },
                "transaction_id={t}",
                Code::Duplicate,
            ),
            (Check::AttributionWindow, too_late, "transaction_id={t}", Code::Recorded),
            (Check::NotRejected, |_| {}, "transaction_id={t}&third_party_rejected_reason=fraud", Code::Recorded),
            (Check::NotRejected, |r| r.parked = true, "transaction_id={t}", Code::Recorded),
            (Check::NothingHolds, |r| r.offer().switches.manual_approval = true, "transaction_id={t}", Code::Recorded),
            (Check::RequestReads, |_| {}, "transaction_id={t}&status=maybe", Code::InvalidStatus),
        ],
        Door::Clickless => vec![
            (Check::TokenMay, |r| can_only(r, Capability::Convert), "offer=42&publisher=7", Code::TokenCapability),
            (Check::NoTransactionId, |_| {}, "transaction_id={t}&offer=42&publisher=7", Code::UnexpectedTransactionId),
            (Check::OfferKnown, |_| {}, "publisher=7", Code::OfferRequired),
            (Check::OfferKnown, |_| {}, "offer=43&publisher=7", Code::UnknownOffer),
            (Check::TokenOffer, other_offer, "offer=42&publisher=7", Code::TokenOfferMismatch),
            (Check::OfferActive, archived, "offer=42&publisher=7", Code::OfferInactive),
            (
                Check::ClicklessEnabled,
                |r| r.offer().switches.clickless_enabled = false,
                "offer=42&publisher=7",
                Code::ClicklessDisabled,
            ),
            (Check::PublisherKnown, |_| {}, "offer=42", Code::MissingPublisher),
            (Check::PublisherKnown, |_| {}, "offer=42&publisher=8", Code::UnknownPublisher),
            (Check::EventDefined, |_| {}, "offer=42&publisher=7&event_name=x", Code::UnknownEvent),
            (Check::BaseRecorded, eventful, "offer=42&publisher=7&event_name=deposit", Code::NoBaseConversion),
            (
                Check::AmountsRead,
                |r| r.offer().switches.strict_amounts = true,
                "offer=42&publisher=7&currency=EURO",
                Code::InvalidCurrency,
            ),
            (
                Check::NotSeenBefore,
                |r| {
                    r.has(|_| {}).found_order = true;
                },
                "offer=42&publisher=7&order_id=A",
                Code::Duplicate,
            ),
            (Check::NotRejected, |_| {}, "offer=42&publisher=7&third_party_rejected_reason=fraud", Code::Recorded),
            (
                Check::NothingHolds,
                |r| r.snapshot.publishers.values_mut().next().unwrap().state = PartnerState::Paused,
                "offer=42&publisher=7",
                Code::Recorded,
            ),
            (Check::RequestReads, |_| {}, "offer=42&publisher=7&status=maybe", Code::InvalidStatus),
        ],
        Door::Pixel => vec![
            (Check::DomainVerified, |r| r.host = "shop.example", "transaction_id={t}", Code::PixelDomainRequired),
            (Check::TransactionId, |_| {}, "", Code::MissingTransactionId),
            (Check::OfferActive, archived, "transaction_id={t}", Code::OfferInactive),
            (
                Check::PixelEnabled,
                |r| r.offer().switches.pixel_enabled = false,
                "transaction_id={t}",
                Code::PixelDisabled,
            ),
            (Check::EventDefined, |_| {}, "transaction_id={t}&event_id=2", Code::UnknownEvent),
            (Check::BaseRecorded, eventful, "transaction_id={t}&event_id=2", Code::NoBaseConversion),
            (
                Check::NotSeenBefore,
                |r| {
                    r.has(|_| {});
                },
                "transaction_id={t}",
                Code::Duplicate,
            ),
            (Check::AttributionWindow, too_late, "transaction_id={t}", Code::Recorded),
            (Check::NotRejected, |r| r.parked = true, "transaction_id={t}", Code::Recorded),
            (Check::NothingHolds, |_| {}, "transaction_id={t}", Code::Recorded),
        ],
        Door::Rejection => vec![
            (
                Check::TokenMay,
                |r| can_only(r, Capability::Convert),
                "transaction_id={t}&reason=no",
                Code::TokenCapability,
            ),
            (Check::TransactionId, |_| {}, "reason=no", Code::MissingTransactionId),
            (Check::TokenOffer, other_offer, "transaction_id={t}&reason=no", Code::TokenOfferMismatch),
            (Check::ReasonGiven, |_| {}, "transaction_id={t}&reason=", Code::ReasonRequired),
            (Check::EventDefined, |_| {}, "transaction_id={t}&reason=no&event_id=2", Code::UnknownEvent),
            (Check::TargetFound, |_| {}, "transaction_id={t}&reason=no", Code::Parked),
            (Check::TargetFound, too_late, "transaction_id={t}&reason=no", Code::ConversionNotFound),
            (Check::TargetFound, |_| {}, "transaction_id={t}&reason=no&conversion_id=%7Bid%7D", Code::UnreplacedMacro),
            (
                Check::TargetUnambiguous,
                |r| {
                    r.has(|_| {}).has(|_| {});
                },
                "transaction_id={t}&reason=no",
                Code::AmbiguousTarget,
            ),
        ],
        Door::Status => vec![
            (
                Check::TokenMay,
                |r| can_only(r, Capability::Convert),
                "transaction_id={t}&status=approved",
                Code::TokenCapability,
            ),
            (Check::TransactionId, |_| {}, "status=approved", Code::MissingTransactionId),
            (Check::TokenOffer, other_offer, "transaction_id={t}&status=approved", Code::TokenOfferMismatch),
            (Check::StatusGiven, |_| {}, "transaction_id={t}", Code::InvalidStatus),
            (Check::StatusGiven, |_| {}, "transaction_id={t}&status=maybe", Code::InvalidStatus),
            (Check::EventDefined, |_| {}, "transaction_id={t}&status=approved&event_id=2", Code::UnknownEvent),
            (
                Check::AmountsRead,
                |r| {
                    r.offer().switches.strict_amounts = true;
                    r.has(|_| {});
                },
                "transaction_id={t}&status=approved&revenue=x",
                Code::InvalidAmount,
            ),
            (Check::TargetFound, |_| {}, "transaction_id={t}&status=approved", Code::ConversionNotFound),
            (
                Check::TargetUnambiguous,
                |r| {
                    r.has(|_| {}).has(|_| {});
                },
                "transaction_id={t}&status=approved",
                Code::AmbiguousTarget,
            ),
            (Check::MoveAllowed, operators, "transaction_id={t}&status=approved", Code::InvalidTransition),
        ],
    };
    cases.extend(more);
    cases
}

#[test]
fn every_check_of_every_door_decides_its_own_case() {
    for door in Door::ALL.into_iter().filter(|door| *door != Door::Click) {
        let mut decided = HashSet::new();
        for (check, prepare, query, code) in cases(door) {
            let mut room = Room::new();
            prepare(&mut room);
            assert_eq!(room.said(door, query), (code, Some(check)), "{} {query}", door.as_str());
            decided.insert(check);
        }
        // A rejection always may: what it cannot turn it adds its reason to. Nothing keeps a pixel from being read.
        // `Stored` is the database's own.
        let none = |check: &Check| match door {
            Door::Rejection => *check == Check::MoveAllowed,
            Door::Pixel => *check == Check::RequestReads,
            Door::Click | Door::Postback | Door::Clickless | Door::Status => false,
        };
        let missing: Vec<_> = door
            .checks()
            .iter()
            .filter(|check| **check != Check::Stored && !none(check) && !decided.contains(*check))
            .collect();
        assert!(missing.is_empty(), "{} has no case for {missing:?}", door.as_str());
    }
}

#[test]
fn a_click_is_checked_in_its_own_order() {
    let said = |room: &Room, query: &str, is_test| {
        let inbound = read(Door::Click, Pairs::from_query(query.as_bytes()));
        admit_click(&inbound, &room.snapshot, is_test)
            .map(|_| ())
            .map_err(|(refusal, offer)| (refusal.check, refusal.code, offer.is_some()))
    };
    let mut room = Room::new();
    let both = "offer=42&publisher=7";
    assert_eq!(said(&room, both, false), Ok(()));
    assert_eq!(said(&room, "publisher=7", false), Err((Check::OfferKnown, Code::UnknownOffer, false)));
    assert_eq!(said(&room, "offer=x&publisher=7", false), Err((Check::OfferKnown, Code::UnknownOffer, false)));
    assert_eq!(said(&room, "offer=42", false), Err((Check::PublisherKnown, Code::MissingPublisher, true)));
    assert_eq!(said(&room, "offer=42&publisher=8", false), Err((Check::PublisherKnown, Code::UnknownPublisher, true)));
    room.offer().access = crate::domain::offer::OfferAccess::Chosen;
    assert_eq!(said(&room, both, false), Err((Check::PublisherAccess, Code::PublisherNotAllowed, true)));
    room.snapshot.publishers.values_mut().next().unwrap().state = PartnerState::Paused;
    assert_eq!(said(&room, both, false), Err((Check::PublisherActive, Code::PublisherNotAllowed, true)));
    assert_eq!(said(&room, both, true), Ok(()));
    room.offer().state = OfferState::Paused;
    assert_eq!(said(&room, "offer=42", false), Err((Check::OfferActive, Code::OfferInactive, true)));
}

#[test]
fn nothing_is_known_of_the_token_before_it_is_verified_and_everything_after() {
    let room = Room::new();
    let known = |room: &Room, query: &str| {
        admit(&room.hit(Door::Postback, query), &room.snapshot, &room.keyring, &Aliases::default()).0
    };
    assert!(known(&room, MANY).token.is_some());
    let stranger = Room { secret: Some("rt_g_nobody".into()), ..Room::new() };
    assert_eq!(known(&stranger, "transaction_id={t}"), Known::default());
}

#[test]
fn a_paused_offer_goes_on_converting_its_clicks() {
    let mut room = Room::new();
    room.offer().state = OfferState::Paused;
    assert_eq!(room.said(Door::Postback, "transaction_id={t}"), (Code::Recorded, None));
}

#[test]
fn the_attribution_window_ends_with_its_last_millisecond() {
    let mut room = Room::new();
    let end = NOW.plus_seconds(room.offer().attribution_window_seconds());
    for (millis, status) in [(-1, Status::Approved), (0, Status::Approved), (1, Status::Rejected)] {
        room.now = end.plus_millis(millis);
        let standing = room.standing(Door::Postback, "transaction_id={t}&status=approved");
        assert_eq!(standing.status, status, "{millis}");
        if status == Status::Rejected {
            assert_eq!(
                (standing.reason.as_deref(), standing.rejected_by),
                (Some("outside_window"), Some(Party::System))
            );
            assert_eq!(standing.decided_by(), Party::System);
        }
    }
}

#[test]
fn a_rejection_waits_as_long_as_its_conversion_may_come_and_72_hours_at_least() {
    for (hours, window) in [(1, PARKING_HOURS_MIN), (100, 100)] {
        let mut room = Room::new();
        room.offer().attribution_window_hours = hours;
        let end = NOW.plus_seconds(i64::from(window) * 3600);
        for (millis, code) in [(-1, Code::Parked), (0, Code::Parked), (1, Code::ConversionNotFound)] {
            room.now = end.plus_millis(millis);
            assert_eq!(room.said(Door::Rejection, "transaction_id={t}&reason=no").0, code, "{hours} {millis}");
        }
    }
}

#[test]
fn under_a_leaked_key_only_what_exists_is_found() {
    let mut room = Room::new();
    let mut parts = KeyringParts::generate(&SeededEntropy::new(1)).unwrap();
    room.keyring = Keyring::from_parts(&parts).unwrap();
    let id = room.mint(Kind::Click);
    let query = format!("transaction_id={id}&reason=no");
    let spare = KeyringParts::generate(&SeededEntropy::new(2)).unwrap().sealing.pop().unwrap();
    let number = parts.minting + 1;
    parts.sealing[0].revoked = true;
    parts.sealing.push(crate::domain::keyring::SealingKeyEntry { number, ..spare });
    parts.minting = number;
    room.keyring = Keyring::from_parts(&parts).unwrap();
    assert_eq!(room.said(Door::Postback, &query), (Code::MalformedTransactionId, Some(Check::TransactionId)));
    assert_eq!(room.said(Door::Pixel, &query), (Code::MalformedTransactionId, Some(Check::TransactionId)));
    assert_eq!(room.said(Door::Rejection, &query).0, Code::ConversionNotFound);
    room.has(|_| {});
    assert_eq!(room.said(Door::Postback, &query).0, Code::Duplicate);
    assert_eq!(room.said(Door::Rejection, &query).0, Code::Rejected);
}

#[test]
fn a_sender_undoes_its_own_rejection_for_thirty_days_and_nobody_elses() {
    let ask = "transaction_id={t}&status=approved";
    let mut room = Room::new();
    room.has(|one| {
        one.status = Status::Rejected;
        one.rejected_by = Some(Party::Sender);
    });
    for (millis, code) in [(-1, Code::StatusChanged), (0, Code::StatusChanged), (1, Code::InvalidTransition)] {
        room.now = NOW.plus_seconds(SENDER_UNDO_SECONDS).plus_millis(millis);
        assert_eq!(room.said(Door::Status, ask).0, code, "{millis}");
    }
    room.now = NOW;
    for party in [Party::Operator, Party::System] {
        room.recorded[0].rejected_by = Some(party);
        assert_eq!(room.said(Door::Status, ask), (Code::InvalidTransition, Some(Check::MoveAllowed)));
    }
    let late = NOW.plus_seconds(SENDER_UNDO_SECONDS * 100);
    for party in Party::ALL {
        room.recorded[0].rejected_by = Some(party);
        let ruling = rule_move(&room.recorded[0], Status::Approved, None, Party::Operator, late);
        assert!(matches!(ruling, MoveRuling::Apply(Code::StatusChanged, _)), "{ruling:?}");
    }
}

#[test]
fn a_second_reason_replaces_ones_own_stands_beside_anothers_and_changes_nothing_when_it_is_the_same() {
    let mut room = Room::new();
    room.has(|one| {
        one.status = Status::Rejected;
        one.rejected_by = Some(Party::Sender);
        one.rejection_reason = Some("fraud".into());
    });
    let (same, other) = ("transaction_id={t}&reason=fraud", "transaction_id={t}&reason=returned");
    assert_eq!(room.said(Door::Rejection, same).0, Code::NoChange);
    assert_eq!(room.said(Door::Rejection, other).0, Code::ReasonUpdated);
    assert_eq!(room.transition(Door::Rejection, other).effect, Effect::Standing);
    for party in [Party::Operator, Party::System] {
        room.recorded[0].rejected_by = Some(party);
        assert_eq!(room.said(Door::Rejection, same).0, Code::ReasonAdded);
        assert_eq!(room.transition(Door::Rejection, same).effect, Effect::ReasonBeside);
        room.recorded[0].advertiser_reason = Some("fraud".into());
        assert_eq!(room.said(Door::Rejection, same).0, Code::NoChange);
        room.recorded[0].advertiser_reason = None;
    }
}

#[test]
fn a_status_change_to_rejected_says_that_the_status_changed() {
    let mut room = Room::new();
    room.has(|_| {});
    assert_eq!(room.said(Door::Status, "transaction_id={t}&status=rejected&reason=x").0, Code::StatusChanged);
    assert_eq!(room.said(Door::Status, "transaction_id={t}&status=approved").0, Code::NoChange);
    assert_eq!(room.said(Door::Status, "transaction_id={t}&status=pending").0, Code::InvalidTransition);
}

#[test]
fn the_status_of_a_postback_is_the_one_it_is_born_with_and_later_moves_it_where_the_token_may() {
    let mut room = Room::new();
    let born =
        |room: &Room, status: &str| room.standing(Door::Postback, &format!("transaction_id={{t}}&status={status}"));
    assert_eq!(born(&room, "2").status, Status::Pending);
    assert_eq!((born(&room, "2").pending_reason, born(&room, "2").decided_by()), (None, Party::Sender));
    assert_eq!(
        (born(&room, "declined").status, born(&room, "declined").rejected_by),
        (Status::Rejected, Some(Party::Sender))
    );
    room.offer().switches.manual_approval = true;
    assert_eq!(born(&room, "approved").pending_reason, Some(PendingReason::ManualApproval));
    assert_eq!(born(&room, "approved").decided_by(), Party::System);

    room.has(|_| {});
    let ask = "transaction_id={t}&status=rejected";
    assert_eq!(room.said(Door::Postback, ask).0, Code::StatusChanged);
    can_only(&mut room, Capability::Convert);
    let ignored = room.judged(Door::Postback, ask).unwrap();
    assert_eq!(ignored.code(), Code::Duplicate);
    assert!(ignored.warnings.iter().any(|warning| warning.code == WarningCode::StatusIgnored));
    let same = room.judged(Door::Postback, "transaction_id={t}&status=approved").unwrap();
    assert_eq!((same.code(), same.warnings.len()), (Code::Duplicate, 0));
}

#[test]
fn a_duplicate_says_what_differs_from_the_first() {
    let mut room = Room::new();
    room.has(|one| one.order_id = Some("A".into()));
    let warned = |room: &Room, query: &str| -> Vec<WarningCode> {
        let judged = room.judged(Door::Postback, &format!("transaction_id={{t}}&{query}")).unwrap();
        assert_eq!(judged.code(), Code::Duplicate);
        judged.warnings.iter().map(|warning| warning.code).collect()
    };
    assert_eq!(warned(&room, "order_id=A"), []);
    assert_eq!(warned(&room, "order_id=B"), [WarningCode::DifferentOrderId]);
    assert_eq!(warned(&room, "purchase_value=9"), [WarningCode::DuplicateDiffers]);
    room.recorded[0].money.purchase_value = Some(Micros::from_i64(9_000_000));
    assert_eq!(warned(&room, "purchase_value=9.00"), []);
    room.recorded[0].reported.revenue = Some(Micros::from_i64(5_000_000));
    assert_eq!(warned(&room, "revenue=5"), [WarningCode::RevenueReportedOnly]);
    room.found_order = true;
    assert_eq!(
        warned(&room, "order_id=A&revenue=6"),
        [WarningCode::RevenueReportedOnly, WarningCode::DuplicateDiffers]
    );
}

#[test]
fn a_pixel_waits_for_its_postback_unless_the_offer_trusts_it() {
    let mut room = Room::new();
    let query = "transaction_id={t}&revenue=99";
    let waits = room.standing(Door::Pixel, query);
    assert_eq!((waits.status, waits.pending_reason), (Status::Pending, Some(PendingReason::PixelUnconfirmed)));
    assert_eq!(waits.money.revenue, Some(Micros::from_i64(10_000_000)));
    room.offer().switches.pixel_trusted = true;
    assert_eq!(room.standing(Door::Pixel, query).status, Status::Approved);
}

fn pixel(room: &mut Room, status: Status, pending_reason: Option<PendingReason>) {
    room.has(|one| {
        one.source = Source::ImagePixel;
        one.status = status;
        one.pending_reason = pending_reason;
    });
}

#[test]
fn a_postback_confirms_a_pixel_by_the_rules_of_the_offer_and_undoes_nobodys_decision() {
    let query = "transaction_id={t}&order_id=A";
    let confirmed = |status, pending, manual| {
        let mut room = Room::new();
        room.offer().switches.manual_approval = manual;
        pixel(&mut room, status, pending);
        (room.said(Door::Postback, query).0, room.transition(Door::Postback, query))
    };
    let unconfirmed = Some(PendingReason::PixelUnconfirmed);
    let (code, transition) = confirmed(Status::Pending, unconfirmed, false);
    assert_eq!((code, transition.to, transition.kind), (Code::Confirmed, Status::Approved, ChangeKind::Confirmed));
    let (_, held) = confirmed(Status::Pending, unconfirmed, true);
    assert_eq!((held.to, held.pending_reason), (Status::Pending, Some(PendingReason::ManualApproval)));
    let (_, by_a_person) = confirmed(Status::Pending, None, false);
    assert_eq!((by_a_person.to, by_a_person.effect), (Status::Pending, Effect::MoneyOnly));
    let (code, approved) = confirmed(Status::Approved, None, true);
    assert_eq!((code, approved.to, approved.effect), (Code::Confirmed, Status::Approved, Effect::MoneyOnly));
    let (code, rejected) = confirmed(Status::Rejected, None, false);
    assert_eq!((code, rejected.to, rejected.effect), (Code::Duplicate, Status::Rejected, Effect::MoneyOnly));
}

#[test]
fn a_confirmed_pixel_is_seen_before_and_a_new_order_counts_where_orders_count() {
    let mut room = Room::new();
    pixel(&mut room, Status::Approved, None);
    room.recorded[0].confirmed_at = Some(NOW);
    assert_eq!(room.said(Door::Postback, "transaction_id={t}&order_id=A").0, Code::Duplicate);
    room.offer().duplicate_policy = DuplicatePolicy::OnePerOrder;
    assert_eq!(room.said(Door::Postback, "transaction_id={t}&order_id=A"), (Code::Recorded, None));
    assert_eq!(room.said(Door::Pixel, "transaction_id={t}").0, Code::Duplicate);
}

#[test]
fn a_rejection_finds_its_target_by_order_or_by_the_conversion_itself() {
    let mut room = Room::new();
    room.has(|one| one.order_id = Some("A".into())).has(|one| {
        one.id = ConversionId::from_uuid(uuid::Uuid::from_u128(77));
        one.order_id = Some("B".into());
    });
    let by_order = room.judged(Door::Rejection, "transaction_id={t}&order_id=B&reason=no").unwrap();
    assert_eq!(by_order.conversion(), Some(room.recorded[1].id));
    let named = format!("transaction_id={{t}}&conversion_id={}&reason=no", room.recorded[0].id);
    assert_eq!(room.judged(Door::Rejection, &named).unwrap().conversion(), Some(room.recorded[0].id));
    assert_eq!(room.said(Door::Rejection, "transaction_id={t}&order_id=C&reason=no").0, Code::Parked);
    let stranger =
        format!("transaction_id={{t}}&conversion_id={}&reason=no", ConversionId::from_uuid(uuid::Uuid::max()));
    assert_eq!(room.said(Door::Rejection, &stranger).0, Code::ConversionNotFound);
}

#[test]
fn a_rejection_without_a_token_needs_the_switch_and_an_address_of_the_offers_list() {
    let query = "transaction_id={t}&reason=no";
    let mut room = Room { secret: None, ..Room::new() };
    room.offer().switches.reject_without_secure = true;
    assert_eq!(room.said(Door::Rejection, query).0, Code::MissingSecure);
    room.offer().reject_allowed_addresses = vec!["203.0.113.0/24".parse().unwrap()];
    assert_eq!(room.said(Door::Rejection, query).0, Code::Parked);
    assert_eq!(room.said(Door::Postback, query).0, Code::MissingSecure);
    room.offer().switches.reject_without_secure = false;
    assert_eq!(room.said(Door::Rejection, query).0, Code::MissingSecure);
}

#[test]
fn money_of_a_status_change_moves_what_was_sent_and_leaves_what_was_agreed() {
    let units = |whole: i64| Some(Micros::from_i64(whole * 1_000_000));
    let mut room = Room::new();
    room.has(|one| one.money.payout = units(5));
    let reported = room.transition(Door::Status, "transaction_id={t}&status=rejected&revenue=3").money.unwrap();
    assert_eq!((reported.0.revenue, reported.0.payout, reported.1.revenue), (units(10), units(5), units(3)));
    room.offer().switches.wire_revenue_trusted = true;
    let taken = room.transition(Door::Status, "transaction_id={t}&status=approved&revenue=3");
    assert_eq!((taken.kind, taken.effect), (ChangeKind::Amended, Effect::MoneyOnly));
    let taken = taken.money.unwrap();
    assert_eq!((taken.0.revenue, taken.0.payout, taken.1.revenue), (units(3), units(5), None));

    room.offer().switches.wire_revenue_trusted = false;
    room.recorded[0].source = Source::Clickless;
    room.recorded[0].money.revenue = units(4);
    let basket = room.transition(Door::Status, "transaction_id={t}&status=approved&purchase_value=50").money.unwrap();
    assert_eq!((basket.0.revenue, basket.0.payout, basket.0.purchase_value), (units(4), units(5), units(50)));
}

/// The history of a conversion, folded.
#[derive(Debug, PartialEq, Eq)]
struct Fold {
    status: Status,
    revenue: Option<Micros>,
    payout: Option<Micros>,
    entries: i32,
}

fn fold(history: &[Change]) -> Fold {
    let mut fold: Option<Fold> = None;
    for change in history {
        assert_eq!(change.from, fold.as_ref().map(|before| before.status));
        assert_eq!(change.revenue_before, fold.as_ref().and_then(|before| before.revenue));
        assert_eq!(change.payout_before, fold.as_ref().and_then(|before| before.payout));
        assert_eq!(change.number, fold.as_ref().map_or(1, |before| before.entries + 1));
        fold = Some(Fold {
            status: change.to,
            revenue: change.revenue_after,
            payout: change.payout_after,
            entries: change.number,
        });
    }
    fold.unwrap()
}

mod folds {
    use proptest::prelude::*;

    use super::*;

    #[derive(Clone, Copy, Debug)]
    struct Step {
        party: Party,
        to: Status,
        reason: Option<u8>,
        revenue: Option<i64>,
        seconds: i64,
    }

    fn step() -> impl Strategy<Value = Step> {
        (
            prop::sample::select(Party::ALL.to_vec()),
            prop::sample::select(Status::ALL.to_vec()),
            prop::option::of(0_u8..3),
            prop::option::of(0_i64..5),
            0_i64..3_000_000,
        )
            .prop_map(|(party, to, reason, revenue, seconds)| Step { party, to, reason, revenue, seconds })
    }

    proptest! {
        #[test]
        fn status_and_money_are_the_fold_of_the_history(steps in prop::collection::vec(step(), 0..12)) {
            let room = Room::new();
            let mut one = Conversion { version: 0, ..conversion(room.mint(Kind::Click), NOW) };
            let mut id = 0_u128;
            let mut mint = || { id += 1; ChangeId::from_uuid(uuid::Uuid::from_u128(id)) };
            let mut history = vec![one.record(mint(), author(Party::Sender, NOW))];
            let mut figures = one.figures();
            let mut now = NOW;
            for step in steps {
                now = now.plus_seconds(step.seconds);
                let reason = step.reason.map(|n| format!("reason {n}"));
                let MoveRuling::Apply(_, mut transition) = rule_move(&one, step.to, reason, step.party, now) else { continue };
                transition.money = step.revenue.map(|revenue| {
                    let revenue = Some(Micros::from_i64(revenue));
                    (crate::domain::conversion::Money { revenue, ..one.money }, one.reported)
                });
                figures.add(one.figures(), -1);
                history.push(one.apply(mint(), *transition, author(step.party, now)));
                figures.add(one.figures(), 1);
                prop_assert_eq!(one.rejected_by.is_some(), one.status == Status::Rejected);
                prop_assert!(one.status == Status::Rejected || one.rejection_reason.is_none());
            }
            let expected = Fold { status: one.status, revenue: one.money.revenue, payout: one.money.payout, entries: one.version };
            prop_assert_eq!(fold(&history), expected);
            prop_assert_eq!(figures, one.figures());
        }
    }
}

/// What an event postback of an offer with the events 1 `lead`, 2 `deposit` and 3 `Rebill` (removed) comes to.
fn event_room() -> Room {
    let mut room = Room::new();
    room.offer().events = vec![event(1, "lead"), event(2, "deposit"), event(3, "Rebill")];
    room.offer().events[2].removed_at = Some(NOW);
    room
}

#[test]
fn an_event_is_meant_by_its_number_its_exact_name_or_both_if_they_agree() {
    let mut room = event_room();
    room.has(|_| {}).found_first = false;
    for query in ["event_id=2", "event_name=deposit", "event_id=2&event_name=deposit", "event_name=%20deposit%20"] {
        let hit = room.hit(Door::Postback, &format!("transaction_id={{t}}&{query}"));
        let (_, admission) = admit(&hit, &room.snapshot, &room.keyring, &Aliases::default());
        assert_eq!(admission.unwrap().event_number(), 2, "{query}");
        assert_eq!(room.said(Door::Postback, &format!("transaction_id={{t}}&{query}")).0, Code::Recorded);
    }
    for query in ["event_id=1&event_name=deposit", "event_name=Deposit", "event_id=3", "event_name=Rebill"] {
        let said = room.said(Door::Postback, &format!("transaction_id={{t}}&{query}"));
        assert_eq!(said, (Code::UnknownEvent, Some(Check::EventDefined)), "{query}");
    }
}

#[test]
fn who_misspells_an_event_is_told_the_nearest_first() {
    let mut room = event_room();
    let detail = |room: &Room, query: &str| {
        let Err(refusal) = room.judged(Door::Postback, &format!("transaction_id={{t}}&{query}")) else { panic!() };
        (refusal.received.unwrap_or_default(), refusal.detail.unwrap())
    };
    let told = detail(&room, "event_name=Depozit");
    assert_eq!(told, ("Depozit".into(), "The offer defines deposit (2), lead (1).".into()));
    let (_, told) = detail(&room, "event_id=1&event_name=deposit");
    assert_eq!(told, "The event 1 is lead, and deposit is 2.");
    assert_eq!(detail(&room, "event_name=ann@shop.example").0, "");
    room.offer().events.extend((4..9).map(|number| event(number, &format!("level {number}"))));
    assert!(detail(&room, "event_name=x").1.ends_with(" and others."));
    room.offer().events.clear();
    assert_eq!(detail(&room, "event_id=2").1, "The offer defines no events.");
}

#[test]
fn what_was_removed_from_the_offer_can_still_be_rejected() {
    let mut room = event_room();
    room.has(|one| one.event_number = 3);
    for query in ["event_id=3", "event_name=Rebill"] {
        assert_eq!(room.said(Door::Rejection, &format!("transaction_id={{t}}&reason=no&{query}")).0, Code::Rejected);
        assert_eq!(
            room.said(Door::Status, &format!("transaction_id={{t}}&status=rejected&{query}")).0,
            Code::StatusChanged
        );
    }
    let event = &mut room.offer().events[2];
    event.removed_at = None;
    event.name = "deposit".into();
    let named = room.hit(Door::Rejection, "transaction_id={t}&reason=no&event_name=lead");
    assert_eq!(admit(&named, &room.snapshot, &room.keyring, &Aliases::default()).1.unwrap().event_number(), 1);
}

#[test]
fn an_event_has_money_of_its_own_whatever_the_publishers_rate() {
    let mut room = event_room();
    room.offer().rates.insert(publisher(), crate::domain::money::Price::Fixed(Micros::from_i64(9_000_000)));
    let ten = crate::domain::money::Percent::parse("10").unwrap();
    room.offer().events[0].payout = crate::domain::money::Price::Percent(ten);
    room.has(|_| {}).found_first = false;
    let money = |query: &str| room.standing(Door::Postback, &format!("transaction_id={{t}}&{query}")).money;
    let micros = |amount: i64| Some(Micros::from_i64(amount));
    assert_eq!((money("event_id=2").revenue, money("event_id=2").payout), (micros(5_000_000), micros(4_000_000)));
    assert_eq!(money("event_id=1&purchase_value=50").payout, micros(5_000_000));
    let held = room.standing(Door::Postback, "transaction_id={t}&event_id=1");
    assert_eq!(held.pending_reason, Some(PendingReason::AmountMissing));
}

#[test]
fn an_event_begins_rejected_only_where_every_conversion_of_its_transaction_is() {
    let mut room = event_room();
    let query = "transaction_id={t}&event_id=2";
    let reject = |one: &mut Conversion| {
        one.status = Status::Rejected;
        one.rejected_by = Some(Party::Sender);
    };
    room.has(reject).found_first = false;
    let standing = room.standing(Door::Postback, query);
    assert_eq!((standing.status, standing.rejected_by), (Status::Rejected, Some(Party::System)));
    assert_eq!(standing.reason.as_deref(), Some("base_rejected"));
    assert_eq!(room.said(Door::Postback, query).1, Some(Check::NotRejected));
    room.has(|one| one.status = Status::Pending).found_first = false;
    assert_eq!(room.standing(Door::Postback, query).status, Status::Approved);
    room.recorded.retain(|one| one.status == Status::Rejected);
    room.has(|one| one.event_number = 1).found_first = false;
    assert_eq!(room.standing(Door::Postback, query).status, Status::Rejected);
    room.recorded.retain(|one| one.event_number > 0);
    assert_eq!(room.said(Door::Postback, query).0, Code::NoBaseConversion);
}
