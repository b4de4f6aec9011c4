use std::sync::LazyLock;

use serde_json::json;

use super::*;
use crate::endpoints::Forms;
use crate::grants::{Client, ClientRules, GrantKind, SecretHash};

const ISSUER: &str = "https://h.example/t1";

#[test]
fn only_what_is_served_is_listed() {
    let documents = documents(&settings(), &publication());
    let methods = json!(["client_secret_basic", "client_secret_post", "none"]);
    let oauth = json!({
        "issuer": ISSUER,
        "token_endpoint": "https://h.example/token",
        "token_endpoint_auth_methods_supported": methods,
        "grant_types_supported": ["password", "refresh_token"],
        "revocation_endpoint": "https://h.example/revoke-token",
        "revocation_endpoint_auth_methods_supported": methods,
        "introspection_endpoint": "https://h.example/introspect",
        "introspection_endpoint_auth_methods_supported": ["Bearer"],
        "userinfo_endpoint": "https://h.example/userinfo",
        "jwks_uri": "https://h.example/keys",
        "response_types_supported": [],
        "scopes_supported": ["items", "me"],
        "protected_resources": ["https://h.example", "https://h.example/mcp"],
    });
    assert_eq!(documents["/.well-known/oauth-authorization-server/t1"], (Endpoint::Metadata, oauth.clone()));
    let mut openid = oauth;
    openid["subject_types_supported"] = json!(["public"]);
    openid["id_token_signing_alg_values_supported"] = json!(["RS256"]);
    for path in ["/.well-known/openid-configuration/t1", "/t1/.well-known/openid-configuration"] {
        assert_eq!(documents[path], (Endpoint::Metadata, openid.clone()), "{path}");
    }

    let off = Settings { token: None, refresh: None, revoke: None, introspect: None, userinfo: None, ..settings() };
    let off = Settings { jwks: None, resource_metadata: None, ..off };
    let documents = self::documents(&off, &Publication { scopes: &ScopeSet::default(), ..publication() });
    let bare = json!({ "issuer": ISSUER, "response_types_supported": [] });
    assert_eq!(documents["/.well-known/oauth-authorization-server/t1"].1, bare);
    assert_eq!(documents.len(), 3);
}

#[test]
fn grants_and_methods_are_those_of_the_clients() {
    let client = |id: &str, secret: Option<SecretHash>, grants: &[GrantKind]| Client {
        id: id.to_owned(),
        secret,
        grants: grants.to_vec(),
        scopes: None,
        default: false,
    };
    let web = || client("web", None, &[GrantKind::RefreshToken, GrantKind::Password]);
    let svc = || client("svc", Some(SecretHash::Sha256([7; 32])), &[GrantKind::ClientCredentials]);
    for (clients, grants, methods) in [
        (vec![web()], json!(["password", "refresh_token"]), json!(["none"])),
        (vec![svc()], json!(["client_credentials"]), json!(["client_secret_basic", "client_secret_post"])),
        (
            vec![svc(), web()],
            json!(["password", "refresh_token", "client_credentials"]),
            json!(["client_secret_basic", "client_secret_post", "none"]),
        ),
    ] {
        let clients = Clients::new(clients, rules());
        let documents = documents(&settings(), &Publication { clients: &clients, ..publication() });
        let metadata = &documents["/.well-known/oauth-authorization-server/t1"].1;
        assert_eq!(metadata["grant_types_supported"], grants);
        assert_eq!(metadata["token_endpoint_auth_methods_supported"], methods);
        assert_eq!(metadata["revocation_endpoint_auth_methods_supported"], methods);
        let with_secret = methods.as_array().unwrap().iter().filter(|method| **method != "none");
        let asking: Vec<_> = with_secret.cloned().chain([json!("Bearer")]).collect();
        assert_eq!(metadata["introspection_endpoint_auth_methods_supported"], json!(asking), "never nothing");
    }
}

