//! Answers of the management port.

use axum::{
    body::{Body, Bytes},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

/// A refusal: what is wrong, and what would help.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refusal {
    status: u16,
    error: String,
    remedy: String,
}

/// What a handler gives.
pub(super) type Answer = Result<Shown, Refusal>;

/// A JSON answer.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Shown(pub(super) Value);

impl Refusal {
    pub(super) fn new(status: u16, error: &str, remedy: &str) -> Self {
        Self { status, error: error.to_owned(), remedy: remedy.to_owned() }
    }
}

/// Reads a JSON body; none at all counts as `{}`.
pub(super) fn read<T: DeserializeOwned>(body: &Bytes, example: &str) -> Result<T, Refusal> {
    let body: &[u8] = if body.is_empty() { b"{}" } else { body };
    serde_json::from_slice(body)
        .map_err(|error| Refusal::new(400, &format!("the body is not what is expected: {error}"), &format!("send {example}")))
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        respond(status, &json!({"error": self.error, "remedy": self.remedy}))
    }
}

impl IntoResponse for Shown {
    fn into_response(self) -> Response {
        respond(StatusCode::OK, &self.0)
    }
}

fn respond(status: StatusCode, body: &Value) -> Response {
    let headers = [("content-type", "application/json"), ("cache-control", "no-store")];
    (status, headers, Body::from(format!("{body}\n"))).into_response()
}
