//! The subject's life: started, stopped, killed, restarted, given a new secret, revived.

use std::{sync::atomic::Ordering, time::Duration};

use tokio::time::timeout;

use super::{
    StageError,
    cast::{COMMAND, Cast, Program},
    instances,
};
use crate::{
    evidence::What,
    subject::{
        Follow, ProcId,
        manifest::{Argv, Reload, Role, Start, StopHow, Verb},
    },
};

/// How often a start is tried when the port turns out to be taken.
const STARTS: usize = 3;
/// How often the harness restarts a subject that ends by itself, where the manifest asks for it.
const RESTARTS: u32 = 5;
/// How long a subject that was not there to answer may take to be gone altogether.
const ENDING: Duration = Duration::from_secs(3);

impl Cast {
    /// Starts the subject with the newest secret.
    pub(super) async fn start(&mut self) -> Result<(), StageError> {
        self.hand_secret()?;
        self.start_as_it_was().await
    }

    /// Starts the subject with what it was given the last time.
    async fn start_as_it_was(&mut self) -> Result<(), StageError> {
        self.paused.clear();
        self.dead.clear();
        self.still.clear();
        self.hung.store(false, Ordering::Release);
        let Some(start) = self.start_table() else { return Ok(()) };
        let Some(run) = start.run.clone() else { return Ok(()) };
        self.last_stimulus = self.recorder.now();
        let mut last = None;
        let mut tries = 0;
        while tries < STARTS {
            match self.start_once(&start, &run).await {
                Ok(()) => return Ok(()),
                // It found out while it started, and ended as it is meant to.
                Err(StageError::EndedEarly(_)) if start.restart_on_exit && self.restarts < RESTARTS => {
                    self.kill_all(false).await?;
                    self.restarts += 1;
                    continue;
                }
                Err(taken @ StageError::PortTaken { .. }) => {
                    last = Some(taken);
                    self.kill_all(false).await?;
                    // Once it has been up, its address is known to the provider and to the browser, and stays.
                    if self.restarts == 0 {
                        self.new_ports().await?;
                    }
                }
                Err(error) => return Err(error),
            }
            tries += 1;
        }
        Err(last.unwrap_or_else(|| StageError::Environment("the subject could not be started".into())))
    }

    async fn start_once(&mut self, start: &Start, run: &Argv) -> Result<(), StageError> {
        for also in start.also.iter().filter(|a| a.role == Role::Subject) {
            let id = self.spawn(&Program::of(also), 0).await?;
            self.running.push(id);
        }
        for instance in self.all_instances() {
            let id = self.spawn(&Program::subject(start, run), instance).await?;
            self.running.push(id);
            self.places.insert(id, instance);
        }
        Ok(())
    }

    /// Fresh ports and what follows from them; everything else stays as it was handed over.
    async fn new_ports(&mut self) -> Result<(), StageError> {
        let (fresh, instances, ports) = instances::first_bindings(&self.setting, &self.sandbox, self.instances.len())?;
        for name in std::iter::once("port".to_owned()).chain(self.setting.manifest.port_names().iter().map(|n| format!("port:{n}"))) {
            if let Some(value) = fresh.get(&name) {
                self.bindings.set(name, value.to_owned());
            }
        }
        if let Some(base) = fresh.get("base_url") {
            self.bindings.set("base_url", base.to_owned());
        }
        if let Some(uri) = fresh.get("redirect_uri") {
            self.bindings.set("redirect_uri", uri.to_owned());
        }
        self.ports = ports;
        for (old, new) in self.instances.iter_mut().zip(instances) {
            old.moves(new);
        }
        self.renew_environments()?;
        self.reopen_relay().await
    }

    /// Puts a secret that was rotated into the subject's environment.
    fn hand_secret(&mut self) -> Result<(), StageError> {
        let Some(secret) = self.secret_pending.take() else { return Ok(()) };
        self.bindings.set("client_secret", secret);
        self.renew_environments()?;
        self.recorder.record(What::SecretHanded);
        Ok(())
    }

    /// Gives the subject the newest secret: by `start.reload`, else by a restart.
    pub(super) async fn reload(&mut self) -> Result<(), StageError> {
        match self.setting.manifest.start.as_ref().and_then(|s| s.reload.clone()) {
            None => self.restart().await,
            Some(reload) => {
                self.hand_secret()?;
                match reload {
                    Reload::Signal(signal) => {
                        for id in self.running.clone() {
                            self.supervisor.signal(id, signal).await?;
                        }
                    }
                    Reload::Verb(verb) => {
                        self.side_verb("reload", &verb).await?;
                    }
                }
                Ok(())
            }
        }
    }

