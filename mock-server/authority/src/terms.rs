//! Terms of one token request that differ from the policy, such as a server may set at any time: another lifetime, fewer scopes
//! (RFC 6749 section 3.3), no new refresh token (section 6: then the old one stays good).

use std::time::Duration;

use crate::{Authority, Issued, Mint, Refusal, Rotation, Time, TokenRequest};

/// What is different for one request. The default: nothing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Terms {
    /// Life of the access token.
    pub access_lifetime: Option<Duration>,
    /// A refresh gives an access token only; the refresh token that was presented stays as good as it was.
    pub keeps_refresh: bool,
    /// Which of the scopes that would be granted the access token gets.
    pub scopes: Option<Narrowed>,
}

/// A part of some scopes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Narrowed {
    /// The first so many.
    First(usize),
    /// Those that are named.
    Only(Vec<String>),
}

impl Authority {
    /// [`Authority::token`] on terms of its own.
    ///
    /// # Errors
    /// As [`Authority::token`].
    pub fn token_on(&mut self, terms: Terms, now: Time, request: &TokenRequest, mint: &mut dyn Mint) -> Result<Issued, Refusal> {
        self.terms = terms;
        let outcome = self.token(now, request, mint);
        self.terms = Terms::default();
        outcome
    }

    pub(crate) fn access_lifetime(&self) -> Duration {
        self.terms.access_lifetime.unwrap_or(self.policy.access_lifetime)
    }

    /// What becomes of the refresh token that is used just now.
    pub(crate) fn rotation_now(&self) -> Rotation {
        if self.terms.keeps_refresh { Rotation::Off } else { self.policy.rotation }
    }

    pub(crate) fn on_terms(&self, mut scopes: Vec<String>) -> Vec<String> {
        match &self.terms.scopes {
            None => {}
            Some(Narrowed::First(count)) => scopes.truncate(*count),
            Some(Narrowed::Only(named)) => scopes.retain(|scope| named.contains(scope)),
        }
        scopes
    }
}

#[cfg(test)]
mod tests;
