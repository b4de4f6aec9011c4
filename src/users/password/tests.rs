use super::cost::TooCostly;
use super::{HashFailed, Scheme, StoredHash, Unusable, Verdict, hash};
use crate::base::Secret;

const SALT: &str = "c29tZXNhbHRzb21lc2FsdA";
const DIGEST: &str = "RdescudvJCsgt3ub+b7dWRWJTmaaJObG4nXfKkK6Z0A";
const BCRYPT: &str = "YLAWz9wr/4rptiDPHFSGK.TL5AxNNtjcU.P59UXL9Cyo4/rwOLYpq";

fn outcome(text: &str) -> Result<(), Unusable> {
    StoredHash::parse(text).map(drop)
}

#[test]
fn costs_are_bounded() {
    for (head, expected) in [
        ("$argon2id$v=19$m=19456,t=2,p=1$", Ok(())),
        ("$argon2i$v=19$m=65536,t=3,p=4$", Ok(())),
        ("$argon2d$v=16$m=65536,t=3,p=4$", Ok(())),
        ("$argon2id$v=19$m=1048576,t=4,p=16$", Ok(())),
        ("$argon2id$v=19$m=1048577,t=2,p=1$", Err(TooCostly::Argon2)),
        ("$argon2id$v=19$m=1048576,t=5,p=1$", Err(TooCostly::Argon2)),
        ("$argon2id$v=19$m=19456,t=4294967295,p=1$", Err(TooCostly::Argon2)),
        ("$argon2id$v=19$m=19456,t=2,p=17$", Err(TooCostly::Argon2)),
        ("$scrypt$ln=20,r=8,p=1$", Ok(())),
        ("$scrypt$ln=14,r=8,p=5$", Ok(())),
        ("$scrypt$ln=21,r=8,p=1$", Err(TooCostly::Scrypt)),
        ("$scrypt$ln=20,r=8,p=2$", Err(TooCostly::Scrypt)),
        ("$scrypt$ln=255,r=1,p=1$", Err(TooCostly::Scrypt)),
        ("$scrypt$ln=1,r=4294967295,p=4294967295$", Err(TooCostly::Scrypt)),
        ("$scrypt$ln=1,r=1,p=65537$", Err(TooCostly::Scrypt)),
        ("$pbkdf2-sha256$i=10000000,l=32$", Ok(())),
        ("$pbkdf2-sha256$10000000$", Ok(())),
        ("$pbkdf2-sha256$10000001$", Err(TooCostly::Pbkdf2)),
        ("$pbkdf2-sha256$4294967295$", Err(TooCostly::Pbkdf2)),
        // Two runs of SHA-1 for 32 bytes.
        ("$pbkdf2$i=5000000,l=32$", Ok(())),
        ("$pbkdf2$i=5000001,l=32$", Err(TooCostly::Pbkdf2)),
        ("$pbkdf2-sha512$i=2500000,l=32$", Ok(())),
        ("$pbkdf2-sha512$i=2500001,l=32$", Err(TooCostly::Pbkdf2)),
    ] {
        assert_eq!(outcome(&format!("{head}{SALT}${DIGEST}")), expected.map_err(Unusable::Cost), "{head}");
    }
    for (head, expected) in [
        ("$2b$16$", Ok(())),
        ("$2b$17$", Err(Unusable::Cost(TooCostly::Bcrypt))),
        ("bcrypt_sha256$$2b$31$", Err(Unusable::Cost(TooCostly::Bcrypt))),
    ] {
        assert_eq!(outcome(&format!("{head}{BCRYPT}")), expected, "{head}");
    }
}

