//! The refusals of the token endpoint (RFC 6749 section 5.2).
//!
//! Descriptions never repeat what was sent: RFC 6749 allows only a part of ASCII in them.

use crate::{Policy, Refusal, TokenState};

impl Refusal {
    pub(crate) fn invalid_request(description: &str) -> Self {
        Self::plain("invalid_request", description)
    }

    pub(crate) fn invalid_scope(description: &str) -> Self {
        Self::plain("invalid_scope", description)
    }

    pub(crate) fn unsupported_grant_type() -> Self {
        Self::plain("unsupported_grant_type", "The grant types are authorization_code and refresh_token")
    }

    pub(crate) fn invalid_client(description: &str) -> Self {
        Self { status: 401, challenge_basic: true, ..Self::plain("invalid_client", description) }
    }

    /// A code that is not good, whatever the policy's words for refresh tokens are.
    pub(crate) fn bad_code(state: TokenState, description: &str) -> Self {
        Self { state: Some(state), ..Self::plain("invalid_grant", description) }
    }

    /// A refresh token that is not good, in the policy's words.
    pub(crate) fn dead_refresh(policy: &Policy, state: TokenState) -> Self {
        let words = &policy.refused_with;
        Self {
            status: words.status,
            error: words.error.clone(),
            description: words.description.clone(),
            challenge_basic: false,
            state: Some(state),
        }
    }

    fn plain(error: &str, description: &str) -> Self {
        Self { status: 400, error: error.to_owned(), description: Some(description.to_owned()), challenge_basic: false, state: None }
    }
}
