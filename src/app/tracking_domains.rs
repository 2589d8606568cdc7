//! Tracking domains: hosts of the network's own that carry links and pixels.
//!
//! Whoever adds one shows that it is theirs by two records: a CNAME to the host of `server.public_url`, and a TXT with
//! a challenge. A domain that was right once goes on accepting while its records fail, because a hiccup of a zone must
//! not cost conversions; and when nobody answers us at all, nothing is decided. Refuses addresses, our own host, and
//! to delete a domain that still accepts: its links are out in the field.

use url::Host;

use super::idempotency::{gone, reused};
use super::{App, AppError, Outcome, UserError, UserErrorCode, snapshot};
use crate::domain::audit::{AuditChange, AuditEvent, differences};
use crate::domain::clock::{Timestamp, random_bytes};
use crate::domain::idempotency::IdempotentCall;
use crate::domain::ids::TrackingDomainId;
use crate::domain::operator::Principal;
use crate::domain::tracking_domain::{DomainState, TrackingDomain};
use crate::store::idempotency::Earlier;
use crate::store::{StoreError, audit, domains, idempotency};

/// Tracking domains of one installation, at most.
pub const DOMAINS_MAX: u64 = 100;

/// One record of a domain: what it must be, and what was there at the last check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DnsRecord {
    /// `CNAME` or `TXT`.
    pub kind: &'static str,
    pub name: String,
    pub value: String,
    pub found: Vec<String>,
    pub ok: bool,
}

/// The records of `domain`, expected against found.
pub fn dns_records(app: &App, domain: &TrackingDomain) -> [DnsRecord; 2] {
    records(domain, public_host(app))
}

/// Adds a domain, pending until its records are right.
///
/// # Errors
/// `Required`, `Invalid` (not a host name, our own), `TooLong`, `Taken`, `LimitExceeded`.
pub async fn create_domain(app: &App, principal: &Principal, hostname: &str) -> Outcome<TrackingDomain> {
    create_domain_once(app, principal, hostname, None).await
}

/// As [`create_domain`]; sent twice under one key, it adds one domain.
///
/// # Errors
/// As [`create_domain`]; `IdempotencyKeyReused`, `NotFound` when the domain was removed since.
pub async fn create_domain_once(
    app: &App,
    principal: &Principal,
    hostname: &str,
    once: Option<IdempotentCall>,
) -> Outcome<TrackingDomain> {
    let host = match read_host(hostname, public_host(app)) {
        Ok(host) => host,
        Err(error) => return Ok(Err(vec![error])),
    };
    insert(app, principal, (host, DomainState::Pending), once).await
}

/// Adds an active domain under `.localhost`, which resolves to the own machine without any record. For the seed of
/// the demo only; no door offers it.
///
/// # Errors
/// As [`create_domain`]; `Invalid` for a host that is not under `.localhost`.
pub async fn create_local_domain(app: &App, principal: &Principal, hostname: &str) -> Outcome<TrackingDomain> {
    let host = match read_host(hostname, public_host(app)) {
        Ok(host) if host.ends_with(".localhost") => host,
        Ok(_) => return Ok(Err(vec![invalid("Only hosts under .localhost need no records.")])),
        Err(error) => return Ok(Err(vec![error])),
    };
    insert(app, principal, (host, DomainState::Active), None).await
}

/// Asks the DNS now, and keeps what it said.
///
/// # Errors
/// `NotFound`, `ConflictVersion` when the domain was changed during the question. Records that are wrong are no
/// error: they are in the answer.
pub async fn verify_domain(app: &App, principal: &Principal, id: TrackingDomainId) -> Outcome<TrackingDomain> {
    let Some(before) = domains::find(&app.database, id).await? else { return Ok(Err(not_found())) };
    let found = ask(app, &before.host).await;
    let after = judge(&before, public_host(app), found, app.clock.now());
    write(app, principal, "tracking_domain.verify", before, after).await
}

/// Makes it the domain of links and URLs for which none is named.
///
/// # Errors
/// `NotFound`, `DomainNotVerified`, `ConflictVersion`.
pub async fn set_default_domain(app: &App, principal: &Principal, id: TrackingDomainId) -> Outcome<TrackingDomain> {
    let Some(before) = domains::find(&app.database, id).await? else { return Ok(Err(not_found())) };
    if !before.accepts() {
        let message = format!("{} is {}: links on it would lead nowhere.", before.host, before.state.as_str());
        let error = UserError::new(UserErrorCode::DomainNotVerified, &["id"], message);
        return Ok(Err(vec![error.with_hint("Check its DNS records.")]));
    }
    let after = TrackingDomain { is_default: true, ..next(&before) };
    write(app, principal, "tracking_domain.set_default", before, after).await
}

