//! The journal over HTTP: one line of JSON per event, so far or for as long as somebody reads.

use std::convert::Infallible;

use axum::{
    body::{Body, Bytes},
    http::{HeaderMap, header},
    response::{IntoResponse, Response},
};
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    answer::{Answer, Asked, At, Named, Refusal, Shown},
    har,
    words::{self, Flag},
};
use crate::{
    Control,
    journal::{Entry, Event, Read, Reader, Shower},
};

pub(super) fn routes() -> OpenApiRouter<Control> {
    OpenApiRouter::new().routes(routes!(read)).routes(routes!(one)).routes(routes!(archive))
}

/// One event. What else it has depends on `event`.
#[derive(ToSchema)]
#[schema(as = JournalLine)]
#[allow(dead_code, reason = "it only describes what Shower shows")]
pub(super) struct Line {
    /// Its place in the order of all events, from 1, without gaps. A line `lagged` has none.
    n: Option<u64>,
    /// Microseconds since the provider's start.
    at_us: Option<u64>,
    /// What happened. `lagged` stands for the lines from `from` to just before `oldest`, which were forgotten before they could be read.
    event: Event,
}

#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Which {
    /// Go on with each new event until the reader hangs up
    #[param(schema_with = words::flag)]
    follow: Flag,
    /// The number of the first event that is wanted; 0 or nothing: the oldest that is kept
    #[param(schema_with = words::number)]
    from: u64,
}

/// How the lines are wrapped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Lines,
    /// Server-sent events, for browsers.
    Events,
}

/// Reads what crossed the wire, secrets by name
///
/// As server-sent events (`Accept: text/event-stream`) it always goes on, and takes up after `Last-Event-ID`.
#[utoipa::path(get, path = "/journal", tag = "journal", params(
    Which,
    ("last-event-id" = Option<u64>, Header, description = "With server-sent events: the number of the last event that was seen"),
), responses(
    (status = 200, description = "A line per event", content((Line = "application/x-ndjson"), (String = "text/event-stream"))),
    (status = 410, description = "The first event that is wanted was forgotten; the remedy tells the oldest that is kept"),
))]
async fn read(At(control): At, Asked(asked): Asked<Which>, headers: HeaderMap) -> Result<Response, Refusal> {
    let text = |name: header::HeaderName| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let form = if text(header::ACCEPT).contains("text/event-stream") { Form::Events } else { Form::Lines };
    let last = headers.get("last-event-id").and_then(|value| value.to_str().ok()).and_then(|last| last.parse::<u64>().ok());
    let from = match (form, last) {
        // Who takes up again is told of a gap; a refusal would make a browser give up for good.
        (Form::Events, Some(last)) => last.saturating_add(1),
        (Form::Events, None) | (Form::Lines, _) => {
            still_there(&control, asked.from)?;
            asked.from
        }
    };
    let reader = Reader::new(control.shared.journal.clone(), from);
    let kind = match form {
        Form::Lines => "application/x-ndjson",
        Form::Events => "text/event-stream",
    };
    let body = stream(control, reader, form, asked.follow.0 || form == Form::Events);
    Ok(([(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, "no-store")], body).into_response())
}

fn still_there(control: &Control, n: u64) -> Result<(), Refusal> {
    let oldest = control.shared.journal.page(0, 0).oldest;
    if n == 0 || n >= oldest {
        return Ok(());
    }
    let remedy =
        format!("the oldest that is kept is {oldest}; `regrant serve --journal N` keeps more, `--journal-file PATH` keeps all on disk");
    Err(Refusal::new(410, &format!("event {n} was forgotten"), &remedy))
}

fn stream(control: Control, reader: Reader, form: Form, follows: bool) -> Body {
    let lines = futures::stream::unfold((reader, Shower::default()), move |(mut reader, mut shower)| {
        let control = control.clone();
        async move {
            let read = if follows { reader.next().await } else { reader.so_far() }?;
            // What an event speaks of was minted before it.
            shower.learn(&control.shared.state().vault);
            let text = match read {
                Read::Lines(entries) => entries.iter().map(|entry| line(&shower, entry, form)).collect(),
                Read::Lagged { from, oldest } => lagged(from, oldest, form),
            };
            Some((Ok::<_, Infallible>(Bytes::from(text)), (reader, shower)))
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

fn lagged(from: u64, oldest: u64, form: Form) -> String {
    let told = json!({"event": Event::Lagged, "from": from, "oldest": oldest});
    match form {
        Form::Lines => format!("{told}\n"),
        Form::Events => format!("event: lagged\ndata: {told}\n\n"),
    }
}

#[derive(Debug, Deserialize, IntoParams)]
struct LinePath {
    /// The event's number
    #[param(value_type = u64, minimum = 1)]
    n: String,
}

/// Reads one event
#[utoipa::path(get, path = "/journal/{n}", tag = "journal", params(LinePath), responses(
    (status = 200, description = "The event", body = Line),
    (status = 404, description = "There is no such event yet"),
    (status = 410, description = "It was forgotten; the remedy tells the oldest that is kept"),
))]
async fn one(At(control): At, Named(LinePath { n }): Named<LinePath>) -> Answer<Value> {
    let wanted = n.parse().unwrap_or(u64::MAX);
    let page = control.shared.journal.page(wanted, 1);
    if wanted > 0 {
        still_there(&control, wanted)?;
    }
    let Some(entry) = page.entries.first().filter(|entry| entry.n == wanted) else {
        return Err(Refusal::new(404, &format!("there is no event {n}"), &format!("the newest is {}", page.last)));
    };
    let mut shower = Shower::default();
    shower.learn(&control.shared.state().vault);
    Ok(Shown(shower.show(entry)))
}

#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Secrets {
    /// Leave secrets as they are, instead of their names
    #[param(schema_with = words::flag)]
    secrets: Flag,
}

/// Exports the exchanges that are kept as an HTTP archive (HAR 1.2), secrets by name unless asked for
#[utoipa::path(get, path = "/journal.har", tag = "journal", params(Secrets), responses(
    (status = 200, description = "An archive", content((har::Archive = "application/json"))),
))]
async fn archive(At(control): At, Asked(asked): Asked<Secrets>) -> Shown<Value> {
    let entries = control.journal();
    let mut shower = if asked.secrets.0 { Shower::open() } else { Shower::default() };
    shower.learn(&control.shared.state().vault);
    Shown(har::archive(&entries, &shower, &control.shared.clock, &control.shared.urls.api))
}
