//! Clicks of another system, from a CSV file: so that conversions of visits under way are not lost when a network
//! moves in.
//!
//! The file is read as a stream and written in steps, each a transaction. A line that cannot be taken is told with its
//! number and the reading goes on; what was taken before stays. To import the same file again changes nothing. An id
//! that is there already for another visit is refused, not replaced: a conversion may be recorded under it. The clicks
//! count in no figure: they were counted where they were tracked.

use std::collections::HashMap;
use std::io::Read;

use csv::{ByteRecord, ReaderBuilder, Trim};

use super::retention::oldest_foreign_click;
use super::snapshot::refresh_after_write;
use super::{App, AppError, Outcome, UserError, UserErrorCode};
use crate::domain::audit::{AuditChange, AuditEvent};
use crate::domain::clock::Timestamp;
use crate::domain::foreign_click::{ForeignClick, parse_foreign_id};
use crate::domain::ids::{OfferId, PublisherId};
use crate::domain::operator::Principal;
use crate::domain::snapshot::Snapshot;
use crate::domain::transaction_id::{EPOCH, Kind};
use crate::store::audit;
use crate::store::foreign_clicks::{self, ROWS_MAX};

/// The columns that a file must have, in any order.
const NEEDED: [&str; 4] = ["id", "offer", "publisher", "time"];
/// The columns that it may have: what the publisher sent along with the click.
const OPTIONAL: [&str; 7] =
    ["external_transaction_id", "sub_id", "sub_id_2", "sub_id_3", "sub_id_4", "sub_id_5", "sub_id_6"];
/// Characters of a sub id or an external id that are kept, as on a click.
const TEXT_CHARACTERS_MAX: usize = 500;
/// The clocks of two systems may differ by this much.
const FUTURE_SECONDS_MAX: i64 = 24 * 3600;
/// Below this a number of the column `time` is seconds, else milliseconds: the year 5138, and 1973.
const MILLISECONDS_FROM: i64 = 100_000_000_000;

/// What became of a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Imported {
    pub added: u64,
    /// There already, by an earlier import or an earlier line.
    pub known: u64,
    /// Told one by one.
    pub bad: u64,
}

/// A line that was not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadLine {
    /// From 1; the first is the header. Of the empty lines before it, if there are any, that of the first.
    pub number: u64,
    /// Without capital letter and full stop.
    pub reason: String,
}

/// Imports what `source` holds; `name` is how the audit trail calls it.
///
/// # Errors
/// `Invalid` or `Required` for a header that names not the right columns, or a source that cannot be read.
pub async fn import_clicks(
    app: &App,
    principal: &Principal,
    name: &str,
    source: impl Read + Send,
    tell: &mut (dyn FnMut(BadLine) + Send),
) -> Outcome<Imported> {
    let mut reader = ReaderBuilder::new().flexible(true).trim(Trim::All).from_reader(source);
    let columns = match reader.byte_headers().map_err(|error| vec![unreadable(&error)]).and_then(Columns::read) {
        Ok(columns) => columns,
        Err(errors) => return Ok(Err(errors)),
    };
    let mut import = Import { app, columns, imported: Imported::default(), tell };
    let mut entry = Some(entry(app, principal, name));
    let mut record = ByteRecord::new();
    loop {
        let mut lines = Vec::with_capacity(ROWS_MAX);
        let more = loop {
            match reader.read_byte_record(&mut record) {
                Ok(true) => lines.extend(import.read(&record)),
                Ok(false) => break false,
                Err(error) => return Ok(Err(vec![unreadable(&error)])),
            }
            if lines.len() == ROWS_MAX {
                break true;
            }
        };
        import.write(lines, &mut entry).await?;
        if !more {
            return Ok(Ok(import.imported));
        }
    }
}

