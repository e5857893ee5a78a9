//! Export jobs, their items and their events (Pleo's Export API v3).

use regrant_authority::Time;
use serde_json::{Map, Value, json};

use super::{
    Caller, json_body, not_found,
    page::{Listed, page},
    store::{EXPORT_JOB_LIFE, Entry, Job, JobStatus, Store},
};
use crate::{
    clock::iso,
    front::{desk::Desk, reply::Reply, request::Request},
};

/// As many items as one update may hold.
const MOST_UPDATES: usize = 100;
const ITEM_STATUSES: [&str; 5] = ["pending", "in_progress", "failed", "successful", "abandoned"];

/// `GET /v3/export-jobs`.
pub(super) fn jobs(store: &Store, request: &Request, caller: &Caller, now: Time) -> Reply {
    let statuses = request.parameters.list("statuses");
    let company = request.parameters.get("company_id");
    let fits = |job: &Job| {
        job.company == caller.grant.company
            && company.is_none_or(|id| id == job.company)
            && (statuses.is_empty() || statuses.contains(&job.status.word()))
    };
    let places = (0..).zip(&store.jobs).filter(|(_, job)| fits(job));
    page(request, places.map(|(place, job)| Listed { place, value: show(job, now) }).collect())
}

/// `GET /v3/export-jobs/{jobId}`.
pub(super) fn job(store: &Store, id: &str, caller: &Caller, now: Time) -> Reply {
    match own(store, id, caller) {
        Some(job) => Reply::json(200, &json!({"data": show(job, now)})),
        None => unknown_job(),
    }
}

/// `GET /v3/export-jobs/{jobId}/items`.
pub(super) fn items(store: &Store, id: &str, request: &Request, caller: &Caller) -> Reply {
    let Some(job) = own(store, id, caller) else { return unknown_job() };
    let wanted = request.parameters.get("status");
    let places = (0..).zip(&job.entries).filter(|(_, entry)| wanted.is_none_or(|status| status == entry.status));
    page(request, places.map(|(place, entry)| Listed { place, value: show_item(job, entry) }).collect())
}

/// `GET /v3/export-items`: the entries of running jobs.
pub(super) fn export_items(store: &Store, request: &Request, caller: &Caller) -> Reply {
    let wanted = request.parameters.get("job_id");
    match wanted.map(|id| own(store, id, caller)) {
        Some(None) => return unknown_job(),
        Some(Some(job)) if !job.status.is_running() => {
            return Reply::api_error(422, "EXPORT_JOB_STATUS_UNPROCESSABLE", "Export Job is finished and can no longer be processed.");
        }
        Some(Some(_)) | None => {}
    }
    let running = |job: &&Job| job.company == caller.grant.company && job.status.is_running() && wanted.is_none_or(|id| id == job.id);
    let all = store.jobs.iter().filter(running).flat_map(|job| job.entries.iter().map(move |entry| show_export_item(job, entry)));
    page(request, (0..).zip(all).map(|(place, value)| Listed { place, value }).collect())
}

/// `POST /v3/export-jobs`.
pub(super) fn create(desk: &mut Desk<'_>, request: &Request, caller: &Caller) -> Reply {
    let body = match json_body(request) {
        Ok(body) => body,
        Err(reply) => return reply,
    };
    let entries: Option<Vec<String>> =
        body["accountingEntryIds"].as_array().map(|ids| ids.iter().filter_map(Value::as_str).map(str::to_owned).collect());
    let (Some(entries), Some(company)) = (entries, body["companyId"].as_str()) else {
        return Reply::api_error(400, "JSON_MAPPING_EXCEPTION", "accountingEntryIds and companyId are required");
    };
    if company != caller.grant.company {
        return Reply::api_error(403, "FORBIDDEN", "The access token is for another company");
    }
    if desk.state.store.jobs.iter().any(|job| job.company == company && job.status == JobStatus::InProgress) {
        return Reply::api_error(409, "EXPORT_ALREADY_IN_PROGRESS", "Export Job already in progress for this company.");
    }
    let state = &mut *desk.state;
    let id = state.store.new_job(&mut state.source, desk.now, company.to_owned(), entries);
    let created = state.store.jobs.iter().find(|job| job.id == id).map(|job| show(job, desk.now));
    Reply::json(201, &json!({"data": created}))
}

/// `PUT /v3/export-jobs/{jobId}/items`: the reply, and the entries now reported as exported.
pub(super) fn update(desk: &mut Desk<'_>, id: &str, request: &Request, caller: &Caller) -> (Reply, Vec<String>) {
    let refused = |reply| (reply, Vec::new());
    let now = desk.now;
    let Some(job) = desk.state.store.jobs.iter_mut().find(|job| job.id == id && job.company == caller.grant.company) else {
        return refused(unknown_job());
    };
    let updates = match json_body(request) {
        Ok(Value::Array(updates)) => updates,
        Ok(_) => return refused(Reply::api_error(400, "JSON_MAPPING_EXCEPTION", "The body must be an array")),
        Err(reply) => return refused(reply),
    };
    if updates.len() > MOST_UPDATES {
        return refused(Reply::api_error(413, "EXPORT_JOB_ITEMS_UPDATE_LIMIT", "Number of items to update is more than 100."));
    }
    if !job.status.is_running() {
        return refused(Reply::api_error(422, "EXPORT_JOB_STATUS_UNPROCESSABLE", "Export job is finished."));
    }
    if let Some(wrong) = updates.iter().find(|update| !is_update(update)) {
        return refused(Reply::api_error(
            400,
            "JSON_MAPPING_EXCEPTION",
            &format!("accountingEntryId and a known status are required: {wrong}"),
        ));
    }
    job.updated = now;
    let (mut done, mut changed, mut errors) = (Vec::new(), Vec::new(), Vec::new());
    for update in &updates {
        let entry_id = update["accountingEntryId"].as_str().unwrap_or_default();
        let Some(at) = job.entries.iter().position(|entry| entry.id == entry_id) else {
            errors.push(json!({
                "accountingEntryId": entry_id,
                "type": "ACCOUNTING_ENTRY_DOES_NOT_EXIST",
                "message": "The job has no such accounting entry",
            }));
            continue;
        };
        apply(&mut job.entries[at], update);
        if job.entries[at].status == "successful" {
            done.push(entry_id.to_owned());
        }
        changed.push(at);
    }
    let data: Vec<Value> = changed.iter().map(|at| show_item(job, &job.entries[*at])).collect();
    (Reply::json(200, &json!({"data": data, "errors": errors})), done)
}

