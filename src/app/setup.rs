//! The first run: whoever can read the server's log makes the first administrator, once.
//!
//! At start, while there is no operator, the server prints a fresh one-time code; the code of an earlier start no
//! longer counts. Making the first operator takes the code away with it, in one transaction; control writes run one
//! at a time, so two people with one code make one operator.

use secrecy::SecretString;

use super::operators::{Draft, check_draft, created, new_operator};
use super::sign_in::{SignedIn, begin_session};
use super::{App, AppError, UserError, snapshot};
use crate::domain::one_time_code::{CodeDigest, OneTimeCode};
use crate::domain::operator::{Caller, Operator, Principal, Role};
use crate::store::settings::Setting;
use crate::store::{audit, operators, settings};

/// What the first administrator sends.
#[derive(Debug)]
pub struct SetupRequest {
    pub code: String,
    pub email: String,
    pub name: String,
    pub password: SecretString,
}

/// Why nobody was set up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SetupRefused {
    /// There is an operator already.
    Done,
    /// Not the code of the last start.
    WrongCode,
    /// What the caller can mend.
    Invalid(Vec<UserError>),
}

/// A fresh setup code to print, when nobody can sign in yet; `None` once there is an operator.
///
/// # Errors
/// Our own failures only.
pub async fn ensure_setup_code(app: &App) -> Result<Option<OneTimeCode>, AppError> {
    let code = OneTimeCode::mint(app.entropy.as_ref());
    let digest = code.digest();
    let work = app.database.side_write(Box::new(move |transaction| {
        Box::pin(async move {
            if operators::any(transaction).await? {
                settings::set(transaction, Setting::SetupCodeDigest, None).await?;
                return Ok(false);
            }
            settings::set(transaction, Setting::SetupCodeDigest, Some(digest.as_str())).await?;
            Ok(true)
        })
    }));
    Ok(work.await?.then_some(code))
}

/// Is there an operator, so that a setup code would be refused?
///
/// # Errors
/// Our own failures only.
pub async fn is_set_up(app: &App) -> Result<bool, AppError> {
    Ok(operators::any(app.database.read()).await?)
}

/// Makes the first administrator and signs them in.
///
/// # Errors
/// Our own failures only.
pub async fn set_up(
    app: &App,
    request: SetupRequest,
    caller: &Caller,
) -> Result<Result<SignedIn, SetupRefused>, AppError> {
    if let Err(refused) = check_code(app, &request.code).await? {
        return Ok(Err(refused));
    }
    let draft = Draft { email: request.email, name: request.name, role: Role::Admin };
    let draft = match check_draft(draft, &request.password) {
        Ok(draft) => draft,
        Err(errors) => return Ok(Err(SetupRefused::Invalid(errors))),
    };
    let hash = app.identity.passwords.hash(request.password, app.entropy.as_ref()).await?;
    let operator = new_operator(app, draft, true);
    if let Err(refused) = insert_first(app, operator.clone(), hash, &request.code, caller).await? {
        return Ok(Err(refused));
    }
    snapshot::refresh_after_write(app).await;
    let begun = begin_session(app, operator).await?;
    Ok(begun.ok_or(SetupRefused::Done))
}

/// Before the password is hashed, so that only who holds the code makes us work.
async fn check_code(app: &App, code: &str) -> Result<Result<(), SetupRefused>, AppError> {
    if is_set_up(app).await? {
        return Ok(Err(SetupRefused::Done));
    }
    let stored = settings::find(&app.database, Setting::SetupCodeDigest).await?;
    Ok(if is_code(code, stored) { Ok(()) } else { Err(SetupRefused::WrongCode) })
}

fn is_code(code: &str, stored: Option<String>) -> bool {
    let stored = stored.map(CodeDigest::from_stored);
    OneTimeCode::parse(code).zip(stored).is_some_and(|(code, stored)| code.digest().matches(&stored))
}

async fn insert_first(
    app: &App,
    operator: Operator,
    hash: SecretString,
    code: &str,
    caller: &Caller,
) -> Result<Result<(), SetupRefused>, AppError> {
    let code = code.to_owned();
    let event = created(app, &operator, &Principal::system_for(caller));
    let work = app.database.control_decision(Box::new(move |transaction| {
        Box::pin(async move {
            if operators::any(transaction).await? {
                return Ok(Err(SetupRefused::Done));
            }
            if !is_code(&code, settings::find_in(transaction, Setting::SetupCodeDigest).await?) {
                return Ok(Err(SetupRefused::WrongCode));
            }
            operators::insert(transaction, &operator, Some(&hash)).await?;
            settings::complete_setup(transaction, operator.created_at).await?;
            audit::insert(transaction, event).await?;
            Ok(Ok(()))
        })
    }));
    Ok(work.await?)
}

