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
        let client = self.authenticate(now, auth)?.id;
        if self.client(&client).is_none_or(Client::is_public) {
            return Err(Refusal::invalid_client("A public client cannot introspect"));
        }
        Ok(self.describe(now, token).filter(|found| *found.client_id == *client))
    }

    fn describe(&self, now: Time, token: &str) -> Option<Introspection> {
        let stamp = self.mint.read(token)?;
        match self.state_of(now, &stamp) {
            TokenState::Active | TokenState::Rejected => {}
            TokenState::Expired
            | TokenState::Superseded
            | TokenState::Revoked(_)
            | TokenState::FamilyEnded
            | TokenState::Used
            | TokenState::Unknown => return None,
        }
        let family = self.family(stamp.grant)?;
        let (scopes, iat, exp) = match stamp.kind {
            Kind::Access => family.access(stamp.number).map(|access| (access.scopes.as_ref(), access.issued, access.expires))?,
            Kind::Refresh => family.refresh(stamp.number).map(|refresh| (None, refresh.issued, refresh.expires))?,
            Kind::Code | Kind::Secret => return None,
        };
        Some(Introspection {
            grant: stamp.grant,
            client_id: family.client.as_ref().to_owned(),
            user: family.user.as_ref().to_owned(),
            company: family.company.as_ref().to_owned(),
            scopes: scopes.unwrap_or(&family.scopes).to_vec(),
            iat,
            exp,
            kind: stamp.kind,
        })
    }
}

#[cfg(test)]
mod tests;
