//! The management port.

use regrant_mock_server::{Provider, fault::scenario::Scenario, fault::script, fault::script::Told};
use serde_json::{Value, json};

use crate::support::*;

pub(crate) async fn managed() -> Provider {
    provider_with(|config| config.management = Some(([127, 0, 0, 1], 0).into())).await
}

pub(crate) fn url(provider: &Provider, path: &str) -> String {
    format!("{}{path}", provider.urls().management.as_deref().expect("a management port"))
}

/// A client; it wants to know whose cryptography it could use.
pub(crate) fn http() -> reqwest::Client {
    let _installed = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::new()
}

pub(crate) async fn ask(provider: &Provider, method: &str, path: &str, body: Value) -> (u16, Value) {
    let method = method.parse().expect("a method");
    let mut request = http().request(method, url(provider, path));
    if !body.is_null() {
        request = request.json(&body);
    }
    let answer = request.send().await.expect("an answer");
    (answer.status().as_u16(), answer.json().await.expect("JSON"))
}

#[tokio::test]
async fn grants_are_revoked_expired_and_rejected() {
    let provider = managed().await;
    let tokens = connect(&provider).await;
    let (_, grants) = ask(&provider, "GET", "/v1/grants", Value::Null).await;
    assert_eq!((&grants[0]["id"], &grants[0]["live"]), (&json!(1), &json!(true)));
    assert_eq!(ask(&provider, "POST", "/v1/grants/newest/reject", Value::Null).await, (200, json!({"grants": [1]})));
    assert_eq!(once(&provider, &get("/v2/employees", &tokens.access)).await.status, 401);
    let next = crate::support::tokens(&once(&provider, &refresh(&provider, &tokens.refresh)).await);
    assert_eq!(ask(&provider, "POST", "/v1/grants/1/expire", json!({"token": "access"})).await.0, 200);
    assert_eq!(once(&provider, &get("/v2/employees", &next.access)).await.status, 401);
    let (_, shown) = ask(&provider, "GET", "/v1/tokens?values=1", Value::Null).await;
    let second = shown.as_array().expect("a list").iter().find(|token| token["name"] == "access#2").expect("it was minted");
    assert_eq!((&second["state"], &second["value"]), (&json!("expired"), &json!(next.access)));
    assert_eq!(ask(&provider, "POST", "/v1/grants/1/revoke", json!({"cause": "policy"})).await.0, 200);
    assert_eq!(once(&provider, &refresh(&provider, &next.refresh)).await.json()["error"], "invalid_grant");
    let (status, refusal) = ask(&provider, "POST", "/v1/grants/1/revoke", Value::Null).await;
    assert_eq!(status, 404);
    assert_eq!(refusal["remedy"], "connect the integration first");
}

