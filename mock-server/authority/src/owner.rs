//! What users and the provider's owner do to a grant behind the client's back.

use crate::{
    Authority, Cause, EndedBy, GrantId, Time, TokenState,
    family::{AccessRecord, RefreshRecord, Slot},
};

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
        let Some(family) = self.connected(grant) else { return false };
        let is_good = |record: &&RefreshRecord| self.refresh_state(now, family, record.number) == TokenState::Active;
        let good: Vec<u64> = family.refresh.iter().filter(is_good).map(|record| record.number).collect();
        if let Some(family) = self.family_mut(grant) {
            for record in family.refresh.iter_mut().filter(|record| good.contains(&record.number)) {
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
        match self.family_mut(grant).filter(|family| family.is_connected()) {
            Some(family) => {
                family.access.iter_mut().for_each(change);
                true
            }
            None => false,
        }
    }

    /// Ends a live grant; what ended it first stays on record.
    pub(crate) fn end(&mut self, now: Time, grant: GrantId, by: EndedBy) -> bool {
        let access_outlives = !self.policy.end_kills_access;
        match self.family_mut(grant).filter(|family| family.ended.is_none()) {
            Some(family) => {
                family.close(now, by, access_outlives);
                self.ended.push_back(grant);
                self.bury(now);
                true
            }
            None => false,
        }
    }

    /// Forgets the details of the grants that ended first, as many as are too many.
    fn bury(&mut self, now: Time) {
        let too_many = self.ended.len().saturating_sub(self.remember_ended);
        // At most two for each that ends, so that one whose access tokens outlive it holds nobody up.
        for _ in 0..too_many.min(2) {
            let Some(grant) = self.ended.pop_front() else { return };
            match self.family(grant).and_then(|family| family.tomb(now)) {
                Some(tomb) => {
                    if let Some(slot) = self.slots.get_mut(grant.place()) {
                        *slot = Slot::Gone(tomb);
                    }
                }
                None => self.ended.push_back(grant),
            }
        }
    }
}

#[cfg(test)]
mod tests;