    /// Ends the subject in good order.
    pub(super) async fn stop(&mut self) -> Result<(), StageError> {
        let how = self.setting.manifest.stop.clone();
        for id in self.running.iter().rev().copied().collect::<Vec<_>>() {
            if let Some(incarnation) = self.expect_end(id) {
                self.recorder.record(What::ProcessStopping { incarnation, kill: false });
            }
        }
        match &how.how {
            StopHow::Signal(signal) => {
                for id in self.running.iter().rev() {
                    self.supervisor.signal(*id, *signal).await?;
                }
            }
            StopHow::Verb(verb) => self.side_verb("stop", verb).await?,
        }
        for id in self.running.clone() {
            self.supervisor.wait_exit(id, how.grace).await?;
        }
        self.kill_all(false).await
    }

    /// kill -9, whatever it is doing.
    pub(super) async fn kill(&mut self) -> Result<(), StageError> {
        if let Some(verb) = self.setting.manifest.stop.kill.clone() {
            self.side_verb("kill", &verb).await?;
        }
        if self.setting.manifest.one_shot() {
            return self.kill_work().await;
        }
        self.kill_all(true).await
    }

    /// The programs that work right now are all that there is of a one-shot subject.
    async fn kill_work(&mut self) -> Result<(), StageError> {
        let working = self.at_work();
        if working.is_empty() {
            return Ok(());
        }
        self.recorder.record(What::ProcessStopping { incarnation: 0, kill: true });
        for id in working {
            self.supervisor.kill_tree(id).await?;
            self.supervisor.wait_exit(id, COMMAND).await?;
        }
        Ok(())
    }

    /// The programs that work right now.
    pub(super) fn at_work(&self) -> Vec<ProcId> {
        let manifest = &self.setting.manifest;
        let names: Vec<&str> = std::iter::once(&manifest.trigger).chain(&manifest.also).map(|source| source.name.as_str()).collect();
        names.into_iter().flat_map(|name| self.supervisor.running(name)).collect()
    }

    /// Once, or for each instance where it speaks to one.
    pub(super) async fn side_verb(&self, name: &str, verb: &Verb) -> Result<(), StageError> {
        for instance in self.meant_by(verb) {
            let bindings = self.bound_as(instance, &self.bindings);
            self.driver_of(instance).perform(name, verb, &bindings, Follow::Never, COMMAND).await?;
        }
        Ok(())
    }

    /// Ends all that runs; `told` enters it as a kill.
    async fn kill_all(&mut self, told: bool) -> Result<(), StageError> {
        let meant = std::mem::take(&mut self.running);
        self.end_programs(meant, told).await
    }

    /// Ends these, the last one started first.
    pub(super) async fn end_programs(&self, meant: Vec<ProcId>, told: bool) -> Result<(), StageError> {
        for id in meant.into_iter().rev() {
            if let Some(incarnation) = self.expect_end(id).filter(|_| told) {
                self.recorder.record(What::ProcessStopping { incarnation, kill: true });
            }
            self.supervisor.kill_tree(id).await?;
            self.supervisor.wait_exit(id, COMMAND).await?;
        }
        Ok(())
    }

    /// Ends and starts again.
    pub(super) async fn restart(&mut self) -> Result<(), StageError> {
        if self.start_table().is_none() {
            return self.hand_secret();
        }
        // It may have been stopped or killed before.
        if !self.running.is_empty() {
            self.stop().await?;
        }
        self.restarts += 1;
        self.start().await
    }

    /// Where the manifest wants the harness to play the supervisor: starts again what ended by itself. A supervisor knows no new secret.
    pub(super) async fn revive(&mut self) -> Result<(), StageError> {
        while let Ok(id) = self.exits.try_recv() {
            self.start_anew(id).await?;
        }
        Ok(())
    }

    /// After something was not answered: whether the subject was about to end by itself, as its manifest declares, and is up again.
    /// A person would try again then.
    pub(super) async fn is_back(&mut self) -> bool {
        if !self.restarts_on_exit() {
            return false;
        }
        while let Ok(Some(id)) = timeout(ENDING, self.exits.recv()).await {
            match self.start_anew(id).await {
                Ok(true) => return true,
                // The end of something else.
                Ok(false) => {}
                Err(error) => {
                    self.recorder.record(What::EnvironmentFault { reason: error.to_string() });
                    return false;
                }
            }
        }
        false
    }

    async fn start_anew(&mut self, ended: ProcId) -> Result<bool, StageError> {
        if !self.restarts_on_exit() || !self.running.contains(&ended) || self.restarts >= RESTARTS {
            return Ok(false);
        }
        self.kill_all(false).await?;
        self.restarts += 1;
        self.start_as_it_was().await?;
        Ok(true)
    }

    fn restarts_on_exit(&self) -> bool {
        self.setting.manifest.start.as_ref().is_some_and(|start| start.restart_on_exit)
    }

    /// Whether the subject's main process runs, or need not.
    pub(super) fn is_up(&self) -> bool {
        self.start_table().is_none() || !self.running.is_empty()
    }
}
