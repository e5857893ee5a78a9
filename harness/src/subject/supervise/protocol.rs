//! What harness and supervisor say to each other: one JSON object a line.

use std::{collections::BTreeMap, path::PathBuf};

use serde::{Deserialize, Serialize};

use crate::subject::{ProcId, Signal, Stdin, Stream};

/// Nanoseconds of the machine's monotonic clock, the same for every process.
pub(in crate::subject) type Nanos = u64;

/// Reads that clock.
pub(in crate::subject) fn nanos() -> Nanos {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    u64::try_from(now.tv_sec).unwrap_or(0) * 1_000_000_000 + u64::try_from(now.tv_nsec).unwrap_or(0)
}

/// From the harness.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::subject) struct Command {
    /// Names the answer to it.
    pub(in crate::subject) ask: u64,
    /// What is to be done.
    pub(in crate::subject) order: Order,
}

/// What is to be done.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(in crate::subject) enum Order {
    /// Start a program.
    Spawn(Box<Spawn>),
    /// Write to a program's standard input.
    Feed { proc: ProcId, text: String },
    /// Signal a program.
    Signal { proc: ProcId, signal: Signal },
    /// kill -9 of a tree.
    Kill { proc: ProcId },
    /// SIGSTOP of a tree.
    Pause { proc: ProcId },
    /// SIGCONT of a tree.
    Resume { proc: ProcId },
    /// The live processes of a tree.
    Tree { proc: ProcId },
    /// Kill what is left, count it, end.
    Finish,
}

/// A program to start; the file was found already.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::subject) struct Spawn {
    pub(in crate::subject) proc: ProcId,
    pub(in crate::subject) program: PathBuf,
    pub(in crate::subject) argv: Vec<String>,
    pub(in crate::subject) env: BTreeMap<String, String>,
    pub(in crate::subject) cwd: PathBuf,
    pub(in crate::subject) stdin: Stdin,
}

/// From the supervisor.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(in crate::subject) enum Message {
    /// It runs; whether orphans come to it.
    Hello { subreaper: bool },
    /// An order was carried out.
    Answer { ask: u64, answer: Answer },
    /// A program runs.
    Started { proc: ProcId, pid: u32, at: Nanos },
    /// A line of output.
    Line { proc: ProcId, stream: Stream, text: String, at: Nanos },
    /// Lines that were too many.
    Flooded { proc: ProcId, lines: u64, at: Nanos },
    /// A program ended.
    Exited { proc: ProcId, code: Option<i32>, signal: Option<i32>, at: Nanos },
}

/// What came of an order.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(in crate::subject) enum Answer {
    /// Started.
    Spawned,
    /// Not started.
    Refused { reason: String, not_executable: bool },
    /// So many processes were reached.
    Count(u32),
    /// These processes live.
    Pids(Vec<u32>),
}
