//! The word `pause`: all of the subject, or the one process whose request a gate holds.

use schemars::JsonSchema;
use serde::Deserialize;

use super::Times;

/// `pause = 1` or `{ held = "refresh" }`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Pause {
    /// All of the subject.
    All(Times),
    /// One of the processes that share a store; the others go on.
    One(PauseOne),
}

/// `{ held = "refresh" }`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PauseOne {
    /// The process that sent what this gate holds. It is not asked for work until it goes on.
    pub held: String,
}
