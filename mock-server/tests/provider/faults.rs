//! Faults, gates and true times.

use regrant_mock_server::{
    fault::{Fate, Match, Point, Rule},
    journal::{Endpoint, Side, What},
};
use tokio::io::AsyncReadExt;

use crate::support::*;

#[tokio::test]
async fn a_reply_held_after_the_commit_is_released_or_dropped() {
    for dropped in [false, true] {
        let provider = provider().await;
        let control = provider.control();
        let first = connect(&provider).await;
        control.install(first_refresh(Point::Committed, Fate::Hold("gate-a".into())));
        let mut raw = Raw::open(&provider).await;
        raw.send(&refresh(&provider, &first.refresh)).await;
        tokio::time::timeout(PATIENCE, control.until_held("gate-a", 1)).await.expect("held");
        assert_eq!((control.held("gate-a"), control.open_exchanges()), (1, 1));
        assert_eq!(once(&provider, &get("/v2/employees", &first.access)).await.status, 401, "the tokens are rotated already");
        if dropped {
            assert_eq!(control.drop_held("gate-a"), 1);
            assert!(raw.try_receive().await.is_none(), "no answer");
        } else {
            assert_eq!(control.release("gate-a"), 1);
            let second = tokens(&raw.receive().await);
            assert_eq!(once(&provider, &get("/v2/employees", &second.access)).await.status, 200);
        }
        assert_eq!(issued(control), 2);
    }
}

#[tokio::test]
async fn a_drop_before_the_commit_changes_nothing_and_after_it_everything() {
    for (at, lives) in [(Point::Arrived, true), (Point::Authenticated, true), (Point::Decided, true), (Point::Committed, false)] {
        let provider = provider().await;
        let first = connect(&provider).await;
        provider.control().install(first_refresh(at, Fate::Drop));
        let mut raw = Raw::open(&provider).await;
        raw.send(&refresh(&provider, &first.refresh)).await;
        assert!(raw.try_receive().await.is_none());
        until(provider.control(), |entry| matches!(entry.what, What::Aborted { by: Side::Provider, written: 0, .. })).await;
        assert_eq!(once(&provider, &get("/v2/employees", &first.access)).await.status == 200, lives, "{at:?}");
        assert_eq!(once(&provider, &refresh(&provider, &first.refresh)).await.status == 200, lives, "{at:?}");
    }
}

#[tokio::test]
async fn an_answer_of_ours_before_the_commit_leaves_the_token_good() {
    let provider = provider().await;
    let first = connect(&provider).await;
    let fate = Fate::Status { code: 503, error: Some("temporarily_unavailable".into()), description: None, retry_after: Some(7.into()) };
    provider.control().install(first_refresh(Point::Decided, fate));
    let refused = once(&provider, &refresh(&provider, &first.refresh)).await;
    assert_eq!((refused.status, refused.header("retry-after").as_deref()), (503, Some("7")));
    assert_eq!(refused.json()["error"], "temporarily_unavailable");
    assert_eq!(decision(provider.control(), last_exchange(provider.control())), None, "nothing was decided");
    assert_eq!(once(&provider, &refresh(&provider, &first.refresh)).await.status, 200);
}

#[tokio::test]
async fn requests_released_together_take_effect_in_order_of_arrival() {
    let provider = provider().await;
    let control = provider.control();
    let first = connect(&provider).await;
    let on = Match { endpoint: Some(Endpoint::Token), ..Match::default() };
    control.install(Rule { on, at: Point::Arrived, fate: Fate::Hold("g".into()), until: None });
    let mut waiting = Vec::new();
    for count in 1..=4 {
        let mut raw = Raw::open(&provider).await;
        raw.send(&refresh(&provider, &first.refresh)).await;
        tokio::time::timeout(PATIENCE, control.until_held("g", count)).await.expect("held");
        waiting.push(raw);
    }
    assert_eq!(control.release("g"), 4);
    let mut statuses = Vec::new();
    for mut raw in waiting {
        statuses.push(raw.receive().await.status);
    }
    assert_eq!(statuses, [200, 400, 400, 400], "only the first to arrive had a token that was still good");
}

