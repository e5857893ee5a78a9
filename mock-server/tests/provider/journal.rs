//! The journal over HTTP and on disk: bounded, resumable, exportable.

use regrant_mock_server::{Provider, journal::Keep};
use serde_json::{Value, json};

use crate::{
    management::{ask, http, managed, url},
    support::*,
};

/// A provider whose ring has gone round, and is still from now on.
async fn ring(entries: usize) -> Provider {
    let provider = provider_with(|config| {
        config.management = Some(([127, 0, 0, 1], 0).into());
        config.journal = Keep::Last { entries, bytes: usize::MAX };
    })
    .await;
    for _ in 0..10 {
        provider.control().advance(std::time::Duration::from_secs(1));
    }
    provider
}

/// Reads a stream until it has this in it.
async fn read_until(stream: &mut reqwest::Response, wanted: &str) -> String {
    let mut text = String::new();
    while !text.contains(wanted) {
        let chunk = tokio::time::timeout(PATIENCE, stream.chunk()).await.unwrap_or_else(|_| panic!("{wanted} never came: {text}"));
        text.push_str(&String::from_utf8_lossy(&chunk.expect("no fault").expect("it goes on")));
    }
    text
}

#[tokio::test]
async fn what_fell_out_of_the_ring_is_gone_and_that_is_said() {
    let provider = ring(3).await;
    let last = provider.control().last_entry();
    let oldest = last - 2;
    assert_eq!(provider.control().journal().len(), 3);
    for path in ["/v1/journal?from=1".to_owned(), format!("/v1/journal/{}", oldest - 1)] {
        let (status, refusal) = ask(&provider, "GET", &path, Value::Null).await;
        assert_eq!(status, 410, "{path}");
        assert!(refusal["remedy"].as_str().is_some_and(|remedy| remedy.contains(&format!("is {oldest};"))), "{refusal}");
    }
    assert_eq!(ask(&provider, "GET", &format!("/v1/journal/{oldest}"), Value::Null).await.1["n"], oldest);
    assert_eq!(ask(&provider, "GET", &format!("/v1/journal/{}", last + 1), Value::Null).await.0, 404);
    let text = http().get(url(&provider, "/v1/journal")).send().await.expect("an answer").text().await.expect("text");
    assert_eq!(text.lines().count(), 3);
    assert!(text.starts_with(&format!("{{\"n\":{oldest},")), "{text}");
}

#[tokio::test]
async fn server_sent_events_take_up_where_they_were_left() {
    let provider = managed().await;
    connect(&provider).await;
    let events = async |last: u64| {
        let request = http().get(url(&provider, "/v1/journal")).header("accept", "text/event-stream");
        request.header("last-event-id", last.to_string()).send().await.expect("an answer")
    };
    let mut stream = events(3).await;
    assert_eq!(stream.headers()["content-type"], "text/event-stream");
    assert!(read_until(&mut stream, "\n\n").await.starts_with("id: 4\ndata: {\"n\":4,"));
    once(&provider, "GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n").await;
    read_until(&mut stream, "\"path\":\"/nothing\"").await;
}

#[tokio::test]
async fn who_comes_back_too_late_is_told_of_the_gap() {
    let provider = ring(2).await;
    let oldest = provider.control().last_entry() - 1;
    let request = http().get(url(&provider, "/v1/journal")).header("accept", "text/event-stream").header("last-event-id", "1");
    let mut stream = request.send().await.expect("an answer");
    let text = read_until(&mut stream, &format!("id: {oldest}\n")).await;
    assert!(text.starts_with(&format!("event: lagged\ndata: {{\"event\":\"lagged\",\"from\":2,\"oldest\":{oldest}}}\n\n")), "{text}");
}

