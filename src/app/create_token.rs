//! Making a secure token, or taking over the secret of another system.
//!
//! A new token may convert and reject. Clickless on a global token is given only to those who ask for it, with a
//! warning: every advertiser holds the same global secret, and clickless needs no click. Refuses a sixth live token of
//! a scope, and a secret that is, or once was, another token's: it could not be told whose conversion it was.

use ipnet::IpNet;
use secrecy::{ExposeSecret, SecretString};

use super::idempotency::reused;
use super::issued_token::{
    Issuance, IssuedToken, answer_of, capabilities_text, event, read_label, repeated, row_of, view_of,
};
use super::{App, AppError, Outcome, UserError, UserErrorCode, snapshot};
use crate::domain::audit::beginnings;
use crate::domain::idempotency::IdempotentCall;
use crate::domain::ids::TokenId;
use crate::domain::operator::Principal;
use crate::domain::secure_token::{
    Capabilities, IMPORTED_CHARACTERS, ImportRefused, LIVE_TOKENS_MAX, LimitExceeded, PlainToken, SecureToken,
    TokenScope, may_create, parse_allowed_address,
};
use crate::store::idempotency::Earlier;
use crate::store::{StoreError, audit, idempotency, tokens};

/// Networks in the list of one token, at most.
pub const ALLOWED_ADDRESSES_MAX: usize = 50;

/// What a token is asked for.
#[derive(Clone, Debug)]
pub struct TokenRequest {
    pub scope: TokenScope,
    pub label: Option<String>,
    /// None: convert and reject.
    pub capabilities: Option<Capabilities>,
    /// Addresses, or networks with a prefix length; empty lets all in.
    pub allowed_addresses: Vec<String>,
    pub lenient_status: bool,
    /// A secret of another system, taken as it is.
    pub imported_secret: Option<SecretString>,
}

impl TokenRequest {
    /// With everything as it is when nothing is said.
    pub const fn new(scope: TokenScope) -> Self {
        Self {
            scope,
            label: None,
            capabilities: None,
            allowed_addresses: Vec::new(),
            lenient_status: false,
            imported_secret: None,
        }
    }
}

/// Makes a token. Its secret is in the answer, and later only where texts are kept.
///
/// # Errors
/// `NotFound` (the offer), `Required`, `Invalid`, `TooSmall`, `TooLong` (settings, secret), `LimitExceeded` (live
/// tokens, addresses), `Taken` (an imported secret).
pub async fn create_token(app: &App, principal: &Principal, request: &TokenRequest) -> Outcome<IssuedToken> {
    match create_token_once(app, principal, request, None).await? {
        Ok(issuance) => issuance.issued().map(Ok),
        Err(errors) => Ok(Err(errors)),
    }
}

/// As [`create_token`]; sent twice under one key, it makes one token, and shows its secret once.
///
/// # Errors
/// As [`create_token`]; `IdempotencyKeyReused`.
pub async fn create_token_once(
    app: &App,
    principal: &Principal,
    request: &TokenRequest,
    once: Option<IdempotentCall>,
) -> Outcome<Issuance> {
    let (token, secret, label) = match read(app, request) {
        Ok(read) => read,
        Err(errors) => return Ok(Err(errors)),
    };
    let is_clickless_for_all = token.is_clickless_for_all();
    let (scope, now) = (token.scope, app.clock.now());
    let row = row_of(app, principal, token, &secret, label)?;
    let view = view_of(&row, None);
    let event = event(app, principal, "secure_token.create", &view, beginnings(settings(&row.token, &row.label)));
    let written = app.database.control_decision(Box::new(move |tx| {
        Box::pin(async move {
            match idempotency::find(tx, once.as_ref(), now).await? {
                Earlier::None => {}
                Earlier::OtherArguments => return Ok(Err(vec![reused()])),
                Earlier::Same(answer) => return Ok(Ok(Some(answer))),
            }
            let siblings = tokens::siblings(tx, scope).await?;
            if let Err(LimitExceeded) = may_create(&siblings, now) {
                return Ok(Err(vec![limit_exceeded(&["input", "scope"])]));
            }
            idempotency::insert(tx, once.as_ref(), answer_of(row.token.id, None), now).await?;
            tokens::insert(tx, row).await?;
            audit::insert(tx, event).await?;
            Ok(Ok(None))
        })
    }));
    match written.await {
        Ok(Ok(None)) => {}
        Ok(Ok(Some(answer))) => return repeated(app, &answer).await,
        Ok(Err(errors)) => return Ok(Err(errors)),
        Err(StoreError::Taken(_)) if request.imported_secret.is_some() => return Ok(Err(vec![taken()])),
        Err(error) => return Err(AppError::from(error)),
    }
    snapshot::refresh_after_write(app).await;
    let warnings = is_clickless_for_all.then(|| CLICKLESS_FOR_ALL.to_owned()).into_iter().collect();
    Ok(Ok(Issuance::Issued(Box::new(IssuedToken { token: view, secret, previous: None, warnings }))))
}

