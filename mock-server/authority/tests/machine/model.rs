//! The reference: a flat list of facts. Nothing is kept up to date; every question is answered by reading the list again.

use std::time::Duration;

use regrant_authority::{Cause, EndedBy, Policy, Rotation, TokenState};

use crate::steps::KIOSK;

/// Something that happened.
#[derive(Debug, Clone)]
pub(crate) enum Fact {
    /// From now on this policy is in force.
    Policy(Policy),
    /// A client has a new secret; those that are good end after `overlap`.
    Secret { client: &'static str, value: String, overlap: Duration },
    /// A client has a further secret, from a moment on.
    SecretAdded { client: &'static str, value: String, from: u64 },
    /// A secret has an end.
    SecretRetired { client: &'static str, value: String, until: u64 },
    /// A secret was withdrawn.
    SecretRevoked { client: &'static str, value: String },
    /// A user agreed; with a challenge or without.
    Approved { grant: u32, client: &'static str, code: String, challenge: bool },
    /// A code was used up, for good or ill.
    CodeSpent { code: String },
    /// `used` (a code or a refresh token) gave `access`, which belongs to the refresh token `pair`, new or old. The client showed `secret`.
    Given { grant: u32, used: String, access: String, scopes: Vec<String>, pair: String, secret: String },
    /// A grant ended.
    Ended { grant: u32, by: EndedBy },
    /// The access tokens of a grant were made to expire.
    AccessExpired { grant: u32 },
    /// These refresh tokens were made to expire.
    RefreshExpired { tokens: Vec<String> },
    /// The API was told to reject the access tokens of a grant.
    AccessRejected { grant: u32 },
}

/// All that happened, in order, each with its time in milliseconds.
#[derive(Debug, Clone)]
pub(crate) struct Facts {
    pub(crate) now: u64,
    pub(crate) list: Vec<(u64, Fact)>,
}

/// One time that tokens were given.
pub(crate) struct Gift<'a> {
    pub(crate) at: usize,
    pub(crate) time: u64,
    pub(crate) grant: u32,
    pub(crate) used: &'a str,
    pub(crate) access: &'a str,
    pub(crate) scopes: &'a [String],
    pub(crate) pair: &'a str,
    pub(crate) secret: &'a str,
}

impl Facts {
    pub(crate) fn note(&mut self, fact: Fact) {
        self.list.push((self.now, fact));
    }

    pub(crate) fn policy(&self) -> &Policy {
        self.policy_at(self.list.len())
    }

    pub(crate) fn policy_was_changed(&self) -> bool {
        self.list.iter().filter(|(_, fact)| matches!(fact, Fact::Policy(_))).count() > 1
    }

    fn policy_at(&self, at: usize) -> &Policy {
        let earlier = self.list.iter().take(at).rev();
        earlier
            .filter_map(|(_, fact)| if let Fact::Policy(policy) = fact { Some(policy) } else { None })
            .next()
            .expect("the first fact is a policy")
    }

    pub(crate) fn gifts(&self) -> impl DoubleEndedIterator<Item = Gift<'_>> {
        self.list.iter().enumerate().filter_map(|(at, (time, fact))| match fact {
            Fact::Given { grant, used, access, scopes, pair, secret } => {
                Some(Gift { at, time: *time, grant: *grant, used, access, scopes, pair, secret })
            }
            _ => None,
        })
    }

    /// The gifts that brought a refresh token into being.
    pub(crate) fn births(&self) -> impl Iterator<Item = Gift<'_>> {
        self.gifts().filter(|gift| self.gifts().take_while(|other| other.at < gift.at).all(|other| other.pair != gift.pair))
    }

    pub(crate) fn newest(&self, grant: u32) -> Option<&str> {
        self.births().filter(|gift| gift.grant == grant).last().map(|gift| gift.pair)
    }

    /// The access token that last went with a refresh token, before the fact at `before`.
    pub(crate) fn partner(&self, refresh: &str, before: usize) -> Option<&str> {
        self.gifts().rfind(|gift| gift.pair == refresh && gift.at < before).map(|gift| gift.access)
    }

    /// When a refresh token was first swapped for another, and for which.
    pub(crate) fn swap(&self, refresh: &str) -> Option<(u64, &str)> {
        self.gifts().find(|gift| gift.used == refresh && gift.pair != refresh).map(|gift| (gift.time, gift.pair))
    }

    /// Whether a rotation, under the policy of that time, left a refresh token behind for good.
    pub(crate) fn is_buried(&self, refresh: &str) -> bool {
        let Some(birth) = self.births().find(|gift| gift.pair == refresh) else { return false };
        self.births().filter(|later| later.grant == birth.grant && later.at > birth.at).any(|later| {
            match self.policy_at(later.at).rotation {
                Rotation::StrictRevokeFamily | Rotation::Strict | Rotation::Off => true,
                Rotation::Grace { window, .. } => self
                    .gifts()
                    .take_while(|gift| gift.at <= later.at)
                    .any(|gift| gift.used == refresh && gift.pair != refresh && gift.time + millis(window) <= later.time),
                Rotation::Lenient => false,
            }
        })
    }

    pub(crate) fn heir<'a>(&'a self, refresh: &'a str) -> &'a str {
        self.swap(refresh).map_or(refresh, |(_, next)| self.heir(next))
    }

    pub(crate) fn grants(&self) -> impl Iterator<Item = (u32, &'static str, u64)> + '_ {
        self.list.iter().filter_map(|(time, fact)| match fact {
            Fact::Approved { grant, client, .. } => Some((*grant, *client, *time)),
            _ => None,
        })
    }

    pub(crate) fn owner(&self, grant: u32) -> Option<&'static str> {
        self.grants().find(|known| known.0 == grant).map(|known| known.1)
    }

    pub(crate) fn codes(&self) -> impl Iterator<Item = (u32, &str, bool)> {
        self.list.iter().filter_map(|(_, fact)| match fact {
            Fact::Approved { grant, code, challenge, .. } => Some((*grant, code.as_str(), *challenge)),
            _ => None,
        })
    }

    /// When and by what a grant ended, and whether its access tokens died with it.
    pub(crate) fn end(&self, grant: u32) -> Option<(u64, EndedBy, bool)> {
        self.list.iter().enumerate().find_map(|(at, (time, fact))| match fact {
            Fact::Ended { grant: ended, by } if *ended == grant => Some((*time, *by, self.policy_at(at).end_kills_access)),
            _ => None,
        })
    }

    /// Whether it lives and its code was exchanged.
    pub(crate) fn is_connected(&self, grant: u32) -> bool {
        self.end(grant).is_none() && self.newest(grant).is_some()
    }

    pub(crate) fn cause(&self, grant: u32) -> Option<Cause> {
        match self.end(grant) {
            Some((_, EndedBy::Revoked(cause), _)) => Some(cause),
            _ => None,
        }
    }

    pub(crate) fn state(&self, token: &str) -> TokenState {
        let code = self.code_state(token);
        code.or_else(|| self.access_state(token)).or_else(|| self.refresh_state(token)).unwrap_or(TokenState::Unknown)
    }

    pub(crate) fn access_expiry(&self, access: &str) -> Option<u64> {
        let birth = self.gifts().find(|gift| gift.access == access)?;
        let natural = birth.time + millis(self.policy_at(birth.at).access_lifetime);
        let forced =
            self.list.iter().skip(birth.at).filter(|(_, fact)| matches!(fact, Fact::AccessExpired { grant } if *grant == birth.grant));
        Some(forced.map(|(time, _)| *time).fold(natural, u64::min))
    }

    pub(crate) fn refresh_expiry(&self, refresh: &str) -> Option<u64> {
        let birth = self.births().find(|gift| gift.pair == refresh)?;
        let natural = birth.time + millis(self.policy_at(birth.at).refresh_lifetime);
        let named = |fact: &Fact| matches!(fact, Fact::RefreshExpired { tokens } if tokens.iter().any(|token| token == refresh));
        Some(self.list.iter().filter(|(_, fact)| named(fact)).map(|(time, _)| *time).fold(natural, u64::min))
    }

    pub(crate) fn refresh_state(&self, refresh: &str) -> Option<TokenState> {
        let birth = self.births().find(|gift| gift.pair == refresh)?;
        let (grant, owner) = (birth.grant, self.owner(birth.grant)?);
        let over = |token: &str| self.refresh_expiry(token).is_some_and(|expiry| expiry <= self.now);
        let outdated = match self.policy().rotation {
            Rotation::Lenient => false,
            Rotation::Grace { window, .. } => self.swap(refresh).is_some_and(|(time, _)| time + millis(window) <= self.now),
            _ => self.newest(grant) != Some(refresh),
        };
        let orphaned = self.policy().refresh_bound_to_secret && owner != KIOSK && !self.knows(owner, birth.secret);
        let barren = matches!(self.policy().rotation, Rotation::Grace { sibling: false, .. }) && over(self.heir(refresh));
        Some(if let Some(dead) = self.dead(grant) {
            dead
        } else if outdated || self.is_buried(refresh) {
            TokenState::Superseded
        } else if orphaned {
            TokenState::Revoked(Cause::CredentialRotation)
        } else if over(refresh) || barren {
            TokenState::Expired
        } else {
            TokenState::Active
        })
    }

    fn code_state(&self, code: &str) -> Option<TokenState> {
        let (at, grant) = self.list.iter().enumerate().find_map(|(at, (_, fact))| match fact {
            Fact::Approved { code: known, grant, .. } if known == code => Some((at, *grant)),
            _ => None,
        })?;
        let expiry = self.list[at].0 + millis(self.policy_at(at).code_lifetime);
        let spent = self.list.iter().any(|(_, fact)| matches!(fact, Fact::CodeSpent { code: known } if known == code));
        Some(if spent {
            TokenState::Used
        } else if let Some(dead) = self.dead(grant) {
            dead
        } else if expiry <= self.now {
            TokenState::Expired
        } else {
            TokenState::Active
        })
    }

    fn access_state(&self, access: &str) -> Option<TokenState> {
        let birth = self.gifts().find(|gift| gift.access == access)?;
        let later = || self.gifts().filter(|later| later.at > birth.at && later.grant == birth.grant);
        let kills = |at: usize| Some(self.policy_at(at)).filter(|policy| policy.refresh_kills_access).map(|policy| policy.rotation);
        let killed = later().any(|later| match kills(later.at) {
            None | Some(Rotation::Lenient | Rotation::Grace { sibling: true, .. }) => false,
            Some(_) => true,
        });
        let replaced = later().any(|later| {
            matches!(kills(later.at), Some(Rotation::Grace { sibling: true, .. })) && self.partner(later.used, later.at) == Some(access)
        });
        let rejected =
            self.list.iter().skip(birth.at).any(|(_, fact)| matches!(fact, Fact::AccessRejected { grant } if *grant == birth.grant));
        let dead = self.dead(birth.grant).filter(|_| self.end(birth.grant).is_some_and(|(_, _, with_access)| with_access));
        Some(if let Some(dead) = dead {
            dead
        } else if killed {
            TokenState::Superseded
        } else if self.access_expiry(access)? <= self.now {
            TokenState::Expired
        } else if replaced {
            TokenState::Superseded
        } else if rejected {
            TokenState::Rejected
        } else {
            TokenState::Active
        })
    }

    fn dead(&self, grant: u32) -> Option<TokenState> {
        self.end(grant).map(|_| self.cause(grant).map_or(TokenState::FamilyEnded, TokenState::Revoked))
    }

    /// Whether `secret` is the client's at this moment.
    pub(crate) fn knows(&self, client: &str, secret: &str) -> bool {
        self.timeline(client).iter().any(|one| one.0 == secret && one.1 <= self.now && one.2.is_none_or(|until| self.now < until))
    }

    /// Whether a secret is no longer accepted.
    pub(crate) fn is_over(&self, client: &str, secret: &str) -> bool {
        self.timeline(client).iter().any(|one| one.0 == secret && one.2.is_some_and(|until| until <= self.now))
    }

    /// Every secret of a client: its value, its beginning and its end.
    fn timeline(&self, wanted: &str) -> Vec<(&str, u64, Option<u64>)> {
        let mut all: Vec<(&str, u64, Option<u64>)> = Vec::new();
        for (time, fact) in &self.list {
            match fact {
                Fact::Secret { client, value, overlap } if *client == wanted => {
                    let retired = time + millis(*overlap);
                    for one in all.iter_mut().filter(|one| one.1 <= *time && one.2.is_none_or(|until| *time < until)) {
                        one.2 = Some(one.2.map_or(retired, |until| until.min(retired)));
                    }
                    all.push((value, *time, None));
                }
                Fact::SecretAdded { client, value, from } if *client == wanted => all.push((value, *from, None)),
                Fact::SecretRetired { client, value, until } if *client == wanted => {
                    all.iter_mut().filter(|one| one.0 == value).for_each(|one| one.2 = Some(*until));
                }
                Fact::SecretRevoked { client, value } if *client == wanted => {
                    all.iter_mut().filter(|one| one.0 == value).for_each(|one| one.2 = Some(one.2.map_or(*time, |until| until.min(*time))));
                }
                _ => {}
            }
        }
        all
    }

    pub(crate) fn secrets(&self, client: &str) -> Vec<&str> {
        self.timeline(client).into_iter().map(|one| one.0).collect()
    }
}

pub(crate) fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).expect("the spans of the model are short")
}
