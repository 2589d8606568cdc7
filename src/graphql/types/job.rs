//! Jobs: work that goes on behind an answer.

use std::sync::Arc;

use async_graphql::{ComplexObject, Context, ID, OneofObject, Result, SimpleObject};

use super::{
    actor::Actor,
    payload::UserError,
    words::{JobKind, JobState, Role},
};
use crate::{
    app::{UserErrorCode, exports::is_downloadable},
    domain::{ids::JobId, job, person},
    graphql::{
        connection::{Count, Window, connection, failed, page_cost},
        context::Find as _,
        guard::auth,
        id::Id,
        scalars::{DateTime, SafeInt, Url},
    },
    store::jobs::{self, FirstError, JobFilter, NewestJob},
};

/// Work that goes on behind an answer, on whatever server has room for its next step.
#[derive(Clone, Debug, SimpleObject)]
#[graphql(complex)]
pub struct Job {
    /// Opaque, stable, prefixed: job_…
    pub id: Id<JobId>,
    /// What it does.
    pub kind: JobKind,
    /// Where it stands.
    pub state: JobState,
    /// How many things there are to look at; null until that is known.
    pub total: Option<SafeInt>,
    /// Looked at so far.
    pub processed: SafeInt,
    /// Done so far. What was as wanted already is neither here nor in failed.
    pub succeeded: SafeInt,
    /// Could not be done; errors tells the first thousand.
    pub failed: SafeInt,
    /// Why it failed as a whole.
    pub failure: Option<String>,
    /// Somebody wants it to stop; it does so before its next step.
    pub cancel_requested: bool,
    /// Who started it.
    pub created_by: Actor,
    /// When it was started.
    pub created_at: DateTime,
    /// When its first step began.
    pub started_at: Option<DateTime>,
    /// When it ended, in whatever way.
    pub finished_at: Option<DateTime>,
    #[graphql(skip)]
    job: job::Job,
}

impl From<job::Job> for Job {
    fn from(job: job::Job) -> Self {
        Self {
            id: Id(job.id),
            kind: job.kind.into(),
            state: job.state.into(),
            total: job.progress.total.map(SafeInt),
            processed: SafeInt(job.progress.processed),
            succeeded: SafeInt(job.progress.succeeded),
            failed: SafeInt(job.progress.failed),
            failure: job.failure.clone(),
            cancel_requested: job.cancel_requested,
            created_by: Actor::of_control(&job.created_by),
            created_at: job.created_at.into(),
            started_at: job.started_at.map(DateTime),
            finished_at: job.finished_at.map(DateTime),
            job,
        }
    }
}

impl Job {
    /// The job of an id.
    ///
    /// # Errors
    /// Ours.
    pub async fn find(ctx: &Context<'_>, id: JobId) -> Result<Option<Self>> {
        Ok(ctx.loaders()?.jobs.load(ctx, id).await?.map(|job| Arc::unwrap_or_clone(job).into()))
    }
}

#[ComplexObject]
impl Job {
    /// Of an export that succeeded, for a day: GET it with the same bearer to have the file, CSV but of a person (one JSON object a line).
    #[graphql(directive = auth::apply(Role::Manager))]
    async fn download_url(&self, ctx: &Context<'_>) -> Result<Option<Url>> {
        let app = ctx.app()?;
        let may = ctx.principal()?.role.includes(self.job.kind.least_role());
        let is_ready = may && is_downloadable(&self.job, app.clock.now());
        let url = app.options.public_url.join(&format!("api/export/{}", self.job.id));
        Ok(url.ok().filter(|_| is_ready).map(|url| Url(url.into())))
    }

    /// What it could not do, in the order in which it happened; the first thousand are kept.
    #[graphql(complexity = "page_cost(first, last, child_complexity)")]
    async fn errors(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "From the beginning: 1 to 200, 50 where neither first nor last is sent.")] first: Option<i32>,
        #[graphql(desc = "After this cursor.")] after: Option<String>,
        #[graphql(desc = "From the end: 1 to 200, not beside first.")] last: Option<i32>,
        #[graphql(desc = "Before this cursor.")] before: Option<String>,
    ) -> Result<JobErrorConnection> {
        let page = Window { first, after, last, before }.under(FirstError)?;
        let page = jobs::errors(ctx.database()?, self.id.0, &page).await.map_err(failed)?;
        Ok(JobErrorConnection::of(page, JobError::from))
    }
}

/// How a person is found again.
#[derive(OneofObject)]
pub enum PersonLookup {
    /// By the keyed hash of this address, in any case.
    Email(String),
    /// By this device id, exactly.
    DeviceId(String),
    /// By one visit.
    TransactionId(String),
}

impl From<PersonLookup> for person::PersonLookup {
    fn from(by: PersonLookup) -> Self {
        match by {
            PersonLookup::Email(email) => Self::Email(email),
            PersonLookup::DeviceId(device) => Self::Device(device),
            PersonLookup::TransactionId(id) => Self::Transaction(id),
        }
    }
}

/// One thing that a job could not do.
#[derive(Clone, Debug, SimpleObject)]
pub struct JobError {
    /// The id of what it is about.
    pub subject_id: Option<ID>,
    /// Why.
    pub error: UserError,
}

impl From<job::JobError> for JobError {
    fn from(error: job::JobError) -> Self {
        let code = UserErrorCode::parse(&error.code).unwrap_or(UserErrorCode::Invalid).into();
        Self {
            subject_id: error.subject.map(ID),
            error: UserError { code, message: error.message, field: None, index: None, hint: None },
        }
    }
}

connection!(
    /// A page of what a job could not do.
    JobErrorConnection,
    /// One thing that a job could not do and its place in the list.
    JobErrorEdge of JobError
);

connection!(
    /// A page of jobs.
    JobConnection,
    /// A job and its place in the list.
    JobEdge of Job, counted
);

impl JobConnection {
    /// A page, the newest first.
    pub async fn read(ctx: &Context<'_>, filter: JobFilter, window: &Window) -> Result<Self> {
        let page = window.under(NewestJob)?;
        let page = jobs::list(ctx.database()?, &filter, &page).await.map_err(failed)?;
        let count: Count = Box::new(move |database, _| {
            let filter = filter.clone();
            Box::pin(async move { jobs::count(database, &filter).await.map(Into::into).map_err(failed) })
        });
        Ok(Self::of(page, Job::from, count))
    }
}
