//! `tokens.keys` and `server_keys`.

use super::code::Code;
use super::field::Field;
use super::section::Section;
use crate::base::Secret;
use crate::keys::{Algorithm, KeyError, KeyKind, SigningKey};

/// `tokens.keys`.
pub(super) fn keys(field: &Field<'_>) -> Vec<SigningKey> {
    let mut keys: Vec<SigningKey> = Vec::new();
    for item in field.list().unwrap_or_default() {
        let Some(key) = item.section(|section| key(&item, section, "file")).flatten() else { continue };
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

/// One of `{ file, algorithm }` and `{ algorithm: HS256, secret }`, or HMAC with a longer hash. `file_key` is what the first is called.
pub(super) fn key(item: &Field<'_>, section: &Section<'_>, file_key: &'static str) -> Option<SigningKey> {
    let words = Algorithm::ALL.map(|algorithm| (algorithm.name(), algorithm));
    let algorithm = section.nullable("algorithm").map(|field| (field.word(&words), field));
    let file = section.nullable(file_key);
    let secret = section.nullable("secret");
    match (file, secret, algorithm) {
        // An algorithm that is none is a problem by now, and the key cannot be judged without it.
        (_, _, Some((None, _))) => None,
        (Some(file), None, None) => pem(&file, None),
        (None, Some(secret), None) => hmac(&secret, Algorithm::Hs256),
        (Some(file), None, Some((Some(algorithm), field))) => match algorithm.kind() {
            KeyKind::Secret => field.refuse(
                Code::Contradiction,
                &format!("is `{}`, which takes a secret and no PEM", algorithm.name()),
                &format!("write `{{ algorithm: {}, secret: {{ file: PATH }} }}`", algorithm.name()),
            ),
            _ => pem(&file, Some(algorithm)),
        },
        (None, Some(secret), Some((Some(algorithm), field))) => match algorithm.kind() {
            KeyKind::Secret => hmac(&secret, algorithm),
            _ => field.refuse(
                Code::Contradiction,
                "takes a private key and no secret",
                &format!("write `{{ algorithm: …, {file_key}: key.pem }}`"),
            ),
        },
        _ => item.refuse(
            Code::BadSecretSource,
            &format!("has not exactly one of `{file_key}` and `secret`"),
            &format!("write `{{ {file_key}: key.pem, algorithm: … }}` or `{{ algorithm: HS256, secret: … }}`"),
        ),
    }
}

fn hmac(field: &Field<'_>, algorithm: Algorithm) -> Option<SigningKey> {
    let secret = field.key_secret()?;
    match SigningKey::hmac(&secret, algorithm) {
        Ok(key) => Some(key),
        Err(error) => {
            let help = format!("make one with `doorward keygen --alg {}`", algorithm.name());
            field.refuse(Code::WeakSecret, &format!("cannot be a key: {error}"), &help)
        }
    }
}

fn pem(field: &Field<'_>, algorithm: Option<Algorithm>) -> Option<SigningKey> {
    let text = field.private_file()?;
    let key = match SigningKey::from_pem(text.expose(), algorithm) {
        Ok(key) => key,
        Err(error) => {
            let (code, help) = judge(error);
            return field.refuse(code, &format!("cannot be a key: {error}"), help);
        }
    };
    field.refuse_second_use(&text)?;
    Some(key)
}

fn judge(error: KeyError) -> (Code, &'static str) {
    match error {
        KeyError::Encrypted => (
            Code::EncryptedKey,
            "take the password off: `openssl pkey -in FILE -out OTHER`; nobody else may read that one",
        ),
        KeyError::NotPrivate => (Code::PublicKey, "name the private key it was made from; doorward signs with it"),
        KeyError::WeakRsa => (Code::WeakRsa, "make one with `doorward keygen --alg RS256`"),
        KeyError::WrongCurve => {
            (Code::WrongCurve, "leave `algorithm` out, or make one with `doorward keygen --alg ES256`")
        }
        KeyError::NotPem | KeyError::Unreadable | KeyError::WrongAlgorithm(_) | KeyError::WeakSecret(_) => {
            (Code::BadKey, "make one with `doorward keygen`")
        }
    }
}
