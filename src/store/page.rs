//! Keyset paging, one way for every list.
//!
//! A cursor holds the sort it was made under and the key values of its row, so that page 1000 costs what page 1
//! costs, and a row that is added meanwhile moves nothing. Offsets are not offered. A cursor of another sort is
//! refused: it would silently skip rows. Cursors are opaque but no secret: they hold nothing that the row's reader
//! has not seen.
//!
//! To page a list: a type that implements [`Sort`], its columns in the same order as the kinds of its [`Order`],
//! then [`fetch`] with them; the last key must be unique, or rows that are equal get lost between pages.
//! Text is compared without regard to ASCII case, by the database on both sides.

use sea_orm::sea_query::{Expr, ExprTrait as _, Func, Order as Way, Query, SelectStatement};
use sea_orm::{Condition, ConnectionTrait, EntityTrait, FromQueryResult, QueryTrait, Select};
use thiserror::Error;
use uuid::Uuid;

use super::error::StoreError;

/// Rows of one page, at most. More is refused, not clamped.
pub const PAGE_SIZE_MAX: i32 = 200;
/// Rows of a page where none is asked for.
pub const PAGE_SIZE_DEFAULT: i32 = 50;
/// Counting stops behind this many rows.
pub const COUNT_MAX: u64 = 10_000;
/// The longest cursor that is looked at, in characters: twice the JSON of a name of 200 characters.
const CURSOR_CHARACTERS_MAX: usize = 4096;
/// Changes when cursors of old pages must no longer be read.
const CURSOR_VERSION: u8 = 1;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Direction {
    Ascending,
    Descending,
}

/// One way to order one list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Order {
    /// Unique among all lists, such as `offer.name`.
    pub name: &'static str,
    pub direction: Direction,
    /// Of the key columns, outermost first; the last one is unique.
    pub keys: &'static [KeyKind],
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyKind {
    I32,
    I64,
    Text,
    Uuid,
}

/// A key value of one row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Key {
    I32(i32),
    I64(i64),
    Text(String),
    Uuid(Uuid),
}

/// A caller's choice among the orders of one list.
pub trait Sort: Copy + Send + Sync {
    fn order(self) -> Order;
}

/// The page that a caller asks for, read and checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PageRequest<S> {
    pub sort: S,
    /// 1 to [`PAGE_SIZE_MAX`].
    size: u64,
    /// From the end, walking back (`last`).
    backward: bool,
    after: Option<Vec<Key>>,
    before: Option<Vec<Key>>,
}

/// Why a page cannot be asked for like this: the caller's fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum PageRefused {
    #[error("ask for the first or for the last rows, not both")]
    BothEnds,
    #[error("a page has at least 1 row")]
    TooSmall,
    #[error("a page has at most {PAGE_SIZE_MAX} rows")]
    TooLarge,
    #[error("this cursor belongs to another list or sort, or is damaged: begin with the first page")]
    Cursor,
}

impl<S: Sort> PageRequest<S> {
    /// Reads what Relay calls `first`, `after`, `last`, `before`; 50 rows from the beginning where all are absent.
    pub fn parse(
        sort: S,
        first: Option<i32>,
        after: Option<&str>,
        last: Option<i32>,
        before: Option<&str>,
    ) -> Result<Self, PageRefused> {
        let (size, backward) = match (first, last) {
            (Some(_), Some(_)) => return Err(PageRefused::BothEnds),
            (first, None) => (first.unwrap_or(PAGE_SIZE_DEFAULT), false),
            (None, Some(last)) => (last, true),
        };
        if size > PAGE_SIZE_MAX {
            return Err(PageRefused::TooLarge);
        }
        let size = u64::try_from(size).ok().filter(|size| *size > 0).ok_or(PageRefused::TooSmall)?;
        let read = |text: Option<&str>| text.map(|text| read_cursor(sort.order(), text)).transpose();
        Ok(Self { sort, size, backward, after: read(after)?, before: read(before)? })
    }

