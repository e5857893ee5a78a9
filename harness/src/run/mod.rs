//! The hallway: loads, tells, judges. Visits every room; rooms do not visit each other.

mod baseline;
mod check;
mod demo;
mod doctor;
mod explore;
mod plan;
mod probe;
mod shards;
mod stories;
mod subject;
mod terms;
mod unlocks;

use std::path::PathBuf;

pub use baseline::{baseline, baseline_schema, hold_against};
pub use check::{Cancel, RunError, check};
#[cfg(feature = "reference")]
pub use demo::{Demo, demo};
pub use doctor::{Control, Diagnosis, Pace, Trouble, doctor};
pub use explore::{Explored, Found, Hunt, Recorded, RecordedStory, Replayed, Tally, explore, read_recorded, replay, schedule_document};
pub use shards::{NoShard, NotOneRun, Part, Shard, merge};
pub use stories::{Story, built_in};
pub use subject::Subject;
pub use unlocks::Unlock;

use crate::{
    catalogue::Verdict,
    evidence::{Header, History},
    judge::{Judgement, Purpose, Terms, judge},
};

/// Judges a saved run again, by what its header says of the manifest.
#[must_use]
pub fn judge_again(header: Header, histories: Vec<History>) -> Run {
    let saved: Saved = serde_json::from_value(header.terms.clone()).unwrap_or_default();
    let judgement = saved.judgement(&histories);
    // Stories were told side by side and the wall time was not kept: the longest of them is what can be said.
    let seconds = judgement.stories.iter().map(|told| told.seconds).fold(0.0, f64::max);
    Run { header, histories, judgement, seconds, cancelled: saved.cancelled }
}

/// What a run's header keeps for the judge.
#[derive(Debug, Clone, Default, serde::Serialize, serde::Deserialize)]
struct Saved {
    #[serde(default)]
    terms: Terms,
    #[serde(default)]
    purposes: Vec<Purpose>,
    /// Requirements that take part; empty: all.
    #[serde(default)]
    requirements: Vec<String>,
    /// Of these, what none of the stories decides that were chosen by name: told of only if one of them convicts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    besides: Vec<String>,
    /// The part of a run that this is, if it is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    shard: Option<Shard>,
    /// Tells manifests apart.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    manifest: Option<String>,
    /// Cut short by the user.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    cancelled: bool,
}

impl Saved {
    /// Requirements whose stories are in other shards, or were not chosen, are left out, unless a story that was told convicts.
    fn judgement(&self, histories: &[History]) -> Judgement {
        let wanted = |id: &str| self.requirements.is_empty() || self.requirements.iter().any(|r| r == id);
        let mut judgement = judge(histories, &self.terms, &self.purposes, |r| wanted(r.id));
        let decided = |id: &str| self.purposes.iter().any(|purpose| purpose.tests.iter().any(|test| test == id));
        let besides = |id: &str| self.besides.iter().any(|it| it == id);
        let left_out = |id: &str| besides(id) || (self.shard.is_some() && !decided(id));
        judgement.requirements.retain(|judged| judged.verdict == Verdict::Fail || !left_out(judged.id));
        judgement
    }
}

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
    /// Something that a user should know about the manifest.
    Note {
        /// One line.
        text: String,
    },
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
    /// A search goes on.
    Searched {
        /// How many stories were told.
        told: usize,
        /// In how many of them something failed.
        failing: usize,
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
    /// Which part of these; none: all.
    pub shard: Option<Shard>,
    /// The seed of everything random.
    pub seed: u64,
    /// How many stories at once; none: as the machine and the manifest allow.
    pub jobs: Option<usize>,
    /// Scenario files of the user's own.
    pub scenarios: Vec<PathBuf>,
    /// The `regrant` binary, for the supervisor and the reference subject.
    pub regrant: PathBuf,
}
