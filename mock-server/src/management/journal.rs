//! The journal over HTTP: one line of JSON per event, so far or for as long as somebody reads.

use std::convert::Infallible;

use axum::{
    body::{Body, Bytes},
    extract::{Query, State},
    http::{HeaderMap, header},
    response::{IntoResponse, Response},
};
use serde::Deserialize;

use crate::{
    Control,
    journal::{Entry, Shower},
};

/// `?follow=1&from=120`.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Asked {
    #[serde(default)]
    follow: Option<String>,
    /// The first event that is wanted.
    #[serde(default)]
    from: u64,
}

/// How the lines are wrapped.
#[derive(Debug, Clone, Copy)]
enum Form {
    Lines,
    /// Server-sent events, for browsers.
    Events,
}

/// `GET /v1/journal`.
pub(super) async fn read(State(control): State<Control>, Query(asked): Query<Asked>, headers: HeaderMap) -> Response {
    let accept = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let form = if accept.contains("text/event-stream") { Form::Events } else { Form::Lines };
    let follows = asked.follow.as_deref().is_some_and(|word| !matches!(word, "" | "0" | "false" | "no"));
    let body = if follows || matches!(form, Form::Events) { follow(control, asked.from, form) } else { so_far(&control, asked.from, form) };
    let kind = match form {
        Form::Lines => "application/x-ndjson",
        Form::Events => "text/event-stream",
    };
    ([("content-type", kind), ("cache-control", "no-store")], body).into_response()
}

fn so_far(control: &Control, from: u64, form: Form) -> Body {
    let entries = control.journal();
    let mut shower = Shower::default();
    shower.learn(&control.shared.state().vault);
    Body::from(entries.iter().filter(|entry| entry.n >= from).map(|entry| line(&shower, entry, form)).collect::<String>())
}

fn follow(control: Control, from: u64, form: Form) -> Body {
    let entries = control.follow();
    let lines = futures::stream::unfold((entries, Shower::default()), move |(mut entries, mut shower)| {
        let control = control.clone();
        async move {
            let mut entry = entries.recv().await?;
            while entry.n < from {
                entry = entries.recv().await?;
            }
            // What an event speaks of was minted before it.
            shower.learn(&control.shared.state().vault);
            let line = Bytes::from(line(&shower, &entry, form));
            Some((Ok::<_, Infallible>(line), (entries, shower)))
        }
    });
    Body::from_stream(lines)
}

fn line(shower: &Shower, entry: &Entry, form: Form) -> String {
    match form {
        Form::Lines => format!("{}\n", shower.show(entry)),
        Form::Events => format!("id: {}\ndata: {}\n\n", entry.n, shower.show(entry)),
    }
}
