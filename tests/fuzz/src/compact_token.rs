//! A token that is taken apart has one spelling and one meaning.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use doorward::tokens::raw::RawToken;
use serde_json::{Map, Value};

use super::Target;

/// The whole token.
pub const TARGET: Target = Target {
    name: "compact_token",
    check: |data| property(data, read),
    planted: &[|data| property(data, planted), |data| property(data, takes_padding)],
};

/// Header and payload.
type Parts = [Map<String, Value>; 2];

fn property(data: &[u8], read: fn(&str) -> Option<Parts>) {
    let Ok(text) = str::from_utf8(data) else { return };
    let Some(parts) = read(text) else { return };
    let segments: Vec<&str> = text.split('.').collect();
    assert_eq!(segments.len(), 3, "another number of parts");
    for segment in &segments {
        let bytes = URL_SAFE_NO_PAD.decode(segment).expect("base64url");
        assert_eq!(URL_SAFE_NO_PAD.encode(bytes), **segment, "another spelling of the same bytes");
    }
    assert!(!segments[2].is_empty(), "no signature");
    for (place, part) in parts.iter().enumerate() {
        let text = URL_SAFE_NO_PAD.decode(segments[place]).expect("base64url");
        assert_eq!(
            serde_json::from_slice::<Map<String, Value>>(&text).ok().as_ref(),
            Some(part),
            "read as something else"
        );
        // With one of its members once more it would mean two things.
        if let Some(name) = part.keys().next() {
            let text = String::from_utf8(text).expect("JSON");
            let twice = text.replacen('{', &format!("{{{}:0,", Value::from(name.as_str())), 1);
            let mut segments: Vec<String> = segments.iter().map(|segment| (*segment).to_owned()).collect();
            segments[place] = URL_SAFE_NO_PAD.encode(twice);
            assert!(read(&segments.join(".")).is_none(), "a member that stands twice is taken");
        }
    }
}

fn read(text: &str) -> Option<Parts> {
    let token = RawToken::parse(text).ok()?;
    Some([token.header().clone(), token.unverified_claims().clone()])
}

/// Reads JSON as most libraries do: the last of two members wins.
fn planted(text: &str) -> Option<Parts> {
    let mut segments = text.split('.');
    let mut part = || serde_json::from_slice(&URL_SAFE_NO_PAD.decode(segments.next()?).ok()?).ok();
    let parts = [part()?, part()?];
    let signature = segments.next().filter(|signature| !signature.is_empty())?;
    (URL_SAFE_NO_PAD.decode(signature).is_ok() && segments.next().is_none()).then_some(parts)
}

/// Decodes as most libraries do, padding and all.
fn takes_padding(text: &str) -> Option<Parts> {
    read(&text.replace('=', ""))
}