#[tokio::test]
async fn the_exchanges_are_exported_as_an_archive() {
    let provider = managed().await;
    let tokens = connect(&provider).await;
    once(&provider, &refresh(&provider, &tokens.refresh)).await;
    once(&provider, &get("/v2/employees?limit=2", &tokens.access)).await;
    let (_, har) = ask(&provider, "GET", "/v1/journal.har", Value::Null).await;
    assert_eq!(har["log"]["version"], "1.2");
    let entries = har["log"]["entries"].as_array().expect("entries");
    assert_eq!(entries.len(), 4, "authorise, exchange, refresh, call");
    for entry in entries {
        for name in ["startedDateTime", "time", "request", "response", "cache", "timings"] {
            assert!(!entry[name].is_null(), "{name}: {entry}");
        }
    }
    let (refreshed, called) = (&entries[2], &entries[3]);
    assert_eq!(refreshed["request"]["url"], json!(provider.urls().token));
    let sent = refreshed["request"]["postData"]["params"].as_array().expect("a form");
    assert!(sent.contains(&json!({"name": "refresh_token", "value": "refresh#1"})), "{sent:?}");
    assert_eq!(called["request"]["queryString"], json!([{"name": "limit", "value": "2"}]));
    assert_eq!((&called["response"]["status"], &called["response"]["statusText"]), (&json!(401), &json!("Unauthorized")));
    assert!(!har.to_string().contains(&tokens.access), "secrets stand by name");
    let (_, open) = ask(&provider, "GET", "/v1/journal.har?secrets=true", Value::Null).await;
    assert!(open.to_string().contains(&tokens.access));
    assert_eq!(ask(&provider, "GET", "/v1/journal.har?secrets=perhaps", Value::Null).await.0, 400);
}

#[tokio::test]
async fn an_exchange_without_a_reply_is_in_the_archive_too() {
    let provider = managed().await;
    provider.control().install(first_refresh(regrant_mock_server::fault::Point::Arrived, regrant_mock_server::fault::Fate::Drop));
    let mut raw = Raw::open(&provider).await;
    raw.send(&refresh(&provider, "x")).await;
    assert!(raw.try_receive().await.is_none());
    let (_, har) = ask(&provider, "GET", "/v1/journal.har", Value::Null).await;
    let response = &har["log"]["entries"][0]["response"];
    assert_eq!((&response["status"], &response["comment"]), (&json!(0), &json!("ended by the provider before a reply was written")));
}

#[tokio::test]
async fn the_whole_journal_is_on_disk_whatever_the_ring_forgets() {
    let folder = std::env::temp_dir().join(format!("regrant-journal-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    let path = folder.join("journal.ndjson");
    let provider = provider_with(|config| {
        config.journal = Keep::Last { entries: 1, bytes: usize::MAX };
        config.journal_file = Some(path.clone());
    })
    .await;
    let tokens = connect(&provider).await;
    let tenant = provider.tenant("beside").expect("made");
    once(&provider, "GET /t/beside/v2/employees HTTP/1.1\r\nHost: x\r\n\r\n").await;
    until(&tenant.control(), |entry| matches!(entry.what, regrant_mock_server::journal::What::Closed { .. })).await;
    let control = provider.control().clone();
    provider.stop().await;
    assert_eq!(control.journal_trouble(), None);
    let text = std::fs::read_to_string(&path).expect("it was written");
    std::fs::remove_dir_all(&folder).expect("removed");
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    for (name, last) in [("default", control.last_entry()), ("beside", tenant.control().last_entry())] {
        let numbers: Vec<u64> = lines.iter().filter(|line| line["tenant"] == name).filter_map(|line| line["n"].as_u64()).collect();
        assert_eq!(numbers, (1..=last).collect::<Vec<_>>(), "{name}");
    }
    assert!(!text.contains(&tokens.access) && text.contains("access#1"));
}

#[tokio::test]
async fn a_journal_file_that_cannot_be_written_is_told_at_the_start() {
    use regrant_mock_server::{ProviderConfig, StartError};
    let config = ProviderConfig { journal_file: Some("/proc/no/such/file".into()), ..ProviderConfig::local(1) };
    assert!(matches!(Provider::start(config).await, Err(StartError::JournalFile { .. })));
}
