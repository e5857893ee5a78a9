//! Using a refresh token, and what becomes of it (RFC 6749 section 6, RFC 9700 section 4.14.2).
//!
//! A token that is unknown here, or another client's, is refused and nothing else happens. A dead one of the client's own
//! is refused in the policy's words. Under [`Rotation::StrictRevokeFamily`] it ends its family too: as reuse if it is
//! superseded and that switch is on, otherwise as expired if it is expired and that switch is on.
//!
//! The lifetime of a refresh token starts anew with each rotation (Pleo does not say). A narrower scope holds for the
//! access token alone; the next refresh may have all of the grant again.

use crate::{
    Authority, EndedBy, GrantId, Issued, Kind, Mint, Refusal, Rotation, Time, TokenState,
    family::{AccessRecord, RefreshRecord},
    scope,
};

impl Authority {
    pub(crate) fn refresh(
        &mut self,
        now: Time,
        client: &str,
        token: Option<&str>,
        scope: Option<&str>,
        mint: &mut dyn Mint,
    ) -> Result<Issued, Refusal> {
        let Some(token) = token else { return Err(Refusal::invalid_request("The parameter refresh_token is missing")) };
        let Some(record) = self.refresh.get(token).filter(|record| self.belongs(record.grant, client)) else {
            return Err(Refusal::dead_refresh(&self.policy, TokenState::Unknown));
        };
        let grant = record.grant;
        let state = self.refresh_state(now, token, record);
        match state {
            TokenState::Active => {}
            TokenState::Superseded | TokenState::Expired => {
                if let Some(by) = self.replay(state, now >= record.expires) {
                    self.end(now, grant, by);
                }
                return Err(Refusal::dead_refresh(&self.policy, state));
            }
            TokenState::Revoked(_) | TokenState::FamilyEnded | TokenState::Rejected | TokenState::Used | TokenState::Unknown => {
                return Err(Refusal::dead_refresh(&self.policy, state));
            }
        }
        let granted = self.family(grant).map(|family| family.grant.scopes.as_slice()).unwrap_or_default();
        let scopes = self.on_terms(scope::narrowed(scope, granted)?);
        let was_rotated = record.rotated.is_some();
        Ok(match self.rotation_now() {
            Rotation::StrictRevokeFamily | Rotation::Strict | Rotation::Lenient | Rotation::Grace { sibling: true, .. } => {
                self.rotate(now, grant, token, scopes, mint)
            }
            Rotation::Grace { sibling: false, .. } if was_rotated => self.repeat(now, grant, token, scopes, mint),
            Rotation::Grace { sibling: false, .. } => self.rotate(now, grant, token, scopes, mint),
            Rotation::Off => Issued { refresh_token: None, ..self.renew(now, grant, token, scopes, mint) },
        })
    }

    /// A new access token and a new refresh token that is now the family's newest.
    pub(crate) fn issue_pair(&mut self, now: Time, grant: GrantId, scopes: Vec<String>, mint: &mut dyn Mint) -> Issued {
        let access_token = self.issue_access(now, grant, &scopes, mint);
        let refresh_token = mint.mint(Kind::Refresh, grant);
        let expires = now.plus(self.policy.refresh_lifetime);
        self.refresh
            .insert(refresh_token.clone(), RefreshRecord { grant, issued: now, expires, access: access_token.clone(), rotated: None });
        if let Some(family) = self.family_mut(grant) {
            family.refresh.push(refresh_token.clone());
            family.newest = Some(refresh_token.clone());
        }
        Issued { grant, access_token, refresh_token: Some(refresh_token), expires_in: self.access_lifetime(), scopes }
    }

