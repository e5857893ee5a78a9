//! Does the provider grow while it is used? Seconds in place of an hour; the slope is what counts.

use std::time::{Duration, Instant};

use super::Server;
use crate::{
    error::BenchError,
    peer::{Peer, Place},
    statistics::slope,
};

/// What a soak showed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Soak {
    pub(crate) took: Duration,
    pub(crate) refreshes: u64,
    /// Memory at the beginning and at the end, in bytes.
    pub(crate) before: u64,
    pub(crate) after: u64,
    /// Bytes a second and for each refresh, over the second half: what fills up once is not growth.
    pub(crate) per_second: f64,
    pub(crate) per_refresh: f64,
}

/// Keeps a new regrant busy for `span`.
///
/// # Errors
/// It does not answer.
#[allow(clippy::cast_precision_loss, reason = "bytes and refreshes of a soak")]
pub(crate) async fn soak(place: &Place, connections: u32, span: Duration) -> Result<Soak, BenchError> {
    let mut server = Server::start(Peer::Regrant, place)?;
    server.connect(place, connections).await?;
    let (before, began) = (server.process.memory(), Instant::now());
    let (mut points, mut refreshes) = (Vec::new(), 0);
    while began.elapsed() < span {
        refreshes += server.turn(Duration::from_millis(500)).await?.0.refreshes;
        points.push((began.elapsed().as_secs_f64(), refreshes, server.process.memory()));
    }
    let half = &points[points.len() / 2..];
    let over = |x: fn(&(f64, u64, u64)) -> f64| slope(&half.iter().map(|point| (x(point), point.2 as f64)).collect::<Vec<_>>());
    Ok(Soak {
        took: began.elapsed(),
        refreshes,
        before,
        after: server.process.memory(),
        per_second: over(|point| point.0),
        per_refresh: over(|point| point.1 as f64),
    })
}
