//! The feed: what was recorded, in the order in which it became visible, for those who follow it live.
//!
//! Ids and times do not tell that order: two writers commit when they like, and what waited in a spool comes long after
//! its id was made. So each batch leaves one row with the ids of all that it wrote. On PostgreSQL its position is the
//! number of its transaction, and only rows below the oldest open transaction are read: every transaction down there
//! has ended, so nothing can appear there any more. On SQLite one transaction writes at a time, and positions count up.
//! A place in the feed is therefore enough to go on from, on any server: nothing is missed and nothing comes twice.
//! What it costs: a transaction that stays open (of whomever, in any database of the cluster) holds followers back
//! until it ends; they are late then, and miss nothing.
//!
//! Rows are kept for a while. The lowest row that is left tells what is gone: a place below it has missed something.

use std::collections::HashMap;

use entity::feed as row;
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect, Statement};
use uuid::Uuid;

use crate::domain::clock::Timestamp;
use crate::domain::conversion::Change;
use crate::domain::ids::{ChangeId, ReceiptId};
use crate::domain::receipt::Receipt;

use super::connect::{Database, Engine};
use super::conversions::{self, ConversionFilter};
use super::error::StoreError;
use super::page::{Direction, Key, KeyKind, Order, PageRefused, read_cursor, write_cursor};
use super::receipts::{self, ReceiptFilter};

/// Items of one stretch, at most: what a follower who is behind holds in memory.
pub const STRETCH_ITEMS_MAX: usize = 100;
/// Rows that one stretch is looked for in.
const STRETCH_ROWS_MAX: u64 = 64;
/// Of a batch: all of it.
const ALL: i32 = i32::MAX;

/// What can be followed. A cursor of one is refused by the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Followed {
    Receipts,
    Changes,
}

impl Followed {
    const fn order(self) -> Order {
        let name = match self {
            Self::Receipts => "feed.receipts",
            Self::Changes => "feed.changes",
        };
        Order { name, direction: Direction::Ascending, keys: &[KeyKind::I64, KeyKind::I32, KeyKind::I64] }
    }
}

/// How far somebody has followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    position: i64,
    /// How many items of the batch at that position are behind.
    taken: i32,
    /// When the last batch was settled that is behind, or earlier.
    at: Timestamp,
}

impl Place {
    /// Behind everything that can be read at this head.
    pub fn at_head(head: Head, now: Timestamp) -> Self {
        Self { position: head.safe, taken: ALL, at: now }
    }

    /// Is there anything behind it that can be read at this head?
    pub fn is_behind(self, head: Head) -> bool {
        self.position < head.newest || (self.position == head.newest && self.taken != ALL)
    }

    /// Everything behind it, up to a time.
    pub fn missed_until(self, until: Timestamp) -> Missed {
        Missed { since: self.at, until }
    }

    pub fn cursor(self, of: Followed) -> String {
        let keys = [Key::I64(self.position), Key::I32(self.taken), Key::I64(self.at.as_millis())];
        write_cursor(of.order(), &keys)
    }

    /// # Errors
    /// It is no cursor of what is followed.
    pub fn parse(of: Followed, cursor: &str) -> Result<Self, PageRefused> {
        match read_cursor(of.order(), cursor)?.as_slice() {
            [Key::I64(position), Key::I32(taken), Key::I64(at)] if *position >= 0 && *taken >= 1 => {
                Ok(Self { position: *position, taken: *taken, at: Timestamp::from_millis(*at) })
            }
            _ => Err(PageRefused::Cursor),
        }
    }
}

/// How far the feed can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// Nothing will appear at this position or below.
    safe: i64,
    /// The highest row that is not above it.
    pub newest: i64,
}

impl Head {
    /// Nothing will appear at this position or below.
    pub(super) const fn safe(self) -> i64 {
        self.safe
    }
}

/// What a follower did not get.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Missed {
    /// When the last batch was settled that he has, or earlier.
    pub since: Timestamp,
    /// When the last batch was settled that he has not, or later.
    pub until: Timestamp,
}

/// What follows a place.
#[derive(Debug)]
pub struct Stretch<T> {
    /// Each with the place behind it.
    pub items: Vec<(T, Place)>,
    /// Behind all of it; further than the last item where others were left out.
    pub until: Place,
    /// What is gone between the place that was asked for and the first item.
    pub missed: Option<Missed>,
}

