//! The login of the demo: made at the first start, kept in its folder, found again at the next one.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use secrecy::{ExposeSecret, SecretString};

use super::super::CliProblem;
use super::super::opened::{done, principal};
use crate::app::App;
use crate::app::operators::{Draft, create_operator, generate_password, set_password};
use crate::domain::operator::Role;
use crate::store::operators;

const EMAIL: &str = "admin@demo.localhost";
const FILE: &str = "password";

/// Who may sign in to the demo, as an administrator.
pub(super) struct Login {
    pub(super) email: &'static str,
    pub(super) password: SecretString,
}

/// The operator with the password of the file. What is missing of the two is made; a password that is nowhere
/// written any more is replaced.
pub(super) async fn ensure(app: &App, folder: &Path) -> Result<Login, CliProblem> {
    let kept = read(folder)?;
    let is_new = kept.is_none();
    let password = kept.unwrap_or_else(|| generate_password(app.entropy.as_ref()));
    let exists = operators::list(&app.database).await?.iter().any(|view| view.operator.email == EMAIL);
    if !exists {
        let draft = Draft { email: EMAIL.to_owned(), name: "Demo".to_owned(), role: Role::Admin };
        done(create_operator(app, &principal(), draft, password.clone()).await)?;
    } else if is_new {
        done(set_password(app, &principal(), EMAIL, password.clone()).await)?;
    }
    if is_new {
        write(folder, &password)?;
    }
    Ok(Login { email: EMAIL, password })
}

fn read(folder: &Path) -> Result<Option<SecretString>, CliProblem> {
    let path = folder.join(FILE);
    match std::fs::read_to_string(&path) {
        Ok(text) if !text.trim().is_empty() => Ok(Some(SecretString::from(text.trim()))),
        Ok(_) => Ok(None),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(CliProblem::io(format!("{} cannot be read", path.display()), error)),
    }
}

fn write(folder: &Path, password: &SecretString) -> Result<(), CliProblem> {
    let path = folder.join(FILE);
    let file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&path);
    let written = file.and_then(|mut file| writeln!(file, "{}", password.expose_secret()));
    written.map_err(|error| CliProblem::io(format!("{} cannot be written", path.display()), error))
}
