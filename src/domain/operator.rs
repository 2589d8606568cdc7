//! Who is asking in the admin API: people and keys, and how far each of them may go.
//!
//! A [`Principal`] is what is left of a bearer token once it has been believed; nothing here believes one.
//! A role is compared, never listed: whoever may do more may do all that is less, so that no guard can
//! forget one.

use std::{error, net::IpAddr};

use thiserror::Error;

use super::calendar::Zone;
use super::clock::Timestamp;
use super::ids::{ApiKeyId, OperatorId, SessionId};

/// The longest e-mail address, in bytes (RFC 5321, section 4.5.3.1.3).
pub const EMAIL_BYTES_MAX: usize = 254;
/// The longest name of a person, in characters.
pub const NAME_CHARACTERS_MAX: usize = 100;
/// The shortest password, in characters: length is what counts (NIST SP 800-63B), so nothing else is asked for.
pub const PASSWORD_CHARACTERS_MIN: usize = 12;
/// The longest password, in bytes: room for any sentence, and an end to what is hashed.
pub const PASSWORD_BYTES_MAX: usize = 1024;

/// How far a principal may go; each role holds those before it (`Viewer < Manager < Admin`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Reads everything but secrets, personal data, operators, keys and the audit trail.
    Viewer,
    /// Also personal data; edits offers and partners, reveals URLs, rejects, reinstates, tests, exports.
    Manager,
    /// Also tokens, domains, operators, keys, settings and the audit trail.
    Admin,
}

impl Role {
    /// From the least to the most.
    pub const ALL: [Self; 3] = [Self::Viewer, Self::Manager, Self::Admin];

    /// The form in rows and tokens.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Manager => "manager",
            Self::Admin => "admin",
        }
    }

    /// Reads the form of [`Self::as_str`], in that spelling only.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.as_str() == text)
    }

    /// Is this role `needed`, or more?
    pub fn includes(self, needed: Self) -> bool {
        self >= needed
    }
}

/// A person who uses the admin API. The hash of the password stays in `store` and where it is checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operator {
    pub id: OperatorId,
    /// As [`parse_email`] gives it; unique.
    pub email: String,
    pub name: String,
    pub role: Role,
    pub is_active: bool,
    /// Whether a password was ever set. Who was invited and has not answered yet cannot sign in.
    pub has_password: bool,
    /// An IANA name, as [`parse_time_zone`] gives it; none: that of the workspace.
    pub time_zone: Option<String>,
    /// Access tokens of another version are refused.
    pub token_version: i32,
    pub created_at: Timestamp,
    /// The last sign-in or refresh.
    pub last_seen_at: Option<Timestamp>,
    pub version: i32,
}

impl Operator {
    /// Somebody who can sign in now, and may do everything.
    pub fn is_working_admin(&self) -> bool {
        self.role == Role::Admin && self.is_active && self.has_password
    }
}

/// Operators who are not switched off, at most.
pub const ACTIVE_OPERATORS_MAX: u64 = 100;

/// Why an operator may not be changed like this.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChangeRefused {
    /// Nobody would be left who can sign in as an administrator.
    LastAdmin,
    /// There are as many active operators as there may be.
    TooManyActive,
}

/// May `before` become `after`, with so many working administrators and active operators as there are now?
///
/// # Errors
/// The first rule that it breaks.
pub fn judge_change(
    before: &Operator,
    after: &Operator,
    working_admins: u64,
    active: u64,
) -> Result<(), ChangeRefused> {
    if before.is_working_admin() && !after.is_working_admin() && working_admins <= 1 {
        return Err(ChangeRefused::LastAdmin);
    }
    if after.is_active && !before.is_active && active >= ACTIVE_OPERATORS_MAX {
        return Err(ChangeRefused::TooManyActive);
    }
    Ok(())
}

/// Why a password is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum PasswordRefused {
    #[error("A password has at least {PASSWORD_CHARACTERS_MIN} characters")]
    TooShort,
    #[error("A password has at most {PASSWORD_BYTES_MAX} bytes")]
    TooLong,
    #[error("The e-mail address is no password")]
    IsEmail,
}

