//! Gates: how they open, in which order, and what they say of those that did not come.

use std::{num::NonZeroU32, time::Duration};

use regrant_mock_server::{
    Control, Provider,
    fault::{Fate, GateOptions, Match, OnTimeout, Order, Point, Rule},
    journal::{Exchange, What},
};

use crate::support::*;

const REQUEST: &str = "GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n";

fn hold(control: &Control, at: Point) -> u32 {
    control.install(Rule { on: Match::default(), at, fate: Fate::Hold("g".into()), until: None })
}

/// So many more requests that the gate holds, in order of arrival.
async fn held(provider: &Provider, count: usize) -> Vec<Raw> {
    let mut waiting = Vec::new();
    for _ in 0..count {
        let so_far = provider.control().held("g");
        let mut raw = Raw::open(provider).await;
        raw.send(REQUEST).await;
        tokio::time::timeout(PATIENCE, provider.control().until_held("g", so_far + 1)).await.expect("held");
        waiting.push(raw);
    }
    waiting
}

/// The exchanges in the order in which their replies were written.
async fn written(control: &Control, count: usize) -> Vec<Exchange> {
    let mut lines = control.follow();
    let mut written = Vec::new();
    while written.len() < count {
        let entry = tokio::time::timeout(PATIENCE, lines.recv()).await.expect("in time").expect("it goes on");
        if let What::Replied(reply) = entry.what {
            written.push(reply.exchange);
        }
    }
    written
}

fn every_order() -> [GateOptions; 3] {
    [Order::Arrival, Order::Reverse, Order::Seeded].map(|order| GateOptions { order, ..GateOptions::default() })
}

#[tokio::test]
async fn replies_are_written_in_the_order_of_their_release() {
    let mut seen = Vec::new();
    for options in every_order() {
        let provider = provider().await;
        let control = provider.control();
        control.gate("g", options);
        hold(control, Point::Committed);
        let _waiting = held(&provider, 8).await;
        assert_eq!(control.release("g"), 8);
        seen.push(written(control, 8).await);
    }
    assert_eq!(seen[0], [1, 2, 3, 4, 5, 6, 7, 8]);
    assert_eq!(seen[1], [8, 7, 6, 5, 4, 3, 2, 1]);
    assert!(!seen[..2].contains(&seen[2]), "{seen:?}");
}

#[tokio::test]
async fn requests_take_effect_in_the_order_of_their_release() {
    let provider = provider().await;
    let control = provider.control();
    let first = connect(&provider).await;
    hold(control, Point::Arrived);
    let mut waiting = Vec::new();
    for count in 1..=3 {
        let mut raw = Raw::open(&provider).await;
        raw.send(&refresh(&provider, &first.refresh)).await;
        tokio::time::timeout(PATIENCE, control.until_held("g", count)).await.expect("held");
        waiting.push(raw);
    }
    assert_eq!(control.release_in("g", Order::Reverse), 3);
    let mut statuses = Vec::new();
    for mut raw in waiting {
        statuses.push(raw.receive().await.status);
    }
    assert_eq!(statuses, [400, 400, 200], "the last to arrive was the first to go");
}

#[tokio::test]
async fn a_gate_opens_by_itself_when_it_holds_enough() {
    let provider = provider().await;
    let control = provider.control();
    control.gate("g", GateOptions { opens_at: Some(3), ..GateOptions::default() });
    hold(control, Point::Arrived);
    let mut waiting = held(&provider, 2).await;
    let mut third = Raw::open(&provider).await;
    assert_eq!(third.ask(REQUEST).await.status, 404);
    for raw in &mut waiting {
        assert_eq!(raw.receive().await.status, 404);
    }
    assert_eq!(third.ask(REQUEST).await.status, 404, "it stays open");
}

#[tokio::test]
async fn a_gate_that_rearms_closes_again() {
    let provider = provider().await;
    let control = provider.control();
    control.gate("g", GateOptions { opens_at: Some(2), rearm: true, ..GateOptions::default() });
    hold(control, Point::Arrived);
    for _ in 0..2 {
        let mut waiting = held(&provider, 1).await;
        assert_eq!(once(&provider, REQUEST).await.status, 404);
        assert_eq!(waiting[0].receive().await.status, 404);
    }
}

