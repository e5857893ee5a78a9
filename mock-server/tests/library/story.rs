//! Scenario files told while a test plays the subject.

use std::time::Duration;

use regrant_mock_server::{Call, Pleo, StoryError, fault::scenario::Scenario};

use crate::{
    integration::{Integration, Outcome},
    support::on_both_doors,
};

const REVOKED: &str = r#"
title = "Revoked"
about = "The user revokes access after the first work."
tests = ["STOP-01"]

[provider]
refused_with = { status = 401, error = "invalid_grant" }

[[rule]]
on = { endpoint = "token", times = 1 }
fate = { status = { code = 503 } }

[[step]]
do = [{ revoke = "grant" }]
"#;

#[tokio::test]
async fn a_story_is_told_through_both_doors() {
    let scenario = Scenario::parse(REVOKED).expect("a scenario");
    on_both_doors(
        |builder| builder,
        async |pleo: &Pleo| {
            let mut story = pleo.tell(&scenario).expect("it can");
            let integration = Integration::new(pleo, pleo.connect().expect("connected")).expect("an integration");
            assert!(!story.is_over(), "it waits for the client");
            assert_eq!(integration.work().await.expect("answered"), Outcome::Read(3));
            let over = tokio::time::timeout(Duration::from_secs(10), story.over()).await;
            assert_eq!(over, Ok(true));
            assert_eq!(integration.work().await.expect("answered"), Outcome::Later, "the first refresh meets an outage");
            assert_eq!(integration.work().await.expect("answered"), Outcome::Disconnected);
            let refused = pleo.calls().into_iter().find(Call::is_refused).and_then(|call| call.status);
            assert_eq!(refused, Some(401), "in the words of the story");
        },
    )
    .await;
}

#[tokio::test]
async fn a_story_beyond_wiremock_is_refused_before_anything_happens() {
    let text = REVOKED.replace("{ status = { code = 503 } }", "{ hold = \"gate-a\" }");
    let scenario = Scenario::parse(&text).expect("a scenario");
    let wiremock = wiremock::MockServer::start().await;
    let mock = regrant_mock_server::PleoServer::builder().mount(&wiremock).await.expect("it is mounted");
    let refused = mock.tell(&scenario).expect_err("refused");
    assert!(matches!(refused, StoryError::CannotDo(_)), "{refused}");
    assert_eq!(
        refused.to_string(),
        "wiremock cannot `hold gate-a` at `arrived`: it answers under a lock, and whoever waits there stops the whole server; \
         start a `PleoServer` for this test, which can"
    );
    assert!(mock.control().journal().iter().all(|entry| !matches!(entry.what, regrant_mock_server::journal::What::Controlled(_))));
    assert!(regrant_mock_server::PleoServer::builder().start().await.expect("it starts").tell(&scenario).is_ok());
}
