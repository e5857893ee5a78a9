//! The scenario file: a story in the words of the provider and the user. The same file drives `regrant serve --scenario` and the harness.

mod check;
mod parse;
mod policy;
mod release;
mod secrets;
#[cfg(test)]
mod tests;
mod whom;

use std::{collections::BTreeMap, time::Duration};

use regrant_authority::Cause;
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer};

use super::{GateOptions, Rule};

pub use parse::ScenarioError;
pub use policy::{ProviderPolicy, RefusedWith, apply_policy};
pub use release::{Release, ReleaseSome};
pub use secrets::{AddSecret, RetireSecret, RevokeSecret, RotateSecret, SkewApi};
pub use whom::{Held, Whom};

/// One story.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// One line for a person.
    pub title: String,
    /// What happens and why it matters.
    pub about: String,
    /// Requirements that must be decided here; undecided here counts.
    #[serde(default)]
    pub tests: Vec<String>,
    /// Requirements that may convict here and can never become undecided here.
    #[serde(default)]
    pub also: Vec<String>,
    /// Free words for selection, e.g. `timing`.
    #[serde(default)]
    pub tags: Vec<String>,
    /// Tell the common beginning first.
    #[serde(default = "yes")]
    pub prologue: bool,
    /// How many connections the subject needs for it (`features.connections`); each is another company's. What follows says `connection = 2`
    /// where it does not mean the first.
    #[serde(default = "once")]
    pub connections: u32,
    /// How many processes of the subject it needs at least (`features.processes`); with 2 or more all that the manifest declares are started.
    #[serde(default = "once")]
    pub processes: u32,
    /// The time zone in which the subject lives, such as `Pacific/Kiritimati`: its `TZ`.
    #[serde(default)]
    pub time_zone: Option<String>,
    /// Policy for this story.
    #[serde(default)]
    pub provider: ProviderPolicy,
    /// What happens to traffic, from the end of the prologue on.
    #[serde(default, rename = "rule")]
    pub rules: Vec<Rule>,
    /// How gates open, by name; a gate that is not here opens when it is released.
    #[serde(default, rename = "gate")]
    pub gates: BTreeMap<String, GateOptions>,
    /// What happens, in order.
    #[serde(default, rename = "step")]
    pub steps: Vec<Step>,
}

fn yes() -> bool {
    true
}

/// One step: wait for something, then do something. Either may be missing.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// What to wait for first.
    #[serde(rename = "await")]
    pub wait: Option<Await>,
    /// What to do then, in order.
    #[serde(default, rename = "do")]
    pub acts: Vec<Act>,
}

/// What a step waits for: exactly one of the first five.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Await {
    /// A gate holds something.
    pub held: Option<String>,
    /// So many held, 1 unless told otherwise.
    pub count: Option<usize>,
    /// A request to this endpoint arrived since the previous step.
    pub request: Option<crate::journal::Endpoint>,
    /// With `request`: only one that presents a token issued since the previous step.
    #[serde(default)]
    pub fresh: bool,
    /// With `request`: until the subject has read the answer to it, or has hung up. In a run a request counts, too, that was under way before.
    #[serde(default)]
    pub read: bool,
    /// The subject's status reads so.
    pub status: Option<Status>,
    /// With `held` or `request`: status and prompt are read at once, whatever is under way.
    #[serde(default)]
    pub look: bool,
    /// A log line matches this regex since the previous step.
    pub log: Option<String>,
    /// The subject has settled; every probe is read then.
    pub settled: Option<bool>,
    /// How long at most; 10 s unless told otherwise. In a run three times as long for `held`, while the subject is at work on what it was asked.
    #[serde(default, deserialize_with = "maybe_duration")]
    #[schemars(with = "Option<String>")]
    pub within: Option<Duration>,
    /// What it means if it did not come.
    #[serde(default, rename = "else")]
    pub otherwise: Otherwise,
}

/// What the subject says of its connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, serde::Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    /// It works.
    Connected,
    /// The user must reauthenticate.
    Disconnected,
    /// It works for neither side.
    Broken,
}

/// What it means if an awaited thing did not come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Otherwise {
    /// The rest is told all the same; the story counts as not realised.
    #[default]
    NotRealised,
    /// The story is a harness fault.
    FailScenario,
    /// It may come or not: the rest is told, and nothing is amiss.
    GoOn,
}

