//! What the user and the provider's owner can do, from Rust. The management listener does the same over HTTP.

mod gates;

use std::time::Duration;

use regrant_authority::{Authority, Cause, Grant, GrantId, Policy, Time};
use tokio::sync::{mpsc::UnboundedReceiver, oneshot};

use crate::{
    ConsentMode, SecretChange, Skew, TokenShape,
    fault::{CannotDo, Fate, Rule, RuleGuard, RuleId},
    front::notices,
    journal::{At, Entry, WebhookEnd, What},
    lineage::{self, Lineage},
    state::{Shared, State},
    vault::Canary,
    webhook::{self, Deliveries, NoSecret, Signed},
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
    Revoked {
        /// Which.
        grants: Vec<GrantId>,
        /// Why.
        cause: Cause,
    },
    /// Access tokens were made to expire.
    AccessExpired {
        /// Which.
        grants: Vec<GrantId>,
    },
    /// Refresh tokens were made to expire.
    RefreshExpired {
        /// Which.
        grants: Vec<GrantId>,
    },
    /// The API rejects the current access tokens from now on.
    AccessRejected {
        /// Which.
        grants: Vec<GrantId>,
    },
    /// A client has a new secret, by name.
    SecretRotated {
        /// Whose.
        client: String,
        /// Its name.
        secret: String,
        /// It has every character that a secret may have.
        odd: bool,
    },
    /// A secret of a client was added, given an end or withdrawn.
    SecretChanged {
        /// Whose.
        client: String,
        /// Its name.
        secret: String,
        /// What was done.
        change: SecretChange,
    },
    /// The provider's clock was moved.
    ClockMoved {
        /// How far.
        by: Duration,
    },
    /// The API's clock was set apart from that of the authorisation server.
    ClockSkewed {
        /// How the API's clock goes now.
        api: Skew,
    },
    /// Units of work came into being, by id.
    WorkAdded {
        /// Their ids.
        units: Vec<String>,
    },
    /// How the consent page answers was changed.
    ConsentSet {
        /// How now.
        mode: ConsentMode,
    },
    /// A rule was installed.
    RuleInstalled {
        /// Which.
        rule: RuleId,
    },
    /// A rule was removed.
    RuleRemoved {
        /// Which.
        rule: RuleId,
    },
    /// How a gate opens was said.
    GateSet {
        /// Its name.
        gate: String,
    },
    /// The policy was changed.
    PolicyChanged,
    /// A client was connected without a request on the wire.
    Connected {
        /// By this grant.
        grant: GrantId,
    },
    /// All was forgotten but the clients; earlier lines are gone.
    Reset,
}

/// A handle on a running provider. Cheap to clone. Every change is in the journal before the call returns.
#[derive(Debug, Clone)]
pub struct Control {
    pub(crate) shared: std::sync::Arc<Shared>,
}

/// What the provider's clocks show.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub struct ClockShown {
    /// The authorisation server's time.
    pub server: Time,
    /// The API's time.
    pub api: Time,
    /// How far they were moved ahead of the host's.
    pub ahead: Duration,
    /// How the API's clock goes.
    pub skew: Skew,
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum UnitKind {
    /// An entry in a new pending export job of its own.
    Export,
    /// A new employee.
    Employee,
}

impl Control {
    /// Ends grants; returns those that were live.
    pub fn revoke(&self, target: Target, cause: Cause) -> Vec<GrantId> {
        let done = |grants| Action::Revoked { grants, cause };
        self.each(target, |authority, now, grant| authority.revoke(now, grant, cause), done)
    }

    /// Lets current access tokens expire (refused by the API as expired; a refresh works).
    pub fn expire_access(&self, target: Target) -> Vec<GrantId> {
        self.each(target, Authority::expire_access, |grants| Action::AccessExpired { grants })
    }

    /// Lets current refresh tokens expire. The access tokens die too if `also_access`.
    pub fn expire_refresh(&self, target: Target, also_access: bool) -> Vec<GrantId> {
        let expire = |authority: &mut Authority, now, grant| {
            let expired = authority.expire_refresh(now, grant);
            if also_access {
                authority.expire_access(now, grant);
            }
            expired
        };
        self.each(target, expire, |grants| Action::RefreshExpired { grants })
    }

    /// Makes the API reject current access tokens with 401; a refresh gives good ones.
    pub fn reject_access(&self, target: Target) -> Vec<GrantId> {
        self.each(target, |authority, _, grant| authority.reject_access(grant), |grants| Action::AccessRejected { grants })
    }

    /// Moves the provider's clock forward.
    pub fn advance(&self, by: Duration) {
        let _state = self.shared.state();
        self.shared.clock.advance(by);
        self.told(Action::ClockMoved { by });
    }