/// Where each column stands.
struct Columns(HashMap<&'static str, usize>);

impl Columns {
    fn read(header: &ByteRecord) -> Result<Self, Vec<UserError>> {
        let (mut places, mut errors) = (HashMap::new(), Vec::new());
        let refuse = |code, message: String| UserError::new(code, &["header"], message);
        for (place, field) in header.iter().enumerate() {
            let text = String::from_utf8_lossy(field).trim_start_matches('\u{feff}').to_ascii_lowercase();
            match NEEDED.iter().chain(&OPTIONAL).find(|name| **name == text) {
                Some(name) if places.insert(*name, place).is_none() => {}
                Some(name) => errors.push(refuse(UserErrorCode::Invalid, format!("The column {name} is there twice."))),
                None => {
                    let known = [&NEEDED[..], &OPTIONAL[..]].concat().join(", ");
                    let message = format!("The first line names a column that is not known: {text:?}.");
                    errors.push(refuse(UserErrorCode::Invalid, message).with_hint(format!("Known are {known}.")));
                }
            }
        }
        for name in NEEDED.iter().filter(|name| !places.contains_key(**name)) {
            errors.push(refuse(UserErrorCode::Required, format!("The first line names no column {name}.")));
        }
        if errors.is_empty() { Ok(Self(places)) } else { Err(errors) }
    }

    /// The field of this line; `None` where it is empty or not there.
    fn field<'r>(&self, record: &'r ByteRecord, name: &str) -> Result<Option<&'r str>, String> {
        let field = self.0.get(name).and_then(|place| record.get(*place)).unwrap_or_default();
        let text = std::str::from_utf8(field).map_err(|_| format!("{name} is not UTF-8"))?;
        Ok(Some(text.trim()).filter(|text| !text.is_empty()))
    }
}

/// A line that reads, and its number.
type Line = (u64, ForeignClick);

struct Import<'a> {
    app: &'a App,
    columns: Columns,
    imported: Imported,
    tell: &'a mut (dyn FnMut(BadLine) + Send),
}

impl Import<'_> {
    fn refuse(&mut self, number: u64, reason: String) {
        self.imported.bad += 1;
        (self.tell)(BadLine { number, reason });
    }

    fn read(&mut self, record: &ByteRecord) -> Option<Line> {
        let number = record.position().map_or(0, csv::Position::line);
        match self.read_click(record, &self.app.snapshot.load()) {
            Ok(click) => Some((number, click)),
            Err(reason) => {
                self.refuse(number, reason);
                None
            }
        }
    }

    fn read_click(&self, record: &ByteRecord, snapshot: &Snapshot) -> Result<ForeignClick, String> {
        let needed = |name| self.columns.field(record, name)?.ok_or_else(|| format!("{name} is empty"));
        let foreign_id = parse_foreign_id(needed("id")?, &self.app.keyring)?;
        let offer = number(needed("offer")?).and_then(OfferId::new);
        let offer = offer.filter(|offer| snapshot.offers.contains_key(offer)).ok_or("there is no such offer")?;
        let publisher = number(needed("publisher")?).and_then(PublisherId::new);
        let publisher = publisher.filter(|publisher| snapshot.publishers.contains_key(publisher));
        let publisher = publisher.ok_or("there is no such publisher")?;
        let clicked_at = read_time(needed("time")?, self.app.clock.now())?;
        let text = |name| self.columns.field(record, name).map(|text| text.map(kept));
        let [_, sub_id, sub_id_2, sub_id_3, sub_id_4, sub_id_5, sub_id_6] = OPTIONAL;
        Ok(ForeignClick {
            foreign_id,
            transaction_id: self.app.minter.mint(&self.app.keyring, clicked_at, Kind::Click, offer, publisher),
            clicked_at,
            offer,
            publisher,
            external_transaction_id: text("external_transaction_id")?,
            sub_ids: [
                text(sub_id)?,
                text(sub_id_2)?,
                text(sub_id_3)?,
                text(sub_id_4)?,
                text(sub_id_5)?,
                text(sub_id_6)?,
            ],
        })
    }

    /// One step. The first leaves the entry in the audit trail, and tells every server that there are foreign ids now.
    async fn write(&mut self, lines: Vec<Line>, entry: &mut Option<AuditEvent>) -> Result<(), AppError> {
        if lines.is_empty() {
            return Ok(());
        }
        let clicks: Vec<ForeignClick> = lines.iter().map(|(_, click)| click.clone()).collect();
        let database = &self.app.database;
        let there = match entry.take() {
            Some(entry) => {
                let work = database.control_write(Box::new(move |tx| {
                    Box::pin(async move {
                        audit::insert(tx, entry).await?;
                        foreign_clicks::put(tx, &clicks).await
                    })
                }));
                let there = work.await?;
                refresh_after_write(self.app).await;
                there
            }
            None => {
                let work = database
                    .side_write(Box::new(move |tx| Box::pin(async move { foreign_clicks::put(tx, &clicks).await })));
                work.await?
            }
        };
        for (number, click) in lines {
            match there.get(&click.foreign_id) {
                Some(kept) if kept.transaction_id == click.transaction_id => self.imported.added += 1,
                Some(kept) if kept.is_same_visit(&click) => self.imported.known += 1,
                Some(_) | None => self.refuse(number, "the id is there already, for another visit".to_owned()),
            }
        }
        Ok(())
    }
}

