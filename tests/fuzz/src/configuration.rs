//! A configuration is read the same way every time, nothing in it is passed over, and no secret comes to light.

use std::fs;
use std::path::Path;

use doorward::config;

use super::Target;

/// The text of the configuration.
pub const TARGET: Target = Target {
    name: "configuration",
    check: |data| property(data, load),
    planted: &[|data| property(data, planted), |data| property(data, talkative)],
};

/// The problems, one a line, or none.
type Answer = Result<(), String>;

fn property(text: &[u8], load: fn(&[u8], &Path) -> Answer) {
    let folder = tempfile::tempdir().expect("a folder");
    let answer = load(text, folder.path());
    assert_eq!(load(text, folder.path()), answer, "read again it is another");
    match answer {
        Err(problems) => {
            assert!(!problems.is_empty(), "refused without a word");
            assert!(!problems.contains(CANARY), "a value of the environment is shown");
        }
        Ok(()) => {
            let more = [text, b"\nno_such_key_as_this: 1\n"].concat();
            assert!(load(&more, folder.path()).is_err(), "a key that is not known is passed over");
        }
    }
}

fn load(text: &[u8], folder: &Path) -> Answer {
    let path = folder.join("doorward.yaml");
    fs::write(&path, text).expect("written");
    config::load(&path, &|_| Some(CANARY.to_owned())).map(drop).map_err(|problems| problems.to_string())
}

/// Takes what it knows and drops the rest.
fn planted(text: &[u8], folder: &Path) -> Answer {
    let Ok(serde_yaml::Value::Mapping(mut known)) = serde_yaml::from_slice(text) else { return load(text, folder) };
    known.retain(|key, _| key.as_str() != Some("no_such_key_as_this"));
    load(serde_yaml::to_string(&known).expect("a mapping").as_bytes(), folder)
}

/// Quotes what it refuses.
fn talkative(text: &[u8], folder: &Path) -> Answer {
    load(text, folder).map_err(|problems| problems + &String::from_utf8_lossy(text).replace("${A}", CANARY))
}

const CANARY: &str = "q7Zr2Kx9-canary-Lm4Tv8Wb1Yc6Hd3N";