/// How far the feed can be read now.
///
/// # Errors
/// Ours.
pub async fn head(database: &Database) -> Result<Head, StoreError> {
    let sql = match database.engine() {
        Engine::Postgres => HEAD_ON_POSTGRES,
        Engine::Sqlite => HEAD_ON_SQLITE,
    };
    let read = database.read();
    let row = read.query_one_raw(Statement::from_string(read.get_database_backend(), sql)).await?;
    let row = row.ok_or_else(|| StoreError::unreadable("feed", "no row"))?;
    Ok(Head { safe: row.try_get("", "safe")?, newest: row.try_get("", "newest")? })
}

/// One statement, so that both see the same snapshot.
const HEAD_ON_POSTGRES: &str = "WITH open AS (\
    SELECT CAST(CAST(pg_snapshot_xmin(pg_current_snapshot()) AS TEXT) AS BIGINT) AS oldest) \
    SELECT oldest - 1 AS safe, \
    COALESCE((SELECT position FROM feed WHERE position < oldest ORDER BY position DESC LIMIT 1), 0) AS newest FROM open";
const HEAD_ON_SQLITE: &str =
    "SELECT COALESCE(MAX(position), 0) AS safe, COALESCE(MAX(position), 0) AS newest FROM feed";

/// What is wrong with a place at a head that was read after it: it comes from another history, such as that of a
/// database which was restored since.
pub fn is_ahead(place: Place, head: Head) -> bool {
    place.position > head.safe
}

/// The receipts that follow a place and that a filter holds.
///
/// # Errors
/// Ours.
pub async fn receipts_after(
    database: &Database,
    filter: &ReceiptFilter,
    from: Place,
    head: Head,
) -> Result<Stretch<Receipt>, StoreError> {
    let found = ids_after(database, row::Column::Receipts, from, head).await?;
    let ids: Vec<ReceiptId> = found.items.iter().map(|(id, _)| ReceiptId::from_uuid(*id)).collect();
    let matching = receipts::find_matching(database, &ids, filter).await?;
    Ok(found.with(matching, |receipt| receipt.id.uuid()))
}

/// The entries of histories that follow a place, of the conversions that a filter holds now.
///
/// # Errors
/// Ours.
pub async fn changes_after(
    database: &Database,
    filter: &ConversionFilter,
    from: Place,
    head: Head,
) -> Result<Stretch<Change>, StoreError> {
    let found = ids_after(database, row::Column::Changes, from, head).await?;
    let ids: Vec<ChangeId> = found.items.iter().map(|(id, _)| ChangeId::from_uuid(*id)).collect();
    let matching = conversions::find_changes(database, &ids, filter).await?;
    Ok(found.with(matching, |change| change.id.uuid()))
}

impl Stretch<Uuid> {
    /// The same with what the ids stand for; those that are not among it are left out.
    fn with<T>(self, values: Vec<T>, id: impl Fn(&T) -> Uuid) -> Stretch<T> {
        let mut by_id: HashMap<Uuid, T> = values.into_iter().map(|value| (id(&value), value)).collect();
        let items = self.items.into_iter().filter_map(|(id, place)| by_id.remove(&id).map(|value| (value, place)));
        Stretch { items: items.collect(), until: self.until, missed: self.missed }
    }
}

/// One row: position, time, ids.
type Batch = (i64, i64, Vec<u8>);

async fn ids_after(
    database: &Database,
    column: row::Column,
    from: Place,
    head: Head,
) -> Result<Stretch<Uuid>, StoreError> {
    let batches: Vec<Batch> = row::Entity::find()
        .select_only()
        .columns([row::Column::Position, row::Column::At, column])
        .filter(row::Column::Position.between(from.position, head.safe))
        .order_by_asc(row::Column::Position)
        .limit(STRETCH_ROWS_MAX)
        .into_tuple()
        .all(database.read())
        .await?;
    // Asked afterwards: what is still there now was there when the batches were read.
    match lowest(database).await? {
        Some((position, at)) if position > from.position => {
            let until = Place { position, taken: ALL, at };
            Ok(Stretch { items: Vec::new(), until, missed: Some(Missed { since: from.at, until: at }) })
        }
        Some(_) | None => stretch_of(&batches, from, head),
    }
}

async fn lowest(database: &Database) -> Result<Option<(i64, Timestamp)>, StoreError> {
    let lowest: Option<(i64, i64)> = row::Entity::find()
        .select_only()
        .columns([row::Column::Position, row::Column::At])
        .order_by_asc(row::Column::Position)
        .limit(1)
        .into_tuple()
        .one(database.read())
        .await?;
    Ok(lowest.map(|(position, at)| (position, Timestamp::from_millis(at))))
}

