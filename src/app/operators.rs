//! Operators: made with a password, and given another one, at the command line; and what the other verbs about
//! operators share.
//!
//! Another password ends every session of the operator and makes every access token void: whoever changes it after
//! a theft must be alone in the account afterwards. A password is never generated twice, stored, or logged.

use secrecy::{ExposeSecret, SecretString};

use super::form::Form;
use super::{App, AppError, Outcome, UserError, UserErrorCode, snapshot};
use crate::domain::audit::{AuditChange, AuditEvent, beginnings};
use crate::domain::clock::{Entropy, random_bytes};
use crate::domain::ids::OperatorId;
use crate::domain::operator::{
    ACTIVE_OPERATORS_MAX, NAME_CHARACTERS_MAX, Operator, PasswordRefused, Principal, Role, check_password, parse_email,
    parse_time_zone,
};
use crate::store::{StoreError, audit, invitations, operators, sessions, settings};

/// Characters of a generated password: 5 bits each.
const GENERATED_CHARACTERS: usize = 24;
/// Without what people mistake for each other; 32, so that a byte gives one without bias.
const GENERATED_ALPHABET: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";

/// An operator to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Draft {
    pub email: String,
    pub name: String,
    pub role: Role,
}

/// Makes an operator.
///
/// # Errors
/// Our own failures only.
pub async fn create_operator(
    app: &App,
    principal: &Principal,
    draft: Draft,
    password: SecretString,
) -> Outcome<Operator> {
    let draft = match check_draft(draft, &password) {
        Ok(draft) => draft,
        Err(errors) => return Ok(Err(errors)),
    };
    let hash = app.identity.passwords.hash(password, app.entropy.as_ref()).await?;
    let operator = new_operator(app, draft, true);
    let (row, event) = (operator.clone(), created(app, &operator, principal));
    let written = app.database.control_write(Box::new(move |transaction| {
        Box::pin(async move {
            operators::insert(transaction, &row, Some(&hash)).await?;
            settings::complete_setup(transaction, row.created_at).await?;
            audit::insert(transaction, event).await
        })
    }));
    match written.await {
        Ok(()) => {}
        Err(StoreError::Taken(_)) => return Ok(Err(vec![taken(&operator.email, &["email"])])),
        Err(error) => return Err(error.into()),
    }
    snapshot::refresh_after_write(app).await;
    Ok(Ok(operator))
}

/// Gives the operator with this e-mail address another password, and ends all of their sessions.
///
/// # Errors
/// Our own failures only.
pub async fn set_password(app: &App, principal: &Principal, email: &str, password: SecretString) -> Outcome<Operator> {
    let operator = match find_operator(app, email).await? {
        Ok(operator) => operator,
        Err(errors) => return Ok(Err(errors)),
    };
    if let Err(refused) = check_password(password.expose_secret(), &operator.email) {
        return Ok(Err(vec![weak(refused, &["password"])]));
    }
    let hash = app.identity.passwords.hash(password, app.entropy.as_ref()).await?;
    if !write_password(app, principal, &operator, hash).await? {
        return Ok(Err(vec![not_found(&["email"])]));
    }
    snapshot::refresh_after_write(app).await;
    Ok(Ok(operator))
}

/// The operator with this e-mail address.
///
/// # Errors
/// `NotFound`.
pub async fn find_operator(app: &App, email: &str) -> Outcome<Operator> {
    let found = match parse_email(email) {
        Some(email) => operators::find_by_email(app.database.read(), &email).await?,
        None => None,
    };
    Ok(found.map(|found| found.operator).ok_or_else(|| vec![not_found(&["email"])]))
}

/// A password that nobody has to think of: 120 random bits.
pub fn generate_password(entropy: &dyn Entropy) -> SecretString {
    let bytes = random_bytes::<GENERATED_CHARACTERS>(entropy);
    let characters = bytes.iter().map(|byte| char::from(GENERATED_ALPHABET[usize::from(byte % 32)]));
    SecretString::from(characters.collect::<String>())
}

/// The draft with its values in their one spelling, or everything that is wrong with it.
pub(super) fn check_draft(draft: Draft, password: &SecretString) -> Result<Draft, Vec<UserError>> {
    let mut form = Form::new(None);
    let email = read_email(&mut form, &draft.email);
    let name = read_name(&mut form, &draft.name);
    if let Err(refused) = check_password(password.expose_secret(), &email) {
        form.refuse(UserErrorCode::PasswordTooWeak, &["password"], refused.to_string());
    }
    form.finish(Some(Draft { email, name, role: draft.role }))
}

/// In its one spelling; as it was typed when it is none, which the form then says.
pub(super) fn read_email(form: &mut Form, text: &str) -> String {
    parse_email(text).unwrap_or_else(|| {
        form.refuse(UserErrorCode::Invalid, &["email"], "This is not an e-mail address.");
        text.to_owned()
    })
}

/// One line of 1 to 100 characters.
pub(super) fn read_name(form: &mut Form, text: &str) -> String {
    let name = text.trim().to_owned();
    if name.is_empty() {
        form.refuse(UserErrorCode::Required, &["name"], "A name is needed.");
    } else if name.chars().count() > NAME_CHARACTERS_MAX {
        let message = format!("A name has at most {NAME_CHARACTERS_MAX} characters.");
        form.refuse(UserErrorCode::TooLong, &["name"], message);
    } else if name.chars().any(char::is_control) {
        form.refuse(UserErrorCode::Invalid, &["name"], "A name has no control characters.");
    }
    name
}