#[test]
fn what_is_not_whole_is_refused() {
    for head in [
        "$argon2id$v=20$m=19456,t=2,p=1$",
        "$argon2id$v=19$m=19456,t=0,p=1$",
        "$argon2id$v=19$m=19456,t=2,p=1,data=c29tZXNhbHQ$",
        "$scrypt$ln=0,r=8,p=1$",
        "$scrypt$ln=14,r=0,p=1$",
        "$scrypt$ln=14,r=8,p=0$",
        "$scrypt$ln=256,r=8,p=1$",
        "$scrypt$ln=14,r=8$",
        "$scrypt$r=8,ln=14,p=1$",
        "$pbkdf2-sha256$0$",
        "$pbkdf2-sha256$+1000$",
        "$pbkdf2-sha256$01000$",
        "$pbkdf2-sha256$4294967296$",
        "$pbkdf2-sha256$$",
        "$pbkdf2-sha256$i=1000,l=31$",
        "$pbkdf2-sha256$i=1000,l=$",
        "$pbkdf2-sha512$i=1000$",
        "$pbkdf2-sha512$1000$",
        "pbkdf2_sha256$1000$",
        "scrypt$16384$8$5$",
        "bcrypt$",
        "bcrypt_sha256$",
        "argon2$",
        "$argon2id$",
        "$2b$",
        "$bcrypt-sha256$v=2,t=2b,r=12$",
    ] {
        assert_eq!(outcome(&format!("{head}{SALT}${DIGEST}")), Err(Unusable::Malformed), "{head}");
    }
    for text in [
        "",
        "$",
        "plain",
        "$2b$12",
        "$argon2id$v=19$m=19456,t=2,p=1",
        &format!("$2b$03${BCRYPT}"),
        &format!("$2b$32${BCRYPT}"),
        &format!("$2b$4${BCRYPT}"),
        &format!("$2b$04${BCRYPT}."),
        &format!("$2b$04${BCRYPT}\n"),
        &format!("bcrypt$$2x$04${BCRYPT}"),
        &format!("$pbkdf2-sha256$1000${SALT}$"),
        &format!("$pbkdf2-sha256$i=1000,l=0${SALT}$"),
        &format!("$scrypt$ln=14,r=8,p=1${SALT}$"),
        // The salt, a key here, could be written in another way.
        "$bcrypt-sha256$v=2,t=2b,r=4$0WTaXWMzXIXgaxLcyb6IWf$/CqHERWrIa70WkhEoRGsN0WWuBURHfS",
        &format!("$pbkdf2-sha256$1000${}${DIGEST}", SALT.repeat(30)),
    ] {
        assert_eq!(outcome(text), Err(Unusable::Malformed), "{text}");
    }
}

#[test]
fn other_schemes_are_unknown() {
    for text in [
        "$1$abcdefgh$TlrD52BZqTnUO8SR7DQ2v.",
        "$2$12$YLAWz9wr/4rptiDPHFSGK.TL5AxNNtjcU.P59UXL9Cyo4/rwOLYpq",
        "$2x$12$YLAWz9wr/4rptiDPHFSGK.TL5AxNNtjcU.P59UXL9Cyo4/rwOLYpq",
        "$6$rounds=5000$salt$digest",
        "$argon2x$v=19$m=19456,t=2,p=1$c29tZXNhbHQ$RdescudvJCsgt3ub",
        "$pbkdf2-md5$1000$c29tZXNhbHQ$RdescudvJCsgt3ub",
        "md5$seasalt$0cbc6611f5540bd0809a388dc95a615b",
        "unsalted_md5$$0cbc6611f5540bd0809a388dc95a615b",
        "{SSHA}$x",
    ] {
        assert_eq!(outcome(text), Err(Unusable::Scheme), "{text}");
    }
}

/// OWASP's least, and what comes next below it.
#[test]
fn weak_is_what_is_below_owasp() {
    for (head, weak) in [
        ("$argon2id$v=19$m=19456,t=2,p=1$", false),
        ("$argon2id$v=19$m=7168,t=5,p=1$", false),
        ("$argon2id$v=19$m=7168,t=4,p=1$", true),
        ("$argon2id$v=19$m=4096,t=64,p=1$", true),
        ("$scrypt$ln=16,r=8,p=1$", false),
        ("$scrypt$ln=15,r=8,p=1$", true),
        ("$pbkdf2-sha256$600000$", false),
        ("$pbkdf2-sha256$29000$", true),
        ("$pbkdf2$i=1300000,l=32$", false),
        ("$pbkdf2$i=1299999,l=32$", true),
        ("$pbkdf2-sha512$i=210000,l=32$", false),
        ("$pbkdf2-sha512$i=209999,l=32$", true),
    ] {
        assert_eq!(StoredHash::parse(&format!("{head}{SALT}${DIGEST}")).unwrap().is_weak(), weak, "{head}");
    }
    for (head, weak) in [("$2b$10$", false), ("$2b$09$", true)] {
        assert_eq!(StoredHash::parse(&format!("{head}{BCRYPT}")).unwrap().is_weak(), weak, "{head}");
    }
    for scheme in Scheme::ALL {
        let hash = scheme.hash(&Secret::new("x")).unwrap();
        assert!(!StoredHash::parse(&hash).unwrap().is_weak(), "{hash}");
    }
}

