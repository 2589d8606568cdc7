//! Signing in and out of the admin API: `/api/session`, `/api/session/refresh`, `/api/setup`, `/api/invite`. Of the last
//! but one a GET says only whether there is an operator yet, so that a dashboard knows which of its doors to show.
//!
//! The access token goes into the body, for the page's memory; the refresh token into a cookie that no script can
//! read and no other site's request carries (`HttpOnly`, `SameSite=Strict`, this path only). A request that says it
//! comes from another origin is refused all the same: not every browser keeps the cookie's promise. Nothing here is
//! cached, and no answer says whether an account exists.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use url::Url;

use super::accept::PeerAddress;
use super::extract::body::{BodyProblem, read_body};
use super::extract::client_address::client_address;
use super::extract::origin::is_own_origin;
use crate::app::accept_invitation::{AcceptRefused, accept_invitation};
use crate::app::authenticate::authenticate;
use crate::app::setup::{SetupRefused, SetupRequest, is_set_up, set_up};
use crate::app::sign_in::{RefreshRefused, SignInRefused, SignOut, SignedIn, refresh, sign_in, sign_out};
use crate::app::{App, AppError, UserError};
use crate::domain::ids::SessionId;
use crate::domain::operator::{AuthRefused, Caller};
use crate::telemetry::RequestIds;

/// Bytes of a body: a name, an address and a password have room in it.
pub const BODY_BYTES_MAX: usize = 8 * 1024;
/// The cookie that holds the refresh token.
pub const COOKIE: &str = "rt_refresh";

const BODY_SECONDS_MAX: u64 = 10;
const COOKIE_PATH: &str = "/api/session";
/// `Retry-After` of a 503.
const RETRY_AFTER_SECONDS: u64 = 2;

/// The routes, to be merged into the router of the admin host.
pub fn routes<S: Clone + Send + Sync + 'static>(app: Arc<App>) -> Router<S> {
    let request_ids = RequestIds::new(app.entropy.as_ref());
    Router::new()
        .route("/api/session", post(begin).delete(end))
        .route("/api/session/refresh", post(renew))
        .route("/api/setup", get(is_done).post(first))
        .route("/api/invite", post(invited))
        .with_state(Arc::new(Door { app, request_ids }))
}

/// What the routes work with.
struct Door {
    app: Arc<App>,
    request_ids: RequestIds,
}

/// The body of `POST /api/session`.
#[derive(Deserialize)]
struct Credentials {
    email: String,
    password: String,
}

/// The body of `POST /api/setup`.
#[derive(Deserialize)]
struct FirstOperator {
    code: String,
    email: String,
    name: String,
    password: String,
}

/// The body of `POST /api/invite`.
#[derive(Deserialize)]
struct Acceptance {
    code: String,
    password: String,
}

async fn begin(State(door): State<Arc<Door>>, request: Request) -> Response {
    let (visit, body) = door.enter(request);
    answered(&door, &visit, begun(&door, &visit, body).await)
}

async fn begun(door: &Door, visit: &Visit, body: Body) -> Result<Response, Problem> {
    let Credentials { email, password } = visit.json(body).await?;
    match sign_in(&door.app, &email, password.into(), &visit.caller).await? {
        Ok(signed_in) => Ok(welcome(door, &signed_in)),
        Err(refused) => Err(refused.into()),
    }
}

async fn renew(State(door): State<Arc<Door>>, request: Request) -> Response {
    let (visit, _) = door.enter(request);
    answered(&door, &visit, renewed(&door, &visit).await)
}

async fn renewed(door: &Door, visit: &Visit) -> Result<Response, Problem> {
    visit.check_origin()?;
    let token = visit.cookie().ok_or(Problem::NotSignedIn)?;
    match refresh(&door.app, token, &visit.caller).await? {
        Ok(signed_in) => Ok(welcome(door, &signed_in)),
        Err(refused) => Err(refused.into()),
    }
}

async fn end(State(door): State<Arc<Door>>, request: Request) -> Response {
    let (visit, _) = door.enter(request);
    answered(&door, &visit, ended(&door, &visit).await)
}

