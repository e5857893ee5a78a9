//! Whether it is the same connection afterwards, of the same company.

use regrant_mock_server::fault::scenario::Status;

use super::super::{Finding, Verdict, shared::*, work};
use crate::{
    evidence::{Grant, PageSeen, Verb, What},
    judge::{Call, Death, Ended, Exchange, Mark, View, WorkKind, control},
};

/// How many connections a status names, and what it says.
type Count = (Mark, u64, Option<Status>);

pub(super) fn reauth_11(view: &View<'_>) -> Finding {
    let counts: Vec<Count> = view
        .events()
        .filter_map(|(mark, what)| match what {
            What::StatusRead { count: Some(count), state, .. } => Some((mark, *count, *state)),
            _ => None,
        })
        .collect();
    if counts.is_empty() {
        return Finding::locked("how many connections there are was not read", "status.count = { json = \"/connections\", length = true }");
    }
    each_death(view, Ended::Grant, |death| renewed(view, death, &counts))
}

fn renewed(view: &View<'_>, death: &Death, counts: &[Count]) -> Finding {
    let Some((_, back)) = view.back_after(death.until) else {
        return Finding::undecided("the user did not reconnect successfully after the refusal");
    };
    if other_companies(view).any(|(mark, _)| mark > death.until && mark < back) {
        return Finding::undecided("the user came back for another company");
    }
    let Some(rest) = view.rest_after(back).filter(|rest| rest.quiet) else {
        return Finding::undecided("the subject did not come to rest after the reconnection");
    };
    let next = view.deaths.iter().map(|other| other.asked).find(|asked| *asked > back).unwrap_or(Mark::END).min(view.disturbed_after(back));
    let connected = |it: &&Count| it.2 == Some(Status::Connected);
    let before = counts.iter().rfind(|it| it.0 < death.asked && connected(it));
    let during = counts.iter().find(|it| it.0 > death.knew && it.0 < death.until && it.2 == Some(Status::Disconnected));
    let after: Vec<_> = counts.iter().filter(|it| it.0 > rest.mark && it.0 < next && connected(it)).collect();
    let (Some(before), Some(during)) = (before, during) else {
        return Finding::undecided("the status was not seen to say connected before the refusal and disconnected after it");
    };
    let Some(least) = after.iter().min_by_key(|it| it.1) else {
        return Finding::undecided("the status was not read as connected after the reconnection");
    };
    // What came into being while the connection was dead is not the reconnection's doing.
    let dead = counts.iter().rfind(|it| it.0 > death.knew && it.0 < death.until).unwrap_or(during);
    if least.1 > before.1 && least.1 <= dead.1 {
        return Finding::undecided(format!(
            "there were {} connections before the refusal and {} already before the user reconnected: the reconnection is not known to have made another",
            before.1, dead.1
        ));
    }
    let cited = vec![before.0.n, during.0.n, back.n, least.0.n];
    match least.1.cmp(&before.1) {
        std::cmp::Ordering::Greater => Finding::fail(
            format!("there were {} connections before the refusal, and there are {} after the reconnection", before.1, least.1),
            cited,
        ),
        std::cmp::Ordering::Equal => Finding::pass("the reconnection renewed the connection and made no other", cited),
        std::cmp::Ordering::Less => {
            Finding::undecided("there are fewer connections after the reconnection than there were before the refusal")
        }
    }
}

/// Logins with which the user consented for another company than the connection's.
fn other_companies<'v, 'h>(view: &'v View<'h>) -> impl Iterator<Item = (Mark, u32)> + use<'v, 'h> {
    view.events().filter_map(|(mark, what)| match what {
        What::OtherCompany { call, .. } => Some((mark, *call)),
        _ => None,
    })
}

pub(super) fn reauth_10(view: &View<'_>) -> Finding {
    let calls = other_companies(view).filter_map(|(_, id)| view.calls.iter().find(|call| call.id == id));
    let found = worst(calls.map(|call| not_grafted(view, call)).collect());
    // A program for one company only may do without knowing better; one that does know is not asked how many it keeps.
    let is_for_one = matches!(view.terms.connections, None | Some(0 | 1));
    match found {
        Some(found) if found.verdict == Verdict::Pass || !is_for_one => found,
        _ if is_for_one => Finding::locked(
            "it is not known that the subject keeps several companies apart",
            "features.connections = [\"acme\", \"globex\"]",
        ),
        _ => unrealised(view, "no login for another company came about in this story"),
    }
}

