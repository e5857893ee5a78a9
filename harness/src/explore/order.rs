//! What happened at the boundary of the subject, in its order and without times: events by kind and place. Two runs that are alike in this are
//! the same to everybody who stands outside.

use std::{collections::BTreeMap, fmt};

use regrant_mock_server::journal::Endpoint;
use serde::{Deserialize, Serialize};

use crate::evidence::{History, Phase, Verb, What};

/// One thing that happened at the boundary.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "happening", rename_all = "kebab-case")]
pub enum Happening {
    /// A request was held on its way, or its answer was.
    Held {
        /// Which: kind and place, such as `refresh 2`.
        request: String,
    },
    /// It went on.
    Released {
        /// Which.
        request: String,
    },
    /// Its connection was ended.
    Dropped {
        /// Which.
        request: String,
    },
    /// A request was answered.
    Answered {
        /// Which.
        request: String,
        /// With which status.
        status: u16,
    },
    /// A grant was ended at the provider.
    Revoked,
    /// A person or a scheduler asked something of the subject.
    Asked {
        /// What.
        verb: Verb,
    },
    /// The browser came back with a callback.
    CameBack,
    /// kill -9.
    Killed,
    /// The subject was started.
    Started,
    /// Its processes were stopped where they were.
    Paused,
    /// They went on.
    Continued,
}

impl Happening {
    /// Somebody decided it, rather than the subject.
    #[must_use]
    pub fn is_decision(&self) -> bool {
        !matches!(self, Self::Answered { .. } | Self::Held { .. })
    }
}

impl fmt::Display for Happening {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Held { request } => write!(f, "{request} is held"),
            Self::Released { request } => write!(f, "{request} goes on"),
            Self::Dropped { request } => write!(f, "{request} is lost"),
            Self::Answered { request, status } => write!(f, "{request} is answered {status}"),
            Self::Revoked => f.write_str("the grant ends"),
            Self::Asked { verb } => write!(f, "{} is asked for", format!("{verb:?}").to_lowercase()),
            Self::CameBack => f.write_str("the callback arrives"),
            Self::Killed => f.write_str("the process is killed"),
            Self::Started => f.write_str("the process is started"),
            Self::Paused => f.write_str("the process is stopped where it is"),
            Self::Continued => f.write_str("the process goes on"),
        }
    }
}

/// All that happened at the boundary between the common beginning and the common end.
#[must_use]
pub fn happenings(history: &History) -> Vec<Happening> {
    let names = names(history);
    let story = history.events.iter().skip_while(|e| !matches!(e.what, What::PhaseBegan { phase: Phase::Story }));
    let story = story.take_while(|e| !matches!(e.what, What::PhaseBegan { phase: Phase::Epilogue }));
    let request = |exchange: &u64| names.get(exchange).cloned();
    let what = |what: &What| match what {
        What::Held { exchange, .. } => Some(Happening::Held { request: request(exchange)? }),
        What::Released { exchange, dropped: false } => Some(Happening::Released { request: request(exchange)? }),
        What::Released { exchange, dropped: true } => Some(Happening::Dropped { request: request(exchange)? }),
        What::Replied { exchange, status, .. } => Some(Happening::Answered { request: request(exchange)?, status: *status }),
        What::Revoked { .. } => Some(Happening::Revoked),
        What::VerbCalled { verb, .. } if !matches!(verb, Verb::Status) => Some(Happening::Asked { verb: *verb }),
        What::CallbackDelivered { .. } => Some(Happening::CameBack),
        What::ProcessStopping { kill: true, .. } => Some(Happening::Killed),
        What::ProcessStarted { .. } => Some(Happening::Started),
        What::Paused { .. } => Some(Happening::Paused),
        What::Continued => Some(Happening::Continued),
        _ => None,
    };
    story.filter_map(|event| what(&event.what)).collect()
}

/// What was decided, and what it was decided upon.
#[must_use]
pub fn order(history: &History) -> Vec<Happening> {
    happenings(history).into_iter().filter(|happening| happening.is_decision() || matches!(happening, Happening::Held { .. })).collect()
}

/// Whether two tellings were alike. Answers that were written within one moment may have changed places.
#[must_use]
pub fn same_order(one: &History, other: &History) -> bool {
    let sorted = |history: &History| {
        let mut all: Vec<Vec<String>> = vec![Vec::new()];
        for happening in happenings(history) {
            let answered = matches!(happening, Happening::Answered { .. });
            match all.last_mut().filter(|_| answered) {
                Some(moment) => moment.push(happening.to_string()),
                None => all.push(vec![happening.to_string()]),
            }
        }
        for moment in &mut all {
            if let Some(answers) = moment.get_mut(1..) {
                answers.sort();
            }
        }
        all
    };
    sorted(one) == sorted(other)
}

/// Requests of the subject by kind and place in the order of arrival.
fn names(history: &History) -> BTreeMap<u64, String> {
    let grants: BTreeMap<u64, &str> = history
        .events
        .iter()
        .filter_map(|event| match &event.what {
            What::Token { exchange, grant_type: Some(grant), .. } => Some((*exchange, grant.as_str())),
            _ => None,
        })
        .collect();
    let mut counted: BTreeMap<String, u32> = BTreeMap::new();
    let mut names = BTreeMap::new();
    let mut story = false;
    for event in &history.events {
        match &event.what {
            What::PhaseBegan { phase } => story = *phase == Phase::Story,
            What::Requested { exchange, endpoint, method, path, by_agent: false, .. } if story => {
                let kind = match (endpoint, grants.get(exchange)) {
                    (Endpoint::Token, Some(&"refresh_token") | None) => "refresh".to_owned(),
                    (Endpoint::Token, Some(&"authorization_code")) => "code exchange".to_owned(),
                    (Endpoint::Token, Some(other)) => (*other).to_owned(),
                    _ => format!("{method} {}", path.split('?').next().unwrap_or(path)),
                };
                let count = counted.entry(kind.clone()).or_default();
                *count += 1;
                names.insert(*exchange, format!("{kind} {count}"));
            }
            _ => {}
        }
    }
    names
}
