//! Tenants, resets, stories and lineages over HTTP.

use regrant_mock_server::{Provider, fault::Fate, fault::Point};
use serde_json::{Value, json};
use tokio::net::TcpStream;

use crate::{
    management::{ask, http, managed, url},
    support::*,
};

#[tokio::test]
async fn a_tenant_is_made_used_on_a_port_of_its_own_and_ended() {
    let provider = managed().await;
    let (status, made) = ask(&provider, "POST", "/v1/tenants", json!({"name": "one", "listen": "127.0.0.1:0"})).await;
    assert_eq!((status, &made["name"], &made["grants"]), (201, &json!("one"), &json!(0)));
    assert_eq!(made["below"]["token_url"], format!("{}/t/one/oauth/token", provider.urls().api));
    assert_eq!(ask(&provider, "POST", "/v1/tenants", json!({"name": "one"})).await.0, 200, "it is there already");

    let api = made["ports"][0]["api_url"].as_str().expect("a port").to_owned();
    let address = api.strip_prefix("http://").expect("http").to_owned();
    let through = async |text: &str| Raw { tcp: TcpStream::connect(&address).await.expect("connected") }.ask(text).await;
    let code = redirected(&through(&authorize(&provider, "")).await, "code").expect("a code");
    let there = tokens(&through(&exchange(&provider, &code)).await);
    assert_eq!(through(&get("/v2/employees", &there.access)).await.status, 200);
    let below = get("/t/one/v2/employees", &there.access);
    assert_eq!(once(&provider, &below).await.status, 200, "both ways lead to the same tenant");
    assert_eq!(once(&provider, &get("/v2/employees", &there.access)).await.status, 401);
    assert_eq!(through(&below).await.status, 404, "a tenant has no tenants");

    let (_, grants) = ask(&provider, "GET", "/v1/tenants/one/grants", Value::Null).await;
    assert_eq!((grants.as_array().map(Vec::len), &grants[0]["live"]), (Some(1), &json!(true)));
    assert_eq!(ask(&provider, "GET", "/v1/grants", Value::Null).await.1, json!([]));
    assert_eq!(ask(&provider, "GET", "/v1/tenants/default/grants", Value::Null).await.1, json!([]));
    assert_eq!(ask(&provider, "POST", "/v1/tenants/one/grants/1/revoke", Value::Null).await.0, 200);
    assert_eq!(through(&get("/v2/employees", &there.access)).await.status, 401);

    assert_eq!(ask(&provider, "DELETE", "/v1/tenants/one", Value::Null).await, (200, json!({"deleted": "one"})));
    assert!(TcpStream::connect(&address).await.is_err() || try_ask(&address).await.is_none(), "its port is closed");
    for (method, path) in [("GET", "/v1/tenants/one"), ("GET", "/v1/tenants/one/grants"), ("DELETE", "/v1/tenants/one")] {
        let (status, refusal) = ask(&provider, method, path, Value::Null).await;
        assert_eq!(status, 404, "{path}");
        assert!(refusal["remedy"].as_str().is_some_and(|remedy| remedy.contains("POST /v1/tenants")), "{refusal}");
    }
    assert_eq!(ask(&provider, "DELETE", "/v1/tenants/default", Value::Null).await.0, 409);
    for (body, status) in [
        (json!({"name": "No Name"}), 400),
        (json!({"name": "two", "listen": "nowhere"}), 400),
        (json!({"name": "two", "listen": "0.0.0.0:0"}), 400),
        (json!({"name": "two", "listen": provider.urls().api.trim_start_matches("http://")}), 409),
    ] {
        assert_eq!(ask(&provider, "POST", "/v1/tenants", body.clone()).await.0, status, "{body}");
    }
}

/// The listener may still be there for a moment after its task was told to end; then nobody answers.
async fn try_ask(address: &str) -> Option<Answer> {
    let mut raw = Raw { tcp: TcpStream::connect(address).await.ok()? };
    raw.send("GET /v2/employees HTTP/1.1\r\nHost: x\r\n\r\n").await;
    raw.try_receive().await
}

#[tokio::test]
async fn a_reset_lets_go_of_what_is_held_and_of_the_story() {
    let provider = managed().await;
    let tokens = connect(&provider).await;
    provider.control().install(first_refresh(Point::Committed, Fate::Hold("gate-a".into())));
    let mut raw = Raw::open(&provider).await;
    raw.send(&refresh(&provider, &tokens.refresh)).await;
    provider.control().until_held("gate-a", 1).await;
    let (status, reset) = ask(&provider, "POST", "/v1/reset", Value::Null).await;
    assert_eq!(status, 200);
    assert!(raw.try_receive().await.is_none(), "its connection was dropped");
    for path in ["/v1/grants", "/v1/rules", "/v1/gates"] {
        assert_eq!(ask(&provider, "GET", path, Value::Null).await.1, json!([]), "{path}");
    }
    let text = http().get(url(&provider, "/v1/journal")).send().await.expect("an answer").text().await.expect("text");
    assert!(text.starts_with(&format!("{{\"n\":{},", reset["journal"])), "{text}");
    assert_eq!(ask(&provider, "GET", "/v1/ready", Value::Null).await.1["client_id"], json!(provider.client().0));
}

