//! Null subjects: programs that a suite must not acquit, since they do nothing.

use std::{net::SocketAddr, process::ExitCode};

use axum::{
    Json, Router,
    response::{Html, IntoResponse},
    routing::get,
};
use serde_json::json;

use super::{config, stop};

/// Their names, and what they do.
pub const NULLS: &[(&str, &str)] = &[
    ("exits", "exits at once with status 0"),
    ("mute", "answers 200 to everything and never calls Pleo"),
    ("yes-man", "as mute, but says connected and always offers to reconnect"),
];

/// Runs the null subject of that name; `None`: there is none.
pub(crate) async fn run(name: &str) -> Option<ExitCode> {
    let mute = Router::new().fallback(async || "ok\n");
    match name {
        "exits" => Some(ExitCode::SUCCESS),
        "mute" => Some(serve(mute).await),
        "yes-man" => Some(serve(mute.route("/status", get(connected)).route("/", get(reconnect))).await),
        _ => None,
    }
}

async fn connected() -> impl IntoResponse {
    Json(json!({ "state": "connected" }))
}

async fn reconnect() -> Html<&'static str> {
    Html("<!doctype html>\n<p>Connected to Pleo. Access ended or must be restored? <a href=\"/connect\">Reconnect Pleo</a></p>\n")
}

async fn serve(router: Router) -> ExitCode {
    let Ok(port) = config::port() else { return ExitCode::from(2) };
    let Ok(listener) = tokio::net::TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], port))).await else { return ExitCode::FAILURE };
    let stop = stop::asked();
    tokio::select! {
        _ = axum::serve(listener, router) => ExitCode::FAILURE,
        () = stop => ExitCode::SUCCESS,
    }
}
