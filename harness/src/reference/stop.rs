//! Being asked to stop.

use tokio::signal::unix::{SignalKind, signal};

/// Listens from now on; the future ends once the process is asked to stop (SIGTERM or SIGINT).
pub(crate) fn asked() -> impl Future<Output = ()> {
    let signals = (signal(SignalKind::terminate()), signal(SignalKind::interrupt()));
    async {
        match signals {
            (Ok(mut term), Ok(mut int)) => {
                tokio::select! {
                    _ = term.recv() => {}
                    _ = int.recv() => {}
                }
            }
            // Without handlers the signals' own effect is the right one.
            (Err(_), _) | (_, Err(_)) => std::future::pending().await,
        }
    }
}
