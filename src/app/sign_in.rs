//! Sign in, refresh, sign out.
//!
//! A session is a row with the digest of its newest refresh token; an access token is a signature that names it.
//! Ending a session is a control write: this server refuses its access tokens before it answers, the others as soon
//! as they see the new `config_version`, within a second, because the snapshot lists the sessions that were ended.
//! Nothing here says whether an account exists: a wrong password and an unknown address cost the same work and get
//! the same answer.

use secrecy::{ExposeSecret, SecretString};

use super::access_token::AccessGrant;
use super::lockout::Pair;
use super::{App, AppError, Outcome, UserError, UserErrorCode, snapshot};
use crate::domain::audit::AuditEvent;
use crate::domain::clock::Timestamp;
use crate::domain::ids::SessionId;
use crate::domain::operator::{Caller, Operator, Principal, parse_email};
use crate::domain::session::{RefreshToken, RefreshVerdict, Session};
use crate::store::{audit, operators, sessions};

/// How long the row of an ended session stays: longer than any access token lives (`session.access_seconds`).
const REVOKED_SECONDS_KEPT: i64 = 2 * 86_400;

/// What somebody who signed in or refreshed is given.
#[derive(Debug)]
pub struct SignedIn {
    pub access_token: SecretString,
    pub access_seconds: u32,
    pub refresh_token: RefreshToken,
    pub refresh_seconds: u32,
    pub operator: Operator,
}

impl SignedIn {
    /// The text of the access token, for the body of the answer.
    pub fn access_token(&self) -> &str {
        self.access_token.expose_secret()
    }
}

/// Why nobody was signed in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignInRefused {
    /// Unknown address, wrong password, or switched off: one answer for all of them.
    WrongCredentials,
    /// Too many wrong passwords for this account from this network.
    Locked { retry_after_seconds: u64 },
}

/// Why nothing was refreshed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefreshRefused {
    /// Not a refresh token of ours.
    Invalid,
    /// Its session is over: signed out, expired, ended by an administrator, or ended just now because this token had
    /// been used before.
    Ended,
    /// Another refresh at the same moment was faster; its cookie holds the newer token.
    Race,
}

/// Which session is to end.
#[derive(Clone, Copy, Debug)]
pub enum SignOut<'a> {
    /// The text of a refresh token; one that is not ours ends nothing.
    Refresh(&'a str),
    /// That of a believed access token.
    Session(SessionId),
}

/// Begins a session for the operator with this e-mail address and password.
///
/// # Errors
/// Our own failures only; they do not count as wrong passwords.
pub async fn sign_in(
    app: &App,
    email: &str,
    password: SecretString,
    caller: &Caller,
) -> Result<Result<SignedIn, SignInRefused>, AppError> {
    let email = parse_email(email).unwrap_or_else(|| email.to_owned());
    let pair = Pair::of(&email, caller.address);
    if let Err(until) = app.identity.lockout.begin(pair, app.clock.now()) {
        return Ok(Err(locked(app, until)));
    }
    let checked = check(app, &email, password).await.inspect_err(|_| app.identity.lockout.withdraw(pair))?;
    let Some(operator) = checked else { return Ok(Err(SignInRefused::WrongCredentials)) };
    let begun = begin_session(app, operator).await.inspect_err(|_| app.identity.lockout.withdraw(pair))?;
    let Some(signed_in) = begun else { return Ok(Err(SignInRefused::WrongCredentials)) };
    app.identity.lockout.succeeded(pair);
    Ok(Ok(signed_in))
}

/// Gives the next pair of tokens for the newest refresh token of a live session. An older one ends the session.
///
/// # Errors
/// Our own failures only; then the old token may be shown again.
pub async fn refresh(app: &App, token: &str, caller: &Caller) -> Result<Result<SignedIn, RefreshRefused>, AppError> {
    let Some(token) = RefreshToken::parse(token, app.identity.tokens.keys.refresh()) else {
        return Ok(Err(RefreshRefused::Invalid));
    };
    let session = token.session;
    let next = next_token(app, session, token.generation.saturating_add(1));
    match rotate(app, token, &next).await? {
        Rotated::Done(operator) => signed_in(app, operator, next).map(Ok),
        Rotated::Race => Ok(Err(RefreshRefused::Race)),
        Rotated::Over => Ok(Err(RefreshRefused::Ended)),
        Rotated::Reused => {
            tracing::warn!(request_id = caller.request_id, "a used refresh token came again: its session ends");
            let principal = Principal::system_for(caller);
            end(app, session, "session.reuse", Some(principal), caller).await?;
            Ok(Err(RefreshRefused::Ended))
        }
    }
}

