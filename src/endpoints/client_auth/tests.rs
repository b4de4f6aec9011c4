use super::*;

/// The bytes that real clients sent for these ids and secrets.
#[test]
fn every_encoding_has_its_reading() {
    for (sent, id, secret) in [
        // Swagger UI: raw UTF-8.
        ("Basic d2ViOnM6ZSVjICvDqQ==", "web", "s:e%c +é"),
        // Authlib and requests-oauthlib: Latin-1.
        ("Basic d2ViOnM6ZSVjIOkrcg==", "web", "s:e%c é+r"),
        ("Basic d2ViOnM6ZSVjIOk=", "web", "s:e%c é"),
        // openid-client: form-urlencoded, `-` and `_` too.
        ("Basic d2ViOnMlM0FlJTI1YyslQzMlQTklMkQlNUY=", "web", "s:e%c é-_"),
        // simple-oauth2: the same, these two kept.
        ("Basic d2ViOnMlM0FlJTI1YyslQzMlQTktXw==", "web", "s:e%c é-_"),
        // curl, and clients that leave the padding out.
        ("Basic d2ViOnMzY3JldA==", "web", "s3cret"),
        ("bAsIc   d2ViOnMzY3JldA ", "web", "s3cret"),
        ("Basic d2ViOg==", "web", ""),
        ("Basic OnM=", "", "s"),
    ] {
        let Some(Ok(pair)) = basic(sent.as_bytes()) else { panic!("{sent}") };
        let readings = pair.readings();
        assert!(readings.contains(&reading(id, secret)), "{sent}");
        assert!(readings.len() <= 3, "{sent}");
    }
}

#[test]
fn what_encodes_identically_is_checked_once() {
    let Some(Ok(pair)) = basic(b"Basic d2ViOnMzY3JldA==") else { panic!() };
    assert_eq!(pair.readings().len(), 1);
}

#[test]
fn what_is_no_pair_is_refused_and_what_is_nothing_is_nothing() {
    for (sent, expected) in [
        ("Basic Og==", None),
        ("Basic", None),
        ("Basic ", None),
        ("Bearer d2ViOnMzY3JldA==", None),
        ("Basically d2ViOnMzY3JldA==", None),
        ("", None),
        ("Basic !!!", Some(false)),
        ("Basic d2Vi", Some(false)),
        ("Basic d2Vi OnM=", Some(false)),
        ("Basic d2ViOnM-_w==", Some(false)),
        ("Basic d2ViOg==", Some(true)),
    ] {
        assert_eq!(basic(sent.as_bytes()).map(|pair| pair.is_ok()), expected, "{sent}");
    }
}
