//! Postback URLs, ready to be copied: of one offer or of all, for each thing that a sender can report.
//!
//! Built here so that every client gets the same encoding, domain and warnings. What is shown is masked; the whole
//! text leaves through [`reveal`] only, which writes who took it into the audit trail before it answers. A URL holds
//! the newest active token of its scope that may do the thing; where there is none, a blocker says what to do.
//! Placeholders are the sender's own names in braces: one that is forgotten is refused with the cure, never recorded.

use std::fmt;

use secrecy::{ExposeSecret, SecretString};

use super::issued_token::open;
use super::reveal_token::not_kept;
use super::wire_urls::{Origin, ParamInput, UrlParam, WireQuery, known_parameters};
use super::{App, AppError, Outcome, UserError, UserErrorCode};
use crate::domain::audit::{AuditChange, AuditEvent};
use crate::domain::ids::TrackingDomainId;
use crate::domain::inbound::{Door, Parameter};
use crate::domain::offer::{Offer, OfferState};
use crate::domain::operator::Principal;
use crate::domain::secure_token::{Capability, PlainToken, SecureToken, TokenScope, TokenState};
use crate::domain::snapshot::Snapshot;
use crate::domain::tracking_domain::TrackingDomain;
use crate::store::audit;
use crate::store::tokens::{self, TokenView};

/// What a sender reports with a URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PostbackKind {
    Conversion,
    Clickless,
    ImagePixel,
    Rejection,
    Status,
}

impl PostbackKind {
    pub const fn door(self) -> Door {
        match self {
            Self::Conversion => Door::Postback,
            Self::Clickless => Door::Clickless,
            Self::ImagePixel => Door::Pixel,
            Self::Rejection => Door::Rejection,
            Self::Status => Door::Status,
        }
    }

    /// What its token must be able to do; a pixel carries none.
    pub const fn capability(self) -> Option<Capability> {
        match self {
            Self::Conversion => Some(Capability::Convert),
            Self::Clickless => Some(Capability::Clickless),
            Self::ImagePixel => None,
            Self::Rejection => Some(Capability::Reject),
            Self::Status => Some(Capability::Status),
        }
    }

    /// A conversion has the seed's short form, `/?secure=..&transaction_id=..`.
    pub(super) const fn path(self) -> &'static str {
        match self {
            Self::Conversion => "/",
            Self::Clickless => "/postback/clickless",
            Self::ImagePixel => "/pixel.gif",
            Self::Rejection => "/reject",
            Self::Status => "/status",
        }
    }

    pub(super) const fn noun(self) -> &'static str {
        match self {
            Self::Conversion => "conversion",
            Self::Clickless => "clickless",
            Self::ImagePixel => "pixel",
            Self::Rejection => "rejection",
            Self::Status => "status",
        }
    }

    const fn required(self) -> &'static [Parameter] {
        match self {
            Self::Conversion => &[Parameter::Secure, Parameter::TransactionId],
            Self::Clickless => &[Parameter::Secure, Parameter::Publisher],
            Self::ImagePixel => &[Parameter::TransactionId],
            Self::Rejection => &[Parameter::Secure, Parameter::TransactionId, Parameter::NewRejectedReason],
            Self::Status => &[Parameter::Secure, Parameter::TransactionId, Parameter::Status],
        }
    }
}

/// What a URL is asked for.
#[derive(Clone, Debug)]
pub struct UrlRequest {
    pub kind: PostbackKind,
    pub scope: TokenScope,
    /// None: the default tracking domain, else the public URL (of a pixel: any domain that accepts).
    pub domain: Option<TrackingDomainId>,
    pub params: Vec<ParamInput>,
}

