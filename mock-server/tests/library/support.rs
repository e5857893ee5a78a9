//! Both doors, and a client whose every request is ours.

use regrant_mock_server::{Pleo, PleoBuilder, PleoServer};
use wiremock::MockServer;

/// Runs a test body against a server of its own, and then on a wiremock server.
pub(crate) async fn on_both_doors(settings: impl Fn(PleoBuilder) -> PleoBuilder, body: impl AsyncFn(&Pleo)) {
    let server = settings(PleoServer::builder()).start().await.expect("it starts");
    body(&server).await;
    let wiremock = MockServer::start().await;
    let mock = settings(PleoServer::builder()).mount(&wiremock).await.expect("it is mounted");
    body(&mock).await;
}

pub(crate) fn http() -> reqwest::Client {
    // Another test may have installed it already.
    let _installed = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().expect("a client")
}

/// Status and body of a refresh; none if there was no answer.
pub(crate) async fn refresh(pleo: &Pleo, token: &str) -> Option<(u16, serde_json::Value)> {
    let fields = [("grant_type", "refresh_token"), ("refresh_token", token)];
    let request = http().post(pleo.token_url()).basic_auth(pleo.client_id(), pleo.client_secret()).form(&fields);
    let answer = request.send().await.ok()?;
    let status = answer.status().as_u16();
    Some((status, answer.json().await.unwrap_or_default()))
}

/// Status of a call of the API.
pub(crate) async fn call(pleo: &Pleo, path: &str, token: &str) -> u16 {
    let request = http().get(format!("{}{path}", pleo.api_url())).bearer_auth(token);
    request.send().await.expect("an answer").status().as_u16()
}
