//! A test conversion: a test click and a request about it, through the whole of the pipeline.
//!
//! What is sent is what a sender would send, with the secret of a live token, read by the same parser and judged by the
//! same checks; only the socket is left out. The click is one of a test link, so everything that hangs on it is marked
//! as a test and counts in no figure. A rejection or a change of status needs a conversion: it gets one first.
//! A clickless conversion has no click that could mark it, so it cannot be tried like this: it would count.

use std::net::{IpAddr, Ipv4Addr};

use url::form_urlencoded;

use super::issued_token::open;
use super::postback_urls::{PostbackKind, pixel_blocker};
use super::record_click::{Clicked, record_click};
use super::track::track;
use super::wire_urls::{Origin, ParamInput};
use super::{App, AppError, Outcome, UserError, UserErrorCode};
use crate::domain::audit::{AuditChange, AuditEvent};
use crate::domain::code::Code;
use crate::domain::ids::{ConversionId, OfferId, PublisherId};
use crate::domain::inbound::{Door, Inbound, Pairs, Parameter, read};
use crate::domain::offer::Offer;
use crate::domain::operator::Principal;
use crate::domain::receipt::{Arrival, Receipt};
use crate::domain::secure_token::{PlainToken, SecureToken, TokenScope};
use crate::domain::snapshot::Snapshot;
use crate::domain::status::Status;
use crate::domain::test_link;
use crate::domain::transaction_id::TransactionId;
use crate::store::audit;
use crate::store::filter::StringMatch;
use crate::store::page::PageRequest;
use crate::store::receipts::{self, Newest, ReceiptFilter};

/// How long the link of the click works: it is used at once.
const LINK_SECONDS: i64 = 60;
/// What a test rejects with, where nothing else is asked for.
const REASON: &str = "Test";
const USER_AGENT: &str = "roundtrip-test";

/// What is to be tried.
#[derive(Clone, Debug)]
pub struct TestRequest {
    pub offer: OfferId,
    /// None: the first active one that the offer is open to.
    pub publisher: Option<PublisherId>,
    pub kind: PostbackKind,
    /// Beside those that are put in: the secret and the transaction id.
    pub params: Vec<ParamInput>,
}

/// What came of it.
#[derive(Clone, Debug)]
pub struct Tested {
    /// Of the last request that was sent.
    pub receipt: Receipt,
    pub conversion: Option<ConversionId>,
}

/// Sends a test request, after an entry in the audit trail.
///
/// # Errors
/// `NotFound` and `Required` (offer, publisher), `Invalid` for a clickless one, for a parameter that is put in by us
/// and for a visitor who is sent elsewhere, `TokenNotActive` without a usable secret, `DomainNotVerified` for a pixel
/// without a tracking domain.
pub async fn send_test(app: &App, principal: &Principal, request: &TestRequest) -> Outcome<Tested> {
    let test = match Test::prepare(app, principal, request).await? {
        Ok(test) => test,
        Err(fault) => return Ok(Err(vec![fault])),
    };
    write_down(app, principal, request).await?;
    let transaction = match test.click().await {
        Ok(transaction) => transaction,
        Err(code) => return Ok(Err(vec![no_click(code)])),
    };
    let mut sent = None;
    for step in &test.steps {
        sent = Some(test.fire(step, transaction).await?);
    }
    sent.map(Ok).ok_or_else(|| AppError::Internal("a test without a request".to_owned()))
}

/// Everything that a test needs, before anything is written.
struct Test<'a> {
    app: &'a App,
    offer: OfferId,
    publisher: PublisherId,
    /// In their order; the last is what was asked for.
    steps: Vec<Step>,
    host: String,
    address: IpAddr,
    request_id: String,
}

/// One request about the click.
struct Step {
    kind: PostbackKind,
    /// None for a pixel.
    secret: Option<PlainToken>,
    params: Vec<(String, String)>,
}

impl<'a> Test<'a> {
    async fn prepare(
        app: &'a App,
        principal: &Principal,
        request: &TestRequest,
    ) -> Result<Result<Self, UserError>, AppError> {
        let snapshot = app.snapshot.load_full();
        let ready = check_params(request)
            .and_then(|()| publisher(&snapshot, request))
            .and_then(|publisher| Ok((publisher, host(app, &snapshot, request.kind)?)));
        let (publisher, host) = match ready {
            Ok(ready) => ready,
            Err(fault) => return Ok(Err(fault)),
        };
        let mut steps = Vec::new();
        for (kind, params) in kinds(request) {
            match secret(app, &snapshot, request.offer, kind).await? {
                Ok(secret) => steps.push(Step { kind, secret, params }),
                Err(fault) => return Ok(Err(fault)),
            }
        }
        let address = principal.address.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
        let request_id = principal.request_id.clone();
        Ok(Ok(Self { app, offer: request.offer, publisher, steps, host, address, request_id }))
    }