#[tokio::test]
async fn a_subject_that_gives_up_frees_its_place_at_the_gate() {
    let provider = provider().await;
    let control = provider.control();
    let first = connect(&provider).await;
    control.install(first_refresh(Point::Arrived, Fate::Hold("g".into())));
    let mut raw = Raw::open(&provider).await;
    raw.send(&refresh(&provider, &first.refresh)).await;
    control.until_held("g", 1).await;
    drop(raw);
    until(control, |entry| matches!(entry.what, What::Aborted { by: Side::Peer, .. })).await;
    assert_eq!((control.held("g"), control.open_exchanges(), control.release("g")), (0, 0, 0));
    assert_eq!(once(&provider, &refresh(&provider, &first.refresh)).await.status, 200, "it never took effect");
}

#[tokio::test]
async fn a_reset_is_a_reset() {
    let provider = provider().await;
    provider.control().install(Rule { on: Match::default(), at: Point::Arrived, fate: Fate::Reset, until: None });
    let mut raw = Raw::open(&provider).await;
    raw.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n").await;
    let error = raw.tcp.read_u8().await.expect_err("no byte");
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
    until(provider.control(), |entry| matches!(entry.what, What::Closed { by: Side::Provider, .. })).await;
}

#[tokio::test]
async fn a_reply_can_stop_half_way() {
    let provider = provider().await;
    let control = provider.control();
    let token = connect(&provider).await.access;
    let on = Match { endpoint: Some(Endpoint::Api), nth: Some(1), ..Match::default() };
    control.install(Rule { on: on.clone(), at: Point::Replying, fate: Fate::Drop, until: None });
    let mut raw = Raw::open(&provider).await;
    raw.send(&get("/v2/employees", &token)).await;
    let mut half = Vec::new();
    raw.tcp.read_to_end(&mut half).await.expect("an orderly end");
    let aborted = until(control, |entry| matches!(entry.what, What::Aborted { by: Side::Provider, .. })).await;
    assert!(matches!(aborted.what, What::Aborted { written, .. } if written == half.len() as u64 && written > 100), "{aborted:?}");
    assert!(half.starts_with(b"HTTP/1.1 200"));

    control.install(Rule { on, at: Point::Replying, fate: Fate::Hold("half".into()), until: None });
    raw = Raw::open(&provider).await;
    raw.send(&get("/v2/employees", &token)).await;
    control.until_held("half", 1).await;
    control.release("half");
    assert_eq!(raw.receive().await.status, 200, "the rest follows");
}

#[tokio::test]
async fn a_request_that_hangs_stays_open_until_the_subject_ends_it() {
    let provider = provider().await;
    let control = provider.control();
    control.install(Rule { on: Match::default(), at: Point::Arrived, fate: Fate::Hang, until: None });
    let mut raw = Raw::open(&provider).await;
    raw.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n").await;
    until(control, |entry| matches!(entry.what, What::Faulted { .. })).await;
    assert_eq!(control.open_exchanges(), 1);
    drop(raw);
    until(control, |entry| matches!(entry.what, What::Closed { by: Side::Peer, .. })).await;
    assert_eq!(control.open_exchanges(), 0);
}

#[tokio::test]
async fn a_reply_is_read_when_the_subject_reads_it_and_not_before() {
    let provider = provider().await;
    let control = provider.control();
    let mut raw = Raw::open(&provider).await;
    raw.send("GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n").await;
    until(control, replied_to(1)).await;
    // The kernel has the reply; the program has not. Forty looks at the queue fit into this.
    tokio::time::sleep(std::time::Duration::from_millis(60)).await;
    assert!(!control.journal().iter().any(read_of(1)), "nobody has read it");
    let before = control.now();
    raw.receive().await;
    let read = until(control, read_of(1)).await;
    assert!(read.at >= before, "{:?} < {before:?}", read.at);
}

#[tokio::test]
async fn the_next_request_on_a_connection_comes_after_the_read_of_the_last_reply() {
    let provider = provider().await;
    let control = provider.control();
    let mut raw = Raw::open(&provider).await;
    for _ in 0..50 {
        raw.ask("GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n").await;
    }
    until(control, read_of(50)).await;
    let place = |found: &dyn Fn(&What) -> bool| control.journal().iter().find(|entry| found(&entry.what)).map(|entry| entry.n);
    for exchange in 1..50 {
        let read = place(&|what| matches!(what, What::Read { exchange: e } if *e == exchange));
        let next = place(&|what| matches!(what, What::Arrived(arrived) if arrived.exchange == exchange + 1));
        assert!(read.is_some() && read < next, "{exchange}: {read:?} {next:?}");
    }
}

