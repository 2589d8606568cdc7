//! The composition root: the only file that knows every room.
//!
//! [`Server::build`] is apart from [`Server::run`], so that a test builds one on port 0 with a clock of its own. It
//! binds first: while the rest starts, newcomers wait in the kernel's queue instead of being refused. The end goes the
//! other way round: not ready, nothing more accepted, what is in flight answered, the queues settled, the database
//! closed. A writer that ends before that is a fault, and then the whole server stops: one that takes work and settles
//! none would answer 503 for ever and look alive.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::{oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, interval, timeout};

use crate::app::access_token::{AccessTokens, SigningKeys};
use crate::app::deliver_outbound::{CourierOptions, deliver};
use crate::app::dns::{Dns, DnsFailure};
use crate::app::jobs::{self, JobSignals};
use crate::app::keep_figures::Keeper;
use crate::app::key_uses;
use crate::app::lockout::Lockout;
use crate::app::passwords::Passwords;
use crate::app::point_budget::PointBudget;
use crate::app::publisher_client::{ClientProblem, PublisherClient};
use crate::app::retention::{keep, pass};
use crate::app::snapshot::{UnknownTokens, keep_fresh};
use crate::app::{App, AppError, AppOptions, Identity, TrackingLimits, TrackingRates};
use crate::config::keys::{self, KeysProblem, SessionKeys, SessionSeed};
use crate::config::{Config, Engine};
use crate::domain::address::Reach;
use crate::domain::clock::{Clock, Entropy};
use crate::domain::transaction_id::Minter;
use crate::graphql::bearer::OperatorsOf;
use crate::graphql::context::StatusOf;
use crate::graphql::endpoint::{Authenticator, Endpoint};
use crate::graphql::schema;
use crate::graphql::socket::{Patience, Sockets};
use crate::http::accept::{Limits, serve};
use crate::http::answer::status_of;
use crate::http::graphql::GraphqlDoor;
use crate::http::health::Health;
use crate::http::router;
use crate::http::state::{HttpState, Visitors};
use crate::intake::{Intake, IntakeOptions, IntakeParts, QueueLimits, Spool, SpoolOptions, SpoolTask, WriterTask};
use crate::store::{ConnectOptionsOf, Database, StoreError};
use crate::telemetry::{Metrics, RequestIds, TelemetryProblem, field};

/// How often the limiter forgets and histograms are folded.
const UPKEEP_EVERY: Duration = Duration::from_secs(10);
/// Connections that wait in the kernel to be accepted, as far as the system allows (`net.core.somaxconn`): when more
/// come at once it answers with SYN cookies, and resets some of them later.
const LISTEN_QUEUE: u32 = 4096;
/// Connections on the internal port.
const INTERNAL_CONNECTIONS_MAX: usize = 64;
/// What is left of the drain for queues and database once the connections had their part.
const SETTLING_PART: u32 = 4;

