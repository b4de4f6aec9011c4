use super::super::tests::{set, source};
use super::*;
use crate::base::Secret;

const NOW: Timestamp = Timestamp::from_seconds(1_700_000_000);
const ISSUER: &str = "https://issuer.example/";

fn keys(secrets: &[&str]) -> Arc<ServerKeys> {
    let secrets: Vec<_> = secrets.iter().map(|secret| Secret::new(secret.repeat(32))).collect();
    Arc::new(ServerKeys::new(&secrets).unwrap())
}

#[test]
fn a_file_is_for_this_user_alone_and_says_what_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let kept = LastGood::new(dir.path(), keys(&["k"]));
    assert_eq!(kept.load(&source(ISSUER)).unwrap(), None);
    kept.save(&source(ISSUER), &set(&["a"]), NOW).unwrap();
    kept.save(&source(ISSUER), &set(&["b"]), NOW).unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&dir.path().join("issuers")), mode(&kept.path(ISSUER))), (0o700, 0o600));
    let loaded = kept.load(&source(ISSUER)).unwrap().unwrap();
    assert_eq!((loaded.jwks.as_bytes(), loaded.fetched_at()), (&set(&["b"])[..], NOW));
    let files: Vec<_> = fs::read_dir(dir.path().join("issuers")).unwrap().collect();
    assert_eq!(files.len(), 1, "nothing is left over");
}

#[test]
fn only_a_file_written_under_one_of_the_server_keys_is_believed() {
    let dir = tempfile::tempdir().unwrap();
    LastGood::new(dir.path(), keys(&["k"])).save(&source(ISSUER), &set(&["a"]), NOW).unwrap();
    for (secrets, believed) in [(&["k"][..], true), (&["n", "k"], true), (&["n"], false)] {
        let loaded = LastGood::new(dir.path(), keys(secrets)).load(&source(ISSUER));
        assert_eq!(loaded.is_ok(), believed, "{secrets:?}");
    }
}

#[test]
fn one_issuers_file_is_not_believed_of_another() {
    let dir = tempfile::tempdir().unwrap();
    let kept = LastGood::new(dir.path(), keys(&["k"]));
    kept.save(&source(ISSUER), &set(&["a"]), NOW).unwrap();
    let victim = "https://victim.example/";
    fs::copy(kept.path(ISSUER), kept.path(victim)).unwrap();
    assert!(matches!(kept.load(&source(victim)), Err(NotKept::Another)));
}

/// Opening a FIFO waits for a writer: the start would wait with it.
#[test]
fn what_is_no_file_is_not_waited_for() {
    let dir = tempfile::tempdir().unwrap();
    let kept = LastGood::new(dir.path(), keys(&["k"]));
    fs::create_dir(dir.path().join("issuers")).unwrap();
    let path = kept.path(ISSUER);
    assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success());
    assert!(matches!(kept.load(&source(ISSUER)), Err(NotKept::NoFile)));
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    assert!(matches!(kept.load(&source(ISSUER)), Err(NotKept::NoFile)));
}

/// As after a kill between the writing and the renaming.
#[test]
fn an_unfinished_file_changes_nothing_and_is_removed() {
    let dir = tempfile::tempdir().unwrap();
    let kept = LastGood::new(dir.path(), keys(&["k"]));
    kept.save(&source(ISSUER), &set(&["a"]), NOW).unwrap();
    let unfinished = |issuer| dir.path().join("issuers").join(unfinished(issuer) + "x1");
    let other = "https://other.example/";
    for issuer in [ISSUER, other] {
        fs::write(unfinished(issuer), r#"{"issuer":"#).unwrap();
    }
    assert!(kept.load(&source(ISSUER)).unwrap().is_some());
    kept.tidy(ISSUER);
    assert!(!unfinished(ISSUER).exists());
    assert!(unfinished(other).exists(), "it may be being written");
    assert!(kept.load(&source(ISSUER)).unwrap().is_some());
}

#[test]
fn a_disk_that_does_not_take_it_is_an_error_and_no_more() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("issuers"), "a file where the directory should be").unwrap();
    let kept = LastGood::new(dir.path(), keys(&["k"]));
    assert!(kept.save(&source(ISSUER), &set(&["a"]), NOW).is_err());
    assert!(kept.load(&source(ISSUER)).is_err());
    assert!(kept.save(&source(ISSUER), b"\xff", NOW).is_err());
}
