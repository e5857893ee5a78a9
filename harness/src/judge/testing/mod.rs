//! Hand-written histories that read like the story they stand for.
//!
//! [`Story::honest`] is a whole honest story; the parts it is made of can be put together otherwise, with faults in between.

use std::collections::BTreeMap;

use regrant_mock_server::fault::scenario::Status;

mod findings;
pub(crate) mod gallery;
mod traffic;

pub(crate) use traffic::Answer;

use super::{Terms, WorkKind};
use crate::evidence::*;

/// What the subject of a story says, shows and keeps at the moment.
#[derive(Debug, Clone)]
pub(crate) struct Subject {
    /// What its status says; none: nothing that the manifest's patterns know.
    pub(crate) says: Option<Status>,
    /// What its page shows: text, words of the prompt, a way to the authorise endpoint.
    pub(crate) page: (String, Says, bool),
    /// Canaries in its storage.
    pub(crate) keeps: Vec<String>,
    /// Digest of its settings.
    pub(crate) settings: String,
}

/// A history in the making.
#[derive(Debug, Clone)]
pub(crate) struct Story {
    pub(crate) terms: Terms,
    pub(crate) subject: Subject,
    pub(crate) history: History,
    now: Micros,
    exchange: u64,
    call: u32,
    incarnation: u32,
    /// How many tokens, grants, codes, units there have been.
    pub(crate) pair: u32,
    grant: u32,
    code: u32,
    unit: u32,
    /// Units nobody has fetched yet.
    waiting: Vec<String>,
    marks: BTreeMap<&'static str, Vec<u32>>,
}

const MS: u64 = 1_000;

impl Story {
    /// Nothing yet. All probes are declared, there is no timer, units of work are exported.
    pub(crate) fn new() -> Self {
        let terms = Terms {
            status: true,
            status_disconnected: true,
            status_broken: true,
            prompt: true,
            settings: true,
            data: true,
            disconnect: true,
            work: Some(WorkKind::Export),
            confidential: Some(true),
            period: Some(None),
            ..Terms::default()
        };
        let subject = Subject {
            says: Some(Status::Disconnected),
            page: ("Welcome".into(), Says::No, true),
            keeps: Vec::new(),
            settings: "digest-of-settings".into(),
        };
        Self {
            terms,
            subject,
            history: History { story: "hand-written".into(), events: Vec::new() },
            now: 0,
            exchange: 0,
            call: 0,
            incarnation: 0,
            pair: 0,
            grant: 0,
            code: 0,
            unit: 0,
            waiting: Vec::new(),
            marks: BTreeMap::new(),
        }
    }

    /// A whole honest story: the user revokes access, the subject is refused, stops, cleans up, tells, is restarted, and goes on after the reconnection.
    pub(crate) fn honest() -> Self {
        Self::connected().dies().asked_in_vain(2).rest().epilogue()
    }

    /// Began, connected, worked, was looked at.
    pub(crate) fn connected() -> Self {
        Self::new().began().started().connects().adds_work(1).works().rest().phase(Phase::Story)
    }

    /// As a subject that has no timer and no pages would be told in the prologue.
    pub(crate) fn began(self) -> Self {
        self.event(What::StoryBegan { story: "hand-written".into(), refreshing: Refreshing::OnRejection }).phase(Phase::Prologue)
    }

    /// The grant is revoked, the next trigger leads to a refresh, which is refused; the subject does what is right and comes to rest.
    pub(crate) fn dies(self) -> Self {
        self.revoked().adds_work(1).rejected().trigger().api(401).refused("invalid_grant").gives_up().answered(Outcome::Accepted).rest()
    }

    /// Settle and look, restart, ask, settle and look, reconnect, work, look.
    pub(crate) fn epilogue(self) -> Self {
        self.phase(Phase::Epilogue).rest().restarted().asked_in_vain(1).rest().comes_back().stopped()
    }

    /// The user reconnects, and the subject works again.
    pub(crate) fn comes_back(self) -> Self {
        self.connects().works().rest().works().rest().works().rest()
    }

    // --- the harness and the process ---

    /// One event, a millisecond after the one before.
    pub(crate) fn event(mut self, what: What) -> Self {
        self.now += MS;
        let n = u32::try_from(self.history.events.len()).expect("short") + 1;
        self.history.events.push(Event { n, at: self.now, what });
        self
    }

    pub(crate) fn events(self, all: impl IntoIterator<Item = What>) -> Self {
        all.into_iter().fold(self, Self::event)
    }

    pub(crate) fn phase(self, phase: Phase) -> Self {
        self.event(What::PhaseBegan { phase })
    }

    /// Time passes.
    pub(crate) fn after(mut self, ms: u64) -> Self {
        self.now += ms * MS;
        self
    }

