//! The socket of subscriptions: the protocol graphql-transport-ws, messages in and messages out.
//!
//! Like the endpoint it knows no web framework: `http` brings a [`Wire`]. It refuses queries and mutations (they have
//! their door), a caller who does not say who he is in time, and more of everything than it was made for. In this
//! order: `connection_init` with the bearer, `connection_ack`, then up to [`STREAMS_MAX`] subscriptions at a time.
//!
//! Whoever signed in is not believed for ever: before each item of a stream, when anything about operators or sessions
//! has changed, and every second in any case, the same bearer is shown to the same [`Authenticator`] again. When it is
//! refused, or its role is another one, the socket is closed with 4403, and a client that has a newer bearer connects
//! again and goes on from its cursor.
//! A subscriber who does not take what is sent holds up nobody but himself: items are read from the tables one stretch
//! at a time, and nothing is read while the wire is full.

use std::borrow::Cow;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_graphql::{Response, ServerError, Value};
use futures_util::stream::{AbortHandle, Abortable, BoxStream, SelectAll, StreamExt as _, once};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};

use super::endpoint::{Authenticator, BODY_BYTES_MAX, Endpoint, Released, released};
use super::error::{Code, Refusal};
use crate::domain::ids::{ApiKeyId, OperatorId};
use crate::domain::operator::{AuthRefused, Principal};

/// What a client names in `Sec-WebSocket-Protocol`.
pub const PROTOCOL: &str = "graphql-transport-ws";
/// Bytes of a message from a client.
pub const MESSAGE_BYTES_MAX: usize = BODY_BYTES_MAX;
/// Subscriptions of a socket at a time.
pub const STREAMS_MAX: usize = 8;
/// Sockets of this server at a time.
pub const SOCKETS_MAX: u32 = 256;
/// Sockets of a person or of a key at a time.
pub const SOCKETS_PER_PRINCIPAL_MAX: usize = 16;
/// For the other end to hear why a socket ends.
const GOODBYE: Duration = Duration::from_millis(500);
/// Bytes of the id that a client gives a subscription.
const ID_BYTES_MAX: usize = 128;

/// A message, as far as the protocol cares.
#[derive(Debug)]
pub enum Heard {
    Text(String),
    /// Of another kind than the protocol has.
    Binary,
    /// A sign of life.
    Pong,
}

/// What is sent.
#[derive(Debug, PartialEq, Eq)]
pub enum Said {
    Text(String),
    Ping,
    Close(u16, &'static str),
}

/// The other end is not there any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gone;

/// A connection that takes whole messages.
pub trait Wire: Send {
    /// The next message; none when the other end is gone. What was heard is not lost when the wait is given up.
    fn hear(&mut self) -> impl Future<Output = Option<Heard>> + Send;
    /// Returns when the message is on its way.
    fn say(&mut self, said: Said) -> impl Future<Output = Result<(), Gone>> + Send;
}

/// Where a socket comes from.
#[derive(Clone, Debug)]
pub struct Peer {
    /// Of the client, as far as the proxies in between are trusted.
    pub address: Option<IpAddr>,
    /// Goes into the log and into answers that are our fault.
    pub request_id: String,
}

/// How long a socket waits for what.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// From the beginning to `connection_init`.
    pub init: Duration,
    /// Between two looks at who this is, and at the other limits.
    pub check: Duration,
    /// Between two pings.
    pub ping: Duration,
    /// Without any message, answers to pings too.
    pub silence: Duration,
    /// Without any subscription.
    pub idle: Duration,
    /// For the other end to take one message.
    pub say: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            init: Duration::from_secs(5),
            check: Duration::from_secs(1),
            ping: Duration::from_secs(20),
            silence: Duration::from_secs(60),
            idle: Duration::from_secs(300),
            say: Duration::from_secs(10),
        }
    }
}

