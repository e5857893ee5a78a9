//! A history with its joins made: which reply belongs to which request, what was asked when, what the subject knew when.

use std::collections::BTreeMap;

use regrant_mock_server::{
    authority::TokenState,
    journal::{AuthStyle, Carried, Endpoint},
};

use super::{
    Terms,
    death::{self, Death},
};
use crate::evidence::{Event, History, Micros, Outcome, Phase, Presentation, Reply, Source, TokenResult, Verb, Wanted, What};

/// A moment in the order of the history: time first, then the event's number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mark {
    /// When.
    pub at: Micros,
    /// Number of the event.
    pub n: u32,
}

impl Mark {
    /// Later than everything.
    pub const END: Self = Self { at: Micros::MAX, n: u32::MAX };

    fn of(event: &Event) -> Self {
        Self { at: event.at, n: event.n }
    }
}

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
    /// Decided as a token request.
    pub token: Option<TokenFacts<'h>>,
    /// Decided as an API call.
    pub api: Option<ApiFacts<'h>>,
    /// A gate held it.
    pub held: Option<Mark>,
    /// The gate let go.
    pub released: Option<Mark>,
    /// A fault was applied after the commit.
    pub faulted_after_commit: bool,
    /// The reply, when it was fully written.
    pub replied: Option<(Mark, u16, &'h Reply)>,
    /// When the subject had read it.
    pub read: Option<Mark>,
    /// The connection ended before the reply was written.
    pub aborted: Option<(Mark, bool)>,
}

/// A token request.
#[derive(Debug, Clone)]
pub struct TokenFacts<'h> {
    /// `grant_type`.
    pub grant_type: Option<&'h str>,
    /// Client authentication.
    pub auth: AuthStyle,
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

impl Exchange<'_> {
    /// A refresh.
    #[must_use]
    pub fn is_refresh(&self) -> bool {
        self.token.as_ref().is_some_and(|t| t.grant_type == Some("refresh_token"))
    }

    /// A code exchange.
    #[must_use]
    pub fn is_code_exchange(&self) -> bool {
        self.token.as_ref().is_some_and(|t| t.grant_type == Some("authorization_code"))
    }

    /// A call of the API by the subject.
    #[must_use]
    pub fn is_api(&self) -> bool {
        !self.by_agent && self.endpoint == Endpoint::Api
    }

    /// Name of the token it presented.
    #[must_use]
    pub fn token_name(&self) -> Option<&str> {
        let presented = match (&self.token, &self.api) {
            (Some(token), _) => token.presented,
            (None, Some(api)) => api.presented,
            (None, None) => None,
        };
        presented.and_then(|p| p.token.as_deref())
    }

    /// The state of the token it presented.
    #[must_use]
    pub fn token_state(&self) -> Option<TokenState> {
        let presented = match (&self.token, &self.api) {
            (Some(token), _) => token.presented,
            (None, Some(api)) => api.presented,
            (None, None) => None,
        };
        presented.map(|p| p.state)
    }

    /// Answered with this class of status.
    #[must_use]
    pub fn answered(&self, class: u16) -> bool {
        self.replied.as_ref().is_some_and(|(_, status, _)| status / 100 == class)
    }

    /// The final refusal it got, if it got one.
    #[must_use]
    pub fn refusal(&self) -> Option<&str> {
        match self.replied {
            Some((_, _, Reply::Final { error, .. })) => Some(error),
            _ => None,
        }
    }

    /// The names of the pair it got.
    #[must_use]
    pub fn pair(&self) -> Option<(&str, Option<&str>)> {
        match self.replied {
            Some((_, _, Reply::Tokens { access, refresh, .. })) => Some((access, refresh.as_deref())),
            _ => None,
        }
    }

    /// It met a fault that says nothing of the grant, before anything was committed.
    #[must_use]
    pub fn met_transient_fault(&self) -> bool {
        match (&self.replied, &self.aborted) {
            (Some((_, _, Reply::Transient)), _) => !self.faulted_after_commit,
            (None, Some((_, by_subject))) => !by_subject && !self.faulted_after_commit,
            _ => false,
        }
    }
}

/// Something that was asked of the subject.
#[derive(Debug, Clone)]
pub struct Call<'h> {
    /// When it was called.
    pub called: Mark,
    /// Which verb.
    pub verb: Verb,
    /// Which source of work.
    pub source: Option<&'h Source>,
    /// How consent was to go.
    pub wanted: Option<Wanted>,
    /// The unit it carries.
    pub item: Option<&'h str>,
    /// How and when it was answered.
    pub answered: Option<(Mark, Outcome)>,
}

impl Call<'_> {
    /// Answered at all (accepted or refused).
    #[must_use]
    pub fn was_answered(&self) -> bool {
        self.outcome().is_some_and(|o| o != Outcome::NoAnswer)
    }

    /// Its outcome.
    #[must_use]
    pub fn outcome(&self) -> Option<Outcome> {
        self.answered.map(|(_, outcome)| outcome)
    }
}

