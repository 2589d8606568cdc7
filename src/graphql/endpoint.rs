//! The endpoint of the admin API: method, headers and bytes in, status, headers and bytes out.
//!
//! async-graphql's own HTTP handler is not used: it runs mutations sent by GET, takes any content type as JSON,
//! accepts uploads, and answers 200 to everything. This one knows no web framework, so that `http` mounts it in
//! a few lines and a test needs no socket. In this order it refuses: another method, another content type, a
//! large body, an `Accept` that it cannot meet, a caller whom it does not believe, and only then reads what was
//! sent. No cookie is looked at: a page on another origin cannot lend this API a session.
//!
//! A mutation runs in a task of its own that is waited for. If the caller hangs up, the wait ends and the task
//! does not: no transaction is left open in a future that was dropped. [`Endpoint::drained`] waits for these
//! tasks when the server stops.
//!
//! Statuses and media types: GraphQL over HTTP (draft of 2025), and the audits of the `graphql-http` suite.

use std::{
    any::Any, borrow::Cow, cmp::Ordering, collections::BTreeMap, future::Future, net::IpAddr, panic::AssertUnwindSafe,
    sync::Arc, time::Duration,
};

use async_graphql::{
    Name, ObjectType, PathSegment, Request, Response, Schema, ServerError, SubscriptionType, Value, Variables,
    indexmap::IndexMap, parser::types::OperationType,
};
use futures_util::{FutureExt, future::BoxFuture, stream::BoxStream};
use serde::{Deserialize, Serialize, de::IgnoredAny};
use tokio::sync::Semaphore;
use tracing::Instrument;

use super::{
    document::{self, Measured},
    error::{self, Code, INTERNAL_MESSAGE, Refusal},
};
use crate::{
    app::point_budget::Allowance,
    domain::{
        clock::Timestamp,
        operator::{AuthRefused, Principal},
    },
};

/// Bytes of a body: 64 KiB. Whoever reads the body may stop one byte later and hand over what there is.
pub const BODY_BYTES_MAX: usize = 64 * 1024;
/// How long an answer may take.
pub const ANSWER_SECONDS_MAX: u64 = 10;
/// Mutations at work at a time; the next ones wait their turn.
pub const MUTATIONS_MAX: u32 = 64;
/// Points of a request that cannot be read.
const UNREADABLE_COST: u32 = 1;
/// Errors of one answer; a document or a page can be wrong in more places than anybody reads.
const ERRORS_MAX: usize = 100;

/// Believes a bearer, or says why not.
pub trait Authenticator: Send + Sync {
    /// `bearer` is what followed `Bearer ` in the header. The principal carries `address` and `request_id` on.
    ///
    /// # Errors
    /// The reason, for the caller; [`AuthRefused::Unavailable`] when it is our failure.
    fn authenticate<'a>(
        &'a self,
        bearer: &'a str,
        address: Option<IpAddr>,
        request_id: &'a str,
    ) -> BoxFuture<'a, Result<Principal, AuthRefused>>;

    /// Takes `cost` points from what the principal may spend in a minute.
    ///
    /// # Errors
    /// There is not so much left.
    fn spend(&self, principal: &Principal, cost: u32) -> Result<Allowance, Spent>;

    /// Another number whenever what [`Self::authenticate`] says may have changed, but for time that passed.
    fn version(&self) -> i64;
}

/// A principal has spent what a minute has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spent {
    pub allowance: Allowance,
    pub now: Timestamp,
}

impl Spent {
    /// Seconds until the minute is over, at least 1.
    fn retry_after_seconds(self) -> u64 {
        let millis = u64::try_from(self.allowance.resets_at.millis_since(self.now)).unwrap_or(0);
        millis.div_ceil(1000).max(1)
    }
}

/// One HTTP request.
#[derive(Clone, Copy)]
pub struct Call<'a> {
    pub method: &'a str,
    /// Names in any case; a header that came twice is there twice.
    pub headers: &'a [(&'a str, &'a [u8])],
    pub body: &'a [u8],
    /// Of the client, as far as the proxies in between are trusted.
    pub address: Option<IpAddr>,
    /// Goes into the log and into answers that are our fault.
    pub request_id: &'a str,
}

/// One HTTP answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    pub status: u16,
    pub headers: Vec<(&'static str, Cow<'static, str>)>,
    pub body: Vec<u8>,
}

/// The schema behind its door. Resolvers find the [`Principal`] in the request's data.
pub struct Endpoint {
    execute: Execute,
    subscribe: Subscribe,
    authenticator: Arc<dyn Authenticator>,
    mutations: Arc<Semaphore>,
    timeout: Duration,
}

type Execute = Arc<dyn Fn(Request) -> BoxFuture<'static, Response> + Send + Sync>;
type Subscribe = Arc<dyn Fn(Request) -> BoxStream<'static, Response> + Send + Sync>;

impl Endpoint {
    /// `schema` is to be built with [`document::limited`].
    #[must_use]
    pub fn new<Q, M, S>(schema: Schema<Q, M, S>, authenticator: Arc<dyn Authenticator>) -> Self
    where
        Q: ObjectType + 'static,
        M: ObjectType + 'static,
        S: SubscriptionType + 'static,
    {
        let followed = schema.clone();
        let subscribe: Subscribe = Arc::new(move |request| followed.execute_stream(request));
        let execute: Execute = Arc::new(move |request| {
            let schema = schema.clone();
            Box::pin(async move { schema.execute(request).await })
        });
        let permits = usize::try_from(MUTATIONS_MAX).unwrap_or(1);
        let timeout = Duration::from_secs(ANSWER_SECONDS_MAX);
        Self { execute, subscribe, authenticator, mutations: Arc::new(Semaphore::new(permits)), timeout }
    }

    /// Another time limit than [`ANSWER_SECONDS_MAX`].
    #[must_use]
    pub fn with_timeout(self, timeout: Duration) -> Self {
        Self { timeout, ..self }
    }

    /// Answers one request; every refusal and every failure is an answer too.
    pub async fn respond(&self, call: Call<'_>) -> Reply {
        let media = Media::negotiated(&call).unwrap_or(Media::Json);
        match self.answer(&call, media).await {
            Ok(reply) => reply,
            Err(refused) => refused.into_reply(media, call.request_id),
        }
    }

