//! RACE: what happens at the same time.

mod apart;
mod caller;
mod doubled;
mod killed;
mod lasting;
mod late;
mod loser;
mod paused;
mod processes;
mod revoked;
mod sibling;
mod store;
mod waiters;

use super::{Finding, Level::*, Requirement, Scope, Severity::*, several, shared::*, work};
use crate::{
    evidence::Outcome,
    judge::{
        Exchange, Mark, View,
        history::{self, Answer},
    },
};

/// The group.
pub(super) const ALL: &[Requirement] = &[
    Requirement {
        id: "RACE-01",
        level: Must,
        severity: Error,
        sentence: "has at most one refresh in flight per connection",
        sources: &["Pleo, Centralised token refresh: only one refresh request at a time", "Pleo, Race condition prevention"],
        why: "Eight parallel calls meet an expired token and send eight refreshes: one wins, seven replay a spent token, and Pleo ends the family.",
        observed: "Refresh requests that begin while the reply to another one has not been written yet; one refresh is held while at least three triggers are delivered.",
        undecided: "No refresh was held, or fewer than three triggers were delivered meanwhile.",
        remedy: "Put the refresh behind one lock or one shared future per connection, and read the store again once the lock is yours.",
        declarable: true,
        scope: Scope::Connection,
        check: race_01,
    },
    Requirement {
        id: "RACE-02",
        level: Must,
        severity: Error,
        sentence: "has at most one refresh in flight per connection across all its processes",
        sources: &["Pleo, Centralised token refresh: only one refresh request at a time", "Pleo, Race condition prevention"],
        why: "The lock lives in one process; two pods that share the store refresh with the same token, and one of them replays it.",
        observed: "Refresh requests of any process that begin while the reply to another one has not been written yet; one refresh is held while every process is asked to work.",
        undecided: "`features.processes` is absent; no refresh was held; fewer than three triggers were delivered meanwhile, or none to another process; another process took over only after four seconds, or while the first one stood still, as it may once a lease has come to its end; or a process never called at an address of its own. With `features.processes = 1` it does not apply.",
        remedy: "Put the lock where the tokens are: a row lock or a lease in the shared store, longer than a refresh can take.",
        declarable: true,
        scope: Scope::Connection,
        check: processes::race_02,
    },
    Requirement {
        id: "RACE-03",
        level: Must,
        severity: Error,
        sentence: "lets the waiters go on with the new token: no call lost, none hangs",
        sources: &["Pleo, How to refresh tokens: other requests wait for the refreshed token", "Pleo, Race condition prevention"],
        why: "The lock is there, but those who waited fail with the old token, or wait for ever because nobody wakes them, or refresh in their turn and end the token that the first one has just gone on with.",
        observed: "Triggers delivered while a refresh was held: whether they were answered, whether one of those who waited refreshes once more, with the token that was replaced or with the one that was just brought (where tokens live an hour or more), and whether the work goes on with the new token afterwards.",
        undecided: "No refresh was held, fewer than three triggers were delivered meanwhile, or the subject was asked fewer than twice afterwards.",
        remedy: "After waiting, take the token from the store and do the work; never fail a caller because somebody else was refreshing.",
        declarable: true,
        scope: Scope::Connection,
        check: race_03,
    },
    Requirement {
        id: "RACE-04",
        level: Must,
        severity: Error,
        sentence: "does not let the loser's refusal destroy the winner's tokens",
        sources: &["Pleo, Race condition prevention", "Pleo, Centralised token refresh: only one refresh request at a time"],
        why: "Two workers refresh; the slower one is refused, deletes \"the\" tokens and asks the user to reconnect, though the faster one has just stored good ones.",
        observed: "The replies to all refreshes of a moment are held and let go in their order, the refusals last, under a rotation that lets the family live. Then: the status, and whether the work goes on with the winner's tokens, also after a restart.",
        undecided: "No refresh was held while at least three triggers were delivered; or the loser's refusal was never read; or the subject was asked fewer than twice afterwards.",
        remedy: "Take a refusal as speaking of the token that was sent: if the store holds another one by then, adopt that and change nothing.",
        declarable: true,
        scope: Scope::Connection,
        check: loser::race_04,
    },
    Requirement {
        id: "RACE-05",
        level: Must,
        severity: Error,
        sentence: "does not let a late refusal undo a reconnection",
        sources: &[
            "Pleo, How to refresh tokens: a refusal speaks of the refresh token that was sent",
            "Pleo, How to handle token expiry or revocation, step 4: a clear recovery path",
        ],
        why: "A refresh of the dead token hangs while the user reconnects; its refusal arrives afterwards and wipes the new login.",
        observed: "A refusal is held, the user reconnects, the refusal is let go. Then: the status, and whether the work goes on with the new tokens, also after a restart.",
        undecided: "No refusal was held, the user's reconnection did not succeed on the wire, or the subject was asked fewer than twice afterwards.",
        remedy: "Write an end only over the token that was refused: compare the stored one, or a generation, in the same transaction.",
        declarable: true,
        scope: Scope::Connection,
        check: late::race_05,
    },
    Requirement {
        id: "RACE-06",
        level: Must,
        severity: Error,
        sentence: "does not let a late success undo a reconnection or a disconnection",
        sources: &[
            "Pleo, How to refresh tokens: store both new tokens",
            "Pleo, How to handle token expiry or revocation, step 4: a clear recovery path",
        ],
        why: "A refresh of the old grant hangs while the user reconnects with another account, or disconnects; its tokens arrive afterwards and are stored over the new login, or bring the connection back.",
        observed: "A refresh that has succeeded is held, the user reconnects (in another story: disconnects), the answer is let go. Then: whose tokens are sent, whose lie in the storage in the place of the new ones, the status, and whether anything is sent at all after a disconnection.",
        undecided: "No refresh was held; the user could not reconnect or disconnect meanwhile (`[disconnect]`); or the subject was asked fewer than twice afterwards.",
        remedy: "Store a refreshed pair only in place of the one that it was made from; throw it away otherwise.",
        declarable: true,
        scope: Scope::Connection,
        check: late::race_06,
    },
    Requirement {
        id: "RACE-07",
        level: Must,
        severity: Error,
        sentence: "survives kill -9 between reply and save: unauthenticated or working, never mixed, at most three refreshes",
        sources: &["Pleo, How to refresh tokens: store both new tokens"],
        why: "A crash between two writes leaves the new access token beside the old refresh token: all is well until that one is presented, and the provider ends the family.",
        observed: "The process is killed while the answer to a refresh is on its way (in another story: as soon as it has read it), and started again. Then: which tokens are sent together, how many refreshes come to nothing, and whether it works or says that access must be restored.",
        undecided: "The subject was not killed during a refresh, was not started again, or was asked fewer than twice afterwards; it kept still for less than a minute, and may have waited for a lock to run out; or it does not work and nobody knows what it says (`[status]`).",
        remedy: "Write the pair in one transaction, or to a file of its own that is then renamed, before anything is done with it. Use a lock that ends with its holder, or soon after.",
        declarable: true,
        scope: Scope::Connection,
        check: killed::race_07,
    },
    Requirement {
        id: "RACE-08",
        level: Must,
        severity: Error,
        sentence: "copes with a revocation while a refresh is in flight: ends the connection within two refreshes",
        sources: &["Pleo, How to handle token expiry or revocation: access can end at any time"],
        why: "The refresh succeeded, so the tokens must be good: the 401 that follows is repeated for ever, or swallowed.",
        observed: "A refresh has succeeded and its answer is held; the grant is revoked; the answer is let go. From the first call that is refused with the new token: how many refreshes follow, whether calls go on, and the status.",
        undecided: "No such refresh was held, its tokens were never used, or nothing shows that the subject was still alive when it was silent.",
        remedy: "Treat a 401 on a fresh token like any other: one refresh, and if that is refused, the end.",
        declarable: true,
        scope: Scope::Connection,
        check: revoked::race_08,
    },
    Requirement {
        id: "RACE-09",
        level: Should,
        severity: Warning,
        sentence: "copes with a pause in the middle of a refresh: afterwards presents no token it did not read from the store since, and writes no pair older than the stored one",
        sources: &["Pleo, Race condition prevention"],
        why: "A lease ends while its holder sleeps; woken up, it stores what it has over the newer pair of whoever took over.",
        observed: "A process is stopped while the answer to its refresh is held, the others are asked to work, and it goes on once they rest. Did another one refresh meanwhile: whose tokens are sent then, by whom, also after a restart, and whose lie in the storage. Whoever waited for it passes; that shows nothing of a lease that is longer than the pause, some seconds.",
        undecided: "`features.processes` is absent; the process that refreshed could not be told, or paused alone; no other was asked to work meanwhile, or too late; it had not come to rest with its pair before; or the processes did not work on afterwards. With `features.processes = 1` it does not apply.",
        remedy: "Write a pair only in place of the one that it was made from, and read the store again after every wait.",
        declarable: true,
        scope: Scope::Connection,
        check: paused::race_09,
    },
    Requirement {
        id: "RACE-10",
        level: Must,
        severity: Error,
        sentence: "copes with two reconnections at once and with a callback delivered twice: one pair is stored, a restart uses it, the code is exchanged once",
        sources: &["Pleo, Step-by-step: a code can be exchanged once", "RFC 6749 4.1.2: a code must not be used more than once"],
        why: "An impatient user, or a browser that repeats a request: the code is exchanged twice and the provider revokes what it gave, or two logins leave one pair in memory and another one in the store.",
        observed: "The same callback delivered twice at once, then two logins of one browser that come back at once. Then: how often each code was exchanged, the status, and whose tokens are sent before and after a restart.",
        undecided: "The two logins could not be begun, neither was exchanged with success, or the subject was asked fewer than twice afterwards.",
        remedy: "Use up a state when its callback arrives, before the exchange; store a pair as one, in one transaction.",
        declarable: true,
        scope: Scope::Connection,
        check: doubled::race_10,
    },
    Requirement {
        id: "RACE-11",
        level: Must,
        severity: Error,
        sentence: "replays calls that met 401 because a sibling refreshed",
        sources: &["Pleo, How to refresh tokens: other requests wait for the refreshed token", "Pleo, Race condition prevention"],
        why: "Two calls go out side by side; one of them refreshes, the other one's 401 comes a moment later, and its work is given up.",
        observed: "Two calls are held side by side. The first one's 401 is let go, and the subject refreshes; then the second one's. Whether that call goes out again with the newer token, or its work is done anew; or else whether whoever had asked for it is refused, or what it carried never comes.",
        undecided: "Calls overlapped, but no 401 came after another one's refresh; or the call was not repeated, and nothing shows that work was dropped because of that (`work.kind`): who puts off what it could not do, and does it when next asked, has dropped nothing. It does not apply where no two calls of a connection ever overlap.",
        remedy: "On a 401 compare the token that was sent with the stored one: if that is newer, repeat the call with it and refresh nothing.",
        declarable: true,
        scope: Scope::Connection,
        check: sibling::race_11,
    },
    Requirement {
        id: "RACE-12",
        level: Should,
        severity: Error,
        sentence: "brings a refresh to its end though the caller that set it off hangs up",
        sources: &[
            "Pleo, How to refresh tokens: store both new tokens",
            "Pleo, Centralised token refresh: one place refreshes, for everybody",
        ],
        why: "A user closes the tab, or a health probe runs into its time limit: the request's context is cancelled and with it the refresh. The provider has spent the token by then, and nobody reads the new pair; or the lock is never given back.",
        observed: "Work is asked for over HTTP, the refresh that it sets off is held when the provider has decided it, and the caller hangs up; then the answer is let go. Whether the refresh's own connection is closed with the caller's, whether the pair that came is used and presented later, also after a restart, and whether anything goes on at all.",
        undecided: "No refresh was held when the caller hung up; it was broken off later than half a second after that, and may have come to a limit of its own; the pair was lost, but none is seen to be kept while the caller waits; or it kept still for less than a minute. It does not apply where nobody waits for the answer: work that is accepted before the refresh begins, a queue, a command.",
        remedy: "Let the refresh run in a task of its own that everybody waits for: no cancellation, time limit or session of a caller reaches it. In Go `context.WithoutCancel`, in .NET a token that is not the request's, in Rust a spawned task, in Node no signal of the request.",
        declarable: true,
        scope: Scope::Connection,
        check: caller::race_12,
    },
    Requirement {
        id: "RACE-13",
        level: Must,
        severity: Error,
        sentence: "keeps connections apart that refresh at the same time: each goes on with its own tokens",
        sources: &[
            "Pleo, Multi-entity and API scope: separate credentials for each company",
            "Pleo, How to refresh tokens: persist both tokens after each success",
        ],
        why: "All accounts lie in one file. Two tokens run out in the same minute; each refresh reads the whole file, asks Pleo, and writes the whole file back: whoever writes last restores the other company's spent token. Or one promise serves whoever waits for a refresh, and a company's invoices go out with another company's token.",
        observed: "Each of two connections refreshes alone, while others of its own wait for that, and is seen to go on. Then both need a refresh at once, and the answers are held until both wait. Whether each works on with its own tokens, then and after a restart; and, with `work.kind = \"push\"`, whether a unit that was asked of one is ever carried by a token of the other.",
        undecided: "`features.connections` names fewer than two; no two connections needed a refresh at the same time; the subject gave up on an answer that was held; a connection was not seen to go on once it had refreshed alone, or refreshed twice at once by itself; neither went on; after a restart one did not, and nothing shows that what it had been given was lost; or work was asked for fewer than twice. Where work is not pushed, a call that went out once with another's token is not seen. With one connection it does not apply.",
        remedy: "Key everything by connection: the lock, the shared promise, the cache, the row. Write back the one connection that was refreshed, never all that were read.",
        declarable: true,
        scope: Scope::Subject,
        check: apart::race_13,
    },
];

