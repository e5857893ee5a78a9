//! What the reference expects of a step: an answer, and new facts.

use std::time::Duration;

use regrant_authority::{Cause, EndedBy, Rotation, TokenState};

use crate::{
    model::{Fact, Facts},
    steps::{Answer, KIOSK, Pair, Refused, Step, Verifier, Who},
};

/// What every user grants.
const ALL: &str = "read write";

impl Facts {
    pub(crate) fn expect(&mut self, step: &Step) -> Answer {
        match step {
            Step::Approve { client, challenge } => Answer::Consent(self.approve(client, *challenge)),
            Step::Exchange { who, code, verifier, right_redirect } => Answer::Tokens(self.exchange(who, code, *verifier, *right_redirect)),
            Step::Refresh { who, token, scope } => Answer::Tokens(self.refresh(who, token, *scope)),
            Step::Revoke { grant, cause } => {
                let alive = self.owner(*grant).is_some() && self.end(*grant).is_none();
                self.note_if(alive, Fact::Ended { grant: *grant, by: EndedBy::Revoked(*cause) })
            }
            Step::ExpireAccess { grant } => self.note_if(self.is_connected(*grant), Fact::AccessExpired { grant: *grant }),
            Step::RejectAccess { grant } => self.note_if(self.is_connected(*grant), Fact::AccessRejected { grant: *grant }),
            Step::ExpireRefresh { grant } => {
                let tokens = self.births().filter(|gift| gift.grant == *grant).map(|gift| gift.pair.to_owned());
                let tokens = tokens.filter(|token| self.state(token) == TokenState::Active).collect();
                self.note_if(self.is_connected(*grant), Fact::RefreshExpired { tokens })
            }
            Step::RotateSecret { client, value, overlap } => {
                if *client != KIOSK && self.policy().rotation_ends_grants {
                    let held: Vec<u32> = self.grants().filter(|known| known.1 == *client).map(|known| known.0).collect();
                    for grant in held.into_iter().filter(|grant| self.end(*grant).is_none()).collect::<Vec<_>>() {
                        self.note(Fact::Ended { grant, by: EndedBy::Revoked(Cause::CredentialRotation) });
                    }
                }
                self.note_if(*client != KIOSK, Fact::Secret { client, value: value.clone(), overlap: *overlap })
            }
            Step::AddSecret { client, value, after } => {
                let fact = Fact::SecretAdded { client, value: value.clone(), from: self.now + after };
                self.note_if(*client != KIOSK && !self.secrets(client).contains(&value.as_str()), fact)
            }
            Step::RetireSecret { client, value, after } => {
                let known = self.secrets(client).contains(&value.as_str()) && !self.is_over(client, value);
                self.note_if(known, Fact::SecretRetired { client, value: value.clone(), until: self.now + after })
            }
            Step::RevokeSecret { client, value } => {
                let known = self.secrets(client).contains(&value.as_str());
                self.note_if(known, Fact::SecretRevoked { client, value: value.clone() })
            }
            Step::Advance { by } => {
                self.now += by;
                Answer::Nothing
            }
            Step::Change { policy } => {
                self.note(Fact::Policy(policy.clone()));
                Answer::Nothing
            }
        }
    }

    fn note_if(&mut self, done: bool, fact: Fact) -> Answer {
        if done {
            self.note(fact);
        }
        Answer::Done(done)
    }

    fn approve(&mut self, client: &'static str, challenge: bool) -> Result<(u32, String), String> {
        if self.policy().pkce_required && !challenge {
            return Err("invalid_request".into());
        }
        let grant = u32::try_from(self.grants().count()).expect("few grants") + 1;
        let code = format!("Code-{grant}");
        self.note(Fact::Approved { grant, client, code: code.clone(), challenge });
        Ok((grant, code))
    }

    fn prove(&self, who: &Who) -> Result<(), Refused> {
        let barred = who.in_body && !who.secret.is_empty() && self.policy().strict_basic;
        let proven = if who.client == KIOSK { who.secret.is_empty() } else { self.knows(who.client, &who.secret) };
        if proven && !barred { Ok(()) } else { Err(Refused { status: 401, error: "invalid_client".into(), state: None }) }
    }

