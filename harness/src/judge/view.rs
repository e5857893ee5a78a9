//! A history with its joins made: which reply belongs to which request, what was asked when, what the subject knew when.

use std::collections::BTreeMap;

use super::{
    Terms,
    death::{self, Death},
    exchange::{Exchange, exchanges},
    index::Index,
};
use crate::evidence::{Event, Grant, History, Instance, Micros, Outcome, Phase, SUBSCRIPTION, Source, Verb, Wanted, What};

/// The name of the subject's main process.
pub(super) const SUBJECT: &str = "subject";

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

/// Something that was asked of the subject.
#[derive(Debug, Clone)]
pub struct Call<'h> {
    /// Its number in the story.
    pub id: u32,
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
    /// Which of several instances of the subject was asked.
    pub instance: Option<Instance>,
    /// How and when it was answered.
    pub answered: Option<(Mark, Outcome)>,
    /// HTTP or exit status of the answer.
    pub status: Option<i32>,
    /// How the subject says that its work stands, where it was asked (`trigger.done`).
    pub progress: Option<Progress<'h>>,
}

/// The subject's newest word on work that it had accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress<'h> {
    /// When.
    pub mark: Mark,
    /// It is done.
    pub done: bool,
    /// What it said in place of that.
    pub says: Option<&'h str>,
}

impl Call<'_> {
    /// Answered at all (accepted or refused).
    #[must_use]
    pub fn was_answered(&self) -> bool {
        self.outcome().is_some_and(|o| !matches!(o, Outcome::NoAnswer | Outcome::HungUp))
    }

    /// What was asked came by webhooks, which are counted by themselves.
    #[must_use]
    pub fn is_webhook(&self) -> bool {
        self.source.is_some_and(|source| source == SUBSCRIPTION)
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

/// The subject had its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rest {
    /// Since when.
    pub mark: Mark,
    /// It was quiet; false: the longest wait for that was over.
    pub quiet: bool,
}

/// The tokens that a subject had been given.
#[derive(Debug, Clone, Copy)]
pub struct Pair<'v, 'h> {
    /// The exchange that gave the newest of them.
    pub from: &'v Exchange<'h>,
    /// The access token.
    pub access: &'h str,
    /// The refresh token: from the same answer, or from an earlier one that it did not replace.
    pub refresh: Option<&'h str>,
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
    pub rests: Vec<Rest>,
    /// Each time the subject was told that its grant, or its client, is finished.
    pub deaths: Vec<Death>,
    order: Vec<(Mark, &'h Event)>,
    pub(super) index: Index<'h>,
}

impl<'h> View<'h> {
    /// Makes the joins.
    #[must_use]
    pub fn new(history: &'h History, terms: &'h Terms) -> Self {
        let mut order: Vec<_> = history.events.iter().map(|event| (Mark::of(event), event)).collect();
        order.sort_by_key(|(mark, _)| *mark);
        let exchanges = exchanges(&order);
        let mut view = Self {
            history,
            terms,
            index: Index::new(&order, &exchanges),
            exchanges,
            calls: calls(&order),
            callbacks: callbacks(&order),
            rests: rests(&order),
            deaths: Vec::new(),
            order,
        };
        view.deaths = death::deaths(&view);
        view
    }

    /// Events with their marks, in order.
    pub fn events(&self) -> impl DoubleEndedIterator<Item = (Mark, &'h What)> {
        self.order.iter().map(|(mark, event)| (*mark, &event.what))
    }

    /// Events that are neither of the traffic nor of the log: what the harness, the user and the provider did, and what was read of the
    /// subject. There are few of them in any story.
    pub fn acts(&self) -> impl DoubleEndedIterator<Item = (Mark, &'h What)> {
        self.index.acts.iter().copied()
    }

    /// Requests that began after a moment and had arrived before another one.
    pub fn within(&self, from: Mark, until: Mark) -> impl DoubleEndedIterator<Item = &Exchange<'h>> {
        let first = self.exchanges.partition_point(|x| x.arrived.at <= from.at);
        let end = self.exchanges.partition_point(|x| x.arrived < until).max(first);
        self.exchanges[first..end].iter().filter(move |x| x.began > from.at)
    }

    /// Requests that arrived after a moment.
    #[must_use]
    pub fn arrived_after(&self, from: Mark) -> &[Exchange<'h>] {
        &self.exchanges[self.exchanges.partition_point(|x| x.arrived <= from)..]
    }

