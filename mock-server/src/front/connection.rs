//! The life of one connection: requests in, replies out, and when each was really read.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use bytes::BytesMut;
use rustls::ServerConfig;
use tokio::{
    net::TcpStream,
    sync::oneshot,
    time::{Instant, timeout, timeout_at},
};
use tokio_rustls::TlsAcceptor;

use super::{
    door::Door,
    guests::{Guests, Host},
    http::{self, Unreadable},
    http2,
    open::Open,
    plan::{Ending, Plan, Stroke, Verdict},
    reply::Reply,
    request::Request,
    way::Way,
    wire::Wire,
};
use crate::{
    journal::{self, At, Ends, Exchange, Look, Proxied, Replied, Seen, Side, What},
    state::{Begun, Shared},
};

/// How long a TLS handshake may take.
const HANDSHAKE: Duration = Duration::from_secs(30);
/// How long the last reply of a connection may stay unread before we say that no more comes, and then until we close.
const BEFORE_FIN: Duration = Duration::from_millis(250);
const BEFORE_CLOSE: Duration = Duration::from_secs(30);
/// What is read ahead at most while a request is being answered.
const AHEAD: usize = 64 * 1024;

/// A connection. Dropping it closes it, and tells the journal so.
pub(crate) struct Connection {
    shared: Arc<Shared>,
    /// Whom it is for.
    guests: Arc<Guests>,
    ends: Ends,
    /// Whether the subject's end can be seen on this host; `None`: nobody wants to know.
    visible: Option<bool>,
    wire: Option<Wire>,
    buffer: BytesMut,
    unread: Option<Unread>,
    fin_sent: bool,
}

/// A reply that was written, and whether it was read.
struct Unread {
    shared: Arc<Shared>,
    exchange: Exchange,
    /// `None`: the socket has gone, or nobody watches it; the next read from it will tell more.
    seen: Option<oneshot::Receiver<Seen>>,
}

/// Why there is no further request.
enum End {
    Peer,
    Bad(Unreadable),
}

/// Whether the connection goes on.
enum Next {
    Request,
    /// The last reply was written and must not be lost.
    CloseGently,
    Close,
}

impl Connection {
    /// Serves a connection until it ends.
    pub(super) async fn serve(shared: Arc<Shared>, tcp: TcpStream, peer: SocketAddr, tls: Option<Arc<ServerConfig>>) {
        // Without it the kernel may keep the last part of a reply back.
        let _set = tcp.set_nodelay(true);
        let Ok(local) = tcp.local_addr() else { return };
        let mut connection = Self::open(shared, Ends { local, peer }, Door::Own);
        connection.wire = match tls {
            None => Some(Wire::Plain(tcp)),
            Some(tls) => match timeout(HANDSHAKE, TlsAcceptor::from(tls).accept(tcp)).await {
                Ok(Ok(stream)) => Some(Wire::Tls(Box::new(stream))),
                Ok(Err(_)) => {
                    connection.guests.closed_by(Side::Peer);
                    None
                }
                Err(_) => None,
            },
        };
        connection.speak().await;
    }

    /// Serves a connection that the proxy has accepted; `buffer` holds what was read of it already.
    pub(crate) async fn take_over(shared: Arc<Shared>, ends: Ends, wire: Wire, buffer: BytesMut, door: Door) {
        let mut connection = Self::open(shared, ends, door);
        connection.wire = Some(wire);
        connection.buffer = buffer;
        connection.speak().await;
    }

    /// Finds out which HTTP is spoken, and speaks it.
    async fn speak(&mut self) {
        match self.is_http2().await {
            Ok(false) => self.live().await,
            Ok(true) => {
                let Some(wire) = self.wire.take() else { return };
                http2::serve(self.guests.clone(), wire, self.buffer.split()).await;
            }
            Err(_) => self.guests.closed_by(Side::Peer),
        }
    }

