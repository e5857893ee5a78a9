//! What users and operators see: the status, the front page, settings, records, and the ways to put work in.

use std::{sync::Arc, time::SystemTime};

use axum::{
    Json, Router,
    body::Bytes,
    extract::{Path, Request, State as Shared},
    http::{HeaderMap, StatusCode},
    middleware::{self, Next},
    response::{Html, IntoResponse, Response},
    routing::{get, post},
};
use serde_json::{Value, json};
use url::form_urlencoded;

use super::{
    App, connect,
    flaw::Flaw,
    log::{self, Level},
    store::{Snapshot, State, StoreError},
    work,
};

/// Why access ends as a rule.
const EXPIRED: &str = "your authorisation expired or was revoked";

/// All routes.
pub(crate) fn router(app: Arc<App>) -> Router {
    Router::new()
        .route("/", get(front))
        .route("/employees", get(employees))
        .route("/connect", get(connect::begin))
        .route("/callback", get(connect::callback))
        .route("/sync", post(sync))
        .route("/webhook", post(webhook))
        .route("/status", get(status))
        .route("/settings", get(settings).post(set_settings))
        .route("/records", get(records))
        .route("/disconnect", post(disconnect))
        .route("/help/{page}", get(help))
        .layer(middleware::from_fn_with_state(Arc::clone(&app), reluctant))
        .with_state(app)
}

/// A page with one sentence on it.
pub(crate) fn plain(sentence: &str) -> String {
    format!(
        "<!doctype html>\n<html lang=\"en\"><head><title>Ledger bridge</title></head><body>\n<h1>Ledger bridge</h1>\n<p>{sentence}</p>\n</body></html>\n"
    )
}

/// The answer when the store failed.
pub(crate) fn failed(error: &StoreError) -> Response {
    log::line(Level::Error, "store_failed", &error.to_string(), Value::Null);
    (StatusCode::INTERNAL_SERVER_ERROR, Html(plain("Something went wrong here. Nothing has changed."))).into_response()
}

async fn front(Shared(app): Shared<Arc<App>>, request: Request) -> Response {
    let place = request.uri().path_and_query().map_or("/", |place| place.as_str());
    page(&app, place, "Exports Pleo's accounting entries to the ledger.")
}

async fn employees(Shared(app): Shared<Arc<App>>, request: Request) -> Response {
    let names = app.store.records().map(|records| {
        let names = records.iter().filter(|record| record["kind"] == "employee");
        names.map(|record| format!("<li>{} {}</li>", text(&record["firstName"]), text(&record["lastName"]))).collect::<String>()
    });
    match names {
        Ok(names) => {
            page(&app, request.uri().path_and_query().map_or("/", |place| place.as_str()), &format!("Employees:</p><ul>{names}</ul><p>"))
        }
        Err(error) => failed(&error),
    }
}

/// Planted: page after page, each with a link to the next one.
async fn help(Shared(app): Shared<Arc<App>>, Path(number): Path<u32>) -> Response {
    let next =
        if number < 4 { format!("/help/{}?connection={}", number + 1, app.name) } else { format!("/connect?connection={}", app.name) };
    Html(plain(&format!("Page {number}. <a href=\"{next}\">Reconnect Pleo</a>"))).into_response()
}

async fn sync(Shared(app): Shared<Arc<App>>) -> Response {
    accept(&app, "sync").await
}

/// `POST /webhook`: what Pleo did not sign is not work.
async fn webhook(Shared(app): Shared<Arc<App>>, headers: HeaderMap, body: Bytes) -> Response {
    let forged = app.webhook_secret.as_ref().is_some_and(|secret| !secret.signed(&headers, &body, SystemTime::now()));
    if forged {
        log::line(Level::Warn, "webhook_forged", "a message came that Pleo did not sign; it was left aside", Value::Null);
        return (StatusCode::UNAUTHORIZED, Json(json!({ "error": "Pleo did not sign this" }))).into_response();
    }
    accept(&app, "webhook").await
}

