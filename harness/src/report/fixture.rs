//! A hand-made run with a failing, a passing and an undecided requirement, for the snapshots of every format.

use regrant_mock_server::{
    authority::{Cause, TokenState},
    journal::{AuthStyle, Carried, Endpoint},
};

use super::StoryLabel;
use crate::{
    catalogue::{Finding, Level, Requirement, Severity},
    evidence::{Event, Grant, Header, History, Outcome, Phase, Presentation, Refreshing, Reply, TokenResult, Verb, What},
    judge::{InStory, Judged, Judgement, Told, View},
    run::Run,
};

/// The API calls after the refusal, as STOP-01 cites them.
pub(crate) const OFFENDING: [u32; 3] = [19, 23, 27];

/// The run: `user_revokes_access` with its history, and `token_endpoint_unavailable` without.
pub(crate) fn run() -> Run {
    Run {
        header: Header { contract: 1, regrant: "0.1.0".into(), subject: "crm-sync".into(), seed: 42, terms: serde_json::json!({}) },
        histories: vec![revoked(), History { story: "token_endpoint_unavailable".into(), events: Vec::new() }],
        judgement: Judgement { requirements: requirements(), stories: stories() },
        seconds: 21.4,
        cancelled: false,
    }
}

/// Titles of its stories.
pub(crate) fn labels() -> Vec<StoryLabel> {
    [("user_revokes_access", "The user revokes access"), ("token_endpoint_unavailable", "The token endpoint is unavailable")]
        .map(|(name, title)| StoryLabel { name: name.into(), title: title.into() })
        .into()
}

/// The lines of the register that it needs.
pub(crate) fn register() -> Vec<Requirement> {
    vec![
        line(
            "STOP-01",
            Severity::Error,
            "sends no API request for that connection once it knows: not with a dead token, not with an empty one, not without one",
            "Check the connection's state in the one place through which every API call goes, and refuse there.",
        ),
        line(
            "PURGE-03",
            Severity::Error,
            "keeps no readable copy of the dead refresh token in storage",
            "Overwrite the stored token in the transaction that marks the connection as unauthenticated.",
        ),
        line(
            "MARK-01",
            Severity::Error,
            "shows the connection as unauthenticated, in agreement with the wire",
            "Set the mark where the refusal is handled.",
        ),
        line("LOG-06", Severity::Warning, "logs within bounds", "Log the change of state, not every attempt."),
        line(
            "PROMPT-04",
            Severity::Warning,
            "tells the user once per outage, not on every run, and not never",
            "Send the notice when the state changes.",
        ),
    ]
}

fn line(id: &'static str, severity: Severity, sentence: &'static str, remedy: &'static str) -> Requirement {
    Requirement {
        scope: crate::catalogue::Scope::Connection,
        id,
        level: Level::Must,
        severity,
        sentence,
        sources: &["how-to: take immediate action"],
        why: "A scheduler went on for days with a dead token.",
        observed: "Calls of the API after the refusal was read.",
        undecided: "No stimulus after the refusal.",
        remedy,
        declarable: false,
        check: |_: &View<'_>| Finding::undecided("a fixture does not judge"),
    }
}

fn requirements() -> Vec<Judged> {
    let failed = Finding::fail("3 API calls carried access#1 after its refresh was refused", OFFENDING.to_vec());
    let flooded = Finding::fail("340 lines of log for one trigger", vec![10]);
    let passed = Finding::pass("status read disconnected after the refusal", vec![16]);
    let locked = Finding::locked("storage holds nothing that was ever seen", "storage.dump = [[\"redis-cli\", \"--scan\"]]");
    let declared = Finding::not_applicable("headless service; the operator is paged");
    vec![
        judged("STOP-01", Severity::Error, failed),
        judged("PURGE-03", Severity::Error, locked),
        judged("MARK-01", Severity::Error, passed),
        judged("PROMPT-04", Severity::Warning, declared),
        judged("LOG-06", Severity::Warning, flooded),
    ]
}

fn judged(id: &'static str, severity: Severity, finding: Finding) -> Judged {
    let Finding { verdict, reason, unlock, .. } = finding.clone();
    let level = match severity {
        Severity::Error => Level::Must,
        Severity::Warning | Severity::Advice => Level::Should,
    };
    let stories = vec![InStory { name: "user_revokes_access".into(), decides: true, finding }];
    Judged { id, level, severity, verdict, reason, unlock, stories, acquitted: Vec::new() }
}

