//! Runs every file of `tests/cases/config/`, and holds `config.example.yaml` against the code's defaults.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::unwrap_in_result,
    clippy::disallowed_methods,
    reason = "what a test needs is there, or the test fails"
)]

mod case;
mod profiles;
mod values;

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use doorward::config::{self, Code, Loaded, Problems};
use tempfile::TempDir;

use case::Case;

#[test]
fn every_case_gives_what_it_says() {
    let mut failures = Vec::new();
    for path in case_files() {
        let case = Case::read(&path);
        let found = case.run();
        if found != case.expected {
            failures.push(format!("=== {}\n{}\n", path.display(), found.join("\n")));
        }
    }
    assert!(failures.is_empty(), "these cases gave something else:\n{}", failures.concat());
}

#[test]
fn every_code_has_a_case_of_its_name() {
    for code in Code::ALL {
        let path = cases().join(format!("{code}.yaml"));
        assert!(path.exists(), "no case for `{code}`");
        let expected = Case::read(&path).expected;
        assert!(
            expected.iter().any(|line| line.contains(&format!(": {code}: "))),
            "{} does not expect it",
            path.display()
        );
    }
    let codes: BTreeSet<&str> = Code::ALL.iter().map(|code| code.as_str()).collect();
    assert_eq!(codes.len(), Code::ALL.len(), "two codes are the same");
}

#[test]
fn nine_problems_in_nine_places_are_nine_lines() {
    let case = Case::read(&cases().join("nine-problems.yaml"));
    let problems = case.load().unwrap_err();
    assert_eq!(problems.len(), 9);
    let text = problems.to_string();
    let (helps, lines): (Vec<&str>, Vec<&str>) = text.lines().partition(|line| line.starts_with("    help: "));
    assert_eq!((lines.len(), helps.len()), (9, 9), "{text}");
    let places: BTreeSet<_> = problems.iter().map(|problem| problem.at).collect();
    assert_eq!(places.len(), 9, "{text}");
}

