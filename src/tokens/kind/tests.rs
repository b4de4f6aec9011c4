use super::*;
use crate::base::json::object;

const MEMBERS: [&str; 5] = ["at_hash", "c_hash", "events", "cnf", "nonce"];

fn is(header: &str, claims: &str, rules: &IssuerRules) -> bool {
    is_access_token(&object(header.as_bytes()).unwrap(), &object(claims.as_bytes()).unwrap(), rules)
}

#[test]
fn the_header_names_a_kind_that_the_issuer_may_use() {
    use TokenType::{Absent, AccessToken, Jwt};
    for (typ, kind) in [
        (r#"{"typ":"at+jwt"}"#, Some(AccessToken)),
        (r#"{"typ":"AT+JWT"}"#, Some(AccessToken)),
        (r#"{"typ":"application/at+jwt"}"#, Some(AccessToken)),
        (r#"{"typ":"Application/AT+jwt"}"#, Some(AccessToken)),
        (r#"{"typ":"JWT"}"#, Some(Jwt)),
        (r#"{"typ":"jwt"}"#, Some(Jwt)),
        ("{}", Some(Absent)),
        (r#"{"typ":""}"#, None),
        (r#"{"typ":"absent"}"#, None),
        (r#"{"typ":null}"#, None),
        (r#"{"typ":["at+jwt"]}"#, None),
        (r#"{"typ":" at+jwt"}"#, None),
        (r#"{"typ":"application/jwt"}"#, None),
        (r#"{"typ":"application/application/at+jwt"}"#, None),
        (r#"{"typ":"id+jwt"}"#, None),
        (r#"{"typ":"dpop+jwt"}"#, None),
        (r#"{"typ":"logout+jwt"}"#, None),
        (r#"{"typ":"secevent+jwt"}"#, None),
        (r#"{"typ":"token-introspection+jwt"}"#, None),
    ] {
        for allowed in TokenType::ALL {
            let rules = IssuerRules { token_types: vec![allowed], ..IssuerRules::own("i") };
            assert_eq!(is(typ, "{}", &rules), kind == Some(allowed), "{typ} where {allowed:?} is allowed");
        }
    }
}

#[test]
fn claims_of_other_kinds_are_refused() {
    let own = IssuerRules::own("i");
    let foreign = IssuerRules { own: false, ..IssuerRules::own("i") };
    for rules in [&own, &foreign] {
        assert!(is("{}", r#"{"sub":"a","aud":"api","azp":"spa","auth_time":5,"sid":"s"}"#, rules));
        for name in MEMBERS {
            for value in ["\"x\"", "null", "{}"] {
                assert!(!is("{}", &format!(r#"{{"sub":"a","{name}":{value}}}"#), rules), "{name} {value}");
            }
        }
        for (claim, access) in [
            (r#""typ":"Bearer""#, true),
            (r#""typ":"bearer""#, true),
            (r#""typ":"ID""#, false),
            (r#""typ":"Refresh""#, false),
            (r#""typ":"Offline""#, false),
            (r#""typ":"Logout""#, false),
            (r#""typ":"verify-email""#, false),
            (r#""typ":null"#, false),
            (r#""typ":["Bearer"]"#, false),
            (r#""token_use":"access""#, true),
            (r#""token_use":"id""#, false),
            (r#""token_use":"refresh""#, false),
            (r#""token_use":5"#, false),
            (r#""token_type":"access""#, true),
            (r#""token_type":"Bearer""#, true),
            (r#""token_type":"refresh""#, false),
            (r#""token_type":"ID_token""#, false),
            (r#""type":"access""#, true),
            (r#""type":"employee""#, true),
            (r#""type":"refresh""#, false),
        ] {
            assert_eq!(is("{}", &format!("{{{claim}}}"), rules), access, "{claim}");
        }
    }
}

/// attacks.md J39: alone it is no proof, with the client as its audience it is.
#[test]
fn a_nonce_is_for_the_client_that_logged_in() {
    let foreign = IssuerRules { own: false, ..IssuerRules::own("i") };
    for (claims, access) in [
        (r#""aud":"api","azp":"spa""#, true),
        (r#""aud":["api","account"],"azp":"spa","typ":"Bearer""#, true),
        (r#""aud":"api","client_id":"spa""#, true),
        (r#""aud":"spa","azp":"spa""#, false),
        (r#""aud":["api","spa"],"azp":"spa""#, false),
        (r#""aud":["api","spa"],"azp":"other","client_id":"spa""#, false),
        (r#""aud":"spa","client_id":"spa""#, false),
        // Whose it is cannot be told.
        (r#""aud":"api""#, false),
        (r#""aud":["api"]"#, false),
        (r#""aud":[],"azp":"spa""#, false),
        (r#""azp":"spa""#, false),
    ] {
        let claims = format!(r#"{{"nonce":"n",{claims}}}"#);
        assert_eq!(is("{}", &claims, &foreign), access, "{claims}");
        assert!(!is("{}", &claims, &IssuerRules::own("i")), "own: {claims}");
    }
}
