//! The settings of the workspace, and what holds where it has set nothing: the configuration of the server.
//!
//! A setting of the workspace goes before the configuration, on every server and at once; taking it back lets the
//! configuration hold again. Another time zone begins another count of days, which the server puts together in the
//! background; until it is done reports by day read the 15 minutes, so that no figure is ever wrong meanwhile.

use super::form::{Form, conflict};
use super::manage_offers::read_fallback_url;
use super::snapshot::refresh_after_write;
use super::{App, Outcome, UserErrorCode};
use crate::domain::audit::{AuditEvent, differences};
use crate::domain::calendar::Zone;
use crate::domain::money::Currency;
use crate::domain::operator::Principal;
use crate::domain::secure_token::OVERLAP_SECONDS_MAX;
use crate::domain::settings::{EmailStorage, RECEIPT_DAYS_MAX, RECEIPT_DAYS_MIN, Settings};
use crate::store::{audit, settings};

/// What the audit trail calls them.
const SUBJECT: &str = "settings";

/// What a form says about the settings; what is `None` stays as it is, `Some(None)` takes it back.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SettingsDraft {
    pub zone: Option<Zone>,
    pub currency: Option<Option<Currency>>,
    pub fallback_url: Option<Option<String>>,
    /// Seconds.
    pub token_overlap: Option<Option<i32>>,
    /// Seconds.
    pub token_overlap_max: Option<Option<i32>>,
    pub receipt_days: Option<Option<i32>>,
    pub email_storage: Option<EmailStorage>,
}

impl App {
    /// How long the old token of a rotation works on when nobody says otherwise; never longer than it may.
    pub fn token_overlap_seconds(&self) -> u32 {
        let set = self.snapshot.load().settings.token_overlap_seconds;
        set.unwrap_or(self.options.token_overlap_seconds).min(self.token_overlap_seconds_max())
    }

    /// The longest overlap that may be asked for.
    pub fn token_overlap_seconds_max(&self) -> u32 {
        let set = self.snapshot.load().settings.token_overlap_seconds_max;
        set.unwrap_or(self.options.token_overlap_seconds_max)
    }

    /// Days that receipts are kept.
    pub fn receipt_days(&self) -> u32 {
        self.snapshot.load().settings.receipt_days.unwrap_or(self.options.receipt_days)
    }
}

/// `version` is that of the settings which the form was loaded from.
///
/// # Errors
/// `ConflictVersion`; `Invalid`, `TooLong`, `TooSmall`, `TooLarge`, `OverlapTooLong` for a field.
pub async fn update_settings(
    app: &App,
    principal: &Principal,
    version: i32,
    draft: &SettingsDraft,
) -> Outcome<Settings> {
    let read = match read(draft) {
        Ok(read) => read,
        Err(errors) => return Ok(Err(errors)),
    };
    let (overlap, longest) = (app.options.token_overlap_seconds, app.options.token_overlap_seconds_max);
    let event =
        AuditEvent::new(principal, "settings.update", (&SUBJECT, "Settings"), Vec::new(), (&*app.clock, &*app.entropy));
    let written = app.database.control_decision(Box::new(move |tx| {
        Box::pin(async move {
            let before = settings::load_in(tx).await?;
            if before.version != version {
                return Ok(Err(vec![conflict(before.version)]));
            }
            let mut after = changed(&before, &read);
            if let Err(errors) = check_overlaps(&after, (overlap, longest)) {
                return Ok(Err(errors));
            }
            let changes = differences(fields(&before), fields(&after));
            if changes.is_empty() {
                return Ok(Ok(before));
            }
            after.version = version.saturating_add(1);
            settings::update(tx, &before, &after).await?;
            audit::insert(tx, AuditEvent { changes, ..event }).await?;
            Ok(Ok(after))
        })
    }));
    let written = written.await?;
    refresh_after_write(app).await;
    Ok(written)
}

/// A draft whose values are bounded.
struct Read {
    draft: SettingsDraft,
    overlap: Option<Option<u32>>,
    overlap_max: Option<Option<u32>>,
    receipt_days: Option<Option<u32>>,
}

fn read(draft: &SettingsDraft) -> Result<Read, Vec<super::UserError>> {
    let mut form = Form::new(Some("settings"));
    let longest = i32::try_from(OVERLAP_SECONDS_MAX).unwrap_or(i32::MAX);
    form.bounded("defaultTokenOverlapSeconds", draft.token_overlap.flatten(), 0..=longest);
    form.bounded("maxTokenOverlapSeconds", draft.token_overlap_max.flatten(), 0..=longest);
    let days = [RECEIPT_DAYS_MIN, RECEIPT_DAYS_MAX].map(|days| i32::try_from(days).unwrap_or(i32::MAX));
    form.bounded("receiptRetentionDays", draft.receipt_days.flatten(), days[0]..=days[1]);
    let fallback_url = read_fallback_url(&mut form, draft.fallback_url.as_ref().map(Option::as_deref));
    // What is out of bounds was refused above.
    let whole = |field: Option<Option<i32>>| field.map(|set| set.and_then(|value| u32::try_from(value).ok()));
    let read = Read {
        overlap: whole(draft.token_overlap),
        overlap_max: whole(draft.token_overlap_max),
        receipt_days: whole(draft.receipt_days),
        draft: SettingsDraft { fallback_url, ..draft.clone() },
    };
    form.finish(Some(read))
}

fn changed(before: &Settings, read: &Read) -> Settings {
    let draft = &read.draft;
    let zone = draft.zone.clone().unwrap_or_else(|| before.zone.clone());
    let generation = i32::from(zone != before.zone);
    Settings {
        day_generation: before.day_generation.saturating_add(generation),
        zone,
        currency: draft.currency.unwrap_or(before.currency),
        fallback_url: draft.fallback_url.clone().unwrap_or_else(|| before.fallback_url.clone()),
        token_overlap_seconds: read.overlap.unwrap_or(before.token_overlap_seconds),
        token_overlap_seconds_max: read.overlap_max.unwrap_or(before.token_overlap_seconds_max),
        receipt_days: read.receipt_days.unwrap_or(before.receipt_days),
        email_storage: draft.email_storage.unwrap_or(before.email_storage),
        version: before.version,
    }
}

/// The default overlap is none that may not be asked for; what configuration says counts where nothing is set.
fn check_overlaps(after: &Settings, configured: (u32, u32)) -> Result<(), Vec<super::UserError>> {
    let longest = after.token_overlap_seconds_max.unwrap_or(configured.1);
    if after.token_overlap_seconds.is_none_or(|overlap| overlap <= longest) {
        return Ok(());
    }
    let mut form = Form::new(Some("settings"));
    form.refuse_with_hint(
        UserErrorCode::OverlapTooLong,
        &["defaultTokenOverlapSeconds"],
        "The default is longer than the longest overlap that may be asked for.",
        longest.to_string(),
    );
    form.finish(None::<()>)
}

/// What the audit trail compares.
fn fields(settings: &Settings) -> Vec<(&'static str, Option<String>)> {
    let number = |number: Option<u32>| number.map(|number| number.to_string());
    vec![
        ("timezone", Some(settings.zone.name().to_owned())),
        ("currency", settings.currency.map(|currency| currency.to_string())),
        ("fallbackUrl", settings.fallback_url.clone()),
        ("defaultTokenOverlapSeconds", number(settings.token_overlap_seconds)),
        ("maxTokenOverlapSeconds", number(settings.token_overlap_seconds_max)),
        ("receiptRetentionDays", number(settings.receipt_days)),
        ("emailStorage", Some(settings.email_storage.as_str().to_owned())),
    ]
}
