//! The hallway: loads, tells, judges. Visits every room; rooms do not visit each other.

use std::path::PathBuf;

use crate::{
    evidence::{Header, History},
    judge::Judgement,
};

/// Which requirements and stories take part.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selection {
    /// IDs (`STOP-01`), groups (`STOP`), story names; empty: all.
    pub only: Vec<String>,
    /// The same, left out.
    pub skip: Vec<String>,
}

/// What happens while a run goes on, for whoever shows progress.
#[derive(Debug, Clone, PartialEq)]
pub enum Progress {
    /// `[build]` runs.
    Building,
    /// So many stories will be told.
    Planned {
        /// How many.
        stories: usize,
    },
    /// A story began.
    Began {
        /// Its name.
        story: String,
    },
    /// A story ended.
    Ended {
        /// Its name.
        story: String,
        /// How long it took.
        seconds: f64,
        /// IDs that failed in it.
        failed: Vec<&'static str>,
        /// The harness or the surroundings failed.
        trouble: Option<String>,
    },
}

/// A finished run.
#[derive(Debug, Clone, PartialEq)]
pub struct Run {
    /// What `run.jsonl` begins with.
    pub header: Header,
    /// What was seen.
    pub histories: Vec<History>,
    /// What it means.
    pub judgement: Judgement,
    /// Wall time.
    pub seconds: f64,
    /// Where it was cut short by the user.
    pub cancelled: bool,
}

/// How a run is set up.
#[derive(Debug, Clone)]
pub struct Options {
    /// Which requirements and stories.
    pub selection: Selection,
    /// The seed of everything random.
    pub seed: u64,
    /// How many stories at once; none: as the machine and the manifest allow.
    pub jobs: Option<usize>,
    /// Scenario files of the user's own.
    pub scenarios: Vec<PathBuf>,
    /// The `regrant` binary, for the supervisor and the reference subject.
    pub regrant: PathBuf,
}
