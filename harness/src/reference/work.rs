//! The queue and its workers: accepted work is done with a good connection and held without one.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use serde_json::{Value, json};
use tokio::sync::watch;

use super::{
    App,
    api::CallError,
    export,
    flaw::{Flaw, Flaws},
    log::{self, Level},
    store::{Item, State, StoreError},
    tokens::Unavailable,
};

/// How many pieces of work are done side by side.
const WORKERS: usize = 4;

/// Planted: how long whoever asks waits to hear what came of it.
const LONGEST_ANSWER: Duration = Duration::from_secs(60);

/// Which queued work is being done, and which was tried before or comes from before a restart.
pub(crate) struct Queue {
    hands: Mutex<Hands>,
    /// Planted: what came of work that was tried, for whoever waits to hear it.
    heard: watch::Sender<HashMap<i64, bool>>,
}

struct Hands {
    taken: HashSet<i64>,
    /// Work that could not be done, with the stimulus for which it was tried.
    backlog: HashMap<i64, Option<u64>>,
}

impl Queue {
    /// What an earlier run left is backlog.
    pub(crate) fn new(left: &[Item]) -> Self {
        let hands = Hands { taken: HashSet::new(), backlog: left.iter().map(|item| (item.id, None)).collect() };
        Self { hands: Mutex::new(hands), heard: watch::Sender::default() }
    }

    /// Takes the oldest new piece of work, and with it the backlog that was not tried for this stimulus: one round serves them all.
    fn take(&self, queued: Vec<Item>, stimulus: u64) -> Vec<Item> {
        let mut hands = self.hands();
        let mut fresh = false;
        let mut taken = Vec::new();
        for item in queued.into_iter().filter(|item| !hands.taken.contains(&item.id)) {
            let due = match hands.backlog.get(&item.id) {
                Some(tried) => tried.is_none_or(|tried| tried < stimulus),
                None => !std::mem::replace(&mut fresh, true),
            };
            if due {
                taken.push(item);
            }
        }
        hands.taken.extend(taken.iter().map(|item| item.id));
        taken
    }

    /// Puts work back that could not be done.
    fn put_back(&self, items: &[Item], stimulus: u64) {
        let mut hands = self.hands();
        for item in items {
            hands.taken.remove(&item.id);
            hands.backlog.insert(item.id, Some(stimulus));
        }
    }

    fn finish(&self, items: &[Item]) {
        let mut hands = self.hands();
        for item in items {
            hands.taken.remove(&item.id);
            hands.backlog.remove(&item.id);
        }
    }

    fn tell(&self, flaws: Flaws, items: &[Item], is_well: bool) {
        if flaws.has(Flaw::NoReplay) {
            self.heard.send_modify(|heard| heard.extend(items.iter().map(|item| (item.id, is_well))));
        }
    }

