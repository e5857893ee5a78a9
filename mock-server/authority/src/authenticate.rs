//! Client authentication (RFC 6749 sections 2.3.1 and 3.2.1).
//!
//! Two methods at once are `invalid_request`; everything else that fails is `invalid_client` with status 401. A secret
//! counts from its `from` until just before its `until`. Pleo's pages disagree on the method, so header and body are
//! both good unless [`Policy::strict_basic`](crate::Policy::strict_basic) says otherwise. A header is read both form-decoded,
//! as the RFC asks, and raw, as many clients send it.

use std::sync::Arc;

use crate::{Authority, ClientAuth, Refusal, Time, authority::Registered};

/// A client that has proved who it is.
pub(crate) struct Proven {
    pub(crate) id: Arc<str>,
    /// The secret that it showed, by place in its timeline; `None`: a public client.
    pub(crate) secret: Option<u32>,
}

impl Authority {
    /// Whether `auth` proves a client; a public client need only name itself.
    #[must_use]
    pub fn authenticates(&self, now: Time, auth: &ClientAuth) -> bool {
        self.authenticate(now, auth).is_ok()
    }

    /// The client that `auth` proves; a public client need only name itself.
    pub(crate) fn authenticate(&self, now: Time, auth: &ClientAuth) -> Result<Proven, Refusal> {
        let proven = match auth {
            ClientAuth::None { id } => id
                .as_deref()
                .and_then(|id| self.clients.get(id))
                .filter(|known| known.client.is_public())
                .map(|known| Proven { id: known.id.clone(), secret: None }),
            ClientAuth::Basic { decoded, raw } => self.proven(now, &decoded.0, &decoded.1).or_else(|| self.proven(now, &raw.0, &raw.1)),
            ClientAuth::Body { .. } if self.policy().strict_basic => {
                return Err(Refusal::invalid_client("Client credentials belong in the Authorization header"));
            }
            ClientAuth::Body { id, secret } => self.proven(now, id, secret),
            ClientAuth::Both => return Err(Refusal::invalid_request("More than one client authentication method was used")),
            ClientAuth::Malformed => None,
        };
        proven.ok_or_else(|| Refusal::invalid_client("Client authentication failed"))
    }

    fn proven(&self, now: Time, id: &str, secret: &str) -> Option<Proven> {
        let Registered { client, id, .. } = self.clients.get(id)?;
        client.accepts(now, secret).then(|| Proven { id: id.clone(), secret: client.place_of(now, secret) })
    }
}

#[cfg(test)]
mod tests;
