//! The proxy's listener: tunnels end here, in a certificate for the host asked for.

use std::{collections::HashMap, net::SocketAddr, sync::Arc, time::Duration};

use bytes::BytesMut;
use rustls::{ServerConfig, server::Acceptor};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    time::timeout,
};
use tokio_rustls::server::{StartHandshake, TlsStream};

use super::{
    Host, Hosts,
    head::{self, Asked, Authority, Head, Malformed},
};
use crate::{
    front::{self, Connection, Door, Listener, Reply, TlsError, Wire},
    journal::{Ends, Proxied, What},
    state::Shared,
};

/// How long a client may take to say what it wants, and then for TLS.
const PATIENCE: Duration = Duration::from_secs(15);
/// Connections at a time; a subject with more has lost its pool.
const MOST: usize = 512;
/// A ClientHello is never longer, not even with post-quantum keys.
const HELLO: usize = 64 * 1024;
const ESTABLISHED: &[u8] = b"HTTP/1.1 200 Connection established\r\n\r\n";

/// Answers for some of Pleo's hosts.
#[derive(Debug, Clone)]
pub(crate) struct Proxy(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    hosts: Hosts,
    certified: HashMap<&'static str, Arc<ServerConfig>>,
    room: Semaphore,
    patience: Duration,
}

/// Why a tunnel did not come about.
enum Broken {
    /// The client has gone, or took too long, before it said what it wants.
    Silent,
    /// TLS failed, for this reason.
    Handshake(String),
}

impl Proxy {
    /// Makes a certificate for each host.
    pub(crate) fn new(authority: &front::Authority, hosts: Hosts, http2: bool) -> Result<Self, TlsError> {
        Self::with_limits(authority, hosts, http2, MOST, PATIENCE)
    }

    fn with_limits(authority: &front::Authority, hosts: Hosts, http2: bool, most: usize, patience: Duration) -> Result<Self, TlsError> {
        let certified = hosts.iter().map(|host| Ok((host.name, authority.certify(vec![host.name.to_owned()], http2)?)));
        let certified = certified.collect::<Result<_, TlsError>>()?;
        Ok(Self(Arc::new(Inner { hosts, certified, room: Semaphore::new(most), patience })))
    }

    /// Serves until the listener is dropped.
    pub(crate) fn serve(self, shared: Arc<Shared>, listener: TcpListener) -> Listener {
        Listener::accept(listener, move |tcp, peer| self.clone().connection(shared.clone(), tcp, peer))
    }

    async fn connection(self, shared: Arc<Shared>, mut tcp: TcpStream, peer: SocketAddr) {
        // Without it the kernel may keep the last part of a reply back.
        let _set = tcp.set_nodelay(true);
        let Ok(local) = tcp.local_addr() else { return };
        let Ok(_room) = self.0.room.try_acquire() else {
            let reply = told(503, "this proxy has as many connections as it serves at a time");
            return front::farewell(tcp, reply, "", shared.clock.now()).await;
        };
        let mut buffer = BytesMut::new();
        let head = match timeout(self.0.patience, first(&mut tcp, &mut buffer)).await {
            Ok(Ok(Some(head))) => head,
            Ok(Err(malformed)) => {
                return front::farewell(tcp, told(malformed.status(), &malformed.to_string()), "", shared.clock.now()).await;
            }
            Ok(Ok(None)) => return,
            Err(_) => return front::farewell(tcp, told(408, "no whole request came in time"), "", shared.clock.now()).await,
        };
        let ends = Ends { local, peer };
        match head.asked {
            Asked::Tunnel(authority) => {
                drop(buffer.split_to(head.length));
                self.tunnel(shared, tcp, ends, buffer, &authority).await;
            }
            Asked::Absolute { .. } => {
                let door = Door::Absolute(self.0.hosts.clone());
                Connection::take_over(shared, ends, Wire::Plain(tcp), buffer, door).await;
            }
            Asked::Origin => {
                let why = "this is a forward proxy: set it as HTTPS_PROXY; it is no server, and its address no API's";
                front::farewell(tcp, told(400, why), &head.method, shared.clock.now()).await;
            }
        }
    }

    async fn tunnel(&self, shared: Arc<Shared>, mut tcp: TcpStream, ends: Ends, buffer: BytesMut, authority: &Authority) {
        let tell = |outcome| {
            shared.journal.push(What::Proxied { authority: authority.to_string(), outcome });
        };
        let host = match self.0.hosts.tunnel(authority) {
            Ok(host) => host,
            Err(refusal) => {
                tell(Proxied::Refused(refusal.to_string()));
                return front::farewell(tcp, told(403, &refusal.to_string()), "CONNECT", shared.clock.now()).await;
            }
        };
        if tcp.write_all(ESTABLISHED).await.is_err() {
            return;
        }
        match timeout(self.0.patience, self.handshake(tcp, buffer, host)).await {
            Ok(Ok(stream)) => {
                tell(Proxied::Served);
                let wire = Wire::Tls(Box::new(stream));
                Connection::take_over(shared, ends, wire, BytesMut::new(), Door::Tunnel(host)).await;
            }
            Ok(Err(Broken::Handshake(why))) => tell(Proxied::Untrusted(why)),
            Ok(Err(Broken::Silent)) => {}
            Err(_) => tell(Proxied::Untrusted("no TLS handshake came in time".into())),
        }
    }

