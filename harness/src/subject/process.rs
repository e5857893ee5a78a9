//! Processes of the subject, from the harness's side: a supervisor per sandbox starts, watches and ends them.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use serde::{Deserialize, Serialize};
use tokio::sync::mpsc::UnboundedReceiver;

use super::{Blame, Sandbox, SubjectError};

/// Names a started program within its supervisor; never used twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ProcId(pub u64);

/// What is started.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SpawnRequest {
    /// What it is called in messages and events.
    pub name: String,
    /// Program and arguments. A program with a slash is relative to `cwd`.
    pub argv: Vec<String>,
    /// The whole environment.
    pub env: BTreeMap<String, String>,
    /// Where it runs.
    pub cwd: PathBuf,
    /// Its standard input.
    pub stdin: Stdin,
    /// Its output is no log: lines and exit go to its own watcher only, not into the events.
    pub private: bool,
}

/// A program's standard input.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stdin {
    /// Nothing to read.
    #[default]
    Empty,
    /// This text, then the end.
    Text(String),
    /// Open, for [`Supervisor::feed`].
    Open,
}

/// Which output a line came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

/// A signal that can be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Signal {
    /// Hang up.
    Hup,
    /// Interrupt.
    Int,
    /// Quit.
    Quit,
    /// Terminate.
    Term,
    /// Kill.
    Kill,
    /// User-defined.
    Usr1,
    /// User-defined.
    Usr2,
}

/// What a supervisor saw.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SupervisorEvent {
    /// A program runs.
    Started {
        /// Which.
        proc: ProcId,
        /// Its name.
        name: String,
        /// Its process id.
        pid: u32,
        /// When.
        at: Instant,
    },
    /// It printed a line.
    Line {
        /// Which.
        proc: ProcId,
        /// Where.
        stream: Stream,
        /// The line without its end; a longer one than 64 KiB comes in pieces.
        text: String,
        /// When it was read.
        at: Instant,
    },
    /// It printed more than can be forwarded; so many lines are missing here.
    Flooded {
        /// Which.
        proc: ProcId,
        /// How many.
        lines: u64,
        /// When.
        at: Instant,
    },
    /// It ended. Comes after its lines, unless something it left behind still holds its output open.
    Exited {
        /// Which.
        proc: ProcId,
        /// Its exit code, if it ended by itself.
        code: Option<i32>,
        /// The signal that ended it.
        signal: Option<i32>,
        /// When.
        at: Instant,
    },
}

/// How a program ran to its end.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Ended {
    /// Its exit code, if it ended by itself.
    pub code: Option<i32>,
    /// The signal that ended it.
    pub signal: Option<i32>,
    /// It was killed because its time was over.
    pub timed_out: bool,
    /// What it printed, at most 16 MiB.
    pub stdout: String,
    /// What it complained of, at most 16 MiB.
    pub stderr: String,
}

/// Why a program was not started.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SpawnError {
    /// There is no such program.
    #[error(
        "{name}: program `{program}` was not found {searched}; remedy: install it, or correct the path (a path with a slash starts at `cwd`)"
    )]
    NotFound {
        /// Which process.
        name: String,
        /// The program.
        program: String,
        /// Where it was looked for.
        searched: String,
    },
    /// It is there and cannot be executed.
    #[error("{name}: `{program}` cannot be executed; remedy: chmod +x, or name its interpreter first, as in [\"python3\", \"app.py\"]")]
    NotExecutable {
        /// Which process.
        name: String,
        /// The program.
        program: String,
    },
    /// The folder is missing.
    #[error("{name}: its folder {} does not exist", cwd.display())]
    NoFolder {
        /// Which process.
        name: String,
        /// The folder.
        cwd: PathBuf,
    },
    /// The machine refused.
    #[error("{name}: `{program}` could not be started: {reason}")]
    Refused {
        /// Which process.
        name: String,
        /// The program.
        program: String,
        /// Why.
        reason: String,
    },
    /// The supervisor is gone.
    #[error("{name}: the supervisor process is gone")]
    SupervisorGone {
        /// Which process.
        name: String,
    },
}

