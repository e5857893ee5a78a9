//! The load: refresh chains that each have a connection of their own and send the next refresh when the last one is answered.
//!
//! Everything runs on the thread that asks for it, so that it can be kept on one core. hyper is the client, as it is the
//! server that all are compared with.

mod chain;
mod connection;
mod consent;

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use futures::stream::{FuturesUnordered, StreamExt as _};

pub(crate) use chain::Chain;
pub(crate) use connection::Connection;
pub(crate) use consent::{Consent, chains};

use crate::{error::BenchError, statistics::quantile};

/// Before the clock runs: connecting, first buffers, a look at the code for a JIT.
const WARM_UP: Duration = Duration::from_millis(100);
/// For a reply that is under way when the time is over.
const GRACE: Duration = Duration::from_secs(10);

/// What one turn showed.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Turn {
    /// Refreshes that were answered with a token.
    pub(crate) refreshes: u64,
    /// Those that were not; its chain ends there.
    pub(crate) failures: u64,
    /// How long it took.
    pub(crate) took: Duration,
    /// Time to the whole reply in nanoseconds: half of the refreshes, and 99 of 100, were faster.
    pub(crate) p50: u32,
    pub(crate) p99: u32,
}

impl Turn {
    /// Refreshes a second.
    #[allow(clippy::cast_precision_loss, reason = "some millions")]
    pub(crate) fn rate(&self) -> f64 {
        self.refreshes as f64 / self.took.as_secs_f64().max(f64::EPSILON)
    }
}

/// Lets every chain refresh for `span`, after a short warm-up on new connections; `started` is called in between.
///
/// # Errors
/// A server that does not accept, or that does not answer in time.
pub(crate) async fn turn(
    server: SocketAddr,
    path: &str,
    chains: &mut [Chain],
    span: Duration,
    started: impl FnOnce(),
) -> Result<Turn, BenchError> {
    let mut connections = Vec::new();
    for _ in 0..chains.len() {
        connections.push(Connection::open(server).await?);
    }
    run(path, chains, &mut connections, WARM_UP).await?;
    started();
    let began = Instant::now();
    let runs = run(path, chains, &mut connections, span).await?;
    let took = began.elapsed();
    let failures = runs.iter().map(|run| run.failures).sum();
    let mut times: Vec<u32> = runs.into_iter().flat_map(|run| run.times).collect();
    Ok(Turn { refreshes: times.len() as u64, failures, took, p50: quantile(&mut times, 0.5), p99: quantile(&mut times, 0.99) })
}

/// What one chain did.
#[derive(Debug, Default)]
struct Run {
    times: Vec<u32>,
    failures: u64,
}

async fn run(path: &str, chains: &mut [Chain], connections: &mut [Connection], span: Duration) -> Result<Vec<Run>, BenchError> {
    let until = Instant::now() + span;
    // Unlike `join_all`, this looks only at those that were woken.
    let all: FuturesUnordered<_> =
        chains.iter_mut().zip(connections).map(|(chain, connection)| refresh_until(path, chain, connection, until)).collect();
    let ended = tokio::time::timeout(span + GRACE, all.collect()).await;
    ended.map_err(|_| BenchError::Answer("a refresh was not answered within ten seconds".into()))
}

async fn refresh_until(path: &str, chain: &mut Chain, connection: &mut Connection, until: Instant) -> Run {
    let mut run = Run::default();
    let mut began = Instant::now();
    while began < until {
        let answered = connection.send(chain.request(path)).await.is_ok_and(|reply| chain.follow(&reply));
        let ended = Instant::now();
        if answered {
            run.times.push(u32::try_from((ended - began).as_nanos()).unwrap_or(u32::MAX));
        } else {
            run.failures += 1;
            break;
        }
        began = ended;
    }
    run
}

#[cfg(test)]
mod tests {
    #![allow(clippy::expect_used, reason = "tests say what they expect")]
    use std::collections::BTreeSet;

    use regrant_mock_server::{Provider, ProviderConfig};

    use super::*;

    #[tokio::test]
    async fn every_chain_goes_on_refreshing_with_the_token_it_was_given_last() {
        let provider = Provider::start(ProviderConfig::local(1)).await.expect("a provider");
        let (id, secret) = provider.client();
        let server: SocketAddr = provider.urls().api.trim_start_matches("http://").parse().expect("an address");
        let secret = secret.expect("a confidential client");
        let mut chains = chains(server, &Consent::pleo(), (&id, &secret), 3).await.expect("consent");
        let first: BTreeSet<_> = chains.iter().map(|chain| chain.token().to_owned()).collect();
        let turn = turn(server, "/oauth/token", &mut chains, Duration::from_millis(50), || {}).await.expect("answers");
        let last: BTreeSet<_> = chains.iter().map(|chain| chain.token().to_owned()).collect();
        assert_eq!(turn.failures, 0);
        assert!(turn.refreshes >= 3, "{turn:?}");
        assert!(turn.p50 <= turn.p99 && turn.p50 > 0);
        assert_eq!((first.len(), last.len()), (3, 3));
        assert!(first.is_disjoint(&last), "every chain has moved on");
        provider.stop().await;
    }
}
