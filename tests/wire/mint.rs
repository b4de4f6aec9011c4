//! Tokens that doorward did not issue: good ones, and every bad one that a case describes.

use std::sync::OnceLock;

use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
use aws_lc_rs::rsa::KeyPair;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _};
use aws_lc_rs::{digest, hmac, rand, signature};
use doorward::base::{Secret, base64url};
use doorward::keys::{Algorithm, SigningKey, pem};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::text::Words;

/// The secret of the base configuration's HS256 key.
pub(crate) const SECRET: &str = "kJ7vQ2xW9pLmZ4tR8sYbN3cF6hD5gA1e";
/// Its issuer.
pub(crate) const ISSUER: &str = "https://auth.example.com";

/// A token. Everything that is not said is as doorward itself would write it.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Mint {
    /// Merged into the header.
    header: Map<String, Value>,
    /// Merged into the claims.
    claims: Map<String, Value>,
    /// Members of header and claims that are left out.
    without: Vec<String>,
    /// The header or the claims, literally.
    header_text: Option<String>,
    claims_text: Option<String>,
    key: Key,
    /// The algorithm of the signature, where it is not the key's.
    sign: Option<Sign>,
    /// Put together from `<h>`, `<p>` and `<s>`; `<s~>` is the signature with a bit set that base64url has no use for, `<s+>`
    /// the signature in the alphabet with `+` and `/`, and with one of the two in it.
    shape: Option<String>,
}

/// Which key signs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Key {
    /// The base configuration's.
    #[default]
    Hs,
    /// The files `rs.pem` and `es.pem` beside the configuration.
    Rs,
    Es,
    /// The other issuer's, under the names it publishes them by.
    Theirs,
    TheirsToo,
    /// Keys nobody configured.
    OtherHs,
    OtherEs,
    /// The text of `rs.pem`'s public key, or its DER, as if it were a secret.
    PublicPem,
    PublicDer,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
enum Sign {
    HS256,
    HS384,
    HS512,
    RS512,
    /// No signature.
    Nothing,
    /// The key's own in DER (RFC 3279 §2.2.3), as other protocols write ECDSA's.
    Der,
    /// 64 zero bytes (attacks.md J27).
    Zeros,
}

impl Mint {
    pub(crate) fn write(&self, words: &Words) -> String {
        loop {
            let (header, payload, signature) = self.parts(words);
            let shape = self.shape.as_deref().unwrap_or("<h>.<p>.<s>");
            let respelled = signature.replace('-', "+").replace('_', "/");
            if shape.contains("<s+>") && respelled == signature {
                continue;
            }
            let odd = with_a_bit_more(&signature);
            let parts =
                [("<h>", &header), ("<p>", &payload), ("<s>", &signature), ("<s~>", &odd), ("<s+>", &respelled)];
            return parts.into_iter().fold(shape.to_owned(), |text, (place, part)| text.replace(place, part));
        }
    }

    fn parts(&self, words: &Words) -> (String, String, String) {
        let own = self.key.signing();
        let mut header = json!({ "alg": own.algorithm().name(), "typ": "JWT", "kid": own.kid() });
        let mut claims = json!({
            "iss": ISSUER, "sub": "johndoe", "exp": words.now + 900, "iat": words.now,
            "jti": base64url::encode(doorward::base::entropy::random::<16>()), "client_id": "public", "scope": "me items",
        });
        if let Some(kid) = self.key.name() {
            header["kid"] = kid.into();
            claims["iss"] = words.fill("{{other}}").into();
            claims["aud"] = "api".into();
        }
        merge(&mut header, &self.header, &self.without, words);
        merge(&mut claims, &self.claims, &self.without, words);
        let literal = |text: &Option<String>, value: Value| {
            base64url::encode(text.as_ref().map_or_else(|| value.to_string(), |text| words.fill(text)))
        };
        let (header, payload) = (literal(&self.header_text, header), literal(&self.claims_text, claims));
        let signed = format!("{header}.{payload}");
        let signature = base64url::encode(self.sign(signed.as_bytes()));
        (header, payload, signature)
    }

