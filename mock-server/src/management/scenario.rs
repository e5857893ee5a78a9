//! Stories over HTTP: one is loaded, told while the provider serves, and ended.

use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::answer::{Answer, At, Refusal, Shown, Text};
use crate::{Control, telling::Progress};

pub(super) fn routes() -> OpenApiRouter<Control> {
    OpenApiRouter::new().routes(routes!(progress, tell, end)).routes(routes!(go_on))
}

/// How far a story has come.
#[derive(Debug, Serialize, ToSchema)]
struct ScenarioView {
    title: String,
    about: String,
    state: Telling,
    /// What has happened, oldest first.
    told: Vec<ToldView>,
    /// What is still to come: objects with `await` or `do`, in the words of the file.
    #[schema(value_type = Vec<Object>)]
    ahead: Vec<Value>,
}

/// Whether a story goes on.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
enum Telling {
    Running,
    Ended,
}

/// One thing that was told.
#[derive(Debug, Serialize, ToSchema)]
struct ToldView {
    /// `prologue`, `awaiting`, `came-true`, `awaiting-request`, `did`, `left-to-you`, `new-secret` or `end`.
    event: &'static str,
    /// The words of the file, or the name of the new secret.
    what: Value,
}

fn view(progress: Progress) -> ScenarioView {
    ScenarioView {
        title: progress.title,
        about: progress.about,
        state: if progress.ended { Telling::Ended } else { Telling::Running },
        told: progress.told.into_iter().map(|line| ToldView { event: line.event, what: line.what }).collect(),
        ahead: progress.ahead,
    }
}

/// Begins to tell a story; what it leaves to the person is for whoever drives the integration to do
#[utoipa::path(put, path = "/scenario", tag = "scenario", request_body(content = String, content_type = "application/toml", description = "A scenario file"), responses(
    (status = 200, description = "It is being told", body = ScenarioView),
    (status = 400, description = "The file is wrong; the detail shows the place"),
))]
async fn tell(At(control): At, Text(text): Text) -> Answer<ScenarioView> {
    let wrong = |error: crate::fault::scenario::ScenarioError| {
        Refusal::new(400, &error.to_string(), "send a scenario file as TOML; `regrant schema scenario` tells its form")
    };
    control.tell(&text, |_| ()).map_err(wrong)?;
    shown(&control)
}

/// Tells how far the story has come
#[utoipa::path(get, path = "/scenario", tag = "scenario", responses(
    (status = 200, description = "So far", body = ScenarioView),
    (status = 404, description = "There is no story"),
))]
async fn progress(At(control): At) -> Answer<ScenarioView> {
    shown(&control)
}

/// Lets the story go on where it waits for the integration, which rightly does nothing
#[utoipa::path(post, path = "/scenario/go-on", tag = "scenario", responses(
    (status = 200, description = "As far as it has come", body = ScenarioView),
    (status = 404, description = "There is no story"),
))]
async fn go_on(At(control): At) -> Answer<ScenarioView> {
    let progress = shown(&control)?;
    control.go_on();
    Ok(progress)
}

/// Ends the story and removes its rules; what it holds stays held, its policy in force
#[utoipa::path(delete, path = "/scenario", tag = "scenario", responses(
    (status = 200, description = "As far as it came", body = ScenarioView),
    (status = 404, description = "There is no story"),
))]
async fn end(At(control): At) -> Answer<ScenarioView> {
    let last = shown(&control)?;
    control.shared.telling.end(&control);
    Ok(last)
}

fn shown(control: &Control) -> Answer<ScenarioView> {
    let none = || Refusal::new(404, "no story is being told", "PUT /v1/scenario with a scenario file");
    control.shared.telling.progress().map(|progress| Shown(view(progress))).ok_or_else(none)
}
