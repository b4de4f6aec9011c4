//! `profile`, and all that it decides: one table.
//!
//! # Why one table
//! A row is what doorward does under each of the two, and the words for it. [`Profile::rules`] hands out what it does;
//! whoever makes settings takes their defaults from there and asks for no profile. `docs/profiles.md` is made of the words,
//! `doorward check` shows those that matter, and the tests want a case of each row under each profile. So a difference
//! that stands nowhere else can neither be forgotten in the documentation nor go untested.

use std::time::Duration;

use super::defaults;
use super::settings::Settings;
use crate::grants::GrantKind;
use crate::tokens::TokenType;

/// Whose letter is followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Profile {
    /// Clients and applications of the FastAPI tutorials work unchanged.
    Compat,
    /// What the RFCs and their best current practices say.
    Strict,
}

impl Profile {
    /// Both, the default first.
    pub const ALL: [Self; 2] = [Self::Compat, Self::Strict];

    /// The word of `profile`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Compat => "compat",
            Self::Strict => "strict",
        }
    }
}

/// One row, in words.
#[derive(Clone, Copy, Debug)]
pub struct Difference {
    /// Its name.
    pub name: &'static str,
    /// What holds in `compat`, as a sentence.
    pub compat: &'static str,
    /// What holds in `strict`.
    pub strict: &'static str,
    /// What `strict` follows.
    pub source: &'static str,
    /// The key that says otherwise under either, if there is one.
    pub knob: Option<&'static str>,
    /// Whether a configuration, whatever its profile, has what the sentence of `compat` says.
    pub is_in: fn(&Settings) -> bool,
}

