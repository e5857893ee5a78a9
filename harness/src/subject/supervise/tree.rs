//! All descendants of the supervisor, whose they are, and signals to them.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};

use super::registry::{MARK, Registry, Started, mark};
use crate::subject::{ProcId, process};

/// How often what still lives is killed again, or what was born meanwhile is stopped.
const ROUNDS: u32 = 200;
/// How long the end of what was killed is awaited between two rounds.
const BETWEEN: Duration = Duration::from_millis(20);

/// How long stopping is awaited between two rounds.
const STOPPING: Duration = Duration::from_millis(2);

/// Whose processes are meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Whose {
    /// One program's tree.
    Of(ProcId),
    /// Everything under the supervisor.
    Everyones,
}

/// kill -9, again and again until none is left. Returns how many there were.
pub(super) fn kill(registry: &Registry, whose: Whose) -> u32 {
    let mut killed = BTreeSet::new();
    for _ in 0..ROUNDS {
        let live = living(registry, whose);
        if live.is_empty() {
            break;
        }
        // From the top down: a parent must not see its child die and start another one.
        for found in &live {
            send(found.pid, Signal::KILL);
            killed.insert((found.pid, found.born));
        }
        registry.await_reaping(BETWEEN);
    }
    count(killed.len())
}

/// SIGSTOP until all stand still. Returns how many were stopped.
pub(super) fn pause(registry: &Registry, proc: ProcId) -> u32 {
    let mut stopped = BTreeSet::new();
    for _ in 0..ROUNDS {
        let moving: Vec<_> = living(registry, Whose::Of(proc)).into_iter().filter(|found| !found.still).collect();
        if moving.is_empty() {
            break;
        }
        // Asked anew only if born meanwhile; the others stop as soon as the kernel comes to it.
        for found in moving {
            if stopped.insert((found.pid, found.born)) {
                send(found.pid, Signal::STOP);
            }
        }
        registry.await_reaping(STOPPING);
    }
    count(stopped.len())
}

/// SIGCONT, from the leaves up. Returns how many were reached.
pub(super) fn resume(registry: &Registry, proc: ProcId) -> u32 {
    let live = living(registry, Whose::Of(proc));
    for found in live.iter().rev() {
        send(found.pid, Signal::CONT);
    }
    count(live.len())
}

/// The program itself; if it has ended, what it left behind.
pub(super) fn signal(registry: &Registry, proc: ProcId, signal: Signal) -> u32 {
    let Some(main) = registry.started().into_iter().find(|started| started.proc == proc) else { return 0 };
    if !main.ended {
        return u32::from(send(main.pid, signal));
    }
    count(living(registry, Whose::Of(proc)).iter().filter(|found| send(found.pid, signal)).count())
}

/// The live processes of a tree, itself first.
pub(super) fn pids(registry: &Registry, proc: ProcId) -> Vec<u32> {
    living(registry, Whose::Of(proc)).iter().filter_map(|found| u32::try_from(found.pid).ok()).collect()
}

fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

fn send(pid: i32, signal: Signal) -> bool {
    // 0 and negative numbers would mean whole groups, ours included.
    pid > 1 && Pid::from_raw(pid).is_some_and(|pid| kill_process(pid, signal).is_ok())
}

/// A process as /proc shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Found {
    pid: i32,
    parent: i32,
    group: i32,
    session: i32,
    dead: bool,
    still: bool,
    /// Start time, which tells it from a later process with the same id.
    born: u64,
}

/// The live descendants, parents before children.
fn living(registry: &Registry, whose: Whose) -> Vec<Found> {
    let started = registry.started();
    let all = every_process();
    let tops: Vec<Found> = match i32::try_from(std::process::id()) {
        Ok(own) => all.iter().filter(|found| found.parent == own && belongs(found, whose, &started)).copied().collect(),
        Err(_) => Vec::new(),
    };
    if all.is_empty() {
        return without_proc(&started, whose);
    }
    let mut children: BTreeMap<i32, Vec<Found>> = BTreeMap::new();
    for found in &all {
        children.entry(found.parent).or_default().push(*found);
    }
    let mut order = tops;
    let mut next = 0;
    while next < order.len() {
        let below = children.remove(&order[next].pid).unwrap_or_default();
        order.extend(below);
        next += 1;
    }
    order.retain(|found| !found.dead);
    order
}

