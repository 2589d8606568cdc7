//! A receipt: the record of one inbound request. What came, every check, the verdict.
//!
//! Never holds a secret; personal values only in their private forms. Its parameters have one canonical text
//! ([`canonical_params`]), which is also what a fingerprint is taken over: were it to depend on the order of the
//! parameters or on chance, a retry of a request without an order id would count twice.

use std::borrow::Cow;
use std::fmt::Display;
use std::net::{IpAddr, Ipv4Addr};

use serde::{Deserialize, Serialize};

use super::clock::Timestamp;
use super::code::Code;
use super::ids::{ConversionId, OfferId, PublisherId, ReceiptId, TokenId};
use super::inbound::{AmountSlot, CurrencySlot, Door, Inbound, PARAMETERS, Parameter, Slot, Warning, presentable};
use super::keyring::Keyring;
use super::privacy::{PersonalHash, PrivateAddress, PrivateEmail, private_text, private_text_without_emails};
use super::screening::{Check, Hit, Known, Refusal};
use super::settings::EmailStorage;
use super::status::Status;
use super::transaction_id::TransactionId;

/// How a request reached us, apart from its parameters.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Arrival {
    pub at: Timestamp,
    pub method: String,
    /// The `Host` header, at most 255 characters.
    pub host: String,
    pub path: String,
    /// The sender's own address, after `trusted_proxies`. In memory only: what is written down is a
    /// [`PrivateAddress`]. An arrival that was read back has `0.0.0.0` here; only a pixel's is, which asks for none.
    #[serde(skip, default = "nobodys_address")]
    pub address: IpAddr,
    pub user_agent: Option<String>,
    /// Origin of the `Referer` header, for clicks.
    pub referrer_origin: Option<String>,
    /// A bot or a preview by its user agent, for clicks.
    pub is_bot: bool,
    pub request_id: String,
}

fn nobodys_address() -> IpAddr {
    IpAddr::V4(Ipv4Addr::UNSPECIFIED)
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    pub id: ReceiptId,
    pub received_at: Timestamp,
    pub door: Door,
    pub code: Code,
    /// The check that decided: those before it passed, those after it were not reached. None: all passed.
    pub decisive_check: Option<Check>,
    /// One sentence: what exactly was wrong.
    pub detail: Option<String>,
    pub field: Option<String>,
    /// At most 64 characters of what was wrong.
    pub received: Option<String>,
    pub method: String,
    pub host: String,
    pub path: String,
    /// Form-encoded, normalised, in private forms.
    pub params: String,
    /// None once the person was erased.
    pub address: Option<PrivateAddress>,
    pub user_agent: Option<String>,
    pub latency_us: i64,
    pub is_test: bool,
    /// The token asked for 200 where a 4xx would be due.
    pub lenient: bool,
    pub token: Option<TokenId>,
    pub offer: Option<OfferId>,
    pub publisher: Option<PublisherId>,
    pub transaction_id: Option<TransactionId>,
    pub conversion: Option<ConversionId>,
    /// Of the conversion, as answered.
    pub status: Option<Status>,
    pub warnings: Vec<Warning>,
    pub request_id: String,
    /// The receipt of the first attempt, where this one was sent again from it.
    pub replay_of: Option<ReceiptId>,
}

impl Receipt {
    /// Of a request that was refused without a batch: it has no verified token, so nothing but this is written.
    /// `latency_us` is in microseconds, from its arrival to its answer.
    pub fn refused(hit: &Hit, known: &Known, refusal: &Refusal, latency_us: i64) -> Self {
        let Arrival { at, method, host, path, user_agent, request_id, .. } = hit.arrival.clone();
        Self {
            id: hit.receipt,
            received_at: at,
            door: hit.inbound.door,
            code: refusal.code,
            decisive_check: Some(refusal.check),
            detail: refusal.detail.clone(),
            field: refusal.field.map(str::to_owned),
            received: refusal.received.clone(),
            method,
            host,
            path,
            params: hit.receipt_params().to_owned(),
            address: Some(hit.address.clone()),
            user_agent,
            latency_us,
            is_test: known.is_test,
            lenient: known.lenient,
            token: known.token,
            offer: known.offer,
            publisher: known.publisher,
            transaction_id: known.transaction_id,
            conversion: None,
            status: None,
            warnings: hit.inbound.warnings.clone(),
            request_id,
            replay_of: None,
        }
    }
}

