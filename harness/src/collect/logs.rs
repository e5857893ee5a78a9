//! Log lines: read from files as they grow, and turned into events.
#![allow(clippy::todo, unused_variables, reason = "filled in by the next commits")]

use std::path::{Path, PathBuf};

use crate::{
    canary::CanarySet,
    evidence::{Found, LogStream, What},
};

/// Reads log files as they grow, also over truncation and rotation.
#[derive(Debug)]
pub struct LogTail {
    globs: Vec<String>,
    root: PathBuf,
}

/// A line of log, unredacted, without its line end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Where from.
    pub stream: LogStream,
    /// The line, lossily UTF-8.
    pub text: String,
}

impl LogTail {
    /// `globs` are absolute, or relative to `root`, the sandbox; nothing has been read yet.
    #[must_use]
    pub fn new(globs: Vec<String>, root: impl Into<PathBuf>) -> Self {
        Self { globs, root: root.into() }
    }

    /// Whole lines written since the last call, file by file. Blocks. At most 4 MiB a call: the rest comes with the next one.
    pub fn read(&mut self) -> Vec<Line> {
        todo!()
    }

    /// As [`LogTail::read`], with last lines that have no line end (the subject is gone).
    pub fn finish(&mut self) -> Vec<Line> {
        todo!()
    }

    /// The log files there are now.
    #[must_use]
    pub fn files(&self) -> Vec<PathBuf> {
        todo!()
    }
}

/// The event of a line (redacted, at most 4 KiB), and what was found in the unredacted line: the caller tells each as
/// `CanarySeen`, with the number of the line's event.
#[must_use]
pub fn log_event(stream: &LogStream, line: &str, canaries: &CanarySet) -> (What, Vec<Found>) {
    todo!()
}

fn _skeleton(_: &Path) {}
