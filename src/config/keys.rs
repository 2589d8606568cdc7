//! The key file: read, checked, and made at the first start of the embedded mode.
//!
//! It is apart from the settings because it is secret as a whole, is rotated by itself, and is shared by all
//! servers of an installation. A file that everybody on the machine can read is refused, and so is a missing one on
//! PostgreSQL: a second server that quietly made its own ring would mint ids which the first one calls forged.
//! No message shows a value: a line number is all that is said about a file that does not parse.
//!
//! ```toml
//! minting = 0        # the number of the sealing key that makes new transaction ids
//! tokens = "…"       # every key: 64 hexadecimal characters
//! privacy = "…"
//! links = "…"
//! sessions = "…"
//! sessions_previous = "…"   # optional: still verified, after a rotation
//! sessions_next = "…"       # optional: verified already, before a rotation
//! [[sealing]]
//! number = 0
//! key = "…"
//! revoked = false    # optional: true when it leaked
//! ```

use std::fmt;
use std::fs::{DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use figment::providers::{Format, Toml};
use secrecy::zeroize::Zeroizing;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use super::{Config, Engine};
use crate::domain::clock::Entropy;
use crate::domain::keyring::{Keyring, KeyringError, KeyringParts, SealingKeyEntry, SecretKey};

/// Everybody may do nothing with it, and the group may not write.
const FORBIDDEN_MODE: u32 = 0o027;

/// Everything that the key file holds.
#[derive(Debug)]
pub struct Keys {
    pub keyring: Keyring,
    pub sessions: SessionKeys,
    /// The file was made by this start: say where, so that somebody keeps a copy.
    pub created: bool,
}

/// What signs access tokens, and what still verifies them after a rotation.
#[derive(Debug)]
pub struct SessionKeys {
    pub current: SessionSeed,
    pub previous: Option<SessionSeed>,
    /// Verifies already, so that servers which sign with it and servers which do not yet believe each other.
    pub next: Option<SessionSeed>,
}

/// The 32 secret bytes of an Ed25519 key (RFC 8032), wiped when dropped. It prints as nothing.
#[derive(Clone)]
pub struct SessionSeed(Zeroizing<[u8; 32]>);

impl SessionSeed {
    pub fn expose(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for SessionSeed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SessionSeed(..)")
    }
}

/// Why there are no keys.
#[derive(Debug, thiserror::Error)]
pub enum KeysProblem {
    #[error(
        "there is no key file at {}: make one with `roundtrip keys > {}`, chmod 600, and give it to every server of this database",
        .0.display(), .0.display()
    )]
    Missing(PathBuf),
    #[error("the key file {} has mode {mode:03o}, so others can use its keys: chmod 600 {}", .path.display(), .path.display())]
    Exposed { path: PathBuf, mode: u32 },
    #[error("the key file {} cannot be understood at line {line}: docs/operating.md shows its form", .path.display())]
    Unreadable { path: PathBuf, line: usize },
    #[error("the key file {}: {key}: {problem}", .path.display())]
    Key { path: PathBuf, key: String, problem: KeyringError },
    #[error("new keys cannot be made: {0}")]
    Generate(KeyringError),
    #[error("the key file {} holds a next session key already: restart every server, then rotate", .0.display())]
    Prepared(PathBuf),
    #[error("the key file {}: {error}", .path.display())]
    File { path: PathBuf, error: io::Error },
}

/// Reads the key file of `config`; on SQLite makes it first if there is none.
///
/// # Errors
/// See [`KeysProblem`]: each names the file and, where there is one, the command that mends it.
pub fn open(config: &Config, entropy: &dyn Entropy) -> Result<Keys, KeysProblem> {
    let path = &config.keys_file;
    let exists = path.try_exists().map_err(|error| file_problem(path, error))?;
    let created = match (exists, config.database.engine) {
        (true, Engine::Sqlite | Engine::Postgres) => false,
        (false, Engine::Sqlite) => create(path, &new_key_file(entropy)?)?,
        (false, Engine::Postgres) => return Err(KeysProblem::Missing(path.clone())),
    };
    refuse_exposed(path)?;
    let text = std::fs::read_to_string(path).map(Zeroizing::new).map_err(|error| file_problem(path, error))?;
    let (keyring, sessions) = parse(path, &text)?;
    Ok(Keys { keyring, sessions, created })
}

