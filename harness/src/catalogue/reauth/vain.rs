//! Logins that came to nothing must leave everything as it was.

use regrant_mock_server::{fault::scenario::Status, journal::Endpoint};

use super::super::{Finding, Verdict, shared::*};
use crate::{
    evidence::{Authorized, Grant, Outcome, Reply, Verb, Wanted, What},
    judge::{Call, Exchange, Mark, View, control},
};

/// How a connection stood at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stood {
    /// The subject had tokens of this family, and nothing had been done to them.
    Alive(Grant),
    /// It knew of its end.
    Dead,
    /// Something had been done to it that the subject had not met yet, or there was none.
    Unclear,
}

pub(super) fn reauth_06(view: &View<'_>) -> Finding {
    let vain = view.calls.iter().filter(|call| is_vain(call)).filter_map(|call| Some((call, reached_pleo(view, call)?)));
    // Of several in a row the last is judged, for all of them.
    let is_last = |call: &Call<'_>| !next_login(view, call.called).is_some_and(is_vain) || read_between(view, call);
    let findings = vain.filter(|(call, _)| is_last(call)).map(|(call, at_pleo)| citing(at_pleo, left_alone(view, call))).collect();
    worst(findings).unwrap_or_else(|| unrealised(view, "no login was denied or abandoned at the consent page in this story"))
}

fn is_vain(call: &Call<'_>) -> bool {
    call.verb == Verb::Connect && matches!(call.wanted, Some(Wanted::Deny | Wanted::Abandon))
}

fn next_login<'v, 'h>(view: &'v View<'h>, from: Mark) -> Option<&'v Call<'h>> {
    view.calls.iter().find(|call| call.verb == Verb::Connect && call.called > from)
}

/// The user was at Pleo, and said no or went away there.
fn reached_pleo(view: &View<'_>, call: &Call<'_>) -> Option<Mark> {
    let end = call.answered.map_or(Mark::END, |(mark, _)| mark);
    let at_pleo = |what: &What| matches!(what, What::Authorize { result: Authorized::Page | Authorized::Sent(_), .. });
    view.events().find(|(mark, what)| *mark > call.called && *mark < end && at_pleo(what)).map(|(mark, _)| mark)
}

fn read_between(view: &View<'_>, call: &Call<'_>) -> bool {
    let next = next_login(view, call.called).map_or(Mark::END, |next| next.called);
    view.rests.iter().any(|rest| rest.mark > call.called && rest.mark < next)
}

fn left_alone(view: &View<'_>, call: &Call<'_>) -> Finding {
    let word = if call.wanted == Some(Wanted::Deny) { "denied" } else { "abandoned" };
    let Some((answered, _)) = call.answered else { return Finding::undecided("the login was still under way when the story ended") };
    if !read_between(view, call) && next_login(view, call.called).is_some() {
        // Tried again at once: there was no time to see how it stood.
        return worst(vec![tried_again(view, call, word), settings_kept(view, call, word)])
            .unwrap_or_else(|| Finding::undecided("nothing was seen of it"));
    }
    let end = view.disturbed_after(answered);
    let Some(rest) = view.rest_after(answered).filter(|rest| rest.quiet && rest.mark < end) else {
        return Finding::undecided(format!("the subject did not come to rest after a login was {word}"));
    };
    let stood = match stood(view, call.called) {
        Stood::Alive(grant) => still_works(view, call, rest.mark, end, grant, word),
        Stood::Dead => still_dead(view, call, rest.mark, end, word),
        Stood::Unclear => Finding::undecided("how the connection stood when the login began is not clear"),
    };
    let findings = vec![stood, settings_kept(view, call, word), tried_again(view, call, word)];
    let cited = findings.iter().flat_map(|finding| finding.evidence.iter().copied()).collect();
    match worst(findings) {
        Some(pass) if pass.verdict == Verdict::Pass => Finding::pass(format!("{} and it could be tried again", pass.reason), tidy(cited)),
        Some(other) => other,
        None => Finding::undecided("nothing was seen of it"),
    }
}

/// What decides rests on this event, too.
fn citing(mark: Mark, finding: Finding) -> Finding {
    match finding.verdict {
        Verdict::Pass | Verdict::Fail => Finding { evidence: tidy([finding.evidence, vec![mark.n]].concat()), ..finding },
        Verdict::Undecided | Verdict::NotApplicable | Verdict::KnownFail | Verdict::HarnessFault => finding,
    }
}