/// `GET /status`: 200 whatever the state is.
async fn status(Shared(app): Shared<Arc<App>>) -> Response {
    let (now, queued) = match (app.store.snapshot(), app.store.queued()) {
        (Ok(now), Ok(queued)) => (now, queued.len()),
        (Err(error), _) | (_, Err(error)) => return failed(&error),
    };
    let sticky = app.flaws.has(Flaw::StickyMark) && app.store.note("marked").is_ok_and(|note| note.is_some());
    let always = app.flaws.has(Flaw::AlwaysConnected) && matches!(now.state, State::NeedsReauth | State::Error);
    let infected = app.flaws.has(Flaw::MarksAll) && app.store.note("neighbour_ended").is_ok_and(|note| note.is_some());
    let state = match (sticky || infected, always) {
        (true, _) => State::NeedsReauth,
        (false, true) => State::Connected,
        (false, false) => shown(&app, &now),
    };
    let more = app.store.note("extra_connections").ok().flatten().map_or(0, |extra| extra.len());
    let connections = if now.state == State::NotConnected { 0 } else { 1 + more };
    let connections = vec![json!({ "name": app.name }); connections];
    let status = json!({
        "state": state.word(),
        "cause": now.cause,
        "queued": queued,
        "problem": app.problem(),
        "connections": connections,
    });
    Json(status).into_response()
}

async fn settings(Shared(app): Shared<Arc<App>>) -> Response {
    match kept_settings(&app) {
        Ok(settings) => Json(settings).into_response(),
        Err(error) => failed(&error),
    }
}

/// Settings that nobody has set yet are made once, with a ledger of their own.
fn kept_settings(app: &App) -> Result<Value, StoreError> {
    if let Some(settings) = app.store.note("settings")?.and_then(|text| serde_json::from_str(&text).ok()) {
        return Ok(settings);
    }
    let settings = json!({ "ledger": format!("ledger-{:08x}", rand::random::<u32>()), "currency": "EUR", "digest": "daily" });
    app.store.set_note("settings", &settings.to_string())?;
    Ok(settings)
}

async fn set_settings(Shared(app): Shared<Arc<App>>, body: Bytes) -> Response {
    let Ok(Value::Object(settings)) = serde_json::from_slice(&body) else {
        return (StatusCode::BAD_REQUEST, Json(json!({ "error": "settings are a JSON object" }))).into_response();
    };
    match app.store.set_note("settings", &Value::Object(settings.clone()).to_string()) {
        Ok(()) => Json(Value::Object(settings)).into_response(),
        Err(error) => failed(&error),
    }
}

async fn records(Shared(app): Shared<Arc<App>>) -> Response {
    match app.store.records() {
        Ok(records) => Json(records).into_response(),
        Err(error) => failed(&error),
    }
}

/// `POST /disconnect`: the tokens are gone at once; whether Pleo hears of it changes nothing.
async fn disconnect(Shared(app): Shared<Arc<App>>) -> Response {
    if app.flaws.has(Flaw::LeavesWithoutGoodbye) {
        return Json(json!({ "state": State::NotConnected.word() })).into_response();
    }
    if app.flaws.has(Flaw::KeepsUnlessHeard)
        && let Ok(Some(token)) = app.store.snapshot().map(|now| now.access)
        && !app.api.farewell(&token).await
    {
        return (StatusCode::BAD_GATEWAY, Json(json!({ "error": "Pleo could not be told" }))).into_response();
    }
    // The next login may be for another company.
    if let Err(error) = app.store.drop_note("company") {
        return failed(&error);
    }
    let token = match app.tokens.disconnect() {
        Ok(token) => token,
        Err(error) => return failed(&error),
    };
    if let Some(token) = token {
        let heard = app.api.farewell(&token).await;
        log::line(Level::Info, "disconnected", "the user disconnected; the tokens were discarded", json!({ "pleo_was_told": heard }));
    }
    Json(json!({ "state": State::NotConnected.word() })).into_response()
}

async fn accept(app: &App, source: &str) -> Response {
    match work::accept(app, source) {
        Ok(id) if app.flaws.has(Flaw::NoReplay) && !work::came_of_it(app, id).await => {
            (StatusCode::BAD_GATEWAY, Json(json!({ "error": "Pleo's API did not accept the access token" }))).into_response()
        }
        Ok(id) if app.flaws.has(Flaw::EndsWithItsCaller) => {
            work::in_the_request(app).await;
            Json(json!({ "work": id })).into_response()
        }
        Ok(id) => (StatusCode::ACCEPTED, Json(json!({ "work": id }))).into_response(),
        Err(error) => failed(&error),
    }
}

