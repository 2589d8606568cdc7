//! Logs and metrics, and the words they use.
//!
//! A log line is one JSON object on stderr (stdout belongs to the command line). It names the route, the code and
//! ids; it never holds a query string, a header, a body, an e-mail or an address: whoever reads logs has less
//! rights than whoever reads receipts. So no span of a library carries a URL here, libraries that see requests or
//! statements are held at WARN whatever the settings say, and a panic is logged by its place, not by a message that
//! was formatted from values.
//!
//! To add a field or a metric: a constant below. Two spellings of one thing make a search miss half of it.

use std::io::IsTerminal;
use std::panic::PanicHookInfo;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, OnceLock};
use std::time::Duration;

use metrics::{Counter, Histogram};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use tracing::{Level, Metadata, Subscriber};
use tracing_subscriber::filter::{EnvFilter, filter_fn};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::{Layer, SubscriberExt};

use crate::config::{LogFormat, LogsConfig};
use crate::domain::clock::{Entropy, random_bytes};
use crate::domain::code::{Code, Verdict};
use crate::domain::inbound::Door;

/// Names of fields in log lines.
pub mod field {
    /// The stable code of an answer, as in `domain::code`.
    pub const CODE: &str = "code";
    /// Number of connections.
    pub const CONNECTIONS: &str = "connections";
    /// What a piece of work took.
    pub const DURATION_MS: &str = "duration_ms";
    /// Why something of ours failed. Only of error types that carry no value of a request.
    pub const ERROR: &str = "error";
    /// The opaque id of a job.
    pub const JOB: &str = "job";
    /// The opaque id of a rule of outbound postbacks.
    pub const OUTBOUND: &str = "outbound";
    /// Number of intake items.
    pub const ITEMS: &str = "items";
    /// File, line and column of our source.
    pub const LOCATION: &str = "location";
    /// Path of a file of ours.
    pub const FILE: &str = "file";
    /// The opaque id of an offer.
    pub const OFFER: &str = "offer";
    /// The opaque id of an operator.
    pub const OPERATOR: &str = "operator";
    /// The opaque id of a receipt.
    pub const RECEIPT_ID: &str = "receipt_id";
    /// See [`super::RequestIds`].
    pub const REQUEST_ID: &str = "request_id";
    /// The pattern of a route, such as `/postback`; never a URL.
    pub const ROUTE: &str = "route";
    /// The HTTP status.
    pub const STATUS: &str = "status";
    /// The opaque id of a secure token; never its text.
    pub const TOKEN_ID: &str = "token_id";
}

