//! Decides requests: the state is locked, a handler decides, the journal learns of it before anybody else can act.

use std::sync::MutexGuard;

use regrant_authority::Time;

use super::{api, authorize, introspect, presented, reply::Reply, request::Request, token};
use crate::{
    ConsentMode,
    fault::Reshape,
    journal::{Carried, Decision, Endpoint, Exchange, What},
    state::{Shared, State},
};

/// The locked state and what handlers need besides.
pub(super) struct Desk<'a> {
    pub(super) shared: &'a Shared,
    pub(super) state: MutexGuard<'a, State>,
    pub(super) now: Time,
    exchange: Exchange,
}

impl<'a> Desk<'a> {
    pub(super) fn open(shared: &'a Shared, exchange: Exchange, endpoint: Endpoint) -> Self {
        Self { shared, state: shared.state(), now: shared.clock.now_at(endpoint), exchange }
    }

    /// Decides a request and commits what follows from it; tokens in this form.
    pub(super) fn decide(mut self, request: &Request, shape: Option<&Reshape>) -> Reply {
        let (reply, decision) = match request.endpoint {
            Endpoint::Authorize => authorize::handle(&mut self, request),
            Endpoint::Token => token::handle(&mut self, request, shape),
            Endpoint::Introspect => introspect::handle(&mut self, request),
            Endpoint::Api => api::handle(&mut self, request),
            Endpoint::Unknown => (Reply::api_error(404, "NOT_FOUND", "There is nothing here"), Decision::Unknown),
        };
        self.shared.journal.push(What::Decided { exchange: self.exchange, decision });
        reply
    }
}

/// Whether the request changes nothing, so that its points `decided` and `committed` are one.
pub(super) fn is_read(shared: &Shared, request: &Request) -> bool {
    match request.endpoint {
        Endpoint::Authorize => request.only_looks() && shared.state().consent == ConsentMode::Page,
        Endpoint::Token => false,
        Endpoint::Introspect | Endpoint::Unknown => true,
        Endpoint::Api => request.only_looks(),
    }
}

/// Whether the client or the token is good. Asking changes nothing.
pub(super) fn is_authenticated(shared: &Shared, request: &Request) -> bool {
    let state = shared.state();
    let now = shared.clock.now_at(request.endpoint);
    match request.endpoint {
        Endpoint::Authorize => authorize::is_valid(&state, request),
        Endpoint::Token => token::is_authenticated(&state, now, request),
        Endpoint::Introspect => state.authority.introspect(now, &request.client_auth(), "").is_ok(),
        Endpoint::Api => {
            let (carried, token) = presented::authorising(&state, request);
            carried == Carried::Bearer && token.is_some_and(|token| state.authority.access(now, &token).is_ok())
        }
        Endpoint::Unknown => false,
    }
}
