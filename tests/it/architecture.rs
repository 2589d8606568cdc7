//! The rooms: who may know whom. `ARCHITECTURE.md` tells the reasons, this table is the rule.
//!
//! The sources are read as tokens (comments and texts left out), every path is resolved to its room or crate, and
//! compared with the table. It also finds `.rs` files that no `mod` line reaches: they look alive and are not
//! compiled. To add a room: a row in [`ROOMS`]. To let a room know another one: think, then change its row.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

const SENTENCE: &str = "Nothing below may know a door, and nobody but `store` may know a row.";

/// One row of the table.
struct Room {
    /// The top-level module of `src/`, or the member of the workspace.
    name: &'static str,
    /// Other rooms that it may import. Its own is always allowed.
    may_import: &'static [&'static str],
}

/// The table of ARCHITECTURE.md. The four last rooms of `src/` are those that put the others together.
const ROOMS: &[Room] = &[
    Room { name: "domain", may_import: &[] },
    Room { name: "store", may_import: &["domain", "telemetry"] },
    Room { name: "intake", may_import: &["domain", "store", "telemetry"] },
    Room { name: "app", may_import: &["domain", "store", "intake", "telemetry"] },
    Room { name: "graphql", may_import: &["domain", "app", "store", "telemetry"] },
    Room { name: "http", may_import: &["domain", "app", "telemetry"] },
    Room { name: "config", may_import: &["domain"] },
    Room { name: "telemetry", may_import: &["config", "domain"] },
    Room { name: "system", may_import: &["domain"] },
    Room { name: "server", may_import: EVERY_ROOM },
    Room { name: "cli", may_import: EVERY_ROOM },
    Room { name: "main", may_import: EVERY_ROOM },
    Room { name: "entity", may_import: &[] },
    Room { name: "migration", may_import: &[] },
];

const EVERY_ROOM: &[&str] =
    &["app", "cli", "config", "domain", "graphql", "http", "intake", "server", "store", "system", "telemetry"];

/// A single file that may import more than its room.
struct Exception {
    file: &'static str,
    may_import: &'static str,
}

const EXCEPTIONS: &[Exception] = &[Exception { file: "src/http/graphql.rs", may_import: "graphql" }];

/// A crate (or a path of the standard library) that only some rooms or files may name.
struct Restricted {
    path: &'static [&'static str],
    rooms: &'static [&'static str],
    files: &'static [&'static str],
}

const RESTRICTED: &[Restricted] = &[
    Restricted { path: &["axum"], rooms: &["http", "server"], files: &[] },
    Restricted { path: &["hyper"], rooms: &["http"], files: &["src/app/publisher_client.rs"] },
    Restricted { path: &["hyper_util"], rooms: &["http"], files: &["src/app/publisher_client.rs"] },
    Restricted { path: &["rustls"], rooms: &[], files: &["src/app/publisher_client.rs"] },
    Restricted { path: &["tokio_rustls"], rooms: &[], files: &["src/app/publisher_client.rs"] },
    Restricted { path: &["tower"], rooms: &["http"], files: &[] },
    Restricted { path: &["async_graphql"], rooms: &["graphql"], files: &[] },
    Restricted { path: &["sea_orm"], rooms: &["store", "entity"], files: &[] },
    Restricted { path: &["sea_query"], rooms: &["store"], files: &[] },
    Restricted { path: &["sqlx"], rooms: &["store"], files: &[] },
    Restricted { path: &["sea_orm_migration"], rooms: &["migration"], files: &["src/store/connect.rs"] },
    Restricted { path: &["entity"], rooms: &["store"], files: &[] },
    Restricted { path: &["migration"], rooms: &[], files: &["src/store/connect.rs"] },
    Restricted {
        path: &["tokio"],
        rooms: &["store", "intake", "app", "graphql", "http", "server", "cli", "main"],
        files: &[],
    },
    Restricted {
        path: &["tracing"],
        rooms: &["store", "intake", "app", "graphql", "http", "telemetry", "server", "cli", "main"],
        files: &[],
    },
    Restricted { path: &["figment"], rooms: &["config"], files: &[] },
    Restricted { path: &["clap"], rooms: &["cli", "main"], files: &[] },
    // The clock, chance and the environment each have one reader.
    Restricted { path: &["getrandom"], rooms: &["system"], files: &[] },
    Restricted { path: &["std", "time", "SystemTime"], rooms: &["system"], files: &[] },
    Restricted { path: &["std", "time", "Instant"], rooms: &[], files: &[] },
    Restricted { path: &["std", "env"], rooms: &["config"], files: &[] },
];

