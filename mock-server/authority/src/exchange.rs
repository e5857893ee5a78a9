//! Exchanging an authorization code (RFC 6749 sections 4.1.2 to 4.1.4, RFC 7636 section 4.6, RFC 9700 section 4.8.2).
//!
//! Checked in this order, each failure `invalid_grant`:
//!
//! 1. An unknown code, or another client's: refused; the code stays good for its owner.
//! 2. A code that gave tokens before: refused, and the family it gave ends. A burnt code: refused.
//! 3. A code of an ended grant, or an expired one: refused.
//! 4. A wrong redirect URI or verifier, or a verifier where no challenge was sent: refused, and the code is burnt, since
//!    its owner has made the one attempt a code is good for and nobody may guess on.

use crate::{
    Authority, Challenge, EndedBy, Issued, Mint, Refusal, Time, TokenState,
    family::{CodeFate, CodeRecord},
};

/// What a token request says of its code.
pub(crate) struct Presented<'a> {
    pub(crate) code: Option<&'a str>,
    pub(crate) redirect_uri: Option<&'a str>,
    pub(crate) verifier: Option<&'a str>,
}

impl Authority {
    pub(crate) fn exchange(&mut self, now: Time, client: &str, presented: &Presented<'_>, mint: &mut dyn Mint) -> Result<Issued, Refusal> {
        let Some(code) = presented.code else { return Err(Refusal::invalid_request("The parameter code is missing")) };
        let Some(record) = self.codes.get(code).filter(|record| record.client_id == client) else {
            return Err(Refusal::bad_code(TokenState::Unknown, "The code was not issued to this client"));
        };
        let grant = record.grant;
        let state = self.code_state(now, record);
        match state {
            TokenState::Active => {}
            TokenState::Used => {
                if record.fate == CodeFate::Exchanged {
                    self.end(now, grant, EndedBy::CodeReuse);
                }
                return Err(Refusal::bad_code(state, "The code was used before"));
            }
            TokenState::Expired => return Err(Refusal::bad_code(state, "The code has expired")),
            TokenState::Revoked(_) | TokenState::FamilyEnded | TokenState::Superseded | TokenState::Rejected | TokenState::Unknown => {
                return Err(Refusal::bad_code(state, "The code is no longer good"));
            }
        }
        if let Err(reason) = record.check(presented) {
            self.settle(code, CodeFate::Burnt);
            return Err(Refusal::bad_code(state, reason));
        }
        self.settle(code, CodeFate::Exchanged);
        let scopes = self.family(grant).map(|family| family.grant.scopes.clone()).unwrap_or_default();
        let scopes = self.on_terms(scopes);
        Ok(self.issue_pair(now, grant, scopes, mint))
    }

    fn settle(&mut self, code: &str, fate: CodeFate) {
        if let Some(record) = self.codes.get_mut(code) {
            record.fate = fate;
        }
    }
}

impl CodeRecord {
    fn check(&self, presented: &Presented<'_>) -> Result<(), &'static str> {
        match presented.redirect_uri {
            None if self.redirect_uri_sent => return Err("The redirect_uri of the authorise request is missing"),
            Some(uri) if uri != self.redirect_uri => return Err("The redirect_uri differs from that of the authorise request"),
            None | Some(_) => {}
        }
        match (&self.challenge, presented.verifier) {
            (None, None) => Ok(()),
            (Some(challenge), Some(verifier)) => met(challenge, verifier),
            (Some(_), None) => Err("The code_verifier is missing"),
            (None, Some(_)) => Err("There is a code_verifier, but the authorise request had no code_challenge"),
        }
    }
}

fn met(challenge: &Challenge, verifier: &str) -> Result<(), &'static str> {
    if challenge.is_met_by(verifier) { Ok(()) } else { Err("The code_verifier does not match the code_challenge") }
}

#[cfg(test)]
mod tests;
