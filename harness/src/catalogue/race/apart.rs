//! Two connections refresh at the same time: whether each goes on with its own tokens, as it does when it refreshes alone.

use crate::{
    catalogue::{Finding, Verdict, others, shared::*, work},
    evidence::History,
    judge::{Exchange, Mark, View, WorkKind, connections, control, of_connection},
};

/// A connection, and the story as it looks from there.
struct Own<'h> {
    name: &'h str,
    view: View<'h>,
}

/// A refresh of each of two connections, needed at the same time.
struct Both<'v, 'h> {
    /// The story began.
    prologue: Mark,
    /// Both connections were at rest.
    since: Mark,
    /// Each with its refresh.
    each: [(&'v Own<'h>, &'v Exchange<'h>); 2],
    /// When both answers had been read.
    read: Mark,
    /// When the subject had come to rest after that.
    rest: Mark,
}

/// From one moment to another; and what is to be said of it.
struct Window {
    from: Mark,
    until: Mark,
    when: &'static str,
}

pub(super) fn race_13(view: &View<'_>) -> Finding {
    if let Some(finding) = others::wanted(view) {
        return finding;
    }
    let Some(prologue) = view.prologue_end() else { return unrealised(view, "the story did not begin") };
    let histories: Vec<(String, History)> =
        connections(view.history).into_iter().map(|name| (name.clone(), of_connection(view.history, &name))).collect();
    let all: Vec<Own<'_>> = histories.iter().map(|(name, history)| Own { name, view: View::new(history, view.terms) }).collect();
    let pairs = || all.iter().enumerate().flat_map(|(place, one)| all[place + 1..].iter().map(move |other| (one, other)));
    let mixed = pairs().flat_map(|(one, other)| [(one, other), (other, one)]).find_map(|(one, other)| mixed_up(one, other, prologue));
    let findings = pairs().map(|(one, other)| apart(view, one, other, prologue)).collect();
    mixed.or_else(|| worst(findings)).unwrap_or_else(|| unrealised(view, "fewer than two connections were made in this story"))
}

/// What was asked of one connection is carried by the other one's token, though each did its own work with its own token before.
fn mixed_up(one: &Own<'_>, other: &Own<'_>, prologue: Mark) -> Option<Finding> {
    if one.view.terms.work != Some(WorkKind::Push) {
        return None;
    }
    let carries = |own: &Own<'_>, item: &str| -> Option<Mark> {
        let mut calls = own.view.exchanges.iter().filter(|x| x.is_api() && x.answered(2));
        calls.find(|x| work::delivered_by(Some(WorkKind::Push), x).contains(&item)).map(|x| x.arrived)
    };
    let main = one.view.calls.iter().filter(|call| control::is_from(call, control::MAIN));
    let asked: Vec<_> = main.filter_map(|call| Some((call.called, call.item?))).collect();
    let before = || asked.iter().filter(|(called, _)| *called < prologue);
    // Where work is asked of nobody in particular, or of all, nobody does wrong who does it.
    if !before().any(|(_, item)| carries(one, item).is_some()) || before().any(|(_, item)| carries(other, item).is_some()) {
        return None;
    }
    asked.iter().filter(|(called, _)| *called > prologue).find_map(|(called, item)| {
        let arrived = carries(other, item)?;
        let reason = format!("{item} was asked of {}, and a token of {} carried it", one.name, other.name);
        Some(Finding::fail(reason, vec![called.n, arrived.n]))
    })
}

fn apart(view: &View<'_>, one: &Own<'_>, other: &Own<'_>, prologue: Mark) -> Finding {
    let Some(both) = both(one, other, prologue) else {
        return unrealised(view, "no two connections are seen to have refreshed at the same time, and to have read what came");
    };
    if let Some(reason) = both.each.iter().find_map(|(own, _)| unknown(own, &both)) {
        return Finding::undecided(reason);
    }
    let windows = windows(view, &both);
    let found: Vec<Vec<Finding>> =
        both.each.iter().map(|(own, x)| windows.iter().map(|window| goes_on(own, x, &both, window)).collect()).collect();
    let went_on = found.iter().any(|its| its.iter().all(|finding| finding.verdict == Verdict::Pass));
    let cited: Vec<u32> = both.each.iter().map(|(_, x)| x.arrived.n).chain([both.read.n]).collect();
    let cited = |finding: &Finding| cited.iter().chain(&finding.evidence).copied().collect();
    let names = format!("{} and {} refreshed at the same time", one.name, other.name);
    let Some(finding) = worst(found.concat()) else { return unrealised(view, "nothing followed") };
    match finding.verdict {
        // What none of them survives may have another cause.
        Verdict::Fail if !went_on => Finding::undecided(format!("{names}, and neither of them is seen to go on")),
        Verdict::Fail => Finding::fail(format!("{names}, and {}", finding.reason), cited(&finding)),
        Verdict::Pass if windows.len() < 2 && view.terms.restartable && !view.terms.one_shot => {
            Finding::undecided("the subject was not restarted after two connections had refreshed at the same time")
        }
        Verdict::Pass => {
            Finding::pass(format!("{names}, and each goes on with its own tokens"), found.iter().flatten().flat_map(cited).collect())
        }
        _ => finding,
    }
}

