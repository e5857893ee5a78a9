//! What crossed the wire, in order, with true times.
//!
//! Secrets stand here by value where the subject sent them (headers, bodies) and by name (`refresh#3`) where the provider
//! recognised them. Readers that keep a journal must redact it.

mod file;
mod log;
mod queue;
mod reader;
mod shown;

use std::{net::SocketAddr, sync::Arc, time::Duration};

use regrant_authority::{GrantId, TokenState};

pub(crate) use file::JournalFile;
pub(crate) use log::Journal;
pub(crate) use queue::{Ends, Look, Seen, look, watch};
pub(crate) use reader::{Lines, Read, Reader};
pub(crate) use shown::{Event, Shower};

/// A moment: time since [`crate::ProviderConfig::epoch`], monotonic.
pub type At = Duration;
/// Numbers a connection, from 1.
pub type Conn = u64;
/// Numbers a request and its reply, from 1, in order of arrival.
pub type Exchange = u64;

/// How much of the journal is kept in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keep {
    /// All of it, for whoever judges it at the end.
    All,
    /// The newest lines, so many at most and of so many bytes (roughly) at most; one line is always kept.
    Last {
        /// Lines.
        entries: usize,
        /// Bytes.
        bytes: usize,
    },
}

/// One line of the journal. `n` is its place in the order of all lines, from 1, without gaps.
#[derive(Debug, Clone)]
pub struct Entry {
    /// Place in the order.
    pub n: u64,
    /// When it happened.
    pub at: At,
    /// What happened.
    pub what: What,
}

/// Which side did something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Side {
    /// The subject.
    Peer,
    /// The provider, by a fault or at shutdown.
    Provider,
}

/// What happened.
#[derive(Debug, Clone)]
pub enum What {
    /// A connection was accepted.
    Opened {
        /// Its number.
        conn: Conn,
        /// The subject's end.
        peer: SocketAddr,
        /// Our end.
        local: SocketAddr,
    },
    /// A connection ended.
    Closed {
        /// Its number.
        conn: Conn,
        /// Who closed first.
        by: Side,
    },
    /// A client asked the proxy for a host.
    Proxied {
        /// Host and port.
        authority: String,
        /// What came of it.
        outcome: Proxied,
    },
    /// A request was read whole.
    Arrived(Arc<Arrived>),
    /// What the provider made of it. Tokens were committed if the outcome is `Issued`.
    Decided {
        /// Which request.
        exchange: Exchange,
        /// What was decided.
        decision: Decision,
    },
    /// A gate holds a request or its reply.
    Held {
        /// Which request.
        exchange: Exchange,
        /// The gate's name.
        gate: String,
        /// Where on the request's way.
        at: crate::fault::Point,
    },
    /// A gate let go.
    Released {
        /// Which request.
        exchange: Exchange,
        /// The gate's name.
        gate: String,
        /// Let go by dropping the connection.
        dropped: bool,
    },
    /// Not all came to a gate in its time, and it opened all the same.
    GateTimedOut {
        /// The gate's name.
        gate: String,
        /// So many it held.
        came: usize,
        /// So many it would have opened at.
        wanted: Option<usize>,
        /// Let go by dropping the connections.
        dropped: bool,
        /// What did not come, in words.
        story: String,
    },
    /// A rule was applied.
    Faulted {
        /// Which request.
        exchange: Exchange,
        /// The rule's id.
        rule: crate::fault::RuleId,
        /// Its fate in a word, e.g. `status 503`.
        fate: String,
    },
    /// The last byte of the reply was handed to the kernel; dated when that write began.
    Replied(Arc<Replied>),
    /// The subject's receive queue was seen empty after the reply was written (or its socket was gone): it has read the reply.
    Read {
        /// Which request.
        exchange: Exchange,
    },
    /// The receive queue cannot be seen (another host, no /proc): nothing is known of when the reply was read.
    ReadUnknown {
        /// Which request.
        exchange: Exchange,
    },
    /// The connection ended before the reply was fully written.
    Aborted {
        /// Which request.
        exchange: Exchange,
        /// Who ended it.
        by: Side,
        /// Bytes of the reply that were written.
        written: u64,
    },
    /// A webhook is sent to whoever subscribed.
    WebhookSent(Arc<WebhookSent>),
    /// What came of a webhook.
    WebhookEnded {
        /// Which.
        delivery: u64,
        /// What came of it.
        end: WebhookEnd,
    },
    /// A secret came into being.
    Minted {
        /// Its name, e.g. `access#2`.
        name: String,
    },
    /// The user or the provider's owner did something (through [`crate::Control`] or the management listener).
    Controlled(crate::control::Action),
}

/// A webhook as it is sent.
#[derive(Debug, Clone)]
pub struct WebhookSent {
    /// Its number, from 1.
    pub delivery: u64,
    /// Id of the subscription.
    pub subscription: String,
    /// What it tells of, e.g. `v1.export-job.created`.
    pub event_type: String,
    /// Which event.
    pub event_id: String,
    /// The units of work that it is about, by id; they do not stand in the body.
    pub units: Vec<String>,
    /// Where to.
    pub url: String,
    /// `webhook-id`, `webhook-timestamp` and `webhook-signature`.
    pub headers: Vec<(String, String)>,
    /// Body.
    pub body: bytes::Bytes,
}

