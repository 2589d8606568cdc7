//! Who asks, for the endpoint: the door's question put to `app`.

use std::net::IpAddr;
use std::sync::Arc;

use futures_util::future::BoxFuture;

use super::endpoint::{Authenticator, Spent};
use crate::app::App;
use crate::app::authenticate::authenticate;
use crate::app::point_budget::Allowance;
use crate::domain::operator::{AuthRefused, Principal};

/// Believes the access tokens and API keys of this installation, and counts what their holders spend.
#[derive(Clone)]
pub struct OperatorsOf(pub Arc<App>);

impl Authenticator for OperatorsOf {
    fn authenticate<'a>(
        &'a self,
        bearer: &'a str,
        address: Option<IpAddr>,
        request_id: &'a str,
    ) -> BoxFuture<'a, Result<Principal, AuthRefused>> {
        Box::pin(authenticate(&self.0, bearer, address, request_id))
    }

    fn spend(&self, principal: &Principal, cost: u32) -> Result<Allowance, Spent> {
        let now = self.0.clock.now();
        self.0.identity.budget.spend(principal, cost, now).map_err(|allowance| Spent { allowance, now })
    }

    fn version(&self) -> i64 {
        self.0.snapshot.load().version
    }
}
