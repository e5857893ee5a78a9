//! The provider's clock moves, and the API's may go otherwise: what each part then says of a token.

use std::time::Duration;

use regrant_mock_server::{
    Provider, Skew,
    authority::TokenState,
    control::UnitKind,
    journal::{Decision, What},
};

use crate::support::{Answer, connect, decision, form, get, last_exchange, once, provider, refresh, tokens};

const MINUTE: Duration = Duration::from_secs(60);

async fn introspected(provider: &Provider, token: &str) -> serde_json::Value {
    let (id, secret) = provider.client();
    let secret = secret.expect("a confidential client");
    let fields = [("token", token), ("client_id", &id), ("client_secret", &secret)];
    once(provider, &form("/oauth/token/introspect", &fields)).await.json()
}

/// Seconds since 1970 of a reply's date.
fn dated(answer: &Answer) -> i64 {
    let text = answer.header("date").expect("every reply is dated");
    let parsed = text.split([' ', ':']).map(str::to_owned).collect::<Vec<_>>();
    let [_, day, month, year, hour, minute, second, _] = parsed.as_slice() else { panic!("{text}") };
    let number = |word: &String| word.parse::<i64>().expect("a number");
    let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let month = months.iter().position(|known| known == month).expect("a month") as i64 + 1;
    // Days of the civil calendar (Howard Hinnant's formula), months counted from March.
    let (year, month) = if month > 2 { (number(year), month - 3) } else { (number(year) - 1, month + 9) };
    let days = 365 * year + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 + number(day) - 1 - 719_468;
    days * 86_400 + number(hour) * 3_600 + number(minute) * 60 + number(second)
}

#[tokio::test]
async fn an_advance_is_seen_in_expiry_introspection_dates_and_export_jobs() {
    let provider = provider().await;
    let control = provider.control();
    let pair = connect(&provider).await;
    control.add_work(UnitKind::Export, 1);
    let before = once(&provider, &get("/v3/export-jobs", &pair.access)).await;
    assert_eq!(before.json()["data"][0]["status"], "pending");
    let described = introspected(&provider, &pair.access).await;
    let left = described["exp"].as_i64().expect("a time") - dated(&before);
    assert!((895..=900).contains(&left), "{left} seconds are left of the 900 that were promised");

    control.advance(14 * MINUTE);
    let later = once(&provider, &get("/v3/export-jobs", &pair.access)).await;
    assert_eq!(later.status, 200);
    let moved = dated(&later) - dated(&before);
    assert!((840..=850).contains(&moved), "{moved}");
    assert_eq!(introspected(&provider, &pair.access).await["exp"], described["exp"]);

    control.advance(MINUTE);
    assert_eq!(once(&provider, &get("/v3/export-jobs", &pair.access)).await.status, 401);
    assert_eq!(introspected(&provider, &pair.access).await["active"], false);
    let answer = once(&provider, &refresh(&provider, &pair.refresh)).await;
    assert_eq!(answer.json()["expires_in"], 900, "a new token has its whole life");
    let pair = tokens(&answer);
    let described = introspected(&provider, &pair.access).await;
    let left = described["exp"].as_i64().expect("a time") - dated(&answer);
    assert!((895..=901).contains(&left), "{left}");

    control.advance(46 * MINUTE);
    let pair = tokens(&once(&provider, &refresh(&provider, &pair.refresh)).await);
    let jobs = once(&provider, &get("/v3/export-jobs", &pair.access)).await.json();
    assert_ne!(jobs["data"][0]["status"], "pending", "an hour has passed: {jobs}");
}

#[tokio::test]
async fn an_api_whose_clock_is_ahead_refuses_what_the_authorisation_server_thinks_good() {
    let provider = provider().await;
    let control = provider.control();
    let pair = connect(&provider).await;
    control.skew(Skew::Ahead(16 * MINUTE));
    let refused = once(&provider, &get("/v2/employees", &pair.access)).await;
    assert_eq!(refused.status, 401);
    let Some(Decision::Api { presented: Some(presented), .. }) = decision(control, last_exchange(control)) else { panic!("a call") };
    assert_eq!(presented.state, TokenState::Expired, "so it is for the API");
    let described = once(&provider, &refresh(&provider, &pair.refresh)).await;
    assert!((950..=970).contains(&(dated(&refused) - dated(&described))), "each part dates by its own clock");
    let pair = tokens(&described);
    assert_eq!(introspected(&provider, &pair.access).await["active"], true);
    assert_eq!(once(&provider, &get("/v2/employees", &pair.access)).await.status, 401, "a new one does not help");

    control.skew(Skew::Ahead(Duration::ZERO));
    assert_eq!(once(&provider, &get("/v2/employees", &pair.access)).await.status, 200);
}

#[tokio::test]
async fn an_api_whose_clock_is_behind_takes_what_the_authorisation_server_thinks_expired() {
    let provider = provider().await;
    let control = provider.control();
    let pair = connect(&provider).await;
    control.skew(Skew::Behind(5 * MINUTE));
    control.advance(16 * MINUTE);
    assert_eq!(introspected(&provider, &pair.access).await["active"], false);
    assert_eq!(once(&provider, &get("/v2/employees", &pair.access)).await.status, 200);
    control.advance(4 * MINUTE);
    assert_eq!(once(&provider, &get("/v2/employees", &pair.access)).await.status, 401);
    let shown = control.clock();
    assert_eq!((shown.server.since(shown.api).as_secs(), shown.ahead, shown.skew), (300, 20 * MINUTE, Skew::Behind(5 * MINUTE)));
    assert!(
        control.journal().iter().any(|entry| matches!(
            &entry.what,
            What::Controlled(regrant_mock_server::control::Action::ClockSkewed { api: Skew::Behind(_) })
        ))
    );
}
