//! The timeline of a client's secrets: added, overlapping, retired, revoked, rotated.
//!
//! Policy says what else a secret takes along: refresh tokens that were issued under it
//! ([`Policy::refresh_bound_to_secret`](crate::Policy::refresh_bound_to_secret)), or with a rotation all grants of the client
//! ([`Policy::rotation_ends_grants`](crate::Policy::rotation_ends_grants)).

use std::time::Duration;

use crate::{Authority, Cause, Client, ClientError, ClientId, GrantId, Secret, Time};

/// Where a secret is on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SecretState {
    /// Not accepted yet.
    Pending,
    /// Accepted, without an end.
    Active,
    /// Accepted, and its end is known.
    Retiring,
    /// No longer accepted.
    Retired,
    /// Withdrawn from one moment to the next.
    Revoked,
}

/// Why the timeline of secrets could not be changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SecretError {
    /// No such client, or one without secrets.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// No such secret.
    #[error("client {0:?} has no such secret")]
    Unknown(ClientId),
    /// It is the client's already.
    #[error("client {0:?} has this secret already")]
    Taken(ClientId),
    /// It is no longer accepted, so its end cannot be moved.
    #[error("this secret of client {0:?} is no longer accepted")]
    Over(ClientId),
    /// RFC 6749 appendix A.2 knows printable ASCII and the space only.
    #[error("a client secret is one or more printable ASCII characters or spaces")]
    Malformed,
}

impl Secret {
    /// A secret that is accepted from a moment on.
    #[must_use]
    pub fn from(value: &str, from: Time) -> Self {
        Self { value: value.to_owned(), from, until: None, revoked: false }
    }

    /// Where it is on its way at `now`.
    #[must_use]
    pub fn state(&self, now: Time) -> SecretState {
        match self.until {
            Some(until) if until <= now && self.revoked => SecretState::Revoked,
            Some(until) if until <= now => SecretState::Retired,
            _ if now < self.from => SecretState::Pending,
            Some(_) => SecretState::Retiring,
            None => SecretState::Active,
        }
    }
}

impl Authority {
    /// Adds `secret` to the client's timeline; the secrets valid now are retired after `overlap`. Returns the grants that this ended.
    ///
    /// # Errors
    /// Unknown or public client.
    pub fn rotate_secret(&mut self, now: Time, client: &str, secret: String, overlap: Duration) -> Result<Vec<GrantId>, ClientError> {
        let known = self.confidential(client)?;
        let retired = now.plus(overlap);
        for old in known.secrets.iter_mut().filter(|old| old.is_valid(now)) {
            old.until = Some(old.until.map_or(retired, |until| until.min(retired)));
        }
        known.secrets.push(Secret { value: secret, from: now, until: None, revoked: false });
        if !self.policy().rotation_ends_grants {
            return Ok(Vec::new());
        }
        let held: Vec<GrantId> = self.live_grants_of(client).collect();
        Ok(held.into_iter().filter(|grant| self.revoke(now, *grant, Cause::CredentialRotation)).collect())
    }

    /// Adds `secret` beside those there are, accepted from a moment on.
    ///
    /// # Errors
    /// Unknown or public client; a secret that it has already, or that no client can have.
    pub fn add_secret(&mut self, client: &str, secret: &str, from: Time) -> Result<(), SecretError> {
        let known = self.confidential(client)?;
        if secret.is_empty() || !secret.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic()) {
            return Err(SecretError::Malformed);
        }
        if known.secrets.iter().any(|other| other.value == secret) {
            return Err(SecretError::Taken(client.to_owned()));
        }
        known.secrets.push(Secret::from(secret, from));
        Ok(())
    }

    /// Lets a secret be accepted until a moment (exclusive), be that earlier or later than was said before.
    ///
    /// # Errors
    /// Unknown or public client; an unknown secret, or one that is over.
    pub fn retire_secret(&mut self, now: Time, client: &str, secret: &str, until: Time) -> Result<(), SecretError> {
        let found = self.secret_mut(client, secret)?;
        if found.until.is_some_and(|until| until <= now) {
            return Err(SecretError::Over(client.to_owned()));
        }
        found.until = Some(until.max(now));
        Ok(())
    }

    /// Withdraws a secret at once, whenever it was to end.
    ///
    /// # Errors
    /// Unknown or public client; an unknown secret.
    pub fn revoke_secret(&mut self, now: Time, client: &str, secret: &str) -> Result<(), SecretError> {
        let found = self.secret_mut(client, secret)?;
        found.until = Some(found.until.map_or(now, |until| until.min(now)));
        found.revoked = true;
        Ok(())
    }

    fn confidential(&mut self, client: &str) -> Result<&mut Client, ClientError> {
        let Some(known) = self.clients.get_mut(client) else { return Err(ClientError::Unknown(client.to_owned())) };
        if known.client.is_public() { Err(ClientError::Public(client.to_owned())) } else { Ok(&mut known.client) }
    }

    fn secret_mut(&mut self, client: &str, secret: &str) -> Result<&mut Secret, SecretError> {
        let known = &mut self.confidential(client)?.secrets;
        known.iter_mut().find(|known| known.value == secret).ok_or_else(|| SecretError::Unknown(client.to_owned()))
    }
}

#[cfg(test)]
mod tests;
