//! `regrant doctor`: the positive controls alone, told once, and which lines of the manifest would let more be decided.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use regrant_mock_server::{
    fault::scenario::{Scenario, Status},
    journal::Endpoint,
};
use tokio::sync::mpsc::UnboundedSender;

use super::{
    Cancel, Options, Progress, RunError, Story, Subject, built_in,
    check::{Teller, build},
    plan, probe,
    unlocks::{UNLOCKS, Unlock},
};
use crate::{
    catalogue,
    evidence::{History, Phase, What},
    subject::{
        Manifest,
        manifest::{PromptChannel, WorkKind},
    },
};

/// The story: what every story begins and ends with.
const CONTROLS: &str =
    "title = \"The positive controls\"\nabout = \"Start, connect, work, restart, reconnect, work.\"\ntests = [\"STOP-01\"]\n";

/// So many kinds of calls are shown.
const SHOWN: usize = 6;

/// How one control went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Control {
    /// As it must.
    Works(String),
    /// Not as it must: nothing that rests on it can be decided.
    Fails(String),
    /// The manifest does not say how it is done.
    Unsaid,
}

/// What a doctor saw.
#[derive(Debug, Clone, PartialEq)]
pub struct Diagnosis {
    /// The subject's name.
    pub subject: String,
    /// Controls by name, in the order looked at. The first three are what every verdict rests on.
    pub controls: Vec<(&'static str, Control)>,
    /// Lines of the manifest that are not there, with the requirements known to need them.
    pub missing: Vec<(&'static Unlock, Vec<&'static str>)>,
    /// Requirements that need nothing more of the manifest.
    pub ready: Vec<&'static str>,
    /// Requirements that the manifest declares away.
    pub declared: Vec<String>,
    /// The surroundings or the harness failed.
    pub trouble: Option<Trouble>,
    /// Cut short by the user.
    pub cancelled: bool,
    /// What telling every story will take, if the controls hold.
    pub pace: Option<Pace>,
}

/// What telling every story will take, by how long the controls took: they begin and end every story.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// What the controls took.
    pub controls: Duration,
    /// So many stories are told.
    pub stories: usize,
    /// So many of them at once.
    pub at_once: usize,
    /// How often the subject works unasked: wherever it is to come to rest, two turns are watched.
    pub period: Option<Duration>,
}

impl Pace {
    /// All stories take so long, or longer: what happens between beginning and end is not in it.
    #[must_use]
    pub fn at_least(&self) -> Duration {
        let turns = self.stories.div_ceil(self.at_once.max(1));
        self.controls * u32::try_from(turns).unwrap_or(u32::MAX)
    }
}

/// Whose failure it was that was not the subject's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trouble {
    /// The surroundings', with a reason.
    Environment(String),
    /// The harness's, with a reason.
    Harness(String),
}

/// Tells the positive controls.
///
/// # Errors
/// As [`RunError`] says.
pub async fn doctor(
    subject: Subject,
    options: Options,
    progress: UnboundedSender<Progress>,
    mut cancel: Cancel,
) -> Result<Diagnosis, RunError> {
    let manifest = Arc::new(subject.manifest(&options.regrant)?);
    let mut scenario = Scenario::parse(CONTROLS).map_err(|e| RunError::Harness(format!("the positive controls: {e}")))?;
    // A story must be told for something; this one is not judged.
    scenario.tests.clear();
    build(&manifest, &progress).await?;
    let _ = progress.send(Progress::Planned { stories: 1 });
    let known = probe::unknown(&manifest);
    let teller = Teller { manifest: Arc::clone(&manifest), options: &options, progress: &progress, known, counted: &[], shown: true };
    let story = Story { name: "positive_controls".into(), scenario };
    let (histories, finished) = teller.side_by_side(vec![story], 1, &mut cancel).await;
    let empty = History { story: String::new(), events: Vec::new() };
    let history = histories.first().unwrap_or(&empty);
    Ok(diagnosis(&manifest, history, !finished, options.jobs))
}

fn diagnosis(manifest: &Manifest, history: &History, cancelled: bool, asked: Option<usize>) -> Diagnosis {
    let missing: Vec<(&'static Unlock, Vec<&'static str>)> = UNLOCKS
        .iter()
        .filter(|unlock| (unlock.missing)(manifest))
        .map(|unlock| (unlock, catalogue::all().filter(|r| unlock.is_needed_by(r)).map(|r| r.id).collect()))
        .collect();
    let declared: Vec<String> = manifest.not_applicable.keys().cloned().collect();
    let locked = |id: &str| missing.iter().any(|(_, ids)| ids.contains(&id)) || declared.iter().any(|other| other == id);
    Diagnosis {
        subject: manifest.name.clone(),
        controls: controls(manifest, history),
        ready: catalogue::all().map(|r| r.id).filter(|id| !locked(id)).collect(),
        missing,
        declared,
        trouble: trouble(history),
        cancelled,
        pace: history.events.last().map(|event| Pace {
            controls: Duration::from_micros(event.at),
            stories: built_in().len(),
            at_once: plan::jobs(asked, manifest),
            period: manifest.features.period.flatten(),
        }),
    }
}