/// Two refreshes of one connection, of which the second began while the first was in flight, in whatever order they may have been.
fn overlap<'v, 'h>(
    view: &'v View<'h>,
    meant: impl Fn(&Exchange<'h>, &Exchange<'h>) -> bool,
) -> Option<(&'v Exchange<'h>, &'v Exchange<'h>)> {
    let all: Vec<_> = view.exchanges.iter().filter(|x| x.is_refresh()).collect();
    let refreshes: Vec<_> = all.iter().map(|x| history::in_flight(view, x)).collect();
    let rivals = |one: usize, other: usize| !sibling::elsewhere(all[one], all[other]) && meant(all[one], all[other]);
    match history::one_at_a_time(&refreshes, rivals) {
        Answer::Violated(first, second) => Some((all[first], all[second])),
        Answer::Holds | Answer::Ambiguous(..) => None,
    }
}

fn race_01(view: &View<'_>) -> Finding {
    // What two processes do is judged under RACE-02.
    if let Some((first, second)) = overlap(view, |first, second| !several::are_two(first, second)) {
        let reason = format!("a second refresh began while one with {} was in flight", first.token_name().unwrap_or("an unknown token"));
        return Finding::fail(reason, vec![first.arrived.n, second.arrived.n]);
    }
    match held(view) {
        Ok(held) => Finding::pass(
            "one refresh was held, work was asked for, and no second refresh began",
            [vec![held.x.arrived.n], held.stimuli].concat(),
        ),
        Err(finding) => finding,
    }
}