    fn hands(&self) -> MutexGuard<'_, Hands> {
        self.hands.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Accepts a piece of work and gives it a number: once this returns it is not lost.
pub(crate) fn accept(app: &App, source: &str) -> Result<i64, StoreError> {
    if app.flaws.has(Flaw::DropsQueue) && app.store.snapshot()?.state == State::NeedsReauth {
        app.store.set_note("skip", "yes")?;
        return Ok(0);
    }
    let id = app.store.enqueue(source)?;
    app.tokens.stimulate();
    Ok(id)
}

/// Planted: waits until a piece of work was tried; `false`: nothing came of it, and nobody will try it again.
pub(crate) async fn came_of_it(app: &App, id: i64) -> bool {
    let mut heard = app.queue.heard.subscribe();
    let known = tokio::time::timeout(LONGEST_ANSWER, heard.wait_for(|heard| heard.contains_key(&id))).await;
    known.ok().and_then(Result::ok).and_then(|heard| heard.get(&id).copied()).unwrap_or(true)
}

/// Planted: works off what is asked for, as long as its caller waits.
pub(crate) async fn in_the_request(app: &App) {
    let stimulus = *app.tokens.stimuli().borrow();
    while round(app, stimulus).await {}
}

/// Starts the workers; they begin with what an earlier run left.
pub(crate) fn start(app: &Arc<App>) {
    if app.flaws.has(Flaw::EndsWithItsCaller) {
        return;
    }
    for _ in 0..WORKERS {
        let stimuli = app.tokens.stimuli();
        tokio::spawn(work(Arc::clone(app), stimuli));
    }
}

async fn work(app: Arc<App>, mut stimuli: watch::Receiver<u64>) {
    loop {
        let stimulus = *stimuli.borrow_and_update();
        while round(&app, stimulus).await {}
        if stimuli.changed().await.is_err() {
            return;
        }
    }
}

/// One round of work; `false`: there is none, or none can be done now.
async fn round(app: &App, stimulus: u64) -> bool {
    if app.tokens.memory.paused() {
        return false;
    }
    let items = match app.store.queued() {
        Ok(queued) => app.queue.take(queued, stimulus),
        Err(error) => return trouble(&error.to_string()),
    };
    if items.is_empty() {
        return false;
    }
    match serve(app, stimulus).await {
        Ok(()) => {
            app.set_problem(None);
            log::line(Level::Info, "work_done", "the ledger is up to date", numbers(&items));
            app.queue.tell(app.flaws, &items, true);
            strike_off(app, &items)
        }
        Err(CallError::Unavailable(Unavailable::GaveUpWaiting)) => {
            drop(app.store.set_note("skip", "yes"));
            strike_off(app, &items)
        }
        Err(CallError::Unavailable(Unavailable::NotRepeated)) => {
            app.queue.tell(app.flaws, &items, false);
            strike_off(app, &items)
        }
        Err(error) => {
            app.queue.tell(app.flaws, &items, true);
            app.queue.put_back(&items, stimulus);
            held(app, &error, &items).await;
            false
        }
    }
}

/// Reads who works there, then does the export jobs.
async fn serve(app: &App, stimulus: u64) -> Result<(), CallError> {
    if app.flaws.has(Flaw::TokenInQuery) {
        app.api.revealing(stimulus).await?;
    }
    let keep = |page: Vec<Value>| {
        for company in page.iter().filter_map(|employee| employee.get("companyId")?.as_str()) {
            same_company(app, company)?;
        }
        Ok(app.store.keep("employee", &page)?)
    };
    app.api.list("/v2/employees", &[], stimulus, keep).await?;
    export::run(app, stimulus).await
}

/// A connection belongs to the company it was made for: the ledger of one must not get the entries of another.
fn same_company(app: &App, company: &str) -> Result<(), CallError> {
    match app.store.note("company")? {
        None => Ok(app.store.set_note("company", company)?),
        Some(known) if known == company || app.flaws.has(Flaw::GraftsCompany) => Ok(()),
        Some(_) => Err(CallError::OtherCompany),
    }
}

fn strike_off(app: &App, items: &[Item]) -> bool {
    let done = app.store.done(items);
    app.queue.finish(items);
    match done {
        Ok(()) => true,
        Err(error) => trouble(&error.to_string()),
    }
}

async fn held(app: &App, error: &CallError, items: &[Item]) {
    // Waiting for the user is as it should be; anything else is worth a look.
    let level = match error {
        CallError::Unavailable(Unavailable::NotConnected | Unavailable::ClientRefused) => {
            if app.flaws.has(Flaw::WebhookIgnoresMark) && items.iter().any(|item| item.source == "webhook") {
                app.api.bare().await;
            }
            Level::Info
        }
        CallError::Unavailable(_) | CallError::Denied(_) | CallError::Refused { .. } | CallError::Trouble(_) | CallError::Lost => {
            app.set_problem(Some(error.to_string()));
            Level::Warn
        }
        CallError::OtherCompany => {
            drop(app.tokens.discard("other_company"));
            Level::Error
        }
    };
    app.notices.held(matches!(error, CallError::Unavailable(Unavailable::NotConnected)));
    for poll in 0..if app.flaws.has(Flaw::Chatters) { 100 } else { 0 } {
        log::line(Level::Info, "worker_idle", "nothing to do yet", json!({ "poll": poll }));
    }
    let message = match level {
        Level::Info => "work waits in the queue until the connection works".to_owned(),
        Level::Warn | Level::Error => format!("work waits in the queue: {error}"),
    };
    log::line(level, "work_held", &message, numbers(items));
}

fn numbers(items: &[Item]) -> Value {
    json!({ "work": items.iter().map(|item| item.id).collect::<Vec<_>>() })
}

fn trouble(error: &str) -> bool {
    log::line(Level::Error, "store_failed", error, serde_json::Value::Null);
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn items(ids: &[i64]) -> Vec<Item> {
        ids.iter().map(|&id| Item { id, source: "sync".into() }).collect()
    }

    #[test]
    fn new_work_is_taken_piece_by_piece() {
        let queue = Queue::new(&[]);
        assert_eq!(queue.take(items(&[1, 2]), 2), items(&[1]));
        assert_eq!(queue.take(items(&[1, 2]), 2), items(&[2]));
        assert_eq!(queue.take(items(&[1, 2]), 2), items(&[]));
    }

    #[test]
    fn what_could_not_be_done_goes_with_the_next_round_and_waits_for_its_stimulus() {
        let queue = Queue::new(&items(&[1]));
        assert_eq!(queue.take(items(&[1]), 0), items(&[1]));
        queue.put_back(&items(&[1]), 0);
        assert_eq!(queue.take(items(&[1]), 0), items(&[]));
        assert_eq!(queue.take(items(&[1, 2, 3]), 1), items(&[1, 2]));
        queue.finish(&items(&[1, 2]));
        assert_eq!(queue.take(items(&[3]), 1), items(&[3]));
    }
}
