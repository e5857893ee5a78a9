//! The reference: a flat list of facts. Nothing is kept up to date; every question is answered by reading the list again.

use std::time::Duration;

use regrant_authority::{Cause, EndedBy, Policy, Rotation, TokenState};

/// Something that happened.
#[derive(Debug, Clone)]
pub(crate) enum Fact {
    /// From now on this policy is in force.
    Policy(Policy),
    /// A client has a new secret; those before it end after `overlap`.
    Secret { client: &'static str, value: String, overlap: Duration },
    /// A user agreed; with a challenge or without.
    Approved { grant: u32, client: &'static str, code: String, challenge: bool },
    /// A code was used up, for good or ill.
    CodeSpent { code: String },
    /// `used` (a code or a refresh token) gave `access`, which belongs to the refresh token `pair`, new or old.
    Given { grant: u32, used: String, access: String, scopes: Vec<String>, pair: String },
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
            Fact::Given { grant, used, access, scopes, pair } => Some(Gift { at, time: *time, grant: *grant, used, access, scopes, pair }),
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
        let grant = self.births().find(|gift| gift.pair == refresh)?.grant;
        let over = |token: &str| self.refresh_expiry(token).is_some_and(|expiry| expiry <= self.now);
        let outdated = match self.policy().rotation {
            Rotation::Lenient => false,
            Rotation::Grace { window, .. } => self.swap(refresh).is_some_and(|(time, _)| time + millis(window) <= self.now),
            _ => self.newest(grant) != Some(refresh),
        };
        let barren = matches!(self.policy().rotation, Rotation::Grace { sibling: false, .. }) && over(self.heir(refresh));
        Some(if let Some(dead) = self.dead(grant) {
            dead
        } else if outdated {
            TokenState::Superseded
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
        let killed = self.gifts().filter(|later| later.at > birth.at && later.grant == birth.grant).any(|later| {
            let policy = self.policy_at(later.at);
            policy.refresh_kills_access
                && match policy.rotation {
                    Rotation::Lenient => false,
                    Rotation::Grace { sibling: true, .. } => self.partner(later.used, later.at) == Some(access),
                    _ => true,
                }
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
        let secrets: Vec<_> = self
            .list
            .iter()
            .filter_map(|(time, fact)| match fact {
                Fact::Secret { client: whose, value, overlap } if *whose == client => Some((*time, value, *overlap)),
                _ => None,
            })
            .collect();
        let retired = |after: usize| secrets.iter().skip(after + 1).any(|(time, _, overlap)| time + millis(*overlap) <= self.now);
        secrets.iter().enumerate().any(|(at, (_, value, _))| value.as_str() == secret && !retired(at))
    }

    pub(crate) fn secrets(&self, client: &str) -> Vec<&str> {
        let of = |fact| match fact {
            &Fact::Secret { client: whose, ref value, .. } if whose == client => Some(value.as_str()),
            _ => None,
        };
        self.list.iter().filter_map(|(_, fact)| of(fact)).collect()
    }
}

pub(crate) fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).expect("the spans of the model are short")
}