/// The one spelling of an operator's address: lower case, without white space round it. `None` when it is none.
pub fn parse_email(text: &str) -> Option<String> {
    let email = text.trim().to_lowercase();
    let (local, host) = email.split_once('@')?;
    let plain = !email.chars().any(|character| character.is_whitespace() || character.is_control());
    let whole = !local.is_empty() && !host.is_empty() && !host.contains('@');
    (plain && whole && email.len() <= EMAIL_BYTES_MAX).then_some(email)
}

/// The IANA name of a time zone in its own spelling, such as `Europe/Berlin`. `None` when there is no such zone.
pub fn parse_time_zone(text: &str) -> Option<String> {
    Zone::parse(text.trim()).map(|zone| zone.name().to_owned())
}

/// May `password` be the one of the operator with `email`?
///
/// # Errors
/// The first rule that it breaks.
pub fn check_password(password: &str, email: &str) -> Result<(), PasswordRefused> {
    let password_lower = password.trim().to_lowercase();
    let email = email.trim().to_lowercase();
    if password.chars().count() < PASSWORD_CHARACTERS_MIN {
        return Err(PasswordRefused::TooShort);
    }
    if password.len() > PASSWORD_BYTES_MAX {
        return Err(PasswordRefused::TooLong);
    }
    let local = email.split('@').next().unwrap_or_default();
    if password_lower == email || password_lower == local { Err(PasswordRefused::IsEmail) } else { Ok(()) }
}

/// What kind of caller a principal is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PrincipalKind {
    /// A person who signed in.
    Operator,
    /// A program that holds a key.
    ApiKey,
}

impl PrincipalKind {
    /// The form in rows and in the audit trail.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Operator => "operator",
            Self::ApiKey => "api_key",
        }
    }
}

/// Who asks, believed: made once for a request, and what every audit entry is written from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Principal {
    pub kind: PrincipalKind,
    /// The person; of a key, the one who made it, when known.
    pub operator: Option<OperatorId>,
    pub api_key: Option<ApiKeyId>,
    /// The name that people see: of a person or of a key, never a secret.
    pub label: String,
    pub role: Role,
    /// The session of the access token; a key has none.
    pub session: Option<SessionId>,
    /// Where the request came from, when that is known.
    pub address: Option<IpAddr>,
    /// The id that the answer and the log lines of this request carry.
    pub request_id: String,
}

impl Principal {
    /// The server itself, at the command line or in its own tasks: the audit trail calls it `system`.
    pub fn system() -> Self {
        Self {
            kind: PrincipalKind::Operator,
            operator: None,
            api_key: None,
            label: "system".to_owned(),
            role: Role::Admin,
            session: None,
            address: None,
            request_id: "system".to_owned(),
        }
    }

    /// The server itself, moved by a request of somebody who is not believed (yet).
    pub fn system_for(caller: &Caller) -> Self {
        Self { address: caller.address, request_id: caller.request_id.clone(), ..Self::system() }
    }

    /// A person who has just proved who they are.
    pub fn of_person(operator: &Operator, caller: &Caller) -> Self {
        Self {
            operator: Some(operator.id),
            label: operator.name.clone(),
            role: operator.role,
            ..Self::system_for(caller)
        }
    }

    /// A person in a session.
    pub fn of_operator(operator: &Operator, session: SessionId, caller: &Caller) -> Self {
        Self { session: Some(session), ..Self::of_person(operator, caller) }
    }
}

/// Where a request came from, when nobody is believed yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    pub address: Option<IpAddr>,
    pub request_id: String,
}

/// Why a bearer was not believed. The texts go to the caller; they say what to do and never what is stored.
#[derive(Debug, Error)]
pub enum AuthRefused {
    /// Not ours: unknown, badly signed, for somebody else, or not a token at all. One answer for all of these,
    /// so that a guess learns nothing.
    #[error("This bearer token is not valid")]
    Invalid,
    /// Ours, and past its end.
    #[error("This bearer token has expired: refresh it, sign in again, or ask for another key")]
    Expired,
    /// Ours, and withdrawn: signed out, role changed, key revoked, operator switched off.
    #[error("This bearer token was withdrawn: sign in again, or ask for another key")]
    Withdrawn,
    /// Our failure: it could not be found out. The source is for the log, never for the caller.
    #[error("Whether this bearer token is valid could not be found out")]
    Unavailable(#[source] Box<dyn error::Error + Send + Sync>),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_holds_those_below_it_and_none_above() {
        assert!(Role::Admin.includes(Role::Manager) && Role::Manager.includes(Role::Viewer));
        assert!(Role::Viewer.includes(Role::Viewer));
        assert!(!Role::Viewer.includes(Role::Manager) && !Role::Manager.includes(Role::Admin));
    }

