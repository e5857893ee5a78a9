//! The cast of one story: provider, sandbox, subject, browser, collectors. Entering and leaving the stage.

use std::{
    collections::{BTreeMap, HashSet},
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicUsize},
    },
    time::Duration,
};

use regrant_mock_server::{Control, Provider, authority::Policy, fault::scenario::Scenario, intercept::Relay};
use tokio::{
    sync::{
        mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
        watch,
    },
    task::JoinHandle,
};

use super::{
    Setting, StageError,
    aftermath::Aftermath,
    elsewhere::Elsewhere,
    expected::Patience,
    instances::{self, Instance},
    jobs::Jobs,
    links::{Link, links},
    notify::Doors,
    pumps::{self, Processes},
    recorder::Recorder,
    setup,
};
use crate::{
    canary::CanarySet,
    collect::{LogTail, Prepared, ScanPlan, WireCollector, adopt},
    evidence::{Found, What},
    subject::{
        Bindings, Driver, PortLease, ProcId, Sandbox, SpawnRequest, Stdin, SubjectError, Supervisor,
        manifest::{AlsoStart, Argv, Ready, Role, Start},
        start_and_wait,
    },
};

/// How long a command of `reset`, `prepare`, `reload`, `stop` or `cleanup` may take.
pub(super) const COMMAND: Duration = Duration::from_secs(120);

/// The name of the subject's main process.
const SUBJECT: &str = "subject";

/// A program that is started, and when it is ready.
pub(super) struct Program<'m> {
    name: &'m str,
    run: &'m Argv,
    cwd: &'m Path,
    env: &'m BTreeMap<String, String>,
    ready: &'m Ready,
    timeout: Duration,
}

impl<'m> Program<'m> {
    /// A further process.
    pub(super) fn of(also: &'m AlsoStart) -> Self {
        Self { name: &also.name, run: &also.run, cwd: &also.cwd, env: &also.env, ready: &also.ready, timeout: also.timeout }
    }

    /// The subject itself.
    pub(super) fn subject(start: &'m Start, run: &'m Argv) -> Self {
        static NOTHING: BTreeMap<String, String> = BTreeMap::new();
        Self { name: SUBJECT, run, cwd: &start.cwd, env: &NOTHING, ready: &start.ready, timeout: start.timeout }
    }
}

/// Everything that is alive while a story is told.
pub(super) struct Cast {
    pub(super) setting: Setting,
    pub(super) recorder: Recorder,
    pub(super) canaries: CanarySet,
    pub(super) collector: Arc<Mutex<WireCollector>>,
    pub(super) driver: Driver,
    pub(super) bindings: Bindings,
    pub(super) scan: ScanPlan,
    /// What was found in logs that nobody follows, and is told.
    pub(super) found_in_logs: HashSet<Found>,
    /// Which of those the newest search could not read.
    pub(super) unread_logs: Vec<String>,
    /// The longest time from a stimulus to the subject's last reaction in the prologue.
    pub(super) longest_reaction: Duration,
    /// The rhythm is being learned.
    pub(super) calibrating: bool,
    /// When something was last asked of the subject.
    pub(super) last_stimulus: Duration,
    pub(super) open_triggers: Arc<AtomicUsize>,
    /// How often whoever waited hung up.
    pub(super) hang_ups: watch::Sender<u32>,
    /// Accepted work that is not known to be done.
    pub(super) jobs: Jobs,
    /// Something was not answered since the last start.
    pub(super) hung: Arc<AtomicBool>,
    pub(super) detached: Vec<JoinHandle<()>>,
    pub(super) restarts: u32,
    /// What is no longer waited for.
    pub(super) patience: Patience,
    /// What was refused and may still be worked off.
    pub(super) aftermath: Aftermath,
    /// The connections that the story has.
    pub(super) links: Vec<Link>,
    /// The client's newest secret, if the subject was not given it yet.
    pub(super) secret_pending: Option<String>,
    /// How many `need_refresh` the story has, and how many were met.
    pub(super) refreshes_planned: usize,
    pub(super) refreshes_done: usize,
    /// Where messages to the user arrive.
    pub(super) doors: Doors,
    /// Where redirects lead.
    pub(super) elsewhere: Option<Elsewhere>,
    provider: Provider,
    /// TLS before the subject.
    relays: Vec<Relay>,
    /// The subject's instances; one, unless the story needs several.
    pub(super) instances: Vec<Instance>,
    /// Whose turn it is to be asked for work.
    pub(super) turn: usize,
    pub(super) supervisor: Arc<Supervisor>,
    processes: Arc<Mutex<Processes>>,
    pub(super) exits: UnboundedReceiver<ProcId>,
    exited: UnboundedSender<ProcId>,
    pub(super) running: Vec<ProcId>,
    /// Which instance a program that was started is.
    pub(super) places: BTreeMap<ProcId, usize>,
    /// The instances that are stopped where they are.
    pub(super) paused: Vec<usize>,
    /// Instances that were killed alone, until all are started again.
    pub(super) dead: Vec<usize>,
    /// Their programs.
    pub(super) still: Vec<ProcId>,
    services: Vec<ProcId>,
    incarnations: u32,
    pumps: Vec<JoinHandle<()>>,
    over: watch::Sender<bool>,
    pub(super) ports: Vec<PortLease>,
    pub(super) sandbox: Sandbox,
}