    /// Waits until no mutation is at work. For the end: mutations that come later wait behind it.
    pub async fn drained(&self) {
        // An error means that the semaphore was closed, which nothing does, and then nothing is at work.
        drop(self.mutations.acquire_many(MUTATIONS_MAX).await);
    }

    /// Begins the subscription that `parameters` ask for, in the words of GraphQL over HTTP; for the socket.
    ///
    /// # Errors
    /// Nothing is begun: what is wrong with the parameters.
    pub(super) fn subscribe(
        &self,
        parameters: &[u8],
        principal: Principal,
    ) -> Result<BoxStream<'static, Response>, Refusal> {
        let read = read(parameters);
        let allowance = self.authenticator.spend(&principal, points(&read)).map_err(|out| spent(out).refusal)?;
        let (request, kind, _) = read.map_err(|refused| refused.refusal)?;
        match kind {
            OperationType::Subscription => Ok((self.subscribe)(request.data(principal).data(allowance))),
            OperationType::Query | OperationType::Mutation => {
                let text = "The socket is for subscriptions: send queries and mutations by POST to /graphql";
                Err(Refusal::new(Code::GraphqlValidationFailed, text))
            }
        }
    }

    async fn answer(&self, call: &Call<'_>, media: Media) -> Result<Reply, Refused> {
        check_envelope(call)?;
        let principal = self.believe(call).await?;
        let read = read(call.body);
        let allowance = self.authenticator.spend(&principal, points(&read)).map_err(spent)?;
        let run = async {
            let (request, kind, _) = read?;
            if kind == OperationType::Subscription {
                let text = "Subscriptions are not answered here: use the socket of graphql-transport-ws at /graphql/ws";
                return Err(Refusal::new(Code::GraphqlValidationFailed, text).into());
            }
            let response = self.run(request.data(principal).data(allowance), kind, call.request_id).await?;
            print(response, media, allowance, call.request_id)
        };
        run.await.map_err(|refused: Refused| refused.costing(allowance))
    }

    async fn believe(&self, call: &Call<'_>) -> Result<Principal, Refused> {
        let bearer = bearer(call)?;
        let believed = self.authenticator.authenticate(bearer, call.address, call.request_id).await;
        believed.map_err(|refused| not_believed(&refused, call.request_id))
    }

    async fn run(&self, request: Request, kind: OperationType, request_id: &str) -> Result<Response, Refused> {
        let work = (self.execute)(request);
        let done = async {
            match kind {
                OperationType::Mutation => self.run_to_the_end(work).await,
                OperationType::Query | OperationType::Subscription => guarded(work).await,
            }
        };
        match tokio::time::timeout(self.timeout, done).await {
            Ok(Ok(response)) => Ok(response),
            Ok(Err(panic)) => Err(panicked(&panic, request_id)),
            Err(_) => Err(too_slow(kind)),
        }
    }

    /// Runs `work` whether or not somebody still waits for it.
    async fn run_to_the_end(&self, work: BoxFuture<'static, Response>) -> Result<Response, Panic> {
        let permit = Arc::clone(&self.mutations).acquire_owned().await;
        let task = async move {
            let response = guarded(work).await;
            drop(permit);
            response
        };
        #[expect(
            clippy::disallowed_methods,
            reason = "the task is awaited on the next line, and by `drained` when the caller has gone"
        )]
        let task = tokio::spawn(task.in_current_span());
        task.await.unwrap_or_else(|error| Err(Panic(error.to_string())))
    }
}

/// What a panic said. For the log only.
struct Panic(String);

async fn guarded(work: impl Future<Output = Response>) -> Result<Response, Panic> {
    AssertUnwindSafe(work).catch_unwind().await.map_err(|payload| Panic(panic_text(payload.as_ref())))
}

fn panic_text(payload: &(dyn Any + Send)) -> String {
    let borrowed = payload.downcast_ref::<&str>().map(|text| (*text).to_owned());
    borrowed.or_else(|| payload.downcast_ref::<String>().cloned()).unwrap_or_else(|| "no text".to_owned())
}

fn panicked(panic: &Panic, request_id: &str) -> Refused {
    tracing::error!(request_id, error = %panic.0, "a resolver panicked");
    Refused::of_request(Refusal::new(Code::Internal, INTERNAL_MESSAGE))
}

fn too_slow(kind: OperationType) -> Refused {
    let advice = match kind {
        OperationType::Mutation => "it may still be done: send it again with the same idempotencyKey",
        OperationType::Query | OperationType::Subscription => "ask for less, or for a shorter time",
    };
    Refused::of_request(Refusal::new(Code::Timeout, format!("This took too long; {advice}")))
}

/// A request that gets no data, and how HTTP says so.
struct Refused {
    status: Status,
    header: Option<(&'static str, Cow<'static, str>)>,
    refusal: Refusal,
    /// None before anybody is believed.
    allowance: Option<Box<Allowance>>,
}

enum Status {
    /// The request never was a GraphQL request.
    Http(u16),
    /// It was: the code and the media type decide.
    OfRequest,
}

impl Refused {
    fn http(status: u16, code: Code, message: impl Into<String>) -> Self {
        Self { status: Status::Http(status), header: None, refusal: Refusal::new(code, message), allowance: None }
    }

    fn of_request(refusal: Refusal) -> Self {
        Self { status: Status::OfRequest, header: None, refusal, allowance: None }
    }

    fn with_header(self, name: &'static str, value: impl Into<Cow<'static, str>>) -> Self {
        Self { header: Some((name, value.into())), ..self }
    }

    fn costing(self, allowance: Allowance) -> Self {
        Self { allowance: Some(Box::new(allowance)), ..self }
    }

    fn into_reply(self, media: Media, request_id: &str) -> Reply {
        let status = match self.status {
            Status::Http(status) => status,
            Status::OfRequest => media.status_of_request_error(self.refusal.code),
        };
        let errors = [self.refusal.into_error(request_id)];
        let extensions = self.allowance.map(|allowance| Extensions::of(*allowance));
        let body = Body { errors: &errors, data: None, extensions };
        // Text and two numbers print always; if not, the status still says it.
        let mut reply = media.reply(status, serde_json::to_vec(&body).unwrap_or_default());
        reply.headers.extend(self.header);
        reply
    }
}

impl From<Refusal> for Refused {
    fn from(refusal: Refusal) -> Self {
        Self::of_request(refusal)
    }
}

