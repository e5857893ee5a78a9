//! `/v1/subscriptions`: who is told of what, and where (Pleo's Subscriptions API).
//!
//! A subscription belongs to a client and a company. It outlives the grant under which it was made, and ends with the installation: Pleo says
//! nothing of either.

use regrant_authority::Time;
use serde_json::{Map, Value, json};
use tokio::runtime::Handle;

use super::{
    Caller, asked, export, json_body, not_found,
    page::{Listed, page},
    permit,
    route::Scopes,
    store::Job,
};
use crate::{
    clock::iso,
    front::{desk::Desk, reply::Reply, request::Request},
    state::State,
    webhook::Notice,
};

/// A test double need not keep more.
const MOST: usize = 100;
/// Each has three at most, or was changed very often.
const MOST_ACTIVITIES: usize = 100;

/// All subscriptions of a tenant.
#[derive(Debug, Default)]
pub(crate) struct Subscriptions {
    all: Vec<Subscription>,
    /// So many were ever made.
    made: u64,
}

/// Somebody wants to be told.
#[derive(Debug)]
struct Subscription {
    id: String,
    /// Its place in the order of all.
    place: u64,
    client: String,
    company: String,
    asked: asked::Asked,
    secret: String,
    created: Time,
    updated: Time,
    activities: Vec<Activity>,
    /// Where deliveries run.
    runtime: Handle,
}

/// What was done to a subscription.
#[derive(Debug)]
struct Activity {
    id: String,
    operation: &'static str,
    description: &'static str,
    at: Time,
}

impl Subscriptions {
    /// Forgets those of a client.
    pub(super) fn end_of(&mut self, client: &str) {
        self.all.retain(|subscription| subscription.client != client);
    }

    /// The secret with which messages to an address are signed, for a company's subscription there.
    pub(crate) fn secret_for(&self, url: &str, company: &str) -> Option<&str> {
        let found = self.all.iter().rev().find(|one| one.asked.endpoint.url == url && one.company == company);
        found.map(|subscription| subscription.secret.as_str())
    }

    /// How many are told of a company's new export jobs.
    pub(crate) fn to_jobs_of(&self, company: &str) -> usize {
        self.all.iter().filter(|one| one.wants_jobs_of(company)).count()
    }

    fn own(&self, id: &str, caller: &Caller) -> Option<&Subscription> {
        self.all.iter().find(|one| one.id == id && one.is_of(caller))
    }
}

impl Subscription {
    fn is_of(&self, caller: &Caller) -> bool {
        self.client == caller.grant.client_id && self.company == caller.grant.company
    }

    fn wants_jobs_of(&self, company: &str) -> bool {
        self.asked.active && self.company == company && self.asked.name_for_a_job().is_some()
    }

    fn show(&self) -> Value {
        let mut shown = json!({
            "id": self.id,
            "endpointUrl": self.asked.endpoint.url,
            "eventTypes": self.asked.event_types,
            "status": if self.asked.active { "ACTIVE" } else { "INACTIVE" },
            "createdAt": iso(self.created),
            "updatedAt": iso(self.updated),
        });
        if let Some(fields) = shown.as_object_mut() {
            fields.extend(self.asked.extras.clone());
        }
        shown
    }

    fn remember(&mut self, id: String, operation: &'static str, description: &'static str, at: Time) {
        if self.activities.len() < MOST_ACTIVITIES {
            self.activities.push(Activity { id, operation, description, at });
        }
    }
}

/// `GET /v1/subscriptions`.
pub(super) fn list(all: &Subscriptions, request: &Request, caller: &Caller) -> Reply {
    let status = request.parameters.get("status");
    let types = request.parameters.list("event_types");
    let fits = |one: &&Subscription| {
        one.is_of(caller)
            && status.is_none_or(|status| (status == "ACTIVE") == one.asked.active)
            && (types.is_empty() || one.asked.event_types.iter().any(|name| types.contains(&name.as_str())))
    };
    page(request, all.all.iter().filter(fits).map(|one| Listed { place: one.place, value: one.show() }).collect())
}

/// `GET /v1/subscriptions/{id}`.
pub(super) fn one(all: &Subscriptions, id: &str, caller: &Caller) -> Reply {
    all.own(id, caller).map_or_else(unknown, |found| Reply::json(200, &json!({"data": found.show()})))
}

/// `GET /v1/subscriptions/{id}/secret`.
pub(super) fn secret(all: &Subscriptions, id: &str, caller: &Caller) -> Reply {
    all.own(id, caller).map_or_else(unknown, |found| Reply::json(200, &json!({"data": {"secretKey": found.secret}})).unstored())
}

/// `GET /v1/subscriptions/{id}/activities`.
pub(super) fn activities(all: &Subscriptions, id: &str, request: &Request, caller: &Caller) -> Reply {
    let Some(found) = all.own(id, caller) else { return unknown() };
    let wanted = request.parameters.list("operation_types");
    let shown = |activity: &Activity| {
        json!({
            "id": activity.id,
            "subscriptionId": found.id,
            "operationType": activity.operation,
            "description": activity.description,
            "actorUrn": format!("urn:pleo:company:{}", found.company),
            "createdAt": iso(activity.at),
        })
    };
    let fitting = (0..).zip(&found.activities).filter(|(_, activity)| wanted.is_empty() || wanted.contains(&activity.operation));
    page(request, fitting.map(|(place, activity)| Listed { place, value: shown(activity) }).collect())
}