fn stories() -> Vec<Told> {
    let told = |name: &str, seconds, realised| Told { name: name.into(), realised, seconds, harness_fault: None, environment_fault: None };
    vec![told("user_revokes_access", 3.1, true), told("token_endpoint_unavailable", 2.25, false)]
}

/// Makes a history with consecutive numbers; times in milliseconds.
pub(crate) fn history(story: &str, events: Vec<(u64, What)>) -> History {
    let numbered = events.into_iter().zip(1..).map(|((at, what), n)| Event { n, at: at * 1_000, what });
    History { story: story.into(), events: numbered.collect() }
}

fn revoked() -> History {
    let dead = TokenState::Revoked(Cause::User);
    let mut events = vec![
        (0, What::StoryBegan { story: "user_revokes_access".into(), refreshing: Refreshing::OnRejection }),
        (0, What::PhaseBegan { phase: Phase::Prologue }),
        (40, What::ProcessStarted { incarnation: 1, process: "crm-sync".into(), instance: None }),
        (310, What::ProcessReady { incarnation: 1 }),
        (900, What::PhaseBegan { phase: Phase::Story }),
        (2_104, What::Revoked { grants: vec![1], cause: Cause::User }),
        (2_110, trigger(7)),
    ];
    events.extend(api_call(2_118, 11, dead));
    events.push((2_130, What::Log { stream: crate::evidence::LogStream::Stdout, text: "refreshing".into() }));
    events.push((2_135, request(12, Endpoint::Token, "POST", "/oauth/token")));
    events.push((2_136, refused_refresh(12, dead)));
    events.push((
        2_137,
        What::Replied { exchange: 12, status: 400, reply: Reply::Final { error: "invalid_grant".into(), description: None } },
    ));
    events.push((2_139, What::Read { exchange: 12 }));
    events.push((2_500, What::Settled { quiet: true, window: 300_000 }));
    events.push((
        2_510,
        What::StatusRead {
            connection: None,
            count: None,
            state: Some(regrant_mock_server::fault::scenario::Status::Disconnected),
            raw: "{\"state\":\"needs_reauth\"}".into(),
        },
    ));
    for (at, call, exchange) in [(2_904, 8, 13), (3_204, 9, 14), (3_504, 10, 15)] {
        events.push((at, trigger(call)));
        events.extend(api_call(at + 12, exchange, dead));
        events.push((at + 20, What::VerbAnswered { call, outcome: Outcome::Accepted, status: Some(202), detail: String::new() }));
    }
    history("user_revokes_access", events)
}

fn trigger(call: u32) -> What {
    What::VerbCalled {
        call,
        verb: Verb::Trigger,
        source: Some("trigger".into()),
        wanted: None,
        item: None,
        connection: None,
        instance: None,
    }
}

fn api_call(at: u64, exchange: u64, state: TokenState) -> [(u64, What); 2] {
    let presented = Some(token("access#1", state));
    let decided = What::Api { exchange, presented, carried: Carried::Bearer, status: 401, handed_out: Vec::new(), delivered: Vec::new() };
    [(at, request(exchange, Endpoint::Api, "GET", "/v2/employees")), (at + 1, decided)]
}

/// A request of the subject.
pub(crate) fn request(exchange: u64, endpoint: Endpoint, method: &str, path: &str) -> What {
    What::Requested {
        exchange,
        conn: exchange,
        began: 0,
        endpoint,
        method: method.into(),
        path: path.into(),
        content_type: None,
        units: Vec::new(),
        by_agent: false,
        instance: None,
    }
}

fn refused_refresh(exchange: u64, state: TokenState) -> What {
    What::Token {
        exchange,
        grant_type: Some("refresh_token".into()),
        auth: AuthStyle::Basic,
        secret: Some("secret#1".into()),
        presented: Some(token("refresh#1", state)),
        verifier: false,
        result: TokenResult::Refused { error: "invalid_grant".into(), status: 400 },
    }
}

fn token(name: &str, state: TokenState) -> Presentation {
    Presentation { token: Some(name.into()), grant: Some(1 as Grant), state }
}