/// Names of metrics.
pub mod metric {
    /// Counter, by `phase`: connections closed because the client took too long.
    pub const CONNECTION_TIMEOUTS: &str = "roundtrip_connection_timeouts_total";
    /// Counter: connections whose task panicked.
    pub const CONNECTION_PANICS: &str = "roundtrip_connection_panics_total";
    /// Counter: panics of any task or thread.
    pub const PANICS: &str = "roundtrip_panics_total";
    /// Counter, by `door`: tracking requests that were read.
    pub const TRACKING_ACCEPTED: &str = "roundtrip_tracking_accepted_total";
    /// Counter, by `door`: tracking requests whose outcome is committed and synced.
    pub const TRACKING_DURABLE: &str = "roundtrip_tracking_durable_total";
    /// Counter, by `door` and `code`: every answer of a tracking door.
    pub const TRACKING_ANSWERS: &str = "roundtrip_tracking_answers_total";
    /// Counter, by `door` and `code`: those of them that refuse.
    pub const TRACKING_REFUSED: &str = "roundtrip_tracking_refused_total";
    /// Histogram, by `door`: seconds from the parsed request to its answer.
    pub const TRACKING_SECONDS: &str = "roundtrip_tracking_seconds";
    /// Counter: visitors who were sent on without a record of their click.
    pub const CLICKS_UNSETTLED: &str = "roundtrip_clicks_unsettled_total";
    /// Gauge, by `class`: items that wait in intake.
    pub const INTAKE_DEPTH: &str = "roundtrip_intake_depth";
    /// Counter: receipts of requests without a verified token that were not kept, in a flood or for want of room.
    pub const RECEIPTS_THINNED: &str = "roundtrip_receipts_thinned_total";
    /// Counter: batches that a writer took up.
    pub const BATCHES: &str = "roundtrip_batches_total";
    /// Counter: items in those batches.
    pub const BATCH_ITEMS: &str = "roundtrip_batch_items_total";
    /// Counter: commits whose outcome had to be read back.
    pub const UNKNOWN_COMMITS: &str = "roundtrip_unknown_commits_total";
    /// Counter: items that the database refused alone.
    pub const FAILED_ITEMS: &str = "roundtrip_failed_items_total";
    /// Counter, by `outcome`: tries of outbound postbacks.
    pub const OUTBOUND_TRIES: &str = "roundtrip_outbound_tries_total";
    /// Histogram: seconds of one try.
    pub const OUTBOUND_SECONDS: &str = "roundtrip_outbound_seconds";
    /// Gauge: tries that are under way.
    pub const OUTBOUND_IN_FLIGHT: &str = "roundtrip_outbound_in_flight";
    /// Gauge: seconds for which the delivery that is longest due has waited.
    pub const OUTBOUND_LAG_SECONDS: &str = "roundtrip_outbound_lag_seconds";
    /// Gauge: hosts of publishers that are left alone because they fail.
    pub const OUTBOUND_HOSTS_RESTING: &str = "roundtrip_outbound_hosts_resting";
    /// Counter: tries that came back when their lease was over.
    pub const OUTBOUND_LATE: &str = "roundtrip_outbound_late_total";
    /// Counter, by `kind`: clicks and pixels that were synced to the spool.
    pub const SPOOL_KEPT: &str = "roundtrip_spool_kept_total";
    /// Counter, by `why`: those that it did not take.
    pub const SPOOL_REFUSED: &str = "roundtrip_spool_refused_total";
    /// Counter: synced transactions of the spool.
    pub const SPOOL_COMMITS: &str = "roundtrip_spool_commits_total";
    /// Counter: rows of the spool that could not be read and were set aside.
    pub const SPOOL_UNREADABLE: &str = "roundtrip_spool_unreadable_total";
    /// Gauge: items that wait in the spool.
    pub const SPOOL_ITEMS: &str = "roundtrip_spool_items";
    /// Gauge: bytes of those items.
    pub const SPOOL_BYTES: &str = "roundtrip_spool_bytes";
    /// Gauge: seconds since the first of them was kept; 0 when none waits.
    pub const SPOOL_OLDEST_SECONDS: &str = "roundtrip_spool_oldest_seconds";
}

/// Libraries that handle requests or statements: more than a warning of theirs could show what is in them.
const HELD_AT_WARN: &[&str] =
    &["async_graphql", "axum", "h2", "hickory", "hyper", "reqwest", "rustls", "sea_orm", "sea_query", "sqlx", "tower"];

