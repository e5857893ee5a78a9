//! Client authentication (RFC 6749 sections 2.3.1 and 3.2.1).
//!
//! Two methods at once are `invalid_request`; everything else that fails is `invalid_client` with status 401. A secret
//! counts from its `from` until just before its `until`. Pleo's pages disagree on the method, so header and body are
//! both good unless [`Policy::strict_basic`](crate::Policy::strict_basic) says otherwise. A header is read both form-decoded,
//! as the RFC asks, and raw, as many clients send it.

use crate::{Authority, Client, ClientAuth, ClientId, Refusal, Time};

impl Authority {
    /// The client that `auth` proves; a public client need only name itself.
    pub(crate) fn authenticate(&self, now: Time, auth: &ClientAuth) -> Result<ClientId, Refusal> {
        let client = match auth {
            ClientAuth::None { id } => id.as_deref().and_then(|id| self.client(id)).filter(|client| client.is_public()),
            ClientAuth::Basic { decoded, raw } => self.proven(now, decoded).or_else(|| self.proven(now, raw)),
            ClientAuth::Body { .. } if self.policy().strict_basic => {
                return Err(Refusal::invalid_client("Client credentials belong in the Authorization header"));
            }
            ClientAuth::Body { id, secret } => self.client(id).filter(|client| client.accepts(now, secret)),
            ClientAuth::Both => return Err(Refusal::invalid_request("More than one client authentication method was used")),
            ClientAuth::Malformed => None,
        };
        client.map(|client| client.id.clone()).ok_or_else(|| Refusal::invalid_client("Client authentication failed"))
    }

    fn proven(&self, now: Time, (id, secret): &(ClientId, String)) -> Option<&Client> {
        self.client(id).filter(|client| client.accepts(now, secret))
    }
}

#[cfg(test)]
mod tests;
