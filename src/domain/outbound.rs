//! Rules by which publishers are told of their conversions: which change of which conversion, when, and where to.
//!
//! A change fires a rule at most once, at the most telling of the moments that the rule asks for: a conversion that is
//! born Approved is told as approved where a rule wants both. Tests fire nothing. What is sent is in
//! `outbound_message`, how often it is tried in `delivery`. There is no macro for revenue, and none for a person: a
//! publisher is told what he is paid, and the ids that he sent himself.

use std::collections::HashMap;
use std::sync::Arc;

use super::clock::Timestamp;
use super::conversion::{Change, ChangeKind, Conversion};
use super::ids::{OfferId, OutboundPostbackId, PublisherId};
use super::macros::{Filling, MacroName, Template, macros};
use super::money::{Currency, Micros};
use super::offer::words;
use super::status::Status;

/// Rules of one installation that are not deleted, at most.
pub const RULES_MAX: u64 = 5000;
/// The longest delay of a rule: 30 days.
pub const DELAY_SECONDS_MAX: i32 = 30 * 24 * 3600;
/// Reasons that one rule chooses, at most.
pub const REASONS_MAX: usize = 50;
/// Events that one rule chooses, at most.
pub const EVENTS_MAX: usize = 50;
/// A delivery that needs the click goes without it after this time: 24 hours.
pub const CLICK_WAIT_SECONDS: i64 = 24 * 3600;
/// A rule that has only failed for this time is switched off: 5 days.
pub const FAILING_SECONDS_MAX: i64 = 5 * 24 * 3600;
/// How long the old secret of a rotation still signs where nothing else is asked for: 24 hours; 30 days at most.
pub const OVERLAP_SECONDS_DEFAULT: i32 = 24 * 3600;
pub const OVERLAP_SECONDS_MAX: i32 = 30 * 24 * 3600;
/// The longest name of a signature's parameter, in characters.
pub const PARAMETER_CHARACTERS_MAX: usize = 64;

words!(
    /// What a rule can fire on.
    Moment { Recorded = "recorded", Approved = "approved", Rejected = "rejected" }
);
words!(
    /// How a publisher is told.
    Method {
        /// Everything is in the URL.
        Get = "get",
        /// The URL, and all facts in a form.
        PostForm = "post_form",
        /// The URL, and all facts in JSON.
        PostJson = "post_json",
    }
);

macros! {
    /// A name in braces that stands for a value of the conversion.
    OutboundMacro {
        ExternalTransactionId = "external_transaction_id";
        TransactionId = "transaction_id";
        ConversionId = "conversion_id";
        Status = "status";
        RejectionReason = "rejection_reason";
        Payout = "payout";
        Currency = "currency";
        OfferId = "offer_id";
        PublisherId = "publisher_id";
        SubId = "sub_id";
        SubId2 = "sub_id_2";
        SubId3 = "sub_id_3";
        SubId4 = "sub_id_4";
        SubId5 = "sub_id_5";
        SubId6 = "sub_id_6";
        Event = "event";
        ConvertedAt = "converted_at";
    }
}

/// What the macros stand for; what is `None` becomes empty.
#[derive(Clone, Debug, Default)]
pub struct OutboundValues<'v> {
    pub external_transaction_id: Option<&'v str>,
    pub transaction_id: &'v str,
    pub conversion_id: &'v str,
    pub status: &'v str,
    pub rejection_reason: Option<&'v str>,
    pub payout: Option<Micros>,
    pub currency: Option<Currency>,
    pub offer_id: Option<OfferId>,
    pub publisher_id: Option<PublisherId>,
    pub sub_ids: [Option<&'v str>; 6],
    /// The number of the event; 0 for the conversion itself.
    pub event: i32,
    pub converted_at: Option<Timestamp>,
}

impl MacroName for OutboundMacro {
    type Values<'v> = OutboundValues<'v>;

