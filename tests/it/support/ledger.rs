//! What senders and visitors were told while something was wrong, and the audit of it afterwards: whatever was answered
//! is there, once, and whatever was not can be sent again.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::future::join_all;
use roundtrip::app::verify::verify;
use roundtrip::domain::transaction_id::TransactionId;
use tokio::time::{Instant, sleep};

use super::databases::rows;
use super::server::{TRACKING_HOST, TestServer, header, told};

/// How long the audit waits for what was promised to arrive by itself.
const PATIENCE: Duration = Duration::from_secs(20);
/// Between two requests of one sender.
const PAUSE: Duration = Duration::from_millis(10);

/// One request of a sender.
#[derive(Debug)]
pub(crate) struct Sent {
    pub(crate) id: TransactionId,
    /// The conversion, when the answer was 200; none after 503.
    pub(crate) conversion: Option<String>,
    pub(crate) took: Duration,
}

#[derive(Debug, Default)]
pub(crate) struct Ledger {
    pub(crate) postbacks: Vec<Sent>,
    /// Visitors who were sent on, each with the id in the URL.
    pub(crate) clicks: BTreeSet<TransactionId>,
    pub(crate) pixels: Vec<TransactionId>,
    /// The longest that a visitor or a browser waited.
    pub(crate) longest_visit: Duration,
}

/// Who sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Crowd {
    SendersOnly,
    Everybody,
}

impl Ledger {
    /// Sends while `meanwhile` lasts, and checks every answer: a postback gets 200 or the 503 of the contract, a visitor
    /// is sent on, a browser gets its picture, and nobody is cut off.
    pub(crate) async fn during<T>(server: &TestServer, crowd: Crowd, meanwhile: impl Future<Output = T>) -> (Self, T) {
        let over = AtomicBool::new(false);
        let (visitors, browsers) = match crowd {
            Crowd::SendersOnly => (0, 0),
            Crowd::Everybody => (2, 1),
        };
        let senders = join_all((0..4).map(|_| send(server, &over)));
        let visits = join_all((0..visitors).map(|_| visit(server, &over)));
        let pictures = join_all((0..browsers).map(|_| load(server, &over)));
        let plot = async {
            let value = meanwhile.await;
            over.store(true, Ordering::SeqCst);
            value
        };
        let (value, sent, visited, loaded) = tokio::join!(plot, senders, visits, pictures);
        let mut ledger = Self { postbacks: sent.into_iter().flatten().collect(), ..Self::default() };
        for (ids, longest) in visited {
            ledger.clicks.extend(ids);
            ledger.longest_visit = ledger.longest_visit.max(longest);
        }
        for (ids, longest) in loaded {
            ledger.pixels.extend(ids);
            ledger.longest_visit = ledger.longest_visit.max(longest);
        }
        (ledger, value)
    }

    pub(crate) fn unanswered(&self) -> usize {
        self.postbacks.iter().filter(|sent| sent.conversion.is_none()).count()
    }

    /// Sends everything again, and compares with the tables. `others`: conversions of this database that are not of this
    /// ledger.
    pub(crate) async fn audit(&self, server: &TestServer, others: usize) {
        for sent in &self.postbacks {
            self.again(server, sent).await;
        }
        let conversions = self.postbacks.len() + self.pixels.len() + others;
        let began = Instant::now();
        loop {
            let rows = rows(&server.app.database).await;
            let [clicked, converted] = ["click", "conversion"].map(|table| usize::try_from(rows[table]).unwrap());
            assert!(clicked <= self.clicks.len(), "{clicked} clicks of {}", self.clicks.len());
            assert!(converted <= conversions, "{converted} conversions of {conversions}");
            if (clicked, converted) == (self.clicks.len(), conversions) {
                break;
            }
            let missing = (self.clicks.len() - clicked, conversions - converted);
            assert!(began.elapsed() < PATIENCE, "lost: (clicks, conversions and pixels) {missing:?}");
            sleep(Duration::from_millis(100)).await;
        }
        let report = verify(&server.app.database).await.unwrap();
        assert!(report.is_clean(), "{report}");
    }