/// How the names of functions begin that change rows: GraphQL reads the store and never writes to it.
const WRITING_VERBS: &[&str] =
    &["insert", "update", "upsert", "delete", "claim", "mark", "bump", "save", "settle", "purge", "enqueue", "write"];

#[derive(Debug, PartialEq, Eq)]
struct Offence {
    line: usize,
    what: String,
}

#[test]
fn every_room_knows_only_whom_its_row_allows() {
    let mut said = String::new();
    for (file, source) in sources() {
        for Offence { line, what } in offences(&file, &source) {
            said.push_str(&format!("\n{file}:{line}: {what}"));
        }
    }
    assert!(
        said.is_empty(),
        "{said}\n\n{SENTENCE}\nThe table is in tests/it/architecture.rs, its reasons in ARCHITECTURE.md."
    );
}

#[test]
fn every_source_file_is_reached_by_a_mod_line() {
    let roots = [
        "src/lib.rs",
        "src/main.rs",
        "entity/src/lib.rs",
        "migration/src/lib.rs",
        "tests/it/main.rs",
        "tests/torture/main.rs",
    ];
    let mut reached = BTreeSet::new();
    roots.iter().for_each(|root| reach(Path::new(root), &mut reached));
    let lost: Vec<_> = rust_files(&["src", "entity/src", "migration/src", "tests"])
        .into_iter()
        .filter(|f| !reached.contains(f))
        .collect();
    assert!(lost.is_empty(), "no `mod` line reaches {lost:?}: they are not compiled. Add the line or remove the file.");
}

#[test]
fn the_rules_find_what_they_are_for() {
    let table: &[(&str, &str, &str)] = &[
        ("src/domain/a.rs", "use crate::store::clicks;", "domain may not know store"),
        ("src/domain/a.rs", "use axum::Json;", "axum"),
        ("src/domain/a.rs", "#[tokio::test] async fn f() {}", "tokio"),
        ("src/domain/a.rs", "use sea_orm;", "sea_orm"),
        ("src/domain/a.rs", "fn f() { super::super::http::go(); }", "domain may not know http"),
        ("src/domain/a.rs", "mod tests { use super::super::super::app; }", "domain may not know app"),
        ("src/domain/mod.rs", "use super::app;", "domain may not know app"),
        (
            "src/domain/a.rs",
            "fn f() -> std::time::SystemTime { std::time::SystemTime::now() }",
            "std::time::SystemTime",
        ),
        ("src/app/a.rs", "use std::{fmt, time::{Duration, Instant}};", "std::time::Instant"),
        ("src/app/a.rs", "use crate::{domain::ids, http::answer};", "app may not know http"),
        ("src/app/a.rs", "fn f() { crate::graphql::schema(); }", "app may not know graphql"),
        ("src/app/a.rs", "use entity::click;", "entity"),
        ("src/app/a.rs", "use getrandom::fill;", "getrandom"),
        ("src/app/a.rs", "fn f() { std::env::var(\"X\"); }", "std::env"),
        ("src/intake/mod.rs", "use crate::app::snapshot;", "intake may not know app"),
        ("src/store/clicks.rs", "use crate::intake::Item;", "store may not know intake"),
        ("src/store/clicks.rs", "use migration::Migrator;", "migration"),
        ("src/http/router.rs", "use crate::graphql::endpoint;", "http may not know graphql"),
        ("src/http/router.rs", "use crate::store::receipts;", "http may not know store"),
        ("src/graphql/mutation/a.rs", "fn f() { crate::store::offers::update_offer(); }", "a write to the store"),
        ("src/graphql/mutation/a.rs", "use crate::store::{offers::{insert, find}};", "a write to the store"),
        ("src/graphql/mutation/a.rs", "use axum::http;", "axum"),
        ("src/novel.rs", "fn f() {}", "has no row"),
        ("src/main.rs", "use roundtrip::cli; use sqlx::query;", "sqlx"),
        ("entity/src/a.rs", "use migration::Migrator;", "migration"),
        ("entity/src/a.rs", "use roundtrip::domain::ids;", "entity may not know domain"),
        ("migration/src/a.rs", "use entity::click;", "entity"),
    ];
    for (file, source, part) in table {
        let found = offences(file, source);
        assert!(found.iter().any(|offence| offence.what.contains(part)), "{file}: {source}: {found:?}");
    }
}

