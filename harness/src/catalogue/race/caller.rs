//! Whoever asked for work hangs up while the refresh is under way that their request set off.

use regrant_mock_server::fault::scenario::Status;

use super::killed::LEASE;
use crate::{
    catalogue::{Finding, shared::*},
    evidence::{Micros, Outcome, Verb, What},
    judge::{Call, Exchange, Mark, View},
};

/// A request that is closed so soon after its caller hung up was closed because of that; later, it may have come to a limit of its own.
/// No client's own limit is shorter.
const AT_ONCE: Micros = 500_000;
/// So often work is asked for before silence says anything.
const OFTEN: usize = 2;

pub(super) fn race_12(view: &View<'_>) -> Finding {
    let findings = view.triggers(START, Mark::END).filter_map(|call| Some(left_alone(view, call, hung_up(call)?))).collect();
    worst(findings).unwrap_or_else(|| nobody_waits(view))
}

fn hung_up(call: &Call<'_>) -> Option<Mark> {
    call.answered.filter(|(_, outcome)| *outcome == Outcome::HungUp).map(|(mark, _)| mark)
}

/// Nobody hung up: perhaps since nobody can.
fn nobody_waits(view: &View<'_>) -> Finding {
    let held = |x: &&Exchange<'_>| x.is_refresh() && x.held.is_some();
    let Some(x) = view.exchanges.iter().find(held) else { return unrealised(view, "no refresh was held in this story") };
    let (held, end) = (x.held.unwrap_or(x.arrived), x.released.unwrap_or(Mark::END));
    let Some(asked) = view.triggers(START, held).last() else {
        return unrealised(view, "nobody had asked for work when the refresh was held");
    };
    match asked.answered {
        Some((mark, _)) if mark < held => {
            Finding::not_applicable("it answers whoever asks for work before it refreshes: nobody waits who could hang up")
        }
        Some((mark, _)) if mark < end => Finding::not_applicable("it answers whoever asks for work while it refreshes: nobody waits"),
        Some((_, Outcome::HungUp)) => unrealised(view, "the caller hung up at another time"),
        Some(_) | None => Finding::not_applicable("work is not asked for over HTTP: there is nobody who could hang up"),
    }
}

fn left_alone(view: &View<'_>, call: &Call<'_>, hung: Mark) -> Finding {
    let under_way = |x: &&Exchange<'_>| {
        let over = |mark: Option<Mark>| mark.is_some_and(|mark| mark < hung);
        x.is_refresh()
            && x.held.is_some_and(|held| held < hung)
            && !over(x.replied.map(|(mark, ..)| mark))
            && !over(x.aborted.map(|(mark, _)| mark))
    };
    let Some(x) = view.exchanges.iter().rfind(under_way) else {
        return unrealised(view, "no refresh was held when the caller hung up");
    };
    let end = until(view, hung);
    let cited = |more: &[u32]| [&[call.called.n, x.arrived.n, hung.n][..], more].concat();
    if let Some((closed, by_subject)) = x.aborted.filter(|_| x.replied.is_none()) {
        let (late, given) = (closed.at.saturating_sub(hung.at), x.issued_in().is_some());
        return if by_subject && given && late < AT_ONCE && closed < end && view.restart_after(hung).is_none_or(|mark| mark > closed) {
            let millis = late / 1_000;
            let reason = format!(
                "its caller hung up, and {millis} ms later it gave up the refresh: the token that it had sent was spent, and the new pair was never read"
            );
            Finding::fail(reason, cited(&[closed.n]))
        } else {
            Finding::undecided("the refresh was broken off, and it is not known that this was because its caller hung up")
        };
    }
    let (Some((replied, ..)), Some((access, Some(refresh)))) = (x.replied, x.pair()) else {
        return Finding::undecided("the refresh that was held brought no new pair after its caller had hung up");
    };
    if let Some(again) = view.refreshes(replied, end).find(|y| y.token_name() == x.token_name() && is_asked_anew(view, y, replied)) {
        return if keeps_what_it_gets(view, x, again) {
            let spent = x.token_name().unwrap_or_default();
            let reason =
                format!("its caller hung up, and the pair that came then was not kept: it presented {spent} again, which was spent for it");
            Finding::fail(reason, cited(&[replied.n, again.arrived.n]))
        } else {
            Finding::undecided("the pair was not kept, but nor is it seen to keep one while its caller waits")
        };
    }
    let kept = view.refreshes(replied, end).find(|y| y.token_name() == Some(refresh));
    let newer =
        |y: &&Exchange<'_>| y.token_name().is_some_and(|name| name == access || view.given(name).is_some_and(|given| given > replied));
    let works = view.api_calls(replied, end).find(|y| y.answered(2) && newer(y));
    match (kept, works) {
        (Some(kept), Some(works)) => Finding::pass(
            "its caller hung up during the refresh, and what came was kept and used",
            cited(&[replied.n, works.arrived.n, kept.arrived.n]),
        ),
        (_, None) => stands_still(view, replied, end).map_or_else(
            || Finding::undecided("after its caller had hung up it was not seen to work, nor asked often and long enough"),
            |(reason, more)| Finding::fail(reason, cited(&more)),
        ),
        (None, Some(_)) => {
            Finding::undecided("after its caller had hung up it works, but it did not refresh again: what it kept is not known")
        }
    }
}

