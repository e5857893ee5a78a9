//! A request with all that became of it: what it asked, what was decided, what was answered, and when that was read.

use std::collections::BTreeMap;

use regrant_mock_server::{
    authority::TokenState,
    journal::{AuthStyle, Carried, Endpoint},
};

use super::view::Mark;
use crate::evidence::{Event, Grant, Instance, Micros, Presentation, Reply, TokenResult, What};

/// A request, its decision and its reply.
#[derive(Debug, Clone)]
pub struct Exchange<'h> {
    /// When it had been read whole.
    pub arrived: Mark,
    /// When its first byte came.
    pub began: Micros,
    /// Where it went.
    pub endpoint: Endpoint,
    /// Method.
    pub method: &'h str,
    /// Path.
    pub path: &'h str,
    /// Content type.
    pub content_type: Option<&'h str>,
    /// Units named in it.
    pub units: &'h [String],
    /// Sent by the user's browser.
    pub by_agent: bool,
    /// Which of several instances of the subject sent it, where that is known.
    pub instance: Option<Instance>,
    /// Decided as a token request.
    pub token: Option<TokenFacts<'h>>,
    /// Decided as an API call.
    pub api: Option<ApiFacts<'h>>,
    /// A gate held it.
    pub held: Option<Mark>,
    /// The gate let go.
    pub released: Option<Mark>,
    /// Faults that were applied, in a word each.
    pub fates: Vec<&'h str>,
    /// How long the reply asks to be left alone, and whether it says so by a date.
    pub asked_to_wait: Option<(Micros, bool)>,
    /// The reply, when it was fully written.
    pub replied: Option<(Mark, u16, &'h Reply)>,
    /// When the subject had read it.
    pub read: Option<Mark>,
    /// It cannot be seen when the subject read it.
    pub read_unknown: bool,
    /// The connection ended before the reply was written; true: by the subject.
    pub aborted: Option<(Mark, bool)>,
}

/// A token request.
#[derive(Debug, Clone)]
pub struct TokenFacts<'h> {
    /// When it was decided.
    pub decided: Mark,
    /// `grant_type`.
    pub grant_type: Option<&'h str>,
    /// Client authentication.
    pub auth: AuthStyle,
    /// The client secret presented, by name; none: none, or one that nobody knows.
    pub secret: Option<&'h str>,
    /// What it presented.
    pub presented: Option<&'h Presentation>,
    /// With a code verifier.
    pub verifier: bool,
    /// The provider's decision.
    pub result: &'h TokenResult,
}

/// An API call.
#[derive(Debug, Clone)]
pub struct ApiFacts<'h> {
    /// What it presented.
    pub presented: Option<&'h Presentation>,
    /// How.
    pub carried: Carried,
    /// Handed out.
    pub handed_out: &'h [String],
    /// Reported or carried.
    pub delivered: &'h [String],
}

impl<'h> Exchange<'h> {
    /// A refresh.
    #[must_use]
    pub fn is_refresh(&self) -> bool {
        self.asks_for() == Some("refresh_token")
    }

    /// A code exchange.
    #[must_use]
    pub fn is_code_exchange(&self) -> bool {
        self.asks_for() == Some("authorization_code")
    }

