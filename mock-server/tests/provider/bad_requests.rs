//! What is no request, or too much of one: the RFC's status where there is one, then the connection ends, and the next is served.

use std::time::Duration;

use regrant_mock_server::{Limits, Provider};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::support::*;

/// Sends all of it, unless the provider has had enough, and reads to the end of the connection.
async fn said_to(provider: &Provider, bytes: &[u8]) -> String {
    let mut tcp = Raw::open(provider).await.tcp;
    let (mut reader, mut writer) = tcp.split();
    let mut said = Vec::new();
    let write = async {
        // It may stop reading in the middle; what it says then is what counts.
        let _cut_short = writer.write_all(bytes).await;
    };
    let both = async { tokio::join!(write, reader.read_to_end(&mut said)) };
    let (_, end) = tokio::time::timeout(PATIENCE, both).await.expect("it closes");
    end.expect("in good order");
    String::from_utf8_lossy(&said).into_owned()
}

fn statuses(said: &str) -> Vec<u16> {
    said.split("HTTP/1.1 ").skip(1).filter_map(|reply| reply.get(..3)?.parse().ok()).collect()
}

fn with(headers: &str) -> Vec<u8> {
    format!("POST /oauth/token HTTP/1.1\r\nHost: x\r\n{headers}\r\n").into_bytes()
}

fn chunked(body: &str) -> Vec<u8> {
    [with("Transfer-Encoding: chunked\r\n"), body.as_bytes().to_vec()].concat()
}

