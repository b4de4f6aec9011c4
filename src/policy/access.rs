//! Who may use a route at all.

/// What a route, or the default of all unnamed paths, asks of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Access {
    /// A valid token.
    Authenticated,
    /// None, and then no identity; but a token that is sent must be valid.
    Optional,
    /// Nothing; a token that is sent is not looked at.
    Public,
    /// Nobody passes.
    Deny,
}

impl Access {
    /// All of them, the strictest first.
    pub const ALL: [Self; 4] = [Self::Deny, Self::Authenticated, Self::Optional, Self::Public];

    /// The word in the configuration.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Authenticated => "authenticated",
            Self::Optional => "optional",
            Self::Public => "public",
            Self::Deny => "deny",
        }
    }

    /// From the word in the configuration.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|access| access.as_str() == name)
    }

    /// Whether this lets something pass that `other` does not.
    #[must_use]
    pub fn is_laxer_than(self, other: Self) -> bool {
        self.rank() > other.rank()
    }

    const fn rank(self) -> u8 {
        match self {
            Self::Deny => 0,
            Self::Authenticated => 1,
            Self::Optional => 2,
            Self::Public => 3,
        }
    }
}
