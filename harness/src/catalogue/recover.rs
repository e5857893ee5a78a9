//! RECOVER: what becomes of the work.

use std::collections::BTreeMap;

use super::{Finding, Level::*, Requirement, Severity::*, shared::*};
use crate::{
    evidence::{Outcome, Phase, Verb, What},
    judge::{Exchange, Mark, View, WorkKind, control},
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
        undecided: "The user's reconnection did not succeed on the wire, or the trigger was not answered after it.",
        remedy: "Let the queue look at the connection's state each time, instead of switching the queue off.",
        declarable: true,
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
        observed: "Each unit of work has an identity. Those that were accepted must have been delivered by the end of the story. Work that was refused honestly is not lost.",
        undecided: "Fewer than three units were accepted, none was delivered before the outage, or an unanswered trigger leaves a unit unknown.",
        remedy: "Take work out of the queue after the provider's 2xx, not before.",
        declarable: false,
        check: recover_02,
    },
    Requirement {
        id: "RECOVER-03",
        level: Must,
        severity: Error,
        sentence: "reports no unit as done again after it has read the 2xx for the first report",
        sources: &["Pleo, How to update export items"],
        why: "After reconnection everything is sent again from zero: duplicate bookings in the ledger.",
        observed: "Units named in accepted reports, twice, where the first report's 2xx had been read and no kill, pause or lost reply lies between.",
        undecided: "Fewer than three units were accepted or none was delivered before the outage.",
        remedy: "Record the delivery in the step that reads the 2xx.",
        declarable: true,
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
        undecided: "No `[settings]`, or it was not readable.",
        remedy: "Keep tokens and settings in different tables.",
        declarable: true,
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
        undecided: "No such unit, or the subject did not work again after reconnection.",
        remedy: "Keep the cursor with the settings, not with the tokens; move it only over what was stored.",
        declarable: true,
        check: recover_05,
    },
    Requirement {
        id: "RECOVER-08",
        level: Must,
        severity: Error,
        sentence: "does not die or hang of a refusal, a fault or a failed exchange",
        sources: &["Pleo, Authentication overview: handle expired credentials, revoked access and transient connection trouble gracefully"],
        why: "The error path itself was never run: it names an exception that does not exist, or waits for a lock that the failed refresh still holds.",
        observed: "Exits of the subject's process and unanswered verbs after the refusal or the fault.",
        undecided: "Fewer than two verbs were called after it.",
        remedy: "Catch at the boundary of each unit of work; put time limits on locks and requests.",
        declarable: false,
        check: recover_08,
    },
];

fn back(view: &View<'_>) -> Option<Mark> {
    let death = view.deaths.iter().find(|d| d.until != Mark::END)?;
    let exchange = view.exchanges.iter().find(|x| x.is_code_exchange() && x.arrived > death.until && x.pair().is_some())?;
    exchange.replied.map(|(mark, ..)| mark)
}

fn recover_01(view: &View<'_>) -> Finding {
    let Some(back) = back(view) else {
        return Finding::undecided(view.unrealised().unwrap_or("no reconnection succeeded after a refusal in this story"));
    };
    let end = view.restart_after(back).unwrap_or(Mark::END).min(view.reconnection_after(back).map_or(Mark::END, |c| c.called));
    if let Some(x) = view.api_calls(back, end).find(|x| x.answered(2)) {
        return Finding::pass("work went on after the reconnection", vec![back.n, x.arrived.n]);
    }
    match control::delivered(view, control::MAIN, back, end, 2) {
        Ok(stimuli) => {
            Finding::fail("the user reconnected and work was asked for, but no API call succeeded", [vec![back.n], stimuli].concat())
        }
        Err(reason) => Finding::undecided(format!("no API call succeeded after the reconnection; {reason}")),
    }
}

/// The fate of one unit of work.
#[derive(Default)]
struct Unit {
    /// When it came into being, or was carried by a trigger.
    born: Option<Mark>,
    /// When the subject took it on.
    accepted: Option<Mark>,
    /// The trigger that carried it was not answered.
    unknown: bool,
    /// Requests that delivered it, with what came back.
    deliveries: Vec<Delivery>,
}

struct Delivery {
    sent: Mark,
    /// When the subject had read the 2xx.
    read: Option<Mark>,
}

