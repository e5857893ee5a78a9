//! A scenario told by the provider to a person, as `regrant serve --scenario` does: the provider plays its own part and the
//! traffic's, and names what is left to the person.
//!
//! Nobody hurries a person, so `within` and `else` have no meaning here: an await lasts until it comes true, but for one that may
//! come or not (`else = "go-on"`). Where the provider's turn follows a person's step without an await, it waits for the next request to the token endpoint or the API.
//! What only the harness can see (`status`, `log`) is left to the person to see; the story then goes on in the same way. Where an
//! integration rightly makes no request any more, the person says that it is their turn no longer: [`Control::go_on`].

use std::time::Duration;

use regrant_authority::Cause;

use super::{
    RuleId,
    scenario::{Act, Await, NeedRefresh, Otherwise, Scenario, Token, apply_policy},
};
use crate::{
    Control,
    control::{Target, UnitKind},
    journal::{Arrived, Decision, Endpoint, Lines, What},
    vault::Canary,
};

/// No traffic for so long, and nothing open: a subject that a person works with has settled.
const QUIET: Duration = Duration::from_secs(1);
/// How long something that may not come is waited for, unless the scenario says otherwise.
const PERHAPS: Duration = Duration::from_secs(10);

/// What happens while a story is told.
#[derive(Debug, Clone, PartialEq)]
pub enum Told<'a> {
    /// The prologue is the person's: connect, and make the integration work once.
    Prologue,
    /// The provider waits for this.
    Awaiting(&'a Await),
    /// It came true.
    CameTrue(&'a Await),
    /// The provider waits for the next request of the integration.
    AwaitingRequest,
    /// The provider did this.
    Did(&'a Act),
    /// The client has a new secret, which the person must configure.
    NewSecret(Canary),
    /// This is left to the person.
    Left(&'a Act),
    /// The story is told to its end.
    End,
}

/// Tells a story: puts its policy in force, lets the person have the prologue, installs its rules and goes through its steps.
pub async fn run(control: &Control, scenario: &Scenario, mut tell: impl FnMut(Told<'_>)) {
    let last = control.last_entry();
    let entries = Lines::after(control.shared.journal.clone(), last);
    let mut teller = Teller { control, entries, last, minted: 0, worked: false };
    control.policy(|policy| apply_policy(&scenario.provider, policy));
    if scenario.prologue {
        tell(Told::Prologue);
        teller.until(|what| matches!(what, What::Decided { decision: Decision::Api { status: 200..=299, .. }, .. })).await;
    }
    scenario.install(control);
    let mut left = false;
    for step in &scenario.steps {
        if let Some(wait) = &step.wait {
            tell(Told::Awaiting(wait));
            if teller.wait_as_told(wait).await {
                tell(Told::CameTrue(wait));
            }
            left = false;
        }
        if !step.acts.is_empty() {
            teller.mark();
        }
        for act in &step.acts {
            if !act.is_provider_s() {
                tell(Told::Left(act));
                left = true;
                continue;
            }
            if std::mem::take(&mut left) {
                tell(Told::AwaitingRequest);
                teller.until(is_work).await;
            }
            if let Some(secret) = teller.act(act) {
                tell(Told::NewSecret(secret));
            }
            tell(Told::Did(act));
        }
    }
    tell(Told::End);
}

impl Scenario {
    /// Puts the story's gates and rules in force. Returns the rules.
    pub fn install(&self, control: &Control) -> Vec<RuleId> {
        for (gate, options) in &self.gates {
            control.gate(gate, options.clone());
        }
        self.rules.iter().map(|rule| control.install(rule.clone())).collect()
    }
}

struct Teller<'a> {
    control: &'a Control,
    entries: Lines,
    /// What came up to this line is past.
    last: u64,
    /// Secrets up to this many are old.
    minted: usize,
    /// There was traffic since then.
    worked: bool,
}

impl Teller<'_> {
    /// From here on requests are new.
    fn mark(&mut self) {
        self.last = self.control.last_entry();
        self.minted = self.control.minted();
        self.worked = false;
    }

    /// Waits; for what may not come only so long. Whether it came.
    async fn wait_as_told(&mut self, wait: &Await) -> bool {
        match wait.otherwise {
            Otherwise::GoOn => tokio::time::timeout(wait.within.unwrap_or(PERHAPS), self.wait(wait)).await.is_ok(),
            Otherwise::NotRealised | Otherwise::FailScenario => {
                self.wait(wait).await;
                true
            }
        }
    }

    async fn wait(&mut self, wait: &Await) {
        if let Some(gate) = &wait.held {
            tokio::select! {
                () = self.control.until_held(gate, wait.count.unwrap_or(1)) => {}
                () = self.control.shared.go_on.notified() => {}
            }
        } else if let Some(endpoint) = wait.request {
            let (control, minted) = (self.control, self.minted);
            let is_fresh = |name: &str| control.canaries_since(minted).iter().any(|canary| canary.name == name);
            let presents_fresh = |arrived: &Arrived| arrived.presented.as_ref().and_then(|p| p.name.as_deref()).is_some_and(is_fresh);
            let is_it = |arrived: &Arrived| arrived.endpoint == endpoint && (!wait.fresh || presents_fresh(arrived));
            let mut it = None;
            self.until(|what| match what {
                What::Arrived(arrived) if is_it(arrived) => {
                    it = Some(arrived.exchange);
                    true
                }
                _ => false,
            })
            .await;
            if let Some(it) = it.filter(|_| wait.read) {
                // Where nothing is known of when it was read: once it was written.
                let is_over = |what: &What| match what {
                    What::Replied(replied) => replied.exchange == it,
                    What::Aborted { exchange, .. } => *exchange == it,
                    _ => false,
                };
                self.until(is_over).await;
            }
        } else if wait.settled.is_some() {
            self.settled().await;
        } else {
            self.until(is_work).await;
        }
    }

    /// Waits for a line after the mark, or for a word to go on.
    async fn until(&mut self, mut what: impl FnMut(&What) -> bool) {
        loop {
            let entry = tokio::select! {
                biased;
                Some(entry) = self.entries.recv() => entry,
                () = self.control.shared.go_on.notified() => return,
                else => return,
            };
            if entry.n <= self.last {
                continue;
            }
            self.worked |= is_work(&entry.what);
            if what(&entry.what) {
                self.last = entry.n;
                return;
            }
        }
    }

    /// Waits until something has happened since the mark and nothing does any more, but for what is held.
    async fn settled(&mut self) {
        if !self.worked {
            self.until(is_work).await;
        }
        loop {
            match tokio::time::timeout(QUIET, self.entries.recv()).await {
                Ok(Some(_)) => {}
                Ok(None) => return,
                Err(_) if self.control.open_exchanges() <= self.control.held_anywhere() => return,
                Err(_) => {}
            }
        }
    }

    /// Does what the provider does; a new client secret is given back.
    fn act(&self, act: &Act) -> Option<Canary> {
        let control = self.control;
        match act {
            Act::Revoke(revoke) => drop(control.revoke(Target::All, revoke.cause())),
            Act::NeedRefresh(NeedRefresh::Word(Token::Access) | NeedRefresh::Table { .. }) | Act::Reject(Token::Access) => {
                drop(control.reject_access(Target::All));
            }
            Act::NeedRefresh(NeedRefresh::Word(Token::Refresh)) | Act::Reject(Token::Refresh) => {
                drop(control.expire_refresh(Target::All, false));
            }
            Act::Expire(Token::Access) => drop(control.expire_access(Target::All)),
            Act::Expire(Token::Refresh) => drop(control.expire_refresh(Target::All, true)),
            Act::RotateSecret(rotate) => {
                let secret = control.rotate_secret_as(rotate).ok();
                if rotate.kill_grants {
                    control.revoke(Target::All, Cause::CredentialRotation);
                }
                return secret;
            }
            Act::AddSecret(add) => return control.add_secret(None, None, add.after.unwrap_or_default()).ok(),
            // A client that has no such secret is left as it is.
            Act::RetireSecret(how) => drop(control.retire_secret_as(how)),
            Act::RevokeSecret(how) => drop(control.revoke_secret_as(how)),
            Act::SkewApi(how) => {
                if let Some(skew) = how.skew() {
                    control.skew(skew);
                }
            }
            Act::Advance(by) => control.advance(*by),
            Act::AddWork(times) => drop(control.add_work(UnitKind::Export, usize::try_from(times.get()).unwrap_or(0))),
            Act::Release(release) => drop_count(control.release_as(release)),
            Act::Drop(gate) => drop_count(control.drop_held(gate)),
            // Left to the person.
            _ => {}
        }
        None
    }
}

/// The journal has the number.
fn drop_count(_: usize) {}

fn is_work(what: &What) -> bool {
    matches!(what, What::Arrived(arrived) if matches!(arrived.endpoint, Endpoint::Token | Endpoint::Api))
}