    /// What a replay of a superseded or expired token brings upon its family.
    fn replay(&self, state: TokenState, expired: bool) -> Option<EndedBy> {
        match self.policy.rotation {
            Rotation::StrictRevokeFamily if state == TokenState::Superseded && self.policy.reuse_ends_family => Some(EndedBy::Reuse),
            Rotation::StrictRevokeFamily if expired && self.policy.expired_ends_family => Some(EndedBy::ExpiredReplay),
            Rotation::StrictRevokeFamily | Rotation::Strict | Rotation::Grace { .. } | Rotation::Lenient | Rotation::Off => None,
        }
    }

    fn rotate(&mut self, now: Time, grant: GrantId, token: &str, scopes: Vec<String>, mint: &mut dyn Mint) -> Issued {
        self.supersede_access(grant, token);
        let issued = self.issue_pair(now, grant, scopes, mint);
        if let (Some(record), Some(next)) = (self.refresh.get_mut(token), &issued.refresh_token) {
            // The first successor is the one that a repeated use answers.
            record.rotated.get_or_insert_with(|| (now, next.clone()));
        }
        if let Some(family) = self.family_mut(grant) {
            family.grant.generation = family.grant.generation.saturating_add(1);
        }
        issued
    }

    /// The answer that was given before, with another access token if that one is no longer good or has other scopes.
    fn repeat(&mut self, now: Time, grant: GrantId, token: &str, scopes: Vec<String>, mint: &mut dyn Mint) -> Issued {
        let last = self.end_of_line(token).to_owned();
        let known = self.refresh.get(&last).and_then(|refresh| self.access.get_key_value(&refresh.access));
        match known {
            Some((access_token, access)) if access.scopes == scopes && self.access_state(now, access) == TokenState::Active => Issued {
                grant,
                access_token: access_token.clone(),
                refresh_token: Some(last),
                expires_in: access.expires.since(now),
                scopes,
            },
            Some(_) | None => self.renew(now, grant, &last, scopes, mint),
        }
    }

    /// A new access token for the same refresh token.
    fn renew(&mut self, now: Time, grant: GrantId, token: &str, scopes: Vec<String>, mint: &mut dyn Mint) -> Issued {
        self.supersede_access(grant, token);
        let access_token = self.issue_access(now, grant, &scopes, mint);
        if let Some(record) = self.refresh.get_mut(token) {
            record.access.clone_from(&access_token);
        }
        Issued { grant, access_token, refresh_token: Some(token.to_owned()), expires_in: self.access_lifetime(), scopes }
    }

    fn issue_access(&mut self, now: Time, grant: GrantId, scopes: &[String], mint: &mut dyn Mint) -> String {
        let token = mint.mint(Kind::Access, grant);
        let expires = now.plus(self.access_lifetime());
        self.access.insert(
            token.clone(),
            AccessRecord { grant, scopes: scopes.to_vec(), issued: now, expires, superseded: false, rejected: false },
        );
        if let Some(family) = self.family_mut(grant) {
            family.access.push(token.clone());
        }
        token
    }

    /// The access tokens that a use of `token` kills: all of the family's, but where siblings may live side by side only its own.
    fn supersede_access(&mut self, grant: GrantId, token: &str) {
        if !self.policy.refresh_kills_access {
            return;
        }
        let own = self.refresh.get(token).map(|record| record.access.clone());
        let Some(family) = self.families.get_mut(index(grant)) else { return };
        let killed: Vec<String> = match self.policy.rotation {
            Rotation::StrictRevokeFamily | Rotation::Strict | Rotation::Grace { sibling: false, .. } | Rotation::Off => {
                std::mem::take(&mut family.access)
            }
            Rotation::Grace { sibling: true, .. } => family.access.extract_if(.., |access| own.as_ref() == Some(access)).collect(),
            Rotation::Lenient => Vec::new(),
        };
        for access in killed {
            if let Some(record) = self.access.get_mut(&access) {
                record.superseded = true;
            }
        }
    }
}

/// Where a grant stands among the families.
pub(crate) fn index(grant: GrantId) -> usize {
    usize::try_from(grant.0).unwrap_or(usize::MAX).wrapping_sub(1)
}

#[cfg(test)]
mod tests;
