//! The user revokes access, and everything that follows.

use std::collections::BTreeSet;

use base64::{Engine, prelude::BASE64_STANDARD};
use regrant_mock_server::{
    authority::Kind,
    control::UnitKind,
    fault::{Match, Point, Rule},
    journal::{Arrived, Carried, Decision, Endpoint, What},
};
use url::form_urlencoded;

use super::{Misses, Sheet, UNAVAILABLE, page, presented};
use crate::bench::Bench;

/// The user revokes access, there is a restart, and the user reconnects.
pub async fn outage(defects: &[&'static str]) -> Misses {
    let mut sheet = Sheet::new();
    let mut bench = Bench::connected(defects).await;
    bench.post("/settings", r#"{"ledger":"A"}"#).await;
    let mut units: Vec<String> = Vec::new();
    let mut add = |bench: &Bench| units.extend(bench.control.add_work(UnitKind::Export, 2).into_iter().map(|unit| unit.id));

    // Twice a token dies early, and once a report is interrupted.
    for _ in 0..2 {
        let old = (bench.newest(Kind::Access), bench.newest(Kind::Refresh));
        let (from, mark) = (bench.line_count(), bench.mark());
        add(&bench);
        bench.reject();
        sheet.holds("DETECT-04", bench.trigger().await.as_deref() == Some("work_done"));
        refreshing(&mut sheet, &bench, &old, from, mark);
    }
    let put = Match { endpoint: Some(Endpoint::Api), method: Some("PUT".into()), times: Some(1), ..Match::default() };
    let rule = bench.control.install(Rule { on: put, at: Point::Arrived, fate: UNAVAILABLE, until: None });
    add(&bench);
    bench.trigger().await;
    bench.control.remove(rule);
    bench.trigger().await;
    let before = (bench.get("/settings").await, bench.get("/records").await);
    let count = before.1.as_ref().map_or(0, |(_, body)| body.len());
    sheet.holds("SECRET-03", !page(&bench).await.contains(&bench.newest(Kind::Access)));
    let (access, refresh) = (bench.newest(Kind::Access), bench.newest(Kind::Refresh));
    assert!(bench.stores(&access) && bench.stores(&refresh) || !defects.is_empty(), "tokens are found while they live");

    sheet.holds("REFRESH-09", bench.refreshes(0).len() <= 2);

    // The end of the grant.
    add(&bench);
    bench.revoke();
    let (from, mark) = (bench.line_count(), bench.mark());
    bench.trigger().await;
    let shown = bench.status().await;
    sheet.holds("DETECT-01", shown.as_deref() == Some("needs_reauth") || !bench.stores(&refresh));
    sheet.holds("DETECT-07", shown.as_deref() == Some("needs_reauth") || !bench.stores(&refresh));
    sheet.holds("MARK-01", shown.as_deref() == Some("needs_reauth"));
    sheet.holds("PURGE-03", !bench.keeps(&refresh));
    sheet.holds("PURGE-04", !bench.keeps(&access));
    sheet.holds("PURGE-05", !bench.stores(&refresh) && !bench.stores(&access));
    sheet.holds("RECOVER-08", shown.is_some() && !bench.is_dead());
    prompting(&mut sheet, &bench).await;
    if !bench.refreshes(mark).is_empty() {
        telling(&mut sheet, &bench, from);
    }
    add(&bench);
    let knows = bench.mark();
    bench.trigger().await;
    bench.trigger().await;
    sheet.holds("STOP-01", bench.requests(Endpoint::Api, knows).is_empty());
    let webhook = bench.mark();
    bench.work("/webhook").await;
    sheet.holds("STOP-03", bench.requests(Endpoint::Api, webhook).is_empty());
    sheet.holds("STOP-02", bench.refreshes(mark).len() <= 1);
    sheet.holds("LOG-06", bench.line_count() - from < 150);
    let in_body = bench.refreshes(mark).iter().any(|request| String::from_utf8_lossy(&request.body).contains("client_secret"));
    sheet.holds("REFRESH-12", !in_body || bench.refreshes(mark).len() < 2);
    let other = bench.requests(Endpoint::Token, mark).iter().any(|r| String::from_utf8_lossy(&r.body).contains("client_credentials"));
    sheet.holds("STOP-06", !other);

    // A restart.
    let mark = bench.mark();
    bench.restart(true, None).await;
    sheet.holds("MARK-02", bench.status().await.as_deref() == Some("needs_reauth"));
    bench.trigger().await;
    sheet.holds("STOP-04", bench.requests(Endpoint::Api, mark).is_empty());
    sheet.holds("PURGE-01", !presented(&bench.requests(Endpoint::Api, mark), &access));
    sheet.holds("PURGE-02", bench.refreshes(mark).is_empty());
    sheet.holds("RECOVER-04", bench.get("/settings").await == before.0);
    sheet.holds("RECOVER-09", bench.get("/records").await.is_some_and(|(_, body)| body.len() >= count));

    // The user comes back.
    reconnecting(&mut sheet, &mut bench, &access).await;
    recovered(&mut sheet, &bench, &units);
    hygiene(&mut sheet, &bench);
    sheet.0
}

fn refreshing(sheet: &mut Sheet, bench: &Bench, old: &(String, String), from: usize, mark: u64) {
    let refreshes = bench.refreshes(mark);
    let form = |request: &Arrived| request.headers.iter().any(|(name, value)| name == "content-type" && value.contains("form"));
    let one_style = |request: &Arrived| !String::from_utf8_lossy(&request.body).contains("client_secret");
    sheet.holds("REFRESH-01", refreshes.iter().all(|request| form(request) && one_style(request)));
    let newest = refreshes.first().is_none_or(|request| presented(std::slice::from_ref(request), &old.1));
    let used = bench
        .requests(Endpoint::Api, mark)
        .last()
        .is_some_and(|request| presented(std::slice::from_ref(request), &bench.newest(Kind::Access)));
    sheet.holds("REFRESH-02", newest && used);
    sheet.holds("PURGE-08", !bench.stores(&old.0) && !bench.stores(&old.1));
    let lines = bench.events(from);
    let noted = ["token_refresh_attempt", "token_refresh_succeeded"].iter().all(|event| lines.iter().any(|line| line == event));
    sheet.holds("LOG-05", noted || bench.newest(Kind::Refresh) == old.1);
}

async fn prompting(sheet: &mut Sheet, bench: &Bench) {
    let page = page(bench).await;
    sheet.holds("PROMPT-01", page.contains("href=\"/connect"));
    sheet.holds("PROMPT-02", page.contains("must be restored"));
}

fn telling(sheet: &mut Sheet, bench: &Bench, from: usize) {
    let lines = bench.said_lines(from);
    let says = |all: &[&str]| lines.iter().any(|line| all.iter().all(|word| line.to_string().contains(word)));
    sheet.holds("LOG-01", says(&["refresh failed", "invalid_grant"]));
    sheet.holds("LOG-02", says(&["expired or revoked"]));
    sheet.holds("LOG-03", says(&["reauthentication required"]));
    let grave = lines.iter().any(|line| line["event"] == "token_refresh_refused" && line["level"] == "error");
    sheet.holds("LOG-07", grave);
}

async fn reconnecting(sheet: &mut Sheet, bench: &mut Bench, dead: &str) {
    let mark = bench.mark();
    assert!(bench.get("/callback?code=forged&state=forged").await.is_some(), "the callback answers");
    sheet.holds("REAUTH-05", bench.requests(Endpoint::Token, mark).is_empty());
    // Two attempts that are abandoned, and one that is not: its place is taken from the prompt of another page.
    let impatient = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().expect("an agent");
    for _ in 0..2 {
        let begun = impatient.get(bench.url("/connect")).send().await.expect("an answer");
        let place = begun.headers()["location"].to_str().expect("a URL").to_owned();
        // Looked at and left.
        impatient.get(place).send().await.expect("an answer");
    }
    let deep = bench.get("/employees?sort=name").await.map(|(_, body)| body).unwrap_or_default();
    let link = deep.split("href=\"").nth(1).and_then(|rest| rest.split('"').next()).unwrap_or("/connect").to_owned();
    let mark = bench.mark();
    let from = bench.line_count();
    let place = bench.leads_to(&link).await;
    sheet.holds("REAUTH-09", place.as_deref() == Some("/employees?sort=name"));
    authorising(sheet, bench, mark);
    bench.said(from, &["work_done"]).await;
    let unaided = !bench.requests(Endpoint::Api, mark).is_empty();
    bench.trigger().await;
    let resumed = bench
        .requests(Endpoint::Api, mark)
        .last()
        .is_some_and(|request| presented(std::slice::from_ref(request), &bench.newest(Kind::Access)));
    sheet.holds("RECOVER-01", unaided || resumed);
    sheet.holds("MARK-03", bench.status().await.as_deref() == Some("connected"));
    let stale = presented(&bench.requests(Endpoint::Api, mark), dead);
    let one = bench.get("/status").await.is_some_and(|(_, body)| body.matches("\"name\":\"pleo\"").count() == 1);
    sheet.holds("REAUTH-11", one);
    bench.restart(true, None).await;
    let done = bench.trigger().await.as_deref() == Some("work_done");
    sheet.holds("REAUTH-08", done && !stale && (unaided || resumed));
    sheet.holds("MARK-03", bench.status().await.as_deref() == Some("connected"));
}

/// All authorise requests so far, and the exchange after `mark`.
fn authorising(sheet: &mut Sheet, bench: &Bench, mark: u64) {
    let asked: Vec<Vec<(String, String)>> = bench
        .requests(Endpoint::Authorize, 0)
        .iter()
        .map(|request| form_urlencoded::parse(request.query.as_deref().unwrap_or_default().as_bytes()).into_owned().collect())
        .collect();
    let value = |pairs: &[(String, String)], name: &str| pairs.iter().find(|(n, _)| n == name).map(|(_, v)| v.clone()).unwrap_or_default();
    let well = |pairs: &Vec<(String, String)>| {
        value(pairs, "redirect_uri") == bench.url("/callback")
            && value(pairs, "code_challenge_method") == "S256"
            && value(pairs, "response_type") == "code"
    };
    sheet.holds("REAUTH-01", asked.iter().all(well));
    sheet.holds("REAUTH-02", asked.iter().all(|pairs| value(pairs, "scope") == value(&asked[0], "scope")));
    let all = |name| asked.iter().map(|pairs| value(pairs, name)).collect::<Vec<_>>();
    let distinct = |name| all(name).into_iter().collect::<BTreeSet<_>>().len() == asked.len();
    let long = all("state").iter().all(|state| state.len() >= 22);
    sheet.holds("REAUTH-03", distinct("state") && distinct("code_challenge") && long);
    let exchanges = bench.requests(Endpoint::Token, mark);
    let exchanges: Vec<_> =
        exchanges.iter().map(|request| String::from_utf8_lossy(&request.body)).filter(|body| body.contains("authorization_code")).collect();
    sheet.holds("REAUTH-04", exchanges.len() == 1 && exchanges[0].contains("code_verifier="));
}

fn recovered(sheet: &mut Sheet, bench: &Bench, units: &[String]) {
    let entries = bench.control.journal();
    let reports: Vec<String> = entries
        .iter()
        .filter_map(|entry| match &entry.what {
            What::Decided { decision: Decision::Api { delivered, .. }, .. } => Some(delivered.clone()),
            _ => None,
        })
        .flatten()
        .collect();
    sheet.holds("RECOVER-02", units.iter().all(|unit| reports.contains(unit)));
    sheet.holds("RECOVER-05", units.iter().rev().take(2).all(|unit| reports.contains(unit)));
    let named = |unit: &String| {
        let puts = bench.requests(Endpoint::Api, 0).into_iter().filter(|request| request.method == "PUT");
        puts.filter(|request| String::from_utf8_lossy(&request.body).contains(unit.as_str())).count()
    };
    // One unit was named twice since its first report was answered 503.
    sheet.holds("RECOVER-03", units.iter().filter(|unit| named(unit) > 1).count() <= 2);
}

fn hygiene(sheet: &mut Sheet, bench: &Bench) {
    let log = bench.log().join("\n");
    let (id, _) = bench.client();
    let leaks = bench.control.canaries().iter().any(|canary| {
        let basic = BASE64_STANDARD.encode(format!("{id}:{}", canary.value));
        canary.kind != Kind::Code && (log.contains(&canary.value) || log.contains(&basic))
    });
    sheet.holds("SECRET-01", !leaks);
    let codes = bench.control.canaries().iter().any(|canary| canary.kind == Kind::Code && log.contains(&canary.value));
    sheet.holds("SECRET-07", !codes);
    let api = bench.requests(Endpoint::Api, 0);
    let queries = api.iter().filter_map(|request| request.query.as_deref()).any(|query| query.contains("access_token"));
    sheet.holds("SECRET-02", !queries);
    let elsewhere = bench.control.journal().iter().any(|entry| {
        matches!(&entry.what, What::Decided { decision: Decision::Api { carried, .. }, .. } if !matches!(carried, Carried::Bearer | Carried::Nothing))
    });
    sheet.holds("REFRESH-08", !elsewhere);
    sheet.holds("REFRESH-10", bench.requests(Endpoint::Introspect, 0).is_empty());
    use std::os::unix::fs::PermissionsExt;
    let mode = std::fs::metadata(bench.state_dir().join("app.db")).expect("is there").permissions().mode();
    sheet.holds("SECRET-05", mode & 0o077 == 0);
    sheet.holds("SECRET-06", !bench.stores(&bench.newest(Kind::Code)));
}