    /// The rows behind a cursor, for work that walks a whole list by itself; such a page may be longer than one that
    /// is shown.
    ///
    /// # Errors
    /// `Cursor`.
    pub(crate) fn walk(sort: S, size: u64, after: Option<&str>) -> Result<Self, PageRefused> {
        let after = after.map(|text| read_cursor(sort.order(), text)).transpose()?;
        Ok(Self { sort, size, backward: false, after, before: None })
    }

    /// The first page of the standard size.
    pub fn beginning(sort: S) -> Self {
        let size = u64::from(PAGE_SIZE_DEFAULT.unsigned_abs());
        Self { sort, size, backward: false, after: None, before: None }
    }
}

/// One page of a list, in the list's order whichever way it was walked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page<T> {
    pub items: Vec<PageItem<T>>,
    pub has_next: bool,
    pub has_previous: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PageItem<T> {
    pub value: T,
    /// Of this row, under the page's sort.
    pub cursor: String,
}

impl<T> Page<T> {
    /// The values without their cursors.
    pub fn into_values(self) -> Vec<T> {
        self.items.into_iter().map(|item| item.value).collect()
    }
}

/// How many rows there are; counting stops behind [`COUNT_MAX`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BoundedCount {
    pub value: u64,
    /// False: there are more.
    pub is_exact: bool,
}

/// Reads the page of `select` (filters only: no order, no limit). `columns` are the key columns of the sort, `keys`
/// the values of the same columns in a row, `convert` makes the domain value.
pub(crate) async fn fetch<E, M, S, T>(
    connection: &impl ConnectionTrait,
    mut select: Select<E>,
    request: &PageRequest<S>,
    columns: &[Expr],
    keys: impl Fn(&M) -> Vec<Key>,
    convert: impl Fn(M) -> Result<T, StoreError>,
) -> Result<Page<T>, StoreError>
where
    E: EntityTrait<Model = M>,
    M: FromQueryResult + Send + Sync,
    S: Sort,
{
    narrow(QueryTrait::query(&mut select), request, columns);
    page_of(select.all(connection).await?, request, keys, convert)
}

/// Adds the keyset condition, the order and one row more than the page holds to any statement.
pub(crate) fn narrow<S: Sort>(statement: &mut SelectStatement, request: &PageRequest<S>, columns: &[Expr]) {
    let order = request.sort.order();
    let ascending = order.direction == Direction::Ascending;
    for (keys, later) in [(&request.after, true), (&request.before, false)] {
        if let Some(keys) = keys {
            let pairs = columns.iter().zip(keys).zip(order.keys);
            let pairs: Vec<(Expr, Expr)> = pairs
                .map(|((column, key), kind)| (comparable(column.clone(), *kind), comparable(value(key), *kind)))
                .collect();
            beyond(statement, &pairs, later == ascending);
        }
    }
    let way = if ascending == request.backward { Way::Desc } else { Way::Asc };
    for (column, kind) in columns.iter().zip(order.keys) {
        statement.order_by_expr(comparable(column.clone(), *kind), way.clone());
    }
    statement.limit(request.size.saturating_add(1));
}

/// Rows behind (or before) the key values, outermost column first: `a <= x AND (a < x OR (a = x AND b < y))`.
/// Not `(a, b) < (x, y)`: given that, SQLite walks an index on `a` alone and sorts all that follows.
fn beyond(statement: &mut SelectStatement, pairs: &[(Expr, Expr)], upwards: bool) {
    let strictly = |(column, key): &(Expr, Expr)| {
        let (column, key) = (column.clone(), key.clone());
        if upwards { column.gt(key) } else { column.lt(key) }
    };
    let mut any = Condition::any();
    for (index, pair) in pairs.iter().enumerate() {
        let equal = pairs[..index].iter().map(|(column, key)| column.clone().eq(key.clone()));
        any = any.add(equal.fold(Condition::all(), Condition::add).add(strictly(pair)));
    }
    if let Some((column, key)) = pairs.first().filter(|_| pairs.len() > 1) {
        let (column, key) = (column.clone(), key.clone());
        statement.and_where(if upwards { column.gte(key) } else { column.lte(key) });
    }
    statement.cond_where(any);
}

