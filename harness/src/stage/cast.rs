//! The cast of one story: provider, sandbox, subject, browser, collectors. Entering and leaving the stage.

use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError, atomic::AtomicUsize},
    time::Duration,
};

use regrant_mock_server::{ApiReply, ClientConfig, ConsentMode, Control, Provider, ProviderConfig, authority::Policy};
use tokio::{
    sync::{
        mpsc::{UnboundedReceiver, unbounded_channel},
        watch,
    },
    task::JoinHandle,
};
use url::Url;

use super::{
    Setting, StageError,
    pumps::{self, Processes},
    recorder::Recorder,
};
use crate::{
    canary::CanarySet,
    collect::{LogTail, Prepared, ScanPlan, WireCollector, adopt},
    evidence::What,
    subject::{
        Agent, AgentSetup, Bindings, Driver, PortLease, ProcId, Sandbox, SpawnRequest, Stdin, SubjectError, Supervisor, lease_port,
        manifest::{Argv, FixedClient, Ready, Role, Start, StopHow, Verb},
        start_and_wait,
    },
};

/// How long a command of `reset`, `prepare` or `cleanup` may take.
const COMMAND: Duration = Duration::from_secs(120);
/// How often a start is tried when the port turns out to be taken.
const STARTS: usize = 3;
/// How often the harness restarts a subject that ends by itself, where the manifest asks for it.
pub(super) const RESTARTS: u32 = 5;

/// Everything that is alive while a story is told.
pub(super) struct Cast {
    pub(super) setting: Setting,
    pub(super) recorder: Recorder,
    pub(super) canaries: CanarySet,
    pub(super) collector: Arc<Mutex<WireCollector>>,
    pub(super) driver: Driver,
    pub(super) bindings: Bindings,
    pub(super) scan: ScanPlan,
    /// The longest time from a stimulus to the subject's last reaction in the prologue.
    pub(super) longest_reaction: Duration,
    /// The rhythm is being learned.
    pub(super) calibrating: bool,
    /// When something was last asked of the subject.
    pub(super) last_stimulus: Duration,
    pub(super) open_triggers: Arc<AtomicUsize>,
    pub(super) detached: Vec<JoinHandle<()>>,
    pub(super) restarts: u32,
    /// The client's newest secret, if the subject was not given it yet.
    pub(super) secret_pending: Option<String>,
    /// How many `need_refresh` the story has, and how many were met.
    pub(super) refreshes_planned: usize,
    pub(super) refreshes_done: usize,
    provider: Provider,
    supervisor: Arc<Supervisor>,
    processes: Arc<Mutex<Processes>>,
    exits: UnboundedReceiver<ProcId>,
    running: Vec<ProcId>,
    services: Vec<ProcId>,
    incarnations: u32,
    pumps: Vec<JoinHandle<()>>,
    over: watch::Sender<bool>,
    ports: Vec<PortLease>,
    sandbox: Sandbox,
}

impl Cast {
    /// Provider up, sandbox made, nothing of the subject started.
    pub(super) async fn assemble(setting: Setting, recorder: Recorder, policy: Policy) -> Result<Self, StageError> {
        let manifest = Arc::clone(&setting.manifest);
        let sandbox =
            Sandbox::create().map_err(|e| StageError::Environment(format!("cannot make a sandbox in the temporary folder: {e}")))?;
        let (mut bindings, ports) = first_bindings(&setting, &sandbox)?;
        let provider = start_provider(&setting, &recorder, policy, &bindings).await?;
        bind_provider(&mut bindings, &provider, &setting, &sandbox)?;
        let (client_id, _) = provider.client();
        let control = provider.control().clone();
        let canaries = CanarySet::fed(move |given| {
            let all = control.canaries();
            adopt(all.get(given..).unwrap_or_default(), Some(&client_id))
        });
        let agent_token = format!("agent-{:016x}", rand::random::<u64>());
        let collector = Arc::new(Mutex::new(WireCollector::new(agent_token.clone(), canaries.clone())));
        let (supervisor, events) = Supervisor::launch(&setting.regrant, &sandbox).await?;
        let supervisor = Arc::new(supervisor);
        let agent = new_agent(&setting, &provider, &bindings, agent_token)?;
        let driver = Driver {
            agent: Arc::new(agent),
            supervisor: Arc::clone(&supervisor),
            env: environment(&setting, &sandbox, &bindings)?,
            cwd: manifest.base_dir.clone(),
        };
        let processes = Arc::new(Mutex::new(Processes::default()));
        let (exit_sender, exits) = unbounded_channel();
        let log_globs = manifest.logs.files.iter().map(|glob| bindings.fill(glob)).collect::<Result<Vec<_>, _>>()?;
        let over = watch::Sender::new(false);
        let mut pumps = vec![
            pumps::wire(recorder.clone(), provider.control().follow(), Arc::clone(&collector), over.subscribe()),
            pumps::output(recorder.clone(), events, canaries.clone(), Arc::clone(&processes), exit_sender, over.subscribe()),
        ];
        if !log_globs.is_empty() {
            let tail = LogTail::new(log_globs.clone(), sandbox.path());
            pumps.push(pumps::files(recorder.clone(), tail, canaries.clone(), over.subscribe()));
        }
        let scan = scan_plan(&setting, &sandbox, &bindings, log_globs)?;
        Ok(Self {
            setting,
            recorder,
            canaries,
            collector,
            driver,
            bindings,
            scan,
            longest_reaction: Duration::ZERO,
            calibrating: true,
            last_stimulus: Duration::ZERO,
            open_triggers: Arc::default(),
            detached: Vec::new(),
            restarts: 0,
            secret_pending: None,
            refreshes_planned: 0,
            refreshes_done: 0,
            provider,
            supervisor,
            processes,
            exits,
            running: Vec::new(),
            services: Vec::new(),
            incarnations: 0,
            pumps,
            over,
            ports,
            sandbox,
        })
    }

