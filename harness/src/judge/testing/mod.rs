//! Hand-written histories that read like the story they stand for.
//!
//! [`Story::honest`] is a whole honest story; the parts it is made of can be put together otherwise, with faults in between.

use std::collections::BTreeMap;

use regrant_mock_server::{
    authority::Cause,
    fault::scenario::Status,
    journal::{AuthStyle, Endpoint},
};

pub(crate) mod answers;
pub(crate) mod caller;
pub(crate) mod gallery;
pub(crate) mod late;
pub(crate) mod neighbours;
pub(crate) mod several;
mod wire;

pub(crate) use wire::Answer;

use super::{Terms, WorkKind};
use crate::{
    catalogue::{Finding, Verdict, find},
    evidence::*,
};

/// What the subject of a story says, shows and keeps at the moment.
#[derive(Debug, Clone)]
pub(crate) struct Subject {
    /// What its status says; none: nothing that the manifest's patterns know.
    pub(crate) says: Option<Status>,
    /// What its page shows: text, words of the prompt, a way to the authorise endpoint.
    pub(crate) page: (String, Says, bool),
    /// Canaries in its storage.
    pub(crate) keeps: Vec<String>,
    /// They are encrypted in its file; a dump shows them.
    pub(crate) seals: bool,
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
    /// Which of several connections all this is about; none: there is only one.
    connection: Option<&'static str>,
    /// Which of several instances of the subject all this is about; none: there is only one.
    pub(crate) instance: Option<Instance>,
    /// Where the others stand: pair, grant, code, what the subject says of them.
    others: BTreeMap<&'static str, (u32, u32, u32, Subject)>,
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
            connections: Some(2),
            ..Terms::default()
        };
        let subject = Subject {
            says: Some(Status::Disconnected),
            page: ("Welcome".into(), Says::No, true),
            keeps: Vec::new(),
            seals: true,
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
            connection: None,
            instance: None,
            others: BTreeMap::new(),
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

    /// What follows is about this connection.
    pub(crate) fn of(mut self, name: &'static str) -> Self {
        let here = (self.pair, self.grant, self.code, self.subject.clone());
        if let Some(before) = self.connection.replace(name) {
            self.others.insert(before, here);
        }
        let new = u32::try_from(self.others.len()).expect("few") * 100;
        let subject = Self::new().subject;
        (self.pair, self.grant, self.code, self.subject) = self.others.remove(name).unwrap_or((new + 100, new + 100, new + 100, subject));
        self
    }

    fn connection(&self) -> Option<Connection> {
        self.connection.map(str::to_owned)
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
        let others = self.others.values().flat_map(|(.., subject)| &subject.keeps);
        let kept: Vec<&String> = self.subject.keeps.iter().chain(others).collect();
        let place = if self.subject.seals { Place::Dump("show tokens".into()) } else { Place::Row("app.db tokens.value".into()) };
        let found = kept.iter().map(|canary| found(canary, place.clone())).collect();
        let files = vec![FileSeen { path: "app.db".into(), digest: format!("{kept:?}"), text: false, open: false }];
        self.event(What::StorageScanned { open_to_others: Vec::new(), files, places: 9, found, unread: Vec::new() })
    }

    /// Status, prompt, settings and data are read.
    pub(crate) fn looks(self) -> Self {
        let (text, says, leads_to_authorize) = self.subject.page.clone();
        let state = self.subject.says;
        let (digest, connection) = (Some(self.subject.settings.clone()), self.connection());
        let page =
            PageSeen { actions: None, fields: None, took: 0, connection: connection.clone(), status: 200, text, says, leads_to_authorize };
        self.called(Verb::Status, None, None)
            .answered(Outcome::Accepted)
            .event(What::StatusRead { connection, count: None, state, raw: "the status".into() })
            .event(What::PromptRead(page))
            .event(What::SettingsRead { digest, parts: Vec::new() })
            .event(What::DataRead { count: Some(3) })
    }

    pub(crate) fn started(mut self) -> Self {
        self.incarnation += 1;
        let (incarnation, instance) = (self.incarnation, self.instance);
        let process =
            instance.filter(|instance| *instance > 0).map_or("subject".into(), |instance| format!("subject (process {instance})"));
        self.event(What::ProcessStarted { incarnation, process, instance })
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
        let (call, connection, instance) = (self.call, self.connection(), self.instance);
        self.event(What::VerbCalled { call, verb, source: source.map(str::to_owned), wanted, item: None, connection, instance })
    }

    pub(crate) fn answered(self, outcome: Outcome) -> Self {
        let status = match outcome {
            Outcome::Accepted => Some(202),
            Outcome::Refused => Some(409),
            Outcome::NoAnswer | Outcome::HungUp => None,
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

    /// The user sets out to connect.
    pub(crate) fn sets_out(self) -> Self {
        self.called(Verb::Connect, Some(Wanted::Consent), None).log("INFO redirecting the user to the authorize endpoint")
    }

    /// The authorise request and the consent; the user's browser comes back with the code.
    pub(crate) fn authorizes(mut self) -> Self {
        self.code += 1;
        self.grant += 1;
        let authorized = Authorized::Code { code: format!("code#{}", self.code), grant: self.grant };
        let (call, code) = (self.call, Some(format!("code#{}", self.code)));
        self.authorize_request(authorized).event(What::CallbackDelivered { call, forged: false, status: None, code })
    }

    pub(crate) fn authorize_request(mut self, result: Authorized) -> Self {
        self.exchange += 1;
        let (exchange, unique) = (self.exchange, self.exchange);
        self.requested(Endpoint::Authorize, "GET", "/oauth/authorize", true)
            .event(What::Authorize {
                exchange,
                response_type: Some("code".into()),
                redirect_uri: "http://127.0.0.1:8000/callback".into(),
                scopes: vec!["export-jobs:read".into(), "export-jobs:write".into()],
                state: Some(format!("state-{unique}")),
                state_bits: 128,
                challenge: Some(format!("challenge-{unique}")),
                method: Some("S256".into()),
                result,
            })
            .event(What::Replied { exchange, status: 302, reply: Reply::Plain })
    }

    /// The code of this login is exchanged with success.
    pub(crate) fn exchanges(mut self) -> Self {
        self.pair += 1;
        let code = format!("code#{}", self.code);
        let (access, refresh) = self.newest();
        self.stores_pair().token_request("authorization_code", Some(&code), AuthStyle::Basic, Answer::Tokens(access, Some(refresh)))
    }

    /// The callback was answered; the connection works.
    pub(crate) fn arrives(self) -> Self {
        self.with(Self::is_well).answered(Outcome::Accepted)
    }

    fn is_well(&mut self) {
        self.subject.says = Some(Status::Connected);
        self.subject.page = ("All is well".into(), Says::No, false);
    }

    fn stores_pair(mut self) -> Self {
        let (access, refresh) = self.newest();
        self.subject.keeps = vec![access, refresh];
        self
    }

    /// Names of the newest pair.
    pub(crate) fn newest(&self) -> (String, String) {
        (format!("access#{}", self.pair), format!("refresh#{}", self.pair))
    }

    // --- the provider ---

    pub(crate) fn revoked(self) -> Self {
        let grants = vec![self.grant];
        self.event(What::Revoked { grants, cause: Cause::User })
    }

    pub(crate) fn rejected(self) -> Self {
        let grants = vec![self.grant];
        self.event(What::AccessRejected { grants })
    }

    pub(crate) fn adds_work(mut self, count: u32) -> Self {
        let units: Vec<String> = (1..=count).map(|i| format!("unit-{}", self.unit + i)).collect();
        self.unit += count;
        self.waiting.extend(units.iter().cloned());
        self.event(What::WorkAdded { units })
    }

    /// After a refusal: tokens discarded, connection marked, everything logged, the user told.
    pub(crate) fn gives_up(self) -> Self {
        self.with(|story| {
            story.subject.keeps.clear();
            story.subject.says = Some(Status::Disconnected);
            story.subject.page = ("Access to Pleo has ended. Reconnect".into(), Says::Yes, true);
        })
        .log("ERROR token refresh failed: invalid_grant (status 400)")
        .log("WARN the connection is unauthenticated now: its authorization expired or was revoked, tokens discarded")
        .log("WARN reauthentication required: the user is asked to reconnect")
    }

    // --- what the judge makes of it ---

    /// The events that do not match, in the numbers they had.
    pub(crate) fn without(mut self, matches: impl Fn(&Event) -> bool) -> Self {
        self.history.events.retain(|event| !matches(event));
        self
    }

    pub(crate) fn finding(&self, id: &str) -> Finding {
        let requirement = find(id).unwrap_or_else(|| panic!("{id} is in the register"));
        crate::judge::finding(requirement, &self.history, &self.terms)
    }

    #[track_caller]
    fn expect(&self, id: &str, verdict: Verdict, words: &str) -> Finding {
        let finding = self.finding(id);
        assert_eq!(finding.verdict, verdict, "{id}: {finding:#?}\n{}", self.told());
        assert!(finding.reason.contains(words), "{id}: {:?} does not say {words:?}", finding.reason);
        let known = |n: &u32| self.history.events.iter().any(|event| event.n == *n);
        assert!(finding.evidence.iter().all(known), "{id} cites what never happened: {finding:?}");
        finding
    }

    #[track_caller]
    pub(crate) fn passes(&self, id: &str) -> Finding {
        let finding = self.expect(id, Verdict::Pass, "");
        assert!(!finding.evidence.is_empty(), "{id} passes without evidence");
        finding
    }

    /// Fails, says so in these words, and cites the event that was marked `offence`, if one was.
    #[track_caller]
    pub(crate) fn fails(&self, id: &str, words: &str) -> Finding {
        let finding = self.expect(id, Verdict::Fail, words);
        assert!(!finding.evidence.is_empty(), "{id} fails without evidence");
        for offence in self.marks.get("offence").into_iter().flatten() {
            assert!(finding.evidence.contains(offence), "{id} does not cite {offence}: {finding:?}\n{}", self.told());
        }
        finding
    }

    #[track_caller]
    pub(crate) fn undecided(&self, id: &str, words: &str) -> Finding {
        self.expect(id, Verdict::Undecided, words)
    }

    #[track_caller]
    pub(crate) fn not_applicable(&self, id: &str) -> Finding {
        self.expect(id, Verdict::NotApplicable, "")
    }

    /// Whatever else: not accused.
    #[track_caller]
    pub(crate) fn is_not_accused(&self, ids: &[&str]) {
        for id in ids {
            let finding = self.finding(id);
            assert_ne!(finding.verdict, Verdict::Fail, "{id}: {finding:#?}\n{}", self.told());
        }
    }

    fn told(&self) -> String {
        let line = |event: &Event| format!("{:>4} {:>9} {:?}", event.n, event.at, event.what);
        self.history.events.iter().map(line).collect::<Vec<_>>().join("\n")
    }
}

/// A canary in clear text.
pub(crate) fn found(canary: &str, place: Place) -> Found {
    Found { canary: canary.into(), form: CanaryForm::Raw, place }
}