    /// The grant type of a token request of the subject.
    fn asks_for(&self) -> Option<&'h str> {
        self.token.as_ref().and_then(|t| t.grant_type).filter(|_| !self.by_agent)
    }

    /// A call of the API by the subject.
    #[must_use]
    pub fn is_api(&self) -> bool {
        !self.by_agent && self.endpoint == Endpoint::Api
    }

    /// By this a subject tells Pleo that the user has disconnected.
    pub(super) fn is_goodbye(&self) -> bool {
        self.method == "DELETE" && self.path == "/v1/installations/me"
    }

    fn presentation(&self) -> Option<&'h Presentation> {
        match (&self.token, &self.api) {
            (Some(token), _) => token.presented,
            (None, Some(api)) => api.presented,
            (None, None) => None,
        }
    }

    /// Name of the token it presented.
    #[must_use]
    pub fn token_name(&self) -> Option<&'h str> {
        self.presentation().and_then(|p| p.token.as_deref())
    }

    /// The state of the token it presented.
    #[must_use]
    pub fn token_state(&self) -> Option<TokenState> {
        self.presentation().map(|p| p.state)
    }

    /// The family of the token it presented.
    #[must_use]
    pub fn grant(&self) -> Option<Grant> {
        self.presentation().and_then(|p| p.grant)
    }

    /// A request of the subject that was still open when the story ended: what it carried is not known.
    #[must_use]
    pub fn is_obscure(&self) -> bool {
        match self.endpoint {
            Endpoint::Token => !self.by_agent && self.token.is_none(),
            Endpoint::Api => !self.by_agent && self.api.is_none(),
            Endpoint::Authorize | Endpoint::Introspect | Endpoint::Unknown => false,
        }
    }

    /// It presented something that the provider never issued.
    #[must_use]
    pub fn carries_unknown(&self) -> bool {
        self.presentation().is_some_and(|p| p.token.is_none())
    }

    /// Answered with this class of status.
    #[must_use]
    pub fn answered(&self, class: u16) -> bool {
        self.replied.as_ref().is_some_and(|(_, status, _)| status / 100 == class)
    }

    /// When its answer was read, or, where that cannot be seen, written.
    #[must_use]
    pub fn taken(&self) -> Option<Mark> {
        self.read.or(self.replied.filter(|_| self.read_unknown).map(|(mark, ..)| mark))
    }

    /// The final refusal it got, if it got one.
    #[must_use]
    pub fn refusal(&self) -> Option<&'h str> {
        match self.replied {
            Some((_, _, Reply::Final { error, .. })) => Some(error),
            Some((_, _, Reply::Tokens { .. } | Reply::Transient | Reply::Open { .. } | Reply::Plain)) | None => None,
        }
    }

    /// The names of the pair it got.
    #[must_use]
    pub fn pair(&self) -> Option<(&'h str, Option<&'h str>)> {
        match self.replied {
            Some((_, _, Reply::Tokens { access, refresh, .. })) => Some((access, refresh.as_deref())),
            Some((_, _, Reply::Final { .. } | Reply::Transient | Reply::Open { .. } | Reply::Plain)) | None => None,
        }
    }

    /// For how many seconds the access token that it got lives, as far as it was told.
    #[must_use]
    pub fn life(&self) -> Option<u64> {
        match self.replied {
            Some((_, _, Reply::Tokens { expires_in, .. })) => *expires_in,
            Some((_, _, Reply::Final { .. } | Reply::Transient | Reply::Open { .. } | Reply::Plain)) | None => None,
        }
    }

    /// The family in which the provider issued tokens on it.
    #[must_use]
    pub fn issued_in(&self) -> Option<Grant> {
        match self.token.as_ref().map(|t| t.result) {
            Some(TokenResult::Issued { grant, .. }) => Some(*grant),
            Some(TokenResult::Refused { .. } | TokenResult::Undecided) | None => None,
        }
    }

    /// It met a fault that says nothing of the grant, before anything was committed.
    #[must_use]
    pub fn met_transient_fault(&self) -> bool {
        if self.issued_in().is_some() {
            return false;
        }
        match (self.replied, self.aborted) {
            (Some((_, _, reply)), _) => *reply == Reply::Transient,
            (None, Some((_, by_subject))) => !by_subject || self.was_kept_waiting(),
            (None, None) => false,
        }
    }

    /// Tokens were issued on it, and the answer never reached the subject.
    #[must_use]
    pub fn lost_its_reply(&self) -> bool {
        self.issued_in().is_some() && self.pair().is_none() && (self.replied.is_some() || self.aborted.is_some())
    }

    /// A fault kept it waiting until the subject had enough of it.
    fn was_kept_waiting(&self) -> bool {
        self.fates.iter().any(|fate| ["hang", "hold", "delay", "throttle", "truncate"].iter().any(|word| fate.starts_with(word)))
    }
}

/// Joins the events of each request. `events` must be in order.
pub(super) fn exchanges<'h>(events: &[(Mark, &'h Event)]) -> Vec<Exchange<'h>> {
    let mut all: BTreeMap<u64, Exchange<'h>> = BTreeMap::new();
    for (mark, event) in events {
        if let Some((id, new)) = arrival(*mark, &event.what) {
            all.entry(id).or_insert(new);
        } else if let Some(x) = exchange_of(&event.what).and_then(|id| all.get_mut(&id)) {
            add(x, *mark, &event.what);
        }
    }
    let mut all: Vec<_> = all.into_values().collect();
    all.sort_by_key(|x| x.arrived);
    unread(events, &mut all);
    undelivered(events, &mut all);
    all
}

