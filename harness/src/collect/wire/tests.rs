//! Journal entries in, events out.

use base64::{Engine, engine::general_purpose::STANDARD};
use regrant_mock_server::{
    authority::{Cause, TokenState},
    fault::Point,
    journal::{AuthStyle, Carried, Replied},
};

use regrant_mock_server::{SecretChange, Skew};

use super::*;
use crate::{
    canary::Canary,
    evidence::{CanaryForm, Found},
};

const ACCESS: &str = "kT4vQzW8nB2xLr7pYc5mHd9gJf3sA6eU";
const REFRESH: &str = "Yb0nR5tK8wVq2ZxC7mLd4PfG9hJs1AeU";
const SECRET: &str = "s3cr3t/with+signs=and:more%20";

fn collector() -> WireCollector {
    let set = CanarySet::new();
    for (name, value, kind) in [
        ("access#1", ACCESS, Kind::Access),
        ("refresh#1", REFRESH, Kind::Refresh),
        ("secret#1", SECRET, Kind::Secret),
        ("code#1", "code-code-code-code-code", Kind::Code),
    ] {
        set.add(Canary { name: name.into(), value: value.into(), kind, client_id: Some("app".into()) }).expect("new");
    }
    WireCollector::new("agent-of-this-run", set)
}

fn request(endpoint: Endpoint, path: &str, headers: &[(&str, &str)], body: &str) -> Arrived {
    let (path, query) = path.split_once('?').map_or((path, None), |(p, q)| (p, Some(q.to_owned())));
    Arrived {
        exchange: 7,
        conn: 3,
        began: Duration::from_millis(2),
        endpoint,
        method: "POST".into(),
        host: String::new(),
        path: path.into(),
        query,
        headers: headers.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect(),
        body: body.to_owned().into(),
        presented: None,
    }
}

fn tell(wire: &mut WireCollector, what: journal::What) -> Vec<What> {
    let at = Duration::from_millis(5);
    let events = wire.translate(&Entry { n: 1, at, what });
    assert!(events.iter().all(|(t, _)| *t == at));
    events.into_iter().map(|(_, what)| what).collect()
}

fn arrive(wire: &mut WireCollector, request: Arrived) -> Vec<What> {
    tell(wire, journal::What::Arrived(request.into()))
}

fn seen(events: &[What]) -> Vec<Found> {
    events.iter().filter_map(|e| if let What::CanarySeen { found, seen: 0 } = e { Some(found.clone()) } else { None }).collect()
}

#[test]
fn a_request_is_told_without_its_values() {
    let mut wire = collector();
    let headers = [("content-type", "Application/JSON; charset=utf-8"), ("x-regrant-agent", "agent-of-this-run")];
    let events = arrive(&mut wire, request(Endpoint::Api, "/v1/employees?cursor=abc&limit=5", &headers, "{}"));
    assert_eq!(
        events,
        [What::Requested {
            exchange: 7,
            conn: 3,
            began: 2_000,
            endpoint: Endpoint::Api,
            method: "POST".into(),
            path: "/v1/employees?cursor=&limit=".into(),
            content_type: Some("application/json".into()),
            units: vec![],
            by_agent: true,
            instance: None,
        }]
    );
}

#[test]
fn another_agent_token_is_not_the_agent() {
    let events = arrive(&mut collector(), request(Endpoint::Api, "/v1/me", &[("x-regrant-agent", "guess")], ""));
    assert!(matches!(events[..], [What::Requested { by_agent: false, .. }]));
}

#[test]
fn tokens_in_the_url_are_seen_and_redacted() {
    let mut wire = collector();
    let events = arrive(&mut wire, request(Endpoint::Api, &format!("/v1/{REFRESH}/x?access_token={ACCESS}"), &[], ""));
    let What::Requested { path, .. } = &events[0] else { panic!("{events:?}") };
    assert_eq!(path, "/v1/‹refresh#1›/x?access_token=");
    let names: Vec<String> = seen(&events).into_iter().map(|f| f.canary).collect();
    assert_eq!(names, ["refresh#1", "access#1"]);
    assert!(seen(&events).iter().all(|f| f.place == Place::Url && f.form == CanaryForm::Raw));
}

