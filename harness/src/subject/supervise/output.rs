//! Lines from the subject to the harness: never blocking the subject for ever, never without bounds in memory.

use std::{
    collections::{HashMap, VecDeque},
    io::{self, Read, Write, stdout},
    os::fd::AsFd,
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use rustix::{
    event::{PollFd, PollFlags, poll},
    time::Timespec,
};

use super::protocol::{Message, Nanos, nanos};
use crate::subject::{ProcId, Stream};

/// Longer lines are cut.
const LINE: usize = 64 * 1024;
/// Lines forwarded per program and second; the rest is counted.
const LINES_A_SECOND: u32 = 20_000;
/// Bytes forwarded per program and second, and bytes that wait for a slow harness at most.
const BYTES: usize = 16 * 1024 * 1024;
/// A line without an end (a prompt) counts as a line after that long.
const UNFINISHED: Timespec = Timespec { tv_sec: 1, tv_nsec: 0 };

/// What waits for the harness.
pub(super) struct Outbox {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<Message>,
    bytes: usize,
    writing: bool,
    deaf: bool,
    budgets: HashMap<ProcId, Budget>,
}

struct Budget {
    since: Instant,
    lines: u32,
    bytes: usize,
    missed: u64,
}

impl Budget {
    fn new() -> Self {
        Self { since: Instant::now(), lines: 0, bytes: 0, missed: 0 }
    }

    fn allows(&mut self, bytes: usize) -> bool {
        if self.since.elapsed() >= Duration::from_secs(1) {
            *self = Self { missed: self.missed, ..Self::new() };
        }
        let fits = self.lines < LINES_A_SECOND && self.bytes + bytes <= BYTES;
        if fits {
            self.lines += 1;
            self.bytes += bytes;
        }
        fits
    }
}

impl Outbox {
    pub(super) fn new() -> Self {
        Self { state: Mutex::default(), changed: Condvar::new() }
    }

    /// Something that must not be lost.
    pub(super) fn say(&self, message: Message) {
        self.lock().waiting.push_back(message);
        self.changed.notify_all();
    }

    /// A line, forwarded if there is room for it, counted if not.
    fn line(&self, proc: ProcId, stream: Stream, line: &[u8]) {
        let mut state = self.lock();
        let room = !state.deaf && state.bytes + line.len() <= BYTES;
        let budget = state.budgets.entry(proc).or_insert_with(Budget::new);
        if !(budget.allows(line.len()) && room) {
            budget.missed += 1;
            return;
        }
        let missed = std::mem::take(&mut budget.missed);
        let at = nanos();
        if missed > 0 {
            state.waiting.push_back(Message::Flooded { proc, lines: missed, at });
        }
        let text = String::from_utf8_lossy(line).into_owned();
        state.bytes += text.len();
        state.waiting.push_back(Message::Line { proc, stream, text, at });
        drop(state);
        self.changed.notify_all();
    }

    /// A program's end, and what was missed before it.
    pub(super) fn exited(&self, proc: ProcId, code: Option<i32>, signal: Option<i32>, at: Nanos) {
        let mut state = self.lock();
        let missed = state.budgets.get_mut(&proc).map_or(0, |budget| std::mem::take(&mut budget.missed));
        if missed > 0 {
            state.waiting.push_back(Message::Flooded { proc, lines: missed, at });
        }
        state.waiting.push_back(Message::Exited { proc, code, signal, at });
        drop(state);
        self.changed.notify_all();
    }

    /// Writes until the process ends. If nobody reads any more, output is thrown away.
    pub(super) fn write_out(&self) {
        let mut out = io::BufWriter::new(stdout().lock());
        loop {
            let message = self.next(&mut out);
            let said = serde_json::to_writer(&mut out, &message).map_err(io::Error::from).and_then(|()| out.write_all(b"\n"));
            if said.is_err() {
                self.lock().deaf = true;
            }
        }
    }

    /// Waits until everything is written.
    pub(super) fn drain(&self, limit: Duration) {
        let state = self.lock();
        let busy = |state: &mut State| !state.deaf && (state.writing || !state.waiting.is_empty());
        drop(self.changed.wait_timeout_while(state, limit, busy));
    }

    fn next(&self, out: &mut impl Write) -> Message {
        let mut state = self.lock();
        loop {
            if let Some(message) = state.waiting.pop_front() {
                if let Message::Line { text, .. } = &message {
                    state.bytes -= text.len();
                }
                state.writing = true;
                return message;
            }
            if state.writing {
                drop(state);
                let flushed = out.flush();
                state = self.lock();
                state.writing = false;
                state.deaf |= flushed.is_err();
                self.changed.notify_all();
            } else {
                state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Reads a program's output to its end.
pub(super) fn forward(outbox: &Outbox, proc: ProcId, stream: Stream, mut pipe: impl Read + AsFd) {
    let mut held = Vec::new();
    let mut chunk = vec![0; LINE];
    loop {
        if !held.is_empty() && !more_soon(&pipe) {
            outbox.line(proc, stream, &std::mem::take(&mut held));
        }
        match pipe.read(&mut chunk) {
            Ok(0) => break,
            Ok(count) => held = cut(held, &chunk[..count], |line| outbox.line(proc, stream, line)),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => break,
        }
    }
    if !held.is_empty() {
        outbox.line(proc, stream, &held);
    }
}

fn more_soon(pipe: &impl AsFd) -> bool {
    let mut fds = [PollFd::new(pipe, PollFlags::IN)];
    !matches!(poll(&mut fds, Some(&UNFINISHED)), Ok(0))
}

/// Hands out the whole lines of `held` and `more`, and pieces of lines that are too long; returns what is left.
fn cut(mut held: Vec<u8>, more: &[u8], mut hand_out: impl FnMut(&[u8])) -> Vec<u8> {
    held.extend_from_slice(more);
    let mut start = 0;
    while start < held.len() {
        let rest = &held[start..];
        match rest.iter().take(LINE + 1).position(|byte| *byte == b'\n') {
            Some(end) => {
                hand_out(rest[..end].strip_suffix(b"\r").unwrap_or(&rest[..end]));
                start += end + 1;
            }
            None if rest.len() > LINE => {
                let end = character_start(rest, LINE);
                hand_out(&rest[..end]);
                start += end;
            }
            None => break,
        }
    }
    held.split_off(start)
}

/// The nearest place at or before `at` where no UTF-8 character is cut in two.
fn character_start(bytes: &[u8], at: usize) -> usize {
    (at.saturating_sub(3)..=at).rev().find(|place| bytes[*place] & 0xC0 != 0x80).unwrap_or(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(line: &[u8]) -> String {
        String::from_utf8_lossy(line).into_owned()
    }

    fn lines(chunks: &[&[u8]]) -> (Vec<String>, String) {
        let mut out = Vec::new();
        let held = chunks.iter().fold(Vec::new(), |held, chunk| cut(held, chunk, |line| out.push(text(line))));
        (out, text(&held))
    }

    #[test]
    fn lines_are_cut_wherever_the_chunks_end() {
        assert_eq!(lines(&[b"one\ntw", b"o\r\n\nfour"]), (vec!["one".into(), "two".into(), String::new()], "four".into()));
    }

    #[test]
    fn a_long_line_comes_in_pieces_that_cut_no_character() {
        let long = format!("{}é{}\n", "a".repeat(LINE - 1), "b".repeat(10));
        let (out, held) = lines(&[long.as_bytes()]);
        assert_eq!(out, ["a".repeat(LINE - 1), format!("é{}", "b".repeat(10))]);
        assert_eq!(held, "");
    }

    #[test]
    fn what_is_too_much_is_counted_and_told() {
        let outbox = Outbox::new();
        for _ in 0..LINES_A_SECOND + 7 {
            outbox.line(ProcId(1), Stream::Stdout, b"x");
        }
        outbox.exited(ProcId(1), Some(0), None, 0);
        let state = outbox.lock();
        let told: u64 = state
            .waiting
            .iter()
            .map(|message| match message {
                Message::Flooded { lines, .. } => *lines,
                Message::Line { .. } => 1,
                Message::Hello { .. } | Message::Answer { .. } | Message::Started { .. } | Message::Exited { .. } => 0,
            })
            .sum();
        assert_eq!(told, u64::from(LINES_A_SECOND) + 7);
    }

    #[test]
    fn bytes_that_wait_are_bounded() {
        let outbox = Outbox::new();
        for proc in 0..3 {
            for _ in 0..300 {
                outbox.line(ProcId(proc), Stream::Stderr, &[b'x'; LINE]);
            }
        }
        assert!(outbox.lock().bytes <= BYTES);
    }
}
