//! What flows into the recorder by itself: the provider's journal, the subject's output and log files.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use regrant_mock_server::journal::Entry;
use tokio::{
    sync::{mpsc::UnboundedReceiver, watch},
    task::JoinHandle,
};

use super::recorder::Recorder;
use crate::{
    canary::CanarySet,
    collect::{LogTail, WireCollector, log_event},
    evidence::{LogStream, What},
    subject::{ProcId, Stream, SupervisorEvent},
};

/// How often log files are looked at; there is nothing to await on every file system.
const LOOK: Duration = Duration::from_millis(50);
/// More lines in one story are counted, not kept.
const LINES: u64 = 20_000;

/// Turns true when everything has been said; what was said before is still recorded.
pub(super) type Over = watch::Receiver<bool>;

/// The next thing said; none when all was said. After the end only what is there already comes.
async fn next<T>(from: &mut UnboundedReceiver<T>, over: &mut Over) -> Option<T> {
    tokio::select! {
        biased;
        it = from.recv() => return it,
        _ = over.wait_for(|over| *over) => from.close(),
    }
    from.recv().await
}

/// The wire, translated and recorded.
pub(super) fn wire(
    recorder: Recorder,
    mut entries: UnboundedReceiver<Entry>,
    collector: Arc<Mutex<WireCollector>>,
    mut over: Over,
) -> JoinHandle<()> {
    tokio::spawn(async move {
        while let Some(entry) = next(&mut entries, &mut over).await {
            let translated = collector.lock().unwrap_or_else(PoisonError::into_inner).translate(&entry);
            let mut first = None;
            for (at, what) in translated {
                match what {
                    What::CanarySeen { found, .. } => {
                        if let Some(first) = first {
                            recorder.found_in(at, vec![found], first);
                        }
                    }
                    what => {
                        let draft = recorder.record_at(at, what);
                        first.get_or_insert(draft);
                    }
                }
            }
        }
    })
}

/// What is known of the subject's processes.
#[derive(Debug, Default)]
pub(super) struct Processes {
    known: HashMap<ProcId, Process>,
}

#[derive(Debug, Clone, Copy)]
struct Process {
    incarnation: u32,
    /// Its end is the harness's doing, or declared.
    end_expected: bool,
    ended: bool,
}

/// What is to be told of an end.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ended {
    pub(super) incarnation: u32,
    pub(super) expected: bool,
}

impl Processes {
    pub(super) fn started(&mut self, id: ProcId, incarnation: u32, end_expected: bool) {
        self.known.insert(id, Process { incarnation, end_expected, ended: false });
    }

    /// A process has ended; none if that is no news, or it is none of the subject's.
    pub(super) fn end(&mut self, id: ProcId) -> Option<Ended> {
        let process = self.known.get_mut(&id).filter(|process| !process.ended)?;
        process.ended = true;
        Some(Ended { incarnation: process.incarnation, expected: process.end_expected })
    }

    pub(super) fn expect_end(&mut self, id: ProcId) -> Option<u32> {
        let process = self.known.get_mut(&id)?;
        process.end_expected = true;
        (!process.ended).then_some(process.incarnation)
    }
}

/// Output and exits, recorded. Exits are also sent to `exits`.
pub(super) fn output(
    recorder: Recorder,
    mut events: UnboundedReceiver<SupervisorEvent>,
    canaries: CanarySet,
    processes: Arc<Mutex<Processes>>,
    exits: tokio::sync::mpsc::UnboundedSender<ProcId>,
    mut over: Over,
) -> JoinHandle<()> {
    tokio::spawn(async move {
        let mut lines = 0;
        let mut missed = 0;
        while let Some(event) = next(&mut events, &mut over).await {
            match event {
                SupervisorEvent::Started { .. } => {}
                SupervisorEvent::Line { stream, text, at, .. } => {
                    lines += 1;
                    let stream = if stream == Stream::Stdout { LogStream::Stdout } else { LogStream::Stderr };
                    if lines <= LINES { line(&recorder, since(&recorder, at), &stream, &text, &canaries) } else { missed += 1 }
                }
                SupervisorEvent::Flooded { lines, .. } => missed += lines,
                SupervisorEvent::Exited { proc, code, signal, at } => {
                    let ended = processes.lock().unwrap_or_else(PoisonError::into_inner).end(proc);
                    let Some(Ended { incarnation, expected }) = ended else { continue };
                    let code = code.or(signal.map(|s| -s)).unwrap_or(0);
                    let what = What::ProcessExited { incarnation, code, expected };
                    recorder.record_at(since(&recorder, at), what);
                    let _ = exits.send(proc);
                }
            }
        }
        if missed > 0 {
            recorder.record(What::LogFlooded { lines: missed });
        }
    })
}

/// Lines of log files as they come.
pub(super) fn files(recorder: Recorder, mut tail: LogTail, canaries: CanarySet, over: Over) -> JoinHandle<()> {
    tokio::spawn(async move {
        let mut tick = tokio::time::interval(LOOK);
        loop {
            tick.tick().await;
            let last = *over.borrow();
            let read = move || (if last { tail.finish() } else { tail.read() }, tail);
            let Ok((read, back)) = tokio::task::spawn_blocking(read).await else { return };
            tail = back;
            for it in read {
                line(&recorder, recorder.now(), &it.stream, &it.text, &canaries);
            }
            if last {
                return;
            }
        }
    })
}

fn line(recorder: &Recorder, at: Duration, stream: &LogStream, text: &str, canaries: &CanarySet) {
    let (what, found) = log_event(stream, text, canaries);
    let draft = recorder.record_at(at, what);
    recorder.found_in(at, found, draft);
}

fn since(recorder: &Recorder, at: Instant) -> Duration {
    at.saturating_duration_since(recorder.epoch())
}