/// A URL as it may be shown to everybody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PostbackUrl {
    pub kind: PostbackKind,
    /// `https://host/?secure=rt_o_zjjH…xN95&transaction_id={transaction_id}`
    pub masked: String,
    pub params: Vec<UrlParam>,
    pub warnings: Vec<String>,
    pub token: Option<TokenView>,
    /// Why it cannot be revealed, and what to do.
    pub blocker: Option<String>,
    /// None: the public URL.
    pub domain: Option<TrackingDomain>,
}

/// A URL with its secret. It prints as nothing.
#[derive(Clone)]
pub struct RevealedUrl {
    pub url: SecretString,
    /// The tag of a pixel.
    pub html: Option<String>,
    /// A line for a shell.
    pub curl: SecretString,
}

impl fmt::Debug for RevealedUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RevealedUrl(..)")
    }
}

/// Every parameter of a door, for a parameter builder.
pub fn parameters(kind: PostbackKind) -> Vec<UrlParam> {
    known_parameters(kind.door(), kind.required())
}

/// What stands in the way of image pixels: `None` once a tracking domain accepts.
pub fn pixel_blocker(snapshot: &Snapshot) -> Option<&'static str> {
    let accepts = snapshot.domains.values().any(TrackingDomain::accepts);
    (!accepts).then_some("Image pixels work on a tracking domain of your own only: add one and check its DNS records.")
}

/// Builds the masked form.
///
/// # Errors
/// `NotFound` for the offer or the domain, `DomainNotVerified` for a domain that does not accept, and for a pixel
/// where no domain does (see [`pixel_blocker`]).
pub async fn describe(app: &App, request: &UrlRequest) -> Outcome<PostbackUrl> {
    let draft = match draft(app, request).await? {
        Ok(draft) => draft,
        Err(errors) => return Ok(Err(errors)),
    };
    Ok(Ok(PostbackUrl {
        kind: request.kind,
        masked: draft.query.write(&draft.origin, request.kind.path(), None),
        params: draft.query.params().to_vec(),
        warnings: draft.query.warnings,
        blocker: draft.blocker,
        token: draft.token,
        domain: draft.origin.domain,
    }))
}

/// Builds the whole text, after an audit entry.
///
/// # Errors
/// As [`describe`], and `TokenNotActive` with the blocker's text where there is one.
pub async fn reveal(app: &App, principal: &Principal, request: &UrlRequest) -> Outcome<RevealedUrl> {
    let draft = match draft(app, request).await? {
        Ok(draft) => draft,
        Err(errors) => return Ok(Err(errors)),
    };
    if let Some(blocker) = draft.blocker {
        return Ok(Err(vec![UserError::new(UserErrorCode::TokenNotActive, &["input"], blocker)]));
    }
    let secret = match &draft.token {
        Some(view) => match open(app, view.token.id).await? {
            Some(secret) => Some(secret),
            None => return Ok(Err(vec![not_kept(&["input"])])),
        },
        None => None,
    };
    record(app, principal, request, draft.token.as_ref()).await?;
    let secret = secret.as_ref().map(PlainToken::reveal);
    let url = SecretString::from(draft.query.write(&draft.origin, request.kind.path(), secret));
    let curl = format!("curl -sS --globoff '{}'", url.expose_secret()).into();
    let html = (request.kind == PostbackKind::ImagePixel).then(|| image_tag(url.expose_secret()));
    Ok(Ok(RevealedUrl { url, html, curl }))
}

/// The subject is the token whose secret leaves; of a pixel, which has none, the offer.
async fn record(
    app: &App,
    principal: &Principal,
    request: &UrlRequest,
    token: Option<&TokenView>,
) -> Result<(), AppError> {
    let of_scope = request.scope.offer().map_or_else(|| request.scope.as_str().to_owned(), |offer| offer.to_string());
    let (subject, label) = match token {
        Some(view) => (view.token.id.to_string(), view.masked()),
        None => (of_scope, request.kind.noun().to_owned()),
    };
    let changes = vec![AuditChange::new("kind", None, Some(request.kind.noun().to_owned()))];
    let chance = (&*app.clock, &*app.entropy);
    let event = AuditEvent::new(principal, "postback_url.reveal", (&subject, &label), changes, chance);
    Ok(app.database.side_write(Box::new(move |tx| Box::pin(async move { audit::insert(tx, event).await }))).await?)
}

