//! What a pasted URL of ours would come to, with every check, and with nothing written.
//!
//! For people who look for the reason why a sender's requests are refused. Any host is accepted: the URL was copied
//! out of somebody's settings, and the host says nothing about its parameters (but for a pixel, whose host is one of
//! its checks). Unlike a dry run it leaves no mark on the token and is told in full: whoever asks has a role.
//! The secret inside the URL is read, compared and forgotten; it is in no answer and in no log.

use std::net::{IpAddr, Ipv4Addr};

use super::track::hit;
use super::{App, Outcome, UserError, UserErrorCode};
use crate::domain::answer::{Answer, CheckResult, check_results};
use crate::domain::code::Code;
use crate::domain::inbound::{Door, Inbound, Pairs, read};
use crate::domain::receipt::Arrival;
use crate::domain::screening::admit_click;
use crate::domain::test_link;

/// The longest URL that is read: the longest request target that a door reads, and its host.
pub const URL_BYTES_MAX: usize = 8 * 1024 + 300;

/// What a request would come to.
#[derive(Clone, Debug)]
pub struct Explained {
    /// As it would be answered.
    pub answer: Answer,
    pub checks: Vec<CheckResult>,
    /// The parameters as they are read: form-encoded, in private forms, without the token.
    pub params: String,
}

/// Explains a GET of `url` that comes from `address`.
///
/// # Errors
/// `Invalid` and `TooLong` for a text that is no URL of ours.
pub async fn explain_postback(app: &App, url: &str, address: Option<IpAddr>) -> Outcome<Explained> {
    let pasted = match Pasted::read(url.trim()) {
        Ok(pasted) => pasted,
        Err(fault) => return Ok(Err(vec![fault])),
    };
    let pairs = Pairs::from_query(pasted.query.as_bytes());
    let Some(door) = door_of(&pasted.path, &pairs) else {
        let message = format!("{} is no tracking door of ours. {}", pasted.path, Code::UnknownRoute.cure());
        return Ok(Err(vec![UserError::new(UserErrorCode::Invalid, &["url"], message)]));
    };
    let inbound = Inbound { dry_run: false, ..read(door, pairs) };
    let address = address.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
    let arrival = arrival(app, pasted, address);
    match door {
        Door::Click => Ok(Ok(explain_click(app, inbound, arrival))),
        Door::Postback | Door::Clickless | Door::Pixel | Door::Rejection | Door::Status => {
            let hit = hit(app, inbound, arrival);
            let rehearsed = app.intake.rehearse(&hit).await?;
            Ok(Ok(Explained { answer: rehearsed.answer, checks: rehearsed.checks, params: hit.params }))
        }
    }
}

fn explain_click(app: &App, inbound: Inbound, arrival: Arrival) -> Explained {
    let snapshot = app.snapshot.load();
    let admitted = admit_click(&inbound, &snapshot, is_test(app, &inbound, arrival.at));
    let (answer, decisive) = match admitted {
        Ok(_) => (Answer::bare(Door::Click, Code::Recorded), None),
        Err((refusal, _)) => {
            let (field, received) = (refusal.field.map(str::to_owned), refusal.received);
            let answer = Answer { field, received, detail: refusal.detail, ..Answer::bare(Door::Click, refusal.code) };
            (answer, Some(refusal.check))
        }
    };
    let warnings = inbound.warnings.clone();
    let params = hit(app, inbound, arrival).params;
    Explained { answer: Answer { warnings, ..answer }, checks: check_results(Door::Click, decisive), params }
}

fn is_test(app: &App, inbound: &Inbound, now: crate::domain::clock::Timestamp) -> bool {
    use crate::domain::inbound::Slot;
    match (&inbound.offer, &inbound.publisher, &inbound.test) {
        (Slot::Value(offer), Slot::Value(publisher), Some(test)) => {
            test_link::verify(&app.keyring, *offer, *publisher, test, now).is_some()
        }
        _ => false,
    }
}

/// A URL in its parts.
struct Pasted {
    host: String,
    path: String,
    /// As it was pasted, still encoded.
    query: String,
}

impl Pasted {
    fn read(text: &str) -> Result<Self, UserError> {
        if text.len() > URL_BYTES_MAX {
            let message = format!("A tracking door reads at most 8 KiB, and this has {} bytes.", text.len());
            return Err(UserError::new(UserErrorCode::TooLong, &["url"], message));
        }
        let whole = text.split('#').next().unwrap_or_default();
        let (place, query) = whole.split_once('?').unwrap_or((whole, ""));
        let place = if place.contains("://") { place.to_owned() } else { format!("https://{place}") };
        let parsed = url::Url::parse(&place).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
        let host = parsed.as_ref().and_then(url::Url::host_str).map(str::to_owned);
        let (Some(url), Some(host)) = (parsed, host) else {
            return Err(UserError::new(UserErrorCode::Invalid, &["url"], "Paste a whole URL, with its host."));
        };
        Ok(Self { host, path: url.path().to_owned(), query: query.to_owned() })
    }
}

/// Which door a path is, as the router has them.
fn door_of(path: &str, pairs: &Pairs) -> Option<Door> {
    match path {
        "/" => pairs.door_at_root(),
        "/click" => Some(Door::Click),
        "/postback" => Some(Door::Postback),
        "/postback/clickless" => Some(Door::Clickless),
        "/reject" => Some(Door::Rejection),
        "/status" => Some(Door::Status),
        "/pixel.gif" => Some(Door::Pixel),
        _ => None,
    }
}

fn arrival(app: &App, pasted: Pasted, address: IpAddr) -> Arrival {
    Arrival {
        at: app.clock.now(),
        method: "GET".to_owned(),
        host: pasted.host,
        path: pasted.path,
        address,
        user_agent: None,
        referrer_origin: None,
        is_bot: false,
        request_id: String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn door(url: &str) -> Option<Door> {
        let pasted = Pasted::read(url).unwrap();
        door_of(&pasted.path, &Pairs::from_query(pasted.query.as_bytes()))
    }

    #[test]
    fn every_door_is_found_by_its_path_or_by_its_parameters() {
        for (url, expected) in [
            ("https://t.example/click?offer=1&publisher=2", Door::Click),
            ("t.example/postback?secure=a", Door::Postback),
            ("http://t.example:8080/postback/clickless?secure=a", Door::Clickless),
            ("https://t.example/reject", Door::Rejection),
            ("https://t.example/status?x=1#y", Door::Status),
            ("https://t.example/pixel.gif", Door::Pixel),
            ("https://t.example/?secure=a&transaction_id={transaction_id}", Door::Postback),
            ("https://t.example?secure=a&publisher=7", Door::Clickless),
        ] {
            assert_eq!(door(url), Some(expected), "{url}");
        }
        assert_eq!(door("https://t.example/elsewhere?secure=a"), None);
        assert_eq!(door("https://t.example/?utm_source=x"), None);
    }

    #[test]
    fn what_is_no_url_is_refused_and_so_is_what_no_door_would_read() {
        for wrong in ["", "ftp://t.example/click", "https://", "javascript:alert(1)"] {
            assert!(Pasted::read(wrong).is_err(), "{wrong}");
        }
        let long = |bytes: usize| Pasted::read(&format!("https://t.example/?{}", "a".repeat(bytes - 19)));
        assert!(long(URL_BYTES_MAX).is_ok());
        assert_eq!(long(URL_BYTES_MAX + 1).err().map(|fault| fault.code), Some(UserErrorCode::TooLong));
    }
}
