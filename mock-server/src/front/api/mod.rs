//! The resource API: who calls, may they, and what do they get?
//!
//! In: requests under `/v…`. Out: replies in Pleo's shapes, and which units of work they hand out or report as done.

mod asked;
mod employees;
mod export;
mod fallback;
mod installation;
mod page;
mod route;
mod store;
mod subscriptions;

use regrant_authority::Grant;
use serde_json::{Value, json};

use self::route::{Route, Scopes};
use super::{desk::Desk, presented, reply::Reply, request::Request};
use crate::journal::{Carried, Decision};

pub(crate) use store::Store;
pub(crate) use subscriptions::notices;

/// Who calls.
struct Caller {
    grant: Grant,
    scopes: Vec<String>,
}

/// Answers a call of the resource API.
pub(super) fn handle(desk: &mut Desk<'_>, request: &Request) -> (Reply, Decision) {
    let now = desk.now;
    desk.state.store.expire_jobs(now);
    let (carried, token) = presented::api_token(&desk.state, request);
    let presented = token.as_deref().map(|token| presented::describe(&desk.state, desk.now, token));
    let authorising = presented::authorising(&desk.state, request);
    let route = route::find(request, &desk.shared.replies);
    let (reply, mut delivered) = match caller(desk, &authorising) {
        Err(refusal) => (refusal, Vec::new()),
        Ok(caller) => answer(desk, request, &route, &caller),
    };
    let reads = request.only_looks();
    let mut handed_out = Vec::new();
    if reply.is_success() && reads {
        handed_out = desk.state.store.units_in(&reply.body);
    } else if reply.is_success() && !matches!(route, Route::UpdateItems { .. }) {
        delivered = desk.state.store.units_carried(request);
    }
    let documented = !matches!(route, Route::Undocumented);
    (reply.clone(), Decision::Api { presented, carried, status: reply.status, handed_out, delivered, documented })
}

/// The caller, or why there is none (RFC 6750 section 3).
fn caller(desk: &Desk<'_>, (carried, token): &(Carried, Option<String>)) -> Result<Caller, Reply> {
    match (carried, token) {
        (Carried::Bearer, Some(token)) => match desk.state.authority.access(desk.now, token) {
            Ok(grant) => {
                let scopes = desk.state.authority.access_scopes(token).unwrap_or(&grant.scopes).to_vec();
                Ok(Caller { grant, scopes })
            }
            Err(_) => Err(unauthorized("The access token is expired, revoked or malformed", true)),
        },
        (Carried::Elsewhere, _) => {
            Err(Reply::api_error(400, "BAD_REQUEST", "The access token belongs in the Authorization header and nowhere else")
                .header("www-authenticate", "Bearer error=\"invalid_request\""))
        }
        (Carried::Bearer | Carried::EmptyBearer, _) => Err(unauthorized("The Authorization header holds no access token", true)),
        (Carried::OtherScheme | Carried::Nothing, _) => Err(unauthorized("There is no access token in the Authorization header", false)),
    }
}

fn unauthorized(message: &str, sent_one: bool) -> Reply {
    let challenge = if sent_one { "Bearer error=\"invalid_token\"" } else { "Bearer" };
    Reply::api_error(401, "UNAUTHORIZED", message).header("www-authenticate", challenge)
}

/// The reply, and the units that were reported as done.
fn answer(desk: &mut Desk<'_>, request: &Request, route: &Route, caller: &Caller) -> (Reply, Vec<String>) {
    if let Err(refusal) = permit(&route::scopes(route, request), caller) {
        return (refusal, Vec::new());
    }
    let reply = match route {
        Route::Supplied(index) => match desk.shared.replies.get(*index) {
            Some(reply) => Reply::json(reply.status, &reply.json),
            None => Reply::empty(500),
        },
        Route::Employees => employees::list(&desk.state.store, request, caller),
        Route::Employee { id } => employees::one(&desk.state.store, id, caller),
        Route::Companies => employees::companies(&desk.state.store, request, caller),
        Route::Company { id } => employees::company(&desk.state.store, id, caller),
        Route::Jobs => export::jobs(&desk.state.store, request, caller, desk.now),
        Route::Job { id } => export::job(&desk.state.store, id, caller, desk.now),
        Route::Items { job } => export::items(&desk.state.store, job, request, caller),
        Route::ExportItems => export::export_items(&desk.state.store, request, caller),
        Route::UpdateItems { job } => return export::update(desk, job, request, caller),
        Route::CreateJob => export::create(desk, request, caller),
        Route::JobEvents => export::event(desk, request, caller),
        Route::Introspect => introspect(caller),
        Route::Installation => installation::handle(desk, request, caller),
        Route::Activate => installation::activate(desk, caller),
        Route::Subscriptions => subscriptions::list(&desk.state.store.subscriptions, request, caller),
        Route::Subscribe => subscriptions::create(desk, request, caller),
        Route::Subscription { id } => subscriptions::one(&desk.state.store.subscriptions, id, caller),
        Route::ChangeSubscription { id } => subscriptions::change(desk, id, request, caller),
        Route::Unsubscribe { id } => subscriptions::delete(desk, id, caller),
        Route::Activities { subscription } => subscriptions::activities(&desk.state.store.subscriptions, subscription, request, caller),
        Route::SubscriptionSecret { subscription } => subscriptions::secret(&desk.state.store.subscriptions, subscription, caller),
        Route::Fallback => fallback::answer(desk, request),
        Route::Method { allow } => {
            Reply::api_error(405, "METHOD_NOT_ALLOWED", &format!("Only {allow} is allowed here")).header("allow", allow)
        }
        Route::Undocumented => Reply::api_error(404, "NOT_FOUND", "There is no such resource"),
    };
    (reply, Vec::new())
}

/// A grant without any scope was never asked for one: it has them all.
fn permit(scopes: &Scopes, caller: &Caller) -> Result<(), Reply> {
    let granted = caller.scopes.is_empty() || scopes.any_of.is_empty() || scopes.any_of.iter().any(|scope| caller.scopes.contains(scope));
    if granted {
        return Ok(());
    }
    let wanted = scopes.any_of.first().map_or("", String::as_str);
    Err(Reply::api_error(403, "FORBIDDEN", &format!("The scope {wanted} is missing"))
        .header("www-authenticate", &format!("Bearer error=\"insufficient_scope\", scope=\"{wanted}\"")))
}

/// `GET /v1/introspect`.
fn introspect(caller: &Caller) -> Reply {
    let data = json!({
        "authMethod": "OAUTH2",
        "clientId": caller.grant.client_id,
        "scope": caller.scopes.join(" "),
        "subjectURN": format!("urn:pleo:company:{}", caller.grant.company),
    });
    Reply::json(200, &json!({ "data": data }))
}

fn not_found(kind: &str, message: &str) -> Reply {
    Reply::api_error(404, kind, message)
}

/// The JSON body of a request.
fn json_body(request: &Request) -> Result<Value, Reply> {
    serde_json::from_slice(&request.body)
        .map_err(|error| Reply::api_error(400, "JSON_MAPPING_EXCEPTION", &format!("The body is no JSON: {error}")))
}