/// The name of a time zone in its own spelling.
pub(super) fn read_time_zone(form: &mut Form, text: &str) -> Option<String> {
    let zone = parse_time_zone(text);
    if zone.is_none() {
        let hint = "Send the name that IANA has for it, such as Europe/Berlin.".to_owned();
        form.refuse_with_hint(UserErrorCode::Invalid, &["timezone"], "There is no such time zone.", hint);
    }
    zone
}

pub(super) fn new_operator(app: &App, draft: Draft, has_password: bool) -> Operator {
    Operator {
        id: OperatorId::mint(app.clock.as_ref(), app.entropy.as_ref()),
        email: draft.email,
        name: draft.name,
        role: draft.role,
        is_active: true,
        has_password,
        time_zone: None,
        token_version: 1,
        created_at: app.clock.now(),
        last_seen_at: None,
        version: 1,
    }
}

/// The audit entry of a new operator.
pub(super) fn created(app: &App, operator: &Operator, principal: &Principal) -> AuditEvent {
    about(app, (operator.id, &operator.name), principal, "operator.create", first_fields(operator))
}

/// What a new operator begins with.
pub(super) fn first_fields(operator: &Operator) -> Vec<AuditChange> {
    beginnings(vec![
        ("email", Some(operator.email.clone())),
        ("name", Some(operator.name.clone())),
        ("role", Some(operator.role.as_str().to_owned())),
        ("timezone", operator.time_zone.clone()),
    ])
}

async fn write_password(
    app: &App,
    principal: &Principal,
    operator: &Operator,
    hash: SecretString,
) -> Result<bool, AppError> {
    let (id, now) = (operator.id, app.clock.now());
    let event = about(app, (id, &operator.name), principal, "operator.set_password", Vec::new());
    let work = app.database.control_decision(Box::new(move |transaction| {
        Box::pin(async move {
            if !operators::set_password(transaction, id, &hash).await? {
                return Ok(Err(()));
            }
            sessions::revoke_all(transaction, id, None, now).await?;
            invitations::delete(transaction, id).await?;
            audit::insert(transaction, event).await?;
            Ok(Ok(()))
        })
    }));
    Ok(work.await?.is_ok())
}

/// The audit entry of what `principal` does now to an operator.
pub(super) fn about(
    app: &App,
    (id, name): (OperatorId, &str),
    principal: &Principal,
    action: &str,
    changes: Vec<AuditChange>,
) -> AuditEvent {
    AuditEvent::new(principal, action, (&id, name), changes, (app.clock.as_ref(), app.entropy.as_ref()))
}

pub(super) fn weak(refused: PasswordRefused, field: &[&str]) -> UserError {
    UserError::new(UserErrorCode::PasswordTooWeak, field, refused.to_string())
}

pub(super) fn taken(email: &str, field: &[&str]) -> UserError {
    UserError::new(UserErrorCode::Taken, field, format!("There is an operator with the address {email}"))
}

pub(super) fn too_many(field: &[&str]) -> UserError {
    let message = format!("There are {ACTIVE_OPERATORS_MAX} active operators already.");
    UserError::new(UserErrorCode::LimitExceeded, field, message).with_hint("Switch somebody off first.")
}

pub(super) fn not_found(field: &[&str]) -> UserError {
    UserError::new(UserErrorCode::NotFound, field, "There is no such operator.")
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::{PASSWORD, operator, test_app};
    use super::*;
    use crate::domain::keyring::SeededEntropy;

    #[tokio::test]
    async fn an_address_has_one_operator() {
        let (app, _folder) = test_app().await;
        let first = operator(&app, "ada@example.com", Role::Viewer).await;
        assert_eq!(app.snapshot.load().operators[&first.id].role, Role::Viewer);
        let draft = Draft { email: "ADA@example.com ".into(), name: "Ada".into(), role: Role::Admin };
        let refused = create_operator(&app, &Principal::system(), draft, PASSWORD.into()).await.unwrap().unwrap_err();
        assert_eq!((refused.len(), refused[0].code), (1, UserErrorCode::Taken));
    }

    #[tokio::test]
    async fn a_password_is_set_for_somebody_who_is_there_and_only_if_it_is_good() {
        let (app, _folder) = test_app().await;
        operator(&app, "ada@example.com", Role::Viewer).await;
        let code = async |email: &str, password: &str| {
            let set = set_password(&app, &Principal::system(), email, password.into()).await.unwrap();
            set.err().map(|errors| errors[0].code)
        };
        assert_eq!(code("eve@example.com", PASSWORD).await, Some(UserErrorCode::NotFound));
        assert_eq!(code("ada", PASSWORD).await, Some(UserErrorCode::NotFound));
        assert_eq!(code("ada@example.com", "Ada@Example.com").await, Some(UserErrorCode::PasswordTooWeak));
        assert_eq!(code("Ada@example.com", "another sentence").await, None);
    }

    #[test]
    fn a_generated_password_is_good_and_does_not_repeat() {
        let entropy = SeededEntropy::new(1);
        let (one, two) = (generate_password(&entropy), generate_password(&entropy));
        assert_ne!(one.expose_secret(), two.expose_secret());
        assert_eq!(check_password(one.expose_secret(), "ada@example.com"), Ok(()));
    }
}