const STORY: &str = r#"
title = "The secret changes in flight"
about = "x"
tests = ["RACE-08"]
prologue = false
[[rule]]
on = { endpoint = "token", grant = "refresh_token", nth = 1 }
at = "committed"
fate = { hold = "gate-a" }
[[step]]
do = [{ need_refresh = "access" }, { trigger = { times = 1 } }]
[[step]]
await = { held = "gate-a" }
do = [{ rotate_secret = {} }, { release = "gate-a" }]
"#;

async fn put(provider: &Provider, text: &str) -> (u16, Value) {
    let answer = http().put(url(provider, "/v1/scenario")).body(text.to_owned()).send().await.expect("an answer");
    (answer.status().as_u16(), answer.json().await.expect("JSON"))
}

#[tokio::test]
async fn a_story_is_loaded_told_and_ended_over_http() {
    let provider = managed().await;
    assert_eq!(ask(&provider, "GET", "/v1/scenario", Value::Null).await.0, 404);
    let (status, refusal) = put(&provider, "title = 1").await;
    assert_eq!(status, 400);
    assert!(refusal["detail"].as_str().is_some_and(|detail| detail.contains("line 1")), "{refusal}");

    let tokens = connect(&provider).await;
    let (status, begun) = put(&provider, STORY).await;
    assert_eq!((status, &begun["title"], &begun["state"]), (200, &json!("The secret changes in flight"), &json!("running")));
    let mut raw = Raw::open(&provider).await;
    // The story's rules are in force once its first step is told.
    until(provider.control(), |entry| {
        let done = &entry.what;
        matches!(done, regrant_mock_server::journal::What::Controlled(regrant_mock_server::control::Action::AccessRejected { .. }))
    })
    .await;
    raw.send(&refresh(&provider, &tokens.refresh)).await;
    assert_eq!(raw.receive().await.status, 200, "the story lets go of it");
    let ended = async {
        loop {
            let (_, now) = ask(&provider, "GET", "/v1/scenario", Value::Null).await;
            if now["state"] == "ended" {
                return now;
            }
            tokio::task::yield_now().await;
        }
    };
    let told = tokio::time::timeout(PATIENCE, ended).await.expect("it ends");
    let events: Vec<&str> = told["told"].as_array().expect("a list").iter().filter_map(|line| line["event"].as_str()).collect();
    assert_eq!(events, ["did", "left-to-you", "awaiting", "came-true", "new-secret", "did", "did", "end"]);
    assert_eq!(told["told"][2]["what"], json!({"await": {"held": "gate-a"}}));
    assert_eq!((&told["told"][6]["what"], &told["ahead"]), (&json!({"do": {"release": "gate-a"}}), &json!([])));
    assert_eq!(ask(&provider, "DELETE", "/v1/scenario", Value::Null).await.0, 200);
    assert_eq!(ask(&provider, "GET", "/v1/rules", Value::Null).await.1, json!([]), "its rules went with it");
    assert_eq!(ask(&provider, "DELETE", "/v1/scenario", Value::Null).await.0, 404);
}

#[tokio::test]
async fn a_lineage_is_read_and_held_against_what_a_test_expects() {
    let provider = managed().await;
    let first = connect(&provider).await;
    let second = tokens(&once(&provider, &refresh(&provider, &first.refresh)).await);
    tokens(&once(&provider, &refresh(&provider, &second.refresh)).await);
    let assert = async |expected: Value| ask(&provider, "POST", "/v1/grants/newest/lineage/assert", expected).await;
    let (_, lineage) = ask(&provider, "GET", "/v1/grants/1/lineage", Value::Null).await;
    assert_eq!(lineage["nodes"].as_array().map(Vec::len), Some(3));
    assert_eq!(assert(json!({"winners": 1, "losers": 0, "generation": 2, "ended": null, "complete": true})).await.0, 200);
    assert_eq!(assert(Value::Null).await.0, 200, "nothing is expected");

    once(&provider, &refresh(&provider, &first.refresh)).await;
    let (status, differs) = assert(json!({"winners": 2, "losers": 0, "ended": null, "generation": 2})).await;
    assert_eq!(status, 409);
    assert_eq!(
        differs["differs"],
        json!([
            {"what": "winners", "expected": 2, "found": 1},
            {"what": "losers", "expected": 0, "found": 1},
            {"what": "ended", "expected": null, "found": "reuse"},
        ])
    );
    assert_eq!(differs["detail"], "winners is 1, not 2; losers is 1, not 0; ended is \"reuse\", not null");
    assert_eq!(assert(json!({"ended": "reuse"})).await.0, 200);
    assert_eq!(assert(json!({"ended": "soon"})).await.0, 400);
    connect(&provider).await;
    provider.control().revoke(regrant_mock_server::control::Target::Newest, regrant_mock_server::authority::Cause::Policy);
    for (ended, status) in [(json!("revoked"), 200), (json!({"revoked": "policy"}), 200), (json!({"revoked": "user"}), 409)] {
        assert_eq!(assert(json!({"ended": ended})).await.0, status, "{ended}");
    }
    assert_eq!(ask(&provider, "GET", "/v1/grants/7/lineage", Value::Null).await.0, 404);
    assert_eq!(ask(&provider, "GET", "/v1/grants/all/lineage", Value::Null).await.0, 400);
}
