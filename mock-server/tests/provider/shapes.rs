//! Odd but legal token responses: what they say is true.

use regrant_mock_server::{
    TokenShape,
    authority::Kind,
    fault::{ExpiresIn, ExpiresWord, Fate, Match, Point, RefreshForm, Reshape, Rule, Scopes},
    journal::{Decision, Endpoint, TokenOutcome},
};
use serde_json::{Value, json};

use crate::support::*;

const EMPLOYEES: &str = "/v2/employees";

/// The answer to a refresh in this form, and the refresh token that was used.
async fn refreshed(at: Point, shape: Reshape) -> (regrant_mock_server::Provider, Tokens, Value) {
    let provider = provider().await;
    let first = connect(&provider).await;
    provider.control().install(first_refresh(at, Fate::Reshape(Box::new(shape))));
    let answer = once(&provider, &refresh(&provider, &first.refresh)).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let json = answer.json();
    (provider, first, json)
}

fn text(json: &Value, name: &str) -> String {
    json[name].as_str().unwrap_or_default().to_owned()
}

#[tokio::test]
async fn every_form_of_expires_in_comes_with_a_token_that_works() {
    for (form, wanted) in [
        (ExpiresIn::Word(ExpiresWord::String), Some(json!("900"))),
        (ExpiresIn::Word(ExpiresWord::Absent), None),
        (ExpiresIn::Word(ExpiresWord::Null), Some(Value::Null)),
        (ExpiresIn::Word(ExpiresWord::Zero), Some(json!(0))),
        (ExpiresIn::Word(ExpiresWord::Fractional), Some(json!(900.5))),
        (ExpiresIn::Word(ExpiresWord::Negative), Some(json!(-1))),
        (ExpiresIn::Word(ExpiresWord::Huge), Some(json!(9_999_999_999_u64))),
        (ExpiresIn::Seconds(7), Some(json!(7))),
    ] {
        let (provider, first, json) = refreshed(Point::Committed, Reshape { expires_in: Some(form), ..Reshape::default() }).await;
        assert_eq!(json.get("expires_in"), wanted.as_ref(), "{form:?}");
        assert_eq!(once(&provider, &get(EMPLOYEES, &text(&json, "access_token"))).await.status, 200, "{form:?}");
        assert_eq!(once(&provider, &get(EMPLOYEES, &first.access)).await.status, 401, "{form:?}: it was committed");
    }
}

#[tokio::test]
async fn a_lifetime_that_is_told_is_kept() {
    for (form, good_after) in [(ExpiresIn::Seconds(2), 1), (ExpiresIn::Word(ExpiresWord::Huge), 300 * 365 * 86_400)] {
        let (provider, _, json) = refreshed(Point::Arrived, Reshape { expires_in: Some(form), ..Reshape::default() }).await;
        let access = text(&json, "access_token");
        provider.control().advance(std::time::Duration::from_secs(good_after));
        assert_eq!(once(&provider, &get(EMPLOYEES, &access)).await.status, 200, "{form:?}");
        provider.control().advance(std::time::Duration::from_secs(json["expires_in"].as_u64().expect("a number")));
        assert_eq!(once(&provider, &get(EMPLOYEES, &access)).await.status, 401, "{form:?}");
    }
}

