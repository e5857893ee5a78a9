//! A process is paused in the middle of a refresh, and another one may take over: what the first one does when it goes on.

use std::collections::BTreeSet;

use super::{
    sibling::elsewhere,
    store::{Sight, sights, written_over},
};
use crate::{
    catalogue::{Finding, several, shared::unrealised, storage},
    evidence::{Instance, TokenResult, What},
    judge::{
        Exchange, Mark, Rest, View, control,
        history::{self, Answer, Kept, Lineage, Span},
    },
};

/// A process that was stopped while the answer to its refresh was held.
struct Pause<'v, 'h> {
    instance: Instance,
    x: &'v Exchange<'h>,
    /// The pair that the provider had given by then.
    access: &'h str,
    refresh: Option<&'h str>,
    held: Mark,
    paused: Mark,
    continued: Mark,
    /// When it went on and its answer was there.
    since: Mark,
    /// The first rest after that, and until when what follows is judged.
    rest: Rest,
    until: Mark,
}

pub(super) fn race_09(view: &View<'_>) -> Finding {
    if let Some(finding) = several::wanted(view) {
        return finding;
    }
    let pause = match pause(view) {
        Ok(pause) => pause,
        Err(finding) => return finding,
    };
    if let Some(silent) = several::silent_before(view, &several::instances(view), pause.held) {
        return several::unseen(silent);
    }
    if view.exchanges.iter().any(|x| x.is_obscure() && x.began > pause.held.at) {
        return Finding::undecided("a request was still open when the story ended: what it carried is not known");
    }
    let meanwhile: Vec<_> = view
        .exchanges
        .iter()
        .filter(|y| y.is_refresh() && y.arrived > pause.x.arrived && y.arrived < pause.continued && !elsewhere(pause.x, y))
        .collect();
    if meanwhile.iter().any(|y| y.instance.is_none()) {
        return Finding::undecided("which process refreshed while another one was paused cannot be told");
    }
    if meanwhile.iter().any(|y| y.arrived < pause.held) {
        return Finding::undecided("another process refreshed in the same moment: which pair is the older one is not known");
    }
    if meanwhile.iter().any(|y| y.instance == Some(pause.instance)) {
        return Finding::undecided(format!("process {} had more than one refresh under way when it was paused", pause.instance));
    }
    match meanwhile.last() {
        Some(y) => taken_over(view, &pause, y),
        None => waited_for(view, &pause),
    }
}

fn pause<'v, 'h>(view: &'v View<'h>) -> Result<Pause<'v, 'h>, Finding> {
    let stopped = view.events().find_map(|(mark, what)| match what {
        What::Paused { instance: Some(instance) } => Some((mark, *instance)),
        _ => None,
    });
    let Some((paused, instance)) = stopped else { return Err(unrealised(view, "no process was paused alone in this story")) };
    let at_gate = |x: &&Exchange<'_>| {
        let held = x.held.is_some_and(|held| held < paused) && x.released.is_none_or(|released| released > paused);
        x.is_refresh() && x.instance == Some(instance) && held
    };
    let given = |x: &'v Exchange<'h>| match x.token.as_ref().map(|token| token.result) {
        Some(TokenResult::Issued { access, refresh, .. }) => Some((x, access.as_str(), refresh.as_deref())),
        Some(TokenResult::Refused { .. } | TokenResult::Undecided) | None => None,
    };
    let Some((x, access, refresh)) = view.exchanges.iter().filter(at_gate).find_map(given) else {
        return Err(unrealised(view, "the process that was paused had no refresh under way that had succeeded at the provider"));
    };
    let continued = view.marks(|what| matches!(what, What::Continued)).into_iter().find(|mark| *mark > paused);
    let Some(continued) = continued else { return Err(unrealised(view, "the process that was paused was not let go on")) };
    let ended = x.replied.map(|(mark, ..)| mark).or(x.aborted.map(|(mark, _)| mark));
    let since = x.read.or(ended).or(x.released).unwrap_or(continued).max(continued);
    let until = view.disturbed_after(since);
    let Some(rest) = view.rest_after(since).filter(|rest| rest.mark < until) else {
        return Err(Finding::undecided("the subject did not come to rest after the paused process went on"));
    };
    let held = x.held.unwrap_or(paused);
    Ok(Pause { instance, x, access, refresh, held, paused, continued, since, rest, until })
}