    fn sign(&self, message: &[u8]) -> Vec<u8> {
        let mac = |algorithm, secret: &[u8]| hmac::sign(&hmac::Key::new(algorithm, secret), message).as_ref().to_vec();
        match self.sign {
            Some(Sign::Nothing) => Vec::new(),
            Some(Sign::Zeros) => vec![0; 64],
            Some(Sign::Der) => in_der(&self.key.signing().sign(message).unwrap()),
            Some(Sign::HS256) => mac(hmac::HMAC_SHA256, &self.key.secret()),
            Some(Sign::HS384) => mac(hmac::HMAC_SHA384, &self.key.secret()),
            Some(Sign::HS512) => mac(hmac::HMAC_SHA512, &self.key.secret()),
            Some(Sign::RS512) => {
                let pair = rsa();
                let mut signed = vec![0; pair.public_modulus_len()];
                let random = rand::SystemRandom::new();
                pair.sign(&signature::RSA_PKCS1_SHA512, &random, message, &mut signed).unwrap();
                signed
            }
            None => match self.key {
                Key::PublicPem | Key::PublicDer => mac(hmac::HMAC_SHA256, &self.key.secret()),
                key => key.signing().sign(message).unwrap(),
            },
        }
    }
}

impl Key {
    /// What the other issuer calls it.
    fn name(self) -> Option<&'static str> {
        match self {
            Self::Theirs => Some("one"),
            Self::TheirsToo => Some("two"),
            _ => None,
        }
    }

    /// The key, or the one whose name it takes.
    fn signing(self) -> SigningKey {
        let of_pem = |text: &str, algorithm| SigningKey::from_pem(text.as_bytes(), Some(algorithm)).unwrap();
        match self {
            Self::Hs => SigningKey::from_secret(&Secret::new(SECRET)).unwrap(),
            Self::OtherHs => SigningKey::from_secret(&Secret::new("zQ8wX1cV5bN7mK3jH9gF2dS6aP4oI0uY")).unwrap(),
            Self::Rs | Self::PublicPem | Self::PublicDer => of_pem(rs_pem(), Algorithm::Rs256),
            Self::Es => of_pem(es_pem(), Algorithm::Es256),
            Self::Theirs => of_pem(generated(Algorithm::Es256, &THEIRS), Algorithm::Es256),
            Self::TheirsToo => of_pem(generated(Algorithm::EdDsa, &THEIRS_TOO), Algorithm::EdDsa),
            Self::OtherEs => of_pem(generated(Algorithm::Es256, &OTHER_ES), Algorithm::Es256),
        }
    }

    fn secret(self) -> Vec<u8> {
        let der = || AsDer::<PublicKeyX509Der<'_>>::as_der(rsa().public_key()).unwrap().as_ref().to_vec();
        match self {
            Self::PublicDer => der(),
            Self::PublicPem => ::pem::encode(&::pem::Pem::new("PUBLIC KEY", der())).into_bytes(),
            _ => SECRET.as_bytes().to_vec(),
        }
    }
}

/// What the other issuer answers: its two keys, and some that nothing may be verified with.
pub(crate) fn published() -> Vec<u8> {
    let ecdsa = EcdsaKeyPair::from_private_key_der(&ECDSA_P256_SHA256_FIXED_SIGNING, &der(Key::Theirs)).unwrap();
    let (x, y) = ecdsa.public_key().as_ref()[1..].split_at(32);
    let (x, y) = (base64url::encode(x), base64url::encode(y));
    let ed = Ed25519KeyPair::from_pkcs8_maybe_unchecked(&der(Key::TheirsToo)).unwrap();
    let weak = base64url::encode([0xFD; 128]);
    let set = json!({ "keys": [
        { "kty": "EC", "crv": "P-256", "x": x, "y": y, "kid": "one", "use": "sig" },
        { "kty": "OKP", "crv": "Ed25519", "x": base64url::encode(ed.public_key().as_ref()), "kid": "two", "alg": "EdDSA" },
        { "kty": "RSA", "n": weak, "e": "AQAB", "kid": "weak" },
        { "kty": "EC", "crv": "P-256", "x": x, "y": y, "kid": "encrypts", "use": "enc" },
        { "kty": "EC", "crv": "P-384", "x": x, "y": y, "kid": "another-curve", "alg": "ES256" },
        { "kty": "oct", "k": base64url::encode(SECRET), "kid": "secret", "alg": "HS256" },
    ] });
    let set = set.to_string();
    format!("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{set}", set.len())
        .into_bytes()
}

fn der(key: Key) -> Vec<u8> {
    let text = if key == Key::Theirs {
        generated(Algorithm::Es256, &THEIRS)
    } else {
        generated(Algorithm::EdDsa, &THEIRS_TOO)
    };
    ::pem::parse(text).unwrap().into_contents()
}