    /// Remembers the number of the next event.
    pub(crate) fn mark(mut self, name: &'static str) -> Self {
        let n = u32::try_from(self.history.events.len()).expect("short") + 1;
        self.marks.entry(name).or_default().push(n);
        self
    }

    pub(crate) fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }

    pub(crate) fn terms(self, change: impl FnOnce(&mut Terms)) -> Self {
        self.with(|story| change(&mut story.terms))
    }

    /// The subject is quiet, and everything is looked at.
    pub(crate) fn rest(self) -> Self {
        self.settled().scan().looks()
    }

    /// The subject never becomes quiet; everything is looked at after the longest wait.
    pub(crate) fn no_rest(self) -> Self {
        self.after(10_000).event(What::Settled { quiet: false, window: 300 * MS }).scan().looks()
    }

    pub(crate) fn settled(self) -> Self {
        self.after(400).event(What::Settled { quiet: true, window: 300 * MS })
    }

    pub(crate) fn scan(self) -> Self {
        let found = self.subject.keeps.iter().map(|canary| found(canary, Place::Row("app.db tokens.value".into()))).collect();
        self.event(What::StorageScanned { places: 9, found, unread: Vec::new() })
    }

    /// Status, prompt, settings and data are read.
    pub(crate) fn looks(self) -> Self {
        let (text, says, leads_to_authorize) = self.subject.page.clone();
        let state = self.subject.says;
        let page = PageSeen { status: 200, text, says, leads_to_authorize };
        let digest = Some(self.subject.settings.clone());
        self.called(Verb::Status, None, None)
            .answered(Outcome::Accepted)
            .event(What::StatusRead { state, raw: "the status".into() })
            .event(What::PromptRead(page))
            .event(What::SettingsRead { digest })
            .event(What::DataRead { count: Some(3) })
    }

    pub(crate) fn started(mut self) -> Self {
        self.incarnation += 1;
        let incarnation = self.incarnation;
        self.event(What::ProcessStarted { incarnation, process: "subject".into() })
            .log("INFO listening on 127.0.0.1:8000")
            .event(What::ProcessReady { incarnation })
    }

    pub(crate) fn stopped(self) -> Self {
        let incarnation = self.incarnation;
        self.event(What::ProcessStopping { incarnation, kill: false }).event(What::ProcessExited { incarnation, code: 0, expected: true })
    }

    pub(crate) fn killed(self) -> Self {
        let incarnation = self.incarnation;
        self.event(What::ProcessStopping { incarnation, kill: true }).event(What::ProcessExited { incarnation, code: -9, expected: true })
    }

    pub(crate) fn restarted(self) -> Self {
        self.stopped().started()
    }

    /// It ends unasked.
    pub(crate) fn crashed(self, code: i32) -> Self {
        let incarnation = self.incarnation;
        self.event(What::ProcessExited { incarnation, code, expected: false })
    }

    pub(crate) fn log(self, text: &str) -> Self {
        self.event(What::Log { stream: LogStream::Stdout, text: text.into() })
    }

    // --- verbs ---

    pub(crate) fn called(mut self, verb: Verb, wanted: Option<Wanted>, source: Option<&str>) -> Self {
        self.call += 1;
        let call = self.call;
        self.event(What::VerbCalled { call, verb, source: source.map(str::to_owned), wanted, item: None })
    }

    pub(crate) fn answered(self, outcome: Outcome) -> Self {
        let status = match outcome {
            Outcome::Accepted => Some(202),
            Outcome::Refused => Some(409),
            Outcome::NoAnswer => None,
        };
        let call = self.call;
        self.event(What::VerbAnswered { call, outcome, status, detail: String::new() })
    }

    pub(crate) fn trigger(self) -> Self {
        self.called(Verb::Trigger, None, Some("trigger"))
    }

    /// The work is asked for so many times, taken on, and held.
    pub(crate) fn asked_in_vain(self, times: u32) -> Self {
        (0..times).fold(self, |story, _| story.trigger().log("WARN work waits in the queue").answered(Outcome::Accepted))
    }

    /// The work is asked for so many times and refused honestly.
    pub(crate) fn declines(self, times: u32) -> Self {
        (0..times).fold(self, |story, _| story.trigger().answered(Outcome::Refused))
    }

    /// A trigger, and the work is done.
    pub(crate) fn works(self) -> Self {
        self.trigger().delivers().log("INFO synced 1 item").answered(Outcome::Accepted)
    }

    /// The user disconnects.
    pub(crate) fn disconnects(self) -> Self {
        self.called(Verb::Disconnect, None, None)
    }

    /// The user connects, first or again: consents, the code is exchanged, the pair is stored.
    pub(crate) fn connects(self) -> Self {
        self.sets_out().authorizes().exchanges().arrives()
    }
}

/// A canary in clear text.
pub(crate) fn found(canary: &str, place: Place) -> Found {
    Found { canary: canary.into(), form: CanaryForm::Raw, place }
}