/// The first two refreshes of which the second was under way, or asked for, before the first one's answer had been read.
fn both<'v, 'h>(one: &'v Own<'h>, other: &'v Own<'h>, prologue: Mark) -> Option<Both<'v, 'h>> {
    let refreshes = |own: &'v Own<'h>| own.view.refreshes(prologue, Mark::END).filter(|x| x.pair().is_some());
    refreshes(one).flat_map(|x| refreshes(other).map(move |y| (x, y))).find_map(|(x, y)| {
        let (first, second, late) = if x.began <= y.began { (x, y, other) } else { (y, x, one) };
        let (soon, later) = (first.taken()?, second.taken()?);
        let since = late.view.rests.iter().rfind(|rest| rest.mark.at < first.began)?.mark;
        // Whoever refreshes only when asked again may have done with the other one's token what was asked before.
        let waited =
            late.view.triggers(since, soon).next().is_some() && late.view.settled_after(soon).is_none_or(|rest| second.arrived < rest);
        if second.began >= soon.at && !waited {
            return None;
        }
        let read = soon.max(later);
        let rest = late.view.rest_after(read).filter(|rest| rest.quiet)?.mark;
        Some(Both { prologue, since, each: [(one, x), (other, y)], read, rest })
    })
}

/// What keeps it open whose doing it was, if a connection does not go on.
fn unknown(own: &Own<'_>, both: &Both<'_, '_>) -> Option<String> {
    let (name, view) = (own.name, &own.view);
    if decided_after(view, both.prologue) < both.rest {
        return Some(format!("the user or the provider did something else to {name} meanwhile"));
    }
    let alone = view.refreshes(both.prologue, both.since).find_map(|x| x.pair().and(x.taken()));
    let kept =
        alone.and_then(|alone| view.settled_after(alone)).and_then(|settled| view.api_calls(settled, both.since).find(|x| x.answered(2)));
    if kept.is_none() {
        return Some(format!("{name} was not seen to go on once it had refreshed alone"));
    }
    let meanwhile: Vec<_> = view.refreshes(both.since, both.rest).collect();
    if meanwhile.iter().any(|x| x.replied.is_none() || x.taken().is_none()) {
        return Some(format!("{name} was not seen to read the answer to a refresh"));
    }
    let doubled = |x: &&&Exchange<'_>| {
        let until = x.taken().unwrap_or(Mark::END);
        meanwhile.iter().any(|y| y.arrived > x.arrived && y.began < until.at && y.token_name() == x.token_name())
    };
    meanwhile.iter().find(doubled).map(|_| format!("{name} refreshed twice at the same time by itself"))
}

/// Until the restart, and from there until something else is done to one of them.
fn windows(view: &View<'_>, both: &Both<'_, '_>) -> Vec<Window> {
    let rest = both.rest;
    let end = both.each.iter().map(|(own, _)| decided_after(&own.view, rest)).min().unwrap_or(rest);
    let starts: Vec<Mark> = view.starts().into_iter().filter(|mark| *mark > rest && *mark < end).collect();
    let first = Window { from: rest, until: starts.first().copied().unwrap_or(end), when: "" };
    let next = starts.first().map(|&from| Window { from, until: starts.get(1).copied().unwrap_or(end), when: "after a restart " });
    std::iter::once(first).chain(next).collect()
}

/// A call succeeds with its own token, or work is asked for and none does. After a restart there may be many a reason for that.
fn goes_on(own: &Own<'_>, refreshed: &Exchange<'_>, both: &Both<'_, '_>, window: &Window) -> Finding {
    let (name, view, Window { from, until, when }) = (own.name, &own.view, window);
    if let Some(call) = view.api_calls(*from, *until).find(|x| x.answered(2)) {
        return Finding::pass(format!("{when}{name} goes on"), vec![call.arrived.n]);
    }
    let stimuli = match control::delivered(view, control::MAIN, *from, *until, 2, &format!("{when}for {name}")) {
        Ok(stimuli) => stimuli,
        Err(reason) => return Finding::undecided(reason),
    };
    let asked = stimuli.iter().max().copied().unwrap_or_default();
    if !view.rests.iter().any(|rest| rest.mark.n > asked && rest.mark < *until) {
        return Finding::undecided(format!("{when}the subject did not come to rest once {name} had been asked for work"));
    }
    let given = refreshed.pair().map_or("another", |(access, refresh)| refresh.unwrap_or(access));
    let spent = |y: &&Exchange<'_>| y.token_name().is_some() && y.token_name() == refreshed.token_name();
    // What it says right after the refresh belongs to the first window.
    let since = if when.is_empty() { both.read } else { *from };
    if let Some((y, spent)) = view.refreshes(since, *until).find(spent).and_then(|y| Some((y, y.token_name()?))) {
        if waited(view, both, y) {
            return Finding::undecided(format!(
                "one call of {name} may have waited for the refresh of another, and sent {spent} once more"
            ));
        }
        let reason = format!("{when}{name} presented {spent} again, which its own refresh had replaced by {given}");
        return Finding::fail(reason, [vec![y.arrived.n], stimuli].concat());
    }
    if when.is_empty() {
        return Finding::fail(format!("no call succeeds with a token of {name} any more, though its grant is good"), stimuli);
    }
    Finding::undecided(format!(
        "{when}no call succeeded with a token of {name}, but nothing shows that what its refresh had brought was lost"
    ))
}

/// Several calls had been denied before the refresh was answered, and none tried the old token after that: a second one that had waited for the
/// refresh may have made another, whatever the other connection did. Not if one waited when it refreshed alone, too, and did no such thing.
fn waited(view: &View<'_>, both: &Both<'_, '_>, again: &Exchange<'_>) -> bool {
    let denied = |from: Mark, until: Mark| view.api_calls(from, until).filter(|x| x.answered(4)).count();
    let tried = view.api_calls(both.read, again.arrived).any(|x| x.answered(4));
    let alone = view.refreshes(both.prologue, both.since).find_map(Exchange::taken).map_or(0, |answered| denied(both.prologue, answered));
    denied(both.since, both.read) > 1 && alone < 2 && !tried
}
