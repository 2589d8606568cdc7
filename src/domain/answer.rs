//! The answer of a tracking door, before a transport gives it a status: what a sender is told.
//!
//! Details (which parameter, what came, the cure) are told only once a token is verified; before that every
//! request gets one body. The same value is made again from a receipt, so that the admin API can show what was
//! answered without keeping the text.

use serde::Serialize;

use super::code::Code;
use super::ids::{ConversionId, ReceiptId};
use super::inbound::{Door, Warning};
use super::receipt::Receipt;
use super::screening::Check;
use super::status::Status;
use super::transaction_id::TransactionId;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    pub door: Door,
    pub code: Code,
    /// None where no receipt is kept for sure: without a verified token, in a dry run, with a 503.
    pub receipt: Option<ReceiptId>,
    pub conversion: Option<ConversionId>,
    pub transaction_id: Option<TransactionId>,
    /// Of the conversion, now.
    pub status: Option<Status>,
    pub field: Option<String>,
    /// At most 64 characters of what was wrong.
    pub received: Option<String>,
    pub detail: Option<String>,
    pub warnings: Vec<Warning>,
    /// The token is verified: details may be told.
    pub verified: bool,
    /// The token asked for 200 where a 4xx would be due.
    pub lenient: bool,
    pub rehearsal: Option<Rehearsal>,
}

/// What a dry run found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rehearsal {
    pub would_be: Code,
    pub checks: Vec<CheckResult>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CheckResult {
    pub check: Check,
    pub outcome: CheckOutcome,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CheckOutcome {
    Passed,
    /// The one that decided.
    Decided,
    NotReached,
}

/// Every check of a door, told from the one that decided; none decided when all passed.
pub fn check_results(door: Door, decisive: Option<Check>) -> Vec<CheckResult> {
    let checks = door.checks();
    let decided_at = decisive.and_then(|decisive| checks.iter().position(|check| *check == decisive));
    let outcome = |index: usize| match decided_at {
        Some(at) if index == at => CheckOutcome::Decided,
        Some(at) if index > at => CheckOutcome::NotReached,
        Some(_) | None => CheckOutcome::Passed,
    };
    checks.iter().enumerate().map(|(index, check)| CheckResult { check: *check, outcome: outcome(index) }).collect()
}

impl Answer {
    /// An answer that says nothing but its code.
    pub fn bare(door: Door, code: Code) -> Self {
        Self {
            door,
            code,
            receipt: None,
            conversion: None,
            transaction_id: None,
            status: None,
            field: None,
            received: None,
            detail: None,
            warnings: Vec::new(),
            verified: false,
            lenient: false,
            rehearsal: None,
        }
    }

    /// What was answered to the request of this receipt.
    pub fn of_receipt(receipt: &Receipt) -> Self {
        let verified = receipt.token.is_some();
        Self {
            door: receipt.door,
            code: receipt.code,
            receipt: verified.then_some(receipt.id),
            conversion: receipt.conversion,
            transaction_id: receipt.transaction_id,
            status: receipt.status,
            field: receipt.field.clone(),
            received: receipt.received.clone(),
            detail: receipt.detail.clone(),
            warnings: receipt.warnings.clone(),
            verified,
            lenient: receipt.lenient,
            rehearsal: None,
        }
    }

    /// `true` only where the request was understood and what it says is kept.
    pub fn is_ok(&self) -> bool {
        use super::code::Verdict;
        match self.code.verdict() {
            Verdict::Recorded | Verdict::Duplicate | Verdict::Parked => true,
            Verdict::NoChange => self.code != Code::DryRun,
            Verdict::Refused | Verdict::Failed => false,
        }
    }

    /// The JSON body.
    pub fn to_json(&self) -> String {
        // A value of strings, booleans and lists always serialises; an empty object would be noticed at once.
        serde_json::to_string(&self.body()).unwrap_or_else(|_| "{}".to_owned())
    }

    /// `OK <conversion_id>` or `ERROR <code>`, for senders that cannot read JSON.
    pub fn to_text(&self) -> String {
        match self.conversion {
            Some(id) if self.is_ok() => format!("OK {id}"),
            _ if self.is_ok() => format!("OK {}", self.code.as_str()),
            _ => format!("ERROR {}", self.code.as_str()),
        }
    }

    fn body(&self) -> Body<'_> {
        let ok = self.is_ok();
        let details = self.verified || ok;
        let cure = Some(self.code.cure()).filter(|cure| details && !cure.is_empty());
        Body {
            ok,
            code: self.code.as_str(),
            would_be: self.rehearsal.as_ref().map(|rehearsal| rehearsal.would_be.as_str()),
            receipt_id: self.receipt.map(|id| id.to_string()),
            conversion_id: self.conversion.map(|id| id.to_string()),
            transaction_id: self.transaction_id.filter(|_| self.conversion.is_some()).map(|id| id.to_string()),
            status: self.status.map(Status::as_str),
            duplicate: self.conversion.map(|_| self.code == Code::Duplicate),
            field: self.field.as_deref().filter(|_| details),
            received: self.received.as_deref().filter(|_| details),
            detail: self.detail.as_deref().filter(|_| details),
            cure,
            checks: self.rehearsal.as_ref().map(|rehearsal| {
                rehearsal.checks.iter().map(|check| CheckBody::of(check, rehearsal.would_be)).collect()
            }),
            warnings: details.then(|| self.warnings.iter().map(WarningBody::of).collect()),
        }
    }
}