#[tokio::test]
async fn rules_gates_clock_work_and_consent_are_at_hand() {
    let provider = managed().await;
    let tokens = connect(&provider).await;
    let rule = json!({"on": {"endpoint": "token", "grant": "refresh_token"}, "at": "committed", "fate": {"hold": "gate-a"}});
    let (_, installed) = ask(&provider, "POST", "/v1/rules", rule).await;
    let mut raw = Raw::open(&provider).await;
    raw.send(&refresh(&provider, &tokens.refresh)).await;
    provider.control().until_held("gate-a", 1).await;
    let (_, gates) = ask(&provider, "GET", "/v1/gates", Value::Null).await;
    assert_eq!((&gates[0]["name"], &gates[0]["held"][0]["at"]), (&json!("gate-a"), &json!("committed")));
    assert_eq!(ask(&provider, "POST", "/v1/gates/gate-a/release", Value::Null).await.1, json!({"released": 1}));
    assert_eq!(raw.receive().await.status, 200);
    let (_, rules) = ask(&provider, "GET", "/v1/rules", Value::Null).await;
    assert_eq!((&rules[0]["seen"], &rules[0]["rule"]["fate"]["hold"]), (&json!(1), &json!("gate-a")));
    assert_eq!(ask(&provider, "DELETE", &format!("/v1/rules/{}", installed["id"]), Value::Null).await.0, 200);
    assert_eq!(ask(&provider, "POST", "/v1/gates/gate-b/drop", Value::Null).await.1["remedy"], "gates: gate-a");

    let now = |answer: Value| answer["now"].as_str().expect("a time").to_owned();
    let before = now(ask(&provider, "GET", "/v1/clock", Value::Null).await.1);
    let after = now(ask(&provider, "POST", "/v1/clock", json!({"advance": "60d"})).await.1);
    assert!(after > before, "{before} {after}");
    let (_, work) = ask(&provider, "POST", "/v1/work", json!({"kind": "export", "count": 2})).await;
    assert_eq!(work["units"].as_array().map(Vec::len), Some(2));
    assert_eq!(ask(&provider, "PUT", "/v1/consent", json!({"mode": "deny"})).await.0, 200);
    assert_eq!(redirected(&once(&provider, &authorize(&provider, "")).await, "error").as_deref(), Some("access_denied"));
    assert_eq!(
        ask(&provider, "PUT", "/v1/policy", json!({"provider": {"access_token_lifetime": "7s"}, "token_shape": "odd"})).await.0,
        200
    );
    ask(&provider, "PUT", "/v1/consent", json!({"mode": "auto"})).await;
    let sent_back = once(&provider, &authorize(&provider, "")).await;
    let odd = once(&provider, &exchange(&provider, &redirected(&sent_back, "code").expect("a code"))).await;
    assert_eq!(odd.json()["expires_in"], 7);
    assert!(odd.json()["access_token"].as_str().expect("one").bytes().any(|b| !b.is_ascii_alphanumeric()));
    let client = provider.client().0;
    let (_, rotated) = ask(&provider, "POST", &format!("/v1/clients/{client}/rotate-secret"), json!({"overlap": "1s"})).await;
    assert_eq!(rotated["name"], "secret#2");
    assert!(
        ask(&provider, "POST", "/v1/clients/nobody/rotate-secret", Value::Null).await.1["remedy"]
            .as_str()
            .is_some_and(|r| r.contains(&client))
    );
}

#[tokio::test]
async fn the_journal_is_read_as_lines_and_shows_secrets_by_name() {
    let provider = managed().await;
    provider.control().token_shape(regrant_mock_server::TokenShape::Odd);
    let tokens = connect(&provider).await;
    once(&provider, &refresh(&provider, &tokens.refresh)).await;
    once(&provider, &get("/v2/employees", &tokens.access)).await;
    let text = http().get(url(&provider, "/v1/journal")).send().await.expect("an answer").text().await.expect("text");
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let numbers: Vec<u64> = lines.iter().filter_map(|line| line["n"].as_u64()).collect();
    assert_eq!(numbers, (1..=lines.len() as u64).collect::<Vec<_>>());
    for canary in provider.control().canaries() {
        assert!(!text.contains(&canary.value), "{} is in it: {}", canary.name, canary.value);
        assert!(text.contains(&canary.name), "{} is not", canary.name);
    }
}

#[tokio::test]
async fn the_journal_can_be_followed() {
    let provider = managed().await;
    let mut stream = http().get(url(&provider, "/v1/journal?follow=1")).send().await.expect("an answer");
    once(&provider, "GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n").await;
    let mut text = String::new();
    while !text.contains("\"event\":\"replied\"") {
        let chunk = tokio::time::timeout(PATIENCE, stream.chunk()).await.expect("in time").expect("no fault").expect("it goes on");
        text.push_str(&String::from_utf8_lossy(&chunk));
    }
    assert!(text.starts_with("{\"n\":1,"), "{text}");
    tokio::time::timeout(PATIENCE, provider.stop()).await.expect("a follower does not keep it alive");
}

