//! Using a refresh token, and what becomes of it (RFC 6749 section 6, RFC 9700 section 4.14.2).
//!
//! A token that is unknown here, or another client's, is refused and nothing else happens. A dead one of the client's own
//! is refused in the policy's words. Under [`Rotation::StrictRevokeFamily`] it ends its family too: as reuse if it is
//! superseded and that switch is on, otherwise as expired if it is expired and that switch is on.
//!
//! The lifetime of a refresh token starts anew with each rotation (Pleo does not say). A narrower scope holds for the
//! access token alone; the next refresh may have all of the grant again.

use std::sync::Arc;

use crate::{
    Authority, EndedBy, Issued, Kind, Refusal, Rotation, Time, TokenState, Witness,
    authenticate::Proven,
    family::{AccessRecord, Family, RefreshRecord},
    mint::Press,
    scope,
};

impl Authority {
    pub(crate) fn refresh(
        &mut self,
        now: Time,
        who: &Proven,
        token: Option<&str>,
        scope: Option<&str>,
        witness: &mut dyn Witness,
    ) -> Result<Issued, Refusal> {
        let Some(token) = token else { return Err(Refusal::invalid_request("The parameter refresh_token is missing")) };
        let own = |stamp: &crate::Stamp| stamp.kind == Kind::Refresh && self.slot(stamp).is_some_and(|slot| slot.client() == &*who.id);
        let Some(stamp) = self.mint.read(token).filter(own) else {
            return Err(Refusal::dead_refresh(&self.policy, TokenState::Unknown));
        };
        let state = self.state_of(now, &stamp);
        match state {
            TokenState::Active => {}
            TokenState::Superseded | TokenState::Expired => {
                let over = self.family(stamp.grant).is_some_and(|family| Self::refresh_is_over(now, family, stamp.number));
                if let Some(by) = self.replay(state, over) {
                    self.end(now, stamp.grant, by);
                }
                return Err(Refusal::dead_refresh(&self.policy, state));
            }
            TokenState::Revoked(_) | TokenState::FamilyEnded | TokenState::Rejected | TokenState::Used | TokenState::Unknown => {
                return Err(Refusal::dead_refresh(&self.policy, state));
            }
        }
        let Some((family, press)) = self.press(stamp.grant, witness) else {
            return Err(Refusal::dead_refresh(&self.policy, TokenState::Unknown));
        };
        let scopes = press.terms.narrow(scope::narrowed(scope, &family.scopes)?);
        let was_rotated = family.refresh(stamp.number).is_some_and(|record| record.rotated.is_some());
        let rotation = press.terms.rotation(press.policy);
        let mut use_of = Use { now, press, used: stamp.number, scopes, secret: who.secret };
        Ok(match rotation {
            Rotation::StrictRevokeFamily | Rotation::Strict | Rotation::Lenient | Rotation::Grace { sibling: true, .. } => {
                use_of.rotate(family)
            }
            Rotation::Grace { sibling: false, .. } if was_rotated => use_of.repeat(family),
            Rotation::Grace { sibling: false, .. } => use_of.rotate(family),
            Rotation::Off => Issued { refresh_token: None, ..use_of.renew(family) },
        })
    }

    /// What a replay of a superseded or expired token brings upon its family.
    fn replay(&self, state: TokenState, over: bool) -> Option<EndedBy> {
        match self.policy.rotation {
            Rotation::StrictRevokeFamily if state == TokenState::Superseded && self.policy.reuse_ends_family => Some(EndedBy::Reuse),
            Rotation::StrictRevokeFamily if over && self.policy.expired_ends_family => Some(EndedBy::ExpiredReplay),
            Rotation::StrictRevokeFamily | Rotation::Strict | Rotation::Grace { .. } | Rotation::Lenient | Rotation::Off => None,
        }
    }
}

/// One good use of a code or a refresh token.
pub(crate) struct Use<'a> {
    pub(crate) now: Time,
    pub(crate) press: Press<'a>,
    /// The number of the refresh token; 0 for a code.
    pub(crate) used: u64,
    pub(crate) scopes: Arc<[String]>,
    /// The secret that the client has shown.
    pub(crate) secret: Option<u32>,
}

