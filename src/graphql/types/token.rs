//! Secure tokens, without their secrets.

use std::sync::Arc;

use async_graphql::{ComplexObject, Context, InputObject, Result, SimpleObject};
use secrecy::SecretString;

use super::{
    actor::Actor,
    input::DateTimeRange,
    offer::Offer,
    words::{TokenCapability, TokenScope, TokenState},
};
use crate::{
    app::{UserError, UserErrorCode, create_token::TokenRequest},
    domain::{
        clock::Timestamp,
        code::Verdict,
        ids::{OfferId, TokenId},
        secure_token::{self, Capabilities},
    },
    graphql::{
        connection::{Count, Window, connection, failed},
        context::Find as _,
        guard::auth,
        id::Id,
        scalars::{DateTime, IpAddress, SafeInt},
        types::words::Role,
    },
    store::{
        page::Direction,
        receipts::{self, ReceiptFilter},
        tokens::{self, TokenFilter, TokenSort, TokenView},
    },
};

/// The secret behind the wire parameter secure, without its text.
#[derive(Clone, Debug, SimpleObject)]
#[graphql(complex)]
pub struct SecureToken {
    /// Opaque, stable, prefixed: tok_…
    pub id: Id<TokenId>,
    /// What it is good for.
    pub scope: TokenScope,
    /// What people call it.
    pub label: Option<String>,
    /// The ends of the secret, to tell it from others.
    pub hint: String,
    /// What a sender may do with it.
    pub capabilities: Vec<TokenCapability>,
    /// When it was made.
    pub created_at: DateTime,
    /// Who made it.
    pub created_by: Actor,
    /// The end of its overlap: the first instant at which it is refused.
    pub retiring_until: Option<DateTime>,
    /// The networks that it may come from; empty lets all in.
    pub allowed_source_ips: Vec<String>,
    /// Answers 200 with ok:false where a refusal would be a 4xx, for senders that switch themselves off.
    pub lenient_status: bool,
    /// A secret of another system, as weak as that one made it.
    pub is_imported: bool,
    /// The text is kept, sealed, and can be revealed.
    pub is_revealable: bool,
    /// Send it with the next update; a stale one is refused with CONFLICT_VERSION.
    pub version: i32,
    /// When it was revoked.
    pub revoked_at: Option<DateTime>,
    /// Who revoked it.
    pub revoked_by: Option<Actor>,
    /// Why it was revoked.
    pub revoke_reason: Option<String>,
    /// Written at most once a minute.
    pub last_used_at: Option<DateTime>,
    /// The network that it was last used from.
    #[graphql(directive = auth::apply(Role::Manager))]
    pub last_used_ip: Option<IpAddress>,
    /// The last time somebody tried it with dry_run=1.
    pub last_dry_run_at: Option<DateTime>,
    #[graphql(skip)]
    token: secure_token::SecureToken,
    #[graphql(skip)]
    replaces_id: Option<TokenId>,
}

impl From<TokenView> for SecureToken {
    fn from(view: TokenView) -> Self {
        let revoked_at = view.revocation.as_ref().map(|revocation| revocation.at.into());
        let revoked_by = view.revocation.as_ref().map(|revocation| Actor::of_control(&revocation.by));
        Self {
            id: Id(view.token.id),
            scope: view.token.scope.into(),
            label: view.label,
            hint: view.hint,
            capabilities: view.token.capabilities.iter().map(Into::into).collect(),
            created_at: view.created_at.into(),
            created_by: Actor::of_control(&view.created_by),
            retiring_until: view.token.retiring_until.map(DateTime),
            allowed_source_ips: view.token.allowed_addresses.iter().map(ToString::to_string).collect(),
            lenient_status: view.token.lenient_status,
            is_imported: view.token.imported,
            is_revealable: view.is_sealed,
            version: view.token.version,
            revoked_at,
            revoked_by,
            revoke_reason: view.revocation.map(|revocation| revocation.reason),
            last_used_at: view.last_used_at.map(DateTime),
            last_used_ip: view.last_used_address.map(IpAddress),
            last_dry_run_at: view.last_dry_run_at.map(DateTime),
            replaces_id: view.replaces,
            token: view.token,
        }
    }
}

impl From<Arc<TokenView>> for SecureToken {
    fn from(view: Arc<TokenView>) -> Self {
        Arc::unwrap_or_clone(view).into()
    }
}