    /// The subject's exchanges of codes for tokens.
    pub fn code_exchanges(&self) -> impl DoubleEndedIterator<Item = &Exchange<'h>> {
        self.index.logins.iter().map(|place| &self.exchanges[*place])
    }

    /// When an answer that gave tokens had next been written after a moment.
    #[must_use]
    pub fn given_after(&self, from: Mark) -> Option<Mark> {
        self.index.given_after(from)
    }

    /// The marks of the events that match.
    pub fn marks(&self, matches: impl Fn(&What) -> bool) -> Vec<Mark> {
        self.events().filter(|(_, what)| matches(what)).map(|(mark, _)| mark).collect()
    }

    /// Why this story cannot be judged at all, if it cannot.
    #[must_use]
    pub fn unrealised(&self) -> Option<&'h str> {
        self.acts().find_map(|(_, what)| match what {
            What::NotRealised { reason } => Some(reason.as_str()),
            _ => None,
        })
    }

    /// When the prologue ended.
    #[must_use]
    pub fn prologue_end(&self) -> Option<Mark> {
        self.acts().find_map(|(mark, what)| match what {
            What::PhaseBegan { phase: Phase::Story } => Some(mark),
            _ => None,
        })
    }

    /// The first rest after a moment.
    #[must_use]
    pub fn rest_after(&self, from: Mark) -> Option<Rest> {
        self.rests.iter().copied().find(|rest| rest.mark > from)
    }

    /// When that was.
    #[must_use]
    pub fn settled_after(&self, from: Mark) -> Option<Mark> {
        self.rest_after(from).map(|rest| rest.mark)
    }

    /// Triggers called between two moments.
    pub fn triggers(&self, from: Mark, until: Mark) -> impl Iterator<Item = &Call<'h>> {
        self.calls.iter().filter(move |c| c.verb == Verb::Trigger && c.called > from && c.called < until)
    }

    /// How often the subject was given reason to work between two moments: triggers, and webhooks that it subscribed to.
    #[must_use]
    pub fn askings(&self, from: Mark, until: Mark) -> usize {
        self.triggers(from, until).filter(|call| !call.is_webhook()).count() + self.webhooks(from, until)
    }

    /// Webhooks that were sent between two moments.
    #[must_use]
    pub fn webhooks(&self, from: Mark, until: Mark) -> usize {
        self.index.webhooks.between(from, until)
    }

    /// API calls of the subject that began between two moments; the one call that a disconnect causes is left out.
    pub fn api_calls(&self, from: Mark, until: Mark) -> impl Iterator<Item = &Exchange<'h>> {
        self.within(from, until).filter(|x| x.is_api() && !self.is_farewell(x))
    }

    /// The subject tells Pleo that the user has disconnected: once for each time that the user did.
    fn is_farewell(&self, x: &Exchange<'_>) -> bool {
        if !x.is_goodbye() {
            return false;
        }
        let asked = self.calls.iter().filter(|c| c.verb == Verb::Disconnect && c.called < x.arrived).count();
        let told = self.index.farewells.before(x.arrived);
        told < asked
    }

    /// Refreshes that began between two moments.
    pub fn refreshes(&self, from: Mark, until: Mark) -> impl Iterator<Item = &Exchange<'h>> {
        self.within(from, until).filter(|x| x.is_refresh())
    }

    /// What could have caused something that began at `moment`: the last thing asked of the subject before it. Starts and pages read count, too.
    #[must_use]
    pub fn stimulus_before(&self, moment: Micros) -> Option<Mark> {
        self.index.stimuli.last_until(moment)
    }

    /// Starts of the subject's process, in order.
    #[must_use]
    pub fn starts(&self) -> Vec<Mark> {
        let started = |what: &What| matches!(what, What::ProcessStarted { process, .. } if process == SUBJECT);
        self.acts().filter(|(_, what)| started(what)).map(|(mark, _)| mark).collect()
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

    /// When the user is on the way back after a moment: at the next login, or already then, where one is seen to be under way.
    #[must_use]
    pub fn on_the_way_back(&self, from: Mark) -> Mark {
        let logins = self.calls.iter().filter(|c| c.verb == Verb::Connect && c.wanted == Some(Wanted::Consent));
        let comes_later = |c: &Call<'_>| {
            let answered = c.answered.is_some_and(|(answered, _)| answered > from);
            answered || self.callbacks.iter().any(|callback| callback.call == c.id && !callback.forged && callback.at > from)
        };
        let next = self.reconnection_after(from).map_or(Mark::END, |call| call.called);
        // Also one whose callback was answered before its code was exchanged.
        let exchanged_later = |x: &Exchange<'_>| x.arrived < next && x.replied.is_some_and(|(replied, ..)| replied > from);
        if logins.filter(|c| c.called < from).any(comes_later) || self.code_exchanges().any(exchanged_later) { from } else { next }
    }

    /// The same for what was told at one moment and known at a later one: whoever learned of it late may have been brought back before.
    #[must_use]
    pub fn on_the_way_back_since(&self, told: Mark, knew: Mark) -> Mark {
        if self.on_the_way_back(told) <= knew { knew } else { self.on_the_way_back(knew) }
    }

    /// The code exchange with which the user came back after a moment, and when its answer was written. A login for another company is none.
    #[must_use]
    pub fn back_after(&self, from: Mark) -> Option<(&Exchange<'h>, Mark)> {
        let exchanged = self.code_exchanges().find(|x| x.arrived > from && x.pair().is_some() && !self.is_for_another_company(x))?;
        exchanged.replied.map(|(mark, ..)| (exchanged, mark))
    }

    fn is_for_another_company(&self, x: &Exchange<'_>) -> bool {
        let login = self.calls.iter().rfind(|call| call.verb == Verb::Connect && call.called < x.arrived);
        login.is_some_and(|login| self.acts().any(|(_, what)| matches!(what, What::OtherCompany { call, .. } if *call == login.id)))
    }

    /// The next thing after `from` that the provider or the user does to the connection, whatever its end.
    #[must_use]
    pub fn disturbed_after(&self, from: Mark) -> Mark {
        self.index.disturbances.first_after(from).unwrap_or(Mark::END)
    }

    /// The tokens that had been given to the subject before a moment; of one family, if one is given.
    #[must_use]
    pub fn held_before(&self, moment: Micros, grant: Option<Grant>) -> Option<Pair<'_, 'h>> {
        let of_family = |x: &&Exchange<'_>| grant.is_none() || x.issued_in().is_none() || x.issued_in() == grant;
        let mut newest_first = self.index.pairs_before(moment).map(|place| &self.exchanges[place]).filter(of_family);
        let from = newest_first.next()?;
        let (access, refresh) = from.pair()?;
        let refresh = refresh.or_else(|| newest_first.find_map(|x| x.pair()?.1));
        Some(Pair { from, access, refresh })
    }

    /// When the answer that gave this token had been written; none if no answer is known to have given it.
    #[must_use]
    pub fn given(&self, token: &str) -> Option<Mark> {
        self.index.given.get(token).copied()
    }

    /// Status readings with their marks.
    pub fn statuses(&self) -> impl DoubleEndedIterator<Item = (Mark, Option<regrant_mock_server::fault::scenario::Status>, &'h str)> {
        self.acts().filter_map(|(mark, what)| match what {
            What::StatusRead { state, raw, .. } => Some((mark, *state, raw.as_str())),
            _ => None,
        })
    }

    /// Readings of the page that prompts.
    pub fn prompts(&self) -> impl Iterator<Item = (Mark, &'h crate::evidence::PageSeen)> {
        self.acts().filter_map(|(mark, what)| match what {
            What::PromptRead(page) => Some((mark, page)),
            _ => None,
        })
    }
}

