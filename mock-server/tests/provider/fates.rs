//! What becomes of replies: redirected, cut short, garbled, dripping. And which rule decides.

use std::{collections::BTreeMap, num::NonZeroU32, time::Duration};

use regrant_mock_server::{
    fault::{Ahead, CutShort, Fate, Garble, Match, Point, RetryAfter, Rule},
    journal::{Endpoint, Side, What},
};
use tokio::io::AsyncReadExt as _;

use crate::support::*;

fn on_api(fate: Fate) -> Rule {
    Rule { on: Match { endpoint: Some(Endpoint::Api), ..Match::default() }, at: Point::Arrived, fate, until: None }
}

const EMPLOYEES: &str = "/v2/employees";

/// All bytes that come before the connection ends, and how it ends.
async fn to_the_end(raw: &mut Raw) -> (String, std::io::Result<()>) {
    let mut bytes = Vec::new();
    let ended = loop {
        match tokio::time::timeout(PATIENCE, raw.tcp.read_buf(&mut bytes)).await.expect("in time") {
            Ok(0) => break Ok(()),
            Ok(_) => {}
            Err(error) => break Err(error),
        }
    };
    (String::from_utf8_lossy(&bytes).into_owned(), ended)
}

#[tokio::test]
async fn a_redirect_leads_where_it_is_told_to() {
    for status in [301, 302, 303, 307, 308] {
        let provider = provider().await;
        let first = connect(&provider).await;
        provider.control().install(first_refresh(Point::Arrived, Fate::Redirect { to: "/elsewhere".into(), status: Some(status) }));
        let sent = once(&provider, &refresh(&provider, &first.refresh)).await;
        assert_eq!((sent.status, sent.header("location").as_deref()), (status, Some("/elsewhere")));
        assert_eq!(once(&provider, &refresh(&provider, &first.refresh)).await.status, 200, "nothing was committed");
    }
}

#[tokio::test]
async fn a_truncated_body_keeps_its_content_length_and_ends_as_told() {
    for (then, reset) in [(CutShort::Fin, false), (CutShort::Reset, true)] {
        let provider = provider().await;
        let control = provider.control();
        let first = connect(&provider).await;
        control.install(first_refresh(Point::Committed, Fate::Truncate { after: Some(20), then }));
        let mut raw = Raw::open(&provider).await;
        raw.send(&refresh(&provider, &first.refresh)).await;
        let (text, ended) = to_the_end(&mut raw).await;
        assert_eq!(ended.is_err_and(|error| error.kind() == std::io::ErrorKind::ConnectionReset), reset);
        // An RST may overtake what was written before it.
        if !reset {
            let (head, body) = text.split_once("\r\n\r\n").expect("a whole head");
            assert_eq!(body.len(), 20, "{text}");
            assert!(!head.contains("Content-Length: 20\r"), "{head}");
        }
        until(control, |entry| matches!(entry.what, What::Aborted { by: Side::Provider, written, .. } if written > 100)).await;
        assert_eq!(issued(control), 2, "the tokens are committed all the same");
    }
}

#[tokio::test]
async fn a_body_can_stop_and_the_connection_stay() {
    let provider = provider().await;
    let control = provider.control();
    let token = connect(&provider).await.access;
    control.install(on_api(Fate::Truncate { after: None, then: CutShort::Hang }));
    let mut raw = Raw::open(&provider).await;
    raw.send(&get(EMPLOYEES, &token)).await;
    let mut some = [0; 64];
    raw.tcp.read_exact(&mut some).await.expect("the beginning");
    assert_eq!(control.open_exchanges(), 1);
    drop(raw);
    until(control, |entry| matches!(entry.what, What::Aborted { by: Side::Peer, .. })).await;
}

