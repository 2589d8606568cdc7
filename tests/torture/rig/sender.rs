//! One sender: it asks, and asks again until there is an answer, as a careful sender would.
//!
//! Anything but an answer (a connection that is cut, 503, 429) means unknown, and the same request is sent again.
//! An answer that the contract does not know is written down as broken.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use reqwest::Client;
use reqwest::redirect::Policy;
use roundtrip::domain::ids::{ConversionId, ReceiptId};
use serde_json::Value;
use tokio::time::{Instant, sleep};

use super::Outcome;
use super::ledger::{Id, Ledger, ReceiptPromised};
use super::server::{Mint, OFFER, PIXEL_HOST, Server};

/// No bot's name: bots are left out of the figures.
const BROWSER: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:132.0) Gecko/20100101 Firefox/132.0";
/// Between two tries.
const PAUSE: Duration = Duration::from_millis(15);
/// A request that has no answer after this time never will.
const PATIENCE: Duration = Duration::from_secs(60);
/// The server answers within 2 s; a sender that is patient waits longer.
const HANGS_UP_AFTER: Duration = Duration::from_secs(8);
/// The last millisecond at which a visitor is surely sent on by a commit and not by a deadline of ours.
const IN_GOOD_TIME: Duration = Duration::from_millis(1_000);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Door {
    Click,
    Pixel,
    /// Postback, clickless, rejection and status: JSON, under a token.
    Told,
    /// As before, with a token that nobody has.
    Stranger,
}

#[derive(Clone, Debug)]
pub(super) struct Request {
    pub(super) door: Door,
    pub(super) path: &'static str,
    pub(super) query: String,
    pub(super) by_post: bool,
}

/// An answer.
#[derive(Clone, Debug)]
pub(super) struct Told {
    pub(super) code: String,
    pub(super) conversion: Option<Id>,
    pub(super) transaction: Option<String>,
    pub(super) status: Option<String>,
    /// 1: it was answered at once.
    pub(super) tries: u32,
}

/// One try, for whoever wants to know how a fault felt.
#[derive(Clone, Copy, Debug)]
pub(super) struct Try {
    pub(super) ended: Instant,
    pub(super) door: Door,
    /// 0: it was cut.
    pub(super) status: u16,
    pub(super) took: Duration,
}

/// What all senders of one run share.
pub(super) struct Senders {
    pub(super) mint: Mint,
    pub(super) ledger: Ledger,
    client: Client,
    base: String,
    secret: String,
    tries: Mutex<Vec<Try>>,
    pub(super) requests: AtomicU64,
    /// The database, or what is below it, is being broken.
    pub(super) is_troubled: AtomicBool,
    /// The server is being killed: connections may be cut.
    pub(super) may_be_cut: AtomicBool,
}

impl Senders {
    pub(super) fn to(server: &Server) -> Outcome<Arc<Self>> {
        Ok(Arc::new(Self {
            mint: server.mint.clone(),
            ledger: Ledger::default(),
            client: Client::builder()
                .redirect(Policy::none())
                .no_proxy()
                .user_agent(BROWSER)
                .timeout(HANGS_UP_AFTER)
                .build()?,
            base: format!("http://{}", server.program.address),
            secret: server.secret.clone(),
            tries: Mutex::default(),
            requests: AtomicU64::new(0),
            is_troubled: AtomicBool::new(false),
            may_be_cut: AtomicBool::new(false),
        }))
    }

