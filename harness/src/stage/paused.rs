//! The subject, or one of its instances, is stopped where it is, and goes on; or one of them is killed.

use std::time::Duration;

use regrant_mock_server::fault::scenario::Whom;

use super::{
    StageError,
    cast::{COMMAND, Cast},
};
use crate::{
    evidence::What,
    subject::{Follow, ProcId},
};

/// How long it may take until what a gate holds is in the history.
const RECORDED: Duration = Duration::from_secs(2);

impl Cast {
    /// Holds the subject still, or one of its instances: by `stop.pause`, else by SIGSTOP to its processes.
    pub(super) async fn pause(&mut self, how: &Whom) -> Result<(), StageError> {
        let one = match how {
            Whom::All(_) => None,
            Whom::One(one) => match self.waiting_at(&one.held, "paused").await {
                None => return Ok(()),
                sender => sender,
            },
        };
        if let Some(verb) = self.setting.manifest.stop.pause.clone() {
            let meant = self.meant_by(&verb);
            match one {
                None => self.side_verb("pause", &verb).await?,
                Some(instance) if self.instances.len() == meant.len() => {
                    let bindings = self.bound_as(instance, &self.bindings);
                    self.driver_of(instance).perform("pause", &verb, &bindings, Follow::Never, COMMAND).await?;
                }
                Some(_) => {
                    let reason = "`stop.pause` speaks to all processes at once, so that none could be paused alone".to_owned();
                    self.recorder.record(What::NotRealised { reason });
                    return Ok(());
                }
            }
        } else {
            let meant = self.programs_of(one);
            for id in &meant {
                self.supervisor.pause(*id).await?;
            }
            self.still.extend(meant);
        }
        self.paused = one.map_or_else(|| self.all_instances().collect(), |instance| vec![instance]);
        self.recorder.record(What::Paused { instance: one.and_then(|instance| self.instance_named(instance)) });
        Ok(())
    }

    /// kill -9 to the process whose request a gate holds, and to no other.
    pub(super) async fn kill_one(&mut self, gate: &str) -> Result<(), StageError> {
        if self.setting.manifest.stop.kill.is_some() {
            let reason = "`stop.kill` speaks to all processes at once, so that none could be killed alone".to_owned();
            self.recorder.record(What::NotRealised { reason });
            return Ok(());
        }
        let Some(instance) = self.waiting_at(gate, "killed").await else { return Ok(()) };
        let meant = self.programs_of(Some(instance));
        self.running.retain(|id| !meant.contains(id));
        self.dead.push(instance);
        self.end_programs(meant, true).await
    }

    /// The process that sent what a gate holds; none, and the story says so: it cannot be told.
    async fn waiting_at(&self, gate: &str, what: &str) -> Option<usize> {
        // That it holds is known a moment before it is recorded.
        let held = self.control().held(gate) > 0;
        if held {
            let _in_time = self.until(RECORDED, |cast| cast.sender_at(gate).is_some()).await;
        }
        let sender = self.sender_at(gate).filter(|_| held);
        if sender.is_none() {
            let reason = format!("which process sent what {gate} holds cannot be told, so none was {what}");
            self.recorder.record(What::NotRealised { reason });
        }
        sender
    }

    /// Lets all that was stopped go on: by `stop.resume`, else by SIGCONT.
    pub(super) async fn resume(&mut self) -> Result<(), StageError> {
        let paused = std::mem::take(&mut self.paused);
        if paused.is_empty() {
            return Ok(());
        }
        self.recorder.record(What::Continued);
        self.last_stimulus = self.recorder.now();
        if let Some(verb) = self.setting.manifest.stop.resume.clone() {
            if paused.len() == self.instances.len() || self.meant_by(&verb).len() < 2 {
                return self.side_verb("resume", &verb).await;
            }
            for instance in paused {
                let bindings = self.bound_as(instance, &self.bindings);
                self.driver_of(instance).perform("resume", &verb, &bindings, Follow::Never, COMMAND).await?;
            }
            return Ok(());
        }
        for id in std::mem::take(&mut self.still) {
            self.supervisor.resume(id).await?;
        }
        Ok(())
    }

    /// The instance whose request a gate holds; where there is one only, that.
    fn sender_at(&self, gate: &str) -> Option<usize> {
        let (_, held) = self.recorder.last(|what| match what {
            What::Held { exchange, gate: at } if at == gate => Some(*exchange),
            _ => None,
        })?;
        let (_, sender) = self.recorder.last(|what| match what {
            What::Requested { exchange, instance, .. } if *exchange == held => Some(*instance),
            _ => None,
        })?;
        if self.instances.len() < 2 { Some(0) } else { sender.and_then(|instance| usize::try_from(instance).ok()) }
    }

    /// What runs of an instance, or of all. Further processes of the subject have the first one's addresses, and stand still with it; of a
    /// one-shot subject there is only what works right now.
    fn programs_of(&self, instance: Option<usize>) -> Vec<ProcId> {
        if self.setting.manifest.one_shot() {
            return self.at_work();
        }
        let whose = |id: &ProcId| self.places.get(id).copied().unwrap_or_default();
        self.running.iter().filter(|id| instance.is_none_or(|instance| whose(id) == instance)).copied().collect()
    }
}
