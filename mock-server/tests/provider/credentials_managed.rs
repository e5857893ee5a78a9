//! The timeline of a client's secrets and the API's clock, over the management port and in the words of a scenario.

use std::time::Duration;

use regrant_mock_server::{
    Skew,
    authority::SecretState,
    fault::{scenario::Scenario, script},
};
use serde_json::{Value, json};

use crate::{
    management::{ask, managed},
    support::*,
};

fn states(timeline: &Value) -> Vec<(String, String)> {
    let text = |secret: &Value, key: &str| secret[key].as_str().expect("text").to_owned();
    timeline.as_array().expect("a list").iter().map(|secret| (text(secret, "name"), text(secret, "state"))).collect()
}

fn state(name: &str, state: &str) -> (String, String) {
    (name.to_owned(), state.to_owned())
}

#[tokio::test]
async fn one_secret_is_added_retired_and_revoked_over_the_management_port() {
    let provider = managed().await;
    let (client, _) = provider.client();
    let at = |what: &str| format!("/v1/clients/{client}/{what}");
    let (status, added) = ask(&provider, "POST", &at("secrets"), json!({"after": "60s"})).await;
    assert_eq!((status, &added["name"]), (201, &json!("secret#2")));
    let (_, timeline) = ask(&provider, "GET", &at("secrets"), Value::Null).await;
    assert_eq!(states(&timeline), [state("secret#1", "active"), state("secret#2", "pending")]);
    ask(&provider, "POST", "/v1/clock", json!({"advance": "60s"})).await;
    let (_, timeline) = ask(&provider, "POST", &at("retire-secret"), json!({"secret": "secret#1", "after": "10s"})).await;
    assert_eq!(states(&timeline), [state("secret#1", "retiring"), state("secret#2", "active")]);
    assert!(timeline[0]["until"].is_string() && timeline[1]["until"].is_null(), "{timeline}");
    let (_, timeline) = ask(&provider, "POST", &at("revoke-secret"), json!({"secret": "secret#1"})).await;
    assert_eq!(states(&timeline)[0], state("secret#1", "revoked"));
    let (status, chosen) = ask(&provider, "POST", &at("secrets"), json!({"secret": "a +%:="})).await;
    assert_eq!((status, &chosen["client_secret"]), (201, &json!("a +%:=")));
}

#[tokio::test]
async fn what_cannot_be_done_to_a_secret_is_refused_with_a_remedy() {
    let provider = managed().await;
    let (client, _) = provider.client();
    let at = |what: &str| format!("/v1/clients/{client}/{what}");
    ask(&provider, "POST", &at("revoke-secret"), json!({"secret": "secret#1"})).await;
    for (path, body, status) in [
        (at("retire-secret"), json!({"secret": "secret#1"}), 409),
        (at("retire-secret"), json!({"secret": "secret#9"}), 404),
        (at("revoke-secret"), json!({}), 400),
        (at("secrets"), json!({"secret": "caf\u{e9}"}), 400),
        (at("secrets"), json!({"secret": ""}), 400),
        ("/v1/clients/nobody/secrets".to_owned(), json!({}), 404),
    ] {
        let (seen, refusal) = ask(&provider, "POST", &path, body.clone()).await;
        assert_eq!(seen, status, "{path} {body}: {refusal}");
        assert!(refusal["remedy"].as_str().is_some_and(|remedy| !remedy.is_empty()), "{path} {body}");
    }
    assert_eq!(ask(&provider, "POST", &at("secrets"), json!({"secret": "twice"})).await.0, 201);
    assert_eq!(ask(&provider, "POST", &at("secrets"), json!({"secret": "twice"})).await.0, 409);
}

#[tokio::test]
async fn the_clock_of_the_api_is_set_apart() {
    let provider = managed().await;
    let pair = connect(&provider).await;
    let (status, apart) = ask(&provider, "PUT", "/v1/clock/api", json!({"ahead": "20m"})).await;
    assert_eq!((status, &apart["api_ahead_ms"]), (200, &json!(1_200_000)));
    assert!(apart["api_now"].as_str() > apart["now"].as_str(), "{apart}");
    assert_eq!(once(&provider, &get("/v2/employees", &pair.access)).await.status, 401, "it is expired there");
    assert_eq!(ask(&provider, "PUT", "/v1/clock/api", json!({"behind": "5s"})).await.1["api_ahead_ms"], -5000);
    assert_eq!(ask(&provider, "PUT", "/v1/clock/api", json!({})).await.1["api_ahead_ms"], 0);
    assert_eq!(once(&provider, &get("/v2/employees", &pair.access)).await.status, 200);
    assert_eq!(ask(&provider, "PUT", "/v1/clock/api", json!({"ahead": "5s", "behind": "5s"})).await.0, 400);
    assert_eq!(ask(&provider, "PUT", "/v1/clock/api", json!({"ahead": "40000d"})).await.0, 409);
}

#[tokio::test]
async fn what_a_secret_takes_along_is_a_matter_of_policy() {
    let provider = managed().await;
    let switches = json!({"provider": {"refresh_bound_to_secret": true, "rotation_ends_grants": true, "strict_basic": true}});
    let (_, policy) = ask(&provider, "PUT", "/v1/policy", switches).await;
    for switch in ["refresh_bound_to_secret", "rotation_ends_grants", "strict_basic"] {
        assert_eq!(policy[switch], true, "{switch}");
    }
    ask(&provider, "PUT", "/v1/policy", json!({"provider": {"strict_basic": false}})).await;
    connect(&provider).await;
    let (client, _) = provider.client();
    ask(&provider, "POST", &format!("/v1/clients/{client}/rotate-secret"), json!({"overlap": "60s"})).await;
    assert!(provider.control().grants()[0].ended.is_some());
    let (_, policy) = ask(&provider, "PUT", "/v1/policy", json!({"provider": {"rotation_ends_grants": false}})).await;
    assert_eq!((&policy["rotation_ends_grants"], &policy["strict_basic"]), (&json!(false), &json!(false)));
}

const STORY: &str = r#"
title = "Secrets come and go"
about = "One after the other."
prologue = false
tests = ["ROTATE-06"]

[provider]
refresh_bound_to_secret = true

[[step]]
do = [
    { add_secret = { after = "0s" } },
    { retire_secret = { after = "10s" } },
    { rotate_secret = { overlap = "10s", odd = true } },
    { revoke_secret = { secret = "secret#2" } },
    { skew_api = { behind = "30s" } },
]
"#;

#[tokio::test]
async fn a_scenario_tells_the_same() {
    let provider = provider().await;
    let control = provider.control();
    script::run(control, &Scenario::parse(STORY).expect("a scenario"), |_| {}).await;
    let secrets = control.secrets(None).expect("a confidential client");
    let states: Vec<SecretState> = secrets.iter().map(|secret| secret.state).collect();
    assert_eq!(states, [SecretState::Retiring, SecretState::Revoked, SecretState::Active]);
    let odd = control.canaries().into_iter().find(|canary| canary.name == "secret#3").expect("the odd one").value;
    assert!("-._~+/=%:".chars().all(|one| odd.contains(one)), "{odd}");
    assert!(odd.starts_with(|c: char| c.is_ascii_alphanumeric()) && odd.ends_with(|c: char| c.is_ascii_alphanumeric()), "{odd}");
    assert_eq!(control.clock().skew, Skew::Behind(Duration::from_secs(30)));
    let both = STORY.replace("behind = \"30s\"", "behind = \"30s\", ahead = \"1s\"");
    assert!(Scenario::parse(&both).is_err(), "ahead and behind");
}