/// The text of a new key file, with fresh keys.
///
/// # Errors
/// The source of chance is broken.
pub fn new_key_file(entropy: &dyn Entropy) -> Result<SecretString, KeysProblem> {
    let fresh = || SecretKey::generate(entropy).map(|key| key.reveal()).map_err(KeysProblem::Generate);
    let mut text = format!("{TITLE}minting = 0\n");
    for name in ["tokens", "privacy", "links", "sessions"] {
        text.push_str(&format!("{name} = \"{}\"\n", fresh()?.expose_secret()));
    }
    text.push_str(&format!("\n[[sealing]]\nnumber = 0\nkey = \"{}\"\n", fresh()?.expose_secret()));
    Ok(SecretString::from(text))
}

/// Puts a new key in the place of the one that signs sessions, which goes on verifying; the one before that is dropped.
/// The new one is the file's next one where it has one. Servers read the file when they start.
///
/// # Errors
/// See [`KeysProblem`]; then the file is as it was.
pub fn rotate_sessions(path: &Path, entropy: &dyn Entropy) -> Result<(), KeysProblem> {
    rewrite(path, |file| {
        let next = file.sessions_next.take().map_or_else(|| fresh(entropy), Ok)?;
        file.sessions_previous = Some(std::mem::replace(&mut file.sessions, next));
        Ok(())
    })
}

/// Adds the key that will sign sessions next, which verifies from now on: for several servers, none of which may meet
/// a token that it does not know.
///
/// # Errors
/// `Prepared` when there is one; others as of [`rotate_sessions`].
pub fn prepare_sessions(path: &Path, entropy: &dyn Entropy) -> Result<(), KeysProblem> {
    rewrite(path, |file| {
        if file.sessions_next.is_some() {
            return Err(KeysProblem::Prepared(path.to_path_buf()));
        }
        file.sessions_next = Some(fresh(entropy)?);
        Ok(())
    })
}

fn fresh(entropy: &dyn Entropy) -> Result<SecretText, KeysProblem> {
    let key = SecretKey::generate(entropy).map_err(KeysProblem::Generate)?;
    Ok(SecretText(Zeroizing::new(key.reveal().expose_secret().to_owned())))
}

/// Changes a file that is understood into one that is understood, in one step: whoever reads it finds the old one or the
/// new one. Its mode stays; comments do not.
fn rewrite(path: &Path, change: impl FnOnce(&mut KeyFile) -> Result<(), KeysProblem>) -> Result<(), KeysProblem> {
    refuse_exposed(path)?;
    let text = std::fs::read_to_string(path).map(Zeroizing::new).map_err(|error| file_problem(path, error))?;
    let mut file = read_file(path, &text)?;
    change(&mut file)?;
    let text = file.text();
    parse(path, text.expose_secret())?;
    replace(path, &text).map_err(|error| file_problem(path, error))
}

fn replace(path: &Path, text: &SecretString) -> io::Result<()> {
    let mode = std::fs::metadata(path)?.mode() & 0o777;
    let draft = path.with_extension(format!("draft-{}", std::process::id()));
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft)?;
    file.write_all(text.expose_secret().as_bytes())?;
    file.set_permissions(Permissions::from_mode(mode))?;
    file.sync_all()?;
    std::fs::rename(&draft, path)?;
    File::open(folder_of(path))?.sync_all()
}

fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

const TITLE: &str = "# The keys of one Roundtrip installation. Secret. Keep a copy apart from the database: without this\n\
     # file no transaction id that is under way can be read, and no Postback URL can be shown again.\n";

