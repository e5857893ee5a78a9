//! The server of its own: threads, gates, TLS, errors.

use std::{net::SocketAddr, time::Duration};

use regrant_mock_server::{Call, Connected, Expectation, Gate, NeverHeld, Pleo, PleoBuilder, PleoServer, ServerError, StartError, Story};
use tokio::net::TcpStream;

use crate::support::{call, refresh};

fn address(pleo: &Pleo) -> SocketAddr {
    pleo.api_url().split_once("//").expect("a URL").1.parse().expect("an address")
}

#[test]
fn everything_can_be_sent_to_another_thread() {
    fn is_send<T: Send + 'static>() {}
    is_send::<(PleoBuilder, PleoServer, Pleo, Gate, Expectation, Story, Connected, Call)>();
    #[cfg(feature = "wiremock")]
    is_send::<regrant_mock_server::PleoMock>();
}

#[test]
fn a_test_without_a_runtime_has_it_all() {
    let pleo = PleoServer::builder().start_blocking().expect("it starts");
    let connected = pleo.connect().expect("connected");
    let gate = pleo.hold_next_refresh().expect("it can");
    let handle = (*pleo).clone();
    let client = std::thread::spawn(move || {
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        runtime.block_on(refresh(&handle, &connected.refresh_token))
    });
    gate.reached_blocking().expect("it was sent");
    assert_eq!(gate.held(), 1);
    pleo.revoke();
    assert_eq!(gate.release(), 1);
    let (status, body) = client.join().expect("no panic").expect("an answer");
    assert_eq!((status, body["error"].as_str()), (400, Some("invalid_grant")), "it was revoked while it waited");
}

#[tokio::test]
async fn a_held_reply_was_committed_and_may_be_dropped() {
    let pleo = PleoServer::builder().start().await.expect("it starts");
    let connected = pleo.connect().expect("connected");
    let gate = pleo.hold_next_refresh_reply().expect("it can");
    let handle = (*pleo).clone();
    let token = connected.refresh_token.clone();
    let client = tokio::spawn(async move { refresh(&handle, &token).await });
    gate.reached().await.expect("it was sent");
    assert_eq!(call(&pleo, "/v2/employees", &connected.access_token).await, 401, "the tokens are rotated");
    assert_eq!(gate.drop_connections(), 1);
    assert_eq!(client.await.expect("no panic"), None);
}

#[tokio::test]
async fn a_gate_that_is_dropped_lets_go_and_holds_nothing_more() {
    let pleo = PleoServer::builder().start().await.expect("it starts");
    let connected = pleo.connect().expect("connected");
    let gate = pleo.hold_next_refresh().expect("it can");
    let late = gate.reached_within(Duration::from_millis(1)).await;
    assert!(matches!(&late, Err(NeverHeld::InTime(missing)) if (missing.came, missing.wanted) == (0, 1)), "{late:?}");
    assert_eq!(gate.reached_blocking(), Err(NeverHeld::InRuntime));
    drop(gate);
    assert_eq!(refresh(&pleo, &connected.refresh_token).await.map(|(status, _)| status), Some(200));
}

#[tokio::test]
async fn a_test_that_blocks_its_only_thread_does_not_stop_the_server() {
    let pleo = PleoServer::builder().start().await.expect("it starts");
    let (address, token) = (address(&pleo), pleo.connect().expect("connected").access_token);
    // Blocking on purpose: this runtime has one thread.
    let answer = {
        use std::io::{Read as _, Write as _};
        let mut tcp = std::net::TcpStream::connect(address).expect("connected");
        tcp.set_read_timeout(Some(Duration::from_secs(10))).expect("set");
        let request = format!("GET /v2/employees HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer {token}\r\n\r\n");
        tcp.write_all(request.as_bytes()).expect("sent");
        let mut answer = String::new();
        tcp.read_to_string(&mut answer).expect("an answer");
        answer
    };
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
}

#[tokio::test]
async fn nothing_listens_once_it_is_dropped() {
    let pleo = PleoServer::builder().start().await.expect("it starts");
    let address = address(&pleo);
    assert!(TcpStream::connect(address).await.is_ok());
    drop(pleo);
    assert!(TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn https_is_served_under_its_own_authority() {
    let pleo = PleoServer::builder().tls().start().await.expect("it starts");
    assert!(pleo.token_url().starts_with("https://"));
    // Another test may have installed it already.
    let _installed = rustls::crypto::ring::default_provider().install_default();
    let ca = reqwest::Certificate::from_pem(pleo.ca_pem().expect("a CA").as_bytes()).expect("PEM");
    let client = reqwest::Client::builder().tls_certs_only([ca]).build().expect("a client");
    let answer = client.get(format!("{}/v2/employees", pleo.api_url())).send().await.expect("an answer");
    assert_eq!(answer.status(), 401);
}

#[tokio::test]
async fn the_management_listener_manages_the_same_pleo() {
    let pleo = PleoServer::builder().management().start().await.expect("it starts");
    let connected = pleo.connect().expect("connected");
    let base = pleo.urls().management.clone().expect("an address");
    let client = crate::support::http();
    let answer = client.post(format!("{base}/v1/grants/1/revoke")).json(&serde_json::json!({})).send().await.expect("an answer");
    assert!(answer.status().is_success(), "{answer:?}");
    assert_eq!(refresh(&pleo, &connected.refresh_token).await.map(|(status, _)| status), Some(400));
}

#[tokio::test]
async fn what_cannot_start_says_why() {
    let wrong = PleoServer::builder().client("crm", "").start().await.expect_err("refused");
    assert!(matches!(&wrong, ServerError::Setting(error) if error.setting == "client"), "{wrong}");
    let taken = PleoServer::builder().start().await.expect("it starts");
    let again = PleoServer::builder().listen(address(&taken)).start().await.expect_err("refused");
    assert!(matches!(again, ServerError::Start(StartError::Bind { .. })), "{again}");
    let open = tokio::task::spawn_blocking(|| PleoServer::builder().listen(([0, 0, 0, 0], 0).into()).start_blocking()).await;
    assert!(matches!(open.expect("no panic"), Err(ServerError::Start(StartError::NotLoopback(_)))));
}

#[tokio::test]
async fn the_same_seed_gives_the_same_tokens_and_none_gives_others() {
    let token = async |builder: PleoBuilder| builder.start().await.expect("it starts").connect().expect("connected").access_token;
    let new = PleoServer::builder;
    assert_eq!(token(new().seed(3)).await, token(new().seed(3)).await);
    assert_ne!(token(new()).await, token(new()).await);
}