/// Why logs or metrics could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryProblem {
    #[error("logs.level is not understood: {0}")]
    Directives(#[from] tracing_subscriber::filter::ParseError),
    #[error("a logger is installed already: {0}")]
    Logger(#[from] tracing::subscriber::SetGlobalDefaultError),
    #[error("the metrics recorder cannot be installed: {0}")]
    Recorder(#[from] metrics_exporter_prometheus::BuildError),
}

/// Sets up the logs of this process on stderr, and the hook that logs panics. Once, from `main`.
///
/// # Errors
/// The directives do not parse, or a logger is there already.
pub fn install_logs(logs: &LogsConfig) -> Result<(), TelemetryProblem> {
    tracing::subscriber::set_global_default(subscriber(logs, std::io::stderr)?)?;
    std::panic::set_hook(Box::new(log_panic));
    Ok(())
}

/// The logger itself, writing to `writer`; tests hand in one that keeps every line.
///
/// # Errors
/// The directives do not parse.
pub fn subscriber<W>(logs: &LogsConfig, writer: W) -> Result<impl Subscriber + Send + Sync + use<W>, TelemetryProblem>
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let lines = tracing_subscriber::fmt::layer().with_writer(writer);
    let lines = match logs.format {
        LogFormat::Json => lines.json().flatten_event(true).with_span_list(false).boxed(),
        LogFormat::Text => lines.with_ansi(std::io::stderr().is_terminal()).boxed(),
    };
    let directives = EnvFilter::builder().parse(&logs.level)?;
    Ok(tracing_subscriber::registry().with(directives).with(filter_fn(may_be_logged)).with(lines))
}

fn may_be_logged(metadata: &Metadata<'_>) -> bool {
    let is_loud = *metadata.level() > Level::WARN;
    !(is_loud && HELD_AT_WARN.iter().any(|library| metadata.target().starts_with(library)))
}

/// The message only where it is a literal: a formatted one may hold a value that must not be logged.
fn log_panic(panic: &PanicHookInfo<'_>) {
    metrics::counter!(metric::PANICS).increment(1);
    let place = panic.location().map(ToString::to_string).unwrap_or_default();
    let message = panic.payload().downcast_ref::<&'static str>().copied().unwrap_or("(formatted, not logged)");
    tracing::error!({ field::LOCATION } = place, { field::ERROR } = message, "a task panicked");
}

/// Upper ends of what times are counted into, in seconds. Counts in fixed buckets can be added up over servers, which
/// quantiles of one server cannot, and cost each answer less.
const SECONDS: [f64; 14] = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

/// The metrics of this process.
#[derive(Clone)]
pub struct Metrics(PrometheusHandle);

impl Metrics {
    /// Installs the recorder, or hands out the one that is installed: tests start many servers in one process.
    ///
    /// # Errors
    /// Somebody else has installed a recorder.
    pub fn install() -> Result<Self, TelemetryProblem> {
        static INSTALLED: Mutex<Option<PrometheusHandle>> = Mutex::new(None);
        let mut installed = INSTALLED.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(handle) = &*installed {
            return Ok(Self(handle.clone()));
        }
        let handle = PrometheusBuilder::new().set_buckets(&SECONDS)?.install_recorder()?;
        describe();
        // The first recorder is the only one that a process can have, so it is set once.
        let _ = TALLY.set(Tally::new());
        *installed = Some(handle.clone());
        Ok(Self(handle))
    }

    /// Everything counted so far, in the Prometheus text format.
    pub fn render(&self) -> String {
        self.0.render()
    }

    /// Folds what histograms have gathered. Call it every few seconds: without it they grow while nobody scrapes.
    pub fn run_upkeep(&self) {
        self.0.run_upkeep();
    }
}

/// There from the moment on at which somebody can read what is counted.
static TALLY: OnceLock<Tally> = OnceLock::new();

/// A tracking request was read.
pub fn count_accepted(door: Door) {
    if let Some(tally) = TALLY.get() {
        tally.door(door).accepted.increment(1);
    }
}

/// The outcome of a tracking request is committed and synced.
pub fn count_durable(door: Door) {
    if let Some(tally) = TALLY.get() {
        tally.door(door).durable.increment(1);
    }
}

/// A tracking request was answered so, this long after it was read.
pub fn count_answer(door: Door, code: Code, took: Duration) {
    if let Some(tally) = TALLY.get() {
        tally.door(door).answered(code, took);
    }
}

/// The receipt of a stranger was not kept.
pub fn count_thinned() {
    if let Some(tally) = TALLY.get() {
        tally.thinned.increment(1);
    }
}

/// What is counted for each tracking request. A counter that is asked for by its name costs a look into a registry
/// that all threads share; here each is looked up once, and counting is an addition.
struct Tally {
    /// In the order of the doors.
    doors: [DoorTally; Door::ALL.len()],
    thinned: Counter,
}

impl Tally {
    fn new() -> Self {
        Self { doors: Door::ALL.map(DoorTally::new), thinned: metrics::counter!(metric::RECEIPTS_THINNED) }
    }

    fn door(&self, door: Door) -> &DoorTally {
        &self.doors[door as usize]
    }
}

struct DoorTally {
    door: Door,
    accepted: Counter,
    durable: Counter,
    seconds: Histogram,
    /// In the order of the codes; each is looked up with its first answer, so that only what happened is shown.
    codes: [OnceLock<CodeTally>; Code::ALL.len()],
}

struct CodeTally {
    answers: Counter,
    /// Where the code refuses.
    refused: Option<Counter>,
}

impl DoorTally {
    fn new(door: Door) -> Self {
        let name = door.as_str();
        Self {
            door,
            accepted: metrics::counter!(metric::TRACKING_ACCEPTED, "door" => name),
            durable: metrics::counter!(metric::TRACKING_DURABLE, "door" => name),
            seconds: metrics::histogram!(metric::TRACKING_SECONDS, "door" => name),
            codes: [const { OnceLock::new() }; Code::ALL.len()],
        }
    }

    fn answered(&self, code: Code, took: Duration) {
        let tally = self.codes[code as usize].get_or_init(|| CodeTally::new(self.door, code));
        tally.answers.increment(1);
        if let Some(refused) = &tally.refused {
            refused.increment(1);
        }
        self.seconds.record(took.as_secs_f64());
    }
}

impl CodeTally {
    fn new(door: Door, code: Code) -> Self {
        let (door, name) = (door.as_str(), code.as_str());
        let refused = match code.verdict() {
            Verdict::Refused => Some(metrics::counter!(metric::TRACKING_REFUSED, "door" => door, "code" => name)),
            Verdict::Recorded | Verdict::Duplicate | Verdict::NoChange | Verdict::Parked | Verdict::Failed => None,
        };
        Self { answers: metrics::counter!(metric::TRACKING_ANSWERS, "door" => door, "code" => name), refused }
    }
}

fn describe() {
    metrics::describe_counter!(metric::CONNECTION_TIMEOUTS, "Connections closed because the client took too long");
    metrics::describe_counter!(metric::CONNECTION_PANICS, "Connections whose task panicked");
    metrics::describe_counter!(metric::PANICS, "Panics of any task or thread");
    metrics::describe_counter!(metric::TRACKING_ACCEPTED, "Tracking requests that were read");
    metrics::describe_counter!(metric::TRACKING_DURABLE, "Tracking requests whose outcome is committed and synced");
    metrics::describe_counter!(metric::TRACKING_ANSWERS, "Answers of the tracking doors");
    metrics::describe_counter!(metric::TRACKING_REFUSED, "Answers of the tracking doors that refuse");
    metrics::describe_histogram!(metric::TRACKING_SECONDS, "Seconds from the parsed request to its answer");
    metrics::describe_counter!(metric::CLICKS_UNSETTLED, "Visitors sent on without a record of their click");
    metrics::describe_gauge!(metric::INTAKE_DEPTH, "Items that wait in intake");
    metrics::describe_gauge!(metric::OUTBOUND_LAG_SECONDS, "How long the longest due outbound postback has waited");
    metrics::describe_counter!(metric::RECEIPTS_THINNED, "Receipts without a verified token that were not kept");
    metrics::describe_counter!(metric::BATCHES, "Batches that a writer took up");
    metrics::describe_counter!(metric::BATCH_ITEMS, "Items in those batches");
    metrics::describe_counter!(metric::UNKNOWN_COMMITS, "Commits whose outcome had to be read back");
    metrics::describe_counter!(metric::FAILED_ITEMS, "Items that the database refused alone");
    metrics::describe_counter!(metric::SPOOL_KEPT, "Clicks and pixels that were synced to the spool");
    metrics::describe_counter!(metric::SPOOL_REFUSED, "Clicks and pixels that the spool did not take");
    metrics::describe_counter!(metric::SPOOL_COMMITS, "Synced transactions of the spool");
    metrics::describe_counter!(metric::SPOOL_UNREADABLE, "Rows of the spool that were set aside");
    metrics::describe_gauge!(metric::SPOOL_ITEMS, "Items that wait in the spool");
    metrics::describe_gauge!(metric::SPOOL_BYTES, "Bytes of the items that wait in the spool");
    metrics::describe_gauge!(metric::SPOOL_OLDEST_SECONDS, "Seconds since the first item of the spool was kept");
}

/// Makes the ids by which a log line, an audit entry and an `INTERNAL` error are brought together.
///
/// Unique across restarts and servers but for one in 2³² pairs of processes; not a secret.
pub struct RequestIds {
    process: u32,
    next: AtomicU64,
}

impl RequestIds {
    pub fn new(entropy: &dyn Entropy) -> Self {
        Self { process: u32::from_be_bytes(random_bytes(entropy)), next: AtomicU64::new(1) }
    }

    /// `req_5c1e09fa_1`: the process, then its count.
    pub fn next(&self) -> String {
        format!("req_{:08x}_{:x}", self.process, self.next.fetch_add(1, Ordering::Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::Arc;

    use super::*;

    #[derive(Clone, Default)]
    struct Kept(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Kept {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().expect("no panic").extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn logged(format: LogFormat, work: impl FnOnce()) -> String {
        let kept = Kept::default();
        let writer = kept.clone();
        let logs = LogsConfig { level: "trace".to_owned(), format };
        let subscriber = subscriber(&logs, move || writer.clone()).expect("good directives");
        tracing::subscriber::with_default(subscriber, work);
        let bytes = kept.0.lock().expect("no panic").clone();
        String::from_utf8(bytes).expect("text")
    }

    #[test]
    fn a_line_is_one_json_object_with_our_field_names() {
        let text = logged(LogFormat::Json, || {
            tracing::info!({ field::ROUTE } = "/postback", { field::STATUS } = 200, "answered");
        });
        let line: serde_json::Value = serde_json::from_str(text.trim()).expect("one object");
        assert_eq!(line["route"], "/postback");
        assert_eq!(line["status"], 200);
        assert_eq!(line["message"], "answered");
        assert_eq!(line["level"], "INFO");
    }

    #[test]
    fn libraries_that_see_requests_are_silent_below_warn_at_any_level() {
        let text = logged(LogFormat::Text, || {
            tracing::info!(target: "hyper::proto", "secret=1");
            tracing::debug!(target: "sqlx::query", "SELECT secret");
            tracing::warn!(target: "sqlx::pool", "slow");
            tracing::trace!(target: "roundtrip::intake", "ours");
        });
        assert!(!text.contains("secret"), "{text}");
        assert!(text.contains("slow") && text.contains("ours"), "{text}");
    }

    #[test]
    fn metrics_can_be_installed_twice_and_are_rendered() {
        let metrics = Metrics::install().and_then(|_| Metrics::install()).expect("installed");
        metrics::counter!(metric::PANICS).increment(0);
        assert!(metrics.render().contains(metric::PANICS));
    }

    #[test]
    fn every_answer_is_counted_by_its_door_and_code_and_a_refusal_twice() {
        let metrics = Metrics::install().expect("installed");
        for (index, door) in Door::ALL.into_iter().enumerate() {
            assert_eq!(door as usize, index, "the tally is kept in this order");
        }
        for (index, code) in Code::ALL.iter().enumerate() {
            assert_eq!(*code as usize, index, "the tally is kept in this order");
        }
        // A door and codes that no other test of this process answers with.
        count_accepted(Door::Status);
        count_durable(Door::Status);
        count_answer(Door::Status, Code::InvalidTransition, Duration::from_millis(1));
        count_answer(Door::Status, Code::InvalidTransition, Duration::from_millis(1));
        count_answer(Door::Status, Code::StatusChanged, Duration::from_millis(1));
        let page = metrics.render();
        for line in [
            r#"roundtrip_tracking_accepted_total{door="status"} 1"#,
            r#"roundtrip_tracking_durable_total{door="status"} 1"#,
            r#"roundtrip_tracking_answers_total{door="status",code="invalid_transition"} 2"#,
            r#"roundtrip_tracking_refused_total{door="status",code="invalid_transition"} 2"#,
            r#"roundtrip_tracking_answers_total{door="status",code="status_changed"} 1"#,
            r#"roundtrip_tracking_seconds_count{door="status"} 3"#,
            r#"roundtrip_tracking_seconds_bucket{door="status",le="0.0005"} 0"#,
            r#"roundtrip_tracking_seconds_bucket{door="status",le="0.001"} 3"#,
        ] {
            assert!(page.lines().any(|found| found == line), "{line} is not in\n{page}");
        }
        assert!(!page.contains(r#"refused_total{door="status",code="status_changed"}"#), "{page}");
    }

    #[test]
    fn request_ids_differ() {
        struct Fixed;
        impl Entropy for Fixed {
            fn fill(&self, buffer: &mut [u8]) {
                buffer.fill(0x5c);
            }
        }
        let ids = RequestIds::new(&Fixed);
        assert_eq!((ids.next(), ids.next()), ("req_5c5c5c5c_1".to_owned(), "req_5c5c5c5c_2".to_owned()));
    }
}
