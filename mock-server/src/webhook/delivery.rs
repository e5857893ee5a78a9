//! Deliveries: one request each, beside the provider's work and never in its way.
//!
//! So many are under way at a time, so many may wait, and each has its time. Redirects are not followed. There is no second attempt:
//! Pleo does not say whether it makes any.

use std::{
    fmt::Write as _,
    io,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    runtime::Handle,
    sync::{Semaphore, oneshot},
    task::JoinSet,
};

use super::{endpoint::Endpoint, signature};
use crate::{
    journal::{WebhookEnd, WebhookSent, What},
    state::Shared,
};

/// At a time.
const LINES: usize = 16;
/// Under way or waiting; further ones are not made.
const MOST: usize = 1_000;
/// From the connection to the answer's head. Standard Webhooks advises 15 to 30 seconds.
const LIMIT: Duration = Duration::from_secs(15);
/// The longest head of an answer that is read.
const HEAD_LIMIT: usize = 64 * 1024;
const MOST_HEADERS: usize = 128;

/// One message to one subscriber.
#[derive(Debug, Clone)]
pub(crate) struct Notice {
    /// `webhook-id`.
    pub(crate) id: String,
    /// Whose it is.
    pub(crate) subscription: String,
    pub(crate) event_type: String,
    pub(crate) event_id: String,
    /// What it is about.
    pub(crate) units: Vec<String>,
    pub(crate) secret: String,
    pub(crate) endpoint: Endpoint,
    /// What the subscriber wants besides.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Bytes,
    /// Where the delivery runs.
    pub(crate) runtime: Handle,
}

/// The deliveries of one tenant. They end with it.
#[derive(Debug)]
pub(crate) struct Deliveries {
    tasks: Mutex<JoinSet<()>>,
    lines: Arc<Semaphore>,
    last: AtomicU64,
}

impl Default for Deliveries {
    fn default() -> Self {
        Self { tasks: Mutex::default(), lines: Arc::new(Semaphore::new(LINES)), last: AtomicU64::new(0) }
    }
}

impl Deliveries {
    /// Begins to deliver; returns at once. What comes of it is told to whoever waits, unless the deliveries are ended before.
    pub(crate) fn begin(shared: &Arc<Shared>, notice: Notice) -> oneshot::Receiver<WebhookEnd> {
        let (tell, told) = oneshot::channel();
        let own = &shared.deliveries;
        let delivery = own.last.fetch_add(1, Ordering::Relaxed) + 1;
        let mut tasks = own.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        while tasks.try_join_next().is_some() {}
        if tasks.len() >= MOST {
            let end = WebhookEnd::Failed(format!("{MOST} deliveries are under way or waiting: this one was not made"));
            shared.journal.push(What::WebhookEnded { delivery, end: end.clone() });
            // Nobody need wait.
            let _waits = tell.send(end);
            return told;
        }
        let (runtime, lines, shared) = (notice.runtime.clone(), own.lines.clone(), shared.clone());
        tasks.spawn_on(
            async move {
                // It is never closed.
                let Ok(_line) = lines.acquire_owned().await else { return };
                let end = deliver(&shared, delivery, &notice).await;
                shared.journal.push(What::WebhookEnded { delivery, end: end.clone() });
                let _waits = tell.send(end);
            },
            &runtime,
        );
        told
    }

    /// Ends those that are under way, and forgets those that wait.
    pub(crate) fn end(&self) {
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner).abort_all();
    }
}

async fn deliver(shared: &Shared, delivery: u64, notice: &Notice) -> WebhookEnd {
    // The host's time, however far the provider's clock was moved: whoever receives it compares it with a clock of this host.
    let now = shared.clock.wall(shared.clock.at()).0 / 1000;
    let signed = match signature::sign(&notice.secret, &notice.id, now, &notice.body) {
        Ok(signed) => signed.headers(),
        Err(error) => return WebhookEnd::Failed(error.to_string()),
    };
    shared.journal.push(What::WebhookSent(Arc::new(WebhookSent {
        delivery,
        subscription: notice.subscription.clone(),
        event_type: notice.event_type.clone(),
        event_id: notice.event_id.clone(),
        units: notice.units.clone(),
        url: notice.endpoint.url.clone(),
        headers: signed.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect(),
        body: notice.body.clone(),
    })));
    let mut head = format!("POST {} HTTP/1.1\r\nhost: {}\r\n", notice.endpoint.target, notice.endpoint.host);
    let own = signed.iter().map(|(name, value)| (*name, value.as_str()));
    for (name, value) in own.chain(notice.headers.iter().map(|(name, value)| (name.as_str(), value.as_str()))) {
        // Writing to a text cannot fail.
        let _written = write!(head, "{name}: {value}\r\n");
    }
    let length = notice.body.len();
    let _written = write!(head, "content-type: application/json\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n");
    match tokio::time::timeout(LIMIT, post(&notice.endpoint, head.as_bytes(), &notice.body)).await {
        Ok(Ok(status)) => WebhookEnd::Answered(status),
        Ok(Err(error)) => WebhookEnd::Failed(error.to_string()),
        Err(_) => WebhookEnd::Failed(format!("there was no answer within {} s", LIMIT.as_secs())),
    }
}

/// Sends a request and reads the status of its answer.
async fn post(endpoint: &Endpoint, head: &[u8], body: &[u8]) -> io::Result<u16> {
    let mut tcp = TcpStream::connect(endpoint.addresses.as_slice()).await?;
    // Some answer, and close, before they have read all.
    let written = async {
        tcp.write_all(head).await?;
        tcp.write_all(body).await?;
        tcp.flush().await
    };
    let written = written.await;
    let mut answer = Vec::new();
    loop {
        if tcp.read_buf(&mut answer).await? == 0 {
            written?;
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the connection was closed without an answer"));
        }
        if let Some(status) = status(&mut answer)? {
            return Ok(status);
        }
        if answer.len() > HEAD_LIMIT {
            return Err(io::Error::other("the answer's head is longer than 64 KiB"));
        }
    }
}

/// The status of an answer, once its head is whole; interim ones (1xx) are passed over.
fn status(answer: &mut Vec<u8>) -> io::Result<Option<u16>> {
    loop {
        let mut room = [httparse::EMPTY_HEADER; MOST_HEADERS];
        let mut response = httparse::Response::new(&mut room);
        let parsed = response.parse(answer).map_err(|error| io::Error::other(format!("this is no HTTP answer: {error}")))?;
        match (parsed, response.code) {
            (httparse::Status::Complete(length), Some(100..=199)) => drop(answer.drain(..length)),
            (httparse::Status::Complete(_), Some(status)) => return Ok(Some(status)),
            (httparse::Status::Partial, _) | (httparse::Status::Complete(_), None) => return Ok(None),
        }
    }
}
