//! Tenants: side by side, and never mixed.

use std::time::Duration;

use regrant_mock_server::{Provider, Tenant, TenantError, authority::Cause, control::Target, journal::What};

use crate::support::*;

/// The path below which a tenant stands.
fn below(tenant: &Tenant) -> String {
    format!("/t/{}", tenant.name())
}

/// A request as it is written for the root, sent to a tenant instead.
fn moved(request: &str, tenant: &Tenant) -> String {
    let (method, rest) = request.split_once(' ').expect("a request line");
    format!("{method} {}{rest}", below(tenant))
}

async fn connect_to(provider: &Provider, tenant: &Tenant) -> Tokens {
    let sent_back = once(provider, &moved(&authorize(provider, ""), tenant)).await;
    let code = redirected(&sent_back, "code").unwrap_or_else(|| panic!("no code: {sent_back:?}"));
    tokens(&once(provider, &moved(&exchange(provider, &code), tenant)).await)
}

#[tokio::test]
async fn two_tenants_side_by_side_never_mix() {
    let provider = provider().await;
    let (one, other) = (provider.tenant("one").expect("made"), provider.tenant("other").expect("made"));
    assert_eq!(one.client(), provider.client(), "the clients are the same");
    let ((), ()) = tokio::join!(through(&provider, &one, &other), through(&provider, &other, &one));
    assert!(provider.control().grants().is_empty(), "nothing of it happened at the root");
    assert!(provider.control().journal().iter().all(|entry| !matches!(entry.what, What::Arrived(_) | What::Decided { .. })));
    assert!(one.control().now().abs_diff(other.control().now()) < Duration::from_secs(1), "the journals' clocks run alike");
}

/// A life in a tenant while another goes on beside it.
async fn through(provider: &Provider, here: &Tenant, elsewhere: &Tenant) {
    let first = connect_to(provider, here).await;
    let call = |path: &str, token: &str| moved(&get(path, token), here);
    for _ in 0..5 {
        assert_eq!(once(provider, &call("/v2/employees", &first.access)).await.status, 200);
        assert_eq!(
            once(provider, &moved(&get("/v2/employees", &first.access), elsewhere)).await.status,
            401,
            "its token is no token there"
        );
    }
    assert_eq!(once(provider, &moved(&refresh(provider, &first.refresh), elsewhere)).await.json()["error"], "invalid_grant");
    let second = tokens(&once(provider, &moved(&refresh(provider, &first.refresh), here)).await);
    let control = here.control();
    assert_eq!(control.grants().len(), 1);
    let seen: Vec<String> = control.canaries().into_iter().map(|canary| canary.value).collect();
    assert!([&first.access, &second.refresh].iter().all(|token| seen.contains(token)));
    assert!(elsewhere.control().canaries().iter().all(|canary| canary.value != first.access), "no token is the same");
    let journal = control.journal();
    assert!(journal.iter().zip(1..).all(|(entry, n)| entry.n == n), "it has an order of its own");
    let arrived: Vec<&str> =
        journal.iter().filter_map(|e| if let What::Arrived(a) = &e.what { Some(a.path.as_str()) } else { None }).collect();
    assert!(arrived.iter().all(|path| !path.starts_with("/t/")), "{arrived:?}");
}

#[tokio::test]
async fn clocks_rules_and_secrets_are_each_tenant_s_own() {
    let provider = provider().await;
    let (one, other) = (provider.tenant("one").expect("made"), provider.tenant("other").expect("made"));
    let (first, second) = (connect_to(&provider, &one).await, connect_to(&provider, &other).await);
    let works = async |tenant: &Tenant, token: &str| once(&provider, &moved(&get("/v2/employees", token), tenant)).await.status;

    one.control().advance(Duration::from_secs(3600));
    assert_eq!((works(&one, &first.access).await, works(&other, &second.access).await), (401, 200));

    let first = tokens(&once(&provider, &moved(&refresh(&provider, &first.refresh), &one)).await);
    let reject = regrant_mock_server::fault::Fate::Status { code: 503, error: None, description: None, retry_after: None };
    let all = regrant_mock_server::fault::Rule { on: Default::default(), at: Default::default(), fate: reject, until: None };
    one.control().install(all);
    assert_eq!((works(&one, &first.access).await, works(&other, &second.access).await), (503, 200));

    other.control().rotate_secret(None, Duration::ZERO).expect("a confidential client");
    let refused = once(&provider, &moved(&refresh(&provider, &second.refresh), &other)).await;
    assert_eq!(refused.json()["error"], "invalid_client");
    assert_eq!(one.client(), provider.client());
    other.control().revoke(Target::All, Cause::User);
    assert!(one.control().grants().iter().all(|grant| grant.ended.is_none()));
}

