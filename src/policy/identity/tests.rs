use serde_json::{Value, json};

use super::*;

const FIXTURE: [(&str, &str); 3] = [("X-Auth-User", "sub"), ("x-auth-roles", "roles"), ("X_Auth.Issuer", "iss")];

const BUDGET: usize = 8 * 1024;

fn plan<'a>(identity: impl IntoIterator<Item = (&'a str, &'a str)>) -> HeaderPlan {
    let identity = identity.into_iter().collect();
    HeaderPlan::new(&HeaderSettings { identity, keep: &[], budget: BUDGET }).unwrap()
}

fn object(value: &Value) -> &Map<String, Value> {
    value.as_object().unwrap()
}

#[test]
fn every_spelling_of_a_protected_name_is_stripped() {
    let plan = plan(FIXTURE);
    // Configured names, however they and the configuration spell them.
    let ours = "X-Auth-User x-auth-user x-AuTh-UsEr X_Auth_User X_Auth-User X.Auth.User x-auth_user X-Auth-User. X~Auth~User \
        X!Auth|User _X-Auth-User HTTP_X_AUTH_USER http-x-auth-user HTTP.X.Auth.User_ X-AUTH-ROLES X-Auth-Issuer";
    let who = "X-Forwarded-User x_forwarded_user X-Forwarded-Email X-Forwarded-Groups X-Forwarded-Preferred-Username \
        X-Forwarded-Access-Token X-AUTH-REQUEST-USER X-Auth-Request-Email X-Auth-Request-Groups \
        X-Auth-Request-Preferred-Username X-Auth-Request-Access-Token x-jwt-payload X-Jwt-Claim-Foo Remote-User \
        Remote_Groups Remote-Name Remote.Email HTTP_REMOTE_USER X-Remote-User X-Remote-Extra-Scopes X-Goog-Authenticated-User-Email \
        X-Goog-Authenticated-User-Id x-goog-iap-jwt-assertion x-amzn-oidc-identity x-amzn-oidc-data \
        x-amzn-oidc-accesstoken X-MS-Client-Principal-Id X-MS-TOKEN-AAD-ID-TOKEN Cf-Access-Jwt-Assertion Cf-Access-Authenticated-User-Email X-Doorward-Scopes \
        x_doorward_anything";
    let connection = "X-Forwarded-For X_Forwarded_For X-Forwarded-Proto X-Forwarded-Host X-Forwarded-Method \
        X-Forwarded-Client-Cert Forwarded X-Real-IP True-Client-IP X-Client-IP CF-Connecting-IP CF-Connecting-IPv6 Remote-Addr \
        X-Envoy-External-Address Client-Cert Client-Cert-Chain X-Client-Cert X_SSL_CLIENT_VERIFY SSL_CLIENT_CERT X-SSL-Cert \
        X-Amzn-Mtls-Clientcert X-ARR-ClientCert X-Scheme Front-End-Https";
    let path_and_method = "X-Original-URL X-Rewrite-URL X-Forwarded-Uri X-Forwarded-Path X-Forwarded-Prefix \
        X-Original-Path X-Accel-Redirect X-HTTP-Method-Override X_HTTP_METHOD_OVERRIDE X-HTTP-Method X-Method-Override \
        x-envoy-original-path x-middleware-subrequest Proxy HTTP_PROXY SCRIPT_NAME \
        Path-Info X-Script-Name X-HTTP-Method_Override X-Host X-HTTP-Host-Override";
    let beside_ours = "X_Request_Id x-request_id X-Request-Id. HTTP_X_REQUEST_ID http_traceparent _traceparent Traceparent- tracestate_";
    for name in [ours, who, connection, path_and_method, beside_ours].into_iter().flat_map(|names| names.split(' ')) {
        assert!(plan.strips(name), "{name}");
    }
    assert!(plan.strips(&format!("x-forwarded-{}", "a".repeat(1_000))), "a name that is longer than the buffer");
    assert!(plan.strips(&format!("{0}x_auth_user{0}", ".".repeat(1_000))), "or would be");
}