impl Cast {
    /// Provider up, sandbox made, nothing of the subject started.
    pub(super) async fn assemble(setting: Setting, recorder: Recorder, policy: Policy, scenario: &Scenario) -> Result<Self, StageError> {
        let manifest = Arc::clone(&setting.manifest);
        let sandbox =
            Sandbox::create().map_err(|e| StageError::Environment(format!("cannot make a sandbox in the temporary folder: {e}")))?;
        let wanted = instances::wanted(&setting, scenario.processes);
        let (mut bindings, mut instances, ports) = instances::first_bindings(&setting, &sandbox, wanted)?;
        let mut provider = setup::start_provider(&setting, &recorder, policy, &bindings).await?;
        setup::bind_provider(&mut bindings, &provider, &setting, &sandbox)?;
        let addresses = instances::open_doors(&mut provider, &mut instances).await?;
        let relays = setup::relays(&setting, &provider, &bindings, &instances).await?;
        let (client_id, _) = provider.client();
        let control = provider.control().clone();
        let canaries = CanarySet::fed(move |given| {
            let all = control.canaries();
            adopt(all.get(given..).unwrap_or_default(), Some(&client_id))
        });
        let doors = Doors::open(manifest.prompt.as_ref(), &recorder, &canaries).await;
        let doors = doors.map_err(|e| StageError::Environment(format!("no port for messages to the user: {e}")))?;
        setup::bind_doors(&mut bindings, &doors, &setting);
        let agent_token = format!("agent-{:016x}", rand::random::<u64>());
        let collector = Arc::new(Mutex::new(WireCollector::new(agent_token.clone(), canaries.clone()).with_doors(addresses)));
        let (supervisor, events) = Supervisor::launch(&setting.regrant, &sandbox).await?;
        let supervisor = Arc::new(supervisor);
        let agent = setup::new_agent(&setting, &provider, &bindings, &instances, agent_token)?;
        let driver =
            Driver { agent: Arc::new(agent), supervisor: Arc::clone(&supervisor), env: BTreeMap::new(), cwd: manifest.base_dir.clone() };
        let processes = Arc::new(Mutex::new(Processes::default()));
        let (exited, exits) = unbounded_channel();
        let log_globs = manifest.logs.files.iter().map(|glob| bindings.fill(glob)).collect::<Result<Vec<_>, _>>()?;
        let over = watch::Sender::new(false);
        let mut pumps = vec![
            pumps::wire(recorder.clone(), provider.control().follow(), Arc::clone(&collector), over.subscribe()),
            pumps::output(recorder.clone(), events, canaries.clone(), Arc::clone(&processes), exited.clone(), over.subscribe()),
        ];
        if !log_globs.is_empty() {
            let tail = LogTail::new(log_globs.clone(), sandbox.path());
            pumps.push(pumps::files(recorder.clone(), tail, canaries.clone(), over.subscribe()));
        }
        let scan = setup::scan_plan(&setting, &sandbox, &bindings, log_globs)?;
        let mut cast = Self {
            setting,
            recorder,
            canaries,
            collector,
            driver,
            bindings,
            scan,
            found_in_logs: HashSet::new(),
            unread_logs: Vec::new(),
            longest_reaction: Duration::ZERO,
            calibrating: true,
            last_stimulus: Duration::ZERO,
            open_triggers: Arc::default(),
            hang_ups: watch::Sender::new(0),
            jobs: Jobs::default(),
            hung: Arc::default(),
            detached: Vec::new(),
            restarts: 0,
            patience: Patience::default(),
            aftermath: Aftermath::default(),
            links: links(manifest.features.connections.as_deref(), scenario.connections),
            secret_pending: None,
            refreshes_planned: 0,
            refreshes_done: 0,
            doors,
            elsewhere: None,
            provider,
            relays,
            instances,
            turn: 0,
            supervisor,
            processes,
            exits,
            exited,
            running: Vec::new(),
            places: BTreeMap::new(),
            paused: Vec::new(),
            dead: Vec::new(),
            still: Vec::new(),
            services: Vec::new(),
            incarnations: 0,
            pumps,
            over,
            ports,
            sandbox,
        };
        cast.renew_environments()?;
        Ok(cast)
    }

    /// What the user and the provider's owner can do.
    pub(super) fn control(&self) -> &Control {
        self.provider.control()
    }

    /// Puts TLS before the subject's ports as they are now.
    pub(super) async fn reopen_relay(&mut self) -> Result<(), StageError> {
        for relay in self.relays.drain(..) {
            relay.stop().await;
        }
        self.relays = setup::relays(&self.setting, &self.provider, &self.bindings, &self.instances).await?;
        Ok(())
    }

    /// A manifest whose verbs are all programs has nothing to start.
    pub(super) fn start_table(&self) -> Option<Start> {
        self.setting.manifest.start.clone().filter(|s| s.run.is_some())
    }

