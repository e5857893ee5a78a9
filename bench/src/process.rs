//! Servers as processes of their own: started on one core, looked at through /proc, ended when dropped.

use std::{
    fs,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    process::{Child, Command, Stdio},
    time::Duration,
};

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

use crate::error::BenchError;

/// The core that servers have for themselves, and that of the load.
const SERVERS: usize = 0;
const LOAD: usize = 1;

/// A running server.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
}

impl Process {
    /// Starts a program on the servers' core.
    pub(crate) fn start(command: &mut Command) -> Result<Self, BenchError> {
        let what = format!("starting {}", command.get_program().to_string_lossy());
        // A child inherits the core of the thread that starts it.
        pin(SERVERS);
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        pin(LOAD);
        Ok(Self { child: child.map_err(BenchError::io(what))? })
    }

    /// Whether it has ended by itself.
    pub(crate) fn has_ended(&mut self) -> bool {
        !matches!(self.child.try_wait(), Ok(None))
    }

    /// Memory that it holds now, in bytes.
    pub(crate) fn memory(&self) -> u64 {
        resident(&self.child.id().to_string())
    }

    /// Processor time that it has used so far.
    pub(crate) fn busy(&self) -> Duration {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.child.id())).unwrap_or_default();
        ticks(&stat).map_or(Duration::ZERO, |ticks| Duration::from_millis(ticks * 1000 / rustix::param::clock_ticks_per_second()))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // One that has ended already cannot be killed, and need not be.
        let _killed = self.child.kill();
        let _reaped = self.child.wait();
    }
}

/// Resident memory of a process (`self` for this one) in bytes.
pub(crate) fn resident(process: &str) -> u64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok()).unwrap_or(0) * 1024
}

/// User and system time in ticks. The name of the program, in brackets, may hold anything.
fn ticks(stat: &str) -> Option<u64> {
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_whitespace().skip(11);
    Some(fields.next()?.parse::<u64>().ok()? + fields.next()?.parse::<u64>().ok()?)
}

/// Pins the load, which is this thread, to its core; false where there is only one.
pub(crate) fn pin_load() -> bool {
    let enough = sched_getaffinity(None).is_ok_and(|set| set.is_set(SERVERS) && set.is_set(LOAD));
    enough && pin(LOAD)
}

fn pin(core: usize) -> bool {
    let mut set = CpuSet::new();
    set.set(core);
    sched_setaffinity(None, &set).is_ok()
}

/// A port on loopback that nobody had a moment ago.
pub(crate) fn free_port() -> Result<u16, BenchError> {
    let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    TcpListener::bind(any)
        .and_then(|listener| listener.local_addr())
        .map(|bound| bound.port())
        .map_err(BenchError::io("looking for a free port"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processor_time_is_found_behind_any_name() {
        let stat = "4711 (a) b) c) S 1 2 3 4 5 6 7 8 9 10 31 11 0 0 20 0 2";
        assert_eq!(ticks(stat), Some(42));
        assert_eq!(ticks("4711 (cat) S 1"), None);
    }

    #[test]
    fn this_process_holds_memory() {
        assert!(resident("self") > 100_000);
        assert_eq!(resident("nobody"), 0);
    }
}
