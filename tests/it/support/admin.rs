//! The admin API without a socket: its endpoint on a fresh database, and people of every role.

use std::net::IpAddr;
use std::sync::{Arc, Mutex};

use futures_util::future::BoxFuture;
use roundtrip::app::App;
use roundtrip::app::dns::{DnsFailure, DnsLookup};
use roundtrip::app::point_budget::Allowance;
use roundtrip::app::record_click::{Clicked, record_click};
use roundtrip::app::track::track;
use roundtrip::domain::answer::Answer;
use roundtrip::domain::clock::{Clock, Timestamp};
use roundtrip::domain::ids::{ApiKeyId, OperatorId, SessionId};
use roundtrip::domain::inbound::{Door, Pairs, read};
use roundtrip::domain::operator::{AuthRefused, Caller, Principal, PrincipalKind, Role};
use roundtrip::domain::receipt::Arrival;
use roundtrip::graphql::StatusOf;
use roundtrip::graphql::endpoint::{Authenticator, Call, Endpoint, Reply, Spent};
use roundtrip::graphql::schema;
use roundtrip::http::answer::status_of;
use roundtrip::store::{ConnectOptionsOf, Database, Engine};
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::bench::fresh_options;
use super::chance::ManualClock;
use super::desk;
use super::proxy::Proxy;

/// Who asks, as whom they are believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bearer {
    Person(Role),
    Key(Role),
}

impl Bearer {
    fn text(self) -> String {
        match self {
            Self::Person(role) => role.as_str().to_owned(),
            Self::Key(role) => format!("key-{}", role.as_str()),
        }
    }
}

/// The person and the session that everybody is in.
type Believed = Arc<Mutex<(OperatorId, Option<SessionId>)>>;

/// Everybody is who they say they are: the bearer is a role.
struct Door2(Believed);

impl Authenticator for Door2 {
    fn authenticate<'a>(
        &'a self,
        bearer: &'a str,
        address: Option<IpAddr>,
        request_id: &'a str,
    ) -> BoxFuture<'a, Result<Principal, AuthRefused>> {
        let (operator, session) = *self.0.lock().unwrap();
        let caller = Caller { address, request_id: request_id.to_owned() };
        let person = |role| Principal {
            operator: Some(operator),
            label: "Ada".into(),
            role,
            session,
            ..Principal::system_for(&caller)
        };
        let key = |role| Principal {
            kind: PrincipalKind::ApiKey,
            api_key: Some(ApiKeyId::from_uuid(uuid::Uuid::from_u128(8))),
            label: "robot".into(),
            role,
            ..Principal::system_for(&caller)
        };
        let believed = match bearer.strip_prefix("key-") {
            Some(role) => Role::parse(role).map(key),
            None => Role::parse(bearer).map(person),
        };
        Box::pin(async move { believed.ok_or(AuthRefused::Invalid) })
    }

    /// More than any test spends.
    fn spend(&self, _: &Principal, cost: u32) -> Result<Allowance, Spent> {
        let (limit, resets_at) = (1_000_000, Timestamp::from_millis(60_000));
        Ok(Allowance { limit, remaining: limit.saturating_sub(cost), resets_at, cost })
    }

    fn version(&self) -> i64 {
        1
    }
}

/// No name has any record.
struct EmptyZone;

impl DnsLookup for EmptyZone {
    fn cname<'a>(&'a self, _name: &'a str) -> BoxFuture<'a, Result<Vec<String>, DnsFailure>> {
        Box::pin(async { Ok(Vec::new()) })
    }

    fn txt<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Vec<String>, DnsFailure>> {
        self.cname(name)
    }
}

/// The admin API on a database of its own.
pub(crate) struct Admin {
    pub(crate) app: Arc<App>,
    pub(crate) clock: Arc<ManualClock>,
    endpoint: Endpoint,
    believed: Believed,
    _folder: Option<TempDir>,
}

impl Admin {
    /// With nothing in the database.
    pub(crate) async fn start(engine: Engine) -> Self {
        let (app, clock, folder) = desk::app(engine, Arc::new(EmptyZone)).await;
        Self { _folder: folder, ..Self::over(app, clock) }
    }

    /// On PostgreSQL, through a proxy that counts statements.
    pub(crate) async fn start_counted() -> (Self, Proxy) {
        let (options, _) = fresh_options(Engine::Postgres);
        let (proxy, url) = Proxy::before(options.url.expose_secret());
        let database = Database::connect(&ConnectOptionsOf { url: url.into(), ..options }).await.unwrap();
        database.migrate().await.unwrap();
        let (app, clock) = desk::app_on(database, Arc::new(EmptyZone)).await;
        (Self::over(app, clock), proxy)
    }

    fn over(app: App, clock: Arc<ManualClock>) -> Self {
        let app = Arc::new(app);
        let schema = schema::build(Arc::clone(&app), StatusOf(status_of), app.clock.now());
        let believed = Arc::new(Mutex::new((OperatorId::from_uuid(uuid::Uuid::from_u128(7)), None)));
        let endpoint = Endpoint::new(schema, Arc::new(Door2(Arc::clone(&believed))));
        Self { app, clock, endpoint, believed, _folder: None }
    }