struct Draft {
    origin: Origin,
    query: WireQuery,
    token: Option<TokenView>,
    blocker: Option<String>,
}

async fn draft(app: &App, request: &UrlRequest) -> Outcome<Draft> {
    let snapshot = app.snapshot.load_full();
    let offer = match request.scope.offer().map(|id| snapshot.offers.get(&id)) {
        Some(None) => return Ok(Err(vec![no_offer()])),
        Some(Some(offer)) => Some(offer),
        None => None,
    };
    let origin = match origin(app, &snapshot, request) {
        Ok(origin) => origin,
        Err(error) => return Ok(Err(vec![error])),
    };
    let chosen = request.kind.capability().map(|capability| newest_active(&snapshot, request.scope, capability));
    let token = match chosen.flatten() {
        Some(token) => tokens::find(&app.database, token.id).await?,
        None => None,
    };
    let mut query = WireQuery::new(request.kind.door());
    fill(&mut query, request, token.as_ref());
    query.add(&request.params);
    warn(&mut query, request.kind, offer, token.as_ref());
    let blocker = request.kind.capability().and_then(|needed| blocker(app, request.scope, needed, token.as_ref()));
    Ok(Ok(Draft { origin, query, token, blocker }))
}

fn origin(app: &App, snapshot: &Snapshot, request: &UrlRequest) -> Result<Origin, UserError> {
    match request.kind {
        PostbackKind::ImagePixel => {
            let custom = Origin::choose_custom(app, snapshot, request.domain)?;
            let blocked = pixel_blocker(snapshot).unwrap_or_default();
            custom.ok_or_else(|| UserError::new(UserErrorCode::DomainNotVerified, &["input", "domainId"], blocked))
        }
        PostbackKind::Conversion | PostbackKind::Clickless | PostbackKind::Rejection | PostbackKind::Status => {
            Origin::choose(app, snapshot, request.domain)
        }
    }
}

/// Ids begin with the time, so the newest token has the highest one.
fn newest_active(snapshot: &Snapshot, scope: TokenScope, capability: Capability) -> Option<&SecureToken> {
    let fits = |token: &&SecureToken| {
        token.scope == scope && token.state == TokenState::Active && token.capabilities.has(capability)
    };
    snapshot.tokens.values().filter(fits).max_by_key(|token| token.id)
}

fn fill(query: &mut WireQuery, request: &UrlRequest, token: Option<&TokenView>) {
    if request.kind.capability().is_some() {
        query.put(Parameter::Secure, token.map_or_else(|| "…".to_owned(), TokenView::masked), true);
    }
    match request.kind {
        PostbackKind::Clickless => {
            if request.scope == TokenScope::Global {
                query.put_placeholder(Parameter::Offer, true);
            }
            for parameter in CLICKLESS {
                query.put_placeholder(parameter, parameter == Parameter::Publisher);
            }
        }
        PostbackKind::ImagePixel => {
            query.put_placeholder(Parameter::TransactionId, true);
            if let Some(offer) = request.scope.offer() {
                query.put(Parameter::Offer, offer.number().to_string(), false);
            }
        }
        PostbackKind::Conversion | PostbackKind::Rejection | PostbackKind::Status => {
            let own = request.kind.required().iter().filter(|parameter| **parameter != Parameter::Secure);
            own.for_each(|parameter| query.put_placeholder(*parameter, true));
        }
    }
}