    fn exchange(&mut self, who: &Who, code: &str, verifier: Verifier, right_redirect: bool) -> Result<Pair, Refused> {
        self.prove(who)?;
        let no = |state| Err(Refused { status: 400, error: "invalid_grant".into(), state: Some(state) });
        let mine = self.codes().find(|&(grant, known, _)| known == code && self.owner(grant) == Some(who.client));
        let Some((grant, _, challenge)) = mine else { return no(TokenState::Unknown) };
        let state = self.state(code);
        if state == TokenState::Used && self.gifts().any(|gift| gift.used == code) && self.end(grant).is_none() {
            self.note(Fact::Ended { grant, by: EndedBy::CodeReuse });
        }
        if state != TokenState::Active {
            return no(state);
        }
        self.note(Fact::CodeSpent { code: code.to_owned() });
        if !right_redirect || verifier != (if challenge { Verifier::Right } else { Verifier::Missing }) {
            return no(state);
        }
        Ok(self.give(grant, code, None, scopes(ALL), &who.secret))
    }

    fn refresh(&mut self, who: &Who, token: &str, scope: Option<&str>) -> Result<Pair, Refused> {
        self.prove(who)?;
        let policy = self.policy().clone();
        let no = |state| Err(Refused { status: policy.refused_with.status, error: policy.refused_with.error.clone(), state: Some(state) });
        let mine = self.births().find(|gift| gift.pair == token && self.owner(gift.grant) == Some(who.client)).map(|gift| gift.grant);
        let Some(grant) = mine else { return no(TokenState::Unknown) };
        let state = self.state(token);
        let lives = self.end(grant).is_none() && policy.rotation == Rotation::StrictRevokeFamily;
        // Of what was left behind only this is known: it was issued before the newest.
        let yardstick = if self.is_buried(token) { self.newest(grant).expect("there is a younger one") } else { token };
        let expired = self.refresh_expiry(yardstick).is_some_and(|expiry| expiry <= self.now);
        let is_replay = matches!(state, TokenState::Superseded | TokenState::Expired);
        if lives && policy.reuse_ends_family && state == TokenState::Superseded {
            self.note(Fact::Ended { grant, by: EndedBy::Reuse });
        } else if lives && policy.expired_ends_family && expired && is_replay {
            self.note(Fact::Ended { grant, by: EndedBy::ExpiredReplay });
        }
        if state != TokenState::Active {
            return no(state);
        }
        if scope == Some("admin") {
            return Err(Refused { status: 400, error: "invalid_scope".into(), state: None });
        }
        let asked = scopes(scope.unwrap_or(ALL));
        Ok(match policy.rotation {
            Rotation::Off => Pair { refresh: None, ..self.give(grant, token, Some(token), asked, &who.secret) },
            Rotation::Grace { sibling: false, .. } if self.swap(token).is_some() => self.give_again(grant, token, asked, &who.secret),
            _ => self.give(grant, token, None, asked, &who.secret),
        })
    }

    /// A new access token, and with it a new refresh token unless it goes with an `old` one.
    fn give(&mut self, grant: u32, used: &str, old: Option<&str>, scopes: Vec<String>, secret: &str) -> Pair {
        let access = format!("Access-{}", self.gifts().count() + 1);
        let pair = old.map_or_else(|| format!("Refresh-{}", self.births().count() + 1), str::to_owned);
        self.note(Fact::Given {
            grant,
            used: used.to_owned(),
            access: access.clone(),
            scopes: scopes.clone(),
            pair: pair.clone(),
            secret: secret.to_owned(),
        });
        Pair { grant, access, refresh: Some(pair), expires_in: self.policy().access_lifetime, scopes }
    }

    /// What the first use gave, or what came of it; a new access token only if that one is not what is asked for.
    fn give_again(&mut self, grant: u32, token: &str, scopes: Vec<String>, secret: &str) -> Pair {
        let heir = self.heir(token).to_owned();
        let access = self.partner(&heir, usize::MAX).expect("it was given with one").to_owned();
        let alike = self.gifts().any(|gift| gift.access == access && gift.scopes == scopes);
        if alike && self.state(&access) == TokenState::Active {
            let left = self.access_expiry(&access).expect("it exists") - self.now;
            return Pair { grant, access, refresh: Some(heir), expires_in: Duration::from_millis(left), scopes };
        }
        self.give(grant, token, Some(&heir), scopes, secret)
    }
}

fn scopes(words: &str) -> Vec<String> {
    words.split(' ').map(str::to_owned).collect()
}
