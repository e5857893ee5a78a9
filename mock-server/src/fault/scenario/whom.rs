//! Whom `pause` and `kill` mean: all of the subject, or the one process whose request a gate holds.

use schemars::JsonSchema;
use serde::Deserialize;

use super::Times;

/// `pause = 1` or `{ held = "refresh" }`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Whom {
    /// All of the subject.
    All(Times),
    /// One of the processes that share a store; the others go on.
    One(Held),
}

/// `{ held = "refresh" }`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Held {
    /// The process that sent what this gate holds. It is not asked for work until it goes on, or is started again.
    pub held: String,
}
