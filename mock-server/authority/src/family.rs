//! What the authority remembers: families and every code and token they ever had. Nothing is forgotten.

use crate::{ClientId, EndedBy, Grant, GrantId, Time, TokenState, code::Challenge};

/// A grant with its tokens.
#[derive(Debug, Clone)]
pub(crate) struct Family {
    /// What is seen from outside.
    pub(crate) grant: Grant,
    /// The refresh token issued last; its access token is the current one. `None` before the code was exchanged.
    pub(crate) newest: Option<String>,
    /// Every refresh token, oldest first.
    pub(crate) refresh: Vec<String>,
    /// Every access token that was not superseded, oldest first.
    pub(crate) access: Vec<String>,
    /// The grant ended at a time when ending it did not kill access tokens.
    pub(crate) access_outlives: bool,
}

impl Family {
    pub(crate) fn new(grant: Grant) -> Self {
        Self { grant, newest: None, refresh: Vec::new(), access: Vec::new(), access_outlives: false }
    }

    /// What the end of the grant makes of a code or refresh token; `None` while it lives.
    pub(crate) fn end(&self) -> Option<TokenState> {
        self.grant.ended.map(|(_, by)| match by {
            EndedBy::Revoked(cause) => TokenState::Revoked(cause),
            EndedBy::Reuse | EndedBy::ExpiredReplay | EndedBy::CodeReuse => TokenState::FamilyEnded,
        })
    }

    /// What the end of the grant makes of an access token; `None` if it does not touch it.
    pub(crate) fn end_of_access(&self) -> Option<TokenState> {
        if self.access_outlives { None } else { self.end() }
    }
}

/// An authorization code.
#[derive(Debug, Clone)]
pub(crate) struct CodeRecord {
    pub(crate) grant: GrantId,
    pub(crate) client_id: ClientId,
    pub(crate) redirect_uri: String,
    /// The redirect URI stood in the authorise request, so it must be repeated (RFC 6749 section 4.1.3).
    pub(crate) redirect_uri_sent: bool,
    pub(crate) challenge: Option<Challenge>,
    pub(crate) expires: Time,
    pub(crate) fate: CodeFate,
}

/// What happened to a code so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CodeFate {
    /// Nothing.
    Fresh,
    /// It gave tokens.
    Exchanged,
    /// Its client presented it with a wrong verifier or redirect URI: no second guess.
    Burnt,
}

/// An access token.
#[derive(Debug, Clone)]
pub(crate) struct AccessRecord {
    pub(crate) grant: GrantId,
    pub(crate) scopes: Vec<String>,
    pub(crate) issued: Time,
    pub(crate) expires: Time,
    pub(crate) superseded: bool,
    pub(crate) rejected: bool,
}

/// A refresh token.
#[derive(Debug, Clone)]
pub(crate) struct RefreshRecord {
    pub(crate) grant: GrantId,
    pub(crate) issued: Time,
    pub(crate) expires: Time,
    /// The access token that was issued with it or, without rotation, for it last.
    pub(crate) access: String,
    /// When it was first rotated, and into which refresh token.
    pub(crate) rotated: Option<(Time, String)>,
}