/// What broke a story, if something did.
pub(super) fn trouble(history: &History) -> Option<Trouble> {
    history.events.iter().find_map(|event| match &event.what {
        What::EnvironmentFault { reason } => Some(Trouble::Environment(reason.clone())),
        What::HarnessFault { reason } => Some(Trouble::Harness(reason.clone())),
        _ => None,
    })
}

fn controls(manifest: &Manifest, history: &History) -> Vec<(&'static str, Control)> {
    let prologue: Vec<&What> = history
        .events
        .iter()
        .map(|event| &event.what)
        .take_while(|what| !matches!(what, What::PhaseBegan { phase: Phase::Story | Phase::Epilogue }))
        .collect();
    let began = prologue.len() < history.events.len();
    let missed = history.events.iter().find_map(|event| match &event.what {
        What::NotRealised { reason } | What::EnvironmentFault { reason } | What::HarnessFault { reason } => Some(reason.clone()),
        _ => None,
    });
    let missed = || missed.clone().unwrap_or_else(|| "it was not seen".into());
    let saw = |pick: fn(&What) -> bool| prologue.iter().any(|what| pick(what));
    let ready = saw(|what| matches!(what, What::VerbCalled { verb: crate::evidence::Verb::Connect, .. }));
    let connected = saw(|what| matches!(what, What::Token { result: crate::evidence::TokenResult::Issued { .. }, .. }));
    let worked = began || saw(|what| matches!(what, What::Api { status: 200..=299, .. }));
    let or_missed = |holds: bool, words: &str| if holds { Control::Works(words.to_owned()) } else { Control::Fails(missed()) };
    let mut controls = vec![
        ("start", or_missed(ready, "it starts and becomes ready")),
        ("connect", or_missed(connected, "the user connects, and the subject exchanges the code for tokens")),
        ("trigger", or_missed(worked, "asked to work, it calls the API with the new token")),
    ];
    if began {
        controls.extend(probes(manifest, &prologue));
        controls.push(("work", work(manifest.work, history)));
        controls.push(("reconnect", again(history)));
    }
    controls
}

fn probes(manifest: &Manifest, seen: &[&What]) -> Vec<(&'static str, Control)> {
    let unless = |said: bool, control: Control| if said { control } else { Control::Unsaid };
    let read = |said: bool, answered: Option<bool>, words: &str| {
        let answered = match answered {
            Some(true) => Control::Works(words.to_owned()),
            Some(false) => Control::Fails("it was not answered with success while connected".into()),
            None => Control::Fails("it was not read".into()),
        };
        unless(said, answered)
    };
    let last = |pick: fn(&What) -> Option<bool>| seen.iter().rev().find_map(|what| pick(what));
    vec![
        ("status", unless(manifest.status.is_some(), status(seen))),
        (
            "prompt",
            read(
                // A line of log or a message comes when it is due, not when it is asked for.
                manifest.prompt.as_ref().is_some_and(|prompt| matches!(prompt.channel, PromptChannel::Verb(_))),
                last(|what| if let What::PromptRead(page) = what { Some(page.status < 400) } else { None }),
                "it is read",
            ),
        ),
        (
            "settings",
            read(
                manifest.settings.is_some(),
                last(|what| if let What::SettingsRead { digest, .. } = what { Some(digest.is_some()) } else { None }),
                "they are read",
            ),
        ),
        (
            "data",
            read(
                manifest.data.is_some(),
                last(|what| if let What::DataRead { count } = what { Some(count.is_some()) } else { None }),
                "it is read",
            ),
        ),
        ("storage", storage(seen)),
        ("logs", logs(seen)),
    ]
}

fn status(seen: &[&What]) -> Control {
    let last = seen.iter().rev().find_map(|what| if let What::StatusRead { state, raw, .. } = what { Some((state, raw)) } else { None });
    match last {
        Some((Some(Status::Connected), _)) => Control::Works("it reads connected once the user has connected".into()),
        Some((_, raw)) => Control::Fails(format!("connected, but no pattern of `status.connected` matches: {raw}")),
        None => Control::Fails("it was not read".into()),
    }
}

fn storage(seen: &[&What]) -> Control {
    let scanned = |what: &What| if let What::StorageScanned { found, places, .. } = what { Some((found.len(), *places)) } else { None };
    match seen.iter().copied().rev().find_map(scanned) {
        Some((0, places)) => {
            Control::Fails(format!("no token was found in {places} places: a store that is encrypted or elsewhere needs `storage.dump`"))
        }
        Some((found, _)) => Control::Works(format!("tokens are found where they are kept ({found} times)")),
        None => Control::Fails("it was not searched".into()),
    }
}

fn logs(seen: &[&What]) -> Control {
    match seen.iter().filter(|what| matches!(what, What::Log { .. })).count() {
        0 => Control::Fails("not one line was seen on stdout, stderr or in `logs.files`".into()),
        lines => Control::Works(format!("{lines} lines were seen")),
    }
}

