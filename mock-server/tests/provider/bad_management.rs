//! The management port, asked for nonsense: a refusal each time, and it goes on.

use regrant_mock_server::Provider;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::support::*;

/// The status of one request, written by hand; the body's length is filled in.
async fn status(provider: &Provider, line: &str, headers: &str, body: &[u8]) -> u16 {
    let url = provider.urls().management.as_deref().expect("a management port");
    let mut tcp = TcpStream::connect(url.split_once("//").expect("a URL").1).await.expect("connected");
    let length = body.len();
    let head = format!("{line} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\nContent-Length: {length}\r\n{headers}\r\n");
    // It may have had enough before all of it is sent.
    let _cut_short = tcp.write_all(&[head.as_bytes(), body].concat()).await;
    let mut said = Vec::new();
    tokio::time::timeout(PATIENCE, tcp.read_to_end(&mut said)).await.expect("it closes").ok();
    let said = String::from_utf8_lossy(&said);
    said.split(' ').nth(1).and_then(|word| word.parse().ok()).unwrap_or_else(|| panic!("{line} {body:.60?}: {said:?}"))
}

const JSON: &str = "Content-Type: application/json\r\n";

#[tokio::test]
async fn nonsense_is_refused_and_the_next_request_is_served() {
    let provider = provider_with(|config| config.management = Some(([127, 0, 0, 1], 0).into())).await;
    connect(&provider).await;
    let nested = [b"{\"on\": ".to_vec(), b"[".repeat(200_000)].concat();
    let long = [b"{\"cause\": \"".to_vec(), b"a".repeat(1_500_000), b"\"}".to_vec()].concat();
    let takes_a_body = [
        "POST /v1/grants/newest/revoke",
        "POST /v1/grants/newest/expire",
        "POST /v1/clock",
        "PUT /v1/clock/api",
        "POST /v1/clients/x/retire-secret",
        "POST /v1/rules",
        "POST /v1/work",
        "PUT /v1/consent",
        "PUT /v1/policy",
    ];
    let bodies: [&[u8]; 12] = [
        b"{",
        b"nonsense",
        b"\xff\xfe",
        b"null",
        b"7",
        b"\"x\"",
        b"[null, null]",
        b"{\"nothing\": 1}",
        b"{} {}",
        b"{\"\\ud800\": 1}",
        &nested,
        &long,
    ];
    for line in takes_a_body {
        for body in bodies {
            let status = status(&provider, line, JSON, body).await;
            assert!([400, 413, 415, 422].contains(&status), "{line} {}: {status}", String::from_utf8_lossy(&body[..body.len().min(40)]));
        }
    }
    for (line, body, expected) in [
        ("POST /v1/clock", "{\"advance\": \"999999999999999999999999d\"}", 400),
        ("POST /v1/clock", "{\"advance\": -1}", 400),
        ("POST /v1/clock", "{\"advance\": \"-1s\"}", 400),
        ("POST /v1/work", "{\"kind\": \"export\", \"count\": 1e300}", 400),
        ("POST /v1/work", "{\"kind\": \"export\", \"count\": -1}", 400),
        ("POST /v1/work", "{\"kind\": \"export\", \"count\": 18446744073709551615}", 400),
        ("POST /v1/work", "{\"kind\": \"export\", \"company\": 4294967296}", 404),
        ("PUT /v1/consent", "{\"company\": 18446744073709551615}", 404),
        ("POST /v1/rules", "{\"on\": {}, \"fate\": {\"status\": {\"code\": 99999}}}", 400),
        ("POST /v1/grants/99999999999/revoke", "", 404),
        ("POST /v1/grants/4294967295/revoke", "", 404),
        ("POST /v1/clients/x/rotate-secret", "", 404),
        ("POST /v1/gates/x/release", "", 404),
        ("DELETE /v1/rules/4294967296", "", 404),
        ("GET /v1/nothing", "", 404),
        ("DELETE /v1/clock", "", 405),
        ("TRACE /v1/rules", "", 405),
        ("BREW /v1/ready", "", 405),
    ] {
        assert_eq!(status(&provider, line, JSON, body.as_bytes()).await, expected, "{line} {body}");
    }
    for (line, headers) in [
        ("GET /v1/grants/%ff", ""),
        ("GET /v1/%zz", ""),
        ("GET /v1/journal?from=x", ""),
        ("GET /v1/journal?from=-1", ""),
        ("GET /v1/ready", "Host: evil.test\r\n"),
        ("GET /v1/ready", &format!("X: {}\r\n", "a".repeat(1 << 20))),
    ] {
        let status = status(&provider, line, headers, b"").await;
        assert!((400..500).contains(&status), "{line}: {status}");
    }
    assert!([400, 413].contains(&status(&provider, "POST /v1/rules", JSON, &b"a".repeat(5 << 20)).await));
    for (advance, expected) in [("200000000d", 409), ("30000d", 200)] {
        let body = format!("{{\"advance\": \"{advance}\"}}");
        assert_eq!(status(&provider, "POST /v1/clock", JSON, body.as_bytes()).await, expected, "{advance}");
    }
    assert_eq!(status(&provider, "GET /v1/clock", "", b"").await, 200);
    assert_eq!(status(&provider, "GET /v1/ready", "", b"").await, 200);
}