macro_rules! differences {
    ($($(#[doc = $doc:literal])+ $field:ident: $type:ty {
        name: $name:literal,
        compat: $compat:expr, $compat_words:literal,
        strict: $strict:expr, $strict_words:literal,
        source: $source:literal,
        knob: $knob:expr,
        is_in: $is_in:expr,
    })+) => {
        /// What a profile decides: a member for each row.
        #[derive(Clone, Copy, Debug)]
        pub(super) struct Rules {
            $($(#[doc = $doc])+ pub(super) $field: $type,)+
        }

        impl Profile {
            /// What it decides.
            pub(super) const fn rules(self) -> Rules {
                match self {
                    Self::Compat => Rules { $($field: $compat,)+ },
                    Self::Strict => Rules { $($field: $strict,)+ },
                }
            }
        }

        /// Every difference between the two profiles.
        pub const DIFFERENCES: &[Difference] = &[$(Difference {
            name: $name,
            compat: $compat_words,
            strict: $strict_words,
            source: $source,
            knob: $knob,
            is_in: $is_in,
        },)+];
    };
}

differences! {
    /// Whether a token request that has a user name and no `grant_type` is a login.
    implied_password_grant: bool {
        name: "grant-type",
        compat: true, "A token request with `username` and without `grant_type` is a login.",
        strict: false, "A token request must have `grant_type`.",
        source: "RFC 6749 §4.3.2",
        knob: None,
        is_in: |settings| settings.endpoints.implied_password_grant && logs_in(settings),
    }
    /// Whether endpoints read `multipart/form-data`.
    multipart: bool {
        name: "multipart",
        compat: true, "The endpoints read `multipart/form-data`, too.",
        strict: false, "`multipart/form-data` is refused.",
        source: "RFC 6749 §4.3.2, RFC 7009 §2.1",
        knob: None,
        is_in: |settings| settings.endpoints.forms.multipart && settings.endpoints.reads_forms(),
    }
    /// Whether the tutorials' endpoints read JSON.
    json: bool {
        name: "json",
        compat: true, "The refresh and the revocation endpoint read a JSON object, too.",
        strict: false, "JSON is refused.",
        source: "RFC 6749 §6, RFC 7009 §2.1",
        knob: None,
        is_in: |settings| settings.endpoints.forms.json && settings.endpoints.reads_single_tokens(),
    }
    /// Whether the tutorials' endpoints read a token from the query.
    query_tokens: bool {
        name: "query-tokens",
        compat: defaults::QUERY_TOKENS, "`?refresh_token=` and `?token=` are read from the query, where logs see them.",
        strict: false, "A token in the query is refused.",
        source: "RFC 6749 §2.3.1, RFC 9700 §4.3.2",
        knob: Some("wire.query_tokens"),
        is_in: |settings| settings.endpoints.forms.query_tokens && settings.endpoints.reads_single_tokens(),
    }
    /// Whether the first public client is the default one where none says that it is.
    first_public_is_default: bool {
        name: "default-client",
        compat: true, "A login that names no client is the first public client's, unless another says `default: true`.",
        strict: false, "A login must name its client, unless one says `default: true`.",
        source: "RFC 6749 §3.2.1",
        knob: Some("clients[].default"),
        is_in: |settings| {
            settings.client_rules.first_public_is_default
                && has_public(settings)
                && !settings.clients.iter().any(|client| client.default)
        },
    }
    /// Whether an id that nobody has, without a secret, counts as none.
    unknown_is_unnamed: bool {
        name: "unknown-client",
        compat: true, "A client id that is not registered, without a secret, counts as none: some libraries send `client_id=None`.",
        strict: false, "A client id that is not registered is refused: `invalid_client`.",
        source: "RFC 6749 §5.2",
        knob: None,
        is_in: |settings| settings.client_rules.unknown_is_unnamed && has_public(settings),
    }
    /// Whether a public client's token says for itself whose it is.
    tokens_name_client: bool {
        name: "unnamed-client",
        compat: true, "A public client's token is refreshed and revoked by whoever shows it, without naming the client.",
        strict: false, "Refreshing and revoking, a client must name itself, unless one says `default: true`.",
        source: "RFC 6749 §3.2.1, RFC 7009 §2.1",
        knob: Some("clients[].default"),
        is_in: |settings| settings.client_rules.tokens_name_client && has_public(settings),
    }
    /// Whether a client whose `grants` say nothing may log users in; so, too, the one that there is while none is registered.
    unasked_password_grant: bool {
        name: "password-grant",
        compat: true, "A client without `grants` may send users' passwords, and so may everybody while no client is registered.",
        strict: false, "Only a client whose `grants` name it may use the password grant.",
        source: "RFC 9700 §2.4",
        knob: Some("clients[].grants"),
        is_in: |settings| settings.unasked_password_grant && settings.endpoints.grants_tokens(),
    }
    /// Whether own tokens must be meant for somebody.
    audience_required: bool {
        name: "audience",
        compat: false, "Own tokens need no `aud`: PyJWT and python-jose refuse one that they were not told of.",
        strict: true, "`tokens.audience` must be given.",
        source: "RFC 9068 §2.2 and §4",
        knob: Some("tokens.audience"),
        is_in: |settings| settings.issues && settings.grants.audience.is_empty(),
    }
    /// `tokens.typ` where it is not given.
    typ: &'static str {
        name: "typ",
        compat: defaults::TYP, "Own tokens are of the type `JWT`, which some verifiers insist on.",
        strict: "at+jwt", "Own tokens are of the type `at+jwt`.",
        source: "RFC 9068 §2.1",
        knob: Some("tokens.typ"),
        is_in: |settings| settings.issues && settings.grants.typ == "JWT",
    }
    /// Whether own tokens of every type pass, whatever is issued now.
    every_own_type: bool {
        name: "token-types",
        compat: true, "Own tokens pass with the type `at+jwt`, `JWT` or none.",
        strict: false, "Own tokens pass with the type `at+jwt` alone; with `tokens.typ: JWT`, with that, too.",
        source: "RFC 9068 §4, RFC 8725 §3.11",
        knob: None,
        is_in: |settings| settings.issues && settings.grants.token_types.contains(&TokenType::Absent),
    }
    /// `tokens.refresh_grace` where it is not given.
    refresh_grace: Duration {
        name: "refresh-grace",
        compat: defaults::REFRESH_GRACE, "A refresh token may be sent once more within 10 s, and gets the same successor.",
        strict: Duration::ZERO, "A refresh token that is sent twice ends its session.",
        source: "RFC 9700 §4.14.2",
        knob: Some("tokens.refresh_grace"),
        is_in: |settings| !settings.grants.refresh_grace.is_zero() && has_sessions(settings),
    }
    /// Whether missing scopes may be answered 401.
    missing_scope_may_be_401: bool {
        name: "insufficient-scope",
        compat: true, "`wire.insufficient_scope_status` may be 401, as the tutorials answer a token without the scopes.",
        strict: false, "A token without the scopes is answered 403.",
        source: "RFC 6750 §3.1",
        knob: None,
        is_in: |settings| settings.wording.insufficient_scope_status == 401,
    }
}

/// The rows that a configuration has the compatible half of, in the order of the table.
pub fn beyond_strict(settings: &Settings) -> impl Iterator<Item = &'static Difference> {
    DIFFERENCES.iter().filter(|difference| (difference.is_in)(settings))
}

/// Whether users' passwords are taken, which RFC 9700 §2.4 says must not be.
#[must_use]
pub fn logs_in(settings: &Settings) -> bool {
    let by_client = settings.clients.iter().any(|client| client.may(GrantKind::Password));
    settings.issues && settings.endpoints.grants_tokens() && (by_client || settings.unasked_password_grant)
}

fn has_sessions(settings: &Settings) -> bool {
    let endpoints = &settings.endpoints;
    let by_client = settings.clients.iter().any(|client| client.may(GrantKind::RefreshToken));
    (endpoints.grants_tokens() || endpoints.refresh.is_some()) && (settings.clients.is_empty() || by_client)
}

fn has_public(settings: &Settings) -> bool {
    settings.issues && settings.clients.iter().any(|client| !client.is_confidential())
}
