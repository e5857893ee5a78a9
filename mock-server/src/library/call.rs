//! One request of the client and what came of it, as a line to read.

use std::fmt;

use regrant_authority::{Cause, TokenState};

use crate::journal::{Arrived, At, Decision, Endpoint, Exchange, Presented, TokenOutcome, What};

/// A request that the client sent. Secrets are named (`refresh#1`), never shown.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Call {
    /// Its number, in order of arrival.
    pub exchange: Exchange,
    /// When its first byte was read.
    pub began: At,
    /// Where it went.
    pub endpoint: Endpoint,
    /// Method.
    pub method: String,
    /// Path without query.
    pub path: String,
    /// `grant_type` of a token request.
    pub grant_type: Option<String>,
    /// The token or code that it carried, as it was at that moment.
    pub presented: Option<Presented>,
    /// Status of the reply; `None`: there is none yet, or never was one.
    pub status: Option<u16>,
    /// `error` of a reply of the token endpoint.
    pub error: Option<String>,
    /// When the client had the reply: when it was seen to have read it, else when it was written.
    pub answered: Option<At>,
    /// The authority refused the token or code itself.
    refused: bool,
}

impl Call {
    /// Whether it asks for tokens by a refresh token.
    #[must_use]
    pub fn is_refresh(&self) -> bool {
        self.endpoint == Endpoint::Token && self.grant_type.as_deref() == Some("refresh_token")
    }

    /// Whether it calls the resource API.
    #[must_use]
    pub fn is_api(&self) -> bool {
        self.endpoint == Endpoint::Api
    }

    /// Whether it is a refresh whose refresh token was refused for good, in a reply that went out.
    #[must_use]
    pub fn is_refused(&self) -> bool {
        self.is_refresh() && self.answered.is_some() && (self.refused || self.error.as_deref() == Some("invalid_grant"))
    }

    /// Whether it presents a refresh token that another has replaced, or a code that was used.
    #[must_use]
    pub fn is_replay(&self) -> bool {
        let Some(presented) = &self.presented else { return false };
        self.endpoint == Endpoint::Token
            && match presented.state {
                TokenState::Superseded | TokenState::FamilyEnded | TokenState::Used => true,
                TokenState::Active | TokenState::Expired | TokenState::Revoked(_) | TokenState::Rejected | TokenState::Unknown => false,
            }
    }

    pub(super) fn arrived(arrived: &Arrived) -> Self {
        let grant_type = (arrived.endpoint == Endpoint::Token).then(|| {
            let mut fields = url::form_urlencoded::parse(&arrived.body);
            fields.find(|(name, _)| name == "grant_type").map(|(_, value)| value.into_owned())
        });
        Self {
            exchange: arrived.exchange,
            began: arrived.began,
            endpoint: arrived.endpoint,
            method: arrived.method.clone(),
            path: arrived.path.clone(),
            grant_type: grant_type.flatten(),
            presented: arrived.presented.clone(),
            status: None,
            error: None,
            answered: None,
            refused: false,
        }
    }

    /// Takes in what became of it.
    pub(super) fn learn(&mut self, at: At, what: &What) {
        if let What::Decided { decision: Decision::Token { presented, outcome, .. }, .. } = what {
            let dead = presented.as_ref().is_some_and(|presented| presented.state != TokenState::Active);
            self.refused = dead && matches!(outcome, TokenOutcome::Refused { .. });
            // What it was when it was decided counts: it may have waited on its way.
            self.presented.clone_from(presented);
        } else if let What::Replied(reply) = what {
            self.status = Some(reply.status);
            self.answered = Some(at);
            if self.endpoint == Endpoint::Token {
                let body: Option<serde_json::Value> = serde_json::from_slice(&reply.body).ok();
                self.error = body.and_then(|body| body.get("error")?.as_str().map(str::to_owned));
            }
        } else if let What::Read { .. } = what {
            self.answered = Some(at);
        }
    }
}

/// The request that a line tells the outcome of.
pub(super) fn exchange(what: &What) -> Option<Exchange> {
    if let What::Decided { exchange, .. } | What::Read { exchange } = what {
        Some(*exchange)
    } else if let What::Replied(reply) = what {
        Some(reply.exchange)
    } else {
        None
    }
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{} {} {}", self.exchange, self.method, self.path)?;
        if let Some(grant_type) = &self.grant_type {
            write!(f, " {grant_type}")?;
        }
        if let Some(presented) = &self.presented {
            write!(f, " with {} ({})", presented.name.as_deref().unwrap_or("an unknown token"), state(presented.state))?;
        }
        match self.status {
            None => f.write_str(" -> no answer")?,
            Some(status) => write!(f, " -> {status}")?,
        }
        self.error.as_deref().map_or(Ok(()), |error| write!(f, " {error}"))
    }
}

fn state(state: TokenState) -> &'static str {
    match state {
        TokenState::Active => "active",
        TokenState::Expired => "expired",
        TokenState::Superseded => "superseded",
        TokenState::Revoked(Cause::User) => "revoked by the user",
        TokenState::Revoked(Cause::Security) => "revoked after a security event",
        TokenState::Revoked(Cause::Policy) => "ended by policy",
        TokenState::Revoked(Cause::CredentialRotation) => "ended by credential rotation",
        TokenState::Revoked(Cause::Installation) => "removed by the integration",
        TokenState::FamilyEnded => "family ended by a replay",
        TokenState::Rejected => "rejected by the API",
        TokenState::Used => "used",
        TokenState::Unknown => "unknown",
    }
}
