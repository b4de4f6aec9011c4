use super::*;
use crate::tokens::ClaimPath;

fn read(members: &str) -> Result<Claims, Malformed> {
    read_by(&IssuerRules::own("i"), members)
}

fn read_by(rules: &IssuerRules, members: &str) -> Result<Claims, Malformed> {
    let text = format!(r#"{{"iss":"i","sub":"s"{members}}}"#);
    Claims::read(crate::base::json::object(text.as_bytes()).map_err(|_| Malformed)?, rules)
}

fn mapped(claims: &[(&str, &str)]) -> IssuerRules {
    let claims = claims.iter().map(|(ours, theirs)| ((*ours).to_owned(), ClaimPath::new(*theirs))).collect();
    IssuerRules { own: false, claims, ..IssuerRules::own("i") }
}

#[test]
fn dates_are_numbers_of_sane_size() {
    for (exp, seconds) in [
        ("9999999999", Some(9_999_999_999)),
        ("1700000000.5", Some(1_700_000_000)),
        ("0", Some(0)),
        ("-1", None),
        ("\"9999999999\"", None),
        ("null", None),
        ("true", None),
        ("[]", None),
        ("{}", None),
        ("1e309", None),
        ("1e50", None),
        ("9.9e18", None),
        ("1700000000000", None),
        ("18446744073709551616", None),
    ] {
        let read = read(&format!(r#","exp":{exp}"#)).ok().map(|claims| claims.expires_at.seconds());
        assert_eq!(read, seconds, "{exp}");
    }
    assert!(read("").is_err(), "exp is needed");
    assert_eq!(read(r#","exp":5,"jti":"""#).unwrap().token_id, None);
}

#[test]
fn wrong_types_are_never_absent() {
    for members in [
        r#""nbf":"1""#,
        r#""iat":null"#,
        r#""jti":5"#,
        r#""sid":[]"#,
        r#""client_id":{}"#,
        r#""aud":5"#,
        r#""aud":["a",5]"#,
        r#""aud":[["a"]]"#,
    ] {
        assert!(read(&format!(r#","exp":5,{members}"#)).is_err(), "{members}");
    }
}

/// attacks.md J45: one blank splits and nothing else does; one claim counts and no other adds to it.
#[test]
fn scopes_come_from_one_claim_and_blanks_only() {
    for (path, claims, scopes) in [
        ("scope", r#""scope":"me items""#, "me items"),
        ("scope", r#""scope":["me","items",5,null,["admin"],{"admin":1}]"#, "me items"),
        ("scope", r#""scope":["me items"]"#, ""),
        ("scope", r#""scope":"read\tadmin""#, ""),
        ("scope", r#""scope":"read\nadmin""#, ""),
        ("scope", r#""scope":"read\u00a0admin""#, ""),
        ("scope", r#""scope":"read,admin""#, "read,admin"),
        ("scope", r#""scope":" admin""#, "admin"),
        ("scope", r#""scope":"me  items ""#, "me items"),
        ("scope", r#""scope":"me \"admin\" items""#, "me items"),
        ("scope", r#""scope":5"#, ""),
        ("scope", r#""scope":true"#, ""),
        ("scope", r#""scope":{"admin":true}"#, ""),
        ("scope", r#""x":1"#, ""),
        ("scope", r#""scope":"me","scp":"admin","scopes":["admin"],"permissions":["admin"]"#, "me"),
        ("scp", r#""scope":"admin","scp":["me","items"]"#, "me items"),
        ("scp", r#""scope":"admin","scp":"me items""#, "me items"),
        ("scp", r#""scope":"admin""#, ""),
        ("permissions", r#""scope":"openid","permissions":["read:items"]"#, "read:items"),
        ("realm_access.roles", r#""scope":"openid","realm_access":{"roles":["me","items"]}"#, "me items"),
        ("realm_access.roles", r#""realm_access":{"roles":"me"},"realm_access.roles":"items""#, "items"),
        ("realm_access.roles", r#""realm_access":["roles"]"#, ""),
        ("resource_access.my.api.roles", r#""resource_access":{"my.api":{"roles":["me"]}}"#, "me"),
        ("https://example.com/roles", r#""https://example.com/roles":["me"]"#, "me"),
    ] {
        let rules = IssuerRules { scope_claim: ClaimPath::new(path), ..IssuerRules::own("i") };
        let read = read_by(&rules, &format!(r#","exp":5,{claims}"#)).unwrap();
        assert_eq!(read.scopes.to_string(), scopes, "{path} of {claims}");
        let all = read.all.read();
        let shown = all.get("scope").and_then(Value::as_str).unwrap_or_default();
        assert_eq!(shown, scopes, "what the upstream sees: {path} of {claims}");
    }
}

#[test]
fn an_issuer_grants_no_more_than_it_may() {
    for (limit, granted) in [
        (None, "read admin Read read:items"),
        (Some("read"), "read"),
        (Some("read:items write"), "read:items"),
        (Some("write"), ""),
        (Some(""), ""),
    ] {
        let scopes = limit.map(|limit| ScopeSet::parse(limit).unwrap());
        let rules = IssuerRules { scopes, scope_claim: ClaimPath::new("scp"), ..IssuerRules::own("i") };
        let members = r#","exp":5,"scp":["read","admin","Read","read:items"],"scope":"admin""#;
        let claims = read_by(&rules, members).unwrap();
        assert_eq!(claims.scopes.to_string(), granted, "{limit:?}");
        assert_eq!(claims.all.read().get("scope").and_then(Value::as_str).unwrap_or_default(), granted, "{limit:?}");
    }
}

#[test]
fn ours_is_what_the_issuer_has_under_its_own_name() {
    for (claims, token, ours) in [
        (&[("tenant", "org_id")][..], r#""org_id":"acme""#, r#"{"org_id":"acme","tenant":"acme"}"#),
        // Whoever may set a claim called so at the issuer is not of that tenant for it.
        (&[("tenant", "org_id")], r#""tenant":"acme""#, "{}"),
        (&[("tenant", "org_id")], r#""tenant":"acme","org_id":"b""#, r#"{"tenant":"b","org_id":"b"}"#),
        (&[("a", "b"), ("b", "a")], r#""a":1,"b":2"#, r#"{"a":2,"b":1}"#),
        (
            &[("roles", "realm_access.roles")],
            r#""realm_access":{"roles":["x"]}"#,
            r#"{"realm_access":{"roles":["x"]},"roles":["x"]}"#,
        ),
        (
            &[("roles", "https://e.com/roles")],
            r#""https://e.com/roles":["x"]"#,
            r#"{"https://e.com/roles":["x"],"roles":["x"]}"#,
        ),
    ] {
        let read = read_by(&mapped(claims), &format!(r#","exp":5,{token}"#)).unwrap();
        let mut all = read.all.read();
        all.retain(|name, _| !["iss", "sub", "exp"].contains(&name.as_str()));
        assert_eq!(Value::Object(all).to_string(), ours, "{claims:?} of {token}");
    }
    let client = read_by(&mapped(&[("client_id", "azp")]), r#","exp":5,"azp":"spa","client_id":"x""#).unwrap();
    assert_eq!(client.client.as_deref(), Some("spa"));
    assert!(read_by(&mapped(&[("client_id", "azp")]), r#","exp":5,"azp":5"#).is_err(), "no text");
}

#[test]
fn nothing_takes_the_place_of_a_fixed_claim() {
    let members = r#","aud":"api","exp":5,"nbf":4,"iat":3,"jti":"j","sid":"d","cnf":1,"scope":"me","evil":"admin""#;
    let plain = read(members).unwrap();
    for name in FIXED {
        let read = read_by(&mapped(&[(name, "evil")]), members).unwrap();
        assert_eq!(read, plain, "{name}");
    }
}

#[test]
fn a_user_is_named_behind_the_issuers_prefix() {
    let rules = IssuerRules { subject_prefix: "b|".to_owned(), ..mapped(&[("name", "sub")]) };
    let claims = read_by(&rules, r#","exp":5"#).unwrap();
    assert_eq!((&*claims.subject, claims.user()), ("s", "b|s"));
    let all = claims.all.read();
    assert_eq!(all.get("sub").and_then(Value::as_str), Some("b|s"));
    assert_eq!(all.get("iss").and_then(Value::as_str), Some("i"));
    assert_eq!(all.keys().map(String::as_str).collect::<Vec<_>>(), ["iss", "sub", "exp", "name"], "in their order");
    assert_eq!(read(r#","exp":5"#).unwrap().user(), "s");
}

#[test]
fn a_user_who_lost_something_is_shown_without_it_wherever_it_stands() {
    let scopes = ScopeSet::parse("me items more").unwrap();
    let roles = |names: &str| names.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    for (list, members, held, shown) in [
        // What the user has is all there.
        (false, r#""scope":"me items","roles":["a"]"#, ("me items more", "a b"), None),
        (true, r#""scopes":["me","items"]"#, ("me items", ""), None),
        (false, r#""scope":"me items","roles":["a","b"]"#, ("me", "b c"), Some(r#"{"scope":"me","roles":["b"]}"#)),
        (false, r#""scope":"me","roles":["a"]"#, ("me", ""), Some(r#"{"scope":"me"}"#)),
        (false, r#""scope":"me","roles":["a"],"name":"x""#, ("", "a"), Some(r#"{"roles":["a"],"name":"x"}"#)),
        (true, r#""scopes":["me","items"]"#, ("me", ""), Some(r#"{"scopes":["me"],"scope":"me"}"#)),
        (true, r#""scopes":["items"]"#, ("me", ""), Some(r#"{"scopes":[]}"#)),
        // Not as doorward writes them: nobody knows what they would mean to the application.
        (false, r#""scope":"me","roles":"a""#, ("me", "a"), Some(r#"{"scope":"me"}"#)),
        (false, r#""scope":"me","roles":["a",["a"],1]"#, ("me", "a"), Some(r#"{"scope":"me","roles":["a"]}"#)),
    ] {
        let scope_claim = ClaimPath::new(if list { "scopes" } else { "scope" });
        let claims =
            read_by(&IssuerRules { scope_claim, ..IssuerRules::own("i") }, &format!(r#","exp":5,{members}"#)).unwrap();
        assert!(scopes.contains_all(&claims.scopes));
        let (held_scopes, held_roles) = (ScopeSet::parse(held.0).unwrap(), roles(held.1));
        let held = Held { scopes: &held_scopes, roles: &held_roles };
        assert_eq!(claims.within(held), shown.is_none(), "{members} {held:?}");
        let Some(shown) = shown else { continue };
        let mut all = claims.held(held).all.read();
        all.retain(|name, _| !["iss", "sub", "exp"].contains(&name.as_str()));
        assert_eq!(Value::Object(all), serde_json::from_str::<Value>(shown).unwrap(), "{members} {held:?}");
        assert!(claims.held(held).within(held));
    }
}
