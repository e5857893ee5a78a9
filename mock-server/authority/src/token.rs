//! Tokens: how they are asked for, issued, refused and looked up (RFC 6749 sections 5 and 6, RFC 7662).

use std::{sync::Arc, time::Duration};

use crate::{Cause, ClientAuth, ClientId, Company, GrantId, Time, User};

/// What a secret string is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// An access token.
    Access,
    /// A refresh token.
    Refresh,
    /// An authorization code.
    Code,
    /// A client secret.
    Secret,
}

/// A token request after parsing; empty values count as absent (RFC 6749 section 3.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenRequest {
    /// Who asks.
    pub auth: ClientAuth,
    /// What for.
    pub grant: TokenGrant,
    /// A parameter that stood twice.
    pub repeated: Option<String>,
}

/// `grant_type` and what belongs to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TokenGrant {
    /// `authorization_code`.
    AuthorizationCode {
        /// `code`.
        code: Option<String>,
        /// `redirect_uri`.
        redirect_uri: Option<String>,
        /// `code_verifier`.
        code_verifier: Option<String>,
    },
    /// `refresh_token`.
    RefreshToken {
        /// `refresh_token`.
        refresh_token: Option<String>,
        /// `scope`, equal to or narrower than the grant.
        scope: Option<String>,
    },
    /// Anything else, by its name; `None` if there was no `grant_type`.
    Other(Option<String>),
}

/// A token answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issued {
    /// The family.
    pub grant: GrantId,
    /// The new access token.
    pub access_token: String,
    /// The new refresh token; `None` under `Rotation::Off` on refresh.
    pub refresh_token: Option<String>,
    /// Life of the access token.
    pub expires_in: Duration,
    /// The scopes granted.
    pub scopes: Arc<[String]>,
}

/// A refused token request (RFC 6749 section 5.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// HTTP status.
    pub status: u16,
    /// `error`.
    pub error: String,
    /// `error_description`.
    pub description: Option<String>,
    /// `WWW-Authenticate: Basic` must be sent: RFC 6749 wants it where the client used the header, RFC 9110 section 15.5.2 with every 401.
    pub challenge_basic: bool,
    /// The state of the refresh token or code that was presented, when that was the reason.
    pub state: Option<TokenState>,
}

/// What the authority knows of a token or code that somebody presents.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TokenState {
    /// It works.
    Active,
    /// Its time is over.
    Expired,
    /// A newer one replaced it.
    Superseded,
    /// Its grant was ended on purpose, or (by policy) the secret that it was issued under.
    Revoked(Cause),
    /// Its grant ended because of a replay.
    FamilyEnded,
    /// The API was told to reject it, though by the clock and the grant it is good.
    Rejected,
    /// A code that was exchanged before, or burnt by its client with a wrong verifier or redirect URI.
    Used,
    /// Never issued here, or to another client.
    Unknown,
}

/// Why an access token is not accepted by the API.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AccessRefusal(pub TokenState);

/// What introspection says of an active token (RFC 7662 section 2.2); an inactive one gives `None`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Introspection {
    /// Its family.
    pub grant: GrantId,
    /// Its client.
    pub client_id: ClientId,
    /// Who consented.
    pub user: User,
    /// For which company.
    pub company: Company,
    /// Its scopes.
    pub scopes: Vec<String>,
    /// Issued at.
    pub iat: Time,
    /// Expires at.
    pub exp: Time,
    /// Access or refresh.
    pub kind: Kind,
}
