//! Replies before they are written.

use bytes::Bytes;
use serde::Serialize;
use serde_json::json;

/// A reply: status, headers (names in lower case), body. Length and date are added when it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Bytes,
}

impl Reply {
    /// No body.
    pub(crate) fn empty(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: Bytes::new() }
    }

    /// A JSON body, in the content type that Pleo's OpenAPI names.
    pub(crate) fn json(status: u16, body: &impl Serialize) -> Self {
        // What we answer with are objects with names for keys: they can always be written.
        Self::with_body(status, "application/json;charset=UTF-8", serde_json::to_vec(body).unwrap_or_default())
    }

    /// Any body.
    pub(crate) fn with_body(status: u16, content_type: &str, body: impl Into<Bytes>) -> Self {
        Self { status, headers: vec![("content-type".into(), content_type.into())], body: body.into() }
    }

    /// An error of the token endpoint (RFC 6749 section 5.2).
    pub(crate) fn oauth_error(status: u16, error: &str, description: Option<&str>) -> Self {
        let body = match description {
            Some(description) => json!({"error": error, "error_description": description}),
            None => json!({"error": error}),
        };
        Self::json(status, &body).unstored()
    }

    /// An error of the resource API (Pleo's `ExceptionInfo`).
    pub(crate) fn api_error(status: u16, kind: &str, message: &str) -> Self {
        Self::json(status, &json!({"type": kind, "message": message}))
    }

    /// A redirect.
    pub(crate) fn redirect(status: u16, location: &str) -> Self {
        Self::empty(status).header("location", location).unstored()
    }

    /// With one more header.
    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        // A line break in a value would be the start of another header.
        let value: String = value.chars().filter(|c| !c.is_control()).collect();
        self.headers.push((name.to_owned(), value));
        self
    }

    /// Not to be stored by anybody (RFC 6749 section 5.1).
    pub(crate) fn unstored(self) -> Self {
        self.header("cache-control", "no-store").header("pragma", "no-cache")
    }

    pub(crate) fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }
}
