//! The argument `idempotencyKey`, the same for every field that has it.
//!
//! Equal arguments have one spelling here, whatever their order in the document and whether they came as variables; the
//! key itself is left out. What comes of it is `app::idempotency`'s.

use async_graphql::{Context, Result, Value};

use super::context::Find as _;
use crate::{
    app::{UserError, idempotency::idempotent_call},
    domain::idempotency::IdempotentCall,
};

/// The name of the argument.
const ARGUMENT: &str = "idempotencyKey";

/// This call under its key; none where no key was sent. The inner error is what the caller can put right.
///
/// # Errors
/// Ours, and arguments that cannot be read.
pub fn once(ctx: &Context<'_>, key: Option<&str>) -> Result<Result<Option<IdempotentCall>, UserError>> {
    let Some(key) = key else { return Ok(Ok(None)) };
    let field = ctx.field();
    let arguments = field.arguments()?;
    let mut named: Vec<_> = arguments.iter().filter(|(name, _)| name.as_str() != ARGUMENT).collect();
    named.sort_by(|(a, _), (b, _)| a.as_str().cmp(b.as_str()));
    let mut text = String::new();
    for (name, value) in named {
        text.push_str(name.as_str());
        spell(value, &mut text);
    }
    Ok(idempotent_call(ctx.app()?, ctx.principal()?, field.name(), key, &text).map(Some))
}

/// Appends the one spelling of a value: objects by name, texts in quotes.
fn spell(value: &Value, text: &mut String) {
    match value {
        Value::Object(fields) => {
            let mut fields: Vec<_> = fields.iter().collect();
            fields.sort_by(|(a, _), (b, _)| a.as_str().cmp(b.as_str()));
            text.push('{');
            for (name, value) in fields {
                text.push_str(name.as_str());
                text.push(':');
                spell(value, text);
                text.push(',');
            }
            text.push('}');
        }
        Value::List(values) => {
            text.push('[');
            for value in values {
                spell(value, text);
                text.push(',');
            }
            text.push(']');
        }
        // An enum value in a document is a string in variables.
        Value::Enum(name) => text.push_str(&format!("{:?}", name.as_str())),
        Value::String(string) => text.push_str(&format!("{string:?}")),
        Value::Null | Value::Number(_) | Value::Boolean(_) | Value::Binary(_) => text.push_str(&value.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use async_graphql::value;

    use super::*;

    fn spelled(value: Value) -> String {
        let mut text = String::new();
        spell(&value, &mut text);
        text
    }

    #[test]
    fn equal_arguments_have_one_spelling_and_others_another() {
        assert_eq!(spelled(value!({ "a": 1, "b": [true, null] })), spelled(value!({ "b": [true, null], "a": 1 })));
        assert_eq!(spelled(Value::Enum(async_graphql::Name::new("EUR"))), spelled(value!("EUR")));
        for (one, other) in [
            (value!({ "a": "b,c" }), value!({ "a": "b", "c": null })),
            (value!(["a", "b"]), value!(["a\",\"b"])),
            (value!("1"), value!(1)),
            (value!([]), value!({})),
        ] {
            assert_ne!(spelled(one), spelled(other));
        }
    }
}
