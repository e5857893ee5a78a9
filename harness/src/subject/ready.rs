//! Waiting until the subject is ready, or finding out why it never will be.

use std::{collections::VecDeque, sync::LazyLock, time::Duration};

use regex::Regex;
use tokio::{
    net::TcpStream,
    sync::mpsc::UnboundedReceiver,
    time::{Instant, sleep, timeout},
};

use super::{Agent, Bindings, ProcId, SpawnRequest, SubjectError, Supervisor, SupervisorEvent, manifest::Ready};

/// How many of its last lines an error tells.
const TOLD: usize = 10;
/// The first pause between two looks at an address; there is nothing to await.
const SOON: Duration = Duration::from_millis(5);
/// The longest one.
const LATER: Duration = Duration::from_millis(100);
/// How long one look may take.
const LOOK: Duration = Duration::from_secs(5);

/// What the common runtimes say when a port is taken.
#[allow(clippy::expect_used, reason = "a fixed pattern, compiled by a test")]
static TAKEN: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?i)(EADDRINUSE|address (is )?already in use|address in use|port \S+ (is )?(already )?(in use|being used|was already in use)|failed to bind to)")
        .expect("a fixed pattern")
});

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
    let (id, mut events) = supervisor.spawn_watched(request).await?;
    match wait_ready(agent, &request.name, &mut events, ready, bindings, limit).await {
        Ok(()) => Ok(id),
        Err(error) => {
            supervisor.kill_tree(id).await?;
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
    let mut seen = Seen { name, ready, lines: VecDeque::new() };
    let answers = answers(agent, ready, bindings)?;
    tokio::pin!(answers);
    let deadline = Instant::now() + limit;
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let event = tokio::select! {
            () = &mut answers => return Ok(()),
            event = timeout(left, events.recv()) => event,
        };
        match event {
            Err(_) => return Err(seen.too_late(limit, bindings)),
            Ok(None) => return Err(SubjectError::SupervisorGone),
            Ok(Some(event)) => {
                if let Some(end) = seen.take(event) {
                    return end;
                }
            }
        }
    }
}

/// Ends when the address answers; never, where readiness is told otherwise.
fn answers<'a>(agent: &'a Agent, ready: &Ready, bindings: &Bindings) -> Result<impl Future<Output = ()> + use<'a>, SubjectError> {
    enum Where {
        Nowhere,
        Here,
        Http(String),
        Tcp(String),
    }
    let place = match ready {
        Ready::AtOnce => Where::Here,
        Ready::Http(url) => Where::Http(bindings.fill(url)?),
        Ready::Tcp(address) => {
            let address = bindings.fill(address)?;
            Where::Tcp(if address.contains(':') { address } else { format!("127.0.0.1:{address}") })
        }
        Ready::Log(_) | Ready::Exit => Where::Nowhere,
    };
    Ok(async move {
        let mut pause = SOON;
        loop {
            let answered = match &place {
                Where::Nowhere => return std::future::pending().await,
                Where::Here => true,
                Where::Http(url) => agent.probe(url, LOOK).await.is_ok_and(|status| status < 500),
                Where::Tcp(address) => matches!(timeout(LOOK, TcpStream::connect(address.as_str())).await, Ok(Ok(_))),
            };
            if answered {
                return;
            }
            sleep(pause).await;
            pause = (pause * 2).min(LATER);
        }
    })
}

struct Seen<'a> {
    name: &'a str,
    ready: &'a Ready,
    lines: VecDeque<String>,
}

impl Seen<'_> {
    /// The end of the waiting, if the event is one.
    fn take(&mut self, event: SupervisorEvent) -> Option<Result<(), SubjectError>> {
        match event {
            SupervisorEvent::Line { text, .. } => {
                let ready = matches!(self.ready, Ready::Log(regex) if regex.is_match(&text));
                if self.lines.len() == TOLD {
                    self.lines.pop_front();
                }
                self.lines.push_back(text);
                ready.then_some(Ok(()))
            }
            SupervisorEvent::Exited { code: Some(0), .. } if matches!(self.ready, Ready::Exit) => Some(Ok(())),
            SupervisorEvent::Exited { code, signal, .. } => Some(Err(self.ended(super::Exit { code, signal }))),
            SupervisorEvent::Started { .. } | SupervisorEvent::Flooded { .. } => None,
        }
    }

    fn ended(&self, exit: super::Exit) -> SubjectError {
        let name = self.name.to_owned();
        match self.lines.iter().find(|line| TAKEN.is_match(line)) {
            Some(line) => SubjectError::PortTaken { name, line: line.clone() },
            None => SubjectError::EndedEarly { name, how: exit.to_string(), lines: self.told() },
        }
    }

    fn too_late(&self, after: Duration, bindings: &Bindings) -> SubjectError {
        let fill = |text: &String| bindings.fill(text).unwrap_or_else(|_| text.clone());
        let waited_for = match self.ready {
            Ready::AtOnce => "nothing".to_owned(),
            Ready::Http(url) => format!("{} did not answer with a status below 500", fill(url)),
            Ready::Tcp(address) => format!("nothing listens at {}", fill(address)),
            Ready::Log(regex) => format!("no line matched `{regex}`"),
            Ready::Exit => "it did not end".to_owned(),
        };
        SubjectError::NotReady { name: self.name.to_owned(), after, waited_for, lines: self.told() }
    }

    fn told(&self) -> Vec<String> {
        self.lines.iter().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_taken_port_is_recognised_in_the_words_of_common_runtimes() {
        for line in [
            "Error: listen EADDRINUSE: address already in use 127.0.0.1:8000",
            "OSError: [Errno 98] Address already in use",
            "listen tcp 127.0.0.1:8000: bind: address already in use",
            "Web server failed to start. Port 8080 was already in use.",
        ] {
            assert!(TAKEN.is_match(line), "{line}");
        }
        assert!(!TAKEN.is_match("cannot import name 'app'"));
    }
}