/// One thing that the user, the provider or the harness does. A closed list.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Act {
    /// The user connects again.
    Reconnect(Reconnect),
    /// The user starts to connect and denies.
    Deny(Times),
    /// The user starts to connect and walks away at the consent page.
    Abandon(Times),
    /// The user disconnects in the subject.
    Disconnect(Disconnect),
    /// The grant ends at the provider.
    Revoke(Revoke),
    /// The next call must refresh: the API rejects the access token (or it runs out).
    NeedRefresh(NeedRefresh),
    /// A token runs out.
    Expire(Token),
    /// The API rejects the access token with this status, whatever its state, until told otherwise.
    Reject(Token),
    /// The client gets a new secret.
    RotateSecret(RotateSecret),
    /// The client gets a further secret, beside those it has.
    AddSecret(AddSecret),
    /// The end of one of the client's secrets is set.
    RetireSecret(RetireSecret),
    /// One of the client's secrets is withdrawn at once.
    RevokeSecret(RevokeSecret),
    /// The API's clock goes apart from the authorisation server's.
    SkewApi(SkewApi),
    /// The provider's clock moves.
    Advance(
        #[serde(deserialize_with = "duration")]
        #[schemars(with = "String")]
        Duration,
    ),
    /// Units of work come into being at the provider.
    AddWork(Times),
    /// A gate lets go.
    Release(Release),
    /// A gate drops what it holds.
    Drop(String),
    /// The subject is asked to work.
    Trigger(Trigger),
    /// Whoever asked the subject for work over HTTP, and waits for the answer, hangs up.
    HangUp(Times),
    /// kill -9 to all of the subject, or to one of its processes.
    Kill(Whom),
    /// SIGSTOP to all of the subject, or to one of its processes.
    Pause(Whom),
    /// SIGCONT to all that was stopped.
    Continue(Times),
    /// Stop in good order; `restart` starts again.
    Stop(Times),
    /// Real time passes until the newest token has run out by the life it was announced with.
    Outlive(AccessWord),
    /// Stop in good order and start again (after a kill or a stop: start).
    Restart(Times),
    /// The subject takes its new client secret: by `start.reload`, else by a restart.
    Reload(Times),
}

impl Act {
    /// Whether the provider does it by itself; the rest is left to the person, or to the harness in their place.
    #[must_use]
    pub fn is_provider_s(&self) -> bool {
        match self {
            Self::Revoke(_)
            | Self::NeedRefresh(_)
            | Self::Expire(_)
            | Self::Reject(_)
            | Self::RotateSecret(_)
            | Self::AddSecret(_)
            | Self::RetireSecret(_)
            | Self::RevokeSecret(_)
            | Self::SkewApi(_)
            | Self::Advance(_)
            | Self::AddWork(_)
            | Self::Release(_)
            | Self::Drop(_) => true,
            Self::Reconnect(_)
            | Self::Deny(_)
            | Self::Abandon(_)
            | Self::Disconnect(_)
            | Self::Trigger(_)
            | Self::Kill(_)
            | Self::Pause(_)
            | Self::Continue(_)
            | Self::HangUp(_)
            | Self::Stop(_)
            | Self::Outlive(_)
            | Self::Restart(_)
            | Self::Reload(_) => false,
        }
    }
}

/// How often. Written `{ times = 2 }` or just a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Times {
    /// A number.
    Number(u32),
    /// `{ times = 2 }`.
    Table {
        /// The number.
        times: u32,
    },
}

impl Times {
    /// The number.
    #[must_use]
    pub fn get(self) -> u32 {
        match self {
            Self::Number(n) | Self::Table { times: n } => n,
        }
    }
}

/// `disconnect = 1` or `{ detached = true }`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Disconnect {
    /// How often, one after the other.
    Number(u32),
    /// In more words.
    Table(DisconnectTable),
}

/// `{ times = 1, detached = true }`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DisconnectTable {
    /// How often, once unless told otherwise.
    #[serde(default = "once")]
    pub times: u32,
    /// Go on without waiting for the answer.
    #[serde(default)]
    pub detached: bool,
}

impl Disconnect {
    /// How often.
    #[must_use]
    pub fn times(self) -> u32 {
        match self {
            Self::Number(times) | Self::Table(DisconnectTable { times, .. }) => times,
        }
    }

    /// Whether nobody waits for the answer.
    #[must_use]
    pub fn is_detached(self) -> bool {
        match self {
            Self::Number(_) => false,
            Self::Table(table) => table.detached,
        }
    }
}