    /// What the user and the provider's owner can do.
    pub(super) fn control(&self) -> &Control {
        self.provider.control()
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
            let id = self.spawn(&also.name, &also.run, &also.cwd.clone(), &also.env, &also.ready, also.timeout).await?;
            self.services.push(id);
        }
        Ok(())
    }

    async fn command(&self, argv: &Argv) -> Result<(), StageError> {
        let request = self.request(&argv[0], argv, &self.driver.cwd, &BTreeMap::new())?;
        let ended = self.supervisor.run_to_end(&request, COMMAND).await.map_err(SubjectError::from)?;
        if ended.code == Some(0) {
            return Ok(());
        }
        let said = if ended.stderr.trim().is_empty() { &ended.stdout } else { &ended.stderr };
        let last: Vec<&str> = said.lines().rev().take(5).collect();
        let last = last.into_iter().rev().collect::<Vec<_>>().join(" | ");
        Err(StageError::Environment(format!("`{}` of [start] failed (exit {:?}): {last}", argv.join(" "), ended.code)))
    }

    fn request(&self, name: &str, argv: &Argv, cwd: &PathBuf, env: &BTreeMap<String, String>) -> Result<SpawnRequest, StageError> {
        let mut whole = self.driver.env.clone();
        whole.extend(self.bindings.fill_map(env)?);
        Ok(SpawnRequest {
            name: name.to_owned(),
            argv: self.bindings.fill_all(argv)?,
            env: whole,
            cwd: PathBuf::from(self.bindings.fill(&cwd.to_string_lossy())?),
            stdin: Stdin::Empty,
            private: false,
        })
    }

    async fn spawn(
        &mut self,
        name: &str,
        argv: &Argv,
        cwd: &PathBuf,
        env: &BTreeMap<String, String>,
        ready: &Ready,
        limit: Duration,
    ) -> Result<ProcId, StageError> {
        let request = self.request(name, argv, cwd, env)?;
        self.incarnations += 1;
        let incarnation = self.incarnations;
        self.recorder.record(What::ProcessStarted { incarnation, process: name.to_owned() });
        let one_shot = matches!(ready, Ready::Exit);
        let id = start_and_wait(&self.supervisor, &self.driver.agent, &request, ready, &self.bindings, limit).await?;
        let declared = self.setting.manifest.start.as_ref().is_some_and(|s| s.restart_on_exit);
        self.lock_processes().started(id, incarnation, one_shot || declared);
        // It may have ended between becoming ready and being entered: then its exit was not recorded as the subject's.
        if let Some(exit) = self.supervisor.exit_of(id).filter(|_| !one_shot) {
            let code = exit.code.or(exit.signal.map(|s| -s)).unwrap_or(0);
            self.recorder.record(What::ProcessExited { incarnation, code, expected: declared });
        }
        self.recorder.record(What::ProcessReady { incarnation });
        Ok(id)
    }

    /// Starts the subject with the newest secret.
    pub(super) async fn start(&mut self) -> Result<(), StageError> {
        self.hand_secret()?;
        let Some(start) = self.start_table() else { return Ok(()) };
        let Some(run) = start.run.clone() else { return Ok(()) };
        self.last_stimulus = self.recorder.now();
        let mut last = None;
        for _ in 0..STARTS {
            match self.start_once(&start, &run).await {
                Ok(()) => return Ok(()),
                Err(StageError::Environment(reason)) if reason.contains("found its port taken") => {
                    last = Some(StageError::Environment(reason));
                    self.kill_all(false).await?;
                    if self.incarnations > 1 && self.restarts > 0 {
                        continue;
                    }
                    self.new_ports()?;
                }
                Err(error) => return Err(error),
            }
        }
        Err(last.unwrap_or_else(|| StageError::Environment("the subject could not be started".into())))
    }

    async fn start_once(&mut self, start: &Start, run: &Argv) -> Result<(), StageError> {
        for also in start.also.iter().filter(|a| a.role == Role::Subject) {
            let id = self.spawn(&also.name, &also.run, &also.cwd.clone(), &also.env, &also.ready, also.timeout).await?;
            self.running.push(id);
        }
        let id = self.spawn("subject", run, &start.cwd, &BTreeMap::new(), &start.ready, start.timeout).await?;
        self.running.push(id);
        Ok(())
    }

    fn new_ports(&mut self) -> Result<(), StageError> {
        let (fresh, ports) = first_bindings(&self.setting, &self.sandbox)?;
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
        self.driver.env = environment(&self.setting, &self.sandbox, &self.bindings)?;
        Ok(())
    }

    fn hand_secret(&mut self) -> Result<(), StageError> {
        let Some(secret) = self.secret_pending.take() else { return Ok(()) };
        self.bindings.set("client_secret", secret);
        self.driver.env = environment(&self.setting, &self.sandbox, &self.bindings)?;
        self.recorder.record(What::SecretHanded);
        Ok(())
    }

    /// Gives the subject the newest secret: by `start.reload`, else by a restart.
    pub(super) async fn reload(&mut self) -> Result<(), StageError> {
        use crate::subject::manifest::Reload;
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
                        self.driver.perform("reload", &verb, &self.bindings, crate::subject::Follow::Never, COMMAND).await?;
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
        self.kill_all(true).await
    }

    async fn side_verb(&self, name: &str, verb: &Verb) -> Result<(), StageError> {
        self.driver.perform(name, verb, &self.bindings, crate::subject::Follow::Never, COMMAND).await?;
        Ok(())
    }

    async fn kill_all(&mut self, told: bool) -> Result<(), StageError> {
        for id in std::mem::take(&mut self.running).into_iter().rev() {
            if let Some(incarnation) = self.expect_end(id).filter(|_| told) {
                self.recorder.record(What::ProcessStopping { incarnation, kill: true });
            }
            self.supervisor.kill_tree(id).await?;
            self.supervisor.wait_exit(id, COMMAND).await?;
        }
        Ok(())
    }

    /// SIGSTOP or SIGCONT to the subject's processes.
    pub(super) async fn pause(&mut self, stop: bool) -> Result<(), StageError> {
        for id in self.running.clone() {
            if stop {
                self.supervisor.pause(id).await?
            } else {
                self.supervisor.resume(id).await?
            };
        }
        Ok(())
    }

    /// Ends and starts again.
    pub(super) async fn restart(&mut self) -> Result<(), StageError> {
        if self.start_table().is_none() {
            return self.hand_secret();
        }
        self.stop().await?;
        self.restarts += 1;
        self.start().await
    }

    /// Where the manifest wants the harness to play the supervisor: starts again what ended by itself.
    pub(super) async fn revive(&mut self) -> Result<(), StageError> {
        let wanted = self.setting.manifest.start.as_ref().is_some_and(|s| s.restart_on_exit);
        while let Ok(id) = self.exits.try_recv() {
            if wanted && self.running.contains(&id) && self.restarts < RESTARTS {
                self.kill_all(false).await?;
                self.restarts += 1;
                self.start().await?;
            }
        }
        Ok(())
    }

    /// Whether the subject's main process runs, or need not.
    pub(super) fn is_up(&self) -> bool {
        self.start_table().is_none() || !self.running.is_empty()
    }

    fn expect_end(&self, id: ProcId) -> Option<u32> {
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
        self.provider.stop().await;
        self.over.send_replace(true);
        for pump in self.pumps.drain(..) {
            // A pump that broke has recorded what it saw.
            let _ = pump.await;
        }
    }
}