#[test]
fn the_rules_leave_in_peace_what_is_allowed() {
    let table: &[(&str, &str)] = &[
        (
            "src/domain/a.rs",
            "//! axum::Json is not known here\n/* use crate::store; /* nested */ */ const A: &str = \"use sqlx::x;\";",
        ),
        ("src/domain/a.rs", "const A: &str = r#\"use \"axum::x\"; \"#; const B: char = '\"'; fn f<'a>(x: &'a str) {}"),
        ("src/domain/a.rs", "use super::clock::Clock; mod tests { use super::*; use crate::domain::ids; }"),
        ("src/domain/a.rs", "fn f() { my::axum::go(); x.tokio.len(); Entity::entity::<u8>(); }"),
        ("src/store/connect.rs", "use migration::Migrator; use sea_orm_migration::prelude::*;"),
        ("src/http/graphql.rs", "use crate::graphql::endpoint; use axum::Router;"),
        (
            "src/graphql/query/a.rs",
            "use crate::store::offers::{find, find_many}; use crate::app::manage_offers::insert_offer;",
        ),
        ("src/app/a.rs", "use std::time::Duration; use tokio::time::Instant; use crate::{domain, store, intake};"),
        ("src/server.rs", "use crate::{app, http, system, config};"),
        ("src/main.rs", "use roundtrip::server; fn main() {}"),
        ("src/lib.rs", "pub mod domain;"),
    ];
    for (file, source) in table {
        assert_eq!(offences(file, source), [], "{file}: {source}");
    }
}

#[test]
fn an_offence_names_its_line() {
    let source = "//! x\n\nuse std::fmt;\n/* two\nlines */ use crate::{\n    domain,\n    http,\n};\n";
    let lines: Vec<usize> = offences("src/app/a.rs", source).iter().map(|offence| offence.line).collect();
    assert_eq!(lines, [7]);
}

/// Everything in one file that its row does not allow.
fn offences(file: &str, source: &str) -> Vec<Offence> {
    let Some(room) = room_of(file) else {
        return Vec::new();
    };
    let Some(row) = ROOMS.iter().find(|row| row.name == room) else {
        let what = format!("`{room}` has no row in the table of tests/it/architecture.rs");
        return vec![Offence { line: 1, what }];
    };
    let tokens = tokens(source);
    let mut found: Vec<Offence> = Vec::new();
    for Named { path, line } in named_paths(file, &tokens) {
        if let Some(what) = judge(row, file, &path) {
            let offence = Offence { line, what };
            if !found.contains(&offence) {
                found.push(offence);
            }
        }
    }
    found
}

/// `path` is resolved: it begins with `crate` and a room, or with a crate.
fn judge(row: &Room, file: &str, path: &[String]) -> Option<String> {
    let segments: Vec<&str> = path.iter().map(String::as_str).collect();
    if let ["crate" | "roundtrip", other, rest @ ..] = segments.as_slice() {
        let is_room = ROOMS.iter().any(|room| room.name == *other);
        let excepted = EXCEPTIONS.iter().any(|exception| exception.file == file && exception.may_import == *other);
        if is_room && *other != row.name && !row.may_import.contains(other) && !excepted {
            return Some(format!("{} may not know {other} (`{}`)", row.name, path.join("::")));
        }
        let writes = rest.iter().any(|name| WRITING_VERBS.contains(&name.split('_').next().unwrap_or(name)));
        if row.name == "graphql" && *other == "store" && writes {
            return Some(format!("a write to the store (`{}`) belongs to `app`", path.join("::")));
        }
        return None;
    }
    let restricted = RESTRICTED.iter().find(|restricted| segments.starts_with(restricted.path))?;
    let is_itself = restricted.path == [row.name];
    let allowed = is_itself || restricted.rooms.contains(&row.name) || restricted.files.contains(&file);
    (!allowed).then(|| format!("{} may not name {} (`{}`)", row.name, restricted.path.join("::"), path.join("::")))
}

/// The room of a file; `None` for the table of contents, which names all of them.
fn room_of(file: &str) -> Option<&str> {
    let Some(inside) = file.strip_prefix("src/") else {
        return file.split('/').next();
    };
    let room = inside.split('/').next()?;
    let room = room.strip_suffix(".rs").unwrap_or(room);
    (room != "lib").then_some(room)
}

/// A path that a file names, with `self`, `super` and groups resolved.
struct Named {
    path: Vec<String>,
    line: usize,
}