    /// From now on every person is this one, in this session.
    pub(crate) fn believe_as(&self, operator: OperatorId, session: &str) {
        *self.believed.lock().unwrap() = (operator, SessionId::parse(session));
    }

    /// Sends a request of a person; without a role, without a bearer.
    pub(crate) async fn send(&self, role: Option<Role>, query: &str, variables: Value) -> Reply {
        self.send_as(role.map(Bearer::Person), query, variables).await
    }

    async fn send_as(&self, bearer: Option<Bearer>, query: &str, variables: Value) -> Reply {
        let body = json!({ "query": query, "variables": variables }).to_string();
        let bearer = bearer.map(|bearer| format!("Bearer {}", bearer.text()));
        let mut headers: Vec<(&str, &[u8])> = vec![("content-type", b"application/json")];
        headers.extend(bearer.as_ref().map(|bearer| ("authorization", bearer.as_bytes())));
        let address = Some([198, 51, 100, 7].into());
        let call = Call { method: "POST", headers: &headers, body: body.as_bytes(), address, request_id: "req_1" };
        self.endpoint.respond(call).await
    }

    /// The whole answer to a person.
    pub(crate) async fn ask(&self, role: Role, query: &str, variables: Value) -> Value {
        self.ask_as(Bearer::Person(role), query, variables).await
    }

    /// The whole answer.
    pub(crate) async fn ask_as(&self, bearer: Bearer, query: &str, variables: Value) -> Value {
        let reply = self.send_as(Some(bearer), query, variables).await;
        serde_json::from_slice(&reply.body).unwrap()
    }

    /// The data of an answer without errors, to an administrator.
    pub(crate) async fn data(&self, query: &str, variables: Value) -> Value {
        let mut answer = self.ask(Role::Admin, query, variables).await;
        assert!(answer.get("errors").is_none(), "{query}: {answer:#}");
        answer["data"].take()
    }

    /// The one field of a mutation that must succeed.
    pub(crate) async fn done(&self, mutation: &str, variables: Value) -> Value {
        let mut data = self.data(mutation, variables).await;
        let payload = data.as_object_mut().and_then(|data| data.values_mut().next()).unwrap().take();
        assert_eq!(payload["userErrors"], json!([]), "{mutation}: {payload:#}");
        payload
    }

    /// An advertiser, a publisher and an offer of 10 EUR, 7 EUR to the publisher; and a global token for everything,
    /// whose secret is returned.
    pub(crate) async fn furnish(&self) -> String {
        self.done(
            "mutation { advertiserCreate(advertiser: { name: \"Shop\", number: 1 }) { userErrors { message } } }",
            json!({}),
        )
        .await;
        self.done(
            "mutation { publisherCreate(publisher: { name: \"News\", number: 7 }) { userErrors { message } } }",
            json!({}),
        )
        .await;
        let offer = json!({ "offer": {
            "name": "Shoes", "number": 42, "advertiserId": "adv_1", "currency": "EUR",
            "landingPageUrl": "https://shop.example/?tid={transaction_id}",
            "revenue": { "fixed": "10" }, "payout": { "fixed": "7.00" },
            "clicklessEnabled": true, "pixelEnabled": true,
        } });
        self.done(
            "mutation($offer: OfferInput!) { offerCreate(offer: $offer) { userErrors { message field } } }",
            offer,
        )
        .await;
        let token = "mutation { secureTokenCreate(input: { scope: GLOBAL, label: \"all\", \
                     capabilities: [CONVERT, REJECT, CLICKLESS, STATUS] }) { secret userErrors { message } } }";
        self.done(token, json!({})).await["secret"].as_str().unwrap().to_owned()
    }

    /// Follows a tracking link; the transaction id of the visit.
    pub(crate) async fn click(&self, query: &str) -> String {
        let inbound = read(Door::Click, Pairs::from_query(query.as_bytes()));
        match record_click(&self.app, Box::new(inbound), self.arrival("/click")).await {
            Clicked::Landed { location, .. } => location.split("tid=").nth(1).unwrap().to_owned(),
            Clicked::Refused { code, .. } => panic!("{}", code.as_str()),
        }
    }

    /// Sends a postback of whatever kind.
    pub(crate) async fn track(&self, door: Door, query: &str) -> Answer {
        let inbound = read(door, Pairs::from_query(query.as_bytes()));
        track(&self.app, Box::new(inbound), self.arrival("/postback")).await.answer
    }

    fn arrival(&self, path: &str) -> Arrival {
        Arrival {
            at: self.clock.now(),
            method: "GET".into(),
            host: "track.example".into(),
            path: path.into(),
            address: [203, 0, 113, 9].into(),
            user_agent: Some("sender/1".into()),
            referrer_origin: None,
            is_bot: false,
            request_id: "req_2".into(),
        }
    }
}
