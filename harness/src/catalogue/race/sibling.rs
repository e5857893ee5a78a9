//! A call's 401 comes after another call of the subject has refreshed: the token that it speaks of is no longer the one that counts.

use super::lasting::user_after;
use crate::{
    catalogue::{Finding, shared::*, work},
    evidence::{Outcome, Refreshing, Verb, What},
    judge::{Call, Exchange, Mark, View, WorkKind},
};

/// "Somebody else is at it", "not now": an answer that says nothing of the call that met 401.
const BUSY: [i32; 4] = [409, 423, 429, 75];

/// A call that was on its way when a refresh was answered, and whose 401 was answered after that.
struct Late<'v, 'h> {
    x: &'v Exchange<'h>,
    /// When its 401 was written.
    denied: Mark,
    /// The refresh that overtook it.
    refresh: &'v Exchange<'h>,
    /// When work was next asked for, the user did something, or the subject was started.
    asked: Mark,
}

impl Late<'_, '_> {
    /// Until then the call could have been repeated: a conviction rests on it.
    fn asked_again(&self) -> Option<u32> {
        (self.asked != Mark::END).then_some(self.asked.n)
    }
}

pub(super) fn race_11(view: &View<'_>) -> Finding {
    let late = late(view);
    if late.is_empty() {
        return not_met(view);
    }
    let mut taken = Vec::new();
    let findings = late.iter().map(|late| judged(view, late, &mut taken)).collect();
    worst(findings).unwrap_or_else(|| not_met(view))
}

fn late<'v, 'h>(view: &'v View<'h>) -> Vec<Late<'v, 'h>> {
    view.exchanges.iter().filter(|x| x.is_api() && x.token_name().is_some()).filter_map(|x| late_one(view, x)).collect()
}

fn late_one<'v, 'h>(view: &'v View<'h>, x: &'v Exchange<'h>) -> Option<Late<'v, 'h>> {
    let (denied, ..) = x.replied.filter(|(_, status, _)| *status == 401)?;
    if x.read.is_none() && !x.read_unknown {
        return None;
    }
    let overtook = |r: &&Exchange<'_>| {
        let Some((access, _)) = r.pair() else { return false };
        r.is_refresh()
            && x.grant().is_some()
            && r.issued_in() == x.grant()
            && x.token_name() != Some(access)
            && r.taken().is_some_and(|read| read < denied)
            && r.replied.is_some_and(|(answered, ..)| x.began < answered.at)
    };
    let refresh = view.exchanges.iter().find(overtook)?;
    Some(Late { x, denied, refresh, asked: asked_after(view, denied) })
}

fn asked_after(view: &View<'_>, from: Mark) -> Mark {
    let asks = |what: &What| match what {
        What::ProcessStarted { .. } => true,
        What::VerbCalled { verb, .. } => matches!(verb, Verb::Trigger | Verb::Connect | Verb::Disconnect),
        _ => false,
    };
    view.events().find(|(mark, what)| *mark > from && asks(what)).map_or(Mark::END, |(mark, _)| mark)
}

/// One such call. `taken` are the repetitions that answer for another one.
fn judged(view: &View<'_>, late: &Late<'_, '_>, taken: &mut Vec<Mark>) -> Finding {
    let cited = vec![late.x.arrived.n, late.refresh.arrived.n, late.denied.n];
    let newer = |y: &&Exchange<'_>| {
        let given = |x: &Exchange<'_>| x.token_name().and_then(|token| view.given(token));
        y.began > late.denied.at && y.grant() == late.x.grant() && given(y) > given(late.x)
    };
    let mut again = view.api_calls(late.denied, late.asked).filter(newer);
    let same = |y: &&Exchange<'_>| y.method == late.x.method && place(y) == place(late.x) && !taken.contains(&y.arrived);
    if let Some(again) = again.find(same) {
        taken.push(again.arrived);
        let passed = "a call met 401 after another one's refresh, and was repeated with the newer token";
        return Finding::pass(passed, [cited, vec![again.arrived.n]].concat());
    }
    let Some(rest) = view.rest_after(late.denied).filter(|rest| rest.quiet && rest.mark < late.asked) else {
        return Finding::undecided("the subject did not come to rest after a call's 401 before work was asked for again");
    };
    if let Some(finding) = over(view, late) {
        return finding;
    }
    if let Some((call, busy)) = refused_for_it(view, late) {
        if busy {
            return Finding::undecided(
                "a call that met 401 after another one's refresh was not repeated, but who had asked was told to try again",
            );
        }
        let reason = "a call that met 401 after another one's refresh was not repeated, and who had asked for the work was refused";
        let answered = call.answered.map(|(mark, _)| mark.n);
        return Finding::fail(reason, cited.into_iter().chain([call.called.n]).chain(answered).chain(late.asked_again()).collect());
    }
    left_undone(view, late, rest.mark, &cited)
}

