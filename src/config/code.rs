//! What can be wrong with a configuration: one closed list.

use std::fmt;

macro_rules! codes {
    ($($(#[doc = $doc:literal])+ $name:ident = $code:literal,)+) => {
        /// Kind of a problem. The codes are a contract: they may be added to, never renamed.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Code {
            $($(#[doc = $doc])+ $name,)+
        }

        impl Code {
            /// Every code there is.
            pub const ALL: &'static [Self] = &[$(Self::$name,)+];

            /// The code as it is printed, in kebab-case.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => $code,)+
                }
            }
        }
    };
}

codes! {
    /// A file cannot be read, or is no regular file.
    Unreadable = "unreadable",
    /// A file is longer than it may be.
    TooLarge = "too-large",
    /// The document is not UTF-8.
    NotUtf8 = "not-utf8",
    /// The document is not YAML.
    Syntax = "syntax",
    /// There is a second document behind a `---`.
    SeveralDocuments = "several-documents",
    /// Nested deeper, or blown up further by aliases, than anybody writes.
    TooComplex = "too-complex",
    /// A YAML tag (`!name`).
    Tag = "tag",
    /// A key stands twice in one mapping.
    DuplicateKey = "duplicate-key",
    /// A key that does not exist here.
    UnknownKey = "unknown-key",
    /// A key that must be given is not.
    MissingKey = "missing-key",
    /// Text for a number, a list for a mapping and the like.
    WrongType = "wrong-type",
    /// None of the words that may stand here.
    UnknownWord = "unknown-word",
    /// Not a duration such as `15m`.
    BadDuration = "bad-duration",
    /// Not a size such as `16KiB`.
    BadSize = "bad-size",
    /// Not so many in so much time, such as `10/5m`.
    BadRate = "bad-rate",
    /// A number, duration, size or length below or above what is allowed.
    OutOfRange = "out-of-range",
    /// Not an address to listen on.
    BadAddress = "bad-address",
    /// Not the mode of a socket's file.
    BadMode = "bad-mode",
    /// Not an address or network of proxies that can be trusted.
    BadNetwork = "bad-network",
    /// Not an origin as browsers send it.
    BadOrigin = "bad-origin",
    /// Not a URL that can be used here.
    BadUrl = "bad-url",
    /// Not a path that can be used here.
    BadPath = "bad-path",
    /// Not the name of a header, or of one that must not be touched.
    BadHeader = "bad-header",
    /// Not a scope (RFC 6749 §3.3).
    BadScope = "bad-scope",
    /// Not an HTTP method.
    BadMethod = "bad-method",
    /// Empty, too long or with characters that a name cannot have.
    BadName = "bad-name",
    /// A name that doorward uses itself.
    ReservedName = "reserved-name",
    /// An empty list where it could be read as "everybody" or "nobody".
    EmptyList = "empty-list",
    /// The same value twice where each must differ.
    Duplicate = "duplicate",
    /// A path that no route has.
    UnknownRoute = "unknown-route",
    /// A route for the tokens of an issuer that is nobody's.
    UnknownIssuer = "unknown-issuer",
    /// Users in a file and in PostgreSQL.
    TwoUserStores = "two-user-stores",
    /// A statement without the parameters it must have.
    BadQuery = "bad-query",
    /// Two clients for requests that name none.
    TwoDefaults = "two-defaults",
    /// Several replicas, each of which would sign with a key of its own.
    StoreNeedsKeys = "store-needs-keys",
    /// Two keys that exclude each other.
    Contradiction = "contradiction",
    /// `HS256` and its like with an outside issuer: its verifiers could sign.
    HmacIssuer = "hmac-issuer",
    /// An outside issuer whose tokens would be taken whomever they are meant for.
    NoAudience = "no-audience",
    /// Tokens of our own that would be for nobody in particular, where the profile wants an audience.
    NoOwnAudience = "no-own-audience",
    /// Tokens of two issuers are taken, and nothing is said of how their users are told apart.
    NoPrefix = "no-prefix",
    /// Neither tokens of our own nor those of anybody else would pass.
    NoIssuer = "no-issuer",
    /// The upstream is to have tokens of its own, and there is no key for them.
    NoMintKey = "no-mint-key",
    /// A variable that the environment does not have.
    UnsetVariable = "unset-variable",
    /// A `${` that does not begin `${NAME}` or `${NAME:-default}`.
    BadInterpolation = "bad-interpolation",
    /// A secret that is not exactly one of the value, `{ env: NAME }` and `{ file: PATH }`.
    BadSecretSource = "bad-secret-source",
    /// A secret that is short, guessable, or known from a tutorial.
    WeakSecret = "weak-secret",
    /// What is no hash of a client's secret.
    BadSecretHash = "bad-secret-hash",
    /// A bearer secret that no header can carry.
    BadToken = "bad-token",
    /// One key for two purposes.
    KeyReused = "key-reused",
    /// A file with a key or secret that others may read or write.
    OpenPermissions = "open-permissions",
    /// A file that holds no key that can be used.
    BadKey = "bad-key",
    /// A private key that only a password opens.
    EncryptedKey = "encrypted-key",
    /// A public key or a certificate where a private key belongs.
    PublicKey = "public-key",
    /// An RSA key that is too short to be safe.
    WeakRsa = "weak-rsa",
    /// An elliptic curve key on another curve than its algorithm takes.
    WrongCurve = "wrong-curve",
    /// A file that holds no certificate that can be used.
    BadCertificate = "bad-certificate",
    /// Two routes that some request matches with equal precedence.
    RouteTie = "route-tie",
    /// A route that no request can reach.
    RouteUnreachable = "route-unreachable",
    /// A password hash that cannot be checked; a warning, this user cannot log in.
    BadHash = "bad-hash",
    /// Password hashes that are quickly guessed once they leak; a warning.
    WeakHash = "weak-hash",
    /// A database is on another machine, and may be reached without TLS; a warning.
    PlainDatabase = "plain-database",
    /// No users at all; a warning.
    NoUsers = "no-users",
    /// Sessions and revocations are lost at a restart; a warning.
    VolatileStore = "volatile-store",
    /// Clients reach doorward by an address it cannot know; a warning.
    NoPublicUrl = "no-public-url",
    /// Clients are told an `http` address where TLS is on; a warning.
    PlainPublicUrl = "plain-public-url",
    /// Users of two issuers can have one name; a warning.
    SharedSubjects = "shared-subjects",
    /// A secret signs tokens that name nobody they are for; a warning.
    SharedSecret = "shared-secret",
    /// No client may begin a session, nor get a token of its own; a warning.
    NoGrants = "no-grants",
    /// A default is weakened; a warning.
    Insecure = "insecure",
    /// A certificate whose time is over, or has not come yet; a warning.
    ExpiredCertificate = "expired-certificate",
    /// Every user of the machine may connect to a Unix socket; a warning.
    OpenSocket = "open-socket",
    /// Headers are kept from trusted proxies, and there is none; a warning.
    NoTrustedProxy = "no-trusted-proxy",
    /// Doorward is to answer preflights, and no origin is allowed; a warning.
    NoOrigins = "no-origins",
    /// A key that changes nothing, because of another one; a warning.
    NoEffect = "no-effect",
    /// Requests would be forwarded to doorward itself; a warning.
    Loop = "loop",
}

impl fmt::Display for Code {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.as_str())
    }
}