#[tokio::test]
async fn what_is_no_request_gets_its_status_and_the_connection_ends() {
    let provider = provider().await;
    let long = "a".repeat(70 * 1024);
    let many: String = (0..300).map(|n| format!("X-{n}: 1\r\n")).collect();
    let line = |line: &str| format!("{line}\r\nHost: x\r\n\r\n").into_bytes();
    let table: Vec<(&str, u16, Vec<u8>)> = vec![
        ("two lengths", 400, with("Content-Length: 3\r\nContent-Length: 4\r\n")),
        ("a list of lengths", 400, with("Content-Length: 3, 4\r\n")),
        ("a signed length", 400, with("Content-Length: +3\r\n")),
        ("a negative length", 400, with("Content-Length: -3\r\n")),
        ("no length in it", 400, with("Content-Length:\r\n")),
        ("length and chunks", 400, with("Content-Length: 3\r\nTransfer-Encoding: chunked\r\n")),
        ("an unknown coding", 501, with("Transfer-Encoding: gzip\r\n")),
        ("chunks twice", 501, with("Transfer-Encoding: chunked, chunked\r\n")),
        ("chunks in HTTP/1.0", 400, b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec()),
        ("a folded header", 400, with("X: a\r\n b\r\n")),
        ("NUL in a header", 400, with("X: a\0b\r\n")),
        ("a blank before the colon", 400, with("X : a\r\n")),
        ("no colon", 400, with("nonsense\r\n")),
        ("a bare CR", 400, with("X: a\rb\r\n")),
        ("no host", 400, b"GET / HTTP/1.1\r\n\r\n".to_vec()),
        ("two hosts", 400, with("Host: y\r\n")),
        ("NUL in the path", 400, line("GET /\0 HTTP/1.1")),
        ("no path", 400, line("GET HTTP/1.1")),
        ("HTTP/0.9", 400, b"GET /\r\n\r\n".to_vec()),
        ("HTTP/1.2", 505, line("GET / HTTP/1.2")),
        ("an HTTP/2 preface", 505, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0".to_vec()),
        ("a TLS hello", 400, b"\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03".to_vec()),
        ("a line without end", 414, format!("GET /{long}").into_bytes()),
        ("a long line", 414, line(&format!("GET /{long} HTTP/1.1"))),
        ("a long header", 431, with(&format!("X: {long}\r\n"))),
        ("a header without end", 431, format!("GET / HTTP/1.1\r\nX: {long}").into_bytes()),
        ("many headers", 431, with(&many)),
        ("a body too long by its length", 413, with("Content-Length: 1048577\r\n")),
        ("a length beyond all numbers", 413, with("Content-Length: 340282366920938463463374607431768211456\r\n")),
        ("a body too long in chunks", 413, chunked(&format!("{:x}\r\n", 2 << 20))),
        ("a body too long in many chunks", 413, chunked(&format!("400\r\n{}\r\n", "a".repeat(1024)).repeat(1100))),
        ("a body of nothing but overhead", 413, chunked(&format!("1;{}\r\na\r\n", "x".repeat(2000)).repeat(1200))),
        ("a chunk of no size", 400, chunked("zz\r\n")),
        ("a chunk that is too short", 400, chunked("3\r\nabcd\r\n")),
        ("a chunk beyond all numbers", 400, chunked("fffffffffffffffff\r\n")),
        ("a trailer without end", 431, chunked(&format!("0\r\nX: {long}"))),
    ];
    for (what, status, bytes) in table {
        let said = said_to(&provider, &bytes).await;
        assert_eq!(statuses(&said), [status], "{what}: {said}");
        assert!(said.contains("Connection: close"), "{what}: {said}");
    }
    connect(&provider).await;
}

#[tokio::test]
async fn requests_sent_ahead_are_answered_in_order_until_one_is_none() {
    let provider = provider().await;
    let good = "GET /v2/employees HTTP/1.1\r\nHost: x\r\n\r\n";
    let said = said_to(&provider, format!("{good}GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n{good}garbage\r\n\r\n{good}").as_bytes()).await;
    assert_eq!(statuses(&said), [401, 404, 401, 400], "{said}");
    // Thousands at once, of which none is read while another is answered.
    let said = said_to(&provider, format!("{}garbage\r\n\r\n", good.repeat(2000)).as_bytes()).await;
    assert_eq!(statuses(&said).len(), 2001);
}

#[tokio::test]
async fn an_empty_line_before_a_request_is_overlooked() {
    let provider = provider().await;
    assert_eq!(once(&provider, "\r\n\r\nGET /nothing HTTP/1.1\r\nHost: x\r\n\r\n").await.status, 404);
}

fn hasty(config: &mut regrant_mock_server::ProviderConfig) {
    config.limits = Limits { request: Duration::from_millis(100), ..Limits::default() };
}

#[tokio::test]
async fn a_request_that_does_not_come_to_its_end_is_given_up() {
    let provider = provider_with(hasty).await;
    let mut idle = Raw::open(&provider).await;
    for begun in ["G", "GET / HTTP/1.1\r\nHost: x\r\n", "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nabc"] {
        let said = said_to(&provider, begun.as_bytes()).await;
        assert_eq!(statuses(&said), [408], "{begun:?}: {said}");
    }
    // Older than all of them by now, but nothing was begun on it.
    assert_eq!(idle.ask("GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n").await.status, 404);
    assert_eq!(provider.control().open_exchanges(), 0);
}

#[tokio::test]
async fn a_request_that_comes_byte_by_byte_has_no_more_time_than_another() {
    let provider = provider_with(hasty).await;
    let tcp: TcpStream = Raw::open(&provider).await.tcp;
    let (mut reader, mut writer) = tcp.into_split();
    let dripping = tokio::spawn(async move {
        let mut ticks = tokio::time::interval(Duration::from_millis(10));
        for byte in "GET / HTTP/1.1\r\nX: ".bytes().chain(std::iter::repeat_n(b'a', 1000)) {
            ticks.tick().await;
            if writer.write_all(&[byte]).await.is_err() {
                break;
            }
        }
    });
    let mut said = Vec::new();
    tokio::time::timeout(PATIENCE, reader.read_to_end(&mut said)).await.expect("long before all is sent").expect("in good order");
    assert_eq!(statuses(&String::from_utf8_lossy(&said)), [408]);
    dripping.abort();
}

#[tokio::test]
async fn one_connection_too_many_is_told_so_until_another_ends() {
    let provider = provider_with(|config| config.limits = Limits { connections: 2, ..Limits::default() }).await;
    let ask = "GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n";
    let (mut first, mut second) = (Raw::open(&provider).await, Raw::open(&provider).await);
    assert_eq!((first.ask(ask).await.status, second.ask(ask).await.status), (404, 404));
    assert_eq!(statuses(&said_to(&provider, ask.as_bytes()).await), [503]);
    drop(second);
    until(provider.control(), |entry| matches!(entry.what, regrant_mock_server::journal::What::Closed { .. })).await;
    // The journal is told a moment before the place is free.
    let mut tries = 0;
    while once(&provider, ask).await.status == 503 {
        tries += 1;
        assert!(tries < 1000, "the place is never free");
    }
    assert_eq!(first.ask(ask).await.status, 404);
}