/// A refresh that was held while at least three triggers were delivered.
struct Held<'v, 'h> {
    x: &'v Exchange<'h>,
    from: Mark,
    until: Mark,
    stimuli: Vec<u32>,
}

fn held<'v, 'h>(view: &'v View<'h>) -> Result<Held<'v, 'h>, Finding> {
    let all = view.exchanges.iter().filter(|x| x.is_refresh()).filter_map(|x| {
        let (from, until) = (x.held?, x.released.or(x.aborted.map(|(mark, _)| mark)).unwrap_or(Mark::END));
        let delivered = view.triggers(from, until).filter(|c| c.answered.is_none_or(|(mark, o)| o != Outcome::NoAnswer || mark > until));
        Some(Held { x, from, until, stimuli: delivered.map(|c| c.called.n).collect() })
    });
    let Some(most) = all.max_by_key(|held| held.stimuli.len()) else { return Err(unrealised(view, "no refresh was held in this story")) };
    if most.stimuli.len() < 3 {
        let count = most.stimuli.len();
        return Err(Finding::undecided(format!("{count} triggers were delivered while a refresh was held, three are needed")));
    }
    Ok(most)
}

fn race_03(view: &View<'_>) -> Finding {
    if let Some(finding) = waiters::refreshed_anew(view).or_else(|| waiters::refreshed_twice(view)) {
        return finding;
    }
    let Held { x, from, until: released, stimuli } = match held(view) {
        Ok(held) => held,
        Err(finding) => return finding,
    };
    if x.released.is_none() {
        return Finding::undecided("the held refresh was never let go");
    }
    let Some((access, _)) = x.pair() else { return Finding::undecided("the held refresh did not succeed") };
    if disturbed(view, from, released) || waiters::is_over(view, from, released) {
        let reason = "while the refresh was held the user came or went, the grant ended, or a process did: those who waited may have to go on \
                      with something else";
        return Finding::undecided(reason);
    }
    if let Some(call) = view.triggers(from, released).find(|c| c.outcome() == Some(Outcome::NoAnswer) && c.status.is_none()) {
        return Finding::fail("a trigger that met a refresh in flight was never answered", vec![x.arrived.n, call.called.n]);
    }
    let Some(rest) = view.rest_after(released) else {
        return Finding::undecided("the subject was not observed after the refresh was let go");
    };
    let end = view.disturbed_after(released);
    let asked_later: Vec<u32> = view.triggers(rest.mark, end).filter(|c| c.was_answered()).map(|c| c.called.n).collect();
    // With the token that came, or with one that came after it.
    let is_new = |y: &Exchange<'_>| {
        let newer = |name: &str| view.given(name).is_some_and(|given| given > released && y.grant() == x.issued_in());
        y.token_name().is_some_and(|name| name == access || newer(name))
    };
    let Some(went_on) = view.api_calls(released, end).find(|y| y.answered(2) && is_new(y)) else {
        return if asked_later.len() < 2 {
            Finding::undecided("no call with the new token followed, and work was asked for fewer than twice afterwards")
        } else {
            let reason = "the refresh succeeded, but nothing went on with the new token, though work was asked for again";
            Finding::fail(reason, [vec![x.arrived.n], asked_later].concat())
        };
    };
    let (lost, open) = lost_units(view, x.arrived, released);
    if let Some((unit, Some(said))) = lost.iter().find(|(_, said)| said.is_some()) {
        let reason = format!("{unit} met a refresh in flight, and the subject said that it was done, but it was never delivered");
        return Finding::fail(reason, vec![x.arrived.n, released.n, said.n]);
    }
    if let (Some(unit), true) = (open.first(), lost.is_empty()) {
        return Finding::undecided(format!(
            "accepted work that met a refresh in flight is still to be done, says the subject, {unit} among it"
        ));
    }
    if let Some((unit, _)) = lost.first() {
        // Whoever still has work to do is not finished: the end of the story must have come, and in peace.
        let finished = view.rests.last().is_some_and(|rest| rest.quiet && rest.mark > released) && asked_later.len() >= 2;
        let reason = format!("{} units of accepted work that met a refresh in flight were lost, {unit} among them", lost.len());
        return if finished {
            Finding::fail(reason, vec![x.arrived.n, released.n])
        } else {
            Finding::undecided(format!("{reason}, unless there was too little time"))
        };
    }
    // Started anew, nobody waits any more.
    if let Some(asked) = silenced(view, rest.mark, view.restart_after(rest.mark).unwrap_or(end).min(end)) {
        let reason = "one call went on with the new token, then none did, though work was asked for again and accepted";
        return Finding::fail(reason, [vec![x.arrived.n, released.n, went_on.arrived.n], asked].concat());
    }
    let at_once = went_on.arrived < rest.mark;
    if !at_once && view.terms.work.is_none() {
        return Finding::locked("those who waited did not go on at once; whether their work was done later is not known", "work.kind");
    }
    Finding::pass("those who waited went on with the new token", [vec![x.arrived.n, released.n, went_on.arrived.n], stimuli].concat())
}

