//! Which token was made from which: the family tree of one grant, read from the journal.
//!
//! The journal is the only memory that has all of it: the authority forgets a token that was replaced.

use regrant_authority::{EndedBy, Grant, GrantId, Time, TokenState};
use serde::Serialize;

use crate::{
    control::Action,
    journal::{Decision, Entry, Exchange, Presented, TokenOutcome, What},
};

/// The tokens of one grant in the order in which they were issued, and who asked in vain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Lineage {
    /// Whose tokens.
    pub grant: GrantId,
    /// The client that holds them.
    pub client_id: String,
    /// How often the refresh token was rotated, as the authority counts.
    pub generation: u32,
    /// What has become of the grant.
    pub state: FamilyState,
    /// The journal still has everything from the code on; otherwise the oldest tokens are missing.
    pub complete: bool,
    /// Each pair that was issued, oldest first.
    pub nodes: Vec<Pair>,
    /// Each answer with tokens, oldest first: one that repeats an earlier one leads to the same pair.
    pub edges: Vec<Edge>,
    /// Each request that presented a code or refresh token of this grant and was refused, oldest first.
    pub losers: Vec<Loser>,
}

/// What has become of a grant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(tag = "state", rename_all = "kebab-case")]
pub enum FamilyState {
    /// It lives.
    Live,
    /// It has ended.
    Ended {
        /// When, on the provider's clock, in milliseconds.
        at: Time,
        /// What ended it.
        by: EndedBy,
    },
}

/// An access token and the refresh token that goes with it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Pair {
    /// How many rotations lie between it and the code.
    pub generation: u32,
    /// Name of the access token.
    pub access: String,
    /// Name of the refresh token; without rotation that of the one presented. `None` if the journal does not tell.
    pub refresh: Option<String>,
    /// Line of the journal.
    pub n: u64,
    /// Microseconds since the journal's epoch.
    pub at_us: u64,
    /// The exchange that brought it into being; 0: it was made without one, by [`Control::connect`](crate::Control).
    pub exchange: Exchange,
    /// It was issued last, and its grant lives.
    pub current: bool,
}

/// One answer with tokens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Edge {
    /// The pair whose refresh token was presented, as an index into `nodes`; `None` for a code, or what the journal has forgotten.
    pub from: Option<usize>,
    /// The pair that was answered, as an index into `nodes`.
    pub to: usize,
    /// Name of the code or refresh token that was presented.
    pub presented: Option<String>,
    /// State in which it was presented.
    pub state: Option<TokenState>,
    /// The exchange; 0: none.
    pub exchange: Exchange,
    /// Line of the journal.
    pub n: u64,
    /// The answer had been given before.
    pub repeated: bool,
}

/// One request that was refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Loser {
    /// Name of what was presented.
    pub presented: Option<String>,
    /// Its state just before.
    pub state: TokenState,
    /// `error` of the refusal.
    pub error: String,
    /// Status of the refusal.
    pub status: u16,
    /// The exchange.
    pub exchange: Exchange,
    /// Line of the journal.
    pub n: u64,
    /// Microseconds since the journal's epoch.
    pub at_us: u64,
}

/// Reads the lineage of a grant.
pub(crate) fn read(grant: &Grant, journal: &[Entry]) -> Lineage {
    let mut lineage = Lineage {
        grant: grant.id,
        client_id: grant.client_id.clone(),
        generation: grant.generation,
        state: grant.ended.map_or(FamilyState::Live, |(at, by)| FamilyState::Ended { at, by }),
        complete: false,
        nodes: Vec::new(),
        edges: Vec::new(),
        losers: Vec::new(),
    };
    let mut minted: Vec<&str> = Vec::new();
    for entry in journal {
        match &entry.what {
            What::Minted { name } => {
                minted.push(name);
                continue;
            }
            What::Controlled(Action::Connected { grant }) if *grant == lineage.grant => lineage.begin(entry, &minted),
            What::Decided { exchange, decision: Decision::Token { grant_type, presented, outcome, .. } } => {
                lineage.take(entry, *exchange, grant_type.as_deref(), presented.as_ref(), outcome);
            }
            _ => {}
        }
        minted.clear();
    }
    if let (FamilyState::Live, Some(last)) = (lineage.state, lineage.nodes.last_mut()) {
        last.current = true;
    }
    lineage
}

impl Lineage {
    /// The first pair of a grant that was made without the wire: what was minted last says how it is called.
    fn begin(&mut self, entry: &Entry, minted: &[&str]) {
        let last = |word: &str| minted.iter().rfind(|name| name.starts_with(word)).map(|name| (*name).to_owned());
        let (n, at_us) = (entry.n, u64::try_from(entry.at.as_micros()).unwrap_or(u64::MAX));
        if let Some(access) = last("access#") {
            self.complete = true;
            self.nodes.push(Pair { generation: 0, access, refresh: last("refresh#"), n, at_us, exchange: 0, current: false });
            let to = self.nodes.len() - 1;
            self.edges.push(Edge { from: None, to, presented: last("code#"), state: None, exchange: 0, n, repeated: false });
        }
    }

    fn take(&mut self, entry: &Entry, exchange: Exchange, kind: Option<&str>, presented: Option<&Presented>, outcome: &TokenOutcome) {
        let (n, at_us) = (entry.n, u64::try_from(entry.at.as_micros()).unwrap_or(u64::MAX));
        let name = presented.and_then(|presented| presented.name.clone());
        match outcome {
            TokenOutcome::Issued { grant, access, refresh } if *grant == self.grant => {
                let from = self.newest_with(name.as_deref());
                let by_code = kind == Some("authorization_code");
                self.complete |= by_code;
                let known = self.nodes.iter().position(|pair| pair.access == *access);
                let to = known.unwrap_or_else(|| {
                    let refresh = refresh.clone().or_else(|| name.clone().filter(|_| !by_code));
                    let generation = self.generation_of(from, refresh.as_deref());
                    self.nodes.push(Pair { generation, access: access.clone(), refresh, n, at_us, exchange, current: false });
                    self.nodes.len() - 1
                });
                let state = presented.map(|presented| presented.state);
                self.edges.push(Edge { from, to, presented: name, state, exchange, n, repeated: known.is_some() });
            }
            TokenOutcome::Refused { error, status } => {
                if let Some(presented) = presented.filter(|presented| presented.grant == Some(self.grant)) {
                    let (error, state) = (error.clone(), presented.state);
                    self.losers.push(Loser { presented: name, state, error, status: *status, exchange, n, at_us });
                }
            }
            TokenOutcome::Issued { .. } => {}
        }
    }

    /// The pair issued last with this refresh token.
    fn newest_with(&self, refresh: Option<&str>) -> Option<usize> {
        refresh.and_then(|name| self.nodes.iter().rposition(|pair| pair.refresh.as_deref() == Some(name)))
    }

    /// A refresh token that stays keeps its generation; another is one younger than what it was made from.
    fn generation_of(&self, from: Option<usize>, refresh: Option<&str>) -> u32 {
        let of = |place: usize| self.nodes.get(place).map_or(0, |pair| pair.generation);
        match (self.newest_with(refresh), from) {
            (Some(same), _) => of(same),
            (None, Some(parent)) => of(parent).saturating_add(1),
            (None, None) => 0,
        }
    }
}

#[cfg(test)]
mod tests;