/// A secret can stand in any wrong place. Wherever it does, nothing that is printed shows it.
#[test]
fn no_problem_shows_what_is_written() {
    const CANARY: &str = "canaryQ7x";
    let wrong_places = [
        "{S}",
        "{S}: {S}",
        "profile: {S}",
        "server: {S}",
        "server: { listen: {S}, public_url: {S}, shutdown: { drain: {S} } }",
        "server: { listen: 'unix:{S}\\0' }",
        "server: { threads: {S}, socket_mode: {S}, h2c: {S}, tls: {S}, trusted_proxies: [{S}, '{S}/8'], limits: {S}, cors: {S} }",
        "server: { tls: { cert_file: {S}, key_file: {S}, client_ca_file: {S}, {S}: {S} } }",
        "server: { tls: { cert_file: users.yaml, key_file: users.yaml, client_ca_file: users.yaml } }",
        "server: { tls: { cert_file: secret.pem, key_file: secret.pem, client_ca_file: secret.pem } }",
        "server: { limits: { connections: {S}, header_bytes: '1{S}', body_bytes: {S}, header_timeout: {S} } }",
        "server: { cors: { allow_origins: [{S}, 'https://{S}/'], allow_credentials: {S}, max_age: {S} } }",
        "admin: { listen: [{S}] }",
        "server_keys: {S}",
        "server_keys: [{S}]",
        "server_keys: [[{S}]]",
        "server_keys: [{ {S} }]",
        "server_keys: [{ env: {S} }]",
        "server_keys: [{ file: {S} }]",
        "server_keys: [{ value: {S} }]",
        "server_keys: [{ env: A, file: {S} }]",
        "server_keys: [{ env: { env: {S} } }]",
        "server_keys: ['${{S}}', '${{S} }', '${{S}', '${VARIABLE}', { env: VARIABLE }]",
        "data_dir: ${{S}}",
        "data_dir: ${VARIABLE}\0",
        "upstream: { url: 'http://u:{S}@h' }",
        "upstream: { url: {S}, authorization: {S}, identity_headers: { '{S} ': {S}, Host: {S} } }",
        "upstream: { url: ${VARIABLE} }",
        "upstream: { authorization: mint, mint: { algorithm: {S}, secret: {S}, key_file: {S}, audience: '{S}\\n', ttl: {S}, {S}: {S} } }",
        "upstream: { mint: { secret: {S} } }\npolicy: { routes: [{ path: /a, authorization: {S} }] }",
        "upstream: { url: 'https://{S}..', tls: { ca_file: {S}, cert_file: {S}, key_file: {S}, server_name: '{S} x' } }",
        "upstream: { keep_headers: ['{S} ', {S}], identity_header_bytes: {S}, http2: {S} }",
        "tokens: { keys: [{ algorithm: {S}, secret: {S} }] }",
        "tokens: { keys: [{ algorithm: ES256, secret: {S} }] }",
        "tokens: { keys: [{ algorithm: HS256, file: {S} }] }",
        "tokens: { keys: [{ secret: {S}, file: {S} }] }",
        "tokens: { issuer: '{S} x', access_ttl: {S}, scope_claim: {S}, claims: ['{S}\\n'], default_scopes: ['{S} x'] }",
        "tokens: { issuer: '{S}:x y' }",
        "tokens: null\ntrusted_issuers: {S}",
        "trusted_issuers: [{ issuer: 'https://u:{S}@h/', audience: ['{S}', '{S}'], jwks_url: 'http://{S}.example/', algorithms: [{S}, HS{S}] }]",
        "trusted_issuers: [{ issuer: {S}, audience: {S}, scope_claim: '{S}\\n', claims: { sub: {S}, '{S}\\n': {S}, {S}: ['{S}'] } }]",
        "trusted_issuers: [{ issuer: 'https://{S}', max_stale: {S}, token_types: [{S}], scopes: ['{S} x'], subject_prefix: '{S} x', ca_file: {S} }]",
        "clients: {S}",
        "clients: [{ id: '{S}:', secret_hash: {S}, grants: [{S}], scopes: ['{S} x'], default: {S} }]",
        "clients: [{ id: {S}, secret_hash: '$argon2id${S}', secret: {S} }, { id: {S}, secret_hash: '$sha256${S}' }]",
        "insecure: { http_issuers: {S}, {S}: {S} }",
        "users: { file: {S}, hashing: { queue: {S} }, throttle: { per_user: {S}, per_address: '10/{S}' } }",
        "users: { postgres: {S} }",
        "users: { postgres: { url: 'postgres://u:{S}@h:x/d', query: {S}, query_by_subject: {S}, rehash: {S}, pool: {S}, ca_file: {S}, {S}: 1 } }",
        "users: { postgres: { url: 'postgres://u@h/d?{S}={S}', query: '$1', connect_timeout: {S}, query_timeout: '1{S}' } }",
        "users: { postgres: { url: { env: VARIABLE }, query: '$1' } }",
        "store: {S}",
        "store: { redis: { password: {S} } }",
        "store: { redis: { url: 'redis://u:{S}%@h', username: '{S}\\n', password: {S}, prefix: '{{S}', mode: {S}, master: {S}, {S}: 1 } }",
        "store: { redis: { url: ['redis://u:{S}@h', 'redis://u:x@i'], wait_replicas: {S}, wait_timeout: {S}, ca_file: {S} } }",
        "store: { redis: { url: { env: VARIABLE }, username: {S} } }",
        "policy: { default: {S}, routes: [{ path: {S}, methods: [{S}], access: {S}, scopes: ['{S} {S}'] }] }",
        "policy: { resources: [{S}, '/{S}', '/{S}'], cors: {S}, streams: {S}, ignore_case: {S} }",
        "policy: { routes: [{ path: /a, cors: {S}, streams: {S}, encoded_slash: {S}, websocket_bearer: {S} }] }",
        "policy: { routes: [{ path: '/{{S}' }, { path: '/a/**/{S}' }, { path: '/%zz{S}' }] }",
        "policy: { routes: [{ path: '/{S}' }, { path: '/{S}' }] }",
        "endpoints: { token: {S}, prefix: {S}, introspect: {S}, userinfo: {S}, jwks: {S}, metadata: {S}, resource_metadata: {S} }",
        "wire: { challenge: {S}, realm: '{S}\"', query_tokens: {S}, token_error_status: {S}, insufficient_scope_status: {S} }",
        "profile: strict\ntokens: { audience: {S} }\nwire: { insufficient_scope_status: 401, realm: \"{S}\\n\" }",
        "telemetry: { log: {S}, access_log: {S} }",
        "{S}: 1\n{S}: 2",
        "server_keys:\n  - \"{S}",
        "server_keys:\n  - '{S}'{S}",
        "server_keys: [{S}",
        "server_keys: *{S}",
        "server_keys: &{S} [*{S}]",
        "server_keys: !{S} x",
        "server_keys: !<{S} x",
        "%{S} x",
        "server_keys: @{S}",
        "server_keys: \"\\q{S}\"",
        "server_keys: {S}: {S}: {S}",
        "\t{S}: {S}",
        "data_dir: a\n---\n{S}",
    ];
    for document in wrong_places {
        let document = document.replace("{S}", CANARY);
        let users = format!("- {document}\n- {{ username: [{CANARY}], password_hash: {CANARY}, {CANARY}: {CANARY} }}");
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("doorward.yaml");
        fs::write(&path, &document).unwrap();
        fs::write(folder.path().join("users.yaml"), users).unwrap();
        let pem = format!("-----BEGIN PRIVATE KEY-----\n{CANARY}\n-----END PRIVATE KEY-----\n");
        fs::write(folder.path().join("secret.pem"), pem).unwrap();
        fs::set_permissions(folder.path().join("secret.pem"), fs::Permissions::from_mode(0o600)).unwrap();
        let variable = |name: &str| (name == "VARIABLE").then(|| CANARY.to_owned());
        let problems = config::load(&path, &variable).unwrap_err();
        for shown in [problems.to_string(), format!("{problems:?}")] {
            assert!(!shown.contains(CANARY), "{document}\n{shown}");
        }
    }
}