/// Follows the name of what stands in its private form, with the keyed hash of the whole value.
pub(super) const HASH: &str = "_hash";
/// Follows the name of an identity that could not be used, with the code that says why.
pub(super) const UNREADABLE: &str = "_unreadable";

/// The parameters as they were understood, form-encoded in the order of their table, then the additional ones by
/// name. E-mails and addresses stand in their private forms with their hash under `<name>_hash`; what could not be
/// read stands as far as it may be said back. Never the token, nor what only shapes the answer (`dry_run`,
/// `format`), nor the proof of a test link.
pub fn canonical_params(inbound: &Inbound, keyring: &Keyring) -> String {
    written_params(inbound, keyring, EmailStorage::Hashed)
}

/// As [`canonical_params`], with nothing left of any e-mail: for receipts, where the workspace drops them.
pub fn params_without_emails(inbound: &Inbound, keyring: &Keyring) -> String {
    written_params(inbound, keyring, EmailStorage::Dropped)
}

fn written_params(inbound: &Inbound, keyring: &Keyring, emails: EmailStorage) -> String {
    let form = url::form_urlencoded::Serializer::new(String::new());
    let mut writer = ParamsWriter { form, keyring, emails };
    for spec in PARAMETERS {
        writer.write_parameter(spec.parameter, inbound);
    }
    let mut extras: Vec<&(String, String)> = inbound.extras.iter().collect();
    extras.sort();
    for (name, value) in extras {
        writer.text(name, Some(value));
    }
    writer.form.finish()
}

/// The additional parameters as they are kept with a conversion.
pub fn private_extras(inbound: &Inbound, keyring: &Keyring, emails: EmailStorage) -> Vec<(String, String)> {
    let private = |value: &str| match emails {
        EmailStorage::Hashed => private_text(keyring, value).shown.into_owned(),
        EmailStorage::Dropped => private_text_without_emails(keyring, value).shown.into_owned(),
    };
    inbound.extras.iter().map(|(name, value)| (name.clone(), private(value))).collect()
}

struct ParamsWriter<'a> {
    form: url::form_urlencoded::Serializer<'a, String>,
    keyring: &'a Keyring,
    emails: EmailStorage,
}

