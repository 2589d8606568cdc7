//! What mutations answer: the thing itself, or what the caller can put right.

use async_graphql::{Context, Result, SimpleObject};
use secrecy::ExposeSecret as _;

use super::{
    conversion::{Conversion, ConversionChange},
    job::Job,
    offer::Offer,
    operator::{ApiKey, Operator},
    outbound::{Delivery, OutboundPostback},
    partner::{Advertiser, Publisher},
    postback::PostbackUrls,
    receipt::Receipt,
    server::Viewer,
    settings::Settings,
    token::SecureToken,
    tracking_domain::TrackingDomain,
    words::UserErrorCode,
};
use crate::{
    app::{
        self, AppError, Outcome,
        change_conversion::Changed,
        invite_operator::Invited,
        issued_token::{Issuance, IssuedToken},
        manage_api_keys::IssuedKey,
        manage_outbound::IssuedRule,
        postback_urls,
        send_test::Tested,
    },
    domain::api_key,
    graphql::{error, scalars::Url},
    store::{operators::OperatorView, tokens::TokenView},
};

/// A problem that the caller can put right.
#[derive(Clone, Debug, PartialEq, Eq, SimpleObject)]
pub struct UserError {
    /// What kind of problem it is.
    pub code: UserErrorCode,
    /// One sentence for people.
    pub message: String,
    /// The path inside the mutation's arguments, outermost first.
    pub field: Option<Vec<String>>,
    /// Of a bulk call: which of the things that were named, from 0.
    pub index: Option<i32>,
    /// What to do instead, where we know.
    pub hint: Option<String>,
}

impl From<app::UserError> for UserError {
    fn from(fault: app::UserError) -> Self {
        let field = Some(fault.field).filter(|path| !path.is_empty());
        let index = fault.index.and_then(|index| i32::try_from(index).ok());
        Self { code: fault.code.into(), message: fault.message, field, index, hint: fault.hint }
    }
}

/// All problems of a call.
pub fn user_errors(faults: Vec<app::UserError>) -> Vec<UserError> {
    faults.into_iter().map(Into::into).collect()
}

/// A use case's answer, our own failures made errors that leave masked.
///
/// # Errors
/// Ours.
pub fn outcome<T>(outcome: Outcome<T>) -> Result<Result<T, Vec<app::UserError>>> {
    outcome.map_err(failed)
}

/// Our failure.
pub fn failed(fault: AppError) -> async_graphql::Error {
    error::internal(fault)
}