#[test]
fn without_public_keys_there_is_no_jwks_uri_and_the_set_is_empty() {
    let documents = documents(&settings(), &Publication { keys: &[], ..publication() });
    assert_eq!(documents["/keys"], (Endpoint::Jwks, json!({ "keys": [] })));
    assert_eq!(documents["/.well-known/oauth-authorization-server/t1"].1.get("jwks_uri"), None);
}

#[test]
fn who_issues_nothing_or_under_no_url_has_no_metadata() {
    let resource = |issuers: Value| {
        let mut members = json!({ "resource": "https://h.example", "bearer_methods_supported": ["header"] });
        if issuers != json!([]) {
            members["authorization_servers"] = issuers;
        }
        (Endpoint::ResourceMetadata, members)
    };
    for (issuer, trusted, issuers) in [
        (None, &[][..], json!([])),
        (None, &["https://idp.example/"], json!(["https://idp.example/"])),
        (
            Some("doorward"),
            &["https://idp.example/", "https://b.example"],
            json!(["https://idp.example/", "https://b.example"]),
        ),
    ] {
        let none = ScopeSet::default();
        let root = [Resource { path: String::new(), scopes: ScopeSet::default() }];
        let publication = Publication { issuer, trusted, scopes: &none, resources: &root, ..publication() };
        let documents = documents(&settings(), &publication);
        assert_eq!(documents["/.well-known/oauth-protected-resource"], resource(issuers));
        assert!(documents.values().all(|(endpoint, _)| *endpoint != Endpoint::Metadata), "{documents:?}");
    }
}

/// A client takes the first authorization server, and asks it for what doorward has not.
#[test]
fn a_resource_names_other_issuers_first_and_the_scopes_of_its_own_part() {
    let documents = documents(&settings(), &publication());
    let resource = |url: &str, scopes: &[&str]| {
        let members = json!({
            "resource": url,
            "authorization_servers": ["https://idp.example/", ISSUER],
            "scopes_supported": scopes,
            "bearer_methods_supported": ["header"],
        });
        (Endpoint::ResourceMetadata, members)
    };
    assert_eq!(documents["/.well-known/oauth-protected-resource"], resource("https://h.example", &["items", "me"]));
    assert_eq!(documents["/.well-known/oauth-protected-resource/mcp"], resource("https://h.example/mcp", &["items"]));
}

#[test]
fn behind_a_proxy_that_takes_a_path_off_addresses_have_it_and_paths_of_the_hosts_keep_it() {
    let documents = documents(&settings(), &Publication { public_url: "https://h.example/api/", ..publication() });
    assert_eq!(documents["/.well-known/oauth-protected-resource/api"].1["resource"], "https://h.example/api");
    assert_eq!(documents["/.well-known/oauth-protected-resource/api/mcp"].1["resource"], "https://h.example/api/mcp");
    let metadata = &documents["/.well-known/oauth-authorization-server/t1"].1;
    assert_eq!(metadata["token_endpoint"], "https://h.example/api/token");
    assert_eq!(metadata["issuer"], ISSUER);
}

#[test]
fn a_challenge_names_the_longest_resource_that_covers_the_path() {
    let none = ScopeSet::default();
    let paths = ["", "/mcp", "/mcp/a", "/Caf\u{e9}"];
    let resources = paths.map(|path| Resource { path: path.to_owned(), scopes: none.clone() });
    let root = "https://h.example/.well-known/oauth-protected-resource";
    let rendered = |settings: &Settings, ignore_case| {
        Documents::render(settings, &Publication { resources: &resources, ignore_case, ..publication() })
    };
    for (path, ignore_case, found) in [
        ("/", false, ""),
        ("/x", false, ""),
        ("/mcp", false, "/mcp"),
        ("/mcp/b", false, "/mcp"),
        ("/mcp/a", false, "/mcp/a"),
        ("/mcp/a/b", false, "/mcp/a"),
        ("/mcp/ab", false, "/mcp"),
        ("/mcpx", false, ""),
        ("/mc", false, ""),
        ("/caf\u{e9}", false, ""),
        ("/\u{e9}\u{e9}\u{e9}", false, ""),
        ("/MCP/A", false, ""),
        ("/MCP/A", true, "/mcp/a"),
    ] {
        let rendered = rendered(&settings(), ignore_case);
        assert_eq!(rendered.resource_metadata(path), Some(&*format!("{root}{found}")), "{path}");
    }
    let off = Settings { resource_metadata: None, ..settings() };
    assert_eq!(rendered(&off, false).resource_metadata("/mcp"), None);
}

