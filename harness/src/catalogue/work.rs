//! Units of work: when each came into being, was accepted, was delivered.

use std::collections::{BTreeMap, BTreeSet};

use super::shared::START;
use crate::{
    evidence::{Outcome, What},
    judge::{Exchange, Mark, Progress, View, WorkKind},
};

/// Units by their ids.
pub(super) type Ledger<'h> = BTreeMap<String, Unit<'h>>;

/// The fate of one unit of work.
#[derive(Default)]
pub(super) struct Unit<'h> {
    /// When it came into being, or was carried by a trigger.
    pub(super) born: Option<Mark>,
    /// When the subject took it on.
    pub(super) accepted: Option<Mark>,
    /// The trigger that carried it was neither accepted nor refused.
    pub(super) unknown: bool,
    /// The subject said of the trigger that carried it: it is done.
    pub(super) said_done: Option<Mark>,
    /// The subject's newest word on it is one that was said of work which was done later.
    pub(super) said_open: Option<Mark>,
    /// Accepted requests that delivered it.
    pub(super) deliveries: Vec<Delivery<'h>>,
}

/// One delivery.
pub(super) struct Delivery<'h> {
    /// When the request had arrived.
    pub(super) sent: Mark,
    /// When the subject had read the 2xx.
    pub(super) read: Option<Mark>,
    /// Method and path.
    pub(super) request: (&'h str, &'h str),
    /// It reports or writes something; a GET that names the unit does not.
    pub(super) is_report: bool,
}

/// All units of a story.
pub(super) fn ledger<'h>(view: &View<'h>) -> Ledger<'h> {
    let mut units = Ledger::new();
    for (mark, what) in view.events() {
        // Where work is pushed, only what a trigger carried is the subject's to deliver.
        if let What::WorkAdded { units: new } = what
            && view.terms.work != Some(WorkKind::Push)
        {
            for id in new {
                units.entry(id.clone()).or_default().born = Some(mark);
            }
        }
    }
    let accepted: Vec<Mark> =
        view.triggers(START, Mark::END).filter(|c| c.outcome() == Some(Outcome::Accepted)).map(|c| c.called).collect();
    for unit in units.values_mut() {
        unit.accepted = accepted.iter().copied().find(|t| unit.born.is_some_and(|b| *t > b));
    }
    let waits = words_of_waiting(view);
    for call in view.triggers(START, Mark::END) {
        // Elsewhere it names the job that was asked for, which no API ever sees.
        let Some(item) = call.item.filter(|_| view.terms.work == Some(WorkKind::Push)) else { continue };
        let unit = units.entry(item.to_owned()).or_default();
        unit.born = Some(call.called);
        unit.said_done = call.progress.filter(|progress| progress.done).map(|progress| progress.mark);
        let is_open = |progress: &Progress<'_>| !progress.done && progress.says.is_some_and(|word| waits.contains(word));
        unit.said_open = call.progress.filter(is_open).map(|progress| progress.mark);
        match call.outcome() {
            Some(Outcome::Accepted) => unit.accepted = Some(call.called),
            Some(Outcome::Refused) => {}
            Some(Outcome::NoAnswer | Outcome::HungUp) | None => unit.unknown = true,
        }
    }
    for x in view.exchanges.iter().filter(|x| x.is_api() && x.answered(2)) {
        let delivery =
            || Delivery { sent: x.arrived, read: x.read, request: (x.method, x.path), is_report: !matches!(x.method, "GET" | "HEAD") };
        for id in delivered_by(view.terms.work, x) {
            if let Some(unit) = units.get_mut(id) {
                unit.deliveries.push(delivery());
            }
        }
    }
    units
}

/// The units that a request delivers, by the kind of work.
pub(super) fn delivered_by<'h>(work: Option<WorkKind>, x: &Exchange<'h>) -> Vec<&'h str> {
    let Some(api) = &x.api else { return Vec::new() };
    let mut all: Vec<&str> = match work {
        Some(WorkKind::Export) => api.delivered.iter().map(String::as_str).collect(),
        Some(WorkKind::Read) => api.handed_out.iter().map(String::as_str).collect(),
        Some(WorkKind::Push) => api.delivered.iter().chain(x.units).map(String::as_str).collect(),
        None => Vec::new(),
    };
    all.sort_unstable();
    all.dedup();
    all
}

/// What the subject says of work that waits, and not of work that has failed: it said so of work that it called done later.
fn words_of_waiting<'h>(view: &View<'h>) -> BTreeSet<&'h str> {
    let done = |call: u32, after: Mark| {
        view.calls.iter().any(|it| it.id == call && it.progress.is_some_and(|progress| progress.done && progress.mark > after))
    };
    let word = |(mark, what): (Mark, &'h What)| match what {
        What::JobPolled { call, done: false, status: Some(200..=299), says: Some(says), .. } => done(*call, mark).then_some(says.as_str()),
        _ => None,
    };
    view.events().filter_map(word).collect()
}

/// When the subject called a unit done that was never delivered, though it has come to rest since: no request that may have taken effect
/// named it. The subject's word alone acquits nobody.
pub(super) fn claimed(view: &View<'_>, units: &Ledger<'_>, id: &str) -> Option<Mark> {
    let unit = units.get(id)?;
    let rest = view.rests.last().filter(|rest| rest.quiet)?;
    let said = unit.said_done.filter(|said| *said < rest.mark)?;
    let turned_away = |x: &Exchange<'_>| x.replied.is_some_and(|(_, status, _)| matches!(status, 401 | 403));
    let may_have_come = |x: &&Exchange<'_>| x.is_api() && x.units.iter().any(|unit| unit == id) && !turned_away(x);
    let lost = unit.accepted.is_some() && unit.deliveries.is_empty() && !view.exchanges.iter().any(|x| may_have_come(&x));
    lost.then_some(said)
}
