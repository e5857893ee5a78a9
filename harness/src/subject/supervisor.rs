//! The supervisor from the harness's side: starts, watches and ends the programs of one sandbox.

use std::{
    collections::HashMap,
    io,
    path::Path,
    process::Stdio,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    process::{Child, ChildStdin, ChildStdout, Command as Program},
    sync::{
        mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
        oneshot, watch,
    },
    time::timeout,
};

use super::{
    Ended, Exit, ProcId, Sandbox, Signal, SpawnError, SpawnRequest, Stream, SubjectError, SupervisorEvent,
    find_program::find_program,
    supervise::protocol::{Answer, Command, Message, Nanos, Order, Spawn, nanos},
};

/// How long the supervisor may take to say hello.
const HELLO: Duration = Duration::from_secs(20);
/// How long it may take to carry out an order; killing is bounded to less.
const ORDER: Duration = Duration::from_secs(20);
/// How long the last lines of a killed program are awaited.
const LAST_LINES: Duration = Duration::from_secs(2);
/// How much output of a program that runs to its end is kept.
const KEPT: usize = 16 * 1024 * 1024;

/// The supervisor of one sandbox. Dropping it kills everything it started.
#[derive(Debug)]
pub struct Supervisor {
    state: Arc<Mutex<State>>,
    next: AtomicU64,
    child: tokio::sync::Mutex<Child>,
}

#[derive(Debug, Default)]
struct State {
    /// None once the supervisor is gone.
    orders: Option<UnboundedSender<Command>>,
    /// None once the supervisor is gone.
    events: Option<UnboundedSender<SupervisorEvent>>,
    asked: HashMap<u64, oneshot::Sender<Answer>>,
    procs: HashMap<ProcId, Known>,
}

/// What the harness knows of a program.
#[derive(Debug)]
struct Known {
    name: String,
    private: bool,
    watchers: Vec<UnboundedSender<SupervisorEvent>>,
    exit: watch::Sender<Option<Exit>>,
}