fn ledger(view: &View<'_>) -> BTreeMap<String, Unit> {
    let mut units: BTreeMap<String, Unit> = BTreeMap::new();
    for (mark, what) in view.events() {
        if let What::WorkAdded { units: new } = what {
            for id in new {
                units.entry(id.clone()).or_default().born = Some(mark);
            }
        }
    }
    let accepted: Vec<Mark> =
        view.triggers(START, Mark::END).filter(|c| c.outcome() == Some(Outcome::Accepted)).map(|c| c.called).collect();
    for unit in units.values_mut() {
        unit.accepted = accepted.iter().copied().find(|t| unit.born.is_some_and(|b| *t > b));
    }
    for call in view.triggers(START, Mark::END) {
        let Some(item) = call.item else { continue };
        let unit = units.entry(item.to_owned()).or_default();
        unit.born = Some(call.called);
        match call.outcome() {
            Some(Outcome::Accepted) => unit.accepted = Some(call.called),
            Some(Outcome::Refused) => {}
            Some(Outcome::NoAnswer) | None => unit.unknown = true,
        }
    }
    for x in view.exchanges.iter().filter(|x| x.is_api() && x.answered(2)) {
        for id in delivered_by(view, x) {
            if let Some(unit) = units.get_mut(id) {
                unit.deliveries.push(Delivery { sent: x.arrived, read: x.read });
            }
        }
    }
    units
}

fn delivered_by<'h>(view: &View<'h>, x: &Exchange<'h>) -> Vec<&'h String> {
    let Some(api) = &x.api else { return Vec::new() };
    match view.terms.work {
        Some(WorkKind::Export) => api.delivered.iter().collect(),
        Some(WorkKind::Read) => api.handed_out.iter().collect(),
        Some(WorkKind::Push) => api.delivered.iter().chain(x.units).collect(),
        None => Vec::new(),
    }
}

/// At least three units accepted, and one of them delivered before the outage.
fn enough(view: &View<'_>, units: &BTreeMap<String, Unit>) -> Result<Mark, Finding> {
    if view.terms.work.is_none() {
        return Err(Finding::locked("it is not known what a unit of work is", "work.kind = \"export\", \"read\" or \"push\""));
    }
    let trouble =
        trouble(view).ok_or_else(|| Finding::undecided(view.unrealised().unwrap_or("nothing interrupted the work in this story")))?;
    let accepted = units.values().filter(|u| u.accepted.is_some()).count();
    if accepted < 3 {
        return Err(Finding::undecided(format!("{accepted} units of work were accepted, three are needed")));
    }
    if !units.values().any(|u| u.deliveries.iter().any(|d| d.sent < trouble)) {
        return Err(Finding::undecided("no unit was delivered before the outage"));
    }
    Ok(trouble)
}

/// When the outage began: the first refusal, or the first fault.
fn trouble(view: &View<'_>) -> Option<Mark> {
    let death = view.deaths.first().map(|d| d.asked);
    let fault = view.exchanges.iter().find(|x| x.is_refresh() && (x.met_transient_fault() || x.faulted_after_commit)).map(|x| x.arrived);
    [death, fault].into_iter().flatten().min()
}

fn recovered(view: &View<'_>, trouble: Mark) -> Option<Mark> {
    let from = back(view).unwrap_or(trouble);
    view.api_calls(from, Mark::END).find(|x| x.answered(2)).map(|x| x.arrived)
}

