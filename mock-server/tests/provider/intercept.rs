//! The proxy that answers for Pleo's host names, asked by hand and by the real curl.

use std::{path::Path, process::Output};

use regrant_mock_server::{
    Provider,
    intercept::Interception,
    journal::{Endpoint, Proxied, What},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::support::{self, PATIENCE, Raw};

async fn intercepting() -> Provider {
    let listen = ([127, 0, 0, 1], 0).into();
    support::provider_with(|config| config.intercept = Some(Interception { listen, hosts: Vec::new() })).await
}

fn proxy_of(provider: &Provider) -> String {
    provider.urls().proxy.clone().expect("a proxy")
}

async fn raw(provider: &Provider) -> Raw {
    let address = proxy_of(provider);
    Raw { tcp: TcpStream::connect(address.strip_prefix("http://").expect("a URL")).await.expect("connected") }
}

/// Runs curl through the proxy, trusting the run's authority.
async fn curl(provider: &Provider, arguments: &[&str]) -> Output {
    let folder = std::env::temp_dir().join(format!("regrant-curl-{}-{:p}", std::process::id(), provider));
    std::fs::create_dir_all(&folder).expect("a folder");
    let ca = folder.join("ca.pem");
    std::fs::write(&ca, provider.ca_pem().expect("an authority")).expect("written");
    let output = curl_with(provider, &ca, arguments).await;
    std::fs::remove_dir_all(&folder).expect("removed");
    output
}

async fn curl_with(provider: &Provider, ca: &Path, arguments: &[&str]) -> Output {
    let mut command = tokio::process::Command::new("curl");
    command.env_clear().env("PATH", std::env::var("PATH").unwrap_or_default());
    command.args(["-sS", "--max-time", "10", "-x", &proxy_of(provider), "--cacert"]).arg(ca).args(arguments);
    command.output().await.expect("curl is needed by this test")
}

fn said(output: &Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn outcomes(provider: &Provider) -> Vec<(String, Proxied)> {
    let of = |what| if let What::Proxied { authority, outcome } = what { Some((authority, outcome)) } else { None };
    provider.control().journal().into_iter().filter_map(|entry| of(entry.what)).collect()
}

fn arrived(provider: &Provider) -> Vec<(String, Endpoint, String)> {
    let of =
        |what| if let What::Arrived(arrived) = what { Some((arrived.host.clone(), arrived.endpoint, arrived.path.clone())) } else { None };
    provider.control().journal().into_iter().filter_map(|entry| of(entry.what)).collect()
}

#[tokio::test]
async fn curl_reaches_pleos_hosts_through_the_proxy() {
    let provider = intercepting().await;
    let tokens = support::connect(&provider).await;
    let bearer = format!("Authorization: Bearer {}", tokens.access);
    let page = said(&curl(&provider, &["-H", &bearer, "https://external.pleo.io/v2/employees"]).await);
    assert!(page.contains("\"pagination\""), "{page}");
    let (id, secret) = provider.client();
    let fields = format!("grant_type=refresh_token&refresh_token={}&client_id={id}&client_secret={}", tokens.refresh, secret.expect("one"));
    let issued = said(&curl(&provider, &["-d", &fields, "https://auth.staging.pleo.io/oauth/token"]).await);
    assert!(issued.contains("access_token"), "{issued}");
    let last = arrived(&provider).split_off(2);
    assert_eq!(last[0], ("external.pleo.io".into(), Endpoint::Api, "/v2/employees".into()));
    assert_eq!(last[1], ("auth.staging.pleo.io".into(), Endpoint::Token, "/oauth/token".into()));
    assert_eq!(
        outcomes(&provider),
        [("external.pleo.io:443".into(), Proxied::Served), ("auth.staging.pleo.io:443".into(), Proxied::Served)]
    );
}

#[tokio::test]
async fn a_host_serves_only_what_it_serves_at_pleo() {
    let provider = intercepting().await;
    for url in ["https://auth.pleo.io/v2/employees", "https://external.pleo.io/oauth/token", "https://openapi.pleo.io/v1/companies"] {
        let status = said(&curl(&provider, &["-o", "/dev/null", "-w", "%{http_code}", url]).await);
        assert_eq!(status, "404", "{url}");
    }
}

#[tokio::test]
async fn curl_is_told_why_another_host_is_refused() {
    let provider = intercepting().await;
    let output = curl(&provider, &["-v", "https://example.com/"]).await;
    assert!(!output.status.success());
    let log = String::from_utf8_lossy(&output.stderr);
    assert!(log.contains("403"), "{log}");
    let plain = said(&curl(&provider, &["-w", "%{http_code}", "http://example.com/x"]).await);
    assert!(plain.contains("example.com:80 is not Pleo's") && plain.ends_with("403"), "{plain}");
    assert!(matches!(&outcomes(&provider)[..], [(_, Proxied::Refused(_)), (_, Proxied::Refused(_))]), "{:?}", outcomes(&provider));
    assert!(arrived(&provider).is_empty());
}

#[tokio::test]
async fn a_client_that_does_not_trust_the_authority_is_named_so() {
    let provider = intercepting().await;
    let output = curl_with(&provider, Path::new("/dev/null"), &["https://auth.pleo.io/"]).await;
    assert!(!output.status.success());
    support::until(provider.control(), |entry| matches!(&entry.what, What::Proxied { outcome: Proxied::Untrusted(_), .. })).await;
}

#[tokio::test]
async fn addresses_other_ports_and_other_schemes_are_refused_with_the_reason() {
    let provider = intercepting().await;
    let cases = [
        ("CONNECT 127.0.0.1:443", 403, "NO_PROXY"),
        ("CONNECT [::1]:443", 403, "NO_PROXY"),
        ("CONNECT localhost:8080", 403, "NO_PROXY"),
        ("CONNECT auth.pleo.io:80", 403, "only 443"),
        ("CONNECT api.example.com:443", 403, "never connects anywhere"),
        ("CONNECT auth.pleo.io", 400, "no host and port"),
        ("GET http://auth.pleo.io/oauth/authorize", 403, "https only"),
        ("GET /oauth/authorize", 400, "forward proxy"),
    ];
    for (line, status, reason) in cases {
        let answer = raw(&provider).await.ask(&format!("{line} HTTP/1.1\r\nHost: x\r\n\r\n")).await;
        assert!(answer.status == status && answer.body.contains(reason), "{line}: {answer:?}");
    }
    assert!(arrived(&provider).is_empty());
}

#[tokio::test]
async fn a_client_that_forwards_https_without_a_tunnel_is_served() {
    // As axios did for years.
    let provider = intercepting().await;
    let mut client = raw(&provider).await;
    let answer = client.ask("GET https://external.pleo.io/v1/companies HTTP/1.1\r\nHost: external.pleo.io\r\n\r\n").await;
    assert_eq!(answer.status, 401, "{answer:?}");
    let refused = client.ask("GET https://example.com/ HTTP/1.1\r\nHost: example.com\r\n\r\n").await;
    assert_eq!(refused.status, 403, "{refused:?}");
    let again = client.ask("GET https://auth.pleo.io/v1/companies HTTP/1.1\r\nHost: auth.pleo.io\r\n\r\n").await;
    assert_eq!(again.status, 404, "{again:?}");
    assert_eq!(arrived(&provider).len(), 2);
}

#[tokio::test]
async fn a_tunnel_leads_to_its_own_host_only() {
    let provider = intercepting().await;
    let wrong_host = curl(&provider, &["-w", "%{http_code}", "-H", "Host: external.pleo.io", "https://auth.pleo.io/"]).await;
    assert!(said(&wrong_host).ends_with("421"));
    // The tunnel is for one host, TLS inside for another.
    let wrong_name = curl(&provider, &["--connect-to", "auth.pleo.io:443:external.pleo.io:443", "https://auth.pleo.io/"]).await;
    assert!(!wrong_name.status.success());
    let seen =
        support::until(provider.control(), |entry| matches!(&entry.what, What::Proxied { outcome: Proxied::Untrusted(_), .. })).await;
    assert!(format!("{seen:?}").contains("TLS in it for auth.pleo.io"), "{seen:?}");
}

#[tokio::test]
async fn what_is_no_http_is_answered_and_closed() {
    let provider = intercepting().await;
    let mut hello = raw(&provider).await;
    hello.tcp.write_all(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03").await.expect("sent");
    assert_eq!(hello.receive().await.status, 400);
    let mut endless = raw(&provider).await;
    endless.send(&format!("GET http://x/ HTTP/1.1\r\nX: {}", "a".repeat(66 * 1024))).await;
    assert_eq!(endless.receive().await.status, 431);
    let mut rest = Vec::new();
    let closed = tokio::time::timeout(PATIENCE, endless.tcp.read_to_end(&mut rest)).await;
    assert!(closed.is_ok(), "it stays open");
}

#[tokio::test]
async fn noise_in_a_tunnel_ends_it() {
    let provider = intercepting().await;
    let mut client = raw(&provider).await;
    client.send("CONNECT auth.pleo.io:443 HTTP/1.1\r\n\r\nGET / HTTP/1.1\r\n\r\n").await;
    let mut rest = Vec::new();
    tokio::time::timeout(PATIENCE, client.tcp.read_to_end(&mut rest)).await.expect("closed").expect("read");
    assert!(rest.starts_with(b"HTTP/1.1 200"), "{rest:?}");
    support::until(provider.control(), |entry| matches!(&entry.what, What::Proxied { outcome: Proxied::Untrusted(_), .. })).await;
}
