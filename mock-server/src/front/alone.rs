//! A request answered without a connection: bytes in, bytes out.

use bytes::Bytes;

use super::{
    desk::{self, Desk},
    http, presented,
    reply::Reply,
    request::Request,
};
use crate::{journal::Endpoint, state::Shared};

/// A request's reply.
#[derive(Debug)]
pub(crate) struct Answered {
    /// How long the request was; `None`: it was none, or not whole, and nothing behind it is read.
    pub(crate) length: Option<usize>,
    pub(crate) endpoint: Endpoint,
    pub(crate) method: String,
    pub(crate) reply: Bytes,
}

/// Answers the request at the start of `bytes`, as a connection would; `None`: it is not whole.
pub(crate) fn answer(shared: &Shared, bytes: &[u8]) -> Option<Answered> {
    let read = http::head(bytes).and_then(|head| {
        let Some(head) = head else { return Ok(None) };
        let body = http::body(head.framing, bytes.get(head.length..).unwrap_or_default())?;
        Ok(body.map(|(body, length)| (head, body, length)))
    });
    match read {
        Ok(None) => None,
        Ok(Some((head, body, length))) => {
            let length = head.length + length;
            let request = Request::new(head.method, &head.target, head.headers, body);
            // What rules and the journal would ask, of any request.
            let (_presented, _good) = (presented::of(shared, &request), desk::is_authenticated(shared, &request));
            let mut reply = Desk::open(shared, 0, request.endpoint).decide(&request, None);
            let (reply, ..) = http::write(&mut reply, &request.method, head.keep_alive, shared.clock.now());
            Some(Answered { length: Some(length), endpoint: request.endpoint, method: request.method, reply })
        }
        Err(why) => {
            let mut reply = Reply::api_error(why.status, "BAD_REQUEST", why.message);
            let (reply, ..) = http::write(&mut reply, "", false, shared.clock.now());
            Some(Answered { length: None, endpoint: Endpoint::Unknown, method: String::new(), reply })
        }
    }
}
