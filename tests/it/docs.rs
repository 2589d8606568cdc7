//! The documents say what the code does: every code, warning and parameter of the tables is explained to senders,
//! and every command and setting to operators.

use roundtrip::domain::code::Code;
use roundtrip::domain::inbound::{Door, PARAMETERS, WarningCode};
use roundtrip::http::answer::status_of;

const POSTBACKS: &str = include_str!("../../docs/postbacks.md");
const OPERATING: &str = include_str!("../../docs/operating.md");

/// The row of a table that explains `name`.
fn row(name: &str) -> &'static str {
    let begins = format!("| `{name}`");
    let mut rows = POSTBACKS.lines().filter(|line| line.starts_with(&begins));
    let row = rows.next().unwrap_or_else(|| panic!("docs/postbacks.md has no row that begins {begins}"));
    assert_eq!(rows.next(), None, "docs/postbacks.md explains {name} twice");
    row
}

#[test]
fn every_code_is_explained_with_its_status_and_its_cure() {
    for code in Code::ALL {
        let row = row(code.as_str());
        let status = status_of(*code, Door::Postback, false).to_string();
        assert!(row.split('|').nth(2).unwrap().contains(&status), "{row}\nhas not the status {status}");
        assert!(row.contains(code.cure()), "{row}\nhas not the cure: {}", code.cure());
    }
}

#[test]
fn every_warning_is_explained() {
    for warning in WarningCode::ALL {
        assert!(row(warning.as_str()).contains(warning.message()), "{}", warning.as_str());
    }
}

#[test]
fn every_parameter_is_explained_with_its_aliases() {
    for spec in PARAMETERS {
        let row = row(spec.name);
        assert!(row.contains(spec.description), "{row}\nhas not: {}", spec.description);
        for alias in spec.aliases {
            assert!(row.contains(&format!("`{alias}`")), "{row}\nhas not the alias {alias}");
        }
    }
}

#[test]
fn every_command_is_in_the_handbook() {
    for command in ["serve", "demo", "migrate", "schema", "openapi", "operator", "token", "verify", "keys"] {
        assert!(OPERATING.contains(&format!("`roundtrip {command}")), "docs/operating.md does not name {command}");
    }
}
