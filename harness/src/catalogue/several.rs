//! Several processes of one subject that share a store: what their checks have in common.

use std::collections::BTreeSet;

use super::Finding;
use crate::{
    evidence::{Instance, Micros, What},
    judge::{Exchange, Mark, View},
};

/// The finding for a subject that has, or declares, one process only.
pub(super) fn wanted(view: &View<'_>) -> Option<Finding> {
    match view.terms.processes {
        Some(1) => Some(Finding::not_applicable("the subject has one process only (`features.processes`)")),
        Some(_) => None,
        None => Some(Finding::locked("it is not known whether several processes share the store", "features.processes = 2")),
    }
}

/// So long a lock lasts at the least, be it a lease: what is seen in a shorter time says nothing of one that comes to its end.
pub(super) const LEASE: Micros = 4_000_000;

/// A process was stopped where it is at this moment.
pub(super) fn stands_still(view: &View<'_>, instance: Option<Instance>, moment: Mark) -> bool {
    let before = view.events().take_while(|(mark, _)| *mark < moment);
    before.fold(false, |still, (_, what)| match what {
        What::Paused { instance: paused } => still || paused.is_none() || *paused == instance,
        What::Continued => false,
        _ => still,
    })
}

/// The processes that were started side by side.
pub(super) fn instances(view: &View<'_>) -> Vec<Instance> {
    let started = view.events().filter_map(|(_, what)| match what {
        What::ProcessStarted { instance, .. } => *instance,
        What::VerbCalled { instance, .. } => *instance,
        _ => None,
    });
    let mut all: Vec<Instance> = started.collect();
    all.sort_unstable();
    all.dedup();
    all
}

/// These two requests came from two processes, for certain.
pub(super) fn are_two(one: &Exchange<'_>, other: &Exchange<'_>) -> bool {
    matches!((one.instance, other.instance), (Some(one), Some(other)) if one != other)
}

/// They were sent by one process: there is only one, or the address tells.
pub(super) fn are_one(view: &View<'_>, one: &Exchange<'_>, other: &Exchange<'_>) -> bool {
    is_alone(view) || (one.instance.is_some() && one.instance == other.instance)
}

/// The subject has one process in this story, whatever it can have in others.
fn is_alone(view: &View<'_>) -> bool {
    let started = view.events().filter_map(|(_, what)| match what {
        What::ProcessStarted { process, .. } => Some(process.as_str()),
        _ => None,
    });
    let started: BTreeSet<&str> = started.collect();
    let has_one = view.terms.processes.is_none_or(|processes| processes < 2);
    started.len() < 2 && (has_one || (started.len() == 1 && instances(view).is_empty()))
}

/// Who sent it, in words.
pub(super) fn who(x: &Exchange<'_>) -> String {
    x.instance.map_or_else(|| "a process that cannot be told".into(), |instance| format!("process {instance}"))
}

/// A process that called the API before a moment is told by its address. The first that did not.
pub(super) fn silent_before(view: &View<'_>, instances: &[Instance], moment: Mark) -> Option<Instance> {
    let called = |instance: Instance| view.exchanges.iter().any(|x| x.is_api() && x.instance == Some(instance) && x.arrived < moment);
    instances.iter().copied().find(|instance| !called(*instance))
}

/// Why nothing is known of a process.
pub(super) fn unseen(instance: Instance) -> Finding {
    Finding::undecided(format!(
        "process {instance} never called the API at an address of its own: another one took the work, or it has that one's address ({{api_url}} and \
         {{token_url}} are handed to each process)"
    ))
}
