//! A server that is up: how long that took, and its refresh chains.

use std::{
    io::{Read as _, Write as _},
    net::{Ipv4Addr, SocketAddr, TcpStream},
    thread,
    time::{Duration, Instant},
};

use crate::{
    error::BenchError,
    load::{Chain, Turn, chains, turn},
    peer::{CLIENT, Peer, Place},
    process::{Process, free_port},
};

/// How long a server may take until it answers.
const PATIENCE: Duration = Duration::from_secs(60);
/// Between two tries to connect: well below what is measured.
const PAUSE: Duration = Duration::from_micros(200);

/// A running alternative.
#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) peer: Peer,
    pub(crate) process: Process,
    pub(crate) chains: Vec<Chain>,
    address: SocketAddr,
    /// From its start to the end of its first reply.
    pub(crate) ready: Duration,
    /// Memory held then.
    pub(crate) idle: u64,
}

impl Server {
    /// Starts one and waits for its first reply. It has no chains yet.
    ///
    /// # Errors
    /// It cannot be started, or does not answer.
    pub(crate) fn start(peer: Peer, place: &Place) -> Result<Self, BenchError> {
        let port = free_port()?;
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let mut command = peer.command(place, port);
        let began = Instant::now();
        let mut process = Process::start(&mut command)?;
        while !answers(address) {
            if process.has_ended() || began.elapsed() > PATIENCE {
                return Err(BenchError::Answer(format!("{} did not start", peer.name())));
            }
            thread::sleep(PAUSE);
        }
        let ready = began.elapsed();
        Ok(Self { peer, idle: process.memory(), process, chains: Vec::new(), address, ready })
    }

    /// Gets its first refresh tokens.
    ///
    /// # Errors
    /// It gives none.
    pub(crate) async fn connect(&mut self, place: &Place, connections: u32) -> Result<(), BenchError> {
        self.chains = chains(self.address, &self.peer.consent(place), CLIENT, connections).await?;
        Ok(())
    }

    /// A turn of refreshing, and the processor time that the server used for it.
    ///
    /// # Errors
    /// It does not answer.
    pub(crate) async fn turn(&mut self, span: Duration) -> Result<(Turn, Duration), BenchError> {
        let mut before = Duration::ZERO;
        let process = &self.process;
        let turn = turn(self.address, self.peer.path(), &mut self.chains, span, || before = process.busy()).await?;
        if turn.failures > 0 {
            return Err(BenchError::Answer(format!("{} refused {} refreshes", self.peer.name(), turn.failures)));
        }
        Ok((turn, self.process.busy().saturating_sub(before)))
    }

    /// One token reply, as it stands in the body.
    ///
    /// # Errors
    /// It gives none.
    pub(crate) async fn sample(&mut self) -> Result<String, BenchError> {
        let Some(chain) = self.chains.first_mut() else { return Err(BenchError::Answer("there is no chain".into())) };
        chain.sample(self.address, self.peer.path()).await
    }
}

/// Whether a request is answered, whatever the answer is.
fn answers(address: SocketAddr) -> bool {
    let ask = || {
        let mut tcp = TcpStream::connect(address)?;
        tcp.set_read_timeout(Some(PATIENCE))?;
        tcp.write_all(format!("GET / HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").as_bytes())?;
        let mut start = [0; 9];
        tcp.read_exact(&mut start).map(|()| start)
    };
    ask().is_ok_and(|start| start.starts_with(b"HTTP/1."))
}
