//! The mutations: each asks one use case and shows its answer. Nothing is decided here, and nothing is written here.

use async_graphql::MergedObject;

pub mod conversions;
pub mod domains;
pub mod identity;
pub mod jobs;
pub mod offers;
pub mod outbound;
pub mod partners;
pub mod settings;
pub mod tokens;
pub mod tools;

/// Everything that can be done. Each field is carried out in turn.
#[derive(Default, MergedObject)]
pub struct Mutation(
    conversions::ConversionMutation,
    domains::DomainMutation,
    identity::IdentityMutation,
    jobs::JobMutation,
    offers::OfferMutation,
    outbound::OutboundMutation,
    partners::PartnerMutation,
    settings::SettingsMutation,
    tokens::TokenMutation,
    tools::ToolsMutation,
);
