//! What can go wrong for the user's browser.

use std::time::Duration;

use crate::subject::{Blame, UnknownPlaceholder};

/// Why there is no answer.
#[derive(Debug, Clone, thiserror::Error)]
pub enum AgentError {
    /// A placeholder has no value.
    #[error(transparent)]
    Placeholder(#[from] UnknownPlaceholder),
    /// Not a URL.
    #[error("{url:?} is no http URL: {reason}")]
    BadUrl {
        /// What was given.
        url: String,
        /// Why not.
        reason: String,
    },
    /// A way out of the machine, not taken.
    #[error("the way leads to {url}, which is not on this machine; is every address of Pleo in the subject's configuration one of ours?")]
    NotLoopback {
        /// Where it leads.
        url: String,
    },
    /// Redirects without an end.
    #[error("redirects for ever: after 10 redirects still on the way, last to {url}")]
    RedirectsForever {
        /// The last one.
        url: String,
    },
    /// No connection, or it broke.
    #[error("no answer from {url}: {reason}")]
    NoAnswer {
        /// The address.
        url: String,
        /// Why.
        reason: String,
    },
    /// Too late.
    #[error("no answer within {after:?} from {url}")]
    TimedOut {
        /// The address.
        url: String,
        /// The limit.
        after: Duration,
    },
    /// A step has nothing to act on.
    #[error("{url} has {missing}; remedy: correct `steps`")]
    StepFailed {
        /// The page.
        url: String,
        /// What it has not, in words.
        missing: String,
    },
    /// `connect` did not come to the authorise endpoint.
    #[error("connect did not lead to the authorise endpoint: it ended at {url} with status {status}; {hint}")]
    NoWayToAuthorize {
        /// Where it ended.
        url: String,
        /// How.
        status: u16,
        /// What can be done.
        hint: String,
    },
    /// Signing in did not work.
    #[error("signing in failed: {reason}; remedy: correct [[login]]")]
    Login {
        /// Why.
        reason: String,
    },
    /// The provider's consent page has no such answer.
    #[error("the consent page at {url} has no button to {wanted}")]
    NoConsentButton {
        /// The page.
        url: String,
        /// `allow` or `deny`.
        wanted: &'static str,
    },
    /// The browser cannot be made.
    #[error("the user agent cannot be set up: {reason}")]
    Setup {
        /// Why.
        reason: String,
    },
}

impl AgentError {
    /// Who is to blame.
    #[must_use]
    pub fn blame(&self) -> Blame {
        match self {
            Self::Placeholder(_) | Self::BadUrl { .. } | Self::StepFailed { .. } | Self::Login { .. } => Blame::Manifest,
            Self::Setup { .. } | Self::NoConsentButton { .. } => Blame::Environment,
            Self::NotLoopback { .. }
            | Self::RedirectsForever { .. }
            | Self::NoAnswer { .. }
            | Self::TimedOut { .. }
            | Self::NoWayToAuthorize { .. } => Blame::Subject,
        }
    }

    /// Nothing was answered: a transport error or a time-out, which says nothing about the work.
    #[must_use]
    pub fn is_no_answer(&self) -> bool {
        matches!(self, Self::NoAnswer { .. } | Self::TimedOut { .. })
    }
}