    /// By what TLS agreed on; without TLS, by the preface that only HTTP/2 begins with.
    async fn is_http2(&mut self) -> Result<bool, End> {
        let Some(wire) = self.wire.as_ref().filter(|_| self.shared.config.http2) else { return Ok(false) };
        if let Some(agreed) = wire.agreed() {
            return Ok(agreed);
        }
        let mut begun = None;
        while self.buffer.len() < http2::PREFACE.len() && http2::PREFACE.starts_with(&self.buffer) {
            self.more(&mut begun).await?;
        }
        Ok(self.buffer.starts_with(http2::PREFACE))
    }

    fn open(shared: Arc<Shared>, ends: Ends, door: Door) -> Self {
        let visible = shared.config.receipts.then(|| matches!(journal::look(ends, false), Look::Empty | Look::Waiting));
        let guests = Guests::new(shared.clone(), ends, door).into();
        Self { shared, guests, ends, visible, wire: None, buffer: BytesMut::new(), unread: None, fin_sent: false }
    }

    async fn live(&mut self) {
        loop {
            let mut begun = None;
            let (target, mut request, keep_alive) = match self.request(&mut begun).await {
                Ok(request) => request,
                Err(End::Peer) => {
                    self.guests.closed_by(Side::Peer);
                    return;
                }
                Err(End::Bad(why)) => {
                    drop(begun);
                    return self.refuse(Reply::api_error(why.status, "BAD_REQUEST", why.message)).await;
                }
            };
            if let Err(refused) = self.guests.door().admit(&target, &mut request) {
                let outcome = Proxied::Refused(refused.why.clone());
                self.shared.journal.push(What::Proxied { authority: refused.authority.clone(), outcome });
                if self.answer_outside(refused.reply(), &request.method, keep_alive).await {
                    continue;
                }
                return self.close_gently().await;
            }
            let (began, begun) = begun.unwrap_or_else(|| (self.shared.clock.at(), self.shared.begin()));
            let (host, begun) = match self.guests.host(&mut request, begun) {
                Ok(host) => host,
                Err(full) => return self.refuse(Reply::api_error(503, "SERVICE_UNAVAILABLE", &full.to_string())).await,
            };
            match self.exchange(host, request, keep_alive, began, begun).await {
                Next::Request => {}
                Next::CloseGently => return self.close_gently().await,
                Next::Close => return,
            }
        }
    }

    /// Reads one request whole, and whether the connection is to be kept after it.
    async fn request(&mut self, begun: &mut Option<(At, Begun)>) -> Result<(String, Request, bool), End> {
        if !self.buffer.is_empty() {
            // Sent before the reply was there: it proves nothing, and nobody can tell any more.
            self.read_at_last(false);
            *begun = Some((self.shared.clock.at(), self.shared.begin()));
        }
        let mut due = None;
        let head = loop {
            match http::head(&self.buffer).map_err(End::Bad)? {
                Some(head) => break head,
                None => self.more_in_time(begun, &mut due).await?,
            }
        };
        drop(self.buffer.split_to(head.length));
        let mut told_to_go_on = false;
        let body = loop {
            if let Some((body, length)) = http::body(head.framing, &self.buffer).map_err(End::Bad)? {
                drop(self.buffer.split_to(length));
                break body;
            }
            if self.buffer.len() > http::BODY_LIMIT + http::HEAD_LIMIT {
                // Only the overhead of a chunked body can be that long.
                return Err(End::Bad(http::TOO_LARGE));
            }
            if head.expects_continue && !told_to_go_on {
                told_to_go_on = true;
                let (Some(wire), mut ignored) = (self.wire.as_mut(), 0) else { return Err(End::Peer) };
                wire.write(b"HTTP/1.1 100 Continue\r\n\r\n", &mut ignored).await.map_err(|_| End::Peer)?;
            }
            self.more_in_time(begun, &mut due).await?;
        };
        let request = Request::new(head.method, &head.target, head.headers, body);
        Ok((head.target, request, head.keep_alive))
    }

    /// As `more`, but a request that has begun must be whole when it is `due`.
    async fn more_in_time(&mut self, begun: &mut Option<(At, Begun)>, due: &mut Option<Instant>) -> Result<(), End> {
        if begun.is_none() {
            return self.more(begun).await;
        }
        let due = *due.get_or_insert_with(|| Instant::now() + self.shared.config.limits.request);
        match timeout_at(due, self.more(begun)).await {
            Ok(more) => more,
            Err(_) => Err(End::Bad(http::TOO_SLOW)),
        }
    }