    /// Lets the API's clock run ahead of the authorisation server's, or behind it; both move on alike.
    ///
    /// The API then refuses a token that the authorisation server thinks good, or takes one that it thinks expired.
    pub fn skew(&self, api: Skew) {
        let _state = self.shared.state();
        self.shared.clock.set_skew(api);
        self.told(Action::ClockSkewed { api });
    }

    /// What the clocks show.
    #[must_use]
    pub fn clock(&self) -> ClockShown {
        let clock = &self.shared.clock;
        ClockShown { server: clock.now(), api: clock.api_now(), ahead: clock.ahead(), skew: clock.skew() }
    }

    /// Changes the policy.
    pub fn policy(&self, change: impl FnOnce(&mut Policy)) {
        change(self.shared.state().authority.policy_mut());
        self.told(Action::PolicyChanged);
    }

    /// Changes how the consent page answers.
    pub fn consent(&self, mode: ConsentMode) {
        self.shared.state().consent = mode;
        self.told(Action::ConsentSet { mode });
    }

    /// Lets the user of another company consent from now on; 0 is the first. False if there is no such company.
    pub fn consent_for(&self, company: usize) -> bool {
        let mut state = self.shared.state();
        let known = company < state.store.companies();
        if known {
            state.company = company;
            self.told(Action::ConsentSet { mode: state.consent });
        }
        known
    }

    /// Changes what secrets look like that are minted from now on.
    pub fn token_shape(&self, shape: TokenShape) {
        self.shared.state().source.set_shape(shape);
        self.told(Action::PolicyChanged);
    }

    /// Adds `count` units of work of one kind, in the first company.
    pub fn add_work(&self, kind: UnitKind, count: usize) -> Vec<Unit> {
        self.add_work_in(0, kind, count)
    }

    /// Adds units of work in a company, by index. Whoever subscribed to new export jobs is sent a webhook for each, which is not waited for.
    pub fn add_work_in(&self, company: usize, kind: UnitKind, count: usize) -> Vec<Unit> {
        self.add_work_told(company, kind, count).0
    }

    /// Adds an export job in a company, by index, and waits for what comes of the webhooks that tell of it: one for each subscription.
    /// Those that a reset ended are left out.
    pub async fn tell_subscribers(&self, company: usize) -> Vec<WebhookEnd> {
        let (_, deliveries) = self.add_work_told(company, UnitKind::Export, 1);
        futures::future::join_all(deliveries).await.into_iter().flatten().collect()
    }

    /// How many subscriptions there are to the export jobs of a company, by index.
    #[must_use]
    pub fn subscribers(&self, company: usize) -> usize {
        let state = self.shared.state();
        let (_, company) = state.store.person(company);
        state.store.subscriptions.to_jobs_of(&company)
    }

    fn add_work_told(&self, company: usize, kind: UnitKind, count: usize) -> (Vec<Unit>, Vec<oneshot::Receiver<WebhookEnd>>) {
        let now = self.shared.clock.now();
        let mut state = self.shared.state();
        let before = state.store.jobs();
        let State { store, source, .. } = &mut *state;
        let mut add = || match kind {
            UnitKind::Export => store.add_export(source, now, company),
            UnitKind::Employee => store.add_employee(source, company),
        };
        let units: Vec<Unit> = (0..count).map(|_| Unit { id: add(), kind }).collect();
        self.told(Action::WorkAdded { units: units.iter().map(|unit| unit.id.clone()).collect() });
        let notices = notices(&mut state, before, now);
        (units, notices.into_iter().map(|notice| Deliveries::begin(&self.shared, notice)).collect())
    }

    /// The secret with which [`sign_webhook`](Self::sign_webhook) signs for whoever did not subscribe: one per provider and seed.
    #[must_use]
    pub fn webhook_secret(&self) -> &str {
        &self.shared.webhook_secret
    }

    /// Signs a message as Pleo would that goes to `url`: with the secret of the company's subscription there, else with the
    /// [`webhook_secret`](Self::webhook_secret). Its time is the host's, however far the provider's clock was moved.
    ///
    /// # Errors
    /// Never for a secret of this provider.
    pub fn sign_webhook(&self, url: &str, company: usize, body: &[u8]) -> Result<Signed, NoSecret> {
        let mut state = self.shared.state();
        let id = state.source.message_id();
        let (_, company) = state.store.person(company);
        let secret = state.store.subscriptions.secret_for(url, &company).unwrap_or(&self.shared.webhook_secret);
        webhook::sign(secret, &id, self.shared.clock.wall(self.shared.clock.at()).0 / 1000, body)
    }