    fn all() -> &'static [Self] {
        Self::ALL
    }

    fn name(self) -> &'static str {
        self.as_str()
    }

    fn filling<'v>(self, values: &Self::Values<'v>) -> Filling<'v> {
        match self {
            Self::ExternalTransactionId => Filling::text(values.external_transaction_id),
            Self::TransactionId => Filling::Text(values.transaction_id),
            Self::ConversionId => Filling::Text(values.conversion_id),
            Self::Status => Filling::Text(values.status),
            Self::RejectionReason => Filling::text(values.rejection_reason),
            Self::Payout => Filling::of(values.payout, Filling::Amount),
            Self::Currency => Filling::of(values.currency, Filling::Currency),
            Self::OfferId => Filling::of(values.offer_id, |id| Filling::Number(id.number())),
            Self::PublisherId => Filling::of(values.publisher_id, |id| Filling::Number(id.number())),
            Self::SubId => Filling::text(values.sub_ids[0]),
            Self::SubId2 => Filling::text(values.sub_ids[1]),
            Self::SubId3 => Filling::text(values.sub_ids[2]),
            Self::SubId4 => Filling::text(values.sub_ids[3]),
            Self::SubId5 => Filling::text(values.sub_ids[4]),
            Self::SubId6 => Filling::text(values.sub_ids[5]),
            Self::Event => Filling::Number(values.event),
            Self::ConvertedAt => Filling::of(values.converted_at, Filling::Instant),
        }
    }
}

/// The URL of a rule.
pub type OutboundTemplate = Template<OutboundMacro>;

/// The macros by which a publisher knows a conversion as his own: they come from his click.
pub const PUBLISHERS_OWN: [OutboundMacro; 7] = [
    OutboundMacro::ExternalTransactionId,
    OutboundMacro::SubId,
    OutboundMacro::SubId2,
    OutboundMacro::SubId3,
    OutboundMacro::SubId4,
    OutboundMacro::SubId5,
    OutboundMacro::SubId6,
];

/// One rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutboundPostback {
    pub id: OutboundPostbackId,
    pub name: String,
    pub is_enabled: bool,
    /// Why it was switched off, where nobody did it by hand.
    pub disabled_reason: Option<String>,
    /// `None`: of any.
    pub publisher: Option<PublisherId>,
    /// `None`: of any.
    pub offer: Option<OfferId>,
    /// At least one, each once.
    pub moments: Vec<Moment>,
    /// Of a rejection; none chosen means every.
    pub rejection_reasons: Vec<String>,
    /// Numbers of events, 0 for the conversion itself; none chosen means every.
    pub events: Vec<i32>,
    pub method: Method,
    pub template: OutboundTemplate,
    /// Of a GET: where its signature stands; none leaves it unsigned.
    pub signature_parameter: Option<String>,
    pub delay_seconds: i32,
    pub signing: Signing,
    /// Since when no try has succeeded; none while the last one did.
    pub failing_since: Option<Timestamp>,
    pub version: i32,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    /// Deleted rules fire nothing; they are kept because deliveries name them.
    pub deleted_at: Option<Timestamp>,
}

/// The secrets of a rule, sealed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signing {
    /// The ends of the newest secret, for people.
    pub hint: String,
    pub current: Vec<u8>,
    /// Of a rotation: it signs beside the newest one until this instant.
    pub previous: Option<(Vec<u8>, Timestamp)>,
}

impl Signing {
    /// The sealed secrets that sign at `now`, the newest first.
    pub fn live_at(&self, now: Timestamp) -> Vec<&[u8]> {
        let previous = self.previous.iter().filter(|(_, until)| now < *until).map(|(sealed, _)| sealed.as_slice());
        std::iter::once(self.current.as_slice()).chain(previous).collect()
    }

    /// Until when both secrets sign; none where only one does.
    pub fn overlap_until(&self, now: Timestamp) -> Option<Timestamp> {
        self.previous.as_ref().map(|(_, until)| *until).filter(|until| now < *until)
    }
}

impl OutboundPostback {
    /// Does what it sends hold what only the click knows? A POST sends everything.
    pub fn needs_click(&self) -> bool {
        match self.method {
            Method::Get => PUBLISHERS_OWN.iter().any(|own| self.template.contains(*own)),
            Method::PostForm | Method::PostJson => true,
        }
    }

    /// The moment at which this change fires it; none when it does not.
    pub fn fires(&self, conversion: &Conversion, change: &Change) -> Option<Moment> {
        let concerns = self.is_enabled
            && self.deleted_at.is_none()
            && !conversion.is_test
            && self.publisher.is_none_or(|publisher| publisher == conversion.publisher)
            && self.offer.is_none_or(|offer| offer == conversion.offer)
            && (self.events.is_empty() || self.events.contains(&conversion.event_number));
        let moment = moments_of(change).into_iter().flatten().find(|moment| self.moments.contains(moment));
        moment.filter(|moment| concerns && (*moment != Moment::Rejected || self.takes_reason(change.reason.as_deref())))
    }

