//! Asking the subject to work.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use futures::future::join_all;
use regrant_mock_server::{Control, fault::scenario};
use tokio::sync::watch;

use super::{
    cast::Cast,
    connect::DETAIL,
    jobs::{self, Jobs},
    probes::look_for_canaries,
    recorder::Recorder,
    story::{is_call, took_work_on},
    subscription,
};
use crate::{
    canary::CanarySet,
    collect::brief,
    evidence::{Connection, Instance, Outcome, Verb, What},
    subject::{
        self, Answered, Bindings, Driver,
        manifest::{self, Trigger},
    },
};

/// One trigger, ready to be pulled; owns what it needs, so that it can go on unattended.
#[derive(Clone)]
struct Pull {
    driver: Driver,
    bindings: Bindings,
    connection: Option<Connection>,
    instance: Option<Instance>,
    trigger: Trigger,
    recorder: Recorder,
    canaries: CanarySet,
    open: Arc<AtomicUsize>,
    jobs: Jobs,
    hung: Arc<AtomicBool>,
    limit: Duration,
    call: u32,
    /// Changes when the caller hangs up.
    left: watch::Receiver<u32>,
    /// Who signs for Pleo, and the company that it is about.
    pleo: (Control, usize),
}

/// Whoever refuses because it waits out a pause is asked again after so long, and so often.
const PAUSE: Duration = Duration::from_secs(1);
const PAUSES: usize = 8;

impl Cast {
    /// Triggers that are not answered yet.
    pub(super) fn triggers_open(&self) -> usize {
        self.open_triggers.load(Ordering::Acquire)
    }

    /// Pulls a trigger as a scenario says. What was asked first may be what the subject subscribes itself at.
    pub(super) async fn trigger(&mut self, how: &scenario::Trigger) {
        let since = self.recorder.position();
        self.ask(how).await;
        self.tell_subscribers(how).await;
        if !how.until_it_works {
            return;
        }
        for _ in 0..PAUSES {
            if took_work_on(self, since) || self.until_recorded(PAUSE, since, is_call).await {
                return;
            }
            self.ask(how).await;
        }
    }

    /// Where work comes from every source, the subscriptions that the subject made itself are one. False: there are none.
    pub(super) async fn tell_subscribers(&mut self, how: &scenario::Trigger) -> bool {
        let links = self.links_of(how).into_iter().filter(|link| how.every_source && self.is_subscribed(*link));
        let own = subscription::trigger();
        let each = links.flat_map(|link| std::iter::repeat_n(link, how.times as usize));
        let pulls: Vec<Pull> = each.map(|link| Pull { instance: None, ..self.load(link, &own, 0) }).collect();
        let any = !pulls.is_empty();
        self.pull_all(how, pulls).await;
        any
    }

    /// Pulls the triggers that the manifest declares.
    pub(super) async fn ask(&mut self, how: &scenario::Trigger) {
        let sources = self.sources_of(how);
        let links = self.links_of(how);
        let each = links.iter().flat_map(|link| sources.iter().map(move |source| (*link, source)));
        let mut pulls: Vec<Pull> = Vec::new();
        for (link, source) in each.flat_map(|it| std::iter::repeat_n(it, how.times as usize)) {
            if how.every_process {
                pulls.extend(self.moving_instances().into_iter().map(|instance| self.load(link, source, instance)));
            } else {
                let instance = self.next_instance();
                pulls.push(self.load(link, source, instance));
            }
        }
        self.pull_all(how, pulls).await;
    }

    async fn pull_all(&mut self, how: &scenario::Trigger, pulls: Vec<Pull>) {
        for pull in &pulls {
            if how.together {
                pull.call();
            }
        }
        if !pulls.is_empty() {
            self.last_stimulus = self.recorder.now();
        }
        match (how.together, how.detached) {
            (true, true) => {
                for pull in pulls {
                    self.detached.push(tokio::spawn(drop_outcome(pull)));
                }
            }
            (true, false) => {
                join_all(pulls.into_iter().map(Pull::answer)).await;
            }
            (false, true) => {
                for pull in pulls {
                    pull.call();
                    self.last_stimulus = self.recorder.now();
                    self.detached.push(tokio::spawn(drop_outcome(pull)));
                }
            }
            (false, false) => {
                for pull in pulls {
                    self.pull(pull).await;
                }
            }
        }
    }

    /// Pulls one; once more if the subject was just ending by itself, as it is meant to.
    async fn pull(&mut self, pull: Pull) {
        pull.call();
        self.last_stimulus = self.recorder.now();
        let again = pull.clone();
        if pull.answer().await == Outcome::NoAnswer && self.is_back().await {
            let again = Pull { limit: self.limit(), call: self.recorder.next_call(), ..again };
            again.call();
            self.last_stimulus = self.recorder.now();
            again.answer().await;
        }
    }

    /// Whoever waits for the answer to a trigger hangs up.
    pub(super) fn hang_up(&mut self) {
        self.hang_ups.send_modify(|times| *times += 1);
        self.last_stimulus = self.recorder.now();
    }

