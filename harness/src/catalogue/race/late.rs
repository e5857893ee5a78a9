//! An answer to a refresh comes late: the user has reconnected, or disconnected, meanwhile.

use regrant_mock_server::fault::scenario::Status;

use super::{
    lasting::{lives_on, user_after},
    store::{Sight, sights, written_over},
};
use crate::{
    catalogue::{Finding, shared::*, storage},
    evidence::{Grant, Outcome, TokenResult, Verb, Wanted, What},
    judge::{
        Call, Exchange, Mark, Rest, View, control,
        history::{self, Lineage, Span},
    },
};

/// A refresh whose answer was held, and when that came to its end.
struct Late<'v, 'h> {
    x: &'v Exchange<'h>,
    held: Mark,
    /// The answer was written, or the subject had hung up, or the gate had let go.
    end: Mark,
}

/// The first refresh of the subject whose answer was held, and which is to the liking of the check.
fn late<'v, 'h>(view: &'v View<'h>, meant: impl Fn(&Exchange<'h>) -> bool) -> Option<Late<'v, 'h>> {
    view.exchanges.iter().filter(|x| x.is_refresh() && meant(x)).find_map(|x| {
        let held = x.held?;
        let end = x.replied.map(|(mark, ..)| mark).or(x.aborted.map(|(mark, _)| mark)).or(x.released)?;
        Some(Late { x, held, end })
    })
}

fn was_refused(x: &Exchange<'_>) -> bool {
    matches!(x.token.as_ref().map(|t| t.result), Some(TokenResult::Refused { .. }))
}

fn called<'v, 'h>(view: &'v View<'h>, late: &Late<'_, '_>, verb: Verb) -> Option<&'v Call<'h>> {
    let wanted = |call: &&Call<'_>| call.wanted.is_none_or(|wanted| wanted == Wanted::Consent);
    view.calls.iter().filter(wanted).find(|call| call.verb == verb && call.called > late.held && call.called < late.end)
}

/// The user's new grant: the exchange that gave it, and when its answer was written.
struct Back<'h> {
    grant: Grant,
    access: &'h str,
    exchanged: Mark,
    given: Mark,
}

fn back<'h>(view: &View<'h>, set_out: Mark) -> Option<Back<'h>> {
    let (x, given) = view.back_after(set_out)?;
    Some(Back { grant: x.issued_in()?, access: x.pair()?.0, exchanged: x.arrived, given })
}

const CAME_AGAIN: &str =
    "the user came back more than once before the late answer: whose tokens the subject should go on with is not known";

/// Another login gave tokens before all was over.
fn came_again(view: &View<'_>, back: &Back<'_>, late: &Late<'_, '_>, since: Mark) -> bool {
    let other = |x: &&Exchange<'_>| x.is_code_exchange() && x.pair().is_some() && x.arrived != back.exchanged;
    let meanwhile = |x: &Exchange<'_>| x.replied.is_some_and(|(replied, ..)| replied > late.held && replied <= since);
    view.exchanges.iter().filter(other).any(meanwhile)
}

/// Whether the answer was late at all, and read; `Ok(None)`: the subject saw to it that it was not.
fn met(view: &View<'_>, late: &Late<'_, '_>, given: Mark) -> Result<Option<Mark>, Finding> {
    let killed = |what: &What| matches!(what, What::ProcessStopping { kill: true, .. });
    if late.x.read.is_none() && view.events().any(|(mark, what)| killed(what) && mark > late.x.arrived && mark <= late.end) {
        return Err(Finding::undecided("the process that waited for the late answer was killed before it could read it"));
    }
    if late.x.aborted.is_some_and(|(_, by_subject)| by_subject) || given > late.end {
        return Ok(None);
    }
    match (late.x.read, late.x.read_unknown) {
        (Some(read), _) => Ok(Some(read)),
        (None, true) => Ok(Some(late.end)),
        (None, false) => Err(Finding::undecided("the subject never read the late answer")),
    }
}

pub(super) fn race_05(view: &View<'_>) -> Finding {
    let Some(late) = late(view, was_refused) else { return unrealised(view, "no refusal was held in this story") };
    let Some(call) = called(view, &late, Verb::Connect) else {
        return unrealised(view, "the user did not reconnect while a refusal was held");
    };
    let Some(back) = back(view, call.called) else { return unrealised(view, "the reconnection did not succeed on the wire") };
    let met = match met(view, &late, back.given) {
        Ok(met) => met,
        Err(finding) => return finding,
    };
    let since = met.unwrap_or(back.given).max(late.end);
    if came_again(view, &back, &late, since) {
        return Finding::undecided(CAME_AGAIN);
    }
    match lives_on(view, since, back.grant) {
        Ok(more) => {
            let passed = match met {
                Some(_) => "the late refusal of the old token changed nothing",
                None => "no refusal came late: the old refresh was over or given up before the reconnection, and it works on",
            };
            Finding::pass(passed, [vec![late.held.n, back.exchanged.n, late.end.n], more].concat())
        }
        Err(finding) => blamed(finding, "after a late refusal of the old token", &[back.exchanged.n, late.end.n]),
    }
}