/// Another process refreshed meanwhile: what the first one was given is the older pair.
fn taken_over(view: &View<'_>, pause: &Pause<'_, '_>, y: &Exchange<'_>) -> Finding {
    let (first, other) = (pause.instance, several::who(y));
    let Some((access, refresh)) = y.pair() else {
        return Finding::undecided(format!("{other} tried to refresh while process {first} was paused, and was given nothing"));
    };
    if access == pause.access || (refresh.is_some() && refresh == pause.refresh) {
        return Finding::undecided(format!("{other} was given the same pair as process {first}: none of them is the older one"));
    }
    let replied = y.replied.map(|(mark, ..)| mark);
    let read = if y.read_unknown { replied } else { y.read };
    let stored = read.and_then(|read| view.rest_after(read)).filter(|rest| rest.quiet && rest.mark < pause.continued);
    let Some(stored) = stored else {
        return Finding::undecided(format!(
            "{other} had not come to rest with its newer pair before process {first} went on: whose was stored first is not known"
        ));
    };
    let cited = vec![pause.x.arrived.n, pause.paused.n, y.arrived.n, stored.mark.n, pause.continued.n];
    let spent = |z: &&Exchange<'_>| z.instance == Some(first) && z.token_name().is_some() && z.token_name() == pause.x.token_name();
    if let Some(again) = view.refreshes(pause.continued, pause.until).find(spent) {
        let spent = again.token_name().unwrap_or_default();
        let reason = format!(
            "process {first} was paused in the middle of a refresh, {other} took over and stored a newer pair; going on, process {first} presented {spent} again, which had been replaced in the store"
        );
        return Finding::fail(reason, [cited, vec![again.arrived.n]].concat());
    }
    let lineage = Lineage::of(view);
    let newer = lineage.kept(access, Span::new(y.arrived.at, stored.mark.at));
    let back = newer.and_then(|newer| wrote_over(view, pause, &lineage, newer)).or_else(|| went_on(view, pause));
    if let Some((name, how, at)) = back {
        let reason =
            format!("process {first} was paused in the middle of a refresh, {other} took over and stored {access}; going on, {how} {name}");
        return Finding::fail(reason, [cited, at].concat());
    }
    let newer = descent(view, access, refresh);
    let good = |z: &Exchange<'_>| z.token_name().is_some_and(|name| newer.contains(name));
    match works_on(view, pause, good) {
        Ok(calls) => {
            let passed =
                format!("process {first} was paused in the middle of a refresh, {other} took over, and what it stored is what counts");
            Finding::pass(passed, [cited, calls].concat())
        }
        Err(reason) => Finding::undecided(reason),
    }
}

/// Which older token showed up, how, and in which events.
type Back<'h> = (&'h str, String, Vec<u32>);

impl Pause<'_, '_> {
    fn is_older(&self, token: &str) -> bool {
        token == self.access || Some(token) == self.refresh
    }

    /// Requests with the older pair, after the first rest.
    fn sent<'v, 'h>(&self, view: &'v View<'h>) -> impl Iterator<Item = &'v Exchange<'h>> {
        let (rest, until) = (self.rest.mark, self.until);
        let sent = view.api_calls(rest, until).chain(view.refreshes(rest, until));
        sent.filter(|z| z.token_name().is_some_and(|name| self.is_older(name)))
    }
}

/// The older pair takes the place of the newer one in the store.
fn wrote_over<'h>(view: &View<'h>, pause: &Pause<'_, 'h>, lineage: &Lineage<'h>, newer: Kept) -> Option<Back<'h>> {
    let first = pause.instance;
    let restart = view.restart_after(pause.since).unwrap_or(Mark::END);
    // Nobody else was ever given it: it came by way of the store, where it was written after the first one had gone on.
    let by_way_of_it = |z: &&Exchange<'_>| z.instance.is_some_and(|instance| instance != first || z.began >= restart.at);
    let others: Vec<_> = pause.sent(view).filter(by_way_of_it).collect();
    let older = lineage.kept(pause.access, Span::new(pause.continued.at, pause.continued.at))?;
    let read = others.iter().map(|z| Kept { span: Span::new(pause.continued.at, z.began), ..older });
    let kept: Vec<Kept> = std::iter::once(newer).chain(read).collect();
    if let Answer::Violated(_, second) = history::never_older(&kept) {
        let z = second.checked_sub(1).and_then(|second| others.get(second))?;
        let how = format!("process {first} wrote its older pair over the newer one: {} presented", several::who(z));
        return Some((z.token_name()?, how, vec![z.arrived.n]));
    }
    let meant = |sight: &Sight<'_>| pause.is_older(sight.token) && sight.seen < pause.until;
    let sights = sights(view, lineage);
    let sight = written_over(&sights, newer, history::never_older, meant)?;
    let how = format!("process {first} wrote its older pair over the newer one: {} held", storage::place(sight.place));
    Some((sight.token, how, vec![sight.seen.n]))
}

