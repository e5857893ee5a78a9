//! The second door: the same endpoints on a `wiremock::MockServer`.
//!
//! wiremock asks for a reply under a lock that stops its whole server, and from a function that cannot wait. So a request goes the
//! same [`Way`] to the same [`Desk`](super::desk::Desk) as everywhere, and must get to its end in one go; what would wait is refused
//! when it is installed ([`reach`]). Since a mock of wiremock's either replies or fails, there are two, of which the first one's
//! matcher decides the request and keeps the outcome for the one whose turn it is.

mod reach;

use std::{
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use futures::FutureExt as _;
use http::{HeaderName, HeaderValue, StatusCode};
use regrant_authority::Time;
use wiremock::{Match, Mock, MockServer, Respond, ResponseTemplate};

use super::{
    http::BODY_LIMIT,
    plan::{Plan, Verdict},
    presented,
    reply::Reply,
    request::{Request, endpoint},
    way::Way,
};
use crate::{
    TenantError,
    fault::Reach,
    journal::{Arrived, Endpoint, Exchange, Replied, Side, What},
    state::Shared,
};

/// What this door can carry out.
pub(crate) const REACH: Reach = reach::check;

/// wiremock's own default, so that mocks mounted before and more urgent ones come first.
const USUAL: u8 = 5;
/// After every other mock: requests that nobody knows belong into the journal too.
const LAST: u8 = u8::MAX;

/// Mounts all endpoints, for the life of the server.
pub(crate) async fn mount(server: &MockServer, shared: Arc<Shared>) {
    let door = Arc::new(Door { shared, kept: Mutex::new(None) });
    for (documented, priority) in [(true, USUAL), (false, LAST)] {
        let lost = Mock::given(Lost { door: door.clone(), documented });
        lost.respond_with_err(|_: &wiremock::Request| io::Error::from(io::ErrorKind::ConnectionAborted))
            .with_priority(priority)
            .mount(server)
            .await;
        Mock::given(Kept(door.clone())).respond_with(Kept(door.clone())).with_priority(priority).mount(server).await;
    }
}

/// One provider behind one wiremock server. wiremock's lock lets one request at a time come here.
struct Door {
    shared: Arc<Shared>,
    /// The reply to the request that is being matched.
    kept: Mutex<Option<ResponseTemplate>>,
}

/// Decides requests; matches those that get no reply.
struct Lost {
    door: Arc<Door>,
    /// Whether it is for Pleo's own endpoints, or for all the rest.
    documented: bool,
}

/// Matches and answers requests whose reply was kept.
struct Kept(Arc<Door>);

impl Match for Lost {
    fn matches(&self, request: &wiremock::Request) -> bool {
        *self.door.kept() = None;
        let request = read(request);
        let is_documented = endpoint(self.door.shared.below(&request.path)) != Endpoint::Unknown;
        if is_documented != self.documented {
            return false;
        }
        let reply = self.door.answer(request);
        let is_lost = reply.is_none();
        *self.door.kept() = reply;
        is_lost
    }
}

impl Match for Kept {
    fn matches(&self, _: &wiremock::Request) -> bool {
        self.0.kept().is_some()
    }
}

impl Respond for Kept {
    fn respond(&self, _: &wiremock::Request) -> ResponseTemplate {
        self.0.kept().take().unwrap_or_else(|| ResponseTemplate::new(500))
    }
}

impl Door {
    fn kept(&self) -> MutexGuard<'_, Option<ResponseTemplate>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The reply to a request; `None`: the connection is closed without one.
    fn answer(&self, mut request: Request) -> Option<ResponseTemplate> {
        if request.body.len() > BODY_LIMIT {
            return Some(template(&Reply::api_error(413, "BAD_REQUEST", "The request's body is longer than 1 MiB"), &[]));
        }
        match self.host(&mut request) {
            Ok(host) => answer(&host, request),
            Err(full) => Some(template(&Reply::api_error(503, "SERVICE_UNAVAILABLE", &full.to_string()), &[])),
        }
    }

    /// Whom a request is for. A tenant sees it without the prefix that names it.
    fn host(&self, request: &mut Request) -> Result<Arc<Shared>, TenantError> {
        let Some((tenant, path)) = self.shared.resolve(&request.path)? else { return Ok(self.shared.clone()) };
        let path = path.to_owned();
        request.move_to(path);
        Ok(tenant)
    }
}

fn answer(host: &Arc<Shared>, request: Request) -> Option<ResponseTemplate> {
    let _begun = host.begin();
    let exchange = arrived(host, &request);
    let mut way = Way::at_once(host.clone(), exchange, request);
    let verdict = way.answer().now_or_never();
    match verdict {
        Some(Verdict::Write(Plan { reply, asks: false, pace: None, cut: None })) => {
            Some(replied(host, exchange, reply, way.lateness(), host.clock.now_at(way.endpoint())))
        }
        // Closed in order, as it was told to be. No rule that wants anything else has come past `reach`.
        Some(Verdict::Write(Plan { .. }) | Verdict::End(_)) | None => {
            host.journal.push(What::Aborted { exchange, by: Side::Provider, written: 0 });
            None
        }
    }
}

fn arrived(host: &Shared, request: &Request) -> Exchange {
    host.journal.arrived(Arrived {
        exchange: 0,
        // wiremock does not tell its connections apart.
        conn: 0,
        began: host.clock.at(),
        endpoint: request.endpoint,
        method: request.method.clone(),
        host: request.host.clone(),
        path: request.path.clone(),
        query: request.query.clone(),
        headers: request.headers.clone(),
        body: request.body.clone(),
        presented: presented::of(host, request),
    })
}

/// Tells the journal of a reply that wiremock is about to write, dated when it is due.
fn replied(host: &Shared, exchange: Exchange, reply: Reply, late: Duration, now: Time) -> ResponseTemplate {
    let reply = writable(reply);
    let mut headers = reply.headers.clone();
    headers.push(("date".into(), crate::clock::http_date(now)));
    let template = template(&reply, &headers).set_delay(late);
    if reply.status != 204 && reply.status != 304 {
        // hyper writes it by itself.
        headers.push(("content-length".into(), reply.body.len().to_string()));
    }
    let replied = Replied { exchange, status: reply.status, headers, body: reply.body };
    host.journal.push_at(host.clock.at() + late, What::Replied(replied.into()));
    host.journal.push(What::ReadUnknown { exchange });
    template
}

/// A request as wiremock read it: path and query stand as its URL parser writes them.
fn read(request: &wiremock::Request) -> Request {
    let target = match request.url.query() {
        Some(query) => format!("{}?{query}", request.url.path()),
        None => request.url.path().to_owned(),
    };
    let header = |(name, value): (&HeaderName, &HeaderValue)| {
        (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).trim().to_owned())
    };
    let headers = request.headers.iter().map(header).collect();
    Request::new(request.method.as_str().to_owned(), &target, headers, Bytes::copy_from_slice(&request.body))
}

/// A policy can be given any number as the status of its refusals while it is in force; wiremock would panic over some.
fn writable(reply: Reply) -> Reply {
    match StatusCode::from_u16(reply.status) {
        Ok(status) if !status.is_informational() => reply,
        Ok(_) | Err(_) => {
            let message = format!("wiremock cannot write the status {}; start a `PleoServer` for this test, which can", reply.status);
            Reply::api_error(501, "NOT_IMPLEMENTED", &message)
        }
    }
}

fn template(reply: &Reply, headers: &[(String, String)]) -> ResponseTemplate {
    let pairs = headers.iter().filter_map(|(name, value)| {
        // Control characters were taken out where the reply was made, so that none is lost here.
        Some((HeaderName::from_bytes(name.as_bytes()).ok()?, HeaderValue::from_bytes(value.as_bytes()).ok()?))
    });
    ResponseTemplate::new(reply.status).append_headers(pairs).set_body_bytes(reply.body.to_vec())
}
