//! The scenario file.

use regrant_authority::Policy;

use super::{Broken, hold};
use crate::fault::{
    Rule,
    scenario::{Scenario, ScenarioError, apply_policy},
};

/// Reads the input as a scenario file.
///
/// # Errors
/// A refusal without its place, or rules that read differently once they were written.
pub fn scenario(input: &[u8]) -> Result<(), Broken> {
    let Ok(text) = std::str::from_utf8(input) else { return Ok(()) };
    match Scenario::parse(text) {
        Err(refusal) => has_a_place(text, &refusal),
        Ok(scenario) => {
            hold(!scenario.tests.is_empty() && !scenario.title.trim().is_empty(), "what is accepted is complete", &scenario)?;
            apply_policy(&scenario.provider, &mut Policy::default());
            scenario.rules.iter().try_for_each(is_read_as_written)
        }
    }
}

fn has_a_place(text: &str, refusal: &ScenarioError) -> Result<(), Broken> {
    let before = text.get(..refusal.offset);
    hold(before.is_some(), "the place is in the text", refusal)?;
    let line = before.unwrap_or_default().matches('\n').count() + 1;
    hold(refusal.line == line && refusal.column >= 1, "line and column are those of the place", refusal)?;
    hold(!refusal.message.is_empty(), "a refusal says why", refusal)
}

fn is_read_as_written(rule: &Rule) -> Result<(), Broken> {
    let written = serde_json::to_string(rule).map_err(|error| format!("a rule can be written: {error}: {rule:?}"))?;
    let read: Rule = serde_json::from_str(&written).map_err(|error| format!("what was written can be read: {error}: {written}"))?;
    hold(read == *rule, "what was written reads the same", &(rule, read.clone()))
}