fn tidy(mut cited: Vec<u32>) -> Vec<u32> {
    cited.sort_unstable();
    cited.dedup();
    cited
}

/// How the connection stood; logins that came to nothing do not count.
fn stood(view: &View<'_>, at: Mark) -> Stood {
    if view.deaths.iter().any(|death| death.knew < at && death.until > at) {
        return Stood::Dead;
    }
    let Some(held) = view.held_before(at.at, None) else { return Stood::Unclear };
    let (Some(grant), Some((given, ..))) = (held.from.issued_in(), held.from.replied) else { return Stood::Unclear };
    let touched = view.events().any(|(mark, what)| {
        let touches = match what {
            What::Revoked { .. } | What::Expired { .. } | What::AccessRejected { .. } | What::SecretRotated { .. } => true,
            What::VerbCalled { verb, .. } => *verb == Verb::Disconnect,
            _ => false,
        };
        touches && mark > given && mark < at
    });
    if touched { Stood::Unclear } else { Stood::Alive(grant) }
}

/// The status that was read last in a time, and when.
fn status_in<'h>(view: &View<'h>, from: Mark, until: Mark) -> Option<(Mark, Option<Status>, &'h str)> {
    view.statuses().rfind(|(mark, ..)| *mark > from && *mark < until)
}

fn still_works(view: &View<'_>, call: &Call<'_>, rest: Mark, end: Mark, grant: Grant, word: &str) -> Finding {
    // What a refresh with a good token changed, the login did not.
    if view.refreshes(call.called, end).any(|x| x.pair().is_none() && x.grant() == Some(grant)) {
        return Finding::undecided(format!("a refresh did not succeed after a login was {word}"));
    }
    let before = status_in(view, START, call.called);
    let after = status_in(view, rest, end);
    if let (Some((b, Some(Status::Connected), _)), Some((a, Some(Status::Disconnected | Status::Broken), _))) = (before, after) {
        let reason = format!("the status said connected, a login was {word}, and now it does not any more");
        return Finding::fail(reason, tidy(vec![b.n, call.called.n, a.n]));
    }
    match goes_on(view, grant, rest, end) {
        Ok(used) => Finding::pass(format!("a login was {word} and the connection works on"), vec![call.called.n, used]),
        Err(Stopped::Seen(stimuli)) if worked_before(view, grant, call.called) => {
            let reason = format!("a login was {word} while the connection worked, and it does not work any more");
            Finding::fail(reason, [vec![call.called.n], stimuli].concat())
        }
        Err(Stopped::Seen(_)) => Finding::undecided("the connection was not seen to work before the login"),
        Err(Stopped::Unseen(reason)) => Finding::undecided(reason),
    }
}

/// Why no call was seen.
enum Stopped {
    /// It was asked for twice and had its time.
    Seen(Vec<u32>),
    /// It was not asked for, or had no time.
    Unseen(String),
}

/// A call that succeeded with a token of this family.
fn goes_on(view: &View<'_>, grant: Grant, from: Mark, until: Mark) -> Result<u32, Stopped> {
    if let Some(x) = view.api_calls(from, until).find(|x| x.answered(2) && x.grant() == Some(grant)) {
        return Ok(x.arrived.n);
    }
    let stimuli = control::delivered(view, control::MAIN, from, until, 2, "afterwards").map_err(Stopped::Unseen)?;
    let last = stimuli.iter().max().copied().unwrap_or_default();
    let rested = view.rests.iter().any(|rest| rest.quiet && rest.mark.n > last && rest.mark < until);
    if rested { Err(Stopped::Seen(stimuli)) } else { Err(Stopped::Unseen("the subject did not come to rest afterwards".into())) }
}

fn worked_before(view: &View<'_>, grant: Grant, until: Mark) -> bool {
    view.api_calls(START, until).any(|x| x.answered(2) && x.grant() == Some(grant))
}

