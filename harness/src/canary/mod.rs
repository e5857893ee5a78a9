//! Every form a secret can hide in, found fast.
//!
//! A [`Searcher`] finds a fixed set of canaries; a [`CanarySet`] grows while a story is told and keeps a searcher for what it
//! holds. Both redact: what leaves the harness names a secret (`‹refresh#3›`) and never shows it.

mod escapes;
mod forms;
mod searcher;
mod set;
#[cfg(test)]
mod tests;

use std::fmt;

pub use searcher::Searcher;
pub use set::{CanarySet, Refused};

/// A shorter value is not unique enough to be searched for.
pub const SHORTEST: usize = 12;

/// A secret that can be searched for because it is unique.
#[derive(Clone, PartialEq, Eq)]
pub struct Canary {
    /// `access#1`, `refresh#1`, `code#1`, `secret#1`, `verifier#1`, `state#1`.
    pub name: String,
    /// The secret itself.
    pub value: String,
    /// What it is.
    pub kind: Kind,
    /// The client id that stands before it in a `Basic` credential (client secrets only).
    pub client_id: Option<String>,
}

impl fmt::Debug for Canary {
    /// Its name only.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "‹{}›", self.name)
    }
}

/// What a secret is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// An access token.
    Access,
    /// A refresh token.
    Refresh,
    /// An authorization code.
    Code,
    /// A client secret.
    Secret,
    /// The subject's own PKCE verifier.
    Verifier,
    /// The subject's own `state`.
    State,
}

impl Kind {
    /// The word in front of the number in a name.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Access => "access",
            Self::Refresh => "refresh",
            Self::Code => "code",
            Self::Secret => "secret",
            Self::Verifier => "verifier",
            Self::State => "state",
        }
    }
}

/// In what form a canary was found, most exact first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Form {
    /// As it is.
    Raw,
    /// In a `Basic` credential, with its client id.
    Basic,
    /// Percent-encoded, wholly or in part.
    Percent,
    /// With JSON escapes.
    Json,
    /// Base64 or base64url, in any alignment.
    Base64,
    /// Hexadecimal.
    Hex,
    /// UTF-16, either order.
    Utf16,
    /// At least half of it, and 16 characters, from its beginning.
    Prefix,
}

/// A canary found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hit {
    /// Its name.
    pub name: String,
    /// What it is.
    pub kind: Kind,
    /// In what form.
    pub form: Form,
    /// Offset of its first byte.
    pub start: usize,
    /// Offset behind its last byte.
    pub end: usize,
}