#[test]
fn what_is_nobodys_identity_stays() {
    let plan = plan(FIXTURE);
    let names = "- Host Accept Authorization Cookie Connection User-Agent Content-Type Content-Length Origin X-Request-Id \
        Traceparent tracestate x-request-id X-Auth-Users X-Auth-Use XAuthUser X--Auth-User X-Auth X-Requested-With X-Goog-Api-Key \
        X-Amzn-Trace-Id Proxy-Authorization Sec-WebSocket-Protocol http HTTP2-Settings Remote X-Forwardedness \
        X-Goog-User-Project Client X-Client-Version X-Path-Info2 X-Envoy-Max-Retries CF-Ray";
    for name in names.split(' ').chain([""]) {
        assert!(!plan.strips(name), "{name}");
    }
    assert!(!plan.strips(&"a".repeat(1_000)));
    assert!(!plan.strips(&format!("x-auth-user{}", "a".repeat(1_000))));
}

#[test]
fn one_list_says_what_a_name_is_for() {
    for (name, purpose) in names::NAMES {
        assert_eq!(names::NAMES.iter().filter(|(other, _)| other == name).count(), 1, "{name}");
        assert_eq!((fold(name).as_str(), Purpose::of(name)), (*name, Some(*purpose)));
    }
    let plan = plan(FIXTURE);
    let whole = names::NAMES.iter().map(|(name, purpose)| ((*name).to_owned(), purpose));
    let begun = names::PREFIXES.iter().map(|(prefix, purpose)| (format!("{prefix}a"), purpose));
    for (name, purpose) in whole.chain(begun) {
        let passes = matches!(purpose, Purpose::Message | Purpose::Trace);
        assert_eq!(plan.strips(&name), !passes, "{name}");
        assert_eq!(plan.strips(&format!("HTTP_{name}")), *purpose != Purpose::Message, "HTTP_{name}");
    }
    for (name, purpose) in [
        ("X-Hostname", None),
        ("Proxy-Status", Some(Purpose::Message)),
        ("http_proxy", Some(Purpose::Target)),
        ("X_Forwarded_Prefix", Some(Purpose::Written)),
        ("X-Forwarded-Tenant", Some(Purpose::Identity)),
        ("X-Doorward-", Some(Purpose::Own)),
        ("X-Forwarded-", Some(Purpose::Written)),
    ] {
        assert_eq!(Purpose::of(name), purpose, "{name}");
    }
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
        let identity = names.iter().map(|name| (*name, "sub")).collect();
        let plan = HeaderPlan::new(&HeaderSettings { identity, keep: &[], budget: BUDGET });
        assert_eq!(plan.unwrap_err(), error, "{names:?}");
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
        let plan = plan([("X-C", "c"), ("X_Doorward_Scopes", "c")]);
        let values = plan.values(object(&claims)).unwrap();
        let get = |name: &str| values.iter().find(|(known, _)| *known == name).map(|(_, value)| value.as_str());
        assert_eq!(get("x-c"), header, "{claims}");
        assert_eq!(get("x_doorward_scopes"), scopes.or(header), "{claims}");
    }
}

