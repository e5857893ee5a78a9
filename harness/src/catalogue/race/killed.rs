//! Killed during a refresh, at any point of its way: started again, the subject works or says that access must be restored.

use regrant_mock_server::fault::scenario::Status;

use crate::{
    catalogue::{Finding, shared::unrealised},
    evidence::{Instance, Micros, What},
    judge::{Exchange, Mark, View, control},
};

/// So many refreshes may be refused, or come to nothing, before it is clear to the subject how things stand.
const ATTEMPTS: usize = 3;

/// A lock that its dead holder left may still run out: whoever keeps still waits for that, perhaps. None lasts longer than this.
pub(super) const LEASE: Micros = 60_000_000;

pub(super) fn race_07(view: &View<'_>) -> Finding {
    let Some(killed) = view.marks(|w| matches!(w, What::ProcessStopping { kill: true, .. })).first().copied() else {
        return unrealised(view, "the subject was not killed in this story");
    };
    let victims = killed_instances(view);
    let its = |x: &&Exchange<'_>| victims.is_empty() || x.instance.is_none_or(|instance| victims.contains(&instance));
    let under_way = |x: &&Exchange<'_>| x.is_refresh() && x.arrived < killed && was_under_way(x, killed);
    let Some(x) = view.exchanges.iter().filter(its).rfind(under_way) else {
        return unrealised(view, "no refresh was on its way at the kill, or had been answered with tokens before it");
    };
    // A one-shot program starts anew with the next piece of work.
    let restart = if view.terms.one_shot { Some(killed) } else { view.restart_after(killed) };
    let Some(restart) = restart else { return Finding::undecided("the subject was not started again") };
    let stopped = view.marks(|w| matches!(w, What::ProcessStopping { .. })).into_iter().find(|mark| *mark > restart);
    let end = view.on_the_way_back(restart).min(stopped.unwrap_or(Mark::END));
    if let Some((call, refresh)) = mixed(view, x, restart, end) {
        let (new, old) = (call.token_name().unwrap_or_default(), refresh.token_name().unwrap_or_default());
        let reason =
            format!("after the kill it had half of a pair: it called the API with {new} and presented {old}, which was spent for it");
        return Finding::fail(reason, vec![x.arrived.n, killed.n, restart.n, call.arrived.n, refresh.arrived.n]);
    }
    // Until something else befalls it, once it has begun.
    let began = view.refreshes(restart, end).next().map_or(restart, |y| y.arrived);
    let first = view.disturbed_after(began).min(end);
    let in_vain: Vec<u32> =
        view.refreshes(restart, first).filter(|y| y.replied.is_some() && y.pair().is_none()).map(|y| y.arrived.n).collect();
    if in_vain.len() > ATTEMPTS {
        let reason = format!("after the kill {} refreshes came to nothing, and it went on with them", in_vain.len());
        return Finding::fail(reason, [vec![killed.n, restart.n], in_vain].concat());
    }
    match ended_well(view, restart, end) {
        Ok((how, mark)) => Finding::pass(how, vec![x.arrived.n, killed.n, restart.n, mark.n]),
        Err(Wanting::Time(seconds)) => Finding::undecided(format!(
            "for {seconds} s after the kill it did not try to refresh: it may wait for a lock that the killed process left to run out"
        )),
        Err(Wanting::Nothing(cited)) => Finding::fail(
            "after the kill it neither works nor says that access must be restored, though work was asked for",
            [vec![x.arrived.n, killed.n, restart.n], cited].concat(),
        ),
        Err(Wanting::Requests) => Finding::undecided("after the kill it was asked for work fewer than twice before it came to rest"),
        Err(Wanting::Words) => Finding::locked("after the kill it does not work, and it is not known what it says", "[status]"),
    }
}

/// Which of several instances were killed; empty: there is only one.
fn killed_instances(view: &View<'_>) -> Vec<Instance> {
    let killed = |wanted: u32| {
        view.events().any(|(_, what)| matches!(what, What::ProcessStopping { kill: true, incarnation } if *incarnation == wanted))
    };
    let victim = |(_, what): (Mark, &What)| match what {
        What::ProcessStarted { incarnation, instance, .. } if killed(*incarnation) => *instance,
        _ => None,
    };
    view.events().filter_map(victim).collect()
}

/// On its way at the kill, or answered with tokens that may not have been saved.
fn was_under_way(x: &Exchange<'_>, killed: Mark) -> bool {
    match (x.replied, x.aborted) {
        (Some((mark, ..)), _) if mark < killed => x.pair().is_some(),
        (_, Some((mark, _))) => mark >= killed,
        _ => true,
    }
}

/// A call with what the refresh, or a later one, gave, and a refresh with what had been spent for it: neither pair is whole.
fn mixed<'v, 'h>(view: &'v View<'h>, x: &Exchange<'h>, from: Mark, until: Mark) -> Option<(&'v Exchange<'h>, &'v Exchange<'h>)> {
    let spent = x.token_name()?;
    // The refresh token stays good where the answer brought no other.
    if x.pair().is_some_and(|(_, refresh)| refresh.is_none_or(|refresh| refresh == spent)) {
        return None;
    }
    let access = x.pair().map(|(access, _)| access)?;
    let call = view.api_calls(from, until).find(|y| y.token_name() == Some(access))?;
    let refresh = view.refreshes(from, until).find(|y| y.token_name() == Some(spent))?;
    Some((call, refresh))
}

/// What a verdict on a subject that does not work wants.
enum Wanting {
    /// Nothing: it was asked so often.
    Nothing(Vec<u32>),
    /// It was not asked often enough.
    Requests,
    /// Nobody looked what it says.
    Words,
    /// It kept still, and for no longer than so many seconds.
    Time(Micros),
}

/// It works, or says that it does not.
fn ended_well(view: &View<'_>, from: Mark, until: Mark) -> Result<(&'static str, Mark), Wanting> {
    let says = view.statuses().rfind(|(mark, ..)| *mark > from && *mark < until);
    if let Some((mark, Some(Status::Disconnected), _)) = says {
        return Ok(("killed during the refresh, it says that access must be restored", mark));
    }
    if let Some((mark, _)) = view.prompts().filter(|(mark, page)| *mark > from && *mark < until && page.leads_to_authorize).last()
        && says.is_none()
    {
        return Ok(("killed during the refresh, it asks the user to restore access", mark));
    }
    let need = view.marks(|w| matches!(w, What::AccessRejected { .. })).into_iter().rfind(|mark| *mark > from && *mark < until);
    let since = need.unwrap_or(from);
    if let Some(call) = view.api_calls(since, until).find(|y| y.answered(2)) {
        return Ok(("killed during the refresh, it works on", call.arrived));
    }
    if says.is_none() && !view.prompts().any(|(mark, _)| mark > from && mark < until) {
        return Err(Wanting::Words);
    }
    let Some(last) = view.rests.iter().rev().find(|rest| rest.quiet && rest.mark > since && rest.mark < until) else {
        return Err(Wanting::Requests);
    };
    // Asked again once every lock had run out, it has no excuse.
    let outlasted = view.triggers(from, last.mark).any(|call| call.was_answered() && call.called.at.saturating_sub(from.at) >= LEASE);
    if view.refreshes(from, last.mark).next().is_none() && !outlasted {
        return Err(Wanting::Time(last.mark.at.saturating_sub(from.at) / 1_000_000));
    }
    let asked = control::delivered(view, control::MAIN, since, last.mark, 2, "after the kill");
    Err(asked.map_or(Wanting::Requests, Wanting::Nothing))
}