    /// TLS as the host asked for. Some clients send their hello before the tunnel stands: it is in `early` then.
    async fn handshake(&self, mut tcp: TcpStream, early: BytesMut, host: Host) -> Result<TlsStream<TcpStream>, Broken> {
        let failed = |error: &dyn std::fmt::Display| Broken::Handshake(error.to_string());
        let mut acceptor = Acceptor::default();
        let mut bytes = early;
        let mut read = bytes.len();
        let accepted = loop {
            while !bytes.is_empty() {
                let mut rest: &[u8] = &bytes;
                let taken = acceptor.read_tls(&mut rest).map_err(|error| failed(&error))?;
                let _consumed = bytes.split_to(taken);
            }
            match acceptor.accept() {
                Ok(Some(accepted)) => break accepted,
                Ok(None) => {}
                Err((error, mut alert)) => {
                    let mut bytes = Vec::new();
                    // The client may have gone; the reason is ours all the same.
                    if alert.write_all(&mut bytes).is_ok() {
                        let _sent = tcp.write_all(&bytes).await;
                    }
                    return Err(failed(&error));
                }
            }
            if read > HELLO {
                return Err(Broken::Handshake("the hello is longer than 64 KiB".into()));
            }
            match tcp.read_buf(&mut bytes).await {
                Ok(0) | Err(_) if read == 0 => return Err(Broken::Silent),
                Ok(0) => return Err(Broken::Handshake("the client closed the tunnel".into())),
                Err(error) => return Err(failed(&error)),
                Ok(count) => read += count,
            }
        };
        let hello = accepted.client_hello();
        if let Some(name) = hello.server_name().filter(|name| !name.eq_ignore_ascii_case(host.name)) {
            return Err(Broken::Handshake(format!("the tunnel was asked for {}, and TLS in it for {name}", host.name)));
        }
        let Some(config) = self.0.certified.get(host.name) else {
            return Err(Broken::Handshake(format!("there is no certificate for {}", host.name)));
        };
        let stream = StartHandshake::from_parts(accepted, tcp).into_stream(config.clone()).await;
        stream.map_err(|error| failed(&error))
    }
}

/// Reads the first request's head; it stays in the buffer.
async fn first(tcp: &mut TcpStream, buffer: &mut BytesMut) -> Result<Option<Head>, Malformed> {
    loop {
        if let Some(head) = head::parse(buffer)? {
            return Ok(Some(head));
        }
        match tcp.read_buf(buffer).await {
            Ok(0) | Err(_) => return Ok(None),
            Ok(_) => {}
        }
    }
}

fn told(status: u16, why: &str) -> Reply {
    Reply::with_body(status, "text/plain; charset=utf-8", format!("{why}\n"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::expect_used, reason = "tests say what they expect")]
    use super::*;
    use crate::{ProviderConfig, tenants::Origin};

    async fn answer_to(said: &[u8], most: usize, patience: Duration) -> String {
        let config = ProviderConfig::local(1);
        let urls = crate::provider::urls(&config, config.listen, None);
        let runtime = tokio::runtime::Handle::current();
        let shared = Arc::new(Shared::first(Origin {
            config,
            urls,
            tls: None,
            file: None,
            founders: Vec::new(),
            runtime: Some(runtime),
            reach: crate::fault::everything,
        }));
        let authority = front::Authority::new().expect("made");
        let proxy = Proxy::with_limits(&authority, Hosts::new(&[]).expect("known"), false, most, patience).expect("made");
        let (listener, bound) = front::bind(([127, 0, 0, 1], 0).into()).await.expect("bound");
        let serving = proxy.serve(shared, listener);
        let mut client = TcpStream::connect(bound).await.expect("connected");
        client.write_all(said).await.expect("sent");
        let mut bytes = Vec::new();
        client.read_to_end(&mut bytes).await.expect("closed in good order");
        serving.stop().await;
        String::from_utf8(bytes).expect("text")
    }

    #[tokio::test]
    async fn a_silent_client_is_sent_away() {
        assert!(answer_to(b"CONNECT auth.pl", 1, Duration::from_millis(1)).await.starts_with("HTTP/1.1 408 "));
    }

    #[tokio::test]
    async fn a_tunnel_in_which_nothing_is_said_is_closed() {
        let request = b"CONNECT auth.pleo.io:443 HTTP/1.1\r\n\r\n";
        assert_eq!(answer_to(request, 1, Duration::from_millis(200)).await, String::from_utf8_lossy(ESTABLISHED));
    }

    #[tokio::test]
    async fn one_connection_too_many_is_told_so() {
        assert!(answer_to(b"", 0, PATIENCE).await.starts_with("HTTP/1.1 503 "));
    }
}
