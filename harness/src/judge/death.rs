//! When the subject was told that its grant is finished, and what could be expected of it from then on.

use super::Exchange;
use super::view::{Mark, Rest, View};
use crate::evidence::{Grant, Reply, What};

/// What is finished.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// The grant: the user must consent again.
    Grant,
    /// The client's credentials are refused (`invalid_client`); the grant was not judged.
    Client,
}

/// One definitive refusal, from the moment the subject had read it until the user reconnects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Death {
    /// What is finished.
    pub ended: Ended,
    /// OAuth `error`.
    pub error: String,
    /// The provider's own words.
    pub description: Option<String>,
    /// Family of the refused token.
    pub grant: Option<Grant>,
    /// Name of the refused refresh token.
    pub refresh: String,
    /// Name of the access token of the same pair.
    pub access: Option<String>,
    /// When the refused request arrived.
    pub asked: Mark,
    /// When the refusal was written.
    pub refused: Mark,
    /// When the subject knew.
    pub knew: Mark,
    /// When it had come to rest with that knowledge, or had had the longest time for it.
    pub settled: Option<Mark>,
    /// It really was at rest then.
    pub at_rest: bool,
    /// When the user set out to reconnect (when the subject knew, if that was before), or (client) when the subject was given other credentials; [`Mark::END`] if never.
    pub until: Mark,
    /// Until when the process that learned of it ran on.
    pub process_until: Mark,
    /// The first restart with that knowledge while it was dead. A one-shot program starts anew with every piece of work.
    pub restarted: Option<Mark>,
}

/// All deaths of a story, in order.
pub(super) fn deaths(view: &View<'_>) -> Vec<Death> {
    let mut deaths: Vec<Death> = Vec::new();
    for x in view.exchanges.iter().filter(|x| x.is_refresh()) {
        // Later refusals of the same outage are consequences, not deaths of their own.
        if deaths.last().is_none_or(|last| x.arrived > last.until) {
            deaths.extend(death(view, x));
        }
    }
    deaths
}

fn death(view: &View<'_>, x: &Exchange<'_>) -> Option<Death> {
    let error = x.refusal()?.to_owned();
    let (refused, _, reply) = x.replied?;
    let refresh = x.token_name()?;
    let held = view.held_before(refused.at, None)?;
    // A refusal speaks of the token that was sent. If the subject holds another one by then, the connection is not dead.
    if held.refresh != Some(refresh) {
        return None;
    }
    let knew = knew(view, x, refused)?;
    let ended = if error == "invalid_client" { Ended::Client } else { Ended::Grant };
    let until = until(view, ended, refused, knew);
    // Another worker's refresh, under way at the same time, brought good tokens after all.
    if view
        .exchanges
        .iter()
        .any(|y| y.is_refresh() && y.pair().is_some() && y.replied.is_some_and(|(mark, ..)| mark > refused && mark < until))
    {
        return None;
    }
    let description = match reply {
        Reply::Final { description, .. } => description.clone(),
        Reply::Tokens { .. } | Reply::Transient | Reply::Open { .. } | Reply::Plain => None,
    };
    let rest = rest(view, knew).filter(|rest| rest.mark < until);
    let settled = rest.map(|rest| rest.mark);
    let goes_on = view.terms.one_shot || view.terms.restarts_on_exit;
    let restart = |from: Mark| view.restart_after(from).filter(|&mark| mark < until);
    Some(Death {
        ended,
        error,
        description,
        grant: x.grant(),
        access: Some(held.access.to_owned()),
        refresh: refresh.to_owned(),
        asked: x.arrived,
        refused,
        knew,
        settled,
        at_rest: rest.is_some_and(|rest| rest.quiet),
        until,
        process_until: restart(knew).filter(|_| !goes_on).unwrap_or(until),
        restarted: if view.terms.one_shot { settled } else { settled.and_then(restart) },
    })
}

/// When the subject knew the answer. Where that cannot be seen, it knows once it has come to rest, if it lived to do so.
fn knew(view: &View<'_>, x: &Exchange<'_>, refused: Mark) -> Option<Mark> {
    if x.read.is_some() || !x.read_unknown {
        return x.read;
    }
    let rest = view.settled_after(refused)?;
    let lived = view.index.ends.between(refused, rest) == 0;
    lived.then_some(rest)
}

/// The first rest with that knowledge: where nothing better is known, the one from which the knowledge is taken.
fn rest(view: &View<'_>, knew: Mark) -> Option<Rest> {
    view.rests.iter().copied().find(|rest| rest.mark >= knew)
}

fn until(view: &View<'_>, ended: Ended, refused: Mark, knew: Mark) -> Mark {
    let reconnected = view.on_the_way_back_since(refused, knew);
    let handed = || view.marks(|what| matches!(what, What::SecretHanded)).into_iter().find(|mark| *mark > knew).unwrap_or(Mark::END);
    match ended {
        Ended::Grant => reconnected,
        Ended::Client => reconnected.min(handed()),
    }
}