/// The file as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct KeyFile {
    minting: u8,
    tokens: SecretText,
    privacy: SecretText,
    links: SecretText,
    sessions: SecretText,
    sessions_previous: Option<SecretText>,
    sessions_next: Option<SecretText>,
    sealing: Vec<SealingEntry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SealingEntry {
    number: u8,
    key: SecretText,
    #[serde(default)]
    revoked: bool,
}

#[derive(Deserialize)]
#[serde(from = "String")]
struct SecretText(Zeroizing<String>);

impl From<String> for SecretText {
    fn from(text: String) -> Self {
        Self(Zeroizing::new(text))
    }
}

impl KeyFile {
    fn text(&self) -> SecretString {
        let mut text = format!("{TITLE}minting = {}\n", self.minting);
        let mut line = |name: &str, key: &SecretText| text.push_str(&format!("{name} = \"{}\"\n", *key.0));
        for (name, key) in [
            ("tokens", Some(&self.tokens)),
            ("privacy", Some(&self.privacy)),
            ("links", Some(&self.links)),
            ("sessions", Some(&self.sessions)),
            ("sessions_previous", self.sessions_previous.as_ref()),
            ("sessions_next", self.sessions_next.as_ref()),
        ] {
            key.into_iter().for_each(|key| line(name, key));
        }
        for SealingEntry { number, key, revoked } in &self.sealing {
            text.push_str(&format!("\n[[sealing]]\nnumber = {number}\nkey = \"{}\"\n", *key.0));
            text.push_str(if *revoked { "revoked = true\n" } else { "" });
        }
        SecretString::from(text)
    }
}

fn read_file(path: &Path, text: &str) -> Result<KeyFile, KeysProblem> {
    Toml::from_str(text).map_err(|error: <Toml as Format>::Error| {
        let start = error.span().map_or(0, |span| span.start);
        let line = text.bytes().take(start).filter(|byte| *byte == b'\n').count() + 1;
        KeysProblem::Unreadable { path: path.to_path_buf(), line }
    })
}

fn parse(path: &Path, text: &str) -> Result<(Keyring, SessionKeys), KeysProblem> {
    let file = read_file(path, text)?;
    let problem = |key: &str, problem| KeysProblem::Key { path: path.to_path_buf(), key: key.to_owned(), problem };
    let read = |name: &str, text: &SecretText| SecretKey::parse(&text.0).map_err(|error| problem(name, error));
    let sealing = file.sealing.iter().map(|entry| {
        let key = read(&format!("sealing key {}", entry.number), &entry.key)?;
        Ok(SealingKeyEntry { number: entry.number, key, revoked: entry.revoked })
    });
    let parts = KeyringParts {
        sealing: sealing.collect::<Result<_, KeysProblem>>()?,
        minting: file.minting,
        tokens: read("tokens", &file.tokens)?,
        privacy: read("privacy", &file.privacy)?,
        links: read("links", &file.links)?,
    };
    let keyring = Keyring::from_parts(&parts).map_err(|error| problem("the ring", error))?;
    let seed = |name: &str, text: &SecretText| read(name, text).map(|key| SessionSeed(Zeroizing::new(*key.expose())));
    let optional = |name: &str, text: &Option<SecretText>| text.as_ref().map(|text| seed(name, text)).transpose();
    let sessions = SessionKeys {
        current: seed("sessions", &file.sessions)?,
        previous: optional("sessions_previous", &file.sessions_previous)?,
        next: optional("sessions_next", &file.sessions_next)?,
    };
    Ok((keyring, sessions))
}

fn refuse_exposed(path: &Path) -> Result<(), KeysProblem> {
    let metadata = std::fs::metadata(path).map_err(|error| file_problem(path, error))?;
    let mode = metadata.mode() & 0o777;
    if mode & FORBIDDEN_MODE == 0 { Ok(()) } else { Err(KeysProblem::Exposed { path: path.to_path_buf(), mode }) }
}