fn named_paths(file: &str, tokens: &[Token]) -> Vec<Named> {
    let mut modules = module_of(file);
    let mut inline: Vec<usize> = Vec::new();
    let mut depth = 0_usize;
    let mut named = Vec::new();
    let mut at = 0;
    while let Some(token) = tokens.get(at) {
        match token.text.as_str() {
            "{" => depth += 1,
            "}" => {
                if inline.last() == Some(&depth) {
                    inline.pop();
                    modules.pop();
                }
                depth = depth.saturating_sub(1);
            }
            _ => {}
        }
        if let [module, name, brace] = tokens.get(at..at + 3).unwrap_or_default()
            && module.text == "mod"
            && brace.text == "{"
        {
            modules.push(name.text.clone());
            depth += 1;
            inline.push(depth);
            at += 3;
            continue;
        }
        let before = at.checked_sub(1).and_then(|before| tokens.get(before)).map_or("", |token| token.text.as_str());
        let follows_use = before == "use";
        let begins = token.is_name() && before != "::" && before != ".";
        let goes_on = tokens.get(at + 1).is_some_and(|next| next.text == "::");
        if begins && (goes_on || follows_use) {
            let mut paths = Vec::new();
            let end = read_tree(tokens, at, &[], &mut paths);
            named.extend(paths.into_iter().map(|(path, line)| Named { path: resolve(&modules, path), line }));
            // Inside a group nothing begins anew; after a plain path its arguments may.
            at = end.max(at + 1);
            continue;
        }
        at += 1;
    }
    named
}

/// Reads `a::b::{c, d::e}` from `at`; returns where it ends.
fn read_tree(tokens: &[Token], mut at: usize, prefix: &[String], paths: &mut Vec<(Vec<String>, usize)>) -> usize {
    let mut path = prefix.to_vec();
    let mut line = tokens.get(at).map_or(0, |token| token.line);
    loop {
        match tokens.get(at) {
            Some(token) if token.is_name() || token.text == "*" => {
                path.push(token.text.clone());
                line = token.line;
                at += 1;
            }
            Some(token) if token.text == "{" && !path.is_empty() => {
                at += 1;
                while let Some(token) = tokens.get(at) {
                    match token.text.as_str() {
                        "}" => return at + 1,
                        "," => at += 1,
                        _ => at = read_tree(tokens, at, &path, paths).max(at + 1),
                    }
                }
                return at;
            }
            Some(_) | None => break,
        }
        if tokens.get(at).is_none_or(|token| token.text != "::") {
            break;
        }
        at += 1;
    }
    // `a as b`: the other name is no path.
    if tokens.get(at).is_some_and(|token| token.text == "as") && !prefix.is_empty() {
        at += 2;
    }
    paths.push((path, line));
    at
}

/// `super::x` in module `a::b` is `crate::a::x`.
fn resolve(modules: &[String], path: Vec<String>) -> Vec<String> {
    let climbs = path.iter().take_while(|segment| *segment == "super" || *segment == "self").count();
    if climbs == 0 {
        return path;
    }
    let supers = path.iter().take(climbs).filter(|segment| *segment == "super").count();
    let base = modules.iter().take(modules.len().saturating_sub(supers)).cloned();
    std::iter::once("crate".to_owned()).chain(base).chain(path.into_iter().skip(climbs)).collect()
}

/// `src/a/b.rs` and `src/a/b/mod.rs` are `a::b`.
fn module_of(file: &str) -> Vec<String> {
    let inside = file.split_once("src/").map_or(file, |(_, inside)| inside);
    let inside = inside.strip_suffix(".rs").unwrap_or(inside);
    let mut modules: Vec<String> = inside.split('/').map(str::to_owned).collect();
    if modules.last().is_some_and(|last| last == "mod" || last == "lib" || last == "main") {
        modules.pop();
    }
    modules
}

struct Token {
    text: String,
    line: usize,
}

impl Token {
    fn is_name(&self) -> bool {
        self.text.starts_with(|first: char| first.is_alphabetic() || first == '_')
    }
}

/// Names, `::` and single signs; comments, texts and lifetimes are left out.
fn tokens(source: &str) -> Vec<Token> {
    let characters: Vec<char> = source.chars().collect();
    let mut reader = Reader { characters, at: 0, line: 1 };
    let mut tokens = Vec::new();
    while let Some(text) = reader.next_token() {
        if !text.is_empty() {
            tokens.push(Token { text, line: reader.line });
        }
    }
    tokens
}

struct Reader {
    characters: Vec<char>,
    at: usize,
    line: usize,
}

impl Reader {
    fn peek(&self, ahead: usize) -> char {
        self.characters.get(self.at + ahead).copied().unwrap_or('\0')
    }

    fn skip(&mut self, count: usize) {
        for _ in 0..count {
            if self.peek(0) == '\n' {
                self.line += 1;
            }
            self.at += 1;
        }
    }