#[tokio::test]
async fn a_garbled_reply_was_committed() {
    for how in [Garble::Json, Garble::Utf8, Garble::Empty, Garble::ContentType, Garble::NoContentType] {
        let provider = provider().await;
        let first = connect(&provider).await;
        provider.control().install(first_refresh(Point::Arrived, Fate::Garble(how)));
        let answer = once(&provider, &refresh(&provider, &first.refresh)).await;
        assert_eq!(answer.status, 200);
        // The support reads what is no UTF-8 as this character.
        let is_json = !answer.body.contains('\u{fffd}') && serde_json::from_str::<serde_json::Value>(&answer.body).is_ok();
        assert_eq!(is_json, matches!(how, Garble::ContentType | Garble::NoContentType), "{how:?} {answer:?}");
        let kind = answer.header("content-type");
        match how {
            Garble::ContentType => assert_eq!(kind.as_deref(), Some("text/html; charset=utf-8")),
            Garble::NoContentType => assert_eq!(kind, None),
            Garble::Json | Garble::Utf8 | Garble::Empty => assert!(kind.is_some_and(|kind| kind.starts_with("application/json"))),
        }
        assert_eq!(once(&provider, &refresh(&provider, &first.refresh)).await.status, 400, "{how:?}: the token was rotated");
    }
}

#[tokio::test]
async fn a_throttled_body_drips_and_arrives_whole() {
    let provider = provider().await;
    let control = provider.control();
    let token = connect(&provider).await.access;
    let whole = once(&provider, &get(EMPLOYEES, &token)).await;
    let rate = u32::try_from(whole.body.len()).expect("short") * 4;
    control.install(on_api(Fate::Throttle { bytes_per_second: NonZeroU32::new(rate).expect("some") }));
    let began = control.now();
    let slow = once(&provider, &get(EMPLOYEES, &token)).await;
    assert_eq!(slow.body, whole.body);
    assert!(control.now() - began >= Duration::from_millis(190), "a quarter of a second, less what the last piece waits for");
    let replied = until(control, replied_to(last_exchange(control))).await;
    assert!(replied.at - began >= Duration::from_millis(190), "it is dated when its last piece went out");
}

#[tokio::test]
async fn a_page_any_body_and_any_header_can_take_the_place_of_a_reply() {
    let provider = provider().await;
    let first = connect(&provider).await;
    let headers = BTreeMap::from([("X-Cache".to_owned(), "MISS".to_owned())]);
    let body = "<!doctype html><title>Bad gateway</title>".to_owned();
    provider.control().install(first_refresh(
        Point::Decided,
        Fate::Replace { status: Some(502), content_type: Some("text/html".into()), headers, body: body.clone() },
    ));
    let page = once(&provider, &refresh(&provider, &first.refresh)).await;
    assert_eq!((page.status, page.body.as_str(), page.header("x-cache").as_deref()), (502, body.as_str(), Some("MISS")));
    provider.control().install(first_refresh(
        Point::Decided,
        Fate::Status { code: 200, error: Some("invalid_grant".into()), description: None, retry_after: None },
    ));
    let odd = once(&provider, &refresh(&provider, &first.refresh)).await;
    assert_eq!((odd.status, &odd.json()["error"]), (200, &"invalid_grant".into()));
}

#[tokio::test]
async fn retry_after_is_seconds_a_date_or_nonsense() {
    let provider = provider().await;
    for (retry_after, seconds) in [
        (RetryAfter::Seconds(30), Some("30")),
        (RetryAfter::Text("soon".into()), Some("soon")),
        (RetryAfter::Date(Ahead { date: PATIENCE }), None),
    ] {
        let fate = Fate::Status { code: 429, error: None, description: None, retry_after: Some(retry_after) };
        let rule = provider.control().install(Rule { on: Match::default(), at: Point::Arrived, fate, until: None });
        let answer = once(&provider, "GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n").await;
        let said = answer.header("retry-after").expect("there");
        match seconds {
            Some(seconds) => assert_eq!(said, seconds),
            None => assert!(said.ends_with(" GMT") && Some(said) != answer.header("date"), "{answer:?}"),
        }
        provider.control().remove(rule);
    }
}

#[tokio::test]
async fn several_shapes_may_meet_one_request() {
    let provider = provider().await;
    let control = provider.control();
    let token = connect(&provider).await.access;
    control.install(on_api(Fate::Truncate { after: Some(5), then: CutShort::Fin }));
    control.install(Rule { at: Point::Committed, ..on_api(Fate::Garble(Garble::ContentType)) });
    let mut raw = Raw::open(&provider).await;
    raw.send(&get(EMPLOYEES, &token)).await;
    let (text, _) = to_the_end(&mut raw).await;
    let (head, body) = text.split_once("\r\n\r\n").expect("a head");
    assert_eq!((body.len(), head.contains("text/html")), (5, true), "{text}");
}