impl ParamsWriter<'_> {
    fn write_parameter(&mut self, parameter: Parameter, inbound: &Inbound) {
        let name = parameter.spec().name;
        match parameter {
            Parameter::Secure | Parameter::Test | Parameter::DryRun | Parameter::Format => {}
            Parameter::TransactionId => self.transaction_id(&inbound.transaction_id),
            Parameter::Offer => self.slot(name, &inbound.offer, |id| id.number()),
            Parameter::Publisher => self.slot(name, &inbound.publisher, |id| id.number()),
            Parameter::OrderId => self.slot(name, &inbound.order_id, String::clone),
            Parameter::ExternalTransactionId => self.slot(name, &inbound.external_transaction_id, String::clone),
            Parameter::EventId => self.slot(name, &inbound.event_id, |number| *number),
            Parameter::EventName => self.slot(name, &inbound.event_name, String::clone),
            Parameter::ConversionId => self.slot(name, &inbound.conversion_id, String::clone),
            Parameter::Status => self.slot(name, &inbound.status, |status| status.as_str()),
            Parameter::Revenue => self.amount(name, &inbound.revenue),
            Parameter::Payout => self.amount(name, &inbound.payout),
            Parameter::PurchaseValue => self.amount(name, &inbound.purchase_value),
            Parameter::Currency => self.currency(name, &inbound.currency),
            Parameter::SubId => self.text(name, inbound.sub_ids[0].as_deref()),
            Parameter::SubId2 => self.text(name, inbound.sub_ids[1].as_deref()),
            Parameter::SubId3 => self.text(name, inbound.sub_ids[2].as_deref()),
            Parameter::SubId4 => self.text(name, inbound.sub_ids[3].as_deref()),
            Parameter::SubId5 => self.text(name, inbound.sub_ids[4].as_deref()),
            Parameter::SubId6 => self.text(name, inbound.sub_ids[5].as_deref()),
            Parameter::AdvSubId => self.text(name, inbound.adv_sub_ids[0].as_deref()),
            Parameter::AdvSubId2 => self.text(name, inbound.adv_sub_ids[1].as_deref()),
            Parameter::AdvSubId3 => self.text(name, inbound.adv_sub_ids[2].as_deref()),
            Parameter::AdvSubId4 => self.text(name, inbound.adv_sub_ids[3].as_deref()),
            Parameter::AdvSubId5 => self.text(name, inbound.adv_sub_ids[4].as_deref()),
            Parameter::AdvSubId6 => self.text(name, inbound.adv_sub_ids[5].as_deref()),
            Parameter::SessionTime => self.shown(name, inbound.session_time_seconds),
            Parameter::ConversionIp => self.address(name, inbound.conversion_ip),
            Parameter::UserAgent => self.text(name, inbound.user_agent.as_deref()),
            Parameter::UserEmail => self.email(name, inbound.user_email.as_deref()),
            Parameter::DeviceId => self.text(name, inbound.device_id.as_deref()),
            Parameter::NewRejectedReason => self.text(name, inbound.rejected_reason.as_deref()),
            Parameter::ThirdPartyRejectedReason => self.text(name, inbound.third_party_rejected_reason.as_deref()),
        }
    }

    fn shown(&mut self, name: &str, value: Option<impl Display>) {
        if let Some(value) = value {
            self.form.append_pair(name, &value.to_string());
        }
    }

    fn hash(&mut self, name: &str, hash: &PersonalHash) {
        self.form.append_pair(&format!("{name}{HASH}"), &hash.to_hex());
    }

    /// An identity keeps its exact value: it is what the conversion is found by. One that cannot be used says so, since
    /// what is left of it may look as if it could.
    fn slot<T, V: Display>(&mut self, name: &str, slot: &Slot<T>, show: impl Fn(&T) -> V) {
        match slot {
            Slot::Absent => {}
            Slot::Value(value) => self.shown(name, Some(show(value))),
            Slot::Bad(problem) => {
                self.shown(name, Some(problem.received.as_deref().unwrap_or_default()));
                self.form.append_pair(&format!("{name}{UNREADABLE}"), problem.code.as_str());
            }
        }
    }

    /// One spelling for one id, so that a retry in other letters is the same request.
    fn transaction_id(&mut self, slot: &Slot<String>) {
        self.slot("transaction_id", slot, |text| match TransactionId::parse(text) {
            Ok(id) => id.to_string(),
            Err(_) => presentable(text).unwrap_or_default(),
        });
    }

    fn amount(&mut self, name: &str, slot: &AmountSlot) {
        match slot {
            AmountSlot::Absent => {}
            AmountSlot::Value(micros) => self.shown(name, Some(micros)),
            AmountSlot::Unreadable(text) => self.shown(name, Some(text)),
        }
    }

    fn currency(&mut self, name: &str, slot: &CurrencySlot) {
        match slot {
            CurrencySlot::Absent => {}
            CurrencySlot::Known(currency) => self.shown(name, Some(currency)),
            CurrencySlot::Unknown(text) => self.shown(name, Some(text)),
        }
    }

    fn text(&mut self, name: &str, text: Option<&str>) {
        let Some(text) = text else { return };
        let private = match self.emails {
            EmailStorage::Hashed => private_text(self.keyring, text),
            EmailStorage::Dropped => private_text_without_emails(self.keyring, text),
        };
        let shown: &Cow<'_, str> = &private.shown;
        self.form.append_pair(name, shown);
        if let Some(hash) = private.hash {
            self.hash(name, &hash);
        }
    }

    fn address(&mut self, name: &str, address: Option<IpAddr>) {
        let Some(address) = address else { return };
        let private = PrivateAddress::of(self.keyring, address);
        self.form.append_pair(name, &private.network);
        self.hash(name, &private.hash);
    }

    fn email(&mut self, name: &str, email: Option<&str>) {
        let kept = email.filter(|_| self.emails == EmailStorage::Hashed);
        let Some(private) = kept.and_then(|email| PrivateEmail::of(self.keyring, email)) else { return };
        self.form.append_pair(name, &private.masked);
        self.hash(name, &private.hash);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::inbound::{Pairs, read};
    use crate::domain::keyring::SeededEntropy;

    fn params(query: &str) -> String {
        let keyring = Keyring::generate(&SeededEntropy::new(1)).unwrap();
        canonical_params(&read(Door::Postback, Pairs::from_query(query.as_bytes())), &keyring)
    }

    #[test]
    fn the_order_of_the_parameters_and_the_token_do_not_matter() {
        let text = params("order_id=A%201&b=2&revenue=1.50&a=1&secure=s3cret");
        assert_eq!(text, "order_id=A+1&revenue=1.50&a=1&b=2");
        assert_eq!(params("a=1&secure=other&revenue=1.5&b=2&ORDER_ID=A+1&dry_run=1&format=text"), text);
        assert_ne!(params("order_id=A%201&b=2&revenue=1.51&a=1"), text);
    }

    #[test]
    fn people_stand_in_their_private_forms_wherever_they_were_sent() {
        let text = params(
            "user_email=john@shop.example&conversion_ip=203.0.113.9&mail=jane@shop.example&ip=2001:db8::9\
             &adv_sub_id=Jim+<jim@shop.example>,x",
        );
        for private in ["john", "jane", "jim@", "203.0.113.9", "db8%3A%3A9", "db8::9"] {
            assert!(!text.contains(private), "{text}");
        }
        for form in ["user_email=j***%40shop.example&user_email_hash=", "conversion_ip=203.0.113.0%2F24", "mail_hash="]
        {
            assert!(text.contains(form), "{text}");
        }
        assert_eq!(
            text,
            params(
                "ip=2001:db8::9&mail=Jane@shop.example&adv_sub_id=Jim+<jim@shop.example>,x\
             &conversion_ip=203.0.113.9&user_email=JOHN@shop.example"
            )
        );
    }

    #[test]
    fn nothing_is_left_of_an_email_where_they_are_dropped() {
        let keyring = Keyring::generate(&SeededEntropy::new(1)).unwrap();
        let query =
            "user_email=john@shop.example&mail=jane@shop.example&adv_sub_id=Jim+<jim@shop.example>,x&ip=192.0.2.9";
        let inbound = read(Door::Postback, Pairs::from_query(query.as_bytes()));
        let text = params_without_emails(&inbound, &keyring);
        assert_eq!(text.split("&ip_hash=").next().unwrap(), "adv_sub_id=Jim+%3C***%3E%2Cx&ip=192.0.2.0%2F24");
        assert!(text.ends_with("&mail=***"), "{text}");
        let extras = private_extras(&inbound, &keyring, EmailStorage::Dropped);
        assert_eq!(extras.iter().map(|(_, value)| value.as_str()).collect::<Vec<_>>(), ["***", "192.0.2.0/24"]);
    }

    #[test]
    fn what_could_not_be_read_stands_as_far_as_it_may_be_said_back() {
        assert_eq!(
            params("transaction_id={tid}&revenue=abc&currency=zz"),
            "transaction_id=%7Btid%7D&transaction_id_unreadable=unreplaced_macro&revenue=abc&currency=zz"
        );
        assert_eq!(params("transaction_id=ann@shop.example"), "transaction_id=");
    }

    #[test]
    fn an_id_has_one_spelling() {
        let id = "0c0t6yvh2mk3w8q1r5x9zpa4db7ej0fg2hn6stvw";
        assert_eq!(params(&format!("transaction_id={}", id.to_uppercase())), params(&format!("click_id={id}")));
    }
}
