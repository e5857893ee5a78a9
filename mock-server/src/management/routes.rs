//! The paths of the management port and what they do.

use std::time::Duration;

use axum::{
    Router,
    body::Bytes,
    extract::{Path, Query, State},
    middleware,
    routing::{delete, get, post, put},
};
use regrant_authority::{Cause, ClientError, GrantId};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    answer::{Answer, Refusal, Shown, read},
    guard, journal, openapi,
};
use crate::{
    ConsentMode, Control, TokenShape, Urls,
    clock::iso,
    control::{Target, UnitKind},
    fault::{Rule, scenario},
};

/// All paths. A test holds that each one the OpenAPI document names is here.
pub(super) fn router(control: Control) -> Router {
    let ready = ready(&control, &control.shared.urls);
    Router::new()
        .route("/v1/ready", get(|| async move { Shown(ready.clone()) }))
        .route("/v1/openapi.json", get(|| async { Shown(openapi::document()) }))
        .route("/v1/journal", get(journal::read))
        .route("/v1/grants", get(grants))
        .route("/v1/grants/{id}/revoke", post(revoke))
        .route("/v1/grants/{id}/expire", post(expire))
        .route("/v1/grants/{id}/reject", post(reject))
        .route("/v1/tokens", get(tokens))
        .route("/v1/clients/{id}/rotate-secret", post(rotate_secret))
        .route("/v1/clock", get(clock).post(advance))
        .route("/v1/rules", get(rules).post(install).delete(remove_all))
        .route("/v1/rules/{id}", delete(remove))
        .route("/v1/gates", get(gates))
        .route("/v1/gates/{name}/release", post(release))
        .route("/v1/gates/{name}/drop", post(drop_held))
        .route("/v1/work", post(work))
        .route("/v1/consent", put(consent))
        .route("/v1/policy", put(policy))
        .fallback(|| async { Refusal::new(404, "there is nothing at this path", "GET /v1/openapi.json lists all paths") })
        .method_not_allowed_fallback(|| async {
            Refusal::new(405, "this path has other methods", "GET /v1/openapi.json lists all methods")
        })
        .layer(middleware::from_fn(guard::only_local))
        .with_state(control)
}

fn ready(control: &Control, urls: &Urls) -> Value {
    let (client_id, client_secret) = control.shared.first_client();
    json!({
        "ready": true,
        "authorize_url": urls.authorize,
        "token_url": urls.token,
        "introspect_url": urls.introspect,
        "api_url": urls.api,
        "management_url": urls.management,
        "client_id": client_id,
        "client_secret": client_secret,
        "seed": control.seed(),
    })
}

async fn grants(State(control): State<Control>) -> Shown {
    let all = control.grants();
    let shown = all.iter().map(|grant| {
        json!({
            "id": grant.id,
            "client_id": grant.client_id,
            "user": grant.user,
            "company": grant.company,
            "scopes": grant.scopes,
            "since": iso(grant.since),
            "generation": grant.generation,
            "live": grant.ended.is_none(),
            "ended": grant.ended.map(|(at, by)| json!({"at": iso(at), "by": by})),
        })
    });
    Shown(shown.collect())
}

/// `?values=1`.
#[derive(Debug, Default, Deserialize)]
struct Values {
    values: Option<String>,
}

