//! The way of one request through the points at which rules apply.

use std::sync::Arc;

use super::{
    desk::{self, Desk},
    reply::Reply,
    request::Request,
};
use crate::{
    fault::{Fate, Let, Point, Turn},
    journal::{Endpoint, Exchange, What},
    state::Shared,
};

/// A request on its way.
pub(super) struct Way {
    shared: Arc<Shared>,
    exchange: Exchange,
    request: Request,
    /// Keeps requests that were released together in order of arrival.
    turn: Option<Turn>,
}

/// What is to be done with the connection.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The reply is written.
    Reply(Reply),
    /// It is closed.
    Drop,
    /// It is reset.
    Reset,
    /// Nothing, until the subject closes it.
    Hang,
}

impl Way {
    pub(super) fn new(shared: Arc<Shared>, exchange: Exchange, request: Request) -> Self {
        Self { shared, exchange, request, turn: None }
    }

    pub(super) fn endpoint(&self) -> Endpoint {
        self.request.endpoint
    }

    pub(super) fn method(&self) -> &str {
        &self.request.method
    }

    /// Decides the request. Until `decided` is passed nothing has changed, except that a read is decided before it.
    /// Dropping the future before it returns leaves either nothing changed or a change in the journal.
    pub(super) async fn answer(&mut self) -> Verdict {
        if let Some(verdict) = self.pass(Point::Arrived).await {
            return verdict;
        }
        if self.is_authenticated()
            && let Some(verdict) = self.pass(Point::Authenticated).await
        {
            return verdict;
        }
        let early = desk::is_read(&self.shared, &self.request).then(|| self.decide());
        if let Some(verdict) = self.pass(Point::Decided).await {
            return verdict;
        }
        let reply = early.unwrap_or_else(|| self.decide());
        match self.pass(Point::Committed).await {
            Some(verdict) => verdict,
            None => Verdict::Reply(reply),
        }
    }

    /// What befalls the reply once half of it is written.
    pub(super) fn fate_of_reply(&self) -> Option<Fate> {
        self.take(Point::Replying)
    }

    /// Lets the fate of a half written reply run its course; `None`: the rest may follow.
    pub(super) async fn interrupt(&mut self, fate: Fate) -> Option<Verdict> {
        self.suffer(Point::Replying, fate).await
    }

    fn decide(&mut self) -> Reply {
        let reply = Desk::open(&self.shared, self.exchange, self.request.endpoint).decide(&self.request);
        self.turn = None;
        reply
    }

    /// Whether the client or the token is good. Asked only where a rule wants to know.
    fn is_authenticated(&self) -> bool {
        self.shared.state().rules.any_at(Point::Authenticated) && desk::is_authenticated(&self.shared, &self.request)
    }

    async fn pass(&mut self, point: Point) -> Option<Verdict> {
        let fate = self.take(point)?;
        self.suffer(point, fate).await
    }

    fn take(&self, point: Point) -> Option<Fate> {
        let mut state = self.shared.state();
        let (rule, fate) = state.rules.take(point, self.request.facets())?;
        self.shared.journal.push(What::Faulted { exchange: self.exchange, rule, fate: fate.word() });
        Some(fate)
    }

    async fn suffer(&mut self, point: Point, fate: Fate) -> Option<Verdict> {
        match fate {
            Fate::Pass => None,
            Fate::Delay(span) => {
                self.turn = None;
                tokio::time::sleep(span).await;
                None
            }
            Fate::Hold(gate) => {
                self.turn = None;
                match self.shared.gates.wait(&gate, self.exchange, point).await {
                    Let::Go(turn) => {
                        self.turn = Some(turn);
                        None
                    }
                    Let::Open => None,
                    Let::Drop => Some(Verdict::Drop),
                }
            }
            Fate::Status { code, error, description, retry_after } => {
                Some(Verdict::Reply(self.refusal(code, error.as_deref(), description.as_deref(), retry_after)))
            }
            Fate::Replace { status, content_type, body } => {
                let kind = content_type.as_deref().unwrap_or("application/json;charset=UTF-8");
                Some(Verdict::Reply(Reply::with_body(status.unwrap_or(200), kind, body)))
            }
            Fate::Drop => Some(Verdict::Drop),
            Fate::Reset => Some(Verdict::Reset),
            Fate::Hang => Some(Verdict::Hang),
        }
    }

    /// An error in the words of the endpoint.
    fn refusal(&self, status: u16, error: Option<&str>, description: Option<&str>, retry_after: Option<u32>) -> Reply {
        let oauth = matches!(self.request.endpoint, Endpoint::Token | Endpoint::Introspect | Endpoint::Authorize);
        let mut reply = match error {
            None => Reply::empty(status),
            Some(error) if oauth => Reply::oauth_error(status, error, description),
            Some(error) => Reply::api_error(status, error, description.unwrap_or_default()),
        };
        if status == 401 {
            reply = reply.header("www-authenticate", if oauth { "Basic realm=\"pleo\"" } else { "Bearer error=\"invalid_token\"" });
        }
        match retry_after {
            Some(seconds) => reply.header("retry-after", &seconds.to_string()),
            None => reply,
        }
    }
}