fn number(text: &str) -> Option<i32> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

/// RFC 3339, or seconds or milliseconds since 1970.
fn read_time(text: &str, now: Timestamp) -> Result<Timestamp, String> {
    let counted = |number: i64| {
        let millis = if number < MILLISECONDS_FROM { number.saturating_mul(1000) } else { number };
        Timestamp::from_millis(millis)
    };
    let at = text.parse().ok().map(counted).or_else(|| Timestamp::parse_rfc3339(text));
    let at = at.ok_or("time is neither RFC 3339, such as 2026-06-01T12:00:00Z, nor seconds since 1970")?;
    if at > now.plus_seconds(FUTURE_SECONDS_MAX) {
        return Err("time is in the future".to_owned());
    }
    if at < oldest_foreign_click(now).max(EPOCH) {
        return Err("the click is too old: no conversion of it could count".to_owned());
    }
    Ok(at)
}

fn kept(text: &str) -> String {
    text.chars().filter(|character| !character.is_control()).take(TEXT_CHARACTERS_MAX).collect()
}

fn unreadable(error: &csv::Error) -> UserError {
    UserError::new(UserErrorCode::Invalid, &["source"], format!("The file cannot be read: {error}."))
}

fn entry(app: &App, principal: &Principal, name: &str) -> AuditEvent {
    let changes = vec![AuditChange::new("source", None, Some(name.to_owned()))];
    AuditEvent::new(principal, "clicks.import", (&"", ""), changes, (&*app.clock, &*app.entropy))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::fixtures::NOW;

    #[test]
    fn a_time_is_rfc_3339_or_counted_and_neither_too_old_nor_to_come() {
        let at = |text: &str| read_time(text, NOW);
        let (seconds, millis) = (NOW.as_millis() / 1000, NOW.as_millis());
        for text in [NOW.to_string(), millis.to_string(), format!(" {millis}").trim().to_owned()] {
            assert_eq!(at(&text), Ok(NOW), "{text}");
        }
        assert_eq!(at(&seconds.to_string()), Ok(Timestamp::from_millis(seconds * 1000)));
        for text in ["", "yesterday", "2026-06-01", "12.5", "-1", "0"] {
            assert!(at(text).is_err(), "{text}");
        }
        for (offset, taken) in [(FUTURE_SECONDS_MAX, true), (FUTURE_SECONDS_MAX + 1, false)] {
            assert_eq!(at(&NOW.plus_seconds(offset).to_string()).is_ok(), taken);
        }
        let oldest = oldest_foreign_click(NOW).max(EPOCH);
        assert!(at(&oldest.to_string()).is_ok());
        assert!(at(&oldest.plus_millis(-1).to_string()).is_err());
    }
}