/// Ends a session; its access tokens are refused from now on. Ending one that is over changes nothing.
///
/// # Errors
/// Our own failures only; then the session may go on.
pub async fn sign_out(app: &App, which: SignOut<'_>, caller: &Caller) -> Result<(), AppError> {
    let session = match which {
        SignOut::Session(session) => Some(session),
        SignOut::Refresh(text) => {
            RefreshToken::parse(text, app.identity.tokens.keys.refresh()).map(|token| token.session)
        }
    };
    match session {
        Some(session) => end(app, session, "session.end", None, caller).await,
        None => Ok(()),
    }
}

/// Begins a session for somebody who has proved who they are. `None` when they may no longer sign in.
pub(super) async fn begin_session(app: &App, operator: Operator) -> Result<Option<SignedIn>, AppError> {
    let now = app.clock.now();
    let token = next_token(app, SessionId::mint(app.clock.as_ref(), app.entropy.as_ref()), 1);
    let session = Session {
        id: token.session,
        operator: operator.id,
        refresh_digest: token.digest(),
        created_at: now,
        last_seen_at: now,
        expires_at: now.plus_seconds(i64::from(app.identity.refresh_seconds)),
        revoked_at: None,
        version: token.generation,
    };
    let person = operator.clone();
    let work = app.database.side_write(Box::new(move |transaction| {
        Box::pin(async move {
            let may = operators::touch(transaction, &person, now).await?;
            if may {
                sessions::purge(transaction, now, now.plus_seconds(-REVOKED_SECONDS_KEPT)).await?;
                sessions::insert(transaction, &session).await?;
            }
            Ok(may)
        })
    }));
    if work.await? { signed_in(app, operator, token).map(Some) } else { Ok(None) }
}

/// The operator whose password this is, if there is one who may sign in.
async fn check(app: &App, email: &str, password: SecretString) -> Result<Option<Operator>, AppError> {
    let found = operators::find_by_email(app.database.read(), email).await?;
    let (operator, stored) = found.map(|found| (found.operator, found.password_hash)).unzip();
    let right = app.identity.passwords.verify(password, stored.flatten()).await?;
    Ok(operator.filter(|operator| right && operator.is_active))
}

fn locked(app: &App, until: Timestamp) -> SignInRefused {
    let millis = u64::try_from(until.millis_since(app.clock.now())).unwrap_or(0);
    SignInRefused::Locked { retry_after_seconds: millis.div_ceil(1000).max(1) }
}

fn next_token(app: &App, session: SessionId, generation: i32) -> RefreshToken {
    RefreshToken::mint(app.identity.tokens.keys.refresh(), session, generation, app.entropy.as_ref())
}

fn signed_in(app: &App, operator: Operator, refresh_token: RefreshToken) -> Result<SignedIn, AppError> {
    let tokens = &app.identity.tokens;
    let grant =
        AccessGrant { operator: operator.id, session: refresh_token.session, token_version: operator.token_version };
    Ok(SignedIn {
        access_token: tokens.issue(grant, app.clock.now(), app.entropy.as_ref())?,
        access_seconds: tokens.access_seconds,
        refresh_token,
        refresh_seconds: app.identity.refresh_seconds,
        operator,
    })
}

/// What became of a genuine refresh token.
enum Rotated {
    Done(Operator),
    Race,
    Reused,
    Over,
}

/// Judges `token` and puts `next` in its place, in one transaction.
async fn rotate(app: &App, token: RefreshToken, next: &RefreshToken) -> Result<Rotated, AppError> {
    let now = app.clock.now();
    let rotation = sessions::SessionRotation {
        id: token.session,
        version: token.generation,
        refresh_digest: next.digest(),
        now,
        expires_at: now.plus_seconds(i64::from(app.identity.refresh_seconds)),
    };
    let work = app.database.side_write(Box::new(move |transaction| {
        Box::pin(async move {
            let Some(session) = sessions::find(transaction, token.session).await? else { return Ok(Rotated::Over) };
            match session.judge(&token, now) {
                RefreshVerdict::Newest => {}
                RefreshVerdict::Race => return Ok(Rotated::Race),
                RefreshVerdict::Reused => return Ok(Rotated::Reused),
                RefreshVerdict::Revoked | RefreshVerdict::Expired => return Ok(Rotated::Over),
            }
            let Some(operator) = operators::find(transaction, session.operator).await? else {
                return Ok(Rotated::Over);
            };
            if !operators::touch(transaction, &operator, now).await? {
                return Ok(Rotated::Over);
            }
            let won = sessions::rotate(transaction, &rotation).await?;
            Ok(if won { Rotated::Done(operator) } else { Rotated::Race })
        })
    }));
    Ok(work.await?)
}