fn not_grafted(view: &View<'_>, call: &Call<'_>) -> Finding {
    let Some(kind) = view.terms.work else {
        return Finding::locked("it is not known what a unit of work is", "work.kind = \"export\", \"read\" or \"push\"");
    };
    let next = view.calls.iter().find(|other| other.verb == Verb::Connect && other.called > call.called).map_or(Mark::END, |it| it.called);
    let exchange =
        view.exchanges.iter().find(|x| x.is_code_exchange() && x.pair().is_some() && x.arrived > call.called && x.arrived < next);
    let Some((x, grant, (given, ..))) = exchange.and_then(|x| Some((x, x.issued_in()?, x.replied?))) else {
        return Finding::undecided("the code of the login for another company was not exchanged with success");
    };
    let Some(rest) = view.rest_after(given).filter(|rest| rest.quiet && rest.mark < next) else {
        return Finding::undecided("the subject did not come to rest after the login for another company");
    };
    let end = view.disturbed_after(rest.mark).min(next);
    let stimuli = match control::delivered(view, control::MAIN, rest.mark, end, 2, "after the login for another company") {
        Ok(stimuli) => stimuli,
        Err(reason) => return Finding::undecided(reason),
    };
    // What it reads at first may be how it finds out.
    let does = |x: &&Exchange<'_>| x.answered(2) && x.grant() == Some(grant) && !work::delivered_by(Some(kind), x).is_empty();
    let grafted = view.api_calls(rest.mark, end).find(does);
    let state = view.statuses().rfind(|(mark, ..)| *mark > rest.mark && *mark < end);
    let cited = |more: Option<u32>| {
        let mut all = vec![call.called.n, x.arrived.n];
        all.extend(more.into_iter().chain(stimuli.iter().copied()));
        all.sort_unstable();
        all.dedup();
        all
    };
    match (grafted, state) {
        (None, Some((_, Some(Status::Disconnected | Status::Broken), _))) if !works_for_its_own(view, call.called) => {
            Finding::undecided("it was not seen to go on with the grant of its own company either, once the right user was back")
        }
        (None, Some((read, Some(Status::Disconnected | Status::Broken), _))) => {
            Finding::pass("the connection does not go on with the grant of another company", cited(Some(read.n)))
        }
        (None, _) => {
            Finding::undecided("no work was done with the grant of another company, but the status does not say that anything is wrong")
        }
        (Some(_), Some((_, Some(Status::Disconnected | Status::Broken), _))) => {
            Finding::undecided("work was done with the grant of another company, but the status says that the connection does not work")
        }
        (Some(offence), _) if kind == WorkKind::Push && !read_the_company(view, grant, offence.arrived) => {
            Finding::undecided("work.kind = \"push\": the subject need not have read the company of anything")
        }
        (Some(_), _) if !view.terms.prompt => Finding::locked("it is not known where a user would be told of another company", "[prompt]"),
        (Some(offence), _) => match told(view, call, rest.mark, end) {
            Some(how) => {
                Finding::undecided(format!("work is done with the grant of another company, and the user may have been told: {how}"))
            }
            None => Finding::fail(
                "the user came back for another company, and the connection goes on with its work as if nothing were different",
                cited(Some(offence.arrived.n)),
            ),
        },
    }
}

/// A later login for the company of the connection was followed by a call that succeeded: whoever never works again refuses nobody.
fn works_for_its_own(view: &View<'_>, from: Mark) -> bool {
    let own = view.back_after(from).map(|(x, given)| (x.issued_in(), given));
    own.is_some_and(|(grant, given)| view.api_calls(given, Mark::END).any(|x| x.answered(2) && x.grant() == grant))
}

/// Pleo has told it the company of this grant: who works there, or the company itself.
fn read_the_company(view: &View<'_>, grant: Grant, until: Mark) -> bool {
    let tells = |x: &Exchange<'_>| x.method == "GET" && ["/v2/employees", "/v1/companies"].iter().any(|place| x.path.starts_with(place));
    view.api_calls(START, until).any(|x| x.grant() == Some(grant) && x.answered(2) && tells(x))
}

/// What differs from the time before, by which the user may have been told.
fn told(view: &View<'_>, call: &Call<'_>, from: Mark, until: Mark) -> Option<&'static str> {
    let calm = view.prologue_end()?;
    let page = |a: Mark, b: Mark| view.prompts().filter(move |(mark, _)| *mark > a && *mark < b).last().map(|(_, page)| page);
    let differs = |a: &PageSeen, b: &PageSeen| a.status != b.status || a.text != b.text;
    let status = |a: Mark, b: Mark| view.statuses().rfind(|(mark, ..)| *mark > a && *mark < b).map(|(_, _, raw)| without_digits(raw));
    if page(START, calm).zip(page(from, until)).is_none_or(|(old, new)| differs(old, new)) {
        return Some("its page is not what it was");
    }
    if status(START, calm) != status(from, until) {
        return Some("its status is not what it was");
    }
    let answers = |id: u32| {
        view.events().find_map(move |(_, what)| match what {
            What::VerbAnswered { call, status, detail, .. } if *call == id => Some((*status, without_digits(detail))),
            _ => None,
        })
    };
    let first = view.calls.iter().find(|it| it.verb == Verb::Connect)?;
    (answers(first.id) != answers(call.id)).then_some("the login was answered differently")
}

/// Numbers change with every reading.
fn without_digits(text: &str) -> String {
    text.chars().filter(|c| !c.is_ascii_digit()).collect()
}

#[cfg(test)]
mod tests;