pub(super) fn race_06(view: &View<'_>) -> Finding {
    let Some(late) = late(view, |x| x.issued_in().is_some()) else {
        return unrealised(view, "no refresh that had succeeded at the provider was held in this story");
    };
    if let Some(call) = called(view, &late, Verb::Connect) {
        return after_reconnection(view, &late, call);
    }
    match called(view, &late, Verb::Disconnect) {
        Some(call) => after_disconnection(view, &late, call),
        None if view.terms.no_disconnect => Finding::not_applicable("the user cannot disconnect (`disconnect.none = true`)"),
        None if !view.terms.disconnect => Finding::locked("it is not known how the user disconnects", "[disconnect]"),
        None => unrealised(view, "the user neither reconnected nor disconnected while a refresh was held"),
    }
}

fn after_reconnection(view: &View<'_>, late: &Late<'_, '_>, call: &Call<'_>) -> Finding {
    let Some(back) = back(view, call.called) else { return unrealised(view, "the reconnection did not succeed on the wire") };
    let met = match met(view, late, back.given) {
        Ok(met) => met,
        Err(finding) => return finding,
    };
    let since = met.unwrap_or(back.given).max(late.end);
    if came_again(view, &back, late, since) {
        return Finding::undecided(CAME_AGAIN);
    }
    let cited = vec![late.held.n, back.exchanged.n, late.end.n];
    let old = late.x.issued_in();
    if let Some(rest) = view.rest_after(since) {
        let end = user_after(view, since);
        // What the old grant had given before is a cache that nobody emptied: another matter.
        let fresh = |name: &str| view.given(name).is_some_and(|given| given > late.x.arrived);
        let of_the_old = |x: &&Exchange<'_>| old.is_some() && x.grant() == old && x.token_name().is_some_and(fresh);
        let stale = view.api_calls(rest.mark, end).chain(view.refreshes(rest.mark, end)).filter(of_the_old);
        let stale = control::convicting(view, rest.mark, rest.quiet, stale);
        if old != Some(back.grant) && !stale.is_empty() {
            let reason = "after the user had reconnected it went on with the tokens of a late refresh of the old grant";
            return Finding::fail(reason, [cited, stale.iter().take(4).map(|x| x.arrived.n).collect()].concat());
        }
        if let Some(sight) = replaced(view, late, &back, rest).filter(|sight| met.is_some() && sight.seen < end) {
            let reason = format!(
                "after the user had reconnected, the tokens of a late refresh of the old grant took the place of the new ones: {} held {}",
                storage::place(sight.place),
                sight.token
            );
            return Finding::fail(reason, [cited, vec![rest.mark.n, sight.seen.n]].concat());
        }
    }
    match lives_on(view, since, back.grant) {
        Ok(more) => {
            let passed = match met {
                Some(_) => "the late success of the old refresh changed nothing",
                None => "no success came late: the old refresh was over or given up before the reconnection, and it works on",
            };
            Finding::pass(passed, [cited, more].concat())
        }
        Err(finding) => blamed(finding, "after a late success of an old refresh", &[back.exchanged.n, late.end.n]),
    }
}

/// The search that found the late tokens where the new ones should have been, once the subject was at rest with both.
fn replaced<'h>(view: &View<'h>, late: &Late<'_, 'h>, back: &Back<'h>, rest: Rest) -> Option<Sight<'h>> {
    let (access, refresh) = late.x.pair()?;
    let is_late = |sight: &Sight<'_>| {
        // A refresh token that was not replaced may have been there before.
        sight.token == access || (Some(sight.token) == refresh && refresh != late.x.token_name())
    };
    let lineage = Lineage::of(view);
    let recovered = lineage.kept(back.access, Span::new(back.given.at, rest.mark.at)).filter(|_| rest.quiet)?;
    written_over(&sights(view, &lineage), recovered, history::never_undone, is_late).copied()
}

/// When the user was disconnected, by the subject's own word. An answer may wait for the refresh, and for too long: then the status says it.
fn disconnected(view: &View<'_>, call: &Call<'_>, end: Mark) -> Option<Mark> {
    match call.answered {
        Some((done, Outcome::Accepted)) => Some(done),
        Some((_, Outcome::Refused)) => None,
        Some((_, Outcome::NoAnswer | Outcome::HungUp)) | None => {
            let rest = view.rest_after(end).filter(|rest| rest.quiet)?;
            let until = user_after(view, rest.mark);
            let (_, state, _) = view.statuses().find(|(mark, ..)| *mark > rest.mark && *mark < until)?;
            (state == Some(Status::Disconnected)).then_some(end)
        }
    }
}