fn first_bindings(setting: &Setting, sandbox: &Sandbox) -> Result<(Bindings, Vec<PortLease>), StageError> {
    let lease = || lease_port().map_err(|e| StageError::Environment(e.to_string()));
    let mut bindings = Bindings::new();
    let port = lease()?;
    bindings.set("port", port.port().to_string()).set("base_url", format!("http://127.0.0.1:{}", port.port()));
    let mut ports = vec![port];
    for name in setting.manifest.port_names() {
        let port = lease()?;
        bindings.set(format!("port:{name}"), port.port().to_string());
        ports.push(port);
    }
    bindings.set("run_id", sandbox.run_id()).set("state_dir", sandbox.state_dir().to_string_lossy());
    bindings.set("process", "0").set("connection", "").set("item_id", "");
    if let Some(uri) = setting.manifest.start.as_ref().and_then(|s| s.redirect_uri.as_ref()) {
        let uri = bindings.fill(uri)?;
        bindings.set("redirect_uri", uri);
    }
    Ok((bindings, ports))
}

async fn start_provider(setting: &Setting, recorder: &Recorder, policy: Policy, bindings: &Bindings) -> Result<Provider, StageError> {
    let terms = &setting.manifest.provider;
    let fixed = terms.client.clone().unwrap_or(FixedClient { id: None, secret: None });
    let client = ClientConfig {
        id: fixed.id,
        secret: fixed.secret,
        public: setting.manifest.features.confidential == Some(false),
        redirect_uris: bindings.get("redirect_uri").map(str::to_owned).into_iter().collect(),
        scopes: terms.scopes.clone(),
        pkce_exempt: terms.pkce_optional,
    };
    let mut config = ProviderConfig::local(setting.seed);
    config.epoch = recorder.epoch();
    config.policy = policy;
    config.tls = terms.tls;
    config.reachable_as.clone_from(&terms.reachable_as);
    config.clients = vec![client];
    config.consent = ConsentMode::Auto;
    if let Some(listen) = terms.listen {
        config.listen = listen;
    }
    let reply = |r: &crate::subject::manifest::Reply| ApiReply {
        method: r.method.clone(),
        path: r.path.clone(),
        status: r.status,
        json: r.json.clone(),
    };
    config.replies = setting.manifest.replies.iter().map(reply).collect();
    Provider::start(config).await.map_err(|e| StageError::Environment(format!("the mock provider did not start: {e}")))
}

