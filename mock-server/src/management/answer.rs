//! Answers of the management port, and what is read of a request.

use axum::{
    body::{Body, Bytes},
    extract::{FromRequest, FromRequestParts, Path, Query, RawPathParams, Request, rejection::BytesRejection},
    http::{StatusCode, header, request::Parts},
    response::{IntoResponse, Response},
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;
use utoipa::ToSchema;

use crate::{Control, tenants};

/// A refusal (RFC 9457): what is wrong, and what would help.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(super) struct Refusal {
    /// The HTTP status.
    #[schema(minimum = 400, maximum = 599)]
    status: u16,
    /// The status in words.
    title: String,
    /// What is wrong.
    detail: String,
    /// What would help.
    remedy: String,
}

/// What a handler gives.
pub(super) type Answer<T> = Result<Shown<T>, Refusal>;

/// A JSON answer.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Shown<T>(pub(super) T);

/// A JSON answer about what came into being.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Created<T>(pub(super) T);

impl Refusal {
    pub(super) fn new(status: u16, detail: &str, remedy: &str) -> Self {
        let title = StatusCode::from_u16(status).ok().and_then(|status| status.canonical_reason()).unwrap_or("Refused");
        Self { status, title: title.to_owned(), detail: detail.to_owned(), remedy: remedy.to_owned() }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        respond(status, "application/problem+json", &self)
    }
}

impl<T: Serialize> IntoResponse for Shown<T> {
    fn into_response(self) -> Response {
        respond(StatusCode::OK, "application/json", &self.0)
    }
}

impl<T: Serialize> IntoResponse for Created<T> {
    fn into_response(self) -> Response {
        respond(StatusCode::CREATED, "application/json", &self.0)
    }
}

fn respond(status: StatusCode, kind: &str, body: &impl Serialize) -> Response {
    // Fails only for maps whose keys are no text, of which there are none.
    let mut text = serde_json::to_string(body).unwrap_or_default();
    text.push('\n');
    (status, [(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, "no-store")], Body::from(text)).into_response()
}

/// The tenant that is meant: the one in the path, else the default one.
pub(super) struct At(pub(super) Control);

impl FromRequestParts<Control> for At {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, control: &Control) -> Result<Self, Refusal> {
        let names = RawPathParams::from_request_parts(parts, control).await.map_err(|error| undecodable(&error.body_text()))?;
        match names.iter().find(|(name, _)| *name == "tenant") {
            None | Some((_, tenants::DEFAULT)) => Ok(Self(control.clone())),
            Some((_, name)) => find(control, name).map(Self),
        }
    }
}

/// A tenant that is there.
pub(super) fn find(control: &Control, name: &str) -> Result<Control, Refusal> {
    let found = control.shared.tenants.as_ref().and_then(|tenants| tenants.find(name));
    found.map(|shared| Control { shared }).ok_or_else(|| no_tenant(name))
}

pub(super) fn no_tenant(name: &str) -> Refusal {
    let remedy =
        format!("make it with POST /v1/tenants, or by a first request to /t/{name} on the provider's port; GET /v1/tenants lists all");
    Refusal::new(404, &format!("there is no tenant {name:?}"), &remedy)
}

/// What stands in the path, by name.
pub(super) struct Named<T>(pub(super) T);

impl<T: DeserializeOwned + Send> FromRequestParts<Control> for Named<T> {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, control: &Control) -> Result<Self, Refusal> {
        let Path(named) = Path::from_request_parts(parts, control).await.map_err(|error| undecodable(&error.body_text()))?;
        Ok(Self(named))
    }
}

fn undecodable(error: &str) -> Refusal {
    Refusal::new(400, error, "percent-encode names in the path as UTF-8")
}

/// What stands in the query.
pub(super) struct Asked<T>(pub(super) T);

impl<T: DeserializeOwned> FromRequestParts<Control> for Asked<T> {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, control: &Control) -> Result<Self, Refusal> {
        let read = Query::from_request_parts(parts, control).await;
        let Query(asked) = read.map_err(|error| Refusal::new(400, &error.body_text(), "GET /v1/openapi.json tells the parameters"))?;
        Ok(Self(asked))
    }
}

/// A JSON body that says what it looks like; none at all counts as `{}`.
pub(super) struct Sent<T>(pub(super) T);

/// A body that can be asked for by example.
pub(super) trait Example {
    /// What to send, for whoever sent something else.
    const EXAMPLE: &'static str;
}

impl<T: DeserializeOwned + Example> FromRequest<Control> for Sent<T> {
    type Rejection = Refusal;

    async fn from_request(request: Request, control: &Control) -> Result<Self, Refusal> {
        let body = Bytes::from_request(request, control).await.map_err(|error| unread(&error))?;
        let body: &[u8] = if body.is_empty() { b"{}" } else { &body };
        let wrong = |error: &str| Refusal::new(400, &format!("the body is not what is expected: {error}"), &format!("send {}", T::EXAMPLE));
        let mut value: Value = serde_json::from_slice(body).map_err(|error| wrong(&error.to_string()))?;
        if !value.is_object() {
            // serde would also take a list for the fields in their order, which nobody means.
            return Err(wrong("it is no object"));
        }
        make_whole(&mut value);
        serde_json::from_value(value).map(Self).map_err(|error| wrong(&error.to_string()))
    }
}

/// A number without a fraction is an integer, however it is written: so says JSON Schema, and some languages know no other.
fn make_whole(value: &mut Value) {
    match value {
        Value::Number(number) => {
            if let Some(whole) = number.as_f64().filter(|_| number.is_f64()).and_then(whole) {
                *number = whole.into();
            }
        }
        Value::Array(items) => items.iter_mut().for_each(make_whole),
        Value::Object(fields) => fields.values_mut().for_each(make_whole),
        Value::Null | Value::Bool(_) | Value::String(_) => {}
    }
}

fn whole(number: f64) -> Option<i64> {
    // Up to here every whole number has a form of its own.
    const EXACT: f64 = 9_007_199_254_740_991.0;
    (number.fract() == 0.0 && number.abs() <= EXACT).then(|| format!("{number:.0}").parse().ok()).flatten()
}

/// A body as text.
pub(super) struct Text(pub(super) String);

impl FromRequest<Control> for Text {
    type Rejection = Refusal;

    async fn from_request(request: Request, control: &Control) -> Result<Self, Refusal> {
        let body = Bytes::from_request(request, control).await.map_err(|error| unread(&error))?;
        let wrong = |_| Refusal::new(400, "the body is not UTF-8", "send text");
        String::from_utf8(body.into()).map(Self).map_err(wrong)
    }
}

fn unread(error: &BytesRejection) -> Refusal {
    match error.status().as_u16() {
        413 => Refusal::new(413, "the body is longer than 2 MB", "send less"),
        status => Refusal::new(status, &error.body_text(), "send the body again"),
    }
}
