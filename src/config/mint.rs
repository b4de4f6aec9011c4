//! `upstream.mint`, and who asks for what it makes.

use std::cell::Cell;
use std::sync::Arc;
use std::time::Duration;

use super::code::Code;
use super::defaults;
use super::field::Field;
use super::keys;
use super::problem::Position;
use super::reader::Reader;
use super::section::Section;
use crate::keys::SigningKey;
use crate::policy::AuthorizationMode;
use crate::tokens::MintSettings;

/// What `upstream.mint` says.
pub(super) struct Minting {
    /// Where it stands; `None` = it says nothing.
    at: Option<Position>,
    settings: Option<MintSettings>,
    /// Whether anything asks for it.
    asked: Cell<bool>,
}

pub(super) fn mint(section: &Section<'_>) -> Minting {
    let field = section.nullable("mint");
    let settings = field.as_ref().and_then(|field| {
        field.section(|section| {
            let key = keys::key(field, section, "key_file").map(Arc::new);
            let audience = section.nullable("audience").and_then(|field| field.name());
            let ttl = section.duration("ttl", defaults::MINT_TTL, SHORTEST..=LONGEST);
            key.map(|key| MintSettings { key, audience, ttl })
        })
    });
    Minting { at: field.map(|field| field.at()), settings: settings.flatten(), asked: Cell::new(false) }
}

/// `upstream.authorization`, or a route's own.
pub(super) fn mode(field: &Field<'_>, minting: &Minting) -> Option<AuthorizationMode> {
    let mode = field.word(&[
        ("pass", AuthorizationMode::Pass),
        ("strip", AuthorizationMode::Strip),
        ("mint", AuthorizationMode::Mint),
    ])?;
    if mode == AuthorizationMode::Mint {
        minting.asked.set(true);
        if minting.at.is_none() {
            let help = "say what signs them: `upstream: { mint: { algorithm: HS256, secret: { env: NAME } } }`, as the application has it";
            return field.refuse(Code::NoMintKey, "is `mint`, and `upstream.mint` has no key for such tokens", help);
        }
    }
    Some(mode)
}

impl Minting {
    /// Its settings, once everything is read that may ask for them. `own` are the keys that sign what passes here.
    pub(super) fn finish(self, reader: &Reader<'_>, own: &[SigningKey]) -> Option<MintSettings> {
        let at = self.at?;
        if !self.asked.get() {
            let help = "set `upstream.authorization`, or that of a route, to `mint`";
            reader.warning(at, Code::NoEffect, "`upstream.mint` is used by nothing", help);
        }
        // The same key in another spelling, as PKCS#1 and PKCS#8.
        let kid = self.settings.as_ref().map(|settings| settings.key.kid());
        if own.iter().any(|key| Some(key.kid()) == kid) {
            let what = "`upstream.mint` holds a key of `tokens.keys`: what the application is given would pass here";
            reader.problem(at, Code::KeyReused, what, "give every key one purpose and one algorithm");
        }
        self.settings
    }
}

/// A NumericDate has whole seconds, and the last half of a life is what requests begin with.
const SHORTEST: Duration = Duration::from_secs(5);

/// It cannot be revoked at the application.
const LONGEST: Duration = Duration::from_hours(1);