fn after_disconnection(view: &View<'_>, late: &Late<'_, '_>, call: &Call<'_>) -> Finding {
    let Some(done) = disconnected(view, call, late.end) else {
        return unrealised(
            view,
            "the subject never said that it had disconnected: neither in its answer nor by its status once it was at rest",
        );
    };
    let met = match met(view, late, done) {
        Ok(met) => met,
        Err(finding) => return finding,
    };
    let since = met.unwrap_or(done).max(late.end);
    let Some(rest) = view.rest_after(since) else { return Finding::undecided("the subject did not come to rest afterwards") };
    let end = user_after(view, since);
    let cited = vec![call.called.n, late.end.n];
    // Who is started again may have forgotten that the user had disconnected, whatever came late.
    let restarted = started_after(view, call.called);
    let of_late = |x: &Exchange<'_>| x.token_name().and_then(|name| view.given(name)).is_some_and(|given| given > late.x.arrived);
    let (sent, others): (Vec<_>, Vec<_>) =
        view.api_calls(rest.mark, end).chain(view.refreshes(rest.mark, end)).partition(|x| x.arrived < restarted || of_late(x));
    let sent = control::convicting(view, rest.mark, rest.quiet, sent.into_iter());
    if !sent.is_empty() {
        let reason = "the user had disconnected, and a late refresh brought the connection back: requests went on";
        return Finding::fail(reason, [cited, sent.iter().take(4).map(|x| x.arrived.n).collect()].concat());
    }
    let connected = |state| state == Some(Status::Connected);
    let said = view.statuses().find(|(mark, state, _)| rest.quiet && *mark > rest.mark && *mark < end && connected(*state));
    let stored = stored(view, late, rest.mark, end);
    if let Some((mark, ..)) = said.filter(|(mark, ..)| *mark < restarted || stored.is_some()) {
        return Finding::fail(
            "the user had disconnected, and a late refresh made the status say connected again",
            [cited, stored.map(|scan| scan.n).into_iter().collect(), vec![mark.n]].concat(),
        );
    }
    if said.is_some() || !control::convicting(view, rest.mark, rest.quiet, others.into_iter()).is_empty() {
        return Finding::undecided(
            "after a restart the connection was there again, but what had come late was neither stored nor used: the restart alone may have undone the disconnection",
        );
    }
    if !control::caused_work(view, control::MAIN, START, late.x.arrived) {
        return Finding::undecided("`trigger` caused no API call before");
    }
    let asked = match control::delivered(view, control::MAIN, rest.mark, end, 2, "after the late answer") {
        Ok(asked) => asked,
        Err(reason) => return Finding::undecided(reason),
    };
    let again = view.back_after(end).is_some_and(|(_, given)| control::caused_work(view, control::MAIN, given, Mark::END));
    if end == Mark::END || !again {
        return Finding::undecided("the user did not connect again with success, so that its silence may have another reason");
    }
    let passed = if met.is_some() { "the late success of the refresh brought nothing back" } else { "no success came late" };
    Finding::pass(passed, [cited, asked].concat())
}

/// The next start of any of the subject's processes.
fn started_after(view: &View<'_>, from: Mark) -> Mark {
    let starts = |what: &What| matches!(what, What::ProcessStarted { process, instance, .. } if process == "subject" || instance.is_some());
    view.events().find(|(mark, what)| *mark > from && starts(what)).map_or(Mark::END, |(mark, _)| mark)
}

/// The search that found what the late refresh brought where the subject keeps its tokens.
fn stored(view: &View<'_>, late: &Late<'_, '_>, from: Mark, until: Mark) -> Option<Mark> {
    let (access, refresh) = late.x.pair()?;
    let new = [Some(access), refresh.filter(|refresh| Some(*refresh) != late.x.token_name())];
    let holds = |scan: &storage::Scan<'_>| new.iter().flatten().any(|token| scan.found.iter().any(|found| storage::is_copy(found, token)));
    storage::scans(view).into_iter().find(|scan| scan.mark > from && scan.mark < until && holds(scan)).map(|scan| scan.mark)
}

/// A finding with what it followed from.
fn blamed(finding: Finding, when: &str, more: &[u32]) -> Finding {
    let mut evidence = [more, finding.evidence.as_slice()].concat();
    evidence.sort_unstable();
    evidence.dedup();
    let has_evidence = !finding.evidence.is_empty();
    Finding { reason: format!("{when}: {}", finding.reason), evidence: if has_evidence { evidence } else { Vec::new() }, ..finding }
}
