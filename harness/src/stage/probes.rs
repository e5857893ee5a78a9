//! Reading what can be read of a subject at rest: storage first (a page may change it), then what it says and shows.

use std::{sync::atomic::Ordering, time::Duration};

use regrant_mock_server::fault::scenario::Status;
use tokio::task::spawn_blocking;

use super::{cast::Cast, recorder::Recorder};
use crate::{
    canary::CanarySet,
    collect::{Scan, brief, count_records, digest, page, page_seen, scan_storage, scan_text},
    evidence::{Outcome, PageSeen, Place, Verb, What, micros},
    subject::{Answered, Follow, SubjectError, manifest::PromptChannel},
};

/// How long a dump command may take.
const DUMP: Duration = Duration::from_secs(60);
/// How much of a status a history keeps, in bytes.
const KEPT: usize = 300;

impl Cast {
    /// Everything that the manifest lets us read, and all storage.
    pub(super) async fn read_probes(&mut self) {
        self.read_storage().await;
        if !self.is_up() {
            return;
        }
        for link in self.all_links() {
            self.read_status(link).await;
            if self.hung.load(Ordering::Acquire) && self.is_back().await {
                self.read_status(link).await;
            }
            self.read_prompt(link).await;
        }
        self.follow_notices().await;
        self.read_settings().await;
        self.read_data().await;
    }

    /// What a person can look at meanwhile, whatever is under way.
    pub(super) async fn look(&mut self) {
        if !self.is_up() {
            return;
        }
        for link in self.all_links() {
            self.read_status(link).await;
            self.read_prompt(link).await;
        }
    }

    pub(super) async fn read_storage(&mut self) {
        let Some(mut scan) = self.scan_storage().await else {
            self.recorder.record(What::HarnessFault { reason: "the search of the storage broke".into() });
            return;
        };
        let at = self.recorder.now();
        let draft = self.recorder.record_at(
            at,
            What::StorageScanned {
                places: scan.places,
                found: scan.found,
                unread: scan.unread,
                open_to_others: scan.open_to_others,
                files: scan.files,
            },
        );
        // What is in an old log stays there from one search to the next.
        scan.in_logs.retain(|found| self.found_in_logs.insert(found.clone()));
        self.recorder.found_in(at, scan.in_logs, draft);
        self.unread_logs = scan.unread_logs;
    }

    /// Files, what services keep, and what dump commands print; none: the search broke.
    pub(super) async fn scan_storage(&self) -> Option<Scan> {
        let (plan, searcher) = (self.scan.clone(), self.canaries.searcher());
        let mut scan = spawn_blocking(move || scan_storage(&plan, &searcher)).await.ok()?;
        for argv in self.setting.manifest.storage.dump.clone() {
            let name = argv.iter().take(2).cloned().collect::<Vec<_>>().join(" ");
            let verb = crate::subject::manifest::Verb::Run(argv);
            match self.driver.perform("dump", &verb, &self.bindings, Follow::Never, DUMP).await {
                Ok(Answered::Ran(ended)) if ended.code == Some(0) => {
                    scan.places += 1;
                    scan.found.extend(scan_text(&Place::Dump(name), ended.stdout.as_bytes(), &self.canaries.searcher()));
                }
                Ok(answered) => scan.unread.push(format!("`{name}` ended with {}", answered.status())),
                Err(error) => scan.unread.push(format!("`{name}`: {error}")),
            }
        }
        Some(scan)
    }

    /// Reads the status; what it says, if the manifest's patterns tell.
    pub(super) async fn read_status(&mut self, link: usize) -> Option<Status> {
        let probe = self.setting.manifest.status.clone()?;
        let call = self.recorder.next_call();
        let connection = self.named(link);
        let what = What::VerbCalled {
            call,
            verb: Verb::Status,
            source: None,
            wanted: None,
            item: None,
            connection: connection.clone(),
            instance: None,
        };
        self.recorder.record(what);
        let answered = self.driver.perform("status", &probe.verb, &self.bound_to(link), Follow::Pages, self.limit()).await;
        let (state, raw, outcome, status) = match &answered {
            Ok(answered) => {
                let patterns =
                    [(Status::Connected, &probe.connected), (Status::Disconnected, &probe.disconnected), (Status::Broken, &probe.broken)];
                let state = patterns.into_iter().find(|(_, p)| p.as_ref().is_some_and(|p| answered.matches(p))).map(|(state, _)| state);
                (state, answered.text().to_owned(), Outcome::Accepted, Some(answered.status()))
            }
            Err(error) => (None, error.to_string(), Outcome::NoAnswer, None),
        };
        let count = answered.as_ref().ok().and_then(|a| probe.count.as_ref().and_then(|count| count.of(a.text())));
        self.note_patience(outcome);
        self.look_for_canaries("status", answered.as_ref().map_or("", Answered::text));
        let raw = brief(&raw, &self.canaries, KEPT);
        self.recorder.record(What::VerbAnswered { call, outcome, status, detail: String::new() });
        self.recorder.record(What::StatusRead { state, raw, connection, count });
        state
    }