impl Supervisor {
    /// Starts `regrant supervise` for a sandbox. Must be called within a tokio runtime.
    ///
    /// # Errors
    /// It cannot be started.
    pub async fn launch(regrant_exe: &Path, sandbox: &Sandbox) -> Result<(Self, UnboundedReceiver<SupervisorEvent>), SubjectError> {
        let failed = |source| SubjectError::Environment { what: format!("cannot start {} supervise", regrant_exe.display()), source };
        let mut program = Program::new(regrant_exe);
        // A group of its own: Ctrl-C at the terminal is for the harness, which then ends the subject in good order.
        program.arg("supervise").env_clear().current_dir(sandbox.path()).process_group(0);
        let mut child = program.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().map_err(failed)?;
        let (Some(stdin), Some(stdout)) = (child.stdin.take(), child.stdout.take()) else { return Err(SubjectError::SupervisorGone) };
        let (orders, to_write) = unbounded_channel();
        let (events, receiver) = unbounded_channel();
        let state = Arc::new(Mutex::new(State { orders: Some(orders), events: Some(events), ..State::default() }));
        let (hello, said) = oneshot::channel();
        tokio::spawn(write_orders(stdin, to_write));
        tokio::spawn(read_messages(BufReader::new(stdout), Arc::clone(&state), hello));
        match timeout(HELLO, said).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) | Err(_) => return Err(failed(io::Error::other("it did not answer"))),
        }
        Ok((Self { state, next: AtomicU64::new(1), child: tokio::sync::Mutex::new(child) }, receiver))
    }

    /// Starts a program in its own process group.
    ///
    /// # Errors
    /// It is missing, or the machine refuses.
    pub async fn spawn(&self, request: &SpawnRequest) -> Result<ProcId, SpawnError> {
        self.spawn_with(request, Vec::new()).await
    }

    /// As [`Self::spawn`], with its events also in a channel of its own.
    ///
    /// # Errors
    /// It is missing, or the machine refuses.
    pub async fn spawn_watched(&self, request: &SpawnRequest) -> Result<(ProcId, UnboundedReceiver<SupervisorEvent>), SpawnError> {
        let (watcher, events) = unbounded_channel();
        Ok((self.spawn_with(request, vec![watcher]).await?, events))
    }

    /// Writes to the standard input of a program started with [`super::Stdin::Open`].
    ///
    /// # Errors
    /// The supervisor is gone, or the program does not read.
    pub async fn feed(&self, proc: ProcId, text: &str) -> Result<(), SubjectError> {
        match self.reached(Order::Feed { proc, text: text.to_owned() }).await? {
            0 => Err(SubjectError::NotListening { name: self.name(proc) }),
            1.. => Ok(()),
        }
    }

    /// Signals the program itself, as a service manager's `kill` does; what it left behind if it has ended. Returns how many were reached.
    ///
    /// # Errors
    /// The supervisor is gone.
    pub async fn signal(&self, proc: ProcId, signal: Signal) -> Result<u32, SubjectError> {
        self.reached(Order::Signal { proc, signal }).await
    }

    /// kill -9 of a program and all its descendants, repeated until none is left. Returns how many were killed.
    ///
    /// # Errors
    /// The supervisor is gone.
    pub async fn kill_tree(&self, proc: ProcId) -> Result<u32, SubjectError> {
        self.reached(Order::Kill { proc }).await
    }

    /// SIGSTOP of a program and all its descendants. Returns how many were stopped.
    ///
    /// # Errors
    /// The supervisor is gone.
    pub async fn pause(&self, proc: ProcId) -> Result<u32, SubjectError> {
        self.reached(Order::Pause { proc }).await
    }

    /// SIGCONT of the same.
    ///
    /// # Errors
    /// The supervisor is gone.
    pub async fn resume(&self, proc: ProcId) -> Result<u32, SubjectError> {
        self.reached(Order::Resume { proc }).await
    }

    /// The live processes of a program's tree, itself first, for whoever looks at memory or sockets.
    ///
    /// # Errors
    /// The supervisor is gone.
    pub async fn tree(&self, proc: ProcId) -> Result<Vec<u32>, SubjectError> {
        match self.ask(Order::Tree { proc }).await? {
            Answer::Pids(pids) => Ok(pids),
            Answer::Spawned | Answer::Refused { .. } | Answer::Count(_) => Err(SubjectError::SupervisorGone),
        }
    }

    /// The programs of this name that have not ended.
    #[must_use]
    pub fn running(&self, name: &str) -> Vec<ProcId> {
        let state = self.lock();
        state.procs.iter().filter(|(_, known)| known.name == name && known.exit.borrow().is_none()).map(|(proc, _)| *proc).collect()
    }

    /// A program's end, if it came already.
    #[must_use]
    pub fn exit_of(&self, proc: ProcId) -> Option<Exit> {
        self.lock().procs.get(&proc).and_then(|known| *known.exit.borrow())
    }

    /// Waits for a program's end; `None` if it still runs when the time is over.
    ///
    /// # Errors
    /// The supervisor is gone.
    pub async fn wait_exit(&self, proc: ProcId, limit: Duration) -> Result<Option<Exit>, SubjectError> {
        let Some(mut exit) = self.lock().procs.get(&proc).map(|known| known.exit.subscribe()) else { return Ok(None) };
        match timeout(limit, exit.wait_for(Option::is_some)).await {
            Ok(Ok(exit)) => Ok(*exit),
            Ok(Err(_)) => Err(SubjectError::SupervisorGone),
            Err(_) => Ok(None),
        }
    }

    /// Runs a program to its end; kills its tree when the time is over.
    ///
    /// # Errors
    /// It is missing, or the machine refuses.
    pub async fn run_to_end(&self, request: &SpawnRequest, limit: Duration) -> Result<Ended, SpawnError> {
        let gone = |_| SpawnError::SupervisorGone { name: request.name.clone() };
        let (proc, mut events) = self.spawn_watched(request).await?;
        let mut ended = Ended::default();
        if timeout(limit, collect(&mut events, &mut ended)).await.is_err() {
            self.kill_tree(proc).await.map_err(gone)?;
            let _ = timeout(LAST_LINES, collect(&mut events, &mut ended)).await;
            ended.timed_out = true;
        }
        match self.lock().orders {
            Some(_) => Ok(ended),
            None => Err(SpawnError::SupervisorGone { name: request.name.clone() }),
        }
    }

    /// Kills and counts what is left over, and ends the supervisor.
    ///
    /// # Errors
    /// The supervisor is gone.
    pub async fn finish(&self) -> Result<u32, SubjectError> {
        let left = self.reached(Order::Finish).await?;
        self.lock().orders = None;
        let _ = timeout(ORDER, self.child.lock().await.wait()).await;
        Ok(left)
    }

    async fn spawn_with(&self, request: &SpawnRequest, watchers: Vec<UnboundedSender<SupervisorEvent>>) -> Result<ProcId, SpawnError> {
        let program = find_program(request)?;
        let shown = request.argv.first().cloned().unwrap_or_default();
        let proc = ProcId(self.next.fetch_add(1, Ordering::Relaxed));
        let known = Known { name: request.name.clone(), private: request.private, watchers, exit: watch::Sender::new(None) };
        // Entered first: its first lines may be here before the answer is.
        self.lock().procs.insert(proc, known);
        let (argv, env, cwd, stdin) = (request.argv.clone(), request.env.clone(), request.cwd.clone(), request.stdin.clone());
        let answer = self.ask(Order::Spawn(Box::new(Spawn { proc, program, argv, env, cwd, stdin }))).await;
        let refused = match answer {
            Ok(Answer::Spawned) => return Ok(proc),
            Ok(Answer::Refused { not_executable: true, .. }) => SpawnError::NotExecutable { name: request.name.clone(), program: shown },
            Ok(Answer::Refused { reason, .. }) => SpawnError::Refused { name: request.name.clone(), program: shown, reason },
            Ok(Answer::Count(_) | Answer::Pids(_)) | Err(_) => SpawnError::SupervisorGone { name: request.name.clone() },
        };
        self.lock().procs.remove(&proc);
        Err(refused)
    }

    async fn reached(&self, order: Order) -> Result<u32, SubjectError> {
        match self.ask(order).await? {
            Answer::Count(count) => Ok(count),
            Answer::Spawned | Answer::Refused { .. } | Answer::Pids(_) => Err(SubjectError::SupervisorGone),
        }
    }

    async fn ask(&self, order: Order) -> Result<Answer, SubjectError> {
        let ask = self.next.fetch_add(1, Ordering::Relaxed);
        let (sender, answer) = oneshot::channel();
        {
            let mut state = self.lock();
            let Some(orders) = state.orders.clone() else { return Err(SubjectError::SupervisorGone) };
            state.asked.insert(ask, sender);
            orders.send(Command { ask, order }).map_err(|_| SubjectError::SupervisorGone)?;
        }
        match timeout(ORDER, answer).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(_)) | Err(_) => Err(SubjectError::SupervisorGone),
        }
    }

    fn name(&self, proc: ProcId) -> String {
        self.lock().procs.get(&proc).map_or_else(String::new, |known| known.name.clone())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }
}

