//! The timeline of a client's secrets, from Rust: add, overlap, retire, revoke, rotate.

use std::time::Duration;

use regrant_authority::{Authority, Cause, Client, ClientError, Kind, Secret, SecretError, SecretState, Time};
use serde::Serialize;

use crate::{
    Control,
    control::Action,
    fault::scenario::{RetireSecret, RevokeSecret, RotateSecret},
    state::State,
    vault::Canary,
};

/// One secret of a client, by name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SecretShown {
    /// `secret#2`; one that was given from outside is `configured#1`, by its place in the timeline.
    pub name: String,
    /// Accepted from this moment on, on the provider's clock.
    pub from: Time,
    /// Accepted until this moment (exclusive); `None`: no end is known.
    pub until: Option<Time>,
    /// Where it is on its way.
    pub state: SecretState,
}

impl Control {
    /// The timeline of the (first or named) client's secrets, in the order in which they were added.
    ///
    /// # Errors
    /// An unknown or a public client.
    pub fn secrets(&self, client: Option<&str>) -> Result<Vec<SecretShown>, ClientError> {
        let state = self.shared.state();
        let now = self.shared.clock.now();
        let client = confidential(&state, client)?;
        let shown = |(place, name)| client.secrets.get(place).map(|secret| (name, secret));
        let known = names(&state, client).into_iter().enumerate().filter_map(shown);
        Ok(known.map(|(name, secret)| SecretShown { name, from: secret.from, until: secret.until, state: secret.state(now) }).collect())
    }

    /// Adds a secret beside those there are, accepted after a while: a random one, or `value`, which then is no canary.
    ///
    /// # Errors
    /// An unknown or a public client; a value that it has already, or that no client can have.
    pub fn add_secret(&self, client: Option<&str>, value: Option<&str>, after: Duration) -> Result<Canary, SecretError> {
        let mut state = self.shared.state();
        let id = confidential(&state, client)?.id.clone();
        let now = self.shared.clock.now();
        let canary = match value {
            None => state.secret(&self.shared.journal),
            Some(value) => {
                let place = state.authority.client(&id).map_or(0, |client| client.secrets.len()) + 1;
                Canary { name: format!("configured#{place}"), value: value.to_owned(), kind: Kind::Secret, grant: None }
            }
        };
        state.authority.add_secret(&id, &canary.value, now.plus(after))?;
        self.told(Action::SecretChanged { client: id, secret: canary.name.clone(), change: SecretChange::Added });
        Ok(canary)
    }

    /// Lets a secret, by name or value, end after a while, be that earlier or later than was said before.
    ///
    /// # Errors
    /// An unknown or a public client; an unknown secret, or one that is over.
    pub fn retire_secret(&self, client: Option<&str>, secret: &str, after: Duration) -> Result<(), SecretError> {
        self.change_secret(client, secret, SecretChange::Retired, |authority, now, client, value| {
            authority.retire_secret(now, client, value, now.plus(after))
        })
    }

    /// Withdraws a secret, by name or value, at once.
    ///
    /// # Errors
    /// An unknown or a public client; an unknown secret.
    pub fn revoke_secret(&self, client: Option<&str>, secret: &str) -> Result<(), SecretError> {
        self.change_secret(client, secret, SecretChange::Revoked, Authority::revoke_secret)
    }

    /// Gives the (first or named) client a new secret; the old ones end after `overlap`. Returns the new canary.
    ///
    /// # Errors
    /// An unknown or a public client.
    pub fn rotate_secret(&self, client: Option<&str>, overlap: Duration) -> Result<Canary, ClientError> {
        self.rotate(client, overlap, false)
    }

    /// [`rotate_secret`](Self::rotate_secret) of the first client as a scenario says; ending its grants is left to the caller.
    ///
    /// # Errors
    /// A public client.
    pub fn rotate_secret_as(&self, how: &RotateSecret) -> Result<Canary, ClientError> {
        self.rotate(None, how.overlap.unwrap_or_default(), how.odd)
    }

