//! Two refreshes race, and one of them is refused: the winner's tokens must live.

use super::{held, lasting::lives_on};
use crate::{
    catalogue::{Finding, shared::*},
    judge::{Exchange, View},
};

pub(super) fn race_04(view: &View<'_>) -> Finding {
    let Some((winner, loser)) = race(view) else {
        return match held(view) {
            Ok(held) => Finding::pass(
                "one refresh was held, work was asked for, and no second refresh began that could have lost",
                [vec![held.x.arrived.n], held.stimuli].concat(),
            ),
            Err(finding) => finding,
        };
    };
    let Some(grant) = winner.issued_in() else { return Finding::undecided("the winner's family is not known") };
    let Some(read) = loser.taken() else {
        return unrealised(view, "the subject never read the loser's refusal");
    };
    let cited = vec![winner.arrived.n, loser.arrived.n];
    let since = winner.read.map_or(read, |won| won.max(read));
    match lives_on(view, since, grant) {
        Ok(more) => Finding::pass("the loser's refusal changed nothing: the winner's tokens are in use", [cited, more].concat()),
        Err(finding) if finding.evidence.is_empty() => finding,
        Err(finding) => {
            let reason = format!("after one of two refreshes was refused and the other one had succeeded: {}", finding.reason);
            Finding { reason, evidence: [cited, finding.evidence.clone()].concat(), ..finding }
        }
    }
}

/// A refresh that succeeded, and one with the same token that began before its answer was written and was refused; the last of those.
fn race<'v, 'h>(view: &'v View<'h>) -> Option<(&'v Exchange<'h>, &'v Exchange<'h>)> {
    let refreshes = || view.exchanges.iter().filter(|x| x.is_refresh());
    let winner = refreshes().find(|x| x.held.is_some() && x.pair().is_some())?;
    let (won, ..) = winner.replied?;
    let lost = |x: &&Exchange<'_>| {
        x.arrived > winner.arrived
            && x.began < won.at
            && x.token_name() == winner.token_name()
            && x.refusal().is_some_and(|e| e != "invalid_client")
    };
    let loser = refreshes().filter(lost).max_by_key(|x| x.replied.map(|(mark, ..)| mark))?;
    Some((winner, loser))
}