    /// Reads some more bytes, and watches meanwhile whether the last reply is read.
    async fn more(&mut self, begun: &mut Option<(At, Begun)>) -> Result<(), End> {
        loop {
            let Some(wire) = self.wire.as_mut() else { return Err(End::Peer) };
            let read = match self.unread.as_mut().and_then(|unread| unread.seen.as_mut()) {
                None => wire.read(&mut self.buffer).await,
                Some(seen) => tokio::select! {
                    biased;
                    seen = seen => {
                        self.saw(seen.unwrap_or(Seen::Never));
                        continue;
                    }
                    read = wire.read(&mut self.buffer) => read,
                },
            };
            return match read {
                Ok(0) => {
                    // Closing its end with something unread would have reset the connection; only a half-closed one can still wait.
                    let read = self.visible.is_some() && journal::look(self.ends, self.fin_sent) != Look::Waiting;
                    self.read_at_last(read);
                    Err(End::Peer)
                }
                Ok(_) => {
                    self.read_at_last(true);
                    if begun.is_none() {
                        *begun = Some((self.shared.clock.at(), self.shared.begin()));
                    }
                    Ok(())
                }
                Err(_) => {
                    self.read_at_last(false);
                    Err(End::Peer)
                }
            };
        }
    }

    fn saw(&mut self, seen: Seen) {
        match seen {
            Seen::Empty => self.read_at_last(true),
            Seen::Never => self.read_at_last(false),
            Seen::Gone => {
                if let Some(unread) = &mut self.unread {
                    unread.seen = None;
                }
            }
        }
    }

    /// Watches the subject's end, if anybody wants to know what it has read.
    fn watch(&self, fin_sent: bool) -> Option<oneshot::Receiver<Seen>> {
        self.visible.map(|visible| journal::watch(self.ends, visible, fin_sent))
    }

    /// Tells the journal, once, what became of the last reply.
    fn read_at_last(&mut self, read: bool) {
        if let Some(Unread { shared, exchange, .. }) = self.unread.take() {
            shared.journal.push(if read { What::Read { exchange } } else { What::ReadUnknown { exchange } });
        }
    }

    /// Answers one request.
    async fn exchange(&mut self, (shared, conn): Host, request: Request, keep_alive: bool, began: At, begun: Begun) -> Next {
        let mut open = Open::new(&shared, conn, &request, began, begun);
        let mut way = Way::new(shared, open.exchange, request);
        let verdict = match self.while_open(way.answer()).await {
            Ok(verdict) => verdict,
            Err(End::Peer | End::Bad(_)) => return self.aborted_by_peer(&mut open),
        };
        let next = match verdict {
            Verdict::Write(plan) => self.carry_out(&mut way, plan, keep_alive, &mut open).await,
            Verdict::End(ending) => self.end(ending, &mut open).await,
        };
        // Only now may those released together with it go on.
        drop(way);
        next
    }

    /// Waits for `work` as long as the subject does.
    async fn while_open<T>(&mut self, work: impl Future<Output = T>) -> Result<T, End> {
        let mut work = std::pin::pin!(work);
        loop {
            let Some(wire) = self.wire.as_mut() else { return Err(End::Peer) };
            let listening = self.buffer.len() < AHEAD;
            tokio::select! {
                biased;
                done = &mut work => return Ok(done),
                read = wire.read(&mut self.buffer), if listening => match read {
                    Ok(0) | Err(_) => return Err(End::Peer),
                    Ok(_) => {}
                },
            }
        }
    }