#[tokio::test]
async fn one_after_the_other_is_let_go_and_the_gate_stays_closed() {
    let provider = provider().await;
    let control = provider.control();
    hold(control, Point::Committed);
    let mut waiting = held(&provider, 4).await;
    assert!(control.release_nth("g", 3) && !control.release_nth("g", 4) && !control.release_nth("g", 0));
    assert_eq!(waiting[2].receive().await.status, 404);
    assert!(control.release_one("g"));
    assert_eq!(waiting[0].receive().await.status, 404);
    assert!(control.release_exchange("g", 4) && !control.release_exchange("g", 4));
    assert_eq!(waiting[3].receive().await.status, 404);
    assert!(control.drop_nth("g", 1));
    assert!(waiting[1].try_receive().await.is_none());
    let _more = held(&provider, 1).await;
    assert_eq!(control.held("g"), 1, "it stays closed");
}

/// The first reply takes about a quarter of a second to write.
fn slow_down_the_first(control: &Control) {
    let fate = Fate::Throttle { bytes_per_second: NonZeroU32::new(240).expect("some") };
    control.install(Rule { on: Match { nth: Some(1), ..Match::default() }, at: Point::Arrived, fate, until: None });
}

#[tokio::test]
async fn the_next_goes_only_when_the_one_before_was_fully_written() {
    let provider = provider().await;
    let control = provider.control();
    slow_down_the_first(control);
    hold(control, Point::Committed);
    let _waiting = held(&provider, 3).await;
    assert!(control.release_one("g") && control.release_nth("g", 2));
    assert_eq!(control.release("g"), 1);
    assert_eq!(written(control, 3).await, [1, 3, 2]);
}

#[tokio::test]
async fn nobody_overtakes_because_one_between_has_left() {
    let provider = provider().await;
    let control = provider.control();
    slow_down_the_first(control);
    hold(control, Point::Committed);
    let mut waiting = held(&provider, 3).await;
    assert_eq!(control.release("g"), 3);
    drop(waiting.remove(1));
    until(control, |entry| matches!(entry.what, What::Aborted { exchange: 2, .. })).await;
    assert_eq!(written(control, 2).await, [1, 3]);
}

#[tokio::test]
async fn when_its_time_is_over_a_gate_says_what_did_not_come() {
    for (then, answered) in [(OnTimeout::Open, true), (OnTimeout::Drop, false)] {
        let provider = provider().await;
        let control = provider.control();
        let timeout = Some(Duration::from_millis(80));
        control.gate("g", GateOptions { opens_at: Some(8), timeout, then, ..GateOptions::default() });
        let rule = hold(control, Point::Arrived);
        let mut waiting = held(&provider, 2).await;
        for raw in &mut waiting {
            assert_eq!(raw.try_receive().await.is_some(), answered);
        }
        let timed_out = until(control, |entry| matches!(entry.what, What::GateTimedOut { .. })).await;
        let What::GateTimedOut { came, wanted, dropped, story, .. } = timed_out.what else { panic!("{timed_out:?}") };
        assert_eq!((came, wanted, dropped), (2, Some(8), !answered));
        assert!(story.starts_with(&format!("g: 2 of 8 came within 80ms: no request matched rule {rule} in the last ")), "{story}");
        assert_eq!(control.gates()[0].said.as_deref(), Some(story.as_str()));
        assert_eq!(once(&provider, REQUEST).await.status, 404, "it stands open now");
    }
}

#[tokio::test]
async fn the_time_of_a_gate_begins_with_the_first_that_it_holds() {
    let provider = provider().await;
    let control = provider.control();
    let options = GateOptions { timeout: Some(Duration::from_millis(60)), rearm: true, ..GateOptions::default() };
    control.gate("g", options);
    hold(control, Point::Arrived);
    // Longer than the gate's time: nothing is held yet.
    tokio::time::sleep(Duration::from_millis(90)).await;
    for _ in 0..2 {
        let began = control.now();
        assert_eq!(once(&provider, REQUEST).await.status, 404);
        assert!(control.now() - began >= Duration::from_millis(60));
    }
}

#[tokio::test]
async fn an_await_in_vain_says_what_did_not_come() {
    let provider = provider().await;
    let control = provider.control();
    let brief = Duration::from_millis(30);
    let missing = control.until_held_within("g", 2, brief).await.expect_err("nothing came");
    assert_eq!(missing.to_string(), "g: 0 of 2 came within 30ms: no rule holds anything there");
    let rule = hold(control, Point::Arrived);
    let missing = control.until_held_within("g", 2, brief).await.expect_err("nothing came");
    assert_eq!(missing.to_string(), format!("g: 0 of 2 came within 30ms: rule {rule} matched no request"));
    let _one = held(&provider, 1).await;
    let missing = control.until_held_within("g", 2, brief).await.expect_err("one came");
    assert!(missing.to_string().starts_with("g: 1 of 2 came within 30ms: no request matched rule 1 in the last "), "{missing}");
    assert!(control.until_held_within("g", 1, brief).await.is_ok());
}