/// What else may end the connection, or the process that had the refresh under way.
fn until(view: &View<'_>, from: Mark) -> Mark {
    let disturbs = |what: &What| {
        matches!(
            what,
            What::Revoked { .. }
                | What::Expired { .. }
                | What::SecretRotated { .. }
                | What::SecretEnds { .. }
                | What::ProcessStopping { kill: true, .. }
                | What::VerbCalled { verb: Verb::Connect | Verb::Disconnect, .. }
        )
    };
    view.events().find(|(mark, what)| *mark > from && disturbs(what)).map_or(Mark::END, |(mark, _)| mark)
}

/// What began before the answer came had the older token in hand.
fn is_asked_anew(view: &View<'_>, y: &Exchange<'_>, replied: Mark) -> bool {
    view.stimulus_before(y.began).is_some_and(|asked| asked > replied)
}

/// Whether another refresh, which nobody left alone, brought a pair that it used later on; after a restart, where one lies before `again`.
fn keeps_what_it_gets(view: &View<'_>, x: &Exchange<'_>, again: &Exchange<'_>) -> bool {
    let restarted = |from: Mark, until: Mark| view.restart_after(from).is_some_and(|mark| mark < until);
    let Some((replied, ..)) = x.replied else { return false };
    let wants_restart = restarted(replied, again.arrived);
    view.exchanges.iter().filter(|y| y.is_refresh() && y.arrived != x.arrived && y.held.is_none()).any(|y| {
        let (Some((came, ..)), Some((_, Some(token)))) = (y.replied, y.pair()) else { return false };
        let used = view.refreshes(came, Mark::END).find(|z| z.token_name() == Some(token));
        used.is_some_and(|used| !wants_restart || restarted(came, used.arrived))
    })
}

/// It neither works nor refreshes, though it was asked; or it says that access must be restored, which nothing ended.
fn stands_still(view: &View<'_>, replied: Mark, end: Mark) -> Option<(String, Vec<u32>)> {
    // A restart cures whoever waits for a lock in memory.
    let until = view.restart_after(replied).unwrap_or(Mark::END).min(end);
    if view.refreshes(replied, until).next().is_some() {
        return None;
    }
    let rest = view.rests.iter().rev().find(|rest| rest.quiet && rest.mark > replied && rest.mark < until)?;
    let asked: Vec<Mark> = view.triggers(replied, rest.mark).filter(|call| !call.is_webhook()).map(|call| call.called).collect();
    let says = view.statuses().rfind(|(mark, ..)| *mark > replied && *mark < until);
    if let (Some((mark, Some(Status::Disconnected), _)), Some(first)) = (says, asked.first())
        && mark > *first
    {
        let reason = "its caller hung up, and the refresh succeeded, but it says that access must be restored";
        return Some((reason.into(), vec![replied.n, mark.n]));
    }
    let waited = asked.first().is_some_and(|first| rest.mark.at.saturating_sub(first.at) >= LEASE);
    let reason = "since its caller hung up during a refresh it neither refreshes nor calls the API, though work was asked for again";
    (asked.len() >= OFTEN && waited).then(|| (reason.into(), asked.iter().take(4).map(|mark| mark.n).collect()))
}