/// A callback that the user's browser delivered.
#[derive(Debug, Clone)]
pub struct Callback<'h> {
    /// When.
    pub at: Mark,
    /// Part of which call.
    pub call: u32,
    /// Made up by the harness.
    pub forged: bool,
    /// The code it carried.
    pub code: Option<&'h str>,
}

/// What a check looks at.
pub struct View<'h> {
    /// The story as it was seen.
    pub history: &'h History,
    /// What the manifest says.
    pub terms: &'h Terms,
    /// Requests in order of arrival.
    pub exchanges: Vec<Exchange<'h>>,
    /// Calls in order.
    pub calls: Vec<Call<'h>>,
    /// Callbacks in order.
    pub callbacks: Vec<Callback<'h>>,
    /// When the subject was seen quiet, or when the longest wait for that was over.
    pub settled: Vec<Mark>,
    /// Each time the subject was told that its grant, or its client, is finished.
    pub deaths: Vec<Death>,
}

impl<'h> View<'h> {
    /// Makes the joins.
    #[must_use]
    pub fn new(history: &'h History, terms: &'h Terms) -> Self {
        let mut view = Self {
            history,
            terms,
            exchanges: exchanges(history),
            calls: calls(history),
            callbacks: callbacks(history),
            settled: Vec::new(),
            deaths: Vec::new(),
        };
        view.settled = view.marks(|what| matches!(what, What::Settled { .. }));
        view.deaths = death::deaths(&view);
        view
    }

    /// Events with their marks.
    pub fn events(&self) -> impl Iterator<Item = (Mark, &'h What)> {
        self.history.events.iter().map(|event| (Mark::of(event), &event.what))
    }

    /// The marks of the events that match.
    pub fn marks(&self, matches: impl Fn(&What) -> bool) -> Vec<Mark> {
        self.events().filter(|(_, what)| matches(what)).map(|(mark, _)| mark).collect()
    }

    /// Why this story cannot be judged at all, if it cannot.
    #[must_use]
    pub fn unrealised(&self) -> Option<&'h str> {
        self.events().find_map(|(_, what)| match what {
            What::NotRealised { reason } => Some(reason.as_str()),
            _ => None,
        })
    }

    /// When the prologue ended.
    #[must_use]
    pub fn prologue_end(&self) -> Option<Mark> {
        self.events().find_map(|(mark, what)| match what {
            What::PhaseBegan { phase: Phase::Story } => Some(mark),
            _ => None,
        })
    }

    /// The first such moment from `from` on.
    #[must_use]
    pub fn settled_after(&self, from: Mark) -> Option<Mark> {
        self.settled.iter().copied().find(|&mark| mark > from)
    }

    /// Triggers called between two moments.
    pub fn triggers(&self, from: Mark, until: Mark) -> impl Iterator<Item = &Call<'h>> {
        self.calls.iter().filter(move |c| c.verb == Verb::Trigger && c.called > from && c.called < until)
    }

    /// API calls of the subject that began between two moments; the one call that a disconnect causes is left out.
    pub fn api_calls(&self, from: Mark, until: Mark) -> impl Iterator<Item = &Exchange<'h>> {
        self.exchanges.iter().filter(move |x| x.is_api() && x.began > from.at && x.arrived < until && !self.is_deinstallation(x))
    }

    fn is_deinstallation(&self, x: &Exchange<'_>) -> bool {
        x.method == "DELETE"
            && x.path == "/v1/installations/me"
            && self.calls.iter().any(|c| c.verb == Verb::Disconnect && c.called < x.arrived)
    }

    /// Refreshes that began between two moments.
    pub fn refreshes(&self, from: Mark, until: Mark) -> impl Iterator<Item = &Exchange<'h>> {
        self.exchanges.iter().filter(move |x| x.is_refresh() && x.began > from.at && x.arrived < until)
    }

    /// What could have caused something that began at `moment`: the last thing asked of the subject before it. Pages read count too.
    #[must_use]
    pub fn stimulus_before(&self, moment: Micros) -> Option<Mark> {
        let probe =
            |what: &What| matches!(what, What::StatusRead { .. } | What::PromptRead(_) | What::SettingsRead { .. } | What::DataRead { .. });
        let calls = self.calls.iter().map(|c| c.called);
        let probes = self.events().filter(|(_, what)| probe(what)).map(|(mark, _)| mark);
        calls.chain(probes).filter(|mark| mark.at <= moment).max()
    }

    /// Starts of the subject's process, kills and ordered stops, in order.
    #[must_use]
    pub fn starts(&self) -> Vec<Mark> {
        self.marks(|what| matches!(what, What::ProcessStarted { process, .. } if process == "subject"))
    }

    /// The first start after a moment: a restart.
    #[must_use]
    pub fn restart_after(&self, from: Mark) -> Option<Mark> {
        self.starts().into_iter().find(|&mark| mark > from)
    }

    /// The next time after `from` at which the user consents anew.
    #[must_use]
    pub fn reconnection_after(&self, from: Mark) -> Option<&Call<'h>> {
        self.calls.iter().find(|c| c.verb == Verb::Connect && c.wanted == Some(Wanted::Consent) && c.called > from)
    }

    /// The last pair that the subject had read before a moment.
    #[must_use]
    pub fn pair_before(&self, moment: Micros) -> Option<(&Exchange<'h>, &str, Option<&str>)> {
        self.exchanges
            .iter()
            .filter(|x| x.replied.is_some_and(|(mark, ..)| mark.at < moment))
            .filter_map(|x| x.pair().map(|(access, refresh)| (x, access, refresh)))
            .max_by_key(|(x, ..)| x.replied.map(|(mark, ..)| mark))
    }

    /// Status readings with their marks.
    pub fn statuses(&self) -> impl Iterator<Item = (Mark, Option<regrant_mock_server::fault::scenario::Status>, &'h str)> {
        self.events().filter_map(|(mark, what)| match what {
            What::StatusRead { state, raw } => Some((mark, *state, raw.as_str())),
            _ => None,
        })
    }

    /// Readings of the page that prompts.
    pub fn prompts(&self) -> impl Iterator<Item = (Mark, &'h crate::evidence::PageSeen)> {
        self.events().filter_map(|(mark, what)| match what {
            What::PromptRead(page) => Some((mark, page)),
            _ => None,
        })
    }
}

