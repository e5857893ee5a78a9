//! Telling many small stories to one subject, and what fails in each.

use std::sync::Arc;

use regrant_mock_server::fault::scenario::Scenario;
use tokio::{
    sync::mpsc::UnboundedSender,
    task::{AbortHandle, JoinSet},
};

use super::super::{
    Cancel, Options, Progress, RunError, Story, Subject, Trouble,
    check::{Teller, build},
    doctor::trouble,
    plan, probe, stories, terms,
};
use crate::{
    catalogue::{self, Severity, Verdict},
    evidence::{History, What},
    explore::Draft,
    judge::{Purpose, Terms, judge},
    stage::{Recorder, tell},
    subject::Manifest,
};

/// More at once than this times the cores slows every subject down; such stories are short, and mostly wait.
const PER_CORE: usize = 6;

/// Who tells.
pub(super) struct Explorer<'a> {
    pub(super) manifest: Arc<Manifest>,
    pub(super) terms: Terms,
    pub(super) progress: &'a UnboundedSender<Progress>,
    pub(super) jobs: usize,
    teller: Teller<'a>,
    cancel: Cancel,
    /// Requirements that may convict.
    ids: Vec<&'static str>,
    /// The same, where they were asked for by name.
    pub(super) named: Option<Vec<&'static str>>,
}

/// One story that was told.
#[derive(Debug, Clone)]
pub(super) struct Told {
    pub(super) history: History,
    /// Which requirements failed, the severest first.
    pub(super) failed: Vec<(&'static str, Severity)>,
}

impl Told {
    pub(super) fn fails(&self, id: &str) -> bool {
        self.failed.iter().any(|(failed, _)| *failed == id)
    }
}

/// Stories under way; each comes back with the number that it was given.
pub(super) struct Telling {
    tasks: JoinSet<(usize, History)>,
}

impl Telling {
    pub(super) fn new() -> Self {
        Self { tasks: JoinSet::new() }
    }

    pub(super) fn len(&self) -> usize {
        self.tasks.len()
    }

    /// The next one that is told; none: there is none. A story that broke is as if it had not been told.
    pub(super) async fn next(&mut self) -> Option<Option<(usize, History)>> {
        self.tasks.join_next().await.map(Result::ok)
    }
}

impl<'a> Explorer<'a> {
    /// Builds the subject, and learns how it refreshes and works.
    pub(super) async fn open(
        subject: &Subject,
        options: &'a Options,
        progress: &'a UnboundedSender<Progress>,
        mut cancel: Cancel,
    ) -> Result<Self, RunError> {
        let manifest = Arc::new(subject.manifest(&options.regrant)?);
        for (key, instead) in manifest.unsupported() {
            let _ = progress.send(Progress::Note { text: format!("{}: `{key}`: {instead}", manifest.file) });
        }
        build(&manifest, progress).await?;
        let known = probe::unknown(&manifest);
        let mut teller = Teller { manifest: Arc::clone(&manifest), options, progress, known, counted: &[], shown: false };
        if let Some(story) = stories::built_in().iter().find(|story| story.name == probe::STORY) {
            let (histories, finished) = teller.side_by_side(vec![story.clone()], 1, &mut cancel).await;
            if let Some(history) = histories.first().filter(|_| finished) {
                // What keeps the first story from being told keeps all others from it.
                match trouble(history) {
                    Some(Trouble::Environment(reason)) => return Err(RunError::Environment(reason)),
                    Some(Trouble::Harness(reason)) => return Err(RunError::Harness(reason)),
                    None => {}
                }
                teller.known = probe::learn(&manifest, history);
            }
        }
        let terms = terms::terms(&manifest, teller.known.work);
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let jobs = plan::jobs(Some(options.jobs.unwrap_or(cores * PER_CORE)), &manifest);
        let ids = plan::requirements(&options.selection)?;
        let named = (!options.selection.only.is_empty()).then(|| ids.clone());
        Ok(Self { manifest, terms, progress, jobs, teller, cancel, ids, named })
    }