/// What a request costs. One that cannot be read costs something too: else a flood of it would be free.
fn points(read: &Result<(Request, OperationType, usize), Refused>) -> u32 {
    let cost = read.as_ref().map_or(UNREADABLE_COST, |(_, _, cost)| u32::try_from(*cost).unwrap_or(u32::MAX));
    cost.max(1)
}

fn spent(spent: Spent) -> Refused {
    let seconds = spent.retry_after_seconds();
    let Allowance { limit, cost, .. } = spent.allowance;
    let text = format!("This costs {cost} points, and the {limit} of a minute are spent: try again in {seconds} s");
    let refused = Refused::http(429, Code::RateLimited, text).with_header("retry-after", seconds.to_string());
    refused.costing(spent.allowance)
}

fn check_envelope(call: &Call<'_>) -> Result<(), Refused> {
    if call.method != "POST" {
        let refused = Refused::http(405, Code::BadRequest, "Send GraphQL by POST");
        return Err(refused.with_header("allow", "POST"));
    }
    if !is_json(call) {
        return Err(Refused::http(415, Code::BadRequest, "Send Content-Type: application/json, in UTF-8"));
    }
    if call.body.len() > BODY_BYTES_MAX {
        return Err(Refused::http(413, Code::BadRequest, format!("The body may have {BODY_BYTES_MAX} bytes")));
    }
    if Media::negotiated(call).is_none() {
        let text = "Only application/graphql-response+json and application/json are sent";
        return Err(Refused::http(406, Code::BadRequest, text));
    }
    Ok(())
}

/// All values of a header, in order.
fn values<'a>(call: &Call<'a>, name: &'a str) -> impl Iterator<Item = &'a [u8]> {
    call.headers.iter().filter(move |(own, _)| own.eq_ignore_ascii_case(name)).map(|(_, value)| *value)
}

/// The value of a header that may come once; `None` when it is not there, came twice, or is not text.
fn only_value<'a>(call: &Call<'a>, name: &'a str) -> Option<&'a str> {
    let mut all = values(call, name);
    let value = all.next().filter(|_| all.next().is_none())?;
    std::str::from_utf8(value).ok()
}

fn is_json(call: &Call<'_>) -> bool {
    let Some(value) = only_value(call, "content-type") else { return false };
    let mut parts = value.split(';').map(str::trim);
    let essence = parts.next().unwrap_or_default();
    essence.eq_ignore_ascii_case("application/json") && parts.all(|parameter| !is_other_charset(parameter))
}

fn is_other_charset(parameter: &str) -> bool {
    let Some((name, value)) = parameter.split_once('=') else { return false };
    let utf8 = ["utf-8", "utf8"].iter().any(|known| value.trim().trim_matches('"').eq_ignore_ascii_case(known));
    name.trim().eq_ignore_ascii_case("charset") && !utf8
}

fn bearer<'a>(call: &Call<'a>) -> Result<&'a str, Refused> {
    let token = only_value(call, "authorization").and_then(|value| {
        let (scheme, token) = value.split_once(' ')?;
        Some(token.trim()).filter(|token| scheme.eq_ignore_ascii_case("bearer") && !token.is_empty())
    });
    token.ok_or_else(|| {
        unauthenticated("Sign in: send Authorization: Bearer with an access token or an API key", "Bearer")
    })
}

/// 401 in the words of RFC 6750, section 3.
fn unauthenticated(message: impl Into<String>, challenge: &'static str) -> Refused {
    Refused::http(401, Code::Unauthenticated, message).with_header("www-authenticate", challenge)
}

fn not_believed(refused: &AuthRefused, request_id: &str) -> Refused {
    match refused {
        AuthRefused::Invalid | AuthRefused::Expired | AuthRefused::Withdrawn => {
            unauthenticated(refused.to_string(), "Bearer error=\"invalid_token\"")
        }
        AuthRefused::Unavailable(fault) => {
            tracing::error!(request_id, error = %fault, "a bearer could not be checked");
            Refused::http(503, Code::Internal, INTERNAL_MESSAGE)
        }
    }
}

/// The body, in the words of GraphQL over HTTP. A field of another type is refused; an unknown field is not.
#[derive(Deserialize)]
struct Parameters<'a> {
    #[serde(borrow)]
    query: Cow<'a, str>,
    #[serde(rename = "operationName")]
    operation_name: Option<String>,
    #[serde(default)]
    variables: Variables,
    /// Nothing is read from it; it has to be an object all the same.
    #[serde(rename = "extensions")]
    _extensions: Option<BTreeMap<String, IgnoredAny>>,
}

fn read(body: &[u8]) -> Result<(Request, OperationType, usize), Refused> {
    let parameters = read_parameters(body)?;
    document::measure_variables(&parameters.variables)?;
    let Measured { document, kind, cost } = document::measure(&parameters.query, parameters.operation_name.as_deref())?;
    // The text stays behind: what nobody has, nobody can log.
    let mut request = Request::new("").variables(parameters.variables);
    request.operation_name = parameters.operation_name;
    request.set_parsed_query(document);
    Ok((request, kind, cost))
}

fn read_parameters(body: &[u8]) -> Result<Parameters<'_>, Refused> {
    let bad = |text: String| Refused::http(400, Code::BadRequest, text);
    // serde would fill the fields from an array as well.
    if body.trim_ascii_start().first() != Some(&b'{') {
        return Err(bad("Send one JSON object with a query; batches are not taken".to_owned()));
    }
    serde_json::from_slice(body).map_err(|error| bad(format!("The body is not a GraphQL request: {error}")))
}

fn print(response: Response, media: Media, allowance: Allowance, request_id: &str) -> Result<Reply, Refused> {
    let Released { data, ran, errors, extensions: others, .. } = released(response, request_id);
    let status = match errors.first() {
        Some(first) if !ran => media.status_of_request_error(error::released_code(first)),
        Some(_) | None => 200,
    };
    let extensions = Extensions { others, ..Extensions::of(allowance) };
    let body = Body { errors: &errors, data: ran.then_some(&data), extensions: Some(extensions) };
    match serde_json::to_vec(&body) {
        Ok(body) => Ok(media.reply(status, body)),
        Err(fault) => {
            tracing::error!(request_id, error = %fault, "an answer could not be printed");
            Err(Refused::of_request(Refusal::new(Code::Internal, INTERNAL_MESSAGE)))
        }
    }
}

