//! HTTP/2, asked for by the real curl and by a client that sees single frames.

use std::process::Output;

use bytes::Bytes;
use h2::{Reason, client::SendRequest};
use regrant_mock_server::{
    Provider,
    fault::{Fate, Match, Point, Rule},
    intercept::Interception,
    journal::{Endpoint, Side, What},
};
use tokio::net::TcpStream;

use crate::support::{self, PATIENCE};

async fn speaking() -> Provider {
    support::provider_with(|config| config.http2 = true).await
}

async fn secure() -> Provider {
    support::provider_with(|config| {
        config.http2 = true;
        config.tls = true;
        config.intercept = Some(Interception { listen: ([127, 0, 0, 1], 0).into(), hosts: Vec::new() });
    })
    .await
}

/// Curl; what it prints is the protocol's version and the status.
async fn curl(provider: &Provider, arguments: &[&str]) -> Output {
    let ca = std::env::temp_dir().join(format!("regrant-http2-{}-{:p}.pem", std::process::id(), provider));
    std::fs::write(&ca, provider.ca_pem().unwrap_or_default()).expect("written");
    let mut command = tokio::process::Command::new("curl");
    command.env_clear().env("PATH", std::env::var("PATH").unwrap_or_default());
    command.args(["-sS", "--max-time", "10", "-o", "/dev/null", "-w", "%{http_version} %{http_code}", "--cacert"]).arg(&ca).args(arguments);
    let output = command.output().await.expect("curl is needed by this test");
    std::fs::remove_file(&ca).expect("removed");
    output
}

