//! A refresh chain: each refresh presents the token that the last one brought.

use std::net::SocketAddr;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::{HeaderValue, Request, header};
use http_body_util::Full;

use super::connection::{Answer, Connection};
use crate::error::BenchError;

/// One grant's refresh token, and who its client is.
#[derive(Debug, Clone)]
pub(crate) struct Chain {
    authorization: HeaderValue,
    token: String,
}

/// The `Authorization` header of a confidential client (RFC 6749 section 2.3.1; id and secret hold nothing to be encoded).
pub(super) fn basic((id, secret): (&str, &str)) -> HeaderValue {
    HeaderValue::try_from(format!("Basic {}", STANDARD.encode(format!("{id}:{secret}")))).unwrap_or(HeaderValue::from_static(""))
}

impl Chain {
    /// A chain that begins with `token`.
    pub(crate) fn new(client: (&str, &str), token: String) -> Self {
        Self { authorization: basic(client), token }
    }

    /// The token that it presents next.
    #[cfg(test)]
    pub(crate) fn token(&self) -> &str {
        &self.token
    }

    /// Refreshes once and gives the whole reply's body.
    ///
    /// # Errors
    /// The refresh is refused.
    pub(crate) async fn sample(&mut self, server: SocketAddr, path: &str) -> Result<String, BenchError> {
        let reply = Connection::open(server).await?.send(self.request(path)).await?;
        let body = String::from_utf8_lossy(&reply.body).into_owned();
        if self.follow(&reply) {
            Ok(body)
        } else {
            Err(BenchError::Answer(format!("a refresh was answered with {}: {body}", reply.status)))
        }
    }

    /// The next refresh.
    pub(super) fn request(&self, path: &str) -> Request<Full<Bytes>> {
        let mut body = String::with_capacity(128);
        body.push_str("grant_type=refresh_token&refresh_token=");
        body.extend(url::form_urlencoded::byte_serialize(self.token.as_bytes()));
        form(path, self.authorization.clone(), body)
    }

    /// Takes the token of a reply, if it brought a new one; false if it is no token reply.
    pub(super) fn follow(&mut self, reply: &Answer) -> bool {
        if reply.status != http::StatusCode::OK || string(&reply.body, "access_token").is_none() {
            return false;
        }
        if let Some(token) = string(&reply.body, "refresh_token") {
            self.token.clear();
            self.token.push_str(token);
        }
        true
    }
}

/// A form posted with client credentials.
pub(super) fn form(path: &str, authorization: HeaderValue, body: String) -> Request<Full<Bytes>> {
    let mut request = Request::new(Full::new(Bytes::from(body)));
    *request.method_mut() = http::Method::POST;
    *request.uri_mut() = path.parse().unwrap_or_default();
    let headers = request.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
    headers.insert(header::AUTHORIZATION, authorization);
    request
}

/// The value of a string in a flat JSON object. Tokens need no escapes; parsing whole objects would measure the client.
pub(super) fn string<'a>(json: &'a [u8], name: &str) -> Option<&'a str> {
    let json = std::str::from_utf8(json).ok()?;
    let mut rest = json;
    loop {
        let (_, after) = rest.split_once(name)?;
        if let Some(value) = after.strip_prefix('"').map(str::trim_start).and_then(|after| after.strip_prefix(':')) {
            return value.trim_start().strip_prefix('"')?.split_once('"').map(|(value, _)| value);
        }
        rest = after;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, body: &'static str) -> Answer {
        Answer { status: http::StatusCode::from_u16(status).unwrap_or_default(), location: None, body: Bytes::from_static(body.as_bytes()) }
    }

    #[test]
    fn a_chain_follows_rotation_and_keeps_a_token_that_is_not_replaced() {
        let mut chain = Chain::new(("id", "secret"), "one".into());
        assert!(chain.follow(&answer(200, r#"{"access_token":"a","refresh_token":"two"}"#)));
        assert_eq!(chain.token(), "two");
        assert!(chain.follow(&answer(200, r#"{"access_token":"b"}"#)));
        assert_eq!(chain.token(), "two");
        assert!(!chain.follow(&answer(400, r#"{"error":"invalid_grant"}"#)));
        assert!(!chain.follow(&answer(200, "hello")));
    }

    #[test]
    fn strings_are_found_in_any_layout() {
        assert_eq!(string(b"{ \"x\" : \"refresh_token\",\n \"refresh_token\" : \"abc\" }", "refresh_token"), Some("abc"));
        assert_eq!(string(b"{\"refresh_token\":null}", "refresh_token"), None);
        assert_eq!(string(b"", "refresh_token"), None);
    }
}