    /// The visit.
    async fn click(&self) -> Result<TransactionId, Code> {
        let (offer, publisher) = (self.offer.number().to_string(), self.publisher.number().to_string());
        let end = self.app.clock.now().plus_seconds(LINK_SECONDS);
        let proof = test_link::sign(&self.app.keyring, self.offer, self.publisher, end);
        let inbound = inbound(Door::Click, &[("offer", &offer), ("publisher", &publisher), ("test", &proof)]);
        match record_click(self.app, inbound, self.arrival("/click")).await {
            Clicked::Landed { transaction_id, .. } => Ok(transaction_id),
            Clicked::Refused { code, .. } => Err(code),
        }
    }

    /// One request, and its receipt.
    async fn fire(&self, step: &Step, transaction: TransactionId) -> Result<Tested, AppError> {
        let (door, text) = (step.kind.door(), transaction.to_string());
        let mut pairs = vec![("transaction_id", text.as_str())];
        pairs.extend(step.secret.as_ref().map(|secret| ("secure", secret.reveal())));
        pairs.extend(step.params.iter().map(|(name, value)| (name.as_str(), value.as_str())));
        let answer = track(self.app, inbound(door, &pairs), self.arrival(step.kind.path())).await.answer;
        if answer.code == Code::TryAgain {
            return Err(AppError::Busy);
        }
        let receipt = match answer.receipt {
            Some(id) => receipts::find(&self.app.database, id).await?,
            None => self.receipt_of(door, &text).await?,
        };
        let receipt = receipt.ok_or_else(|| AppError::Internal("a test request left no receipt".to_owned()))?;
        Ok(Tested { conversion: receipt.conversion, receipt })
    }

    /// That of a pixel, which is not told its id.
    async fn receipt_of(&self, door: Door, transaction: &str) -> Result<Option<Receipt>, AppError> {
        let filter = ReceiptFilter {
            doors: Some(vec![door]),
            transaction_id: Some(StringMatch::eq(transaction)),
            ..ReceiptFilter::default()
        };
        let page = receipts::list(&self.app.database, &filter, &PageRequest::beginning(Newest)).await?;
        Ok(page.into_values().into_iter().next())
    }

    fn arrival(&self, path: &str) -> Arrival {
        Arrival {
            at: self.app.clock.now(),
            method: "GET".to_owned(),
            host: self.host.clone(),
            path: path.to_owned(),
            address: self.address,
            user_agent: Some(USER_AGENT.to_owned()),
            referrer_origin: None,
            is_bot: false,
            request_id: self.request_id.clone(),
        }
    }
}

fn inbound(door: Door, pairs: &[(&str, &str)]) -> Box<Inbound> {
    let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
    Box::new(read(door, Pairs::from_query(query.as_bytes())))
}

/// The requests that a kind needs, each with its parameters.
fn kinds(request: &TestRequest) -> Vec<(PostbackKind, Vec<(String, String)>)> {
    let mut params: Vec<(String, String)> =
        request.params.iter().map(|param| (param.name.trim().to_owned(), param.value.clone())).collect();
    let door = request.kind.door();
    let mut or_default = |parameter: Parameter, value: &str| {
        if !params.iter().any(|(name, _)| known(name, door) == Some(parameter)) {
            params.push((parameter.spec().name.to_owned(), value.to_owned()));
        }
    };
    match request.kind {
        PostbackKind::Rejection => or_default(Parameter::NewRejectedReason, REASON),
        PostbackKind::Status => or_default(Parameter::Status, Status::Rejected.as_str()),
        PostbackKind::Conversion | PostbackKind::Clickless | PostbackKind::ImagePixel => {}
    }
    let before = match request.kind {
        PostbackKind::Rejection | PostbackKind::Status => vec![(PostbackKind::Conversion, Vec::new())],
        PostbackKind::Conversion | PostbackKind::Clickless | PostbackKind::ImagePixel => Vec::new(),
    };
    before.into_iter().chain([(request.kind, params)]).collect()
}

/// Names are read without regard to case.
fn known(name: &str, door: Door) -> Option<Parameter> {
    Parameter::find(&name.to_ascii_lowercase(), door)
}

