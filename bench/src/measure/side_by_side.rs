//! All alternatives in turns, so that whatever else the machine does hits all of them.

use std::time::Duration;

use super::Server;
use crate::{
    args::Wanted,
    error::BenchError,
    load::Turn,
    peer::{Peer, Place},
    statistics::Spread,
};

/// Starts of a server that starts fast, and of others.
const STARTS: usize = 10;
const SLOW_STARTS: usize = 2;
/// Who needs longer than this starts slowly.
const FAST: Duration = Duration::from_millis(100);
/// So that a compiler at run time has seen the code.
const FIRST_TURN: Duration = Duration::from_secs(3);

/// What was measured of one alternative.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    pub(crate) peer: Peer,
    pub(crate) figures: Result<Figures, String>,
}

/// Medians over the rounds, with the least and the greatest.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Figures {
    /// Refreshes a second.
    pub(crate) rate: Spread,
    /// That, as a share of bare hyper's in the same round.
    pub(crate) share: Spread,
    /// Time to the whole reply in microseconds: half are faster; 99 of 100 are.
    pub(crate) p50: Spread,
    pub(crate) p99: Spread,
    /// The latter, as a multiple of bare hyper's in the same round.
    pub(crate) times_p99: Spread,
    /// The server's processor time for each refresh in microseconds.
    pub(crate) cost: Spread,
    /// That, as a multiple of bare hyper's in the same round.
    pub(crate) times_cost: Spread,
    /// From the start to the first reply in milliseconds.
    pub(crate) ready: Spread,
    /// Memory before and after all rounds, in bytes.
    pub(crate) idle: u64,
    pub(crate) after: u64,
}

/// An alternative in the making.
struct Entry {
    peer: Peer,
    server: Result<Server, String>,
    ready: Vec<f64>,
    turns: Vec<(Turn, Duration)>,
}

/// Measures bare hyper and all `peers`.
pub(crate) async fn side_by_side(peers: &[Peer], place: &Place, wanted: &Wanted) -> Vec<Row> {
    let mut entries = Vec::new();
    for &peer in peers {
        println!("  starting {}", peer.name());
        entries.push(Entry::start(peer, place, wanted).await);
    }
    let span = Duration::from_millis(wanted.turn);
    for round in 1..=wanted.rounds {
        println!("  round {round} of {}", wanted.rounds);
        for entry in &mut entries {
            entry.turn(span).await;
        }
    }
    let base = entries.first().map(|entry| entry.turns.clone()).unwrap_or_default();
    entries.into_iter().map(|entry| entry.row(&base)).collect()
}

impl Entry {
    async fn start(peer: Peer, place: &Place, wanted: &Wanted) -> Self {
        let mut ready = Vec::new();
        let server = match peer.install(place) {
            Ok(()) => Self::up(peer, place, wanted, &mut ready).await,
            Err(error) => Err(error),
        };
        Self { peer, server: server.map_err(|error| error.to_string()), ready, turns: Vec::new() }
    }

    /// Started some times; the last one stays and is warmed up.
    async fn up(peer: Peer, place: &Place, wanted: &Wanted, ready: &mut Vec<f64>) -> Result<Server, BenchError> {
        loop {
            let mut server = Server::start(peer, place)?;
            ready.push(server.ready.as_secs_f64() * 1000.0);
            let enough = if server.ready < FAST { STARTS } else { SLOW_STARTS };
            if ready.len() >= enough {
                server.connect(place, wanted.connections).await?;
                server.turn(FIRST_TURN.min(Duration::from_millis(wanted.turn * 3))).await?;
                return Ok(server);
            }
        }
    }

    async fn turn(&mut self, span: Duration) {
        if let Ok(server) = &mut self.server {
            match server.turn(span).await {
                Ok(turn) => self.turns.push(turn),
                Err(error) => self.server = Err(error.to_string()),
            }
        }
    }

    fn row(self, base: &[(Turn, Duration)]) -> Row {
        let Self { peer, server, ready, turns } = self;
        let figures = server.and_then(|server| {
            let spread = |figures: Vec<f64>| Spread::of(figures).ok_or_else(|| "there was no round".to_owned());
            let each = |figure: fn(&(Turn, Duration)) -> f64| spread(turns.iter().map(figure).collect());
            let to_base =
                |figure: fn(&Turn) -> f64| spread(turns.iter().zip(base).map(|(turn, base)| figure(&turn.0) / figure(&base.0)).collect());
            Ok(Figures {
                rate: each(|(turn, _)| turn.rate())?,
                share: to_base(Turn::rate)?,
                p50: each(|(turn, _)| f64::from(turn.p50) / 1000.0)?,
                p99: each(|(turn, _)| f64::from(turn.p99) / 1000.0)?,
                times_p99: to_base(|turn| f64::from(turn.p99))?,
                cost: each(cost)?,
                times_cost: spread(turns.iter().zip(base).map(|(turn, base)| cost(turn) / cost(base)).collect())?,
                ready: spread(ready)?,
                idle: server.idle,
                after: server.process.memory(),
            })
        });
        Row { peer, figures }
    }
}

#[allow(clippy::cast_precision_loss, reason = "some millions")]
fn cost((turn, busy): &(Turn, Duration)) -> f64 {
    busy.as_secs_f64() * 1e6 / turn.refreshes as f64
}