/// Makes the page of the rows that a statement after [`narrow`] returned.
pub(crate) fn page_of<M, S: Sort, T>(
    mut rows: Vec<M>,
    request: &PageRequest<S>,
    keys: impl Fn(&M) -> Vec<Key>,
    convert: impl Fn(M) -> Result<T, StoreError>,
) -> Result<Page<T>, StoreError> {
    let size = usize::try_from(request.size).unwrap_or(usize::MAX);
    let more = rows.len() > size;
    rows.truncate(size);
    if request.backward {
        rows.reverse();
    }
    let order = request.sort.order();
    let items = rows
        .into_iter()
        .map(|row| Ok(PageItem { cursor: write_cursor(order, &keys(&row)), value: convert(row)? }))
        .collect::<Result<_, StoreError>>()?;
    let (has_next, has_previous) =
        if request.backward { (request.before.is_some(), more) } else { (more, request.after.is_some()) };
    Ok(Page { items, has_next, has_previous })
}

/// Counts the rows of `statement` (filters only), at most one more than [`COUNT_MAX`].
pub(crate) async fn count(
    connection: &impl ConnectionTrait,
    mut statement: SelectStatement,
) -> Result<BoundedCount, StoreError> {
    statement.clear_selects().clear_order_by().expr(Expr::val(1)).limit(COUNT_MAX + 1);
    let counted = Query::select().expr_as(Expr::cust("COUNT(*)"), "counted").from_subquery(statement, "bounded").take();
    let row = connection.query_one(&counted).await?;
    let counted: i64 = row.map(|row| row.try_get("", "counted")).transpose()?.unwrap_or(0);
    let counted = u64::try_from(counted).unwrap_or(0);
    Ok(BoundedCount { value: std::cmp::min(counted, COUNT_MAX), is_exact: counted <= COUNT_MAX })
}

fn comparable(expr: Expr, kind: KeyKind) -> Expr {
    match kind {
        KeyKind::Text => Func::lower(expr).into(),
        KeyKind::I32 | KeyKind::I64 | KeyKind::Uuid => expr,
    }
}

fn value(key: &Key) -> Expr {
    match key {
        Key::I32(number) => Expr::val(*number),
        Key::I64(number) => Expr::val(*number),
        Key::Text(text) => Expr::val(text.clone()),
        Key::Uuid(uuid) => Expr::val(*uuid),
    }
}

/// Hexadecimal of a JSON list: version, sort, direction, key values. Hexadecimal passes every URL as it is.
pub(super) fn write_cursor(order: Order, keys: &[Key]) -> String {
    let keys: Vec<serde_json::Value> = keys
        .iter()
        .map(|key| match key {
            Key::I32(number) => (*number).into(),
            Key::I64(number) => (*number).into(),
            Key::Text(text) => text.as_str().into(),
            Key::Uuid(uuid) => uuid.simple().to_string().into(),
        })
        .collect();
    let json = serde_json::json!([CURSOR_VERSION, order.name, direction_mark(order.direction), keys]).to_string();
    hex::encode(json)
}

pub(super) fn read_cursor(order: Order, text: &str) -> Result<Vec<Key>, PageRefused> {
    let json = Some(text).filter(|text| text.len() <= CURSOR_CHARACTERS_MAX).and_then(|text| hex::decode(text).ok());
    let read = json.and_then(|json| serde_json::from_slice::<(u8, String, char, Vec<serde_json::Value>)>(&json).ok());
    let (version, name, mark, values) = read.ok_or(PageRefused::Cursor)?;
    let same = version == CURSOR_VERSION && name == order.name && mark == direction_mark(order.direction);
    if !same || values.len() != order.keys.len() {
        return Err(PageRefused::Cursor);
    }
    let keys = values.iter().zip(order.keys).map(|(value, kind)| read_key(value, *kind));
    keys.collect::<Option<_>>().ok_or(PageRefused::Cursor)
}

fn read_key(value: &serde_json::Value, kind: KeyKind) -> Option<Key> {
    match kind {
        KeyKind::I32 => value.as_i64()?.try_into().ok().map(Key::I32),
        KeyKind::I64 => value.as_i64().map(Key::I64),
        // PostgreSQL has no text with a NUL in it, and would fail where the caller is at fault.
        KeyKind::Text => value.as_str().filter(|text| !text.contains('\0')).map(|text| Key::Text(text.to_owned())),
        KeyKind::Uuid => value.as_str().and_then(|text| Uuid::try_parse(text).ok()).map(Key::Uuid),
    }
}

