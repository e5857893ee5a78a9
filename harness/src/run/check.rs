//! The conformance run: build, probe, tell the stories side by side, judge.

use std::{collections::VecDeque, path::Path, sync::Arc, time::Instant};

use tokio::{
    sync::{mpsc::UnboundedSender, watch},
    task::JoinSet,
};

use super::{Options, Progress, Run, Saved, Story, Subject, plan, probe, terms};
use crate::{
    catalogue::Verdict,
    evidence::{Header, History, Phase, What},
    judge::{Purpose, Terms, judge},
    stage::{Recorder, Setting, tell},
    subject::Manifest,
};

/// The contract's version.
pub(super) const CONTRACT: u32 = 1;

/// How long stories may take to end in good order (processes, `cleanup`, sandboxes) once the user cancels; a second Ctrl-C ends at once.
const FAREWELL: std::time::Duration = std::time::Duration::from_secs(30);

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

impl RunError {
    pub(super) fn user(message: String) -> Self {
        Self::User(miette::Report::msg(message))
    }

    /// With the place in a file.
    pub(super) fn in_file(file: &str, text: String, offset: usize, message: String, advice: Option<String>) -> Self {
        let mut diagnostic = miette::MietteDiagnostic::new(message.clone()).with_label(miette::LabeledSpan::at_offset(offset, message));
        if let Some(advice) = advice {
            diagnostic = diagnostic.with_help(advice);
        }
        Self::User(miette::Report::new(diagnostic).with_source_code(miette::NamedSource::new(file, text)))
    }
}

/// The conformance run. A cancelled run is no error: it comes back with what was observed so far.
///
/// # Errors
/// As [`RunError`] says.
pub async fn check(subject: Subject, options: Options, progress: UnboundedSender<Progress>, mut cancel: Cancel) -> Result<Run, RunError> {
    let started = Instant::now();
    let manifest = Arc::new(subject.manifest(&options.regrant)?);
    for (key, instead) in manifest.unsupported() {
        let _ = progress.send(Progress::Note { text: format!("{}: `{key}`: {instead}", manifest.file) });
    }
    let plan = plan::plan(&options.selection, &options.scenarios, options.shard)?;
    let manifest_print = subject.fingerprint();
    build(&manifest, &progress).await?;
    let _ = progress.send(Progress::Planned { stories: plan.stories.len() });
    let mut teller = Teller {
        manifest: Arc::clone(&manifest),
        options: &options,
        progress: &progress,
        known: probe::unknown(&manifest),
        counted: &plan.requirements,
        shown: true,
    };
    let mut told: Vec<History> = Vec::new();
    let mut rest: Vec<Story> = plan.stories.clone();
    let mut cancelled = false;
    // What keeps the first story from beginning keeps all others from it: once told is enough.
    let mut hopeless = false;
    if let Some(story) = super::built_in().iter().find(|s| s.name == probe::STORY) {
        let selected = rest.iter().any(|s| s.name == probe::STORY);
        teller.shown = selected;
        let (histories, finished) = teller.side_by_side(vec![story.clone()], 1, &mut cancel).await;
        teller.shown = true;
        cancelled = !finished;
        rest.retain(|s| s.name != probe::STORY);
        if let Some(history) = histories.first().filter(|_| finished) {
            teller.known = probe::learn(&manifest, history);
        }
        hopeless = finished && histories.iter().any(never_began);
        if hopeless && !rest.is_empty() {
            let text = "the subject could not be brought to the point where a story begins: no other story is told".to_owned();
            let _ = progress.send(Progress::Note { text });
        }
        told.extend(histories.into_iter().filter(|_| selected || hopeless));
    }
    if !cancelled && !hopeless {
        let jobs = plan::jobs(options.jobs, &manifest);
        let (histories, finished) = teller.side_by_side(rest, jobs, &mut cancel).await;
        told.extend(histories);
        cancelled = !finished;
    }
    // All is told: nothing is left to end in good order, and whoever asks for an end from here on gets it at once.
    cancelled |= *cancel.borrow();
    drop(cancel);
    let order = |h: &History| plan.stories.iter().position(|s| s.name == h.story);
    told.sort_by_key(order);
    number(&mut told);
    let terms = terms::terms(&manifest, teller.known.work);
    let purposes: Vec<Purpose> = plan.stories.iter().map(Story::purpose).collect();
    let requirements = plan.requirements.iter().map(|id| (*id).to_owned()).collect();
    let besides = plan.besides.iter().map(|id| (*id).to_owned()).collect();
    let saved = Saved { terms, purposes, requirements, besides, shard: options.shard, manifest: manifest_print, cancelled };
    Ok(judged(&manifest, saved, told, options.seed, started))
}

