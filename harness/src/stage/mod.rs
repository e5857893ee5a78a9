//! One provider, one subject and its collectors, alive together, while one story is told.
//!
//! In: a [`Setting`] (the manifest and what is known of the subject) and a scenario. Out: a [`History`](crate::evidence::History). Nothing in
//! here decides whether what it sees is right.

mod acts;
mod aftermath;
mod cast;
mod connect;
mod disconnect;
mod elsewhere;
mod expected;
mod instances;
mod intercepted;
mod jobs;
mod lifecycle;
mod links;
mod notify;
mod paused;
mod probes;
mod pumps;
mod quiet;
mod recorder;
mod setup;
mod story;
mod subscription;
mod triggers;
mod waits;

use std::{path::PathBuf, sync::Arc};

pub use recorder::Recorder;
use regrant_mock_server::control::UnitKind;
pub use story::tell;

use crate::{
    evidence::Refreshing,
    subject::{Manifest, manifest::WorkKind},
};

/// What all stories of a run have in common.
#[derive(Debug, Clone)]
pub struct Setting {
    /// The subject's manifest.
    pub manifest: Arc<Manifest>,
    /// The `regrant` binary, for the supervisor.
    pub regrant: PathBuf,
    /// Seed of the story's secrets.
    pub seed: u64,
    /// How the subject is made to refresh.
    pub refreshing: Refreshing,
    /// What a unit of work is, if known.
    pub work: Option<WorkKind>,
    /// Which units the provider makes.
    pub units: Vec<UnitKind>,
    /// The subject's time zone, where the story asks for one.
    pub time_zone: Option<String>,
}

/// Why a story could not be told to its end. What was seen so far is in the recorder.
#[derive(Debug, thiserror::Error)]
pub enum StageError {
    /// The surroundings are to blame: a port, a program, the manifest.
    #[error("{0}")]
    Environment(String),
    /// Somebody else has the subject's port; to be tried again with another one.
    #[error("{name} found its port taken: {line}")]
    PortTaken {
        /// Which process.
        name: String,
        /// What it said.
        line: String,
    },
    /// The subject ended by itself while it started.
    #[error("{0}")]
    EndedEarly(String),
    /// The story needs something that did not come about.
    #[error("{0}")]
    NotRealised(String),
    /// The harness is to blame.
    #[error("{0}")]
    Harness(String),
}

impl From<crate::subject::SubjectError> for StageError {
    fn from(error: crate::subject::SubjectError) -> Self {
        use crate::subject::SubjectError;
        match error {
            SubjectError::PortTaken { name, line } => Self::PortTaken { name, line },
            ended @ SubjectError::EndedEarly { .. } => Self::EndedEarly(ended.to_string()),
            other => Self::Environment(other.to_string()),
        }
    }
}

impl From<crate::subject::UnknownPlaceholder> for StageError {
    fn from(error: crate::subject::UnknownPlaceholder) -> Self {
        Self::Environment(error.to_string())
    }
}
