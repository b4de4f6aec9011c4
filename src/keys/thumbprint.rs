//! Key ids that follow from the key, so that replicas with the same key name it alike.

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::hkdf;

use crate::base::base64url;

/// The RFC 7638 thumbprint of an EC key on P-256; `x` and `y` are its coordinates.
#[must_use]
pub fn p256(x: &[u8], y: &[u8]) -> String {
    let (x, y) = (base64url::encode(x), base64url::encode(y));
    of_members(&format!(r#"{{"crv":"P-256","kty":"EC","x":"{x}","y":"{y}"}}"#))
}

/// The RFC 7638 thumbprint of an RSA key; big-endian without leading zeros.
#[must_use]
pub fn rsa(modulus: &[u8], exponent: &[u8]) -> String {
    let (n, e) = (base64url::encode(modulus), base64url::encode(exponent));
    of_members(&format!(r#"{{"e":"{e}","kty":"RSA","n":"{n}"}}"#))
}

/// The RFC 8037 §2 thumbprint of an Ed25519 key.
#[must_use]
pub fn ed25519(public: &[u8]) -> String {
    let x = base64url::encode(public);
    of_members(&format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{x}"}}"#))
}

/// The key id of an HMAC secret: 8 bytes of HKDF(secret, "kid"). Not a hash of the secret itself, which could be
/// searched for.
#[must_use]
pub fn secret(secret: &[u8]) -> String {
    base64url::encode(derive::<8>(secret, "kid"))
}

/// `N` bytes of HKDF-SHA-256 over `secret` with the label `info` (RFC 5869).
///
/// # Panics
/// If `N` is above 255 × 32, which no caller asks for.
#[must_use]
#[expect(clippy::expect_used, reason = "HKDF refuses only lengths above 255 hashes")]
pub fn derive<const N: usize>(secret: &[u8], info: &str) -> [u8; N] {
    struct Length(usize);
    impl hkdf::KeyType for Length {
        fn len(&self) -> usize {
            self.0
        }
    }
    let mut derived = [0; N];
    hkdf::Salt::new(hkdf::HKDF_SHA256, b"doorward")
        .extract(secret)
        .expand(&[info.as_bytes()], Length(N))
        .and_then(|output| output.fill(&mut derived))
        .expect("the length is allowed");
    derived
}

fn of_members(json: &str) -> String {
    base64url::encode(digest(&SHA256, json.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc7638_section_3_1_example() {
        let n = "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw";
        let n = base64url::decode(n).unwrap();
        let e = base64url::decode("AQAB").unwrap();
        assert_eq!(rsa(&n, &e), "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs");
    }

    #[test]
    fn rfc8037_appendix_a_3_example() {
        let x = base64url::decode("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo").unwrap();
        assert_eq!(ed25519(&x), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
    }
}
