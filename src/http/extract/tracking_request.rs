//! A tracking request: its parameters from query, body and headers, and how it reached us.
//!
//! Reading does not refuse: a body that cannot be read becomes a problem of the request, so that its token is still
//! looked at and whoever holds one is told what is wrong and finds the receipt. What would go wrong otherwise: a
//! sender that posts XML would see a 415 and nobody else would ever know.

use std::borrow::Cow;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use axum::BoxError;
use axum::body::{Body, Bytes, HttpBody};
use axum::extract::Request;
use axum::http::request::Parts;
use axum::http::{Extensions, HeaderMap, HeaderValue, Method, header};
use url::{Origin, Url};

use super::body::{BODY_BYTES_MAX, BodyProblem, read_body};
use super::client_address::client_address;
use crate::domain::code::Code;
use crate::domain::inbound::{Door, Inbound, Pairs, Problem, is_printable_ascii, read};
use crate::domain::receipt::Arrival;
use crate::http::accept::PeerAddress;
use crate::http::state::HttpState;

/// Characters of the `Host` header and of a referrer's origin that are kept.
const HOST_CHARACTERS_MAX: usize = 255;
/// Characters of the `User-Agent` header that are kept.
const USER_AGENT_CHARACTERS_MAX: usize = 1024;
/// Characters of the path that are kept.
const PATH_CHARACTERS_MAX: usize = 255;

/// One request, its parameters not yet read as any door's.
pub(crate) struct TrackingRequest {
    pub(crate) parts: Parts,
    peer: SocketAddr,
    pub(crate) pairs: Pairs,
    problem: Option<Problem>,
}

impl TrackingRequest {
    /// Takes the parameters together. The body is read where the method has one.
    pub(crate) async fn read(request: Request, body_timeout: Duration) -> Self {
        let peer = PeerAddress(peer_of(request.extensions()));
        Self::of(request, peer, body_timeout).await
    }

    /// As [`Self::read`], for whoever knows the peer.
    pub(crate) async fn of<B>(request: axum::http::Request<B>, peer: PeerAddress, body_timeout: Duration) -> Self
    where
        B: HttpBody<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
    {
        let (parts, body) = request.into_parts();
        let mut pairs = Pairs::from_query(parts.uri.query().unwrap_or_default().as_bytes());
        add_token_headers(&mut pairs, &parts.headers);
        let problem = if parts.method == Method::POST {
            Box::pin(add_body(&mut pairs, &parts.headers, Body::new(body), body_timeout)).await.err()
        } else {
            None
        };
        Self { parts, peer: peer.0, pairs, problem }
    }

    /// The body's problem, when it has one.
    pub(crate) fn body_problem(&self) -> Option<Code> {
        self.problem.as_ref().map(|problem| problem.code)
    }

    /// Reads the parameters as `door` understands them.
    pub(crate) fn at(self, door: Door, state: &HttpState) -> (Parts, Box<Inbound>, Arrival) {
        let arrival = arrival(door, &self.parts, self.peer, state);
        let mut inbound = Box::new(read(door, self.pairs));
        // A body that is not there is worse than anything in the query.
        if let Some(problem) = self.problem {
            inbound.unreadable = Some(problem);
        }
        (self.parts, inbound, arrival)
    }
}

/// The host that the client meant: of an absolute target, else of the `Host` header.
pub(crate) fn host_of(parts: &Parts) -> &str {
    let named = parts.headers.get(header::HOST).and_then(|host| host.to_str().ok());
    parts.uri.authority().map(|authority| authority.as_str()).or(named).unwrap_or_default()
}

fn arrival(door: Door, parts: &Parts, peer: SocketAddr, state: &HttpState) -> Arrival {
    let headers = &parts.headers;
    let user_agent = text(headers, header::USER_AGENT, USER_AGENT_CHARACTERS_MAX);
    let is_click = door == Door::Click;
    // Where a visitor came from, and whether he is one, is kept of clicks only.
    let visitor = user_agent.as_deref().filter(|_| is_click);
    let referrer = headers.get(header::REFERER).filter(|_| is_click);
    Arrival {
        at: state.app.clock.now(),
        method: parts.method.as_str().to_owned(),
        host: cut(host_of(parts), HOST_CHARACTERS_MAX).to_owned(),
        path: cut(parts.uri.path(), PATH_CHARACTERS_MAX).to_owned(),
        address: client_address(peer, headers, &state.trusted_proxies),
        is_bot: visitor.is_some_and(|agent| state.bots.is_bot(agent)),
        referrer_origin: referrer.and_then(|value| origin_of(readable(value).trim())),
        user_agent,
        request_id: state.request_ids.next(),
    }
}

/// The client's address, of a request that came through the router.
pub(crate) fn address_of(parts: &Parts, state: &HttpState) -> IpAddr {
    client_address(peer_of(&parts.extensions), &parts.headers, &state.trusted_proxies)
}

/// The unspecified one where no socket is behind the request, as in some tests.
fn peer_of(extensions: &Extensions) -> SocketAddr {
    let unknown = SocketAddr::from(([0, 0, 0, 0], 0));
    extensions.get::<PeerAddress>().map_or(unknown, |peer| peer.0)
}

fn text(headers: &HeaderMap, name: header::HeaderName, characters_max: usize) -> Option<String> {
    let text = readable(headers.get(name)?);
    Some(cut(text.trim(), characters_max).to_owned()).filter(|text| !text.is_empty())
}

