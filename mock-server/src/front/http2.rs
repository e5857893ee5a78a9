//! HTTP/2 (RFC 9113) as the subject's port speaks it where it was asked to: the same requests, the same way, the same plans.
//!
//! What befalls one request stays within its stream, except a reset, which is TCP's and takes all of them along. Many streams share
//! one receive queue, so that nothing is known of when a reply was read.

use std::{
    future::poll_fn,
    io::Cursor,
    os::fd::{AsFd, OwnedFd},
    sync::Arc,
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use h2::{Reason, RecvStream, SendStream, server::SendResponse};
use regrant_authority::Time;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite},
    sync::{Notify, watch},
    task::JoinSet,
};

use super::{
    guests::Guests,
    http::{BODY_LIMIT, HEAD_LIMIT},
    open::Open,
    plan::{Ending, Plan, Stroke, Verdict},
    reply::Reply,
    request::Request,
    way::Way,
    wire::Wire,
};
use crate::journal::{Proxied, Replied, Side, What};

/// What a client that knows of HTTP/2 says first.
pub(super) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// Streams at a time, as most servers allow.
const STREAMS: u32 = 128;
/// How long streams may take to notice that their connection has ended.
const FAREWELL: Duration = Duration::from_secs(1);
/// What belongs to a connection of HTTP/1.1 and has no meaning in HTTP/2 (RFC 9113 section 8.2.2).
const OF_A_CONNECTION: [&str; 5] = ["connection", "transfer-encoding", "keep-alive", "upgrade", "proxy-connection"];

/// The connection, as a stream sees it.
#[derive(Clone)]
struct Around {
    /// Counts how often all that could be written was written.
    flushed: watch::Receiver<u64>,
    /// Asks for another round of writing.
    again: Arc<Notify>,
    /// Turns true when the connection is to be reset.
    reset: watch::Sender<bool>,
}

/// One stream on which a request came.
struct Stream {
    guests: Arc<Guests>,
    around: Around,
    respond: SendResponse<Bytes>,
}

/// The subject has ended the stream, or the connection.
struct Gone;

/// Serves until the connection ends.
pub(super) async fn serve(guests: Arc<Guests>, wire: Wire, early: BytesMut) {
    // A second handle: the protocol keeps the socket to itself, and does not know RST.
    let handle = wire.socket().as_fd().try_clone_to_owned();
    let (Ok(handle), early) = (handle, Cursor::new(early.freeze())) else { return };
    match wire {
        Wire::Plain(tcp) => drive(&guests, rewound(early, tcp), handle).await,
        Wire::Tls(tls) => drive(&guests, rewound(early, *tls), handle).await,
    }
}

/// A stream with what was read of it already put back. Not tokio's own halves of TCP: dropped, they say FIN, and a reset would come too late.
fn rewound<T: AsyncRead + AsyncWrite>(early: Cursor<Bytes>, stream: T) -> impl AsyncRead + AsyncWrite + Unpin {
    let (read, write) = tokio::io::split(stream);
    tokio::io::join(early.chain(read), write)
}

async fn drive<T: AsyncRead + AsyncWrite + Unpin>(guests: &Arc<Guests>, io: T, handle: OwnedFd) {
    let mut builder = h2::server::Builder::new();
    builder.max_concurrent_streams(STREAMS).max_header_list_size(u32::try_from(HEAD_LIMIT).unwrap_or(u32::MAX));
    let Ok(mut connection) = builder.handshake::<_, Bytes>(io).await else { return guests.closed_by(Side::Peer) };
    let flushed = watch::Sender::new(0);
    let (reset, mut is_reset) = watch::channel(false);
    let again = Arc::new(Notify::new());
    let around = Around { flushed: flushed.subscribe(), again: again.clone(), reset };
    let mut streams = JoinSet::new();
    loop {
        let accepted = poll_fn(|cx| {
            let polled = connection.poll_accept(cx);
            if polled.is_pending() {
                flushed.send_modify(|count| *count += 1);
            }
            polled
        });
        tokio::select! {
            biased;
            _ = is_reset.changed() => {
                // If the option cannot be set, closing is the next best thing.
                let _set = rustix::net::sockopt::set_socket_linger(&handle, Some(Duration::ZERO));
                drop(connection);
                drop(handle);
                streams.shutdown().await;
                return;
            }
            accepted = accepted => match accepted {
                Some(Ok((request, respond))) => {
                    let stream = Stream { guests: guests.clone(), around: around.clone(), respond };
                    streams.spawn(stream.live(request));
                }
                Some(Err(_)) | None => break,
            },
            () = again.notified() => {}
            Some(_ended) = streams.join_next() => {}
        }
    }
    drop(connection);
    let all = async { while streams.join_next().await.is_some() {} };
    let _in_time = tokio::time::timeout(FAREWELL, all).await;
    streams.shutdown().await;
    guests.closed_by(Side::Peer);
}

