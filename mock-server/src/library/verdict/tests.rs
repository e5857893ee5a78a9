//! Verdicts on requests written by hand.

use std::time::Duration;

use bytes::Bytes;
use regrant_authority::{Cause, TokenState};

use super::*;
use crate::journal::{Arrived, AuthStyle, Decision, Presented, Replied, TokenOutcome, What};

fn ms(millis: u64) -> At {
    Duration::from_millis(millis)
}

fn arrived(endpoint: Endpoint, began: u64, body: &'static str, presented: Presented) -> Call {
    Call::arrived(&Arrived {
        exchange: began,
        conn: 1,
        began: ms(began),
        endpoint,
        method: "POST".into(),
        host: String::new(),
        path: "/".into(),
        query: None,
        headers: Vec::new().into(),
        body: Bytes::from_static(body.as_bytes()),
        presented: Some(presented),
    })
}

fn token(name: &str, grant: u32, state: TokenState) -> Presented {
    Presented { name: Some(name.into()), grant: Some(GrantId(grant)), state }
}

fn replied(call: &mut Call, at: u64, status: u16, body: &'static str) {
    let reply = Replied { exchange: call.exchange, status, headers: Vec::new(), body: Bytes::from_static(body.as_bytes()) };
    call.learn(ms(at), &What::Replied(reply.into()));
}

/// A refresh that begins at some moment and is decided and answered a millisecond later.
fn refresh(began: u64, grant: u32, state: TokenState) -> Call {
    let presented = token("refresh#1", grant, state);
    let mut call = arrived(Endpoint::Token, began, "grant_type=refresh_token", presented.clone());
    let outcome = match state {
        TokenState::Active => TokenOutcome::Issued { grant: GrantId(grant), access: "access#2".into(), refresh: None },
        _ => TokenOutcome::Refused { error: "invalid_token".into(), status: 401 },
    };
    let decision =
        Decision::Token { grant_type: Some("refresh_token".into()), auth: AuthStyle::Basic, presented: Some(presented), outcome };
    call.learn(ms(began), &What::Decided { exchange: call.exchange, decision });
    replied(&mut call, began + 1, if state == TokenState::Active { 200 } else { 401 }, "{}");
    call
}

fn api(began: u64, grant: u32) -> Call {
    arrived(Endpoint::Api, began, "", token("access#1", grant, TokenState::Active))
}

fn rests_on(expected: Expected, calls: &[Call]) -> Option<Vec<usize>> {
    fault(expected, calls).map(|fault| fault.rests_on)
}

#[test]
fn refreshes_are_counted_whatever_came_of_them() {
    let calls = [refresh(1, 1, TokenState::Active), api(3, 1), refresh(5, 1, TokenState::Revoked(Cause::User))];
    assert_eq!(rests_on(Expected::Refreshes(2.into()), &calls), None);
    assert_eq!(rests_on(Expected::Refreshes(1.into()), &calls), Some(vec![0, 2]));
    let told = fault(Expected::Refreshes(1.into()), &calls).map(|fault| fault.sentence);
    assert_eq!(told.as_deref(), Some("refresh requests: expected exactly 1, seen 2"));
    assert_eq!(rests_on(Expected::Calls(Endpoint::Api, (..).into()), &calls), None);
    assert_eq!(rests_on(Expected::Calls(Endpoint::Api, 0.into()), &calls), Some(vec![1]));
}

#[test]
fn only_what_was_replaced_is_a_replay() {
    let dead = [TokenState::Expired, TokenState::Revoked(Cause::User), TokenState::Unknown].map(|state| refresh(1, 1, state));
    assert_eq!(rests_on(Expected::NoReplay, &dead), None);
    let replayed = [refresh(1, 1, TokenState::Active), refresh(3, 1, TokenState::Superseded), refresh(5, 1, TokenState::FamilyEnded)];
    assert_eq!(rests_on(Expected::NoReplay, &replayed), Some(vec![1, 2]));
    let access = arrived(Endpoint::Api, 7, "", token("access#1", 1, TokenState::Superseded));
    assert_eq!(rests_on(Expected::NoReplay, &[access]), None, "an old access token is stale, not replayed");
}

#[test]
fn a_call_after_the_refusal_is_held_against_its_own_grant() {
    let refused = || refresh(10, 1, TokenState::Revoked(Cause::User));
    let expected = Expected::NoCallsAfterRefusal;
    assert_eq!(rests_on(expected, &[api(1, 1), refused()]), None, "it knew nothing yet");
    assert_eq!(rests_on(expected, &[refused(), api(11, 1)]), None, "it was under way when the reply was written");
    assert_eq!(rests_on(expected, &[refused(), api(12, 1)]), Some(vec![1]));
    assert_eq!(rests_on(expected, &[refused(), api(12, 2)]), None, "another connection goes on");
    assert_eq!(rests_on(expected, &[refresh(10, 1, TokenState::Active), api(12, 1)]), None);
}

#[test]
fn a_refusal_counts_from_when_it_was_read() {
    let mut refused = refresh(10, 1, TokenState::Expired);
    refused.learn(ms(20), &What::Read { exchange: refused.exchange });
    assert_eq!(rests_on(Expected::NoCallsAfterRefusal, &[refused.clone(), api(15, 1)]), None);
    assert_eq!(rests_on(Expected::NoCallsAfterRefusal, &[refused, api(21, 1)]), Some(vec![1]));
}

#[test]
fn a_refusal_that_never_went_out_is_none() {
    let mut lost = refresh(10, 1, TokenState::Revoked(Cause::User));
    (lost.status, lost.answered) = (None, None);
    assert_eq!(rests_on(Expected::NoCallsAfterRefusal, &[lost, api(12, 1)]), None);
}

#[test]
fn what_a_rule_answered_with_invalid_grant_is_a_refusal_too() {
    let mut call = arrived(Endpoint::Token, 10, "grant_type=refresh_token", token("refresh#1", 1, TokenState::Active));
    replied(&mut call, 11, 400, "{\"error\":\"invalid_grant\"}");
    let again = refresh(20, 1, TokenState::Active);
    assert_eq!(rests_on(Expected::NoRefreshAfterRefusal, &[call.clone(), again]), Some(vec![1]));
    assert_eq!(rests_on(Expected::NoCallsAfterRefusal, &[call, api(20, 1)]), Some(vec![1]));
}

#[test]
fn an_outage_is_no_refusal() {
    let mut call = arrived(Endpoint::Token, 10, "grant_type=refresh_token", token("refresh#1", 1, TokenState::Active));
    replied(&mut call, 11, 503, "");
    assert_eq!(rests_on(Expected::NoRefreshAfterRefusal, &[call, refresh(20, 1, TokenState::Active)]), None);
}
