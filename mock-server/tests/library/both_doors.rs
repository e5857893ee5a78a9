//! Test bodies that do not know which door they go through.

use std::time::Duration;

use regrant_mock_server::{
    ConnectError, ConsentMode, InstallError, Pleo, PleoBuilder,
    authority::Rotation,
    fault::{ExpiresIn, ExpiresWord, Fate, Garble, Match, Point, Reshape, Rule},
    journal::{Endpoint, What},
};
use serde_json::json;

use crate::{
    integration::{Integration, Outcome},
    support::{call, http, on_both_doors, refresh},
};

fn usual(builder: PleoBuilder) -> PleoBuilder {
    builder
}

#[tokio::test]
async fn an_oauth2_client_refreshes_and_lets_go_when_it_is_revoked() {
    on_both_doors(usual, async |pleo: &Pleo| {
        let (_no_replay, _silence) = (pleo.expect_no_replay(), pleo.expect_no_calls_after_refusal());
        let _two = pleo.expect_refreshes(2);
        let integration = Integration::new(pleo, pleo.connect().expect("connected")).expect("an integration");
        pleo.expire_access();
        assert_eq!(integration.work().await.expect("answered"), Outcome::Read(3));
        pleo.revoke();
        assert_eq!(integration.work().await.expect("answered"), Outcome::Disconnected);
        assert_eq!(integration.work().await.expect("answered"), Outcome::Disconnected);
    })
    .await;
}

#[tokio::test]
async fn a_user_consents_and_the_code_is_exchanged() {
    on_both_doors(
        |builder| builder.client("crm", "s3cret").redirect_uri("http://127.0.0.1:9/cb").scopes(["users:read"]).pkce_optional(),
        async |pleo: &Pleo| {
            let query = [("response_type", "code"), ("client_id", "crm"), ("redirect_uri", "http://127.0.0.1:9/cb"), ("state", "a b&c")];
            let sent_back = http().get(pleo.authorize_url()).query(&query).send().await.expect("an answer");
            assert_eq!(sent_back.status(), 302);
            let location = url::Url::parse(sent_back.headers()["location"].to_str().expect("text")).expect("a URL");
            let parameter = |name: &str| location.query_pairs().find(|(n, _)| n == name).map(|(_, value)| value.into_owned());
            assert_eq!(parameter("state").as_deref(), Some("a b&c"));
            let code = parameter("code").expect("a code");
            let fields = [("grant_type", "authorization_code"), ("code", code.as_str()), ("redirect_uri", "http://127.0.0.1:9/cb")];
            let request = http().post(pleo.token_url()).basic_auth("crm", Some("s3cret")).form(&fields);
            let tokens: serde_json::Value = request.send().await.expect("an answer").json().await.expect("JSON");
            assert_eq!((tokens["scope"].as_str(), tokens["expires_in"].as_u64()), (Some("users:read"), Some(900)));
            assert_eq!(call(pleo, "/v2/employees", tokens["access_token"].as_str().expect("a token")).await, 200);
        },
    )
    .await;
}

#[tokio::test]
async fn each_lever_does_what_its_name_says() {
    on_both_doors(usual, async |pleo: &Pleo| {
        let first = pleo.connect().expect("connected");
        assert_eq!(call(pleo, "/v2/employees", &first.access_token).await, 200);
        assert_eq!(pleo.reject_access(), [first.grant]);
        assert_eq!(call(pleo, "/v2/employees", &first.access_token).await, 401);
        let (status, answer) = refresh(pleo, &first.refresh_token).await.expect("an answer");
        assert_eq!(status, 200);
        let second = answer["refresh_token"].as_str().expect("a token").to_owned();
        let old = pleo.client_secret();
        let new = pleo.rotate_secret().expect("confidential");
        assert_eq!((pleo.client_secret().as_ref(), old.as_ref() == Some(&new)), (Some(&new), false));
        assert_eq!(refresh(pleo, &second).await.expect("an answer").0, 200, "with the new secret");
        assert_eq!(pleo.expire_refresh(), [first.grant]);
        let newest = pleo.connect().expect("connected");
        pleo.advance(Duration::from_secs(901));
        assert_eq!(call(pleo, "/v2/employees", &newest.access_token).await, 401, "its fifteen minutes are over");
        pleo.advance(Duration::from_secs(60 * 86_400));
        assert_eq!(refresh(pleo, &newest.refresh_token).await.expect("an answer").1["error"], "invalid_grant");
    })
    .await;
}

