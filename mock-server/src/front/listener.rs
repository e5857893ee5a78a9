//! Accepts the subject's connections.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    task::{JoinHandle, JoinSet},
};

use rustls::ServerConfig;

use super::{connection::Connection, farewell, reply::Reply};
use crate::{StartError, state::Shared};

/// A listener that serves until it is dropped.
#[derive(Debug)]
pub(crate) struct Listener {
    task: JoinHandle<()>,
    stop: tokio::sync::watch::Sender<bool>,
}

/// Binds an address.
///
/// # Errors
/// The port cannot be had.
pub(crate) async fn bind(address: SocketAddr) -> Result<(TcpListener, SocketAddr), StartError> {
    let failed = |source| StartError::Bind { address, source };
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    let bound = listener.local_addr().map_err(failed)?;
    Ok((listener, bound))
}

/// How many clients may be told at a time that there is no room; others are closed at once.
const FAREWELLS: usize = 64;

fn full() -> Reply {
    Reply::api_error(503, "SERVICE_UNAVAILABLE", "There are as many connections as this provider serves at a time")
}

impl Listener {
    /// Serves the subject, at most so many connections at a time.
    pub(crate) fn serve(shared: Arc<Shared>, listener: TcpListener, tls: Option<Arc<ServerConfig>>) -> Self {
        let most = shared.config.limits.connections;
        let (room, farewells) = (Arc::new(Semaphore::new(most)), Arc::new(Semaphore::new(FAREWELLS)));
        Self::accept(listener, move |tcp, peer| {
            let (shared, tls, room) = (shared.clone(), tls.clone(), room.clone().try_acquire_owned());
            let farewell = if room.is_err() && tls.is_none() { farewells.clone().try_acquire_owned().ok() } else { None };
            async move {
                match (room, farewell) {
                    (Ok(_room), _) => Connection::serve(shared, tcp, peer, tls).await,
                    (Err(_), Some(_farewell)) => farewell::say(tcp, full(), "", shared.clock.now()).await,
                    (Err(_), None) => {}
                }
            }
        })
    }

    /// Gives each accepted connection to a task of its own.
    pub(crate) fn accept<F, Fut>(listener: TcpListener, mut serve: F) -> Self
    where
        F: FnMut(TcpStream, SocketAddr) -> Fut + Send + 'static,
        Fut: Future<Output = ()> + Send + 'static,
    {
        let (stop, mut stopped) = tokio::sync::watch::channel(false);
        let task = tokio::spawn(async move {
            let mut tasks = JoinSet::new();
            loop {
                let accepted = tokio::select! {
                    _ = stopped.changed() => break,
                    Some(_ended) = tasks.join_next() => continue,
                    accepted = listener.accept() => accepted,
                };
                match accepted {
                    Ok((tcp, peer)) => {
                        tasks.spawn(serve(tcp, peer));
                    }
                    // Out of file descriptors, or the peer has gone already: neither is improved by hurry.
                    Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
                }
            }
            drop(listener);
            tasks.shutdown().await;
        });
        Self { task, stop }
    }

    /// Ends every connection and waits until that is done.
    pub(crate) async fn stop(mut self) {
        // Without a receiver the task has ended by itself.
        let _ended = self.stop.send(true);
        let _joined = (&mut self.task).await;
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.task.abort();
    }
}