/// Signing out twice is signing out: 204 whatever was shown.
async fn ended(door: &Door, visit: &Visit) -> Result<Response, Problem> {
    visit.check_origin()?;
    let caller = &visit.caller;
    if let Some(session) = believed_session(door, visit).await? {
        sign_out(&door.app, SignOut::Session(session), caller).await?;
    }
    if let Some(token) = visit.cookie() {
        sign_out(&door.app, SignOut::Refresh(token), caller).await?;
    }
    let headers = [(header::SET_COOKIE, cookie(door, "", 0)), no_store()];
    Ok((StatusCode::NO_CONTENT, headers).into_response())
}

/// The session of the bearer token, if one was sent and is believed.
async fn believed_session(door: &Door, visit: &Visit) -> Result<Option<SessionId>, Problem> {
    let Some(bearer) = visit.bearer() else { return Ok(None) };
    match authenticate(&door.app, bearer, visit.caller.address, &visit.caller.request_id).await {
        Ok(principal) => Ok(principal.session),
        Err(AuthRefused::Invalid | AuthRefused::Expired | AuthRefused::Withdrawn) => Ok(None),
        Err(refused @ AuthRefused::Unavailable(_)) => {
            tracing::error!(request_id = visit.caller.request_id, error = %refused, "a bearer could not be checked");
            Err(Problem::Ours(AppError::Busy))
        }
    }
}

/// The body of the answer to `GET /api/setup`.
#[derive(Serialize)]
struct Progress {
    /// Somebody can sign in; else the code that the server printed is the way in.
    setup_complete: bool,
}

async fn is_done(State(door): State<Arc<Door>>, request: Request) -> Response {
    let (visit, _) = door.enter(request);
    let progress = is_set_up(&door.app).await.map(|setup_complete| Progress { setup_complete });
    let outcome = progress.map(|body| json_response(StatusCode::OK, &body)).map_err(Problem::from);
    answered(&door, &visit, outcome)
}

async fn first(State(door): State<Arc<Door>>, request: Request) -> Response {
    let (visit, body) = door.enter(request);
    answered(&door, &visit, set_up_first(&door, &visit, body).await)
}

async fn set_up_first(door: &Door, visit: &Visit, body: Body) -> Result<Response, Problem> {
    let FirstOperator { code, email, name, password } = visit.json(body).await?;
    let request = SetupRequest { code, email, name, password: password.into() };
    match set_up(&door.app, request, &visit.caller).await? {
        Ok(signed_in) => Ok(welcome(door, &signed_in)),
        Err(refused) => Err(refused.into()),
    }
}

async fn invited(State(door): State<Arc<Door>>, request: Request) -> Response {
    let (visit, body) = door.enter(request);
    answered(&door, &visit, accepted(&door, &visit, body).await)
}

async fn accepted(door: &Door, visit: &Visit, body: Body) -> Result<Response, Problem> {
    let Acceptance { code, password } = visit.json(body).await?;
    match accept_invitation(&door.app, &code, password.into(), &visit.caller).await? {
        Ok(signed_in) => Ok(welcome(door, &signed_in)),
        Err(refused) => Err(refused.into()),
    }
}

/// One request, without its body.
struct Visit {
    headers: HeaderMap,
    /// Host and port that the client asked for.
    authority: String,
    public_url: Url,
    caller: Caller,
}

impl Door {
    fn enter(&self, request: Request) -> (Visit, Body) {
        let (parts, body) = request.into_parts();
        let peer = parts.extensions.get::<PeerAddress>().map(|peer| peer.0);
        let options = &self.app.options;
        let address = peer.map(|peer| client_address(peer, &parts.headers, &options.trusted_proxies));
        let visit = Visit {
            authority: authority(&parts),
            public_url: options.public_url.clone(),
            caller: Caller { address, request_id: self.request_ids.next() },
            headers: parts.headers,
        };
        (visit, body)
    }
}

impl Visit {
    /// Who says where they come from must come from here.
    fn check_origin(&self) -> Result<(), Problem> {
        let own = is_own_origin(&self.headers, &self.authority, &self.public_url);
        if own { Ok(()) } else { Err(Problem::Origin) }
    }

    async fn json<T: DeserializeOwned>(&self, body: Body) -> Result<T, Problem> {
        self.check_origin()?;
        let content_type = self.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let essence = content_type.and_then(|value| value.split(';').next()).unwrap_or_default().trim();
        if !essence.eq_ignore_ascii_case("application/json") {
            return Err(Problem::MediaType);
        }
        let bytes = read_body(body, BODY_BYTES_MAX, Duration::from_secs(BODY_SECONDS_MAX)).await?;
        // serde would say what it found, and what it found may be a password.
        serde_json::from_slice(&bytes).map_err(|_| Problem::Unreadable)
    }