    fn person(role: Role, is_active: bool, has_password: bool) -> Operator {
        Operator {
            id: OperatorId::from_uuid(uuid::Uuid::nil()),
            email: "ada@example.com".into(),
            name: "Ada".into(),
            role,
            is_active,
            has_password,
            time_zone: None,
            token_version: 1,
            created_at: Timestamp::from_millis(0),
            last_seen_at: None,
            version: 1,
        }
    }

    #[test]
    fn the_last_administrator_who_can_sign_in_stays_one() {
        let admin = person(Role::Admin, true, true);
        for after in [person(Role::Manager, true, true), person(Role::Admin, false, true)] {
            assert_eq!(judge_change(&admin, &after, 1, 5), Err(ChangeRefused::LastAdmin));
            assert_eq!(judge_change(&admin, &after, 2, 5), Ok(()));
        }
        let invited = person(Role::Admin, true, false);
        assert_eq!(judge_change(&invited, &person(Role::Viewer, true, false), 1, 5), Ok(()), "was never one");
        assert_eq!(judge_change(&admin, &Operator { name: "Bea".into(), ..admin.clone() }, 1, 5), Ok(()));
    }

    #[test]
    fn a_hundred_operators_are_active_and_no_more() {
        let (off, on) = (person(Role::Viewer, false, true), person(Role::Viewer, true, true));
        assert_eq!(judge_change(&off, &on, 1, ACTIVE_OPERATORS_MAX - 1), Ok(()));
        assert_eq!(judge_change(&off, &on, 1, ACTIVE_OPERATORS_MAX), Err(ChangeRefused::TooManyActive));
        assert_eq!(judge_change(&on, &on, 1, ACTIVE_OPERATORS_MAX + 1), Ok(()));
    }

    #[test]
    fn an_email_has_one_spelling() {
        assert_eq!(parse_email(" Ada@Example.COM\n").as_deref(), Some("ada@example.com"));
        let longest = format!("{}@example.com", "a".repeat(EMAIL_BYTES_MAX - 12));
        assert!(parse_email(&longest).is_some() && parse_email(&format!("a{longest}")).is_none());
        for wrong in ["", "ada", "@example.com", "ada@", "a@b@c", "a da@example.com", "a\u{0}@b"] {
            assert_eq!(parse_email(wrong), None, "{wrong:?}");
        }
    }

    #[test]
    fn a_password_is_long_and_not_the_email() {
        let of = |password: &str| check_password(password, "administrator@example.com").err();
        assert_eq!(of("elevenchars"), Some(PasswordRefused::TooShort));
        assert_eq!(of("twelve chars"), None);
        assert_eq!(of("zwölf Zeichen"), None);
        assert_eq!(of(&"p".repeat(PASSWORD_BYTES_MAX)), None);
        assert_eq!(of(&"p".repeat(PASSWORD_BYTES_MAX + 1)), Some(PasswordRefused::TooLong));
        for same in ["administrator@example.com", "Administrator@Example.com", " administrator", "Administrator"] {
            assert_eq!(of(same), Some(PasswordRefused::IsEmail), "{same}");
        }
    }

    #[test]
    fn a_time_zone_is_one_that_iana_knows() {
        assert_eq!(parse_time_zone(" europe/berlin ").as_deref(), Some("Europe/Berlin"));
        assert_eq!(parse_time_zone("UTC").as_deref(), Some("UTC"));
        for wrong in ["", "Berlin", "+01:00", "Europe/Atlantis", "../etc/passwd"] {
            assert_eq!(parse_time_zone(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_role_is_read_back_in_its_own_spelling_only() {
        for role in Role::ALL {
            assert_eq!(Role::parse(role.as_str()), Some(role));
        }
        for wrong in ["", "ADMIN", "Admin", "owner", "admin "] {
            assert_eq!(Role::parse(wrong), None, "{wrong}");
        }
    }
}
