//! Clock, work, consent and policy: how the provider is set.

use std::time::Duration;

use regrant_authority::{Policy, Rotation};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    answer::{Answer, At, Example, Refusal, Sent, Shown},
    words,
};
use crate::{ConsentMode, Control, Skew, TokenShape, clock::iso, control::UnitKind, fault::scenario};

pub(super) fn routes() -> OpenApiRouter<Control> {
    OpenApiRouter::new()
        .routes(routes!(clock, advance))
        .routes(routes!(skew))
        .routes(routes!(work))
        .routes(routes!(consent, set_consent))
        .routes(routes!(policy, change_policy))
}

/// The provider's time.
#[derive(Debug, Serialize, ToSchema)]
struct ClockView {
    #[schema(format = DateTime)]
    now: String,
    /// How far ahead of the host's clock it was moved.
    ahead_ms: u64,
    /// The API's time.
    #[schema(format = DateTime)]
    api_now: String,
    /// How far the API's clock is ahead of the authorisation server's; below zero: behind it.
    api_ahead_ms: i64,
}

/// Tells the provider's time
#[utoipa::path(get, path = "/clock", tag = "clock", responses((status = 200, description = "Its time now", body = ClockView)))]
async fn clock(At(control): At) -> Shown<ClockView> {
    Shown(time(&control))
}

fn time(control: &Control) -> ClockView {
    let shown = control.clock();
    let signed = |span: Duration| i64::try_from(span.as_millis()).unwrap_or(i64::MAX);
    ClockView {
        now: iso(shown.server),
        ahead_ms: u64::try_from(shown.ahead.as_millis()).unwrap_or(u64::MAX),
        api_now: iso(shown.api),
        api_ahead_ms: match shown.skew {
            Skew::Ahead(span) => signed(span),
            Skew::Behind(span) => -signed(span),
        },
    }
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Advance {
    #[serde(deserialize_with = "scenario::duration")]
    #[schema(schema_with = words::span)]
    advance: Duration,
}

impl Example for Advance {
    const EXAMPLE: &'static str = r#"{"advance": "15m"}"#;
}

/// Further would lead out of the calendar.
const FURTHEST: Duration = Duration::from_secs(100 * 366 * 24 * 3600);

/// Moves the provider's clock forward
#[utoipa::path(post, path = "/clock", tag = "clock", request_body = Advance, responses(
    (status = 200, description = "Its time now", body = ClockView),
    (status = 409, description = "That is further than anybody needs: more than 100 years ahead of the host"),
))]
async fn advance(At(control): At, Sent(Advance { advance }): Sent<Advance>) -> Answer<ClockView> {
    if control.shared.clock.ahead().saturating_add(advance) > FURTHEST {
        return Err(Refusal::new(409, "the clock would be more than 100 years ahead", "go less far, or POST /v1/reset first"));
    }
    control.advance(advance);
    Ok(Shown(time(&control)))
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Apart {
    /// The API's clock is ahead of the authorisation server's by so much.
    #[serde(default, deserialize_with = "scenario::maybe_duration")]
    #[schema(schema_with = words::span, required = false)]
    ahead: Option<Duration>,
    /// It is behind by so much.
    #[serde(default, deserialize_with = "scenario::maybe_duration")]
    #[schema(schema_with = words::span, required = false)]
    behind: Option<Duration>,
}

impl Example for Apart {
    const EXAMPLE: &'static str = r#"{"ahead": "30s"}, {"behind": "30s"}, or {} for clocks that go alike"#;
}

/// Sets the API's clock apart from the authorisation server's; both move on alike
///
/// The API then refuses tokens that the authorisation server thinks good, or takes what it thinks expired.
#[utoipa::path(put, path = "/clock/api", tag = "clock", request_body = Option<Apart>, responses(
    (status = 200, description = "Both times now", body = ClockView),
    (status = 409, description = "That is further than anybody needs: more than 100 years apart"),
))]
async fn skew(At(control): At, Sent(Apart { ahead, behind }): Sent<Apart>) -> Answer<ClockView> {
    let Some(skew) = (scenario::SkewApi { ahead, behind }).skew() else {
        return Err(Refusal::new(400, "a clock cannot be ahead and behind at once", "leave one out"));
    };
    if ahead.or(behind).unwrap_or_default() > FURTHEST {
        return Err(Refusal::new(409, "the clocks would be more than 100 years apart", "go less far"));
    }
    control.skew(skew);
    Ok(Shown(time(&control)))
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Work {
    kind: UnitKind,
    #[serde(default = "one")]
    #[schema(maximum = 10_000)]
    count: usize,
    /// Which company, by index.
    #[serde(default)]
    company: usize,
}

impl Example for Work {
    const EXAMPLE: &'static str = r#"{"kind": "export", "count": 3} or {"kind": "employee"}"#;
}

fn one() -> usize {
    1
}

/// More would only be a slip.
const MOST_WORK: usize = 10_000;

/// What came into being.
#[derive(Debug, Serialize, ToSchema)]
struct Units {
    /// Their ids.
    units: Vec<String>,
}

/// Adds units of work: export jobs with an entry each, or employees
#[utoipa::path(post, path = "/work", tag = "provider", request_body = Work, responses(
    (status = 200, description = "Added", body = Units),
    (status = 404, description = "There is no such company"),
))]
async fn work(At(control): At, Sent(asked): Sent<Work>) -> Answer<Units> {
    if asked.count > MOST_WORK {
        return Err(Refusal::new(400, "that is more work than anybody does", &format!("at most {MOST_WORK} at a time")));
    }
    let companies = control.shared.state().store.companies();
    if asked.company >= companies {
        return Err(no_company(companies));
    }
    let units = control.add_work_in(asked.company, asked.kind, asked.count);
    Ok(Shown(Units { units: units.into_iter().map(|unit| unit.id).collect() }))
}

