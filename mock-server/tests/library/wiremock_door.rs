//! The wiremock door: what it refuses, and how it gets on with other mocks.

use regrant_mock_server::{
    InstallError, PleoBuilder, PleoMock, PleoServer, ProviderConfig,
    fault::{Fate, Match, Point, Rule},
    journal::{Endpoint, What},
};
use wiremock::{
    Mock, MockServer, ResponseTemplate,
    matchers::{method, path},
};

use crate::support::{call, http, refresh};

fn always(at: Point, fate: Fate) -> Rule {
    Rule { on: Match::default(), at, fate, until: None }
}

#[tokio::test]
async fn settings_that_are_the_mock_server_s_own_are_refused() {
    let wiremock = MockServer::start().await;
    let refused = async |change: fn(PleoBuilder) -> PleoBuilder| {
        let error = change(PleoServer::builder()).mount(&wiremock).await.expect_err("refused");
        assert!(error.to_string().contains("PleoServer"), "{error}");
        error.setting
    };
    assert_eq!(refused(PleoBuilder::tls).await, "tls");
    assert_eq!(refused(PleoBuilder::management).await, "management");
    assert_eq!(refused(|builder| builder.journal_file("journal.jsonl")).await, "journal_file");
    assert_eq!(refused(|builder| builder.listen(([127, 0, 0, 1], 8080).into())).await, "listen");
    assert_eq!(refused(|builder| builder.reachable_as("host.docker.internal")).await, "reachable_as");
    assert_eq!(refused(|builder| builder.policy(|policy| policy.refused_with.status = 7)).await, "policy");
    assert_eq!(http().get(wiremock.uri()).send().await.expect("an answer").status(), 404, "nothing was mounted");
}

#[tokio::test]
async fn rules_beyond_it_are_refused_when_they_are_installed() {
    let wiremock = MockServer::start().await;
    let mock = PleoMock::mount(&wiremock, ProviderConfig::local(1)).await.expect("it is mounted");
    for (at, fate) in [
        (Point::Arrived, Fate::Hold("g".into())),
        (Point::Committed, Fate::Hang),
        (Point::Decided, Fate::Reset),
        (Point::Replying, Fate::Drop),
        (Point::Arrived, Fate::Delay(std::time::Duration::from_millis(1))),
    ] {
        match mock.install(always(at, fate.clone())) {
            Err(InstallError::CannotDo(error)) => assert_eq!((error.at, error.fate), (at, fate.word())),
            other => panic!("{other:?}"),
        }
    }
    assert!(mock.hold_next_refresh().is_err() && mock.hold_next_refresh_reply().is_err());
    assert!(!mock.control().journal().iter().any(|entry| matches!(entry.what, What::Controlled(_))), "nothing was installed");
    let control = mock.control().clone();
    let panic = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| control.install(always(Point::Arrived, Fate::Hang))))
        .expect_err("it says so loudly");
    assert!(panic.downcast_ref::<String>().is_some_and(|text| text.contains("cannot `hang`")));
}

#[tokio::test]
async fn other_mocks_keep_their_paths_and_what_nobody_knows_is_in_the_journal() {
    let wiremock = MockServer::start().await;
    let mock = PleoServer::builder().mount(&wiremock).await.expect("it is mounted");
    let other = Mock::given(method("GET")).and(path("/somebody/else")).respond_with(ResponseTemplate::new(204));
    other.expect(1).mount(&wiremock).await;
    let status = async |path: &str| http().get(format!("{}{path}", wiremock.uri())).send().await.expect("an answer").status().as_u16();
    assert_eq!(status("/somebody/else").await, 204);
    assert_eq!(status("/nobody").await, 404);
    assert_eq!(status("/v2/employees").await, 401);
    let seen: Vec<_> = mock.calls().into_iter().map(|call| (call.endpoint, call.path)).collect();
    assert_eq!(seen, [(Endpoint::Unknown, "/nobody".to_owned()), (Endpoint::Api, "/v2/employees".to_owned())]);
}

#[tokio::test]
async fn a_more_urgent_mock_comes_first() {
    let wiremock = MockServer::start().await;
    let mock = PleoServer::builder().mount(&wiremock).await.expect("it is mounted");
    let token = mock.connect().expect("connected").access_token;
    let own = Mock::given(path("/v2/employees")).respond_with(ResponseTemplate::new(418)).up_to_n_times(1).with_priority(1);
    own.mount(&wiremock).await;
    assert_eq!(call(&mock, "/v2/employees", &token).await, 418);
    assert_eq!(call(&mock, "/v2/employees", &token).await, 200);
}

#[tokio::test]
async fn a_lost_reply_leaves_no_reply_to_the_next_request() {
    let wiremock = MockServer::start().await;
    let mock = PleoServer::builder().mount(&wiremock).await.expect("it is mounted");
    let connected = mock.connect().expect("connected");
    mock.install(always(Point::Committed, Fate::Drop)).expect("installed");
    assert_eq!(refresh(&mock, &connected.refresh_token).await, None);
    let unknown = http().get(format!("{}/nobody", wiremock.uri())).send().await;
    assert!(unknown.is_err(), "the rule is for every request, also for one of nobody");
    assert_eq!(mock.calls().iter().map(|call| call.status).collect::<Vec<_>>(), [None, None]);
}

#[tokio::test]
async fn a_body_beyond_the_limit_is_refused_as_on_the_other_door() {
    let wiremock = MockServer::start().await;
    let mock = PleoServer::builder().mount(&wiremock).await.expect("it is mounted");
    let server = PleoServer::builder().start().await.expect("it starts");
    let big = vec![b'x'; 1024 * 1024 + 1];
    for url in [mock.token_url(), server.token_url()] {
        assert_eq!(http().post(url).body(big.clone()).send().await.expect("an answer").status(), 413);
    }
    assert_eq!((mock.calls(), server.calls()), (Vec::new(), Vec::new()));
}

#[tokio::test]
async fn a_status_that_cannot_be_written_is_said_and_not_panicked_over() {
    let wiremock = MockServer::start().await;
    let mock = PleoServer::builder().mount(&wiremock).await.expect("it is mounted");
    mock.control().policy(|policy| policy.refused_with.status = 42);
    let (status, body) = refresh(&mock, "made up").await.expect("an answer");
    assert_eq!(status, 501);
    assert!(body["message"].as_str().is_some_and(|message| message.contains("status 42")), "{body}");
}

#[tokio::test]
async fn a_tenant_is_bound_by_the_same_door() {
    let wiremock = MockServer::start().await;
    let mock = PleoServer::builder().mount(&wiremock).await.expect("it is mounted");
    assert!(mock.tenant("one").expect("a tenant").hold_next_refresh().is_err());
    let own = Mock::given(path("/t/two/pages")).respond_with(ResponseTemplate::new(204));
    own.mount(&wiremock).await;
    let own = http().get(format!("{}/t/two/pages", wiremock.uri())).send().await.expect("an answer");
    assert_eq!(own.status(), 204, "a path of nobody's is left to others, below a tenant's too");
}
