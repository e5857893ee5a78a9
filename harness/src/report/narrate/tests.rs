//! Every kind of event, in words.

use regrant_mock_server::{
    authority::{Cause, TokenState},
    journal::{AuthStyle, Carried, Endpoint},
};

use super::*;
use crate::{
    evidence::{
        CanaryForm, Found, LogStream, Outcome, PageSeen, Place, Presentation, Refreshing, Reply, Says, Wanted, read_run, write_run,
    },
    report::fixture::{history, request},
};

fn of_the_harness() -> Vec<What> {
    vec![
        What::StoryBegan { story: "user_revokes_access".into(), refreshing: Refreshing::OnExpiry },
        What::PhaseBegan { phase: Phase::Epilogue },
        What::Awaited { what: "gate-a holds a request".into(), came: false },
        What::NotRealised { reason: "no refresh was ever held".into() },
        What::Settled { quiet: true, window: 300_000 },
        What::Settled { quiet: false, window: 90_000_000 },
        What::HarnessFault { reason: "a gate was lost".into() },
        What::EnvironmentFault { reason: "no python3 on PATH".into() },
        What::ProcessStarted { incarnation: 2, process: "queue".into(), instance: None },
        What::ProcessReady { incarnation: 2 },
        What::ProcessStopping { incarnation: 2, kill: true },
        What::ProcessExited { incarnation: 2, code: -9, expected: true },
        What::ProcessExited { incarnation: 3, code: 1, expected: false },
        What::ProcessesLeft { count: 2 },
    ]
}

fn of_verbs_and_probes() -> Vec<What> {
    let found = Found { canary: "refresh#3".into(), form: CanaryForm::Base64, place: Place::Row("app.db tokens.refresh".into()) };
    let packed = Found { form: CanaryForm::Compressed, place: Place::Log(LogStream::File("logs/app.log.2.gz".into())), ..found.clone() };
    let page = PageSeen {
        actions: None,
        fields: None,
        took: 0,
        connection: None,
        status: 200,
        text: "Reconnect".into(),
        says: Says::Yes,
        leads_to_authorize: true,
    };
    vec![
        What::VerbCalled {
            call: 1,
            verb: Verb::Connect,
            source: None,
            wanted: Some(Wanted::Deny),
            item: None,
            connection: None,
            instance: None,
        },
        What::VerbCalled {
            call: 2,
            verb: Verb::Trigger,
            source: Some("webhook".into()),
            wanted: None,
            item: Some("item-7".into()),
            connection: None,
            instance: Some(1),
        },
        What::VerbAnswered { call: 2, outcome: Outcome::NoAnswer, status: None, detail: "connection reset".into() },
        What::JobPolled { call: 2, done: false, status: Some(200), polls: 7, says: Some("waiting".into()) },
        What::JobPolled { call: 2, done: false, status: None, polls: 8, says: None },
        What::JobPolled { call: 2, done: true, status: Some(200), polls: 9, says: None },
        What::CallbackDelivered { call: 1, forged: true, status: Some(400), code: Some("code#2".into()) },
        What::StatusRead { connection: None, count: None, state: None, raw: "{\"state\":\n\"?\"}".into() },
        What::PromptRead(page),
        What::SettingsRead { digest: Some("0123456789abcdef".into()), parts: Vec::new() },
        What::DataRead { count: Some(3) },
        What::StorageScanned {
            open_to_others: Vec::new(),
            files: Vec::new(),
            places: 12,
            found: vec![found.clone()],
            unread: vec!["lock.db: locked".into()],
        },
        What::Notified { channel: Channel::Mail, text: "Please reconnect".into(), says: Says::Yes, notice: 1 },
        What::Notified { channel: Channel::Webhook, text: "sync done".into(), says: Says::No, notice: 2 },
        What::NoticeFollowed { notice: 1, leads_to_authorize: true, actions: Some(1), fields: Some(0) },
        What::NoticeFollowed { notice: 2, leads_to_authorize: false, actions: None, fields: None },
        What::CanarySeen { found: Found { place: Place::Notice(Channel::Mail), ..found.clone() }, seen: 21 },
        What::Log { stream: LogStream::File("logs/app.log".into()), text: "refresh failed".into() },
        What::LogFlooded { lines: 900 },
        What::LogUnread { reason: "app.log.2.gz: not wholly unpacked".into() },
        What::CanarySeen { found: packed, seen: 4 },
        What::CanarySeen { found, seen: 4 },
    ]
}

