//! What is a code or token good for just now? Pure questions; asking changes nothing.
//!
//! Where several answers are true, the first of this order is given: the grant's end, superseded, its secret ended (by policy),
//! expired, rejected. A code that was used stays so, whatever became of its grant. A refresh token that a rotation left behind
//! is forgotten there and then: a laxer policy does not bring it back. An access token that died alone, among siblings, counts
//! as expired once its time is over.

use crate::{
    Authority, Cause, Kind, Rotation, Stamp, Time, TokenState,
    family::{CodeFate, Family, RefreshRecord, Slot, Tomb},
};

impl Authority {
    /// What an access token, a refresh token or a code is good for just now, without using it. Codes and refresh tokens of every age are known.
    #[must_use]
    pub fn state(&self, now: Time, token: &str) -> TokenState {
        self.mint.read(token).map_or(TokenState::Unknown, |stamp| self.state_of(now, &stamp))
    }

    pub(crate) fn state_of(&self, now: Time, stamp: &Stamp) -> TokenState {
        match self.slot(stamp) {
            None => TokenState::Unknown,
            Some(Slot::Gone(tomb)) => tomb.state(stamp.kind),
            Some(Slot::Kept(family)) => match stamp.kind {
                Kind::Code => family.code_state(now),
                Kind::Access => family.access_state(now, stamp.number),
                Kind::Refresh => self.refresh_state(now, family, stamp.number),
                Kind::Secret => TokenState::Unknown,
            },
        }
    }

    /// The grant of a secret that was made here.
    pub(crate) fn slot(&self, stamp: &Stamp) -> Option<&Slot> {
        self.slots.get(stamp.grant.place()).filter(|_| self.minted.knows(stamp))
    }

    pub(crate) fn refresh_state(&self, now: Time, family: &Family, number: u64) -> TokenState {
        if let Some(end) = family.end() {
            return end;
        }
        let Some(newest) = family.newest().filter(|newest| number <= newest.number) else { return TokenState::Unknown };
        let Some(refresh) = family.refresh(number) else { return TokenState::Superseded };
        if self.is_superseded(now, refresh, newest) {
            TokenState::Superseded
        } else if self.has_lost_its_secret(now, family, refresh) {
            TokenState::Revoked(Cause::CredentialRotation)
        } else if now >= refresh.expires || self.successor_expired(now, family, refresh) {
            TokenState::Expired
        } else {
            TokenState::Active
        }
    }

    /// Whether the time of a refresh token is over. A forgotten one has as long as the newest of its family: it was issued before.
    pub(crate) fn refresh_is_over(now: Time, family: &Family, number: u64) -> bool {
        family.refresh(number).or(family.newest()).is_some_and(|refresh| now >= refresh.expires)
    }

    /// Under the strict policies only the newest refresh token counts, also after a laxer policy let siblings grow.
    fn is_superseded(&self, now: Time, refresh: &RefreshRecord, newest: &RefreshRecord) -> bool {
        match self.policy().rotation {
            Rotation::StrictRevokeFamily | Rotation::Strict | Rotation::Off => newest.number != refresh.number,
            Rotation::Grace { window, .. } => refresh.rotated.is_some_and(|(at, _)| now.since(at) >= window),
            Rotation::Lenient => false,
        }
    }

    /// Where refresh tokens are bound to the secret they were issued under, they die with it.
    fn has_lost_its_secret(&self, now: Time, family: &Family, refresh: &RefreshRecord) -> bool {
        let secret = || {
            let place = usize::try_from(refresh.secret?).ok()?;
            self.client(&family.client)?.secrets.get(place)
        };
        self.policy().refresh_bound_to_secret && secret().is_some_and(|secret| !secret.is_valid(now))
    }

    /// Where a superseded token answers its successor, it is no better than that.
    fn successor_expired(&self, now: Time, family: &Family, refresh: &RefreshRecord) -> bool {
        match self.policy().rotation {
            Rotation::Grace { sibling: false, .. } => now >= family.end_of_line(refresh).expires,
            Rotation::Grace { sibling: true, .. } | Rotation::StrictRevokeFamily | Rotation::Strict | Rotation::Lenient | Rotation::Off => {
                false
            }
        }
    }
}

impl Family {
    pub(crate) fn code_state(&self, now: Time) -> TokenState {
        match self.fate {
            CodeFate::Exchanged | CodeFate::Burnt => TokenState::Used,
            CodeFate::Fresh => match (self.end(), &self.code) {
                (Some(end), _) => end,
                (None, Some(code)) if now < code.expires => TokenState::Active,
                (None, _) => TokenState::Expired,
            },
        }
    }

    pub(crate) fn access_state(&self, now: Time, number: u64) -> TokenState {
        if let Some(end) = self.end_of_access() {
            return end;
        }
        if number <= self.killed_up_to {
            return TokenState::Superseded;
        }
        match self.access(number) {
            Some(access) if now < access.expires && access.superseded => TokenState::Superseded,
            Some(access) if now < access.expires && access.rejected => TokenState::Rejected,
            Some(access) if now < access.expires => TokenState::Active,
            Some(_) | None => TokenState::Expired,
        }
    }

    /// The youngest token that grew out of `refresh` by rotation; itself if it was never rotated.
    pub(crate) fn end_of_line<'a>(&'a self, refresh: &'a RefreshRecord) -> &'a RefreshRecord {
        // A successor is always younger, so this ends.
        let mut last = refresh;
        while let Some(next) = last.rotated.and_then(|(_, next)| self.refresh(next)) {
            last = next;
        }
        last
    }
}

impl Tomb {
    fn state(&self, kind: Kind) -> TokenState {
        match kind {
            Kind::Code if self.fate != CodeFate::Fresh => TokenState::Used,
            Kind::Access if self.access_outlived => TokenState::Expired,
            Kind::Code | Kind::Access | Kind::Refresh => self.by.makes(),
            Kind::Secret => TokenState::Unknown,
        }
    }
}
