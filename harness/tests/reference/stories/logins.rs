//! Logins that go wrong, and credentials that change.

use std::time::Duration;

use regrant_mock_server::{
    ConsentMode,
    authority::Kind,
    control::UnitKind,
    fault::{Fate, Match, Point, Rule},
    journal::Endpoint,
};

use super::{Misses, Sheet, UNAVAILABLE};
use crate::bench::Bench;

/// The client's secret is changed, without and with the grant.
pub async fn rotated(defects: &[&'static str]) -> Misses {
    let mut sheet = Sheet::new();
    let mut bench = Bench::connected(defects).await;
    let secret = bench.control.rotate_secret(None, Duration::ZERO).expect("a new secret").value;
    bench.reject();
    let (mark, from) = (bench.mark(), bench.line_count());
    bench.trigger().await;
    bench.trigger().await;
    sheet.holds("ROTATE-01", bench.refreshes(mark).len() <= 1);
    let shown = bench.status().await.unwrap_or_default();
    sheet.holds("ROTATE-02", ["error", "needs_reauth"].contains(&shown.as_str()));
    let told = bench.said_lines(from).iter().any(|line| line.to_string().contains("client credentials"));
    sheet.holds("ROTATE-03", told);
    bench.restart(false, None).await;
    bench.trigger().await;
    sheet.holds("ROTATE-01", bench.refreshes(mark).len() <= 1);
    bench.restart(false, Some(secret)).await;
    sheet.holds("ROTATE-04", bench.trigger().await.as_deref() == Some("work_done") && bench.status().await.as_deref() == Some("connected"));

    let secret = bench.control.rotate_secret(None, Duration::ZERO).expect("a new secret").value;
    bench.revoke();
    let refresh = bench.newest(Kind::Refresh);
    bench.restart(false, Some(secret)).await;
    bench.trigger().await;
    sheet.holds("ROTATE-07", bench.status().await.as_deref() == Some("needs_reauth") && !bench.stores(&refresh));
    sheet.0
}

/// Logins that go wrong, a login for another company, and a goodbye.
pub async fn logins(defects: &[&'static str]) -> Misses {
    let mut sheet = Sheet::new();
    let bench = Bench::connected(defects).await;
    bench.control.consent(ConsentMode::Deny);
    bench.get("/connect").await;
    sheet.holds("REAUTH-06", bench.status().await.as_deref() == Some("connected") && bench.trigger().await.as_deref() == Some("work_done"));
    bench.control.consent(ConsentMode::Auto);
    bench.get("/connect").await;
    let on = Match { endpoint: Some(Endpoint::Token), grant: Some("authorization_code".into()), times: Some(1), ..Match::default() };
    let fate = Fate::Status { code: 400, error: Some("invalid_grant".into()), description: None, retry_after: None };
    let rule = bench.control.install(Rule { on, at: Point::Arrived, fate, until: None });
    bench.get("/connect").await;
    bench.control.remove(rule);
    sheet.holds("REAUTH-07", bench.trigger().await.as_deref() == Some("work_done"));

    let job = Match { endpoint: Some(Endpoint::Api), path: Some("/v3/export-jobs/".into()), times: Some(1), ..Match::default() };
    bench.control.add_work(UnitKind::Export, 1);
    let rule = bench.control.install(Rule { on: job, at: Point::Arrived, fate: UNAVAILABLE, until: None });
    bench.get("/connect").await;
    let mark = bench.mark();
    bench.trigger().await;
    bench.control.remove(rule);
    bench.trigger().await;
    let started =
        bench.requests(Endpoint::Api, mark).iter().filter(|request| String::from_utf8_lossy(&request.body).contains("started")).count();
    sheet.holds("RECOVER-06", started <= 1);

    let foreign = bench.control.add_work_in(1, UnitKind::Export, 1);
    assert!(bench.control.consent_for(1), "there is another company");
    bench.get("/connect").await;
    bench.trigger().await;
    let grafted = bench.requests(Endpoint::Api, 0).iter().any(|request| String::from_utf8_lossy(&request.body).contains(&foreign[0].id));
    sheet.holds("REAUTH-10", !grafted);
    assert!(bench.control.consent_for(0), "and the first");
    bench.get("/connect").await;
    let mark = bench.mark();
    bench.post("/disconnect", "").await;
    let told = bench.requests(Endpoint::Api, mark).iter().any(|request| request.method == "DELETE");
    sheet.holds("PURGE-09", told && !bench.stores(&bench.newest(Kind::Refresh)));
    sheet.0
}