/// Where a call went, whatever it asked for there.
fn place<'h>(x: &Exchange<'h>) -> &'h str {
    x.path.split('?').next().unwrap_or(x.path)
}

/// The newer token has to be good, and the connection has to live on: whoever is told otherwise need not repeat anything.
fn over(view: &View<'_>, late: &Late<'_, '_>) -> Option<Finding> {
    let access = late.refresh.pair().map(|(access, _)| access);
    let refused =
        view.exchanges.iter().any(|x| x.is_refresh() && x.arrived > late.refresh.arrived && x.arrived < late.asked && x.pair().is_none());
    let good = view.exchanges.iter().any(|x| x.is_api() && x.answered(2) && x.token_name() == access);
    if refused {
        return Some(Finding::undecided(
            "a call that met 401 after another one's refresh was not repeated, but a further refresh did not succeed",
        ));
    }
    (!good).then(|| {
        Finding::undecided("a call that met 401 after another one's refresh was not repeated, but no call succeeded with the newer token")
    })
}

/// Those who had asked for work when the call went out.
fn asked_before<'v, 'h>(view: &'v View<'h>, late: &Late<'_, '_>) -> impl Iterator<Item = &'v Call<'h>> {
    let (calm, began) = (calm(view, late), late.x.began);
    view.triggers(calm, late.x.arrived).filter(move |call| call.called.at <= began)
}

/// When the subject had last rested before the call arrived.
fn calm(view: &View<'_>, late: &Late<'_, '_>) -> Mark {
    view.rests.iter().rfind(|rest| rest.mark < late.x.arrived).map_or(START, |rest| rest.mark)
}

/// Somebody who had asked was told after the 401 that nothing came of it; true: only that it is not the time.
fn refused_for_it<'v, 'h>(view: &'v View<'h>, late: &Late<'_, '_>) -> Option<(&'v Call<'h>, bool)> {
    let (denied, asked) = (late.denied, late.asked);
    let told = move |call: &&Call<'_>| call.answered.is_some_and(|(at, outcome)| outcome == Outcome::Refused && at > denied && at < asked);
    let call = asked_before(view, late).find(told)?;
    Some((call, call.status.is_some_and(|status| BUSY.contains(&status))))
}

/// It was not repeated: whether work was left undone because of that.
fn left_undone(view: &View<'_>, late: &Late<'_, '_>, rest: Mark, cited: &[u32]) -> Finding {
    if view.terms.work.is_none() {
        let reason = "a call that met 401 after another one's refresh was not repeated; whether its work was done is not known";
        return Finding::locked(reason, "work.kind");
    }
    if !asked_before(view, late).any(|call| call.outcome() == Some(Outcome::Accepted)) {
        return Finding::undecided("a call that met 401 after another one's refresh was not repeated, but the work was not taken on");
    }
    let calm = calm(view, late);
    let there = |born: Option<Mark>| born.is_some_and(|born| born > calm && born < late.denied);
    let ledger = work::ledger(view);
    // What a refused trigger carried is nobody's to deliver.
    let taken_on = |unit: &work::Unit<'_>| unit.accepted.is_some() || view.terms.work != Some(WorkKind::Push);
    let open: Vec<_> = ledger.iter().filter(|(_, unit)| there(unit.born) && taken_on(unit)).collect();
    let before = |unit: &work::Unit<'_>, mark: Mark| unit.deliveries.iter().any(|delivery| delivery.sent < mark);
    let left: Vec<_> = open.iter().copied().filter(|(_, unit)| !before(unit, late.asked)).collect();
    let Some((id, _)) = left.first() else {
        let redone =
            open.iter().flat_map(|(_, unit)| &unit.deliveries).find(|delivery| delivery.sent > late.denied && delivery.sent < late.asked);
        return match redone {
            Some(redone) => {
                let passed = "a call met 401 after another one's refresh, and its work was done anew with the newer token";
                Finding::pass(passed, [cited, &[redone.sent.n]].concat())
            }
            None => {
                Finding::undecided("a call that met 401 after another one's refresh was not repeated, but its work was done all the same")
            }
        };
    };
    let until = user_after(view, rest);
    if let Some(finding) = lost(view, late, rest, until, &left, cited) {
        return finding;
    }
    let later = |unit: &work::Unit<'_>| unit.deliveries.iter().any(|delivery| delivery.sent > late.asked && delivery.sent < until);
    Finding::undecided(match left.iter().find(|(_, unit)| later(unit)) {
        // Who does all that is pending whenever it is asked, or puts off what it could not do, has dropped nothing.
        Some((id, _)) => {
            format!(
                "a call that met 401 after another one's refresh was not repeated, and {id} was done when work was asked for again: put off"
            )
        }
        None => format!("a call that met 401 after another one's refresh was not repeated, and {id} was not seen to be done later"),
    })
}