    /// `reset`, `prepare`, then the services.
    pub(super) async fn prepare(&mut self) -> Result<(), StageError> {
        let Some(start) = self.setting.manifest.start.clone() else { return Ok(()) };
        for argv in start.reset.iter().chain(&start.prepare) {
            self.command(argv).await?;
        }
        self.scan.exclude = Prepared::snapshot(&self.scan.roots);
        for also in start.also.iter().filter(|a| a.role == Role::Service) {
            let id = self.spawn(&Program::of(also), 0).await?;
            self.services.push(id);
        }
        Ok(())
    }

    async fn command(&self, argv: &Argv) -> Result<(), StageError> {
        let request = self.request(&argv[0], argv, &self.driver.cwd, &BTreeMap::new(), 0)?;
        let ended = self.supervisor.run_to_end(&request, COMMAND).await.map_err(SubjectError::from)?;
        if ended.code == Some(0) {
            return Ok(());
        }
        let said = if ended.stderr.trim().is_empty() { &ended.stdout } else { &ended.stderr };
        let last: Vec<&str> = said.lines().rev().take(5).collect();
        let last = last.into_iter().rev().collect::<Vec<_>>().join(" | ");
        Err(StageError::Environment(format!("`{}` of [start] failed (exit {:?}): {last}", argv.join(" "), ended.code)))
    }

    fn request(
        &self,
        name: &str,
        argv: &Argv,
        cwd: &Path,
        env: &BTreeMap<String, String>,
        instance: usize,
    ) -> Result<SpawnRequest, StageError> {
        let bindings = self.bound_as(instance, &self.bindings);
        let mut whole = self.driver_of(instance).env;
        whole.extend(bindings.fill_map(env)?);
        Ok(SpawnRequest {
            name: name.to_owned(),
            argv: bindings.fill_all(argv)?,
            env: whole,
            cwd: PathBuf::from(bindings.fill(&cwd.to_string_lossy())?),
            stdin: Stdin::Empty,
            private: false,
        })
    }

    /// Starts a program as one of the instances.
    pub(super) async fn spawn(&mut self, program: &Program<'_>, instance: usize) -> Result<ProcId, StageError> {
        let Program { name, run, cwd, env, ready, timeout } = program;
        let request = self.request(name, run, cwd, env, instance)?;
        self.incarnations += 1;
        let incarnation = self.incarnations;
        let process = if instance == 0 { (*name).to_owned() } else { format!("{name} (process {instance})") };
        let named = self.instance_named(instance).filter(|_| *name == SUBJECT);
        self.recorder.record(What::ProcessStarted { incarnation, process, instance: named });
        let one_shot = matches!(ready, Ready::Exit);
        let bindings = self.bound_as(instance, &self.bindings);
        let id = start_and_wait(&self.supervisor, &self.driver.agent, &request, ready, &bindings, *timeout).await?;
        let declared = self.setting.manifest.start.as_ref().is_some_and(|s| s.restart_on_exit);
        self.lock_processes().started(id, incarnation, one_shot || declared);
        // It may have ended between becoming ready and being entered: then its exit was not recorded as the subject's.
        if let Some(exit) = self.supervisor.exit_of(id).filter(|_| !one_shot) {
            let code = exit.code.or(exit.signal.map(|s| -s)).unwrap_or(0);
            if self.lock_processes().end(id).is_some() {
                self.recorder.record(What::ProcessExited { incarnation, code, expected: declared });
                let _ = self.exited.send(id);
            }
        }
        self.recorder.record(What::ProcessReady { incarnation });
        Ok(id)
    }

    pub(super) fn expect_end(&self, id: ProcId) -> Option<u32> {
        self.lock_processes().expect_end(id)
    }

    fn lock_processes(&self) -> std::sync::MutexGuard<'_, Processes> {
        self.processes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends everything and lets the last events flow in. Leaves no process behind.
    pub(super) async fn leave(mut self) {
        for task in self.detached.drain(..) {
            task.abort();
        }
        for reason in std::mem::take(&mut self.unread_logs) {
            self.recorder.record(What::LogUnread { reason });
        }
        let cleanup = self.setting.manifest.stop.cleanup.clone();
        for argv in &cleanup {
            if let Err(error) = self.command(argv).await {
                self.recorder.record(What::EnvironmentFault { reason: error.to_string() });
            }
        }
        for id in self.running.iter().chain(&self.services).copied().collect::<Vec<_>>() {
            let _ = self.expect_end(id);
        }
        let ids: Vec<ProcId> = self.running.drain(..).chain(self.services.drain(..)).collect();
        for id in ids {
            let _ = self.supervisor.kill_tree(id).await;
        }
        if let Ok(count) = self.supervisor.finish().await
            && count > 0
        {
            self.recorder.record(What::ProcessesLeft { count });
        }
        for relay in self.relays.drain(..) {
            relay.stop().await;
        }
        self.provider.stop().await;
        self.over.send_replace(true);
        for pump in self.pumps.drain(..) {
            // A pump that broke has recorded what it saw.
            let _ = pump.await;
        }
    }
}
