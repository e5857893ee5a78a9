//! Replies of our own, and what is done to those of the provider.

use std::num::NonZeroU32;

use bytes::{BufMut, Bytes, BytesMut};
use regrant_authority::Time;

use super::{
    plan::{Cut, Ending},
    reply::Reply,
    request::Request,
};
use crate::{
    clock::http_date,
    fault::{CutShort, Fate, Garble, Reshape, RetryAfter},
    journal::Endpoint,
};

/// What is to be done to the provider's own reply.
#[derive(Debug, Default)]
pub(super) struct Shaping {
    pub(super) reshape: Option<Box<Reshape>>,
    pub(super) pace: Option<NonZeroU32>,
    pub(super) cut: Option<Cut>,
    garble: Option<Garble>,
}

impl Shaping {
    /// Keeps in mind what a fate does to the reply.
    pub(super) fn add(&mut self, fate: &Fate) {
        match fate {
            Fate::Reshape(shape) => self.reshape = Some(shape.clone()),
            Fate::Throttle { bytes_per_second } => self.pace = Some(*bytes_per_second),
            Fate::Garble(how) => self.garble = Some(*how),
            Fate::Truncate { after, then } => {
                let end = match then {
                    CutShort::Fin => Ending::Fin,
                    CutShort::Reset => Ending::Reset,
                    CutShort::Hang => Ending::Hang,
                };
                self.cut = Some(Cut { after: after.and_then(|after| usize::try_from(after).ok()), end });
            }
            Fate::Pass
            | Fate::Delay(_)
            | Fate::Hold(_)
            | Fate::Status { .. }
            | Fate::Replace { .. }
            | Fate::Redirect { .. }
            | Fate::Drop
            | Fate::Reset
            | Fate::Hang => {}
        }
    }

    /// The provider's reply as it goes out.
    pub(super) fn spoil(&mut self, reply: Reply) -> Reply {
        match self.garble.take() {
            None => reply,
            Some(how) => garbled(reply, how),
        }
    }
}

/// Whether a fate does something to the provider's own reply.
pub(super) fn is_shape(fate: &Fate) -> bool {
    matches!(fate, Fate::Reshape(_) | Fate::Throttle { .. } | Fate::Garble(_) | Fate::Truncate { .. })
}

/// The reply that a fate puts in the place of the provider's, `now`.
pub(super) fn instead(fate: &Fate, request: &Request, now: Time) -> Option<Reply> {
    match fate {
        Fate::Status { code, error, description, retry_after } => {
            let reply = refusal(request, *code, error.as_deref(), description.as_deref());
            Some(with_retry_after(reply, retry_after.as_ref(), now))
        }
        Fate::Replace { status, content_type, headers, body } => {
            let kind = content_type.as_deref().unwrap_or("application/json;charset=UTF-8");
            let reply = Reply::with_body(status.unwrap_or(200), kind, body.clone());
            Some(headers.iter().fold(reply, |reply, (name, value)| reply.header(&name.to_ascii_lowercase(), value)))
        }
        Fate::Redirect { to, status } => Some(Reply::redirect(status.unwrap_or(302), to)),
        Fate::Pass
        | Fate::Delay(_)
        | Fate::Hold(_)
        | Fate::Drop
        | Fate::Truncate { .. }
        | Fate::Garble(_)
        | Fate::Reset
        | Fate::Throttle { .. }
        | Fate::Hang
        | Fate::Reshape(_) => None,
    }
}

/// An error in the words of the endpoint.
fn refusal(request: &Request, status: u16, error: Option<&str>, description: Option<&str>) -> Reply {
    let oauth = matches!(request.endpoint, Endpoint::Token | Endpoint::Introspect | Endpoint::Authorize);
    let reply = match error {
        None => Reply::empty(status),
        Some(error) if oauth => Reply::oauth_error(status, error, description),
        Some(error) => Reply::api_error(status, error, description.unwrap_or_default()),
    };
    if status != 401 {
        return reply;
    }
    reply.header("www-authenticate", if oauth { "Basic realm=\"pleo\"" } else { "Bearer error=\"invalid_token\"" })
}

/// A date is counted from the moment that the reply's `Date` says, not from the host's.
fn with_retry_after(reply: Reply, retry_after: Option<&RetryAfter>, now: Time) -> Reply {
    match retry_after {
        Some(RetryAfter::Seconds(seconds)) => reply.header("retry-after", &seconds.to_string()),
        Some(RetryAfter::Date(ahead)) => reply.header("retry-after", &http_date(now.plus(ahead.date))),
        Some(RetryAfter::Text(text)) => reply.header("retry-after", text),
        None => reply,
    }
}

fn garbled(mut reply: Reply, how: Garble) -> Reply {
    let without_type = |reply: &mut Reply| reply.headers.retain(|(name, _)| name != "content-type");
    match how {
        Garble::Json => {
            let mut body = BytesMut::from(reply.body.get(..reply.body.len().saturating_sub(1)).unwrap_or_default());
            body.put_slice(b",}\nError: stream reset\n");
            reply.body = body.freeze();
        }
        Garble::ContentType => {
            without_type(&mut reply);
            reply = reply.header("content-type", "text/html; charset=utf-8");
        }
        Garble::NoContentType => without_type(&mut reply),
        Garble::Utf8 => {
            let (one, other) = reply.body.split_at(reply.body.len() / 2);
            reply.body = [one, &[0xff], other].concat().into();
        }
        Garble::Empty => reply.body = Bytes::new(),
    }
    reply
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spoilt(how: Garble) -> Reply {
        garbled(Reply::json(200, &serde_json::json!({"access_token": "abc"})), how)
    }

    #[test]
    fn a_garbled_body_is_no_json() {
        for how in [Garble::Json, Garble::Utf8, Garble::Empty] {
            assert!(serde_json::from_slice::<serde_json::Value>(&spoilt(how).body).is_err(), "{how:?}");
        }
        assert!(std::str::from_utf8(&spoilt(Garble::Json).body).is_ok_and(|text| text.contains("abc")));
        assert!(std::str::from_utf8(&spoilt(Garble::Utf8).body).is_err());
    }

    #[test]
    fn a_wrong_content_type_leaves_the_body() {
        for (how, wanted) in [(Garble::ContentType, 1), (Garble::NoContentType, 0)] {
            let reply = spoilt(how);
            assert_eq!(reply.body, r#"{"access_token":"abc"}"#);
            let types: Vec<_> = reply.headers.iter().filter(|(name, _)| name == "content-type").collect();
            assert_eq!(types.len(), wanted);
            assert!(types.iter().all(|(_, value)| value.starts_with("text/html")));
        }
    }

    #[test]
    fn nothing_in_a_body_is_nothing_to_garble() {
        for how in [Garble::Json, Garble::Utf8, Garble::Empty] {
            let _no_panic = garbled(Reply::empty(200), how);
        }
    }
}