/// Writes beside the place and links it there, so that a crash leaves no half of a file and two first starts at
/// once agree on one ring. `false` when another start was faster.
fn create(path: &Path, text: &SecretString) -> Result<bool, KeysProblem> {
    let folder = folder_of(path);
    let draft = path.with_extension(format!("draft-{}", std::process::id()));
    let write = || -> io::Result<bool> {
        DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft)?;
        file.write_all(text.expose_secret().as_bytes())?;
        file.sync_all()?;
        let linked = match std::fs::hard_link(&draft, path) {
            Ok(()) => true,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => false,
            Err(error) => return Err(error),
        };
        std::fs::remove_file(&draft)?;
        File::open(folder)?.sync_all()?;
        Ok(linked)
    };
    write().map_err(|error| file_problem(path, error))
}

fn file_problem(path: &Path, error: io::Error) -> KeysProblem {
    KeysProblem::File { path: path.to_path_buf(), error }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Sources;
    use crate::domain::keyring::SeededEntropy;

    fn config(folder: &Path, database: &str) -> Config {
        let environment = vec![
            ("ROUNDTRIP__DATA_DIR".to_owned(), folder.join("data").display().to_string()),
            ("ROUNDTRIP__DATABASE__URL".to_owned(), database.to_owned()),
        ];
        Config::read(&Sources { file: None, environment }).expect("good settings")
    }

    fn opened(config: &Config) -> Result<Keys, KeysProblem> {
        open(config, &SeededEntropy::new(7))
    }

    fn write(config: &Config, text: &str, mode: u32) {
        std::fs::create_dir_all(config.keys_file.parent().expect("a folder")).expect("made");
        std::fs::write(&config.keys_file, text).expect("written");
        std::fs::set_permissions(&config.keys_file, std::fs::Permissions::from_mode(mode)).expect("mode set");
    }

    #[test]
    fn the_first_embedded_start_makes_keys_that_the_second_one_finds() {
        let folder = tempfile::tempdir().expect("a folder");
        let config = config(folder.path(), "");
        let first = opened(&config).expect("made");
        let mode = std::fs::metadata(&config.keys_file).expect("there").mode();
        assert!(first.created);
        assert_eq!(mode & 0o777, 0o600);
        let second = open(&config, &SeededEntropy::new(8)).expect("found");
        assert!(!second.created);
        assert_eq!(first.sessions.current.expose(), second.sessions.current.expose());
        assert_eq!(std::fs::read_dir(&config.data_dir).expect("a folder").count(), 1, "no draft is left");
    }

    #[test]
    fn on_postgresql_a_missing_key_file_ends_the_start() {
        let folder = tempfile::tempdir().expect("a folder");
        let config = config(folder.path(), "postgres://u:p1@h/d");
        let said = opened(&config).expect_err("missing").to_string();
        assert!(said.contains("roundtrip keys > "), "{said}");
        assert!(!config.keys_file.exists());
    }

    #[test]
    fn a_key_file_that_others_can_use_is_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        let config = config(folder.path(), "");
        let text = new_key_file(&SeededEntropy::new(1)).expect("made");
        for (mode, good) in
            [(0o600, true), (0o400, true), (0o440, true), (0o644, false), (0o660, false), (0o601, false)]
        {
            write(&config, text.expose_secret(), mode);
            assert_eq!(opened(&config).is_ok(), good, "{mode:o}");
        }
    }

    #[test]
    fn a_bad_key_file_is_refused_without_showing_a_value() {
        let folder = tempfile::tempdir().expect("a folder");
        let config = config(folder.path(), "");
        let good = new_key_file(&SeededEntropy::new(1)).expect("made");
        let good = good.expose_secret();
        let first_key = good.split('"').nth(1).expect("a key").to_owned();
        let bad = [
            (good.replace("minting = 0", &format!("minting = \"{first_key}\"")), "at line 3"),
            (good.replace("number = 0", "nmber = 0"), "at line "),
            (format!("{good}\n{first_key} = \""), "at line "),
            (good.replace(&first_key, &"ab".repeat(32)), "tokens: this is an example key"),
            (good.replace(&first_key, &first_key[1..]), "tokens: a key has 64"),
            (good.replace("minting = 0", "minting = 3"), "the minting key 3 is not among"),
        ];
        for (text, part) in bad {
            write(&config, &text, 0o600);
            let said = opened(&config).expect_err(part).to_string();
            assert!(said.contains(part), "{part} is not in {said}");
            assert!(!said.contains(&first_key[1..]), "{said}");
        }
    }

    #[test]
    fn the_key_of_sessions_is_rotated_and_everything_else_stays() {
        let folder = tempfile::tempdir().expect("a folder");
        let config = config(folder.path(), "");
        let entropy = SeededEntropy::new(3);
        let text = new_key_file(&entropy).expect("made");
        let text = text.expose_secret().replace("minting = 0", "minting = 7");
        let minting = SecretKey::generate(&entropy).expect("made").reveal();
        let minting = minting.expose_secret();
        write(&config, &format!("{text}revoked = true\n[[sealing]]\nnumber = 7\nkey = \"{minting}\"\n"), 0o640);
        let kept = || std::fs::read_to_string(&config.keys_file).expect("readable");
        let key = |name: &str| {
            let begins = format!("{name} = \"");
            kept().lines().find_map(|line| Some(line.strip_prefix(&begins)?.trim_end_matches('"').to_owned()))
        };
        let (first, links, sealing) = (key("sessions"), key("links"), key("key"));
        rotate_sessions(&config.keys_file, &entropy).expect("rotated");
        assert_eq!((key("sessions_previous"), key("sessions_next")), (first.clone(), None));
        prepare_sessions(&config.keys_file, &entropy).expect("prepared");
        let (second, next) = (key("sessions"), key("sessions_next"));
        assert!(second.is_some() && next.is_some() && second != first && next != second);
        assert!(matches!(prepare_sessions(&config.keys_file, &entropy), Err(KeysProblem::Prepared(_))));
        rotate_sessions(&config.keys_file, &entropy).expect("rotated");
        assert_eq!((key("sessions"), key("sessions_previous"), key("sessions_next")), (next, second, None));
        assert_eq!((key("links"), key("key")), (links, sealing));
        for part in ["revoked = true", "minting = 7", minting] {
            assert!(kept().contains(part), "all is there but comments");
        }
        let mode = std::fs::metadata(&config.keys_file).expect("there").permissions().mode() & 0o777;
        assert_eq!(mode, 0o640);
        assert!(opened(&config).expect("good keys").sessions.previous.is_some());
        write(&config, "nonsense", 0o600);
        assert!(rotate_sessions(&config.keys_file, &entropy).is_err());
        assert_eq!(kept(), "nonsense");
    }

    #[test]
    fn rotated_keys_are_read() {
        let folder = tempfile::tempdir().expect("a folder");
        let config = config(folder.path(), "");
        let entropy = SeededEntropy::new(2);
        let key = || SecretKey::generate(&entropy).expect("made").reveal();
        let text = new_key_file(&entropy).expect("made");
        let text = text
            .expose_secret()
            .replace("minting = 0", &format!("minting = 5\nsessions_previous = \"{}\"", key().expose_secret()));
        let text = format!("{text}revoked = true\n[[sealing]]\nnumber = 5\nkey = \"{}\"\n", key().expose_secret());
        write(&config, &text, 0o600);
        let keys = opened(&config).expect("good keys");
        assert_eq!(format!("{:?}", keys.keyring), "Keyring { sealing: [0, 5], minting: 5, .. }");
        assert!(keys.sessions.previous.is_some());
        assert_eq!(format!("{:?}", keys.sessions.current), "SessionSeed(..)");
    }
}