/// A finished run, of what was told and what its header keeps.
pub(super) fn judged(manifest: &Manifest, saved: Saved, told: Vec<History>, seed: u64, started: Instant) -> Run {
    let (judgement, cancelled) = (saved.judgement(&told), saved.cancelled);
    let header = Header {
        contract: CONTRACT,
        regrant: env!("CARGO_PKG_VERSION").to_owned(),
        subject: manifest.name.clone(),
        seed,
        terms: serde_json::to_value(saved).unwrap_or_default(),
    };
    Run { header, histories: told, judgement, seconds: started.elapsed().as_secs_f64(), cancelled }
}

/// The surroundings failed before anything was asked of the subject.
fn never_began(history: &History) -> bool {
    let seen = |pick: fn(&What) -> bool| history.events.iter().any(|e| pick(&e.what));
    seen(|w| matches!(w, What::EnvironmentFault { .. })) && !seen(|w| matches!(w, What::PhaseBegan { phase: Phase::Story }))
}

/// `[build]`: once, in the manifest's folder, with the author's own environment and terminal.
pub(super) async fn build(manifest: &Manifest, progress: &UnboundedSender<Progress>) -> Result<(), RunError> {
    let Some(build) = &manifest.build else { return Ok(()) };
    let _ = progress.send(Progress::Building);
    let shown = build.run.join(" ");
    let mut command = tokio::process::Command::new(program(&build.run[0], &manifest.base_dir));
    command.args(&build.run[1..]).current_dir(&manifest.base_dir).stdin(std::process::Stdio::null()).kill_on_drop(true);
    let output = command.output().await.map_err(|e| RunError::Environment(format!("`{shown}` of [build] could not be run: {e}")))?;
    if output.status.success() {
        return Ok(());
    }
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    let last: Vec<&str> = said.lines().rev().take(20).collect();
    let last: Vec<&str> = last.into_iter().rev().collect();
    Err(RunError::Environment(format!("`{shown}` of [build] ended with {}:\n{}", output.status, last.join("\n"))))
}

/// A program with a slash is relative to the manifest's folder.
fn program(word: &str, base: &Path) -> std::path::PathBuf {
    if word.contains('/') { base.join(word) } else { word.into() }
}

/// Who tells stories to one subject.
pub(super) struct Teller<'a> {
    pub(super) manifest: Arc<Manifest>,
    pub(super) options: &'a Options,
    pub(super) progress: &'a UnboundedSender<Progress>,
    pub(super) known: probe::Known,
    /// The requirements that take part.
    pub(super) counted: &'a [&'static str],
    /// Progress is told; not that of a probe which was not asked for.
    pub(super) shown: bool,
}

