//! The errors of the admin API: a closed list of codes, and the one place where an error leaves.
//!
//! What a caller can put right in a form is a `userErrors` entry of a payload and never comes here. Here is the
//! rest: nobody signed in, too small a role, a bad document, our own fault. An error without one of our codes
//! is masked: the caller reads that it is our side and a request id, the log reads what happened, once. Were an
//! unmarked error to pass, a resolver's `?` on a database error would publish SQL.

use std::{error, fmt, sync::Arc};

use async_graphql::{Error, ErrorExtensionValues, Pos, ServerError, Value};

use crate::domain::operator::Role;

/// `extensions.code` of every error that leaves. The list is closed: a client may match on all of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Code {
    /// No bearer, or one that is not believed. Sign in.
    Unauthenticated,
    /// The role is too small for this field.
    Forbidden,
    /// The HTTP request is not one that this endpoint takes.
    BadRequest,
    /// The document is not GraphQL.
    GraphqlParseFailed,
    /// The document does not fit the schema.
    GraphqlValidationFailed,
    /// An argument has the right shape and a value that cannot be taken.
    BadUserInput,
    /// The document asks for too much. Ask for less, or in several requests.
    QueryTooComplex,
    /// Too many requests. Wait.
    RateLimited,
    /// It took too long; a mutation may still have been done.
    Timeout,
    /// Our fault. The request id finds it in the log.
    Internal,
}

impl Code {
    pub const ALL: [Self; 10] = [
        Self::Unauthenticated,
        Self::Forbidden,
        Self::BadRequest,
        Self::GraphqlParseFailed,
        Self::GraphqlValidationFailed,
        Self::BadUserInput,
        Self::QueryTooComplex,
        Self::RateLimited,
        Self::Timeout,
        Self::Internal,
    ];

    /// The text on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unauthenticated => "UNAUTHENTICATED",
            Self::Forbidden => "FORBIDDEN",
            Self::BadRequest => "BAD_REQUEST",
            Self::GraphqlParseFailed => "GRAPHQL_PARSE_FAILED",
            Self::GraphqlValidationFailed => "GRAPHQL_VALIDATION_FAILED",
            Self::BadUserInput => "BAD_USER_INPUT",
            Self::QueryTooComplex => "QUERY_TOO_COMPLEX",
            Self::RateLimited => "RATE_LIMITED",
            Self::Timeout => "TIMEOUT",
            Self::Internal => "INTERNAL",
        }
    }

    /// Reads the text of [`Self::as_str`]; `None` for a code that is not ours.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|code| code.as_str() == text)
    }
}

/// All that a client reads about a fault of ours.
pub const INTERNAL_MESSAGE: &str = "Something went wrong on our side";

/// Longer messages are cut here, in bytes: async-graphql repeats a refused value once for each field that got it.
const MESSAGE_BYTES_MAX: usize = 500;

/// A resolver's answer to a role that is too small; `needed` is the least that would do.
#[must_use]
pub fn forbidden(needed: Role) -> Error {
    let wanted = needed.as_str().to_uppercase();
    coded(Code::Forbidden, format!("This needs the role {wanted}")).with("requiredRole", wanted)
}

/// A resolver's answer to an argument that cannot be taken. `message` goes to the caller as it is.
#[must_use]
pub fn bad_user_input(message: impl Into<String>) -> Error {
    coded(Code::BadUserInput, message.into())
}

/// A resolver's answer when it is our fault. The caller reads [`INTERNAL_MESSAGE`]; the log reads `fault` and
/// all that caused it, once, when the answer leaves.
#[must_use]
pub fn internal(fault: impl Into<Box<dyn error::Error + Send + Sync>>) -> Error {
    let inside: Box<dyn error::Error + Send + Sync> = fault.into();
    Error { source: Some(Arc::new(Inside(inside))), ..coded(Code::Internal, INTERNAL_MESSAGE.to_owned()) }
}

/// A resolver's answer when the database did not come to an end in the time that one read may take.
#[must_use]
pub fn timed_out() -> Error {
    coded(Code::Timeout, "This takes too long to be looked up: ask for a shorter range or for less".to_owned())
}

fn coded(code: Code, message: String) -> Error {
    Error { message, source: None, extensions: None }.with("code", code.as_str())
}

trait With {
    fn with(self, name: &str, value: impl Into<Value>) -> Self;
}

impl With for Error {
    fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.extensions.get_or_insert_default().set(name, value);
        self
    }
}

/// The inside of an internal error, on its way to the log.
struct Inside(Box<dyn error::Error + Send + Sync>);

/// The error and what caused it, in one line.
impl fmt::Display for Inside {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)?;
        let mut cause = self.0.source();
        while let Some(error) = cause {
            write!(f, ": {error}")?;
            cause = error.source();
        }
        Ok(())
    }
}

/// A request that is refused as a whole, before any field was resolved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    pub code: Code,
    /// For the caller.
    pub message: String,
    /// Where in the document, when it is a place.
    pub at: Option<Pos>,
}

impl Refusal {
    #[must_use]
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), at: None }
    }

    #[must_use]
    pub fn at(self, place: Pos) -> Self {
        Self { at: Some(place), ..self }
    }

    /// As it leaves.
    pub(crate) fn into_error(self, request_id: &str) -> ServerError {
        let mut error = ServerError::new(self.message, self.at);
        error.extensions = Some(extensions(self.code, request_id));
        clip(&mut error.message);
        error
    }
}

