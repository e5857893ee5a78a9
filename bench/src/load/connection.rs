//! One connection to a server, on which requests follow each other.

use std::net::SocketAddr;

use bytes::Bytes;
use http::{HeaderValue, Request, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use crate::error::BenchError;

/// A reply that was read whole.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) location: Option<String>,
    pub(crate) body: Bytes,
}

/// A connection. It is made anew when the server has closed it.
#[derive(Debug)]
pub(crate) struct Connection {
    server: SocketAddr,
    host: HeaderValue,
    sender: SendRequest<Full<Bytes>>,
}

impl Connection {
    /// Connects.
    ///
    /// # Errors
    /// Nobody listens there, or not for HTTP.
    pub(crate) async fn open(server: SocketAddr) -> Result<Self, BenchError> {
        let host = HeaderValue::try_from(server.to_string()).unwrap_or(HeaderValue::from_static("localhost"));
        Ok(Self { server, host, sender: connect(server).await? })
    }

    /// Sends a request and reads the reply.
    ///
    /// # Errors
    /// The connection broke.
    pub(crate) async fn send(&mut self, mut request: Request<Full<Bytes>>) -> Result<Answer, BenchError> {
        if self.sender.ready().await.is_err() {
            self.sender = connect(self.server).await?;
        }
        request.headers_mut().insert(http::header::HOST, self.host.clone());
        let reply = self.sender.send_request(request).await?;
        let (head, body) = reply.into_parts();
        let location = head.headers.get(http::header::LOCATION).and_then(|value| value.to_str().ok()).map(str::to_owned);
        Ok(Answer { status: head.status, location, body: body.collect().await?.to_bytes() })
    }
}

async fn connect(server: SocketAddr) -> Result<SendRequest<Full<Bytes>>, BenchError> {
    let tcp = TcpStream::connect(server).await.map_err(BenchError::io(format!("connecting to {server}")))?;
    tcp.set_nodelay(true).map_err(BenchError::io("setting TCP_NODELAY"))?;
    let (sender, connection) = handshake(TokioIo::new(tcp)).await?;
    // It ends with its sender; how it broke is told to whoever waits for a reply.
    tokio::spawn(async move { drop(connection.await) });
    Ok(sender)
}