    pub(super) fn tries(&self) -> Vec<Try> {
        self.tries.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Was there such a try?
    pub(super) fn saw(&self, such: impl Fn(&Try) -> bool) -> bool {
        self.tries.lock().unwrap_or_else(PoisonError::into_inner).iter().rev().any(such)
    }

    /// A dry run is answered from what can be read.
    pub(super) async fn reads(&self) -> Outcome<()> {
        let id = self.mint.mint(OFFER)?;
        let query = format!("transaction_id={id}&dry_run=1");
        let response =
            self.build(&Request { door: Door::Told, path: "/postback", query, by_post: false }).send().await?;
        let said = response.text().await?;
        if said.contains("\"dry_run\"") { Ok(()) } else { Err(said.into()) }
    }

    pub(super) fn broken(&self, what: String) {
        self.ledger.open().broken.push(what);
    }

    /// Sends until it is answered.
    ///
    /// # Errors
    /// There was no answer in [`PATIENCE`].
    pub(super) async fn send(&self, request: &Request) -> Outcome<Told> {
        let began = Instant::now();
        let mut last = String::new();
        for tries in 1.. {
            if began.elapsed() > PATIENCE {
                break;
            }
            self.requests.fetch_add(1, Ordering::Relaxed);
            match self.try_once(request, tries).await {
                Ok(told) => return Ok(told),
                Err(unknown) => last = unknown,
            }
            sleep(PAUSE).await;
        }
        Err(format!("{request:?} had no answer in {PATIENCE:?}: {last}").into())
    }

    /// `Err`: unknown, and why.
    async fn try_once(&self, request: &Request, tries: u32) -> Result<Told, String> {
        let was_troubled = self.is_troubled.load(Ordering::SeqCst);
        if request.door == Door::Click {
            self.ledger.open().clicks_sent += 1;
        }
        let began = Instant::now();
        let response = self.build(request).send().await;
        let read = match response {
            Ok(response) => read(response).await,
            Err(error) => Err(error.to_string()),
        };
        let (ended, took) = (Instant::now(), began.elapsed());
        let status = read.as_ref().map_or(0, |read| read.status);
        let mut seen = self.tries.lock().unwrap_or_else(PoisonError::into_inner);
        seen.push(Try { ended, door: request.door, status, took });
        drop(seen);
        let read = read.map_err(|error| {
            if !self.may_be_cut.load(Ordering::SeqCst) {
                self.broken(format!("{}?{}: no answer after {took:?}: {error}", request.path, request.query));
            }
            error
        })?;
        let in_good_time = !was_troubled && !self.is_troubled.load(Ordering::SeqCst) && took < IN_GOOD_TIME;
        self.understand(request, read, tries, in_good_time)
    }

    fn build(&self, request: &Request) -> reqwest::RequestBuilder {
        let Request { door, path, query, by_post } = request;
        let url = format!("{}{path}", self.base);
        let built = if *by_post {
            let form = "application/x-www-form-urlencoded";
            self.client.post(url).header("content-type", form).body(query.clone())
        } else {
            self.client.get(format!("{url}?{query}"))
        };
        match door {
            Door::Click => built,
            Door::Pixel => built.header("host", PIXEL_HOST),
            Door::Told => built.header("x-secure-token", &self.secret),
            Door::Stranger => built.header("x-secure-token", "nobody-has-this-one"),
        }
    }

    fn understand(&self, request: &Request, read: Read, tries: u32, in_good_time: bool) -> Result<Told, String> {
        let told = |code: String| Told { code, conversion: None, transaction: None, status: None, tries };
        match (request.door, read.status) {
            (Door::Click, 302) => {
                let location = read.headers.get("location").cloned().unwrap_or_default();
                let transaction = location.split_once("tid=").map(|(_, id)| id.to_owned());
                let code = if in_good_time { "settled" } else { "sent_on" };
                Ok(Told { transaction, ..told(code.to_owned()) })
            }
            (Door::Pixel, 200) => match read.headers.get("x-conversion-result").map(String::as_str) {
                Some(code @ ("recorded" | "duplicate")) => Ok(told(code.to_owned())),
                other => Err(format!("a GIF, and {other:?}")),
            },
            (Door::Told, 200 | 202 | 422) => self.keep(&read, tries),
            (Door::Stranger, 401) => Ok(told("invalid_secure".to_owned())),
            (Door::Told | Door::Stranger, 503 | 429) => Err(format!("{}", read.status)),
            (door, status) => {
                self.broken(format!("{door:?} {}?{} was answered {status} {}", request.path, request.query, read.body));
                Err(format!("{status}"))
            }
        }
    }

    /// A receipt is promised with every answer under a verified token.
    fn keep(&self, read: &Read, tries: u32) -> Result<Told, String> {
        let body: Value = serde_json::from_str(&read.body).map_err(|error| error.to_string())?;
        let text = |name: &str| body[name].as_str().map(str::to_owned);
        let conversion = body["conversion_id"].as_str().and_then(ConversionId::parse);
        let conversion = conversion.map(|id| id.uuid().into_bytes());
        let code = text("code").unwrap_or_default();
        match body["receipt_id"].as_str().and_then(ReceiptId::parse) {
            Some(receipt) => {
                let promised = ReceiptPromised { code: code.clone(), conversion };
                self.ledger.open().receipts.insert(receipt.uuid().into_bytes(), promised);
            }
            None => self.broken(format!("an answer under a verified token names no receipt: {body}")),
        }
        Ok(Told { code, conversion, transaction: text("transaction_id"), status: text("status"), tries })
    }
}

struct Read {
    status: u16,
    headers: BTreeMap<String, String>,
    body: String,
}

async fn read(response: reqwest::Response) -> Result<Read, String> {
    let status = response.status().as_u16();
    let text = |value: &reqwest::header::HeaderValue| value.to_str().unwrap_or_default().to_owned();
    let headers = response.headers().iter().map(|(name, value)| (name.as_str().to_owned(), text(value))).collect();
    let body = response.bytes().await.map_err(|error| error.to_string())?;
    Ok(Read { status, headers, body: String::from_utf8_lossy(&body).into_owned() })
}
