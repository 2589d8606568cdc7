//! Work that goes on behind an answer: started and stopped.

use async_graphql::{Context, Object, Result};

use crate::{
    app::jobs::{
        cancel,
        erase_person::erase_person,
        export_conversions::export_conversions,
        export_person::export_person,
        export_receipts::export_receipts,
        replay_receipts::{ReplayRequest, replay_receipts},
    },
    domain::ids::{JobId, ReceiptId},
    graphql::{
        connection::failed,
        context::Find as _,
        error,
        guard::auth,
        id::{self, Id},
        idempotency::once,
        types::{
            conversion::ConversionFilter, job::PersonLookup, payload::JobPayload, receipt::ReceiptFilter, words::Role,
        },
    },
    store::jobs,
};

#[derive(Default)]
pub struct JobMutation;

#[Object]
impl JobMutation {
    /// Exports the conversions of a filter as CSV: a job that counts them, and whose downloadUrl then has the rows.
    #[graphql(directive = auth::apply(Role::Manager))]
    async fn conversions_export(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which of them.")] filter: ConversionFilter,
        #[graphql(desc = "The names of its columns, in their order; all of them where none are sent.")] columns: Option<
            Vec<String>,
        >,
        #[graphql(desc = "Any text of yours, up to 64 characters: the same call under it again does nothing again.")]
        idempotency_key: Option<String>,
    ) -> Result<Option<JobPayload>> {
        let once = match once(ctx, idempotency_key.as_deref())? {
            Ok(once) => once,
            Err(fault) => return Ok(Some(JobPayload::refused(vec![fault]))),
        };
        let done = export_conversions(ctx.app()?, ctx.principal()?, filter.read(ctx)?, columns, once).await;
        JobPayload::of(done, Into::into)
    }

    /// Exports the receipts of a filter as CSV, the newest first, as conversionsExport does.
    #[graphql(directive = auth::apply(Role::Manager))]
    async fn receipts_export(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which of them.")] filter: ReceiptFilter,
        #[graphql(desc = "Any text of yours, up to 64 characters: the same call under it again does nothing again.")]
        idempotency_key: Option<String>,
    ) -> Result<Option<JobPayload>> {
        let once = match once(ctx, idempotency_key.as_deref())? {
            Ok(once) => once,
            Err(fault) => return Ok(Some(JobPayload::refused(vec![fault]))),
        };
        let done = export_receipts(ctx.app()?, ctx.principal()?, filter.read(ctx)?, once).await;
        JobPayload::of(done, Into::into)
    }

    /// Exports what is stored of somebody, one JSON object a line: conversions, clicks and receipts, in the forms in which
    /// they are kept.
    #[graphql(directive = auth::apply(Role::Admin))]
    async fn person_export(
        &self,
        ctx: &Context<'_>,
        #[graphql(secret, desc = "Who.")] by: PersonLookup,
        #[graphql(desc = "Any text of yours, up to 64 characters: the same call under it again does nothing again.")]
        idempotency_key: Option<String>,
    ) -> Result<Option<JobPayload>> {
        let once = match once(ctx, idempotency_key.as_deref())? {
            Ok(once) => once,
            Err(fault) => return Ok(Some(JobPayload::refused(vec![fault]))),
        };
        JobPayload::of(export_person(ctx.app()?, ctx.principal()?, &by.into(), once).await, Into::into)
    }

    /// Empties what is personal in everything that is stored of somebody: addresses, browsers, devices, e-mails, additional
    /// parameters. Conversions, their history and their figures stay.
    #[graphql(directive = auth::apply(Role::Admin))]
    async fn person_erase(
        &self,
        ctx: &Context<'_>,
        #[graphql(secret, desc = "Who.")] by: PersonLookup,
        #[graphql(desc = "Any text of yours, up to 64 characters: the same call under it again does nothing again.")]
        idempotency_key: Option<String>,
    ) -> Result<Option<JobPayload>> {
        let once = match once(ctx, idempotency_key.as_deref())? {
            Ok(once) => once,
            Err(fault) => return Ok(Some(JobPayload::refused(vec![fault]))),
        };
        JobPayload::of(erase_person(ctx.app()?, ctx.principal()?, &by.into(), once).await, Into::into)
    }

    /// Sends refused requests again from their receipts, after the cause was mended: the oldest first, at their own time
    /// and under their own keys, so that none ever counts twice. Each leaves a new receipt that names the first one. As a
    /// dry run nothing is recorded; the errors of the job say what would still be refused, and why.
    #[graphql(directive = auth::apply(Role::Manager))]
    async fn receipts_replay(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Of these requests, 500 at most; else send a filter.")] ids: Option<Vec<Id<ReceiptId>>>,
        #[graphql(desc = "Of the refused requests that it matches and that came until now; else send ids.")]
        filter: Option<ReceiptFilter>,
        #[graphql(desc = "Only find out what they would come to.", default = true)] dry_run: bool,
        #[graphql(desc = "Any text of yours, up to 64 characters: the same call under it again does nothing again.")]
        idempotency_key: Option<String>,
    ) -> Result<Option<JobPayload>> {
        let once = match once(ctx, idempotency_key.as_deref())? {
            Ok(once) => once,
            Err(fault) => return Ok(Some(JobPayload::refused(vec![fault]))),
        };
        let filter = filter.map(|filter| filter.read(ctx)).transpose()?;
        let request = ReplayRequest { ids: ids.map(id::all), filter, dry_run };
        JobPayload::of(replay_receipts(ctx.app()?, ctx.principal()?, request, once).await, Into::into)
    }

    /// Stops a job before its next step; what was done stays done. It needs the role that starting it needs.
    #[graphql(directive = auth::apply(Role::Manager))]
    async fn job_cancel(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The job.")] id: Id<JobId>,
    ) -> Result<Option<JobPayload>> {
        let needed = jobs::find(ctx.database()?, id.0).await.map_err(failed)?.map(|job| job.kind.least_role());
        match needed.filter(|needed| !ctx.principal().is_ok_and(|principal| principal.role.includes(*needed))) {
            Some(needed) => Err(error::forbidden(needed)),
            None => JobPayload::of(cancel(ctx.app()?, ctx.principal()?, id.0).await, Into::into),
        }
    }
}
