//! Any reply is a message that any client can read.

use serde_json::Value;

use super::{Broken, hold};
use crate::{front::Answered, journal::Endpoint};

/// What a client makes of a reply.
pub(super) struct Seen {
    pub(super) status: u16,
    pub(super) json: Option<Value>,
}

/// Reads a reply as a client would.
///
/// # Errors
/// It is no HTTP message, its length is not what it says, or its error is not in the words of its endpoint.
pub(super) fn read(answered: &Answered) -> Result<Seen, Broken> {
    let mut headers = [httparse::EMPTY_HEADER; 64];
    let mut response = httparse::Response::new(&mut headers);
    let Ok(httparse::Status::Complete(head)) = response.parse(&answered.reply) else {
        return Err(format!("the reply is an HTTP message: {:?}", answered.reply));
    };
    let status = response.code.unwrap_or_default();
    hold((200..500).contains(&status) || status == 501 || status == 505, "no request is the provider's fault", answered)?;
    let header = |name: &str| response.headers.iter().find(|header| header.name.eq_ignore_ascii_case(name)).map(|header| header.value);
    let body = answered.reply.get(head..).unwrap_or_default();
    let length = header("content-length").and_then(|value| std::str::from_utf8(value).ok()?.parse::<usize>().ok());
    hold(length.is_some() || status == 204, "a reply says how long it is", answered)?;
    hold(answered.method == "HEAD" || length.unwrap_or(0) == body.len(), "a body is as long as was said", answered)?;
    let is_json = header("content-type").is_some_and(|value| value.starts_with(b"application/json"));
    let json = if is_json && answered.method != "HEAD" { serde_json::from_slice::<Value>(body).ok() } else { None };
    hold(!is_json || answered.method == "HEAD" || json.is_some(), "what says that it is JSON is JSON", answered)?;
    if matches!(answered.endpoint, Endpoint::Token | Endpoint::Introspect) && answered.method != "HEAD" {
        hold(header("cache-control") == Some(b"no-store"), "what speaks of tokens is not stored", answered)?;
        let error = json.as_ref().is_some_and(|json| json["error"].is_string());
        hold(error != (status == 200), "a refusal says why, and a success does not (RFC 6749 section 5)", answered)?;
    }
    Ok(Seen { status, json })
}