fn recover_02(view: &View<'_>) -> Finding {
    let units = ledger(view);
    let trouble = match enough(view, &units) {
        Ok(trouble) => trouble,
        Err(finding) => return finding,
    };
    let Some(recovered) = recovered(view, trouble) else { return Finding::undecided("the subject did not work again after the outage") };
    let lost: Vec<_> = units.iter().filter(|(_, u)| u.accepted.is_some() && u.deliveries.is_empty()).collect();
    if let Some((id, unit)) = lost.first() {
        let mut cited = vec![trouble.n, recovered.n];
        cited.extend([unit.born, unit.accepted].into_iter().flatten().map(|m| m.n));
        cited.sort_unstable();
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
    let units = ledger(view);
    let trouble = match enough(view, &units) {
        Ok(trouble) => trouble,
        Err(finding) => return finding,
    };
    let disturbed = view.marks(|w| matches!(w, What::ProcessStopping { kill: true, .. }));
    let lost: Vec<Mark> = view.exchanges.iter().filter_map(|x| x.aborted).map(|(mark, _)| mark).collect();
    for (id, unit) in &units {
        for pair in unit.deliveries.windows(2) {
            let Some(read) = pair[0].read else { continue };
            let excused = disturbed.iter().chain(&lost).any(|m| *m > pair[0].sent && *m < pair[1].sent);
            if read.at < pair[1].sent.at && !excused {
                return Finding::fail(
                    format!("{id} was reported again after its first report had been accepted"),
                    vec![pair[0].sent.n, read.n, pair[1].sent.n],
                );
            }
        }
    }
    match recovered(view, trouble) {
        Some(recovered) => Finding::pass("no unit was reported twice", vec![trouble.n, recovered.n]),
        None => Finding::undecided("the subject did not work again after the outage"),
    }
}

fn recover_04(view: &View<'_>) -> Finding {
    if !view.terms.settings {
        return Finding::locked("it is not known where the user's settings are seen", "[settings]");
    }
    let Some(back) = back(view) else {
        return Finding::undecided(view.unrealised().unwrap_or("no reconnection succeeded after a refusal in this story"));
    };
    let readings: Vec<(Mark, Option<&str>)> = view
        .events()
        .filter_map(|(mark, what)| match what {
            What::SettingsRead { digest } => Some((mark, digest.as_deref())),
            _ => None,
        })
        .collect();
    let trouble = trouble(view).unwrap_or(back);
    let before = readings.iter().rfind(|(mark, digest)| *mark < trouble && digest.is_some());
    let after = readings.iter().find(|(mark, _)| *mark > back);
    match (before, after) {
        (Some((b, old)), Some((a, Some(new)))) if *old == Some(*new) => Finding::pass("the settings are as they were", vec![b.n, a.n]),
        (Some((b, _)), Some((a, Some(_)))) => Finding::fail("the settings are not what they were before the outage", vec![b.n, a.n]),
        (Some((b, _)), Some((a, None))) => Finding::fail("the settings can no longer be read after the reconnection", vec![b.n, a.n]),
        (None, _) => Finding::undecided("the settings were not readable before the outage"),
        (_, None) => Finding::undecided("the settings were not read after the reconnection"),
    }
}

fn recover_05(view: &View<'_>) -> Finding {
    match view.terms.work {
        None => return Finding::locked("it is not known what a unit of work is", "work.kind = \"export\", \"read\" or \"push\""),
        Some(WorkKind::Push) => return Finding::not_applicable("work.kind = \"push\": nothing comes into being at the provider"),
        Some(WorkKind::Export | WorkKind::Read) => {}
    }
    let units = ledger(view);
    let during = |u: &&Unit| u.born.is_some_and(|b| view.deaths.iter().any(|d| b > d.knew && b < d.until));
    if !units.values().any(|u| during(&u)) {
        return Finding::undecided(view.unrealised().unwrap_or("nothing came into being while the connection was known to be dead"));
    }
    let Some(back) = back(view) else { return Finding::undecided("no reconnection succeeded after the refusal") };
    let Some(worked) = view.api_calls(back, Mark::END).find(|x| x.answered(2)) else {
        return Finding::undecided("the subject did not work again after the reconnection");
    };
    let missed: Vec<_> = units.iter().filter(|(_, u)| during(u) && u.deliveries.is_empty()).collect();
    match missed.first() {
        Some((id, unit)) => {
            let cited = unit.born.map(|m| m.n).into_iter().chain([back.n, worked.arrived.n]).collect();
            Finding::fail(
                format!("{} units came into being during the outage and were never fetched, {id} among them", missed.len()),
                cited,
            )
        }
        None => Finding::pass("everything that came into being during the outage was fetched", vec![back.n, worked.arrived.n]),
    }
}

fn recover_08(view: &View<'_>) -> Finding {
    let Some(trouble) = trouble(view).or_else(|| view.callbacks.iter().find(|c| c.forged).map(|c| c.at)) else {
        return Finding::undecided(view.unrealised().unwrap_or("no refusal, fault or failed exchange came about in this story"));
    };
    let died = view.events().find_map(|(mark, what)| match what {
        What::ProcessExited { expected: false, code, .. } if mark > trouble => Some((mark, *code)),
        _ => None,
    });
    if let Some((mark, code)) = died {
        return Finding::fail(format!("the subject ended with {} after the refusal or fault", exit(code)), vec![trouble.n, mark.n]);
    }
    let asked = |c: &&crate::judge::Call<'_>| matches!(c.verb, Verb::Trigger | Verb::Status | Verb::Connect) && c.called > trouble;
    if let Some(call) = view.calls.iter().filter(asked).find(|c| c.outcome() == Some(Outcome::NoAnswer) && undisturbed(view, c.called)) {
        let verb = format!("{:?}", call.verb).to_lowercase();
        return Finding::fail(format!("the subject no longer answers: `{verb}` got none"), vec![trouble.n, call.called.n]);
    }
    let answered: Vec<u32> = view.calls.iter().filter(asked).filter(|c| c.was_answered()).map(|c| c.called.n).collect();
    if answered.len() < 2 {
        return Finding::undecided("fewer than two verbs were answered after the refusal or fault");
    }
    Finding::pass("it lives and answers after the refusal or fault", [vec![trouble.n], answered].concat())
}

/// No kill or stop by the harness explains the missing answer.
fn undisturbed(view: &View<'_>, called: Mark) -> bool {
    let last = view.events().filter(|(mark, what)| *mark < called && lifecycle(what)).last();
    !matches!(last, Some((_, What::ProcessStopping { .. })))
}

fn lifecycle(what: &What) -> bool {
    matches!(what, What::ProcessStopping { .. } | What::ProcessReady { .. } | What::PhaseBegan { phase: Phase::Prologue })
}

fn exit(code: i32) -> String {
    if code < 0 { format!("signal {}", -code) } else { format!("exit code {code}") }
}