/// An answer fit to leave.
pub(super) struct Released {
    pub(super) data: Value,
    /// Something was resolved; if not, the data says nothing.
    ran: bool,
    /// All of it failed.
    pub(super) is_failure: bool,
    pub(super) errors: Vec<ServerError>,
    extensions: BTreeMap<String, Value>,
}

pub(super) fn released(mut response: Response, request_id: &str) -> Released {
    response.errors.truncate(ERRORS_MAX);
    let ran = has_run(&response);
    let is_failure = response.data == Value::Null && !response.errors.is_empty();
    for error in &response.errors {
        put_null(&mut response.data, &error.path);
    }
    let errors = response.errors.into_iter().map(|error| error::released(error, request_id)).collect();
    Released { data: response.data, ran, is_failure, errors, extensions: response.extensions }
}

/// Puts a null where a field failed. async-graphql 7.2 leaves such a field out, and makes an object null when it
/// leaves out all of it; GraphQL (October 2021, 6.4.4) wants the null, and clients that keep a cache miss the field.
/// The null goes no further up, whether or not the field is nullable: guarded fields are, and of the others the
/// error says enough.
fn put_null(data: &mut Value, path: &[PathSegment]) {
    let Some((first, rest)) = path.split_first() else { return };
    match first {
        PathSegment::Field(name) => {
            if *data == Value::Null {
                *data = Value::Object(IndexMap::new());
            }
            if let Value::Object(fields) = data {
                put_null(fields.entry(Name::new(name)).or_default(), rest);
            }
        }
        PathSegment::Index(index) => {
            if let Value::List(items) = data
                && let Some(item) = items.get_mut(*index)
            {
                put_null(item, rest);
            }
        }
    }
}

/// async-graphql says null both for a document that it refused and for a root that came to nothing; only the
/// errors of the latter have a path.
fn has_run(response: &Response) -> bool {
    response.data != Value::Null || response.errors.iter().any(|error| !error.path.is_empty())
}

/// The two media types of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Media {
    /// `application/json`: for clients that read the status of a well-formed request as 200, whatever it says.
    Json,
    /// `application/graphql-response+json`: the status tells whether anything ran.
    GraphqlResponse,
}

impl Media {
    /// What `Accept` asks for; `application/json` when it does not say or takes anything. `None` when neither will do.
    fn negotiated(call: &Call<'_>) -> Option<Self> {
        let mut ranges = Vec::new();
        for value in values(call, "accept") {
            ranges.extend(std::str::from_utf8(value).ok()?.split(',').map(str::trim).filter(|range| !range.is_empty()));
        }
        if ranges.is_empty() {
            return Some(Self::Json);
        }
        let (newer, json) = (Self::GraphqlResponse.weight(&ranges), Self::Json.weight(&ranges));
        match newer.thousandths.cmp(&json.thousandths) {
            Ordering::Equal if json.thousandths == 0 => None,
            Ordering::Equal if !newer.by_name => Some(Self::Json),
            Ordering::Less => Some(Self::Json),
            Ordering::Equal | Ordering::Greater => Some(Self::GraphqlResponse),
        }
    }

    /// How much the most specific range that covers this type wants it (RFC 9110, 12.5.1).
    fn weight(self, ranges: &[&str]) -> Weight {
        let of = |wanted: &str| ranges.iter().find_map(|range| weight_of(range, wanted));
        let by_name = of(self.essence());
        let thousandths = by_name.or_else(|| of("application/*")).or_else(|| of("*/*")).unwrap_or(0);
        Weight { thousandths, by_name: by_name.is_some() }
    }

    const fn essence(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::GraphqlResponse => "application/graphql-response+json",
        }
    }

    const fn content_type(self) -> &'static str {
        match self {
            Self::Json => "application/json; charset=utf-8",
            Self::GraphqlResponse => "application/graphql-response+json; charset=utf-8",
        }
    }

    const fn status_of_request_error(self, code: Code) -> u16 {
        match code {
            Code::Internal => 500,
            Code::Timeout => 504,
            Code::RateLimited => 429,
            Code::Unauthenticated => 401,
            Code::Forbidden => 403,
            Code::BadRequest => 400,
            Code::GraphqlParseFailed | Code::GraphqlValidationFailed | Code::BadUserInput | Code::QueryTooComplex => {
                match self {
                    Self::Json => 200,
                    Self::GraphqlResponse => 400,
                }
            }
        }
    }

    fn reply(self, status: u16, body: Vec<u8>) -> Reply {
        let headers = vec![("content-type", self.content_type().into()), ("cache-control", "no-store".into())];
        Reply { status, headers, body }
    }
}

#[derive(Clone, Copy)]
struct Weight {
    thousandths: u16,
    by_name: bool,
}

/// The weight of `range` when it is exactly `wanted`; other parameters than `q` are not looked at.
fn weight_of(range: &str, wanted: &str) -> Option<u16> {
    let mut parts = range.split(';').map(str::trim);
    parts.next().filter(|essence| essence.eq_ignore_ascii_case(wanted))?;
    let weight = parts.find_map(|part| part.strip_prefix("q=").or_else(|| part.strip_prefix("Q=")));
    Some(weight.map_or(1000, thousandths))
}

/// `0.85` is 850. What is not a weight is none at all.
fn thousandths(weight: &str) -> u16 {
    let (whole, fraction) = weight.split_once('.').unwrap_or((weight, ""));
    match format!("{whole}{fraction:0<3}").parse::<u16>() {
        Ok(value) if fraction.len() <= 3 && value <= 1000 => value,
        Ok(_) | Err(_) => 0,
    }
}

#[derive(Serialize)]
struct Body<'a> {
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    errors: &'a [ServerError],
    /// Not there when nothing ran; `null` when something ran and failed as a whole.
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<&'a Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    extensions: Option<Extensions>,
}

#[derive(Serialize)]
struct Extensions {
    cost: Cost,
    #[serde(flatten)]
    others: BTreeMap<String, Value>,
}

impl Extensions {
    fn of(allowance: Allowance) -> Self {
        let Allowance { limit, remaining, resets_at, cost } = allowance;
        Self { cost: Cost { cost, limit, remaining, reset_at: resets_at.to_string() }, others: BTreeMap::new() }
    }
}

