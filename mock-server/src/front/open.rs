//! A request that has arrived and is not answered yet, whatever protocol it came by.

use std::sync::Arc;

use super::{presented, request::Request};
use crate::{
    journal::{Arrived, At, Conn, Exchange, Side, What},
    state::{Begun, Shared},
};

/// An exchange without its reply. Dropping it tells the journal that there never was one.
pub(super) struct Open {
    pub(super) shared: Arc<Shared>,
    pub(super) exchange: Exchange,
    /// Bytes of the reply that are out.
    pub(super) written: u64,
    ended: bool,
    _begun: Begun,
}

impl Open {
    /// Tells the journal of a request.
    pub(super) fn new(shared: &Arc<Shared>, conn: Conn, request: &Request, began: At, begun: Begun) -> Self {
        let exchange = shared.journal.arrived(Arrived {
            exchange: 0,
            conn,
            began,
            endpoint: request.endpoint,
            method: request.method.clone(),
            host: request.host.clone(),
            path: request.path.clone(),
            query: request.query.clone(),
            headers: request.headers.clone(),
            body: request.body.clone(),
            presented: presented::of(shared, request),
        });
        Self { shared: shared.clone(), exchange, written: 0, ended: false, _begun: begun }
    }

    /// The whole reply is out.
    pub(super) fn replied(&mut self) {
        self.ended = true;
    }

    /// It ends without the whole reply.
    pub(super) fn aborted(&mut self, by: Side) {
        if !std::mem::replace(&mut self.ended, true) {
            self.shared.journal.push(What::Aborted { exchange: self.exchange, by, written: self.written });
        }
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.aborted(Side::Provider);
    }
}
