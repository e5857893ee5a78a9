//! What becomes of a connection whose new tokens were issued and never arrived.

use regrant_mock_server::fault::scenario::Status;

use super::{
    super::{Finding, Level, Requirement, Scope, Severity, shared::*},
    MOST,
    bursts::unbounded,
};
use crate::judge::{Ended, Exchange, Mark, View, control};

pub(super) const RETRY_07: Requirement = Requirement {
    id: "RETRY-07",
    level: Level::Must,
    severity: Severity::Error,
    sentence: "after a lost reply ends in a clean state, within bounds",
    sources: &["Pleo, How to refresh tokens: make refresh safe against retries", "Pleo, Centralised token refresh: no endless retry"],
    why: "Pleo rotates the tokens, the answer never arrives, and the integration holds a spent token. Some presented it for ever, some showed \"connected\" while nothing worked any more.",
    observed: "The reply to a refresh is lost after the provider has committed it: how often the spent token is presented again, and what the status says once that was refused.",
    undecided: "No reply was lost, the subject neither tried again nor showed that access is lost, it was not seen at work after the reconnection, or there is no `[status]`.",
    remedy: "Try again within the usual bounds; when the spent token is refused, end the connection as after any other refusal.",
    declarable: true,
    scope: Scope::Connection,
    check: retry_07,
};

fn retry_07(view: &View<'_>) -> Finding {
    let Some(lost) = view.exchanges.iter().find(|x| x.is_refresh() && x.lost_its_reply()) else {
        return unrealised(view, "no reply to a refresh was lost in this story");
    };
    let until = decided_after(view, lost.arrived);
    let spent = |x: &&Exchange<'_>| x.is_refresh() && x.arrived >= lost.arrived && x.arrived < until && x.token_name() == lost.token_name();
    let attempts: Vec<_> = view.exchanges.iter().filter(spent).collect();
    if let Some(finding) = unbounded(view, &attempts, MOST) {
        return finding;
    }
    let again = |x: &&Exchange<'_>| x.is_refresh() && x.arrived > lost.arrived && x.arrived < until && x.pair().is_some();
    if let Some(good) = view.exchanges.iter().find(again) {
        let access = good.pair().map(|(access, _)| access);
        return match view.api_calls(good.arrived, until).find(|x| x.answered(2) && x.token_name() == access) {
            Some(x) => {
                Finding::pass("a later attempt was answered, and the work went on", vec![lost.arrived.n, good.arrived.n, x.arrived.n])
            }
            None => Finding::undecided("a later attempt was answered, and no call with its token was seen"),
        };
    }
    let Some(death) = view.deaths.iter().find(|death| death.ended == Ended::Grant && death.asked > lost.arrived && death.asked < until)
    else {
        return by_itself(view, lost, until);
    };
    let Some(settled) = death.settled else { return not_at_rest() };
    if let Some(finding) = shown(view, settled, death.process_until, vec![lost.arrived.n, death.refused.n]) {
        return finding;
    }
    match control::again(view, death, control::MAIN) {
        Ok(()) => Finding::pass(
            format!("the spent token was presented {} more times and refused, and the status says so", attempts.len().saturating_sub(1)),
            vec![lost.arrived.n, death.refused.n, settled.n],
        ),
        Err(reason) => Finding::undecided(reason),
    }
}

/// The last thing that the status says between two moments is that it does not work; else what that means.
fn shown(view: &View<'_>, from: Mark, until: Mark, mut cited: Vec<u32>) -> Option<Finding> {
    if !view.terms.status || !view.terms.status_disconnected {
        return Some(Finding::locked("the attempts were bounded; what the status says is not known", "[status] with status.disconnected"));
    }
    let Some((mark, state, raw)) = view.statuses().rfind(|(mark, ..)| *mark > from && *mark < until) else {
        return Some(Finding::undecided("the status was not read after the spent token had been refused"));
    };
    cited.push(mark.n);
    match state {
        Some(Status::Disconnected | Status::Broken) => None,
        Some(Status::Connected) => Some(Finding::fail("the spent token was refused, and the status still says connected", cited)),
        None => Some(Finding::undecided(format!("the status matches none of the patterns: {raw}"))),
    }
}

/// It did not present the spent token again, or was not answered: then it has to show by itself that access is lost.
fn by_itself(view: &View<'_>, lost: &Exchange<'_>, until: Mark) -> Finding {
    let rest = view.rests.iter().rfind(|rest| rest.mark > lost.arrived && rest.mark < until);
    let Some(rest) = rest else { return not_at_rest() };
    let last = view.statuses().rfind(|(mark, ..)| *mark > rest.mark && *mark < until);
    match last {
        Some((mark, Some(Status::Disconnected | Status::Broken), _)) if view.api_calls(until, Mark::END).any(|x| x.answered(2)) => {
            Finding::pass("it ended the connection by itself, and worked again after the reconnection", vec![lost.arrived.n, mark.n])
        }
        _ => Finding::undecided("after the lost reply no attempt was answered, and the subject did not show by itself that access is lost"),
    }
}

#[cfg(test)]
mod tests;