impl SecureToken {
    /// What people know it by.
    pub fn name(&self) -> String {
        self.label.clone().unwrap_or_else(|| self.hint.clone())
    }

    /// The token of an id, read together with others.
    pub async fn load(ctx: &Context<'_>, id: Option<TokenId>) -> Result<Option<Self>> {
        match id {
            Some(id) => Ok(ctx.loaders()?.tokens.load(ctx, id).await?.map(Self::from)),
            None => Ok(None),
        }
    }

    fn state_at(&self, now: Timestamp) -> TokenState {
        self.token.effective_state(now).into()
    }
}

#[ComplexObject]
impl SecureToken {
    /// Where it is in its life now.
    async fn state(&self, ctx: &Context<'_>) -> Result<TokenState> {
        Ok(self.state_at(ctx.now()?))
    }

    /// The offer that it is good for; null for a global one.
    async fn offer(&self, ctx: &Context<'_>) -> Result<Option<Offer>> {
        match self.token.scope.offer() {
            Some(offer) => Offer::find(ctx, offer).await,
            None => Ok(None),
        }
    }

    /// What it was used for, as far as receipts are kept.
    async fn usage(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Over which time, 31 days at most.")] range: DateTimeRange,
    ) -> Result<TokenUsage> {
        TokenUsage::read(ctx, self.id.0, range).await
    }

    /// The token that a rotation made this one of.
    async fn replaces(&self, ctx: &Context<'_>) -> Result<Option<Self>> {
        Self::load(ctx, self.replaces_id).await
    }

    /// The token that a rotation made of this one.
    async fn replaced_by(&self, ctx: &Context<'_>) -> Result<Option<Self>> {
        Self::load(ctx, self.token.replaced_by).await
    }
}

/// What a token was used for over a range of time.
#[derive(Clone, Debug, SimpleObject)]
#[graphql(complex)]
pub struct TokenUsage {
    /// Requests that were recorded, or known already.
    pub accepted: SafeInt,
    /// Requests that were refused. Our own faults are in neither.
    pub refused: SafeInt,
    #[graphql(skip)]
    filter: ReceiptFilter,
}

/// From where a token was used.
#[derive(Clone, Debug, SimpleObject)]
pub struct TokenSourceIp {
    /// The network, /24 or /48.
    pub ip: IpAddress,
    /// Requests from there.
    pub requests: SafeInt,
    /// When the newest came in.
    pub last_seen_at: DateTime,
}

/// Networks that a token's usage names at most.
const SOURCE_IPS_MAX: u64 = 50;

impl TokenUsage {
    async fn read(ctx: &Context<'_>, token: TokenId, range: DateTimeRange) -> Result<Self> {
        let now = ctx.now()?;
        let range = range.of_a_month("range", now)?;
        let filter = ReceiptFilter { tokens: Some(vec![token]), received_at: Some(range), ..ReceiptFilter::default() };
        let counts = receipts::count_by_code(ctx.database()?, &filter, &[range.since]).await.map_err(failed)?;
        let (mut accepted, mut refused) = (0, 0);
        for one in counts {
            match one.code.verdict() {
                Verdict::Recorded | Verdict::Duplicate | Verdict::NoChange | Verdict::Parked => accepted += one.count,
                Verdict::Refused => refused += one.count,
                Verdict::Failed => {}
            }
        }
        Ok(Self { accepted: SafeInt(accepted), refused: SafeInt(refused), filter })
    }
}

#[ComplexObject]
impl TokenUsage {
    /// The networks that it was used from, the busiest first, 50 at most.
    #[graphql(directive = auth::apply(Role::Manager))]
    async fn source_ips(&self, ctx: &Context<'_>) -> Result<Option<Vec<TokenSourceIp>>> {
        let networks = receipts::count_by_network(ctx.database()?, &self.filter, SOURCE_IPS_MAX).await;
        let networks = networks.map_err(failed)?.into_iter().map(|one| TokenSourceIp {
            ip: IpAddress(one.network),
            requests: SafeInt(one.requests),
            last_seen_at: DateTime(one.last),
        });
        Ok(Some(networks.collect()))
    }
}

connection!(
    /// A page of secure tokens.
    SecureTokenConnection,
    /// A secure token and its place in the list.
    SecureTokenEdge of SecureToken, counted
);

