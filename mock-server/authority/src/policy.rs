//! What the authorisation server's owner has decided: lifetimes, rotation, wording of refusals.

use std::time::Duration;

/// What becomes of a refresh token once it was used (RFC 6749 section 6, RFC 9700 section 4.14.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rotation {
    /// A superseded or expired token is refused and its whole family ends: what Pleo documents.
    StrictRevokeFamily,
    /// A superseded token is refused; the family lives.
    Strict,
    /// A superseded token still works for `window`; it answers the same successor, or (`sibling`) another pair.
    Grace {
        /// How long after the rotation.
        window: Duration,
        /// Each use mints a further pair instead of repeating the first successor.
        sibling: bool,
    },
    /// Every token of the family, access tokens included, stays good until it expires or the grant ends.
    Lenient,
    /// Refreshing gives a new access token only; the refresh token stays the same and is not repeated in the answer.
    Off,
}

/// The words and status in which a dead refresh token is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dialect {
    /// `error` of the JSON body, e.g. `invalid_grant`, `invalid_token`, `invalid_refresh_token`.
    pub error: String,
    /// `error_description`, if any.
    pub description: Option<String>,
    /// HTTP status, 400 unless told otherwise.
    pub status: u16,
}

impl Default for Dialect {
    fn default() -> Self {
        Self { error: "invalid_grant".into(), description: Some("The refresh token is expired or revoked".into()), status: 400 }
    }
}

/// Everything that is a matter of configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// Life of an access token: 15 minutes (Pleo promises no number; `expires_in` tells).
    pub access_lifetime: Duration,
    /// Life of a refresh token: 60 days (Pleo: at least that).
    pub refresh_lifetime: Duration,
    /// Life of an authorization code: 60 seconds.
    pub code_lifetime: Duration,
    /// What becomes of used refresh tokens.
    pub rotation: Rotation,
    /// Presenting an expired refresh token ends the family (Pleo: replay protection). Only under `StrictRevokeFamily`.
    pub expired_ends_family: bool,
    /// Presenting a superseded refresh token ends the family. Only under `StrictRevokeFamily`.
    pub reuse_ends_family: bool,
    /// A refresh kills the previous access token at once (Pleo does).
    pub refresh_kills_access: bool,
    /// Ending a family kills its access tokens too (RFC 7009 section 2.1).
    pub end_kills_access: bool,
    /// A refresh token is refused once the client secret that it was issued under is no longer accepted.
    pub refresh_bound_to_secret: bool,
    /// Rotating a client's secret ends all its grants.
    pub rotation_ends_grants: bool,
    /// PKCE with S256 is required at authorise.
    pub pkce_required: bool,
    /// Refuse client credentials in the body (Pleo's pages disagree; both are accepted by default).
    pub strict_basic: bool,
    /// How dead refresh tokens are refused.
    pub refused_with: Dialect,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            access_lifetime: Duration::from_secs(900),
            refresh_lifetime: Duration::from_secs(60 * 24 * 3600),
            code_lifetime: Duration::from_secs(60),
            rotation: Rotation::StrictRevokeFamily,
            expired_ends_family: true,
            reuse_ends_family: true,
            refresh_kills_access: true,
            end_kills_access: true,
            refresh_bound_to_secret: false,
            rotation_ends_grants: false,
            pkce_required: true,
            strict_basic: false,
            refused_with: Dialect::default(),
        }
    }
}