    fn cookie(&self) -> Option<&str> {
        let lists = self.headers.get_all(header::COOKIE).iter().filter_map(|list| list.to_str().ok());
        let mut pairs = lists.flat_map(|list| list.split(';')).filter_map(|pair| pair.trim().split_once('='));
        pairs.find(|(name, _)| *name == COOKIE).map(|(_, value)| value)
    }

    fn bearer(&self) -> Option<&str> {
        let (scheme, token) = self.headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
    }
}

fn authority(parts: &Parts) -> String {
    let named = parts.headers.get(header::HOST).and_then(|host| host.to_str().ok());
    parts.uri.authority().map(|authority| authority.as_str()).or(named).unwrap_or_default().to_owned()
}

/// Why a request got no session.
enum Problem {
    Body(BodyProblem),
    MediaType,
    Unreadable,
    Origin,
    WrongCredentials,
    Locked { retry_after_seconds: u64 },
    NotSignedIn,
    SessionEnded,
    RefreshRace,
    SetupDone,
    WrongSetupCode,
    WrongInviteCode,
    Invalid(Vec<UserError>),
    Ours(AppError),
}

impl From<BodyProblem> for Problem {
    fn from(problem: BodyProblem) -> Self {
        Self::Body(problem)
    }
}

impl From<AppError> for Problem {
    fn from(error: AppError) -> Self {
        Self::Ours(error)
    }
}

impl From<SignInRefused> for Problem {
    fn from(refused: SignInRefused) -> Self {
        match refused {
            SignInRefused::WrongCredentials => Self::WrongCredentials,
            SignInRefused::Locked { retry_after_seconds } => Self::Locked { retry_after_seconds },
        }
    }
}

impl From<RefreshRefused> for Problem {
    fn from(refused: RefreshRefused) -> Self {
        match refused {
            RefreshRefused::Invalid => Self::NotSignedIn,
            RefreshRefused::Ended => Self::SessionEnded,
            RefreshRefused::Race => Self::RefreshRace,
        }
    }
}

impl From<AcceptRefused> for Problem {
    fn from(refused: AcceptRefused) -> Self {
        match refused {
            AcceptRefused::WrongCode => Self::WrongInviteCode,
            AcceptRefused::Invalid(errors) => Self::Invalid(errors),
        }
    }
}

impl From<SetupRefused> for Problem {
    fn from(refused: SetupRefused) -> Self {
        match refused {
            SetupRefused::Done => Self::SetupDone,
            SetupRefused::WrongCode => Self::WrongSetupCode,
            SetupRefused::Invalid(errors) => Self::Invalid(errors),
        }
    }
}

