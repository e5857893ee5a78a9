//! Authorization codes: the authorise request, the user's answer, PKCE (RFC 6749 section 4.1, RFC 7636).

use crate::{ClientId, Company, User};

/// A PKCE challenge. Only S256 exists here; `plain` is refused before one is made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Challenge(pub String);

/// An authorise request as it stood in the query; empty values count as absent (RFC 6749 section 3.1).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AuthorizeRequest {
    /// `client_id`.
    pub client_id: Option<String>,
    /// `redirect_uri`.
    pub redirect_uri: Option<String>,
    /// `response_type`.
    pub response_type: Option<String>,
    /// `scope`, space separated.
    pub scope: Option<String>,
    /// `state`, always echoed.
    pub state: Option<String>,
    /// `code_challenge`.
    pub code_challenge: Option<String>,
    /// `code_challenge_method`.
    pub code_challenge_method: Option<String>,
    /// A parameter stood twice.
    pub repeated: Option<String>,
}

/// A valid authorise request that waits for the user's answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Consent {
    /// Which client asks.
    pub client_id: ClientId,
    /// Where the answer goes.
    pub redirect_uri: String,
    /// The redirect URI stood in the request; then the token request must repeat it (RFC 6749 section 4.1.3).
    pub redirect_uri_sent: bool,
    /// What it asks for.
    pub scopes: Vec<String>,
    /// The client's `state`.
    pub state: Option<String>,
    /// The PKCE challenge, if one was sent.
    pub challenge: Option<Challenge>,
    /// Who would consent.
    pub user: User,
    /// For which company.
    pub company: Company,
}

/// Why an authorise request is refused (RFC 6749 section 4.1.2.1).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AuthorizeError {
    /// Unknown client or redirect URI: shown to the user, never redirected.
    #[error("{reason}")]
    Page {
        /// What is wrong, for a person.
        reason: String,
    },
    /// Anything else: sent back to the client.
    #[error("{error}: {description}")]
    Redirect {
        /// The validated redirect URI.
        redirect_uri: String,
        /// The RFC's error code.
        error: &'static str,
        /// For a developer.
        description: String,
        /// The client's `state`.
        state: Option<String>,
    },
}