/// Switches a domain off, or on again: then it accepts at once if its records were right at the last check.
///
/// # Errors
/// `NotFound`, `ConflictVersion`.
pub async fn set_domain_enabled(
    app: &App,
    principal: &Principal,
    id: TrackingDomainId,
    enabled: bool,
) -> Outcome<TrackingDomain> {
    let Some(before) = domains::find(&app.database, id).await? else { return Ok(Err(not_found())) };
    let after = switch(&before, public_host(app), enabled);
    write(app, principal, "tracking_domain.set_enabled", before, after).await
}

/// Removes a domain that does not accept.
///
/// # Errors
/// `NotFound`, `InUse` for a domain that accepts.
pub async fn delete_domain(app: &App, principal: &Principal, id: TrackingDomainId) -> Outcome<TrackingDomainId> {
    let Some(domain) = domains::find(&app.database, id).await? else { return Ok(Err(not_found())) };
    let event = event(app, principal, "tracking_domain.delete", &domain, Vec::new());
    let written = app.database.control_decision(Box::new(move |tx| {
        Box::pin(async move {
            match domains::find_in(tx, id).await? {
                None => return Ok(Err(not_found())),
                Some(domain) if domain.accepts() => return Ok(Err(vec![in_use(&domain.host)])),
                Some(_) => {}
            }
            domains::delete(tx, id).await?;
            audit::insert(tx, event).await?;
            Ok(Ok(()))
        })
    }));
    match written.await? {
        Ok(()) => snapshot::refresh_after_write(app).await,
        Err(errors) => return Ok(Err(errors)),
    }
    Ok(Ok(id))
}

async fn insert(
    app: &App,
    principal: &Principal,
    (host, state): (String, DomainState),
    once: Option<IdempotentCall>,
) -> Outcome<TrackingDomain> {
    let now = app.clock.now();
    let domain = TrackingDomain {
        id: TrackingDomainId::mint(&*app.clock, &*app.entropy),
        host,
        state,
        is_default: false,
        challenge: challenge(app),
        cname_found: None,
        txt_found: None,
        failure: None,
        last_checked_at: None,
        created_at: now,
        version: 1,
    };
    let changes = vec![AuditChange::new("state", None, Some(state.as_str().to_owned()))];
    let event = event(app, principal, "tracking_domain.create", &domain, changes);
    let written = app.database.control_decision(Box::new(move |tx| {
        Box::pin(async move {
            match idempotency::find(tx, once.as_ref(), now).await? {
                Earlier::None => {}
                Earlier::OtherArguments => return Ok(Err(vec![reused()])),
                Earlier::Same(answer) => {
                    let first = match TrackingDomainId::parse(&answer) {
                        Some(id) => domains::find_in(tx, id).await?,
                        None => None,
                    };
                    return Ok(first.ok_or_else(gone));
                }
            }
            if domains::count(tx).await? >= DOMAINS_MAX {
                let message = format!("There are {DOMAINS_MAX} tracking domains already.");
                return Ok(Err(vec![UserError::new(UserErrorCode::LimitExceeded, &["hostname"], message)]));
            }
            idempotency::insert(tx, once.as_ref(), domain.id.to_string(), now).await?;
            domains::insert(tx, &domain).await?;
            audit::insert(tx, event).await?;
            Ok(Ok(domain))
        })
    }));
    match written.await {
        Ok(Ok(domain)) => {
            snapshot::refresh_after_write(app).await;
            Ok(Ok(domain))
        }
        Ok(Err(errors)) => Ok(Err(errors)),
        Err(StoreError::Taken(_)) => {
            let message = "This host is a tracking domain already.";
            Ok(Err(vec![UserError::new(UserErrorCode::Taken, &["hostname"], message)]))
        }
        Err(error) => Err(AppError::from(error)),
    }
}