const fn direction_mark(direction: Direction) -> char {
    match direction {
        Direction::Ascending => '+',
        Direction::Descending => '-',
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Clone, Copy, Debug, PartialEq)]
    struct ByName(Direction);

    impl Sort for ByName {
        fn order(self) -> Order {
            Order { name: "test.name", direction: self.0, keys: &[KeyKind::Text, KeyKind::I32] }
        }
    }

    #[derive(Clone, Copy, Debug, PartialEq)]
    struct ById;

    impl Sort for ById {
        fn order(self) -> Order {
            Order { name: "test.id", direction: Direction::Ascending, keys: &[KeyKind::Uuid] }
        }
    }

    const ASCENDING: ByName = ByName(Direction::Ascending);

    fn parse(first: Option<i32>, last: Option<i32>) -> Result<PageRequest<ByName>, PageRefused> {
        PageRequest::parse(ASCENDING, first, None, last, None)
    }

    #[test]
    fn a_page_has_one_to_two_hundred_rows_from_one_end() {
        assert_eq!(parse(None, None).unwrap().size, 50);
        for (size, outcome) in [(0, Err(PageRefused::TooSmall)), (-1, Err(PageRefused::TooSmall)), (1, Ok(1))] {
            assert_eq!(parse(Some(size), None).map(|page| page.size), outcome);
        }
        for (size, outcome) in [(199, Ok(199)), (200, Ok(200)), (201, Err(PageRefused::TooLarge))] {
            assert_eq!(parse(None, Some(size)).map(|page| page.size), outcome);
        }
        assert_eq!(parse(Some(1), Some(1)), Err(PageRefused::BothEnds));
    }

    #[test]
    fn a_cursor_is_read_under_its_own_sort_only() {
        let keys = vec![Key::Text("Köln \"Süd\"".into()), Key::I32(7)];
        let cursor = write_cursor(ASCENDING.order(), &keys);
        let page = PageRequest::parse(ASCENDING, None, Some(&cursor), None, None).unwrap();
        assert_eq!(page.after, Some(keys));
        let other = ByName(Direction::Descending);
        assert_eq!(PageRequest::parse(other, None, Some(&cursor), None, None), Err(PageRefused::Cursor));
        assert_eq!(PageRequest::parse(ById, None, None, None, Some(&cursor)), Err(PageRefused::Cursor));
    }

    #[test]
    fn a_damaged_cursor_is_refused() {
        let cursor = write_cursor(ASCENDING.order(), &[Key::Text("a".into()), Key::I32(7)]);
        let wrong_kind = write_cursor(ASCENDING.order(), &[Key::I32(7), Key::I32(7)]);
        let with_nul = write_cursor(ASCENDING.order(), &[Key::Text("\0".into()), Key::I32(7)]);
        let long = "0".repeat(CURSOR_CHARACTERS_MAX + 2);
        for wrong in ["", "xyz", "é", &cursor[1..], &cursor[..cursor.len() - 2], &wrong_kind, &with_nul, &long] {
            assert_eq!(PageRequest::parse(ASCENDING, None, Some(wrong), None, None), Err(PageRefused::Cursor));
        }
    }

    #[test]
    fn a_page_knows_what_lies_beyond_it_on_both_sides() {
        let page = |backward, after: Option<Vec<Key>>, rows: Vec<i32>| {
            let request = PageRequest { sort: ASCENDING, size: 2, backward, after, before: None };
            let page = page_of(rows, &request, |row| vec![Key::Text(String::new()), Key::I32(*row)], Ok).unwrap();
            (page.has_previous, page.has_next, page.into_values())
        };
        assert_eq!(page(false, None, vec![1, 2, 3]), (false, true, vec![1, 2]));
        assert_eq!(page(false, Some(Vec::new()), vec![3]), (true, false, vec![3]));
        assert_eq!(page(true, None, vec![3, 2, 1]), (true, false, vec![2, 3]));
    }
}