impl Drop for Supervisor {
    fn drop(&mut self) {
        // The reading task holds the state too: without this the pipe would stay open.
        self.lock().orders = None;
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Writes orders until nobody can give any: then the pipe closes, and with it everything ends.
async fn write_orders(mut stdin: ChildStdin, mut orders: UnboundedReceiver<Command>) {
    while let Some(order) = orders.recv().await {
        let Ok(mut line) = serde_json::to_vec(&order) else { continue };
        line.push(b'\n');
        if stdin.write_all(&line).await.is_err() {
            return;
        }
    }
}

async fn read_messages(mut stdout: BufReader<ChildStdout>, state: Arc<Mutex<State>>, hello: oneshot::Sender<()>) {
    let mut hello = Some(hello);
    let mut line = Vec::new();
    while stdout.read_until(b'\n', &mut line).await.is_ok_and(|count| count > 0) {
        let Ok(message) = serde_json::from_slice::<Message>(&line) else { break };
        line.clear();
        match message {
            Message::Hello { .. } => {
                let _ = hello.take().map(|hello| hello.send(()));
            }
            Message::Answer { ask, answer } => {
                let _ = lock(&state).asked.remove(&ask).map(|asked| asked.send(answer));
            }
            Message::Started { proc, pid, at } => {
                let name = lock(&state).procs.get(&proc).map_or_else(String::new, |known| known.name.clone());
                publish(&state, proc, &SupervisorEvent::Started { proc, name, pid, at: instant(at) });
            }
            Message::Line { proc, stream, text, at } => {
                publish(&state, proc, &SupervisorEvent::Line { proc, stream, text, at: instant(at) });
            }
            Message::Flooded { proc, lines, at } => publish(&state, proc, &SupervisorEvent::Flooded { proc, lines, at: instant(at) }),
            Message::Exited { proc, code, signal, at } => {
                publish(&state, proc, &SupervisorEvent::Exited { proc, code, signal, at: instant(at) });
                if let Some(known) = lock(&state).procs.get_mut(&proc) {
                    known.watchers.clear();
                    known.exit.send_replace(Some(Exit { code, signal }));
                }
            }
        }
    }
    // Whoever still waits learns from the closed channels that nothing will come.
    *lock(&state) = State::default();
}

fn publish(state: &Mutex<State>, proc: ProcId, event: &SupervisorEvent) {
    let mut state = lock(state);
    let Some(known) = state.procs.get_mut(&proc) else { return };
    known.watchers.retain(|watcher| watcher.send(event.clone()).is_ok());
    if !known.private
        && let Some(events) = &state.events
    {
        let _ = events.send(event.clone());
    }
}

/// The moment of a reading of the monotonic clock, which [`Instant`] shows as well.
fn instant(at: Nanos) -> Instant {
    let now = Instant::now();
    now.checked_sub(Duration::from_nanos(nanos().saturating_sub(at))).unwrap_or(now)
}

async fn collect(events: &mut UnboundedReceiver<SupervisorEvent>, ended: &mut Ended) {
    while let Some(event) = events.recv().await {
        match event {
            SupervisorEvent::Line { stream: Stream::Stdout, text, .. } => keep(&mut ended.stdout, &text),
            SupervisorEvent::Line { stream: Stream::Stderr, text, .. } => keep(&mut ended.stderr, &text),
            SupervisorEvent::Exited { code, signal, .. } => {
                (ended.code, ended.signal) = (code, signal);
                return;
            }
            SupervisorEvent::Flooded { lines, .. } => ended.missed_lines += lines,
            SupervisorEvent::Started { .. } => {}
        }
    }
}

fn keep(all: &mut String, line: &str) {
    if all.len() + line.len() < KEPT {
        all.push_str(line);
        all.push('\n');
    }
}