fn of_the_provider() -> Vec<What> {
    let units = ["a", "b", "c", "d", "e"].map(String::from).to_vec();
    vec![
        What::Revoked { grants: vec![1, 2], cause: Cause::Policy },
        What::Expired { grants: vec![1], refresh: true },
        What::Expired { grants: vec![1], refresh: false },
        What::AccessRejected { grants: Vec::new() },
        What::SecretRotated { secret: "secret#2".into(), odd: false },
        What::SecretHanded,
        What::WorkAdded { units },
        What::SecretAdded { secret: "secret#3".into() },
        What::SecretEnds { secret: "secret#2".into() },
        What::ApiClockSet { ahead: -2_000_000 },
        What::WebhookSent { delivery: 1, told: "v1.export-job.created".into(), units: vec!["unit-1".into()] },
        What::WebhookAnswered { delivery: 1, status: Some(202) },
        What::WebhookAnswered { delivery: 2, status: None },
        What::ClockMoved { by: 3_600_000_000 },
    ]
}

fn of_the_wire() -> Vec<What> {
    let token = Presentation { token: Some("access#2".into()), grant: Some(1), state: TokenState::Revoked(Cause::Security) };
    let api = |carried, presented, status| What::Api {
        exchange: 1,
        presented,
        carried,
        status,
        handed_out: vec!["u".into()],
        delivered: Vec::new(),
    };
    vec![
        request(1, Endpoint::Api, "GET", "/v2/employees"),
        api(Carried::Bearer, Some(token.clone()), 401),
        api(Carried::Nothing, None, 401),
        What::Token {
            exchange: 9,
            grant_type: None,
            auth: AuthStyle::None,
            secret: None,
            presented: None,
            verifier: false,
            result: TokenResult::Issued { grant: 1, access: "access#3".into(), refresh: None },
        },
        What::Authorize {
            exchange: 1,
            response_type: Some("code".into()),
            redirect_uri: String::new(),
            scopes: Vec::new(),
            state: None,
            state_bits: 0,
            challenge: None,
            method: None,
            result: Authorized::Sent("access_denied".into()),
        },
        What::Introspected { exchange: 1 },
        What::Undocumented { exchange: 1 },
        What::Held { exchange: 1, gate: "gate-a".into() },
        What::Released { exchange: 1, dropped: true },
        What::Faulted { rule: Some(1), exchange: 1, fate: "status 503".into(), committed: false },
        What::Replied {
            exchange: 1,
            status: 200,
            reply: Reply::Tokens { access: "access#3".into(), refresh: Some("refresh#3".into()), expires_in: Some(900) },
        },
        What::Replied { exchange: 1, status: 503, reply: Reply::Transient },
        What::Read { exchange: 1 },
        What::ReadUnknown { exchange: 1 },
        What::Aborted { exchange: 1, by_subject: true },
    ]
}

fn every_kind() -> History {
    let all = [of_the_harness(), of_verbs_and_probes(), of_the_provider(), of_the_wire()].concat();
    history("all", all.into_iter().zip(0..).map(|(what, at)| (at, what)).collect())
}

#[test]
fn every_kind_of_event_survives_being_saved() {
    let header = crate::report::fixture::run().header;
    let mut saved = Vec::new();
    write_run(&mut saved, &header, &[every_kind()]).expect("written");
    assert_eq!(read_run(saved.as_slice()).expect("read"), (header, vec![every_kind()]));
}

#[test]
fn every_kind_of_event_has_a_sentence() {
    let story = every_kind();
    let narrator = Narrator::new(&story);
    let told: Vec<_> = story.events.iter().map(|event| format!("{}  {}", clock(event.at), narrator.tell(&event.what))).collect();
    insta::assert_snapshot!(told.join("\n"));
}