    fn takes_reason(&self, reason: Option<&str>) -> bool {
        let reason = reason.unwrap_or_default().trim();
        self.rejection_reasons.is_empty() || self.rejection_reasons.iter().any(|own| own.eq_ignore_ascii_case(reason))
    }
}

/// The moments that a change is, the most telling first.
fn moments_of(change: &Change) -> [Option<Moment>; 2] {
    let moved = change.from != Some(change.to);
    let status = match change.to {
        Status::Approved => Some(Moment::Approved),
        Status::Rejected => Some(Moment::Rejected),
        Status::Pending => None,
    };
    let recorded = (change.kind == ChangeKind::Recorded).then_some(Moment::Recorded);
    [status.filter(|_| moved), recorded]
}

/// All rules that are not deleted, as the write path asks for them.
#[derive(Clone, Debug, Default)]
pub struct OutboundRules {
    by_id: HashMap<OutboundPostbackId, Arc<OutboundPostback>>,
    of_publisher: HashMap<PublisherId, Vec<Arc<OutboundPostback>>>,
    of_any: Vec<Arc<OutboundPostback>>,
}

impl OutboundRules {
    /// No change fires anything.
    pub fn is_empty(&self) -> bool {
        self.of_publisher.is_empty() && self.of_any.is_empty()
    }

    pub fn get(&self, id: OutboundPostbackId) -> Option<&Arc<OutboundPostback>> {
        self.by_id.get(&id)
    }

    pub fn iter(&self) -> impl Iterator<Item = &Arc<OutboundPostback>> {
        self.by_id.values()
    }

    /// The rules that a change fires, each with its moment, in the order of their ids.
    pub fn fired<'r>(
        &'r self,
        conversion: &'r Conversion,
        change: &'r Change,
    ) -> impl Iterator<Item = (&'r OutboundPostback, Moment)> {
        let own = self.of_publisher.get(&conversion.publisher).into_iter().flatten();
        let fired = own.chain(&self.of_any).map(Arc::as_ref);
        fired.filter_map(move |rule| rule.fires(conversion, change).map(|moment| (rule, moment)))
    }
}

impl FromIterator<OutboundPostback> for OutboundRules {
    fn from_iter<I: IntoIterator<Item = OutboundPostback>>(rules: I) -> Self {
        let mut all = Self::default();
        for rule in rules.into_iter().filter(|rule| rule.deleted_at.is_none()).map(Arc::new) {
            all.by_id.insert(rule.id, Arc::clone(&rule));
            match rule.publisher {
                _ if !rule.is_enabled => {}
                Some(publisher) => all.of_publisher.entry(publisher).or_default().push(rule),
                None => all.of_any.push(rule),
            }
        }
        all
    }
}

/// The host that a rule speaks to, with its port: what a limit or a breaker is about.
pub fn host_of(template: &OutboundTemplate) -> String {
    let base = template.base();
    let port = base.port_or_known_default().unwrap_or_default();
    format!("{}:{port}", base.host_str().unwrap_or_default().trim_end_matches('.'))
}

/// Words in the name of a parameter whose value is probably a secret of the publisher's.
const SECRET_WORDS: [&str; 12] =
    ["secret", "token", "key", "pass", "pwd", "auth", "sig", "hmac", "hash", "secure", "credential", "session"];

/// A URL for people who may not know a publisher's secrets: values of parameters that look like one are left out.
pub fn masked_url(url: &str) -> String {
    let (url, fragment) = url.split_once('#').map_or((url, None), |(url, fragment)| (url, Some(fragment)));
    let Some((path, query)) = url.split_once('?') else { return with_fragment(url.to_owned(), fragment) };
    let pairs = query.split('&').map(|pair| match pair.split_once('=') {
        Some((name, value)) if is_secret(name) && !value.is_empty() => format!("{name}=…"),
        Some(_) | None => pair.to_owned(),
    });
    with_fragment(format!("{path}?{}", pairs.collect::<Vec<_>>().join("&")), fragment)
}

fn with_fragment(url: String, fragment: Option<&str>) -> String {
    match fragment {
        Some(fragment) => format!("{url}#{fragment}"),
        None => url,
    }
}

