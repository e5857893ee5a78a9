//! RACE: what happens at the same time.

use super::{Finding, Level::*, Requirement, Severity::*, shared::*};
use crate::{
    evidence::{Outcome, What},
    judge::{Exchange, Mark, View, WorkKind, control},
};

/// The group.
pub(super) const ALL: &[Requirement] = &[
    Requirement {
        id: "RACE-01",
        level: Must,
        severity: Error,
        sentence: "has at most one refresh in flight per connection",
        sources: &["Pleo, Centralised token refresh: only one refresh request at a time", "Pleo, Race condition prevention"],
        why: "Eight parallel calls meet an expired token and send eight refreshes: one wins, seven replay a spent token, and Pleo ends the family.",
        observed: "Refresh requests that begin while the reply to another one has not been written yet; one refresh is held while at least three triggers are delivered.",
        undecided: "No refresh was held, or fewer than three triggers were delivered meanwhile.",
        remedy: "Put the refresh behind one lock or one shared future per connection, and read the store again once the lock is yours.",
        declarable: true,
        check: race_01,
    },
    Requirement {
        id: "RACE-03",
        level: Must,
        severity: Error,
        sentence: "lets the waiters go on with the new token: no call lost, none hangs",
        sources: &["Pleo, How to refresh tokens: other requests wait for the refreshed token", "Pleo, Race condition prevention"],
        why: "The lock is there, but those who waited fail with the old token, or wait for ever because nobody wakes them.",
        observed: "Triggers delivered while a refresh was held: whether they were answered, and whether the work goes on with the new token afterwards.",
        undecided: "No refresh was held, or fewer than three triggers were delivered meanwhile.",
        remedy: "After waiting, take the token from the store and do the work; never fail a caller because somebody else was refreshing.",
        declarable: true,
        check: race_03,
    },
];

/// When a refresh was certainly over: its reply was written, its connection ended, or its process was killed.
fn over(view: &View<'_>, x: &Exchange<'_>) -> Mark {
    let replied = x.replied.map(|(mark, ..)| mark);
    let aborted = x.aborted.map(|(mark, _)| mark);
    let killed =
        view.marks(|w| matches!(w, What::ProcessStopping { .. } | What::ProcessExited { .. })).into_iter().find(|m| *m > x.arrived);
    [replied, aborted, killed].into_iter().flatten().min().unwrap_or(Mark::END)
}

fn race_01(view: &View<'_>) -> Finding {
    let all: Vec<_> = view.exchanges.iter().filter(|x| x.is_refresh()).collect();
    for (index, first) in all.iter().enumerate() {
        let end = over(view, first);
        if let Some(second) = all[index + 1..].iter().find(|x| x.began < end.at && x.arrived.at > first.began) {
            let reason =
                format!("a second refresh began while one with {} was in flight", first.token_name().unwrap_or("an unknown token"));
            return Finding::fail(reason, vec![first.arrived.n, second.arrived.n]);
        }
    }
    match held(view) {
        Ok((x, stimuli)) => {
            Finding::pass("one refresh was held, work was asked for, and no second refresh began", [vec![x.arrived.n], stimuli].concat())
        }
        Err(finding) => finding,
    }
}

/// A refresh that was held while at least three triggers were delivered.
fn held<'v, 'h>(view: &'v View<'h>) -> Result<(&'v Exchange<'h>, Vec<u32>), Finding> {
    let Some(x) = view.exchanges.iter().find(|x| x.is_refresh() && x.held.is_some()) else {
        return Err(Finding::undecided(view.unrealised().unwrap_or("no refresh was held in this story")));
    };
    let from = x.held.unwrap_or(x.arrived);
    let until = x.released.unwrap_or(Mark::END);
    let stimuli: Vec<u32> = view.triggers(from, until).map(|c| c.called.n).collect();
    if stimuli.len() < 3 {
        return Err(Finding::undecided(format!("{} triggers were delivered while a refresh was held, three are needed", stimuli.len())));
    }
    Ok((x, stimuli))
}

fn race_03(view: &View<'_>) -> Finding {
    let (x, stimuli) = match held(view) {
        Ok(held) => held,
        Err(finding) => return finding,
    };
    let (from, Some(released)) = (x.held.unwrap_or(x.arrived), x.released) else {
        return Finding::undecided("the held refresh was never let go");
    };
    let Some((access, _)) = x.pair() else { return Finding::undecided("the held refresh did not succeed") };
    if let Some(call) = view.triggers(from, released).find(|c| c.outcome() == Some(Outcome::NoAnswer)) {
        return Finding::fail("a trigger that met a refresh in flight was never answered", vec![x.arrived.n, call.called.n]);
    }
    let rest = view.settled_after(released).unwrap_or(Mark::END);
    let end = view.reconnection_after(released).map_or(Mark::END, |c| c.called);
    let new_token = |from: Mark, until: Mark| view.api_calls(from, until).find(|y| y.answered(2) && y.token_name() == Some(access));
    let Some(went_on) = new_token(released, rest) else {
        return Finding::fail(
            "the refresh succeeded, but those who waited for it did not go on with the new token",
            [vec![x.arrived.n], stimuli].concat(),
        );
    };
    let lost = units_born(view, from, released).iter().filter(|unit| !reached(view, unit, end)).count();
    if lost > 0 {
        return Finding::fail(
            format!("{lost} units of accepted work that met a refresh in flight were lost"),
            vec![x.arrived.n, released.n],
        );
    }
    let later: Vec<_> = view.triggers(rest, end).filter(|c| c.outcome() == Some(Outcome::Accepted)).collect();
    if later.len() >= 2 && later.iter().all(|c| new_work(view, c.called, end).is_none()) {
        return Finding::fail(
            "after the held refresh nothing moves any more, though work is accepted",
            later.iter().map(|c| c.called.n).collect(),
        );
    }
    match control::delivered(view, control::MAIN, from, released, 3) {
        Ok(_) => Finding::pass("those who waited went on with the new token", vec![x.arrived.n, released.n, went_on.arrived.n]),
        Err(reason) => Finding::undecided(reason),
    }
}

fn new_work<'v>(view: &'v View<'_>, from: Mark, until: Mark) -> Option<&'v Exchange<'v>> {
    view.api_calls(from, until).next()
}

/// Units that came into being, or were accepted, while the refresh was held.
fn units_born<'h>(view: &View<'h>, from: Mark, until: Mark) -> Vec<&'h str> {
    let added = view.events().filter(|(mark, _)| *mark > from && *mark < until).filter_map(|(_, what)| match what {
        What::WorkAdded { units } => Some(units),
        _ => None,
    });
    let pushed = view.triggers(from, until).filter(|c| c.outcome() == Some(Outcome::Accepted)).filter_map(|c| c.item);
    let pulls = view.terms.work != Some(WorkKind::Push) && view.terms.work.is_some();
    added.flatten().map(String::as_str).filter(|_| pulls).chain(pushed).collect()
}

fn reached(view: &View<'_>, unit: &str, end: Mark) -> bool {
    let carries = |x: &&Exchange<'_>| {
        x.answered(2) && x.api.as_ref().is_some_and(|api| api.delivered.iter().chain(api.handed_out).chain(x.units).any(|id| id == unit))
    };
    view.api_calls(START, end).any(|x| carries(&x))
}
