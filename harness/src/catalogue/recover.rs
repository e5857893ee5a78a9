//! RECOVER: what becomes of the work.

mod answers;
mod held;
mod jobs;

use super::{
    Finding,
    Level::*,
    Requirement, Scope,
    Severity::*,
    shared::*,
    work::{self, Delivery, Ledger, Unit},
};
use crate::{
    evidence::{Outcome, Verb, What},
    judge::{Call, Ended, Exchange, Mark, View, WorkKind, control},
};

/// The group.
pub(super) const ALL: &[Requirement] = &[
    Requirement {
        id: "RECOVER-01",
        level: Should,
        severity: Error,
        sentence: "resumes work after reconnection without a restart and without another consent",
        sources: &["Pleo, How to handle token expiry or revocation, step 4: a clear recovery path"],
        why: "The job was paused by the failure and nobody un-pauses it: the connection is green and nothing moves.",
        observed: "API calls that succeed after the user reconnected and the subject was asked to work.",
        undecided: "The user's reconnection did not succeed on the wire, or the trigger was not answered twice after it.",
        remedy: "Let the queue look at the connection's state each time, instead of switching the queue off.",
        declarable: true,
        scope: Scope::Connection,
        check: recover_01,
    },
    Requirement {
        id: "RECOVER-02",
        level: Must,
        severity: Error,
        sentence: "loses no accepted work",
        sources: &[
            "Pleo, How to handle token expiry or revocation: recover predictably without data loss",
            "Pleo, Handling Refresh Token Expiry or Revocation: queue API requests until a new token is obtained",
        ],
        why: "116 batches were acknowledged and dropped while a connection was dead; nobody noticed until the month was closed.",
        observed: "Each unit of work has an identity. Those that were accepted must have been delivered by the end of the story. Work that was refused honestly is not lost. What the subject calls done (`trigger.done`) must have been delivered.",
        undecided: "Fewer than three units were accepted, none was delivered before the outage, an unanswered trigger leaves a unit unknown, the subject says that a unit is still to be done, or the subject was not asked twice to go on afterwards.",
        remedy: "Take work out of the queue after the provider's 2xx, not before.",
        declarable: false,
        scope: Scope::Connection,
        check: recover_02,
    },
    Requirement {
        id: "RECOVER-03",
        level: Must,
        severity: Error,
        sentence: "reports no unit as done again after it has read the 2xx for the first report",
        sources: &["Pleo, How to update export items"],
        why: "After reconnection everything is sent again from zero: duplicate bookings in the ledger.",
        observed: "Reports that name a unit, whatever they are answered, after the 2xx for an earlier report of it had been read, where no kill, pause or lost reply lies between.",
        undecided: "Fewer than three units were accepted, none was delivered before the outage, or the subject was not asked twice to go on afterwards.",
        remedy: "Record the delivery in the step that reads the 2xx.",
        declarable: true,
        scope: Scope::Connection,
        check: recover_03,
    },
    Requirement {
        id: "RECOVER-04",
        level: Should,
        severity: Error,
        sentence: "keeps the user's settings",
        sources: &["Pleo, How to handle token expiry or revocation, step 4: non-destructive, existing configuration remains intact"],
        why: "Purging the tokens deletes the connection's row, and with it the mapping that took the user an afternoon.",
        observed: "`settings` before the outage and after the reconnection.",
        undecided: "No `[settings]`, or it was not readable before the outage, or differed from reading to reading.",
        remedy: "Keep tokens and settings in different tables.",
        declarable: true,
        scope: Scope::Connection,
        check: recover_04,
    },
    Requirement {
        id: "RECOVER-05",
        level: Must,
        severity: Error,
        sentence: "fetches what came into being during the outage",
        sources: &["Pleo, How to handle token expiry or revocation: recover predictably without data loss"],
        why: "Reconnection sets the cursor to now: what happened during the outage is never fetched.",
        observed: "Units that came into being at the provider while the connection was dead, and whether they were delivered or read by the end.",
        undecided: "No such unit, or the subject was not asked twice to work again after the reconnection.",
        remedy: "Keep the cursor with the settings, not with the tokens; move it only over what was stored.",
        declarable: true,
        scope: Scope::Connection,
        check: recover_05,
    },
    Requirement {
        id: "RECOVER-06",
        level: Should,
        severity: Warning,
        sentence: "resumes `in_progress` export jobs without a second `started`",
        sources: &["Pleo, How to detect and start export jobs: resume jobs in progress without a second started event"],
        why: "The exporter looks for `pending` jobs only: what had been begun when access ended stays in progress for ever. Or it begins everything again, and Pleo answers 422.",
        observed: "The events that are reported of a job which was in progress when the connection ended, after the reconnection.",
        undecided: "`work.kind` is not known; or no job that had been reported as started was in progress when the connection ended.",
        remedy: "Ask for `pending` and `in_progress` jobs, and report `started` for the former only.",
        declarable: true,
        scope: Scope::Connection,
        check: jobs::recover_06,
    },
    Requirement {
        id: "RECOVER-07",
        level: Must,
        severity: Error,
        sentence: "answers its users while the token endpoint hangs or refuses: status, prompt and trigger within max(5 s, 10 x their median in the prologue)",
        sources: &["Pleo, Token lifecycle: have temporary measures that avoid broken sessions"],
        why: "The refresh is made under a lock that every page takes, without a time limit: one hung token endpoint, and nobody sees anything of the whole application.",
        observed: "How long status, page and trigger take while a refresh waits for its answer or meets closed connections. A trigger that does the work before it answers waits for its token itself and is not judged.",
        undecided: "No `[status]` and no `[prompt]`; or nothing was asked for while a refresh was waiting.",
        remedy: "Refresh apart from requests of users; take no lock while the network is waited for, or one with a time limit.",
        declarable: true,
        scope: Scope::Connection,
        check: answers::recover_07,
    },
    Requirement {
        id: "RECOVER-08",
        level: Must,
        severity: Error,
        sentence: "does not die or hang of a refusal, a fault or a failed exchange",
        sources: &["Pleo, Authentication overview: handle expired credentials, revoked access and transient connection trouble gracefully"],
        why: "The error path itself was never run: it names an exception that does not exist, or waits for a lock that the failed refresh still holds.",
        observed: "Exits of the subject's process and unanswered verbs after the refusal or the fault.",
        undecided: "Fewer than two verbs were answered after it, or a single one was not.",
        remedy: "Catch at the boundary of each unit of work; put time limits on locks and requests.",
        declarable: false,
        scope: Scope::Connection,
        check: recover_08,
    },
    Requirement {
        id: "RECOVER-09",
        level: Must,
        severity: Error,
        sentence: "keeps the data it held: what was visible before the outage is there during and after it",
        sources: &["Pleo, How to handle token expiry or revocation, step 4: recover without data loss"],
        why: "The 401 is taken for an empty list, and the rows that are not in it are deleted; or everything of the connection is deleted with its tokens.",
        observed: "The number of records at `[data]` before the outage, during it, and after the reconnection.",
        undecided: "No `[data]`, nothing was visible there before, or it could not be read or counted during the outage.",
        remedy: "Delete on an answer with success only; keep what was fetched apart from the connection.",
        declarable: true,
        scope: Scope::Connection,
        check: held::recover_09,
    },
];

