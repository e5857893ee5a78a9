//! From the provider's journal to evidence.
#![allow(clippy::todo, unused_variables, reason = "filled in by the next commits")]

use std::time::Duration;

use regrant_mock_server::journal::Entry;

use crate::{canary::CanarySet, evidence::What};

/// The header by which the harness's own agent shows itself to the provider.
pub const AGENT_HEADER: &str = "x-regrant-agent";

/// Turns journal entries into events, in order, with the byte-exact facts found in them. One per provider.
pub struct WireCollector {
    agent_token: String,
    canaries: CanarySet,
}

impl WireCollector {
    /// `agent_token`: the value of [`AGENT_HEADER`] in requests of the harness's own agent.
    #[must_use]
    pub fn new(agent_token: impl Into<String>, canaries: CanarySet) -> Self {
        Self { agent_token: agent_token.into(), canaries }
    }

    /// From now on these ids of units of work are recognised in requests. Those of `WorkAdded` are known by themselves.
    pub fn know_units<S: Into<String>>(&mut self, units: impl IntoIterator<Item = S>) {
        todo!()
    }

    /// The events of one entry, each with its time since the provider's epoch (`began` counts from there too). Entries must
    /// come in order. In a `CanarySeen`, `seen` is 0: the caller puts the number of the first event of this batch there.
    pub fn translate(&mut self, entry: &Entry) -> Vec<(Duration, What)> {
        todo!()
    }
}