impl Stream {
    async fn live(mut self, request: ::http::Request<RecvStream>) {
        let shared = self.guests.owner().clone();
        let (began, begun) = (shared.clock.at(), shared.begin());
        let (parts, body) = request.into_parts();
        let method = parts.method.as_str().to_owned();
        let Ok(body) = whole(body).await else { return };
        let Some(body) = body else {
            let reply = Reply::api_error(413, "BAD_REQUEST", "The request's body is longer than 1 MiB");
            return self.answer_outside(&reply, &method);
        };
        let target = parts.uri.path_and_query().map_or("/", |target| target.as_str()).to_owned();
        let mut request = Request::new(method, &target, headers(&parts.headers), body);
        if let Some(authority) = parts.uri.authority() {
            request.host = authority.as_str().to_owned();
        }
        if let Err(refused) = self.guests.door().admit(&target, &mut request) {
            let outcome = Proxied::Refused(refused.why.clone());
            shared.journal.push(What::Proxied { authority: refused.authority.clone(), outcome });
            return self.answer_outside(&refused.reply(), &request.method);
        }
        let ((shared, conn), begun) = match self.guests.host(&mut request, begun) {
            Ok(host) => host,
            Err(full) => {
                return self.answer_outside(&Reply::api_error(503, "SERVICE_UNAVAILABLE", &full.to_string()), &request.method);
            }
        };
        let mut open = Open::new(&shared, conn, &request, began, begun);
        let mut way = Way::new(shared, open.exchange, request);
        let done = match while_open(self.respond.poll(), way.answer()).await {
            Ok(Verdict::Write(plan)) => self.carry_out(&mut way, plan, &mut open).await,
            Ok(Verdict::End(ending)) => self.end(None, ending, &mut open).await,
            Err(Gone) => Err(Gone),
        };
        if let Err(Gone) = done {
            open.aborted(Side::Peer);
        }
        // Only now may those released together with it go on.
        drop(way);
    }

    async fn carry_out(&mut self, way: &mut Way, plan: Plan, open: &mut Open) -> Result<(), Gone> {
        let shared = open.shared.clone();
        let (head, headers) = head_of(&plan.reply, shared.clock.now_at(way.endpoint()));
        let bodiless = way.method() == "HEAD" || matches!(plan.reply.status, 204 | 304);
        let body = if bodiless { Bytes::new() } else { plan.reply.body.clone() };
        let mut strokes = plan.strokes(0, body.len()).peekable();
        let mut sent = shared.clock.at();
        let mut stream = self.respond.send_response(head, strokes.peek().is_none()).map_err(|_| Gone)?;
        let had_any = strokes.peek().is_some();
        let mut ended = false;
        while let Some(stroke) = strokes.next() {
            match stroke {
                Stroke::Write(range) => {
                    sent = shared.clock.at();
                    ended = strokes.peek().is_none();
                    open.written += range.len() as u64;
                    stream.send_data(body.slice(range), ended).map_err(|_| Gone)?;
                }
                Stroke::Rest(span) => while_open(stream.poll(), tokio::time::sleep(span)).await?,
                Stroke::Ask => match while_open(stream.poll(), way.interrupt()).await? {
                    None => {}
                    Some(ending) => return self.end(Some(stream), ending, open).await,
                },
                Stroke::End(ending) => return self.end(Some(stream), ending, open).await,
            }
        }
        if had_any && !ended {
            stream.send_data(Bytes::new(), true).map_err(|_| Gone)?;
        }
        open.replied();
        let (exchange, Reply { status, headers: _, body }) = (open.exchange, plan.reply);
        shared.journal.push_at(sent, What::Replied(Replied { exchange, status, headers, body }.into()));
        shared.journal.push(What::ReadUnknown { exchange });
        Ok(())
    }

