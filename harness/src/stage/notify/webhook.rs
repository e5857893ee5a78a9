//! `{notify_url}`: whatever is posted there is a message to the user.

use std::{convert::Infallible, sync::Arc};

use http::{
    Method, Request, Response, StatusCode,
    header::{CONTENT_ENCODING, CONTENT_TYPE},
};
use http_body_util::{BodyExt, Full, Limited};
use hyper::{
    body::{Body, Bytes, Incoming},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use super::{Desk, LONGEST};
use crate::{
    collect::{Notice, unpacked},
    evidence::Channel,
};

pub(super) async fn serve(guest: TcpStream, desk: Arc<Desk>) {
    let service = service_fn(move |request| {
        let desk = Arc::clone(&desk);
        async move { Ok::<_, Infallible>(answer(request, &desk).await) }
    });
    // A connection that breaks off has said what it had to say.
    let _ = http1::Builder::new().serve_connection(TokioIo::new(guest), service).await;
}

async fn answer(request: Request<Incoming>, desk: &Desk) -> Response<Full<Bytes>> {
    let (head, body) = request.into_parts();
    if body.size_hint().lower() > LONGEST as u64 {
        return reply(StatusCode::PAYLOAD_TOO_LARGE, "");
    }
    let Ok(body) = Limited::new(body, LONGEST).collect().await else { return reply(StatusCode::PAYLOAD_TOO_LARGE, "") };
    if !matches!(head.method, Method::POST | Method::PUT | Method::PATCH) {
        return reply(StatusCode::OK, "");
    }
    let mut body = body.to_bytes().to_vec();
    let value = |name| head.headers.get(name).and_then(|value| value.to_str().ok());
    if value(CONTENT_ENCODING).is_some_and(|coding| coding.eq_ignore_ascii_case("gzip")) {
        match unpacked(&body, LONGEST as u64) {
            Ok(plain) => body = plain,
            Err(_) => return reply(StatusCode::BAD_REQUEST, "not gzip"),
        }
    }
    let mut raw = head.uri.to_string().into_bytes();
    for (name, value) in &head.headers {
        raw.extend_from_slice(format!("\n{name}: ").as_bytes());
        raw.extend_from_slice(value.as_bytes());
    }
    raw.extend_from_slice(b"\n\n");
    raw.extend_from_slice(&body);
    desk.note(Channel::Webhook, Notice::posted(value(CONTENT_TYPE), &body), &raw);
    reply(StatusCode::OK, "ok")
}

fn reply(status: StatusCode, body: &'static str) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from_static(body.as_bytes())));
    *response.status_mut() = status;
    response
}
