//! `tests/cases/vectors/passwords.yaml`.

use doorward::base::Secret;
use doorward::users::{StoredHash, Verdict};
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    by: String,
    password: String,
    hash: String,
}

fn written() -> Vec<Written> {
    serde_yaml::from_str(include_str!("../cases/vectors/passwords.yaml")).unwrap()
}

#[test]
fn hashes_of_other_libraries_fit_their_password_and_no_other() {
    let written = written();
    assert_eq!(written.len(), 37);
    for Written { by, password, hash } in written {
        let hash = StoredHash::parse(&hash).unwrap_or_else(|error| panic!("{by}: {error}"));
        assert_eq!(hash.verify(&Secret::new(password.as_str())), Verdict::Fits, "{by}");
        let shorter = password.strip_suffix(|_: char| true).unwrap_or("x").to_owned();
        for other in [format!("x{password}"), shorter, format!("{password}\0")] {
            assert_ne!(hash.verify(&Secret::new(other.as_str())), Verdict::Fits, "{by}: {other:?}");
        }
    }
}

/// A digest that was cut would be fitted by many passwords.
#[test]
fn what_is_cut_or_damaged_fits_nothing() {
    for Written { by, password, hash } in written() {
        if costs(&by) {
            continue;
        }
        let password = Secret::new(password.as_str());
        for end in 0..hash.len() {
            let (cut, _) = hash.split_at(end);
            let fits = StoredHash::parse(cut).is_ok_and(|cut| cut.verify(&password) == Verdict::Fits);
            assert!(!fits, "{by}: {cut}");
        }
        // All of these letters are the digest's.
        for place in hash.len() - 20..hash.len() {
            let mut damaged = hash.clone().into_bytes();
            damaged[place] = if damaged[place] == b'e' { b'm' } else { b'e' };
            let damaged = String::from_utf8(damaged).unwrap();
            let fits = StoredHash::parse(&damaged).is_ok_and(|hash| hash.verify(&password) == Verdict::Fits);
            assert!(!fits, "{by}: {damaged}");
        }
    }
}

/// Those with costs as libraries take them; a hundred of each would take long.
fn costs(by: &str) -> bool {
    by.ends_with("defaults")
}
