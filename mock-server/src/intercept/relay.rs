//! TLS before a subject that serves plain HTTP, as a reverse proxy would put it there.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use bytes::BytesMut;
use rustls::ServerConfig;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional},
    net::{TcpListener, TcpStream},
    time::timeout,
};
use tokio_rustls::TlsAcceptor;

use super::head;
use crate::front::Listener;

/// How long a client may take for TLS and for the head of its request.
const PATIENCE: Duration = Duration::from_secs(30);
/// What a reverse proxy says itself, and never passes on from a client.
const OWN: [&str; 4] = ["connection", "x-forwarded-proto", "x-forwarded-for", "x-forwarded-host"];

/// A relay that is open until it is dropped.
#[derive(Debug)]
pub struct Relay {
    listener: Listener,
}

impl Relay {
    /// Serves TLS on `listener` and passes each connection's request on to `to`.
    pub(crate) fn open(listener: TcpListener, tls: Arc<ServerConfig>, to: SocketAddr) -> Self {
        let acceptor = TlsAcceptor::from(tls);
        let listener = Listener::accept(listener, move |tcp, peer| {
            let acceptor = acceptor.clone();
            async move {
                // Whoever asked sees the connection close: there is nobody else to tell.
                let _ended = pass_on(acceptor, tcp, peer, to).await;
            }
        });
        Self { listener }
    }

    /// Ends every connection and waits until that is done.
    pub async fn stop(self) {
        self.listener.stop().await;
    }
}

/// One request, with what a reverse proxy adds; the subject closes after its reply, so that no second one can come without it.
async fn pass_on(acceptor: TlsAcceptor, tcp: TcpStream, peer: SocketAddr, to: SocketAddr) -> io::Result<()> {
    let mut client = timeout(PATIENCE, acceptor.accept(tcp)).await??;
    let mut bytes = BytesMut::new();
    let length = timeout(PATIENCE, async {
        loop {
            if let Some(head) = head::parse(&bytes).map_err(io::Error::other)? {
                return io::Result::Ok(head.length);
            }
            if client.read_buf(&mut bytes).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    })
    .await??;
    let head = bytes.split_to(length);
    let mut subject = TcpStream::connect(to).await?;
    subject.write_all(&forwarded(&head, peer)).await?;
    subject.write_all(&bytes).await?;
    copy_bidirectional(&mut client, &mut subject).await?;
    Ok(())
}

/// A request's head, with what its receiver must know of the client.
fn forwarded(head: &[u8], peer: SocketAddr) -> Vec<u8> {
    let mut lines = head.split_inclusive(|byte| *byte == b'\n');
    let name =
        |line: &[u8]| String::from_utf8_lossy(line.split(|byte| *byte == b':').next().unwrap_or_default()).trim().to_ascii_lowercase();
    let mut out = lines.next().unwrap_or_default().to_vec();
    out.extend_from_slice(format!("X-Forwarded-Proto: https\r\nX-Forwarded-For: {}\r\nConnection: close\r\n", peer.ip()).as_bytes());
    for line in lines {
        let name = name(line);
        if name == "host"
            && let Some(at) = line.iter().position(|byte| *byte == b':')
        {
            out.extend_from_slice(b"X-Forwarded-Host:");
            out.extend_from_slice(&line[at + 1..]);
        }
        if !OWN.contains(&name.as_str()) {
            out.extend_from_slice(line);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_cannot_say_itself_what_a_reverse_proxy_says() {
        let head = b"GET / HTTP/1.1\r\nHost: a:1\r\nConnection: keep-alive\r\nX-Forwarded-Proto: http\r\nX: y\r\n\r\n";
        let out = String::from_utf8(forwarded(head, ([127, 0, 0, 1], 9).into())).unwrap_or_default();
        let wanted = "GET / HTTP/1.1\r\nX-Forwarded-Proto: https\r\nX-Forwarded-For: 127.0.0.1\r\nConnection: close\r\n\
                      X-Forwarded-Host: a:1\r\nHost: a:1\r\nX: y\r\n\r\n";
        assert_eq!(out, wanted);
    }
}