#[tokio::test]
async fn where_no_new_refresh_token_is_told_the_old_one_stays_good() {
    for (form, wanted) in [
        (RefreshForm::Absent, None),
        (RefreshForm::Null, Some(Value::Null)),
        (RefreshForm::Empty, Some(json!(""))),
        (RefreshForm::Same, Some(json!("the same"))),
    ] {
        let (provider, first, mut json) = refreshed(Point::Decided, Reshape { refresh_token: Some(form), ..Reshape::default() }).await;
        if form == RefreshForm::Same {
            assert_eq!(json["refresh_token"], first.refresh);
            json["refresh_token"] = "the same".into();
        }
        assert_eq!(json.get("refresh_token"), wanted.as_ref(), "{form:?}");
        assert_eq!(once(&provider, &get(EMPLOYEES, &text(&json, "access_token"))).await.status, 200);
        let Some(Decision::Token { outcome: TokenOutcome::Issued { refresh: named, .. }, .. }) =
            decision(provider.control(), last_exchange(provider.control()) - 1)
        else {
            panic!("{:?}", provider.control().journal())
        };
        assert_eq!(named.as_deref(), (form == RefreshForm::Same).then_some("refresh#1"), "the journal tells what was told");
        let next = tokens(&once(&provider, &refresh(&provider, &first.refresh)).await);
        assert!(!next.refresh.is_empty() && next.refresh != first.refresh, "the next refresh rotates again");
    }
}

#[tokio::test]
async fn a_code_exchange_may_bring_no_refresh_token() {
    let provider = provider().await;
    let shape = Reshape { refresh_token: Some(RefreshForm::Absent), ..Reshape::default() };
    let on = Match { endpoint: Some(Endpoint::Token), grant: Some("authorization_code".into()), ..Match::default() };
    provider.control().install(Rule { on, at: Point::Arrived, fate: Fate::Reshape(Box::new(shape)), until: None });
    let first = connect(&provider).await;
    assert_eq!(first.refresh, "");
    assert_eq!(once(&provider, &get(EMPLOYEES, &first.access)).await.status, 200);
}

#[tokio::test]
async fn type_scopes_and_further_members_are_as_told() {
    let provider = provider().await;
    let first = connect_for(&provider, "export-jobs:read employees:read").await;
    let extra = serde_json::Map::from_iter([("id_token".to_owned(), json!("x")), ("nested".to_owned(), json!({"a": [1]}))]);
    let shape = Reshape { token_type: Some("BEARER".into()), scopes: Some(Scopes::First(1)), extra, ..Reshape::default() };
    provider.control().install(first_refresh(Point::Arrived, Fate::Reshape(Box::new(shape))));
    let json = once(&provider, &refresh(&provider, &first.refresh)).await.json();
    assert_eq!((&json["token_type"], &json["scope"], &json["nested"]["a"][0]), (&json!("BEARER"), &json!("export-jobs:read"), &json!(1)));
    let next = once(&provider, &refresh(&provider, &text(&json, "refresh_token"))).await.json();
    assert_eq!((&next["token_type"], &next["scope"]), (&json!("Bearer"), &json!("export-jobs:read employees:read")));
}

#[tokio::test]
async fn tokens_of_one_answer_can_have_a_look_of_their_own() {
    for (look, long) in [(TokenShape::Odd, false), (TokenShape::Jwt, true), (TokenShape::Long, true)] {
        let (provider, _, json) = refreshed(Point::Arrived, Reshape { tokens: Some(look), ..Reshape::default() }).await;
        let access = text(&json, "access_token");
        assert_eq!(access.len() > 60, long, "{access}");
        assert_eq!(once(&provider, &get(EMPLOYEES, &access)).await.status, 200, "{access}");
        let next = tokens(&once(&provider, &refresh(&provider, &text(&json, "refresh_token"))).await);
        assert!(next.access.len() == 43 && next.access.bytes().all(|byte| byte.is_ascii_alphanumeric()), "the next ones look as ever");
        assert_eq!(provider.control().canaries().iter().filter(|canary| canary.kind == Kind::Access).count(), 3);
    }
}

#[tokio::test]
async fn a_refusal_has_no_form_to_change() {
    let provider = provider().await;
    let shape = Reshape { expires_in: Some(ExpiresIn::Word(ExpiresWord::String)), ..Reshape::default() };
    provider.control().install(first_refresh(Point::Committed, Fate::Reshape(Box::new(shape))));
    let refused = once(&provider, &refresh(&provider, "never issued")).await;
    assert_eq!((refused.status, &refused.json()["error"]), (400, &json!("invalid_grant")));
}
