//! Bare hyper: what a server costs that does nothing.

use std::{convert::Infallible, net::Ipv4Addr};

use bytes::Bytes;
use http::{Request, Response, header};
use http_body_util::{BodyExt as _, Full};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

use crate::error::BenchError;

/// Reads each request whole and answers it with `body`, until it is killed.
///
/// # Errors
/// The port cannot be had.
pub(crate) fn serve(port: u16, body: &str) -> Result<(), BenchError> {
    let body = Bytes::copy_from_slice(body.as_bytes());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(BenchError::io("starting a runtime"))?;
    runtime.block_on(async {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await.map_err(BenchError::io("binding a port"))?;
        loop {
            let (tcp, _) = listener.accept().await.map_err(BenchError::io("accepting"))?;
            tcp.set_nodelay(true).map_err(BenchError::io("setting TCP_NODELAY"))?;
            let body = body.clone();
            let service = service_fn(move |request| answer(request, body.clone()));
            // How a connection ended is of no interest here.
            tokio::spawn(async move { drop(http1::Builder::new().serve_connection(TokioIo::new(tcp), service).await) });
        }
    })
}

async fn answer(request: Request<Incoming>, body: Bytes) -> Result<Response<Full<Bytes>>, Infallible> {
    let _read = request.into_body().collect().await;
    let mut reply = Response::new(Full::new(body));
    reply.headers_mut().insert(header::CONTENT_TYPE, header::HeaderValue::from_static("application/json;charset=UTF-8"));
    reply.headers_mut().insert(header::CACHE_CONTROL, header::HeaderValue::from_static("no-store"));
    reply.headers_mut().insert(header::PRAGMA, header::HeaderValue::from_static("no-cache"));
    Ok(reply)
}
