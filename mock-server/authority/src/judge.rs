//! What is a code or token good for just now? Pure questions; asking changes nothing.
//!
//! Where several answers are true, the first of this order is given: the grant's end, superseded, expired, rejected.
//! A code that was used stays so, whatever became of its grant.

use crate::{
    Authority, Rotation, Time, TokenState,
    family::{AccessRecord, CodeFate, CodeRecord, Family, RefreshRecord},
};

impl Authority {
    pub(crate) fn code_state(&self, now: Time, code: &CodeRecord) -> TokenState {
        match code.fate {
            CodeFate::Exchanged | CodeFate::Burnt => TokenState::Used,
            CodeFate::Fresh => match self.family(code.grant).and_then(Family::end) {
                Some(end) => end,
                None if now >= code.expires => TokenState::Expired,
                None => TokenState::Active,
            },
        }
    }

    pub(crate) fn access_state(&self, now: Time, access: &AccessRecord) -> TokenState {
        match self.family(access.grant).and_then(Family::end_of_access) {
            Some(end) => end,
            None if access.superseded => TokenState::Superseded,
            None if now >= access.expires => TokenState::Expired,
            None if access.rejected => TokenState::Rejected,
            None => TokenState::Active,
        }
    }

    pub(crate) fn refresh_state(&self, now: Time, token: &str, refresh: &RefreshRecord) -> TokenState {
        let Some(family) = self.family(refresh.grant) else { return TokenState::Unknown };
        match family.end() {
            Some(end) => end,
            None if self.is_superseded(now, token, refresh, family) => TokenState::Superseded,
            None if now >= refresh.expires || self.successor_expired(now, token) => TokenState::Expired,
            None => TokenState::Active,
        }
    }

    /// The youngest token that grew out of `token` by rotation; `token` itself if it was never rotated.
    pub(crate) fn end_of_line<'a>(&'a self, token: &'a str) -> &'a str {
        // A successor is always younger, so this ends.
        let mut last = token;
        while let Some((_, next)) = self.refresh.get(last).and_then(|refresh| refresh.rotated.as_ref()) {
            last = next;
        }
        last
    }

    /// Under the strict policies only the newest refresh token counts, also after a laxer policy let siblings grow.
    fn is_superseded(&self, now: Time, token: &str, refresh: &RefreshRecord, family: &Family) -> bool {
        match self.policy().rotation {
            Rotation::StrictRevokeFamily | Rotation::Strict | Rotation::Off => family.newest.as_deref() != Some(token),
            Rotation::Grace { window, .. } => refresh.rotated.as_ref().is_some_and(|&(at, _)| now.since(at) >= window),
            Rotation::Lenient => false,
        }
    }

    /// Where a superseded token answers its successor, it is no better than that.
    fn successor_expired(&self, now: Time, token: &str) -> bool {
        match self.policy().rotation {
            Rotation::Grace { sibling: false, .. } => self.refresh.get(self.end_of_line(token)).is_some_and(|last| now >= last.expires),
            Rotation::Grace { sibling: true, .. } | Rotation::StrictRevokeFamily | Rotation::Strict | Rotation::Lenient | Rotation::Off => {
                false
            }
        }
    }
}
