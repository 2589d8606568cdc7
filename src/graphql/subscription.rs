//! The subscriptions: what is recorded, told as it happens. They are answered on the socket (`socket.rs`) only.
//!
//! Whoever is signed in may subscribe; fields of an item are guarded like everywhere else.

use std::sync::Arc;

use async_graphql::{Context, Result, SimpleObject, Subscription as Root};
use futures_util::stream::{BoxStream, StreamExt as _};

use super::{
    connection::failed,
    context::Find as _,
    error,
    follow::{self, Followed, Heads},
    id::Id,
    scalars::DateTime,
    types::{
        conversion::{ConversionChange, ConversionFilter},
        job::Job,
        receipt::{Receipt, ReceiptFilter},
    },
    watch_job::watch_job,
};
use crate::{
    app::App,
    domain::ids::JobId,
    store::{
        feed::{self, Missed, Place},
        jobs,
    },
};

/// The root.
#[derive(Default)]
pub struct Subscription;

type Items<T> = BoxStream<'static, Result<T>>;

/// Everything that can be followed, on the socket at /graphql/ws in the protocol graphql-transport-ws.
#[Root]
impl Subscription {
    /// Receipts in the order in which they were recorded, those of other servers too, each of them once. Without a
    /// cursor from now on, and the first item holds a cursor and nothing else.
    async fn receipts(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which of them.")] filter: Option<ReceiptFilter>,
        #[graphql(desc = "Go on behind the item that came with this cursor.")] after: Option<String>,
    ) -> Result<Items<ReceiptStreamItem>> {
        let filter = Arc::new(filter.map(|filter| filter.read(ctx)).transpose()?.unwrap_or_default());
        let read: follow::Read<_> = Arc::new(move |database, from, head| {
            let filter = Arc::clone(&filter);
            Box::pin(async move { feed::receipts_after(database, &filter, from, head).await })
        });
        let stream = follow(ctx, feed::Followed::Receipts, after, read).await?;
        Ok(stream.map(|next| next.map(ReceiptStreamItem::from).map_err(failed)).boxed())
    }

    /// Entries of the histories of conversions, recordings too, in the order in which they were made, those of other
    /// servers too, each of them once. Without a cursor from now on, and the first item holds a cursor and nothing else.
    async fn conversion_changes(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Those of which conversions, as they are when the entry is sent.")] filter: Option<
            ConversionFilter,
        >,
        #[graphql(desc = "Go on behind the item that came with this cursor.")] after: Option<String>,
    ) -> Result<Items<ConversionStreamItem>> {
        let filter = Arc::new(filter.unwrap_or_default().read(ctx)?);
        let read: follow::Read<_> = Arc::new(move |database, from, head| {
            let filter = Arc::clone(&filter);
            Box::pin(async move { feed::changes_after(database, &filter, from, head).await })
        });
        let stream = follow(ctx, feed::Followed::Changes, after, read).await?;
        Ok(stream.map(|next| next.map(ConversionStreamItem::from).map_err(failed)).boxed())
    }

    /// A job as it is, and again whenever it is another, until it has ended.
    async fn job(&self, ctx: &Context<'_>, #[graphql(desc = "Its id.")] id: Id<JobId>) -> Result<Items<Job>> {
        // What reads things together is there for the items only.
        if jobs::find(ctx.database()?, id.0).await.map_err(failed)?.is_none() {
            return Err(error::bad_user_input("id: there is no such job"));
        }
        let states = watch_job(Arc::clone(ctx.data::<Arc<App>>()?), id.0);
        Ok(states.map(|state| state.map(Job::from).map_err(failed)).boxed())
    }
}

/// What came and the cursor behind it.
type Next<T> = (Followed<T>, String);

async fn follow<T: Send + 'static>(
    ctx: &Context<'_>,
    of: feed::Followed,
    after: Option<String>,
    read: follow::Read<T>,
) -> Result<BoxStream<'static, Result<Next<T>, crate::store::StoreError>>> {
    let after = after.map(|cursor| place(of, &cursor)).transpose()?;
    let (app, heads) = (Arc::clone(ctx.data::<Arc<App>>()?), Arc::clone(ctx.data::<Arc<Heads>>()?));
    let stream = follow::follow(app, heads, after, read).await.map_err(failed)?;
    Ok(stream.map(move |next| next.map(|(followed, place)| (followed, place.cursor(of)))).boxed())
}

fn place(of: feed::Followed, cursor: &str) -> Result<Place> {
    let text = "after: this is no cursor of this subscription: send one that came with an item of it, or none";
    Place::parse(of, cursor).map_err(|_refused| error::bad_user_input(text))
}

/// A stretch of the stream that is not sent any more, because whoever follows was away or behind for too long.
#[derive(Clone, Copy, Debug, PartialEq, Eq, SimpleObject)]
pub struct StreamGap {
    /// Nothing is missing that was recorded before this.
    pub since: DateTime,
    /// Nothing is missing that was recorded after this: read what lies between from the lists.
    pub until: DateTime,
}

impl From<Missed> for StreamGap {
    fn from(missed: Missed) -> Self {
        Self { since: missed.since.into(), until: missed.until.into() }
    }
}

macro_rules! items {
    ($($(#[$doc:meta])* $name:ident of $(#[$field_doc:meta])* $field:ident: $type:ty, $from:ty;)+) => {
        $($(#[$doc])*
        #[derive(Clone, Debug, SimpleObject)]
        pub struct $name {
            /// Send it as after, and the stream goes on behind this item.
            pub cursor: String,
            $(#[$field_doc])*
            pub $field: Option<$type>,
            /// What is missing before the next item; null where nothing is.
            pub gap: Option<StreamGap>,
        }

        impl From<Next<$from>> for $name {
            fn from((followed, cursor): Next<$from>) -> Self {
                match followed {
                    Followed::Item(item) => Self { cursor, $field: Some(item.into()), gap: None },
                    Followed::Gap(missed) => Self { cursor, $field: None, gap: Some(missed.into()) },
                    Followed::Bookmark => Self { cursor, $field: None, gap: None },
                }
            }
        })+
    };
}

items! {
    /// A receipt, a gap, or neither: then only the cursor is new, because nothing that the filter holds came for a while.
    ReceiptStreamItem of
    /// The receipt.
    receipt: Receipt, crate::domain::receipt::Receipt;

    /// An entry of a history, a gap, or neither: then only the cursor is new, because nothing that the filter holds
    /// came for a while.
    ConversionStreamItem of
    /// The entry.
    change: ConversionChange, crate::domain::conversion::Change;
}