#[tokio::test]
async fn settings_take_effect() {
    let settings = |builder: PleoBuilder| {
        builder
            .public_client("mobile")
            .rotation(Rotation::Off)
            .access_token_lifetime(Duration::from_secs(60))
            .refresh_token_lifetime(Duration::from_secs(120))
            .policy(|policy| policy.refused_with.error = "invalid_token".into())
            .reply("GET", "/v2/employees", 418, json!({"teapot": true}))
    };
    on_both_doors(settings, async |pleo: &Pleo| {
        let connected = pleo.connect().expect("connected");
        assert_eq!((pleo.client_id().as_str(), pleo.client_secret(), connected.expires_in.as_secs()), ("mobile", None, 60));
        assert_eq!(call(pleo, "/v2/employees", &connected.access_token).await, 418);
        let fields = [("grant_type", "refresh_token"), ("refresh_token", &connected.refresh_token), ("client_id", "mobile")];
        let ask = async || http().post(pleo.token_url()).form(&fields).send().await.expect("an answer").json::<serde_json::Value>().await;
        let same = ask().await.expect("JSON");
        assert!(same["access_token"].is_string() && same["refresh_token"].is_null(), "{same}");
        pleo.advance(Duration::from_secs(121));
        assert_eq!(ask().await.expect("JSON")["error"], "invalid_token");
    })
    .await;
}

#[tokio::test]
async fn the_shortcut_asks_for_what_a_user_could_give() {
    on_both_doors(
        |builder| builder.scopes(["users:read", "export-jobs:read"]),
        async |pleo: &Pleo| {
            let narrow = pleo.connect_for(&["users:read"]).expect("connected");
            assert_eq!(narrow.scopes, ["users:read"]);
            assert_eq!(call(pleo, "/v3/export-jobs", &narrow.access_token).await, 403);
            assert_eq!(pleo.connect_for(&["all"]), Err(ConnectError::Scope("all".into())));
            assert!(!format!("{narrow:?}").contains(&narrow.refresh_token), "no secret in a log");
            pleo.control().consent(ConsentMode::Deny);
            assert_eq!(pleo.connect(), Err(ConnectError::Denied));
        },
    )
    .await;
}

#[tokio::test]
async fn the_next_answer_can_be_an_outage_or_get_lost() {
    on_both_doors(usual, async |pleo: &Pleo| {
        let connected = pleo.connect().expect("connected");
        pleo.reply_once(503).expect("installed");
        assert_eq!(refresh(pleo, &connected.refresh_token).await.map(|(status, _)| status), Some(503));
        pleo.reply_once_at(Endpoint::Api, 429).expect("installed");
        assert_eq!(call(pleo, "/v2/employees", &connected.access_token).await, 429);
        assert_eq!(call(pleo, "/v2/employees", &connected.access_token).await, 200, "once");
        pleo.lose_next_refresh_reply().expect("installed");
        assert_eq!(refresh(pleo, &connected.refresh_token).await, None);
        assert_eq!(call(pleo, "/v2/employees", &connected.access_token).await, 401, "the refresh was committed");
        let statuses: Vec<_> = pleo.calls().iter().map(|call| call.status).collect();
        assert_eq!(statuses, [Some(503), Some(429), Some(200), None, Some(401)]);
    })
    .await;
}

#[tokio::test]
async fn any_rule_that_replies_at_once_goes_through_both_doors() {
    on_both_doors(usual, async |pleo: &Pleo| {
        let connected = pleo.connect().expect("connected");
        let rule = |at, fate| Rule { on: Match { nth: Some(1), ..Match::default() }, at, fate, until: None };
        let (content_type, headers) = (Some("text/html".into()), [("x-mirror".to_owned(), "b".to_owned())].into());
        let maintenance = Fate::Replace { status: Some(200), content_type, headers, body: "<h1>Maintenance</h1>".into() };
        pleo.install(rule(Point::Authenticated, maintenance)).expect("installed");
        let answer = http().get(format!("{}/v2/employees", pleo.api_url())).bearer_auth(&connected.access_token).send();
        let answer = answer.await.expect("an answer");
        assert_eq!(
            (&answer.headers()["content-type"], &answer.headers()["x-mirror"]),
            (&"text/html".parse().unwrap(), &"b".parse().unwrap())
        );
        assert_eq!(answer.text().await.expect("a body"), "<h1>Maintenance</h1>");
        let error = Some("slow_down".to_owned());
        pleo.install(rule(Point::Decided, Fate::Status { code: 429, error, description: None, retry_after: Some(7.into()) }))
            .expect("installed");
        let request = http().post(pleo.token_url()).basic_auth(pleo.client_id(), pleo.client_secret());
        let answer = request.form(&[("grant_type", "refresh_token"), ("refresh_token", &connected.refresh_token)]).send();
        let answer = answer.await.expect("an answer");
        assert_eq!((answer.status().as_u16(), answer.headers()["retry-after"].to_str().ok()), (429, Some("7")));
        assert_eq!(refresh(pleo, &connected.refresh_token).await.map(|(status, _)| status), Some(200), "nothing was spent");
    })
    .await;
}

