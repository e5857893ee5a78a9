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
    Authority, Challenge, EndedBy, Issued, Kind, Refusal, Stamp, Time, TokenState, Witness,
    authenticate::Proven,
    family::{CodeFate, CodeRecord},
    refresh::Use,
};

/// What a token request says of its code.
pub(crate) struct Presented<'a> {
    pub(crate) code: Option<&'a str>,
    pub(crate) redirect_uri: Option<&'a str>,
    pub(crate) verifier: Option<&'a str>,
}

impl Authority {
    pub(crate) fn exchange(
        &mut self,
        now: Time,
        who: &Proven,
        presented: &Presented<'_>,
        witness: &mut dyn Witness,
    ) -> Result<Issued, Refusal> {
        let Some(code) = presented.code else { return Err(Refusal::invalid_request("The parameter code is missing")) };
        let own = |stamp: &Stamp| stamp.kind == Kind::Code && self.slot(stamp).is_some_and(|slot| slot.client() == &*who.id);
        let Some(stamp) = self.mint.read(code).filter(own) else {
            return Err(Refusal::bad_code(TokenState::Unknown, "The code was not issued to this client"));
        };
        let state = self.state_of(now, &stamp);
        match state {
            TokenState::Active => {}
            TokenState::Used => {
                if self.family(stamp.grant).is_some_and(|family| family.fate == CodeFate::Exchanged) {
                    self.end(now, stamp.grant, EndedBy::CodeReuse);
                }
                return Err(Refusal::bad_code(state, "The code was used before"));
            }
            TokenState::Expired => return Err(Refusal::bad_code(state, "The code has expired")),
            TokenState::Revoked(_) | TokenState::FamilyEnded | TokenState::Superseded | TokenState::Rejected | TokenState::Unknown => {
                return Err(Refusal::bad_code(state, "The code is no longer good"));
            }
        }
        let known = self.press(stamp.grant, witness).and_then(|(family, press)| {
            let record = family.code.take()?;
            Some((family, press, record))
        });
        let Some((family, press, record)) = known else {
            return Err(Refusal::bad_code(TokenState::Unknown, "The code is no longer good"));
        };
        if let Err(reason) = record.check(presented) {
            family.fate = CodeFate::Burnt;
            return Err(Refusal::bad_code(state, reason));
        }
        family.fate = CodeFate::Exchanged;
        let scopes = press.terms.narrow(family.scopes.clone());
        Ok(Use { now, press, used: 0, scopes, secret: who.secret }.issue_pair(family))
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