/// What the request cost, and what is left of the principal's minute.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Cost {
    cost: u32,
    limit: u32,
    remaining: u32,
    /// RFC 3339.
    reset_at: String,
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{self, AtomicU32};

    use async_graphql::{Context, EmptySubscription, Object, SimpleObject};

    use super::*;
    use crate::{
        domain::operator::{PrincipalKind, Role},
        graphql::document::{bombs, limited},
    };

    struct Query;

    fn burst<T>() -> T {
        panic!("a secret in a panic")
    }

    #[derive(SimpleObject)]
    struct Parcel {
        number: i32,
    }

    struct Sealed;

    #[Object]
    impl Sealed {
        async fn secret(&self) -> async_graphql::Result<Option<i32>> {
            Err(error::forbidden(Role::Manager))
        }
    }

    #[Object]
    impl Query {
        async fn ping(&self) -> &str {
            "pong"
        }

        async fn echo(&self, values: Vec<i32>) -> Vec<i32> {
            values
        }

        async fn viewer(&self, ctx: &Context<'_>) -> async_graphql::Result<String> {
            let principal = ctx.data::<Principal>()?;
            Ok(format!("{} {}", principal.label, principal.request_id))
        }

        async fn broken(&self) -> async_graphql::Result<Option<Parcel>> {
            Err(std::io::Error::other("SELECT password").into())
        }

        async fn fatal(&self) -> async_graphql::Result<Parcel> {
            Err(error::internal(std::io::Error::other("SELECT password")))
        }

        async fn parcels(&self) -> Vec<Sealed> {
            vec![Sealed, Sealed]
        }

        async fn guarded(&self) -> async_graphql::Result<Option<Parcel>> {
            Err(error::forbidden(Role::Admin))
        }

        async fn panics(&self) -> i32 {
            burst()
        }

        async fn slow(&self) -> i32 {
            tokio::time::sleep(Duration::from_secs(60)).await;
            1
        }

        #[graphql(complexity = "5 + first * child_complexity")]
        async fn page(&self, first: usize) -> Vec<Parcel> {
            (0..3).map(|number| Parcel { number: number + i32::try_from(first).unwrap_or(0) }).collect()
        }
    }

    #[derive(Default)]
    struct Mutation {
        count: Arc<AtomicU32>,
    }

    #[Object]
    impl Mutation {
        async fn bump(&self) -> u32 {
            tokio::time::sleep(Duration::from_millis(50)).await;
            self.count.fetch_add(1, atomic::Ordering::SeqCst) + 1
        }

        async fn panics(&self) -> u32 {
            burst()
        }
    }

    struct Door;

    impl Authenticator for Door {
        fn version(&self) -> i64 {
            1
        }

        fn authenticate<'a>(
            &'a self,
            bearer: &'a str,
            address: Option<IpAddr>,
            request_id: &'a str,
        ) -> BoxFuture<'a, Result<Principal, AuthRefused>> {
            let answer = match bearer {
                "good" => Ok(Principal {
                    kind: PrincipalKind::Operator,
                    operator: None,
                    api_key: None,
                    label: "Ada".to_owned(),
                    role: Role::Viewer,
                    session: None,
                    address,
                    request_id: request_id.to_owned(),
                }),
                "old" => Err(AuthRefused::Expired),
                "down" => Err(AuthRefused::Unavailable("pool exhausted".into())),
                _ => Err(AuthRefused::Invalid),
            };
            Box::pin(async move { answer })
        }

        /// 400 points for everybody and every request.
        fn spend(&self, _: &Principal, cost: u32) -> Result<Allowance, Spent> {
            let (now, limit) = (Timestamp::from_millis(0), 400);
            let allowance =
                Allowance { limit, remaining: limit.saturating_sub(cost), resets_at: now.plus_millis(1500), cost };
            if cost > limit { Err(Spent { allowance, now }) } else { Ok(allowance) }
        }
    }

    fn endpoint_counting(count: &Arc<AtomicU32>) -> Endpoint {
        let mutation = Mutation { count: Arc::clone(count) };
        Endpoint::new(limited(Schema::build(Query, mutation, EmptySubscription)).finish(), Arc::new(Door))
    }

    fn endpoint() -> Endpoint {
        endpoint_counting(&Arc::default())
    }

    const JSON: (&str, &[u8]) = ("Content-Type", b"application/json");
    const SIGNED_IN: (&str, &[u8]) = ("Authorization", b"Bearer good");
    const NEWER: (&str, &[u8]) = ("Accept", b"application/graphql-response+json");

    async fn sent(method: &str, headers: &[(&str, &[u8])], body: &[u8]) -> Reply {
        let call = Call { method, headers, body, address: None, request_id: "req_7" };
        endpoint().respond(call).await
    }

    async fn posted(body: &str) -> Reply {
        sent("POST", &[JSON, SIGNED_IN], body.as_bytes()).await
    }

    fn body_of(query: &str) -> String {
        serde_json::json!({ "query": query }).to_string()
    }

    /// Asked by a signed-in client that reads the newer media type.
    async fn asked(query: &str) -> Reply {
        sent("POST", &[JSON, SIGNED_IN, NEWER], body_of(query).as_bytes()).await
    }

    fn text(reply: &Reply) -> &str {
        std::str::from_utf8(&reply.body).unwrap()
    }

    fn json(reply: &Reply) -> serde_json::Value {
        serde_json::from_slice(&reply.body).unwrap()
    }

    fn header<'a>(reply: &'a Reply, name: &str) -> Option<&'a str> {
        reply.headers.iter().find(|(own, _)| *own == name).map(|(_, value)| value.as_ref())
    }

    #[track_caller]
    fn assert_refused(reply: &Reply, status: u16, code: Code) {
        assert_eq!(reply.status, status, "{}", text(reply));
        let body = json(reply);
        assert_eq!(body["errors"][0]["extensions"]["code"], code.as_str(), "{body}");
        assert_eq!(body.get("data"), None, "{body}");
    }

    #[tokio::test]
    async fn a_query_is_answered_with_its_cost() {
        let reply = posted(r#"{"query":"{ping viewer}"}"#).await;
        assert_eq!(reply.status, 200);
        assert_eq!(header(&reply, "content-type"), Some("application/json; charset=utf-8"));
        assert_eq!(header(&reply, "cache-control"), Some("no-store"));
        let expected = serde_json::json!({
            "data": { "ping": "pong", "viewer": "Ada req_7" },
            "extensions": {
                "cost": { "cost": 2, "limit": 400, "remaining": 398, "resetAt": "1970-01-01T00:00:01.5Z" },
            },
        });
        assert_eq!(json(&reply), expected);
    }

    #[tokio::test]
    async fn every_answer_to_somebody_who_is_believed_says_what_it_cost() {
        let refused_document = asked("{nothing}").await;
        assert_eq!(json(&refused_document)["extensions"]["cost"]["cost"], 1);
        for unread in ["", "[]", "{}"] {
            let reply = posted(unread).await;
            assert_eq!(json(&reply)["extensions"]["cost"]["remaining"], 399, "{unread}");
        }
        let stranger = sent("POST", &[JSON], b"{}").await;
        assert_eq!(json(&stranger).get("extensions"), None);
    }

    #[tokio::test]
    async fn who_has_spent_a_minute_is_told_when_to_come_again() {
        let dear = |selections: usize| format!("{{{}}}", "ping ".repeat(selections));
        for (query, status) in [(dear(9), 200), (format!("{{page(first: 1){{{}}}}}", "number ".repeat(399)), 200)] {
            assert_eq!(asked(&query).await.status, status, "{query}");
        }
        let reply = asked(&format!("{{page(first: 1){{{}}}}}", "number ".repeat(400))).await;
        assert_refused(&reply, 429, Code::RateLimited);
        assert_eq!(header(&reply, "retry-after"), Some("2"));
        let cost = &json(&reply)["extensions"]["cost"];
        assert_eq!((&cost["cost"], &cost["limit"]), (&serde_json::json!(401), &serde_json::json!(400)));
    }

    #[tokio::test]
    async fn only_a_post_of_json_is_taken() {
        let body = br#"{"query":"mutation{bump}"}"#;
        for method in ["GET", "HEAD", "PUT", "OPTIONS", "post"] {
            let reply = sent(method, &[JSON, SIGNED_IN], body).await;
            assert_refused(&reply, 405, Code::BadRequest);
            assert_eq!(header(&reply, "allow"), Some("POST"));
        }
        for other in [
            "text/plain",
            "application/graphql",
            "multipart/form-data; boundary=x",
            "application/x-www-form-urlencoded",
            "application/json; charset=latin1",
            "application/jsonx",
            "",
        ] {
            let reply = sent("POST", &[("content-type", other.as_bytes()), SIGNED_IN], body).await;
            assert_refused(&reply, 415, Code::BadRequest);
        }
        assert_refused(&sent("POST", &[SIGNED_IN], body).await, 415, Code::BadRequest);
        assert_refused(&sent("POST", &[JSON, JSON, SIGNED_IN], body).await, 415, Code::BadRequest);
        for same in ["Application/JSON", "application/json;charset=UTF-8", "application/json; charset=\"utf-8\""] {
            let reply = sent("POST", &[("content-type", same.as_bytes()), SIGNED_IN], br#"{"query":"{ping}"}"#).await;
            assert_eq!(reply.status, 200, "{same}");
        }
    }

    #[tokio::test]
    async fn a_body_may_have_its_limit_and_not_a_byte_more() {
        let of_length = |length: usize| format!("{}{}", " ".repeat(length - 18), r#"{"query":"{ping}"}"#);
        assert_eq!(posted(&of_length(BODY_BYTES_MAX)).await.status, 200);
        assert_refused(&posted(&of_length(BODY_BYTES_MAX + 1)).await, 413, Code::BadRequest);
        assert_refused(&posted(&of_length(1 << 20)).await, 413, Code::BadRequest);
    }

    #[tokio::test]
    async fn nobody_is_answered_without_a_bearer_that_is_believed() {
        let not_even_json = b"\xff{";
        for wrong in ["", "Bearer", "Bearer ", "Basic Z29vZA==", "good", "Bearergood"] {
            let reply = sent("POST", &[JSON, ("authorization", wrong.as_bytes())], not_even_json).await;
            assert_refused(&reply, 401, Code::Unauthenticated);
            assert_eq!(header(&reply, "www-authenticate"), Some("Bearer"));
        }
        assert_refused(&sent("POST", &[JSON], not_even_json).await, 401, Code::Unauthenticated);
        assert_refused(&sent("POST", &[JSON, SIGNED_IN, SIGNED_IN], b"{}").await, 401, Code::Unauthenticated);
        assert_refused(&sent("POST", &[JSON, ("cookie", b"session=good")], b"{}").await, 401, Code::Unauthenticated);
        for token in ["Bearer old", "Bearer eyJhbGciOiJub25lIn0.e30."] {
            let reply = sent("POST", &[JSON, ("authorization", token.as_bytes())], not_even_json).await;
            assert_refused(&reply, 401, Code::Unauthenticated);
            assert_eq!(header(&reply, "www-authenticate"), Some("Bearer error=\"invalid_token\""));
        }
        let introspection = body_of(&bombs::introspection());
        assert_refused(&sent("POST", &[JSON], introspection.as_bytes()).await, 401, Code::Unauthenticated);
    }

    #[tokio::test]
    async fn a_bearer_that_cannot_be_checked_is_our_fault_and_says_no_more() {
        let reply = sent("POST", &[JSON, ("authorization", b"Bearer down")], b"{}").await;
        assert_refused(&reply, 503, Code::Internal);
        assert!(!text(&reply).contains("pool"), "{}", text(&reply));
        assert!(text(&reply).contains("req_7"), "{}", text(&reply));
    }

    #[tokio::test]
    async fn the_parameters_have_their_types() {
        for wrong in [
            "",
            "[]",
            "null",
            "\"{ping}\"",
            "{ \"not a JSON",
            "{}",
            r#"{"qeury":"{ping}"}"#,
            r#"[{"query":"{ping}"}]"#,
            r#"["{ping}"]"#,
            r#"{"query":null}"#,
            r#"{"query":0}"#,
            r#"{"query":["a"]}"#,
            r#"{"query":"{ping}","query":"{viewer}"}"#,
            r#"{"query":"{ping}","variables":"string"}"#,
            r#"{"query":"{ping}","variables":[]}"#,
            r#"{"query":"{ping}","operationName":0}"#,
            r#"{"query":"{ping}","extensions":["array"]}"#,
            r#"{"query":"{ping}","extensions":false}"#,
        ] {
            assert_refused(&posted(wrong).await, 400, Code::BadRequest);
        }
        for fine in [
            r#" {"query":"{ping}","variables":null,"operationName":null,"extensions":null}"#,
            r#"{"query":"query A{ping}","operationName":"A","variables":{"b":[1]},"extensions":{"c":{}},"id":1}"#,
        ] {
            assert_eq!(posted(fine).await.status, 200, "{fine}");
        }
    }

    #[tokio::test]
    async fn a_bad_document_is_400_or_200_by_media_type() {
        for (query, code) in [
            ("{", Code::GraphqlParseFailed),
            ("{nothing}", Code::GraphqlValidationFailed),
            ("query A($id: ID!){ping}", Code::GraphqlValidationFailed),
            ("{echo(values: \"x\")}", Code::GraphqlValidationFailed),
            ("subscription{a}", Code::GraphqlValidationFailed),
            ("{page(first: 9999){number}}", Code::QueryTooComplex),
            ("{ping @include(if:true) @include(if:true) @include(if:true) @include(if:true)}", Code::QueryTooComplex),
        ] {
            assert_refused(&asked(query).await, 400, code);
            assert_refused(&posted(&body_of(query)).await, 200, code);
        }
    }

    #[tokio::test]
    async fn a_variable_of_the_wrong_type_is_refused() {
        let query = "query A($v:[Int!]!){echo(values:$v)}";
        for (value, status) in
            [(serde_json::json!([1]), 200), (serde_json::json!("x"), 400), (serde_json::Value::Null, 400)]
        {
            let body = serde_json::json!({ "query": query, "variables": { "v": value } }).to_string();
            let reply = sent("POST", &[JSON, SIGNED_IN, NEWER], body.as_bytes()).await;
            assert_eq!(reply.status, status, "{}", text(&reply));
        }
    }

    #[tokio::test]
    async fn the_accept_header_chooses_the_media_type() {
        for (accept, expected) in [
            ("application/graphql-response+json", Some(Media::GraphqlResponse)),
            (
                "application/graphql-response+json; charset=utf-8, application/json; charset=utf-8",
                Some(Media::GraphqlResponse),
            ),
            ("application/json;q=0.9, application/graphql-response+json;q=0.8", Some(Media::Json)),
            ("application/json, */*;q=0.1", Some(Media::Json)),
            ("application/json;q=0, */*", Some(Media::GraphqlResponse)),
            ("APPLICATION/*", Some(Media::Json)),
            ("*/*", Some(Media::Json)),
            ("text/html, */*;q=0.8", Some(Media::Json)),
            ("", Some(Media::Json)),
            ("text/html", None),
            ("application/json;q=0", None),
            ("application/json;q=x", None),
        ] {
            let headers: [(&str, &[u8]); 1] = [("accept", accept.as_bytes())];
            let call = Call { method: "POST", headers: &headers, body: b"", address: None, request_id: "" };
            assert_eq!(Media::negotiated(&call), expected, "{accept}");
        }
        let reply = sent("POST", &[JSON, SIGNED_IN, ("accept", b"text/html")], b"{}").await;
        assert_refused(&reply, 406, Code::BadRequest);
        let reply = asked("{ping}").await;
        assert_eq!(header(&reply, "content-type"), Some("application/graphql-response+json; charset=utf-8"));
    }

    #[tokio::test]
    async fn a_bomb_is_refused_by_the_guard() {
        let many_values =
            format!("{{\"query\":\"{{ping}}\",\"variables\":{{\"v\":{}{}}}}}", "[".repeat(60), "]".repeat(60));
        assert_refused(&posted(&many_values).await, 200, Code::QueryTooComplex);
        let far_too_many = format!("{{\"query\":\"{{ping}}\",\"variables\":{{\"v\":{}", "[".repeat(60_000));
        assert_refused(&posted(&far_too_many).await, 400, Code::BadRequest);
        for (bomb, code) in [
            (bombs::fragments(), Code::QueryTooComplex),
            (bombs::few_fragments(), Code::QueryTooComplex),
            (bombs::wide_fragments(), Code::QueryTooComplex),
            (bombs::list(350), Code::QueryTooComplex),
            (bombs::list(8000), Code::QueryTooComplex),
            (bombs::directives(300), Code::QueryTooComplex),
            (bombs::CIRCLE.to_owned(), Code::GraphqlValidationFailed),
        ] {
            let began = tokio::time::Instant::now();
            assert_refused(&asked(&bomb).await, 400, code);
            let allowed = Duration::from_millis(if cfg!(debug_assertions) { 100 } else { 5 });
            assert!(began.elapsed() < allowed, "{:?}", began.elapsed());
        }
    }

    #[tokio::test]
    async fn introspection_is_for_those_who_are_signed_in() {
        let reply = asked(&bombs::introspection()).await;
        assert_eq!(reply.status, 200, "{}", text(&reply));
        assert_eq!(json(&reply)["errors"], serde_json::Value::Null);
        assert_eq!(json(&reply)["data"]["__schema"]["queryType"]["name"], "Query");
    }

    #[tokio::test]
    async fn an_error_without_a_code_is_masked() {
        for query in ["{ping broken{number}}", "{ping fatal{number}}"] {
            let reply = asked(query).await;
            assert_eq!(reply.status, 200);
            let body = json(&reply);
            assert!(!text(&reply).contains("password"), "{body}");
            let error = &body["errors"][0];
            assert_eq!(error["message"], INTERNAL_MESSAGE);
            assert_eq!(error["extensions"], serde_json::json!({ "code": "INTERNAL", "requestId": "req_7" }));
        }
        assert_eq!(json(&asked("{ping broken{number}}").await)["data"]["ping"], "pong");
        assert_eq!(json(&asked("{fatal{number}}").await)["data"], serde_json::json!({ "fatal": null }));
    }

    #[tokio::test]
    async fn a_field_that_is_forbidden_leaves_the_rest() {
        let reply = asked("{ping guarded{number}}").await;
        assert_eq!(reply.status, 200);
        let body = json(&reply);
        assert_eq!(body["data"], serde_json::json!({ "ping": "pong", "guarded": null }));
        assert_eq!(body["errors"][0]["extensions"]["code"], "FORBIDDEN");
        let nothing_else = json(&asked("{parcels{secret}}").await);
        assert_eq!(nothing_else["data"], serde_json::json!({ "parcels": [{ "secret": null }, { "secret": null }] }));
        assert_eq!(nothing_else["errors"][1]["path"], serde_json::json!(["parcels", 1, "secret"]));
    }

    #[tokio::test]
    async fn a_panic_is_internal_and_says_nothing() {
        for query in ["{panics}", "mutation{panics}"] {
            let reply = asked(query).await;
            assert_refused(&reply, 500, Code::Internal);
            assert!(!text(&reply).contains("secret"), "{}", text(&reply));
        }
    }

    #[tokio::test]
    async fn an_answer_that_takes_too_long_is_a_timeout() {
        let count = Arc::default();
        let endpoint = endpoint_counting(&count).with_timeout(Duration::from_millis(10));
        for query in ["{slow}", "mutation{bump}"] {
            let body = body_of(query);
            let headers = [JSON, SIGNED_IN, NEWER];
            let call =
                Call { method: "POST", headers: &headers, body: body.as_bytes(), address: None, request_id: "r" };
            assert_refused(&endpoint.respond(call).await, 504, Code::Timeout);
        }
        endpoint.drained().await;
        assert_eq!(count.load(atomic::Ordering::SeqCst), 1, "the mutation was finished all the same");
    }

    #[tokio::test]
    async fn a_mutation_outlives_the_caller_who_hung_up() {
        let count = Arc::default();
        let endpoint = endpoint_counting(&count);
        let body = body_of("mutation{bump}");
        let headers = [JSON, SIGNED_IN];
        let call = Call { method: "POST", headers: &headers, body: body.as_bytes(), address: None, request_id: "r" };
        let hung_up = tokio::time::timeout(Duration::from_millis(10), endpoint.respond(call)).await;
        assert!(hung_up.is_err());
        assert_eq!(count.load(atomic::Ordering::SeqCst), 0);
        endpoint.drained().await;
        assert_eq!(count.load(atomic::Ordering::SeqCst), 1);
    }

    /// The audits of `graphql-http` 1.23.1 that send a POST, by their ids: the body, the status for
    /// `application/json`, the status for `application/graphql-response+json`.
    const AUDITS: &[(&str, &str, u16, u16)] = &[
        ("22EB 4655 47DE 80D8 82A3 78D5 2C94 03D4 34A2 13EE", r#"{"query":"{ __typename }"}"#, 200, 200),
        ("BF61", r#"{"query":"{ __type(name: \"Run🏃Swim🏊\") { name } }"}"#, 200, 200),
        ("A5BF", "", 400, 400),
        ("423L", r#"{"notquery":"{ __typename }"}"#, 400, 400),
        ("LKJ0", r#"{"query":{"obj":"ect"}}"#, 400, 400),
        ("LKJ1", r#"{"query":0}"#, 400, 400),
        ("LKJ2", r#"{"query":false}"#, 400, 400),
        ("LKJ3", r#"{"query":["array"]}"#, 400, 400),
        ("6C00", r#"{"operationName":{"obj":"ect"},"query":"{ __typename }"}"#, 400, 400),
        ("6C01", r#"{"operationName":0,"query":"{ __typename }"}"#, 400, 400),
        ("6C02", r#"{"operationName":false,"query":"{ __typename }"}"#, 400, 400),
        ("6C03", r#"{"operationName":["array"],"query":"{ __typename }"}"#, 400, 400),
        ("8161 B8B3", r#"{"operationName":"Query","query":"query Query { __typename }"}"#, 200, 200),
        ("94B0 0220", r#"{"query":"{ __typename }","variables":null}"#, 200, 200),
        ("94B1 0221", r#"{"query":"{ __typename }","operationName":null}"#, 200, 200),
        ("94B2 0222", r#"{"query":"{ __typename }","extensions":null}"#, 200, 200),
        ("4760", r#"{"query":"{ __typename }","variables":"string"}"#, 400, 400),
        ("4761", r#"{"query":"{ __typename }","variables":0}"#, 400, 400),
        ("4762", r#"{"query":"{ __typename }","variables":false}"#, 400, 400),
        ("4763", r#"{"query":"{ __typename }","variables":["array"]}"#, 400, 400),
        (
            "2EA1 28B9",
            r#"{"query":"query Type($name: String!) { __type(name: $name) { name } }","variables":{"name":"sometype"}}"#,
            200,
            200,
        ),
        ("58B0", r#"{"query":"{ __typename }","extensions":"string"}"#, 400, 400),
        ("58B1", r#"{"query":"{ __typename }","extensions":0}"#, 400, 400),
        ("58B2", r#"{"query":"{ __typename }","extensions":false}"#, 400, 400),
        ("58B3", r#"{"query":"{ __typename }","extensions":["array"]}"#, 400, 400),
        ("428F 1B7A", r#"{"query":"{ __typename }","extensions":{"some":"value"}}"#, 200, 200),
        ("B6DC BCF8 B7N8", "{ \"not a JSON", 400, 400),
        ("8764 3E3A", r#"{"qeury":"{ __typename }"}"#, 400, 400),
        ("572B 865D 556A D586", r#"{"query":"{"}"#, 200, 400),
        ("FDE2 51FE 74FF 5E5B", r#"{"query":"{ 8f31403dfe404bccbb0e835f2629c6a7 }"}"#, 200, 400),
        ("7B9B 86EE", r#"{"query":"query CoerceFailure($id: ID!){ __typename }","variables":{"id":null}}"#, 200, 400),
    ];

    #[tokio::test]
    async fn every_audit_by_post_passes() {
        for (ids, body, plain, newer) in AUDITS.iter().copied() {
            for (accept, status) in
                [("application/json", plain), ("*/*", plain), (Media::GraphqlResponse.essence(), newer)]
            {
                let reply = sent("POST", &[JSON, SIGNED_IN, ("accept", accept.as_bytes())], body.as_bytes()).await;
                assert_eq!(reply.status, status, "{ids} {accept}: {}", text(&reply));
                let fine = plain == 200 && newer == 200;
                assert_eq!(json(&reply).get("errors").is_none(), fine, "{ids} {accept}: {}", text(&reply));
                assert_eq!(json(&reply).get("data").is_some(), fine, "{ids} {accept}: {}", text(&reply));
            }
        }
    }

    /// 5A70, D6D5 and 6A70 may be refused; 9C48 must be; 80D8 was one of them in older editions.
    #[tokio::test]
    async fn the_audits_by_get_are_405() {
        for accept in ["application/json", "application/graphql-response+json"] {
            let reply = sent("GET", &[SIGNED_IN, ("accept", accept.as_bytes())], b"").await;
            assert_refused(&reply, 405, Code::BadRequest);
        }
    }
}
