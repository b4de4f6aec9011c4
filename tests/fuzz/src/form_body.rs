//! A form is read as everybody reads it, or not at all.

use doorward::endpoints::urlencoded;

use super::Target;

/// The body of a form.
pub const TARGET: Target = Target {
    name: "form_body",
    check: |data| property(data, read),
    planted: &[|data| property(data, planted), |data| property(data, keeps_plus)],
};

type Pairs = Vec<(String, String)>;

fn property(body: &[u8], read: fn(&[u8]) -> Option<Pairs>) {
    if let Some(pairs) = read(body) {
        let others: Pairs = url::form_urlencoded::parse(body).into_owned().collect();
        assert_eq!(pairs, others, "the usual decoder reads something else");
        for (name, value) in &pairs {
            let text = if name == "scope" { name.clone() } else { format!("{name}{value}") };
            assert!(text.bytes().all(|byte| byte >= 0x20), "a control character");
            assert!(!text.contains('\u{FFFD}') || contains(body, b"%EF%BF%BD"), "something was replaced");
        }
    }
    // What a client encodes arrives as it was.
    if let Ok(text) = str::from_utf8(body)
        && text.bytes().all(|byte| byte >= 0x20)
    {
        let encoded = url::form_urlencoded::Serializer::new(String::new()).append_pair("password", text).finish();
        assert_eq!(read(encoded.as_bytes()), Some(vec![("password".to_owned(), text.to_owned())]), "not what was sent");
    }
}

fn contains(body: &[u8], part: &[u8]) -> bool {
    let body = body.to_ascii_uppercase();
    body.windows(part.len()).any(|window| window == part)
        || body.windows(3).any(|window| window == "\u{FFFD}".as_bytes())
}

fn read(body: &[u8]) -> Option<Pairs> {
    urlencoded::pairs(body).ok()
}

/// Replaces what it cannot read: a password that arrives changed.
fn planted(body: &[u8]) -> Option<Pairs> {
    Some(url::form_urlencoded::parse(body).into_owned().collect())
}

/// Does not know that a plus is a blank.
fn keeps_plus(body: &[u8]) -> Option<Pairs> {
    let text = String::from_utf8(body.to_vec()).ok()?;
    read(text.replace('+', "%2B").as_bytes())
}