    async fn read_prompt(&mut self, link: usize) {
        let Some(prompt) = self.setting.manifest.prompt.clone() else { return };
        let PromptChannel::Verb(verb) = &prompt.channel else { return };
        let asked = self.recorder.now();
        let Ok(look) = self.driver.look(verb, &self.bound_to(link), self.limit()).await else { return };
        let took = micros(look.took.unwrap_or_else(|| self.recorder.now().saturating_sub(asked)));
        let answer = page::Answer { status: look.status, content_type: None, body: look.body.as_bytes() };
        let (seen, found) = page_seen(answer, prompt.says.as_ref(), look.leads_to_authorize, "prompt", &self.canaries);
        let ways = look.leads_to_authorize.then_some((look.actions, look.fields));
        let seen = PageSeen {
            actions: ways.map(|(actions, _)| actions),
            fields: ways.map(|(_, fields)| fields),
            took,
            connection: self.named(link),
            ..seen
        };
        let at = self.recorder.now();
        let draft = self.recorder.record_at(at, What::PromptRead(seen));
        self.recorder.found_in(at, found, draft);
    }

    async fn read_settings(&mut self) {
        let Some(verb) = self.setting.manifest.settings.clone() else { return };
        let answered = self.driver.perform("settings", &verb, &self.bindings, Follow::Pages, self.limit()).await;
        self.look_for_canaries("settings", answered.as_ref().map_or("", Answered::text));
        let text = good(answered.as_ref()).map(|text| self.without_changes(text));
        let parts = text.as_deref().map(parts).unwrap_or_default();
        self.recorder.record(What::SettingsRead { digest: text.map(|text| digest(text.as_bytes())), parts });
    }

    /// The visible text of a page of settings: hidden fields and tokens against forgery change with each reading.
    fn without_changes(&self, text: &str) -> String {
        if serde_json::from_str::<serde_json::Value>(text).is_ok() {
            return text.to_owned();
        }
        let answer = page::Answer { status: 200, content_type: None, body: text.as_bytes() };
        page::visible(answer, &self.canaries)
    }

    async fn read_data(&mut self) {
        let Some(verb) = self.setting.manifest.data.clone() else { return };
        let answered = self.driver.perform("data", &verb, &self.bindings, Follow::Pages, self.limit()).await;
        self.look_for_canaries("data", answered.as_ref().map_or("", Answered::text));
        let count = good(answered.as_ref()).and_then(|text| count_records(text.as_bytes()));
        self.recorder.record(What::DataRead { count });
    }

    pub(super) fn look_for_canaries(&self, what: &str, text: &str) {
        look_for_canaries(&self.recorder, &self.canaries, what, text);
    }
}

/// Searches an answer of the subject; what is found is told with an event of its own.
pub(super) fn look_for_canaries(recorder: &Recorder, canaries: &CanarySet, what: &str, text: &str) {
    let found = scan_text(&Place::Page(what.to_owned()), text.as_bytes(), &canaries.searcher());
    if !found.is_empty() {
        let at = recorder.now();
        let draft = recorder.record_at(at, What::Awaited { what: format!("the answer of `{what}`"), came: true });
        recorder.found_in(at, found, draft);
    }
}

/// So many parts of the settings are told apart, no more.
const PARTS: usize = 400;

/// Digests of what the settings consist of: the values of a JSON text, or the lines of a page. None if they are too many.
fn parts(text: &str) -> Vec<String> {
    let parts = match serde_json::from_str(text) {
        Ok(json) => leaves(&json),
        Err(_) => text.lines().filter(|line| !line.trim().is_empty()).map(str::to_owned).collect(),
    };
    if parts.len() > PARTS { Vec::new() } else { parts.iter().map(|part| digest(part.as_bytes())).collect() }
}

/// Each value with the names that lead to it.
fn leaves(json: &serde_json::Value) -> Vec<String> {
    let mut found = Vec::new();
    let mut open = vec![(String::new(), json)];
    while let Some((place, value)) = open.pop() {
        match value {
            serde_json::Value::Object(members) => open.extend(members.iter().map(|(name, value)| (format!("{place}/{name}"), value))),
            serde_json::Value::Array(items) => open.extend(items.iter().map(|value| (format!("{place}/-"), value))),
            value => found.push(format!("{place}={value}")),
        }
    }
    found
}

/// The text of an answer with success.
fn good<'a>(answered: Result<&'a Answered, &'a SubjectError>) -> Option<&'a str> {
    match answered {
        Ok(Answered::Http(answer)) if answer.status / 100 == 2 => Some(answer.body.as_str()),
        Ok(Answered::Ran(ended)) if ended.code == Some(0) => Some(ended.stdout.as_str()),
        Ok(_) | Err(_) => None,
    }
}
