//! The OAuth flow: consent, exchange, refresh, introspection.

use regrant_mock_server::{
    ConsentMode, Provider, Remember,
    authority::{Cause, TokenState},
    control::Target,
    journal::{AuthStyle, AuthorizeOutcome, Decision, What},
};

use crate::support::*;

#[tokio::test]
async fn a_client_gets_tokens_through_consent_and_pkce() {
    let provider = provider().await;
    let sent_back = once(&provider, &authorize(&provider, "users:read")).await;
    assert_eq!(redirected(&sent_back, "state").as_deref(), Some("a state & more"));
    let code = redirected(&sent_back, "code").expect("a code");
    let answer = once(&provider, &exchange(&provider, &code)).await;
    let got = tokens(&answer);
    let body = answer.json();
    assert_eq!(
        (body["token_type"].as_str(), body["expires_in"].as_u64(), body["scope"].as_str()),
        (Some("Bearer"), Some(900), Some("users:read"))
    );
    assert_eq!(answer.header("cache-control").as_deref(), Some("no-store"));
    assert_eq!(once(&provider, &get("/v2/employees", &got.access)).await.status, 200);
    let names: Vec<String> = provider.control().canaries().into_iter().map(|canary| canary.name).collect();
    assert_eq!(names, ["secret#1", "code#1", "access#1", "refresh#1"]);
}

#[tokio::test]
async fn a_person_allows_or_denies_on_the_page() {
    let provider = provider_with(|config| config.consent = ConsentMode::Page).await;
    for (decision, parameter) in [("allow", "code"), ("deny", "error")] {
        let page = once(&provider, &authorize(&provider, "users:read")).await;
        assert_eq!(page.status, 200);
        assert!(page.body.contains("Allow") && page.body.contains("Deny") && page.body.contains("users:read"), "{}", page.body);
        let ticket = page.body.split("name=\"ticket\" value=\"").nth(1).and_then(|rest| rest.split('"').next()).expect("a ticket");
        let answer = once(&provider, &form("/oauth/authorize", &[("ticket", ticket), ("decision", decision)])).await;
        assert_eq!(answer.status, 303);
        assert!(redirected(&answer, parameter).is_some(), "{answer:?}");
        assert_eq!(redirected(&answer, "state").as_deref(), Some("a state & more"));
        let again = once(&provider, &form("/oauth/authorize", &[("ticket", ticket), ("decision", decision)])).await;
        assert_eq!(again.status, 400, "a page is answered once");
    }
}

#[tokio::test]
async fn only_faults_that_are_safe_to_send_back_are_sent_back() {
    let provider = provider().await;
    let unknown = once(&provider, "GET /oauth/authorize?client_id=nobody&redirect_uri=http://evil.test/ HTTP/1.1\r\nHost: x\r\n\r\n").await;
    assert_eq!((unknown.status, unknown.header("location")), (400, None));
    assert_eq!(decision(provider.control(), 1), Some(Decision::Authorize { outcome: AuthorizeOutcome::Shown(shown(&provider)) }));
    let request = authorize(&provider, "").replace("code_challenge_method=S256", "code_challenge_method=plain");
    let plain = once(&provider, &request).await;
    assert_eq!(redirected(&plain, "error").as_deref(), Some("invalid_request"));
    provider.control().consent(ConsentMode::Deny);
    let denied = once(&provider, &authorize(&provider, "")).await;
    assert_eq!(redirected(&denied, "error").as_deref(), Some("access_denied"));
}

