//! The resource API.

use regrant_mock_server::{
    ApiReply,
    control::UnitKind,
    journal::{Carried, Decision},
};
use serde_json::{Value, json};

use crate::support::*;

#[tokio::test]
async fn employees_come_page_by_page() {
    let provider = provider().await;
    let tokens = connect(&provider).await;
    let units = provider.control().add_work(UnitKind::Employee, 30);
    let (mut seen, mut handed_out, mut query) = (Vec::new(), Vec::new(), String::new());
    for _ in 0..10 {
        let page = once(&provider, &get(&format!("/v2/employees?{query}"), &tokens.access)).await.json();
        seen.extend(page["data"].as_array().expect("a list").iter().filter_map(|e| e["id"].as_str().map(str::to_owned)));
        match decision(provider.control(), last_exchange(provider.control())) {
            Some(Decision::Api { handed_out: units, .. }) => handed_out.extend(units),
            other => panic!("{other:?}"),
        }
        if page["pagination"]["hasNextPage"] == json!(false) {
            break;
        }
        query = format!("after={}", page["pagination"]["endCursor"].as_str().expect("a cursor"));
    }
    assert_eq!(seen.len(), 33);
    assert_eq!(handed_out, units.into_iter().map(|unit| unit.id).collect::<Vec<_>>());
}

#[tokio::test]
async fn an_export_job_goes_from_pending_to_completed() {
    let provider = provider().await;
    let token = connect(&provider).await.access;
    let unit = provider.control().add_work(UnitKind::Export, 1).remove(0).id;
    let jobs = once(&provider, &get("/v3/export-jobs?statuses=pending", &token)).await.json();
    let job = jobs["data"][0]["id"].as_str().expect("a job").to_owned();
    let event = |event: &str| with_body("POST", "/v3/export-job-events", &token, &json!({"jobId": job, "event": event}).to_string());
    assert_eq!(once(&provider, &event("completed")).await.status, 422, "it was not started");
    assert_eq!(once(&provider, &event("started")).await.status, 202);
    assert_eq!(once(&provider, &event("started")).await.json()["type"], "INVALID_EXPORT_JOB_STATUS_CHANGE");
    let items = once(&provider, &get(&format!("/v3/export-jobs/{job}/items"), &token)).await.json();
    assert_eq!(items["data"][0]["accountingEntryId"], json!(unit));
    assert_eq!(
        once(&provider, &get(&format!("/v3/export-items?job_id={job}"), &token)).await.json()["data"][0]["accountingEntryId"],
        json!(unit)
    );
    let update = json!([{"accountingEntryId": unit, "status": "successful", "externalId": "x-1"}, {"accountingEntryId": "nothing", "status": "failed"}]);
    let put = with_body("PUT", &format!("/v3/export-jobs/{job}/items"), &token, &update.to_string());
    let answer = once(&provider, &put).await.json();
    assert_eq!((answer["data"][0]["status"].as_str(), answer["errors"].as_array().map(Vec::len)), (Some("successful"), Some(1)));
    match decision(provider.control(), last_exchange(provider.control())) {
        Some(Decision::Api { delivered, handed_out, status: 200, .. }) => assert_eq!((delivered, handed_out), (vec![unit], Vec::new())),
        other => panic!("{other:?}"),
    }
    assert_eq!(once(&provider, &event("completed")).await.status, 202);
    assert_eq!(once(&provider, &put).await.status, 422, "it is finished");
}

#[tokio::test]
async fn a_job_that_nobody_touches_expires_after_an_hour() {
    let provider = provider_with(|config| config.policy.access_lifetime = std::time::Duration::from_secs(86_400)).await;
    let token = connect(&provider).await.access;
    provider.control().add_work(UnitKind::Export, 1);
    provider.control().advance(std::time::Duration::from_secs(3599));
    assert_eq!(once(&provider, &get("/v3/export-jobs", &token)).await.json()["data"][0]["status"], "pending");
    provider.control().advance(std::time::Duration::from_secs(2));
    let job = once(&provider, &get("/v3/export-jobs", &token)).await.json()["data"][0].clone();
    assert_eq!((job["status"].as_str(), job["failureReasonType"].as_str()), (Some("failed"), Some("job_expired")));
}

#[tokio::test]
async fn a_missing_scope_is_forbidden_and_no_scope_at_all_is_every_scope() {
    let provider = provider().await;
    let narrow = connect_for(&provider, "export-jobs:read").await;
    let forbidden = once(&provider, &get("/v2/employees", &narrow.access)).await;
    assert_eq!(forbidden.status, 403);
    assert!(forbidden.header("www-authenticate").is_some_and(|header| header.contains("insufficient_scope")));
    assert_eq!(once(&provider, &get("/v3/export-jobs", &narrow.access)).await.status, 200);
    let event = with_body("POST", "/v3/export-job-events", &narrow.access, "{}");
    assert_eq!(once(&provider, &event).await.status, 403);
    let other = crate::support::provider().await;
    let wide = connect(&other).await;
    assert_eq!(once(&other, &get("/v2/employees", &wide.access)).await.status, 200);
}