/// It goes on with the older pair, which it has in memory. What it had under way when it was stopped may end with the token that it was
/// given for that; later work may not begin with it.
fn went_on<'h>(view: &View<'h>, pause: &Pause<'_, 'h>) -> Option<Back<'h>> {
    let first = pause.instance;
    let (rest, quiet) = (pause.rest.mark, pause.rest.quiet);
    let restart = view.restart_after(pause.since).unwrap_or(Mark::END).min(pause.until);
    let own = |z: &&Exchange<'_>| z.instance == Some(first) && z.began < restart.at;
    let last = view.api_calls(rest, restart).filter(own).last().filter(|z| z.token_name().is_some_and(|name| pause.is_older(name)));
    let refreshes = control::convicting(view, rest, quiet, pause.sent(view).filter(own).filter(|z| z.is_refresh()));
    let asked = |z: &&Exchange<'_>| view.triggers(rest, restart).any(|call| call.instance == Some(first) && call.called.at < z.began);
    let z = last.filter(|z| quiet && asked(z)).or(refreshes.first().copied())?;
    Some((z.token_name()?, "it went on with its older pair: it presented".into(), vec![z.arrived.n]))
}

/// Nobody else refreshed before it went on.
fn waited_for(view: &View<'_>, pause: &Pause<'_, '_>) -> Finding {
    let first = pause.instance;
    let asked = view.triggers(pause.paused, pause.continued).find(|call| call.instance.is_some_and(|instance| instance != first));
    let Some(asked) = asked.map(|call| call.called) else {
        return Finding::undecided(format!("no other process was asked to work while process {first} was paused"));
    };
    let span = pause.continued.at.saturating_sub(asked.at);
    let seconds = format!("{}.{} s", span / 1_000_000, span / 100_000 % 10);
    if span < several::LEASE {
        return Finding::undecided(format!(
            "the others were asked to work only {seconds} before process {first} went on: whether one would take over is not known"
        ));
    }
    let again = |z: &&Exchange<'_>| {
        z.instance != Some(first) && !elsewhere(pause.x, z) && z.token_name().is_some() && z.token_name() == pause.x.token_name()
    };
    if view.refreshes(pause.continued, pause.until).any(|z| again(&z)) {
        return Finding::undecided(format!("another process refreshed with the same token only after process {first} had gone on"));
    }
    match works_on(view, pause, |_| true) {
        Ok(calls) => {
            let passed = format!(
                "process {first} was paused in the middle of a refresh; the others were asked to work {seconds} before it went on, and none refreshed before"
            );
            Finding::pass(passed, [vec![pause.x.arrived.n, pause.paused.n, asked.n, pause.continued.n], calls].concat())
        }
        Err(reason) => Finding::undecided(reason),
    }
}

/// The process that was paused calls the API with success, and so does the subject after a restart: which calls.
fn works_on(view: &View<'_>, pause: &Pause<'_, '_>, good: impl Fn(&Exchange<'_>) -> bool) -> Result<Vec<u32>, String> {
    let first = pause.instance;
    let restart = view.restart_after(pause.since).filter(|restart| *restart < pause.until);
    let done = |from: Mark, until: Mark, own: bool| {
        let mut calls = view.api_calls(from, until).filter(|z| z.answered(2) && good(z));
        calls.find(|z| !own || z.instance == Some(first)).map(|z| z.arrived.n)
    };
    let before = done(pause.rest.mark, restart.unwrap_or(pause.until), true);
    let before = before.ok_or_else(|| {
        format!("after it went on, and had come to rest, process {first} made no call that shows which pair it works with")
    })?;
    if view.terms.one_shot {
        return Ok(vec![before]);
    }
    let restart = restart.ok_or("the subject was not restarted, so that what it had stored is not known")?;
    let after = done(restart, pause.until, false).ok_or("after a restart the subject made no call that shows which pair it had stored")?;
    Ok(vec![before, restart.n, after])
}

/// This pair, and what was made from it.
fn descent<'h>(view: &View<'h>, access: &'h str, refresh: Option<&'h str>) -> BTreeSet<&'h str> {
    let mut all: BTreeSet<&str> = [Some(access), refresh].into_iter().flatten().collect();
    for z in view.exchanges.iter().filter(|z| z.is_refresh()) {
        if let Some((access, refresh)) = z.pair().filter(|_| z.token_name().is_some_and(|name| all.contains(name))) {
            all.extend([Some(access), refresh].into_iter().flatten());
        }
    }
    all
}