    /// Ends an exchange without (the rest of) a reply. `REFUSED_STREAM` would say that the request may be sent again: nobody knows that.
    async fn end(&mut self, stream: Option<SendStream<Bytes>>, ending: Ending, open: &mut Open) -> Result<(), Gone> {
        match (ending, stream) {
            (Ending::Hang, None) => return while_open(self.respond.poll(), std::future::pending()).await,
            (Ending::Hang, Some(mut stream)) => return while_open(stream.poll(), std::future::pending()).await,
            (Ending::Reset, stream) => {
                if stream.is_some() {
                    self.flushed().await;
                }
                open.aborted(Side::Provider);
                self.around.reset.send_replace(true);
            }
            (Ending::Fin, None) => {
                open.aborted(Side::Provider);
                self.respond.send_reset(Reason::INTERNAL_ERROR);
            }
            (Ending::Fin, Some(mut stream)) => {
                // A reset overtakes what still waits to be written.
                self.flushed().await;
                open.aborted(Side::Provider);
                stream.send_reset(Reason::INTERNAL_ERROR);
            }
        }
        Ok(())
    }

    /// Waits until what was said before is written, as far as the subject takes it. The round that runs now may have begun too early to
    /// know of it; the next does.
    async fn flushed(&mut self) {
        for _ in 0..2 {
            let before = *self.around.flushed.borrow_and_update();
            self.around.again.notify_one();
            // A connection that has ended has nothing to wait for.
            let _ended = self.around.flushed.wait_for(|count| *count > before).await;
        }
    }

    /// Answers what is no exchange.
    fn answer_outside(&mut self, reply: &Reply, method: &str) {
        let (head, _) = head_of(reply, self.guests.owner().clock.now());
        let body = if method == "HEAD" { Bytes::new() } else { reply.body.clone() };
        // Whoever has gone does not hear it.
        if let Ok(mut stream) = self.respond.send_response(head, body.is_empty())
            && !body.is_empty()
        {
            let _sent = stream.send_data(body, true);
        }
    }
}

/// A stream that can tell when the subject ends it.
trait Watched {
    fn poll(&mut self) -> impl Future<Output = ()>;
}

impl Watched for SendResponse<Bytes> {
    fn poll(&mut self) -> impl Future<Output = ()> {
        poll_fn(|cx| self.poll_reset(cx).map(drop))
    }
}

impl Watched for SendStream<Bytes> {
    fn poll(&mut self) -> impl Future<Output = ()> {
        poll_fn(|cx| self.poll_reset(cx).map(drop))
    }
}

/// Waits for `work` as long as the subject does.
async fn while_open<T>(reset: impl Future<Output = ()>, work: impl Future<Output = T>) -> Result<T, Gone> {
    tokio::select! {
        biased;
        done = work => Ok(done),
        () = reset => Err(Gone),
    }
}

/// A body; `None`: it is too long.
async fn whole(mut body: RecvStream) -> Result<Option<Bytes>, Gone> {
    let mut bytes = BytesMut::new();
    while let Some(data) = body.data().await {
        let data = data.map_err(|_| Gone)?;
        if bytes.len() + data.len() > BODY_LIMIT {
            return Ok(None);
        }
        bytes.extend_from_slice(&data);
        body.flow_control().release_capacity(data.len()).map_err(|_| Gone)?;
    }
    Ok(Some(bytes.freeze()))
}

fn headers(map: &::http::HeaderMap) -> Vec<(String, String)> {
    map.iter().map(|(name, value)| (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).trim().to_owned())).collect()
}

/// The head of a reply, dated `now`, and its headers as they go out.
fn head_of(reply: &Reply, now: Time) -> (::http::Response<()>, Vec<(String, String)>) {
    let mut headers: Vec<_> = reply.headers.iter().filter(|(name, _)| !OF_A_CONNECTION.contains(&name.as_str())).cloned().collect();
    headers.push(("date".into(), crate::clock::http_date(now)));
    if reply.status != 204 && reply.status != 304 {
        headers.push(("content-length".into(), reply.body.len().to_string()));
    }
    let mut head = ::http::Response::new(());
    *head.status_mut() = ::http::StatusCode::from_u16(reply.status).unwrap_or(::http::StatusCode::INTERNAL_SERVER_ERROR);
    for (name, value) in &headers {
        // What a user's rule invents may be no header at all.
        if let (Ok(name), Ok(value)) = (::http::HeaderName::try_from(name), ::http::HeaderValue::try_from(value)) {
            head.headers_mut().append(name, value);
        }
    }
    (head, headers)
}