#[test]
fn tokens_in_header_and_body_are_no_finding() {
    let bearer = format!("Bearer {ACCESS}");
    let body = format!("refresh_token={REFRESH}&client_secret={SECRET}");
    assert_eq!(seen(&arrive(&mut collector(), request(Endpoint::Token, "/oauth/token", &[("authorization", &bearer)], &body))), []);
}

#[test]
fn a_referer_may_hold_neither_token_nor_code() {
    let referer = format!("http://localhost/callback?code=code-code-code-code-code&t={ACCESS}");
    let events = arrive(&mut collector(), request(Endpoint::Api, "/v1/me", &[("referer", &referer)], ""));
    let found: Vec<(String, Place)> = seen(&events).into_iter().map(|f| (f.canary, f.place)).collect();
    assert_eq!(found, [("code#1".into(), Place::Referer), ("access#1".into(), Place::Referer)]);
}

#[test]
fn state_and_challenge_of_an_authorise_request_are_no_finding() {
    let mut wire = collector();
    let verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
    arrive(&mut wire, request(Endpoint::Token, "/oauth/token", &[], &format!("grant_type=authorization_code&code_verifier={verifier}")));
    let query = format!("/oauth/authorize?state={verifier}&code_challenge={verifier}&code_challenge_method=plain");
    assert_eq!(seen(&arrive(&mut wire, request(Endpoint::Authorize, &query, &[], ""))), []);
    let other = format!("/oauth/authorize?hint={verifier}");
    let found = seen(&arrive(&mut wire, request(Endpoint::Authorize, &other, &[], "")));
    assert_eq!(found.iter().map(|f| f.canary.as_str()).collect::<Vec<_>>(), ["verifier#1"]);
}

#[test]
fn the_subjects_own_secrets_become_canaries_unless_they_are_weak() {
    let mut wire = collector();
    arrive(&mut wire, request(Endpoint::Authorize, "/oauth/authorize?state=Zk8pQ2mX7rLt9VwYbN4cDf", &[], ""));
    arrive(&mut wire, request(Endpoint::Token, "/oauth/token", &[], "code_verifier=dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"));
    arrive(&mut wire, request(Endpoint::Authorize, "/oauth/authorize?state=settingspage", &[], ""));
    assert_eq!(wire.canaries.name_of("Zk8pQ2mX7rLt9VwYbN4cDf").as_deref(), Some("state#1"));
    assert_eq!(wire.canaries.name_of("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk").as_deref(), Some("verifier#1"));
    assert_eq!(wire.canaries.name_of("settingspage"), None);
}

fn token_event(wire: &mut WireCollector, headers: &[(&str, &str)], body: &str) -> What {
    arrive(wire, request(Endpoint::Token, "/oauth/token", headers, body));
    let decision = Decision::Token {
        grant_type: Some("refresh_token".into()),
        auth: AuthStyle::Basic,
        presented: Some(Presented { name: Some("refresh#1".into()), grant: Some(GrantId(1)), state: TokenState::Active }),
        outcome: TokenOutcome::Issued { grant: GrantId(1), access: "access#2".into(), refresh: Some("refresh#2".into()) },
    };
    let mut events = tell(wire, journal::What::Decided { exchange: 7, decision });
    assert_eq!(events.len(), 1);
    events.remove(0)
}

