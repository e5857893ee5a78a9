//! Export jobs that were in progress when the connection ended.

use super::super::{Finding, shared::*};
use crate::{
    evidence::What,
    judge::{Death, Ended, Mark, View, WorkKind, control},
};

/// A report of an export job's progress.
#[derive(Debug, Clone, Copy)]
struct Report<'h> {
    mark: Mark,
    exchange: u64,
    job: &'h str,
    word: &'h str,
    accepted: bool,
}

pub(super) fn recover_06(view: &View<'_>) -> Finding {
    match view.terms.work {
        None => return Finding::locked("it is not known what a unit of work is", "work.kind = \"export\", \"read\" or \"push\""),
        Some(WorkKind::Read | WorkKind::Push) => return Finding::not_applicable("work.kind is not \"export\": there are no export jobs"),
        Some(WorkKind::Export) => {}
    }
    let reports: Vec<Report<'_>> = view
        .events()
        .filter_map(|(mark, what)| match what {
            What::JobReported { exchange, job, report, accepted } => {
                Some(Report { mark, exchange: *exchange, job, word: report, accepted: *accepted })
            }
            _ => None,
        })
        .collect();
    let missing = "no refresh of a dead token was refused in this story, or the subject never read the refusal";
    each_death_of(view, |death| death.ended == Ended::Grant, missing, |death| resumed(view, death, &reports))
}

fn resumed(view: &View<'_>, death: &Death, reports: &[Report<'_>]) -> Finding {
    let ended = |job: &str| reports.iter().any(|r| r.job == job && r.accepted && r.word != "started" && r.mark < death.until);
    let begun =
        |r: &&Report<'_>| r.word == "started" && r.accepted && r.mark < death.asked && !ended(r.job) && was_read(view, r, death.asked);
    let Some(first) = reports.iter().find(begun) else {
        return Finding::undecided("no export job that the subject had reported as started was in progress when the connection ended");
    };
    let Some((_, back)) = view.back_after(death.until) else {
        return Finding::undecided("the user did not reconnect successfully after the refusal");
    };
    if let Some(again) = reports.iter().find(|r| r.job == first.job && r.word == "started" && r.mark > death.knew) {
        let reason = "an export job that was in progress was reported as started a second time";
        return Finding::fail(reason, vec![first.mark.n, death.refused.n, again.mark.n]);
    }
    let on = reports.iter().find(|r| r.job == first.job && r.accepted && r.mark > back).map(|r| r.mark);
    let items =
        || view.api_calls(back, Mark::END).find(|x| x.method == "PUT" && x.answered(2) && x.path.contains(first.job)).map(|x| x.arrived);
    if let Some(on) = on.or_else(items) {
        return Finding::pass(
            "an export job in progress was resumed without a second `started`",
            vec![first.mark.n, death.refused.n, back.n, on.n],
        );
    }
    let worked = view.api_calls(back, Mark::END).find(|x| x.answered(2));
    let asked = control::delivered(view, control::MAIN, back, Mark::END, 2, "after the reconnection");
    match (worked, asked) {
        (Some(worked), Ok(stimuli)) if view.rests.last().is_some_and(|rest| rest.quiet && stimuli.iter().all(|n| rest.mark.n > *n)) => {
            let cited = vec![first.mark.n, death.refused.n, back.n, worked.arrived.n];
            Finding::fail("an export job that was in progress when the connection ended was never resumed", [cited, stimuli].concat())
        }
        (_, Err(reason)) => Finding::undecided(reason),
        (Some(_) | None, Ok(_)) => Finding::undecided("the subject did not work again, or did not come to rest, after the reconnection"),
    }
}

/// The subject knows that it was taken on.
fn was_read(view: &View<'_>, report: &Report<'_>, before: Mark) -> bool {
    let read = view.events().any(|(mark, what)| mark < before && matches!(what, What::Read { exchange } if *exchange == report.exchange));
    read || view
        .exchanges
        .iter()
        .any(|x| x.read_unknown && x.api.is_some() && x.replied.is_some_and(|(mark, ..)| mark > report.mark && mark < before))
}

#[cfg(test)]
mod tests;