/// What is not UTF-8 is replaced, and a control character left out: it goes into a column of text.
fn readable(value: &HeaderValue) -> Cow<'_, str> {
    match str::from_utf8(value.as_bytes()) {
        Ok(text) if is_printable_ascii(text.as_bytes()) => Cow::Borrowed(text),
        Ok(_) | Err(_) => {
            Cow::Owned(String::from_utf8_lossy(value.as_bytes()).chars().filter(|c| !c.is_control()).collect())
        }
    }
}

fn cut(text: &str, characters_max: usize) -> &str {
    // A character has a byte at least.
    if text.len() <= characters_max {
        return text;
    }
    text.char_indices().nth(characters_max).map_or(text, |(end, _)| &text[..end])
}

/// Scheme and host only: the path of a referrer is nobody's business.
fn origin_of(referrer: &str) -> Option<String> {
    match Url::parse(referrer).ok()?.origin() {
        origin @ Origin::Tuple(..) => Some(cut(&origin.ascii_serialization(), HOST_CHARACTERS_MAX).to_owned()),
        Origin::Opaque(_) => None,
    }
}

fn add_token_headers(pairs: &mut Pairs, headers: &HeaderMap) {
    for value in headers.get_all("x-secure-token") {
        pairs.add_token_header(value.as_bytes());
    }
    for value in headers.get_all(header::AUTHORIZATION) {
        if let Some(token) = bearer(value.as_bytes()) {
            pairs.add_token_header(token);
        }
    }
}

/// What follows `Bearer`; another scheme is none of ours.
fn bearer(value: &[u8]) -> Option<&[u8]> {
    let (scheme, rest) = value.split_at_checked(6)?;
    let separated = rest.is_empty() || rest.starts_with(b" ");
    (scheme.eq_ignore_ascii_case(b"bearer") && separated).then(|| rest.trim_ascii())
}

async fn add_body(pairs: &mut Pairs, headers: &HeaderMap, body: Body, limit: Duration) -> Result<(), Problem> {
    let bytes = read_body(body, BODY_BYTES_MAX, limit).await.map_err(of_body)?;
    match Media::of(headers) {
        _ if bytes.is_empty() => {}
        Media::Form => pairs.add_form(&bytes),
        Media::Json => pairs.add_json(&bytes).map_err(|problem| unreadable(problem.code(), problem.to_string()))?,
        Media::Other => {
            let detail = "The body is neither application/x-www-form-urlencoded nor application/json.";
            return Err(unreadable(Code::UnsupportedMediaType, detail.to_owned()));
        }
    }
    Ok(())
}

fn of_body(problem: BodyProblem) -> Problem {
    match problem {
        BodyProblem::TooLarge => {
            unreadable(Code::BodyTooLarge, format!("The body has more than {BODY_BYTES_MAX} bytes."))
        }
        BodyProblem::TooSlow => unreadable(Code::TryAgain, "The body did not arrive in time.".to_owned()),
        BodyProblem::Broken => unreadable(Code::InvalidEncoding, "The body broke off.".to_owned()),
    }
}

fn unreadable(code: Code, detail: String) -> Problem {
    Problem { code, field: "", received: None, detail }
}

enum Media {
    Form,
    Json,
    Other,
}

impl Media {
    fn of(headers: &HeaderMap) -> Self {
        let value = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let essence = value.split(';').next().unwrap_or_default().trim();
        if essence.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
            Self::Form
        } else if essence.eq_ignore_ascii_case("application/json") {
            Self::Json
        } else {
            Self::Other
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_bearer_is_a_token() {
        assert_eq!(bearer(b"Bearer abc"), Some(b"abc".as_slice()));
        assert_eq!(bearer(b"bearer   abc "), Some(b"abc".as_slice()));
        assert_eq!(bearer(b"Bearer"), Some(b"".as_slice()));
        for other in [b"Basic abc".as_slice(), b"Bearerabc", b"", b"Bear"] {
            assert_eq!(bearer(other), None);
        }
    }

    #[test]
    fn a_header_is_cut_at_a_character_and_loses_what_is_no_text() {
        let read = |bytes: &[u8], max| {
            let value = HeaderValue::from_bytes(bytes).unwrap();
            text(&HeaderMap::from_iter([(header::USER_AGENT, value)]), header::USER_AGENT, max)
        };
        for (bytes, max, expected) in [
            (b"agent/1".as_slice(), 7, Some("agent/1")),
            (b"agent/1", 6, Some("agent/")),
            (b" agent\t/1 ", 20, Some("agent/1")),
            ("a\u{e9}\u{e9}".as_bytes(), 2, Some("a\u{e9}")),
            (b"a\xff", 2, Some("a\u{fffd}")),
            (b" ", 2, None),
        ] {
            assert_eq!(read(bytes, max).as_deref(), expected, "{}", bytes.escape_ascii());
        }
    }

    #[test]
    fn of_a_referrer_only_the_origin_is_kept() {
        assert_eq!(
            origin_of("https://News.Example:8443/a?mail=ann@x.example#z").as_deref(),
            Some("https://news.example:8443")
        );
        assert_eq!(origin_of("https://user:secret@news.example/").as_deref(), Some("https://news.example"));
        for nothing in ["", "/a", "about:blank", "data:text/plain,x"] {
            assert_eq!(origin_of(nothing), None, "{nothing}");
        }
    }
}