#[test]
fn no_character_gets_through_that_ends_a_header() {
    let plan = plan([("X-C", "c"), ("X-L", "l"), ("X-O", "o")]);
    for letter in (0..=0x2FFF).filter_map(char::from_u32) {
        let claims =
            json!({ "c": format!("a{letter}b"), "l": [letter.to_string()], "o": { letter.to_string(): letter } });
        for (name, value) in plan.values(object(&claims)).unwrap() {
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
        let values = plan([("X-C", claim)]).values(object(&claims)).unwrap();
        assert_eq!(values.first().map(|(_, value)| value.as_str()), value, "`{claim}`");
        assert_eq!(values.len(), usize::from(value.is_some()));
    }
}

#[test]
fn all_claims_are_base64url_of_their_json() {
    let claims = json!({ "sub": "é\r\n", "z": 1, "a": 2 });
    let values = plan([("X-Jwt-Payload", "*")]).values(object(&claims)).unwrap();
    let decoded = crate::base::base64url::decode(&values[0].1).unwrap();
    assert_eq!(String::from_utf8(decoded).unwrap(), r#"{"sub":"é\r\n","z":1,"a":2}"#);
}

#[test]
fn over_the_budget_nothing_is_cut() {
    for budget in [100, 1_000, BUDGET] {
        let identity = vec![("X-A", "a"), ("X-B", "b")];
        let plan = HeaderPlan::new(&HeaderSettings { identity, keep: &[], budget }).unwrap();
        for (a, b, fits) in [(1, 1, true), (budget - 7, 1, true), (budget - 6, 1, false), (0, budget, false)] {
            let claims = json!({ "a": "x".repeat(a), "b": "y".repeat(b) });
            let values = plan.values(object(&claims));
            assert_eq!(values.as_ref().map(Vec::len), if fits { Ok(2) } else { Err(&TooLarge) }, "{budget} {a} {b}");
        }
        let claims = json!({ "a": "é".repeat(budget / 6 + 1) });
        assert_eq!(plan.values(object(&claims)), Err(TooLarge), "what counts is what is sent");
    }
}

#[test]
fn what_is_kept_is_kept_in_one_spelling() {
    let keep = ["X-Goog-IAP-JWT-Assertion".to_owned(), "X-Forwarded-Client-Cert".to_owned()];
    let planned =
        |keep: &[String]| HeaderPlan::new(&HeaderSettings { identity: FIXTURE.to_vec(), keep, budget: BUDGET });
    let plan = planned(&keep).unwrap();
    for (name, kept) in [
        ("x-goog-iap-jwt-assertion", true),
        ("X-GOOG-IAP-JWT-ASSERTION", true),
        ("x-forwarded-client-cert", true),
        ("x_goog_iap_jwt_assertion", false),
        ("x-goog-iap-jwt_assertion", false),
        ("http-x-goog-iap-jwt-assertion", false),
        ("x-goog-iap-jwt-assertion-", false),
        ("x-goog-iap-other", false),
        ("x-auth-user", false),
    ] {
        assert_eq!((plan.keeps(name), plan.strips(name)), (kept, true), "{name}");
    }
    for name in
        ["X-Auth-User", "x_auth_user", "X-Forwarded-For", "X-Real-IP", "forwarded", "X_Doorward_Scopes", "x-request-id"]
    {
        let error = planned(&[name.to_owned()]).unwrap_err();
        assert_eq!(error, InvalidHeader::Kept(name.to_owned()));
    }
    assert_eq!(planned(&["a b".to_owned()]).unwrap_err(), InvalidHeader::Name("a b".to_owned()));
}

/// What the top of the module says an upstream has to do.
fn decoded(value: &str) -> String {
    let mut bytes = Vec::new();
    let mut parts = value.split('%');
    bytes.extend_from_slice(parts.next().unwrap().as_bytes());
    for part in parts {
        let (digits, rest) = part.split_at(2);
        bytes.push(u8::from_str_radix(digits, 16).unwrap());
        bytes.extend_from_slice(rest.as_bytes());
    }
    String::from_utf8(bytes).unwrap()
}

#[test]
fn every_value_can_be_read_again() {
    let plan = plan([("X-C", "c"), ("X-Doorward-Scopes", "c")]);
    let pieces = [
        "", " ", "  ", "a", ",", "%", "%2C", "%0D%0A", "\r\n", "\0", "é", "\u{2028}", "\u{7f}", "\"", "\\", "\t",
        "a b", "{", "]", "null", "🦀",
    ];
    for first in pieces {
        for second in pieces {
            let texts = [first.to_owned(), second.to_owned(), format!("{first}{second}")];
            let nested =
                json!({ first: [second, { second: first }, null, 1.5, []], "k": { "deep": [first, [second]] } });
            let lists = [
                json!([first]),
                json!([first, second]),
                json!([first, [second, first], { second: first }, 7, true]),
                json!([[], {}, first]),
            ];
            let values = texts.iter().map(|text| json!(text)).chain([nested]).chain(lists);
            for value in values {
                let claims = json!({ "c": value });
                let headers: Vec<String> =
                    plan.values(object(&claims)).unwrap().into_iter().map(|(_, value)| value).collect();
                let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                let Some(items) = value.as_array() else {
                    assert!(
                        headers.iter().all(|header| decoded(header.trim()) == text(&value)),
                        "{value}: {headers:?}"
                    );
                    continue;
                };
                let texts: Vec<String> = items.iter().map(text).collect();
                let [commas, rest @ ..] = headers.as_slice() else { panic!("{value}") };
                assert_eq!(commas.trim().split(',').map(decoded).collect::<Vec<_>>(), texts, "{value}: {commas}");
                let texts: Vec<String> = texts.into_iter().filter(|text| !text.is_empty()).collect();
                match rest {
                    [blanks] => {
                        let found = blanks.trim().split(' ').map(decoded).collect::<Vec<_>>();
                        assert_eq!(found, texts, "{blanks}");
                    }
                    _ => assert!(texts.is_empty(), "{value}"),
                }
            }
        }
    }
}