    fn skip_until(&mut self, end: &str) {
        let end: Vec<char> = end.chars().collect();
        while self.at < self.characters.len() && !self.characters[self.at..].starts_with(&end) {
            self.skip(1);
        }
        self.skip(end.len());
    }

    /// The next token, an empty text for what is left out, `None` at the end.
    fn next_token(&mut self) -> Option<String> {
        let nothing = Some(String::new());
        match (*self.characters.get(self.at)?, self.peek(1)) {
            ('/', '/') => self.skip_until("\n"),
            ('/', '*') => self.skip_comment(),
            ('"', _) => self.skip_text(),
            ('\'', second) if second == '\\' || self.peek(2) == '\'' => self.skip_character(),
            ('\'', _) => {
                self.skip(1);
                self.name();
            }
            (':', ':') => {
                self.skip(2);
                return Some("::".to_owned());
            }
            (first, _) if first.is_alphabetic() || first == '_' => return Some(self.name_or_raw_text()),
            (first, _) if first.is_whitespace() => self.skip(1),
            (first, _) => {
                self.skip(1);
                return Some(first.to_string());
            }
        }
        nothing
    }

    fn name(&mut self) -> String {
        let begin = self.at;
        while self.peek(0).is_alphanumeric() || self.peek(0) == '_' {
            self.skip(1);
        }
        self.characters[begin..self.at].iter().collect()
    }

    fn name_or_raw_text(&mut self) -> String {
        let name = self.name();
        let hashes = (0..).take_while(|ahead| self.peek(*ahead) == '#').count();
        let is_raw = matches!(name.as_str(), "r" | "br" | "cr") && self.peek(hashes) == '"';
        let is_text = is_raw || (matches!(name.as_str(), "b" | "c") && self.peek(0) == '"');
        if is_raw {
            self.skip(hashes + 1);
            self.skip_until(&format!("\"{}", "#".repeat(hashes)));
        } else if is_text {
            self.skip_text();
        } else if name == "r" && hashes == 1 {
            self.skip(1);
            return self.name();
        }
        if is_text { String::new() } else { name }
    }

    fn skip_text(&mut self) {
        self.skip(1);
        while self.at < self.characters.len() && self.peek(0) != '"' {
            self.skip(if self.peek(0) == '\\' { 2 } else { 1 });
        }
        self.skip(1);
    }

    fn skip_character(&mut self) {
        self.skip(if self.peek(1) == '\\' { 3 } else { 2 });
        self.skip_until("'");
    }

    fn skip_comment(&mut self) {
        let mut depth = 0_usize;
        while self.at < self.characters.len() {
            match (self.peek(0), self.peek(1)) {
                ('/', '*') => (depth, _) = (depth + 1, self.skip(2)),
                ('*', '/') => (depth, _) = (depth - 1, self.skip(2)),
                _ => self.skip(1),
            }
            if depth == 0 {
                return;
            }
        }
    }
}

fn sources() -> Vec<(String, String)> {
    let files = rust_files(&["src", "entity/src", "migration/src"]);
    files.into_iter().map(|file| (file.to_str().expect("text").to_owned(), read(&file))).collect()
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn read(file: &Path) -> String {
    fs::read_to_string(root().join(file)).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

/// All `.rs` files below some folders, relative to the root.
fn rust_files(folders: &[&str]) -> Vec<PathBuf> {
    let mut waiting: Vec<PathBuf> = folders.iter().map(PathBuf::from).collect();
    let mut files = Vec::new();
    while let Some(folder) = waiting.pop() {
        for entry in fs::read_dir(root().join(&folder)).expect("a folder of sources") {
            let entry = entry.expect("an entry");
            let path = folder.join(entry.file_name());
            if entry.file_type().expect("a type").is_dir() {
                waiting.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                files.push(path);
            }
        }
    }
    files.sort();
    files
}

/// Follows the `mod x;` lines of a file.
fn reach(file: &Path, reached: &mut BTreeSet<PathBuf>) {
    reached.insert(file.to_path_buf());
    let stem = file.file_stem().expect("a file");
    let parent = file.parent().expect("a folder");
    let is_folder_itself = ["mod", "lib", "main"].iter().any(|name| stem == *name);
    let folder = if is_folder_itself { parent.to_path_buf() } else { parent.join(stem) };
    for line in tokens(&read(file)).windows(3) {
        if let [module, name, end] = line
            && module.text == "mod"
            && end.text == ";"
        {
            let candidates = [folder.join(format!("{}.rs", name.text)), folder.join(&name.text).join("mod.rs")];
            candidates
                .iter()
                .filter(|candidate| root().join(candidate).is_file())
                .for_each(|next| reach(next, reached));
        }
    }
}