async fn tokens(State(control): State<Control>, Query(asked): Query<Values>) -> Shown {
    let state = control.shared.state();
    let now = control.shared.clock.now();
    let shown = state.vault.all().iter().map(|canary| {
        let mut shown = json!({"name": canary.name, "kind": canary.kind, "grant": canary.grant});
        if let Some(fields) = shown.as_object_mut() {
            if canary.grant.is_some() {
                fields.insert("state".into(), json!(state.authority.state(now, &canary.value)));
            }
            if asked.values.as_deref() == Some("1") {
                fields.insert("value".into(), json!(canary.value));
            }
        }
        shown
    });
    Shown(shown.collect())
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Revoke {
    #[serde(default = "the_user")]
    cause: Cause,
}

fn the_user() -> Cause {
    Cause::User
}

async fn revoke(State(control): State<Control>, Path(id): Path<String>, body: Bytes) -> Answer {
    let Revoke { cause } = read(&body, r#"{"cause": "user"}; also security, policy, credential-rotation"#)?;
    let grants = control.revoke(target(&id)?, cause);
    done(&control, &id, &grants)
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Expire {
    token: scenario::Token,
    /// With a refresh token, the access token too.
    #[serde(default)]
    also_access: bool,
}

async fn expire(State(control): State<Control>, Path(id): Path<String>, body: Bytes) -> Answer {
    let asked: Expire = read(&body, r#"{"token": "access"} or {"token": "refresh", "also_access": true}"#)?;
    let target = target(&id)?;
    let grants = match asked.token {
        scenario::Token::Access => control.expire_access(target),
        scenario::Token::Refresh => control.expire_refresh(target, asked.also_access),
    };
    done(&control, &id, &grants)
}

async fn reject(State(control): State<Control>, Path(id): Path<String>) -> Answer {
    let grants = control.reject_access(target(&id)?);
    done(&control, &id, &grants)
}

/// A number, `newest` or `all`.
fn target(id: &str) -> Result<Target, Refusal> {
    match (id, id.parse()) {
        ("all", _) => Ok(Target::All),
        ("newest", _) => Ok(Target::Newest),
        (_, Ok(number)) => Ok(Target::Grant(GrantId(number))),
        (_, Err(_)) => Err(Refusal::new(400, &format!("{id:?} is no grant"), "use a number from GET /v1/grants, or newest, or all")),
    }
}

fn done(control: &Control, id: &str, grants: &[GrantId]) -> Answer {
    if grants.is_empty() && id != "all" {
        let live: Vec<u32> = control.grants().iter().filter(|grant| grant.ended.is_none()).map(|grant| grant.id.0).collect();
        let remedy =
            if live.is_empty() { "connect the integration first".to_owned() } else { format!("live grants with tokens: {live:?}") };
        return Err(Refusal::new(404, &format!("there is no live grant {id} with tokens"), &remedy));
    }
    Ok(Shown(json!({ "grants": grants })))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Overlap {
    #[serde(default, deserialize_with = "scenario::maybe_duration")]
    overlap: Option<Duration>,
}

async fn rotate_secret(State(control): State<Control>, Path(id): Path<String>, body: Bytes) -> Answer {
    let Overlap { overlap } = read(&body, r#"{"overlap": "10s"}"#)?;
    match control.rotate_secret(Some(&id), overlap.unwrap_or_default()) {
        Ok(canary) => Ok(Shown(json!({"client_id": id, "client_secret": canary.value, "name": canary.name}))),
        Err(error @ ClientError::Unknown(_)) => {
            let known = control.shared.state().clients.join(", ");
            Err(Refusal::new(404, &error.to_string(), &format!("registered clients: {known}")))
        }
        Err(error @ ClientError::Public(_)) => Err(Refusal::new(409, &error.to_string(), "rotate a confidential client's secret")),
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Advance {
    #[serde(deserialize_with = "scenario::duration")]
    advance: Duration,
}

async fn clock(State(control): State<Control>) -> Shown {
    Shown(json!({"now": iso(control.shared.clock.now())}))
}

async fn advance(State(control): State<Control>, body: Bytes) -> Answer {
    let Advance { advance } = read(&body, r#"{"advance": "15m"}"#)?;
    control.advance(advance);
    Ok(clock(State(control)).await)
}

async fn rules(State(control): State<Control>) -> Shown {
    let state = control.shared.state();
    Shown(state.rules.all().iter().map(|one| json!({"id": one.id, "seen": one.seen, "rule": one.rule})).collect())
}

async fn install(State(control): State<Control>, body: Bytes) -> Answer {
    let rule: Rule = read(&body, r#"{"on": {"endpoint": "token", "nth": 1}, "at": "committed", "fate": {"hold": "gate-a"}}"#)?;
    Ok(Shown(json!({"id": control.install(rule)})))
}

async fn remove(State(control): State<Control>, Path(id): Path<String>) -> Answer {
    match id.parse() {
        Ok(number) if control.remove(number) => Ok(Shown(json!({"removed": [number]}))),
        Ok(_) | Err(_) => Err(Refusal::new(404, &format!("there is no rule {id}"), "GET /v1/rules lists them")),
    }
}

async fn remove_all(State(control): State<Control>) -> Shown {
    let ids: Vec<u32> = control.shared.state().rules.all().iter().map(|one| one.id).collect();
    Shown(json!({"removed": ids.into_iter().filter(|id| control.remove(*id)).collect::<Vec<_>>()}))
}

async fn gates(State(control): State<Control>) -> Shown {
    Shown(json!(control.shared.gates.all()))
}

async fn release(State(control): State<Control>, Path(name): Path<String>) -> Answer {
    let ends_a_rule = control.shared.state().rules.all().iter().any(|one| one.rule.until.as_ref() == Some(&name));
    let gate = if ends_a_rule { name } else { known(&control, name)? };
    Ok(Shown(json!({"released": control.release(&gate)})))
}

async fn drop_held(State(control): State<Control>, Path(name): Path<String>) -> Answer {
    let gate = known(&control, name)?;
    Ok(Shown(json!({"dropped": control.drop_held(&gate)})))
}

fn known(control: &Control, name: String) -> Result<String, Refusal> {
    let all = control.shared.gates.all();
    if all.iter().any(|gate| gate.name == name) {
        return Ok(name);
    }
    let names: Vec<&str> = all.iter().map(|gate| gate.name.as_str()).collect();
    let remedy = match names.as_slice() {
        [] => "install a rule with the fate {\"hold\": \"…\"} first: POST /v1/rules".to_owned(),
        names => format!("gates: {}", names.join(", ")),
    };
    Err(Refusal::new(404, &format!("there is no gate {name:?}"), &remedy))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Work {
    kind: UnitKind,
    #[serde(default = "one")]
    count: usize,
    #[serde(default)]
    company: usize,
}

fn one() -> usize {
    1
}

/// More would only be a slip.
const MOST_WORK: usize = 10_000;

async fn work(State(control): State<Control>, body: Bytes) -> Answer {
    let asked: Work = read(&body, r#"{"kind": "export", "count": 3} or {"kind": "employee"}"#)?;
    if asked.count > MOST_WORK {
        return Err(Refusal::new(400, "that is more work than anybody does", &format!("at most {MOST_WORK} at a time")));
    }
    let units = control.add_work_in(asked.company, asked.kind, asked.count);
    Ok(Shown(json!({"units": units.into_iter().map(|unit| unit.id).collect::<Vec<_>>()})))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Consent {
    mode: Option<ConsentMode>,
    company: Option<usize>,
}

async fn consent(State(control): State<Control>, body: Bytes) -> Answer {
    let asked: Consent = read(&body, r#"{"mode": "page"}, "auto" or "deny"; {"company": 1} for the second company's user"#)?;
    if asked.company.is_some_and(|company| !control.consent_for(company)) {
        let count = control.shared.state().store.companies();
        return Err(Refusal::new(404, "there is no such company", &format!("0 to {}", count.saturating_sub(1))));
    }
    if let Some(mode) = asked.mode {
        control.consent(mode);
    }
    Ok(Shown(json!({"mode": asked.mode, "company": asked.company})))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct PolicyChange {
    token_shape: Option<TokenShape>,
    /// The words of a scenario's `[provider]`.
    provider: Option<scenario::ProviderPolicy>,
}

async fn policy(State(control): State<Control>, body: Bytes) -> Answer {
    let asked: PolicyChange = read(&body, r#"{"provider": {"access_token_lifetime": "2s", "rotation": "strict"}, "token_shape": "odd"}"#)?;
    if let Some(told) = &asked.provider {
        control.policy(|policy| scenario::apply_policy(told, policy));
    }
    if let Some(shape) = asked.token_shape {
        control.token_shape(shape);
    }
    Ok(Shown(json!({"changed": true})))
}
