//! Telling one story: the common beginning, the steps, the common end.

use std::time::Duration;

use regrant_mock_server::{
    authority::Policy,
    fault::scenario::{Act, Reconnect, Scenario, Status, Step, Trigger},
};
use tokio::{sync::watch, time::timeout};

use super::{Setting, StageError, acts::SHORT_LIFE, cast::Cast, recorder::Recorder};
use crate::{
    evidence::{Outcome, Phase, Refreshing, Verb, Wanted, What},
    subject::manifest::WorkKind,
};

/// No story may take longer; what was seen until then is kept.
const STORY: Duration = Duration::from_secs(180);
/// How long the first work may take to begin; a busy machine starts a worker late.
const BEGINS: Duration = Duration::from_secs(4);
/// After the reconnection the subject is asked to work as long as that delivers something, at most so often.
const DRAIN: usize = 10;

/// Tells a story. Everything seen is in the recorder, however it ends; when `cancel` turns true it ends at once, in good order.
pub async fn tell(setting: Setting, scenario: &Scenario, recorder: &Recorder, mut cancel: watch::Receiver<bool>) {
    let setting = Setting { time_zone: scenario.time_zone.clone(), ..setting };
    let refreshing = setting.refreshing;
    recorder.record(What::StoryBegan { story: recorder.story().to_owned(), refreshing });
    if let Some(reason) = too_few_connections(&setting, scenario).or_else(|| too_few_processes(&setting, scenario)) {
        return note(recorder, StageError::NotRealised(reason));
    }
    let mut policy = Policy::default();
    regrant_mock_server::fault::scenario::apply_policy(&scenario.provider, &mut policy);
    // A story that is about a life of its own, and makes nobody refresh before, keeps it.
    if refreshing == Refreshing::OnExpiry && (scenario.provider.access_token_lifetime.is_none() || planned(scenario) > 0) {
        policy.access_lifetime = SHORT_LIFE;
    }
    let cast = match Cast::assemble(setting, recorder.clone(), policy, scenario).await {
        Ok(cast) => cast,
        Err(error) => return note(recorder, error),
    };
    let mut cast = cast;
    cast.refreshes_planned = planned(scenario);
    tokio::select! {
        performed = timeout(STORY, perform(&mut cast, scenario)) => match performed {
            Ok(Ok(())) => {}
            Ok(Err(error)) => note(recorder, error),
            Err(_) => note(recorder, StageError::NotRealised(format!("the story was cut off after {} s", STORY.as_secs()))),
        },
        () = asked(&mut cancel) => note(recorder, StageError::NotRealised("the user cancelled the run".into())),
    }
    cast.leave().await;
}

fn too_few_connections(setting: &Setting, scenario: &Scenario) -> Option<String> {
    let declared = setting.manifest.features.connections.as_ref().map_or(1, |names| names.len().max(1));
    let wanted = scenario.connections as usize;
    (declared < wanted).then(|| format!("it needs {wanted} connections, and `features.connections` names {declared}"))
}

fn too_few_processes(setting: &Setting, scenario: &Scenario) -> Option<String> {
    let declared = setting.manifest.features.processes.unwrap_or(1);
    let wanted = scenario.processes;
    (declared < wanted).then(|| format!("it needs {wanted} processes, and `features.processes` is {declared}"))
}

/// A sender that is gone can no longer ask.
async fn asked(cancel: &mut watch::Receiver<bool>) {
    if cancel.wait_for(|yes| *yes).await.is_err() {
        std::future::pending::<()>().await;
    }
}

fn note(recorder: &Recorder, error: StageError) {
    recorder.record(match error {
        StageError::Environment(reason) | StageError::EndedEarly(reason) => What::EnvironmentFault { reason },
        taken @ StageError::PortTaken { .. } => What::EnvironmentFault { reason: taken.to_string() },
        StageError::NotRealised(reason) => What::NotRealised { reason },
        StageError::Harness(reason) => What::HarnessFault { reason },
    });
}

fn planned(scenario: &Scenario) -> usize {
    scenario.steps.iter().flat_map(|s| &s.acts).filter(|act| matches!(act, Act::NeedRefresh(_))).count()
}