    /// [`retire_secret`](Self::retire_secret) of the first client as a scenario says.
    ///
    /// # Errors
    /// A public client; no such secret, or none that is accepted.
    pub fn retire_secret_as(&self, how: &RetireSecret) -> Result<(), SecretError> {
        self.retire_secret(None, &self.meant(how.secret.as_deref())?, how.after.unwrap_or_default())
    }

    /// [`revoke_secret`](Self::revoke_secret) of the first client as a scenario says.
    ///
    /// # Errors
    /// A public client; no such secret, or none that is accepted.
    pub fn revoke_secret_as(&self, how: &RevokeSecret) -> Result<(), SecretError> {
        self.revoke_secret(None, &self.meant(how.secret.as_deref())?)
    }

    /// The name of a secret of the first client: as told, else of the oldest that is accepted.
    fn meant(&self, told: Option<&str>) -> Result<String, SecretError> {
        if let Some(name) = told {
            return Ok(name.to_owned());
        }
        let is_accepted = |secret: &SecretShown| matches!(secret.state, SecretState::Active | SecretState::Retiring);
        let oldest = self.secrets(None)?.into_iter().find(is_accepted);
        oldest
            .map(|secret| secret.name)
            .ok_or_else(|| SecretError::Unknown(self.shared.state().clients.first().cloned().unwrap_or_default()))
    }

    fn rotate(&self, client: Option<&str>, overlap: Duration, odd: bool) -> Result<Canary, ClientError> {
        let mut state = self.shared.state();
        let id = confidential(&state, client)?.id.clone();
        let canary = if odd { state.odd_secret(&self.shared.journal) } else { state.secret(&self.shared.journal) };
        let grants = state.authority.rotate_secret(self.shared.clock.now(), &id, canary.value.clone(), overlap)?;
        self.told(Action::SecretRotated { client: id, secret: canary.name.clone(), odd });
        if !grants.is_empty() {
            self.told(Action::Revoked { grants, cause: Cause::CredentialRotation });
        }
        Ok(canary)
    }

    fn change_secret(
        &self,
        client: Option<&str>,
        secret: &str,
        change: SecretChange,
        act: impl FnOnce(&mut Authority, Time, &str, &str) -> Result<(), SecretError>,
    ) -> Result<(), SecretError> {
        let mut state = self.shared.state();
        let known = confidential(&state, client)?;
        let (id, names) = (known.id.clone(), names(&state, known));
        let named = names.iter().zip(&known.secrets).find(|(name, known)| *name == secret || known.value == secret);
        let Some((name, value)) = named.map(|(name, known)| (name.clone(), known.value.clone())) else {
            return Err(SecretError::Unknown(id));
        };
        act(&mut state.authority, self.shared.clock.now(), &id, &value)?;
        self.told(Action::SecretChanged { client: id, secret: name, change });
        Ok(())
    }
}

/// What was done to a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum SecretChange {
    /// It was added.
    Added,
    /// Its end was set.
    Retired,
    /// It was withdrawn.
    Revoked,
}

/// The named client, or the first.
fn confidential<'a>(state: &'a State, client: Option<&str>) -> Result<&'a Client, ClientError> {
    let id = client.or(state.clients.first().map(String::as_str)).unwrap_or_default();
    match state.authority.client(id) {
        None => Err(ClientError::Unknown(id.to_owned())),
        Some(client) if client.is_public() => Err(ClientError::Public(id.to_owned())),
        Some(client) => Ok(client),
    }
}

/// What a client's secrets are called.
fn names(state: &State, client: &Client) -> Vec<String> {
    let name = |(place, secret): (usize, &Secret)| {
        state.vault.secret(&secret.value).map_or_else(|| format!("configured#{}", place + 1), str::to_owned)
    };
    client.secrets.iter().enumerate().map(name).collect()
}
