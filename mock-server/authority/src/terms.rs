//! Terms of one token request that differ from the policy, such as a server may set at any time: another lifetime, fewer scopes
//! (RFC 6749 section 3.3), no new refresh token (section 6: then the old one stays good).

use std::{sync::Arc, time::Duration};

use crate::{Authority, Issued, Policy, Refusal, Rotation, Time, TokenRequest, Witness};

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
    pub fn token_on(&mut self, terms: Terms, now: Time, request: &TokenRequest, witness: &mut dyn Witness) -> Result<Issued, Refusal> {
        self.terms = terms;
        let outcome = self.token(now, request, witness);
        self.terms = Terms::default();
        outcome
    }
}

impl Terms {
    /// What becomes of the refresh token that is used just now.
    pub(crate) fn rotation(&self, policy: &Policy) -> Rotation {
        if self.keeps_refresh { Rotation::Off } else { policy.rotation }
    }

    /// What is left of some scopes.
    pub(crate) fn narrow(&self, scopes: Arc<[String]>) -> Arc<[String]> {
        match &self.scopes {
            None => scopes,
            Some(Narrowed::First(count)) => scopes.iter().take(*count).cloned().collect(),
            Some(Narrowed::Only(named)) => scopes.iter().filter(|scope| named.contains(scope)).cloned().collect(),
        }
    }
}

#[cfg(test)]
mod tests;
