//! What the user and the provider's owner can do, from Rust. The management listener does the same over HTTP.

use std::time::Duration;

use regrant_authority::{Cause, GrantId};

use crate::{
    ConsentMode,
    fault::{Rule, RuleId},
    journal::Entry,
    vault::Canary,
};

/// Which grants something is done to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Target {
    /// Every live grant.
    All,
    /// One grant.
    Grant(GrantId),
    /// The newest grant.
    Newest,
}

/// What was done, as the journal records it.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[serde(tag = "action", rename_all = "kebab-case")]
pub enum Action {
    /// Grants were ended.
    Revoked { grants: Vec<GrantId>, cause: Cause },
    /// Access tokens were made to expire.
    AccessExpired { grants: Vec<GrantId> },
    /// Refresh tokens were made to expire.
    RefreshExpired { grants: Vec<GrantId> },
    /// The API rejects the current access tokens from now on.
    AccessRejected { grants: Vec<GrantId> },
    /// A client has a new secret, by name.
    SecretRotated { client: String, secret: String },
    /// The provider's clock was moved.
    ClockMoved { by: Duration },
    /// Units of work came into being, by id.
    WorkAdded { units: Vec<String> },
    /// How the consent page answers was changed.
    ConsentSet { mode: ConsentMode },
    /// A rule was installed.
    RuleInstalled { rule: RuleId },
    /// A rule was removed.
    RuleRemoved { rule: RuleId },
    /// The policy was changed.
    PolicyChanged,
}

/// A handle on a running provider. Cheap to clone. Every change is in the journal before the call returns.
#[derive(Clone)]
pub struct Control {
    pub(crate) shared: std::sync::Arc<crate::provider::Shared>,
}

/// A unit of work at the provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unit {
    /// Its id: random, the same wherever the unit shows (entry id in an export job, employee id).
    pub id: String,
    /// What it is.
    pub kind: UnitKind,
}

/// What kind of work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum UnitKind {
    /// An entry in a new pending export job of its own.
    Export,
    /// A new employee.
    Employee,
}

#[allow(clippy::todo, unused_variables, missing_docs, reason = "filled in by the next commits")]
impl Control {
    /// Ends grants; returns those that were live.
    pub fn revoke(&self, target: Target, cause: Cause) -> Vec<GrantId> {
        todo!()
    }
    /// Lets current access tokens expire (refused by the API as expired; a refresh works).
    pub fn expire_access(&self, target: Target) -> Vec<GrantId> {
        todo!()
    }
    /// Lets current refresh tokens expire. The access tokens die too if `also_access`.
    pub fn expire_refresh(&self, target: Target, also_access: bool) -> Vec<GrantId> {
        todo!()
    }
    /// Makes the API reject current access tokens with 401; a refresh gives good ones.
    pub fn reject_access(&self, target: Target) -> Vec<GrantId> {
        todo!()
    }
    /// Gives the (only or named) client a new secret; the old ones end after `overlap`. Returns the new canary.
    pub fn rotate_secret(&self, client: Option<&str>, overlap: Duration) -> Result<Canary, regrant_authority::ClientError> {
        todo!()
    }
    /// Moves the provider's clock forward.
    pub fn advance(&self, by: Duration) {
        todo!()
    }
    /// Changes the policy.
    pub fn policy(&self, change: impl FnOnce(&mut regrant_authority::Policy)) {
        todo!()
    }
    /// Changes how the consent page answers.
    pub fn consent(&self, mode: ConsentMode) {
        todo!()
    }
    /// Adds `count` units of work of one kind.
    pub fn add_work(&self, kind: UnitKind, count: usize) -> Vec<Unit> {
        todo!()
    }
    /// Installs a rule; `nth` counts matching requests from now on.
    pub fn install(&self, rule: Rule) -> RuleId {
        todo!()
    }
    /// Removes a rule.
    pub fn remove(&self, rule: RuleId) -> bool {
        todo!()
    }
    /// How many requests or replies a gate holds now.
    pub fn held(&self, gate: &str) -> usize {
        todo!()
    }
    /// Waits until a gate holds at least `count`.
    pub async fn until_held(&self, gate: &str, count: usize) {
        todo!()
    }
    /// Lets go of all that a gate holds, in order of arrival, and opens it for good. Returns how many.
    pub fn release(&self, gate: &str) -> usize {
        todo!()
    }
    /// Drops the connections of all that a gate holds, and opens it for good. Returns how many.
    pub fn drop_held(&self, gate: &str) -> usize {
        todo!()
    }
    /// All secrets so far.
    pub fn canaries(&self) -> Vec<Canary> {
        todo!()
    }
    /// All live and ended grants.
    pub fn grants(&self) -> Vec<regrant_authority::Grant> {
        todo!()
    }
    /// The journal so far.
    pub fn journal(&self) -> Vec<Entry> {
        todo!()
    }
    /// Every entry from now on (and, first, those so far). The channel is unbounded; drop it to unsubscribe.
    pub fn follow(&self) -> tokio::sync::mpsc::UnboundedReceiver<Entry> {
        todo!()
    }
    /// Time since the journal's epoch.
    pub fn now(&self) -> crate::journal::At {
        todo!()
    }
    /// Requests that were begun and are not yet replied to, aborted or refused (held ones included).
    pub fn open_exchanges(&self) -> usize {
        todo!()
    }
}
