//! What tests stand on: databases, servers, people.

pub(crate) mod admin;
pub(crate) mod bench;
pub(crate) mod chance;
pub(crate) mod databases;
pub(crate) mod desk;
pub(crate) mod ledger;
pub(crate) mod name_server;
pub(crate) mod outage;
pub(crate) mod people;
pub(crate) mod postgres;
pub(crate) mod process;
pub(crate) mod proxy;
pub(crate) mod publishers;
pub(crate) mod receiver;
pub(crate) mod server;
pub(crate) mod socket;

/// Makes one test for each engine from `async fn name(engine: Engine) { .. }`; an attribute before it is one of both.
macro_rules! on_both_engines {
    ($($(#[$attribute:meta])* async fn $name:ident($engine:ident: Engine) $body:block)+) => {
        $(mod $name {
            use super::*;

            async fn on($engine: Engine) $body

            $(#[$attribute])*
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn sqlite() {
                on(Engine::Sqlite).await;
            }

            $(#[$attribute])*
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn postgres() {
                on(Engine::Postgres).await;
            }
        })+
    };
}
pub(crate) use on_both_engines;