impl Teller<'_> {
    pub(super) fn setting(&self, story: &str) -> Setting {
        Setting {
            manifest: Arc::clone(&self.manifest),
            regrant: self.options.regrant.clone(),
            seed: self.options.seed ^ fingerprint(story),
            refreshing: self.known.refreshing,
            work: self.known.work,
            units: self.known.units.clone(),
            time_zone: None,
        }
    }

    /// Tells stories, so many at once, those with most steps first. False: cancelled.
    pub(super) async fn side_by_side(&self, mut stories: Vec<Story>, jobs: usize, cancel: &mut Cancel) -> (Vec<History>, bool) {
        stories.sort_by_key(|s| std::cmp::Reverse(s.scenario.steps.len()));
        let mut waiting: VecDeque<Story> = stories.into();
        let mut running: JoinSet<Option<Progress>> = JoinSet::new();
        let mut begun: Vec<(String, Recorder, tokio::task::Id)> = Vec::new();
        let mut finished = true;
        loop {
            while running.len() < jobs
                && let Some(story) = waiting.pop_front()
            {
                self.say(Progress::Began { story: story.name.clone() });
                let recorder = Recorder::new(&story.name);
                let (setting, own, cancel) = (self.setting(&story.name), recorder.clone(), cancel.clone());
                let (name, bench) = (story.name.clone(), self.bench());
                let task = running.spawn(async move {
                    tell(setting, &story.scenario, &own, cancel.clone()).await;
                    bench.look(own, story, cancel).await
                });
                begun.push((name, recorder, task.id()));
            }
            let joined = tokio::select! {
                joined = running.join_next_with_id() => joined,
                () = cancelled(cancel) => {
                    finished = false;
                    break;
                }
            };
            match joined {
                None => break,
                Some(Ok((_, ended))) => ended.into_iter().for_each(|ended| self.say(ended)),
                Some(Err(broken)) => {
                    let broke = begun.iter().find(|(_, _, id)| *id == broken.id());
                    if let Some((story, recorder, _)) = broke {
                        let reason = format!("the harness broke while telling the story: {broken}");
                        recorder.record(What::HarnessFault { reason: reason.clone() });
                        let seconds = recorder.now().as_secs_f64();
                        self.say(Progress::Ended { story: story.clone(), seconds, failed: Vec::new(), trouble: Some(reason) });
                    }
                }
            }
        }
        let all_left = async { while running.join_next().await.is_some() {} };
        let _ = tokio::time::timeout(FAREWELL, all_left).await;
        running.shutdown().await;
        (begun.into_iter().map(|(_, recorder, _)| recorder.history()).collect(), finished)
    }

    fn bench(&self) -> Bench {
        Bench { terms: terms::terms(&self.manifest, self.known.work), counted: self.counted.to_vec() }
    }

    fn say(&self, event: Progress) {
        if self.shown {
            let _ = self.progress.send(event);
        }
    }
}

/// What a first look at a story needs.
struct Bench {
    terms: Terms,
    counted: Vec<&'static str>,
}

impl Bench {
    /// How a story ended, by itself, beside all that goes on. None: the user cancels, and does not want to wait for it.
    async fn look(self, recorder: Recorder, story: Story, mut cancel: Cancel) -> Option<Progress> {
        let looked = tokio::task::spawn_blocking(move || self.ended(&recorder.history(), &story));
        tokio::select! {
            biased;
            () = cancelled(&mut cancel) => None,
            looked = looked => match looked {
                Ok(ended) => Some(ended),
                // The look itself broke: so does the task, and that is told.
                Err(broken) => broken.try_into_panic().map_or(None, |panic| std::panic::resume_unwind(panic)),
            },
        }
    }

    fn ended(&self, history: &History, story: &Story) -> Progress {
        let judgement = judge(std::slice::from_ref(history), &self.terms, &[story.purpose()], |r| self.counted.contains(&r.id));
        let failed = judgement.requirements.iter().filter(|r| r.verdict == Verdict::Fail).map(|r| r.id).collect();
        let told = judgement.stories.first();
        let trouble = told.and_then(|t| t.harness_fault.clone().or_else(|| t.environment_fault.clone()));
        let seconds = told.map_or(0.0, |t| t.seconds);
        Progress::Ended { story: story.name.clone(), seconds, failed, trouble }
    }
}

async fn cancelled(cancel: &mut Cancel) {
    // A sender that is gone can no longer cancel.
    if cancel.wait_for(|yes| *yes).await.is_err() {
        std::future::pending::<()>().await;
    }
}

/// A stable number for a name, so that each story has secrets of its own from one seed.
fn fingerprint(name: &str) -> u64 {
    name.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3))
}

/// Numbers all events of a run in one row, whatever number each history begins with.
pub(super) fn number(histories: &mut [History]) {
    let mut base = 0;
    for history in histories {
        let first = history.events.first().map_or(1, |event| event.n);
        let anew = |n: u32| (n + base + 1).saturating_sub(first);
        for event in &mut history.events {
            event.n = anew(event.n);
            if let What::CanarySeen { seen, .. } = &mut event.what {
                *seen = anew(*seen);
            }
        }
        base = history.events.last().map_or(base, |e| e.n);
    }
}