#[derive(Serialize)]
struct Body<'a> {
    ok: bool,
    code: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    would_be: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    receipt_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    conversion_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    transaction_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    duplicate: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    received: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cure: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    checks: Option<Vec<CheckBody>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    warnings: Option<Vec<WarningBody<'a>>>,
}

#[derive(Serialize)]
struct CheckBody {
    check: &'static str,
    result: &'static str,
    means: &'static str,
    /// Of the one that decided, where something is wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    cure: Option<&'static str>,
}

impl CheckBody {
    fn of(result: &CheckResult, would_be: Code) -> Self {
        let (word, cure) = match result.outcome {
            CheckOutcome::Passed => ("passed", ""),
            CheckOutcome::Decided => ("decided", would_be.cure()),
            CheckOutcome::NotReached => ("not_reached", ""),
        };
        let cure = Some(cure).filter(|cure| !cure.is_empty());
        Self { check: result.check.as_str(), result: word, means: result.check.description(), cure }
    }
}

#[derive(Serialize)]
struct WarningBody<'a> {
    code: &'static str,
    #[serde(skip_serializing_if = "str::is_empty")]
    field: &'a str,
    message: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    did_you_mean: Option<&'a str>,
}

impl<'a> WarningBody<'a> {
    fn of(warning: &'a Warning) -> Self {
        Self {
            code: warning.code.as_str(),
            field: &warning.field,
            message: warning.code.message(),
            did_you_mean: warning.hint.as_deref(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn before_the_token_is_verified_every_request_gets_one_body() {
        let refused = Answer {
            field: Some("transaction_id".into()),
            received: Some("{transaction_id}".into()),
            detail: Some("A placeholder.".into()),
            ..Answer::bare(Door::Postback, Code::InvalidSecure)
        };
        assert_eq!(refused.to_json(), r#"{"ok":false,"code":"invalid_secure"}"#);
        assert_eq!(refused.to_text(), "ERROR invalid_secure");
        let told = Answer { verified: true, code: Code::UnreplacedMacro, ..refused };
        assert!(told.to_json().contains(r#""received":"{transaction_id}""#), "{}", told.to_json());
        assert!(told.to_json().contains(r#""cure":"#));
    }

    #[test]
    fn the_checks_before_the_decisive_one_passed_and_those_after_it_were_not_reached() {
        let results = check_results(Door::Postback, Some(Check::TokenOffer));
        let count = |outcome| results.iter().filter(|result| result.outcome == outcome).count();
        assert_eq!((count(CheckOutcome::Passed), count(CheckOutcome::Decided)), (6, 1));
        assert!(check_results(Door::Postback, None).iter().all(|result| result.outcome == CheckOutcome::Passed));
    }
}