#[test]
fn settings_show_no_secret() {
    let loaded = Case::read(&cases().join("fine-everything.yaml")).load().unwrap();
    let shown = format!("{loaded:?}");
    assert_eq!(loaded.settings.keys.len(), 4);
    assert_eq!(loaded.settings.server_keys.len(), 1);
    for secret in ["q7Zp0Xw3sV9a", "Zk9#vT2mQx7", "Zk9vT2mQx7db", "PRIVATE KEY", "$argon2id"] {
        assert!(!shown.contains(secret), "{shown}");
    }
}

#[test]
fn users_are_read_whole() {
    let loaded = Case::read(&cases().join("bad-hash.yaml")).load().unwrap();
    let Some([user]) = loaded.users.usable.as_deref() else { panic!("{:?}", loaded.users) };
    assert_eq!((user.username.as_str(), user.disabled), ("johndoe", false));
    assert_eq!(
        (user.scopes.to_string().as_str(), user.roles.as_slice()),
        ("me items", ["admin".to_owned()].as_slice())
    );
    assert_eq!((user.email.as_deref(), user.full_name.as_deref()), (Some("j@example.com"), Some("John Doe")));
    assert_eq!(serde_json::to_string(&user.claims).unwrap(), r#"{"tenant":"acme","ids":[1,2.5,null]}"#);
}

#[test]
fn every_file_read_is_watched() {
    let case = Case::read(&cases().join("fine-everything.yaml"));
    let (folder, loaded) = case.load_in_folder();
    let name = |(path, _): &config::look::Watched| path.strip_prefix(folder.path()).unwrap().display().to_string();
    let watched: BTreeSet<String> = loaded.unwrap().watched.iter().map(name).collect();
    let files = ["doorward.yaml", "linked.key", "ec.pem", "rsa.pem", "ed.pem"];
    let of_tls = ["tls.crt", "tls.pem", "ca.crt", "own.crt", "own.pem"];
    assert_eq!(watched, files.into_iter().chain(of_tls).map(str::to_owned).collect());
}

#[test]
fn what_needs_a_restart_is_named() {
    for (document, keys) in [
        ("", vec![]),
        ("tokens: { access_ttl: 1m }", vec![]),
        ("server: { listen: 127.0.0.1:8081 }", vec!["server.listen"]),
        ("server: { threads: 2 }", vec!["server.threads"]),
        ("server: { h2c: true, socket_mode: '0600' }", vec!["server.h2c", "server.socket_mode"]),
        ("server: { trusted_proxies: [unix], limits: { connections: 5 }, cors: { allow_origins: ['*'] } }", vec![]),
        ("policy: { ignore_case: true, cors: doorward, streams: keep }", vec![]),
        (
            "admin: { listen: 127.0.0.1:1 }\nstore: memory\ndata_dir: d\n\
             telemetry: { log: warn, format: json, access_log: false }",
            vec!["admin.listen", "data_dir", "store", "telemetry.log", "telemetry.format", "telemetry.access_log"],
        ),
    ] {
        let folder = TempDir::new().unwrap();
        let load = |more: &str| {
            let path = folder.path().join("doorward.yaml");
            fs::write(&path, format!("upstream: {{ url: http://127.0.0.1:8000 }}\n{more}")).unwrap();
            config::load(&path, &|_| None).unwrap().settings
        };
        assert_eq!(config::restart_needed(&load(""), &load(document)), keys, "{document}");
    }
}

/// The example is documentation, so it must say what holds: every key there is, each with its default.
#[test]
fn the_example_shows_every_key_with_its_default() {
    let text = fs::read_to_string(root().join("config.example.yaml")).unwrap();
    let example = load_alone(&text).unwrap();
    let minimal = load_alone("upstream: { url: http://127.0.0.1:8000 }\n").unwrap();
    assert_eq!(format!("{:#?}", example.settings), format!("{:#?}", minimal.settings));
    assert!(example.users.usable.is_none(), "somebody can log in with the example as it is");

    let mut shown = BTreeSet::new();
    leaves(&serde_yaml::from_str(&text).unwrap(), String::new(), &mut shown);
    // A document with routes, keys and TLS makes the reader ask for theirs too.
    let asked = Case::read(&cases().join("fine-everything.yaml")).load().unwrap().keys;
    for key in &asked {
        let is_section = asked.iter().any(|other| other.starts_with(&format!("{key}.")));
        let switched_off = shown.iter().find_map(|shown| key.strip_prefix(shown)?.strip_prefix('.'));
        match key.split_once("[].").map(|(_, member)| member).or(switched_off) {
            Some(member) => {
                let mentioned = text
                    .lines()
                    .any(|line| line.trim_start().starts_with('#') && line.contains(&format!("{member}: ")));
                assert!(mentioned, "the example's comments do not show `{key}`");
            }
            None => assert!(is_section || shown.contains(key), "the example does not show `{key}`"),
        }
    }
    for key in &shown {
        let of_a_map = key.starts_with("upstream.identity_headers.");
        assert!(of_a_map || asked.contains(key), "the example shows `{key}`, which nobody asks for");
    }
}

/// Paths of all keys whose value is no mapping; identity headers are one value.
fn leaves(value: &serde_yaml::Value, path: String, found: &mut BTreeSet<String>) {
    match value.as_mapping() {
        Some(mapping) if path != "upstream.identity_headers" => {
            for (key, value) in mapping {
                let key = key.as_str().unwrap();
                leaves(value, if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }, found);
            }
        }
        _ => {
            found.insert(path);
        }
    }
}

fn load_alone(text: &str) -> Result<Loaded, Problems> {
    // One folder for all, because the settings name it.
    static FOLDER: std::sync::OnceLock<TempDir> = std::sync::OnceLock::new();
    let path = FOLDER.get_or_init(|| TempDir::new().unwrap()).path().join("doorward.yaml");
    fs::write(&path, text).unwrap();
    config::load(&path, &|_| None)
}

fn case_files() -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = fs::read_dir(cases()).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "yaml"));
    files.sort();
    assert!(files.len() >= Code::ALL.len());
    files
}

fn cases() -> PathBuf {
    root().join("tests/cases/config")
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}
