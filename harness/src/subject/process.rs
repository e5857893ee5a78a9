//! Programs of the subject: what is started, what is seen of it, how it ended.

use std::{collections::BTreeMap, path::PathBuf, time::Instant};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Blame;

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
    /// Open, for [`super::Supervisor::feed`].
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

/// A signal that can be asked for, by its name without SIG.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
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

/// A program's end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exit {
    /// Its exit code, if it ended by itself.
    pub code: Option<i32>,
    /// The signal that ended it.
    pub signal: Option<i32>,
}

impl std::fmt::Display for Exit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (self.code, self.signal) {
            (Some(code), _) => write!(f, "exited with code {code}"),
            (None, Some(signal)) => write!(f, "was killed by signal {signal}"),
            (None, None) => write!(f, "ended"),
        }
    }
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
    /// Lines that were too many to be forwarded.
    pub missed_lines: u64,
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