#[cfg(test)]
mod tests {
    use super::super::UserErrorCode;
    use super::super::fixtures::{PASSWORD, caller, operator, test_app};
    use super::super::sign_in::sign_in;
    use super::*;

    fn request(code: &str) -> SetupRequest {
        let (email, name) = ("root@example.com".to_owned(), "Root".to_owned());
        SetupRequest { code: code.to_owned(), email, name, password: PASSWORD.into() }
    }

    #[tokio::test]
    async fn the_printed_code_makes_the_first_administrator_once() {
        let (app, _folder) = test_app().await;
        let code = ensure_setup_code(&app).await.unwrap().unwrap();
        let signed_in = set_up(&app, request(code.reveal()), &caller()).await.unwrap().unwrap();
        assert_eq!((signed_in.operator.role, signed_in.operator.email.as_str()), (Role::Admin, "root@example.com"));
        assert!(sign_in(&app, "root@example.com", PASSWORD.into(), &caller()).await.unwrap().is_ok());
        let again = set_up(&app, request(code.reveal()), &caller()).await.unwrap();
        assert_eq!(again.unwrap_err(), SetupRefused::Done);
        assert!(ensure_setup_code(&app).await.unwrap().is_none());
        let events = audit::find_by_subject(&app.database, &signed_in.operator.id.to_string(), 10).await.unwrap();
        assert_eq!((events.len(), events[0].action.as_str()), (1, "operator.create"));
        assert_eq!(events[0].address.as_deref(), Some("192.0.2.0/24"));
    }

    #[tokio::test]
    async fn only_the_code_of_the_last_start_counts() {
        let (app, _folder) = test_app().await;
        let refused = async |code: &str| set_up(&app, request(code), &caller()).await.unwrap().unwrap_err();
        assert_eq!(refused("").await, SetupRefused::WrongCode, "before any code");
        let old = ensure_setup_code(&app).await.unwrap().unwrap();
        let new = ensure_setup_code(&app).await.unwrap().unwrap();
        for wrong in ["", "0000-0000-0000-0000-0000-0000", old.reveal()] {
            assert_eq!(refused(wrong).await, SetupRefused::WrongCode, "{wrong}");
        }
        assert!(set_up(&app, request(&new.reveal().to_uppercase()), &caller()).await.unwrap().is_ok());
    }

    #[tokio::test]
    async fn what_cannot_be_taken_is_told_and_the_code_stays_good() {
        let (app, _folder) = test_app().await;
        let code = ensure_setup_code(&app).await.unwrap().unwrap();
        let bad =
            SetupRequest { email: "root".into(), name: " ".into(), password: "short".into(), ..request(code.reveal()) };
        let Err(SetupRefused::Invalid(errors)) = set_up(&app, bad, &caller()).await.unwrap() else { panic!("refused") };
        let told: Vec<_> = errors.iter().map(|error| (error.field[0].as_str(), error.code)).collect();
        let expected = [
            ("email", UserErrorCode::Invalid),
            ("name", UserErrorCode::Required),
            ("password", UserErrorCode::PasswordTooWeak),
        ];
        assert_eq!(told, expected);
        assert!(set_up(&app, request(code.reveal()), &caller()).await.unwrap().is_ok());
    }

    #[tokio::test]
    async fn two_at_once_with_one_code_make_one_operator() {
        let (app, _folder) = test_app().await;
        let code = ensure_setup_code(&app).await.unwrap().unwrap();
        let mut second = request(code.reveal());
        second.email = "other@example.com".into();
        let from = caller();
        let (one, two) = tokio::join!(set_up(&app, request(code.reveal()), &from), set_up(&app, second, &from));
        assert!(one.unwrap().is_ok() != two.unwrap().is_ok());
    }

    #[tokio::test]
    async fn an_operator_of_the_command_line_ends_the_setup() {
        let (app, _folder) = test_app().await;
        let code = ensure_setup_code(&app).await.unwrap().unwrap();
        operator(&app, "cli@example.com", Role::Viewer).await;
        let refused = set_up(&app, request(code.reveal()), &caller()).await.unwrap();
        assert_eq!(refused.unwrap_err(), SetupRefused::Done);
        assert!(ensure_setup_code(&app).await.unwrap().is_none());
    }
}
