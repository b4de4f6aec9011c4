use super::*;
use crate::base::base64url;
use crate::keys::{Algorithm, KeySet, LiveKeys, NoKey, pem};

fn key(algorithm: Algorithm) -> Arc<SigningKey> {
    Arc::new(SigningKey::from_pem(pem::generate(algorithm).unwrap().expose(), Some(algorithm)).unwrap())
}

/// What a token of today says of its key, and its signature.
struct Token {
    kid: String,
    algorithm: Algorithm,
    signature: String,
}

fn signed(ring: &KeyRing) -> Token {
    let key = ring.signing();
    let signature = base64url::encode(key.sign(b"message").unwrap());
    Token { kid: key.kid().to_owned(), algorithm: key.algorithm(), signature }
}

fn judge(keys: &KeySet, token: &Token) -> Result<bool, NoKey> {
    let key = keys.find(Some(&token.kid), Some(token.algorithm))?;
    Ok(key.verifies(b"message", &token.signature))
}

#[test]
fn there_is_no_ring_without_a_key() {
    assert!(KeyRing::new([]).is_none());
}

/// Publish, wait, sign, wait, retire.
#[test]
fn tokens_of_all_ages_verify_until_their_key_is_retired() {
    let (old, new) = (key(Algorithm::Es256), key(Algorithm::EdDsa));
    let ring = |keys: &[&Arc<SigningKey>]| KeyRing::new(keys.iter().map(|key| Arc::clone(key))).unwrap();
    let steps = [ring(&[&old]), ring(&[&old, &new]), ring(&[&new, &old]), ring(&[&new])];
    let tokens: Vec<Token> = steps.iter().map(signed).collect();
    let kids: Vec<&str> = tokens.iter().map(|token| token.kid.as_str()).collect();
    assert_eq!(kids, [old.kid(), old.kid(), new.kid(), new.kid()]);

    let live = LiveKeys::new(KeySet::from(&steps[0]));
    for (step, (ring, of_old, of_new)) in [
        (&steps[0], Ok(true), Err(NoKey::Unknown)),
        (&steps[1], Ok(true), Ok(true)),
        (&steps[2], Ok(true), Ok(true)),
        (&steps[3], Err(NoKey::Unknown), Ok(true)),
    ]
    .into_iter()
    .enumerate()
    {
        assert_eq!(live.replace(KeySet::from(ring)), step > 0, "step {step}");
        for token in &tokens {
            let expected = if token.kid == old.kid() { of_old } else { of_new };
            assert_eq!(judge(&live.now(), token), expected, "step {step}");
        }
    }
}

/// A token of a retired key is not tried with those that are left, whatever it says of itself.
#[test]
fn a_retired_keys_token_finds_no_other_key() {
    let (old, new) = (key(Algorithm::Es256), key(Algorithm::Es256));
    let token = signed(&KeyRing::of(Arc::clone(&old)));
    let left = KeySet::from(&KeyRing::of(Arc::clone(&new)));
    assert_eq!(judge(&left, &token), Err(NoKey::Unknown));
    assert_eq!(judge(&left, &Token { kid: new.kid().to_owned(), ..token }), Ok(false));
}
