//! What must hold of every check, whatever the history.

use std::collections::BTreeSet;

use proptest::prelude::*;
use regrant_mock_server::{
    authority::{Cause, TokenState},
    fault::scenario::Status,
    journal::{AuthStyle, Carried, Endpoint},
};

use super::{
    Terms, WorkKind, finding,
    testing::{Story, gallery},
};
use crate::{
    catalogue::{Finding, Verdict, all},
    evidence::*,
};

fn verdicts(history: &History, terms: &Terms) -> Vec<(&'static str, Finding)> {
    all().map(|r| (r.id, finding(r, history, terms))).collect()
}

fn judged(story: &Story) -> Vec<(&'static str, Finding)> {
    verdicts(&story.history, &story.terms)
}

// --- removing ---

/// Events by which a check sees that its silence means something: stimuli, answers, uses of tokens, rests, readings, searches.
///
/// Log lines and deliveries are none: LOG asks for the lines and RECOVER-02, RECOVER-05 and RACE-03 ask for the deliveries themselves, so
/// that a history without them is one of a subject that did not do its part.
fn is_control(what: &What) -> bool {
    match what {
        What::VerbCalled { verb: Verb::Trigger | Verb::Status, .. }
        | What::VerbAnswered { outcome: Outcome::Accepted | Outcome::Refused, .. }
        | What::StorageScanned { .. }
        | What::Settled { .. }
        | What::PromptRead(_)
        | What::StatusRead { .. }
        | What::SettingsRead { .. }
        | What::DataRead { .. }
        | What::Read { .. }
        | What::WorkAdded { .. }
        | What::Held { .. } => true,
        What::Api { status, delivered, .. } => (200..300).contains(status) && delivered.is_empty(),
        _ => false,
    }
}

#[test]
fn the_gallery_decides_every_requirement() {
    let (mut passed, mut accused) = (BTreeSet::new(), Vec::new());
    for (place, story) in gallery::honest().into_iter().enumerate() {
        for (id, finding) in judged(&story) {
            if finding.verdict == Verdict::Fail {
                accused.push(format!("{id} accuses honest story {place}: {} {:?}", finding.reason, finding.evidence));
            }
            if finding.verdict == Verdict::Pass {
                passed.insert(id);
            }
        }
    }
    assert!(accused.is_empty(), "{}", accused.join("\n"));
    let missing: Vec<_> = all().map(|r| r.id).filter(|id| !passed.contains(id)).collect();
    assert!(missing.is_empty(), "no honest story passes {missing:?}");
    for (id, story) in gallery::faulty() {
        assert_eq!(story.finding(id).verdict, Verdict::Fail, "{id}: {:?}", story.finding(id));
    }
}

#[test]
fn a_library_that_tries_a_second_client_authentication_is_convicted_of_that_alone() {
    let accused: Vec<_> = judged(&gallery::prober()).into_iter().filter(|(_, finding)| finding.verdict == Verdict::Fail).collect();
    assert_eq!(accused.iter().map(|(id, _)| *id).collect::<Vec<_>>(), ["REFRESH-12"], "{accused:?}");
}

