use serde_json::json;

use super::*;

const FIXTURE: [(&str, &str); 3] = [("X-Auth-User", "sub"), ("x-auth-roles", "roles"), ("X_Auth.Issuer", "iss")];

#[test]
fn every_spelling_of_a_protected_name_is_stripped() {
    let plan = HeaderPlan::new(FIXTURE).unwrap();
    // Configured names, however they and the configuration spell them.
    let ours = "X-Auth-User x-auth-user x-AuTh-UsEr X_Auth_User X_Auth-User X.Auth.User x-auth_user X-Auth-User. X~Auth~User \
        X!Auth|User _X-Auth-User HTTP_X_AUTH_USER http-x-auth-user HTTP.X.Auth.User_ X-AUTH-ROLES X-Auth-Issuer";
    let who = "X-Forwarded-User x_forwarded_user X-Forwarded-Email X-Forwarded-Groups X-Forwarded-Preferred-Username \
        X-Forwarded-Access-Token X-AUTH-REQUEST-USER X-Auth-Request-Email X-Auth-Request-Groups \
        X-Auth-Request-Preferred-Username X-Auth-Request-Access-Token x-jwt-payload X-Jwt-Claim-Foo Remote-User \
        Remote_Groups Remote-Name Remote.Email HTTP_REMOTE_USER X-Goog-Authenticated-User-Email \
        X-Goog-Authenticated-User-Id x-goog-iap-jwt-assertion x-amzn-oidc-identity x-amzn-oidc-data \
        x-amzn-oidc-accesstoken Cf-Access-Jwt-Assertion Cf-Access-Authenticated-User-Email X-Doorward-Scopes \
        x_doorward_anything";
    let connection = "X-Forwarded-For X_Forwarded_For X-Forwarded-Proto X-Forwarded-Host X-Forwarded-Method \
        X-Forwarded-Client-Cert Forwarded X-Real-IP Client-Cert";
    let path_and_method = "X-Original-URL X-Rewrite-URL X-Forwarded-Uri X-Forwarded-Path X-Forwarded-Prefix \
        X-Original-Path X-Accel-Redirect X-HTTP-Method-Override X_HTTP_METHOD_OVERRIDE X-HTTP-Method X-Method-Override \
        x-envoy-original-path x-middleware-subrequest Proxy HTTP_PROXY";
    for name in [ours, who, connection, path_and_method].into_iter().flat_map(|names| names.split(' ')) {
        assert!(plan.strips(name), "{name}");
    }
    assert!(plan.strips(&format!("x-forwarded-{}", "a".repeat(1_000))), "a name that is longer than the buffer");
    assert!(plan.strips(&format!("{0}x_auth_user{0}", ".".repeat(1_000))), "or would be");
}

#[test]
fn what_is_nobodys_identity_stays() {
    let plan = HeaderPlan::new(FIXTURE).unwrap();
    let names = "- Host Accept Authorization Cookie Connection User-Agent Content-Type Content-Length Origin X-Request-Id \
        Traceparent X-Auth-Users X-Auth-Use XAuthUser X--Auth-User X-Auth X-Requested-With X-Goog-Api-Key \
        X-Amzn-Trace-Id Proxy-Authorization Sec-WebSocket-Protocol http HTTP2-Settings Remote X-Forwardedness";
    for name in names.split(' ').chain([""]) {
        assert!(!plan.strips(name), "{name}");
    }
    assert!(!plan.strips(&"a".repeat(1_000)));
    assert!(!plan.strips(&format!("x-auth-user{}", "a".repeat(1_000))));
}

#[test]
fn names_are_checked_once() {
    for (names, error) in [
        (&["X-User", "X-User"][..], InvalidHeader::Twice("X-User".to_owned())),
        (&["X-User", "x_user"], InvalidHeader::Twice("x_user".to_owned())),
        (&["X User"], InvalidHeader::Name("X User".to_owned())),
        (&["X-User:"], InvalidHeader::Name("X-User:".to_owned())),
        (&["X-User "], InvalidHeader::Name("X-User ".to_owned())),
        (&[""], InvalidHeader::Name(String::new())),
        (&["_"], InvalidHeader::Name("_".to_owned())),
        (&["X-Usér"], InvalidHeader::Name("X-Usér".to_owned())),
        (&[&"x".repeat(protected::NAME_LIMIT + 1)], InvalidHeader::Long),
    ] {
        assert_eq!(HeaderPlan::new(names.iter().map(|name| (*name, "sub"))).unwrap_err(), error, "{names:?}");
    }
}