/// All sockets of this server.
pub struct Sockets {
    endpoint: Arc<Endpoint>,
    authenticator: Arc<dyn Authenticator>,
    places: Arc<Semaphore>,
    held: Arc<Mutex<HashMap<Holder, usize>>>,
    closing: watch::Sender<bool>,
    patience: Patience,
}

/// Room for one socket.
pub struct Room {
    _place: OwnedSemaphorePermit,
}

/// Whose sockets are counted together.
type Holder = (Option<OperatorId>, Option<ApiKeyId>);

impl Sockets {
    pub fn new(endpoint: Arc<Endpoint>, authenticator: Arc<dyn Authenticator>, patience: Patience) -> Self {
        let places = Arc::new(Semaphore::new(usize::try_from(SOCKETS_MAX).unwrap_or(1)));
        let (closing, _) = watch::channel(false);
        Self { endpoint, authenticator, places, held: Arc::default(), closing, patience }
    }

    /// None when all places are taken, or the server is about to end.
    pub fn room(&self) -> Option<Room> {
        let is_open = !*self.closing.borrow();
        let place = Arc::clone(&self.places).try_acquire_owned().ok().filter(|_| is_open);
        place.map(|place| Room { _place: place })
    }

    /// Tells every socket to end, and takes no more.
    pub fn close(&self) {
        self.closing.send_replace(true);
    }

    /// Waits until every socket has ended.
    pub async fn drained(&self) {
        // An error means that the semaphore was closed, which nothing does, and then there is no socket.
        drop(self.places.acquire_many(SOCKETS_MAX).await);
    }

    /// Speaks with one client until one of both ends it.
    pub async fn converse(&self, room: Room, wire: impl Wire, peer: Peer) {
        let mut session = Session {
            sockets: self,
            wire,
            peer,
            believed: None,
            streams: SelectAll::new(),
            handles: HashMap::new(),
            serial: 0,
            began: Instant::now(),
            heard: Instant::now(),
            pinged: Instant::now(),
            occupied: Instant::now(),
        };
        if let Err(End::Ours(code, reason)) = session.run().await {
            session.part(code, reason).await;
        }
        drop(room);
    }

    async fn authenticate(&self, bearer: &str, peer: &Peer) -> Result<Principal, End> {
        let Peer { address, request_id } = peer;
        let believed = self.authenticator.authenticate(bearer, *address, request_id).await;
        believed.map_err(|refused| match refused {
            AuthRefused::Invalid | AuthRefused::Expired | AuthRefused::Withdrawn => FORBIDDEN,
            AuthRefused::Unavailable(fault) => {
                tracing::error!(request_id, error = %fault, "a bearer could not be checked");
                TRY_AGAIN
            }
        })
    }

    /// Counts one more socket of this principal, unless there are too many.
    fn hold(&self, principal: &Principal) -> Option<Held> {
        let holder = (principal.operator, principal.api_key);
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let count = held.entry(holder).or_default();
        if *count >= SOCKETS_PER_PRINCIPAL_MAX {
            return None;
        }
        *count += 1;
        Some(Held { holder, all: Arc::clone(&self.held) })
    }
}

/// One counted socket of a principal.
struct Held {
    holder: Holder,
    all: Arc<Mutex<HashMap<Holder, usize>>>,
}

impl Drop for Held {
    fn drop(&mut self) {
        let mut all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        if let Entry::Occupied(mut count) = all.entry(self.holder) {
            *count.get_mut() -= 1;
            if *count.get() == 0 {
                count.remove();
            }
        }
    }
}

/// Whom a socket belongs to, as long as that holds.
struct Believed {
    bearer: String,
    principal: Principal,
    /// Of the authenticator, when it was asked.
    version: i64,
    _held: Held,
}