async fn perform(cast: &mut Cast, scenario: &Scenario) -> Result<(), StageError> {
    cast.recorder.record(What::PhaseBegan { phase: Phase::Prologue });
    cast.prepare().await?;
    cast.start().await?;
    if scenario.prologue {
        prologue(cast, scenario).await?;
    }
    cast.calibrating = false;
    cast.recorder.record(What::PhaseBegan { phase: Phase::Story });
    let rules = cast.with_elsewhere(scenario).await?.install(cast.control());
    let mut since = cast.recorder.position();
    for step in &scenario.steps {
        since = take(cast, step, since).await?;
    }
    for rule in rules {
        cast.control().remove(rule);
    }
    release_gates(cast, scenario);
    cast.way_is_clear();
    epilogue(cast, scenario).await
}

async fn take(cast: &mut Cast, step: &Step, since: usize) -> Result<usize, StageError> {
    if let Some(wait) = &step.wait {
        cast.wait(wait, since).await?;
    }
    let began = if step.acts.is_empty() { since } else { cast.recorder.position() };
    for act in &step.acts {
        cast.act(act).await?;
    }
    Ok(began)
}

fn release_gates(cast: &Cast, scenario: &Scenario) {
    for rule in &scenario.rules {
        if let regrant_mock_server::fault::Fate::Hold(gate) = &rule.fate {
            cast.control().release(gate);
        }
    }
}

fn once() -> Trigger {
    Trigger {
        times: 1,
        together: false,
        detached: false,
        every_source: false,
        connection: None,
        every_connection: false,
        every_process: false,
        until_it_works: false,
    }
}

/// Proof that the subject works; where Pleo's hosts are intercepted, also that its requests come there.
async fn prologue(cast: &mut Cast, scenario: &Scenario) -> Result<(), StageError> {
    let outcome = first_work(cast, scenario).await;
    match (cast.missed_by_the_proxy(), outcome) {
        (None, outcome) => outcome,
        (Some(missed), Ok(())) => Err(StageError::Environment(missed)),
        (Some(missed), Err(error)) => Err(StageError::Environment(format!("{missed} ({error})"))),
    }
}

/// It connects, and asked to work it calls the API with success.
async fn first_work(cast: &mut Cast, scenario: &Scenario) -> Result<(), StageError> {
    for number in 1..=scenario.connections {
        if !cast.connect(Wanted::Consent, Reconnect { connection: Some(number), ..Reconnect::default() }).await {
            let why = last_answer(cast, Verb::Connect);
            return Err(StageError::NotRealised(format!("the subject could not be connected in the first place: {why}")));
        }
    }
    cast.add_work(1);
    let since = cast.recorder.position();
    let everywhere = Trigger { every_source: true, every_connection: true, every_process: true, ..once() };
    cast.ask(&everywhere).await;
    // Its rhythm is not known yet: work that was taken on may begin later than a quiet moment lasts.
    let _in_time = cast.until_recorded(BEGINS, since, succeeded).await;
    cast.settle().await;
    // By itself, so that it is seen what each source of work leads to.
    if cast.tell_subscribers(&everywhere).await {
        cast.settle().await;
    }
    if !worked(cast, since) {
        let why = last_answer(cast, Verb::Trigger);
        return Err(StageError::NotRealised(format!("connected and asked to work, the subject made no successful API call: {why}")));
    }
    if let Some(refused) = in_vain(cast, since) {
        return Err(StageError::NotRealised(format!("connected and asked to work, the subject did no work: {refused}")));
    }
    cast.read_probes().await;
    if cast.setting.manifest.status.as_ref().is_some_and(|s| s.connected.is_some()) {
        let status = cast.recorder.last(|w| if let What::StatusRead { state, raw, .. } = w { Some((*state, raw.clone())) } else { None });
        if let Some((_, (state, raw))) = status
            && state != Some(Status::Connected)
        {
            // The story goes on: only the checks that rest on the status are affected, and see it.
            cast.recorder.record(What::Awaited { what: format!("the status `connected`; it reads {raw}"), came: false });
        }
    }
    Ok(())
}

fn last_answer(cast: &Cast, wanted: Verb) -> String {
    let calls = cast.recorder.all_since(0, |w| match w {
        What::VerbCalled { call, verb, .. } if *verb == wanted => Some(*call),
        _ => None,
    });
    let answer = cast.recorder.last(|w| match w {
        What::VerbAnswered { call, outcome, status, detail } if calls.contains(call) => Some(match (outcome, status) {
            (Outcome::NoAnswer, None) => detail.clone(),
            (_, Some(status)) => format!("`{}` answered {status} {detail}", format!("{wanted:?}").to_lowercase()),
            (_, None) => detail.clone(),
        }),
        _ => None,
    });
    answer.map_or_else(|| "it was not answered".into(), |(_, text)| text)
}

