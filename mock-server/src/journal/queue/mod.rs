//! Has the subject read what we wrote? Only the receive queue of its end of the connection tells.
//!
//! An acknowledgement proves nothing: the kernel acknowledges for a stopped process too. Both ends are on this host, so the
//! subject's end can be asked for by its addresses: through netlink where that is allowed, else in `/proc/net/tcp`.

#[cfg(target_os = "linux")]
mod diag;
#[cfg(target_os = "linux")]
mod proc;

use std::{
    net::SocketAddr,
    sync::{OnceLock, mpsc},
    time::{Duration, Instant},
};

use tokio::sync::oneshot;

/// Both ends of a connection, as the provider sees them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ends {
    pub(crate) local: SocketAddr,
    pub(crate) peer: SocketAddr,
}

/// Unread and unsent bytes of one socket; `None`: there is no such socket on this host.
pub(crate) type Queues = Option<Depth>;

/// Bytes that wait in a socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Depth {
    /// Received and not yet read by its program.
    pub(crate) unread: u32,
    /// Written and not yet acknowledged by the other end, which may take its time (up to 40 ms) though it has it all.
    pub(crate) unacknowledged: u32,
    /// All that was ever written and received, where the kernel tells.
    pub(crate) totals: Option<Totals>,
}

/// Bytes since the connection was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Totals {
    pub(crate) written: u64,
    pub(crate) received: u64,
}

/// What one look at the subject's end showed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Look {
    /// Everything was read.
    Empty,
    /// Something is still to be read.
    Waiting,
    /// There is no such socket.
    Absent,
    /// Sockets cannot be looked at here.
    Blind,
}

/// How watching ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Seen {
    /// The queue was seen empty.
    Empty,
    /// The socket is no longer there.
    Gone,
    /// It never could be seen.
    Never,
}

/// Looks once. After our FIN the kernel counts one byte more on the subject's end, until that end is told of it.
pub(crate) fn look(ends: Ends, fin_sent: bool) -> Look {
    // Ours first: what was written by then must have come to the subject's end when that is looked at.
    let Some(ours) = depth(ends.local, ends.peer) else { return Look::Blind };
    match depth(ends.peer, ends.local) {
        None => Look::Blind,
        Some(None) => Look::Absent,
        Some(Some(theirs)) if theirs.unread <= u32::from(fin_sent) && has_all(ours, theirs, fin_sent) => Look::Empty,
        Some(Some(_)) => Look::Waiting,
    }
}

/// Whether all that we wrote has come to the subject's kernel.
fn has_all(ours: Queues, theirs: Depth, fin_sent: bool) -> bool {
    match (ours, ours.and_then(|ours| ours.totals), theirs.totals) {
        (None, _, _) => true,
        (Some(_), Some(ours), Some(theirs)) => theirs.received >= ours.written,
        (Some(ours), _, _) => ours.unacknowledged <= u32::from(fin_sent),
    }
}

/// Watches the subject's end until it was seen empty. `seen_before`: the socket was visible earlier. Dropping the receiver ends the watch.
pub(crate) fn watch(ends: Ends, seen_before: bool, fin_sent: bool) -> oneshot::Receiver<Seen> {
    let (done, receiver) = oneshot::channel();
    let now = Instant::now();
    let watched = Watched { ends, seen_before, fin_sent, since: now, due: now, pause: FIRST_PAUSE, done };
    // A watcher that could not be started drops the sender, which reads as "never seen".
    if let Some(watcher) = watcher() {
        let _ended = watcher.send(watched);
    }
    receiver
}

/// One turn of a local exchange takes some ten microseconds; a pause well above that costs little and loses little.
const FIRST_PAUSE: Duration = Duration::from_micros(100);
const LONGEST_PAUSE: Duration = Duration::from_millis(5);
/// After this long the subject is stopped or has forgotten the reply; then looking rarely is enough.
const PATIENCE: Duration = Duration::from_secs(30);
const RARE_PAUSE: Duration = Duration::from_millis(50);

struct Watched {
    ends: Ends,
    seen_before: bool,
    fin_sent: bool,
    since: Instant,
    due: Instant,
    pause: Duration,
    done: oneshot::Sender<Seen>,
}

/// The one thread that watches for all providers of this process: timers of a runtime are too coarse for this.
fn watcher() -> Option<mpsc::Sender<Watched>> {
    static WATCHER: OnceLock<Option<mpsc::Sender<Watched>>> = OnceLock::new();
    let start = || {
        let (sender, receiver) = mpsc::channel();
        std::thread::Builder::new().name("receive-queues".into()).spawn(move || watch_all(&receiver)).ok().map(|_| sender)
    };
    WATCHER.get_or_init(start).clone()
}

fn watch_all(incoming: &mpsc::Receiver<Watched>) {
    let mut all: Vec<Watched> = Vec::new();
    loop {
        let next = match all.iter().map(|watched| watched.due).min() {
            None => incoming.recv().map_err(|_| mpsc::RecvTimeoutError::Disconnected),
            Some(due) => incoming.recv_timeout(due.saturating_duration_since(Instant::now())),
        };
        match next {
            Ok(watched) => all.push(watched),
            Err(mpsc::RecvTimeoutError::Timeout) => {}
            Err(mpsc::RecvTimeoutError::Disconnected) => return,
        }
        all = all.into_iter().filter_map(Watched::turn).collect();
    }
}

