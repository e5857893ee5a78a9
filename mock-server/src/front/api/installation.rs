//! `/v1/installations/me`: the installation that a successful flow created, and the one documented way to end everything.

use regrant_authority::{Cause, GrantId};
use serde_json::{Value, json};

use super::{Caller, json_body, not_found, store::Installation};
use crate::{
    clock::iso,
    control::Action,
    front::{desk::Desk, reply::Reply, request::Request},
    journal::What,
};

/// `GET`, `POST`, `PUT`, `DELETE`.
pub(super) fn handle(desk: &mut Desk<'_>, request: &Request, caller: &Caller) -> Reply {
    match request.method.as_str() {
        "DELETE" => delete(desk, caller),
        "POST" | "PUT" => {
            let body = if request.body.is_empty() { Ok(json!({})) } else { json_body(request) };
            match body {
                Ok(body) => change(desk, caller, &body),
                Err(reply) => reply,
            }
        }
        _ => show(desk, caller),
    }
}

/// `POST /v1/installations/me:activate`.
pub(super) fn activate(desk: &mut Desk<'_>, caller: &Caller) -> Reply {
    change(desk, caller, &json!({"status": "ACTIVATED"}))
}

fn change(desk: &mut Desk<'_>, caller: &Caller, body: &Value) -> Reply {
    let now = desk.now;
    let installation = find(desk, caller);
    installation.updated = now;
    if let Some(status) = body["status"].as_str() {
        status.clone_into(&mut installation.status);
    }
    if let Some(metadata) = body.get("metadata") {
        installation.metadata = metadata.clone();
    }
    show(desk, caller)
}

/// Ends all grants of the client.
fn delete(desk: &mut Desk<'_>, caller: &Caller) -> Reply {
    let now = desk.now;
    let client = &caller.grant.client_id;
    let live: Vec<GrantId> = desk.state.authority.live_grants_of(client).collect();
    let grants: Vec<GrantId> = live.into_iter().filter(|id| desk.state.authority.revoke(now, *id, Cause::Installation)).collect();
    desk.state.store.installations.remove(client);
    desk.state.store.subscriptions.end_of(client);
    if grants.is_empty() {
        return not_found("INSTALLATION_NOT_FOUND", "Installation does not exist");
    }
    desk.shared.journal.push(What::Controlled(Action::Revoked { grants, cause: Cause::Installation }));
    Reply::empty(204)
}

fn show(desk: &mut Desk<'_>, caller: &Caller) -> Reply {
    let installation = find(desk, caller);
    let body = json!({
        "id": installation.id,
        "applicationId": caller.grant.client_id,
        "status": installation.status,
        "resource": format!("urn:pleo:company:{}", caller.grant.company),
        "metadata": installation.metadata,
        "createdAt": iso(installation.created),
        "updatedAt": iso(installation.updated),
    });
    Reply::json(200, &body)
}

/// It came into being with the grant.
fn find<'a>(desk: &'a mut Desk<'_>, caller: &Caller) -> &'a mut Installation {
    let state = &mut *desk.state;
    let since = caller.grant.since;
    let (store, source) = (&mut state.store, &mut state.source);
    store.installations.entry(caller.grant.client_id.clone()).or_insert_with(|| Installation {
        id: source.uuid(),
        status: "AUTHORIZED".into(),
        created: since,
        updated: since,
        metadata: json!({}),
    })
}