    async fn carry_out(&mut self, way: &mut Way, mut plan: Plan, keep_alive: bool, open: &mut Open) -> Next {
        let now = open.shared.clock.now_at(way.endpoint());
        let (bytes, head, headers) = http::write(&mut plan.reply, way.method(), keep_alive, now);
        let mut sent = None;
        for stroke in plan.strokes(head, bytes.len() - head) {
            match stroke {
                Stroke::Write(range) => {
                    // The peer may react before a busy machine lets us look at the clock again: the reply is dated when its last write began.
                    sent = Some(open.shared.clock.at());
                    if !self.write(&bytes[range], open).await {
                        return self.aborted_by_peer(open);
                    }
                }
                Stroke::Rest(span) => {
                    if self.while_open(tokio::time::sleep(span)).await.is_err() {
                        return self.aborted_by_peer(open);
                    }
                }
                Stroke::Ask => match self.while_open(way.interrupt()).await {
                    Ok(None) => {}
                    Ok(Some(ending)) => return self.end(ending, open).await,
                    Err(_) => return self.aborted_by_peer(open),
                },
                Stroke::End(ending) => return self.end(ending, open).await,
            }
        }
        let exchange = open.exchange;
        open.replied();
        let Reply { status, headers: _, body } = plan.reply;
        let sent = sent.unwrap_or_else(|| open.shared.clock.at());
        let replied = Replied { exchange, status, headers, body };
        open.shared.journal.push_at(sent, What::Replied(replied.into()));
        self.unread = Some(Unread { shared: open.shared.clone(), exchange, seen: self.watch(false) });
        if keep_alive { Next::Request } else { Next::CloseGently }
    }

    async fn write(&mut self, bytes: &[u8], open: &mut Open) -> bool {
        match self.wire.as_mut() {
            Some(wire) => wire.write(bytes, &mut open.written).await.is_ok(),
            None => false,
        }
    }

    /// Ends an exchange without (the rest of) a reply.
    async fn end(&mut self, ending: Ending, open: &mut Open) -> Next {
        match ending {
            Ending::Hang => {
                let _never: Result<(), End> = self.while_open(std::future::pending()).await;
                return self.aborted_by_peer(open);
            }
            Ending::Reset => {
                open.aborted(Side::Provider);
                if let Some(wire) = self.wire.take() {
                    wire.reset();
                }
            }
            Ending::Fin => {
                open.aborted(Side::Provider);
                drop(self.wire.take());
            }
        }
        Next::Close
    }

    fn aborted_by_peer(&mut self, open: &mut Open) -> Next {
        open.aborted(Side::Peer);
        self.guests.closed_by(Side::Peer);
        Next::Close
    }

    /// Answers what is no request, which is no exchange either.
    async fn refuse(&mut self, reply: Reply) {
        let _kept = self.answer_outside(reply, "", false).await;
        self.close_gently().await;
    }

    /// Answers what is no exchange; whether the connection goes on.
    async fn answer_outside(&mut self, mut reply: Reply, method: &str, keep_alive: bool) -> bool {
        let (bytes, ..) = http::write(&mut reply, method, keep_alive, self.shared.clock.now());
        let mut ignored = 0;
        let written = match self.wire.as_mut() {
            Some(wire) => wire.write(&bytes, &mut ignored).await.is_ok(),
            None => false,
        };
        if !written {
            self.wire = None;
        }
        written && keep_alive
    }

    /// Closes after the last reply, without losing it: our FIN goes out once the reply was read, and the socket lives until the subject closes too.
    async fn close_gently(&mut self) {
        if let Some(seen) = self.unread.as_mut().and_then(|unread| unread.seen.as_mut())
            && let Ok(seen) = timeout(BEFORE_FIN, seen).await
        {
            self.saw(seen.unwrap_or(Seen::Never));
        }
        if let Some(wire) = self.wire.as_mut() {
            // If the subject has closed meanwhile, that is what we find next.
            let _finished = wire.finish().await;
            self.fin_sent = true;
        }
        let seen = self.watch(true);
        if let Some(unread) = &mut self.unread {
            unread.seen = seen;
        }
        let deadline = Instant::now() + BEFORE_CLOSE;
        loop {
            let mut ignored = None;
            match timeout_at(deadline, self.more(&mut ignored)).await {
                Ok(Ok(())) => self.buffer.clear(),
                Ok(Err(_)) | Err(_) => return,
            }
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.read_at_last(false);
        self.wire = None;
    }
}