/// Whether a process that stood still read what it had waited for by then is not known, whatever its socket took in: going on, it may find that it
/// had waited too long.
fn unread(events: &[(Mark, &Event)], all: &mut [Exchange<'_>]) {
    for (paused, event) in events {
        let What::Paused { instance } = &event.what else { continue };
        let may_be_its = |x: &Exchange<'_>| instance.is_none() || x.instance.is_none() || x.instance == *instance;
        let its = |x: &&mut Exchange<'_>| !x.by_agent && x.arrived < *paused && may_be_its(x);
        for x in all.iter_mut().filter(its).filter(|x| x.replied.is_none_or(|(replied, ..)| replied > *paused)) {
            (x.read, x.read_unknown) = (None, false);
        }
    }
}

/// What was answered to a process that had been killed by then was read by nobody, whatever its socket took in.
fn undelivered(events: &[(Mark, &Event)], all: &mut [Exchange<'_>]) {
    let mut instances: BTreeMap<u32, Option<Instance>> = BTreeMap::new();
    for (killed, event) in events {
        let instance = match &event.what {
            What::ProcessStarted { incarnation, process, instance } if process == super::view::SUBJECT || instance.is_some() => {
                instances.insert(*incarnation, *instance);
                continue;
            }
            // A one-shot program has no number: all that works is killed.
            What::ProcessStopping { kill: true, incarnation: 0 } => None,
            What::ProcessStopping { kill: true, incarnation } => match instances.get(incarnation) {
                Some(instance) => *instance,
                None => continue,
            },
            _ => continue,
        };
        let its = |x: &&mut Exchange<'_>| !x.by_agent && x.arrived < *killed && (instance.is_none() || x.instance == instance);
        for x in all.iter_mut().filter(its).filter(|x| x.replied.is_some_and(|(replied, ..)| replied > *killed)) {
            (x.replied, x.read, x.aborted) = (None, None, Some((*killed, true)));
        }
    }
}

fn arrival(mark: Mark, what: &What) -> Option<(u64, Exchange<'_>)> {
    let What::Requested { exchange, began, endpoint, method, path, content_type, units, by_agent, instance, .. } = what else {
        return None;
    };
    let new = Exchange {
        arrived: mark,
        began: (*began).min(mark.at),
        endpoint: *endpoint,
        method,
        path,
        content_type: content_type.as_deref(),
        units,
        by_agent: *by_agent,
        instance: *instance,
        token: None,
        api: None,
        held: None,
        released: None,
        fates: Vec::new(),
        asked_to_wait: None,
        replied: None,
        read: None,
        read_unknown: false,
        aborted: None,
    };
    Some((*exchange, new))
}

fn add<'h>(x: &mut Exchange<'h>, mark: Mark, what: &'h What) {
    match what {
        What::Token { grant_type, auth, secret, presented, verifier, result, .. } => {
            let (grant_type, secret) = (grant_type.as_deref(), secret.as_deref());
            let presented = presented.as_ref();
            x.token = Some(TokenFacts { decided: mark, grant_type, auth: *auth, secret, presented, verifier: *verifier, result });
        }
        What::Api { presented, carried, handed_out, delivered, .. } => {
            x.api = Some(ApiFacts { presented: presented.as_ref(), carried: *carried, handed_out, delivered });
        }
        What::Held { .. } => x.held = Some(mark),
        What::Released { .. } => x.released = Some(mark),
        What::Faulted { fate, .. } => x.fates.push(fate),
        What::AskedToWait { wait, by_date, .. } => x.asked_to_wait = Some((*wait, *by_date)),
        What::Replied { status, reply, .. } => x.replied = Some((mark, *status, reply)),
        What::Read { .. } => x.read = Some(mark),
        What::ReadUnknown { .. } => x.read_unknown = true,
        What::Aborted { by_subject, .. } => x.aborted = Some((mark, *by_subject)),
        _ => {}
    }
}

/// Whose part of a request's way it is, after its arrival.
pub(super) fn exchange_of(what: &What) -> Option<u64> {
    match what {
        What::Token { exchange, .. }
        | What::Api { exchange, .. }
        | What::Held { exchange, .. }
        | What::Released { exchange, .. }
        | What::Faulted { exchange, .. }
        | What::AskedToWait { exchange, .. }
        | What::Replied { exchange, .. }
        | What::Read { exchange }
        | What::ReadUnknown { exchange }
        | What::Aborted { exchange, .. } => Some(*exchange),
        _ => None,
    }
}