fn shown(provider: &Provider) -> String {
    match decision(provider.control(), 1) {
        Some(Decision::Authorize { outcome: AuthorizeOutcome::Shown(reason) }) if !reason.is_empty() => reason,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_refresh_rotates_and_the_old_access_token_is_refused_at_once() {
    let provider = provider().await;
    let first = connect(&provider).await;
    let second = tokens(&once(&provider, &refresh(&provider, &first.refresh)).await);
    assert_ne!((&first.access, &first.refresh), (&second.access, &second.refresh));
    let old = once(&provider, &get("/v2/employees", &first.access)).await;
    assert_eq!((old.status, old.header("www-authenticate").as_deref()), (401, Some("Bearer error=\"invalid_token\"")));
    assert_eq!(old.json()["type"], "UNAUTHORIZED");
    assert_eq!(once(&provider, &get("/v2/employees", &second.access)).await.status, 200);
}

#[tokio::test]
async fn reusing_a_refresh_token_ends_the_family() {
    let provider = provider().await;
    let first = connect(&provider).await;
    let second = tokens(&once(&provider, &refresh(&provider, &first.refresh)).await);
    let reused = once(&provider, &refresh(&provider, &first.refresh)).await;
    assert_eq!((reused.status, reused.json()["error"].as_str()), (400, Some("invalid_grant")));
    assert_eq!(once(&provider, &get("/v2/employees", &second.access)).await.status, 401);
    let next = once(&provider, &refresh(&provider, &second.refresh)).await;
    assert_eq!(next.json()["error"], "invalid_grant");
    match decision(provider.control(), last_exchange(provider.control())) {
        Some(Decision::Token { presented: Some(presented), .. }) => {
            assert_eq!((presented.name.as_deref(), presented.state), (Some("refresh#2"), TokenState::FamilyEnded));
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn token_requests_that_break_the_rules_are_refused_in_the_rfc_s_words() {
    let provider = provider().await;
    let tokens = connect(&provider).await;
    let good = refresh(&provider, &tokens.refresh);
    let cases = [
        ("GET /oauth/token HTTP/1.1\r\nHost: x\r\n\r\n".to_owned(), 405, "invalid_request"),
        (good.replace("application/x-www-form-urlencoded", "application/json"), 400, "invalid_request"),
        (form("/oauth/token", &[("grant_type", "refresh_token"), ("grant_type", "refresh_token")]), 400, "invalid_request"),
        (form("/oauth/token", &[("grant_type", "password"), ("client_id", "nobody"), ("client_secret", "x")]), 401, "invalid_client"),
    ];
    for (request, status, error) in cases {
        let answer = once(&provider, &request).await;
        assert_eq!((answer.status, answer.json()["error"].as_str()), (status, Some(error)), "{request}");
    }
    assert_eq!(once(&provider, &good).await.status, 200, "none of these harmed the token");
}

#[tokio::test]
async fn the_journal_tells_how_the_client_authenticated_itself() {
    let odd = "s+cret/100%";
    let provider = provider_with(|config| {
        let client = regrant_mock_server::ClientConfig { id: Some("me".into()), secret: Some(odd.into()), ..Default::default() };
        config.clients = vec![client];
    })
    .await;
    let encoded = "s%2Bcret%2F100%25";
    let both = format!("client_id=me&client_secret={encoded}&");
    for (header, body, style) in [
        (Some(encoded), "", AuthStyle::Basic),
        (Some(odd), "", AuthStyle::BasicRaw),
        (Some(odd), both.as_str(), AuthStyle::Both),
        (None, both.as_str(), AuthStyle::Body),
        (None, "client_id=me&", AuthStyle::None),
    ] {
        let header = header.map(|secret| format!("Authorization: Basic {}\r\n", base64(&format!("me:{secret}")))).unwrap_or_default();
        let body = format!("{body}grant_type=refresh_token&refresh_token=x");
        let request = format!(
            "POST /oauth/token HTTP/1.1\r\nHost: x\r\n{header}Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        let answer = once(&provider, &request).await;
        let expected = match style {
            AuthStyle::Both => "invalid_request",
            AuthStyle::None => "invalid_client",
            _ => "invalid_grant",
        };
        assert_eq!(answer.json()["error"].as_str(), Some(expected), "{style:?}");
        let control = provider.control();
        assert!(
            matches!(decision(control, last_exchange(control)), Some(Decision::Token { auth, .. }) if auth == style),
            "{style:?}: {:?}",
            decision(control, last_exchange(control))
        );
    }
}

fn base64(text: &str) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(text)
}

#[tokio::test]
async fn introspection_tells_its_client_what_a_token_is_good_for() {
    let provider = provider().await;
    let tokens = connect_for(&provider, "users:read").await;
    let (id, secret) = provider.client();
    let secret = secret.expect("a secret");
    let ask =
        |token: &str, secret: &str| form("/oauth/token/introspect", &[("token", token), ("client_id", &id), ("client_secret", secret)]);
    let active = once(&provider, &ask(&tokens.access, &secret)).await.json();
    assert_eq!((active["active"].as_bool(), active["client_id"].as_str()), (Some(true), Some(id.as_str())));
    assert_eq!(active["exp"].as_u64().zip(active["iat"].as_u64()).map(|(exp, iat)| exp - iat), Some(900));
    provider.control().revoke(Target::All, Cause::User);
    assert_eq!(once(&provider, &ask(&tokens.access, &secret)).await.body, "{\"active\":false}");
    assert_eq!(once(&provider, &ask(&tokens.access, "wrong")).await.status, 401);
}

#[tokio::test]
async fn a_rotated_secret_is_refused_once_its_overlap_is_over() {
    let provider = provider().await;
    let first = connect(&provider).await;
    let (id, _) = provider.client();
    let new = provider.control().rotate_secret(None, std::time::Duration::from_secs(60)).expect("confidential");
    let second = tokens(&once(&provider, &refresh(&provider, &first.refresh)).await);
    provider.control().advance(std::time::Duration::from_secs(61));
    let refused = once(&provider, &refresh(&provider, &second.refresh)).await;
    assert_eq!((refused.status, refused.json()["error"].as_str()), (401, Some("invalid_client")));
    let with_new = form(
        "/oauth/token",
        &[("grant_type", "refresh_token"), ("refresh_token", &second.refresh), ("client_id", &id), ("client_secret", &new.value)],
    );
    assert_eq!(once(&provider, &with_new).await.status, 200);
}

#[tokio::test]
async fn tls_is_served_under_the_run_s_own_authority() {
    let provider = provider_with(|config| config.tls = true).await;
    // Another test may have installed it already.
    let _installed = rustls::crypto::ring::default_provider().install_default();
    let ca = reqwest::Certificate::from_pem(provider.ca_pem().expect("a CA").as_bytes()).expect("PEM");
    let client = reqwest::Client::builder().tls_certs_only([ca]).build().expect("a client");
    let url = format!("{}/v2/employees", provider.urls().api);
    let answer = client.get(&url).bearer_auth("nonsense").send().await.expect("an answer");
    assert_eq!(answer.status().as_u16(), 401);
    until(provider.control(), read_of(1)).await;
    let stranger = reqwest::Client::builder().tls_certs_only([]).build().expect("a client");
    assert!(stranger.get(&url).send().await.is_err(), "nobody else trusts it");
}

#[tokio::test]
async fn every_request_is_journalled_from_arrival_to_reply() {
    let provider = provider().await;
    let mut raw = Raw::open(&provider).await;
    raw.ask("GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n").await;
    until(provider.control(), read_of(1)).await;
    drop(raw);
    until(provider.control(), |entry| matches!(entry.what, What::Closed { .. })).await;
    let words: Vec<&str> = provider
        .control()
        .journal()
        .iter()
        .map(|entry| match &entry.what {
            What::Minted { .. } => "minted",
            What::Opened { .. } => "opened",
            What::Arrived(_) => "arrived",
            What::Decided { .. } => "decided",
            What::Replied(_) => "replied",
            What::Read { .. } => "read",
            What::Closed { .. } => "closed",
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(words, ["minted", "opened", "arrived", "decided", "replied", "read", "closed"]);
}

#[tokio::test]
async fn only_loopback_is_listened_on_unless_others_are_told_a_name() {
    use regrant_mock_server::{ProviderConfig, StartError};
    let open = |change: fn(&mut ProviderConfig)| {
        let mut config = ProviderConfig::local(1);
        config.listen = ([0, 0, 0, 0], 0).into();
        change(&mut config);
        Provider::start(config)
    };
    assert!(matches!(open(|_| {}).await, Err(StartError::NotLoopback(_))));
    assert!(matches!(open(|config| config.management = Some(config.listen)).await, Err(StartError::NotLoopback(_))));
    let named = open(|config| config.reachable_as = Some("host.docker.internal".into())).await.expect("it starts");
    assert!(named.urls().token.starts_with("http://host.docker.internal:"), "{:?}", named.urls());
    let taken = provider().await;
    let address = taken.urls().api.trim_start_matches("http://").parse().expect("an address");
    let again = Provider::start(ProviderConfig { listen: address, ..ProviderConfig::local(1) }).await;
    assert!(matches!(again, Err(StartError::Bind { .. })));
}

#[tokio::test]
async fn a_provider_that_remembers_little_recognises_a_replay_of_any_age_by_name() {
    let provider = provider_with(|config| config.remember = Remember::Newest(5)).await;
    let control = provider.control();
    let first = connect(&provider).await;
    let mut pair = first.clone();
    for _ in 0..50 {
        pair = tokens(&once(&provider, &refresh(&provider, &pair.refresh)).await);
    }
    assert!(control.canaries().len() <= 12, "{:?}", control.canaries());
    assert_eq!((control.minted(), control.canaries_since(101).len()), (104, 3), "a secret, a code and 51 pairs");
    assert_eq!(once(&provider, &refresh(&provider, &first.refresh)).await.status, 400);
    let Some(Decision::Token { presented: Some(presented), .. }) = decision(control, last_exchange(control)) else {
        panic!("a token was presented")
    };
    let grant = control.grants()[0].id;
    assert_eq!((presented.name.as_deref(), presented.grant, presented.state), (Some("refresh#1"), Some(grant), TokenState::Superseded));
    assert_eq!(once(&provider, &refresh(&provider, &pair.refresh)).await.status, 400, "the replay has ended the family");
}
