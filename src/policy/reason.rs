//! Why a request was refused: one closed list for body, metric, log, audit and `explain`.

/// A reason of refusal. The codes are a contract: they may be added to, never renamed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reason {
    /// The route wants a token and none was sent. Cure: log in at the token endpoint.
    NoCredential,
    /// Two `Authorization` fields. Cure: send one; a hop between may be adding its own.
    MultipleCredentials,
    /// Not a compact JWS in canonical base64url with a JSON object in it, or claims of the wrong type.
    MalformedToken,
    /// No key with this key id. Cure: log in again; the key was retired or is another instance's.
    UnknownKey,
    /// The header names another algorithm than the key has.
    WrongAlgorithm,
    /// The signature is not of this key.
    BadSignature,
    /// `exp` is past. Cure: refresh.
    Expired,
    /// `nbf` or `iat` is ahead of the clock. Cure: set the clocks.
    NotYetValid,
    /// `iss` is nobody we trust.
    WrongIssuer,
    /// `aud` does not name this API.
    WrongAudience,
    /// A JWT of another kind: an ID token, a logout token, a proof.
    WrongType,
    /// The token, its session or its subject was revoked. Cure: log in again.
    Revoked,
    /// The user of the token was disabled or is gone, or the client that it speaks for is. Cure: none but to enable the user.
    UserDisabled,
    /// A scope the route asks for is missing. Cure: ask for it at login; the challenge names all of them.
    InsufficientScope,
    /// The path could mean two things to two parsers. Cure: send it in its plain spelling.
    AmbiguousPath,
    /// The request itself is malformed.
    MalformedRequest,
    /// The path is named by no route and `policy.default` is `deny`.
    NoRoute,
    /// The route is closed for everybody (`access: deny`).
    RouteDenied,
    /// The path is named, its method is not. Cure: the `Allow` header lists those that are.
    MethodNotAllowed,
    /// Over a limit: the token's length, the target's, the fields', the body's, the identity headers' budget.
    TooLarge,
    /// The store of sessions and marks does not answer. Nothing the client can do but retry.
    StoreUnavailable,
    /// The keys of the token's issuer were never learnt, are too old, or could not be asked for a key id nobody knows. Nothing the
    /// client can do but retry.
    KeysUnavailable,
    /// The route takes tokens of other issuers only.
    IssuerNotAllowed,
    /// The token for the upstream could not be signed. Nothing the client can do but retry.
    SigningFailed,
    /// More logins than there is room to hash. Cure: retry after the time given.
    Overloaded,
    /// The head of a request did not arrive in time.
    HeaderTimeout,
    /// Too many logins have failed, under this name or from this address. Cure: wait for the time given.
    Throttled,
}

impl Reason {
    /// Every reason there is.
    pub const ALL: [Self; 27] = [
        Self::NoCredential,
        Self::MultipleCredentials,
        Self::MalformedToken,
        Self::UnknownKey,
        Self::WrongAlgorithm,
        Self::BadSignature,
        Self::Expired,
        Self::NotYetValid,
        Self::WrongIssuer,
        Self::WrongAudience,
        Self::WrongType,
        Self::Revoked,
        Self::UserDisabled,
        Self::InsufficientScope,
        Self::AmbiguousPath,
        Self::MalformedRequest,
        Self::NoRoute,
        Self::RouteDenied,
        Self::MethodNotAllowed,
        Self::TooLarge,
        Self::StoreUnavailable,
        Self::KeysUnavailable,
        Self::IssuerNotAllowed,
        Self::SigningFailed,
        Self::Overloaded,
        Self::HeaderTimeout,
        Self::Throttled,
    ];

    /// The code, as it stands in body, metric, log and audit.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NoCredential => "no-credential",
            Self::MultipleCredentials => "multiple-credentials",
            Self::MalformedToken => "malformed-token",
            Self::UnknownKey => "unknown-key",
            Self::WrongAlgorithm => "wrong-algorithm",
            Self::BadSignature => "bad-signature",
            Self::Expired => "expired",
            Self::NotYetValid => "not-yet-valid",
            Self::WrongIssuer => "wrong-issuer",
            Self::WrongAudience => "wrong-audience",
            Self::WrongType => "wrong-type",
            Self::Revoked => "revoked",
            Self::UserDisabled => "user-disabled",
            Self::InsufficientScope => "insufficient-scope",
            Self::AmbiguousPath => "ambiguous-path",
            Self::MalformedRequest => "malformed-request",
            Self::NoRoute => "no-route",
            Self::RouteDenied => "route-denied",
            Self::MethodNotAllowed => "method-not-allowed",
            Self::TooLarge => "too-large",
            Self::StoreUnavailable => "store-unavailable",
            Self::KeysUnavailable => "keys-unavailable",
            Self::IssuerNotAllowed => "issuer-not-allowed",
            Self::SigningFailed => "signing-failed",
            Self::Overloaded => "overloaded",
            Self::HeaderTimeout => "header-timeout",
            Self::Throttled => "throttled",
        }
    }
}