/// `reconnect = {}`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Reconnect {
    /// Before the genuine callback a forged one with a `state` of our own is delivered.
    pub forged_first: bool,
    /// Before the genuine callback one without any `state` is delivered.
    pub stateless_first: bool,
    /// The user takes their time at the consent page; the subject comes to rest meanwhile, and its storage is searched.
    pub lingers: bool,
    /// The browser delivers the same callback twice, the second time at once.
    pub callback_twice: bool,
    /// The user does it in two tabs: consents in both, then both callbacks are delivered at once.
    pub two_tabs: bool,
    /// Go on without waiting for the answer to the callback.
    pub detached: bool,
    /// The user sets out from the place that `prompt.from` names, where that shows a way; whether they are brought back there is noted.
    pub from_prompt: bool,
    /// The user consents in another browser window for this company, from 1; the connection's own unless told otherwise.
    pub company: Option<u32>,
    /// Which connection, from 1; the first unless told otherwise.
    pub connection: Option<u32>,
}

/// `need_refresh = "access"` or `{ connection = 2 }`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum NeedRefresh {
    /// Every connection, by the word `access`.
    Word(Token),
    /// One connection.
    Table {
        /// Which, from 1.
        connection: u32,
    },
}

/// `revoke = "grant"` or `{ cause = "policy" }`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Revoke {
    /// The word `grant`.
    Word(GrantWord),
    /// With a cause.
    Table {
        /// Who ends it; the user unless told otherwise.
        #[serde(default)]
        cause: CauseWord,
        /// Which connection's, from 1; every one's unless told otherwise.
        connection: Option<u32>,
    },
}

/// The only thing that can be revoked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum GrantWord {
    /// The grant.
    Grant,
}

/// A cause, as written in a scenario.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum CauseWord {
    /// The user.
    #[default]
    User,
    /// A security event.
    Security,
    /// A policy.
    Policy,
    /// Credential rotation.
    CredentialRotation,
}

impl Revoke {
    /// The cause; the user unless told otherwise.
    #[must_use]
    pub fn cause(&self) -> Cause {
        match self {
            Self::Word(GrantWord::Grant) | Self::Table { cause: CauseWord::User, .. } => Cause::User,
            Self::Table { cause: CauseWord::Security, .. } => Cause::Security,
            Self::Table { cause: CauseWord::Policy, .. } => Cause::Policy,
            Self::Table { cause: CauseWord::CredentialRotation, .. } => Cause::CredentialRotation,
        }
    }

    /// Which connection's, from 1; none: every one's.
    #[must_use]
    pub fn connection(&self) -> Option<u32> {
        match self {
            Self::Word(GrantWord::Grant) => None,
            Self::Table { connection, .. } => *connection,
        }
    }
}

/// The only token whose life is short enough to be waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum AccessWord {
    /// The access token.
    Access,
}

/// Which token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Token {
    /// The access token.
    Access,
    /// The refresh token (with it, the access token).
    Refresh,
}

/// `trigger = { times = 3, together = true }`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Trigger {
    /// How often, once unless told otherwise.
    #[serde(default = "once")]
    pub times: u32,
    /// All at once instead of one after the other.
    #[serde(default)]
    pub together: bool,
    /// Every source of work that the manifest declares, not only `[trigger]`; and the webhooks to which the subject subscribed itself.
    #[serde(default)]
    pub every_source: bool,
    /// Go on without waiting for the answers.
    #[serde(default)]
    pub detached: bool,
    /// For which connection, from 1; the first unless told otherwise.
    pub connection: Option<u32>,
    /// For every connection.
    #[serde(default)]
    pub every_connection: bool,
    /// By every process of the subject; else they take turns.
    #[serde(default)]
    pub every_process: bool,
    /// Once more every second, for some seconds, as long as the subject refuses and calls nothing: it may be waiting out a pause.
    #[serde(default)]
    pub until_it_works: bool,
}

fn once() -> u32 {
    1
}

/// Reads `"250ms"`, `"2s"`, `"15m"`, `"1h"`, `"60d"`.
///
/// # Errors
/// Anything else.
pub fn duration<'de, D: Deserializer<'de>>(d: D) -> Result<Duration, D::Error> {
    let text = String::deserialize(d)?;
    parse_duration(&text)
        .ok_or_else(|| serde::de::Error::custom(format!("{text:?} is no duration: write a number with ms, s, m, h or d, such as \"2s\"")))
}

pub(crate) fn maybe_duration<'de, D: Deserializer<'de>>(d: D) -> Result<Option<Duration>, D::Error> {
    duration(d).map(Some)
}

/// Reads a duration such as `"250ms"`.
#[must_use]
pub fn parse_duration(text: &str) -> Option<Duration> {
    let split = text.find(|c: char| !c.is_ascii_digit())?;
    let number: u64 = text[..split].parse().ok()?;
    let millis = match &text[split..] {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return None,
    };
    number.checked_mul(millis).map(Duration::from_millis)
}