#[test]
fn new_hashes_are_read_again() {
    for scheme in Scheme::ALL {
        let made = scheme.hash(&Secret::new("pässword")).unwrap();
        assert_ne!(made, scheme.hash(&Secret::new("pässword")).unwrap(), "salted");
        let read = StoredHash::parse(&made).unwrap();
        assert_eq!(read.verify(&Secret::new("pässword")), Verdict::Fits, "{made}");
        assert_eq!(read.verify(&Secret::new("password")), Verdict::Differs, "{made}");
        assert_eq!(Scheme::from_name(scheme.name()), Some(scheme));
        assert_eq!(scheme.hash(&Secret::new("a\0b")), Err(HashFailed::Nul));
    }
    assert!(hash(&Secret::new("x")).unwrap().starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));
    assert_eq!(Scheme::Bcrypt.hash(&Secret::new("x".repeat(73))), Err(HashFailed::TooLong));
    assert!(Scheme::Bcrypt.hash(&Secret::new("x".repeat(72))).is_ok());
}

#[test]
fn what_memory_had_in_it_changes_no_hash() {
    let mut kept = Vec::new();
    // The second and third leave more behind than the next needs, and version 16 never adds to what is there.
    for (algorithm, version, params) in [
        ("argon2id", 19, "m=64,t=1,p=1"),
        ("argon2id", 19, "m=256,t=3,p=4"),
        ("argon2i", 19, "m=128,t=2,p=2"),
        ("argon2d", 19, "m=64,t=2,p=1"),
        ("argon2id", 16, "m=64,t=2,p=1"),
        ("argon2id", 19, "m=256,t=1,p=1"),
    ] {
        let read = StoredHash::parse(&format!("${algorithm}$v={version}${params}${SALT}${DIGEST}")).unwrap();
        let compute = |password: &[u8], kept: Option<&mut Vec<argon2::Block>>| {
            let mut output = [0; 32];
            read.function.compute(password, &read.salt, &mut output, kept).unwrap();
            output
        };
        for password in ["secret", "Secret"] {
            let fresh = compute(password.as_bytes(), None);
            assert_eq!(compute(password.as_bytes(), Some(&mut kept)), fresh, "{algorithm} {version} {params}");
            assert_eq!(compute(password.as_bytes(), Some(&mut kept)), fresh, "{algorithm} {version} {params}, again");
        }
        assert_eq!(read.verify_with(&Secret::new("secret"), Some(&mut kept)), Verdict::Differs);
    }
    assert_eq!(kept.len(), 256, "as much as the dearest took");
}

#[test]
fn a_decoy_costs_what_it_stands_for_and_fits_nothing() {
    for text in [
        format!("$argon2id$v=19$m=64,t=1,p=1${SALT}${DIGEST}"),
        format!("$scrypt$ln=4,r=8,p=1${SALT}${DIGEST}"),
        format!("$pbkdf2-sha256$10${SALT}${DIGEST}"),
        format!("$2b$04${BCRYPT}"),
    ] {
        let hash = StoredHash::parse(&text).unwrap();
        let (decoy, other) = (hash.decoy(), hash.decoy());
        assert!(decoy.price() == hash.price() && decoy != hash && decoy != other, "{text}");
        assert_eq!(decoy.verify(&Secret::new("x".repeat(72))), Verdict::Differs, "{text}");
    }
    let new = StoredHash::parse(&hash(&Secret::new("x")).unwrap()).unwrap();
    assert!(StoredHash::default_decoy().price() == new.price());
}

#[test]
fn nothing_of_a_hash_is_shown() {
    let hash = StoredHash::parse(&format!("$2b$04${BCRYPT}")).unwrap();
    assert_eq!(format!("{hash:?}"), "StoredHash { function: Bcrypt { cost: 4, before: Nothing }, .. }");
}
