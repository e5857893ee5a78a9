//! A story told while the provider serves, and how far it has come.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::{Value, json};
use tokio::task::JoinHandle;

use crate::{
    Control,
    fault::{
        Rule,
        scenario::{Scenario, ScenarioError},
        script::{self, Told},
    },
};

/// The story that is being told, or was told last. There is one at a time.
#[derive(Debug, Default)]
pub(crate) struct Telling {
    now: Mutex<Option<Now>>,
}

#[derive(Debug)]
struct Now {
    task: JoinHandle<()>,
    rules: Vec<Rule>,
    progress: Arc<Mutex<Progress>>,
}

/// How far a story has come.
#[derive(Debug, Clone, Default)]
pub(crate) struct Progress {
    pub(crate) title: String,
    pub(crate) about: String,
    pub(crate) ended: bool,
    pub(crate) told: Vec<Line>,
    /// What is still to come, in the words of the file.
    pub(crate) ahead: Vec<Value>,
}

/// One thing that was told.
#[derive(Debug, Clone)]
pub(crate) struct Line {
    /// What kind of thing: `prologue`, `awaiting`, `came-true`, `awaiting-request`, `did`, `left-to-you`, `new-secret`, `end`.
    pub(crate) event: &'static str,
    /// The words of the file, or the new secret's name.
    pub(crate) what: Value,
}

impl Control {
    /// Begins to tell the story of a scenario file, in place of the one that is being told; what is told is handed to `watch` too.
    /// Must be called within a runtime.
    ///
    /// # Errors
    /// The file is wrong.
    pub fn tell(&self, text: &str, watch: impl FnMut(&Told<'_>) + Send + 'static) -> Result<(), ScenarioError> {
        self.shared.telling.begin(self, text, watch)
    }
}

impl Telling {
    fn begin(&self, control: &Control, text: &str, mut watch: impl FnMut(&Told<'_>) + Send + 'static) -> Result<(), ScenarioError> {
        let scenario = Scenario::parse(text)?;
        // What the parser took is a table.
        let raw: toml::Table = text.parse().unwrap_or_default();
        let progress = Progress { title: scenario.title.clone(), about: scenario.about.clone(), ahead: words(&raw), ..Progress::default() };
        let progress = Arc::new(Mutex::new(progress));
        let mut now = self.now();
        end(control, now.take());
        let (control, teller, rules) = (control.clone(), progress.clone(), scenario.rules.clone());
        let tell = move |told: Told<'_>| {
            lock(&teller).take(&told);
            watch(&told);
        };
        let task = tokio::spawn(async move { script::run(&control, &scenario, tell).await });
        *now = Some(Now { task, rules, progress });
        Ok(())
    }

    /// How far it has come; `None`: there is no story.
    pub(crate) fn progress(&self) -> Option<Progress> {
        self.now().as_ref().map(|now| lock(&now.progress).clone())
    }

    /// Ends it and removes its rules. False if there was none.
    pub(crate) fn end(&self, control: &Control) -> bool {
        let now = self.now().take();
        let was_there = now.is_some();
        end(control, now);
        was_there
    }

    fn now(&self) -> MutexGuard<'_, Option<Now>> {
        lock(&self.now)
    }
}

fn end(control: &Control, now: Option<Now>) {
    let Some(now) = now else { return };
    now.task.abort();
    let installed = control.shared.state().rules.all().to_vec();
    for one in installed.into_iter().filter(|one| now.rules.contains(&one.rule)) {
        control.remove(one.id);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Drop for Now {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Progress {
    fn take(&mut self, told: &Told<'_>) {
        let (event, what) = match told {
            Told::Prologue => ("prologue", Value::Null),
            Told::Awaiting(_) => ("awaiting", self.ahead.first().cloned().unwrap_or_default()),
            Told::CameTrue(_) => ("came-true", self.next()),
            Told::AwaitingRequest => ("awaiting-request", Value::Null),
            Told::Did(_) => ("did", self.next()),
            Told::Left(_) => ("left-to-you", self.next()),
            Told::NewSecret(canary) => ("new-secret", canary.name.clone().into()),
            Told::End => ("end", Value::Null),
        };
        self.ended = matches!(told, Told::End);
        self.told.push(Line { event, what });
    }

    fn next(&mut self) -> Value {
        if self.ahead.is_empty() { Value::Null } else { self.ahead.remove(0) }
    }
}

/// What a story awaits and does, in order, as its file says it.
fn words(raw: &toml::Table) -> Vec<Value> {
    let steps = raw.get("step").and_then(toml::Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let mut words = Vec::new();
    for step in steps {
        words.extend(step.get("await").map(|wait| json!({ "await": wait })));
        let acts = step.get("do").and_then(toml::Value::as_array).map(Vec::as_slice).unwrap_or_default();
        words.extend(acts.iter().map(|act| json!({ "do": act })));
    }
    words
}