/// When the user had reconnected for the first time after a refusal.
fn back(view: &View<'_>) -> Option<Mark> {
    let death = view.deaths.iter().find(|d| d.until != Mark::END)?;
    view.back_after(death.until).map(|(_, back)| back)
}

fn recover_01(view: &View<'_>) -> Finding {
    each_death(view, Ended::Grant, |death| {
        let Some((_, back)) = view.back_after(death.until) else {
            return unrealised(view, "no reconnection succeeded after the refusal");
        };
        let same_process = !view.terms.one_shot && !view.terms.restarts_on_exit;
        let restart = view.restart_after(back).filter(|_| same_process).unwrap_or(Mark::END);
        let end = restart.min(view.disturbed_after(back));
        if let Some(x) = view.api_calls(back, end).find(|x| x.answered(2)) {
            return Finding::pass("work went on after the reconnection", vec![back.n, x.arrived.n]);
        }
        match control::delivered(view, control::MAIN, back, end, 2, "after the reconnection") {
            Ok(stimuli) => {
                Finding::fail("the user reconnected and work was asked for, but no API call succeeded", [vec![back.n], stimuli].concat())
            }
            Err(reason) => Finding::undecided(format!("no API call succeeded after the reconnection; {reason}")),
        }
    })
}

/// When the outage began: the first refusal, or the first fault.
fn trouble(view: &View<'_>) -> Option<Mark> {
    let death = view.deaths.first().map(|d| d.asked);
    let fault = view.exchanges.iter().find(|x| x.is_refresh() && (x.met_transient_fault() || x.lost_its_reply())).map(|x| x.arrived);
    [death, fault].into_iter().flatten().min()
}