impl Use<'_> {
    /// A new access token and a new refresh token that is now the family's newest.
    pub(crate) fn issue_pair(&mut self, family: &mut Family) -> Issued {
        let (access, access_token) = self.issue_access(family);
        let (stamp, refresh_token) = self.press.strike(Kind::Refresh);
        family.refresh.push(RefreshRecord {
            number: stamp.number,
            look: stamp.look,
            issued: self.now,
            expires: self.now.plus(self.press.policy.refresh_lifetime),
            access,
            rotated: None,
            secret: self.secret,
        });
        self.answer(access_token, Some(refresh_token))
    }

    fn rotate(&mut self, family: &mut Family) -> Issued {
        self.supersede_access(family);
        match self.press.policy.rotation {
            // Only the newest will count.
            Rotation::StrictRevokeFamily | Rotation::Strict | Rotation::Off => family.refresh.clear(),
            Rotation::Grace { .. } | Rotation::Lenient => {}
        }
        let issued = self.issue_pair(family);
        let next = family.newest().map_or(0, |newest| newest.number);
        if let Some(record) = family.refresh_mut(self.used) {
            // The first successor is the one that a repeated use answers.
            record.rotated.get_or_insert((self.now, next));
        }
        if let Rotation::Grace { window, .. } = self.press.policy.rotation {
            family.refresh.retain(|record| record.rotated.is_none_or(|(at, _)| self.now.since(at) < window));
        }
        family.generation = family.generation.saturating_add(1);
        issued
    }

    /// The answer that was given before, with another access token if that one is no longer good or has other scopes.
    fn repeat(&mut self, family: &mut Family) -> Issued {
        let Some(last) = family.refresh(self.used).map(|record| family.end_of_line(record)) else { return self.renew(family) };
        self.used = last.number;
        let refresh_token = self.press.again(Kind::Refresh, (last.number, last.look));
        match family.access(last.access.0) {
            Some(access)
                if *access.scopes.as_ref().unwrap_or(&family.scopes) == self.scopes
                    && family.access_state(self.now, access.number) == TokenState::Active =>
            {
                let access_token = self.press.again(Kind::Access, (access.number, access.look));
                Issued { expires_in: access.expires.since(self.now), ..self.answer(access_token, Some(refresh_token)) }
            }
            Some(_) | None => self.renew(family),
        }
    }

    /// A new access token for the same refresh token.
    fn renew(&mut self, family: &mut Family) -> Issued {
        self.supersede_access(family);
        let (access, access_token) = self.issue_access(family);
        let refresh_token = family.refresh_mut(self.used).map(|record| {
            record.access = access;
            self.press.again(Kind::Refresh, (record.number, record.look))
        });
        self.answer(access_token, refresh_token)
    }

    fn issue_access(&mut self, family: &mut Family) -> ((u64, crate::Look), String) {
        family.access.retain(|access| self.now < access.expires);
        let (stamp, token) = self.press.strike(Kind::Access);
        family.access.push(AccessRecord {
            number: stamp.number,
            look: stamp.look,
            scopes: (self.scopes != family.scopes).then(|| self.scopes.clone()),
            issued: self.now,
            expires: self.now.plus(self.press.access_lifetime()),
            superseded: false,
            rejected: false,
        });
        ((stamp.number, stamp.look), token)
    }

    fn answer(&self, access_token: String, refresh_token: Option<String>) -> Issued {
        let (grant, expires_in, scopes) = (self.press.grant, self.press.access_lifetime(), self.scopes.clone());
        Issued { grant, access_token, refresh_token, expires_in, scopes }
    }

    /// Kills the access tokens that this use replaces: all of the family's, but where siblings may live side by side only its own.
    fn supersede_access(&mut self, family: &mut Family) {
        if !self.press.policy.refresh_kills_access {
            return;
        }
        match self.press.policy.rotation {
            Rotation::StrictRevokeFamily | Rotation::Strict | Rotation::Grace { sibling: false, .. } | Rotation::Off => {
                family.access.clear();
                family.killed_up_to = self.press.minted.last_access();
            }
            Rotation::Grace { sibling: true, .. } => {
                let own = family.refresh(self.used).map(|record| record.access.0);
                if let Some(access) = family.access.iter_mut().find(|access| Some(access.number) == own) {
                    access.superseded = true;
                }
            }
            Rotation::Lenient => {}
        }
    }
}
