//! What a scenario must fulfil beyond its grammar, and where in the text a fault stands.

use toml::de::{DeTable, DeValue};

use super::{Act, Await, NeedRefresh, Release, ReleaseSome, Scenario, Whom};
use crate::fault::{Fate, Rule};

/// A fault: where, what, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) place: Vec<Part>,
    pub(super) message: String,
    pub(super) advice: String,
}

/// A step on the way to a place in the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Part {
    Key(&'static str),
    /// A key that the author chose.
    Name(String),
    Index(usize),
}

/// The first fault in the order of the file's parts.
pub(super) fn first_fault(scenario: &Scenario) -> Option<Fault> {
    if scenario.title.trim().is_empty() {
        return Some(fault(vec![Part::Key("title")], "the title is empty", "one line for a person"));
    }
    if scenario.tests.is_empty() {
        return Some(fault(vec![Part::Key("tests")], "tests is missing or empty", "name at least one requirement, e.g. [\"STOP-01\"]"));
    }
    let rules = scenario.rules.iter().enumerate().find_map(|(i, rule)| rule_fault(i, rule));
    rules.or_else(|| gate_table_fault(scenario)).or_else(|| {
        scenario.steps.iter().enumerate().find_map(|(i, step)| {
            let wait = step.wait.as_ref().and_then(|wait| wait_fault(scenario, i, wait));
            wait.or_else(|| step.acts.iter().enumerate().find_map(|(j, act)| act_fault(scenario, i, j, act)))
        })
    })
}

fn rule_fault(index: usize, rule: &Rule) -> Option<Fault> {
    let place = |key| vec![Part::Key("rule"), Part::Index(index), Part::Key(key)];
    rule.check().err().map(|wrong| fault(place(wrong.member), &wrong.message, &wrong.advice))
}

fn gate_table_fault(scenario: &Scenario) -> Option<Fault> {
    scenario.gates.iter().find_map(|(name, options)| {
        let place = vec![Part::Key("gate"), Part::Name(name.clone())];
        if options.opens_at == Some(0) {
            return Some(fault(place, "opens_at counts from 1", "leave it out for a gate that opens when it is released"));
        }
        if options.rearm && options.opens_at.is_none() && options.timeout.is_none() {
            return Some(fault(place, "rearm goes with opens_at or timeout only", "opens_at = 2"));
        }
        gate_fault(place, name, &gates(scenario))
    })
}

fn wait_fault(scenario: &Scenario, index: usize, wait: &Await) -> Option<Fault> {
    let at = || vec![Part::Key("step"), Part::Index(index), Part::Key("await")];
    let asked = [wait.held.is_some(), wait.request.is_some(), wait.status.is_some(), wait.log.is_some(), wait.settled.is_some()];
    if asked.iter().filter(|asked| **asked).count() != 1 {
        return Some(fault(at(), "an await waits for exactly one thing", "one of held, request, status, log, settled"));
    }
    if wait.settled == Some(false) {
        return Some(fault(at(), "settled = false is nothing to wait for", "settled = true"));
    }
    if wait.count.is_some() && wait.held.is_none() {
        return Some(fault(at(), "count goes with held only", "leave it out"));
    }
    if wait.look && wait.held.is_none() && wait.request.is_none() {
        return Some(fault(at(), "look goes with held or request only", "leave it out: whoever waits for settled looks anyway"));
    }
    if wait.fresh && wait.request.is_none() {
        return Some(fault(at(), "fresh goes with request only", "leave it out"));
    }
    if wait.read && wait.request.is_none() {
        return Some(fault(at(), "read goes with request only", "leave it out"));
    }
    wait.held.as_ref().and_then(|gate| gate_fault(at(), gate, &gates(scenario)))
}