/// Why a socket ends.
enum End {
    /// The other end has gone, or does not take what is sent.
    Theirs,
    /// With a code that the client understands.
    Ours(u16, &'static str),
}

impl From<Gone> for End {
    fn from(Gone: Gone) -> Self {
        Self::Theirs
    }
}

const GOING_AWAY: End = End::Ours(1001, "The server ends: connect again and go on from your cursor");
const TRY_AGAIN: End = End::Ours(1013, "Try again later");
const IDLE: End = End::Ours(1000, "No subscription for a while");
const BAD_REQUEST: End = End::Ours(4400, "Not a message of graphql-transport-ws");
const UNAUTHORIZED: End = End::Ours(4401, "Unauthorized: send connection_init first");
const FORBIDDEN: End = End::Ours(4403, "Forbidden: the bearer is not, or no longer, good");
const INIT_TIMEOUT: End = End::Ours(4408, "Connection initialisation timeout");
const TAKEN: End = End::Ours(4409, "Subscriber for this id already exists");
const TOO_MANY_INITS: End = End::Ours(4429, "Too many initialisation requests");
const TOO_MANY_SOCKETS: End = End::Ours(1013, "Too many sockets of this operator or key: close one");

/// What one of the streams says; the number tells a stream from one that had its id before.
enum Told {
    Answer(u64, String, Box<Response>),
    End(u64, String),
}

struct Session<'s, W> {
    sockets: &'s Sockets,
    wire: W,
    peer: Peer,
    believed: Option<Believed>,
    streams: SelectAll<BoxStream<'static, Told>>,
    handles: HashMap<String, (u64, AbortHandle)>,
    serial: u64,
    began: Instant,
    /// The last sign of life.
    heard: Instant,
    pinged: Instant,
    /// When it last had a subscription.
    occupied: Instant,
}

/// A message of the client.
#[derive(Deserialize)]
struct Message<'m> {
    #[serde(rename = "type", borrow)]
    kind: Cow<'m, str>,
    #[serde(borrow)]
    id: Option<Cow<'m, str>>,
    #[serde(borrow)]
    payload: Option<&'m RawValue>,
}

/// The payload of `connection_init`.
#[derive(Deserialize)]
struct Init<'m> {
    #[serde(borrow, alias = "Authorization")]
    authorization: Cow<'m, str>,
}

/// A message of ours.
#[derive(Serialize)]
struct Answer<'m, P: Serialize> {
    id: &'m str,
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    payload: Option<P>,
}

/// The payload of `next`.
#[derive(Serialize)]
struct ExecutionResult<'m> {
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    errors: &'m [ServerError],
    data: &'m Value,
}

async fn begins(closing: &mut watch::Receiver<bool>) {
    // An error means that the sender is gone, and the server with it.
    drop(closing.wait_for(|closing| *closing).await);
}

