//! A story's history, and the file `run.jsonl` that keeps all of a run.

use std::io::{BufRead, Write};

use serde::{Deserialize, Serialize};

use super::Event;

/// The first line of `run.jsonl`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// Version of the contract.
    pub contract: u32,
    /// Version of regrant.
    pub regrant: String,
    /// The subject's name.
    pub subject: String,
    /// The run's seed.
    pub seed: u64,
    /// What the judge must know of the manifest (probes present, features, declared lines).
    pub terms: serde_json::Value,
}

/// Everything seen while one story was told.
#[derive(Debug, Clone, PartialEq)]
pub struct History {
    /// The story's name (file stem).
    pub story: String,
    /// What was seen, in order.
    pub events: Vec<Event>,
}

/// Why a saved run cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The file cannot be read.
    #[error("cannot read the run: {0}")]
    Io(#[from] std::io::Error),
    /// A line is no event.
    #[error("line {line} of the run is no event of contract 1: {source}")]
    Line {
        /// Which, from 1.
        line: usize,
        /// Why.
        source: serde_json::Error,
    },
    /// There is nothing in it.
    #[error("the run is empty: expected a header line and events")]
    Empty,
}

#[derive(Serialize, Deserialize)]
struct Line<E> {
    story: String,
    #[serde(flatten)]
    event: E,
}

/// Writes a run: the header, then the events of each story.
///
/// # Errors
/// Those of the writer.
pub fn write_run(mut out: impl Write, header: &Header, histories: &[History]) -> std::io::Result<()> {
    serde_json::to_writer(&mut out, header)?;
    writeln!(out)?;
    for history in histories {
        for event in &history.events {
            serde_json::to_writer(&mut out, &Line { story: history.story.clone(), event })?;
            writeln!(out)?;
        }
    }
    out.flush()
}

/// Reads a saved run; stories come in the order of their first event.
///
/// # Errors
/// As [`ReadError`] says.
pub fn read_run(input: impl BufRead) -> Result<(Header, Vec<History>), ReadError> {
    let mut lines = input.lines().enumerate();
    let Some((_, first)) = lines.next() else { return Err(ReadError::Empty) };
    let header = serde_json::from_str(&first?).map_err(|source| ReadError::Line { line: 1, source })?;
    let mut histories: Vec<History> = Vec::new();
    for (index, line) in lines {
        let line = line?;
        if line.trim().is_empty() {
            continue;
        }
        let Line { story, event } =
            serde_json::from_str::<Line<Event>>(&line).map_err(|source| ReadError::Line { line: index + 1, source })?;
        match histories.iter_mut().find(|h| h.story == story) {
            Some(history) => history.events.push(event),
            None => histories.push(History { story, events: vec![event] }),
        }
    }
    Ok((header, histories))
}
