//! The command line: the real binary, as people and machines run it.
//!
//! The demo is tried with nothing but what it prints: its lines go into bash one after the other, as a reader of the
//! README would paste them.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use roundtrip::domain::clock::Clock as _;
use roundtrip::store::{ConnectOptionsOf, Database, Engine};
use tempfile::TempDir;
use tokio::time::Instant;

use crate::support::bench::fresh_options;
use crate::support::databases::tamper;

const LINES_BEGIN: &str = "# --- paste from here ---";
const LINES_END: &str = "# --- to here ---";

/// The binary with no settings but those of this folder.
fn roundtrip(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_roundtrip"));
    command.env_remove("ROUNDTRIP_CONFIG").env("ROUNDTRIP__DATA_DIR", folder.join("data")).current_dir(folder);
    command
}

fn run(folder: &Path, arguments: &[&str]) -> Output {
    roundtrip(folder).args(arguments).output().unwrap()
}

/// What a command that worked has printed.
fn printed(folder: &Path, arguments: &[&str]) -> String {
    let output = run(folder, arguments);
    let (out, err) = texts(&output);
    assert!(output.status.success(), "{arguments:?}: {out}{err}");
    out
}

/// The exit code of a command that did not, and what it said.
fn refused(folder: &Path, arguments: &[&str]) -> (Option<i32>, String) {
    let output = run(folder, arguments);
    let (out, err) = texts(&output);
    assert!(!output.status.success() && out.is_empty(), "{arguments:?}: {out}{err}");
    (output.status.code(), err)
}

fn texts(output: &Output) -> (String, String) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (text(&output.stdout), text(&output.stderr))
}

fn folder() -> TempDir {
    tempfile::tempdir().unwrap()
}

#[test]
fn the_schema_is_printed_without_a_database() {
    let folder = folder();
    assert_eq!(printed(folder.path(), &["schema"]), include_str!("../../schema.graphql"), "run `make schema`");
    assert!(!folder.path().join("data").exists());
}

#[test]
fn the_tracking_routes_are_printed_as_openapi() {
    let document: serde_json::Value = serde_json::from_str(&printed(folder().path(), &["openapi"])).unwrap();
    assert_eq!(document["openapi"], "3.1.0");
    for path in ["/click", "/postback", "/postback/clickless", "/reject", "/status", "/pixel.gif"] {
        assert!(document["paths"][path].is_object(), "{path}");
    }
}

#[test]
fn every_key_file_is_new_and_is_understood() {
    use std::os::unix::fs::PermissionsExt;
    let folder = folder();
    let keys = printed(folder.path(), &["keys"]);
    assert_ne!(keys, printed(folder.path(), &["keys"]));
    let file = folder.path().join("keys.toml");
    std::fs::write(&file, keys).unwrap();
    let open = |mode| {
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode)).unwrap();
        roundtrip(folder.path()).env("ROUNDTRIP__KEYS__FILE", &file).args(["token", "list"]).output().unwrap()
    };
    let (_, exposed) = texts(&open(0o644));
    assert!(exposed.contains("chmod 600"), "{exposed}");
    assert!(open(0o600).status.success());
}

