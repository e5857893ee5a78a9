//! Does the connection live on after all that? Asked of the running program, and of one that was restarted.

use regrant_mock_server::fault::scenario::Status;

use crate::{
    catalogue::Finding,
    evidence::{Grant, Outcome, Verb, What},
    judge::{Call, Mark, View},
};

/// What a late answer, or a second login, must not undo: after `since` the subject works with this grant, also after a restart.
///
/// # Errors
/// It does not (fail), or that was not seen (undecided).
pub(super) fn lives_on(view: &View<'_>, since: Mark, grant: Grant) -> Result<Vec<u32>, Finding> {
    let Some(rest) = view.rest_after(since).filter(|rest| rest.quiet) else {
        return Err(Finding::undecided("the subject did not come to rest afterwards"));
    };
    let end = user_after(view, since);
    let another = view.exchanges.iter().filter(|x| x.is_code_exchange() && x.pair().is_some() && x.issued_in() != Some(grant));
    if another.filter(|x| x.arrived < end).any(|x| x.replied.is_some_and(|(replied, ..)| replied > since)) {
        return Err(Finding::undecided("the user was on the way back once more: whose tokens it should go on with is not known"));
    }
    let given = view.exchanges.iter().find(|x| x.is_code_exchange() && x.issued_in() == Some(grant)).map(|x| x.arrived);
    let under_way = |call: &&Call<'_>| call.answered.is_none_or(|(done, outcome)| outcome == Outcome::NoAnswer || Some(done) > given);
    if view.calls.iter().filter(|call| call.verb == Verb::Disconnect && call.called < since).any(|call| under_way(&call)) {
        return Err(Finding::undecided(
            "the user had asked to be disconnected as well, and that was not over when the new tokens were given",
        ));
    }
    if let Some(death) = view.deaths.iter().find(|death| death.asked > since && death.asked < end && death.grant == Some(grant)) {
        return Err(Finding::undecided(format!("the provider refused a token of the connection's own, with {}", death.error)));
    }
    // Whatever it had made of its own token by then: it is over for another reason.
    if let Some(error) = view.refreshes(since, end).filter(|x| x.grant() == Some(grant)).find_map(crate::judge::Exchange::refusal) {
        return Err(Finding::undecided(format!("the provider refused a token of the connection's own, with {error}")));
    }
    if let Some((mark, ..)) = view.statuses().find(|(mark, state, _)| *mark > rest.mark && *mark < end && is_down(*state)) {
        return Err(Finding::fail("the status says that it does not work, though its grant is good", vec![since.n, mark.n]));
    }
    let restart = view.restart_after(rest.mark).filter(|mark| *mark < end && !view.terms.one_shot);
    let mut cited = works_in(view, rest.mark, restart.unwrap_or(end), grant, "afterwards")?;
    match restart {
        Some(restart) => cited.extend(works_in(view, restart, end, grant, "after the restart")?),
        None if view.terms.restartable && !view.terms.one_shot => {
            return Err(Finding::undecided("the subject was not restarted afterwards"));
        }
        None => {}
    }
    Ok(cited)
}

/// The next time that the user connects or disconnects.
pub(super) fn user_after(view: &View<'_>, from: Mark) -> Mark {
    let by_user = |what: &What| matches!(what, What::VerbCalled { verb: Verb::Connect | Verb::Disconnect, .. });
    view.events().find(|(mark, what)| *mark > from && by_user(what)).map_or(Mark::END, |(mark, _)| mark)
}

fn is_down(state: Option<Status>) -> bool {
    matches!(state, Some(Status::Disconnected | Status::Broken))
}

fn works_in(view: &View<'_>, from: Mark, until: Mark, grant: Grant, when: &str) -> Result<Vec<u32>, Finding> {
    if let Some(call) = view.api_calls(from, until).find(|x| x.answered(2) && x.grant() == Some(grant)) {
        return Ok(vec![call.arrived.n]);
    }
    let asked: Vec<_> = view.triggers(from, until).filter(|call| call.was_answered()).collect();
    let rested = |from: Mark| view.rests.iter().any(|rest| rest.quiet && rest.mark > from && rest.mark < until);
    match asked.as_slice() {
        [first, .., last] if rested(last.called) => {
            let reason = format!("{when} no API call succeeded with the tokens that it should have, though work was asked for");
            Err(Finding::fail(reason, vec![first.called.n, last.called.n]))
        }
        _ => Err(Finding::undecided(format!("{when} no API call with the new tokens was seen, and too little was asked"))),
    }
}