/// As many items as a stretch holds, and where it ends.
fn stretch_of(batches: &[Batch], from: Place, head: Head) -> Result<Stretch<Uuid>, StoreError> {
    let mut stretch = Stretch { items: Vec::new(), until: from, missed: None };
    for (position, at, ids) in batches {
        let at = Timestamp::from_millis(*at);
        let (ids, rest) = ids.as_chunks::<16>();
        if !rest.is_empty() {
            return Err(StoreError::unreadable("feed", "ids"));
        }
        let taken = if *position == from.position { usize::try_from(from.taken).unwrap_or(0) } else { 0 };
        for (index, id) in ids.iter().enumerate().skip(taken) {
            if stretch.items.len() == STRETCH_ITEMS_MAX {
                return Ok(stretch);
            }
            let taken = i32::try_from(index).unwrap_or(ALL).saturating_add(1);
            stretch.until = Place { position: *position, taken, at };
            stretch.items.push((Uuid::from_bytes(*id), stretch.until));
        }
        stretch.until = Place { position: *position, taken: ALL, at };
    }
    if u64::try_from(batches.len()).is_ok_and(|count| count < STRETCH_ROWS_MAX) {
        stretch.until = Place { position: head.safe, taken: ALL, ..stretch.until };
    }
    Ok(stretch)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch(position: i64, ids: std::ops::Range<u128>) -> Batch {
        (position, position * 10, ids.flat_map(|id| Uuid::from_u128(id).into_bytes()).collect())
    }

    fn place(position: i64, taken: i32) -> Place {
        Place { position, taken, at: Timestamp::from_millis(position * 10) }
    }

    fn numbers(stretch: &Stretch<Uuid>) -> Vec<u128> {
        stretch.items.iter().map(|(id, _)| id.as_u128()).collect()
    }

    const HEAD: Head = Head { safe: 99, newest: 7 };

    #[test]
    fn a_stretch_goes_on_behind_its_place_in_the_middle_of_a_batch_too() {
        let batches = [batch(5, 0..3), batch(7, 3..5)];
        for (from, expected) in [
            (place(4, ALL), vec![0, 1, 2, 3, 4]),
            (place(5, 1), vec![1, 2, 3, 4]),
            (place(5, 2), vec![2, 3, 4]),
            (place(5, 3), vec![3, 4]),
            (place(5, ALL), vec![3, 4]),
        ] {
            let stretch = stretch_of(&batches, from, HEAD).unwrap();
            assert_eq!((numbers(&stretch), stretch.until.position), (expected, 99), "{from:?}");
        }
        let all = stretch_of(&batches, place(4, ALL), HEAD).unwrap();
        assert_eq!(all.items[1].1, place(5, 2));
        assert_eq!(stretch_of(&[], place(4, ALL), HEAD).unwrap().until.at, place(4, ALL).at);
    }

    #[test]
    fn a_stretch_holds_a_hundred_and_ends_where_the_next_begins() {
        for (count, rest) in [(99, 0), (100, 0), (101, 1)] {
            let batches = [batch(5, 0..count), batch(7, count..count)];
            let stretch = stretch_of(&batches, place(4, ALL), HEAD).unwrap();
            assert_eq!(stretch.items.len(), usize::try_from(count - rest).unwrap());
            // What is read next begins at the place.
            let later: Vec<Batch> = batches.into_iter().filter(|(at, ..)| *at >= stretch.until.position).collect();
            let next = stretch_of(&later, stretch.until, HEAD).unwrap();
            assert_eq!(numbers(&next), (count - rest..count).collect::<Vec<_>>());
        }
    }

    #[test]
    fn a_stretch_that_saw_all_its_rows_does_not_know_what_lies_behind_them() {
        let batches: Vec<Batch> = (1..=64).map(|position| batch(position, 0..0)).collect();
        assert_eq!(stretch_of(&batches, place(0, ALL), HEAD).unwrap().until.position, 64);
        assert_eq!(stretch_of(&batches[..63], place(0, ALL), HEAD).unwrap().until.position, 99);
    }

    #[test]
    fn a_cursor_is_read_by_what_it_follows_only() {
        let cursor = place(5, 2).cursor(Followed::Receipts);
        assert_eq!(Place::parse(Followed::Receipts, &cursor), Ok(place(5, 2)));
        assert_eq!(Place::parse(Followed::Changes, &cursor), Err(PageRefused::Cursor));
        for wrong in [place(-1, 1), place(5, 0), place(5, -1)] {
            let cursor = wrong.cursor(Followed::Receipts);
            assert_eq!(Place::parse(Followed::Receipts, &cursor), Err(PageRefused::Cursor));
        }
    }
}