/// A report that met a token which was no longer accepted.
fn refused_report(view: &View<'_>) -> Option<Mark> {
    let refused =
        |x: &&Exchange<'_>| x.is_api() && !matches!(x.method, "GET" | "HEAD") && x.replied.is_some_and(|(_, status, _)| status == 401);
    view.exchanges.iter().find(refused).map(|x| x.arrived)
}

/// At least three units accepted, and one of them delivered before the outage.
fn enough(view: &View<'_>, units: &Ledger<'_>) -> Result<Mark, Finding> {
    if view.terms.work.is_none() {
        return Err(Finding::locked("it is not known what a unit of work is", "work.kind = \"export\", \"read\" or \"push\""));
    }
    let trouble =
        trouble(view).or_else(|| refused_report(view)).ok_or_else(|| unrealised(view, "nothing interrupted the work in this story"))?;
    let accepted = units.values().filter(|u| u.accepted.is_some()).count();
    if accepted < 3 {
        return Err(Finding::undecided(format!("{accepted} units of work were accepted, three are needed")));
    }
    if !units.values().any(|u| u.deliveries.iter().any(|d| d.sent < trouble)) {
        return Err(Finding::undecided("no unit was delivered before the outage"));
    }
    Ok(trouble)
}

/// The call with which work went on after the outage, if the subject was asked for more afterwards and came to rest: it had its chance.
fn recovered(view: &View<'_>, trouble: Mark) -> Option<Mark> {
    let from = if view.deaths.is_empty() { trouble } else { back(view)? };
    let worked = view.api_calls(from, Mark::END).find(|x| x.answered(2))?.arrived;
    let asked = view.triggers(from, Mark::END).filter(|c| c.was_answered()).nth(1)?.called;
    let rest = view.rests.iter().rfind(|rest| rest.mark > asked && rest.mark > worked)?;
    rest.quiet.then_some(worked)
}

const NOT_RECOVERED: &str = "the subject did not work again after the outage, or was not asked for it twice";

fn recover_02(view: &View<'_>) -> Finding {
    let units = work::ledger(view);
    let trouble = match enough(view, &units) {
        Ok(trouble) => trouble,
        Err(finding) => return finding,
    };
    if let Some((id, unit, said)) = units.iter().find_map(|(id, unit)| Some((id, unit, work::claimed(view, &units, id)?))) {
        let reason = format!("{id} was accepted, and the subject said that it was done, but it was never delivered");
        return Finding::fail(reason, unit.accepted.map(|mark| mark.n).into_iter().chain([trouble.n, said.n]).collect());
    }
    let Some(recovered) = recovered(view, trouble) else { return Finding::undecided(NOT_RECOVERED) };
    let missing = units.iter().filter(|(_, u)| u.accepted.is_some() && u.deliveries.is_empty());
    let (open, lost): (Vec<_>, Vec<_>) = missing.partition(|(_, u)| u.said_open.is_some_and(|said| said > recovered));
    if let (Some((id, _)), []) = (open.first(), lost.as_slice()) {
        return Finding::undecided(format!(
            "{} of {} accepted units were not delivered, and the subject says that they are still to be done, {id} among them",
            open.len(),
            units.len()
        ));
    }
    if let Some((id, unit)) = lost.first() {
        let mut cited = vec![trouble.n, recovered.n];
        cited.extend([unit.born, unit.accepted].into_iter().flatten().map(|m| m.n));
        cited.sort_unstable();
        cited.dedup();
        return Finding::fail(format!("{} of {} accepted units were never delivered, {id} among them", lost.len(), units.len()), cited);
    }
    if let Some((id, _)) = units.iter().find(|(_, u)| u.unknown && u.deliveries.is_empty()) {
        return Finding::undecided(format!("the trigger that carried {id} was not answered: whether it was accepted is unknown"));
    }
    let accepted = units.values().filter(|u| u.accepted.is_some()).count();
    Finding::pass(format!("all {accepted} accepted units were delivered"), vec![trouble.n, recovered.n])
}

fn recover_03(view: &View<'_>) -> Finding {
    if view.terms.work == Some(WorkKind::Read) {
        return Finding::not_applicable("work.kind = \"read\": nothing is reported");
    }
    let units = work::ledger(view);
    let trouble = match enough(view, &units) {
        Ok(trouble) => trouble,
        Err(finding) => return finding,
    };
    for (id, unit) in &units {
        let Some((first, read)) = unit.deliveries.iter().find_map(|d| Some((d, d.read?))) else { continue };
        let again = |x: &&Exchange<'_>| repeats(first, x, id) && x.began > read.at && !excused(view, first.sent, read, x.arrived);
        if let Some(again) = view.exchanges.iter().find(again) {
            let reason = format!("{id} was reported again after its first report had been accepted");
            return Finding::fail(reason, vec![first.sent.n, read.n, again.arrived.n]);
        }
    }
    match recovered(view, trouble) {
        Some(recovered) => Finding::pass("no unit was reported twice", vec![trouble.n, recovered.n]),
        None => Finding::undecided(NOT_RECOVERED),
    }
}

