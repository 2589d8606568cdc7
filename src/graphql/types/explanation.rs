//! What a pasted URL would come to.

use async_graphql::{Context, Result, SimpleObject};

use super::{
    conversion::Conversion,
    input::KeyValue,
    receipt::{Check, ReceiptKind, checks, explanation, params, suggested_fix, warnings},
    words::{ReceiptCode, Verdict},
};
use crate::app::explain_postback::Explained;

/// What a request would come to now, with every check. Nothing was written.
#[derive(Clone, Debug, SimpleObject)]
pub struct PostbackExplanation {
    /// What it would be for.
    pub kind: ReceiptKind,
    /// What would become of it.
    pub verdict: Verdict,
    /// The stable name of the answer.
    pub code: ReceiptCode,
    /// One plain sentence: what would become of it, or what exactly is wrong.
    pub explanation: String,
    /// What the sender can do about it, where something is wrong.
    pub suggested_fix: Option<String>,
    /// Every check of the door, in order.
    pub checks: Vec<Check>,
    /// What would be mended or ignored on the way.
    pub warnings: Vec<String>,
    /// Its parameters as they are read, in their private forms, without the token.
    pub normalised_params: Vec<KeyValue>,
    /// The conversion that it would be about, where that exists.
    pub conversion: Option<Conversion>,
}

impl PostbackExplanation {
    pub async fn of(ctx: &Context<'_>, explained: Explained) -> Result<Self> {
        let Explained { answer, checks: results, params: encoded } = explained;
        Ok(Self {
            kind: answer.door.into(),
            verdict: answer.code.verdict().into(),
            code: answer.code.into(),
            explanation: explanation(answer.code, answer.detail.as_deref(), &results),
            suggested_fix: suggested_fix(answer.code),
            checks: checks(&results, answer.detail.as_deref()),
            warnings: warnings(&answer.warnings),
            normalised_params: params(&encoded),
            conversion: Conversion::load(ctx, answer.conversion).await?,
        })
    }
}
