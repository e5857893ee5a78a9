//! Introspection: what a token is, for the client that got it (RFC 7662).

use crate::{Authority, Client, ClientAuth, Introspection, Kind, Refusal, Time, TokenState};

impl Authority {
    /// Introspects a token for a client that has authenticated itself; `None`: inactive.
    ///
    /// Another client's token is inactive, and so is a code. An access token that only the API was told to reject is active.
    ///
    /// # Errors
    /// Failed client authentication; a public client cannot prove itself.
    pub fn introspect(&self, now: Time, auth: &ClientAuth, token: &str) -> Result<Option<Introspection>, Refusal> {
        let client = self.authenticate(now, auth)?;
        if self.client(&client).is_none_or(Client::is_public) {
            return Err(Refusal::invalid_client("A public client cannot introspect"));
        }
        Ok(self.describe(now, token).filter(|found| found.client_id == client))
    }

    fn describe(&self, now: Time, token: &str) -> Option<Introspection> {
        let (grant, scopes, iat, exp, kind) = if let Some(access) = self.access.get(token) {
            (access.grant, Some(&access.scopes), access.issued, access.expires, Kind::Access)
        } else {
            let refresh = self.refresh.get(token)?;
            (refresh.grant, None, refresh.issued, refresh.expires, Kind::Refresh)
        };
        match self.state(now, token) {
            TokenState::Active | TokenState::Rejected => {}
            TokenState::Expired
            | TokenState::Superseded
            | TokenState::Revoked(_)
            | TokenState::FamilyEnded
            | TokenState::Used
            | TokenState::Unknown => return None,
        }
        let grant = &self.family(grant)?.grant;
        Some(Introspection {
            grant: grant.id,
            client_id: grant.client_id.clone(),
            user: grant.user.clone(),
            company: grant.company.clone(),
            scopes: scopes.unwrap_or(&grant.scopes).clone(),
            iat,
            exp,
            kind,
        })
    }
}

#[cfg(test)]
mod tests;
