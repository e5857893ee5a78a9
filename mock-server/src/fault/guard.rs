//! What rules and gates give to those who work with them from Rust: a guard that takes a rule back, and what did not come.

use std::time::Duration;

use super::RuleId;
use crate::Control;

/// Keeps a rule installed until it is dropped.
#[must_use = "dropping it removes the rule"]
pub struct RuleGuard {
    control: Control,
    rule: Option<RuleId>,
}

impl RuleGuard {
    pub(crate) fn new(control: Control, rule: RuleId) -> Self {
        Self { control, rule: Some(rule) }
    }

    /// The rule's id; `None` once it was given up.
    #[must_use]
    pub fn rule(&self) -> Option<RuleId> {
        self.rule
    }

    /// Leaves the rule installed for good.
    pub fn keep(mut self) -> Option<RuleId> {
        self.rule.take()
    }
}

impl Drop for RuleGuard {
    fn drop(&mut self) {
        if let Some(rule) = self.rule {
            self.control.remove(rule);
        }
    }
}

/// Not as many came to a gate as were awaited.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", super::gate::told(gate, *came, Some(*wanted), *within, 0, why))]
pub struct Missing {
    /// The gate.
    pub gate: String,
    /// So many it holds.
    pub came: usize,
    /// So many were awaited.
    pub wanted: usize,
    /// So long.
    pub within: Duration,
    /// What is known of the rules that hold there, e.g. `no request matched rule 3 after 1.204s`.
    pub why: String,
}
