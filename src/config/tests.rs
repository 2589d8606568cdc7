//! Every rule of the settings, from sources written in the test.

use secrecy::ExposeSecret;

use super::*;

fn from_environment(variables: &[(&str, &str)]) -> Result<Config, ConfigProblems> {
    let environment = variables.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    Config::read(&Sources { file: None, environment })
}

fn from_file(text: &str) -> Result<Config, ConfigProblems> {
    Config::read(&Sources { file: Some(("roundtrip.toml".to_owned(), text.to_owned())), environment: Vec::new() })
}

fn problems(result: Result<Config, ConfigProblems>) -> Vec<String> {
    result.expect_err("settings that must be refused").all().to_vec()
}

#[test]
fn the_defaults_are_the_embedded_mode_on_loopback() {
    let config = from_environment(&[]).expect("the defaults are good");
    assert_eq!(config.database.engine, Engine::Sqlite);
    assert_eq!(config.database.url.expose_secret(), "sqlite://data/roundtrip.db");
    assert_eq!(config.keys_file, PathBuf::from("data/keys.toml"));
    assert_eq!(config.spool.file, PathBuf::from("data/spool.db"));
    assert!(config.server.bind_address.ip().is_loopback() && config.server.internal_bind_address.ip().is_loopback());
    assert_eq!(config.server.public_host(), "localhost");
    assert_eq!(config.server.header_timeout.as_secs(), 5);
    assert_eq!(config.intake.answer_deadline.as_millis(), 2000);
    assert_eq!((config.tokens.overlap.as_secs(), config.tokens.overlap_max.as_secs()), (86_400, 2_592_000));
}

#[test]
fn every_default_has_a_comment_before_it() {
    let mut explained = false;
    for line in DEFAULT_TOML.lines() {
        let is_twin = line.split(" = ").next().is_some_and(|key| key.ends_with("_file") || key == "audience");
        if line.contains(" = ") && !line.starts_with('#') {
            assert!(explained || is_twin, "no comment before: {line}");
        }
        explained = line.starts_with('#');
    }
}

#[test]
fn the_environment_wins_over_the_file_and_the_file_over_the_defaults() {
    let sources = Sources {
        file: Some(("f".to_owned(), "[server]\nconnections_max = 100\nidle_timeout_seconds = 30".to_owned())),
        environment: vec![("ROUNDTRIP__SERVER__CONNECTIONS_MAX".to_owned(), "200".to_owned())],
    };
    let config = Config::read(&sources).expect("good settings");
    assert_eq!((config.server.connections_max, config.server.idle_timeout.as_secs()), (200, 30));
    assert_eq!(config.server.body_timeout.as_secs(), 10);
}