impl Problem {
    /// Status, code and one sentence.
    fn told(&self) -> (StatusCode, &'static str, &'static str) {
        match self {
            Self::Body(BodyProblem::TooLarge) => {
                (StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", "The body may have 8192 bytes")
            }
            Self::Body(BodyProblem::TooSlow) => {
                (StatusCode::REQUEST_TIMEOUT, "body_too_slow", "The body did not arrive in time")
            }
            Self::Body(BodyProblem::Broken) => (StatusCode::BAD_REQUEST, "bad_request", "The body was not complete"),
            Self::MediaType => {
                (StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", "Send Content-Type: application/json")
            }
            Self::Unreadable => (
                StatusCode::BAD_REQUEST,
                "bad_request",
                "The body is not a JSON object with the fields of this request",
            ),
            Self::Origin => {
                (StatusCode::FORBIDDEN, "origin_not_allowed", "Requests from pages of another origin are not taken")
            }
            Self::WrongCredentials => {
                (StatusCode::UNAUTHORIZED, "wrong_credentials", "This e-mail address and password do not match")
            }
            Self::Locked { .. } => {
                (StatusCode::TOO_MANY_REQUESTS, "locked", "Too many wrong passwords: try again later")
            }
            Self::NotSignedIn => (StatusCode::UNAUTHORIZED, "not_signed_in", "There is no session to refresh: sign in"),
            Self::SessionEnded => (StatusCode::UNAUTHORIZED, "session_ended", "The session is over: sign in again"),
            Self::RefreshRace => {
                (StatusCode::CONFLICT, "refresh_race", "Another refresh was faster: use its cookie, try again")
            }
            Self::SetupDone => (StatusCode::CONFLICT, "setup_done", "This server is set up already: sign in"),
            Self::WrongSetupCode => {
                (StatusCode::UNAUTHORIZED, "wrong_setup_code", "Use the code that the server printed at its last start")
            }
            Self::WrongInviteCode => (
                StatusCode::UNAUTHORIZED,
                "wrong_invite_code",
                "This invitation was used, replaced or has ended: ask an administrator for another link",
            ),
            Self::Invalid(_) => (StatusCode::BAD_REQUEST, "invalid", "Some fields cannot be taken"),
            Self::Ours(AppError::Busy) => (StatusCode::SERVICE_UNAVAILABLE, "try_again", "Busy: try again in a moment"),
            Self::Ours(AppError::Store(error)) if error.is_transient() => {
                (StatusCode::SERVICE_UNAVAILABLE, "try_again", "The database is away: try again in a moment")
            }
            Self::Ours(AppError::Store(_) | AppError::Internal(_)) => {
                (StatusCode::INTERNAL_SERVER_ERROR, "internal", "This is our fault; the request id tells us more")
            }
        }
    }

    fn retry_after_seconds(&self, status: StatusCode) -> Option<u64> {
        match self {
            Self::Locked { retry_after_seconds } => Some(*retry_after_seconds),
            Self::Ours(_) if status == StatusCode::SERVICE_UNAVAILABLE => Some(RETRY_AFTER_SECONDS),
            Self::Body(_)
            | Self::MediaType
            | Self::Unreadable
            | Self::Origin
            | Self::WrongCredentials
            | Self::NotSignedIn
            | Self::SessionEnded
            | Self::RefreshRace
            | Self::SetupDone
            | Self::WrongSetupCode
            | Self::WrongInviteCode
            | Self::Invalid(_)
            | Self::Ours(_) => None,
        }
    }

    /// Is the cookie worth nothing from now on?
    fn ends_cookie(&self) -> bool {
        matches!(self, Self::NotSignedIn | Self::SessionEnded)
    }

    fn fields(&self) -> Vec<FieldProblem<'_>> {
        let errors = if let Self::Invalid(errors) = self { errors.as_slice() } else { &[] };
        errors.iter().map(|error| FieldProblem { field: error.field.join("."), message: &error.message }).collect()
    }
}

#[derive(Serialize)]
struct Refusal<'a> {
    ok: bool,
    code: &'a str,
    message: &'a str,
    request_id: &'a str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<FieldProblem<'a>>,
}

#[derive(Serialize)]
struct FieldProblem<'a> {
    field: String,
    message: &'a str,
}

fn answered(door: &Door, visit: &Visit, outcome: Result<Response, Problem>) -> Response {
    outcome.unwrap_or_else(|problem| refusal(door, visit, &problem))
}

fn refusal(door: &Door, visit: &Visit, problem: &Problem) -> Response {
    let (status, code, message) = problem.told();
    let request_id = visit.caller.request_id.as_str();
    if let Problem::Ours(error) = problem {
        tracing::error!(request_id, code, %error, "a session request failed");
    }
    let body = Refusal { ok: false, code, message, request_id, errors: problem.fields() };
    let mut response = json_response(status, &body);
    if let Some(seconds) = problem.retry_after_seconds(status) {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    if problem.ends_cookie() {
        response.headers_mut().insert(header::SET_COOKIE, cookie(door, "", 0));
    }
    response
}

#[derive(Serialize)]
struct Welcome<'a> {
    access_token: &'a str,
    token_type: &'static str,
    /// Seconds.
    expires_in: u32,
    operator: WelcomeOperator<'a>,
}

#[derive(Serialize)]
struct WelcomeOperator<'a> {
    id: String,
    email: &'a str,
    name: &'a str,
    /// As the admin API spells it.
    role: String,
}

fn welcome(door: &Door, signed_in: &SignedIn) -> Response {
    let operator = &signed_in.operator;
    let body = Welcome {
        access_token: signed_in.access_token(),
        token_type: "Bearer",
        expires_in: signed_in.access_seconds,
        operator: WelcomeOperator {
            id: operator.id.to_string(),
            email: &operator.email,
            name: &operator.name,
            role: operator.role.as_str().to_ascii_uppercase(),
        },
    };
    let mut response = json_response(StatusCode::OK, &body);
    let cookie = cookie(door, signed_in.refresh_token.reveal(), signed_in.refresh_seconds);
    response.headers_mut().insert(header::SET_COOKIE, cookie);
    response
}