impl SecureTokenConnection {
    /// A page, the newest first.
    pub async fn read(ctx: &Context<'_>, filter: TokenFilter, window: &Window) -> Result<Self> {
        let page = window.under(TokenSort(Direction::Descending))?;
        let page = tokens::list(ctx.database()?, &filter, &page, ctx.now()?).await.map_err(failed)?;
        let count: Count = Box::new(move |database, now| {
            let filter = filter.clone();
            Box::pin(async move { tokens::count(database, &filter, now).await.map(Into::into).map_err(failed) })
        });
        Ok(Self::of(page, SecureToken::from, count))
    }
}

/// The tokens of an offer in these states, the newest first.
pub async fn of_offer(ctx: &Context<'_>, offer: OfferId, states: Option<Vec<TokenState>>) -> Result<Vec<SecureToken>> {
    let states = states.map(|states| states.into_iter().map(Into::into).collect());
    let found = tokens::find_by_offers(ctx.database()?, &[offer], states, ctx.now()?).await.map_err(failed)?;
    Ok(found.into_iter().map(Into::into).collect())
}

/// The scope that two arguments name.
///
/// # Errors
/// `Required` and `Invalid` at `offerId`.
pub fn read_scope(scope: TokenScope, offer: Option<Id<OfferId>>) -> Result<secure_token::TokenScope, UserError> {
    let field = &["input", "offerId"];
    match (scope, offer) {
        (TokenScope::Global, None) => Ok(secure_token::TokenScope::Global),
        (TokenScope::Offer, Some(offer)) => Ok(secure_token::TokenScope::Offer(offer.0)),
        (TokenScope::Offer, None) => Err(UserError::new(UserErrorCode::Required, field, "Say which offer.")),
        (TokenScope::Global, Some(_)) => {
            Err(UserError::new(UserErrorCode::Invalid, field, "A global token is of no offer."))
        }
    }
}

/// What a new token is asked for.
#[derive(InputObject)]
pub struct SecureTokenInput {
    /// What it is good for.
    scope: TokenScope,
    /// Required when scope is OFFER.
    offer_id: Option<Id<OfferId>>,
    /// What people call it.
    label: Option<String>,
    /// What a sender may do with it.
    #[graphql(default_with = "vec![TokenCapability::Convert, TokenCapability::Reject]")]
    capabilities: Vec<TokenCapability>,
    /// Addresses or networks that it may come from; none lets all in.
    allowed_source_ips: Option<Vec<String>>,
    /// Answers 200 with ok:false where a refusal would be a 4xx, for senders that switch themselves off.
    #[graphql(default = false)]
    lenient_status: bool,
    /// A secret of another system, taken as it is and marked weak.
    #[graphql(secret)]
    imported_secret: Option<String>,
}

impl SecureTokenInput {
    /// # Errors
    /// What the caller can put right.
    pub fn read(self) -> Result<TokenRequest, UserError> {
        let capabilities = self.capabilities.into_iter().map(Into::into);
        Ok(TokenRequest {
            scope: read_scope(self.scope, self.offer_id)?,
            label: self.label,
            capabilities: Some(capabilities.fold(Capabilities::NONE, Capabilities::with)),
            allowed_addresses: self.allowed_source_ips.unwrap_or_default(),
            lenient_status: self.lenient_status,
            imported_secret: self.imported_secret.map(SecretString::from),
        })
    }
}

/// How a token is rotated.
#[derive(Clone, Debug, Default, InputObject)]
pub struct SecureTokenRotateInput {
    /// How long the old token works on: 0 ends it at once; the server's own setting where it is not sent.
    pub overlap_seconds: Option<i32>,
    /// What people call the new one; as the old one where it is not sent.
    pub label: Option<String>,
    /// Rotate again inside an open overlap.
    #[graphql(default = false)]
    pub force: bool,
}

/// Which tokens a list holds.
pub fn read_filter(
    scope: Option<TokenScope>,
    states: Option<Vec<TokenState>>,
    offer: Option<Id<OfferId>>,
) -> TokenFilter {
    TokenFilter {
        is_global: scope.map(|scope| scope == TokenScope::Global),
        offer: offer.map(|id| id.0),
        states: states.map(|states| states.into_iter().map(Into::into).collect()),
    }
}