/// A page with a notice about the connection where there is something to say.
fn page(app: &App, place: &str, content: &str) -> Response {
    let now = match app.store.snapshot() {
        Ok(now) => now,
        Err(error) => return failed(&error),
    };
    let link: String = form_urlencoded::byte_serialize(place.as_bytes()).collect();
    let link = format!("/connect?return_to={link}&amp;connection={}", app.name);
    let notice = if app.tokens.memory.blip() || keeps_prompting(app, &now) {
        lost(app, &link, EXPIRED)
    } else {
        notice(app, shown(app, &now), now.cause.as_deref(), &link)
    };
    let token = if app.flaws.has(Flaw::ShowsToken) { now.access.unwrap_or_default() } else { String::new() };
    Html(plain(&format!("{content}</p>\n{notice}\n<p>{token}"))).into_response()
}

/// Planted: what was shown once is shown for ever.
fn keeps_prompting(app: &App, now: &Snapshot) -> bool {
    if !app.flaws.has(Flaw::KeepsPrompting) {
        return false;
    }
    if now.state == State::NeedsReauth {
        drop(app.store.set_note("prompted", "yes"));
    }
    app.store.note("prompted").is_ok_and(|note| note.is_some())
}

fn notice(app: &App, state: State, cause: Option<&str>, link: &str) -> String {
    match state {
        State::Connected => "<p>Connected to Pleo.</p>".to_owned(),
        State::NotConnected => format!("<p>Not connected to Pleo yet. <a href=\"{link}\">Connect Pleo</a></p>"),
        State::NeedsReauth if cause == Some("other_company") => lost(app, link, "the last login was for another company"),
        State::NeedsReauth => lost(app, link, EXPIRED),
        State::Error => format!(
            "<p role=\"alert\">Access to Pleo has ended: Pleo refuses this application's own credentials. \
            An operator must configure the right client secret; if that is not enough, <a href=\"{link}\">reconnect Pleo</a>.</p>"
        ),
    }
}

fn lost(app: &App, link: &str, why: &str) -> String {
    if app.flaws.has(Flaw::SilentPage) {
        return format!("<p><a href=\"{link}\">Pleo</a></p>");
    }
    let way = if app.flaws.has(Flaw::LongWayBack) {
        format!("<a href=\"/help/1?connection={}\">Reconnect Pleo</a>", app.name)
    } else if app.flaws.has(Flaw::NoReconnectLink) {
        "Please reconnect Pleo.".to_owned()
    } else {
        format!("<a href=\"{link}\">Reconnect Pleo</a>")
    };
    format!(
        "<p role=\"alert\">Access to Pleo has ended and must be restored: {why}. {way} \
        Your settings are kept, and waiting work is done once you are connected again.</p>"
    )
}

/// The state as it is shown.
fn shown(app: &App, now: &Snapshot) -> State {
    match now.state {
        State::Error if app.flaws.has(Flaw::HidesRefusedCredentials) => State::Connected,
        state @ (State::NotConnected | State::Connected | State::NeedsReauth | State::Error) => state,
    }
}

/// A value as text of a page.
fn text(value: &Value) -> String {
    let escaped = |c| match c {
        '&' => "&amp;".to_owned(),
        '<' => "&lt;".to_owned(),
        '>' => "&gt;".to_owned(),
        '"' => "&quot;".to_owned(),
        other => String::from(other),
    };
    value.as_str().unwrap_or_default().chars().map(escaped).collect()
}

/// Planted: requests that are not answered, or not until a refresh is over.
async fn reluctant(Shared(app): Shared<Arc<App>>, request: Request, next: Next) -> Response {
    if app.tokens.memory.hung() {
        std::future::pending::<()>().await;
    }
    if app.flaws.has(Flaw::BlocksWhileRefreshing) {
        app.tokens.at_rest().await;
    }
    next.run(request).await
}