/// `SEQUENCE { r INTEGER, s INTEGER }`.
fn in_der(fixed: &[u8]) -> Vec<u8> {
    let integer = |half: &[u8]| {
        let digits: Vec<u8> = half.iter().copied().skip_while(|byte| *byte == 0).collect();
        let sign = usize::from(digits.first().is_some_and(|byte| *byte > 0x7F));
        [&[2, u8::try_from(digits.len() + sign).unwrap()], &[0][..sign], &digits].concat()
    };
    let (r, s) = fixed.split_at(fixed.len() / 2);
    let both = [integer(r), integer(s)].concat();
    [&[0x30, u8::try_from(both.len()).unwrap()][..], &both].concat()
}

/// The next letter in place of the last one, of whose six bits two or four belong to no byte.
fn with_a_bit_more(text: &str) -> String {
    let Some((rest, last)) = text.split_at_checked(text.len().saturating_sub(1)) else { return text.to_owned() };
    let next = ALPHABET.find(last).and_then(|at| ALPHABET.get(at + 1..at + 2)).unwrap_or(last);
    format!("{rest}{next}")
}

const ALPHABET: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

fn merge(base: &mut Value, more: &Map<String, Value>, without: &[String], words: &Words) {
    let members = base.as_object_mut().unwrap();
    for (name, value) in more {
        members.insert(name.clone(), words.fill_json(value));
    }
    members.retain(|name, _| !without.contains(name));
}

/// The claims of a token, whoever signed it.
pub(crate) fn claims_of(token: &str) -> Option<Value> {
    let payload = base64url::decode(token.split('.').nth(1)?).ok()?;
    serde_json::from_slice(&payload).ok()
}

/// The header of a token, whoever signed it.
pub(crate) fn header_of(token: &str) -> Option<Value> {
    serde_json::from_slice(&base64url::decode(token.split('.').next()?).ok()?).ok()
}

pub(crate) fn rs_pem() -> &'static str {
    generated(Algorithm::Rs256, &RS)
}

pub(crate) fn es_pem() -> &'static str {
    generated(Algorithm::Es256, &ES)
}

/// A member of the public half of `rs.pem` or `es.pem`, as `rs.n` or `es.kid`: worked out here, not by what is tested.
pub(crate) fn public_member(name: &str) -> Option<String> {
    let (n, e) = (|| rsa().public_key().modulus().big_endian_without_leading_zero().to_vec(), [1, 0, 1]);
    let (x, y) = (|| es_point()[1..33].to_vec(), || es_point()[33..].to_vec());
    let thumbprint = |json: String| base64url::encode(digest::digest(&digest::SHA256, json.as_bytes()));
    let encode = |octets: Vec<u8>| base64url::encode(octets);
    Some(match name {
        "rs.n" => encode(n()),
        "rs.e" => encode(e.to_vec()),
        "rs.kid" => thumbprint(format!(r#"{{"e":"{}","kty":"RSA","n":"{}"}}"#, encode(e.to_vec()), encode(n()))),
        "es.x" => encode(x()),
        "es.y" => encode(y()),
        "es.kid" => thumbprint(format!(r#"{{"crv":"P-256","kty":"EC","x":"{}","y":"{}"}}"#, encode(x()), encode(y()))),
        _ => return None,
    })
}

/// 4, x and y (SEC 1 §2.3.3).
fn es_point() -> Vec<u8> {
    let der = ::pem::parse(es_pem()).unwrap();
    let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, der.contents()).unwrap();
    pair.public_key().as_ref().to_vec()
}

fn rsa() -> KeyPair {
    KeyPair::from_pkcs8(::pem::parse(rs_pem()).unwrap().contents()).unwrap()
}

/// Made once a run: an RSA key takes a while.
fn generated(algorithm: Algorithm, place: &'static OnceLock<String>) -> &'static str {
    place.get_or_init(|| String::from_utf8(pem::generate(algorithm).unwrap().expose().to_vec()).unwrap())
}

static RS: OnceLock<String> = OnceLock::new();
static ES: OnceLock<String> = OnceLock::new();
static THEIRS: OnceLock<String> = OnceLock::new();
static THEIRS_TOO: OnceLock<String> = OnceLock::new();
static OTHER_ES: OnceLock<String> = OnceLock::new();
