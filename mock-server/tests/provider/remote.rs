//! Who may manage, and the page for people.

use regrant_mock_server::{Provider, ProviderConfig, StartError};
use serde_json::Value;

use crate::{
    management::{ask, http, managed, url},
    support::*,
};

async fn with_token() -> Provider {
    provider_with(|config| {
        config.management = Some(([127, 0, 0, 1], 0).into());
        config.management_token = Some("a long secret".into());
    })
    .await
}

#[tokio::test]
async fn without_the_token_nothing_is_told() {
    let provider = with_token().await;
    let status = async |token: &str| {
        let mut request = http().get(url(&provider, "/v1/grants"));
        if !token.is_empty() {
            request = request.header("authorization", token);
        }
        request.send().await.expect("an answer").status().as_u16()
    };
    assert_eq!(status("").await, 401);
    assert_eq!(status("Bearer a long secre").await, 401);
    assert_eq!(status("Bearer a long secret").await, 200);
    for path in ["/v1/openapi.json", "/v1/journal", "/v1/tenants", "/nothing"] {
        assert_eq!(ask(&provider, "GET", path, Value::Null).await.0, 401, "{path}");
    }
    assert_eq!(http().get(url(&provider, "/")).send().await.expect("an answer").status(), 200, "the page asks for it");
    assert_eq!(http().post(url(&provider, "/")).send().await.expect("an answer").status(), 401);
}

#[tokio::test]
async fn beyond_loopback_nobody_manages_without_a_token() {
    let open = ProviderConfig { management: Some(([0, 0, 0, 0], 0).into()), ..ProviderConfig::local(1) };
    assert!(matches!(Provider::start(open.clone()).await, Err(StartError::Unguarded(_))));
    let guarded = ProviderConfig { management_token: Some("x".into()), reachable_as: Some("mock.test".into()), ..open };
    let provider = Provider::start(guarded).await.expect("it starts");
    assert!(provider.urls().management.as_deref().is_some_and(|url| url.starts_with("http://mock.test:")));
}

#[tokio::test]
async fn a_page_elsewhere_can_change_nothing() {
    let provider = managed().await;
    for (name, value) in [("origin", "http://evil.test"), ("origin", "null"), ("sec-fetch-site", "cross-site"), ("host", "rebound.test")] {
        let answer = http().post(url(&provider, "/v1/reset")).header(name, value).send().await.expect("an answer");
        assert_eq!(answer.status(), 403, "{name}: {value}");
        assert_eq!(answer.headers()["content-type"], "application/problem+json");
    }
    let last = provider.control().last_entry();
    let own = provider.urls().management.clone().expect("a port");
    assert_eq!(http().post(url(&provider, "/v1/reset")).header("origin", own).send().await.expect("an answer").status(), 200);
    assert_eq!(provider.control().last_entry(), last + 1, "only our own page was heard");
}

#[tokio::test]
async fn the_page_for_people_may_run_its_own_script_and_nothing_else() {
    let provider = managed().await;
    let answer = http().get(url(&provider, "/")).send().await.expect("an answer");
    assert_eq!(answer.headers()["content-type"], "text/html; charset=utf-8");
    let policy = answer.headers()["content-security-policy"].to_str().expect("text").to_owned();
    let page = answer.text().await.expect("text");
    assert!(policy.starts_with("default-src 'none'; script-src 'sha256-"), "{policy}");
    assert!(!policy.contains("unsafe") && !policy.contains('*') && policy.contains("connect-src 'self'"), "{policy}");
    for paths in ["/grants", "/gates", "/clock", "/ready", "/reset", "/work"] {
        assert!(page.contains(&format!("\"{paths}\"")), "{paths}");
        assert_ne!(ask(&provider, "GET", &format!("/v1{paths}"), Value::Null).await.0, 404, "{paths}");
    }
    assert!(page.contains("lang=\"en\"") && page.contains("aria-live"));
}
