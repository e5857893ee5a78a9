//! Refreshes and other things at once.

use std::time::Duration;

use regrant_mock_server::{
    authority::Kind,
    control::UnitKind,
    fault::{Fate, Match, Point, Rule},
    journal::Endpoint,
};

use super::{Misses, Sheet};
use crate::bench::Bench;

/// Refreshes meet other things.
pub async fn races(defects: &[&'static str]) -> Misses {
    let mut sheet = Sheet::new();
    let bench = Bench::connected(defects).await;
    // Three pieces of work want a token while a refresh is held.
    let units = bench.control.add_work(UnitKind::Export, 2);
    let mark = bench.mark();
    bench.reject();
    let rule = bench.on_refresh(Point::Arrived, None, Fate::Hold("swap".into()));
    let meanwhile = async {
        bench.held("swap").await;
        let asked = tokio::time::Instant::now();
        let answered = bench.status().await.is_some() && asked.elapsed() < Duration::from_secs(2);
        tokio::join!(bench.post("/sync", "{}"), bench.post("/sync", "{}"));
        answered
    };
    // Side by side: whoever answers late must not keep the refresh held until it is given up.
    let (_, answered) = tokio::join!(bench.post("/sync", "{}"), meanwhile);
    sheet.holds("RECOVER-07", answered);
    if defects.contains(&"no-single-flight") {
        drop(tokio::time::timeout(Duration::from_secs(5), bench.control.until_held("swap", 2)).await);
    }
    sheet.holds("RACE-01", bench.refreshes(mark).len() <= 1);
    let from = bench.line_count();
    bench.control.release("swap");
    bench.control.remove(rule);
    bench.said(from, &["work_done"]).await;
    bench.trigger().await;
    let delivered = |unit: &str| {
        bench
            .requests(Endpoint::Api, 0)
            .iter()
            .any(|request| request.method == "PUT" && String::from_utf8_lossy(&request.body).contains(unit))
    };
    sheet.holds("RACE-03", units.iter().all(|unit| delivered(&unit.id)));

    // Two calls meet 401 at once; one of them refreshes.
    let on = Match { endpoint: Some(Endpoint::Api), path: Some("/v2/employees".into()), times: Some(2), ..Match::default() };
    let rule = bench.control.install(Rule { on, at: Point::Arrived, fate: Fate::Hold("siblings".into()), until: None });
    let rejecting = async {
        drop(tokio::time::timeout(Duration::from_secs(5), bench.control.until_held("siblings", 2)).await);
        bench.reject();
        bench.control.release("siblings")
    };
    let (one, other, held) = tokio::join!(bench.trigger(), bench.trigger(), rejecting);
    assert!(held == 2 || !defects.is_empty(), "two calls overlap");
    sheet.holds("RACE-11", one.as_deref() == Some("work_done") && other.as_deref() == Some("work_done"));
    bench.control.remove(rule);

    // The refusal of an old token comes after a reconnection.
    bench.reject();
    let rule = bench.on_refresh(Point::Arrived, Some(1), Fate::Hold("refusal".into()));
    bench.post("/sync", "{}").await;
    bench.held("refusal").await;
    bench.revoke();
    bench.get("/connect").await;
    let from = bench.line_count();
    bench.control.release("refusal");
    bench.said(from, &["token_refresh_refused"]).await;
    bench.trigger().await;
    sheet.holds("RACE-05", bench.status().await.as_deref() == Some("connected"));
    bench.control.remove(rule);

    // New tokens come after the user disconnected.
    bench.get("/connect").await;
    bench.reject();
    bench.on_refresh(Point::Committed, Some(1), Fate::Hold("tokens".into()));
    bench.post("/sync", "{}").await;
    bench.held("tokens").await;
    let mark = bench.mark();
    bench.post("/disconnect", "").await;
    let from = bench.line_count();
    bench.control.release("tokens");
    bench.said(from, &["token_refresh_succeeded"]).await;
    sheet.holds("RACE-06", bench.status().await.as_deref() == Some("not_connected"));
    let told = bench.requests(Endpoint::Api, mark).iter().any(|request| request.method == "DELETE");
    let gone = !bench.stores(&bench.newest(Kind::Refresh)) && !bench.stores(&bench.newest(Kind::Access));
    sheet.holds("PURGE-09", told && gone);
    sheet.0
}
