//! The documents say what the code does: every code, warning and parameter of the tables is explained to senders,
//! and every command to operators; and whatever test a document names is there.

use std::path::Path;

use roundtrip::domain::code::Code;
use roundtrip::domain::inbound::{Door, PARAMETERS, WarningCode};
use roundtrip::http::answer::status_of;

const POSTBACKS: &str = include_str!("../../docs/postbacks.md");
const OPERATING: &str = include_str!("../../docs/operating.md");

/// The rows of the tables under one heading, up to the next one that is named.
fn table(from: &str, to: &str) -> &'static str {
    let (_, rest) = POSTBACKS.split_once(&format!("\n{from}\n")).unwrap_or_else(|| panic!("no heading {from}"));
    rest.split_once(&format!("\n{to}\n")).unwrap_or_else(|| panic!("no heading {to} after {from}")).0
}

/// The row that explains `name`.
fn row(table: &'static str, name: &str) -> &'static str {
    let begins = format!("| `{name}`");
    let mut rows = table.lines().filter(|line| line.starts_with(&begins));
    let row = rows.next().unwrap_or_else(|| panic!("docs/postbacks.md has no row that begins {begins}"));
    assert_eq!(rows.next(), None, "docs/postbacks.md explains {name} twice");
    row
}

#[test]
fn every_code_is_explained_with_its_status_and_its_cure() {
    for code in Code::ALL {
        let row = row(table("## Answers", "### Warnings"), code.as_str());
        let status = status_of(*code, Door::Postback, false).to_string();
        assert!(row.split('|').nth(2).unwrap().contains(&status), "{row}\nhas not the status {status}");
        assert!(row.contains(code.cure()), "{row}\nhas not the cure: {}", code.cure());
    }
}

#[test]
fn every_warning_is_explained() {
    for warning in WarningCode::ALL {
        assert!(
            row(table("### Warnings", "## Parameters"), warning.as_str()).contains(warning.message()),
            "{}",
            warning.as_str()
        );
    }
}

#[test]
fn every_parameter_is_explained_with_its_aliases() {
    for spec in PARAMETERS {
        let row = row(table("## Parameters", "## Never twice"), spec.name);
        assert!(row.contains(spec.description), "{row}\nhas not: {}", spec.description);
        for alias in spec.aliases {
            assert!(row.contains(&format!("`{alias}`")), "{row}\nhas not the alias {alias}");
        }
    }
}

#[test]
fn every_command_is_in_the_handbook() {
    for command in
        ["serve", "demo", "migrate", "schema", "openapi", "operator", "token", "verify", "import-clicks", "keys"]
    {
        assert!(OPERATING.contains(&format!("`roundtrip {command}")), "docs/operating.md does not name {command}");
    }
}

/// A map that names what is not there is worse than none.
#[test]
fn every_test_and_file_that_a_document_names_is_there() {
    let sources = sources();
    let mut lost = Vec::new();
    for (document, text) in DOCUMENTS {
        for named in text.split('`').skip(1).step_by(2) {
            let is_test =
                named.matches('_').count() >= 4 && named.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'_'));
            let is_file =
                ["src/", "tests/", "docs/", "deploy/", "config/"].iter().any(|folder| named.starts_with(folder));
            let is_there = (!is_test || sources.contains(&format!("fn {named}(")))
                && (!is_file
                    || named.contains(['*', '{', ' '])
                    || Path::new(env!("CARGO_MANIFEST_DIR")).join(named).exists());
            if !is_there {
                lost.push(format!("{document}: {named}"));
            }
        }
    }
    assert!(lost.is_empty(), "named and not there: {lost:#?}");
}

const DOCUMENTS: &[(&str, &str)] = &[
    ("README.md", include_str!("../../README.md")),
    ("ARCHITECTURE.md", include_str!("../../ARCHITECTURE.md")),
    ("CONTRIBUTING.md", include_str!("../../CONTRIBUTING.md")),
    ("docs/operating.md", OPERATING),
    ("docs/postbacks.md", POSTBACKS),
    ("docs/security.md", include_str!("../../docs/security.md")),
    ("docs/torture.md", include_str!("../../docs/torture.md")),
    ("docs/dependencies.md", include_str!("../../docs/dependencies.md")),
    ("docs/decisions/0001", include_str!("../../docs/decisions/0001-instants-as-milliseconds.md")),
    ("docs/decisions/0002", include_str!("../../docs/decisions/0002-receipts-partitioned-by-id.md")),
    ("docs/decisions/0003", include_str!("../../docs/decisions/0003-sqlx-for-batches.md")),
    ("docs/decisions/0004", include_str!("../../docs/decisions/0004-r-keys-whatever-the-offer-counts.md")),
    ("docs/decisions/0005", include_str!("../../docs/decisions/0005-answers-of-receipts-are-remade.md")),
    ("docs/decisions/0006", include_str!("../../docs/decisions/0006-control-writes-on-sqlite.md")),
    ("docs/decisions/0007", include_str!("../../docs/decisions/0007-document-guard.md")),
    ("docs/decisions/0011", include_str!("../../docs/decisions/0011-figures-by-day-and-sub-id.md")),
    ("docs/decisions/0012", include_str!("../../docs/decisions/0012-events-replays-and-foreign-ids.md")),
    ("docs/decisions/0014", include_str!("../../docs/decisions/0014-bearers-of-people-and-programs.md")),
    ("docs/decisions/0015", include_str!("../../docs/decisions/0015-the-feed.md")),
    ("docs/admin-api.md", include_str!("../../docs/admin-api.md")),
    ("CHANGELOG.md", include_str!("../../CHANGELOG.md")),
];

/// All Rust sources in one text.
fn sources() -> String {
    let mut text = String::new();
    let mut folders =
        vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), Path::new(env!("CARGO_MANIFEST_DIR")).join("tests")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                text.push_str(&std::fs::read_to_string(path).unwrap());
            }
        }
    }
    text
}