fn cookie(door: &Door, value: &str, seconds: u32) -> HeaderValue {
    let secure = if door.app.options.public_url.scheme() == "https" { "; Secure" } else { "" };
    let text = format!("{COOKIE}={value}; Path={COOKIE_PATH}; HttpOnly; SameSite=Strict; Max-Age={seconds}{secure}");
    // Hexadecimal digits and the words above are always a header value.
    let mut header = HeaderValue::try_from(text).unwrap_or_else(|_| HeaderValue::from_static(""));
    header.set_sensitive(true);
    header
}

fn no_store() -> (HeaderName, HeaderValue) {
    (header::CACHE_CONTROL, HeaderValue::from_static("no-store"))
}

fn json_response(status: StatusCode, body: &impl Serialize) -> Response {
    let json = (header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    match serde_json::to_vec(body) {
        Ok(bytes) => (status, [json, no_store()], bytes).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use http_body_util::BodyExt;
    use serde_json::{Value, json};
    use tower::ServiceExt;

    use super::super::openapi;
    use super::*;
    use crate::app::fixtures::{PASSWORD, operator, timed_app};
    use crate::app::lockout::FAILURES_MAX;
    use crate::app::setup::ensure_setup_code;
    use crate::app::snapshot;
    use crate::domain::operator::Role;
    use crate::domain::session::RACE_SECONDS;

    const EMAIL: &str = "grace@example.com";
    const PEER: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1)), 4711);
    const HOST: (&str, &str) = ("host", "admin.example:8080");
    const JSON: (&str, &str) = ("content-type", "application/json");

    struct Answer {
        status: u16,
        headers: HeaderMap,
        body: Value,
    }

    impl Answer {
        fn code(&self) -> (u16, &str) {
            (self.status, self.body["code"].as_str().unwrap_or_default())
        }

        fn header(&self, name: &str) -> &str {
            self.headers.get(name).map_or("", |value| value.to_str().unwrap())
        }

        /// What a browser would send back.
        fn cookie(&self) -> String {
            self.header("set-cookie").split(';').next().unwrap().to_owned()
        }
    }

    async fn send(app: &Arc<App>, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        let mut request = Request::builder().method(method).uri(path).extension(PeerAddress(PEER));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Body::from(body.to_owned())).unwrap();
        let response = routes::<()>(Arc::clone(app)).oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        let body = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
        let answer = Answer { status: parts.status.as_u16(), headers: parts.headers, body };
        assert_described(method, path, &answer);
        answer
    }

    /// Statuses and codes are those of `/openapi.json`.
    #[track_caller]
    fn assert_described(method: &str, path: &str, answer: &Answer) {
        let document: Value = serde_json::from_str(&openapi::document()).unwrap();
        let operation = &document["paths"][path][method.to_lowercase()];
        let described = &operation["responses"][answer.status.to_string()]["description"];
        let (status, code) = answer.code();
        assert!(
            operation.is_null() || described.as_str().is_some_and(|said| said.contains(code)),
            "{path}: {status} {code}"
        );
    }

    fn credentials(password: &str) -> String {
        json!({"email": EMAIL, "password": password}).to_string()
    }

    async fn signed_in(app: &Arc<App>) -> Answer {
        let answer = send(app, "POST", "/api/session", &[HOST, JSON], &credentials(PASSWORD)).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        answer
    }

    async fn is_believed(app: &App, answer: &Answer) -> bool {
        let token = answer.body["access_token"].as_str().unwrap();
        authenticate(app, token, None, "req").await.is_ok()
    }

    #[tokio::test]
    async fn signing_in_answers_with_a_bearer_and_a_cookie_that_no_script_reads() {
        let (app, _clock, _folder) = timed_app().await;
        let grace = operator(&app, EMAIL, Role::Manager).await;
        let app = Arc::new(app);
        let answer = signed_in(&app).await;
        assert_eq!(answer.body["token_type"], "Bearer");
        assert_eq!(answer.body["expires_in"], 900);
        let expected = json!({"id": grace.id.to_string(), "email": EMAIL, "name": "Grace", "role": "MANAGER"});
        assert_eq!(answer.body["operator"], expected);
        assert!(is_believed(&app, &answer).await);
        assert_eq!(answer.header("cache-control"), "no-store");
        let cookie = answer.header("set-cookie");
        assert!(cookie.starts_with("rt_refresh=rt_r_"), "{cookie}");
        let rest = "; Path=/api/session; HttpOnly; SameSite=Strict; Max-Age=1209600; Secure";
        assert!(cookie.ends_with(rest), "{cookie}");
    }

    #[tokio::test]
    async fn without_https_the_cookie_is_not_secure() {
        let (mut app, _clock, _folder) = timed_app().await;
        app.options.public_url = "http://localhost:8080".parse().unwrap();
        operator(&app, EMAIL, Role::Manager).await;
        assert!(!signed_in(&Arc::new(app)).await.header("set-cookie").contains("Secure"));
    }

    #[tokio::test]
    async fn a_refresh_rotates_the_cookie_and_its_reuse_ends_the_session() {
        let (app, clock, _folder) = timed_app().await;
        operator(&app, EMAIL, Role::Manager).await;
        let app = Arc::new(app);
        let first = signed_in(&app).await;
        let with = |cookie: String| {
            let app = Arc::clone(&app);
            async move { send(&app, "POST", "/api/session/refresh", &[HOST, ("cookie", &cookie)], "").await }
        };
        let second = with(format!("theme=dark; {}", first.cookie())).await;
        assert_eq!(second.status, 200, "{}", second.body);
        assert_ne!(second.cookie(), first.cookie());
        assert!(is_believed(&app, &second).await);
        let race = with(first.cookie()).await;
        assert_eq!((race.code(), race.header("set-cookie")), ((409, "refresh_race"), ""));
        clock.advance_seconds(RACE_SECONDS);
        let reused = with(first.cookie()).await;
        assert_eq!(reused.code(), (401, "session_ended"));
        assert!(reused.header("set-cookie").starts_with("rt_refresh=; Path=/api/session;"));
        assert_eq!(with(second.cookie()).await.code(), (401, "session_ended"));
        assert!(!is_believed(&app, &second).await);
        assert_eq!(with("rt_refresh=rt_r_made_up".to_owned()).await.code(), (401, "not_signed_in"));
        assert_eq!(send(&app, "POST", "/api/session/refresh", &[HOST], "").await.code(), (401, "not_signed_in"));
    }

    #[tokio::test]
    async fn signing_out_works_by_cookie_by_bearer_and_twice() {
        let (app, _clock, _folder) = timed_app().await;
        operator(&app, EMAIL, Role::Manager).await;
        let app = Arc::new(app);
        let (one, two) = (signed_in(&app).await, signed_in(&app).await);
        let bearer = format!("Bearer {}", two.body["access_token"].as_str().unwrap());
        for headers in [&[HOST, ("cookie", &one.cookie())][..], &[HOST, ("authorization", &bearer)], &[HOST]] {
            for _ in 0..2 {
                let answer = send(&app, "DELETE", "/api/session", headers, "").await;
                assert_eq!((answer.status, answer.header("cache-control")), (204, "no-store"));
                assert!(answer.header("set-cookie").contains("Max-Age=0"));
            }
        }
        assert!(!is_believed(&app, &one).await && !is_believed(&app, &two).await);
    }

    #[tokio::test]
    async fn wrong_passwords_are_401_and_then_429_with_a_time() {
        let (app, _clock, _folder) = timed_app().await;
        operator(&app, EMAIL, Role::Manager).await;
        let app = Arc::new(app);
        for _ in 0..FAILURES_MAX {
            let answer = send(&app, "POST", "/api/session", &[HOST, JSON], &credentials("wrong horse battery")).await;
            assert_eq!(answer.code(), (401, "wrong_credentials"));
        }
        let answer = send(&app, "POST", "/api/session", &[HOST, JSON], &credentials(PASSWORD)).await;
        assert_eq!((answer.code(), answer.header("retry-after")), ((429, "locked"), "900"));
        assert_eq!((&answer.body["ok"], answer.header("cache-control")), (&json!(false), "no-store"));
    }

    #[tokio::test]
    async fn a_page_of_another_origin_is_refused() {
        let (app, _clock, _folder) = timed_app().await;
        operator(&app, EMAIL, Role::Manager).await;
        let app = Arc::new(app);
        let cookie = signed_in(&app).await.cookie();
        let body = credentials(PASSWORD);
        for (origin, good) in [
            ("http://admin.example:8080", true),
            ("https://admin.example:8080", true),
            ("https://track.example", true),
            ("https://track.example:443", true),
            ("https://admin.example", false),
            ("http://track.example", false),
            ("https://evil.example", false),
            ("https://admin.example:8080.evil.example", false),
            ("ftp://admin.example:8080", false),
            ("null", false),
            ("", false),
        ] {
            let from = ("origin", origin);
            let answer = send(&app, "POST", "/api/session", &[HOST, JSON, from], &body).await;
            assert_eq!(answer.status == 200, good, "{origin}: {}", answer.body);
            assert_eq!(answer.status == 403, !good, "{origin}: {}", answer.body);
        }
        let evil = [HOST, JSON, ("origin", "https://evil.example"), ("cookie", &cookie)];
        for (method, path) in [
            ("POST", "/api/session/refresh"),
            ("DELETE", "/api/session"),
            ("POST", "/api/setup"),
            ("POST", "/api/invite"),
        ] {
            assert_eq!(send(&app, method, path, &evil, "{}").await.code(), (403, "origin_not_allowed"), "{path}");
        }
    }

    #[tokio::test]
    async fn what_is_no_json_of_ours_is_refused_and_not_repeated() {
        let (app, _clock, _folder) = timed_app().await;
        let app = Arc::new(app);
        let long = format!("{{\"email\":\"{}\"}}", "a".repeat(BODY_BYTES_MAX));
        for (headers, body, code) in [
            (&[HOST][..], "{}", (415, "unsupported_media_type")),
            (&[HOST, ("content-type", "text/plain")], "{}", (415, "unsupported_media_type")),
            (&[HOST, JSON], "", (400, "bad_request")),
            (&[HOST, JSON], "{\"email\":\"canary\"}", (400, "bad_request")),
            (&[HOST, JSON], "{\"email\":\"a@b\",\"password\":[\"canary\"]}", (400, "bad_request")),
            (&[HOST, JSON], long.as_str(), (413, "body_too_large")),
        ] {
            let answer = send(&app, "POST", "/api/session", headers, body).await;
            assert_eq!(answer.code(), code, "{body}");
            assert!(!answer.body.to_string().contains("canary"));
        }
        assert_eq!(send(&app, "GET", "/api/session", &[HOST], "").await.status, 405);
    }

    #[tokio::test]
    async fn the_first_run_makes_an_administrator_who_is_signed_in() {
        let (app, _clock, _folder) = timed_app().await;
        let app = Arc::new(app);
        let code = ensure_setup_code(&app).await.unwrap().unwrap();
        let body = |code: &str, password: &str| {
            json!({"code": code, "email": EMAIL, "name": "Grace", "password": password}).to_string()
        };
        let wrong = send(&app, "POST", "/api/setup", &[HOST, JSON], &body("0000", PASSWORD)).await;
        assert_eq!(wrong.code(), (401, "wrong_setup_code"));
        let weak = send(&app, "POST", "/api/setup", &[HOST, JSON], &body(code.reveal(), "short")).await;
        assert_eq!((weak.code(), &weak.body["errors"][0]["field"]), ((400, "invalid"), &json!("password")));
        let done = send(&app, "POST", "/api/setup", &[HOST, JSON], &body(code.reveal(), PASSWORD)).await;
        assert_eq!((done.status, &done.body["operator"]["role"]), (200, &json!("ADMIN")), "{}", done.body);
        assert!(is_believed(&app, &done).await && done.cookie().starts_with("rt_refresh=rt_r_"));
        let again = send(&app, "POST", "/api/setup", &[HOST, JSON], &body(code.reveal(), PASSWORD)).await;
        assert_eq!(again.code(), (409, "setup_done"));
    }

    #[tokio::test]
    async fn a_database_that_is_away_is_503_and_no_wrong_password() {
        let (app, _clock, _folder) = timed_app().await;
        operator(&app, EMAIL, Role::Manager).await;
        snapshot::refresh(&app).await.unwrap();
        app.database.close().await;
        let app = Arc::new(app);
        for _ in 0..=FAILURES_MAX {
            let answer = send(&app, "POST", "/api/session", &[HOST, JSON], &credentials(PASSWORD)).await;
            assert_eq!((answer.code(), answer.header("retry-after")), ((503, "try_again"), "2"), "{}", answer.body);
        }
    }
}