fn check_params(request: &TestRequest) -> Result<(), UserError> {
    let door = request.kind.door();
    if request.kind == PostbackKind::Clickless {
        let message = "A clickless conversion has no click that marks it as a test: it would count.";
        let error = UserError::new(UserErrorCode::Invalid, &["kind"], message);
        return Err(error.with_hint("Send it with dry_run=1, or paste its URL into postbackExplain."));
    }
    let ours = [Parameter::Secure, Parameter::TransactionId, Parameter::Test, Parameter::DryRun];
    let is_ours = |param: &&ParamInput| known(param.name.trim(), door).is_some_and(|found| ours.contains(&found));
    match request.params.iter().find(is_ours) {
        Some(param) => {
            let message = format!("`{}` is put in by the server: leave it out.", param.name.trim());
            Err(UserError::new(UserErrorCode::Invalid, &["params"], message))
        }
        None => Ok(()),
    }
}

/// The publisher that was asked for, or one that may work for the offer.
fn publisher(snapshot: &Snapshot, request: &TestRequest) -> Result<PublisherId, UserError> {
    let not_found = |field: &str, noun: &str| {
        UserError::new(UserErrorCode::NotFound, &[field], format!("There is no such {noun}."))
    };
    let offer = snapshot.offers.get(&request.offer).ok_or_else(|| not_found("offerId", "offer"))?;
    match request.publisher {
        Some(id) if snapshot.publishers.contains_key(&id) => Ok(id),
        Some(_) => Err(not_found("publisherId", "publisher")),
        None => first_open(snapshot, offer).ok_or_else(|| {
            let message = "No active publisher has access to this offer: say which one the visit is to come from.";
            UserError::new(UserErrorCode::Required, &["publisherId"], message)
        }),
    }
}

fn first_open(snapshot: &Snapshot, offer: &Offer) -> Option<PublisherId> {
    let ids = snapshot.publishers.keys().copied();
    ids.filter(|id| snapshot.publisher_active(*id) && offer.open_to(*id)).min()
}

/// Where the request would be sent.
fn host(app: &App, snapshot: &Snapshot, kind: PostbackKind) -> Result<String, UserError> {
    let origin = match kind {
        PostbackKind::ImagePixel => Origin::choose_custom(app, snapshot, None)?.ok_or_else(|| {
            let message = pixel_blocker(snapshot).unwrap_or_default();
            UserError::new(UserErrorCode::DomainNotVerified, &["kind"], message)
        })?,
        PostbackKind::Conversion | PostbackKind::Clickless | PostbackKind::Rejection | PostbackKind::Status => {
            Origin::choose(app, snapshot, None)?
        }
    };
    Ok(origin.base.host_str().unwrap_or_default().to_owned())
}

/// The text of the newest live token that may do it, those of the offer before those for all.
async fn secret(
    app: &App,
    snapshot: &Snapshot,
    offer: OfferId,
    kind: PostbackKind,
) -> Result<Result<Option<PlainToken>, UserError>, AppError> {
    let Some(needed) = kind.capability() else { return Ok(Ok(None)) };
    let now = app.clock.now();
    let is_its_own = |token: &SecureToken| token.scope == TokenScope::Offer(offer);
    let fits = |token: &&SecureToken| {
        let in_scope = token.scope == TokenScope::Global || is_its_own(token);
        in_scope && token.live_at(now) && token.capabilities.has(needed)
    };
    let mut tokens: Vec<&SecureToken> = snapshot.tokens.values().filter(fits).collect();
    tokens.sort_by_key(|token| std::cmp::Reverse((is_its_own(token), token.id)));
    for token in tokens {
        if let Some(secret) = open(app, token.id).await? {
            return Ok(Ok(Some(secret)));
        }
    }
    let message = format!("No live token of this offer or for all may {} and has its text kept.", needed.as_str());
    let error = UserError::new(UserErrorCode::TokenNotActive, &["offerId"], message);
    Ok(Err(error.with_hint("Make a token for the offer, or rotate one.")))
}

fn no_click(code: Code) -> UserError {
    let message = format!("The visit itself is refused ({}). {}", code.as_str(), code.cure());
    UserError::new(UserErrorCode::Invalid, &["publisherId"], message)
}

async fn write_down(app: &App, principal: &Principal, request: &TestRequest) -> Result<(), AppError> {
    let label = app.snapshot.load().offers.get(&request.offer).map_or_else(String::new, |offer| offer.name.clone());
    let kind = AuditChange::new("kind", None, Some(request.kind.noun().to_owned()));
    let chance = (app.clock.as_ref(), app.entropy.as_ref());
    let event = AuditEvent::new(principal, "postback.send_test", (&request.offer, &label), vec![kind], chance);
    Ok(app.database.side_write(Box::new(move |tx| Box::pin(async move { audit::insert(tx, event).await }))).await?)
}
