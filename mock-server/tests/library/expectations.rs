//! What expectations hold against a client, and when they look.

use std::panic::{AssertUnwindSafe, catch_unwind};

use regrant_mock_server::{
    Pleo, PleoBuilder,
    fault::{Fate, Match, Point, Rule},
    journal::Endpoint,
};

use crate::support::{call, on_both_doors, refresh};

fn usual(builder: PleoBuilder) -> PleoBuilder {
    builder
}

/// What a panic said.
fn said(act: impl FnOnce()) -> Option<String> {
    let panic = catch_unwind(AssertUnwindSafe(act)).err()?;
    panic.downcast_ref::<String>().cloned().or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()))
}

#[tokio::test]
async fn an_expectation_that_is_not_met_panics_when_it_is_dropped() {
    on_both_doors(
        |builder| builder.seed(7),
        async |pleo: &Pleo| {
            let connected = pleo.connect().expect("connected");
            let (once, replay) = (pleo.expect_refreshes(1), pleo.expect_no_replay());
            refresh(pleo, &connected.refresh_token).await.expect("an answer");
            refresh(pleo, &connected.refresh_token).await.expect("an answer");
            let text = said(|| drop(once)).expect("it panics");
            assert_eq!(
                text,
                "refresh requests: expected exactly 1, seen 2 (seed 7)\n\
                 > #1 POST /oauth/token refresh_token with refresh#1 (active) -> 200\n\
                 > #2 POST /oauth/token refresh_token with refresh#1 (superseded) -> 400 invalid_grant\n"
            );
            let text = said(|| replay.verify()).expect("it panics");
            assert!(text.contains("\n  #1 ") && text.contains("\n> #2 "), "{text}");
            assert!(!text.contains(&connected.refresh_token), "secrets are named, not shown");
        },
    )
    .await;
}

#[tokio::test]
async fn only_what_comes_after_it_was_made_counts() {
    on_both_doors(usual, async |pleo: &Pleo| {
        let connected = pleo.connect().expect("connected");
        refresh(pleo, &connected.refresh_token).await.expect("an answer");
        let none = pleo.expect_refreshes(0);
        let calls = pleo.expect_calls(Endpoint::Api, 1..=1);
        assert!(calls.check().is_err_and(|unmet| unmet.to_string().contains("the client sent nothing")));
        call(pleo, "/v2/employees", &connected.access_token).await;
        none.verify();
        calls.verify();
    })
    .await;
}

#[tokio::test]
async fn a_client_that_does_not_take_no_for_an_answer_is_caught() {
    on_both_doors(usual, async |pleo: &Pleo| {
        let connected = pleo.connect().expect("connected");
        let (silence, no_retry) = (pleo.expect_no_calls_after_refusal(), pleo.expect_no_refresh_after_refusal());
        let other = pleo.connect().expect("connected");
        pleo.control().revoke(regrant_mock_server::control::Target::Grant(connected.grant), regrant_mock_server::authority::Cause::Policy);
        call(pleo, "/v2/employees", &connected.access_token).await;
        refresh(pleo, &connected.refresh_token).await.expect("an answer");
        call(pleo, "/v2/employees", &other.access_token).await;
        assert_eq!((silence.check(), no_retry.check()), (Ok(()), Ok(())), "so far it could not know better");
        call(pleo, "/v2/employees", &connected.access_token).await;
        refresh(pleo, &connected.refresh_token).await.expect("an answer");
        assert_eq!(silence.check().map_err(|unmet| unmet.rests_on), Err(vec![3]));
        assert_eq!(no_retry.check().map_err(|unmet| unmet.rests_on), Err(vec![4]));
        silence.dismiss();
        no_retry.dismiss();
    })
    .await;
}

#[tokio::test]
async fn an_expectation_is_silent_while_its_test_panics_already() {
    on_both_doors(usual, async |pleo: &Pleo| {
        let text = said(|| {
            let _never = pleo.expect_refreshes(5);
            panic!("the test's own reason");
        });
        assert_eq!(text.as_deref(), Some("the test's own reason"));
    })
    .await;
}

#[tokio::test]
async fn what_is_never_answered_keeps_nobody_waiting_for_ever() {
    let pleo = regrant_mock_server::PleoServer::builder().start().await.expect("it starts");
    let connected = pleo.connect().expect("connected");
    let rule = Rule { on: Match::default(), at: Point::Committed, fate: Fate::Hang, until: None };
    pleo.install(rule).expect("installed");
    let handle = (*pleo).clone();
    let client = tokio::spawn(async move { refresh(&handle, &connected.refresh_token).await });
    let calls = pleo.until(|calls| !calls.is_empty()).await.expect("it was sent");
    assert_eq!(calls.len(), 1);
    let seen: Vec<String> = pleo.calls().iter().map(ToString::to_string).collect();
    assert_eq!(seen, ["#1 POST /oauth/token refresh_token with refresh#1 (active) -> no answer"]);
    client.abort();
}