/// A request like the one that delivered the unit, and names it again. A pushed unit may take several different requests.
fn repeats(first: &Delivery<'_>, x: &Exchange<'_>, id: &str) -> bool {
    let (method, path) = first.request;
    let likewise = x.method == method && (x.path == path || (x.path.ends_with("/items") && path.ends_with("/items")));
    x.is_api() && x.arrived > first.sent && likewise && first.is_report && x.units.iter().any(|unit| unit == id)
}

/// A kill, a crash or a lost reply lies between, or the process was ended before it had come to rest: it could not know.
fn excused(view: &View<'_>, from: Mark, read: Mark, until: Mark) -> bool {
    let rest = view.settled_after(read).unwrap_or(Mark::END);
    let ended = view.events().filter(|(mark, _)| *mark > from && *mark < until).any(|(mark, what)| match what {
        What::ProcessStopping { kill: true, .. } | What::ProcessExited { expected: false, .. } => true,
        What::ProcessStopping { kill: false, .. } | What::ProcessExited { expected: true, .. } => mark < rest,
        _ => false,
    });
    let lost = view.exchanges.iter().filter_map(|x| x.aborted).any(|(mark, _)| mark > from && mark < until);
    ended || lost
}

fn recover_04(view: &View<'_>) -> Finding {
    if !view.terms.settings {
        return Finding::locked("it is not known where the user's settings are seen", "[settings]");
    }
    let Some(back) = back(view) else { return unrealised(view, "no reconnection succeeded after a refusal in this story") };
    let readings = settings(view);
    let trouble = trouble(view).unwrap_or(back);
    let mut before = readings.iter().filter_map(|(mark, read)| Some((mark, (*read)?))).filter(|(mark, _)| **mark < trouble);
    let after: Vec<_> = readings.iter().filter(|(mark, _)| *mark > back).collect();
    let Some((b, old)) = before.next() else { return Finding::undecided("the settings were not readable before the outage") };
    if before.any(|(_, read)| !read.keep(old) || !old.keep(read)) {
        return Finding::undecided("the settings differed from reading to reading before the outage, too");
    }
    if let Some((a, _)) = after.iter().find(|(_, read)| read.is_some_and(|read| read.keep(old))) {
        return Finding::pass("the settings are as they were", vec![b.n, a.n]);
    }
    match after.last() {
        Some((a, Some(_))) => Finding::fail("the settings are not what they were before the outage", vec![b.n, a.n]),
        Some((a, None)) => Finding::fail("the settings can no longer be read after the reconnection", vec![b.n, a.n]),
        None => Finding::undecided("the settings were not read after the reconnection"),
    }
}

fn recover_05(view: &View<'_>) -> Finding {
    match view.terms.work {
        None => return Finding::locked("it is not known what a unit of work is", "work.kind = \"export\", \"read\" or \"push\""),
        Some(WorkKind::Push) => return Finding::not_applicable("work.kind = \"push\": nothing comes into being at the provider"),
        Some(WorkKind::Export | WorkKind::Read) => {}
    }
    let units = work::ledger(view);
    let during = |u: &Unit<'_>| u.born.is_some_and(|b| view.deaths.iter().any(|d| b > d.knew && b < d.until));
    if !units.values().any(during) {
        return unrealised(view, "nothing came into being while the connection was known to be dead");
    }
    let Some(back) = back(view) else { return Finding::undecided("no reconnection succeeded after the refusal") };
    let Some(worked) = recovered(view, back) else { return Finding::undecided(NOT_RECOVERED) };
    let missed: Vec<_> = units.iter().filter(|(_, u)| during(u) && u.deliveries.is_empty()).collect();
    match missed.first() {
        Some((id, unit)) => {
            let cited = unit.born.map(|m| m.n).into_iter().chain([back.n, worked.n]).collect();
            Finding::fail(
                format!("{} units came into being during the outage and were never fetched, {id} among them", missed.len()),
                cited,
            )
        }
        None => Finding::pass("everything that came into being during the outage was fetched", vec![back.n, worked.n]),
    }
}