#[test]
fn the_client_secret_is_named_however_it_was_sent() {
    let encoded: String = url::form_urlencoded::byte_serialize(SECRET.as_bytes()).collect();
    let basic = |pair: String| format!("Basic {}", STANDARD.encode(pair));
    for header in [basic(format!("app:{SECRET}")), basic(format!("app:{encoded}"))] {
        let event = token_event(&mut collector(), &[("authorization", &header)], "grant_type=refresh_token");
        assert!(matches!(&event, What::Token { secret: Some(name), verifier: false, .. } if name == "secret#1"), "{event:?}");
    }
    for (kind, body) in [
        ("application/x-www-form-urlencoded", format!("client_secret={encoded}&code_verifier=x")),
        ("application/json", format!(r#"{{"client_secret":"{SECRET}","code_verifier":"x"}}"#)),
    ] {
        let event = token_event(&mut collector(), &[("content-type", kind)], &body);
        assert!(matches!(&event, What::Token { secret: Some(name), verifier: true, .. } if name == "secret#1"), "{event:?}");
    }
    let event = token_event(&mut collector(), &[], "client_secret=something-else");
    assert!(matches!(event, What::Token { secret: None, .. }));
}

fn replied(status: u16, body: &str) -> journal::What {
    journal::What::Replied(Replied { exchange: 7, status, headers: vec![], body: body.to_owned().into() }.into())
}

#[test]
fn a_token_reply_is_classified_and_an_api_reply_is_not() {
    let mut wire = collector();
    token_event(&mut wire, &[], "");
    let tokens = format!(r#"{{"access_token":"{ACCESS}","refresh_token":"{REFRESH}","expires_in":900}}"#);
    let reply = Reply::Tokens { access: "access#1".into(), refresh: Some("refresh#1".into()), expires_in: Some(900) };
    assert_eq!(tell(&mut wire, replied(200, &tokens)), [What::Replied { exchange: 7, status: 200, reply }]);
    arrive(&mut wire, request(Endpoint::Authorize, "/oauth/authorize", &[], ""));
    let plain = [What::Replied { exchange: 7, status: 400, reply: Reply::Plain }];
    assert_eq!(tell(&mut wire, replied(400, r#"{"error":"invalid_grant"}"#)), plain);
}

#[test]
fn a_request_that_a_fault_answered_still_tells_what_it_presented() {
    let mut wire = collector();
    let form = [("content-type", "application/x-www-form-urlencoded")];
    arrive(&mut wire, request(Endpoint::Token, "/oauth/token", &form, "grant_type=refresh_token"));
    let events = tell(&mut wire, replied(503, ""));
    assert!(
        matches!(&events[..], [What::Token { grant_type: Some(kind), result: TokenResult::Undecided, .. }, What::Replied { status: 503, .. }] if kind == "refresh_token"),
        "{events:?}"
    );
    arrive(&mut wire, request(Endpoint::Api, "/v1/me", &[], ""));
    let events = tell(&mut wire, replied(500, ""));
    assert!(matches!(&events[..], [What::Api { status: 500, .. }, What::Replied { status: 500, .. }]), "{events:?}");
}

#[test]
fn a_fault_knows_whether_the_decision_was_committed() {
    let faulted = || journal::What::Faulted { exchange: 7, rule: 1, fate: "status 503".into() };
    let mut wire = collector();
    arrive(&mut wire, request(Endpoint::Token, "/oauth/token", &[], ""));
    assert_eq!(tell(&mut wire, faulted()), [What::Faulted { rule: Some(1), exchange: 7, fate: "status 503".into(), committed: false }]);
    token_event(&mut wire, &[], "");
    assert_eq!(tell(&mut wire, faulted()), [What::Faulted { rule: Some(1), exchange: 7, fate: "status 503".into(), committed: true }]);
}

#[test]
fn webhooks_are_told_with_their_answers() {
    use regrant_mock_server::journal::{WebhookEnd, WebhookSent};
    let mut wire = collector();
    let sent = WebhookSent {
        delivery: 3,
        subscription: "s-1".into(),
        event_type: "v1.export-job.created".into(),
        event_id: "e-1".into(),
        units: vec!["unit-1".into()],
        url: "http://127.0.0.1:1/hook".into(),
        headers: Vec::new(),
        body: bytes::Bytes::new(),
    };
    let told = tell(&mut wire, journal::What::WebhookSent(sent.into()));
    assert_eq!(told, [What::WebhookSent { delivery: 3, told: "v1.export-job.created".into(), units: vec!["unit-1".into()] }]);
    let ended = |end| journal::What::WebhookEnded { delivery: 3, end };
    assert_eq!(tell(&mut wire, ended(WebhookEnd::Answered(202))), [What::WebhookAnswered { delivery: 3, status: Some(202) }]);
    assert_eq!(tell(&mut wire, ended(WebhookEnd::Failed("refused".into()))), [What::WebhookAnswered { delivery: 3, status: None }]);
}

#[test]
fn units_are_recognised_anywhere_once_they_are_known() {
    let mut wire = collector();
    tell(&mut wire, journal::What::Controlled(Action::WorkAdded { units: vec!["unit-a1".into()] }));
    wire.know_units(["unit-b2", "unit-b2", ""]);
    let events = arrive(&mut wire, request(Endpoint::Api, "/v1/unit-b2?q=unit-a1", &[], r#"["unit-a1","unit-c3"]"#));
    let What::Requested { units, .. } = &events[0] else { panic!("{events:?}") };
    assert_eq!(units, &["unit-b2", "unit-a1"]);
}

#[test]
fn the_address_at_which_a_request_comes_in_tells_which_instance_sent_it() {
    let at = |port: u16| std::net::SocketAddr::from(([127, 0, 0, 1], port));
    let from = |port: u16, headers: &[(&str, &str)]| {
        let mut wire = collector().with_doors([vec![4_000], vec![4_001, 4_002]]);
        tell(&mut wire, journal::What::Opened { conn: 3, peer: at(50_000), local: at(port) });
        let events = arrive(&mut wire, request(Endpoint::Api, "/v1/me", headers, ""));
        let What::Requested { instance, .. } = events[0] else { panic!("{events:?}") };
        instance
    };
    assert_eq!([4_000, 4_001, 4_002, 4_003].map(|port| from(port, &[])), [Some(0), Some(1), Some(1), None]);
    assert_eq!(from(4_000, &[("x-regrant-agent", "agent-of-this-run")]), None, "the user's browser is no instance");
}

#[test]
fn an_authorise_request_is_told_by_digests() {
    let mut wire = collector();
    let query = "/oauth/authorize?response_type=code&redirect_uri=http%3A%2F%2Flocalhost%3A1%2Fcb&scope=a+b&state=Zk8pQ2mX7rLt9VwYbN4cDf&code_challenge=abc&code_challenge_method=S256";
    arrive(&mut wire, request(Endpoint::Authorize, query, &[], ""));
    let decided = |outcome| journal::What::Decided { exchange: 7, decision: Decision::Authorize { outcome } };
    let page = tell(&mut wire, decided(AuthorizeOutcome::Page));
    let expected = |result| What::Authorize {
        exchange: 7,
        response_type: Some("code".into()),
        redirect_uri: "http://localhost:1/cb".into(),
        scopes: vec!["a".into(), "b".into()],
        state: Some(digest(b"Zk8pQ2mX7rLt9VwYbN4cDf")),
        state_bits: 130,
        challenge: Some(digest(b"abc")),
        method: Some("S256".into()),
        result,
    };
    assert_eq!(page, [expected(Authorized::Page)]);
    // The consent itself carries none of this.
    arrive(&mut wire, request(Endpoint::Authorize, "/oauth/authorize/consent", &[], "answer=allow"));
    let code = tell(&mut wire, decided(AuthorizeOutcome::Code { name: "code#1".into(), grant: GrantId(4) }));
    assert_eq!(code, [expected(Authorized::Code { code: "code#1".into(), grant: 4 })]);
}

#[test]
fn calls_gates_and_ends_are_passed_on() {
    let mut wire = collector();
    let api = |documented| Decision::Api {
        presented: Some(Presented { name: None, grant: None, state: TokenState::Unknown }),
        carried: Carried::Bearer,
        status: 200,
        handed_out: vec!["u1".into()],
        delivered: vec![],
        documented,
    };
    let events = tell(&mut wire, journal::What::Decided { exchange: 1, decision: api(false) });
    assert!(
        matches!(&events[..], [What::Api { status: 200, handed_out, .. }, What::Undocumented { exchange: 1 }] if handed_out == &["u1"])
    );
    assert_eq!(tell(&mut wire, journal::What::Decided { exchange: 1, decision: Decision::Unknown }), [What::Undocumented { exchange: 1 }]);
    let introspect = Decision::Introspect { presented: None, active: Some(true) };
    assert_eq!(tell(&mut wire, journal::What::Decided { exchange: 1, decision: introspect }), [What::Introspected { exchange: 1 }]);
    let held = journal::What::Held { exchange: 1, gate: "g".into(), at: Point::Committed };
    assert_eq!(tell(&mut wire, held), [What::Held { exchange: 1, gate: "g".into() }]);
    let released = journal::What::Released { exchange: 1, gate: "g".into(), dropped: true };
    assert_eq!(tell(&mut wire, released), [What::Released { exchange: 1, dropped: true }]);
    assert_eq!(tell(&mut wire, journal::What::Read { exchange: 1 }), [What::Read { exchange: 1 }]);
    assert_eq!(tell(&mut wire, journal::What::ReadUnknown { exchange: 1 }), [What::ReadUnknown { exchange: 1 }]);
    for (by, by_subject) in [(Side::Peer, true), (Side::Provider, false)] {
        assert_eq!(tell(&mut wire, journal::What::Aborted { exchange: 1, by, written: 0 }), [What::Aborted { exchange: 1, by_subject }]);
    }
    assert_eq!(tell(&mut wire, journal::What::Minted { name: "access#2".into() }), []);
}

#[test]
fn what_the_user_and_the_owner_did_is_told() {
    let mut wire = collector();
    let grants = vec![GrantId(1), GrantId(2)];
    for (action, expected) in [
        (Action::Revoked { grants: grants.clone(), cause: Cause::User }, vec![What::Revoked { grants: vec![1, 2], cause: Cause::User }]),
        (Action::AccessExpired { grants: grants.clone() }, vec![What::Expired { grants: vec![1, 2], refresh: false }]),
        (Action::RefreshExpired { grants: grants.clone() }, vec![What::Expired { grants: vec![1, 2], refresh: true }]),
        (Action::AccessRejected { grants }, vec![What::AccessRejected { grants: vec![1, 2] }]),
        (
            Action::SecretRotated { client: "app".into(), secret: "secret#2".into(), odd: true },
            vec![What::SecretRotated { secret: "secret#2".into(), odd: true }],
        ),
        (
            Action::SecretChanged { client: "app".into(), secret: "secret#3".into(), change: SecretChange::Added },
            vec![What::SecretAdded { secret: "secret#3".into() }],
        ),
        (
            Action::SecretChanged { client: "app".into(), secret: "secret#1".into(), change: SecretChange::Revoked },
            vec![What::SecretEnds { secret: "secret#1".into() }],
        ),
        (Action::ClockSkewed { api: Skew::Behind(Duration::from_secs(2)) }, vec![What::ApiClockSet { ahead: -2_000_000 }]),
        (Action::ClockMoved { by: Duration::from_secs(2) }, vec![What::ClockMoved { by: 2_000_000 }]),
        (Action::PolicyChanged, vec![]),
    ] {
        assert_eq!(tell(&mut wire, journal::What::Controlled(action)), expected);
    }
}