/// Taking a control away from an honest story makes a check undecided at worst, and never decides what was undecided.
fn without_controls_nobody_is_accused(story: &Story, removed: &BTreeSet<u32>, before: &[(&'static str, Finding)]) -> Vec<String> {
    let less = story.clone().without(|event| removed.contains(&event.n));
    let mut wrong = Vec::new();
    for ((id, was), (_, is)) in before.iter().zip(judged(&less)) {
        let what: Vec<_> =
            story.history.events.iter().filter(|e| removed.contains(&e.n)).map(|e| format!("{} {:?}", e.n, e.what)).collect();
        match (was.verdict, is.verdict) {
            (Verdict::Pass | Verdict::Undecided | Verdict::NotApplicable, Verdict::Fail) => {
                wrong.push(format!("{id} accuses without {what:?}: {}", is.reason));
            }
            (Verdict::Undecided, Verdict::Pass) => wrong.push(format!("{id} acquits without {what:?}: was {}", was.reason)),
            _ => {}
        }
    }
    wrong
}

#[test]
fn a_control_less_never_accuses_and_never_acquits() {
    let mut wrong = Vec::new();
    for story in gallery::honest() {
        let before = judged(&story);
        for event in story.history.events.iter().filter(|e| is_control(&e.what)) {
            wrong.extend(without_controls_nobody_is_accused(&story, &BTreeSet::from([event.n]), &before));
        }
    }
    assert!(wrong.is_empty(), "{} cases:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn an_event_less_never_turns_a_conviction_into_an_acquittal_unless_it_was_cited() {
    let mut wrong = Vec::new();
    for (id, story) in gallery::faulty() {
        let before = story.finding(id);
        for event in &story.history.events {
            let after = story.clone().without(|e| e.n == event.n).finding(id);
            if after.verdict == Verdict::Pass && !before.evidence.contains(&event.n) {
                wrong.push(format!("{id} acquits without {} {:?}: {}", event.n, event.what, after.reason));
            }
        }
    }
    assert!(wrong.is_empty(), "{} cases:\n{}", wrong.len(), wrong.join("\n"));
}

// --- order, and what no check names ---

#[test]
fn the_order_in_which_events_are_kept_changes_nothing() {
    for story in gallery::honest().into_iter().chain(gallery::faulty().into_iter().map(|(_, story)| story)) {
        let mut turned = story.clone();
        turned.history.events.reverse();
        assert_eq!(judged(&story), judged(&turned));
        for event in &mut turned.history.events {
            // As coarse as a bad clock would have it: the numbers still tell the order.
            event.at = event.at / 1_000_000 * 1_000_000;
        }
        let mut coarse = story.clone();
        coarse.history.events = turned.history.events.iter().rev().cloned().collect();
        assert_eq!(judged(&coarse), judged(&turned));
    }
}

#[test]
fn an_event_that_no_check_names_changes_no_verdict() {
    for story in gallery::honest().into_iter().chain(gallery::faulty().into_iter().map(|(_, story)| story)) {
        let before: Vec<_> = judged(&story).into_iter().map(|(id, f)| (id, f.verdict, f.reason)).collect();
        let mut more = story.clone();
        let noise = story.history.events.iter().flat_map(|event| {
            let at = event.at;
            let awaited = What::Awaited { what: "something".into(), came: true };
            [
                (at, event.what.clone()),
                (at, awaited),
                (at, What::Introspected { exchange: 77_777 }),
                (at, What::Undocumented { exchange: 77_778 }),
            ]
        });
        more.history.events = noise.zip(1..).map(|((at, what), n)| Event { n, at, what }).collect();
        let after: Vec<_> = judged(&more).into_iter().map(|(id, f)| (id, f.verdict, f.reason)).collect();
        assert_eq!(before, after);
    }
}

// --- anything at all ---

/// Ten small numbers that stand for an event, well-formed or not.
type Dice = ([u8; 10], u16);

fn token(die: u8, kind: &str) -> Option<String> {
    if die.is_multiple_of(5) { None } else { Some(format!("{kind}#{}", die % 4)) }
}

fn state(die: u8) -> TokenState {
    [
        TokenState::Active,
        TokenState::Expired,
        TokenState::Superseded,
        TokenState::Revoked(Cause::User),
        TokenState::Rejected,
        TokenState::Unknown,
    ][usize::from(die % 6)]
}

fn any_what([kind, a, b, c, d, e, f, g, h, i]: [u8; 10]) -> What {
    let exchange = u64::from(a % 6);
    let call = u32::from(a % 5);
    let presented = |kind: &str| {
        (b % 4 != 0).then(|| Presentation { token: token(c, kind), grant: (d % 3 != 0).then_some(u32::from(d % 3)), state: state(e) })
    };
    let refresh = || if f.is_multiple_of(3) { None } else { Some(format!("refresh#{}", f % 4)) };
    let strings = |die: u8| (0..die % 3).map(|n| format!("unit-{n}")).collect::<Vec<_>>();
    let text = |die: u8| {
        ["", "refresh failed: invalid_grant", "user must reconnect", "Verbindung weg", "GET / 200", "access revoked"][usize::from(die % 6)]
            .to_owned()
    };
    let canary = || Found {
        canary: ["access#1", "refresh#1", "secret#1", "code#1"][usize::from(b % 4)].into(),
        form: [CanaryForm::Raw, CanaryForm::Prefix][usize::from(c % 2)],
        place: [Place::Log(LogStream::Stdout), Place::Row("x".into()), Place::Url, Place::Residue("x".into())][usize::from(d % 4)].clone(),
    };
    let page = |die: u8| PageSeen {
        actions: None,
        fields: None,
        took: 0,
        connection: None,
        status: 200,
        text: text(die),
        says: [Says::Yes, Says::No][usize::from(die % 2)],
        leads_to_authorize: die.is_multiple_of(3),
    };
    let statuses = [None, Some(Status::Connected), Some(Status::Disconnected), Some(Status::Broken)];
    match kind % 38 {
        0 => What::PhaseBegan { phase: [Phase::Prologue, Phase::Story, Phase::Epilogue][usize::from(a % 3)] },
        1 | 2 => What::Settled { quiet: a % 3 != 0, window: 300_000 },
        3 => What::ProcessStarted { incarnation: u32::from(a), process: ["subject", "queue"][usize::from(b % 2)].into(), instance: None },
        4 => What::ProcessReady { incarnation: u32::from(a) },
        5 => What::ProcessStopping { incarnation: u32::from(a), kill: b % 2 == 0 },
        6 => What::ProcessExited { incarnation: u32::from(a), code: i32::from(b) - 20, expected: c % 2 == 0 },
        7..=9 => What::VerbCalled {
            connection: None,
            instance: None,
            call,
            verb: [Verb::Trigger, Verb::Trigger, Verb::Connect, Verb::Status, Verb::Disconnect][usize::from(b % 5)],
            source: (c % 2 == 0).then(|| ["trigger", "webhook"][usize::from(d % 2)].to_owned()),
            wanted: [None, Some(Wanted::Consent), Some(Wanted::Deny)][usize::from(e % 3)],
            item: (f % 3 == 0).then(|| format!("unit-{}", g % 3)),
        },
        10 | 11 => What::VerbAnswered {
            call,
            outcome: [Outcome::Accepted, Outcome::Refused, Outcome::NoAnswer, Outcome::HungUp][usize::from(b % 4)],
            status: (c % 2 == 0).then_some(i32::from(d)),
            detail: String::new(),
        },
        12 => What::CallbackDelivered { call, forged: b % 2 == 0, status: (c % 2 == 0).then_some(200), code: token(d, "code") },
        13 => What::StatusRead { connection: None, count: None, state: statuses[usize::from(a % 4)], raw: text(b) },
        14 => What::PromptRead(page(a)),
        15 => {
            What::SettingsRead { digest: (a % 3 != 0).then(|| format!("{}", b % 2)), parts: (0..c % 3).map(|n| format!("{n}")).collect() }
        }
        16 => What::StorageScanned {
            open_to_others: Vec::new(),
            files: Vec::new(),
            places: 1,
            found: (0..c % 3).map(|_| canary()).collect(),
            unread: strings(e),
        },
        17 | 18 => What::Log { stream: LogStream::Stderr, text: text(a) },
        19 => What::CanarySeen { found: canary(), seen: u32::from(e) },
        20 => What::Revoked { grants: vec![u32::from(a % 3)], cause: Cause::User },
        21 => What::AccessRejected { grants: Vec::new() },
        22 => What::SecretRotated { secret: "secret#2".into(), odd: false },
        23 => What::SecretHanded,
        24 => What::WorkAdded { units: strings(a) },
        25..=27 => What::Requested {
            exchange,
            conn: 1,
            began: u64::from(i) * 40_000,
            endpoint: [Endpoint::Token, Endpoint::Api, Endpoint::Authorize][usize::from(b % 3)],
            method: ["GET", "POST", "PUT", "DELETE"][usize::from(c % 4)].into(),
            path: ["/oauth/token", "/v3/export-jobs/1/items", "/v1/installations/me"][usize::from(d % 3)].into(),
            content_type: (e % 3 != 0).then(|| "application/x-www-form-urlencoded".to_owned()),
            units: strings(f),
            by_agent: g % 5 == 0,
            instance: None,
        },
        28 | 29 => What::Token {
            exchange,
            grant_type: [None, Some("refresh_token"), Some("refresh_token"), Some("authorization_code")][usize::from(g % 4)]
                .map(str::to_owned),
            auth: [AuthStyle::Basic, AuthStyle::Body, AuthStyle::Both, AuthStyle::None][usize::from(h % 4)],
            secret: None,
            presented: presented("refresh"),
            verifier: i % 2 == 0,
            result: match f % 3 {
                0 => TokenResult::Undecided,
                1 => TokenResult::Refused { error: "invalid_grant".into(), status: 400 },
                _ => TokenResult::Issued { grant: u32::from(d % 3), access: format!("access#{}", e % 4), refresh: refresh() },
            },
        },
        30 => What::Api {
            exchange,
            presented: presented("access"),
            carried: [Carried::Bearer, Carried::Nothing, Carried::Elsewhere, Carried::OtherScheme][usize::from(f % 4)],
            status: [200, 401, 403, 500][usize::from(g % 4)],
            handed_out: strings(h),
            delivered: strings(i),
        },
        31 => What::Authorize {
            exchange,
            response_type: (b % 4 != 0).then(|| "code".to_owned()),
            redirect_uri: ["a", "b"][usize::from(c % 2)].into(),
            scopes: strings(d),
            state: token(e, "state"),
            state_bits: u32::from(f),
            challenge: token(g, "challenge"),
            method: (h % 3 != 0).then(|| "S256".to_owned()),
            result: [
                Authorized::Page,
                Authorized::Code { code: "code#1".into(), grant: 1 },
                Authorized::Sent("access_denied".into()),
                Authorized::Shown("invalid_request".into()),
            ][usize::from(i % 4)]
            .clone(),
        },
        32 => What::Held { exchange, gate: "g".into() },
        33 => What::Released { exchange, dropped: b % 2 == 0 },
        34 => What::Faulted {
            rule: Some(1),
            exchange,
            fate: ["drop", "hang", "hold g", "status 503"][usize::from(b % 4)].into(),
            committed: c % 2 == 0,
        },
        35 => What::Replied {
            exchange,
            status: [200, 400, 401, 503][usize::from(b % 4)],
            reply: match c % 5 {
                0 => Reply::Tokens {
                    access: format!("access#{}", d % 4),
                    refresh: refresh(),
                    expires_in: (e % 2 == 0).then_some(u64::MAX - 1),
                },
                1 | 2 => Reply::Final {
                    error: ["invalid_grant", "invalid_token", "invalid_client"][usize::from(d % 3)].into(),
                    description: Some(text(e)),
                },
                3 => Reply::Transient,
                _ => Reply::Plain,
            },
        },
        36 => {
            if b % 3 == 0 {
                What::ReadUnknown { exchange }
            } else {
                What::Read { exchange }
            }
        }
        _ => What::Aborted { exchange, by_subject: b % 2 == 0 },
    }
}

fn any_terms(dice: [u8; 4]) -> Terms {
    let bit = |n: u32| dice[0] & (1 << n) != 0;
    Terms {
        status: bit(0),
        status_disconnected: bit(1),
        prompt: bit(2),
        prompt_says: bit(3),
        settings: bit(4),
        restartable: bit(5),
        one_shot: bit(6),
        restarts_on_exit: bit(7),
        work: [None, Some(WorkKind::Export), Some(WorkKind::Read), Some(WorkKind::Push)][usize::from(dice[1] % 4)],
        period: [None, Some(None), Some(Some(0)), Some(Some(u64::MAX)), Some(Some(1_000_000))][usize::from(dice[2] % 5)],
        refresh_attempts: u32::from(dice[3] % 4),
        confidential: [None, Some(true), Some(false)][usize::from(dice[1] / 4 % 3)],
        sources: vec!["trigger".into(), "webhook".into()],
        log_detected: (dice[3] > 200).then(|| "(".to_owned()),
        ..Terms::default()
    }
}

fn any_history() -> impl Strategy<Value = History> {
    proptest::collection::vec(any::<Dice>(), 0..120).prop_map(|dice| {
        let events = dice.into_iter().zip(1..).map(|((dice, at), n)| {
            // Mostly in order; sometimes out of it, at the same time, or under a number used before.
            let (n, at) = if dice[9] % 9 == 0 { (u32::from(dice[8]), u64::from(at) * 200) } else { (n, u64::from(n) * 90_000) };
            Event { n, at, what: any_what(dice) }
        });
        History { story: "anything".into(), events: events.collect() }
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_history_however_odd_breaks_a_check(history in any_history(), terms in any::<[u8; 4]>().prop_map(any_terms)) {
        for (id, finding) in verdicts(&history, &terms) {
            let known: BTreeSet<u32> = history.events.iter().map(|e| e.n).collect();
            let cited = finding.evidence.iter().filter(|n| !known.contains(n)).count();
            // A canary names the event it was found in, which may be made up here.
            prop_assert!(cited == 0 || id == "SECRET-01" || id == "SECRET-02", "{id} cites what is not there: {finding:?}");
            prop_assert!(finding.verdict != Verdict::Fail || !finding.evidence.is_empty(), "{id} accuses without evidence: {finding:?}");
            prop_assert!(!finding.reason.is_empty(), "{id} gives no reason");
        }
    }

    #[test]
    fn several_controls_less_never_accuse_and_never_acquit(which in 0usize..11, dice in proptest::collection::vec(any::<u16>(), 1..12)) {
        let mut stories = gallery::honest();
        let story = stories.swap_remove(which % stories.len());
        let controls: Vec<u32> = story.history.events.iter().filter(|e| is_control(&e.what)).map(|e| e.n).collect();
        let removed = dice.iter().map(|die| controls[usize::from(*die) % controls.len()]).collect();
        let wrong = without_controls_nobody_is_accused(&story, &removed, &judged(&story));
        prop_assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }
}