fn is_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    SECRET_WORDS.iter().any(|word| name.contains(word))
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::domain::conversion::{PendingReason, Transition};
    use crate::domain::fixtures::{author, conversion, publisher, rule};
    use crate::domain::ids::ChangeId;
    use crate::domain::keyring::{Keyring, SeededEntropy};
    use crate::domain::macros::{nearest, parse_name};
    use crate::domain::screening::{MoveRuling, rule_move};
    use crate::domain::status::Party;
    use crate::domain::transaction_id::{Kind, Minter};

    const NOW: Timestamp = Timestamp::from_millis(1_795_344_000_000);

    fn born(status: Status) -> (Conversion, Change) {
        let entropy = SeededEntropy::new(1);
        let keyring = Keyring::generate(&entropy).unwrap();
        let offer = OfferId::new(42).unwrap();
        let id = Minter::new(&entropy).mint(&keyring, NOW, Kind::Click, offer, publisher());
        let mut new = Conversion { status, version: 0, ..conversion(id, NOW) };
        if status == Status::Rejected {
            new.rejection_reason = Some("outside_window".into());
        }
        if status == Status::Pending {
            new.pending_reason = Some(PendingReason::ManualApproval);
        }
        let change = new.record(ChangeId::from_uuid(Uuid::from_u128(1)), author(Party::Sender, NOW));
        (new, change)
    }

    fn moved(conversion: &mut Conversion, to: Status, reason: Option<&str>) -> Change {
        let ruling = rule_move(conversion, to, reason.map(str::to_owned), Party::Operator, NOW);
        let MoveRuling::Apply(_, transition) = ruling else { panic!("{to:?} is not allowed") };
        let transition: Transition = *transition;
        conversion.apply(ChangeId::from_uuid(Uuid::from_u128(2)), transition, author(Party::Operator, NOW))
    }

    fn on(moments: &[Moment]) -> OutboundPostback {
        OutboundPostback { moments: moments.to_vec(), ..rule("https://pub.example/?c={external_transaction_id}") }
    }

    #[test]
    fn a_change_fires_a_rule_at_the_most_telling_moment_it_asks_for() {
        use Moment::{Approved, Recorded, Rejected};
        for (status, moments, fired) in [
            (Status::Approved, &[Approved][..], Some(Approved)),
            (Status::Approved, &[Recorded, Approved, Rejected], Some(Approved)),
            (Status::Approved, &[Recorded, Rejected], Some(Recorded)),
            (Status::Approved, &[Rejected], None),
            (Status::Pending, &[Recorded, Approved, Rejected], Some(Recorded)),
            (Status::Pending, &[Approved, Rejected], None),
            (Status::Rejected, &[Recorded, Rejected], Some(Rejected)),
            (Status::Rejected, &[Recorded], Some(Recorded)),
            (Status::Rejected, &[Approved], None),
        ] {
            let (conversion, change) = born(status);
            assert_eq!(on(moments).fires(&conversion, &change), fired, "{status:?} {moments:?}");
        }
    }

    #[test]
    fn a_move_fires_and_another_reason_does_not() {
        let all = on(Moment::ALL);
        let (mut conversion, _) = born(Status::Pending);
        let change = moved(&mut conversion, Status::Approved, None);
        assert_eq!(all.fires(&conversion, &change), Some(Moment::Approved));
        let change = moved(&mut conversion, Status::Rejected, Some("fraud"));
        assert_eq!(all.fires(&conversion, &change), Some(Moment::Rejected));
        let again = Change { kind: ChangeKind::ReasonChanged, from: Some(Status::Rejected), ..change.clone() };
        assert_eq!(all.fires(&conversion, &again), None);
        let pending = moved(&mut conversion, Status::Pending, None);
        assert_eq!(all.fires(&conversion, &pending), None);
        let back = Change { from: Some(Status::Rejected), to: Status::Approved, ..pending };
        assert_eq!(all.fires(&conversion, &back), Some(Moment::Approved));
    }

    #[test]
    fn a_rule_fires_for_its_publisher_offer_event_and_reason_only() {
        let (conversion, change) = born(Status::Rejected);
        let base = on(&[Moment::Rejected]);
        let fires = |rule: OutboundPostback| rule.fires(&conversion, &change).is_some();
        let texts = |list: &[&str]| list.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
        assert!(fires(base.clone()));
        assert!(fires(OutboundPostback { publisher: Some(publisher()), offer: OfferId::new(42), ..base.clone() }));
        assert!(!fires(OutboundPostback { publisher: PublisherId::new(8), ..base.clone() }));
        assert!(!fires(OutboundPostback { offer: OfferId::new(43), ..base.clone() }));
        assert!(!fires(OutboundPostback { events: vec![1, 2], ..base.clone() }));
        assert!(fires(OutboundPostback { events: vec![], ..base.clone() }));
        assert!(fires(OutboundPostback { rejection_reasons: texts(&["x", "Outside_Window"]), ..base.clone() }));
        assert!(!fires(OutboundPostback { rejection_reasons: texts(&["outside"]), ..base.clone() }));
        assert!(!fires(OutboundPostback { is_enabled: false, ..base.clone() }));
        assert!(!fires(OutboundPostback { deleted_at: Some(NOW), ..base.clone() }));
        let test = Conversion { is_test: true, ..conversion.clone() };
        assert_eq!(base.fires(&test, &change), None);
    }

    #[test]
    fn rules_are_found_by_publisher_and_those_that_are_off_by_nobody() {
        let numbered = |number: u128, rule: OutboundPostback| OutboundPostback {
            id: OutboundPostbackId::from_uuid(Uuid::from_u128(number)),
            ..rule
        };
        let base = on(&[Moment::Approved]);
        let rules: OutboundRules = [
            numbered(1, base.clone()),
            numbered(2, OutboundPostback { publisher: Some(publisher()), ..base.clone() }),
            numbered(3, OutboundPostback { publisher: PublisherId::new(8), ..base.clone() }),
            numbered(4, OutboundPostback { is_enabled: false, ..base.clone() }),
            numbered(5, OutboundPostback { deleted_at: Some(NOW), ..base.clone() }),
        ]
        .into_iter()
        .collect();
        let (conversion, change) = born(Status::Approved);
        let mut fired: Vec<u128> =
            rules.fired(&conversion, &change).map(|(rule, _)| rule.id.uuid().as_u128()).collect();
        fired.sort_unstable();
        assert_eq!((fired, rules.iter().count()), (vec![1, 2], 4));
        assert!(!rules.is_empty());
        let off: OutboundRules = [OutboundPostback { is_enabled: false, ..base }].into_iter().collect();
        assert!(off.is_empty());
    }

    #[test]
    fn only_what_the_click_knows_is_waited_for() {
        for (url, needs) in [
            ("https://h.example/?c={external_transaction_id}", true),
            ("https://h.example/?c={sub_id_6}", true),
            ("https://h.example/{sub_id}/x", true),
            ("https://h.example/?c={transaction_id}&s={status}", false),
        ] {
            assert_eq!(rule(url).needs_click(), needs, "{url}");
            assert!(OutboundPostback { method: Method::PostJson, ..rule(url) }.needs_click());
        }
    }

    #[test]
    fn no_macro_tells_revenue_or_a_person() {
        for name in ["revenue", "user_email", "conversion_ip", "device_id", "order_id", "adv_sub_id", "purchase_value"]
        {
            assert_eq!(parse_name::<OutboundMacro>(name), None, "{name}");
        }
        assert_eq!(nearest("external_transacton_id"), Some(OutboundMacro::ExternalTransactionId));
    }

    #[test]
    fn an_old_secret_signs_until_its_end() {
        let signing = Signing { hint: String::new(), current: vec![1], previous: Some((vec![2], NOW)) };
        assert_eq!(signing.live_at(NOW.plus_millis(-1)), [&[1][..], &[2]]);
        assert_eq!(signing.live_at(NOW), [&[1][..]]);
        assert_eq!(signing.overlap_until(NOW.plus_millis(-1)), Some(NOW));
        assert_eq!(signing.overlap_until(NOW), None);
    }

    #[test]
    fn values_that_look_like_a_secret_are_not_shown() {
        for (url, shown) in [
            ("https://h.example/p", "https://h.example/p"),
            ("https://h.example/?a=1&Token=abc&b=2", "https://h.example/?a=1&Token=…&b=2"),
            ("https://h.example/?api_key=&x", "https://h.example/?api_key=&x"),
            ("https://h.example/?sig=ab,cd#f?key=1", "https://h.example/?sig=…#f?key=1"),
        ] {
            assert_eq!(masked_url(url), shown);
        }
    }

    #[test]
    fn a_host_is_told_with_its_port_and_without_its_final_dot() {
        for (url, host) in [
            ("https://Pub.Example./x", "pub.example:443"),
            ("http://pub.example/x", "pub.example:80"),
            ("https://pub.example:8443/x", "pub.example:8443"),
            ("https://[2606:4700::1]/x", "[2606:4700::1]:443"),
        ] {
            assert_eq!(host_of(&OutboundTemplate::parse(url).unwrap()), host);
        }
    }
}