fn rests(order: &[(Mark, &Event)]) -> Vec<Rest> {
    let rests = order.iter().filter_map(|(mark, event)| match &event.what {
        What::Settled { quiet, .. } => Some(Rest { mark: *mark, quiet: *quiet }),
        _ => None,
    });
    rests.collect()
}

fn calls<'h>(order: &[(Mark, &'h Event)]) -> Vec<Call<'h>> {
    let mut calls: BTreeMap<u32, Call<'h>> = BTreeMap::new();
    for (mark, event) in order {
        match &event.what {
            What::VerbCalled { call, verb, source, wanted, item, connection: _, instance } => {
                let it = Call {
                    id: *call,
                    called: *mark,
                    verb: *verb,
                    source: source.as_ref(),
                    wanted: *wanted,
                    item: item.as_deref(),
                    instance: *instance,
                    answered: None,
                    status: None,
                    progress: None,
                };
                calls.entry(*call).or_insert(it);
            }
            What::VerbAnswered { call, outcome, status, .. } => {
                if let Some(it) = calls.get_mut(call) {
                    it.answered = Some((*mark, *outcome));
                    it.status = *status;
                }
            }
            What::JobPolled { call, done, says, .. } => {
                if let Some(it) = calls.get_mut(call) {
                    it.progress = Some(Progress { mark: *mark, done: *done, says: says.as_deref() });
                }
            }
            _ => {}
        }
    }
    let mut calls: Vec<_> = calls.into_values().collect();
    calls.sort_by_key(|c| c.called);
    calls
}

fn callbacks<'h>(order: &[(Mark, &'h Event)]) -> Vec<Callback<'h>> {
    let all = order.iter().filter_map(|(mark, event)| match &event.what {
        What::CallbackDelivered { call, forged, code, .. } => {
            Some(Callback { at: *mark, call: *call, forged: *forged, code: code.as_deref() })
        }
        _ => None,
    });
    all.collect()
}