#[tokio::test]
async fn a_tenant_comes_to_be_when_it_is_used() {
    let provider = provider_with(|config| config.tenants = 2).await;
    assert_eq!(once(&provider, "GET /t/fresh/v2/employees HTTP/1.1\r\nHost: x\r\n\r\n").await.status, 401);
    let fresh = provider.tenant("fresh").expect("it is there");
    assert_eq!(fresh.urls().token, format!("{}/t/fresh/oauth/token", provider.urls().api));
    assert!(fresh.control().journal().iter().any(|entry| matches!(entry.what, What::Opened { conn: 1, .. })));
    until(&fresh.control(), |entry| matches!(entry.what, What::Closed { conn: 1, .. })).await;
    provider.tenant("second").expect("the last");
    let refused = once(&provider, "GET /t/third/v2/employees HTTP/1.1\r\nHost: x\r\n\r\n").await;
    assert_eq!(refused.status, 503);
    assert!(refused.body.contains("2 tenants"), "{}", refused.body);
    assert_eq!(provider.tenant("third").err(), Some(TenantError::Full(2)));
    assert_eq!(provider.tenant("No Name").err(), Some(TenantError::Name("No Name".into())));
    assert_eq!(once(&provider, "GET /t/NO/v2/employees HTTP/1.1\r\nHost: x\r\n\r\n").await.status, 404, "that is no tenant's path");
}

#[tokio::test]
async fn where_none_are_wanted_there_are_none() {
    let provider = provider_with(|config| config.tenants = 0).await;
    assert_eq!(once(&provider, "GET /t/one/v2/employees HTTP/1.1\r\nHost: x\r\n\r\n").await.status, 404);
    assert!(provider.control().journal().iter().any(|entry| matches!(&entry.what, What::Arrived(a) if a.path == "/t/one/v2/employees")));
}

#[tokio::test]
async fn one_connection_may_serve_several_tenants() {
    let provider = provider().await;
    let (one, other) = (provider.tenant("one").expect("made"), provider.tenant("other").expect("made"));
    let mut raw = Raw::open(&provider).await;
    for tenant in [&one, &other, &one] {
        assert_eq!(raw.ask(&moved(&get("/v2/employees", "x"), tenant)).await.status, 401);
    }
    assert_eq!(raw.ask(&get("/v2/employees", "x")).await.status, 401);
    drop(raw);
    let opened =
        |control: &regrant_mock_server::Control| control.journal().iter().filter(|entry| matches!(entry.what, What::Opened { .. })).count();
    for control in [one.control(), other.control(), provider.control().clone()] {
        until(&control, |entry| matches!(entry.what, What::Closed { conn: 1, .. })).await;
        assert_eq!(opened(&control), 1);
        assert_eq!(control.open_exchanges(), 0);
    }
    until(&one.control(), read_of(2)).await;
}

#[tokio::test]
async fn the_consent_page_leads_back_to_its_tenant() {
    let provider = provider_with(|config| config.consent = regrant_mock_server::ConsentMode::Page).await;
    let tenant = provider.tenant("one").expect("made");
    let page = once(&provider, &moved(&authorize(&provider, ""), &tenant)).await;
    let ticket = page.body.split("name=\"ticket\" value=\"").nth(1).and_then(|rest| rest.split('"').next()).expect("a ticket");
    assert!(page.body.contains("action=\"authorize\""), "{}", page.body);
    let answer = once(&provider, &moved(&form("/oauth/authorize", &[("ticket", ticket), ("decision", "allow")]), &tenant)).await;
    assert!(redirected(&answer, "code").is_some());
}

#[tokio::test]
async fn a_reset_forgets_all_but_the_clients() {
    let provider = provider().await;
    let control = provider.control();
    let old = connect(&provider).await;
    control.advance(Duration::from_secs(24 * 3600));
    let secret = control.rotate_secret(None, Duration::ZERO).expect("a confidential client");
    control.consent(regrant_mock_server::ConsentMode::Deny);
    control.add_work(regrant_mock_server::control::UnitKind::Export, 2);
    let before = control.last_entry();
    control.reset();
    assert!(control.grants().is_empty());
    assert_eq!(control.journal().iter().map(|entry| entry.n).collect::<Vec<_>>(), [before + 1], "numbers go on");
    assert_eq!(once(&provider, &get("/v2/employees", &old.access)).await.status, 401);
    let sent_back = once(&provider, &authorize(&provider, "")).await;
    let code = redirected(&sent_back, "code").expect("consent is automatic again");
    let stale = once(&provider, &exchange(&provider, &code)).await;
    assert_eq!(stale.json()["error"], "invalid_client", "the secret from before the rotation stays retired");
    let sent_back = once(&provider, &authorize(&provider, "")).await;
    let code = redirected(&sent_back, "code").expect("a code");
    let good = exchange(&provider, &code).replace(provider.client().1.as_deref().expect("a secret"), &secret.value);
    let fresh = tokens(&once(&provider, &good).await);
    assert_eq!(once(&provider, &get("/v2/employees", &fresh.access)).await.status, 200);
    assert_eq!(once(&provider, &refresh(&provider, &old.refresh)).await.status, 401);
}
