//! Connecting: sending the user to Pleo's consent page, and taking them back.

use std::{collections::HashMap, sync::Arc};

use axum::{
    extract::{Query, RawQuery, State as Shared},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{Html, IntoResponse, Redirect, Response},
};
use oauth2::CsrfToken;
use serde_json::json;

use super::{
    App,
    answer::Outcome,
    flaw::Flaw,
    log::{self, Level},
    logins::{self, Begun},
    pages,
    store::{Disk, State},
};

/// `GET /connect`: off to the consent page.
pub(crate) async fn begin(Shared(app): Shared<Arc<App>>, Query(query): Query<HashMap<String, String>>, headers: HeaderMap) -> Response {
    let state = match app.store.snapshot() {
        Ok(now) => now.state,
        Err(error) => return pages::failed(&error),
    };
    let again = matches!(state, State::NeedsReauth | State::Error);
    let login = app.pleo.login(again);
    let url = login.url.clone();
    let known = session(&headers);
    let session = known.clone().unwrap_or_else(|| CsrfToken::new_random_len(32).into_secret());
    app.logins.begin(&session, login, logins::local(query.get("return_to").map(String::as_str)));
    app.notices.login_begun(again);
    let mut response = found(&url);
    if known.is_none() {
        let secure = if app.secure_cookies { "; Secure" } else { "" };
        if let Ok(cookie) = HeaderValue::from_str(&format!("session={session}; Path=/; HttpOnly; SameSite=Lax{secure}")) {
            response.headers_mut().insert(header::SET_COOKIE, cookie);
        }
    }
    response
}

/// `GET /callback`: back from the consent page. Only a code that belongs to an attempt of this browser's changes anything.
pub(crate) async fn callback(
    Shared(app): Shared<Arc<App>>,
    RawQuery(raw): RawQuery,
    Query(query): Query<HashMap<String, String>>,
    headers: HeaderMap,
) -> Response {
    if app.flaws.has(Flaw::LogsCode) {
        log::line(Level::Info, "request", "GET /callback", json!({ "query": raw }));
    }
    let session = session(&headers).unwrap_or_default();
    let begun = query.get("state").and_then(|state| {
        if app.flaws.has(Flaw::KeepsStates) { app.logins.look(&session, state) } else { app.logins.finish(&session, state) }
    });
    let begun = begun.or_else(|| app.flaws.has(Flaw::IgnoresState).then(|| app.logins.any()));
    let Some(begun) = begun else {
        app.notices.login_failed("unknown state");
        return refused("This login was not begun here, or it was used before.");
    };
    if let Some(error) = query.get("error") {
        app.notices.login_failed(log::code(error));
        if app.flaws.has(Flaw::DenialDisconnects) {
            drop(app.tokens.disconnect());
        }
        return refused("Pleo did not grant access. Nothing has changed.");
    }
    let Some(code) = query.get("code").filter(|code| !code.is_empty()) else {
        app.notices.login_failed("no code");
        return refused("Pleo sent no code. Nothing has changed.");
    };
    if app.flaws.has(Flaw::KeepsVerifier) {
        let verifier = begun.verifier.as_ref().map(|verifier| verifier.secret().as_str());
        drop(
            app.store
                .set_sealed_note("kept_login", &json!({ "verifier": verifier, "code": code, "state": query.get("state") }).to_string()),
        );
    }
    exchange(&app, begun, code).await
}

async fn exchange(app: &App, begun: Begun, code: &str) -> Response {
    if app.flaws.has(Flaw::FailedExchangeOverwrites) {
        drop(app.store.transit(|now| Some((now.without_tokens(now.state, "login"), Disk::Same))));
    }
    let spare = begun.verifier.as_ref().map(|verifier| oauth2::PkceCodeVerifier::new(verifier.secret().clone()));
    let what = match app.pleo.exchange(code.to_owned(), begun.verifier).await {
        Outcome::Granted(granted) => {
            let again = app.store.snapshot().is_ok_and(|now| now.state == State::NeedsReauth);
            if let Err(error) = app.tokens.connect(&granted) {
                return pages::failed(&error);
            }
            app.set_problem(None);
            app.notices.connected();
            if again && app.flaws.has(Flaw::ExchangesTwice) {
                drop(app.pleo.exchange(code.to_owned(), spare).await);
            }
            let place = if app.flaws.has(Flaw::ForgetsPlace) { "/" } else { &begun.return_to };
            return Redirect::to(place).into_response();
        }
        Outcome::Refused { code, .. } => log::code(&code).to_owned(),
        Outcome::ClientRefused { status } => {
            app.notices.client_refused(status);
            "invalid_client".to_owned()
        }
        Outcome::Passing { what, .. } => what,
    };
    app.notices.login_failed(&what);
    let page = "Pleo could not complete the login. Nothing has changed; please try again.";
    (StatusCode::BAD_GATEWAY, Html(pages::plain(page))).into_response()
}

fn refused(page: &str) -> Response {
    (StatusCode::BAD_REQUEST, Html(pages::plain(page))).into_response()
}

fn found(url: &str) -> Response {
    match HeaderValue::from_str(url) {
        Ok(location) => (StatusCode::FOUND, [(header::LOCATION, location)]).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

fn session(headers: &HeaderMap) -> Option<String> {
    let cookies = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    cookies.flat_map(|line| line.split(';')).find_map(|pair| pair.trim().strip_prefix("session=")).map(str::to_owned)
}