/// `POST /v1/subscriptions`.
pub(super) fn create(desk: &mut Desk<'_>, request: &Request, caller: &Caller) -> Reply {
    let asked = match wanted(desk, request, caller) {
        Ok(asked) => asked,
        Err(refusal) => return refusal,
    };
    // Every request is answered within a runtime.
    let Ok(runtime) = Handle::try_current() else { return Reply::empty(500) };
    let now = desk.now;
    let State { store, source, .. } = &mut *desk.state;
    let all = &mut store.subscriptions;
    if all.all.len() >= MOST {
        return Reply::api_error(400, "SUBSCRIPTION_LIMIT", &format!("This mock keeps at most {MOST} subscriptions"));
    }
    all.made += 1;
    let mut made = Subscription {
        id: source.uuid(),
        place: all.made,
        client: caller.grant.client_id.clone(),
        company: caller.grant.company.clone(),
        asked,
        secret: source.webhook_secret(),
        created: now,
        updated: now,
        activities: Vec::new(),
        runtime,
    };
    made.remember(source.uuid(), "CREATE", "Subscription created", now);
    let reply = Reply::json(200, &json!({"data": made.show()}));
    all.all.push(made);
    reply
}

/// `PUT /v1/subscriptions/{id}`.
pub(super) fn change(desk: &mut Desk<'_>, id: &str, request: &Request, caller: &Caller) -> Reply {
    if desk.state.store.subscriptions.own(id, caller).is_none() {
        return unknown();
    }
    let asked = match wanted(desk, request, caller) {
        Ok(asked) => asked,
        Err(refusal) => return refusal,
    };
    let now = desk.now;
    let State { store, source, .. } = &mut *desk.state;
    let Some(found) = store.subscriptions.all.iter_mut().find(|one| one.id == id) else { return unknown() };
    found.asked = asked;
    found.updated = now;
    found.remember(source.uuid(), "UPDATE", "Subscription updated", now);
    Reply::json(200, &json!({"data": found.show()}))
}

/// `DELETE /v1/subscriptions/{id}`.
pub(super) fn delete(desk: &mut Desk<'_>, id: &str, caller: &Caller) -> Reply {
    let all = &mut desk.state.store.subscriptions;
    if all.own(id, caller).is_none() {
        return unknown();
    }
    all.all.retain(|one| one.id != id);
    Reply::empty(204)
}

/// What a request asks for, if the caller may have it and the mock can do it.
fn wanted(desk: &Desk<'_>, request: &Request, caller: &Caller) -> Result<asked::Asked, Reply> {
    let asked = asked::read(&json_body(request)?)?;
    for scope in asked.scopes() {
        permit(&Scopes { any_of: vec![scope.to_owned()] }, caller)?;
    }
    if !desk.shared.config.listen.ip().is_loopback() {
        let message = "This provider is reached from other hosts, and delivers no webhooks: whoever asks could have it write to this one";
        return Err(Reply::api_error(400, "PARAMETER_VALIDATION_FAILED", message));
    }
    Ok(asked)
}

/// What is to be sent because jobs came into being: all those behind the first `before`.
pub(crate) fn notices(state: &mut State, before: usize, now: Time) -> Vec<Notice> {
    let State { store, source, .. } = state;
    let mut notices = Vec::new();
    for job in store.jobs.iter().skip(before) {
        let wants = |one: &&Subscription| one.wants_jobs_of(&job.company);
        let mut named = store.subscriptions.all.iter().filter(wants).filter_map(|one| Some((one, one.asked.name_for_a_job()?))).peekable();
        if named.peek().is_none() {
            continue;
        }
        let (event_id, by) = (source.uuid(), store.companies.iter().find(|company| company.id == job.company));
        let data = described(job, now, by.map_or("", |company| company.user.as_str()));
        for (subscription, event_type) in named {
            let body = json!({"data": data, "eventId": event_id, "eventType": event_type});
            notices.push(Notice {
                id: source.message_id(),
                subscription: subscription.id.clone(),
                event_type: event_type.to_owned(),
                event_id: event_id.clone(),
                units: job.entries.iter().map(|entry| entry.id.clone()).collect(),
                secret: subscription.secret.clone(),
                endpoint: subscription.asked.endpoint.clone(),
                headers: subscription.asked.headers.clone(),
                body: serde_json::to_vec(&body).unwrap_or_default().into(),
                runtime: subscription.runtime.clone(),
            });
        }
    }
    notices
}

/// The job as the API shows it, and who made it.
fn described(job: &Job, now: Time, by: &str) -> Value {
    let mut data = export::show(job, now);
    if let Some(fields) = data.as_object_mut() {
        fields.insert("createdBy".into(), json!(by));
        *fields = std::mem::take(fields).into_iter().filter(|(_, value)| !value.is_null()).collect::<Map<_, _>>();
    }
    data
}

fn unknown() -> Reply {
    not_found("SUBSCRIPTION_NOT_FOUND", "Subscription not found")
}