/// An API call succeeded since a position.
fn worked(cast: &Cast, since: usize) -> bool {
    cast.recorder.any_since(since, succeeded)
}

fn succeeded(what: &What) -> bool {
    matches!(what, What::Api { status: 200..=299, .. })
}

/// What the API said no to since a position, where nothing of the declared work was done: a mistake that is there from the beginning, and no
/// story could tell it from what it is about.
fn in_vain(cast: &Cast, since: usize) -> Option<String> {
    let kind = cast.setting.manifest.work?;
    let done = |what: &What| match what {
        What::Api { handed_out, delivered, .. } if kind == WorkKind::Read => !handed_out.is_empty() || !delivered.is_empty(),
        What::Api { delivered, .. } => !delivered.is_empty(),
        _ => false,
    };
    if cast.recorder.any_since(since, done) {
        return None;
    }
    let refused = |what: &What| match what {
        What::Api { exchange, status: status @ 400..=499, .. } if ![401, 404, 429].contains(status) => Some((*exchange, *status)),
        _ => None,
    };
    let refused: std::collections::HashMap<u64, u16> = cast.recorder.all_since(since, refused).into_iter().collect();
    let asked = |what: &What| match what {
        // What is done is written; a read that is not granted may be one that it can do without.
        What::Requested { exchange, method, path, .. } if kind == WorkKind::Read || method != "GET" => {
            let status = refused.get(exchange)?;
            Some(format!("{method} {path} was answered {status}"))
        }
        _ => None,
    };
    cast.recorder.all_since(since, asked).into_iter().next()
}

/// A call of the API, with whatever success.
pub(super) fn is_call(what: &What) -> bool {
    matches!(what, What::Api { .. })
}

/// It was asked to work since a position, and did not refuse.
pub(super) fn took_work_on(cast: &Cast, since: usize) -> bool {
    let asked =
        cast.recorder.all_since(since, |w| if let What::VerbCalled { call, verb: Verb::Trigger, .. } = w { Some(*call) } else { None });
    cast.recorder.any_since(since, |w| matches!(w, What::VerbAnswered { call, outcome: Outcome::Accepted, .. } if asked.contains(call)))
}

/// Settle, look, restart, work, settle, look; then the user reconnects and the work must go on.
async fn epilogue(cast: &mut Cast, scenario: &Scenario) -> Result<(), StageError> {
    cast.recorder.record(What::PhaseBegan { phase: Phase::Epilogue });
    rest(cast).await?;
    cast.restart().await?;
    cast.trigger(&Trigger { every_connection: true, every_process: true, ..once() }).await;
    rest(cast).await?;
    let since = cast.recorder.position();
    for number in 1..=scenario.connections {
        cast.connect(Wanted::Consent, Reconnect { connection: Some(number), ..Reconnect::default() }).await;
    }
    drain(cast, since).await?;
    cast.read_probes().await;
    cast.stop().await
}

async fn rest(cast: &mut Cast) -> Result<(), StageError> {
    cast.settle().await;
    cast.revive().await?;
    cast.read_probes().await;
    Ok(())
}

/// Asks for work as long as that delivers something new; twice at least, for a subject whose first turn only wakes it.
async fn drain(cast: &mut Cast, since: usize) -> Result<(), StageError> {
    let mut delivered = deliveries(cast, since);
    let mut idle = 0;
    for turn in 0..DRAIN {
        cast.revive().await?;
        cast.trigger(&Trigger { every_source: turn == 0, every_connection: true, every_process: true, ..once() }).await;
        if turn == 0 && took_work_on(cast, since) {
            // It may still be backing off from what went wrong before.
            let _in_time = cast.until_recorded(BEGINS, since, is_call).await;
        }
        cast.settle().await;
        let now = deliveries(cast, since);
        idle = if now > delivered { 0 } else { idle + 1 };
        delivered = now;
        if idle >= 2 {
            break;
        }
    }
    cast.revive().await
}

fn deliveries(cast: &Cast, since: usize) -> usize {
    let units = cast.recorder.all_since(since, |w| match w {
        What::Api { handed_out, delivered, .. } => Some(handed_out.iter().chain(delivered).cloned().collect::<Vec<_>>()),
        _ => None,
    });
    let unique: std::collections::HashSet<String> = units.into_iter().flatten().collect();
    unique.len()
}
