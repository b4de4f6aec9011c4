//! Single values, each alone in its configuration.

use std::fs;
use std::path::PathBuf;

use doorward::config::{self, Code, Loaded, Problems};
use tempfile::TempDir;

use crate::case::Case;

/// Other files are taken over at a reload; a listener that changes from one to the other is not.
#[test]
fn tls_is_switched_by_a_restart_and_changed_by_a_reload() {
    let load = |server: &str| {
        let text = format!(
            "#! key one.pem ES256\n#! key two.pem ES256\n#! certificate one.crt one.pem 2000 2100\n\
             #! certificate two.crt two.pem 2000 2100\nupstream: {{ url: http://127.0.0.1:8000 }}\n\
             server: {{ {server} }}\n---\n"
        );
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("case.yaml");
        fs::write(&path, text).unwrap();
        let mut settings = Case::read(&path).load().unwrap().settings;
        settings.data_dir = PathBuf::new();
        settings
    };
    let plain = load("");
    let one = load("tls: { cert_file: one.crt, key_file: one.pem }");
    let two = load("tls: { cert_file: two.crt, key_file: two.pem, client_ca_file: one.crt }");
    assert_eq!(config::restart_needed(&plain, &one), ["server.tls"]);
    assert_eq!(config::restart_needed(&one, &plain), ["server.tls"]);
    assert!(config::restart_needed(&one, &two).is_empty());
    assert_ne!(one.server.tls, two.server.tls);
    assert_eq!(
        (plain.grants.issuer.as_str(), one.grants.issuer.as_str()),
        ("http://127.0.0.1:8080", "https://127.0.0.1:8080")
    );
}

/// What stands in the comment of a key, or of a section for all that is in it.
#[test]
fn the_example_marks_what_needs_a_restart() {
    let text = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/config.example.yaml")).unwrap();
    let (mut path, mut is_marked, mut marked) = (Vec::new(), false, Vec::new());
    for line in text.lines().skip_while(|line| line.starts_with('#')) {
        let key = line.trim_start();
        let depth = (line.len() - key.len()) / 2;
        match key.strip_prefix('#') {
            Some(comment) => is_marked |= comment.contains("(restart)"),
            None => {
                path.truncate(depth);
                path.extend(key.split_once(':').map(|(key, _)| key));
                if std::mem::take(&mut is_marked) {
                    marked.push(path.join("."));
                }
            }
        }
    }
    let expected = "server.listen server.socket_mode server.h2c server.tls server.threads admin.listen data_dir store \
                    telemetry.log telemetry.format telemetry.access_log";
    assert_eq!(marked.join(" "), expected);
}

/// One value at a time, where a list of them cannot be written.
#[test]
fn single_values_are_judged() {
    for (document, expected) in [
        ("socket_mode: \"0600\"", None),
        ("socket_mode: \"600\"", None),
        ("socket_mode: 0660", None),
        ("socket_mode: \"0770\"", None),
        ("socket_mode: 660", Some(Code::WrongType)),
        ("socket_mode: 0o660", Some(Code::WrongType)),
        ("socket_mode: \"0060\"", Some(Code::BadMode)),
        ("socket_mode: \"1660\"", Some(Code::BadMode)),
        ("socket_mode: \"0400\"", Some(Code::BadMode)),
        ("socket_mode: \"66\"", Some(Code::BadMode)),
        ("socket_mode: \"+660\"", Some(Code::BadMode)),
        ("socket_mode: \"00660\"", Some(Code::BadMode)),
        ("socket_mode: rw-rw----", Some(Code::BadMode)),
        ("threads: 0", Some(Code::OutOfRange)),
        ("threads: ~", None),
        ("tls: ~", None),
        ("limits: { header_bytes: 1023B }", Some(Code::OutOfRange)),
        ("limits: { header_bytes: 1KiB }", None),
        ("limits: { token_bytes: 33KiB }", Some(Code::Contradiction)),
        ("limits: { header_bytes: 64KiB, token_bytes: 64KiB }", None),
        ("limits: { body_bytes: 0B }", Some(Code::OutOfRange)),
        ("limits: { connections_per_address: ~, body_bytes: ~ }", None),
        ("cors: { allow_origins: [\"*\"] }", None),
        ("cors: { allow_origins: [~] }", Some(Code::WrongType)),
        ("cors: { allow_credentials: true }", None),
        ("trusted_proxies: ~", Some(Code::WrongType)),
        ("trusted_proxies: [10.0.0.0/8, \"fd00::/8\", 127.0.0.1, unix]", None),
    ] {
        let loaded = load(&format!("upstream: {{ url: http://127.0.0.1:8000 }}\nserver: {{ {document} }}\n"));
        let found = loaded.err().map(|problems| problems.iter().map(|problem| problem.code).collect::<Vec<_>>());
        assert_eq!(found, expected.map(|code| vec![code]), "{document}");
    }
}

#[test]
fn a_public_url_has_one_spelling() {
    for (written, taken) in [
        ("https://api.example.com", "https://api.example.com"),
        ("HTTPS://api.example.com/", "https://api.example.com"),
        ("http://api.example.com:8080/base/", "http://api.example.com:8080/base"),
    ] {
        let document = format!("upstream: {{ url: http://127.0.0.1:8000 }}\nserver: {{ public_url: '{written}' }}\n");
        assert_eq!(load(&document).unwrap().settings.server.public_url.as_deref(), Some(taken));
    }
}

#[test]
fn a_slip_is_told_its_cure() {
    for (document, cure) in [
        ("server: { listen: 8080 }", "`127.0.0.1:8080`"),
        ("server: { trusted_proxies: [10.1.2.3/8] }", "`10.0.0.0/8` for the whole network, or `10.1.2.3`"),
        ("server: { limits: { header_bytes: 32K } }", "`16KiB`"),
        ("server: { cors: { allow_origins: [https://a.example/] } }", "slash at the end"),
        ("server: { limits: { uri_bytes: 1MiB } }", "from `128B` to `32KiB`"),
    ] {
        let problems = load(&format!("upstream: {{ url: http://127.0.0.1:8000 }}\n{document}\n")).unwrap_err();
        let helps: Vec<&str> = problems.iter().map(|problem| problem.help.as_str()).collect();
        assert!(matches!(helps[..], [help] if help.contains(cure)), "{document}: {helps:?}");
    }
}

/// What README shows is copied, so its keys must be there; the files and the upstream that it leaves out need not.
#[test]
fn what_readme_shows_can_be_written() {
    let text = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")).unwrap();
    let blocks = text.split("```yaml\n").skip(1).map(|rest| rest.split("```").next().unwrap());
    let configurations: Vec<&str> = blocks.filter(|block| !block.starts_with('-')).collect();
    assert!(configurations.len() >= 6);
    for block in configurations {
        let problems = load(block).err();
        let codes: Vec<Code> = problems.iter().flatten().map(|problem| problem.code).collect();
        assert!(codes.iter().all(|code| matches!(code, Code::MissingKey | Code::Unreadable)), "{block}\n{codes:?}");
    }
}

fn load(text: &str) -> Result<Loaded, Problems> {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("doorward.yaml");
    fs::write(&path, text).unwrap();
    let variable = |name: &str| (name == "DATABASE_URL").then(|| "postgres://app@localhost/app".to_owned());
    config::load(&path, &variable)
}
