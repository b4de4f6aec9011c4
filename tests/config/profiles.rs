//! The table of differences between the profiles, and what is made of it.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::fs;

use doorward::config::{DIFFERENCES, Difference, beyond_strict};

use crate::{load_alone, root};

/// `UPDATE_GOLDEN=1` writes it.
#[test]
fn the_page_is_the_table() {
    let path = root().join("docs/profiles.md");
    let page = page();
    if std::env::var("UPDATE_GOLDEN").is_ok_and(|said| said == "1") {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, &page).unwrap();
    }
    let found = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        found == page,
        "docs/profiles.md is not what the table in src/config/profile.rs says: \
         `UPDATE_GOLDEN=1 cargo test --test config the_page_is_the_table` writes it"
    );
}

#[test]
fn rows_are_told_apart_and_say_all() {
    let names: BTreeSet<&str> = DIFFERENCES.iter().map(|row| row.name).collect();
    assert_eq!(names.len(), DIFFERENCES.len(), "two rows have one name");
    for Difference { name, compat, strict, source, .. } in DIFFERENCES {
        for words in [compat, strict] {
            assert!(words.ends_with('.') && !words.contains('|'), "{name}: no sentence for a table: {words}");
        }
        assert!(source.starts_with("RFC "), "{name}: {source}");
    }
}

/// A key that says otherwise is one that there is.
#[test]
fn knobs_are_keys() {
    let text = "upstream: { url: http://127.0.0.1:8000 }\nclients: [{ id: web }]\n";
    let keys = load_alone(text).unwrap().keys;
    for knob in DIFFERENCES.iter().filter_map(|row| row.knob) {
        assert!(keys.contains(knob), "{knob} is no key");
    }
}

#[test]
fn what_goes_beyond_strict_depends_on_the_configuration() {
    const ALL_BUT: &str =
        "grant-type multipart json query-tokens password-grant audience typ token-types refresh-grace";
    for (document, names) in [
        ("", ALL_BUT),
        (
            "clients: [{ id: web }]",
            "grant-type multipart json query-tokens default-client unknown-client unnamed-client password-grant audience \
             typ token-types refresh-grace",
        ),
        (
            "clients: [{ id: web, default: true, grants: [password] }]\n\
             tokens: { audience: [api], typ: at+jwt }\nwire: { query_tokens: false, insufficient_scope_status: 401 }",
            "grant-type multipart json unknown-client unnamed-client token-types insufficient-scope",
        ),
        (
            "clients: [{ id: svc, secret_hash: $sha256$t2mEBg6sQDGLk5hIl8AGvUFVkjksVGY7yAe6zUQH4Ow, grants: [client_credentials] }]\n\
             endpoints: { refresh: null, revoke: null }",
            "multipart audience typ token-types",
        ),
        (
            "tokens: null\ntrusted_issuers: [{ issuer: 'https://a.example/', audience: [api] }]",
            "multipart json query-tokens",
        ),
        (STRICT, ""),
        (
            "profile: strict\ntokens: { audience: [api], typ: JWT, refresh_grace: 5s }\nwire: { query_tokens: true }\n\
             clients: [{ id: web, grants: [password, refresh_token] }]",
            "query-tokens typ refresh-grace",
        ),
    ] {
        let loaded = load_alone(&format!("upstream: {{ url: http://127.0.0.1:8000 }}\n{document}\n"));
        let settings = loaded.unwrap_or_else(|problems| panic!("{document}\n{problems}")).settings;
        let found: Vec<&str> = beyond_strict(&settings).map(|row| row.name).collect();
        assert_eq!(found.join(" "), names, "{document}");
    }
}

/// Whatever compat adds anywhere, strict has none of it.
#[test]
fn every_row_is_in_some_configuration_of_compat() {
    let documents = ["", "clients: [{ id: web }]", "wire: { insufficient_scope_status: 401 }"];
    let found: BTreeSet<&str> = documents
        .iter()
        .flat_map(|document| {
            let loaded = load_alone(&format!("upstream: {{ url: http://127.0.0.1:8000 }}\n{document}\n")).unwrap();
            beyond_strict(&loaded.settings).map(|row| row.name).collect::<Vec<_>>()
        })
        .collect();
    assert_eq!(found, DIFFERENCES.iter().map(|row| row.name).collect());
}

/// As short as a configuration of `strict` that logs users in can be.
const STRICT: &str =
    "profile: strict\ntokens: { audience: [api] }\nclients: [{ id: web, grants: [password, refresh_token] }]";

fn page() -> String {
    let mut page = PREFACE.to_owned();
    for Difference { name, compat, strict, source, knob, .. } in DIFFERENCES {
        let knob = knob.map_or_else(|| "none".to_owned(), |knob| format!("`{knob}`"));
        let _ = writeln!(page, "| {name} | {compat} | {strict} | {knob} | {source} |");
    }
    page + EPILOGUE
}

const PREFACE: &str = "\
# `profile: compat` and `profile: strict`

With `compat`, the default, clients and applications written for the FastAPI tutorials work unchanged. With `strict`, doorward keeps to
the letter of the RFCs and of OAuth's best current practice (RFC 9700). This page has every difference; all else is the same.

`doorward check` ends with those of them that a configuration has. A key in the fourth column says otherwise under either profile.

<!-- Made of the table in src/config/profile.rs; a test compares the two and says how to write this page anew. -->

| name | compat | strict | key | strict follows |
|---|---|---|---|---|
";

const EPILOGUE: &str = "
A configuration of `strict` that logs users in:

```yaml
profile: strict
upstream: { url: http://127.0.0.1:8000 }
tokens:
  audience: [https://api.example.com]     # an application that checks tokens itself must be told it
clients:
  - { id: web, grants: [password, refresh_token] }
```

A change of the profile takes effect with a reload. Sessions go on if their client is still registered; access tokens issued before are refused with `strict` if they have
the type `JWT` or no `aud`, and the next refresh gives one that passes.
";