#[test]
fn a_variable_is_read_as_the_kind_of_its_default() {
    let config = from_environment(&[
        ("ROUNDTRIP__SESSION__ISSUER", "12345"),
        ("ROUNDTRIP__TOKENS__REDISPLAY", "false"),
        ("ROUNDTRIP__SERVER__TRUSTED_PROXIES", "10.0.0.0/8, ::1"),
        ("ROUNDTRIP__SERVER__ADMIN_HOSTS", r#"["Admin.Example.com"]"#),
        ("ROUNDTRIP__DNS__RESOLVERS", "1.1.1.1,[::1]:5353"),
        ("ROUNDTRIP__DATA_DIR", "/var/lib/roundtrip"),
    ])
    .expect("good settings");
    assert_eq!(config.session.issuer, "12345");
    assert!(!config.tokens.redisplay);
    assert_eq!(config.server.trusted_proxies.len(), 2);
    assert_eq!(config.server.admin_hosts, ["admin.example.com"]);
    assert_eq!(config.dns.resolvers.iter().map(std::net::SocketAddr::port).collect::<Vec<_>>(), [53, 5353]);
    assert_eq!(config.keys_file, PathBuf::from("/var/lib/roundtrip/keys.toml"));
}

#[test]
fn an_unknown_key_is_refused_with_the_nearest_one() {
    let said = problems(from_file("[server]\nbind_adress = \"1\"\n[servre]\nx = 1\n"));
    assert_eq!(
        said,
        [
            "server.bind_adress: no such setting (in roundtrip.toml): did you mean server.bind_address?",
            "servre.x: no such setting (in roundtrip.toml): config/default.toml lists them all",
        ]
    );
    let said = problems(from_environment(&[("ROUNDTRIP__SERVER__PUBLIC_ULR", "x")]));
    assert_eq!(
        said,
        [
            "ROUNDTRIP__SERVER__PUBLIC_ULR: no such setting (in the environment): did you mean ROUNDTRIP__SERVER__PUBLIC_URL?"
        ]
    );
}

#[test]
fn all_problems_are_said_at_once_with_their_place() {
    let said = problems(from_environment(&[
        ("ROUNDTRIP__SERVER__BIND_ADDRESS", "here"),
        ("ROUNDTRIP__INTAKE__WRITERS", "many"),
        ("ROUNDTRIP__LIMITS__DRY_RUNS_PER_SECOND", "0"),
        ("ROUNDTRIP__TOKENS__OVERLAP_SECONDS_MAX", "2592001"),
        ("ROUNDTRIP__LOGS__FORMAT", "xml"),
        ("ROUNDTRIP__SESSION__REFRESH_SECONDS", "899"),
    ]));
    assert_eq!(said.len(), 6, "{said:#?}");
    let all = said.join("\n");
    for part in [
        "server.bind_address: ",
        "(in ROUNDTRIP__SERVER__BIND_ADDRESS)",
        "intake.writers: expected a whole number (in ROUNDTRIP__INTAKE__WRITERS)",
        "limits.dry_runs_per_second: 0 is outside 1..1000",
        "tokens.overlap_seconds_max: 2592001 is outside 0..2592000",
        "logs.format: ",
        "session.refresh_seconds: 899 is outside 900..7776000",
    ] {
        assert!(all.contains(part), "{part} is not in\n{all}");
    }
}

#[test]
fn a_secret_comes_from_a_file_and_from_one_place_only() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("url");
    std::fs::write(&path, "postgres://u:kept@h/d\n").expect("written");
    let path = path.to_str().expect("text");
    let config = from_environment(&[("ROUNDTRIP__DATABASE__URL_FILE", path)]).expect("good settings");
    assert_eq!(config.database.url.expose_secret(), "postgres://u:kept@h/d");
    assert_eq!(config.database.engine, Engine::Postgres);
    let both = [("ROUNDTRIP__DATABASE__URL_FILE", path), ("ROUNDTRIP__DATABASE__URL", "sqlite://x.db")];
    assert_eq!(problems(from_environment(&both)), ["database.url: set it or database.url_file, not both"]);
    let missing = problems(from_environment(&[("ROUNDTRIP__DATABASE__URL_FILE", "/no/such")]));
    assert!(missing.join("").starts_with("database.url_file: /no/such cannot be read"));
}

#[test]
fn no_message_shows_a_password() {
    let bad = [
        from_file("[database]\nurl = \"postgres://u:hunter2@h:port/d\""),
        from_file("[database]\nurl = \"mysql://u:hunter2@h/d\""),
        from_file("[database]\nurl = \"postgres://u:hunter2@h/d"),
        from_file("[database]\nurl = [\"postgres://u:hunter2@h/d\"]"),
        from_environment(&[("ROUNDTRIP__DATABASE__URL", "hunter2")]),
    ];
    for result in bad {
        let said = problems(result).join("\n");
        assert!(!said.contains("hunter2"), "{said}");
    }
    let good = from_environment(&[("ROUNDTRIP__DATABASE__URL", "postgres://u:hunter2@h/d")]).expect("good");
    assert!(!format!("{good:?}").contains("hunter2"));
}

#[test]
fn an_example_password_ends_the_start() {
    let said = problems(from_environment(&[("ROUNDTRIP__DATABASE__URL", "postgres://u:Change-Me@h/d")]));
    assert_eq!(said, ["database.url: the password is that of an example; choose one of your own"]);
}

#[test]
fn the_public_url_is_an_origin_and_nothing_more() {
    for url in ["ftp://h", "https://h/path", "https://h/?q=1", "https://u@h", "https://u:p@h/", "https://h/#f"] {
        let said = problems(from_environment(&[("ROUNDTRIP__SERVER__PUBLIC_URL", url)]));
        assert!(said.join("").starts_with("server.public_url: "), "{url}: {said:?}");
    }
    for host in ["admin.example.com:80", "https://a", "a/b", ""] {
        let text = format!("[server]\nadmin_hosts = [\"{host}\"]");
        assert!(from_file(&text).is_err(), "{host}");
    }
}

#[test]
fn two_writers_are_for_postgresql() {
    let writers = ("ROUNDTRIP__INTAKE__WRITERS", "2");
    assert!(from_environment(&[writers]).is_err());
    assert!(from_environment(&[writers, ("ROUNDTRIP__DATABASE__URL", "postgres://u:p1@h/d")]).is_ok());
}

#[test]
fn a_lease_is_longer_than_two_requests_may_take() {
    let lease = |seconds: &str| {
        from_environment(&[
            ("ROUNDTRIP__OUTBOUND__TIMEOUT_MS", "1000"),
            ("ROUNDTRIP__OUTBOUND__LEASE_SECONDS", seconds),
        ])
    };
    assert!(problems(lease("1"))[0].contains("outbound.lease_seconds"));
    assert!(lease("2").is_ok() && lease("3").is_ok());
}