/// Writes `after`, which is one version on from `before`.
async fn write(
    app: &App,
    principal: &Principal,
    action: &str,
    before: TrackingDomain,
    after: TrackingDomain,
) -> Outcome<TrackingDomain> {
    let event = event(app, principal, action, &before, differences(fields(&before), fields(&after)));
    let row = after.clone();
    let becomes_default = after.is_default && !before.is_default;
    let written = app.database.control_decision(Box::new(move |tx| {
        Box::pin(async move {
            if becomes_default {
                domains::clear_default(tx).await?;
            }
            if !domains::update(tx, &row).await? {
                let message = "The domain was changed meanwhile.";
                let error = UserError::new(UserErrorCode::ConflictVersion, &["id"], message);
                return Ok(Err(vec![error.with_hint("Read it again.")]));
            }
            audit::insert(tx, event).await?;
            Ok(Ok(()))
        })
    }));
    match written.await? {
        Ok(()) => snapshot::refresh_after_write(app).await,
        Err(errors) => return Ok(Err(errors)),
    }
    Ok(Ok(after))
}

/// What the DNS said, or that it did not.
type Found = Result<(Vec<String>, Vec<String>), String>;

async fn ask(app: &App, host: &str) -> Found {
    let text_name = challenge_name(host);
    let (cname, txt) = tokio::join!(app.dns.cname(host), app.dns.txt(&text_name));
    let failed = |failure: super::dns::DnsFailure| failure.to_string();
    Ok((cname.map_err(failed)?, txt.map_err(failed)?))
}

/// The state that a domain has after a check. A disabled one stays so, whatever its records say.
fn judge(before: &TrackingDomain, public_host: &str, found: Found, now: Timestamp) -> TrackingDomain {
    let checked = TrackingDomain { last_checked_at: Some(now), ..next(before) };
    let (cname, txt) = match found {
        Ok(found) => found,
        Err(failure) => return TrackingDomain { failure: Some(failure), ..checked },
    };
    let joined = |found: Vec<String>| (!found.is_empty()).then(|| kept(&found));
    let checked = TrackingDomain { cname_found: joined(cname), txt_found: joined(txt), ..checked };
    let failure = failure(&records(&checked, public_host));
    let state = match (before.state, failure.is_none()) {
        (DomainState::Disabled, _) => DomainState::Disabled,
        (DomainState::Pending | DomainState::Active | DomainState::Failing, true) => DomainState::Active,
        (DomainState::Pending, false) => DomainState::Pending,
        (DomainState::Active | DomainState::Failing, false) => DomainState::Failing,
    };
    TrackingDomain { state, failure, ..checked }
}

/// What anybody puts into a zone is kept in one column: a line for each record, and not all of a flood.
fn kept(found: &[String]) -> String {
    let line = |text: &String| text.chars().filter(|c| !c.is_control()).take(RECORD_CHARACTERS_MAX).collect::<String>();
    found.iter().take(RECORDS_MAX).map(line).collect::<Vec<_>>().join("\n")
}

const RECORDS_MAX: usize = 20;
const RECORD_CHARACTERS_MAX: usize = 255;

fn switch(before: &TrackingDomain, public_host: &str, enabled: bool) -> TrackingDomain {
    let were_right = failure(&records(before, public_host)).is_none();
    match (before.state, enabled) {
        (_, false) => TrackingDomain { state: DomainState::Disabled, is_default: false, ..next(before) },
        (DomainState::Disabled, true) if were_right => TrackingDomain { state: DomainState::Active, ..next(before) },
        (DomainState::Disabled, true) => TrackingDomain { state: DomainState::Pending, ..next(before) },
        (DomainState::Pending | DomainState::Active | DomainState::Failing, true) => next(before),
    }
}

fn records(domain: &TrackingDomain, public_host: &str) -> [DnsRecord; 2] {
    let lines = |found: &Option<String>| -> Vec<String> {
        found.iter().flat_map(|text| text.lines().map(str::to_owned)).collect()
    };
    let record = |kind, name, value: String, found: Vec<String>| {
        let ok = found.contains(&value);
        DnsRecord { kind, name, value, found, ok }
    };
    [
        record("CNAME", domain.host.clone(), public_host.to_owned(), lines(&domain.cname_found)),
        record("TXT", challenge_name(&domain.host), domain.challenge.clone(), lines(&domain.txt_found)),
    ]
}

fn failure(records: &[DnsRecord]) -> Option<String> {
    let wrong = records.iter().find(|record| !record.ok)?;
    let found = if wrong.found.is_empty() { "is missing".to_owned() } else { format!("is {}", wrong.found.join(", ")) };
    Some(format!("The {} record of {} {found}: it must be {}.", wrong.kind, wrong.name, wrong.value))
}

