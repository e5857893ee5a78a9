//! Where the command line meets the rest of the harness. Everything it asks of other rooms goes through here, in small functions.

use std::process::ExitCode;

use tokio::sync::{mpsc::UnboundedSender, watch};

use crate::{
    catalogue::{self, Requirement},
    evidence::{Header, History},
    judge::Judgement,
    run::{Options, Progress, Run},
};

/// A story as far as a list of stories needs it.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct StoryInfo {
    /// File stem.
    pub name: String,
    /// One line for a person.
    pub title: String,
    /// What happens and why it matters.
    pub about: String,
    /// Requirements that are decided here.
    pub tests: Vec<String>,
    /// Requirements that may convict here.
    pub also: Vec<String>,
}

/// A defect that can be planted in the reference subject.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Defect {
    /// As in `--reference NAME`.
    pub name: String,
    /// What the subject then does wrong.
    pub about: String,
    /// IDs of this edition that must convict it.
    pub convicts: Vec<String>,
}

/// Whose conformance is checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subject {
    /// The one that a manifest describes.
    Manifest {
        /// The file.
        path: std::path::PathBuf,
        /// `--set`: dotted path and TOML value or bare string.
        sets: Vec<(String, String)>,
    },
    /// The built-in one.
    Reference {
        /// The defect planted in it.
        defect: Option<String>,
    },
}

/// Turns true when the user cancels.
pub type Cancel = watch::Receiver<bool>;

/// Why there is no run at all.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The manifest, a scenario file or the selection is wrong; the message shows the place.
    #[error("{0}")]
    User(miette::Report),
    /// The selection leaves nothing to tell.
    #[error("nothing is selected")]
    NothingSelected,
    /// The surroundings do not allow a run.
    #[error("{0}")]
    Environment(String),
    /// The harness failed before anything could be told.
    #[error("{0}")]
    Harness(String),
}

/// What `regrant demo` saw.
#[derive(Debug, Clone, PartialEq)]
pub struct Demo {
    /// The reference subject as it should be.
    pub upright: Run,
    /// The reference subject with a defect.
    pub faulty: Run,
    /// The defect.
    pub defect: Defect,
}

/// The register of requirements.
#[must_use]
pub fn register() -> Vec<&'static Requirement> {
    catalogue::all().collect()
}

/// The built-in stories, in the order told.
#[must_use]
pub fn stories() -> Vec<StoryInfo> {
    Vec::new()
}

/// The reference subject's defects.
#[must_use]
#[cfg(feature = "reference")]
pub fn defects() -> Vec<Defect> {
    let known = |id: &&str| catalogue::find(id).is_some();
    let words = |ids: &[&str]| ids.iter().filter(|id| known(id)).map(ToString::to_string).collect();
    let defects = crate::reference::defects().iter();
    defects.map(|defect| Defect { name: defect.name.into(), about: defect.about.into(), convicts: words(defect.breaks) }).collect()
}

/// There is no reference subject in this build.
#[must_use]
#[cfg(not(feature = "reference"))]
pub fn defects() -> Vec<Defect> {
    Vec::new()
}

/// The conformance run. A cancelled run is no error: it comes back with what was observed so far.
///
/// # Errors
/// As [`RunError`] says.
#[allow(clippy::unused_async, reason = "the run is asynchronous")]
pub async fn check(subject: Subject, options: Options, progress: UnboundedSender<Progress>, cancel: Cancel) -> Result<Run, RunError> {
    drop((subject, options, progress, cancel));
    Err(RunError::Harness("this build cannot tell stories".into()))
}

/// A few stories against the reference subject, upright and with a defect.
///
/// # Errors
/// As [`RunError`] says.
#[allow(clippy::unused_async, reason = "the run is asynchronous")]
pub async fn demo(options: Options, progress: UnboundedSender<Progress>, cancel: Cancel) -> Result<Demo, RunError> {
    drop((options, progress, cancel));
    Err(RunError::Harness("this build cannot tell stories".into()))
}

/// Judges what was seen.
#[must_use]
pub fn judge(header: &Header, histories: &[History]) -> Judgement {
    let _ = (header, histories);
    Judgement { requirements: Vec::new(), stories: Vec::new() }
}

/// The manifest's JSON Schema.
#[must_use]
pub fn manifest_schema() -> serde_json::Value {
    crate::subject::Manifest::schema()
}

/// `regrant supervise`: the process that starts a subject and outlives nobody.
#[must_use]
pub fn supervise() -> ExitCode {
    crate::subject::supervise_main()
}

/// `regrant subject`: the reference subject itself.
#[must_use]
#[cfg(feature = "reference")]
pub fn subject(args: Vec<String>) -> ExitCode {
    crate::reference::main(args.into_iter())
}

/// There is no reference subject in this build.
#[must_use]
#[cfg(not(feature = "reference"))]
pub fn subject(args: Vec<String>) -> ExitCode {
    drop(args);
    ExitCode::from(2)
}
