//! What users and the provider's owner do to a grant behind the client's back.

use crate::{Authority, Cause, EndedBy, GrantId, Time, TokenState, family::AccessRecord};

impl Authority {
    /// Ends a grant on purpose; its refresh tokens and (by policy) access tokens die. Idempotent; false if there is no such live grant.
    pub fn revoke(&mut self, now: Time, grant: GrantId, cause: Cause) -> bool {
        self.end(now, grant, EndedBy::Revoked(cause))
    }

    /// Lets the current access token of a grant expire now, with any other that the policy kept alive.
    ///
    /// False if there is no such live grant with tokens.
    pub fn expire_access(&mut self, now: Time, grant: GrantId) -> bool {
        self.each_access(grant, |access| access.expires = access.expires.min(now))
    }

    /// Lets the current refresh token of a grant expire now, with any other that the policy keeps alive.
    ///
    /// False if there is no such live grant with tokens.
    pub fn expire_refresh(&mut self, now: Time, grant: GrantId) -> bool {
        let Some(family) = self.live(grant) else { return false };
        let alive: Vec<String> = family.refresh.iter().filter(|token| self.state(now, token) == TokenState::Active).cloned().collect();
        for token in alive {
            if let Some(record) = self.refresh.get_mut(&token) {
                record.expires = now;
            }
        }
        true
    }

    /// Makes the API reject the current access token (401) though it is good by the clock; a refresh gives a good one.
    ///
    /// Holds for any other access token that the policy kept alive too. False if there is no such live grant with tokens.
    pub fn reject_access(&mut self, grant: GrantId) -> bool {
        self.each_access(grant, |access| access.rejected = true)
    }

    fn each_access(&mut self, grant: GrantId, change: impl Fn(&mut AccessRecord)) -> bool {
        let Some(tokens) = self.live(grant).map(|family| family.access.clone()) else { return false };
        for token in tokens {
            if let Some(record) = self.access.get_mut(&token) {
                change(record);
            }
        }
        true
    }
}

#[cfg(test)]
mod tests;
