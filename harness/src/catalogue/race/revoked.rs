//! The grant is revoked while a refresh is in flight: what the answer brings is dead.

use regrant_mock_server::fault::scenario::Status;

use crate::{
    catalogue::{Finding, shared::*, stop},
    evidence::{Refreshing, What},
    judge::{Ended, Exchange, Mark, View, control},
};

/// So many refreshes may follow before the connection must have ended.
const WITHIN: usize = 2;

pub(super) fn race_08(view: &View<'_>) -> Finding {
    let Some((x, answered)) = in_flight(view) else {
        return unrealised(view, "no refresh that had succeeded was in flight when the grant was revoked");
    };
    let Some((access, _)) = x.pair() else { return unrealised(view, "the held refresh was never answered with its tokens") };
    let proof = view.api_calls(answered, Mark::END).find(|y| y.token_name() == Some(access) && y.replied.is_some_and(|(_, s, _)| s == 401));
    let Some(proof) = proof else {
        return unrealised(view, "the tokens of the answer were never used, so that nothing proved them dead");
    };
    let probes = stop::probes(view);
    let end = view.on_the_way_back(proof.arrived);
    let refreshes: Vec<_> = view.refreshes(answered, end).filter(|y| probes.binary_search(&y.arrived).is_err()).collect();
    let cited = |more: &[&Exchange<'_>]| [vec![x.arrived.n, proof.arrived.n], more.iter().take(4).map(|y| y.arrived.n).collect()].concat();
    if refreshes.len() > WITHIN {
        let reason = format!("{} refreshes followed after the answer's tokens had proved dead, instead of an end", refreshes.len());
        return Finding::fail(reason, cited(&refreshes));
    }
    let Some(death) = view.deaths.iter().find(|death| death.ended == Ended::Grant && death.asked > answered) else {
        return no_end(view, proof, end)
            .or_else(|| ended_at_once(view, x, proof, end))
            .unwrap_or_else(|| unrealised(view, "no refresh was refused after the tokens had proved dead"));
    };
    let Some(settled) = death.settled else { return not_at_rest() };
    let calls = control::calls_after(view, death, settled, death.process_until);
    if !calls.is_empty() {
        return Finding::fail("it went on calling the API after the refresh was refused", cited(&calls));
    }
    let shown = view.statuses().rfind(|(mark, ..)| *mark > settled && *mark < death.process_until);
    if let Some((mark, Some(Status::Connected), _)) = shown.filter(|_| death.at_rest) {
        let reason = "the tokens of the answer proved dead and their refresh was refused, but the status still says connected";
        return Finding::fail(reason, [cited(&refreshes), vec![mark.n]].concat());
    }
    let passed = "the tokens of the answer proved dead, their refresh was refused, and the connection ended";
    silence(control::sandwich(view, death), death, passed)
}

/// A refresh that was decided with tokens before a revocation and answered after it, and when it was answered.
fn in_flight<'v, 'h>(view: &'v View<'h>) -> Option<(&'v Exchange<'h>, Mark)> {
    let revoked = view.marks(|what| matches!(what, What::Revoked { .. }));
    view.exchanges.iter().filter(|x| x.is_refresh() && x.issued_in().is_some()).find_map(|x| {
        let (held, (answered, ..)) = (x.held?, x.replied?);
        revoked.iter().any(|mark| *mark > held && *mark < answered).then_some((x, answered))
    })
}

/// Work was asked for at rest at least twice and each time met the dead token: a subject that refreshes on a 401 should have.
fn no_end(view: &View<'_>, proof: &Exchange<'_>, end: Mark) -> Option<Finding> {
    let on_rejection = view.events().any(|(_, what)| matches!(what, What::StoryBegan { refreshing: Refreshing::OnRejection, .. }));
    // Calls that set out together before the refresh that ended it, or before it said so, are no more than one attempt.
    let tried = view.refreshes(proof.arrived, end).map(|y| y.arrived).max().unwrap_or(proof.arrived);
    let rest = view.rest_after(tried).filter(|rest| rest.quiet)?;
    let said = view.statuses().find(|(mark, state, _)| *mark > rest.mark && *mark < end && *state == Some(Status::Disconnected));
    let since = said.map_or(rest.mark, |(mark, ..)| mark);
    let dead: Vec<_> = view.api_calls(since, end).filter(|x| x.replied.is_some_and(|(_, status, _)| status == 401)).collect();
    (on_rejection && dead.len() > WITHIN).then(|| {
        let reason =
            format!("the answer's tokens proved dead, and {} more calls were made with them: the connection never ended", dead.len());
        Finding::fail(reason, [vec![proof.arrived.n], dead.iter().take(4).map(|x| x.arrived.n).collect()].concat())
    })
}

/// Whoever takes the 401 on a fresh token for the end needs no refresh to know: it says so, and work that is asked for sends nothing more.
fn ended_at_once(view: &View<'_>, x: &Exchange<'_>, proof: &Exchange<'_>, end: Mark) -> Option<Finding> {
    let rest = view.rest_after(proof.arrived).filter(|rest| rest.quiet && rest.mark < end)?;
    let (shown, ..) = view.statuses().find(|(mark, state, _)| *mark > rest.mark && *mark < end && *state == Some(Status::Disconnected))?;
    let asked = control::delivered(view, control::MAIN, rest.mark, end, 2, "after the tokens had proved dead").ok()?;
    let silent = view.refreshes(x.replied?.0, end).next().is_none() && view.api_calls(rest.mark, end).next().is_none();
    // It lives: brought back, it works again.
    let (_, back) = view.back_after(end)?;
    let again = view.api_calls(back, Mark::END).find(|y| y.answered(2))?;
    let cited = [vec![x.arrived.n, proof.arrived.n, shown.n], asked, vec![again.arrived.n]].concat();
    silent.then(|| Finding::pass("the tokens of the answer proved dead, and the connection ended without another refresh", cited))
}