/// What came of a webhook. There is no second attempt.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum WebhookEnd {
    /// It was answered, with this status.
    Answered(u16),
    /// It was not, and why.
    Failed(String),
}

/// What came of a request to the proxy.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Proxied {
    /// A tunnel was opened to this host, and TLS spoken in it.
    Served,
    /// Not served, with what the client was told.
    Refused(String),
    /// The client gave up the TLS handshake, as it does when it does not trust the authority.
    Untrusted(String),
}

/// A request as it came in.
#[derive(Debug, Clone)]
pub struct Arrived {
    /// Its number.
    pub exchange: Exchange,
    /// On which connection.
    pub conn: Conn,
    /// When its first byte was read.
    pub began: At,
    /// Where it went.
    pub endpoint: Endpoint,
    /// Method.
    pub method: String,
    /// The host asked for, as sent; of a request through the proxy, Pleo's host name in lower case.
    pub host: String,
    /// Path without query, as sent, but without the prefix that names a tenant.
    pub path: String,
    /// Query without `?`, as sent.
    pub query: Option<String>,
    /// Headers in order, names lower case, values lossily UTF-8.
    pub headers: Arc<[(String, String)]>,
    /// Body, at most 1 MiB.
    pub body: bytes::Bytes,
    /// The token or code that it carries, as it was at that moment, whatever becomes of the request.
    pub presented: Option<Presented>,
}

/// A part of the provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Endpoint {
    /// `GET /oauth/authorize`, and the consent form it leads to.
    Authorize,
    /// `POST /oauth/token`.
    Token,
    /// `POST /oauth/token/introspect`.
    Introspect,
    /// The resource API, known or fallback.
    Api,
    /// Nothing that Pleo documents.
    Unknown,
}

/// What the provider made of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// A token request.
    Token {
        /// `grant_type`, as sent.
        grant_type: Option<String>,
        /// How the client authenticated itself.
        auth: AuthStyle,
        /// The refresh token or code that was presented.
        presented: Option<Presented>,
        /// What came of it.
        outcome: TokenOutcome,
    },
    /// An authorise request or a consent.
    Authorize {
        /// `None`: the page is shown. Else the error sent back or shown, or `code#n`.
        outcome: AuthorizeOutcome,
    },
    /// An introspection.
    Introspect {
        /// The token asked about.
        presented: Option<Presented>,
        /// Whether it is active; `None`: the caller was refused.
        active: Option<bool>,
    },
    /// A call of the resource API.
    Api {
        /// The token presented, by whatever way.
        presented: Option<Presented>,
        /// How it was carried.
        carried: Carried,
        /// Status decided by token, scope and resource.
        status: u16,
        /// Units of work that a 2xx answer hands out (read), by id.
        handed_out: Vec<String>,
        /// Units of work that an accepted request reports as done or carries (export, push), by id.
        delivered: Vec<String>,
        /// The path is one that Pleo documents.
        documented: bool,
    },
    /// Not found.
    Unknown,
}

/// How a token came to the API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Carried {
    /// `Authorization: Bearer`, and nowhere else.
    Bearer,
    /// `Authorization: Bearer` with nothing behind it, or with a word such as `undefined`, `null`, `None`.
    EmptyBearer,
    /// In the query or in the body.
    Elsewhere,
    /// Another authorisation scheme.
    OtherScheme,
    /// Not at all.
    Nothing,
}

/// A secret that the subject presented.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Presented {
    /// Its name, if the provider minted it.
    pub name: Option<String>,
    /// Its family.
    pub grant: Option<GrantId>,
    /// Its state at that moment, before this request changed it.
    pub state: TokenState,
}

/// How a client authenticated itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AuthStyle {
    /// Basic, form-encoded as RFC 6749 section 2.3.1 asks (or without any character that would need it).
    Basic,
    /// Basic, matched in its raw form only.
    BasicRaw,
    /// In the body.
    Body,
    /// Both at once.
    Both,
    /// No secret.
    None,
    /// Not readable.
    Malformed,
}

/// What came of a token request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TokenOutcome {
    /// Tokens were issued and committed.
    Issued {
        /// The family.
        grant: GrantId,
        /// Name of the access token.
        access: String,
        /// Name of the refresh token, if one was issued.
        refresh: Option<String>,
    },
    /// Refused.
    Refused {
        /// `error`.
        error: String,
        /// Status.
        status: u16,
    },
}

/// What came of an authorise request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AuthorizeOutcome {
    /// The consent page is shown and waits.
    Page,
    /// A code was sent back.
    Code {
        /// Its name.
        name: String,
        /// The grant.
        grant: GrantId,
    },
    /// An error was sent back to the client.
    Sent(String),
    /// An error was shown to the user.
    Shown(String),
}

/// A reply as it went out.
#[derive(Debug, Clone)]
pub struct Replied {
    /// Which request.
    pub exchange: Exchange,
    /// Status.
    pub status: u16,
    /// Headers, names lower case.
    pub headers: Vec<(String, String)>,
    /// Body, at most 1 MiB.
    pub body: bytes::Bytes,
}