macro_rules! payloads {
    ($($(#[$doc:meta])* $name:ident { $(#[$field_doc:meta])* $field:ident: $type:ty })*) => {
        $(
        $(#[$doc])*
        #[derive(async_graphql::SimpleObject)]
        pub struct $name {
            $(#[$field_doc])*
            pub $field: Option<$type>,
            /// What the caller can put right; empty when it was done.
            pub user_errors: Vec<UserError>,
        }

        impl $name {
            /// The payload of a use case's answer.
            ///
            /// # Errors
            /// Ours.
            pub fn of<T>(done: Outcome<T>, shape: impl FnOnce(T) -> $type) -> Result<Option<Self>> {
                Ok(Some(match outcome(done)? {
                    Ok(value) => Self { $field: Some(shape(value)), user_errors: Vec::new() },
                    Err(faults) => Self::refused(faults),
                }))
            }

            /// The payload of a call that cannot be done.
            pub fn refused(faults: Vec<app::UserError>) -> Self {
                Self { $field: None, user_errors: user_errors(faults) }
            }
        }
        )*
    };
}

payloads! {
    /// What became of a call about an offer.
    OfferPayload {
        /// The offer as it is now.
        offer: Offer
    }
    /// What became of a call about an advertiser.
    AdvertiserPayload {
        /// The advertiser as it is now.
        advertiser: Advertiser
    }
    /// What became of a call about a publisher.
    PublisherPayload {
        /// The publisher as it is now.
        publisher: Publisher
    }
    /// What became of a call about a tracking domain.
    TrackingDomainPayload {
        /// The tracking domain as it is now.
        domain: TrackingDomain
    }
    /// What became of a call about whoever asks.
    ViewerPayload {
        /// Whoever asks, as they are now.
        viewer: Viewer
    }
    /// What became of a call about a delivery.
    DeliveryPayload {
        /// The delivery as it is now.
        delivery: Delivery
    }
    /// The whole text of a URL, or why it is not shown.
    RevealedUrlPayload {
        /// The text. Never cached, and in the audit trail.
        revealed: RevealedUrl
    }
    /// What became of a call about a job.
    JobPayload {
        /// The job as it is now.
        job: Job
    }
    /// What became of a change of the settings.
    SettingsPayload {
        /// The settings as they are now.
        settings: Settings
    }
    /// What became of a deletion.
    DeletePayload {
        /// What is not there any more.
        deleted_id: async_graphql::ID
    }
}

/// A URL with its secret.
#[derive(SimpleObject)]
pub struct RevealedUrl {
    /// The URL.
    pub url: String,
    /// The tag of a pixel, for a page.
    pub html: Option<String>,
    /// A line for a shell.
    pub curl: String,
}

impl From<postback_urls::RevealedUrl> for RevealedUrl {
    fn from(revealed: postback_urls::RevealedUrl) -> Self {
        Self {
            url: revealed.url.expose_secret().to_owned(),
            html: revealed.html,
            curl: revealed.curl.expose_secret().to_owned(),
        }
    }
}

/// What became of a call about a secure token.
#[derive(Default, SimpleObject)]
pub struct SecureTokenPayload {
    /// The token as it is now; of a rotation the new one.
    pub token: Option<SecureToken>,
    /// Its text, where the call makes or reveals one; null where an earlier call under the same key made it.
    pub secret: Option<String>,
    /// The token that a rotation made the new one of.
    pub previous_token: Option<SecureToken>,
    /// The URLs of its scope.
    pub urls: Option<PostbackUrls>,
    /// What is to be known about it, each as a sentence.
    pub warnings: Vec<String>,
    /// What the caller can put right; empty when it was done.
    pub user_errors: Vec<UserError>,
}

impl SecureTokenPayload {
    /// A token without its text.
    ///
    /// # Errors
    /// Ours.
    pub fn of_token(done: Outcome<TokenView>) -> Result<Option<Self>> {
        Ok(Some(match outcome(done)? {
            Ok(view) => {
                Self { urls: Some(PostbackUrls::of(view.token.scope)), token: Some(view.into()), ..Self::default() }
            }
            Err(faults) => Self::refused(faults),
        }))
    }

    /// A token with its text.
    ///
    /// # Errors
    /// Ours.
    pub fn of_issued(done: Outcome<IssuedToken>) -> Result<Option<Self>> {
        Ok(Some(match outcome(done)? {
            Ok(issued) => Self {
                urls: Some(PostbackUrls::of(issued.token.token.scope)),
                token: Some(issued.token.into()),
                secret: Some(issued.secret.reveal().to_owned()),
                previous_token: issued.previous.map(Into::into),
                warnings: issued.warnings,
                user_errors: Vec::new(),
            },
            Err(faults) => Self::refused(faults),
        }))
    }

    /// A token that may have been made by an earlier call under the same key: then without its text.
    ///
    /// # Errors
    /// Ours.
    pub fn of_issuance(done: Outcome<Issuance>) -> Result<Option<Self>> {
        Ok(Some(match outcome(done)? {
            Ok(Issuance::Issued(issued)) => return Self::of_issued(Ok(Ok(*issued))),
            Ok(Issuance::Repeated { token, previous }) => Self {
                urls: Some(PostbackUrls::of(token.token.scope)),
                token: Some((*token).into()),
                previous_token: previous.map(|previous| (*previous).into()),
                warnings: vec![SHOWN_BEFORE.to_owned()],
                ..Self::default()
            },
            Err(faults) => Self::refused(faults),
        }))
    }

    /// The payload of a call that cannot be done.
    pub fn refused(faults: Vec<app::UserError>) -> Self {
        Self { user_errors: user_errors(faults), ..Self::default() }
    }
}

const SHOWN_BEFORE: &str = "This call was carried out before under the same key: the secret was in the first answer, and \
     is not shown again by repeating it.";

/// The warning of an answer that repeats another one without its secret.
fn shown_before(is_repeated: bool) -> Vec<String> {
    is_repeated.then(|| SHOWN_BEFORE.to_owned()).into_iter().collect()
}

/// What became of a call about an operator.
#[derive(Default, SimpleObject)]
pub struct OperatorPayload {
    /// The operator as they are now.
    pub operator: Option<Operator>,
    /// The link with which they set a password, where the call makes one: it works once, and is shown once.
    pub invite_url: Option<Url>,
    /// What is to be known about it, each as a sentence.
    pub warnings: Vec<String>,
    /// What the caller can put right; empty when it was done.
    pub user_errors: Vec<UserError>,
}

impl OperatorPayload {
    /// An operator without a link.
    ///
    /// # Errors
    /// Ours.
    pub fn of(done: Outcome<OperatorView>) -> Result<Option<Self>> {
        Ok(Some(match outcome(done)? {
            Ok(view) => Self { operator: Some(view.into()), ..Self::default() },
            Err(faults) => Self::refused(faults),
        }))
    }

    /// The payload of a call that cannot be done.
    pub fn refused(faults: Vec<app::UserError>) -> Self {
        Self { user_errors: user_errors(faults), ..Self::default() }
    }

    /// An operator with a link.
    ///
    /// # Errors
    /// Ours.
    pub fn of_invited(done: Outcome<Invited>) -> Result<Option<Self>> {
        Ok(Some(match outcome(done)? {
            Ok(Invited { view, link }) => Self {
                operator: Some(view.into()),
                warnings: shown_before(link.is_none()),
                invite_url: link.map(|link| Url(link.expose_secret().to_owned())),
                user_errors: Vec::new(),
            },
            Err(faults) => Self { user_errors: user_errors(faults), ..Self::default() },
        }))
    }
}

/// What became of a call about an API key.
#[derive(Default, SimpleObject)]
pub struct ApiKeyPayload {
    /// The key as it is now.
    pub api_key: Option<ApiKey>,
    /// Its text, where the call makes one: it is shown once.
    pub secret: Option<String>,
    /// What is to be known about it, each as a sentence.
    pub warnings: Vec<String>,
    /// What the caller can put right; empty when it was done.
    pub user_errors: Vec<UserError>,
}

impl ApiKeyPayload {
    /// A key without its text.
    ///
    /// # Errors
    /// Ours.
    pub fn of(done: Outcome<api_key::ApiKey>) -> Result<Option<Self>> {
        Ok(Some(match outcome(done)? {
            Ok(key) => Self { api_key: Some(key.into()), ..Self::default() },
            Err(faults) => Self::refused(faults),
        }))
    }

    /// The payload of a call that cannot be done.
    pub fn refused(faults: Vec<app::UserError>) -> Self {
        Self { user_errors: user_errors(faults), ..Self::default() }
    }

    /// A key with its text.
    ///
    /// # Errors
    /// Ours.
    pub fn of_issued(done: Outcome<IssuedKey>) -> Result<Option<Self>> {
        Ok(Some(match outcome(done)? {
            Ok(IssuedKey { key, secret }) => Self {
                api_key: Some(key.into()),
                warnings: shown_before(secret.is_none()),
                secret: secret.map(|secret| secret.reveal().to_owned()),
                user_errors: Vec::new(),
            },
            Err(faults) => Self { user_errors: user_errors(faults), ..Self::default() },
        }))
    }
}

/// What became of a call about a rule of outbound postbacks.
#[derive(Default, SimpleObject)]
pub struct OutboundPostbackPayload {
    /// The rule as it is now.
    pub postback: Option<OutboundPostback>,
    /// What it signs with, where the call has made it; shown this once.
    pub secret: Option<String>,
    /// What is to be known about it, each as a sentence.
    pub warnings: Vec<String>,
    /// What the caller can put right; empty when it was done.
    pub user_errors: Vec<UserError>,
}

impl OutboundPostbackPayload {
    /// The payload of a use case's answer.
    ///
    /// # Errors
    /// Ours.
    pub fn of(done: Outcome<IssuedRule>) -> Result<Option<Self>> {
        Ok(Some(match outcome(done)? {
            Ok(IssuedRule { rule, secret, is_repeated }) => Self {
                postback: Some(OutboundPostback::from(&rule)),
                secret: secret.map(|secret| secret.reveal().to_owned()),
                warnings: shown_before(is_repeated),
                user_errors: Vec::new(),
            },
            Err(faults) => Self::refused(faults),
        }))
    }

    /// The payload of a call that cannot be done.
    pub fn refused(faults: Vec<app::UserError>) -> Self {
        Self { user_errors: user_errors(faults), ..Self::default() }
    }
}

/// What became of a call about a conversion.
#[derive(Default, SimpleObject)]
pub struct ConversionPayload {
    /// The conversion as it is now.
    pub conversion: Option<Conversion>,
    /// What was appended to its history; null when it was already as asked.
    pub change: Option<ConversionChange>,
    /// What the caller can put right; empty when it was done.
    pub user_errors: Vec<UserError>,
}

impl ConversionPayload {
    /// The payload of a change.
    ///
    /// # Errors
    /// Ours.
    pub fn of(done: Outcome<Changed>) -> Result<Option<Self>> {
        Ok(Some(match outcome(done)? {
            Ok(Changed { conversion, change }) => Self {
                conversion: Some(Conversion::of(conversion, None)),
                change: change.map(ConversionChange::from),
                user_errors: Vec::new(),
            },
            Err(faults) => Self { user_errors: user_errors(faults), ..Self::default() },
        }))
    }
}

/// What became of a test.
#[derive(Default, SimpleObject)]
pub struct PostbackTestPayload {
    /// Of the request, with every check.
    pub receipt: Option<Receipt>,
    /// The conversion that it was about.
    pub conversion: Option<Conversion>,
    /// What the caller can put right; empty when the request was sent, whatever it came to.
    pub user_errors: Vec<UserError>,
}

impl PostbackTestPayload {
    /// The payload of a test.
    ///
    /// # Errors
    /// Ours.
    pub async fn of(ctx: &Context<'_>, done: Outcome<Tested>) -> Result<Option<Self>> {
        Ok(Some(match outcome(done)? {
            Ok(Tested { receipt, conversion }) => Self {
                receipt: Some(receipt.into()),
                conversion: Conversion::load(ctx, conversion).await?,
                user_errors: Vec::new(),
            },
            Err(faults) => Self { user_errors: user_errors(faults), ..Self::default() },
        }))
    }
}
