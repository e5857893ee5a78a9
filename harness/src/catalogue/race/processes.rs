//! RACE-02: several processes, one refresh.

use super::{Held, held, overlap};
use crate::{
    catalogue::{Finding, several},
    judge::{Exchange, View},
};

pub(super) fn race_02(view: &View<'_>) -> Finding {
    if let Some(finding) = several::wanted(view) {
        return finding;
    }
    // Told of one process, it is RACE-01 that speaks.
    if several::instances(view).len() < 2 {
        return Finding::undecided("one process was started in this story");
    }
    // A lease may have come to its end while the answer was held, or while its holder could not renew it.
    let may_take_over = |first: &Exchange<'_>, second: &Exchange<'_>| {
        let waited = second.began.saturating_sub(first.arrived.at) >= several::LEASE;
        several::are_two(first, second) && (waited || several::stands_still(view, first.instance, second.arrived))
    };
    if let Some((first, second)) = overlap(view, |first, second| !may_take_over(first, second)) {
        let reason = format!(
            "{} began a refresh while one of {} with {} was in flight",
            several::who(second),
            several::who(first),
            first.token_name().unwrap_or("an unknown token")
        );
        return Finding::fail(reason, vec![first.arrived.n, second.arrived.n]);
    }
    if let Some((first, second)) = overlap(view, |_, _| true) {
        let (first, second) = (several::who(first), several::who(second));
        return Finding::undecided(format!(
            "{second} began a refresh while one of {first} was in flight, but only after seconds, or while {first} stood still: a lease may have come to its end"
        ));
    }
    let Held { x, from, until, stimuli } = match held(view) {
        Ok(held) => held,
        Err(finding) => return finding,
    };
    let Some(own) = x.instance else {
        return Finding::undecided(
            "which process refreshed cannot be told: its request came to none of the addresses that were handed out",
        );
    };
    let all = several::instances(view);
    if let Some(silent) = several::silent_before(view, &all, from) {
        return several::unseen(silent);
    }
    if view.exchanges.iter().any(|x| x.is_obscure() && x.began > from.at && x.arrived < until) {
        return Finding::undecided("a request was still open when the story ended: what it carried is not known");
    }
    let asked = |instance| view.triggers(from, until).any(|call| call.instance == Some(instance) && stimuli.contains(&call.called.n));
    match all.iter().copied().find(|instance| *instance != own && !asked(*instance)) {
        Some(idle) => Finding::undecided(format!("process {idle} was not asked to work while process {own} refreshed")),
        None => Finding::pass(
            format!("one refresh of process {own} was held, every other process was asked to work, and no second refresh began"),
            [vec![x.arrived.n], stimuli].concat(),
        ),
    }
}
