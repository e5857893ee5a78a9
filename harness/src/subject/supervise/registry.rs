//! The programs that were started, and their ends.

use std::{
    collections::BTreeMap,
    io::{self, Write},
    os::unix::process::CommandExt,
    process::{Child, ChildStdin, Command, Stdio},
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        mpsc::{Sender, channel},
    },
    thread,
    time::Duration,
};

use rustix::process::{WaitId, WaitIdOptions, WaitOptions, WaitStatus, wait, waitid};

use super::{
    output::{Outbox, forward},
    protocol::{Answer, Message, Spawn, nanos},
};
use crate::subject::{ProcId, Stdin, Stream};

/// Marks the descendants of a program, so that they are known when they have left its tree. Says nothing but that.
pub(super) const MARK: &str = "RG_TREE";
/// How long a program's end waits for its last lines, if something it left behind holds its output open.
const LAST_LINES: Duration = Duration::from_millis(250);

/// The programs that were started.
pub(super) struct Registry {
    procs: Mutex<Procs>,
    changed: Condvar,
    outbox: Arc<Outbox>,
}

#[derive(Default)]
struct Procs {
    by_id: BTreeMap<ProcId, Proc>,
    reaped: u64,
}

struct Proc {
    pid: i32,
    ended: bool,
    /// Outputs not yet read to their end.
    open: u8,
    input: Option<Sender<String>>,
}

/// A program as others see it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Started {
    pub(super) proc: ProcId,
    pub(super) pid: i32,
    pub(super) ended: bool,
}

impl Registry {
    pub(super) fn new(outbox: Arc<Outbox>) -> Self {
        Self { procs: Mutex::default(), changed: Condvar::new(), outbox }
    }

    /// Starts a program in its own process group.
    pub(super) fn spawn(self: &Arc<Self>, spawn: Spawn) -> Answer {
        let proc = spawn.proc;
        let mut command = command(&spawn);
        // Held until the program is entered: the reaper must neither miss it nor take a failed attempt away from the standard library.
        let mut procs = self.lock();
        let mut child = match command.spawn() {
            Ok(child) => child,
            Err(error) => return refusal(&error),
        };
        let at = nanos();
        let pid = child.id();
        let input = child.stdin.take().map(|pipe| feeder(pipe, spawn.stdin));
        procs.by_id.insert(proc, Proc { pid: i32::try_from(pid).unwrap_or(0), ended: false, open: 2, input });
        self.outbox.say(Message::Started { proc, pid, at });
        drop(procs);
        self.changed.notify_all();
        self.listen(proc, &mut child);
        Answer::Spawned
    }

    /// Writes to a program's standard input, if it is open.
    pub(super) fn feed(&self, proc: ProcId, text: String) -> bool {
        self.lock().by_id.get(&proc).and_then(|found| found.input.as_ref()).is_some_and(|input| input.send(text).is_ok())
    }

    /// Everything that was started.
    pub(super) fn started(&self) -> Vec<Started> {
        self.lock().by_id.iter().map(|(proc, found)| Started { proc: *proc, pid: found.pid, ended: found.ended }).collect()
    }

    /// Waits until another process was reaped, or the time is over.
    pub(super) fn await_reaping(&self, limit: Duration) {
        let procs = self.lock();
        let before = procs.reaped;
        drop(self.changed.wait_timeout_while(procs, limit, |procs| procs.reaped == before));
    }

    /// Reaps until the process ends.
    pub(super) fn reap(self: &Arc<Self>) {
        loop {
            // Without NOWAIT the process id could be given to somebody else while a signal to it is on its way.
            match waitid(WaitId::All, WaitIdOptions::EXITED | WaitIdOptions::NOWAIT) {
                Ok(_) | Err(rustix::io::Errno::INTR) => self.reap_ready(),
                Err(_) => self.await_child(),
            }
        }
    }

    fn reap_ready(self: &Arc<Self>) {
        let mut procs = self.lock();
        while let Ok(Some((pid, status))) = wait(WaitOptions::NOHANG) {
            procs.reaped += 1;
            let pid = pid.as_raw_nonzero().get();
            if let Some((proc, found)) = procs.by_id.iter_mut().find(|(_, found)| found.pid == pid && !found.ended) {
                found.ended = true;
                found.input = None;
                let (registry, proc, at) = (Arc::clone(self), *proc, nanos());
                thread::spawn(move || registry.announce(proc, status, at));
            }
        }
        drop(procs);
        self.changed.notify_all();
    }

    fn announce(&self, proc: ProcId, status: WaitStatus, at: u64) {
        let procs = self.lock();
        let lines_left = |procs: &mut Procs| procs.by_id.get(&proc).is_some_and(|found| found.open > 0);
        drop(self.changed.wait_timeout_while(procs, LAST_LINES, lines_left));
        self.outbox.exited(proc, status.exit_status(), status.terminating_signal(), at);
    }

    fn await_child(&self) {
        let procs = self.lock();
        let none_lives = |procs: &mut Procs| procs.by_id.values().all(|found| found.ended);
        drop(self.changed.wait_while(procs, none_lives));
    }

    fn listen(self: &Arc<Self>, proc: ProcId, child: &mut Child) {
        if let Some(pipe) = child.stdout.take() {
            let registry = Arc::clone(self);
            thread::spawn(move || {
                forward(&registry.outbox, proc, Stream::Stdout, pipe);
                registry.read_out(proc);
            });
        }
        if let Some(pipe) = child.stderr.take() {
            let registry = Arc::clone(self);
            thread::spawn(move || {
                forward(&registry.outbox, proc, Stream::Stderr, pipe);
                registry.read_out(proc);
            });
        }
    }

    fn read_out(&self, proc: ProcId) {
        if let Some(found) = self.lock().by_id.get_mut(&proc) {
            found.open = found.open.saturating_sub(1);
        }
        self.changed.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, Procs> {
        self.procs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn command(spawn: &Spawn) -> Command {
    let mut command = Command::new(&spawn.program);
    if let Some((name, arguments)) = spawn.argv.split_first() {
        command.arg0(name).args(arguments);
    }
    let stdin = if spawn.stdin == Stdin::Empty { Stdio::null() } else { Stdio::piped() };
    command.env_clear().envs(&spawn.env).env(MARK, mark(spawn.proc));
    command.current_dir(&spawn.cwd).stdin(stdin).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
    command
}

/// The mark of a program's descendants; differs between supervisors, one of which may run under another in tests.
pub(super) fn mark(proc: ProcId) -> String {
    format!("{}.{}", std::process::id(), proc.0)
}

fn refusal(error: &io::Error) -> Answer {
    Answer::Refused {
        reason: error.to_string(),
        not_executable: error.kind() == io::ErrorKind::PermissionDenied
            || error.raw_os_error() == Some(rustix::io::Errno::NOEXEC.raw_os_error()),
    }
}

/// Writes what comes, from a thread of its own: a program that does not read must not hold up the supervisor.
fn feeder(mut pipe: ChildStdin, stdin: Stdin) -> Sender<String> {
    let (sender, receiver) = channel::<String>();
    thread::spawn(move || {
        let first = match stdin {
            Stdin::Empty => return,
            Stdin::Text(text) => {
                let _ = pipe.write_all(text.as_bytes());
                return;
            }
            Stdin::Open => receiver,
        };
        for text in first {
            if pipe.write_all(text.as_bytes()).and_then(|()| pipe.flush()).is_err() {
                return;
            }
        }
    });
    sender
}