#[tokio::test]
async fn tokens_count_only_in_the_header() {
    let provider = provider().await;
    let token = connect(&provider).await.access;
    let carried = async |request: String, status: u16| {
        assert_eq!(once(&provider, &request).await.status, status, "{request}");
        match decision(provider.control(), last_exchange(provider.control())) {
            Some(Decision::Api { carried, presented, .. }) => (carried, presented.and_then(|p| p.name)),
            other => panic!("{other:?}"),
        }
    };
    let plain = |query: &str, header: &str| format!("GET /v2/employees{query} HTTP/1.1\r\nHost: x\r\n{header}\r\n");
    let named = || Some("access#1".to_owned());
    assert_eq!(carried(get("/v2/employees", &token), 200).await, (Carried::Bearer, named()));
    assert_eq!(carried(plain("", ""), 401).await, (Carried::Nothing, None));
    assert_eq!(carried(plain("", "Authorization: Bearer undefined\r\n"), 401).await, (Carried::EmptyBearer, None));
    assert_eq!(carried(plain("", "Authorization: Basic eDo=\r\n"), 401).await, (Carried::OtherScheme, None));
    assert_eq!(carried(plain(&format!("?access_token={token}"), ""), 400).await, (Carried::Elsewhere, named()));
    assert_eq!(carried(get(&format!("/v2/employees?t={token}"), &token), 400).await, (Carried::Elsewhere, named()));
    let leaked = with_body("POST", "/v1/vendors", &token, &format!("{{\"debug\":\"{token}\"}}"));
    assert_eq!(carried(leaked, 201).await, (Carried::Elsewhere, named()), "no RFC forbids it, but it is seen");
}

#[tokio::test]
async fn documented_paths_that_are_not_modelled_answer_in_pleo_s_envelope() {
    let provider = provider().await;
    let token = connect(&provider).await.access;
    let list = once(&provider, &get("/v0/tax-codes", &token)).await;
    assert_eq!((list.status, list.json()["data"].as_array().map(Vec::len)), (200, Some(0)));
    assert_eq!(once(&provider, &with_body("POST", "/v1/accounting-entries:search", &token, "{}")).await.json()["data"], json!([]));
    let echo = once(&provider, &with_body("POST", "/v1/vendors", &token, "{\"name\":\"N\"}")).await.json();
    assert_eq!(echo["data"]["name"], "N");
    assert!(echo["data"]["id"].is_string());
    let unknown = once(&provider, &get("/v1/nonsense", &token)).await;
    assert_eq!(unknown.status, 404);
    assert!(matches!(
        decision(provider.control(), last_exchange(provider.control())),
        Some(Decision::Api { documented: false, status: 404, .. })
    ));
}

#[tokio::test]
async fn a_user_s_own_replies_come_first() {
    let supplied = |path: &str, json: Value| ApiReply { method: "GET".into(), path: path.into(), status: 200, json };
    let provider = provider_with(|config| config.replies = vec![supplied("/v7/cards/{id}", json!({"mine": true}))]).await;
    let token = connect(&provider).await.access;
    assert_eq!(once(&provider, &get("/v7/cards/1", &token)).await.body, "{\"mine\":true}");
    assert_eq!(once(&provider, &get("/v7/cards/1", "nonsense")).await.status, 401);
}

#[tokio::test]
async fn deleting_the_installation_ends_all_grants_of_the_client() {
    let provider = provider().await;
    let (one, other) = (connect(&provider).await, connect(&provider).await);
    assert_eq!(once(&provider, &get("/v1/installations/me", &one.access)).await.json()["status"], "AUTHORIZED");
    let introspected = once(&provider, &get("/v1/introspect", &one.access)).await.json();
    assert_eq!(introspected["data"]["clientId"], json!(provider.client().0));
    assert_eq!(once(&provider, &with_body("DELETE", "/v1/installations/me", &one.access, "")).await.status, 204);
    assert_eq!(once(&provider, &get("/v2/employees", &other.access)).await.status, 401);
    assert_eq!(once(&provider, &refresh(&provider, &other.refresh)).await.json()["error"], "invalid_grant");
}

#[tokio::test]
async fn another_company_s_grant_sees_another_company_s_employees() {
    let provider = provider().await;
    let first = connect(&provider).await;
    assert!(provider.control().consent_for(1));
    let second = connect(&provider).await;
    let company = async |tokens: &Tokens| {
        once(&provider, &get("/v2/employees", &tokens.access)).await.json()["data"][0]["companyId"].as_str().map(str::to_owned)
    };
    assert_ne!(company(&first).await, company(&second).await);
    assert!(!provider.control().consent_for(99));
}
