//! Rules and gates: what befalls requests, and what is held.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, PartialSchema, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    answer::{Answer, At, Created, Example, Named, Refusal, Sent, Shown},
    words,
};
use crate::{
    Control,
    fault::{Point, Rule, RuleId},
    journal::Exchange,
};

pub(super) fn routes() -> OpenApiRouter<Control> {
    OpenApiRouter::new()
        .routes(routes!(rules, install, remove_all))
        .routes(routes!(remove))
        .routes(routes!(gates))
        .routes(routes!(release))
        .routes(routes!(drop_held))
}

/// An installed rule.
#[derive(Debug, Serialize, ToSchema)]
struct RuleView {
    id: RuleId,
    /// Requests that have matched since it was installed.
    seen: u32,
    #[schema(schema_with = words::rule)]
    rule: Rule,
}

/// Lists the installed rules, and how often each matched
#[utoipa::path(get, path = "/rules", tag = "traffic", responses((status = 200, description = "Oldest first", body = Vec<RuleView>)))]
async fn rules(At(control): At) -> Shown<Vec<RuleView>> {
    let state = control.shared.state();
    Shown(state.rules.all().iter().map(|one| RuleView { id: one.id, seen: one.seen, rule: one.rule.clone() }).collect())
}

/// A rule as it is sent.
#[derive(Debug, Deserialize)]
#[serde(transparent)]
struct NewRule(Rule);

impl PartialSchema for NewRule {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::Schema> {
        words::rule()
    }
}

impl ToSchema for NewRule {}

impl Example for NewRule {
    const EXAMPLE: &'static str = r#"{"on": {"endpoint": "token", "nth": 1}, "at": "committed", "fate": {"hold": "gate-a"}}"#;
}

/// The id of a new rule.
#[derive(Debug, Serialize, ToSchema)]
struct Installed {
    id: RuleId,
}

/// More would only be a slip: every request is compared with every rule.
const MOST_RULES: usize = 1000;

/// Installs a rule; requests are counted from now on
#[utoipa::path(post, path = "/rules", tag = "traffic", request_body = inline(NewRule), responses(
    (status = 201, description = "In force", body = Installed),
    (status = 409, description = "There are 1000 rules already"),
))]
async fn install(At(control): At, Sent(NewRule(rule)): Sent<NewRule>) -> Result<Created<Installed>, Refusal> {
    if control.shared.state().rules.all().len() >= MOST_RULES {
        return Err(Refusal::new(409, &format!("there are {MOST_RULES} rules already"), "remove some: DELETE /v1/rules"));
    }
    Ok(Created(Installed { id: control.install(rule) }))
}

/// Rules that are no more.
#[derive(Debug, Serialize, ToSchema)]
struct Removed {
    removed: Vec<RuleId>,
}

#[derive(Debug, Deserialize, IntoParams)]
struct RulePath {
    /// The rule's id
    #[param(value_type = u32, minimum = 1)]
    id: String,
}

/// Removes a rule; what it holds stays held
#[utoipa::path(delete, path = "/rules/{id}", tag = "traffic", params(RulePath), responses(
    (status = 200, description = "Removed", body = Removed),
    (status = 404, description = "There is no such rule"),
))]
async fn remove(At(control): At, Named(RulePath { id }): Named<RulePath>) -> Answer<Removed> {
    match id.parse() {
        Ok(number) if control.remove(number) => Ok(Shown(Removed { removed: vec![number] })),
        Ok(_) | Err(_) => Err(Refusal::new(404, &format!("there is no rule {id}"), "GET /v1/rules lists them")),
    }
}

/// Removes all rules
#[utoipa::path(delete, path = "/rules", tag = "traffic", responses((status = 200, description = "Removed", body = Removed)))]
async fn remove_all(At(control): At) -> Shown<Removed> {
    let ids: Vec<RuleId> = control.shared.state().rules.all().iter().map(|one| one.id).collect();
    Shown(Removed { removed: ids.into_iter().filter(|id| control.remove(*id)).collect() })
}

/// A gate.
#[derive(Debug, Serialize, ToSchema)]
struct GateShown {
    name: String,
    /// It lets everything pass.
    open: bool,
    /// What waits at it, in order of arrival.
    held: Vec<HeldShown>,
}

/// A request or a reply that waits.
#[derive(Debug, Serialize, ToSchema)]
struct HeldShown {
    #[schema(value_type = u64)]
    exchange: Exchange,
    #[schema(schema_with = words::point)]
    at: Point,
}

/// Lists all gates and what they hold
#[utoipa::path(get, path = "/gates", tag = "traffic", responses((status = 200, description = "By name", body = Vec<GateShown>)))]
async fn gates(At(control): At) -> Shown<Vec<GateShown>> {
    let shown = control.shared.gates.all().into_iter().map(|gate| GateShown {
        name: gate.name,
        open: gate.open,
        held: gate.held.into_iter().map(|held| HeldShown { exchange: held.exchange, at: held.at }).collect(),
    });
    Shown(shown.collect())
}

#[derive(Debug, Deserialize, IntoParams)]
struct GatePath {
    /// The gate's name
    name: String,
}

/// How many went on.
#[derive(Debug, Serialize, ToSchema)]
struct Released {
    released: usize,
}

/// Lets go of what a gate holds and opens it for good; ends the rules that are in force until this name
#[utoipa::path(post, path = "/gates/{name}/release", tag = "traffic", params(GatePath), responses(
    (status = 200, description = "Let go", body = Released),
    (status = 404, description = "There is no such gate, and no rule until this name"),
))]
async fn release(At(control): At, Named(GatePath { name }): Named<GatePath>) -> Answer<Released> {
    let ends_a_rule = control.shared.state().rules.all().iter().any(|one| one.rule.until.as_ref() == Some(&name));
    let gate = if ends_a_rule { name } else { known(&control, name)? };
    Ok(Shown(Released { released: control.release(&gate) }))
}

/// How many were dropped.
#[derive(Debug, Serialize, ToSchema)]
struct Dropped {
    dropped: usize,
}

/// Drops the connections that a gate holds, and opens it for good
#[utoipa::path(post, path = "/gates/{name}/drop", tag = "traffic", params(GatePath), responses(
    (status = 200, description = "Dropped", body = Dropped),
    (status = 404, description = "There is no such gate"),
))]
async fn drop_held(At(control): At, Named(GatePath { name }): Named<GatePath>) -> Answer<Dropped> {
    let gate = known(&control, name)?;
    Ok(Shown(Dropped { dropped: control.drop_held(&gate) }))
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
