//! The settings of the workspace.

use async_graphql::{Context, Object, Result};

use crate::{
    app::manage_settings::update_settings,
    graphql::{
        context::Find as _,
        guard::auth,
        types::{
            payload::SettingsPayload,
            settings::{Settings, SettingsInput},
            words::Role,
        },
    },
};

#[derive(Default)]
pub struct SettingsMutation;

#[Object]
impl SettingsMutation {
    /// Changes the settings of the workspace; what is not sent stays as it is.
    #[graphql(directive = auth::apply(Role::Admin))]
    async fn settings_update(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Their version, as it was read.")] version: i32,
        #[graphql(desc = "What changes.")] settings: SettingsInput,
    ) -> Result<Option<SettingsPayload>> {
        let app = ctx.app()?;
        let done = update_settings(app, ctx.principal()?, version, &settings.read()).await;
        SettingsPayload::of(done, |settings| Settings::of(app, &settings))
    }
}
