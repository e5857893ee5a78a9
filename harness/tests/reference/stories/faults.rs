//! The token endpoint and the API misbehave.

use std::{collections::BTreeMap, time::Duration};

use regrant_mock_server::{
    TokenShape,
    authority::{Dialect, Kind, Rotation, TokenState},
    fault::{Fate, Match, Point, Rule},
    journal::{Arrived, Endpoint},
};

use super::{Misses, Sheet, UNAVAILABLE, page, presented};
use crate::bench::Bench;

/// The token endpoint has its bad moments.
pub async fn blips(defects: &[&'static str]) -> Misses {
    let mut sheet = Sheet::new();
    let bench = Bench::connected(defects).await;
    // Unavailable for a while.
    let mark = bench.mark();
    bench.reject();
    let rule = bench.on_refresh(Point::Arrived, None, UNAVAILABLE);
    bench.trigger().await;
    sheet.holds("RETRY-02", bench.refreshes(mark).len() <= 5);
    sheet.holds("RETRY-01", bench.status().await.as_deref() == Some("connected") && bench.stores(&bench.newest(Kind::Refresh)));
    sheet.holds("PROMPT-03", !page(&bench).await.contains("href=\"/connect"));
    bench.control.remove(rule);
    sheet.holds("RETRY-04", bench.trigger().await.as_deref() == Some("work_done"));

    // An answer without tokens.
    let mark = bench.mark();
    bench.reject();
    let nothing = Fate::Replace {
        status: Some(200),
        content_type: Some("application/json".into()),
        headers: BTreeMap::default(),
        body: r#"{"hello":1}"#.into(),
    };
    let rule = bench.on_refresh(Point::Arrived, None, nothing);
    bench.trigger().await;
    let invented = bench.requests(Endpoint::Api, mark).iter().any(|request| presented(std::slice::from_ref(request), "undefined"));
    sheet.holds("DETECT-08", !invented && !bench.stores("undefined"));
    bench.control.remove(rule);
    sheet.holds("RETRY-04", bench.trigger().await.as_deref() == Some("work_done"));

    // Asked for patience.
    let mark = bench.mark();
    bench.reject();
    let patience = Fate::Status { code: 503, error: None, description: None, retry_after: Some(1.into()) };
    bench.on_refresh(Point::Arrived, Some(1), patience);
    bench.trigger().await;
    let begun: Vec<_> = bench.refreshes(mark).iter().map(|request| request.began).collect();
    sheet.holds("RETRY-03", begun.len() < 2 || begun[1] - begun[0] >= Duration::from_millis(990));

    // A reply is lost after the tokens were swapped.
    let mark = bench.mark();
    bench.reject();
    let rule = bench.on_refresh(Point::Committed, None, Fate::Drop);
    bench.trigger().await;
    bench.control.remove(rule);
    bench.trigger().await;
    sheet.holds("RETRY-07", bench.refreshes(mark).len() <= 6);
    sheet.0
}

/// Refusals in other words, and APIs that stay unfriendly.
pub async fn refusals(defects: &[&'static str]) -> Misses {
    let mut sheet = Sheet::new();
    let bench = Bench::connected(defects).await;
    let words = [
        ("DETECT-02", "invalid_token", 400),
        ("DETECT-02", "invalid_token", 401),
        ("DETECT-03", "invalid_refresh_token", 400),
        ("DETECT-03", "token_gone", 403),
    ];
    for (id, error, status) in words {
        bench.control.policy(|policy| policy.refused_with = Dialect { error: error.into(), description: None, status });
        bench.revoke();
        bench.trigger().await;
        sheet.holds(id, bench.status().await.as_deref() == Some("needs_reauth"));
        bench.get("/connect").await;
        bench.trigger().await;
    }
    for (id, code) in [("DETECT-05", 401), ("DETECT-06", 403)] {
        let on = Match { endpoint: Some(Endpoint::Api), ..Match::default() };
        let rule = bench.control.install(Rule {
            on,
            at: Point::Arrived,
            fate: Fate::Status { code, error: None, description: None, retry_after: None },
            until: None,
        });
        let mark = bench.mark();
        bench.trigger().await;
        sheet.holds("DETECT-05", bench.refreshes(mark).len() <= 2);
        if code == 403 {
            sheet.holds(id, bench.stores(&bench.newest(Kind::Refresh)));
        }
        bench.control.remove(rule);
        bench.get("/connect").await;
        bench.trigger().await;
    }
    sheet.0
}

/// Lifetimes and shapes of tokens.
pub async fn shapes(defects: &[&'static str]) -> Misses {
    let mut sheet = Sheet::new();
    let bench = Bench::start(defects).await;
    bench.control.token_shape(TokenShape::Odd);
    bench.control.policy(|policy| policy.access_lifetime = Duration::from_secs(2));
    bench.get("/connect").await;
    bench.trigger().await;
    // The subject's clock is the true one.
    tokio::time::sleep(Duration::from_millis(2_100)).await;
    let mark = bench.mark();
    let mut intact = bench.trigger().await.as_deref() == Some("work_done");
    let expired = |request: &Arrived| request.presented.as_ref().is_some_and(|presented| presented.state == TokenState::Expired);
    sheet.holds("REFRESH-04", !bench.requests(Endpoint::Api, mark).iter().any(expired));
    bench.control.policy(|policy| policy.access_lifetime = Duration::from_secs(900));
    for _ in 0..6 {
        bench.reject();
        intact &= bench.trigger().await.as_deref() == Some("work_done");
    }
    sheet.holds("REFRESH-05", intact);
    let nameless = serde_json::json!({ "access_token": "made-up", "token_type": "Bearer", "refresh_token": bench.newest(Kind::Refresh) });
    bench.reject();
    let mark = bench.mark();
    let fate = Fate::Replace {
        status: Some(200),
        content_type: Some("application/json".into()),
        headers: BTreeMap::default(),
        body: nameless.to_string(),
    };
    let rule = bench.on_refresh(Point::Arrived, Some(1), fate);
    bench.trigger().await;
    bench.control.remove(rule);
    sheet.holds("REFRESH-06", presented(&bench.requests(Endpoint::Api, mark), "made-up"));
    bench.get("/connect").await;
    bench.control.policy(|policy| policy.rotation = Rotation::Off);
    let mut kept = true;
    for _ in 0..2 {
        bench.reject();
        kept &= bench.trigger().await.as_deref() == Some("work_done");
    }
    sheet.holds("REFRESH-07", kept);
    sheet.0
}

/// The token endpoint hangs.
pub async fn hanging(defects: &[&'static str]) -> Misses {
    let mut sheet = Sheet::new();
    let bench = Bench::connected(defects).await;
    bench.reject();
    bench.on_refresh(Point::Arrived, Some(1), Fate::Hang);
    let from = bench.line_count();
    bench.post("/sync", "{}").await;
    let mut ended = false;
    for _ in 0..8 {
        ended |= bench.said(from, &["token_refresh_unavailable"]).await.is_some();
    }
    sheet.holds("RETRY-05", ended);
    sheet.0
}