fn read_host(hostname: &str, public_host: &str) -> Result<String, UserError> {
    let text = hostname.trim().trim_end_matches('.');
    if text.is_empty() {
        return Err(UserError::new(UserErrorCode::Required, &["hostname"], "Name a host, such as go.example.com."));
    }
    let host = match Host::parse(text) {
        Ok(Host::Domain(host)) => host,
        Ok(Host::Ipv4(_) | Host::Ipv6(_)) => {
            return Err(invalid("An address cannot have a CNAME record: name a host."));
        }
        Err(_) => return Err(invalid("This is not a host name: no scheme, port or path.")),
    };
    if host.len() > HOST_BYTES_MAX || host.split('.').any(|label| label.len() > LABEL_BYTES_MAX) {
        return Err(UserError::new(UserErrorCode::TooLong, &["hostname"], "This name is too long for the DNS."));
    }
    if !host.contains('.') || !host.split('.').all(is_label) {
        return Err(invalid("A host name has two labels or more, of letters, digits and hyphens."));
    }
    if host == public_host {
        return Err(invalid("This is the server's own host: it needs no tracking domain."));
    }
    Ok(host)
}

/// Room for `_roundtrip.` in front of it.
const HOST_BYTES_MAX: usize = 253 - CHALLENGE_LABEL.len() - 1;
const LABEL_BYTES_MAX: usize = 63;
const CHALLENGE_LABEL: &str = "_roundtrip";

fn is_label(label: &str) -> bool {
    let inside = label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    inside && !label.is_empty() && !label.starts_with('-') && !label.ends_with('-')
}

fn challenge_name(host: &str) -> String {
    format!("{CHALLENGE_LABEL}.{host}")
}

fn challenge(app: &App) -> String {
    let random = u128::from_be_bytes(random_bytes(&*app.entropy));
    format!("roundtrip-verify={random:032x}")
}

fn public_host(app: &App) -> &str {
    app.options.public_url.host_str().unwrap_or_default()
}

fn next(before: &TrackingDomain) -> TrackingDomain {
    TrackingDomain { version: before.version.saturating_add(1), ..before.clone() }
}

fn fields(domain: &TrackingDomain) -> Vec<(&'static str, Option<String>)> {
    vec![
        ("state", Some(domain.state.as_str().to_owned())),
        ("is_default", Some(domain.is_default.to_string())),
        ("cname_found", domain.cname_found.clone()),
        ("txt_found", domain.txt_found.clone()),
        ("failure", domain.failure.clone()),
    ]
}

fn event(
    app: &App,
    principal: &Principal,
    action: &str,
    domain: &TrackingDomain,
    changes: Vec<AuditChange>,
) -> AuditEvent {
    AuditEvent::new(principal, action, (&domain.id, &domain.host), changes, (&*app.clock, &*app.entropy))
}

fn invalid(message: &str) -> UserError {
    UserError::new(UserErrorCode::Invalid, &["hostname"], message)
}

fn not_found() -> Vec<UserError> {
    vec![UserError::new(UserErrorCode::NotFound, &["id"], "There is no such tracking domain.")]
}

