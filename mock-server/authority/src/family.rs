//! What the authority remembers: grants, and of their tokens those that can still matter.
//!
//! A token carries its grant and its number under a key, so a token that was replaced costs no memory: what stands in no
//! record was superseded, or, if it is an access token that nothing killed, has expired.

use std::sync::Arc;

use smallvec::SmallVec;

use crate::{EndedBy, Grant, GrantId, Look, Time, TokenState, code::Challenge};

/// A grant, as long as its details are remembered, or what is left of it.
#[derive(Debug, Clone)]
pub(crate) enum Slot {
    Kept(Box<Family>),
    Gone(Tomb),
}

/// A grant with its tokens.
#[derive(Debug, Clone)]
pub(crate) struct Family {
    pub(crate) client: Arc<str>,
    pub(crate) user: Arc<str>,
    pub(crate) company: Arc<str>,
    pub(crate) scopes: Arc<[String]>,
    pub(crate) since: Time,
    pub(crate) generation: u32,
    pub(crate) ended: Option<(Time, EndedBy)>,
    /// The grant ended at a time when ending it did not kill access tokens.
    pub(crate) access_outlives: bool,
    pub(crate) fate: CodeFate,
    /// Its code, until that was used or the grant ended.
    pub(crate) code: Option<Box<CodeRecord>>,
    /// The refresh tokens that may still be good, oldest first; the last is the newest of all.
    pub(crate) refresh: SmallVec<[RefreshRecord; 1]>,
    /// The access tokens that may still be good, oldest first.
    pub(crate) access: SmallVec<[AccessRecord; 1]>,
    /// Access tokens up to this number were superseded.
    pub(crate) killed_up_to: u64,
}

/// What is known of a grant for ever.
#[derive(Debug, Clone)]
pub(crate) struct Tomb {
    pub(crate) client: Arc<str>,
    pub(crate) by: EndedBy,
    pub(crate) access_outlived: bool,
    pub(crate) fate: CodeFate,
}

/// An authorization code.
#[derive(Debug, Clone)]
pub(crate) struct CodeRecord {
    pub(crate) redirect_uri: String,
    /// The redirect URI stood in the authorise request, so it must be repeated (RFC 6749 section 4.1.3).
    pub(crate) redirect_uri_sent: bool,
    pub(crate) challenge: Option<Challenge>,
    pub(crate) expires: Time,
}

/// What happened to a code so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CodeFate {
    /// Nothing.
    Fresh,
    /// It gave tokens.
    Exchanged,
    /// Its client presented it with a wrong verifier or redirect URI: no second guess.
    Burnt,
}

/// An access token.
#[derive(Debug, Clone)]
pub(crate) struct AccessRecord {
    pub(crate) number: u64,
    pub(crate) look: Look,
    /// Fewer than the grant's, if the refresh asked for fewer.
    pub(crate) scopes: Option<Arc<[String]>>,
    pub(crate) issued: Time,
    pub(crate) expires: Time,
    /// Killed alone, where siblings live side by side.
    pub(crate) superseded: bool,
    pub(crate) rejected: bool,
}

/// A refresh token.
#[derive(Debug, Clone)]
pub(crate) struct RefreshRecord {
    pub(crate) number: u64,
    pub(crate) look: Look,
    pub(crate) issued: Time,
    pub(crate) expires: Time,
    /// The access token that was issued with it or, without rotation, for it last.
    pub(crate) access: (u64, Look),
    /// When it was first rotated, and into which refresh token.
    pub(crate) rotated: Option<(Time, u64)>,
    /// Which secret of the client it was issued under, by place in the timeline; `None`: a public client.
    pub(crate) secret: Option<u32>,
}

impl Slot {
    pub(crate) fn client(&self) -> &str {
        match self {
            Self::Kept(family) => &family.client,
            Self::Gone(tomb) => &tomb.client,
        }
    }

    pub(crate) fn kept(&self) -> Option<&Family> {
        match self {
            Self::Kept(family) => Some(family),
            Self::Gone(_) => None,
        }
    }

    pub(crate) fn kept_mut(&mut self) -> Option<&mut Family> {
        match self {
            Self::Kept(family) => Some(family),
            Self::Gone(_) => None,
        }
    }
}

impl Family {
    /// What is seen from outside.
    pub(crate) fn grant(&self, id: GrantId) -> Grant {
        Grant {
            id,
            client_id: self.client.as_ref().to_owned(),
            user: self.user.as_ref().to_owned(),
            company: self.company.as_ref().to_owned(),
            scopes: self.scopes.to_vec(),
            since: self.since,
            generation: self.generation,
            ended: self.ended,
        }
    }

    pub(crate) fn newest(&self) -> Option<&RefreshRecord> {
        self.refresh.last()
    }

    /// It lives and has tokens.
    pub(crate) fn is_connected(&self) -> bool {
        self.ended.is_none() && !self.refresh.is_empty()
    }

    pub(crate) fn refresh(&self, number: u64) -> Option<&RefreshRecord> {
        self.refresh.binary_search_by_key(&number, |record| record.number).ok().and_then(|place| self.refresh.get(place))
    }

    pub(crate) fn refresh_mut(&mut self, number: u64) -> Option<&mut RefreshRecord> {
        self.refresh.binary_search_by_key(&number, |record| record.number).ok().and_then(|place| self.refresh.get_mut(place))
    }

    pub(crate) fn access(&self, number: u64) -> Option<&AccessRecord> {
        self.access.binary_search_by_key(&number, |record| record.number).ok().and_then(|place| self.access.get(place))
    }

    /// What the end of the grant makes of a code or refresh token; `None` while it lives.
    pub(crate) fn end(&self) -> Option<TokenState> {
        self.ended.map(|(_, by)| by.makes())
    }

    /// What the end of the grant makes of an access token; `None` if it does not touch it.
    pub(crate) fn end_of_access(&self) -> Option<TokenState> {
        if self.access_outlives { None } else { self.end() }
    }

    /// Ends it, and lets go of what can no longer matter.
    pub(crate) fn close(&mut self, now: Time, by: EndedBy, access_outlives: bool) {
        self.ended = Some((now, by));
        self.access_outlives = access_outlives;
        self.code = None;
        self.refresh = SmallVec::new();
        if !access_outlives {
            self.access = SmallVec::new();
        }
    }

    /// What is left if its details are forgotten; `None` while one of its tokens is good.
    pub(crate) fn tomb(&self, now: Time) -> Option<Tomb> {
        let (_, by) = self.ended?;
        let barren = self.access.iter().all(|access| access.expires <= now);
        barren.then(|| Tomb { client: self.client.clone(), by, access_outlived: self.access_outlives, fate: self.fate })
    }
}

impl EndedBy {
    /// What it makes of the tokens of the grant that it ends.
    pub(crate) fn makes(self) -> TokenState {
        match self {
            Self::Revoked(cause) => TokenState::Revoked(cause),
            Self::Reuse | Self::ExpiredReplay | Self::CodeReuse => TokenState::FamilyEnded,
        }
    }
}

#[cfg(test)]
mod tests;
