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
    fault::{GateOptions, GateView, Order, Point, Rule, RuleId},
    journal::Exchange,
};

pub(super) fn routes() -> OpenApiRouter<Control> {
    OpenApiRouter::new()
        .routes(routes!(rules, install, remove_all))
        .routes(routes!(remove))
        .routes(routes!(gates))
        .routes(routes!(gate))
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
    let mut rules: Vec<_> = state.rules.all().iter().map(|one| RuleView { id: one.id, seen: one.seen, rule: one.rule.clone() }).collect();
    rules.sort_by_key(|rule| rule.id);
    Shown(rules)
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
    (status = 400, description = "It cannot come true"),
    (status = 409, description = "There are 1000 rules already"),
))]
async fn install(At(control): At, Sent(NewRule(rule)): Sent<NewRule>) -> Result<Created<Installed>, Refusal> {
    rule.check().map_err(|fault| Refusal::new(400, &fault.message, &fault.advice))?;
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
    let mut ids: Vec<RuleId> = control.shared.state().rules.all().iter().map(|one| one.id).collect();
    ids.sort_unstable();
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
    #[schema(schema_with = words::gate_options)]
    options: GateOptions,
    /// What it said when its time was over.
    #[serde(skip_serializing_if = "Option::is_none")]
    said: Option<String>,
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
    Shown(control.gates().into_iter().map(shown).collect())
}

fn shown(gate: GateView) -> GateShown {
    let GateView { name, open, held, options, said } = gate;
    let held = held.into_iter().map(|held| HeldShown { exchange: held.exchange, at: held.at }).collect();
    GateShown { name, open, held, options, said }
}

#[derive(Debug, Deserialize, IntoParams)]
struct GatePath {
    /// The gate's name
    name: String,
}

/// How a gate opens, as it is sent.
#[derive(Debug, Deserialize)]
#[serde(transparent)]
struct NewOptions(GateOptions);

impl PartialSchema for NewOptions {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::Schema> {
        words::gate_options()
    }
}

impl ToSchema for NewOptions {}

impl Example for NewOptions {
    const EXAMPLE: &'static str = r#"{"opens_at": 8, "order": "reverse", "timeout": "10s", "then": "open"}"#;
}

/// Says how a gate opens from now on, and closes it; what it holds stays held, unless it is as many as it opens at
#[utoipa::path(post, path = "/gates/{name}", tag = "traffic", params(GatePath), request_body = inline(Option<NewOptions>), responses(
    (status = 200, description = "The gate", body = GateShown),
    (status = 400, description = "It cannot come true"),
))]
async fn gate(
    At(control): At,
    Named(GatePath { name }): Named<GatePath>,
    Sent(NewOptions(options)): Sent<NewOptions>,
) -> Answer<GateShown> {
    if options.opens_at == Some(0) {
        return Err(Refusal::new(400, "opens_at counts from 1", "leave it out for a gate that opens when it is released"));
    }
    control.gate(&name, options);
    let gate = control.gates().into_iter().find(|gate| gate.name == name);
    gate.map(|gate| Shown(shown(gate))).ok_or_else(|| Refusal::new(404, &format!("there is no gate {name:?} any more"), "set it again"))
}

/// Whom a gate lets go.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Whom {
    /// All, in this order; the gate opens for good.
    #[schema(schema_with = words::order, required = false)]
    order: Option<Order>,
    /// Only the nth of those that it holds now, from 1 in order of arrival; the gate stays closed.
    #[schema(minimum = 1)]
    nth: Option<usize>,
}

impl Example for Whom {
    const EXAMPLE: &'static str = r#"nothing, {"order": "reverse"} or {"nth": 1}"#;
}

/// How many went on.
#[derive(Debug, Serialize, ToSchema)]
struct Released {
    released: usize,
}

/// Lets go of what a gate holds and opens it for good, or of one; ends the rules that are in force until this name
#[utoipa::path(post, path = "/gates/{name}/release", tag = "traffic", params(GatePath), request_body = inline(Option<Whom>), responses(
    (status = 200, description = "Let go", body = Released),
    (status = 400, description = "One alone has no order"),
    (status = 404, description = "There is no such gate, and no rule until this name"),
))]
async fn release(At(control): At, Named(GatePath { name }): Named<GatePath>, Sent(whom): Sent<Whom>) -> Answer<Released> {
    let ends_a_rule = control.shared.state().rules.all().iter().any(|one| one.rule.until.as_ref() == Some(&name));
    let gate = if ends_a_rule { name } else { known(&control, name)? };
    let released = match whom {
        Whom { order: Some(_), nth: Some(_) } => return Err(Refusal::new(400, "one alone has no order", "either order or nth")),
        Whom { order: None, nth: Some(nth) } => usize::from(control.release_nth(&gate, nth)),
        Whom { order: Some(order), nth: None } => control.release_in(&gate, order),
        Whom { order: None, nth: None } => control.release(&gate),
    };
    Ok(Shown(Released { released }))
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