/// Whose a child of the supervisor is: a program itself, or an orphan known by its mark, its group or its session. One that cannot be told belongs to all.
fn belongs(found: &Found, whose: Whose, started: &[Started]) -> bool {
    let Whose::Of(proc) = whose else { return true };
    let owner = started.iter().find(|one| one.pid == found.pid && !one.ended).map(|one| one.proc).or_else(|| {
        let marked = environment_mark(found.pid);
        started.iter().find(|one| marked.as_deref() == Some(mark(one.proc).as_str())).map(|one| one.proc)
    });
    let owner = owner.or_else(|| started.iter().find(|one| one.pid == found.group || one.pid == found.session).map(|one| one.proc));
    owner.is_none_or(|owner| owner == proc)
}

fn environment_mark(pid: i32) -> Option<String> {
    let environment = fs::read(format!("/proc/{pid}/environ")).ok()?;
    environment
        .split(|byte| *byte == 0)
        .find_map(|entry| entry.strip_prefix(MARK.as_bytes())?.strip_prefix(b"="))
        .map(|value| String::from_utf8_lossy(value).into_owned())
}

fn every_process() -> Vec<Found> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    entries
        .flatten()
        .filter(|entry| entry.file_name().to_string_lossy().starts_with(|c: char| c.is_ascii_digit()))
        .filter_map(|entry| parse(&fs::read_to_string(entry.path().join("stat")).ok()?))
        .collect()
}

/// Reads a line of `/proc/PID/stat`. The name in parentheses may hold anything, parentheses too.
fn parse(stat: &str) -> Option<Found> {
    let (pid, rest) = stat.split_once(" (")?;
    let fields: Vec<&str> = rest.rsplit_once(')')?.1.split_whitespace().collect();
    let number = |index: usize| fields.get(index)?.parse::<i32>().ok();
    Some(Found {
        pid: pid.parse().ok()?,
        parent: number(1)?,
        group: number(2)?,
        session: number(3)?,
        dead: matches!(*fields.first()?, "Z" | "X" | "x"),
        still: matches!(*fields.first()?, "T" | "t"),
        born: fields.get(19)?.parse().ok()?,
    })
}

/// Where there is no /proc only the programs themselves are known.
fn without_proc(started: &[Started], whose: Whose) -> Vec<Found> {
    started
        .iter()
        .filter(|one| !one.ended && (whose == Whose::Everyones || whose == Whose::Of(one.proc)))
        .map(|one| Found { pid: one.pid, parent: 0, group: one.pid, session: 0, dead: false, still: false, born: 0 })
        .collect()
}

impl From<process::Signal> for Signal {
    fn from(signal: process::Signal) -> Self {
        match signal {
            process::Signal::Hup => Self::HUP,
            process::Signal::Int => Self::INT,
            process::Signal::Quit => Self::QUIT,
            process::Signal::Term => Self::TERM,
            process::Signal::Kill => Self::KILL,
            process::Signal::Usr1 => Self::USR1,
            process::Signal::Usr2 => Self::USR2,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_parentheses_and_spaces_is_read() {
        let stat = "42 (a) b (c) S 7 42 42 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0 998877 1 1";
        assert_eq!(parse(stat), Some(Found { pid: 42, parent: 7, group: 42, session: 42, dead: false, still: false, born: 998_877 }));
    }

    #[test]
    fn a_zombie_counts_as_dead() {
        let stat = "42 (x) Z 7 42 42 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0 5 1 1";
        assert_eq!(parse(stat).map(|found| found.dead), Some(true));
    }
}