    pub(super) fn is_cancelled(&self) -> bool {
        *self.cancel.borrow()
    }

    /// A draft as a story; none: it makes no sense.
    pub(super) fn story(name: &str, draft: &Draft) -> Option<Story> {
        // A scenario file is for something; what these may convict of is said when they are judged.
        let mut scenario = Scenario::parse(&draft.text(&["STOP-01"], &[])).ok()?;
        scenario.tests.clear();
        Some(Story { name: name.to_owned(), scenario })
    }

    /// Begins to tell a story.
    pub(super) fn begin(&self, telling: &mut Telling, number: usize, story: Story) -> AbortHandle {
        let recorder = Recorder::new(&story.name);
        let (setting, cancel) = (self.teller.setting(&story.name), self.cancel.clone());
        telling.tasks.spawn(async move {
            tell(setting, &story.scenario, &recorder, cancel).await;
            (number, recorder.history())
        })
    }

    /// What fails in it. What the surroundings or the harness broke, or what did not come about, convicts nobody.
    pub(super) fn judged(&self, history: History) -> Told {
        let also = self.ids.iter().map(|id| (*id).to_owned()).collect();
        let purpose = Purpose { story: history.story.clone(), tests: Vec::new(), also };
        let judgement = judge(std::slice::from_ref(&history), &self.terms, &[purpose], |r| self.ids.contains(&r.id));
        let broken = trouble(&history).is_some() || history.events.iter().any(|e| matches!(e.what, What::NotRealised { .. }));
        let failed = judgement.requirements.iter().filter(|judged| judged.verdict == Verdict::Fail && !broken);
        // Advice never counts: who looks for races does not want to read of it.
        let failed = failed.filter(|judged| judged.severity != Severity::Advice).map(|judged| (judged.id, judged.severity));
        let mut failed: Vec<_> = failed.collect();
        failed.sort_by_key(|(id, severity)| (*severity, catalogue::all().position(|r| r.id == *id)));
        Told { history, failed }
    }

    /// Tells whole stories side by side, with progress. False: cancelled.
    pub(super) async fn tell_stories(&self, stories: Vec<Story>, cancel: &mut Cancel) -> (Vec<History>, bool) {
        let _ = self.progress.send(Progress::Planned { stories: stories.len() });
        let teller = Teller {
            shown: true,
            counted: &self.ids,
            manifest: Arc::clone(&self.manifest),
            known: self.teller.known.clone(),
            ..self.teller
        };
        teller.side_by_side(stories, self.jobs, cancel).await
    }

    /// Requirements that some of these stories decide.
    pub(super) fn tested(&self, stories: &[Story]) -> Vec<String> {
        let tested = |id: &str| stories.iter().any(|story| story.scenario.tests.iter().any(|test| test == id));
        self.ids.iter().filter(|id| tested(id)).map(|id| (*id).to_owned()).collect()
    }

    /// Tells several drafts side by side, as many at once as there may be. Those that make no sense come back with nothing.
    pub(super) async fn tell(&self, drafts: &[(String, Draft)]) -> Vec<Option<Told>> {
        let mut told: Vec<Option<Told>> = vec![None; drafts.len()];
        let mut telling = Telling::new();
        let mut waiting = drafts.iter().enumerate();
        loop {
            while telling.len() < self.jobs
                && !self.is_cancelled()
                && let Some((number, (name, draft))) = waiting.next()
            {
                if let Some(story) = Self::story(name, draft) {
                    self.begin(&mut telling, number, story);
                }
            }
            match telling.next().await {
                None => return told,
                Some(None) => {}
                Some(Some((number, history))) => {
                    if let Some(place) = told.get_mut(number) {
                        *place = Some(self.judged(history));
                    }
                }
            }
        }
    }
}