fn act_fault(scenario: &Scenario, step: usize, index: usize, act: &Act) -> Option<Fault> {
    let place = vec![Part::Key("step"), Part::Index(step), Part::Key("do"), Part::Index(index)];
    match act {
        Act::Release(Release::All(name)) => gate_fault(place, name, &[gates(scenario), ends(scenario)].concat()),
        Act::Release(Release::Some(ReleaseSome { order: Some(_), nth: Some(_), .. })) => {
            Some(fault(place, "one alone has no order", "either order or nth"))
        }
        Act::Release(Release::Some(ReleaseSome { nth: Some(0), .. })) => Some(fault(place, "nth counts from 1", "nth = 1")),
        Act::Release(Release::Some(some)) => gate_fault(place, &some.gate, &gates(scenario)),
        Act::Drop(gate) => gate_fault(place, gate, &gates(scenario)),
        Act::Pause(Whom::One(one)) | Act::Kill(Whom::One(one)) => gate_fault(place, &one.held, &gates(scenario)),
        Act::Reconnect(how) => connection_fault(scenario, place, how.connection),
        Act::Revoke(how) => connection_fault(scenario, place, how.connection()),
        Act::NeedRefresh(NeedRefresh::Table { connection }) => connection_fault(scenario, place, Some(*connection)),
        Act::Trigger(how) => connection_fault(scenario, place, how.connection),
        Act::SkewApi(how) if how.skew().is_none() => Some(fault(place, "a clock cannot be ahead and behind at once", "leave one out")),
        _ => None,
    }
}

fn connection_fault(scenario: &Scenario, place: Vec<Part>, connection: Option<u32>) -> Option<Fault> {
    let wrong = connection.filter(|number| !(1..=scenario.connections).contains(number))?;
    Some(fault(place, &format!("there is no connection {wrong}"), "connections = 2 at the top; connections count from 1"))
}

/// The gates that rules hold at.
fn gates(scenario: &Scenario) -> Vec<&str> {
    scenario.rules.iter().filter_map(|rule| if let Fate::Hold(gate) = &rule.fate { Some(gate.as_str()) } else { None }).collect()
}

/// The names whose release ends a rule.
fn ends(scenario: &Scenario) -> Vec<&str> {
    scenario.rules.iter().filter_map(|rule| rule.until.as_deref()).collect()
}

fn gate_fault(place: Vec<Part>, gate: &str, gates: &[&str]) -> Option<Fault> {
    if gates.contains(&gate) {
        return None;
    }
    let nearest = gates.iter().max_by(|a, b| strsim::jaro_winkler(gate, a).total_cmp(&strsim::jaro_winkler(gate, b)));
    let advice = match nearest {
        Some(name) => format!("did you mean {name:?}?"),
        None => format!("add a [[rule]] with fate = {{ hold = {gate:?} }}"),
    };
    Some(fault(place, &format!("no rule holds anything at {gate:?}"), &advice))
}

fn fault(place: Vec<Part>, message: &str, advice: &str) -> Fault {
    Fault { place, message: message.to_owned(), advice: advice.to_owned() }
}

/// Where a place stands in the text, or the deepest part of the way that exists.
pub(super) fn locate(text: &str, place: &[Part]) -> usize {
    let Ok(table) = DeTable::parse(text) else { return 0 };
    let mut parts = place.iter();
    let Some(Part::Key(first)) = parts.next() else { return 0 };
    let Some((key, mut value)) = table.get_ref().get_key_value(*first) else { return 0 };
    let mut at = key.span().start;
    for part in parts {
        let next = match (part, value.get_ref()) {
            (Part::Key(name), DeValue::Table(table)) => table.get_key_value(*name).map(|(key, value)| (key.span().start, value)),
            (Part::Name(name), DeValue::Table(table)) => table.get_key_value(name.as_str()).map(|(key, value)| (key.span().start, value)),
            (Part::Index(index), DeValue::Array(array)) => array.get(*index).map(|value| (value.span().start, value)),
            _ => None,
        };
        let Some((start, deeper)) = next else { break };
        (at, value) = (start, deeper);
    }
    at
}
