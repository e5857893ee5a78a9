//! The tenants that are spoken to over one connection, and its number in the journal of each.

use std::sync::{Arc, Mutex, PoisonError};

use super::{door::Door, request::Request};
use crate::{
    TenantError,
    journal::{Conn, Ends, Side, What},
    state::{Begun, Shared},
};

/// The tenant that a request is for, and the connection's number in its journal.
pub(super) type Host = (Arc<Shared>, Conn);

/// One connection's tenants. Dropping it tells their journals that it has ended.
pub(super) struct Guests {
    /// Whose port the connection came to.
    owner: Host,
    /// Only the subject's port has tenants: at Pleo's hosts there are none.
    door: Door,
    ends: Ends,
    known: Mutex<Vec<Host>>,
    closed_by: Mutex<Side>,
}

impl Guests {
    /// Tells the owner's journal of the connection.
    pub(super) fn new(shared: Arc<Shared>, ends: Ends, door: Door) -> Self {
        let conn = shared.journal.opened(ends.peer, ends.local);
        Self { owner: (shared, conn), door, ends, known: Mutex::default(), closed_by: Mutex::new(Side::Provider) }
    }

    pub(super) fn door(&self) -> &Door {
        &self.door
    }

    pub(super) fn owner(&self) -> &Arc<Shared> {
        &self.owner.0
    }

    /// Whom a request is for. A tenant sees it without the prefix that names it.
    pub(super) fn host(&self, request: &mut Request, begun: Begun) -> Result<(Host, Begun), TenantError> {
        let found = match self.door {
            Door::Own => self.owner.0.resolve(&request.path)?,
            Door::Tunnel(_) | Door::Absolute(_) => None,
        };
        let Some((tenant, path)) = found else { return Ok((self.owner.clone(), begun)) };
        let path = path.to_owned();
        request.move_to(path);
        let mut guests = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let known = guests.iter().find(|(guest, _)| Arc::ptr_eq(guest, &tenant)).cloned();
        let host = known.unwrap_or_else(|| {
            let host = (tenant.clone(), tenant.journal.opened(self.ends.peer, self.ends.local));
            guests.push(host.clone());
            host
        });
        // The exchange is the tenant's: the owner must not be thought to have one open.
        drop(begun);
        Ok((host, tenant.begin()))
    }

    /// Who ends the connection; the provider unless told otherwise.
    pub(super) fn closed_by(&self, side: Side) {
        *self.closed_by.lock().unwrap_or_else(PoisonError::into_inner) = side;
    }
}

impl Drop for Guests {
    fn drop(&mut self) {
        let by = *self.closed_by.get_mut().unwrap_or_else(PoisonError::into_inner);
        let guests = self.known.get_mut().unwrap_or_else(PoisonError::into_inner);
        for (shared, conn) in std::iter::once(&self.owner).chain(guests.iter()) {
            shared.journal.push(What::Closed { conn: *conn, by });
        }
    }
}