    fn links_of(&self, how: &scenario::Trigger) -> Vec<usize> {
        if how.every_connection { self.all_links().collect() } else { vec![self.link(how.connection)] }
    }

    fn sources_of(&self, how: &scenario::Trigger) -> Vec<Trigger> {
        let manifest = &self.setting.manifest;
        let mut sources = vec![manifest.trigger.clone()];
        if how.every_source {
            sources.extend(manifest.also.iter().cloned());
        }
        sources
    }

    fn load(&self, link: usize, trigger: &Trigger, instance: usize) -> Pull {
        let item = format!("item-{:016x}", rand::random::<u64>());
        Pull {
            driver: self.driver_of(instance),
            bindings: self.bound_as(instance, &self.bound_to(link)).with("item_id", item),
            connection: self.named(link),
            instance: self.instance_named(instance),
            trigger: trigger.clone(),
            recorder: self.recorder.clone(),
            canaries: self.canaries.clone(),
            open: Arc::clone(&self.open_triggers),
            jobs: Arc::clone(&self.jobs),
            hung: Arc::clone(&self.hung),
            limit: self.limit(),
            call: self.recorder.next_call(),
            left: self.hang_ups.subscribe(),
            pleo: (self.control().clone(), self.company(link)),
        }
        .known_to(self)
    }
}

impl Pull {
    /// The unit it carries is recognised on the wire from now on.
    fn known_to(self, cast: &Cast) -> Self {
        if let Some(item) = self.item() {
            cast.collector.lock().unwrap_or_else(std::sync::PoisonError::into_inner).know_units([item]);
        }
        self
    }

    fn item(&self) -> Option<String> {
        carries_item(&self.trigger).then(|| self.bindings.get("item_id").map(str::to_owned)).flatten()
    }

    fn call(&self) {
        self.open.fetch_add(1, Ordering::AcqRel);
        let source = Some(self.trigger.name.clone());
        self.recorder.record(What::VerbCalled {
            call: self.call,
            verb: Verb::Trigger,
            source,
            wanted: None,
            item: self.item(),
            connection: self.connection.clone(),
            instance: self.instance,
        });
    }

    /// What Pleo sends along with a message.
    fn signature(&self, url: &str, body: &[u8]) -> Vec<(String, String)> {
        let (control, company) = &self.pleo;
        // The secret is the provider's own: it signs.
        let signed = control.sign_webhook(url, *company, body).ok();
        signed.into_iter().flat_map(|signed| signed.headers()).map(|(name, value)| (name.to_owned(), value)).collect()
    }

    /// What was asked came to, with the status and what else is to be told.
    async fn ask(&self) -> (Outcome, Option<i32>, String) {
        if subscription::is(&self.trigger) {
            let (control, company) = &self.pleo;
            return subscription::tell(control, *company, self.limit).await;
        }
        let sign = |url: &str, body: &[u8]| self.signature(url, body);
        let answered = self.driver.trigger(&self.trigger, &self.bindings, &sign, self.limit).await;
        match &answered {
            Ok(answered) => {
                let outcome = match answered.outcome(&self.trigger) {
                    _ if answered.crashed(&self.trigger.exits) => Outcome::NoAnswer,
                    subject::Outcome::Accepted => Outcome::Accepted,
                    subject::Outcome::Refused => Outcome::Refused,
                    subject::Outcome::Neither => Outcome::NoAnswer,
                };
                if let Answered::Http(answer) = answered {
                    look_for_canaries(&self.recorder, &self.canaries, &self.trigger.name, &answer.body);
                }
                (outcome, Some(answered.status()), brief(answered.text(), &self.canaries, DETAIL))
            }
            Err(error) => (Outcome::NoAnswer, None, self.canaries.redact(&error.to_string())),
        }
    }

    /// The same, unless the caller hangs up first. Nobody waits at the other end of a command or a queue.
    async fn ask_patiently(&self) -> (Outcome, Option<i32>, String) {
        let is_http = matches!(self.trigger.verb, manifest::Verb::Http(_)) && !subscription::is(&self.trigger);
        let mut left = self.left.clone();
        tokio::select! {
            biased;
            came = self.ask() => came,
            Ok(()) = left.changed(), if is_http => (Outcome::HungUp, None, "the caller hung up".into()),
        }
    }

    async fn answer(self) -> Outcome {
        let (outcome, status, detail) = self.ask_patiently().await;
        if outcome == Outcome::NoAnswer {
            self.hung.store(true, Ordering::Release);
        }
        self.recorder.record(What::VerbAnswered { call: self.call, outcome, status, detail });
        if let Some(done) = self.trigger.done.as_ref().filter(|_| outcome == Outcome::Accepted) {
            jobs::accepted(&self.jobs, self.call, done, &self.bindings);
        }
        self.open.fetch_sub(1, Ordering::AcqRel);
        outcome
    }
}

async fn drop_outcome(pull: Pull) {
    pull.answer().await;
}

/// Whether a trigger names the unit of work.
pub(super) fn carries_item(trigger: &Trigger) -> bool {
    format!("{:?}", trigger.verb).contains("{item_id}")
}
