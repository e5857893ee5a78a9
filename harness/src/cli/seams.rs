//! Where the command line meets the rest of the harness. Everything it asks of other rooms goes through here, in small functions.

use std::{ffi::OsString, process::ExitCode};

use tokio::sync::mpsc::UnboundedSender;

use crate::{
    catalogue::{self, Requirement},
    evidence::{Header, History},
    judge::{Date, Known, Stale},
    run::{self, Options, Progress, Run},
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
    /// IDs that must convict it.
    pub convicts: Vec<String>,
}

pub use run::{Cancel, Control, Diagnosis, NotOneRun, Pace, Part, RunError, Subject, Trouble};

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

/// The whole register: also the lines that no run decides yet.
#[must_use]
pub fn registered() -> Vec<&'static Requirement> {
    catalogue::registered()
}

/// Whether a line of it is decided by this version.
#[must_use]
pub fn is_decided(id: &str) -> bool {
    catalogue::not_decided(id).is_none()
}

/// The register of requirements, as far as runs decide it.
#[must_use]
pub fn register() -> Vec<&'static Requirement> {
    catalogue::all().collect()
}

/// The built-in stories, in the order told.
#[must_use]
pub fn stories() -> Vec<StoryInfo> {
    let info = |story: &run::Story| StoryInfo {
        name: story.name.clone(),
        title: story.scenario.title.clone(),
        about: story.scenario.about.clone(),
        tests: story.scenario.tests.clone(),
        also: story.scenario.also.clone(),
    };
    run::built_in().iter().map(info).collect()
}

/// The reference subject's defects, and the null subjects that exercise nothing.
#[must_use]
#[cfg(feature = "reference")]
pub fn defects() -> Vec<Defect> {
    let nulls = crate::reference::NULLS.iter().map(|(name, about)| Defect {
        name: (*name).to_owned(),
        about: (*about).to_owned(),
        convicts: Vec::new(),
    });
    crate::reference::defects().iter().map(defect).chain(nulls).collect()
}

#[cfg(feature = "reference")]
fn defect(planted: &crate::reference::Defect) -> Defect {
    // The register may be behind the subject: only requirements that exist can convict.
    let known = planted.breaks.iter().filter(|id| catalogue::find(id).is_some());
    Defect { name: planted.name.to_owned(), about: planted.about.to_owned(), convicts: known.map(|id| (*id).to_owned()).collect() }
}

/// The reference subject's defects: this build has none.
#[must_use]
#[cfg(not(feature = "reference"))]
pub fn defects() -> Vec<Defect> {
    Vec::new()
}

/// The conformance run. A cancelled run is no error: it comes back with what was observed so far.
///
/// # Errors
/// As [`RunError`] says.
pub async fn check(subject: Subject, options: Options, progress: UnboundedSender<Progress>, cancel: Cancel) -> Result<Run, RunError> {
    run::check(subject, options, progress, cancel).await
}

/// A few stories against the reference subject, upright and with a defect.
///
/// # Errors
/// As [`RunError`] says.
#[cfg(feature = "reference")]
pub async fn demo(options: Options, progress: UnboundedSender<Progress>, cancel: Cancel) -> Result<Demo, RunError> {
    let demo = run::demo(options, progress, cancel).await?;
    Ok(Demo { upright: demo.upright, faulty: demo.faulty, defect: defect(demo.defect) })
}

/// A few stories against the reference subject: this build has none.
///
/// # Errors
/// Always.
#[cfg(not(feature = "reference"))]
#[allow(clippy::unused_async, reason = "asynchronous where there is something to do")]
pub async fn demo(_: Options, _: UnboundedSender<Progress>, _: Cancel) -> Result<Demo, RunError> {
    Err(RunError::Environment("this build has no reference subject (cargo feature `reference`)".into()))
}

/// A search for an order of events in which something fails.
///
/// # Errors
/// As [`RunError`] says.
pub async fn explore(
    subject: Subject,
    options: Options,
    hunt: run::Hunt,
    progress: UnboundedSender<Progress>,
    cancel: Cancel,
) -> Result<run::Explored, RunError> {
    run::explore(subject, options, hunt, progress, cancel).await
}

/// A recorded run, told again.
///
/// # Errors
/// As [`RunError`] says.
pub async fn replay(
    subject: Subject,
    options: Options,
    recorded: run::Recorded,
    progress: UnboundedSender<Progress>,
    cancel: Cancel,
) -> Result<run::Replayed, RunError> {
    run::replay(subject, options, recorded, progress, cancel).await
}

/// The positive controls alone.
///
/// # Errors
/// As [`RunError`] says.
pub async fn doctor(
    subject: Subject,
    options: Options,
    progress: UnboundedSender<Progress>,
    cancel: Cancel,
) -> Result<Diagnosis, RunError> {
    run::doctor(subject, options, progress, cancel).await
}

/// Whether a text is a manifest.
///
/// # Errors
/// What is wrong with it, and where.
pub fn check_manifest(text: &str, path: &std::path::Path) -> Result<(), RunError> {
    let read = crate::subject::Manifest::parse(text, &path.to_string_lossy(), std::path::Path::new("."), &[]);
    read.map(|_| ()).map_err(|error| RunError::User(miette::Report::new_boxed(error)))
}

/// Judges what was seen.
#[must_use]
pub fn judge(header: Header, histories: Vec<History>) -> Run {
    run::judge_again(header, histories)
}

/// One run of its shards, judged; a single run as it is.
///
/// # Errors
/// They are not all the shards of one run.
pub fn merge(parts: Vec<Part>) -> Result<Option<Run>, NotOneRun> {
    Ok(run::merge(parts)?.map(|(header, histories)| judge(header, histories)))
}

/// Known failures, read from a file.
///
/// # Errors
/// It cannot be read, or something is wrong in it.
pub fn baseline(path: &std::path::Path) -> Result<Vec<Known>, RunError> {
    run::baseline(path)
}

/// Holds a run against known failures, as of today; what comes back are entries that say nothing any more.
#[must_use]
pub fn hold_against(run: &mut Run, known: &[Known]) -> Vec<Stale> {
    run::hold_against(run, known, today())
}

/// By the calendar of UTC.
fn today() -> Date {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    Date::of_days(since.as_secs() / (24 * 60 * 60))
}

/// The manifest's JSON Schema.
#[must_use]
pub fn manifest_schema() -> serde_json::Value {
    crate::subject::Manifest::schema()
}

/// The JSON Schema of a list of known failures.
#[must_use]
pub fn baseline_schema() -> serde_json::Value {
    run::baseline_schema()
}

/// `regrant supervise`: the process that starts a subject and outlives nobody.
#[must_use]
pub fn supervise() -> ExitCode {
    crate::subject::supervise_main()
}

/// `regrant subject`: the reference subject itself.
#[must_use]
#[cfg(feature = "reference")]
pub fn subject(args: Vec<OsString>) -> ExitCode {
    crate::reference::main(args.into_iter().map(|arg| arg.to_string_lossy().into_owned()))
}

/// `regrant subject`: this build has none.
#[must_use]
#[cfg(not(feature = "reference"))]
pub fn subject(_: Vec<OsString>) -> ExitCode {
    ExitCode::from(2)
}
