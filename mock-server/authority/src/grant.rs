//! Grants: one user's consent for one client and one company; its tokens form a family.

use crate::{ClientId, Time};

/// Names one grant for the life of the authority, counted from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
pub struct GrantId(pub u32);

impl GrantId {
    /// Where its slot stands among all.
    pub(crate) fn place(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX).wrapping_sub(1)
    }
}

/// A user's id (a UUID in Pleo's API).
pub type User = String;
/// A company's id (a UUID in Pleo's API).
pub type Company = String;

/// Who or what ended a grant on purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Cause {
    /// The user withdrew access.
    User,
    /// A security event.
    Security,
    /// A policy changed.
    Policy,
    /// The client's credentials were rotated and old grants were bound to them.
    CredentialRotation,
    /// The integration removed its own installation.
    Installation,
}

/// What ended a grant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EndedBy {
    /// Somebody ended it.
    Revoked(Cause),
    /// A superseded refresh token came back.
    Reuse,
    /// An expired refresh token came back.
    ExpiredReplay,
    /// Its authorization code came back.
    CodeReuse,
}

/// A grant, as seen from outside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// Its id.
    pub id: GrantId,
    /// For which client.
    pub client_id: ClientId,
    /// Who consented.
    pub user: User,
    /// For which company.
    pub company: Company,
    /// What was consented to.
    pub scopes: Vec<String>,
    /// When.
    pub since: Time,
    /// How often its refresh token was rotated.
    pub generation: u32,
    /// When and by what it ended, if it did.
    pub ended: Option<(Time, EndedBy)>,
}
