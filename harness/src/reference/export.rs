//! Export jobs: books the entries of each job and reports them back, each once.

use http::Method;
use serde_json::{Value, json};

use super::{
    App,
    api::CallError,
    flaw::Flaw,
    log::{self, Level},
    store::{Entry, StoreError},
    tokens::Unavailable,
};

/// Pleo takes no more items in one request.
const BATCH: usize = 100;

/// A job that wants doing.
struct Job {
    id: String,
    /// Someone (we, before an interruption) said `started` already.
    begun: bool,
}

/// Does all jobs that are pending, and goes on with those in progress. Callers take turns.
pub(crate) async fn run(app: &App, stimulus: u64) -> Result<(), CallError> {
    let _turn = app.exporting.turn().await.map_err(StoreError::Io)?;
    if app.flaws.has(Flaw::ReportsAgain) {
        report_again(app, stimulus).await?;
    }
    for job in due(app, stimulus).await? {
        match deliver(app, &job, stimulus).await {
            Ok(()) => {}
            // Another job's trouble is none of the next one's.
            Err(CallError::Refused { status, kind }) => {
                let line = json!({ "job": job.id, "status": status, "type": kind });
                log::line(Level::Warn, "export_job_refused", "Pleo refused a step of an export job", line);
            }
            Err(error) => return Err(error),
        }
    }
    // Set by planted defects only.
    Ok(app.store.drop_note("skip")?)
}

async fn due(app: &App, stimulus: u64) -> Result<Vec<Job>, CallError> {
    let mut jobs = Vec::new();
    let filter = [("statuses", "pending"), ("statuses", "in_progress")];
    app.api
        .list("/v3/export-jobs", &filter, stimulus, |page| {
            jobs.extend(page.iter().filter_map(|job| {
                let id = job.get("id")?.as_str()?.to_owned();
                match job.get("status")?.as_str()? {
                    "pending" => Some(Job { id, begun: false }),
                    "in_progress" => Some(Job { id, begun: true }),
                    _ => None,
                }
            }));
            Ok(())
        })
        .await?;
    if app.flaws.has(Flaw::CursorToNow) {
        ignore_what_was_there(app, &mut jobs)?;
    }
    Ok(jobs)
}

async fn deliver(app: &App, job: &Job, stimulus: u64) -> Result<(), CallError> {
    let mut entries = Vec::new();
    if app.flaws.has(Flaw::SeenBeforeDelivered) {
        entries = book(app, job, stimulus).await?;
        app.store.reported(entries.iter().map(|entry| entry.id.as_str()))?;
    }
    if !job.begun {
        event(app, &job.id, "started", stimulus).await?;
    } else if app.flaws.has(Flaw::StartsTwice) {
        drop(event(app, &job.id, "started", stimulus).await);
    }
    if app.store.note("skip")?.is_none() {
        if !app.flaws.has(Flaw::SeenBeforeDelivered) {
            entries = book(app, job, stimulus).await?;
        }
        for batch in entries.chunks(BATCH) {
            report(app, &job.id, batch, stimulus).await?;
        }
    }
    event(app, &job.id, "completed", stimulus).await
}

/// Books what is open in a job; what was reported before is left out.
async fn book(app: &App, job: &Job, stimulus: u64) -> Result<Vec<Entry>, CallError> {
    let mut entries = Vec::new();
    for id in items(app, job, stimulus).await? {
        entries.extend(app.store.book(&id, &job.id)?);
    }
    Ok(entries)
}

/// The entries of a job that are not exported yet.
async fn items(app: &App, job: &Job, stimulus: u64) -> Result<Vec<String>, CallError> {
    let mut ids = Vec::new();
    app.api
        .list(&format!("/v3/export-jobs/{}/items", job.id), &[], stimulus, |page| {
            let open =
                page.iter().filter(|item| matches!(item.get("status").and_then(Value::as_str), None | Some("pending" | "in_progress")));
            ids.extend(open.filter_map(|item| Some(item.get("accountingEntryId")?.as_str()?.to_owned())));
            Ok(())
        })
        .await?;
    Ok(ids)
}

async fn report(app: &App, job: &str, entries: &[Entry], stimulus: u64) -> Result<(), CallError> {
    let now = log::timestamp(std::time::SystemTime::now());
    let body: Vec<Value> = entries
        .iter()
        .map(|entry| json!({ "accountingEntryId": entry.id, "status": "successful", "externalId": entry.external, "exportedAt": now }))
        .collect();
    let answer = app.api.send(Method::PUT, &format!("/v3/export-jobs/{job}/items"), &body.into(), stimulus).await?;
    let errors = answer.get("errors").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let failed: Vec<_> = errors.iter().filter_map(|error| error.get("accountingEntryId")?.as_str()).collect();
    app.store.reported(entries.iter().map(|entry| entry.id.as_str()).filter(|id| !failed.contains(id)))?;
    let exported: Vec<_> = entries.iter().map(|entry| json!({ "id": entry.id, "externalId": entry.external })).collect();
    Ok(app.store.keep("entry", &exported)?)
}

async fn event(app: &App, job: &str, event: &str, stimulus: u64) -> Result<(), CallError> {
    app.api.send(Method::POST, "/v3/export-job-events", &json!({ "jobId": job, "event": event }), stimulus).await.map(drop)
}

/// Planted: all that was reported is reported again, once.
async fn report_again(app: &App, stimulus: u64) -> Result<(), CallError> {
    if app.store.note("again")?.is_none() {
        return Ok(());
    }
    for entry in app.store.all_reported()? {
        let job = entry.job.clone();
        match report(app, &job, &[entry], stimulus).await {
            Ok(()) | Err(CallError::Refused { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(app.store.drop_note("again")?)
}

/// Planted: what the first look after a reconnection finds is taken as done.
fn ignore_what_was_there(app: &App, jobs: &mut Vec<Job>) -> Result<(), CallError> {
    let mut ignored: Vec<String> = serde_json::from_str(&app.store.note("ignored")?.unwrap_or_default()).unwrap_or_default();
    if app.store.note("baseline")?.is_some() {
        ignored.extend(jobs.iter().map(|job| job.id.clone()));
        app.store.set_note("ignored", &json!(ignored).to_string())?;
        app.store.drop_note("baseline")?;
    }
    jobs.retain(|job| !ignored.contains(&job.id));
    Ok(())
}

impl From<super::store::StoreError> for CallError {
    fn from(error: super::store::StoreError) -> Self {
        Self::Unavailable(Unavailable::Store(error))
    }
}