#[test]
fn claims_become_visible_ascii() {
    for (value, header, scopes) in [
        (json!("alice"), Some("alice"), None),
        (json!("Alice A. \"Ace\" <a@x>"), Some("Alice A. \"Ace\" <a@x>"), None),
        (json!("a\r\nX-Auth-Roles: admin"), Some("a%0D%0AX-Auth-Roles: admin"), None),
        (json!("a\n"), Some("a%0A"), None),
        (json!("a\u{0}b"), Some("a%00b"), None),
        (json!("a\u{7f}b\u{85}\u{2028}"), Some("a%7Fb%C2%85%E2%80%A8"), None),
        (json!("Zoë"), Some("Zo%C3%AB"), None),
        (json!("100%"), Some("100%25"), None),
        (json!("%41"), Some("%2541"), None),
        (json!("  a b "), Some("%20%20a b%20"), None),
        (json!("\ta"), Some("%09a"), None),
        (json!("   "), Some("%20%20%20"), None),
        (json!(""), Some(""), None),
        (json!("a,b"), Some("a,b"), None),
        (json!(["ops", "admin"]), Some("ops,admin"), Some("ops admin")),
        (json!(["a,b", "c d", "é"]), Some("a%2Cb,c d,%C3%A9"), Some("a,b c%20d %C3%A9")),
        (json!([" a", "b "]), Some("%20a,b%20"), Some("%20a b%20")),
        (json!([1, true, null, {"k": [1, 2]}]), Some("1,true,{\"k\":[1%2C2]}"), Some("1 true {\"k\":[1,2]}")),
        (json!([]), None, None),
        (json!([null]), None, None),
        (json!(null), None, None),
        (json!(7), Some("7"), None),
        (json!(-1.5), Some("-1.5"), None),
        (json!(false), Some("false"), None),
        (json!({"b": 1, "a": ["é", "%"]}), Some("{\"b\":1,\"a\":[\"%C3%A9\",\"%25\"]}"), None),
    ] {
        let claims = json!({ "c": value });
        let plan = HeaderPlan::new([("X-C", "c"), ("X_Doorward_Scopes", "c")]).unwrap();
        let values = plan.values(claims.as_object().unwrap()).unwrap();
        let get = |name| values.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
        assert_eq!(get("x-c"), header, "{claims}");
        assert_eq!(get("x_doorward_scopes"), scopes.or(header), "{claims}");
    }
}

#[test]
fn no_character_gets_through_that_ends_a_header() {
    let plan = HeaderPlan::new([("X-C", "c"), ("X-L", "l"), ("X-O", "o")]).unwrap();
    for letter in (0..=0x2FFF).filter_map(char::from_u32) {
        let claims =
            json!({ "c": format!("a{letter}b"), "l": [letter.to_string()], "o": { letter.to_string(): letter } });
        for (name, value) in plan.values(claims.as_object().unwrap()).unwrap() {
            assert!(value.bytes().all(|byte| matches!(byte, 0x20..=0x7E)), "{name} {letter:?}: {value}");
            assert_eq!(value, value.trim(), "{name} {letter:?}");
            assert!(http::HeaderValue::from_str(&value).is_ok());
        }
    }
}

#[test]
fn a_claim_is_found_by_its_name_or_by_a_path() {
    let claims = json!({
        "sub": "alice",
        "a.b": "literal",
        "a": { "b": "nested", "c": { "d": "deep" }, "x.y": { "z": "dotted" } },
        "https://example.com/roles": ["r"],
        "gone": null,
        "n": { "m": null },
    });
    for (claim, value) in [
        ("sub", Some("alice")),
        ("a.b", Some("literal")),
        ("a.c.d", Some("deep")),
        ("a.x.y.z", Some("dotted")),
        ("https://example.com/roles", Some("r")),
        ("a.c.d.e", None),
        ("a.", None),
        (".a", None),
        (".", None),
        ("", None),
        ("sub.x", None),
        ("gone", None),
        ("n.m", None),
        ("missing", None),
    ] {
        let values = HeaderPlan::new([("X-C", claim)]).unwrap().values(claims.as_object().unwrap()).unwrap();
        assert_eq!(values.first().map(|(_, value)| value.as_str()), value, "`{claim}`");
        assert_eq!(values.len(), usize::from(value.is_some()));
    }
}

#[test]
fn all_claims_are_base64url_of_their_json() {
    let claims = json!({ "sub": "é\r\n", "z": 1, "a": 2 });
    let values = HeaderPlan::new([("X-Jwt-Payload", "*")]).unwrap().values(claims.as_object().unwrap()).unwrap();
    let decoded = crate::base::base64url::decode(&values[0].1).unwrap();
    assert_eq!(String::from_utf8(decoded).unwrap(), r#"{"sub":"é\r\n","z":1,"a":2}"#);
}

#[test]
fn over_the_budget_nothing_is_cut() {
    let plan = HeaderPlan::new([("X-A", "a"), ("X-B", "b")]).unwrap();
    for (a, b, fits) in [(1, 1, true), (BUDGET - 7, 1, true), (BUDGET - 6, 1, false), (0, BUDGET, false)] {
        let claims = json!({ "a": "x".repeat(a), "b": "y".repeat(b) });
        let values = plan.values(claims.as_object().unwrap());
        assert_eq!(values.as_ref().map(Vec::len), if fits { Ok(2) } else { Err(&TooLarge) }, "{a} {b}");
    }
    let claims = json!({ "a": "é".repeat(BUDGET / 6) });
    assert_eq!(plan.values(claims.as_object().unwrap()), Err(TooLarge), "what counts is what is sent");
}