/// The fifteen parameters of a clickless conversion, in the seed's order.
const CLICKLESS: [Parameter; 15] = [
    Parameter::Publisher,
    Parameter::SubId,
    Parameter::SessionTime,
    Parameter::ConversionIp,
    Parameter::UserAgent,
    Parameter::Revenue,
    Parameter::Payout,
    Parameter::AdvSubId,
    Parameter::AdvSubId2,
    Parameter::AdvSubId3,
    Parameter::AdvSubId4,
    Parameter::PurchaseValue,
    Parameter::ExternalTransactionId,
    Parameter::UserEmail,
    Parameter::DeviceId,
];

fn warn(query: &mut WireQuery, kind: PostbackKind, offer: Option<&Offer>, token: Option<&TokenView>) {
    if let Some(offer) = offer {
        if offer.state == OfferState::Archived {
            query.warn("The offer is archived: what is sent for it is refused.".into());
        }
        if kind == PostbackKind::Clickless && !offer.switches.clickless_enabled {
            query.warn("The offer does not take clickless conversions: switch them on first.".into());
        }
        if kind == PostbackKind::ImagePixel && !offer.switches.pixel_enabled {
            query.warn("The offer does not take image pixels: switch them on first.".into());
        }
    }
    if let Some(TokenView { token, .. }) = token {
        if kind == PostbackKind::Clickless && token.is_clickless_for_all() {
            query.warn(
                "Every advertiser holds this secret, and no click is needed: prefer a token of the offer.".into(),
            );
        }
        if token.imported {
            query.warn("The secret was made by another system and may be weak: rotate it.".into());
        }
    }
}

fn blocker(app: &App, scope: TokenScope, needed: Capability, token: Option<&TokenView>) -> Option<String> {
    let name = needed.as_str();
    match (token, scope) {
        (Some(token), _) if token.is_sealed && app.options.redisplay_tokens => None,
        (Some(_), _) => {
            Some("Only a digest of this token is kept, so its URL cannot be shown again: rotate it.".into())
        }
        (None, TokenScope::Offer(_)) => {
            Some(format!("No active token of this offer has the capability `{name}`: create one that has it."))
        }
        (None, TokenScope::Global) if needed == Capability::Clickless => Some(
            "No global token may send clickless conversions: every advertiser would hold the same secret. Use a token \
             of the offer, or create a global one with the capability `clickless`."
                .into(),
        ),
        (None, TokenScope::Global) => {
            Some(format!("No active global token has the capability `{name}`: create one that has it."))
        }
    }
}