fn in_use(host: &str) -> UserError {
    let message = format!("{host} accepts links and pixels, and some are out in the field.");
    UserError::new(UserErrorCode::InUse, &["id"], message).with_hint("Switch it off first.")
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    const PUBLIC: &str = "track.example";
    const NOW: Timestamp = Timestamp::from_millis(1_795_344_000_000);

    fn domain(state: DomainState) -> TrackingDomain {
        TrackingDomain {
            id: TrackingDomainId::from_uuid(Uuid::from_u128(1)),
            host: "go.shop.example".into(),
            state,
            is_default: true,
            challenge: "roundtrip-verify=1".into(),
            cname_found: None,
            txt_found: None,
            failure: None,
            last_checked_at: None,
            created_at: NOW,
            version: 3,
        }
    }

    fn found(cname: &[&str], txt: &[&str]) -> Found {
        let own = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
        Ok((own(cname), own(txt)))
    }

    fn right() -> Found {
        found(&[PUBLIC], &["v=spf1 -all", "roundtrip-verify=1"])
    }

    #[test]
    fn right_records_activate_all_but_a_disabled_domain() {
        for (before, after) in [
            (DomainState::Pending, DomainState::Active),
            (DomainState::Active, DomainState::Active),
            (DomainState::Failing, DomainState::Active),
            (DomainState::Disabled, DomainState::Disabled),
        ] {
            let checked = judge(&domain(before), PUBLIC, right(), NOW);
            assert_eq!((checked.state, checked.failure.as_deref(), checked.version), (after, None, 4));
            assert_eq!(checked.last_checked_at, Some(NOW));
        }
    }

    #[test]
    fn a_domain_that_was_right_once_fails_but_goes_on_accepting() {
        let wrong = [
            found(&[], &["roundtrip-verify=1"]),
            found(&["elsewhere.example"], &["roundtrip-verify=1"]),
            found(&[PUBLIC], &[]),
            found(&[PUBLIC], &["roundtrip-verify=2", "roundtrip-verify=11"]),
        ];
        for answer in wrong {
            for (before, after) in [
                (DomainState::Pending, DomainState::Pending),
                (DomainState::Active, DomainState::Failing),
                (DomainState::Failing, DomainState::Failing),
                (DomainState::Disabled, DomainState::Disabled),
            ] {
                let checked = judge(&domain(before), PUBLIC, answer.clone(), NOW);
                assert_eq!((checked.state, checked.failure.is_some()), (after, true), "{answer:?}");
                assert_eq!(checked.accepts(), domain(before).accepts());
            }
        }
    }

    #[test]
    fn silence_of_the_dns_decides_nothing() {
        for state in DomainState::ALL {
            let checked = judge(&domain(*state), PUBLIC, Err("none within 3000 ms".into()), NOW);
            assert_eq!((checked.state, checked.failure.as_deref()), (*state, Some("none within 3000 ms")));
        }
    }

    #[test]
    fn expected_and_found_stand_side_by_side() {
        let checked = judge(&domain(DomainState::Pending), PUBLIC, found(&["elsewhere.example"], &["a", "b"]), NOW);
        let [cname, txt] = records(&checked, PUBLIC);
        assert_eq!((cname.kind, cname.name.as_str(), cname.value.as_str()), ("CNAME", "go.shop.example", PUBLIC));
        assert_eq!((cname.found, cname.ok), (vec!["elsewhere.example".to_owned()], false));
        assert_eq!((txt.name.as_str(), txt.found.len()), ("_roundtrip.go.shop.example", 2));
        let failure = checked.failure.unwrap();
        assert_eq!(failure, "The CNAME record of go.shop.example is elsewhere.example: it must be track.example.");
    }

    #[test]
    fn a_domain_that_is_switched_on_again_accepts_when_it_was_right() {
        let off = switch(&judge(&domain(DomainState::Active), PUBLIC, right(), NOW), PUBLIC, false);
        assert_eq!((off.state, off.is_default), (DomainState::Disabled, false));
        assert_eq!(switch(&off, PUBLIC, true).state, DomainState::Active);
        assert_eq!(switch(&domain(DomainState::Disabled), PUBLIC, true).state, DomainState::Pending);
        assert_eq!(switch(&domain(DomainState::Failing), PUBLIC, true).state, DomainState::Failing);
    }

    #[test]
    fn a_host_is_a_name_of_two_labels_in_lower_case() {
        for (text, host) in [
            ("Go.Shop.Example", "go.shop.example"),
            (" go.shop.example. ", "go.shop.example"),
            ("tür.example", "xn--tr-xka.example"),
            ("pixel.localhost", "pixel.localhost"),
        ] {
            assert_eq!(read_host(text, PUBLIC).unwrap(), host);
        }
        for (text, code) in [
            ("", UserErrorCode::Required),
            (" . ", UserErrorCode::Required),
            ("localhost", UserErrorCode::Invalid),
            ("127.0.0.1", UserErrorCode::Invalid),
            ("[::1]", UserErrorCode::Invalid),
            ("2130706433", UserErrorCode::Invalid),
            ("https://go.example", UserErrorCode::Invalid),
            ("go.example:80", UserErrorCode::Invalid),
            ("go.example/x", UserErrorCode::Invalid),
            ("go..example", UserErrorCode::Invalid),
            ("-go.example", UserErrorCode::Invalid),
            ("go_x.example", UserErrorCode::Invalid),
            ("*.example", UserErrorCode::Invalid),
            ("Track.Example", UserErrorCode::Invalid),
        ] {
            assert_eq!(read_host(text, PUBLIC).unwrap_err().code, code, "{text:?}");
        }
        let long = |count: usize| format!("{}.example", vec!["a".repeat(57); count].join("."));
        assert!(read_host(&long(4), PUBLIC).is_ok());
        assert_eq!(read_host(&long(5), PUBLIC).unwrap_err().code, UserErrorCode::TooLong);
        assert!(read_host(&format!("{}.example", "a".repeat(63)), PUBLIC).is_ok());
        assert!(read_host(&format!("{}.example", "a".repeat(64)), PUBLIC).is_err());
    }
}