#[test]
fn operators_and_tokens_are_made_at_the_command_line() {
    let folder = folder();
    let here = folder.path();
    assert!(printed(here, &["migrate"]).starts_with("applied "));
    assert_eq!(printed(here, &["migrate"]), "the schema was up to date\n");

    let create = ["operator", "create", "--email", "Ada@Example.com", "--name", "Ada", "--role", "admin"];
    let made = printed(here, &create);
    assert!(made.starts_with("ada@example.com may sign in as admin\npassword (shown once): "), "{made}");
    assert!(refused(here, &create).1.contains("There is an operator with the address ada@example.com"));
    assert!(refused(here, &["operator", "deactivate", "ada@example.com"]).1.contains("last active administrator"));
    let bob = ["operator", "create", "--email", "bob@example.com", "--name", "Bob", "--password-stdin"];
    assert!(with_stdin(here, &bob, "too short\n").contains("at least 12 characters"));
    let said = with_stdin(here, &bob, "twelve and more\n");
    assert_eq!(said, "bob@example.com may sign in as viewer\n");
    printed(here, &["operator", "set-password", "bob@example.com"]);
    printed(here, &["operator", "deactivate", "bob@example.com"]);
    let list = printed(here, &["operator", "list"]);
    assert!(list.lines().any(|line| line.contains("bob@example.com") && line.contains("off")), "{list}");

    let last = refused(here, &["operator", "set-role", "ada@example.com", "manager"]).1;
    assert!(last.contains("last active administrator"), "{last}");
    assert_eq!(printed(here, &["operator", "activate", "bob@example.com"]), "bob@example.com is switched on\n");
    assert_eq!(printed(here, &["operator", "set-role", "bob@example.com", "admin"]), "bob@example.com is admin now\n");
    assert!(refused(here, &["operator", "activate", "eve@example.com"]).1.contains("no such operator"));

    let made = printed(here, &["token", "create", "--label", "shop", "--capability", "convert"]);
    let (id, secret) = (word(&made, "tok_"), word(&made, "rt_g_"));
    let list = printed(here, &["token", "list"]);
    assert!(list.contains(&id) && !list.contains(&secret), "{list}");
    let rotated = printed(here, &["token", "rotate", &id, "--overlap-seconds", "3600"]);
    assert!(rotated.contains(&id) && word(&rotated, "rt_g_") != secret, "{rotated}");
    assert!(refused(here, &["token", "rotate", &id]).1.contains("overlap"));
    printed(here, &["token", "revoke", &id, "--reason", "leaked"]);
    assert!(!printed(here, &["token", "list"]).contains(&id));
    assert!(printed(here, &["token", "list", "--all"]).contains("revoked"));

    assert!(printed(here, &["verify"]).contains("0 drifts"));
}

