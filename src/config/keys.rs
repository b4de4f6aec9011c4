//! `tokens.keys` and `server_keys`.

use super::code::Code;
use super::field::Field;
use super::section::Section;
use crate::base::Secret;
use crate::keys::{Algorithm, KeyError, SigningKey};

/// `tokens.keys`.
pub(super) fn keys(field: &Field<'_>) -> Vec<SigningKey> {
    let mut keys: Vec<SigningKey> = Vec::new();
    for item in field.list().unwrap_or_default() {
        let Some(key) = item.section(|section| key(&item, section)).flatten() else { continue };
        // One RSA key in two files, or written in two ways, has one key id: a token would not say which is meant.
        if keys.iter().any(|known| known.kid() == key.kid()) {
            let help = "give every key one purpose and one algorithm";
            item.refuse::<()>(Code::KeyReused, "holds a key that stands in the list already", help);
        } else {
            keys.push(key);
        }
    }
    keys
}

/// `server_keys`.
pub(super) fn server_keys(field: &Field<'_>) -> Vec<Secret> {
    field.list().unwrap_or_default().iter().filter_map(Field::key_secret).collect()
}

/// One of `{ file, algorithm }` and `{ algorithm: HS256, secret }`.
fn key(item: &Field<'_>, section: &Section<'_>) -> Option<SigningKey> {
    let words = Algorithm::ALL.map(|algorithm| (algorithm.name(), algorithm));
    let algorithm = section.field("algorithm").map(|field| (field.word(&words), field));
    let file = section.field("file");
    let secret = section.field("secret");
    match (file, secret, algorithm) {
        // An algorithm that is none is a problem by now, and the key cannot be judged without it.
        (_, _, Some((None, _))) => None,
        (Some(_), None, Some((Some(Algorithm::Hs256), field))) => field.refuse(
            Code::Contradiction,
            "is `HS256`, which takes a secret and no PEM",
            "write `{ algorithm: HS256, secret: { file: PATH } }`",
        ),
        (Some(file), None, algorithm) => pem(&file, algorithm.and_then(|(algorithm, _)| algorithm)),
        (None, Some(secret), None | Some((Some(Algorithm::Hs256), _))) => hmac(&secret),
        (None, Some(_), Some((_, field))) => field.refuse(
            Code::Contradiction,
            "takes a private key and no secret",
            "write `{ algorithm: …, file: key.pem }`",
        ),
        _ => item.refuse(
            Code::BadSecretSource,
            "has not exactly one of `file` and `secret`",
            "write `{ file: key.pem, algorithm: … }` or `{ algorithm: HS256, secret: … }`",
        ),
    }
}

fn hmac(field: &Field<'_>) -> Option<SigningKey> {
    let secret = field.key_secret()?;
    SigningKey::from_secret(&secret).or_else(|error| refuse(field, error)).ok()
}

fn pem(field: &Field<'_>, algorithm: Option<Algorithm>) -> Option<SigningKey> {
    let text = field.private_file()?;
    let key = SigningKey::from_pem(text.expose(), algorithm).or_else(|error| refuse(field, error)).ok()?;
    field.refuse_second_use(&text)?;
    Some(key)
}

fn refuse(field: &Field<'_>, error: KeyError) -> Result<SigningKey, ()> {
    let code = match error {
        KeyError::WeakSecret(_) => Code::WeakSecret,
        _ => Code::BadKey,
    };
    field.refuse::<()>(code, &format!("cannot be a key: {error}"), "make one with `doorward keygen`");
    Err(())
}
