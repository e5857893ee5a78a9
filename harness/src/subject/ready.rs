//! Waiting until the subject is ready, or finding out why it never will be.

use std::{collections::VecDeque, time::Duration};

use tokio::{
    net::TcpStream,
    sync::mpsc::UnboundedReceiver,
    time::{Instant, MissedTickBehavior, interval, timeout, timeout_at},
};

use super::{Agent, Bindings, Exit, ProcId, SpawnRequest, SubjectError, Supervisor, SupervisorEvent, manifest::Ready};

/// How many first lines are shown: some runtimes say first what went wrong, and then where.
const FIRST: usize = 5;
/// How many last lines are shown.
const LAST: usize = 10;
/// How often a port or an address is asked.
const ASK: Duration = Duration::from_millis(25);
/// How long one question may take; a subject that is starting may accept and not answer yet.
const ONE_ASK: Duration = Duration::from_secs(2);
/// How runtimes say, in any case of letters, that a port is taken.
const TAKEN: &[&str] = &[
    "eaddrinuse",
    "address already in use",
    "address in use",
    "addrinuse",
    "errno 98",
    "errno 48",
    "only one usage of each socket address",
    "port is already in use",
    "port already in use",
    "was already in use",
    "is being used",
    "failed to bind to",
];

/// Starts a program and waits until it is ready.
///
/// # Errors
/// It could not be started, ended early, found its port taken ([`SubjectError::PortTaken`]: try again with another), or was not ready in time.
/// What was started and is not ready has been killed.
pub async fn start_and_wait(
    supervisor: &Supervisor,
    agent: &Agent,
    request: &SpawnRequest,
    ready: &Ready,
    bindings: &Bindings,
    limit: Duration,
) -> Result<ProcId, SubjectError> {
    let (proc, mut events) = supervisor.spawn_watched(request).await?;
    match wait_ready(agent, &request.name, &mut events, ready, bindings, limit).await {
        Ok(()) => Ok(proc),
        Err(error) => {
            supervisor.kill_tree(proc).await?;
            Err(error)
        }
    }
}

/// Waits until a program, started by [`Supervisor::spawn_watched`], is ready.
///
/// # Errors
/// See [`start_and_wait`].
pub async fn wait_ready(
    agent: &Agent,
    name: &str,
    events: &mut UnboundedReceiver<SupervisorEvent>,
    ready: &Ready,
    bindings: &Bindings,
    limit: Duration,
) -> Result<(), SubjectError> {
    let mut seen = Seen::default();
    let until = Instant::now() + limit;
    let waited_for = match ready {
        Ready::AtOnce => return Ok(()),
        Ready::Http(address) => {
            let address = bindings.fill(address)?;
            tokio::select! {
                ended = seen.watch(name, events, ready) => return ended,
                reached = ask_http(agent, &address, until) => match reached? {
                    None => return seen.taken(name, events),
                    Some(last) => format!("{address} {last}"),
                },
            }
        }
        Ready::Tcp(port) => {
            let address = tcp_address(&bindings.fill(port)?);
            tokio::select! {
                ended = seen.watch(name, events, ready) => return ended,
                reached = ask_tcp(&address, until) => match reached {
                    None => return seen.taken(name, events),
                    Some(last) => format!("{address} {last}"),
                },
            }
        }
        Ready::Log(pattern) => match timeout_at(until, seen.watch(name, events, ready)).await {
            Ok(ended) => return ended,
            Err(_) => format!("no line of its output matched {:?}", pattern.as_str()),
        },
        Ready::Exit => match timeout_at(until, seen.watch(name, events, ready)).await {
            Ok(ended) => return ended,
            Err(_) => "it did not end".to_owned(),
        },
    };
    match seen.taken(name, events) {
        Err(error) => Err(error),
        Ok(()) => Err(SubjectError::NotReady { name: name.to_owned(), after: limit, waited_for, lines: seen.lines() }),
    }
}

/// The lines seen so far.
#[derive(Debug, Default)]
struct Seen {
    first: Vec<String>,
    last: VecDeque<String>,
    /// Between these, and not kept.
    left_out: usize,
    taken: Option<String>,
}