/// Ends one of the principal's own sessions. Somebody else's is not there for them.
///
/// # Errors
/// `NotFound`: there is no such session of theirs, or it is over.
pub async fn revoke_session(app: &App, principal: &Principal, session: SessionId) -> Outcome<SessionId> {
    let (own, now) = (principal.operator.filter(|_| principal.session.is_some()), app.clock.now());
    let chance = (app.clock.as_ref(), app.entropy.as_ref());
    let event = AuditEvent::new(principal, "session.end", (&session, &principal.label), Vec::new(), chance);
    let work = app.database.control_decision(Box::new(move |transaction| {
        Box::pin(async move {
            let found = sessions::find(transaction, session).await?;
            let is_own = found.is_some_and(|found| Some(found.operator) == own);
            if !is_own || !sessions::revoke(transaction, session, now).await? {
                return Ok(Err(()));
            }
            audit::insert(transaction, event).await?;
            Ok(Ok(()))
        })
    }));
    if work.await?.is_err() {
        let message = "You have no such session, or it is over.";
        return Ok(Err(vec![UserError::new(UserErrorCode::NotFound, &["id"], message)]));
    }
    snapshot::refresh_after_write(app).await;
    Ok(Ok(session))
}

/// Ends `session` with its audit entry. Without a `principal` it is the session's own operator who does it.
async fn end(
    app: &App,
    session: SessionId,
    action: &'static str,
    principal: Option<Principal>,
    caller: &Caller,
) -> Result<(), AppError> {
    let (clock, entropy, caller) = (app.clock.clone(), app.entropy.clone(), caller.clone());
    let work = app.database.control_decision(Box::new(move |transaction| {
        Box::pin(async move {
            let Some(found) = sessions::find(transaction, session).await? else { return Ok(Err(())) };
            if !sessions::revoke(transaction, session, clock.now()).await? {
                return Ok(Err(()));
            }
            let owner = operators::find(transaction, found.operator).await?;
            let label = owner.as_ref().map_or("", |owner| owner.name.as_str()).to_owned();
            let own = owner.map(|owner| Principal::of_operator(&owner, session, &caller));
            let principal = principal.or(own).unwrap_or_else(|| Principal::system_for(&caller));
            let subject = (&session as &dyn std::fmt::Display, label.as_str());
            let event = AuditEvent::new(&principal, action, subject, Vec::new(), (clock.as_ref(), entropy.as_ref()));
            audit::insert(transaction, event).await?;
            Ok(Ok(()))
        })
    }));
    if work.await?.is_ok() {
        snapshot::refresh_after_write(app).await;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::authenticate::authenticate;
    use super::super::fixtures::{PASSWORD, caller, operator, test_app, timed_app};
    use super::super::lockout::{FAILURES_MAX, WINDOW_SECONDS};
    use super::super::operators::set_password;
    use super::*;
    use crate::domain::operator::{AuthRefused, Role};
    use crate::domain::session::RACE_SECONDS;

    const EMAIL: &str = "grace@example.com";

    async fn signed_in_as(app: &App, password: &str) -> Result<SignedIn, SignInRefused> {
        sign_in(app, EMAIL, password.into(), &caller()).await.unwrap()
    }

    async fn refreshed(app: &App, token: &RefreshToken) -> Result<SignedIn, RefreshRefused> {
        refresh(app, token.reveal(), &caller()).await.unwrap()
    }

    async fn believed(app: &App, signed_in: &SignedIn) -> Result<Principal, AuthRefused> {
        authenticate(app, signed_in.access_token(), caller().address, "req_2").await
    }

    async fn audited(app: &App, session: SessionId) -> Vec<String> {
        let events = audit::find_by_subject(&app.database, &session.to_string(), 10).await.unwrap();
        events.into_iter().map(|event| format!("{} by {}", event.action, event.actor_label)).collect()
    }

    #[tokio::test]
    async fn a_sign_in_gives_tokens_that_are_believed() {
        let (app, _folder) = test_app().await;
        let grace = operator(&app, EMAIL, Role::Manager).await;
        let signed_in = sign_in(&app, " Grace@Example.com", PASSWORD.into(), &caller()).await.unwrap().unwrap();
        let principal = believed(&app, &signed_in).await.unwrap();
        assert_eq!(
            (principal.operator, principal.role, principal.label.as_str()),
            (Some(grace.id), Role::Manager, "Grace")
        );
        assert_eq!((principal.session, principal.address), (Some(signed_in.refresh_token.session), caller().address));
        assert_eq!(principal.request_id, "req_2");
        assert!(!format!("{signed_in:?}").contains(signed_in.access_token()));
    }

    #[tokio::test]
    async fn a_wrong_password_and_an_unknown_account_get_one_answer() {
        let (app, _folder) = test_app().await;
        operator(&app, EMAIL, Role::Manager).await;
        assert_eq!(signed_in_as(&app, "wrong horse battery").await.unwrap_err(), SignInRefused::WrongCredentials);
        for unknown in ["nobody@example.com", "", "no address", "\0"] {
            let refused = sign_in(&app, unknown, PASSWORD.into(), &caller()).await.unwrap();
            assert_eq!(refused.unwrap_err(), SignInRefused::WrongCredentials, "{unknown}");
        }
    }

    #[tokio::test]
    async fn ten_wrong_passwords_lock_the_account_for_this_network_only() {
        let (app, clock, _folder) = timed_app().await;
        operator(&app, EMAIL, Role::Manager).await;
        for _ in 0..FAILURES_MAX {
            assert_eq!(signed_in_as(&app, "wrong horse battery").await.unwrap_err(), SignInRefused::WrongCredentials);
        }
        let locked = SignInRefused::Locked { retry_after_seconds: 900 };
        assert_eq!(signed_in_as(&app, PASSWORD).await.unwrap_err(), locked);
        let elsewhere = Caller { address: "198.51.100.7".parse().ok(), ..caller() };
        assert!(sign_in(&app, EMAIL, PASSWORD.into(), &elsewhere).await.unwrap().is_ok());
        clock.advance_seconds(WINDOW_SECONDS);
        assert!(signed_in_as(&app, PASSWORD).await.is_ok());
    }

    #[tokio::test]
    async fn an_access_token_expires_and_a_refresh_gives_the_next() {
        let (app, clock, _folder) = timed_app().await;
        operator(&app, EMAIL, Role::Manager).await;
        let first = signed_in_as(&app, PASSWORD).await.unwrap();
        clock.advance_seconds(1000);
        assert!(matches!(believed(&app, &first).await, Err(AuthRefused::Expired)));
        let second = refreshed(&app, &first.refresh_token).await.unwrap();
        assert_eq!(second.refresh_token.session, first.refresh_token.session);
        assert!(believed(&app, &second).await.is_ok());
        clock.advance_seconds(14 * 86_400 - 1);
        assert!(refreshed(&app, &second.refresh_token).await.is_ok());
        clock.advance_seconds(14 * 86_400);
        let third = signed_in_as(&app, PASSWORD).await.unwrap();
        clock.advance_seconds(14 * 86_400);
        assert_eq!(refreshed(&app, &third.refresh_token).await.unwrap_err(), RefreshRefused::Ended);
    }

    #[tokio::test]
    async fn a_used_refresh_token_ends_its_family_and_is_audited() {
        let (app, clock, _folder) = timed_app().await;
        operator(&app, EMAIL, Role::Manager).await;
        let first = signed_in_as(&app, PASSWORD).await.unwrap();
        let second = refreshed(&app, &first.refresh_token).await.unwrap();
        clock.advance_seconds(RACE_SECONDS);
        assert_eq!(refreshed(&app, &first.refresh_token).await.unwrap_err(), RefreshRefused::Ended);
        assert_eq!(refreshed(&app, &second.refresh_token).await.unwrap_err(), RefreshRefused::Ended);
        assert!(matches!(believed(&app, &second).await, Err(AuthRefused::Withdrawn)));
        assert_eq!(audited(&app, first.refresh_token.session).await, ["session.reuse by system"]);
    }

    #[tokio::test]
    async fn of_refreshes_at_once_one_wins_and_the_session_lives() {
        let (app, _folder) = test_app().await;
        operator(&app, EMAIL, Role::Manager).await;
        let first = signed_in_as(&app, PASSWORD).await.unwrap();
        let tries = (0..16).map(|_| refreshed(&app, &first.refresh_token));
        let (won, lost): (Vec<_>, Vec<_>) =
            futures_util::future::join_all(tries).await.into_iter().partition(Result::is_ok);
        assert_eq!((won.len(), lost.len()), (1, 15));
        assert!(lost.into_iter().all(|lost| lost.unwrap_err() == RefreshRefused::Race));
        for winner in won {
            assert!(refreshed(&app, &winner.unwrap().refresh_token).await.is_ok());
        }
    }

    #[tokio::test]
    async fn a_made_up_refresh_token_ends_nothing() {
        let (app, clock, _folder) = timed_app().await;
        operator(&app, EMAIL, Role::Manager).await;
        let first = signed_in_as(&app, PASSWORD).await.unwrap();
        clock.advance_seconds(RACE_SECONDS);
        let forged = format!("{}00", &first.refresh_token.reveal()[..115]);
        assert_eq!(refresh(&app, &forged, &caller()).await.unwrap().unwrap_err(), RefreshRefused::Invalid);
        sign_out(&app, SignOut::Refresh(&forged), &caller()).await.unwrap();
        assert!(believed(&app, &first).await.is_ok() && refreshed(&app, &first.refresh_token).await.is_ok());
    }

    #[tokio::test]
    async fn signing_out_refuses_the_access_token_at_once_here_and_elsewhere_with_the_next_snapshot() {
        let (app, _folder) = test_app().await;
        let (mut other, _other_folder) = test_app().await;
        operator(&app, EMAIL, Role::Manager).await;
        let (one, two) = (signed_in_as(&app, PASSWORD).await.unwrap(), signed_in_as(&app, PASSWORD).await.unwrap());
        other.database = app.database.clone();
        assert!(believed(&other, &one).await.is_ok(), "a token from another server makes this one read anew");
        sign_out(&app, SignOut::Refresh(one.refresh_token.reveal()), &caller()).await.unwrap();
        assert!(matches!(believed(&app, &one).await, Err(AuthRefused::Withdrawn)));
        snapshot::refresh(&other).await.unwrap();
        assert!(matches!(believed(&other, &one).await, Err(AuthRefused::Withdrawn)));
        assert!(believed(&other, &two).await.is_ok(), "another session of the same operator goes on");
        assert_eq!(refreshed(&app, &one.refresh_token).await.unwrap_err(), RefreshRefused::Ended);
        assert_eq!(audited(&app, one.refresh_token.session).await, ["session.end by Grace"]);
    }

    #[tokio::test]
    async fn signing_out_twice_writes_once() {
        let (app, _folder) = test_app().await;
        operator(&app, EMAIL, Role::Manager).await;
        let session = signed_in_as(&app, PASSWORD).await.unwrap().refresh_token.session;
        sign_out(&app, SignOut::Session(session), &caller()).await.unwrap();
        let version = app.snapshot.load().version;
        sign_out(&app, SignOut::Session(session), &caller()).await.unwrap();
        snapshot::refresh(&app).await.unwrap();
        assert_eq!((app.snapshot.load().version, audited(&app, session).await.len()), (version, 1));
    }

    #[tokio::test]
    async fn another_password_ends_every_session() {
        let (app, _folder) = test_app().await;
        operator(&app, EMAIL, Role::Manager).await;
        let old = signed_in_as(&app, PASSWORD).await.unwrap();
        let next = "a wholly other sentence";
        set_password(&app, &Principal::system(), EMAIL, next.into()).await.unwrap().unwrap();
        assert!(matches!(believed(&app, &old).await, Err(AuthRefused::Withdrawn)));
        assert_eq!(refreshed(&app, &old.refresh_token).await.unwrap_err(), RefreshRefused::Ended);
        assert_eq!(signed_in_as(&app, PASSWORD).await.unwrap_err(), SignInRefused::WrongCredentials);
        let new = signed_in_as(&app, next).await.unwrap();
        assert!(believed(&app, &new).await.is_ok());
    }

    #[tokio::test]
    async fn a_session_does_not_begin_when_the_password_changed_meanwhile() {
        let (app, _folder) = test_app().await;
        let before = operator(&app, EMAIL, Role::Manager).await;
        set_password(&app, &Principal::system(), EMAIL, "a wholly other sentence".into()).await.unwrap().unwrap();
        assert!(begin_session(&app, before).await.unwrap().is_none());
    }
}