fn no_company(count: usize) -> Refusal {
    Refusal::new(404, "there is no such company", &format!("0 to {}", count.saturating_sub(1)))
}

/// How the consent page answers, and for whom.
#[derive(Debug, Serialize, ToSchema)]
struct ConsentView {
    mode: ConsentMode,
    /// The company whose user consents, by index.
    company: usize,
}

/// Tells how the consent page answers
#[utoipa::path(get, path = "/consent", tag = "provider", responses((status = 200, description = "How it is set", body = ConsentView)))]
async fn consent(At(control): At) -> Shown<ConsentView> {
    let state = control.shared.state();
    Shown(ConsentView { mode: state.consent, company: state.company })
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct SetConsent {
    /// A page for people, consent at once, or denial at once.
    mode: Option<ConsentMode>,
    /// The company whose user consents, by index.
    company: Option<usize>,
}

impl Example for SetConsent {
    const EXAMPLE: &'static str = r#"{"mode": "page"}, "auto" or "deny"; {"company": 1} for the second company's user"#;
}

/// Sets how the consent page answers, and for which company; what is left out stays
#[utoipa::path(put, path = "/consent", tag = "provider", request_body = Option<SetConsent>, responses(
    (status = 200, description = "How it is set now", body = ConsentView),
    (status = 404, description = "There is no such company"),
))]
async fn set_consent(At(control): At, Sent(asked): Sent<SetConsent>) -> Answer<ConsentView> {
    if asked.company.is_some_and(|company| !control.consent_for(company)) {
        let count = control.shared.state().store.companies();
        return Err(no_company(count));
    }
    if let Some(mode) = asked.mode {
        control.consent(mode);
    }
    Ok(consent(At(control)).await)
}

/// Lifetimes, rotation and refusals in force.
#[derive(Debug, Serialize, ToSchema)]
struct PolicyView {
    #[schema(schema_with = words::span)]
    access_token_lifetime: String,
    #[schema(schema_with = words::span)]
    refresh_token_lifetime: String,
    #[schema(schema_with = words::span)]
    code_lifetime: String,
    /// As scenarios write it, e.g. `strict+revoke-family` or `grace:5000ms`.
    rotation: String,
    refused_with: RefusedView,
    pkce_required: bool,
    strict_basic: bool,
    refresh_bound_to_secret: bool,
    rotation_ends_grants: bool,
    token_shape: TokenShape,
}

/// How dead refresh tokens are refused.
#[derive(Debug, Serialize, ToSchema)]
struct RefusedView {
    status: u16,
    error: String,
    description: Option<String>,
}

/// Tells the policy in force
#[utoipa::path(get, path = "/policy", tag = "provider", responses((status = 200, description = "In force", body = PolicyView)))]
async fn policy(At(control): At) -> Shown<PolicyView> {
    let state = control.shared.state();
    Shown(policy_view(state.authority.policy(), state.source.shape()))
}

fn policy_view(policy: &Policy, token_shape: TokenShape) -> PolicyView {
    let refused = &policy.refused_with;
    PolicyView {
        access_token_lifetime: millis(policy.access_lifetime),
        refresh_token_lifetime: millis(policy.refresh_lifetime),
        code_lifetime: millis(policy.code_lifetime),
        rotation: rotation(policy.rotation),
        refused_with: RefusedView { status: refused.status, error: refused.error.clone(), description: refused.description.clone() },
        pkce_required: policy.pkce_required,
        strict_basic: policy.strict_basic,
        refresh_bound_to_secret: policy.refresh_bound_to_secret,
        rotation_ends_grants: policy.rotation_ends_grants,
        token_shape,
    }
}

fn millis(span: Duration) -> String {
    format!("{}ms", span.as_millis())
}

fn rotation(rotation: Rotation) -> String {
    match rotation {
        Rotation::StrictRevokeFamily => "strict+revoke-family".into(),
        Rotation::Strict => "strict".into(),
        Rotation::Grace { window, sibling: false } => format!("grace:{}", millis(window)),
        Rotation::Grace { window, sibling: true } => format!("grace:{}:sibling", millis(window)),
        Rotation::Lenient => "lenient".into(),
        Rotation::Off => "off".into(),
    }
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct PolicyChange {
    /// What tokens look like that are minted from now on.
    token_shape: Option<TokenShape>,
    /// The words of a scenario's `[provider]`.
    #[schema(schema_with = words::provider_policy)]
    provider: Option<scenario::ProviderPolicy>,
}

impl Example for PolicyChange {
    const EXAMPLE: &'static str = r#"{"provider": {"access_token_lifetime": "2s", "rotation": "strict"}, "token_shape": "odd"}"#;
}

/// Changes the policy; what is left out stays
#[utoipa::path(method(patch, put), path = "/policy", tag = "provider", request_body = Option<PolicyChange>, responses(
    (status = 200, description = "In force now", body = PolicyView),
))]
async fn change_policy(At(control): At, Sent(asked): Sent<PolicyChange>) -> Shown<PolicyView> {
    if let Some(told) = &asked.provider {
        control.policy(|policy| scenario::apply_policy(told, policy));
    }
    if let Some(shape) = asked.token_shape {
        control.token_shape(shape);
    }
    policy(At(control)).await
}