fn still_dead(view: &View<'_>, call: &Call<'_>, rest: Mark, end: Mark, word: &str) -> Finding {
    if !view.terms.status_disconnected {
        return Finding::locked("it is not known how the status reads when the user must reauthenticate", "status.disconnected");
    }
    let (Some((b, before, _)), Some((a, after, raw))) = (status_in(view, START, call.called), status_in(view, rest, end)) else {
        return Finding::undecided(format!("the status was not read before and after a login was {word}"));
    };
    let cited = tidy(vec![b.n, call.called.n, a.n]);
    match (before, after) {
        (Some(Status::Disconnected | Status::Broken), Some(Status::Connected)) => {
            Finding::fail(format!("a login was {word}, and the status says connected now"), cited)
        }
        (Some(Status::Disconnected), Some(Status::Disconnected)) => {
            Finding::pass(format!("a login was {word} and the connection stays unauthenticated"), cited)
        }
        (_, None) => Finding::undecided(format!("the status matches none of the patterns after a login was {word}: {raw}")),
        (None | Some(Status::Connected | Status::Broken), Some(_)) | (Some(Status::Disconnected), Some(Status::Broken)) => {
            Finding::undecided("the status did not say disconnected before the login, or says broken after it")
        }
    }
}

/// What the user set is what it was. Where it differs from reading to reading, or was read once only, nothing is said.
fn settings_kept(view: &View<'_>, call: &Call<'_>, word: &str) -> Finding {
    let readings: Vec<_> = settings(view).into_iter().filter_map(|(mark, read)| Some((mark, read?))).collect();
    let (before, after): (Vec<_>, Vec<_>) = readings.into_iter().partition(|(mark, _)| *mark < call.called);
    let steady =
        before.first().filter(|(_, first)| before.len() >= 2 && before.iter().all(|(_, read)| read.keep(*first) && first.keep(*read)));
    match steady {
        Some((b, old)) if after.len() >= 2 && after.iter().all(|(_, read)| !read.keep(*old)) => {
            let cited = vec![b.n, call.called.n, after[0].0.n];
            Finding::fail(format!("the settings are not what they were before a login was {word}"), cited)
        }
        Some(_) | None => Finding::pass(format!("a login was {word} and the settings were left alone"), vec![call.called.n]),
    }
}

/// The next login that the user went through with, without a restart in between, succeeded.
fn tried_again(view: &View<'_>, call: &Call<'_>, word: &str) -> Finding {
    let Some(again) = view.reconnection_after(call.called) else {
        return Finding::undecided(format!("the user did not try again after a login was {word}"));
    };
    let goes_on = view.terms.one_shot || view.terms.restarts_on_exit;
    if !goes_on && view.restart_after(call.called).is_some_and(|restart| restart < again.called) {
        return Finding::undecided(format!("the subject was restarted before the user tried again after a login was {word}"));
    }
    let until = next_login(view, again.called).map_or(Mark::END, |next| next.called);
    let own = |x: &&Exchange<'_>| x.endpoint == Endpoint::Token && x.arrived > again.called && x.arrived < until;
    if let Some(x) = view.exchanges.iter().filter(own).find(|x| x.is_code_exchange() && x.pair().is_some()) {
        return Finding::pass(format!("after a login was {word} the next one succeeded"), vec![again.called.n, x.arrived.n]);
    }
    let disturbed = view.exchanges.iter().filter(own).any(|x| x.is_obscure() || !x.fates.is_empty());
    match again.outcome() {
        Some(Outcome::Accepted | Outcome::Refused) if !disturbed => {
            let reason = format!("a login was {word}, and the next one did not come to an exchange of its code that succeeded");
            Finding::fail(reason, vec![call.called.n, again.called.n])
        }
        Some(Outcome::Accepted | Outcome::Refused | Outcome::NoAnswer | Outcome::HungUp) | None => {
            Finding::undecided(format!("the next login after one was {word} was not answered, or met a fault"))
        }
    }
}

pub(super) fn reauth_07(view: &View<'_>) -> Finding {
    let findings = failures(view).into_iter().map(|failed| not_overwritten(view, failed)).collect();
    worst(findings).unwrap_or_else(|| unrealised(view, "no exchange of a code failed in this story while the connection lived"))
}

