//! What a test can let happen, in one word each. All else is in [`Control`](crate::Control).

use std::time::Duration;

use regrant_authority::{Cause, ClientError, GrantId};

use super::{Gate, Pleo, gate};
use crate::{
    control::{Target, Unit, UnitKind},
    fault::{CannotDo, Fate, Match, Point, Rule, RuleFault, RuleId},
    journal::Endpoint,
};

/// Why a rule is not installed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InstallError {
    /// It could never come true, so that a test with it would test nothing.
    #[error("{member}: {fault}", member = .0.member, fault = .0)]
    Fault(#[from] RuleFault),
    /// The door cannot carry it out; [`PleoServer`](super::PleoServer) carries out everything.
    #[error(transparent)]
    CannotDo(#[from] CannotDo),
}

impl Pleo {
    /// The user withdraws every live grant; returns them.
    pub fn revoke(&self) -> Vec<GrantId> {
        self.control().revoke(Target::All, Cause::User)
    }

    /// Every access token runs out; a refresh works.
    pub fn expire_access(&self) -> Vec<GrantId> {
        self.control().expire_access(Target::All)
    }

    /// Every refresh token runs out, and the access tokens, whose lives are shorter, with them.
    pub fn expire_refresh(&self) -> Vec<GrantId> {
        self.control().expire_refresh(Target::All, true)
    }

    /// The API rejects every current access token with 401 before its time; a refresh works.
    pub fn reject_access(&self) -> Vec<GrantId> {
        self.control().reject_access(Target::All)
    }

    /// The client gets a new secret, which is returned; the old one ends at once.
    ///
    /// # Errors
    /// A public client.
    pub fn rotate_secret(&self) -> Result<String, ClientError> {
        self.rotate_secret_with_overlap(Duration::ZERO)
    }

    /// The client gets a new secret, which is returned; the old one ends after `overlap` by the provider's clock.
    ///
    /// # Errors
    /// A public client.
    pub fn rotate_secret_with_overlap(&self, overlap: Duration) -> Result<String, ClientError> {
        self.control().rotate_secret(None, overlap).map(|canary| canary.value)
    }

    /// Moves the provider's clock forward. The client's own clock stays: one that counts for itself sees nothing of it.
    pub fn advance(&self, by: Duration) {
        self.control().advance(by);
    }

    /// Back to the start: grants, rules, gates, work, clock, policy and journal; the client stays.
    pub fn reset(&self) {
        self.control().reset();
    }

    /// Adds so much work to be exported; the ids are those that show in `/v3/export-jobs`.
    pub fn add_exports(&self, count: usize) -> Vec<Unit> {
        self.control().add_work(UnitKind::Export, count)
    }

    /// Adds so many employees, by the ids that show in `/v2/employees`.
    pub fn add_employees(&self, count: usize) -> Vec<Unit> {
        self.control().add_work(UnitKind::Employee, count)
    }

    /// Installs any rule; `nth` counts matching requests from now on.
    ///
    /// # Errors
    /// A rule that can never come true, or that the door cannot carry out.
    pub fn install(&self, rule: Rule) -> Result<RuleId, InstallError> {
        rule.check()?;
        Ok(self.control().try_install(rule)?)
    }

    /// Answers the next token request with this status, and an empty body. Nothing is decided: no token is spent.
    ///
    /// # Errors
    /// What is no final HTTP status.
    pub fn reply_once(&self, status: u16) -> Result<RuleId, InstallError> {
        self.reply_once_at(Endpoint::Token, status)
    }

    /// Answers the next request to a part of the provider with this status, and an empty body.
    ///
    /// # Errors
    /// What is no final HTTP status.
    pub fn reply_once_at(&self, endpoint: Endpoint, status: u16) -> Result<RuleId, InstallError> {
        let on = Match { endpoint: Some(endpoint), nth: Some(1), ..Match::default() };
        let fate = Fate::Status { code: status, error: None, description: None, retry_after: None };
        self.install(Rule { on, at: Point::Arrived, fate, until: None })
    }

    /// The next refresh is committed, and its reply lost: the tokens are rotated and the client never hears of it.
    ///
    /// # Errors
    /// None: every door can do it.
    pub fn lose_next_refresh_reply(&self) -> Result<RuleId, InstallError> {
        self.install(next_refresh(Point::Committed, Fate::Drop))
    }

    /// The next refresh is committed at once, and its reply sent so much later.
    ///
    /// # Errors
    /// None: every door can do it.
    pub fn delay_next_refresh_reply(&self, by: Duration) -> Result<RuleId, InstallError> {
        self.install(next_refresh(Point::Committed, Fate::Delay(by)))
    }

    /// Holds the next refresh before anything is decided, until the gate is released.
    ///
    /// # Errors
    /// The wiremock door cannot hold anything.
    pub fn hold_next_refresh(&self) -> Result<Gate, InstallError> {
        gate::close(self, |gate| next_refresh(Point::Arrived, Fate::Hold(gate)))
    }

    /// Holds the reply to the next refresh: the tokens are rotated, and the client does not know yet.
    ///
    /// # Errors
    /// The wiremock door cannot hold anything.
    pub fn hold_next_refresh_reply(&self) -> Result<Gate, InstallError> {
        gate::close(self, |gate| next_refresh(Point::Committed, Fate::Hold(gate)))
    }
}

fn next_refresh(at: Point, fate: Fate) -> Rule {
    let on = Match { endpoint: Some(Endpoint::Token), grant: Some("refresh_token".into()), nth: Some(1), ..Match::default() };
    Rule { on, at, fate, until: None }
}