/// A unit of work must be seen to get done: whether work is lost or done twice hangs on it.
fn work(kind: Option<WorkKind>, history: &History) -> Control {
    let Some(kind) = kind else { return Control::Unsaid };
    let seen = || history.events.iter().map(|event| &event.what);
    let items: BTreeSet<&str> =
        seen().filter_map(|what| if let What::VerbCalled { item, .. } = what { item.as_deref() } else { None }).collect();
    let is_done = |what: &What| match (kind, what) {
        (WorkKind::Export, What::Api { delivered, .. }) => !delivered.is_empty(),
        (WorkKind::Read, What::Api { handed_out, .. }) => !handed_out.is_empty(),
        (WorkKind::Push, What::Requested { units, .. }) => units.iter().any(|unit| items.contains(unit.as_str())),
        _ => false,
    };
    if seen().any(is_done) {
        return Control::Works("a unit of work is seen to be delivered".into());
    }
    let expected = match kind {
        WorkKind::Export => "an export job's items are reported by PUT /v3/export-jobs/{jobId}/items",
        WorkKind::Read => "a page of GET /v2/employees or /v3/export-jobs that holds something new is read",
        WorkKind::Push => "the trigger's {item_id} stands in a request to the API",
    };
    let calls = seen().filter_map(|what| match what {
        What::Requested { endpoint: Endpoint::Api, method, path, .. } => {
            Some(format!("{method} {}", path.split('?').next().unwrap_or(path)))
        }
        _ => None,
    });
    let calls: BTreeSet<String> = calls.collect();
    let calls: Vec<&str> = calls.iter().map(String::as_str).take(SHOWN).collect();
    let called = if calls.is_empty() { "it made no call".to_owned() } else { format!("it called {}", calls.join(", ")) };
    Control::Fails(format!("no unit of work was delivered; expected by `work.kind`: {expected}; {called}"))
}

/// After a restart and a reconnection work must cause a call again.
fn again(history: &History) -> Control {
    let epilogue =
        history.events.iter().map(|event| &event.what).skip_while(|what| !matches!(what, What::PhaseBegan { phase: Phase::Epilogue }));
    let reconnected = epilogue.skip_while(|what| !matches!(what, What::VerbCalled { verb: crate::evidence::Verb::Connect, .. }));
    if reconnected.into_iter().any(|what| matches!(what, What::Api { status: 200..=299, .. })) {
        Control::Works("after a restart and a reconnection it works again".into())
    } else {
        Control::Fails("after a restart and a reconnection it made no successful API call".into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::Event;

    #[test]
    fn the_positive_controls_are_a_story() {
        assert!(Scenario::parse(CONTROLS).is_ok_and(|scenario| scenario.prologue && scenario.steps.is_empty()));
    }

    fn history(whats: Vec<What>) -> History {
        let events = (1..).zip(whats).map(|(n, what)| Event { n, at: u64::from(n), what }).collect();
        History { story: "s".into(), events }
    }

    fn requested(path: &str, units: &[&str]) -> What {
        What::Requested {
            exchange: 1,
            conn: 1,
            began: 0,
            endpoint: Endpoint::Api,
            method: "POST".into(),
            path: path.into(),
            content_type: None,
            by_agent: false,
            units: units.iter().map(|unit| (*unit).to_owned()).collect(),
            instance: None,
        }
    }

    #[test]
    fn stories_take_as_many_times_what_the_controls_took_as_they_take_turns() {
        let pace = |stories, at_once| Pace { controls: Duration::from_secs(3), stories, at_once, period: None };
        assert_eq!(pace(99, 8).at_least(), Duration::from_secs(39));
        assert_eq!(pace(16, 8).at_least(), Duration::from_secs(6));
        assert_eq!(pace(2, 0).at_least(), Duration::from_secs(6));
    }

    #[test]
    fn work_that_is_never_delivered_is_told_with_what_was_called_instead() {
        let call = What::VerbCalled {
            call: 1,
            verb: crate::evidence::Verb::Trigger,
            source: None,
            wanted: None,
            item: Some("item-1".into()),
            connection: None,
            instance: None,
        };
        let pushed = |unit| history(vec![call.clone(), requested("/v1/vendors?x=1", &[unit])]);
        assert_eq!(work(Some(WorkKind::Push), &pushed("item-1")), Control::Works("a unit of work is seen to be delivered".into()));
        let Control::Fails(why) = work(Some(WorkKind::Push), &pushed("another")) else { panic!("nothing was delivered") };
        assert!(why.contains("{item_id}") && why.contains("it called POST /v1/vendors"), "{why}");
        let Control::Fails(why) = work(Some(WorkKind::Export), &pushed("item-1")) else { panic!("nothing was reported") };
        assert!(why.contains("PUT /v3/export-jobs/{jobId}/items"), "{why}");
        assert_eq!(work(None, &pushed("item-1")), Control::Unsaid);
    }
}