const CLICKLESS_FOR_ALL: &str = "Every advertiser who holds this global secret can report conversions of any offer that \
     takes clickless ones, without a click: prefer a token of the offer.";

pub(super) fn limit_exceeded(field: &[&str]) -> UserError {
    let message = format!("There are {LIVE_TOKENS_MAX} live tokens already.");
    UserError::new(UserErrorCode::LimitExceeded, field, message).with_hint("Revoke one that nobody uses.")
}

type Read = (SecureToken, PlainToken, Option<String>);

/// All that is wrong is said at once.
fn read(app: &App, request: &TokenRequest) -> Result<Read, Vec<UserError>> {
    let mut errors = Vec::new();
    let known = request.scope.offer().is_none_or(|offer| app.snapshot.load().offers.contains_key(&offer));
    if !known {
        errors.push(UserError::new(UserErrorCode::NotFound, &["input", "offerId"], "There is no such offer."));
    }
    let capabilities = request.capabilities.unwrap_or(Capabilities::STANDARD);
    if capabilities == Capabilities::NONE {
        let message = "A token needs at least one capability.";
        errors.push(UserError::new(UserErrorCode::Required, &["input", "capabilities"], message));
    }
    let label = keep(read_label(request.label.as_deref()), &mut errors);
    let secret = keep(read_secret(app, request), &mut errors);
    let addresses = keep(read_addresses(&request.allowed_addresses), &mut errors);
    let (Some(label), Some(secret), Some(allowed_addresses), []) = (label, secret, addresses, &*errors) else {
        return Err(errors);
    };
    let id = TokenId::mint(&*app.clock, &*app.entropy);
    let token = SecureToken {
        allowed_addresses,
        lenient_status: request.lenient_status,
        imported: request.imported_secret.is_some(),
        ..SecureToken::new(id, secret.digest(), request.scope, capabilities)
    };
    Ok((token, secret, label))
}

fn keep<T>(result: Result<T, UserError>, errors: &mut Vec<UserError>) -> Option<T> {
    result.map_err(|error| errors.push(error)).ok()
}

fn read_secret(app: &App, request: &TokenRequest) -> Result<PlainToken, UserError> {
    let Some(secret) = &request.imported_secret else {
        return Ok(PlainToken::generate(request.scope, &*app.entropy));
    };
    let (least, most) = (IMPORTED_CHARACTERS.start(), IMPORTED_CHARACTERS.end());
    PlainToken::import(secret.expose_secret()).map_err(|refused| {
        let (code, message) = match refused {
            ImportRefused::TooShort { length } => {
                (UserErrorCode::TooSmall, format!("A secret has at least {least} characters, this one has {length}."))
            }
            ImportRefused::TooLong { length } => {
                (UserErrorCode::TooLong, format!("A secret has at most {most} characters, this one has {length}."))
            }
            ImportRefused::NotVisibleAscii => {
                (UserErrorCode::Invalid, "A secret has visible ASCII characters only, and no white space.".to_owned())
            }
        };
        UserError::new(code, &["input", "importedSecret"], message)
    })
}

fn read_addresses(texts: &[String]) -> Result<Vec<IpNet>, UserError> {
    let field = &["input", "allowedSourceIps"];
    if texts.len() > ALLOWED_ADDRESSES_MAX {
        let message = format!("A token has at most {ALLOWED_ADDRESSES_MAX} addresses.");
        return Err(UserError::new(UserErrorCode::LimitExceeded, field, message).with_hint("Write networks, as /24."));
    }
    let read = |text: &String| {
        let message = format!("{text:?} is neither an address nor a network such as 203.0.113.0/24.");
        parse_allowed_address(text).ok_or_else(|| UserError::new(UserErrorCode::Invalid, field, message))
    };
    texts.iter().map(read).collect()
}

fn taken() -> UserError {
    let message = "This secret is, or once was, the one of another token.";
    UserError::new(UserErrorCode::Taken, &["input", "importedSecret"], message)
}

fn settings(token: &SecureToken, label: &Option<String>) -> Vec<(&'static str, Option<String>)> {
    let addresses = token.allowed_addresses.iter().map(IpNet::to_string).collect::<Vec<_>>().join(", ");
    vec![
        ("scope", Some(token.scope.offer().map_or_else(|| "global".to_owned(), |offer| offer.to_string()))),
        ("label", label.clone()),
        ("capabilities", Some(capabilities_text(token.capabilities))),
        ("allowed_addresses", Some(addresses).filter(|addresses| !addresses.is_empty())),
        ("lenient_status", token.lenient_status.then(|| "true".to_owned())),
        ("imported", token.imported.then(|| "true".to_owned())),
    ]
}
