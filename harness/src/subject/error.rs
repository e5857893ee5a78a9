//! What can go wrong while a subject is driven, split by who is to blame.

use std::time::Duration;

use super::{AgentError, SpawnError, UnknownPlaceholder};

/// Who must act for it to go better next time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Blame {
    /// The machine: no port, no disk, no process.
    Environment,
    /// The manifest says what cannot be.
    Manifest,
    /// The subject did not do what it was asked.
    Subject,
}

/// Why a subject could not be driven.
#[derive(Debug, thiserror::Error)]
pub enum SubjectError {
    /// A resource of the machine is missing.
    #[error("{what}: {source}")]
    Environment {
        /// What was tried.
        what: String,
        /// Why it failed.
        source: std::io::Error,
    },
    /// The supervisor is gone.
    #[error("the supervisor process ended unexpectedly; was it killed, or is the machine out of memory?")]
    SupervisorGone,
    /// A program does not read its standard input.
    #[error("{name} does not read its standard input: it has ended, or closed it")]
    NotListening {
        /// Which process.
        name: String,
    },
    /// A program that connects did not tell where to.
    #[error("connect did not lead to the authorise endpoint: {how}; remedy: let it print the whole address on a line of its own")]
    NoAuthorizeUrl {
        /// What it did instead.
        how: String,
    },
    /// A program could not be started.
    #[error(transparent)]
    Spawn(#[from] SpawnError),
    /// A placeholder has no value.
    #[error(transparent)]
    Placeholder(#[from] UnknownPlaceholder),
    /// This release cannot do it.
    #[error("`{key}` is not supported by this release: {instead}")]
    Unsupported {
        /// The manifest's key.
        key: String,
        /// What can be done instead.
        instead: String,
    },
    /// Its port is taken by somebody else; to be tried again with another one.
    #[error("{name} found its port taken: {line}")]
    PortTaken {
        /// Which process.
        name: String,
        /// What it said.
        line: String,
    },
    /// It ended before it was ready.
    #[error("{name} {how} before it was ready{}", printed(lines))]
    EndedEarly {
        /// Which process.
        name: String,
        /// `exited with code 1`, `was killed by signal 9`.
        how: String,
        /// Its first and last lines.
        lines: Vec<String>,
    },
    /// It was not ready in time.
    #[error(
        "{name} was not ready after {after:?}: {waited_for}{}\nremedy: raise `start.timeout`, or correct `start.ready`",
        printed(lines)
    )]
    NotReady {
        /// Which process.
        name: String,
        /// How long it was given.
        after: Duration,
        /// What did not come.
        waited_for: String,
        /// Its first and last lines.
        lines: Vec<String>,
    },
    /// A one-shot program ran too long.
    #[error("{name} did not end within {after:?} and was killed")]
    TooSlow {
        /// Which program.
        name: String,
        /// How long it was given.
        after: Duration,
    },
    /// A page or a request went wrong.
    #[error(transparent)]
    Agent(#[from] AgentError),
}

impl SubjectError {
    /// Who is to blame.
    #[must_use]
    pub fn blame(&self) -> Blame {
        match self {
            Self::Environment { .. } | Self::SupervisorGone | Self::PortTaken { .. } => Blame::Environment,
            Self::Spawn(error) => error.blame(),
            Self::Agent(error) => error.blame(),
            Self::Placeholder(_) | Self::Unsupported { .. } => Blame::Manifest,
            Self::NotListening { .. }
            | Self::NoAuthorizeUrl { .. }
            | Self::EndedEarly { .. }
            | Self::NotReady { .. }
            | Self::TooSlow { .. } => Blame::Subject,
        }
    }
}

fn printed(lines: &[String]) -> String {
    match lines {
        [] => "; it printed nothing".into(),
        _ => format!("; it printed:\n  {}", lines.join("\n  ")),
    }
}