/// Exchanges of the user's own codes that gave no tokens, the last of each login, while the connection lived.
fn failures<'v, 'h>(view: &'v View<'h>) -> Vec<(&'v Exchange<'h>, Grant)> {
    let exchanges: Vec<_> = view.exchanges.iter().filter(|x| x.is_code_exchange() && !x.carries_unknown()).collect();
    let mut failed = Vec::new();
    for x in &exchanges {
        let same: Vec<_> = exchanges.iter().filter(|other| other.token_name() == x.token_name()).collect();
        let is_last = same.iter().all(|other| other.arrived <= x.arrived);
        let first = same.iter().map(|other| other.arrived).min().unwrap_or(x.arrived);
        let came_to_nothing = same.iter().all(|other| other.issued_in().is_none()) && (x.replied.is_some() || x.aborted.is_some());
        if let (true, Stood::Alive(grant)) = (is_last && came_to_nothing, stood(view, first)) {
            failed.push((*x, grant));
        }
    }
    failed
}

fn not_overwritten(view: &View<'_>, (failed, grant): (&Exchange<'_>, Grant)) -> Finding {
    let over = match (failed.replied, failed.read, failed.aborted) {
        // Its own credentials are refused: that is another matter.
        (Some((_, _, Reply::Final { error, .. })), ..) if error == "invalid_client" => {
            return Finding::undecided("the client's credentials were refused, not the code");
        }
        (Some(_), Some(read), _) => read,
        (Some((mark, ..)), None, _) if failed.read_unknown => mark,
        (Some(_), None, _) => return Finding::undecided("the answer that held no tokens was not read"),
        (None, _, Some((mark, _))) => mark,
        (None, _, None) => return Finding::undecided("the exchange was still open when the story ended"),
    };
    if !worked_before(view, grant, failed.arrived) {
        return Finding::undecided("the connection was not seen to work before the exchange failed");
    }
    let end = view.disturbed_after(over);
    let Some(rest) = view.rest_after(over).filter(|rest| rest.quiet && rest.mark < end) else {
        return Finding::undecided("the subject did not come to rest after the exchange failed");
    };
    // Such a thing can only come from the answer that failed: before it the tokens were good.
    let odd = |x: &&Exchange<'_>| (x.is_api() || x.is_refresh()) && x.began > over.at && x.arrived < end && presents_nonsense(x);
    if let Some(x) = view.exchanges.iter().find(odd) {
        let reason = "after an exchange of a code failed the subject presented what Pleo never issued in place of its tokens";
        return Finding::fail(reason, tidy(vec![failed.arrived.n, over.n, x.arrived.n]));
    }
    let same_process = !view.terms.one_shot;
    let restart = view.restart_after(rest.mark).filter(|mark| same_process && *mark < end);
    let at_once = goes_on(view, grant, rest.mark, restart.unwrap_or(end));
    let later = restart.map(|restart| goes_on(view, grant, restart, end));
    let lost = |stimuli: Vec<u32>, when: &str| {
        let reason = format!("an exchange of a code failed, and the tokens that were stored before it are not used any more{when}");
        Finding::fail(reason, [vec![failed.arrived.n, over.n], stimuli].concat())
    };
    match (at_once, later) {
        (Err(Stopped::Seen(stimuli)), _) => lost(stimuli, ""),
        (_, Some(Err(Stopped::Seen(stimuli)))) => lost(stimuli, " after a restart"),
        (Err(Stopped::Unseen(reason)), _) | (_, Some(Err(Stopped::Unseen(reason)))) => Finding::undecided(reason),
        (Ok(used), Some(Ok(again))) => Finding::pass(KEPT, tidy(vec![failed.arrived.n, over.n, used, again])),
        (Ok(used), None) if !same_process => Finding::pass(KEPT, tidy(vec![failed.arrived.n, over.n, used])),
        (Ok(_), None) if view.terms.restartable => Finding::undecided("no restart followed the exchange that failed"),
        (Ok(_), None) => Finding::locked("the subject cannot be restarted by the harness", "[start] run = [...]"),
    }
}

const KEPT: &str = "an exchange of a code failed, and the tokens that were stored before are used on, after a restart too";

/// A token that was never issued, or none at all.
fn presents_nonsense(x: &Exchange<'_>) -> bool {
    let none = x.api.as_ref().is_some_and(|api| api.presented.is_none()) || x.token.as_ref().is_some_and(|token| token.presented.is_none());
    x.carries_unknown() || none
}

#[cfg(test)]
mod tests;
