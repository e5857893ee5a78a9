//! When the subject was told that its grant is finished, and what could be expected of it from then on.

use super::view::{Exchange, Mark, View};

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
    /// When it had come to rest with that knowledge.
    pub settled: Option<Mark>,
    /// When the user set out to reconnect; [`Mark::END`] if never.
    pub until: Mark,
    /// The first restart while it was dead.
    pub restarted: Option<Mark>,
}

impl Death {
    /// Until when the process that learned of it ran on.
    #[must_use]
    pub fn same_process_until(&self) -> Mark {
        self.restarted.unwrap_or(self.until).min(self.until)
    }
}

/// All deaths of a story, in order.
pub(super) fn deaths(view: &View<'_>) -> Vec<Death> {
    let mut deaths: Vec<Death> = Vec::new();
    for x in view.exchanges.iter().filter(|x| x.is_refresh()) {
        let Some(death) = death(view, x) else { continue };
        // Later refusals of the same outage are consequences, not deaths of their own.
        if deaths.last().is_none_or(|last| death.asked > last.until) {
            deaths.push(death);
        }
    }
    deaths
}

fn death(view: &View<'_>, x: &Exchange<'_>) -> Option<Death> {
    let error = x.refusal()?.to_owned();
    let (refused, _, reply) = x.replied?;
    let refresh = x.token_name()?.to_owned();
    let (_, access, newest) = view.pair_before(refused.at)?;
    // A refusal speaks of the token that was sent. If the subject holds a newer one by then, the connection is not dead.
    if newest.is_some_and(|newest| newest != refresh) {
        return None;
    }
    // Where it cannot be seen when a reply was read, the subject knows at the latest when it has settled.
    let knew = x.read.or_else(|| view.settled_after(refused))?;
    let until = view.reconnection_after(knew).map_or(Mark::END, |call| call.called);
    let ended = if error == "invalid_client" { Ended::Client } else { Ended::Grant };
    let description = match reply {
        crate::evidence::Reply::Final { description, .. } => description.clone(),
        _ => None,
    };
    Some(Death {
        ended,
        error,
        description,
        access: Some(access.to_owned()),
        refresh,
        asked: x.arrived,
        refused,
        knew,
        settled: view.settled_after(knew).filter(|&mark| mark < until),
        until,
        restarted: view.restart_after(knew).filter(|&mark| mark < until),
    })
}