impl Seen {
    /// Reads events until they decide: the pattern matched, or the program ended.
    async fn watch(&mut self, name: &str, events: &mut UnboundedReceiver<SupervisorEvent>, ready: &Ready) -> Result<(), SubjectError> {
        while let Some(event) = events.recv().await {
            match event {
                SupervisorEvent::Line { text, .. } => {
                    let matched = matches!(ready, Ready::Log(pattern) if pattern.is_match(&text));
                    self.enter(text);
                    if matched {
                        return Ok(());
                    }
                }
                SupervisorEvent::Exited { code: Some(0), .. } if matches!(ready, Ready::Exit) => return Ok(()),
                SupervisorEvent::Exited { code, signal, .. } => return Err(self.ended(name, Exit { code, signal })),
                SupervisorEvent::Started { .. } | SupervisorEvent::Flooded { .. } => {}
            }
        }
        Err(SubjectError::SupervisorGone)
    }

    /// An answer came; it counts unless the program said meanwhile that somebody else has the port.
    fn taken(&mut self, name: &str, events: &mut UnboundedReceiver<SupervisorEvent>) -> Result<(), SubjectError> {
        while let Ok(event) = events.try_recv() {
            match event {
                SupervisorEvent::Line { text, .. } => self.enter(text),
                SupervisorEvent::Exited { code, signal, .. } => return Err(self.ended(name, Exit { code, signal })),
                SupervisorEvent::Started { .. } | SupervisorEvent::Flooded { .. } => {}
            }
        }
        match self.taken.take() {
            Some(line) => Err(SubjectError::PortTaken { name: name.to_owned(), line }),
            None => Ok(()),
        }
    }

    fn enter(&mut self, line: String) {
        let lower = line.to_lowercase();
        if self.taken.is_none() && TAKEN.iter().any(|words| lower.contains(words)) {
            self.taken = Some(line.clone());
        }
        if self.first.len() < FIRST {
            self.first.push(line);
            return;
        }
        self.last.push_back(line);
        if self.last.len() > LAST {
            self.last.pop_front();
            self.left_out += 1;
        }
    }

    /// What is shown of them.
    fn lines(&self) -> Vec<String> {
        let between = (self.left_out > 0).then(|| format!("… {} more lines …", self.left_out));
        self.first.iter().cloned().chain(between).chain(self.last.iter().cloned()).collect()
    }

    fn ended(&mut self, name: &str, exit: Exit) -> SubjectError {
        match self.taken.take() {
            Some(line) => SubjectError::PortTaken { name: name.to_owned(), line },
            None => SubjectError::EndedEarly { name: name.to_owned(), how: exit.to_string(), lines: self.lines() },
        }
    }
}

/// Asks until there is an answer below 500: none; else what came last when the time was over.
async fn ask_http(agent: &Agent, address: &str, until: Instant) -> Result<Option<String>, SubjectError> {
    let mut last = "was not asked".to_owned();
    let mut asked = 0_u32;
    let mut clock = clock();
    loop {
        match timeout_at(until, clock.tick()).await {
            Ok(_) => {}
            Err(_) => return Ok(Some(last)),
        }
        asked += 1;
        match agent.probe(address, ONE_ASK.min(until.saturating_duration_since(Instant::now()))).await {
            Ok(status) if status < 500 => return Ok(None),
            Ok(status) => last = format!("answered {status}"),
            // A question cut short by the end of all waiting says less than the answer before it.
            Err(error) if error.is_no_answer() && (asked == 1 || Instant::now() < until) => last = format!("did not answer ({error})"),
            Err(error) if error.is_no_answer() => {}
            Err(error) => return Err(error.into()),
        }
    }
}

async fn ask_tcp(address: &str, until: Instant) -> Option<String> {
    let mut last = "was not asked".to_owned();
    let mut clock = clock();
    loop {
        if timeout_at(until, clock.tick()).await.is_err() {
            return Some(last);
        }
        match timeout(ONE_ASK, TcpStream::connect(address)).await {
            Ok(Ok(_)) => return None,
            Ok(Err(error)) => last = format!("did not accept ({error})"),
            Err(_) => last = "did not accept in time".to_owned(),
        }
    }
}

fn clock() -> tokio::time::Interval {
    let mut clock = interval(ASK);
    clock.set_missed_tick_behavior(MissedTickBehavior::Delay);
    clock
}

/// A port alone is on this machine.
fn tcp_address(text: &str) -> String {
    if text.contains(':') { text.to_owned() } else { format!("127.0.0.1:{text}") }
}