#[tokio::test]
async fn what_comes_in_the_middle_of_a_reply_takes_hold_from_its_start_where_it_must() {
    let provider = provider().await;
    let token = connect(&provider).await.access;
    let rule = |fate| Rule { at: Point::Replying, ..on_api(fate) };
    let first = provider.control().guard(rule(Fate::Redirect { to: "/".into(), status: None }));
    assert_eq!(once(&provider, &get(EMPLOYEES, &token)).await.status, 302);
    drop(first);
    let second = provider.control().guard(rule(Fate::Garble(Garble::Empty)));
    assert_eq!(once(&provider, &get(EMPLOYEES, &token)).await.body, "");
    drop(second);
    assert!(once(&provider, &get(EMPLOYEES, &token)).await.json().is_object(), "the guards took their rules with them");
}

#[tokio::test]
async fn a_guard_that_is_told_to_keep_its_rule_does() {
    let provider = provider().await;
    let guard = provider.control().guard(Rule { on: Match::default(), at: Point::Arrived, fate: Fate::Drop, until: None });
    let rule = guard.keep().expect("a rule");
    assert!(Raw::open(&provider).await.try_ask("GET / HTTP/1.1\r\nHost: x\r\n\r\n").await.is_none());
    assert!(provider.control().remove(rule));
}

#[tokio::test]
async fn rules_know_client_company_and_generation() {
    let provider = provider().await;
    let control = provider.control();
    let first = connect(&provider).await;
    assert!(control.consent_for(1));
    let other = connect(&provider).await;
    let refused = Fate::Status { code: 503, error: None, description: None, retry_after: None };
    let install = |on: Match| control.guard(Rule { on, at: Point::Arrived, fate: refused.clone(), until: None });
    let status = async |token: &str| once(&provider, &get(EMPLOYEES, token)).await.status;

    let company = install(Match { company: Some(1), ..Match::default() });
    assert_eq!([status(&first.access).await, status(&other.access).await], [200, 503]);
    drop(company);
    let client = install(Match { client: Some(provider.client().0), endpoint: Some(Endpoint::Token), ..Match::default() });
    assert_eq!(once(&provider, &refresh(&provider, &first.refresh)).await.status, 503);
    drop(client);
    let stranger = install(Match { client: Some("somebody else".into()), ..Match::default() });
    let next = tokens(&once(&provider, &refresh(&provider, &first.refresh)).await);
    drop(stranger);
    let generation = install(Match { generation: Some(1), ..Match::default() });
    assert_eq!([status(&next.access).await, status(&other.access).await], [503, 200]);
    assert_eq!(once(&provider, &refresh(&provider, &next.refresh)).await.status, 503);
    assert_eq!(once(&provider, &refresh(&provider, &other.refresh)).await.status, 200, "the first of its line");
    drop(generation);
}

#[tokio::test]
async fn an_outage_ends_when_the_clock_is_moved() {
    let provider = provider().await;
    let control = provider.control();
    let on = Match { lasting: Some(Duration::from_secs(3600)), ..Match::default() };
    control.install(Rule {
        on,
        at: Point::Arrived,
        fate: Fate::Status { code: 503, error: None, description: None, retry_after: None },
        until: None,
    });
    let ask = async || once(&provider, "GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n").await.status;
    assert_eq!(ask().await, 503);
    control.advance(Duration::from_secs(3600));
    assert_eq!(ask().await, 404);
}

#[tokio::test]
async fn rules_count_again_after_a_reset() {
    let provider = provider().await;
    let control = provider.control();
    let fate = Fate::Status { code: 503, error: None, description: None, retry_after: None };
    let rule = Rule { on: Match::default(), at: Point::Arrived, fate, until: None };
    let ask = async || once(&provider, "GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n").await.status;
    control.install(rule.clone());
    control.reset();
    assert_eq!(ask().await, 404);
    control.install(rule);
    assert_eq!(ask().await, 503);
}
