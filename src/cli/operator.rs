//! `operator`: the people of the admin API.
//!
//! A password is generated and printed once, or read from stdin; never an argument, because arguments are in the
//! shell's history and in the list of processes.

use std::io::{self, Read};

use clap::{Args, Subcommand, ValueEnum};
use secrecy::zeroize::Zeroizing;
use secrecy::{ExposeSecret, SecretString};

use super::opened::{done, open, principal};
use super::table::table;
use super::{CliProblem, print};
use crate::app::App;
use crate::app::invite_operator::{InvitationDraft, Invited, invite_again, invite_operator};
use crate::app::operators::{Draft, create_operator, find_operator, generate_password, set_password};
use crate::app::update_operator::{OperatorChanges, update_operator};
use crate::config::Config;
use crate::domain::operator::{Operator, PASSWORD_BYTES_MAX, Role};
use crate::store::operators::{self, OperatorView};
use crate::system::SystemEntropy;

#[derive(Debug, Subcommand)]
pub(super) enum Action {
    /// Make an operator; prints the generated password once.
    Create(NewOperator),
    /// Make an operator who sets their own password; prints the link for it once.
    Invite(Invitation),
    /// Print another link with which an operator sets a password; older links end.
    InviteAgain {
        /// The operator's e-mail address.
        email: String,
    },
    /// List the operators.
    List,
    /// Give an operator another password; ends their sessions.
    SetPassword {
        /// The operator's e-mail address.
        email: String,
        #[command(flatten)]
        password: PasswordSource,
    },
    /// Give an operator another role; works at once.
    SetRole {
        /// The operator's e-mail address.
        email: String,
        /// How far they may go.
        #[arg(value_enum)]
        role: RoleName,
    },
    /// Switch an operator off: signed out at once, and cannot sign in again.
    Deactivate {
        /// The operator's e-mail address.
        email: String,
    },
    /// Switch an operator on again.
    Activate {
        /// The operator's e-mail address.
        email: String,
    },
}

#[derive(Debug, Args)]
pub(super) struct Invitation {
    /// What they sign in with.
    #[arg(long)]
    email: String,
    /// What others see of them.
    #[arg(long)]
    name: String,
    /// How far they may go.
    #[arg(long, value_enum, default_value_t = RoleName::Viewer)]
    role: RoleName,
}

#[derive(Debug, Args)]
pub(super) struct NewOperator {
    /// What they sign in with.
    #[arg(long)]
    email: String,
    /// What others see of them.
    #[arg(long)]
    name: String,
    /// How far they may go.
    #[arg(long, value_enum, default_value_t = RoleName::Viewer)]
    role: RoleName,
    #[command(flatten)]
    password: PasswordSource,
}

#[derive(Debug, Args)]
pub(super) struct PasswordSource {
    /// Read the password from stdin instead of generating one.
    #[arg(long)]
    password_stdin: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum RoleName {
    Viewer,
    Manager,
    Admin,
}

impl From<RoleName> for Role {
    fn from(name: RoleName) -> Self {
        match name {
            RoleName::Viewer => Self::Viewer,
            RoleName::Manager => Self::Manager,
            RoleName::Admin => Self::Admin,
        }
    }
}

pub(super) async fn run(config: &Config, action: Action) -> Result<(), CliProblem> {
    let app = open(config).await?;
    match action {
        Action::Create(new) => {
            let (password, shown) = new.password.take()?;
            let draft = Draft { email: new.email, name: new.name, role: new.role.into() };
            let operator = done(create_operator(&app, &principal(), draft, password).await)?;
            print(&format!("{} may sign in as {}\n{shown}", operator.email, operator.role.as_str()))
        }
        Action::List => print(&list(&operators::list(&app.database).await?)),
        Action::SetPassword { email, password } => {
            let (password, shown) = password.take()?;
            let operator = done(set_password(&app, &principal(), &email, password).await)?;
            print(&format!("{} has another password; all their sessions ended\n{shown}", operator.email))
        }
        Action::Invite(Invitation { email, name, role }) => {
            let draft = InvitationDraft { email, name, role: role.into(), time_zone: None };
            print(&invited(&done(invite_operator(&app, &principal(), draft, None).await)?))
        }
        Action::InviteAgain { email } => {
            let operator = done(find_operator(&app, &email).await)?;
            print(&invited(&done(invite_again(&app, &principal(), operator.id).await)?))
        }
        Action::SetRole { email, role } => {
            let operator = change(&app, &email, OperatorChanges::role(role.into())).await?;
            print(&format!("{} is {} now\n", operator.email, operator.role.as_str()))
        }
        Action::Deactivate { email } => {
            let operator = change(&app, &email, OperatorChanges::activity(false)).await?;
            print(&format!("{} is switched off\n", operator.email))
        }
        Action::Activate { email } => {
            let operator = change(&app, &email, OperatorChanges::activity(true)).await?;
            print(&format!("{} is switched on\n", operator.email))
        }
    }
}

async fn change(app: &App, email: &str, changes: OperatorChanges) -> Result<Operator, CliProblem> {
    let operator = done(find_operator(app, email).await)?;
    Ok(done(update_operator(app, &principal(), operator.id, changes).await)?.operator)
}

fn invited(invited: &Invited) -> String {
    let until = invited.view.invited_until.map_or_else(String::new, |until| format!(" until {until}"));
    let link = invited.link.as_ref().map_or("", |link| link.expose_secret());
    format!("{} may set a password{until}\nlink (works once, shown once): {link}\n", invited.view.operator.email)
}

impl PasswordSource {
    /// The password, and the line that shows it when it was generated.
    fn take(self) -> Result<(SecretString, String), CliProblem> {
        if self.password_stdin {
            return Ok((read_password()?, String::new()));
        }
        let password = generate_password(&SystemEntropy);
        let shown = format!("password (shown once): {}\n", password.expose_secret());
        Ok((password, shown))
    }
}

/// The first line of stdin.
fn read_password() -> Result<SecretString, CliProblem> {
    // One more than is taken, so that one that is too long is refused and not cut.
    let bytes_max = u64::try_from(PASSWORD_BYTES_MAX + 2).unwrap_or(u64::MAX);
    let mut text = Zeroizing::new(String::new());
    let read = io::stdin().lock().take(bytes_max).read_to_string(&mut text);
    read.map_err(|error| CliProblem::io("the password cannot be read from stdin", error))?;
    match text.lines().next() {
        Some(line) if !line.is_empty() => Ok(SecretString::from(line)),
        Some(_) | None => Err(CliProblem::Usage("--password-stdin: stdin holds no password".to_owned())),
    }
}

fn list(operators: &[OperatorView]) -> String {
    let row = |OperatorView { operator, .. }: &OperatorView| {
        [
            operator.email.clone(),
            operator.name.clone(),
            operator.role.as_str().to_owned(),
            state(operator).to_owned(),
            operator.last_seen_at.map_or_else(|| "never".to_owned(), |at| at.to_string()),
        ]
    };
    table(["email", "name", "role", "state", "last seen"], &operators.iter().map(row).collect::<Vec<_>>())
}

fn state(operator: &Operator) -> &'static str {
    match (operator.is_active, operator.has_password) {
        (true, true) => "active",
        (true, false) => "invited",
        (false, true | false) => "off",
    }
}