/// What was handed over with the call, or named in it, and never came, though work that was asked for later was done.
fn lost(
    view: &View<'_>,
    late: &Late<'_, '_>,
    rest: Mark,
    until: Mark,
    left: &[(&String, &work::Unit<'_>)],
    cited: &[u32],
) -> Option<Finding> {
    let with_it = |id: &String| view.terms.work == Some(WorkKind::Push) || late.x.units.contains(id);
    let (id, _) = left.iter().find(|(id, unit)| with_it(id) && unit.deliveries.is_empty() && unit.said_open.is_none())?;
    let asked: Vec<Mark> = view.triggers(rest, until).filter(|call| call.was_answered()).map(|call| call.called).collect();
    let second = *asked.get(1)?;
    let done = view.api_calls(second, until).find(|x| x.answered(2) && x.grant() == late.x.grant())?;
    view.rests.iter().find(|later| later.quiet && later.mark > done.arrived && later.mark < until)?;
    let reason = format!("a call that met 401 after another one's refresh was not repeated, and {id} was lost");
    let asked = asked.iter().map(|mark| mark.n).filter(|n| Some(*n) != late.asked_again());
    Some(Finding::fail(reason, cited.iter().copied().chain(late.asked_again()).chain(asked).chain([done.arrived.n]).collect()))
}

/// No call met a 401 of that kind: why not.
fn not_met(view: &View<'_>) -> Finding {
    let held: Vec<_> =
        view.exchanges.iter().filter(|x| x.is_api()).filter_map(|x| Some((x.held?, x.released.unwrap_or(Mark::END)))).collect();
    if held.is_empty() {
        return unrealised(view, "no call of the API was held in this story");
    }
    let calls: Vec<_> = view.exchanges.iter().filter(|x| x.is_api()).collect();
    let overlap = calls.iter().enumerate().any(|(place, x)| calls[place + 1..].iter().any(|y| y.began < on_its_way(x) && !elsewhere(x, y)));
    if overlap {
        let by_clock = view.events().any(|(_, what)| matches!(what, What::StoryBegan { refreshing: Refreshing::OnExpiry, .. }));
        return unrealised(
            view,
            if by_clock {
                "it refreshes by its own clock only, and no call met a 401 after another one's refresh"
            } else {
                "calls of the API overlapped, but none was seen to read a 401 after another one's refresh"
            },
        );
    }
    // Who was refused, or got no token, might have made a call otherwise.
    let free = |call: &&Call<'_>| call.outcome() != Some(Outcome::Refused) || call.status.is_some_and(|status| BUSY.contains(&status));
    let tried = |(from, until): &(Mark, Mark)| {
        let calm = view.rests.iter().rfind(|rest| rest.mark < *from).map_or(START, |rest| rest.mark);
        let in_vain = view.refreshes(calm, *until).any(|x| x.pair().is_none());
        let twice = view.triggers(calm, *until).filter(free).nth(1).map(|call| call.called.max(*from));
        let rested = |since: Mark| view.rests.iter().any(|rest| rest.quiet && rest.mark > since && rest.mark < *until);
        !in_vain && twice.is_some_and(rested)
    };
    if !held.iter().any(tried) {
        return unrealised(view, "no two calls of the API overlapped; while one was held too little was asked for, or could be done");
    }
    Finding::not_applicable("no two calls of the API ever overlapped, even while one was held and work was asked for twice")
}

/// Until when a call certainly had no answer. That its answer was written is noted a moment after it could be read.
fn on_its_way(x: &Exchange<'_>) -> u64 {
    let aborted = x.aborted.map(|(mark, _)| mark);
    x.held.map_or(x.arrived, |_| x.released.or(aborted).unwrap_or(Mark::END)).at
}

pub(super) fn elsewhere(x: &Exchange<'_>, y: &Exchange<'_>) -> bool {
    x.grant().is_some() && y.grant().is_some() && x.grant() != y.grant()
}