impl Watched {
    /// Looks if it is time; gives itself back while there is something to wait for.
    fn turn(mut self) -> Option<Self> {
        let now = Instant::now();
        if self.done.is_closed() {
            return None;
        }
        if self.due > now {
            return Some(self);
        }
        let seen = match look(self.ends, self.fin_sent) {
            Look::Empty => Seen::Empty,
            Look::Absent if self.seen_before => Seen::Gone,
            Look::Absent | Look::Blind => Seen::Never,
            Look::Waiting => {
                self.seen_before = true;
                self.pause = if self.since.elapsed() > PATIENCE { RARE_PAUSE } else { (self.pause * 3 / 2).min(LONGEST_PAUSE) };
                self.due = now + self.pause;
                return Some(self);
            }
        };
        // Nobody to tell is fine: the connection has ended.
        let _told = self.done.send(seen);
        None
    }
}

/// The queues of the socket bound to `of` and connected to `to`. Outer `None`: cannot be looked at.
#[cfg(target_os = "linux")]
fn depth(of: SocketAddr, to: SocketAddr) -> Option<Queues> {
    diag::depth(of, to).or_else(|| proc::depth(of, to))
}

#[cfg(not(target_os = "linux"))]
fn depth(_: SocketAddr, _: SocketAddr) -> Option<Queues> {
    None
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    #![allow(clippy::expect_used, reason = "tests say what they expect")]
    use std::{
        io::{Read, Write},
        net::{TcpListener, TcpStream},
    };

    use super::*;

    fn pair(address: &str) -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind(address).expect("a port");
        let subject = TcpStream::connect(listener.local_addr().expect("bound")).expect("connected");
        let (provider, _) = listener.accept().expect("accepted");
        (provider, subject)
    }

    /// A subject that speaks IPv4 through an IPv6 socket, as the JVM does.
    fn mapped_pair() -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("bound").port();
        let subject = TcpStream::connect(format!("[::ffff:127.0.0.1]:{port}")).expect("connected");
        let (provider, _) = listener.accept().expect("accepted");
        (provider, subject)
    }

    fn ends(provider: &TcpStream) -> Ends {
        Ends { local: provider.local_addr().expect("local"), peer: provider.peer_addr().expect("peer") }
    }

    /// A way of connecting a provider and a subject.
    type Make = fn() -> (TcpStream, TcpStream);

    /// A way of asking for a socket's queues.
    type Ask = fn(SocketAddr, SocketAddr) -> Option<Queues>;

    fn unread(queues: Option<Queues>) -> Option<u32> {
        queues.flatten().map(|depth| depth.unread)
    }

    #[test]
    fn both_ways_of_asking_see_what_was_not_read_yet() {
        let makers: [(&str, Make); 3] = [("IPv4", || pair("127.0.0.1:0")), ("IPv6", || pair("[::1]:0")), ("IPv4 in IPv6", mapped_pair)];
        for (address, make) in makers {
            for ask in [diag::depth as Ask, proc::depth as Ask] {
                let (mut provider, mut subject) = make();
                let Ends { local, peer } = ends(&provider);
                provider.write_all(b"twelve bytes").expect("written");
                assert_eq!(unread(ask(peer, local)), Some(12), "{address}");
                let mut five = [0; 5];
                subject.read_exact(&mut five).expect("read");
                assert_eq!(unread(ask(peer, local)), Some(7), "{address}");
                drop(subject);
                assert_eq!(ask(peer, local), Some(None), "closed with unread bytes it is gone at once, {address}");
            }
        }
    }

    #[test]
    fn a_watch_ends_when_the_last_byte_is_read() {
        let (mut provider, mut subject) = pair("127.0.0.1:0");
        provider.write_all(b"reply").expect("written");
        let mut seen = watch(ends(&provider), true, false);
        assert_eq!(look(ends(&provider), false), Look::Waiting);
        assert!(seen.try_recv().is_err(), "nothing was read yet");
        let mut reply = [0; 5];
        subject.read_exact(&mut reply).expect("read");
        assert_eq!(seen.blocking_recv(), Ok(Seen::Empty));
    }

    #[test]
    fn what_was_read_is_seen_at_once_though_it_is_acknowledged_late() {
        let (mut provider, mut subject) = pair("127.0.0.1:0");
        subject.set_nodelay(true).expect("set");
        let mut buffer = [0; 64];
        // After some turns the kernel takes this for a conversation, and lets acknowledgements wait for the next request.
        for turn in 0..30 {
            subject.write_all(b"request").expect("written");
            let _request = provider.read(&mut buffer).expect("read");
            provider.write_all(b"reply").expect("written");
            assert_eq!(look(ends(&provider), false), Look::Waiting, "{turn}");
            let _reply = subject.read(&mut buffer).expect("read");
            assert_eq!(look(ends(&provider), false), Look::Empty, "{turn}");
        }
    }
}