fn bind_provider(bindings: &mut Bindings, provider: &Provider, setting: &Setting, sandbox: &Sandbox) -> Result<(), StageError> {
    let urls = provider.urls();
    let (id, secret) = provider.client();
    bindings
        .set("authorize_url", urls.authorize.clone())
        .set("token_url", urls.token.clone())
        .set("introspect_url", urls.introspect.clone())
        .set("api_url", urls.api.clone())
        .set("client_id", id)
        .set("client_secret", secret.unwrap_or_default())
        .set("scopes", setting.manifest.provider.scopes.join(" "));
    let ca_file = sandbox.path().join("ca.pem");
    if let Some(pem) = provider.ca_pem() {
        std::fs::write(&ca_file, pem).map_err(|e| StageError::Environment(format!("cannot write {}: {e}", ca_file.display())))?;
    }
    bindings.set("ca_file", ca_file.to_string_lossy());
    Ok(())
}

/// The clean environment, `[start.env]`, and the trust variables of the common runtimes where the provider speaks TLS.
fn environment(setting: &Setting, sandbox: &Sandbox, bindings: &Bindings) -> Result<BTreeMap<String, String>, StageError> {
    let start = setting.manifest.start.as_ref();
    let mut env = sandbox.env(start.map_or(&[], |s| s.inherit.as_slice()));
    if setting.manifest.provider.tls {
        let ca = bindings.get("ca_file").unwrap_or_default().to_owned();
        for name in ["SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"] {
            env.insert(name.to_owned(), ca.clone());
        }
    }
    if let Some(start) = start {
        env.extend(bindings.fill_map(&start.env)?);
    }
    Ok(env)
}

fn new_agent(setting: &Setting, provider: &Provider, bindings: &Bindings, token: String) -> Result<Agent, StageError> {
    let urls = provider.urls();
    let url = |text: &str| Url::parse(text).map_err(|e| StageError::Harness(format!("{text} is no URL: {e}")));
    let connect_url = match &setting.manifest.connect.verb {
        Verb::Http(call) if call.steps.is_empty() => Some(bindings.fill(&call.url)?),
        _ => None,
    };
    let setup = AgentSetup {
        authorize_endpoint: url(&urls.authorize)?,
        provider: vec![url(&urls.token)?, url(&urls.api)?],
        provider_address: None,
        token,
        ca_pem: provider.ca_pem().map(str::to_owned),
        logins: setting.manifest.logins.clone(),
        connect_url,
    };
    Agent::new(setup).map_err(|e| StageError::Harness(e.to_string()))
}

fn scan_plan(setting: &Setting, sandbox: &Sandbox, bindings: &Bindings, log_globs: Vec<String>) -> Result<ScanPlan, StageError> {
    let mut roots = vec![sandbox.path().to_owned()];
    for path in &setting.manifest.storage.paths {
        let path = PathBuf::from(bindings.fill(path)?);
        let path = if path.is_absolute() { path } else { setting.manifest.base_dir.join(path) };
        if !path.starts_with(sandbox.path()) {
            roots.push(path);
        }
    }
    Ok(ScanPlan { roots, log_globs, exclude: Vec::new(), sandbox_root: sandbox.path().to_owned() })
}