impl SpawnError {
    /// Who is to blame.
    #[must_use]
    pub fn blame(&self) -> Blame {
        match self {
            Self::NotFound { .. } | Self::NotExecutable { .. } | Self::NoFolder { .. } => Blame::Manifest,
            Self::Refused { .. } | Self::SupervisorGone { .. } => Blame::Environment,
        }
    }
}

/// The supervisor of one sandbox. Dropping it kills everything it started.
#[derive(Debug)]
pub struct Supervisor {}

#[allow(clippy::todo, unused_variables, reason = "filled in by the next commits")]
impl Supervisor {
    /// Starts `regrant supervise` for a sandbox. Must be called within a tokio runtime.
    ///
    /// # Errors
    /// It cannot be started.
    pub async fn launch(regrant_exe: &Path, sandbox: &Sandbox) -> Result<(Self, UnboundedReceiver<SupervisorEvent>), SubjectError> {
        todo!()
    }

    /// Starts a program in its own process group.
    ///
    /// # Errors
    /// It is missing, or the machine refuses.
    pub async fn spawn(&self, request: &SpawnRequest) -> Result<ProcId, SpawnError> {
        todo!()
    }

    /// As [`Self::spawn`], with its events also in a channel of its own.
    ///
    /// # Errors
    /// It is missing, or the machine refuses.
    pub async fn spawn_watched(&self, request: &SpawnRequest) -> Result<(ProcId, UnboundedReceiver<SupervisorEvent>), SpawnError> {
        todo!()
    }

    /// Writes to the standard input of a program started with [`Stdin::Open`].
    ///
    /// # Errors
    /// The supervisor is gone.
    pub async fn feed(&self, proc: ProcId, text: &str) -> Result<(), SubjectError> {
        todo!()
    }

    /// Signals the program itself; what it left behind if it has ended. Returns how many processes were reached.
    ///
    /// # Errors
    /// The supervisor is gone.
    pub async fn signal(&self, proc: ProcId, signal: Signal) -> Result<u32, SubjectError> {
        todo!()
    }

    /// kill -9 of a program and all its descendants, repeated until none is left. Returns how many were killed.
    ///
    /// # Errors
    /// The supervisor is gone.
    pub async fn kill_tree(&self, proc: ProcId) -> Result<u32, SubjectError> {
        todo!()
    }

    /// SIGSTOP of a program and all its descendants. Returns how many were stopped.
    ///
    /// # Errors
    /// The supervisor is gone.
    pub async fn pause(&self, proc: ProcId) -> Result<u32, SubjectError> {
        todo!()
    }

    /// SIGCONT of the same.
    ///
    /// # Errors
    /// The supervisor is gone.
    pub async fn resume(&self, proc: ProcId) -> Result<u32, SubjectError> {
        todo!()
    }

    /// The live processes of a program's tree, itself first, for whoever looks at memory or sockets.
    ///
    /// # Errors
    /// The supervisor is gone.
    pub async fn tree(&self, proc: ProcId) -> Result<Vec<u32>, SubjectError> {
        todo!()
    }

    /// Waits for a program's end.
    ///
    /// # Errors
    /// None came in time (`Ok(false)` would be a lie if the supervisor is gone).
    pub async fn wait_exit(&self, proc: ProcId, limit: Duration) -> Result<bool, SubjectError> {
        todo!()
    }

    /// Runs a program to its end; kills its tree when the time is over.
    ///
    /// # Errors
    /// It is missing, or the machine refuses.
    pub async fn run_to_end(&self, request: &SpawnRequest, limit: Duration) -> Result<Ended, SpawnError> {
        todo!()
    }

    /// Kills and counts what is left over, and ends the supervisor.
    ///
    /// # Errors
    /// The supervisor is gone.
    pub async fn finish(self) -> Result<u32, SubjectError> {
        todo!()
    }
}