/// Offer 42 of one advertiser, and publisher 7.
const CONTROL_DATA: [&str; 3] = [
    "INSERT INTO advertiser (id, name, state, version, created_at, updated_at) VALUES (1, 'Shop', 'active', 1, 0, 0)",
    "INSERT INTO publisher (id, name, state, version, created_at, updated_at) VALUES (7, 'News', 'active', 1, 0, 0)",
    "INSERT INTO offer (id, advertiser_id, name, state, landing_url, currency, revenue_kind, revenue_value, \
     payout_kind, payout_value, attribution_window_hours, duplicate_policy, manual_approval, clickless_enabled, \
     pixel_enabled, pixel_trusted, wire_revenue_trusted, wire_payout_trusted, strict_amounts, repeat_window_seconds, \
     clickless_repeat_window_seconds, reject_without_secure, reject_allowed_addresses, access, version, created_at, \
     updated_at) VALUES (42, 1, 'Shoes', 'active', 'https://shop.example/?t={transaction_id}', 'EUR', 'fixed', 1, \
     'fixed', 1, 720, 'one_per_transaction', 0, 0, 0, 0, 0, 0, 0, 1, 1, 0, '', 'all', 1, 0, 0)",
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clicks_of_another_system_are_imported_from_a_file_or_from_stdin() {
    let folder = folder();
    let here = folder.path();
    printed(here, &["token", "list"]);
    let url = format!("sqlite://{}", here.join("data/roundtrip.db").display());
    let options = ConnectOptionsOf { url: url.into(), ..fresh_options(Engine::Sqlite).0 };
    let database = Database::connect(&options).await.unwrap();
    for sql in CONTROL_DATA {
        tamper(&database, sql).await;
    }
    database.close().await;
    let now = roundtrip::system::SystemClock.now().as_millis();
    let line = |id: &str, offer: i32| format!("{id},{offer},7,{now}\n");
    let file = here.join("clicks.csv");
    std::fs::write(&file, format!("id,offer,publisher,time\n{}{}", line("a", 42), line("b", 43))).unwrap();
    let import = ["import-clicks", file.to_str().unwrap()];
    let output = run(here, &import);
    let (out, err) = texts(&output);
    assert_eq!((output.status.code(), out.as_str()), (Some(1), "added 1, there already 0, not taken 1\n"), "{err}");
    assert!(err.contains("line 3: there is no such offer") && err.contains("1 lines were not taken"), "{err}");
    let said = with_stdin(here, &["import-clicks", "-"], &format!("id,offer,publisher,time\n{}", line("a", 42)));
    assert_eq!(said, "added 0, there already 1, not taken 0\n");
    let (code, said) = refused(here, &["import-clicks", "nowhere.csv"]);
    assert!(code == Some(1) && said.contains("nowhere.csv"), "{said}");
    std::fs::write(&file, "click;offer\n").unwrap();
    assert!(refused(here, &import).1.contains("names no column id"));
}

#[test]
fn somebody_is_invited_at_the_command_line_when_nobody_can_sign_in() {
    let folder = folder();
    let here = folder.path();
    let invited =
        printed(here, &["operator", "invite", "--email", "Ada@example.com", "--name", "Ada", "--role", "admin"]);
    assert!(invited.starts_with("ada@example.com may set a password until "), "{invited}");
    let link = |said: &str| said.trim_end().rsplit(' ').next().unwrap().to_owned();
    let first = link(&invited);
    let place = "http://localhost:8080/dashboard/invite#code=";
    assert!(first.starts_with(place) && first.len() == place.len() + 29, "{invited}");
    let list = printed(here, &["operator", "list"]);
    assert!(list.lines().any(|line| line.contains("ada@example.com") && line.contains("invited")), "{list}");
    let again = printed(here, &["operator", "invite-again", "ada@example.com"]);
    assert!(link(&again).starts_with(place) && link(&again) != first, "{again}");
    assert!(refused(here, &["operator", "invite-again", "eve@example.com"]).1.contains("no such operator"));
    assert!(
        refused(here, &["operator", "invite", "--email", "ada@example.com", "--name", "A"])
            .1
            .contains("There is an operator")
    );
}

#[test]
fn the_key_of_sessions_is_rotated_at_the_command_line() {
    let folder = folder();
    let here = folder.path();
    printed(here, &["migrate"]);
    printed(here, &["operator", "list"]);
    let file = here.join("data/keys.toml");
    let before = std::fs::read_to_string(&file).unwrap();
    let said = printed(here, &["keys", "rotate-sessions", "--prepare"]);
    assert!(said.contains("restart"), "{said}");
    assert!(refused(here, &["keys", "rotate-sessions", "--prepare"]).1.contains("already"));
    let said = printed(here, &["keys", "rotate-sessions"]);
    assert!(said.contains("restart"), "{said}");
    let after = std::fs::read_to_string(&file).unwrap();
    let old = before.lines().find_map(|line| line.strip_prefix("sessions = ")).unwrap();
    assert!(
        after.contains(&format!("sessions_previous = {old}")) && !after.contains("sessions_next"),
        "previous: {old}"
    );
    assert!(!said.contains(old.trim_matches('"')));
    printed(here, &["operator", "list"]);
}

#[test]
fn what_is_wrong_is_said_with_its_cure_and_without_secrets() {
    let folder = folder();
    let (code, said) = refused(folder.path(), &["token", "revoke", "offer_1", "--reason", "x"]);
    assert_eq!(code, Some(2));
    assert!(said.contains("token list"), "{said}");
    let output = roundtrip(folder.path())
        .env("ROUNDTRIP__DATABASE__URL", "postgres://ada:CANARY@127.0.0.1:1/none")
        .args(["migrate"])
        .output()
        .unwrap();
    let (out, err) = texts(&output);
    assert_eq!(output.status.code(), Some(1));
    assert!(!format!("{out}{err}").contains("CANARY"), "{out}{err}");
    let output = roundtrip(folder.path()).env("ROUNDTRIP__SERVER__PORT", "1").args(["verify"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(texts(&output).1.contains("no such setting"));
}

#[test]
fn a_server_on_an_empty_postgresql_names_the_command_that_migrates() {
    let folder = folder();
    let url = super::support::postgres::fresh_database();
    let keys = folder.path().join("keys.toml");
    std::fs::write(&keys, printed(folder.path(), &["keys"])).unwrap();
    std::fs::set_permissions(&keys, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let command = |name: &str| {
        let mut command = roundtrip(folder.path());
        command.env("ROUNDTRIP__DATABASE__URL", &url).env("ROUNDTRIP__KEYS__FILE", &keys);
        command.env("ROUNDTRIP__SERVER__BIND_ADDRESS", "127.0.0.1:0");
        command.env("ROUNDTRIP__SERVER__INTERNAL_BIND_ADDRESS", "127.0.0.1:0").arg(name);
        command
    };
    let (_, said) = texts(&command("serve").output().unwrap());
    assert!(said.contains("roundtrip migrate"), "{said}");
    assert!(command("migrate").output().unwrap().status.success());
    let server = Running::start(command("serve"), |line| line.contains("/api/setup"));
    server.end();
}

#[test]
fn the_printed_lines_of_the_demo_make_the_whole_round_trip() {
    let folder = folder();
    let port = free_port();
    let first = Running::demo(folder.path(), port);
    let said = paste(&first.printed);
    let steps: Vec<&str> = said.split("== ").skip(1).collect();
    let expected: [&[&str]; 14] = [
        &[],
        &[r#""code":"recorded""#, r#""status":"approved""#, "(200)"],
        &[r#""code":"duplicate""#, "(200)"],
        &["characters of access token"],
        &[r#""status":"APPROVED""#, r#""type":"RECORDED""#, "(200)"],
        &[r#""code":"rejected""#, "(200)"],
        &[r#""status":"REJECTED""#, r#""rejectionReason":"Order cancelled""#, "ADVERTISER_POSTBACK", "(200)"],
        &[r#""status":"APPROVED""#, r#""userErrors":[]"#, "(200)"],
        &[r#""code":"token_offer_mismatch""#, "(403)"],
        &[r#""code":"unreplaced_macro""#, r#""cure":"#, "(422)"],
        &[r#""code":"recorded""#, "(200)"],
        &[
            "CLICKLESS",
            r#""number":7"#,
            "newsletter",
            "312",
            "203.0.113.0",
            "Mozilla/5.0 (demo)",
            "24.90",
            "12.45",
            "shop",
            "basket",
            "checkout",
            "voucher",
            "249.00",
            "EXT-",
            "demo-device-1",
            "userEmailMasked",
        ],
        &["200 image/gif 43 bytes"],
        &["200 image/gif 43 bytes", "PIXEL_DOMAIN_REQUIRED"],
    ];
    assert_eq!(steps.len(), expected.len(), "{said}");
    for (index, (step, wanted)) in steps.iter().zip(expected).enumerate() {
        for text in wanted {
            assert!(step.contains(text), "step {} lacks {text}:\n{step}", index + 1);
        }
    }
    assert_eq!(steps[0].lines().nth(1).map(str::len), Some(40), "{}", steps[0]);
    assert!(!said.contains("customer@example.com") && !said.contains("203.0.113.77"), "{said}");
    let conversion = |step: &str| word(step, "cnv_");
    assert_eq!(conversion(steps[1]), conversion(steps[2]));
    assert!(said.contains(&conversion(steps[7])), "{said}");

    let login = |printed: &str| printed.lines().find(|line| line.starts_with("sign in")).unwrap().to_owned();
    let told = login(&first.printed);
    first.end();

    let second = Running::demo(folder.path(), port);
    assert_eq!(login(&second.printed), told);
    let again = paste(&second.printed);
    assert!(again.contains(r#""code":"recorded""#) && again.contains("REJECTED"), "{again}");
    second.end();

    let verified =
        roundtrip(folder.path()).env("ROUNDTRIP__DATA_DIR", folder.path().join("demo")).arg("verify").output().unwrap();
    let (report, problem) = texts(&verified);
    // One of the click, one without, one of the pixel; twice. Five samples, once: three, two of them with an event.
    assert!(verified.status.success() && report.contains("compared: 11 conversions"), "{report}{problem}");
}

/// A server that runs until it is told to end.
struct Running {
    child: Child,
    /// What stood on stdout when it was ready.
    printed: String,
}

impl Running {
    fn demo(folder: &Path, port: u16) -> Self {
        let mut command = roundtrip(folder);
        command.args(["demo", "--port", &port.to_string(), "--data-dir"]).arg(folder.join("demo"));
        Self::start(command, |line| line.starts_with(LINES_END))
    }

    /// Waits until a line is the last one that is of interest.
    fn start(mut command: Command, is_last: fn(&str) -> bool) -> Self {
        let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut running = Self { child, printed: String::new() };
        let mut stdout = BufReader::new(running.child.stdout.take().unwrap());
        loop {
            let mut line = String::new();
            if stdout.read_line(&mut line).unwrap() == 0 {
                let problems = running.problems();
                panic!("it ended before it was ready: {}{problems}", running.printed);
            }
            running.printed.push_str(&line);
            if is_last(&line) {
                return running;
            }
        }
    }

    /// SIGTERM, and the end that must follow it.
    fn end(mut self) {
        let status = Command::new("kill").arg(self.child.id().to_string()).status().unwrap();
        assert!(status.success());
        let began = Instant::now();
        while began.elapsed() < Duration::from_secs(20) {
            if let Some(status) = self.child.try_wait().unwrap() {
                assert_eq!(status.code(), Some(0), "{}", self.problems());
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        panic!("it did not end within 20 s of SIGTERM");
    }

    fn problems(&mut self) -> String {
        let mut text = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut text).unwrap();
        text
    }
}

impl Drop for Running {
    /// A test that failed leaves no server behind. One that has ended cannot be killed, which is as good.
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs the printed lines in one bash; each step of the output begins with `== `.
fn paste(printed: &str) -> String {
    let (_, lines) = printed.split_once(LINES_BEGIN).unwrap();
    let (lines, _) = lines.split_once(LINES_END).unwrap();
    let script: String = lines
        .lines()
        .flat_map(|line| {
            // The title of a step; what follows it is run as it stands.
            let title = line.strip_prefix("# ").map(|title| format!("echo '== {}'\n", title.replace('\'', "")));
            [title.unwrap_or_default(), format!("{line}\n")]
        })
        .collect();
    let mut bash =
        Command::new("bash").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    bash.stdin.take().unwrap().write_all(script.as_bytes()).unwrap();
    let output = bash.wait_with_output().unwrap();
    let (out, err) = texts(&output);
    assert!(err.is_empty(), "bash and curl are needed (apt-get install curl): {err}");
    out
}

fn with_stdin(folder: &Path, arguments: &[&str], text: &str) -> String {
    let mut command = roundtrip(folder);
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let (out, err) = texts(&child.wait_with_output().unwrap());
    out + &err
}

/// The first word that begins like this, up to the next character that no id has.
fn word(text: &str, prefix: &str) -> String {
    let start = text.find(prefix).unwrap_or_else(|| panic!("no {prefix} in {text}"));
    text[start..].chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect()
}

/// One that nobody listened on a moment ago.
fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}