/// Triggers that were accepted after the subject had come to rest and caused no API call up to the next rest: whoever waited for the
/// refresh still does. Every trigger caused a call in the prologue.
fn silenced(view: &View<'_>, from: Mark, until: Mark) -> Option<Vec<u32>> {
    let asked: Vec<Mark> = view.triggers(from, until).filter(|c| c.outcome() == Some(Outcome::Accepted)).map(|c| c.called).collect();
    let (first, last) = (asked.first()?, asked.last()?);
    let rest = view.rests.iter().find(|rest| rest.quiet && rest.mark > *last && rest.mark < until)?;
    let idle = view.api_calls(*first, rest.mark).next().is_none();
    (asked.len() >= 2 && idle).then(|| asked.iter().map(|mark| mark.n).collect())
}

/// A unit, and when the subject said that it was done, if that cannot be true.
type Lost = (String, Option<Mark>);

/// Accepted units that were open while the refresh was held and were never delivered: those that are lost, and those that are still to be
/// done, as the subject says at the end. None are known where the kind of work is not.
fn lost_units(view: &View<'_>, from: Mark, until: Mark) -> (Vec<Lost>, Vec<String>) {
    if view.terms.work.is_none() {
        return (Vec::new(), Vec::new());
    }
    let calm = view.rests.iter().rfind(|rest| rest.mark < from).map_or(START, |rest| rest.mark);
    let met = |mark: Option<Mark>| mark.is_some_and(|mark| mark > calm && mark < until);
    let units = work::ledger(view);
    let claimed = |id: &str| work::claimed(view, &units, id);
    let missing = units.iter().filter(|(_, unit)| met(unit.accepted) && unit.deliveries.is_empty());
    let (open, lost): (Vec<_>, Vec<_>) = missing.partition(|(_, unit)| unit.said_open.is_some_and(|said| said > until));
    let lost = lost.into_iter().map(|(id, _)| (id.clone(), claimed(id))).collect();
    (lost, open.into_iter().map(|(id, _)| id.clone()).collect())
}

#[cfg(test)]
mod tests;
