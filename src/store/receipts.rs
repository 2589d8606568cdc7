//! Receipts, as they are read, and the one column of theirs that has a grammar of its own.
//!
//! Nothing here writes. A receipt's id begins with the millisecond of its arrival, so a range of time is a range
//! of ids: every read that can be bounded in time is, because the table is as large as the traffic.

use std::borrow::Cow;

use entity::receipt as row;
use percent_encoding::{AsciiSet, CONTROLS, percent_decode_str, utf8_percent_encode};

use crate::domain::clock::Timestamp;
use crate::domain::code::Code;
use crate::domain::ids::{ConversionId, ReceiptId, TokenId};
use crate::domain::inbound::{Door, Warning, WarningCode};
use crate::domain::receipt::Receipt;
use crate::domain::screening::Check;
use crate::domain::status::Status;

use super::columns::Cell;
use super::error::StoreError;

const TABLE: &str = "receipt";

/// What would break `code:field:hint` and its lines.
const RESERVED: &AsciiSet = &CONTROLS.add(b'%').add(b':');

/// # Errors
/// `Unreadable` for a row that our own code did not write like this.
pub(super) fn receipt(row: row::Model) -> Result<Receipt, StoreError> {
    let cell = |column| Cell(TABLE, column);
    let address = cell("address").address(row.address, row.address_hash)?;
    Ok(Receipt {
        id: ReceiptId::from_uuid(row.id),
        received_at: Timestamp::from_millis(row.received_at),
        door: cell("door").word(&row.door, Door::parse)?,
        code: cell("code").word(&row.code, Code::parse)?,
        decisive_check: cell("decisive_check").optional_word(row.decisive_check.as_deref(), Check::parse)?,
        detail: row.detail,
        field: row.field,
        received: row.received,
        method: row.method,
        host: row.host,
        path: row.path,
        params: row.params,
        address: address.ok_or_else(|| cell("address").unreadable())?,
        user_agent: row.user_agent,
        latency_us: row.latency_us,
        is_test: row.is_test,
        lenient: row.lenient,
        token: row.token_id.map(TokenId::from_uuid),
        offer: row.offer_id.map(|number| cell("offer_id").offer(number)).transpose()?,
        publisher: row.publisher_id.map(|number| cell("publisher_id").publisher(number)).transpose()?,
        transaction_id: row.transaction_id.map(|bytes| cell("transaction_id").transaction(&bytes)).transpose()?,
        conversion: row.conversion_id.map(ConversionId::from_uuid),
        status: cell("status").optional_word(row.status.as_deref(), Status::parse)?,
        warnings: read_warnings(&row.warnings).ok_or_else(|| cell("warnings").unreadable())?,
        request_id: row.request_id,
    })
}

/// The column `warnings`: `code:field` or `code:field:hint`, a line each; what a sender wrote is percent-encoded
/// where it would break that.
pub(crate) fn warnings_text(warnings: &[Warning]) -> String {
    let lines: Vec<String> = warnings.iter().map(warning_line).collect();
    lines.join("\n")
}

fn warning_line(warning: &Warning) -> String {
    let encoded = |text| utf8_percent_encode(text, RESERVED);
    let (code, field) = (warning.code.as_str(), encoded(&warning.field));
    match &warning.hint {
        Some(hint) => format!("{code}:{field}:{}", encoded(hint)),
        None => format!("{code}:{field}"),
    }
}

/// `None` when it is not what [`warnings_text`] writes.
fn read_warnings(text: &str) -> Option<Vec<Warning>> {
    text.lines().map(read_warning).collect()
}

fn read_warning(line: &str) -> Option<Warning> {
    let decoded = |text: &str| percent_decode_str(text).decode_utf8().ok().map(Cow::into_owned);
    let mut parts = line.split(':');
    let code = WarningCode::parse(parts.next()?)?;
    let field = decoded(parts.next()?)?;
    let hint = match parts.next() {
        Some(hint) => Some(decoded(hint)?),
        None => None,
    };
    parts.next().is_none().then_some(Warning { code, field, hint })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn warnings_come_back_whatever_a_sender_wrote() {
        let warning = |field: &str, hint: Option<&str>| Warning {
            code: WarningCode::UnknownParameter,
            field: field.into(),
            hint: hint.map(Into::into),
        };
        let lists = [
            vec![],
            vec![warning("", None)],
            vec![warning("a:b", Some("c%3Ad")), warning("line\nfeed\r", Some("")), warning("größe\u{2028}", None)],
        ];
        for warnings in lists {
            assert_eq!(read_warnings(&warnings_text(&warnings)), Some(warnings));
        }
        for broken in ["nothing_of_ours:a", "value_cut", "value_cut:a:b:c", "value_cut:%ff"] {
            assert_eq!(read_warnings(broken), None, "{broken}");
        }
    }
}