#[tokio::test]
async fn a_subject_killed_before_it_read_has_not_read() {
    let provider = provider().await;
    let control = provider.control();
    let mut raw = Raw::open(&provider).await;
    raw.send("GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n").await;
    until(control, replied_to(1)).await;
    drop(raw);
    until(control, |entry| matches!(entry.what, What::Closed { .. })).await;
    assert!(control.journal().iter().any(|entry| matches!(entry.what, What::ReadUnknown { exchange: 1 })));
    assert!(!control.journal().iter().any(read_of(1)));
}

#[tokio::test]
async fn stopping_ends_what_is_open_and_says_so() {
    let provider = provider().await;
    let control = provider.control().clone();
    control.install(Rule { on: Match::default(), at: Point::Arrived, fate: Fate::Hold("g".into()), until: None });
    let mut raw = Raw::open(&provider).await;
    raw.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n").await;
    control.until_held("g", 1).await;
    tokio::time::timeout(PATIENCE, provider.stop()).await.expect("it stops");
    assert!(raw.try_receive().await.is_none());
    let last: Vec<What> = control.journal().into_iter().rev().take(2).map(|entry| entry.what).collect();
    assert!(matches!(last.as_slice(), [What::Closed { by: Side::Provider, .. }, What::Aborted { by: Side::Provider, .. }]), "{last:?}");
    assert_eq!(control.open_exchanges(), 0);
}

#[tokio::test]
async fn what_is_no_request_is_refused_and_harms_nobody() {
    let provider = provider().await;
    for (text, status) in [
        ("nonsense\r\n\r\n".to_owned(), 400),
        (format!("GET / HTTP/1.1\r\nX: {}\r\n\r\n", "a".repeat(70_000)), 431),
        ("POST /oauth/token HTTP/1.1\r\nHost: x\r\nContent-Length: 2000000\r\n\r\n".to_owned(), 413),
        ("GET / HTTP/3.0\r\n\r\n".to_owned(), 505),
    ] {
        let answer = once(&provider, &text).await;
        assert_eq!(answer.status, status, "{}", &text[..20.min(text.len())]);
    }
    assert_eq!(once(&provider, "GET / HTTP/1.0\r\n\r\n").await.status, 404);
}

#[tokio::test]
async fn a_body_may_come_in_chunks_after_a_word_to_go_on() {
    let provider = provider().await;
    let mut raw = Raw::open(&provider).await;
    raw.send("POST /oauth/token HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nTransfer-Encoding: chunked\r\nContent-Type: application/x-www-form-urlencoded\r\n\r\n").await;
    assert_eq!(raw.receive().await.status, 100);
    raw.send("a\r\ngrant_type\r\n5\r\n=pass\r\n0\r\n\r\n").await;
    assert_eq!(raw.receive().await.json()["error"], "invalid_client");
}

#[tokio::test]
async fn a_last_reply_is_read_whole_and_then_the_connection_ends() {
    let provider = provider().await;
    let control = provider.control();
    let mut raw = Raw::open(&provider).await;
    raw.send("GET /nothing HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await;
    until(control, replied_to(1)).await;
    // Longer than the provider keeps its FIN back: it must not be taken for something unread, nor its arrival for a read.
    tokio::time::sleep(std::time::Duration::from_millis(320)).await;
    assert_eq!(control.open_exchanges(), 0, "a reply that was written is no open request");
    assert!(!control.journal().iter().any(read_of(1)), "nobody has read it");
    assert_eq!(raw.receive().await.header("connection").as_deref(), Some("close"));
    until(control, read_of(1)).await;
    assert_eq!(raw.tcp.read(&mut [0; 1]).await.expect("an orderly end"), 0);
    drop(raw);
    until(control, |entry| matches!(entry.what, What::Closed { .. })).await;
}

#[tokio::test]
async fn releasing_its_name_ends_a_rule() {
    let provider = provider().await;
    let fate = Fate::Status { code: 503, error: None, description: None, retry_after: None };
    provider.control().install(Rule { on: Match::default(), at: Point::Arrived, fate, until: Some("end".into()) });
    let ask = async || once(&provider, "GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n").await.status;
    assert_eq!([ask().await, ask().await], [503, 503]);
    provider.control().release("end");
    assert_eq!(ask().await, 404);
}