/// What is said of a process that was killed with signal 9: nobody does that to itself.
const KILLED: i32 = -9;

fn recover_08(view: &View<'_>) -> Finding {
    let Some(trouble) = trouble(view).or_else(|| failed_login(view)) else {
        return unrealised(view, "no refusal, fault or failed exchange came about in this story");
    };
    let died = view.events().find_map(|(mark, what)| match what {
        What::ProcessExited { expected: false, code, incarnation } if mark > trouble => Some((mark, *code, *incarnation)),
        _ => None,
    });
    if let Some((mark, code, exited)) = died {
        // A process that never became ready did not die of it: its surroundings may be to blame.
        let ready = view.events().any(|(_, what)| matches!(what, What::ProcessReady { incarnation } if *incarnation == exited));
        return if code == KILLED {
            Finding::undecided("the subject was killed with signal 9, which the harness had not sent: the system's memory may have run out")
        } else if ready {
            Finding::fail(format!("the subject ended with {} after the refusal or fault", exit(code)), vec![trouble.n, mark.n])
        } else {
            Finding::undecided(format!("the subject ended with {} before it was ready", exit(code)))
        };
    }
    let asked: Vec<_> = view
        .calls
        .iter()
        .filter(|c| matches!(c.verb, Verb::Trigger | Verb::Status | Verb::Connect) && c.called > trouble && undisturbed(view, c.called))
        .collect();
    let dead: Vec<_> = asked.iter().copied().filter(|c| got_nothing(view, c)).collect();
    if let Some(call) = dead.first() {
        let verb = format!("{:?}", call.verb).to_lowercase();
        let answered_later = asked.iter().any(|c| c.called > call.called && !got_nothing(view, c) && c.answered.is_some());
        let cited = vec![trouble.n, call.called.n];
        return match (answered_later, dead.iter().filter(|c| c.verb == call.verb).count()) {
            (false, _) => Finding::fail(format!("the subject no longer answers: `{verb}` got no answer, nor did anything after it"), cited),
            (true, 1) => Finding::undecided(format!("`{verb}` got no answer once, and later verbs were answered")),
            (true, times) => Finding::fail(format!("`{verb}` got no answer {times} times after the refusal or fault"), cited),
        };
    }
    let answered: Vec<u32> = asked.iter().filter(|c| c.answered.is_some()).map(|c| c.called.n).collect();
    if answered.len() < 2 {
        return Finding::undecided("fewer than two verbs were answered after the refusal or fault");
    }
    Finding::pass("it lives and answers after the refusal or fault", [vec![trouble.n], answered].concat())
}

/// A callback that nobody asked for, or a code whose exchange came to nothing.
fn failed_login(view: &View<'_>) -> Option<Mark> {
    let forged = view.callbacks.iter().find(|c| c.forged).map(|c| c.at);
    let failed = |x: &&Exchange<'_>| x.is_code_exchange() && x.pair().is_none() && (x.replied.is_some() || x.aborted.is_some());
    let exchange = view.exchanges.iter().find(failed).map(|x| x.arrived);
    [forged, exchange].into_iter().flatten().min()
}

/// No answer, or a program that crashed. An HTTP answer that matches none of the manifest's patterns is an answer.
fn got_nothing(view: &View<'_>, call: &Call<'_>) -> bool {
    let http = !view.terms.one_shot && call.status.is_some_and(|status| (100..600).contains(&status));
    call.outcome() == Some(Outcome::NoAnswer) && !http
}

/// No kill or stop by the harness explains the missing answer, and no end that the manifest declares. A one-shot program is never up.
fn undisturbed(view: &View<'_>, called: Mark) -> bool {
    let up = |what: &What| matches!(what, What::ProcessReady { .. });
    let declared = view.terms.restarts_on_exit;
    let down = |what: &What| match what {
        What::ProcessStopping { .. } => true,
        What::ProcessExited { expected, .. } => declared && *expected,
        _ => false,
    };
    let last = view.events().rfind(|(mark, what)| *mark < called && (up(what) || down(what)));
    let answered = view.calls.iter().find(|c| c.called == called).and_then(|c| c.answered).map_or(Mark::END, |(mark, _)| mark);
    let stopped_meanwhile = view.events().any(|(mark, what)| mark > called && mark < answered && down(what));
    let is_up = view.terms.one_shot || !last.is_some_and(|(_, what)| down(what));
    is_up && !stopped_meanwhile
}

fn exit(code: i32) -> String {
    if code < 0 { format!("signal {}", -code) } else { format!("exit code {code}") }
}

#[cfg(test)]
mod tests;