#[tokio::test]
async fn strangers_and_web_pages_are_refused() {
    let provider = managed().await;
    let client = http();
    let ready = url(&provider, "/v1/ready");
    let status = async |name: &str, value: &str| client.get(&ready).header(name, value).send().await.expect("an answer").status().as_u16();
    assert_eq!(status("host", "rebound.evil.test").await, 403);
    assert_eq!(status("origin", "http://evil.test").await, 403);
    assert_eq!(status("accept", "*/*").await, 200);
    assert_eq!(ask(&provider, "GET", "/v1/ready", Value::Null).await.1["token_url"], json!(provider.urls().token));
}

#[tokio::test]
async fn refusals_say_what_would_help() {
    let provider = managed().await;
    for (method, path, body) in [
        ("GET", "/v1/nothing", Value::Null),
        ("DELETE", "/v1/clock", Value::Null),
        ("POST", "/v1/clock", json!({"advance": "soon"})),
        ("POST", "/v1/rules", json!({"on": {}, "fate": {"explode": 1}})),
        ("POST", "/v1/grants/first/revoke", Value::Null),
        ("POST", "/v1/work", json!({"kind": "export", "count": 1_000_000_000})),
        ("DELETE", "/v1/rules/7", Value::Null),
        ("PUT", "/v1/consent", json!({"company": 9})),
    ] {
        let (status, refusal) = ask(&provider, method, path, body).await;
        assert!((400..500).contains(&status), "{method} {path}: {status}");
        assert!(["title", "detail", "remedy"].iter().all(|name| refusal[name].as_str().is_some_and(|text| !text.is_empty())), "{refusal}");
    }
}

#[tokio::test]
async fn a_story_is_told_to_a_person() {
    let provider = provider().await;
    let control = provider.control().clone();
    let scenario = Scenario::parse(
        r#"
title = "Revoked in flight"
about = "x"
tests = ["RACE-08"]
[provider]
access_token_lifetime = "2m"
[[rule]]
on = { endpoint = "token", nth = 1 }
at = "committed"
fate = { hold = "gate-a" }
[[step]]
do = [{ need_refresh = "access" }, { trigger = { times = 1 } }]
[[step]]
await = { held = "gate-a" }
do = [{ revoke = "grant" }, { release = "gate-a" }, { reconnect = {} }, { add_work = 2 }, { rotate_secret = {} }]
"#,
    )
    .expect("a right story");
    let (sender, mut told) = tokio::sync::mpsc::unbounded_channel();
    let teller = tokio::spawn({
        let control = control.clone();
        async move {
            script::run(&control, &scenario, |event| {
                let word = match event {
                    Told::NewSecret(canary) => format!("new {}", canary.name),
                    other => {
                        format!("{other:?}").split(['(', ' ', '{']).filter(|word| !word.is_empty()).take(2).collect::<Vec<_>>().join(" ")
                    }
                };
                sender.send(word).expect("somebody listens");
            })
            .await;
        }
    });
    let mut next = async || tokio::time::timeout(PATIENCE, told.recv()).await.expect("in time").expect("it goes on");
    assert_eq!(next().await, "Prologue");
    let first = connect(&provider).await;
    assert_eq!(once(&provider, &get("/v2/employees", &first.access)).await.status, 200);
    assert_eq!([next().await, next().await, next().await], ["Did NeedRefresh", "Left Trigger", "Awaiting Await"]);
    assert_eq!(once(&provider, &get("/v2/employees", &first.access)).await.status, 401);
    let second = tokens(&once(&provider, &refresh(&provider, &first.refresh)).await);
    assert_eq!([next().await, next().await, next().await], ["CameTrue Await", "Did Revoke", "Did Release"]);
    assert_eq!([next().await, next().await], ["Left Reconnect", "AwaitingRequest"]);
    assert_eq!(once(&provider, &get("/v2/employees", &second.access)).await.status, 401, "it was revoked in flight");
    assert_eq!([next().await, next().await, next().await, next().await], ["Did AddWork", "new secret#2", "Did RotateSecret", "End"]);
    teller.await.expect("it ends");
}
