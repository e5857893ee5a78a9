//! STOP-05: the end that one process was told of holds for all that share the store.

use super::{Finding, calls_with, presentations};
use crate::{
    catalogue::{several, shared::*},
    evidence::Instance,
    judge::{Death, Ended, Exchange, Mark, View, control},
};

pub(super) fn stop_05(view: &View<'_>) -> Finding {
    if let Some(finding) = several::wanted(view) {
        return finding;
    }
    each_death(view, Ended::Grant, |death| after(view, death))
}

fn after(view: &View<'_>, death: &Death) -> Finding {
    let all = several::instances(view);
    if all.len() < 2 {
        return Finding::undecided("one process was started in this story");
    }
    // Whoever shares another's address would be taken for it.
    if let Some(silent) = several::silent_before(view, &all, death.asked) {
        return several::unseen(silent);
    }
    let Some(settled) = death.settled else { return not_at_rest() };
    let again: Vec<_> = presentations(view, death).filter(|x| x.arrived > settled && x.arrived < death.process_until).collect();
    let again = control::convicting(view, settled, death.at_rest, again.into_iter());
    if let Some(first) = again.first() {
        let reason = format!("{} presented {} again after it was refused with {}", several::who(first), death.refresh, death.error);
        return Finding::fail(reason, [control::cite(view, death.refused, &again), vec![settled.n]].concat());
    }
    if dead_calls(view, death, settled).any(|x| x.instance.is_none()) {
        return Finding::undecided("API calls came to none of the addresses that were handed out: which process sent them cannot be told");
    }
    let told = view.exchanges.iter().find(|x| x.arrived == death.asked).and_then(|x| x.instance);
    let findings = all.iter().map(|instance| of_one(view, death, settled, *instance, told)).collect();
    worst(findings).unwrap_or_else(not_at_rest)
}

/// One process. Unless it was the one that was told, it may learn by one call.
fn of_one(view: &View<'_>, death: &Death, settled: Mark, instance: Instance, told: Option<Instance>) -> Finding {
    let own = |x: &&Exchange<'_>| x.instance == Some(instance);
    let learns = if told == Some(instance) { None } else { dead_calls(view, death, settled).find(own) };
    let rest = match learns {
        None => Some((settled, death.at_rest)),
        // Its siblings may be on their way already when it reads the answer.
        Some(x) => knew(view, x).and_then(|knew| view.rest_after(knew)).map(|rest| (rest.mark, rest.quiet)),
    };
    let Some((rest, quiet)) = rest.filter(|(mark, _)| *mark < death.process_until) else {
        return Finding::undecided(format!("process {instance} did not come to rest after its call was answered"));
    };
    let offenders = control::convicting(view, rest, quiet, dead_calls(view, death, rest).filter(own));
    if !offenders.is_empty() {
        let how = if learns.is_some() { "after a call of its own had told it" } else { "after it was told" };
        let reason = format!("process {instance} went on {how} that the grant had ended: {}", calls_with(&offenders));
        return Finding::fail(reason, [control::cite(view, death.refused, &offenders), vec![rest.n]].concat());
    }
    if view.exchanges.iter().any(|x| x.is_obscure() && x.began > settled.at) {
        return Finding::undecided("a request was still open when the story ended: what it carried is not known");
    }
    match sandwich(view, death, rest, instance) {
        Ok(stimuli) => Finding::pass("every process stopped, each after one call at most", [vec![death.refused.n], stimuli].concat()),
        Err(reason) => Finding::undecided(reason),
    }
}

/// When the process had read the answer; where that cannot be seen, when the subject had come to rest.
fn knew(view: &View<'_>, x: &Exchange<'_>) -> Option<Mark> {
    if x.read.is_some() || !x.read_unknown {
        return x.read;
    }
    view.settled_after(x.replied.map(|(mark, ..)| mark)?)
}

/// API calls for the dead connection from a rest on, before anybody started anew.
fn dead_calls<'v, 'h>(view: &'v View<'h>, death: &'v Death, from: Mark) -> impl Iterator<Item = &'v Exchange<'h>> {
    view.api_calls(from, death.process_until).filter(|x| control::concerns(x, death))
}

/// The three controls, of this process alone.
fn sandwich(view: &View<'_>, death: &Death, rest: Mark, instance: Instance) -> Result<Vec<u32>, String> {
    // Whoever was asked may put it into a queue from which all of them take.
    let caused = |from: Mark, until: Mark| {
        view.triggers(from, until).any(|call| {
            let rest = view.settled_after(call.called).unwrap_or(Mark::END).min(until);
            view.api_calls(call.called, rest).any(|x| x.instance == Some(instance))
        })
    };
    if !caused(START, death.asked) {
        return Err(format!("process {instance} was asked to work and called nothing before the refusal"));
    }
    let asked = view.triggers(rest, death.process_until).filter(|call| call.instance == Some(instance) && call.was_answered());
    let stimuli: Vec<u32> = asked.map(|call| call.called.n).collect();
    if stimuli.len() < 2 {
        return Err(format!("process {instance} was asked to work and answered fewer than twice after it could know of the refusal"));
    }
    if death.until == Mark::END {
        return Err("the user did not reconnect".into());
    }
    let same_process = !view.terms.one_shot && !view.terms.restarts_on_exit;
    let end = view.restart_after(death.until).filter(|_| same_process).unwrap_or(Mark::END);
    if !caused(death.until, end) {
        return Err(format!("after the reconnection process {instance} was asked to work and called nothing again"));
    }
    Ok(stimuli)
}