fn documents(
    settings: &Settings,
    publication: &Publication<'_>,
) -> std::collections::BTreeMap<String, (Endpoint, Value)> {
    let rendered = Documents::render(settings, publication);
    let read = |(path, endpoint, document): &(String, Endpoint, Document)| {
        let reply = document.answer(&exchange());
        (path.clone(), (*endpoint, serde_json::from_slice(&reply.body).unwrap()))
    };
    let read: Vec<_> = rendered.rendered.iter().map(read).collect();
    let count = read.len();
    let read: std::collections::BTreeMap<_, _> = read.into_iter().collect();
    assert_eq!(read.len(), count, "a path twice");
    read
}

fn exchange() -> super::super::Exchange<'static> {
    super::super::Exchange {
        method: "GET",
        path: b"/",
        query: None,
        content_types: Vec::new(),
        content_encodings: Vec::new(),
        if_none_match: Vec::new(),
        authorizations: Vec::new(),
        credential: crate::gate::credential::Credential::None,
        token_bytes: 8192,
        is_from_page: false,
        body: zeroize::Zeroizing::default(),
        from: None,
    }
}

fn settings() -> Settings {
    Settings {
        token_aliases: Vec::new(),
        token: Some("/token".to_owned()),
        refresh: Some("/refresh-token".to_owned()),
        revoke: Some("/revoke-token".to_owned()),
        introspect: Some("/introspect".to_owned()),
        userinfo: Some("/userinfo".to_owned()),
        jwks: Some("/keys".to_owned()),
        metadata: Some("/.well-known/oauth-authorization-server".to_owned()),
        resource_metadata: Some("/.well-known/oauth-protected-resource".to_owned()),
        forms: Forms { multipart: true, json: true, query_tokens: true },
        implied_password_grant: true,
        realm: "doorward".to_owned(),
        failed_grant_is_401: false,
    }
}

fn publication() -> Publication<'static> {
    static SCOPES: LazyLock<ScopeSet> = LazyLock::new(|| ScopeSet::parse("items me").unwrap());
    static KEYS: LazyLock<[Map<String, Value>; 1]> =
        LazyLock::new(|| [[("kty".to_owned(), "OKP".into())].into_iter().collect()]);
    static RESOURCES: LazyLock<[Resource; 2]> = LazyLock::new(|| {
        let resource =
            |path: &str, scopes| Resource { path: path.to_owned(), scopes: ScopeSet::parse(scopes).unwrap() };
        [resource("", "items me"), resource("/mcp", "items")]
    });
    static CLIENTS: LazyLock<Clients> = LazyLock::new(|| Clients::new(Vec::new(), rules()));
    Publication {
        public_url: "https://h.example",
        issuer: Some(ISSUER),
        keys: &*KEYS,
        scopes: &SCOPES,
        clients: &CLIENTS,
        trusted: &["https://idp.example/"],
        resources: &*RESOURCES,
        ignore_case: false,
    }
}

fn rules() -> ClientRules {
    ClientRules {
        first_public_is_default: true,
        unknown_is_unnamed: true,
        tokens_name_client: true,
        implied: vec![GrantKind::Password, GrantKind::RefreshToken],
    }
}