fn image_tag(url: &str) -> String {
    let escaped = url.replace('&', "&amp;").replace('"', "&quot;");
    format!(r#"<img src="{escaped}" width="1" height="1" alt="">"#)
}

fn no_offer() -> UserError {
    UserError::new(UserErrorCode::NotFound, &["input", "offerId"], "There is no such offer.")
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::app::create_token::{TokenRequest, create_token};
    use crate::app::fixtures::{manager, test_app};
    use crate::domain::fixtures;
    use crate::domain::inbound::{Pairs, SecureSlot, Slot, read};
    use crate::domain::offer::Switches;
    use crate::domain::secure_token::Capabilities;

    /// An offer and a token of it that may do everything; the snapshot is newer than any database.
    async fn offer_token(app: &App, switches: Switches) -> PlainToken {
        let offer = Offer { switches, ..fixtures::offer() };
        let scope = TokenScope::Offer(offer.id);
        let mut snapshot = Snapshot { version: i64::MAX, offers: [(offer.id, offer)].into(), ..Snapshot::default() };
        app.snapshot.store(Arc::new(Snapshot { offers: snapshot.offers.clone(), ..Snapshot::default() }));
        let capabilities = Some(Capability::ALL.into_iter().collect::<Capabilities>());
        let request = TokenRequest { capabilities, ..TokenRequest::new(scope) };
        let issued = create_token(app, &manager(), &request).await.unwrap().unwrap();
        snapshot.tokens.insert(issued.token.token.digest, issued.token.token);
        app.snapshot.store(Arc::new(snapshot));
        issued.secret
    }

    fn of_offer(kind: PostbackKind) -> UrlRequest {
        UrlRequest { kind, scope: TokenScope::Offer(fixtures::offer().id), domain: None, params: Vec::new() }
    }

    #[tokio::test]
    async fn every_kind_has_its_own_url() {
        let (app, _folder) = test_app().await;
        let secret = offer_token(&app, Switches { clickless_enabled: true, ..Switches::default() }).await;
        let secret = secret.reveal();
        for (kind, rest) in [
            (PostbackKind::Conversion, "/?secure={}&transaction_id={transaction_id}"),
            (
                PostbackKind::Rejection,
                "/reject?secure={}&transaction_id={transaction_id}&new_rejected_reason={new_rejected_reason}",
            ),
            (PostbackKind::Status, "/status?secure={}&transaction_id={transaction_id}&status={status}"),
            (
                PostbackKind::Clickless,
                "/postback/clickless?secure={}&publisher={publisher}&sub_id={sub_id}&session_time={session_time}\
                 &conversion_ip={conversion_ip}&user_agent={user_agent}&revenue={revenue}&payout={payout}\
                 &adv_sub_id={adv_sub_id}&adv_sub_id_2={adv_sub_id_2}&adv_sub_id_3={adv_sub_id_3}\
                 &adv_sub_id_4={adv_sub_id_4}&purchase_value={purchase_value}\
                 &external_transaction_id={external_transaction_id}&user_email={user_email}&device_id={device_id}",
            ),
        ] {
            let url = reveal(&app, &manager(), &of_offer(kind)).await.unwrap().unwrap();
            assert_eq!(url.url.expose_secret(), format!("https://track.example{}", rest.replacen("{}", secret, 1)));
            let shown = describe(&app, &of_offer(kind)).await.unwrap().unwrap();
            assert!(shown.warnings.is_empty() && !shown.masked.contains(secret), "{shown:?}");
            assert_eq!(shown.params.iter().filter(|param| param.required).count(), kind.required().len());
        }
    }

    #[tokio::test]
    async fn a_url_that_was_copied_without_a_thought_is_refused_with_the_cure() {
        let (app, _folder) = test_app().await;
        offer_token(&app, Switches::default()).await;
        let url = reveal(&app, &manager(), &of_offer(PostbackKind::Conversion)).await.unwrap().unwrap();
        let (_, query) = url.url.expose_secret().split_once('?').unwrap();
        let inbound = read(Door::Postback, Pairs::from_query(query.as_bytes()));
        assert!(matches!(inbound.secure, SecureSlot::Present(_)));
        assert!(matches!(inbound.transaction_id, Slot::Bad(_)));
    }

    #[tokio::test]
    async fn what_the_offer_does_not_take_is_warned_about() {
        let (app, _folder) = test_app().await;
        offer_token(&app, Switches::default()).await;
        let shown = describe(&app, &of_offer(PostbackKind::Clickless)).await.unwrap().unwrap();
        assert!(shown.warnings[0].contains("clickless"), "{:?}", shown.warnings);
        let pixel = describe(&app, &of_offer(PostbackKind::ImagePixel)).await.unwrap();
        assert_eq!(pixel.unwrap_err()[0].code, UserErrorCode::DomainNotVerified);
        let scope = TokenScope::Offer(crate::domain::ids::OfferId::new(1).unwrap());
        let unknown = UrlRequest { scope, ..of_offer(PostbackKind::Conversion) };
        assert_eq!(describe(&app, &unknown).await.unwrap().unwrap_err()[0].code, UserErrorCode::NotFound);
    }

    #[test]
    fn the_tag_of_a_pixel_is_safe_inside_a_page() {
        let tag = image_tag("https://p.example/pixel.gif?transaction_id={t}&offer=42");
        let src = "https://p.example/pixel.gif?transaction_id={t}&amp;offer=42";
        assert_eq!(tag, format!(r#"<img src="{src}" width="1" height="1" alt="">"#));
    }
}