fn calls(history: &History) -> Vec<Call<'_>> {
    let mut calls: BTreeMap<u32, Call<'_>> = BTreeMap::new();
    for event in &history.events {
        match &event.what {
            What::VerbCalled { call, verb, source, wanted, item } => {
                let it = Call {
                    called: Mark::of(event),
                    verb: *verb,
                    source: source.as_ref(),
                    wanted: *wanted,
                    item: item.as_deref(),
                    answered: None,
                };
                calls.insert(*call, it);
            }
            What::VerbAnswered { call, outcome, .. } => {
                if let Some(it) = calls.get_mut(call) {
                    it.answered = Some((Mark::of(event), *outcome));
                }
            }
            _ => {}
        }
    }
    calls.into_values().collect()
}

fn callbacks(history: &History) -> Vec<Callback<'_>> {
    let all = history.events.iter().filter_map(|event| match &event.what {
        What::CallbackDelivered { call, forged, code, .. } => {
            Some(Callback { at: Mark::of(event), call: *call, forged: *forged, code: code.as_deref() })
        }
        _ => None,
    });
    all.collect()
}

fn exchanges(history: &History) -> Vec<Exchange<'_>> {
    let mut all: BTreeMap<u64, Exchange<'_>> = BTreeMap::new();
    for event in &history.events {
        join(&mut all, event);
    }
    let mut all: Vec<_> = all.into_values().collect();
    all.sort_by_key(|x| x.arrived);
    all
}

fn join<'h>(all: &mut BTreeMap<u64, Exchange<'h>>, event: &'h Event) {
    let mark = Mark::of(event);
    if let What::Requested { exchange, began, endpoint, method, path, content_type, units, by_agent, .. } = &event.what {
        let new = Exchange {
            arrived: mark,
            began: *began,
            endpoint: *endpoint,
            method,
            path,
            content_type: content_type.as_deref(),
            units,
            by_agent: *by_agent,
            token: None,
            api: None,
            held: None,
            released: None,
            faulted_after_commit: false,
            replied: None,
            read: None,
            aborted: None,
        };
        all.insert(*exchange, new);
        return;
    }
    let Some(x) = exchange_of(&event.what).and_then(|id| all.get_mut(&id)) else { return };
    match &event.what {
        What::Token { grant_type, auth, presented, verifier, result, .. } => {
            let grant_type = grant_type.as_deref();
            x.token = Some(TokenFacts { grant_type, auth: *auth, presented: presented.as_ref(), verifier: *verifier, result });
        }
        What::Api { presented, carried, handed_out, delivered, .. } => {
            x.api = Some(ApiFacts { presented: presented.as_ref(), carried: *carried, handed_out, delivered });
        }
        What::Held { .. } => x.held = Some(mark),
        What::Released { .. } => x.released = Some(mark),
        What::Faulted { committed, .. } => x.faulted_after_commit |= committed,
        What::Replied { status, reply, .. } => x.replied = Some((mark, *status, reply)),
        What::Read { .. } => x.read = Some(mark),
        What::Aborted { by_subject, .. } => x.aborted = Some((mark, *by_subject)),
        _ => {}
    }
}

fn exchange_of(what: &What) -> Option<u64> {
    match what {
        What::Token { exchange, .. }
        | What::Api { exchange, .. }
        | What::Held { exchange, .. }
        | What::Released { exchange, .. }
        | What::Faulted { exchange, .. }
        | What::Replied { exchange, .. }
        | What::Read { exchange }
        | What::Aborted { exchange, .. } => Some(*exchange),
        _ => None,
    }
}