#[tokio::test]
async fn a_rule_that_could_never_come_true_is_refused() {
    on_both_doors(usual, async |pleo: &Pleo| {
        let never = Rule { on: Match { nth: Some(0), ..Match::default() }, at: Point::Arrived, fate: Fate::Drop, until: None };
        let refused = pleo.install(never).expect_err("refused").to_string();
        assert_eq!(refused, "on: nth and times count from 1 (leave it out to match every request)");
        assert!(matches!(pleo.reply_once(99), Err(InstallError::Fault(_))));
        let connected = pleo.connect().expect("connected");
        assert_eq!(call(pleo, "/v2/employees", &connected.access_token).await, 200, "nothing was installed");
        pleo.reset();
        assert_eq!(call(pleo, "/v2/employees", &connected.access_token).await, 401, "all grants are forgotten");
    })
    .await;
}

#[tokio::test]
async fn a_late_reply_is_committed_before_it_comes() {
    on_both_doors(usual, async |pleo: &Pleo| {
        let connected = pleo.connect().expect("connected");
        let late = Duration::from_millis(300);
        pleo.delay_next_refresh_reply(late).expect("installed");
        let begun = std::time::Instant::now();
        let (refreshed, while_it_waits) = tokio::join!(refresh(pleo, &connected.refresh_token), async {
            let mut lines = pleo.control().follow();
            while !matches!(lines.recv().await.expect("it goes on").what, What::Decided { .. }) {}
            call(pleo, "/v2/employees", &connected.access_token).await
        });
        assert_eq!(refreshed.map(|(status, _)| status), Some(200));
        assert!(begun.elapsed() >= late);
        assert_eq!(while_it_waits, 401, "the old access token died with the decision, and the server answers meanwhile");
    })
    .await;
}

#[tokio::test]
async fn tests_that_share_a_server_take_a_tenant_each() {
    on_both_doors(usual, async |pleo: &Pleo| {
        let (one, other) = (pleo.tenant("one").expect("a tenant"), pleo.tenant("other").expect("a tenant"));
        let (quiet, busy) = (other.expect_refreshes(0), one.expect_refreshes(1));
        let theirs = other.connect().expect("connected");
        let integration = Integration::new(&one, one.connect().expect("connected")).expect("an integration");
        one.expire_access();
        one.reply_once_at(Endpoint::Api, 503).expect("installed");
        assert_eq!(integration.work().await.expect("answered"), Outcome::Later);
        assert_eq!(integration.work().await.expect("answered"), Outcome::Read(3));
        assert_eq!(call(&other, "/v2/employees", &theirs.access_token).await, 200, "nothing befell the other");
        quiet.verify();
        busy.verify();
        let paths = |pleo: &Pleo| pleo.calls().into_iter().map(|call| call.path).collect::<Vec<_>>();
        assert_eq!((paths(&other), paths(pleo).len()), (vec!["/v2/employees".to_owned()], 0));
        assert!(pleo.tenant("No name").is_err());
    })
    .await;
}

#[tokio::test]
async fn the_provider_s_own_reply_can_be_spoilt_reshaped_or_lead_elsewhere() {
    on_both_doors(usual, async |pleo: &Pleo| {
        let connected = pleo.connect().expect("connected");
        let install = |at, fate| pleo.install(Rule { on: Match { nth: Some(1), ..Match::default() }, at, fate, until: None });
        let employees = async || {
            let answer = http().get(format!("{}/v2/employees", pleo.api_url())).bearer_auth(&connected.access_token).send().await;
            let answer = answer.expect("an answer");
            let header = |name: &str| answer.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
            (answer.status().as_u16(), header("content-type"), header("location"), answer.bytes().await.expect("a body"))
        };
        install(Point::Arrived, Fate::Garble(Garble::NoContentType)).expect("installed");
        let (status, kind, _, body) = employees().await;
        assert!(status == 200 && kind.is_none() && serde_json::from_slice::<serde_json::Value>(&body).is_ok(), "{kind:?}");
        install(Point::Committed, Fate::Garble(Garble::Json)).expect("installed");
        assert!(serde_json::from_slice::<serde_json::Value>(&employees().await.3).is_err());
        install(Point::Arrived, Fate::Redirect { to: "/login".into(), status: None }).expect("installed");
        let (status, _, location, _) = employees().await;
        assert_eq!((status, location.as_deref()), (302, Some("/login")));
        let reshape = Reshape { expires_in: Some(ExpiresIn::Word(ExpiresWord::Absent)), ..Reshape::default() };
        install(Point::Committed, Fate::Reshape(Box::new(reshape))).expect("installed");
        let (status, answer) = refresh(pleo, &connected.refresh_token).await.expect("an answer");
        assert!(status == 200 && answer["access_token"].is_string() && answer.get("expires_in").is_none(), "{answer}");
    })
    .await;
}
