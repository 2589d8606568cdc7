//! Finding control data by what a person types: a part of the name, or the number.
//!
//! The text is never a pattern: `%` and `_` are looked for as they are.

use sea_orm::sea_query::{Expr, ExprTrait as _, Func, LikeExpr};

use crate::domain::publisher::PartnerState;

/// Which publishers or advertisers; an empty list of states is all of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PartnerFilter {
    /// A part of the name, without regard to ASCII case, or the number.
    pub search: Option<String>,
    pub states: Vec<PartnerState>,
}

/// Rows whose name holds `text`, or whose number it is.
pub(super) fn name_or_number(name: Expr, number: Expr, text: &str) -> Expr {
    // PostgreSQL has no text with a NUL in it.
    let text = text.replace('\0', "");
    let text = text.trim();
    let by_name = holds(name, text);
    match text.parse::<i32>() {
        Ok(wanted) => by_name.or(number.eq(wanted)),
        Err(_) => by_name,
    }
}

/// Rows whose text holds `text`.
pub(super) fn holds(column: Expr, text: &str) -> Expr {
    let text = text.replace('\0', "");
    Expr::expr(Func::lower(column)).like(LikeExpr::new(pattern(text.trim())).escape('\\'))
}

/// Lower case, as the databases make it of ASCII letters; other letters stay as they were typed.
fn pattern(text: &str) -> String {
    let mut pattern = String::with_capacity(text.len() + 2);
    pattern.push('%');
    for character in text.chars() {
        if matches!(character, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(character.to_ascii_lowercase());
    }
    pattern.push('%');
    pattern
}
