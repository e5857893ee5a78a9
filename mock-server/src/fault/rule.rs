//! One rule: match, point, fate. As TOML it reads `on = {…}`, `at = "…"`, `fate = {…}`.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Fate, scenario::maybe_duration, words::span};
use crate::journal::Endpoint;

/// Names an installed rule.
pub type RuleId = u32;

/// What happens to which traffic.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// Which requests.
    pub on: Match,
    /// Where on their way.
    #[serde(default)]
    pub at: Point,
    /// What becomes of them.
    pub fate: Fate,
    /// In force until this name is released; without it, until the end of the story.
    #[serde(default)]
    pub until: Option<String>,
}

/// Which requests a rule is for; what is absent matches everything.
///
/// Of several rules that are for a request the one that states the most decides ([`Match::stated`]); of equals, the oldest.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Match {
    /// Part of the provider.
    pub endpoint: Option<Endpoint>,
    /// `grant_type` of a token request.
    pub grant: Option<String>,
    /// Path prefix.
    pub path: Option<String>,
    /// Method.
    pub method: Option<String>,
    /// Id of the client: the one that authenticates itself, else the one whose token or code is presented.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client: Option<String>,
    /// Company of the token or code that is presented, by its place; 0 is the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub company: Option<u32>,
    /// How many tokens of its kind and grant were issued before the one that is presented: 0 for those of the code exchange.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generation: Option<u32>,
    /// Only the nth matching request, from 1, counted from the end of the prologue (or from installation); with `times`, so many from the nth on.
    pub nth: Option<u32>,
    /// Only the first so many matching requests.
    pub times: Option<u32>,
    /// Each of those with this probability, from 0 to 1; decided by the provider's seed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub probability: Option<f64>,
    /// Only requests that come so long after the end of the prologue (or installation), or later.
    #[serde(default, deserialize_with = "maybe_duration", serialize_with = "span", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub from: Option<Duration>,
    /// Only requests that come within so long after `from`.
    #[serde(
        default,
        rename = "for",
        deserialize_with = "maybe_duration",
        serialize_with = "span",
        skip_serializing_if = "Option::is_none"
    )]
    #[schemars(with = "Option<String>")]
    pub lasting: Option<Duration>,
    /// By which clock `from` and `for` are counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clock: Option<WindowClock>,
}

/// A clock by which an outage is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum WindowClock {
    /// The provider's, which `advance` moves.
    #[default]
    Provider,
    /// That of the host.
    Real,
}

impl Match {
    /// How many members are stated; `from`, `for` and `clock` are one together.
    #[must_use]
    pub fn stated(&self) -> usize {
        let stated = [
            self.endpoint.is_some(),
            self.grant.is_some(),
            self.path.is_some(),
            self.method.is_some(),
            self.client.is_some(),
            self.company.is_some(),
            self.generation.is_some(),
            self.nth.is_some(),
            self.times.is_some(),
            self.probability.is_some(),
            self.from.is_some() || self.lasting.is_some(),
        ];
        stated.into_iter().filter(|stated| *stated).count()
    }

    /// Whether it must be known who presents what.
    pub(crate) fn asks_who(&self) -> bool {
        self.client.is_some() || self.company.is_some() || self.generation.is_some()
    }
}

/// Where on a request's way a rule applies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Deserialize, serde::Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Point {
    /// It was read whole; nothing was looked at.
    #[default]
    Arrived,
    /// The client or the token was checked.
    Authenticated,
    /// The outcome is known, nothing was changed. For reads this is the same as `committed`.
    Decided,
    /// The change was made (tokens rotated, work recorded); the reply was not begun.
    Committed,
    /// Half of the reply was written.
    Replying,
}
