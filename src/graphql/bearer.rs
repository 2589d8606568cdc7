//! Who asks, for the endpoint: the door's question put to `app`.

use std::net::IpAddr;
use std::sync::Arc;

use futures_util::future::BoxFuture;

use super::endpoint::Authenticator;
use crate::app::App;
use crate::app::authenticate::authenticate;
use crate::domain::operator::{AuthRefused, Principal};

/// Believes the access tokens of this installation.
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
}