/// `POST /v3/export-job-events`.
pub(super) fn event(desk: &mut Desk<'_>, request: &Request, caller: &Caller) -> Reply {
    let body = match json_body(request) {
        Ok(body) => body,
        Err(reply) => return reply,
    };
    let now = desk.now;
    let (Some(id), Some(event)) = (body["jobId"].as_str(), body["event"].as_str()) else {
        return Reply::api_error(400, "JSON_MAPPING_EXCEPTION", "jobId and event are required");
    };
    let Some(job) = desk.state.store.jobs.iter_mut().find(|job| job.id == id && job.company == caller.grant.company) else {
        return unknown_job();
    };
    match (event, job.status) {
        ("started", JobStatus::Pending) => {
            job.status = JobStatus::InProgress;
            job.started = Some(now);
            job.updated = now;
        }
        ("failed", JobStatus::Pending | JobStatus::InProgress) => {
            job.end(JobStatus::Failed, now);
            let text = |name: &str| body[name].as_str().unwrap_or_default().to_owned();
            job.failure = Some((text("failureReasonType"), text("failureReason")));
        }
        ("completed", JobStatus::InProgress) => job.end(JobStatus::Completed, now),
        ("completed_with_errors", JobStatus::InProgress) => job.end(JobStatus::CompletedWithErrors, now),
        ("started" | "failed" | "completed" | "completed_with_errors", _) => {
            return Reply::api_error(422, "INVALID_EXPORT_JOB_STATUS_CHANGE", "Export Job status change failed");
        }
        _ => return Reply::api_error(400, "JSON_MAPPING_EXCEPTION", "event must be started, failed, completed or completed_with_errors"),
    }
    Reply::empty(202)
}

fn own<'a>(store: &'a Store, id: &str, caller: &Caller) -> Option<&'a Job> {
    store.jobs.iter().find(|job| job.id == id && job.company == caller.grant.company)
}

fn unknown_job() -> Reply {
    not_found("EXPORT_NOT_FOUND", "Export job not found.")
}

fn is_update(update: &Value) -> bool {
    update["accountingEntryId"].is_string() && update["status"].as_str().is_some_and(|status| ITEM_STATUSES.contains(&status))
}

fn apply(entry: &mut Entry, update: &Value) {
    entry.status = update["status"].as_str().unwrap_or_default().to_owned();
    for name in ["exportedAt", "externalId", "externalUrl", "failureReason", "failureReasonType"] {
        if let Some(value) = update.get(name) {
            entry.said.insert(name.to_owned(), value.clone());
        }
    }
}

/// A job, as the API shows it.
pub(super) fn show(job: &Job, now: Time) -> Value {
    let moment = |time: Option<Time>| time.map(iso);
    let left = if job.status.is_running() { EXPORT_JOB_LIFE.saturating_sub(now.since(job.updated)).as_secs() } else { 0 };
    let mut shown = json!({
        "id": job.id,
        "companyId": job.company,
        "status": job.status.word(),
        "createdAt": iso(job.created),
        "lastUpdatedAt": iso(job.updated),
        "startedAt": moment(job.started),
        "completedAt": moment(job.completed),
        "expiredAt": moment(job.expired),
        "expiresIn": left,
        "isInteractive": true,
        "numberOfItems": job.entries.len(),
        "vendorBasedBookkeeping": false,
    });
    if let (Some((kind, reason)), Some(fields)) = (&job.failure, shown.as_object_mut()) {
        fields.insert("failureReasonType".into(), json!(kind));
        fields.insert("failureReason".into(), json!(reason));
    }
    shown
}

fn show_item(job: &Job, entry: &Entry) -> Value {
    let mut shown = Map::new();
    shown.insert("accountingEntryId".into(), json!(entry.id));
    shown.insert("exportJobId".into(), json!(job.id));
    shown.insert("status".into(), json!(entry.status));
    shown.extend(entry.said.clone());
    Value::Object(shown)
}

fn show_export_item(job: &Job, entry: &Entry) -> Value {
    let value = format!("{}.{:02}", entry.amount / 100, entry.amount % 100);
    let money = json!({"currency": "EUR", "value": value});
    let amount = json!({"inSupplierCurrency": money, "inWalletCurrency": money});
    json!({
        "accountingEntryId": entry.id,
        "companyId": job.company,
        "type": "card_purchase",
        "date": iso(job.created),
        "amount": amount,
        "accountingEntryLines": [{"accountingEntryLineId": entry.id, "lineAmount": amount, "netAmount": amount}],
        "additionalInformation": {"reconciliationId": entry.id},
        "_links": {},
    })
}
