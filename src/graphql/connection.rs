//! Relay connections over the keyset pages of the store.
//!
//! A page is read and checked by the store; here it gets its GraphQL shape. How many rows there are is counted only
//! when somebody selects `totalCount`, because counting may cost more than the page.

use async_graphql::{Result, SimpleObject};
use futures_util::future::BoxFuture;

use super::{error, scalars::SafeInt};
use crate::domain::clock::Timestamp;
use crate::store::{
    Database, StoreError,
    page::{self, PAGE_SIZE_DEFAULT, Page, PageRequest, Sort},
};

/// Where a page lies in its list.
#[derive(Clone, Debug, PartialEq, Eq, SimpleObject)]
pub struct PageInfo {
    /// There are entries after this page.
    pub has_next_page: bool,
    /// There are entries before this page.
    pub has_previous_page: bool,
    /// The cursor of the page's first entry.
    pub start_cursor: Option<String>,
    /// The cursor of the page's last entry: send it as after to get the next page.
    pub end_cursor: Option<String>,
}

/// How many entries a list has. Counting stops behind 10 000.
#[derive(Clone, Copy, Debug, PartialEq, Eq, SimpleObject)]
pub struct BoundedCount {
    /// At most 10 000.
    pub value: SafeInt,
    /// False when there are more.
    pub is_exact: bool,
}

impl From<page::BoundedCount> for BoundedCount {
    fn from(counted: page::BoundedCount) -> Self {
        Self { value: SafeInt(i64::try_from(counted.value).unwrap_or(i64::MAX)), is_exact: counted.is_exact }
    }
}

/// Counts the whole list of a page, when it is asked to.
pub type Count = Box<dyn for<'a> Fn(&'a Database, Timestamp) -> BoxFuture<'a, Result<BoundedCount>> + Send + Sync>;

/// What `totalCount` costs of a document's complexity.
pub const COUNT_COST: usize = 10;

/// What a caller says about the page, unread.
#[derive(Clone, Debug, Default)]
pub struct Window {
    pub first: Option<i32>,
    pub after: Option<String>,
    pub last: Option<i32>,
    pub before: Option<String>,
}

impl Window {
    /// Reads it under a sort.
    ///
    /// # Errors
    /// What the caller can put right: the wrong size, both ends, a cursor of another list.
    pub fn under<S: Sort>(&self, sort: S) -> Result<PageRequest<S>> {
        PageRequest::parse(sort, self.first, self.after.as_deref(), self.last, self.before.as_deref())
            .map_err(|fault| error::bad_user_input(fault.to_string()))
    }
}

/// What a page costs of a document's complexity: its length times its entries' fields.
pub fn page_cost(first: Option<i32>, last: Option<i32>, entry: usize) -> usize {
    let length = first.or(last).unwrap_or(PAGE_SIZE_DEFAULT);
    usize::try_from(length).unwrap_or(0).saturating_mul(entry).saturating_add(5)
}

/// Our fault, or more than the database does in the time that one read may take.
pub fn failed(fault: StoreError) -> async_graphql::Error {
    if fault.ran_too_long() { error::timed_out() } else { error::internal(fault) }
}

/// The entries of a page, each made into its GraphQL type, with the page's place.
pub fn shaped<T, U>(page: Page<T>, shape: impl Fn(T) -> U) -> (PageInfo, Vec<(U, String)>) {
    let place = PageInfo {
        has_next_page: page.has_next,
        has_previous_page: page.has_previous,
        start_cursor: page.items.first().map(|item| item.cursor.clone()),
        end_cursor: page.items.last().map(|item| item.cursor.clone()),
    };
    (place, page.items.into_iter().map(|item| (shape(item.value), item.cursor)).collect())
}

/// Defines a connection and its edge: with `counted`, it has a `totalCount`.
macro_rules! connection {
    ($(#[$doc:meta])* $connection:ident, $(#[$edge_doc:meta])* $edge:ident of $node:ty $(, $counted:ident)?) => {
        $(#[$edge_doc])*
        #[derive(async_graphql::SimpleObject)]
        pub struct $edge {
            /// The entry.
            pub node: $node,
            /// Its place in the list, under the order that was asked for.
            pub cursor: String,
        }

        pub struct $connection {
            edges: Vec<$edge>,
            place: $crate::graphql::connection::PageInfo,
            $($counted: $crate::graphql::connection::Count,)?
        }

        impl $connection {
            /// The connection of a page of the store.
            pub fn of<T>(
                page: $crate::store::page::Page<T>,
                shape: impl Fn(T) -> $node,
                $($counted: $crate::graphql::connection::Count,)?
            ) -> Self {
                let (place, items) = $crate::graphql::connection::shaped(page, shape);
                let edges = items.into_iter().map(|(node, cursor)| $edge { node, cursor }).collect();
                Self { edges, place, $($counted,)? }
            }
        }

        $(#[$doc])*
        #[async_graphql::Object]
        impl $connection {
            /// The entries with their cursors.
            async fn edges(&self) -> &[$edge] {
                &self.edges
            }

            /// The entries.
            async fn nodes(&self) -> Vec<&$node> {
                self.edges.iter().map(|edge| &edge.node).collect()
            }

            /// Where this page lies in the list.
            async fn page_info(&self) -> &$crate::graphql::connection::PageInfo {
                &self.place
            }

            $(
            /// How many entries the whole list has. Costs 10 points; counted only when it is selected.
            #[graphql(complexity = "crate::graphql::connection::COUNT_COST")]
            async fn total_count(
                &self,
                ctx: &async_graphql::Context<'_>,
            ) -> async_graphql::Result<$crate::graphql::connection::BoundedCount> {
                use $crate::graphql::context::Find as _;
                (self.$counted)(ctx.database()?, ctx.now()?).await
            }
            )?
        }
    };
}
pub(super) use connection;