/// Why the server does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartProblem {
    #[error("cannot listen on {address}: {error}")]
    Bind { address: SocketAddr, error: io::Error },
    #[error(transparent)]
    Keys(#[from] KeysProblem),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("{0} steps of the schema's history are missing in this database: run `roundtrip migrate`")]
    Pending(usize),
    #[error(transparent)]
    Telemetry(#[from] TelemetryProblem),
    /// The settings of the system's own resolver cannot be read: set `dns.resolvers`.
    #[error(transparent)]
    Dns(#[from] DnsFailure),
    #[error(transparent)]
    Publishers(#[from] ClientProblem),
    #[error(transparent)]
    App(#[from] AppError),
}

/// Why a server that ran has ended other than by being told to.
#[derive(Debug, thiserror::Error)]
pub enum RunProblem {
    #[error("a writer ended by itself: {0}")]
    Writer(String),
    #[error("{cut} connections and {writers} writers were not done when the time to stop was over")]
    NotDrained { cut: usize, writers: usize },
}

/// A server that is bound and ready to run.
pub struct Server {
    state: Arc<HttpState>,
    public: TcpListener,
    internal: TcpListener,
    addresses: (SocketAddr, SocketAddr),
    writers: Vec<WriterTask>,
    spool: (Spool, SpoolTask),
    limits: Limits,
    drain: Duration,
    delivers: bool,
}

impl Server {
    /// Binds, opens the database (and brings the embedded one up to date), reads keys and control data, and puts the
    /// rooms together. Nothing is served yet.
    ///
    /// # Errors
    /// See [`StartProblem`].
    pub async fn build(
        config: &Config,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
    ) -> Result<Self, StartProblem> {
        let (public, public_address) = bind(config.server.bind_address)?;
        let (internal, internal_address) = bind(config.server.internal_bind_address)?;
        let (spool, spool_task) = Spool::open(&spool_options(config), Arc::clone(&clock)).await?;
        let (app, writers) = assemble(config, clock, entropy, Some(spool.clone())).await?;
        // The partitions of today must be there before the first click.
        pass(&app.database, app.clock.now(), app.kept()).await?;
        let state = Arc::new(http_state(config, Arc::new(app))?);
        Ok(Self {
            state,
            public,
            internal,
            addresses: (public_address, internal_address),
            writers,
            spool: (spool, spool_task),
            limits: limits(config),
            drain: config.server.drain_timeout,
            delivers: config.outbound.deliver,
        })
    }

    /// Where the public port is, once it is bound.
    pub fn local_addr(&self) -> SocketAddr {
        self.addresses.0
    }

    pub fn internal_addr(&self) -> SocketAddr {
        self.addresses.1
    }

    /// What the use cases work with: for the command line and for tests that prepare something.
    pub fn app(&self) -> Arc<App> {
        Arc::clone(&self.state.app)
    }

    /// Serves until `shutdown` is ready, then drains.
    ///
    /// # Errors
    /// See [`RunProblem`]; everything that was answered is kept all the same.
    pub async fn run(self, shutdown: impl Future<Output = ()>) -> Result<(), RunProblem> {
        let mut writers: JoinSet<()> = self.writers.into_iter().map(on_its_own_thread).collect();
        let (stopping, stopped) = watch::channel(false);
        let (spool, spooling) = self.spool;
        let mut spooling = JoinSet::from_iter([spooling]);
        let mut background = JoinSet::new();
        background.spawn(until(stopped.clone(), keep_fresh(self.state.app.clone())));
        background.spawn(until(stopped.clone(), key_uses::keep(self.state.app.clone())));
        background.spawn(until(stopped.clone(), upkeep(Arc::clone(&self.state))));
        background.spawn(until(stopped.clone(), look_after_intake(self.state.app.clone())));
        background.spawn(until(stopped.clone(), retention(self.state.app.clone())));
        // From the first word of the end on: a job's step goes through queues that are closed later, and what is on its way
        // to publishers has the time of the connections to end.
        let (ending, ended) = watch::channel(false);
        background.spawn(jobs::run::run(self.state.app.clone(), jobs::step_of, ended.clone()));
        let mut courier = JoinSet::new();
        if self.delivers {
            courier.spawn(deliver(self.state.app.clone(), ended));
        }
        background.spawn(until(stopped.clone(), keep_figures(self.state.app.clone())));
        background.spawn(serve_internal(self.internal, Arc::clone(&self.state), self.limits, stopped));

        let connections_part = self.drain / SETTLING_PART * (SETTLING_PART - 1);
        let (mut failed, mut ends_by) = (None, Instant::now());
        let stop = async {
            tokio::select! {
                () = shutdown => {}
                Some(ended) = writers.join_next() => failed = Some(ended.err().map(|error| error.to_string())),
            }
            tracing::info!("stopping: nothing more is accepted");
            self.state.health.begin_drain();
            ends_by = Instant::now() + connections_part;
            // Nobody listens if the jobs have ended by themselves, which they do not.
            let _ = ending.send(true);
            self.state.graphql.sockets.close();
        };
        let public = router::PublicPort::new(Arc::clone(&self.state));
        let drained = serve(self.public, public, self.limits, stop, connections_part).await;
        // They are no connections of the port any more.
        in_time(self.state.graphql.sockets.drained()).await;
        let unsettled = settle(&self.state, &mut writers, self.drain / SETTLING_PART).await;
        end_courier(courier, ends_by).await;
        // What visitors were promised is written; the rest of the end is short, also when the database is away.
        spool.close();
        in_time(async { while spooling.join_next().await.is_some() {} }).await;

        // Nobody is left who would want to know that it ended.
        let _ = stopping.send(true);
        in_time(async { while background.join_next().await.is_some() {} }).await;
        background.shutdown().await;
        in_time(spool.end()).await;
        in_time(self.state.app.database.close()).await;
        match failed {
            Some(reason) => Err(RunProblem::Writer(reason.unwrap_or_else(|| "without a word".to_owned()))),
            None if drained.cut == 0 && unsettled == 0 => Ok(()),
            None => Err(RunProblem::NotDrained { cut: drained.cut, writers: unsettled }),
        }
    }
}

/// One step of the end: a second is enough, or it never is.
async fn in_time(step: impl Future<Output = ()>) {
    if timeout(Duration::from_secs(1), step).await.is_err() {
        tracing::warn!("a step of the end did not end");
    }
}

/// Runs a writer on a thread with a runtime of its own: among the tasks of hundreds of connections every one of its
/// statements would wait for its turn.
async fn on_its_own_thread(writer: WriterTask) {
    let (ended, end) = oneshot::channel();
    let work = move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        match runtime {
            Ok(runtime) => runtime.block_on(writer),
            Err(error) => tracing::error!({ field::ERROR } = %error, "a writer cannot run"),
        }
        // Nobody listens once the server has given up waiting.
        let _ = ended.send(());
    };
    match std::thread::Builder::new().name("writer".to_owned()).spawn(work) {
        // A writer that panics drops its end of the channel.
        Ok(_thread) => end.await.unwrap_or(()),
        Err(error) => tracing::error!({ field::ERROR } = %error, "a writer has no thread"),
    }
}

/// What is on its way may end until then; what has not by then is sent again once its lease is over.
async fn end_courier(mut courier: JoinSet<()>, ends_by: Instant) {
    let all_ended = async { while courier.join_next().await.is_some() {} };
    if tokio::time::timeout_at(ends_by, all_ended).await.is_err() {
        tracing::warn!("outbound postbacks were still on their way when the time to stop was over");
    }
}

async fn look_after_intake(app: Arc<App>) {
    tokio::join!(app.intake.keep_watch(), app.intake.drain(), app.intake.complete_late());
}

/// The application alone, for commands that change control data and end: nothing listens, and nothing is settled.
///
/// # Errors
/// See [`StartProblem`].
pub async fn open(config: &Config, clock: Arc<dyn Clock>, entropy: Arc<dyn Entropy>) -> Result<Arc<App>, StartProblem> {
    let (app, _writers) = assemble(config, clock, entropy, None).await?;
    Ok(Arc::new(app))
}

/// Opens keys and database, reads the control data, and puts the rooms behind the doors together.
async fn assemble(
    config: &Config,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    spool: Option<Spool>,
) -> Result<(App, Vec<WriterTask>), StartProblem> {
    let keys = keys::open(config, entropy.as_ref())?;
    if keys.created {
        let file = config.keys_file.display().to_string();
        tracing::warn!({ field::FILE } = file, "new keys were made: keep a copy apart from the database");
    }
    let database = open_database(config).await?;
    let snapshot = crate::store::snapshot::load(&database).await?;
    let parts = IntakeParts {
        database,
        snapshot: Arc::new(ArcSwap::from_pointee(snapshot)),
        keyring: Arc::new(keys.keyring),
        minter: Arc::new(Minter::new(entropy.as_ref())),
        clock,
        entropy,
        spool,
    };
    put_together(config, parts, identity(config, &keys.sessions)?)
}

/// Listens, from this call on, for the wish that the process ends (SIGTERM, or Ctrl-C at a terminal); ready once it
/// came. Call it before anybody can know that the server is there: a signal that nobody listens for kills.
///
/// # Errors
/// The signals cannot be listened to.
pub fn told_to_end() -> io::Result<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}

fn bind(address: SocketAddr) -> Result<(TcpListener, SocketAddr), StartProblem> {
    let listen = || {
        let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
        // A server that was just stopped leaves its address behind for a minute.
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        let listener = socket.listen(LISTEN_QUEUE)?;
        let bound = listener.local_addr()?;
        Ok((listener, bound))
    };
    listen().map_err(|error| StartProblem::Bind { address, error })
}

/// SQLite is embedded, so its schema is ours to bring up to date. On PostgreSQL other servers may still be at work
/// with the old one: there somebody decides.
async fn open_database(config: &Config) -> Result<Database, StartProblem> {
    let database = Database::connect(&connect_options(config)).await?;
    match config.database.engine {
        Engine::Sqlite => database.migrate().await?,
        Engine::Postgres => match database.pending_migrations().await? {
            0 => {}
            pending => return Err(StartProblem::Pending(pending)),
        },
    }
    Ok(database)
}

/// How `config` says to connect.
pub fn connect_options(config: &Config) -> ConnectOptionsOf {
    let settings = &config.database;
    let writers = u32::try_from(config.intake.writers(settings.engine)).unwrap_or(u32::MAX);
    ConnectOptionsOf {
        url: settings.url.clone(),
        read_connections: settings.read_connections_max,
        write_connections: settings.write_connections_max.max(writers),
        acquire_timeout: settings.acquire_timeout,
        statement_timeout: settings.statement_timeout,
    }
}

fn put_together(
    config: &Config,
    parts: IntakeParts,
    identity: Identity,
) -> Result<(App, Vec<WriterTask>), StartProblem> {
    let rates = TrackingRates {
        bad_tokens_per_minute: config.limits.bad_tokens_per_minute,
        dry_runs_per_second: config.limits.dry_runs_per_second,
        stranger_receipts_per_second: config.limits.stranger_receipts_per_second,
    };
    let limits = TrackingLimits::new(Arc::clone(&parts.clock), rates);
    let database = parts.database.clone();
    let snapshot = Arc::clone(&parts.snapshot);
    let keyring = Arc::clone(&parts.keyring);
    let (clock, entropy) = (Arc::clone(&parts.clock), Arc::clone(&parts.entropy));
    let minter = Arc::clone(&parts.minter);
    let (intake, writers) = Intake::new(parts, intake_options(config));
    let dns = Arc::new(Dns::new(&config.dns.resolvers, config.dns.timeout)?);
    let app = App {
        database,
        snapshot,
        unknown_tokens: UnknownTokens::default(),
        keyring,
        clock,
        entropy,
        minter,
        publishers: publishers(config, Arc::clone(&dns))?,
        dns,
        identity,
        intake,
        jobs: JobSignals::default(),
        limits,
        options: app_options(config),
    };
    Ok((app, writers))
}

fn identity(config: &Config, sessions: &SessionKeys) -> Result<Identity, AppError> {
    let beside: Vec<_> = sessions.previous.iter().chain(&sessions.next).map(SessionSeed::expose).collect();
    let tokens = AccessTokens {
        keys: SigningKeys::from_seeds(sessions.current.expose(), &beside)?,
        issuer: config.session.issuer.clone(),
        audience: config.session.audience.clone(),
        access_seconds: whole_seconds(config.session.access),
    };
    let limits = &config.limits;
    Ok(Identity {
        passwords: Passwords::new(limits.password_hashes_max),
        lockout: Lockout::new(limits.sign_in_failures_max, whole_seconds(limits.sign_in_window).into()),
        invite_seconds: whole_seconds(config.session.invite),
        budget: PointBudget::new(limits.graphql_points_per_minute),
        ..Identity::new(tokens, whole_seconds(config.session.refresh))
    })
}

/// Settings are bounded far below this type's end.
fn whole_seconds(duration: Duration) -> u32 {
    u32::try_from(duration.as_secs()).unwrap_or(u32::MAX)
}

fn intake_options(config: &Config) -> IntakeOptions {
    let intake = &config.intake;
    IntakeOptions {
        queues: QueueLimits {
            conversion_items_max: intake.conversion_items_max,
            click_items_max: intake.click_items_max,
            receipt_items_max: intake.receipt_items_max,
            bytes_max: intake.queue_bytes_max,
        },
        batch_items_max: intake.batch_items_max,
        writers: intake.writers(config.database.engine),
        answer_deadline: intake.answer_deadline,
        visitor_patience: intake.visitor_patience,
    }
}

fn spool_options(config: &Config) -> SpoolOptions {
    let spool = &config.spool;
    SpoolOptions { file: spool.file.clone(), items_max: spool.items_max, bytes_max: spool.bytes_max }
}

fn app_options(config: &Config) -> AppOptions {
    AppOptions {
        public_url: config.server.public_url.clone(),
        trusted_proxies: config.server.trusted_proxies.clone(),
        redisplay_tokens: config.tokens.redisplay,
        token_overlap_seconds: whole_seconds(config.tokens.overlap),
        token_overlap_seconds_max: whole_seconds(config.tokens.overlap_max),
        receipt_days: config.retention.receipt_days,
        delivery_days: config.retention.delivery_days,
        courier: CourierOptions {
            in_flight_max: config.outbound.in_flight_max,
            host_in_flight_max: config.outbound.host_in_flight_max,
            lease: config.outbound.lease,
        },
    }
}

fn http_state(config: &Config, app: Arc<App>) -> Result<HttpState, StartProblem> {
    let mut admin_hosts = config.server.admin_hosts.clone();
    admin_hosts.push(config.server.public_host().to_owned());
    Ok(HttpState {
        graphql: graphql_door(&app),
        health: Arc::new(Health::default()),
        metrics: Metrics::install()?,
        request_ids: RequestIds::new(app.entropy.as_ref()),
        admin_hosts,
        cors_origins: config.server.cors_origins.clone(),
        trusted_proxies: config.server.trusted_proxies.clone(),
        body_timeout: config.server.body_timeout,
        bots: Visitors::new(),
        app,
    })
}

/// The admin API over `app`.
fn graphql_door(app: &Arc<App>) -> GraphqlDoor {
    let schema = schema::build(Arc::clone(app), StatusOf(status_of), app.clock.now());
    let authenticator: Arc<dyn Authenticator> = Arc::new(OperatorsOf(Arc::clone(app)));
    let endpoint = Arc::new(Endpoint::new(schema, Arc::clone(&authenticator)));
    let sockets = Sockets::new(Arc::clone(&endpoint), Arc::clone(&authenticator), Patience::default());
    GraphqlDoor { endpoint, sockets, authenticator, sdl: schema::sdl() }
}

fn limits(config: &Config) -> Limits {
    let server = &config.server;
    Limits {
        connections_max: server.connections_max,
        header_timeout: server.header_timeout,
        idle_timeout: server.idle_timeout,
        write_timeout: server.write_timeout,
    }
}

/// Runs `work` until the server stops.
async fn until(mut stopped: watch::Receiver<bool>, work: impl Future<Output = ()>) {
    tokio::select! {
        () = work => {}
        // An error means that the sender is gone, and the server with it.
        _ = stopped.wait_for(|stopped| *stopped) => {}
    }
}

async fn serve_internal(
    listener: TcpListener,
    state: Arc<HttpState>,
    limits: Limits,
    mut stopped: watch::Receiver<bool>,
) {
    let limits = Limits { connections_max: INTERNAL_CONNECTIONS_MAX, ..limits };
    let stop = async {
        // An error means that the sender is gone, and the server with it.
        let _ = stopped.wait_for(|stopped| *stopped).await;
    };
    serve(listener, router::internal(state), limits, stop, Duration::from_millis(500)).await;
}

async fn upkeep(state: Arc<HttpState>) {
    let mut ticks = interval(UPKEEP_EVERY);
    loop {
        ticks.tick().await;
        state.app.limits.forget();
        state.metrics.run_upkeep();
    }
}

async fn retention(app: Arc<App>) {
    keep(&app).await;
}

async fn keep_figures(app: Arc<App>) {
    Keeper::new(app).keep().await;
}

fn publishers(config: &Config, dns: Arc<Dns>) -> Result<PublisherClient, StartProblem> {
    let settings = &config.outbound;
    if !settings.allow_private.is_empty() {
        let networks: Vec<String> = settings.allow_private.iter().map(ToString::to_string).collect();
        tracing::warn!("outbound.allow_private: rules may send requests into {}", networks.join(", "));
    }
    let authorities = settings.authorities.as_deref().map(std::fs::read).transpose();
    let authorities = authorities.map_err(|error| ClientProblem::Authorities(error.to_string()))?;
    let reach = Reach { http_allowed: settings.allow_http, networks_allowed: settings.allow_private.clone() };
    Ok(PublisherClient::new(reach, dns, authorities.as_deref(), settings.timeout)?)
}

/// Lets mutations end and the writers settle what waits; returns how many writers did not end in time.
async fn settle(state: &HttpState, writers: &mut JoinSet<()>, patience: Duration) -> usize {
    let end = Instant::now() + patience;
    if tokio::time::timeout_at(end, state.graphql.endpoint.drained()).await.is_err() {
        tracing::error!("a mutation was still at work when the time to stop was over");
    }
    state.app.intake.close();
    let all_ended = async { while writers.join_next().await.is_some() {} };
    // A timeout shows in what is left of the set.
    let _ = tokio::time::timeout_at(end, all_ended).await;
    writers.len()
}
