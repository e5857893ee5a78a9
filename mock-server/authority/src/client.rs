//! OAuth clients and the timeline of their secrets.

use crate::Time;

/// A client identifier (RFC 6749 section 2.2).
pub type ClientId = String;

/// One secret of a client and when it is accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Secret {
    /// The secret itself.
    pub value: String,
    /// Accepted from this moment on.
    pub from: Time,
    /// Accepted until this moment (exclusive); `None`: for ever.
    pub until: Option<Time>,
    /// It did not end as planned: somebody withdrew it.
    pub revoked: bool,
}

impl Secret {
    /// Whether it is accepted at `now`.
    #[must_use]
    pub fn is_valid(&self, now: Time) -> bool {
        self.from <= now && self.until.is_none_or(|until| now < until)
    }
}

/// A registered client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Client {
    /// Its identifier.
    pub id: ClientId,
    /// Its secrets; none at all makes it a public client.
    pub secrets: Vec<Secret>,
    /// Registered redirect URIs, compared exactly. Empty: the first authorise request registers its own.
    pub redirect_uris: Vec<String>,
    /// Any loopback redirect URI is accepted (for local development).
    pub any_loopback_redirect: bool,
    /// Scopes it may ask for; empty: what the first authorise request asks for.
    pub scopes: Vec<String>,
    /// It need not use PKCE (Pleo grants exceptions).
    pub pkce_exempt: bool,
}

impl Client {
    /// A client with one secret from the beginning of time; redirect URI and scopes are left open.
    #[must_use]
    pub fn confidential(id: &str, secret: &str) -> Self {
        Self { secrets: vec![Secret::from(secret, Time::default())], ..Self::public(id) }
    }

    /// A client without a secret; redirect URI and scopes are left open.
    #[must_use]
    pub fn public(id: &str) -> Self {
        Self {
            id: id.to_owned(),
            secrets: Vec::new(),
            redirect_uris: Vec::new(),
            any_loopback_redirect: false,
            scopes: Vec::new(),
            pkce_exempt: false,
        }
    }

    /// Whether it has no secret at all and is known by its id alone.
    #[must_use]
    pub fn is_public(&self) -> bool {
        self.secrets.is_empty()
    }

    /// Whether `secret` proves this client at `now`. A public client has the empty secret.
    #[must_use]
    pub fn accepts(&self, now: Time, secret: &str) -> bool {
        if secret.is_empty() {
            return self.is_public();
        }
        self.place_of(now, secret).is_some()
    }

    /// Where a secret that is accepted at `now` stands in the timeline.
    pub(crate) fn place_of(&self, now: Time, secret: &str) -> Option<u32> {
        (0..).zip(&self.secrets).find(|(_, known)| known.value == secret && known.is_valid(now)).map(|(place, _)| place)
    }
}

/// How a client proved who it is, as the wire showed it (RFC 6749 section 2.3.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClientAuth {
    /// Nothing but a `client_id`, or nothing at all.
    None {
        /// The `client_id` parameter, if sent.
        id: Option<ClientId>,
    },
    /// `Authorization: Basic`. Each reading of the header that was tried, RFC form-decoded and raw.
    Basic {
        /// `(id, secret)` after form-decoding, as the RFC asks.
        decoded: (ClientId, String),
        /// `(id, secret)` as they stood in the header.
        raw: (ClientId, String),
    },
    /// `client_id` and `client_secret` in the form body.
    Body {
        /// The `client_id` parameter.
        id: ClientId,
        /// The `client_secret` parameter.
        secret: String,
    },
    /// Both methods at once, which is `invalid_request`.
    Both,
    /// An `Authorization` header that is no valid Basic credential.
    Malformed,
}

/// Why a secret could not be changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ClientError {
    /// No such client.
    #[error("no client with the id {0:?} is registered")]
    Unknown(ClientId),
    /// The client is public.
    #[error("client {0:?} is public: it has no secret to rotate")]
    Public(ClientId),
}

#[cfg(test)]
mod tests;