/// Makes an error of async-graphql or of a resolver fit to leave: gives it its code, or masks it and logs it.
pub(crate) fn released(mut error: ServerError, request_id: &str) -> ServerError {
    let Some(code) = code_of(&error).filter(|code| *code != Code::Internal) else {
        return masked(error, request_id);
    };
    clip(&mut error.message);
    error.extensions.get_or_insert_default().set("code", code.as_str());
    error
}

/// The code of an error that was released.
pub(crate) fn released_code(error: &ServerError) -> Code {
    code_of(error).unwrap_or(Code::Internal)
}

/// `None` for an error that nobody has marked and that came out of a resolver.
fn code_of(error: &ServerError) -> Option<Code> {
    match error.extensions.as_ref().and_then(|values| values.get("code")) {
        Some(declared) => {
            if let Value::String(text) = declared {
                Code::parse(text)
            } else {
                None
            }
        }
        None if error.source.is_some() => None,
        None if error.path.is_empty() => Some(code_of_validation(&error.message)),
        None => is_about_an_argument(&error.message).then_some(Code::BadUserInput),
    }
}

/// async-graphql 7.2 tells its limits from its rules by the text alone.
fn code_of_validation(message: &str) -> Code {
    let limits = [
        "Query is too complex.",
        "Query is nested too deep.",
        "The recursion depth of the query",
        "The number of directives on the field",
    ];
    if limits.iter().any(|limit| message.starts_with(limit)) {
        Code::QueryTooComplex
    } else {
        Code::GraphqlValidationFailed
    }
}

/// The texts of `InputValueError`: an argument that a scalar refused while its field was being resolved.
fn is_about_an_argument(message: &str) -> bool {
    message.starts_with("Failed to parse \"") || message.starts_with("Expected input type \"")
}

fn masked(error: ServerError, request_id: &str) -> ServerError {
    let path = path_text(&error);
    match error.source::<Inside>() {
        Some(inside) => tracing::error!(request_id, path, error = %inside, "a resolver failed"),
        None => tracing::error!(request_id, path, error = %error.message, "a resolver failed with an error of no code"),
    }
    ServerError {
        message: INTERNAL_MESSAGE.to_owned(),
        source: None,
        locations: error.locations,
        path: error.path,
        extensions: Some(extensions(Code::Internal, request_id)),
    }
}

fn path_text(error: &ServerError) -> String {
    let segments = error.path.iter().map(|segment| match segment {
        async_graphql::PathSegment::Field(name) => name.clone(),
        async_graphql::PathSegment::Index(index) => index.to_string(),
    });
    segments.collect::<Vec<_>>().join(".")
}

/// The request id goes with the two codes that send somebody to the log.
fn extensions(code: Code, request_id: &str) -> ErrorExtensionValues {
    let mut values = ErrorExtensionValues::default();
    values.set("code", code.as_str());
    if matches!(code, Code::Internal | Code::Timeout) {
        values.set("requestId", request_id);
    }
    values
}

fn clip(message: &mut String) {
    if message.len() > MESSAGE_BYTES_MAX {
        message.truncate(message.floor_char_boundary(MESSAGE_BYTES_MAX));
        message.push('…');
    }
}

#[cfg(test)]
mod tests {
    use async_graphql::PathSegment;

    use super::*;

    fn of_a_field(error: Error) -> ServerError {
        error.into_server_error(Pos { line: 1, column: 3 }).with_path(vec![PathSegment::Field("offers".into())])
    }

    fn left(error: Error) -> String {
        serde_json::to_string(&released(of_a_field(error), "req_1")).unwrap()
    }

    #[test]
    fn every_code_is_read_back_and_no_other_is() {
        for code in Code::ALL {
            assert_eq!(Code::parse(code.as_str()), Some(code));
        }
        assert_eq!(Code::parse("internal"), None);
        assert_eq!(Code::parse("PERSISTED_QUERY_NOT_FOUND"), None);
    }

    #[test]
    fn our_own_errors_leave_with_their_code() {
        let text = left(forbidden(Role::Admin));
        assert!(text.contains("FORBIDDEN") && text.contains("ADMIN"), "{text}");
        let text = left(bad_user_input("first must be at most 200"));
        assert!(text.contains("BAD_USER_INPUT") && text.contains("at most 200"), "{text}");
    }

    #[test]
    fn an_inside_text_never_leaves() {
        let secret = std::io::Error::other("password of db.internal");
        let unknown = Error::new("password").with("code", "DB_DOWN");
        for error in [internal(secret), Error::from("password of db"), Error::new("password"), unknown] {
            let text = left(error);
            assert!(!text.contains("password"), "{text}");
            assert!(text.contains(INTERNAL_MESSAGE) && text.contains("INTERNAL") && text.contains("req_1"), "{text}");
        }
    }

    #[test]
    fn the_log_reads_the_error_and_its_causes() {
        let refused = crate::domain::operator::AuthRefused::Unavailable("pool exhausted".into());
        let error = of_a_field(internal(refused));
        assert!(error.source::<Inside>().unwrap().to_string().ends_with(": pool exhausted"));
    }

    #[test]
    fn a_refused_argument_is_the_callers() {
        let text = left(Error::new("Failed to parse \"Decimal\": not a number"));
        assert!(text.contains("BAD_USER_INPUT") && text.contains("not a number"), "{text}");
    }

    #[test]
    fn a_long_message_is_cut_between_characters() {
        let text = released(ServerError::new("é".repeat(400), None), "req_1").message;
        assert_eq!(text.len(), MESSAGE_BYTES_MAX + '…'.len_utf8());
    }
}