async fn said(provider: &Provider, arguments: &[&str]) -> String {
    let output = curl(provider, arguments).await;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn at(provider: &Provider, path: &str) -> String {
    format!("{}{path}", provider.urls().api)
}

#[test]
fn this_curl_speaks_http2() {
    let version = std::process::Command::new("curl").arg("--version").output().expect("curl is needed by these tests").stdout;
    let version = String::from_utf8_lossy(&version);
    assert!(version.contains("HTTP2"), "the tests of HTTP/2 need a curl built with nghttp2; this is {version}");
}

#[tokio::test]
async fn curl_speaks_http2_without_tls_by_prior_knowledge() {
    let provider = speaking().await;
    let tokens = support::connect(&provider).await;
    let bearer = format!("Authorization: Bearer {}", tokens.access);
    let url = at(&provider, "/v2/employees");
    assert_eq!(said(&provider, &["--http2-prior-knowledge", "-H", &bearer, &url]).await, "2 200");
    assert_eq!(said(&provider, &["-H", &bearer, &url]).await, "1.1 200", "the other version is spoken beside it");
    let exchange = support::last_exchange(provider.control()) - 1;
    let unknown = |entry: &&regrant_mock_server::journal::Entry| matches!(entry.what, What::ReadUnknown { exchange: of } if of == exchange);
    assert!(provider.control().journal().iter().any(|entry| unknown(&entry)));
}

#[tokio::test]
async fn curl_refreshes_over_http2_under_tls() {
    let provider = secure().await;
    let url = at(&provider, "/oauth/token");
    let fields = "grant_type=refresh_token&refresh_token=unknown&client_id=x&client_secret=y";
    assert_eq!(said(&provider, &["--http2", "-d", fields, &url]).await, "2 401");
    assert_eq!(said(&provider, &["--http1.1", "-d", fields, &url]).await, "1.1 401");
}

#[tokio::test]
async fn curl_speaks_http2_through_the_proxy() {
    let provider = secure().await;
    let proxy = provider.urls().proxy.clone().expect("a proxy");
    assert_eq!(said(&provider, &["--http2", "-x", &proxy, "https://external.pleo.io/v2/employees"]).await, "2 401");
    assert_eq!(said(&provider, &["--http2", "-x", &proxy, "https://external.pleo.io/oauth/token"]).await, "2 404");
    assert_eq!(said(&provider, &["--http2", "-x", &proxy, "-H", "Host: auth.pleo.io", "https://external.pleo.io/"]).await, "2 421");
    let hosts = provider
        .control()
        .journal()
        .into_iter()
        .filter_map(|entry| if let What::Arrived(a) = entry.what { Some(a.host.clone()) } else { None });
    assert_eq!(hosts.collect::<Vec<_>>(), ["external.pleo.io"; 2]);
}

#[tokio::test]
async fn http2_is_off_unless_asked_for() {
    let plain = support::provider().await;
    assert!(!curl(&plain, &["--http2-prior-knowledge", &at(&plain, "/v2/employees")]).await.status.success());
    let tls = support::provider_with(|config| config.tls = true).await;
    assert_eq!(said(&tls, &["--http2", &at(&tls, "/v2/employees")]).await, "1.1 401");
}

async fn client(provider: &Provider) -> SendRequest<Bytes> {
    let address = provider.urls().api.strip_prefix("http://").expect("plain").to_owned();
    let tcp = TcpStream::connect(address).await.expect("connected");
    let (client, connection) = h2::client::handshake(tcp).await.expect("spoken");
    tokio::spawn(connection);
    client.ready().await.expect("ready")
}

/// What came back on one stream: status and body, or the error and what had come before it.
async fn ask(client: &mut SendRequest<Bytes>, path: &str) -> Result<(u16, Vec<u8>), (Vec<u8>, h2::Error)> {
    let request = http::Request::get(format!("http://pleo.test{path}")).body(()).expect("a request");
    let (response, _) = client.send_request(request, true).expect("sent");
    let asked = async {
        let response = response.await.map_err(|error| (Vec::new(), error))?;
        let status = response.status().as_u16();
        let (mut bytes, mut body) = (Vec::new(), response.into_body());
        while let Some(data) = body.data().await {
            match data {
                Ok(data) => bytes.extend_from_slice(&data),
                Err(error) => return Err((bytes, error)),
            }
        }
        Ok((status, bytes))
    };
    tokio::time::timeout(PATIENCE, asked).await.expect("in time")
}

fn once(at: Point, fate: Fate) -> Rule {
    let on = Match { endpoint: Some(Endpoint::Api), nth: Some(1), ..Match::default() };
    Rule { on, at, fate, until: None }
}

fn aborted(provider: &Provider) -> Vec<(Side, u64)> {
    let of = |what| if let What::Aborted { by, written, .. } = what { Some((by, written)) } else { None };
    provider.control().journal().into_iter().filter_map(|entry| of(entry.what)).collect()
}

#[tokio::test]
async fn a_dropped_request_ends_its_stream_alone() {
    let provider = speaking().await;
    provider.control().install(once(Point::Arrived, Fate::Drop));
    let mut client = client(&provider).await;
    let (_, error) = ask(&mut client, "/v2/employees").await.expect_err("dropped");
    assert_eq!(error.reason(), Some(Reason::INTERNAL_ERROR));
    assert_eq!(ask(&mut client, "/v2/employees").await.expect("the connection lives").0, 401);
    assert_eq!(aborted(&provider), [(Side::Provider, 0)]);
}

#[tokio::test]
async fn a_truncated_body_arrives_before_its_stream_is_reset() {
    let provider = speaking().await;
    provider.control().install(once(Point::Replying, Fate::Truncate { after: Some(5), then: regrant_mock_server::fault::CutShort::Fin }));
    let mut client = client(&provider).await;
    let (came, error) = ask(&mut client, "/v2/employees").await.expect_err("cut short");
    assert_eq!((came.len(), error.reason()), (5, Some(Reason::INTERNAL_ERROR)));
    assert_eq!(ask(&mut client, "/v2/employees").await.expect("the connection lives").0, 401);
    assert_eq!(aborted(&provider), [(Side::Provider, 5)]);
}

#[tokio::test]
async fn a_reset_takes_the_whole_connection_along() {
    let provider = speaking().await;
    provider.control().install(once(Point::Arrived, Fate::Reset));
    let mut client = client(&provider).await;
    let (_, error) = ask(&mut client, "/v2/employees").await.expect_err("reset");
    assert!(error.is_io(), "{error:?}");
    assert_eq!(error.get_io().map(std::io::Error::kind), Some(std::io::ErrorKind::ConnectionReset), "{error:?}");
    support::until(provider.control(), |entry| matches!(entry.what, What::Closed { by: Side::Provider, .. })).await;
}

#[tokio::test]
async fn a_hanging_stream_hinders_no_other_and_is_given_up_by_the_subject() {
    let provider = speaking().await;
    provider.control().install(once(Point::Arrived, Fate::Hang));
    let mut client = client(&provider).await;
    let request = http::Request::get("http://pleo.test/v2/employees").body(()).expect("a request");
    let (never, mut stream) = client.send_request(request, true).expect("sent");
    support::until(provider.control(), |entry| matches!(entry.what, What::Faulted { .. })).await;
    assert_eq!(ask(&mut client, "/v2/employees").await.expect("answered").0, 401);
    stream.send_reset(Reason::CANCEL);
    drop(never);
    support::until(provider.control(), |entry| matches!(entry.what, What::Aborted { by: Side::Peer, .. })).await;
}

#[tokio::test]
async fn a_paced_body_comes_whole() {
    let provider = speaking().await;
    let pace = std::num::NonZeroU32::new(400).expect("more than none");
    provider.control().install(once(Point::Replying, Fate::Throttle { bytes_per_second: pace }));
    let mut client = client(&provider).await;
    let (status, body) = ask(&mut client, "/v2/employees").await.expect("whole");
    assert!(status == 401 && body.ends_with(b"}"), "{}", String::from_utf8_lossy(&body));
}

#[tokio::test]
async fn a_subject_that_goes_away_leaves_nothing_open() {
    let provider = speaking().await;
    provider.control().install(once(Point::Arrived, Fate::Hang));
    let url = at(&provider, "/v2/employees");
    let output = curl(&provider, &["--http2-prior-knowledge", "--max-time", "0.5", &url]).await;
    assert!(!output.status.success());
    support::until(provider.control(), |entry| matches!(entry.what, What::Aborted { by: Side::Peer, .. })).await;
    support::until(provider.control(), |entry| matches!(entry.what, What::Closed { by: Side::Peer, .. })).await;
    assert_eq!(provider.control().open_exchanges(), 0);
}

#[tokio::test]
async fn too_long_a_body_is_refused() {
    let provider = speaking().await;
    let file = std::env::temp_dir().join(format!("regrant-long-{}", std::process::id()));
    std::fs::write(&file, vec![b'a'; 1024 * 1024 + 1]).expect("written");
    let data = format!("@{}", file.display());
    let url = at(&provider, "/oauth/token");
    let output = curl(&provider, &["--http2-prior-knowledge", "--data-binary", &data, &url]).await;
    std::fs::remove_file(&file).expect("removed");
    assert_eq!(String::from_utf8_lossy(&output.stdout), "2 413");
}

#[tokio::test]
async fn a_tenant_is_reached_over_http2_too() {
    let provider = speaking().await;
    let tenant = provider.tenant("one").expect("made");
    let mut client = client(&provider).await;
    assert_eq!(ask(&mut client, "/t/one/v2/employees").await.expect("answered").0, 401);
    assert_eq!(ask(&mut client, "/v2/employees").await.expect("answered").0, 401);
    let arrivals = |control: &regrant_mock_server::Control| control.journal().iter().filter(|e| matches!(e.what, What::Arrived(_))).count();
    assert_eq!((arrivals(&tenant.control()), arrivals(provider.control())), (1, 1));
    drop(client);
    support::until(&tenant.control(), |entry| matches!(entry.what, What::Closed { by: Side::Peer, .. })).await;
}