    /// Installs a rule; `nth` counts matching requests from now on. A gate that it holds at is closed again, should it stand open.
    ///
    /// # Panics
    /// On the wiremock door, if the rule is beyond it; [`Control::try_install`] says so instead. A rule that silently did nothing
    /// would let a test pass that tests nothing.
    #[track_caller]
    pub fn install(&self, rule: Rule) -> RuleId {
        match self.try_install(rule) {
            Ok(id) => id,
            Err(beyond) => panic!("{beyond}"),
        }
    }

    /// Whether a rule can be carried out by the door of this provider.
    ///
    /// # Errors
    /// It cannot. The mock's own listener carries out everything.
    pub fn can_install(&self, rule: &Rule) -> Result<(), CannotDo> {
        (self.shared.reach)(rule)
    }

    /// [`install`](Self::install), for every door.
    ///
    /// # Errors
    /// The rule is beyond the door; nothing is installed.
    pub fn try_install(&self, rule: Rule) -> Result<RuleId, CannotDo> {
        self.can_install(&rule)?;
        let mut state = self.shared.state();
        if let Fate::Hold(gate) = &rule.fate {
            self.shared.gates.close(gate);
        }
        let id = state.rules.install(rule, self.shared.moment());
        self.told(Action::RuleInstalled { rule: id });
        Ok(id)
    }

    /// Installs a rule until the guard is dropped.
    ///
    /// # Panics
    /// As [`Control::install`].
    #[track_caller]
    pub fn guard(&self, rule: Rule) -> RuleGuard {
        RuleGuard::new(self.clone(), self.install(rule))
    }

    /// Removes a rule. What it holds stays held.
    pub fn remove(&self, rule: RuleId) -> bool {
        let removed = self.shared.state().rules.remove(rule);
        if removed {
            self.told(Action::RuleRemoved { rule });
        }
        removed
    }

    /// All secrets so far, as far as they are remembered.
    #[must_use]
    pub fn canaries(&self) -> Vec<Canary> {
        self.shared.state().vault.all().to_vec()
    }

    /// How many secrets were made so far.
    #[must_use]
    pub fn minted(&self) -> usize {
        self.shared.state().vault.count()
    }

    /// The secrets made since there were `minted`, as far as they are remembered.
    #[must_use]
    pub fn canaries_since(&self, minted: usize) -> Vec<Canary> {
        self.shared.state().vault.since(minted).to_vec()
    }

    /// All live grants, and the ended ones as far as they are remembered.
    #[must_use]
    pub fn grants(&self) -> Vec<Grant> {
        self.shared.state().authority.grants()
    }

    /// Which token of a grant was made from which, and who asked in vain; `None`: there never was such a grant.
    #[must_use]
    pub fn lineage(&self, grant: GrantId) -> Option<Lineage> {
        let found = self.shared.state().authority.grant(grant)?;
        Some(lineage::read(&found, &self.journal()))
    }

    /// The journal so far, as much of it as is kept.
    #[must_use]
    pub fn journal(&self) -> Vec<Entry> {
        self.shared.journal.entries()
    }

    /// The number of the newest line of the journal; 0 before the first.
    #[must_use]
    pub fn last_entry(&self) -> u64 {
        self.shared.journal.last()
    }

    /// Every entry from now on (and, first, those so far). The channel is unbounded; drop it to unsubscribe.
    #[must_use]
    pub fn follow(&self) -> UnboundedReceiver<Entry> {
        self.shared.journal.follow()
    }

    /// Time since the journal's epoch.
    #[must_use]
    pub fn now(&self) -> At {
        self.shared.clock.at()
    }

    /// The seed of all secrets and ids.
    #[must_use]
    pub fn seed(&self) -> u64 {
        self.shared.seed
    }

    /// Lets a story that waits for the integration go on ([`crate::fault::script`]), also if it begins to wait a moment later.
    pub fn go_on(&self) {
        self.shared.go_on.notify_one();
    }

    /// Requests that were begun and are not yet replied to, aborted or refused (held ones included).
    #[must_use]
    pub fn open_exchanges(&self) -> usize {
        self.shared.open()
    }

    /// Does something to each grant that is meant, which declines unless it is live; those to which it was done are told and returned.
    fn each(
        &self,
        target: Target,
        mut act: impl FnMut(&mut Authority, Time, GrantId) -> bool,
        action: impl FnOnce(Vec<GrantId>) -> Action,
    ) -> Vec<GrantId> {
        let mut state = self.shared.state();
        let now = self.shared.clock.now();
        let meant: Vec<GrantId> = match target {
            Target::All => state.authority.live_grants().collect(),
            Target::Grant(id) => vec![id],
            Target::Newest => state.authority.live_grants().next_back().into_iter().collect(),
        };
        let done: Vec<GrantId> = meant.into_iter().filter(|grant| act(&mut state.authority, now, *grant)).collect();
        self.told(action(done.clone()));
        done
    }

    pub(crate) fn told(&self, action: Action) {
        self.shared.journal.push(What::Controlled(action));
    }
}