    /// A sender that was told nothing sends until it is told something; one that was told 200 is told the same.
    async fn again(&self, server: &TestServer, sent: &Sent) {
        let began = Instant::now();
        loop {
            let (status, answer) = server.told(&path(&sent.id)).await;
            if status == 200 {
                let code = answer["code"].as_str().unwrap();
                match &sent.conversion {
                    Some(first) => {
                        assert_eq!((code, answer["conversion_id"].as_str()), ("duplicate", Some(first.as_str())));
                    }
                    None => assert!(["recorded", "duplicate"].contains(&code), "{answer}"),
                }
                return;
            }
            assert!(status == 503 && began.elapsed() < PATIENCE, "{status} {answer}");
            sleep(Duration::from_millis(50)).await;
        }
    }
}

fn path(id: &TransactionId) -> String {
    format!("/postback?transaction_id={id}")
}

async fn send(server: &TestServer, over: &AtomicBool) -> Vec<Sent> {
    let mut all = Vec::new();
    while !over.load(Ordering::SeqCst) {
        let id = server.mint();
        let began = Instant::now();
        let (status, answer) = server.told(&path(&id)).await;
        let conversion = match status {
            200 => Some(answer["conversion_id"].as_str().unwrap().to_owned()),
            503 => {
                assert_eq!(answer["code"], "try_again");
                None
            }
            other => panic!("{other}: {answer}"),
        };
        all.push(Sent { id, conversion, took: began.elapsed() });
        sleep(PAUSE).await;
    }
    all
}

async fn visit(server: &TestServer, over: &AtomicBool) -> (Vec<TransactionId>, Duration) {
    let (mut ids, mut longest) = (Vec::new(), Duration::ZERO);
    while !over.load(Ordering::SeqCst) {
        let began = Instant::now();
        let response = server.get("/click?offer=42&publisher=7&sub_id=news").await;
        longest = longest.max(began.elapsed());
        assert_eq!(response.status(), 302);
        let location = header(&response, "location").unwrap();
        let (_, id) = location.split_once("tid=").unwrap();
        ids.push(TransactionId::parse(id).unwrap());
        sleep(PAUSE).await;
    }
    (ids, longest)
}

async fn load(server: &TestServer, over: &AtomicBool) -> (Vec<TransactionId>, Duration) {
    let (mut ids, mut longest) = (Vec::new(), Duration::ZERO);
    while !over.load(Ordering::SeqCst) {
        let id = server.mint();
        let began = Instant::now();
        let request = server.request("GET", &format!("/pixel.gif?transaction_id={id}")).header("host", TRACKING_HOST);
        let response = request.send().await.unwrap();
        longest = longest.max(began.elapsed());
        assert_eq!((response.status().as_u16(), header(&response, "content-type")), (200, Some("image/gif")));
        ids.push(id);
        sleep(PAUSE).await;
    }
    (ids, longest)
}

/// The time that 99 of 100 did not need longer than.
pub(crate) fn p99(mut took: Vec<Duration>) -> Duration {
    took.sort_unstable();
    took.get(took.len().saturating_sub(1) * 99 / 100).copied().unwrap_or_default()
}

/// A 503 of the contract: its code, and when to come again.
pub(crate) async fn is_put_off(server: &TestServer, path: &str) {
    let response = server.request("GET", path).bearer_auth(&server.secret).send().await.unwrap();
    let retry = header(&response, "retry-after").map(|text| text.parse::<u64>().unwrap());
    assert!(retry.is_some_and(|seconds| (1..=5).contains(&seconds)), "{path}: {retry:?}");
    let (status, answer) = told(response).await;
    assert_eq!((status, answer["code"].as_str()), (503, Some("try_again")), "{path}");
}