impl<W: Wire> Session<'_, W> {
    async fn run(&mut self) -> Result<(), End> {
        let mut closing = self.sockets.closing.subscribe();
        let mut ticks = interval(self.sockets.patience.check);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                heard = self.wire.hear() => self.answer(heard.ok_or(End::Theirs)?).await?,
                Some(told) = self.streams.next(), if !self.streams.is_empty() => self.pass_on(told).await?,
                _ = ticks.tick() => self.look().await?,
                () = begins(&mut closing) => return Err(GOING_AWAY),
            }
        }
    }

    async fn answer(&mut self, heard: Heard) -> Result<(), End> {
        self.heard = Instant::now();
        let text = match heard {
            Heard::Text(text) => text,
            Heard::Pong => return Ok(()),
            Heard::Binary => return Err(BAD_REQUEST),
        };
        let message: Message<'_> = serde_json::from_str(&text).map_err(|_| BAD_REQUEST)?;
        match (message.kind.as_ref(), message.id, message.payload) {
            ("connection_init", _, payload) => self.begin(payload).await,
            ("ping", ..) => self.say(r#"{"type":"pong"}"#.to_owned()).await,
            ("pong", ..) => Ok(()),
            ("subscribe", Some(id), Some(payload)) if id.len() <= ID_BYTES_MAX => self.subscribe(&id, payload).await,
            ("complete", Some(id), _) => {
                self.forget(&id);
                Ok(())
            }
            _ => Err(BAD_REQUEST),
        }
    }

    async fn begin(&mut self, payload: Option<&RawValue>) -> Result<(), End> {
        if self.believed.is_some() {
            return Err(TOO_MANY_INITS);
        }
        let init: Init<'_> = payload.and_then(|init| serde_json::from_str(init.get()).ok()).ok_or(FORBIDDEN)?;
        let (scheme, bearer) = init.authorization.split_once(' ').ok_or(FORBIDDEN)?;
        let bearer = Some(bearer.trim()).filter(|_| scheme.eq_ignore_ascii_case("bearer")).ok_or(FORBIDDEN)?;
        let version = self.sockets.authenticator.version();
        let principal = self.sockets.authenticate(bearer, &self.peer).await?;
        let held = self.sockets.hold(&principal).ok_or(TOO_MANY_SOCKETS)?;
        self.believed = Some(Believed { bearer: bearer.to_owned(), principal, version, _held: held });
        self.say(r#"{"type":"connection_ack"}"#.to_owned()).await
    }

    /// Is whoever opened this socket still who he was?
    async fn check_bearer(&mut self) -> Result<(), End> {
        let Some(believed) = &self.believed else { return Ok(()) };
        let version = self.sockets.authenticator.version();
        let now = self.sockets.authenticate(&believed.bearer, &self.peer).await?;
        if now.role != believed.principal.role {
            return Err(FORBIDDEN);
        }
        if let Some(believed) = &mut self.believed {
            believed.version = version;
        }
        Ok(())
    }

    async fn subscribe(&mut self, id: &str, payload: &RawValue) -> Result<(), End> {
        self.check_bearer().await?;
        let believed = self.believed.as_ref().ok_or(UNAUTHORIZED)?;
        if self.handles.contains_key(id) {
            return Err(TAKEN);
        }
        let begun = if self.handles.len() >= STREAMS_MAX {
            let text = format!("A socket has at most {STREAMS_MAX} subscriptions: complete one of them first");
            Err(Refusal::new(Code::QueryTooComplex, text))
        } else {
            self.sockets.endpoint.subscribe(payload.get().as_bytes(), believed.principal.clone())
        };
        match begun {
            Ok(responses) => {
                self.take_up(id, responses);
                Ok(())
            }
            Err(refusal) => {
                let error = refusal.into_error(&self.peer.request_id);
                self.say_error(id, &[error]).await
            }
        }
    }

    fn take_up(&mut self, id: &str, responses: BoxStream<'static, Response>) {
        self.serial += 1;
        let (serial, own) = (self.serial, id.to_owned());
        let (handle, registration) = AbortHandle::new_pair();
        let last = once(std::future::ready(Told::End(serial, own.clone())));
        let told = responses.map(move |response| Told::Answer(serial, own.clone(), Box::new(response))).chain(last);
        self.streams.push(Abortable::new(told, registration).boxed());
        self.handles.insert(id.to_owned(), (serial, handle));
    }

    fn forget(&mut self, id: &str) {
        if let Some((_, handle)) = self.handles.remove(id) {
            handle.abort();
        }
        self.occupied = Instant::now();
    }

    fn is_live(&self, serial: u64, id: &str) -> bool {
        self.handles.get(id).is_some_and(|(own, _)| *own == serial)
    }

    async fn pass_on(&mut self, told: Told) -> Result<(), End> {
        match told {
            Told::Answer(serial, id, response) if self.is_live(serial, &id) => self.say_next(&id, *response).await,
            Told::End(serial, id) if self.is_live(serial, &id) => {
                self.forget(&id);
                self.print(&Answer { id: &id, kind: "complete", payload: None::<()> }).await
            }
            // Of a subscription that the client has completed.
            Told::Answer(..) | Told::End(..) => Ok(()),
        }
    }

    async fn say_next(&mut self, id: &str, response: Response) -> Result<(), End> {
        if self.believed.as_ref().is_some_and(|held| held.version != self.sockets.authenticator.version()) {
            self.check_bearer().await?;
        }
        let Released { data, is_failure, errors, .. } = released(response, &self.peer.request_id);
        if is_failure {
            self.forget(id);
            return self.say_error(id, &errors).await;
        }
        self.print(&Answer { id, kind: "next", payload: Some(ExecutionResult { errors: &errors, data: &data }) }).await
    }

    async fn say_error(&mut self, id: &str, errors: &[ServerError]) -> Result<(), End> {
        self.print(&Answer { id, kind: "error", payload: Some(errors) }).await
    }

    async fn print<P: Serialize + Sync>(&mut self, answer: &Answer<'_, P>) -> Result<(), End> {
        match serde_json::to_string(answer) {
            Ok(text) => self.say(text).await,
            Err(fault) => {
                let request_id = &self.peer.request_id;
                tracing::error!(request_id, error = %fault, "an item of a subscription could not be printed");
                Err(End::Ours(4500, "Internal server error"))
            }
        }
    }

    async fn say(&mut self, text: String) -> Result<(), End> {
        self.send(Said::Text(text)).await
    }

    async fn send(&mut self, said: Said) -> Result<(), End> {
        let taken = timeout(self.sockets.patience.say, self.wire.say(said)).await;
        Ok(taken.map_err(|_late| End::Theirs)??)
    }

    /// Everything that time alone brings about.
    async fn look(&mut self) -> Result<(), End> {
        let patience = self.sockets.patience;
        if self.believed.is_none() {
            return if self.began.elapsed() >= patience.init { Err(INIT_TIMEOUT) } else { Ok(()) };
        }
        self.check_bearer().await?;
        if self.heard.elapsed() >= patience.silence {
            return Err(End::Theirs);
        }
        if self.handles.is_empty() && self.occupied.elapsed() >= patience.idle {
            return Err(IDLE);
        }
        if self.pinged.elapsed() >= patience.ping {
            self.pinged = Instant::now();
            self.send(Said::Ping).await?;
        }
        Ok(())
    }

    /// Says why, and lets the other end read it: a socket that is closed with something unread in it is reset, and what
    /// was sent is lost with it.
    async fn part(&mut self, code: u16, reason: &'static str) {
        self.streams.clear();
        let goodbye = async {
            self.wire.say(Said::Close(code, reason)).await?;
            while self.wire.hear().await.is_some() {}
            Ok::<(), Gone>(())
        };
        // Who does not answer in time is gone.
        let _ = timeout(GOODBYE, goodbye).await;
    }
}

#[cfg(test)]
mod tests {
    use async_graphql::{EmptyMutation, Object, Schema, Subscription};
    use futures_util::future::BoxFuture;
    use futures_util::stream::{iter, pending};
    use tokio::sync::mpsc;

    use super::*;
    use crate::app::point_budget::Allowance;
    use crate::domain::clock::Timestamp;
    use crate::domain::operator::Role;
    use crate::graphql::document::limited;
    use crate::graphql::endpoint::Spent;

    struct Query;

    #[Object]
    impl Query {
        async fn ping(&self) -> bool {
            true
        }
    }

    struct Live;

    #[Subscription]
    impl Live {
        async fn count(&self, to: i32) -> BoxStream<'static, i32> {
            iter(0..to).boxed()
        }

        async fn silence(&self) -> BoxStream<'static, i32> {
            pending().boxed()
        }
    }

    /// `ada` and `bob` are believed.
    struct Door;

    impl Authenticator for Door {
        fn authenticate<'a>(
            &'a self,
            bearer: &'a str,
            _address: Option<IpAddr>,
            _request_id: &'a str,
        ) -> BoxFuture<'a, Result<Principal, AuthRefused>> {
            let operator = ["ada", "bob"].iter().position(|known| *known == bearer);
            let operator = operator.map(|number| OperatorId::from_uuid(uuid::Uuid::from_u128(number as u128)));
            let principal = Principal { operator, role: Role::Viewer, ..Principal::system() };
            Box::pin(async move { operator.map(|_| principal).ok_or(AuthRefused::Invalid) })
        }

        /// 30 points for everybody and every request.
        fn spend(&self, _: &Principal, cost: u32) -> Result<Allowance, Spent> {
            let now = Timestamp::from_millis(0);
            let allowance =
                Allowance { limit: 30, remaining: 30_u32.saturating_sub(cost), resets_at: now.plus_millis(1500), cost };
            if cost > 30 { Err(Spent { allowance, now }) } else { Ok(allowance) }
        }

        fn version(&self) -> i64 {
            1
        }
    }

    /// The server's end of a connection in memory.
    struct Line {
        heard: mpsc::UnboundedReceiver<Heard>,
        said: mpsc::UnboundedSender<Said>,
    }

    impl Wire for Line {
        async fn hear(&mut self) -> Option<Heard> {
            self.heard.recv().await
        }

        async fn say(&mut self, said: Said) -> Result<(), Gone> {
            self.said.send(said).map_err(|_| Gone)
        }
    }

    /// The client's end.
    struct Client {
        say: mpsc::UnboundedSender<Heard>,
        heard: mpsc::UnboundedReceiver<Said>,
    }

    impl Client {
        fn say(&self, text: &str) {
            let _ = self.say.send(Heard::Text(text.to_owned()));
        }

        async fn next(&mut self) -> Option<Said> {
            timeout(Duration::from_secs(5), self.heard.recv()).await.unwrap()
        }

        async fn text(&mut self) -> String {
            match self.next().await {
                Some(Said::Text(text)) => text,
                other => panic!("{other:?}"),
            }
        }

        async fn closed(&mut self) -> u16 {
            loop {
                match self.next().await {
                    Some(Said::Close(code, _)) => return code,
                    Some(Said::Text(_) | Said::Ping) => {}
                    None => return 1006,
                }
            }
        }
    }

    const SHORT: Duration = Duration::from_millis(50);
    const LONG: Duration = Duration::from_secs(600);
    const PATIENT: Patience = Patience { init: LONG, check: SHORT, ping: LONG, silence: LONG, idle: LONG, say: LONG };

    fn sockets(patience: Patience) -> Arc<Sockets> {
        let schema = limited(Schema::build(Query, EmptyMutation, Live)).finish();
        let authenticator: Arc<dyn Authenticator> = Arc::new(Door);
        let endpoint = Arc::new(Endpoint::new(schema, Arc::clone(&authenticator)));
        Arc::new(Sockets::new(endpoint, authenticator, patience))
    }

    fn open(sockets: &Arc<Sockets>) -> Client {
        let (say, heard) = mpsc::unbounded_channel();
        let (said, hear) = mpsc::unbounded_channel();
        let (sockets, room) = (Arc::clone(sockets), sockets.room().unwrap());
        let peer = Peer { address: None, request_id: "req_1".into() };
        #[expect(clippy::disallowed_methods, reason = "ends with the test's runtime")]
        tokio::spawn(async move { sockets.converse(room, Line { heard, said }, peer).await });
        Client { say, heard: hear }
    }

    async fn signed_in(sockets: &Arc<Sockets>, who: &str) -> Client {
        let mut client = open(sockets);
        client.say(&format!(r#"{{"type":"connection_init","payload":{{"Authorization":"bearer {who}"}}}}"#));
        assert_eq!(client.text().await, r#"{"type":"connection_ack"}"#);
        client
    }

    fn subscribe(id: &str, query: &str) -> String {
        format!(r#"{{"id":"{id}","type":"subscribe","payload":{{"query":"subscription{{{query}}}"}}}}"#)
    }

    #[tokio::test]
    async fn a_subscription_is_answered_and_completed() {
        let mut client = signed_in(&sockets(PATIENT), "ada").await;
        client.say(&subscribe("a", "count(to:2)"));
        assert_eq!(client.text().await, r#"{"id":"a","type":"next","payload":{"data":{"count":0}}}"#);
        assert_eq!(client.text().await, r#"{"id":"a","type":"next","payload":{"data":{"count":1}}}"#);
        assert_eq!(client.text().await, r#"{"id":"a","type":"complete"}"#);
        client.say(r#"{"type":"ping","payload":{"any":1}}"#);
        assert_eq!(client.text().await, r#"{"type":"pong"}"#);
    }

    #[tokio::test]
    async fn an_id_is_free_again_once_the_client_has_completed_it() {
        let mut client = signed_in(&sockets(PATIENT), "ada").await;
        client.say(&subscribe("a", "silence"));
        client.say(r#"{"id":"a","type":"complete"}"#);
        client.say(&subscribe("a", "count(to:1)"));
        assert_eq!(client.text().await, r#"{"id":"a","type":"next","payload":{"data":{"count":0}}}"#);
        assert_eq!(client.text().await, r#"{"id":"a","type":"complete"}"#);
        client.say(&subscribe("a", "silence"));
        client.say(&subscribe("a", "silence"));
        assert_eq!(client.closed().await, 4409);
    }

    #[tokio::test]
    async fn a_socket_has_eight_streams_and_no_ninth() {
        let mut client = signed_in(&sockets(PATIENT), "ada").await;
        for number in 0..=STREAMS_MAX {
            client.say(&subscribe(&number.to_string(), "silence"));
        }
        let refused = client.text().await;
        assert!(
            refused.starts_with(r#"{"id":"8","type":"error""#) && refused.contains("QUERY_TOO_COMPLEX"),
            "{refused}"
        );
        client.say(r#"{"id":"3","type":"complete"}"#);
        client.say(&subscribe("8", "count(to:1)"));
        assert!(client.text().await.starts_with(r#"{"id":"8","type":"next""#));
    }

    #[tokio::test]
    async fn a_subscription_costs_points_like_any_request() {
        let mut client = signed_in(&sockets(PATIENT), "ada").await;
        // 1 and 10 for each query beside it, of 30.
        for (queries, kind, code) in [(2, "next", "count"), (3, "error", "RATE_LIMITED")] {
            let beside = (0..queries).map(|number| format!("query q{number}{{{}}} ", "ping ".repeat(10)));
            let query = format!("subscription S{{count(to:1)}} {}", beside.collect::<String>());
            let payload = serde_json::json!({ "query": query, "operationName": "S" });
            client.say(&serde_json::json!({ "id": kind, "type": "subscribe", "payload": payload }).to_string());
            let said = client.text().await;
            assert!(said.contains(&format!("\"type\":\"{kind}\"")) && said.contains(code), "{said}");
            if kind == "next" {
                assert!(client.text().await.contains("complete"));
            }
        }
    }

    #[tokio::test]
    async fn what_is_no_message_of_the_protocol_ends_the_socket() {
        let long = "x".repeat(ID_BYTES_MAX + 1);
        let wrong = [
            "",
            "[]",
            "{}",
            "{\"type\":\"start\"}",
            "{\"type\":\"subscribe\"}",
            "{\"type\":\"subscribe\",\"id\":\"a\"}",
            "{\"type\":\"complete\"}",
            &subscribe(&long, "silence"),
        ];
        for text in wrong {
            let mut client = signed_in(&sockets(PATIENT), "ada").await;
            client.say(text);
            assert_eq!(client.closed().await, 4400, "{text}");
        }
        let mut client = signed_in(&sockets(PATIENT), "ada").await;
        let _ = client.say.send(Heard::Binary);
        assert_eq!(client.closed().await, 4400);
        let mut client = signed_in(&sockets(PATIENT), "ada").await;
        client.say(&subscribe(&long[1..], "count(to:1)"));
        assert!(client.text().await.contains("next"));
    }

    #[tokio::test]
    async fn nobody_is_served_before_he_says_who_he_is_and_only_once() {
        for (text, code) in [
            (subscribe("a", "silence").as_str(), 4401),
            (r#"{"type":"connection_init"}"#, 4403),
            (r#"{"type":"connection_init","payload":{"authorization":"eve"}}"#, 4403),
            (r#"{"type":"connection_init","payload":{"authorization":"Bearer eve"}}"#, 4403),
            (r#"{"type":"connection_init","payload":{"authorization":"Basic ada"}}"#, 4403),
        ] {
            let mut client = open(&sockets(PATIENT));
            client.say(text);
            assert_eq!(client.closed().await, code, "{text}");
        }
        let mut client = signed_in(&sockets(PATIENT), "ada").await;
        client.say(r#"{"type":"connection_init","payload":{"authorization":"Bearer ada"}}"#);
        assert_eq!(client.closed().await, 4429);
    }

    #[tokio::test]
    async fn who_says_nothing_in_time_is_left() {
        let mut client = open(&sockets(Patience { init: SHORT * 3, ..PATIENT }));
        assert_eq!(client.closed().await, 4408);
        let mut client = signed_in(&sockets(Patience { idle: SHORT * 3, ..PATIENT }), "ada").await;
        assert_eq!(client.closed().await, 1000);
        let patience = Patience { ping: SHORT, silence: SHORT * 10, idle: LONG, ..PATIENT };
        let mut client = signed_in(&sockets(patience), "ada").await;
        client.say(&subscribe("a", "silence"));
        for _ in 0..15 {
            assert_eq!(client.next().await, Some(Said::Ping));
            let _ = client.say.send(Heard::Pong);
        }
        while let Some(said) = client.next().await {
            assert_eq!(said, Said::Ping, "and then it is left without a word");
        }
    }

    #[tokio::test]
    async fn a_principal_has_sixteen_sockets_and_another_one_has_his_own() {
        let sockets = sockets(PATIENT);
        let mut clients = Vec::new();
        for _ in 0..SOCKETS_PER_PRINCIPAL_MAX {
            clients.push(signed_in(&sockets, "ada").await);
        }
        let mut one_more = open(&sockets);
        one_more.say(r#"{"type":"connection_init","payload":{"authorization":"Bearer ada"}}"#);
        assert_eq!(one_more.closed().await, 1013);
        signed_in(&sockets, "bob").await;
        drop(clients.pop());
        while sockets.held.lock().unwrap().values().copied().max() == Some(SOCKETS_PER_PRINCIPAL_MAX) {
            tokio::task::yield_now().await;
        }
        signed_in(&sockets, "ada").await;
    }

    #[tokio::test]
    async fn the_end_of_the_server_is_told_and_waited_for_and_nobody_comes_in_any_more() {
        let sockets = sockets(PATIENT);
        let mut client = signed_in(&sockets, "ada").await;
        client.say(&subscribe("a", "silence"));
        sockets.close();
        assert_eq!(client.closed().await, 1001);
        assert!(sockets.room().is_none());
        assert!(timeout(SHORT, sockets.drained()).await.is_err(), "he may still read it");
        drop(client);
        timeout(Duration::from_secs(5), sockets.drained()).await.unwrap();
    }

    #[test]
    fn a_server_has_room_for_so_many_sockets_and_no_more() {
        let sockets = sockets(PATIENT);
        let mut rooms: Vec<Room> = (0..SOCKETS_MAX).map(|_| sockets.room().unwrap()).collect();
        assert!(sockets.room().is_none());
        rooms.pop();
        assert!(sockets.room().is_some());
    }
}
